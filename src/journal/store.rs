//! A folder of sessions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::index::Index;
use super::lock::Lock;
use super::manifest::{MANIFEST_FILE, Manifest};
use super::reader::Reader;
use super::recovery::{Recovery, recover};
use super::verify::{VerifyReport, is_up_to_date, rebuild_index, verify};
use super::writer::{Options, Writer};

/// Where recordings live, `store.path` in configuration.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    disk: Arc<dyn Disk>,
}

/// One line of `sessions list`.
#[derive(Clone, Debug)]
pub struct SessionSummary {
    /// Its folder's name.
    pub id: String,
    /// Where it is.
    pub folder: PathBuf,
    /// What it is of, or why that cannot be read.
    pub manifest: Result<Manifest, JournalError>,
    /// Whether a process is writing it.
    pub live: bool,
    /// Bytes of its segments.
    pub bytes: u64,
}

impl Store {
    /// A store; its folder is made when the first session is.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self::open_on(path, Arc::new(RealDisk))
    }

    /// A store that writes through `disk`.
    pub fn open_on(path: impl Into<PathBuf>, disk: Arc<dyn Disk>) -> Self {
        Self { path: path.into(), disk }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A session's folder, whether it exists or not. A path to a session's folder is taken as it is by
    /// [`Store::of_session`].
    pub fn folder(&self, id: &str) -> PathBuf {
        self.path.join(id)
    }

    /// What a person means by `SESSION` on the command line: a name in this store, or the path of a session's folder
    /// anywhere (a golden, a copy). The store it is in and its name there.
    pub fn of_session(&self, named: &str) -> Result<(Store, String), JournalError> {
        if check_name(named).is_ok() && self.folder(named).join(MANIFEST_FILE).exists() {
            return Ok((self.clone(), named.to_owned()));
        }
        let path = Path::new(named);
        match (path.parent(), path.file_name().and_then(|n| n.to_str())) {
            (Some(parent), Some(id)) if path.join(MANIFEST_FILE).exists() => {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                Ok((Self::open_on(parent, Arc::clone(&self.disk)), id.to_owned()))
            }
            _ => Err(self.no_such(named)),
        }
    }

    /// Every session, oldest first; those whose manifest cannot be read come last.
    pub fn sessions(&self) -> Result<Vec<SessionSummary>, JournalError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(JournalError::io(&self.path, "list the store"))? {
            let entry = entry.map_err(JournalError::io(&self.path, "list the store"))?;
            let Ok(id) = entry.file_name().into_string() else { continue };
            if check_name(&id).is_ok() && entry.path().join(MANIFEST_FILE).exists() {
                found.push(self.summary(&id));
            }
        }
        let started = |s: &SessionSummary| s.manifest.as_ref().map_or(i64::MAX, |m| m.started_ns);
        found.sort_by(|a, b| (started(a), &a.id).cmp(&(started(b), &b.id)));
        Ok(found)
    }

    /// One session's line.
    pub fn summary(&self, id: &str) -> SessionSummary {
        let folder = self.folder(id);
        let size = |entry: fs::DirEntry| match entry.path().extension() {
            Some(kind) if kind == "seg" => entry.metadata().map_or(0, |m| m.len()),
            Some(_) | None => 0,
        };
        let bytes = fs::read_dir(&folder).map_or(0, |entries| entries.flatten().map(size).sum());
        let manifest = Manifest::read(&folder);
        SessionSummary { id: id.to_owned(), manifest, live: self.is_live(id), bytes, folder }
    }

    /// Begins a session and locks it for this process. Leaves nothing behind if it cannot.
    pub fn create(&self, id: &str, manifest: Manifest, options: Options) -> Result<Writer, JournalError> {
        check_name(id)?;
        fs::create_dir_all(&self.path).map_err(JournalError::io(&self.path, "make the store"))?;
        let folder = self.folder(id);
        match fs::create_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                // Somebody else's running session is the more useful answer than "exists".
                Lock::take(&lock_path(&folder), &folder)?;
                return Err(JournalError::SessionExists { path: folder });
            }
            made => made.map_err(JournalError::io(&folder, "make the session's folder"))?,
        }
        let begin = || {
            let lock = Lock::take(&lock_path(&folder), &folder)?;
            let manifest = Manifest { id: id.to_owned(), ..manifest };
            manifest.write(&*self.disk, &folder)?;
            Writer::begin(&folder, manifest, options, Arc::clone(&self.disk), lock)
        };
        begin().inspect_err(|_| {
            let _ = fs::remove_dir_all(&folder);
        })
    }

    /// Whether a process is writing it.
    pub fn is_live(&self, id: &str) -> bool {
        Lock::is_held(&lock_path(&self.folder(id)))
    }

    /// What a session is of.
    pub fn manifest(&self, id: &str) -> Result<Manifest, JournalError> {
        Manifest::read(&self.existing(id)?)
    }

    /// Reads a session from its beginning; also one that is being written.
    pub fn reader(&self, id: &str) -> Result<Reader, JournalError> {
        Reader::open(&self.existing(id)?)
    }

    /// Reads a session from input `seq` on, by the index if it is there and agrees, else by walking there.
    pub fn reader_at(&self, id: &str, seq: u64) -> Result<Reader, JournalError> {
        let mut reader = self.reader(id)?;
        if !self.is_live(id)
            && Index::path_of(&self.folder(id)).exists()
            && let Ok(index) = Index::open(&self.folder(id))
            && let Ok(Some(place)) = index.block_of(seq)
            && reader.seek_from(place, seq).is_ok()
        {
            return Ok(reader);
        }
        reader.seek_seq(seq)?;
        Ok(reader)
    }

    /// The look-up index of a session that is not being written; made anew if missing, damaged or behind.
    pub fn index(&self, id: &str) -> Result<Index, JournalError> {
        let folder = self.existing(id)?;
        if self.is_live(id) {
            let path = Index::path_of(&folder);
            return Err(JournalError::Index { path, what: "it is open in the bot that writes it".to_owned() });
        }
        if Index::path_of(&folder).exists() {
            match Index::open(&folder) {
                Ok(index) if is_up_to_date(&folder, &index)? => return Ok(index),
                // Not ours to remove under another's feet.
                Err(error @ JournalError::Held { .. }) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        rebuild_index(&folder)
    }

    /// Makes the index anew from the segments.
    pub fn rebuild_index(&self, id: &str) -> Result<Index, JournalError> {
        rebuild_index(&self.existing(id)?)
    }

    /// Recovers a session left by a process that died; `None` if it needs none or is being written. To be called
    /// before a session is replayed, verified or exported.
    pub fn recover(&self, id: &str) -> Result<Option<Recovery>, JournalError> {
        let folder = self.existing(id)?;
        recover(&folder, &lock_path(&folder), &*self.disk)
    }

    /// Checks everything stored; with `rebuild` the index is made anew instead of compared.
    pub fn verify(&self, id: &str, rebuild: bool) -> Result<VerifyReport, JournalError> {
        verify(&self.existing(id)?, self.is_live(id), rebuild)
    }

    /// Removes a session that nobody is writing.
    pub fn delete(&self, id: &str) -> Result<(), JournalError> {
        let folder = self.existing(id)?;
        let _lock = Lock::take(&lock_path(&folder), &folder)?;
        // Out of sight at once, so that an interrupted deletion leaves no half session in the lists.
        let grave = self.path.join(format!(".deleted-{id}"));
        fs::rename(&folder, &grave).map_err(JournalError::io(&folder, "delete"))?;
        fs::remove_dir_all(&grave).map_err(JournalError::io(&grave, "delete"))
    }

    fn existing(&self, id: &str) -> Result<PathBuf, JournalError> {
        check_name(id)?;
        let folder = self.folder(id);
        if folder.join(MANIFEST_FILE).exists() { Ok(folder) } else { Err(self.no_such(id)) }
    }

    fn no_such(&self, id: &str) -> JournalError {
        JournalError::NoSuchSession { store: self.path.clone(), id: id.to_owned() }
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn check_name(id: &str) -> Result<(), JournalError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !id.is_empty() && id.len() <= 120 && !id.starts_with('.') && id.chars().all(fine) {
        Ok(())
    } else {
        Err(JournalError::BadName(id.to_owned()))
    }
}

//! A folder of sessions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::index::Index;
use super::lock::Lock;
use super::manifest::{MANIFEST_FILE, Manifest};
use super::reader::Reader;
use super::recovery::{Recovery, recover};
use super::verify::{VerifyReport, is_up_to_date, rebuild_index, verify};
use super::writer::{Options, Writer};
use crate::units::LocalTime;

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
    /// Whether it is kept whatever the store's bounds say.
    pub kept: bool,
    /// When it was last written on this disk.
    pub written: LocalTime,
    /// Bytes of its segments.
    pub bytes: u64,
    /// Bytes of its index.
    pub index_bytes: u64,
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
        let (mut bytes, mut index_bytes, mut written) = (0, 0, 0);
        let mut add = |path: &Path| {
            let Ok(about) = fs::metadata(path) else { return };
            let is_segment = path.extension().is_some_and(|kind| kind == "seg");
            if is_segment || path.ends_with(MANIFEST_FILE) {
                let at = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                written = written.max(at.map_or(0, |at| i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)));
            }
            bytes += if is_segment { about.len() } else { 0 };
        };
        fs::read_dir(&folder).into_iter().flatten().flatten().for_each(|entry| add(&entry.path()));
        let of_index = fs::read_dir(Index::path_of(&folder)).into_iter().flatten().flatten();
        index_bytes += of_index.filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).sum::<u64>();
        let manifest = Manifest::read(&folder);
        let (live, kept, written) = (self.is_live(id), folder.join(KEEP_FILE).exists(), LocalTime(written));
        SessionSummary { id: id.to_owned(), manifest, live, kept, written, bytes, index_bytes, folder }
    }

    /// Keeps a session whatever the store's bounds say, or no longer.
    pub fn keep(&self, id: &str, keep: bool) -> Result<(), JournalError> {
        let path = self.existing(id)?.join(KEEP_FILE);
        let done = if keep { fs::write(&path, "kept by `papermaker sessions keep`\n") } else { fs::remove_file(&path) };
        match done {
            Err(e) if !keep && e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(JournalError::io(&path, "mark the session")),
        }
    }

    /// Removes the index of a session that nobody is writing; it is made anew when it is needed.
    pub fn drop_index(&self, id: &str) -> Result<(), JournalError> {
        let folder = self.existing(id)?;
        let _lock = Lock::take(&lock_path(&folder), &folder)?;
        let index = Index::path_of(&folder);
        // Out of sight at once: half an index would be taken for a damaged one.
        let grave = folder.join(".deleted-index");
        fs::rename(&index, &grave).map_err(JournalError::io(&index, "delete"))?;
        fs::remove_dir_all(&grave).map_err(JournalError::io(&grave, "delete"))
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

/// In the folder of a session that is kept.
const KEEP_FILE: &str = "keep";

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

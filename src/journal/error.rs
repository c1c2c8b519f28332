//! What can go wrong with a recording, said so that the reader knows what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Closed on purpose. Cheap to clone: the writer thread's error is told at every later call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("{path}: cannot {doing}: {source}; {}", remedy(source))]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Trying to do what.
        doing: &'static str,
        /// Its words.
        source: Arc<io::Error>,
    },
    /// A stored byte is not what was written.
    #[error(
        "{segment}: damaged at byte {offset}, after input {seq}: {what}; restore the file from a copy, or export what lies before it"
    )]
    Damaged {
        /// The segment file.
        segment: PathBuf,
        /// Where the frame that is damaged begins.
        offset: u64,
        /// The last input that was read before it.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// Written by an older or newer papermaker.
    #[error(
        "{path}: written in journal schema {found}, this papermaker knows {known}; read it with the version that wrote it"
    )]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u16,
        /// The newest we know.
        known: u16,
    },
    /// Another process (or another part of this one) writes there.
    #[error("{path}: in use by process {}; stop that bot first (`papermaker stop`), or choose another session or store", holder_name(*holder))]
    Held {
        /// What is locked.
        path: PathBuf,
        /// Who holds it, where known.
        holder: Option<u32>,
    },
    /// No such recording.
    #[error("{store}: no session {id:?}; `papermaker sessions list` shows what there is")]
    NoSuchSession {
        /// The store.
        store: PathBuf,
        /// What was asked for.
        id: String,
    },
    /// Nothing is overwritten.
    #[error("{path}: a session of this name exists; choose another name or delete it first")]
    SessionExists {
        /// Its folder.
        path: PathBuf,
    },
    /// Not a name for a folder.
    #[error("session name {0:?} is not a folder name: use letters, digits, '-', '_' and '.', not beginning with '.'")]
    BadName(String),
    /// The manifest does not say what it must.
    #[error("{path}: {what}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The driver handed over inputs or outputs out of order.
    #[error("{path}: expected input {expected}, was given {found}: a recording has no holes")]
    OutOfOrder {
        /// The session's folder.
        path: PathBuf,
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The look-up index failed; the recording itself is not concerned.
    #[error("{path}: the look-up index failed: {what}; `papermaker sessions verify --rebuild` makes it anew")]
    Index {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The account store failed.
    #[error("{path}: the account store failed: {what}; move it away to begin with a fresh account")]
    Account {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The thread that writes is gone without a word.
    #[error("{path}: the writer thread died; what it acknowledged is readable")]
    WriterDied {
        /// The session's folder.
        path: PathBuf,
    },
}

impl JournalError {
    /// Whether stored bytes are not what was written: the recording was read, and the answer is no.
    pub fn is_damage(&self) -> bool {
        matches!(self, JournalError::Damaged { .. })
    }

    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| JournalError::Io { path, doing, source: Arc::new(source) }
    }
}

fn holder_name(holder: Option<u32>) -> String {
    holder.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}

/// What to do about an I/O error.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free space or point `store.path` elsewhere; everything acknowledged stays readable"
        }
        io::ErrorKind::FileTooLarge => {
            "a limit on the size of files (`ulimit -f`) was met: raise it; everything acknowledged stays readable"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "make the place writable or point `store.path` elsewhere"
        }
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file is there where a folder has to be: move it away or point `store.path` elsewhere"
        }
        _ => "check the disk; everything acknowledged stays readable",
    }
}

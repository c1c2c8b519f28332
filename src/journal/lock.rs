//! One writer: a locked file that says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::JournalError;

/// Held while it lives; the operating system lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `path`, or says which process has it. `what` is what the lock protects, for the message.
    pub fn take(path: &Path, what: &Path) -> Result<Self, JournalError> {
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open(path).map_err(JournalError::io(path, "open the lock"))?;
        match file.try_lock() {
            Ok(()) => {
                let mut write = || {
                    file.set_len(0)?;
                    file.seek(SeekFrom::Start(0))?;
                    file.write_all(std::process::id().to_string().as_bytes())
                };
                write().map_err(JournalError::io(path, "write the lock"))?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Err(JournalError::Held { path: what.to_owned(), holder: text.trim().parse().ok() })
            }
            Err(TryLockError::Error(e)) => Err(JournalError::io(path, "lock")(e)),
        }
    }

    /// Whether somebody holds it.
    pub fn is_held(path: &Path) -> bool {
        match File::open(path) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }
}

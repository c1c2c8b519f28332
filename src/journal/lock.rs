//! One writer: a locked file that says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use super::error::JournalError;

/// Held while it lives; the operating system lets go of it when the process dies, however it dies.
///
/// Let go of by name, not by closing the file: a program that another thread is about to start has a copy of every open
/// file until it runs, and a lock lives as long as its last copy.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Who only looks whether somebody has the lock has it for a moment: ask again that often before believing in a holder.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    file.try_lock()
}

impl Lock {
    /// Takes `path`, or says which process has it. `what` is what the lock protects, for the message.
    pub fn take(path: &Path, what: &Path) -> Result<Self, JournalError> {
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open(path).map_err(JournalError::io(path, "open the lock"))?;
        match try_lock(&file) {
            Ok(()) => {
                let mut write = || {
                    file.set_len(0)?;
                    file.seek(SeekFrom::Start(0))?;
                    file.write_all(std::process::id().to_string().as_bytes())
                };
                write().map_err(JournalError::io(path, "write the lock"))?;
                Ok(Self { file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Err(JournalError::Held { path: what.to_owned(), holder: text.trim().parse().ok() })
            }
            Err(TryLockError::Error(e)) => Err(JournalError::io(path, "lock")(e)),
        }
    }

    /// Who holds it, if somebody does: a process, if it has said its number.
    pub fn holder(path: &Path) -> Option<Option<u32>> {
        let held = Self::is_held(path);
        held.then(|| std::fs::read_to_string(path).ok()?.trim().parse().ok())
    }

    /// Whether somebody holds it.
    pub fn is_held(path: &Path) -> bool {
        match File::open(path) {
            Ok(file) => {
                let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
                let _ = file.unlock();
                held
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_a_program_that_is_being_started_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it.lock");
        let lock = Lock::take(&path, &path).expect("free");
        // What a fork leaves in the child until it runs its program.
        let copy = lock.file.try_clone().expect("a copy");
        assert!(Lock::is_held(&path) && Lock::take(&path, &path).is_err(), "held while it lives");
        drop(lock);
        assert!(!Lock::is_held(&path));
        drop(Lock::take(&path, &path).expect("free again"));
        drop(copy);
    }
}

//! The few things a journal asks of a file system, as a trait, so that a test can be a failing disk.
//!
//! Writing goes through here; reading is plain `std::fs`. The promise relied upon: what was appended before a
//! [`Tape::sync`] that returned is still there after a power cut; what was appended later may be there in part,
//! from its beginning, or not at all.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Where recordings are written.
pub trait Disk: Send + Sync + fmt::Debug {
    /// A new empty file; an error if it exists. Its name survives a power cut.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Tape>>;

    /// Puts `bytes` at `path`, entirely or not at all, whatever happens.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file to its first `length` bytes, durably.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
}

/// A file that only grows.
pub trait Tape: Send {
    /// Adds to the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything appended would survive a power cut.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Tape>> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        sync_folder_of(path)?;
        Ok(Box::new(file))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = path.with_extension("tmp");
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync_folder_of(path)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()
    }
}

impl Tape for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file's name lives in its folder: that has to be synced too.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        // A bare name lies in the folder we are in.
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

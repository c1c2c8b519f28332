//! A disk that fails on purpose. What reaches the real file is what was synced: everything a power cut leaves.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use papermaker::journal::disk::{Disk, RealDisk, Tape};

#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The power goes at the `n`th append or sync; of what is unsynced the first `survives` bytes reach the platter.
    PowerCut { n: u64, survives: usize },
    /// No more than this many bytes fit.
    Full { bytes: u64 },
    /// Nothing can be written from the start.
    ReadOnly,
}

#[derive(Debug)]
pub struct FaultyDisk {
    fault: Fault,
    shared: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    bytes: u64,
    dead: bool,
}

impl FaultyDisk {
    pub fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, shared: Arc::default() })
    }

    fn alive(&self) -> io::Result<()> {
        match self.fault {
            Fault::ReadOnly => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Fault::PowerCut { .. } | Fault::Full { .. } if self.shared.lock().unwrap().dead => {
                Err(io::Error::other("the power is gone"))
            }
            Fault::PowerCut { .. } | Fault::Full { .. } => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Tape>> {
        self.alive()?;
        let real = RealDisk.create(path)?;
        Ok(Box::new(FaultyTape { real, unsynced: Vec::new(), fault: self.fault, shared: Arc::clone(&self.shared) }))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.alive()?;
        RealDisk.replace(path, bytes)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.alive()?;
        RealDisk.truncate(path, length)
    }
}

struct FaultyTape {
    real: Box<dyn Tape>,
    unsynced: Vec<u8>,
    fault: Fault,
    shared: Arc<Mutex<State>>,
}

impl FaultyTape {
    /// Counts an operation; an error from the moment the power is gone.
    fn operate(&mut self) -> io::Result<()> {
        let mut state = self.shared.lock().unwrap();
        let gone = || io::Error::other("the power is gone");
        if state.dead {
            return Err(gone());
        }
        state.operations += 1;
        if let Fault::PowerCut { n, survives } = self.fault
            && state.operations >= n
        {
            state.dead = true;
            self.real.append(&self.unsynced[..survives.min(self.unsynced.len())])?;
            return Err(gone());
        }
        Ok(())
    }
}

impl Tape for FaultyTape {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // The bytes are on their way when the power goes: some of them may arrive.
        match self.fault {
            Fault::PowerCut { .. } => self.unsynced.extend_from_slice(bytes),
            Fault::Full { bytes: room } => {
                let mut state = self.shared.lock().unwrap();
                let fits = (room - state.bytes).min(bytes.len() as u64) as usize;
                state.bytes += fits as u64;
                self.real.append(&bytes[..fits])?;
                if fits < bytes.len() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            Fault::ReadOnly => {}
        }
        self.operate()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operate()?;
        self.real.append(&self.unsynced)?;
        self.unsynced.clear();
        self.real.sync()
    }
}

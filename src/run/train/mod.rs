//! Training: many seeds of a policy, each judged exactly, each a folder of its own.
//!
//! A folder `seed-N` holds `checkpoint` (everything that decides how it goes on), `curve.csv`, an event file for TensorBoard and
//! `policy.safetensors`; above them lies `card.toml`, written by the program: what was trained, on what, and what came of it.
//! Seeds share nothing, so results do not depend on how many run at once.

mod card;
mod events;
mod seed;
mod spec;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::journal::disk::{Disk, RealDisk};

pub use card::{Card, SeedResult};
pub use events::EventLog;
pub use seed::Progress;
pub use spec::{Algorithm, Goal, ModelWorld, Preset, TrainError, TrainSpec};

/// What to do with a folder that holds a training already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Leave it: an error.
    Refuse,
    /// Go on where it stopped.
    Resume,
    /// Begin anew.
    Replace,
}

/// Trains every seed of `spec` into `folder`, `threads` at once. `told` hears of every update, in no particular order.
pub fn train(
    spec: &TrainSpec,
    folder: &Path,
    found: Found,
    threads: usize,
    told: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<Card, TrainError> {
    let card = folder.join("card.toml");
    if found == Found::Refuse && (card.exists() || folder.join("seed-1").exists()) {
        return Err(TrainError::Taken { path: folder.display().to_string() });
    }
    if found == Found::Replace {
        forget(folder)?;
    }
    let results = Mutex::new(Vec::new());
    let next = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, spec.seeds as usize) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if seed > spec.seeds {
                        return;
                    }
                    let result = seed::train(spec, seed, &folder.join(format!("seed-{seed}")), found, told);
                    results.lock().expect("no seed panicked").push((seed, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no seed panicked");
    results.sort_unstable_by_key(|(seed, _)| *seed);
    let seeds: Result<Vec<_>, _> = results.into_iter().map(|(_, result)| result).collect();
    let written = Card::new(spec, seeds?);
    put(&card, written.to_toml().as_bytes())?;
    Ok(written)
}

/// Removes what an earlier training left.
fn forget(folder: &Path) -> Result<(), TrainError> {
    let failed = |why| TrainError::Io { path: folder.display().to_string(), why };
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix("seed-")).is_some_and(|n| n.parse::<u64>().is_ok()) {
            std::fs::remove_dir_all(entry.path()).map_err(failed)?;
        } else if name == "card.toml" {
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Writes a file whole or not at all, whatever happens.
fn put(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        RealDisk.replace(path, bytes)
    };
    write().map_err(|why| TrainError::Io { path: path.display().to_string(), why })
}

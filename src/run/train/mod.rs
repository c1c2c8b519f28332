//! Training: many seeds of a policy, each judged exactly, each a folder of its own.
//!
//! A folder `seed-N` holds `checkpoint` (everything that decides how it goes on), `curve.csv`, an event file for TensorBoard and
//! `policy.safetensors`; above them lies `card.toml`, written by the program: what was trained, on what, and what came of it.
//! Seeds share nothing, so results do not depend on how many run at once.
//!
//! A training in sessions leaves more in each: `policy.toml`, which quotes live, `policy.card.toml`, and `seen.csv`, a sample of what the policy
//! sees and says. Where it walks forward over
//! recordings, each fold has a folder `fold-K` with its seeds.

mod arena;
mod card;
mod events;
mod policy;
mod seed;
mod spec;
mod stage;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{Sources, load};
use crate::digest::Digest;
use crate::journal::disk::{Disk, RealDisk};
use crate::run::card::{CardError, PolicyCard};

pub use card::{Card, FailedSeed, SeedResult};
pub use events::EventLog;
pub use seed::Progress;
pub use spec::{Algorithm, Goal, ModelWorld, Preset, TrainError, TrainSpec};
pub use stage::Watched;
pub use world::{SessionWorld, World};

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

/// Trains every seed of `spec` into `folder`, on `threads`. `told` hears of every update, in no particular order.
/// Where a seed fails the others go on, the card tells of both, and the first failure is the error.
///
/// * `sources` — the configuration in force, for sessions: their fills, fees, risk, quoting and signals
pub fn train(
    spec: &TrainSpec,
    sources: &Sources,
    folder: &Path,
    found: Found,
    threads: usize,
    told: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<Card, TrainError> {
    let card = folder.join("card.toml");
    let is_taken = || card.exists() || ["seed-1", "fold-1"].iter().any(|name| folder.join(name).exists());
    if found == Found::Refuse && is_taken() {
        return Err(TrainError::Taken { path: folder.display().to_string() });
    }
    if found == Found::Replace {
        forget(folder)?;
    }
    let stages = stage::Stage::all(spec, sources, threads)?;
    let configuration = match spec.world.session() {
        None => Digest::default(),
        Some(world) => {
            let sets = [&sources.sets[..], &world.set].concat();
            load(&Sources { sets, ..sources.clone() }).map_err(|e| TrainError::World(e.to_string()))?.digest()
        }
    };
    let tasks: Vec<(Option<&stage::Stage>, u64, PathBuf)> = match stages.as_slice() {
        [] => (1..=spec.seeds).map(|seed| (None, seed, in_folder(folder, None, seed))).collect(),
        stages => {
            let folds = |fold: usize| (stages.len() > 1).then_some(fold);
            let of = |stage| (1..=spec.seeds).map(move |seed| (stage, seed));
            let all = stages.iter().flat_map(of);
            all.map(|(stage, seed)| (Some(stage), seed, in_folder(folder, folds(stage.fold), seed))).collect()
        }
    };
    let workers = threads.clamp(1, tasks.len().max(1));
    let (results, next) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((stage, seed, folder)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (stage, seed, threads) = (*stage, *seed, (threads / workers).max(1));
                    let task = seed::Task { spec, stage, seed, folder, found, threads, configuration };
                    let result = seed::train(&task, told);
                    results.lock().expect("no seed panicked").push((stage.map_or(1, |stage| stage.fold), seed, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no seed panicked");
    results.sort_unstable_by_key(|(fold, seed, _)| (*fold, *seed));
    let (mut seeds, mut failed, mut first) = (Vec::new(), Vec::new(), None);
    for (fold, seed, result) in results {
        match result {
            Ok(result) => seeds.push(result),
            Err(error) => {
                failed.push(FailedSeed { seed, fold, why: error.to_string() });
                first.get_or_insert(error);
            }
        }
    }
    // What the others came to is kept, whatever became of one.
    let written = Card::new(spec, &stages, seeds, failed);
    put(&card, written.to_toml().as_bytes())?;
    first.map_or(Ok(written), Err)
}

fn in_folder(folder: &Path, fold: Option<usize>, seed: u64) -> PathBuf {
    let folder = fold.map_or_else(|| folder.to_owned(), |fold| folder.join(format!("fold-{fold}")));
    folder.join(format!("seed-{seed}"))
}

/// Puts a seed's policy (of the last fold, which has seen most) where `strategy` says, a TOML file: its weights and its card beside it.
/// Of simulated markets it is the best seed's, as `evaluate` judges on other seeds of the market. Of recordings it is the first seed's: the
/// best would be chosen by the very hours that it is to be judged on afterwards.
/// Errors if the training has left none that quotes.
pub fn ship(card: &Card, folder: &Path, strategy: &Path) -> Result<(), TrainError> {
    let last = card.seeds.iter().map(|seed| seed.fold).max().unwrap_or(1);
    let all = card.seeds.iter().filter(|seed| seed.fold == last && seed.above.is_some());
    let seeds = all.clone().count();
    let shipped = match card.training.world {
        World::Recorded(_) => all.min_by_key(|seed| seed.seed),
        World::Sim(_) | World::Exact(_) => all.max_by(|a, b| a.worth().total_cmp(&b.worth())),
    };
    let nothing =
        || TrainError::World("policies of closed-form worlds do not quote: there is nothing to ship".to_owned());
    let shipped = shipped.ok_or_else(nothing)?;
    let folder = in_folder(folder, (last > 1).then_some(last), shipped.seed);
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|why| TrainError::Io { path: path.display().to_string(), why })
    };
    let weights = strategy.with_extension("safetensors");
    let name = weights.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&read("policy.toml")?).replace("\"policy.safetensors\"", &format!("\"{name}\""));
    put(&weights, &read("policy.safetensors")?)?;
    put(strategy, text.as_bytes())?;
    let said = |e: CardError| TrainError::World(e.to_string());
    let own = PolicyCard::beside(&folder.join("policy.toml")).map_err(said)?;
    let mut own = own.ok_or_else(nothing)?;
    if let (World::Sim(_), Some(judged)) = (&card.training.world, &mut own.judged) {
        judged.best_of = Some(seeds);
    }
    own.put_beside(strategy).map_err(said)
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
        let numbered = |prefix: &str| name.to_str()?.strip_prefix(prefix)?.parse::<u64>().ok();
        if numbered("seed-").or_else(|| numbered("fold-")).is_some() {
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

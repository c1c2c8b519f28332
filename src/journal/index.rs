//! What one looks up: `index.sled`.
//!
//! Every entry follows from the segments ([`Entries`] is the only place that says how), so the index may be behind,
//! missing or broken without harm: it is compared with the recording and made anew. Values are a few bytes, far
//! below the page above which sled 0.34 loses data.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::frame::FrameHeader;
use super::segment::Place;
use crate::digest::canonical_bytes;
use crate::engine::Output;
use crate::order::{OrderId, ReportKind, Request};
use crate::units::LocalTime;

/// What sled counts as its cache; it keeps many times as much for entries as small as ours.
const CACHE_BYTES: u64 = 1 << 20;

/// What is looked up. Closed on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// First sequence of a block → its place.
    Blocks,
    /// First time of a block, its first sequence → its place.
    Times,
    /// Sequence → place of a checkpoint.
    Checkpoints,
    /// Order id, sequence: steps in which something was asked or heard of an order.
    Orders,
    /// Order id, sequence: steps in which it traded.
    Fills,
    /// Sequence: steps in which a strategy decided something new.
    Decisions,
    /// Sequence: the risk audit: refusals, changes of state, commands.
    Risk,
}

impl Tree {
    /// All of them.
    pub const ALL: [Tree; 7] =
        [Tree::Blocks, Tree::Times, Tree::Checkpoints, Tree::Orders, Tree::Fills, Tree::Decisions, Tree::Risk];

    /// Its name in sled.
    pub fn name(self) -> &'static str {
        match self {
            Tree::Blocks => "blocks",
            Tree::Times => "times",
            Tree::Checkpoints => "checkpoints",
            Tree::Orders => "orders",
            Tree::Fills => "fills",
            Tree::Decisions => "decisions",
            Tree::Risk => "risk",
        }
    }
}

/// Index entries of some part of a recording.
///
/// sled keeps about twenty bytes in memory for every entry it was ever given, so what there is much of (orders, fills,
/// decisions, the risk audit) goes in by the pack: the (id, sequence) pairs of one block, sorted, under the first.
#[derive(Debug, Default)]
pub struct Entries {
    single: Vec<Entry>,
    pairs: [Vec<(u64, u64)>; PACKED.len()],
}

type Entry = (Tree, Vec<u8>, Vec<u8>);

/// Trees whose entries are packs. Decisions and the risk audit have no id: theirs is 0.
const PACKED: [Tree; 4] = [Tree::Orders, Tree::Fills, Tree::Decisions, Tree::Risk];

/// Two numbers of at most ten bytes each, and the value stays below the 4 KiB that sled is trusted with.
const PAIRS_MAX: usize = 200;

impl Entries {
    /// Of a block that begins (with its outputs, if any) at `place`.
    pub fn add_block(&mut self, place: Place, inputs: &FrameHeader) {
        let value = place_bytes(place);
        self.single.push((Tree::Blocks, inputs.first_seq.to_be_bytes().to_vec(), value.clone()));
        self.single.push((Tree::Times, [time_key(inputs.first_at), inputs.first_seq.to_be_bytes()].concat(), value));
    }

    /// Of a checkpoint.
    pub fn add_checkpoint(&mut self, seq: u64, place: Place) {
        self.single.push((Tree::Checkpoints, seq.to_be_bytes().to_vec(), place_bytes(place)));
    }

    /// Of what was said to input `seq`.
    pub fn add_output(&mut self, seq: u64, output: &Output) {
        let [orders, fills, decisions, risk] = &mut self.pairs;
        match output {
            Output::Decided { .. } => decisions.push((0, seq)),
            Output::Sent(request) => orders.extend(orders_of(request).into_iter().flatten().map(|id| (id.0, seq))),
            Output::Refused { request, .. } => {
                orders.extend(orders_of(request).into_iter().flatten().map(|id| (id.0, seq)));
                risk.push((0, seq));
            }
            Output::Heard(report) => {
                orders.push((report.id.0, seq));
                match &report.kind {
                    ReportKind::Filled(_) => fills.push((report.id.0, seq)),
                    ReportKind::Replaced { old, .. } => orders.push((old.0, seq)),
                    ReportKind::Accepted { .. }
                    | ReportKind::Rejected(_)
                    | ReportKind::Cancelled { .. }
                    | ReportKind::CancelRejected(_)
                    | ReportKind::Amended { .. } => {}
                }
            }
            Output::Risk { .. } | Output::Commanded { .. } | Output::Drift { .. } => risk.push((0, seq)),
            Output::Book { .. } | Output::Equity(_) | Output::Funding(_) | Output::FundingUnknown { .. } => {}
        }
    }

    /// All of them, packed: tree, key, value.
    pub fn into_all(mut self) -> Vec<Entry> {
        for (tree, mut pairs) in PACKED.into_iter().zip(self.pairs) {
            pairs.sort_unstable();
            pairs.dedup();
            for pack in pairs.chunks(PAIRS_MAX) {
                self.single.push((tree, pair_key(pack[0]), canonical_bytes(pack)));
            }
        }
        self.single
    }
}

fn pair_key((id, seq): (u64, u64)) -> Vec<u8> {
    [id.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// An open index.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    db: sled::Db,
    trees: Vec<sled::Tree>,
}

impl Index {
    /// Where a session's index is.
    pub fn path_of(folder: &Path) -> PathBuf {
        folder.join("index.sled")
    }

    /// A new, empty one in the place of whatever is there.
    pub(super) fn create(folder: &Path) -> Result<Self, JournalError> {
        let path = Self::path_of(folder);
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(JournalError::io(&path, "remove the old index")(e));
            }
            Ok(()) | Err(_) => {}
        }
        Self::open(folder)
    }

    /// The one that is there; an error if another process has it open or it is damaged.
    pub(super) fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = Self::path_of(folder);
        let open_trees = |db: &sled::Db| Tree::ALL.iter().map(|t| db.open_tree(t.name())).collect();
        let (db, trees) = open_sled(&path, open_trees).map_err(|fault| match fault {
            SledFault::InUse => JournalError::Held { path: path.clone(), holder: None },
            SledFault::Io(error) => JournalError::io(&path, "open the index")(error),
            SledFault::Broken(what) => JournalError::Index { path: path.clone(), what },
        })?;
        Ok(Self { path, db, trees })
    }

    pub(super) fn add(&self, entries: Entries) -> Result<(), JournalError> {
        let all = entries.into_all();
        for tree in Tree::ALL.into_iter().filter(|tree| all.iter().any(|(t, ..)| t == tree)) {
            let mut batch = sled::Batch::default();
            for (_, key, value) in all.iter().filter(|(t, ..)| *t == tree) {
                batch.insert(key.as_slice(), value.as_slice());
            }
            self.tree(tree).apply_batch(batch).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    pub(super) fn add_checkpoint(&self, seq: u64, place: Place) -> Result<(), JournalError> {
        let mut entries = Entries::default();
        entries.add_checkpoint(seq, place);
        self.add(entries)
    }

    /// Everything written so far to the file.
    pub(super) fn flush(&self) -> Result<(), JournalError> {
        self.db.flush().map(|_| ()).map_err(|e| self.failed(e))
    }

    /// Whether exactly this entry is there.
    pub(super) fn holds(&self, tree: Tree, key: &[u8], value: &[u8]) -> Result<bool, JournalError> {
        let found = self.tree(tree).get(key).map_err(|e| self.failed(e))?;
        Ok(found.is_some_and(|found| &*found == value))
    }

    /// How many entries a tree has.
    pub fn len(&self, tree: Tree) -> usize {
        self.tree(tree).len()
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.len(Tree::Blocks) == 0
    }

    /// Where the block that holds input `seq` begins.
    pub fn block_of(&self, seq: u64) -> Result<Option<Place>, JournalError> {
        self.last_until(Tree::Blocks, &seq.to_be_bytes())
    }

    /// Where the last block that begins at or before `at` begins.
    pub fn block_at(&self, at: LocalTime) -> Result<Option<Place>, JournalError> {
        self.last_until(Tree::Times, &[time_key(at.0), [0xff; 8]].concat())
    }

    /// Sequence and place of every checkpoint.
    pub fn checkpoints(&self) -> Result<Vec<(u64, Place)>, JournalError> {
        let entries = self.tree(Tree::Checkpoints).iter();
        entries
            .map(|entry| {
                let (key, value) = entry.map_err(|e| self.failed(e))?;
                Ok((self.seq_of(&key)?, self.place_of(&value)?))
            })
            .collect()
    }

    /// Steps in which something was asked or heard of an order, in order.
    pub fn order(&self, id: OrderId) -> Result<Vec<u64>, JournalError> {
        self.steps(Tree::Orders, id.0)
    }

    /// Steps in which an order traded.
    pub fn fills(&self, id: OrderId) -> Result<Vec<u64>, JournalError> {
        self.steps(Tree::Fills, id.0)
    }

    /// Steps in which a strategy decided something new.
    pub fn decisions(&self) -> Result<Vec<u64>, JournalError> {
        self.steps(Tree::Decisions, 0)
    }

    /// Steps of the risk audit.
    pub fn risk(&self) -> Result<Vec<u64>, JournalError> {
        self.steps(Tree::Risk, 0)
    }

    /// Packs that begin at or before `id` may hold it.
    fn steps(&self, tree: Tree, id: u64) -> Result<Vec<u64>, JournalError> {
        let mut found = Vec::new();
        for value in self.tree(tree).range(..=pair_key((id, u64::MAX))).values() {
            let value = value.map_err(|e| self.failed(e))?;
            let pack: Vec<(u64, u64)> =
                postcard::from_bytes(&value).map_err(|_| self.failed("an entry that is not a pack"))?;
            found.extend(pack.into_iter().filter(|pair| pair.0 == id).map(|pair| pair.1));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn last_until(&self, tree: Tree, key: &[u8]) -> Result<Option<Place>, JournalError> {
        match self.tree(tree).range(..=key).next_back() {
            Some(entry) => self.place_of(&entry.map_err(|e| self.failed(e))?.1).map(Some),
            None => Ok(None),
        }
    }

    /// Keys end in a sequence.
    fn seq_of(&self, key: &[u8]) -> Result<u64, JournalError> {
        let seq = key.last_chunk::<8>().ok_or_else(|| self.failed("a key without a sequence"))?;
        Ok(u64::from_be_bytes(*seq))
    }

    fn place_of(&self, value: &[u8]) -> Result<Place, JournalError> {
        postcard::from_bytes(value).map_err(|_| self.failed("an entry that is not a place"))
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.trees[tree as usize]
    }

    fn failed(&self, what: impl ToString) -> JournalError {
        JournalError::Index { path: self.path.clone(), what: what.to_string() }
    }
}

/// Why a sled database cannot be opened.
pub(super) enum SledFault {
    /// Another process has it open.
    InUse,
    /// It is damaged, or cannot be read.
    Broken(String),
    /// The system refused: no room, no right.
    Io(std::io::Error),
}

/// Opens a sled database and what is wanted of it; sled 0.34 may panic on damaged files, which is an error like any
/// other here.
pub(super) fn open_sled<T>(
    path: &Path,
    then: impl Fn(&sled::Db) -> Result<T, sled::Error>,
) -> Result<(sled::Db, T), SledFault> {
    let open = || {
        let db = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(1000)).open()?;
        let rest = then(&db)?;
        Ok::<_, sled::Error>((db, rest))
    };
    // sled lets go of its lock on a thread of its own, a moment after the last handle is dropped, and a program that is
    // just being started may hold a copy (see `Lock`): ask for three seconds before believing that somebody else has it.
    for _ in 0..300 {
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(e)) if e.to_string().contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Ok(Err(sled::Error::Io(e))) => return Err(SledFault::Io(e)),
            Ok(Err(e)) => return Err(SledFault::Broken(e.to_string())),
            Err(_) => return Err(SledFault::Broken("sled cannot read it".to_owned())),
        }
    }
    Err(SledFault::InUse)
}

/// Orders a request concerns: the one it makes or ends, and the one it replaces.
fn orders_of(request: &Request) -> [Option<OrderId>; 2] {
    match request {
        Request::Place { id, .. } | Request::Cancel { id, .. } => [Some(*id), None],
        Request::Replace { old, new, .. } => [Some(*new), Some(*old)],
    }
}

fn place_bytes(place: Place) -> Vec<u8> {
    crate::digest::canonical_bytes(&place)
}

/// Sorts as the number does, also below zero.
fn time_key(at: i64) -> [u8; 8] {
    ((at as u64) ^ (1 << 63)).to_be_bytes()
}

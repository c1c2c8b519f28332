//! What one session leaves to the next: `account.sled`.
//!
//! sled 0.34 syncs nothing by itself that a power cut respects: `flush` is not an fsync. Measured, with values of at
//! most a page and our own `fdatasync` on its `db` file after the flush, nothing was lost; so that is what
//! [`Account::save`] does, and why a state is cut into pieces of [`PIECE_BYTES`].

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::JournalError;
use super::index::{SledFault, open_sled};
use super::lock::Lock;
use crate::digest::{Digest, canonical_bytes};
use crate::engine::Carried;
use crate::order::Order;
use crate::risk::{RiskLimits, Score};
use crate::units::{LocalTime, Step};

/// Well below the 4 KiB above which sled loses data in a power cut.
const PIECE_BYTES: usize = 3 << 10;

/// What an account holds between two sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// `VENUE:SYMBOL` of each entry of `carried`, so that a session with other instruments can tell.
    pub instruments: Vec<String>,
    /// The lot each position is counted in: a venue may change it from one session to the next.
    pub lots: Vec<Step>,
    /// Positions, their cost, the risk state.
    pub carried: Carried,
    /// Orders that could still trade when this was saved; they died with the paper exchange.
    pub working: Vec<Order>,
    /// Whether all of it was earned on the simulated exchange, which is worth nothing on a real one.
    pub simulated: bool,
    /// The score on the other kind of exchange.
    pub score_elsewhere: Option<Score>,
    /// Limits in force.
    pub limits: Option<RiskLimits>,
    /// The configured limits that those were made from: if they are others by now, they count and not the ones here.
    pub limits_of: Option<Digest>,
    /// What operators have set above those, `risk.key=value`.
    pub limits_set: Vec<String>,
    /// The last approval of looser limits that was used.
    pub approved_at: Option<String>,
    /// Why trading is halted, if it is.
    pub halted: Option<String>,
    /// Session that saved it.
    pub session: String,
    /// When.
    pub at: LocalTime,
    /// Who had the quotes taken out, if they are. Kept behind the rest: accounts of before it was kept end there.
    #[serde(skip)]
    pub standstill: Option<Standstill>,
}

/// Nothing is quoted because somebody said so. It outlasts the session that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standstill {
    /// Whether positions were still on their way to zero.
    pub flattens: bool,
    /// Who said so, and why.
    pub by: String,
    /// The session that was told.
    pub session: String,
}

/// Which pieces are the state.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    generation: u64,
    pieces: u32,
    crc: u32,
}

/// Beside it: who has it open.
const LOCK_FILE: &str = "account.lock";

/// The open account of a store. One process has it at a time.
#[derive(Debug)]
pub struct Account {
    path: PathBuf,
    db: sled::Db,
    log: File,
    generation: u64,
    pieces: u32,
    _lock: Lock,
}

impl Account {
    /// Opens the account of the store at `store` and locks out every other bot; its error names the holder.
    pub fn open(store: &Path) -> Result<Self, JournalError> {
        std::fs::create_dir_all(store).map_err(JournalError::io(store, "make the store"))?;
        let path = store.join("account.sled");
        let lock = Lock::take(&store.join(LOCK_FILE), &path)?;
        if !path.exists() {
            begin(&path)?;
        }
        let db = open(&path)?;
        let log = path.join("db");
        let log = File::open(&log).map_err(JournalError::io(&log, "open"))?;
        let mut account = Self { path, db, log, generation: 0, pieces: 0, _lock: lock };
        match account.head()? {
            Some(head) => (account.generation, account.pieces) = (head.generation, head.pieces),
            None if account.db.contains_key(BEGUN).map_err(|e| account.failed(e))? => {}
            // sled takes files it cannot read for an empty database, and a position would be forgotten in silence.
            None => return Err(account.failed("it is empty where an account was kept")),
        }
        Ok(account)
    }

    /// The bot that has the account of the store at `store` open, in words: `process 4711`. `None` if nobody has.
    pub fn holder(store: &Path) -> Option<String> {
        let holder = Lock::holder(&store.join(LOCK_FILE))?;
        Some(holder.map_or_else(|| "a process of unknown number".to_owned(), |pid| format!("process {pid}")))
    }

    /// What was saved last; `None` for a fresh account.
    pub fn load(&self) -> Result<Option<AccountState>, JournalError> {
        let Some(head) = self.head()? else { return Ok(None) };
        let mut bytes = Vec::new();
        for piece in 0..head.pieces {
            let key = piece_key(head.generation, piece);
            let found = self.db.get(key).map_err(|e| self.failed(e))?;
            bytes.extend_from_slice(&found.ok_or_else(|| self.failed("a piece of the state is missing"))?);
        }
        if crc32c::crc32c(&bytes) != head.crc {
            return Err(self.failed("the state's checksum is wrong"));
        }
        read(&bytes).map(Some).map_err(|e| self.failed(e))
    }

    /// Replaces the state; when this returns it survives a power cut, and until then the old one does.
    pub fn save(&mut self, state: &AccountState) -> Result<(), JournalError> {
        let bytes = write(state);
        let generation = self.generation + 1;
        let mut batch = sled::Batch::default();
        let mut pieces = 0;
        for piece in bytes.chunks(PIECE_BYTES) {
            batch.insert(&piece_key(generation, pieces), piece);
            pieces += 1;
        }
        let head = Head { generation, pieces, crc: crc32c::crc32c(&bytes) };
        batch.insert(HEAD, canonical_bytes(&head));
        (0..self.pieces).for_each(|piece| batch.remove(&piece_key(self.generation, piece)));
        self.db.apply_batch(batch).map_err(|e| self.unsaved(e))?;
        self.db.flush().map_err(|e| self.unsaved(e))?;
        self.log.sync_data().map_err(JournalError::io(&self.path, "sync the account"))?;
        (self.generation, self.pieces) = (generation, pieces);
        Ok(())
    }

    fn head(&self) -> Result<Option<Head>, JournalError> {
        match self.db.get(HEAD).map_err(|e| self.failed(e))? {
            Some(bytes) => postcard::from_bytes(&bytes).map(Some).map_err(|e| self.failed(e)),
            None => Ok(None),
        }
    }

    fn failed(&self, what: impl ToString) -> JournalError {
        JournalError::Account { path: self.path.clone(), what: what.to_string() }
    }

    /// A full disk is no reason to give the account up.
    fn unsaved(&self, error: sled::Error) -> JournalError {
        match error {
            sled::Error::Io(error) => JournalError::io(&self.path, "save the account")(error),
            other => self.failed(other),
        }
    }
}

fn write(state: &AccountState) -> Vec<u8> {
    [canonical_bytes(state), canonical_bytes(&state.standstill)].concat()
}

fn read(bytes: &[u8]) -> Result<AccountState, postcard::Error> {
    let (mut state, rest): (AccountState, _) = postcard::take_from_bytes(bytes)?;
    if !rest.is_empty() {
        state.standstill = postcard::from_bytes(rest)?;
    }
    Ok(state)
}

/// A fresh account, complete or not there at all.
fn begin(path: &Path) -> Result<(), JournalError> {
    let unfinished = path.with_extension("unfinished");
    let io = |doing| JournalError::io(path, doing);
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(io("clear away what was begun"))?;
    }
    let db = open(&unfinished)?;
    let failed = |e: sled::Error| JournalError::Account { path: path.to_owned(), what: e.to_string() };
    db.insert(BEGUN, &[]).map_err(failed)?;
    db.flush().map_err(failed)?;
    drop(db);
    File::open(unfinished.join("db")).and_then(|log| log.sync_data()).map_err(io("sync"))?;
    std::fs::rename(&unfinished, path).map_err(io("begin the account"))
}

fn open(path: &Path) -> Result<sled::Db, JournalError> {
    let (db, ()) = open_sled(path, |_| Ok(())).map_err(|fault| match fault {
        SledFault::InUse => JournalError::Held { path: path.to_owned(), holder: None },
        SledFault::Io(error) => JournalError::io(path, "open the account")(error),
        SledFault::Broken(what) => JournalError::Account { path: path.to_owned(), what },
    })?;
    Ok(db)
}

/// There from the beginning, so that an account in which nothing was saved yet is told from one that was lost.
const BEGUN: &[u8] = b"begun";
const HEAD: &[u8] = b"head";

fn piece_key(generation: u64, piece: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&generation.to_be_bytes());
    key[8..].copy_from_slice(&piece.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_before_standstills_were_kept_is_read() {
        let mut state = AccountState { session: "monday".to_owned(), ..AccountState::default() };
        assert_eq!(read(&canonical_bytes(&state)), Ok(state.clone()));
        state.standstill =
            Some(Standstill { flattens: true, by: "anna (lunch)".to_owned(), session: "monday".to_owned() });
        assert_eq!(read(&write(&state)), Ok(state.clone()));
        // Who reads no further than before finds what there was before.
        let before: AccountState = postcard::from_bytes(&write(&state)).unwrap();
        assert_eq!(before, AccountState { standstill: None, ..state });
    }
}

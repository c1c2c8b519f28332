//! Rules in force, shared by connections about the same instruments.
//!
//! Where books and trades come over different sockets, both have to read prices in the same ticks from the same
//! moment on: who hears of new rules or another status puts them up, the other looks here before each frame. Else one
//! would take for no news what only the other has said.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::market::Instrument;

/// The latest rules of every instrument whose rules changed.
#[derive(Debug, Default)]
pub struct Board {
    version: AtomicU64,
    changed: Mutex<Vec<Instrument>>,
}

impl Board {
    /// Puts new rules up.
    pub fn post(&self, rules: &Instrument) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.retain(|known| known.symbol != rules.symbol);
        changed.push(rules.clone());
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Puts another status up; rules that are up already stay.
    pub fn post_status(&self, now: &Instrument) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        match changed.iter_mut().find(|known| known.symbol == now.symbol) {
            Some(known) => known.status = now.status,
            None => changed.push(now.clone()),
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Counts the postings.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Everything on it.
    pub fn all(&self) -> Vec<Instrument> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

//! Which instruments are on a connection, and by which names and steps frames speak of them.

use rust_decimal::Decimal;

use crate::market::{Instrument, InstrumentId, Status};
use crate::units::Step;

/// The instruments of one connection, ordered by symbol. A position in this list is what decoders call `at`.
#[derive(Debug)]
pub struct Symbols {
    entries: Vec<Symbol>,
    /// Of the last answer: frames about one instrument come in flocks.
    last: std::cell::Cell<usize>,
}

/// One instrument as a connection knows it.
#[derive(Debug)]
pub struct Symbol {
    /// In the session.
    pub id: InstrumentId,
    /// Its rules in force.
    pub instrument: Instrument,
    /// The symbol in lower case, as some venues write it in stream names.
    pub lower: String,
    /// The lot in the venue's own units: a count of it is a count of lots.
    pub lot: Step,
}

impl Symbol {
    fn new(id: InstrumentId, instrument: Instrument) -> Self {
        let lot = wire_lot(&instrument);
        Self { id, lower: instrument.symbol.to_lowercase(), lot, instrument }
    }
}

/// What the venue writes for one lot: contracts where it counts in contracts.
pub(crate) fn wire_lot(instrument: &Instrument) -> Step {
    let unit = instrument.contract.unit.size();
    if unit == Decimal::ONE {
        return instrument.lot;
    }
    // Adapters make the lot as the venue's lot times the unit, so this takes it apart again.
    Step::new(instrument.lot.size() / unit).unwrap_or(instrument.lot)
}

impl Symbols {
    /// A list of these.
    pub fn new(instruments: Vec<(InstrumentId, Instrument)>) -> Self {
        let mut entries: Vec<_> = instruments.into_iter().map(|(id, instrument)| Symbol::new(id, instrument)).collect();
        entries.sort_by(|a, b| a.instrument.symbol.cmp(&b.instrument.symbol));
        Self { entries, last: std::cell::Cell::new(0) }
    }

    /// All of them.
    pub fn all(&self) -> &[Symbol] {
        &self.entries
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// One of them.
    pub fn get(&self, at: usize) -> &Symbol {
        &self.entries[at]
    }

    /// Puts new rules in force.
    pub fn set_rules(&mut self, at: usize, rules: Instrument) {
        self.entries[at] = Symbol::new(self.entries[at].id, rules);
    }

    /// Puts a status in force.
    pub fn set_status(&mut self, at: usize, status: Status) {
        self.entries[at].instrument.status = status;
    }

    /// By the symbol in a payload.
    #[inline]
    pub fn find(&self, symbol: &[u8]) -> Option<usize> {
        let last = self.last.get();
        if self.entries.get(last).is_some_and(|e| e.instrument.symbol.as_bytes() == symbol) {
            return Some(last);
        }
        let found = self.entries.binary_search_by(|e| e.instrument.symbol.as_bytes().cmp(symbol)).ok()?;
        self.last.set(found);
        Some(found)
    }

    /// By the symbol in lower case.
    pub fn find_lower(&self, symbol: &str) -> Option<usize> {
        self.entries.iter().position(|e| e.lower == symbol)
    }

    /// By its place in the session.
    pub fn find_id(&self, id: InstrumentId) -> Option<usize> {
        self.entries.iter().position(|e| e.id == id)
    }

    /// Tick and lot as the venue writes them.
    #[inline]
    pub fn steps(&self, at: usize) -> (Step, Step) {
        let entry = &self.entries[at];
        (entry.instrument.tick, entry.lot)
    }
}

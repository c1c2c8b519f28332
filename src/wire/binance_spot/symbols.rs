//! Which instruments are on a connection, and by which names frames speak of them.

use crate::market::{Instrument, InstrumentId};
use crate::units::Step;

/// The instruments of one connection, ordered by symbol.
#[derive(Debug)]
pub(super) struct Symbols {
    entries: Vec<Symbol>,
}

#[derive(Debug)]
pub(super) struct Symbol {
    pub id: InstrumentId,
    pub instrument: Instrument,
    /// As in stream names.
    pub lower: String,
}

impl Symbols {
    pub(super) fn new(instruments: Vec<(InstrumentId, Instrument)>) -> Self {
        let mut entries: Vec<_> = instruments
            .into_iter()
            .map(|(id, instrument)| Symbol { id, lower: instrument.symbol.to_lowercase(), instrument })
            .collect();
        entries.sort_by(|a, b| a.instrument.symbol.cmp(&b.instrument.symbol));
        Self { entries }
    }

    pub(super) fn all(&self) -> &[Symbol] {
        &self.entries
    }

    pub(super) fn get(&self, at: usize) -> &Symbol {
        &self.entries[at]
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut Symbol {
        &mut self.entries[at]
    }

    /// By the symbol in a payload.
    #[inline]
    pub(super) fn find(&self, symbol: &[u8]) -> Option<usize> {
        self.entries.binary_search_by(|e| e.instrument.symbol.as_bytes().cmp(symbol)).ok()
    }

    /// By the first part of a stream name.
    pub(super) fn find_lower(&self, symbol: &str) -> Option<usize> {
        self.entries.iter().position(|e| e.lower == symbol)
    }

    pub(super) fn find_id(&self, id: InstrumentId) -> Option<usize> {
        self.entries.iter().position(|e| e.id == id)
    }

    #[inline]
    pub(super) fn steps(&self, at: usize) -> (Step, Step) {
        let instrument = &self.entries[at].instrument;
        (instrument.tick, instrument.lot)
    }

    /// Whether a stream is one of these channels of this instrument.
    #[inline]
    pub(super) fn is_stream_of(&self, stream: &[u8], at: usize, channels: &[&str]) -> bool {
        let channel = stream.strip_prefix(self.entries[at].lower.as_bytes()).and_then(|rest| rest.strip_prefix(b"@"));
        channel.is_some_and(|channel| channels.iter().any(|c| c.as_bytes() == channel))
    }
}

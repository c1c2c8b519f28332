//! Whether a Deribit instrument may be traded. Three say something about it: the instrument's own state, a lock on its
//! index, and the platform as a whole; the strictest counts.

use super::frame::Locks;
use crate::market::{Instrument, Status};
use crate::wire::symbols::Symbols;

/// The venue's word for an instrument's state; those until January 2026 and those since.
pub(super) fn of_word(word: &str) -> Status {
    match word {
        "open" | "started" => Status::Trading,
        "locked" => Status::CancelOnly,
        "settlement" | "inactive" | "halted" | "created" | "settled" => Status::Halted,
        "delivered" | "archivized" | "closed" | "terminated" => Status::Delisted,
        _ => Status::Unknown,
    }
}

/// What is known of the instruments of a connection.
#[derive(Debug, Default)]
pub(super) struct States {
    maintenance: bool,
    each: Vec<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    own: Status,
    locked: bool,
}

impl States {
    /// A new socket: maintenance closed the old one, and who is locked is asked for.
    pub(super) fn open(&mut self) {
        self.maintenance = false;
    }

    /// An instrument's own state.
    pub(super) fn set_own(&mut self, symbols: &Symbols, at: usize, own: Status) {
        self.each(symbols)[at].own = own;
    }

    /// An index is locked, or free again.
    pub(super) fn set_lock(&mut self, symbols: &Symbols, index: &str, locked: bool) {
        for (state, symbol) in self.each(symbols).iter_mut().zip(symbols.all()) {
            if is_index_of(index, &symbol.instrument) {
                state.locked = locked;
            }
        }
    }

    /// All that are locked.
    pub(super) fn set_locks(&mut self, symbols: &Symbols, locks: &Locks) {
        for (state, symbol) in self.each(symbols).iter_mut().zip(symbols.all()) {
            state.locked = match locks {
                Locks::All => true,
                Locks::Of(list) => list.iter().any(|index| is_index_of(index, &symbol.instrument)),
            };
        }
    }

    /// The platform is closed, or open again.
    pub(super) fn set_maintenance(&mut self, symbols: &Symbols, on: bool) {
        self.maintenance = on;
        self.each(symbols);
    }

    /// Instruments whose status is no longer the one in force, with what it is now.
    pub(super) fn changes<'a>(&'a self, symbols: &'a Symbols) -> impl Iterator<Item = (usize, Status)> + 'a {
        let now = self.each.iter().enumerate().map(|(at, state)| self.allowed(at, state.own));
        let pairs = now.zip(symbols.all()).enumerate();
        pairs.filter(|(_, (now, symbol))| *now != symbol.instrument.status).map(|(at, (now, _))| (at, now))
    }

    /// What may be done in an instrument of this state, as far as locks and the platform let us.
    pub(super) fn allowed(&self, at: usize, own: Status) -> Status {
        let locked = self.each.get(at).is_some_and(|state| state.locked);
        match own {
            Status::Delisted => Status::Delisted,
            _ if self.maintenance => Status::Halted,
            Status::Trading | Status::PostOnly if locked => Status::CancelOnly,
            own => own,
        }
    }

    /// Of all instruments; what nothing was said of is as its rules have it.
    fn each(&mut self, symbols: &Symbols) -> &mut [State] {
        let unknown = symbols.all().iter().skip(self.each.len());
        self.each.extend(unknown.map(|symbol| State { own: symbol.instrument.status, locked: false }));
        &mut self.each
    }
}

/// `btc_usd` is the index of BTC in USD; older answers name the currency alone.
fn is_index_of(index: &str, instrument: &Instrument) -> bool {
    let Instrument { base, quote, contract, .. } = instrument;
    match index.split_once('_') {
        Some((of, against)) => of.eq_ignore_ascii_case(base) && against.eq_ignore_ascii_case(quote),
        None => index.eq_ignore_ascii_case(&contract.settle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_words_and_new_ones_are_known_and_others_are_not_tradable() {
        for (words, status) in [
            (&["open", "started"][..], Status::Trading),
            (&["locked"], Status::CancelOnly),
            (&["settlement", "inactive", "halted", "created", "settled"], Status::Halted),
            (&["delivered", "archivized", "closed", "terminated"], Status::Delisted),
            (&["something_new", "", "OPEN"], Status::Unknown),
        ] {
            for word in words {
                assert_eq!(of_word(word), status, "{word}");
            }
        }
    }
}

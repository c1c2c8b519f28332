//! What is at stake in each instrument, each venue and the book, kept beside the desks.
//!
//! A request is weighed together with everything else we hold. Adding that up anew for each would cost more than all other
//! limits together, so the sums are kept, and an instrument is worked out again only when its mid, its position or its
//! orders have changed. Nothing here is state: it follows from the desks and the limits.

use super::desk::Desk;
use crate::market::{InstrumentId, VenueId};
use crate::risk::Stake;
use crate::units::{Lots, Side};

/// Sums over all instruments of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Stakes {
    /// In session order.
    known: Vec<Known>,
    /// Those of the session, in their order.
    venues: Vec<(VenueId, Stake)>,
    book: Stake,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// What it was worked out from; `None` before.
    basis: Option<Basis>,
    stake: Stake,
    /// Place of its venue.
    venue: usize,
}

/// What changes what is at stake, besides rules and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    twice_mid: Option<i64>,
    position: Lots,
    resting: [Lots; 2],
}

impl Basis {
    fn of(desk: &Desk) -> Self {
        Self {
            twice_mid: desk.last_twice_mid,
            position: desk.ledger.position(),
            resting: Side::BOTH.map(|side| desk.orders.resting(side)),
        }
    }
}

impl Stakes {
    /// Makes room for these instruments, all of them to be worked out; nothing if there is already.
    pub fn fit(&mut self, desks: &[Desk]) {
        if self.known.len() == desks.len() {
            return;
        }
        let mut venues: Vec<VenueId> = desks.iter().map(|desk| desk.rules.venue).collect();
        venues.sort_unstable();
        venues.dedup();
        let place = |venue| venues.iter().position(|v| *v == venue).expect("every desk's venue is listed");
        let known = |desk: &Desk| Known { basis: None, stake: Stake::default(), venue: place(desk.rules.venue) };
        self.known = desks.iter().map(known).collect();
        self.venues = venues.iter().map(|venue| (*venue, Stake::default())).collect();
        self.book = Stake::default();
    }

    /// Rules or limits have changed: everything is to be worked out anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether an instrument is as it was when it was worked out.
    pub fn is_current(&self, desk: &Desk) -> bool {
        self.known.get(desk.id.index()).is_some_and(|known| known.basis == Some(Basis::of(desk)))
    }

    /// An instrument's stake of now.
    pub fn set(&mut self, desk: &Desk, stake: Stake) {
        let known = &mut self.known[desk.id.index()];
        let (before, venue) = (known.stake, known.venue);
        (known.basis, known.stake) = (Some(Basis::of(desk)), stake);
        let exact = [self.book, before, stake].into_iter().all(is_exact);
        self.venues[venue].1 = match exact {
            true => self.venues[venue].1.less(before).and(stake),
            false => self.sum(|known| known.venue == venue),
        };
        self.book = if exact { self.book.less(before).and(stake) } else { self.sum(|_| true) };
    }

    fn sum(&self, counts: impl Fn(&Known) -> bool) -> Stake {
        let counted = self.known.iter().filter(|known| counts(known));
        counted.fold(Stake::default(), |sum, known| sum.and(known.stake))
    }

    /// What is at stake besides an instrument: at its venue, and in all.
    pub fn without(&self, id: InstrumentId) -> (Stake, Stake) {
        let known = &self.known[id.index()];
        if is_exact(self.book) {
            return (self.venues[known.venue].1.less(known.stake), self.book.less(known.stake));
        }
        let is_other = |other: &Known| !std::ptr::eq(other, known);
        (self.sum(|other| is_other(other) && other.venue == known.venue), self.sum(is_other))
    }

    /// Venues of the session with what is at stake there.
    pub fn venues(&self) -> &[(VenueId, Stake)] {
        &self.venues
    }

    /// In all.
    pub fn book(&self) -> Stake {
        self.book
    }
}

/// Whether nothing in it has been cut to what an amount can hold, so that its parts can be taken out again. No part is
/// larger than twice the gross worth.
fn is_exact(stake: Stake) -> bool {
    stake.gross.0 < i128::MAX / 16
}

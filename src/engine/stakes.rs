//! What is at stake in each instrument, each venue and the book, kept beside the desks.
//!
//! A request is weighed together with everything else we hold. Adding that up anew for each would cost more than all other
//! limits together, so the sums are kept, and an instrument is worked out again only when its mid, its position or its
//! orders have changed. Nothing here is state: it follows from the desks and the limits.

use super::desk::Desk;
use crate::market::{InstrumentId, VenueId};
use crate::risk::{Basis, Elsewhere, InstrumentLimits, Kept, Others, Own, Stake, Unit};
use crate::units::{Money, Side};

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
    own: Own,
    /// Place of its venue.
    venue: usize,
}

fn basis(desk: &Desk) -> Basis {
    Basis {
        twice_mid: desk.last_twice_mid,
        position: desk.ledger.position(),
        resting: Side::BOTH.map(|side| desk.orders.resting(side)),
    }
}

impl Stakes {
    /// Makes room for these instruments, all of them to be worked out; nothing if there is already.
    pub fn fit(&mut self, desks: &[Desk], limits: &[InstrumentLimits]) {
        if self.known.len() == desks.len() {
            return;
        }
        let mut venues: Vec<VenueId> = desks.iter().map(|desk| desk.rules.venue).collect();
        venues.sort_unstable();
        venues.dedup();
        let place = |venue| venues.iter().position(|v| *v == venue).expect("every desk's venue is listed");
        let known = |(desk, limits): (&Desk, &InstrumentLimits)| {
            let own = Own { basis: None, stake: Stake::default(), unit: Unit::of(&desk.rules, limits) };
            Known { own, venue: place(desk.rules.venue) }
        };
        self.known = desks.iter().zip(limits).map(known).collect();
        self.venues = venues.iter().map(|venue| (*venue, Stake::default())).collect();
        self.book = Stake::default();
    }

    /// Rules or limits have changed: everything is to be worked out anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether an instrument is as it was when it was worked out.
    pub fn is_current(&self, desk: &Desk) -> bool {
        self.known.get(desk.id.index()).is_some_and(|known| known.own.basis == Some(basis(desk)))
    }

    /// An instrument's stake of now.
    pub fn set(&mut self, desk: &Desk, stake: Stake) {
        let known = &mut self.known[desk.id.index()];
        let (before, venue) = (known.own.stake, known.venue);
        (known.own.basis, known.own.stake) = (Some(basis(desk)), stake);
        let exact = [self.book, before, stake].iter().all(Stake::is_exact);
        self.venues[venue].1 = match exact {
            true => self.venues[venue].1.less(before).and(stake),
            false => self.sum(|known| known.venue == venue),
        };
        self.book = if exact { self.book.less(before).and(stake) } else { self.sum(|_| true) };
    }

    fn sum(&self, counts: impl Fn(&Known) -> bool) -> Stake {
        let counted = self.known.iter().filter(|known| counts(known));
        counted.fold(Stake::default(), |sum, known| sum.and(known.own.stake))
    }

    /// What is at stake besides an instrument: at its venue, and in all.
    ///
    /// * `worth` — see [`Others::worth`]
    #[inline]
    pub fn elsewhere(&self, id: InstrumentId, worth: Option<Money>) -> Elsewhere<'_> {
        let known = &self.known[id.index()];
        match Kept::new(&known.own, &self.venues[known.venue].1, &self.book, worth) {
            Some(kept) => Elsewhere::Kept(kept),
            None => self.added_up(known, worth),
        }
    }

    #[cold]
    fn added_up(&self, known: &Known, worth: Option<Money>) -> Elsewhere<'_> {
        let is_other = |other: &Known| !std::ptr::eq(other, known);
        let venue = self.sum(|other| is_other(other) && other.venue == known.venue);
        Elsewhere::Sums(Others { venue, book: self.sum(is_other), worth })
    }

    /// What a tick times a lot of an instrument is worth, once there is room for it.
    pub fn unit(&self, id: InstrumentId) -> Option<Unit> {
        self.known.get(id.index()).map(|known| known.own.unit)
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

//! What positions and open orders are worth together.
//!
//! A request is held against the sums of its venue and of the book. [`Elsewhere`] hands them to the gate: as sums of
//! everything else, or, much cheaper, as the sums kept from the last time anything changed ([`Kept`]). Both come to the
//! same to the last digit; kept sums that do not fit the request say so and are taken apart.

use serde::{Deserialize, Serialize};

use super::limits::{InstrumentLimits, ONE_PPM};
use crate::market::{Instrument, Kind};
use crate::units::{Lots, Money, Side, Ticks};

/// What is at stake in all other instruments, in account currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Of the same venue.
    pub venue: Stake,
    /// Of the whole book.
    pub book: Stake,
    /// Capital and this session's profit; `None` without a capital.
    pub worth: Option<Money>,
}

/// Positions and open orders as money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stake {
    /// Sum over instruments of the larger of long and short, if every open order of one side were filled.
    pub gross: Money,
    /// Longs less shorts.
    pub net: Money,
    /// All bids that may still trade.
    pub buying: Money,
    /// All asks that may still trade.
    pub selling: Money,
}

impl Stake {
    /// One instrument's, from the worth of its position (signed), its bids and its asks.
    pub fn of(position: Money, buying: Money, selling: Money) -> Self {
        let gross = size(plus(position, buying)).max(size(plus(position, -selling)));
        Self { gross, net: position, buying, selling }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            gross: plus(self.gross, other.gross),
            net: plus(self.net, other.net),
            buying: plus(self.buying, other.buying),
            selling: plus(self.selling, other.selling),
        }
    }

    /// Without a part of it.
    pub fn less(self, part: Self) -> Self {
        Self {
            gross: self.gross - part.gross,
            net: self.net - part.net,
            buying: self.buying - part.buying,
            selling: self.selling - part.selling,
        }
    }

    /// Whether nothing in it has been cut to what an amount can hold, so that its parts can be taken out again. No part is
    /// larger than twice the gross worth.
    pub fn is_exact(&self) -> bool {
        self.gross.0 < i128::MAX / 16
    }

    /// Net exposure if the orders of the worse side were filled.
    pub fn net_worst(self) -> Money {
        size(plus(self.net, self.buying)).max(size(plus(self.net, -self.selling)))
    }
}

fn size(amount: Money) -> Money {
    Money(amount.0.saturating_abs())
}

/// What is at stake in all other instruments, as the gate is told.
#[derive(Clone, Copy, Debug, Default)]
pub enum Elsewhere<'a> {
    /// Nothing, or no limit asks.
    #[default]
    Nothing,
    /// Added up.
    Sums(Others),
    /// Sums that this instrument is part of.
    Kept(Kept<'a>),
}

impl Elsewhere<'_> {
    /// Without the instrument itself.
    pub fn sums(&self) -> Others {
        match self {
            Elsewhere::Nothing => Others::default(),
            Elsewhere::Sums(others) => *others,
            Elsewhere::Kept(kept) => Others {
                venue: kept.venue.less(kept.own.stake),
                book: kept.book.less(kept.own.stake),
                worth: kept.worth,
            },
        }
    }
}

/// What changes an instrument's stake, besides rules and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Bid and ask together, ticks.
    pub twice_mid: Option<i64>,
    /// Signed.
    pub position: Lots,
    /// Bids and asks that may still trade.
    pub resting: [Lots; 2],
}

/// An instrument's stake with what it was worked out from.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// `None` before it was worked out.
    pub basis: Option<Basis>,
    /// In account currency.
    pub stake: Stake,
    /// Of its rules and limits.
    pub unit: Unit,
}

/// Sums as they were when anything last changed; none of them has been cut.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    own: &'a Own,
    venue: &'a Stake,
    book: &'a Stake,
    worth: Option<Money>,
}

/// What a sum was before a request and is with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub gross: (Money, Money),
    /// Orders of the worse side filled.
    pub net: (Money, Money),
}

impl Growth {
    /// From one stake to another.
    pub fn between(was: Stake, is: Stake) -> Self {
        Self { gross: (was.gross, is.gross), net: (was.net_worst(), is.net_worst()) }
    }
}

impl<'a> Kept<'a> {
    /// `None` where a sum has been cut to what an amount can hold: its parts cannot be taken out again.
    ///
    /// * `venue`, `book` — with the instrument's own stake
    /// * `worth` — see [`Others::worth`]
    #[inline]
    pub fn new(own: &'a Own, venue: &'a Stake, book: &'a Stake, worth: Option<Money>) -> Option<Self> {
        book.is_exact().then_some(Self { own, venue, book, worth })
    }

    /// Growth of venue and book by an order at a mid. `None` unless everything is as it was when this was worked out, and
    /// small enough that no sum can overflow.
    #[inline]
    pub(super) fn grown(&self, basis: &Basis, side: Side, mid: Ticks, qty: Lots) -> Option<[Growth; 2]> {
        if self.own.basis.as_ref() != Some(basis) {
            return None;
        }
        // Below 2¹²⁶; every other amount is below 2¹²⁴. What would rest in all has to be as small, or it would be cut when it
        // is worked out in full.
        let more = self.own.unit.worth(mid, qty)?.0;
        self.own.unit.worth(mid, Lots(basis.resting[side as usize].0.checked_add(qty.0)?))?;
        let with = |stake: &Stake, more: i128| {
            let (net, buying, selling) = (stake.net.0, stake.buying.0, stake.selling.0);
            match side {
                Side::Bid => (net + buying + more).abs().max((net - selling).abs()),
                Side::Ask => (net + buying).abs().max((net - selling - more).abs()),
            }
        };
        let own = &self.own.stake;
        let wider = with(own, more) - own.gross.0;
        Some([self.venue, self.book].map(|sum| Growth {
            gross: (sum.gross, Money(sum.gross.0 + wider)),
            net: (Money(with(sum, 0)), Money(with(sum, more))),
        }))
    }

    /// See [`Others::worth`].
    pub(super) fn worth(&self) -> Option<Money> {
        self.worth
    }
}

/// What one tick times one lot of an instrument is worth in account currency, where multiplying it comes to the same as
/// converting the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(Option<i128>);

impl Unit {
    /// Of these rules and limits.
    pub fn of(rules: &Instrument, limits: &InstrumentLimits) -> Self {
        let quote = rules.tick_lot.0;
        let (one, rate) = (i128::from(ONE_PPM), i128::from(limits.account_rate_ppm));
        let account = match rate == one {
            true => Some(quote),
            // Cut to millionths before it is multiplied: no loss only if there is nothing to cut.
            false => (quote % one == 0).then(|| (quote / one).saturating_mul(rate)),
        };
        let is_small = |unit: &i128| (0..1 << 74).contains(unit) && (0..1 << 74).contains(&quote);
        Self(account.filter(|unit| is_small(unit) && rules.contract.kind != Kind::Inverse))
    }

    /// `price × qty` without the sign of the quantity, below 2¹²⁶; `None` where it has to be worked out in full.
    #[inline]
    pub fn worth(self, price: Ticks, qty: Lots) -> Option<Money> {
        let count = price.0.checked_mul(i64::try_from(qty.0.unsigned_abs()).ok()?)?;
        (count.unsigned_abs() < 1 << 52).then_some(())?;
        self.0.map(|unit| Money(unit * i128::from(count)))
    }
}

/// Sums of worth: an absurd price of a venue is more than any limit, and no reason to die.
pub(super) fn plus(a: Money, b: Money) -> Money {
    Money(a.0.saturating_add(b.0))
}

//! The only door to a venue.
//!
//! [`Gate::approve`] judges one request against everything it could lead to: an order counts as filled until the
//! venue says it is over, so no order of reports, fills and cancellations can carry a position past its limit.
//! Cancellations always pass. Every refusal names its limit, the value that broke it, and by how much.
//!
//! Reading order: [`Exposure`] is what the gate is told, [`Gate::approve`] the judgement, [`Refusal`] the answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::breakers::Breakers;
use super::bucket::Bucket;
use super::limits::{ExposureLimits, RiskLimits};
use super::rule::Limit;
use super::state::RiskState;
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::order::{OrderKind, Request};
use crate::signal::Top;
use crate::units::{LocalTime, Lots, Money, Nanos, Side, Ticks};

/// A request that has passed every limit. Only this module can make one, so a venue that takes
/// `Approved<Request>` cannot be reached around the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was approved, by value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What the gate is told of the instrument a request concerns.
#[derive(Clone, Copy, Debug)]
pub struct Exposure<'a> {
    /// Now.
    pub now: LocalTime,
    /// Which.
    pub instrument: InstrumentId,
    /// Its rules.
    pub rules: &'a Instrument,
    /// Signed inventory.
    pub position: Lots,
    /// Lots of all bids that may still trade.
    pub buying: Lots,
    /// Lots of all asks that may still trade.
    pub selling: Lots,
    /// How many orders may still trade.
    pub alive: u32,
    /// Side of the order a replacement ends.
    pub replaced_side: Option<Side>,
    /// Our highest bid and our lowest ask that may rest, leaving out one that the request replaces.
    pub own_best: [Option<Ticks>; 2],
    /// Best bid and ask while the book is trusted, else `None`: nothing may be placed then.
    pub top: Option<Top>,
    /// Since the last news of this instrument's market.
    pub news_age: Nanos,
    /// Whether it shall bring the position to zero: the one order a halt lets through, and limits on exposure too.
    pub flattening: bool,
    /// The other instruments; looked at only where [`Gate::watches_exposure`].
    pub others: Others,
}

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

    /// Net exposure if the orders of the worse side were filled.
    pub fn net_worst(self) -> Money {
        size(plus(self.net, self.buying)).max(size(plus(self.net, -self.selling)))
    }
}

fn size(amount: Money) -> Money {
    Money(amount.0.saturating_abs())
}

/// Why the gate said no. `Display` gives the reason code with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which rule.
    pub code: RefusalCode,
    /// What it would have come to, in the rule's unit.
    pub value: i64,
    /// What is allowed.
    pub limit: i64,
}

/// What said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefusalCode {
    /// Halted: nothing is placed.
    StateHalted,
    /// Reducing: this order could make the position larger.
    StateReducing,
    /// The book is not trusted.
    BookNotLive,
    /// A limit.
    Limit(Limit),
}

impl RefusalCode {
    /// The reason code of exports and audit: `CATEGORY_CONDITION`.
    pub fn word(self) -> &'static str {
        match self {
            RefusalCode::StateHalted => "STATE_HALTED",
            RefusalCode::StateReducing => "STATE_REDUCING",
            RefusalCode::BookNotLive => "BOOK_NOT_LIVE",
            RefusalCode::Limit(limit) => limit.rule().code,
        }
    }

    /// The rule's unit, behind a number.
    pub fn unit(self) -> &'static str {
        match self {
            RefusalCode::StateHalted | RefusalCode::BookNotLive => "",
            RefusalCode::StateReducing => "lots",
            RefusalCode::Limit(limit) => limit.rule().unit,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.word())?;
        match self.code.unit() {
            "" => Ok(()),
            unit => write!(f, " value={} limit={} unit={unit}", self.value, self.limit),
        }
    }
}

/// A limit a request was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The rule that would refuse it.
    pub code: RefusalCode,
    /// What it would come to, in the rule's unit.
    pub value: i64,
    /// What is allowed.
    pub limit: i64,
    /// Whether the rule refuses: exactly, where `value` and `limit` are whole units.
    pub is_broken: bool,
}

/// Limits, state, and the token buckets of the rates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    limits: RiskLimits,
    /// What an operator asked for.
    asked: RiskState,
    breakers: Breakers,
    orders: Bucket,
    cancels: Bucket,
}

impl Gate {
    /// A gate with its buckets full.
    pub fn new(limits: RiskLimits) -> Self {
        let rates = rates(&limits);
        Self {
            breakers: Breakers::new(limits.instruments.len()),
            limits,
            asked: RiskState::Active,
            orders: Bucket::full(rates.0),
            cancels: Bucket::full(rates.1),
        }
    }

    /// Limits in force.
    pub fn limits(&self) -> &RiskLimits {
        &self.limits
    }

    /// What has gone beyond its limit by itself.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// The breakers, to weigh and to measure, with the limits they need.
    pub fn breakers_mut(&mut self) -> (&mut Breakers, &RiskLimits) {
        (&mut self.breakers, &self.limits)
    }

    /// State of the whole book.
    pub fn state(&self) -> RiskState {
        self.asked.max(self.breakers.state())
    }

    /// State of a venue, the book's counted in.
    pub fn state_of_venue(&self, venue: VenueId) -> RiskState {
        self.asked.max(self.breakers.state_of_venue(venue))
    }

    /// State of an instrument on its venue, theirs and the book's counted in.
    pub fn state_of(&self, instrument: InstrumentId, venue: VenueId) -> RiskState {
        self.asked.max(self.breakers.state_of(instrument, venue))
    }

    /// What an operator asked for.
    pub fn asked(&self) -> RiskState {
        self.asked
    }

    /// An operator asks for a state.
    pub fn ask(&mut self, state: RiskState) {
        self.asked = state;
    }

    /// Puts limits in force; states, measures and buckets carry on.
    pub fn set_limits(&mut self, limits: RiskLimits) {
        let rates = rates(&limits);
        self.orders.cut(rates.0);
        self.cancels.cut(rates.1);
        self.limits = limits;
    }

    /// Whether any limit is on the worth of several positions together.
    pub fn watches_exposure(&self) -> bool {
        let book = &self.limits.book;
        !self.limits.venues.is_empty()
            || book.exposure != ExposureLimits::default()
            || book.leverage_max_centi.is_some()
    }

    /// Tokens of the rates that are used up at `now`, with how many there are; a rate without a limit is left out.
    pub fn rate_uses(&self, now: LocalTime) -> impl Iterator<Item = (Limit, i64, u32)> + '_ {
        let book = &self.limits.book;
        let rates = [
            (Limit::OrderRate, &self.orders, Some(book.order_rate_max_per_s)),
            (Limit::CancelRate, &self.cancels, book.cancel_rate_max_per_s),
        ];
        let used = move |bucket: &Bucket, rate: u32| i64::from(rate) - bucket.left(rate, now);
        rates.into_iter().filter_map(move |(limit, bucket, rate)| rate.map(|rate| (limit, used(bucket, rate), rate)))
    }

    /// How much more may be bought or sold before the position limit, if nothing rested; what would bring the
    /// position to zero while reducing, and nothing while halted.
    pub fn room(&self, instrument: InstrumentId, venue: VenueId, position: Lots, side: Side) -> Lots {
        let held = Lots(position.0 * side.sign());
        let room = match self.state_of(instrument, venue) {
            RiskState::Active => {
                Lots(self.limits.instruments[instrument.index()].position_max(side).0.saturating_sub(held.0))
            }
            RiskState::Reducing => -held,
            RiskState::Halted => Lots::ZERO,
        };
        room.max(Lots::ZERO)
    }

    /// Judges a request; the first broken rule refuses it.
    pub fn approve(&mut self, request: Request, exposure: &Exposure<'_>) -> Result<Approved<Request>, Refusal> {
        if let Some(order) = Asked::by(&request, exposure) {
            self.hold(&order, exposure, |held| if held.is_broken { Err(held.refusal()) } else { Ok(()) })?;
        }
        let (order_rate, cancel_rate) = rates(&self.limits);
        if !matches!(request, Request::Cancel { .. }) {
            self.orders.take(order_rate, exposure.now);
        }
        if !matches!(request, Request::Place { .. }) {
            self.cancels.take(cancel_rate, exposure.now);
        }
        Ok(Approved(request))
    }

    /// Every limit a request is held against in this state, in the order of judging, with what it would come to. The
    /// first that is broken is the one [`Gate::approve`] refuses by. Nothing weighs a cancellation, nor a
    /// placement that state or book forbid outright.
    pub fn weigh(&self, request: &Request, exposure: &Exposure<'_>) -> Vec<Weighed> {
        let mut all = Vec::new();
        if let (Some(order), Some(_)) = (Asked::by(request, exposure), exposure.top) {
            // What forbids it outright weighs nothing.
            let _ = self.hold(&order, exposure, |held| {
                all.push(held.weighed());
                Ok(())
            });
        }
        all
    }

    /// Holds an order against every limit in turn and tells of each. An error ends it: the caller's, or that of what
    /// forbids the order outright.
    #[inline]
    fn hold(
        &self,
        order: &Asked,
        exposure: &Exposure<'_>,
        mut told: impl FnMut(Held) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let &Asked { side, price, qty, kind } = order;
        let forbidden = |code| Err(Refusal { code, value: 0, limit: 0 });
        let limits = &self.limits.instruments[exposure.instrument.index()];
        let resting = match side {
            Side::Bid => exposure.buying,
            Side::Ask => exposure.selling,
        };
        let held = exposure.position.0.saturating_mul(side.sign());
        // What could still be sold of a long position (bought of a short one) without turning it round.
        let reducible = held.saturating_neg().saturating_sub(resting.0).max(0);
        match self.state_of(exposure.instrument, exposure.rules.venue) {
            RiskState::Active => {}
            RiskState::Halted if exposure.flattening && !kind.may_rest() && qty.0 <= reducible => {}
            RiskState::Halted => return forbidden(RefusalCode::StateHalted),
            RiskState::Reducing => {
                let amount = Amount::Count(qty.0, reducible);
                told(Held { code: RefusalCode::StateReducing, amount, is_broken: qty.0 > reducible })?;
            }
        }
        let Some(top) = exposure.top else { return forbidden(RefusalCode::BookNotLive) };
        let mut at_most = |limit, amount, is_broken| told(Held { code: RefusalCode::Limit(limit), amount, is_broken });
        let stale = Nanos::from_ms(i64::from(limits.stale_book_ms));
        at_most(Limit::StaleBook, Amount::Milliseconds(exposure.news_age, stale), exposure.news_age > stale)?;
        at_most(Limit::OrderQty, Amount::Count(qty.0, limits.order_qty_max.0), qty > limits.order_qty_max)?;
        let (notional, most) = (exposure.rules.notional_quote(price, qty), limits.order_notional_max);
        at_most(Limit::OrderNotional, Amount::Quote(notional, most), notional > most)?;
        let worst = held.saturating_add(resting.0).saturating_add(qty.0);
        let (limit, most) = match side {
            Side::Bid => (Limit::PositionLong, limits.long_max.0),
            Side::Ask => (Limit::PositionShort, limits.short_max.0),
        };
        at_most(limit, Amount::Count(worst, most), worst > most)?;
        let (alive, most) = (i64::from(exposure.alive) + 1, i64::from(limits.open_orders_max));
        at_most(Limit::OpenOrders, Amount::Count(alive, most), alive > most)?;
        // Shares of the mid are compared by multiplying: what they come to is worked out only when it is asked for.
        let mid = i128::from(top.twice_mid().max(1));
        let (distance, collar) = (2 * i128::from(price.0) - mid, i128::from(limits.collar_centibps));
        let is_broken = distance.abs() * CENTIBPS >= (collar + 1) * mid;
        at_most(Limit::Collar, Amount::Distance(distance.abs(), mid, limits.collar_centibps), is_broken)?;
        let least = limits.spread_min_centibps;
        if let (Some(other), true, 1..) = (exposure.own_best[side.opposite() as usize], kind.may_rest(), least) {
            let apart = 2 * i128::from(side.sign()) * (i128::from(other.0) - i128::from(price.0));
            let is_broken = apart * CENTIBPS < i128::from(least) * mid;
            at_most(Limit::SpreadMin, Amount::Distance(apart, mid, least), is_broken)?;
        }
        // Of a hedged book no leg could ever be closed if each had to keep the net within its limit.
        let closes = exposure.flattening && !kind.may_rest() && qty.0 <= reducible;
        if self.watches_exposure() && !closes {
            self.hold_exposure(order, top, exposure, &mut at_most)?;
        }
        let (order_rate, cancel_rate) = rates(&self.limits);
        for (limit, bucket, rate) in
            [(Limit::OrderRate, &self.orders, order_rate), (Limit::CancelRate, &self.cancels, cancel_rate)]
        {
            if limit == Limit::CancelRate && self.limits.book.cancel_rate_max_per_s.is_none() {
                continue;
            }
            let left = bucket.left(rate, exposure.now);
            let rate = i64::from(rate);
            at_most(limit, Amount::Count(rate - left.max(0) + 1, rate), left < 1)?;
        }
        Ok(())
    }

    /// Worth of everything, were this order to rest too. What does not make the worst case worse may pass any limit.
    #[inline]
    fn hold_exposure(
        &self,
        order: &Asked,
        top: Top,
        exposure: &Exposure<'_>,
        at_most: &mut impl FnMut(Limit, Amount, bool) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let limits = &self.limits.instruments[exposure.instrument.index()];
        let worth = |lots: Lots| limits.in_account(exposure.rules.notional_quote(Ticks(top.twice_mid() / 2), lots));
        let position = if exposure.position.0 < 0 { -worth(exposure.position) } else { worth(exposure.position) };
        let (buying, selling) = (worth(exposure.buying), worth(exposure.selling));
        let before = Stake::of(position, buying, selling);
        let after = match order.side {
            Side::Bid => Stake::of(position, plus(buying, worth(order.qty)), selling),
            Side::Ask => Stake::of(position, buying, plus(selling, worth(order.qty))),
        };
        let mut hold = |limit, before: Money, after: Money, max: Option<Money>| match max {
            Some(max) => at_most(limit, Amount::Quote(after, max), after > max && after > before),
            None => Ok(()),
        };
        let others = &exposure.others;
        if let Some(of_venue) = self.limits.venues.get(&exposure.rules.venue) {
            let (was, is) = (others.venue.and(before), others.venue.and(after));
            hold(Limit::VenueGross, was.gross, is.gross, of_venue.gross_max)?;
            hold(Limit::VenueNet, was.net_worst(), is.net_worst(), of_venue.net_max)?;
        }
        let (was, is) = (others.book.and(before), others.book.and(after));
        let of_book = &self.limits.book;
        hold(Limit::BookGross, was.gross, is.gross, of_book.exposure.gross_max)?;
        hold(Limit::BookNet, was.net_worst(), is.net_worst(), of_book.exposure.net_max)?;
        if let (Some(worth), Some(max)) = (others.worth, of_book.leverage_max_centi) {
            // As `leverage(is.gross, worth) > max`, without dividing.
            let is_beyond = match worth.0 {
                ..=0 => is.gross > Money::ZERO,
                worth => is.gross.0.saturating_mul(100) >= worth.saturating_mul(i128::from(max) + 1),
            };
            at_most(Limit::Leverage, Amount::Leverage(is.gross, worth, max), is_beyond && is.gross > was.gross)?;
        }
        Ok(())
    }
}

/// A limit an order is held against, before anybody has asked what the order comes to: that takes divisions, and nearly
/// always nobody does.
#[derive(Clone, Copy, Debug)]
struct Held {
    code: RefusalCode,
    amount: Amount,
    is_broken: bool,
}

/// What an order comes to, and what is allowed.
#[derive(Clone, Copy, Debug)]
enum Amount {
    /// In the rule's unit.
    Count(i64, i64),
    Milliseconds(Nanos, Nanos),
    /// Said in whole units.
    Quote(Money, Money),
    /// Twice so many ticks, twice the mid, and the limit in hundredths of a basis point of it.
    Distance(i128, i128, u32),
    /// Gross exposure, what the account is worth, and the limit in hundredths.
    Leverage(Money, Money, u32),
}

impl Held {
    #[cold]
    fn weighed(self) -> Weighed {
        let (value, limit) = match self.amount {
            Amount::Count(value, limit) => (value, limit),
            Amount::Milliseconds(value, limit) => (value.ms(), limit.ms()),
            Amount::Quote(value, limit) => (whole(value), whole(limit)),
            Amount::Distance(twice, mid, limit) => (saturated(twice * CENTIBPS / mid), i64::from(limit)),
            Amount::Leverage(gross, worth, limit) => (leverage(gross, worth), i64::from(limit)),
        };
        Weighed { code: self.code, value, limit, is_broken: self.is_broken }
    }

    #[cold]
    fn refusal(self) -> Refusal {
        let Weighed { code, value, limit, .. } = self.weighed();
        Refusal { code, value, limit }
    }
}

/// The order a request would put into the market.
#[derive(Clone, Copy, Debug)]
struct Asked {
    side: Side,
    price: Ticks,
    qty: Lots,
    kind: OrderKind,
}

impl Asked {
    /// None, of a cancellation.
    fn by(request: &Request, exposure: &Exposure<'_>) -> Option<Self> {
        match request {
            Request::Cancel { .. } => None,
            &Request::Place { side, price, qty, kind, .. } => Some(Self { side, price, qty, kind }),
            &Request::Replace { price, qty, .. } => {
                let side = exposure.replaced_side.expect("a replacement names one of our living orders");
                Some(Self { side, price, qty, kind: OrderKind::PostOnly })
            }
        }
    }
}

/// Gross exposure by what the account is worth, in hundredths; as much as can be said of one that is worth nothing.
pub fn leverage(gross: Money, worth: Money) -> i64 {
    match (gross.0, worth.0) {
        (..=0, _) => 0,
        (_, ..=0) => i64::MAX,
        (gross, worth) => saturated(gross.saturating_mul(100) / worth),
    }
}

/// Hundredths of a basis point in one.
const CENTIBPS: i128 = 1_000_000;

/// Whole units of money.
fn whole(amount: Money) -> i64 {
    saturated(amount.0 / Money::PER_QUOTE)
}

fn saturated(count: i128) -> i64 {
    i64::try_from(count).unwrap_or(if count < 0 { i64::MIN } else { i64::MAX })
}

/// Sums of worth: an absurd price of a venue is more than any limit, and no reason to die.
fn plus(a: Money, b: Money) -> Money {
    Money(a.0.saturating_add(b.0))
}

/// Orders and cancellations a second.
fn rates(limits: &RiskLimits) -> (u32, u32) {
    (limits.book.order_rate_max_per_s, limits.book.cancel_rate_max_per_s.unwrap_or(u32::MAX / 2))
}

#[cfg(test)]
pub(crate) mod testing {
    /// For tests of venues: approval without a gate.
    pub(crate) fn approve<T>(request: T) -> super::Approved<T> {
        super::Approved(request)
    }
}

#[cfg(test)]
mod tests;

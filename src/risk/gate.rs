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
use crate::market::{Instrument, InstrumentId};
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
    /// Whether an operator asked to bring the position to zero: the one order a halt lets through.
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
        let gross = (position + buying).abs().max((position - selling).abs());
        Self { gross, net: position, buying, selling }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            gross: self.gross + other.gross,
            net: self.net + other.net,
            buying: self.buying + other.buying,
            selling: self.selling + other.selling,
        }
    }

    /// Net exposure if the orders of the worse side were filled.
    pub fn net_worst(self) -> Money {
        (self.net + self.buying).abs().max((self.net - self.selling).abs())
    }
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

    fn unit(self) -> &'static str {
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
        self.asked.max(self.breakers.state_of(None))
    }

    /// State of an instrument, the book's counted in.
    pub fn state_of(&self, instrument: InstrumentId) -> RiskState {
        self.asked.max(self.breakers.state_of(Some(instrument)))
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

    /// How much more may be bought or sold before the position limit, if nothing rested; what would bring the
    /// position to zero while reducing, and nothing while halted.
    pub fn room(&self, instrument: InstrumentId, position: Lots, side: Side) -> Lots {
        let held = Lots(position.0 * side.sign());
        let room = match self.state_of(instrument) {
            RiskState::Active => self.limits.instruments[instrument.index()].position_max(side) - held,
            RiskState::Reducing => -held,
            RiskState::Halted => Lots::ZERO,
        };
        room.max(Lots::ZERO)
    }

    /// Judges a request; the first broken rule refuses it.
    pub fn approve(&mut self, request: Request, exposure: &Exposure<'_>) -> Result<Approved<Request>, Refusal> {
        let (order_rate, cancel_rate) = rates(&self.limits);
        match &request {
            Request::Cancel { .. } => {}
            &Request::Place { side, price, qty, kind, .. } => self.judge(side, price, qty, kind, exposure)?,
            &Request::Replace { price, qty, .. } => {
                let side = exposure.replaced_side.expect("a replacement names one of our living orders");
                self.judge(side, price, qty, OrderKind::PostOnly, exposure)?;
            }
        }
        if !matches!(request, Request::Cancel { .. }) {
            self.orders.take(order_rate);
        }
        if !matches!(request, Request::Place { .. }) {
            self.cancels.take(cancel_rate);
        }
        Ok(Approved(request))
    }

    fn judge(
        &mut self,
        side: Side,
        price: Ticks,
        qty: Lots,
        kind: OrderKind,
        exposure: &Exposure<'_>,
    ) -> Result<(), Refusal> {
        let refuse = |code, value, limit| Err(Refusal { code, value, limit });
        let beyond = |limit, value, max| refuse(RefusalCode::Limit(limit), value, max);
        let limits = &self.limits.instruments[exposure.instrument.index()];
        // What could still be sold of a long position (bought of a short one) without turning it round.
        let resting = match side {
            Side::Bid => exposure.buying,
            Side::Ask => exposure.selling,
        };
        let reducible = (-exposure.position.0 * side.sign() - resting.0).max(0);
        match self.state_of(exposure.instrument) {
            RiskState::Active => {}
            RiskState::Halted if exposure.flattening && !kind.may_rest() && qty.0 <= reducible => {}
            RiskState::Halted => return refuse(RefusalCode::StateHalted, 0, 0),
            RiskState::Reducing if qty.0 <= reducible => {}
            RiskState::Reducing => return refuse(RefusalCode::StateReducing, qty.0, reducible),
        }
        let Some(top) = exposure.top else { return refuse(RefusalCode::BookNotLive, 0, 0) };
        if exposure.news_age > Nanos::from_ms(i64::from(limits.stale_book_ms)) {
            return beyond(Limit::StaleBook, exposure.news_age.ms(), i64::from(limits.stale_book_ms));
        }
        if qty > limits.order_qty_max {
            return beyond(Limit::OrderQty, qty.0, limits.order_qty_max.0);
        }
        let notional = exposure.rules.notional_quote(price, qty);
        if notional > limits.order_notional_max {
            return beyond(Limit::OrderNotional, whole(notional), whole(limits.order_notional_max));
        }
        let worst = (exposure.position.0 * side.sign() + resting.0).saturating_add(qty.0);
        let position_max = limits.position_max(side);
        if worst > position_max.0 {
            let limit = if side == Side::Bid { Limit::PositionLong } else { Limit::PositionShort };
            return beyond(limit, worst, position_max.0);
        }
        if exposure.alive >= limits.open_orders_max {
            return beyond(Limit::OpenOrders, i64::from(exposure.alive) + 1, i64::from(limits.open_orders_max));
        }
        let distance = centibps(2 * i128::from(price.0) - i128::from(top.twice_mid()), top);
        if distance > i64::from(limits.collar_centibps) {
            return beyond(Limit::Collar, distance, i64::from(limits.collar_centibps));
        }
        if let (Some(other), true, 1..) =
            (exposure.own_best[side.opposite() as usize], kind.may_rest(), limits.spread_min_centibps)
        {
            let apart = centibps(2 * i128::from((other.0 - price.0) * side.sign()), top);
            let apart = if (other.0 - price.0) * side.sign() < 0 { -apart } else { apart };
            if apart < i64::from(limits.spread_min_centibps) {
                return beyond(Limit::SpreadMin, apart, i64::from(limits.spread_min_centibps));
            }
        }
        if self.watches_exposure() {
            self.judge_exposure(side, qty, top, exposure)?;
        }
        let (order_rate, cancel_rate) = rates(&self.limits);
        if !self.orders.has_one(order_rate, exposure.now) {
            return beyond(Limit::OrderRate, i64::from(order_rate) + 1, i64::from(order_rate));
        }
        if !self.cancels.has_one(cancel_rate, exposure.now) {
            return beyond(Limit::CancelRate, i64::from(cancel_rate) + 1, i64::from(cancel_rate));
        }
        Ok(())
    }

    /// Worth of everything, were this order to rest too. What does not make the worst case worse may pass any limit.
    fn judge_exposure(&self, side: Side, qty: Lots, top: Top, exposure: &Exposure<'_>) -> Result<(), Refusal> {
        let limits = &self.limits.instruments[exposure.instrument.index()];
        let worth =
            |lots: Lots| limits.in_account(exposure.rules.notional_quote(Ticks(top.twice_mid() / 2), lots.abs()));
        let position = if exposure.position.0 < 0 { -worth(exposure.position) } else { worth(exposure.position) };
        let (buying, selling) = (worth(exposure.buying), worth(exposure.selling));
        let before = Stake::of(position, buying, selling);
        let after = match side {
            Side::Bid => Stake::of(position, buying + worth(qty), selling),
            Side::Ask => Stake::of(position, buying, selling + worth(qty)),
        };
        let weigh = |limit, before: Money, after: Money, max: Option<Money>| match max {
            Some(max) if after > max && after > before => {
                Err(Refusal { code: RefusalCode::Limit(limit), value: whole(after), limit: whole(max) })
            }
            Some(_) | None => Ok(()),
        };
        let others = &exposure.others;
        let (venue, book) =
            ((others.venue.and(before), others.venue.and(after)), (others.book.and(before), others.book.and(after)));
        let of_venue = self.limits.venues.get(&exposure.rules.venue).copied().unwrap_or_default();
        let of_book = &self.limits.book;
        weigh(Limit::VenueGross, venue.0.gross, venue.1.gross, of_venue.gross_max)?;
        weigh(Limit::VenueNet, venue.0.net_worst(), venue.1.net_worst(), of_venue.net_max)?;
        weigh(Limit::BookGross, book.0.gross, book.1.gross, of_book.exposure.gross_max)?;
        weigh(Limit::BookNet, book.0.net_worst(), book.1.net_worst(), of_book.exposure.net_max)?;
        if let (Some(worth), Some(max)) = (others.worth, of_book.leverage_max_centi) {
            let (before, after) = (leverage(book.0.gross, worth), leverage(book.1.gross, worth));
            if after > i64::from(max) && after > before {
                return Err(Refusal { code: RefusalCode::Limit(Limit::Leverage), value: after, limit: i64::from(max) });
            }
        }
        Ok(())
    }
}

/// Gross exposure by what the account is worth, in hundredths; as much as can be said of one that is worth nothing.
pub fn leverage(gross: Money, worth: Money) -> i64 {
    if gross == Money::ZERO {
        return 0;
    }
    match worth.0 {
        ..=0 => i64::MAX,
        worth => i64::try_from(gross.0 / (worth / 100).max(1)).unwrap_or(i64::MAX),
    }
}

/// A distance of twice so many ticks, without its sign, in hundredths of a basis point of the mid, in integers.
fn centibps(twice: i128, top: Top) -> i64 {
    let parts = twice.abs() * 1_000_000 / i128::from(top.twice_mid().max(1));
    i64::try_from(parts).unwrap_or(i64::MAX)
}

/// Whole units of money.
fn whole(amount: Money) -> i64 {
    i64::try_from(amount.0 / Money::PER_QUOTE).unwrap_or(i64::MAX)
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

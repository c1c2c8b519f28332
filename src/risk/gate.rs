//! The only door to a venue.
//!
//! [`Gate::approve`] judges one request against everything it could lead to: an order counts as filled until the
//! venue says it is over, so no order of reports, fills and cancellations can carry a position past its limit.
//! Cancellations always pass. Every refusal names its limit, the value that broke it, and by how much.
//!
//! Reading order: [`Exposure`] is what the gate is told, [`Gate::approve`] the judgement, [`Refusal`] the answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::RiskLimits;
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
    /// Best bid and ask while the book is trusted, else `None`: nothing may be placed then.
    pub top: Option<Top>,
    /// Since the last news of this instrument's market.
    pub news_age: Nanos,
    /// Whether an operator asked to bring the position to zero: the one order a halt lets through.
    pub flattening: bool,
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

/// The rules, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefusalCode {
    /// Halted: nothing is placed.
    StateHalted,
    /// Reducing: this order could make the position larger.
    StateReducing,
    /// The book is not trusted.
    BookNotLive,
    /// The market has been silent for too long.
    BookStale,
    /// Larger than a single order may be, in lots.
    OrderQty,
    /// Worth more than a single order may be, in quote currency.
    OrderNotional,
    /// Filling everything that may trade would pass the position limit, in lots.
    PositionLimit,
    /// Too many orders alive.
    OpenOrders,
    /// Too many placements per second.
    OrderRate,
    /// Too far from the mid, in hundredths of a basis point.
    PriceCollar,
}

impl RefusalCode {
    /// The reason code of exports and audit: `CATEGORY_CONDITION`.
    pub fn word(self) -> &'static str {
        match self {
            RefusalCode::StateHalted => "STATE_HALTED",
            RefusalCode::StateReducing => "STATE_REDUCING",
            RefusalCode::BookNotLive => "BOOK_NOT_LIVE",
            RefusalCode::BookStale => "BOOK_STALE",
            RefusalCode::OrderQty => "ORDER_QTY_EXCEEDED",
            RefusalCode::OrderNotional => "ORDER_NOTIONAL_EXCEEDED",
            RefusalCode::PositionLimit => "POSITION_LIMIT_EXCEEDED",
            RefusalCode::OpenOrders => "OPEN_ORDERS_EXCEEDED",
            RefusalCode::OrderRate => "ORDER_RATE_EXCEEDED",
            RefusalCode::PriceCollar => "PRICE_COLLAR_EXCEEDED",
        }
    }

    /// The rule's unit, behind a number.
    pub fn unit(self) -> &'static str {
        match self {
            RefusalCode::StateHalted | RefusalCode::StateReducing | RefusalCode::BookNotLive => "",
            RefusalCode::BookStale => " unit=ms",
            RefusalCode::OrderQty | RefusalCode::PositionLimit => " unit=lots",
            RefusalCode::OrderNotional => " unit=quote",
            RefusalCode::OpenOrders => " unit=orders",
            RefusalCode::OrderRate => " unit=per_s",
            RefusalCode::PriceCollar => " unit=0.01bps",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.word())?;
        if matches!(self.code, RefusalCode::StateHalted | RefusalCode::BookNotLive) {
            return Ok(());
        }
        write!(f, " value={} limit={}{}", self.value, self.limit, self.code.unit())
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

/// Limits, state, and the token bucket of the order rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    limits: RiskLimits,
    state: RiskState,
    /// Placements still allowed, in nanoseconds of refill (one placement costs `1e9 / rate`, so cost is `1e9` of
    /// `rate × elapsed`).
    tokens: i64,
    refilled: LocalTime,
}

/// One placement, in the bucket's unit.
const TOKEN: i64 = 1_000_000_000;

impl Gate {
    /// A gate with its bucket full.
    pub fn new(limits: RiskLimits) -> Self {
        let tokens = i64::from(limits.order_rate_max_per_s) * TOKEN;
        Self { limits, state: RiskState::Active, tokens, refilled: LocalTime::default() }
    }

    /// Limits in force.
    pub fn limits(&self) -> &RiskLimits {
        &self.limits
    }

    /// State in force.
    pub fn state(&self) -> RiskState {
        self.state
    }

    /// Puts a state in force.
    pub fn set_state(&mut self, state: RiskState) {
        self.state = state;
    }

    /// Puts limits in force; state and bucket carry on.
    pub fn set_limits(&mut self, limits: RiskLimits) {
        self.tokens = self.tokens.min(i64::from(limits.order_rate_max_per_s) * TOKEN);
        self.limits = limits;
    }

    /// Whether the whole book has lost more than it may.
    pub fn loss_is_too_large(&self, equity: Money) -> bool {
        self.limits.loss_max.is_some_and(|max| -equity > max)
    }

    /// How much more may be bought or sold before the position limit, if nothing rested; what would bring the
    /// position to zero while reducing, and nothing while halted.
    pub fn room(&self, instrument: InstrumentId, position: Lots, side: Side) -> Lots {
        let held = Lots(position.0 * side.sign());
        let room = match self.state {
            RiskState::Active => self.limits.position_max[instrument.index()] - held,
            RiskState::Reducing => -held,
            RiskState::Halted => Lots::ZERO,
        };
        room.max(Lots::ZERO)
    }

    /// Judges a request; the first broken rule refuses it.
    pub fn approve(&mut self, request: Request, exposure: &Exposure<'_>) -> Result<Approved<Request>, Refusal> {
        match &request {
            Request::Cancel { .. } => {}
            &Request::Place { side, price, qty, kind, .. } => self.judge(side, price, qty, kind, exposure)?,
            &Request::Replace { price, qty, .. } => {
                let side = exposure.replaced_side.expect("a replacement names one of our living orders");
                self.judge(side, price, qty, OrderKind::PostOnly, exposure)?;
            }
        }
        Ok(Approved(request))
    }

    /// Every limit a request is held against in this state, in the order of judging, with what it would come to. The
    /// first that is broken is the one [`Gate::approve`] refuses by. Nothing weighs a cancellation, nor a
    /// placement that state or book forbid outright.
    pub fn weigh(&self, request: &Request, exposure: &Exposure<'_>) -> Vec<Weighed> {
        let (side, price, qty) = match request {
            Request::Cancel { .. } => return Vec::new(),
            &Request::Place { side, price, qty, .. } => (side, price, qty),
            &Request::Replace { price, qty, .. } => {
                (exposure.replaced_side.expect("a replacement names one of our living orders"), price, qty)
            }
        };
        let (Some(top), RiskState::Active | RiskState::Reducing) = (exposure.top, self.state) else {
            return Vec::new();
        };
        let (limits, instrument) = (&self.limits, exposure.instrument.index());
        let resting = match side {
            Side::Bid => exposure.buying,
            Side::Ask => exposure.selling,
        };
        let whole = |m: Money| i64::try_from(m.0 / Money::PER_QUOTE).unwrap_or(i64::MAX);
        let rate = i64::from(limits.order_rate_max_per_s);
        let notional = exposure.rules.notional_quote(price, qty);
        let worst = (exposure.position.0 * side.sign() + resting.0).saturating_add(qty.0);
        let left = self.tokens_at(exposure.now) / TOKEN;
        let alive = i64::from(exposure.alive) + 1;
        let mut weighed = Vec::new();
        if self.state == RiskState::Reducing {
            let reducible = (-exposure.position.0 * side.sign() - resting.0).max(0);
            let is_broken = qty.0 > reducible;
            weighed.push(Weighed { code: RefusalCode::StateReducing, value: qty.0, limit: reducible, is_broken });
        }
        let stale = i64::from(limits.stale_book_ms);
        let exactly = [
            (RefusalCode::BookStale, exposure.news_age.ms(), stale, exposure.news_age > Nanos::from_ms(stale)),
            (
                RefusalCode::OrderNotional,
                whole(notional),
                whole(limits.order_notional_max),
                notional > limits.order_notional_max,
            ),
        ];
        let counted = |(code, value, limit): (RefusalCode, i64, i64)| (code, value, limit, value > limit);
        let counts = [
            (RefusalCode::OrderQty, qty.0, limits.order_qty_max[instrument].0),
            (RefusalCode::PositionLimit, worst, limits.position_max[instrument].0),
            (RefusalCode::OpenOrders, alive, i64::from(limits.open_orders_max)),
            (RefusalCode::PriceCollar, distance_centibps(price, &top), i64::from(limits.collar_centibps)),
            (RefusalCode::OrderRate, rate - left + 1, rate),
        ]
        .map(counted);
        // In the order of judging.
        let [age, worth] = exactly;
        let [size, position, orders, collar, rate] = counts;
        for (code, value, limit, is_broken) in [age, size, worth, position, orders, collar, rate] {
            weighed.push(Weighed { code, value, limit, is_broken });
        }
        weighed
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
        let limits = &self.limits;
        // What could still be sold of a long position (bought of a short one) without turning it round.
        let resting = match side {
            Side::Bid => exposure.buying,
            Side::Ask => exposure.selling,
        };
        let reducible = (-exposure.position.0 * side.sign() - resting.0).max(0);
        match self.state {
            RiskState::Active => {}
            RiskState::Halted if exposure.flattening && !kind.may_rest() && qty.0 <= reducible => {}
            RiskState::Halted => return refuse(RefusalCode::StateHalted, 0, 0),
            RiskState::Reducing if qty.0 <= reducible => {}
            RiskState::Reducing => return refuse(RefusalCode::StateReducing, qty.0, reducible),
        }
        let Some(top) = exposure.top else { return refuse(RefusalCode::BookNotLive, 0, 0) };
        if exposure.news_age > Nanos::from_ms(i64::from(limits.stale_book_ms)) {
            return refuse(RefusalCode::BookStale, exposure.news_age.ms(), i64::from(limits.stale_book_ms));
        }
        let qty_max = limits.order_qty_max[exposure.instrument.index()];
        if qty > qty_max {
            return refuse(RefusalCode::OrderQty, qty.0, qty_max.0);
        }
        let notional = exposure.rules.notional_quote(price, qty);
        if notional > limits.order_notional_max {
            let whole = |m: Money| i64::try_from(m.0 / Money::PER_QUOTE).unwrap_or(i64::MAX);
            return refuse(RefusalCode::OrderNotional, whole(notional), whole(limits.order_notional_max));
        }
        let worst = (exposure.position.0 * side.sign() + resting.0).saturating_add(qty.0);
        let position_max = limits.position_max[exposure.instrument.index()];
        if worst > position_max.0 {
            return refuse(RefusalCode::PositionLimit, worst, position_max.0);
        }
        if exposure.alive >= limits.open_orders_max {
            return refuse(RefusalCode::OpenOrders, i64::from(exposure.alive) + 1, i64::from(limits.open_orders_max));
        }
        let distance = distance_centibps(price, &top);
        if distance > i64::from(limits.collar_centibps) {
            return refuse(RefusalCode::PriceCollar, distance, i64::from(limits.collar_centibps));
        }
        self.take_token(exposure.now)
    }

    fn take_token(&mut self, now: LocalTime) -> Result<(), Refusal> {
        let rate = i64::from(self.limits.order_rate_max_per_s);
        self.tokens = self.tokens_at(now);
        self.refilled = now;
        if self.tokens < TOKEN {
            return Err(Refusal { code: RefusalCode::OrderRate, value: rate + 1, limit: rate });
        }
        self.tokens -= TOKEN;
        Ok(())
    }

    /// What is in the bucket at `now`.
    fn tokens_at(&self, now: LocalTime) -> i64 {
        let rate = i64::from(self.limits.order_rate_max_per_s);
        let elapsed = now.since(self.refilled).0.clamp(0, TOKEN);
        (self.tokens + elapsed * rate).min(rate * TOKEN)
    }
}

/// `|price - mid| / mid` in hundredths of a basis point, in integers.
fn distance_centibps(price: Ticks, top: &Top) -> i64 {
    let distance = (2 * i128::from(price.0) - i128::from(top.twice_mid())).abs() * 1_000_000;
    i64::try_from(distance / i128::from(top.twice_mid().max(1))).unwrap_or(i64::MAX)
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

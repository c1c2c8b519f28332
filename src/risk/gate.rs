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
use super::stake::{Basis, Elsewhere, Growth, Others, Stake};
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
    /// Our highest bid and our lowest ask that may rest, leaving out one that the request replaces; only the one on the
    /// side opposite to the request is looked at.
    pub own_best: [Option<Ticks>; 2],
    /// Best bid and ask while the book is trusted, else `None`: nothing may be placed then.
    pub top: Option<Top>,
    /// Since the last news of this instrument's market.
    pub news_age: Nanos,
    /// Whether it shall bring the position to zero: the one order a halt lets through, and limits on exposure too.
    pub flattening: bool,
    /// The other instruments; looked at only where [`Gate::watches_exposure`].
    pub elsewhere: Elsewhere<'a>,
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
            self.hold(&order, exposure, &mut UntilBroken)?;
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
            let _ = self.hold(&order, exposure, &mut Every(&mut all));
        }
        all
    }

    /// Holds an order against every limit in turn and tells of each. An error ends it: the caller's, or that of what
    /// forbids the order outright.
    #[inline]
    fn hold(&self, order: &Asked, exposure: &Exposure<'_>, told: &mut impl Told) -> Result<(), Refusal> {
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
                told.hear(RefusalCode::StateReducing, qty.0 > reducible, || Amount::Count(qty.0, reducible))?;
            }
        }
        let Some(top) = exposure.top else { return forbidden(RefusalCode::BookNotLive) };
        let stale = Nanos::from_ms(i64::from(limits.stale_book_ms));
        told.limit(Limit::StaleBook, exposure.news_age > stale, || Amount::Milliseconds(exposure.news_age, stale))?;
        told.limit(Limit::OrderQty, qty > limits.order_qty_max, || Amount::Count(qty.0, limits.order_qty_max.0))?;
        let (notional, most) = (exposure.rules.notional_quote(price, qty), limits.order_notional_max);
        told.limit(Limit::OrderNotional, notional > most, || Amount::Quote(notional, most))?;
        let worst = held.saturating_add(resting.0).saturating_add(qty.0);
        let (limit, most) = match side {
            Side::Bid => (Limit::PositionLong, limits.long_max.0),
            Side::Ask => (Limit::PositionShort, limits.short_max.0),
        };
        told.limit(limit, worst > most, || Amount::Count(worst, most))?;
        let (alive, most) = (i64::from(exposure.alive) + 1, i64::from(limits.open_orders_max));
        told.limit(Limit::OpenOrders, alive > most, || Amount::Count(alive, most))?;
        // Shares of the mid are compared by multiplying: what they come to is worked out only when it is asked for.
        let mid = i128::from(top.twice_mid().max(1));
        let (distance, collar) = (2 * i128::from(price.0) - mid, i128::from(limits.collar_centibps));
        let is_broken = distance.abs() * CENTIBPS >= (collar + 1) * mid;
        told.limit(Limit::Collar, is_broken, || Amount::Distance(distance.abs(), mid, limits.collar_centibps))?;
        let least = limits.spread_min_centibps;
        if let (Some(other), true, 1..) = (exposure.own_best[side.opposite() as usize], kind.may_rest(), least) {
            let apart = 2 * i128::from(side.sign()) * (i128::from(other.0) - i128::from(price.0));
            let is_broken = apart * CENTIBPS < i128::from(least) * mid;
            told.limit(Limit::SpreadMin, is_broken, || Amount::Distance(apart, mid, least))?;
        }
        // Of a hedged book no leg could ever be closed if each had to keep the net within its limit.
        let closes = exposure.flattening && !kind.may_rest() && qty.0 <= reducible;
        if self.watches_exposure() && !closes {
            self.hold_exposure(order, top, exposure, told)?;
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
            told.limit(limit, left < 1, || Amount::Count(rate - left.max(0) + 1, rate))?;
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
        told: &mut impl Told,
    ) -> Result<(), Refusal> {
        let resting = [exposure.buying, exposure.selling];
        let basis = Basis { twice_mid: Some(top.twice_mid()), position: exposure.position, resting };
        let mid = Ticks(top.twice_mid() / 2);
        if let Elsewhere::Kept(kept) = &exposure.elsewhere
            && let Some(growths) = kept.grown(&basis, order.side, mid, order.qty)
        {
            return self.hold_growth(&growths, kept.worth(), exposure, told);
        }
        let (growths, worth) = self.grown(order, mid, exposure);
        self.hold_growth(&growths, worth, exposure, told)
    }

    /// Growth of venue and book by an order, and what the account is worth: worked out in full.
    #[cold]
    fn grown(&self, order: &Asked, mid: Ticks, exposure: &Exposure<'_>) -> ([Growth; 2], Option<Money>) {
        let limits = &self.limits.instruments[exposure.instrument.index()];
        let worth = |lots: Lots| limits.in_account(exposure.rules.notional_quote(mid, lots));
        let position = if exposure.position.0 < 0 { -worth(exposure.position) } else { worth(exposure.position) };
        let (buying, selling) = (worth(exposure.buying), worth(exposure.selling));
        let before = Stake::of(position, buying, selling);
        // Rounded once, as what rests will be: two halves rounded apart would pass what the whole exceeds.
        let with = |resting: Lots| Lots(resting.0.saturating_add(order.qty.0));
        let after = match order.side {
            Side::Bid => Stake::of(position, worth(with(exposure.buying)), selling),
            Side::Ask => Stake::of(position, buying, worth(with(exposure.selling))),
        };
        let Others { venue, book, worth } = exposure.elsewhere.sums();
        ([venue, book].map(|others| Growth::between(others.and(before), others.and(after))), worth)
    }

    #[inline]
    fn hold_growth(
        &self,
        [of_venue, of_book]: &[Growth; 2],
        worth: Option<Money>,
        exposure: &Exposure<'_>,
        told: &mut impl Told,
    ) -> Result<(), Refusal> {
        let mut hold = |limit, (was, is): (Money, Money), max: Option<Money>| match max {
            Some(max) => told.limit(limit, is > max && is > was, || Amount::Quote(is, max)),
            None => Ok(()),
        };
        if let Some(limits) = self.limits.venues.get(&exposure.rules.venue) {
            hold(Limit::VenueGross, of_venue.gross, limits.gross_max)?;
            hold(Limit::VenueNet, of_venue.net, limits.net_max)?;
        }
        let limits = &self.limits.book;
        hold(Limit::BookGross, of_book.gross, limits.exposure.gross_max)?;
        hold(Limit::BookNet, of_book.net, limits.exposure.net_max)?;
        if let (Some(worth), Some(max)) = (worth, limits.leverage_max_centi) {
            let (was, is) = of_book.gross;
            told.limit(Limit::Leverage, is > was && leverage_is_beyond(is, worth, max), || {
                Amount::Leverage(is, worth, max)
            })?;
        }
        Ok(())
    }
}

/// As `leverage(gross, worth) > max`, without dividing.
#[inline]
fn leverage_is_beyond(gross: Money, worth: Money, max: u32) -> bool {
    let above = i128::from(max) + 1;
    match (gross.0, worth.0) {
        (gross, ..=0) => gross > 0,
        // Products that cannot overflow.
        (gross @ 0..SMALL, worth @ 1..SMALL) if above < 1 << 20 => gross * 100 >= worth * above,
        (gross, worth) => gross.saturating_mul(100) >= worth.saturating_mul(above),
    }
}

/// 81 million units of money.
const SMALL: i128 = 1 << 106;

/// Who is told of limits an order is held against.
trait Told {
    /// What it would come to is asked for only where it is said. An error ends the holding.
    fn hear(&mut self, code: RefusalCode, is_broken: bool, amount: impl FnOnce() -> Amount) -> Result<(), Refusal>;

    #[inline]
    fn limit(&mut self, limit: Limit, is_broken: bool, amount: impl FnOnce() -> Amount) -> Result<(), Refusal> {
        self.hear(RefusalCode::Limit(limit), is_broken, amount)
    }
}

/// The first broken limit refuses.
struct UntilBroken;

impl Told for UntilBroken {
    #[inline]
    fn hear(&mut self, code: RefusalCode, is_broken: bool, amount: impl FnOnce() -> Amount) -> Result<(), Refusal> {
        match is_broken {
            true => Err(Held { code, amount: amount(), is_broken }.refusal()),
            false => Ok(()),
        }
    }
}

/// Every limit is noted.
struct Every<'a>(&'a mut Vec<Weighed>);

impl Told for Every<'_> {
    fn hear(&mut self, code: RefusalCode, is_broken: bool, amount: impl FnOnce() -> Amount) -> Result<(), Refusal> {
        self.0.push(Held { code, amount: amount(), is_broken }.weighed());
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

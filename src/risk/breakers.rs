//! Everything that can go beyond a limit by itself, and what follows from it.
//!
//! A request is refused before it does harm ([`super::gate`]); a price that moves asks nobody. So after every input that can
//! have changed one, the measures of the book and of its instruments are weighed against their limits. What is beyond its
//! limit is a [`Trip`]: it puts its scope into a state, and it ends as its rule says. The state in force is the worst of all
//! trips and of what an operator asked for.
//!
//! Nothing trips before it has data, and nothing is forgotten by changing limits: a trip ends by its own rule, weighed
//! against the limit in force.

use serde::{Deserialize, Serialize};

use super::limits::{Conduct, RiskLimits};
use super::reason::Reason;
use super::rule::{Effect, Ends, Limit};
use super::sensor::Sensor;
use super::state::RiskState;
use super::tally::{Losses, Score, Tally};
use super::whose::Whose;
use crate::market::{InstrumentId, VenueId};
use crate::units::{LocalTime, Money, Nanos};

/// A limit that has been passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Which.
    pub limit: Limit,
    /// Whose.
    pub whose: Whose,
    /// Whether it is the warning before the limit.
    pub is_soft: bool,
    /// What its scope is put into.
    pub state: RiskState,
    /// When it happened.
    pub since: LocalTime,
    /// By how much.
    pub reason: Reason,
    /// Well within its limit since then.
    calm_since: Option<LocalTime>,
}

/// A change the session has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub whose: Whose,
    /// Why: of a trip that began or ended.
    pub reason: Reason,
    /// Whether it began.
    pub began: bool,
}

/// What the book stands at; account currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookReading {
    /// Of this session, at present prices.
    pub equity: Money,
    /// Paid in this session.
    pub fees: Money,
    /// The next funding payments, received ones not counted.
    pub funding: Money,
    /// Whether every position has had a price.
    pub is_complete: bool,
}

/// What one instrument stands at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstrumentReading {
    /// Volatility, hundredths of a basis point per √s, once it is known.
    pub volatility_centibps: Option<i64>,
}

/// All standing limits and what has become of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakers {
    tally: Tally,
    losses: Losses,
    sensors: Vec<Sensor>,
    /// Of each instrument: its equity when it was first weighed, and what has been lost since.
    own: Vec<Option<(Money, Money)>>,
    trips: Vec<Trip>,
}

impl Breakers {
    /// Of a session of `count` instruments.
    pub fn new(count: usize) -> Self {
        Self {
            tally: Tally::default(),
            losses: Losses::default(),
            sensors: vec![Sensor::default(); count],
            own: vec![None; count],
            trips: Vec::new(),
        }
    }

    /// Goes on from what an account remembers. Trips of instruments are of this session's; how long they had been calm is
    /// forgotten, because nobody looked since.
    pub fn restore(&mut self, score: Option<Score>, hour: &[(i64, Money)], trips: Vec<Trip>) {
        self.tally = score.map_or_else(Tally::default, |score| Tally::carried(score, hour));
        self.trips = trips;
        self.trips.iter_mut().for_each(|trip| trip.calm_since = None);
    }

    /// For the next session, when this one has settled so much.
    pub fn score(&self, settled_here: Money) -> Score {
        self.tally.score(settled_here)
    }

    /// For the next session: minutes since the epoch with the equity they began with, as far as losses within an hour need
    /// them.
    pub fn hour(&self) -> impl Iterator<Item = (i64, Money)> {
        self.tally.minutes()
    }

    /// What is beyond its limit now.
    pub fn trips(&self) -> &[Trip] {
        &self.trips
    }

    /// Whether anything is beyond a limit on exposure, which may have been lifted since.
    pub fn has_exposure_trip(&self) -> bool {
        self.trips.iter().any(|trip| trip.limit.is_on_exposure())
    }

    /// Losses as they were last weighed.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// What an instrument has lost in this session, in its quote currency, once it can be said.
    pub fn loss_of(&self, id: InstrumentId) -> Option<Money> {
        self.own[id.index()].map(|(_, lost)| lost)
    }

    /// An instrument's equity is this now, in its quote currency. What a position carried over shows at its first price was
    /// won or lost before.
    pub fn stands_at(&mut self, id: InstrumentId, equity: Money) {
        let (origin, _) = self.own[id.index()].unwrap_or((equity, Money::ZERO));
        self.own[id.index()] = Some((origin, origin - equity));
    }

    /// An instrument's measurements.
    pub fn sensor(&self, id: InstrumentId) -> &Sensor {
        &self.sensors[id.index()]
    }

    /// An instrument's measurements, to add to.
    pub fn sensor_mut(&mut self, id: InstrumentId) -> &mut Sensor {
        &mut self.sensors[id.index()]
    }

    /// The worst state that trips put the whole book into.
    pub fn state(&self) -> RiskState {
        self.worst(|whose| whose == Whose::Book)
    }

    /// The worst state that trips put a venue into; the book's count for every venue.
    pub fn state_of_venue(&self, venue: VenueId) -> RiskState {
        self.worst(|whose| matches!(whose, Whose::Book) || whose == Whose::Venue(venue))
    }

    /// The worst state that trips put an instrument into; its venue's and the book's count.
    pub fn state_of(&self, id: InstrumentId, venue: VenueId) -> RiskState {
        self.worst(|whose| whose.concerns(id, venue))
    }

    fn worst(&self, counts: impl Fn(Whose) -> bool) -> RiskState {
        self.trips.iter().filter(|trip| counts(trip.whose)).map(|trip| trip.state).max().unwrap_or_default()
    }

    /// Weighs the book.
    pub fn weigh_book(
        &mut self,
        limits: &RiskLimits,
        reading: &BookReading,
        now: LocalTime,
        changes: &mut Vec<Change>,
    ) {
        self.losses = match reading.is_complete {
            true => self.tally.mark(now, reading.equity, reading.fees),
            false => self.tally.mark_unpriced(reading.equity),
        };
        let (losses, book) = (self.losses, &limits.book);
        if self.trips.is_empty() && is_calm(&losses, reading, limits) {
            return;
        }
        let weighed = [
            (Limit::Loss, losses.session, book.loss_max),
            (Limit::DailyLoss, losses.day, book.daily_loss_max),
            (Limit::HourlyLoss, losses.hour, book.hourly_loss_max),
            (Limit::Drawdown, losses.drawdown, book.drawdown_max),
            (Limit::DailyFees, losses.fees, book.daily_fees_max),
            (Limit::Funding, reading.funding, book.funding_max),
        ];
        for (limit, value, max) in weighed {
            let scale = Scale { value: value.0, max: max.map(|max| max.0), is_money: true };
            self.weigh(limit, Whose::Book, scale, &limits.conduct, now, changes);
            if limit != Limit::Funding {
                self.warn(limit, scale, &limits.conduct, now, changes);
            }
        }
    }

    /// Weighs exposure, where prices may have carried it: worth against its limit, if there is one, of a venue or of the
    /// book.
    pub fn weigh_exposure(
        &mut self,
        limit: Limit,
        whose: Whose,
        (value, max): (i128, Option<i128>),
        conduct: &Conduct,
        now: LocalTime,
        changes: &mut Vec<Change>,
    ) {
        let is_money = limit != Limit::Leverage;
        self.weigh(limit, whose, Scale { value, max, is_money }, conduct, now, changes);
    }

    /// Weighs one instrument.
    pub fn weigh_instrument(
        &mut self,
        id: InstrumentId,
        limits: &RiskLimits,
        reading: &InstrumentReading,
        now: LocalTime,
        changes: &mut Vec<Change>,
    ) {
        let own = &limits.instruments[id.index()];
        let lost = self.own[id.index()].map_or(Money::ZERO, |(_, lost)| lost);
        let scale = Scale { value: lost.0, max: own.loss_max.map(|max| max.0), is_money: true };
        self.weigh(Limit::InstrumentLoss, Whose::Instrument(id), scale, &limits.conduct, now, changes);
        let sensor = &self.sensors[id.index()];
        let seconds = |time: Nanos| time.0 / 1_000_000_000;
        let age = sensor.inventory_age(now).map(seconds).unwrap_or(0);
        let news_age = sensor.news_age().map(Nanos::ms);
        let markout = own.markout.and_then(|limit| sensor.markout_loss(&limit));
        let weighed = [
            (Limit::InventoryAge, Some(age), own.inventory_age_max.map(seconds)),
            (Limit::Volatility, reading.volatility_centibps, own.volatility_max_centibps.map(i64::from)),
            (Limit::Markout, markout, own.markout.map(|limit| i64::from(limit.loss_max_centibps))),
            (Limit::FeedLatency, news_age, own.feed_latency_max_ms.map(i64::from)),
            (Limit::ClockSkew, news_age.map(|age| -age), own.clock_skew_max_ms.map(i64::from)),
        ];
        for (limit, value, max) in weighed {
            // Without data nothing trips; what has tripped stays until there is data again, or for its time.
            let known = match (value, limit) {
                (Some(value), _) => value,
                (None, Limit::Markout) => i64::MIN,
                // A limit that was lifted has nothing to wait for.
                (None, _) if max.is_none() => i64::MIN,
                (None, _) => continue,
            };
            let scale = Scale { value: i128::from(known), max: max.map(i128::from), is_money: false };
            let has_ended = self.weigh(limit, Whose::Instrument(id), scale, &limits.conduct, now, changes);
            if has_ended && limit == Limit::Markout {
                self.sensors[id.index()].forget_markouts();
            }
        }
    }

    /// Whether an operator may resume: the first trip that an operator has to end and whose limit still holds.
    pub fn still_holds(&self, limits: &RiskLimits) -> Option<&Trip> {
        self.trips
            .iter()
            .find(|trip| trip.limit.rule().ends == Ends::Operator && !trip.is_soft && self.exceeds(trip, limits))
    }

    fn exceeds(&self, trip: &Trip, limits: &RiskLimits) -> bool {
        let book = &limits.book;
        let (value, max) = match trip.limit {
            // Not known before every position has a price: then it holds as it did, unless there is no limit any more.
            Limit::DailyLoss if !self.tally.is_priced() => return book.daily_loss_max.is_some(),
            Limit::Drawdown if !self.tally.is_priced() => return book.drawdown_max.is_some(),
            Limit::Loss => (self.losses.session, book.loss_max),
            Limit::DailyLoss => (self.losses.day, book.daily_loss_max),
            Limit::HourlyLoss => (self.losses.hour, book.hourly_loss_max),
            Limit::Drawdown => (self.losses.drawdown, book.drawdown_max),
            Limit::InstrumentLoss => match trip.whose {
                Whose::Instrument(id) => {
                    (self.loss_of(id).unwrap_or_default(), limits.instruments[id.index()].loss_max)
                }
                Whose::Venue(_) | Whose::Book => return false,
            },
            _ => return false,
        };
        max.is_some_and(|max| value > max)
    }

    /// An operator resumes: trips that wait for one are over; says whose they were. Call it only when
    /// [`still_holds`](Self::still_holds) none.
    pub fn resume(&mut self) -> Vec<Whose> {
        let waits = |trip: &Trip| trip.limit.rule().ends == Ends::Operator && !trip.is_soft;
        let mut freed: Vec<Whose> = self.trips.iter().filter(|trip| waits(trip)).map(|trip| trip.whose).collect();
        self.trips.retain(|trip| !waits(trip));
        freed.sort_unstable();
        freed.dedup();
        freed
    }

    /// Weighs one value; says whether a trip ended.
    fn weigh(
        &mut self,
        limit: Limit,
        whose: Whose,
        scale: Scale,
        conduct: &Conduct,
        now: LocalTime,
        changes: &mut Vec<Change>,
    ) -> bool {
        let rule = limit.rule();
        let (Effect::State(state) | Effect::RefuseOrState(state)) = rule.effect else { return false };
        let known = self.trips.iter().position(|t| t.limit == limit && t.whose == whose && !t.is_soft);
        let beyond = scale.max.is_some_and(|max| scale.value > max);
        match (known, beyond) {
            (None, true) => {
                self.begin(
                    Trip {
                        limit,
                        whose,
                        is_soft: false,
                        state,
                        since: now,
                        reason: scale.reason(limit, false),
                        calm_since: None,
                    },
                    changes,
                );
                false
            }
            (Some(at), false) => match rule.ends {
                Ends::Operator => false,
                Ends::AtOnce | Ends::Midnight => self.end(at, changes),
                Ends::Itself => self.calm(at, scale.is_below(conduct.clear_percent), conduct, now, changes),
            },
            (Some(at), true) => {
                self.trips[at].calm_since = None;
                false
            }
            (None, false) => false,
        }
    }

    /// The warning before a limit: only what reduces risk is sent.
    fn warn(&mut self, limit: Limit, scale: Scale, conduct: &Conduct, now: LocalTime, changes: &mut Vec<Change>) {
        let known = self.trips.iter().position(|t| t.limit == limit && t.whose == Whose::Book && t.is_soft);
        let soft =
            (conduct.soft_percent > 0).then(|| scale.max.map(|max| max * i128::from(conduct.soft_percent) / 100));
        let scale = Scale { max: soft.flatten(), ..scale };
        let beyond = scale.max.is_some_and(|max| scale.value > max);
        match (known, beyond) {
            (None, true) => {
                let reason = scale.reason(limit, true);
                let state = RiskState::Reducing;
                self.begin(
                    Trip { limit, whose: Whose::Book, is_soft: true, state, since: now, reason, calm_since: None },
                    changes,
                );
            }
            (Some(at), true) => self.trips[at].calm_since = None,
            (Some(at), false) => {
                self.calm(at, scale.is_below(conduct.clear_percent), conduct, now, changes);
            }
            (None, false) => {}
        }
    }

    fn begin(&mut self, trip: Trip, changes: &mut Vec<Change>) {
        changes.push(Change { whose: trip.whose, reason: trip.reason, began: true });
        self.trips.push(trip);
    }

    fn end(&mut self, at: usize, changes: &mut Vec<Change>) -> bool {
        let trip = self.trips.remove(at);
        changes.push(Change { whose: trip.whose, reason: trip.reason, began: false });
        true
    }

    /// A trip within its limit: over once it has been well within for long enough.
    fn calm(&mut self, at: usize, is_calm: bool, conduct: &Conduct, now: LocalTime, changes: &mut Vec<Change>) -> bool {
        let trip = &mut self.trips[at];
        if !is_calm {
            trip.calm_since = None;
            return false;
        }
        let since = *trip.calm_since.get_or_insert(now);
        now.since(since) >= conduct.hold && self.end(at, changes)
    }
}

/// Whether nothing is beyond a limit, or its warning: nearly always, and told without going through them all.
fn is_calm(losses: &Losses, reading: &BookReading, limits: &RiskLimits) -> bool {
    let (book, soft) = (&limits.book, i128::from(limits.conduct.soft_percent));
    let within = |value: Money, max: Option<Money>, percent: i128| {
        value.0 <= 0 || max.is_none_or(|max| value.0 <= max.0 * percent / 100)
    };
    let soft = if soft == 0 { 100 } else { soft };
    within(losses.session, book.loss_max, soft)
        && within(losses.day, book.daily_loss_max, soft)
        && within(losses.hour, book.hourly_loss_max, soft)
        && within(losses.drawdown, book.drawdown_max, soft)
        && within(losses.fees, book.daily_fees_max, soft)
        && within(reading.funding, book.funding_max, 100)
}

/// A value and its limit.
#[derive(Clone, Copy, Debug)]
struct Scale {
    value: i128,
    max: Option<i128>,
    is_money: bool,
}

impl Scale {
    /// Whether it is at most this share of the limit; without one it is.
    fn is_below(self, percent: u32) -> bool {
        self.max.is_none_or(|max| self.value.saturating_mul(100) <= max.saturating_mul(i128::from(percent)))
    }

    fn reason(self, limit: Limit, is_soft: bool) -> Reason {
        Reason { limit, is_soft, value: self.value, max: self.max.unwrap_or_default(), is_money: self.is_money }
    }
}

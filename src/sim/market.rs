//! One market: a pit and everybody in it.

use super::activity::{Activity, Pace};
use super::agents::Population;
use super::message::{Due, Key, News, Notice, Traffic, Who};
use super::pit::Pit;
use super::scenario::Schedule;
use super::spec::{MarketSpec, SimSpec};
use super::value::Value;
use super::world::WorldEvent;
use crate::digest::{self, Digest};
use crate::exchange::matching::{Engine, Incoming};
use crate::units::{Lots, Nanos};

/// One symbol's market. It knows no other.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pit: Pit,
    populations: Vec<Population>,
}

impl Market {
    pub fn new(seed: u64, symbol: u16, spec: &MarketSpec, world: &SimSpec) -> Self {
        let birth = Nanos::ZERO - super::laws::seconds(world.warm_up_s);
        let name = spec.symbol();
        let schedule = Schedule::of(&world.scenario, &name);
        let mut value = Value::new(seed, &name, spec.start_ticks as f64, &spec.value, birth, &schedule);
        let mut pace = None;
        if let Some(spec) = &spec.activity {
            let activity = Activity::new(seed, &name, spec);
            value = value.follow(activity.clone(), spec);
            pace = Some(Pace::new(activity, spec.step_s, birth));
        }
        let mut pit = Pit::new(symbol, spec, value, pace, schedule, birth);
        let populations = Population::all(seed, spec, &world.scenario, &mut pit);
        let mut market = Self { pit, populations };
        market.advance(Nanos(-1));
        market.pit.rest_until(Nanos::ZERO);
        market.pit.events.clear();
        market.pit.traffic = Traffic::default();
        market
    }

    /// Lets everything happen that is due by `until`.
    pub fn advance(&mut self, until: Nanos) {
        let Self { pit, populations } = self;
        while let Some(due) = pit.next(until) {
            match due {
                Due::Wake(who) => {
                    pit.traffic.wakes += 1;
                    populations[who.population()].wake(who.member(), pit);
                }
                Due::Arrive(slot) => pit.arrive(slot),
                Due::Cancel(key) => pit.cancel(key),
                Due::Rests(slot, ahead) => hear(pit, populations, slot, Lots::ZERO, Some(News::Rests { ahead })),
                Due::Trades(slot, qty) => hear(pit, populations, slot, qty, None),
                Due::Filled(slot, qty) => {
                    hear(pit, populations, slot, qty, Some(News::Filled));
                    pit.forget(slot);
                }
                Due::Refused(slot, reason) => {
                    hear(pit, populations, slot, Lots::ZERO, Some(News::Refused(reason)));
                    pit.forget(slot);
                }
                Due::Ended(slot, left) => {
                    hear(pit, populations, slot, Lots::ZERO, Some(News::Ended { left }));
                    pit.forget(slot);
                }
                Due::Stays(key, reason) => pit.stays(key, reason),
            }
        }
        pit.rest_until(until);
    }

    /// Moves what happened since the last time into `events`.
    pub fn tell(&mut self, events: &mut Vec<WorldEvent>) {
        events.append(&mut self.pit.events);
    }

    pub fn next_at(&self) -> Option<Nanos> {
        self.pit.next_at()
    }

    pub fn engine(&self) -> &Engine {
        self.pit.engine()
    }

    pub fn update(&self) -> u64 {
        self.pit.update()
    }

    pub fn traffic(&self) -> Traffic {
        self.pit.traffic
    }

    pub fn value(&self) -> f64 {
        self.pit.value_now()
    }

    pub fn watch_orders(&mut self, watch: bool) {
        self.pit.watches_orders = watch;
    }

    /// Our order, on its way.
    pub fn send(&mut self, order: Incoming, latency: Nanos) -> Key {
        self.pit.send(Who::OUTSIDE, latency, order, None)
    }

    /// Our cancellation, on its way; `false` if we have heard that the order is gone.
    pub fn take_back(&mut self, key: Key) -> bool {
        self.pit.take_back(key)
    }

    pub fn ahead_of(&self, key: Key) -> Option<Lots> {
        self.pit.ahead_of(key)
    }

    pub fn prevent_self_trades(&mut self) {
        self.pit.prevent_self_trades();
    }

    pub fn notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.pit.take_notices()
    }

    /// Names of orders in use, and things due: what memory depends on.
    pub fn load(&self) -> (usize, usize) {
        (self.pit.known(), self.pit.waiting())
    }

    /// The fingerprint of everything random, where it stands.
    pub fn exogenous(&self) -> Digest {
        let streams: Vec<Digest> = self.populations.iter().map(Population::streams).collect();
        digest::of_state(&(self.pit.exogenous(), streams))
    }

    pub fn digest(&self) -> Digest {
        digest::of_state(&(self.pit.digest(), &self.populations))
    }
}

/// The owner of an order hears of it. Our own prints have come with their prices already.
#[inline]
fn hear(pit: &mut Pit, populations: &mut [Population], slot: u32, traded: Lots, news: Option<News>) {
    match pit.owner(slot) {
        Who::HOUSE => {}
        Who::OUTSIDE => pit.inform(news.map(|news| (slot, news))),
        who => {
            pit.traffic.notices += 1;
            if traded > Lots::ZERO {
                populations[who.population()].traded(who.member(), pit.side(slot), traded);
            }
        }
    }
}

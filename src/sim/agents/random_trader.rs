//! Traders who act in step, for nothing but speed: `bourse-de`'s `RandomAgents`.
//!
//! At every step each of them is active with some probability. Who is active takes his order back if he has one, else
//! places one on either side, at any price of a range and for any quantity of a range. They share one stream and one
//! draw a step each.

use serde::{Deserialize, Serialize};

use super::{Member, Nursery, check_members};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::laws;
use crate::sim::message::Key;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomSpec {
    /// Names their stream.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Time from step to step, seconds.
    pub step_s: f64,
    /// How late they see and send, microseconds: between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// Probability that one of them acts in a step.
    pub activity: f64,
    /// The lowest price, ticks.
    pub from_ticks: i64,
    /// Prices are this far apart, ticks.
    pub spacing_ticks: i64,
    /// How many prices there are.
    pub prices: u32,
    /// The smallest order, lots.
    pub min_lots: i64,
    /// The largest, lots.
    pub max_lots: i64,
}

impl RandomSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, 1.0, self.latency_us, check);
        check.number(&format!("{key}.step_s"), self.step_s, 1e-9..=1e9);
        check.number(&format!("{key}.activity"), self.activity, 0.0..=1.0);
        check.whole(&format!("{key}.from_ticks"), self.from_ticks, 1..=1 << 40);
        check.whole(&format!("{key}.spacing_ticks"), self.spacing_ticks, 1..=1 << 20);
        check.whole(&format!("{key}.prices"), i64::from(self.prices), 1..=1 << 16);
        check.whole(&format!("{key}.min_lots"), self.min_lots, 1..=1 << 38);
        check.whole(&format!("{key}.max_lots"), self.max_lots, self.min_lots..=self.min_lots.saturating_add(0xffff));
    }
}

/// The population. All of them are one member.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct RandomTraders {
    spec: RandomSpec,
    pub(super) members: Vec<Member>,
    orders: Vec<Key>,
}

impl RandomTraders {
    pub(super) fn new(spec: &RandomSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let members = nursery.members(&spec.name, 1, spec.latency_us);
        let first = pit.now + laws::seconds(spec.step_s);
        pit.wake(members[0].who, first);
        Self { spec: spec.clone(), members, orders: vec![Key::NONE; spec.count as usize] }
    }

    pub(super) fn wake(&mut self, _: usize, pit: &mut Pit) {
        let (spec, member) = (&self.spec, &mut self.members[0]);
        pit.wake(member.who, pit.now + laws::seconds(spec.step_s));
        // Parts of one draw: 24 bits say whether, one the side, 16 the price, 16 the quantity.
        let threshold = (spec.activity * f64::from(1 << 24)) as u64;
        let sizes = (spec.max_lots - spec.min_lots + 1) as u64;
        for last in &mut self.orders {
            let bits = member.stream.bits();
            if bits & 0xff_ffff >= threshold {
                continue;
            }
            if pit.order(*last).is_some() {
                pit.take_back(std::mem::replace(last, Key::NONE));
                continue;
            }
            let part = |shift: u32, n: u64| ((((bits >> shift) & 0xffff) * n) >> 16) as i64;
            let side = if bits >> 24 & 1 == 0 { Side::Bid } else { Side::Ask };
            let price = Ticks(spec.from_ticks + spec.spacing_ticks * part(25, u64::from(spec.prices)));
            let qty = Lots(spec.min_lots + part(41, sizes));
            let order = Incoming::new(side, OrderKind::Limit, price, qty);
            *last = pit.send(member.who, member.latency, order, None);
        }
    }
}

//! Noise traders: they buy or sell for reasons of their own.
//!
//! Each wakes up at random, takes back what of his last order still rests, flips a coin, and either pays what the
//! other side asks (what cannot trade there rests, as in ABIDES's `NoiseAgent`) or joins the best of his own side.

use serde::{Deserialize, Serialize};

use super::{Member, Nursery, check_members};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::laws::{self, SizeLaw};
use crate::sim::message::Key;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseSpec {
    /// Names their streams.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Mean time between two wake-ups of one of them, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// Size of an order.
    pub size: SizeLaw,
    /// Share of orders that pay the other side's price.
    pub taking_share: f64,
}

impl NoiseSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        self.size.check(&format!("{key}.size"), check);
        check.number(&format!("{key}.taking_share"), self.taking_share, 0.0..=1.0);
    }
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Noise {
    spec: NoiseSpec,
    pub(super) members: Vec<Member>,
    last: Vec<Key>,
}

impl Noise {
    pub(super) fn new(spec: &NoiseSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        Self { spec: spec.clone(), last: vec![Key::NONE; members.len()], members }
    }

    #[inline]
    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let member = &mut self.members[i];
        member.sleep(self.spec.mean_wait_s, pit);
        let side = if member.stream.uniform() < 0.5 { Side::Bid } else { Side::Ask };
        let takes = member.stream.uniform() < self.spec.taking_share;
        let qty = self.spec.size.of(laws::pair(&mut member.stream));
        let top = pit.seen(member.latency);
        pit.take_back(self.last[i]);
        let price = Ticks(if takes { top.best(side.opposite()) } else { top.best(side) });
        let order = Incoming::new(side, OrderKind::Limit, price, qty);
        self.last[i] = pit.send(member.who, member.latency, order, None);
    }
}

//! Providers of liquidity far from the price: much of a crypto book is theirs.
//!
//! Each keeps one order, on a side and at a distance from the mid of his own choice. At a wake-up he leaves it alone if
//! it still stands within the band; otherwise he takes it back and chooses anew.

use serde::{Deserialize, Serialize};

use super::{Member, Nursery, check_members};
use crate::exchange::matching::Incoming;
use crate::numeric;
use crate::order::OrderKind;
use crate::sim::laws::{self, SizeLaw};
use crate::sim::message::Key;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepSpec {
    /// Names their streams.
    pub name: String,
    /// How many, and about how many orders.
    pub count: u32,
    /// Mean time between two wake-ups of one of them, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// The nearest to the mid, ticks.
    pub from_ticks: i64,
    /// The farthest, ticks; distances between are equally likely on a logarithmic scale.
    pub to_ticks: i64,
    /// Size of an order.
    pub size: SizeLaw,
}

impl DeepSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        check.whole(&format!("{key}.from_ticks"), self.from_ticks, 1..=1 << 40);
        check.whole(&format!("{key}.to_ticks"), self.to_ticks, self.from_ticks.max(1)..=1 << 40);
        self.size.check(&format!("{key}.size"), check);
    }
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct DeepLiquidity {
    spec: DeepSpec,
    pub(super) members: Vec<Member>,
    orders: Vec<Key>,
}

impl DeepLiquidity {
    pub(super) fn new(spec: &DeepSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let members = nursery.members(&spec.name, spec.count, spec.latency_us);
        let mut deep = Self { spec: spec.clone(), orders: vec![Key::NONE; members.len()], members };
        // They were here before us.
        (0..deep.members.len()).for_each(|i| deep.wake(i, pit));
        deep
    }

    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let (spec, member) = (&self.spec, &mut self.members[i]);
        member.sleep(spec.mean_wait_s, pit);
        let side = if member.stream.uniform() < 0.5 { Side::Bid } else { Side::Ask };
        let (far, qty) = (member.stream.uniform(), spec.size.of(laws::pair(&mut member.stream)));
        let mid = pit.seen(member.latency).mid();
        if let Some(order) = pit.order(self.orders[i]) {
            let distance = (order.price.0 as f64 - mid).abs();
            if (spec.from_ticks as f64..=spec.to_ticks as f64).contains(&distance) {
                return;
            }
            pit.take_back(self.orders[i]);
        }
        let span = spec.to_ticks as f64 / spec.from_ticks as f64;
        let distance = spec.from_ticks as f64 * numeric::exp(far * numeric::ln(span));
        let price = Ticks((mid - side.sign() as f64 * distance) as i64);
        if price.0 >= 1 {
            let order = Incoming::new(side, OrderKind::PostOnly, price, qty);
            self.orders[i] = pit.send(member.who, member.latency, order, None);
        }
    }
}

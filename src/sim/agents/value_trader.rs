//! Traders with a noisy view of the value, after ABIDES's `ValueAgent`.
//!
//! Each keeps an estimate `r` with a variance `s²`. Time pulls the estimate to the mean and makes it less sure,
//! `r ← r̄ + (r - r̄)e^(-κΔ)`, `s² ← s²·e^(-2κΔ) + σ²(1 - e^(-2κΔ))/2κ`; a noisy look at the value `o` of variance `n`
//! moves it, `r ← (n·r + s²·o)/(n + s²)`, `s² ← n·s²/(n + s²)`. What the thing will be worth at the horizon is above
//! the mid: he buys; below: he sells. A tenth pays the other side's price, the others rest anywhere from there to
//! `depth` spreads behind. Before each order he takes the last one back.

use serde::{Deserialize, Serialize};

use super::{Member, Nursery, check_members};
use crate::exchange::matching::Incoming;
use crate::numeric;
use crate::order::OrderKind;
use crate::sim::laws::{self, SizeLaw};
use crate::sim::message::Key;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Nanos, Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueTraderSpec {
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
    /// Variance of one look at the value, ticks².
    pub look_variance_ticks2: f64,
    /// κ: how fast they think the value returns to the start, per second.
    pub reversion_per_s: f64,
    /// σ²: how fast they think it wanders, ticks² per second.
    pub shock_ticks2_per_s: f64,
    /// How far ahead they value it, seconds.
    pub horizon_s: f64,
    /// Share of orders that pay the other side's price.
    pub taking_share: f64,
    /// The others rest within this many spreads of it.
    pub depth_spreads: f64,
}

impl ValueTraderSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        self.size.check(&format!("{key}.size"), check);
        check.number(&format!("{key}.look_variance_ticks2"), self.look_variance_ticks2, 0.0..=1e18);
        check.number(&format!("{key}.reversion_per_s"), self.reversion_per_s, 1e-12..=1e3);
        check.number(&format!("{key}.shock_ticks2_per_s"), self.shock_ticks2_per_s, 1e-12..=1e18);
        check.number(&format!("{key}.horizon_s"), self.horizon_s, 0.0..=1e9);
        check.number(&format!("{key}.taking_share"), self.taking_share, 0.0..=1.0);
        check.number(&format!("{key}.depth_spreads"), self.depth_spreads, 0.0..=1e6);
    }
}

/// What one of them thinks.
#[derive(Clone, Copy, Debug, Serialize)]
struct Belief {
    value: f64,
    variance: f64,
    since: Nanos,
    last: Key,
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct ValueTraders {
    spec: ValueTraderSpec,
    mean: f64,
    pub(super) members: Vec<Member>,
    beliefs: Vec<Belief>,
}

impl ValueTraders {
    pub(super) fn new(spec: &ValueTraderSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        let mean = pit.value();
        let belief = Belief { value: mean, variance: 0.0, since: pit.now, last: Key::NONE };
        Self { spec: spec.clone(), mean, beliefs: vec![belief; members.len()], members }
    }

    #[inline]
    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let spec = &self.spec;
        let member = &mut self.members[i];
        member.sleep(spec.mean_wait_s, pit);
        let noise = laws::normal(laws::pair(&mut member.stream));
        let (takes, deep) = (member.stream.uniform() < spec.taking_share, member.stream.uniform());
        let qty = spec.size.of(laws::pair(&mut member.stream));

        let seen = pit.value() + numeric::sqrt(spec.look_variance_ticks2) * noise;
        let belief = &mut self.beliefs[i];
        belief.look(pit.now, seen, self.mean, spec);
        let worth = self.mean + (belief.value - self.mean) * numeric::exp(-spec.reversion_per_s * spec.horizon_s);

        let top = pit.seen(member.latency);
        let side = if worth >= top.mid() { Side::Bid } else { Side::Ask };
        let behind = if takes { 0 } else { (deep * spec.depth_spreads * top.spread() as f64) as i64 };
        let price = Ticks((top.best(side.opposite()) - side.sign() * behind).max(1));
        pit.take_back(belief.last);
        let order = Incoming::new(side, OrderKind::Limit, price, qty);
        belief.last = pit.send(member.who, member.latency, order, None);
    }
}

impl Belief {
    fn look(&mut self, now: Nanos, seen: f64, mean: f64, spec: &ValueTraderSpec) {
        let (kappa, noise) = (spec.reversion_per_s, spec.look_variance_ticks2);
        let decay = numeric::exp(-kappa * (now - self.since).seconds());
        let prior = mean + (self.value - mean) * decay;
        let grown = self.variance * decay * decay + spec.shock_ticks2_per_s * (1.0 - decay * decay) / (2.0 * kappa);
        let total = noise + grown;
        if total > 0.0 {
            self.value = (noise * prior + grown * seen) / total;
            self.variance = noise * grown / total;
        }
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_looks_are_weighed_by_their_variances() {
        let spec = ValueTraderSpec {
            name: "value".to_owned(),
            count: 1,
            mean_wait_s: 1.0,
            latency_us: [0.0, 0.0],
            size: SizeLaw::Fixed { lots: 1 },
            look_variance_ticks2: 4.0,
            reversion_per_s: 1e-9,
            shock_ticks2_per_s: 1.0,
            horizon_s: 0.0,
            taking_share: 0.1,
            depth_spreads: 2.0,
        };
        let mut belief = Belief { value: 1000.0, variance: 0.0, since: Nanos::ZERO, last: Key::NONE };
        // After 4 s the value is known to ±2: variance 4, as much as a look's. So half way: 1000 → 1005.
        belief.look(Nanos::from_s(4), 1010.0, 1000.0, &spec);
        assert!((belief.value - 1005.0).abs() < 1e-6 && (belief.variance - 2.0).abs() < 1e-6, "{belief:?}");
        // 2 s later 2 + 2 = 4 again: half way to 1001, and 2 of variance are left.
        belief.look(Nanos::from_s(6), 1001.0, 1000.0, &spec);
        assert!((belief.value - 1003.0).abs() < 1e-6 && (belief.variance - 2.0).abs() < 1e-6, "{belief:?}");
    }
}

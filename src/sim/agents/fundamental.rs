//! Fundamentalists: they pull the price to the value.
//!
//! Their demand is `κ·δ + κ₃·δ³` with `δ = V - mid`, in lots (extended Chiarella model: Majewski, Ciliberti & Bouchaud,
//! *Co-existence of trend and value in financial markets*, Journal of Economic Dynamics and Control 112, 2020). A
//! fraction of a lot is a lot with that probability. Those with a reflexive view believe that trades tell something,
//! and use `V + X` instead of `V`.

use serde::{Deserialize, Serialize};

use super::{LOTS_MAX, Member, Nursery, check_members, side_of, whole};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::laws::Lifetime;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundamentalSpec {
    /// Names their streams.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Mean time between two wake-ups of one of them, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// κ of one of them at one wake-up, lots per tick.
    pub kappa_lots_per_tick: f64,
    /// κ₃, lots per tick³.
    #[serde(default)]
    pub kappa3_lots_per_tick3: f64,
    /// The most one of them orders at once, lots.
    pub max_lots: i64,
    /// They trade only if the mid is off by more than this, ticks.
    #[serde(default)]
    pub edge_ticks: f64,
    /// Whether they believe that trades tell something about the value.
    #[serde(default)]
    pub reflexive: bool,
    /// Share of orders that take; the others join the best of their own side.
    pub taking_share: f64,
    /// How long those rest.
    pub lifetime: Lifetime,
}

impl FundamentalSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        check.number(&format!("{key}.kappa_lots_per_tick"), self.kappa_lots_per_tick, 0.0..=LOTS_MAX);
        check.number(&format!("{key}.kappa3_lots_per_tick3"), self.kappa3_lots_per_tick3, 0.0..=LOTS_MAX);
        check.whole(&format!("{key}.max_lots"), self.max_lots, 1..=LOTS_MAX as i64);
        check.number(&format!("{key}.edge_ticks"), self.edge_ticks, 0.0..=1e9);
        check.number(&format!("{key}.taking_share"), self.taking_share, 0.0..=1.0);
        self.lifetime.check(&format!("{key}.lifetime"), check);
    }
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Fundamental {
    spec: FundamentalSpec,
    pub(super) members: Vec<Member>,
}

impl Fundamental {
    pub(super) fn new(spec: &FundamentalSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        Self { spec: spec.clone(), members }
    }

    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let spec = &self.spec;
        let member = &mut self.members[i];
        member.sleep(spec.mean_wait_s, pit);
        let takes = member.stream.uniform() < spec.taking_share;
        let (fraction, life) = (member.stream.uniform(), member.stream.uniform());
        let worth = if spec.reflexive { pit.reflexive_value() } else { pit.value() };
        let top = pit.seen(member.latency);
        let away = worth - top.mid();
        if away.abs() <= spec.edge_ticks {
            return;
        }
        let demand = demand(away, spec.kappa_lots_per_tick, spec.kappa3_lots_per_tick3);
        let qty = Lots(whole(demand.abs(), fraction).min(spec.max_lots));
        if qty <= Lots::ZERO {
            return;
        }
        let side = side_of(demand);
        let (kind, price, life) = match takes {
            // Not beyond what it is worth to him.
            true => (OrderKind::Ioc, worth.max(1.0) as i64, None),
            false => (OrderKind::PostOnly, top.best(side), Some(spec.lifetime.of(life))),
        };
        pit.send(member.who, member.latency, Incoming::new(side, kind, Ticks(price), qty), life);
    }
}

/// `κδ + κ₃δ³`, lots; positive buys.
fn demand(away: f64, kappa: f64, kappa3: f64) -> f64 {
    away * (kappa + kappa3 * away * away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_is_odd_and_bends_upwards() {
        // .5·4 + .25·64 = 18
        assert_eq!((demand(4.0, 0.5, 0.25), demand(-4.0, 0.5, 0.25)), (18.0, -18.0));
        assert_eq!(demand(4.0, 0.5, 0.0), 2.0);
    }
}

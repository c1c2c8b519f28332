//! Trend followers.
//!
//! Chiarella's: a trend `M` that forgets at rate `α`, `dM = -αM dt + α dP`, and a demand of `β·tanh(γM)` lots. Between
//! two looks the price is taken to have gone in a straight line, so `M ← M·e^(-αΔ) + (1 - e^(-αΔ))·ΔP/Δ`, ticks per
//! second. Fast and slow ones are two populations.
//!
//! ABIDES's: each compares the mean of the last 20 mids he has seen with that of the last 50, and buys or sells.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{LOTS_MAX, Member, Nursery, check_members, side_of, whole};
use crate::exchange::matching::Incoming;
use crate::numeric;
use crate::order::OrderKind;
use crate::sim::laws::{self, Lifetime, SizeLaw};
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Nanos, Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MomentumSpec {
    /// Names their streams.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Mean time between two wake-ups of one of them, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// What they follow.
    pub trend: Trend,
    /// Share of orders that pay the other side's price; the others join the best of their own side.
    pub taking_share: f64,
    /// How long what does not trade rests.
    pub lifetime: Lifetime,
}

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Trend {
    /// `β·tanh(γM)`.
    Chiarella {
        /// α: how fast the trend forgets, per second.
        alpha_per_s: f64,
        /// β: the most one of them orders, lots.
        beta_lots: f64,
        /// γ: one over the trend that nearly convinces, seconds per tick.
        gamma_s_per_tick: f64,
    },
    /// Two moving averages of the mids seen.
    Averages {
        /// Looks in the short one.
        short: u32,
        /// Looks in the long one.
        long: u32,
        /// Size of an order.
        size: SizeLaw,
    },
}

impl MomentumSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        check.number(&format!("{key}.taking_share"), self.taking_share, 0.0..=1.0);
        self.lifetime.check(&format!("{key}.lifetime"), check);
        match &self.trend {
            Trend::Chiarella { alpha_per_s, beta_lots, gamma_s_per_tick } => {
                check.number(&format!("{key}.trend.chiarella.alpha_per_s"), *alpha_per_s, 1e-9..=1e6);
                check.number(&format!("{key}.trend.chiarella.beta_lots"), *beta_lots, 0.0..=LOTS_MAX);
                check.number(&format!("{key}.trend.chiarella.gamma_s_per_tick"), *gamma_s_per_tick, 0.0..=1e9);
            }
            Trend::Averages { short, long, size } => {
                check.whole(&format!("{key}.trend.averages.short"), i64::from(*short), 1..=9_999);
                check.whole(&format!("{key}.trend.averages.long"), i64::from(*long), i64::from(*short) + 1..=10_000);
                size.check(&format!("{key}.trend.averages.size"), check);
            }
        }
    }
}

/// What one of them has seen.
#[derive(Clone, Debug, Serialize)]
enum Memory {
    /// The trend, and the last look.
    Chiarella { trend: f64, mid: f64, since: Nanos },
    /// The last looks, and their sums.
    Averages { mids: VecDeque<f64>, short: f64, long: f64 },
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Momentum {
    spec: MomentumSpec,
    pub(super) members: Vec<Member>,
    memories: Vec<Memory>,
}

impl Momentum {
    pub(super) fn new(spec: &MomentumSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        let mid = pit.seen(Nanos::ZERO).mid();
        let memory = match spec.trend {
            Trend::Chiarella { .. } => Memory::Chiarella { trend: 0.0, mid, since: pit.now },
            Trend::Averages { long, .. } => {
                Memory::Averages { mids: VecDeque::with_capacity(long as usize + 1), short: 0.0, long: 0.0 }
            }
        };
        Self { spec: spec.clone(), memories: vec![memory; members.len()], members }
    }

    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let spec = &self.spec;
        let member = &mut self.members[i];
        member.sleep(spec.mean_wait_s, pit);
        let takes = member.stream.uniform() < spec.taking_share;
        let (life, size) = (member.stream.uniform(), laws::pair(&mut member.stream));
        let top = pit.seen(member.latency);
        let Some((side, qty)) = self.memories[i].look(&spec.trend, pit.now, top.mid(), size) else { return };
        let price = Ticks(top.best(if takes { side.opposite() } else { side }));
        let order = Incoming::new(side, OrderKind::Limit, price, qty);
        pit.send(member.who, member.latency, order, Some(spec.lifetime.of(life)));
    }
}

impl Memory {
    /// Takes in a look, and says what it makes its owner do.
    fn look(&mut self, trend: &Trend, now: Nanos, seen: f64, u: [f64; 2]) -> Option<(Side, Lots)> {
        match (self, trend) {
            (
                Memory::Chiarella { trend, mid, since },
                Trend::Chiarella { alpha_per_s, beta_lots, gamma_s_per_tick },
            ) => {
                let passed_s = (now - *since).seconds();
                if passed_s > 0.0 {
                    let keep = numeric::exp(-alpha_per_s * passed_s);
                    *trend = *trend * keep + (1.0 - keep) * (seen - *mid) / passed_s;
                }
                (*mid, *since) = (seen, now);
                let demand = beta_lots * numeric::tanh(gamma_s_per_tick * *trend);
                let qty = Lots(whole(demand.abs(), u[0]));
                (qty > Lots::ZERO).then(|| (side_of(demand), qty))
            }
            (Memory::Averages { mids, short, long }, Trend::Averages { short: few, long: many, size }) => {
                let (few, many) = (*few as usize, *many as usize);
                mids.push_back(seen);
                *short += seen;
                *long += seen;
                if mids.len() > few {
                    *short -= mids[mids.len() - 1 - few];
                }
                if mids.len() > many {
                    *long -= mids.pop_front().expect("it has more than many");
                }
                if mids.len() < many {
                    return None;
                }
                // Mids are halves of whole ticks, so the sums are exact and equal means are equal.
                let rising = *short * many as f64 >= *long * few as f64;
                Some((if rising { Side::Bid } else { Side::Ask }, size.of(u)))
            }
            (Memory::Chiarella { .. }, Trend::Averages { .. }) | (Memory::Averages { .. }, Trend::Chiarella { .. }) => {
                unreachable!("a memory is made for its trend")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rise_becomes_the_trend_and_is_forgotten() {
        let law = Trend::Chiarella { alpha_per_s: 0.5, beta_lots: 10.0, gamma_s_per_tick: 100.0 };
        let mut memory = Memory::Chiarella { trend: 0.0, mid: 1000.0, since: Nanos::ZERO };
        // Three ticks a second for twenty seconds: e^-10 of the beginning is left.
        for s in 1..=20 {
            let bought = memory.look(&law, Nanos::from_s(s), 1000.0 + 3.0 * s as f64, [0.5, 0.0]);
            assert_eq!(bought, Some((Side::Bid, Lots(10))), "tanh of a hundred is one");
        }
        let Memory::Chiarella { trend, .. } = memory.clone() else { panic!("{memory:?}") };
        assert!((trend - 3.0 * (1.0 - numeric::exp(-10.0))).abs() < 1e-9, "{trend}");
        // Nothing for four seconds: e^-2 of it is left.
        memory.look(&law, Nanos::from_s(24), 1060.0, [0.5, 0.0]);
        let Memory::Chiarella { trend: later, .. } = memory else { panic!() };
        assert!((later / trend - numeric::exp(-2.0)).abs() < 1e-9);
    }

    #[test]
    fn the_short_average_above_the_long_one_buys() {
        let law = Trend::Averages { short: 2, long: 4, size: SizeLaw::Fixed { lots: 7 } };
        let mut memory = Memory::Averages { mids: VecDeque::new(), short: 0.0, long: 0.0 };
        let mut look = |mid| memory.look(&law, Nanos::ZERO, mid, [0.0, 0.0]);
        assert_eq!((look(10.0), look(11.0), look(12.0)), (None, None, None));
        // (12 + 9)/2 = 10.5 and (10 + 11 + 12 + 9)/4 = 10.5: not below.
        assert_eq!(look(9.0), Some((Side::Bid, Lots(7))));
        // (9 + 8)/2 = 8.5 and (11 + 12 + 9 + 8)/4 = 10.
        assert_eq!(look(8.0), Some((Side::Ask, Lots(7))));
    }
}

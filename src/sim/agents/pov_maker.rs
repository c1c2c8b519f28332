//! Market makers who quote a share of the volume, after ABIDES's `AdaptiveMarketMakerAgent`.
//!
//! At every wake-up all quotes are taken back and placed anew. Their size is a share of what was traded since the last
//! wake-up; the ladder begins half a smoothed spread (`s ← α·spread + (1-α)·s`) from the mid, which is moved by
//! the imbalance of that volume times the skew, and its steps are a multiple of that spread.
//!
//! ABIDES sends the same messages again when the book leans to one side; that subscription is left out.

use serde::{Deserialize, Serialize};

use super::{Member, Nursery, check_members};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::message::Key;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PovMakerSpec {
    /// Names their streams.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Mean time between two wake-ups of one of them, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// Share of the volume since the last wake-up that each quote is for.
    pub volume_share: f64,
    /// The smallest quote, lots.
    pub min_lots: i64,
    /// Quotes a side.
    pub levels: u32,
    /// Distance of two levels, in smoothed spreads.
    pub spacing_spreads: f64,
    /// How far the ladder moves when all volume was bought, ticks.
    pub skew_ticks: f64,
    /// α: how much of the smoothed spread is the present one.
    pub spread_alpha: f64,
    /// The smoothed spread at the beginning, ticks.
    pub spread_ticks: f64,
}

impl PovMakerSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        check.number(&format!("{key}.volume_share"), self.volume_share, 0.0..=1.0);
        check.whole(&format!("{key}.min_lots"), self.min_lots, 1..=1 << 38);
        check.whole(&format!("{key}.levels"), i64::from(self.levels), 1..=1_000);
        check.number(&format!("{key}.spacing_spreads"), self.spacing_spreads, 0.0..=1_000.0);
        check.number(&format!("{key}.skew_ticks"), self.skew_ticks, 0.0..=1e6);
        check.number(&format!("{key}.spread_alpha"), self.spread_alpha, 0.0..=1.0);
        check.number(&format!("{key}.spread_ticks"), self.spread_ticks, 1.0..=1e6);
    }
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
struct Maker {
    spread: f64,
    /// Volume taken by buyers and by sellers, at the last look.
    taken: [u64; 2],
    quotes: Vec<Key>,
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct PovMakers {
    spec: PovMakerSpec,
    pub(super) members: Vec<Member>,
    makers: Vec<Maker>,
}

impl PovMakers {
    pub(super) fn new(spec: &PovMakerSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        let maker = Maker { spread: spec.spread_ticks, taken: pit.taken, quotes: Vec::new() };
        Self { spec: spec.clone(), makers: vec![maker; members.len()], members }
    }

    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let (spec, member, maker) = (&self.spec, &mut self.members[i], &mut self.makers[i]);
        member.sleep(spec.mean_wait_s, pit);
        for key in maker.quotes.drain(..) {
            pit.take_back(key);
        }
        let top = pit.seen(member.latency);
        maker.spread = spec.spread_alpha * top.spread() as f64 + (1.0 - spec.spread_alpha) * maker.spread;
        let [bought, sold] = [0, 1].map(|s| (pit.taken[s] - maker.taken[s]) as f64);
        maker.taken = pit.taken;
        let weather = pit.weather;
        let share = spec.volume_share * (bought + sold) * weather.liquidity_factor;
        let qty = Lots((share.round() as i64).clamp(spec.min_lots, 1 << 38));
        let lean = if bought + sold > 0.0 { 2.0 * bought / (bought + sold) - 1.0 } else { 0.0 };
        let centre = (top.mid() + lean * spec.skew_ticks) as i64;
        let half = 0.5 * maker.spread * weather.spread_factor;
        let step = (spec.spacing_spreads * maker.spread).round().max(1.0) as i64;
        let levels = (f64::from(spec.levels) * weather.liquidity_factor).ceil() as i64;
        for level in 0..levels {
            for (side, best) in [(Side::Bid, centre - half.floor() as i64), (Side::Ask, centre + half.ceil() as i64)] {
                let price = Ticks(best - side.sign() * level * step);
                if price.0 >= 1 {
                    let quote = Incoming::new(side, OrderKind::Limit, price, qty);
                    maker.quotes.push(pit.send(member.who, member.latency, quote, None));
                }
            }
        }
    }
}

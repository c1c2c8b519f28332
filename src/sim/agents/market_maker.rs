//! Market makers with a ladder of quotes around a price of their own.
//!
//! That price lies between the mid and the value, as far as they know it, and is shifted against what they hold: who
//! is long wants to sell. Quotes that stand where none is wanted go first, then what is missing is placed. When the
//! value moves through other people's orders the new quotes take them: this is what makes the price follow the value,
//! and the book is refilled after a sweep.

use serde::{Deserialize, Serialize};

use super::{LOTS_MAX, Member, Nursery, check_members};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::laws::{self, SizeLaw};
use crate::sim::message::Key;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakerSpec {
    /// Names their streams.
    pub name: String,
    /// How many.
    pub count: u32,
    /// Mean time between two looks of one of them, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// How much of the way from the mid to the value their price lies: 0 follows the market, 1 knows the value.
    pub value_weight: f64,
    /// Whether they believe that trades tell something about the value.
    #[serde(default)]
    pub reflexive: bool,
    /// No quote is nearer to their price than this, ticks.
    pub half_spread_ticks: i64,
    /// Quotes a side, at most 64.
    pub levels: u32,
    /// Quotes stand on multiples of this, ticks.
    pub spacing_ticks: i64,
    /// Size of one quote.
    pub size: SizeLaw,
    /// At this position they quote one side only, lots.
    pub position_max_lots: i64,
    /// How far their price is shifted there, ticks.
    pub skew_ticks: f64,
    /// Whether their quotes may take what is in the way; otherwise they are post-only, and
    /// stand no further than just in front of what is in the way.
    pub takes: bool,
}

impl MakerSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        check.number(&format!("{key}.value_weight"), self.value_weight, 0.0..=1.0);
        check.whole(&format!("{key}.half_spread_ticks"), self.half_spread_ticks, 0..=1_000_000);
        check.whole(&format!("{key}.levels"), i64::from(self.levels), 1..=64);
        check.whole(&format!("{key}.spacing_ticks"), self.spacing_ticks, 1..=1_000_000);
        self.size.check(&format!("{key}.size"), check);
        check.whole(&format!("{key}.position_max_lots"), self.position_max_lots, 1..=LOTS_MAX as i64);
        check.number(&format!("{key}.skew_ticks"), self.skew_ticks, 0.0..=1e6);
    }
}

/// One of them.
#[derive(Clone, Debug, Default, Serialize)]
struct Maker {
    position: i64,
    quotes: Vec<Key>,
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Makers {
    spec: MakerSpec,
    pub(super) members: Vec<Member>,
    makers: Vec<Maker>,
}

impl Makers {
    pub(super) fn new(spec: &MakerSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        Self { spec: spec.clone(), makers: vec![Maker::default(); members.len()], members }
    }

    pub(super) fn traded(&mut self, i: usize, side: Side, qty: Lots) {
        self.makers[i].position += side.sign() * qty.0;
    }

    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let (spec, member, maker) = (&self.spec, &mut self.members[i], &mut self.makers[i]);
        member.sleep(spec.mean_wait_s, pit);
        // One size for the whole ladder, so that a look is always the same draws.
        let size = spec.size.of(laws::pair(&mut member.stream));
        let top = pit.seen(member.latency);
        let mid = top.mid();
        let held = (maker.position as f64 / spec.position_max_lots as f64).clamp(-1.0, 1.0);
        let worth = if spec.reflexive { pit.reflexive_value() } else { pit.value() };
        let centre = mid + spec.value_weight * (worth - mid) - spec.skew_ticks * held;
        let weather = pit.weather;
        let half = (spec.half_spread_ticks as f64 * weather.spread_factor) as i64;
        let levels = (f64::from(spec.levels) * weather.liquidity_factor).ceil() as i64;
        let size = Lots(((size.0 as f64 * weather.liquidity_factor) as i64).max(1));
        let kind = if spec.takes { OrderKind::Limit } else { OrderKind::PostOnly };

        // The best price of each side, on the grid; the others follow it outwards.
        let grid = spec.spacing_ticks;
        let (mut most, mut least) = (centre.floor() as i64 - half, centre.ceil() as i64 + half);
        if !spec.takes {
            // Who may not take what is in the way quotes right in front of it: to be refused is to have no quote.
            (most, least) = (most.min(top.ask.0 - 1), least.max(top.bid.0 + 1));
        }
        let bid = most.div_euclid(grid) * grid;
        let ask = (least + grid - 1).div_euclid(grid) * grid;
        let wanted = [if held >= 1.0 { 0 } else { levels }, if held <= -1.0 { 0 } else { levels }];
        let mut stands = [0u64; 2];
        maker.quotes.retain(|&key| {
            let Some(order) = pit.order(key) else { return false };
            let side = order.side as usize;
            let out = if order.side == Side::Bid { bid - order.price.0 } else { order.price.0 - ask };
            let level = out.div_euclid(grid);
            let fits =
                out.rem_euclid(grid) == 0 && (0..wanted[side]).contains(&level) && stands[side] >> level & 1 == 0;
            if fits {
                stands[side] |= 1 << level;
            } else {
                pit.take_back(key);
            }
            fits
        });
        for side in Side::BOTH {
            for level in 0..wanted[side as usize] {
                let price = if side == Side::Bid { bid - level * grid } else { ask + level * grid };
                if stands[side as usize] >> level & 1 == 0 && price >= 1 {
                    let quote = Incoming::new(side, kind, Ticks(price), size);
                    maker.quotes.push(pit.send(member.who, member.latency, quote, None));
                }
            }
        }
    }
}

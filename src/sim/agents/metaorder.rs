//! Large orders in small pieces: why the signs of trades remember.
//!
//! Each trader works one parent order at a time, all of its pieces on one side, at random moments. How many pieces a
//! parent has follows a power law; if its survival function has the exponent α, the correlation of signs falls like
//! `τ^-(α-1)` (Lillo, Mike & Farmer, *Theory for long memory in supply and demand*, Physical Review E 71, 2005).

use serde::{Deserialize, Serialize};

use super::{LOTS_MAX, Member, Nursery, check_members, taking};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::laws::{self, Lifetime, SizeLaw};
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Side, Ticks};

/// A population of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaorderSpec {
    /// Names their streams.
    pub name: String,
    /// How many work at once.
    pub count: u32,
    /// Mean time between two pieces of one parent, seconds.
    pub mean_wait_s: f64,
    /// How late they see and send, microseconds: each somewhere between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// α: exponent of the survival function of the number of pieces, which are at least one.
    pub exponent: f64,
    /// The most pieces a parent has.
    pub pieces_max: u32,
    /// Pieces that pass in silence between two parents, on average.
    #[serde(default)]
    pub pause_pieces: f64,
    /// Whether a parent comes as one order instead, after which its owner is silent for as long as the pieces would have
    /// taken.
    #[serde(default)]
    pub at_once: bool,
    /// Size of a piece.
    pub size: SizeLaw,
    /// Orders that take reach no further than this beyond the best price they see, and what is left is cancelled, ticks;
    /// 0, if left out, takes whatever it costs.
    #[serde(default)]
    pub reach_ticks: i64,
    /// Share of pieces that take; the others join the best of their own side.
    pub taking_share: f64,
    /// How long those rest.
    pub lifetime: Lifetime,
}

impl MetaorderSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        check_members(key, &self.name, self.count, self.mean_wait_s, self.latency_us, check);
        check.number(&format!("{key}.exponent"), self.exponent, 0.1..=100.0);
        check.whole(&format!("{key}.pieces_max"), i64::from(self.pieces_max), 1..=1_000_000_000);
        check.number(&format!("{key}.pause_pieces"), self.pause_pieces, 0.0..=1e6);
        self.size.check(&format!("{key}.size"), check);
        check.whole(&format!("{key}.reach_ticks"), self.reach_ticks, 0..=1 << 40);
        check.number(&format!("{key}.taking_share"), self.taking_share, 0.0..=1.0);
        self.lifetime.check(&format!("{key}.lifetime"), check);
    }
}

/// What one of them works on.
#[derive(Clone, Copy, Debug, Serialize)]
struct Parent {
    side: Side,
    pieces_left: u32,
    pause_left: u32,
    /// Traded so far, lots.
    executed: Lots,
    /// Whether its end has not been told.
    is_open: bool,
}

/// The population.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Metaorders {
    spec: MetaorderSpec,
    pub(super) members: Vec<Member>,
    parents: Vec<Parent>,
}

impl Metaorders {
    pub(super) fn new(spec: &MetaorderSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let mut members = nursery.members(&spec.name, spec.count, spec.latency_us);
        members.iter_mut().for_each(|m| m.sleep(spec.mean_wait_s, pit));
        let idle = Parent { side: Side::Bid, pieces_left: 0, pause_left: 0, executed: Lots::ZERO, is_open: false };
        Self { spec: spec.clone(), parents: vec![idle; members.len()], members }
    }

    /// A piece traded.
    pub(super) fn traded(&mut self, i: usize, qty: Lots) {
        self.parents[i].executed += qty;
    }

    pub(super) fn wake(&mut self, i: usize, pit: &mut Pit) {
        let (spec, member, parent) = (&self.spec, &mut self.members[i], &mut self.parents[i]);
        member.sleep(spec.mean_wait_s, pit);
        let stream = &mut member.stream;
        let [side, pieces, pause, takes, life] = std::array::from_fn(|_| stream.uniform());
        let size = laws::pair(stream);
        if parent.pieces_left == 0 && std::mem::take(&mut parent.is_open) {
            // Every piece has a wait of its own; when that of the last one is over, so is the parent.
            pit.intends(member.who, parent.side, std::mem::take(&mut parent.executed));
        }
        if parent.pause_left > 0 {
            parent.pause_left -= 1;
            return;
        }
        if parent.pieces_left == 0 {
            let law = SizeLaw::PowerLaw {
                min_lots: 1,
                scale_lots: 1.0,
                exponent: spec.exponent,
                max_lots: i64::from(spec.pieces_max),
            };
            parent.side = if side < 0.5 { Side::Bid } else { Side::Ask };
            parent.pieces_left = law.of([pieces, 0.0]).0 as u32;
            parent.is_open = true;
            // A piece of the last parent may have traded after its end.
            parent.executed = Lots::ZERO;
            pit.intends(member.who, parent.side, Lots::ZERO);
        }
        let pieces = if spec.at_once { parent.pieces_left } else { 1 };
        parent.pieces_left -= pieces;
        if parent.pieces_left == 0 {
            let pause = super::whole(-spec.pause_pieces * crate::numeric::ln(1.0 - pause), 0.5) as u32;
            parent.pause_left = pause + pieces - 1;
        }
        let side = parent.side;
        let qty = Lots(spec.size.of(size).0.saturating_mul(i64::from(pieces)).min(LOTS_MAX as i64));
        let (order, life) = match takes < spec.taking_share {
            true => (taking(side, qty, spec.reach_ticks, member.latency, pit), None),
            false => {
                let price = Ticks(pit.seen(member.latency).best(side));
                (Incoming::new(side, OrderKind::Limit, price, qty), Some(spec.lifetime.of(life)))
            }
        };
        pit.send(member.who, member.latency, order, life);
    }
}

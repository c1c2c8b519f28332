//! A flow of orders without intelligence.
//!
//! Limit orders and market orders come as two processes and look at nothing but the best prices; every limit order
//! leaves when its time is up. That alone gives a book that breathes like a real one. How far, how much and how long
//! is drawn from laws that may be others when the spread is wide or at another hour of the day.

use serde::{Deserialize, Serialize};

use super::{Member, Nursery, taking};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::arrivals::{ArrivalSpec, Arrivals};
use crate::sim::laws::{self, Lifetime, Placement, SizeLaw};
use crate::sim::message::Who;
use crate::sim::pit::Pit;
use crate::sim::spec::Check;
use crate::units::{Lots, Nanos, Side, Ticks};

/// The flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroIntelligenceSpec {
    /// Names its streams.
    pub name: String,
    /// Limit orders, buys and sells together.
    pub limits: ArrivalSpec,
    /// Market orders, buys and sells together.
    pub markets: ArrivalSpec,
    /// How late it sees and sends, microseconds: between these two.
    #[serde(default)]
    pub latency_us: [f64; 2],
    /// Where limit orders are placed.
    pub placement: Placement,
    /// Their size.
    pub limit_size: SizeLaw,
    /// Their patience.
    pub lifetime: Lifetime,
    /// Size of market orders.
    pub market_size: SizeLaw,
    /// Orders that take reach no further than this beyond the best price they see, and what is left is cancelled, ticks;
    /// 0, if left out, takes whatever it costs.
    #[serde(default)]
    pub reach_ticks: i64,
    /// This share of all sizes is rounded up to a multiple of `round_lots`.
    #[serde(default)]
    pub round_share: f64,
    /// A round number, lots.
    #[serde(default = "one")]
    pub round_lots: i64,
    /// Other laws at other times; the first that fits counts.
    #[serde(default)]
    pub when: Vec<When>,
}

fn one() -> i64 {
    1
}

/// Laws for limit orders under a condition; what is not said stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The spread is at least this, ticks.
    #[serde(default)]
    pub spread_ticks_min: i64,
    /// From this time of the day on, seconds since midnight.
    #[serde(default)]
    pub from_s: f64,
    /// And before this.
    #[serde(default = "a_day")]
    pub to_s: f64,
    /// Where.
    #[serde(default)]
    pub placement: Option<Placement>,
    /// How much.
    #[serde(default)]
    pub limit_size: Option<SizeLaw>,
    /// How long.
    #[serde(default)]
    pub lifetime: Option<Lifetime>,
}

fn a_day() -> f64 {
    86_400.0
}

impl ZeroIntelligenceSpec {
    pub(in crate::sim) fn check(&self, key: &str, check: &mut Check) {
        if self.name.is_empty() {
            check.refuse(&format!("{key}.name"), "is empty; its random streams are named after it".to_owned());
        }
        self.limits.check(&format!("{key}.limits"), check);
        self.markets.check(&format!("{key}.markets"), check);
        check.latency(key, self.latency_us);
        self.placement.check(&format!("{key}.placement"), check);
        self.limit_size.check(&format!("{key}.limit_size"), check);
        self.lifetime.check(&format!("{key}.lifetime"), check);
        self.market_size.check(&format!("{key}.market_size"), check);
        check.whole(&format!("{key}.reach_ticks"), self.reach_ticks, 0..=1 << 40);
        check.number(&format!("{key}.round_share"), self.round_share, 0.0..=1.0);
        check.whole(&format!("{key}.round_lots"), self.round_lots, 1..=1 << 37);
        for (i, when) in self.when.iter().enumerate() {
            let key = format!("{key}.when[{i}]");
            check.whole(&format!("{key}.spread_ticks_min"), when.spread_ticks_min, 0..=1 << 40);
            check.number(&format!("{key}.from_s"), when.from_s, 0.0..=86_400.0);
            check.number(&format!("{key}.to_s"), when.to_s, when.from_s..=86_400.0);
            if let Some(law) = &when.placement {
                law.check(&format!("{key}.placement"), check);
            }
            if let Some(law) = &when.limit_size {
                law.check(&format!("{key}.limit_size"), check);
            }
            if let Some(law) = &when.lifetime {
                law.check(&format!("{key}.lifetime"), check);
            }
        }
    }
}

/// The flow, flowing: member 0 brings limit orders, member 1 market orders.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct ZeroIntelligence {
    spec: ZeroIntelligenceSpec,
    pub(super) members: Vec<Member>,
    arrivals: [Arrivals; 2],
    /// Whether the arrival each of them waits for counts.
    counts: [bool; 2],
}

const LIMITS: usize = 0;
const MARKETS: usize = 1;

impl ZeroIntelligence {
    pub(super) fn new(spec: &ZeroIntelligenceSpec, nursery: &Nursery<'_>, pit: &mut Pit) -> Self {
        let member = |(i, what): (usize, &str)| {
            let stream = format!("sim.{}.{}.{what}", nursery.symbol, spec.name);
            Member::new(Who::new(nursery.population, i), nursery.seed, &stream, spec.latency_us)
        };
        let mut flow = Self {
            members: ["limits", "markets"].into_iter().enumerate().map(member).collect(),
            arrivals: [Arrivals::new(&spec.limits), Arrivals::new(&spec.markets)],
            counts: [false; 2],
            spec: spec.clone(),
        };
        for (which, arrivals) in [(LIMITS, &spec.limits), (MARKETS, &spec.markets)] {
            if arrivals.per_s > 0.0 {
                flow.sleep(which, pit);
            }
        }
        flow
    }

    fn sleep(&mut self, which: usize, pit: &mut Pit) {
        let member = &mut self.members[which];
        let (at, counts) =
            self.arrivals[which].next(&mut member.stream, |wait| pit.later(wait).max(pit.now + Nanos(1)));
        self.counts[which] = counts;
        pit.wake(member.who, at);
    }

    pub(super) fn wake(&mut self, which: usize, pit: &mut Pit) {
        let counts = self.counts[which];
        self.sleep(which, pit);
        let stream = &mut self.members[which].stream;
        let side = if stream.uniform() < 0.5 { Side::Bid } else { Side::Ask };
        let (size, round) = (laws::pair(stream), stream.uniform());
        match which {
            LIMITS => {
                let (place, life, comes) = (laws::pair(stream), stream.uniform(), stream.uniform());
                if counts && comes < pit.weather.liquidity_factor {
                    self.place(side, place, size, round, life, pit);
                }
            }
            _ if counts => {
                let qty = self.rounded(self.spec.market_size.of(size), round, &self.spec.market_size);
                let Member { who, latency, .. } = self.members[which];
                let order = taking(side, qty, self.spec.reach_ticks, latency, pit);
                pit.send(who, latency, order, None);
            }
            _ => {}
        }
    }

    fn place(&self, side: Side, place: [f64; 2], size: [f64; 2], round: f64, life: f64, pit: &mut Pit) {
        let spec = &self.spec;
        let Member { who, latency, .. } = self.members[LIMITS];
        let top = pit.seen(latency);
        let time_of_day_s = Nanos(pit.now.0.rem_euclid(86_400_000_000_000)).seconds();
        let fits = |w: &&When| top.spread() >= w.spread_ticks_min && (w.from_s..w.to_s).contains(&time_of_day_s);
        let when = spec.when.iter().find(fits);
        let placement = when.and_then(|w| w.placement).unwrap_or(spec.placement);
        let limit_size = when.and_then(|w| w.limit_size).unwrap_or(spec.limit_size);
        let lifetime = when.and_then(|w| w.lifetime).unwrap_or(spec.lifetime);
        let (own, opposite) = (top.best(side), top.best(side.opposite()));
        let mut price = placement.of(side, own, opposite, place);
        if pit.weather.spread_factor > 1.0 {
            price = opposite + ((price - opposite) as f64 * pit.weather.spread_factor) as i64;
        }
        let qty = self.rounded(limit_size.of(size), round, &limit_size);
        let order = Incoming::new(side, OrderKind::PostOnly, Ticks(price.max(1)), qty);
        pit.send(who, latency, order, Some(lifetime.of(life)));
    }

    fn rounded(&self, qty: Lots, u: f64, law: &SizeLaw) -> Lots {
        if u >= self.spec.round_share {
            return qty;
        }
        let to = self.spec.round_lots;
        Lots((qty.0 + to - 1).div_euclid(to) * to).min(law.max())
    }
}

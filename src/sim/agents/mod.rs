//! Who is in the market: one kind of participant a file.
//!
//! A population holds all of its members; a member is woken up, looks, and sends. How often he wakes up and what he
//! draws when he does depends on nothing that happens in the market: at every wake-up a member makes the same number
//! of draws from a stream of his own, whether he needs them or not. So two runs of one seed that differ in what *we*
//! do differ in nothing else that is random, and what becomes different is our doing.

mod deep_liquidity;
mod forced;
mod fundamental;
mod informed;
mod market_maker;
mod metaorder;
mod momentum;
mod noise;
mod pov_maker;
mod random_trader;
mod value_trader;
mod zero_intelligence;

pub use deep_liquidity::DeepSpec;
pub use fundamental::FundamentalSpec;
pub use market_maker::MakerSpec;
pub use metaorder::MetaorderSpec;
pub use momentum::{MomentumSpec, Trend};
pub use noise::NoiseSpec;
pub use pov_maker::PovMakerSpec;
pub use random_trader::RandomSpec;
pub use value_trader::ValueTraderSpec;
pub use zero_intelligence::{When, ZeroIntelligenceSpec};

use serde::Serialize;

use super::laws;
use super::message::Who;
use super::pit::Pit;
use super::scenario::ScenarioSpec;
use super::spec::{Check, MarketSpec};
use crate::digest::{self, Digest};
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::rng::Stream;
use crate::units::{Lots, Nanos, Side, Ticks};

/// What every member has.
#[derive(Clone, Debug, Serialize)]
struct Member {
    who: Who,
    /// From the exchange to him, and from him to the exchange.
    latency: Nanos,
    stream: Stream,
}

impl Member {
    /// A stream of its own, and a latency between two bounds.
    fn new(who: Who, seed: u64, stream: &str, latency_us: [f64; 2]) -> Self {
        let mut stream = Stream::new(seed, stream);
        let us = latency_us[0] + (latency_us[1] - latency_us[0]) * stream.uniform();
        Self { who, latency: Nanos((us * 1e3) as i64), stream }
    }

    /// The next wake-up of a Poisson process. One draw.
    #[inline]
    fn sleep(&mut self, mean_s: f64, pit: &mut Pit) {
        let at = pit.later(laws::wait(self.stream.uniform(), mean_s)).max(pit.now + Nanos(1));
        pit.wake(self.who, at);
    }
}

/// Where a population is created.
struct Nursery<'a> {
    seed: u64,
    symbol: &'a str,
    population: usize,
}

impl Nursery<'_> {
    fn members(&self, name: &str, count: u32, latency_us: [f64; 2]) -> Vec<Member> {
        let member = |i: usize| {
            let stream = format!("sim.{}.{name}.{i}", self.symbol);
            Member::new(Who::new(self.population, i), self.seed, &stream, latency_us)
        };
        (0..count as usize).map(member).collect()
    }
}

/// A whole number of lots near `lots`, right on average; one uniform draw.
fn whole(lots: f64, u: f64) -> i64 {
    (lots + u).floor().min(LOTS_MAX) as i64
}

/// The engine's largest order.
const LOTS_MAX: f64 = (1i64 << 38) as f64;

/// An order that takes: whatever it costs, or no further than `reach_ticks` beyond the best price seen.
fn taking(side: Side, qty: Lots, reach_ticks: i64, latency: Nanos, pit: &Pit) -> Incoming {
    match reach_ticks {
        0 => Incoming::new(side, OrderKind::Market, Ticks(1), qty),
        reach => {
            let price = pit.seen(latency).best(side.opposite()) + side.sign() * reach;
            Incoming::new(side, OrderKind::Ioc, Ticks(price.max(1)), qty)
        }
    }
}

/// A buyer if positive.
fn side_of(demand: f64) -> Side {
    if demand >= 0.0 { Side::Bid } else { Side::Ask }
}

fn check_members(key: &str, name: &str, count: u32, mean_wait_s: f64, latency_us: [f64; 2], check: &mut Check) {
    if name.is_empty() {
        check.refuse(&format!("{key}.name"), "is empty; its random streams are named after it".to_owned());
    }
    check.whole(&format!("{key}.count"), i64::from(count), 0..=1_000_000);
    check.number(&format!("{key}.mean_wait_s"), mean_wait_s, 1e-6..=1e9);
    check.latency(key, latency_us);
}

macro_rules! populations {
    ($($kind:ident($file:ident, $list:ident)),* $(,)?) => {
        /// All members of one kind.
        #[derive(Clone, Debug, Serialize)]
        pub(super) enum Population {
            $($kind($file::$kind),)*
            Forced(forced::Forced),
            Informed(informed::Informed),
        }

        impl Population {
            /// Everybody a market's specification names, and whom the scenarios bring.
            pub fn all(seed: u64, market: &MarketSpec, scenarios: &[ScenarioSpec], pit: &mut Pit) -> Vec<Self> {
                let symbol = &market.symbol();
                let mut all: Vec<Self> = Vec::new();
                $(for spec in &market.$list {
                    let nursery = Nursery { seed, symbol, population: all.len() };
                    all.push(Self::$kind($file::$kind::new(spec, &nursery, pit)));
                })*
                for scenario in scenarios.iter().filter(|s| s.concerns(symbol)) {
                    let window = scenario.window();
                    if let Some(spec) = &scenario.forced {
                        let who = Who::new(all.len(), 0);
                        all.push(Self::Forced(forced::Forced::new(*spec, window, who, pit)));
                    }
                    if let Some(spec) = &scenario.informed {
                        let stream = format!("sim.{symbol}.scenario.{}", scenario.name);
                        let member = Member::new(Who::new(all.len(), 0), seed, &stream, [0.0, 0.0]);
                        all.push(Self::Informed(informed::Informed::new(spec, window, member, pit)));
                    }
                }
                all
            }

            /// A member wakes up.
            #[inline]
            pub fn wake(&mut self, member: usize, pit: &mut Pit) {
                match self {
                    $(Self::$kind(population) => population.wake(member, pit),)*
                    Self::Forced(seller) => seller.wake(pit),
                    Self::Informed(trader) => trader.wake(pit),
                }
            }
        }
    };
}

populations!(
    ZeroIntelligence(zero_intelligence, zero_intelligence),
    Noise(noise, noise),
    ValueTraders(value_trader, value_trader),
    Fundamental(fundamental, fundamental),
    Momentum(momentum, momentum),
    Makers(market_maker, market_maker),
    PovMakers(pov_maker, pov_maker),
    DeepLiquidity(deep_liquidity, deep_liquidity),
    Metaorders(metaorder, metaorder),
    RandomTraders(random_trader, random_trader),
);

impl Population {
    /// A member hears that an order of his traded.
    #[inline]
    pub fn traded(&mut self, member: usize, side: Side, qty: Lots, pit: &mut Pit) {
        match self {
            Self::Makers(makers) => makers.traded(member, side, qty),
            Self::Metaorders(splitters) => splitters.traded(member, qty, pit),
            Self::ZeroIntelligence(_)
            | Self::Noise(_)
            | Self::ValueTraders(_)
            | Self::Fundamental(_)
            | Self::Momentum(_)
            | Self::PovMakers(_)
            | Self::DeepLiquidity(_)
            | Self::RandomTraders(_)
            | Self::Forced(_)
            | Self::Informed(_) => {}
        }
    }

    /// The fingerprint of every stream where it stands.
    pub fn streams(&self) -> Digest {
        let of = |members: &[Member]| digest::of_state(&members.iter().map(|m| &m.stream).collect::<Vec<_>>());
        match self {
            Self::ZeroIntelligence(flow) => of(&flow.members),
            Self::Noise(p) => of(&p.members),
            Self::ValueTraders(p) => of(&p.members),
            Self::Fundamental(p) => of(&p.members),
            Self::Momentum(p) => of(&p.members),
            Self::Makers(p) => of(&p.members),
            Self::PovMakers(p) => of(&p.members),
            Self::DeepLiquidity(p) => of(&p.members),
            Self::Metaorders(p) => of(&p.members),
            Self::RandomTraders(p) => of(&p.members),
            Self::Forced(_) => Digest::default(),
            Self::Informed(p) => of(std::slice::from_ref(&p.member)),
        }
    }
}

//! What a simulated world is made of, as it stands in `config/sim/NAME.toml`.
//!
//! Populations are lists, one per kind, each with a name of its own: random streams are named after it, so adding a
//! population does not shift the draws of the others. Units are in the names of the keys: prices in ticks, quantities
//! in lots, of the market they stand in.
//!
//! [`SimSpec::from_toml`] is the only way in from text, and finds every mistake at once.

use std::ops::{Range, RangeInclusive};

use serde::{Deserialize, Serialize};

use super::activity::ActivitySpec;
use super::agents::{
    DeepSpec, FundamentalSpec, MakerSpec, MetaorderSpec, MomentumSpec, NoiseSpec, PovMakerSpec, RandomSpec,
    ValueTraderSpec, ZeroIntelligenceSpec,
};
use super::reflex::ReflexiveSpec;
use super::scenario::ScenarioSpec;
use super::value::ValueSpec;
use crate::market::{Instrument, VenueId};
use crate::units::{Lots, Money, NotOnStep, Step, Ticks};

/// The built-in copies of the files in `config/sim/`.
const DEMO: &str = include_str!("../../config/sim/demo.toml");
const RMSC04: &str = include_str!("../../config/sim/rmsc04.toml");
const BTC: &str = include_str!("../../config/sim/btc.toml");
const STRESS: &str = include_str!("../../config/sim/stress.toml");

/// Calls a macro with the lists of populations of a market.
macro_rules! populations {
    ($each:ident) => {
        $each!(
            zero_intelligence,
            noise,
            value_trader,
            fundamental,
            momentum,
            market_maker,
            pov_maker,
            deep_liquidity,
            metaorder,
            random_trader
        )
    };
}

/// A venue's worth of markets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimSpec {
    /// In a file: the name of something built in, whose markets stand before its own. [`SimSpec::from_toml`] puts them
    /// there, and leaves nothing here.
    #[serde(default, skip_serializing)]
    pub like: Option<String>,
    /// In a file with `like`: populations that are left out of those markets, by name.
    #[serde(default, skip_serializing)]
    pub without: Vec<String>,
    /// In a file with `like`: metaorder populations of those markets that send each parent as one order.
    #[serde(default, skip_serializing)]
    pub at_once: Vec<String>,
    /// A market has lived this long before its clock shows zero, seconds.
    #[serde(default = "a_minute")]
    pub warm_up_s: f64,
    /// One per symbol.
    #[serde(default)]
    pub market: Vec<MarketSpec>,
    /// Bad days.
    #[serde(default)]
    pub scenario: Vec<ScenarioSpec>,
}

fn a_minute() -> f64 {
    60.0
}

/// One market and everybody in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketSpec {
    /// Base asset; the symbol is base and quote together.
    pub base: String,
    /// Quote asset.
    pub quote: String,
    /// Price step, quote currency, as decimal text.
    pub tick_quote: String,
    /// Quantity step, base units, as decimal text.
    pub lot_base: String,
    /// Where price and value start, ticks.
    pub start_ticks: i64,
    /// What the thing is worth.
    pub value: ValueSpec,
    /// How busy everybody is.
    #[serde(default)]
    pub activity: Option<ActivitySpec>,
    /// Who answers when a side is empty.
    pub rescue: RescueSpec,
    /// How far trades move what traders with a reflexive view think it is worth.
    #[serde(default)]
    pub reflexive: Option<ReflexiveSpec>,
    /// Flows of orders without intelligence.
    #[serde(default)]
    pub zero_intelligence: Vec<ZeroIntelligenceSpec>,
    /// Noise traders.
    #[serde(default)]
    pub noise: Vec<NoiseSpec>,
    /// Traders with a noisy view of the value, as in ABIDES.
    #[serde(default)]
    pub value_trader: Vec<ValueTraderSpec>,
    /// Chiarella's fundamentalists.
    #[serde(default)]
    pub fundamental: Vec<FundamentalSpec>,
    /// Trend followers.
    #[serde(default)]
    pub momentum: Vec<MomentumSpec>,
    /// Market makers with a ladder around a price of their own.
    #[serde(default)]
    pub market_maker: Vec<MakerSpec>,
    /// Market makers who quote a share of the volume, as in ABIDES.
    #[serde(default)]
    pub pov_maker: Vec<PovMakerSpec>,
    /// Providers of liquidity far from the price.
    #[serde(default)]
    pub deep_liquidity: Vec<DeepSpec>,
    /// Large orders in small pieces.
    #[serde(default)]
    pub metaorder: Vec<MetaorderSpec>,
    /// Traders who act in step.
    #[serde(default)]
    pub random_trader: Vec<RandomSpec>,
}

/// Somebody always answers: an empty side gets one order at once, this far from the other side (or the last price).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RescueSpec {
    /// How far, ticks.
    pub depth_ticks: i64,
    /// How much, lots.
    pub lots: i64,
}

/// One mistake in a specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which key, dotted, with positions in lists: `market[0].noise[1].mean_wait_s`. Empty: not even TOML.
    pub key: String,
    /// Where in the text, if the reader of TOML knew.
    pub span: Option<Range<usize>>,
    /// What is wrong, with the value and what is allowed.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.is_empty() {
            true => f.write_str(&self.what),
            false => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

/// Collects mistakes.
#[derive(Debug, Default)]
pub struct Check {
    faults: Vec<Fault>,
}

impl Check {
    /// A number in its range.
    pub fn number(&mut self, key: &str, value: f64, allowed: RangeInclusive<f64>) {
        if !allowed.contains(&value) {
            self.refuse(key, format!("{value} is not allowed; allowed is {} to {}", allowed.start(), allowed.end()));
        }
    }

    /// A whole number in its range.
    pub fn whole(&mut self, key: &str, value: i64, allowed: RangeInclusive<i64>) {
        if !allowed.contains(&value) {
            self.refuse(key, format!("{value} is not allowed; allowed is {} to {}", allowed.start(), allowed.end()));
        }
    }

    /// A latency: two numbers of microseconds, the lower first.
    pub fn latency(&mut self, key: &str, us: [f64; 2]) {
        self.number(&format!("{key}.latency_us"), us[0], 0.0..=1e8);
        self.number(&format!("{key}.latency_us"), us[1], us[0].max(0.0)..=1e8);
    }

    /// Something else.
    pub fn refuse(&mut self, key: &str, what: String) {
        self.faults.push(Fault { key: key.to_owned(), span: None, what });
    }
}

impl SimSpec {
    /// BTCUSDT and ETHUSDT, as the embedded exchange runs them: `config/sim/demo.toml`.
    pub fn demo() -> Self {
        Self::from_toml(DEMO).expect("what is built in has been checked")
    }

    /// A population like ABIDES's reference configuration RMSC-4: `config/sim/rmsc04.toml`.
    pub fn rmsc04() -> Self {
        Self::from_toml(RMSC04).expect("what is built in has been checked")
    }

    /// Those that are built in: their names and texts.
    pub const BUILT_IN: [(&str, &str); 4] = [("demo", DEMO), ("btc", BTC), ("rmsc04", RMSC04), ("stress", STRESS)];

    /// The text of a built-in specification.
    pub fn built_in(name: &str) -> Option<&'static str> {
        Self::BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
    }

    /// Reads and checks a specification; every mistake, or none.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Fault>> {
        let read = |text: &str| {
            toml::from_str::<Self>(text).map_err(|e| {
                let what = e.message().to_owned();
                vec![Fault { key: String::new(), span: e.span(), what }]
            })
        };
        let mut spec = read(text)?;
        if let Some(name) = spec.like.take() {
            let known = Self::BUILT_IN.map(|(name, _)| name).join(", ");
            let fault = || Fault { key: "like".to_owned(), span: None, what: format!("\"{name}\" is none of {known}") };
            let mut model = read(Self::built_in(&name).ok_or_else(|| vec![fault()])?)?;
            let (without, at_once) = (std::mem::take(&mut spec.without), std::mem::take(&mut spec.at_once));
            let mut nobody: Vec<&String> = without.iter().chain(&at_once).collect();
            for market in &mut model.market {
                let names = market.leave_out(&without);
                nobody.retain(|name| !names.contains(name));
                for splitter in market.metaorder.iter_mut().filter(|m| at_once.contains(&m.name)) {
                    splitter.at_once = true;
                }
            }
            if let Some(unknown) = nobody.first() {
                let what = format!("no population of \"{name}\" is called \"{unknown}\"");
                return Err(vec![Fault { key: "like".to_owned(), span: None, what }]);
            }
            model.market.append(&mut spec.market);
            spec.market = model.market;
        }
        if !spec.without.is_empty() || !spec.at_once.is_empty() {
            let what = "`without` and `at_once` change the markets of `like`, and there is none".to_owned();
            return Err(vec![Fault { key: "like".to_owned(), span: None, what }]);
        }
        match spec.faults() {
            faults if faults.is_empty() => Ok(spec),
            faults => Err(faults),
        }
    }

    /// Everything in it that no market could be made of.
    pub fn faults(&self) -> Vec<Fault> {
        let mut check = Check::default();
        check.number("warm_up_s", self.warm_up_s, 0.0..=1e6);
        if self.market.is_empty() {
            check.refuse("market", "there is none; a world needs at least one [[market]]".to_owned());
        }
        for (i, market) in self.market.iter().enumerate() {
            let key = format!("market[{i}]");
            market.check(&key, &mut check);
            if self.market[..i].iter().any(|m| m.symbol() == market.symbol()) {
                check.refuse(&format!("{key}.base"), format!("{} is there already", market.symbol()));
            }
        }
        for (i, scenario) in self.scenario.iter().enumerate() {
            let key = format!("scenario[{i}]");
            scenario.check(&key, &mut check);
            if self.scenario[..i].iter().any(|s| s.name == scenario.name) {
                check.refuse(&format!("{key}.name"), format!("\"{}\" is there already", scenario.name));
            }
            for unknown in scenario.symbols.iter().filter(|s| !self.market.iter().any(|m| m.symbol() == **s)) {
                check.refuse(&format!("{key}.symbols"), format!("no market is called {unknown}"));
            }
        }
        check.faults
    }
}

/// The demo.
impl Default for SimSpec {
    fn default() -> Self {
        Self::demo()
    }
}

impl MarketSpec {
    /// Base and quote together.
    pub fn symbol(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }

    /// The venue's rules.
    pub fn rules(&self) -> Result<Instrument, NotOnStep> {
        let (tick, lot) = (Step::parse(&self.tick_quote)?, Step::parse(&self.lot_base)?);
        let venue = VenueId::BinanceSpot;
        let mut rules = Instrument::new(venue, &self.symbol(), &self.base, &self.quote, tick, lot)?;
        rules.min_notional = Money(5 * Money::PER_QUOTE);
        rules.max_qty = Lots(100_000_000_000);
        Ok(rules)
    }

    /// Where it starts.
    pub fn start(&self) -> Ticks {
        Ticks(self.start_ticks)
    }

    /// Every population of these names goes; returns the names of all that were there.
    fn leave_out(&mut self, without: &[String]) -> Vec<String> {
        let mut names = Vec::new();
        macro_rules! each {
            ($($list:ident),*) => {$(
                names.extend(self.$list.iter().map(|population| population.name.clone()));
                self.$list.retain(|population| !without.contains(&population.name));
            )*};
        }
        populations!(each);
        names
    }

    fn check(&self, key: &str, check: &mut Check) {
        if let Err(error) = self.rules() {
            check.refuse(&format!("{key}.tick_quote"), format!("with this lot_base: {error}"));
        }
        check.whole(&format!("{key}.start_ticks"), self.start_ticks, 1..=1 << 47);
        self.value.check(&format!("{key}.value"), check);
        check.whole(&format!("{key}.rescue.depth_ticks"), self.rescue.depth_ticks, 1..=1_000_000);
        check.whole(&format!("{key}.rescue.lots"), self.rescue.lots, 1..=1 << 38);
        if let Some(activity) = &self.activity {
            activity.check(&format!("{key}.activity"), check);
        }
        if let Some(reflexive) = &self.reflexive {
            reflexive.check(&format!("{key}.reflexive"), check);
        }
        let mut names: Vec<&str> = Vec::new();
        macro_rules! each {
            ($($list:ident),*) => {$(
                for (i, population) in self.$list.iter().enumerate() {
                    let key = format!("{key}.{}[{i}]", stringify!($list));
                    population.check(&key, check);
                    if names.contains(&population.name.as_str()) {
                        check.refuse(&format!("{key}.name"), format!("\"{}\" is there already", population.name));
                    }
                    names.push(&population.name);
                }
            )*};
        }
        populations!(each);
        check.whole(key, names.len() as i64, 0..=200);
    }
}

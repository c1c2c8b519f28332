//! A market made like a recorded one.
//!
//! Half of a market's parameters can be read off a recording: how often orders come, where they go, how much they are for, when
//! they leave, how much the value moves. [`mod@estimate`] does, by maximum likelihood. The other half shows only in what comes of
//! it: who pulls the price to the value, who follows it, who works large orders. Those are looked for: a [`mod@search`] pulls at
//! [`levers`], simulates, and compares [facts](crate::metrics::flow::likeness) of the simulation, seen through the glass the
//! recording was made through ([`lens`]), with those of the recording.
//!
//! Where a recording is silent (a quarter of an hour does not tell how volatility clusters), the
//! [bands](crate::metrics::facts::bands) of real markets can speak: [`Typical`].
//!
//! Reading order: [`calibrate()`], then [`mod@estimate`] or [`mod@search`]; [`keys`] is how a specification is pulled at, [`mod@write`] what
//! becomes of it.

pub mod estimate;
pub mod keys;
pub mod lens;
pub mod levers;
pub mod search;
#[cfg(test)]
mod tests;
pub mod write;

use super::realism::{told_by_market, told_by_session};
use super::rerun::{Inputs, RerunError};
use crate::market::{Instrument, InstrumentId};
use crate::metrics::facts::bands::{Judgement, judge, judge_by};
use crate::metrics::facts::tape::{Material, Tape};
use crate::metrics::flow::likeness::{Fact, differences, facts};
use crate::metrics::flow::listen::{Listener, Orderflow};
use crate::sim::{MarketSpec, SimSpec};
use crate::units::Nanos;
use estimate::{Estimates, TooLittle, estimate};
use keys::Units;
use lens::{Glass, Lens};
use levers::{Lever, usual};
use search::{Course, Effort, search};

/// A flow keeps at least this share of what was recorded, however much others bring.
const SHARE_MIN: f64 = 0.1;
/// Aggressors whose arrivals are judged in the search.
const JUDGED_MAX: usize = 10_000;
/// A band's middle is at 0, its ends at 1 and -1: from here on it costs.
const AT_EASE: f64 = 0.7;
/// How much one half-width of a band costs, in errors of a fact.
const BAND_WEIGHT: f64 = 3.0;
/// A band that a market does not even tell is missed by so many half-widths.
const UNTOLD: f64 = 4.0;

/// When the bands of real markets count beside the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typical {
    /// Never: the recording is all there is.
    Never,
    /// Those that the recording is too short, or not made, to judge.
    Silent,
    /// All, also those that the recording misses.
    All,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What to begin with: its market of the recorded symbol, or its first.
    pub base: SimSpec,
    /// Levers to pull; `None`: the usual ones.
    pub levers: Option<Vec<Lever>>,
    /// How long each simulation lasts.
    pub lasting: Nanos,
    /// How hard to look.
    pub effort: Effort,
    /// What counts beside the recording.
    pub typical: Typical,
}

/// A recording, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Prices and trades.
    pub material: Material,
    /// Orders.
    pub flow: Orderflow,
}

/// One lever, where it was left.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulled {
    /// Which.
    pub lever: Lever,
    /// By how much.
    pub factor: f64,
    /// What the first value it pulls at now is.
    pub value: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// The market; it stands alone.
    pub spec: SimSpec,
    /// What was read off the recording.
    pub estimates: Estimates,
    /// Facts of the recording that are told.
    pub facts: Vec<Fact>,
    /// Differences of those at the start and at the end, errors; mean over the last simulations. Bands that count stand
    /// behind the facts, in half-widths from their middle.
    pub course: Course,
    /// Bands that count beside the recording.
    pub typical: Vec<&'static str>,
    /// Where the levers were left.
    pub pulled: Vec<Pulled>,
    /// The recording before the bands.
    pub recorded: Judgement,
    /// The market before the bands.
    pub judged: Judgement,
    /// What should be known of how it was done.
    pub notes: Vec<String>,
}

/// Why no market is made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CalibrateError {
    /// The recording does not tell enough.
    #[error(transparent)]
    TooLittle(#[from] TooLittle),
    /// In the recording's ticks and lots the base is no market.
    #[error(
        "in the recording's units the base is no market: {0}; choose another base with --like, or import with a coarser tick"
    )]
    Base(String),
    /// A lever that was asked for is none of this market.
    #[error("{path} leads to no number of this market that is not zero; some that do: {known}")]
    Idle {
        /// Which.
        path: String,
        /// The usual ones.
        known: String,
    },
}

/// Listens to a recording of one instrument.
pub fn listen(inputs: &mut dyn Inputs, instrument: InstrumentId) -> Result<Recording, RerunError> {
    let (tape, flow) = told_by_session(inputs, instrument, (Tape::new(), Listener::default()))?;
    Ok(Recording { material: tape.finish(), flow: flow.finish() })
}

/// Makes a market like the recorded one.
///
/// * `rules` — of the recorded instrument: names and steps of the market that is made
/// * `told` — hears of every round that is over: its number, the lowest distance so far
pub fn calibrate(
    recording: &Recording,
    rules: &Instrument,
    wish: &Wish,
    told: impl FnMut(usize, f64),
) -> Result<Calibration, CalibrateError> {
    let estimates = estimate(&recording.material, &recording.flow)?;
    let glass = Glass::of(&recording.flow);
    let recorded = judge(&recording.material);
    let all = facts(&recording.material, &recording.flow, true);
    let typical: Vec<&'static str> = recorded
        .bands
        .iter()
        .filter(|band| match wish.typical {
            Typical::Never => false,
            Typical::Silent => band.inside.is_none(),
            Typical::All => true,
        })
        .map(|band| band.name)
        .collect();
    let mut notes = Vec::new();
    let start = begin(recording, rules, wish, &estimates, glass, &mut notes);
    let levers = wish.levers.clone().unwrap_or_else(|| usual(&start));
    if let Some(idle) = levers.iter().find(|lever| !lever.pulls(&start)) {
        let known = usual(&start).into_iter().map(|lever| lever.path).collect::<Vec<_>>().join(", ");
        return Err(CalibrateError::Idle { path: idle.path.clone(), known });
    }
    let mut bench = Bench { start, levers, base: wish.base.clone(), glass, lasting: wish.lasting, all, typical };
    let counted = bench.all.iter().filter(|fact| fact.value.is_some()).count();
    let middle = vec![0.5; bench.levers.len()];
    let Some((first, _)) = bench.spec(&middle) else {
        return Err(CalibrateError::Base(bench.faults(&middle)));
    };
    let tape = told_by_market(&first, wish.effort.seed, 0, wish.lasting, Tape::new(), |_| ());
    let untold = judge(&tape.finish()).bands.into_iter().filter(|band| band.inside.is_none()).map(|band| band.name);
    for name in untold {
        if bench.typical.contains(&name) {
            notes.push(format!("{name} does not count: a simulation takes longer to tell it (--for)"));
            bench.typical.retain(|counted| *counted != name);
        }
    }
    let course =
        search(&wish.effort, &middle, |at, seed| bench.ask(at, seed), |differences| amount(differences, counted), told);

    let (spec, mut tree) = bench.spec(&course.best.at).expect("the best was simulated");
    let pulled = bench.levers.iter().zip(&course.best.at).map(|(lever, at)| Pulled {
        lever: lever.clone(),
        factor: lever.factor(*at),
        value: keys::value(&mut tree, &lever.path).unwrap_or(f64::NAN),
    });
    let pulled = pulled.collect();
    let material = told_by_market(&spec, wish.effort.seed, 0, wish.lasting, Tape::new(), |_| ()).finish();
    let told = bench.all.iter().filter(|fact| fact.value.is_some()).copied().collect();
    Ok(Calibration {
        spec,
        estimates,
        facts: told,
        course,
        typical: bench.typical,
        pulled,
        recorded,
        judged: judge(&material),
        notes,
    })
}

/// The base in the recording's units and at its pace, with what was estimated written into it.
fn begin(
    recording: &Recording,
    rules: &Instrument,
    wish: &Wish,
    estimates: &Estimates,
    glass: Glass,
    notes: &mut Vec<String>,
) -> toml::Value {
    let symbol = format!("{}{}", rules.base, rules.quote);
    let base = wish.base.market.iter().find(|market| market.symbol() == symbol).unwrap_or(&wish.base.market[0]);
    let mut market = base.clone();
    let known = |mid: &&f64| mid.is_finite() && **mid > 0.0;
    let price = recording.material.mids.iter().find(known).copied().unwrap_or(1.0);
    market.base.clone_from(&rules.base);
    market.quote.clone_from(&rules.quote);
    market.tick_quote = rules.tick.size().normalize().to_string();
    market.lot_base = rules.lot.size().normalize().to_string();
    market.start_ticks = (price.round() as i64).max(1);
    market.value.volatility_bps = estimates.volatility.0.value;
    let mut tree = keys::tree(&market);

    // How much everybody trades, how often and how far apart is seen in a simulation.
    let (material, flow) = hear(&alone(base, &wish.base), glass, wish);
    let rate = |material: &Material| material.orders as f64 / material.seconds.max(1.0);
    let median = |lots: &[f64]| {
        let mut lots = lots.to_vec();
        lots.sort_by(f64::total_cmp);
        lots.get(lots.len() / 2).copied().unwrap_or(1.0)
    };
    let lots = median(&recording.material.sizes) / median(&material.sizes);
    let ticks = near_one(median_spread(&recording.material) / median_spread(&material));
    let seconds = near_one(rate(&material).max(1e-9) / rate(&recording.material));
    keys::convert(&mut tree, Units { ticks, lots, seconds });
    let digits = keys::short;
    notes.push(format!(
        "{} of the base: a tick became {}, a lot {}, a second {}",
        base.symbol(),
        digits(ticks),
        digits(lots),
        digits(seconds)
    ));

    let mut market = keys::market(tree.clone()).expect("only its numbers have changed");
    let Some(own) = market.zero_intelligence.first_mut() else {
        notes.push("the base has no flow of orders: what was estimated of orders is told, not written".to_owned());
        return tree;
    };
    // What the others bring is not the flow's.
    let nominal = |of: &crate::sim::arrivals::ArrivalSpec| of.per_s / (1.0 - of.branching);
    let (limits, takers) = (flow.limits as f64 / flow.known_s.max(1.0), rate(&material));
    let mut share = |what: &str, seen: f64, own: f64, recorded: f64| {
        let others = (seen / seconds - own).max(0.0);
        let share = (1.0 - others / recorded).max(SHARE_MIN);
        notes.push(format!("{what}: the flow brings {} of them, others the rest", digits(share)));
        share
    };
    let of_takers = share("market orders", takers, nominal(&own.markets), estimates.takers.mean.value);
    let of_limits = match &estimates.limits {
        Ok(found) => share("limit orders", limits, nominal(&own.limits), found.mean.value),
        Err(_) => 1.0,
    };
    estimates.write(own, [of_limits, of_takers]);
    tree = keys::tree(&market);
    keys::shorten(&mut tree);
    tree
}

/// One, of a ratio that is nearly that: what is alike already stays as it is.
fn near_one(ratio: f64) -> f64 {
    if (0.5..=2.0).contains(&ratio) { 1.0 } else { ratio }
}

/// Ticks; half of the time it is no wider.
fn median_spread(material: &Material) -> f64 {
    let total: i64 = material.spreads.values().sum();
    let mut passed = 0;
    let reaches = |(_, ns): &(&i64, &i64)| {
        passed += **ns;
        2 * passed >= total
    };
    material.spreads.iter().find(reaches).map_or(1.0, |(ticks, _)| (*ticks).max(1) as f64)
}

/// A world of one market and no bad days, as old as the base.
fn alone(market: &MarketSpec, base: &SimSpec) -> SimSpec {
    SimSpec { market: vec![market.clone()], scenario: Vec::new(), ..base.clone() }
}

fn hear(spec: &SimSpec, glass: Glass, wish: &Wish) -> (Material, Orderflow) {
    let ear = Lens::new(glass, (Tape::new(), Listener::default()));
    // Rates and medians of less than a minute are none.
    let lasting = wish.lasting.max(Nanos::from_s(60));
    let (tape, flow) = told_by_market(spec, wish.effort.seed, 0, lasting, ear, |_| ()).finish();
    (tape.finish(), flow.finish())
}

/// Where markets are tried out.
struct Bench {
    start: toml::Value,
    levers: Vec<Lever>,
    base: SimSpec,
    glass: Glass,
    lasting: Nanos,
    /// Of the recording.
    all: Vec<Fact>,
    typical: Vec<&'static str>,
}

impl Bench {
    /// The market with its levers pulled; `None` if no world could be made of it.
    fn spec(&self, at: &[f64]) -> Option<(SimSpec, toml::Value)> {
        let mut tree = self.start.clone();
        self.levers.iter().zip(at).for_each(|(lever, at)| {
            keys::pull(&mut tree, &lever.path, lever.factor(*at));
        });
        let market = keys::market(tree.clone())?;
        let spec = alone(&market, &self.base);
        spec.faults().is_empty().then_some((spec, tree))
    }

    /// What keeps a world from being made.
    fn faults(&self, at: &[f64]) -> String {
        let mut tree = self.start.clone();
        self.levers.iter().zip(at).for_each(|(lever, at)| {
            keys::pull(&mut tree, &lever.path, lever.factor(*at));
        });
        let Some(market) = keys::market(tree) else { return "a number is out of the range of its key".to_owned() };
        let faults = alone(&market, &self.base).faults();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Differences of a market from the recording, then from the bands that count.
    fn ask(&self, at: &[f64], seed: u64) -> Vec<f64> {
        let Some((spec, _)) = self.spec(at) else {
            let nothing: Vec<Fact> = self.all.iter().map(|fact| Fact { value: None, ..*fact }).collect();
            let mut far = differences(&self.all, &nothing);
            far.extend(vec![UNTOLD; self.typical.len()]);
            return far;
        };
        let behind = Lens::new(self.glass, (Tape::new(), Listener::default()));
        let (tape, behind) = told_by_market(&spec, seed, 0, self.lasting, (Tape::new(), behind), |_| ());
        let (seen, flow) = behind.finish();
        let mut away = differences(&self.all, &facts(&seen.finish(), &flow.finish(), false));
        if !self.typical.is_empty() {
            let mut material = tape.finish();
            material.times.truncate(JUDGED_MAX);
            let judged = judge_by(&material, |name| self.typical.contains(&name));
            away.extend(judged.bands.iter().map(|band| {
                let half = 0.5 * (band.high - band.low);
                match (band.value.map(|value| (value - band.low) / half - 1.0), band.inside) {
                    (Some(off), Some(false)) if off.abs() <= 1.0 => 1.0 + off.abs(),
                    (Some(off), Some(_)) => off.clamp(-UNTOLD, UNTOLD),
                    (None, Some(_)) | (_, None) => UNTOLD,
                }
            }));
        }
        away
    }
}

/// What differences amount to: the mean over facts and bands; of the first `facts` their magnitude, of the others what
/// they are out of their band.
pub fn amount(differences: &[f64], facts: usize) -> f64 {
    let (of_facts, of_bands) = differences.split_at(facts.min(differences.len()));
    let bands = of_bands.iter().map(|off| BAND_WEIGHT * (off.abs() - AT_EASE).max(0.0)).sum::<f64>();
    (of_facts.iter().map(|z| z.abs()).sum::<f64>() + bands) / differences.len().max(1) as f64
}

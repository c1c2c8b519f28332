//! What can be read off a recording: the parameters of its flow of orders, each with its error, and the laws made of them.

use serde_json::{Value, json};

use crate::metrics::facts::tails::{Lomax, lomax};
use crate::metrics::facts::tape::{Material, Told};
use crate::metrics::facts::{Estimate, Unmeasured};
use crate::metrics::flow::likeness::withdrawals;
use crate::metrics::flow::listen::Orderflow;
use crate::metrics::flow::lives::{Patience, patience};
use crate::metrics::flow::rates::{Rate, rate};
use crate::metrics::flow::sizes::{Sizes, sizes};
use crate::metrics::flow::volatility::volatility_bps;
use crate::numeric::{exp_m1, ln_1p, sqrt};
use crate::sim::ZeroIntelligenceSpec;
use crate::sim::laws::{Lifetime, Placement};

/// Fewest aggressors a market is made from.
pub const TAKERS_MIN: usize = 200;
/// Shortest recording, seconds with a mid.
pub const SECONDS_MIN: usize = 60;
/// Nothing is placed deeper than this, ticks.
const DEEPEST: i64 = 1_000_000_000;

/// Where limit orders go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spots {
    /// Share that goes inside, of those who find room there.
    pub inside: Estimate,
    /// Behind the best price, ticks.
    pub behind: Lomax,
    /// The deepest seen, ticks.
    pub deepest: i64,
}

/// How orders leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaving {
    /// Told order by order.
    Lives(Patience),
    /// Seen in levels: lots that leave without a trade per lot and second, near the best price.
    Withdrawn(Estimate),
}

/// All of it; what a recording does not tell is said why.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    /// Market orders.
    pub takers: Rate,
    /// Their sizes.
    pub taker_sizes: Sizes,
    /// Limit orders, or levels that grew.
    pub limits: Result<Rate, Unmeasured>,
    /// Their sizes.
    pub limit_sizes: Result<Sizes, Unmeasured>,
    /// Where they go.
    pub spots: Result<Spots, Unmeasured>,
    /// When they leave.
    pub leaving: Result<Leaving, Unmeasured>,
    /// Of the value, basis points per √second, and the horizon it was seen at.
    pub volatility: (Estimate, usize),
}

/// Why no market can be made of a recording: everything that is missing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("too little to make a market of: {}", .missing.join("; "))]
pub struct TooLittle {
    /// What, and how much.
    pub missing: Vec<String>,
}

/// Reads what can be read.
pub fn estimate(material: &Material, flow: &Orderflow) -> Result<Estimates, TooLittle> {
    let seconds = material.mids.iter().filter(|mid| mid.is_finite()).count();
    let mut missing = Vec::new();
    if material.bar_s.is_some() {
        missing.push("it tells bars, not orders".to_owned());
    }
    if material.times.len() < TAKERS_MIN {
        missing.push(format!("{} market orders, at least {TAKERS_MIN} are needed", material.times.len()));
    }
    if !material.has_book {
        missing.push("there is no book in it".to_owned());
    }
    if seconds < SECONDS_MIN {
        missing.push(format!("{seconds} seconds with a mid, at least {SECONDS_MIN} are needed"));
    }
    if !missing.is_empty() {
        return Err(TooLittle { missing });
    }
    let mut need = |of: &str, why: Unmeasured| {
        missing.push(format!("{of}: {why}"));
    };
    let first = material.times[0];
    let times: Vec<f64> = material.times.iter().map(|time| (time - first) as f64 / 1e9).collect();
    let clock = crate::metrics::facts::arrivals::lattice_ns(&material.times).unwrap_or(1) as f64 / 1e9;
    let length = material.seconds.max(times[times.len() - 1]);
    let takers = rate(&times, length, clock).map_err(|why| need("market orders", why)).ok();
    let taker_sizes = sizes(&material.sizes).map_err(|why| need("sizes of market orders", why)).ok();
    let volatility = volatility_bps(&material.mids).map_err(|why| need("volatility", why)).ok();
    let (Some(takers), Some(taker_sizes), Some(volatility)) = (takers, taker_sizes, volatility) else {
        return Err(TooLittle { missing });
    };

    let sees_orders = match flow.told {
        Told::Window => {
            Err(Unmeasured::Nothing("the feed shows a window of best levels: what comes into sight was not placed now"))
        }
        Told::Orders | Told::Levels => Ok(()),
    };
    let limits = sees_orders.clone().and_then(|()| {
        let clock = if flow.told == Told::Orders { 1e-9 } else { flow.pace_s };
        let found = rate(&flow.limit_times_s, flow.seconds, clock)?;
        // The first so many of all: their rate is that of all over the whole time.
        let (n, seen) = (flow.limits as f64, flow.known_s.max(1.0));
        let value = n / seen;
        let mean = Estimate { value, error: found.mean.error / found.mean.value * value, n: flow.limits as usize };
        Ok(Rate { mean, ..found })
    });
    Ok(Estimates {
        takers,
        taker_sizes,
        limits,
        limit_sizes: sees_orders.clone().and_then(|()| sizes(&flow.limit_lots)),
        spots: sees_orders.and_then(|()| spots(flow)),
        leaving: match flow.told {
            Told::Orders => patience(&flow.stays).map(Leaving::Lives),
            Told::Levels => withdrawals(flow).map(Leaving::Withdrawn),
            Told::Window => Err(Unmeasured::Nothing("what leaves a window of best levels may still rest")),
        },
        volatility,
    })
}

fn spots(flow: &Orderflow) -> Result<Spots, Unmeasured> {
    let behind = lomax(&flow.depths)?;
    let [roomy, inside] = flow.roomy.map(|count| count as f64);
    let share = if roomy > 0.0 { inside / roomy } else { 0.0 };
    let error = sqrt(share * (1.0 - share) / roomy.max(1.0));
    let deepest = flow.depths.keys().next_back().copied().unwrap_or(1);
    Ok(Spots { inside: Estimate { value: share, error, n: roomy as usize }, behind, deepest })
}

impl Estimates {
    /// Writes the laws into a flow.
    ///
    /// * `shares` — of the limit orders and of the market orders, the parts that are this flow's
    pub fn write(&self, flow: &mut ZeroIntelligenceSpec, shares: [f64; 2]) {
        flow.markets = self.takers.process(shares[1]);
        flow.market_size = self.taker_sizes.law();
        flow.round_share = self.taker_sizes.round_share.value;
        flow.round_lots = self.taker_sizes.round_lots;
        if let Ok(limits) = &self.limits {
            flow.limits = limits.process(shares[0]);
        }
        if let Ok(sizes) = &self.limit_sizes {
            flow.limit_size = sizes.law();
        }
        if let Ok(Spots { inside, behind, deepest }) = &self.spots {
            flow.placement = Placement::Own {
                inside_share: inside.value,
                scale_ticks: behind.scale,
                exponent: behind.exponent.value,
                ticks_max: (*deepest).clamp(1, DEEPEST),
            };
        }
        match &self.leaving {
            Ok(Leaving::Lives(patience)) => flow.lifetime = patience.law(),
            Ok(Leaving::Withdrawn(rate)) => flow.lifetime = of_mean(flow.lifetime, 1.0 / rate.value),
            Err(_) => {}
        }
    }

    /// Every estimate in a line of its own: what, value, error, observations, and what else is to be said.
    pub fn lines(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        rate_rows("market orders", Ok(&self.takers), &mut rows);
        size_rows("market order", Ok(&self.taker_sizes), &mut rows);
        rate_rows("limit orders", self.limits.as_ref(), &mut rows);
        size_rows("limit order", self.limit_sizes.as_ref(), &mut rows);
        match &self.spots {
            Ok(Spots { inside, behind, .. }) => {
                rows.push(Row::of("placed inside the spread, where it has room", "share", *inside, ""));
                let note = format!("power law from zero on, from {:.1} ticks", behind.scale);
                rows.push(Row::of("placed behind the best: exponent", "", behind.exponent, &note));
            }
            Err(why) => rows.push(Row::silent("placement", why)),
        }
        match &self.leaving {
            Ok(Leaving::Lives(Patience { rate, exponent, scale_s, aic_gain, .. })) => {
                rows.push(Row::of("cancelled, of those that rest", "1/s", *rate, "order by order"));
                let note =
                    format!("from {scale_s:.3} s on; AIC prefers {}", prefers(*aic_gain, "it", "an exponential"));
                rows.push(Row::of("lives: exponent of a power law", "", *exponent, &note));
            }
            Ok(Leaving::Withdrawn(rate)) => {
                rows.push(Row::of("withdrawn, of lots that rest", "1/s", *rate, "from levels, near the best price"));
            }
            Err(why) => rows.push(Row::silent("cancellations", why)),
        }
        let (volatility, horizon) = self.volatility;
        rows.push(Row::of("volatility of the value", "bps/√s", volatility, &format!("at {horizon} s")));
        rows
    }
}

/// The same law with another mean: levels tell how often orders leave, not which; what law their lives have is the base's.
fn of_mean(law: Lifetime, mean_s: f64) -> Lifetime {
    let mean_s = mean_s.clamp(1e-5, 1e5);
    match law {
        Lifetime::Exponential { .. } => Lifetime::Exponential { mean_s },
        Lifetime::PowerLaw { exponent, max_s, .. } => {
            // ∫₀^max (1 + t/s)^-α dt, which grows with s.
            let mean = |scale: f64| {
                let rest = ln_1p(max_s / scale);
                let bent = 1.0 - exponent;
                scale * if bent.abs() < 1e-9 { rest } else { exp_m1(bent * rest) / bent }
            };
            let (mut low, mut high) = (1e-6f64, 1e6f64);
            for _ in 0..100 {
                let middle = sqrt(low * high);
                if mean(middle) < mean_s { low = middle } else { high = middle }
            }
            Lifetime::PowerLaw { scale_s: sqrt(low * high), exponent, max_s }
        }
    }
}

/// One estimate, for people and for programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What.
    pub name: String,
    /// In which unit.
    pub unit: &'static str,
    /// How much; `None`: `note` says why.
    pub estimate: Option<Estimate>,
    /// What else.
    pub note: String,
}

impl Row {
    fn of(name: &str, unit: &'static str, estimate: Estimate, note: &str) -> Self {
        Self { name: name.to_owned(), unit, estimate: Some(estimate), note: note.to_owned() }
    }

    fn silent(name: &str, why: &Unmeasured) -> Self {
        Self { name: name.to_owned(), unit: "", estimate: None, note: format!("not told: {why}") }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Self { name, unit, estimate, note } = self;
        let of = |pick: fn(&Estimate) -> f64| estimate.as_ref().map(pick).filter(|x| x.is_finite());
        let n = estimate.map_or(0, |found| found.n);
        json!({ "name": name, "unit": unit, "value": of(|e| e.value), "error": of(|e| e.error), "n": n, "note": note })
    }
}

/// `12.3 ± 0.4 1/s (n 5000; note)`
impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, unit, estimate, note } = self;
        match estimate {
            Some(Estimate { value, error, n }) => {
                let (unit, note) = (if unit.is_empty() { "" } else { " " }.to_owned() + unit, note.as_str());
                let note = if note.is_empty() { String::new() } else { format!("; {note}") };
                write!(f, "{name}: {} ± {}{unit} (n {n}{note})", super::keys::short(*value), super::keys::short(*error))
            }
            None => write!(f, "{name}: {note}"),
        }
    }
}

fn prefers<'a>(gain: f64, one: &'a str, other: &'a str) -> &'a str {
    if gain > 0.0 { one } else { other }
}

fn rate_rows(of: &str, found: Result<&Rate, &Unmeasured>, rows: &mut Vec<Row>) {
    match found {
        Ok(rate) => {
            let note =
                format!("AIC prefers {} by {:.0}", prefers(rate.aic_gain, "Hawkes", "Poisson"), rate.aic_gain.abs());
            rows.push(Row::of(of, "1/s", rate.mean, &note));
            if let Some(hawkes) = rate.hawkes.filter(|_| rate.is_excited()) {
                rows.push(Row::of(&format!("{of}: branching ratio"), "", hawkes.branching, ""));
                rows.push(Row::of(&format!("{of}: decay"), "1/s", hawkes.decay, ""));
            }
        }
        Err(why) => rows.push(Row::silent(of, why)),
    }
}

fn size_rows(of: &str, found: Result<&Sizes, &Unmeasured>, rows: &mut Vec<Row>) {
    match found {
        Ok(sizes) => {
            let gain = format!("2Δ ln L {:.0}", sizes.power_gain.abs());
            if sizes.power_gain > 0.0 {
                rows.push(Row::of(
                    &format!("{of}: tail exponent"),
                    "",
                    sizes.exponent,
                    &format!("{gain} over lognormal"),
                ));
                rows.push(Row::of(&format!("{of}: tail from"), "lots", sizes.scale, ""));
            } else {
                rows.push(Row::of(&format!("{of}: median"), "lots", sizes.median, &format!("{gain} over a power law")));
                rows.push(Row::of(&format!("{of}: σ of the logarithm"), "", sizes.sigma, ""));
            }
            if sizes.round_lots > 1 {
                let note = format!("multiples of {} lots", sizes.round_lots);
                rows.push(Row::of(&format!("{of}: round sizes"), "share", sizes.round_share, &note));
            }
        }
        Err(why) => rows.push(Row::silent(&format!("{of} sizes"), why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_of_lives_keeps_its_form_when_its_mean_is_another() {
        // Of (1 + t/s)^-2 without an end the mean is s; an end at 1e5 s takes s/(1 + 1e5/s) of it, 1e-3 at s = 10.
        let law = Lifetime::PowerLaw { scale_s: 1.0, exponent: 2.0, max_s: 1e5 };
        let Lifetime::PowerLaw { scale_s, exponent, max_s } = of_mean(law, 10.0) else { panic!("another law") };
        assert!((scale_s - 10.001).abs() < 1e-4 && (exponent, max_s) == (2.0, 1e5), "{scale_s}");
        // (1 + t/s)^-1 until 100: s·ln(1 + 100/s) = 10·ln 11 = 23.979 at s = 10.
        let slow = Lifetime::PowerLaw { scale_s: 1.0, exponent: 1.0, max_s: 100.0 };
        let Lifetime::PowerLaw { scale_s, .. } = of_mean(slow, 23.978_953) else { panic!("another law") };
        assert!((scale_s - 10.0).abs() < 1e-6, "{scale_s}");
        let even = of_mean(Lifetime::Exponential { mean_s: 3.0 }, 7.0);
        assert_eq!(even, Lifetime::Exponential { mean_s: 7.0 });
    }
}

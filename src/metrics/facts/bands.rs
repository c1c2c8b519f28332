//! Fourteen questions to a market, and what real markets answer.
//!
//! The bands are those of `quant/TARGETS.md` §6.5, which names the studies; a value it gives as "about x" is the band
//! x ± 0.3. Each is judged by its point estimate: an error that is wider than the band means that the recording is too short to
//! judge, and the table shows it.
//!
//! Most facts are known at a minute or an hour. A short recording has too few of those, so each fact is taken at the longest of
//! [`HORIZONS`] that gives it enough returns, and says which in its note; facts that are known at a minute and more are shown
//! but not judged below [`JUDGED_FROM_S`]. What a recording cannot tell (who placed an order, in levels) is not guessed: the
//! band is then neither held nor missed.

mod measures;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::Unmeasured;
use super::curves::Curve;
use super::tape::Material;
use crate::numeric::ln;

/// Times between two mids of a return, seconds, longest first.
pub const HORIZONS: [usize; 8] = [3_600, 600, 300, 60, 30, 10, 5, 1];

/// Shortest horizon at which a fact that is known at a minute and more is judged, seconds.
pub const JUDGED_FROM_S: usize = 10;

/// One fact and what it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Its key: `return_tail`, `spread`, …
    pub name: &'static str,
    /// What the value is.
    pub measure: &'static str,
    /// `None`: there is none, `note` says why.
    pub value: Option<f64>,
    /// One standard error.
    pub error: Option<f64>,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether it is held; `None`: it cannot be judged here.
    pub inside: Option<bool>,
    /// Observations.
    pub n: usize,
    /// At which horizon, what else was seen, or why nothing can be said.
    pub note: String,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// In the order of the targets.
    pub bands: Vec<Band>,
    /// What the report draws.
    #[serde(skip)]
    pub curves: Vec<Curve>,
    /// Bands held.
    pub held: usize,
    /// Bands missed.
    pub missed: usize,
    /// Bands that could not be measured, or not at a horizon at which they can be judged.
    pub unmeasured: usize,
    /// Length of what was measured, seconds.
    pub seconds: f64,
    /// Aggressors.
    pub orders: u64,
    /// Prints.
    pub prints: u64,
}

/// What a measure comes to.
struct Measured {
    value: f64,
    error: Option<f64>,
    n: usize,
    /// What the band says beyond its two ends.
    holds: bool,
    /// Whether it can be judged at all.
    judged: bool,
    note: String,
    curves: Vec<Curve>,
    /// The band, if it depends on what kind of market it is.
    band: Option<(f64, f64)>,
}

impl Measured {
    fn of(estimate: super::Estimate, note: String) -> Self {
        let error = Some(estimate.error).filter(|error| error.is_finite());
        Self {
            value: estimate.value,
            error,
            n: estimate.n,
            holds: true,
            judged: true,
            note,
            curves: Vec::new(),
            band: None,
        }
    }

    /// At this horizon; below [`JUDGED_FROM_S`] it is shown, not judged.
    fn at(mut self, horizon_s: usize) -> Self {
        self.judged = horizon_s >= JUDGED_FROM_S;
        if !self.judged {
            self.note += "; too short a horizon to be judged";
        }
        self
    }

    fn draw(mut self, curve: Curve) -> Self {
        if curve.points.len() > 1 {
            self.curves.push(curve);
        }
        self
    }
}

/// What cannot be answered, and whether that is an answer.
enum Silence {
    /// The recording cannot tell.
    Unmeasurable(String),
    /// There is nothing of it, where a real market has some.
    Absent(usize, String),
}

impl From<Unmeasured> for Silence {
    fn from(why: Unmeasured) -> Self {
        Self::Unmeasurable(why.to_string())
    }
}

type Question = fn(&Material) -> Result<Measured, Silence>;

/// Name, measure, band, question.
const QUESTIONS: [(&str, &str, (f64, f64), Question); 14] = [
    ("return_tail", "Hill index of |r|, largest 5 %", (2.3, 3.8), measures::return_tail),
    ("abs_over_sigma", "E|r|/σ", (0.637, 0.735), measures::abs_over_sigma),
    ("linear_acf", "root mean square ACF of r at lags 1–20 beyond chance", (0.0, 0.05), measures::linear_acf),
    ("volatility_clustering", "exponent of the ACF of |r|", (0.2, 0.4), measures::volatility_clustering),
    (
        "aggregational_gaussianity",
        "kurtosis at the longest horizon over that at the shortest",
        (0.0, 1.0),
        measures::gaussianity,
    ),
    ("hurst", "DFA exponent of returns", (0.42, 0.49), measures::hurst),
    ("order_sign_memory", "exponent of the ACF of aggressor signs, sweeps merged", (0.5, 0.8), measures::sign_memory),
    (
        "spread",
        "95th percentile over median, in time; share of one tick if that is the median",
        (1.0, 3.0),
        measures::spread,
    ),
    ("order_sizes", "1 + tail index of market orders, largest 5 %", (2.3, 2.7), measures::order_sizes),
    ("placement_depth", "1 + exponent of the distance from the best price", (1.3, 1.9), measures::placement_depth),
    ("lifetimes", "1 + tail index of lives that were cancelled, longest 10 %", (1.8, 2.4), measures::lifetimes),
    ("arrivals", "Hawkes branching ratio of aggressors", (0.5, 0.9), measures::arrivals),
    ("volume_volatility", "correlation of |r| and volume", (0.3, 1.0), measures::volume_volatility),
    ("impact", "exponent of I/σ against Q/V", (0.4, 0.6), measures::impact),
];

/// Names of the bands, in their order.
pub fn names() -> [&'static str; 14] {
    QUESTIONS.map(|(name, ..)| name)
}

/// Asks everything.
pub fn judge(material: &Material) -> Judgement {
    judge_by(material, |_| true)
}

/// Asks some of it: the bands whose name is wanted, in their order.
pub fn judge_by(material: &Material, wanted: impl Fn(&str) -> bool) -> Judgement {
    let mut judgement = Judgement {
        bands: Vec::new(),
        curves: Vec::new(),
        held: 0,
        missed: 0,
        unmeasured: 0,
        seconds: material.seconds,
        orders: material.orders,
        prints: material.prints,
    };
    for (name, measure, (low, high), question) in QUESTIONS.into_iter().filter(|(name, ..)| wanted(name)) {
        let band = Band { name, measure, value: None, error: None, low, high, inside: None, n: 0, note: String::new() };
        let band = match question(material) {
            Ok(found) => {
                let (low, high) = found.band.unwrap_or((low, high));
                judgement.curves.extend(found.curves);
                Band {
                    value: Some(found.value),
                    error: found.error,
                    low,
                    high,
                    inside: found.judged.then(|| found.holds && (low..=high).contains(&found.value)),
                    n: found.n,
                    note: found.note,
                    ..band
                }
            }
            Err(Silence::Absent(n, note)) => Band { inside: Some(false), n, note, ..band },
            Err(Silence::Unmeasurable(note)) => Band { note, ..band },
        };
        match band.inside {
            Some(true) => judgement.held += 1,
            Some(false) => judgement.missed += 1,
            None => judgement.unmeasured += 1,
        }
        judgement.bands.push(band);
    }
    judgement
}

/// Logarithmic returns over `horizon_s`, one after the other; those over a hole in the book are left out.
fn returns(material: &Material, horizon_s: usize) -> Vec<f64> {
    steps(material, horizon_s).map(|(_, r)| r).collect()
}

/// As [`returns`], with the second each begins at.
fn steps(material: &Material, horizon_s: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
    let mids = &material.mids;
    (0..mids.len().saturating_sub(horizon_s)).step_by(horizon_s).filter_map(move |from| {
        let (before, after) = (mids[from], mids[from + horizon_s]);
        (before > 0.0 && after > 0.0).then(|| (from, ln(after / before)))
    })
}

/// The longest of `horizons` with at least `needed` returns, in which the price moved at all.
fn longest(material: &Material, horizons: &[usize], needed: usize) -> Result<(usize, Vec<f64>), Unmeasured> {
    let mut found = 0;
    for &horizon in horizons.iter().filter(|horizon| **horizon >= material.bar_s.unwrap_or(1)) {
        let returns = returns(material, horizon);
        found = returns.len();
        if found >= needed {
            return Ok((horizon, returns));
        }
    }
    Err(Unmeasured::TooFew { of: "returns at the shortest horizon", found, needed })
}

//! What the thing is worth: the signal that comes from outside the market.
//!
//! It is drawn from streams of its own and knows nothing of orders, so that the same seed gives the same values
//! whatever anybody does in the market: what remains when two runs are compared is what somebody did. Several markets
//! share one common factor by drawing the same stream of it, each for itself, and need not know of each other.
//!
//! An Ornstein-Uhlenbeck walk on a fixed grid, exact between its points, with rare jumps:
//! `x ← a·x + σ√(τ(1-a²)/2)·z`, `a = e^(-Δ/τ)`, and `z = ρ·z_common + √(1-ρ²)·z_own`; two markets that load `ρ₁` and
//! `ρ₂` on the common factor have a correlation of `ρ₁ρ₂`. It can drift up for a while and down for a while on top.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::activity::{Activity, ActivitySpec};
use super::laws;
use super::scenario::Schedule;
use super::spec::Check;
use crate::numeric;
use crate::rng::Stream;
use crate::units::Nanos;

/// How the value moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueSpec {
    /// σ, basis points of the start price per √second.
    pub volatility_bps: f64,
    /// It is pulled back to the start with this time constant, seconds.
    pub pull_back_s: f64,
    /// It moves every this many seconds.
    pub step_s: f64,
    /// Loading on the factor all markets share, -1 to 1.
    #[serde(default)]
    pub common_loading: f64,
    /// It is carried along, up or down, basis points of the start price per second.
    #[serde(default)]
    pub drift_bps: f64,
    /// How often that turns round, a Poisson process, per second.
    #[serde(default)]
    pub drift_turns_per_s: f64,
    /// Jumps, a Poisson process, per second.
    #[serde(default)]
    pub jumps_per_s: f64,
    /// Mean size of a jump up or down, basis points of the start price.
    #[serde(default)]
    pub jump_bps: f64,
    /// Standard deviation of that size, basis points.
    #[serde(default)]
    pub jump_sigma_bps: f64,
}

impl ValueSpec {
    pub(super) fn check(&self, key: &str, check: &mut Check) {
        check.number(&format!("{key}.volatility_bps"), self.volatility_bps, 0.0..=100.0);
        check.number(&format!("{key}.pull_back_s"), self.pull_back_s, 1.0..=1e9);
        check.number(&format!("{key}.step_s"), self.step_s, 0.001..=60.0);
        check.number(&format!("{key}.common_loading"), self.common_loading, -1.0..=1.0);
        check.number(&format!("{key}.drift_bps"), self.drift_bps, 0.0..=100.0);
        check.number(&format!("{key}.drift_turns_per_s"), self.drift_turns_per_s, 0.0..=10.0);
        check.number(&format!("{key}.jumps_per_s"), self.jumps_per_s, 0.0..=10.0);
        check.number(&format!("{key}.jump_bps"), self.jump_bps, 0.0..=5_000.0);
        check.number(&format!("{key}.jump_sigma_bps"), self.jump_sigma_bps, 0.0..=5_000.0);
    }
}

/// The value of one market, along its grid.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Value {
    start: f64,
    keep: f64,
    kick: f64,
    jump_chance: f64,
    jump: [f64; 2],
    loading: [f64; 2],
    step: Nanos,
    own: Stream,
    common: Stream,
    /// Distance from the start, ticks, at the last point drawn.
    away: f64,
    /// Time of the first point in `points`.
    first: Nanos,
    /// From the one in force on, as far as anybody has looked ahead; never empty.
    points: VecDeque<f64>,
    schedule: Schedule,
    calm: Option<Calm>,
    drift: Option<Drift>,
}

/// Up for a while, down for a while; draws of its own, so that a value without it is as it was.
#[derive(Clone, Debug, Serialize)]
struct Drift {
    turn_chance: f64,
    draws: Stream,
    /// Ticks a step, of the sign it has now.
    now: f64,
}

impl Drift {
    fn new(seed: u64, symbol: &str, ticks: f64, turn_chance: f64) -> Self {
        let mut draws = Stream::new(seed, &format!("sim.{symbol}.drift"));
        let now = if draws.chance(0.5) { ticks } else { -ticks };
        Self { turn_chance, draws, now }
    }

    fn next(&mut self) -> f64 {
        if self.draws.chance(self.turn_chance) {
            self.now = -self.now;
        }
        self.now
    }
}

/// How much the value moves as activity changes: it draws the same stream as everybody's clock.
#[derive(Clone, Debug, Serialize)]
struct Calm {
    activity: Activity,
    exponent: f64,
    step: Nanos,
    /// Until when the factor holds.
    until: Nanos,
    factor: f64,
}

impl Calm {
    fn at(&mut self, at: Nanos) -> f64 {
        while self.until <= at {
            self.factor = numeric::pow(self.activity.next(), self.exponent);
            self.until += self.step;
        }
        self.factor
    }
}

impl Value {
    pub fn new(seed: u64, symbol: &str, start: f64, spec: &ValueSpec, birth: Nanos, schedule: &Schedule) -> Self {
        let keep = numeric::exp(-spec.step_s / spec.pull_back_s);
        let tick_per_bps = start * 1e-4;
        Self {
            start,
            keep,
            kick: spec.volatility_bps
                * tick_per_bps
                * numeric::sqrt(spec.pull_back_s * -numeric::exp_m1(-2.0 * spec.step_s / spec.pull_back_s) / 2.0),
            jump_chance: -numeric::exp_m1(-spec.jumps_per_s * spec.step_s),
            jump: [spec.jump_bps * tick_per_bps, spec.jump_sigma_bps * tick_per_bps],
            loading: [spec.common_loading, numeric::sqrt(1.0 - spec.common_loading * spec.common_loading)],
            step: laws::seconds(spec.step_s),
            own: Stream::new(seed, &format!("sim.{symbol}.value")),
            common: Stream::new(seed, "sim.value"),
            away: 0.0,
            first: birth,
            points: VecDeque::from([start]),
            schedule: schedule.clone(),
            calm: None,
            drift: (spec.drift_bps > 0.0).then(|| {
                let turns = -numeric::exp_m1(-spec.drift_turns_per_s * spec.step_s);
                Drift::new(seed, symbol, spec.drift_bps * tick_per_bps * spec.step_s, turns)
            }),
        }
    }

    /// Its volatility goes with activity from now on.
    pub fn follow(mut self, activity: Activity, spec: &ActivitySpec) -> Self {
        let step = laws::seconds(spec.step_s);
        self.calm = Some(Calm { activity, exponent: spec.volatility_exponent, step, until: self.first, factor: 1.0 });
        self
    }

    /// The value in force at `now`, ticks. Time never goes back.
    #[inline]
    pub fn at(&mut self, now: Nanos) -> f64 {
        while self.first + self.step <= now {
            if self.points.len() == 1 {
                self.draw();
            }
            self.points.pop_front();
            self.first += self.step;
        }
        self.points[0]
    }

    /// The value last in force.
    pub fn now(&self) -> f64 {
        self.points[0]
    }

    /// The value in force at `then`, no earlier than now: what an informed trader knows. It is drawn once, and will be
    /// in force when its time comes.
    pub fn ahead(&mut self, now: Nanos, then: Nanos) -> f64 {
        self.at(now);
        let place = ((then - self.first).0 / self.step.0) as usize;
        while self.points.len() <= place {
            self.draw();
        }
        self.points[place]
    }

    /// Without what was drawn ahead: where the streams would stand had nobody looked.
    pub fn exogenous(&self) -> impl Serialize + '_ {
        (self.first, self.points[0])
    }

    /// One point more. Always the same number of draws.
    fn draw(&mut self) {
        let at = self.first + Nanos(self.step.0 * self.points.len() as i64);
        let common = laws::normal(laws::pair(&mut self.common));
        let own = laws::normal(laws::pair(&mut self.own));
        let calm = self.calm.as_mut().map_or(1.0, |calm| calm.at(at));
        let factor = calm * self.schedule.at(at).volatility_factor;
        self.away = self.away * self.keep + factor * self.kick * (self.loading[0] * common + self.loading[1] * own);
        self.away += self.drift.as_mut().map_or(0.0, Drift::next);
        if self.jump_chance > 0.0 {
            let (happens, up) = (self.own.uniform() < self.jump_chance, self.own.uniform() < 0.5);
            let size = self.jump[0] + self.jump[1] * laws::normal(laws::pair(&mut self.own));
            if happens {
                self.away += if up { size } else { -size };
            }
        }
        // A price is positive, however unlikely the walk.
        self.away = self.away.max(1.0 - self.start);
        self.points.push_back(self.start + self.away);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(common_loading: f64) -> ValueSpec {
        ValueSpec {
            volatility_bps: 1.0,
            pull_back_s: 3600.0,
            step_s: 0.5,
            common_loading,
            drift_bps: 0.0,
            drift_turns_per_s: 0.0,
            jumps_per_s: 0.0,
            jump_bps: 0.0,
            jump_sigma_bps: 0.0,
        }
    }

    fn value(symbol: &str, loading: f64) -> Value {
        Value::new(3, symbol, 10_000.0, &spec(loading), Nanos::ZERO, &Schedule::default())
    }

    #[test]
    fn two_markets_are_correlated_by_the_product_of_their_loadings() {
        // Loadings .8 and .5: ρ = .4. Of 20 000 pairs a correlation has a standard error of (1-ρ²)/√n = .006.
        let (mut a, mut b) = (value("A", 0.8), value("B", 0.5));
        let (mut last, mut sums) = ((a.at(Nanos::ZERO), b.at(Nanos::ZERO)), [0.0; 3]);
        for i in 1..=20_000i64 {
            let now = (a.at(Nanos::from_ms(500 * i)), b.at(Nanos::from_ms(500 * i)));
            let (x, y) = (now.0 - last.0, now.1 - last.1);
            for (sum, term) in sums.iter_mut().zip([x * x, y * y, x * y]) {
                *sum += term;
            }
            last = now;
        }
        let rho = sums[2] / numeric::sqrt(sums[0] * sums[1]);
        assert!((rho - 0.4).abs() < 0.03, "{rho}");
        // 1 bps of 10 000 ticks is a tick per √s: half a second has a variance of .5.
        assert!((sums[0] / 20_000.0 / 0.5 - 1.0).abs() < 0.05, "{sums:?}");
    }

    #[test]
    fn a_drift_carries_it_along_and_turns() {
        // 0.5 bps of 10 000 ticks is half a tick a second, a quarter a step, on top of the same walk; it turns every ten seconds.
        let spec = ValueSpec { drift_bps: 0.5, drift_turns_per_s: 0.1, pull_back_s: 1e9, ..spec(0.0) };
        let still = ValueSpec { drift_bps: 0.0, ..spec.clone() };
        let walk = |spec: &ValueSpec| {
            let mut value = Value::new(3, "A", 10_000.0, spec, Nanos::ZERO, &Schedule::default());
            (0..=4_000i64).map(|i| value.at(Nanos::from_ms(500 * i))).collect::<Vec<f64>>()
        };
        let apart: Vec<f64> = walk(&spec).iter().zip(walk(&still)).map(|(a, b)| a - b).collect();
        let steps: Vec<f64> = apart.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (step.abs() - 0.25).abs() < 1e-6));
        // 4 000 steps turn with 1 - e^(-0.05) = 0.0488 each: 195, deviation 13.6.
        let turns = steps.windows(2).filter(|pair| (pair[0] > 0.0) != (pair[1] > 0.0)).count();
        assert!((140..=250).contains(&turns), "{turns}");
    }

    #[test]
    fn what_is_known_ahead_is_what_will_be() {
        let (mut seer, mut other) = (value("A", 0.5), value("A", 0.5));
        let known: Vec<f64> = (0..50).map(|s| seer.ahead(Nanos::from_s(s), Nanos::from_s(s + 7))).collect();
        let came: Vec<f64> = (0..50).map(|s| other.at(Nanos::from_s(s + 7))).collect();
        assert_eq!(known, came);
    }
}

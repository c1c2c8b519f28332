//! What trades tell: they move what some think the thing is worth.
//!
//! Every order that takes `Q` lots moves it by `λ·Q^γ` its way, and they believe in `V + X` (Vytelingum 2025, arXiv
//! 2505.15296). What it moved is forgotten: with one time constant, or, where `decay_max_s` is given, slowly, as
//! `t^-fading` between the two times: like the propagator of J.-P. Bouchaud, Y. Gefen, M. Potters & M. Wyart,
//! *Fluctuations and Response in Financial Markets*, Quantitative Finance 4 (2004), as a sum of exponentials, four times
//! slower each.

use serde::{Deserialize, Serialize};

use super::spec::Check;
use crate::numeric;
use crate::units::{Lots, Nanos, Side};

/// How far trades move what traders with a reflexive view think it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReflexiveSpec {
    /// λ, ticks for one lot.
    pub lambda_ticks: f64,
    /// γ, the exponent.
    pub gamma: f64,
    /// It begins to be forgotten after this time, seconds; 0 is never.
    #[serde(default)]
    pub decay_s: f64,
    /// Nothing is remembered for longer than this, seconds; 0 if `decay_s` says all.
    #[serde(default)]
    pub decay_max_s: f64,
    /// How fast it is forgotten between the two: the power of time.
    #[serde(default = "half")]
    pub fading: f64,
}

fn half() -> f64 {
    0.5
}

impl ReflexiveSpec {
    pub(super) fn check(&self, key: &str, check: &mut Check) {
        check.number(&format!("{key}.lambda_ticks"), self.lambda_ticks, 0.0..=1e6);
        check.number(&format!("{key}.gamma"), self.gamma, 0.0..=2.0);
        check.number(&format!("{key}.decay_s"), self.decay_s, 0.0..=1e9);
        if self.decay_max_s != 0.0 {
            check.number(&format!("{key}.decay_max_s"), self.decay_max_s, self.decay_s.max(1e-3)..=1e9);
            check.number(&format!("{key}.decay_s"), self.decay_s, 1e-3..=1e9);
        }
        check.number(&format!("{key}.fading"), self.fading, 0.0..=2.0);
    }

    /// Share and time constant of each exponential; shares add up to one. `Γ(f)·t^-f = ∫ τ^-f·e^(-t/τ) dτ/τ`, so on a
    /// logarithmic grid of τ the shares go with `τ^-f`.
    fn parts(&self) -> Vec<(f64, f64)> {
        let mut parts = vec![(1.0, self.decay_s)];
        while self.decay_max_s > 0.0 && parts.len() < 32 {
            let decay_s = 4.0 * parts[parts.len() - 1].1;
            if decay_s > self.decay_max_s {
                break;
            }
            parts.push((numeric::pow(decay_s / self.decay_s, -self.fading), decay_s));
        }
        let all: f64 = parts.iter().map(|(share, _)| share).sum();
        parts.iter().map(|(share, decay_s)| (share / all, *decay_s)).collect()
    }
}

/// What trades have added.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reflex {
    lambda_ticks: f64,
    gamma: f64,
    parts: Vec<Part>,
    since: Nanos,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Part {
    share: f64,
    decay_s: f64,
    ticks: f64,
}

impl Reflex {
    /// Without a specification nothing is ever added.
    pub fn new(spec: Option<ReflexiveSpec>, birth: Nanos) -> Self {
        let part = |(share, decay_s)| Part { share, decay_s, ticks: 0.0 };
        let parts = spec.iter().flat_map(ReflexiveSpec::parts).map(part).collect();
        let (lambda_ticks, gamma) = spec.map_or((0.0, 0.0), |spec| (spec.lambda_ticks, spec.gamma));
        Self { lambda_ticks, gamma, parts, since: birth }
    }

    /// An order took so much.
    #[inline]
    pub fn take(&mut self, now: Nanos, side: Side, taken: Lots) {
        if self.parts.is_empty() {
            return;
        }
        self.forget(now);
        let moved = side.sign() as f64 * self.lambda_ticks * numeric::pow(taken.0 as f64, self.gamma);
        self.parts.iter_mut().for_each(|part| part.ticks += part.share * moved);
    }

    /// What is left of all of them, ticks.
    pub fn at(&mut self, now: Nanos) -> f64 {
        self.forget(now);
        self.parts.iter().map(|part| part.ticks).sum()
    }

    fn forget(&mut self, now: Nanos) {
        let passed_s = (now - self.since).seconds();
        self.since = now;
        if passed_s > 0.0 {
            for part in self.parts.iter_mut().filter(|part| part.decay_s > 0.0) {
                part.ticks *= numeric::exp(-passed_s / part.decay_s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(decay_s: f64, decay_max_s: f64) -> ReflexiveSpec {
        ReflexiveSpec { lambda_ticks: 2.0, gamma: 0.5, decay_s, decay_max_s, fading: 0.5 }
    }

    #[test]
    fn a_trade_moves_it_and_is_forgotten_or_not() {
        let after = |spec, s| {
            let mut reflex = Reflex::new(spec, Nanos::ZERO);
            reflex.take(Nanos::ZERO, Side::Bid, Lots(9));
            reflex.take(Nanos::ZERO, Side::Ask, Lots(1));
            reflex.at(Nanos::from_s(s))
        };
        // 2·√9 - 2·√1 = 4; never forgotten, forgotten with 10 s, not there at all.
        assert_eq!(after(Some(spec(0.0, 0.0)), 1_000_000), 4.0);
        assert!((after(Some(spec(10.0, 0.0)), 10) - 4.0 / std::f64::consts::E).abs() < 1e-12);
        assert_eq!(after(None, 0), 0.0);
    }

    #[test]
    fn between_its_two_times_it_fades_as_the_power_of_time_it_says() {
        // From 1 to 4^10 s with the power ½: far from both ends a hundredfold of time is a tenth of it.
        let mut reflex = Reflex::new(Some(spec(1.0, 1_048_576.0)), Nanos::ZERO);
        reflex.take(Nanos::ZERO, Side::Bid, Lots(1));
        let (early, late) = (reflex.at(Nanos::from_s(5)), reflex.at(Nanos::from_s(500)));
        assert!((late / early - 0.1).abs() < 0.012, "{early} {late}");
    }
}

//! How long orders rest before their owners cancel them, also of those that were executed first.
//!
//! An execution does not end the owner's patience, it hides how long that would have been: such a life is censored, and so is
//! one that outlasts the recording. The likelihood takes both at their word: `Σ ln f(t)` over cancellations and `Σ ln S(t)` over
//! the rest (J. Kalbfleisch & R. Prentice, *The Statistical Analysis of Failure Time Data*, Wiley 2002, ch. 3).

use crate::metrics::facts::{Estimate, Unmeasured};
use crate::metrics::peak::highest;
use crate::numeric::{exp, ln, ln_1p, sqrt};
use crate::sim::laws::Lifetime;

/// Fewest cancellations.
const FEWEST: usize = 100;
/// Scale of the power law: from a microsecond to a week.
const SCALES_S: (f64, f64) = (1e-6, 6e5);
/// The longest a simulated order rests.
const LONGEST_S: f64 = 1e6;

/// One order's stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stay {
    /// Seconds.
    pub s: f64,
    /// Whether its owner ended it.
    pub is_cancelled: bool,
}

/// What is known of lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// Cancellations per order and second, 1 / s, if every moment is as good as any other: `cancelled / Σ t`.
    pub rate: Estimate,
    /// Exponent of the survival function of a power law `(1 + t/scale)^-exponent`.
    pub exponent: Estimate,
    /// Where that law begins, seconds.
    pub scale_s: f64,
    /// By how much Akaike's criterion prefers the power law.
    pub aic_gain: f64,
    /// The longest seen, seconds.
    pub longest_s: f64,
}

impl Patience {
    /// The likelier law.
    pub fn law(&self) -> Lifetime {
        match self.aic_gain > 0.0 {
            true => Lifetime::PowerLaw {
                scale_s: self.scale_s,
                exponent: self.exponent.value.clamp(0.1, 100.0),
                max_s: (10.0 * self.longest_s).clamp(1.0, LONGEST_S),
            },
            false => Lifetime::Exponential { mean_s: 1.0 / self.rate.value },
        }
    }
}

/// The likeliest laws of these lives; at least a hundred ended by their owners.
pub fn patience(stays: &[Stay]) -> Result<Patience, Unmeasured> {
    let cancelled: Vec<f64> = stays.iter().filter(|stay| stay.is_cancelled).map(|stay| stay.s).collect();
    Unmeasured::unless("cancelled orders", cancelled.len(), FEWEST)?;
    let (n, total) = (cancelled.len() as f64, stays.iter().map(|stay| stay.s).sum::<f64>());
    if total <= 0.0 {
        return Err(Unmeasured::Nothing("every order was gone in the instant it came"));
    }
    let rate = n / total;
    let exponential = n * ln(rate) - n;
    // Given the scale the likeliest exponent is `cancelled / Σ ln(1 + t/scale)`.
    let logs = |scale: f64| stays.iter().map(|stay| ln_1p(stay.s / scale)).sum::<f64>();
    let power = |log_scale: f64| {
        let scale = exp(log_scale);
        let exponent = n / logs(scale);
        n * (ln(exponent) - log_scale)
            - (exponent + 1.0) * cancelled.iter().map(|s| ln_1p(s / scale)).sum::<f64>()
            - exponent * stays.iter().filter(|stay| !stay.is_cancelled).map(|stay| ln_1p(stay.s / scale)).sum::<f64>()
    };
    let log_scale = highest(ln(SCALES_S.0), ln(SCALES_S.1), power);
    let (scale_s, value) = (exp(log_scale), n / logs(exp(log_scale)));
    let estimate = |value: f64| Estimate { value, error: value / sqrt(n), n: cancelled.len() };
    // Fisher's information of both parameters makes the error (1 + exponent) times that of the exponent alone.
    let exponent = Estimate { error: value * (value + 1.0) / sqrt(n), ..estimate(value) };
    Ok(Patience {
        rate: estimate(rate),
        exponent,
        scale_s,
        aic_gain: 2.0 * (power(log_scale) - exponential) - 2.0,
        longest_s: stays.iter().map(|stay| stay.s).fold(0.0, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Lives of a law, each executed after an exponential time of mean `until_s`, whichever comes first.
    fn stays(until_s: f64, mut life: impl FnMut(&mut Stream) -> f64) -> Vec<Stay> {
        let mut stream = Stream::new(3, "flow.lives");
        let stay = |_| {
            let (life, execution) = (life(&mut stream), stream.exponential(until_s));
            Stay { s: life.min(execution), is_cancelled: life < execution }
        };
        (0..20_000).map(stay).collect()
    }

    #[test]
    fn executions_hide_no_patience() {
        // Mean patience 10 s, execution after 5 s on average: 1/(1/10 + 1/5) = 3.3 s is how long orders are seen.
        let stays = stays(5.0, |stream| stream.exponential(10.0));
        let found = patience(&stays).unwrap();
        assert!((found.rate.value - 0.1).abs() < 4.0 * found.rate.error && found.rate.error < 0.002, "{found:?}");
        let Lifetime::Exponential { mean_s } = found.law() else { panic!("{found:?}") };
        assert!((mean_s - 10.0).abs() < 0.6, "{mean_s}");
        assert!(patience(&stays[..120]).is_err(), "a third of 120 were cancelled");
    }

    #[test]
    fn a_power_law_of_lives_is_found_also_behind_executions() {
        let law = Lifetime::PowerLaw { scale_s: 2.0, exponent: 1.1, max_s: 1e6 };
        let found = patience(&stays(30.0, |stream| law.of(stream.uniform()).seconds())).unwrap();
        assert!((found.exponent.value - 1.1).abs() < 4.0 * found.exponent.error, "{found:?}");
        assert!((found.scale_s / 2.0 - 1.0).abs() < 0.2 && found.aic_gain > 1_000.0, "{found:?}");
        assert!(matches!(found.law(), Lifetime::PowerLaw { .. }));
    }
}

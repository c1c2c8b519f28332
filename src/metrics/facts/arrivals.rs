//! When things arrive.

use super::{Estimate, Unmeasured};
use crate::numeric::sqrt;

/// Fano factor: variance over mean of the counts in windows that follow each other. 1 of a Poisson process, more where
/// arrivals come in bursts, less where they are regular.
///
/// U. Fano, *Ionization Yield of Radiations. II*, Physical Review 72 (1947). The error is that of Poisson counts, `F·√(2/(w - 1))` of
/// `w` windows; bursts longer than a window make it larger.
///
/// * `times_s` — ascending, seconds from the beginning
/// * `length_s` — of the observation; what is left over after the last whole window is left out
///
/// At least 30 windows and 30 arrivals.
pub fn fano(times_s: &[f64], length_s: f64, window_s: f64) -> Result<Estimate, Unmeasured> {
    let windows = (length_s / window_s).max(0.0) as usize;
    Unmeasured::unless("windows", windows, 30)?;
    Unmeasured::unless("arrivals", times_s.len(), 30)?;
    let (mut squares, mut sum, mut at) = (0.0, 0.0, 0);
    for window in 1..=windows {
        let end = at + times_s[at..].partition_point(|time| *time < window as f64 * window_s);
        let count = (end - at) as f64;
        sum += count;
        squares += count * count;
        at = end;
    }
    let w = windows as f64;
    let mean = sum / w;
    if mean <= 0.0 {
        return Err(Unmeasured::Nothing("nothing arrived in a whole window"));
    }
    let value = (squares / w - mean * mean) * w / (w - 1.0) / mean;
    Ok(Estimate { value, error: value * sqrt(2.0 / (w - 1.0)), n: windows })
}

/// The step all times are multiples of, counted from the first: what a clock can tell, or the grid a simulation lives on. At
/// most a day; `None` of fewer than three times.
///
/// * `times_ns` — ascending
pub fn lattice_ns(times_ns: &[i64]) -> Option<i64> {
    const DAY_NS: i64 = 86_400_000_000_000;
    let first = *times_ns.first().filter(|_| times_ns.len() > 2)?;
    let mut step = DAY_NS;
    for time in times_ns {
        let (mut a, mut b) = (step, (time - first).abs());
        while b > 0 {
            (a, b) = (b, a % b);
        }
        step = a;
        if step == 1 {
            break;
        }
    }
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn counts_by_hand() {
        // Thirty windows of a second; two arrivals in every second one: mean 1, mean square 2, variance 1·30/29.
        let times: Vec<f64> = (0..15).flat_map(|i| [2.0 * f64::from(i) + 0.1, 2.0 * f64::from(i) + 0.2]).collect();
        let found = fano(&times, 30.9, 1.0).unwrap();
        assert!((found.value - 30.0 / 29.0).abs() < 1e-12 && found.n == 30, "{found:?}");
        assert!(fano(&times, 29.9, 1.0).is_err() && fano(&times[..29], 30.0, 1.0).is_err());
    }

    #[test]
    fn a_poisson_process_has_one_at_every_window() {
        let mut stream = Stream::new(11, "facts.fano");
        let mut now = 0.0;
        let times: Vec<f64> = (0..50_000)
            .map(|_| {
                now += stream.exponential(0.1);
                now
            })
            .collect();
        for window in [0.1, 1.0, 10.0] {
            let found = fano(&times, now, window).unwrap();
            assert!((found.value - 1.0).abs() < 4.0 * found.error, "{window}: {found:?}");
        }
    }

    #[test]
    fn the_grid_of_a_clock_is_seen() {
        assert_eq!(lattice_ns(&[5, 25, 65, 105]), Some(20));
        assert_eq!(lattice_ns(&[0, 1_000_000, 3_000_000, 3_000_000]), Some(1_000_000));
        assert_eq!(lattice_ns(&[0, 10, 13]), Some(1));
        assert_eq!(lattice_ns(&[0, 10]), None);
    }
}

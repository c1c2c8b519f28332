//! How long a market remembers: autocorrelations, their decay, and fluctuations over growing windows.

use super::{BLOCKS, Estimate, Unmeasured, fit, jackknife_error, jackknifed};
use crate::numeric::{exp, ln, sqrt};

/// Autocorrelations at some lags, and again without each run of the series.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlations {
    /// Ascending.
    pub lags: Vec<usize>,
    /// One per lag.
    pub values: Vec<f64>,
    /// `[BLOCKS][lag]`: without the products that begin in that run.
    pub without: Vec<Vec<f64>>,
    /// What the square of a value would be on average if there were no memory, per lag; it allows for returns that are
    /// wild together: `Σ x²_t·x²_{t+l} / (Σ x²)²`.
    pub noise: Vec<f64>,
    /// Length of the series.
    pub n: usize,
}

/// Biased autocorrelations, `Σ (x_t - x̄)(x_{t+l} - x̄) / Σ (x_t - x̄)²`: the sum has `n - l` terms and is divided as if it had
/// `n`, so far lags shrink and the sequence stays positive definite. The noise is that of A. Lo & C. MacKinlay, *Stock Market Prices Do
/// Not Follow Random Walks*, Review of Financial Studies 1 (1988), for uncorrelated returns of changing variance.
///
/// At least twice as many values as the largest lag, and a series that moves.
pub fn correlations(series: &[f64], lags: &[usize]) -> Result<Correlations, Unmeasured> {
    let n = series.len();
    Unmeasured::unless("values", n, 2 * lags.iter().copied().max().unwrap_or(0) + 2)?;
    let mean = series.iter().sum::<f64>() / n as f64;
    let centred: Vec<f64> = series.iter().map(|x| x - mean).collect();
    let power: f64 = centred.iter().map(|x| x * x).sum();
    if power <= 0.0 {
        return Err(Unmeasured::Nothing("all values are equal"));
    }
    let block = |b: usize| n * b / BLOCKS..n * (b + 1) / BLOCKS;
    let powers: Vec<f64> = (0..BLOCKS).map(|b| centred[block(b)].iter().map(|x| x * x).sum()).collect();
    let mut found = Correlations {
        lags: lags.to_vec(),
        values: Vec::new(),
        without: vec![Vec::new(); BLOCKS],
        noise: Vec::new(),
        n,
    };
    for &lag in lags {
        let (mut sums, mut squares) = ([0.0; BLOCKS], 0.0);
        for (b, sum) in sums.iter_mut().enumerate() {
            let range = block(b);
            let end = range.end.min(n - lag);
            let start = range.start.min(end);
            for (x, y) in centred[start..end].iter().zip(&centred[start + lag..]) {
                let product = x * y;
                *sum += product;
                squares += product * product;
            }
        }
        let all: f64 = sums.iter().sum();
        found.values.push(all / power);
        found.noise.push(squares / (power * power));
        for (b, without) in found.without.iter_mut().enumerate() {
            without.push((all - sums[b]) / (power - powers[b]));
        }
    }
    Ok(found)
}

/// How large the autocorrelations of a series are beyond what chance makes of it: the root of `mean (ρ_l² - noise_l)` over
/// lags 1 to `lags`, zero where chance explains all of it.
///
/// The largest of 20 sample autocorrelations of 360 independent returns is .13 on average; who compares that with a bound of
/// .05 judges the sample size. This can be compared at any. At least 300 returns.
pub fn linear_memory(returns: &[f64], lags: usize) -> Result<Estimate, Unmeasured> {
    Unmeasured::unless("returns", returns.len(), 300)?;
    let found = correlations(returns, &(1..=lags).collect::<Vec<_>>())?;
    let beyond = |values: &[f64]| {
        let sum: f64 = values.iter().zip(&found.noise).map(|(value, noise)| value * value - noise).sum();
        sqrt((sum / lags as f64).max(0.0))
    };
    let parts: Vec<f64> = found.without.iter().map(|without| beyond(without)).collect();
    Ok(Estimate { value: beyond(&found.values), error: jackknife_error(&parts), n: returns.len() })
}

/// Lags from `low` to `high` in groups of equal width on a logarithmic scale, ten to a decade; of a wide group at most eight
/// stand for all.
pub fn lag_groups(low: usize, high: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut from = low.max(1);
    while from <= high {
        let to = ((from as f64 * exp(ln(10.0) / 10.0)) as usize).clamp(from + 1, high + 1);
        let count = (to - from).min(8);
        groups.push((0..count).map(|i| from + (to - from) * (2 * i + 1) / (2 * count)).collect());
        from = to;
    }
    groups
}

/// How correlations die out, `ρ(l) ~ l^-exponent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Decay {
    /// Of the power law.
    pub exponent: Estimate,
    /// Level of the fitted line: `ρ(l) = level·l^-exponent`.
    pub level: f64,
    /// Mean lag and mean correlation of each group that was fitted.
    pub points: Vec<(f64, f64)>,
}

/// Slope of the logarithm of the correlations over the logarithm of the lag, from lag `low` as far as they stand out of the
/// noise (two standard errors of a group's mean), at most to lag `high`. Groups as [`lag_groups`].
///
/// At least five such groups, half a decade: less is not a law.
pub fn decay(series: &[f64], low: usize, high: usize) -> Result<Decay, Unmeasured> {
    let groups = lag_groups(low, high);
    let lags: Vec<usize> = groups.iter().flatten().copied().collect();
    let found = correlations(series, &lags)?;
    let means = |values: &[f64]| {
        let mut at = 0;
        let one = |group: &Vec<usize>| {
            let range = at..at + group.len();
            at = range.end;
            let lag = exp(group.iter().map(|&lag| ln(lag as f64)).sum::<f64>() / group.len() as f64);
            (lag, values[range.clone()].iter().sum::<f64>() / range.len() as f64)
        };
        groups.iter().map(one).collect::<Vec<_>>()
    };
    let all = means(&found.values);
    let noise = |group: &Vec<usize>| 2.0 / sqrt((found.n * group.len()) as f64);
    let reach = all.iter().zip(&groups).take_while(|((_, value), group)| *value > noise(group)).count();
    if reach < 5 {
        return Err(Unmeasured::Nothing(
            "no memory: its correlations are lost in the noise within half a decade of lags",
        ));
    }
    let line = fit::log_log(&all[..reach])?;
    let part = |without: &Vec<f64>| {
        let positive: Vec<_> = means(without).into_iter().take(reach).filter(|(_, value)| *value > 0.0).collect();
        fit::log_log(&positive).ok().map(|line| -line.slope.value)
    };
    let parts: Vec<f64> = found.without.iter().filter_map(part).collect();
    let exponent = Estimate { value: -line.slope.value, error: jackknife_error(&parts), n: found.n };
    Ok(Decay { exponent, level: exp(line.level), points: all[..reach].to_vec() })
}

/// Fluctuations over windows of growing length.
#[derive(Clone, Debug, PartialEq)]
pub struct Fluctuation {
    /// H, the slope on logarithmic scales; .5 without memory.
    pub hurst: Estimate,
    /// Window length in returns, fluctuation in units of the profile.
    pub points: Vec<(f64, f64)>,
}

/// Detrended fluctuation analysis of first order: returns are summed up to a profile, the profile is cut into windows, in each
/// of which a line is taken away; what is left has root mean square `F(s) ~ s^H`.
///
/// C.-K. Peng et al., *Mosaic Organization of DNA Nucleotides*, Physical Review E 49 (1994). Windows of 10 returns to a
/// quarter of the series, sixteen lengths. Of a random walk of 360 steps it gives .52 ± .06.
///
/// At least 300 returns.
pub fn fluctuation(returns: &[f64]) -> Result<Fluctuation, Unmeasured> {
    Unmeasured::unless("returns", returns.len(), 300)?;
    let points = fluctuations(returns)?;
    let hurst = jackknifed(returns, |part| Ok(fit::log_log(&fluctuations(part)?)?.slope.value))?;
    Ok(Fluctuation { hurst, points })
}

fn fluctuations(returns: &[f64]) -> Result<Vec<(f64, f64)>, Unmeasured> {
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    let mut sum = 0.0;
    let profile: Vec<f64> = returns
        .iter()
        .map(|r| {
            sum += r - mean;
            sum
        })
        .collect();
    let (shortest, longest) = (10.0, returns.len() as f64 / 4.0);
    let mut points: Vec<(f64, f64)> = Vec::new();
    for i in 0..16 {
        let length = exp(ln(shortest) + (ln(longest) - ln(shortest)) * f64::from(i) / 15.0) as usize;
        if points.last().is_some_and(|(before, _)| *before == length as f64) {
            continue;
        }
        let windows = profile.chunks_exact(length);
        let count = windows.len();
        let square = windows.map(detrended).sum::<f64>() / (count * length) as f64;
        if square <= 0.0 {
            return Err(Unmeasured::Nothing("the price never moved"));
        }
        points.push((length as f64, sqrt(square)));
    }
    Ok(points)
}

/// What is left of the squares of a window without its line.
fn detrended(window: &[f64]) -> f64 {
    let n = window.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = window.iter().sum::<f64>() / n;
    let (mut with, mut squares) = (0.0, 0.0);
    for (i, y) in window.iter().enumerate() {
        with += (i as f64 - middle) * (y - mean);
        squares += (y - mean) * (y - mean);
    }
    // Σ (i - middle)² = n(n² - 1)/12
    (squares - with * with / (n * (n * n - 1.0) / 12.0)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::pow;
    use crate::rng::Stream;

    #[test]
    fn the_published_autocorrelations() {
        // quant/TARGETS.md §6.5: [1,2,3,4,5,4,3,2,1,0] has .61111111, .13333333, -.3. By hand for lag 1: mean 2.5, squares
        // sum to 22.5, products 3.75 + .75 - .25·… = 13.75; 13.75/22.5 = .6111.
        let series = [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0];
        let found = correlations(&series, &[1, 2, 3]).unwrap();
        for (value, expected) in found.values.iter().zip([0.611_111_11, 0.133_333_33, -0.3]) {
            assert!((value - expected).abs() < 6e-9, "{found:?}");
        }
        assert!(correlations(&series, &[5]).is_err() && correlations(&[1.0; 9], &[1]).is_err());
    }

    #[test]
    fn chance_is_not_taken_for_memory() {
        // 200 times 360 independent returns: the largest of 20 correlations is beyond .1 in most, what is left when chance is
        // taken out is beyond .05 in at most one of ten.
        let mut stream = Stream::new(8, "facts.linear");
        let (mut large, mut believed) = (0, 0);
        for _ in 0..200 {
            let returns: Vec<f64> = (0..360).map(|_| stream.normal()).collect();
            let found = correlations(&returns, &(1..=20).collect::<Vec<_>>()).unwrap();
            large += usize::from(found.values.iter().any(|value| value.abs() > 0.1));
            believed += usize::from(linear_memory(&returns, 20).unwrap().value > 0.05);
        }
        assert!(large > 100 && believed <= 20, "{large} large, {believed} believed");
        // And what is there is seen: r_t = .5·r_{t-1} + z has ρ_l = 2^-l, √(Σ 4^-l/20) = √(1/60) = .129.
        let mut last = 0.0;
        let returns: Vec<f64> = (0..20_000)
            .map(|_| {
                last = 0.5 * last + stream.normal();
                last
            })
            .collect();
        let found = linear_memory(&returns, 20).unwrap();
        assert!((found.value - 0.129).abs() < 4.0 * found.error && found.error < 0.01, "{found:?}");
    }

    #[test]
    fn orders_split_as_lillo_mike_and_farmer_split_them_have_the_memory_they_derive() {
        // One metaorder at a time, `⌈u^(-1/1.5) - 1⌉` long, at most 10 000: `P(L > k) = (1 + k)^-1.5`. Two signs l apart agree by
        // more than chance if they are of one metaorder, so exactly ρ(l) = Σ_{k ≥ l} P(L > k) / Σ P(L > k), which falls as
        // l^-(1.5 - 1) (F. Lillo, S. Mike & J. D. Farmer, Physical Review E 71 (2005)), a little steeper near the cut.
        const CUT: usize = 10_000;
        let longer: Vec<f64> = (0..CUT).map(|k| pow(1.0 + k as f64, -1.5)).collect();
        let sum: f64 = longer.iter().sum();
        let exact = |lag: usize| longer[lag..].iter().sum::<f64>() / sum;
        let of_group = |group: &Vec<usize>| {
            let n = group.len() as f64;
            let lag = exp(group.iter().map(|&lag| ln(lag as f64)).sum::<f64>() / n);
            (lag, group.iter().map(|&lag| exact(lag)).sum::<f64>() / n)
        };
        let points: Vec<(f64, f64)> = lag_groups(10, 300).iter().map(of_group).collect();
        let slope = -fit::log_log(&points).unwrap().slope.value;
        assert!((0.5..0.6).contains(&slope), "{slope}");

        let runs = 16;
        let (mut exponents, mut firsts) = (Vec::new(), 0.0);
        for run in 0..runs {
            let mut stream = Stream::new(run, "facts.lmf");
            let mut signs = Vec::new();
            while signs.len() < 200_000 {
                let length = (pow(1.0 - stream.uniform(), -1.0 / 1.5) - 1.0).ceil().clamp(1.0, CUT as f64);
                let sign = if stream.chance(0.5) { 1.0 } else { -1.0 };
                signs.extend(std::iter::repeat_n(sign, length as usize));
            }
            exponents.push(decay(&signs, 10, 300).unwrap().exponent.value);
            firsts += correlations(&signs, &[1]).unwrap().values[0] / runs as f64;
        }
        let mean = exponents.iter().sum::<f64>() / runs as f64;
        let squares: f64 = exponents.iter().map(|e| (e - mean) * (e - mean)).sum();
        let error = sqrt(squares / (runs * (runs - 1)) as f64);
        assert!((mean - slope).abs() < 4.0 * error && error < 0.03, "{mean} ± {error}, exactly {slope}");
        // The targets' simulation has .610 at lag 1 (quant/scripts/s9_abm.out).
        assert!((firsts - 0.610).abs() < 0.01 && (exact(1) - 0.610).abs() < 0.01, "{firsts}, exactly {}", exact(1));
    }

    #[test]
    fn signs_without_memory_have_no_exponent() {
        let mut stream = Stream::new(9, "facts.signs");
        let signs: Vec<f64> = (0..50_000).map(|_| if stream.chance(0.5) { 1.0 } else { -1.0 }).collect();
        assert!(matches!(decay(&signs, 10, 1_000), Err(Unmeasured::Nothing(_))));
        assert_eq!(decay(&[1.0; 50], 10, 1_000).unwrap_err().to_string(), "50 values, at least 2000 are needed");
    }

    #[test]
    fn a_random_walk_has_hurst_one_half_and_a_pulled_one_less() {
        let mut stream = Stream::new(10, "facts.dfa");
        let returns: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        let walk = fluctuation(&returns).unwrap();
        assert!((walk.hurst.value - 0.5).abs() < 0.03, "{:?}", walk.hurst);
        // Differences of noise are as anti-persistent as can be: F does not grow, H = 0 up to the windows' ends.
        let noise: Vec<f64> = returns.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let pulled = fluctuation(&noise).unwrap();
        assert!(pulled.hurst.value < 0.1, "{:?}", pulled.hurst);
        // By hand: what a line leaves of 0, 1, 0: mean 1/3, slope 0, squares 1/9 + 4/9 + 1/9 = 2/3.
        assert!((detrended(&[0.0, 1.0, 0.0]) - 2.0 / 3.0).abs() < 1e-15);
        assert!(detrended(&[1.0, 3.0, 5.0, 7.0]).abs() < 1e-12);
        assert!(fluctuation(&returns[..299]).is_err());
    }

    #[test]
    fn groups_of_lags_leave_none_out_and_are_ten_to_a_decade() {
        let groups = lag_groups(1, 1_000);
        assert!((18..=32).contains(&groups.len()), "{}", groups.len());
        assert_eq!(groups[..3], [vec![1], vec![2], vec![3]]);
        let lags: Vec<usize> = groups.iter().flatten().copied().collect();
        assert!(lags.windows(2).all(|pair| pair[0] < pair[1]) && *lags.last().unwrap() <= 1_000, "{lags:?}");
    }
}

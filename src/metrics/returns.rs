//! What a series of profits says of who made them.
//!
//! A market maker has no capital that a return could be a share of, so a *return* here is the change of equity over one
//! period, in currency. Ratios of it (Sharpe, Sortino) do not care about the unit; the rest carries it.
//!
//! Names are those of QuantStats and hftbacktest where they have one. What a series is too short or too flat to say is
//! `None`, never zero.

use crate::numeric::sqrt;

/// Changes from one equity mark to the next; one fewer than marks.
pub fn returns(equity: &[f64]) -> Vec<f64> {
    equity.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Arithmetic mean; `None` of nothing.
pub fn mean(series: &[f64]) -> Option<f64> {
    (!series.is_empty()).then(|| series.iter().sum::<f64>() / series.len() as f64)
}

/// Sample standard deviation (division by `n - 1`); `None` below two values.
pub fn deviation(series: &[f64]) -> Option<f64> {
    let mean = mean(series)?;
    let squares: f64 = series.iter().map(|x| (x - mean) * (x - mean)).sum();
    (series.len() > 1).then(|| sqrt(squares / (series.len() - 1) as f64))
}

/// Third and fourth standardised moment: `γ₃ = m₃/m₂^{3/2}` and `γ₄ = m₄/m₂²` with `m_k` the mean of `(x - x̄)^k`. A
/// normal series has 0 and 3. `None` for a constant series.
pub fn skew_and_kurtosis(series: &[f64]) -> Option<(f64, f64)> {
    let middle = mean(series)?;
    let (mut m2, mut m3, mut m4) = (0.0, 0.0, 0.0);
    for x in series {
        let d = x - middle;
        m2 += d * d;
        m3 += d * d * d;
        m4 += d * d * d * d;
    }
    let n = series.len() as f64;
    (m2, m3, m4) = (m2 / n, m3 / n, m4 / n);
    (m2 > 0.0).then(|| (m3 / (m2 * sqrt(m2)), m4 / (m2 * m2)))
}

/// Sharpe ratio per period: mean over sample standard deviation. W. Sharpe, *The Sharpe Ratio*, Journal of Portfolio
/// Management 21 (1994), ex post, against nothing held (a quote costs no capital).
///
/// Times `√periods` it is QuantStats' `sharpe`, if profits do not hang together; [`annualisation`] if they do.
pub fn sharpe(returns: &[f64]) -> Option<f64> {
    let deviation = deviation(returns).filter(|d| *d > 0.0)?;
    mean(returns).map(|mean| mean / deviation)
}

/// Sortino ratio per period: mean over the root of the mean squared loss, all periods counted. F. Sortino & L. Price,
/// *Performance Measurement in a Downside Risk Framework*, Journal of Investing 3 (1994), target zero; QuantStats'
/// `sortino` without its annualisation. `None` without a loss.
pub fn sortino(returns: &[f64]) -> Option<f64> {
    let squares: f64 = returns.iter().map(|r| r.min(0.0) * r.min(0.0)).sum();
    let downside = sqrt(squares / returns.len().max(1) as f64);
    if downside > 0.0 { mean(returns).map(|mean| mean / downside) } else { None }
}

/// Standard error of a Sharpe ratio per period, whatever the shape of the profits:
/// `√((1 - γ₃·SR + (γ₄ - 1)/4·SR²) / (T - 1))`. E. Mertens, *Comments on variance of the IID estimator in Lo (2002)*
/// (2002); with `T - 1` as in D. Bailey & M. López de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15
/// (2012). `None` below two periods.
pub fn sharpe_error(sharpe: f64, periods: usize, skew: f64, kurtosis: f64) -> Option<f64> {
    let variance = (1.0 - skew * sharpe + 0.25 * (kurtosis - 1.0) * sharpe * sharpe) / (periods.max(1) - 1) as f64;
    (periods > 1 && variance >= 0.0).then(|| sqrt(variance))
}

/// Standard error of a Sharpe ratio per period of normal, independent profits: `√((1 + SR²/2) / T)`. A. Lo, *The
/// Statistics of Sharpe Ratios*, Financial Analysts Journal 58 (2002), eq. 9.
pub fn sharpe_error_normal(sharpe: f64, periods: usize) -> f64 {
    sqrt((1.0 + 0.5 * sharpe * sharpe) / periods as f64)
}

/// What a Sharpe ratio per period is multiplied by for `q` periods when profits hang together like an AR(1) with
/// correlation `rho`: `q / √(q + 2·Σ_{k=1}^{q-1} (q - k)·ρᵏ)`, which is `√q` for `rho` 0. Lo (2002), eq. 20.
pub fn annualisation(q: u32, rho: f64) -> f64 {
    let (mut power, mut sum) = (1.0, 0.0);
    for k in 1..q {
        power *= rho;
        sum += f64::from(q - k) * power;
    }
    f64::from(q) / sqrt(f64::from(q) + 2.0 * sum)
}

/// Share of periods that earned, of those that earned or lost: the hit ratio, QuantStats' `win_rate`.
pub fn win_rate(returns: &[f64]) -> Option<f64> {
    let won = returns.iter().filter(|r| **r > 0.0).count();
    let lost = returns.iter().filter(|r| **r < 0.0).count();
    (won + lost > 0).then(|| won as f64 / (won + lost) as f64)
}

/// Mean of the worst `share` of periods (at least one), negative when they lost: expected shortfall, historical.
/// `cvar(returns, 0.05)` is CVaR₅%. R. Rockafellar & S. Uryasev, Journal of Risk 2 (2000).
pub fn cvar(returns: &[f64], share: f64) -> Option<f64> {
    let mut sorted = returns.to_vec();
    sorted.sort_by(f64::total_cmp);
    let worst = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    mean(sorted.get(..worst)?)
}

/// Profit over mean absolute position (MAP): currency earned per unit habitually held. Falces Marín, Díaz Pardo de Vera
/// & López Gonzalo, *A reinforcement learning approach to improve the performance of the Avellaneda-Stoikov
/// market-making algorithm*, PLoS ONE 17 (2022). `None` when nothing was ever held.
pub fn pnl_to_map(pnl: f64, mean_absolute_position: f64) -> Option<f64> {
    (mean_absolute_position > 0.0).then(|| pnl / mean_absolute_position)
}

/// Profit over the market's mean half-spread: how many units it is as if crossing were free. Normalised daily PnL where
/// `pnl` is a day's. T. Spooner et al., *Market Making via Reinforcement Learning*, AAMAS (2018), who divide by
/// the whole spread: twice theirs.
pub fn nd_pnl(pnl: f64, mean_half_spread: f64) -> Option<f64> {
    (mean_half_spread > 0.0).then(|| pnl / mean_half_spread)
}

/// Profit per unit of currency traded; hftbacktest's `ReturnOverTrade`. `None` without a trade.
pub fn return_over_trade(pnl: f64, trading_value: f64) -> Option<f64> {
    (trading_value > 0.0).then(|| pnl / trading_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("a number");
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }

    #[test]
    fn four_periods_by_hand() {
        // Equity 0 2 1 4 3: returns 2 -1 3 -1, mean 3/4, squares about it 25/16 + 49/16 + 81/16 + 49/16 = 204/16 = 12.75,
        // so the deviation is √(12.75/3) = √4.25. Losses squared 1 + 1 over four periods: √(1/2).
        let r = returns(&[0.0, 2.0, 1.0, 4.0, 3.0]);
        assert_eq!(r, [2.0, -1.0, 3.0, -1.0]);
        near(mean(&r), 0.75);
        near(deviation(&r), 4.25f64.sqrt());
        near(sharpe(&r), 0.75 / 4.25f64.sqrt());
        near(sortino(&r), 0.75 * 2f64.sqrt());
        near(win_rate(&r), 0.5);
        // A quarter of four periods is the worst one, half are two.
        near(cvar(&[5.0, -3.0, 1.0, -2.0], 0.25), -3.0);
        near(cvar(&[5.0, -3.0, 1.0, -2.0], 0.5), -2.5);
        near(cvar(&[5.0, -3.0, 1.0, -2.0], 0.05), -3.0);
    }

    #[test]
    fn moments_of_a_loaded_coin() {
        // 0 0 0 4: mean 1, m₂ = (3 + 9)/4 = 3, m₃ = (-3 + 27)/4 = 6, m₄ = (3 + 81)/4 = 21; 6/3^1.5 = 2/√3, 21/9.
        let (skew, kurtosis) = skew_and_kurtosis(&[0.0, 0.0, 0.0, 4.0]).expect("it varies");
        near(Some(skew), 2.0 / 3f64.sqrt());
        near(Some(kurtosis), 21.0 / 9.0);
        assert_eq!(skew_and_kurtosis(&[2.0, 2.0]), None);
    }

    #[test]
    fn what_a_series_cannot_say_is_not_a_number() {
        for flat in [&[][..], &[1.0], &[1.0, 1.0]] {
            assert_eq!(sharpe(flat), None, "{flat:?}");
            assert_eq!(sortino(flat), None, "{flat:?}");
        }
        assert_eq!((win_rate(&[0.0, 0.0]), cvar(&[], 0.05)), (None, None));
        assert_eq!((pnl_to_map(1.0, 0.0), nd_pnl(1.0, 0.0), return_over_trade(1.0, 0.0)), (None, None, None));
        assert_eq!(sharpe_error(0.1, 1, 0.0, 3.0), None);
    }

    #[test]
    fn profit_by_what_it_took() {
        // 12 earned: holding 4 on average, across a half-spread of 0.5, on 6000 traded.
        assert_eq!((pnl_to_map(12.0, 4.0), nd_pnl(12.0, 0.5)), (Some(3.0), Some(24.0)));
        near(return_over_trade(12.0, 6_000.0), 0.002);
    }

    #[test]
    fn errors_and_annualisation_are_los_and_mertenss() {
        // Golden numbers of shared/quant/TARGETS.md §5.3.
        assert_eq!(format!("{:.6}", sharpe_error_normal(0.1, 200)), "0.070887");
        assert_eq!(format!("{:.6}", annualisation(252, 0.2)), "12.972210");
        assert_eq!(format!("{:.6}", annualisation(252, 0.0)), "15.874508");
        // 1 + 0.5·0.1 + 4/4·0.01 = 1.06; over 199.
        near(sharpe_error(0.1, 200, -0.5, 5.0), (1.06f64 / 199.0).sqrt());
    }
}

//! In what two markets should be alike, and how far apart they are.
//!
//! A list of facts, each a number that does not depend on how long the market was watched: logarithms of rates, sizes and
//! volatilities, autocorrelations over groups of lags, shares. A difference is counted in errors of the recorded fact, of
//! which none is smaller than the tolerance beside its name: nobody needs a market that trades 11.02 times a second. The
//! distance is the mean of the differences' magnitudes, as in the method of simulated moments with a diagonal weight
//! (R. Franke & F. Westerhoff, *Structural Stochastic Volatility in Asset Pricing Dynamics*, Journal of Economic Dynamics and
//! Control 36, 2012; quant/TARGETS.md §6.4), but absolute instead of squared: one fact that cannot be met shall not rule the rest.

use super::listen::{CELLS, Orderflow, cell};
use crate::metrics::facts::tape::{Material, Told};
use crate::metrics::facts::{Unmeasured, jackknifed};
use crate::numeric::{ln, sqrt};

/// The most that one difference counts, in errors.
pub const FAR: f64 = 20.0;
/// Share of placements that are near enough to the best price for the rate of withdrawals.
const NEAR: f64 = 0.9;

/// One fact of a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact {
    /// What.
    pub name: &'static str,
    /// Its value; `None`: this market does not tell.
    pub value: Option<f64>,
    /// One standard error, no less than the tolerance; the tolerance where it was not asked for.
    pub error: f64,
}

/// All facts of a market, always the same list.
///
/// * `with_errors` — a jackknife over runs of time; a simulated market needs none
pub fn facts(material: &Material, flow: &Orderflow, with_errors: bool) -> Vec<Fact> {
    let mut facts = Collected { facts: Vec::new(), with_errors };
    let returns = |horizon: usize| -> Vec<f64> {
        let moved = |pair: (&f64, &f64)| 1e4 * ln(pair.1 / pair.0);
        let mids = &material.mids;
        mids.iter().zip(mids.iter().skip(horizon)).map(moved).filter(|r| r.is_finite()).collect()
    };
    let second = returns(1);
    for (name, horizon) in [("volatility_1s", 1), ("volatility_10s", 10), ("volatility_60s", 60)] {
        facts.ask(name, 0.1, &returns(horizon), 5 * horizon, |part| Some(ln(root_mean_square(part))));
    }
    for (name, horizon) in [("peak_1s", 1), ("peak_10s", 10)] {
        let peak = |part: &[f64]| Some(mean(&magnitudes(part)) / root_mean_square(part));
        facts.ask(name, 0.03, &returns(horizon), 100 * horizon.min(3), peak);
    }
    for (name, from, to) in [("return_memory_1", 1, 1), ("return_memory_2_5", 2, 5)] {
        facts.ask(name, 0.03, &second, 200, |part| memory(part, from, to));
    }
    let sizes = magnitudes(&second);
    for (name, from, to) in [("clustering_1_5", 1, 5), ("clustering_6_20", 6, 20), ("clustering_21_60", 21, 60)] {
        facts.ask(name, 0.03, &sizes, 200, |part| memory(part, from, to));
    }

    let counts = counts(material, 1);
    facts.ask("takers_per_s", 0.1, &counts, 60, |part| positive_ln(mean(part)));
    facts.ask("bursts_1s", 0.1, &counts, 60, fano);
    facts.ask("bursts_10s", 0.15, &self::counts(material, 10), 30, fano);
    let gaps: Vec<f64> = material.times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    facts.ask("gap_median", 0.2, &gaps, 200, |part| Some(ln((quantile(part, 0.5) + 1e3) / (mean(part) + 1e3))));
    let groups = [("sign_memory_1", 1, 1), ("sign_memory_2_5", 2, 5), ("sign_memory_6_20", 6, 20)];
    for (name, from, to) in groups.into_iter().chain([("sign_memory_21_100", 21, 100)]) {
        facts.ask(name, 0.03, &material.signs, 1_000, |part| memory(part, from, to));
    }
    facts.ask("taker_lots_median", 0.1, &material.sizes, 200, |part| positive_ln(quantile(part, 0.5)));
    facts.ask("taker_lots_mean", 0.1, &material.sizes, 200, |part| positive_ln(mean(part)));
    let spread = |part: &[f64]| positive_ln(quantile(part, 0.95) / quantile(part, 0.5));
    facts.ask("taker_lots_tail", 0.1, &material.sizes, 200, spread);
    let seconds = seconds(material);
    facts.ask("volume_volatility", 0.05, &seconds, 200, |part| {
        let five = |chunk: &[Second]| {
            (chunk.iter().map(|s| s.moved).sum::<f64>().abs(), chunk.iter().map(|s| s.volume).sum::<f64>())
        };
        correlation(&part.chunks_exact(5).map(five).collect::<Vec<_>>())
    });
    facts.ask("impact_root", 0.05, &seconds, 200, |part| {
        correlation(&part.iter().map(|s| (s.moved, s.net.signum() * sqrt(s.net.abs()))).collect::<Vec<_>>())
    });

    let total: i64 = material.spreads.values().sum();
    let share = |ticks: i64| material.spreads.get(&ticks).copied().unwrap_or(0) as f64 / total as f64;
    let wide: f64 = material.spreads.iter().map(|(ticks, ns)| *ticks as f64 * (*ns as f64 / total as f64)).sum();
    facts.tell("spread_one_tick", 0.03, (total > 0).then(|| share(1)));
    facts.tell("spread_mean", 0.1, (total > 0).then(|| ln(wide)));
    facts.ask("best_lots", 0.1, &flow.best_lots, 60, |part| positive_ln(quantile(part, 0.5)));
    let seen = flow.told != Told::Window && flow.limits >= 100 && flow.known_s > 0.0;
    let placed: u64 = flow.depths.values().sum();
    let behind = |share: f64| {
        let mut passed = 0;
        let found = flow.depths.iter().find(|(_, count)| {
            passed += **count;
            passed as f64 >= share * placed as f64
        });
        ln(1.0 + found.map_or(0, |(behind, _)| *behind) as f64)
    };
    facts.tell("limits_per_s", 0.1, seen.then(|| ln(flow.limits as f64 / flow.known_s)));
    for (name, share) in [("behind_quarter", 0.25), ("behind_half", 0.5), ("behind_most", 0.9)] {
        facts.tell(name, 0.15, (seen && placed >= 100).then(|| behind(share)));
    }
    let lots = if seen { &flow.limit_lots[..] } else { &[] };
    facts.ask("limit_lots_median", 0.1, lots, 200, |part| positive_ln(quantile(part, 0.5)));
    facts.tell("withdrawn_per_s", 0.1, withdrawals(flow).ok().and_then(|rate| positive_ln(rate.value)));
    facts.facts
}

/// Rate at which what rests leaves without a trade, 1 / second: lots withdrawn over lots resting times seconds, as far from
/// the best price as nine in ten placements go. Each withdrawal is one observation of its size, so the relative error is
/// `√Σq²/Σq`.
pub fn withdrawals(flow: &Orderflow) -> Result<crate::metrics::facts::Estimate, Unmeasured> {
    let placed: u64 = flow.depths.values().sum();
    let mut passed = 0;
    let last = flow.depths.iter().find(|(_, count)| {
        passed += **count;
        passed as f64 >= NEAR * placed as f64
    });
    let near = last.map_or(CELLS, |(behind, _)| cell(*behind) + 1);
    let sum = |i: usize| flow.withdrawn[..near].iter().map(|of| of[i]).sum::<f64>();
    let (lots, times, squares) = (sum(0), sum(1), sum(2));
    Unmeasured::unless("withdrawals", times as usize, 100)?;
    let rested: f64 = flow.rested[..near].iter().sum();
    if rested <= 0.0 {
        return Err(Unmeasured::Nothing("nothing rested for a second"));
    }
    let value = lots / rested;
    Ok(crate::metrics::facts::Estimate { value, error: value * sqrt(squares) / lots, n: times as usize })
}

/// How far facts are from those of a recording, in its errors: simulated less recorded, at most [`FAR`]; a fact that only the
/// recording tells counts as far. Of the recording's facts that are told.
pub fn differences(recorded: &[Fact], simulated: &[Fact]) -> Vec<f64> {
    let apart = |(recorded, simulated): (&Fact, &Fact)| {
        recorded.value.map(|is| simulated.value.map_or(FAR, |value| ((value - is) / recorded.error).clamp(-FAR, FAR)))
    };
    recorded.iter().zip(simulated).filter_map(apart).collect()
}

/// Mean magnitude of differences.
pub fn distance(differences: &[f64]) -> f64 {
    differences.iter().map(|z| z.abs()).sum::<f64>() / differences.len().max(1) as f64
}

struct Collected {
    facts: Vec<Fact>,
    with_errors: bool,
}

impl Collected {
    /// A statistic of a series with at least `needed` values.
    fn ask<T: Copy>(
        &mut self,
        name: &'static str,
        tolerance: f64,
        series: &[T],
        needed: usize,
        statistic: impl Fn(&[T]) -> Option<f64>,
    ) {
        let finite = |part: &[T]| statistic(part).filter(|value| value.is_finite());
        let value = if series.len() >= needed { finite(series) } else { None };
        let mut error = tolerance;
        if value.is_some() && self.with_errors {
            let asked = |part: &[T]| finite(part).ok_or(Unmeasured::Nothing("a part does not tell"));
            let found = jackknifed(series, asked).map_or(0.0, |found| found.error);
            error = sqrt(tolerance * tolerance + if found.is_finite() { found * found } else { 0.0 });
        }
        self.facts.push(Fact { name, value, error });
    }

    /// A fact that comes without an error.
    fn tell(&mut self, name: &'static str, tolerance: f64, value: Option<f64>) {
        self.facts.push(Fact { name, value: value.filter(|value| value.is_finite()), error: tolerance });
    }
}

fn positive_ln(x: f64) -> Option<f64> {
    (x > 0.0).then(|| ln(x))
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

fn magnitudes(of: &[f64]) -> Vec<f64> {
    of.iter().map(|x| x.abs()).collect()
}

fn root_mean_square(of: &[f64]) -> f64 {
    sqrt(of.iter().map(|x| x * x).sum::<f64>() / of.len() as f64)
}

fn quantile(of: &[f64], share: f64) -> f64 {
    let mut values = of.to_vec();
    let rank = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// Mean autocorrelation over lags `from` to `to`; of wide groups every eighth part.
fn memory(series: &[f64], from: usize, to: usize) -> Option<f64> {
    let centre = mean(series);
    let power: f64 = series.iter().map(|x| (x - centre) * (x - centre)).sum();
    let lags: Vec<usize> = (from..=to).step_by((to - from) / 8 + 1).collect();
    let one = |lag: &usize| {
        let products = series.iter().zip(&series[*lag..]).map(|(x, y)| (x - centre) * (y - centre));
        products.sum::<f64>() / power
    };
    (power > 0.0 && series.len() > 2 * to).then(|| mean(&lags.iter().map(one).collect::<Vec<_>>()))
}

/// Aggressors in windows of so many seconds.
fn counts(material: &Material, window_s: i64) -> Vec<f64> {
    let (Some(first), Some(last)) = (material.times.first(), material.times.last()) else { return Vec::new() };
    let window = window_s * 1_000_000_000;
    let mut counts = vec![0.0; ((last - first) / window) as usize];
    for time in &material.times {
        if let Some(count) = counts.get_mut(((time - first) / window) as usize) {
            *count += 1.0;
        }
    }
    counts
}

fn fano(counts: &[f64]) -> Option<f64> {
    let centre = mean(counts);
    let square = counts.iter().map(|x| (x - centre) * (x - centre)).sum::<f64>() / (counts.len() as f64 - 1.0);
    positive_ln(square / centre)
}

#[derive(Clone, Copy)]
struct Second {
    moved: f64,
    volume: f64,
    net: f64,
}

fn seconds(material: &Material) -> Vec<Second> {
    let one = |k: usize| Second {
        moved: material.mids[k + 1] - material.mids[k],
        volume: material.volumes[k],
        net: material.nets[k],
    };
    (0..material.mids.len().saturating_sub(1)).map(one).filter(|second| second.moved.is_finite()).collect()
}

fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let (a, b) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let (aa, bb) = (sum(&|p| (p.0 - a) * (p.0 - a)), sum(&|p| (p.1 - b) * (p.1 - b)));
    (aa > 0.0 && bb > 0.0).then(|| sum(&|p| (p.0 - a) * (p.1 - b)) / sqrt(aa * bb))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::facts::tape::{Hears, News, Tape};
    use crate::metrics::flow::listen::Listener;
    use crate::rng::Stream;
    use crate::units::{Lots, Side, Ticks};

    /// A market of prints alone: `per_s` takers of about `lots`, the price steps with each.
    fn market(per_s: f64, lots: i64, seed: u64) -> Vec<Fact> {
        let mut stream = Stream::new(seed, "flow.likeness");
        let mut ear = (Tape::new(), Listener::default());
        let (mut now, mut price) = (0.0, 100_000);
        while now < 1_200.0 {
            now += stream.exponential(1.0 / per_s);
            let side = if stream.chance(0.5) { Side::Bid } else { Side::Ask };
            price += side.sign();
            let qty = Lots(1 + stream.below(2 * lots as u64) as i64);
            let instant = (now * 1e9) as i64;
            ear.hear(instant, News::Print { instant, taker: Some(side), price: Ticks(price), qty });
        }
        facts(&ear.0.finish(), &ear.1.finish(), true)
    }

    fn fact(of: &[Fact], name: &str) -> Fact {
        *of.iter().find(|fact| fact.name == name).expect("a fact")
    }

    #[test]
    fn facts_are_what_the_market_was_made_of() {
        let made = market(5.0, 50, 1);
        let near = |name: &str, expected: f64| {
            let fact = fact(&made, name);
            let off = (fact.value.unwrap() - expected) / fact.error;
            assert!(off.abs() < 3.5, "{name}: {fact:?}, not {expected}");
        };
        // Five steps of a tick a second at 100 000, where a tick is .1 bp: .1·√5; nothing remembers anything.
        near("volatility_1s", ln(0.1 * sqrt(5.0)));
        near("volatility_60s", ln(0.1 * sqrt(300.0)));
        near("peak_10s", 0.798);
        near("takers_per_s", ln(5.0));
        near("bursts_1s", 0.0);
        // The median of exponential gaps is ln 2 of their mean.
        near("gap_median", ln(std::f64::consts::LN_2));
        near("taker_lots_median", ln(50.0));
        for name in ["sign_memory_1", "sign_memory_21_100", "return_memory_1", "clustering_6_20"] {
            near(name, 0.0);
        }
        for name in ["spread_mean", "limits_per_s", "withdrawn_per_s", "best_lots"] {
            assert_eq!(fact(&made, name).value, None, "{name}: there was no book");
        }
    }

    #[test]
    fn the_same_market_is_near_and_another_is_far() {
        let (one, same, other) = (market(5.0, 50, 1), market(5.0, 50, 2), market(10.0, 400, 3));
        let near = distance(&differences(&one, &same));
        // Two independent draws differ by √2 errors, E|z| = 1.13; the tolerances make it less.
        assert!(near < 1.13, "{near}");
        let far = differences(&one, &other);
        assert!(distance(&far) > 2.0 && far.iter().all(|z| z.abs() <= FAR), "{far:?}");
        assert!(far.contains(&FAR), "eight times the size is far: {far:?}");
        assert_eq!(distance(&differences(&one, &one)), 0.0);
    }
}

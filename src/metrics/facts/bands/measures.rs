//! How each of the fourteen is measured.

use super::{HORIZONS, Measured, Silence, longest, returns, steps};
use crate::metrics::facts::curves::{Curve, survival};
use crate::metrics::facts::impact::{self, Push};
use crate::metrics::facts::tape::{Material, ORDERS_MAX, Told};
use crate::metrics::facts::{Estimate, Unmeasured, arrivals as arrive, hawkes, jackknifed, memory, tails};
use crate::numeric::sqrt;

/// Horizons up to a minute, for facts that are known at a minute.
const TO_A_MINUTE: &[usize] = &[60, 30, 10, 5, 1];
/// Aggressors the Hawkes process is fitted to.
const HAWKES_MAX: usize = 200_000;
/// Times on a grid this coarse are no arrivals but a clock's strokes, ns.
const LATTICE_NS: i64 = 10_000_000;

/// A tail of returns begins at so many ticks at least; below, it is the tick that is seen.
const TAIL_FROM_TICKS: f64 = 3.0;

type Answer = Result<Measured, Silence>;

pub fn return_tail(material: &Material) -> Answer {
    let (horizon, returns) = longest(material, &HORIZONS, 400)?;
    let found = tails::tail(&returns, 0.05)?;
    let mut sizes: Vec<f64> = returns.iter().map(|r| r.abs()).collect();
    let (_, from, _) = sizes.select_nth_unstable_by(returns.len() / 20, |a, b| b.total_cmp(a));
    let price = material.mids.iter().copied().find(|mid| mid.is_finite()).unwrap_or(f64::NAN);
    let from = *from * price;
    if from < TAIL_FROM_TICKS {
        let why = format!("at {horizon} s the largest 5 % begin at {from:.1} ticks: the price has too coarse a step");
        return Err(Silence::Unmeasurable(why));
    }
    let far = tails::tail(&returns, 0.01).map_or("too few".to_owned(), |far| format!("{:.2}", far.value));
    let curve =
        Curve::log_log("return_tail", "Share of returns larger than", "|r|", "share").through(survival(&returns));
    Ok(Measured::of(found, format!("at {horizon} s; largest 1 %: {far}")).at(horizon).draw(curve))
}

pub fn abs_over_sigma(material: &Material) -> Answer {
    let (horizon, returns) = longest(material, &HORIZONS, 400)?;
    Ok(Measured::of(tails::mean_abs_over_sigma(&returns)?, format!("at {horizon} s; a normal distribution has .798"))
        .at(horizon))
}

pub fn linear_acf(material: &Material) -> Answer {
    let (horizon, returns) = longest(material, TO_A_MINUTE, 300)?;
    let found = memory::linear_memory(&returns, 20)?;
    let lags: Vec<usize> = (1..=20).collect();
    let all = memory::correlations(&returns, &lags)?;
    let (lag, largest) = lags.iter().zip(&all.values).max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).expect("20 lags");
    let note = format!(
        "at {horizon} s; the largest is {largest:.3} at lag {lag}, chance alone gives each ±{:.3}",
        sqrt(all.noise[0])
    );
    let mut curve = Curve::log_log("linear_acf", "Autocorrelation of returns", "lag", "correlation");
    curve.log = [false, false];
    Ok(Measured::of(found, note)
        .at(horizon)
        .draw(curve.through(lags.iter().map(|&lag| lag as f64).zip(all.values.iter().copied()))))
}

pub fn volatility_clustering(material: &Material) -> Answer {
    let (horizon, returns) = longest(material, TO_A_MINUTE, 1_000)?;
    let sizes: Vec<f64> = returns.iter().map(|r| r.abs()).collect();
    let n = sizes.len();
    let far = memory::correlations(&sizes, &(51..=100).collect::<Vec<_>>())?;
    let far = far.values.iter().sum::<f64>() / far.values.len() as f64;
    let told = format!("at {horizon} s; mean over lags 51–100 is {far:.3}");
    let found = match memory::decay(&sizes, 1, 100) {
        Ok(found) => found,
        Err(Unmeasured::Nothing(why)) => return Err(Silence::Absent(n, format!("{told}; {why}"))),
        Err(why) => return Err(why.into()),
    };
    let reach = found.points.last().map_or(0.0, |(lag, _)| *lag);
    let curve = Curve::log_log("volatility_clustering", "Autocorrelation of |r|", "lag", "correlation");
    let curve = curve.through(found.points).law(found.level, -found.exponent.value);
    let measured = Measured::of(found.exponent, format!("{told}; out of the noise to lag {reach:.0}"));
    Ok(Measured { holds: far > 0.0, ..measured }.at(horizon).draw(curve))
}

pub fn gaussianity(material: &Material) -> Answer {
    let mut by_horizon = Vec::new();
    for &horizon in HORIZONS.iter().rev().filter(|horizon| **horizon >= material.bar_s.unwrap_or(1)) {
        let returns = returns(material, horizon);
        if returns.len() >= 100 {
            by_horizon.push((horizon, tails::kurtosis(&returns)?));
        }
    }
    let [(first_at, first), .., (last_at, last)] = by_horizon[..] else {
        return Err(Unmeasured::TooFew { of: "horizons with 100 returns", found: by_horizon.len(), needed: 2 }.into());
    };
    let list: Vec<String> = by_horizon.iter().map(|(at, k)| format!("{at} s {:.1}±{:.1}", k.value, k.error)).collect();
    let value = last.value / first.value;
    // Of a quotient: relative errors add as squares.
    let (a, b) = (last.error / last.value, first.error / first.value);
    let ratio = Estimate { value, error: value * sqrt(a * a + b * b), n: last.n };
    let curve = Curve::log_log("aggregational_gaussianity", "Kurtosis of returns", "horizon, s", "kurtosis");
    let curve = curve.through(by_horizon.iter().map(|(at, k)| (*at as f64, k.value)));
    let heavy = first.value - 2.0 * first.error > 3.0;
    let note = format!(
        "{}{}",
        list.join(", "),
        if heavy { String::new() } else { format!("; not heavier than normal at {first_at} s") }
    );
    Ok(Measured { holds: heavy && value < 1.0, ..Measured::of(ratio, format!("to {last_at} s: {note}")) }.draw(curve))
}

pub fn hurst(material: &Material) -> Answer {
    let (horizon, returns) = longest(material, TO_A_MINUTE, 1_000).or_else(|_| longest(material, TO_A_MINUTE, 300))?;
    let found = memory::fluctuation(&returns)?;
    let curve = Curve::log_log("hurst", "Detrended fluctuation", "window, returns", "F").through(found.points);
    Ok(Measured::of(found.hurst, format!("at {horizon} s; .5 without memory")).at(horizon).draw(curve))
}

pub fn sign_memory(material: &Material) -> Answer {
    let signs = &material.signs;
    let n = signs.len();
    Unmeasured::unless("aggressors with a side", n, 1_000)?;
    let high = (n / 10).min(1_000);
    let found = match memory::decay(signs, 10, high) {
        Ok(found) => found,
        Err(Unmeasured::Nothing(why)) => return Err(Silence::Absent(n, format!("lags 10–{high}; {why}"))),
        Err(why) => return Err(why.into()),
    };
    let first = memory::correlations(signs, &[1])?.values[0];
    let reach = found.points.last().map_or(0.0, |(lag, _)| *lag);
    let curve = Curve::log_log("order_sign_memory", "Autocorrelation of aggressor signs", "lag, orders", "correlation");
    let curve = curve.through(found.points).law(found.level, -found.exponent.value);
    let note = format!("lags 10–{high}, out of the noise to {reach:.0}; {first:.2} at lag 1; {}", kept(material));
    Ok(Measured::of(found.exponent, note).draw(curve))
}

fn kept(material: &Material) -> String {
    match material.orders as usize {
        all if all > ORDERS_MAX => format!("the first {ORDERS_MAX} of {all} orders"),
        all => format!("{} prints were {all} orders", material.prints),
    }
}

pub fn spread(material: &Material) -> Answer {
    if !material.has_book {
        return Err(Silence::Unmeasurable("the recording has no book".to_owned()));
    }
    let n = material.spread_changes as usize;
    Unmeasured::unless("spreads", n, 100)?;
    let total: i64 = material.spreads.values().sum();
    if total <= 0 {
        return Err(Silence::Unmeasurable("no spread lasted".to_owned()));
    }
    let share = |ticks: i64| material.spreads.get(&ticks).copied().unwrap_or(0) as f64 / total as f64;
    let quantile = |p: f64| {
        let mut passed = 0;
        let reaches = |(_, time): &(&i64, &i64)| {
            passed += **time;
            passed as f64 >= p * total as f64
        };
        material.spreads.iter().find(reaches).map_or(0, |(ticks, _)| *ticks) as f64
    };
    let (median, high) = (quantile(0.5), quantile(0.95));
    let mut curve = Curve::log_log("spread", "Share of time with this spread", "ticks", "share");
    curve.log[1] = false;
    let curve = curve.through(material.spreads.keys().take(400).map(|&ticks| (ticks as f64, share(ticks))));
    let note = format!("median {median} ticks, 95 % {high}, one tick {:.1} % of the time", 100.0 * share(1));
    let (value, band) = if median <= 1.0 { (share(1), Some((0.97, 1.0))) } else { (high / median, None) };
    let note = if band.is_some() { format!("share of one tick; {note}") } else { note };
    Ok(Measured { value, error: None, n, holds: true, judged: true, note, curves: Vec::new(), band }.draw(curve))
}

pub fn order_sizes(material: &Material) -> Answer {
    let sizes = &material.sizes[..material.sizes.len().min(1 << 20)];
    let found = tails::tail(sizes, 0.05)?;
    let smallest = sizes.iter().copied().fold(f64::INFINITY, f64::min);
    let fewest = sizes.iter().filter(|size| **size <= smallest).count() as f64 / sizes.len() as f64;
    let limit = match tails::tail(&material.limit_sizes, 0.05) {
        Ok(limit) => format!("limit orders {:.2} (about 2)", 1.0 + limit.value),
        Err(_) => "limit orders are not told".to_owned(),
    };
    let curve =
        Curve::log_log("order_sizes", "Share of market orders larger than", "lots", "share").through(survival(sizes));
    let note = format!("{:.1} % are of {smallest} lots, the smallest; {limit}", 100.0 * fewest);
    Ok(Measured::of(Estimate { value: 1.0 + found.value, ..found }, note).draw(curve))
}

pub fn placement_depth(material: &Material) -> Answer {
    let how = match material.told {
        Told::Orders => "of orders",
        Told::Levels => "of levels that grew",
        Told::Window => {
            let why = "this feed shows a window of best levels: what comes into sight was not placed now";
            return Err(Silence::Unmeasurable(why.to_owned()));
        }
    };
    let found = tails::lomax(&material.depths)?;
    let n = found.exponent.n as u64;
    let at_best = material.depths.get(&0).copied().unwrap_or(0) as f64 / n as f64;
    let inside = material.inside as f64 / (n + material.inside) as f64;
    let note = format!(
        "{how}; from {:.1} ticks on; {:.1} % at the best price, {:.1} % better than it (left out)",
        found.scale,
        100.0 * at_best,
        100.0 * inside
    );
    let mut left = n;
    let survival = material.depths.iter().map(|(&depth, &count)| {
        let point = (depth as f64 + 1.0, left as f64 / n as f64);
        left -= count;
        point
    });
    let survival: Vec<(f64, f64)> = survival.collect();
    let step = survival.len().div_ceil(300);
    let curve =
        Curve::log_log("placement_depth", "Share placed at least so far from the best price", "ticks + 1", "share");
    let curve = curve.through(survival.into_iter().step_by(step));
    Ok(Measured::of(Estimate { value: 1.0 + found.exponent.value, ..found.exponent }, note).draw(curve))
}

pub fn lifetimes(material: &Material) -> Answer {
    if material.told != Told::Orders {
        return Err(Silence::Unmeasurable("levels do not tell which order is gone".to_owned()));
    }
    let found = tails::tail(&material.cancelled, 0.1)?;
    let [cancelled, executed] = material.ends;
    let share = cancelled as f64 / (cancelled + executed) as f64;
    let other = tails::tail(&material.executed, 0.1)
        .map_or("too few".to_owned(), |other| format!("{:.2} ± {:.2}", 1.0 + other.value, other.error));
    let curve = Curve::log_log("lifetimes", "Share of cancelled orders that lived longer", "s", "share");
    let curve = curve.through(survival(&material.cancelled));
    let executed_curve = Curve::log_log("lifetimes", "Share of executed orders that lived longer", "s", "share");
    let executed_curve = executed_curve.through(survival(&material.executed));
    let note = format!("{:.1} % were cancelled (more than 90); executed {other} (about 1.5)", 100.0 * share);
    let measured = Measured::of(Estimate { value: 1.0 + found.value, ..found }, note);
    Ok(Measured { holds: share > 0.9, ..measured }.draw(curve).draw(executed_curve))
}

pub fn arrivals(material: &Material) -> Answer {
    let times = &material.times;
    Unmeasured::unless("aggressors", times.len(), hawkes::ARRIVALS_MIN)?;
    let step = arrive::lattice_ns(times).unwrap_or(1);
    let first = times[0];
    let mut seconds: Vec<f64> = times.iter().map(|time| (time - first) as f64 / 1e9).collect();
    let mut fanos = Vec::new();
    for window in [0.1, 1.0, 10.0, 60.0] {
        let length = seconds.last().copied().unwrap_or(0.0);
        if let Ok(fano) = arrive::fano(&seconds, length, window) {
            fanos.push((window, fano));
        }
    }
    seconds.truncate(HAWKES_MAX);
    let clock = step as f64 / 1e9;
    if step > 1_000 {
        hawkes::spread(&mut seconds, clock, 1);
    }
    let length = seconds.last().copied().unwrap_or(0.0);
    let found = hawkes::fit(&seconds, length, clock)?;
    let bursts = fanos.iter().all(|(_, fano)| fano.value > 1.0);
    let list: Vec<String> = fanos.iter().map(|(window, fano)| format!("{window} s {:.2}", fano.value)).collect();
    let grid = if step >= LATTICE_NS { format!("; on a grid of {} ms", step / 1_000_000) } else { String::new() };
    let first = if times.len() > HAWKES_MAX { format!(" of the first {HAWKES_MAX}") } else { String::new() };
    let note = format!("β {:.3} / s{first}; Fano {} (more than 1){grid}", found.decay.value, list.join(", "));
    let curve = Curve::log_log("arrivals", "Fano factor of aggressors", "window, s", "variance / mean");
    let curve = curve.through(fanos.iter().map(|(window, fano)| (*window, fano.value)));
    let measured = Measured::of(found.branching, note);
    Ok(Measured { holds: bursts && step < LATTICE_NS, ..measured }.draw(curve))
}

pub fn volume_volatility(material: &Material) -> Answer {
    let (horizon, _) = longest(material, TO_A_MINUTE, 100)?;
    let volume = |from: usize| material.volumes[from..from + horizon].iter().sum::<f64>();
    let pairs: Vec<(f64, f64)> = steps(material, horizon).map(|(from, r)| (r.abs(), volume(from))).collect();
    let found = jackknifed(&pairs, |part| {
        let n = part.len() as f64;
        let (a, b) = (part.iter().map(|p| p.0).sum::<f64>() / n, part.iter().map(|p| p.1).sum::<f64>() / n);
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| part.iter().map(of).sum::<f64>();
        let (aa, bb) = (sum(&|p| (p.0 - a) * (p.0 - a)), sum(&|p| (p.1 - b) * (p.1 - b)));
        if aa <= 0.0 || bb <= 0.0 {
            return Err(Unmeasured::Nothing("nothing moved, or nothing traded"));
        }
        Ok(sum(&|p| (p.0 - a) * (p.1 - b)) / sqrt(aa * bb))
    })?;
    let mut curve = Curve::log_log("volume_volatility", "Mean |r| by traded volume", "lots per return", "mean |r|");
    curve.log = [true, false];
    let mut sorted = pairs;
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let group = |of: &[(f64, f64)]| {
        let n = of.len() as f64;
        (of.iter().map(|p| p.1).sum::<f64>() / n, of.iter().map(|p| p.0).sum::<f64>() / n)
    };
    let points: Vec<(f64, f64)> = sorted.chunks(sorted.len().div_ceil(20)).map(group).collect();
    Ok(Measured::of(found, format!("at {horizon} s")).draw(curve.through(points)))
}

pub fn impact(material: &Material) -> Answer {
    if material.bar_s.is_some() {
        return Err(Silence::Unmeasurable("bars do not say who pushed".to_owned()));
    }
    let moves: Vec<(usize, f64)> = (0..material.mids.len().saturating_sub(1))
        .map(|k| (k, material.mids[k + 1] - material.mids[k]))
        .filter(|(_, moved)| moved.is_finite())
        .collect();
    Unmeasured::unless("seconds with a mid", moves.len(), 100)?;
    let n = moves.len() as f64;
    let sigma = sqrt(moves.iter().map(|(_, moved)| moved * moved).sum::<f64>() / n);
    let volume = moves.iter().map(|(k, _)| material.volumes[*k]).sum::<f64>() / n;
    if sigma <= 0.0 || volume <= 0.0 {
        return Err(Silence::Unmeasurable("nothing moved, or nothing traded".to_owned()));
    }
    let hidden = material.metaorders.len() >= impact::PUSHES_MIN;
    let pushes: Vec<Push> = if hidden {
        let push = |order: &crate::metrics::facts::tape::Metaorder| Push {
            share: order.executed / volume,
            moved: order.moved / sigma,
        };
        material.metaorders.iter().map(push).collect()
    } else {
        let push = |(k, moved): &(usize, f64)| {
            let net = material.nets[*k];
            Push { share: net.abs() / volume, moved: net.signum() * moved / sigma }
        };
        moves.iter().filter(|(k, _)| material.nets[*k] != 0.0).map(push).collect()
    };
    let found = match impact::law(&pushes) {
        Ok(found) => found,
        Err(Unmeasured::Nothing(why)) => return Err(Silence::Absent(pushes.len(), why.to_owned())),
        Err(why) => return Err(why.into()),
    };
    let left = fading(material);
    let fades = match impact::fading(&left) {
        Ok(fading) => format!("{:.2} ± {:.2}", fading.value, fading.error),
        Err(_) => "not seen".to_owned(),
    };
    let of = if hidden { "of metaorders" } else { "of the net flow of a second" };
    let points = impact::groups(&pushes).into_iter().map(|group| (group.x, group.y));
    let curve =
        Curve::log_log("impact", "Mean move against size", "Q/V of a second", "I/σ of a second").through(points);
    let curve = curve.law(found.factor.value, found.exponent.value);
    let path = Curve::log_log("impact", "What is left of a second's move", "seconds after", "share left").through(left);
    let note =
        format!("{of}; factor {:.2}; after a second's large push it fades as t^-β, β {fades}", found.factor.value);
    Ok(Measured::of(found.exponent, note).draw(curve).draw(path))
}

/// What is left of the move of a second with a net flow in the largest quarter, some seconds later.
fn fading(material: &Material) -> Vec<(f64, f64)> {
    let mids = &material.mids;
    let mut sizes: Vec<f64> = material.nets.iter().map(|net| net.abs()).filter(|net| *net > 0.0).collect();
    if sizes.len() < 4 {
        return Vec::new();
    }
    sizes.sort_by(f64::total_cmp);
    let large = sizes[sizes.len() * 3 / 4];
    let mean = |after: usize| {
        let moved = |k: usize| material.nets[k].signum() * (mids[k + after] - mids[k]);
        let known = (0..material.nets.len())
            .filter(|&k| material.nets[k].abs() >= large && k + after < mids.len())
            .map(moved)
            .filter(|moved| moved.is_finite());
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), moved| (sum + moved, count + 1.0));
        sum / count
    };
    let first = mean(1);
    [1, 2, 3, 5, 8, 12, 20, 30, 60].into_iter().map(|after| (after as f64, mean(after) / first)).collect()
}

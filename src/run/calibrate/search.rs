//! Where a function that is dear to ask is lowest: a search that learns from what it has seen.
//!
//! The function is a simulation: a point of the unit cube in, some differences out, and a distance made of them. First a
//! Latin hypercube is asked (M. McKay, R. Beckman & W. Conover, *A Comparison of Three Methods for Selecting Values of Input
//! Variables*, Technometrics 21, 1979). Then, round after round, a [`Kriging`] of the *differences* is learnt (they are
//! smoother than the distance made of them), thousands of points are judged by it, and those that promise most are asked: some
//! where the distance is believed to be lowest, some where it might be if the doubt turns out well. This is the scheme of
//! F. Lamperti, A. Roventini & A. Sani, *Agent-based Model Calibration using Machine Learning Surrogates*, Journal of Economic
//! Dynamics and Control 90 (2018), with the exploit and explore points of Gao et al. (2022), quant/TARGETS.md §6.4.
//!
//! What was lowest once may have been lucky: the best few and the point it started from are asked again with other seeds, and
//! the lowest mean wins. The same plan gives the same answer on any number of threads: points are drawn before anybody
//! is asked, and answers are kept in their order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;

use crate::numeric::kriging::Kriging;
use crate::rng::Stream;

/// Candidates that the surrogate judges in a round.
const CANDIDATES: usize = 1_000;
/// Nearer to each other than this, per dimension and root mean square, two candidates are one.
const APART: f64 = 0.03;
/// How many of the lowest are asked again at the end, and how often.
const FINALISTS: usize = 4;
const HEATS: u64 = 3;

/// How the search goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Points of the Latin hypercube.
    pub pool: usize,
    /// Rounds after it.
    pub rounds: usize,
    /// Points of a round where the distance is believed to be lowest.
    pub exploit: usize,
    /// Points of a round where it might be.
    pub explore: usize,
    /// Of the points, and of what is asked.
    pub seed: u64,
    /// Askers at the same time; the answer does not depend on it.
    pub threads: usize,
}

/// A point that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// In the unit cube.
    pub at: Vec<f64>,
    /// What came out.
    pub differences: Vec<f64>,
    /// What they amount to.
    pub distance: f64,
}

/// What the search came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The point it started from, mean over the heats.
    pub start: Asked,
    /// The point that won, mean over the heats.
    pub best: Asked,
    /// The lowest distance seen until the end of the pool and of each round.
    pub lowest: Vec<f64>,
    /// How often the function was asked.
    pub asked: usize,
}

/// The lowest point of `ask`.
///
/// * `start` — in the unit cube; asked first
/// * `ask` — a point and a seed in, differences out, always as many
/// * `distance` — of differences; they may be those the surrogate believes in
/// * `told` — hears of every round that is over: its number, the lowest distance so far
pub fn search(
    effort: &Effort,
    start: &[f64],
    ask: impl Fn(&[f64], u64) -> Vec<f64> + Sync,
    distance: impl Fn(&[f64]) -> f64,
    mut told: impl FnMut(usize, f64),
) -> Course {
    let mut stream = Stream::new(effort.seed, "calibrate.search");
    let mut all: Vec<Asked> = Vec::new();
    let mut lowest = Vec::new();
    let mut asked = 0;
    for round in 0..=effort.rounds {
        let points = match round {
            0 => {
                let mut points = hypercube(effort.pool, start.len(), &mut stream);
                points.insert(0, start.to_vec());
                points
            }
            _ => promising(effort, &all, &distance, &mut stream),
        };
        // Everybody in a round meets the same market; the next round another one.
        let seed = effort.seed.wrapping_add(round as u64);
        let jobs: Vec<(&[f64], u64)> = points.iter().map(|at| (&at[..], seed)).collect();
        let answers = at_once(&jobs, effort.threads, &ask);
        asked += answers.len();
        all.extend(points.iter().zip(answers).map(|(at, differences)| {
            let distance = distance(&differences);
            Asked { at: at.clone(), differences, distance }
        }));
        let least = all.iter().map(|one| one.distance).fold(f64::INFINITY, f64::min);
        lowest.push(least);
        told(round, least);
    }

    let mut order: Vec<usize> = (1..all.len()).collect();
    order.sort_by(|&a, &b| all[a].distance.total_cmp(&all[b].distance));
    let finalists: Vec<&[f64]> =
        std::iter::once(0).chain(order.into_iter().take(FINALISTS)).map(|i| &all[i].at[..]).collect();
    let heat = |h: u64| effort.seed.wrapping_add(1_000_003 * (h + 1));
    let jobs: Vec<(&[f64], u64)> = finalists.iter().flat_map(|at| (0..HEATS).map(|h| (*at, heat(h)))).collect();
    let answers = at_once(&jobs, effort.threads, &ask);
    asked += answers.len();
    let mut ends = finalists.iter().zip(answers.chunks(HEATS as usize)).map(|(at, heats)| {
        let mean = |i: usize| heats.iter().map(|heat| heat[i]).sum::<f64>() / heats.len() as f64;
        let differences: Vec<f64> = (0..heats[0].len()).map(mean).collect();
        let distance = heats.iter().map(|heat| distance(heat)).sum::<f64>() / heats.len() as f64;
        Asked { at: at.to_vec(), differences, distance }
    });
    let start = ends.next().expect("the start is a finalist");
    let best = ends.fold(start.clone(), |best, one| if one.distance < best.distance { one } else { best });
    told(effort.rounds + 1, best.distance);
    Course { start, best, lowest, asked }
}

/// `n` points, one in each of `n` slices of every dimension.
fn hypercube(n: usize, dimensions: usize, stream: &mut Stream) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; dimensions]; n];
    for i in 0..dimensions {
        let mut slices: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            slices.swap(last, stream.below(last as u64 + 1) as usize);
        }
        for (point, slice) in points.iter_mut().zip(slices) {
            point[i] = (slice as f64 + stream.uniform()) / n as f64;
        }
    }
    points
}

/// The points of a round: half of the candidates from anywhere, half from around the best.
fn promising(effort: &Effort, all: &[Asked], distance: impl Fn(&[f64]) -> f64, stream: &mut Stream) -> Vec<Vec<f64>> {
    let (d, m) = (all[0].at.len(), all[0].differences.len());
    let inputs = Array2::from_shape_fn((all.len(), d), |(i, j)| all[i].at[j]);
    let outputs = Array2::from_shape_fn((all.len(), m), |(i, j)| all[i].differences[j]);
    let learnt = Kriging::learn(inputs, outputs.view());
    let mut best: Vec<&Asked> = all.iter().collect();
    best.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    best.truncate(8);
    let mut candidates = hypercube(CANDIDATES / 2, d, stream);
    for i in 0..CANDIDATES / 2 {
        // Wide steps and narrow ones, of all coordinates or of some.
        let reach = [0.2, 0.1, 0.05][i % 3];
        let part = if i % 2 == 0 { 1.0 } else { (2.0 / d as f64).min(1.0) };
        let from = &best[i % best.len()].at;
        let step = |x: &f64| {
            let (moves, by) = (stream.uniform() < part, stream.normal());
            if moves { (x + reach * by).clamp(0.0, 1.0) } else { *x }
        };
        candidates.push(from.iter().map(step).collect());
    }
    let mut judged: Vec<(f64, f64, usize)> = Vec::with_capacity(candidates.len());
    for (i, candidate) in candidates.iter().enumerate() {
        let believed = learnt.believe(candidate);
        let mean: Vec<f64> = believed.iter().map(|(mean, _)| *mean).collect();
        // As near to zero as a doubt of one deviation allows.
        let hoped: Vec<f64> = believed.iter().map(|(mean, doubt)| mean - mean.clamp(-doubt, *doubt)).collect();
        // A function that is no difference (its distance is itself) is hoped to be lower.
        let hoped = if m == 1 { vec![believed[0].0 - believed[0].1] } else { hoped };
        judged.push((distance(&mean), distance(&hoped), i));
    }
    let mut chosen: Vec<Vec<f64>> = Vec::new();
    for (count, by) in [(effort.exploit, 0), (effort.explore, 1)] {
        let key = |one: &(f64, f64, usize)| if by == 0 { one.0 } else { one.1 };
        judged.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.2.cmp(&b.2)));
        let full = chosen.len() + count;
        for (.., i) in &judged {
            if chosen.len() == full {
                break;
            }
            let is_new = |other: &Vec<f64>| {
                let square: f64 = other.iter().zip(&candidates[*i]).map(|(a, b)| (a - b) * (a - b)).sum();
                square > APART * APART * d as f64
            };
            if chosen.iter().all(is_new) && all.iter().all(|asked| is_new(&asked.at)) {
                chosen.push(candidates[*i].clone());
            }
        }
    }
    chosen
}

/// Every job asked, answers in the order of the jobs.
fn at_once(jobs: &[(&[f64], u64)], threads: usize, ask: &(impl Fn(&[f64], u64) -> Vec<f64> + Sync)) -> Vec<Vec<f64>> {
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); jobs.len()]));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some((at, seed)) = jobs.get(i) else { break };
                    let answer = ask(at, *seed);
                    answers.lock().expect("an asker that panics ends all of it")[i] = answer;
                }
            });
        }
    });
    answers.into_inner().expect("all are done")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valley in five dimensions, bent and with ripples; lowest, 0, at .3, .7, .5, .2, .6.
    fn valley(at: &[f64]) -> Vec<f64> {
        let off: Vec<f64> = at.iter().zip([0.3, 0.7, 0.5, 0.2, 0.6]).map(|(x, to)| x - to).collect();
        let bent = off[0] + off[1] * off[1];
        let ripples = 0.05 * (1.0 - crate::numeric::cos(12.0 * off[2]));
        vec![bent * bent + 2.0 * off[1] * off[1] + off[2] * off[2] + ripples + off[3] * off[3] + 0.5 * off[4] * off[4]]
    }

    fn effort(threads: usize) -> Effort {
        Effort { pool: 30, rounds: 5, exploit: 6, explore: 4, seed: 7, threads }
    }

    #[test]
    fn the_valley_is_found_with_fewer_questions_than_at_random() {
        for seed in 1..=2 {
            let effort = Effort { seed, ..effort(2) };
            let found = search(&effort, &[0.5; 5], |at, _| valley(at), |y| y[0], |_, _| ());
            // The start, 30, five rounds of ten, three heats of five finalists.
            assert_eq!(found.asked, 1 + 30 + 50 + 15);
            let mut stream = Stream::new(seed, "calibrate.random");
            let random = |_| valley(&(0..5).map(|_| stream.uniform()).collect::<Vec<_>>())[0];
            // Twenty times as many points at random.
            let at_random = (0..20 * found.asked).map(random).fold(f64::INFINITY, f64::min);
            let best = found.best.distance;
            assert!(best < at_random && best < 0.02, "seed {seed}: {best}, at random {at_random}");
            assert!(found.start.distance > 10.0 * best && found.lowest.is_sorted_by(|a, b| a >= b), "{found:?}");
        }
    }

    #[test]
    fn differences_are_brought_to_zero_through_the_noise() {
        // Three facts of two parameters, each with a noise of .05 that the seed decides.
        let ask = |at: &[f64], seed: u64| {
            let mut noise = Stream::new(seed, &format!("{at:?}"));
            [at[0] + at[1] - 1.0, 3.0 * (at[0] - 0.25), at[0] * at[1] - 0.1875]
                .map(|fact| fact + 0.05 * noise.normal())
                .to_vec()
        };
        let distance = |all: &[f64]| all.iter().map(|z| z.abs()).sum();
        let found = search(&effort(2), &[0.9, 0.1], ask, distance, |_, _| ());
        let off = (found.best.at[0] - 0.25).abs().max((found.best.at[1] - 0.75).abs());
        assert!(off < 0.1 && found.best.distance < 0.3 && found.start.distance > 1.5, "{found:?}");
    }

    #[test]
    fn more_threads_find_the_same() {
        let on = |threads, seed| {
            let effort = Effort { rounds: 2, seed, ..effort(threads) };
            search(&effort, &[0.5; 5], |at, _| valley(at), |y| y[0], |_, _| ())
        };
        let one = on(1, 7);
        assert_eq!(one, on(5, 7));
        assert_ne!(one, on(2, 8));
    }

    #[test]
    fn a_hypercube_has_one_point_in_every_slice() {
        let points = hypercube(40, 3, &mut Stream::new(1, "cube"));
        for i in 0..3 {
            let mut slices: Vec<usize> = points.iter().map(|at| (at[i] * 40.0) as usize).collect();
            slices.sort();
            assert_eq!(slices, (0..40).collect::<Vec<_>>());
        }
    }
}

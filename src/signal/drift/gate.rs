//! A window of what was met, held against a sample of the training.

use serde::{Deserialize, Serialize};

use super::kernel::BlockTest;
use super::stability::psi;
use crate::rng::Stream;

/// Equally likely bins of every number.
const BINS: usize = 10;

/// Permutations of the block test; the least p-value it can give is one in so many and one.
const PERMUTATIONS: u32 = 199;

/// When a policy is no longer trusted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftRules {
    /// Rows a window holds, and rows between two looks.
    pub window: usize,
    /// Neighbouring rows that are permuted together.
    pub block: usize,
    /// The index that no number may exceed.
    pub psi_max: f64,
    /// And the likelihood that chance did it, at most.
    pub p_max: f64,
}

impl Default for DriftRules {
    /// 256 rows in blocks of 16; 0.25 and 0.01 (`quant/TARGETS.md` §8).
    fn default() -> Self {
        Self { window: 256, block: 16, psi_max: 0.25, p_max: 0.01 }
    }
}

/// What a policy was trained on: rows of states and actions, standardised, in the order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    dims: usize,
    /// `[rows][dims]`
    rows: Vec<f32>,
    bandwidth: f64,
    /// `[dims][BINS - 1]`, where the next bin begins.
    edges: Vec<f32>,
    /// `[dims][BINS]`, the share of the rows in each.
    shares: Vec<f64>,
}

/// A sample that nothing can be held against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Too little of it.
    #[error("a reference of {rows} rows; {need} are needed, twice the drift gate's block and at least twenty")]
    Short {
        /// Rows there are.
        rows: usize,
        /// Rows it takes.
        need: usize,
    },
    /// It is not whole rows of numbers.
    #[error("a reference of {numbers} numbers in rows of {dims}, all of them finite: it is not that")]
    Ragged {
        /// Numbers there are.
        numbers: usize,
        /// Numbers in a row.
        dims: usize,
    },
}

impl Reference {
    /// Of rows of `dims` numbers each. Errors if they are fewer than two blocks, ragged or not finite.
    pub fn new(rows: Vec<f32>, dims: usize, rules: &DriftRules) -> Result<Self, ReferenceError> {
        if dims == 0 || !rows.len().is_multiple_of(dims) || !rows.iter().all(|x| x.is_finite()) {
            return Err(ReferenceError::Ragged { numbers: rows.len(), dims });
        }
        let (count, need) = (rows.len() / dims, (2 * rules.block).max(2 * BINS));
        if count < need {
            return Err(ReferenceError::Short { rows: count, need });
        }
        let (mut edges, mut shares) = (Vec::new(), Vec::new());
        for dim in 0..dims {
            let mut column: Vec<f32> = rows.iter().skip(dim).step_by(dims).copied().collect();
            column.sort_unstable_by(f32::total_cmp);
            let own: Vec<f32> = (1..BINS).map(|bin| column[bin * count / BINS]).collect();
            // A number that is often the same has fewer bins than ten: then the shares are what they are.
            shares.extend(shares_of(column.into_iter(), &own));
            edges.extend(own);
        }
        let bandwidth = super::median_distance(&rows, dims);
        Ok(Self { dims, rows, bandwidth: if bandwidth > 0.0 { bandwidth } else { 1.0 }, edges, shares })
    }

    /// Numbers in a row.
    pub fn dims(&self) -> usize {
        self.dims
    }
}

fn shares_of(numbers: impl Iterator<Item = f32>, edges: &[f32]) -> [f64; BINS] {
    let (mut counts, mut all) = ([0u32; BINS], 0u32);
    for number in numbers {
        counts[edges.partition_point(|edge| *edge <= number)] += 1;
        all += 1;
    }
    counts.map(|count| f64::from(count) / f64::from(all.max(1)))
}

/// How far a window was from the training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftScore {
    /// The largest index of all numbers.
    pub psi: f64,
    /// Whose it is, counted from 0 in a row.
    pub worst: usize,
    /// MMD² and how likely chance makes it; asked only where the index is too high.
    pub mmd2_and_p: Option<(f64, f64)>,
    /// Whether both say that this is another population.
    pub is_other: bool,
}

/// Collects rows and looks at every full window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftGate {
    rules: DriftRules,
    window: Vec<f32>,
    score: Option<DriftScore>,
    tripped: bool,
    draw: Stream,
}

impl DriftGate {
    /// Nothing met yet. Permutations are drawn from `seed`, so that a replay comes to the same end.
    pub fn new(rules: DriftRules, seed: u64) -> Self {
        Self { rules, window: Vec::new(), score: None, tripped: false, draw: Stream::new(seed, "strategy.drift") }
    }

    /// One row more: a state as the network sees it, and what it answered. True if the gate trips with it.
    ///
    /// Panics if `row` is not as long as the reference's.
    pub fn meet(&mut self, row: &[f32], training: &Reference) -> bool {
        assert_eq!(row.len(), training.dims, "numbers in a row");
        self.window.extend_from_slice(row);
        if self.window.len() < self.rules.window * training.dims {
            return false;
        }
        let score = self.look(training);
        self.window.clear();
        self.score = Some(score);
        let trips = score.is_other && !self.tripped;
        self.tripped |= score.is_other;
        trips
    }

    /// Whether what was met once was another population. It stays so: a market that is strange now and then is strange.
    pub fn is_tripped(&self) -> bool {
        self.tripped
    }

    /// Of the last full window.
    pub fn score(&self) -> Option<DriftScore> {
        self.score
    }

    fn look(&mut self, training: &Reference) -> DriftScore {
        let dims = training.dims;
        let mut score = DriftScore::default();
        for dim in 0..dims {
            let column = self.window.iter().skip(dim).step_by(dims).copied();
            let edges = &training.edges[dim * (BINS - 1)..][..BINS - 1];
            let index = psi(&training.shares[dim * BINS..][..BINS], &shares_of(column, edges));
            if index > score.psi {
                (score.psi, score.worst) = (index, dim);
            }
        }
        if score.psi > self.rules.psi_max {
            let test = BlockTest::new(&training.rows, &self.window, dims, self.rules.block, training.bandwidth);
            let p = test.p_value(PERMUTATIONS, &mut self.draw);
            score.mmd2_and_p = Some((test.observed(), p));
            score.is_other = p <= self.rules.p_max;
        }
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two numbers and an action that follows from them, as a policy's are.
    fn rows(draw: &mut Stream, count: usize, mean: f64, habit: f64) -> Vec<f32> {
        let mut state = [0.0; 2];
        let mut all = Vec::new();
        for _ in 0..count {
            state = state.map(|x| 0.5 * x + 0.866 * draw.normal());
            let action = habit * state[0];
            all.extend([state[0] + mean, state[1], action].map(|x| x as f32));
        }
        all
    }

    fn meets(gate: &mut DriftGate, rows: &[f32], training: &Reference) -> Vec<bool> {
        rows.chunks_exact(3).map(|row| gate.meet(row, training)).collect()
    }

    #[test]
    fn the_market_it_was_trained_on_never_trips_it_and_another_does_once() {
        let rules = DriftRules::default();
        let mut draw = Stream::new(3, "test");
        let training = Reference::new(rows(&mut draw, 512, 0.0, 0.7), 3, &rules).expect("a reference");
        let mut gate = DriftGate::new(rules, 1);
        let quiet = meets(&mut gate, &rows(&mut draw, 256 * 20, 0.0, 0.7), &training);
        assert!(!quiet.contains(&true) && !gate.is_tripped(), "{:?}", gate.score());
        let score = gate.score().expect("twenty windows");
        assert!(score.psi > 0.0 && score.psi < 0.25, "{score:?}");
        let strange = meets(&mut gate, &rows(&mut draw, 256 * 3, 1.5, 0.7), &training);
        let trips: Vec<_> = (0..strange.len()).filter(|n| strange[*n]).collect();
        assert_eq!(trips, [255], "with the first full window, and once");
        let score = gate.score().expect("a score");
        assert!(score.worst == 0 && score.psi > 1.0, "the number that has moved: {score:?}");
    }

    #[test]
    fn a_policy_that_acts_otherwise_on_the_same_states_is_noticed() {
        let rules = DriftRules::default();
        let mut draw = Stream::new(4, "test");
        let training = Reference::new(rows(&mut draw, 512, 0.0, 0.7), 3, &rules).expect("a reference");
        let mut gate = DriftGate::new(rules, 1);
        let trips = meets(&mut gate, &rows(&mut draw, 256, 0.0, -2.0), &training);
        assert!(trips.contains(&true) && gate.score().is_some_and(|score| score.worst == 2), "{:?}", gate.score());
    }

    #[test]
    fn a_gate_that_is_saved_goes_on_as_if_nothing_had_been() {
        let rules = DriftRules { psi_max: 0.0, p_max: 0.0, ..DriftRules::default() };
        let mut draw = Stream::new(5, "test");
        let training = Reference::new(rows(&mut draw, 300, 0.0, 0.7), 3, &rules).expect("a reference");
        let met = rows(&mut draw, 1_000, 0.2, 0.7);
        let mut gate = DriftGate::new(rules, 9);
        meets(&mut gate, &met[..3 * 700], &training);
        let saved = postcard::to_stdvec(&gate).expect("bytes");
        let mut other: DriftGate = postcard::from_bytes(&saved).expect("a gate");
        meets(&mut gate, &met[3 * 700..], &training);
        meets(&mut other, &met[3 * 700..], &training);
        assert_eq!(gate.score(), other.score());
        assert!(gate.score().and_then(|score| score.mmd2_and_p).is_some(), "permutations were drawn");
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        let rules = DriftRules::default();
        assert_eq!(Reference::new(vec![0.0; 62], 2, &rules), Err(ReferenceError::Short { rows: 31, need: 32 }));
        assert_eq!(Reference::new(vec![0.0; 63], 2, &rules), Err(ReferenceError::Ragged { numbers: 63, dims: 2 }));
        assert!(Reference::new(vec![f32::NAN; 64], 2, &rules).is_err());
        let still = Reference::new(vec![1.0; 128], 2, &rules).expect("numbers that never change are a sample too");
        assert_eq!(still.bandwidth, 1.0);
    }
}

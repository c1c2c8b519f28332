//! A window of what was met, held against the training, again and again.

use serde::{Deserialize, Serialize};

use super::kernel::BlockTest;
use super::reference::picked;
use super::{DriftRules, Reference};
use crate::rng::Stream;
use crate::units::LocalTime;

/// Permutations of the block test; the least p-value it can give is one in so many and one.
const PERMUTATIONS: u32 = 199;

/// What a look at a full window found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftScore {
    /// The stability index of the column that is furthest beyond its limit, or nearest to it.
    pub psi: f64,
    /// That limit: the rule's, or what chance makes of that column in the training if it is more.
    pub psi_limit: f64,
    /// Which column, counted from 0.
    pub column: u32,
    /// Asked only where the index is beyond its limit.
    pub mmd: Option<Discrepancy>,
    /// Whether all of them say that this is another population.
    pub is_other: bool,
    /// Whether the policy is off, this look counted in.
    pub is_tripped: bool,
    /// Whether it went off or came back with this look.
    pub turned: bool,
}

/// How far all columns together are from the training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// MMD².
    pub squared: f64,
    /// What the training's own windows do not exceed.
    pub limit: f64,
    /// How likely chance makes it, if blocks may be exchanged.
    pub p: f64,
}

/// Collects rows and looks at every full window.
///
/// While the policy is off somebody else decides, and our orders, inventory and actions are not those of the training for that reason
/// alone: the way back is judged by the columns of the market.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftGate {
    rules: DriftRules,
    window: Vec<f32>,
    last: Option<LocalTime>,
    score: Option<DriftScore>,
    tripped: bool,
    /// Looks in a row that spoke for a change.
    streak: u32,
    draw: Stream,
}

impl DriftGate {
    /// Nothing met yet. Permutations are drawn from `seed`, so that a replay comes to the same end.
    pub fn new(rules: DriftRules, seed: u64) -> Self {
        let draw = Stream::new(seed, "strategy.drift");
        Self { rules, window: Vec::new(), last: None, score: None, tripped: false, streak: 0, draw }
    }

    /// Another moment; what a look found, if the window is full with it.
    ///
    /// Panics if `row` is not as long as the reference's.
    pub fn meet(&mut self, now: LocalTime, row: &[f32], training: &Reference) -> Option<DriftScore> {
        assert_eq!(row.len(), training.columns(), "numbers of a row");
        if self.last.is_some_and(|last| now.since(last).ms() < i64::from(self.rules.every_ms)) {
            return None;
        }
        self.last = Some(now);
        let start = self.window.len();
        self.window.extend_from_slice(row);
        training.scale().apply(&mut self.window[start..]);
        if self.window.len() < self.rules.window_rows as usize * row.len() {
            return None;
        }
        let mut score = self.look(training);
        self.window.clear();
        // On, another population speaks for a change; off, the training's.
        let speaks = score.is_other != self.tripped;
        self.streak = if speaks { self.streak + 1 } else { 0 };
        if self.streak >= if self.tripped { self.rules.calm_windows } else { self.rules.trip_windows } {
            self.tripped = !self.tripped;
            self.streak = 0;
            score.turned = true;
        }
        score.is_tripped = self.tripped;
        self.score = Some(score);
        Some(score)
    }

    /// Whether the policy is off.
    pub fn is_tripped(&self) -> bool {
        self.tripped
    }

    /// Of the last full window.
    pub fn score(&self) -> Option<DriftScore> {
        self.score
    }

    /// Whether all that is saved fits these rules and this reference.
    pub fn fits(&self, rules: &DriftRules, training: &Reference) -> bool {
        self.rules == *rules && self.window.len().is_multiple_of(training.columns())
    }

    fn look(&mut self, training: &Reference) -> DriftScore {
        let part = training.part(self.tripped);
        let mut score = DriftScore { psi_limit: self.rules.psi_max, ..DriftScore::default() };
        let mut furthest = f64::NEG_INFINITY;
        for column in &part.columns {
            let (psi, limit) = training.psi(*column, &self.window, &self.rules);
            if psi - limit > furthest {
                furthest = psi - limit;
                (score.psi, score.psi_limit, score.column) = (psi, limit, *column as u32);
            }
        }
        if furthest > 0.0 {
            let met = picked(&self.window, training.columns(), &part.columns);
            let test = BlockTest::new(&part.sample, &met);
            let p = test.p_value(PERMUTATIONS, &mut self.draw);
            let limit = training.mmd2_limit(self.tripped);
            let mmd = Discrepancy { squared: test.observed(), limit, p };
            score.is_other = p <= self.rules.p_max && mmd.squared > limit;
            score.mmd = Some(mmd);
        }
        score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKET: [bool; 3] = [true, true, false];

    fn rules() -> DriftRules {
        DriftRules { window_rows: 128, block_rows: 8, ..DriftRules::default() }
    }

    /// Two numbers of the market and an action that follows from them, as a policy's does.
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

    fn training(draw: &mut Stream) -> Reference {
        Reference::new(&[rows(draw, 128 * 30, 0.0, 0.7)], &rules(), &MARKET).expect("a reference")
    }

    /// A row a second from `second` on; the looks.
    fn meets(gate: &mut DriftGate, second: &mut i64, rows: &[f32], training: &Reference) -> Vec<DriftScore> {
        let mut one = |row| {
            *second += 1;
            gate.meet(LocalTime(*second * 1_000_000_000), row, training)
        };
        rows.chunks_exact(3).filter_map(&mut one).collect()
    }

    #[test]
    fn the_market_it_was_trained_on_never_trips_it_another_does_once_and_the_old_one_brings_it_back() {
        let mut draw = Stream::new(3, "test");
        let training = training(&mut draw);
        let (mut gate, mut second) = (DriftGate::new(rules(), 1), 0);
        let quiet = meets(&mut gate, &mut second, &rows(&mut draw, 128 * 20, 0.0, 0.7), &training);
        assert_eq!(quiet.len(), 20);
        assert!(quiet.iter().all(|look| !look.is_other && !look.is_tripped && look.psi < 0.25), "{quiet:?}");
        let strange = meets(&mut gate, &mut second, &rows(&mut draw, 128 * 3, 1.5, 0.7), &training);
        let told = |looks: &[DriftScore]| looks.iter().map(|it| (it.is_tripped, it.turned)).collect::<Vec<_>>();
        assert_eq!(told(&strange), [(true, true), (true, false), (true, false)], "with the first full window");
        assert!(strange[0].column == 0 && strange[0].psi > 1.0, "the number that has moved: {:?}", strange[0]);
        // The market is the old one and so are its numbers; our actions are not, as another strategy decides.
        let calm = meets(&mut gate, &mut second, &rows(&mut draw, 128 * 3, 0.0, -3.0), &training);
        assert_eq!(
            told(&calm),
            [(true, false), (false, true), (true, true)],
            "back after two; then the actions count again"
        );
        assert_eq!(calm[2].column, 2);
    }

    #[test]
    fn a_policy_is_off_after_as_many_windows_as_the_rules_say() {
        let mut draw = Stream::new(4, "test");
        let training = training(&mut draw);
        let (mut gate, mut second) = (DriftGate::new(DriftRules { trip_windows: 2, ..rules() }, 1), 0);
        let mut look = |habit: f64, draw: &mut Stream| {
            let looks = meets(&mut gate, &mut second, &rows(draw, 128, 0.0, habit), &training);
            (looks[0].is_other, looks[0].is_tripped)
        };
        assert_eq!(look(-2.0, &mut draw), (true, false));
        assert_eq!(look(0.7, &mut draw), (false, false), "calm in between: it counts anew");
        assert_eq!(look(-2.0, &mut draw), (true, false));
        assert_eq!(look(-2.0, &mut draw), (true, true));
    }

    #[test]
    fn rows_that_come_too_soon_are_not_rows() {
        let mut draw = Stream::new(6, "test");
        let training = training(&mut draw);
        let mut gate = DriftGate::new(rules(), 1);
        let row = [0.0; 3];
        let at = |ms: i64| LocalTime(ms * 1_000_000);
        // A decision every 100 ms, a row every second: the 128th row is due at 127 s.
        let first = (0..).find(|n| gate.meet(at(n * 100), &row, &training).is_some());
        assert_eq!(first, Some(1_270));
    }

    #[test]
    fn a_gate_that_is_saved_goes_on_as_if_nothing_had_been() {
        let rules = DriftRules { psi_max: 0.0, p_max: 0.005, ..rules() };
        let mut draw = Stream::new(5, "test");
        let training = training(&mut draw);
        let met = rows(&mut draw, 1_000, 0.8, 0.7);
        let (mut gate, mut second) = (DriftGate::new(rules, 9), 0);
        meets(&mut gate, &mut second, &met[..3 * 650], &training);
        let saved = postcard::to_stdvec(&gate).expect("bytes");
        let mut other: DriftGate = postcard::from_bytes(&saved).expect("a gate");
        assert!(other.fits(&rules, &training));
        let mut its_second = second;
        let ours = meets(&mut gate, &mut second, &met[3 * 650..], &training);
        assert_eq!(ours, meets(&mut other, &mut its_second, &met[3 * 650..], &training));
        assert!(ours[0].mmd.is_some(), "permutations were drawn: {ours:?}");
    }
}

//! What an off-policy learner remembers.
//!
//! A ring of steps, one lane per copy of the world, so that the steps after a step are found where they should be: returns
//! over several steps are added up when they are drawn, not when they are stored.

use serde::{Deserialize, Serialize};

use crate::env::Ended;
use crate::rng::Stream;

/// The last steps of every copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// How many copies, how many steps of each are kept.
    copies: usize,
    depth: usize,
    see: usize,
    act: usize,
    /// Steps ever stored.
    stored: u64,
    /// `[stored, at most depth][copies]…`; growing until full.
    observations: Vec<f32>,
    actions: Vec<f32>,
    rewards: Vec<f32>,
    /// 0 on, 1 over, 2 cut.
    ended: Vec<u8>,
    /// What came after, where an episode ended its last observation.
    next: Vec<f32>,
}

/// A draw from [`Memory`]; one row per step drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// `[rows][observation_len]`.
    pub observations: Vec<f32>,
    /// `[rows][action_len]`.
    pub actions: Vec<f32>,
    /// `[rows]`, discounted and added up.
    pub rewards: Vec<f32>,
    /// `[rows][observation_len]`, what was seen after the last of the steps added up.
    pub next: Vec<f32>,
    /// `[rows]`, what a value there is worth: γ to the number of steps, or 0 where an episode was over.
    pub worth: Vec<f32>,
}

impl Memory {
    /// An empty memory of `capacity` steps in all, at least one of each copy.
    pub fn new(capacity: usize, copies: usize, observation_len: usize, action_len: usize) -> Self {
        Self {
            copies,
            depth: (capacity / copies).max(1),
            see: observation_len,
            act: action_len,
            stored: 0,
            observations: Vec::new(),
            actions: Vec::new(),
            rewards: Vec::new(),
            ended: Vec::new(),
            next: Vec::new(),
        }
    }

    /// How many steps are remembered, of all copies.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Stores one step of every copy; the oldest goes. `next` is what each saw after it, the last observation where an
    /// episode ended.
    pub fn store(&mut self, observations: &[f32], actions: &[f32], rewards: &[f32], ended: &[Ended], next: &[f32]) {
        let at = (self.stored % self.depth as u64) as usize;
        let code = |end: &Ended| match end {
            Ended::No => 0u8,
            Ended::Over => 1,
            Ended::Cut => 2,
        };
        put(&mut self.observations, at, observations);
        put(&mut self.actions, at, actions);
        put(&mut self.rewards, at, rewards);
        put(&mut self.ended, at, &ended.iter().map(code).collect::<Vec<u8>>());
        put(&mut self.next, at, next);
        self.stored += 1;
    }

    /// Draws `rows` rows, each equally likely; sums of up to `ahead` rewards discounted by `gamma` and counted from `centre`, fewer where
    /// an episode ends or memory does.
    pub fn draw(&self, (ahead, gamma, centre): (usize, f64, f64), stream: &mut Stream, rows: usize, into: &mut Drawn) {
        assert!(!self.is_empty(), "something to draw from");
        into.observations.resize(rows * self.see, 0.0);
        into.actions.resize(rows * self.act, 0.0);
        into.next.resize(rows * self.see, 0.0);
        into.rewards.resize(rows, 0.0);
        into.worth.resize(rows, 0.0);
        let (gamma, centre, newest) = (gamma as f32, centre as f32, self.stored - 1);
        for row in 0..rows {
            let drawn = stream.below(self.len() as u64) as usize;
            let (at, copy) = (drawn / self.copies, drawn % self.copies);
            // How many steps follow this one in memory.
            let age = (newest + self.depth as u64 - at as u64) % self.depth as u64;
            let (mut sum, mut worth, mut last) = (0.0, 1.0, drawn);
            for n in 0..(ahead as u64).min(age + 1) {
                last = (at + n as usize) % self.depth * self.copies + copy;
                sum += worth * (self.rewards[last] - centre);
                worth *= gamma;
                if self.ended[last] != 0 {
                    break;
                }
            }
            into.rewards[row] = sum;
            into.worth[row] = if self.ended[last] == 1 { 0.0 } else { worth };
            let copy_row = |to: &mut [f32], from: &[f32], len: usize, index: usize| {
                to[row * len..(row + 1) * len].copy_from_slice(&from[index * len..(index + 1) * len]);
            };
            copy_row(&mut into.observations, &self.observations, self.see, drawn);
            copy_row(&mut into.actions, &self.actions, self.act, drawn);
            copy_row(&mut into.next, &self.next, self.see, last);
        }
    }
}

/// Writes row `at` of `list`, which grows by it if it is the next.
fn put<T: Copy>(list: &mut Vec<T>, at: usize, row: &[T]) {
    let from = at * row.len();
    if from == list.len() {
        list.extend_from_slice(row);
    } else {
        list[from..from + row.len()].copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One copy that sees 0, 1, 2, … and earns 1, 10, 100, 1000, …; it ends as told.
    fn walked(capacity: usize, ends: &[Ended]) -> Memory {
        let mut memory = Memory::new(capacity, 1, 1, 1);
        let mut reward = 1.0;
        for (n, end) in ends.iter().enumerate() {
            memory.store(&[n as f32], &[0.5], &[reward], &[*end], &[n as f32 + 1.0]);
            reward *= 10.0;
        }
        memory
    }

    /// Reward, next and worth by observation, from many draws.
    fn known(memory: &Memory, ahead: usize) -> Vec<(f32, f32, f32, f32)> {
        let mut drawn = Drawn::default();
        memory.draw((ahead, 0.5, 0.0), &mut Stream::new(1, "test.memory"), 200, &mut drawn);
        let rows = (0..200).map(|i| (drawn.observations[i], drawn.rewards[i], drawn.next[i], drawn.worth[i]));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows.dedup();
        rows
    }

    #[test]
    fn rewards_add_up_to_the_end_of_an_episode_and_no_further() {
        use Ended::*;
        // γ = 1/2, two steps: 1 + 10/2 = 6 from 0; 10 + 100/2 = 60 from 1, which is over; 100 from 2 alone, likewise; 1000 +
        // 10000/2 = 6000 from 3, cut; 10000 from 4 alone, worth γ; 100000 from 5, after which nothing is remembered.
        let memory = walked(10, &[No, No, Over, No, Cut, No]);
        let expected = [
            (0.0, 6.0, 2.0, 0.25),
            (1.0, 60.0, 3.0, 0.0),
            (2.0, 100.0, 3.0, 0.0),
            (3.0, 6000.0, 5.0, 0.25),
            (4.0, 10000.0, 5.0, 0.5),
            (5.0, 100000.0, 6.0, 0.5),
        ];
        assert_eq!(known(&memory, 2), expected);
    }

    #[test]
    fn rewards_are_counted_from_their_mean_once_a_step() {
        // γ = 1/2, two steps, mean 1: (1 - 1) + (10 - 1)/2 = 4.5 from 0; 10 - 1 = 9 from 1 alone, after which nothing is remembered.
        let memory = walked(10, &[Ended::No; 2]);
        let mut drawn = Drawn::default();
        memory.draw((2, 0.5, 1.0), &mut Stream::new(1, "test.memory"), 50, &mut drawn);
        for (seen, reward) in drawn.observations.iter().zip(&drawn.rewards) {
            assert_eq!(*reward, if *seen == 0.0 { 4.5 } else { 9.0 });
        }
        assert!(drawn.observations.contains(&0.0) && drawn.observations.contains(&1.0), "both were drawn");
    }

    #[test]
    fn the_oldest_is_forgotten_and_never_follows_the_newest() {
        // Six steps in a ring of four: 2 to 5 are left, and the slot after 5 holds 2.
        let memory = walked(4, &[Ended::No; 6]);
        assert_eq!(memory.len(), 4);
        let rows = known(&memory, 2);
        // 100 + 1000/2, 1000 + 10000/2, 10000 + 100000/2; 100000 alone.
        let expected =
            [(2.0, 600.0, 4.0, 0.25), (3.0, 6000.0, 5.0, 0.25), (4.0, 60000.0, 6.0, 0.25), (5.0, 100000.0, 6.0, 0.5)];
        assert_eq!(rows, expected);
    }
}

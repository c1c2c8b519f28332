//! Worlds to learn in: many copies side by side, each `reset` and `step`, no tensors.
//!
//! [`model`] has closed-form worlds whose optimum is known; [`session`] is the session that trades live, in a simulated market ([`inside`]) or on a
//! recording, with the agent in the strategy's chair.
//!
//! Observations are whatever the world says of itself; actions are in [-1, 1], and the world says what they mean. A world
//! whose episode ends begins the next one by itself, so that a learner never waits.

pub mod inside;
pub mod model;
pub mod reward;
pub mod session;

/// How a step left an episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// It goes on.
    #[default]
    No,
    /// It is over: nothing follows that could be worth anything.
    Over,
    /// It was cut short: what would have followed is worth what its last observation is worth.
    Cut,
}

/// Where a step leaves what came of it; one row per copy.
#[derive(Debug)]
pub struct Came<'a> {
    /// `[copies][observation_len]`, what is seen next: where an episode ended, the first of the next one.
    pub observations: &'a mut [f32],
    /// `[copies]`.
    pub rewards: &'a mut [f32],
    /// `[copies]`.
    pub ended: &'a mut [Ended],
    /// `[copies][observation_len]`, the last observation of the episodes that ended; other rows are left as they are.
    pub finals: &'a mut [f32],
}

/// Copies of one world, stepped together. Deterministic: the same seed and the same actions give the same numbers.
pub trait Environments: Send {
    /// How many copies.
    fn copies(&self) -> usize;

    /// Numbers in one observation.
    fn observation_len(&self) -> usize;

    /// Numbers in one action.
    fn action_len(&self) -> usize;

    /// Begins an episode in every copy; `observations` is `[copies][observation_len]`.
    fn reset(&mut self, observations: &mut [f32]);

    /// One step of every copy; `actions` is `[copies][action_len]`, what is outside [-1, 1] counts as the bound.
    fn step(&mut self, actions: &[f32], came: Came<'_>);

    /// Everything that decides what comes next, for checkpoints.
    fn save(&self) -> Vec<u8>;

    /// Back to a saved state. Errors if the bytes are not of such a world.
    fn restore(&mut self, saved: &[u8]) -> Result<(), String>;
}

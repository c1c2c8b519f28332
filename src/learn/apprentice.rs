//! What learners have in common: they can be shown how, and they leave a policy behind.
//!
//! Behaviour cloning is regression on what a teacher does in the states the pupil gets into (Ross, Gordon & Bagnell, *A
//! reduction of imitation learning and structured prediction to no-regret online learning*, AISTATS 2011): the pupil acts,
//! the teacher says what it would have done, so the pupil also learns how to get out of its own mistakes.

use serde::{Deserialize, Serialize};

use super::fused::Pass;
use super::kernel::{self, Vectors};
use crate::env::{Came, Ended, Environments};
use crate::numeric;
use crate::strategy::mlp::{Layer, Mlp, WeightsError};

/// How a network's answer becomes an action in [-1, 1].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Squash {
    /// Cut at ±1.
    Cut,
    /// Tanh.
    Tanh,
}

impl Squash {
    /// The action.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Squash::Cut => x.clamp(-1.0, 1.0),
            Squash::Tanh => numeric::tanh_f32(x),
        }
    }
}

/// A policy as it left its training.
#[derive(Clone, Debug, PartialEq)]
pub struct Pupil {
    /// The network, first layer to last; tanh between them.
    pub layers: Vec<Layer>,
    /// What its answers then go through.
    pub squash: Squash,
}

impl Pupil {
    /// The network that runs live. Errors if a weight is not finite: training has failed.
    pub fn network(&self) -> Result<Mlp, WeightsError> {
        Mlp::new(self.layers.clone())
    }

    /// What it does in each of these states: `[rows][inputs]` to `[rows][outputs]`, squashed.
    pub fn act(&self, observations: &[f32]) -> Result<Vec<f32>, WeightsError> {
        let network = self.network()?;
        let mut work = vec![0.0; network.work_len()];
        let mut actions = vec![0.0; observations.len() / network.inputs() * network.outputs()];
        let rows = observations.chunks_exact(network.inputs()).zip(actions.chunks_exact_mut(network.outputs()));
        for (observation, action) in rows {
            network.forward(observation, &mut work, action);
            action.iter_mut().for_each(|a| *a = self.squash.apply(*a));
        }
        Ok(actions)
    }
}

/// An average of the policies a training went through, weight by weight.
///
/// Slopes are noisy, so a policy keeps trembling around the best one; its average does not (Polyak & Juditsky, *Acceleration of
/// stochastic approximation by averaging*, SIAM Journal on Control and Optimization 30 (1992)). Late policies count more: the
/// `t`-th counts `(η + 1)/(t + η)` of what is then known, so that mostly the last `1/(η + 1)` of them are in it (Shamir &
/// Zhang, *Stochastic gradient descent for non-smooth optimization*, ICML 2013, "polynomial-decay averaging").
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    weights: Vec<f32>,
    count: u64,
}

impl Average {
    /// Takes one more in; nothing without an `η`.
    pub fn add(&mut self, v: Vectors, late: Option<f64>, weights: &[f32]) {
        let Some(late) = late else { return };
        self.count += 1;
        if self.count == 1 {
            self.weights = weights.to_vec();
        }
        let share = (late + 1.0) / (self.count as f64 + late);
        kernel::follow(v, share as f32, weights, &mut self.weights);
    }

    /// The average, or `last` if there is none.
    pub fn of<'a>(&'a self, last: &'a [f32]) -> &'a [f32] {
        if self.count == 0 { last } else { &self.weights }
    }
}

/// Who can be shown how.
pub trait Apprentice {
    /// One step of `rate` towards doing `actions` (`[rows][action_len]`, within ±1) on `observations`
    /// (`[rows][observation_len]`). Returns the mean squared error before it.
    fn imitate(&mut self, observations: &[f32], actions: &[f32], rate: f64) -> f64;

    /// What it does now.
    fn pupil(&self) -> Pupil;
}

/// How to be shown; every key has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lessons {
    /// How many, one step of each copy each.
    pub count: usize,
    /// Adam's learning rate at the start; it falls to 0 on a straight line.
    pub learning_rate: f64,
}

impl Default for Lessons {
    fn default() -> Self {
        Self { count: 1000, learning_rate: 1e-3 }
    }
}

/// Shows `apprentice` what `teacher` does: the pupil's actions are played, the teacher's are learned. `teacher` is given
/// one observation and writes one action. Returns the error of the first and of the last lesson. Errors if the pupil's
/// weights are no longer finite.
pub fn clone_behaviour<E: Environments>(
    apprentice: &mut (impl Apprentice + ?Sized),
    environments: &mut E,
    lessons: &Lessons,
    mut teacher: impl FnMut(&[f32], &mut [f32]),
) -> Result<[f64; 2], String> {
    let (copies, see, act) = (environments.copies(), environments.observation_len(), environments.action_len());
    let mut seen = vec![0.0; copies * see];
    environments.reset(&mut seen);
    let (mut rewards, mut ended, mut finals) = (vec![0.0; copies], vec![Ended::No; copies], vec![0.0; copies * see]);
    let mut shown = vec![0.0; copies * act];
    let mut errors = [0.0; 2];
    for n in 0..lessons.count {
        let done = apprentice.pupil().act(&seen).map_err(|e| e.to_string())?;
        for (seen, shown) in seen.chunks_exact(see).zip(shown.chunks_exact_mut(act)) {
            teacher(seen, shown);
        }
        let rate = lessons.learning_rate * (1.0 - n as f64 / lessons.count as f64);
        errors[1] = apprentice.imitate(&seen, &shown, rate);
        if n == 0 {
            errors[0] = errors[1];
        }
        let came = Came { observations: &mut seen, rewards: &mut rewards, ended: &mut ended, finals: &mut finals };
        environments.step(&done, came);
    }
    Ok(errors)
}

/// The mean squared error of `actor`'s actions, its slopes added onto `onto`. Of an actor's answer the first numbers are
/// the action; others (a deviation) have no share in this.
pub(super) fn squared_error(
    actor: &mut Pass,
    weights: &[f32],
    onto: &mut [f32],
    observations: &[f32],
    actions: &[f32],
    squash: Squash,
) -> f64 {
    let (see, out) = (actor.plan().inputs(), actor.plan().outputs());
    let all = observations.len() / see;
    let act = actions.len() / all;
    let room = actor.rows();
    let mut loss = 0.0;
    actor.turn(weights);
    for (observations, actions) in observations.chunks(room * see).zip(actions.chunks(room * act)) {
        let rows = observations.len() / see;
        actor.inputs(rows).copy_from_slice(observations);
        actor.forward(weights, rows);
        let (answers, slopes) = actor.output_slopes(rows);
        slopes.fill(0.0);
        let each = answers.chunks_exact(out).zip(slopes.chunks_exact_mut(out)).zip(actions.chunks_exact(act));
        for ((answers, slopes), actions) in each {
            for k in 0..act {
                // A cut answer is taught uncut, or it would not find back.
                let (done, slope) = match squash {
                    Squash::Cut => (answers[k], 1.0),
                    Squash::Tanh => {
                        let done = squash.apply(answers[k]);
                        (done, 1.0 - done * done)
                    }
                };
                let off = done - actions[k];
                loss += f64::from(off * off);
                slopes[k] = 2.0 * off * slope / (all * act) as f32;
            }
        }
        actor.backward(weights, rows, Some(onto), false);
    }
    loss / (all * act) as f64
}

//! The keys of [`Ppo`](super::Ppo), what they are by default and what they may be.

use serde::{Deserialize, Serialize};

/// How to train; every key has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Widths of hidden layers, actor and critic alike.
    pub hidden: Vec<usize>,
    /// How much steeper than orthogonal the first layers begin, [`Plan::bend_more`](crate::learn::fused::Plan::bend_more).
    pub bends: f64,
    /// Steps of all copies together until training ends; schedules run over them.
    pub total_steps: u64,
    /// Steps of each copy between updates.
    pub rollout: usize,
    /// Steps in a minibatch.
    pub minibatch: usize,
    /// How often each step is learned from.
    pub epochs: usize,
    /// Adam's learning rate at the start, 1 per unit of slope.
    pub learning_rate: f64,
    /// The same at the end.
    pub learning_rate_end: f64,
    /// What a reward is worth one step earlier.
    pub gamma: f64,
    /// How far advantages look: 0 one step, 1 to the end.
    pub lambda: f64,
    /// How fast the mean that rewards are counted from follows, share an update; rewards are taken as they are if absent. Only for
    /// episodes whose length no action decides.
    pub centring: Option<f64>,
    /// How far a probability may move, as a share of itself.
    pub clip: f64,
    /// How far a value may move, in units of return; unlimited if absent.
    pub value_clip: Option<f64>,
    /// What the value's loss counts against the policy's.
    pub value_weight: f64,
    /// What a nat of entropy is worth at the start, in units of advantage.
    pub entropy: f64,
    /// The same at the end.
    pub entropy_end: f64,
    /// How long a slope may be.
    pub gradient_max: f64,
    /// How far an update may move the policy, nats; unlimited if absent.
    pub kl_max: Option<f64>,
    /// Whether advantages are normalised per minibatch.
    pub normalise_advantages: bool,
    /// Standard deviation of actions at the start, where ±1 is the whole range.
    pub deviation: f64,
    /// Least deviation at the start.
    pub deviation_min: f64,
    /// The same at the end.
    pub deviation_min_end: f64,
    /// How late the policies are that the one left behind is averaged from, as [`Average`](crate::learn::apprentice::Average) says; the last
    /// alone if absent.
    pub averaging: Option<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            bends: 1.0,
            total_steps: 1_000_000,
            rollout: 512,
            minibatch: 4096,
            epochs: 10,
            learning_rate: 3e-4,
            learning_rate_end: 0.0,
            gamma: 0.99,
            lambda: 0.95,
            centring: None,
            clip: 0.2,
            value_clip: None,
            value_weight: 0.5,
            entropy: 0.0,
            entropy_end: 0.0,
            gradient_max: 0.5,
            kl_max: None,
            normalise_advantages: true,
            deviation: 0.5,
            deviation_min: 0.01,
            deviation_min_end: 0.01,
            averaging: None,
        }
    }
}

impl Config {
    /// Errors, naming the key, if a number is none that can be trained with.
    pub fn check(&self) -> Result<(), String> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let numbers = [
            ("learning_rate", self.learning_rate),
            ("learning_rate_end", self.learning_rate_end),
            ("bends", self.bends),
            ("clip", self.clip),
            ("value_clip", self.value_clip.unwrap_or(1.0)),
            ("value_weight", self.value_weight),
            ("entropy", self.entropy),
            ("entropy_end", self.entropy_end),
            ("gradient_max", self.gradient_max),
            ("deviation", self.deviation),
            ("deviation_min", self.deviation_min),
            ("deviation_min_end", self.deviation_min_end),
        ];
        if let Some((key, found)) = numbers.iter().find(|(_, x)| !(x.abs() <= 1e9)) {
            return Err(format!("ppo.{key} = {found}: no number to train with"));
        }
        let rules = [
            ("hidden", !self.hidden.is_empty() && !self.hidden.contains(&0), "one width or more, none of them 0"),
            ("rollout", (1..=1_000_000).contains(&self.rollout), "1 to 1000000"),
            ("minibatch", self.minibatch > 1, "at least 2"),
            ("epochs", self.epochs > 0, "at least 1"),
            ("learning_rate", self.learning_rate > 0.0, "above 0"),
            ("learning_rate_end", self.learning_rate_end >= 0.0, "at least 0"),
            ("gamma", share(self.gamma), "0 to 1"),
            ("lambda", share(self.lambda), "0 to 1"),
            ("bends", self.bends > 0.0, "above 0"),
            ("centring", self.centring.is_none_or(|rate| rate > 0.0 && rate <= 1.0), "above 0, at most 1"),
            ("clip", self.clip > 0.0, "above 0"),
            ("gradient_max", self.gradient_max > 0.0, "above 0"),
            ("deviation_min", self.deviation_min > 0.0, "above 0"),
            ("deviation_min_end", self.deviation_min_end > 0.0, "above 0"),
            ("averaging", self.averaging.is_none_or(|late| late >= 0.0), "at least 0"),
            ("deviation", self.deviation >= self.deviation_min, "at least deviation_min"),
        ];
        match rules.iter().find(|(_, holds, _)| !holds) {
            Some((key, _, allowed)) => Err(format!("ppo.{key} must be {allowed}")),
            None => Ok(()),
        }
    }
}

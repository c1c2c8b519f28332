//! The keys of [`Sac`](super::Sac), what they are by default and what they may be.

use serde::{Deserialize, Serialize};

use crate::learn::fused::Bend;

/// How to train; every key has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Widths of the actor's hidden layers.
    pub hidden: Vec<usize>,
    /// Widths of the critics' hidden layers.
    pub critic_hidden: Vec<usize>,
    /// What bends the critics' layers.
    pub critic_bend: Bend,
    /// Whether the critics' layers are normalised.
    pub critic_norm: bool,
    /// What an advantage of 1 is worth, reward, if critics are duelling, a value plus an advantage: a sixth to a third of what
    /// rewards deviate by in a step. Critics are one network of state and action each if absent.
    pub duelling: Option<f64>,
    /// What the square of an advantage counts against the square of an error, so that only what an action changes is in it. Without
    /// `duelling` there is none.
    pub advantage_penalty: f64,
    /// How much steeper than orthogonal the first layers begin, [`Plan::bend_more`](crate::learn::fused::Plan::bend_more).
    pub bends: f64,
    /// Steps of all copies together until training ends; schedules run over them.
    pub total_steps: u64,
    /// Steps of each copy between two calls' statistics.
    pub rollout: usize,
    /// Steps of all copies before learning begins.
    pub warm_up: u64,
    /// Steps remembered, of all copies.
    pub memory: usize,
    /// Steps in a minibatch.
    pub minibatch: usize,
    /// Minibatches per step of one copy.
    pub updates_per_step: f64,
    /// Rewards added up before a critic is asked.
    pub ahead: usize,
    /// The actor's learning rate at the start.
    pub actor_rate: f64,
    /// The critics'.
    pub critic_rate: f64,
    /// The temperature's.
    pub temperature_rate: f64,
    /// What is left of all rates at the end, as a share.
    pub rates_end: f64,
    /// What a reward is worth one step earlier.
    pub gamma: f64,
    /// How fast the mean that rewards are counted from follows, share a step of every copy; rewards are taken as they are if absent. Only
    /// for episodes whose length no action decides.
    pub centring: Option<f64>,
    /// Standard deviation of what is added to the policy's actions when they are played, at the start.
    pub explore: f64,
    /// The same at the end.
    pub explore_end: f64,
    /// How far below the mean of both critics is believed: 1 the smaller, 0 the mean. Over a long horizon without discount the
    /// smaller's shortfall adds up step by step.
    pub pessimism: f64,
    /// How fast targets follow, share a minibatch.
    pub tau: f64,
    /// The temperature at the start, reward per nat.
    pub temperature: f64,
    /// Entropy wanted at the start, nats; minus the number of an action's numbers if absent.
    pub target_entropy: Option<f64>,
    /// Entropy wanted at the end; as at the start if absent.
    pub target_entropy_end: Option<f64>,
    /// How late the policies are that the one left behind is averaged from, as [`Average`](crate::learn::apprentice::Average) says; the last
    /// alone if absent.
    pub averaging: Option<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            critic_hidden: vec![64, 64],
            critic_bend: Bend::Relu,
            critic_norm: false,
            duelling: None,
            advantage_penalty: 0.3,
            bends: 1.0,
            total_steps: 1_000_000,
            rollout: 1000,
            warm_up: 1000,
            memory: 1_000_000,
            minibatch: 256,
            updates_per_step: 1.0,
            ahead: 1,
            actor_rate: 3e-4,
            critic_rate: 3e-4,
            temperature_rate: 3e-4,
            rates_end: 1.0,
            gamma: 0.99,
            centring: None,
            explore: 0.0,
            explore_end: 0.0,
            pessimism: 1.0,
            tau: 0.005,
            temperature: 1.0,
            target_entropy: None,
            target_entropy_end: None,
            averaging: None,
        }
    }
}

impl Config {
    /// Errors, naming the key, if a number is none that can be trained with.
    pub fn check(&self) -> Result<(), String> {
        let widths = |list: &[usize]| !list.is_empty() && !list.contains(&0);
        let numbers = [
            ("updates_per_step", self.updates_per_step),
            ("actor_rate", self.actor_rate),
            ("critic_rate", self.critic_rate),
            ("temperature_rate", self.temperature_rate),
            ("bends", self.bends),
            ("explore", self.explore),
            ("explore_end", self.explore_end),
            ("temperature", self.temperature),
            ("target_entropy", self.target_entropy.unwrap_or(0.0)),
            ("target_entropy_end", self.target_entropy_end.unwrap_or(0.0)),
        ];
        if let Some((key, found)) = numbers.iter().find(|(_, x)| !(-1e9..=1e9).contains(x)) {
            return Err(format!("sac.{key} = {found}: no number to train with"));
        }
        let rules = [
            ("hidden", widths(&self.hidden), "one width or more, none of them 0"),
            ("critic_hidden", widths(&self.critic_hidden), "one width or more, none of them 0"),
            ("rollout", (1..=1_000_000).contains(&self.rollout), "1 to 1000000"),
            ("warm_up", self.warm_up > 0, "at least 1"),
            ("memory", (1..=1 << 30).contains(&self.memory), "1 to 1073741824"),
            ("minibatch", self.minibatch > 0, "at least 1"),
            (
                "updates_per_step",
                self.updates_per_step > 0.0 && self.updates_per_step <= 1_000.0,
                "above 0, at most 1000",
            ),
            ("ahead", self.ahead > 0, "at least 1"),
            ("actor_rate", self.actor_rate > 0.0, "above 0"),
            ("critic_rate", self.critic_rate > 0.0, "above 0"),
            ("temperature_rate", self.temperature_rate >= 0.0, "at least 0"),
            ("rates_end", (0.0..=1.0).contains(&self.rates_end), "0 to 1"),
            ("gamma", (0.0..=1.0).contains(&self.gamma), "0 to 1"),
            ("centring", self.centring.is_none_or(|rate| rate > 0.0 && rate <= 1.0), "above 0, at most 1"),
            ("duelling", self.duelling.is_none_or(|scale| scale > 0.0), "above 0"),
            ("advantage_penalty", self.advantage_penalty >= 0.0 && self.advantage_penalty <= 1e6, "0 to 1000000"),
            ("bends", self.bends > 0.0, "above 0"),
            ("explore", self.explore >= 0.0, "at least 0"),
            ("explore_end", self.explore_end >= 0.0, "at least 0"),
            ("pessimism", (0.0..=1.0).contains(&self.pessimism), "0 to 1"),
            ("tau", self.tau > 0.0 && self.tau <= 1.0, "above 0, at most 1"),
            ("temperature", self.temperature > 0.0, "above 0"),
            ("averaging", self.averaging.is_none_or(|late| late >= 0.0), "at least 0"),
        ];
        match rules.iter().find(|(_, holds, _)| !holds) {
            Some((key, _, allowed)) => Err(format!("sac.{key} must be {allowed}")),
            None => Ok(()),
        }
    }
}

//! Proximal policy optimisation, in one file.
//!
//! Schulman et al., *Proximal policy optimization algorithms* (2017). What makes it work is in the details (Huang et al.,
//! *The 37 implementation details of proximal policy optimization*, ICLR blog track 2022, cited as \[H n\]; Andrychowicz et al., *What
//! matters for on-policy deep actor-critic methods?*, ICLR 2021, as \[A\]); each is numbered here, and again at its line:
//!
//! 1. Many copies of the world are stepped side by side, for a fixed number of steps \[H 1\].
//! 2. Orthogonal weights, biases of zero; the actor's last layer a hundred times smaller, the critic's of gain 1 \[H 2, A 3.2\].
//! 3. Actor and critic are two networks \[H 13 of continuous control: separate\].
//! 4. Actions are normal around the actor's answer; one log standard deviation per number, whatever is seen \[H\].
//! 5. What leaves \[-1, 1\] is cut by the world; its probability is that of the uncut number \[H\].
//! 6. Adam with epsilon 1e-5 \[H 3\].
//! 7. The learning rate falls on a straight line \[H 4\].
//! 8. Generalised advantages (Schulman et al., *High-dimensional continuous control using generalized advantage estimation*, ICLR
//!    2016), returns are advantages plus values \[H 5\].
//! 9. An episode that is over is worth nothing more; one that was cut is worth what the critic makes of its last observation
//!    (Pardo et al., *Time limits in reinforcement learning*, ICML 2018).
//! 10. Each epoch shuffles all steps and goes through them in minibatches \[H 6\].
//! 11. Advantages are brought to mean 0 and deviation 1 per minibatch \[H 7\]; not, if `normalise_advantages` is off.
//! 12. The clipped objective `min(r·Â, clip(r, 1 ± c)·Â)` \[H 8\].
//! 13. The value's loss is half a squared error, clipped if `value_clip` is set \[H 9; A 3.6 finds that it does not help\].
//! 14. A bonus for entropy, which falls on a straight line \[H 10\].
//! 15. Slopes are shortened to `gradient_max` \[H 11\]; each network's by themselves, or a critic that is far off would hold back the
//!     actor.
//! 16. An update ends early once `E[(r - 1) - ln r]` of a minibatch passes `kl_max` \[H 12; estimator: J. Schulman, *Approximating KL
//!     divergence*, 2020\].
//! 17. The deviation stays above a straight line from `deviation_min` to `deviation_min_end`: who does not explore learns nothing,
//!     and who always does learns what is best for a hand that shakes.
//! 18. What is left at the end is not the last policy but an average of the last ones, see [`apprentice::Average`].
//! 19. With `centring`, rewards are counted from their running mean, see [`Centre`].
//! 20. First layers can begin `bends` times steeper, with biases, see [`Plan::bend_more`](super::fused::Plan::bend_more).

mod recipe;

use serde::{Deserialize, Serialize};

pub use recipe::Config;

use super::advantage::{self, Centre};
use super::apprentice::{self, Apprentice, Average, Pupil, Squash};
use super::away::Away;
use super::flat::{Mover, MoverRecord};
use super::fused::{Bend, Pass};
use super::kernel::{self, Vectors, padded};
use super::net;
use crate::env::{Came, Ended, Environments};
use crate::numeric;
use crate::rng::Stream;

/// How many rows go through a network together: what stays in the fast caches.
const TILE: usize = 64;

/// What an update came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Steps of all copies together, so far.
    pub steps: u64,
    /// Mean return of episodes that ended, as rewarded; `None` if none did.
    pub episode_return: Option<f64>,
    /// How many ended.
    pub episodes: u64,
    /// The policy's loss, mean over minibatches.
    pub policy_loss: f64,
    /// The value's.
    pub value_loss: f64,
    /// Entropy of actions, nats.
    pub entropy: f64,
    /// How far the policy moved, nats: mean over the last epoch's minibatches.
    pub kl: f64,
    /// Share of steps whose probability moved beyond the clip.
    pub clipped: f64,
    /// Share of the returns' variance that values explained before the update.
    pub explained: f64,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Mean standard deviation of actions after it.
    pub deviation: f64,
    /// Epochs that were begun.
    pub epochs: usize,
}

/// Everything a training is, between two updates.
#[derive(Serialize, Deserialize)]
struct Saved {
    config: Config,
    steps: u64,
    mover: MoverRecord,
    average: Average,
    centre: Centre,
    noise: Stream,
    shuffle: Stream,
    environments: Vec<u8>,
    seen: Vec<f32>,
    earned: Vec<f64>,
}

/// What the copies went through since the last update; `[rollout][copies]` each.
#[derive(Default)]
struct Rollout {
    observations: Vec<f32>,
    actions: Vec<f32>,
    log_probs: Vec<f32>,
    values: Vec<f32>,
    rewards: Vec<f32>,
    ended: Vec<bool>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
}

/// A training.
pub struct Ppo<E> {
    config: Config,
    environments: E,
    vectors: Vectors,
    actor: Pass,
    critic: Pass,
    mover: Mover,
    average: Average,
    centre: Centre,
    noise: Stream,
    shuffle: Stream,
    steps: u64,
    /// What the copies see now, and what their episodes have earned so far.
    seen: Vec<f32>,
    earned: Vec<f64>,
    rollout: Rollout,
}

/// `ln √(2π)`.
const LN_ROOT_TAU: f32 = 0.918_938_5;

impl<E: Environments> Ppo<E> {
    /// A training that begins. Errors if the configuration cannot be.
    pub fn new(config: Config, mut environments: E, seed: u64) -> Result<Self, String> {
        config.check()?;
        let (see, act) = (environments.observation_len(), environments.action_len());
        let widths = |out: usize| [&[see], &config.hidden[..], &[out]].concat();
        let vectors = Vectors::best();
        let actor = Pass::new(&widths(act), Bend::Tanh, false, TILE, vectors);
        let critic = Pass::new(&widths(1), Bend::Tanh, false, TILE, vectors);
        let mut draws = Stream::new(seed, "learn.weights");
        // (2), (3)
        let mut deviations = vec![0.0; padded(act)];
        deviations[..act].fill(numeric::ln(config.deviation) as f32);
        let (mut acts, mut judges) =
            (actor.plan().fresh(net::OUTPUT_GAIN, &mut draws), critic.plan().fresh(1.0, &mut draws));
        // (20)
        actor.plan().bend_more(config.bends, &mut acts, &mut draws);
        critic.plan().bend_more(config.bends, &mut judges, &mut draws);
        let weights = [acts, deviations, judges];
        // (6)
        let mover = Mover::new(weights.concat(), 1, 1e-5, vectors);
        let mut seen = vec![0.0; environments.copies() * see];
        environments.reset(&mut seen);
        let copies = environments.copies();
        Ok(Self {
            config,
            environments,
            vectors,
            actor,
            critic,
            mover,
            average: Average::default(),
            centre: Centre::default(),
            noise: Stream::new(seed, "learn.noise"),
            shuffle: Stream::new(seed, "learn.shuffle"),
            steps: 0,
            seen,
            earned: vec![0.0; copies],
            rollout: Rollout::default(),
        })
    }

    /// The same on another device, whole minibatches at a time.
    pub fn on(mut self, away: &Option<Away>) -> Self {
        if away.is_some() {
            let (see, act) = (self.environments.observation_len(), self.environments.action_len());
            let rows = self.config.minibatch.max(TILE);
            let pass = |out: usize| {
                let widths = [&[see], &self.config.hidden[..], &[out]].concat();
                Pass::new(&widths, Bend::Tanh, false, rows, self.vectors).on(away)
            };
            (self.actor, self.critic) = (pass(act), pass(1));
        }
        self
    }

    /// Whether all steps were taken.
    pub fn done(&self) -> bool {
        self.steps >= self.config.total_steps
    }

    /// How to train.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The copies it learns in.
    pub fn environments(&self) -> &E {
        &self.environments
    }

    /// The policy as it is: what it does when it does not explore.
    pub fn actor(&self) -> Pupil {
        Pupil { layers: self.actor.plan().layers(self.average.of(self.parts().0)), squash: Squash::Cut }
    }

    /// Standard deviations of actions.
    pub fn deviations(&self) -> Vec<f64> {
        let act = self.environments.action_len();
        self.parts().1[..act].iter().map(|d| numeric::exp(f64::from(*d))).collect()
    }

    /// Actor, log deviations and critic.
    fn parts(&self) -> (&[f32], &[f32], &[f32]) {
        let (actor, rest) = self.mover.values().split_at(self.actor.plan().len());
        let (deviations, critic) = rest.split_at(padded(self.environments.action_len()));
        (actor, deviations, critic)
    }

    /// A value on its straight line from start to end.
    fn on_line(&self, start: f64, end: f64) -> f64 {
        let gone = (self.steps as f64 / self.config.total_steps.max(1) as f64).min(1.0);
        start + (end - start) * gone
    }

    /// Plays a rollout and learns from it.
    pub fn update(&mut self) -> Stats {
        // (7), (14): as they stand when the rollout begins.
        let learning_rate = self.on_line(self.config.learning_rate, self.config.learning_rate_end);
        let mut stats = Stats { learning_rate, ..Stats::default() };
        let entropy_worth = self.on_line(self.config.entropy, self.config.entropy_end);
        let last = self.play(&mut stats);
        self.weigh(&last, &mut stats);
        self.learn(entropy_worth, &mut stats);
        // (18)
        let actor = &self.mover.values()[..self.actor.plan().len()];
        self.average.add(self.vectors, self.config.averaging, actor);
        stats.deviation = self.deviations().iter().sum::<f64>() / self.environments.action_len() as f64;
        stats.steps = self.steps;
        stats
    }

    /// (1): steps every copy. Returns the values of what is seen at the end.
    fn play(&mut self, stats: &mut Stats) -> Vec<f32> {
        let (copies, see, act) =
            (self.environments.copies(), self.environments.observation_len(), self.environments.action_len());
        let (steps, all) = (self.config.rollout, self.config.rollout * copies);
        let mut rollout = std::mem::take(&mut self.rollout);
        rollout.observations.resize(all * see, 0.0);
        rollout.actions.resize(all * act, 0.0);
        rollout.ended.resize(all, false);
        for list in [&mut rollout.log_probs, &mut rollout.values, &mut rollout.rewards] {
            list.resize(all, 0.0);
        }
        let deviations: Vec<f32> = self.deviations().iter().map(|d| *d as f32).collect();
        let floor = self.parts().1[..act].iter().map(|d| -d - LN_ROOT_TAU).sum::<f32>();
        let (mut draws, mut bits) = (vec![0.0; copies * act], Vec::new());
        let mut ended = vec![Ended::No; copies];
        let mut finals = vec![0.0; copies * see];
        let mut total = 0.0;
        let mut beyond = Vec::new();
        for t in 0..steps {
            let (from, to) = (t * copies, (t + 1) * copies);
            rollout.observations[from * see..to * see].copy_from_slice(&self.seen);
            let actor = &self.mover.values()[..self.actor.plan().len()];
            self.actor.answer(actor, &self.seen, &mut rollout.actions[from * act..to * act]);
            self.value(&self.seen.clone(), &mut rollout.values[from..to]);
            // (4)
            kernel::fill_normal(self.vectors, &mut self.noise, &mut bits, &mut draws);
            let actions = rollout.actions[from * act..to * act].chunks_exact_mut(act);
            for ((action, z), log_prob) in actions.zip(draws.chunks(act)).zip(&mut rollout.log_probs[from..to]) {
                *log_prob = floor - 0.5 * z.iter().map(|z| z * z).sum::<f32>();
                action.iter_mut().zip(z.iter().zip(&deviations)).for_each(|(a, (z, deviation))| *a += deviation * z);
            }
            // (5)
            let came = Came {
                observations: &mut self.seen,
                rewards: &mut rollout.rewards[from..to],
                ended: &mut ended,
                finals: &mut finals,
            };
            self.environments.step(&rollout.actions[from * act..to * act], came);
            for (copy, end) in ended.iter().enumerate() {
                self.earned[copy] += f64::from(rollout.rewards[from + copy]);
                rollout.ended[from + copy] = *end != Ended::No;
                if *end != Ended::No {
                    total += std::mem::take(&mut self.earned[copy]);
                    stats.episodes += 1;
                }
                // (9)
                if *end == Ended::Cut {
                    let mut worth = [0.0];
                    self.value(&finals[copy * see..(copy + 1) * see], &mut worth);
                    beyond.push((from + copy, self.config.gamma as f32 * worth[0]));
                }
            }
        }
        stats.episode_return = (stats.episodes > 0).then(|| total / stats.episodes as f64);
        // (19)
        if let Some(rate) = self.config.centring {
            self.centre.take(rate, &rollout.rewards);
            self.centre.remove(&mut rollout.rewards);
        }
        beyond.into_iter().for_each(|(at, worth)| rollout.rewards[at] += worth);
        self.steps += all as u64;
        self.rollout = rollout;
        let mut last = vec![0.0; copies];
        self.value(&self.seen.clone(), &mut last);
        last
    }

    /// What the critic makes of these observations.
    fn value(&mut self, observations: &[f32], into: &mut [f32]) {
        let weights = self.mover.values();
        self.critic.answer(&weights[weights.len() - self.critic.plan().len()..], observations, into);
    }

    /// (8): advantages and returns.
    fn weigh(&mut self, last: &[f32], stats: &mut Stats) {
        let Rollout { values, rewards, ended, advantages, returns, .. } = &mut self.rollout;
        let all = values.len();
        *advantages = advantage::advantages(rewards, ended, values, last, self.config.gamma, self.config.lambda);
        *returns = advantages.iter().zip(&*values).map(|(a, v)| a + v).collect();
        let spread = |xs: &[f32]| {
            let mean = |f: &dyn Fn(f64) -> f64| xs.iter().map(|x| f(f64::from(*x))).sum::<f64>() / all as f64;
            mean(&|x| x * x) - mean(&|x| x) * mean(&|x| x)
        };
        stats.explained = 1.0 - spread(advantages) / spread(returns).max(f64::MIN_POSITIVE);
    }

    fn learn(&mut self, entropy_worth: f64, stats: &mut Stats) {
        let all = self.rollout.values.len();
        let mut order: Vec<u32> = (0..all as u32).collect();
        let deviations = self.actor.plan().len()..self.actor.plan().len() + self.environments.action_len();
        let least = numeric::ln(self.on_line(self.config.deviation_min, self.config.deviation_min_end)) as f32;
        let (mut minibatches, mut kl_sum, mut in_epoch) = (0usize, 0.0, 0usize);
        'epochs: for _ in 0..self.config.epochs {
            stats.epochs += 1;
            (kl_sum, in_epoch) = (0.0, 0);
            // (10)
            for i in (1..all).rev() {
                order.swap(i, self.shuffle.below(i as u64 + 1) as usize);
            }
            for batch in order.chunks(self.config.minibatch).filter(|batch| batch.len() > 1) {
                let mut slopes = vec![0.0; self.mover.values().len()];
                let found = self.slopes(batch, entropy_worth, &mut slopes);
                minibatches += 1;
                in_epoch += 1;
                kl_sum += found.kl;
                stats.policy_loss += found.policy;
                stats.value_loss += found.value;
                stats.clipped += found.clipped;
                stats.entropy = found.entropy;
                // (16)
                if self.config.kl_max.is_some_and(|most| found.kl > most) {
                    break 'epochs;
                }
                // (15)
                let (acts, judges) = slopes.split_at_mut(deviations.start + padded(deviations.len()));
                for slopes in [acts, judges] {
                    kernel::shorten(slopes, self.config.gradient_max);
                }
                self.mover.step(stats.learning_rate, slopes, None);
                // (17)
                if self.mover.values()[deviations.clone()].iter().any(|d| *d < least) {
                    self.mover.change(|all| all[deviations.clone()].iter_mut().for_each(|d| *d = d.max(least)));
                }
            }
        }
        stats.kl = kl_sum / in_epoch.max(1) as f64;
        for mean in [&mut stats.policy_loss, &mut stats.value_loss, &mut stats.clipped] {
            *mean /= minibatches.max(1) as f64;
        }
    }

    /// The loss of a minibatch and its slopes.
    fn slopes(&mut self, batch: &[u32], entropy_worth: f64, slopes: &mut [f32]) -> Losses {
        let (see, act) = (self.environments.observation_len(), self.environments.action_len());
        let config = &self.config;
        let (actor_len, room) = (self.actor.plan().len(), padded(act));
        let weights = self.mover.values();
        let (actor_weights, rest) = weights.split_at(actor_len);
        let (log_deviations, critic_weights) = rest.split_at(room);
        let (actor_slopes, rest) = slopes.split_at_mut(actor_len);
        let (deviation_slopes, critic_slopes) = rest.split_at_mut(room);
        let Rollout { observations, actions, log_probs, values, advantages, returns, .. } = &self.rollout;

        // (11)
        let n = batch.len() as f64;
        let (mut shift, mut scale) = (0.0, 1.0);
        if config.normalise_advantages {
            shift = batch.iter().map(|i| f64::from(advantages[*i as usize])).sum::<f64>() / n;
            let square = |i: &u32| {
                let d = f64::from(advantages[*i as usize]) - shift;
                d * d
            };
            scale = 1.0 / (numeric::sqrt(batch.iter().map(square).sum::<f64>() / (n - 1.0)) + 1e-8);
        }
        let per_row = (1.0 / n) as f32;
        let (low, high) = (1.0 - config.clip as f32, 1.0 + config.clip as f32);
        let narrowness: Vec<f32> = log_deviations[..act].iter().map(|d| numeric::exp(-f64::from(*d)) as f32).collect();
        let floor = log_deviations[..act].iter().map(|d| -d - LN_ROOT_TAU).sum::<f32>();
        let mut pulls = vec![0f32; act];
        let mut losses = Losses::default();

        self.actor.turn(actor_weights);
        self.critic.turn(critic_weights);
        for tile in batch.chunks(self.actor.rows()) {
            let rows = tile.len();
            for (pass, weights) in [(&mut self.actor, actor_weights), (&mut self.critic, critic_weights)] {
                for (row, i) in pass.inputs(rows).chunks_exact_mut(see).zip(tile) {
                    row.copy_from_slice(&observations[*i as usize * see..(*i as usize + 1) * see]);
                }
                pass.forward(weights, rows);
            }

            let (means, mean_slopes) = self.actor.output_slopes(rows);
            let each = means.chunks_exact(act).zip(mean_slopes.chunks_exact_mut(act)).zip(tile);
            for ((means, mean_slopes), i) in each {
                let i = *i as usize;
                let mut log_prob = floor;
                // How the log probability changes with mean and log deviation: z/σ and z² - 1.
                let actions = &actions[i * act..(i + 1) * act];
                for k in 0..act {
                    let z = (actions[k] - means[k]) * narrowness[k];
                    log_prob -= 0.5 * z * z;
                    mean_slopes[k] = z * narrowness[k];
                    pulls[k] = z * z - 1.0;
                }
                // (12)
                let moved = log_prob - log_probs[i];
                let ratio = numeric::exp_f32(moved);
                let advantage = ((f64::from(advantages[i]) - shift) * scale) as f32;
                let free = if advantage >= 0.0 { ratio <= high } else { ratio >= low };
                losses.policy -= f64::from((ratio * advantage).min(ratio.clamp(low, high) * advantage));
                losses.clipped += f64::from(u8::from(!(low..=high).contains(&ratio)));
                losses.kl += f64::from((ratio - 1.0) - moved);
                let toll = if free { -advantage * ratio * per_row } else { 0.0 };
                for k in 0..act {
                    mean_slopes[k] *= toll;
                    deviation_slopes[k] += toll * pulls[k];
                }
            }
            self.actor.backward(actor_weights, rows, Some(actor_slopes), false);

            // (13)
            let weight = config.value_weight as f32 * per_row;
            let (found, value_slopes) = self.critic.output_slopes(rows);
            for ((v, slope), i) in found.iter().zip(value_slopes).zip(tile) {
                let i = *i as usize;
                let off = v - returns[i];
                *slope = weight * off;
                let mut loss = off * off;
                if let Some(most) = config.value_clip {
                    let most = most as f32;
                    let held = values[i] + (v - values[i]).clamp(-most, most) - returns[i];
                    if held * held > loss {
                        loss = held * held;
                        *slope = if (v - values[i]).abs() < most { weight * held } else { 0.0 };
                    }
                }
                losses.value += 0.5 * f64::from(loss);
            }
            self.critic.backward(critic_weights, rows, Some(critic_slopes), false);
        }
        // (14): the entropy of a normal grows by one nat with its log deviation.
        for k in 0..act {
            deviation_slopes[k] -= entropy_worth as f32;
            losses.entropy += f64::from(log_deviations[k] + 0.5 + LN_ROOT_TAU);
        }
        for mean in [&mut losses.policy, &mut losses.value, &mut losses.clipped, &mut losses.kl] {
            *mean /= n;
        }
        losses
    }

    /// Everything that decides how it goes on.
    pub fn save(&self) -> Result<Vec<u8>, String> {
        let saved = Saved {
            config: self.config.clone(),
            steps: self.steps,
            mover: self.mover.save()?,
            average: self.average.clone(),
            centre: self.centre,
            noise: self.noise.clone(),
            shuffle: self.shuffle.clone(),
            environments: self.environments.save(),
            seen: self.seen.clone(),
            earned: self.earned.clone(),
        };
        postcard::to_stdvec(&saved).map_err(|e| e.to_string())
    }

    /// Goes on where [`save`](Self::save) was called; from there on every bit is as it would have been. Errors if the
    /// bytes are of another configuration or world; `self` must then not be used.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let saved: Saved =
            postcard::from_bytes(bytes).map_err(|e| format!("{} bytes are no checkpoint of ppo: {e}", bytes.len()))?;
        if saved.config != self.config {
            return Err(format!("the checkpoint was trained with {:?}, not with {:?}", saved.config, self.config));
        }
        if saved.seen.len() != self.seen.len() || saved.earned.len() != self.earned.len() {
            let (found, own) = (saved.earned.len(), self.earned.len());
            return Err(format!("the checkpoint is of {found} copies of a world, not of {own}"));
        }
        self.environments.restore(&saved.environments)?;
        self.mover.restore(&saved.mover)?;
        (self.noise, self.shuffle, self.steps) = (saved.noise, saved.shuffle, saved.steps);
        (self.seen, self.earned) = (saved.seen, saved.earned);
        (self.average, self.centre) = (saved.average, saved.centre);
        Ok(())
    }
}

#[derive(Default)]
struct Losses {
    policy: f64,
    value: f64,
    entropy: f64,
    kl: f64,
    clipped: f64,
}

impl<E: Environments> Apprentice for Ppo<E> {
    fn imitate(&mut self, observations: &[f32], actions: &[f32], rate: f64) -> f64 {
        let mut slopes = vec![0.0; self.mover.values().len()];
        let (weights, onto) = (&self.mover.values()[..self.actor.plan().len()], &mut slopes[..self.actor.plan().len()]);
        let loss = apprentice::squared_error(&mut self.actor, weights, onto, observations, actions, Squash::Cut);
        self.mover.step(rate, slopes, Some(self.config.gradient_max));
        loss
    }

    fn pupil(&self) -> Pupil {
        self.actor()
    }
}

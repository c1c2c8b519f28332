//! Soft actor-critic, in one file.
//!
//! Haarnoja et al., *Soft actor-critic algorithms and applications* (2018, the version with automatic temperature), cited as
//! \[S\]. Each detail is numbered here, and again at its line:
//!
//! 1. The first `warm_up` steps are uniform, so that critics see all actions.
//! 2. The actor answers with mean and log deviation of a normal, the latter between e^-5 and e² by tanh \[CleanRL, sac_continuous_action.py\].
//! 3. Actions are squashed by tanh; the density is corrected by `-Σ ln(1 - a²)` \[S, appendix C\].
//! 4. Two critics; their mean less `pessimism` halves of what is between them counts: with 1, the default, the smaller one \[S; Fujimoto, van Hoof & Meger, *Addressing function approximation error in actor-critic
//!    methods*, ICML 2018\].
//! 5. Targets come from critics that follow slowly, a share `tau` a step \[S\].
//! 6. Rewards of `ahead` steps are added up before a critic is asked (Sutton & Barto, *Reinforcement learning*, 2018, chapter 7); what was
//!    done in between is old, which is not corrected for, nor is its entropy paid. One step, the default, is \[S\].
//! 7. An episode that is over is worth nothing more; one that was cut is worth what critics make of its last observation.
//! 8. Critics' losses are half a mean squared error each.
//! 9. The actor climbs `min Q - α·ln π` through the action: the reparametrised slope \[S, equation 9\].
//! 10. The temperature α moves its logarithm so that entropy comes to `target_entropy`, by default minus the number of actions'
//!     numbers; it falls on a straight line to `target_entropy_end` \[S, section 5, α held\].
//! 11. Adam with epsilon 1e-8, learning rates fall on a straight line.
//! 12. Critics can be layer-normalised \[Ball et al., *Efficient online reinforcement learning with offline data*, ICML 2023, 4.2\].
//! 13. What is left at the end is not the last policy but an average of the last ones, see [`apprentice::Average`].
//! 14. Orthogonal weights, the actor's last layer a hundred times smaller, so that it begins near 0; first layers can begin `bends` times
//!     steeper, with biases, see [`Plan::bend_more`](super::fused::Plan::bend_more).
//! 15. With `centring`, rewards are counted from their running mean, see [`Centre`].
//! 16. What is played can be noisier than the policy: normal noise on top of its actions, falling on a straight line from `explore` to
//!     `explore_end` (Lillicrap et al., *Continuous control with deep reinforcement learning*, ICLR 2016, section 3). Critics learn how worth
//!     changes with an action from actions that differ, and do not mind whose they are; entropy alone would have to make the policy
//!     itself that noisy, and the best noisy policy is not the best policy.

use serde::{Deserialize, Serialize};

use super::advantage::Centre;
use super::apprentice::{self, Apprentice, Average, Pupil, Squash};
use super::away::Away;
use super::buffer::{Drawn, Memory};
use super::flat::{Mover, MoverRecord};
use super::fused::{Bend, Pass, Plan};
use super::kernel::{self, Squashed, Vectors, padded};
use super::net;
use crate::env::{Came, Ended, Environments};
use crate::numeric;
use crate::rng::Stream;

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
    /// How much steeper than orthogonal the first layers begin, [`Plan::bend_more`](super::fused::Plan::bend_more).
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
    /// How late the policies are that the one left behind is averaged from, as [`apprentice::Average`] says; the last
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
        let rules = [
            ("hidden", widths(&self.hidden), "one width or more, none of them 0"),
            ("critic_hidden", widths(&self.critic_hidden), "one width or more, none of them 0"),
            ("rollout", self.rollout > 0, "at least 1"),
            ("warm_up", self.warm_up > 0, "at least 1"),
            ("memory", self.memory > 0, "at least 1"),
            ("minibatch", self.minibatch > 0, "at least 1"),
            ("updates_per_step", self.updates_per_step > 0.0, "above 0"),
            ("ahead", self.ahead > 0, "at least 1"),
            ("actor_rate", self.actor_rate > 0.0, "above 0"),
            ("critic_rate", self.critic_rate > 0.0, "above 0"),
            ("temperature_rate", self.temperature_rate >= 0.0, "at least 0"),
            ("rates_end", (0.0..=1.0).contains(&self.rates_end), "0 to 1"),
            ("gamma", (0.0..=1.0).contains(&self.gamma), "0 to 1"),
            ("centring", self.centring.is_none_or(|rate| rate > 0.0 && rate <= 1.0), "above 0, at most 1"),
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

/// What an update came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Steps of all copies together, so far.
    pub steps: u64,
    /// Minibatches so far.
    pub minibatches: u64,
    /// Mean return of episodes that ended, as rewarded; `None` if none did.
    pub episode_return: Option<f64>,
    /// How many ended.
    pub episodes: u64,
    /// The critics' loss, mean of both and of all minibatches.
    pub critic_loss: f64,
    /// The actor's.
    pub actor_loss: f64,
    /// Entropy of actions, nats.
    pub entropy: f64,
    /// What a nat is worth after the update.
    pub temperature: f64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    config: Config,
    steps: u64,
    minibatches: u64,
    owed: f64,
    actor: MoverRecord,
    average: Average,
    centre: Centre,
    critics: MoverRecord,
    temperature: MoverRecord,
    targets: Vec<f32>,
    memory: Memory,
    noise: Stream,
    draws: Stream,
    environments: Vec<u8>,
    seen: Vec<f32>,
    earned: Vec<f64>,
}

/// A training.
pub struct Sac<E> {
    config: Config,
    environments: E,
    vectors: Vectors,
    actor: Pass,
    /// One pass per critic: the same plan, weights one after the other in `critics`.
    passes: [Pass; 2],
    actor_mover: Mover,
    average: Average,
    centre: Centre,
    critics: Mover,
    targets: Vec<f32>,
    /// Its logarithm, alone.
    temperature: Mover,
    memory: Memory,
    drawn: Drawn,
    acted: Squashed,
    bits: Vec<u64>,
    noise: Stream,
    draws: Stream,
    steps: u64,
    minibatches: u64,
    /// Minibatches that steps have earned and that were not done yet.
    owed: f64,
    seen: Vec<f32>,
    earned: Vec<f64>,
}

impl<E: Environments> Sac<E> {
    /// A training that begins. Errors if the configuration cannot be.
    pub fn new(config: Config, mut environments: E, seed: u64) -> Result<Self, String> {
        config.check()?;
        let (copies, see, act) = (environments.copies(), environments.observation_len(), environments.action_len());
        let vectors = Vectors::best();
        let rows = config.minibatch.max(64);
        let actor = [&[see], &config.hidden[..], &[2 * act]].concat();
        let critic = [&[see + act], &config.critic_hidden[..], &[1]].concat();
        let actor = Pass::new(&actor, Bend::Tanh, false, rows, vectors);
        let pass = Pass::new(&critic, config.critic_bend, config.critic_norm, rows, vectors);
        let mut weights = Stream::new(seed, "learn.weights");
        // (14)
        let mut fresh = |plan: &Plan, gain: f64| {
            let mut flat = plan.fresh(gain, &mut weights);
            plan.bend_more(config.bends, &mut flat, &mut weights);
            flat
        };
        let actor_mover = Mover::new(fresh(actor.plan(), net::OUTPUT_GAIN), 1, 1e-8, vectors);
        let critics = [fresh(pass.plan(), 1.0), fresh(pass.plan(), 1.0)].concat();
        let mut seen = vec![0.0; copies * see];
        environments.reset(&mut seen);
        Ok(Self {
            vectors,
            actor,
            passes: [pass.clone(), pass],
            actor_mover,
            average: Average::default(),
            centre: Centre::default(),
            targets: critics.clone(),
            critics: Mover::new(critics, 2, 1e-8, vectors),
            temperature: Mover::new(vec![numeric::ln(config.temperature) as f32], 3, 1e-8, vectors),
            memory: Memory::new(config.memory, copies, see, act),
            drawn: Drawn::default(),
            acted: Squashed::default(),
            bits: Vec::new(),
            noise: Stream::new(seed, "learn.noise"),
            draws: Stream::new(seed, "learn.draws"),
            steps: 0,
            minibatches: 0,
            owed: 0.0,
            seen,
            earned: vec![0.0; copies],
            config,
            environments,
        })
    }

    /// The same on another device.
    pub fn on(mut self, away: &Option<Away>) -> Self {
        self.actor = self.actor.on(away);
        self.passes = self.passes.map(|pass| pass.on(away));
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
        let act = self.environments.action_len();
        let mut layers = self.actor.plan().layers(self.average.of(self.actor_mover.values()));
        let last = layers.last_mut().expect("a network has a layer");
        last.weight = last.weight.chunks_exact(2 * act).flat_map(|row| row[..act].to_vec()).collect();
        last.bias.truncate(act);
        Pupil { layers, squash: Squash::Tanh }
    }

    /// A value on its straight line from start to end.
    fn on_line(&self, start: f64, end: f64) -> f64 {
        let gone = (self.steps as f64 / self.config.total_steps.max(1) as f64).min(1.0);
        start + (end - start) * gone
    }

    /// Steps every copy `rollout` times, learning in between.
    pub fn update(&mut self) -> Stats {
        let mut stats = Stats::default();
        let (copies, see, act) =
            (self.environments.copies(), self.environments.observation_len(), self.environments.action_len());
        let (mut rewards, mut ended) = (vec![0.0; copies], vec![Ended::No; copies]);
        let (mut finals, mut before) = (vec![0.0; copies * see], vec![0.0; copies * see]);
        let (mut total, first) = (0.0, self.minibatches);
        for _ in 0..self.config.rollout {
            // (1)
            let actions = match self.steps < self.config.warm_up {
                true => (0..copies * act).map(|_| (2.0 * self.noise.uniform() - 1.0) as f32).collect(),
                false => self.explore(),
            };
            before.copy_from_slice(&self.seen);
            let came =
                Came { observations: &mut self.seen, rewards: &mut rewards, ended: &mut ended, finals: &mut finals };
            self.environments.step(&actions, came);
            for (copy, end) in ended.iter().enumerate() {
                self.earned[copy] += f64::from(rewards[copy]);
                if *end == Ended::No {
                    finals[copy * see..(copy + 1) * see].copy_from_slice(&self.seen[copy * see..(copy + 1) * see]);
                } else {
                    total += std::mem::take(&mut self.earned[copy]);
                    stats.episodes += 1;
                }
            }
            self.memory.store(&before, &actions, &rewards, &ended, &finals);
            // (15)
            if let Some(rate) = self.config.centring {
                self.centre.take(rate, &rewards);
            }
            self.steps += copies as u64;
            if self.steps > self.config.warm_up {
                self.owed += self.config.updates_per_step * copies as f64;
            }
            while self.owed >= 1.0 {
                self.owed -= 1.0;
                self.learn(&mut stats);
            }
        }
        stats.episode_return = (stats.episodes > 0).then(|| total / stats.episodes as f64);
        let done = (self.minibatches - first).max(1) as f64;
        for mean in [&mut stats.critic_loss, &mut stats.actor_loss, &mut stats.entropy] {
            *mean /= done;
        }
        (stats.steps, stats.minibatches) = (self.steps, self.minibatches);
        stats.temperature = self.alpha();
        stats
    }

    fn alpha(&self) -> f64 {
        numeric::exp(f64::from(self.temperature.values()[0]))
    }

    /// Actions for what the copies see.
    fn explore(&mut self) -> Vec<f32> {
        let see = self.environments.observation_len();
        let seen = std::mem::take(&mut self.seen);
        let mut actions = Vec::with_capacity(self.environments.copies() * self.environments.action_len());
        for seen in seen.chunks(self.actor.rows() * see) {
            self.act(seen);
            actions.extend_from_slice(&self.acted.actions);
        }
        self.seen = seen;
        // (16)
        let deviation = self.on_line(self.config.explore, self.config.explore_end) as f32;
        if deviation > 0.0 {
            let mut draws = vec![0.0; actions.len()];
            kernel::fill_normal(self.vectors, &mut self.noise, &mut self.bits, &mut draws);
            actions.iter_mut().zip(&draws).for_each(|(a, z)| *a = (*a + deviation * z).clamp(-1.0, 1.0));
        }
        actions
    }

    /// (2), (3): actions drawn for these observations, into `acted`.
    fn act(&mut self, observations: &[f32]) {
        let rows = observations.len() / self.environments.observation_len();
        let act = self.environments.action_len();
        self.actor.inputs(rows).copy_from_slice(observations);
        self.actor.forward(self.actor_mover.values(), rows);
        let all = &mut self.acted;
        let lists = [
            &mut all.means,
            &mut all.raw,
            &mut all.draws,
            &mut all.actions,
            &mut all.log_probs,
            &mut all.shifts,
            &mut all.bends,
        ];
        for list in lists {
            list.resize(rows * act, 0.0);
        }
        let each = self.actor.outputs(rows).chunks_exact(2 * act);
        for ((answers, means), raw) in each.zip(all.means.chunks_exact_mut(act)).zip(all.raw.chunks_exact_mut(act)) {
            means.copy_from_slice(&answers[..act]);
            raw.copy_from_slice(&answers[act..]);
        }
        kernel::fill_normal(self.vectors, &mut self.noise, &mut self.bits, &mut all.draws);
        kernel::squash(self.vectors, all);
    }

    /// What both critics make of these steps, each into its own pass.
    fn judge(&mut self, observations: &[f32], actions: &[f32], with_targets: bool) {
        let (see, act) = (self.environments.observation_len(), self.environments.action_len());
        let rows = observations.len() / see;
        let weights = if with_targets { &self.targets } else { self.critics.values() };
        let weights = weights.split_at(self.passes[0].plan().len());
        for (pass, weights) in self.passes.iter_mut().zip([weights.0, weights.1]) {
            let each = observations.chunks_exact(see).zip(actions.chunks_exact(act));
            for (input, (seen, done)) in pass.inputs(rows).chunks_exact_mut(see + act).zip(each) {
                input[..see].copy_from_slice(seen);
                input[see..].copy_from_slice(done);
            }
            pass.forward(weights, rows);
        }
    }

    /// One minibatch.
    fn learn(&mut self, stats: &mut Stats) {
        let (rows, act) = (self.config.minibatch, self.environments.action_len());
        let mut drawn = std::mem::take(&mut self.drawn);
        self.memory.draw((self.config.ahead, self.config.gamma, self.centre.mean()), &mut self.draws, rows, &mut drawn);
        let (alpha, pessimism) = (self.alpha() as f32, self.config.pessimism as f32);
        let believed = |a: f32, b: f32| 0.5 * (a + b - pessimism * (a - b).abs());
        let left = self.on_line(1.0, self.config.rates_end);

        // (4), (5), (6), (7): what the steps came to.
        self.act(&drawn.next);
        let actions = std::mem::take(&mut self.acted.actions);
        self.judge(&drawn.next, &actions, true);
        self.acted.actions = actions;
        let both = self.passes[0].outputs(rows).iter().zip(self.passes[1].outputs(rows));
        let targets: Vec<f32> = both
            .zip(drawn.rewards.iter().zip(&drawn.worth))
            .zip(self.acted.log_probs.chunks_exact(act))
            .map(|(((a, b), (reward, worth)), each)| {
                reward + worth * (believed(*a, *b) - alpha * each.iter().sum::<f32>())
            })
            .collect();

        // (8)
        self.judge(&drawn.observations, &drawn.actions, false);
        let half = self.passes[0].plan().len();
        let mut slopes = vec![0.0; 2 * half];
        for (n, pass) in self.passes.iter_mut().enumerate() {
            let weights = &self.critics.values()[n * half..(n + 1) * half];
            let (found, onto) = pass.output_slopes(rows);
            let mut loss = 0.0;
            for ((q, target), slope) in found.iter().zip(&targets).zip(onto) {
                *slope = (q - target) / rows as f32;
                loss += 0.5 * f64::from((q - target) * (q - target));
            }
            stats.critic_loss += 0.5 * loss / rows as f64;
            pass.turn(weights);
            pass.backward(weights, rows, Some(&mut slopes[n * half..(n + 1) * half]), false);
        }
        self.critics.step(self.config.critic_rate * left, slopes, None);

        // (9): down α·ln π - min Q. With u the number before tanh, ln π changes with u by 2a, a by 1 - a², and u with the
        // log deviation by the shift.
        self.act(&drawn.observations);
        let acted = std::mem::take(&mut self.acted);
        self.judge(&drawn.observations, &acted.actions, false);
        let (first, second) = self.passes.split_at_mut(1);
        let (first, second) = (&mut first[0], &mut second[0]);
        let (a, a_slopes) = first.output_slopes(rows);
        let (b, b_slopes) = second.output_slopes(rows);
        for (((a, b), a_slope), b_slope) in a.iter().zip(b).zip(a_slopes).zip(b_slopes) {
            let (more, less) = (-0.5 * (1.0 + pessimism), -0.5 * (1.0 - pessimism));
            (*a_slope, *b_slope) = if a <= b { (more, less) } else { (less, more) };
            stats.actor_loss -= f64::from(believed(*a, *b)) / rows as f64;
        }
        for (n, pass) in [first, second].into_iter().enumerate() {
            let weights = &self.critics.values()[n * half..(n + 1) * half];
            pass.turn(weights);
            pass.backward(weights, rows, None, true);
        }
        let see = self.environments.observation_len();
        let room = padded(see + act);
        let (by_a, by_b) = (self.passes[0].input_slopes(rows), self.passes[1].input_slopes(rows));
        let each = by_a.chunks_exact(room).zip(by_b.chunks_exact(room));
        let (_, onto) = self.actor.output_slopes(rows);
        for (row, (onto, (by_a, by_b))) in onto.chunks_exact_mut(2 * act).zip(each).enumerate() {
            for k in 0..act {
                let i = row * act + k;
                let action = acted.actions[i];
                let by_action = by_a[see + k] + by_b[see + k];
                let pull = (alpha * 2.0 * action + by_action * (1.0 - action * action)) / rows as f32;
                onto[k] = pull;
                onto[act + k] = (pull * acted.shifts[i] - alpha / rows as f32) * acted.bends[i];
            }
        }
        let weights = self.actor_mover.values();
        let mut slopes = vec![0.0; weights.len()];
        self.actor.turn(weights);
        self.actor.backward(weights, rows, Some(&mut slopes), false);
        self.actor_mover.step(self.config.actor_rate * left, slopes, None);
        // (13)
        self.average.add(self.vectors, self.config.averaging, self.actor_mover.values());

        // (10)
        let entropy = -acted.log_probs.iter().map(|p| f64::from(*p)).sum::<f64>() / rows as f64;
        let start = self.config.target_entropy.unwrap_or(-(act as f64));
        let wanted = self.on_line(start, self.config.target_entropy_end.unwrap_or(start));
        self.temperature.step(self.config.temperature_rate * left, vec![(entropy - wanted) as f32], None);
        stats.entropy += entropy;
        stats.actor_loss -= f64::from(alpha) * entropy;

        // (5)
        kernel::follow(self.vectors, self.config.tau as f32, self.critics.values(), &mut self.targets);
        self.minibatches += 1;
        (self.drawn, self.acted) = (drawn, acted);
    }

    /// Everything that decides how it goes on, memory included.
    pub fn save(&self) -> Result<Vec<u8>, String> {
        let saved = Saved {
            config: self.config.clone(),
            steps: self.steps,
            minibatches: self.minibatches,
            owed: self.owed,
            actor: self.actor_mover.save()?,
            average: self.average.clone(),
            centre: self.centre,
            critics: self.critics.save()?,
            temperature: self.temperature.save()?,
            targets: self.targets.clone(),
            memory: self.memory.clone(),
            noise: self.noise.clone(),
            draws: self.draws.clone(),
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
            postcard::from_bytes(bytes).map_err(|e| format!("{} bytes are no checkpoint of sac: {e}", bytes.len()))?;
        if saved.config != self.config {
            return Err(format!("the checkpoint was trained with {:?}, not with {:?}", saved.config, self.config));
        }
        if saved.seen.len() != self.seen.len() || saved.earned.len() != self.earned.len() {
            let copies = (saved.earned.len(), self.earned.len());
            return Err(format!("the checkpoint is of {} copies of a world, not of {}", copies.0, copies.1));
        }
        self.environments.restore(&saved.environments)?;
        self.actor_mover.restore(&saved.actor)?;
        self.critics.restore(&saved.critics)?;
        self.temperature.restore(&saved.temperature)?;
        (self.targets, self.memory) = (saved.targets, saved.memory);
        (self.steps, self.minibatches, self.owed) = (saved.steps, saved.minibatches, saved.owed);
        (self.noise, self.draws) = (saved.noise, saved.draws);
        (self.seen, self.earned) = (saved.seen, saved.earned);
        (self.average, self.centre) = (saved.average, saved.centre);
        Ok(())
    }
}

impl<E: Environments> Apprentice for Sac<E> {
    fn imitate(&mut self, observations: &[f32], actions: &[f32], rate: f64) -> f64 {
        let weights = self.actor_mover.values();
        let mut slopes = vec![0.0; weights.len()];
        let loss =
            apprentice::squared_error(&mut self.actor, weights, &mut slopes, observations, actions, Squash::Tanh);
        self.actor_mover.step(rate, slopes, None);
        loss
    }

    fn pupil(&self) -> Pupil {
        self.actor()
    }
}

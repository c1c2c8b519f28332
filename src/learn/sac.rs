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
//! 17. With `duelling`, critics are a value of the state, shared, and a scaled advantage of the action each, so that the actor climbs what is
//!     an action's alone (Wang et al., *Dueling network architectures for deep reinforcement learning*, ICML 2016; Tallec, Blier & Ollivier,
//!     *Making deep Q-learning methods robust to time discretization*, ICML 2019); `advantage_penalty` keeps what is the state's out of
//!     it. Why is said in `sac/critics.rs`.

mod critics;
mod recipe;

use serde::{Deserialize, Serialize};

use critics::Critics;
pub use recipe::Config;

use super::advantage::Centre;
use super::apprentice::{self, Apprentice, Average, Pupil, Squash};
use super::away::Away;
use super::buffer::{Drawn, Memory};
use super::flat::{Mover, MoverRecord};
use super::fused::{Bend, Pass};
use super::kernel::{self, Squashed, Vectors};
use super::net;
use crate::env::{Came, Ended, Environments};
use crate::numeric;
use crate::rng::Stream;

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
    judges: Critics,
    actor_mover: Mover,
    average: Average,
    centre: Centre,
    /// Weights of the judges, and those that follow them.
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
        let actor = Pass::new(&actor, Bend::Tanh, false, rows, vectors);
        let judges = Critics::new((see, act), &config, rows, vectors);
        let mut weights = Stream::new(seed, "learn.weights");
        // (14)
        let mut fresh = actor.plan().fresh(net::OUTPUT_GAIN, &mut weights);
        actor.plan().bend_more(config.bends, &mut fresh, &mut weights);
        let actor_mover = Mover::new(fresh, 1, 1e-8, vectors);
        let critics = judges.fresh(config.bends, &mut weights);
        let mut seen = vec![0.0; copies * see];
        environments.reset(&mut seen);
        Ok(Self {
            vectors,
            actor,
            judges,
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
        self.judges = self.judges.on(away);
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
        let [a, b] = self.judges.judge(&self.targets, &drawn.next, &self.acted.actions);
        let both = a.iter().zip(b);
        let targets: Vec<f32> = both
            .zip(drawn.rewards.iter().zip(&drawn.worth))
            .zip(self.acted.log_probs.chunks_exact(act))
            .map(|(((a, b), (reward, worth)), each)| {
                reward + worth * (believed(*a, *b) - alpha * each.iter().sum::<f32>())
            })
            .collect();

        // (8), (17)
        let weights = self.critics.values();
        let off = self.judges.judge(weights, &drawn.observations, &drawn.actions).each_ref().map(|found| {
            let off: Vec<f32> = found.iter().zip(&targets).map(|(q, target)| q - target).collect();
            stats.critic_loss += 0.25 * off.iter().map(|off| f64::from(off * off)).sum::<f64>() / rows as f64;
            off.iter().map(|off| off / rows as f32).collect()
        });
        let slopes = self.judges.learn(weights, &off);
        self.critics.step(self.config.critic_rate * left, slopes, None);

        // (9): down α·ln π - min Q. With u the number before tanh, ln π changes with u by 2a, a by 1 - a², and u with the
        // log deviation by the shift.
        self.act(&drawn.observations);
        let acted = std::mem::take(&mut self.acted);
        let weights = self.critics.values();
        let [a, b] = self.judges.judge(weights, &drawn.observations, &acted.actions);
        let (more, less) = (-0.5 * (1.0 + pessimism), -0.5 * (1.0 - pessimism));
        let both = a.iter().zip(b);
        let (down_a, down_b) = both.clone().map(|(a, b)| if a <= b { (more, less) } else { (less, more) }).unzip();
        stats.actor_loss -= both.map(|(a, b)| f64::from(believed(*a, *b)) / rows as f64).sum::<f64>();
        let by_action = self.judges.climb(weights, &[down_a, down_b]);
        let (_, onto) = self.actor.output_slopes(rows);
        for (row, onto) in onto.chunks_exact_mut(2 * act).enumerate() {
            for k in 0..act {
                let i = row * act + k;
                let action = acted.actions[i];
                let pull = (alpha * 2.0 * action + by_action[i] * (1.0 - action * action)) / rows as f32;
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

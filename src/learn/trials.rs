//! Worlds so small that their best policy is known, and learners that have to find it.

use serde::{Deserialize, Serialize};

use super::apprentice::{Apprentice, Lessons, Pupil, clone_behaviour};
use super::fused::Bend;
use super::{export, ppo, sac};
use crate::env::{Came, Ended, Environments};
use crate::rng::Stream;

/// How episodes of [`Post`] end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stop {
    /// For good.
    Over,
    /// By a clock that has nothing to do with the world.
    Cut,
}

/// A post to drive to: at x, action a leads to x + a/2 and costs the square of where that is.
///
/// From anywhere in [-1, 1] the best action is to go all the way, -2x cut at ±1; two steps reach 0 from the farthest. Over
/// the two steps of an episode, from x uniform on [-1, 1], |x| ≤ 1/2 costs nothing, beyond it costs (|x| - 1/2)² once: the mean is
/// ∫_{1/2}^1 (x - 1/2)² dx = 1/24, the best return -0.0417. Doing nothing costs 2·E[x²] = 2/3.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Post {
    at: Vec<f32>,
    step: u32,
    stop: Stop,
    draws: Stream,
}

impl Post {
    fn new(copies: usize, stop: Stop, seed: u64) -> Self {
        Self { at: vec![0.0; copies], step: 0, stop, draws: Stream::new(seed, "test.post") }
    }

    fn begin(&mut self) {
        self.step = 0;
        self.at.iter_mut().for_each(|x| *x = (2.0 * self.draws.uniform() - 1.0) as f32);
    }
}

impl Environments for Post {
    fn copies(&self) -> usize {
        self.at.len()
    }

    fn observation_len(&self) -> usize {
        1
    }

    fn action_len(&self) -> usize {
        1
    }

    fn reset(&mut self, observations: &mut [f32]) {
        self.begin();
        observations.copy_from_slice(&self.at);
    }

    fn step(&mut self, actions: &[f32], came: Came<'_>) {
        for ((x, action), reward) in self.at.iter_mut().zip(actions).zip(came.rewards) {
            *x += action.clamp(-1.0, 1.0) / 2.0;
            *reward = -*x * *x;
        }
        self.step += 1;
        let last = self.step == 2;
        came.ended.fill(match (last, self.stop) {
            (false, _) => Ended::No,
            (true, Stop::Over) => Ended::Over,
            (true, Stop::Cut) => Ended::Cut,
        });
        if last {
            came.finals.copy_from_slice(&self.at);
            self.begin();
        }
        came.observations.copy_from_slice(&self.at);
    }

    fn save(&self) -> Vec<u8> {
        crate::digest::canonical_bytes(self)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        *self = postcard::from_bytes(saved).map_err(|e| e.to_string())?;
        Ok(())
    }
}

/// What a policy costs in two steps, mean over 401 starts spread evenly; 1/24 at best.
fn cost(pupil: &Pupil) -> f64 {
    let mut x: Vec<f32> = (0..=400).map(|i| i as f32 / 200.0 - 1.0).collect();
    let mut sum = 0.0;
    for _ in 0..2 {
        let actions = pupil.act(&x).expect("finite weights");
        for (x, action) in x.iter_mut().zip(actions) {
            *x += action / 2.0;
            sum += f64::from(*x * *x);
        }
    }
    sum / 401.0
}

/// The best there is; doing nothing costs 2/3.
const BEST: f64 = 1.0 / 24.0;

fn quick_ppo() -> ppo::Config {
    ppo::Config {
        hidden: vec![16, 16],
        total_steps: 24_000,
        rollout: 16,
        minibatch: 256,
        epochs: 8,
        learning_rate: 5e-3,
        gamma: 1.0,
        kl_max: Some(0.05),
        value_clip: Some(0.5),
        entropy: 0.001,
        averaging: Some(3.0),
        ..ppo::Config::default()
    }
}

fn quick_sac() -> sac::Config {
    sac::Config {
        hidden: vec![16, 16],
        critic_hidden: vec![16, 16],
        critic_bend: Bend::Tanh,
        total_steps: 6000,
        rollout: 25,
        warm_up: 400,
        memory: 10_000,
        minibatch: 32,
        updates_per_step: 0.25,
        actor_rate: 5e-3,
        critic_rate: 1e-2,
        temperature_rate: 5e-3,
        rates_end: 0.02,
        gamma: 1.0,
        tau: 0.1,
        temperature: 0.05,
        target_entropy: Some(-1.5),
        target_entropy_end: Some(-3.0),
        averaging: Some(3.0),
        ..sac::Config::default()
    }
}

fn ppo(config: ppo::Config, stop: Stop, seed: u64) -> ppo::Ppo<Post> {
    ppo::Ppo::new(config, Post::new(32, stop, seed), seed).expect("a configuration that can be")
}

fn sac(config: sac::Config, stop: Stop, seed: u64) -> sac::Sac<Post> {
    sac::Sac::new(config, Post::new(8, stop, seed), seed).expect("a configuration that can be")
}

#[test]
fn ppo_drives_to_the_post() {
    for stop in [Stop::Over, Stop::Cut] {
        // Cut episodes go on in the critic's mind: there the best return from x is that of going on for ever, with the
        // same best action; a discount keeps it finite while the critic is still wrong.
        let gamma = if stop == Stop::Cut { 0.8 } else { 1.0 };
        let mut training = ppo(ppo::Config { gamma, ..quick_ppo() }, stop, 1);
        let before = cost(&training.actor());
        assert!((before - 2.0 / 3.0).abs() < 0.05, "an untrained policy does nearly nothing: {before}");
        while !training.done() {
            training.update();
        }
        let after = cost(&training.actor());
        assert!(after < BEST + 0.006, "{stop:?}: {after}, at best {BEST}");
    }
}

#[test]
fn sac_drives_to_the_post() {
    for (stop, ahead, critic_norm) in [(Stop::Over, 1, false), (Stop::Cut, 2, true)] {
        let gamma = if stop == Stop::Cut { 0.8 } else { 1.0 };
        let mut training = sac(sac::Config { gamma, ahead, critic_norm, ..quick_sac() }, stop, 1);
        while !training.done() {
            training.update();
        }
        let after = cost(&training.actor());
        // Two hundredths of the way from doing nothing: tanh never quite says 1, which is best where |x| > 1/2.
        assert!(after < BEST + 0.0125, "{stop:?}, {ahead} ahead, normed {critic_norm}: {after}, at best {BEST}");
    }
}

/// A learner as the tests below need it.
trait Learner: Apprentice {
    fn go(&mut self);
    fn bytes(&self) -> Vec<u8>;
    fn back(&mut self, bytes: &[u8]) -> Result<(), String>;
}

impl<E: Environments> Learner for ppo::Ppo<E> {
    fn go(&mut self) {
        self.update();
    }
    fn bytes(&self) -> Vec<u8> {
        self.save().expect("saves")
    }
    fn back(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.restore(bytes)
    }
}

impl<E: Environments> Learner for sac::Sac<E> {
    fn go(&mut self) {
        self.update();
    }
    fn bytes(&self) -> Vec<u8> {
        self.save().expect("saves")
    }
    fn back(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.restore(bytes)
    }
}

fn full_ppo() -> ppo::Config {
    ppo::Config { centring: Some(0.1), bends: 1.5, ..quick_ppo() }
}

/// With everything that a checkpoint has to carry.
fn learners(seed: u64) -> [Box<dyn Learner>; 2] {
    let short = sac::Config {
        warm_up: 100,
        centring: Some(0.01),
        explore: 0.1,
        explore_end: 0.05,
        bends: 1.5,
        duelling: Some(0.5),
        ..quick_sac()
    };
    [Box::new(ppo(full_ppo(), Stop::Over, seed)), Box::new(sac(short, Stop::Over, seed))]
}

#[test]
fn counting_rewards_from_their_mean_changes_what_values_are_and_not_what_is_best() {
    let mut centre = super::advantage::Centre::default();
    centre.take(0.1, &[4.0, 6.0]);
    assert_eq!(centre.mean(), 5.0, "the first rewards are the mean");
    centre.take(0.1, &[8.0, 8.0]);
    assert_eq!(centre.mean(), 6.5, "the second have half of it: 5 + (8 - 5)/2");
    (0..20).for_each(|_| centre.take(0.1, &[6.5]));
    centre.take(0.1, &[16.5]);
    assert!((centre.mean() - 7.5).abs() < 1e-9, "later ones a tenth: 6.5 + 10/10, not {}", centre.mean());
    let mut rewards = [7.5, 8.5];
    centre.remove(&mut rewards);
    assert!(rewards[0].abs() < 1e-6 && (rewards[1] - 1.0).abs() < 1e-6, "{rewards:?}");

    let mut training = ppo(ppo::Config { centring: Some(0.1), ..quick_ppo() }, Stop::Over, 1);
    while !training.done() {
        training.update();
    }
    let after = cost(&training.actor());
    assert!(after < BEST + 0.006, "{after}, at best {BEST}");
}

#[test]
fn who_plays_more_noisily_than_the_policy_still_learns_the_policy() {
    let config = sac::Config { explore: 0.2, explore_end: 0.1, target_entropy: Some(-2.5), ..quick_sac() };
    let mut training = sac(config, Stop::Over, 1);
    while !training.done() {
        training.update();
    }
    let after = cost(&training.actor());
    assert!(after < BEST + 0.0125, "{after}, at best {BEST}");
}

#[test]
fn critics_of_a_value_and_an_advantage_lead_to_the_post_too() {
    for scale in [0.1, 1.0] {
        let mut training = sac(sac::Config { duelling: Some(scale), ..quick_sac() }, Stop::Over, 1);
        while !training.done() {
            training.update();
        }
        let after = cost(&training.actor());
        assert!(after < BEST + 0.0125, "scale {scale}: {after}, at best {BEST}");
    }
    let refused = sac::Config { duelling: Some(0.0), ..quick_sac() }.check();
    assert_eq!(refused, Err("sac.duelling must be above 0".into()));
}

#[test]
fn a_seed_is_a_training() {
    let trained = |seed| {
        learners(seed).map(|mut learner| {
            (0..3).for_each(|_| learner.go());
            learner.pupil().layers
        })
    };
    assert_eq!(trained(1), trained(1));
    let (one, two) = (trained(1), trained(2));
    assert!(one.iter().zip(&two).all(|(one, two)| one != two), "another seed, another policy");
}

#[test]
fn resumed_is_uninterrupted_to_the_last_bit() {
    for n in 0..2 {
        let mut through = learners(3).into_iter().nth(n).expect("two of them");
        (0..4).for_each(|_| through.go());
        let saved = through.bytes();
        (0..3).for_each(|_| through.go());

        // Another seed, so that nothing fits by chance.
        let mut resumed = learners(4).into_iter().nth(n).expect("two of them");
        resumed.back(&saved).expect("restores");
        assert_eq!(resumed.bytes(), saved, "learner {n}: what was saved is what is there");
        (0..3).for_each(|_| resumed.go());
        assert!(resumed.bytes() == through.bytes(), "learner {n} went on another way");
        assert_eq!(resumed.pupil(), through.pupil());
    }
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let [ppo_one, sac_one] = learners(1);
    let wider = ppo::Config { hidden: vec![17], ..quick_ppo() };
    let complaint = ppo(wider, Stop::Over, 1).back(&ppo_one.bytes()).expect_err("refused");
    assert!(complaint.contains("hidden: [16, 16]") && complaint.contains("hidden: [17]"), "{complaint}");
    let mut many = ppo::Ppo::new(full_ppo(), Post::new(33, Stop::Over, 1), 1).expect("a configuration that can be");
    let complaint = many.back(&ppo_one.bytes()).expect_err("refused");
    assert_eq!(complaint, "the checkpoint is of 32 copies of a world, not of 33");
    let complaint = sac(quick_sac(), Stop::Over, 1).back(&sac_one.bytes()[..40]).expect_err("refused");
    assert!(complaint.starts_with("40 bytes are no checkpoint of sac"), "{complaint}");
}

#[test]
fn a_key_that_does_not_exist_or_a_number_that_cannot_be_is_named() {
    let unknown = toml::from_str::<ppo::Config>("epoch = 3").expect_err("no such key").to_string();
    assert!(unknown.contains("unknown field `epoch`"), "{unknown}");
    let config: sac::Config = toml::from_str("tau = 0.5").expect("every other key has a default");
    assert_eq!(config, sac::Config { tau: 0.5, ..sac::Config::default() });
    assert_eq!(sac::Config { tau: 0.0, ..config }.check(), Err("sac.tau must be above 0, at most 1".into()));
    let narrow = ppo::Config { deviation: 0.001, ..ppo::Config::default() };
    assert_eq!(narrow.check(), Err("ppo.deviation must be at least deviation_min".into()));
}

#[test]
fn an_apprentice_learns_what_it_is_shown() {
    // The teacher drives halfway: -x. Errors start near E[x²] = 1/3, or less where the pupil has been driven already.
    for mut learner in [learners(1), learners(2)].into_iter().flatten() {
        let mut world = Post::new(64, Stop::Over, 9);
        let lessons = Lessons { count: 300, learning_rate: 1e-2 };
        let teacher = |seen: &[f32], done: &mut [f32]| done[0] = -seen[0];
        let [first, last] = clone_behaviour(&mut *learner, &mut world, &lessons, teacher).expect("finite");
        assert!((0.2..0.5).contains(&first), "an untrained pupil is off by {first}");
        assert!(last < 3e-3, "still off by {last}");
        let done = learner.pupil().act(&[-0.75, 0.25]).expect("finite");
        assert!((done[0] - 0.75).abs() < 0.1 && (done[1] + 0.25).abs() < 0.1, "{done:?}");
    }
}

#[test]
fn what_was_trained_is_what_runs() {
    use burn::tensor::{Device, Tensor, TensorData};
    for mut learner in learners(5) {
        (0..3).for_each(|_| learner.go());
        let pupil = learner.pupil();
        let actor = super::net::Actor::of(&pupil.layers, &Device::flex());
        let file = export::safetensors(&actor).expect("writes");
        let network = crate::strategy::mlp::Mlp::from_safetensors(&file).expect("reads");
        assert_eq!(network, pupil.network().expect("finite"));
        let seen: Vec<f32> = (0..50).map(|i| i as f32 / 25.0 - 1.0).collect();
        let burns = actor.forward(Tensor::from_data(TensorData::new(seen.clone(), [50, 1]), &Device::flex()));
        let burns: Vec<f32> = burns.into_data().try_into_vec().expect("single precision");
        for (burn, own) in burns.iter().zip(pupil.act(&seen).expect("finite")) {
            assert!((pupil.squash.apply(*burn) - own).abs() <= 1e-5, "burn {burn}, plain {own}");
        }
    }
}

//! One seed: updates, exact evaluations in between, checkpoints.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::card::SeedResult;
use super::events::EventLog;
use super::spec::{Algorithm, TrainError, TrainSpec};
use super::{Found, put};
use crate::digest::Digest;
use crate::env::model::{Copies, Judged, Seat, exact};
use crate::feed::wall_clock;
use crate::learn::apprentice::{Pupil, Squash};
use crate::learn::export;
use crate::learn::ppo::Ppo;
use crate::learn::sac::Sac;

/// How far a seed is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Which.
    pub seed: u64,
    /// Steps of all copies, and how many there will be.
    pub steps: (u64, u64),
    /// Mean return of the episodes that ended with this update, if any did.
    pub episode_return: Option<f64>,
    /// Percent of the optimum when last judged.
    pub percent: Option<f64>,
    /// All numbers of this update.
    pub row: &'a CurveRow,
}

/// A point of the curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurveRow {
    /// Steps of all copies.
    pub steps: u64,
    /// Unix seconds.
    pub at: f64,
    /// Tag and number.
    pub numbers: Vec<(String, f64)>,
}

/// Either learner, as this loop sees it.
enum Learner {
    Ppo(Box<Ppo<Copies>>),
    Sac(Box<Sac<Copies>>),
}

impl Learner {
    fn new(spec: &TrainSpec, seed: u64) -> Result<Self, String> {
        let mut copies = Copies::new(spec.world.seat(), spec.copies, seed).map_err(|e| e.to_string())?;
        if spec.world.spread {
            copies = copies.spread();
        }
        Ok(match spec.algorithm()? {
            Algorithm::Ppo(config) => Learner::Ppo(Box::new(Ppo::new(config, copies, seed)?)),
            Algorithm::Sac(config) => Learner::Sac(Box::new(Sac::new(config, copies, seed)?)),
        })
    }

    /// One update: steps so far, the return of what ended, everything else by tag.
    fn update(&mut self) -> CurveRow {
        let named =
            |numbers: &[(&str, f64)]| numbers.iter().map(|(tag, n)| ((*tag).to_owned(), *n)).collect::<Vec<_>>();
        let (steps, episode_return, mut numbers) = match self {
            Learner::Ppo(ppo) => {
                let s = ppo.update();
                let numbers = named(&[
                    ("loss/policy", s.policy_loss),
                    ("loss/value", s.value_loss),
                    ("policy/entropy", s.entropy),
                    ("policy/deviation", s.deviation),
                    ("policy/kl", s.kl),
                    ("policy/clipped", s.clipped),
                    ("value/explained", s.explained),
                    ("schedule/learning_rate", s.learning_rate),
                ]);
                (s.steps, s.episode_return, numbers)
            }
            Learner::Sac(sac) => {
                let s = sac.update();
                let numbers = named(&[
                    ("loss/critic", s.critic_loss),
                    ("loss/actor", s.actor_loss),
                    ("policy/entropy", s.entropy),
                    ("policy/temperature", s.temperature),
                ]);
                (s.steps, s.episode_return, numbers)
            }
        };
        if let Some(episode_return) = episode_return {
            numbers.insert(0, (RETURN.to_owned(), episode_return));
        }
        CurveRow { steps, at: unix_seconds(), numbers }
    }

    fn steps_in_all(&self) -> u64 {
        match self {
            Learner::Ppo(ppo) => ppo.config().total_steps,
            Learner::Sac(sac) => sac.config().total_steps,
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Learner::Ppo(ppo) => ppo.done(),
            Learner::Sac(sac) => sac.done(),
        }
    }

    fn pupil(&self) -> Pupil {
        match self {
            Learner::Ppo(ppo) => ppo.actor(),
            Learner::Sac(sac) => sac.actor(),
        }
    }

    fn save(&self) -> Result<Vec<u8>, String> {
        match self {
            Learner::Ppo(ppo) => ppo.save(),
            Learner::Sac(sac) => sac.save(),
        }
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Learner::Ppo(ppo) => ppo.restore(bytes),
            Learner::Sac(sac) => sac.restore(bytes),
        }
    }
}

const RETURN: &str = "episode/return";
const PERCENT: &str = "exact/percent_of_optimum";

fn unix_seconds() -> f64 {
    wall_clock().0 as f64 / 1e9
}

/// Where a policy is judged, and the optimum there.
struct Judge {
    worlds: Vec<(Judged, f64)>,
}

impl Judge {
    fn new(spec: &TrainSpec) -> Self {
        let seat: Seat = spec.world.seat();
        let at = |[a, k]: [f64; 2]| {
            let judged = seat.at(a * seat.model.a, k * seat.model.k);
            let best = exact::optimum(judged.model()).value();
            (judged, best)
        };
        Self { worlds: spec.world.corners().into_iter().map(at).collect() }
    }

    /// Percent of the optimum in the worst of the worlds.
    fn percent(&self, pupil: &Pupil) -> Result<f64, String> {
        pupil.network().map_err(|e| e.to_string())?;
        let in_world = |(judged, best): &(Judged, f64)| {
            let value = exact::evaluate_rows(judged, |observations, actions| {
                actions.copy_from_slice(&pupil.act(observations).expect("its network was looked at"));
            });
            100.0 * value / best
        };
        Ok(self.worlds.iter().map(in_world).fold(f64::INFINITY, f64::min))
    }
}

/// Everything of a seed between two updates.
#[derive(Default, Serialize, Deserialize)]
struct Saved {
    /// Of what is trained: a checkpoint of another training is refused.
    training: Option<Digest>,
    learner: Vec<u8>,
    updates: u64,
    curve: Vec<CurveRow>,
    best: Option<(f64, Kept)>,
    /// Evaluations since a better one.
    stale: u32,
    seconds: f64,
    is_over: bool,
}

/// A policy that is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    layers: Vec<crate::strategy::mlp::Layer>,
    squash: Squash,
    steps: u64,
}

pub(super) fn train(
    spec: &TrainSpec,
    seed: u64,
    folder: &Path,
    found: Found,
    told: &(dyn Fn(&Progress<'_>) + Sync),
) -> Result<SeedResult, TrainError> {
    let diverged = |steps: u64| move |why: String| TrainError::Diverged { seed, steps, why };
    let mut learner = Learner::new(spec, seed).map_err(diverged(0))?;
    let judge = Judge::new(spec);
    let path = folder.join("checkpoint");
    let training = spec.digest();
    let mut now = Saved { training: Some(training), ..Saved::default() };
    if found == Found::Resume && path.exists() {
        let broken = |why: String| TrainError::Checkpoint { path: path.display().to_string(), why };
        let bytes = std::fs::read(&path).map_err(|why| TrainError::Io { path: path.display().to_string(), why })?;
        now = postcard::from_bytes(&bytes).map_err(|e| broken(format!("no checkpoint: {e}")))?;
        if now.training != Some(training) {
            return Err(broken(
                "a checkpoint of another training: the file's world or keys have changed since".to_owned(),
            ));
        }
        learner.restore(&now.learner).map_err(broken)?;
    }
    let mut percent = now.curve.iter().rev().find_map(|row| number(row, PERCENT));
    while !now.is_over {
        let began = unix_seconds();
        let mut row = learner.update();
        now.updates += 1;
        let last = learner.is_done();
        let judges = last || now.updates.is_multiple_of(spec.evaluate_every);
        if judges {
            let found = judge.percent(&learner.pupil()).map_err(diverged(row.steps))?;
            row.numbers.push((PERCENT.to_owned(), found));
            percent = Some(found);
            let Pupil { layers, squash } = learner.pupil();
            if spec.patience.is_none() || now.best.as_ref().is_none_or(|(best, _)| found > *best) {
                now.best = Some((found, Kept { layers, squash, steps: row.steps }));
                now.stale = 0;
            } else {
                now.stale += 1;
            }
            now.is_over = last || spec.patience.is_some_and(|patience| now.stale >= patience);
        }
        now.seconds += unix_seconds() - began;
        let episode_return = number(&row, RETURN);
        let steps = (row.steps, learner.steps_in_all());
        told(&Progress { seed, steps, episode_return, percent, row: &row });
        now.curve.push(row);
        if judges {
            now.learner = learner.save().map_err(diverged(steps.0))?;
            let bytes = postcard::to_stdvec(&now).map_err(|e| diverged(steps.0)(e.to_string()))?;
            put(&path, &bytes)?;
        }
    }
    finish(seed, folder, &now)
}

fn number(row: &CurveRow, tag: &str) -> Option<f64> {
    row.numbers.iter().find(|(name, _)| name == tag).map(|(_, n)| *n)
}

/// Leaves the policy and its curve behind.
fn finish(seed: u64, folder: &Path, now: &Saved) -> Result<SeedResult, TrainError> {
    let no_policy = || TrainError::Checkpoint {
        path: folder.join("checkpoint").display().to_string(),
        why: "a training that is over without a policy".to_owned(),
    };
    let (percent, kept) = now.best.as_ref().ok_or_else(no_policy)?;
    let file = export::file_of(&kept.layers).map_err(|e| TrainError::Diverged {
        seed,
        steps: kept.steps,
        why: e.to_string(),
    })?;
    put(&folder.join("policy.safetensors"), &file)?;
    put(&folder.join("curve.csv"), curve_csv(&now.curve).as_bytes())?;
    let began = now.curve.first().map_or(0.0, |row| row.at);
    let mut events = EventLog::new(began);
    for row in &now.curve {
        events.add(row.at, row.steps, row.numbers.iter().map(|(tag, n)| (tag.as_str(), *n)));
    }
    put(&folder.join("events.out.tfevents.papermaker"), &events.into_bytes())?;
    let squash = match kept.squash {
        Squash::Cut => "cut",
        Squash::Tanh => "tanh",
    };
    let (weights, squash) = (Digest::of(&file).to_string(), squash.to_owned());
    Ok(SeedResult { seed, steps: kept.steps, percent: *percent, weights, squash, seconds: now.seconds })
}

/// All tags are columns; what a row does not say is empty.
fn curve_csv(curve: &[CurveRow]) -> String {
    let mut tags: Vec<&str> = Vec::new();
    for (tag, _) in curve.iter().flat_map(|row| &row.numbers) {
        if !tags.contains(&tag.as_str()) {
            tags.push(tag);
        }
    }
    let mut text = format!("steps,unix_s,{}\n", tags.join(","));
    for row in curve {
        let numbers: Vec<_> =
            tags.iter().map(|tag| number(row, tag).map_or(String::new(), |n| n.to_string())).collect();
        text.push_str(&format!("{},{:.3},{}\n", row.steps, row.at, numbers.join(",")));
    }
    text
}

//! One seed: updates, exact evaluations in between, checkpoints.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::arena::Arena;
use super::card::SeedResult;
use super::events::EventLog;
use super::spec::{Algorithm, ModelWorld, TrainError, TrainSpec};
use super::stage::Stage;
use super::{Found, policy, put};
use crate::digest::{Digest, of_state};
use crate::env::model::{Copies, Judged, Seat, exact};
use crate::feed::wall_clock;
use crate::learn::apprentice::{Pupil, Squash, clone_behaviour};
use crate::learn::export;
use crate::learn::ppo::Ppo;
use crate::learn::sac::Sac;
use crate::run::card::JudgedAt;
use crate::run::crowd::Crowd;
use crate::signal::observation::Scale;

/// How far a seed is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Which.
    pub seed: u64,
    /// Fold of a walk forward, from 1.
    pub fold: usize,
    /// Steps of all copies, and how many there will be.
    pub steps: (u64, u64),
    /// Mean return of the episodes that ended with this update, if any did.
    pub episode_return: Option<f64>,
    /// What it was worth when last judged, in the training's measure.
    pub worth: Option<f64>,
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
    Ppo(Box<Ppo<Arena>>),
    Sac(Box<Sac<Arena>>),
}

/// Seeds of lessons are as many away from those of learning, so that nothing is met twice.
const LESSONS_FROM: u64 = 1 << 40;

impl Learner {
    fn new(spec: &TrainSpec, stage: Option<&Stage>, seed: u64, threads: usize) -> Result<Self, String> {
        let arena = arena(spec, stage, seed, threads)?;
        let away = spec.device.away()?;
        Ok(match spec.algorithm()? {
            Algorithm::Ppo(config) => Learner::Ppo(Box::new(Ppo::new(config, arena, seed)?.on(&away))),
            Algorithm::Sac(config) => Learner::Sac(Box::new(Sac::new(config, arena, seed)?.on(&away))),
        })
    }

    /// Behaviour cloning: the quotes that are moved, unmoved.
    fn be_shown(&mut self, spec: &TrainSpec, stage: &Stage, seed: u64, threads: usize) -> Result<(), String> {
        let Some(lessons) = spec.world.session().and_then(|world| world.lessons.as_ref()) else { return Ok(()) };
        let mut arena = arena(spec, Some(stage), seed + LESSONS_FROM, threads)?;
        let unmoved = |_: &[f32], done: &mut [f32]| {
            done.fill(-1.0);
            done[..2].fill(0.0);
        };
        let found = match self {
            Learner::Ppo(ppo) => clone_behaviour(&mut **ppo, &mut arena, lessons, unmoved)?,
            Learner::Sac(sac) => clone_behaviour(&mut **sac, &mut arena, lessons, unmoved)?,
        };
        tracing::info!("seed {seed}: shown the quotes, off by {:.3e} at first and {:.3e} at last", found[0], found[1]);
        Ok(())
    }

    fn scale(&self) -> Option<&Scale> {
        match self {
            Learner::Ppo(ppo) => ppo.environments().scale(),
            Learner::Sac(sac) => sac.environments().scale(),
        }
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

fn arena(spec: &TrainSpec, stage: Option<&Stage>, seed: u64, threads: usize) -> Result<Arena, String> {
    if let Some(world) = spec.world.exact() {
        let mut copies = Copies::new(world.seat(), spec.copies, seed).map_err(|e| e.to_string())?;
        if world.spread {
            copies = copies.spread();
        }
        return Ok(Arena::Exact(Box::new(copies)));
    }
    let (world, stage) = spec.world.session().zip(stage).ok_or("a session's training has a stage")?;
    let crowd = Crowd::new(&stage.terms, spec.copies, seed, world.normalise_looks, threads);
    Ok(Arena::Sessions(Box::new(crowd.map_err(|e| e.to_string())?)))
}

const RETURN: &str = "episode/return";
const PERCENT: &str = "exact/percent_of_optimum";
const ABOVE: &str = "judged/above_unmoved";
const ABOVE_LOW: &str = "judged/above_unmoved_low";
const ABOVE_HIGH: &str = "judged/above_unmoved_high";
const ABOVE_WORST: &str = "judged/above_unmoved_worst_twentieth";
const EARNED: &str = "judged/pnl";

fn unix_seconds() -> f64 {
    wall_clock().0 as f64 / 1e9
}

/// Where a policy is judged.
enum Judge<'a> {
    /// Closed-form worlds, and the optimum there.
    Exact(Vec<(Judged, f64)>),
    /// Episodes of a session.
    Sessions(&'a Stage),
}

/// What a judge finds: a number to go by, and all that is said of it.
struct Verdict {
    worth: f64,
    numbers: Vec<(String, f64)>,
}

impl<'a> Judge<'a> {
    fn new(spec: &TrainSpec, stage: Option<&'a Stage>) -> Result<Self, String> {
        let exact = |world: &ModelWorld| {
            let seat: Seat = world.seat();
            let at = |[a, k]: [f64; 2]| {
                let judged = seat.at(a * seat.model.a, k * seat.model.k);
                let best = exact::optimum(judged.model()).value();
                match best > 0.0 {
                    true => Ok((judged, best)),
                    false => {
                        Err(format!("world: the best there comes to {best:.4}: no percentage of that can be told"))
                    }
                }
            };
            world.corners().into_iter().map(at).collect::<Result<_, _>>().map(Judge::Exact)
        };
        match stage {
            Some(stage) => Ok(Judge::Sessions(stage)),
            None => exact(spec.world.exact().expect("a session's training has a stage")),
        }
    }

    /// Percent of the optimum in the worst of the worlds, or what is earned above the quotes that are moved.
    fn judge(&self, pupil: &Pupil, scale: Option<&Scale>, threads: usize) -> Result<Verdict, String> {
        pupil.network().map_err(|e| e.to_string())?;
        match self {
            Judge::Exact(worlds) => {
                let in_world = |(judged, best): &(Judged, f64)| {
                    let value = exact::evaluate_rows(judged, |observations, actions| {
                        actions.copy_from_slice(&pupil.act(observations).expect("its network was looked at"));
                    });
                    100.0 * value / best
                };
                let worth = worlds.iter().map(in_world).fold(f64::INFINITY, f64::min);
                Ok(Verdict { worth, numbers: vec![(PERCENT.to_owned(), worth)] })
            }
            Judge::Sessions(stage) => {
                let found = stage.judge(pupil, scale.ok_or("a session's learner has a scale")?, threads)?;
                let above = found.above;
                let bounds = [(ABOVE, above.value), (ABOVE_LOW, above.low), (ABOVE_HIGH, above.high)];
                let numbers = bounds.into_iter().chain([(ABOVE_WORST, found.worst), (EARNED, found.pnl)]);
                let numbers = numbers.map(|(tag, number)| (tag.to_owned(), number)).collect();
                Ok(Verdict { worth: above.value, numbers })
            }
        }
    }

    /// The number of a row of the curve.
    fn tag(&self) -> &'static str {
        match self {
            Judge::Exact(_) => PERCENT,
            Judge::Sessions(_) => ABOVE,
        }
    }
}

/// Of checkpoints, and of what a training makes of its draws: older ones would go on otherwise than they began.
const FORMAT: u32 = 2;

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
    scale: Option<Scale>,
    verdict: Vec<(String, f64)>,
}

/// What one seed is to do.
pub(super) struct Task<'a> {
    pub spec: &'a TrainSpec,
    /// Sessions to learn in, unless the world is closed-form.
    pub stage: Option<&'a Stage>,
    pub seed: u64,
    pub folder: &'a Path,
    pub found: Found,
    /// That step the copies.
    pub threads: usize,
    pub configuration: Digest,
}

pub(super) fn train(task: &Task<'_>, told: &(dyn Fn(&Progress<'_>) + Sync)) -> Result<SeedResult, TrainError> {
    let Task { spec, stage, seed, folder, found, threads, .. } = *task;
    let diverged = |steps: u64| move |why: String| TrainError::Diverged { seed, steps, why };
    let mut learner = Learner::new(spec, stage, seed, threads).map_err(TrainError::World)?;
    let judge = Judge::new(spec, stage).map_err(TrainError::World)?;
    let path = folder.join("checkpoint");
    let training = of_state(&(FORMAT, spec.digest(), stage.map(|stage| stage.digest)));
    let mut now = Saved { training: Some(training), ..Saved::default() };
    if found == Found::Resume && path.exists() {
        let broken = |why: String| TrainError::Checkpoint { path: path.display().to_string(), why };
        let bytes = std::fs::read(&path).map_err(|why| TrainError::Io { path: path.display().to_string(), why })?;
        now = postcard::from_bytes(&bytes).map_err(|e| broken(format!("no checkpoint: {e}")))?;
        if now.training != Some(training) {
            return Err(broken(
                "a checkpoint of another training: the file's world or keys, or the program, have changed since"
                    .to_owned(),
            ));
        }
        learner.restore(&now.learner).map_err(broken)?;
    } else if let Some(stage) = stage {
        learner.be_shown(spec, stage, seed, threads).map_err(TrainError::World)?;
    }
    let mut worth = now.curve.iter().rev().find_map(|row| number(row, judge.tag()));
    while !now.is_over {
        let began = unix_seconds();
        let mut row = learner.update();
        now.updates += 1;
        now.seconds += unix_seconds() - began;
        let last = learner.is_done();
        let judges = last || now.updates.is_multiple_of(spec.evaluate_every);
        if judges {
            let scale = learner.scale().cloned();
            let found = judge.judge(&learner.pupil(), scale.as_ref(), threads).map_err(diverged(row.steps))?;
            row.numbers.extend(found.numbers.iter().cloned());
            worth = Some(found.worth);
            let Pupil { layers, squash } = learner.pupil();
            if spec.patience.is_none() || now.best.as_ref().is_none_or(|(best, _)| found.worth > *best) {
                let verdict = found.numbers;
                now.best = Some((found.worth, Kept { layers, squash, steps: row.steps, scale, verdict }));
                now.stale = 0;
            } else {
                now.stale += 1;
            }
            now.is_over = last || spec.patience.is_some_and(|patience| now.stale >= patience);
        }
        let episode_return = number(&row, RETURN);
        let steps = (row.steps, learner.steps_in_all());
        let fold = stage.map_or(1, |stage| stage.fold);
        told(&Progress { seed, fold, steps, episode_return, worth, row: &row });
        now.curve.push(row);
        if judges {
            now.learner = learner.save().map_err(diverged(steps.0))?;
            let bytes = postcard::to_stdvec(&now).map_err(|e| diverged(steps.0)(e.to_string()))?;
            put(&path, &bytes)?;
            draw(folder, &now.curve)?;
        }
    }
    finish(task, &now)
}

fn number(row: &CurveRow, tag: &str) -> Option<f64> {
    row.numbers.iter().find(|(name, _)| name == tag).map(|(_, n)| *n)
}

/// Leaves the policy and its curve behind.
fn finish(task: &Task<'_>, now: &Saved) -> Result<SeedResult, TrainError> {
    let Task { seed, folder, .. } = *task;
    let no_policy = || TrainError::Checkpoint {
        path: folder.join("checkpoint").display().to_string(),
        why: "a training that is over without a policy".to_owned(),
    };
    let (worth, kept) = now.best.as_ref().ok_or_else(no_policy)?;
    let file = export::file_of(&kept.layers).map_err(|e| TrainError::Diverged {
        seed,
        steps: kept.steps,
        why: e.to_string(),
    })?;
    put(&folder.join("policy.safetensors"), &file)?;
    draw(folder, &now.curve)?;
    let weights = Digest::of(&file);
    let (percent, above) = match task.stage {
        None => (Some(*worth), None),
        Some(stage) => {
            let number = |tag: &str| kept.verdict.iter().find(|(name, _)| name == tag).map_or(f64::NAN, |(_, n)| *n);
            let (low, high, pnl) = (number(ABOVE_LOW), number(ABOVE_HIGH), number(EARNED));
            let (episodes, worst_twentieth) = (stage.judges(), Some(number(ABOVE_WORST)));
            (None, Some(JudgedAt { above: *worth, low, high, worst_twentieth, episodes, pnl, best_of: None }))
        }
    };
    if let (Some(stage), Some(scale)) = (task.stage, &kept.scale) {
        let strategy = folder.join("policy.toml");
        let text = policy::strategy_text(&stage.terms, scale, kept.squash, &weights, "policy.safetensors");
        put(&strategy, text.as_bytes())?;
        let made = policy::Made { task, stage, scale, squash: kept.squash, weights, steps: kept.steps };
        let card = made.card(above.clone());
        card.put_beside(&strategy).map_err(|e| TrainError::World(e.to_string()))?;
        let pupil = Pupil { layers: kept.layers.clone(), squash: kept.squash };
        let watched = stage.watch(&pupil, scale, 4, 256).map_err(TrainError::World)?;
        put(&folder.join("seen.csv"), watched.to_csv(stage.terms.schema.features()).as_bytes())?;
    }
    let fold = task.stage.map_or(1, |stage| stage.fold);
    let (weights, squash) = (weights.to_string(), policy::word(kept.squash).to_owned());
    Ok(SeedResult { seed, fold, steps: kept.steps, percent, above, weights, squash, seconds: now.seconds })
}

/// The curve so far, for spreadsheets and for TensorBoard.
fn draw(folder: &Path, curve: &[CurveRow]) -> Result<(), TrainError> {
    put(&folder.join("curve.csv"), curve_csv(curve).as_bytes())?;
    let began = curve.first().map_or(0.0, |row| row.at);
    let mut events = EventLog::new(began);
    for row in curve {
        events.add(row.at, row.steps, row.numbers.iter().map(|(tag, n)| (tag.as_str(), *n)));
    }
    put(&folder.join("events.out.tfevents.papermaker"), &events.into_bytes())
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

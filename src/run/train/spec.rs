//! What to train: a TOML file to checked values.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::env::model::{Clock, Fills, Knowledge, Model, Quoting, Seat, Start, Worlds};
use crate::learn::away::Place;
use crate::learn::{ppo, sac};

use super::world::World;

/// A training, as its file says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    /// Seeds 1 to this are trained, each a training of its own.
    #[serde(default = "ten")]
    pub seeds: u64,
    /// Copies of the world stepped side by side.
    pub copies: usize,
    /// Updates between two exact evaluations (and checkpoints).
    #[serde(default = "ten")]
    pub evaluate_every: u64,
    /// Ends a training after so many evaluations without a better one, and keeps the best; without it, all steps are
    /// taken and the last policy is kept.
    pub patience: Option<u32>,
    /// Where networks are stepped; a device other than `cpu` pays for wide networks and large minibatches only.
    #[serde(default)]
    pub device: Place,
    /// Where.
    pub world: World,
    /// By proximal policy optimisation. One of `ppo` and `sac` is required.
    pub ppo: Option<ppo::Config>,
    /// By soft actor-critic.
    pub sac: Option<sac::Config>,
    /// What it must come to.
    pub goal: Option<Goal>,
}

fn ten() -> u64 {
    10
}

/// Percent of the optimum over the seeds; missed is exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// The median, at least.
    pub median: f64,
    /// The worst, at least.
    pub worst: f64,
}

/// The three markets of `quant/TARGETS.md` §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Avellaneda & Stoikov's.
    P1,
    /// mbt_gym's.
    P2,
    /// Where inventory hurts.
    P3,
}

/// A closed-form world: a preset, and what is different in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelWorld {
    /// Which market.
    pub preset: Preset,
    /// Steps of an episode, if not the preset's.
    pub steps: Option<u32>,
    /// ξ: how far the mid moves against each fill, price.
    #[serde(default)]
    pub impact: f64,
    /// Speed of a drift that begins 10 times and ends 20 times a unit of time, price per time.
    pub drift: Option<f64>,
    /// With what probability a quote fills.
    #[serde(default)]
    pub fills: Fills,
    /// What an action means.
    #[serde(default)]
    pub quoting: Quoting,
    /// What is known of A and k.
    #[serde(default)]
    pub knowledge: Knowledge,
    /// Which A and k there are.
    #[serde(default)]
    pub worlds: Worlds,
    /// How episodes begin.
    #[serde(default)]
    pub start: Start,
    /// How time left is seen.
    #[serde(default)]
    pub clock: Clock,
    /// Whether first episodes of the copies begin at different times, so that every update sees all of the day.
    #[serde(default)]
    pub spread: bool,
}

impl ModelWorld {
    /// The agent's place in it.
    pub fn seat(&self) -> Seat {
        let mut model = match self.preset {
            Preset::P1 => Model::P1,
            Preset::P2 => Model::P2,
            Preset::P3 => Model::P3,
        };
        if let Some(drift) = self.drift {
            model.regimes = Model::drifting(drift).regimes;
        }
        model = model.in_steps(self.steps.unwrap_or(model.steps)).filled(self.fills).with_impact(self.impact);
        let ModelWorld { quoting, knowledge, worlds, start, clock, .. } = *self;
        Seat { model, quoting, knowledge, worlds, start, clock }
    }

    /// Where policies are judged, multiples of A and k: the world itself, or a grid over those it is drawn from.
    pub fn corners(&self) -> Vec<[f64; 2]> {
        match self.worlds {
            Worlds::One => vec![[1.0, 1.0]],
            Worlds::Between { a, k } => {
                let five = |[low, high]: [f64; 2]| (0..5).map(move |i| low + (high - low) * f64::from(i) / 4.0);
                five(a).flat_map(|a| five(k).map(move |k| [a, k])).collect()
            }
        }
    }
}

/// How a training goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Algorithm {
    /// Proximal policy optimisation.
    Ppo(ppo::Config),
    /// Soft actor-critic.
    Sac(sac::Config),
}

impl Algorithm {
    /// Its name in files.
    pub fn name(&self) -> &'static str {
        match self {
            Algorithm::Ppo(_) => "ppo",
            Algorithm::Sac(_) => "sac",
        }
    }
}

impl TrainSpec {
    /// Reads a file. Errors name the file and what is wrong in it.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text =
            std::fs::read_to_string(path).map_err(|e| TrainError::Io { path: path.display().to_string(), why: e })?;
        Self::parse(&text).map_err(|why| TrainError::Spec { path: path.display().to_string(), why })
    }

    /// Reads a text. Errors say which key.
    pub fn parse(toml_text: &str) -> Result<Self, String> {
        let spec: Self = toml::from_str(toml_text).map_err(|e| e.to_string())?;
        if spec.seeds == 0 || spec.copies == 0 || spec.evaluate_every == 0 {
            return Err("seeds, copies and evaluate_every must be at least 1".to_owned());
        }
        if spec.seeds > 100_000 || spec.copies > 1_000_000 {
            return Err(format!("seeds = {}, copies = {}: at most 100000 and 1000000", spec.seeds, spec.copies));
        }
        spec.device.away()?;
        spec.world.check()?;
        if spec.world.session().is_some() && spec.goal.is_some() {
            return Err("[goal] is of percent of an optimum: a session has none that is known".to_owned());
        }
        if matches!(spec.world, World::Recorded(_)) && spec.patience.is_some() {
            return Err(
                "patience would choose by what a fold is judged on: leave it out where kind = \"recorded\"".to_owned()
            );
        }
        match spec.algorithm()? {
            Algorithm::Ppo(config) => {
                config.check()?;
                if config.rollout.saturating_mul(spec.copies) > 1 << 28 {
                    let (rollout, copies) = (config.rollout, spec.copies);
                    return Err(format!("ppo.rollout = {rollout} of {copies} copies: at most {} steps", 1 << 28));
                }
            }
            Algorithm::Sac(config) => config.check()?,
        }
        Ok(spec)
    }

    /// Fingerprint of all that decides what a seed comes to.
    pub fn digest(&self) -> Digest {
        let decides = Self { seeds: 1, goal: None, ..self.clone() };
        Digest::of(toml::to_string(&decides).expect("plain numbers and names").as_bytes())
    }

    /// Which of the two. Errors unless exactly one is there.
    pub fn algorithm(&self) -> Result<Algorithm, String> {
        match (&self.ppo, &self.sac) {
            (Some(config), None) => Ok(Algorithm::Ppo(config.clone())),
            (None, Some(config)) => Ok(Algorithm::Sac(config.clone())),
            (None, None) => Err("neither [ppo] nor [sac]: write one of them, keys are optional".to_owned()),
            (Some(_), Some(_)) => Err("both [ppo] and [sac]: leave one of them out".to_owned()),
        }
    }
}

/// Why a training could not run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {why}")]
    Io {
        /// Which.
        path: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file of the training is none.
    #[error("{path}: {why}")]
    Spec {
        /// Which.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The world cannot be put together.
    #[error("{0}")]
    World(String),
    /// There is a training here already.
    #[error("{path} holds a training already: --resume goes on with it, --force begins it anew")]
    Taken {
        /// Where.
        path: String,
    },
    /// A checkpoint that belongs to another training.
    #[error("{path}: {why}; --force begins anew")]
    Checkpoint {
        /// Which.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Weights that are no longer numbers.
    #[error("seed {seed}: training has failed after {steps} steps: {why}; try a smaller learning rate")]
    Diverged {
        /// Whose.
        seed: u64,
        /// After so many steps.
        steps: u64,
        /// What was found.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_is_wrong_with_it() {
        let say = |text: &str| TrainSpec::parse(text).expect_err("refused");
        let world = "copies = 8\n[world]\npreset = \"p1\"\n";
        assert!(say(world).contains("neither [ppo] nor [sac]"));
        assert!(say(&format!("{world}[ppo]\n[sac]\n")).contains("both"));
        assert!(say(&format!("{world}[ppo]\nepoch = 3\n")).contains("epoch"), "an unknown key is named");
        assert!(say(&format!("{world}[ppo]\nclip = 0\n")).contains("ppo.clip must be above 0"));
        assert!(say(&format!("{world}impact = -1\n[ppo]\n")).contains("impact"));
        assert!(say(&format!("seeds = 0\n{world}[ppo]\n")).contains("at least 1"));
    }

    #[test]
    fn a_session_says_what_is_wrong_with_it() {
        let say = |text: &str| TrainSpec::parse(text).expect_err("refused");
        let sim = "copies = 8\n[ppo]\n[world]\nkind = \"sim\"\nmarket = \"demo\"\nepisode_s = 60\n";
        let quotes = "[world.quotes]\norder_amount_base = \"0.001\"\n";
        let spec = TrainSpec::parse(&format!("{sim}{quotes}")).expect("a training");
        assert_eq!(spec.world.session().expect("a session").outputs(), 2);
        let again = TrainSpec::parse(&toml::to_string(&spec).expect("toml")).expect("what was written is read");
        assert_eq!(again, spec);
        assert!(say(&format!("{sim}lenght = 3\n{quotes}")).contains("lenght"), "an unknown key is named");
        assert!(say(&format!("{sim}folds = 3\n{quotes}")).contains("folds belong to kind = \"recorded\""));
        assert!(say(&format!("{sim}{quotes}[goal]\nmedian = 1\nworst = 1\n")).contains("[goal]"));
        assert!(say(&sim.replace("\"sim\"", "\"simulated\"")).contains("one of exact, sim, recorded"));
        let taped = "copies = 8\n[ppo]\n[world]\nkind = \"recorded\"\nepisode_s = 60\n";
        assert!(say(&format!("{taped}{quotes}")).contains("needs sessions"));
        let vary = "[world.vary]\nvolatility = [0.5, 2]\n";
        assert!(say(&format!("{taped}sessions = [\"a\"]\n{quotes}{vary}")).contains("does not react"));
        let queue = "[world.vary]\nqueue = [\"log\", \"power 2\"]\n";
        assert!(TrainSpec::parse(&format!("{taped}sessions = [\"a\"]\n{quotes}{queue}")).is_ok());
        assert!(say(&format!("{sim}{quotes}{queue}")).contains("we stand in line"));
        assert!(say(&format!("{sim}{quotes}[world.vary]\ndrift = [-1, 2]\n")).contains("vary.drift = [-1, 2]"));
        assert!(say(&format!("patience = 2\n{taped}sessions = [\"a\"]\n{quotes}")).contains("patience"));
    }

    #[test]
    fn a_grid_has_twenty_five_corners_and_one_world_has_one() {
        let text =
            "copies = 8\n[world]\npreset = \"p1\"\nworlds = { between = { a = [0.5, 2.0], k = [0.5, 2.0] } }\n[sac]\n";
        let spec = TrainSpec::parse(text).expect("a training");
        let corners = spec.world.exact().expect("closed-form").corners();
        assert_eq!((corners.len(), corners[0], corners[24]), (25, [0.5, 0.5], [2.0, 2.0]));
        let spec =
            TrainSpec::parse("copies = 8\n[world]\npreset = \"p3\"\ndrift = 3\nsteps = 50\n[ppo]\n").expect("one");
        let world = spec.world.exact().expect("closed-form");
        let model = world.seat().model;
        assert_eq!((world.corners().len(), model.steps, model.regimes.map(|r| r.drift)), (1, 50, Some(3.0)));
    }
}

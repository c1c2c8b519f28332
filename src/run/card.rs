//! A policy's card: what it is, what it learnt from, and how it did. Written by the program, never by hand.
//!
//! It lies beside the policy's strategy file, as `NAME.card.toml`. `train` writes it, `evaluate` adds what it finds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::disk::{Disk, RealDisk};

/// The card of one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCard {
    /// Always: nothing here was ever traded with money.
    pub paper: bool,
    /// `ppo` or `sac`.
    pub algorithm: String,
    /// Which of the training's seeds.
    pub seed: u64,
    /// Which fold of a walk forward, from 1.
    pub fold: usize,
    /// Steps of all copies it took.
    pub steps: u64,
    /// The version of this program.
    pub papermaker: String,
    /// Digest of the weights' file.
    pub weights: String,
    /// Digest of what is seen.
    pub observation: String,
    /// And in words, in order.
    pub sees: Vec<String>,
    /// Mean of each while it learnt.
    pub mean: Vec<f32>,
    /// And spread.
    pub spread: Vec<f32>,
    /// What an answer of one means.
    pub action: String,
    /// What it learnt from: names and digests.
    pub data: Vec<String>,
    /// Of the configuration it learnt under.
    pub configuration: String,
    /// Recordings: nothing from this moment on was learnt from, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learnt_until_ns: Option<i64>,
    /// What the reference of its drift gate was made from, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How it did where it was judged as it learnt, above the quotes it moves.
    pub judged: Option<JudgedAt>,
    /// What was trained, completely.
    pub training: toml::Table,
    /// What `evaluate` found, newest last; one per market or list of recordings.
    #[serde(default)]
    pub evaluation: Vec<Evaluation>,
}

/// How a policy did above the quotes it moves, quote currency an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedAt {
    /// Mean over episodes.
    pub above: f64,
    /// Lower end of 95 %.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Mean over the worst twentieth of episodes, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_twentieth: Option<f64>,
    /// Episodes.
    pub episodes: usize,
    /// What it earned itself, mean.
    pub pnl: f64,
    /// Of how many seeds it was taken as the best in these very episodes, which flatters it; `evaluate` judges in others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_of: Option<usize>,
}

/// A policy beside others, on what none of them has learnt from or was tuned on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Where: a market and its seeds, or recordings from when on.
    pub on: String,
    /// The version of this program.
    pub papermaker: String,
    /// Currency of all amounts.
    pub currency: String,
    /// What the policy earned, with 95 % interval.
    pub pnl: Bounds,
    /// Settings of others that were tried before the best of each kind was taken.
    pub trials: usize,
    /// The others.
    pub against: Vec<Rival>,
    /// The same of all of the training's seeds that took part, on average, seeds drawn as well; absent if it was alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds_together: Option<SeedsTogether>,
}

/// Policies of one training that differ in its seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedsTogether {
    /// Which.
    pub seeds: Vec<u64>,
    /// What they earned on average.
    pub pnl: Bounds,
    /// Their mean less the others.
    pub against: Vec<Rival>,
}

/// A number and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The number.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Somebody a policy is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rival {
    /// Who, with the settings it was given.
    pub name: String,
    /// What it earned.
    pub pnl: f64,
    /// The policy's profit less its, paired.
    pub difference: Bounds,
    /// Probability of a difference this far from zero between strategies that are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// It cannot be read or written.
    #[error("{}: {why}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// It is none.
    #[error("{}: not a policy's card: {why}", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl PolicyCard {
    /// Where the card of a strategy file lies.
    pub fn path(strategy: &Path) -> PathBuf {
        strategy.with_extension("card.toml")
    }

    /// The card beside a strategy file; `None` if there is none.
    pub fn beside(strategy: &Path) -> Result<Option<Self>, CardError> {
        let path = Self::path(strategy);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                toml::from_str(&text).map(Some).map_err(|e| CardError::Unread { path, why: e.message().to_owned() })
            }
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(CardError::Io { path, why }),
        }
    }

    /// As a file.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("a card is plain numbers and names");
        format!("# PAPER: a policy's card, written by `papermaker train` and `papermaker evaluate`.\n{text}")
    }

    /// The weights' file has got a reference for the drift gate; the policy is the same.
    pub fn referred(&mut self, weights: String, made_from: String) {
        (self.weights, self.reference) = (weights, Some(made_from));
    }

    /// Puts it beside a strategy file, whole or not at all.
    pub fn put_beside(&self, strategy: &Path) -> Result<(), CardError> {
        let path = Self::path(strategy);
        RealDisk.replace(&path, self.to_toml().as_bytes()).map_err(|why| CardError::Io { path, why })
    }

    /// Takes in what an evaluation found; an older one of the same place is replaced.
    pub fn evaluated(&mut self, found: Evaluation) {
        self.evaluation.retain(|older| older.on != found.on);
        self.evaluation.push(found);
    }
}

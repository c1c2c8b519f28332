//! What a training in sessions leaves: a strategy file that quotes live, and its card.

use super::seed::Task;
use super::stage::Stage;
use crate::digest::Digest;
use crate::env::session::Terms;
use crate::learn::apprentice::Squash;
use crate::run::card::{JudgedAt, PolicyCard};
use crate::signal::observation::Scale;
use crate::strategy::Policy;

/// The word in files.
pub(super) fn word(squash: Squash) -> &'static str {
    match squash {
        Squash::Cut => "cut",
        Squash::Tanh => "tanh",
    }
}

/// A strategy of `kind = "policy"`, its weights in `file` beside it.
pub(super) fn strategy_text(terms: &Terms, scale: &Scale, squash: Squash, weights: &Digest, file: &str) -> String {
    let mut table: toml::Table = terms.quotes.parse().expect("the chair has read it");
    let numbers = |list: &[f32]| toml::Value::Array(list.iter().map(|x| f64::from(*x).into()).collect());
    let features = toml::Value::try_from(&terms.schema).expect("plain numbers and names");
    let own: [(&str, toml::Value); 8] = [
        ("kind", Policy::NAME.into()),
        ("weights", file.into()),
        ("weights_blake3", weights.to_string().into()),
        ("squash", word(squash).into()),
        ("observation", features),
        ("observation_blake3", terms.schema.digest().to_string().into()),
        ("observation_mean", numbers(&scale.mean)),
        ("observation_spread", numbers(&scale.spread)),
    ];
    table.extend(own.map(|(key, value)| (key.to_owned(), value)));
    let text = toml::to_string(&table).expect("plain numbers and names");
    format!(
        "# PAPER: a policy, written by `papermaker train`. Its card, beside it, says what it learnt from and how it did.\n{text}"
    )
}

/// A policy that was made.
pub(super) struct Made<'a> {
    pub task: &'a Task<'a>,
    pub stage: &'a Stage,
    pub scale: &'a Scale,
    pub squash: Squash,
    pub weights: Digest,
    pub steps: u64,
}

impl Made<'_> {
    pub fn card(&self, judged: Option<JudgedAt>) -> PolicyCard {
        let Made { task, stage, scale, squash, weights, steps } = self;
        let schema = &stage.terms.schema;
        let quotes: toml::Table = stage.terms.quotes.parse().expect("the chair has read it");
        let number = |key: &str, default: f64| {
            quotes.get(key).and_then(|v| v.as_float().or(v.as_integer().map(|n| n as f64))).unwrap_or(default)
        };
        let more = if stage.terms.outputs == 4 { "; the third number holds, the fourth flattens" } else { "" };
        let asked = format!("({}, within ±1), asked every {} ms{more}", word(*squash), number("act_every_ms", 0.0));
        let action = match quotes.get("depths") {
            None => format!("bid and ask distance of GLFT plus {}/k times the answer {asked}", number("reach", 2.0)),
            Some(depths) => format!("bid and ask distance from the mid, {depths}/k at answers of -1 and 1 {asked}"),
        };
        PolicyCard {
            paper: true,
            algorithm: task.spec.algorithm().map_or(String::new(), |a| a.name().to_owned()),
            seed: task.seed,
            fold: stage.fold,
            steps: *steps,
            papermaker: env!("CARGO_PKG_VERSION").to_owned(),
            weights: weights.to_string(),
            observation: schema.digest().to_string(),
            sees: schema.features().iter().map(ToString::to_string).collect(),
            mean: scale.mean.clone(),
            spread: scale.spread.clone(),
            action,
            data: stage.data.clone(),
            configuration: task.configuration.to_string(),
            learnt_until_ns: stage.learnt_until,
            reference: None,
            judged,
            training: toml::Table::try_from(task.spec).expect("plain numbers and names"),
            evaluation: Vec::new(),
        }
    }
}

//! Many strategies over many recordings: who would have made what, and how sure is that.
//!
//! A backtest is a session run again ([`super::rerun`]), once per strategy and recording, with an account of its own
//! at the start. Every such run streams through the same engine as live trading; what is kept of it is a
//! [`Summary`] of fixed size, so a recording may be larger than memory.
//!
//! By default the configuration in force says how fills, risk, quoting and signals are, whatever held when it was
//! recorded, and what operators did then is left out: both belong to that day's session, not to the market. With
//! [`Settings::AsRecorded`] all of it is kept, and a recording's own strategy ends in the recording's own digest.
//!
//! The result does not depend on how many threads made it: runs know nothing of each other and are put in order at
//! the end.
//!
//! Reading order: [`Backtest`] is the answer, [`Ask`] the question, [`backtest`] leads from one to the other.

mod candidates;
mod crew;
mod judgement;
mod pass;
mod recordings;
pub mod sweep;
pub mod trials;

use std::path::PathBuf;

use serde::Serialize;

use super::import::ImportFailed;
use super::prepare::PrepareError;
use super::rerun::RerunError;
use crate::config::{ConfigErrors, Sources};
use crate::journal::{JournalError, Store};
use crate::metrics::cross_validation::Criterion;
use crate::metrics::score::{Difference, Score, Series, currencies};
use crate::metrics::selection::{Track, best_by_chance};
use crate::metrics::{Plan, Summary};
use crate::units::{LocalTime, Nanos};

use candidates::Candidate;
use recordings::Recording;
use trials::{Trial, TrialLog, tally};

pub use recordings::Source;

/// Name of a recording's own strategy among those asked for.
pub const RECORDED: &str = "recorded";

/// Most strategies of which every pair is compared.
const PAIRED_MAX: usize = 5;

/// Most sessions that live one reading of a recording side by side.
const LANES_MAX: usize = 8;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The question makes no sense.
    #[error("{0}")]
    Asked(String),
    /// A recording cannot be run over.
    #[error("{name}: {error}")]
    Recording {
        /// Which.
        name: String,
        /// Why.
        error: Box<BacktestError>,
    },
    /// A strategy cannot be run.
    #[error("{name}: {error}")]
    Strategy {
        /// Which, sweep's changes included.
        name: String,
        /// Why.
        error: Box<BacktestError>,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log of trials holds something else.
    #[error("{}:{line}: not a trial: {why}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// As it says itself.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// As it says itself.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// As it says itself.
    #[error(transparent)]
    Import(#[from] ImportFailed),
    /// As it says itself.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// As it says itself.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
}

/// Which settings a backtest runs under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settings {
    /// `[paper]`, `[risk]`, `[quoting]`, `[signals]` and the seed of the configuration; what operators did is left out.
    #[default]
    InForce,
    /// Those of each recording, and what operators did is done again.
    AsRecorded,
}

/// The question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Names in it are of this store; its log counts the trials.
    pub store: PathBuf,
    /// Over what.
    pub sources: Vec<Source>,
    /// Strategy files, names of built-in ones, or [`RECORDED`]; none: the configuration's, or as recorded the recording's own.
    pub strategies: Vec<String>,
    /// The configuration; a sweep lays its values over it.
    pub configuration: Sources,
    /// Whose settings.
    pub settings: Settings,
    /// Instead of the configuration's or the recording's.
    pub seed: Option<u64>,
    /// Text of a [`sweep::Grid`].
    pub sweep: Option<String>,
    /// Steps of a walk forward.
    pub walk_forward: Option<usize>,
    /// Groups, and how many of them are tested, of a combinatorial cross-validation.
    pub cross_validate: Option<(usize, usize)>,
    /// What a strategy is chosen by.
    pub criterion: Criterion,
    /// How long until a period's profit is known; `None`: one period.
    pub purge: Option<Nanos>,
    /// Left out between training and test besides; `None`: the longest of latency, look-back of the estimators and 1 % of
    /// all periods.
    pub embargo: Option<Nanos>,
    /// Of every interval.
    pub resamples: usize,
    /// At most so many.
    pub threads: usize,
    /// What time it is, for the log.
    pub now: LocalTime,
}

/// How far a backtest is.
pub trait Progress: Sync {
    /// Before the first run.
    ///
    /// * `runs` — strategies times recordings · `inputs` — that all of them will take, if it is known
    fn begin(&self, runs: usize, inputs: Option<u64>);

    /// So many more inputs were taken.
    fn advance(&self, inputs: u64);
}

/// Nobody watches.
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _runs: usize, _inputs: Option<u64>) {}
    fn advance(&self, _inputs: u64) {}
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Backtest {
    /// Always true.
    pub paper: bool,
    /// In the order of their beginning.
    pub recordings: Vec<Recorded>,
    /// In the order asked for.
    pub strategies: Vec<Contender>,
    /// Every pair of up to five strategies; of more, each against the first.
    pub pairs: Vec<Pair>,
    /// What was tried on these recordings, this time included.
    pub trials: Trials,
    /// Whether choosing the best of them by the past is any good; of one strategy nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overfitting: Option<Overfitted>,
    /// Chosen on one part of time, judged on the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkForward>,
    /// Chosen and judged on every combination of parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<CrossValidation>,
    /// What people should know of it.
    pub notes: Vec<String>,
}

/// A recording that strategies were run over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// As it was named; of files, their names.
    pub name: String,
    /// Fingerprint of what it holds, whatever it is called.
    pub fingerprint: String,
    /// `VENUE:SYMBOL` of each.
    pub instruments: Vec<String>,
    /// First input, nanoseconds since the epoch.
    pub started_ns: i64,
    /// From there to the last, on the recorder's clock.
    pub seconds: f64,
    /// How many.
    pub inputs: u64,
}

/// A strategy with the settings it ran under, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Contender {
    /// Stable: the file's name or the built-in's, and what a sweep changed, as `glft risk_factor=0.1`.
    pub name: String,
    /// What a sweep changed, dotted keys to values.
    pub changed: Vec<(String, String)>,
    /// Its text.
    #[serde(skip)]
    pub text: String,
    /// Of the strategy's text.
    pub strategy_digest: String,
    /// Of everything else that shapes a run, seed included.
    pub settings_digest: String,
    /// Totals over instruments and recordings; without amounts if there are several currencies.
    #[serde(flatten)]
    pub score: Score,
    /// Probability that its true Sharpe ratio is above what the best of all trials would show by chance.
    pub deflated_sharpe: Option<f64>,
    /// The same above zero: had nothing else been tried.
    pub probabilistic_sharpe: Option<f64>,
    /// Totals of each currency, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_currency: Vec<Score>,
    /// One per recording, in their order.
    pub runs: Vec<Run>,
}

/// One strategy on one recording.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its name.
    pub recording: String,
    /// Last link of everything the session said.
    pub output_digest: String,
    /// Whether that is what the recording itself ended in; `None` if it has no such digest.
    pub is_as_recorded: Option<bool>,
    /// Per instrument; equity curves are in `risk.equity`, every `risk.period_s` from the start.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Two strategies on the same recordings.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// Name of the one.
    pub first: String,
    /// Name of the one it is compared with.
    pub second: String,
    /// First less second.
    #[serde(flatten)]
    pub difference: Difference,
}

/// Of all that was ever tried on any of these recordings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trials {
    /// The log.
    pub log: String,
    /// Distinct strategies and settings, this time's included: N of the deflated Sharpe ratio.
    pub distinct: usize,
    /// Of them, this time's that were never tried before.
    pub new: usize,
    /// Variance of their Sharpe ratios per period, of this backtest's length.
    pub sharpe_variance: Option<f64>,
    /// Sharpe ratio per period that the best of so many worthless ones would show.
    pub best_by_chance: Option<f64>,
}

/// Combinatorially symmetric cross-validation over the strategies of this backtest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overfitted {
    /// PBO: how often the best on one half of time was no better than the median on the other.
    pub probability: f64,
    /// Parts that time was cut into.
    pub parts: usize,
    /// Ways to halve them.
    pub splits: usize,
}

/// Chosen on the past, judged on what came next, again and again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WalkForward {
    /// What was chosen by.
    pub chosen_by: &'static str,
    /// Periods left out between training and test, seconds: label horizon and embargo.
    pub gap_s: f64,
    /// One per test part.
    pub folds: Vec<Fold>,
    /// Profit of the chosen ones on the test parts.
    pub pnl_out_of_sample: f64,
    /// Sharpe ratio per period of the same.
    pub sharpe_out_of_sample: Option<f64>,
    /// Mean over folds of the chosen one's Sharpe ratio on its training part.
    pub sharpe_in_sample: Option<f64>,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fold {
    /// Name of the one that was best in training.
    pub chosen: String,
    /// What a sweep changed of it.
    pub changed: Vec<(String, String)>,
    /// Periods of training.
    pub train: [usize; 2],
    /// Periods of the test, end excluded.
    pub test: [usize; 2],
    /// What it was chosen by, in training.
    pub in_sample: Option<f64>,
    /// The same in the test.
    pub out_of_sample: Option<f64>,
    /// Its profit in the test.
    pub pnl: f64,
    /// Its rank in the test, 1 the best, among as many as there are.
    pub rank: usize,
}

/// Combinatorial purged cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrossValidation {
    /// What was chosen by.
    pub chosen_by: &'static str,
    /// Parts of time.
    pub groups: usize,
    /// Of them, in each test.
    pub tested: usize,
    /// Label horizon, seconds.
    pub purge_s: f64,
    /// Left out after each test part, seconds.
    pub embargo_s: f64,
    /// Ways to choose the tested ones.
    pub splits: usize,
    /// Share of splits after which the chosen one was no better than the median.
    pub probability_of_overfitting: f64,
    /// Sharpe ratio per period along every path through all parts, always out of sample.
    pub path_sharpes: Vec<Option<f64>>,
    /// Profit along every path.
    pub path_pnls: Vec<f64>,
}

/// Runs every strategy over every recording, and judges.
pub fn backtest(ask: &Ask, progress: &dyn Progress) -> Result<Backtest, BacktestError> {
    let store = Store::open(&ask.store);
    let log = TrialLog::of_store(&ask.store);
    let logged = log.read()?;
    let candidates = candidates::candidates(ask)?;
    let recordings = find(&store, ask)?;
    log.ready()?;
    let (recorded, runs) = run_all(ask, &recordings, &candidates, progress)?;

    let plan = Plan { resamples: ask.resamples, seed: ask.seed.unwrap_or_default(), ..Plan::default() };
    let summaries = |runs: &Vec<Run>| runs.iter().map(|run| run.summary.clone()).collect::<Vec<_>>();
    let scored = crew::in_parallel(ask.threads, runs.len(), |n| {
        let summaries = summaries(&runs[n]);
        Ok::<_, BacktestError>(scores(&summaries.iter().collect::<Vec<_>>(), &plan))
    })?;
    let pairs = compare(ask, &candidates, &scored, &plan)?;

    let now: Vec<Trial> =
        candidates.iter().zip(&scored).map(|(of, (score, ..))| trial(ask, of, score, &recorded)).collect();
    let period_s = scored.first().map_or(0.0, |(score, ..)| score.period_s);
    let tally = tally(&logged, &now, period_s);
    log.append(&now)?;
    let best = tally.sharpe_variance.map(|variance| best_by_chance(tally.distinct as f64, variance));
    let series: Vec<&Series> = scored.iter().filter_map(|(_, _, series)| series.as_ref()).collect();
    let judgement = judgement::judge(ask, &candidates, &series, &recordings)?;

    let contenders = candidates.into_iter().zip(runs).zip(scored).map(|((of, runs), (score, by_currency, series))| {
        let track = series.and_then(|series| Track::of(&series.concat()));
        Contender {
            strategy_digest: of.strategy_digest(),
            settings_digest: of.settings_digest(),
            name: of.name,
            changed: of.changed,
            text: of.text.unwrap_or_default(),
            score,
            deflated_sharpe: track.map(|track| track.probabilistic_sharpe(best.unwrap_or(0.0))),
            probabilistic_sharpe: track.map(|track| track.probabilistic_sharpe(0.0)),
            by_currency,
            runs,
        }
    });
    Ok(Backtest {
        paper: true,
        strategies: contenders.collect(),
        notes: judgement.notes,
        recordings: recorded,
        pairs,
        trials: Trials {
            log: log.path().display().to_string(),
            distinct: tally.distinct,
            new: tally.new,
            sharpe_variance: tally.sharpe_variance,
            best_by_chance: best,
        },
        overfitting: judgement.overfitting,
        walk_forward: judgement.walk_forward,
        cross_validation: judgement.cross_validation,
    })
}

/// Every recording asked for, each once.
fn find(store: &Store, ask: &Ask) -> Result<Vec<Recording>, BacktestError> {
    if ask.sources.is_empty() {
        return Err(BacktestError::Asked("nothing to run over: name sessions, or files with --format".to_owned()));
    }
    let found = crew::in_parallel(ask.threads, ask.sources.len(), |n| Recording::find(store, &ask.sources[n]))?;
    for (n, recording) in found.iter().enumerate() {
        if let Some(same) = found[..n].iter().find(|other| other.fingerprint == recording.fingerprint) {
            let what = format!("{} and {} are the same recording: it would count twice", same.name, recording.name);
            return Err(BacktestError::Asked(what));
        }
        if ask.settings == Settings::AsRecorded && recording.manifest().is_none() {
            let what = format!("{}: nothing is recorded of settings in files of other programs", recording.name);
            return Err(BacktestError::Asked(what));
        }
    }
    Ok(found)
}

/// Recordings in the order of time, and of every candidate a run over each.
fn run_all(
    ask: &Ask,
    recordings: &[Recording],
    candidates: &[Candidate],
    progress: &dyn Progress,
) -> Result<(Vec<Recorded>, Vec<Vec<Run>>), BacktestError> {
    let count = candidates.len() * recordings.len();
    let known: Option<u64> = recordings.iter().map(|recording| recording.inputs).sum();
    progress.begin(count, known.map(|inputs| inputs * candidates.len() as u64));
    // As many lanes as leave every thread something to do.
    let lanes = count.div_ceil(ask.threads.max(1)).clamp(1, LANES_MAX);
    let chunks: Vec<&[Candidate]> = candidates.chunks(lanes).collect();
    // Before anything is run every spec is made: what cannot be run is said at once.
    let mut jobs = Vec::new();
    for recording in recordings {
        for chunk in &chunks {
            let specs = chunk.iter().map(|candidate| candidate.spec(recording, ask));
            jobs.push((recording, specs.collect::<Result<Vec<_>, _>>()?));
        }
    }
    // No interval of a single run is worth ten thousand resamples.
    let plan = Plan { resamples: ask.resamples.min(1_000), seed: ask.seed.unwrap_or_default(), ..Plan::default() };
    let done = crew::in_parallel(ask.threads, jobs.len(), |n| {
        let (recording, specs) = &jobs[n];
        let failed = |error| BacktestError::Recording { name: recording.name.clone(), error: Box::new(error) };
        let mut inputs = recording.open().map_err(failed)?;
        let told = |inputs: u64| progress.advance(inputs * specs.len() as u64);
        let with_commands = ask.settings == Settings::AsRecorded;
        pass::pass(&mut *inputs, specs, with_commands, &plan, &told).map_err(failed)
    })?;
    let mut order: Vec<(LocalTime, usize)> =
        (0..recordings.len()).map(|r| (done[r * chunks.len()].0.started, r)).collect();
    order.sort();
    let mut recorded = Vec::new();
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); candidates.len()];
    for (started, r) in order {
        let (recording, mine) = (&recordings[r], &done[r * chunks.len()..(r + 1) * chunks.len()]);
        let ended_in = recording.manifest().and_then(|manifest| manifest.output_digest).map(|d| d.to_string());
        for (into, run) in runs.iter_mut().zip(mine.iter().flat_map(|(_, runs)| runs)) {
            let is_as_recorded = ended_in.as_ref().map(|digest| *digest == run.output_digest);
            into.push(Run { recording: recording.name.clone(), is_as_recorded, ..run.clone() });
        }
        let first = &mine[0].1[0].summary;
        recorded.push(Recorded {
            name: recording.name.clone(),
            fingerprint: recording.fingerprint.to_string(),
            instruments: recording.instruments.iter().map(|rules| rules.label()).collect(),
            started_ns: started.0,
            seconds: first.seconds,
            inputs: first.inputs,
        });
    }
    Ok((recorded, runs))
}

/// Totals; those of each currency where there are several, and returns where there is one.
type Scored = (Score, Vec<Score>, Option<Series>);

fn scores(runs: &[&Summary], plan: &Plan) -> Scored {
    match currencies(runs).as_slice() {
        [only] => {
            let (score, series) = Score::of(runs, only, plan);
            (score, Vec::new(), Some(series))
        }
        many => {
            let each = many.iter().map(|currency| Score::of(runs, currency, plan).0).collect();
            (Score::across_currencies(runs), each, None)
        }
    }
}

fn compare(ask: &Ask, candidates: &[Candidate], scored: &[Scored], plan: &Plan) -> Result<Vec<Pair>, BacktestError> {
    let n = candidates.len();
    let pairs: Vec<(usize, usize)> = match n {
        0..=PAIRED_MAX => (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect(),
        _ => (1..n).map(|other| (0, other)).collect(),
    };
    let none = Series::default();
    crew::in_parallel(ask.threads, pairs.len(), |i| {
        let (a, b) = pairs[i];
        let side = |n: usize| (&scored[n].0, scored[n].2.as_ref().unwrap_or(&none));
        Ok(Pair {
            first: candidates[a].name.clone(),
            second: candidates[b].name.clone(),
            difference: Difference::of(side(a), side(b), plan),
        })
    })
}

fn trial(ask: &Ask, of: &Candidate, score: &Score, recorded: &[Recorded]) -> Trial {
    Trial {
        at_ns: ask.now.0,
        strategy: of.name.clone(),
        strategy_digest: of.strategy_digest(),
        settings_digest: of.settings_digest(),
        recordings: recorded.iter().map(|r| r.fingerprint.clone()).collect(),
        names: recorded.iter().map(|r| r.name.clone()).collect(),
        currency: score.currency.clone(),
        pnl: score.pnl,
        fills: score.fills,
        sharpe: score.sharpe,
        period_s: score.period_s,
        periods: score.periods,
    }
}

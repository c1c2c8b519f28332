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

mod answer;
mod candidates;
mod crew;
mod judgement;
mod pass;
mod recordings;
mod simulated;
pub mod sweep;
pub mod trials;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::import::ImportFailed;
use super::prepare::PrepareError;
use super::rerun::RerunError;
use super::simulate::CannotLive;
use crate::config::{ConfigErrors, Sources};
use crate::journal::{JournalError, Store};
use crate::metrics::cross_validation::Criterion;
use crate::metrics::score::{Difference, Score, Series, currencies};
use crate::metrics::selection::{Track, best_by_chance};
use crate::metrics::{Plan, Summary};
use crate::units::{LocalTime, Nanos};

use candidates::Candidate;
use pass::Length;
use recordings::Recording;
use trials::{Trial, TrialLog, tally};

pub use answer::{Backtest, Contender, CrossValidation, Fold, Overfitted, Pair, Recorded, Run, Trials, WalkForward};
pub use recordings::Source;
pub use simulated::{Keep, Simulated};

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
    /// As it says itself.
    #[error(transparent)]
    Simulated(#[from] CannotLive),
}

impl BacktestError {
    /// What is behind it, without the names of whom it concerns.
    pub fn root(&self) -> &BacktestError {
        match self {
            BacktestError::Recording { error, .. } | BacktestError::Strategy { error, .. } => error.root(),
            BacktestError::Asked(_)
            | BacktestError::File { .. }
            | BacktestError::Log { .. }
            | BacktestError::Journal(_)
            | BacktestError::Prepare(_)
            | BacktestError::Import(_)
            | BacktestError::Rerun(_)
            | BacktestError::Config(_)
            | BacktestError::Simulated(_) => self,
        }
    }
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
    /// Texts of strategies that are no files, by the names they have among `strategies`.
    pub texts: Vec<(String, String)>,
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

/// Runs every strategy over every recording, and judges.
pub fn backtest(ask: &Ask, progress: &dyn Progress) -> Result<Backtest, BacktestError> {
    let store = Store::open(&ask.store);
    let log = TrialLog::of_store(&ask.store);
    let logged = log.read()?;
    let candidates = candidates::candidates(ask)?;
    let recordings = find(&store, ask)?;
    judgement::check(ask, &candidates, &recordings)?;
    log.ready()?;
    let (recorded, runs) = run_all(ask, &store, &recordings, &candidates, progress)?;

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
    let mut judgement = judgement::judge(ask, &candidates, &series, &recordings);
    judgement.notes.extend(not_as_recorded(ask, &candidates, &runs));
    judgement.notes.extend(fees(ask, &candidates, &recordings));
    judgement.notes.extend(never_live(&runs));
    let obeyed = recorded.iter().filter(|recorded| recorded.commands_left_out > 0);
    judgement.notes.extend(obeyed.map(|Recorded { name, commands_left_out: n, .. }| {
        format!("{name}: {n} commands that were given when it was recorded are left out; --as-recorded obeys them")
    }));
    if tally.foreign > 0 {
        let (foreign, distinct) = (tally.foreign, tally.distinct);
        judgement.notes.push(format!(
            "{foreign} of the {distinct} trials were under settings that nothing here ran under (fees, fill model, limits, \
             seed): they count, and their Sharpe ratios are in the variance that deflates these"
        ));
    }

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

/// The fees of the configuration in force: those of the profile `demo` are nobody's but the simulated exchange's.
fn fees(ask: &Ask, candidates: &[Candidate], recordings: &[Recording]) -> Option<String> {
    let first = candidates.first().filter(|_| ask.settings == Settings::InForce)?;
    let venues: BTreeSet<String> = recordings.iter().flat_map(|recording| first.fees(recording)).collect();
    let profile = match ask.configuration.profile.as_str() {
        "" => "no profile".to_owned(),
        name => format!("profile {name}"),
    };
    Some(format!("fees as configured ({profile}): {}", venues.into_iter().collect::<Vec<_>>().join("; ")))
}

/// Instruments whose book could never be traded on: nothing was quoted there, whatever the strategy.
fn never_live(runs: &[Vec<Run>]) -> Vec<String> {
    let of = |run: &Run| {
        let never = run.summary.instruments.iter().filter(|it| !it.market.seconds.contains_key("live"));
        never
            .map(|it| {
                format!("{} of {} was never in step (no snapshot?): nothing was quoted", it.instrument, run.recording)
            })
            .collect::<Vec<_>>()
    };
    runs.first().into_iter().flatten().flat_map(of).collect()
}

/// Recordings that their own strategy under their own settings does not end as they did.
fn not_as_recorded(ask: &Ask, candidates: &[Candidate], runs: &[Vec<Run>]) -> Vec<String> {
    let own = candidates
        .iter()
        .zip(runs)
        .filter(|(of, _)| ask.settings == Settings::AsRecorded && ask.seed.is_none() && of.text.is_none());
    let differ = own.flat_map(|(_, runs)| runs).filter(|run| run.is_as_recorded == Some(false));
    let say = |run: &Run| {
        format!("{0} does not end as recorded: `papermaker replay {0}` names the first difference", run.recording)
    };
    differ.map(say).collect()
}

/// Every recording asked for, each once.
fn find(store: &Store, ask: &Ask) -> Result<Vec<Recording>, BacktestError> {
    if ask.sources.is_empty() {
        let what = "nothing to run over: name sessions, files with --format, or a market with --sim";
        return Err(BacktestError::Asked(what.to_owned()));
    }
    let found = crew::in_parallel(ask.threads, ask.sources.len(), |n| Recording::find(store, &ask.sources[n]))?;
    for (n, recording) in found.iter().enumerate() {
        if let Some(same) = found[..n].iter().find(|other| other.fingerprint == recording.fingerprint) {
            let what = format!("{} and {} are the same recording: it would count twice", same.name, recording.name);
            return Err(BacktestError::Asked(what));
        }
        if ask.settings == Settings::AsRecorded && recording.manifest().is_none() {
            let what = format!("{}: nothing is recorded there of settings", recording.name);
            return Err(BacktestError::Asked(what));
        }
    }
    Ok(found)
}

/// Recordings in the order of time, and of every candidate a run over each.
fn run_all(
    ask: &Ask,
    store: &Store,
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
        if let Some(market) = recording.simulated() {
            candidates.iter().try_for_each(|candidate| market.has_room(&candidate.name, store))?;
        }
        for chunk in &chunks {
            let specs = chunk.iter().map(|candidate| candidate.spec(recording, ask));
            jobs.push((recording, *chunk, specs.collect::<Result<Vec<_>, _>>()?));
        }
    }
    // No interval of a single run is worth ten thousand resamples.
    let plan = Plan { resamples: ask.resamples.min(1_000), seed: ask.seed.unwrap_or_default(), ..Plan::default() };
    let done = crew::in_parallel(ask.threads, jobs.len(), |n| {
        let (recording, chunk, specs) = &jobs[n];
        let failed = |error| BacktestError::Recording { name: recording.name.clone(), error: Box::new(error) };
        if let Some(market) = recording.simulated() {
            let told = |inputs: u64| progress.advance(inputs);
            let lives = chunk.iter().zip(specs).map(|(of, spec)| market.live(&of.name, spec, store, &plan, &told));
            let lives: Vec<(Length, Run)> = lives.collect::<Result<_, _>>().map_err(failed)?;
            let length = lives.first().expect("a chunk has candidates").0;
            return Ok((length, lives.into_iter().map(|(_, run)| run).collect()));
        }
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
            commands_left_out: mine[0].0.left_out,
            is_simulated: recording.simulated().is_some(),
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

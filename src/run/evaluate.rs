//! Policies held against others: a fixed spread, Avellaneda & Stoikov, Guéant, Lehalle & Fernandez-Tapia, and who does not quote.
//!
//! The others get their chance: of each kind a small grid of settings is tried on what a policy may have learnt from, and the one that
//! earned most there takes part. Everybody has the policy's order size. All are judged on what nobody has learnt from or was tuned on: other seeds
//! of the market, or what follows in the recordings. Differences are paired, and where there are several seeds or
//! recordings these are resampled too ([`crate::metrics::bootstrap`]). A difference whose interval holds zero is no difference.
//!
//! Policies of one training, its seeds, are also held against the others together ([`Training`]).
//!
//! It is made of backtests ([`super::backtest`]): the same runs, the same log of trials.

mod trainings;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::backtest::{Ask, Backtest, BacktestError, Contender, Progress, Settings, Source, backtest};
use super::card::{Bounds, CardError, Evaluation, PolicyCard, Rival, SeedsTogether};
use super::prepare;
use crate::config::Sources;
use crate::metrics::bootstrap::{Comparison, Interval, compare_groups, interval_of_groups};
use crate::metrics::cross_validation::Criterion;
use crate::metrics::returns::mean;
use crate::metrics::score::Series;
use crate::metrics::{Plan, Summary};
use crate::units::{LocalTime, Nanos};

pub use trainings::Training;

/// What is tried of the others unless a grid is given: skew by skew, and by how wide they quote at least.
pub const GRID: &str = "\
[strategy.glft]\nrisk_factor = [0.005, 0.05, 0.2, 0.5, 2.0]\nrisk_factor_unit = [\"per-volatility\"]\nmin_spread_bps = [0.0, 0.5, 1.0]\n\
[strategy.avellaneda-stoikov]\nrisk_factor = [0.0003, 0.003, 0.01, 0.03, 0.1]\nrisk_factor_unit = [\"per-volatility\"]\nmin_spread_bps = [0.0, 0.5, 1.0]\n\
[strategy.fixed-spread]\nhalf_spread_bps = [0.03, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0]\n";

/// Who takes part besides the policies.
const OTHERS: [&str; 3] = ["fixed-spread", "avellaneda-stoikov", "glft"];

/// Its name where it is compared.
pub const ZERO_QUOTE: &str = "zero-quote";

/// Where policies are held against others.
#[derive(Clone, Debug)]
pub enum Court {
    /// Markets to be tuned in and markets to be judged in, which differ in their seeds.
    Markets {
        /// For tuning.
        tuning: Vec<Source>,
        /// For judging.
        judging: Vec<Source>,
        /// What it is called on cards.
        name: String,
    },
    /// Recordings, split in time.
    Recordings {
        /// In the order of time.
        sources: Vec<Source>,
        /// The part of their time that may be tuned on, where no card says up to when a policy has learnt.
        share: f64,
        /// Left out between the parts.
        gap: Nanos,
        /// What they are called on cards.
        name: String,
    },
}

/// The question.
#[derive(Clone, Debug)]
pub struct Contest {
    /// Names in it are of this store; its log counts the trials.
    pub store: PathBuf,
    /// Strategy files.
    pub policies: Vec<PathBuf>,
    /// On what.
    pub court: Court,
    /// The configuration.
    pub configuration: Sources,
    /// Text of a [`super::backtest::sweep::Grid`] of the others' settings; [`GRID`] without it.
    pub grid: Option<String>,
    /// Of every interval.
    pub resamples: usize,
    /// At most so many.
    pub threads: usize,
    /// What time it is, for the log.
    pub now: LocalTime,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// Always true.
    pub paper: bool,
    /// What it was judged on.
    pub on: String,
    /// Currency of all amounts.
    pub currency: String,
    /// Seconds that were judged, of all seeds or recordings together.
    pub seconds: f64,
    /// How many seeds or recordings.
    pub groups: usize,
    /// Settings of others that were tried.
    pub trials: usize,
    /// Of the log, this time included: N of a deflated Sharpe ratio.
    pub trials_ever: usize,
    /// The policies and the others, as they were judged.
    pub strategies: Vec<Judged>,
    /// Every policy against every other, but for other seeds of its training.
    pub pairs: Vec<Against>,
    /// Seeds of one training together, where several took part.
    pub trainings: Vec<Training>,
    /// What people should know of it.
    pub notes: Vec<String>,
    /// Cards that were written.
    pub cards: Vec<String>,
}

/// A strategy on what it was judged on.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// As in a backtest.
    pub name: String,
    /// Whether it is one of the policies.
    pub is_policy: bool,
    /// Settings that it was given.
    pub changed: Vec<(String, String)>,
    /// What it earned where it was tuned; policies are not tuned.
    pub pnl_tuned: Option<f64>,
    /// What it earned.
    pub pnl: Option<Interval>,
    /// Fills, of all its time in recordings.
    pub fills: u64,
    /// Share of that time with both sides quoted.
    pub quote_uptime: Option<f64>,
    /// Mean absolute position over that time.
    pub mean_abs_position: Option<f64>,
}

/// A policy less somebody else, on the same periods.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    /// The policy.
    pub policy: String,
    /// The other.
    pub other: String,
    /// Of profits, with interval and probability of one so large by chance; of `zero-quote` only the profit's own interval.
    pub difference: Option<Comparison>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum EvaluateError {
    #[error("{0}")]
    Asked(String),
    #[error(transparent)]
    Backtest(#[from] BacktestError),
    #[error(transparent)]
    Prepare(#[from] prepare::PrepareError),
    #[error(transparent)]
    Card(#[from] CardError),
}

/// Which periods of a series count.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    Before(i64),
    From(i64),
}

impl Part {
    /// The returns of a strategy's runs that lie in this part: one list a recording, empty ones left out.
    fn of(self, found: &Backtest, who: &Contender, currency: &str) -> Vec<Vec<f64>> {
        let summaries: Vec<&Summary> = who.runs.iter().map(|run| &run.summary).collect();
        let series = Series::of(&summaries, currency);
        let starts = found.recordings.iter().map(|recording| recording.started_ns);
        let cut = |(returns, start): (Vec<f64>, i64)| {
            let at = |n: usize| start + (n as f64 * series.period_s * 1e9) as i64;
            let inside = |n: usize| match self {
                Part::Whole => true,
                Part::Before(end) => at(n + 1) <= end,
                Part::From(begin) => at(n) >= begin,
            };
            returns.into_iter().enumerate().filter(|(n, _)| inside(*n)).map(|(_, x)| x).collect::<Vec<f64>>()
        };
        series.recordings.into_iter().zip(starts).map(cut).filter(|returns| !returns.is_empty()).collect()
    }
}

/// Tunes the others, judges all, and writes what was found onto the policies' cards.
pub fn evaluate(contest: &Contest, progress: &dyn Progress) -> Result<Judgement, EvaluateError> {
    let mut cards = Vec::new();
    for policy in &contest.policies {
        cards.push(PolicyCard::beside(policy)?);
    }
    let policies: Vec<String> = contest.policies.iter().map(|policy| policy.display().to_string()).collect();
    let order = order_size(contest)?;
    let (tuning, judging) = match &contest.court {
        Court::Markets { tuning, judging, .. } => (tuning, judging),
        Court::Recordings { sources, .. } => (sources, sources),
    };
    let sweep = with_order(contest.grid.as_deref().unwrap_or(GRID), &order).map_err(EvaluateError::Asked)?;
    let others = OTHERS.iter().map(|name| (*name).to_owned()).collect();
    let tried = backtest(&ask(contest, tuning, others, Vec::new(), Some(sweep)), progress)?;
    let currency = only_currency(&tried)?;
    let parts = parts(contest, &tried, &cards)?;

    let mut chosen: Vec<(&Contender, f64)> = Vec::new();
    let mut notes = Vec::new();
    for kind in OTHERS {
        let of_kind = tried.strategies.iter().filter(|s| s.name == kind || s.name.starts_with(&format!("{kind} ")));
        let earned = |s: &Contender| parts.0.of(&tried, s, &currency).concat().iter().sum::<f64>();
        let of_kind: Vec<&Contender> = of_kind.collect();
        let Some(best) = of_kind.iter().map(|s| (*s, earned(s))).max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        notes.extend(at_the_edge(kind, best.0, &of_kind));
        chosen.push(best);
    }
    let texts: Vec<(String, String)> = chosen.iter().map(|(s, _)| (s.name.clone(), s.text.clone())).collect();
    let named = policies.iter().cloned().chain(texts.iter().map(|(name, _)| name.clone())).collect();
    let found = backtest(&ask(contest, judging, named, texts, None), progress)?;
    let mut judgement = judge(contest, &cards, &found, &currency, parts.1);
    for (judged, (of, pnl)) in judgement.strategies.iter_mut().skip(policies.len()).zip(&chosen) {
        (judged.pnl_tuned, judged.changed) = (Some(*pnl), of.changed.clone());
    }
    judgement.notes.append(&mut notes);
    judgement.trials = tried.strategies.len();
    judgement.trials_ever = found.trials.distinct;
    for ((path, card), n) in contest.policies.iter().zip(cards).zip(0..) {
        match card {
            Some(mut card) => {
                card.evaluated(for_card(&judgement, n));
                card.put_beside(path)?;
                judgement.cards.push(PolicyCard::path(path).display().to_string());
            }
            None => judgement.notes.push(format!("{} has no card beside it: nothing was written", path.display())),
        }
    }
    Ok(judgement)
}

/// Whether the best of a kind is at an end of what was tried, so that better might lie beyond; of 0, nothing does.
fn at_the_edge(kind: &str, best: &Contender, tried: &[&Contender]) -> Vec<String> {
    let number = |s: &Contender, key: &str| s.changed.iter().find(|(k, _)| k == key)?.1.parse::<f64>().ok();
    let edge = |(key, _): &(String, String)| {
        let own = number(best, key)?;
        let all = || tried.iter().filter_map(|s| number(s, key));
        let (least, most) = (all().fold(own, f64::min), all().fold(own, f64::max));
        let word = match least < most && own != 0.0 {
            true if own == least => "smallest",
            true if own == most => "largest",
            _ => return None,
        };
        Some(format!("{kind}: {key} {own} is the {word} that was tried; with --grid better may be found beyond it"))
    };
    best.changed.iter().filter_map(edge).collect()
}

fn ask(
    contest: &Contest,
    sources: &[Source],
    strategies: Vec<String>,
    texts: Vec<(String, String)>,
    sweep: Option<String>,
) -> Ask {
    Ask {
        store: contest.store.clone(),
        sources: sources.to_vec(),
        strategies,
        texts,
        configuration: contest.configuration.clone(),
        settings: Settings::InForce,
        seed: None,
        sweep,
        walk_forward: None,
        cross_validate: None,
        criterion: Criterion::Pnl,
        purge: None,
        embargo: None,
        resamples: contest.resamples,
        threads: contest.threads,
        now: contest.now,
    }
}

/// Order sizes of the policies: all the same, or differences would be of sizes.
fn order_size(contest: &Contest) -> Result<String, EvaluateError> {
    let dir = contest.configuration.dir.as_deref();
    let mut found: Option<(String, &Path)> = None;
    for path in &contest.policies {
        let text = prepare::strategy_text(&path.display().to_string(), dir)?;
        let table: toml::Table = text.parse().map_err(|e| EvaluateError::Asked(format!("{}: {e}", path.display())))?;
        let size = table.get("order_amount_base").map_or(String::new(), |size| match size.as_str() {
            Some(text) => text.to_owned(),
            None => size.to_string(),
        });
        match &found {
            Some((other, first)) if *other != size => {
                let (first, second) = (first.display(), path.display());
                let what = format!("{first} trades {other} an order and {second} {size}: profits would not compare");
                return Err(EvaluateError::Asked(what));
            }
            Some(_) => {}
            None => found = Some((size, path)),
        }
    }
    found.map(|(size, _)| size).ok_or_else(|| EvaluateError::Asked("no policy to evaluate".to_owned()))
}

/// The grid, everybody with this order size.
fn with_order(grid: &str, order: &str) -> Result<String, String> {
    let mut table: toml::Table = grid.parse().map_err(|e| format!("the grid is not TOML: {e}"))?;
    let strategy = table.entry("strategy").or_insert_with(|| toml::Table::new().into());
    let strategy = strategy.as_table_mut().ok_or("the grid's [strategy] is a table")?;
    strategy.insert("order_amount_base".to_owned(), vec![order.to_owned()].into());
    toml::to_string(&table).map_err(|e| e.to_string())
}

fn only_currency(found: &Backtest) -> Result<String, EvaluateError> {
    let first = found.strategies.first().and_then(|s| s.score.currency.clone());
    first.ok_or_else(|| EvaluateError::Asked("profits are in several currencies: evaluate one at a time".to_owned()))
}

/// What counts for tuning, and what for judging.
fn parts(contest: &Contest, tried: &Backtest, cards: &[Option<PolicyCard>]) -> Result<(Part, Part), EvaluateError> {
    let Court::Recordings { share, gap, .. } = &contest.court else { return Ok((Part::Whole, Part::Whole)) };
    let ends = tried.recordings.iter().map(|r| (r.started_ns, r.started_ns + (r.seconds * 1e9) as i64));
    let all: f64 = tried.recordings.iter().map(|r| r.seconds).sum();
    let mut left = share * all;
    let mut cut = i64::MIN;
    for (start, end) in ends {
        let seconds = (end - start) as f64 / 1e9;
        if left > 0.0 {
            cut = start + (left.min(seconds) * 1e9) as i64;
            left -= seconds;
        }
    }
    let learnt = cards.iter().flatten().filter_map(|card| card.learnt_until_ns);
    let judged_from = learnt.fold(cut + gap.0, i64::max);
    let last = tried.recordings.iter().map(|r| r.started_ns + (r.seconds * 1e9) as i64).max().unwrap_or(i64::MIN);
    if judged_from >= last {
        let what =
            "nothing is left to judge on: the policies learnt from all of these recordings, or they are too short"
                .to_owned();
        return Err(EvaluateError::Asked(what));
    }
    Ok((Part::Before(judged_from - gap.0), Part::From(judged_from)))
}

fn judge(contest: &Contest, cards: &[Option<PolicyCard>], found: &Backtest, currency: &str, part: Part) -> Judgement {
    let plan = Plan { resamples: contest.resamples, ..Plan::default() };
    let series: Vec<Vec<Vec<f64>>> = found.strategies.iter().map(|s| part.of(found, s, currency)).collect();
    let groups = |n: usize| series[n].iter().map(Vec::as_slice).collect::<Vec<&[f64]>>();
    let length = series.first().map_or(0, |s| s.iter().map(Vec::len).sum());
    let sum = |returns: &[f64]| mean(returns).map(|mean| mean * length as f64);
    let policies = contest.policies.len();
    let judged = |(n, s): (usize, &Contender)| Judged {
        name: s.name.clone(),
        is_policy: n < policies,
        changed: Vec::new(),
        pnl_tuned: None,
        pnl: interval_of_groups(&groups(n), &plan, sum),
        fills: s.score.fills,
        quote_uptime: s.score.quote_uptime,
        mean_abs_position: s.score.mean_abs_position,
    };
    let strategies: Vec<Judged> = found.strategies.iter().enumerate().map(judged).collect();
    let families = trainings::families(cards);
    let are_kin = |a: usize, b: usize| families.iter().any(|family| family.all.contains(&a) && family.all.contains(&b));
    let mut pairs = Vec::new();
    for policy in 0..policies {
        // Of seeds of one training the better is luck; they are judged together.
        for other in (0..strategies.len()).filter(|other| *other != policy && !are_kin(policy, *other)) {
            let difference = compare_groups(&groups(policy), &groups(other), &plan, sum);
            let (policy, other) = (strategies[policy].name.clone(), strategies[other].name.clone());
            pairs.push(Against { policy, other, difference });
        }
        let nothing: Vec<Vec<f64>> = series[policy].iter().map(|returns| vec![0.0; returns.len()]).collect();
        let nothing: Vec<&[f64]> = nothing.iter().map(Vec::as_slice).collect();
        let difference = compare_groups(&groups(policy), &nothing, &plan, sum);
        pairs.push(Against { policy: strategies[policy].name.clone(), other: ZERO_QUOTE.to_owned(), difference });
    }
    let names: Vec<String> = strategies.iter().map(|s| s.name.clone()).collect();
    let together = |family: &trainings::Family| {
        trainings::judge((family, policies..names.len()), cards, (&names, &series), &plan, &sum)
    };
    let trainings: Vec<Training> = families.iter().filter(|family| family.seeds.len() > 1).map(together).collect();
    let count = series.first().map_or(0, Vec::len);
    let mut notes = found.notes.clone();
    if count == 1 {
        notes.push("one recording: intervals tell how sure its hours are, not how much days differ".to_owned());
    }
    let (Court::Markets { name, .. } | Court::Recordings { name, .. }) = &contest.court;
    let period_s = found
        .strategies
        .first()
        .map_or(0.0, |s| Series::of(&s.runs.iter().map(|run| &run.summary).collect::<Vec<_>>(), currency).period_s);
    Judgement {
        paper: true,
        on: name.clone(),
        currency: currency.to_owned(),
        seconds: length as f64 * period_s,
        groups: count,
        trials: 0,
        trials_ever: 0,
        strategies,
        pairs,
        trainings,
        notes,
        cards: Vec::new(),
    }
}

/// What a policy's card keeps.
fn for_card(judgement: &Judgement, policy: usize) -> Evaluation {
    let own = &judgement.strategies[policy];
    let bounds = |interval: &Interval| Bounds { value: interval.value, low: interval.low, high: interval.high };
    let nothing = Bounds { value: 0.0, low: 0.0, high: 0.0 };
    let rival = |pair: &Against| {
        let difference = pair.difference?;
        let of = judgement.strategies.iter().find(|s| s.name == pair.other);
        let pnl = of.and_then(|s| s.pnl).map_or(0.0, |pnl| pnl.value);
        let p_value = Some(difference.p_value);
        Some(Rival { name: pair.other.clone(), pnl, difference: bounds(&difference.difference), p_value })
    };
    let training = judgement.trainings.iter().find(|training| training.policies.contains(&own.name));
    Evaluation {
        on: judgement.on.clone(),
        papermaker: env!("CARGO_PKG_VERSION").to_owned(),
        currency: judgement.currency.clone(),
        pnl: own.pnl.as_ref().map_or(nothing, bounds),
        trials: judgement.trials,
        against: judgement.pairs.iter().filter(|pair| pair.policy == own.name).filter_map(rival).collect(),
        seeds_together: training.map(|training| SeedsTogether {
            seeds: training.seeds.clone(),
            pnl: training.pnl.as_ref().map_or(nothing, bounds),
            against: training.pairs.iter().filter_map(rival).collect(),
        }),
    }
}

//! `backtest`: many strategies over many recordings.

mod table;

use std::fs;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use table::{aligned, as_text, chance, number, sure};

use super::metrics::significant;
use super::{Failure, Globals, Outcome, say, sessions, span};
use crate::config::{Loaded, market};
use crate::feed::wall_clock;
use crate::journal::import;
use crate::market::VenueId;
use crate::metrics::cross_validation::Criterion;
use crate::run::backtest::trials::{TRIALS_FILE, Trial, TrialLog};
use crate::run::backtest::{
    Ask, Backtest, BacktestError, Keep, Progress, RECORDED, Settings, Simulated, Source, backtest as drive,
};
use crate::run::prepare::PrepareError;
use crate::run::rerun::RerunError;
use crate::run::simulate::listed;
use crate::units::{Nanos, Step};

/// Run strategies over recordings, and say who would have made what and how sure that is
///
/// Every strategy lives every recording on paper, from an account of its own. Fills, risk, quoting and signals are as the
/// configuration in force says (`--set paper.queue_model=log` changes them), and what operators did when it was recorded is left
/// out; with --as-recorded both are the recording's. The totals add up all recordings; differences between strategies are
/// paired, period by period, with 95 % intervals. With --sim nothing is recorded before: orders rest in the book of a simulated
/// market that reacts to them, each seed is a run, and strategies are compared in the same seeds. Every strategy and setting tried is logged in the store and counts in the
/// deflated Sharpe ratio.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  papermaker backtest monday tuesday --strategy strategies/glft.toml --strategy fixed-spread\n  \
    papermaker backtest monday --as-recorded\n  \
    papermaker backtest --format hftbacktest-raw --instrument binance-usdm:BTCUSDT=btc.gz --strategy glft --json\n  \
    papermaker backtest monday tuesday --strategy glft --sweep grid.toml --walk-forward 4 --cpcv 6,2\n  \
    papermaker backtest monday --strategy glft --must-beat fixed-spread\n  \
    papermaker backtest monday --strategy glft --strategy fixed-spread --report monday.html\n  \
    papermaker backtest --sim demo --for 2h --seeds 5 --strategy avellaneda-stoikov --strategy glft\n  \
    papermaker backtest --sim demo --for 10m --seeds 1 --keep inside && papermaker replay inside-avellaneda_stoikov-1\n  \
    papermaker backtest --trials\n\n\
    A grid: [strategy] risk_factor = [0.1, 0.5], min_spread_bps = { from = 0, to = 2, step = 0.5 };\n\
    [paper] entry_latency_us = { from = 1000, to = 100000, points = 3, scale = \"log\" }; [strategy.glft] for one kind only.\n\
    Exit code 1 if --must-beat is lost."
)]
pub struct BacktestArgs {
    /// Names of sessions, or their folders; with --format, files in the order of time
    #[arg(value_name = "SESSION|FILE")]
    pub recordings: Vec<String>,
    /// Strategy file, or a built-in's name, or `recorded` for each recording's own (repeatable); else the configuration's
    #[arg(long, value_name = "FILE|NAME")]
    pub strategy: Vec<String>,
    /// Fills, risk, quoting, signals and operators' commands as they were recorded; without --strategy the recording's own too
    #[arg(long)]
    pub as_recorded: bool,
    /// Seed of every run, instead of `session.seed`
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// No recording: a simulated market that reacts to what is quoted, `demo`, another of `config/sim`, or a file like them
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["recordings", "format", "as_recorded", "trials"])]
    pub sim: Option<String>,
    /// How much simulated time (30m, 2h) each seed lasts
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse, default_value = "1h", requires = "sim")]
    pub lasting: Duration,
    /// How many seeds the market is lived with, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000), default_value = "5", requires = "sim")]
    pub seeds: u64,
    /// Keep every session of it in the store, as NAME-STRATEGY-SEED
    #[arg(long, value_name = "NAME", requires = "sim")]
    pub keep: Option<String>,

    /// The recordings are files of another program, as `sessions import` reads them
    #[arg(long)]
    pub format: Option<import::Format>,
    /// Venue they come from
    #[arg(long, value_name = "VENUE", requires = "symbol", requires = "format")]
    pub venue: Option<VenueId>,
    /// Instrument, in the venue's spelling
    #[arg(long, requires = "venue")]
    pub symbol: Option<String>,
    /// The same in one word; with files of its own it may be repeated, and all are one recording
    #[arg(long, value_name = "VENUE:SYMBOL[=FILE,…]", conflicts_with = "venue", requires = "format")]
    pub instrument: Vec<String>,
    /// Every file is a recording of its own, each from an account of its own
    #[arg(long, requires = "format")]
    pub apart: bool,
    /// The venue's price step, where the files do not say it; inferred without it
    #[arg(long, value_name = "STEP", value_parser = Step::parse, requires = "format")]
    pub tick: Option<Step>,
    /// The venue's quantity step, as --tick
    #[arg(long, value_name = "STEP", value_parser = Step::parse, requires = "format")]
    pub lot: Option<Step>,

    /// Try every combination of the values in this file
    #[arg(long, value_name = "GRID.toml")]
    pub sweep: Option<PathBuf>,
    /// Choose by the past, judge by what comes next, so many times
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub walk_forward: Option<u16>,
    /// Choose and judge on every combination of K of N parts of time: combinatorial purged cross-validation
    #[arg(long, value_name = "N,K")]
    pub cpcv: Option<Parts>,
    /// What the best is: sharpe, sortino or pnl
    #[arg(long, value_name = "WHAT", default_value = "sharpe", value_parser = criterion)]
    pub choose_by: Criterion,
    /// Until a period's profit is known: so much is learnt from on neither side of a test; without it one period
    #[arg(long, value_name = "TIME", value_parser = span_or_nothing)]
    pub purge: Option<Nanos>,
    /// Left out besides after a test (walking forward before it); without it the longest of latency, what estimators look
    /// back on, and 1 % of all periods
    #[arg(long, value_name = "TIME", value_parser = span_or_nothing)]
    pub embargo: Option<Nanos>,
    /// Histories lived again for every interval
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub resamples: usize,

    /// Exit code 1 unless the first strategy's profit is above this one's, with 95 % confidence
    #[arg(long, value_name = "NAME")]
    pub must_beat: Option<String>,
    /// Threads; without it one per core. The answer is the same
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Every recording in a line of its own
    #[arg(long)]
    pub verbose: bool,
    /// Only list what was tried so far; with recordings, on them
    #[arg(long, conflicts_with_all = ["strategy", "sweep", "format"])]
    pub trials: bool,
    /// Also write a page of it: one HTML file with charts, readable offline and on paper
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Replace FILE.html if it exists
    #[arg(long, requires = "report")]
    pub force: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// `N,K`: so many parts, so many of them tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts(usize, usize);

impl FromStr for Parts {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let found = s.split_once(',').and_then(|(n, k)| Some((n.trim().parse().ok()?, k.trim().parse().ok()?)));
        match found {
            // Sixteen by eight are 12 870 splits.
            Some((n, k)) if (2..=16).contains(&n) && (1..n).contains(&k) => Ok(Parts(n, k)),
            _ => Err("two numbers N,K: 2 to 16 parts, 1 to N-1 of them tested, for example 6,2".to_owned()),
        }
    }
}

fn criterion(text: &str) -> Result<Criterion, String> {
    let words: Vec<_> = Criterion::ALL.iter().map(|by| by.word()).collect();
    Criterion::ALL.into_iter().find(|by| by.word() == text).ok_or_else(|| format!("one of {}", words.join(", ")))
}

fn span_or_nothing(text: &str) -> Result<Nanos, String> {
    match text {
        "0" | "0s" => Ok(Nanos::ZERO),
        _ => span::parse(text).and_then(|time| i64::try_from(time.as_nanos()).map(Nanos).map_err(|e| e.to_string())),
    }
}

/// Calls the backtest driver, [`crate::run::backtest`].
pub fn backtest(args: &BacktestArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    let store = loaded.settings.store.path.clone();
    if args.trials {
        return list_trials(args, &TrialLog::of_store(&store));
    }
    if let Some(file) = &args.report {
        // To run for an hour and then not say what came of it would be a pity.
        super::report::make_sure_of_page(file, args.force)?;
    }
    let sweep = args.sweep.as_ref().map(|file| {
        fs::read_to_string(file)
            .map_err(|e| Failure::could_not_run(e).context(format!("{}: cannot be read", file.display())))
    });
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let ask = Ask {
        store,
        sources: match &args.sim {
            Some(name) => simulated(args, name, globals, &loaded)?,
            None => sources(args, Nanos::from_ms(i64::from(loaded.settings.session.tick_ms)))?,
        },
        strategies: strategies(args, &loaded.settings.strategy.file),
        texts: Vec::new(),
        configuration: globals.sources(),
        settings: if args.as_recorded { Settings::AsRecorded } else { Settings::InForce },
        seed: args.seed,
        sweep: sweep.transpose()?,
        walk_forward: args.walk_forward.map(usize::from),
        cross_validate: args.cpcv.map(|Parts(n, k)| (n, k)),
        criterion: args.choose_by,
        purge: args.purge,
        embargo: args.embargo,
        resamples: args.resamples,
        threads: args.threads.map_or(cores, NonZeroUsize::get),
        now: wall_clock(),
    };
    let bar = Bar(ProgressBar::no_length());
    let done = drive(&ask, &bar);
    bar.0.finish_and_clear();
    let found = done.map_err(refusal)?;
    if let Some(file) = &args.report {
        super::report::write_page(file, args.force, &crate::run::report::backtest_html(&found))?;
    }
    if args.json {
        say(serde_json::to_string_pretty(&found).expect("an answer is plain data"))?;
    } else {
        as_text(&found, args.verbose).iter().try_for_each(say)?;
    }
    let is_missing = (args.walk_forward.is_some() && found.walk_forward.is_none())
        || (args.cpcv.is_some() && found.cross_validation.is_none());
    if is_missing {
        let why: Vec<&str> = found.notes.iter().filter(|note| note.starts_with("--")).map(String::as_str).collect();
        return Err(Failure::could_not_run(anyhow::anyhow!(why.join("\n"))).context("what was chosen cannot be judged"));
    }
    args.must_beat.as_ref().map_or(Ok(()), |rival| must_beat(&found, rival))
}

/// A simulated market, once per seed.
fn simulated(args: &BacktestArgs, name: &str, globals: &Globals, loaded: &Loaded) -> Result<Vec<Source>, Failure> {
    let keep = args.keep.as_ref().map(|prefix| Keep {
        prefix: prefix.clone(),
        checkpoint_every: loaded.settings.session.checkpoint_inputs,
        config_digest: loaded.digest(),
    });
    markets(name, globals, loaded, (args.lasting, 1..=args.seeds), keep.as_ref())
}

/// A simulated market for so long, once for each of these seeds.
pub(super) fn markets(
    name: &str,
    globals: &Globals,
    loaded: &Loaded,
    (lasting, seeds): (Duration, RangeInclusive<u64>),
    keep: Option<&Keep>,
) -> Result<Vec<Source>, Failure> {
    let market = market::read(globals.sources().dir.as_deref(), name).map_err(|errors| {
        Failure::could_not_run(errors)
            .context("the market cannot be used")
            .hint("config/sim/demo.toml is a market, and config/README.md explains the keys")
    })?;
    let settings = &loaded.settings;
    let instruments = listed(&market, &settings.session.instruments).map_err(|error| {
        Failure::could_not_run(error)
            .context("the market cannot be traded in")
            .hint("--set session.instruments='[\"binance-spot:SYMBOL\"]' names what is traded")
    })?;
    let lasting = i64::try_from(lasting.as_nanos()).map_err(Failure::could_not_run)?;
    let one = |seed| {
        Source::Simulated(Box::new(Simulated {
            name: name.to_owned(),
            market: market.clone(),
            instruments: instruments.clone(),
            seed,
            lasting: Nanos(lasting),
            tick_every: Nanos::from_ms(i64::from(settings.session.tick_ms)),
            keep: keep.cloned(),
        }))
    };
    Ok(seeds.map(one).collect())
}

/// Those asked for, the rival among them.
fn strategies(args: &BacktestArgs, configured: &str) -> Vec<String> {
    let mut all = args.strategy.clone();
    if let Some(rival) = &args.must_beat {
        if all.is_empty() {
            let own = if args.as_recorded { RECORDED } else { configured };
            all.push(own.to_owned());
        }
        if args.sweep.is_none() && !all.iter().any(|name| is_called(name, rival)) {
            all.push(rival.clone());
        }
    }
    all
}

/// Whether a strategy is meant: by its whole name, or by its file's without folder and ending.
fn is_called(name: &str, meant: &str) -> bool {
    let stem = |name: &str| {
        let file = name.strip_suffix(".toml").unwrap_or(name);
        file.rsplit('/').next().unwrap_or(file).to_owned()
    };
    name == meant || stem(name) == stem(meant)
}

fn sources(args: &BacktestArgs, tick_every: Nanos) -> Result<Vec<Source>, Failure> {
    let Some(format) = args.format else {
        return Ok(args.recordings.iter().cloned().map(Source::Session).collect());
    };
    if args.venue.is_none() && args.instrument.is_empty() {
        let error = anyhow::anyhow!("--format says what the files are, not of which instrument");
        return Err(
            Failure::could_not_run(error).hint("add --instrument VENUE:SYMBOL, for example binance-spot:BTCUSDT")
        );
    }
    let files = sessions::ImportArgs {
        files: args.recordings.iter().map(PathBuf::from).collect(),
        format,
        venue: args.venue,
        symbol: args.symbol.clone(),
        instrument: args.instrument.clone(),
        strategy: None,
        session: String::new(),
        tick: args.tick,
        lot: args.lot,
        json: false,
    };
    let wishes = sessions::wishes(&files, tick_every).map_err(Failure::could_not_run)?;
    if !args.apart {
        return Ok(vec![Source::Files(wishes)]);
    }
    let single = |wish: import::Wish| {
        let alone =
            move |file: &PathBuf| Source::Files(vec![import::Wish { files: vec![file.clone()], ..wish.clone() }]);
        move |file: &PathBuf| alone(file)
    };
    Ok(wishes.into_iter().flat_map(|wish| wish.files.clone().iter().map(single(wish)).collect::<Vec<_>>()).collect())
}

pub(super) fn refusal(error: BacktestError) -> Failure {
    const NAMES: &str = "`papermaker sessions list` names the recordings; of other programs' files say the --format";
    let hint = match error.root() {
        BacktestError::Journal(e) | BacktestError::Rerun(RerunError::Journal(e)) => match e.is_damage() {
            true => Some("`papermaker sessions verify SESSION` checks a recording"),
            false => Some(NAMES),
        },
        BacktestError::File { file, .. } if file.ends_with(TRIALS_FILE) => {
            Some("the log of trials is kept in the store: --set store.path=FOLDER names another")
        }
        BacktestError::Log { .. } => {
            Some("nothing but papermaker writes it: move it away, and what was tried before counts no more")
        }
        BacktestError::Prepare(PrepareError::NoStrategy { .. } | PrepareError::Strategy { .. }) => {
            Some("strategies/README.md describes strategy files")
        }
        BacktestError::Prepare(PrepareError::Config(_)) | BacktestError::Config(_) => Some(
            "`papermaker config show` prints what is in force; --set section.key=value changes it for this backtest",
        ),
        _ => None,
    };
    let failure = Failure::could_not_run(error).context("no backtest");
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A bar on stderr; none where that is no terminal.
pub(super) struct Bar(pub(super) ProgressBar);

impl Progress for Bar {
    fn begin(&self, runs: usize, inputs: Option<u64>) {
        let shape = match inputs {
            Some(total) => {
                self.0.set_length(total);
                "{msg} {bar:30} {percent:>3} % {per_sec} inputs, {eta} left"
            }
            None => "{msg} {spinner} {human_pos} inputs, {per_sec}",
        };
        self.0.set_style(ProgressStyle::with_template(shape).expect("the template is ours"));
        self.0.set_message(format!("PAPER backtest, {runs} runs"));
    }

    fn advance(&self, inputs: u64) {
        self.0.inc(inputs);
    }
}

fn must_beat(found: &Backtest, rival: &str) -> Outcome {
    let first = &found.strategies[0].name;
    let Some(pair) = found.pairs.iter().find(|pair| pair.first == *first && is_called(&pair.second, rival)) else {
        let names: Vec<&str> = found.strategies.iter().skip(1).map(|s| s.name.as_str()).collect();
        let error = anyhow::anyhow!("--must-beat {rival}: the first, {first}, was not run against it");
        return Err(Failure::could_not_run(error).hint(format!("it was run against {}", names.join(", "))));
    };
    match &pair.difference.ci95.pnl {
        Some(pnl) if pnl.difference.low > 0.0 => Ok(()),
        Some(pnl) => Err(Failure::answer_is_no(anyhow::anyhow!(
            "{first} does not beat {rival}: a profit {} above it, p {}",
            sure(Some(&pnl.difference)),
            chance(pnl.p_value)
        ))),
        None => {
            let error = anyhow::anyhow!("{first} and {rival} have no profits that can be compared");
            Err(Failure::answer_is_no(error))
        }
    }
}

fn list_trials(args: &BacktestArgs, log: &TrialLog) -> Outcome {
    let mut trials = log.read().map_err(refusal)?;
    if !args.recordings.is_empty() {
        trials.retain(|trial| trial.names.iter().any(|name| args.recordings.contains(name)));
    }
    if args.json {
        let shown = json!({ "paper": true, "log": log.path().display().to_string(), "trials": trials });
        return say(format_args!("{shown:#}"));
    }
    say(format_args!("PAPER {} trials in {}", trials.len(), log.path().display()))?;
    let line = |trial: &Trial| {
        let at = jiff::Timestamp::from_nanosecond(i128::from(trial.at_ns));
        vec![
            at.map_or_else(|_| trial.at_ns.to_string(), |at| format!("{at:.0}")),
            trial.strategy.clone(),
            trial.names.join(","),
            format!("pnl {} {}", number(trial.pnl), trial.currency.as_deref().unwrap_or_default()),
            format!("sharpe {} per {} s", number(trial.sharpe), significant(trial.period_s)),
            format!("fills {}", trial.fills),
        ]
    };
    aligned(&trials.iter().map(line).collect::<Vec<_>>()).iter().try_for_each(say)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_spans_are_read_or_refused() {
        assert_eq!("6,2".parse(), Ok(Parts(6, 2)));
        for wrong in ["6", "6,6", "1,1", "17,2", "6,0", "a,b"] {
            assert!(wrong.parse::<Parts>().is_err(), "{wrong}");
        }
        assert_eq!((span_or_nothing("0"), span_or_nothing("2s")), (Ok(Nanos::ZERO), Ok(Nanos::from_s(2))));
        assert!(span_or_nothing("2").is_err() && criterion("luck").is_err());
        assert_eq!(criterion("pnl"), Ok(Criterion::Pnl));
    }

    #[test]
    fn a_file_goes_by_its_short_name_too() {
        for (name, meant) in [("glft", "glft"), ("strategies/glft.toml", "glft"), ("glft", "mine/glft.toml")] {
            assert!(is_called(name, meant), "{name} {meant}");
        }
        assert!(!is_called("glft risk_factor=0.1", "glft") && !is_called("glft2", "glft"));
    }
}

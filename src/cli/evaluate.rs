//! `evaluate`: policies against baselines, on what nobody has learnt from.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::backtest::{Bar, markets, refusal};
use super::{Failure, Globals, Outcome, say, span};
use crate::config::Loaded;
use crate::feed::wall_clock;
use crate::run::backtest::Source;
use crate::run::evaluate::{Against, Contest, Court, EvaluateError, Judgement, ZERO_QUOTE, evaluate as drive};
use crate::units::Nanos;

/// Seeds that the others are tuned in begin after this one: policies are judged in those from 1 on.
const TUNED_FROM: u64 = 500_000;

/// Hold policies against a fixed spread, Avellaneda-Stoikov, GLFT and who does not quote
///
/// Of each of the others a small grid of settings is tried first, with the policy's order size, and the best takes part. Then all are judged on what
/// nobody has learnt from or was tuned on: with --sim other seeds of the market, else what follows in the recordings (after the card's
/// training, or after --split of their time). Differences of profit are paired, with 95 % intervals; several seeds or recordings are resampled
/// too. Policies whose cards tell of one training and other seeds are also judged together, seeds drawn like histories. What was found is
/// written onto the card beside each policy. Everything tried is logged in the store, as by `backtest`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  papermaker evaluate strategies/ppo.toml strategies/sac.toml --sim demo --for 1h --seeds 10\n  \
    papermaker evaluate strategies/ppo.toml monday tuesday --split 0.5\n  \
    papermaker evaluate strategies/ppo.toml --sim demo --grid grid.toml --json\n\n\
    A grid is that of `backtest --sweep`, for the kinds fixed-spread, avellaneda-stoikov and glft.\n\
    Exit code 1 if --must-beat is lost."
)]
pub struct EvaluateArgs {
    /// Strategy files (*.toml), then sessions if there is no --sim
    #[arg(value_name = "POLICY.toml|SESSION", required = true)]
    pub named: Vec<String>,
    /// A simulated market: `demo`, another of `config/sim`, or a file like them
    #[arg(long, value_name = "NAME|FILE")]
    pub sim: Option<String>,
    /// How much simulated time (30m, 2h) each seed lasts
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse, default_value = "1h", requires = "sim")]
    pub lasting: Duration,
    /// How many seeds all are judged in, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=10_000), default_value = "10", requires = "sim")]
    pub seeds: u64,
    /// How many other seeds the others are tuned in
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000), default_value = "3", requires = "sim")]
    pub tune_seeds: u64,
    /// Sessions: the part of their time, from the beginning, that the others are tuned on
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, conflicts_with = "sim")]
    pub split: f64,
    /// What is tried of the others
    #[arg(long, value_name = "GRID.toml")]
    pub grid: Option<PathBuf>,
    /// Histories lived again for every interval
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub resamples: usize,
    /// Exit code 1 unless every policy's profit is above this one's (fixed-spread, avellaneda-stoikov, glft or zero-quote), with 95 % confidence
    #[arg(long, value_name = "KIND")]
    pub must_beat: Option<String>,
    /// Threads; without it one per core. The answer is the same
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run::evaluate`].
pub fn evaluate(args: &EvaluateArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    let (policies, sessions): (Vec<&String>, Vec<&String>) =
        args.named.iter().partition(|name| Path::new(name).extension().is_some_and(|end| end == "toml"));
    if policies.is_empty() {
        let error = anyhow::anyhow!("{} names no policy", args.named.join(" "));
        return Err(Failure::could_not_run(error).hint("a policy is a strategy file, for example strategies/ppo.toml"));
    }
    let grid = args.grid.as_ref().map(|file| {
        fs::read_to_string(file)
            .map_err(|e| Failure::could_not_run(e).context(format!("{}: cannot be read", file.display())))
    });
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let contest = Contest {
        store: loaded.settings.store.path.clone(),
        policies: policies.iter().map(PathBuf::from).collect(),
        court: court(args, &sessions, globals, &loaded)?,
        configuration: globals.sources(),
        grid: grid.transpose()?,
        resamples: args.resamples,
        threads: args.threads.map_or(cores, NonZeroUsize::get),
        now: wall_clock(),
    };
    let bar = Bar(ProgressBar::no_length());
    let done = drive(&contest, &bar);
    bar.0.finish_and_clear();
    let found = done.map_err(|error| match error {
        EvaluateError::Backtest(error) => refusal(error),
        EvaluateError::Asked(_) | EvaluateError::Prepare(_) | EvaluateError::Card(_) => {
            Failure::could_not_run(error).context("no evaluation")
        }
    })?;
    if args.json {
        say(serde_json::to_string_pretty(&found).expect("an answer is plain data"))?;
    } else {
        as_text(&found).iter().try_for_each(say)?;
    }
    args.must_beat.as_ref().map_or(Ok(()), |rival| must_beat(&found, rival))
}

fn court(args: &EvaluateArgs, sessions: &[&String], globals: &Globals, loaded: &Loaded) -> Result<Court, Failure> {
    match &args.sim {
        Some(name) => {
            if !sessions.is_empty() {
                let error = anyhow::anyhow!("{} and --sim: it is one or the other", sessions[0]);
                return Err(Failure::could_not_run(error));
            }
            let market = |seeds| markets(name, globals, loaded, (args.lasting, seeds), None);
            let (seconds, seeds) = (args.lasting.as_secs_f64(), args.seeds);
            Ok(Court::Markets {
                tuning: market(TUNED_FROM + 1..=TUNED_FROM + args.tune_seeds)?,
                judging: market(1..=seeds)?,
                name: format!("simulated market {name}, seeds 1 to {seeds}, {seconds} s each"),
            })
        }
        None if sessions.is_empty() => {
            let error = anyhow::anyhow!("nothing to evaluate on: name sessions, or a market with --sim");
            Err(Failure::could_not_run(error).hint("`papermaker evaluate strategies/ppo.toml --sim demo`"))
        }
        None if !(args.split > 0.0 && args.split < 1.0) => {
            Err(Failure::could_not_run(anyhow::anyhow!("--split {}: a share above 0 and below 1", args.split)))
        }
        None => {
            let signals = &loaded.settings.signals;
            let looks_back = signals.intensity_window_s.max(5.0 * signals.volatility_half_life_s);
            let names = sessions.iter().map(|name| (*name).as_str()).collect::<Vec<_>>().join(", ");
            Ok(Court::Recordings {
                sources: sessions.iter().map(|name| Source::Session((*name).clone())).collect(),
                share: args.split,
                gap: Nanos((looks_back * 1e9) as i64),
                name: format!("sessions {names}, from {} of their time or the end of training on", args.split),
            })
        }
    }
}

fn as_text(found: &Judgement) -> Vec<String> {
    let mut text = vec![format!(
        "PAPER evaluation on {}: {:.1} h judged, {} tried of others, {} ever on this",
        found.on,
        found.seconds / 3600.0,
        found.trials,
        found.trials_ever
    )];
    text.push(format!(
        "{:<44} {:>12} {:>27} {:>8} {:>7}",
        format!("profit, {}", found.currency),
        "",
        "95 %",
        "fills",
        "quoted"
    ));
    for s in &found.strategies {
        let (value, interval) = s.pnl.map_or(("-".to_owned(), "-".to_owned()), |pnl| {
            (format!("{:+.4}", pnl.value), format!("{:+.4} to {:+.4}", pnl.low, pnl.high))
        });
        let quoted = s.quote_uptime.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share));
        text.push(format!("{:<44} {value:>12} {interval:>27} {:>8} {quoted:>7}", short(&s.name), s.fills));
        let tuned: Vec<String> = s
            .changed
            .iter()
            .filter(|(key, _)| !key.ends_with("order_amount_base"))
            .map(|(k, v)| format!("{k} {v}"))
            .collect();
        if !tuned.is_empty() {
            let before = s.pnl_tuned.map_or(String::new(), |pnl| format!(", {pnl:+.4} where it was tuned"));
            text.push(format!("    best of its kind: {}{before}", tuned.join(", ")));
        }
    }
    text.push("policy less other, paired".to_owned());
    text.extend(found.pairs.iter().map(|pair| difference(short(&pair.policy), pair)));
    for training in &found.trainings {
        let seeds: Vec<String> = training.seeds.iter().map(u64::to_string).collect();
        let own = training
            .pnl
            .map_or("-".to_owned(), |pnl| format!("{:+.4}, 95 % {:+.4} to {:+.4}", pnl.value, pnl.low, pnl.high));
        text.push(format!(
            "{} of one training ({}), seeds drawn as well: {own} on average",
            training.name,
            seeds.join(", ")
        ));
        text.extend(training.pairs.iter().map(|pair| difference(&training.name, pair)));
    }
    text.extend(found.notes.iter().map(|note| format!("note: {note}")));
    text.extend(found.cards.iter().map(|card| format!("written: {card}")));
    text
}

/// A row of differences.
fn difference(policy: &str, pair: &Against) -> String {
    let said = pair.difference.map_or("-".to_owned(), |it| {
        let of = it.difference;
        format!("{:>+12.4} {:>27} p {:.3}", of.value, format!("{:+.4} to {:+.4}", of.low, of.high), it.p_value)
    });
    format!("{:<44} {said}", format!("{policy} - {}", short(&pair.other)))
}

/// A name without the settings behind it.
fn short(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

fn must_beat(found: &Judgement, rival: &str) -> Outcome {
    let pairs: Vec<_> = found.pairs.iter().filter(|pair| short(&pair.other) == rival).collect();
    if pairs.is_empty() {
        let kinds: Vec<&str> = found.pairs.iter().map(|pair| short(&pair.other)).collect();
        let error = anyhow::anyhow!("--must-beat {rival}: not among {}, {ZERO_QUOTE}", kinds.join(", "));
        return Err(Failure::could_not_run(error));
    }
    let lost = pairs.iter().find(|pair| pair.difference.is_none_or(|it| it.difference.low <= 0.0));
    lost.map_or(Ok(()), |pair| {
        let found = pair.difference.map_or("cannot be told".to_owned(), |it| {
            format!("is {:+.4}, 95 % {:+.4} to {:+.4}", it.difference.value, it.difference.low, it.difference.high)
        });
        let (policy, other) = (short(&pair.policy), short(&pair.other));
        Err(Failure::answer_is_no(anyhow::anyhow!("the profit of {policy} less that of {other} {found}")))
    })
}

//! `calibrate`: a market made like a recorded one.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Failure, Globals, Outcome, say, span};
use crate::cli::report::{make_sure_of_page, write_page};
use crate::config::market;
use crate::journal::{Manifest, Store};
use crate::market::InstrumentId;
use crate::run::calibrate::levers::Lever;
use crate::run::calibrate::search::Effort;
use crate::run::calibrate::write::{Provenance, facts, json, text};
use crate::run::calibrate::{CalibrateError, Calibration, Typical, Wish, calibrate as drive, listen};
use crate::run::report::calibration_html;
use crate::units::Nanos;

/// Make a simulated market like a recorded one
///
/// Rates, placements, sizes, cancellations and volatility are read off the recording by maximum likelihood. What cannot be read
/// off (who pulls the price to the value, who follows it, who splits orders) is looked for by simulations that a surrogate
/// chooses. The market begins as --like says, in the recording's ticks, lots and pace; it is written with all of that in its head.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker calibrate monday --out config/sim/monday.toml\n  \
                  papermaker calibrate monday --out monday.toml --like btc --rounds 8 --pool 128 --report monday.html\n  \
                  papermaker calibrate monday --out monday.toml --lever fundamental.*.kappa_lots_per_tick=8 --typical all\n\n\
                  Then: papermaker realism --sim monday.toml, papermaker run --set simulator.market=monday.toml.\n\
                  Exit code 2: too little in the recording, and what is missing. docs/calibration.md explains the search.")]
pub struct CalibrateArgs {
    /// Name of a session, or its folder
    pub session: String,
    /// Where the market goes: a TOML file like those of config/sim
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What to begin with: `demo`, another of `config/sim`, or a file like them
    #[arg(long, value_name = "NAME|FILE", default_value = "demo")]
    pub like: String,
    /// Which instrument, counted from zero
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub instrument: u16,
    /// How long each simulation lasts (30m, 1h)
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse, default_value = "30m")]
    pub lasting: Duration,
    /// Simulations of the first round, spread over everything the levers reach
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub pool: u16,
    /// Rounds in which the surrogate chooses sixteen
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub rounds: u16,
    /// Seed of the search and of its simulations
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Pull at this instead of the usual levers, up to so many times and down to one over it (repeatable)
    #[arg(long, value_name = "PATH=REACH")]
    pub lever: Vec<Lever>,
    /// Which bands of real markets count beside the recording
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = WhichBands::Silent)]
    pub typical: WhichBands,
    /// Threads; without it one per core. The answer is the same
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Also write a report: one HTML file
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Replace what exists
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// When bands count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhichBands {
    /// None: only the recording does
    None,
    /// Those that the recording cannot judge
    Silent,
    /// All of them, also those that the recording misses
    All,
}

impl WhichBands {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Silent => "silent",
            Self::All => "all",
        }
    }
}

/// Calls [`crate::run::calibrate`].
pub fn calibrate(args: &CalibrateArgs, globals: &Globals) -> Outcome {
    if args.lasting < Duration::from_secs(10) {
        let error = anyhow::anyhow!("--for {:?}: less than ten seconds tell nothing of a market", args.lasting);
        return Err(Failure::could_not_run(error).hint("an hour tells most of it"));
    }
    make_sure_of_page(&args.out, args.force)?;
    if let Some(report) = &args.report {
        make_sure_of_page(report, args.force)?;
    }
    let store = Store::open(&globals.load()?.settings.store.path);
    let (store, id) = store.of_session(&args.session).map_err(Failure::could_not_run)?;
    let mut reader = store.reader(&id).map_err(Failure::could_not_run)?;
    let manifest = reader.manifest().clone();
    let Some(desk) = manifest.spec.desks.get(usize::from(args.instrument)) else {
        let count = manifest.spec.desks.len();
        let error = anyhow::anyhow!("{id} has {count} instruments, none is number {}", args.instrument);
        return Err(Failure::could_not_run(error).hint("--instrument counts from zero"));
    };
    let base = market::read(globals.sources().dir.as_deref(), &args.like).map_err(|errors| {
        Failure::could_not_run(errors)
            .context("the market to begin with cannot be used")
            .hint("--like demo, or a file like those of config/sim")
    })?;
    let recording = listen(&mut reader, InstrumentId(args.instrument)).map_err(Failure::could_not_run)?;
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let lasting = i64::try_from(args.lasting.as_nanos()).map_err(Failure::could_not_run)?;
    let wish = Wish {
        base,
        levers: Some(args.lever.clone()).filter(|levers| !levers.is_empty()),
        lasting: Nanos(lasting),
        effort: Effort {
            pool: usize::from(args.pool),
            rounds: usize::from(args.rounds),
            exploit: 10,
            explore: 6,
            seed: args.seed,
            threads: args.threads.map_or(cores, NonZeroUsize::get),
        },
        typical: match args.typical {
            WhichBands::None => Typical::Never,
            WhichBands::Silent => Typical::Silent,
            WhichBands::All => Typical::All,
        },
    };
    let bar = indicatif::ProgressBar::new(u64::from(args.rounds) + 2);
    bar.set_style(
        indicatif::ProgressStyle::with_template("round {pos} of {len}, {msg} [{elapsed}]").expect("it is one"),
    );
    bar.tick();
    let made = drive(&recording, &desk.rules, &wish, |_, lowest| {
        bar.set_message(format!("distance {lowest:.3}"));
        bar.inc(1);
    });
    bar.finish_and_clear();
    let made = made.map_err(|error| {
        let hint = match &error {
            CalibrateError::TooLittle(_) => {
                "record or import a longer session; `papermaker realism` tells what is in one"
            }
            CalibrateError::Base(_) => "config/README.md has the ranges of a market's keys",
            CalibrateError::Idle { .. } => {
                "--lever PATH, with the keys of the market's file; * is every member of a list"
            }
        };
        Failure::could_not_run(error).context(format!("{id} cannot be calibrated to")).hint(hint)
    })?;
    let of = provenance(args, &manifest, recording.material.seconds, &desk.rules.label());
    write_page(&args.out, args.force, &text(&made, &of))?;
    if let Some(report) = &args.report {
        write_page(report, args.force, &calibration_html(&made, &of))?;
    }
    if args.json {
        let mut told = json(&made, &of);
        (told["out"], told["report"]) = (json!(args.out), json!(args.report));
        return say(format_args!("{told:#}"));
    }
    print(args, &made, &of)
}

fn provenance(args: &CalibrateArgs, manifest: &Manifest, seconds: f64, label: &str) -> Provenance {
    let date = |ns: i64| {
        let at = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let ended = manifest.ended_ns.map_or_else(|| "an end that is not known".to_owned(), date);
    let name = args.session.rsplit('/').next().unwrap_or(&args.session);
    let mut call = format!("calibrate {name} --like {} --instrument {}", args.like, args.instrument);
    call += &format!(" --for {}s --pool {} --rounds {}", args.lasting.as_secs(), args.pool, args.rounds);
    call += &format!(" --seed {} --typical {}", args.seed, args.typical.word());
    for Lever { path, reach } in &args.lever {
        call += &format!(" --lever {path}={reach}");
    }
    Provenance {
        call,
        recording: format!("{seconds:.0} s of {label}, {} to {ended} UTC", date(manifest.started_ns)),
        base: args.like.clone(),
        simulated_s: args.lasting.as_secs_f64(),
    }
}

fn print(args: &CalibrateArgs, made: &Calibration, of: &Provenance) -> Outcome {
    say(format_args!("PAPER market like {}", of.recording))?;
    for row in made.estimates.lines() {
        say(format_args!("  {row}"))?;
    }
    let (start, best) = (made.course.start.distance, made.course.best.distance);
    say(format_args!(
        "  distance {start:.3} at the start, {best:.3} at the end, after {} simulations",
        made.course.asked
    ))?;
    made.notes.iter().try_for_each(|note| say(format_args!("  {note}")))?;
    say(format_args!("  {:<24} {:>10} {:>8} {:>10} {:>10}", "", "recorded", "±", "start", "end"))?;
    for (name, recorded, error, start, end) in facts(made) {
        let [start, end] = [start, end].map(|value| value.map_or("far".to_owned(), |value| format!("{value:.3}")));
        say(format_args!("  {name:<24} {recorded:>10.3} {error:>8.3} {start:>10} {end:>10}"))?;
    }
    for one in &made.pulled {
        say(format_args!("  {:<52} × {:<8.3} = {}", one.lever.path, one.factor, one.value))?;
    }
    let outside: Vec<&str> =
        made.judged.bands.iter().filter(|band| band.inside == Some(false)).map(|band| band.name).collect();
    say(format_args!(
        "  {} of 14 bands hold in {:.0} s of it, {} are missed ({}), {} cannot be measured; of the recording {} hold",
        made.judged.held,
        of.simulated_s,
        made.judged.missed,
        outside.join(", "),
        made.judged.unmeasured,
        made.recorded.held
    ))?;
    say(format_args!("market: {}", args.out.display()))?;
    args.report.iter().try_for_each(|report| say(format_args!("report: {}", report.display())))
}

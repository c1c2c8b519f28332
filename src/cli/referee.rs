//! `referee`: queue models before the truth.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Globals, Outcome, say};
use crate::journal::Store;
use crate::journal::import::{self, Format};
use crate::market::{InstrumentId, VenueId};
use crate::metrics::bootstrap::Interval;
use crate::run::referee::score::{Report, judge};
use crate::run::referee::{Plan, watch};
use crate::run::rerun::{FromFiles, Inputs};
use crate::units::{Nanos, Step};

/// Judge the queue models by a recording that tells order by order
///
/// Imagines orders of one lot into it, knows their true fills, and shows the models only prints and levels.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  papermaker referee es.mbo.dbn.zst --format databento-mbo --symbol ESH4 --tick 0.25\n  \
                  papermaker referee monday-es --json\n\nsrc/exchange/README.md says what was found."
)]
pub struct RefereeArgs {
    /// Name of a session; with --format, files of another program in the order of time
    #[arg(required = true)]
    pub source: Vec<String>,
    /// Format of the files
    #[arg(long, requires = "symbol")]
    pub format: Option<Format>,
    /// The instrument in the files
    #[arg(long, requires = "format")]
    pub symbol: Option<String>,
    /// Price step of the files
    #[arg(long, requires = "format", value_parser = Step::parse)]
    pub tick: Option<Step>,
    /// Which instrument of a session, counted from zero
    #[arg(long, default_value_t = 0)]
    pub instrument: u16,
    /// Place orders at every N-th change of the book
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
    /// Histories the bootstrap lives again
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub resamples: u32,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run::referee`].
pub fn referee(args: &RefereeArgs, globals: &Globals) -> Outcome {
    let plan = Plan { every: args.every, resamples: args.resamples as usize, seed: args.seed, ..Plan::default() };
    let mut inputs = open(args, globals)?;
    let watched = watch(inputs.as_mut(), InstrumentId(args.instrument), &plan).map_err(Failure::could_not_run)?;
    if watched.fates.is_empty() {
        let why = match watched.unnamed {
            0 => "no order could be placed: it has no book, or tells nobody's orders".to_owned(),
            n => format!("at all {n} prices the orders that are told do not add up to the level"),
        };
        return Err(Failure::could_not_run(anyhow::anyhow!("{}: {why}", args.source.join(", ")))
            .hint("a recording that tells order by order is needed, such as databento-mbo"));
    }
    let report = judge(&watched, &plan);
    if args.json {
        return say(serde_json::to_string_pretty(&report).map_err(Failure::could_not_run)?);
    }
    print(&report)
}

fn open(args: &RefereeArgs, globals: &Globals) -> Result<Box<dyn Inputs>, Failure> {
    let loaded = globals.load()?;
    let (Some(format), Some(symbol)) = (args.format, &args.symbol) else {
        let [session] = args.source.as_slice() else {
            let why = anyhow::anyhow!("{} sessions are named, one is judged", args.source.len());
            return Err(Failure::could_not_run(why).hint("files need --format and --symbol"));
        };
        let (store, id) =
            Store::open(&loaded.settings.store.path).of_session(session).map_err(Failure::could_not_run)?;
        return Ok(Box::new(store.reader(&id).map_err(Failure::could_not_run)?));
    };
    let wish = import::Wish {
        files: args.source.iter().map(PathBuf::from).collect(),
        format,
        venue: VenueId::Imported,
        symbol: symbol.clone(),
        tick: args.tick,
        lot: None,
        // Nothing here waits for time.
        tick_every: Nanos::from_s(3_600),
    };
    Ok(Box::new(FromFiles::new(import::together(vec![wish]).map_err(Failure::could_not_run)?)))
}

fn print(report: &Report) -> Outcome {
    say(format_args!(
        "PAPER referee: {} imagined orders at {} moments ({} prices passed over, {} orders lost with their book)",
        report.orders, report.moments, report.unnamed, report.lost
    ))?;
    let share = |share: f64| format!("{:.2}", share * 100.0);
    let maybe = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.3}"));
    let within = |interval: Option<Interval>, scale: f64| {
        let shown = |i: Interval| format!("{:.2} ({:.2} to {:.2})", i.value * scale, i.low * scale, i.high * scale);
        interval.map_or("-".to_owned(), shown)
    };
    for question in &report.questions {
        say(format_args!(
            "\ntraded within {}? {} orders, {} % did; runs of {:.0} moments\n  {:<12} {:>26} {:>26} {:>8} {:>8} {:>9} {:>6}",
            question.asked,
            question.n,
            share(question.traded),
            question.run,
            "wrong %",
            "Brier score",
            "to the best",
            "early",
            "late",
            "intercept",
            "slope"
        ))?;
        for s in &question.scores {
            say(format_args!(
                "  {:<12} {:>26} {:>26} {:>8} {:>8} {:>9} {:>6}",
                s.model,
                within(s.brier, 100.0),
                within(s.to_best, 100.0),
                share(s.too_early),
                share(s.too_late),
                maybe(s.intercept),
                maybe(s.slope)
            ))?;
        }
    }
    let places = &report.places;
    say(format_args!(
        "\nlots ahead after {} s: {} orders, {:.1} on average, {:.1} as they joined; the part gone foretells {} s\n  {:<12} {:>9} \
         {:>26} {:>26} {:>8} {:>9} {:>6}",
        places.after_s,
        places.n,
        places.ahead,
        places.joined,
        places.horizon_s,
        "",
        "bias",
        "distance",
        "to the best",
        "Brier",
        "intercept",
        "slope"
    ))?;
    for s in &places.scores {
        say(format_args!(
            "  {:<12} {:>9.2} {:>26} {:>26} {:>8} {:>9} {:>6}",
            s.model,
            s.bias,
            within(s.distance, 1.0),
            within(s.to_best, 1.0),
            maybe(s.brier),
            maybe(s.intercept),
            maybe(s.slope)
        ))?;
    }
    say(format_args!(
        "\nwhen it traded, of those that did in both\n  {:<12} {:>8} {:>8} {:>9} {:>26} {:>8}",
        "", "orders", "exact %", "median s", "mean s", "mean ln"
    ))?;
    report.times.iter().try_for_each(|t| {
        say(format_args!(
            "  {:<12} {:>8} {:>8} {:>9.3} {:>26} {:>8.3}",
            t.model,
            t.n,
            share(t.exact),
            t.median_off_s,
            within(t.mean_off_s, 1.0),
            t.mean_log_ratio
        ))
    })
}

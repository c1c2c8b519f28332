//! `realism`: a market before the facts.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Failure, Globals, Outcome, say, span};
use crate::cli::report::{make_sure_of_page, write_page};
use crate::config::market;
use crate::journal::Store;
use crate::market::InstrumentId;
use crate::metrics::facts::bands::{Judgement, judge};
use crate::metrics::facts::tape::Material;
use crate::run::realism::{of_market, of_session};
use crate::run::report::realism_html;
use crate::units::Nanos;

/// Measure the stylised facts of a market, recorded or simulated, against what real markets show
///
/// Fourteen bands, from heavy tails to the square root of impact; what a recording cannot tell is neither held nor missed.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  papermaker realism monday\n  papermaker realism monday --out monday-realism.html --json\n  \
                  papermaker realism --sim demo --for 6h --seed 7 --must-pass 12\n\n\
                  Exit code 1 with --must-pass N: fewer than N bands hold. docs/realism.md shows what real recordings give."
)]
pub struct RealismArgs {
    /// Name of a session, or its folder
    #[arg(required_unless_present = "sim")]
    pub session: Option<String>,
    /// Simulate a market instead: `demo`, another of `config/sim`, or a file like them
    #[arg(long, value_name = "FILE", conflicts_with = "session")]
    pub sim: Option<String>,
    /// How much simulated time (30m, 6h)
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse, default_value = "6h")]
    pub lasting: Duration,
    /// Seed of the simulation
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Which instrument, counted from zero
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub instrument: u16,
    /// Also write a report with plots: one HTML file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the report if it exists
    #[arg(long)]
    pub force: bool,
    /// Exit with 1 unless at least N bands hold
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=14))]
    pub must_pass: Option<u64>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// What was judged.
struct Subject {
    /// In one line, for the report's head and the table's.
    title: String,
    told: serde_json::Value,
    material: Material,
}

/// Calls [`crate::run::realism`].
pub fn realism(args: &RealismArgs, globals: &Globals) -> Outcome {
    if let Some(out) = &args.out {
        make_sure_of_page(out, args.force)?;
    }
    let subject = match (&args.sim, &args.session) {
        (Some(name), _) => simulate(args, name, globals)?,
        (None, Some(session)) => listen(args, session, globals)?,
        (None, None) => return Err(Failure::could_not_run(anyhow::anyhow!("neither a session nor --sim is named"))),
    };
    let judged = judge(&subject.material);
    if let Some(out) = &args.out {
        write_page(out, args.force, &realism_html(&subject.title, &judged))?;
    }
    if args.json {
        let mut told = json!({ "paper": true, "of": subject.told });
        let judged = serde_json::to_value(&judged).map_err(Failure::could_not_run)?;
        for (key, value) in judged.as_object().into_iter().flatten() {
            told[key] = value.clone();
        }
        told["out"] = json!(args.out);
        say(format_args!("{told:#}"))?;
    } else {
        print(&subject.title, &judged)?;
        if let Some(out) = &args.out {
            say(format_args!("report: {}", out.display()))?;
        }
    }
    match args.must_pass {
        Some(needed) if (judged.held as u64) < needed => {
            let error = anyhow::anyhow!("{} bands hold, at least {needed} must", judged.held);
            let hint = match judged.unmeasured {
                0 => "the notes of the bands that are missed say what was found".to_owned(),
                n => format!("{n} bands could not be measured: their notes say what is missing"),
            };
            Err(Failure::answer_is_no(error).hint(hint))
        }
        Some(_) | None => Ok(()),
    }
}

fn listen(args: &RealismArgs, session: &str, globals: &Globals) -> Result<Subject, Failure> {
    let store = Store::open(&globals.load()?.settings.store.path);
    let (store, id) = store.of_session(session).map_err(Failure::could_not_run)?;
    let mut reader = store.reader(&id).map_err(Failure::could_not_run)?;
    let desks = &reader.manifest().spec.desks;
    let Some(desk) = desks.get(usize::from(args.instrument)) else {
        let error = anyhow::anyhow!("{id} has {} instruments, none is number {}", desks.len(), args.instrument);
        return Err(Failure::could_not_run(error).hint("--instrument counts from zero"));
    };
    let label = desk.rules.label();
    let material = of_session(&mut reader, InstrumentId(args.instrument)).map_err(Failure::could_not_run)?;
    if material.mids.is_empty() {
        let error = anyhow::anyhow!("{id} tells nothing of {label}");
        return Err(Failure::could_not_run(error).hint("`papermaker sessions show` tells what is in it"));
    }
    Ok(Subject {
        title: format!("{id}, {label}, recorded"),
        told: json!({ "session": id, "instrument": label }),
        material,
    })
}

fn simulate(args: &RealismArgs, name: &str, globals: &Globals) -> Result<Subject, Failure> {
    let spec = market::read(globals.sources().dir.as_deref(), name).map_err(|errors| {
        Failure::could_not_run(errors)
            .context("the market cannot be used")
            .hint("config/sim/demo.toml is a market, and config/README.md explains the keys")
    })?;
    let Some(market) = spec.market.get(usize::from(args.instrument)) else {
        let error = anyhow::anyhow!("{name}: {} markets, none is number {}", spec.market.len(), args.instrument);
        return Err(Failure::could_not_run(error).hint("--instrument counts from zero"));
    };
    let label = format!("{}{}", market.base, market.quote);
    let nanos = i64::try_from(args.lasting.as_nanos()).map_err(Failure::could_not_run)?;
    let seconds = args.lasting.as_secs();
    let bar = indicatif::ProgressBar::new(seconds);
    let material = of_market(&spec, args.seed, args.instrument, Nanos(nanos), |passed| {
        if passed.is_multiple_of(60) {
            bar.set_position(passed);
        }
    });
    bar.finish_and_clear();
    Ok(Subject {
        title: format!("{name}, {label}, simulated, seed {}", args.seed),
        told: json!({ "sim": name, "instrument": label, "seed": args.seed }),
        material,
    })
}

fn print(title: &str, judged: &Judgement) -> Outcome {
    say(format_args!(
        "PAPER realism of {title}: {:.0} s, {} orders in {} prints",
        judged.seconds, judged.orders, judged.prints
    ))?;
    say(format_args!("  {:<26} {:>18} {:>14} {:<7} {:>9}  note", "", "value ± error", "band", "", "n"))?;
    for band in &judged.bands {
        let value = match (band.value, band.error) {
            (Some(value), Some(error)) => format!("{value:.3} ± {error:.3}"),
            (Some(value), None) => format!("{value:.3}"),
            (None, _) => "-".to_owned(),
        };
        let inside = match band.inside {
            Some(true) => "inside",
            Some(false) => "OUTSIDE",
            None => "-",
        };
        let range = format!("{} … {}", band.low, band.high);
        say(format_args!("  {:<26} {value:>18} {range:>14} {inside:<7} {:>9}  {}", band.name, band.n, band.note))?;
    }
    let (held, missed, rest) = (judged.held, judged.missed, judged.unmeasured);
    say(format_args!("  {held} of 14 bands hold, {missed} are missed, {rest} cannot be measured here"))
}

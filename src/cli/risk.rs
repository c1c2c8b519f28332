//! `risk stress SESSION`: a recording under shocks.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use rust_decimal::Decimal;

use super::{Failure, Globals, Outcome, say, span, whatif};
use crate::journal::Store;
use crate::run::stress::survey::When;
use crate::run::stress::watch::PeakUse;
use crate::run::stress::{Ask, Shock, Side, Stress, stress};
use crate::units::{LocalTime, Nanos};

/// What a risk team asks of a recording: stress
#[derive(Clone, Debug, Subcommand)]
pub enum RiskVerb {
    /// Run a recorded session again under shocks; limits, states and losses of all in one table
    #[command(after_help = "Examples:\n  papermaker risk stress monday    all shocks at the worst moment\n  \
        papermaker risk stress monday --shock gap:10 --shock feed-loss:60s\n  \
        papermaker risk stress monday --at 2026-11-20T14:30:00Z --json\n\n\
        Shocks, with the sizes they have when none is named:\n  \
        gap:6           prices move 6 standard deviations of one minute against the position, between two inputs\n  \
        spread:5:60s    the mean spread becomes 5 times itself for 60 s (`spread:5:all`: in the whole session)\n  \
        feed-loss:30s   the connections to the venue are lost, and come back\n  \
        silence:30s     nothing is heard of the venue, and nobody says so\n  \
        wrong-side      in the whole session our orders trade only where that makes a position larger\n\n\
        The session is run again: strategy and limits react. The worst moment is the first at which a position was\n\
        worth most. Exit code 1: an order was sent beyond a limit, or the unshocked session is not as recorded.")]
    Stress(StressArgs),
}

/// Of `risk stress`.
#[derive(Clone, Debug, Args)]
pub struct StressArgs {
    /// Name of the session, or its folder
    pub session: String,
    /// A shock and its size; repeatable. All of them without it
    #[arg(long = "shock", value_name = "SHOCK[:SIZE]", value_parser = shock)]
    pub shocks: Vec<Shock>,
    /// Strike behind this input instead: its sequence number, or the last heard by a time (RFC 3339, or nanoseconds since
    /// the epoch)
    #[arg(long, value_name = "SEQ|TIME", value_parser = when)]
    pub at: Option<When>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls the driver, [`crate::run::stress`].
pub fn risk(verb: &RiskVerb, globals: &Globals) -> Outcome {
    let RiskVerb::Stress(args) = verb;
    let store = Store::open(&globals.load()?.settings.store.path);
    let shocks = if args.shocks.is_empty() { Shock::DEFAULT.to_vec() } else { args.shocks.clone() };
    let ask = Ask { shocks, when: args.at.unwrap_or(When::Worst) };
    let found = stress(&store, &args.session, &ask).map_err(whatif::cannot)?;
    if args.json {
        let document = serde_json::to_string_pretty(&found).map_err(Failure::could_not_run)?;
        say(document)?;
    } else {
        say(as_text(&found).trim_end())?;
    }
    judge(&found)
}

fn judge(found: &Stress) -> Outcome {
    if found.is_as_recorded == Some(false) {
        let error = anyhow::anyhow!("{}: run again without a shock, it does not end as it was recorded", found.session);
        return Err(Failure::answer_is_no(error).hint("`papermaker replay SESSION` says where they part"));
    }
    let breach = found.sides.iter().find_map(|side| side.noted.breaches.first().map(|breach| (side, breach)));
    match breach {
        Some((side, breach)) => {
            let (code, words, seq) = (&breach.code, &breach.words, breach.seq);
            let error = anyhow::anyhow!("{}: an order went beyond {code} with input {seq}: {words}", side.name);
            Err(Failure::answer_is_no(error).hint("this is a defect of the gate: please report it with the recording"))
        }
        None => Ok(()),
    }
}

/// `gap:6`, `spread:5`, `spread:5:60s`, `spread:5:all`, `feed-loss:30s`, `silence:30s`, `wrong-side`.
fn shock(text: &str) -> Result<Shock, String> {
    let mut words = text.split(':');
    let (kind, size, window) = (words.next().unwrap_or_default(), words.next(), words.next());
    let number = |default: f64, least: f64| match size {
        None => Ok(default),
        Some(size) => match size.parse::<f64>() {
            Ok(number) if number.is_finite() && (least..=1e6).contains(&number) => Ok(number),
            Ok(_) | Err(_) => Err(format!("{size:?} is no number from {least} to 1000000")),
        },
    };
    let time = |text: Option<&str>, default: Nanos| match text {
        None => Ok(default),
        // Of no length, it is no shock.
        Some("0s" | "0ms") => Ok(Nanos::ZERO),
        Some(text) => span::parse(text).map(|time| Nanos(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))),
    };
    let found = match kind {
        "gap" => Shock::Gap { sigmas: number(6.0, 0.0)? },
        "spread" => {
            let window = if window == Some("all") { None } else { Some(time(window, Nanos::from_s(60))?) };
            Shock::Spread { times: number(5.0, 1.0)?, window }
        }
        "feed-loss" => Shock::FeedLoss { length: time(size, Nanos::from_s(30))? },
        "silence" => Shock::Silence { length: time(size, Nanos::from_s(30))? },
        "wrong-side" => Shock::WrongSide,
        _ => return Err("known are gap:6, spread:5:60s, feed-loss:30s, silence:30s and wrong-side".to_owned()),
    };
    let most = match found {
        Shock::Spread { .. } => 3,
        Shock::Gap { .. } | Shock::FeedLoss { .. } | Shock::Silence { .. } => 2,
        Shock::WrongSide => 1,
    };
    if text.split(':').count() > most { Err(format!("{kind} has no so many sizes")) } else { Ok(found) }
}

/// The largest sequence number that is not taken for a time: no session has so many inputs.
const SEQ_MAX: u64 = 1_000_000_000_000;

fn when(text: &str) -> Result<When, String> {
    if let Ok(number) = text.parse::<u64>() {
        let time = i64::try_from(number).map(|ns| When::Time(LocalTime(ns)));
        return if number <= SEQ_MAX { Ok(When::Seq(number)) } else { time.map_err(|_| "too large".to_owned()) };
    }
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("{text:?} is neither a sequence number nor a time such as 2026-11-20T14:30:00Z"))?;
    i64::try_from(time.as_nanosecond()).map(|ns| When::Time(LocalTime(ns))).map_err(|_| "too far away".to_owned())
}

/// A line per number, a column per side; the limits that tripped below.
fn as_text(found: &Stress) -> String {
    let it = &found.struck;
    let mut text =
        format!("PAPER stress of {}: nothing here was traded, the session is run again under shocks\n", found.session);
    text += &format!(
        "  behind input {}, {:.1} s into the session, {}: position {} {} worth {}\n",
        it.seq,
        it.elapsed_s,
        it.instrument,
        it.position,
        it.unit,
        short(&it.worth)
    );
    if it.worth == "0" {
        text += "  nothing was held then, so a gap costs nothing and prices fall: --at strikes elsewhere\n";
    }
    for moves in &found.moves {
        text += &format!(
            "  {}: one standard deviation of a minute is {:.1} ticks, {:.2} bps, by {} changes from second to second; \
             mean spread {:.1} ticks\n",
            moves.instrument, moves.sigma_minute_ticks, moves.sigma_minute_bps, moves.changes, moves.spread_ticks
        );
    }
    for side in &found.sides[1..] {
        text += &format!("  {:<16} {}\n", side.name, side.done);
    }
    text += &match found.is_as_recorded {
        Some(true) => "  unshocked it ends in the recording's digest\n".to_owned(),
        Some(false) => "  UNSHOCKED IT DOES NOT END AS IT WAS RECORDED\n".to_owned(),
        None => "  the recording did not end, so there is no digest to compare with\n".to_owned(),
    };
    text.push('\n');
    let width = found.sides.iter().map(|side| side.name.len()).max().unwrap_or(0).max(12) + 2;
    let mut line = |label: &str, value: &dyn Fn(&Side) -> String| {
        let cells: String = found.sides.iter().map(|side| format!("{:>width$}", value(side))).collect();
        text += format!("  {label:<34}{cells}").trim_end();
        text.push('\n');
    };
    let seconds = |time: Option<f64>| time.map_or("-".to_owned(), |s| format!("{s:.1} s"));
    line("since the shock", &|side| side.name.clone());
    line("first limit passed", &|side| {
        side.noted.trips.first().map_or("none".to_owned(), |trip| trip.code.replace("_EXCEEDED", ""))
    });
    line("  after", &|side| seconds(side.noted.trips.first().map(|trip| trip.after_s)));
    line("limits passed", &|side| side.noted.trips.len().to_string());
    line("worst state", &|side| side.noted.worst_state.clone());
    line("  first halt after", &|side| seconds(side.noted.halted_after_s));
    let by_others = |side: &&Side| side.noted.halted_by.as_ref().is_some_and(|by| by != "risk");
    if found.sides.iter().any(|side| by_others(&side)) {
        line("  halted by, as recorded", &|side| {
            side.noted.halted_by.clone().filter(|by| by != "risk").unwrap_or_else(|| "-".to_owned())
        });
    }
    line("  flat behind it after", &|side| seconds(side.noted.flat_after_s));
    line("loss", &|side| short(&side.noted.loss_after));
    line("profit", &|side| short(&side.noted.pnl_after));
    line("fills", &|side| side.noted.fills_after.to_string());
    line("requests refused", &|side| side.noted.refused_after.values().sum::<u64>().to_string());
    line("no live book", &|side| seconds(Some(side.noted.blind_s)));
    line("in the whole session", &|_| String::new());
    line("  profit", &|side| short(&side.noted.pnl));
    line("  drawdown from peak", &|side| short(&side.noted.drawdown));
    line("  most held, worth", &|side| short(&side.noted.notional));
    for (n, held) in found.sides[0].noted.positions.iter().enumerate() {
        let label = format!("  most {} of {}", held.unit, held.instrument);
        line(&label, &|side| side.noted.positions[n].most.clone());
        line("    at the end", &|side| side.noted.positions[n].end.clone());
    }
    line("  state at the end", &|side| side.noted.end_state.clone());
    line("  rested while halted, inputs", &|side| side.noted.rested_while_halted.to_string());
    line("  rested on no live book, inputs", &|side| side.noted.rested_while_blind.to_string());
    line("  orders beyond a limit", &|side| side.noted.breaches.len().to_string());
    line("highest use since the shock", &|_| String::new());
    let known: BTreeSet<(&str, &str, &str)> = found.sides.iter().flat_map(|side| &side.noted.limits).map(key).collect();
    for (of, limit, code) in known {
        let label = if of == "book" {
            format!("  {limit}")
        } else {
            format!("  {limit} {}", of.rsplit(':').next().unwrap_or(of))
        };
        line(&label, &|side| {
            let used = side.noted.limits.iter().find(|used| key(used) == (of, limit, code));
            used.map_or("-".to_owned(), |used| format!("{:.1} %", used.share * 100.0))
        });
    }
    for side in found.sides.iter().filter(|side| !side.noted.trips.is_empty()) {
        text += &format!("\n{}: limits passed\n", side.name);
        for trip in &side.noted.trips {
            text += &format!("  {:>9.3} s  {:<9} {:<24} {}\n", trip.after_s, trip.state, trip.of, trip.reason);
        }
    }
    text
}

fn key(used: &PeakUse) -> (&str, &str, &str) {
    (&used.of, &used.limit, &used.code)
}

/// An amount in as many digits as a table has room for: of less than ten, tenths of a thousandth too.
fn short(amount: &str) -> String {
    let places = |amount: Decimal| if amount.abs() < Decimal::TEN { 4 } else { 2 };
    amount.parse::<Decimal>().map_or_else(|_| amount.to_owned(), |amount| format!("{amount:.*}", places(amount)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shock_reads_back_as_it_is_shown() {
        for text in
            ["gap:6", "gap:2.5", "spread:5:60s", "spread:3:all", "feed-loss:30s", "silence:1500ms", "wrong-side"]
        {
            assert_eq!(shock(text).map(|shock| shock.to_string()), Ok(text.to_owned()));
        }
        let shown = |text| shock(text).map(|shock| shock.to_string());
        assert_eq!(shown("spread:1"), Ok("spread:1:60s".to_owned()));
        assert_eq!(shown("feed-loss:0s"), Ok("feed-loss:0s".to_owned()));
        for wrong in ["", "gape", "gap:-1", "gap:x", "gap:nan", "spread:0.5", "feed-loss:30", "gap:6:7", "wrong-side:1"]
        {
            assert!(shock(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_small_number_is_an_input_and_a_large_one_a_time() {
        assert_eq!(when("48213"), Ok(When::Seq(48_213)));
        assert_eq!(when("1795252147664755327"), Ok(When::Time(LocalTime(1_795_252_147_664_755_327))));
        assert_eq!(when("1970-01-01T00:00:01.5Z"), Ok(When::Time(LocalTime(1_500_000_000))));
        assert!(when("yesterday").is_err() && when("99999999999999999999").is_err());
    }
}

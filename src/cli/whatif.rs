//! `replay SESSION --strategy … --risk … --fill … --bracket`: what would have come of it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::metrics::shown;
use super::replay::ReplayArgs;
use super::report::{make_sure_of_page, write_page};
use super::{Failure, Globals, Outcome, say};
use crate::config::ConfigErrors;
use crate::config::recorded::{Given, paper_changed, risk_alone, shapes_fills};
use crate::journal::Store;
use crate::metrics::Conduct;
use crate::run::prepare::{PrepareError, strategy_text};
use crate::run::report::whatif_html;
use crate::run::rerun::RerunError;
use crate::run::whatif::{Ask, WhatIf, what_if};

/// Whether this is a question of what would have been, not a proof of what was.
pub(super) fn is_asked(args: &ReplayArgs, globals: &Globals) -> bool {
    let named = args.strategy.is_some() || args.risk.is_some() || args.fill.is_some() || args.bracket;
    named || !sets_of_fills(globals).is_empty() || !sets_of_risk(globals).is_empty()
}

/// Calls the what-if driver, [`crate::run::whatif`].
pub(super) fn answer(args: &ReplayArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    let store = Store::open(&loaded.settings.store.path);
    let text = args.strategy.as_deref().map(|name| strategy_text(name, Some(Path::new("strategies"))));
    let text = text.transpose().map_err(cannot_prepare)?;
    let risk_sets = sets_of_risk(globals);
    let risk = match &args.risk {
        Some(path) => Some(risk_alone(given(path, &read(path)?), &risk_sets).map_err(cannot_configure)?),
        // Today's limits, with what was set just now.
        None => (!risk_sets.is_empty()).then_some(loaded),
    };
    let ask = Ask {
        strategy: text.as_deref(),
        risk: risk.as_ref(),
        paper: paper(args, &store, &sets_of_fills(globals))?,
        bracket: args.bracket,
        lines: args.report.is_some(),
    };
    if let Some(file) = &args.report {
        make_sure_of_page(file, args.force)?;
    }
    let found = what_if(&store, &args.session, &ask).map_err(cannot)?;
    if let Some(file) = &args.report {
        write_page(file, args.force, &whatif_html(&found))?;
    }
    if args.json { say(format_args!("{:#}", as_json(&found)?)) } else { say(as_text(&found)?.trim_end()) }
}

/// The paper exchanges asked for, in session order; `None` if they stay as they were.
fn paper(
    args: &ReplayArgs,
    store: &Store,
    sets: &[String],
) -> Result<Option<Vec<crate::exchange::PaperSpec>>, Failure> {
    if args.fill.is_none() && sets.is_empty() {
        return Ok(None);
    }
    let text = args.fill.as_deref().map(read).transpose()?;
    let fill = args.fill.as_deref().zip(text.as_deref()).map(|(path, text)| (path.display().to_string(), text));
    let fill = fill.as_ref().map(|(name, text)| Given { name, text });
    let (store, id) = store.of_session(&args.session).map_err(RerunError::from).map_err(cannot)?;
    let manifest = store.manifest(&id).map_err(RerunError::from).map_err(cannot)?;
    let desks = manifest.spec.desks.iter();
    let papers = desks.map(|desk| paper_changed(&desk.paper, &desk.rules, fill, sets)).collect::<Result<_, _>>();
    papers.map(Some).map_err(cannot_configure)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::could_not_run(error).context(format!("{} cannot be read", path.display())))
}

fn given<'a>(path: &'a Path, text: &'a str) -> Given<'a> {
    Given { name: path.to_str().unwrap_or("the file"), text }
}

fn sets_of_fills(globals: &Globals) -> Vec<String> {
    sets(globals, shapes_fills)
}

fn sets_of_risk(globals: &Globals) -> Vec<String> {
    sets(globals, |path| path[0] == "risk")
}

fn sets(globals: &Globals, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
    let path = |set: &str| {
        let key = set.split('=').next().unwrap_or_default();
        key.split('.').map(str::to_owned).collect::<Vec<_>>()
    };
    globals.set.iter().filter(|set| wanted(&path(set))).cloned().collect()
}

pub(super) fn cannot(error: RerunError) -> Failure {
    match error {
        RerunError::Prepare(error) => cannot_prepare(error),
        RerunError::Journal(error) if error.is_damage() => Failure::answer_is_no(error)
            .hint("`papermaker sessions verify SESSION` says what of the recording is damaged"),
        error @ (RerunError::Journal(_) | RerunError::Import(_)) => {
            Failure::could_not_run(error).hint("`papermaker sessions list` names the recordings")
        }
    }
}

fn cannot_prepare(error: PrepareError) -> Failure {
    let hint = match &error {
        PrepareError::NoStrategy { .. }
        | PrepareError::Unreadable { .. }
        | PrepareError::Strategy { .. }
        | PrepareError::Weights { .. } => {
            "`--strategy` takes a file or a built-in name; strategies/README.md describes the files"
        }
        PrepareError::Config(_) => "the limits must fit the recorded instruments' lots",
        PrepareError::Instrument { .. } | PrepareError::Venue(_) => {
            "`papermaker sessions show SESSION` shows what it is of"
        }
    };
    Failure::could_not_run(error).hint(hint)
}

fn cannot_configure(errors: ConfigErrors) -> Failure {
    Failure::could_not_run(errors)
        .context("these changes cannot be used")
        .hint("config/default.toml explains every key; `papermaker config schema` lists them")
}

/// The sides by their names, and the differences.
fn as_json(found: &WhatIf) -> Result<Value, Failure> {
    let mut document = Map::new();
    for (key, value) in [
        ("paper", json!(true)),
        ("session", json!(found.session)),
        ("changed", json!(found.changed)),
        ("set_limits_left_out", json!(found.set_limits_left_out)),
    ] {
        document.insert(key.to_owned(), value);
    }
    for side in &found.sides {
        let metrics = serde_json::to_value(&side.metrics).map_err(Failure::could_not_run)?;
        let digest = side.output_digest.map(|digest| digest.to_string());
        let risk = serde_json::to_value(&side.risk).map_err(Failure::could_not_run)?;
        document.insert(side.name.to_owned(), json!({ "output_digest": digest, "metrics": metrics, "risk": risk }));
    }
    let differences = serde_json::to_value(&found.differences).map_err(Failure::could_not_run)?;
    document.insert("differences".to_owned(), differences);
    Ok(Value::Object(document))
}

/// What the table shows, and where it stands in the metrics of an instrument.
const ROWS: [(&str, &str); 26] = [
    ("pnl", "/attribution/pnl"),
    ("  spread", "/attribution/spread"),
    ("  inventory", "/attribution/inventory"),
    ("  fees", "/attribution/fees"),
    ("  funding", "/attribution/funding"),
    ("fills", "/trading/num_trades"),
    ("  as maker", "/trading/maker_trades"),
    ("  volume", "/trading/trading_volume"),
    ("  turnover", "/trading/trading_value"),
    ("orders placed", "/trading/placed"),
    ("  replaced", "/trading/replaces"),
    ("  cancelled", "/trading/cancels"),
    ("  fill ratio", "/trading/fill_ratio"),
    ("  median s in queue", "/trading/time_in_queue_s/p50"),
    ("position at the end", "/inventory/position"),
    ("  mean |position|", "/inventory/mean_absolute_position"),
    ("  most |position|", "/inventory/max_absolute_position"),
    ("  most long", "/inventory/max_long"),
    ("  most short", "/inventory/max_short"),
    ("max drawdown", "/risk/max_drawdown"),
    ("  longest, s", "/risk/longest_drawdown_s"),
    ("sharpe per period", "/risk/sharpe/value"),
    ("  period, s", "/risk/period_s"),
    ("bid uptime", "/quoting/bid_uptime"),
    ("ask uptime", "/quoting/ask_uptime"),
    ("two-sided uptime", "/quoting/two_sided_uptime"),
];

/// One table per instrument: a line per number, a column per side, and how far the first other side is from the recorded.
fn as_text(found: &WhatIf) -> Result<String, Failure> {
    let mut text = format!("PAPER what-if of {}: nothing is verified, both sides are shown\n", found.session);
    for line in &found.changed {
        text += &format!("  changed: {line}\n");
    }
    if found.changed.is_empty() {
        text += "  changed: nothing\n";
    }
    if found.set_limits_left_out > 0 {
        text += &format!("  {} recorded changes of limits are left out\n", found.set_limits_left_out);
    }
    text += &risk_table(found);
    let metrics = found.sides.iter().map(|side| serde_json::to_value(&side.metrics));
    let metrics = metrics.collect::<Result<Vec<_>, _>>().map_err(Failure::could_not_run)?;
    let names: Vec<&str> = found.sides.iter().map(|side| side.name).collect();
    for (index, it) in found.sides[0].metrics.instruments.iter().enumerate() {
        let columns: Vec<&Value> = metrics.iter().map(|side| &side["instruments"][index]).collect();
        text += &format!("\n{} in {}, {}\n", it.instrument, it.currency, it.asset);
        text += &row("", names.iter().map(|name| (*name).to_owned()), format!("{} less recorded", names[1]));
        let mut line = |label: &str, values: Vec<Value>| {
            let difference = number(&values[1]).zip(number(&values[0])).map(|(is, was)| shown(&json!(is - was)));
            text += &row(label, values.iter().map(shown), difference.unwrap_or_else(|| "-".to_owned()));
        };
        for (label, at) in ROWS {
            line(label, columns.iter().map(|column| column.pointer(at).cloned().unwrap_or_default()).collect());
        }
        for (heading, at) in [("refused", "/trading/refusals"), ("rejected", "/trading/rejections")] {
            let all = |column: &&&Value| column.pointer(at).and_then(Value::as_object).cloned();
            let codes: BTreeSet<String> = columns
                .iter()
                .filter_map(|column| all(&column))
                .flat_map(|map| map.keys().cloned().collect::<Vec<_>>())
                .collect();
            for code in codes {
                let count = |column: &&Value| all(&column).and_then(|map| map.get(&code).cloned()).unwrap_or(json!(0));
                line(&format!("{heading} {code}"), columns.iter().map(count).collect());
            }
        }
        for (n, markout) in it.markouts.iter().enumerate() {
            let bps = |column: &&Value| column["markouts"][n]["markout_bps"].clone();
            line(&format!("markout {} s, bps", markout.after_s), columns.iter().map(bps).collect());
        }
        for difference in found.differences.iter().filter(|d| d.instrument == it.instrument) {
            let (side, pnl, currency) = (difference.side, shown(&json!(difference.pnl)), &difference.currency);
            text += &format!("  {side} less recorded: {pnl} {currency}");
            text += &match &difference.paired {
                Some(paired) => {
                    let (d, p) = (paired.difference, paired.p_value);
                    let (low, high) = (shown(&json!(d.low)), shown(&json!(d.high)));
                    format!(", 95 % interval {low} to {high} over {} paired periods, p {p:.3}\n", d.n)
                }
                None => ", too short for an interval\n".to_owned(),
            };
        }
    }
    Ok(text)
}

/// What limits did, a column per side; then the trips and the first refusals of each.
fn risk_table(found: &WhatIf) -> String {
    let sides: Vec<&Conduct> = found.sides.iter().map(|side| &side.risk).collect();
    let mut text = "\nWhat limits did\n".to_owned();
    let headings = found.sides.iter().map(|side| side.name.to_owned());
    text += &row("", headings, format!("{} less recorded", found.sides[1].name));
    let mut line = |label: &str, values: Vec<f64>| {
        let difference = shown(&json!(values[1] - values[0]));
        text += &row(label, values.iter().map(|value| shown(&json!(value))), difference);
    };
    line("refusals", sides.iter().map(|side| side.refusals.values().sum::<u64>() as f64).collect());
    let codes: BTreeSet<&str> = sides.iter().flat_map(|side| side.refusals.keys().copied()).collect();
    for code in codes {
        let count = |side: &&Conduct| side.refusals.get(code).copied().unwrap_or(0) as f64;
        line(&format!("  {code}"), sides.iter().map(count).collect());
    }
    line("trips", sides.iter().map(|side| (side.trips.len() as u64 + side.trips_left_out) as f64).collect());
    let codes: BTreeSet<(&str, bool)> =
        sides.iter().flat_map(|side| side.trips.iter().map(|trip| (trip.code, trip.is_soft))).collect();
    for (code, is_soft) in codes {
        let of = |side: &Conduct| -> Vec<f64> {
            let it = side.trips.iter().filter(|trip| (trip.code, trip.is_soft) == (code, is_soft));
            it.map(|trip| trip.seconds).collect()
        };
        let name = if is_soft { format!("{code} soft") } else { code.to_owned() };
        line(&format!("  {name}"), sides.iter().map(|side| of(side).len() as f64).collect());
        // No trips add up to minus zero.
        line("    in force, s", sides.iter().map(|side| of(side).iter().sum::<f64>() + 0.0).collect());
    }
    for scope in 0..sides[0].states.len() {
        let whose = sides[0].states[scope].instrument.as_deref().unwrap_or("the book");
        for (n, (state, _)) in sides[0].states[scope].times().into_iter().enumerate() {
            let of_sides = sides.iter().map(|side| side.states[scope].times()[n].1);
            line(&format!("{whose} {state}, s"), of_sides.collect());
        }
    }
    for side in &found.sides {
        for trip in side.risk.trips.iter().take(FIRST) {
            let whose = trip.of.as_deref().unwrap_or("the book");
            let lasted = match trip.ended {
                Some(how) => format!("{how} after {} s", shown(&json!(trip.seconds))),
                None => format!("still so at the end, {} s later", shown(&json!(trip.seconds))),
            };
            let (name, seq, at, reason) = (side.name, trip.seq, clock(trip.at_ns), &trip.reason);
            text += &format!("  {name}: tripped at input {seq}, {at}, {whose}: {reason}; {lasted}\n");
        }
        for refused in side.risk.refused.iter().take(FIRST) {
            let (name, seq, at) = (side.name, refused.seq, clock(refused.at_ns));
            let (whose, what, reason) = (&refused.instrument, &refused.request, &refused.reason);
            text += &format!("  {name}: refused at input {seq}, {at}, {whose} {what}: {reason}\n");
        }
    }
    text
}

/// Trips and refusals listed one by one, of each side; `--json` has a thousand.
const FIRST: usize = 5;

/// UTC to the millisecond.
fn clock(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| ns.to_string(), |t| format!("{t:.3}"))
}

fn row(label: &str, values: impl Iterator<Item = String>, difference: String) -> String {
    let cells: String = values.chain([difference]).map(|cell| format!(" {cell:>16}")).collect();
    format!("  {label:<32}{cells}\n")
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

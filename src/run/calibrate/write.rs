//! A calibrated market as a file: the specification, under a head that says where it comes from and how good it is.

use std::fmt::Write;

use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item};

use super::Calibration;
use super::keys::short;
use crate::metrics::facts::bands::{Band, Judgement};
use crate::metrics::flow::likeness::FAR;
use crate::sim::SimSpec;

/// What a file says of its making.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The call that made it, without the program's name.
    pub call: String,
    /// What was recorded: session, instrument, length, dates.
    pub recording: String,
    /// What it began with.
    pub base: String,
    /// How long each simulation lasted, seconds.
    pub simulated_s: f64,
}

/// The file: a head of comments, then keys as people write them, laws on one line.
pub fn text(made: &Calibration, of: &Provenance) -> String {
    format!("{}\n{}", head(made, of), keys(&made.spec))
}

/// The specification alone. What it says is read again as the same markets.
pub fn keys(spec: &SimSpec) -> String {
    let mut tree = toml::Value::try_from(spec).expect("a specification is a table");
    without_nothing(&mut tree);
    let plain = toml::to_string(&tree).expect("a tree is text");
    let mut document: DocumentMut = plain.parse().expect("it was just written");
    let markets = document.get_mut("market").and_then(Item::as_array_of_tables_mut);
    for market in markets.into_iter().flat_map(|markets| markets.iter_mut()) {
        for (_, part) in market.iter_mut() {
            match part {
                Item::Table(table) => inline(table),
                Item::ArrayOfTables(populations) => populations.iter_mut().for_each(inline),
                Item::None | Item::Value(_) => {}
            }
        }
    }
    document.to_string()
}

/// Lists without members are left out: that is what their absence says.
fn without_nothing(tree: &mut toml::Value) {
    match tree {
        toml::Value::Table(table) => {
            table.retain(|_, below| below.as_array().is_none_or(|list| !list.is_empty()));
            table.iter_mut().for_each(|(_, below)| without_nothing(below));
        }
        toml::Value::Array(list) => list.iter_mut().for_each(without_nothing),
        _ => {}
    }
}

/// Tables within a table on one line each, behind the plain values.
fn inline(table: &mut toml_edit::Table) {
    for (_, item) in table.iter_mut() {
        if matches!(item, Item::Table(_) | Item::ArrayOfTables(_)) {
            let below = std::mem::take(item);
            match below.into_value() {
                Ok(mut value) => {
                    plain(&mut value);
                    value.decor_mut().set_prefix(" ");
                    *item = Item::Value(value);
                }
                Err(below) => *item = below,
            }
        }
    }
}

/// The layout of a line for what was laid out as tables.
fn plain(value: &mut toml_edit::Value) {
    match value {
        toml_edit::Value::InlineTable(table) => {
            table.iter_mut().for_each(|(_, below)| plain(below));
            table.fmt();
        }
        toml_edit::Value::Array(list) => {
            list.iter_mut().for_each(plain);
            list.fmt();
        }
        _ => {}
    }
}

fn head(made: &Calibration, of: &Provenance) -> String {
    let Provenance { call, recording, base, simulated_s } = of;
    let mut said = String::new();
    let mut line = |text: String| writeln!(said, "# {text}").expect("a string grows");
    line(format!("A market like {recording}."));
    line(format!("Made by `papermaker {call}` (papermaker {}).", env!("CARGO_PKG_VERSION")));
    line("PAPER: parameters only, none of the recorded data is in it.".to_owned());
    line(String::new());
    line("Read off the recording by maximum likelihood, one standard error:".to_owned());
    made.estimates.lines().iter().for_each(|row| line(format!("  {row}")));
    line(String::new());
    let (start, best) = (made.course.start.distance, made.course.best.distance);
    line(format!(
        "Looked for from {base}, {} simulations of {simulated_s:.0} s. Mean distance from the recording's facts and the bands that count, in errors: {} at \
         the start, {} here; lowest by round {}.",
        made.course.asked,
        short(start),
        short(best),
        list(made.course.lowest.iter().map(|x| short(*x).to_string()))
    ));
    made.notes.iter().for_each(|note| line(format!("  {note}")));
    for one in &made.pulled {
        line(format!("  {} × {}: {}", one.lever.path, short(one.factor), short(one.value)));
    }
    line(String::new());
    line(format!("Bands of real markets (papermaker realism): {}", bands(&made.judged)));
    line(format!("The recording itself: {}", bands(&made.recorded)));
    said.replace("# \n", "#\n")
}

fn bands(judged: &Judgement) -> String {
    let of = |inside: Option<bool>| list(judged.bands.iter().filter(|band| band.inside == inside).map(told));
    format!(
        "{} inside ({}), {} outside ({}), {} not measurable",
        judged.held,
        of(Some(true)),
        judged.missed,
        of(Some(false)),
        judged.unmeasured
    )
}

fn told(band: &Band) -> String {
    match band.value {
        Some(value) => format!("{} {}", band.name, short(value)),
        None => band.name.to_owned(),
    }
}

fn list(of: impl Iterator<Item = String>) -> String {
    of.collect::<Vec<_>>().join(", ")
}

/// All of it for programs.
pub fn json(made: &Calibration, of: &Provenance) -> Value {
    let facts: Vec<Value> = facts(made)
        .map(|(name, recorded, error, start, end)| {
            json!({ "name": name, "recorded": recorded, "error": error, "start": start, "end": end })
        })
        .collect();
    let pulled = |one: &super::Pulled| json!({ "path": one.lever.path, "factor": one.factor, "value": one.value });
    json!({
        "paper": true,
        "call": of.call,
        "recording": of.recording,
        "base": of.base,
        "simulated_s": of.simulated_s,
        "estimates": made.estimates.lines().iter().map(super::estimate::Row::json).collect::<Vec<_>>(),
        "distance": {
            "start": made.course.start.distance,
            "rounds": made.course.lowest,
            "end": made.course.best.distance,
            "asked": made.course.asked,
        },
        "facts": facts,
        "typical": made.typical,
        "levers": made.pulled.iter().map(pulled).collect::<Vec<_>>(),
        "notes": made.notes,
        "recorded": made.recorded,
        "bands": made.judged.bands,
        "held": made.judged.held,
        "missed": made.judged.missed,
        "unmeasured": made.judged.unmeasured,
    })
}

/// Every fact: name, recorded, its error, simulated at the start and at the end; `None` where it is off by [`FAR`] errors or
/// more, or is not told.
pub fn facts(made: &Calibration) -> impl Iterator<Item = (&'static str, f64, f64, Option<f64>, Option<f64>)> + '_ {
    let ends = made.course.start.differences.iter().zip(&made.course.best.differences);
    made.facts.iter().zip(ends).filter_map(|(fact, (start, end))| {
        let recorded = fact.value?;
        let simulated = |off: &f64| (off.abs() < FAR).then(|| recorded + off * fact.error);
        Some((fact.name, recorded, fact.error, simulated(start), simulated(end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_laws_stand_on_one_line() {
        for spec in [SimSpec::demo(), SimSpec::rmsc04()] {
            let text = keys(&spec);
            assert_eq!(SimSpec::from_toml(&text), Ok(spec), "{text}");
        }
        let text = keys(&SimSpec::demo());
        for line in [
            "[[market]]",
            "[market.value]",
            "[[market.momentum]]",
            "trend = { chiarella = { alpha_per_s = 0.5, beta_lots = 2000.0, gamma_s_per_tick = 0.1 } }",
            "lifetime = { exponential = { mean_s = 10.0 } }",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
        }
        assert!(!text.contains("[market.momentum.trend"), "{text}");
    }
}

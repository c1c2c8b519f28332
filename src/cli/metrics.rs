//! `sessions show --metrics`: what a recording was worth.

use serde_json::{Map, Value};

use super::{Failure, Outcome, say};
use crate::journal::{Manifest, Reader};
use crate::metrics::{Account, Plan};
use crate::units::Nanos;

/// Reads a recording from end to end; the answer as JSON, which the table is made of too.
pub(super) fn measure(manifest: &Manifest, mut reader: Reader) -> Result<Value, Failure> {
    let instruments = manifest.spec.desks.iter().map(|desk| desk.rules.clone());
    let mut account = Account::new(instruments, Nanos::from_s(1));
    let (mut input, mut outputs) = (Reader::blank(), Vec::new());
    while reader.next_step(&mut input, &mut outputs).map_err(Failure::could_not_run)? {
        account.step(&input, &outputs);
    }
    let plan = Plan { seed: manifest.spec.seed, ..Plan::default() };
    serde_json::to_value(account.finish(&plan)).map_err(Failure::could_not_run)
}

/// Columns of the markouts.
const MARKOUT: [&str; 9] = [
    "after_s",
    "fills",
    "missing",
    "markout",
    "half_spread",
    "adverse_selection",
    "markout_bps",
    "mean_bps",
    "error_bps",
];

/// One block per instrument, one line per number; markouts as the table they are.
pub(super) fn print(metrics: &Value) -> Outcome {
    let empty = Map::new();
    for it in metrics["instruments"].as_array().into_iter().flatten() {
        let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        say(format_args!("  {} in {}, {}", text("instrument"), text("currency"), text("asset")))?;
        for section in ["attribution", "risk", "trading", "quoting", "inventory", "market"] {
            say(format_args!("    {section}"))?;
            for (key, value) in it[section].as_object().unwrap_or(&empty) {
                say(format_args!("      {key:<24} {}", shown(value)))?;
            }
        }
        let line = |cells: [String; MARKOUT.len()]| cells.iter().map(|c| format!(" {c:>17}")).collect::<String>();
        say(format_args!("    markouts\n     {}", line(MARKOUT.map(str::to_owned))))?;
        for row in it["markouts"].as_array().into_iter().flatten() {
            say(format_args!("     {}", line(MARKOUT.map(|key| shown(&row[key])))))?;
        }
    }
    Ok(())
}

/// A number in as many digits as a person reads; `-` where nothing can be said.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Number(number) if number.is_f64() => significant(number.as_f64().unwrap_or_default()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.parse().map_or_else(|_| text.clone(), significant),
        Value::Object(map) if map.contains_key("low") => {
            format!("{} ({} to {}, n {})", shown(&map["value"]), shown(&map["low"]), shown(&map["high"]), map["n"])
        }
        Value::Object(map) => map.iter().map(|(k, v)| format!("{k} {}", shown(v))).collect::<Vec<_>>().join("  "),
        Value::Array(_) | Value::Bool(_) => value.to_string(),
    }
}

/// Six digits, and of a large number all before the point.
pub(super) fn significant(number: f64) -> String {
    if number.abs() >= 1e5 {
        return format!("{number:.0}");
    }
    let rounded = format!("{number:.5e}");
    rounded.parse().map_or(rounded, |rounded: f64| rounded.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_as_long_as_a_person_reads() {
        for (number, text) in [(0.0, "0"), (1.0, "1"), (-0.001_234_567_8, "-0.00123457"), (123_456_789.0, "123456789")]
        {
            assert_eq!(significant(number), text);
        }
        assert_eq!(shown(&json!("12.500000001")), "12.5");
        assert_eq!(shown(&json!(null)), "-");
        assert_eq!(shown(&json!({ "value": 1.5, "low": 1.0, "high": 2.25, "n": 7 })), "1.5 (1 to 2.25, n 7)");
    }
}

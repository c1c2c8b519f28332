//! Numbers as a person reads them.

use serde_json::Value;

use crate::metrics::bootstrap::Interval;
use crate::metrics::sketch::Sketch;

/// Six digits, and of a large number all before the point; as `sessions show --metrics` prints them.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value.abs() >= 1e5 {
        return format!("{value:.0}");
    }
    let rounded = format!("{value:.5e}");
    if value != 0.0 && value.abs() < 1e-6 {
        // Nobody counts zeros.
        return format!("{value:.2e}");
    }
    rounded.parse().map_or(rounded, |rounded: f64| if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() })
}

/// Four digits, where many stand side by side.
pub(super) fn brief(value: Option<f64>) -> String {
    maybe(value.map(|value| format!("{value:.3e}").parse().unwrap_or(value)))
}

/// Six digits; a dash for what cannot be said.
pub(super) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// Percent of one, two decimals at most.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", number((share * 1e4).round() / 1e2))
}

/// The ends of an interval; how much it was computed from.
pub(super) fn interval(interval: &Interval) -> String {
    format!("{} … {} (n {})", number(interval.low), number(interval.high), interval.n)
}

/// A value of a summary's JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Number(integer) if !integer.is_f64() => integer.to_string(),
        Value::Number(float) => maybe(float.as_f64()),
        Value::String(text) => text.parse().map_or_else(|_| text.clone(), number),
        Value::Object(map) if map.contains_key("low") => {
            format!("{} [{} … {}] n {}", shown(&map["value"]), shown(&map["low"]), shown(&map["high"]), map["n"])
        }
        Value::Object(map) if map.contains_key("p50") => {
            format!("{} [{} … {}]", shown(&map["p50"]), shown(&map["p05"]), shown(&map["p95"]))
        }
        Value::Object(map) if map.is_empty() => "none".to_owned(),
        Value::Object(map) => map.iter().map(|(k, v)| format!("{k} {}", shown(v))).collect::<Vec<_>>().join(" · "),
        Value::Array(_) | Value::Bool(_) => value.to_string(),
    }
}

/// Count, mean and five quantiles of a distribution, times `scale`.
pub(super) fn distribution(of: &Sketch, scale: f64) -> [String; 7] {
    let scaled = |value: Option<f64>| maybe(value.map(|value| value * scale));
    let at = |p: f64| scaled(of.quantile(p));
    [of.weight().to_string(), scaled(of.mean()), at(0.05), at(0.25), at(0.5), at(0.75), at(0.95)]
}

/// A moment, UTC to the second.
pub(super) fn moment(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(
        |_| format!("{ns} ns"),
        |t| t.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// So long, in the two largest units.
pub(super) fn length(seconds: f64) -> String {
    let whole = seconds as u64;
    let (large, name, small, rest) = match whole {
        0..60 => return format!("{} s", number((seconds * 1e3).round() / 1e3)),
        60..3_600 => (whole / 60, "min", "s", whole % 60),
        3_600..86_400 => (whole / 3_600, "h", "min", whole % 3_600 / 60),
        _ => (whole / 86_400, "d", "h", whole % 86_400 / 3_600),
    };
    if rest == 0 { format!("{large} {name}") } else { format!("{large} {name} {rest} {small}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_as_long_as_a_person_reads() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (8.719_9e-11, "8.72e-11"),
            (-0.001_234_567_8, "-0.00123457"),
            (123_456_789.0, "123456789"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!([Some(0.123_456), Some(-12_345.6), None].map(brief), ["0.1235", "-12350", "–"]);
        assert_eq!([maybe(None), number(f64::NAN), percent(0.123_456)], ["–", "–", "12.35 %"]);
        assert_eq!(shown(&json!({ "value": 1.5, "low": 1.0, "high": 2.25, "n": 7 })), "1.5 [1 … 2.25] n 7");
        assert_eq!(shown(&json!("12.500000001")), "12.5");
    }

    #[test]
    fn lengths_and_moments() {
        assert_eq!(
            [0.25, 60.0, 61.5, 3_725.0, 90_000.0].map(length),
            ["0.25 s", "1 min", "1 min 1 s", "1 h 2 min", "1 d 1 h"]
        );
        assert_eq!(moment(1_723_075_200_000_000_000), "2024-08-08 00:00:00 UTC");
    }
}

//! Lines over time as small JSON: whole multiples of a step, each as its distance from the one before.

use serde_json::{Value, json};

use crate::metrics::story::Trace;

/// Steps that the range of a line is cut into, at least: finer than any screen.
const STEPS_MIN: f64 = 1e5;

/// `{every_s, index: [distance…], lines: {NAME: {base, step, last: [distance or null…], up: […], down: […]}}}`.
///
/// * a bucket begins at `index · every_s` after the start
/// * its last value is `base + step · Σ distances`; `null` where it was gone by then, and the sum goes on after it
/// * its highest is `up` steps above, its lowest `down` below that sum; a list that is all zero is left out
pub(super) fn trace<const K: usize>(trace: &Trace<K>, names: [&str; K]) -> Value {
    let mut before = 0;
    let index: Vec<i64> =
        trace.buckets().iter().map(|bucket| bucket.index - std::mem::replace(&mut before, bucket.index)).collect();
    let lines = names.iter().zip(0..).map(|(name, k)| ((*name).to_owned(), line(trace, k))).collect();
    json!({ "every_s": trace.every().seconds(), "index": index, "lines": Value::Object(lines) })
}

fn line<const K: usize>(trace: &Trace<K>, k: usize) -> Value {
    let ranges = || trace.buckets().iter().map(|bucket| bucket.lines[k]);
    let Some(base) = ranges().flatten().map(|range| range.low).next() else { return Value::Null };
    let low = ranges().flatten().map(|range| range.low).fold(base, f64::min);
    let high = ranges().flatten().map(|range| range.high).fold(base, f64::max);
    let step = step(high - low);
    let steps = |value: f64| ((value - base) / step).round() as i64;
    let mut now = 0;
    let (mut last, mut up, mut down) = (Vec::new(), Vec::new(), Vec::new());
    for range in ranges() {
        let before = now;
        let end = range.and_then(|range| range.last).map(steps);
        now = end.unwrap_or(before);
        last.push(end.map(|end| end - before));
        up.push(range.map_or(0, |range| steps(range.high) - now));
        down.push(range.map_or(0, |range| now - steps(range.low)));
    }
    let mut told = json!({ "base": base, "step": step, "last": last });
    for (name, list) in [("up", up), ("down", down)] {
        if list.iter().any(|steps| *steps != 0) {
            told[name] = json!(list);
        }
    }
    told
}

/// The power of ten that cuts a range into [`STEPS_MIN`] to ten times as many steps.
fn step(range: f64) -> f64 {
    if range.is_nan() || range <= 0.0 {
        return 1.0;
    }
    let mut exponent = 0;
    let scaled = |exponent: i32| format!("1e{exponent}").parse::<f64>().expect("a power of ten");
    while range / scaled(exponent) < STEPS_MIN {
        exponent -= 1;
    }
    while range / scaled(exponent) >= 10.0 * STEPS_MIN {
        exponent += 1;
    }
    scaled(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    /// As `report.js` reads it: (last, low, high) per bucket.
    fn read(line: &Value) -> Vec<(Option<f64>, f64, f64)> {
        let number = |value: &Value| value.as_f64().expect("a number");
        let (base, step, mut now) = (number(&line["base"]), number(&line["step"]), 0.0);
        let list = line["last"].as_array().expect("a list").iter().zip(0..);
        list.map(|(last, i)| {
            now += last.as_f64().unwrap_or(0.0);
            let off = |name: &str| line[name][i].as_f64().unwrap_or(0.0);
            let value = |steps: f64| base + step * steps;
            (last.is_number().then(|| value(now)), value(now - off("down")), value(now + off("up")))
        })
        .collect()
    }

    #[test]
    fn a_line_is_read_back_to_a_hundred_thousandth_of_its_range() {
        // 64 013.50, then in one bucket 64 020 and 64 013, then gone after 64 000.
        let mut all = Trace::default();
        for (ms, value) in
            [(0, Some(64_013.5)), (30, Some(64_020.0)), (31, Some(64_013.0)), (50, Some(64_000.0)), (51, None)]
        {
            all.take(Nanos::from_ms(ms), [value, None]);
        }
        let told = trace(&all, ["mid", "bid"]);
        assert_eq!((&told["every_s"], &told["index"]), (&json!(0.01), &json!([0, 3, 2])));
        assert_eq!(told["lines"]["bid"], Value::Null);
        let expected =
            [(Some(64_013.5), 64_013.5, 64_013.5), (Some(64_013.0), 64_013.0, 64_020.0), (None, 64_000.0, 64_000.0)];
        let near = |a: f64, b: f64| (a - b).abs() <= 20.0 / STEPS_MIN;
        for (found, expected) in read(&told["lines"]["mid"]).into_iter().zip(expected) {
            assert_eq!(found.0.is_some(), expected.0.is_some(), "{found:?}");
            assert!(near(found.0.unwrap_or(0.0), expected.0.unwrap_or(0.0)), "{found:?}, not {expected:?}");
            assert!(near(found.1, expected.1) && near(found.2, expected.2), "{found:?}, not {expected:?}");
        }
    }

    #[test]
    fn steps_are_powers_of_ten() {
        assert_eq!([0.0, 300.0, 2.0, 99_999.0, 2e6, 3e8].map(step), [1.0, 1e-3, 1e-5, 1e-1, 1e1, 1e3]);
    }
}

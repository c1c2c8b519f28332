//! A grid of settings: every combination of the values of every key.
//!
//! ```toml
//! [strategy]                       # keys of the strategy file, of every strategy that is swept
//! risk_factor = [0.1, 0.5, 1.0]
//! [strategy.glft]                  # of strategies of this kind only
//! min_spread_bps = { from = 0.0, to = 2.0, step = 0.5 }
//! [paper]                          # keys of the configuration: paper, quoting, signals, risk
//! entry_latency_us = { from = 1000, to = 100000, points = 3, scale = "log" }
//! ```
//!
//! A key with one value is set in all of them. Combinations are in the order of the keys, the last key changing fastest;
//! their names say what was changed and nothing else, so the same combination has the same name in every sweep.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use toml::{Table, Value};

use crate::numeric::pow;

/// Most combinations of one sweep.
pub const COMBINATIONS_MAX: usize = 10_000;

/// Sections of the configuration that may be swept.
const SECTIONS: [&str; 4] = ["paper", "quoting", "risk", "signals"];

/// Keys and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    axes: Vec<Axis>,
}

#[derive(Clone, Debug, PartialEq)]
struct Axis {
    of: Of,
    key: String,
    values: Vec<Value>,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq)]
enum Of {
    /// The strategy's; of this kind only, if one is named.
    Strategy(Option<String>),
    /// The configuration's: the key is dotted.
    Configuration,
}

/// One point of the grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Combination {
    /// Strategy keys and values.
    pub strategy: Vec<(String, Value)>,
    /// Configuration keys and values, dotted.
    pub configuration: Vec<(String, Value)>,
}

impl Combination {
    /// Every change as text.
    pub fn changed(&self) -> Vec<(String, String)> {
        self.strategy.iter().chain(&self.configuration).map(|(key, value)| (key.clone(), plain(value))).collect()
    }

    /// As `--set` takes them.
    pub fn sets(&self) -> Vec<String> {
        self.configuration.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect()
    }

    /// A strategy's text with its changes; as it was if there is none.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        if self.strategy.is_empty() {
            return Ok(text.to_owned());
        }
        let mut table = text.parse::<Table>().map_err(|e| e.to_string())?;
        table.extend(self.strategy.iter().cloned());
        toml::to_string(&table).map_err(|e| e.to_string())
    }
}

/// A value as it is typed: text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Grid {
    /// Reads a grid; says which key is wrong and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table = text.parse::<Table>().map_err(|e| e.to_string())?;
        let mut axes = Vec::new();
        for (section, below) in &table {
            let keys = below.as_table().ok_or_else(|| format!("{section}: a section is expected, as [strategy]"))?;
            match section.as_str() {
                "strategy" => take_strategy(keys, None, &mut axes)?,
                known if SECTIONS.contains(&known) => take_configuration(keys, section, &mut axes)?,
                _ => {
                    let known = SECTIONS.join("], [");
                    return Err(format!("[{section}] cannot be swept; [strategy], [{known}] can"));
                }
            }
        }
        if axes.is_empty() {
            return Err("no key is swept".to_owned());
        }
        let size = axes.iter().try_fold(1usize, |size, axis| size.checked_mul(axis.values.len()));
        match size {
            Some(size) if size <= COMBINATIONS_MAX => Ok(Self { axes }),
            _ => Err(format!(
                "{} combinations, at most {COMBINATIONS_MAX} are run",
                size.map_or_else(|| "endless".to_owned(), |size| size.to_string())
            )),
        }
    }

    /// Whether it changes more than strategies.
    pub fn changes_configuration(&self) -> bool {
        self.axes.iter().any(|axis| axis.of == Of::Configuration)
    }

    /// Every combination for a strategy of this kind; keys of other kinds are left out.
    pub fn combinations(&self, kind: &str) -> Vec<Combination> {
        let mut all = vec![Combination::default()];
        for axis in &self.axes {
            if matches!(&axis.of, Of::Strategy(Some(only)) if only != kind) {
                continue;
            }
            let with = |so_far: &Combination, value: &Value| {
                let mut more = so_far.clone();
                let into = match &axis.of {
                    Of::Strategy(_) => &mut more.strategy,
                    Of::Configuration => &mut more.configuration,
                };
                into.push((axis.key.clone(), value.clone()));
                more
            };
            all = all.iter().flat_map(|so_far| axis.values.iter().map(move |value| with(so_far, value))).collect();
        }
        all
    }
}

fn take_strategy(keys: &Table, kind: Option<&str>, axes: &mut Vec<Axis>) -> Result<(), String> {
    for (key, given) in keys {
        match given.as_table() {
            Some(below) if kind.is_none() && !is_range(below) => take_strategy(below, Some(key), axes)?,
            _ => {
                let of = Of::Strategy(kind.map(str::to_owned));
                axes.push(Axis { of, key: key.clone(), values: values(key, given)? });
            }
        }
    }
    Ok(())
}

fn take_configuration(keys: &Table, section: &str, axes: &mut Vec<Axis>) -> Result<(), String> {
    for (name, given) in keys {
        let key = format!("{section}.{}", quoted(name));
        match given.as_table() {
            Some(below) if !is_range(below) => take_configuration(below, &key, axes)?,
            _ => axes.push(Axis { of: Of::Configuration, values: values(&key, given)?, key }),
        }
    }
    Ok(())
}

/// As a key is written: `VENUE:SYMBOL` needs quotes.
fn quoted(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { format!("{name:?}") }
}

fn is_range(table: &Table) -> bool {
    table.contains_key("from") || table.contains_key("to")
}

/// A list, a range, or one value.
fn values(key: &str, given: &Value) -> Result<Vec<Value>, String> {
    let found = match given {
        Value::Array(list) => list.clone(),
        Value::Table(range) => range_of(range).map_err(|why| format!("{key}: {why}"))?,
        one => vec![one.clone()],
    };
    if found.is_empty() {
        return Err(format!("{key}: an empty list leaves nothing to run"));
    }
    match found.iter().enumerate().find(|(i, value)| found[..*i].contains(value)) {
        Some((_, twice)) => Err(format!("{key}: {} is there twice", plain(twice))),
        None => Ok(found),
    }
}

fn range_of(range: &Table) -> Result<Vec<Value>, String> {
    const HOW: &str = "{ from, to, step } or { from, to, points, scale = \"linear\" or \"log\" } is a range";
    if let Some(stray) = range.keys().find(|key| !["from", "to", "step", "points", "scale"].contains(&key.as_str())) {
        return Err(format!("{stray} says nothing of a range: {HOW}"));
    }
    let number = |key: &str| {
        let given = range.get(key).ok_or_else(|| format!("{key} is missing: {HOW}"))?;
        let text = given.to_string();
        let wrong = |_| format!("{key} = {text} is not a number");
        if !(given.is_integer() || given.is_float()) {
            return Err(format!("{key} = {text} is not a number"));
        }
        text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(&text)).map_err(wrong)
    };
    let (from, to) = (number("from")?, number("to")?);
    if from > to {
        return Err(format!("from {from} is above to {to}"));
    }
    let scale = range.get("scale").map_or("linear".to_owned(), plain);
    let found = match (range.get("step"), range.get("points")) {
        (Some(_), None) if scale == "linear" => stepped(from, to, number("step")?)?,
        (None, Some(points)) => {
            let points = points.as_integer().filter(|n| (2..=1_000).contains(n));
            let points = points.ok_or("points is a whole number from 2 to 1000")?;
            match scale.as_str() {
                "linear" => {
                    let step = (to - from) / Decimal::from(points - 1);
                    (0..points).map(|i| (from + step * Decimal::from(i)).round_dp(12)).collect()
                }
                "log" => geometric(from, to, points)?,
                other => return Err(format!("scale = {other:?} is neither linear nor log")),
            }
        }
        _ => return Err(HOW.to_owned()),
    };
    let is_whole = range.values().all(|v| !v.is_float()) && found.iter().all(Decimal::is_integer);
    let value = |number: Decimal| match number.to_i64() {
        Some(whole) if is_whole => Value::Integer(whole),
        _ => Value::Float(number.to_f64().expect("it was made of floats")),
    };
    Ok(found.into_iter().map(value).collect())
}

fn stepped(from: Decimal, to: Decimal, step: Decimal) -> Result<Vec<Decimal>, String> {
    if step <= Decimal::ZERO {
        return Err(format!("step {step} leads nowhere"));
    }
    let count = ((to - from) / step).floor().to_usize().filter(|n| *n < COMBINATIONS_MAX);
    let count = count.ok_or_else(|| format!("{from} to {to} by {step} is more than {COMBINATIONS_MAX} values"))?;
    Ok((0..=count).map(|i| from + step * Decimal::from(i)).collect())
}

/// Equal ratios, to six digits.
fn geometric(from: Decimal, to: Decimal, points: i64) -> Result<Vec<Decimal>, String> {
    if from <= Decimal::ZERO {
        return Err(format!("from {from}: a ratio of it cannot be had, only of what is above 0"));
    }
    let (low, high) = (from.to_f64().expect("finite"), to.to_f64().expect("finite"));
    let between = |i: i64| {
        let exact = low * pow(high / low, i as f64 / (points - 1) as f64);
        let text = format!("{exact:.5e}");
        Decimal::from_scientific(&text).map(|d| d.normalize()).map_err(|e| format!("{text}: {e}"))
    };
    (0..points).map(|i| if i == points - 1 { Ok(to) } else { between(i) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(grid: &str, kind: &str) -> Vec<String> {
        let all = Grid::parse(grid).expect(grid).combinations(kind);
        let one = |c: &Combination| c.changed().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
        all.iter().map(one).collect()
    }

    #[test]
    fn every_value_meets_every_other() {
        let grid = "[strategy]\na = [1, 2]\nb = \"x\"\n[paper]\nqueue_model = [\"log\", \"power\"]\n";
        let expected = ["log", "power"].map(|q| [1, 2].map(|a| format!("a={a} b=x paper.queue_model={q}")));
        let mut found = names(grid, "glft");
        found.sort();
        let mut expected = expected.concat();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_range_is_what_one_would_write_out() {
        for (range, expected) in [
            ("{ from = 0.1, to = 0.5, step = 0.1 }", "0.1 0.2 0.3 0.4 0.5"),
            ("{ from = 1, to = 10, step = 4 }", "1 5 9"),
            ("{ from = 0, to = 1, points = 3 }", "0.0 0.5 1.0"),
            ("{ from = 0, to = 10, points = 3 }", "0 5 10"),
            ("{ from = 1000, to = 100000, points = 3, scale = \"log\" }", "1000 10000 100000"),
            ("{ from = 1.0, to = 2.0, points = 3, scale = \"log\" }", "1.0 1.41421 2.0"),
            ("0.5", "0.5"),
            ("[true, false]", "true false"),
            // A list of lists is a key whose values are lists.
            ("[[1.0], [2.0]]", "[1.0] [2.0]"),
        ] {
            let found = names(&format!("[strategy]\nx = {range}"), "glft");
            let found: Vec<&str> = found.iter().map(|name| name.strip_prefix("x=").expect("its key")).collect();
            assert_eq!(found.join(" "), expected, "{range}");
        }
    }

    #[test]
    fn a_kind_has_keys_of_its_own() {
        let grid = "[strategy]\nmin_spread_bps = [1.0, 2.0]\n[strategy.glft]\nrisk_factor = [0.1, 0.2, 0.3]\n";
        assert_eq!((names(grid, "glft").len(), names(grid, "fixed-spread").len()), (6, 2));
        let one = Grid::parse("[risk.instruments.\"deribit:BTC-PERPETUAL\"]\nposition_max_quote = [10]").unwrap();
        let sets = one.combinations("glft")[0].sets();
        assert_eq!(sets, ["risk.instruments.\"deribit:BTC-PERPETUAL\".position_max_quote=10"]);
    }

    #[test]
    fn a_grid_that_cannot_be_run_says_why() {
        for (grid, why) in [
            ("", "no key"),
            ("x = 1", "section"),
            ("[dashboard]\nport = [1]", "[dashboard] cannot be swept"),
            ("[strategy]\nx = []", "x: an empty list"),
            ("[strategy]\nx = [1, 1]", "x: 1 is there twice"),
            ("[strategy]\nx = { from = 2, to = 1, step = 1 }", "from 2 is above to 1"),
            ("[strategy]\nx = { from = 1, to = 2, step = 0 }", "leads nowhere"),
            ("[strategy]\nx = { from = 1, to = 2 }", "is a range"),
            ("[strategy]\nx = { from = 1, to = 2, stepp = 1 }", "stepp"),
            ("[strategy]\nx = { from = \"a\", to = 2, step = 1 }", "from = \"a\""),
            ("[strategy]\nx = { from = 0, to = 2, points = 3, scale = \"log\" }", "above 0"),
            ("[strategy]\nx = { from = 0, to = 1e9, step = 1e-9 }", "more than 10000"),
            (
                "[strategy]\nx = { from = 1, to = 999, step = 1 }\ny = { from = 1, to = 999, step = 1 }",
                "998001 combinations",
            ),
        ] {
            let said = Grid::parse(grid).expect_err(grid);
            assert!(said.contains(why), "{grid}: {said}");
        }
    }

    #[test]
    fn a_change_replaces_what_the_file_says() {
        let grid = Grid::parse("[strategy]\nhalf_spread_bps = [0.5]\norder_levels = [1]").unwrap();
        let text = grid.combinations("")[0].apply("kind = \"fixed-spread\"\nhalf_spread_bps = 0.02 # near").unwrap();
        assert_eq!(text.parse::<Table>().unwrap().len(), 3);
        assert!(text.contains("half_spread_bps = 0.5") && !text.contains("0.02"), "{text}");
        assert_eq!(Combination::default().apply("# as it was").unwrap(), "# as it was");
    }
}

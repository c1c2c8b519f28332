//! A market's specification as a tree of keys: other units for all of it, another value for some of it.
//!
//! Units stand in the names of the keys (`edge_ticks`, `kappa_lots_per_tick`), so a market can be told in ticks and lots of
//! another size without knowing any kind of trader; and a part of it can be pulled at by its path
//! (`momentum.fast.trend.chiarella.beta_lots`; `*` is every member of a list, a name one of them).

use toml::Value;

use crate::numeric::pow;
use crate::sim::MarketSpec;

/// The tree of a market.
pub fn tree(market: &MarketSpec) -> Value {
    Value::try_from(market).expect("a market was read from such a tree")
}

/// The market of a tree; `None` if it is none.
pub fn market(tree: Value) -> Option<MarketSpec> {
    tree.try_into().ok()
}

/// Units of which the old one is so many new ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Units {
    /// Ticks for a tick.
    pub ticks: f64,
    /// Lots for a lot.
    pub lots: f64,
    /// Seconds for a second: everybody's pace but that of messages.
    pub seconds: f64,
}

impl Units {
    /// Those it is told in.
    pub const SAME: Units = Units { ticks: 1.0, lots: 1.0, seconds: 1.0 };
}

/// Tells everything in new units, the start price, the value and the activity excepted. Impact on views (`reflexive`) mixes sizes with powers
/// of sizes and has a rule of its own.
pub fn convert(tree: &mut Value, units: Units) {
    let Units { ticks, lots, seconds } = units;
    if let Some(reflexive) = tree.get_mut("reflexive").and_then(Value::as_table_mut) {
        // λ is ticks for one lot, of which Q are worth Q^γ.
        let gamma = reflexive.get("gamma").and_then(Value::as_float).unwrap_or(0.0);
        if let Some(lambda) = reflexive.get_mut("lambda_ticks") {
            scale(lambda, pow(lots, -gamma));
        }
    }
    // What comes from outside keeps its own time.
    let outside = ["value", "activity"].map(|key| (key, tree.as_table_mut().and_then(|table| table.remove(key))));
    walk(tree, &mut |key, value| {
        let powers = powers(key);
        // Times of the day are no spans of time.
        if powers != [0; 3] && !["start_ticks", "from_s", "to_s"].contains(&key) {
            let factor = |(unit, power): (f64, i32)| pow(unit, f64::from(power));
            scale(value, [ticks, lots, seconds].into_iter().zip(powers).map(factor).product());
        }
    });
    for (key, kept) in outside {
        if let (Some(table), Some(kept)) = (tree.as_table_mut(), kept) {
            table.insert(key.to_owned(), kept);
        }
    }
}

/// The powers of ticks, of lots and of seconds in the unit a key ends in.
fn powers(key: &str) -> [i32; 3] {
    let (mut ticks, mut lots, mut seconds, mut sign) = (0, 0, 0, 1);
    for word in key.split('_') {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let power: i32 = word[letters.len()..].parse().unwrap_or(1);
        match letters {
            "per" => sign = -1,
            "tick" | "ticks" => ticks += sign * power,
            "lot" | "lots" => lots += sign * power,
            "s" => seconds += sign * power,
            _ => {}
        }
    }
    [ticks, lots, seconds]
}

/// Every number below, with the key it (or the list it is in) stands under.
fn walk(tree: &mut Value, each: &mut impl FnMut(&str, &mut Value)) {
    let Some(table) = tree.as_table_mut() else { return };
    for (key, value) in table.iter_mut() {
        match value {
            Value::Table(_) => walk(value, each),
            Value::Array(list) => list.iter_mut().for_each(|item| match item {
                Value::Table(_) => walk(item, each),
                _ => each(key, item),
            }),
            Value::Integer(_) | Value::Float(_) => each(key, value),
            Value::String(_) | Value::Boolean(_) | Value::Datetime(_) => {}
        }
    }
}

/// A number times a factor. Whole numbers stay whole, and positive ones positive; others keep four digits, so that a file
/// says what was simulated.
fn scale(value: &mut Value, by: f64) {
    match value {
        Value::Integer(whole) => {
            let scaled = (*whole as f64 * by).round().clamp(-9e15, 9e15) as i64;
            *whole = if *whole > 0 { scaled.max(1) } else { scaled };
        }
        Value::Float(number) => *number = short(*number * by),
        _ => {}
    }
}

/// A number with four significant digits.
pub fn short(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

/// Every number of the tree with four digits.
pub fn shorten(tree: &mut Value) {
    walk(tree, &mut |_, value| scale(value, 1.0));
}

/// All values that a path leads to.
fn at<'a>(tree: &'a mut Value, path: &[&str]) -> Vec<&'a mut Value> {
    let Some((first, rest)) = path.split_first() else { return vec![tree] };
    match tree {
        Value::Table(table) => table.get_mut(*first).map(|below| at(below, rest)).unwrap_or_default(),
        Value::Array(list) => {
            let is_meant = |item: &&mut Value| {
                *first == "*" || item.get("name").and_then(Value::as_str).is_some_and(|name| name == *first)
            };
            list.iter_mut().filter(is_meant).flat_map(|item| at(item, rest)).collect()
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Vec::new(),
    }
}

/// Multiplies what a path leads to; says how many numbers that were and that are not zero.
pub fn pull(tree: &mut Value, path: &str, by: f64) -> usize {
    let path: Vec<&str> = path.split('.').collect();
    let mut pulled = 0;
    for value in at(tree, &path) {
        let is_number = match value {
            Value::Integer(whole) => *whole != 0,
            Value::Float(number) => *number != 0.0,
            _ => false,
        };
        pulled += usize::from(is_number);
        scale(value, by);
    }
    pulled
}

/// What the first number that a path leads to is.
pub fn value(tree: &mut Value, path: &str) -> Option<f64> {
    let path: Vec<&str> = path.split('.').collect();
    at(tree, &path).into_iter().find_map(|value| match value {
        Value::Integer(whole) => Some(*whole as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    })
}

/// Names of the members of a list.
pub fn names(tree: &Value, list: &str) -> Vec<String> {
    let members = tree.get(list).and_then(Value::as_array).map_or(&[][..], |list| list);
    members.iter().filter_map(|member| Some(member.get("name")?.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimSpec;

    #[test]
    fn units_are_read_from_the_names_of_keys() {
        for (key, expected) in [
            ("edge_ticks", [1, 0, 0]),
            ("max_lots", [0, 1, 0]),
            ("kappa_lots_per_tick", [-1, 1, 0]),
            ("kappa3_lots_per_tick3", [-3, 1, 0]),
            ("gamma_s_per_tick", [-1, 0, 1]),
            ("shock_ticks2_per_s", [2, 0, -1]),
            ("spread_ticks_min", [1, 0, 0]),
            ("ticks", [1, 0, 0]),
            ("mean_wait_s", [0, 0, 1]),
            ("decay_per_s", [0, 0, -1]),
        ] {
            assert_eq!(powers(key), expected, "{key}");
        }
    }

    #[test]
    fn a_market_in_other_units_is_the_same_market() {
        let demo = SimSpec::demo().market[0].clone();
        let mut told = tree(&demo);
        assert_eq!(market(told.clone()), Some(demo.clone()));
        // Ticks of a tenth, lots of a half, everybody four times as slow.
        convert(&mut told, Units { ticks: 10.0, lots: 2.0, seconds: 4.0 });
        let made = market(told.clone()).expect("a market");
        assert_eq!((made.start_ticks, made.rescue.depth_ticks, made.rescue.lots), (600_000, 2_000, 4_000));
        assert_eq!((made.market_maker[0].half_spread_ticks, made.market_maker[0].count), (200, 3));
        assert_eq!((made.fundamental[0].kappa_lots_per_tick, made.fundamental[0].mean_wait_s), (8.0, 20.0));
        assert_eq!((made.zero_intelligence[0].limits.per_s, made.value.clone()), (5.0, demo.value.clone()));
        convert(&mut told, Units { ticks: 0.1, lots: 0.5, seconds: 0.25 });
        assert_eq!(market(told), Some(demo));
    }

    #[test]
    fn a_path_pulls_at_what_it_names() {
        let mut told = tree(&SimSpec::demo().market[0]);
        assert_eq!(pull(&mut told, "momentum.fast.trend.chiarella.beta_lots", 1.5), 1);
        assert_eq!(pull(&mut told, "momentum.*.mean_wait_s", 2.0), 2);
        assert_eq!(pull(&mut told, "market_maker.*.half_spread_ticks", 0.001), 1);
        assert_eq!(
            (pull(&mut told, "momentum.medium.mean_wait_s", 2.0), pull(&mut told, "nothing.at.all", 2.0)),
            (0, 0)
        );
        let made = market(told.clone()).expect("a market");
        assert_eq!((made.momentum[0].mean_wait_s, made.momentum[1].mean_wait_s), (10.0, 40.0));
        assert_eq!(made.market_maker[0].half_spread_ticks, 1, "a whole positive number stays one");
        assert_eq!(value(&mut told, "momentum.fast.trend.chiarella.beta_lots"), Some(3_000.0));
        assert_eq!(
            (names(&told, "momentum"), short(1.234_56e-7)),
            (vec!["fast".to_owned(), "slow".to_owned()], 1.235e-7)
        );
    }
}

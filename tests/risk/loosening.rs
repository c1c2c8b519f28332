//! Which way every limit is looser: what is looser needs a word more, what is tighter is obeyed at once.

use std::collections::BTreeSet;

use papermaker::config::{Sources, load_with};
use papermaker::market::Instrument;
use papermaker::risk::{RULES, RiskLimits};

use crate::engine::story::rules;

fn limits(lines: &[String], tables: &str) -> RiskLimits {
    let text = format!("[risk]\n{}\n{tables}", lines.join("\n"));
    let loaded = load_with(&Sources::default(), Some(&text)).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    loaded.risk_limits(&[rules()]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Keys with a value that is tighter than another, each a limit that is on. `0`, where it means none, is looser than both.
const ROWS: &[(&str, &str, &str, bool)] = &[
    ("stale_book_ms", "1000", "1001", false),
    ("order_qty_max_base", "10", "11", false),
    ("order_notional_max_quote", "100", "100.01", false),
    ("position_max_base", "10", "11", false),
    ("short_max_base", "10", "11", false),
    ("open_orders_max", "3", "4", false),
    ("collar_bps", "50", "50.01", false),
    ("spread_min_bps", "5.01", "5", true),
    ("gross_max_quote", "100", "101", true),
    ("net_max_quote", "100", "101", true),
    ("leverage_max", "3", "3.01", true),
    ("order_rate_max_per_s", "10", "11", false),
    ("cancel_rate_max_per_s", "10", "11", true),
    ("instrument_loss_max_quote", "100", "101", true),
    ("loss_max_quote", "100", "101", true),
    ("daily_loss_max_quote", "100", "101", true),
    ("hourly_loss_max_quote", "100", "101", true),
    ("drawdown_max_quote", "100", "101", true),
    ("daily_fees_max_quote", "100", "101", true),
    ("funding_max_quote", "100", "101", true),
    ("inventory_age_max_s", "100", "101", true),
    ("volatility_max_bps", "5", "5.01", true),
    ("markout_loss_max_bps", "5", "5.01", true),
    ("feed_latency_max_ms", "100", "101", true),
    ("clock_skew_max_ms", "100", "101", true),
    // Not limits themselves, and yet they let more or less through.
    ("capital_quote", "1000", "1001", false),
    ("soft_percent", "50", "51", true),
    ("clear_percent", "50", "51", false),
    ("hold_s", "10", "9", true),
];

/// All keys at their tighter values, but for one.
fn but(key: &str, value: &str) -> Vec<String> {
    let line =
        |(own, tight, _, _): &(&str, &str, &str, bool)| format!("{own} = {}", if *own == key { value } else { tight });
    ROWS.iter().map(line).collect()
}

fn judged(old: &RiskLimits, new: &RiskLimits) -> Vec<(String, bool)> {
    let instruments: [Instrument; 1] = [rules()];
    old.differences(new, &instruments).into_iter().map(|d| (d.key, d.loosens)).collect()
}

#[test]
fn every_limit_is_looser_one_way_and_tighter_the_other() {
    let covered: BTreeSet<&str> = ROWS.iter().map(|row| row.0).collect();
    let missing: Vec<&str> = RULES.iter().map(|rule| rule.key).filter(|key| !covered.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?} are in the table of limits and not in this one");
    let tight = limits(&but("", ""), "");
    assert_eq!(judged(&tight, &tight), []);
    for (key, low, high, zero_is_none) in ROWS {
        let loose = limits(&but(key, high), "");
        assert_eq!(judged(&tight, &loose), [((*key).to_owned(), true)], "{key}: {low} → {high}");
        assert_eq!(judged(&loose, &tight), [((*key).to_owned(), false)], "{key}: {high} → {low}");
        if !zero_is_none {
            continue;
        }
        let none = limits(&but(key, "0"), "");
        let is_looser = |changes: &[(String, bool)]| changes.iter().any(|(_, loosens)| *loosens);
        let (off, on) = (judged(&tight, &none), judged(&none, &tight));
        assert!(off.iter().any(|(own, _)| own == key) && is_looser(&off), "{key} off: {off:?}");
        assert!(on.iter().any(|(own, _)| own == key) && !is_looser(&on), "{key} on: {on:?}");
    }
}

#[test]
fn tables_that_come_and_go_are_judged_by_what_they_let_through() {
    let of = |tables: &str| limits(&but("", ""), tables);
    let none = of("");
    let rows = [
        ("a venue's limit", "[risk.venues.binance-spot]\ngross_max_quote = 50\n", false),
        ("an instrument's tighter collar", "[risk.instruments.\"binance-spot:TESTUSDT\"]\ncollar_bps = 40\n", false),
        ("an instrument's wider collar", "[risk.instruments.\"binance-spot:TESTUSDT\"]\ncollar_bps = 60\n", true),
        ("another instrument's", "[risk.instruments.\"binance-spot:OTHER\"]\ncollar_bps = 60\n", false),
        ("a rate nobody can judge", "[risk.account_rates]\nUSDT = 0.9\n", true),
    ];
    for (what, tables, loosens) in rows {
        let with = of(tables);
        let (added, removed) = (judged(&none, &with), judged(&with, &none));
        assert_eq!(added.iter().any(|(_, looser)| *looser), loosens, "{what} added: {added:?}");
        let is_rate = what.contains("rate");
        let expected = !added.is_empty() && (is_rate || !loosens);
        assert_eq!(removed.iter().any(|(_, looser)| *looser), expected, "{what} removed: {removed:?}");
    }
    // What nobody can judge alone is looser while its limit is on, and says nothing when it comes and goes with it.
    let mut lines = but("", "");
    lines.push("markout_fills = 49".to_owned());
    assert_eq!(judged(&none, &limits(&lines, "")), [("markout_fills".to_owned(), true)]);
    lines.push("flatten_on_halt = true".to_owned());
    assert!(judged(&none, &limits(&lines, "")).contains(&("flatten_on_halt".to_owned(), true)));
}

//! How much of each limit was used, over time.

use papermaker::engine::{Command, Input, LimitUse, Session, Stamped};
use papermaker::journal::export::{At, Cast, Exporter, Kind, LimitRow, Wish, table::Format};
use papermaker::risk::{Limit, RULES, Whose};
use papermaker::run::usage::{Usage, limits};
use papermaker::strategy::Strategies;
use papermaker::units::{LocalTime, Lots, Money, Nanos};

use crate::engine::invariants::{second_rules, two_markets};
use crate::engine::story::{JoinBest, joining, sized, spec, story};
use crate::whatif::golden;

/// Every row of a session, a second each.
fn rows(
    spec: &papermaker::engine::SessionSpec,
    mut strategies: Strategies,
    inputs: &[Stamped],
    mut each: impl FnMut(&Session, &[papermaker::engine::Output]),
) -> Vec<LimitRow> {
    let (mut session, mut usage) = (Session::new(spec), Usage::new(Nanos::from_s(1)));
    let (mut rows, mut said) = (Vec::new(), Vec::new());
    for input in inputs {
        session.step(input, &mut strategies, &mut said);
        usage.step(&session, &said, &mut rows);
        each(&session, &said);
        said.clear();
    }
    usage.finish(&mut rows);
    rows
}

/// `event value/max, peak at its input`, of one limit.
fn told(rows: &[LimitRow], limit: Limit) -> Vec<String> {
    let shown = |value: Option<i128>| value.map_or("-".to_owned(), |value| value.to_string());
    let row = |row: &LimitRow| {
        let peak = row.peak.map_or(String::new(), |peak| format!(", {} at {}", peak.value, peak.seq));
        format!("{} {} {}/{}{peak}", row.seq, row.event, shown(row.used.value), row.used.max)
    };
    rows.iter().filter(|row| row.used.limit == limit).map(row).collect()
}

/// Two fills within the first second; at its end nothing of them is to be seen any more.
const THERE_AND_BACK: &str = "100 book 10@1000 / 10@1004
    150 tick
    160 sell 15@1000
    170 tick
    300 buy 15@1004
    310 tick
    1200 tick";

#[test]
fn what_was_used_between_two_samples_is_told_too() {
    // Input 1 bids for 5 of 10. Input 3 buys them and bids for 5 more: 5 + 5 of 10 could be held. Input 5 sells them
    // again: 0 + 5. The second of 100 to 1100 ms ends with input 6.
    let told_of = |limit| told(&rows(&spec(10), joining(5), &story(THERE_AND_BACK), |_, _| ()), limit);
    assert_eq!(
        told_of(Limit::PositionLong),
        ["1 start 5/10", "6 sample 5/10, 10 at 3", "7 sample 5/10, 5 at 7"],
        "long"
    );
    // Of one order, 5 of 1000: only when one is sent. Input 7 sends none.
    assert_eq!(told_of(Limit::OrderQty), ["1 start 5/1000", "6 sample -/1000, 5 at 1", "7 sample -/1000"]);
    // The market is silent from 300 on, but for the tick at 1200.
    assert_eq!(
        told_of(Limit::StaleBook),
        ["1 start 0/5000", "6 sample 10/5000, 50 at 2", "7 sample 900/5000, 900 at 7"]
    );
    // Two orders at input 1 of 1000 a second, two tokens; they are back within two milliseconds.
    assert_eq!(told_of(Limit::OrderRate)[..2], ["1 start 2/1000", "6 sample 0/1000, 2 at 1"]);
    // 1004 is 2 from the mid of 1002: 19.96 bps of 5000.
    assert_eq!(told_of(Limit::Collar)[0], "1 start 1996/500000");
}

#[test]
fn other_limits_end_the_interval_and_are_said_at_once() {
    let mut inputs = story("100 book 10@1000 / 10@1004\n150 tick\n160 tick\n170 tick");
    let before = {
        let mut spec = spec(10);
        spec.risk.book.loss_max = Some(Money(400 * Money::PER_QUOTE));
        spec
    };
    let command = Command::SetLimits(Box::new(spec(20).risk));
    inputs[2].input = Input::Command { by: "config/risk.toml".to_owned(), command };
    let rows = rows(&before, joining(5), &inputs, |_, _| ());
    assert_eq!(
        told(&rows, Limit::PositionLong),
        ["1 start 5/10", "2 sample 5/10, 5 at 1", "3 changed 5/20", "4 sample 5/20, 5 at 3"]
    );
    let max = 400 * Money::PER_QUOTE;
    let loss = [format!("1 start 0/{max}"), format!("2 sample 0/{max}, 0 at 1"), format!("3 lifted -/{max}")];
    assert_eq!(told(&rows, Limit::Loss), loss);
}

#[test]
fn no_use_is_higher_than_the_peaks_say_and_each_peak_was_there() {
    for seed in 0..6 {
        let mut spec = spec(15);
        let mut second = spec.desks[0].clone();
        second.rules = second_rules("0.1", 0);
        spec.desks.push(second);
        spec.risk = sized(&spec.risk, &[(15, 1_000), (150, 1_000)]);
        spec.risk.book.drawdown_max = Some(Money(5_000 * Money::PER_QUOTE));
        spec.risk.book.exposure.gross_max = Some(Money(50_000 * Money::PER_QUOTE));
        let strategies = vec![joining(5).remove(0), Some(Box::new(JoinBest { qty: 40 }) as _)];
        let mut all: Vec<(u64, LocalTime, Vec<LimitUse>)> = Vec::new();
        let rows = rows(&spec, strategies, &two_markets(seed, 2_000), |session, said| {
            let mut uses = session.limit_uses();
            session.request_uses_into(said, &mut uses);
            all.push((session.seq(), session.now(), uses));
        });
        let samples: Vec<&LimitRow> = rows.iter().filter(|row| row.event == "sample").collect();
        assert!(samples.len() > 100, "{} samples", samples.len());
        let mut from = std::collections::BTreeMap::new();
        for row in samples {
            // Anew, the slow way: everything since this limit's last row.
            let key = (row.used.whose, row.used.limit);
            let since: u64 = from.insert(key, row.seq).unwrap_or(0);
            let is_it = |used: &&LimitUse| (used.whose, used.limit) == key;
            let here = all.iter().filter(|(seq, ..)| (since + 1..=row.seq).contains(seq));
            let most = here.filter_map(|(seq, at, uses)| Some((uses.iter().find(is_it)?.value?, *seq, *at)));
            let most = most.reduce(|a, b| if b.0 > a.0 { b } else { a });
            assert_eq!(row.peak.map(|peak| (peak.value, peak.seq, peak.at)), most, "seed {seed}, {row:?}");
        }
        assert!(rows.iter().any(|row| row.event == "changed"), "the limits never changed");
    }
}

fn csv_and(format: Format) -> (String, Vec<u8>) {
    let (_folder, store) = golden();
    let manifest = store.manifest("demo-btcusdt").unwrap();
    let instruments: Vec<_> = manifest.spec.desks.iter().map(|desk| desk.rules.clone()).collect();
    let cast = Cast { instruments, strategies: vec![String::new()], limits: manifest.spec.risk.clone() };
    let write = |format| {
        let mut out = Vec::new();
        let wish = Wish { kind: Kind::Limits, format, at: At::End, depth: 1 };
        let mut exporter = Exporter::new(wish, cast.clone(), &mut out).unwrap();
        let reader = store.reader("demo-btcusdt").unwrap();
        limits::<anyhow::Error>(reader, &manifest, Nanos::from_s(1), |row, rules| Ok(exporter.limit(row, rules)?))
            .unwrap();
        exporter.finish().unwrap();
        out
    };
    (String::from_utf8(write(Format::Csv)).unwrap(), write(format))
}

#[test]
fn the_golden_session_uses_its_limits_within_them() {
    let (csv, parquet) = csv_and(Format::Parquet);
    crate::export::parquet::agrees(parquet, csv.trim_end());
    let mut lines = csv.lines();
    assert_eq!(lines.next().unwrap(), Kind::Limits.columns().join(","));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let column = |name: &str| Kind::Limits.columns().iter().position(|column| *column == name).unwrap();
    let (key, share, unit) = (column("limit"), column("peak_share"), column("unit"));
    let most = |name: &str| {
        let shares = rows.iter().filter(|row| row[key] == name).filter_map(|row| row[share].parse::<f64>().ok());
        shares.fold(0.0, f64::max)
    };
    // It quotes and trades, so these are used; nothing it sent went beyond a limit.
    for name in ["position_max_base", "short_max_base", "order_qty_max_base", "open_orders_max", "order_rate_max_per_s"]
    {
        assert!(most(name) > 0.0 && most(name) <= 1.0, "{name}: {}", most(name));
    }
    let units: std::collections::BTreeSet<&str> = rows.iter().map(|row| row[unit]).collect();
    assert_eq!(units.into_iter().collect::<Vec<_>>(), ["base", "bps", "ms", "orders", "per_s", "quote"]);
    // 45 seconds, a row each for every limit that a sample was taken of.
    let samples = rows.iter().filter(|row| row[2] == "sample" && row[key] == "position_max_base").count();
    assert!((40..=50).contains(&samples), "{samples} samples");
}

#[test]
fn every_limit_has_a_use_but_the_least_spread() {
    // All limits there are, so that each has its row.
    let mut spec = spec(15);
    let limits = &mut spec.risk;
    let some = Some(Money(1_000_000 * Money::PER_QUOTE));
    let own = &mut limits.instruments[0];
    own.inventory_age_max = Some(Nanos::from_s(60));
    own.volatility_max_centibps = Some(1_000);
    own.markout =
        Some(papermaker::risk::MarkoutLimit { horizon: Nanos::from_s(1), fills: 1, loss_max_centibps: 1_000 });
    (own.feed_latency_max_ms, own.clock_skew_max_ms) = (Some(1_000), Some(1_000));
    let exposure = papermaker::risk::ExposureLimits { gross_max: some, net_max: some };
    limits.venues.insert(papermaker::market::VenueId::BinanceSpot, exposure);
    let book = &mut limits.book;
    book.exposure = exposure;
    (book.capital, book.leverage_max_centi, book.cancel_rate_max_per_s) = (some, Some(100), Some(100));
    for max in [
        &mut book.loss_max,
        &mut book.daily_loss_max,
        &mut book.hourly_loss_max,
        &mut book.drawdown_max,
        &mut book.daily_fees_max,
        &mut book.funding_max,
    ] {
        *max = some;
    }
    let rows = rows(&spec, joining(5), &story(THERE_AND_BACK), |_, _| ());
    for rule in &RULES {
        let has_row = rows.iter().any(|row| row.used.limit == rule.limit);
        assert_eq!(has_row, rule.limit != Limit::SpreadMin, "{:?}", rule.limit);
    }
    let of_instrument = rows.iter().filter(|row| matches!(row.used.whose, Whose::Instrument(_))).count();
    assert!(of_instrument > 0 && spec.risk.instruments[0].long_max == Lots(15));
}

//! What an operator sees of a session, told as stories.

use std::sync::Arc;

use papermaker::dashboard::status::{JournalStatus, Phase};
use papermaker::dashboard::{Observer, StatusSnapshot};
use papermaker::engine::{SessionSpec, Stamped};
use papermaker::journal::{Manifest, Options, Store};
use papermaker::market::Kind;
use papermaker::run::core::Core;
use papermaker::units::{LocalTime, Nanos};

use crate::engine::contracts::contract;
use crate::engine::story::{joining, run, spec, story};

/// The picture at the end of a story, 10 ms after its last input.
fn picture_of(told: &str) -> Arc<StatusSnapshot> {
    picture_of_a(&spec(100), told)
}

fn picture_of_a(spec: &SessionSpec, told: &str) -> Arc<StatusSnapshot> {
    let inputs = story(told);
    let (session, said) = run(spec, joining(5), &inputs);
    let mut observer = Observer::new("story", &[spec.desks[0].rules.clone()], &joining(5));
    for (seq, output) in said {
        let at = inputs[usize::try_from(seq).expect("small") - 1].at;
        observer.hear(&[output], seq, at);
    }
    let last = inputs.last().map_or(LocalTime(0), |input| input.at);
    observer.picture(&session, last + Nanos::from_ms(10), Vec::new(), JournalStatus::default())
}

const QUOTED: &str = "100 book 10@1000 / 10@1004\n150 tick\n";

#[test]
fn a_quoting_session_shows_its_quotes_with_what_is_ahead_of_them() {
    let seen = picture_of(QUOTED);
    let it = &seen.instruments[0];
    assert_eq!((seen.state, seen.reason.as_str(), it.book.as_str()), (Phase::Quoting, "", "live"));
    assert_eq!((it.strategy.as_str(), it.mid.as_deref()), ("join-best", Some("1002")));
    let quotes: Vec<_> =
        it.quotes.iter().map(|q| (q.side.as_str(), q.price.as_str(), q.queue_ahead.as_deref())).collect();
    assert_eq!(quotes, [("buy", "1000", Some("10")), ("sell", "1004", Some("10"))]);
    // The decision fell at 100 ms, the picture is of 160 ms.
    assert_eq!((it.decision_age_ms, seen.seq), (Some(60), 2));
    assert!(seen.block().starts_with("PAPER story · QUOTING"), "{}", seen.block());
}

#[test]
fn a_fill_is_counted_and_reaches_the_money_and_the_limits() {
    // Bought 5 at 1000 with the mid at 1002: 2 × 5 = 10 earned. 5 of 100 lots held, 5 more may be bought.
    let seen = picture_of(&format!("{QUOTED}160 sell 15@1000\n170 tick"));
    let it = &seen.instruments[0];
    let pnl = it.pnl.as_ref().expect("marked");
    assert_eq!((seen.fills, it.position.as_str(), pnl.spread.as_str(), pnl.equity.as_str()), (1, "5", "10", "10"));
    assert_eq!((it.limits[0].limit.as_str(), it.limits[0].share), ("position_max_base", 0.1));
    // 5 joined 10: a third was ours.
    assert_eq!(it.level_share_max, 0.3333);
    assert!(seen.block().contains("at most 33.3 % of a level"), "{}", seen.block());
}

#[test]
fn a_recording_says_if_our_orders_were_large_for_their_levels() {
    // 5 beside 10 are a third; beside 95 they are a twentieth, and nothing is said.
    for (displayed, said) in [(10, Some("binance-spot:TESTUSDT: up to 33.3 % of a level was ours")), (95, None)] {
        let folder = tempfile::tempdir().expect("a folder");
        let spec = spec(100);
        let manifest = Manifest::new("story", spec.clone(), LocalTime(0));
        let writer = Store::open(folder.path()).create("story", manifest, Options::IMPORT).expect("begins");
        let mut core = Core::new(&spec, joining(5), writer, None, 1_000);
        for Stamped { at, input, .. } in story(&format!("100 book {displayed}@1000 / {displayed}@1004\n150 tick\n")) {
            core.take(at, input).expect("recorded");
        }
        let (_, manifest) = core.finish().expect("ends");
        assert_eq!(manifest.notes.len(), usize::from(said.is_some()), "{:?}", manifest.notes);
        assert!(said.is_none_or(|said| manifest.notes[0].starts_with(said)), "{:?}", manifest.notes);
    }
}

#[test]
fn a_position_is_worth_its_quote_currency_whatever_it_is_counted_in() {
    // 5 at the mid 1002 are 5010; 5 contracts of 1000 are 5000, and they earn the coin.
    for (kind, worth, words) in [
        (Kind::Linear, "5010", ["position_max_base", "USDT", "holds   5 TEST, worth 5010 USDT"]),
        (Kind::Inverse, "5000", ["position_max_quote", "TEST", "holds   5000 USDT, worth 5000 USDT"]),
    ] {
        let seen = picture_of_a(&contract(kind), &format!("{QUOTED}160 sell 15@1000\n170 tick"));
        let it = &seen.instruments[0];
        assert_eq!((it.notional_quote.as_deref(), seen.gross_notional_quote.as_str()), (Some(worth), worth));
        assert_eq!([it.limits[0].limit.as_str(), it.settle.as_str()], words[..2]);
        assert!(seen.block().contains(words[2]), "{}", seen.block());
    }
}

#[test]
fn a_session_that_does_not_quote_says_why() {
    for (told, state, reason) in [
        ("100 tick", Phase::WarmingUp, "binance-spot:TESTUSDT: book empty"),
        ("100 book 10@1000 / 10@1004\n150 gap", Phase::WarmingUp, "binance-spot:TESTUSDT: book gap"),
        ("100 book 10@1000 / 10@1004\n150 pause", Phase::Paused, "by operator"),
        ("100 book 10@1000 / 10@1004\n150 halt", Phase::Halted, "asked, by operator"),
        ("100 book 10@1000 / 10@1004\n150 halt\n160 resume", Phase::Quoting, ""),
        ("100 book 10@1000 / 10@1004\n150 stop", Phase::Stopping, ""),
    ] {
        let seen = picture_of(told);
        assert_eq!((seen.state, seen.reason.as_str()), (state, reason), "{told}");
    }
}

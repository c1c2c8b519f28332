//! Silence.

use super::*;

#[test]
fn case_17_an_acknowledged_subscription_without_data_is_told_and_then_left() {
    let mut talk = Talk::with(Settings::default());
    talk.hear(r#"{"result":null,"id":1}"#);
    assert_eq!(words(&talk.wait_ms(10_000)), [] as [&str; 0]);
    assert_eq!(words(&talk.wait_ms(250)), ["no_data depth", "no_data bbo", "no_data depth", "no_data bbo"]);
    assert_eq!(words(&talk.wait_ms(9_750)), [] as [&str; 0]);
    assert_eq!(words(&talk.wait_ms(60_000)), ["reconnect"]);
}

#[test]
fn a_book_is_live_when_all_its_channels_flow() {
    let mut talk = Talk::with(Settings::default());
    talk.hear(diff("BTCUSDT", 95, 100, "", ""));
    assert_eq!(words(&talk.fetched(BTC, &snapshot(100))), ["snapshot 100"]);
    assert_eq!(words(&talk.hear(bbo("BTCUSDT", 101))), ["bbo 101", "live"]);
    assert_eq!(words(&talk.hear(bbo("BTCUSDT", 102))), ["bbo 102"]);
}

#[test]
fn a_silent_channel_is_stale_once_live_again_with_data_and_left_when_it_stays_silent() {
    let mut talk = Talk::with(Settings::default());
    let mut seq = 100;
    let mut touch = |talk: &mut Talk, ms: i64| {
        let mut said = Vec::new();
        for _ in 0..ms / 1_000 {
            said.extend(talk.wait_ms(1_000));
            seq += 1;
            said.extend(talk.hear(bbo("BTCUSDT", seq)));
            said.extend(talk.hear(bbo("ETHUSDT", seq)));
            said.extend(talk.hear(diff("ETHUSDT", 1, 1, "", "")));
        }
        let mut words = words(&said);
        words.retain(|w| !w.starts_with("bbo") && !w.starts_with("fetch"));
        words
    };
    talk.hear(diff("BTCUSDT", 95, 100, "", ""));
    talk.fetched(BTC, &snapshot(100));
    assert_eq!(touch(&mut talk, 1_000), ["live"]);
    assert_eq!(touch(&mut talk, 4_000), [] as [&str; 0]);
    assert_eq!(touch(&mut talk, 4_000), ["stale depth"]);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), ["delta 102", "live"]);
    // ETH's snapshot never comes, so its book is asked for again; BTC is what this is about.
    let said = touch(&mut talk, 40_000);
    assert_eq!(said.iter().filter(|w| *w == "stale depth").count(), 1);
    assert_eq!(said.last().map(String::as_str), Some("reconnect"));
}

#[test]
fn a_closed_socket_voids_the_books() {
    let mut talk = Talk::in_step();
    let said = talk.close("1006");
    assert_eq!(words(&said), ["disconnected"]);
    assert!(talk.book().is_none());
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), [] as [&str; 0]);
    assert_eq!(words(&talk.open()), ["connected"]);
    // 101 would have continued the old socket's book; the new one starts with a snapshot of its own.
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), ["fetch after 0 ms"]);
}

#[test]
fn a_clock_that_leaps_back_is_survived() {
    let mut talk = Talk::in_step();
    talk.now = LocalTime(-5_000_000_000_000);
    assert_eq!(words(&talk.hear(diff("BTCUSDT", 101, 102, "", ""))), ["delta 102"]);
    assert_eq!(words(&talk.wait_ms(1_000)), [] as [&str; 0]);
    talk.now = LocalTime(i64::MIN);
    let mut said = Vec::new();
    let now = talk.now;
    talk.protocol.on_time(now, &mut said);
    assert_eq!(said, []);
}

#[test]
fn a_quiet_instrument_does_not_cost_the_others_their_books() {
    let mut talk = Talk::with(Settings::default());
    for (symbol, id) in [("BTCUSDT", BTC), ("ETHUSDT", ETH)] {
        talk.hear(diff(symbol, 95, 100, "", ""));
        talk.fetched(id, &snapshot(100));
        assert_eq!(words(&talk.hear(bbo(symbol, 101))).last().map(String::as_str), Some("live"));
    }
    let mut seq = 100;
    let mut eth_speaks = |talk: &mut Talk, s: u64| {
        let mut said = Vec::new();
        for _ in 0..s {
            said.extend(talk.wait_ms(1_000));
            seq += 1;
            talk.hear(diff("ETHUSDT", seq, seq, "", ""));
            talk.hear(bbo("ETHUSDT", seq));
        }
        words(&said)
    };
    // 30 s are the end of a silent connection, but this one speaks. BTC is not traded on meanwhile.
    assert_eq!(eth_speaks(&mut talk, 300), ["stale depth", "stale bbo"]);
    // Something may be wrong with its channels all the same.
    assert_eq!(eth_speaks(&mut talk, 2), ["reconnect"]);
}

//! The whole way from a venue's bytes on a socket to a book, on a recorded morning.

use std::io::{Read, Write};
use std::time::Duration;

use papermaker::feed::{Endpoint, FeedError, Settings, discover};
use papermaker::market::{Book, FeedEventKind, Instrument, InstrumentId, MarketEvent, MarketEventKind, VenueId};
use papermaker::units::{Lots, Side, Ticks};
use papermaker::wire::binance_spot;

use crate::feed::listener::{Listener, impatient};
use crate::support::full_size;
use crate::support::independent::Ladder;
use crate::support::playback::{Playback, Script, Speed};
use crate::support::recording::{Print, Recording};

pub fn endpoint(playback: &Playback) -> Endpoint {
    Endpoint::new(VenueId::BinanceSpot, &playback.ws_url(), &playback.rest_url()).expect("loopback is allowed")
}

pub async fn btcusdt(playback: &Playback) -> Instrument {
    discover(&endpoint(playback), &["BTCUSDT"]).await.expect("the server lists it").remove(0)
}

/// A bot's ears on this server.
pub async fn listen(playback: &Playback, settings: Settings, wire: binance_spot::Settings) -> (Instrument, Listener) {
    let instrument = btcusdt(playback).await;
    let protocol = binance_spot::conversation(vec![(InstrumentId(0), instrument.clone())], wire);
    (instrument, Listener::start(playback, settings, protocol))
}

/// The book that follows from the events; `None` while a gap or a lost connection leaves it unknown.
pub fn book(events: &[MarketEvent]) -> Option<Book> {
    let mut book = None;
    for event in events {
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                book.get_or_insert_with(Book::new).apply_snapshot(*seq, bids, asks, *extent);
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                book.as_mut().expect("no difference is passed on without a snapshot").apply_delta(*seq, bids, asks);
            }
            MarketEventKind::Gap { .. } => book = None,
            MarketEventKind::Trade { .. }
            | MarketEventKind::Bbo { .. }
            | MarketEventKind::Rules(_)
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => {}
        }
    }
    book
}

/// The best `depth` levels of each side in decimals.
pub fn top(book: &Book, instrument: &Instrument, depth: usize) -> (Ladder, Ladder) {
    let side = |side| {
        let levels = book.levels(side).take(depth);
        levels
            .map(|l| (instrument.tick.value(l.price.0).normalize(), instrument.lot.value(l.qty.0).normalize()))
            .collect()
    };
    (side(Side::Bid), side(Side::Ask))
}

/// What the recording's print must have become.
fn expected(print: &Print, instrument: &Instrument) -> (u64, Side, Ticks, Lots) {
    let taker = if print.buyer_is_maker { Side::Ask } else { Side::Bid };
    let price = instrument.tick.count(print.price.parse().unwrap()).unwrap();
    let qty = instrument.lot.count(print.qty.parse().unwrap()).unwrap();
    (print.id, taker, Ticks(price), Lots(qty))
}

pub fn trades(events: &[MarketEvent]) -> Vec<(u64, Side, Ticks, Lots)> {
    let trade = |event: &MarketEvent| match event.kind {
        MarketEventKind::Trade { id, taker, price, qty, .. } => Some((id, taker, price, qty)),
        _ => None,
    };
    events.iter().filter_map(trade).collect()
}

pub fn count(events: &[MarketEvent], wanted: impl Fn(&MarketEventKind) -> bool) -> usize {
    events.iter().filter(|event| wanted(&event.kind)).count()
}

/// Plays to the end and compares everything; there must be one connection, one snapshot, no gap.
async fn hear_all(script: Script) {
    let recording = script.recording.clone();
    let playback = Playback::start(script).await;
    let (instrument, listener) = listen(&playback, impatient(), binance_spot::Settings::default()).await;
    listener
        .wait_for("the whole recording", |l| playback.finished() && l.health.frames() == recording.frames.len() as u64)
        .await;
    let (last_id, truth) = playback.top(20);
    let health = listener.health.clone();
    listener.wait_for("the last difference", |l| book(&l.market_events()).map(|b| b.seq()) == last_id).await;
    let (events, feed) = (listener.market_events(), listener.feed_events());
    listener.stop().await;

    let prints: Vec<_> = recording.prints().iter().map(|p| expected(p, &instrument)).collect();
    assert!(!prints.is_empty());
    assert_eq!(trades(&events), prints);
    assert_eq!(count(&events, |k| matches!(k, MarketEventKind::Gap { .. })), 0, "{feed:#?}");
    assert_eq!(count(&events, |k| matches!(k, MarketEventKind::Snapshot { .. })), 1);
    assert_eq!(top(&book(&events).unwrap(), &instrument, 20), truth);
    assert_eq!(feed, [FeedEventKind::Connected, FeedEventKind::Live]);
    assert_eq!((health.connects(), health.gaps(), health.losses()), (1, 0, 0));
    let depth_requests: Vec<_> = playback.stats().depth_requests.iter().map(|(_, status)| *status).collect();
    assert_eq!(depth_requests, [200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_morning_is_heard_trade_by_trade_and_ends_in_the_same_book() {
    let Some(recording) = Recording::august() else { return };
    hear_all(Script::faithful(recording, Speed::Max)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_own_pace_and_twenty_times_as_fast_it_is_the_same() {
    let Some(recording) = Recording::august() else { return };
    let frames = if full_size() { (20_000, 2_000) } else { (2_000, 150) };
    tokio::join!(
        hear_all(Script::faithful(recording.beginning(frames.0), Speed::Times(20.0))),
        hear_all(Script::faithful(recording.beginning(frames.1), Speed::Times(1.0))),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_without_a_snapshot_never_becomes_a_book() {
    let Some(recording) = Recording::april_without_snapshot() else { return };
    let prints = recording.prints().len();
    assert!(recording.snapshot.is_none() && prints > 0);
    let playback = Playback::start(Script::faithful(recording, Speed::Max)).await;
    let (_, listener) = listen(&playback, impatient(), binance_spot::Settings::default()).await;
    listener.wait_for("every trade", |l| playback.finished() && trades(&l.market_events()).len() == prints).await;
    // And after it has asked in vain a few times.
    playback.wait(Duration::from_secs(10), |p| p.stats().depth_requests.len() >= 3).await;
    let events = listener.market_events();
    assert_eq!(count(&events, |k| matches!(k, MarketEventKind::Snapshot { .. } | MarketEventKind::Delta { .. })), 0);
    assert!(!listener.feed_events().contains(&FeedEventKind::Live));
    assert!(playback.stats().depth_requests.iter().all(|(_, status)| *status == 503));
    listener.stop().await;
}

#[tokio::test]
async fn discovery_gives_the_rules_and_names_the_nearest_symbol_for_a_misspelt_one() {
    let playback = Playback::start(Script::faithful(Recording::made_up(1), Speed::Max)).await;
    let instrument = btcusdt(&playback).await;
    assert_eq!((instrument.tick.to_string(), instrument.lot.to_string()), ("0.01".to_owned(), "0.00001".to_owned()));
    let error = discover(&endpoint(&playback), &["ETHUSDT", "BTCUDST"]).await.unwrap_err();
    assert_eq!(error.to_string(), "binance-spot does not list BTCUDST; did you mean BTCUSDT?");
}

#[test]
fn a_venue_can_also_run_beside_an_ordinary_test() {
    // As it does for tests that start the real binary: nothing of theirs is async.
    let (_runtime, playback) = Playback::beside(Script::faithful(Recording::made_up(1), Speed::Max));
    let address = playback.rest_url().replace("http://", "");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{}"), "{answer}");
}

#[tokio::test]
async fn discovery_at_a_dead_address_says_so_and_what_to_look_at() {
    let playback = Playback::start(Script::faithful(Recording::made_up(1), Speed::Max)).await;
    let gone = endpoint(&playback);
    drop(playback);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = discover(&gone, &["BTCUSDT"]).await.unwrap_err();
    assert!(matches!(error, FeedError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("refused") && text.ends_with("venues.binance-spot.rest_url"), "{text}");
}

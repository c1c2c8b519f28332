//! One bot on every venue at once, as an operator runs it: ten venues, one session, one risk book.

use std::fs;

use papermaker::market::VenueId;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::bot::{Bot, Left};
use crate::support::fake::{Fake, Fault, Plan};

pub(super) const STRATEGY: &str = r#"
kind = "fixed-spread"
half_spread_bps = 1.0
order_amount_base = "0.001"
order_amount_quote = "100"
"#;

/// Every venue with a market of its own, and the words that make a bot listen to the first instrument of each.
pub(super) fn open_all() -> (Vec<(Runtime, Fake)>, Vec<String>) {
    let fakes: Vec<_> = VenueId::ALL
        .into_iter()
        .zip(1..)
        .map(|(venue, seed)| Fake::beside(venue, Plan { seed, ..Plan::every_ms(20) }))
        .collect();
    let mut args = vec!["--profile".to_owned(), "live".to_owned()];
    for (_, fake) in &fakes {
        let venue = fake.id();
        let label = format!("{venue}:{}", fake.listings()[0].symbol);
        let set = |key: &str, value: String| ["--set".to_owned(), format!("{key}={value}")];
        args.extend(set(&format!("venues.{venue}.ws_url"), fake.ws_url()));
        args.extend(set(&format!("venues.{venue}.rest_url"), fake.rest_url()));
        if matches!(venue, VenueId::BinanceCoinm | VenueId::Deribit) {
            args.extend(set(&format!("risk.instruments.\"{label}\".position_max_quote"), "5_000".to_owned()));
            args.extend(set(&format!("risk.instruments.\"{label}\".order_qty_max_quote"), "1_000".to_owned()));
        }
        args.extend(["--instrument".to_owned(), label]);
    }
    (fakes, args)
}

fn instruments(picture: &Value) -> &Vec<Value> {
    picture["instruments"].as_array().expect("a list")
}

#[test]
fn one_session_quotes_on_every_venue_and_its_replay_is_identical() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    fs::write(here.join("fixed.toml"), STRATEGY).expect("written");
    let (fakes, mut args) = open_all();
    args.extend(["--strategy".to_owned(), "fixed.toml".to_owned()]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut bot = Bot::start(here, "all", &args);
    let quoting = |i: &Value| i["quotes"].as_array().is_some_and(|orders| !orders.is_empty());
    bot.wait_until("quoting everywhere", |p| instruments(p).len() == 10 && instruments(p).iter().all(quoting));
    bot.wait_until("trading", |p| p["fills"].as_u64() > Some(0));

    // One venue is lost for a moment; it comes back, and the others never noticed.
    let kraken = fakes.iter().position(|(_, fake)| fake.id() == VenueId::Kraken).expect("it is there");
    fakes[kraken].1.inject(Fault::Close { code: 1012, lost: 3 }.now());
    let of = |p: &Value, venue: VenueId| {
        let feeds = p["feeds"].as_array().expect("a list").clone();
        feeds.into_iter().filter(|f| f["venue"] == venue.name()).map(|f| f["reconnects"].as_u64()).max().flatten()
    };
    let picture = bot.wait_until("connected anew", |p| of(p, VenueId::Kraken) == Some(1));
    assert_eq!(of(&picture, VenueId::Okx), Some(0), "{picture}");
    bot.wait_until("quoting everywhere again", |p| instruments(p).iter().all(quoting));
    bot.terminate();

    let left = Left { folder: here, session: "all" };
    let conduct = left.conduct();
    assert!(conduct.placed >= 20 && conduct.fills > 0 && conduct.resting_at_end == 0, "{conduct:?}");
    left.verb(&["sessions", "verify"], &[]).exits(0);
    left.replays();
    let feed = left.rows("feed", &[]);
    for venue in VenueId::ALL {
        let told = |event: &str| feed.iter().filter(|row| row[2] == venue.name() && row[4] == event).count();
        let lost = usize::from(venue == VenueId::Kraken);
        assert!(told("connected") > lost && told("live") > lost, "{venue}");
        assert_eq!(told("disconnected"), lost, "{venue}");
    }
    let funding = left.rows("funding", &[]);
    for venue in [VenueId::BinanceUsdm, VenueId::BinanceCoinm, VenueId::BybitLinear, VenueId::Deribit] {
        assert!(funding.iter().any(|row| row.iter().any(|cell| cell == venue.name())), "marks of {venue}");
    }
}

#[test]
fn recording_many_instruments_needs_no_strategy_and_no_limits() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let (fakes, mut args) = open_all();
    // The second instrument of each venue too.
    args.extend(
        fakes
            .iter()
            .flat_map(|(_, fake)| ["--instrument".to_owned(), format!("{}:{}", fake.id(), fake.listings()[1].symbol)]),
    );
    args.push("--record-only".to_owned());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut bot = Bot::start(here, "many", &args);
    let picture = bot.wait_until("recording everything", |p| {
        instruments(p).len() == 20 && instruments(p).iter().all(|i| i["mid"].is_string())
    });
    assert!(picture["feeds"].as_array().expect("a list").iter().all(|f| f["connected"] == true), "{picture}");
    let inputs = |p: &Value| p["seq"].as_u64().unwrap_or(0);
    let before = inputs(&picture);
    bot.wait_until("recording more", |p| inputs(p) > before + 100);
    bot.terminate();
    let left = Left { folder: here, session: "many" };
    assert_eq!(left.conduct().decisions, 0);
    left.replays();
}

//! Nothing goes wrong.

use std::time::Duration;

use papermaker::feed::Settings;
use papermaker::market::{FeedEventKind, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::Side;

use super::all;
use crate::support::ears::{Bot, PATIENCE, calm, depth_of, venue_lot};
use crate::support::fake::{Fake, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_venue_is_followed_to_the_last_level_and_print() {
    for venue in all() {
        let fake = Fake::start(venue, Plan::default()).await;
        let bot = Bot::listen(&fake, calm(), Settings::default()).await;
        bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
        for _ in 0..10 {
            fake.play(60);
            bot.books_are_true(&fake, depth_of(venue)).await;
        }
        let shown = fake.stats().shown;
        let all_printed = fake.wait(PATIENCE, |_| bot.ears().trades.len() >= shown.len()).await;
        let ears = bot.ears();
        assert!(all_printed, "{venue}: {} prints of {}", ears.trades.len(), shown.len());
        for (i, rules) in bot.instruments.iter().enumerate() {
            let lot = venue_lot(rules);
            let ours: Vec<_> = ears
                .trades
                .iter()
                .filter(|event| event.instrument == InstrumentId(i as u16))
                .map(|event| match event.kind {
                    MarketEventKind::Trade { taker, price, qty, .. } => {
                        let (price, qty) = (rules.tick.value(price.0).normalize(), lot.value(qty.0).normalize());
                        (price, qty, taker == Side::Bid, event.venue_time.expect("prints have a time").0 / 1_000_000)
                    }
                    ref other => panic!("{other:?} among the prints"),
                })
                .collect();
            let theirs = shown.iter().filter(|(symbol, _)| *symbol == rules.symbol);
            let theirs: Vec<_> =
                theirs.map(|(_, p)| (p.price.normalize(), p.qty.normalize(), p.taker_buys, p.at_ms)).collect();
            assert_eq!(ours, theirs, "{}", rules.label());
        }
        let trouble = |kind: &FeedEventKind| !matches!(kind, FeedEventKind::Connected | FeedEventKind::Live);
        let trouble: Vec<_> = ears.feed.iter().filter(|(_, _, kind)| trouble(kind)).collect();
        // Before trades and marks flow on a connection of their own it says so.
        let expected = bot.helping_connections();
        assert_eq!((ears.gaps, trouble.len()), (0, expected), "{venue}: {trouble:?}");
        let twice = fake.stats().subscribed;
        assert!(twice.iter().all(|one| twice.iter().filter(|other| *other == one).count() == 1), "{venue}: {twice:?}");
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn derivatives_come_with_marks_and_funding() {
    for venue in all() {
        let fake = Fake::start(venue, Plan::default()).await;
        let bot = Bot::listen(&fake, calm(), Settings::default()).await;
        bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
        let has_marks = match venue {
            VenueId::BinanceSpot | VenueId::BybitSpot | VenueId::Coinbase | VenueId::Kraken | VenueId::Imported => {
                false
            }
            VenueId::BinanceUsdm
            | VenueId::BinanceCoinm
            | VenueId::BybitLinear
            | VenueId::Okx
            | VenueId::Hyperliquid
            | VenueId::Deribit => true,
        };
        if has_marks {
            bot.market_until(&fake, "marks", |bot| bot.ears().marks > 2).await;
        } else {
            fake.play(200);
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(bot.ears().marks, 0, "{venue}");
        }
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_with_what_was_sent() {
    for venue in all() {
        let fake = Fake::start(venue, Plan::default()).await;
        let bot = Bot::listen(&fake, calm(), Settings::default()).await;
        bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
        fake.ping(b"are you there");
        let answered = fake.wait(PATIENCE, |fake| fake.stats().pongs.len() == bot.connections).await;
        assert!(answered, "{venue}: {:?}", fake.stats().pongs);
        assert!(fake.stats().pongs.iter().all(|payload| payload == b"are you there"), "{venue}");
        bot.stop().await;
    }
}

//! The bot's own feed on the simulated exchange: two halves of this house that know each other only by the venue's
//! documentation.

use papermaker::feed::{Ended, Endpoint, FeedError, discover};
use papermaker::market::{Book, FeedEventKind, InstrumentId, MarketEventKind, VenueId};
use papermaker::sim::SimSpec;
use papermaker::units::{Nanos, Side};
use papermaker::wire::binance_spot::{Settings, conversation};

use super::server::{true_book, with_exchange};
use crate::feed::listener::{Appetite, Listener, impatient};

#[test]
fn the_feed_finds_the_rules_synchronises_and_ends_with_the_worlds_own_books() {
    with_exchange(5.0, |at| async move {
        let endpoint = Endpoint::new(VenueId::BinanceSpot, &format!("ws://{at}"), &format!("http://{at}")).unwrap();
        let rules = discover(&endpoint, &["BTCUSDT", "ETHUSDT"]).await.unwrap();
        for (found, market) in rules.iter().zip(SimSpec::default().market) {
            let ours = market.rules().unwrap();
            assert_eq!((found.tick, found.lot, found.min_notional), (ours.tick, ours.lot, ours.min_notional));
            assert_eq!((&found.symbol, &found.base, found.status), (&ours.symbol, &ours.base, ours.status));
        }
        let unknown = discover(&endpoint, &["BTCUSDC"]).await.unwrap_err();
        assert!(matches!(&unknown, FeedError::UnknownSymbol { nearest: Some(n), .. } if n == "BTCUSDT"), "{unknown}");

        let desks = rules.into_iter().enumerate().map(|(i, r)| (InstrumentId(i as u16), r)).collect();
        let protocol = conversation(desks, Settings::default());
        let feed = Listener::at(endpoint, impatient(), protocol, Appetite::HUNGRY);
        feed.wait_for("100 trades and both books", |f| {
            let live = f.feed_events().iter().filter(|k| **k == FeedEventKind::Live).count();
            live >= 2 && f.trade_ids().len() >= 100
        })
        .await;
        let news = feed.market_events();
        for kind in feed.feed_events() {
            let calm = matches!(kind, FeedEventKind::Connected | FeedEventKind::Live | FeedEventKind::Resync { .. });
            assert!(calm, "{kind:?} on a healthy loopback");
        }
        assert_eq!(feed.stop().await, Ended::Stopped);

        for symbol in 0..2u16 {
            let (mut book, mut trades) = (Book::new(), Vec::new());
            for event in news.iter().filter(|e| e.instrument == InstrumentId(symbol)) {
                match &event.kind {
                    MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                        book.apply_snapshot(*seq, bids, asks, *extent);
                    }
                    MarketEventKind::Delta { seq, bids, asks } => book.apply_delta(*seq, bids, asks),
                    MarketEventKind::Trade { id, .. } => trades.push(*id),
                    MarketEventKind::Bbo { .. } => {}
                    MarketEventKind::Gap { .. }
                    | MarketEventKind::Rules(_)
                    | MarketEventKind::Status(_)
                    | MarketEventKind::Mark(_)
                    | MarketEventKind::Order(_) => {
                        panic!("{event:?} from a market that never closes")
                    }
                }
            }
            assert!(trades.windows(2).all(|w| w[0] + 1 == w[1]), "no print is missing");
            let truth = true_book(symbol, book.seq());
            for side in Side::BOTH {
                let (found, expected) = (book.levels(side).collect::<Vec<_>>(), truth.levels(side).collect::<Vec<_>>());
                assert!(!found.is_empty() && found == expected, "market {symbol}, {side:?}, update {}", book.seq());
            }
        }
        let times: Vec<_> = news.iter().filter_map(|e| e.venue_time).collect();
        assert!(times.iter().max().unwrap().0 - times.iter().min().unwrap().0 > Nanos::from_s(1).0);
    });
}

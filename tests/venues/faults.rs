//! Everything goes wrong, at every venue in turn. Whatever it was, in the end the books are the venue's books again and
//! nothing was asked for twice.

use std::time::Duration;

use papermaker::feed::Settings;
use papermaker::market::{FeedEventKind, InstrumentId, VenueId};
use papermaker::units::Nanos;
use papermaker::wire::dialect::Options;
use papermaker::wire::liveness::Patience;

use super::all;
use crate::support::ears::{Bot, PATIENCE, calm, depth_of};
use crate::support::fake::{Fake, Fault, Plan, Stats};

/// Comes back quickly.
fn hurried() -> Settings {
    Settings {
        backoff_base: Duration::from_millis(5),
        backoff_cap: Duration::from_millis(50),
        tick_every: Duration::from_millis(20),
        ..Settings::default()
    }
}

/// After what, if anything, a book may be believed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// It was never in doubt.
    None,
    /// The book was in doubt and came anew, on the same socket or another.
    Book,
    /// The socket was lost.
    Socket,
    /// That depends.
    Any,
}

/// A bot that is live meets a fault, and the market goes on until the bot is live and right again.
async fn meet(venue: VenueId, fault: Fault, options: Options, settings: Settings) -> (Fake, Bot) {
    let fake = Fake::start(venue, Plan::default()).await;
    let bot = Bot::listen(&fake, options, settings).await;
    bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
    bot.books_are_true(&fake, depth_of(venue)).await;
    fake.inject(fault.now());
    bot.market_until(&fake, "the fault to strike", |_| fake.pending() == 0).await;
    // What it did shows with the next messages at the latest.
    let struck = fake.happened();
    bot.market_until(&fake, "the market to go on", |_| fake.happened() > struck + 60).await;
    (fake, bot)
}

async fn recover(fake: &Fake, bot: &Bot) {
    bot.market_until(fake, "both instruments to be live again", Bot::is_live).await;
    bot.books_are_true(fake, depth_of(fake.id())).await;
}

/// Losses of sockets that once were open.
fn losses(bot: &Bot) -> usize {
    bot.ears().told(|kind| matches!(kind, FeedEventKind::Disconnected { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_in_a_book_message_costs_what_it_must_and_no_more() {
    for venue in all() {
        // Every message of Hyperliquid is a whole book; nothing but its time says that one is missing.
        let chained = if venue == VenueId::Hyperliquid { Harm::None } else { Harm::Book };
        // Nothing in the protocol of the others can tell.
        let summed = if venue == VenueId::Kraken { Harm::Book } else { Harm::None };
        for (fault, harm) in [
            (Fault::Drop, chained),
            // Two messages of one instrument or of two: only a connection that counts them all must mind the latter.
            (Fault::SwapWithNext, Harm::Any),
            (Fault::Duplicate, Harm::None),
            (Fault::WrongChecksum, summed),
            (Fault::HalfText, Harm::Book),
            (Fault::InvalidUtf8, Harm::Socket),
            (Fault::Binary, Harm::None),
            (Fault::Fragmented(3), Harm::None),
            (Fault::UnknownFields, Harm::None),
            (Fault::UnknownType, Harm::None),
            (Fault::Close { code: 1012, lost: 5 }, Harm::Socket),
            (Fault::Reset { lost: 5 }, Harm::Socket),
            (Fault::Oversized(2 << 20), Harm::Socket),
        ] {
            let settings = Settings { frame_bytes_max: 1 << 20, ..hurried() };
            let (fake, bot) = meet(venue, fault.clone(), calm(), settings).await;
            recover(&fake, &bot).await;
            let (gaps, lost) = (bot.ears().gaps, losses(&bot));
            let what = format!("{venue} {fault:?}: {gaps} gaps, {lost} sockets lost, {:#?}", bot.ears().feed);
            match harm {
                Harm::None => assert_eq!((gaps, lost), (0, 0), "{what}"),
                // Coinbase counts the messages of the connection: one lost, all books are in doubt.
                Harm::Book => assert!(gaps >= 1 || lost >= 1, "{what}"),
                Harm::Any => {}
                Harm::Socket => assert!(lost >= 1 && fake.stats().sockets > bot.connections, "{what}"),
            }
            assert_asked_once(&fake.stats(), venue, &fault);
            bot.stop().await;
        }
    }
}

/// No topic is subscribed to twice on one socket, unless it was given up in between.
fn assert_asked_once(stats: &Stats, venue: VenueId, fault: &Fault) {
    for one in &stats.subscribed {
        let asked = stats.subscribed.iter().filter(|other| *other == one).count();
        let ended = stats.unsubscribed.iter().filter(|other| *other == one).count();
        assert!(asked <= ended + 1, "{venue} {fault:?}: {one:?} asked for {asked} times, given up {ended} times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_socket_asks_for_what_the_old_one_had() {
    for venue in all() {
        let fault = Fault::Close { code: 1001, lost: 0 };
        let (fake, bot) = meet(venue, fault, calm(), hurried()).await;
        recover(&fake, &bot).await;
        let stats = fake.stats();
        let of = |socket: usize| {
            let mut topics: Vec<_> = stats.subscribed.iter().filter(|(s, _)| *s == socket).map(|(_, t)| t).collect();
            topics.sort();
            topics
        };
        let sockets: Vec<usize> = {
            let mut sockets: Vec<_> = stats.subscribed.iter().map(|(s, _)| *s).collect();
            sockets.sort();
            sockets.dedup();
            sockets
        };
        let last = *sockets.last().expect("sockets were opened");
        assert!(sockets[..sockets.len() - 1].iter().any(|old| of(*old) == of(last)), "{venue}: {:?}", stats.subscribed);
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_socket_is_left() {
    for venue in all() {
        let short = Patience { first_data: Nanos::from_s(5), stale: Nanos::from_ms(400), dead: Nanos::from_ms(1_200) };
        let options = Options { depth_patience: short, ..calm() };
        let (fake, bot) = meet(venue, Fault::HalfOpen { lost: 3 }, options, hurried()).await;
        bot.market_until(&fake, "the loss to be noticed", |bot| losses(bot) > 0).await;
        recover(&fake, &bot).await;
        assert!(bot.ears().told(|kind| matches!(kind, FeedEventKind::Stale { .. })) > 0, "{venue}");
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_venue_is_stale_and_then_live_again_on_the_same_socket() {
    for venue in all() {
        let short = Patience { first_data: Nanos::from_s(5), stale: Nanos::from_ms(300), dead: Nanos::from_s(30) };
        let options = Options { depth_patience: short, ..calm() };
        let (fake, bot) = meet(venue, Fault::Throttle(Duration::from_millis(1_200)), options, hurried()).await;
        let stale = |bot: &Bot| bot.ears().told(|kind| matches!(kind, FeedEventKind::Stale { .. }));
        bot.market_until(&fake, "the stall to be noticed", |bot| stale(bot) > 0).await;
        recover(&fake, &bot).await;
        assert_eq!(losses(&bot), 0, "{venue}: {:#?}", bot.ears().feed);
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_stays_crossed_is_fetched_anew() {
    for venue in all() {
        let sync = papermaker::wire::depth_sync::SyncLimits { crossed: Nanos::from_ms(100), ..Default::default() };
        let (fake, bot) = meet(venue, Fault::Crossed, Options { sync, ..calm() }, hurried()).await;
        // Hyperliquid's next message replaces the book anyway.
        if venue != VenueId::Hyperliquid {
            bot.market_until(&fake, "the cross to be noticed", |bot| bot.ears().gaps > 0).await;
        }
        recover(&fake, &bot).await;
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announced_shutdown_is_bridged() {
    for venue in all().into_iter().filter(|v| matches!(v, VenueId::BinanceSpot | VenueId::Okx)) {
        let (fake, bot) = meet(venue, Fault::AnnounceShutdown, calm(), hurried()).await;
        bot.market_until(&fake, "another socket", |_| fake.stats().sockets > bot.connections).await;
        recover(&fake, &bot).await;
        assert!(bot.ears().told(|kind| *kind == FeedEventKind::ShutdownAnnounced) >= 1);
        // The new one was open before the old one was left.
        assert!(fake.stats().open_max > bot.connections, "{venue}");
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_subscription_without_data_is_noticed_and_left() {
    for venue in all() {
        let fake = Fake::start(venue, Plan::default()).await;
        let short = Patience { first_data: Nanos::from_ms(400), stale: Nanos::from_s(20), dead: Nanos::from_s(60) };
        let options = Options { depth_patience: short, ..calm() };
        // Everything that is subscribed to stays silent, once.
        let silence = |fake: &Fake| fake.inject(Fault::AckButNoData(64).now());
        let bot = Bot::listen_after(&fake, options, hurried(), silence).await;
        let opened = fake.stats().sockets;
        let noticed =
            |kind: &FeedEventKind| matches!(kind, FeedEventKind::NoData { channel, .. } if channel == "depth");
        bot.market_until(&fake, "the silence to be noticed", |bot| bot.ears().told(noticed) > 0).await;
        bot.market_until(&fake, "another socket", |_| fake.stats().sockets > opened.max(bot.connections)).await;
        bot.stop().await;
    }
}

/// Where a change of rules or status is pushed it comes by itself; elsewhere by asking again.
fn curious(venue: VenueId) -> Options {
    // Kraken pushes them; asking would open a socket each time.
    let rules_every = if venue == VenueId::Kraken { Nanos::ZERO } else { Nanos::from_ms(100) };
    Options { rules_every, ..calm() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delisted_instrument_is_not_tradable_and_causes_no_storm() {
    for venue in all() {
        let fake = Fake::start(venue, Plan::default()).await;
        let symbol = fake.listings()[1].symbol;
        let bot = Bot::listen(&fake, curious(venue), hurried()).await;
        bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
        let second = bot.instruments.iter().position(|rules| rules.symbol == symbol).expect("it is listened to");
        let id = InstrumentId(second as u16);
        fake.inject(Fault::Delist { symbol }.now());
        bot.market_until(&fake, "the word that it is gone", |bot| {
            bot.ears().status.get(&id).is_some_and(|status| !status.may_quote())
        })
        .await;
        let (before, opened) = (bot.ears(), fake.stats().sockets);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let after = bot.ears();
        assert!(after.gaps <= before.gaps + 1, "{venue}: {:#?}", after.feed);
        assert!(after.feed.len() <= before.feed.len() + 3, "{venue}: {:#?}", after.feed);
        assert!(fake.stats().sockets <= opened + 1, "{venue}");
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finer_tick_is_heard_of_and_the_book_is_right_in_it() {
    // Hyperliquid has no tick: its grid is the finest its prices can ever be on.
    for venue in all().into_iter().filter(|venue| *venue != VenueId::Hyperliquid) {
        let fake = Fake::start(venue, Plan::default()).await;
        let symbol = fake.listings()[0].symbol;
        let bot = Bot::listen(&fake, curious(venue), hurried()).await;
        bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
        let first = bot.instruments.iter().position(|rules| rules.symbol == symbol).expect("it is listened to");
        let (id, old) = (InstrumentId(first as u16), bot.instruments[first].tick);
        fake.inject(Fault::ChangeTick { symbol }.now());
        bot.market_until(&fake, "the new rules", |bot| bot.ears().rules[&id].tick != old).await;
        assert_eq!(bot.ears().rules[&id].tick.size() * rust_decimal::Decimal::TEN, old.size(), "{venue}");
        fake.play(100);
        recover(&fake, &bot).await;
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_venue_that_wants_silence_gets_it() {
    for venue in all() {
        let fake = Fake::start(venue, Plan::default()).await;
        let bot = Bot::listen(&fake, curious(venue), hurried()).await;
        bot.market_until(&fake, "both instruments to be live", Bot::is_live).await;
        fake.inject(Fault::RestStatus { status: 429, retry_after: Some(2), times: 1 }.now());
        let refused = |fake: &Fake| fake.stats().rest.iter().rposition(|(_, _, status)| *status == 429);
        // Kraken is asked over a socket.
        if venue == VenueId::Kraken {
            bot.stop().await;
            continue;
        }
        assert!(fake.wait(PATIENCE, |fake| refused(fake).is_some()).await, "{venue} is asked for its rules");
        // A question to the same venue may have been on its way at that moment; none is sent after it.
        let after = |fake: &Fake| {
            let rest = fake.stats().rest;
            let at = rest[refused(fake).expect("once")].0;
            let later = rest.iter().map(|(when, _, _)| when.saturating_duration_since(at));
            later.filter(|silence| *silence > Duration::from_millis(50)).min()
        };
        assert!(fake.wait(PATIENCE, |fake| after(fake).is_some()).await, "{venue} is asked again");
        let silence = after(&fake).expect("asked again");
        assert!(silence >= Duration::from_millis(1_990), "{venue} was asked again after {silence:?}");
        bot.stop().await;
    }
}

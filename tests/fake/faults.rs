//! Every fault does what it says, at every venue where it means something.

use rust_decimal::Decimal;

use super::*;
use crate::support::fake::{Fault, Kind, Plan, Strike};

/// A client in step, then a fault at the next book message, then thirty events more.
async fn after(id: VenueId, fault: Fault) -> (Fake, Client, Rebuilt) {
    let fake = Fake::start(id, Plan { seed: 5, ..Plan::default() }).await;
    let (mut client, mut rebuilt) = in_step(&fake).await;
    rebuilt.counts = Default::default();
    fake.inject(fault.now());
    fake.play(30);
    follow(&mut client, &fake, &mut rebuilt).await;
    assert_eq!(fake.pending(), 0, "{id}: it has struck");
    (fake, client, rebuilt)
}

fn is_right(fake: &Fake, rebuilt: &Rebuilt) -> bool {
    let manual = manual(fake.id());
    let depth = manual.window.min(20);
    rebuilt.top(manual.symbol, depth) == Some(fake.top(manual.symbol, depth))
}

#[tokio::test]
async fn a_dropped_change_shows_by_whatever_the_venue_has_to_show_it() {
    for manual in &MANUALS {
        let (fake, _, rebuilt) = after(manual.id, Fault::Drop).await;
        let counts = rebuilt.counts;
        match manual.id {
            VenueId::Kraken => assert!(counts.wrong_checksums > 0, "{counts:?}"),
            // Every message is whole: nothing is missing a message later.
            VenueId::Hyperliquid => assert!(is_right(&fake, &rebuilt)),
            _ => assert_eq!((counts.gaps, is_right(&fake, &rebuilt)), (1, false), "{}: {counts:?}", manual.id),
        }
    }
}

#[tokio::test]
async fn a_doubled_change_does_no_harm_to_whoever_looks_at_its_number() {
    for manual in &MANUALS {
        let (fake, _, rebuilt) = after(manual.id, Fault::Duplicate).await;
        assert!(is_right(&fake, &rebuilt), "{}: {:?}", manual.id, rebuilt.counts);
        // Kraken has no numbers, and quantities are absolute; Hyperliquid's are times, which the naive book ignores.
        let numbered = !matches!(manual.id, VenueId::Kraken | VenueId::Hyperliquid);
        assert_eq!(rebuilt.counts.old == 1, numbered, "{}: {:?}", manual.id, rebuilt.counts);
    }
}

#[tokio::test]
async fn two_changes_in_the_wrong_order_are_a_hole() {
    for manual in &MANUALS {
        let (_, _, rebuilt) = after(manual.id, Fault::SwapWithNext).await;
        let counts = rebuilt.counts;
        match manual.id {
            VenueId::Kraken => assert!(counts.wrong_checksums > 0, "{counts:?}"),
            VenueId::Hyperliquid => {}
            _ => assert_eq!(counts.gaps, 1, "{}: {counts:?}", manual.id),
        }
    }
}

#[tokio::test]
async fn a_wrong_digit_shows_by_the_checksum_and_by_nothing_else() {
    for manual in &MANUALS {
        for fault in [Fault::WrongDigit, Fault::WrongChecksum] {
            let (fake, _, rebuilt) = after(manual.id, fault.clone()).await;
            let counts = rebuilt.counts;
            let shows = manual.id == VenueId::Kraken;
            assert_eq!(counts.wrong_checksums > 0, shows, "{} {fault:?}: {counts:?}", manual.id);
            assert_eq!(counts.gaps, 0, "{}", manual.id);
            if fault == Fault::WrongChecksum && !shows {
                assert!(is_right(&fake, &rebuilt), "{}: there is none to be wrong", manual.id);
            }
        }
    }
}

#[tokio::test]
async fn half_a_text_cannot_be_read() {
    for manual in &MANUALS {
        let (_, _, rebuilt) = after(manual.id, Fault::HalfText).await;
        assert_eq!(rebuilt.counts.unreadable, 1, "{}", manual.id);
    }
}

#[tokio::test]
async fn what_is_legal_does_no_harm() {
    let legal =
        [Fault::Fragmented(3), Fault::UnknownFields, Fault::UnknownType, Fault::Throttle(Duration::from_millis(5))];
    for manual in &MANUALS {
        for fault in &legal {
            let (fake, _, rebuilt) = after(manual.id, fault.clone()).await;
            assert!(is_right(&fake, &rebuilt), "{} {fault:?}: {:?}", manual.id, rebuilt.counts);
            assert_eq!(rebuilt.counts.gaps + rebuilt.counts.unreadable, 0, "{} {fault:?}", manual.id);
        }
    }
}

#[tokio::test]
async fn a_crossed_book_is_crossed_until_it_comes_anew() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan { seed: 5, ..Plan::default() }).await;
        let (mut client, mut rebuilt) = in_step(&fake).await;
        fake.inject(Fault::Crossed.now());
        let mut crossed = false;
        for _ in 0..30 {
            fake.play(1);
            follow(&mut client, &fake, &mut rebuilt).await;
            let (bids, asks) = rebuilt.books[manual.symbol].top(1);
            crossed |= bids[0].0 > asks[0].0;
        }
        assert!(crossed, "{}", manual.id);
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_come_as_such() {
    for manual in &MANUALS {
        let (_, client, _) = after(manual.id, Fault::Binary).await;
        assert!(client.heard.iter().any(|m| matches!(m, Message::Binary(_))), "{}", manual.id);

        let fake = Fake::start(manual.id, Plan::default().with(Fault::InvalidUtf8.now())).await;
        let mut client = Client::following(&fake).await;
        fake.play(30);
        let error = loop {
            if let Err(error) = client.next().await {
                break error;
            }
        };
        assert!(error.to_lowercase().contains("utf-8"), "{}: {error}", manual.id);
    }
}

#[tokio::test]
async fn an_oversized_message_is_as_large_as_asked() {
    let fake = Fake::start(VenueId::Coinbase, Plan::default()).await;
    let mut client = Client::following(&fake).await;
    fake.inject(Fault::Oversized(1 << 20).now());
    fake.play(30);
    let texts = client.drain(&fake).await;
    assert!(texts.iter().any(|text| text.len() == 1 << 20));
}

#[tokio::test]
async fn a_ping_wants_the_same_bytes_back() {
    for manual in &MANUALS {
        let (fake, _client, _) = after(manual.id, Fault::Ping(b"1790000000000".to_vec())).await;
        let answered = |fake: &Fake| fake.stats().pongs.iter().any(|payload| payload == b"1790000000000");
        assert!(fake.wait(PATIENCE, answered).await, "{}: {:?}", manual.id, fake.stats().pongs);
    }
}

#[tokio::test]
async fn connections_end_in_every_way_there_is() {
    for manual in &MANUALS {
        for fault in [Fault::Close { code: 1012, lost: 10 }, Fault::Reset { lost: 10 }] {
            let fake = Fake::start(manual.id, Plan::default().with(fault.clone().now())).await;
            let mut client = Client::following(&fake).await;
            while fake.pending() > 0 {
                fake.play(1);
            }
            // The event it struck at, and ten that reached nobody.
            let (at, _) = fake.stats().struck[0];
            assert_eq!(fake.happened(), at + 1 + 10, "{}", manual.id);
            let last = loop {
                match client.next().await {
                    Ok(Message::Close(frame)) => break frame.map(|f| u16::from(f.code)),
                    Ok(_) => {}
                    Err(_) => break None,
                }
            };
            assert_eq!(last, matches!(fault, Fault::Close { .. }).then_some(1012), "{} {fault:?}", manual.id);
            assert!(fake.wait(PATIENCE, |fake| fake.stats().open == 0).await, "{} {fault:?}", manual.id);
            // Whoever comes again is served.
            let (_, rebuilt) = in_step(&fake).await;
            assert!(is_right(&fake, &rebuilt), "{} {fault:?}", manual.id);
            assert_eq!(fake.stats().sockets, 2);
        }
    }
}

#[tokio::test]
async fn a_half_open_connection_is_silent_and_stays_open() {
    let fake = Fake::start(VenueId::Okx, Plan::default().with(Fault::HalfOpen { lost: 0 }.now())).await;
    let mut client = Client::following(&fake).await;
    while fake.pending() > 0 {
        fake.play(1);
    }
    fake.play(50);
    client.say("ping").await;
    // Silence can only be seen by waiting for it.
    while let Ok(next) = timeout(Duration::from_millis(100), client.socket.next()).await {
        let text = next.expect("an open socket").expect("no error").into_text().expect("text");
        assert_ne!(text.as_str(), "pong");
    }
    assert_eq!((fake.stats().open, fake.stats().pings), (1, 0));
}

#[tokio::test]
async fn an_announced_end_is_announced_where_the_venue_does_that() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan::default()).await;
        let mut client = Client::following(&fake).await;
        fake.inject(Fault::AnnounceShutdown.now());
        while fake.pending() > 0 {
            fake.play(1);
        }
        let texts = client.drain(&fake).await;
        let said = texts.iter().any(|text| text.contains("serverShutdown") || text.contains("64008"));
        assert_eq!(said, matches!(manual.id, VenueId::BinanceSpot | VenueId::Okx), "{}", manual.id);
    }
}

#[tokio::test]
async fn refusals_are_counted_down() {
    let refusal = Fault::RestStatus { status: 429, retry_after: Some(7), times: 2 };
    let upgrade = Fault::UpgradeStatus { status: 503, times: 1 };
    let fake = Fake::start(VenueId::BinanceSpot, Plan::default().with(refusal.now()).with(upgrade.now())).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(rest(&fake, "/api/v3/time", None).await.0);
    }
    assert_eq!(statuses, [429, 429, 200]);
    assert_eq!((fake.stats().asked("/api/v3/time"), fake.stats().rest[0].2), (3, 429));
    let refused = Client::connect(&fake, "/stream?streams=btcusdt@trade").await;
    assert!(matches!(refused, Err(Error::Http(reply)) if reply.status() == 503));
    Client::connect(&fake, "/stream?streams=btcusdt@trade").await.expect("the second is let in");
    assert_eq!((fake.stats().upgrades.len(), fake.stats().sockets), (2, 1));
}

#[tokio::test]
async fn an_acknowledgement_may_bring_nothing() {
    for manual in &MANUALS {
        let fake = Fake::start(manual.id, Plan::default().with(Fault::AckButNoData(usize::MAX).now())).await;
        let mut client = Client::following(&fake).await;
        fake.play(200);
        let mut rebuilt = Rebuilt::new(manual.id, manual.window);
        follow(&mut client, &fake, &mut rebuilt).await;
        assert!(rebuilt.books.is_empty() && rebuilt.prints.is_empty(), "{}: {:?}", manual.id, rebuilt.counts);
        // Acknowledged they were, where there is something to acknowledge.
        assert_eq!(rebuilt.counts.other > 0, !manual.say.is_empty(), "{}", manual.id);
    }
}

#[tokio::test]
async fn a_fault_waits_for_its_event_and_its_kind() {
    let strike: Strike = Fault::Drop.at(300).on(Kind::Trade);
    let fake = Fake::start(VenueId::Kraken, Plan::default().with(strike)).await;
    let (mut client, mut rebuilt) = in_step(&fake).await;
    fake.play(600);
    follow(&mut client, &fake, &mut rebuilt).await;
    let stats = fake.stats();
    let (at, _) = stats.struck[0];
    assert!(at >= 300, "{at}");
    // The print that was dropped is one that happened and was not shown.
    let of_btc = |prints: &[(String, crate::support::fake::Print)]| -> Vec<u64> {
        prints.iter().filter(|(symbol, _)| symbol == "BTC/USD").map(|(_, p)| p.id).collect()
    };
    let (happened, shown) = (of_btc(&stats.prints), of_btc(&stats.shown));
    assert_eq!((happened.len(), rebuilt.tape("BTC/USD").len()), (shown.len() + 1, shown.len()));
    assert!(is_right(&fake, &rebuilt) && rebuilt.tape("BTC/USD").iter().all(|p| p.qty > Decimal::ZERO));
}

//! What trades, marks and best prices say, and that no bytes make a conversation panic.

use papermaker::market::{Funding, Level, Mark, MarketEvent, MarketEventKind, PrintFlags};
use papermaker::units::{FundingRate, Money, Nanos, Ticks, VenueTime};
use papermaker::wire::Protocol;
use proptest::prelude::*;

use super::*;

/// What one frame makes a connection say first.
fn event(market: Market, frame: &str) -> MarketEvent {
    match Talk::of_trades(market).hear(frame).into_iter().next() {
        Some(Said::Market(event)) => event,
        other => panic!("{frame} made it say {other:?}"),
    }
}

fn print(market: Market, frame: &str) -> (Lots, PrintFlags) {
    match event(market, frame).kind {
        MarketEventKind::Trade { qty, flags, .. } => (qty, flags),
        other => panic!("{frame} is {other:?}"),
    }
}

#[test]
fn only_what_met_the_displayed_book_counts_of_a_merged_trade() {
    for market in BOTH {
        let symbol = btc(market).symbol;
        let agg = |more: &str| print(market, &trade(&symbol, 7, 1, false, more));
        // Of two units one met orders that are shown; the other retail orders that are not.
        assert_eq!(agg(r#""nq":"1","#), (lots(market, 1), PrintFlags::NONE));
        assert_eq!(agg(r#""nq":"0","#), (lots(market, 2), PrintFlags::RPI));
        assert_eq!(agg(""), (lots(market, 2), PrintFlags::NONE));
        assert!(!PrintFlags::RPI.took_from_the_book());
    }
}

#[test]
fn a_print_nobody_ordered_is_flagged() {
    for market in BOTH {
        let raw = |kind: &str| {
            let symbol = btc(market).symbol;
            let stream = symbol.to_lowercase();
            format!(
                r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":2,"T":1,"s":"{symbol}","t":7,"p":"100.5","q":"2",{kind}"m":true}}}}"#
            )
        };
        for (kind, flags) in [
            (r#""X":"MARKET","#, PrintFlags::NONE),
            ("", PrintFlags::NONE),
            (r#""X":"INSURANCE_FUND","#, PrintFlags::INSURANCE),
            (r#""X":"ADL","#, PrintFlags::INSURANCE),
            (r#""X":"SOMETHING_NEW","#, PrintFlags::INSURANCE),
        ] {
            assert_eq!(print(market, &raw(kind)), (lots(market, 2), flags), "{kind}");
        }
        // An id used up without a trade.
        let nothing = raw(r#""X":"NA","#).replace("100.5", "0").replace("\"2\"", "\"0\"");
        assert_eq!(Talk::of_trades(market).hear(nothing), []);
    }
}

#[test]
fn a_mark_brings_price_index_and_funding() {
    let said = event(Market::Usdm, &mark("BTCUSDT"));
    // 64211.4 and 64215.1, paid at 1790006400 s; 0.0001 of 10⁻¹² units is 10⁸.
    let money = |text: &str| Money::from_decimal(text.parse().unwrap());
    let funding = Funding {
        rate: FundingRate(100_000_000),
        due: Some(VenueTime(1_790_006_400_000_000_000)),
        every: Nanos::from_s(8 * 3_600),
        at_index: false,
    };
    let expected = Mark { mark: money("64211.4"), index: money("64215.1"), funding: Some(funding) };
    assert_eq!(said.venue_time, Some(VenueTime(1_790_000_001_000_000_000)));
    assert_eq!(said.kind, MarketEventKind::Mark(expected));

    // Shorts pay; no index; an hour, because the instrument says so.
    let frame = r#"{"stream":"btcusd_perp@markPrice@1s","data":{"e":"markPriceUpdate","E":1,"s":"BTCUSD_PERP","p":"59012.56007222","P":"58896","r":"-0.00073689","T":1617321600000,"st":2}}"#;
    let mut hourly = btc(Market::Coinm);
    hourly.contract.funding_every = Some(Nanos::from_s(3_600));
    let mut talk = support::talk::Talk::about(conversation(Market::Coinm, Road::Whole, vec![(BTC, hourly)], options()));
    talk.open();
    match &talk.hear(frame)[0] {
        Said::Market(MarketEvent { kind: MarketEventKind::Mark(mark), .. }) => {
            assert_eq!((mark.mark, mark.index), (money("59012.56007222"), None));
            let funding = mark.funding.expect("funding");
            assert_eq!((funding.rate, funding.every), (FundingRate(-736_890_000), Nanos::from_s(3_600)));
        }
        other => panic!("{other:?}"),
    }
    // A contract that is delivered pays none.
    for (rate, due) in [("0.00000000", 0), ("", 0), ("", 1_617_321_600_000u64)] {
        let frame = frame.replace("-0.00073689", rate).replace("1617321600000", &due.to_string());
        match event(Market::Coinm, &frame).kind {
            MarketEventKind::Mark(mark) => assert_eq!(mark.funding, None),
            other => panic!("{other:?}"),
        }
    }
    for bad in [frame.replace("59012.56007222", "-1"), frame.replace("-0.00073689", "often")] {
        assert_eq!(words(&Talk::of_trades(Market::Coinm).hear(bad)), ["protocol_error"]);
    }
}

#[test]
fn marks_of_all_symbols_in_one_frame_are_read_as_far_as_they_are_ours() {
    let frame = r#"{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"1.5","r":"","T":0},{"e":"markPriceUpdate","E":1,"s":"DOGEUSDT","p":"2","r":"","T":0},{"e":"markPriceUpdate","E":1,"s":"ETHUSDT","p":"3","r":"","T":0}]}"#;
    assert_eq!(words(&Talk::of_trades(Market::Usdm).hear(frame)), ["mark", "live", "mark", "live"]);
}

#[test]
fn a_word_of_the_other_market_is_not_for_us() {
    for (market, other) in [(Market::Usdm, 2), (Market::Coinm, 1)] {
        let own = 3 - other;
        let symbol = btc(market).symbol;
        for (frame, word) in [
            (trade(&symbol, 7, 1, true, r#""st":N,"#), "trade 7"),
            (mark(&symbol).replace("\"st\":1", "\"st\":N"), "mark"),
            (diff(&symbol, 100, 101, 102, "", "").replace("\"U\"", "\"st\":N,\"U\""), "delta 102"),
        ] {
            for (number, expected) in [(own, Some(word)), (other, None)] {
                let frame = frame.replace(":N", &format!(":{number}"));
                let mut talk = if word == "delta 102" { Talk::in_step(market) } else { Talk::of_trades(market) };
                assert_eq!(words(&talk.hear(&frame)).first().map(String::as_str), expected, "{frame}");
            }
        }
    }
}

#[test]
fn a_best_price_has_a_time_and_the_books_own_numbers() {
    for market in BOTH {
        let symbol = btc(market).symbol;
        let frame = format!(
            r#"{{"e":"bookTicker","u":101,"E":3,"T":2,"s":"{symbol}","ps":"x","b":"100.0","B":"1","a":"0.0","A":"0"}}"#
        );
        let mut talk = Talk::of_books(market);
        match &talk.hear(frame)[..] {
            [Said::Market(MarketEvent { venue_time, kind: MarketEventKind::Bbo { seq, bid, ask }, .. })] => {
                assert_eq!((*venue_time, *seq, *ask), (Some(VenueTime(2_000_000)), 101, None));
                assert_eq!(*bid, Some(Level { price: Ticks(1_000), qty: lots(market, 1) }));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(talk.protocol.dialect().parsed_slowly(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_bytes_make_it_panic(
        usdm in any::<bool>(),
        n in 0..4usize,
        changes in prop::collection::vec((0..300usize, any::<u8>()), 0..4),
        cut in 0..400usize,
        noise in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let market = if usdm { Market::Usdm } else { Market::Coinm };
        let symbol = btc(market).symbol;
        let frames = [
            diff(&symbol, 90, 95, 100, "99.0 1", "101.0 2"),
            trade(&symbol, 7, 1, true, r#""nq":"1","st":1,"#),
            mark(&symbol),
            snapshot(100),
        ];
        let mut bytes = frames[n].clone().into_bytes();
        for (at, byte) in changes {
            let len = bytes.len();
            bytes[at % len] = byte;
        }
        bytes.truncate(cut.max(1));
        for talk in [&mut Talk::in_step(market), &mut Talk::of_trades(market)] {
            for bytes in [&bytes, &noise] {
                talk.hear(bytes);
                talk.differ(100, 101, 102, "", "");
                talk.fetched(About::Book(BTC), bytes);
                talk.fetched(About::Rules(0), bytes);
            }
            talk.protocol.on_time(papermaker::units::LocalTime(i64::MAX), &mut Vec::new());
        }
    }
}

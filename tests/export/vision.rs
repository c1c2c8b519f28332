//! Files of data.binance.vision: every set of columns, and what a bar is not.

use papermaker::journal::import::Format::BinanceVision;
use papermaker::market::VenueId;
use papermaker::units::LocalTime;

use super::imports::play;
use super::story::{Files, story, words};

use VenueId::{BinanceCoinm as Coinm, BinanceSpot as Spot, BinanceUsdm as Usdm};

/// What a file of this text becomes.
fn told(venue: VenueId, name: &str, text: &str) -> Vec<String> {
    story(Files::new(&[(name, text.as_bytes())]).wish(BinanceVision, venue, "BTCUSDT"))
}

#[test]
fn prints_of_every_market_with_header_and_without_say_who_took() {
    let two = ["0 connected", "0 trade 11 sell 0.25 at 100.5", "5 trade 12 buy 1.00 at 101.0"];
    let headed = |header: &str, rows: &str| format!("{header}\n{rows}");
    // Spot until 2024 in milliseconds, since then in microseconds.
    let spot = "11,100.5,0.25,25.125,1723161255000,True,True\n12,101.0,1.00,101,1723161255005,False,True\n";
    assert_eq!(told(Spot, "BTCUSDT-trades-2024-08-09.csv", spot), two);
    let spot = "11,100.5,0.25,25.125,1743161255000000,True,True\n12,101.0,1.00,101,1743161255005999,False,True\n";
    assert_eq!(told(Spot, "BTCUSDT-trades-2025-03-28.csv", spot), two);
    let spot = "11,100.5,0.25,1,3,1723161255000,True,True\n12,101.0,1.00,4,4,1723161255005,False,True\n";
    assert_eq!(told(Spot, "any.csv", spot), two);
    let futures = "11,100.5,0.25,25.125,1723161255000,true\n12,101.0,1.00,101.00,1723161255005,false\n";
    assert_eq!(told(Usdm, "any.csv", futures), two);
    assert_eq!(told(Usdm, "any.csv", &headed("id,price,qty,quote_qty,time,is_buyer_maker", futures)), two);
    let aggregates = "11,100.5,0.25,1,3,1723161255000,true\n12,101.0,1.00,4,4,1723161255005,false\n";
    assert_eq!(told(Usdm, "any.csv", aggregates), two);
    let header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker";
    assert_eq!(told(Usdm, "any.csv", &headed(header, aggregates)), two);
}

#[test]
fn contracts_of_coin_margined_futures_are_counted_as_the_venue_counts_them() {
    let text = "id,price,qty,base_qty,time,is_buyer_maker\n11,60000.1,3,0.005,1723161255000,true\n";
    let files = Files::new(&[("BTCUSD_PERP-trades-2024-08-09.csv", text.as_bytes())]);
    let played = play(files.wish(BinanceVision, Coinm, "BTCUSD_PERP")).unwrap();
    // Three contracts of 100 USD.
    assert_eq!(words(&played)[1], "0 trade 11 sell 300 at 60000.1");
}

#[test]
fn best_prices_become_a_book_of_one_level_that_can_be_quoted_on() {
    let text = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
                1,100.5,2,100.6,3,1723161255000,1723161255001\n\
                2,100.5,1,100.6,3,1723161255004,1723161255009\n\
                3,100.4,8,100.6,3,1723161255010,1723161255011\n";
    let expected = [
        "0 connected",
        "0 snapshot 100.5=2 / 100.6=3 Window(1)",
        "0 live",
        "4 delta 100.5=1 / ",
        "10 delta 100.5=0 100.4=8 / ",
    ];
    assert_eq!(told(Usdm, "BTCUSDT-bookTicker-2024-01-01.csv", text), expected);
    // Together with prints they are a market.
    let trades = b"11,100.5,1,100.5,1723161255003,true\n";
    let files = Files::new(&[("quotes.csv", text.as_bytes()), ("trades.csv", trades)]);
    let told = story(files.wish(BinanceVision, Usdm, "BTCUSDT"));
    assert_eq!(told[3], "3 trade 11 sell 1 at 100.5");
    assert_eq!(told.len(), 6);
}

#[test]
fn a_bar_is_told_when_it_is_over_and_never_against_anybody() {
    // 3 of 4 units were bought; in the second minute nobody traded.
    let text = "1723161240000,100,105,99,104,4,1723161299999,410,7,3,309,0\n\
                1723161300000,104,104,104,104,0,1723161359999,0,0,0,0,0\n\
                1723161360000,104,104,103,103,2,1723161419999,207,2,0.5,52,0\n";
    let flag = "flag 16";
    let bar = |ms: i64, minute: i64, side: &str, prices: [i64; 4], volume: &str| {
        let id = 1_723_161_240_000 + 60_000 * minute;
        let told = |n: usize| if n == 3 { volume } else { "0.0" };
        (0..4).map(move |n| format!("{ms} trade {id} {side} {} at {} {flag}", told(n), prices[n])).collect::<Vec<_>>()
    };
    let mut expected = vec!["0 connected".to_owned()];
    expected.extend(bar(0, 0, "buy", [100, 105, 99, 104], "4.0"));
    expected.extend(bar(120_000, 2, "sell", [104, 104, 103, 103], "2.0"));
    for (venue, name) in [(Spot, "BTCUSDT-1m-2024-08-08.csv"), (Usdm, "BTCUSDT-1m-2024-08.csv")] {
        let files = Files::new(&[(name, text.as_bytes())]);
        let mut wish = files.wish(BinanceVision, venue, "BTCUSDT");
        wish.lot = Some("0.1".parse().map(papermaker::units::Step::new).unwrap().unwrap());
        let played = play(wish).unwrap();
        assert_eq!(words(&played), expected);
        // Nothing of a bar is known before its end.
        assert_eq!(played.inputs[0].at, LocalTime(1_723_161_299_999_000_000));
    }
}

#[test]
fn a_file_of_another_market_symbol_or_kind_is_refused() {
    let said = |venue, files: &[(&str, &str)]| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let said = Files::new(&files).refusal(BinanceVision, venue, "BTCUSDT");
        said.replace(&format!("not a binance-vision recording of {venue} BTCUSDT: "), "")
    };
    let futures = "11,100.5,0.25,25.125,1723161255000,true\n";
    let aggregate = "11,100.5,0.25,1,3,1723161255000,true\n";
    for (venue, files, expected) in [
        (Spot, &[("a.csv", futures)][..], "a.csv:1: has the columns of Binance's futures, not of its spot market"),
        (
            Usdm,
            &[("ETHUSDT-trades-2024-08-09.csv", futures)],
            "ETHUSDT-trades-2024-08-09.csv:0: is of ETHUSDT by its name",
        ),
        (Usdm, &[("ETHUSDT-15m-2024-08-09.csv", futures)], "ETHUSDT-15m-2024-08-09.csv:0: is of ETHUSDT by its name"),
        (
            Usdm,
            &[("a.csv", futures), ("b.csv", aggregate)],
            "b.csv:1: trades, aggTrades and klines say the same prints: one of them is enough",
        ),
        (
            Usdm,
            &[("a.csv", "a,b,c\n")],
            "a.csv:1: \"a,b,c\" has not the columns of trades, aggTrades, bookTicker or klines",
        ),
        (
            Usdm,
            &[("a.csv", "1723161240000,100,99,98,100,4,1723161299999,410,7,3,309,0\n")],
            "a.csv:1: opens at 100 and closes at 100, outside its 98 to 99",
        ),
    ] {
        assert_eq!(said(venue, files), expected);
    }
    let said = Files::new(&[("a.csv", futures.as_bytes())]).refusal(BinanceVision, VenueId::Okx, "BTC-USDT");
    assert_eq!(said, "data.binance.vision has files of binance-spot, -usdm and -coinm, none of okx");
}

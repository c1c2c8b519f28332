//! The survey's fast way to read a frame says nothing that its slow way does not say.

use super::*;
use crate::rng::Stream;
use crate::units::Nanos;

/// One frame of every kind the fast way reads, whole and bare, of both markets.
const FRAMES: [&str; 9] = [
    r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161255350,"T":1723161255349,"s":"BTCUSDT","U":1,"u":4,"pu":0,"b":[["61737.60","0.120"],["5","0"]],"a":[["61740.10","1000"]]}}"#,
    r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","ps":"BTCUSDT","U":1,"u":4,"pu":0,"b":[],"a":[]}}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255350,"s":"BTCUSDT","U":1,"u":4,"b":[["61737.63000000","0.00001000"]],"a":[["61740.00000000","2.00000000"]]}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":7,"p":"61737.60","q":"0.250","X":"MARKET","m":true}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"61737.61000000","q":"0.25000000","b":88,"a":99,"T":1,"m":true,"M":true}}"#,
    r#"{"e":"aggTrade","E":1,"s":"BTCUSDT","a":5,"p":"61737.60","q":"0.250","f":1,"l":2,"T":1,"m":false}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"u":4,"s":"BTCUSDT","b":"61737.62000000","B":"1.00000000","a":"61737.63000000","A":"2.50000000"}}"#,
    r#"{"e":"bookTicker","u":4,"s":"BTCUSDT","b":"61737.6","B":"1.001","a":"61737.7","A":"20","T":1,"E":1}"#,
    r#"{"e":"bookTicker","u":4,"s":"ETHUSDT","b":"2600.1","B":"1.001","a":"2600.2","A":"20","T":1,"E":1}"#,
];

fn wish(venue: VenueId) -> Wish {
    Wish {
        files: Vec::new(),
        format: super::super::Format::HftbacktestRaw,
        venue,
        symbol: "BTCUSDT".to_owned(),
        tick: None,
        lot: None,
        tick_every: Nanos::from_ms(50),
    }
}

/// What both ways find, or that the fast way left it to the slow one.
fn compare(frame: &[u8], venue: VenueId) -> bool {
    let (wish, mut glance) = (wish(venue), Glance::of(venue));
    if glance.read(frame).is_none() {
        return false;
    }
    let (mut fast, mut slow) = (Finding::default(), Finding::default());
    let said = [fast.glanced(&wish, frame, &glance), parsed(frame).and_then(|value| slow.frame(&wish, &value))];
    let shown = String::from_utf8_lossy(frame);
    assert_eq!(said[0], said[1], "{venue}: {shown}");
    assert_eq!(fast.prices.divisor(), slow.prices.divisor(), "{venue}: {shown}");
    assert_eq!(fast.traded.divisor(), slow.traded.divisor(), "{venue}: {shown}");
    assert_eq!((&fast.resting, &fast.symbols), (&slow.resting, &slow.symbols), "{venue}: {shown}");
    let flags = |finding: &Finding| (finding.has_raw_trades, finding.has_aggregates);
    assert_eq!(flags(&fast), flags(&slow), "{venue}: {shown}");
    true
}

const VENUES: [VenueId; 3] = [VenueId::BinanceSpot, VenueId::BinanceUsdm, VenueId::BinanceCoinm];

#[test]
fn every_kind_of_frame_is_read_in_a_hurry_and_as_the_parser_reads_it() {
    for frame in FRAMES {
        for venue in VENUES {
            assert!(compare(frame.as_bytes(), venue), "{venue} leaves it to the parser: {frame}");
        }
    }
}

#[test]
fn a_broken_frame_is_left_to_the_parser_or_read_as_it_would() {
    let mut rng = Stream::new(1, "broken frames");
    for frame in FRAMES.map(str::as_bytes) {
        for venue in VENUES {
            for end in 0..frame.len() {
                compare(&frame[..end], venue);
            }
            for _ in 0..2_000 {
                let mut broken = frame.to_vec();
                let (at, other) = (rng.below(broken.len() as u64) as usize, rng.below(frame.len() as u64) as usize);
                match rng.below(4) {
                    0 => broken[at] = rng.bits() as u8,
                    1 => broken[at] = frame[other],
                    2 => drop(broken.remove(at)),
                    _ => broken.insert(at, frame[other]),
                }
                compare(&broken, venue);
            }
        }
    }
}

#[test]
fn what_is_odd_is_for_the_parser() {
    for frame in [
        r#"{"e":"trade","s":"BTCUSDT","p":"1","q":"1","p":"2"}"#,
        r#"{"e":"trade","s":"BTCUSDT","p":1,"q":"1"}"#,
        r#"{"e":"trade","s":"BTCUSDT","p":"1"}"#,
        r#"{"e":"trade","s":"BTC\u0055SDT","p":"1","q":"1"}"#,
        r#"{"e":"trade","s":"BTCUSDT","p":"1e2","q":"1"}"#,
        r#"{"e":"trade","s":"BTCUSDT","p":"1","q":"0.000000001"}"#,
        r#"{"e":"markPriceUpdate","s":"BTCUSDT","p":"1","i":"1"}"#,
        r#"{"data":{"e":"trade","s":"BTCUSDT","p":"1","q":"1"},"stream":"x"}"#,
        r#"{"e":"depthUpdate","s":"BTCUSDT","b":[["1","1"]]}"#,
        r#"{"result":null,"id":1}"#,
    ] {
        assert!(!compare(frame.as_bytes(), VenueId::BinanceUsdm), "{frame}");
    }
}

//! A run of book messages for every venue that continue each other.
//!
//! Levels are recorded ones, in their recorded order, cut into messages of about 1.4 kB in the venue's words of today
//! and numbered anew, so that every chain holds and every checksum comes out. Where a recording is short it is told
//! over again: quantities are absolute, so what was said may be said twice.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use papermaker::market::{Book, Instrument, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::{LocalTime, Lots, Side, Step, Ticks};
use papermaker::wire::dialect::Options;
use papermaker::wire::{About, Protocol, Said, kraken, venues};
use serde_json::Value;

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/support/captures/tape.rs"]
mod tape;

/// When every frame comes.
pub const AT: LocalTime = LocalTime(1_786_310_818_629_000_000);

const BTC: InstrumentId = InstrumentId(0);
/// Messages timed.
const FRAMES: usize = 200;
/// The number of the state with which a chain begins.
const FIRST: u64 = 7_118_000_000;

/// Messages of one venue.
pub struct Chain {
    pub venue: VenueId,
    pub name: &'static str,
    pub rules: Instrument,
    /// In one frame.
    pub levels: usize,
    opening: Opening,
    /// The first one brings the book into step.
    frames: Vec<String>,
}

enum Opening {
    Rest(String),
    Stream(String),
}

/// Of one level: side, price, quantity.
type Said3 = (Side, String, String);

/// A recording.
struct Tale {
    bids: Vec<Said3>,
    asks: Vec<Said3>,
    changes: Vec<Said3>,
}

impl Chain {
    /// All venues in the order of the registry; none, loudly, without the recordings.
    pub fn all() -> Vec<Self> {
        if tape::stored_lines("bybit/nautilus_xrpusdt-ob500.data.zip").is_none() {
            return Vec::new();
        }
        venues::ALL.iter().map(|exchange| Self::of(exchange.id())).collect()
    }

    fn of(venue: VenueId) -> Self {
        let (symbol, tick, lot) = match venue {
            VenueId::Imported => unreachable!("sends no frames"),
            VenueId::BinanceSpot => ("BTCUSDT", "0.01", "0.00001"),
            VenueId::BinanceUsdm => ("BTCUSDT", "0.1", "0.001"),
            VenueId::BinanceCoinm => ("BTCUSD_PERP", "0.1", "1"),
            VenueId::BybitSpot => ("BTCUSDT", "0.01", "0.000001"),
            VenueId::BybitLinear => ("BTCUSDT", "0.1", "0.001"),
            VenueId::Okx => ("BTC-USDT", "0.1", "0.00000001"),
            VenueId::Coinbase => ("BTC-USD", "0.01", "0.00000001"),
            VenueId::Kraken => ("XMR/USD", "0.01", "0.00000001"),
            VenueId::Hyperliquid => ("BTC", "0.1", "0.00001"),
            VenueId::Deribit => ("BTC-PERPETUAL", "0.1", "10"),
        };
        let step = |text| Step::parse(text).expect("a step");
        let rules = Instrument::new(venue, symbol, "BTC", "USD", step(tick), step(lot)).expect("an instrument");
        if venue == VenueId::Hyperliquid {
            return Self::of_pictures(rules);
        }
        let (tale, levels) = match venue {
            VenueId::BinanceSpot => (hftbacktest("binance-spot/hftbacktest_spot_btcusdt_20240808.gz"), 39),
            VenueId::BinanceUsdm => (hftbacktest("binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz"), 60),
            VenueId::BinanceCoinm => (hftbacktest("binance-coinm/hftbacktest_cm_btcusd_perp_20240808.gz"), 70),
            VenueId::BybitLinear => (bybit("BYBIT.ws.2"), 62),
            VenueId::BybitSpot => (bybit("BYBIT.ws.3"), 52),
            VenueId::Okx => (okx(), 39),
            VenueId::Coinbase => (coinbase(), 10),
            VenueId::Kraken => (kraken_v1(), 36),
            VenueId::Deribit => (in_dollars(hftbacktest("binance-coinm/hftbacktest_cm_btcusd_perp_20240808.gz")), 52),
            VenueId::Hyperliquid => unreachable!("has pictures"),
            VenueId::Imported => unreachable!("sends no frames"),
        };
        let opening: Vec<_> = tale.bids.iter().chain(&tale.asks).cloned().collect();
        let mut writer = Writer { venue, symbol, rules: &rules, book: Book::new() };
        let whole = writer.write(&opening, FIRST, true);
        let opening = match venue {
            VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm => Opening::Rest(whole),
            _ => Opening::Stream(whole),
        };
        // Whole messages only; a long recording is cut, a short one goes round.
        let cut = tale.changes.chunks_exact(levels).cycle().take(FRAMES + 1);
        let frames = cut.zip(FIRST + 1..).map(|(chunk, n)| writer.write(chunk, n, false)).collect();
        Self { venue, name: venue.name(), rules, levels, opening, frames }
    }

    /// Hyperliquid sends pictures: twenty levels a side, as they were recorded but for the time.
    fn of_pictures(rules: Instrument) -> Self {
        let text = unpacked("hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz");
        let recorded: Vec<_> = text.lines().filter_map(|l| l.split_once(' ')).map(|(_, json)| json).collect();
        let picture = |json: &&&str| json.contains("\"l2Book\"") && json.len() > 1_600 && json.len() < 1_700;
        let pictures = recorded.iter().filter(picture).cycle().take(FRAMES + 2);
        let mut frames = pictures.zip(FIRST * 250..).map(|(json, n)| {
            let (head, time) = json.split_once("\"time\":").expect("a time");
            format!("{head}\"time\":{n}{}", time.trim_start_matches(|c: char| c.is_ascii_digit()))
        });
        let opening = Opening::Stream(frames.next().expect("a picture"));
        let frames = frames.collect();
        Self { venue: rules.venue, name: rules.venue.name(), rules, levels: 40, opening, frames }
    }

    /// What is timed: all but the frame that brings the book into step.
    pub fn timed(&self) -> &[String] {
        &self.frames[1..]
    }

    /// A conversation in step, and the book it has told so far.
    pub fn start(&self) -> (Box<dyn Protocol>, Book) {
        let exchange = venues::find(self.venue).expect("registered");
        let (mut said, mut book) = (Vec::new(), Book::new());
        for mut line in exchange.connect(vec![(BTC, self.rules.clone())], Options::default()) {
            line.on_open(AT, &mut said);
            match &self.opening {
                Opening::Rest(body) => line.on_fetched(About::Book(BTC), Ok(body.as_bytes()), AT, &mut said),
                Opening::Stream(frame) => line.on_text(frame.as_bytes(), AT, &mut said),
            }
            line.on_text(self.frames[0].as_bytes(), AT, &mut said);
            said.drain(..).for_each(|said| take(&mut book, &said));
            // Of several connections this is the one with the book.
            if book.best(Side::Bid).is_some() {
                return (line, book);
            }
        }
        panic!("{}: the book did not come into step", self.name)
    }
}

/// What the session's book takes.
pub fn take(book: &mut Book, said: &Said) {
    let Said::Market(event) = said else { return };
    match &event.kind {
        MarketEventKind::Snapshot { seq, bids, asks, extent } => book.apply_snapshot(*seq, bids, asks, *extent),
        MarketEventKind::Delta { seq, bids, asks } => book.apply_delta(*seq, bids, asks),
        _ => {}
    }
}

/// Puts levels into a venue's words.
struct Writer<'a> {
    venue: VenueId,
    symbol: &'a str,
    rules: &'a Instrument,
    /// As the venue has it, for its checksum.
    book: Book,
}

impl Writer<'_> {
    /// The message after which the chain's number is `n`.
    fn write(&mut self, levels: &[Said3], n: u64, whole: bool) -> String {
        let (symbol, before, now) = (self.symbol, n - 1, AT.0 / 1_000_000);
        let side = |wanted: Side, write: &dyn Fn(&str, &str) -> String| {
            let mine = levels.iter().filter(|(side, ..)| *side == wanted);
            mine.map(|(_, price, qty)| write(price, qty)).collect::<Vec<_>>().join(",")
        };
        let both = |write: &dyn Fn(&str, &str) -> String| (side(Side::Bid, write), side(Side::Ask, write));
        let (b, a) = both(&|p, q| format!(r#"["{p}","{q}"]"#));
        let lower = symbol.to_lowercase();
        match self.venue {
            VenueId::BinanceSpot if !whole => format!(
                r#"{{"stream":"{lower}@depth@100ms","data":{{"e":"depthUpdate","E":{now},"s":"{symbol}","U":{n},"u":{n},"b":[{b}],"a":[{a}]}}}}"#
            ),
            VenueId::BinanceUsdm if !whole => format!(
                r#"{{"stream":"{lower}@depth@100ms","data":{{"e":"depthUpdate","E":{now},"T":{now},"s":"{symbol}","U":{n},"u":{n},"pu":{before},"b":[{b}],"a":[{a}]}}}}"#
            ),
            VenueId::BinanceCoinm if !whole => format!(
                r#"{{"stream":"{lower}@depth@100ms","data":{{"e":"depthUpdate","E":{now},"T":{now},"s":"{symbol}","ps":"BTCUSD","U":{n},"u":{n},"pu":{before},"b":[{b}],"a":[{a}]}}}}"#
            ),
            VenueId::BinanceSpot => format!(r#"{{"lastUpdateId":{n},"bids":[{b}],"asks":[{a}]}}"#),
            VenueId::BinanceUsdm => {
                format!(r#"{{"lastUpdateId":{n},"E":{now},"T":{now},"bids":[{b}],"asks":[{a}]}}"#)
            }
            VenueId::BinanceCoinm => format!(
                r#"{{"lastUpdateId":{n},"E":{now},"T":{now},"symbol":"{symbol}","pair":"BTCUSD","bids":[{b}],"asks":[{a}]}}"#
            ),
            VenueId::BybitSpot | VenueId::BybitLinear => {
                let kind = if whole { "snapshot" } else { "delta" };
                format!(
                    r#"{{"topic":"orderbook.1000.{symbol}","type":"{kind}","ts":{now},"data":{{"s":"{symbol}","b":[{b}],"a":[{a}],"u":{n},"seq":{n}}},"cts":{now}}}"#
                )
            }
            VenueId::Okx => {
                let (kind, before) = if whole { ("snapshot", "-1".to_owned()) } else { ("update", before.to_string()) };
                let (b, a) = both(&|p, q| format!(r#"["{p}","{q}","0","1"]"#));
                format!(
                    r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{kind}","data":[{{"asks":[{a}],"bids":[{b}],"ts":"{now}","checksum":0,"seqId":{n},"prevSeqId":{before}}}]}}"#
                )
            }
            VenueId::Coinbase => {
                let kind = if whole { "snapshot" } else { "update" };
                let update = |(side, p, q): &Said3| {
                    let side = if *side == Side::Bid { "bid" } else { "offer" };
                    format!(
                        r#"{{"side":"{side}","event_time":"2026-08-09T21:05:48.464857Z","price_level":"{p}","new_quantity":"{q}"}}"#
                    )
                };
                let updates = levels.iter().map(update).collect::<Vec<_>>().join(",");
                let n = n - FIRST;
                format!(
                    r#"{{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.628879425Z","sequence_num":{n},"events":[{{"type":"{kind}","product_id":"{symbol}","updates":[{updates}]}}]}}"#
                )
            }
            VenueId::Kraken => {
                let (b, a) = both(&|p, q| format!(r#"{{"price":{p},"qty":{q}}}"#));
                self.apply(levels);
                let (kind, sum) = (if whole { "snapshot" } else { "update" }, kraken::checksum(&self.book, self.rules));
                format!(
                    r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{b}],"asks":[{a}],"checksum":{sum},"timestamp":"2026-08-09T21:05:48.628879Z"}}]}}"#
                )
            }
            VenueId::Deribit => {
                let (b, a) = both(&|p, q| match q {
                    "0.0" => format!(r#"["delete",{p},0.0]"#),
                    _ => format!(r#"["change",{p},{q}]"#),
                });
                let (b, a) = if whole { (b.replace("change", "new"), a.replace("change", "new")) } else { (b, a) };
                let kind =
                    if whole { r#""snapshot""#.to_owned() } else { format!(r#""change","prev_change_id":{before}"#) };
                format!(
                    r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.{symbol}.100ms","data":{{"type":{kind},"timestamp":{now},"instrument_name":"{symbol}","change_id":{n},"bids":[{b}],"asks":[{a}]}}}}}}"#
                )
            }
            VenueId::Hyperliquid => unreachable!("has pictures"),
            VenueId::Imported => unreachable!("sends no frames"),
        }
    }

    /// Levels beyond the thousandth are forgotten, as by everybody who subscribed to so many.
    fn apply(&mut self, levels: &[Said3]) {
        let count = |text: &str, step: Step| step.count(text.parse().expect("a number")).expect("on a step");
        for (side, price, qty) in levels {
            let (price, qty) = (count(price, self.rules.tick), count(qty, self.rules.lot));
            self.book.set(*side, Ticks(price), Lots(qty));
        }
        for side in Side::BOTH {
            let beyond: Vec<_> = self.book.levels(side).skip(1_000).map(|l| l.price).collect();
            beyond.into_iter().for_each(|price| self.book.set(side, price, Lots::ZERO));
        }
    }
}

fn unpacked(file: &str) -> String {
    let home = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), Into::into);
    let mut text = String::new();
    let file = std::fs::File::open(home.join(file)).expect("the recording exists");
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("a recording is text");
    text
}

fn side(side: Side, levels: &Value) -> impl Iterator<Item = Said3> {
    let word = |v: &Value| v.as_str().expect("a number as text").to_owned();
    levels.as_array().into_iter().flatten().map(move |l| (side, word(&l[0]), word(&l[1])))
}

/// A snapshot over REST and what came after it over the socket.
fn hftbacktest(file: &str) -> Tale {
    let text = unpacked(file);
    let lines = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, json)| json);
    let (mut tale, mut last) = (None::<Tale>, 0);
    for json in lines {
        let is_snapshot = json.starts_with("{\"lastUpdateId\"");
        if !is_snapshot && (tale.is_none() || !json.contains("\"depthUpdate\"")) {
            continue;
        }
        let v: Value = serde_json::from_str(json).expect("JSON");
        if is_snapshot {
            last = v["lastUpdateId"].as_u64().expect("a number");
            let (bids, asks) = (side(Side::Bid, &v["bids"]).collect(), side(Side::Ask, &v["asks"]).collect());
            tale = Some(Tale { bids, asks, changes: Vec::new() });
        } else if let Some(tale) = &mut tale
            && v["data"]["u"].as_u64() > Some(last)
        {
            tale.changes.extend(side(Side::Bid, &v["data"]["b"]).chain(side(Side::Ask, &v["data"]["a"])));
            if tale.changes.len() > (FRAMES + 1) * 80 {
                break;
            }
        }
    }
    tale.expect("a snapshot")
}

/// The first whole book and all changes of the frames that `find` knows; each says whether it is whole.
fn streamed(file: &str, connection: &str, find: impl Fn(&Value) -> Option<(bool, Vec<Said3>)>) -> Tale {
    let capture = tape::Capture::open(file).expect("the recordings are here");
    let (mut opening, mut changes) = (None, Vec::new());
    for (_, on, text) in capture.received() {
        if !connection.is_empty() && on != connection {
            continue;
        }
        let v = serde_json::from_str(text).expect("JSON");
        match find(&v) {
            Some((true, levels)) => opening = opening.or(Some(levels)),
            Some((false, levels)) => changes.extend(levels),
            None => {}
        }
    }
    let (bids, asks) = opening.expect("a whole book").into_iter().partition(|(side, ..)| *side == Side::Bid);
    Tale { bids, asks, changes }
}

fn bybit(connection: &str) -> Tale {
    streamed("bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst", connection, |v| {
        let data = (v["topic"] == "orderbook.200.BTCUSDT").then(|| &v["data"])?;
        Some((v["type"] == "snapshot", side(Side::Bid, &data["b"]).chain(side(Side::Ask, &data["a"])).collect()))
    })
}

fn okx() -> Tale {
    streamed("okx/cryptofeed-v3_OKX.jsonl.zst", "", |v| {
        let is_book = v["arg"]["instId"] == "BTC-USDT" && !v["action"].is_null();
        let data = is_book.then(|| &v["data"][0])?;
        Some((
            v["action"] == "snapshot",
            side(Side::Bid, &data["bids"]).chain(side(Side::Ask, &data["asks"])).collect(),
        ))
    })
}

fn coinbase() -> Tale {
    streamed("coinbase/cryptofeed-v3_COINBASE.jsonl.zst", "", |v| {
        let event = &v["events"][0];
        let updates = (v["channel"] == "l2_data" && event["product_id"] == "BTC-USD").then(|| &event["updates"])?;
        let word = |v: &Value| v.as_str().expect("a text").to_owned();
        let level = |l: &Value| {
            let side = if l["side"] == "bid" { Side::Bid } else { Side::Ask };
            (side, word(&l["price_level"]), word(&l["new_quantity"]))
        };
        Some((event["type"] == "snapshot", updates.as_array()?.iter().map(level).collect()))
    })
}

/// XMR/USD of the first protocol, which wrote eight places of every price; the second writes the two there are.
fn kraken_v1() -> Tale {
    streamed("kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst", "", |v| {
        let parts =
            v.as_array().filter(|p| p.last().is_some_and(|l| l == "XMR/USD") && p[p.len() - 2] == "book-1000")?;
        let bodies = &parts[1..parts.len() - 2];
        let whole = bodies.iter().any(|body| body.get("as").is_some());
        let keys = if whole { [(Side::Bid, "bs"), (Side::Ask, "as")] } else { [(Side::Bid, "b"), (Side::Ask, "a")] };
        let levels = keys.into_iter().flat_map(|(wanted, key)| {
            bodies.iter().filter_map(move |body| body.get(key)).flat_map(move |levels| side(wanted, levels))
        });
        let two_places = |(side, price, qty): Said3| {
            let price = price.strip_suffix("000000").expect("two places").to_owned();
            (side, price, qty)
        };
        Some((whole, levels.map(two_places).collect()))
    })
}

/// Contracts of 100 dollars as dollars, in bare numbers.
fn in_dollars(tale: Tale) -> Tale {
    let dollars = |(side, price, qty): Said3| {
        let qty: u64 = qty.parse().expect("contracts");
        (side, price, if qty == 0 { "0.0".to_owned() } else { format!("{}.0", qty * 100) })
    };
    let all = |levels: Vec<Said3>| levels.into_iter().map(dollars).collect();
    Tale { bids: all(tale.bids), asks: all(tale.asks), changes: all(tale.changes) }
}

//! cryptofeed's raw captures, both generations.
//!
//! * `.jsonl.zst`: JSON lines, `t` is `header`, `http`, `connect`, `send` or `recv`, `ts` in seconds, `data` the text as it
//!   came. A capture converted from the older kind (`converted_from`) has its connections one after the other.
//! * `.txt.gz`: `<url> -> ts: body` (a REST reply, which may span lines), `<url> <-> ts` (connected), `<url> <- ts: body`
//!   (sent), `ts: body` (received), `configuration: …`. REST replies are often in a file of their own (`.http.`): give
//!   both.
//!
//! At Binance all sockets of a recorder are one conversation (its streams are told apart by their addresses); at other
//! venues one socket is chosen (`choice`). Captures of two protocols of the past are read as rows (`older`).
//!
//! So the order of lines is the order of things only within one connection. All files are read into memory, each
//! connection's stamps are made to run forward, and everything is laid out by time; these captures are small.

mod choice;
mod older;

pub(super) use choice::is_binance;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use super::lines::Lines;
use super::rows::Rows;
use super::{ImportError, Record, Recorded, Records, Wish};
use crate::market::VenueId;
use crate::units::LocalTime;

pub(super) fn records(wish: &Wish) -> Result<Box<dyn Records>, ImportError> {
    let mut records = capture(wish)?.conclude(wish)?;
    records.sort_by_key(|record| record.at);
    Ok(Box::new(records.into_iter()))
}

/// Whether it was recorded when the venue still spoke a protocol that is read as rows.
pub(super) fn is_of_older_protocol(wish: &Wish) -> Result<bool, ImportError> {
    if !matches!(wish.venue, VenueId::Kraken | VenueId::Coinbase) {
        return Ok(false);
    }
    let is_older = |(_, record): &(String, Record)| match &record.what {
        Recorded::Connected(address) => older::is_spoken(wish.venue, address),
        Recorded::Frame(_) | Recorded::Snapshot(..) | Recorded::Rules(_) => false,
    };
    Ok(capture(wish)?.records.iter().any(is_older))
}

/// Such a recording.
pub(super) fn older_rows(wish: &Wish) -> Result<Rows, ImportError> {
    older::rows(wish, capture(wish)?.records)
}

fn capture(wish: &Wish) -> Result<Capture, ImportError> {
    let mut capture = Capture::default();
    for (index, path) in wish.files.iter().enumerate() {
        let lines = Lines::open(path).map_err(|source| ImportError::Unreadable { file: path.clone(), source })?;
        let mut is_jsonl = None;
        // Of the older kind: a reply whose body goes on.
        let mut reply: Option<Line> = None;
        for line in lines {
            let (number, bytes) = line.map_err(|(number, why)| wish.refused((index, number), why))?;
            let place = (index, number);
            let text = String::from_utf8(bytes).map_err(|_| wish.refused(place, "is not UTF-8 text"))?;
            if *is_jsonl.get_or_insert_with(|| text.starts_with('{')) {
                if let Some(line) = jsonl(&text, names_of(wish.venue)).map_err(|why| wish.refused(place, why))? {
                    capture.take(wish.venue, line, place);
                }
                continue;
            }
            match plain(&text, index) {
                Plain::Line(line) => {
                    capture.take_reply(wish.venue, &mut reply);
                    let line = line.map_err(|why| wish.refused(place, why))?;
                    match line.kind {
                        LineKind::Reply { .. } => reply = Some(Line { place, ..line }),
                        LineKind::Connected { .. } | LineKind::Received { .. } => {
                            capture.take(wish.venue, line, place);
                        }
                    }
                }
                Plain::Nothing => capture.take_reply(wish.venue, &mut reply),
                Plain::Continuation => match &mut reply {
                    Some(Line { kind: LineKind::Reply { body, .. }, .. }) => {
                        body.push('\n');
                        body.push_str(&text);
                    }
                    _ if text.trim().is_empty() => {}
                    _ => return Err(wish.refused(place, "is no line of a cryptofeed capture")),
                },
            }
        }
        capture.take_reply(wish.venue, &mut reply);
    }
    Ok(capture)
}

impl Records for std::vec::IntoIter<Record> {
    fn read(&mut self, into: &mut Record) -> Option<Result<(), ImportError>> {
        *into = self.next()?;
        Some(Ok(()))
    }
}

/// One line's meaning.
struct Line {
    connection: String,
    at: i64,
    place: (usize, u64),
    kind: LineKind,
}

enum LineKind {
    Reply { url: String, body: String },
    Connected { address: String },
    Received { body: String },
}

/// What was recorded, each with its connection.
#[derive(Default)]
struct Capture {
    records: Vec<(String, Record)>,
    clocks: BTreeMap<String, i64>,
}

impl Capture {
    fn take(&mut self, venue: VenueId, line: Line, place: (usize, u64)) {
        let clock = self.clocks.entry(line.connection.clone()).or_insert(line.at);
        *clock = line.at.max(*clock);
        let what = match line.kind {
            LineKind::Connected { address } => Recorded::Connected(address),
            LineKind::Received { body } => Recorded::Frame(choice::in_todays_words(venue, body).into_bytes()),
            LineKind::Reply { url, body } if choice::is_binance(venue) => match symbol_of(&url) {
                Some(symbol) => Recorded::Snapshot(Some(symbol), body.into_bytes()),
                None if url.contains("/exchangeInfo") => Recorded::Rules(body.into_bytes()),
                // Other REST calls are no news of a market.
                None => return,
            },
            LineKind::Reply { url, body } if choice::holds_rules(venue, &url) => Recorded::Rules(body.into_bytes()),
            LineKind::Reply { .. } => return,
        };
        self.records.push((line.connection, Record { at: LocalTime(*clock), place, what }));
    }

    /// The records that are ours to play.
    fn conclude(self, wish: &Wish) -> Result<Vec<Record>, ImportError> {
        if choice::is_binance(wish.venue) {
            return Ok(self.records.into_iter().map(|(_, record)| record).collect());
        }
        choice::of_one_connection(wish, self.records)
    }

    /// A reply is whole when the next line begins.
    fn take_reply(&mut self, venue: VenueId, reply: &mut Option<Line>) {
        if let Some(line) = reply.take() {
            let place = line.place;
            self.take(venue, line, place);
        }
    }
}

/// The symbol of a depth request's address.
fn symbol_of(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?')?;
    let is_depth = path.ends_with("/depth");
    query.split('&').find_map(|pair| pair.strip_prefix("symbol=")).filter(|_| is_depth).map(str::to_owned)
}

#[derive(Deserialize)]
struct JsonLine {
    t: String,
    #[serde(default)]
    conn: String,
    ts: Option<serde_json::Number>,
    exchange: Option<String>,
    url: Option<String>,
    addr: Option<String>,
    data: Option<String>,
}

/// What cryptofeed calls it, or called it once.
fn names_of(venue: VenueId) -> &'static [&'static str] {
    match venue {
        VenueId::BinanceSpot => &["BINANCE"],
        VenueId::BinanceUsdm => &["BINANCE_FUTURES"],
        VenueId::BinanceCoinm => &["BINANCE_DELIVERY"],
        VenueId::BybitSpot | VenueId::BybitLinear => &["BYBIT"],
        VenueId::Okx => &["OKX", "OKEX"],
        VenueId::Coinbase => &["COINBASE"],
        VenueId::Kraken => &["KRAKEN"],
        VenueId::Hyperliquid => &["HYPERLIQUID"],
        VenueId::Deribit => &["DERIBIT"],
        VenueId::Imported => &[],
    }
}

fn jsonl(text: &str, exchanges: &[&str]) -> Result<Option<Line>, String> {
    let line: JsonLine =
        serde_json::from_str(text).map_err(|error| format!("is no line of a cryptofeed capture: {error}"))?;
    let missing = |field: &str| format!("a line of kind {:?} has no {field:?}", line.t);
    let kind = match line.t.as_str() {
        "header" => {
            return match line.exchange.as_deref() {
                Some(found) if exchanges.contains(&found) => Ok(None),
                Some(other) => {
                    let ours = exchanges.join(" or ");
                    Err(format!("is a recording of {other}, which cryptofeed does not call {ours}"))
                }
                None => Err(missing("exchange")),
            };
        }
        "send" => return Ok(None),
        "http" => LineKind::Reply {
            url: line.url.clone().ok_or_else(|| missing("url"))?,
            body: line.data.clone().ok_or_else(|| missing("data"))?,
        },
        "connect" => LineKind::Connected { address: line.addr.clone().ok_or_else(|| missing("addr"))? },
        "recv" => LineKind::Received { body: line.data.clone().ok_or_else(|| missing("data"))? },
        other => return Err(format!("knows no lines of kind {other:?}")),
    };
    let ts = line.ts.as_ref().ok_or_else(|| missing("ts"))?;
    let at = nanoseconds(&ts.to_string())?;
    Ok(Some(Line { connection: line.conn, at, place: (0, 0), kind }))
}

enum Plain {
    Line(Result<Line, String>),
    /// The beginning of a line we have no use for.
    Nothing,
    /// Not the beginning of a line: a body goes on.
    Continuation,
}

fn plain(text: &str, file: usize) -> Plain {
    let line = |channel: &str, stamp: &str, kind: LineKind| {
        let connection = format!("{file} {channel}");
        Plain::Line(nanoseconds(stamp).map(|at| Line { connection, at, place: (0, 0), kind }))
    };
    if text.starts_with("configuration: ") {
        return Plain::Nothing;
    }
    if text.starts_with("http") || text.starts_with("ws") {
        let Some((url, rest)) = text.split_once(' ') else { return Plain::Continuation };
        if let Some(stamp) = rest.strip_prefix("<-> ") {
            return line("ws", stamp.trim(), LineKind::Connected { address: url.to_owned() });
        }
        if rest.starts_with("<- ") {
            return Plain::Nothing;
        }
        if let Some((stamp, body)) = rest.strip_prefix("-> ").and_then(|rest| rest.split_once(": ")) {
            return line("http", stamp, LineKind::Reply { url: url.to_owned(), body: body.to_owned() });
        }
        return Plain::Continuation;
    }
    match text.split_once(": ") {
        Some((stamp, body)) if is_stamp(stamp) => line("ws", stamp, LineKind::Received { body: body.to_owned() }),
        _ => Plain::Continuation,
    }
}

/// Seconds since the epoch with a fraction: `1617647603.4249449`.
fn is_stamp(text: &str) -> bool {
    let whole = text.split('.').next().expect("split yields at least one part");
    whole.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn nanoseconds(seconds: &str) -> Result<i64, String> {
    let out = || format!("{seconds:?} is no time in seconds since the epoch");
    if !is_stamp(seconds) {
        return Err(out());
    }
    let value: Decimal = seconds.parse().map_err(|_| out())?;
    (value * Decimal::from(1_000_000_000)).to_i64().ok_or_else(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_nanoseconds_digit_for_digit() {
        assert_eq!(nanoseconds("1617647603.4249449"), Ok(1_617_647_603_424_944_900));
        assert_eq!(nanoseconds("1617647603"), Ok(1_617_647_603_000_000_000));
        assert!(nanoseconds("1617647603424").is_err());
        assert!(nanoseconds("soon").is_err());
    }

    #[test]
    fn a_reply_belongs_to_the_symbol_in_its_address() {
        assert_eq!(symbol_of("https://www.binance.com/api/v1/depth?symbol=ZILUSDT&limit=1000").unwrap(), "ZILUSDT");
        assert_eq!(symbol_of("https://api.binance.com/api/v3/exchangeInfo"), None);
        assert_eq!(symbol_of("https://api.binance.com/api/v3/klines?symbol=ZILUSDT"), None);
    }
}

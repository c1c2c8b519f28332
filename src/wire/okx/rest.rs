//! What OKX answers over REST: its instruments and its clock.

use serde::Deserialize;

use super::rules::Row;
use super::{OkxDialect, SLOW_DOWN};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::units::{Nanos, VenueTime};
use crate::wire::conversation::Conversation;
use crate::wire::dialect::{Exchange, Listed, Manners, Options, Request};
use crate::wire::stamp::millis;
use crate::wire::{Protocol, WireError};

/// The venue.
#[derive(Clone, Copy, Debug)]
pub struct Okx;

/// So many instruments are asked for one by one.
const BY_NAME: usize = 5;

/// The code of too many requests.
const TOO_MANY: &str = "50011";

/// OKX: spot and swaps.
pub static OKX: Okx = Okx;

#[derive(Deserialize)]
struct Reply<T> {
    code: String,
    #[serde(default)]
    msg: String,
    #[serde(default = "Vec::new")]
    data: Vec<T>,
}

fn reply<'a, T: Deserialize<'a>>(what: &'static str, answer: &'a [u8]) -> Result<Vec<T>, WireError> {
    let bad = |why: String| WireError::Shape { what, why };
    let reply: Reply<T> = serde_json::from_slice(answer).map_err(|e| bad(e.to_string()))?;
    match reply.code.as_str() {
        "0" => Ok(reply.data),
        // It does not know the instrument asked for.
        "51001" => Ok(Vec::new()),
        code => Err(bad(format!("{code} {}", reply.msg))),
    }
}

/// The kind of instrument a name is of, in the venue's word. Names are `BASE-QUOTE`, `BASE-QUOTE-SWAP`, and for what
/// expires `BASE-QUOTE-yymmdd`.
pub(super) fn kind(symbol: &str) -> &'static str {
    match symbol.split('-').nth(2) {
        None => "SPOT",
        Some("SWAP") => "SWAP",
        Some(_) => "FUTURES",
    }
}

fn get(path: String) -> Request {
    Request::Get { path, weight: 1 }
}

impl Okx {
    /// A conversation about these instruments.
    pub fn conversation(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Conversation<OkxDialect> {
        let dialect = OkxDialect::new(instruments.iter().map(|(_, instrument)| instrument));
        Conversation::new(dialect, instruments, options, self)
    }
}

impl Exchange for Okx {
    fn id(&self) -> VenueId {
        VenueId::Okx
    }

    fn manners(&self) -> Manners {
        Manners {
            messages_per_second: 3,
            // Fewer than 30 channels of depth are recommended, and each instrument has two.
            instruments_per_connection: 14,
            rotate_after: Nanos::ZERO,
            // Three attempts a second are allowed.
            connects_per_minute: 60,
            forbidden_wait: Nanos::ZERO,
        }
    }

    /// Few are asked for by name, many by the whole list of their kind: 20 questions in two seconds are allowed.
    fn rules_requests(&self, symbols: &[&str]) -> Vec<Request> {
        let list = |kind: &str| format!("/api/v5/public/instruments?instType={kind}");
        if symbols.len() <= BY_NAME {
            return symbols.iter().map(|symbol| get(format!("{}&instId={symbol}", list(kind(symbol))))).collect();
        }
        let mut kinds: Vec<_> = symbols.iter().map(|symbol| kind(symbol)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(|kind| get(list(kind))).collect()
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        let mut listed = Vec::new();
        for answer in answers {
            let rows: Vec<Row> = reply("instruments", answer)?;
            let entry = |row: &Row| Listed { symbol: row.symbol().to_owned(), rules: row.instrument() };
            listed.extend(rows.iter().map(entry));
        }
        Ok(listed)
    }

    fn wants_silence(&self, answer: &[u8]) -> Option<(u16, Nanos)> {
        #[derive(Deserialize)]
        struct Code<'a> {
            code: &'a str,
        }
        // A refusal is short; a list need not be read twice.
        let refusal: Code<'_> = serde_json::from_slice(Some(answer).filter(|a| a.len() < 1_000)?).ok()?;
        (refusal.code == TOO_MANY).then_some((50_011, SLOW_DOWN))
    }

    fn listing_requests(&self) -> Vec<Request> {
        ["SPOT", "SWAP"].map(|kind| get(format!("/api/v5/public/instruments?instType={kind}"))).into()
    }

    fn clock_request(&self) -> Option<Request> {
        Some(get("/api/v5/public/time".to_owned()))
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        #[derive(Deserialize)]
        struct Clock {
            ts: String,
        }
        let clocks: Vec<Clock> = reply("time", answer).ok()?;
        clocks.first()?.ts.parse().ok().and_then(millis)
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        vec![Box::new(self.conversation(instruments, options))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_are_asked_for_by_kind_and_name() {
        let paths: Vec<_> = OKX
            .rules_requests(&["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-220527"])
            .into_iter()
            .map(|request| match request {
                Request::Get { path, .. } => path.replace("/api/v5/public/instruments?", ""),
                Request::Post { .. } | Request::Ask { .. } => panic!("a plain question"),
            })
            .collect();
        assert_eq!(
            paths,
            [
                "instType=SPOT&instId=BTC-USDT",
                "instType=SWAP&instId=BTC-USDT-SWAP",
                "instType=FUTURES&instId=BTC-USD-220527"
            ]
        );
    }

    #[test]
    fn many_are_asked_for_by_kind_alone() {
        let many = ["A-USDT", "B-USDT", "C-USDT", "A-USDT-SWAP", "D-USDT", "E-USDT"];
        let list = |kind: &str| get(format!("/api/v5/public/instruments?instType={kind}"));
        assert_eq!(OKX.rules_requests(&many), [list("SPOT"), list("SWAP")]);
        assert_eq!(OKX.rules_requests(&many[..5]).len(), 5);
    }

    #[test]
    fn a_refusal_in_a_cheerful_reply_is_told() {
        let limited = br#"{"code":"50011","msg":"Too Many Requests","data":[]}"#.to_vec();
        assert_eq!(OKX.wants_silence(&limited), Some((50_011, Nanos::from_s(5))));
        assert_eq!(OKX.wants_silence(br#"{"code":"0","data":[]}"#), None);
        assert_eq!(OKX.read_rules(&[limited]).unwrap_err().to_string(), "instruments: 50011 Too Many Requests");
        let unknown = br#"{"code":"51001","msg":"Instrument ID doesn't exist","data":[]}"#.to_vec();
        assert_eq!(OKX.read_rules(&[unknown]), Ok(Vec::new()));
        assert!(OKX.read_rules(&[b"<html>".to_vec()]).is_err());
    }

    #[test]
    fn the_clock_counts_milliseconds() {
        let answer = br#"{"code":"0","msg":"","data":[{"ts":"1790000000123"}]}"#;
        assert_eq!(OKX.read_clock(answer), Some(VenueTime(1_790_000_000_123_000_000)));
        assert_eq!(OKX.read_clock(br#"{"code":"0","msg":"","data":[]}"#), None);
    }
}

//! Books and tapes by other means: every venue's frames put together the naive way, by maps of decimals and the digits
//! as they came, sharing no code with the bot. What a venue lets one check is checked: chains, numbers, checksums.

use std::collections::BTreeMap;

use flate2::Crc;
use papermaker::market::VenueId;
use rust_decimal::Decimal;
use serde_json::Value;

use super::words::{self, Fact, Tie};
use crate::support::independent::Ladder;

/// Price to the digits of price and quantity as the venue wrote them.
type Side = BTreeMap<Decimal, (String, String)>;

/// A print, in the venue's units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    pub id: String,
    pub price: Decimal,
    pub qty: Decimal,
    pub taker_buys: bool,
}

/// One instrument's book.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    bids: Side,
    asks: Side,
    /// Number of the last change, where there is one.
    pub last: Option<u64>,
    /// Whether everything so far fitted together since a snapshot.
    pub trusted: bool,
    /// Changes that came before the snapshot (Binance).
    early: Vec<Fact>,
}

impl Naive {
    fn set(&mut self, bids: &[[String; 2]], asks: &[[String; 2]]) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for [price, qty] in levels {
                let key = number(price);
                if number(qty).is_zero() {
                    side.remove(&key);
                } else {
                    side.insert(key, (price.clone(), qty.clone()));
                }
            }
        }
    }

    fn cut(&mut self, window: usize) {
        while self.bids.len() > window {
            self.bids.pop_first();
        }
        while self.asks.len() > window {
            self.asks.pop_last();
        }
    }

    /// The best `depth` levels of each side, best first, normalized.
    pub fn top(&self, depth: usize) -> (Ladder, Ladder) {
        let level = |(price, (_, qty)): (&Decimal, &(String, String))| (price.normalize(), number(qty).normalize());
        (self.bids.iter().rev().take(depth).map(level).collect(), self.asks.iter().take(depth).map(level).collect())
    }

    /// Both sides whole, best first, with the digits as they came.
    pub fn whole(&self) -> (Ladder, Ladder) {
        let level = |(price, qty): &(String, String)| (number(price), number(qty));
        (self.bids.values().rev().map(level).collect(), self.asks.values().map(level).collect())
    }

    /// Levels of each side.
    pub fn depth(&self) -> (usize, usize) {
        (self.bids.len(), self.asks.len())
    }

    /// Kraken's: ten asks, ten bids, digits without points and leading zeros.
    fn kraken_checksum(&self) -> i64 {
        let digits = |text: &String| text.replace('.', "").trim_start_matches('0').to_owned();
        let levels = self.asks.values().take(10).chain(self.bids.values().rev().take(10));
        crc(&levels.map(|(p, q)| digits(p) + &digits(q)).collect::<String>())
    }

    /// OKX's: the best 25 of each side in turn, as they came, signed.
    fn okx_checksum(&self) -> i64 {
        let (bids, asks): (Vec<_>, Vec<_>) =
            (self.bids.values().rev().take(25).collect(), self.asks.values().take(25).collect());
        let mut parts = Vec::new();
        for k in 0..25 {
            for (price, qty) in [bids.get(k), asks.get(k)].into_iter().flatten() {
                parts.push(format!("{price}:{qty}"));
            }
        }
        i64::from(crc(&parts.join(":")) as u32 as i32)
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub snapshots: usize,
    pub changes: usize,
    /// Changes that were older than what is known.
    pub old: usize,
    /// Checksums that were there (other than 0), and those that were not right.
    pub checksums: usize,
    pub wrong_checksums: usize,
    /// Changes that did not follow their predecessor, and holes in a connection's numbers.
    pub gaps: usize,
    pub prints: usize,
    /// Frames that are not JSON.
    pub unreadable: usize,
    /// JSON that is neither about a book nor a print.
    pub other: usize,
}

/// All instruments of a connection.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    venue: VenueId,
    /// Levels a side that the venue keeps us informed of.
    window: usize,
    pub books: BTreeMap<String, Naive>,
    pub prints: BTreeMap<String, Vec<Print>>,
    pub counts: Counts,
    /// Of the connection (Coinbase).
    number: Option<u64>,
}

impl Rebuilt {
    /// Nothing heard yet. `window`: the depth subscribed to, where the client has to cut (`usize::MAX`: no).
    pub fn new(venue: VenueId, window: usize) -> Self {
        let (books, prints, counts) = (BTreeMap::new(), BTreeMap::new(), Counts::default());
        Self { venue, window, books, prints, counts, number: None }
    }

    /// A frame.
    pub fn hear(&mut self, text: &str) {
        let Some(frame) = words::json(text) else {
            self.counts.unreadable += 1;
            return;
        };
        if self.venue == VenueId::Coinbase && !self.follows(&frame) {
            return;
        }
        let facts = words::facts(self.venue, &frame);
        self.counts.other += usize::from(facts.is_empty());
        for (symbol, fact) in facts {
            self.take(&symbol, fact);
        }
    }

    /// A snapshot over REST (Binance).
    pub fn fetched(&mut self, symbol: &str, body: &str) {
        let body = words::json(body).expect("a snapshot is JSON");
        let last = words::int(&body["lastUpdateId"]);
        let (bids, asks) = (words::pairs(&body["bids"]), words::pairs(&body["asks"]));
        let early = std::mem::take(&mut self.books.entry(symbol.to_owned()).or_default().early);
        self.take(symbol, Fact::Whole { last, bids, asks, checksum: None });
        for fact in early {
            self.take(symbol, fact);
        }
    }

    /// The best `depth` levels of each side; `None` while the book is not to be trusted.
    pub fn top(&self, symbol: &str, depth: usize) -> Option<(Ladder, Ladder)> {
        self.books.get(symbol).filter(|book| book.trusted).map(|book| book.top(depth))
    }

    /// Every print of an instrument, in order.
    pub fn tape(&self, symbol: &str) -> &[Print] {
        self.prints.get(symbol).map_or(&[], Vec::as_slice)
    }

    /// One number over everything on the connection: a hole puts every book in doubt.
    fn follows(&mut self, frame: &Value) -> bool {
        let Some(n) = words::int(&frame["sequence_num"]) else { return true };
        let expected = self.number.map_or(n, |last| last + 1);
        if n < expected {
            self.counts.old += 1;
            return false;
        }
        if n > expected {
            self.counts.gaps += 1;
            self.books.values_mut().for_each(|book| book.trusted = false);
        }
        self.number = Some(n);
        true
    }

    fn take(&mut self, symbol: &str, fact: Fact) {
        let counts = &mut self.counts;
        let checksum = match fact {
            Fact::Print(print) => {
                counts.prints += 1;
                self.prints.entry(symbol.to_owned()).or_default().push(print);
                return;
            }
            Fact::Whole { last, bids, asks, checksum } => {
                counts.snapshots += 1;
                let book = self.books.entry(symbol.to_owned()).or_default();
                *book = Naive { last, trusted: true, ..Naive::default() };
                book.set(&bids, &asks);
                checksum
            }
            Fact::Part { tie, last, ref bids, ref asks, checksum } => {
                counts.changes += 1;
                let book = self.books.entry(symbol.to_owned()).or_default();
                if !book.trusted {
                    book.early.push(fact);
                    return;
                }
                let known = book.last.unwrap_or_default();
                let fits = match tie {
                    Tie::None => true,
                    _ if last <= known && last > 0 && tie != Tie::After(known) => {
                        // A book that begins over REST may be anchored in the middle of a change (Binance futures).
                        counts.old += 1;
                        return;
                    }
                    Tie::From(first) => first <= known + 1,
                    // The first change after a REST snapshot only has to contain it.
                    Tie::Bridge { first, prev } => prev == known || first <= known,
                    Tie::After(prev) => prev == known,
                    Tie::Next => last == known + 1,
                };
                if !fits {
                    counts.gaps += 1;
                    book.trusted = false;
                    return;
                }
                book.set(bids, asks);
                book.last = Some(last);
                book.cut(self.window);
                checksum
            }
        };
        let book = self.books.get_mut(symbol).expect("made above");
        if let Some(said) = checksum.filter(|&sum| sum != 0) {
            counts.checksums += 1;
            let found = if self.venue == VenueId::Okx { book.okx_checksum() } else { book.kraken_checksum() };
            if found != said {
                counts.wrong_checksums += 1;
                book.trusted = false;
            }
        }
    }
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn crc(text: &str) -> i64 {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    i64::from(crc.sum())
}

//! OKX v5: spot and swaps, public data.
//!
//! What we rely on, from the venue's documentation of 2026 and captures of that summer: the channel `books` begins with
//! a snapshot of 400 levels, and each update names the one it follows (`prevSeqId`). One that changes nothing comes
//! after a quiet minute; after maintenance the numbers may fall, yet the chain holds. Numbers of different channels do
//! not compare. The checksum is dead (always zero) but was alive in recordings. `side` is the taker's. Sizes of swaps
//! count contracts. The keepalive and its answer are the bare words `ping` and `pong`.
//!
//! Reading order: [`OkxDialect`] is the venue's words, `message` and `json` the two ways to read a frame, `rules` an
//! instrument, [`Okx`] the rest of the venue.

#[cfg(test)]
mod agreement;
mod checksum;
mod json;
mod message;
mod rest;
mod rules;
#[cfg(test)]
mod tests;

pub use rest::{OKX, Okx};

use message::{Message, Scratch};

use super::WireError;
use super::dialect::{Change, Channels, Concerned, Dialect, News, Source, TradeIds, Traits};
use super::ladder::best_first;
use super::symbols::{Symbol, Symbols};
use crate::market::{Instrument, Mark, Status, VenueId};
use crate::units::{LocalTime, Nanos, Side};

/// Levels a side of `books`. After each update only so many are kept, whatever the venue deletes.
const LEVELS: usize = 400;

/// Silence after being told to slow down. The venue names no length; it advises to double from a second.
const SLOW_DOWN: Nanos = Nanos::from_s(5);

/// One connection's words.
#[derive(Debug)]
pub struct OkxDialect {
    /// Whether there are swaps, which have marks and funding.
    swaps: bool,
    scratch: Scratch,
}

impl OkxDialect {
    /// Words about these instruments.
    pub fn new<'a>(instruments: impl IntoIterator<Item = &'a Instrument>) -> Self {
        let swaps = instruments.into_iter().any(|instrument| is_swap(&instrument.symbol));
        Self { swaps, scratch: Scratch::default() }
    }
}

fn is_swap(symbol: &str) -> bool {
    rest::kind(symbol) == "SWAP"
}

/// Requests are numbered by the instrument they are about, so that an answer names it.
fn request(operation: &str, at: usize, symbol: &str, channels: &[&str]) -> String {
    let args: Vec<_> =
        channels.iter().map(|channel| format!("{{\"channel\":\"{channel}\",\"instId\":\"{symbol}\"}}")).collect();
    format!("{{\"id\":\"{at}\",\"op\":\"{operation}\",\"args\":[{}]}}", args.join(","))
}

fn tell(message: Message, symbols: &Symbols, news: &mut Vec<News>) {
    match message {
        Message::Books { at, whole: true, pages } => news.extend(pages.into_iter().map(|page| snapshot(at, page))),
        Message::Books { at, whole: false, pages } => {
            news.extend(pages.into_iter().map(|change| News::Change { at, change }));
        }
        Message::Touches { at, pages } => news.extend(pages.into_iter().map(|page| {
            let best = |levels: &[crate::market::Level]| levels.first().copied().filter(|l| l.qty.0 > 0);
            News::Bbo { at, time: page.time, seq: 0, bid: best(&page.bids), ask: best(&page.asks) }
        })),
        Message::Prints { at, prints } => {
            news.extend(prints.into_iter().map(|(time, trade)| News::Trade { at, time, trade }));
        }
        Message::Marks { at, marks } => news.extend(marks.into_iter().map(|(time, mark)| {
            let mark = Mark { mark: Some(mark), ..Mark::default() };
            News::Mark { at, time: Some(time), mark }
        })),
        Message::Fundings { fundings, .. } if fundings.is_empty() => news.push(News::Alive),
        Message::Fundings { at, fundings } => news.extend(fundings.into_iter().map(|(time, funding)| {
            let mark = Mark { funding: Some(funding), ..Mark::default() };
            News::Mark { at, time, mark }
        })),
        Message::Rules(rows) if rows.is_empty() => news.push(News::Ignored),
        Message::Rules(rows) => {
            for (at, rules) in rows {
                match rules {
                    Ok(rules) => news.push(News::Rules { at, rules: Box::new(rules) }),
                    Err(error) => {
                        news.push(News::Status { at, status: Status::Unknown });
                        news.push(News::Unreadable { at, error });
                    }
                }
            }
        }
        Message::Refused { code, words, request } => news.push(refused(code, words, request.as_deref(), symbols)),
        Message::ShutdownAnnounced => news.push(News::ShutdownAnnounced),
        Message::Pong | Message::Acknowledged => news.push(News::Alive),
        Message::Ignored => news.push(News::Ignored),
    }
}

fn snapshot(at: usize, page: Change) -> News {
    let Change { last, seq, time, mut bids, mut asks, checksum, link: _ } = page;
    best_first(Side::Bid, &mut bids);
    best_first(Side::Ask, &mut asks);
    let complete = bids.len() < LEVELS && asks.len() < LEVELS;
    News::Snapshot { at, last, seq, time, bids, asks, complete, checksum }
}

fn refused(code: u32, words: String, request: Option<&str>, symbols: &Symbols) -> News {
    // Too many requests; too many of them in an hour.
    if matches!(code, 50_011 | 60_014) {
        return News::RateLimited { code, wait: SLOW_DOWN };
    }
    let by_id = request.and_then(|id| id.parse().ok()).filter(|&at| at < symbols.len());
    let is_symbol = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let by_words = || words.split(|c| !is_symbol(c)).find_map(|word| symbols.find(word.as_bytes()));
    let at = by_id.or_else(by_words);
    // An invalid request, invalid arguments, no such channel or instrument, not for us, channels in conflict.
    let final_ = matches!(code, 60_012 | 60_013 | 60_018 | 64_003 | 64_004);
    News::Denied { at, words: format!("{code} {words}"), final_ }
}

impl Dialect for OkxDialect {
    fn venue(&self) -> VenueId {
        VenueId::Okx
    }

    fn traits(&self) -> Traits {
        Traits {
            channels: Channels { book: true, bbo: true, trades: true, marks: self.swaps },
            source: Source::Stream,
            window: Some(LEVELS),
            checksum: Some(checksum::of),
            // They counted until prints were merged; now a merged print has the last id of its parts.
            trade_ids: TradeIds::Opaque,
            ping_every: Some(Nanos::from_s(20)),
            // The venue itself gives up after 30 s.
            silence_max: Nanos::from_s(30),
        }
    }

    fn has_marks(&self, symbol: &Symbol) -> bool {
        is_swap(&symbol.instrument.symbol)
    }

    fn ws_path(&self, _symbols: &Symbols) -> String {
        "/ws/v5/public".to_owned()
    }

    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>) {
        for (at, symbol) in symbols.all().iter().enumerate() {
            let name = &symbol.instrument.symbol;
            let mut channels = vec!["books", "bbo-tbt", "trades"];
            if is_swap(name) {
                channels.extend(["mark-price", "funding-rate"]);
            }
            texts.push(request("subscribe", at, name, &channels));
        }
        let names = || symbols.all().iter().map(|symbol| symbol.instrument.symbol.as_str());
        for kind in ["SPOT", "SWAP"].into_iter().filter(|kind| names().any(|name| rest::kind(name) == *kind)) {
            let arg = format!("{{\"channel\":\"instruments\",\"instType\":\"{kind}\"}}");
            texts.push(format!("{{\"op\":\"subscribe\",\"args\":[{arg}]}}"));
        }
    }

    fn resubscribe(&mut self, symbols: &Symbols, at: usize, texts: &mut Vec<String>) {
        let symbol = &symbols.get(at).instrument.symbol;
        texts.push(request("unsubscribe", at, symbol, &["books"]));
        texts.push(request("subscribe", at, symbol, &["books"]));
    }

    fn keepalive(&mut self) -> String {
        "ping".to_owned()
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let message = match message::scan(frame, symbols, &mut self.scratch) {
            Some(message) => message,
            None => json::parse(frame, symbols)?,
        };
        tell(message, symbols, news);
        Ok(())
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        json::concerned(frame, symbols)
    }
}

//! Hyperliquid's words: perpetuals settled in USDC, and spot pairs.
//!
//! Every book message is the whole of a window of five levels, so nothing can be missing between two of them and there
//! is nothing to put together; there are no numbers to prove anything with either. What orders messages is the time of
//! their block: an older one, from a node that lags, is dropped. Beyond the window the book is unknown, not empty.
//! Without `fast` the window has twenty levels that are up to five seconds old.
//!
//! After a subscription the venue sends a batch of past trades and does not mark it. A print counts if its block comes
//! after the first block whose book or best prices this socket showed: what happened before is in that book already,
//! and a print before any book is of no use to anybody.

mod frame;
mod json;
mod rules;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;

use self::frame::{Frame, scan};
use super::conversation::Conversation;
use super::dialect::{
    Channels, Concerned, Dialect, Exchange, Listed, Manners, News, Options, Request, Source, TradeIds, Traits,
};
use super::symbols::Symbols;
use super::{Protocol, WireError, stamp};
use crate::market::{Funding, Instrument, InstrumentId, Kind, Level, Mark, VenueId};
use crate::units::{FundingRate, LocalTime, Nanos, VenueTime};

/// Funding is paid every full hour.
const HOUR: Nanos = Nanos::from_s(3_600);

/// The house: what it lists and how it wants to be treated.
#[derive(Debug)]
pub struct Hyperliquid;

/// The one there is.
pub static HYPERLIQUID: Hyperliquid = Hyperliquid;

/// A conversation about these perpetuals.
pub fn conversation(instruments: Vec<(InstrumentId, Instrument)>, options: Options) -> Conversation<Words> {
    Conversation::new(Words::new(true), instruments, options, &HYPERLIQUID)
}

/// The words of one connection.
#[derive(Debug)]
pub struct Words {
    /// Whether its instruments are contracts, with a mark price and funding.
    marks: bool,
    coins: Vec<Coin>,
    scratch: Vec<Level>,
    parsed_slowly: u64,
}

/// What the blocks of one instrument's messages say of their order.
#[derive(Clone, Copy, Debug, Default)]
struct Coin {
    book: Newest,
    bbo: Newest,
    /// The first block this socket showed: prints up to it are of the past.
    since: Option<u64>,
}

/// The newest block of a channel.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    time: u64,
    /// On this socket. The first message of a socket may repeat what the last one said.
    heard: bool,
}

impl Newest {
    /// Takes a message of this block, unless it is an old one.
    fn take(&mut self, time: u64) -> bool {
        let is_new = if self.heard { time > self.time } else { time >= self.time };
        if is_new {
            *self = Self { time, heard: true };
        }
        is_new
    }
}

impl Coin {
    /// A message of this block showed the book as it then was.
    fn show(&mut self, time: u64) {
        // Of a node that lags, what the last socket knew already.
        let known = self.book.time.max(self.bbo.time);
        self.since.get_or_insert(time.max(known));
    }
}

impl Words {
    /// For contracts, or for spot pairs.
    pub fn new(marks: bool) -> Self {
        Self { marks, coins: Vec::new(), scratch: Vec::new(), parsed_slowly: 0 }
    }

    /// Frames the scanner left to the JSON parser.
    pub fn parsed_slowly(&self) -> u64 {
        self.parsed_slowly
    }

    fn coin(&mut self, at: usize) -> &mut Coin {
        if self.coins.len() <= at {
            self.coins.resize(at + 1, Coin::default());
        }
        &mut self.coins[at]
    }

    fn tell(&mut self, frame: Frame, symbols: &Symbols, at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let one = match frame {
            Frame::Book { at, time, bids, asks } => {
                let block = block_time(time)?;
                let coin = self.coin(at);
                coin.show(time);
                if coin.book.take(time) {
                    News::Snapshot {
                        at,
                        last: time,
                        seq: Some(time),
                        time: Some(block),
                        bids,
                        asks,
                        complete: false,
                        checksum: None,
                    }
                } else {
                    News::Duplicate
                }
            }
            Frame::Bbo { at, time, bid, ask } => {
                let block = block_time(time)?;
                let coin = self.coin(at);
                coin.show(time);
                if coin.bbo.take(time) {
                    News::Bbo { at, time: Some(block), seq: time, bid, ask }
                } else {
                    News::Duplicate
                }
            }
            Frame::Trades { past, prints } => {
                let from = news.len();
                for print in prints {
                    if !past && self.coin(print.at).since.is_some_and(|since| print.time > since) {
                        let time = block_time(print.time)?;
                        news.push(News::Trade { at: print.at, time, trade: print.trade });
                    }
                }
                if news.len() > from {
                    return Ok(());
                }
                News::Ignored
            }
            Frame::Context { at: whose, mark, rate } => {
                let funding = rate.map(|rate| hourly(rate, at));
                News::Mark { at: whose, time: None, mark: Mark { funding, ..mark } }
            }
            Frame::Answered => News::Alive,
            Frame::Refused(words) => {
                let at = json::named(&words, symbols);
                let final_ = at.is_some() && words.starts_with("Invalid");
                News::Denied { at, words, final_ }
            }
            Frame::Ignored => News::Ignored,
        };
        news.push(one);
        Ok(())
    }
}

fn block_time(ms: u64) -> Result<VenueTime, WireError> {
    stamp::millis(ms).ok_or_else(|| WireError::Shape { what: "time", why: format!("{ms} is out of range") })
}

/// Paid at the next full hour, on the value at the oracle's price. The message has no time, so ours must do: it is
/// wrong by an hour for the few milliseconds that our clock is off.
fn hourly(rate: FundingRate, at: LocalTime) -> Funding {
    let hours = at.0.div_euclid(HOUR.0).saturating_add(1);
    Funding { rate, due: Some(VenueTime(hours.saturating_mul(HOUR.0))), every: HOUR, at_index: true }
}

/// A subscription to one channel of a coin; `more` is further fields.
fn subscription(kind: &str, coin: &str, more: &str) -> String {
    let coin = serde_json::Value::from(coin);
    format!(r#"{{"method":"subscribe","subscription":{{"type":"{kind}","coin":{coin}{more}}}}}"#)
}

impl Dialect for Words {
    fn venue(&self) -> VenueId {
        VenueId::Hyperliquid
    }

    fn traits(&self) -> Traits {
        Traits {
            channels: Channels { book: true, bbo: true, trades: true, marks: self.marks },
            source: Source::Stream,
            window: None,
            checksum: None,
            trade_ids: TradeIds::Opaque,
            // The server closes a connection it has not spoken on for 60 s; it speaks if we do.
            ping_every: Some(Nanos::from_s(40)),
            silence_max: Nanos::from_s(60),
        }
    }

    fn ws_path(&self, _symbols: &Symbols) -> String {
        "/ws".to_owned()
    }

    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>) {
        for coin in &mut self.coins {
            coin.book.heard = false;
            coin.bbo.heard = false;
            coin.since = None;
        }
        for symbol in symbols.all() {
            let coin = &symbol.instrument.symbol;
            texts.push(subscription("l2Book", coin, r#","fast":true"#));
            texts.push(subscription("bbo", coin, ""));
            texts.push(subscription("trades", coin, ""));
            if self.marks {
                texts.push(subscription("activeAssetCtx", coin, ""));
            }
        }
    }

    /// Nothing: the next message is a whole book.
    fn resubscribe(&mut self, _symbols: &Symbols, _at: usize, _texts: &mut Vec<String>) {}

    fn keepalive(&mut self) -> String {
        r#"{"method":"ping"}"#.to_owned()
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let frame = match scan(frame, symbols, &mut self.scratch) {
            Some(frame) => frame,
            None => {
                self.parsed_slowly += 1;
                json::parse(frame, symbols)?
            }
        };
        self.tell(frame, symbols, at, news)
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        json::concerned(frame, symbols)
    }
}

impl Exchange for Hyperliquid {
    fn id(&self) -> VenueId {
        VenueId::Hyperliquid
    }

    fn manners(&self) -> Manners {
        Manners {
            // 2,000 a minute from one address.
            messages_per_second: 20,
            // 1,000 subscriptions and ten connections from one address, four subscriptions for each instrument: so 25,
            // and all is asked for within five seconds.
            instruments_per_connection: 25,
            rotate_after: Nanos::ZERO,
            // 30 from one address.
            connects_per_minute: 20,
            forbidden_wait: Nanos::ZERO,
        }
    }

    fn rules_requests(&self, symbols: &[&str]) -> Vec<Request> {
        rules::requests(symbols)
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        rules::read(answers)
    }

    fn listing_requests(&self) -> Vec<Request> {
        rules::requests(&["BTC", "PURR/USDC"])
    }

    /// There is no clock to ask; the newest block of a busy book is a fraction of a second old.
    fn clock_request(&self) -> Option<Request> {
        Some(rules::info(r#"{"type":"l2Book","coin":"BTC"}"#.to_owned(), 2))
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        rules::block_time(answer).and_then(stamp::millis)
    }

    /// Spot pairs have no mark price to wait for, so they keep to themselves.
    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        let is_spot = |(_, instrument): &(InstrumentId, Instrument)| instrument.contract.kind == Kind::Spot;
        let (pairs, contracts) = instruments.into_iter().partition::<Vec<_>, _>(is_spot);
        let groups = [(true, contracts), (false, pairs)].into_iter().filter(|(_, group)| !group.is_empty());
        groups
            .map(|(marks, group)| -> Box<dyn Protocol> {
                Box::new(Conversation::new(Words::new(marks), group, options, self))
            })
            .collect()
    }
}

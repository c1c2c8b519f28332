//! Deribit's words: perpetuals and dated futures, inverse (amounts in USD) and linear (amounts in coin), as JSON-RPC.
//!
//! A book begins with all its levels; each change names the number it follows, and a change that follows another one
//! than the last is a hole. Numbers jump, only the link counts. Another whole book may come at any time. Unknown
//! channels are left out of the answer to a subscription without a word, so the answer is compared with the question.
//! The venue asks for a sign of life, and closes connections that do not give it.
//!
//! Reading order: [`Words`] is the dialect, `frame` and `json` the two ways to read a frame, `state` who may be traded,
//! `rules` what comes over HTTP, [`Deribit`] the house.

mod frame;
mod json;
mod rules;
mod state;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::frame::{Frame, Reply, scan};
use self::state::States;
use super::conversation::Conversation;
use super::dialect::{
    Channels, Concerned, Dialect, Exchange, Listed, Manners, News, Options, Request, Source, TradeIds, Traits,
};
use super::symbols::Symbols;
use super::{Protocol, WireError, stamp};
use crate::market::{Instrument, InstrumentId, Level, Status, VenueId};
use crate::units::{LocalTime, Nanos, VenueTime};

/// Funding rates are for this long; funding accrues all the time.
const FUNDING_EVERY: Nanos = Nanos::from_s(8 * 3_600);
/// `too_many_requests`; the venue closes the session with it.
const TOO_MANY: i64 = 10_028;
/// An empty pool of 30,000 credits for subscriptions is full again after nine seconds.
const TOO_MANY_WAIT: Nanos = Nanos::from_s(10);
/// Errors that pass: retry, settlement, a full queue, too many at once, maintenance, unavailable, timed out.
const PASSING: [i64; 7] = [10_040, 10_041, 10_047, 10_066, 11_051, 13_028, 13_888];

/// The house: what it lists and how it wants to be treated.
#[derive(Debug)]
pub struct Deribit;

/// The one there is.
pub static DERIBIT: Deribit = Deribit;

/// A conversation about these instruments.
pub fn conversation(instruments: Vec<(InstrumentId, Instrument)>, options: Options) -> Conversation<Words> {
    Conversation::new(Words::default(), instruments, options, &DERIBIT)
}

/// The words of one connection.
#[derive(Debug, Default)]
pub struct Words {
    /// The number of the last request.
    requests: u64,
    /// Subscriptions that are not answered yet: their numbers and channels.
    asked: BTreeMap<u64, Vec<String>>,
    states: States,
    scratch: Vec<Level>,
    parsed_slowly: u64,
}

impl Words {
    /// Frames the scanner left to the JSON parser.
    pub fn parsed_slowly(&self) -> u64 {
        self.parsed_slowly
    }

    fn request(&mut self, method: &str, params: &str) -> String {
        self.requests += 1;
        let id = self.requests;
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"public/{method}","params":{params}}}"#)
    }

    fn subscribe(&mut self, channels: Vec<String>) -> String {
        let text = self.request("subscribe", &list(&channels));
        self.asked.insert(self.requests, channels);
        text
    }

    fn tell(&mut self, frame: Frame, symbols: &Symbols, news: &mut Vec<News>) {
        match frame {
            Frame::News(one) => news.push(one),
            Frame::Trades(prints) if prints.is_empty() => news.push(News::Ignored),
            Frame::Trades(prints) => {
                news.extend(prints.into_iter().map(|p| News::Trade { at: p.at, time: p.time, trade: p.trade }));
            }
            Frame::Ticker { at, time, mark, state } => {
                news.push(News::Mark { at, time: Some(time), mark });
                if let Some(state) = state {
                    self.states.set_own(symbols, at, state);
                    self.tell_states(symbols, news);
                }
            }
            Frame::State { at, state } => {
                self.states.set_own(symbols, at, state);
                self.tell_states(symbols, news);
            }
            Frame::Lock { index, locked } => {
                self.states.set_lock(symbols, &index, locked);
                self.tell_states(symbols, news);
            }
            Frame::Maintenance(on) => {
                self.states.set_maintenance(symbols, on);
                self.tell_states(symbols, news);
            }
            Frame::TestRequest => {
                let answer = self.request("test", "{}");
                news.push(News::Answer(answer));
            }
            Frame::Reply { id, reply } => self.tell_reply(id, reply, symbols, news),
            Frame::Ignored => news.push(News::Ignored),
        }
    }

    fn tell_states(&self, symbols: &Symbols, news: &mut Vec<News>) {
        news.extend(self.states.changes(symbols).map(|(at, status)| News::Status { at, status }));
    }

    fn tell_reply(&mut self, id: Option<u64>, reply: Reply, symbols: &Symbols, news: &mut Vec<News>) {
        let asked = id.and_then(|id| self.asked.remove(&id)).unwrap_or_default();
        match reply {
            Reply::Channels(granted) => {
                news.push(News::Alive);
                deny(asked.into_iter().filter(|channel| !granted.contains(channel)), symbols, news);
            }
            Reply::Locks(locks) => {
                self.states.set_locks(symbols, &locks);
                news.push(News::Alive);
                self.tell_states(symbols, news);
            }
            Reply::Error { code: TOO_MANY, .. } => {
                news.push(News::RateLimited { code: TOO_MANY as u32, wait: TOO_MANY_WAIT });
            }
            Reply::Error { code, words } => {
                // A subscription to one instrument's channels is refused for that instrument.
                let mut whose = asked.iter().map(|channel| instrument_of(channel, symbols));
                let first = whose.next().flatten();
                let at = first.filter(|_| whose.all(|other| other == first));
                news.push(News::Denied { at, words, final_: at.is_some() && !PASSING.contains(&code) });
            }
            Reply::Done => news.push(News::Alive),
        }
    }
}

/// One denial for each instrument whose channels the venue left out, and one for what belongs to none.
fn deny(missing: impl Iterator<Item = String>, symbols: &Symbols, news: &mut Vec<News>) {
    let mut by_instrument: BTreeMap<Option<usize>, Vec<String>> = BTreeMap::new();
    for channel in missing {
        by_instrument.entry(instrument_of(&channel, symbols)).or_default().push(channel);
    }
    news.extend(by_instrument.into_iter().map(|(at, channels)| {
        let words = format!("no subscription to {}", channels.join(", "));
        News::Denied { at, words, final_: at.is_some() }
    }));
}

/// Whose channel `ticker.BTC-PERPETUAL.100ms` is.
fn instrument_of(channel: &str, symbols: &Symbols) -> Option<usize> {
    symbols.find(channel.split('.').nth(1)?.as_bytes())
}

fn list(channels: &[String]) -> String {
    format!(r#"{{"channels":{}}}"#, serde_json::Value::from(channels))
}

impl Dialect for Words {
    fn venue(&self) -> VenueId {
        VenueId::Deribit
    }

    fn traits(&self) -> Traits {
        Traits {
            channels: Channels { book: true, bbo: true, trades: true, marks: true },
            source: Source::Stream,
            window: None,
            checksum: None,
            trade_ids: TradeIds::Counting,
            // The venue asks, every 30 s; two and a half of these in silence are too long.
            ping_every: None,
            silence_max: Nanos::from_s(75),
        }
    }

    fn ws_path(&self, _symbols: &Symbols) -> String {
        "/ws/api/v2".to_owned()
    }

    fn open(&mut self, symbols: &Symbols, texts: &mut Vec<String>) {
        self.asked.clear();
        self.states.open();
        let mut channels = vec!["instrument.state.any.any".to_owned(), "platform_state".to_owned()];
        for symbol in symbols.all() {
            let name = &symbol.instrument.symbol;
            channels.extend([
                format!("book.{name}.100ms"),
                format!("trades.{name}.100ms"),
                format!("quote.{name}"),
                format!("ticker.{name}.100ms"),
            ]);
        }
        texts.push(self.request("set_heartbeat", r#"{"interval":30}"#));
        texts.push(self.subscribe(channels));
        // Locks are only told when they change.
        texts.push(self.request("status", "{}"));
    }

    fn resubscribe(&mut self, symbols: &Symbols, at: usize, texts: &mut Vec<String>) {
        let book = vec![format!("book.{}.100ms", symbols.get(at).instrument.symbol)];
        texts.push(self.request("unsubscribe", &list(&book)));
        texts.push(self.subscribe(book));
    }

    /// The list knows no locks and no maintenance.
    fn allowed(&self, at: usize, listed: Status) -> Status {
        self.states.allowed(at, listed)
    }

    fn read(&mut self, frame: &[u8], symbols: &Symbols, _at: LocalTime, news: &mut Vec<News>) -> Result<(), WireError> {
        let frame = match scan(frame, symbols, &mut self.scratch) {
            Some(frame) => frame,
            None => {
                self.parsed_slowly += 1;
                json::parse(frame, symbols)?
            }
        };
        self.tell(frame, symbols, news);
        Ok(())
    }

    fn concerned(&self, frame: &[u8], symbols: &Symbols) -> Concerned {
        json::concerned(frame, symbols)
    }
}

impl Exchange for Deribit {
    fn id(&self) -> VenueId {
        VenueId::Deribit
    }

    fn manners(&self) -> Manners {
        Manners {
            // A subscription costs 3,000 of 30,000 credits, and 10,000 are earned in a second.
            messages_per_second: 3,
            // 500 channels in one request, four of each instrument.
            instruments_per_connection: 100,
            rotate_after: Nanos::ZERO,
            // 32 at once from one address.
            connects_per_minute: 20,
            forbidden_wait: Nanos::ZERO,
        }
    }

    fn rules_requests(&self, _symbols: &[&str]) -> Vec<Request> {
        vec![rules::request()]
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        rules::read(answers)
    }

    fn listing_requests(&self) -> Vec<Request> {
        vec![rules::request()]
    }

    fn clock_request(&self) -> Option<Request> {
        Some(Request::Get { path: "/api/v2/public/get_time".to_owned(), weight: 1 })
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        rules::time(answer).and_then(stamp::millis)
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        vec![Box::new(conversation(instruments, options))]
    }
}

//! Binance spot: public market data over a combined websocket stream, snapshots over REST.
//!
//! What we rely on, from the venue's documentation of 2026: `depthUpdate` carries the updates `U..=u` and the next
//! one begins at `u + 1`; there is no checksum and no resync signal but that chain. `bookTicker` has no time. `m` of
//! a trade means that the *buyer* was the maker, so the taker sold. A subscription to a symbol that does not exist is
//! acknowledged like any other, therefore the first-data timers.
//!
//! Reading order: [`BinanceSpot`] is the conversation, `message` and `json` the two ways to read a frame, [`rest`]
//! what comes over HTTP.

#[cfg(test)]
mod agreement;
mod json;
mod message;
pub mod rest;
mod symbols;

pub use message::TimeUnit;

use message::{Message, Scratch, Trade};
use symbols::Symbols;

use super::depth_sync::{DepthSync, SnapshotRequest, SyncCounts, SyncLimits};
use super::liveness::{Channel, Patience, Pulse};
use super::{Action, FetchFailure, Protocol, Said, WireError};
use crate::market::{FeedEventKind, Instrument, InstrumentId, MarketEvent, MarketEventKind, VenueId};
use crate::units::{LocalTime, Nanos, VenueTime};

/// Which stream of trades to listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trades {
    /// Each match is a print (`@trade`).
    Raw,
    /// Matches of one taker order at one price are one print (`@aggTrade`).
    Aggregated,
    /// None.
    Off,
}

/// What to listen to, and how patiently. Every default is stated at its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Levels per side in a snapshot: 1,000 (weight 50); at most 5,000 (weight 250).
    pub depth_limit: u32,
    /// Listen to `bookTicker`: yes.
    pub bbo: bool,
    /// Which trades: raw.
    pub trades: Trades,
    /// Listen to negotiated trades too (flagged, they never fill us): no.
    pub block_trades: bool,
    /// Unit of the venue's times: milliseconds.
    pub time_unit: TimeUnit,
    /// Depth stream: first data 10 s, stale 5 s, dead 30 s.
    pub depth_patience: Patience,
    /// `bookTicker`: first data 10 s, stale 5 s, dead 30 s.
    pub bbo_patience: Patience,
    /// Trades: endless; a quiet market is no fault.
    pub trade_patience: Patience,
    /// Synchronisation of books.
    pub sync: SyncLimits,
}

impl Default for Settings {
    fn default() -> Self {
        let liquid = Patience { first_data: Nanos::from_s(10), stale: Nanos::from_s(5), dead: Nanos::from_s(30) };
        Self {
            depth_limit: 1_000,
            bbo: true,
            trades: Trades::Raw,
            block_trades: false,
            time_unit: TimeUnit::Milliseconds,
            depth_patience: liquid,
            bbo_patience: liquid,
            trade_patience: Patience::ENDLESS,
            sync: SyncLimits::default(),
        }
    }
}

/// What was seen, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames in all.
    pub frames: u64,
    /// Frames the scanner left to the JSON parser.
    pub parsed_slowly: u64,
    /// Frames of no concern to us.
    pub ignored: u64,
    /// Frames that could not be understood.
    pub errors: u64,
    /// Trades seen before.
    pub duplicate_trades: u64,
    /// Trades that never came, by their ids.
    pub missed_trades: u64,
}

/// The conversation of one connection.
#[derive(Debug)]
pub struct BinanceSpot {
    settings: Settings,
    symbols: Symbols,
    desks: Vec<Desk>,
    scratch: Scratch,
    counts: Counts,
    socket: Socket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Closed,
    Open,
    /// We wished to reconnect: books and timers are at rest, prints and quotes still count.
    GivenUp,
}

/// What is known of one instrument.
#[derive(Debug)]
struct Desk {
    id: InstrumentId,
    sync: DepthSync,
    depth: Channel,
    bbo: Option<Channel>,
    trade: Option<Channel>,
    /// Id and time of the last print, and whether it was heard on this socket.
    last_trade: Option<(u64, VenueTime, bool)>,
    live: bool,
    /// The venue does not know this symbol: we stop asking.
    refused: bool,
}

impl BinanceSpot {
    /// A conversation about these instruments.
    pub fn new(instruments: Vec<(InstrumentId, Instrument)>, settings: Settings) -> Self {
        let symbols = Symbols::new(instruments);
        let desk = |symbol: &symbols::Symbol| {
            let (path, weight) = rest::depth_path(&symbol.instrument.symbol, settings.depth_limit);
            Desk {
                id: symbol.id,
                sync: DepthSync::new(symbol.id, SnapshotRequest { path, weight }, settings.sync),
                depth: Channel::new("depth", settings.depth_patience),
                bbo: settings.bbo.then(|| Channel::new("bbo", settings.bbo_patience)),
                trade: (settings.trades != Trades::Off).then(|| Channel::new("trade", settings.trade_patience)),
                last_trade: None,
                live: false,
                refused: false,
            }
        };
        let desks = symbols.all().iter().map(desk).collect();
        Self {
            settings,
            symbols,
            desks,
            scratch: Scratch::default(),
            counts: Counts::default(),
            socket: Socket::Closed,
        }
    }

    /// What was seen on all sockets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What was seen of one instrument's depth stream.
    pub fn sync_counts(&self, instrument: InstrumentId) -> Option<SyncCounts> {
        self.symbols.find_id(instrument).map(|at| self.desks[at].sync.counts())
    }

    /// Whether what was said of an instrument's depth adds up to its book.
    pub fn is_in_step(&self, instrument: InstrumentId) -> bool {
        self.symbols.find_id(instrument).is_some_and(|at| self.desks[at].sync.is_live())
    }

    /// A later answer to `exchangeInfo` about an instrument of this connection. Says what changed; new steps void the
    /// book, because its prices are in old ticks.
    pub fn on_rules(&mut self, instrument: InstrumentId, now: &Instrument, said: &mut Vec<Said>) {
        let Some(at) = self.symbols.find_id(instrument) else { return };
        let known = &mut self.symbols.get_mut(at).instrument;
        let Some(kind) = rest::change(known, now) else { return };
        match &kind {
            MarketEventKind::Rules(rules) => {
                let new_steps = (rules.tick, rules.lot) != (known.tick, known.lot);
                *known = (**rules).clone();
                if new_steps {
                    self.desks[at].sync.on_new_rules();
                    self.desks[at].live = false;
                }
            }
            MarketEventKind::Status(status) => known.status = *status,
            MarketEventKind::Snapshot { .. }
            | MarketEventKind::Delta { .. }
            | MarketEventKind::Trade { .. }
            | MarketEventKind::Bbo { .. }
            | MarketEventKind::Mark(_)
            | MarketEventKind::Gap { .. } => unreachable!("a change of rules is rules or a status"),
        }
        self.desks[at].sync.set_trading(known.status.may_quote());
        said.push(Said::Market(MarketEvent { instrument, venue_time: None, kind }));
    }

    fn read(&mut self, frame: &[u8]) -> Result<Message, WireError> {
        let unit = self.settings.time_unit;
        if let Some(message) = message::scan(frame, &self.symbols, unit, &mut self.scratch) {
            return Ok(message);
        }
        self.counts.parsed_slowly += 1;
        json::parse(frame, &self.symbols, unit)
    }

    fn hear(&mut self, message: Message, at: LocalTime, said: &mut Vec<Said>) {
        match message {
            Message::Depth { at: i, diff } => {
                let desk = &mut self.desks[i];
                desk.depth.hear(at);
                desk.sync.on_diff(diff, at, said);
                desk.settle(said);
            }
            Message::Trade { at: i, time, trade } => {
                let desk = &mut self.desks[i];
                if let Some(channel) = &mut desk.trade {
                    channel.hear(at);
                }
                desk.print(time, trade, &mut self.counts, said);
                desk.settle(said);
            }
            Message::Bbo { at: i, seq, bid, ask } => {
                let desk = &mut self.desks[i];
                if let Some(channel) = &mut desk.bbo {
                    channel.hear(at);
                }
                said.push(desk.market(None, MarketEventKind::Bbo { seq, bid, ask }));
                desk.settle(said);
            }
            Message::ShutdownAnnounced => {
                said.push(Said::Feed { instrument: None, kind: FeedEventKind::ShutdownAnnounced });
                said.push(Said::Do(Action::Rotate));
            }
            Message::RequestRefused(words) => {
                let detail = format!("request refused: {words}");
                said.push(Said::Feed { instrument: None, kind: FeedEventKind::ProtocolError { detail } });
            }
            Message::Acknowledged => {}
            Message::Ignored => self.counts.ignored += 1,
        }
    }

    fn misunderstand(&mut self, error: &WireError, frame: &[u8], at: LocalTime, said: &mut Vec<Said>) {
        if matches!(error, WireError::UnknownSymbol(_)) {
            self.counts.ignored += 1;
            return;
        }
        self.counts.errors += 1;
        let begin: String = String::from_utf8_lossy(&frame[..frame.len().min(160)]).into_owned();
        let concerned = json::book_concerned(frame, &self.symbols);
        let instrument = concerned.map(|i| self.desks[i].id);
        let detail = format!("{error}; frame begins {begin:?}");
        said.push(Said::Feed { instrument, kind: FeedEventKind::ProtocolError { detail } });
        if let Some(i) = concerned {
            let desk = &mut self.desks[i];
            desk.depth.hear(at);
            desk.sync.on_unreadable(at, said);
            desk.settle(said);
        }
    }

    fn give_up_if_wished(&mut self, said: &[Said]) {
        if said.iter().any(|s| matches!(s, Said::Do(Action::Reconnect { .. }))) {
            self.socket = Socket::GivenUp;
            self.void_books();
        }
    }

    fn void_books(&mut self) {
        for desk in &mut self.desks {
            desk.sync.close();
            desk.live = false;
        }
    }
}

impl Desk {
    /// Says `Live` when the book is in step and every channel flows, once each time.
    fn settle(&mut self, said: &mut Vec<Said>) {
        let flows = |channel: &Option<Channel>| channel.as_ref().is_none_or(Channel::flows);
        let live = self.sync.is_live() && self.depth.flows() && flows(&self.bbo) && flows(&self.trade);
        if live && !self.live {
            said.push(Said::Feed { instrument: Some(self.id), kind: FeedEventKind::Live });
        }
        self.live = live;
    }

    /// Ids count up by one. One seen before is dropped unless its time says that the venue began to count anew.
    fn print(&mut self, time: VenueTime, trade: Trade, counts: &mut Counts, said: &mut Vec<Said>) {
        let Trade { id, taker, price, qty, flags } = trade;
        if let Some((last, last_time, same_socket)) = self.last_trade {
            if id <= last && time <= last_time {
                counts.duplicate_trades += 1;
                return;
            }
            if id > last.saturating_add(1) && same_socket {
                let missed = id - last - 1;
                counts.missed_trades += missed;
                let detail = format!("trade ids jumped from {last} to {id}: {missed} prints never came");
                said.push(Said::Feed { instrument: Some(self.id), kind: FeedEventKind::ProtocolError { detail } });
            }
        }
        self.last_trade = Some((id, time, true));
        said.push(self.market(Some(time), MarketEventKind::Trade { id, taker, price, qty, flags }));
    }

    fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        [Some(&mut self.depth), self.bbo.as_mut(), self.trade.as_mut()].into_iter().flatten()
    }

    fn market(&self, venue_time: Option<VenueTime>, kind: MarketEventKind) -> Said {
        Said::Market(MarketEvent { instrument: self.id, venue_time, kind })
    }
}

impl Protocol for BinanceSpot {
    fn venue(&self) -> VenueId {
        VenueId::BinanceSpot
    }

    fn ws_path(&self) -> String {
        let trades = match self.settings.trades {
            Trades::Raw => Some("trade"),
            Trades::Aggregated => Some("aggTrade"),
            Trades::Off => None,
        };
        let channels = [
            Some("depth@100ms"),
            trades,
            self.settings.bbo.then_some("bookTicker"),
            self.settings.block_trades.then_some("blockTrade"),
        ];
        let streams: Vec<_> = self
            .symbols
            .all()
            .iter()
            .flat_map(|s| channels.iter().flatten().map(move |channel| format!("{}@{channel}", s.lower)))
            .collect();
        let unit = match self.settings.time_unit {
            TimeUnit::Milliseconds => "",
            TimeUnit::Microseconds => "&timeUnit=MICROSECOND",
        };
        format!("/stream?streams={}{unit}", streams.join("/"))
    }

    fn on_open(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        self.socket = Socket::Open;
        said.push(Said::Feed { instrument: None, kind: FeedEventKind::Connected });
        for desk in &mut self.desks {
            desk.live = false;
            if !desk.refused {
                desk.sync.open();
            }
            desk.channels().for_each(|channel| channel.open(at));
            if let Some((_, _, same_socket)) = &mut desk.last_trade {
                *same_socket = false;
            }
        }
    }

    fn on_text(&mut self, frame: &[u8], at: LocalTime, said: &mut Vec<Said>) {
        if self.socket == Socket::Closed {
            return;
        }
        self.counts.frames += 1;
        let from = said.len();
        match self.read(frame) {
            Ok(message) => self.hear(message, at, said),
            Err(error) => self.misunderstand(&error, frame, at, said),
        }
        self.give_up_if_wished(&said[from..]);
    }

    fn on_fetched(
        &mut self,
        instrument: InstrumentId,
        reply: Result<&[u8], FetchFailure>,
        at: LocalTime,
        said: &mut Vec<Said>,
    ) {
        let Some(i) = self.symbols.find_id(instrument).filter(|_| self.socket == Socket::Open) else { return };
        let from = said.len();
        let desk = &mut self.desks[i];
        let reply = reply.and_then(|body| {
            rest::depth(body, &self.symbols.get(i).instrument)
                .map_err(|error| FetchFailure::Unreachable(format!("its body is unusable: {error}")))
        });
        match reply {
            Ok(snapshot) => desk.sync.on_snapshot(snapshot, at, said),
            Err(FetchFailure::Status { status, body }) if refuses_for_good(status, &body) => {
                let reason = format!("HTTP {status}: {body}");
                said.push(Said::Feed { instrument: Some(instrument), kind: FeedEventKind::Refused { reason } });
                desk.sync.close();
                desk.refused = true;
            }
            Err(failure) => desk.sync.on_failure(&failure, at, said),
        }
        desk.settle(said);
        self.give_up_if_wished(&said[from..]);
    }

    fn on_time(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        if self.socket != Socket::Open {
            return;
        }
        let from = said.len();
        let mut dead = None;
        for (i, desk) in self.desks.iter_mut().enumerate().filter(|(_, desk)| !desk.refused) {
            let id = desk.id;
            let trading = self.symbols.get(i).instrument.status.may_quote();
            desk.sync.on_time(at, said);
            for channel in desk.channels() {
                match channel.on_time(at) {
                    Pulse::Steady => {}
                    Pulse::Complaint(kind) => said.push(Said::Feed { instrument: Some(id), kind }),
                    // A halted market is silent by nature.
                    Pulse::Dead(_) if !trading => {}
                    Pulse::Dead(reason) => dead = dead.or(Some(reason)),
                }
            }
            desk.settle(said);
        }
        said.extend(dead.map(|reason| Said::Do(Action::Reconnect { reason })));
        self.give_up_if_wished(&said[from..]);
    }

    fn on_close(&mut self, reason: &str, _at: LocalTime, said: &mut Vec<Said>) {
        self.socket = Socket::Closed;
        self.void_books();
        let kind = FeedEventKind::Disconnected { reason: reason.to_owned() };
        said.push(Said::Feed { instrument: None, kind });
    }
}

/// The venue will not serve us from here (403, 451) or does not know the symbol (-1121).
fn refuses_for_good(status: u16, body: &str) -> bool {
    matches!(status, 403 | 451) || (status == 400 && body.contains("-1121"))
}

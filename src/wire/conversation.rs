//! One connection's conversation with a venue: everything about it that is the same at every venue.
//!
//! A [`Dialect`] turns bytes into [`News`]; what is made of the news happens here: books are kept in step, channels
//! that fall silent are noticed, trades seen before are dropped, rules are asked for again, and the session hears
//! of an instrument that it is live once everything about it on this connection flows.

use std::sync::Arc;

use super::board::Board;
use super::depth_sync::{Snapshot, SyncCounts};
use super::desk::{Desk, Sync, hear_on};
use super::dialect::{Concerned, Dialect, Exchange, News, Options, Traits};
use super::liveness::Pulse;
use super::rules::{self, Poll};
use super::stream_sync::Whole;
use super::symbols::{Symbol, Symbols};
use super::{About, Action, FetchFailure, Protocol, Said, WireError};
use crate::market::{FeedEventKind, Instrument, InstrumentId, MarketEventKind, Status, VenueId};
use crate::units::{LocalTime, Nanos};

/// What was seen, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames in all.
    pub frames: u64,
    /// Frames, or parts of one, of no concern to us.
    pub ignored: u64,
    /// Frames that could not be understood.
    pub errors: u64,
    /// Messages seen before, by a number of the connection.
    pub duplicates: u64,
    /// Trades seen before.
    pub duplicate_trades: u64,
    /// Trades that never came, by their ids.
    pub missed_trades: u64,
}

/// The conversation of one connection in a venue's dialect.
pub struct Conversation<D> {
    exchange: &'static dyn Exchange,
    dialect: D,
    traits: Traits,
    symbols: Symbols,
    desks: Vec<Desk>,
    counts: Counts,
    socket: Socket,
    heard: LocalTime,
    spoke: LocalTime,
    poll: Poll,
    board: Arc<Board>,
    board_seen: u64,
    news: Vec<News>,
    texts: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Closed,
    Open,
    /// We wished to reconnect: books and timers are at rest, prints and quotes still count.
    GivenUp,
}

impl<D: Dialect> Conversation<D> {
    /// A conversation about these instruments.
    pub fn new(
        dialect: D,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
        exchange: &'static dyn Exchange,
    ) -> Self {
        let symbols = Symbols::new(instruments);
        let traits = dialect.traits();
        let make = |(at, symbol): (usize, &Symbol)| Desk::new(at, symbol, &dialect, &symbols, &options);
        let desks = symbols.all().iter().enumerate().map(make).collect();
        // Who has the book says what its rules are; the others follow.
        let rules_every = if traits.channels.book { options.rules_every } else { Nanos::ZERO };
        Self {
            exchange,
            traits,
            desks,
            counts: Counts::default(),
            socket: Socket::Closed,
            heard: LocalTime::default(),
            spoke: LocalTime::default(),
            poll: Poll::new(rules_every),
            board: Arc::default(),
            board_seen: 0,
            news: Vec::new(),
            texts: Vec::new(),
            dialect,
            symbols,
        }
    }

    /// Shares the rules in force with other connections of the same instruments.
    pub fn sharing(mut self, board: &Arc<Board>) -> Self {
        self.board = Arc::clone(board);
        self
    }

    /// What was seen on all sockets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What was seen of one instrument's book messages.
    pub fn sync_counts(&self, instrument: InstrumentId) -> Option<SyncCounts> {
        self.symbols.find_id(instrument).map(|at| self.desks[at].book.counts())
    }

    /// Whether what was said of an instrument's depth adds up to its book.
    pub fn is_in_step(&self, instrument: InstrumentId) -> bool {
        self.symbols.find_id(instrument).is_some_and(|at| self.desks[at].book.is_live())
    }

    /// The venue's words, for reports.
    pub fn dialect(&self) -> &D {
        &self.dialect
    }

    /// A later word about the rules of an instrument of this connection. Says what changed; new steps void the book,
    /// because its prices are in old ticks.
    pub fn on_rules(&mut self, instrument: InstrumentId, now: &Instrument, at: LocalTime, said: &mut Vec<Said>) {
        if let Some(i) = self.symbols.find_id(instrument) {
            self.hear_rules(i, now, at, said);
        }
    }

    fn hear_rules(&mut self, i: usize, now: &Instrument, at: LocalTime, said: &mut Vec<Said>) {
        let known = &self.symbols.get(i).instrument;
        let Some(kind) = rules::change(known, now) else { return };
        if let MarketEventKind::Rules(rules) = &kind {
            let new_steps = (rules.tick, rules.lot) != (known.tick, known.lot);
            self.symbols.set_rules(i, (**rules).clone());
            self.board.post(rules);
            if new_steps {
                self.desks[i].book.on_new_rules(at);
                self.desks[i].live = false;
            }
        }
        if let MarketEventKind::Status(status) = kind {
            self.symbols.set_status(i, status);
            self.board.post_status(&self.symbols.get(i).instrument);
        }
        self.desks[i].book.set_trading(self.symbols.get(i).instrument.status.may_quote());
        said.push(self.desks[i].market(None, kind));
    }

    /// Rules and status another connection of these instruments has heard of are in force here too.
    fn look_at_board(&mut self) {
        let now = self.board.version();
        if now == self.board_seen {
            return;
        }
        self.board_seen = now;
        for rules in self.board.all() {
            if let Some(i) = self.symbols.find(rules.symbol.as_bytes()) {
                self.desks[i].book.set_trading(rules.status.may_quote());
                self.symbols.set_rules(i, rules);
            }
        }
    }

    fn hear(&mut self, news: News, at: LocalTime, said: &mut Vec<Said>) {
        match news {
            News::Snapshot { at: i, last, seq, time, bids, asks, complete, checksum } => {
                let (desk, rules) = (&mut self.desks[i], &self.symbols.get(i).instrument);
                hear_on(&mut desk.depth, at);
                let whole = Whole { last, seq, time, bids, asks, complete, checksum };
                match &mut desk.book {
                    Sync::None => {}
                    Sync::Rest(sync) => {
                        sync.on_snapshot(Snapshot { last, bids: whole.bids, asks: whole.asks }, at, said);
                    }
                    Sync::Stream(sync) => sync.on_snapshot(whole, rules, at, said),
                }
                desk.settle(said);
            }
            News::Change { at: i, change } => {
                let (desk, rules) = (&mut self.desks[i], &self.symbols.get(i).instrument);
                hear_on(&mut desk.depth, at);
                desk.book.on_change(change, rules, at, said);
                desk.settle(said);
            }
            News::Trade { at: i, time, trade } => {
                let desk = &mut self.desks[i];
                hear_on(&mut desk.trade, at);
                desk.print(time, trade, &mut self.counts, said);
                desk.settle(said);
            }
            News::Bbo { at: i, time, seq, bid, ask } => {
                let desk = &mut self.desks[i];
                hear_on(&mut desk.bbo, at);
                said.push(desk.market(time, MarketEventKind::Bbo { seq, bid, ask }));
                desk.settle(said);
            }
            News::Mark { at: i, time, mark } => {
                let desk = &mut self.desks[i];
                hear_on(&mut desk.mark, at);
                said.push(desk.market(time, MarketEventKind::Mark(mark)));
                desk.settle(said);
            }
            News::Status { at: i, status } => {
                let now = Instrument { status, ..self.symbols.get(i).instrument.clone() };
                self.hear_rules(i, &now, at, said);
            }
            News::Rules { at: i, rules } => self.hear_rules(i, &rules, at, said),
            News::Unreadable { at: i, error } => self.doubt(Concerned::One(i), &error.to_string(), at, said),
            News::Lost { expected, found } => self.lose_all(expected, found, said),
            News::Alive => {}
            News::Duplicate => self.counts.duplicates += 1,
            News::Answer(text) => said.push(Said::Do(Action::Send(text))),
            News::Denied { at: i, words, final_ } => self.deny(i, words, final_, said),
            News::RateLimited { code, wait } => {
                let kind = FeedEventKind::RateLimited { code, wait_ms: wait.ms().max(0) as u64 };
                said.push(Said::Feed { instrument: None, kind });
                let reason = format!("the venue wants silence (code {code})");
                said.push(Said::Do(Action::Reconnect { reason, wait }));
            }
            News::ShutdownAnnounced => {
                said.push(Said::Feed { instrument: None, kind: FeedEventKind::ShutdownAnnounced });
                said.push(Said::Do(Action::Rotate));
            }
            News::Ignored => self.counts.ignored += 1,
        }
    }

    fn lose_all(&mut self, expected: u64, found: u64, said: &mut Vec<Said>) {
        for desk in &mut self.desks {
            if let Sync::Stream(sync) = &mut desk.book {
                sync.on_lost(expected, found, said);
            }
            desk.live = false;
        }
        let reason = format!("messages were lost: expected number {expected}, found {found}");
        said.push(Said::Do(Action::Reconnect { reason, wait: Nanos::ZERO }));
    }

    fn deny(&mut self, i: Option<usize>, words: String, for_good: bool, said: &mut Vec<Said>) {
        match i.filter(|_| for_good) {
            Some(i) => {
                let desk = &mut self.desks[i];
                let kind = FeedEventKind::Refused { reason: words };
                said.push(Said::Feed { instrument: Some(desk.id), kind });
                desk.book.close();
                (desk.refused, desk.live) = (true, false);
            }
            None => {
                let instrument = i.map(|i| self.desks[i].id);
                let detail = format!("request refused: {words}");
                said.push(Said::Feed { instrument, kind: FeedEventKind::ProtocolError { detail } });
            }
        }
    }

    fn misunderstand(&mut self, error: &WireError, frame: &[u8], at: LocalTime, said: &mut Vec<Said>) {
        if matches!(error, WireError::UnknownSymbol(_)) {
            self.counts.ignored += 1;
            return;
        }
        self.counts.errors += 1;
        let begin: String = String::from_utf8_lossy(&frame[..frame.len().min(160)]).into_owned();
        let concerned = self.dialect.concerned(frame, &self.symbols);
        self.doubt(concerned, &format!("{error}; frame begins {begin:?}"), at, said);
    }

    /// Says what could not be read, and doubts the books it may have changed.
    fn doubt(&mut self, concerned: Concerned, detail: &str, at: LocalTime, said: &mut Vec<Said>) {
        let kind = FeedEventKind::ProtocolError { detail: detail.to_owned() };
        let (instrument, desks) = match concerned {
            Concerned::Nobody => (None, &mut self.desks[..0]),
            Concerned::One(i) => (Some(self.desks[i].id), &mut self.desks[i..=i]),
            Concerned::Everybody => (None, &mut self.desks[..]),
        };
        said.push(Said::Feed { instrument, kind });
        for desk in desks {
            hear_on(&mut desk.depth, at);
            desk.book.on_unreadable(at, said);
            desk.settle(said);
        }
    }

    /// Carries out what books wished for, and notices that the connection is to be given up.
    fn follow_up(&mut self, from: usize, said: &mut Vec<Said>) {
        for i in 0..self.desks.len() {
            if let Sync::Stream(sync) = &mut self.desks[i].book
                && sync.take_wish()
            {
                self.dialect.resubscribe(&self.symbols, i, &mut self.texts);
            }
        }
        said.extend(self.texts.drain(..).map(|text| Said::Do(Action::Send(text))));
        if said[from..].iter().any(|s| matches!(s, Said::Do(Action::Reconnect { .. }))) {
            self.socket = Socket::GivenUp;
            self.void_books();
        }
    }

    fn void_books(&mut self) {
        for desk in &mut self.desks {
            desk.book.close();
            desk.live = false;
        }
    }

    fn hear_all_rules(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        let listed = match self.poll.read(self.exchange) {
            Ok(Some(listed)) => listed,
            Ok(None) => return,
            Err(error) => {
                let detail = format!("the rules could not be read: {error}");
                said.push(Said::Feed { instrument: None, kind: FeedEventKind::ProtocolError { detail } });
                return;
            }
        };
        for i in 0..self.desks.len() {
            let known = &self.symbols.get(i).instrument;
            let now = rules::now(known, &listed);
            match now {
                Ok(now) => {
                    let status = self.dialect.allowed(i, now.status);
                    self.hear_rules(i, &Instrument { status, ..now }, at, said);
                }
                // Nobody trades by rules that no longer hold.
                Err(error) => {
                    self.deny(Some(i), format!("its rules cannot be kept: {error}"), false, said);
                    self.hear(News::Status { at: i, status: Status::Unknown }, at, said);
                }
            }
        }
    }
}

impl<D: Dialect> Protocol for Conversation<D> {
    fn venue(&self) -> VenueId {
        self.dialect.venue()
    }

    fn instruments(&self) -> Vec<InstrumentId> {
        self.symbols.all().iter().map(|s| s.id).collect()
    }

    fn on_start(&mut self, said: &mut Vec<Said>) {
        // A missing book shows by itself; missing trades or marks do not.
        if !self.traits.channels.book {
            for desk in &self.desks {
                let kind = FeedEventKind::NoData { channel: "all".to_owned(), waited_ms: 0 };
                said.push(Said::Feed { instrument: Some(desk.id), kind });
            }
        }
    }

    fn ws_path(&self) -> String {
        self.dialect.ws_path(&self.symbols)
    }

    fn on_open(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        self.socket = Socket::Open;
        (self.heard, self.spoke) = (at, at);
        self.look_at_board();
        self.poll.open(at);
        said.push(Said::Feed { instrument: None, kind: FeedEventKind::Connected });
        for desk in &mut self.desks {
            desk.live = false;
            if !desk.refused {
                desk.book.open(at);
            }
            desk.channels().for_each(|channel| channel.open(at));
            if let Some((_, _, same_socket)) = &mut desk.prints.last {
                *same_socket = false;
            }
        }
        self.dialect.open(&self.symbols, &mut self.texts);
        said.extend(self.texts.drain(..).map(|text| Said::Do(Action::Send(text))));
    }

    fn on_text(&mut self, frame: &[u8], at: LocalTime, said: &mut Vec<Said>) {
        if self.socket == Socket::Closed {
            return;
        }
        self.counts.frames += 1;
        self.heard = at;
        self.look_at_board();
        let from = said.len();
        let mut news = std::mem::take(&mut self.news);
        match self.dialect.read(frame, &self.symbols, at, &mut news) {
            Ok(()) => news.drain(..).for_each(|one| self.hear(one, at, said)),
            Err(error) => {
                news.clear();
                self.misunderstand(&error, frame, at, said);
            }
        }
        // Kept for its capacity.
        self.news = news;
        if said.len() > from {
            self.follow_up(from, said);
        }
    }

    fn on_fetched(&mut self, about: About, reply: Result<&[u8], FetchFailure>, at: LocalTime, said: &mut Vec<Said>) {
        if self.socket != Socket::Open {
            return;
        }
        let from = said.len();
        let reply = reply.and_then(|body| match self.exchange.wants_silence(body) {
            Some((status, wait)) => Err(FetchFailure::RateLimited { status, wait }),
            None => Ok(body),
        });
        match about {
            About::Book(instrument) => {
                let Some(i) = self.symbols.find_id(instrument) else { return };
                let Sync::Rest(sync) = &mut self.desks[i].book else { return };
                let unusable = |error| FetchFailure::Unreachable(format!("its body is unusable: {error}"));
                let (dialect, symbols) = (&self.dialect, &self.symbols);
                match reply.and_then(|body| dialect.read_snapshot(body, symbols, i).map_err(unusable)) {
                    Ok(snapshot) => sync.on_snapshot(snapshot, at, said),
                    Err(FetchFailure::Status { status, body }) if refuses_for_good(status, &body) => {
                        self.deny(Some(i), format!("HTTP {status}: {body}"), true, said);
                    }
                    Err(failure) => sync.on_failure(&failure, at, said),
                }
                self.desks[i].settle(said);
            }
            About::Rules(nth) => {
                // Waiting as told is no failure.
                if let Err(failure @ (FetchFailure::Status { .. } | FetchFailure::Unreachable(_))) = &reply {
                    let detail = format!("the rules could not be had: {failure}");
                    said.push(Said::Feed { instrument: None, kind: FeedEventKind::ProtocolError { detail } });
                }
                self.poll.take(nth, reply, at);
                self.hear_all_rules(at, said);
            }
        }
        self.follow_up(from, said);
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
            desk.book.on_time(at, said);
            // The best price moved and the book did not say so: that is no quiet market.
            let lags = desk.depth_lags();
            for channel in desk.channels() {
                match channel.on_time(at) {
                    Pulse::Steady => {}
                    Pulse::Complaint(kind) => said.push(Said::Feed { instrument: Some(id), kind }),
                    // A halted market is silent by nature.
                    Pulse::Dead(_) if !trading => {}
                    Pulse::Dead(_) if !lags && channel.may_be_quiet(self.heard, at) => {}
                    Pulse::Dead(reason) => dead = dead.or(Some(reason)),
                }
            }
            desk.settle(said);
        }
        let (silent, limit) = (at.since(self.heard), self.traits.silence_max);
        if limit > Nanos::ZERO && silent > limit {
            dead = Some(format!("nothing heard for {} ms", silent.ms()));
        }
        said.extend(dead.map(|reason| Said::Do(Action::Reconnect { reason, wait: Nanos::ZERO })));
        if self.traits.ping_every.is_some_and(|every| at.since(self.spoke) >= every) {
            self.spoke = at;
            said.push(Said::Do(Action::Send(self.dialect.keepalive())));
        }
        let names = self.symbols.all().iter().map(|s| s.instrument.symbol.as_str());
        self.poll.on_time(self.exchange, names, at, said);
        self.follow_up(from, said);
    }

    fn on_close(&mut self, reason: &str, _at: LocalTime, said: &mut Vec<Said>) {
        self.socket = Socket::Closed;
        self.void_books();
        // Without a book nothing was known but what flows, and that no longer does.
        if self.traits.channels.book {
            let kind = FeedEventKind::Disconnected { reason: reason.to_owned() };
            said.push(Said::Feed { instrument: None, kind });
        } else {
            for desk in &self.desks {
                let kind = FeedEventKind::Stale { channel: "all".to_owned(), silent_ms: 0 };
                said.push(Said::Feed { instrument: Some(desk.id), kind });
            }
        }
    }
}

/// The venue will not serve us from here (403, 451) or does not know the symbol (Binance's -1121).
fn refuses_for_good(status: u16, body: &str) -> bool {
    matches!(status, 403 | 451) || (status == 400 && body.contains("-1121"))
}

//! The venue's inside: one lock over the market, who listens to what, and what goes wrong next. Whatever happens is put
//! into words and into the queues of the sockets under that lock, so no message can overtake another.

use std::collections::VecDeque;

use papermaker::market::VenueId;
use rust_decimal::Decimal;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Duration, Instant};

use super::fault::{Fault, Strike, checksum_of, with_checksum, with_unknown_fields};
use super::house::{Asked, House, Reply};
use super::market::{Book, Event, Kind, Market, Print, What};
use super::script::{Script, Told};

/// What a socket is to write.
#[derive(Debug)]
pub enum Out {
    Text(String),
    /// A text frame of these bytes, whatever they are.
    NotText(Vec<u8>),
    Binary(Vec<u8>),
    Pieces(String, usize),
    Ping(Vec<u8>),
    Wait(Duration),
    Close(u16),
    Reset,
    HalfOpen,
}

/// One socket.
pub struct Line {
    pub id: usize,
    path: String,
    topics: Vec<String>,
    /// Subscribed, acknowledged, and dead.
    silent: Vec<String>,
    heard: Vec<String>,
    /// Messages so far, where they are numbered.
    number: u64,
    beat: u64,
    queue: UnboundedSender<Out>,
    held: Option<(Kind, String)>,
}

/// What the venue has seen and done so far.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Websockets accepted, and most of them open at one moment.
    pub sockets: usize,
    pub open: usize,
    pub open_max: usize,
    /// When each upgrade was asked for, refused ones included.
    pub upgrades: Vec<Instant>,
    /// `(socket, topic)` of every subscription obeyed, and of every one ended.
    pub subscribed: Vec<(usize, String)>,
    pub unsubscribed: Vec<(usize, String)>,
    /// Pings of the venue's own kind that clients sent, and websocket pings.
    pub pings: usize,
    /// Payloads of websocket pongs.
    pub pongs: Vec<Vec<u8>>,
    /// Questions of ours that were answered in text.
    pub answers: usize,
    /// Text frames of clients, by socket.
    pub heard: Vec<(usize, Instant, String)>,
    /// When each REST request came, `METHOD path?query`, and what it got.
    pub rest: Vec<(Instant, String, u16)>,
    /// Every print there was, and those that were sent to somebody undamaged.
    pub prints: Vec<(String, Print)>,
    pub shown: Vec<(String, Print)>,
    /// Faults that have struck, with the event.
    pub struck: Vec<(u64, Fault)>,
    /// Messages of topics put into queues.
    pub told: usize,
}

impl Stats {
    /// How often a topic was subscribed to, over all sockets.
    pub fn subscriptions(&self, topic: &str) -> usize {
        self.subscribed.iter().filter(|(_, t)| t == topic).count()
    }

    /// REST requests to a path.
    pub fn asked(&self, path: &str) -> usize {
        self.rest.iter().filter(|(_, line, _)| line.contains(path)).count()
    }
}

/// Everything behind the lock.
pub struct Venue {
    pub house: Box<dyn House>,
    pub market: Market,
    /// What is played instead of the market's own course.
    pub script: Option<Script>,
    pub stats: Stats,
    lines: Vec<Line>,
    strikes: Vec<Strike>,
    refuse_rest: VecDeque<(u16, Option<u32>)>,
    refuse_upgrade: VecDeque<u16>,
    /// So many topics more will be acknowledged and bring nothing.
    deaf: usize,
    mute: bool,
}

impl Venue {
    pub fn new(house: Box<dyn House>, market: Market, strikes: Vec<Strike>) -> Self {
        let mut venue = Self {
            house,
            market,
            script: None,
            stats: Stats::default(),
            lines: Vec::new(),
            strikes: Vec::new(),
            refuse_rest: VecDeque::new(),
            refuse_upgrade: VecDeque::new(),
            deaf: 0,
            mute: false,
        };
        strikes.into_iter().for_each(|strike| venue.inject(strike));
        venue
    }

    pub fn id(&self) -> VenueId {
        self.house.id()
    }

    /// Whether anybody has asked for anything.
    pub fn has_listeners(&self) -> bool {
        self.lines.iter().any(|line| !line.topics.is_empty())
    }

    /// A new fault; one that is due and strikes no message strikes at once.
    pub fn inject(&mut self, strike: Strike) {
        self.strikes.push(strike);
        self.strike_venue();
    }

    /// Faults that are still to strike.
    pub fn pending(&self) -> usize {
        self.strikes.len()
    }

    /// A status for the next upgrade, if it is refused.
    pub fn upgrade(&mut self, path: &str) -> Option<u16> {
        self.stats.upgrades.push(Instant::now());
        self.refuse_upgrade.pop_front().or((!self.house.serves(path)).then_some(404))
    }

    /// A socket is open.
    pub fn open(&mut self, path: &str, query: &str, queue: UnboundedSender<Out>) -> usize {
        let id = self.stats.sockets;
        self.stats.sockets += 1;
        self.stats.open += 1;
        self.stats.open_max = self.stats.open_max.max(self.stats.open);
        let line = Line {
            id,
            path: path.to_owned(),
            topics: Vec::new(),
            silent: Vec::new(),
            heard: Vec::new(),
            number: 0,
            beat: 0,
            queue,
            held: None,
        };
        self.lines.push(line);
        for text in self.house.greeting() {
            self.say(self.lines.len() - 1, text);
        }
        let named = self.house.named_in(path, query);
        self.begin(self.lines.len() - 1, named);
        id
    }

    /// It is gone.
    pub fn closed(&mut self, id: usize) {
        self.stats.open -= 1;
        self.lines.retain(|line| line.id != id);
    }

    /// A client's text.
    pub fn hear(&mut self, id: usize, text: &str) {
        self.stats.heard.push((id, Instant::now(), text.to_owned()));
        let Some(at) = self.lines.iter().position(|line| line.id == id) else { return };
        let line = &mut self.lines[at];
        line.heard.push(text.to_owned());
        let heard = self.house.hear(text, &line.path, &line.topics, &self.market);
        self.stats.pings += usize::from(heard.ping);
        self.stats.answers += usize::from(heard.pong);
        if self.mute {
            return;
        }
        line.topics.retain(|topic| !heard.end.contains(topic));
        line.silent.retain(|topic| !heard.end.contains(topic));
        self.stats.unsubscribed.extend(heard.end.into_iter().map(|topic| (id, topic)));
        for text in heard.replies {
            self.say(at, text);
        }
        self.begin(at, heard.begin);
    }

    /// The books as they stand, where a recording makes them.
    pub fn settle(&mut self) {
        if let Some(script) = &self.script {
            script.settle(&mut self.market);
        }
    }

    fn begin(&mut self, at: usize, topics: Vec<String>) {
        self.settle();
        for topic in topics {
            self.stats.subscribed.push((self.lines[at].id, topic.clone()));
            self.lines[at].topics.push(topic.clone());
            if self.deaf > 0 {
                self.deaf -= 1;
                self.lines[at].silent.push(topic);
                continue;
            }
            let known = |symbol: &str| {
                let at = self.market.find(symbol);
                at.is_some_and(|at| self.market.coins[at].book != Book::default())
            };
            let (kind, symbol) = self.house.about(&topic);
            // A recording says by itself what comes first; rules are the house's.
            if self.script.is_some() && kind != Kind::Rules && !known(&symbol) {
                continue;
            }
            for text in self.house.fresh(&topic, &self.market) {
                self.say(at, text);
            }
        }
    }

    /// A REST request.
    pub fn answer(&mut self, asked: &Asked) -> Reply {
        self.settle();
        let reply = match self.refuse_rest.pop_front() {
            Some((status, retry_after)) => {
                let body = r#"{"code":-1003,"msg":"Too many requests."}"#.to_owned();
                Reply { status, retry_after, body }
            }
            None => self.house.rest(asked, &self.market),
        };
        let line = format!("{} {}?{} {}", asked.method, asked.path, asked.query, asked.body);
        self.stats.rest.push((Instant::now(), line.trim_end_matches([' ', '?']).to_owned(), reply.status));
        reply
    }

    /// A second has passed.
    pub fn pulse(&mut self) {
        for at in 0..self.lines.len() {
            let line = &mut self.lines[at];
            line.beat += 1;
            if let Some(text) = self.house.pulse(&line.topics, &line.heard, line.beat, &self.market) {
                self.say(at, text);
            }
        }
    }

    /// A websocket ping to everybody.
    pub fn ping(&mut self, payload: &[u8]) {
        for line in &self.lines {
            // A socket that has just gone is struck off when its task ends.
            let _ = line.queue.send(Out::Ping(payload.to_vec()));
        }
    }

    /// The next event, with whatever goes wrong at it.
    pub fn advance(&mut self) {
        self.strike_venue();
        let lost = match &mut self.script {
            None => {
                let event = self.market.next();
                self.publish(&event, None)
            }
            Some(script) => {
                let Some(told) = script.next() else { return };
                let coin = self.market.find(&told.symbol).expect("every symbol of a script is listed");
                let event = self.market.event(coin, What::Recorded);
                self.publish(&event, Some(&told))
            }
        };
        for _ in 0..lost {
            self.advance();
        }
    }

    /// Tells an event to whoever listens, in the recording's words if it is one's; how many events are to be lost next.
    fn publish(&mut self, event: &Event, told: Option<&Told>) -> usize {
        let symbol = self.market.coins[event.coin].listing.symbol.to_owned();
        if let What::Trade(print) = &event.what {
            self.stats.prints.push((symbol.clone(), print.clone()));
        }
        let (mut shown, mut lost) = (false, 0);
        let mut struck: Vec<usize> = Vec::new();
        // From the back, because a line that is closed is struck off.
        for at in (0..self.lines.len()).rev() {
            let line = &self.lines[at];
            let topics: Vec<String> = line.topics.iter().filter(|t| !line.silent.contains(t)).cloned().collect();
            for topic in topics {
                let text = match told {
                    None => self.house.tell(&topic, event, &self.market),
                    Some(told) => {
                        let about = self.house.about(&topic) == (told.kind, told.symbol.clone());
                        about.then(|| told.text.clone())
                    }
                };
                let Some(text) = text else { continue };
                let kind = self.house.about(&topic).0;
                self.stats.told += 1;
                let strike = self
                    .strikes
                    .iter()
                    .position(|s| s.fault.strikes_a_message() && s.kind == kind && s.from <= event.n);
                let Some(strike) = strike else {
                    shown |= kind == Kind::Trade;
                    self.say_in_order(at, kind, text);
                    continue;
                };
                if !struck.contains(&strike) {
                    struck.push(strike);
                }
                let fault = self.strikes[strike].fault.clone();
                shown |= kind == Kind::Trade && harmless(&fault);
                match self.deliver(at, kind, &topic, text, event, &fault) {
                    Some(n) => {
                        lost = lost.max(n);
                        self.lines.remove(at);
                        break;
                    }
                    None => continue,
                }
            }
        }
        struck.sort_unstable();
        for strike in struck.into_iter().rev() {
            let strike = self.strikes.remove(strike);
            self.stats.struck.push((event.n, strike.fault));
        }
        if let (What::Trade(print), true) = (&event.what, shown) {
            self.stats.shown.push((symbol, print.clone()));
        }
        lost
    }

    /// One message that something goes wrong with. `Some`: the line is over, and so many events are lost.
    fn deliver(
        &mut self,
        at: usize,
        kind: Kind,
        topic: &str,
        text: String,
        event: &Event,
        fault: &Fault,
    ) -> Option<usize> {
        let queue = self.lines[at].queue.clone();
        let put = |out: Out| {
            // Whoever has gone meanwhile hears nothing.
            let _ = queue.send(out);
        };
        match fault {
            Fault::Drop => drop(self.numbered(at, text)),
            Fault::Duplicate => {
                let text = self.numbered(at, text);
                put(Out::Text(text.clone()));
                put(Out::Text(text));
            }
            Fault::SwapWithNext => self.lines[at].held = Some((kind, self.numbered(at, text))),
            Fault::WrongDigit => {
                let wrong = self.altered(topic, event, |coin, step| {
                    let lot = coin;
                    if let Some(mut best) = step.last_entry() {
                        *best.get_mut() += lot;
                    }
                });
                let true_sum = checksum_of(&text);
                let wrong = wrong.unwrap_or(text);
                self.say(at, with_checksum(&wrong, |sum| true_sum.unwrap_or(sum)));
            }
            Fault::WrongChecksum => self.say(at, with_checksum(&text, |sum| if sum == 0 { 0 } else { sum ^ 1 })),
            Fault::Crossed => {
                let crossed = self.altered(topic, event, |lot, bids| {
                    let far = bids.last_key_value().map_or(Decimal::ONE, |(price, _)| price * Decimal::TWO);
                    bids.insert(far, lot);
                });
                self.say(at, crossed.unwrap_or(text));
            }
            Fault::HalfText => {
                let text = self.numbered(at, text);
                let half = (0..=text.len() / 2).rev().find(|&k| text.is_char_boundary(k)).unwrap_or(0);
                put(Out::Text(text[..half].to_owned()));
            }
            Fault::InvalidUtf8 => {
                let mut bytes = self.numbered(at, text).into_bytes();
                let middle = bytes.len() / 2;
                bytes[middle] = 0xFF;
                put(Out::NotText(bytes));
            }
            Fault::Binary => put(Out::Binary(self.numbered(at, text).into_bytes())),
            Fault::Fragmented(pieces) => put(Out::Pieces(self.numbered(at, text), *pieces)),
            Fault::UnknownFields => self.say(at, with_unknown_fields(&text)),
            Fault::UnknownType => {
                let first = self.house.unheard_of();
                self.say(at, first);
                self.say_in_order(at, kind, text);
            }
            Fault::Oversized(bytes) => {
                put(Out::Text(format!("{{\"junk\":\"{}\"}}", "x".repeat(bytes.saturating_sub(11)))));
                self.say_in_order(at, kind, text);
            }
            Fault::Ping(payload) => {
                put(Out::Ping(payload.clone()));
                self.say_in_order(at, kind, text);
            }
            Fault::Throttle(time) => {
                put(Out::Wait(*time));
                self.say_in_order(at, kind, text);
            }
            Fault::AnnounceShutdown => {
                if let Some(notice) = self.house.shutdown() {
                    self.say(at, notice);
                }
                self.say_in_order(at, kind, text);
            }
            Fault::Close { code, lost } => {
                put(Out::Close(*code));
                return Some(*lost);
            }
            Fault::Reset { lost } => {
                put(Out::Reset);
                return Some(*lost);
            }
            Fault::HalfOpen { lost } => {
                put(Out::HalfOpen);
                return Some(*lost);
            }
            Fault::Mute
            | Fault::AckButNoData(_)
            | Fault::RestStatus { .. }
            | Fault::UpgradeStatus { .. }
            | Fault::Status { .. }
            | Fault::Delist { .. }
            | Fault::ChangeTick { .. } => unreachable!("these strike the venue, not a message"),
        }
        None
    }

    /// What the topic would say if the bids after the event were others. `None`: it is no book event.
    fn altered(
        &self,
        topic: &str,
        event: &Event,
        change: impl Fn(Decimal, &mut std::collections::BTreeMap<Decimal, Decimal>),
    ) -> Option<String> {
        let mut event = event.clone();
        let What::Book(step) = &mut event.what else { return None };
        change(self.market.coins[event.coin].listing.lot, &mut step.after.bids);
        self.house.tell(topic, &event, &self.market)
    }

    /// Faults of the venue itself that are due.
    fn strike_venue(&mut self) {
        let now = self.market.happened;
        while let Some(at) = self.strikes.iter().position(|s| !s.fault.strikes_a_message() && s.from <= now) {
            let fault = self.strikes.remove(at).fault;
            self.stats.struck.push((now, fault.clone()));
            match fault {
                Fault::Mute => self.mute = true,
                Fault::AckButNoData(topics) => self.deaf += topics,
                Fault::RestStatus { status, retry_after, times } => {
                    self.refuse_rest.extend(std::iter::repeat_n((status, retry_after), times));
                }
                Fault::UpgradeStatus { status, times } => {
                    self.refuse_upgrade.extend(std::iter::repeat_n(status, times));
                }
                Fault::Status { symbol, word } => {
                    self.relist(symbol, false, |coin| coin.listing.status = word.to_owned())
                }
                Fault::Delist { symbol } => {
                    let word = self.house.gone();
                    self.relist(symbol, false, |coin| {
                        coin.listing.status = word.to_owned();
                        coin.gone = true;
                    });
                }
                Fault::ChangeTick { symbol } => {
                    let rebuilt = self.house.rebuilds();
                    self.relist(symbol, rebuilt, |coin| {
                        let l = &mut coin.listing;
                        l.tick = Decimal::new(l.tick.mantissa() as i64, l.tick.scale() + 1).normalize();
                        l.stride = l.tick;
                        if rebuilt {
                            // Counting begins anew with the book.
                            coin.count = 1;
                        }
                    });
                }
                _ => unreachable!("these strike a message"),
            }
        }
    }

    fn relist(&mut self, symbol: &str, rebuilt: bool, change: impl Fn(&mut super::market::Coin)) {
        let at = self.market.find(symbol).unwrap_or_else(|| panic!("{symbol} is not listed at {}", self.id()));
        change(&mut self.market.coins[at]);
        let event = self.market.relisted(at, rebuilt);
        self.publish(&event, None);
    }

    fn numbered(&mut self, at: usize, text: String) -> String {
        self.house.numbered(text, &mut self.lines[at].number)
    }

    fn say(&mut self, at: usize, text: String) {
        let text = self.numbered(at, text);
        // Whoever has gone meanwhile hears nothing.
        let _ = self.lines[at].queue.send(Out::Text(text));
    }

    /// A message, and behind it the one that had to wait for it.
    fn say_in_order(&mut self, at: usize, kind: Kind, text: String) {
        self.say(at, text);
        if self.lines[at].held.as_ref().is_some_and(|(held, _)| *held == kind)
            && let Some((_, late)) = self.lines[at].held.take()
        {
            let _ = self.lines[at].queue.send(Out::Text(late));
        }
    }
}

/// Whether a print struck by it still arrives whole.
fn harmless(fault: &Fault) -> bool {
    !matches!(
        fault,
        Fault::Drop
            | Fault::HalfText
            | Fault::InvalidUtf8
            | Fault::Binary
            | Fault::Close { .. }
            | Fault::Reset { .. }
            | Fault::HalfOpen { .. }
    )
}

//! The venue's one mind: it owns the world, keeps the simulated clock, answers, and tells every subscriber.
//!
//! Everybody else only moves bytes. A client gets its frames through a bounded queue and never makes the venue
//! wait: one whose queue is full is cut off, as real venues do.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::desk::{Audience, Cadence, Channel, Desk};
use super::frames::{self, TimeUnit};
use super::http::{Head, Reply};
use crate::sim::spec::SimSpec;
use crate::sim::world::{World, WorldEvent};
use crate::units::Nanos;

/// The finest depth cadence.
const FLUSH_EVERY: Nanos = Nanos::from_ms(100);
/// Slow depth streams speak at every this many fast ones.
const SLOW_EVERY: i64 = 10;
/// After this much simulated time the venue looks at its letters again, however late it is.
const STRIDE: Nanos = Nanos::from_ms(500);
/// Request weight a minute, as `exchangeInfo` says.
const WEIGHT_MAX: u32 = 6000;
/// Streams one connection may carry.
const STREAMS_MAX: usize = 1024;

/// A letter to the venue.
pub(super) enum Letter {
    /// A REST request.
    Rest { head: Head, reply: oneshot::Sender<Reply> },
    /// A new websocket.
    Join(Client),
    /// A text frame of a client.
    Said { client: u64, text: Utf8Bytes },
    /// The socket is gone.
    Left { client: u64 },
}

/// A websocket, as the venue knows it. Dropping it hangs up.
pub(super) struct Client {
    pub id: u64,
    pub frames: mpsc::Sender<Utf8Bytes>,
    /// Its receiver resolves when the venue drops the client, even while a write is stuck.
    pub _alive: oneshot::Sender<()>,
    pub combined: bool,
    pub unit: TimeUnit,
    pub streams: BTreeSet<String>,
    pub wants: BTreeSet<(u16, Channel)>,
}

/// Clients of one desk's news.
struct Listeners<'a> {
    clients: &'a mut Vec<Client>,
    symbol: u16,
    name: &'a str,
}

impl Audience for Listeners<'_> {
    fn hear(&mut self, channel: Channel, write: &dyn Fn(TimeUnit) -> String) {
        // Combined or not, milliseconds or not: each is written at most once, however many listen.
        let mut texts: [Option<Utf8Bytes>; 4] = [None, None, None, None];
        let (symbol, name) = (self.symbol, self.name);
        self.clients.retain(|client| {
            if !client.wants.contains(&(symbol, channel)) {
                return true;
            }
            let kind = 2 * usize::from(client.combined) + usize::from(client.unit == TimeUnit::Micros);
            let text = texts[kind].get_or_insert_with(|| {
                let data = write(client.unit);
                if client.combined {
                    format!(r#"{{"stream":"{name}@{}","data":{data}}}"#, spell(channel)).into()
                } else {
                    data.into()
                }
            });
            client.frames.try_send(text.clone()).is_ok()
        });
    }
}

/// A channel's name after the symbol and `@`.
fn spell(channel: Channel) -> String {
    let every = |cadence| match cadence {
        Cadence::Fast => "@100ms",
        Cadence::Slow => "",
    };
    match channel {
        Channel::Trade => "trade".to_owned(),
        Channel::AggTrade => "aggTrade".to_owned(),
        Channel::BookTicker => "bookTicker".to_owned(),
        Channel::Depth(cadence) => format!("depth{}", every(cadence)),
        Channel::Partial(n, cadence) => format!("depth{n}{}", every(cadence)),
    }
}

/// The venue.
pub(super) struct Venue {
    world: World,
    desks: Vec<Desk>,
    clients: Vec<Client>,
    /// The venue's wall clock at simulated time zero.
    anchor_ns: i64,
    started: Instant,
    speed: f64,
    flushed: Nanos,
    events: Vec<WorldEvent>,
    weight: (u64, u32),
}

impl Venue {
    pub fn new(spec: &SimSpec, seed: u64, speed: f64, anchor_ns: i64) -> Self {
        let world = World::new(seed, spec);
        let rules = |m: &crate::sim::MarketSpec| m.rules().expect("a world could be made of it");
        let desk = |(i, m)| Desk::new(rules(m), i as u16, &world);
        let desks = spec.market.iter().enumerate().map(desk).collect();
        Self {
            desks,
            world,
            clients: Vec::new(),
            anchor_ns,
            started: Instant::now(),
            speed,
            flushed: Nanos::ZERO,
            events: Vec::new(),
            weight: (0, 0),
        }
    }

    /// Lives until told to stop.
    pub async fn live(mut self, mut letters: mpsc::Receiver<Letter>, mut stop: watch::Receiver<bool>) {
        loop {
            let due = self.due();
            let late = self.advance(due);
            while let Ok(letter) = letters.try_recv() {
                self.read(letter);
            }
            let pause = if late { Duration::ZERO } else { self.pause() };
            tokio::select! {
                letter = letters.recv() => match letter {
                    Some(letter) => self.read(letter),
                    None => break,
                },
                () = tokio::time::sleep(pause) => {}
                () = super::told(&mut stop) => break,
            }
        }
        self.say_goodbye();
    }

    /// The simulated time that should have been reached by now.
    fn due(&self) -> Nanos {
        Nanos((self.started.elapsed().as_secs_f64() * self.speed * 1e9) as i64)
    }

    /// Until something happens in the world, in real time.
    fn pause(&self) -> Duration {
        let next = self.world.next_at().map_or(self.flushed + FLUSH_EVERY, |n| n.min(self.flushed + FLUSH_EVERY));
        let real_s = (next - self.due()).seconds() / self.speed;
        Duration::from_secs_f64(real_s.clamp(0.001, 0.1))
    }

    fn now_ns(&self) -> i64 {
        self.anchor_ns + self.world.now().0
    }

    /// Lets the world live until `due`, or for one stride; `true` if it is still behind.
    fn advance(&mut self, due: Nanos) -> bool {
        let to = due.min(self.world.now() + STRIDE);
        while self.flushed + FLUSH_EVERY <= to {
            let flush = self.flushed + FLUSH_EVERY;
            self.live_until(flush);
            self.flushed = flush;
            let slow = flush.0 / FLUSH_EVERY.0 % SLOW_EVERY == 0;
            let at_ns = self.anchor_ns + flush.0;
            self.each_desk(|desk, listeners| {
                desk.flush(Cadence::Fast, at_ns, listeners);
                if slow {
                    desk.flush(Cadence::Slow, at_ns, listeners);
                }
            });
        }
        self.live_until(to);
        to < due
    }

    fn live_until(&mut self, to: Nanos) {
        self.world.advance(to, &mut self.events);
        for change in self.events.chunk_by(|a, b| (a.symbol, a.update) == (b.symbol, b.update)) {
            let symbol = change[0].symbol;
            let desk = &mut self.desks[usize::from(symbol)];
            let name = desk.symbol.clone();
            let mut listeners = Listeners { clients: &mut self.clients, symbol, name: &name };
            desk.take_in(change, self.anchor_ns, &mut listeners);
        }
        self.events.clear();
    }

    fn each_desk(&mut self, mut f: impl FnMut(&mut Desk, &mut Listeners<'_>)) {
        for (i, desk) in self.desks.iter_mut().enumerate() {
            let name = desk.symbol.clone();
            f(desk, &mut Listeners { clients: &mut self.clients, symbol: i as u16, name: &name });
        }
    }

    fn read(&mut self, letter: Letter) {
        match letter {
            Letter::Rest { head, reply } => {
                let mut answer = self.answer(&head);
                answer.weight = self.weight.1;
                // A client that hung up meanwhile does not want it.
                let _ = reply.send(answer);
            }
            // Too many streams: the client is dropped, which hangs up.
            Letter::Join(client) if client.streams.len() > STREAMS_MAX => {}
            Letter::Join(mut client) => {
                client.wants = client.streams.iter().filter_map(|s| self.resolve(s)).collect();
                self.clients.push(client);
            }
            Letter::Said { client, text } => {
                let Some(at) = self.clients.iter().position(|c| c.id == client) else { return };
                let ack = self.control(at, &text);
                if self.clients[at].frames.try_send(ack.into()).is_err() {
                    self.clients.swap_remove(at);
                }
            }
            Letter::Left { client } => self.clients.retain(|c| c.id != client),
        }
    }

    fn resolve(&self, stream: &str) -> Option<(u16, Channel)> {
        let (symbol, channel) = stream.split_once('@')?;
        let at = self.desks.iter().position(|d| d.symbol == symbol)?;
        Some((at as u16, Channel::parse(channel)?))
    }

    /// A control message and its acknowledgement. Unknown streams are acknowledged and stay silent, as there.
    fn control(&mut self, at: usize, text: &str) -> String {
        let complain = |client: &Client, code: u32, message: &str, id: Value| {
            let error = json!({ "code": code, "msg": message });
            if client.combined {
                json!({ "error": error, "id": id }).to_string()
            } else {
                json!({ "code": code, "msg": message, "id": id }).to_string()
            }
        };
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return complain(&self.clients[at], 3, "Invalid JSON: expected value at line 1 column 1", Value::Null);
        };
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let params = request.get("params").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: Option<Vec<String>> = params.iter().map(|p| p.as_str().map(str::to_owned)).collect();
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let result = match (method, names) {
            ("SUBSCRIBE" | "UNSUBSCRIBE", Some(names)) if !names.is_empty() => {
                let wants: Vec<_> = names.iter().filter_map(|n| self.resolve(n)).collect();
                let client = &mut self.clients[at];
                if method == "SUBSCRIBE" {
                    if client.streams.len() + names.len() > STREAMS_MAX {
                        let message = "Invalid request: at most 1024 streams per connection";
                        return complain(client, 2, message, id);
                    }
                    client.streams.extend(names);
                    client.wants.extend(wants);
                } else {
                    client.streams.retain(|s| !names.contains(s));
                    client.wants.retain(|w| !wants.contains(w));
                }
                Value::Null
            }
            ("LIST_SUBSCRIPTIONS", _) => json!(self.clients[at].streams),
            ("SET_PROPERTY", _) | ("GET_PROPERTY", _) if params.first() != Some(&json!("combined")) => {
                return complain(&self.clients[at], 0, "Unknown property: unknown property name", id);
            }
            ("SET_PROPERTY", _) => match params.get(1).and_then(Value::as_bool) {
                Some(combined) => {
                    self.clients[at].combined = combined;
                    Value::Null
                }
                None => {
                    let message = "Invalid value type: expected Boolean";
                    return complain(&self.clients[at], 1, message, id);
                }
            },
            ("GET_PROPERTY", _) => json!(self.clients[at].combined),
            (_, _) => {
                let message = format!("Invalid request: unknown variant or missing params in method `{method}`");
                return complain(&self.clients[at], 2, &message, id);
            }
        };
        json!({ "result": result, "id": id }).to_string()
    }

    /// Counts a request's weight; the seconds to wait if it is too much.
    fn weigh(&mut self, weight: u32) -> Result<(), u64> {
        let seconds = self.started.elapsed().as_secs();
        if self.weight.0 != seconds / 60 {
            self.weight = (seconds / 60, 0);
        }
        self.weight.1 += weight;
        if self.weight.1 > WEIGHT_MAX { Err(60 - seconds % 60) } else { Ok(()) }
    }

    fn answer(&mut self, head: &Head) -> Reply {
        let limit = match head.param("limit").map(str::parse::<usize>) {
            None => None,
            Some(Ok(limit)) => Some(limit),
            Some(Err(_)) => {
                let text = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.";
                return Reply::error(400, -1100, text);
            }
        };
        let weight = match (head.path.as_str(), limit.unwrap_or(100)) {
            ("/api/v3/exchangeInfo", _) => 20,
            ("/api/v3/depth", 0..=100) => 5,
            ("/api/v3/depth", 101..=500) => 25,
            ("/api/v3/depth", 501..=1000) => 50,
            ("/api/v3/depth", _) => 250,
            ("/api/v3/trades", _) => 25,
            (_, _) => 1,
        };
        if let Err(wait_s) = self.weigh(weight) {
            let text = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.";
            return Reply { retry_after_s: Some(wait_s), ..Reply::error(429, -1003, text) };
        }
        if head.method != "GET" {
            return Reply::error(405, -1000, "Method not allowed: this API has public market data only.");
        }
        match head.path.as_str() {
            "/api/v3/ping" => Reply::ok("{}".to_owned()),
            "/api/v3/time" => Reply::ok(json!({ "serverTime": TimeUnit::Millis.of(self.now_ns()) }).to_string()),
            "/api/v3/exchangeInfo" => self.exchange_info(head),
            "/api/v3/depth" => match self.desk_of(head) {
                Ok(desk) => Reply::ok(frames::depth(&desk.rules, &desk.book, limit.unwrap_or(100).clamp(1, 5000))),
                Err(refusal) => refusal,
            },
            "/api/v3/trades" => match self.desk_of(head) {
                Ok(desk) => {
                    let skip = desk.tape.len().saturating_sub(limit.unwrap_or(500).clamp(1, 1000));
                    Reply::ok(frames::trades(&desk.rules, desk.tape.iter().skip(skip)))
                }
                Err(refusal) => refusal,
            },
            path => Reply::error(404, -1000, &format!("Path {path}, Method {} not found", head.method)),
        }
    }

    fn desk_of(&self, head: &Head) -> Result<&Desk, Reply> {
        let Some(symbol) = head.param("symbol") else {
            let text = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
            return Err(Reply::error(400, -1102, text));
        };
        self.desks.iter().find(|d| d.rules.symbol == symbol).ok_or_else(invalid_symbol)
    }

    fn exchange_info(&self, head: &Head) -> Reply {
        let asked: Vec<String> = match (head.param("symbol"), head.param("symbols")) {
            (Some(_), Some(_)) => {
                return Reply::error(400, -1128, "Combination of optional parameters invalid.");
            }
            (Some(one), None) => vec![one.to_owned()],
            (None, Some(list)) => match serde_json::from_str(list) {
                Ok(list) => list,
                Err(_) => {
                    let text = "Illegal characters found in parameter 'symbols'; legal range is '^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$'.";
                    return Reply::error(400, -1100, text);
                }
            },
            (None, None) => self.desks.iter().map(|d| d.rules.symbol.clone()).collect(),
        };
        let find = |name: &String| self.desks.iter().map(|d| &d.rules).find(|r| r.symbol == *name);
        match asked.iter().map(find).collect::<Option<Vec<_>>>() {
            Some(rules) => Reply::ok(frames::exchange_info(rules.into_iter(), self.now_ns())),
            None => invalid_symbol(),
        }
    }

    /// Announces the end to everybody.
    fn say_goodbye(&self) {
        let data = format!(r#"{{"e":"serverShutdown","E":{}}}"#, TimeUnit::Millis.of(self.now_ns()));
        for client in &self.clients {
            let text = match client.combined {
                true => format!(r#"{{"stream":"!serverShutdown","data":{data}}}"#),
                false => data.clone(),
            };
            // A full queue will never be read any more.
            let _ = client.frames.try_send(text.into());
        }
    }
}

fn invalid_symbol() -> Reply {
    Reply::error(400, -1121, "Invalid symbol.")
}

//! One connection's whole life.
//!
//! A single task owns everything: the socket, the next socket while it is being opened, the requests under way.
//! So there is one order of events, the order in which the session hears them, and dropping the task ends it all.
//! Each socket has a generation; when it goes, so do its requests, and nothing of it is heard afterwards.
//!
//! Who tells what: the protocol tells what it is told (a socket opened or gone, a request refused for a while),
//! because it knows what that means for its books. We tell only what it never sees: attempts to open a socket that
//! failed, and a venue that will not serve us.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tracing::{Instrument, debug, info_span, warn};

use super::Heard;
use super::backoff::Backoff;
use super::health::Health;
use super::rest::Place;
use super::settings::Settings;
use super::socket::{Data, DialError, Frame, Socket, dial};
use super::window::Window;
use crate::engine::Input;
use crate::market::{FeedEvent, FeedEventKind, InstrumentId, MarketEventKind, VenueId};
use crate::units::{LocalTime, Nanos};
use crate::wire::dialect::Request;
use crate::wire::{About, Action, FetchFailure, Protocol, Said};

/// A goodbye takes at most this long.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// Two sockets listen together for so long before one follows the other. The protocol drops what it hears twice.
const OVERLAP: Duration = Duration::from_millis(250);
/// Frames read from a socket that is about to be left.
const REST_FRAMES_MAX: usize = 10_000;

/// Why a feed came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// Nobody listens to it any more.
    HungUp,
    /// The venue will not serve us; the last input said so.
    Refused(String),
}

/// Listens to a venue until `stop` is true (or dropped), nobody listens to `out`, or the venue refuses to serve us.
///
/// Frames are stamped with `settings.clock` as they are received, put through `protocol`, and what it says goes to
/// `out` in order; when `out` is full the socket waits.
/// On return no socket, timer or request is left.
pub async fn run(
    place: Arc<Place>,
    settings: Settings,
    protocol: Box<dyn Protocol>,
    health: Arc<Health>,
    out: mpsc::Sender<Heard>,
    mut stop: watch::Receiver<bool>,
) -> Ended {
    let mut line = Line::new(place, settings, protocol, health, out);
    let ended = tokio::select! {
        // Told to stop, or whoever could tell us is gone.
        _ = stop.wait_for(|&stop| stop) => Ended::Stopped,
        ended = line.live() => ended,
    };
    line.close().await;
    ended
}

type Dialling = Pin<Box<dyn Future<Output = Result<Socket, DialError>> + Send>>;

/// The reply to one request, and which socket's books it was for.
struct Fetched {
    generation: u32,
    about: About,
    reply: Result<Vec<u8>, FetchFailure>,
}

/// What woke us.
enum News {
    Frame(Frame),
    Dialled(Result<Socket, DialError>),
    Fetched(Fetched),
    Time,
    MaySend,
}

/// One connection. Without a socket it is dialling; with one it may be dialling the next.
struct Line {
    place: Arc<Place>,
    settings: Settings,
    protocol: Box<dyn Protocol>,
    health: Arc<Health>,
    out: mpsc::Sender<Heard>,
    socket: Option<Socket>,
    opened: Instant,
    generation: u32,
    dialling: Option<Dialling>,
    backoff: Backoff,
    fetches: JoinSet<Fetched>,
    goodbyes: JoinSet<()>,
    to_send: Vec<String>,
    may_send: Instant,
    pace: Window,
    tick: Interval,
    said: Vec<Said>,
}

impl Line {
    fn new(
        place: Arc<Place>,
        settings: Settings,
        protocol: Box<dyn Protocol>,
        health: Arc<Health>,
        out: mpsc::Sender<Heard>,
    ) -> Self {
        let mut tick = interval(settings.tick_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            backoff: Backoff::new(settings.backoff_base, settings.backoff_cap, settings.jitter_seed),
            pace: Window::new(settings.messages_per_second, Duration::from_secs(1)),
            place,
            settings,
            protocol,
            health,
            out,
            socket: None,
            opened: Instant::now(),
            generation: 0,
            dialling: None,
            fetches: JoinSet::new(),
            goodbyes: JoinSet::new(),
            to_send: Vec::new(),
            may_send: Instant::now(),
            tick,
            said: Vec::new(),
        }
    }

    async fn live(&mut self) -> Ended {
        self.protocol.on_start(&mut self.said);
        if let Err(ended) = self.obey((self.settings.clock)()).await {
            return ended;
        }
        self.dial(Duration::ZERO);
        loop {
            let news = self.news().await;
            let outcome = match news {
                News::Frame(frame) => self.on_frame(frame).await,
                News::Dialled(Ok(socket)) => self.on_open(socket).await,
                News::Dialled(Err(error)) => self.on_dial_error(error).await,
                News::Fetched(fetched) => self.on_fetched(fetched).await,
                News::Time => self.on_time().await,
                News::MaySend => self.send_next().await,
            };
            if let Err(ended) = outcome {
                return ended;
            }
            // Goodbyes that are done are forgotten.
            while self.goodbyes.try_join_next().is_some() {}
        }
    }

    async fn news(&mut self) -> News {
        loop {
            tokio::select! {
                frame = next_frame(&mut self.socket) => return News::Frame(frame),
                dialled = dialled(&mut self.dialling) => {
                    self.dialling = None;
                    return News::Dialled(dialled);
                }
                Some(fetched) = self.fetches.join_next(), if !self.fetches.is_empty() => match fetched {
                    Ok(fetched) => return News::Fetched(fetched),
                    // Cancelled with its socket.
                    Err(gone) => debug!(venue = %self.venue(), "request dropped: {gone}"),
                },
                _ = self.tick.tick() => return News::Time,
                () = sleep_until(self.may_send), if self.socket.is_some() && !self.to_send.is_empty() => {
                    return News::MaySend;
                }
            }
        }
    }

    async fn on_frame(&mut self, frame: Frame) -> Result<(), Ended> {
        let at = (self.settings.clock)();
        match frame {
            Frame::Data(data) => self.on_data(&data, at).await,
            Frame::Ping => {
                self.health.pings.fetch_add(1, Relaxed);
                // A pong counts as one of our messages, but it never waits for its turn.
                let _ = self.pace.spend(1, Instant::now());
                match self.socket.as_mut().expect("a ping comes from a socket").answer(self.settings.send_timeout).await
                {
                    Ok(()) => Ok(()),
                    Err(why) => self.lose(why, at).await,
                }
            }
            Frame::Other => Ok(()),
            Frame::End(why) => self.lose(why, at).await,
        }
    }

    async fn on_data(&mut self, data: &Data, at: LocalTime) -> Result<(), Ended> {
        self.health.frame(data.as_bytes().len(), at);
        self.protocol.on_text(data.as_bytes(), at, &mut self.said);
        self.obey(at).await
    }

    async fn on_open(&mut self, socket: Socket) -> Result<(), Ended> {
        let at = (self.settings.clock)();
        if let Some(mut old) = self.socket.take() {
            // What it has already brought still counts; the two have overlapped, so nothing falls between them.
            for _ in 0..REST_FRAMES_MAX {
                let Some(Frame::Data(data)) = old.next_now() else { break };
                self.on_data(&data, at).await?;
            }
            self.leave(old, "replaced by a fresh socket", at).await?;
        }
        self.generation += 1;
        self.opened = Instant::now();
        self.socket = Some(socket);
        self.pace = Window::new(self.settings.messages_per_second, Duration::from_secs(1));
        self.may_send = Instant::now();
        self.health.connected.store(true, Relaxed);
        self.health.connects.fetch_add(1, Relaxed);
        self.protocol.on_open(at, &mut self.said);
        self.obey(at).await
    }

    async fn on_dial_error(&mut self, error: DialError) -> Result<(), Ended> {
        let at = (self.settings.clock)();
        let pause = match error {
            DialError::Refused(reason) => {
                return self.tell(None, FeedEventKind::Refused { reason }, at).await;
            }
            DialError::RateLimited { status, wait } => {
                let wait_ms = wait.as_millis() as u64;
                self.tell(None, FeedEventKind::RateLimited { code: u32::from(status), wait_ms }, at).await?;
                wait
            }
            DialError::Failed(why) => {
                let pause = self.backoff.pause();
                self.health.losses.fetch_add(1, Relaxed);
                if self.socket.is_some() {
                    // The old socket still serves; there is no news for the session in this.
                    warn!(venue = %self.venue(), "cannot open a second socket: {why}");
                } else {
                    let reason = format!("{why}; next attempt in {} ms", pause.as_millis());
                    self.tell(None, FeedEventKind::Disconnected { reason }, at).await?;
                }
                pause
            }
        };
        self.dial(pause);
        Ok(())
    }

    async fn on_fetched(&mut self, fetched: Fetched) -> Result<(), Ended> {
        let at = (self.settings.clock)();
        if fetched.generation != self.generation || self.socket.is_none() {
            return Ok(());
        }
        // Without snapshots there is no book; without rules there still is, and its protocol says what is missing.
        if let (About::Book(_), Err(FetchFailure::Status { status: status @ (403 | 451), body })) =
            (fetched.about, &fetched.reply)
        {
            let reason = format!("HTTP {status} to a request: {body}");
            return self.tell(None, FeedEventKind::Refused { reason }, at).await;
        }
        let reply = fetched.reply.as_deref().map_err(Clone::clone);
        self.protocol.on_fetched(fetched.about, reply, at, &mut self.said);
        self.obey(at).await
    }

    async fn on_time(&mut self) -> Result<(), Ended> {
        if self.socket.is_some() && self.dialling.is_none() && self.is_old() {
            self.dial(Duration::ZERO);
        }
        let at = (self.settings.clock)();
        self.protocol.on_time(at, &mut self.said);
        self.obey(at).await
    }

    async fn send_next(&mut self) -> Result<(), Ended> {
        if let Err(until) = self.pace.spend(1, Instant::now()) {
            self.may_send = until;
            return Ok(());
        }
        let (text, within) = (self.to_send.remove(0), self.settings.send_timeout);
        match self.socket.as_mut().expect("asked for only with a socket").send(text, within).await {
            Ok(()) => Ok(()),
            Err(why) => self.lose(why, (self.settings.clock)()).await,
        }
    }

    /// Carries out what the protocol said, in its order.
    async fn obey(&mut self, at: LocalTime) -> Result<(), Ended> {
        match self.pass_on(at).await? {
            Some((reason, wait)) if self.socket.is_some() => self.lose_for(reason, wait, at).await,
            _ => Ok(()),
        }
    }

    /// Tells the session the news and starts what was wished; returns why to reconnect, if that was wished.
    async fn pass_on(&mut self, at: LocalTime) -> Result<Option<(String, Duration)>, Ended> {
        let mut reconnect = None;
        let mut said = std::mem::take(&mut self.said);
        for one in said.drain(..) {
            match one {
                Said::Market(event) => {
                    if let MarketEventKind::Gap { .. } = event.kind {
                        self.health.gaps.fetch_add(1, Relaxed);
                    }
                    self.emit(at, Input::Market(event)).await?;
                }
                Said::Feed { instrument, kind } => self.tell(instrument, kind, at).await?,
                Said::Do(Action::Send(text)) => self.to_send.push(text),
                Said::Do(Action::Fetch { about, request, delay }) => self.fetch(about, request, delay),
                Said::Do(Action::Reconnect { reason, wait }) => reconnect = Some((reason, duration(wait))),
                Said::Do(Action::Rotate) => {
                    if self.socket.is_some() && self.dialling.is_none() {
                        self.dial(Duration::ZERO);
                    }
                }
            }
        }
        // Kept for its capacity.
        self.said = said;
        Ok(reconnect)
    }

    fn fetch(&mut self, about: About, request: Request, delay: Nanos) {
        let (place, generation) = (self.place.clone(), self.generation);
        let span = info_span!("ask", venue = %self.venue(), ?about);
        self.fetches.spawn(async move {
            let reply = place.ask(&request, duration(delay)).instrument(span).await;
            Fetched { generation, about, reply }
        });
    }

    fn venue(&self) -> VenueId {
        self.place.endpoint().venue()
    }

    /// Whether the socket should be replaced before the venue cuts it.
    fn is_old(&self) -> bool {
        let limit = self.settings.rotate_after;
        !limit.is_zero() && self.opened.elapsed() >= limit
    }

    fn dial(&mut self, delay: Duration) {
        let url = format!("{}{}", self.place.endpoint().ws_url(), self.protocol.ws_path());
        let overlap = if self.socket.is_some() { OVERLAP } else { Duration::ZERO };
        let (place, settings, venue) = (self.place.clone(), self.settings.clone(), self.venue());
        self.dialling = Some(Box::pin(async move {
            sleep(delay).await;
            while let Err(until) = place.may_connect() {
                sleep_until(until).await;
            }
            let span = info_span!("connect", %venue);
            dial(url, Duration::ZERO, overlap, settings).instrument(span).await
        }));
    }

    /// The socket is gone, or has to go: say so, and open another one after a pause.
    async fn lose(&mut self, reason: String, at: LocalTime) -> Result<(), Ended> {
        self.lose_for(reason, Duration::ZERO, at).await
    }

    /// As [`Line::lose`], with a pause of at least `wait`.
    async fn lose_for(&mut self, reason: String, wait: Duration, at: LocalTime) -> Result<(), Ended> {
        if let Some(socket) = self.socket.take() {
            self.health.losses.fetch_add(1, Relaxed);
            self.leave(socket, &reason, at).await?;
        }
        if self.opened.elapsed() >= self.settings.healthy_after {
            self.backoff.reset();
        }
        if self.dialling.is_none() {
            let pause = self.backoff.pause().max(wait);
            self.dial(pause);
        }
        Ok(())
    }

    /// Says goodbye to a socket and forgets everything that was its own.
    async fn leave(&mut self, socket: Socket, reason: &str, at: LocalTime) -> Result<(), Ended> {
        self.goodbyes.spawn(socket.close(CLOSE_WITHIN));
        self.fetches.abort_all();
        self.to_send.clear();
        self.health.connected.store(false, Relaxed);
        self.protocol.on_close(reason, at, &mut self.said);
        // Without a socket there is nothing left to close: a wish to reconnect is already granted.
        self.pass_on(at).await.map(|_| ())
    }

    async fn tell(
        &mut self,
        instrument: Option<InstrumentId>,
        kind: FeedEventKind,
        at: LocalTime,
    ) -> Result<(), Ended> {
        let refused = match &kind {
            FeedEventKind::Refused { reason } if instrument.is_none() => Some(reason.clone()),
            _ => None,
        };
        // To the session no instrument means all of the venue; we may have only some of them.
        let concerns_books = matches!(kind, FeedEventKind::Refused { .. } | FeedEventKind::Disconnected { .. });
        let concerned = match instrument {
            None if concerns_books && !self.settings.alone => {
                self.protocol.instruments().into_iter().map(Some).collect()
            }
            one => vec![one],
        };
        let event = FeedEvent {
            venue: self.venue(),
            connection: self.settings.connection,
            instrument,
            generation: self.generation,
            kind,
        };
        for instrument in concerned {
            let event = FeedEvent { instrument, ..event.clone() };
            self.emit(at, Input::Feed(event)).await?;
        }
        refused.map_or(Ok(()), |reason| Err(Ended::Refused(reason)))
    }

    async fn emit(&mut self, at: LocalTime, input: Input) -> Result<(), Ended> {
        match self.out.try_send(Heard { at, input }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Ended::HungUp),
            Err(TrySendError::Full(heard)) => {
                let since = Instant::now();
                let sent = self.out.send(heard).await;
                let waited = since.elapsed();
                self.health.waited(waited);
                if waited >= self.settings.tick_every {
                    // The frames that piled up meanwhile come before the next look at the clock, or the
                    // protocol would take our own slowness for the venue's silence.
                    self.tick.reset();
                }
                sent.map_err(|_| Ended::HungUp)
            }
        }
    }

    /// Leaves nothing behind.
    async fn close(mut self) {
        self.health.connected.store(false, Relaxed);
        self.fetches.shutdown().await;
        if let Some(socket) = self.socket.take() {
            socket.close(CLOSE_WITHIN).await;
        }
        let goodbyes = async { while self.goodbyes.join_next().await.is_some() {} };
        let _ = timeout(CLOSE_WITHIN, goodbyes).await;
    }
}

fn duration(time: Nanos) -> Duration {
    Duration::from_nanos(time.0.max(0).unsigned_abs())
}

/// The next frame; never, while there is no socket.
async fn next_frame(socket: &mut Option<Socket>) -> Frame {
    match socket {
        Some(socket) => socket.next().await,
        None => pending().await,
    }
}

/// The end of dialling; never, while we do not dial.
async fn dialled(dialling: &mut Option<Dialling>) -> Result<Socket, DialError> {
    match dialling {
        Some(dialling) => dialling.await,
        None => pending().await,
    }
}

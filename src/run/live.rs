//! Live paper trading: sockets on one side, the journal on the other, one thread with the session in between.
//!
//! Everything that can happen (news, time, commands) goes through one bounded channel, so its order is the order of
//! the recording. The session has a thread of its own; if the disk cannot keep up it waits, the channel fills, and
//! the sockets wait with it: it never trades unrecorded.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::field::Empty;
use tracing::{Span, error, info, info_span, warn};

use super::alerts::{Alerts, ReceiverError};
use super::bracket::{self, Bracket};
use super::core::Core;
use super::limits::{self, Governor, Proposal};
use super::prepare::{self, PrepareError};
use super::purse::{self, Brought, Purse, PurseError};
use super::recordings::Recordings;
use super::retention;
use super::roll::{LAST_ORDERS, Plan, Roller, session_name};
use super::room::{Room, TooLittle};
use super::simulated::{self, SimulatedError};
use crate::config::{Loaded, Sources};
use crate::dashboard::archive::Archive;
use crate::dashboard::contact::fresh_token;
use crate::dashboard::deliveries::ReceiverStatus;
use crate::dashboard::limits::LimitsAsk;
use crate::dashboard::status::FeedStatus;
use crate::dashboard::{self, Behind, Contact, ContactError, Handle, ServeError, StatusSnapshot, Vitals};
use crate::engine::{Command, EquityMark, Input, Session, SessionSpec};
use crate::feed::{self, Ended, Endpoint, FeedError, Health, Heard, Place, wall_clock};
use crate::journal::{Account, JournalError, Manifest, Options, Standstill, Store};
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::risk::RiskState;
use crate::units::{LocalTime, Nanos};
use crate::wire;

/// Inputs that may wait for the session before the sockets do.
const CHANNEL: usize = 4_096;
/// Pictures are drawn no more often: ten a second are what the stream carries, give or take the timer's jitter.
const DRAW_EVERY: Nanos = Nanos::from_ms(90);

/// What was asked for on the command line.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// `VENUE:SYMBOL`s instead of the configuration's.
    pub instruments: Vec<String>,
    /// A strategy file instead of the configuration's.
    pub strategy: Option<PathBuf>,
    /// The end, if it is known.
    pub lasting: Option<Duration>,
    /// The recording's name, instead of one made of the date.
    pub session: Option<String>,
    /// Never quote.
    pub record_only: bool,
    /// Serve the page and the local API.
    pub dashboard: bool,
    /// In the recording's name: which profile this is.
    pub profile: String,
    /// Where the configuration came from, to read it again when limits change.
    pub sources: Sources,
}

/// Why a live session could not run, or not to its end.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum LiveError {
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Purse(#[from] PurseError),
    #[error(transparent)]
    Room(#[from] TooLittle),
    #[error(transparent)]
    Simulated(#[from] SimulatedError),
    #[error(transparent)]
    Dashboard(#[from] ServeError),
    #[error(transparent)]
    Alerts(#[from] ReceiverError),
    #[error(transparent)]
    Contact(#[from] ContactError),
    #[error("the system gave no random bytes for the API token: {0}")]
    Token(std::io::Error),
    #[error("nothing to trade: session.instruments is empty and no --instrument was given")]
    NoInstruments,
    #[error("{0} was named twice")]
    Twice(String),
    #[error("{venue} refuses to serve us: {reason}")]
    Refused { venue: VenueId, reason: String },
    #[error("the session's thread could not be started: {0}")]
    Thread(std::io::Error),
    #[error("the session broke one of its own invariants and stopped; what it had recorded is kept")]
    Broken,
}

/// How it went.
#[derive(Debug)]
pub struct Summary {
    /// The recording.
    pub manifest: Manifest,
    /// Its folder.
    pub folder: PathBuf,
    /// Where each instrument ended, and its rules.
    pub marks: Vec<(Instrument, EquityMark)>,
    /// Last picture.
    pub picture: Arc<StatusSnapshot>,
}

/// Runs until told to stop: by the clock, a signal, or an operator. Tells the receivers of alerts how it ended.
pub async fn live(loaded: &Loaded, ask: &Ask) -> Result<Summary, LiveError> {
    let mut alerts = Alerts::open(&loaded.settings)?;
    let ended = trade(loaded, ask, &mut alerts).await;
    alerts.close(ended.as_ref().map(drop).map_err(ToString::to_string)).await;
    ended
}

async fn trade(loaded: &Loaded, ask: &Ask, alerts: &mut Alerts) -> Result<Summary, LiveError> {
    // First of all: until somebody listens, a SIGHUP ends the process.
    let reload = signal(SignalKind::hangup()).expect("a process may listen to its own signals");
    let (stop, stopped) = watch::channel(false);
    let names = if ask.instruments.is_empty() { &loaded.settings.session.instruments } else { &ask.instruments };
    let (endpoints, exchange) = open_endpoints(loaded, names, &stopped).await?;
    let instruments = discover(&endpoints, names).await?;
    let text = if ask.record_only { None } else { Some(strategy_text(loaded, ask)?) };
    let place = |endpoint: Endpoint| {
        let settings = prepare::feed_settings(loaded, endpoint.venue())?;
        Ok::<_, LiveError>(Arc::new(Place::new(endpoint, &settings)?))
    };
    let places = endpoints.into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let spec = prepare::session_spec(loaded, instruments, text.as_deref())?;
    let strategies = prepare::strategies(&spec)?;

    let store = Store::open(&loaded.settings.store.path);
    let account = Account::open(store.path())?;
    let mut room = Room::of(&loaded.settings.store);
    if room.may_start().is_err() {
        // Perhaps something may go.
        retention::tidy(&store, &(&loaded.settings.store).into());
        room.may_start()?;
    }
    let (purse, mut brought) = Purse::take(account, &spec, loaded.settings.simulator.embedded, loaded.risk_digest())?;
    let made = brought.made.take().expect("a purse says what its limits are made from");
    let now = wall_clock();
    let id = ask.session.clone().unwrap_or_else(|| session_name(now, &ask.profile));
    let mut manifest = Manifest::new(&id, spec.clone(), now);
    manifest.config_digest = Some(loaded.digest());
    let bracket = if loaded.settings.paper.bracket { Bracket::new(&spec)? } else { None };
    if bracket.is_some() {
        manifest.bracket = bracket::planned(&spec);
    }
    let options = Options {
        block_age: Some(Nanos::from_ms(i64::from(loaded.settings.store.block_ms))),
        segment_bytes: u64::from(loaded.settings.store.segment_mib) << 20,
        ..Options::LIVE
    };

    // Everything that can fail for reasons outside comes before the recording begins, so that a refused start
    // leaves no empty session behind.
    let (inputs, inbox) = mpsc::channel(CHANNEL);
    let (ask_limits, limits_asked) = mpsc::channel(16);
    let (propose, proposals) = std::sync::mpsc::channel();
    let (show, pictures) = watch::channel(Arc::new(StatusSnapshot::starting(&id, &rules_of(&spec))));
    let desk = if ask.dashboard && loaded.settings.dashboard.enabled {
        Some(open_dashboard(loaded, &id, pictures.clone(), &inputs, ask_limits.clone(), &stopped)?)
    } else {
        None
    };
    // From here on there is a recording to end properly.
    let terminate = signal(SignalKind::terminate()).expect("a process may listen to its own signals");
    let writer = store.create(&id, manifest, options)?;
    alerts.watch(&loaded.settings, pictures.clone());
    if let Some((_, contact)) = &desk {
        contact.write(store.path())?;
        info!("dashboard: http://{}", contact.address);
    }
    info!(session = %id, "PAPER trading {}", names.join(", "));

    let mut feeds = JoinSet::new();
    let mut health = Vec::new();
    for place in places {
        let venue = place.endpoint().venue();
        let protocols = prepare::protocols(loaded, venue, owned(&spec, venue))?;
        let alone = protocols.len() == 1;
        for protocol in protocols {
            let connection = health.len() as u16;
            let settings = feed::Settings { connection, alone, ..prepare::feed_settings(loaded, venue)? };
            let counters = Arc::new(Health::default());
            health.push((venue, Arc::clone(&counters)));
            let (place, inputs, stopped) = (Arc::clone(&place), inputs.clone(), stopped.clone());
            feeds.spawn(async move { (venue, feed::run(place, settings, protocol, counters, inputs, stopped).await) });
        }
    }

    let core = Core::new(&spec, strategies, writer, Some(purse), loaded.settings.session.checkpoint_inputs)
        .with_bracket(bracket);
    let (governor, limits_refused) = Governor::new(ask.sources.clone(), loaded, made, propose);
    let plan = Plan {
        store: store.clone(),
        options,
        spec,
        config_digest: loaded.digest(),
        has_bracket: loaded.settings.paper.bracket,
        every: Nanos::from_s(i64::from(loaded.settings.session.roll_s)),
        named: ask.session.clone(),
        profile: ask.profile.clone(),
        contact: desk.as_ref().map(|(_, contact)| contact.clone()),
    };
    let keeper = Keeper {
        core,
        limits_refused,
        inbox,
        proposals,
        show,
        health,
        roller: Roller::new(plan, now),
        room,
        deliveries: Box::new(alerts.counters()),
        drawn: LocalTime::default(),
        stopping_since: None,
        span: recording_span(&id),
    };
    let mut keeping = keeper.start(brought)?;
    let governor = tokio::spawn(governor.watch(limits_asked, reload));
    let tick = Duration::from_millis(u64::from(loaded.settings.session.tick_ms));
    let timers = tokio::spawn(tell_time(inputs.clone(), tick, ask.lasting, terminate));
    let shown = tokio::spawn(show_status(pictures));
    let tidying = tokio::spawn(retention::watch(store.clone(), (&loaded.settings.store).into()));

    let mut refused = None;
    let kept = loop {
        tokio::select! {
            kept = &mut keeping => break kept,
            Some(ended) = feeds.join_next() => match ended {
                Ok((venue, Ended::Refused(reason))) => {
                    error!(%venue, "the venue refuses to serve us: {reason}");
                    refused = Some(LiveError::Refused { venue, reason });
                    // The other venues trade on; the books of this one stay unknown.
                    if feeds.is_empty() {
                        say(&inputs, "feed", Command::Stop).await;
                    }
                }
                Ok((_, Ended::Stopped | Ended::HungUp)) | Err(_) => {}
            },
        }
    };
    shown.abort();
    timers.abort();
    tidying.abort();
    governor.abort();
    drop(ask_limits);
    let _ = stop.send(true);
    while feeds.join_next().await.is_some() {}
    if let Some((handle, contact)) = desk {
        // The recording is sealed by now: a file that somebody broke is no reason to fail.
        if let Err(error) = contact.remove(store.path()) {
            warn!("{error}; it is left as it is, and the next bot replaces it");
        }
        let _ = handle.finished().await;
    }
    if let Some(exchange) = exchange {
        exchange.finished().await;
    }
    let (session, manifest, picture) = kept.unwrap_or(Err(LiveError::Broken))?;
    if let Some(refused) = refused {
        return Err(refused);
    }
    let marks = (0..session.len()).map(|i| InstrumentId(i as u16));
    let marks = marks.map(|id| (session.rules(id).clone(), session.equity(id))).collect();
    Ok(Summary { folder: store.folder(&manifest.id), manifest, marks, picture })
}

fn rules_of(spec: &SessionSpec) -> Vec<Instrument> {
    spec.desks.iter().map(|d| d.rules.clone()).collect()
}

fn owned(spec: &SessionSpec, venue: VenueId) -> Vec<(InstrumentId, Instrument)> {
    let all = spec.desks.iter().enumerate().map(|(i, d)| (InstrumentId(i as u16), d.rules.clone()));
    all.filter(|(_, rules)| rules.venue == venue).collect()
}

fn strategy_text(loaded: &Loaded, ask: &Ask) -> Result<String, PrepareError> {
    let asked = ask.strategy.as_ref().map(|p| p.display().to_string());
    prepare::strategy_text(asked.as_deref().unwrap_or(&loaded.settings.strategy.file), None)
}

/// One endpoint per venue named; the embedded exchange stands in for Binance spot if the settings say so.
async fn open_endpoints(
    loaded: &Loaded,
    names: &[String],
    stopped: &watch::Receiver<bool>,
) -> Result<(Vec<Endpoint>, Option<crate::sim::server::ServerHandle>), LiveError> {
    let mut venues = Vec::new();
    for name in names {
        let (venue, _) = prepare::parse_instrument(name)?;
        if !venues.contains(&venue) {
            venues.push(venue);
        }
    }
    if venues.is_empty() {
        return Err(LiveError::NoInstruments);
    }
    if let Some(silent) = venues.iter().find(|venue| wire::venues::find(**venue).is_none()) {
        return Err(PrepareError::Venue(*silent).into());
    }
    let exchange = match loaded.settings.simulator.embedded {
        true => Some(simulated::open(loaded, stopped.clone()).await?),
        false => None,
    };
    let endpoint = |venue: VenueId| match (&exchange, venue) {
        (Some(exchange), VenueId::BinanceSpot) => {
            let at = exchange.addr;
            Endpoint::new(venue, &format!("ws://{at}"), &format!("http://{at}"))
        }
        _ => Endpoint::new(venue, &loaded.venue(venue).ws_url, &loaded.venue(venue).rest_url),
    };
    let endpoints = venues.into_iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
    Ok((endpoints, exchange))
}

/// The rules of every instrument, in the order they were named.
async fn discover(endpoints: &[Endpoint], names: &[String]) -> Result<Vec<Instrument>, LiveError> {
    let mut instruments = Vec::new();
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(LiveError::Twice(name.clone()));
        }
    }
    let parsed = names.iter().map(|name| prepare::parse_instrument(name)).collect::<Result<Vec<_>, _>>()?;
    for endpoint in endpoints {
        // One question for all of a venue's instruments.
        let of_venue = parsed.iter().filter(|(venue, _)| *venue == endpoint.venue());
        let symbols: Vec<&str> = of_venue.map(|(_, symbol)| symbol.as_str()).collect();
        instruments.extend(feed::discover(endpoint, &symbols).await?);
    }
    let place = |rules: &Instrument| parsed.iter().position(|(v, s)| *v == rules.venue && *s == rules.symbol);
    instruments.sort_by_key(place);
    Ok(instruments)
}

fn open_dashboard(
    loaded: &Loaded,
    session: &str,
    pictures: watch::Receiver<Arc<StatusSnapshot>>,
    inputs: &mpsc::Sender<Heard>,
    limits: mpsc::Sender<LimitsAsk>,
    stopped: &watch::Receiver<bool>,
) -> Result<(Handle, Contact), LiveError> {
    let token = fresh_token().map_err(LiveError::Token)?;
    let (commands, mut asked) = mpsc::channel::<(String, Command)>(16);
    let settings = &loaded.settings.dashboard;
    let archive: Arc<dyn Archive> = Arc::new(Recordings::new(&loaded.settings.store.path));
    let stop = stopped.clone();
    let behind = Behind { snapshots: pictures, commands, limits, vitals: vitals(loaded), archive: Some(archive), stop };
    let handle = dashboard::serve(settings.bind, settings.port, token.clone(), behind)?;
    let inputs = inputs.downgrade();
    tokio::spawn(async move {
        while let (Some((by, command)), Some(inputs)) = (asked.recv().await, inputs.upgrade()) {
            info!(by, "{}", dashboard::in_words(&command));
            say(&inputs, &by, command).await;
        }
    });
    let contact =
        Contact { paper: true, address: handle.address(), token, pid: std::process::id(), session: session.to_owned() };
    Ok((handle, contact))
}

/// From when on the bot counts as unwell.
fn vitals(loaded: &Loaded) -> Vitals {
    let health = &loaded.settings.health;
    Vitals {
        feed_stale_ms: i64::from(health.feed_stale_ms),
        journal_lag_ms: i64::from(health.journal_lag_ms),
        silent_ms: i64::from(health.silent_ms),
        clock: wall_clock,
    }
}

async fn say(inputs: &mpsc::Sender<Heard>, by: &str, command: Command) {
    // The session may have ended meanwhile; then there is nobody to tell.
    let _ = inputs.send(Heard { at: wall_clock(), input: Input::Command { by: by.to_owned(), command } }).await;
}

/// Time, the end of it, and the signals of the system.
async fn tell_time(inputs: mpsc::Sender<Heard>, every: Duration, lasting: Option<Duration>, mut terminate: Signal) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let end = tokio::time::sleep(lasting.unwrap_or(Duration::MAX));
    tokio::pin!(end);
    let mut told = false;
    loop {
        tokio::select! {
            // A full channel has news enough; time comes with them.
            _ = tick.tick() => { let _ = inputs.try_send(Heard { at: wall_clock(), input: Input::Tick }); }
            () = &mut end, if !told => { told = true; say(&inputs, "timer", Command::Stop).await }
            Ok(()) = tokio::signal::ctrl_c(), if !told => { told = true; say(&inputs, "SIGINT", Command::Stop).await }
            _ = terminate.recv(), if !told => { told = true; say(&inputs, "SIGTERM", Command::Stop).await }
        }
    }
}

/// On a terminal a block that renews itself, elsewhere a line now and then.
async fn show_status(mut pictures: watch::Receiver<Arc<StatusSnapshot>>) {
    let terminal = std::io::stdout().is_terminal();
    let pause = Duration::from_millis(if terminal { 500 } else { 10_000 });
    let mut lines = 0;
    while pictures.changed().await.is_ok() {
        let picture = Arc::clone(&pictures.borrow_and_update());
        if terminal {
            let block = picture.block();
            if lines > 0 {
                print!("\x1b[{lines}A\x1b[J");
            }
            println!("{block}");
            lines = block.lines().count();
        } else {
            info!("{}", line(&picture));
        }
        tokio::time::sleep(pause).await;
    }
}

fn line(picture: &StatusSnapshot) -> String {
    let mut text = format!("PAPER {} · {} inputs · {} fills", picture.state.word(), picture.seq, picture.fills);
    for i in &picture.instruments {
        let equity = i.pnl.as_ref().map_or("", |p| p.equity.as_str());
        let mid = i.mid.as_deref().unwrap_or("-");
        text += &format!(" · {} mid {mid} position {} equity {equity} {}", i.label, i.position, i.settle);
    }
    if !picture.reason.is_empty() {
        text += &format!(" · {}", picture.reason);
    }
    text
}

fn recording_span(session: &str) -> Span {
    info_span!("recording", session, inputs = Empty, outputs = Empty)
}

fn tell_span(span: &Span, ended: &Manifest) {
    span.record("inputs", ended.counts.inputs).record("outputs", ended.counts.outputs);
}

type Kept = Result<(Session, Manifest, Arc<StatusSnapshot>), LiveError>;

/// One connection's counters and whose they are.
type FeedHealth = (VenueId, Arc<Health>);

fn feed_status(connection: usize, (venue, health): &FeedHealth, now: LocalTime) -> FeedStatus {
    FeedStatus {
        venue: venue.name().to_owned(),
        connection: connection as u16,
        connected: health.connected(),
        age_ms: health.data_age(now).map(|age| age.ms()),
        frames: health.frames(),
        gaps: health.gaps(),
        reconnects: health.connects().saturating_sub(1),
        latency: None,
    }
}

/// The session's thread.
struct Keeper {
    core: Core,
    inbox: mpsc::Receiver<Heard>,
    proposals: std::sync::mpsc::Receiver<Proposal>,
    limits_refused: watch::Receiver<Option<String>>,
    show: watch::Sender<Arc<StatusSnapshot>>,
    health: Vec<FeedHealth>,
    roller: Roller,
    room: Room,
    deliveries: Box<dyn Fn() -> Vec<ReceiverStatus> + Send>,
    drawn: LocalTime,
    stopping_since: Option<LocalTime>,
    /// Lasts as long as the recording.
    span: Span,
}

impl Keeper {
    fn start(self, brought: Brought) -> Result<tokio::sync::oneshot::Receiver<Kept>, LiveError> {
        let (done, kept) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("session".to_owned());
        thread
            .spawn(move || {
                let _ = done.send(self.keep(brought));
            })
            .map_err(LiveError::Thread)?;
        Ok(kept)
    }

    fn keep(mut self, brought: Brought) -> Kept {
        if let Some(carried) = brought.carried {
            info!("carrying over from {}", purse::in_words(&carried, self.core.session()));
            let command = Command::Restore(Box::new(carried));
            self.core.take(wall_clock(), Input::Command { by: "account".to_owned(), command })?;
        }
        if let Some(standstill) = brought.standstill {
            let Standstill { by, session, .. } = &standstill;
            warn!("paused: {by} said so in {session}; `papermaker resume` quotes again");
            self.core.stand_still(wall_clock(), standstill)?;
        }
        if let Some(limits) = brought.limits {
            info!("limits that were set by hand are in force again; config/risk.toml has not changed since");
            let command = Command::SetLimits(Box::new(limits));
            self.core.take(wall_clock(), Input::Command { by: "account".to_owned(), command })?;
        }
        // Before anything can be quoted.
        self.guard_disk(wall_clock())?;
        while let Some(heard) = self.inbox.blocking_recv() {
            let Some(Heard { at, input }) = self.roller.keep_back(heard) else { continue };
            let is_tick = input == Input::Tick;
            if matches!(&input, Input::Command { command: Command::Stop, .. }) {
                self.stopping_since = Some(at);
            }
            self.core.take(at, input)?;
            // Not only with time: a full channel has no room for ticks, and limits cannot wait for a quiet market.
            while !self.roller.is_under_way()
                && let Ok(proposal) = self.proposals.try_recv()
            {
                limits::take_up(&mut self.core, proposal)?;
            }
            if is_tick {
                self.guard_disk(at)?;
                if at.since(self.drawn) >= DRAW_EVERY {
                    self.drawn = at;
                    self.draw(at);
                }
            }
            if self.stopping_since.is_some_and(|since| self.is_quiet() || at.since(since) > LAST_ORDERS) {
                break;
            }
            if self.stopping_since.is_none() {
                if is_tick {
                    self.roller.begin(&mut self.core, at)?;
                }
                let is_quiet = self.is_quiet();
                if let Some(ended) = self.roller.go_on(&mut self.core, at, is_quiet)? {
                    tell_span(&self.span, &ended);
                    self.span = recording_span(&self.core.writer().manifest().id);
                }
            }
        }
        let picture = self.draw(self.core.session().now());
        let (session, manifest) = self.core.finish()?;
        tell_span(&self.span, &manifest);
        if let Some(too_little) = self.room.ended() {
            return Err(too_little.into());
        }
        if let Some(seal) = manifest.seal {
            info!("{}: ended, seal {seal}", manifest.id);
        }
        Ok((session, manifest, picture))
    }

    fn draw(&mut self, now: LocalTime) -> Arc<StatusSnapshot> {
        let feeds = self.health.iter().enumerate().map(|(n, health)| feed_status(n, health, now)).collect();
        let mut picture = self.core.picture(now, feeds);
        let seen = Arc::make_mut(&mut picture);
        seen.limits_refused.clone_from(&self.limits_refused.borrow());
        seen.journal.disk_free_bytes = self.room.free();
        seen.alerts = (self.deliveries)();
        self.show.send_replace(Arc::clone(&picture));
        picture
    }

    /// Whether every order is at its end.
    fn is_quiet(&self) -> bool {
        let session = self.core.session();
        (0..session.len()).all(|i| session.orders(InstrumentId(i as u16)).is_empty())
    }

    /// Halts while there is still room to say so, ends while there is room to end.
    fn guard_disk(&mut self, now: LocalTime) -> Result<(), JournalError> {
        let is_halted = self.core.session().risk_state() == RiskState::Halted;
        // Between two recordings, which takes a moment, nothing is said.
        if self.stopping_since.is_some() || self.roller.is_under_way() {
            return Ok(());
        }
        let Some((by, command)) = self.room.look(now, is_halted) else { return Ok(()) };
        if let Command::Halt { reason } = &command {
            error!("{reason}: free some space, then `papermaker resume`");
        } else {
            error!("ended by {by}");
            self.core.note(format!("ended by {by}"));
            self.stopping_since = Some(now);
        }
        self.core.take(now, Input::Command { by, command })
    }
}

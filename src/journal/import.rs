//! Recordings of other programs, as the inputs a live session would have had.
//!
//! A recording of raw frames is a connection that already happened. So nothing is converted here: the frames go
//! through the very [`Protocol`] a live feed uses, its snapshot requests are answered with the snapshots that were
//! recorded, and out come the same events, gaps included. What cannot be had from a recording is patience: a snapshot
//! that is not in it will never come, so the timers that would give a live connection up are off, and the book of a
//! recording without a snapshot simply is never in step.
//!
//! Every file is read twice. The first reading (`survey`) believes nothing: it refuses what is not a recording of
//! this venue and symbol, with file and line, before anything is written anywhere, and finds the steps of price and
//! quantity where nobody says them. The second plays it.
//!
//! Receive clocks of recorders step backwards; a session's clock does not. Such a stamp is raised to the one before
//! it and counted in [`Report::clock_steps_back`].
//!
//! Recordings that other programs have already made sense of (levels and prints instead of frames) have no protocol to go
//! through: `rows` plays those.
//!
//! | format | example |
//! |---|---|
//! | [`hftbacktest`] | `1723161253937085768 {"stream":"btcusdt@trade","data":{…}}` |
//! | [`cryptofeed`] | `{"t":"recv","conn":"OKX.ws.1","ts":1652459225.503,"data":"{…}"}` |
//! | [`bitstamp`] | `1430438404645 trade {"price": 236.47, "amount": 0.21144331, "id": 8111041}` |
//! | [`tardis_csv`] | `binance-futures,BTCUSDT,1582329602111000,1582329602418379,42377944,buy,9682,0.132` |
//! | [`binance_vision`] | `11,100.5,0.25,25.125,1723161255000,true` |
//! | [`databento`] | binary: `dbn` records of schema `mbo` |
//! | [`lobster`] | `34200.004241176,1,16113575,18,5853300,1` beside `5859400,200,5853300,18` |
//!
//! Reading order: [`open`] surveys, [`Play`] is what it gives; `Import` plays frames, which [`hftbacktest`] and
//! [`cryptofeed`] read, after `survey` (Binance) or `frames` (any other venue) has looked at them; `rows` plays rows, which
//! the others read with `sheet` and `picture`; `presumed` says what nobody wrote down; [`together`] makes one session of
//! several recordings.

pub mod binance_vision;
pub mod bitstamp;
pub mod cryptofeed;
pub mod databento;
pub mod hftbacktest;
pub mod lobster;
pub mod tardis_csv;

mod frames;
mod glance;
mod lines;
mod npz;
mod picture;
mod presumed;
mod rows;
mod sheet;
mod survey;
mod together;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::str::FromStr;

use crate::engine::Input;
use crate::market::{FeedEvent, Instrument, InstrumentId, MarketEventKind, VenueId};
use crate::units::{LocalTime, Nanos, Step};
use crate::wire::binance_futures::{self, Market, Road};
use crate::wire::binance_spot;
use crate::wire::depth_sync::SyncLimits;
use crate::wire::dialect::Options;
use crate::wire::liveness::Patience;
use crate::wire::venues;
use crate::wire::{About, Action, Protocol, Said};

use rows::Normalised;

pub use survey::StepsFrom;
pub use together::{Together, together};

/// Whose recordings we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines `<recv_ts> <json>`, gzipped or plain; nanoseconds (19 digits) or microseconds (16).
    HftbacktestRaw,
    /// cryptofeed's raw captures: `.jsonl.zst` (format 2 and 3) and `.txt.gz` (before).
    Cryptofeed,
    /// Databento's order-by-order recordings, `.dbn` or `.dbn.zst`.
    DatabentoMbo,
    /// Tardis.dev's CSV files.
    TardisCsv,
    /// Files of data.binance.vision.
    BinanceVision,
    /// LOBSTER's pairs of message and orderbook files.
    Lobster,
    /// hftbacktest's arrays of rows, `.npz` and `.npy`.
    HftbacktestNpz,
    /// ob-analytics' logs of Bitstamp's feed of 2015.
    Bitstamp,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 8] = [
        Format::HftbacktestRaw,
        Format::HftbacktestNpz,
        Format::Cryptofeed,
        Format::TardisCsv,
        Format::BinanceVision,
        Format::Lobster,
        Format::DatabentoMbo,
        Format::Bitstamp,
    ];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::HftbacktestRaw => "hftbacktest-raw",
            Format::Cryptofeed => "cryptofeed",
            Format::DatabentoMbo => "databento-mbo",
            Format::TardisCsv => "tardis-csv",
            Format::BinanceVision => "binance-vision",
            Format::Lobster => "lobster",
            Format::HftbacktestNpz => "hftbacktest-npz",
            Format::Bitstamp => "bitstamp",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let alias = if s == "hftbacktest" { "hftbacktest-raw" } else { s };
        Format::ALL.into_iter().find(|format| format.word() == alias).ok_or_else(|| {
            let known: Vec<&str> = Format::ALL.iter().map(|format| format.word()).collect();
            format!("unknown format {s:?}; known are {}", known.join(", "))
        })
    }
}

/// What to import.
#[derive(Clone, Debug)]
pub struct Wish {
    /// In the order of time, where they follow each other.
    pub files: Vec<PathBuf>,
    /// Whose.
    pub format: Format,
    /// Recorded from.
    pub venue: VenueId,
    /// The instrument, in the venue's spelling.
    pub symbol: String,
    /// Price step, where the recording does not say it; without it the finest power of ten found in its prices.
    pub tick: Option<Step>,
    /// As `tick`, of quantities, in the venue's own units (contracts on COIN-M).
    pub lot: Option<Step>,
    /// How often time is an input, as `session.tick_ms` of a live session.
    pub tick_every: Nanos,
}

/// Why a recording is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read at all.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it is said to be.
    #[error("{}:{line}: not a {format} recording of {what}: {reason}", file.display())]
    Refused {
        /// Which file.
        file: PathBuf,
        /// Line, from 1; 0 is the file as a whole.
        line: u64,
        /// The format it was said to have.
        format: &'static str,
        /// Venue and symbol.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// We cannot read that yet.
    #[error("{0}")]
    Unsupported(String),
}

/// What was read and done, complete when the iterator has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Frames handed to the protocol.
    pub frames: u64,
    /// Snapshots handed to the protocol, or found in its stream.
    pub snapshots: u64,
    /// Stamps behind the one before them.
    pub clock_steps_back: u64,
    /// The largest such step.
    pub clock_step_back_max: Nanos,
}

impl Report {
    /// The stamp `at`, raised to the `clock` if it is behind, which is counted.
    fn clock(&mut self, clock: Option<LocalTime>, at: LocalTime) -> LocalTime {
        match clock {
            Some(clock) if at < clock => {
                self.clock_steps_back += 1;
                self.clock_step_back_max = self.clock_step_back_max.max(clock.since(at));
                clock
            }
            Some(_) | None => at,
        }
    }
}

/// One thing a recorder wrote down.
#[derive(Clone, Debug, Default)]
struct Record {
    at: LocalTime,
    /// File (index in the wish) and line, for refusals.
    place: (usize, u64),
    what: Recorded,
}

#[derive(Clone, Debug)]
enum Recorded {
    /// A socket was opened to this address.
    Connected(String),
    /// A text frame came.
    Frame(Vec<u8>),
    /// A depth snapshot came over REST; of this symbol, where the address says so.
    Snapshot(Option<String>, Vec<u8>),
    /// The venue's rules came over REST.
    Rules(Vec<u8>),
}

impl Default for Recorded {
    fn default() -> Self {
        Recorded::Frame(Vec::new())
    }
}

/// What a recorder wrote down, in order.
trait Records: Send {
    /// The next into `into`, whose memory is reused; `None` at the end.
    fn read(&mut self, into: &mut Record) -> Option<Result<(), ImportError>>;
}

/// A recording of one instrument being played: inputs with our time, never running backwards.
pub trait Play: Iterator<Item = Result<(LocalTime, Input), ImportError>> + Send {
    /// The instrument's rules: the recording's own, the given ones, or inferred.
    fn instrument(&self) -> &Instrument;

    /// What was asked for.
    fn wish(&self) -> &Wish;

    /// Where the steps of price and quantity come from.
    fn steps_from(&self) -> StepsFrom;

    /// What was read and done so far.
    fn report(&self) -> Report;
}

/// Surveys the files and readies them for play. Nothing is written; an error leaves nothing behind.
pub fn open(wish: Wish) -> Result<Box<dyn Play>, ImportError> {
    open_as(wish, Seat { me: InstrumentId(0), connection: 0, alone: true })
}

/// What an import is in its session.
#[derive(Clone, Copy, Debug)]
struct Seat {
    me: InstrumentId,
    connection: u16,
    /// No other instrument is in the session: what concerns the connection may concern everybody.
    alone: bool,
}

fn open_as(wish: Wish, seat: Seat) -> Result<Box<dyn Play>, ImportError> {
    match wish.format {
        Format::HftbacktestRaw => {
            has_frames(&wish)?;
            let files = hftbacktest::open(&wish)?;
            Ok(Box::new(Import::open(wish, seat, |wish| hftbacktest::records(wish, &files))?))
        }
        Format::Cryptofeed if cryptofeed::is_of_older_protocol(&wish)? => {
            Ok(Box::new(Normalised::open(wish, seat, cryptofeed::older_rows)?))
        }
        Format::Cryptofeed => {
            has_frames(&wish)?;
            Ok(Box::new(Import::open(wish, seat, cryptofeed::records)?))
        }
        Format::HftbacktestNpz => Ok(Box::new(Normalised::open(wish, seat, npz::rows)?)),
        Format::TardisCsv => Ok(Box::new(Normalised::open(wish, seat, tardis_csv::rows)?)),
        Format::BinanceVision => Ok(Box::new(Normalised::open(wish, seat, binance_vision::rows)?)),
        Format::Lobster => Ok(Box::new(Normalised::open(wish, seat, lobster::rows)?)),
        Format::Bitstamp => Ok(Box::new(Normalised::open(wish, seat, bitstamp::rows)?)),
        Format::DatabentoMbo => Ok(Box::new(Normalised::open(wish, seat, databento::rows)?)),
    }
}

impl Import {
    /// `records` opens the files.
    fn open(
        wish: Wish,
        seat: Seat,
        records: impl Fn(&Wish) -> Result<Box<dyn Records>, ImportError>,
    ) -> Result<Self, ImportError> {
        let is_binance = cryptofeed::is_binance(wish.venue);
        let (survey, depth) = match is_binance {
            true => (survey::survey(&wish, records(&wish)?)?, Options::default().depth),
            false => frames::survey(&wish, records(&wish)?)?,
        };
        let records = records(&wish)?;
        Ok(Import {
            protocol: listen(vec![(seat.me, survey.instrument.clone())], depth)
                .map_err(|why| wish.refused((0, 0), why))?,
            seat,
            instrument: survey.instrument,
            steps_from: survey.steps_from,
            has_snapshots_in_stream: !is_binance,
            leave_out_aggregates: is_binance && survey.says_trades_twice,
            stream_prefix: if is_binance { format!("{}@", wish.symbol.to_lowercase()) } else { String::new() },
            wish,
            records,
            record: Record::default(),
            is_upcoming: false,
            said: Vec::new(),
            queue: VecDeque::new(),
            clock: None,
            next_tick: LocalTime::default(),
            generation: 0,
            awaits_snapshot: false,
            held_snapshot: None,
            report: Report::default(),
        })
    }
}

/// One connection that hears everything about them, as patient as one must be with a recording.
fn listen(instruments: Vec<(InstrumentId, Instrument)>, depth: u32) -> Result<Box<dyn Protocol>, String> {
    let patience = |stale_s: i64| Patience { stale: Nanos::from_s(stale_s), ..Patience::ENDLESS };
    let options = Options {
        depth,
        depth_patience: patience(5),
        bbo_patience: patience(5),
        // Many recorders leave them out.
        mark_patience: Patience::ENDLESS,
        sync: SyncLimits {
            fetch_timeout: Nanos(i64::MAX / 4),
            answer_timeout: Nanos(i64::MAX / 4),
            fetches_max: u32::MAX,
            resyncs_per_minute: usize::MAX,
            ..SyncLimits::default()
        },
        // The rules that held are in the recording, or nowhere.
        rules_every: Nanos::ZERO,
        ..Options::default()
    };
    let venue = instruments.first().map_or(VenueId::Imported, |(_, rules)| rules.venue);
    if let Some(market) = Market::of(venue) {
        return Ok(Box::new(binance_futures::conversation(market, Road::Recorded, instruments, options)));
    }
    if venue == VenueId::BinanceSpot {
        let settings = binance_spot::Settings { options, ..binance_spot::Settings::default() };
        return Ok(Box::new(binance_spot::conversation(instruments, settings)));
    }
    let exchange = venues::find(venue).ok_or_else(|| format!("nobody speaks with {venue}"))?;
    exchange.connect(instruments, options).pop().ok_or_else(|| format!("{venue} has no connection for it"))
}

/// Whether anybody has recorded frames of that venue in that format.
fn has_frames(wish: &Wish) -> Result<(), ImportError> {
    let is_collected = match wish.venue {
        VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm => true,
        VenueId::BybitSpot | VenueId::BybitLinear | VenueId::Hyperliquid => true,
        VenueId::Okx | VenueId::Coinbase | VenueId::Kraken | VenueId::Deribit => wish.format == Format::Cryptofeed,
        VenueId::Imported => false,
    };
    let (format, venue) = (wish.format.word(), wish.venue);
    if is_collected {
        return Ok(());
    }
    Err(ImportError::Unsupported(format!("{format} recordings of {venue} are not known: no collector writes them")))
}

impl Wish {
    fn refused(&self, (file, line): (usize, u64), reason: impl Into<String>) -> ImportError {
        ImportError::Refused {
            file: self.files[file].clone(),
            line,
            format: self.format.word(),
            what: format!("{} {}", self.venue, self.symbol),
            reason: reason.into(),
        }
    }
}

/// A recording of frames being played.
struct Import {
    wish: Wish,
    seat: Seat,
    instrument: Instrument,
    steps_from: StepsFrom,
    protocol: Box<dyn Protocol>,
    records: Box<dyn Records>,
    /// The record in hand.
    record: Record,
    /// Whether time has not come to it yet.
    is_upcoming: bool,
    said: Vec<Said>,
    queue: VecDeque<(LocalTime, Input)>,
    /// Of the last record; `None` before the first.
    clock: Option<LocalTime>,
    next_tick: LocalTime,
    generation: u32,
    awaits_snapshot: bool,
    /// Recorded before the protocol asked for one.
    held_snapshot: Option<Vec<u8>>,
    /// Where a recording has single trades its aggregates would say them twice.
    leave_out_aggregates: bool,
    stream_prefix: String,
    /// They are counted when they come out, as they never went in as such.
    has_snapshots_in_stream: bool,
    report: Report,
}

impl Play for Import {
    fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    fn wish(&self) -> &Wish {
        &self.wish
    }

    fn steps_from(&self) -> StepsFrom {
        self.steps_from
    }

    fn report(&self) -> Report {
        self.report
    }
}

impl Import {
    /// Lets time pass up to the next record, a tick at a time, then plays it.
    fn advance(&mut self) {
        // Rules were asked for before anything was listened to, minutes maybe: no time of the market's.
        if self.clock.is_none() && matches!(self.record.what, Recorded::Rules(_)) {
            return;
        }
        let at = self.report.clock(self.clock, self.record.at);
        if self.clock.is_some() && self.next_tick <= at {
            let tick = self.next_tick;
            self.next_tick = tick + self.wish.tick_every;
            self.converse(tick, |protocol, said| protocol.on_time(tick, said));
            self.queue.push_back((tick, Input::Tick));
            self.is_upcoming = true;
            return;
        }
        if self.clock.is_none() {
            self.next_tick = at + self.wish.tick_every;
        }
        self.clock = Some(at);
        self.is_upcoming = false;
        let what = std::mem::take(&mut self.record.what);
        self.record.what = self.play(what, at);
    }

    /// Plays it and gives back what memory is left of it.
    fn play(&mut self, what: Recorded, at: LocalTime) -> Recorded {
        match what {
            // A recorder with many symbols has many sockets; only ours matters.
            Recorded::Connected(address) => {
                if address.contains(&self.stream_prefix) {
                    self.connect("the recorder connected anew", at);
                }
                Recorded::default()
            }
            Recorded::Frame(frame) => {
                if self.leave_out_aggregates && survey::is_aggregate(&frame) {
                    return Recorded::Frame(frame);
                }
                if self.generation == 0 {
                    self.connect("", at);
                }
                self.report.frames += 1;
                self.converse(at, |protocol, said| protocol.on_text(&frame, at, said));
                Recorded::Frame(frame)
            }
            Recorded::Snapshot(symbol, body) => {
                if symbol.is_none_or(|symbol| symbol == self.wish.symbol) {
                    self.held_snapshot = Some(body);
                    self.answer(at);
                }
                Recorded::default()
            }
            Recorded::Rules(_) => Recorded::default(),
        }
    }

    fn connect(&mut self, reason: &str, at: LocalTime) {
        if self.generation > 0 {
            self.awaits_snapshot = false;
            self.held_snapshot = None;
            self.converse(at, |protocol, said| protocol.on_close(reason, at, said));
        }
        self.generation += 1;
        self.converse(at, |protocol, said| protocol.on_open(at, said));
    }

    /// Hands over the recorded snapshot once there is one and it is wanted.
    fn answer(&mut self, at: LocalTime) {
        if !self.awaits_snapshot {
            return;
        }
        if let Some(body) = self.held_snapshot.take() {
            self.awaits_snapshot = false;
            self.report.snapshots += 1;
            let me = About::Book(self.seat.me);
            self.converse(at, |protocol, said| protocol.on_fetched(me, Ok(&body), at, said));
        }
    }

    /// Says something to the protocol and queues what it answers.
    fn converse(&mut self, at: LocalTime, say: impl FnOnce(&mut dyn Protocol, &mut Vec<Said>)) {
        // What is said may lead to more being said: only the outermost has memory to reuse.
        let mut said = std::mem::take(&mut self.said);
        say(self.protocol.as_mut(), &mut said);
        for word in said.drain(..) {
            match word {
                Said::Market(event) => {
                    let is_snapshot = matches!(event.kind, MarketEventKind::Snapshot { .. });
                    self.report.snapshots += u64::from(is_snapshot && self.has_snapshots_in_stream);
                    self.queue.push_back((at, Input::Market(event)));
                }
                Said::Feed { instrument, kind } => {
                    let event = FeedEvent {
                        venue: self.wish.venue,
                        connection: self.seat.connection,
                        instrument: if self.seat.alone { instrument } else { Some(self.seat.me) },
                        generation: self.generation,
                        kind,
                    };
                    self.queue.push_back((at, Input::Feed(event)));
                }
                Said::Do(Action::Fetch { .. }) => {
                    self.awaits_snapshot = true;
                    self.answer(at);
                }
                Said::Do(Action::Reconnect { reason, .. }) => self.connect(&reason, at),
                // What the recorder sent, and when it opened its next socket, is in the recording.
                Said::Do(Action::Send(_) | Action::Rotate) => {}
            }
        }
        self.said = said;
    }
}

impl Iterator for Import {
    type Item = Result<(LocalTime, Input), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(input) = self.queue.pop_front() {
                return Some(Ok(input));
            }
            if !self.is_upcoming
                && let Err(error) = self.records.read(&mut self.record)?
            {
                return Some(Err(error));
            }
            self.advance();
        }
    }
}

//! What a thousand pages cost whoever trades: tick to quote with nobody looking, and with a thousand streams and one that
//! stalls.
//!
//! `cargo bench --no-default-features --bench pages`. Frames of the tape come at a steady pace, each through the conversation
//! and the session, deciding on every piece of news; ten times a second a picture is drawn and shown, as a live session's thread
//! does. Measured is the time from bytes in to orders out of frames that made us send. The pages are a process of their own,
//! which reads, and stands back as other people's browsers would (`nice`); both conditions take turns.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use papermaker::config::{Sources, load};
use papermaker::dashboard::status::{FeedStatus, JournalStatus};
use papermaker::dashboard::{self, Behind, Observer, StatusSnapshot, Vitals};
use papermaker::engine::{Input, Output, Session, SessionSpec, Stamped};
use papermaker::market::{FeedEvent, VenueId};
use papermaker::run::prepare;
use papermaker::units::{LocalTime, Nanos};
use papermaker::wire::{Protocol, Said};
use tokio::sync::{mpsc, watch};

#[allow(dead_code, reason = "other benches use the rest of it")]
mod tape;

use tape::{BTC, TAPE};

const VITALS: Vitals = Vitals { feed_stale_ms: 3_000, journal_lag_ms: 500, silent_ms: 2_000, clock: || LocalTime(0) };
/// Streams that are read.
const PAGES: usize = 1_000;
/// Between two frames.
const PACE: Duration = Duration::from_micros(400);
/// Frames of one measurement.
const FRAMES: usize = 20_000;
/// Measurements of each condition.
const ROUNDS: usize = 4;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "pages-of") {
        Some(at) => look(args[at + 1].parse().expect("an address")),
        None => measure(),
    }
}

/// Opens the streams, reads all but one of them until standard input ends, and says how many pictures came.
fn look(address: SocketAddr) {
    let _ = rustix::process::nice(10);
    let ask = || {
        let mut stream = TcpStream::connect(address).expect("the desk");
        write!(stream, "GET /api/stream HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("asked");
        stream
    };
    let stalled = ask();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let streams: Vec<TcpStream> = (0..PAGES).map(|_| ask()).collect();
    println!("open");
    let (end, ended) = watch::channel(false);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        let _ = end.send(true);
    });
    let counts = runtime.block_on(async move {
        let mut pages = tokio::task::JoinSet::new();
        for stream in streams {
            let mut ended = ended.clone();
            pages.spawn(async move {
                stream.set_nonblocking(true).expect("a socket");
                let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
                let (mut room, mut pictures, mut bytes) = (vec![0; 1 << 14], 0usize, 0usize);
                loop {
                    tokio::select! {
                        _ = ended.wait_for(|ended| *ended) => return (pictures, bytes),
                        ready = stream.readable() => ready.expect("a living stream"),
                    }
                    if let Ok(read) = stream.try_read(&mut room) {
                        bytes += read;
                        pictures += room[..read].windows(4).filter(|w| w == b"id: ").count();
                    }
                }
            });
        }
        pages.join_all().await
    });
    drop(stalled);
    let least = counts.iter().map(|(pictures, _)| pictures).min().unwrap_or(&0);
    println!("{least} {}", counts.iter().map(|(_, bytes)| bytes).sum::<usize>());
}

/// Times of one measurement, sorted.
#[derive(Default)]
struct Times {
    quotes: Vec<Duration>,
    pictures: Vec<Duration>,
}

fn at(times: &[Duration], share: f64) -> f64 {
    times[(share * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e6
}

fn measure() {
    let (mut alone, mut watched) = (Times::default(), Times::default());
    let (mut least, mut bytes, mut memory) = (usize::MAX, 0, [0; 2]);
    for round in 0..ROUNDS {
        for with_pages in [round % 2 == 1, round % 2 == 0] {
            let times = if with_pages { &mut watched } else { &mut alone };
            let (pictures, read, resident) = quote(with_pages, times);
            if with_pages {
                (least, bytes) = (least.min(pictures), bytes + read);
                memory[1] = memory[1].max(resident);
            } else {
                memory[0] = memory[0].max(resident);
            }
        }
    }
    for times in [&mut alone, &mut watched] {
        times.quotes.sort_unstable();
        times.pictures.sort_unstable();
    }
    println!("tape {}, {ROUNDS} × {FRAMES} frames each, {} of them made us send", TAPE.name, alone.quotes.len());
    for (what, share) in [("median", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let [a, b] = [&alone, &watched].map(|times| at(&times.quotes, share));
        println!(
            "tick to quote, {what}: {a:.2} µs alone, {b:.2} µs with {PAGES} pages and a stalled one, ratio {:.3}",
            b / a
        );
    }
    let [a, b] = [&alone, &watched].map(|times| at(&times.pictures, 0.5));
    println!("a picture drawn and shown, median: {a:.1} µs alone, {b:.1} µs with them");
    println!("the slowest page read {least} pictures a round; all read {:.1} MB", bytes as f64 / 1e6);
    println!(
        "most resident memory: {:.1} MB alone, {:.1} MB with them",
        memory[0] as f64 / 1e6,
        memory[1] as f64 / 1e6
    );
}

/// One measurement: pictures of the slowest page, bytes read, and the memory at its end.
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn quote(with_pages: bool, times: &mut Times) -> (usize, usize, u64) {
    let mut spec = spec();
    spec.desks[BTC.index()].quoting.decide_every = Nanos::ZERO;
    let rules = vec![TAPE.rules.clone()];
    let mut strategies = prepare::strategies(&spec).expect("a strategy");
    let mut observer = Observer::new("bench", &rules, &strategies);
    let (show, snapshots) = watch::channel(Arc::new(StatusSnapshot::starting("bench", &rules)));
    let (stop, stopped) = watch::channel(false);
    let behind = Behind {
        snapshots,
        commands: mpsc::channel(1).0,
        limits: mpsc::channel(1).0,
        vitals: VITALS,
        archive: None,
        stop: stopped,
    };
    let desk = dashboard::serve([127, 0, 0, 1].into(), 0, "token".to_owned(), behind).expect("a port");
    let pages = with_pages.then(|| Pages::open(desk.address()));

    let mut session = Session::new(&spec);
    let (mut said, mut out) = (Vec::new(), Vec::new());
    let mut venue = TAPE.conversation(&mut said);
    let mut input = Stamped { seq: 0, at: LocalTime(0), input: Input::Tick };
    let (mut due, mut draw) = (Instant::now(), Instant::now());
    for (at, frame) in TAPE.frames.iter().take(FRAMES) {
        due += PACE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let started = Instant::now();
        venue.on_text(frame.as_bytes(), *at, &mut said);
        let mut sent = false;
        for said in said.drain(..) {
            input.seq += 1;
            input.at = *at;
            input.input = match said {
                Said::Market(event) => Input::Market(event),
                Said::Feed { instrument, kind } => Input::Feed(FeedEvent {
                    venue: VenueId::BinanceSpot,
                    connection: 0,
                    instrument,
                    generation: 1,
                    kind,
                }),
                Said::Do(_) => continue,
            };
            observer.told(&input);
            session.step(&input, &mut strategies, &mut out);
            observer.hear(&out, input.seq, *at);
            sent |= out.drain(..).any(|output| matches!(output, Output::Sent(_)));
        }
        if sent {
            times.quotes.push(started.elapsed());
        }
        if draw.elapsed() > Duration::from_millis(100) {
            draw = Instant::now();
            show.send_replace(observer.picture(&session, *at, vec![feed()], JournalStatus::default()));
            times.pictures.push(draw.elapsed());
        }
    }
    let memory = resident();
    let (pictures, bytes) = pages.map_or((0, 0), Pages::close);
    stop.send(true).expect("a desk that listens");
    (pictures, bytes, memory)
}

fn feed() -> FeedStatus {
    let venue = "binance-spot".to_owned();
    FeedStatus {
        venue,
        connection: 0,
        connected: true,
        age_ms: Some(1),
        frames: 1,
        gaps: 0,
        reconnects: 0,
        latency: None,
    }
}

fn spec() -> SessionSpec {
    let sets = vec!["risk.loss_max_quote=0".to_owned()];
    let loaded = load(&Sources { sets, ..Sources::default() }).expect("settings");
    let strategy = prepare::strategy_text(&loaded.settings.strategy.file, None).expect("the built-in strategy");
    prepare::session_spec(&loaded, vec![TAPE.rules.clone()], Some(&strategy)).expect("a spec")
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

/// The process of pages.
struct Pages(Child, BufReader<std::process::ChildStdout>);

impl Pages {
    fn open(address: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["pages-of", &address.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        said.read_line(&mut String::new()).expect("open");
        Self(child, said)
    }

    fn close(mut self) -> (usize, usize) {
        drop(self.0.stdin.take());
        let mut line = String::new();
        self.1.read_line(&mut line).expect("its count");
        self.0.wait().expect("its end");
        let (pictures, bytes) = line.trim().split_once(' ').expect("two numbers");
        (pictures.parse().expect("a number"), bytes.parse().expect("a number"))
    }
}

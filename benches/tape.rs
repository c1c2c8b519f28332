//! The market every bench runs on: ten minutes of BTCUSDT as Binance sent them in August 2024, 100 ms depth, trades and
//! best quotes, where `PAPERMAKER_DATA` (or `../shared/data`) has the recording; else a made-up market of that shape.
//!
//! Either is read from a file by `journal::import`, so benches see the inputs a live session would have had.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::LazyLock;

use flate2::read::MultiGzDecoder;
use papermaker::engine::{Input, Stamped};
use papermaker::journal::import::{self, Format, Wish};
use papermaker::market::{Instrument, InstrumentId, MarketEvent, MarketEventKind, VenueId};
use papermaker::units::{LocalTime, Nanos, Step, VenueTime};
use papermaker::wire::binance_spot::{Settings, Spot, conversation};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::{About, Protocol, Said};

/// The one instrument.
pub const BTC: InstrumentId = InstrumentId(0);

/// A recording, as frames and as inputs.
pub struct Tape {
    /// `btcusdt`, or `made-up`.
    pub name: &'static str,
    pub rules: Instrument,
    pub snapshot: String,
    /// What came over the socket, and when.
    pub frames: Vec<(LocalTime, String)>,
    /// What a session hears of it, ticks of time included.
    pub inputs: Vec<(LocalTime, Input)>,
}

/// Read once, when first needed.
pub static TAPE: LazyLock<Tape> = LazyLock::new(Tape::read);

impl Tape {
    fn read() -> Self {
        let home = std::env::var_os("PAPERMAKER_DATA")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
        let days = ["20240808", "20240809"];
        let files = days.map(|day| home.join(format!("binance-spot/hftbacktest_spot_btcusdt_{day}.gz")));
        if files.iter().all(|file| file.is_file()) {
            return Self::of("btcusdt", files.to_vec());
        }
        eprintln!("SKIPPED the real recording: {} is not there", files[0].display());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("made-up");
        std::fs::write(&file, made_up()).expect("written");
        Self::of("made-up", vec![file])
    }

    fn of(name: &'static str, files: Vec<PathBuf>) -> Self {
        let step = |text| Step::parse(text).expect("a step");
        let rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001"));
        let wish = Wish {
            files: files.clone(),
            format: Format::HftbacktestRaw,
            venue: VenueId::BinanceSpot,
            symbol: "BTCUSDT".to_owned(),
            tick: Some(step("0.01")),
            lot: Some(step("0.00001")),
            tick_every: Nanos::from_ms(50),
        };
        let inputs = import::open(wish).expect("a recording").collect::<Result<_, _>>().expect("a whole recording");
        let (mut snapshot, mut frames) = (String::new(), Vec::new());
        for line in files.iter().flat_map(lines) {
            let (at, json) = line.split_once(' ').expect("a stamp, a blank, a frame");
            if json.starts_with("{\"lastUpdateId\"") {
                snapshot = json.to_owned();
            } else {
                frames.push((LocalTime(at.parse().expect("nanoseconds")), json.to_owned()));
            }
        }
        Self { name, rules: rules.expect("an instrument"), snapshot, frames, inputs }
    }

    /// A conversation with a book in step, and how many of the frames it has heard for that.
    pub fn in_step(&self) -> (Conversation<Spot>, usize) {
        let mut venue = self.conversation(&mut Vec::new());
        let mut said = Vec::new();
        let heard = self.frames.iter().position(|(at, frame)| {
            venue.on_text(frame.as_bytes(), *at, &mut said);
            said.drain(..).any(|s| matches!(s, Said::Market(event) if is_snapshot(&event)))
        });
        (venue, heard.expect("the snapshot is bridged") + 1)
    }

    /// A conversation that has its snapshot already and waits for the first frame.
    pub fn conversation(&self, said: &mut Vec<Said>) -> Conversation<Spot> {
        let mut venue = conversation(vec![(BTC, self.rules.clone())], Settings::default());
        let at = self.frames[0].0;
        venue.on_open(at, said);
        venue.on_fetched(About::Book(BTC), Ok(self.snapshot.as_bytes()), at, said);
        venue
    }

    /// The inputs `times` over, time and ids going on; the book begins anew with the snapshot at each seam.
    pub fn tiled(&self, times: usize) -> impl Iterator<Item = (LocalTime, Input)> {
        let first = self.inputs.first().expect("not empty").0;
        let span = self.inputs.last().expect("not empty").0.since(first) + Nanos::from_ms(1);
        let ids = self.inputs.iter().map(|(_, input)| last_id(input)).max().unwrap_or(0);
        (0..times as i64).flat_map(move |round| {
            self.inputs.iter().map(move |(at, input)| {
                let shift = Nanos(span.0 * round);
                (*at + shift, later(input, shift, ids * round as u64))
            })
        })
    }
}

/// Numbered from one, as a session takes them.
pub fn stamped(inputs: impl Iterator<Item = (LocalTime, Input)>) -> Vec<Stamped> {
    inputs.zip(1..).map(|((at, input), seq)| Stamped { seq, at, input }).collect()
}

/// How many book levels an input carries.
pub fn levels(input: &Input) -> u64 {
    match input {
        Input::Market(MarketEvent {
            kind: MarketEventKind::Snapshot { bids, asks, .. } | MarketEventKind::Delta { bids, asks, .. },
            ..
        }) => (bids.len() + asks.len()) as u64,
        Input::Market(_) | Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => 0,
    }
}

fn is_snapshot(event: &MarketEvent) -> bool {
    matches!(event.kind, MarketEventKind::Snapshot { .. })
}

fn last_id(input: &Input) -> u64 {
    match input {
        Input::Market(MarketEvent { kind: MarketEventKind::Delta { seq, .. }, .. }) => *seq,
        Input::Market(_) | Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => 0,
    }
}

fn later(input: &Input, shift: Nanos, ids: u64) -> Input {
    let mut input = input.clone();
    if let Input::Market(event) = &mut input {
        event.venue_time = event.venue_time.map(|t| VenueTime(t.0 + shift.0));
        match &mut event.kind {
            MarketEventKind::Snapshot { seq, .. }
            | MarketEventKind::Delta { seq, .. }
            | MarketEventKind::Bbo { seq, .. } => *seq += ids,
            MarketEventKind::Trade { id, .. } => *id += ids,
            MarketEventKind::Gap { .. }
            | MarketEventKind::Rules(_)
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => {}
        }
    }
    input
}

pub fn lines(file: &PathBuf) -> impl Iterator<Item = String> + use<> {
    let open = || File::open(file).expect("readable");
    let packed = file.extension().is_some_and(|e| e == "gz");
    let reader: Box<dyn BufRead> =
        if packed { Box::new(BufReader::new(MultiGzDecoder::new(open()))) } else { Box::new(BufReader::new(open())) };
    reader.lines().map(|line| line.expect("a line"))
}

/// Ten minutes of a market that stands still: every 100 ms twenty levels a side, some of them emptied, a trade and two
/// best quotes.
fn made_up() -> String {
    let mut text = String::new();
    let start = 1_700_000_000_000_000_000u64;
    let money = |cents: u64| format!("{}.{:02}000000", cents / 100, cents % 100);
    let mut frame = |at: u64, stream: &str, data: String| {
        writeln!(text, "{at} {{\"stream\":\"btcusdt@{stream}\",\"data\":{data}}}").expect("to a string");
    };
    for n in 0..6_000u64 {
        let at = start + n * 100_000_000;
        let bid = 6_000_000u64;
        let side = |sign: i64| {
            let level = |k: u64| {
                let (price, qty) =
                    (bid.wrapping_add_signed(sign * k as i64 * 7), (n * 7 + k) % 100_000 * ((n + k) % 3));
                format!("[\"{}\",\"{}.{:05}000\"]", money(price), qty / 100_000, qty % 100_000)
            };
            (1..=20).map(level).collect::<Vec<_>>().join(",")
        };
        let (id, time) = (n + 2, at / 1_000_000);
        let (bids, asks) = (side(-1), side(1));
        frame(
            at,
            "depth@100ms",
            format!(r#"{{"e":"depthUpdate","E":{time},"s":"BTCUSDT","U":{id},"u":{id},"b":[{bids}],"a":[{asks}]}}"#),
        );
        let (b, a) = (money(bid), money(bid + 1));
        for k in [1, 2] {
            let quote =
                format!(r#"{{"u":{id},"s":"BTCUSDT","b":"{b}","B":"{k}.00000000","a":"{a}","A":"1.00000000"}}"#);
            frame(at + k * 1_000_000, "bookTicker", quote);
        }
        let sold = n % 2 == 0;
        let price = if sold { &b } else { &a };
        let trade = format!(
            r#"{{"e":"trade","E":{time},"s":"BTCUSDT","t":{id},"p":"{price}","q":"0.01000000","T":{time},"m":{sold},"M":true}}"#
        );
        frame(at + 5_000_000, "trade", trade);
    }
    let snapshot =
        r#"{"lastUpdateId":1,"bids":[["50000.00000000","1.00000000"]],"asks":[["70000.00000000","1.00000000"]]}"#;
    format!("{start} {snapshot}\n{text}")
}

//! Venue conversations told frame by frame, and recordings of real ones.

mod conversation;
mod faults;
mod golden;
mod recordings;
mod timers;

use papermaker::market::{Book, FeedEventKind, Instrument, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::{LocalTime, Nanos, Step};
use papermaker::wire::binance_spot::{Settings, Spot};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Options, Request};
use papermaker::wire::{About, Action, FetchFailure, Protocol, Said, binance_spot};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

fn instrument(symbol: &str, tick: &str, lot: &str) -> Instrument {
    let (base, quote) = symbol.split_at(symbol.len() - if symbol.ends_with("USDT") { 4 } else { 3 });
    let step = |text| Step::parse(text).unwrap();
    Instrument::new(VenueId::BinanceSpot, symbol, base, quote, step(tick), step(lot)).unwrap()
}

/// A conversation on a laptop clock that starts at zero, with one socket open.
struct Talk {
    venue: Conversation<Spot>,
    now: LocalTime,
    /// BTC's, as what was said adds up.
    book: Book,
}

impl Talk {
    fn with(settings: Settings) -> Self {
        let list =
            vec![(BTC, instrument("BTCUSDT", "0.01", "0.00001")), (ETH, instrument("ETHUSDT", "0.01", "0.0001"))];
        let mut talk = Self::about(list, settings);
        talk.open();
        talk
    }

    /// Not connected yet.
    fn about(list: Vec<(InstrumentId, Instrument)>, settings: Settings) -> Self {
        Self { venue: binance_spot::conversation(list, settings), now: LocalTime(0), book: Book::new() }
    }

    /// Without timers, depth and trades only.
    fn new() -> Self {
        Self::with(Settings { bbo: false, ..Settings::default() })
    }

    fn open(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        self.venue.on_open(self.now, &mut said);
        said
    }

    fn hear(&mut self, frame: &str) -> Vec<Said> {
        let mut said = Vec::new();
        self.venue.on_text(frame.as_bytes(), self.now, &mut said);
        self.follow(&said);
        said
    }

    fn fetched(&mut self, instrument: InstrumentId, body: &str) -> Vec<Said> {
        let mut said = Vec::new();
        self.venue.on_fetched(About::Book(instrument), Ok(body.as_bytes()), self.now, &mut said);
        self.follow(&said);
        said
    }

    fn follow(&mut self, said: &[Said]) {
        for said in said {
            let Said::Market(event) = said else { continue };
            match &event.kind {
                _ if event.instrument != BTC => {}
                MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                    self.book.apply_snapshot(*seq, bids, asks, *extent);
                }
                MarketEventKind::Delta { seq, bids, asks } => self.book.apply_delta(*seq, bids, asks),
                MarketEventKind::Gap { .. } => self.book.clear(),
                MarketEventKind::Trade { .. }
                | MarketEventKind::Bbo { .. }
                | MarketEventKind::Rules(_)
                | MarketEventKind::Status(_)
                | MarketEventKind::Mark(_) => {}
            }
        }
    }

    /// The book of BTC, while the venue's conversation holds it to be in step.
    fn book(&self) -> Option<&Book> {
        self.venue.is_in_step(BTC).then_some(&self.book)
    }

    fn failed(&mut self, instrument: InstrumentId, failure: FetchFailure) -> Vec<Said> {
        let mut said = Vec::new();
        self.venue.on_fetched(About::Book(instrument), Err(failure), self.now, &mut said);
        said
    }

    /// Time passes in steps of 250 ms, as a driver lets it.
    fn wait_ms(&mut self, ms: i64) -> Vec<Said> {
        let mut said = Vec::new();
        let end = self.now + Nanos::from_ms(ms);
        while self.now < end {
            self.now = (self.now + Nanos::from_ms(250)).min(end);
            self.venue.on_time(self.now, &mut said);
        }
        said
    }

    /// A book of BTC in step after update 100: 1@100.00 / 1@101.00.
    fn in_step() -> Self {
        let mut talk = Self::new();
        talk.hear(&diff("BTCUSDT", 95, 100, "", ""));
        let said = talk.fetched(BTC, &snapshot(100));
        assert_eq!(words(&said), ["snapshot 100", "live"]);
        talk
    }
}

/// `levels` like `100.00 1, 99.00 0`.
fn levels(text: &str) -> String {
    let level = |l: &str| {
        let (price, qty) = l.trim().split_once(' ').expect("a price and a quantity");
        format!("[\"{price}000000\",\"{qty}.00000000\"]")
    };
    let list: Vec<_> = text.split(',').filter(|l| !l.trim().is_empty()).map(level).collect();
    format!("[{}]", list.join(","))
}

fn diff(symbol: &str, first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"stream":"{}@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,"s":"{symbol}","U":{first},"u":{last},"b":{},"a":{}}}}}"#,
        symbol.to_lowercase(),
        levels(bids),
        levels(asks)
    )
}

fn trade(symbol: &str, id: u64, time_ms: u64, buyer_is_maker: bool) -> String {
    format!(
        r#"{{"stream":"{}@trade","data":{{"e":"trade","E":{time_ms},"s":"{symbol}","t":{id},"p":"100.50000000","q":"0.25000000","T":{time_ms},"m":{buyer_is_maker},"M":true}}}}"#,
        symbol.to_lowercase(),
    )
}

fn bbo(symbol: &str, seq: u64) -> String {
    format!(
        r#"{{"stream":"{}@bookTicker","data":{{"u":{seq},"s":"{symbol}","b":"100.00000000","B":"1.00000000","a":"101.00000000","A":"2.00000000"}}}}"#,
        symbol.to_lowercase(),
    )
}

fn snapshot(last: u64) -> String {
    format!(
        r#"{{"lastUpdateId":{last},"bids":[["100.00000000","1.00000000"]],"asks":[["101.00000000","1.00000000"]]}}"#
    )
}

/// What was said, a word or two each.
pub fn words(said: &[Said]) -> Vec<String> {
    let word = |s: &Said| match s {
        Said::Market(event) => match &event.kind {
            MarketEventKind::Snapshot { seq, .. } => format!("snapshot {seq}"),
            MarketEventKind::Delta { seq, .. } => format!("delta {seq}"),
            MarketEventKind::Trade { id, .. } => format!("trade {id}"),
            MarketEventKind::Bbo { seq, .. } => format!("bbo {seq}"),
            MarketEventKind::Gap { expected, found } => format!("gap {expected} {found}"),
            MarketEventKind::Rules(_) => "rules".to_owned(),
            MarketEventKind::Status(status) => format!("status {status:?}"),
            MarketEventKind::Mark(_) => "mark".to_owned(),
        },
        Said::Feed { kind, .. } => match kind {
            FeedEventKind::Stale { channel, .. } => format!("stale {channel}"),
            FeedEventKind::NoData { channel, .. } => format!("no_data {channel}"),
            other => other.word().to_owned(),
        },
        Said::Do(Action::Fetch { delay, .. }) => format!("fetch after {} ms", delay.ms()),
        Said::Do(Action::Send(text)) => format!("send {text}"),
        Said::Do(Action::Reconnect { .. }) => "reconnect".to_owned(),
        Said::Do(Action::Rotate) => "rotate".to_owned(),
    };
    said.iter().map(word).collect()
}

/// The folder of public recordings, or `None` with a loud line where it is absent.
pub fn recordings_dir() -> Option<std::path::PathBuf> {
    let dir = match std::env::var_os("PAPERMAKER_DATA") {
        Some(dir) => std::path::PathBuf::from(dir),
        None => std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
    None
}

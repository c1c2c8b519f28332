//! One market maker, twice: as a bot of hftbacktest's and as a strategy of ours, over the same rows.
//!
//! Both hear the same levels and prints at the same nanosecond, decide every 100 ms, want the same prices, move an order in
//! the same way (their `modify`, our `Replace`), and wait the same constant times for the venue. Their venue is a second
//! book fed by the same rows `feed` earlier; ours is the same clock shifted. What is left to differ is what the two
//! programs believe of a venue, which `docs/fills-against-hftbacktest.md` goes through.
//!
//! Reading order: [`Market`] is the rows, [`Maker`] the prices, [`ours`] and [`theirs`] the two runs, each a list of [`Fill`]s.

#![expect(dead_code, reason = "the bench and the test use a part each")]

mod ours;
mod theirs;

use std::path::PathBuf;

use hftbacktest::backtest::data::Data;
use hftbacktest::types::{
    BUY_EVENT, DEPTH_BBO_EVENT, DEPTH_CLEAR_EVENT, DEPTH_EVENT, DEPTH_SNAPSHOT_EVENT, EXCH_EVENT, Event, LOCAL_EVENT,
    SELL_EVENT, TRADE_EVENT,
};
use papermaker::digest::Digest;
use papermaker::engine::{Input, Stamped};
use papermaker::journal::import::{self, Format, Wish};
use papermaker::journal::{Ending, Manifest, Options, Store};
use papermaker::market::{Extent, Instrument, Level, MarketEvent, MarketEventKind, VenueId};
use papermaker::units::{LocalTime, Lots, Nanos, Side, Step, Ticks, VenueTime};

pub use ours::ours;
pub use theirs::theirs;

/// Between two decisions.
const DECIDE_EVERY: Nanos = Nanos::from_ms(100);
/// Constant ways: news to us, requests there, words back. News is faster than words, so that neither program hears of a
/// fill before the print that made it.
const FEED_US: u32 = 1_000;
const ENTRY_US: u32 = 10_000;
const RESPONSE_US: u32 = 10_000;
/// Width of their fastest depth, in ticks: 2^17 `f64` a side and book, 4.2 MB in all. Rows outside are dropped by it.
const ROI_TICKS: i64 = 1 << 17;

/// A recorded market of one instrument.
#[derive(Clone)]
pub struct Market {
    rules: Instrument,
    /// What a session hears, without ticks of time.
    heard: Vec<(LocalTime, MarketEvent)>,
}

impl Market {
    /// `binance-usdm` or `binance-spot` BTCUSDT of 8 August 2024, `None` where the recording is not there.
    ///
    /// Their books know no horizon, so here ours know none either; [`Market::with_horizon`] says what that hides.
    pub fn of(name: &'static str, with_best_quotes: bool) -> Option<Self> {
        let (venue, tick, lot, files): (_, _, _, &[&str]) = match name {
            "usdm" => (VenueId::BinanceUsdm, "0.1", "0.001", &["binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz"]),
            _ => (
                VenueId::BinanceSpot,
                "0.01",
                "0.00001",
                &[
                    "binance-spot/hftbacktest_spot_btcusdt_20240808.gz",
                    "binance-spot/hftbacktest_spot_btcusdt_20240809.gz",
                ],
            ),
        };
        let home = std::env::var_os("PAPERMAKER_DATA")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
        let files: Vec<PathBuf> = files.iter().map(|file| home.join(file)).collect();
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            eprintln!("SKIPPED the fills of {name} against hftbacktest: {} is not there", missing.display());
            return None;
        }
        let step = |text| Some(Step::parse(text).expect("a step"));
        let wish = Wish {
            files,
            format: Format::HftbacktestRaw,
            venue,
            symbol: "BTCUSDT".to_owned(),
            tick: step(tick),
            lot: step(lot),
            tick_every: Nanos::from_s(1),
        };
        let play = import::open(wish).expect("a recording");
        let rules = play.instrument().clone();
        let heard = play.map(|input| input.expect("a whole recording")).filter_map(|(at, input)| match input {
            Input::Market(event) => Some((at, event)),
            Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => None,
        });
        let kept = |event: &MarketEvent| match &event.kind {
            MarketEventKind::Snapshot { .. } | MarketEventKind::Delta { .. } => true,
            MarketEventKind::Bbo { .. } => with_best_quotes,
            MarketEventKind::Trade { flags, .. } => flags.took_from_the_book(),
            MarketEventKind::Gap { .. }
            | MarketEventKind::Rules(_)
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => false,
        };
        let heard = heard.filter(|(_, event)| kept(event));
        // Nothing before the snapshot means anything to either.
        let heard = heard.skip_while(|(_, event)| !matches!(event.kind, MarketEventKind::Snapshot { .. }));
        Some(Self { rules, heard: heard.collect() }.reaching(Extent::All))
    }

    /// The same with a snapshot that says nothing of what lies beyond its last level, as the venue gave it.
    pub fn with_horizon(self) -> Self {
        self.reaching(Extent::ToLast)
    }

    fn reaching(mut self, known: Extent) -> Self {
        for (_, event) in &mut self.heard {
            if let MarketEventKind::Snapshot { extent, .. } = &mut event.kind {
                *extent = known;
            }
        }
        self
    }

    /// The same without the venue's stamps: a print cannot be told from one that an older depth message has counted.
    pub fn unstamped(mut self) -> Self {
        self.heard.iter_mut().for_each(|(_, event)| event.venue_time = None);
        self
    }

    /// The same with a thousand times as much in every print: enough for all our orders in its way.
    pub fn with_ample_prints(mut self) -> Self {
        for (_, event) in &mut self.heard {
            if let MarketEventKind::Trade { qty, .. } = &mut event.kind {
                qty.0 *= 1_000;
            }
        }
        self
    }

    /// Its first seconds.
    pub fn first(mut self, seconds: i64) -> Self {
        let end = self.heard[0].0 + Nanos::from_s(seconds);
        self.heard.retain(|(at, _)| *at < end);
        self
    }

    /// `times` over, time and ids going on; the book begins anew at each seam.
    fn tiled(&self, times: usize) -> impl Iterator<Item = (LocalTime, MarketEvent)> {
        let span = self.heard.last().expect("not empty").0.since(self.heard[0].0) + DECIDE_EVERY;
        let ids = self.heard.iter().map(|(_, event)| last_id(&event.kind)).max().unwrap_or(0);
        (0..times as i64).flat_map(move |round| {
            let shift = Nanos(span.0 * round);
            self.heard.iter().map(move |(at, event)| (*at + shift, later(event, shift, ids * round as u64)))
        })
    }

    /// Our session on disk of all of it, with a tick of time at every moment they decide. Says how many rows it holds.
    pub fn record(&self, store: &Store, id: &str, times: usize, maker: &Maker) -> u64 {
        let manifest = Manifest::new(id, self.spec(maker), self.heard[0].0);
        let mut writer = store.create(id, manifest, Options { block_age: None, ..Options::LIVE }).expect("begins");
        // Their clock begins with the first row at the venue.
        let mut tick = self.heard[0].0 - Nanos::from_us(i64::from(FEED_US)) + DECIDE_EVERY;
        let (mut seq, mut rows) = (0, 0);
        let mut take = |at, input| {
            seq += 1;
            writer.input(&Stamped { seq, at, input }).expect("recorded");
        };
        for (at, event) in self.tiled(times) {
            while tick < at {
                take(tick, Input::Tick);
                tick = tick + DECIDE_EVERY;
            }
            rows += count(&event.kind);
            take(at, Input::Market(event));
        }
        let ending = Ending { at: tick, output_digest: Digest([0; 32]), state_digest: Digest([0; 32]) };
        writer.finish(ending).expect("ends");
        rows
    }

    /// Their array of the same rows. A row's venue time is ours less the constant `feed`, so that both programs put an
    /// order between the same two rows.
    pub fn array(&self, times: usize) -> Data<Event> {
        let feed = Nanos::from_us(i64::from(FEED_US)).0;
        let (tick, lot) = (self.rules.tick.to_f64(), self.rules.lot.to_f64());
        let mut rows = Vec::new();
        for (at, event) in self.tiled(times) {
            let mut row = |kind: u64, side: Option<Side>, level: Level| {
                let side = side.map_or(0, |side| if side == Side::Bid { BUY_EVENT } else { SELL_EVENT });
                rows.push(Event {
                    ev: EXCH_EVENT | LOCAL_EVENT | kind | side,
                    exch_ts: at.0 - feed,
                    local_ts: at.0,
                    px: level.price.0 as f64 * tick,
                    qty: level.qty.0 as f64 * lot,
                    order_id: 0,
                    ival: 0,
                    fval: 0.0,
                });
            };
            let (kind, bids, asks): (_, &[Level], &[Level]) = match &event.kind {
                MarketEventKind::Snapshot { bids, asks, .. } => {
                    row(DEPTH_CLEAR_EVENT, None, Level { price: Ticks(0), qty: Lots(0) });
                    (DEPTH_SNAPSHOT_EVENT, bids, asks)
                }
                MarketEventKind::Delta { bids, asks, .. } => (DEPTH_EVENT, bids, asks),
                MarketEventKind::Bbo { bid, ask, .. } => (DEPTH_BBO_EVENT, bid.as_slice(), ask.as_slice()),
                MarketEventKind::Trade { taker, price, qty, .. } => {
                    row(TRADE_EVENT, Some(*taker), Level { price: *price, qty: *qty });
                    continue;
                }
                MarketEventKind::Gap { .. }
                | MarketEventKind::Rules(_)
                | MarketEventKind::Status(_)
                | MarketEventKind::Mark(_)
                | MarketEventKind::Order(_) => continue,
            };
            bids.iter().for_each(|level| row(kind, Some(Side::Bid), *level));
            asks.iter().for_each(|level| row(kind, Some(Side::Ask), *level));
        }
        Data::from_data(&rows)
    }

    /// Best prices at the start, ticks: where their range of interest is put.
    pub fn begins_at(&self) -> i64 {
        match &self.heard[0].1.kind {
            MarketEventKind::Snapshot { bids, .. } => bids[0].price.0,
            other => panic!("a market begins with its book, not with {other:?}"),
        }
    }
}

/// Where our place in line is guessed by the same formula on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// `RiskAdverseQueueModel`, `risk-averse`.
    RiskAverse,
    /// `PowerProbQueueFunc3` with n = 3, `power3`.
    Power3,
}

/// Quotes around the mid, moved against the inventory; `levels` a side, one lot each, on a grid.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// Orders a side.
    pub levels: i64,
    /// Distance of the nearest from the mid, ticks.
    pub half_spread: i64,
    /// Between two of a side, and what prices are multiples of, ticks.
    pub grid: i64,
    /// How far both sides move for each lot held, ticks.
    pub skew: i64,
    /// The place in line.
    pub queue: Queue,
}

impl Maker {
    /// The `rank`th price of a side, ticks, for these best prices and this inventory. Never through the other side's
    /// best, never better than our own side's.
    fn price(&self, side: Side, rank: i64, bid: i64, ask: i64, position: i64) -> i64 {
        let twice_centre = bid + ask - 2 * self.skew * position;
        match side {
            Side::Bid => {
                let near = (twice_centre - 2 * self.half_spread).div_euclid(2).min(bid);
                (near.div_euclid(self.grid) - rank) * self.grid
            }
            Side::Ask => {
                let near = -(-twice_centre - 2 * self.half_spread).div_euclid(2);
                (-(-near.max(ask)).div_euclid(self.grid) + rank) * self.grid
            }
        }
    }
}

/// A fill, in what both programs say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fill {
    /// When it happened at the venue, nanoseconds.
    pub at: i64,
    pub side: Side,
    /// Ticks.
    pub price: i64,
    /// Lots.
    pub qty: i64,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub fills: Vec<Fill>,
    /// Requests that left.
    pub placed: u64,
    pub moved: u64,
    pub cancelled: u64,
    /// Inventory at the end, lots.
    pub position: i64,
}

/// Fills of one that the other does not have, each way.
pub fn differences(ours: &[Fill], theirs: &[Fill]) -> (Vec<Fill>, Vec<Fill>) {
    let without = |these: &[Fill], those: &[Fill]| {
        let mut left = those.to_vec();
        let is_missing = |fill: &&Fill| match left.iter().position(|other| other == *fill) {
            Some(at) => {
                left.swap_remove(at);
                false
            }
            None => true,
        };
        these.iter().filter(is_missing).copied().collect()
    };
    (without(ours, theirs), without(theirs, ours))
}

/// Rows of theirs an event is.
fn count(kind: &MarketEventKind) -> u64 {
    match kind {
        MarketEventKind::Snapshot { bids, asks, .. } => 1 + (bids.len() + asks.len()) as u64,
        MarketEventKind::Delta { bids, asks, .. } => (bids.len() + asks.len()) as u64,
        MarketEventKind::Bbo { bid, ask, .. } => u64::from(bid.is_some()) + u64::from(ask.is_some()),
        MarketEventKind::Trade { .. } => 1,
        MarketEventKind::Gap { .. }
        | MarketEventKind::Rules(_)
        | MarketEventKind::Status(_)
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_) => 0,
    }
}

/// The update or trade id an event carries.
fn last_id(kind: &MarketEventKind) -> u64 {
    match kind {
        MarketEventKind::Snapshot { seq, .. }
        | MarketEventKind::Delta { seq, .. }
        | MarketEventKind::Bbo { seq, .. } => *seq,
        MarketEventKind::Trade { id, .. } => *id,
        MarketEventKind::Gap { .. }
        | MarketEventKind::Rules(_)
        | MarketEventKind::Status(_)
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_) => 0,
    }
}

/// The same event later, with ids that go on.
fn later(event: &MarketEvent, shift: Nanos, ids: u64) -> MarketEvent {
    let mut event = event.clone();
    event.venue_time = event.venue_time.map(|t| VenueTime(t.0 + shift.0));
    match &mut event.kind {
        MarketEventKind::Snapshot { seq, .. }
        | MarketEventKind::Delta { seq, .. }
        | MarketEventKind::Bbo { seq, .. } => {
            *seq += ids;
        }
        MarketEventKind::Trade { id, .. } => *id += ids,
        MarketEventKind::Gap { .. }
        | MarketEventKind::Rules(_)
        | MarketEventKind::Status(_)
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_) => {}
    }
    event
}

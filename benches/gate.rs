//! The pre-trade path: everything from a request to its approval or refusal, with every limit set.
//!
//! A program of its own, because it counts what is asked of the allocator: the path asks for nothing, or this stops. Each
//! figure is one request through [`Rehearsal::approve`], which is what a session calls for every order it sends: what rests,
//! what is at stake elsewhere, every limit in turn, the buckets of the rates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use criterion::Criterion;
use papermaker::config::{Sources, load};
use papermaker::engine::{Input, Rehearsal, Session, SessionSpec, Stamped};
use papermaker::market::{Extent, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind, VenueId};
use papermaker::order::{OrderId, OrderKind, Request};
use papermaker::risk::{BookLimits, ExposureLimits, MarkoutLimit};
use papermaker::run::prepare;
use papermaker::strategy::{Decision, Quote, Strategies, Strategy, View, Wanted, Why};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Side, Step, Ticks};

/// The system's allocator, and how often this thread has asked it.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "an allocator cannot be written without; it counts and passes everything on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ID: InstrumentId = InstrumentId(0);
const MID: i64 = 6_400_000;

fn main() {
    // `gate-count` as an argument: a fixed number of requests and nothing else, for callgrind.
    if std::env::args().any(|arg| arg == "gate-count") {
        return count();
    }
    let mut criterion = Criterion::default().configure_from_args();
    requests(&mut criterion);
    inputs(&mut criterion);
    criterion.final_summary();
}

/// Group `gate`: one request.
fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("gate");
    for count in [1, 8] {
        let session = quoting(count, true);
        for (what, request, passes) in cases(&session) {
            let mut rehearsal = Rehearsal::new(&session, ID);
            let before = ASKED.with(Cell::get);
            for _ in 0..1_000 {
                assert_eq!(rehearsal.approve(black_box(&request).clone()).is_ok(), passes, "{what}");
            }
            assert_eq!(ASKED.with(Cell::get) - before, 0, "{what}: the gate asked the allocator");
            group.bench_function(format!("{what}/{count}"), |b| {
                b.iter(|| rehearsal.approve(black_box(&request).clone()));
            });
        }
    }
    group.finish();
}

/// Group `guard`: an input that moves one instrument's mid, all limits set or only those of the defaults.
fn inputs(c: &mut Criterion) {
    let mut group = c.benchmark_group("guard");
    for count in [1, 8] {
        for (what, all) in [("defaults", false), ("every_limit", true)] {
            let (mut session, mut out) = (quoting(count, all), Vec::new());
            let mut seq = session.seq();
            group.bench_function(format!("{what}/{count}"), |b| {
                b.iter(|| {
                    seq += 1;
                    session.take_in(&best(seq, ID, MID + (seq % 2) as i64), &mut out);
                    out.clear();
                });
            });
        }
    }
    group.finish();
}

fn count() {
    for count in [1, 8] {
        let session = quoting(count, true);
        for (_, request, passes) in cases(&session) {
            let mut rehearsal = Rehearsal::new(&session, ID);
            for _ in 0..10_000 {
                assert_eq!(rehearsal.approve(black_box(&request).clone()).is_ok(), passes);
            }
        }
    }
}

/// What is asked, and whether it passes. The refusals are of a limit that is met early, of one in the middle and of the last.
fn cases(session: &Session) -> Vec<(&'static str, Request, bool)> {
    let order = session.orders(ID).iter().find(|order| order.side == Side::Bid).expect("bids rest");
    let place = |price, qty, kind| Request::Place {
        id: OrderId(1_000),
        instrument: ID,
        side: Side::Bid,
        price: Ticks(price),
        qty: Lots(qty),
        kind,
    };
    let (price, new) = (Ticks(MID - 300), OrderId(1_000));
    vec![
        ("place", place(MID - 300, 100, OrderKind::PostOnly), true),
        ("replace", Request::Replace { old: order.id, new, instrument: ID, price, qty: Lots(100) }, true),
        ("cancel", Request::Cancel { id: order.id, instrument: ID }, true),
        ("refused_for_size", place(MID - 300, 100_000, OrderKind::PostOnly), false),
        ("refused_for_collar", place(MID / 2, 100, OrderKind::PostOnly), false),
        ("refused_for_gross", place(MID - 300, 19_000, OrderKind::PostOnly), false),
    ]
}

/// A session with two orders a side in each of so many instruments, over four venues.
fn quoting(count: u16, every_limit: bool) -> Session {
    let spec = spec(count, every_limit);
    let mut session = Session::new(&spec);
    let mut strategies: Strategies = (0..count).map(|_| Some(Box::new(Two) as Box<dyn Strategy>)).collect();
    let mut out = Vec::new();
    for seq in 0..8 * u64::from(count) {
        let id = InstrumentId((seq % u64::from(count)) as u16);
        let input = if seq < u64::from(count) { snapshot(seq, id) } else { best(seq, id, MID) };
        session.step(&input, &mut strategies, &mut out);
        out.clear();
    }
    assert!((0..count).all(|id| session.orders(InstrumentId(id)).len() == 4), "every instrument is quoted");
    session
}

fn spec(count: u16, every_limit: bool) -> SessionSpec {
    let loaded = load(&Sources::default()).expect("settings");
    let step = |text| Step::parse(text).expect("a step");
    let venues = [VenueId::BinanceSpot, VenueId::Kraken, VenueId::Coinbase, VenueId::BybitSpot];
    let rules = |n: u16| {
        let venue = venues[usize::from(n) % venues.len()];
        Instrument::new(venue, &format!("COIN{n}USDT"), &format!("COIN{n}"), "USDT", step("0.01"), step("0.00001"))
            .expect("rules")
    };
    let strategy = prepare::strategy_text("avellaneda_stoikov", None).expect("the built-in strategy");
    let mut spec = prepare::session_spec(&loaded, (0..count).map(rules).collect(), Some(&strategy)).expect("a session");
    // All instruments begin within the same second.
    spec.risk.book.order_rate_max_per_s = u32::MAX / 2;
    if !every_limit {
        return spec;
    }
    let money = |quote: i128| Some(Money(quote * Money::PER_QUOTE));
    for own in &mut spec.risk.instruments {
        (own.long_max, own.short_max, own.order_qty_max) = (Lots(50_000), Lots(50_000), Lots(20_000));
        own.order_notional_max = Money(1_000_000 * Money::PER_QUOTE);
        own.spread_min_centibps = 1;
        own.inventory_age_max = Some(Nanos::from_s(3_600));
        own.volatility_max_centibps = Some(1_000_000);
        own.markout = Some(MarkoutLimit { horizon: Nanos::from_s(1), fills: 50, loss_max_centibps: 10_000 });
        (own.feed_latency_max_ms, own.clock_skew_max_ms) = (Some(1_000), Some(1_000));
        // Anything but one takes more arithmetic.
        own.account_rate_ppm = 1_080_000;
    }
    // Two bids of 100 lots are worth 138 in each instrument; 19000 more are worth 13128.
    let exposure = ExposureLimits { gross_max: money(10_000), net_max: money(10_000) };
    spec.risk.venues = venues.iter().map(|venue| (*venue, exposure)).collect();
    spec.risk.book = BookLimits {
        exposure,
        capital: money(100_000),
        leverage_max_centi: Some(1_000),
        loss_max: money(10_000),
        daily_loss_max: money(10_000),
        hourly_loss_max: money(10_000),
        drawdown_max: money(10_000),
        daily_fees_max: money(10_000),
        funding_max: money(10_000),
        order_rate_max_per_s: u32::MAX / 2,
        cancel_rate_max_per_s: Some(u32::MAX / 2),
    };
    spec
}

/// Two quotes of 100 lots a side, 2 and 3 dollars from the mid.
struct Two;

impl Strategy for Two {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let quote = |side: Side, away: i64| Quote { side, price: Ticks(MID - side.sign() * away), qty: Lots(100) };
        let quotes = Side::BOTH.into_iter().flat_map(|side| [quote(side, 200), quote(side, 300)]);
        Decision { instrument: view.instrument, wanted: Wanted::Quotes(quotes.collect()), why: Why::default() }
    }

    fn name(&self) -> &'static str {
        "two"
    }
}

fn level(price: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(1_000) }
}

fn event(seq: u64, instrument: InstrumentId, kind: MarketEventKind) -> Stamped {
    let at = LocalTime(0) + Nanos::from_ms(1 + seq as i64 / 100);
    Stamped { seq, at, input: Input::Market(MarketEvent { instrument, venue_time: None, kind }) }
}

fn snapshot(seq: u64, id: InstrumentId) -> Stamped {
    let (bids, asks) = ((1..=20).map(|n| level(MID - n)), (1..=20).map(|n| level(MID + n)));
    let (bids, asks) = (bids.collect(), asks.collect());
    event(seq, id, MarketEventKind::Snapshot { seq: 1, bids, asks, extent: Extent::All })
}

fn best(seq: u64, id: InstrumentId, mid: i64) -> Stamped {
    event(seq, id, MarketEventKind::Bbo { seq: 0, bid: Some(level(mid - 1)), ask: Some(level(mid + 1)) })
}

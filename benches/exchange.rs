//! What our orders cost the paper venue: it is asked about every level of every message.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use papermaker::exchange::fee::Schedule;
use papermaker::exchange::habit::Habits;
use papermaker::exchange::latency::LatencySpec;
use papermaker::exchange::paper::Paper;
use papermaker::exchange::queue::QueueModel;
use papermaker::exchange::{PaperSpec, Venue, Visible};
use papermaker::market::{Book, Extent, Instrument, Level, MarketEvent, MarketEventKind, VenueId};
use papermaker::order::{OrderId, OrderKind, Request};
use papermaker::risk::{BookLimits, Elsewhere, Exposure, Gate, InstrumentLimits, RiskLimits};
use papermaker::rng::Stream;
use papermaker::signal::Top;
use papermaker::units::{LocalTime, Lots, Money, Nanos, Rate, Side, Step, Ticks};

use super::tape::BTC;

const LEVELS: u64 = 20;

/// Group `paper`: depth messages of twenty levels within 400 ticks of the touch, against no order, two at the touch
/// (where one level in 400 is ours), and two that are twenty ticks deep.
pub fn paper(c: &mut Criterion) {
    let mut draws = Stream::new(3, "tape");
    let tape: Vec<_> = (0..2_000)
        .map(|i| {
            let mut side =
                |sign: i64| (0..LEVELS / 2).map(|_| level(1_000 + sign * draws.below(400) as i64, 1)).collect();
            let (bids, asks) = (side(-1), side(1));
            MarketEvent { instrument: BTC, venue_time: None, kind: MarketEventKind::Delta { seq: 2 + i, bids, asks } }
        })
        .collect();
    let one = Step::parse("1").expect("a step");
    let rules = Instrument::new(VenueId::BinanceSpot, "XY", "X", "Y", one, one).expect("an instrument");
    let mut book = Book::new();
    book.apply_snapshot(1, &[level(1_000, 5)], &[level(1_001, 5)], Extent::All);
    let top = Top { bid: level(1_000, 5), ask: level(1_001, 5) };
    let market = Visible { rules: &rules, book: &book, top: Some(top), trusted: true };

    let mut group = c.benchmark_group("paper");
    group.throughput(Throughput::Elements(LEVELS * tape.len() as u64));
    for (what, depth) in [("no_order", None), ("two_at_the_touch", Some(0)), ("two_deep", Some(20))] {
        let mut paper = Paper::new(BTC, at_once(), Stream::new(1, "paper.latency"));
        if let Some(depth) = depth {
            rest(&mut paper, &market, Side::Bid, 1_000 - depth);
            rest(&mut paper, &market, Side::Ask, 1_001 + depth);
        }
        group.bench_function(format!("observe/{what}"), |b| {
            b.iter(|| tape.iter().for_each(|event| paper.observe(black_box(event), &market, LocalTime(1))));
        });
    }
    group.finish();
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Ticks(price), qty: Lots(qty) }
}

fn at_once() -> PaperSpec {
    PaperSpec {
        latency: LatencySpec::constant(0, 0, 0),
        queue: QueueModel::RiskAverse,
        fees: Schedule::flat(Rate(0), Rate(0)),
        habits: Habits::of(VenueId::BinanceSpot),
    }
}

/// An order of five, through a gate with room for it.
fn rest(paper: &mut Paper, market: &Visible<'_>, side: Side, price: i64) {
    let limits = RiskLimits {
        instruments: vec![InstrumentLimits {
            long_max: Lots(100),
            short_max: Lots(100),
            order_qty_max: Lots(100),
            order_notional_max: Money(i128::MAX),
            open_orders_max: 10,
            collar_centibps: 1_000_000,
            stale_book_ms: 1_000,
            ..InstrumentLimits::nothing()
        }],
        book: BookLimits { order_rate_max_per_s: 10, loss_max: None, ..BookLimits::default() },
        ..RiskLimits::default()
    };
    let exposure = Exposure {
        now: LocalTime(0),
        instrument: BTC,
        rules: market.rules,
        position: Lots(0),
        buying: Lots(0),
        selling: Lots(0),
        alive: 0,
        replaced_side: None,
        own_best: [None; 2],
        top: market.top,
        news_age: Nanos(0),
        flattening: false,
        elsewhere: Elsewhere::Nothing,
    };
    let (price, qty, kind) = (Ticks(price), Lots(5), OrderKind::PostOnly);
    let order = Request::Place { id: OrderId(1 + side as u64), instrument: BTC, side, price, qty, kind };
    let approved = Gate::new(limits).approve(order, &exposure).expect("within every limit");
    paper.submit(approved, LocalTime(0));
    let mut heard = Vec::new();
    paper.advance(LocalTime(0), market, &mut heard);
    assert_eq!(heard.len(), 1, "it rests");
}

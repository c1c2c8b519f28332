//! Imagined orders, all at once, against paper orders, one at a time, in random markets of our own matching engine.

use super::*;
use crate::exchange::fee::Schedule;
use crate::exchange::habit::Habits;
use crate::exchange::latency::LatencySpec;
use crate::exchange::matching::{Engine, Incoming, Record, Ticket};
use crate::exchange::paper::Paper;
use crate::exchange::{PaperSpec, Venue, Visible};
use crate::market::{Extent, Instrument, OrderStep, PrintFlags, VenueId};
use crate::order::{OrderId, OrderKind, ReportKind, Request};
use crate::risk::gate::testing::approve;
use crate::rng::Stream;
use crate::signal::Top;
use crate::units::{Rate, Step};

const ONE: InstrumentId = InstrumentId(0);

fn at(second: usize) -> LocalTime {
    LocalTime(second as i64 * 1_000_000_000)
}

fn order(side: Side, kind: OrderKind, price: i64, qty: i64) -> Incoming {
    Incoming::new(side, kind, Ticks(price), Lots(qty))
}

fn event(second: usize, kind: MarketEventKind) -> MarketEvent {
    let venue_time = Some(VenueTime(at(second).0));
    MarketEvent { instrument: ONE, venue_time, kind }
}

/// Prints, then orders, then the levels.
fn tell(second: usize, records: &[Record]) -> Vec<MarketEvent> {
    let (mut prints, mut orders, mut bids, mut asks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let news = |id: Ticket, side, price, qty, step| {
            MarketEventKind::Order(OrderNews { id: id.number(), side, price, qty, step })
        };
        match *record {
            Record::Trade { maker, side, price, qty, maker_left, .. } => {
                prints.push(MarketEventKind::Trade { id: 1, taker: side, price, qty, flags: PrintFlags::NONE });
                orders.push(news(maker, side.opposite(), price, maker_left, OrderStep::Filled));
            }
            Record::Rested { ticket, side, price, qty } => {
                orders.push(news(ticket, side, price, qty, OrderStep::Joined));
            }
            Record::Removed { ticket, side, price, .. } => {
                orders.push(news(ticket, side, price, Lots::ZERO, OrderStep::Left));
            }
            Record::Reduced { ticket, side, price, left, .. } => {
                orders.push(news(ticket, side, price, left, OrderStep::Shrank));
            }
            Record::Level { side: Side::Bid, price, qty } => bids.push(Level { price, qty }),
            Record::Level { side: Side::Ask, price, qty } => asks.push(Level { price, qty }),
            Record::Dropped { .. } => {}
        }
    }
    let depth = MarketEventKind::Delta { seq: second as u64 + 1, bids, asks };
    prints.into_iter().chain(orders).chain([depth]).map(|kind| event(second, kind)).collect()
}

/// A random market: what is told of each second, the first with a snapshot.
fn tape(seed: u64, seconds: usize) -> Vec<Vec<MarketEvent>> {
    let (mut engine, mut draws) = (Engine::new(), Stream::new(seed, "referee"));
    let mut opening = Vec::new();
    for n in 0..40 {
        let side = Side::BOTH[n % 2];
        let price = 1_000 - side.sign() * (1 + draws.below(6) as i64);
        let joining = order(side, OrderKind::PostOnly, price, 1 + draws.below(5) as i64);
        engine.submit(joining, &mut opening).expect("apart from the other side");
    }
    let mut first = tell(0, &opening);
    let [bids, asks] = Side::BOTH.map(|side| engine.levels(side).collect());
    let snapshot = MarketEventKind::Snapshot { seq: 1, bids, asks, extent: Extent::All };
    *first.last_mut().expect("the levels") = event(0, snapshot);
    let mut tape = vec![first];
    for second in 1..seconds {
        let side = Side::BOTH[draws.below(2) as usize];
        let near = engine.best(side.opposite()).map_or(1_000, |best| best.price.0);
        let (away, qty) = (1 + draws.below(6) as i64, 1 + draws.below(6) as i64);
        let mut records = Vec::new();
        let done = match draws.below(10) {
            0..=4 => {
                let joining = order(side, OrderKind::PostOnly, near - side.sign() * away, qty);
                engine.submit(joining, &mut records).map(|_| ())
            }
            5..=7 => {
                let here: Vec<Ticket> = engine.queue(Ticks(near)).map(|(ticket, _)| ticket).collect();
                let one = here.get(draws.below(8) as usize).copied();
                one.map_or(Ok(()), |ticket| engine.cancel(ticket, &mut records).map(|_| ()))
            }
            _ => engine.submit(order(side, OrderKind::Ioc, near + side.sign() * 2, qty), &mut records).map(|_| ()),
        };
        // A side may run empty; then there is nothing to take and nothing to tell.
        if done.is_ok() && !records.is_empty() {
            tape.push(tell(second, &records));
        }
    }
    tape
}

fn rules() -> Instrument {
    let one = Step::parse("1").expect("a step");
    Instrument::new(VenueId::Imported, "XY", "X", "Y", one, one).expect("an instrument")
}

fn paper(queue: QueueModel) -> Paper {
    let (latency, habits) = (LatencySpec::constant(0, 0, 0), Habits::of(VenueId::Imported));
    let spec = PaperSpec { latency, queue, fees: Schedule::flat(Rate(0), Rate(0)), habits };
    Paper::new(ONE, spec, Stream::new(1, "paper.latency"))
}

/// A paper venue with the book it looks at.
#[derive(Clone)]
struct Desk {
    paper: Paper,
    book: Book,
}

impl Desk {
    /// What is told of one moment; when our order traded in it.
    fn hear(&mut self, events: &[MarketEvent]) -> Option<LocalTime> {
        let rules = rules();
        let mut traded = None;
        for event in events {
            let now = heard_at(event);
            let Self { paper, book } = self;
            paper.observe(event, &visible(&rules, book), now);
            match &event.kind {
                MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                    self.book.apply_snapshot(*seq, bids, asks, *extent);
                }
                MarketEventKind::Delta { seq, bids, asks } => self.book.apply_delta(*seq, bids, asks),
                _ => {}
            }
            traded = traded.or(self.until(now));
        }
        traded
    }

    fn until(&mut self, now: LocalTime) -> Option<LocalTime> {
        let (rules, mut heard) = (rules(), Vec::new());
        let Self { paper, book } = self;
        paper.advance(now, &visible(&rules, book), &mut heard);
        heard.iter().find(|report| matches!(report.kind, ReportKind::Filled(_))).map(|report| report.happened)
    }
}

fn visible<'a>(rules: &'a Instrument, book: &'a Book) -> Visible<'a> {
    let top = book.best(Side::Bid).zip(book.best(Side::Ask)).map(|(bid, ask)| Top { bid, ask });
    Visible { rules, book, top, trusted: true }
}

/// The moment in which an event of our tapes happens.
fn heard_at(event: &MarketEvent) -> LocalTime {
    LocalTime(event.venue_time.expect("our tapes are stamped").0)
}

#[test]
fn an_imagined_order_trades_exactly_when_a_paper_order_does() {
    let plan = Plan { every: 40, levels: 3, longest: Nanos::from_s(100), ..Plan::default() };
    let (mut compared, mut filled, mut apart) = (0, 0, 0);
    for seed in 0..3 {
        let tape = tape(seed, 1_200);
        let mut referee = Referee::new(ONE, plan.clone());
        tape.iter().flatten().for_each(|event| referee.hear(event, heard_at(event)));
        let watched = referee.finish();
        assert_eq!((watched.unnamed, watched.lost), (0, 0));
        let worlds = [QueueModel::Fifo].into_iter().chain(MODELS.map(|model| model.1));
        for (world, model) in worlds.enumerate() {
            let mut desk = Desk { paper: paper(model), book: Book::new() };
            for (n, events) in tape.iter().enumerate() {
                desk.hear(events);
                let now = heard_at(&events[0]);
                for fate in watched.fates.iter().filter(|fate| fate.placed == now) {
                    let mut with_us = desk.clone();
                    let (id, instrument, qty) = (OrderId(1), ONE, Lots(1));
                    let Fate { side, price, .. } = *fate;
                    let place = Request::Place { id, instrument, side, price, qty, kind: OrderKind::PostOnly };
                    with_us.paper.submit(approve(place), now);
                    with_us.until(now);
                    let lived = tape[n + 1..]
                        .iter()
                        .take_while(|events| events[0].venue_time.expect("stamped").0 <= now.0 + 100_000_000_000);
                    let mut lived = lived.filter_map(|events| with_us.hear(events));
                    let expected = lived.next();
                    assert_eq!(fate.traded[world], expected, "{model:?}, seed {seed}: {fate:?}");
                    compared += 1;
                    filled += u32::from(expected.is_some());
                    apart += u32::from(expected != fate.traded[0]);
                }
            }
        }
    }
    assert!(
        filled > 500 && apart > 100,
        "{compared} compared, {filled} filled, {apart} not as in truth: proves little"
    );
}

#[test]
fn the_bounds_hold_of_every_order() {
    // Nobody trades before the optimist, the pessimist before nobody, the truth between them.
    let plan = Plan { every: 7, levels: 4, ..Plan::default() };
    let mut referee = Referee::new(ONE, plan);
    let tape = tape(9, 3_000);
    tape.iter().flatten().for_each(|event| referee.hear(event, heard_at(event)));
    let watched = referee.finish();
    let never = LocalTime(i64::MAX);
    for fate in &watched.fates {
        let [pessimist, optimist] = [1, MODELS.len()].map(|world| fate.traded[world].unwrap_or(never));
        for traded in fate.traded.map(|traded| traded.unwrap_or(never)) {
            assert!(optimist <= traded && traded <= pessimist, "{fate:?}");
        }
    }
    assert!(watched.fates.len() > 1_000, "{} orders", watched.fates.len());
}

#[test]
fn a_recording_that_names_nobody_places_nobody() {
    let mut referee = Referee::new(ONE, Plan { every: 1, ..Plan::default() });
    for event in tape(1, 100).into_iter().flatten().filter(|event| !matches!(event.kind, MarketEventKind::Order(_))) {
        referee.hear(&event, heard_at(&event));
    }
    let watched = referee.finish();
    assert!(watched.fates.is_empty() && watched.unnamed > 0, "{watched:?}");
}

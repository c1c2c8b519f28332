//! How real a market is: its tape, from a recording or from a simulation, for [`bands`] to judge.
//!
//! Two small adapters tell the same words ([`News`]): [`of_session`] from recorded market events, [`of_market`] from those of a
//! simulated world. Everything after that is the same for both, so a market that is simulated is judged by what a recording
//! is judged by.
//!
//! [`bands`]: crate::metrics::facts::bands

use std::collections::BTreeMap;

use super::rerun::{Inputs, RerunError};
use crate::engine::Input;
use crate::exchange::matching::Ticket;
use crate::journal::Reader;
use crate::market::{
    Extent, FeedEvent, FeedEventKind, InstrumentId, Level, MarketEvent, MarketEventKind, OrderNews, OrderStep,
    PrintFlags,
};
use crate::metrics::facts::tape::{Hears, Material, News, Tape};
use crate::sim::{SimSpec, World, WorldEvent, WorldEventKind};
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks};

/// What a recording tells of one instrument, from end to end.
pub fn of_session(inputs: &mut dyn Inputs, instrument: InstrumentId) -> Result<Material, RerunError> {
    Ok(told_by_session(inputs, instrument, Tape::new())?.finish())
}

/// Lets `ear` hear a recording of one instrument, from end to end.
pub fn told_by_session<E: Hears>(inputs: &mut dyn Inputs, instrument: InstrumentId, ear: E) -> Result<E, RerunError> {
    let mut recorded = Recorded { tape: ear, instrument, depth_seq: 0, top_seq: 0, has_depth: false };
    let mut input = Reader::blank();
    while inputs.next(&mut input)? {
        match &input.input {
            Input::Market(event) if event.instrument == instrument => recorded.hear(event, input.at),
            Input::Feed(event) => recorded.feed(event, input.at),
            Input::Market(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => {}
        }
    }
    Ok(recorded.tape)
}

/// A recording being listened to, on our clock; prints also carry the venue's.
struct Recorded<E> {
    tape: E,
    instrument: InstrumentId,
    depth_seq: u64,
    top_seq: u64,
    has_depth: bool,
}

impl<E: Hears> Recorded<E> {
    fn hear(&mut self, event: &MarketEvent, at: LocalTime) {
        let at = at.0;
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                if let Extent::Window(_) = extent {
                    self.tape.is_a_window();
                }
                self.tape.hear(at, News::Snapshot);
                self.levels(*seq, bids, asks, at);
            }
            MarketEventKind::Delta { seq, bids, asks } => self.levels(*seq, bids, asks, at),
            MarketEventKind::Trade { taker, price, qty, flags, .. } => {
                if flags.0 & PrintFlags::BAR.0 != 0 {
                    return self.tape.hear(at, News::Bar { price: *price, qty: *qty });
                }
                // What did not meet the book says nothing of it.
                let apart = [PrintFlags::BLOCK, PrintFlags::RPI, PrintFlags::INSURANCE, PrintFlags::AUCTION];
                if apart.iter().any(|flag| flags.0 & flag.0 != 0) {
                    return;
                }
                let taker = Some(*taker).filter(|_| flags.0 & PrintFlags::UNSIDED.0 == 0);
                let instant = event.venue_time.map_or(at, |time| time.0);
                self.tape.hear(at, News::Print { instant, taker, price: *price, qty: *qty });
            }
            MarketEventKind::Bbo { seq, bid, ask } => {
                // Ahead of the book, or there is none; what says neither cannot be put in order with it.
                if !self.has_depth || *seq > self.depth_seq {
                    self.top_seq = *seq;
                    let price = |level: &Option<Level>| level.map(|level| level.price);
                    self.tape.hear(at, News::Top { bid: price(bid), ask: price(ask) });
                }
            }
            MarketEventKind::Gap { .. } | MarketEventKind::Rules(_) => self.tape.hear(at, News::Lost),
            MarketEventKind::Order(news) => self.tape.hear(at, News::Order(*news)),
            MarketEventKind::Status(_) | MarketEventKind::Mark(_) => {}
        }
    }

    fn levels(&mut self, seq: u64, bids: &[Level], asks: &[Level], at: i64) {
        (self.has_depth, self.depth_seq) = (true, seq);
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            levels.iter().for_each(|level| self.tape.hear(at, News::Level(side, *level)));
        }
        self.tape.hear(at, News::Settled { top_is_newer: self.top_seq > seq });
    }

    /// While a connection is gone nothing is known to be true; what it said last is put right by what comes after it.
    fn feed(&mut self, event: &FeedEvent, at: LocalTime) {
        if event.instrument.is_some_and(|of| of != self.instrument) {
            return;
        }
        match &event.kind {
            FeedEventKind::Disconnected { .. }
            | FeedEventKind::Resync { .. }
            | FeedEventKind::ChecksumMismatch { .. } => {
                self.tape.hear(at.0, News::Blind);
            }
            FeedEventKind::Connected
            | FeedEventKind::Live
            | FeedEventKind::Stale { .. }
            | FeedEventKind::NoData { .. }
            | FeedEventKind::ProtocolError { .. }
            | FeedEventKind::RateLimited { .. }
            | FeedEventKind::ShutdownAnnounced
            | FeedEventKind::Refused { .. } => {}
        }
    }
}

/// What a simulated market tells in `lasting`.
///
/// * `market` — position in [`SimSpec::market`]; panics beyond its end
/// * `each_second` — is told how many simulated seconds have passed
pub fn of_market(spec: &SimSpec, seed: u64, market: u16, lasting: Nanos, each_second: impl FnMut(u64)) -> Material {
    told_by_market(spec, seed, market, lasting, Tape::new(), each_second).finish()
}

/// Lets `ear` hear a simulated market; as [`of_market`].
pub fn told_by_market<E: Hears>(
    spec: &SimSpec,
    seed: u64,
    market: u16,
    lasting: Nanos,
    ear: E,
    mut each_second: impl FnMut(u64),
) -> E {
    let mut world = World::new(seed, spec);
    world.watch_orders(true);
    let mut rests = BTreeMap::new();
    let mut tape = ear;
    tape.hear(0, News::Snapshot);
    for side in Side::BOTH {
        world.engine(market).levels(side).for_each(|level| tape.hear(0, News::Level(side, level)));
    }
    tape.hear(0, SETTLED);
    let mut events = Vec::new();
    let second = Nanos::from_s(1);
    let (mut now, mut passed) = (Nanos::ZERO, 0);
    while now < lasting {
        now = (now + second).min(lasting);
        world.advance(now, &mut events);
        simulated(&mut tape, &mut rests, market, &events);
        events.clear();
        passed += 1;
        each_second(passed);
    }
    tape
}

const SETTLED: News = News::Settled { top_is_newer: false };

/// Whole changes of one market, in order. All events of one change share its number, and only the book after all of them
/// is real. `rests` is what is left of each order that has joined since the beginning.
fn simulated(tape: &mut impl Hears, rests: &mut BTreeMap<Ticket, Lots>, market: u16, events: &[WorldEvent]) {
    let mut of_market = events.iter().filter(|event| event.symbol == market).peekable();
    while let Some(event) = of_market.next() {
        let at = event.at.0;
        match event.kind {
            WorldEventKind::Trade { maker, taker, price, qty, .. } => {
                tape.hear(at, News::Print { instant: at, taker: Some(taker), price, qty });
                if let Some(left) = rests.get_mut(&maker) {
                    *left -= qty;
                    let left = *left;
                    if left == Lots::ZERO {
                        rests.remove(&maker);
                    }
                    tape.hear(at, of_order(maker, taker.opposite(), price, left, OrderStep::Filled));
                }
            }
            WorldEventKind::Joined { order, side, price, qty } => {
                rests.insert(order, qty);
                tape.hear(at, of_order(order, side, price, qty, OrderStep::Joined));
            }
            WorldEventKind::Left { order, side, price, .. } => {
                rests.remove(&order);
                tape.hear(at, of_order(order, side, price, Lots::ZERO, OrderStep::Left));
            }
            WorldEventKind::Metaorder { id, side, executed } => tape.hear(at, News::Metaorder { id, side, executed }),
            WorldEventKind::Level { side, price, qty } => tape.hear(at, News::Level(side, Level { price, qty })),
        }
        if of_market.peek().is_none_or(|next| next.update != event.update) {
            tape.hear(at, SETTLED);
        }
    }
}

fn of_order(order: Ticket, side: Side, price: Ticks, qty: Lots, step: OrderStep) -> News {
    News::Order(OrderNews { id: order.number(), side, price, qty, step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Store;
    use crate::metrics::facts::bands::{judge, names};
    use crate::metrics::facts::tape::Told;

    #[test]
    fn a_recording_and_the_market_it_was_made_of_are_told_in_the_same_words() {
        // The golden session was recorded at the embedded exchange.
        let mut reader = Store::open(concat!(env!("CARGO_MANIFEST_DIR"), "/replay/golden"))
            .reader("demo-btcusdt")
            .expect("the golden");
        let trades = reader.manifest().counts.trades;
        let told = of_session(&mut reader, InstrumentId(0)).unwrap();
        assert_eq!(told.prints, trades);
        assert!(told.has_book && told.orders <= told.prints && told.spreads.len() > 1, "{} prints", told.prints);

        let spec = SimSpec::default();
        let mut passed = 0;
        let made = of_market(&spec, 1, 0, Nanos::from_s(90), |seconds| passed = seconds);
        assert_eq!((passed, made.mids.len(), made.volumes.len()), (90, 90, 89));
        assert!(made.mids[1..].iter().all(|mid| *mid > 500_000.0), "{:?}", &made.mids[..5]);
        // Two and a half takers a second of the crowd alone.
        assert!(made.orders > 100, "{}", made.orders);
        assert_eq!(made.told, Told::Orders);
        assert!(made.cancelled.len() > 100 && made.executed.len() > 10, "{:?}", made.ends);
        assert!(made.depths.values().sum::<u64>() + made.inside > 3_000, "{:?}", made.inside);
        let other = of_market(&spec, 1, 1, Nanos::from_s(90), |_| ());
        assert!(other.mids[1..].iter().all(|mid| *mid < 500_000.0));
        let judged = judge(&made);
        assert_eq!(judged.bands.iter().map(|band| band.name).collect::<Vec<_>>(), names());
    }

    #[test]
    fn the_same_seed_is_judged_the_same() {
        let judged = |seed| judge(&of_market(&SimSpec::default(), seed, 0, Nanos::from_s(600), |_| ()));
        let (first, again, other) = (judged(1), judged(1), judged(2));
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(first.held + first.missed + first.unmeasured, 14);
        // A short market is not guessed at.
        let short = judge(&of_market(&SimSpec::default(), 1, 0, Nanos::from_s(20), |_| ()));
        let tail = &short.bands[0];
        assert_eq!((tail.inside, tail.value), (None, None));
        assert_eq!(tail.note, "18 returns at the shortest horizon, at least 400 are needed");
    }
}

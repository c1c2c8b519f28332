//! One symbol as its subscribers see it.

use std::collections::VecDeque;

use super::frames::{self, Print, TimeUnit};
use crate::market::{Book, Extent, Instrument, Level};
use crate::sim::world::{World, WorldEvent, WorldEventKind};
use crate::units::{Side, Ticks};

/// REST `trades` reaches this far back.
const TAPE: usize = 1000;

/// The streams of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Trade,
    AggTrade,
    BookTicker,
    /// Changes; every 100 ms, or every second.
    Depth(Cadence),
    /// The best levels, this many.
    Partial(u8, Cadence),
}

/// How often a depth stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cadence {
    Fast,
    Slow,
}

impl Channel {
    /// From what follows the symbol and `@` in a stream's name.
    pub fn parse(name: &str) -> Option<Self> {
        let (what, cadence) = match name.strip_suffix("@100ms") {
            Some(what) => (what, Cadence::Fast),
            None => (name.strip_suffix("@1000ms").unwrap_or(name), Cadence::Slow),
        };
        match (name, what) {
            ("trade", _) => Some(Channel::Trade),
            ("aggTrade", _) => Some(Channel::AggTrade),
            ("bookTicker", _) => Some(Channel::BookTicker),
            (_, "depth") => Some(Channel::Depth(cadence)),
            (_, "depth5") => Some(Channel::Partial(5, cadence)),
            (_, "depth10") => Some(Channel::Partial(10, cadence)),
            (_, "depth20") => Some(Channel::Partial(20, cadence)),
            (_, _) => None,
        }
    }
}

/// What a diff stream has not said yet.
#[derive(Clone, Debug, Default)]
struct Unsaid {
    said: u64,
    changed: [Vec<Ticks>; 2],
}

/// The venue's view of one symbol.
pub(super) struct Desk {
    pub rules: Instrument,
    /// Lower case, as stream names have it.
    pub symbol: String,
    pub book: Book,
    pub tape: VecDeque<Print>,
    top: Option<(Level, Level)>,
    fast: Unsaid,
    slow: Unsaid,
    aggregates: u64,
}

/// Where a desk's frames go: the channel, and how to write the frame if somebody wants it.
pub(super) trait Audience {
    fn hear(&mut self, channel: Channel, write: &dyn Fn(TimeUnit) -> String);
}

impl Desk {
    pub fn new(rules: Instrument, symbol: u16, world: &World) -> Self {
        let side = |side| world.engine(symbol).levels(side).collect::<Vec<_>>();
        let mut book = Book::new();
        let update = world.update(symbol);
        book.apply_snapshot(update, &side(Side::Bid), &side(Side::Ask), Extent::All);
        let unsaid = Unsaid { said: update, ..Unsaid::default() };
        Self {
            symbol: rules.symbol.to_lowercase(),
            rules,
            book,
            tape: VecDeque::with_capacity(TAPE),
            top: None,
            fast: unsaid.clone(),
            slow: unsaid,
            aggregates: 3_000_000_000,
        }
    }

    /// Takes in one change of the book, whole, and says what streams in real time. Times are the venue's, ns.
    pub fn take_in(&mut self, change: &[WorldEvent], anchor_ns: i64, audience: &mut dyn Audience) {
        let mut aggregate: Option<(Print, u64)> = None;
        let (mut bids, mut asks) = (arrayvec::ArrayVec::<Level, 64>::new(), arrayvec::ArrayVec::<Level, 64>::new());
        for event in change {
            match event.kind {
                WorldEventKind::Trade { id, taker, price, qty, order: _, maker: _ } => {
                    let print = Print { id, at_ns: anchor_ns + event.at.0, taker, price, qty };
                    if self.tape.len() == TAPE {
                        self.tape.pop_front();
                    }
                    self.tape.push_back(print);
                    audience.hear(Channel::Trade, &|unit| frames::trade(&self.rules, &print, unit));
                    // One change is one taker, so equal prices are one aggregate.
                    match &mut aggregate {
                        Some((first, last)) if first.price == price => {
                            first.qty += qty;
                            *last = id;
                        }
                        Some(_) | None => {
                            if let Some(done) = aggregate.replace((print, id)) {
                                self.say_aggregate(done, audience);
                            }
                        }
                    }
                }
                WorldEventKind::Level { side, price, qty } => {
                    let levels = match side {
                        Side::Bid => &mut bids,
                        Side::Ask => &mut asks,
                    };
                    if levels.is_full() {
                        self.book.apply_delta(event.update, levels, &[]);
                        levels.clear();
                    }
                    levels.push(Level { price, qty });
                    for unsaid in [&mut self.fast, &mut self.slow] {
                        unsaid.changed[side as usize].push(price);
                    }
                }
                // Nobody watches single orders here.
                WorldEventKind::Joined { .. } | WorldEventKind::Left { .. } | WorldEventKind::Metaorder { .. } => {}
            }
        }
        if let Some(done) = aggregate {
            self.say_aggregate(done, audience);
        }
        self.book.apply_delta(change[0].update, &bids, &asks);
        self.say_top(audience);
    }

    fn say_aggregate(&mut self, (first, last): (Print, u64), audience: &mut dyn Audience) {
        self.aggregates += 1;
        let id = self.aggregates;
        audience.hear(Channel::AggTrade, &|unit| frames::agg_trade(&self.rules, id, &first, last, unit));
    }

    fn say_top(&mut self, audience: &mut dyn Audience) {
        let (Some(bid), Some(ask)) = (self.book.best(Side::Bid), self.book.best(Side::Ask)) else { return };
        if self.top.replace((bid, ask)) != Some((bid, ask)) {
            let update = self.book.seq();
            audience.hear(Channel::BookTicker, &|_| frames::book_ticker(&self.rules, update, bid, ask));
        }
    }

    /// A depth stream's time has come.
    pub fn flush(&mut self, cadence: Cadence, at_ns: i64, audience: &mut dyn Audience) {
        let unsaid = match cadence {
            Cadence::Fast => &mut self.fast,
            Cadence::Slow => &mut self.slow,
        };
        let (first, last) = (unsaid.said + 1, self.book.seq());
        if last < first {
            return;
        }
        let [bids, asks] = &mut unsaid.changed;
        bids.sort_unstable_by(|a, b| b.cmp(a));
        asks.sort_unstable();
        bids.dedup();
        asks.dedup();
        let (rules, book, changed) = (&self.rules, &self.book, &unsaid.changed);
        audience.hear(Channel::Depth(cadence), &|unit| {
            frames::depth_update(rules, book, changed, (first, last), at_ns, unit)
        });
        for n in [5u8, 10, 20] {
            audience.hear(Channel::Partial(n, cadence), &|_| frames::depth(rules, book, usize::from(n)));
        }
        unsaid.changed.iter_mut().for_each(Vec::clear);
        unsaid.said = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Lots;

    /// Keeps what was said on every channel.
    #[derive(Default)]
    struct Ear(Vec<(Channel, String)>);

    impl Audience for Ear {
        fn hear(&mut self, channel: Channel, write: &dyn Fn(TimeUnit) -> String) {
            self.0.push((channel, write(TimeUnit::Millis)));
        }
    }

    #[test]
    fn a_sweep_is_one_aggregate_per_price_and_one_ticker_after_it() {
        let spec = crate::sim::SimSpec::default();
        let world = World::new(1, &spec);
        let mut desk = Desk::new(spec.market[0].rules().unwrap(), 0, &world);
        let asks: Vec<Level> = world.engine(0).levels(Side::Ask).take(2).collect();
        let update = world.update(0) + 1;
        let order = world.engine(0).queue(asks[0].price).next().unwrap().0;
        let event = |kind| WorldEvent { at: crate::units::Nanos(5), symbol: 0, update, kind };
        let trade = |id, price, qty| {
            event(WorldEventKind::Trade { id, order, maker: order, taker: Side::Bid, price, qty: Lots(qty) })
        };
        let level = |price| event(WorldEventKind::Level { side: Side::Ask, price, qty: Lots(0) });
        // Two prints at the first price, one at the second; both levels are gone.
        let sweep = [
            trade(1, asks[0].price, 2),
            trade(2, asks[0].price, 3),
            trade(3, asks[1].price, 4),
            level(asks[0].price),
            level(asks[1].price),
        ];
        let mut ear = Ear::default();
        desk.take_in(&sweep, 1_000_000_000, &mut ear);
        let said: Vec<Channel> = ear.0.iter().map(|(c, _)| *c).collect();
        let (t, a) = (Channel::Trade, Channel::AggTrade);
        assert_eq!(said, [t, t, t, a, a, Channel::BookTicker]);
        assert!(ear.0[3].1.contains(r#""q":"0.00005000","f":1,"l":2"#), "{}", ear.0[3].1);
        assert!(ear.0[4].1.contains(r#""f":3,"l":3"#));
        assert!(ear.0[5].1.starts_with(&format!(r#"{{"u":{update},"#)));
        desk.flush(Cadence::Fast, 0, &mut ear);
        let ids = format!(r#""U":{update},"u":{update}"#);
        assert!(ear.0[6].1.contains(&ids), "{}", ear.0[6].1);
    }

    #[test]
    fn stream_names_are_the_venues() {
        assert_eq!(Channel::parse("depth@100ms"), Some(Channel::Depth(Cadence::Fast)));
        assert_eq!(Channel::parse("depth"), Some(Channel::Depth(Cadence::Slow)));
        assert_eq!(Channel::parse("depth20@100ms"), Some(Channel::Partial(20, Cadence::Fast)));
        assert_eq!(Channel::parse("trade@100ms"), None);
        assert_eq!(Channel::parse("kline_1m"), None);
    }
}

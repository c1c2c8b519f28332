//! What a simulated market tells the public, as Binance spot does: prints and the best prices at once, changes of the book
//! ten times a second.
//!
//! Everything is heard one feed latency after it happened, in the order it happened. Our own orders are in it like anybody
//! else's. On a bad [`Line`] words get lost: a print or a best price is never heard of, a change of the book is missed when
//! the next one comes, and the book is fetched anew.

use std::collections::VecDeque;

use super::line::{Bad, Line};
use crate::market::{Book, Extent, InstrumentId, Level, MarketEvent, MarketEventKind, PrintFlags};
use crate::sim::{World, WorldEvent, WorldEventKind};
use crate::units::{LocalTime, Nanos, Side, Ticks, VenueTime};

/// Between two words on the depth of the book.
pub const DEPTH_EVERY: Nanos = Nanos::from_ms(100);

/// From a change that was missed to the book that was asked for.
const FETCH: Nanos = Nanos::from_ms(300);

/// Whether the changes we hear make up the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tale {
    Whole,
    /// A change after this update was lost, and nobody knows yet.
    Torn(u64),
    /// The whole book will be told then.
    Fetching(Nanos),
}

/// The voice of one market.
#[derive(Clone, Debug)]
pub(super) struct Crier {
    instrument: InstrumentId,
    latency: Nanos,
    /// The book after the last change that was taken in.
    book: Book,
    top: Option<(Level, Level)>,
    changed: [Vec<Ticks>; 2],
    next_depth: Nanos,
    /// On its way to us.
    said: VecDeque<(LocalTime, MarketEvent)>,
    begins: LocalTime,
    bad: Option<Bad>,
    tale: Tale,
    /// Update of the last change that was told.
    told: u64,
}

impl Crier {
    /// Begins with the whole book of a market as it is.
    ///
    /// * `begins` — what our clock shows at the world's zero
    pub fn new(instrument: InstrumentId, symbol: u16, world: &World, latency: Nanos, begins: LocalTime) -> Self {
        let side = |side| world.engine(symbol).levels(side).collect::<Vec<Level>>();
        let (bids, asks, seq) = (side(Side::Bid), side(Side::Ask), world.update(symbol));
        let mut book = Book::new();
        book.apply_snapshot(seq, &bids, &asks, Extent::All);
        let top = book.best(Side::Bid).zip(book.best(Side::Ask));
        let next_depth = world.now() + DEPTH_EVERY;
        let mut crier = Self {
            instrument,
            latency,
            book,
            top,
            changed: [Vec::new(), Vec::new()],
            next_depth,
            said: VecDeque::new(),
            begins,
            bad: None,
            tale: Tale::Whole,
            told: seq,
        };
        crier.say(world.now(), MarketEventKind::Snapshot { seq, bids, asks, extent: Extent::All });
        crier
    }

    /// From now on it is heard through this line.
    pub fn through(&mut self, line: Line) {
        self.bad = Bad::new(line, self.instrument.index(), self.begins);
    }

    /// Takes in one change of the book, whole.
    pub fn take_in(&mut self, change: &[WorldEvent]) {
        let (at, seq) = (change[0].at, change[0].update);
        self.pass(at - Nanos(1));
        for event in change {
            match event.kind {
                WorldEventKind::Trade { id, taker, price, qty, order: _, maker: _ } => {
                    self.say(at, MarketEventKind::Trade { id, taker, price, qty, flags: PrintFlags::NONE });
                }
                WorldEventKind::Level { side, price, qty } => {
                    self.book.set(side, price, qty);
                    self.changed[side as usize].push(price);
                }
                // Nobody is told of single orders, or of whole ones.
                WorldEventKind::Joined { .. } | WorldEventKind::Left { .. } | WorldEventKind::Metaorder { .. } => {}
            }
        }
        self.book.apply_delta(seq, &[], &[]);
        let top = self.book.best(Side::Bid).zip(self.book.best(Side::Ask));
        if let Some((bid, ask)) = top.filter(|_| top != self.top) {
            self.say(at, MarketEventKind::Bbo { seq, bid: Some(bid), ask: Some(ask) });
        }
        self.top = top;
    }

    /// Nothing more changed until `to`, inclusive.
    pub fn pass(&mut self, to: Nanos) {
        while self.next_depth <= to {
            if self.changed.iter().all(Vec::is_empty) {
                // Nothing to tell until then, or until the book that was asked for is there.
                let next = if let Tale::Fetching(then) = self.tale { then.min(to + Nanos(1)) } else { to + Nanos(1) };
                let missed = ((next - self.next_depth).0.max(0) as u64).div_ceil(DEPTH_EVERY.0 as u64) as i64;
                self.next_depth = Nanos(self.next_depth.0 + missed * DEPTH_EVERY.0);
                if self.next_depth > to {
                    return;
                }
            }
            let levels = |book: &Book, side: Side, prices: &mut Vec<Ticks>| {
                prices.sort_unstable_by_key(|price| -side.sign() * price.0);
                prices.dedup();
                prices.drain(..).map(|price| Level { price, qty: book.qty_at(side, price) }).collect::<Vec<_>>()
            };
            let [bids, asks] = &mut self.changed;
            let (bids, asks) = (levels(&self.book, Side::Bid, bids), levels(&self.book, Side::Ask, asks));
            self.change(self.book.seq(), bids, asks);
            self.next_depth += DEPTH_EVERY;
        }
    }

    /// A change of the book up to `seq`: told, lost, or the first that comes after a lost one.
    fn change(&mut self, seq: u64, bids: Vec<Level>, asks: Vec<Level>) {
        let at = self.next_depth;
        let is_lost = self.bad.as_mut().is_some_and(Bad::loses);
        match self.tale {
            Tale::Whole if is_lost => self.tale = Tale::Torn(self.told),
            Tale::Whole => self.say_surely(at, MarketEventKind::Delta { seq, bids, asks }),
            Tale::Torn(_) if is_lost => {}
            Tale::Torn(told) => {
                self.say_surely(at, MarketEventKind::Gap { expected: told + 1, found: seq });
                self.tale = Tale::Fetching(at + FETCH);
            }
            Tale::Fetching(then) if at < then => {}
            Tale::Fetching(_) => {
                let side = |side| self.book.levels(side).collect::<Vec<Level>>();
                let (bids, asks) = (side(Side::Bid), side(Side::Ask));
                self.say_surely(at, MarketEventKind::Snapshot { seq, bids, asks, extent: Extent::All });
                self.tale = Tale::Whole;
            }
        }
        self.told = seq;
    }

    /// A word that may be lost.
    fn say(&mut self, at: Nanos, kind: MarketEventKind) {
        if !self.bad.as_mut().is_some_and(Bad::loses) {
            self.say_surely(at, kind);
        }
    }

    fn say_surely(&mut self, at: Nanos, kind: MarketEventKind) {
        let happened = self.begins + at;
        let venue_time = Some(VenueTime(happened.0));
        let heard = happened + self.latency;
        let heard = self.bad.as_mut().map_or(heard, |bad| bad.heard(heard));
        self.said.push_back((heard, MarketEvent { instrument: self.instrument, venue_time, kind }));
    }

    /// When the next word is heard, as far as it is said.
    pub fn next_at(&self) -> Option<LocalTime> {
        self.said.front().map(|(at, _)| *at)
    }

    /// The next word.
    pub fn next(&mut self) -> Option<(LocalTime, MarketEvent)> {
        self.said.pop_front()
    }

    /// Twice the mid after the last change, ticks: the public's, who see our orders too.
    pub fn twice_mid(&self) -> Option<i64> {
        self.top.map(|(bid, ask)| bid.price.0 + ask.price.0)
    }
}

//! One instrument's market as the recording tells it, kept beside a shocked session: what a snapshot would show.

use std::collections::BTreeMap;

use crate::market::{Book, Extent, FeedEvent, FeedEventKind, Instrument, Level, MarketEvent, MarketEventKind, VenueId};
use crate::units::{Lots, Side, VenueTime};

/// Book, best bid and offer, and the state of the connections.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Rules in force.
    pub rules: Instrument,
    /// Connections that said something, by number: their generation, and whether they are silent.
    pub connections: BTreeMap<u16, Connection>,
    /// Whether the recording tells order by order.
    pub tells_orders: bool,
    book: Book,
    is_known: bool,
    bbo: Option<(u64, Option<Level>, Option<Level>)>,
    stamp: Option<VenueTime>,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection {
    /// Counts its sockets.
    pub generation: u32,
    /// A channel of it was said to be silent, and not yet to be live again.
    pub is_silent: bool,
}

impl Mirror {
    /// Before the first news.
    pub fn new(rules: Instrument) -> Self {
        Self {
            rules,
            connections: BTreeMap::new(),
            tells_orders: false,
            book: Book::new(),
            is_known: false,
            bbo: None,
            stamp: None,
        }
    }

    /// Its venue.
    pub fn venue(&self) -> VenueId {
        self.rules.venue
    }

    /// News of this instrument's market.
    pub fn hear(&mut self, event: &MarketEvent) {
        self.stamp = event.venue_time.or(self.stamp);
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.book.apply_snapshot(*seq, bids, asks, *extent);
                self.is_known = true;
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                if self.is_known {
                    self.book.apply_delta(*seq, bids, asks);
                }
            }
            MarketEventKind::Bbo { seq, bid, ask } => self.bbo = Some((*seq, *bid, *ask)),
            MarketEventKind::Gap { .. } => self.forget(),
            MarketEventKind::Rules(rules) => {
                if (rules.tick, rules.lot) != (self.rules.tick, self.rules.lot) {
                    self.forget();
                }
                self.rules = (**rules).clone();
            }
            MarketEventKind::Order(_) => self.tells_orders = true,
            MarketEventKind::Trade { .. } | MarketEventKind::Status(_) | MarketEventKind::Mark(_) => {}
        }
    }

    /// News of a connection that concerns this instrument.
    pub fn hear_feed(&mut self, event: &FeedEvent) {
        let connection = self.connections.entry(event.connection).or_default();
        connection.generation = event.generation;
        match &event.kind {
            FeedEventKind::Disconnected { .. }
            | FeedEventKind::Refused { .. }
            | FeedEventKind::Resync { .. }
            | FeedEventKind::ChecksumMismatch { .. } => self.forget(),
            FeedEventKind::Stale { channel, .. } if channel == "trade" => {}
            FeedEventKind::Stale { .. } | FeedEventKind::NoData { .. } => connection.is_silent = true,
            FeedEventKind::Live => connection.is_silent = false,
            FeedEventKind::Connected
            | FeedEventKind::ProtocolError { .. }
            | FeedEventKind::RateLimited { .. }
            | FeedEventKind::ShutdownAnnounced => {}
        }
    }

    fn forget(&mut self) {
        self.book.clear();
        self.is_known = false;
        self.bbo = None;
    }

    /// When the venue last stamped something.
    pub fn stamp(&self) -> Option<VenueTime> {
        self.stamp
    }

    /// What the venue would answer who asks for its book anew; nothing while the recording does not know it either. Levels
    /// beyond what the recording had seen to the end of are left out.
    pub fn anew(&self) -> Vec<MarketEventKind> {
        if !self.is_known {
            return Vec::new();
        }
        let horizons = Side::BOTH.map(|side| self.book.horizon(side));
        let extent = match (self.book.window(), horizons) {
            (Some(levels), _) => Extent::Window(levels),
            (None, [None, None]) => Extent::All,
            (None, _) => Extent::ToLast,
        };
        let levels = |side: Side| -> Vec<Level> {
            let is_seen = |level: &Level| {
                extent != Extent::ToLast || horizons[side as usize].is_none_or(|end| !side.is_better(end, level.price))
            };
            let mut seen: Vec<Level> = self.book.levels(side).take_while(is_seen).collect();
            // A side is known to the last level given, also where nothing rests there.
            let end = horizons[side as usize]
                .filter(|end| extent == Extent::ToLast && seen.last().map(|l| l.price) != Some(*end));
            seen.extend(end.map(|price| Level { price, qty: Lots::ZERO }));
            seen
        };
        let seq = self.book.seq();
        let book = MarketEventKind::Snapshot { seq, bids: levels(Side::Bid), asks: levels(Side::Ask), extent };
        let best = self.bbo.map(|(seq, bid, ask)| MarketEventKind::Bbo { seq, bid, ask });
        // In whose place in line nobody can be believed any more.
        let gap = self.tells_orders.then_some(MarketEventKind::Gap { expected: seq, found: seq });
        gap.into_iter().chain([book]).chain(best).collect()
    }
}

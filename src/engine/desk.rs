//! One instrument inside a session: its book, how far it can be trusted, and what we have at stake in it.
//!
//! Trust is lost in many ways and won back in one: a snapshot. [`Desk::state`] names the first reason not to trade,
//! in order of severity; only [`BookState::Live`] lets a strategy see a view.

use serde::{Deserialize, Serialize};

use super::output::{BookState, EquityMark};
use super::spec::DeskSpec;
use crate::exchange::Visible;
use crate::exchange::paper::Paper;
use crate::market::{Book, FeedEventKind, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind};
use crate::order::{Order, OrderState};
use crate::portfolio::Ledger;
use crate::risk::RefusalCode;
use crate::rng::Stream;
use crate::signal::{Signals, Top};
use crate::strategy::{Wanted, Why};
use crate::units::{LocalTime, Lots, Nanos, Side};

/// Everything of one instrument. Fields are the engine's own business.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Desk {
    pub id: InstrumentId,
    pub spec: DeskSpec,
    /// In force now; starts as the spec's. Position and limits are in its lots.
    pub rules: Instrument,
    /// The venue trades in lots that cannot hold our position: it is kept as it is, and nothing is traded.
    stranded: bool,
    pub book: Book,
    bbo: Option<Bbo>,
    /// Whether the best bid and offer channel is ahead of the book.
    bbo_leads: bool,
    /// Why the book is out of step, until a snapshot.
    distrust: Option<BookState>,
    /// A channel is silent, says the feed.
    feed_stale: bool,
    /// Nothing at all for longer than the limit, says our clock.
    aged: bool,
    pub state: BookState,
    /// Best bid and ask, whenever both are known and apart.
    pub top: Option<Top>,
    pub signals: Signals,
    pub ledger: Ledger,
    pub venue: Paper,
    /// Those that may still trade.
    pub orders: Vec<Order>,
    pub last_news: LocalTime,
    /// Not before then.
    pub decide_at: LocalTime,
    /// News since the last decision.
    pub fresh: bool,
    /// What was last said to be wanted.
    pub wanted: Option<Wanted>,
    pub why: Why,
    /// Last refusal per side, so that a standing one is said once.
    pub refused: [Option<RefusalCode>; 2],
}

/// The best bid and offer channel's last word.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bbo {
    seq: u64,
    bid: Option<Level>,
    ask: Option<Level>,
}

impl Desk {
    pub fn new(id: InstrumentId, spec: DeskSpec, seed: u64) -> Self {
        let latency = Stream::new(seed, &format!("paper.latency.{}", spec.rules.label()));
        Self {
            id,
            rules: spec.rules.clone(),
            stranded: false,
            book: Book::new(),
            bbo: None,
            bbo_leads: false,
            distrust: Some(BookState::Empty),
            feed_stale: false,
            aged: false,
            state: BookState::Empty,
            top: None,
            signals: Signals::new(spec.signals.clone()),
            ledger: Ledger::default(),
            venue: Paper::new(id, spec.paper.clone(), latency),
            orders: Vec::new(),
            last_news: LocalTime::default(),
            decide_at: LocalTime::default(),
            fresh: false,
            wanted: None,
            why: Why::default(),
            refused: [None; 2],
            spec,
        }
    }

    /// The market's news, received at `now`: book, then beliefs, then marks. The venue has seen it already.
    pub fn apply(&mut self, event: &MarketEvent, now: LocalTime) {
        self.last_news = now;
        self.aged = false;
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.book.apply_snapshot(*seq, bids, asks, *extent);
                self.distrust = None;
                self.feed_stale = false;
                self.bbo_leads = self.bbo.is_some_and(|b| b.seq > *seq);
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                // A change to an unknown book says nothing.
                if self.distrust.is_some() {
                    return;
                }
                self.book.apply_delta(*seq, bids, asks);
                self.bbo_leads = self.bbo.is_some_and(|b| b.seq > *seq);
            }
            MarketEventKind::Bbo { seq, bid, ask } => {
                self.bbo = Some(Bbo { seq: *seq, bid: *bid, ask: *ask });
                self.bbo_leads = *seq == 0 || *seq > self.book.seq();
            }
            MarketEventKind::Trade { taker, price, qty, flags, .. } => {
                if let (BookState::Live, Some(top), true) = (self.state, self.top, flags.took_from_the_book()) {
                    self.signals.on_trade(*taker, *price, *qty, &top, now);
                }
                return;
            }
            MarketEventKind::Gap { .. } => self.distrust_book(BookState::Gap),
            MarketEventKind::Rules(rules) => self.change_rules(rules),
            MarketEventKind::Status(status) => self.rules.status = *status,
            MarketEventKind::Mark(_) => return,
        }
        // Prices in ticks that are not ours mean nothing.
        self.top = if self.stranded { None } else { self.see_top() };
        self.fresh = true;
    }

    /// News of the connection.
    pub fn apply_feed(&mut self, kind: &FeedEventKind) {
        match kind {
            FeedEventKind::Disconnected { .. } | FeedEventKind::Refused { .. } => {
                self.distrust_book(BookState::Disconnected);
            }
            FeedEventKind::Resync { .. } | FeedEventKind::ChecksumMismatch { .. } => self.distrust_book(BookState::Gap),
            FeedEventKind::Stale { .. } | FeedEventKind::NoData { .. } => self.feed_stale = true,
            FeedEventKind::Live => self.feed_stale = false,
            FeedEventKind::Connected
            | FeedEventKind::ProtocolError { .. }
            | FeedEventKind::RateLimited { .. }
            | FeedEventKind::ShutdownAnnounced => {}
        }
    }

    fn distrust_book(&mut self, why: BookState) {
        // A connection lost stays the reason until the book is back, whatever else is wrong with it.
        if self.distrust != Some(BookState::Disconnected) {
            self.distrust = Some(why);
        }
        self.book.clear();
        self.bbo = None;
        self.bbo_leads = false;
        self.top = None;
    }

    /// New rules. Prices and quantities in old steps mean nothing in new ones: the book waits for a snapshot, the
    /// estimates start over, and a position moves to the finer lot. A coarser lot could not hold it: it stays in the
    /// old one, and nothing is traded until the venue's lot can hold it again.
    fn change_rules(&mut self, rules: &Instrument) {
        if (rules.tick, rules.lot) != (self.rules.tick, self.rules.lot) {
            self.distrust_book(BookState::Gap);
            self.signals = Signals::new(self.spec.signals.clone());
        }
        self.stranded = !self.recounts(rules);
        if self.stranded {
            return;
        }
        if let Some(ratio) = self.lot_ratio(rules) {
            self.ledger.split_lots(ratio);
        }
        self.rules = rules.clone();
    }

    /// Whether our position can be counted in these rules' lots.
    pub fn recounts(&self, rules: &Instrument) -> bool {
        self.ledger.position() == Lots::ZERO || self.lot_ratio(rules).is_some()
    }

    /// How many new lots make one old lot, if whole.
    pub fn lot_ratio(&self, rules: &Instrument) -> Option<i64> {
        rules.lot.count(self.rules.lot.size()).ok().filter(|ratio| *ratio > 0)
    }

    fn see_top(&self) -> Option<Top> {
        let (bid, ask) = match self.bbo {
            Some(bbo) if self.bbo_leads => (bbo.bid?, bbo.ask?),
            _ => (self.book.best(Side::Bid)?, self.book.best(Side::Ask)?),
        };
        (bid.price < ask.price).then_some(Top { bid, ask })
    }

    /// Lets time pass; true if the instrument has just been silent for too long.
    pub fn age(&mut self, now: LocalTime, stale_book_ms: u32) {
        self.aged = now.since(self.last_news) > Nanos::from_ms(i64::from(stale_book_ms));
    }

    /// The first reason not to trade, or `Live`.
    pub fn judge(&self) -> BookState {
        if let Some(why) = self.distrust {
            return why;
        }
        if self.stranded || !self.rules.status.may_quote() {
            return BookState::NotTrading;
        }
        if self.feed_stale || self.aged {
            return BookState::Stale;
        }
        if self.book.is_crossed() {
            return BookState::Crossed;
        }
        let beyond = |side| self.book.best_is_beyond_horizon(side);
        if self.top.is_none() || beyond(Side::Bid) || beyond(Side::Ask) {
            return BookState::OutOfRange;
        }
        BookState::Live
    }

    /// What the paper venue may see: the state before the event at hand.
    pub fn venue_and_market(&mut self) -> (&mut Paper, Visible<'_>) {
        let visible = Visible { rules: &self.rules, book: &self.book, top: self.top, trusted: self.distrust.is_none() };
        (&mut self.venue, visible)
    }

    /// Lots that may still trade on a side.
    pub fn resting(&self, side: Side) -> Lots {
        self.orders.iter().filter(|o| o.side == side).map(|o| o.remaining).sum()
    }

    /// Orders of these sides (bid, ask) that may rest and are not leaving yet.
    pub fn to_pull(&self, sides: [bool; 2]) -> impl Iterator<Item = &Order> {
        self.orders
            .iter()
            .filter(|o| o.kind.may_rest() && matches!(o.state, OrderState::Pending | OrderState::Working))
            .filter(move |o| sides[o.side as usize])
    }

    /// Whether the position is too small for the venue to take.
    pub fn is_flat_or_dust(&self, top: Option<Top>) -> bool {
        let held = self.ledger.position().abs();
        let worth = top.map(|t| self.rules.notional(t.bid.price, held));
        held < self.rules.min_qty || worth.is_some_and(|w| w < self.rules.min_notional)
    }

    pub fn equity_mark(&self) -> EquityMark {
        let ledger = &self.ledger;
        EquityMark {
            instrument: self.id,
            position: ledger.position(),
            twice_mid: self.top.map_or(0, |t| t.twice_mid()),
            cash: ledger.cash(),
            realised: ledger.realised(),
            unrealised: ledger.unrealised(),
            fees: ledger.fees(),
            funding: ledger.funding(),
            spread: ledger.spread(),
            inventory: ledger.inventory(),
            drawdown: ledger.drawdown(),
        }
    }
}

//! One instrument inside a session: its book, how far it can be trusted, and what we have at stake in it.
//!
//! Trust in the book is lost in many ways and won back in one: a snapshot. A connection that has gone silent is stale
//! until it is live again, whatever the others bring. [`Desk::state`] names the first reason not to trade,
//! in order of severity; only [`BookState::Live`] lets a strategy see a view.

use serde::{Deserialize, Serialize};

use super::funding::{Meter, Payment};
use super::orders::Orders;
use super::output::{BookState, EquityMark, FundingPayment, Output};
use super::spec::DeskSpec;
use crate::exchange::Visible;
use crate::exchange::place::Place;
use crate::market::{
    Book, FeedEvent, FeedEventKind, Instrument, InstrumentId, Kind, Level, Mark, MarketEvent, MarketEventKind,
};
use crate::order::{Order, OrderState, Request};
use crate::portfolio::Ledger;
use crate::risk::{Elsewhere, Exposure, RefusalCode};
use crate::rng::Stream;
use crate::signal::{Signals, Top};
use crate::strategy::{Wanted, Why};
use crate::units::{LocalTime, Lots, Money, Nanos, Side, Ticks, VenueTime};

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
    /// Connections on which a channel is silent, says the feed: an instrument's book and trades may come on two.
    silent: Vec<u16>,
    /// Nothing at all for longer than the limit, says our clock.
    aged: bool,
    pub state: BookState,
    /// Best bid and ask, whenever both are known and apart.
    pub top: Option<Top>,
    /// Of an inverse contract: the last mid there was, quote currency.
    last_mid: Option<Money>,
    pub signals: Signals,
    pub ledger: Ledger,
    meter: Meter,
    /// What has accrued since it was last said, with the rate and price of the last of it.
    accrued: Option<FundingPayment>,
    pub venue: Place,
    /// Twice the last mid there was: what is at stake is valued at it while the book is lost.
    pub last_twice_mid: Option<i64>,
    /// Those that may still trade.
    pub orders: Orders,
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
            silent: Vec::new(),
            aged: false,
            state: BookState::Empty,
            top: None,
            last_mid: None,
            signals: Signals::new(spec.signals.clone()),
            ledger: Ledger::default(),
            meter: Meter::default(),
            accrued: None,
            venue: Place::new(spec.answers, id, spec.paper.clone(), latency),
            last_twice_mid: None,
            orders: Orders::default(),
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
        // A mark says nothing of the book: it must not make one look fresh that has gone silent. What a single order
        // does to its level is told by the delta that follows.
        if matches!(event.kind, MarketEventKind::Mark(_) | MarketEventKind::Order(_)) {
            return;
        }
        self.last_news = now;
        self.aged = false;
        match &event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.book.apply_snapshot(*seq, bids, asks, *extent);
                self.distrust = None;
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
            MarketEventKind::Mark(_) | MarketEventKind::Order(_) => return,
        }
        // Prices in ticks that are not ours mean nothing.
        self.top = if self.stranded { None } else { self.see_top() };
        self.last_twice_mid = self.top.map(|top| top.twice_mid()).or(self.last_twice_mid);
        self.fresh = true;
    }

    /// What the venue says of its contract. Posts the funding that this shows to have been paid, and says it, unless it
    /// accrues: that is said with the next equity mark.
    pub fn hear_mark(&mut self, mark: &Mark, now: Option<VenueTime>) -> [Option<Output>; 2] {
        let (instrument, position) = (self.id, self.ledger.position());
        let passed = self.meter.hear(mark, now, &self.rules, position);
        if position == Lots::ZERO {
            return [None, None];
        }
        let paid = passed.payment.and_then(|Payment { amount, rate, price, due }| {
            self.ledger.fund(amount);
            let payment = FundingPayment { instrument, position, amount, rate, price, due };
            if due.is_some() {
                return Some(Output::Funding(payment));
            }
            let before = self.accrued.map_or(Money::ZERO, |accrued| accrued.amount);
            self.accrued = Some(FundingPayment { amount: before + amount, ..payment });
            None
        });
        let payments = passed.unknown;
        let unknown = (payments > 0).then_some(Output::FundingUnknown { instrument, position, payments });
        [paid, unknown]
    }

    /// What has accrued since this was last asked.
    pub fn accrued_funding(&mut self) -> Option<FundingPayment> {
        self.accrued.take()
    }

    /// News of the connection.
    pub fn apply_feed(&mut self, event: &FeedEvent) {
        match &event.kind {
            FeedEventKind::Disconnected { .. } | FeedEventKind::Refused { .. } => {
                self.distrust_book(BookState::Disconnected);
            }
            FeedEventKind::Resync { .. } | FeedEventKind::ChecksumMismatch { .. } => self.distrust_book(BookState::Gap),
            // A market in which nobody trades is no fault of the connection's: said, and that is all.
            FeedEventKind::Stale { channel, .. } if channel == "trade" => {}
            FeedEventKind::Stale { .. } | FeedEventKind::NoData { .. } => {
                if !self.silent.contains(&event.connection) {
                    self.silent.push(event.connection);
                }
            }
            FeedEventKind::Live => self.silent.retain(|connection| *connection != event.connection),
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
        if rules.tick != self.rules.tick {
            self.last_twice_mid = self.last_twice_mid.map(|mid| rules.tick.count_floor(self.rules.tick.value(mid)));
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
        if !self.silent.is_empty() || self.aged {
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
    pub fn venue_and_market(&mut self) -> (&mut Place, Visible<'_>) {
        let visible = Visible { rules: &self.rules, book: &self.book, top: self.top, trusted: self.distrust.is_none() };
        self.venue.holds(self.ledger.position());
        (&mut self.venue, visible)
    }

    /// What the gate is told of a request while these orders may still trade.
    ///
    /// * `beside` — what is at stake elsewhere, and whether our best prices are asked for
    #[inline]
    pub fn exposure<'a>(
        &'a self,
        now: LocalTime,
        orders: &Orders,
        request: &Request,
        (elsewhere, asks_best): (Elsewhere<'a>, bool),
    ) -> Exposure<'a> {
        let replaced = match request {
            Request::Replace { old, .. } => orders.iter().find(|o| o.id == *old),
            Request::Place { .. } | Request::Cancel { .. } => None,
        };
        let side = match request {
            Request::Place { side, .. } => Some(*side),
            Request::Replace { .. } => replaced.map(|o| o.side),
            Request::Cancel { .. } => None,
        };
        let mut own_best = [None; 2];
        if let (Some(side), true) = (side, asks_best) {
            own_best[side.opposite() as usize] = best_of(orders, side.opposite());
        }
        Exposure {
            now,
            instrument: self.id,
            rules: &self.rules,
            position: self.ledger.position(),
            buying: orders.resting(Side::Bid),
            selling: orders.resting(Side::Ask),
            // A replacement ends the order it replaces, so it does not add to their number.
            alive: orders.len() as u32 - u32::from(replaced.is_some()),
            replaced_side: replaced.map(|o| o.side),
            own_best,
            top: if self.state == BookState::Live { self.top } else { None },
            news_age: now.since(self.last_news),
            flattening: false,
            elsewhere,
        }
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
        let worth = top.map(|t| self.rules.notional_quote(t.bid.price, held));
        held < self.rules.min_qty || worth.is_some_and(|w| w < self.rules.min_notional)
    }

    /// A price of the instrument in quote currency to value it at: the mid, or without one the venue's mark.
    pub fn price(&self) -> Option<Money> {
        let mid = self.top.map(|top| self.rules.price(top.twice_mid()));
        mid.or(self.last_mid).or(self.meter.mark())
    }

    /// Whether equity says what the position is worth, if only at a price of before the book was lost.
    pub fn is_valued(&self) -> bool {
        self.ledger.position() == Lots::ZERO
            || self.ledger.is_marked() && (self.rules.contract.kind != Kind::Inverse || self.price().is_some())
    }

    /// Values the position at a mid.
    pub fn mark(&mut self, twice_mid: i64) {
        self.ledger.mark(&self.rules, twice_mid);
        if self.rules.contract.kind == Kind::Inverse {
            self.last_mid = Some(self.rules.price(twice_mid));
        }
    }

    /// Equity in quote currency, in which losses are limited.
    pub fn equity_in_quote(&self) -> Money {
        self.in_quote(self.ledger.equity())
    }

    /// An amount of settlement currency in quote currency; zero before the first price of an inverse contract.
    fn in_quote(&self, amount: Money) -> Money {
        match self.rules.contract.kind {
            Kind::Spot | Kind::Linear => amount,
            Kind::Inverse => self.price().map_or(Money::ZERO, |price| self.rules.in_quote(amount, price)),
        }
    }

    /// Volatility in hundredths of a basis point of the mid per √s, once it is known.
    pub fn volatility_centibps(&self) -> Option<i64> {
        let (top, sigma) = self.top.zip(self.signals.volatility().ready())?;
        Some((sigma * 2_000_000.0 / top.twice_mid().max(1) as f64) as i64)
    }

    /// Fees paid, in quote currency.
    pub fn fees_in_quote(&self) -> Money {
        self.in_quote(self.ledger.fees())
    }

    /// Profit of what is closed, less fees and funding, in quote currency.
    pub fn settled_in_quote(&self) -> Money {
        self.in_quote(self.ledger.realised() - self.ledger.fees() - self.ledger.funding())
    }

    /// Until the next funding payment, as of the venue's last word on it.
    pub fn funding_in(&self) -> Option<Nanos> {
        self.meter.funding_in()
    }

    /// The next funding payment at the rate in force, in quote currency; positive is paid.
    pub fn funding_due(&self) -> Money {
        self.in_quote(self.meter.next(&self.rules, self.ledger.position()))
    }

    /// What the position is worth in quote currency, without its sign; `None` before the first price.
    pub fn notional_in_quote(&self) -> Option<Money> {
        let position = self.ledger.position();
        match self.rules.contract.kind {
            Kind::Spot | Kind::Linear => self.price().map(|price| self.rules.worth(price, position).abs()),
            Kind::Inverse => Some(self.rules.notional_quote(Ticks(0), position)),
        }
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

/// The best price of a side of these that may rest. Of the side opposite to a replacement, so that the order it replaces
/// cannot be among them.
#[inline]
fn best_of(orders: &Orders, side: Side) -> Option<Ticks> {
    let prices = orders.iter().filter(|o| o.side == side && o.kind.may_rest()).map(|o| o.price);
    match side {
        Side::Bid => prices.max(),
        Side::Ask => prices.min(),
    }
}

//! The engines, each asked in its own words.

use std::collections::BTreeMap;
use std::hint::black_box;

use papermaker::exchange::matching::{Engine, Incoming, Listener, Record, Ticket};
use papermaker::order::OrderKind;
use papermaker::units::{Lots, Side, Ticks};

use super::stream::{NAMES, Order};

/// What an engine has done, and holds.
#[derive(Default)]
pub struct End {
    pub trades: u64,
    pub lots: u64,
    /// Sum of price times quantity.
    pub value: u128,
    /// Lots by side and price.
    pub book: BTreeMap<(Side, u32), u64>,
}

pub trait Contender {
    fn work(&mut self, orders: &[Order]);
    fn end(&self) -> End;
}

/// Ours, with somebody who hears it.
pub struct Ours<L> {
    engine: Engine,
    tickets: Vec<Option<Ticket>>,
    heard: L,
}

impl<L: Default> Default for Ours<L> {
    fn default() -> Self {
        let mut engine = Engine::new();
        engine.reserve(NAMES);
        Self { engine, tickets: vec![None; NAMES], heard: L::default() }
    }
}

/// Every record of a command is there for the caller to read.
#[derive(Default)]
pub struct Recorded {
    records: Vec<Record>,
    tally: Tallied,
}

/// Trades are summed up as they happen.
#[derive(Default)]
pub struct Tallied {
    trades: u64,
    lots: u64,
    value: u128,
}

#[derive(Default)]
pub struct Unheard;

/// A listener, and what it does between two commands.
pub trait Hears: Listener + Default {
    fn read(&mut self) {}
    fn tally(&self) -> Tallied;
}

impl Listener for Recorded {
    #[inline]
    fn hear(&mut self, record: Record) {
        self.records.push(record);
    }
}

impl Hears for Recorded {
    #[inline]
    fn read(&mut self) {
        black_box(&self.records);
        self.records.iter().for_each(|record| self.tally.hear(*record));
        self.records.clear();
    }
    fn tally(&self) -> Tallied {
        self.tally.tally()
    }
}

impl Listener for Tallied {
    #[inline]
    fn hear(&mut self, record: Record) {
        if let Record::Trade { price, qty, .. } = record {
            self.trades += 1;
            self.lots += qty.0 as u64;
            self.value += u128::from((price.0 * qty.0) as u64);
        }
    }
}

impl Hears for Tallied {
    fn tally(&self) -> Tallied {
        Self { ..*self }
    }
}

impl Listener for Unheard {
    #[inline]
    fn hear(&mut self, _: Record) {}
}

impl Hears for Unheard {
    fn tally(&self) -> Tallied {
        Tallied::default()
    }
}

impl<L: Hears> Contender for Ours<L> {
    fn work(&mut self, orders: &[Order]) {
        let Self { engine, tickets, heard } = self;
        for order in orders {
            match *order {
                Order::Limit { name, side, price, qty } => {
                    let (price, qty) = (Ticks(i64::from(price)), Lots(i64::from(qty)));
                    let ticket = engine.submit(Incoming::new(side, OrderKind::Limit, price, qty), heard);
                    tickets[usize::from(name)] = ticket.ok();
                }
                Order::Cancel { name } => {
                    let ticket = tickets[usize::from(name)].expect("it was placed");
                    let _ = black_box(engine.cancel(ticket, heard));
                }
                Order::Market { side, qty } => {
                    let order = Incoming::new(side, OrderKind::Market, Ticks(0), Lots(i64::from(qty)));
                    let _ = black_box(engine.submit(order, heard));
                }
            }
            heard.read();
        }
    }

    fn end(&self) -> End {
        let Tallied { trades, lots, value } = self.heard.tally();
        let levels = |side| self.engine.levels(side).map(move |l| ((side, l.price.0 as u32), l.qty.0 as u64));
        End { trades, lots, value, book: Side::BOTH.into_iter().flat_map(levels).collect() }
    }
}

/// The crate of that name. What it says of a command (its trades in a list) is summed up and forgotten.
///
/// It matches a crossing limit order without its price (`submit_crossable_order` gives `match_order` no limit), so one
/// that asks for more than rests up to its price takes worse ones too. The stream has no such orders.
pub struct Matchcore {
    book: matchcore::OrderBook,
    ids: Vec<u64>,
    asked: u64,
    tally: Tallied,
}

impl Default for Matchcore {
    fn default() -> Self {
        Self { book: matchcore::OrderBook::new("BENCH"), ids: vec![0; NAMES], asked: 0, tally: Tallied::default() }
    }
}

impl Matchcore {
    /// Three lots are bought at up to 100, one is offered there and five at 105: the worst price that is paid.
    pub fn pays_up_to() -> u64 {
        use matchcore::*;
        let mut book = matchcore::OrderBook::new("LIMIT");
        let mut worst = 0;
        for (i, (side, price, qty)) in
            [(Side::Sell, 100, 1), (Side::Sell, 105, 5), (Side::Buy, 100, 3)].into_iter().enumerate()
        {
            let quantity_policy = QuantityPolicy::Standard { quantity: Quantity(qty) };
            let flags = OrderFlags::new(side, false, TimeInForce::Gtc);
            let order = NewOrder::Limit(LimitOrder::new(Price(price), quantity_policy, flags));
            let meta = CommandMeta { sequence_number: SequenceNumber(i as u64), timestamp: Timestamp(i as u64) };
            let outcome = book.execute(&Command { meta, kind: CommandKind::Submit(SubmitCmd { order }) });
            if let CommandOutcome::Applied(CommandReport::Submit(effects)) = &outcome
                && let Some(matched) = effects.target_order().match_result()
            {
                worst = matched.trades().iter().map(|trade| trade.price().0).fold(worst, u64::max);
            }
        }
        worst
    }
}

fn their_side(side: Side) -> matchcore::Side {
    match side {
        Side::Bid => matchcore::Side::Buy,
        Side::Ask => matchcore::Side::Sell,
    }
}

impl Contender for Matchcore {
    fn work(&mut self, orders: &[Order]) {
        use matchcore::*;
        for order in orders {
            let kind = match *order {
                super::stream::Order::Limit { name, side, price, qty } => {
                    self.ids[usize::from(name)] = self.asked;
                    CommandKind::Submit(SubmitCmd {
                        order: NewOrder::Limit(LimitOrder::new(
                            Price(u64::from(price)),
                            QuantityPolicy::Standard { quantity: Quantity(u64::from(qty)) },
                            OrderFlags::new(their_side(side), false, TimeInForce::Gtc),
                        )),
                    })
                }
                super::stream::Order::Cancel { name } => CommandKind::Cancel(CancelCmd {
                    order_id: OrderId(self.ids[usize::from(name)]),
                    order_kind: OrderKind::Limit,
                }),
                super::stream::Order::Market { side, qty } => CommandKind::Submit(SubmitCmd {
                    order: NewOrder::Market(MarketOrder::new(Quantity(u64::from(qty)), their_side(side), false)),
                }),
            };
            let meta = CommandMeta { sequence_number: SequenceNumber(self.asked), timestamp: Timestamp(self.asked) };
            self.asked += 1;
            let outcome = black_box(self.book.execute(&Command { meta, kind }));
            if let CommandOutcome::Applied(CommandReport::Submit(effects)) = &outcome
                && let Some(matched) = effects.target_order().match_result()
            {
                for trade in matched.trades() {
                    self.tally.trades += 1;
                    self.tally.lots += trade.quantity().0;
                    self.tally.value += u128::from(trade.price().0 * trade.quantity().0);
                }
            }
        }
    }

    fn end(&self) -> End {
        let limit = self.book.limit();
        let level = |side, (price, id): (&matchcore::Price, &usize)| {
            ((side, price.0 as u32), limit.levels()[*id].visible_quantity().0)
        };
        let bids = limit.bids().iter().map(|at| level(Side::Bid, at));
        let book = bids.chain(limit.asks().iter().map(|at| level(Side::Ask, at))).collect();
        let Tallied { trades, lots, value } = self.tally.tally();
        End { trades, lots, value, book }
    }
}

/// The crate of that name. It keeps every order and every trade; its clock must move for orders to have places.
pub struct Bourse {
    book: bourse_book::OrderBook,
    ids: Vec<usize>,
    asked: u64,
}

impl Default for Bourse {
    fn default() -> Self {
        Self { book: bourse_book::OrderBook::new(0, 1, true), ids: vec![0; NAMES], asked: 0 }
    }
}

fn bourse_side(side: Side) -> bourse_book::types::Side {
    match side {
        Side::Bid => bourse_book::types::Side::Bid,
        Side::Ask => bourse_book::types::Side::Ask,
    }
}

impl Contender for Bourse {
    fn work(&mut self, orders: &[Order]) {
        for order in orders {
            self.asked += 1;
            self.book.set_time(self.asked);
            match *order {
                Order::Limit { name, side, price, qty } => {
                    let placed = self.book.create_and_place_order(bourse_side(side), qty, 0, Some(price));
                    self.ids[usize::from(name)] = placed.expect("every price is on a tick of one");
                }
                Order::Cancel { name } => self.book.cancel_order(self.ids[usize::from(name)]),
                Order::Market { side, qty } => {
                    let placed = self.book.create_and_place_order(bourse_side(side), qty, 0, None);
                    let _ = black_box(placed);
                }
            }
        }
    }

    fn end(&self) -> End {
        let mut end = End::default();
        for trade in self.book.get_trades() {
            end.trades += 1;
            end.lots += u64::from(trade.vol);
            end.value += u128::from(trade.price) * u128::from(trade.vol);
        }
        for order in self.book.get_orders() {
            if order.status == bourse_book::types::Status::Active {
                let side = match order.side {
                    bourse_book::types::Side::Bid => Side::Bid,
                    bourse_book::types::Side::Ask => Side::Ask,
                };
                *end.book.entry((side, order.price)).or_default() += u64::from(order.vol);
            }
        }
        end
    }
}

/// What reading the stream costs all of them.
#[derive(Default)]
pub struct Nothing;

impl Contender for Nothing {
    fn work(&mut self, orders: &[Order]) {
        orders.iter().for_each(|order| {
            black_box(order);
        });
    }
    fn end(&self) -> End {
        End::default()
    }
}

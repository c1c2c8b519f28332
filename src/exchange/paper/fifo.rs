//! The queue model that does not guess: stories, and a naive exchange with our order really in it.

use super::desk::{Desk, level, spec};
use super::*;
use crate::digest;
use crate::market::{Extent, Level, OrderNews, OrderStep, PrintFlags};
use crate::order::OrderKind;
use crate::units::{Side, Ticks};
use OrderStep::{Filled, Joined, Left, Shrank};

/// A desk that was told order by order: 4, 5 and 1 lots in line at 100, 20 at 99; 10 at 104.
fn desk() -> Desk {
    let mut desk = Desk::with(PaperSpec { queue: QueueModel::Fifo, ..spec(0, 0, 0) });
    desk.news(0, None, MarketEventKind::Gap { expected: 1, found: 2 });
    for (id, side, price, qty) in
        [(1, Side::Bid, 100, 4), (2, Side::Bid, 100, 5), (3, Side::Bid, 100, 1), (4, Side::Bid, 99, 20)]
    {
        tell(&mut desk, 0, id, side, price, qty, Joined);
    }
    tell(&mut desk, 0, 5, Side::Ask, 104, 10, Joined);
    desk.snapshot(0, &[(100, 10), (99, 20)], &[(104, 10)]);
    desk
}

fn tell(desk: &mut Desk, at: i64, id: u64, side: Side, price: i64, qty: i64, step: OrderStep) {
    let news = OrderNews { id, side, price: Ticks(price), qty: Lots(qty), step };
    desk.news(at, None, MarketEventKind::Order(news));
}

fn ahead(desk: &Desk, id: u64) -> i64 {
    desk.paper.queue_ahead(OrderId(id)).expect("it rests").0
}

#[test]
fn who_leaves_ahead_of_us_moves_us_forward_and_who_leaves_behind_does_not() {
    let mut desk = desk();
    desk.bid(1, 1, 2, 100);
    desk.until(1);
    assert_eq!(ahead(&desk, 1), 10);
    // 8 join behind us. The 5 in the middle leave: 4 and 1 are ahead. The 4 shrink to 3: 4 are. Those behind leave.
    tell(&mut desk, 2, 9, Side::Bid, 100, 8, Joined);
    desk.depth(2, &[(100, 18)], &[]);
    tell(&mut desk, 3, 2, Side::Bid, 100, 0, Left);
    desk.depth(3, &[(100, 13)], &[]);
    assert_eq!(ahead(&desk, 1), 5);
    tell(&mut desk, 4, 1, Side::Bid, 100, 3, Shrank);
    desk.depth(4, &[(100, 12)], &[]);
    assert_eq!(ahead(&desk, 1), 4);
    tell(&mut desk, 5, 9, Side::Bid, 100, 0, Left);
    desk.depth(5, &[(100, 4)], &[]);
    assert_eq!(ahead(&desk, 1), 4);
    // The 3 grow to 6, which costs their place: 1 is ahead. Moved to 99 it leaves us first.
    tell(&mut desk, 6, 1, Side::Bid, 100, 6, Joined);
    desk.depth(6, &[(100, 7)], &[]);
    assert_eq!(ahead(&desk, 1), 1);
    tell(&mut desk, 7, 3, Side::Bid, 99, 1, Joined);
    desk.depth(7, &[(100, 6), (99, 21)], &[]);
    assert_eq!(ahead(&desk, 1), 0);
    assert_eq!(desk.life(1), ["accepted 10"]);
}

#[test]
fn a_trade_is_counted_once_however_it_is_told() {
    // 10 are ahead of our 3, 7 behind. 12 trade: 2 are ours. Then 4: our last, and 3 for those behind.
    let orders = [(1, 0), (2, 0), (3, 0), (9, 5)];
    for order in 0..3 {
        let mut desk = desk();
        desk.bid(1, 1, 3, 100);
        desk.until(1);
        tell(&mut desk, 2, 9, Side::Bid, 100, 7, Joined);
        desk.depth(2, &[(100, 17)], &[]);
        match order {
            0 => desk.print(3, Side::Ask, 100, 12),
            1 => desk.print(3, Side::Ask, 100, 6),
            _ => {}
        }
        orders.iter().for_each(|(id, left)| tell(&mut desk, 3, *id, Side::Bid, 100, *left, Filled));
        match order {
            0 => {}
            1 => desk.print(3, Side::Ask, 100, 6),
            _ => desk.print(3, Side::Ask, 100, 12),
        }
        desk.depth(3, &[(100, 5)], &[]);
        let got: Lots = desk.fills().map(|fill| fill.qty).sum();
        assert_eq!((got, ahead(&desk, 1)), (Lots(2), 0), "telling {order}: {:?}", desk.life(1));
        desk.print(4, Side::Ask, 100, 4);
        tell(&mut desk, 4, 9, Side::Bid, 100, 1, Filled);
        desk.depth(4, &[(100, 1)], &[]);
        assert_eq!(desk.orders[&OrderId(1)].remaining, Lots::ZERO, "telling {order}");
        let got: Lots = desk.fills().map(|fill| fill.qty).sum();
        assert_eq!(got, Lots(3), "telling {order}");
    }
}

#[test]
fn an_order_that_steps_out_of_the_way_of_its_owner_lets_us_trade() {
    // 1 prints at 100. The first in line are the taker's own and are cancelled; the fill is of an order behind us.
    let mut desk = desk();
    desk.bid(1, 1, 3, 100);
    desk.until(1);
    tell(&mut desk, 2, 9, Side::Bid, 100, 7, Joined);
    desk.depth(2, &[(100, 17)], &[]);
    desk.print(3, Side::Ask, 100, 1);
    tell(&mut desk, 3, 9, Side::Bid, 100, 6, Filled);
    for id in 1..=3 {
        tell(&mut desk, 3, id, Side::Bid, 100, 0, Left);
    }
    desk.depth(3, &[(100, 6)], &[]);
    assert_eq!(desk.life(1), ["accepted 10", "1 @ 100 queue_front behind 9"]);
    assert_eq!(ahead(&desk, 1), 0);
}

#[test]
fn fills_of_an_auction_move_the_line_and_give_us_nothing() {
    let mut desk = desk();
    desk.bid(1, 1, 3, 100);
    desk.until(1);
    tell(&mut desk, 2, 9, Side::Bid, 100, 7, Joined);
    desk.depth(2, &[(100, 17)], &[]);
    desk.flagged(3, Side::Ask, 100, 6, PrintFlags::AUCTION);
    tell(&mut desk, 3, 1, Side::Bid, 100, 0, Filled);
    tell(&mut desk, 3, 9, Side::Bid, 100, 5, Filled);
    desk.depth(3, &[(100, 11)], &[]);
    assert_eq!((desk.life(1), ahead(&desk, 1)), (vec!["accepted 10".to_owned()], 6));
}

#[test]
fn where_nobody_tells_orders_the_pessimist_stands_in() {
    // A recording of levels only, and one whose orders do not add up to the level: 10 are shown, 4 are named.
    for named in [0, 4] {
        let mut desk = Desk::with(PaperSpec { queue: QueueModel::Fifo, ..spec(0, 0, 0) });
        if named > 0 {
            tell(&mut desk, 1, 1, Side::Bid, 100, named, Joined);
        }
        desk.bid(1, 1, 3, 100);
        desk.depth(2, &[(100, 20)], &[]);
        tell(&mut desk, 3, 1, Side::Bid, 100, 0, Left);
        desk.depth(3, &[(100, 15)], &[]);
        assert_eq!(ahead(&desk, 1), 10);
        desk.print(4, Side::Ask, 100, 11);
        assert_eq!(desk.life(1), ["accepted 10", "1 @ 100 queue_front behind 10"]);
    }
}

#[test]
fn after_a_gap_the_place_is_a_guess_again() {
    let mut desk = desk();
    desk.bid(1, 1, 3, 100);
    desk.until(1);
    tell(&mut desk, 2, 2, Side::Bid, 100, 0, Left);
    desk.depth(2, &[(100, 5)], &[]);
    assert_eq!(ahead(&desk, 1), 5);
    desk.news(3, None, MarketEventKind::Gap { expected: 1, found: 2 });
    tell(&mut desk, 4, 20, Side::Bid, 100, 30, Joined);
    desk.snapshot(4, &[(100, 30)], &[(104, 10)]);
    // At most the 5 are still ahead. Who is told to leave now may have come in the hole.
    tell(&mut desk, 5, 20, Side::Bid, 100, 0, Left);
    desk.depth(5, &[(100, 10)], &[]);
    assert_eq!(ahead(&desk, 1), 5);
    desk.bid(6, 2, 3, 99);
    desk.until(6);
    assert_eq!(ahead(&desk, 2), 0, "99 is empty, and the line knows it");
}

/// Id, price and quantity.
type Fill = (u64, i64, i64);

/// Others' orders of one side in a list, oldest first; ours, where it is in it, is number 0.
#[derive(Clone, Debug, Default)]
struct List(Vec<(u64, i64, i64)>);

impl List {
    /// Somebody takes up to `qty` at prices no worse than `limit`; orders of `himself` are cancelled when met. Says
    /// `(id, price, qty)` of the fills, and who was cancelled.
    fn take(&mut self, side: Side, mut qty: i64, limit: i64, himself: u64) -> (Vec<Fill>, Vec<(u64, i64)>) {
        let (mut fills, mut cancelled) = (Vec::new(), Vec::new());
        while qty > 0 {
            // The best price; of those the oldest.
            let best = self.0.iter().map(|o| o.1 * side.sign()).max().map(|best| best * side.sign());
            let Some(price) = best.filter(|price| !side.is_better(Ticks(limit), Ticks(*price))) else { break };
            let at = self.0.iter().position(|o| o.1 == price).expect("somebody has the best price");
            let order = &mut self.0[at];
            if order.0 == himself {
                cancelled.push((order.0, price));
                self.0.remove(at);
                continue;
            }
            let traded = qty.min(order.2);
            (order.2, qty) = (order.2 - traded, qty - traded);
            fills.push((order.0, price, traded));
            if order.2 == 0 {
                self.0.remove(at);
            }
        }
        (fills, cancelled)
    }

    fn at(&self, price: i64) -> i64 {
        self.0.iter().filter(|o| o.1 == price && o.0 != 0).map(|o| o.2).sum()
    }

    fn ours(&self) -> Option<(u64, i64, i64)> {
        self.0.iter().copied().find(|o| o.0 == 0)
    }

    /// Lots at our price that came before us.
    fn ahead(&self) -> i64 {
        let Some((_, price, _)) = self.ours() else { return 0 };
        self.0.iter().take_while(|o| o.0 != 0).filter(|o| o.1 == price).map(|o| o.2).sum()
    }

    fn replace(&mut self, id: u64, price: i64, qty: i64) {
        if let Some(at) = self.0.iter().position(|o| o.0 == id) {
            if price == self.0[at].1 && qty <= self.0[at].2 {
                self.0[at].2 = qty;
            } else {
                self.0.remove(at);
                self.0.push((id, price, qty));
            }
        }
        self.0.retain(|o| o.2 > 0);
    }
}

/// A random market told order by order to a desk, and beside it the same side of the book with our order in the list.
struct Market {
    desk: Desk,
    draws: Stream,
    /// The side we are on, without us and with us; what rests on the other.
    side: Side,
    without: List,
    with: List,
    other: List,
    ids: u64,
    at: i64,
}

impl Market {
    fn new(seed: u64) -> Self {
        let mut desk = Desk::with(PaperSpec { queue: QueueModel::Fifo, ..spec(0, 0, 0) });
        let mut draws = Stream::new(seed, "fifo");
        desk.news(0, None, MarketEventKind::Gap { expected: 1, found: 2 });
        let (mut without, mut other) = (List::default(), List::default());
        let side = if draws.chance(0.5) { Side::Bid } else { Side::Ask };
        for id in 1..=30 {
            let (on, list) = if id % 2 == 0 { (side, &mut without) } else { (side.opposite(), &mut other) };
            let away = 1 + draws.below(4) as i64;
            let price = 100 - on.sign() * away;
            let qty = 1 + draws.below(6) as i64;
            list.0.push((id, price, qty));
            tell(&mut desk, 0, id, on, price, qty, Joined);
        }
        let mut market = Self { desk, draws, side, with: without.clone(), without, other, ids: 30, at: 0 };
        let sides = [Side::Bid, Side::Ask].map(|of| {
            let mut levels = market.levels(of, &(90..110).collect::<Vec<_>>());
            levels.retain(|level| level.qty > Lots::ZERO);
            levels.sort_by_key(|level| -level.price.0 * of.sign());
            levels
        });
        let [bids, asks] = sides;
        let extent = Extent::All;
        market.desk.news(0, None, MarketEventKind::Snapshot { seq: 1, bids, asks, extent });
        market
    }

    fn levels(&self, of: Side, prices: &[i64]) -> Vec<Level> {
        let list = if of == self.side { &self.without } else { &self.other };
        prices.iter().map(|price| level((*price, list.at(*price)))).collect()
    }

    fn best(&self, of: Side) -> Option<i64> {
        let list = if of == self.side { &self.without } else { &self.other };
        list.0.iter().map(|o| o.1 * of.sign()).max().map(|best| best * of.sign())
    }

    /// The levels at these prices are told, which ends what is told of them.
    fn settle(&mut self, of: Side, prices: &[i64]) {
        let levels = self.levels(of, prices);
        let (bids, asks) = if of == Side::Bid { (levels, vec![]) } else { (vec![], levels) };
        let seq = self.desk.book.seq() + 1;
        self.desk.news(self.at, None, MarketEventKind::Delta { seq, bids, asks });
    }

    fn step(&mut self) {
        self.at += 1;
        let (at, side) = (self.at, self.side);
        let pick = |list: &List, draws: &mut Stream| {
            (!list.0.is_empty()).then(|| list.0[draws.below(list.0.len() as u64) as usize])
        };
        match self.draws.below(10) {
            // Somebody joins our side, if that is no trade.
            0..=3 => {
                let price = 100 - side.sign() * (self.draws.below(6) as i64 - 1);
                let is_free = self.best(side.opposite()).is_none_or(|best| side.is_better(Ticks(best), Ticks(price)));
                if !is_free {
                    return;
                }
                self.ids += 1;
                let order = (self.ids, price, 1 + self.draws.below(6) as i64);
                self.without.0.push(order);
                self.with.0.push(order);
                tell(&mut self.desk, at, order.0, side, price, order.2, Joined);
                self.settle(side, &[price]);
            }
            // Somebody leaves, shrinks, grows or moves away.
            4..=6 => {
                let Some((id, price, qty)) = pick(&self.without, &mut self.draws) else { return };
                let (new_price, new_qty) = match self.draws.below(4) {
                    0 => (price, 0),
                    1 => (price, self.draws.below(qty as u64 + 1) as i64),
                    2 => (price, qty + 2),
                    _ => (price - side.sign(), qty),
                };
                let keeps = new_price == price && new_qty <= qty;
                let step = if new_qty == 0 {
                    Left
                } else if keeps {
                    Shrank
                } else {
                    Joined
                };
                self.without.replace(id, new_price, new_qty);
                self.with.replace(id, new_price, new_qty);
                tell(&mut self.desk, at, id, side, new_price, new_qty, step);
                self.settle(side, &[price, new_price]);
            }
            // Somebody trades with our side; at times he has an order there himself, which is cancelled.
            _ => {
                let himself = if self.draws.chance(0.3) { pick(&self.without, &mut self.draws) } else { None };
                let himself = himself.map_or(u64::MAX, |order| order.0);
                let qty = 1 + self.draws.below(14) as i64;
                // Without us there is enough for him, so that what he does is the same with us.
                if qty > self.without.0.iter().filter(|o| o.0 != himself).map(|o| o.2).sum() {
                    return;
                }
                let worst = 100 - side.sign() * 50;
                let (fills, cancelled) = self.without.take(side, qty, worst, himself);
                self.with.take(side, qty, worst, himself);
                let mut prices: Vec<i64> = fills.iter().map(|f| f.1).chain(cancelled.iter().map(|c| c.1)).collect();
                prices.sort_by_key(|price| -price * side.sign());
                prices.dedup();
                let how = self.draws.below(3);
                let taker = side.opposite();
                for price in prices.clone() {
                    let here: Vec<_> = fills.iter().filter(|f| f.1 == price).copied().collect();
                    let printed: i64 = here.iter().map(|f| f.2).sum();
                    // Prints first, orders first, or each print with its order.
                    if how == 0 && printed > 0 {
                        self.desk.print(at, taker, price, printed);
                    }
                    for (id, _, traded) in here {
                        if how == 1 {
                            self.desk.print(at, taker, price, traded);
                        }
                        let left = self.without.0.iter().find(|o| o.0 == id).map_or(0, |o| o.2);
                        tell(&mut self.desk, at, id, side, price, left, Filled);
                    }
                    if how == 2 && printed > 0 {
                        self.desk.print(at, taker, price, printed);
                    }
                    for (id, _) in cancelled.iter().filter(|c| c.1 == price) {
                        tell(&mut self.desk, at, *id, side, price, 0, Left);
                    }
                }
                self.settle(side, &prices);
            }
        }
    }
}

#[test]
fn fills_are_those_of_an_exchange_with_our_order_in_its_list() {
    let (mut filled, mut orders) = (0, 0);
    for seed in 0..120 {
        let mut market = Market::new(seed);
        for id in 1..=20u64 {
            // The list with us begins as the one without; we join at the end of it.
            market.with = market.without.clone();
            let price = 100 - market.side.sign() * (1 + market.draws.below(4) as i64);
            let qty = 1 + market.draws.below(9) as i64;
            if market.best(market.side.opposite()).is_some_and(|best| !market.side.is_better(Ticks(best), Ticks(price)))
            {
                continue;
            }
            market.at += 1;
            market.desk.send(market.at, id, market.side, qty, price, OrderKind::PostOnly);
            market.desk.until(market.at);
            market.with.0.push((0, price, qty));
            orders += 1;
            for _ in 0..30 {
                market.step();
                if market.at % 7 == 0 {
                    let bytes = digest::canonical_bytes(&market.desk.paper);
                    market.desk.paper = postcard::from_bytes(&bytes).expect("its own bytes");
                }
                let left = market.with.ours().map_or(0, |o| o.2);
                let order = &market.desk.orders[&OrderId(id)];
                let life = market.desk.life(id);
                assert_eq!(order.remaining, Lots(left), "seed {seed}, order {id}, step {}: {life:?}", market.at);
                if left == 0 {
                    filled += 1;
                    break;
                }
                let found = market.desk.paper.queue_ahead(OrderId(id)).expect("it rests").0;
                assert_eq!(found, market.with.ahead(), "seed {seed}, order {id}, step {}: {life:?}", market.at);
            }
            market.desk.cancel(market.at, id);
            market.desk.until(market.at);
        }
    }
    assert!(orders > 1_000 && filled > 300, "{filled} of {orders} orders filled: proves little");
}

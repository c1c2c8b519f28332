//! The matching engine against a list that is searched from end to end.

use std::collections::BTreeMap;

use papermaker::digest::{Chain, canonical_bytes};
use papermaker::exchange::matching::{Engine, Incoming, Record, Ticket};
use papermaker::market::Level;
use papermaker::order::{OrderKind, RejectReason};
use papermaker::rng::Stream;
use papermaker::units::{Lots, Side, Ticks};
use proptest::prelude::*;

/// What happened, with orders named by their number of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
enum Said {
    Refused(RejectReason),
    Trade { taker: usize, maker: usize, price: i64, qty: i64, left: i64 },
    Rested { order: usize, side: Side, price: i64, qty: i64 },
    Removed { order: usize, qty: i64 },
    Dropped { order: usize, qty: i64 },
    Level { side: Side, price: i64, qty: i64 },
}

/// The obvious engine: one list in order of arrival, searched for the best every time.
#[derive(Default)]
struct Naive {
    resting: Vec<(usize, Side, i64, i64)>,
    arrived: usize,
}

impl Naive {
    fn best(&self, side: Side) -> Option<usize> {
        // The first of equals in order of arrival is the oldest.
        let mut best: Option<usize> = None;
        for (i, o) in self.resting.iter().enumerate() {
            if o.1 == side && best.is_none_or(|b| side.is_better(Ticks(o.2), Ticks(self.resting[b].2))) {
                best = Some(i);
            }
        }
        best
    }

    fn level(&self, side: Side, price: i64) -> Said {
        let qty = self.resting.iter().filter(|o| (o.1, o.2) == (side, price)).map(|o| o.3).sum();
        Said::Level { side, price, qty }
    }

    fn submit(&mut self, order: Incoming) -> Vec<Said> {
        let opposite = order.side.opposite();
        let meets = |price: i64| {
            order.kind == OrderKind::Market || order.price.0 == price || order.side.is_better(order.price, Ticks(price))
        };
        let would_trade = |n: &Naive| n.best(opposite).is_some_and(|b| meets(n.resting[b].2));
        if order.qty.0 <= 0 || order.qty > Engine::LOTS_MAX {
            return vec![Said::Refused(RejectReason::LotSize)];
        }
        if order.kind != OrderKind::Market && order.price.0 < 1 {
            return vec![Said::Refused(RejectReason::PriceFilter)];
        }
        if order.kind == OrderKind::PostOnly && would_trade(self) {
            return vec![Said::Refused(RejectReason::WouldTake)];
        }
        if order.kind == OrderKind::Market && !would_trade(self) {
            return vec![Said::Refused(RejectReason::NoLiquidity)];
        }
        let taker = self.arrived;
        self.arrived += 1;
        let (mut said, mut left, mut price_done) = (Vec::new(), order.qty.0, None);
        while left > 0 && would_trade(self) {
            let best = self.best(opposite).expect("it would trade");
            let (maker, _, price, resting) = self.resting[best];
            if let Some(done) = price_done.filter(|&p| p != price) {
                said.push(self.level(opposite, done));
            }
            price_done = Some(price);
            let qty = left.min(resting);
            left -= qty;
            self.resting[best].3 -= qty;
            said.push(Said::Trade { taker, maker, price, qty, left: resting - qty });
            if resting == qty {
                self.resting.remove(best);
            }
        }
        said.extend(price_done.map(|p| self.level(opposite, p)));
        if left > 0 && order.kind.may_rest() {
            self.resting.push((taker, order.side, order.price.0, left));
            said.push(Said::Rested { order: taker, side: order.side, price: order.price.0, qty: left });
            said.push(self.level(order.side, order.price.0));
        } else if left > 0 {
            said.push(Said::Dropped { order: taker, qty: left });
        }
        said
    }

    fn cancel(&mut self, order: usize) -> Vec<Said> {
        let Some(at) = self.resting.iter().position(|o| o.0 == order) else {
            return vec![Said::Refused(RejectReason::UnknownOrder)];
        };
        let (_, side, price, qty) = self.resting.remove(at);
        vec![Said::Removed { order, qty }, self.level(side, price)]
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        let mut levels = BTreeMap::<i64, i64>::new();
        self.resting.iter().filter(|o| o.1 == side).for_each(|o| *levels.entry(o.2).or_default() += o.3);
        let level = |(&p, &q): (&i64, &i64)| Level { price: Ticks(p), qty: Lots(q) };
        match side {
            Side::Bid => levels.iter().rev().map(level).collect(),
            Side::Ask => levels.iter().map(level).collect(),
        }
    }
}

/// The real engine, telling its story in the same words.
#[derive(Default)]
struct Told {
    engine: Engine,
    tickets: Vec<Ticket>,
    numbers: BTreeMap<Ticket, usize>,
    records: Vec<Record>,
}

impl Told {
    fn words(&mut self) -> Vec<Said> {
        let n = |t: &Ticket| self.numbers[t];
        let word = |r: &Record| match r {
            Record::Trade { taker, maker, side: _, price, qty, maker_left } => {
                Said::Trade { taker: n(taker), maker: n(maker), price: price.0, qty: qty.0, left: maker_left.0 }
            }
            Record::Rested { ticket, side, price, qty } => {
                Said::Rested { order: n(ticket), side: *side, price: price.0, qty: qty.0 }
            }
            Record::Removed { ticket, side: _, price: _, qty } => Said::Removed { order: n(ticket), qty: qty.0 },
            Record::Dropped { ticket, qty } => Said::Dropped { order: n(ticket), qty: qty.0 },
            Record::Level { side, price, qty } => Said::Level { side: *side, price: price.0, qty: qty.0 },
        };
        let words = self.records.iter().map(word).collect();
        self.records.clear();
        words
    }

    fn submit(&mut self, order: Incoming) -> Vec<Said> {
        match self.engine.submit(order, &mut self.records) {
            Ok(ticket) => {
                assert!(self.tickets.last().is_none_or(|last| *last < ticket), "tickets grow");
                self.numbers.insert(ticket, self.tickets.len());
                self.tickets.push(ticket);
                self.words()
            }
            Err(reason) => {
                assert!(self.records.is_empty(), "a refusal changes nothing");
                vec![Said::Refused(reason)]
            }
        }
    }

    fn cancel(&mut self, order: usize) -> Vec<Said> {
        let Some(&ticket) = self.tickets.get(order) else { return vec![Said::Refused(RejectReason::UnknownOrder)] };
        match self.engine.cancel(ticket, &mut self.records) {
            Ok(_) => self.words(),
            Err(reason) => vec![Said::Refused(reason)],
        }
    }
}

#[derive(Clone, Debug)]
enum Command {
    Submit(Incoming),
    Cancel(usize),
}

/// Runs both and compares every word; returns the two digests and the lots that came in and went out.
fn compare(commands: impl Iterator<Item = Command>) -> (Chain, Chain) {
    let (mut naive, mut told) = (Naive::default(), Told::default());
    let (mut a, mut b) = (Chain::default(), Chain::default());
    let (mut lots_in, mut lots_out) = (0i64, 0i64);
    for (i, command) in commands.enumerate() {
        let (expected, found) = match &command {
            Command::Submit(order) => (naive.submit(*order), told.submit(*order)),
            Command::Cancel(order) => (naive.cancel(*order), told.cancel(*order)),
        };
        assert_eq!(expected, found, "command {i}: {command:?}");
        if let (Command::Submit(order), false) = (&command, matches!(found[0], Said::Refused(_))) {
            lots_in += order.qty.0;
        }
        lots_out += found
            .iter()
            .map(|s| match s {
                // A traded lot leaves twice: it was in the buyer's order and in the seller's.
                Said::Trade { qty, .. } => 2 * qty,
                Said::Removed { qty, .. } | Said::Dropped { qty, .. } => *qty,
                Said::Refused(_) | Said::Rested { .. } | Said::Level { .. } => 0,
            })
            .sum::<i64>();
        a.extend(i as u64, &canonical_bytes(&expected));
        b.extend(i as u64, &canonical_bytes(&found));
        if i % 16 == 0 {
            for side in Side::BOTH {
                assert_eq!(told.engine.levels(side).collect::<Vec<_>>(), naive.levels(side), "after command {i}");
                assert_eq!(told.engine.best(side), naive.levels(side).first().copied());
            }
            let resting: i64 = Side::BOTH.iter().flat_map(|&s| told.engine.levels(s)).map(|l| l.qty.0).sum();
            assert_eq!(lots_in, lots_out + resting, "lots are conserved, command {i}");
            assert_eq!(told.engine.resting(), naive.resting.len());
        }
    }
    (a, b)
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn kind() -> impl Strategy<Value = OrderKind> {
    prop_oneof![
        6 => Just(OrderKind::Limit),
        3 => Just(OrderKind::PostOnly),
        1 => Just(OrderKind::Ioc),
        1 => Just(OrderKind::Market),
    ]
}

/// Mostly around one price, sometimes at the ends of the world, sometimes nonsense.
fn price() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 990i64..1010, 2 => 1i64..200_000, 1 => Just(1i64 << 47), 1 => -2i64..2]
}

fn command() -> impl Strategy<Value = Command> {
    let submit = (side(), kind(), price(), 0i64..20).prop_map(|(side, kind, price, qty)| {
        Command::Submit(Incoming { side, kind, price: Ticks(price), qty: Lots(qty) })
    });
    prop_oneof![3 => submit, 1 => (0usize..150).prop_map(Command::Cancel)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_says_word_for_word_what_a_searched_list_says(
        commands in prop::collection::vec(command(), 1..300)
    ) {
        let (naive, engine) = compare(commands.into_iter());
        prop_assert_eq!(naive, engine);
    }
}

#[test]
fn a_price_that_wanders_far_through_the_window_never_loses_an_order() {
    // 20 000 commands whose centre drifts by up to 900 ticks each: the window moves hundreds of times.
    let mut s = Stream::new(5, "test.wander");
    let mut centre = 1_000_000i64;
    let commands = (0..20_000usize).map(|i| {
        centre = (centre + s.below(1801) as i64 - 900).max(5_000);
        let side = if s.chance(0.5) { Side::Bid } else { Side::Ask };
        match s.below(10) {
            0..=3 => Command::Cancel(i.saturating_sub(s.below(200) as usize)),
            4 => {
                let qty = Lots(1 + s.below(30) as i64);
                Command::Submit(Incoming { side, kind: OrderKind::Market, price: Ticks(0), qty })
            }
            _ => {
                let price = Ticks((centre - side.sign() * (s.exponential(40.0) as i64 - 8)).max(1));
                Command::Submit(Incoming { side, kind: OrderKind::Limit, price, qty: Lots(1 + s.below(9) as i64) })
            }
        }
    });
    let (naive, engine) = compare(commands);
    assert_eq!(naive, engine);
}

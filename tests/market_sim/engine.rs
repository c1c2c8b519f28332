//! The matching engine against a list that is searched from end to end, and against those who only listen to it.

mod naive;

use std::collections::BTreeMap;

use naive::{Naive, Said};
use papermaker::digest::{Chain, canonical_bytes};
use papermaker::exchange::habit::SelfTrade;
use papermaker::exchange::matching::{Engine, Incoming, Owner, Record, Ticket};
use papermaker::order::OrderKind;
use papermaker::rng::Stream;
use papermaker::units::{Lots, Side, Ticks};
use proptest::prelude::*;

const KINDS: [OrderKind; 5] =
    [OrderKind::Limit, OrderKind::PostOnly, OrderKind::Ioc, OrderKind::Fok, OrderKind::Market];
const HABITS: [Option<SelfTrade>; 5] = [
    None,
    Some(SelfTrade::CancelMaker),
    Some(SelfTrade::CancelTaker),
    Some(SelfTrade::CancelBoth),
    Some(SelfTrade::Decrement),
];

/// The real engine, telling its story in the naive one's words.
struct Told {
    engine: Engine,
    tickets: Vec<Ticket>,
    numbers: BTreeMap<Ticket, usize>,
    records: Vec<Record>,
    listeners: Listeners,
}

/// Two who never see the engine: one follows single orders, one follows levels.
#[derive(Default)]
struct Listeners {
    /// Orders of a side and price in the order of their joining.
    queues: BTreeMap<(Side, i64), Vec<(Ticket, i64)>>,
    levels: BTreeMap<(Side, i64), i64>,
}

impl Listeners {
    fn hear(&mut self, record: &Record) {
        match *record {
            Record::Rested { ticket, side, price, qty } => {
                self.queues.entry((side, price.0)).or_default().push((ticket, qty.0));
            }
            Record::Trade { maker, side, price, qty, maker_left, .. } => {
                let queue = &self.queues[&(side.opposite(), price.0)];
                assert_eq!(queue[0], (maker, qty.0 + maker_left.0), "the first in line trades");
                self.set(side.opposite(), price.0, maker, maker_left.0);
            }
            Record::Reduced { ticket, side, price, left, .. } => self.set(side, price.0, ticket, left.0),
            Record::Removed { ticket, side, price, .. } => self.set(side, price.0, ticket, 0),
            Record::Dropped { .. } => {}
            Record::Level { side, price, qty } => {
                self.levels.insert((side, price.0), qty.0);
                self.levels.retain(|_, qty| *qty > 0);
            }
        }
    }

    fn set(&mut self, side: Side, price: i64, ticket: Ticket, left: i64) {
        let queue = self.queues.get_mut(&(side, price)).expect("a queue that was told of");
        queue.iter_mut().find(|o| o.0 == ticket).expect("an order that was told of").1 = left;
        queue.retain(|o| o.1 > 0);
        self.queues.retain(|_, queue| !queue.is_empty());
    }

    /// Both have the engine's book, to the last lot and place.
    fn check(&self, engine: &Engine) {
        let levels: BTreeMap<_, _> = Side::BOTH
            .into_iter()
            .flat_map(|side| engine.levels(side).map(move |l| ((side, l.price.0), l.qty.0)))
            .collect();
        assert_eq!(self.levels, levels, "who follows levels");
        let queue = |price: i64| engine.queue(Ticks(price)).map(|(ticket, qty)| (ticket, qty.0)).collect::<Vec<_>>();
        let queues: BTreeMap<_, _> = levels.keys().map(|&(side, price)| ((side, price), queue(price))).collect();
        assert_eq!(self.queues, queues, "who follows orders");
        for queue in queues.values() {
            assert!(queue.is_sorted_by(|a, b| a.0 < b.0), "along a queue tickets grow: {queue:?}");
        }
    }
}

impl Told {
    fn preventing(habit: Option<SelfTrade>) -> Self {
        Self {
            engine: habit.map_or_else(Engine::new, Engine::preventing),
            tickets: Vec::new(),
            numbers: BTreeMap::new(),
            records: Vec::new(),
            listeners: Listeners::default(),
        }
    }

    fn words(&mut self) -> Vec<Said> {
        self.records.iter().for_each(|record| self.listeners.hear(record));
        let n = |t: Ticket| self.numbers[&t];
        let word = |r: Record| match r {
            Record::Trade { taker, maker, side: _, price, qty, maker_left } => {
                Said::Trade { taker: n(taker), maker: n(maker), price: price.0, qty: qty.0, left: maker_left.0 }
            }
            Record::Rested { ticket, side, price, qty } => {
                Said::Rested { order: n(ticket), side, price: price.0, qty: qty.0 }
            }
            Record::Removed { ticket, side, price, qty } => {
                Said::Removed { order: n(ticket), side, price: price.0, qty: qty.0 }
            }
            Record::Reduced { ticket, side, price, qty, left } => {
                Said::Reduced { order: n(ticket), side, price: price.0, qty: qty.0, left: left.0 }
            }
            Record::Dropped { ticket, qty } => Said::Dropped { order: n(ticket), qty: qty.0 },
            Record::Level { side, price, qty } => Said::Level { side, price: price.0, qty: qty.0 },
        };
        let words = self.records.iter().copied().map(word).collect();
        self.records.clear();
        words
    }

    /// A new order has a new ticket, greater than all before.
    fn name(&mut self, ticket: Ticket) {
        assert!(self.tickets.last().is_none_or(|last| *last < ticket), "tickets grow");
        self.numbers.insert(ticket, self.tickets.len());
        self.tickets.push(ticket);
    }

    fn carry_out(&mut self, command: &Command) -> Vec<Said> {
        let ticket = |number: &usize| self.tickets.get(*number).copied();
        let unknown = vec![Said::Refused(papermaker::order::RejectReason::UnknownOrder)];
        let result = match command {
            Command::Submit(order) => self.engine.submit(*order, &mut self.records).map(|new| self.name(new)),
            Command::Cancel(number) => {
                let Some(ticket) = ticket(number) else { return unknown };
                self.engine.cancel(ticket, &mut self.records).map(|_| ())
            }
            Command::Replace { number, kind, price, qty } => {
                let Some(old) = ticket(number) else { return unknown };
                let new = self.engine.replace(old, *kind, Ticks(*price), Lots(*qty), &mut self.records);
                new.map(|new| {
                    if new != old {
                        self.name(new)
                    }
                })
            }
        };
        match result {
            Ok(()) => self.words(),
            Err(reason) => {
                assert!(self.records.is_empty(), "a refusal changes nothing");
                vec![Said::Refused(reason)]
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Command {
    Submit(Incoming),
    Cancel(usize),
    Replace { number: usize, kind: OrderKind, price: i64, qty: i64 },
}

/// Runs both and compares every word; returns the two digests of everything said.
fn compare(habit: Option<SelfTrade>, commands: impl Iterator<Item = Command>) -> (Chain, Chain) {
    let (mut naive, mut told) = (Naive::preventing(habit), Told::preventing(habit));
    let (mut a, mut b) = (Chain::default(), Chain::default());
    let (mut came, mut went) = (0i64, 0i64);
    for (i, command) in commands.enumerate() {
        let before = naive.resting.len();
        let expected = match &command {
            Command::Submit(order) => naive.submit(order),
            Command::Cancel(number) => naive.cancel(*number),
            Command::Replace { number, kind, price, qty } => naive.replace(*number, *kind, *price, *qty),
        };
        let found = told.carry_out(&command);
        assert_eq!(expected, found, "command {i}: {command:?}, {before} resting");
        let is_new = |found: &[Said]| match &command {
            Command::Submit(_) => true,
            Command::Replace { .. } => found.iter().any(|s| matches!(s, Said::Removed { .. })),
            Command::Cancel(_) => false,
        };
        if let (Command::Submit(Incoming { qty: Lots(qty), .. }) | Command::Replace { qty, .. }, true, false) =
            (&command, is_new(&found), matches!(found.first(), Some(Said::Refused(_))))
        {
            came += qty;
        }
        went += found
            .iter()
            .map(|s| match s {
                // A traded lot leaves twice: it was in the buyer's order and in the seller's.
                Said::Trade { qty, .. } => 2 * qty,
                Said::Removed { qty, .. } | Said::Dropped { qty, .. } | Said::Reduced { qty, .. } => *qty,
                Said::Refused(_) | Said::Rested { .. } | Said::Level { .. } => 0,
            })
            .sum::<i64>();
        a.extend(i as u64, &canonical_bytes(&expected));
        b.extend(i as u64, &canonical_bytes(&found));
        if i % 16 == 0 {
            let mut resting = 0;
            for side in Side::BOTH {
                let levels = naive.levels(side);
                assert_eq!(told.engine.levels(side).collect::<Vec<_>>(), levels, "after command {i}");
                assert_eq!(told.engine.best(side), levels.first().copied());
                for level in &levels {
                    let n = |(ticket, qty): (Ticket, Lots)| (told.numbers[&ticket], qty.0);
                    let queue: Vec<_> = told.engine.queue(level.price).map(n).collect();
                    assert_eq!(queue, naive.queue(level.price.0), "after command {i}, at {:?}", level.price);
                }
                resting += levels.iter().map(|l| l.qty.0).sum::<i64>();
            }
            assert_eq!(came, went + resting, "lots are conserved, command {i}");
            assert_eq!(told.engine.resting(), naive.resting.len());
            told.listeners.check(&told.engine);
        }
    }
    told.listeners.check(&told.engine);
    (a, b)
}

fn kind() -> impl Strategy<Value = OrderKind> {
    prop_oneof![
        6 => Just(OrderKind::Limit),
        3 => Just(OrderKind::PostOnly),
        1 => Just(OrderKind::Ioc),
        1 => Just(OrderKind::Fok),
        1 => Just(OrderKind::Market),
    ]
}

/// Mostly around one price, sometimes at the ends of the world, sometimes nonsense.
fn price() -> impl Strategy<Value = i64> {
    let top = Engine::PRICE_MAX.0;
    prop_oneof![
        30 => 990i64..1010,
        3 => 1i64..200_000,
        1 => top - 3..top + 2,
        1 => -2i64..4,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(1i64 << 47)],
    ]
}

fn qty() -> impl Strategy<Value = i64> {
    let most = Engine::LOTS_MAX.0;
    prop_oneof![30 => 0i64..20, 1 => most - 2..most + 2, 1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(-1i64)]]
}

fn command() -> impl Strategy<Value = Command> {
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    let submit = (side, kind(), price(), qty(), 0u32..4).prop_map(|(side, kind, price, qty, owner)| {
        Command::Submit(Incoming::new(side, kind, Ticks(price), Lots(qty)).by(Owner(owner)))
    });
    let replace = (0usize..150, kind(), price(), qty()).prop_map(|(number, kind, price, qty)| Command::Replace {
        number,
        kind,
        price,
        qty,
    });
    prop_oneof![6 => submit, 2 => (0usize..150).prop_map(Command::Cancel), 2 => replace]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_says_word_for_word_what_a_searched_list_says(
        habit in prop::sample::select(&HABITS[..]),
        commands in prop::collection::vec(command(), 1..300),
    ) {
        let (naive, engine) = compare(habit, commands.into_iter());
        prop_assert_eq!(naive, engine);
    }
}

/// A market around a centre that drifts by up to `drift` ticks a command.
fn wander(seed: u64, commands: usize, drift: i64) -> impl Iterator<Item = Command> {
    let mut s = Stream::new(seed, "test.wander");
    let mut centre = 1_000_000i64;
    (0..commands).map(move |i| {
        centre = (centre + s.below(2 * drift as u64 + 1) as i64 - drift).max(5_000);
        let side = if s.chance(0.5) { Side::Bid } else { Side::Ask };
        let recent = i.saturating_sub(1 + s.below(200) as usize);
        let price = (centre - side.sign() * (s.exponential(40.0) as i64 - 8)).max(1);
        let qty = 1 + s.below(30) as i64;
        // Twice as many limit orders as all other kinds together.
        let kind = KINDS[s.below(15).min(4).saturating_sub(s.below(2) * 4) as usize];
        match s.below(10) {
            0..=2 => Command::Cancel(recent),
            3 => Command::Replace { number: recent, kind, price, qty },
            _ => Command::Submit(Incoming::new(side, kind, Ticks(price), Lots(qty)).by(Owner(s.below(4) as u32))),
        }
    })
}

#[test]
fn a_price_that_wanders_far_through_the_window_never_loses_an_order() {
    // The window moves hundreds of times.
    let (naive, engine) = compare(None, wander(5, 20_000, 900));
    assert_eq!(naive, engine);
}

#[test]
fn a_long_day_of_every_kind_of_order_under_every_habit_ends_as_the_list_does() {
    let commands = std::env::var("PAPERMAKER_TEST_COMMANDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    for (seed, habit) in HABITS.into_iter().enumerate() {
        for drift in [0, 3] {
            let (naive, engine) = compare(habit, wander(seed as u64, commands, drift));
            assert_eq!(naive, engine, "{habit:?}, drift {drift}");
        }
    }
}

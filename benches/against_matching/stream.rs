//! The market that all engines get.
//!
//! A mid that wanders by a tick, limit orders exponentially deep around it (six ticks on average), cancellations of a
//! random resting order, some 2,000 orders resting. An order that crosses asks for no more than rests up to its price,
//! because matchcore 0.4.0 trades a crossing limit order at any price ([`super::engines::Matchcore`]).

use papermaker::exchange::matching::{Engine, Incoming, Record, Ticket};
use papermaker::order::OrderKind;
use papermaker::rng::Stream;
use papermaker::units::{Lots, Side, Ticks};

/// Orders on their way are called by a small number, which is free again when they are gone: everybody keeps a list.
pub const NAMES: usize = 1 << 13;
/// How many orders rest when as many come as go.
const RESTING: f64 = 2_000.0;

/// What is asked of an engine.
#[derive(Clone, Copy)]
pub enum Order {
    Limit {
        name: u16,
        side: Side,
        price: u32,
        qty: u32,
    },
    /// Of an order that rests.
    Cancel {
        name: u16,
    },
    /// With somebody on the other side.
    Market {
        side: Side,
        qty: u32,
    },
}

/// `[orders]`, the same every time.
pub fn stream(orders: usize) -> Vec<Order> {
    let (mut engine, mut draws, mut records) = (Engine::new(), Stream::new(1, "bench.matching"), Vec::new());
    let mut mid = 1_000_000i64;
    let (mut resting, mut place): (Vec<(Ticket, u16)>, Vec<u32>) = (Vec::new(), vec![0; NAMES]);
    let mut names: Vec<u16> = (0..NAMES as u16).rev().collect();
    let mut all = Vec::with_capacity(orders);
    let mut names_by_slot = vec![0u16; 4 * NAMES];
    while all.len() < orders {
        if draws.chance(0.01) {
            mid += if draws.chance(0.5) { 1 } else { -1 };
        }
        let side = if draws.chance(0.5) { Side::Bid } else { Side::Ask };
        let (what, other) = (draws.uniform(), side.opposite());
        let order = if what < 0.05 {
            let Some(_) = engine.best(other) else { continue };
            let qty = 1 + draws.below(20) as u32;
            let order = Incoming::new(side, OrderKind::Market, Ticks(0), Lots(i64::from(qty)));
            engine.submit(order, &mut records).expect("somebody is there");
            Order::Market { side, qty }
        } else if what < 0.05 + 0.41 * resting.len() as f64 / RESTING {
            let (ticket, name) = resting[draws.below(resting.len() as u64) as usize];
            engine.cancel(ticket, &mut records).expect("it rests");
            Order::Cancel { name }
        } else {
            let depth = draws.exponential(6.0) as i64;
            let price = mid - side.sign() * depth + i64::from(side == Side::Ask);
            let reached = engine.levels(other).take_while(|l| !side.is_better(l.price, Ticks(price)));
            let reached: i64 = reached.map(|level| level.qty.0).sum();
            let qty = (1 + draws.below(10) as i64).min(if reached > 0 { reached } else { i64::MAX });
            let ticket = engine.submit(Incoming::new(side, OrderKind::Limit, Ticks(price), Lots(qty)), &mut records);
            let (ticket, name) = (ticket.expect("a legal order"), names.pop().expect("fewer orders than names"));
            names_by_slot[ticket.slot()] = name;
            if engine.order(ticket).is_some() {
                place[usize::from(name)] = resting.len() as u32;
                resting.push((ticket, name));
            } else {
                names.push(name);
            }
            Order::Limit { name, side, price: price as u32, qty: qty as u32 }
        };
        all.push(order);
        for record in records.drain(..) {
            let gone = match record {
                Record::Trade { maker, maker_left: Lots::ZERO, .. } => maker,
                Record::Removed { ticket, .. } => ticket,
                Record::Trade { .. }
                | Record::Rested { .. }
                | Record::Dropped { .. }
                | Record::Level { .. }
                | Record::Reduced { .. } => continue,
            };
            let name = names_by_slot[gone.slot()];
            let at = place[usize::from(name)] as usize;
            resting.swap_remove(at);
            if let Some((_, moved)) = resting.get(at) {
                place[usize::from(*moved)] = at as u32;
            }
            names.push(name);
        }
    }
    all
}

//! Two orders of one owner that would trade with each other, and orders that trade whole or not at all.
//!
//! What an order of its own owner takes away ([`SelfTrade`]) decides whether a fill-or-kill order can be filled, so
//! both are told here. Such an order is filled by others only: where its owner's resting orders are cancelled, by
//! everybody else up to its price; in the other habits, by those who come before the first order of its owner, because
//! there it would be cancelled or shrink. If it is killed, nobody's order is touched.

use super::super::habit::SelfTrade;
use super::ladder::NIL;
use super::record::{Incoming, Listener, Owner, Record, Ticket};
use super::{Engine, Resting};
use crate::units::{Lots, Ticks};

/// What the resting and the incoming order lose when they meet, of what each has left.
pub(super) fn lose(habit: SelfTrade, resting: i64, incoming: i64) -> (i64, i64) {
    match habit {
        SelfTrade::CancelMaker => (resting, 0),
        SelfTrade::CancelTaker => (0, incoming),
        SelfTrade::CancelBoth => (resting, incoming),
        SelfTrade::Decrement => (resting.min(incoming), resting.min(incoming)),
    }
}

/// Tells of such a meeting; `maker` has already lost its part.
pub(super) fn tell<L: Listener>(maker: &Resting, lost: i64, taker: Ticket, dropped: i64, listener: &mut L) {
    let (ticket, side, price, qty) = (maker.ticket, maker.side(), Ticks(maker.price()), Lots(lost));
    if maker.qty == 0 {
        listener.hear(Record::Removed { ticket, side, price, qty });
    } else if lost > 0 {
        listener.hear(Record::Reduced { ticket, side, price, qty, left: Lots(maker.qty) });
    }
    if dropped > 0 {
        listener.hear(Record::Dropped { ticket: taker, qty: Lots(dropped) });
    }
}

impl Engine {
    /// Whether all of an order can trade at `worst` or better.
    pub(super) fn could_fill(&self, order: &Incoming, worst: i64) -> bool {
        let other = order.side.opposite();
        let habit = self.self_trade.filter(|_| order.owner != Owner::NOBODY);
        let mut needed = order.qty.0;
        let mut next = self.best_price(other);
        while let Some(price) = next.filter(|price| other.sign() * price + worst >= 0) {
            let rung = self.ladder.get(price);
            let (others, is_blocked) = match habit {
                None => (rung.qty, false),
                Some(habit) => self.others_at(rung.head, order.owner, habit),
            };
            needed -= others;
            if needed <= 0 || is_blocked {
                break;
            }
            next = self.ladder.next(other, price);
        }
        needed <= 0
    }

    /// Lots an order of `owner` would find in a queue, and whether its own order then ends the search.
    fn others_at(&self, head: u32, owner: Owner, habit: SelfTrade) -> (i64, bool) {
        let (mut lots, mut slot) = (0, head);
        while slot != NIL {
            let order = &self.slab[slot as usize];
            if self.owners[slot as usize] != owner {
                lots += order.qty;
            } else if habit != SelfTrade::CancelMaker {
                return (lots, true);
            }
            slot = order.behind;
        }
        (lots, false)
    }
}

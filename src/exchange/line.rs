//! Who stands where in line, where a recording tells order by order.
//!
//! No guess is needed here: every resting order of others is known by name, so an order of ours joins behind exactly
//! those that rest at its price, moves forward by exactly what those ahead lose, and trades once a trade gets past them.
//! What happens behind us never matters.
//!
//! **One trade is told twice**: as a print, and as news of every order it filled. Each telling says how many lots got
//! past those ahead of us, so we own the larger of the two counts and never their sum, in whichever order they come.
//! Usually they are equal. They differ where an order ahead of us did not take part after all (its owner was the
//! taker, and the venue cancelled it instead of letting him trade with himself): the print was believed to be its, the
//! news says that somebody behind us got it. With the next change of the level both tellings are over.
//!
//! Reading order: [`Turn`] is our place, [`Line`] everybody else's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::{OrderNews, OrderStep};
use crate::units::{Lots, Side, Ticks};

/// Orders of others that are kept at most; who joins beyond it is not known, so that nobody can be exactly behind him. An
/// ES future has some ten thousand.
pub const ORDERS_MAX: usize = 1 << 19;

/// The orders of others that rest, each in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    orders: BTreeMap<u64, Standing>,
    bids: Places,
    asks: Places,
    /// The number of the next place: who joins later has the larger one.
    next: u64,
}

/// By price, then by place.
type Places = BTreeMap<(Ticks, u64), Lots>;

/// Where one of them rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    side: Side,
    price: Ticks,
    place: u64,
}

/// What a piece of news did to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Of the order that was told of.
    pub side: Side,
    /// Where it stood before; of one that we did not know, where it is said to be.
    pub price: Ticks,
    /// Its place before; the last one of an order we did not know.
    place: u64,
    /// How much less of it stands there now.
    less: Lots,
    /// How much of that was traded.
    pub traded: Lots,
}

impl Line {
    /// Takes news of one order in. Of an order that never joined nothing is believed.
    pub fn hear(&mut self, news: &OrderNews) -> Moved {
        let OrderNews { id, side, price, qty, step } = *news;
        let known = self.orders.get(&id).copied();
        let at = known.unwrap_or(Standing { side, price, place: self.next });
        let before = self.places(at.side).get(&(at.price, at.place)).copied().unwrap_or(Lots::ZERO);
        let moved = |now: Lots| {
            let less = before - now;
            let traded = if step == OrderStep::Filled { less } else { Lots::ZERO };
            Moved { side: at.side, price: at.price, place: at.place, less, traded }
        };
        match step {
            OrderStep::Joined => {
                self.remove(id, at);
                if qty > Lots::ZERO && self.orders.len() < ORDERS_MAX {
                    let standing = Standing { side, price, place: self.next };
                    self.next += 1;
                    self.orders.insert(id, standing);
                    self.places_mut(side).insert((price, standing.place), qty);
                }
                moved(Lots::ZERO)
            }
            OrderStep::Shrank | OrderStep::Left | OrderStep::Filled => {
                let now = if step == OrderStep::Left { Lots::ZERO } else { qty.min(before).max(Lots::ZERO) };
                if now == Lots::ZERO {
                    self.remove(id, at);
                } else {
                    self.places_mut(at.side).insert((at.price, at.place), now);
                }
                moved(now)
            }
        }
    }

    /// Nobody is known any more.
    pub fn forget(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    /// How many orders rest.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// What rests at a price.
    pub fn qty_at(&self, side: Side, price: Ticks) -> Lots {
        self.places(side).range((price, 0)..=(price, u64::MAX)).map(|(_, qty)| *qty).sum()
    }

    /// Behind everybody at a price where `displayed` lots are shown. `None` if the line does not account for them: then
    /// somebody stands there whom the recording did not name.
    pub fn join(&self, side: Side, price: Ticks, displayed: Lots) -> Option<Turn> {
        let (ahead, none) = (self.qty_at(side, price), Lots::ZERO);
        let turn =
            Turn { side, price, place: self.next, ahead, untold: none, past_by_prints: none, past_by_orders: none };
        (!self.is_empty() && ahead >= displayed).then_some(turn)
    }

    fn places(&self, side: Side) -> &Places {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn places_mut(&mut self, side: Side) -> &mut Places {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn remove(&mut self, id: u64, at: Standing) {
        self.orders.remove(&id);
        self.places_mut(at.side).remove(&(at.price, at.place));
    }
}

/// One order of ours in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    side: Side,
    price: Ticks,
    /// Who has a smaller one is ahead of us.
    place: u64,
    /// Lots of others ahead of us, as told order by order.
    ahead: Lots,
    /// Of those, printed but not yet told order by order; negative where the orders were told first.
    untold: Lots,
    /// Lots that got past those ahead since the level last changed, as the prints have it.
    past_by_prints: Lots,
    /// The same, as the news of orders has it.
    past_by_orders: Lots,
}

impl Turn {
    /// Lots of others ahead of us.
    pub fn ahead(&self) -> Lots {
        (self.ahead - self.untold.max(Lots::ZERO)).max(Lots::ZERO)
    }

    /// A print of `printed` lots at our price: how many of them are news to have got past those ahead of us.
    pub fn printed(&mut self, printed: Lots) -> Lots {
        let theirs = printed.min((self.ahead - self.untold).max(Lots::ZERO));
        self.untold += theirs;
        self.count(|turn| turn.past_by_prints += printed - theirs)
    }

    /// Somebody's order changed: how many lots are news to have got past those ahead of us.
    pub fn moved(&mut self, moved: &Moved) -> Lots {
        if (moved.side, moved.price) != (self.side, self.price) {
            return Lots::ZERO;
        }
        if moved.place >= self.place {
            return self.count(|turn| turn.past_by_orders += moved.traded);
        }
        self.ahead -= moved.less;
        self.untold -= moved.traded;
        Lots::ZERO
    }

    /// The level changed, so every order of the trades so far has been told.
    pub fn settled(&mut self) {
        (self.untold, self.past_by_prints, self.past_by_orders) = (Lots::ZERO, Lots::ZERO, Lots::ZERO);
    }

    fn count(&mut self, change: impl FnOnce(&mut Self)) -> Lots {
        let past = |turn: &Self| turn.past_by_prints.max(turn.past_by_orders);
        let before = past(self);
        change(self);
        past(self) - before
    }
}

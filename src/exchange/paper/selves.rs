//! Two orders of ours that would trade with each other.
//!
//! No venue lets them unless asked to, because it would be a trade that changes nothing and is forbidden in most
//! places. What happens instead differs ([`SelfTrade`]). An order of ours is met where it stands: after the better
//! prices, and at its own price after those ahead of it.

use super::super::habit::SelfTrade;
use super::Paper;
use super::arrival::Entering;
use crate::order::ReportKind;
use crate::units::{LocalTime, Lots, Ticks};

impl Paper {
    /// Our best order of the other side, if `order` reaches it and nobody at a better price than `until` comes first:
    /// its price and how many lots stand ahead of it.
    pub(super) fn in_the_way(&self, order: &Entering, until: Option<Ticks>) -> Option<(Ticks, Lots)> {
        let other = order.side.opposite();
        let best = self.own.side(other).first()?;
        let is_met = order.reaches(best.price) && until.is_none_or(|until| !other.is_better(until, best.price));
        is_met.then(|| (best.price, best.ahead()))
    }

    /// An arriving order with `remaining` lots left meets the best of ours on the other side. Says what is left of it;
    /// if that is nothing, its end has been said.
    pub(super) fn meet_ourselves(&mut self, order: &Entering, remaining: Lots, now: LocalTime) -> Lots {
        let other = order.side.opposite();
        let Some(best) = self.own.side_mut(other).first_mut() else { return remaining };
        let (id, resting) = (best.id, best.remaining);
        // What of each order ends here without a trade.
        let (lost_by_resting, lost_by_arriving) = match self.habits.self_trade {
            SelfTrade::CancelMaker => (resting, Lots::ZERO),
            SelfTrade::CancelTaker => (Lots::ZERO, remaining),
            SelfTrade::Decrement => (resting.min(remaining), resting.min(remaining)),
            SelfTrade::CancelBoth => (resting, remaining),
        };
        best.remaining -= lost_by_resting;
        let price = best.price;
        if best.remaining == Lots::ZERO {
            self.own.remove(id);
            self.said.say(now, id, ReportKind::Cancelled { remaining: resting });
        } else if lost_by_resting > Lots::ZERO {
            self.said.say(now, id, ReportKind::Amended { price, remaining: resting - lost_by_resting });
        }
        let left = remaining - lost_by_arriving;
        if left == Lots::ZERO {
            self.said.say(now, order.id, ReportKind::Cancelled { remaining });
        } else if lost_by_arriving > Lots::ZERO {
            self.said.say(now, order.id, ReportKind::Amended { price: order.price, remaining: left });
        }
        left
    }
}

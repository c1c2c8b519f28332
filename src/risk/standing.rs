//! Orders that rest when limits change: which of them could not be sent any more.
//!
//! The gate judges an order once, before it is sent. Limits that come later find it resting, and what may no longer be
//! sent may no longer rest either. Positions and exposure are not looked at here: the session weighs those after every
//! input, whoever changed them.

use super::limits::InstrumentLimits;
use crate::market::Instrument;
use crate::order::{Order, OrderId, OrderState};
use crate::signal::Top;
use crate::units::{Lots, Side, Ticks};

/// The orders of one instrument that these limits forbid, and of too many the youngest.
///
/// * `orders` — all that may still trade
/// * `top` — best bid and ask; without them nothing is said of prices, and nothing may rest anyway
/// * `position` — signed; of a bid and an ask too near to each other the one goes that makes it larger
pub fn forbidden(
    limits: &InstrumentLimits,
    rules: &Instrument,
    orders: &[Order],
    top: Option<Top>,
    position: Lots,
) -> Vec<OrderId> {
    let stays = |o: &&Order| o.kind.may_rest() && matches!(o.state, OrderState::Pending | OrderState::Working);
    let (mut kept, mut gone): (Vec<&Order>, Vec<&Order>) = orders.iter().filter(stays).partition(|order| {
        let distance = top.map_or(0, |top| {
            let twice = 2 * i128::from(order.price.0) - i128::from(top.twice_mid());
            centibps(twice, top).abs()
        });
        order.remaining <= limits.order_qty_max
            && rules.notional_quote(order.price, order.remaining) <= limits.order_notional_max
            && distance <= i128::from(limits.collar_centibps)
    });
    let best = |orders: &[&Order], side: Side| -> Option<Ticks> {
        let prices = orders.iter().filter(|o| o.side == side).map(|o| o.price);
        prices.max_by_key(|price| price.0 * side.sign())
    };
    if let (Some(top), Some(bid), Some(ask)) = (top, best(&kept, Side::Bid), best(&kept, Side::Ask)) {
        let apart = centibps(2 * (i128::from(ask.0) - i128::from(bid.0)), top);
        if apart < i128::from(limits.spread_min_centibps) {
            let growing = if position.0 > 0 { Side::Bid } else { Side::Ask };
            gone.extend(kept.extract_if(.., |order| order.side == growing));
        }
    }
    kept.sort_unstable_by_key(|order| order.id);
    let too_many = kept.len().saturating_sub(limits.open_orders_max as usize);
    gone.extend(kept.drain(kept.len() - too_many..));
    gone.iter().map(|order| order.id).collect()
}

/// Twice so many ticks in hundredths of a basis point of the mid, towards zero, as the gate counts.
fn centibps(twice: i128, top: Top) -> i128 {
    twice * 1_000_000 / i128::from(top.twice_mid().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Level, VenueId};
    use crate::order::OrderKind;
    use crate::units::{LocalTime, Money, Step};

    fn order(id: u64, side: Side, price: i64, remaining: i64, state: OrderState) -> Order {
        Order {
            id: OrderId(id),
            instrument: crate::market::InstrumentId(0),
            side,
            price: Ticks(price),
            qty: Lots(10),
            remaining: Lots(remaining),
            kind: OrderKind::PostOnly,
            state,
            sent: LocalTime(0),
            joined_behind: None,
        }
    }

    /// Bids of 4 at 990 and 998, an offer of 4 at 1002, one of 9 at 1002 that leaves already; the mid is 1000.
    fn gone(position: i64, set: impl FnOnce(&mut InstrumentLimits)) -> Vec<u64> {
        let one = Step::parse("1").unwrap();
        let rules = Instrument::new(VenueId::BinanceSpot, "TESTUSDT", "TEST", "USDT", one, one).unwrap();
        let level = |price| Level { price: Ticks(price), qty: Lots(9) };
        let top = Top { bid: level(999), ask: level(1_001) };
        let mut limits = InstrumentLimits {
            order_qty_max: Lots(10),
            order_notional_max: Money(10_000 * Money::PER_QUOTE),
            open_orders_max: 9,
            collar_centibps: 100_000,
            ..InstrumentLimits::nothing()
        };
        set(&mut limits);
        let orders = [
            order(1, Side::Bid, 990, 4, OrderState::Working),
            order(2, Side::Bid, 998, 4, OrderState::Pending),
            order(3, Side::Ask, 1_002, 4, OrderState::Working),
            order(4, Side::Ask, 1_002, 9, OrderState::Leaving),
        ];
        forbidden(&limits, &rules, &orders, Some(top), Lots(position)).iter().map(|id| id.0).collect()
    }

    #[test]
    fn what_could_not_be_sent_any_more_may_not_rest_either() {
        assert_eq!(gone(0, |_| ()), [0; 0]);
        assert_eq!(gone(0, |l| l.order_qty_max = Lots(3)), [1, 2, 3]);
        // 4 × 990 = 3960, 4 × 998 = 3992, 4 × 1002 = 4008.
        assert_eq!(gone(0, |l| l.order_notional_max = Money(3_992 * Money::PER_QUOTE)), [3]);
        // 990 is 100 bps from 1000, 998 and 1002 are 20.
        assert_eq!(gone(0, |l| l.collar_centibps = 9_999), [1]);
        assert_eq!(gone(0, |l| l.collar_centibps = 10_000), [0; 0]);
        // 998 to 1002 are 40 bps: what reduces a position stays.
        assert_eq!(gone(0, |l| l.spread_min_centibps = 4_000), [0; 0]);
        assert_eq!(gone(0, |l| l.spread_min_centibps = 4_001), [3]);
        assert_eq!(gone(5, |l| l.spread_min_centibps = 4_001), [1, 2]);
        assert_eq!(gone(-5, |l| l.spread_min_centibps = 4_001), [3]);
        // Of three the oldest stays.
        assert_eq!(gone(0, |l| l.open_orders_max = 1), [2, 3]);
        assert_eq!(gone(0, |l| l.open_orders_max = 0), [1, 2, 3]);
    }
}

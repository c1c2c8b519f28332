//! Wanted versus working: the fewest requests that bring our orders to what a decision wants.
//!
//! Queue priority is worth money, so an order that is near enough to its wanted price stays where it is. Orders and
//! quotes of a side are paired best first; a pair that agrees is left alone, a pair that does not is replaced, what
//! is left over is cancelled, what is missing is placed. An order we have not heard of yet is never moved.
//!
//! A replacement needs room for both orders, because the old one may still fill while it travels. Where the limit has
//! no such room the old order leaves first, and the new one follows when its cancellation is confirmed.

use crate::market::InstrumentId;
use crate::order::{Order, OrderId, OrderKind, OrderState, Request};
use crate::strategy::Quote;
use crate::units::{LocalTime, Lots, Nanos, Side};

use super::spec::QuotingSpec;

/// What the pairing needs to know besides orders and quotes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose orders.
    pub instrument: InstrumentId,
    /// Now.
    pub now: LocalTime,
    /// Twice the mid, ticks: what tolerances are proportions of.
    pub twice_mid: i64,
    /// Tolerances.
    pub quoting: &'a QuotingSpec,
    /// Lots a side may still send beyond everything that may trade already.
    pub spare: [Lots; 2],
}

/// Appends the requests that turn `orders` into `quotes`. `next_id` gives each new order its number.
pub fn reconcile(
    context: &Context<'_>,
    orders: &[Order],
    quotes: &[Quote],
    next_id: &mut impl FnMut() -> OrderId,
    requests: &mut Vec<Request>,
) {
    for side in Side::BOTH {
        let mut wanted = quotes.iter().filter(|q| q.side == side);
        let mut spare = context.spare[side as usize];
        let mut leaving = orders.iter().any(|o| o.side == side && o.state == OrderState::Leaving);
        for order in best_first(orders, side) {
            match wanted.next() {
                Some(_) if order.state == OrderState::Pending => {}
                Some(quote) if agrees(context, order, quote) => {}
                Some(quote) if quote.qty <= spare => {
                    spare -= quote.qty;
                    requests.push(Request::Replace {
                        old: order.id,
                        new: next_id(),
                        instrument: context.instrument,
                        price: quote.price,
                        qty: quote.qty,
                    });
                }
                Some(_) | None => {
                    leaving = true;
                    requests.push(Request::Cancel { id: order.id, instrument: context.instrument });
                }
            }
        }
        for quote in wanted {
            // What has no room yet waits for those that leave; if nobody leaves, the gate says why not.
            if quote.qty > spare && leaving {
                continue;
            }
            spare -= quote.qty;
            requests.push(Request::Place {
                id: next_id(),
                instrument: context.instrument,
                side,
                price: quote.price,
                qty: quote.qty,
                kind: OrderKind::PostOnly,
            });
        }
    }
}

/// Orders of a side that are not already leaving: best price first, then first come.
fn best_first(orders: &[Order], side: Side) -> Vec<&Order> {
    let is_staying = |o: &&Order| o.side == side && matches!(o.state, OrderState::Pending | OrderState::Working);
    let mut staying: Vec<&Order> = orders.iter().filter(is_staying).collect();
    staying.sort_unstable_by_key(|o| (-o.price.0 * side.sign(), o.id));
    staying
}

/// Whether an order may stay where it is: near enough in price, not too old, not larger than wanted, and with at
/// least half of what is wanted left (a part fill does not give up its place in line).
fn agrees(context: &Context<'_>, order: &Order, quote: &Quote) -> bool {
    let distance = i128::from((order.price - quote.price).abs().0) * 2 * 1_000_000;
    let tolerance = i128::from(context.twice_mid) * i128::from(context.quoting.refresh_tolerance_centibps);
    let too_old =
        context.quoting.order_age_max > Nanos::ZERO && context.now.since(order.sent) > context.quoting.order_age_max;
    distance <= tolerance && !too_old && order.remaining <= quote.qty && Lots(order.remaining.0 * 2) >= quote.qty
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ticks;

    fn order(id: u64, side: Side, price: i64, state: OrderState) -> Order {
        Order {
            id: OrderId(id),
            instrument: InstrumentId(0),
            side,
            price: Ticks(price),
            qty: Lots(10),
            remaining: Lots(10),
            kind: OrderKind::PostOnly,
            state,
            sent: LocalTime(0),
            joined_behind: None,
        }
    }

    fn quote(side: Side, price: i64) -> Quote {
        Quote { side, price: Ticks(price), qty: Lots(10) }
    }

    /// Requests in short: `P1@999` place order 1 at 999, `C2` cancel 2, `R2>3@998` replace 2 by 3.
    fn requests(orders: &[Order], quotes: &[Quote]) -> Vec<String> {
        requests_within(Lots(1_000), orders, quotes)
    }

    fn requests_within(spare: Lots, orders: &[Order], quotes: &[Quote]) -> Vec<String> {
        let quoting = QuotingSpec {
            decide_every: Nanos::ZERO,
            refresh_tolerance_centibps: 1_000,
            order_age_max: Nanos::from_s(60),
        };
        let context = Context {
            instrument: InstrumentId(0),
            now: LocalTime(0) + Nanos::from_s(1),
            twice_mid: 20_000,
            quoting: &quoting,
            spare: [spare; 2],
        };
        let mut found = Vec::new();
        let mut next = 100;
        let mut next_id = || {
            next += 1;
            OrderId(next)
        };
        reconcile(&context, orders, quotes, &mut next_id, &mut found);
        found
            .iter()
            .map(|r| match r {
                Request::Place { id, price, .. } => format!("P{}@{}", id.0, price.0),
                Request::Cancel { id, .. } => format!("C{}", id.0),
                Request::Replace { old, new, price, .. } => format!("R{}>{}@{}", old.0, new.0, price.0),
            })
            .collect()
    }

    #[test]
    fn an_order_within_tolerance_keeps_its_queue() {
        // 10 bps of 10 000 is 10 ticks: 9 990 may stay for a wanted 9 999, but not for 10 001.
        let resting = [order(1, Side::Bid, 9_990, OrderState::Working)];
        assert_eq!(requests(&resting, &[quote(Side::Bid, 9_999)]), Vec::<String>::new());
        assert_eq!(requests(&resting, &[quote(Side::Bid, 10_001)]), ["R1>101@10001"]);
    }

    #[test]
    fn missing_quotes_are_placed_and_extra_orders_cancelled() {
        let resting =
            [order(1, Side::Ask, 10_010, OrderState::Working), order(2, Side::Ask, 10_005, OrderState::Working)];
        assert_eq!(requests(&resting, &[quote(Side::Bid, 9_990), quote(Side::Ask, 10_005)]), ["P101@9990", "C1"]);
    }

    #[test]
    fn an_order_not_heard_of_yet_is_left_alone_and_one_that_leaves_makes_room() {
        assert_eq!(
            requests(&[order(1, Side::Bid, 9_000, OrderState::Pending)], &[quote(Side::Bid, 9_999)]),
            Vec::<String>::new()
        );
        assert_eq!(
            requests(&[order(1, Side::Bid, 9_000, OrderState::Leaving)], &[quote(Side::Bid, 9_999)]),
            ["P101@9999"]
        );
    }

    #[test]
    fn without_room_for_both_the_old_order_leaves_before_the_new_one_comes() {
        let wanted = [quote(Side::Bid, 9_999)];
        assert_eq!(requests_within(Lots(9), &[order(1, Side::Bid, 9_000, OrderState::Working)], &wanted), ["C1"]);
        assert!(requests_within(Lots(9), &[order(1, Side::Bid, 9_000, OrderState::Leaving)], &wanted).is_empty());
        assert_eq!(requests_within(Lots(10), &[], &wanted), ["P101@9999"]);
        // Nobody is in the way: the gate shall say why it does not fit.
        assert_eq!(requests_within(Lots(9), &[], &wanted), ["P101@9999"]);
    }

    #[test]
    fn a_part_fill_stays_until_half_is_gone() {
        let mut resting = [order(1, Side::Bid, 9_999, OrderState::Working)];
        resting[0].remaining = Lots(5);
        assert_eq!(requests(&resting, &[quote(Side::Bid, 9_999)]), Vec::<String>::new());
        resting[0].remaining = Lots(4);
        assert_eq!(requests(&resting, &[quote(Side::Bid, 9_999)]), ["R1>101@9999"]);
    }
}

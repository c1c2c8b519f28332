//! The venue's rules, with the venue's own reason.

use super::super::Visible;
use super::arrival::Entering;
use crate::market::Status;
use crate::order::{OrderKind, RejectReason};
use crate::units::{Lots, Rate};

/// Why the venue does not even look at its book for this order. A market order has no price, so the rules on
/// prices do not concern it; its notional is taken at its collar. On the price band the venue's own reference is an
/// average of trades we do not have; ours is the mid, and no mid means no band.
pub(super) fn refusal(order: &Entering, market: &Visible<'_>) -> Option<RejectReason> {
    let rules = market.rules;
    let open = match rules.status {
        Status::Trading => true,
        Status::PostOnly => order.kind == OrderKind::PostOnly,
        Status::CancelOnly | Status::Halted | Status::Delisted | Status::Unknown => false,
    };
    let priced = order.kind != OrderKind::Market;
    if !open {
        Some(RejectReason::NotTrading)
    } else if order.qty < rules.min_qty || order.qty > rules.max_qty || order.qty <= Lots::ZERO {
        Some(RejectReason::LotSize)
    } else if priced && (order.price.0 <= 0 || !rules.price_rule.allows(rules.tick, order.price)) {
        Some(RejectReason::PriceFilter)
    } else if rules.notional_quote(order.price, order.qty) < rules.min_notional {
        Some(RejectReason::Notional)
    } else if priced && is_out_of_band(order, market) {
        Some(RejectReason::PercentPrice)
    } else {
        None
    }
}

/// `low · mid ≤ price ≤ high · mid`, times two so that everything is an integer.
fn is_out_of_band(order: &Entering, market: &Visible<'_>) -> bool {
    let (Some((low, high)), Some(top)) = (market.rules.price_band, market.top) else { return false };
    let price = i128::from(order.price.0) * 2 * Rate::ONE;
    let at = |rate: Rate| i128::from(rate.0) * i128::from(top.twice_mid());
    price < at(low) || price > at(high)
}

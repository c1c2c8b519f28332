//! The venue's rules, with the venue's own reason.

use crate::market::{Instrument, Status};
use crate::order::{OrderKind, RejectReason};
use crate::units::{Lots, Rate, Ticks};

/// Why the venue does not even look at its book for this order. A market order has no price, so the rules on
/// prices do not concern it; its notional is taken at its collar. On the price band the venue's own reference is an
/// average of trades we do not have; ours is the mid, and no mid means no band.
pub fn refusal(
    rules: &Instrument,
    twice_mid: Option<i64>,
    kind: OrderKind,
    price: Ticks,
    qty: Lots,
) -> Option<RejectReason> {
    let open = match rules.status {
        Status::Trading => true,
        Status::PostOnly => kind == OrderKind::PostOnly,
        Status::CancelOnly | Status::Halted | Status::Delisted | Status::Unknown => false,
    };
    let priced = kind != OrderKind::Market;
    if !open {
        Some(RejectReason::NotTrading)
    } else if qty < rules.min_qty || qty > rules.max_qty || qty <= Lots::ZERO {
        Some(RejectReason::LotSize)
    } else if priced && (price.0 <= 0 || !rules.price_rule.allows(rules.tick, price)) {
        Some(RejectReason::PriceFilter)
    } else if rules.notional_quote(price, qty) < rules.min_notional {
        Some(RejectReason::Notional)
    } else if priced && is_out_of_band(rules, twice_mid, price) {
        Some(RejectReason::PercentPrice)
    } else {
        None
    }
}

/// `low · mid ≤ price ≤ high · mid`, times two so that everything is an integer.
fn is_out_of_band(rules: &Instrument, twice_mid: Option<i64>, price: Ticks) -> bool {
    let (Some((low, high)), Some(twice_mid)) = (rules.price_band, twice_mid) else { return false };
    let price = i128::from(price.0) * 2 * Rate::ONE;
    let at = |rate: Rate| i128::from(rate.0) * i128::from(twice_mid);
    price < at(low) || price > at(high)
}

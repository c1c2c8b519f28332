//! From two prices to the orders that should rest: levels, sizes, floors, and what is never done.
//!
//! Never done, whatever a formula says: a quote that would cross (it stops one tick before the other side's best), a
//! quote beyond the room the limits leave, a size the venue would refuse for being small. Rounding is away from the
//! reservation price, so it never makes a quote more aggressive than was decided. A side is missing only where its
//! room is smaller than the smallest order, or where its price would not be positive.

use arrayvec::ArrayVec;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::settings::{Settings, StrategyError, not_allowed};
use super::{Decision, Idle, QUOTES_MAX, Quote, View, Wanted, Why};
use crate::market::{Instrument, Kind};
use crate::numeric;
use crate::units::{LocalTime, Lots, Nanos, Rate, Side, Ticks, to_tick};

/// Where each side's best quote should be: a centre and the distances from it, ticks. `None` quotes nothing on that side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) reservation: f64,
    pub(super) bid_distance: Option<f64>,
    pub(super) ask_distance: Option<f64>,
}

/// The settings every strategy shares, and what it remembers of fills.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    base: Amounts,
    /// Of inverse contracts, whose quantities are in quote units.
    quote: Option<Amounts>,
    /// `e^{-η}` per order amount of inventory, 1 when η is 0.
    shape_factor: f64,
    /// Further levels: distance behind the first, ticks or basis points of the mid.
    further: ArrayVec<f64, { QUOTES_MAX / 2 }>,
    further_in_bps: bool,
    min_spread_bps: f64,
    add_transaction_costs: bool,
    filled_order_delay: Nanos,
    /// `order_amount` and `inventory_target` in lots of the rules with this revision.
    revision: u32,
    order_lots: Lots,
    target_lots: Lots,
    /// The venue's smallest order: in lots, and its smallest `price × qty` in ticks times lots.
    qty_least: Lots,
    tick_lots_least: i64,
    pub(super) memory: Memory,
}

/// Size of an order and the inventory to come back to, as written.
#[derive(Clone, Copy, Debug)]
struct Amounts {
    order: Decimal,
    target: Decimal,
    keys: [&'static str; 2],
}

/// What `filled_order_delay_ms` has to remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    position: Option<Lots>,
    filled: Option<LocalTime>,
}

impl Ladder {
    pub(super) fn take(settings: &mut Settings) -> Result<Self, StrategyError> {
        let order = settings.decimal("order_amount_base", None, "base currency per order")?;
        let target = settings.decimal("inventory_target_base", Some(Decimal::ZERO), "base currency")?;
        let base = Amounts { order, target, keys: ["order_amount_base", "inventory_target_base"] };
        let order = settings.maybe_decimal("order_amount_quote", "quote currency per order of an inverse contract")?;
        let target = settings.decimal("inventory_target_quote", Some(Decimal::ZERO), "quote currency")?;
        let quote =
            order.map(|order| Amounts { order, target, keys: ["order_amount_quote", "inventory_target_quote"] });
        for Amounts { order, keys: [key, _], .. } in [Some(base), quote].into_iter().flatten() {
            if order <= Decimal::ZERO {
                return Err(not_allowed(key, &order, "more than 0".to_owned()));
            }
        }
        let eta = settings.number("order_amount_shape_factor", 0.0, 0.0..=10.0, "per order amount of inventory")?;
        let levels = settings.count("order_levels", 1, 1..=(QUOTES_MAX as i64 / 2), "levels a side")?;
        let in_ticks = settings.maybe_numbers("level_distances_ticks", 0.0..=1e9, "ticks behind the first level")?;
        let in_bps = settings.maybe_numbers("level_distances_bps", 0.0..=10_000.0, "basis points of the mid")?;
        let further_in_bps = in_bps.is_some();
        let further = match (in_ticks, in_bps) {
            (Some(_), Some(_)) => {
                return Err(StrategyError::Conflict(
                    "level_distances_ticks and level_distances_bps say the same thing; keep one".to_owned(),
                ));
            }
            (Some(list), None) | (None, Some(list)) => list,
            (None, None) => Vec::new(),
        };
        if further.len() as i64 != levels - 1 || further.windows(2).any(|w| w[1] <= w[0]) {
            return Err(StrategyError::Conflict(format!(
                "order_levels = {levels} needs {} rising level_distances_ticks (or _bps), found {further:?}",
                levels - 1
            )));
        }
        Ok(Self {
            base,
            quote,
            shape_factor: numeric::exp(-eta),
            further: further.into_iter().collect(),
            further_in_bps,
            min_spread_bps: settings.number("min_spread_bps", 0.0, 0.0..=10_000.0, "basis points of the mid")?,
            add_transaction_costs: settings.flag("add_transaction_costs", false)?,
            filled_order_delay: Nanos::from_ms(settings.count(
                "filled_order_delay_ms",
                0,
                0..=3_600_000,
                "milliseconds",
            )?),
            revision: 0,
            order_lots: Lots(1),
            target_lots: Lots(0),
            qty_least: Lots(1),
            tick_lots_least: 0,
            memory: Memory::default(),
        })
    }

    /// Turns amounts into lots; refuses what is between two lots or below the venue's smallest order.
    pub(super) fn fit(&mut self, rules: &Instrument) -> Result<(), StrategyError> {
        let count = |key, value: Decimal| {
            rules
                .lot
                .count(value)
                .map(Lots)
                .map_err(|_| not_allowed(key, &value, format!("a multiple of the lot {}", rules.lot)))
        };
        let meaning = "quote currency per order: the strategy is to quote an inverse contract";
        let Amounts { order, target, keys } =
            self.amounts(rules).ok_or(StrategyError::Missing { key: "order_amount_quote", meaning })?;
        let order_lots = count(keys[0], order)?;
        if order_lots < rules.min_qty || order_lots > rules.max_qty {
            let (low, high) = (rules.qty_text(rules.min_qty), rules.qty_text(rules.max_qty));
            return Err(not_allowed(keys[0], &order, format!("{low} to {high} for {}", rules.label())));
        }
        self.target_lots = count(keys[1], target)?;
        self.order_lots = order_lots;
        self.heed(rules);
        Ok(())
    }

    /// The amounts in the units this instrument's quantities are in.
    fn amounts(&self, rules: &Instrument) -> Option<Amounts> {
        match rules.contract.kind {
            Kind::Spot | Kind::Linear => Some(self.base),
            Kind::Inverse => self.quote,
        }
    }

    /// The venue changed its lot in mid-session: the nearest amount that is not more.
    fn refit(&mut self, rules: &Instrument) {
        let (order, target) = self.amounts(rules).map_or_else(Default::default, |it| (it.order, it.target));
        self.order_lots = Lots(rules.lot.count_floor(order).max(rules.min_qty.0).max(1));
        let target = target / rules.lot.size();
        self.target_lots = Lots(target.trunc().to_i64().unwrap_or(0));
        self.heed(rules);
    }

    /// Called first in every decision: watches fills and rules. An error says why not to quote now.
    pub(super) fn attend(&mut self, view: &View<'_>) -> Result<(), Idle> {
        if view.rules.revision != self.revision {
            self.refit(view.rules);
        }
        if self.filled_order_delay == Nanos::ZERO {
            return Ok(());
        }
        if self.memory.position.is_some_and(|before| before != view.position) {
            self.memory.filled = Some(view.now);
        }
        self.memory.position = Some(view.position);
        match self.memory.filled {
            Some(filled) if view.now.since(filled) < self.filled_order_delay => Err(Idle::AfterFill),
            Some(_) | None => Ok(()),
        }
    }

    /// Inventory away from its target, in order amounts, long is positive.
    pub(super) fn inventory(&self, view: &View<'_>) -> f64 {
        (view.position - self.target_lots).0 as f64 / self.order_lots.0 as f64
    }

    /// Lots in one order amount.
    pub(super) fn order_lots(&self) -> f64 {
        self.order_lots.0 as f64
    }

    /// The decision for a target, or for the reason there is none.
    pub(super) fn decide(&self, view: &View<'_>, answer: Result<(Target, Why), Idle>) -> Decision {
        let nothing =
            |idle| Decision { instrument: view.instrument, wanted: Wanted::Nothing(idle), why: Why::default() };
        let (target, mut why) = match answer {
            Ok(found) => found,
            Err(idle) => return nothing(idle),
        };
        let finite = |distance: Option<f64>| distance.is_none_or(f64::is_finite);
        if !(target.reservation.is_finite() && finite(target.bid_distance) && finite(target.ask_distance)) {
            return nothing(Idle::NoFiniteQuote);
        }
        let mid = view.top.mid();
        // Both halves of a spread that pays the fees of both fills: our fee on either side of a round trip.
        let costs = if self.add_transaction_costs { mid * view.maker_fee.0 as f64 / Rate::ONE as f64 } else { 0.0 };
        let floor = 0.5 * self.min_spread_bps * 1e-4 * mid;
        let widened = |distance: f64| (distance + costs).max(floor);
        let (bid, ask) = (target.bid_distance.map(widened), target.ask_distance.map(widened));
        why.reservation = target.reservation;
        why.bid_distance = bid.unwrap_or(0.0);
        why.ask_distance = ask.unwrap_or(0.0);

        let inventory = self.inventory(view);
        let mut quotes = ArrayVec::new();
        if let Some(distance) = bid {
            self.quote_side(view, Side::Bid, target.reservation - distance, inventory, &mut quotes);
        }
        if let Some(distance) = ask {
            self.quote_side(view, Side::Ask, target.reservation + distance, inventory, &mut quotes);
        }
        Decision { instrument: view.instrument, wanted: Wanted::Quotes(quotes), why }
    }

    fn quote_side(
        &self,
        view: &View<'_>,
        side: Side,
        first: f64,
        inventory: f64,
        quotes: &mut ArrayVec<Quote, QUOTES_MAX>,
    ) {
        let sign = side.sign();
        let mut room = match side {
            Side::Bid => view.room_to_buy,
            Side::Ask => view.room_to_sell,
        };
        // One tick before the other side's best is as close as a resting order can be.
        let limit = Ticks(view.top.price(side.opposite()).0 - sign);
        let size = self.size(side, inventory);
        let mut previous: Option<Ticks> = None;
        for level in 0..=self.further.len() {
            let behind = match (level, self.further_in_bps) {
                (0, _) => 0.0,
                (n, false) => self.further[n - 1],
                (n, true) => self.further[n - 1] * 1e-4 * view.top.mid(),
            };
            let mut price = to_tick(first - sign as f64 * behind, side);
            if side.is_better(price, limit) {
                price = limit;
            }
            price = view.rules.snap(side, price);
            if let Some(previous) = previous
                && !side.is_better(previous, price)
            {
                price = view.rules.snap(side, Ticks(previous.0 - sign));
            }
            if price.0 < 1 {
                return;
            }
            let smallest = self.smallest_order(price);
            let qty = Lots(size.0.max(smallest.0).min(room.0).min(view.rules.max_qty.0));
            if qty < smallest {
                return;
            }
            quotes.push(Quote { side, price, qty });
            room -= qty;
            previous = Some(price);
        }
    }

    /// `order_amount·e^{-η·|q|}` on the side that would add to the inventory `q`, else `order_amount`; whole lots.
    fn size(&self, side: Side, inventory: f64) -> Lots {
        let heavy = inventory * side.sign() as f64;
        if self.shape_factor == 1.0 || heavy <= 0.0 {
            return self.order_lots;
        }
        Lots((self.order_lots.0 as f64 * numeric::pow(self.shape_factor, heavy)) as i64)
    }

    /// The fewest lots the venue takes at `price`.
    fn smallest_order(&self, price: Ticks) -> Lots {
        if price.0.saturating_mul(self.qty_least.0) >= self.tick_lots_least {
            self.qty_least
        } else {
            Lots((self.tick_lots_least + price.0 - 1) / price.0)
        }
    }

    fn heed(&mut self, rules: &Instrument) {
        // What one lot (at a price of one tick, where the price matters) adds to an order's worth in quote currency.
        let worth = rules.notional_quote(Ticks(1), Lots(1)).0;
        let least = i64::try_from((rules.min_notional.0 + worth - 1) / worth).unwrap_or(i64::MAX / 2);
        let smallest = rules.min_qty.max(Lots(1));
        (self.qty_least, self.tick_lots_least) = match rules.contract.kind {
            Kind::Spot | Kind::Linear => (smallest, least),
            Kind::Inverse => (smallest.max(Lots(least)), 0),
        };
        self.revision = rules.revision;
    }
}

impl Memory {
    pub(super) fn save(&self) -> Vec<u8> {
        crate::digest::canonical_bytes(self)
    }

    pub(super) fn restore(saved: &[u8]) -> Result<Self, String> {
        postcard::from_bytes(saved).map_err(|e| format!("not a saved memory of fills: {e}"))
    }
}

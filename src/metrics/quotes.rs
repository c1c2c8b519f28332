//! What we had in the market, and for how long, as we knew it.

use std::collections::BTreeMap;

use super::sketch::{Dwell, Sketch};
use super::summary::{Quoting, Trading, seconds};
use crate::market::Instrument;
use crate::order::{Fill, Liquidity, OrderId, Report, ReportKind, Request};
use crate::units::{LocalTime, Money, Nanos, Side, Ticks};

/// An order that may still trade.
#[derive(Clone, Copy, Debug)]
struct Alive {
    side: Side,
    price: Ticks,
    /// When the venue took it in, on our clock.
    since: Option<LocalTime>,
    has_traded: bool,
}

/// The orders of one instrument: those alive, and sums over all.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotes {
    alive: BTreeMap<OrderId, Alive>,
    /// Our best resting bid and ask.
    best: [Option<Ticks>; 2],
    up: [Nanos; 2],
    both_up: Nanos,
    width: Dwell,
    width_bps: Dwell,
    in_queue: Sketch,
    sums: Trading,
}

impl Quotes {
    /// Lets time pass.
    pub fn pass(&mut self, time: Nanos) {
        for side in Side::BOTH {
            if self.best[side as usize].is_some() {
                self.up[side as usize] += time;
            }
        }
        if let [Some(_), Some(_)] = self.best {
            self.both_up += time;
        }
        self.width.pass(time);
        self.width_bps.pass(time);
    }

    /// A request went out.
    pub fn send(&mut self, request: &Request) {
        let new = |side, price| Alive { side, price, since: None, has_traded: false };
        match *request {
            Request::Place { id, side, price, .. } => {
                self.sums.placed += 1;
                self.alive.insert(id, new(side, price));
            }
            Request::Cancel { .. } => self.sums.cancels += 1,
            Request::Replace { old, new: id, price, .. } => {
                self.sums.replaces += 1;
                if let Some(order) = self.alive.get(&old) {
                    self.alive.insert(id, new(order.side, price));
                }
            }
        }
    }

    /// The gate said no.
    pub fn refuse(&mut self, code: &'static str) {
        *self.sums.refusals.entry(code).or_default() += 1;
    }

    /// The venue's word.
    pub fn hear(&mut self, rules: &Instrument, report: &Report) {
        let Report { id, happened, kind, .. } = report;
        match kind {
            ReportKind::Accepted { .. } => self.rest(*id, *happened),
            ReportKind::Replaced { old, .. } => {
                self.alive.remove(old);
                self.rest(*id, *happened);
            }
            ReportKind::Rejected(reason) => {
                self.alive.remove(id);
                *self.sums.rejections.entry(reason.to_string()).or_default() += 1;
            }
            ReportKind::CancelRejected(reason) => {
                *self.sums.rejections.entry(reason.to_string()).or_default() += 1;
            }
            ReportKind::Cancelled { .. } => {
                self.alive.remove(id);
            }
            ReportKind::Filled(fill) => self.fill(rules, *id, *happened, fill),
            ReportKind::Amended { price, remaining } => {
                if remaining.0 == 0 {
                    self.alive.remove(id);
                } else if let Some(order) = self.alive.get_mut(id) {
                    order.price = *price;
                }
            }
        }
        self.look(rules);
    }

    /// How long an order has rested by then; `None` of one that does not.
    pub fn waited(&self, id: OrderId, at: LocalTime) -> Option<Nanos> {
        self.alive.get(&id)?.since.map(|since| at.since(since))
    }

    fn rest(&mut self, id: OrderId, at: LocalTime) {
        self.sums.accepted += 1;
        if let Some(order) = self.alive.get_mut(&id) {
            order.since = Some(at);
        }
    }

    fn fill(&mut self, rules: &Instrument, id: OrderId, at: LocalTime, fill: &Fill) {
        self.sums.num_trades += 1;
        self.sums.trading_volume += fill.qty.0 as f64 * rules.lot.to_f64();
        self.sums.trading_value += rules.notional(fill.price, fill.qty);
        let Some(order) = self.alive.get_mut(&id) else { return };
        if !std::mem::replace(&mut order.has_traded, true) {
            self.sums.filled_orders += 1;
        }
        match (fill.liquidity, order.since) {
            (Liquidity::Maker, Some(since)) => {
                self.sums.maker_trades += 1;
                self.in_queue.add(seconds(at.since(since)), 1);
            }
            (Liquidity::Maker, None) => self.sums.maker_trades += 1,
            (Liquidity::Taker, _) => {}
        }
        if fill.remaining.0 == 0 {
            self.alive.remove(&id);
        }
    }

    /// What rests best now.
    fn look(&mut self, rules: &Instrument) {
        let resting = |side| self.alive.values().filter(move |o| o.side == side && o.since.is_some()).map(|o| o.price);
        let best = [resting(Side::Bid).max(), resting(Side::Ask).min()];
        if best == self.best {
            return;
        }
        self.best = best;
        let (width, bps) = match best {
            [Some(bid), Some(ask)] => {
                let width = (ask - bid).0 as f64;
                (Some(width * rules.tick.to_f64()), Some(width / (0.5 * (ask + bid).0 as f64) * 1e4))
            }
            _ => (None, None),
        };
        self.width.change(width);
        self.width_bps.change(bps);
    }

    /// Our best resting bid and ask.
    pub fn best(&self) -> [Option<Ticks>; 2] {
        self.best
    }

    /// Orders and trades so far, for a profit.
    pub fn trading(&self, pnl: Money) -> Trading {
        let made = self.sums.placed + self.sums.replaces;
        Trading {
            fill_ratio: (made > 0).then(|| self.sums.filled_orders as f64 / made as f64),
            return_over_trade: super::returns::return_over_trade(pnl.to_f64(), self.sums.trading_value.to_f64()),
            time_in_queue_s: self.in_queue.quantiles(),
            ..self.sums.clone()
        }
    }

    /// What rested, as shares of so long a time.
    pub fn quoting(&mut self, of: Nanos) -> Quoting {
        let share = |time: Nanos| if of > Nanos::ZERO { time.0 as f64 / of.0 as f64 } else { 0.0 };
        Quoting {
            bid_uptime: share(self.up[Side::Bid as usize]),
            ask_uptime: share(self.up[Side::Ask as usize]),
            two_sided_uptime: share(self.both_up),
            width: self.width.settled().0.quantiles(),
            width_bps: self.width_bps.settled().0.quantiles(),
        }
    }
}

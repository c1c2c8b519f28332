//! Whether an action of ours went beyond a limit, counted from outside and not by the gate.
//!
//! Prices may carry us beyond a limit, and a lowered limit may leave us beyond it; neither is an action of ours. What is
//! looked at is an order sent: with it, is there more at stake than allowed, and more than without it?

use crate::engine::{Input, Output, Session, Stamped};
use crate::market::{InstrumentId, MarketEventKind, VenueId};
use crate::order::{Order, OrderId, OrderState, Request};
use crate::risk::{InstrumentLimits, Limit};
use crate::units::{LocalTime, Lots, Money, Side, Ticks};

/// An order that should not have been sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Breach {
    /// With which input.
    pub seq: u64,
    /// The reason code it should have been refused with.
    pub code: String,
    /// What it came to, and what is allowed.
    pub words: String,
}

/// A fold over a session.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// Worst position per instrument and side after the last input, lots.
    before: Vec<[i64; 2]>,
    breaches: Vec<Breach>,
    at: LocalTime,
}

impl Oracle {
    /// What was found.
    pub fn into_breaches(self) -> Vec<Breach> {
        self.breaches
    }

    /// After an input that made the session say `said`.
    pub fn step(&mut self, session: &Session, input: &Stamped, said: &[Output]) {
        self.at = session.now();
        self.before.resize(session.len(), [0; 2]);
        let is_new_rules = matches!(&input.input, Input::Market(e) if matches!(e.kind, MarketEventKind::Rules(_)));
        let sent: Vec<(OrderId, InstrumentId, Ticks, Lots)> = said.iter().filter_map(order_sent).collect();
        let limits = session.limits();
        for i in 0..session.len() {
            let (id, own) = (InstrumentId(i as u16), &limits.instruments[i]);
            let orders = session.orders(id);
            let is_ours = |(_, of, ..): &&(OrderId, InstrumentId, Ticks, Lots)| *of == id;
            for side in Side::BOTH {
                let now = worst(session, id, side);
                let before = std::mem::replace(&mut self.before[i][side as usize], now);
                let (limit, max) = match side {
                    Side::Bid => (Limit::PositionLong, own.long_max.0),
                    Side::Ask => (Limit::PositionShort, own.short_max.0),
                };
                // In other lots nothing can be compared.
                if !is_new_rules && sent.iter().any(|order| is_ours(&order)) && now > max.max(before) {
                    self.note(session, limit, i128::from(now), i128::from(max));
                }
            }
            for (_, _, price, qty) in sent.iter().filter(is_ours) {
                if *qty > own.order_qty_max {
                    self.note(session, Limit::OrderQty, i128::from(qty.0), i128::from(own.order_qty_max.0));
                }
                let worth = session.rules(id).notional_quote(*price, *qty);
                if worth > own.order_notional_max {
                    self.note(session, Limit::OrderNotional, worth.0, own.order_notional_max.0);
                }
            }
            let staying = orders.iter().filter(|order| order.state != OrderState::Leaving).count() as u32;
            if sent.iter().any(|order| is_ours(&order)) && staying > own.open_orders_max {
                self.note(session, Limit::OpenOrders, i128::from(staying), i128::from(own.open_orders_max));
            }
        }
        if sent.is_empty() {
            return;
        }
        let is_old = |order: &Order| !sent.iter().any(|(id, ..)| *id == order.id);
        let book = &limits.book.exposure;
        let scopes = limits.venues.iter().map(|(venue, own)| (Some(*venue), own)).chain([(None, book)]);
        let codes = [[Limit::VenueGross, Limit::VenueNet], [Limit::BookGross, Limit::BookNet]];
        let mut found = Vec::new();
        for (venue, own) in scopes {
            let of = |v: VenueId| venue.is_none_or(|venue| venue == v);
            let (Some(now), Some(without)) = (at_stake(session, of, |_| true), at_stake(session, of, is_old)) else {
                continue;
            };
            for (n, max) in [own.gross_max, own.net_max].into_iter().enumerate() {
                if let Some(max) = max.filter(|max| now[n] > *max && now[n] > without[n]) {
                    found.push((codes[usize::from(venue.is_none())][n], now[n].0, max.0));
                }
            }
        }
        found.into_iter().for_each(|(limit, value, max)| self.note(session, limit, value, max));
    }

    fn note(&mut self, session: &Session, limit: Limit, value: i128, max: i128) {
        let rule = limit.rule();
        let text = |value: i128| if rule.unit == "quote" { Money(value).to_string() } else { value.to_string() };
        let words = format!("value={} limit={} unit={}", text(value), text(max), rule.unit);
        self.breaches.push(Breach { seq: session.seq(), code: rule.code.to_owned(), words });
    }
}

fn order_sent(output: &Output) -> Option<(OrderId, InstrumentId, Ticks, Lots)> {
    match output {
        Output::Sent(
            Request::Place { id, instrument, price, qty, .. }
            | Request::Replace { new: id, instrument, price, qty, .. },
        ) => Some((*id, *instrument, *price, *qty)),
        Output::Sent(Request::Cancel { .. })
        | Output::Book { .. }
        | Output::Decided { .. }
        | Output::Refused { .. }
        | Output::Heard(_)
        | Output::Risk { .. }
        | Output::Commanded { .. }
        | Output::Equity(_)
        | Output::Funding(_)
        | Output::FundingUnknown { .. }
        | Output::Drift { .. } => None,
    }
}

/// What would be held if every order of a side traded, positive on that side.
fn worst(session: &Session, id: InstrumentId, side: Side) -> i64 {
    let resting: i64 = session.orders(id).iter().filter(|o| o.side == side).map(|o| o.remaining.0).sum();
    session.equity(id).position.0 * side.sign() + resting
}

/// Gross and net worth at the mids with these orders, those of the worse side filled; `None` while a mid is missing.
fn at_stake(session: &Session, of: impl Fn(VenueId) -> bool, with: impl Fn(&Order) -> bool) -> Option<[Money; 2]> {
    let (mut gross, mut all) = (Money::ZERO, [Money::ZERO; 2]);
    for i in 0..session.len() {
        let (id, own) = (InstrumentId(i as u16), &session.limits().instruments[i]);
        let rules = session.rules(id);
        if !of(rules.venue) {
            continue;
        }
        let mid = Ticks(session.top(id)?.twice_mid() / 2);
        let worth = |lots: i64, own: &InstrumentLimits| {
            let worth = own.in_account(rules.notional_quote(mid, Lots(lots.abs())));
            if lots < 0 { -worth } else { worth }
        };
        let held = worth(session.equity(id).position.0, own);
        let sides = Side::BOTH.map(|side| {
            let orders = session.orders(id).iter().filter(|order| order.side == side && with(order));
            held + worth(orders.map(|order| order.remaining.0).sum::<i64>() * side.sign(), own)
        });
        gross += sides[0].abs().max(sides[1].abs());
        all = [all[0] + sides[0], all[1] + sides[1]];
    }
    Some([gross, all[0].abs().max(all[1].abs())])
}

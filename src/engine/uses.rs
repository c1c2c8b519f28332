//! How much of each limit is used, for status, reports and whoever watches them over time.

use rust_decimal::Decimal;

use super::output::Output;
use super::session::Session;
use crate::market::{Instrument, InstrumentId};
use crate::order::Request;
use crate::risk::gate::leverage;
use crate::risk::{Limit, Stake, Whose};
use crate::units::{Lots, Money, Nanos, Side, Ticks};

/// Use of one limit, in its rule's unit; money in [`Money`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUse {
    /// Which.
    pub limit: Limit,
    /// Whose.
    pub whose: Whose,
    /// Now; what cannot be said yet is `None`.
    pub value: Option<i128>,
    /// At most.
    pub max: i128,
    /// Whether both are money.
    pub is_money: bool,
}

impl LimitUse {
    /// `value / max`; of a limit of nothing, all of it as soon as there is anything.
    pub fn share(&self) -> f64 {
        match (self.value.unwrap_or(0).max(0), self.max) {
            (0, _) => 0.0,
            (_, ..=0) => 1.0,
            (value, max) => value as f64 / max as f64,
        }
    }

    /// Its key in `config/risk.toml`; of instruments with their rules, which say what quantities are in.
    pub fn key(&self, rules: Option<&Instrument>) -> String {
        self.limit.rule().key.replace("_base", &format!("_{}", rules.map_or("base", Instrument::quantity_unit)))
    }

    /// What [`in_file_units`](Self::in_file_units) counts: `base`, `quote`, `bps`, `x`, …
    pub fn unit(&self, rules: Option<&Instrument>) -> &'static str {
        match self.limit.rule().unit {
            "lots" => rules.map_or("lots", Instrument::quantity_unit),
            "0.01bps" => "bps",
            "0.01bps/√s" => "bps/√s",
            "0.01x" => "x",
            unit => unit,
        }
    }

    /// A value of this limit as it would stand in `config/risk.toml`: a plain decimal.
    pub fn in_file_units(&self, value: i128, rules: Option<&Instrument>) -> String {
        match (self.limit.rule().unit, rules) {
            _ if self.is_money => Money(value).to_string(),
            ("lots", Some(rules)) => rules.qty_text(Lots(value as i64)),
            ("0.01bps" | "0.01bps/√s" | "0.01x", _) => {
                Decimal::from_i128_with_scale(value, 2).normalize().to_string()
            }
            _ => value.to_string(),
        }
    }
}

impl Session {
    /// Every limit in force that has a use over time: instruments in session order, venues, the book.
    pub fn limit_uses(&self) -> Vec<LimitUse> {
        let mut uses = Vec::new();
        self.limit_uses_into(&mut uses);
        uses
    }

    /// Appends them to memory that is used again.
    pub fn limit_uses_into(&self, uses: &mut Vec<LimitUse>) {
        for i in 0..self.len() {
            self.instrument_uses(InstrumentId(i as u16), uses);
        }
        let (mut book, mut venues) = (Stake::default(), std::collections::BTreeMap::<_, Stake>::new());
        for desk in &self.desks {
            let stake = self.stake(desk);
            book = book.and(stake);
            let of_venue = venues.entry(desk.rules.venue).or_default();
            *of_venue = of_venue.and(stake);
        }
        let limits = self.limits();
        for (venue, own) in &limits.venues {
            let stake = venues.get(venue).copied().unwrap_or_default();
            push_money(uses, Limit::VenueGross, Whose::Venue(*venue), stake.gross, own.gross_max);
            push_money(uses, Limit::VenueNet, Whose::Venue(*venue), stake.net_worst(), own.net_max);
        }
        let (of_book, losses) = (&limits.book, self.breakers().losses());
        let mut money = |limit, value, max| push_money(uses, limit, Whose::Book, value, max);
        money(Limit::BookGross, book.gross, of_book.exposure.gross_max);
        money(Limit::BookNet, book.net_worst(), of_book.exposure.net_max);
        money(Limit::Loss, losses.session, of_book.loss_max);
        money(Limit::DailyLoss, losses.day, of_book.daily_loss_max);
        money(Limit::HourlyLoss, losses.hour, of_book.hourly_loss_max);
        money(Limit::Drawdown, losses.drawdown, of_book.drawdown_max);
        money(Limit::DailyFees, losses.fees, of_book.daily_fees_max);
        money(Limit::Funding, self.weighed.map_or(Money::ZERO, |reading| reading.funding), of_book.funding_max);
        if let (Some(max), Some(worth)) = (of_book.leverage_max_centi, self.worth()) {
            let value = Some(i128::from(leverage(book.gross, worth)));
            let whose = Whose::Book;
            uses.push(LimitUse { limit: Limit::Leverage, whose, value, max: i128::from(max), is_money: false });
        }
    }

    /// Appends the use of what is looked at before a request only: by what the last input made us send (`said`), where
    /// nothing was sent `None`. The age of the market's news and both rates have a value at any time. The smallest spread
    /// has no use: it is a least, not a most.
    pub fn request_uses_into(&self, said: &[Output], uses: &mut Vec<LimitUse>) {
        for i in 0..self.len() {
            let id = InstrumentId(i as u16);
            let (rules, own) = (self.rules(id), &self.limits().instruments[i]);
            let (mut qty_most, mut worth_most, mut far_most) = (None, None, None);
            for output in said {
                let (Output::Sent(Request::Place { instrument, price, qty, .. })
                | Output::Sent(Request::Replace { instrument, price, qty, .. })) = output
                else {
                    continue;
                };
                if *instrument == id {
                    qty_most = qty_most.max(Some(i128::from(qty.0)));
                    worth_most = worth_most.max(Some(rules.notional_quote(*price, *qty).0));
                    far_most = far_most.max(self.top(id).map(|top| distance_centibps(*price, top.twice_mid())));
                }
            }
            let whose = Whose::Instrument(id);
            let mut push = |limit, value, max, is_money| uses.push(LimitUse { limit, whose, value, max, is_money });
            push(Limit::OrderQty, qty_most, i128::from(own.order_qty_max.0), false);
            push(Limit::OrderNotional, worth_most, own.order_notional_max.0, true);
            push(Limit::Collar, far_most, i128::from(own.collar_centibps), false);
            let age = i128::from(self.news_age(id).ms());
            push(Limit::StaleBook, Some(age), i128::from(own.stale_book_ms), false);
        }
        let whose = Whose::Book;
        for (limit, used, max) in self.gate.rate_uses(self.now) {
            let (value, max) = (Some(i128::from(used)), i128::from(max));
            uses.push(LimitUse { limit, whose, value, max, is_money: false });
        }
    }

    fn instrument_uses(&self, id: InstrumentId, uses: &mut Vec<LimitUse>) {
        let desk = &self.desks[id.index()];
        let limits = &self.limits().instruments[id.index()];
        let (position, whose) = (desk.ledger.position(), Whose::Instrument(id));
        let mut push = |limit, value: Option<i64>, max: i64| {
            let value = value.map(i128::from);
            uses.push(LimitUse { limit, whose, value, max: i128::from(max), is_money: false });
        };
        let worst = |side: Side| position.0 * side.sign() + desk.orders.resting(side).0;
        push(Limit::PositionLong, Some(worst(Side::Bid)), limits.long_max.0);
        push(Limit::PositionShort, Some(worst(Side::Ask)), limits.short_max.0);
        push(Limit::OpenOrders, Some(desk.orders.len() as i64), i64::from(limits.open_orders_max));
        let lost = self.breakers().loss_of(id).unwrap_or_default();
        push_money(uses, Limit::InstrumentLoss, whose, lost, limits.loss_max);
        let mut push = |limit, value: Option<i64>, max: i64| {
            let value = value.map(i128::from);
            uses.push(LimitUse { limit, whose, value, max: i128::from(max), is_money: false });
        };
        let sensor = self.breakers().sensor(id);
        let seconds = |time: Nanos| time.0 / 1_000_000_000;
        if let Some(max) = limits.inventory_age_max {
            push(Limit::InventoryAge, Some(sensor.inventory_age(self.now).map_or(0, seconds)), seconds(max));
        }
        if let Some(max) = limits.volatility_max_centibps {
            push(Limit::Volatility, desk.volatility_centibps(), i64::from(max));
        }
        if let Some(limit) = limits.markout {
            push(Limit::Markout, sensor.markout_loss(&limit), i64::from(limit.loss_max_centibps));
        }
        let age = sensor.news_age().map(Nanos::ms);
        if let Some(max) = limits.feed_latency_max_ms {
            push(Limit::FeedLatency, age, i64::from(max));
        }
        if let Some(max) = limits.clock_skew_max_ms {
            push(Limit::ClockSkew, age.map(|age| -age), i64::from(max));
        }
    }
}

/// Hundredths of a basis point of the mid between a price and the mid.
fn distance_centibps(price: Ticks, twice_mid: i64) -> i128 {
    (i128::from(price.0) * 2 - i128::from(twice_mid)).abs() * 1_000_000 / i128::from(twice_mid.max(1))
}

fn push_money(uses: &mut Vec<LimitUse>, limit: Limit, whose: Whose, value: Money, max: Option<Money>) {
    if let Some(max) = max {
        uses.push(LimitUse { limit, whose, value: Some(value.0), max: max.0, is_money: true });
    }
}

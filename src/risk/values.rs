//! Limits as text, by the names they have in `config/risk.toml`: for diffs, exports and people.

use rust_decimal::Decimal;

use super::limits::{InstrumentLimits, RiskLimits};
use crate::market::Instrument;
use crate::units::{Lots, Money};

/// One limit as it would stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its key in `[risk]`.
    pub key: String,
    /// `VENUE:SYMBOL` or a venue; empty for the whole book.
    pub of: String,
    /// What stands there; `0` is no limit where the table says so.
    pub text: String,
    /// Whether a larger value lets more through; `None`: neither is looser.
    looser: Option<Looser>,
    /// As a number, to compare.
    number: Decimal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looser {
    Larger,
    /// The larger, but zero is no limit at all.
    LargerOrZero,
    Smaller,
}

/// One limit before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its key in `[risk]`.
    pub key: String,
    /// `VENUE:SYMBOL` or a venue; empty for the whole book.
    pub of: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
    /// Whether it lets more through than before.
    pub loosens: bool,
}

impl RiskLimits {
    /// All of them, in a fixed order for equal lists of instruments.
    pub fn values(&self, instruments: &[Instrument]) -> Vec<Value> {
        let mut values = Vec::new();
        for (rules, own) in instruments.iter().zip(&self.instruments) {
            own.values(rules, &mut values);
        }
        for (venue, own) in &self.venues {
            let of = venue.name();
            values.push(money("gross_max_quote", of, own.gross_max));
            values.push(money("net_max_quote", of, own.net_max));
        }
        let (book, conduct) = (&self.book, &self.conduct);
        let whole = |key, number: u32, looser| value(key, "", Decimal::from(number), looser);
        values.extend([
            whole("order_rate_max_per_s", book.order_rate_max_per_s, Looser::Larger),
            whole("cancel_rate_max_per_s", book.cancel_rate_max_per_s.unwrap_or(0), Looser::LargerOrZero),
            money("gross_max_quote", "", book.exposure.gross_max),
            money("net_max_quote", "", book.exposure.net_max),
            value("capital_quote", "", decimal(book.capital.unwrap_or_default()), Looser::Larger),
            value("leverage_max", "", hundredths(book.leverage_max_centi.unwrap_or(0)), Looser::LargerOrZero),
            money("loss_max_quote", "", book.loss_max),
            money("daily_loss_max_quote", "", book.daily_loss_max),
            money("hourly_loss_max_quote", "", book.hourly_loss_max),
            money("drawdown_max_quote", "", book.drawdown_max),
            money("daily_fees_max_quote", "", book.daily_fees_max),
            money("funding_max_quote", "", book.funding_max),
            whole("soft_percent", conduct.soft_percent, Looser::LargerOrZero),
            whole("clear_percent", conduct.clear_percent, Looser::Larger),
            whole("hold_s", u32::try_from(conduct.hold.ms() / 1_000).unwrap_or(u32::MAX), Looser::Smaller),
        ]);
        values.push(Value {
            key: "flatten_on_halt".to_owned(),
            of: String::new(),
            text: conduct.flatten_on_halt.to_string(),
            looser: None,
            number: Decimal::from(u8::from(conduct.flatten_on_halt)),
        });
        values
    }

    /// What is different in `new`; a venue's table that only one of them has counts as no limit in the other.
    pub fn differences(&self, new: &RiskLimits, instruments: &[Instrument]) -> Vec<Difference> {
        let (old, new) = (self.values(instruments), new.values(instruments));
        let none = |value: &Value| Value { text: "0".to_owned(), number: Decimal::ZERO, ..value.clone() };
        let twin = |list: &[Value], of: &Value| list.iter().find(|v| v.key == of.key && v.of == of.of).cloned();
        let mut pairs: Vec<(Value, Value)> =
            old.iter().map(|o| (o.clone(), twin(&new, o).unwrap_or_else(|| none(o)))).collect();
        pairs.extend(new.iter().filter(|n| twin(&old, n).is_none()).map(|n| (none(n), n.clone())));
        let differ = pairs.into_iter().filter(|(old, new)| old.text != new.text);
        differ
            .map(|(old, new)| Difference {
                loosens: new.is_looser_than(&old),
                key: new.key,
                of: new.of,
                old: old.text,
                new: new.text,
            })
            .collect()
    }
}

impl InstrumentLimits {
    fn values(&self, rules: &Instrument, values: &mut Vec<Value>) {
        let of = rules.label();
        let unit = rules.quantity_unit();
        let quantity = |name: &str, lots: Lots| {
            let number = rules.lot.value(lots.0);
            value(&format!("{name}_{unit}"), &of, number, Looser::Larger)
        };
        let bps = |key: &str, centibps: u32, looser| value(key, &of, hundredths(centibps), looser);
        let whole = |key: &str, number: u32, looser| value(key, &of, Decimal::from(number), looser);
        let seconds = self.inventory_age_max.map_or(0, |age| u32::try_from(age.ms() / 1_000).unwrap_or(u32::MAX));
        values.extend([
            quantity("position_max", self.long_max),
            quantity("short_max", self.short_max),
            quantity("order_qty_max", self.order_qty_max),
            value("order_notional_max_quote", &of, decimal(self.order_notional_max), Looser::Larger),
            whole("open_orders_max", self.open_orders_max, Looser::Larger),
            bps("collar_bps", self.collar_centibps, Looser::Larger),
            bps("spread_min_bps", self.spread_min_centibps, Looser::Smaller),
            whole("stale_book_ms", self.stale_book_ms, Looser::Larger),
            money("instrument_loss_max_quote", &of, self.loss_max),
            whole("inventory_age_max_s", seconds, Looser::LargerOrZero),
            bps("volatility_max_bps", self.volatility_max_centibps.unwrap_or(0), Looser::LargerOrZero),
            bps("markout_loss_max_bps", self.markout.map_or(0, |m| m.loss_max_centibps), Looser::LargerOrZero),
            whole("feed_latency_max_ms", self.feed_latency_max_ms.unwrap_or(0), Looser::LargerOrZero),
            whole("clock_skew_max_ms", self.clock_skew_max_ms.unwrap_or(0), Looser::LargerOrZero),
        ]);
        if let Some(markout) = self.markout {
            let mut plain = |key: &str, number: Decimal| {
                values.push(Value { looser: None, ..value(key, &of, number, Looser::Larger) });
            };
            plain("markout_horizon_ms", Decimal::from(markout.horizon.ms()));
            plain("markout_fills", Decimal::from(markout.fills));
        }
        if self.account_rate_ppm != super::limits::ONE_PPM {
            let number = Decimal::from(self.account_rate_ppm) / Decimal::from(super::limits::ONE_PPM);
            values.push(Value { looser: None, ..value("account_rates", &of, number, Looser::Larger) });
        }
    }
}

impl Value {
    /// What the number is in, by the name's last word; of quantities and amounts, base or quote.
    pub fn unit(&self) -> &'static str {
        match self.key.as_str() {
            "order_rate_max_per_s" | "cancel_rate_max_per_s" => "1/s",
            "volatility_max_bps" => "bps/√s",
            "open_orders_max" => "orders",
            "leverage_max" => "x",
            "markout_fills" => "fills",
            key => match key.rsplit('_').next().unwrap_or_default() {
                "base" => "base",
                "quote" => "quote",
                "bps" => "bps",
                "ms" => "ms",
                "s" => "s",
                "percent" => "%",
                _ => "",
            },
        }
    }

    /// Whether it limits anything: `0` is no limit where the table says so.
    pub fn is_set(&self) -> bool {
        match self.looser {
            Some(Looser::LargerOrZero | Looser::Smaller) => !self.number.is_zero(),
            Some(Looser::Larger) | None => true,
        }
    }

    fn is_looser_than(&self, old: &Value) -> bool {
        match self.looser {
            Some(Looser::Larger) => self.number > old.number,
            Some(Looser::Smaller) => self.number < old.number,
            Some(Looser::LargerOrZero) => !old.number.is_zero() && (self.number.is_zero() || self.number > old.number),
            // Nobody can say which is safer: it is treated as the riskier.
            None => true,
        }
    }
}

fn value(key: &str, of: &str, number: Decimal, looser: Looser) -> Value {
    let number = number.normalize();
    Value { key: key.to_owned(), of: of.to_owned(), text: number.to_string(), looser: Some(looser), number }
}

fn money(key: &str, of: &str, limit: Option<Money>) -> Value {
    value(key, of, decimal(limit.unwrap_or_default()), Looser::LargerOrZero)
}

fn decimal(amount: Money) -> Decimal {
    amount.to_string().parse().expect("limits are within a decimal")
}

fn hundredths(count: u32) -> Decimal {
    Decimal::new(i64::from(count), 2)
}

//! `[risk]` in the units of the core.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Loaded;
use super::problem::{ConfigErrors, Problem};
use super::settings::InstrumentRisk;
use super::spec::{centibps, money};
use crate::market::{Instrument, Kind};
use crate::risk::limits::ONE_PPM;
use crate::risk::{BookLimits, Conduct, ExposureLimits, InstrumentLimits, MarkoutLimit, RiskLimits};
use crate::units::{Lots, Money, Nanos};

impl Loaded {
    /// `[risk]` in the lots of these instruments, in their order. A limit that is not zero, yet below one lot, is a
    /// mistake and not a silent ban. Inverse contracts are counted in quote units, in which nothing can be said of all
    /// of them at once: each needs limits of its own.
    pub fn risk_limits(&self, instruments: &[Instrument]) -> Result<RiskLimits, ConfigErrors> {
        let risk = &self.settings.risk;
        let mut problems = Vec::new();
        let instruments = instruments.iter().map(|rules| self.instrument_limits(rules, &mut problems)).collect();
        if !problems.is_empty() {
            return Err(ConfigErrors { problems });
        }
        let venues = risk.venues.iter().map(|(name, own)| {
            let venue = name.parse().expect("the key table admits venues only");
            let (gross_max, net_max) =
                (own.gross_max_quote.and_then(some_money), own.net_max_quote.and_then(some_money));
            (venue, ExposureLimits { gross_max, net_max })
        });
        Ok(RiskLimits {
            instruments,
            venues: venues.collect(),
            book: BookLimits {
                exposure: ExposureLimits {
                    gross_max: some_money(risk.gross_max_quote),
                    net_max: some_money(risk.net_max_quote),
                },
                capital: some_money(risk.capital_quote),
                leverage_max_centi: some(centibps(risk.leverage_max)),
                loss_max: some_money(risk.loss_max_quote),
                daily_loss_max: some_money(risk.daily_loss_max_quote),
                hourly_loss_max: some_money(risk.hourly_loss_max_quote),
                drawdown_max: some_money(risk.drawdown_max_quote),
                daily_fees_max: some_money(risk.daily_fees_max_quote),
                funding_max: some_money(risk.funding_max_quote),
                order_rate_max_per_s: risk.order_rate_max_per_s,
                cancel_rate_max_per_s: some(risk.cancel_rate_max_per_s),
            },
            conduct: Conduct {
                soft_percent: risk.soft_percent,
                clear_percent: risk.clear_percent,
                hold: Nanos::from_s(i64::from(risk.hold_s)),
                flatten_on_halt: risk.flatten_on_halt,
            },
        })
    }

    fn instrument_limits(&self, rules: &Instrument, problems: &mut Vec<Problem>) -> InstrumentLimits {
        let risk = &self.settings.risk;
        let none = InstrumentRisk::default();
        let own = risk.instruments.get(&rules.label()).unwrap_or(&none);
        let position = Own { base: own.position_max_base, quote: own.position_max_quote };
        let order = Own { base: own.order_qty_max_base, quote: own.order_qty_max_quote };
        let short = Own {
            base: own.short_max_base.or(if own.position_max_base.is_none() { risk.short_max_base } else { None }),
            quote: own.short_max_quote,
        };
        let mut lots = |name: &str, own: Own, common: Decimal| {
            self.limit_lots(rules, name, own, common).unwrap_or_else(|problem| {
                problems.push(*problem);
                Lots::ZERO
            })
        };
        let long_max = lots("position_max", position, risk.position_max_base);
        let order_qty_max = lots("order_qty_max", order, risk.order_qty_max_base);
        let short_max = match short {
            Own { base: None, quote: None } => long_max,
            own => lots("short_max", own, risk.position_max_base),
        };
        let horizon_ms = own.markout_horizon_ms.unwrap_or(risk.markout_horizon_ms);
        let markout_loss = centibps(own.markout_loss_max_bps.unwrap_or(risk.markout_loss_max_bps));
        let rate = risk
            .account_rates
            .get(&rules.quote)
            .map_or(ONE_PPM, |rate| (rate * Decimal::from(ONE_PPM)).to_u64().expect("the key's range fits"));
        InstrumentLimits {
            long_max,
            short_max,
            order_qty_max,
            order_notional_max: money(own.order_notional_max_quote.unwrap_or(risk.order_notional_max_quote)),
            open_orders_max: own.open_orders_max.unwrap_or(risk.open_orders_max),
            collar_centibps: centibps(own.collar_bps.unwrap_or(risk.collar_bps)),
            spread_min_centibps: centibps(own.spread_min_bps.unwrap_or(risk.spread_min_bps)),
            stale_book_ms: own.stale_book_ms.unwrap_or(risk.stale_book_ms),
            loss_max: some_money(own.instrument_loss_max_quote.unwrap_or(risk.instrument_loss_max_quote)),
            inventory_age_max: some(own.inventory_age_max_s.unwrap_or(risk.inventory_age_max_s))
                .map(|s| Nanos::from_s(i64::from(s))),
            volatility_max_centibps: some(centibps(own.volatility_max_bps.unwrap_or(risk.volatility_max_bps))),
            markout: some(markout_loss).map(|loss_max_centibps| MarkoutLimit {
                horizon: Nanos::from_ms(i64::from(horizon_ms)),
                fills: own.markout_fills.unwrap_or(risk.markout_fills),
                loss_max_centibps,
            }),
            feed_latency_max_ms: some(own.feed_latency_max_ms.unwrap_or(risk.feed_latency_max_ms)),
            clock_skew_max_ms: some(own.clock_skew_max_ms.unwrap_or(risk.clock_skew_max_ms)),
            account_rate_ppm: rate,
        }
    }

    /// A limit on quantity in an instrument's lots.
    fn limit_lots(&self, rules: &Instrument, name: &str, own: Own, common: Decimal) -> Result<Lots, Box<Problem>> {
        let label = rules.label();
        let (unit, other) = (rules.quantity_unit(), if rules.quantity_unit() == "base" { "quote" } else { "base" });
        let own_key = |unit: &str| format!("risk.instruments.{label:?}.{name}_{unit}");
        let problem = |key: &str, what: String| {
            let place = self.origin(key).unwrap_or("config");
            Box::new(Problem::new(place, None, key, what).hint(&format!("set {}", own_key(unit))))
        };
        let (given, stray) = match rules.contract.kind {
            Kind::Spot | Kind::Linear => (own.base, own.quote),
            Kind::Inverse => (own.quote, own.base),
        };
        if stray.is_some() {
            return Err(problem(&own_key(other), format!("quantities of {label} are in {unit} units")));
        }
        let key = if given.is_some() { own_key(unit) } else { format!("risk.{name}_base") };
        let amount = match (given, rules.contract.kind) {
            (Some(own), _) => own,
            (None, Kind::Spot | Kind::Linear) => common,
            (None, Kind::Inverse) => {
                let what = format!("says nothing of {label}, an inverse contract with quantities in {}", rules.quote);
                return Err(problem(&key, what));
            }
        };
        match Lots(rules.lot.count_floor(amount)) {
            Lots::ZERO if !amount.is_zero() => {
                Err(problem(&key, format!("{amount} is less than one lot of {label}, {}", rules.lot)))
            }
            lots => Ok(lots),
        }
    }
}

/// An instrument's own limit, in either unit.
#[derive(Clone, Copy, Debug)]
struct Own {
    base: Option<Decimal>,
    quote: Option<Decimal>,
}

/// Zero is no limit.
fn some(limit: u32) -> Option<u32> {
    (limit > 0).then_some(limit)
}

/// Zero is no limit.
fn some_money(quote: Decimal) -> Option<Money> {
    (!quote.is_zero()).then(|| money(quote))
}

//! Settings in the units of the core. Base quantities become lots here, where the instruments' rules are known.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Loaded;
use super::problem::{ConfigErrors, Problem};
use super::settings::{InstrumentRisk, LatencyChoice, QueueChoice, VenueSettings, WaySettings};
use crate::engine::QuotingSpec;
use crate::exchange::PaperSpec;
use crate::exchange::fee::{Rates, Schedule, Tier};
use crate::exchange::habit::Habits;
use crate::exchange::latency::{LatencySpec, Measured, Way};
use crate::exchange::queue::QueueModel;
use crate::market::{Instrument, Kind, VenueId};
use crate::risk::RiskLimits;
use crate::signal::SignalSpec;
use crate::units::{Lots, Money, Nanos, Rate};

impl Loaded {
    /// The section of a venue we speak to. Panics for a market known from files only.
    pub fn venue(&self, venue: VenueId) -> &VenueSettings {
        self.settings.venues.get(venue.name()).expect("the built-in layer has every venue")
    }

    /// `[risk]` in the lots of these instruments, in their order. A limit that is not zero, yet below one lot, is a
    /// mistake and not a silent ban. Inverse contracts are counted in quote units, in which nothing can be said of all
    /// of them at once: each needs limits of its own.
    pub fn risk_limits(&self, instruments: &[Instrument]) -> Result<RiskLimits, ConfigErrors> {
        let risk = &self.settings.risk;
        let mut problems = Vec::new();
        let (mut position_max, mut order_qty_max) = (Vec::new(), Vec::new());
        for rules in instruments {
            let own = risk.instruments.get(&rules.label());
            let of = |base: fn(&InstrumentRisk) -> Option<Decimal>, quote: fn(&InstrumentRisk) -> Option<Decimal>| {
                Own { base: own.and_then(base), quote: own.and_then(quote) }
            };
            let position = of(|own| own.position_max_base, |own| own.position_max_quote);
            let order_qty = of(|own| own.order_qty_max_base, |own| own.order_qty_max_quote);
            let mut lots = |name: &str, own: Own, common: Decimal| {
                self.limit_lots(rules, name, own, common).unwrap_or_else(|problem| {
                    problems.push(*problem);
                    Lots::ZERO
                })
            };
            position_max.push(lots("position_max", position, risk.position_max_base));
            order_qty_max.push(lots("order_qty_max", order_qty, risk.order_qty_max_base));
        }
        if !problems.is_empty() {
            return Err(ConfigErrors { problems });
        }
        Ok(RiskLimits {
            position_max,
            order_qty_max,
            order_notional_max: money(risk.order_notional_max_quote),
            open_orders_max: risk.open_orders_max,
            order_rate_max_per_s: risk.order_rate_max_per_s,
            collar_centibps: centibps(risk.collar_bps),
            stale_book_ms: risk.stale_book_ms,
            loss_max: (!risk.loss_max_quote.is_zero()).then(|| money(risk.loss_max_quote)),
        })
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

    /// The paper exchange of an instrument of this venue. Fee tiers of the venue are in the order of their volumes.
    pub fn paper_spec(&self, venue: VenueId) -> PaperSpec {
        let (paper, own) = (&self.settings.paper, self.settings.venues.get(venue.name()));
        let own_fees = own.map_or((None, None), |own| (own.maker_fee_bps, own.taker_fee_bps));
        let rate = |bps: Decimal| Rate::from_bps(bps).expect("fees are checked to a thousandth of a basis point");
        let rates = |maker: Option<Decimal>, taker: Option<Decimal>| Rates {
            maker: rate(maker.unwrap_or(paper.maker_fee_bps)),
            taker: rate(taker.unwrap_or(paper.taker_fee_bps)),
        };
        let n = paper.queue_power;
        let of_venue = |label: &str| label.split_once(':').is_some_and(|(name, _)| name == venue.name());
        let tiers = paper.fee_tiers.iter().filter(|(label, _)| of_venue(label));
        let mut tiers: Vec<Tier> = tiers
            .map(|(_, tier)| Tier {
                volume_min: tier.volume_min_quote.map_or(Money::ZERO, money),
                rates: rates(tier.maker_fee_bps, tier.taker_fee_bps),
            })
            .collect();
        tiers.sort_by_key(|tier| tier.volume_min);
        PaperSpec {
            latency: self.latency_spec(),
            queue: match paper.queue_model {
                QueueChoice::RiskAverse => QueueModel::RiskAverse,
                QueueChoice::Power => QueueModel::Power { n },
                QueueChoice::Power2 => QueueModel::Power2 { n },
                QueueChoice::Power3 => QueueModel::Power3 { n },
                QueueChoice::Log => QueueModel::Log,
                QueueChoice::Log2 => QueueModel::Log2,
                QueueChoice::Optimistic => QueueModel::Optimistic,
            },
            fees: Schedule { base: rates(own_fees.0, own_fees.1), tiers },
            habits: Habits::of(venue),
        }
    }

    /// The delays of `[paper]`. Measured rows are taken along only where they are asked for.
    fn latency_spec(&self) -> LatencySpec {
        let paper = &self.settings.paper;
        let entry = |own: &WaySettings| {
            let us = own.entry_latency_us.unwrap_or(paper.entry_latency_us);
            match own.latency_model.unwrap_or(paper.latency_model) {
                LatencyChoice::Constant => Way::Constant { us },
                LatencyChoice::Lognormal => {
                    Way::Lognormal { us, sigma: own.entry_jitter.unwrap_or(paper.entry_jitter) }
                }
                LatencyChoice::Feed => Way::Feed { factor: own.feed_factor.unwrap_or(paper.feed_factor), us },
                LatencyChoice::Measured => Way::Measured,
            }
        };
        let us = paper.response_latency_us;
        let response = match paper.latency_model {
            LatencyChoice::Constant | LatencyChoice::Lognormal => Way::Constant { us },
            LatencyChoice::Feed => Way::Feed { factor: paper.feed_factor, us },
            LatencyChoice::Measured => Way::Measured,
        };
        let (place, cancel, replace) = (entry(&WaySettings::default()), entry(&paper.cancel), entry(&paper.replace));
        let is_measured = [place, cancel, replace, response].contains(&Way::Measured);
        let measured = if is_measured { self.measured.clone() } else { Measured::default() };
        LatencySpec { feed_us: paper.feed_latency_us, place, cancel, replace, response, measured }
    }

    /// `[signals]`.
    pub fn signal_spec(&self) -> SignalSpec {
        self.settings.signals.clone()
    }

    /// `[quoting]`.
    pub fn quoting_spec(&self) -> QuotingSpec {
        let quoting = &self.settings.quoting;
        QuotingSpec {
            decide_every: Nanos::from_ms(i64::from(quoting.decide_every_ms)),
            refresh_tolerance_centibps: centibps(quoting.refresh_tolerance_bps),
            order_age_max: Nanos::from_ms(i64::from(quoting.order_age_max_ms)),
        }
    }
}

/// An instrument's own limit, in either unit.
#[derive(Clone, Copy, Debug)]
struct Own {
    base: Option<Decimal>,
    quote: Option<Decimal>,
}

fn money(quote: Decimal) -> Money {
    Money::from_decimal(quote).expect("the key's range is within Money's")
}

/// Hundredths of a basis point.
fn centibps(bps: Decimal) -> u32 {
    (bps * Decimal::ONE_HUNDRED).to_u32().expect("the key's range fits and its places are checked")
}

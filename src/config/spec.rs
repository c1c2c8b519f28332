//! Settings in the units of the core. Base quantities become lots here, where the instruments' rules are known.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Loaded;
use super::problem::{ConfigErrors, Problem};
use super::settings::{QueueChoice, VenueSettings};
use crate::engine::QuotingSpec;
use crate::exchange::PaperSpec;
use crate::exchange::latency::LatencySpec;
use crate::exchange::queue::QueueModel;
use crate::market::{Instrument, VenueId};
use crate::risk::RiskLimits;
use crate::signal::SignalSpec;
use crate::units::{Lots, Money, Nanos, Rate};

impl Loaded {
    /// One venue's section.
    pub fn venue(&self, venue: VenueId) -> &VenueSettings {
        self.settings.venues.get(venue.name()).expect("the built-in layer has every venue")
    }

    /// `[risk]` in the lots of these instruments, in their order. A limit that is not zero, yet below one lot, is a
    /// mistake and not a silent ban.
    pub fn risk_limits(&self, instruments: &[Instrument]) -> Result<RiskLimits, ConfigErrors> {
        let risk = &self.settings.risk;
        let mut problems = Vec::new();
        let (mut position_max, mut order_qty_max) = (Vec::new(), Vec::new());
        for rules in instruments {
            let own = risk.instruments.get(&rules.label());
            let mut lots = |key: &str, own: Option<Decimal>, common: Decimal| {
                let base = own.unwrap_or(common);
                let lots = Lots(rules.lot.count_floor(base));
                if lots == Lots::ZERO && !base.is_zero() {
                    problems.push(self.too_small(key, own.is_some(), base, rules));
                }
                lots
            };
            position_max.push(lots("position_max_base", own.and_then(|o| o.position_max_base), risk.position_max_base));
            order_qty_max.push(lots(
                "order_qty_max_base",
                own.and_then(|o| o.order_qty_max_base),
                risk.order_qty_max_base,
            ));
        }
        if !problems.is_empty() {
            return Err(ConfigErrors { problems });
        }
        let money = |quote: Decimal| Money::from_decimal(quote).expect("the key's range is within Money's");
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

    fn too_small(&self, key: &str, is_own: bool, base: Decimal, rules: &Instrument) -> Problem {
        let label = rules.label();
        let own_key = format!("risk.instruments.{label:?}.{key}");
        let key = if is_own { own_key.clone() } else { format!("risk.{key}") };
        let what = format!("{base} is less than one lot of {label}, {}", rules.lot);
        Problem::new(self.origin(&key).unwrap_or("config"), None, &key, what).hint(&format!("set {own_key}"))
    }

    /// The paper exchange of an instrument of this venue.
    pub fn paper_spec(&self, venue: VenueId) -> PaperSpec {
        let (paper, own) = (&self.settings.paper, self.venue(venue));
        let rate = |bps: Decimal| Rate::from_bps(bps).expect("fees are checked to a thousandth of a basis point");
        PaperSpec {
            latency: LatencySpec {
                feed_us: paper.feed_latency_us,
                entry_us: paper.entry_latency_us,
                response_us: paper.response_latency_us,
                entry_jitter: paper.entry_jitter,
            },
            queue: match paper.queue_model {
                QueueChoice::RiskAverse => QueueModel::RiskAverse,
                QueueChoice::Power => QueueModel::Power { n: paper.queue_power },
                QueueChoice::Log => QueueModel::Log,
            },
            maker_fee: rate(own.maker_fee_bps.unwrap_or(paper.maker_fee_bps)),
            taker_fee: rate(own.taker_fee_bps.unwrap_or(paper.taker_fee_bps)),
        }
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

/// Hundredths of a basis point.
fn centibps(bps: Decimal) -> u32 {
    (bps * Decimal::ONE_HUNDRED).to_u32().expect("the key's range fits and its places are checked")
}

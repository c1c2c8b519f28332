//! Settings in the units of the core. Base quantities become lots here, where the instruments' rules are known.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Loaded;
use super::settings::{LatencyChoice, QueueChoice, VenueSettings, WaySettings};
use crate::engine::QuotingSpec;
use crate::exchange::PaperSpec;
use crate::exchange::fee::{Rates, Schedule, Tier};
use crate::exchange::habit::Habits;
use crate::exchange::latency::{LatencySpec, Measured, Way};
use crate::exchange::queue::QueueModel;
use crate::market::VenueId;
use crate::signal::SignalSpec;
use crate::units::{Money, Nanos, Rate};

impl Loaded {
    /// The section of a venue we speak to. Panics for a market known from files only.
    pub fn venue(&self, venue: VenueId) -> &VenueSettings {
        self.settings.venues.get(venue.name()).expect("the built-in layer has every venue")
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
                QueueChoice::Fifo => QueueModel::Fifo,
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

pub(super) fn money(quote: Decimal) -> Money {
    Money::from_decimal(quote).expect("the key's range is within Money's")
}

/// Hundredths of a basis point.
pub(super) fn centibps(bps: Decimal) -> u32 {
    (bps * Decimal::ONE_HUNDRED).to_u32().expect("the key's range fits and its places are checked")
}

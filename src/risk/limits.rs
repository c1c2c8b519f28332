//! The limits a risk team sets: `config/risk.toml`, in the units of the core.
//!
//! Plain data, checked when it is made ([`crate::config`]); what each limit means stands in [`super::rule`], who
//! enforces it are [`super::gate`] (requests) and [`super::breakers`] (everything that moves by itself). `None` is no
//! limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::VenueId;
use crate::units::{Lots, Money, Nanos, Side};

/// Everything a risk team can set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskLimits {
    /// Per instrument, in session order.
    pub instruments: Vec<InstrumentLimits>,
    /// Per venue, over its instruments.
    pub venues: BTreeMap<VenueId, ExposureLimits>,
    /// Over everything.
    pub book: BookLimits,
    /// How limits warn and recover.
    pub conduct: Conduct,
}

/// Limits of one instrument; quantities in its lots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstrumentLimits {
    /// Largest long position if every bid that may still trade were filled.
    pub long_max: Lots,
    /// Largest short position if every ask that may still trade were filled.
    pub short_max: Lots,
    /// Largest single order.
    pub order_qty_max: Lots,
    /// Largest `price × qty` of a single order, quote currency.
    pub order_notional_max: Money,
    /// Most orders that may be alive.
    pub open_orders_max: u32,
    /// Farthest an order may lie from the mid, hundredths of a basis point of the mid.
    pub collar_centibps: u32,
    /// Nearest that our bid and our ask may come to each other, hundredths of a basis point of the mid; 0 is no limit.
    pub spread_min_centibps: u32,
    /// Oldest news of the market we still quote on, milliseconds.
    pub stale_book_ms: u32,
    /// Loss since the session began, quote currency.
    pub loss_max: Option<Money>,
    /// Longest a position may be held without having been flat or on the other side.
    pub inventory_age_max: Option<Nanos>,
    /// Largest volatility to quote in, hundredths of a basis point of the mid per √s.
    pub volatility_max_centibps: Option<u32>,
    /// Worst mean markout after our fills.
    pub markout: Option<MarkoutLimit>,
    /// Oldest that news may be when it comes, milliseconds, smoothed.
    pub feed_latency_max_ms: Option<u32>,
    /// Farthest the venue's clock may run ahead of ours, milliseconds, smoothed.
    pub clock_skew_max_ms: Option<u32>,
    /// One unit of its quote currency in account currency, in millionths.
    pub account_rate_ppm: u64,
}

/// The adverse-markout breaker of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkoutLimit {
    /// Time from the fill to the mid it is judged by.
    pub horizon: Nanos,
    /// Over this many fills; nothing is said before there are as many.
    pub fills: u32,
    /// Mean loss that trips it, hundredths of a basis point of the fill's price.
    pub loss_max_centibps: u32,
}

/// Limits on what positions are worth, with every open order filled on its worse side; account currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureLimits {
    /// Longs plus shorts.
    pub gross_max: Option<Money>,
    /// Longs less shorts, without its sign.
    pub net_max: Option<Money>,
}

/// Limits over all instruments; account currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLimits {
    /// On exposure.
    pub exposure: ExposureLimits,
    /// What the account is worth without this session's profit.
    pub capital: Option<Money>,
    /// Largest gross exposure by capital and profit, in hundredths.
    pub leverage_max_centi: Option<u32>,
    /// Loss since the session began.
    pub loss_max: Option<Money>,
    /// Loss since midnight UTC, over restarts.
    pub daily_loss_max: Option<Money>,
    /// Loss within any sixty minutes.
    pub hourly_loss_max: Option<Money>,
    /// Fall from the highest equity, over restarts.
    pub drawdown_max: Option<Money>,
    /// Fees since midnight UTC, over restarts.
    pub daily_fees_max: Option<Money>,
    /// The next payments of funding, those we would receive not counted.
    pub funding_max: Option<Money>,
    /// Placements and replacements per second, a token bucket one second deep.
    pub order_rate_max_per_s: u32,
    /// Cancellations and replacements per second, as `order_rate_max_per_s`. A cancellation always passes; beyond the rate
    /// nothing new is placed.
    pub cancel_rate_max_per_s: Option<u32>,
}

/// How limits warn and recover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    /// From this share of a limit on losses or fees only what reduces risk is sent, percent; 0 is no such warning.
    pub soft_percent: u32,
    /// What has tripped clears only below this share of its limit, percent, …
    pub clear_percent: u32,
    /// … and only when it has been there for so long.
    pub hold: Nanos,
    /// Whether a halt for losses also brings positions to zero, by orders within the collar.
    pub flatten_on_halt: bool,
}

impl InstrumentLimits {
    /// Nothing may be held or sent.
    pub fn nothing() -> Self {
        Self {
            long_max: Lots::ZERO,
            short_max: Lots::ZERO,
            order_qty_max: Lots::ZERO,
            order_notional_max: Money::ZERO,
            open_orders_max: 0,
            collar_centibps: 0,
            spread_min_centibps: 0,
            stale_book_ms: 0,
            loss_max: None,
            inventory_age_max: None,
            volatility_max_centibps: None,
            markout: None,
            feed_latency_max_ms: None,
            clock_skew_max_ms: None,
            account_rate_ppm: ONE_PPM,
        }
    }

    /// Largest position on a side.
    pub fn position_max(&self, side: Side) -> Lots {
        match side {
            Side::Bid => self.long_max,
            Side::Ask => self.short_max,
        }
    }

    /// Whether any limit is on what moves by itself.
    pub fn stands(&self) -> bool {
        self.loss_max.is_some()
            || self.inventory_age_max.is_some()
            || self.volatility_max_centibps.is_some()
            || self.markout.is_some()
            || self.feed_latency_max_ms.is_some()
            || self.clock_skew_max_ms.is_some()
    }

    /// Whether any limit is on how old news is, or how far ahead.
    pub fn watches_age(&self) -> bool {
        self.feed_latency_max_ms.is_some() || self.clock_skew_max_ms.is_some()
    }

    /// An amount of its quote currency in account currency.
    pub fn in_account(&self, quote: Money) -> Money {
        if self.account_rate_ppm == ONE_PPM {
            return quote;
        }
        Money((quote.0 / i128::from(ONE_PPM)).saturating_mul(i128::from(self.account_rate_ppm)))
    }
}

/// One to one.
pub const ONE_PPM: u64 = 1_000_000;

impl RiskLimits {
    /// These limits for a session of `count` instruments. One they do not name may hold nothing: limits meant for
    /// another session must not stop this one, nor leave anything in it unlimited.
    pub fn for_instruments(&self, count: usize) -> Self {
        let mut limits = self.clone();
        limits.instruments.resize(count, InstrumentLimits::nothing());
        limits
    }
}

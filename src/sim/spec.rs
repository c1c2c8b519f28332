//! What a simulated market is made of.
//!
//! Rates are per second, distances in ticks, sizes in lots; nothing here is fitted to one venue. [`MarketSpec::new`]
//! gives a market that looks like a liquid coin. Measured over an hour of BTCUSDT: median spread 4 ticks (mean 5.7),
//! about 330 orders on 80 or more levels a side, 4 takers and 11 prints a second, 0.13 bps/√s at one second and 0.15
//! at a minute; the mid a second after a print is 3 ticks in favour of the resting side, so patience pays.

use serde::{Deserialize, Serialize};

use crate::market::{Instrument, VenueId};
use crate::units::{Lots, Money, NotOnStep, Step, Ticks};

/// A venue's worth of markets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimSpec {
    /// One per symbol.
    pub markets: Vec<MarketSpec>,
}

/// One market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarketSpec {
    /// The venue's rules.
    pub rules: Instrument,
    /// Where the price starts, and where its value is slowly pulled back to.
    pub start: Ticks,
    /// The crowd without opinions.
    pub flow: FlowSpec,
    /// The one participant with an opinion about the value; `None` leaves the crowd alone.
    pub maker: Option<MakerSpec>,
}

/// Zero-intelligence order flow: four independent Poisson processes and their marks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowSpec {
    /// Arrivals of limit orders, buys and sells together, 1 / second.
    pub limits_per_s: f64,
    /// Arrivals of market orders, buys and sells together, 1 / second.
    pub markets_per_s: f64,
    /// Each resting order of the crowd is cancelled at this rate, 1 / second: its mean patience is the inverse.
    pub cancels_per_order_s: f64,
    /// How far from the opposite best a limit order is placed.
    pub placement: Placement,
    /// Size of a limit order.
    pub limit_size: SizeSpec,
    /// Size of a market order.
    pub market_size: SizeSpec,
    /// When this many orders of the crowd rest, the oldest makes room for the next.
    pub orders_max: usize,
}

/// Distance of a new limit order from the opposite best, in ticks, at least one: it never trades on arrival.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Placement {
    /// Every price from 1 to `ticks` away is equally likely (Daniels, Farmer, Gillemot, Iori & Smith 2003).
    Uniform {
        /// The window.
        ticks: i64,
    },
    /// `1 + ⌊scale·(u^(-1/exponent) - 1)⌋`, a power law far out and nearly flat within `scale`; deeper draws than
    /// `ticks_max` are drawn again.
    PowerLaw {
        /// Where the tail begins, ticks.
        scale_ticks: f64,
        /// Of the survival function.
        exponent: f64,
        /// Nothing is placed deeper.
        ticks_max: i64,
    },
}

/// Lognormal sizes, rounded up to whole lots.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeSpec {
    /// Half of the orders are smaller, lots.
    pub median: f64,
    /// σ of the logarithm; 0 makes every order the median.
    pub sigma: f64,
    /// The smallest, lots.
    pub min: Lots,
    /// The largest, lots.
    pub max: Lots,
}

/// A market maker who knows the value and keeps a ladder of orders around it. When the value moves through other
/// people's orders his new quotes take them: this is what makes the price follow the value, and refills the book
/// after a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MakerSpec {
    /// He looks again at this rate (a Poisson process), 1 / second.
    pub looks_per_s: f64,
    /// No quote is nearer to the value than this, ticks.
    pub half_spread_ticks: i64,
    /// Quotes a side.
    pub levels: usize,
    /// Quotes stand on multiples of this, ticks.
    pub spacing_ticks: i64,
    /// Size of one quote.
    pub size: SizeSpec,
    /// σ of the value, basis points of the start price per √second.
    pub volatility_bps: f64,
    /// The value is pulled back to the start with this time constant, seconds.
    pub pull_back_s: f64,
}

impl MarketSpec {
    /// A liquid coin at `start`, tick and lot given as decimal text.
    pub fn new(base: &str, quote: &str, tick: &str, lot: &str, start: Ticks) -> Result<Self, NotOnStep> {
        let (tick, lot) = (Step::parse(tick)?, Step::parse(lot)?);
        let mut rules = Instrument::new(VenueId::BinanceSpot, &format!("{base}{quote}"), base, quote, tick, lot)?;
        rules.min_notional = Money(5 * Money::PER_QUOTE);
        rules.max_qty = Lots(100_000_000_000);
        // Sizes in quote currency are the same for every coin: the median order is worth 1200.
        let notional_lot = start.0 as f64 * rules.tick_lot.to_f64();
        let lots = |worth: f64| worth / notional_lot;
        let size = |worth: f64, sigma: f64| SizeSpec {
            median: lots(worth),
            sigma,
            min: Lots((lots(10.0) as i64).max(1)),
            max: Lots((lots(200_000.0) as i64).max(1)),
        };
        Ok(Self {
            start,
            flow: FlowSpec {
                limits_per_s: 40.0,
                markets_per_s: 4.0,
                cancels_per_order_s: 0.1,
                placement: Placement::PowerLaw { scale_ticks: 120.0, exponent: 1.5, ticks_max: 2000 },
                limit_size: size(1200.0, 1.2),
                market_size: size(1800.0, 1.3),
                orders_max: 4000,
            },
            maker: Some(MakerSpec {
                looks_per_s: 5.0,
                half_spread_ticks: 40,
                levels: 12,
                spacing_ticks: 6,
                size: size(12_000.0, 0.5),
                volatility_bps: 0.15,
                pull_back_s: 86_400.0,
            }),
            rules,
        })
    }

    /// BTCUSDT at 60 000, tick 0.10.
    pub fn btcusdt() -> Self {
        Self::new("BTC", "USDT", "0.10", "0.00001", Ticks(600_000)).expect("a tick and a lot that multiply exactly")
    }

    /// ETHUSDT at 3 000, tick 0.01.
    pub fn ethusdt() -> Self {
        Self::new("ETH", "USDT", "0.01", "0.0001", Ticks(300_000)).expect("a tick and a lot that multiply exactly")
    }
}

/// BTCUSDT and ETHUSDT.
impl Default for SimSpec {
    fn default() -> Self {
        Self { markets: vec![MarketSpec::btcusdt(), MarketSpec::ethusdt()] }
    }
}

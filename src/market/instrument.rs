//! What is traded, by whose rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Lots, Money, NotOnStep, Rate, Step, Ticks};

/// Position of an instrument in its session's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// As an index into per-instrument lists.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The exchanges we know by name. Closed on purpose: a new one makes the compiler list every place that cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueId {
    /// Binance spot.
    BinanceSpot,
    /// Binance USD-margined futures.
    BinanceUsdm,
    /// Bybit v5 spot.
    BybitSpot,
    /// Bybit v5 linear perpetuals.
    BybitLinear,
    /// OKX v5 spot and swap.
    Okx,
    /// Coinbase Advanced Trade.
    Coinbase,
    /// Kraken spot v2.
    Kraken,
    /// Hyperliquid perpetuals.
    Hyperliquid,
    /// Deribit perpetuals.
    Deribit,
}

impl VenueId {
    /// All of them.
    pub const ALL: [VenueId; 9] = [
        VenueId::BinanceSpot,
        VenueId::BinanceUsdm,
        VenueId::BybitSpot,
        VenueId::BybitLinear,
        VenueId::Okx,
        VenueId::Coinbase,
        VenueId::Kraken,
        VenueId::Hyperliquid,
        VenueId::Deribit,
    ];

    /// The name in configuration, exports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            VenueId::BinanceSpot => "binance-spot",
            VenueId::BinanceUsdm => "binance-usdm",
            VenueId::BybitSpot => "bybit-spot",
            VenueId::BybitLinear => "bybit-linear",
            VenueId::Okx => "okx",
            VenueId::Coinbase => "coinbase",
            VenueId::Kraken => "kraken",
            VenueId::Hyperliquid => "hyperliquid",
            VenueId::Deribit => "deribit",
        }
    }
}

impl fmt::Display for VenueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for VenueId {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        VenueId::ALL.into_iter().find(|v| v.name() == s).ok_or_else(|| {
            let names: Vec<_> = VenueId::ALL.iter().map(|v| v.name()).collect();
            format!("unknown venue {s:?}; known are {}", names.join(", "))
        })
    }
}

/// Whether and how an instrument may be traded at its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Continuous trading.
    Trading,
    /// Only orders that cannot take.
    PostOnly,
    /// Only cancellations.
    CancelOnly,
    /// Closed for now (halt, break, auction, maintenance).
    Halted,
    /// Gone.
    Delisted,
    /// A word we do not know: treated as not tradable.
    Unknown,
}

impl Status {
    /// Whether new quotes may rest.
    pub fn may_quote(self) -> bool {
        match self {
            Status::Trading | Status::PostOnly => true,
            Status::CancelOnly | Status::Halted | Status::Delisted | Status::Unknown => false,
        }
    }
}

/// One traded instrument and its venue's rules. Spot and linear contracts; the quantity is in base units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Where.
    pub venue: VenueId,
    /// The venue's own name for it, for example `BTCUSDT`.
    pub symbol: String,
    /// Base asset, what is bought.
    pub base: String,
    /// Quote asset, what it is paid in.
    pub quote: String,
    /// Price step.
    pub tick: Step,
    /// Quantity step.
    pub lot: Step,
    /// Smallest order.
    pub min_qty: Lots,
    /// Largest order.
    pub max_qty: Lots,
    /// Smallest `price × qty` of an order.
    pub min_notional: Money,
    /// Price band around the mid that an order must lie in, `(low, high)` as multiples of the mid in [`Rate`]
    /// units: `(2_000_000, 50_000_000)` is 0.2× to 5×. `None`: no band.
    pub price_band: Option<(Rate, Rate)>,
    /// Whether it may be traded now.
    pub status: Status,
    /// Counts up with every change of these rules, so that prices in old ticks are never mixed with new ones.
    pub revision: u32,
    /// One tick times one lot. Derived; kept because it is on every fill's path.
    pub tick_lot: Money,
}

impl Instrument {
    /// An instrument with the given steps and no other rule than "at least one lot".
    pub fn new(
        venue: VenueId,
        symbol: &str,
        base: &str,
        quote: &str,
        tick: Step,
        lot: Step,
    ) -> Result<Self, NotOnStep> {
        Ok(Self {
            venue,
            symbol: symbol.to_owned(),
            base: base.to_owned(),
            quote: quote.to_owned(),
            tick,
            lot,
            min_qty: Lots(1),
            max_qty: Lots(i64::MAX / 4),
            min_notional: Money::ZERO,
            price_band: None,
            status: Status::Trading,
            revision: 0,
            tick_lot: Step::notional_per_tick_lot(tick, lot)?,
        })
    }

    /// `price × qty`, exact. Panics beyond ±1.7·10¹⁴ quote units.
    pub fn notional(&self, price: Ticks, qty: Lots) -> Money {
        let product = i128::from(price.0) * i128::from(qty.0);
        Money(self.tick_lot.0.checked_mul(product).expect("a notional below 1.7e14 quote units"))
    }

    /// `VENUE:SYMBOL`, as on the command line.
    pub fn label(&self) -> String {
        format!("{}:{}", self.venue, self.symbol)
    }

    /// A price as text in the venue's precision.
    pub fn price_text(&self, price: Ticks) -> String {
        self.tick.value(price.0).to_string()
    }

    /// A quantity as text in the venue's precision.
    pub fn qty_text(&self, qty: Lots) -> String {
        self.lot.value(qty.0).to_string()
    }
}

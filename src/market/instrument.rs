//! What is traded, by whose rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Lots, Money, Nanos, NotOnStep, Rate, Step, Ticks};

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
    /// Binance COIN-margined (inverse) futures.
    BinanceCoinm,
}

impl VenueId {
    /// All of them.
    pub const ALL: [VenueId; 10] = [
        VenueId::BinanceSpot,
        VenueId::BinanceUsdm,
        VenueId::BybitSpot,
        VenueId::BybitLinear,
        VenueId::Okx,
        VenueId::Coinbase,
        VenueId::Kraken,
        VenueId::Hyperliquid,
        VenueId::Deribit,
        VenueId::BinanceCoinm,
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
            VenueId::BinanceCoinm => "binance-coinm",
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

/// How price and quantity make money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The asset itself: `price × qty` of quote currency for `qty` of base.
    Spot,
    /// A contract on the base asset, settled in quote currency: profit is `qty × (exit - entry)`.
    Linear,
    /// A contract on an amount of *quote* currency, settled in the base asset: quantities are in quote units and
    /// profit is `qty × (1/entry - 1/exit)` of base.
    Inverse,
}

/// What kind of contract an instrument is. Spot is a contract of one unit without funding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// How price and quantity make money.
    pub kind: Kind,
    /// What one unit of the venue's own quantities is worth in ours (base; quote for inverse contracts): 1 where the
    /// venue counts in units, 0.01 for an OKX swap counted in contracts of 0.01 BTC.
    pub unit: Step,
    /// The asset profits, fees and funding are paid in.
    pub settle: String,
    /// Time between funding payments as the venue lists it; `None` without funding, or if only its feed says.
    pub funding_every: Option<Nanos>,
}

/// Which of the prices on the tick grid an order may have. The tick is the finest step of them all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceRule {
    /// Every tick.
    EveryTick,
    /// From each of these prices (ascending) on, only multiples of the step beside it; below the first, every tick.
    Steps(Vec<(Ticks, i64)>),
    /// At most so many significant figures; whole units of quote currency are always allowed.
    SignificantFigures(u32),
}

/// One traded instrument and its venue's rules. Quantities are in base units, of inverse contracts in quote units.
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
    /// What kind of contract.
    pub contract: Contract,
    /// Price step.
    pub tick: Step,
    /// Which ticks an order may have.
    pub price_rule: PriceRule,
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
            contract: Contract { kind: Kind::Spot, unit: Step::ONE, settle: quote.to_owned(), funding_every: None },
            tick,
            price_rule: PriceRule::EveryTick,
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

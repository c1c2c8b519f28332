//! What is traded, by whose rules, and what price and quantity come to in money.
//!
//! Quantities are in base units, of inverse contracts in quote units; money is in the settlement currency, which is
//! the quote currency of spot and linear contracts and the base asset of inverse ones. Everything a ledger adds up is a
//! whole multiple of [`Instrument::unit_value`], what one lot is worth at one price. That of an inverse contract is
//! rounded, once per price; so a sum over fills and marks is exact, whatever the order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::price_rule::PriceRule;
use crate::units::{Lots, Money, Nanos, NotOnStep, POWERS_OF_TEN, Rate, Side, Step, Ticks};

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
    /// None we speak to: a market known from files only.
    Imported,
}

impl VenueId {
    /// All of them that have a protocol.
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
            VenueId::Imported => "imported",
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
        VenueId::ALL.into_iter().chain([VenueId::Imported]).find(|v| v.name() == s).ok_or_else(|| {
            let names: Vec<_> = VenueId::ALL.iter().map(|v| v.name()).collect();
            format!("unknown venue {s:?}; known are {}, and of files only {}", names.join(", "), VenueId::Imported)
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
    /// Smallest worth of an order, in quote currency.
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

/// Prices divide and multiply with twelve decimals: `10¹²` of [`Money`]'s units.
const PRICE_UNIT: i128 = 1_000_000_000_000;

impl Instrument {
    /// A spot instrument with the given steps and no other rule than "at least one lot".
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

    /// The same instrument as this kind of contract.
    pub fn with_contract(self, contract: Contract) -> Self {
        Self { contract, ..self }
    }

    /// The same instrument on another price step.
    pub fn with_tick(self, tick: Step) -> Result<Self, NotOnStep> {
        Ok(Self { tick, tick_lot: Step::notional_per_tick_lot(tick, self.lot)?, ..self })
    }

    /// What one lot is worth at half of `twice_price` ticks, so that a mid between two ticks has a value too; in
    /// settlement currency. Of an inverse contract it is negative, as its holder owes the base asset: the higher the
    /// price, the less. Zero for an inverse contract without a price.
    pub fn unit_value(&self, twice_price: i64) -> Money {
        match self.contract.kind {
            // `tick_lot` is even: it has 24 decimals, tick and lot together at most 17.
            Kind::Spot | Kind::Linear => Money(self.tick_lot.0 / 2 * i128::from(twice_price)),
            Kind::Inverse if twice_price <= 0 => Money::ZERO,
            Kind::Inverse => {
                let parts = 2 * i128::from(POWERS_OF_TEN[self.tick.decimals() as usize]);
                -self.lot.money().times(parts, i128::from(self.tick.mantissa()) * i128::from(twice_price))
            }
        }
    }

    /// What `qty` is worth at `price`, in settlement currency, exactly `qty` times the value of one lot: profit is the
    /// value at the exit less the value at the entry. Panics beyond ±1.7·10¹⁴ units.
    pub fn value(&self, price: Ticks, qty: Lots) -> Money {
        let unit = self.unit_value(2 * price.0).0;
        Money(unit.checked_mul(i128::from(qty.0)).expect("a value below 1.7e14 units of currency"))
    }

    /// Size of a trade in settlement currency, which fees are a share of. Panics beyond 1.7·10¹⁴ units.
    pub fn notional(&self, price: Ticks, qty: Lots) -> Money {
        self.value(price, qty).abs()
    }

    /// Size of a trade in quote currency, which limits are in: of an inverse contract the quantity itself. Saturates.
    pub fn notional_quote(&self, price: Ticks, qty: Lots) -> Money {
        let qty = i128::from(qty.0.unsigned_abs());
        Money(match self.contract.kind {
            Kind::Spot | Kind::Linear => {
                let count = i128::from(price.0) * qty;
                // Nearly always both fit one register, and the product two.
                match (i64::try_from(self.tick_lot.0), i64::try_from(count)) {
                    (Ok(unit), Ok(count)) => i128::from(unit) * i128::from(count),
                    _ => self.tick_lot.0.saturating_mul(count),
                }
            }
            Kind::Inverse => self.lot.money().0.saturating_mul(qty),
        })
    }

    /// What a position is worth at a price that need not be on the tick (a mark, an index), in settlement currency and
    /// signed like the position. Zero at a price that is not positive.
    pub fn worth(&self, price: Money, position: Lots) -> Money {
        if price <= Money::ZERO {
            return Money::ZERO;
        }
        let lots = i128::from(position.0) * i128::from(self.lot.mantissa());
        match self.contract.kind {
            Kind::Spot | Kind::Linear => price.times(lots, i128::from(POWERS_OF_TEN[self.lot.decimals() as usize])),
            Kind::Inverse => (self.lot.money() * position.0).times(PRICE_UNIT, (price.0 / PRICE_UNIT).max(1)),
        }
    }

    /// An amount of the settlement currency in quote currency, at a price; of an inverse contract to 10⁻¹² of it.
    pub fn in_quote(&self, amount: Money, price: Money) -> Money {
        match self.contract.kind {
            Kind::Spot | Kind::Linear => amount,
            Kind::Inverse => amount.times(price.0 / PRICE_UNIT, PRICE_UNIT),
        }
    }

    /// Half of `twice_price` ticks in quote currency.
    pub fn price(&self, twice_price: i64) -> Money {
        Money(self.tick.money().0 / 2 * i128::from(twice_price))
    }

    /// The nearest price an order may have that is not more aggressive.
    pub fn snap(&self, side: Side, price: Ticks) -> Ticks {
        self.price_rule.snap(self.tick, side, price)
    }

    /// What quantities are in, as the end of a key's name: `base` or `quote`.
    pub fn quantity_unit(&self) -> &'static str {
        match self.contract.kind {
            Kind::Spot | Kind::Linear => "base",
            Kind::Inverse => "quote",
        }
    }

    /// The asset quantities are counted in.
    pub fn quantity_asset(&self) -> &str {
        match self.contract.kind {
            Kind::Spot | Kind::Linear => &self.base,
            Kind::Inverse => &self.quote,
        }
    }

    /// The asset profits, fees and funding are paid in.
    pub fn settle(&self) -> &str {
        &self.contract.settle
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

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step {
        Step::parse(text).expect("a step")
    }

    fn money(text: &str) -> Money {
        Money::from_decimal(text.parse().expect("a decimal")).expect("in range")
    }

    fn perpetual(kind: Kind, settle: &str, tick: &str, lot: &str) -> Instrument {
        let contract = Contract { kind, unit: Step::ONE, settle: settle.to_owned(), funding_every: None };
        let spot = Instrument::new(VenueId::Deribit, "BTC-PERPETUAL", "BTC", "USD", step(tick), step(lot));
        spot.expect("steps").with_contract(contract)
    }

    #[test]
    fn a_linear_contract_is_worth_what_spot_is() {
        // 0.25 BTC at 60 000.50 are 15 000.125.
        let linear = perpetual(Kind::Linear, "USDC", "0.5", "0.0001");
        assert_eq!(linear.value(Ticks(120_001), Lots(2_500)), money("15000.125"));
        assert_eq!(linear.value(Ticks(120_001), Lots(-2_500)), money("-15000.125"));
        assert_eq!(linear.notional(Ticks(120_001), Lots(-2_500)), money("15000.125"));
        assert_eq!(linear.notional_quote(Ticks(120_001), Lots(-2_500)), money("15000.125"));
        assert_eq!(linear.worth(money("60000.5"), Lots(-2_500)), money("-15000.125"));
        assert_eq!(linear.in_quote(money("7"), money("60000")), money("7"));
    }

    #[test]
    fn an_inverse_contract_earns_the_difference_of_reciprocals() {
        // 10 000 USD in contracts of 10, from 50 000 to 55 000: 10000/50000 - 10000/55000 = 0.2 - 0.181818… BTC.
        let inverse = perpetual(Kind::Inverse, "BTC", "0.5", "10");
        let (entry, exit) = (inverse.value(Ticks(100_000), Lots(1_000)), inverse.value(Ticks(110_000), Lots(1_000)));
        assert_eq!(entry, money("-0.2"));
        // One contract at 55 000 is 0.000181818181818181818181, cut off after its 24th place, times a thousand.
        assert_eq!((exit - entry).to_string(), "0.018181818181818181819");
        assert_eq!(inverse.notional(Ticks(100_000), Lots(1_000)), money("0.2"));
        assert_eq!(inverse.notional_quote(Ticks(100_000), Lots(1_000)), money("10000"));
        assert_eq!(inverse.notional_quote(Ticks(100_000), Lots(-1_000)), money("10000"));
        // At a mark off the tick: 10 000 / 40 000.25 = 0.24999843750976… BTC, and 0.2 BTC are 8 000.05 USD there.
        assert_eq!(format!("{:.14}", inverse.worth(money("40000.25"), Lots(1_000))), "0.24999843750977");
        assert_eq!(inverse.in_quote(money("0.2"), money("40000.25")), money("8000.05"));
    }

    #[test]
    fn a_value_is_a_whole_multiple_of_one_lots() {
        // 10 / 30 000.5 does not end; a thousand contracts are a thousand times the rounded one all the same.
        let inverse = perpetual(Kind::Inverse, "BTC", "0.5", "10");
        let one = inverse.value(Ticks(60_001), Lots(1));
        assert_eq!(inverse.value(Ticks(60_001), Lots(1_000)), one * 1_000);
        assert_eq!(inverse.unit_value(120_002), one);
        // Half a tick up it is worth more: the holder owes less.
        assert!(inverse.unit_value(120_003) > one);
    }

    #[test]
    fn no_quantity_makes_the_size_of_a_trade_overflow() {
        for kind in [Kind::Spot, Kind::Linear, Kind::Inverse] {
            let rules = perpetual(kind, "BTC", "0.5", "10");
            assert!(rules.notional_quote(Ticks(i64::MAX), Lots(i64::MIN)) > money("10000000000000"));
        }
    }

    #[test]
    fn a_coarser_tick_keeps_the_lot() {
        let inverse = perpetual(Kind::Inverse, "BTC", "0.5", "10").with_tick(step("2.5")).expect("steps");
        // 20 000 ticks of 2.5 are 50 000.
        assert_eq!(inverse.value(Ticks(20_000), Lots(1)), money("-0.0002"));
        assert_eq!((inverse.price(40_001), inverse.tick_lot), (money("50001.25"), money("25")));
    }
}

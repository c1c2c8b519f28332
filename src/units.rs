//! Numbers that cannot be mixed up.
//!
//! Inside the house a price is a count of ticks, a quantity a count of lots, an amount of money a count of
//! [`Money::PER_QUOTE`]ths of one unit of quote currency, and the two clocks are two types. Everything here is
//! an integer, so sums do not depend on their order and a fill's cash is exact. Decimals appear at the edge
//! only: [`Step`] turns a venue's decimal text into counts and back.
//!
//! Reading order: [`Step`] is the bridge to decimal, [`Money`] says why an `i128` is enough.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// A price, as a count of the instrument's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticks(pub i64);

/// A quantity, as a count of the instrument's lots. Signed where it is a position (long is positive).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lots(pub i64);

/// An amount of quote currency, in units of 10⁻²⁴.
///
/// Fine enough that `ticks × lots × fee rate` is exact whenever the decimals of tick and lot together are at most
/// 17 ([`Step::notional_per_tick_lot`] refuses the rest), wide enough for ±1.7·10¹⁴ quote units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money(pub i128);

/// Nanoseconds since the Unix epoch on **our** clock: when we heard, decided, sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LocalTime(pub i64);

/// Nanoseconds since the Unix epoch on the **venue's** clock: when it happened there. Never compared with
/// [`LocalTime`]: real recordings have the receiver's clock more than a second behind the venue's. Only
/// a paper latency that is a share of the feed's does, and says what it makes of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VenueTime(pub i64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nanos(pub i64);

/// A proportion in units of 10⁻⁷ (a thousandth of a basis point), for fee rates: 10 bps is `Rate(10_000)`.
/// Negative is a rebate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate(pub i64);

macro_rules! counts {
    ($($name:ident($inner:ty)),*) => {$(
        impl Add for $name { type Output = Self; fn add(self, o: Self) -> Self { Self(self.0 + o.0) } }
        impl Sub for $name { type Output = Self; fn sub(self, o: Self) -> Self { Self(self.0 - o.0) } }
        impl Neg for $name { type Output = Self; fn neg(self) -> Self { Self(-self.0) } }
        impl AddAssign for $name { fn add_assign(&mut self, o: Self) { self.0 += o.0 } }
        impl SubAssign for $name { fn sub_assign(&mut self, o: Self) { self.0 -= o.0 } }
        impl $name {
            /// The zero of its kind.
            pub const ZERO: Self = Self(0);
            /// Without its sign.
            pub fn abs(self) -> Self { Self(self.0.abs()) }
        }
        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self { iter.fold(Self::ZERO, |a, b| a + b) }
        }
    )*};
}
counts!(Ticks(i64), Lots(i64), Money(i128), Nanos(i64));

impl Mul<i64> for Money {
    type Output = Self;
    fn mul(self, by: i64) -> Self {
        Self(self.0 * i128::from(by))
    }
}

impl Money {
    /// How many units make one unit of quote currency.
    pub const PER_QUOTE: i128 = 1_000_000_000_000_000_000_000_000;

    /// The nearest amount to a decimal of quote currency; `None` beyond ±1.7·10¹⁴.
    pub fn from_decimal(quote: Decimal) -> Option<Self> {
        let mantissa = quote.mantissa();
        let shift = 24 - i64::from(quote.scale());
        if shift >= 0 {
            mantissa.checked_mul(10i128.checked_pow(shift as u32)?).map(Self)
        } else {
            Some(Self(mantissa / 10i128.pow((-shift) as u32)))
        }
    }

    /// For reports and for strategies' heads; not exact.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::PER_QUOTE as f64
    }

    /// This amount times `numerator` over `denominator`, rounded towards zero. In two parts, so that it overflows only
    /// where the answer does, or `numerator × denominator`.
    pub fn times(self, numerator: i128, denominator: i128) -> Self {
        Self(self.0 / denominator * numerator + self.0 % denominator * numerator / denominator)
    }

    /// The share `rate` of this amount, exact when the amount is a multiple of 10⁷ units, else rounded towards zero.
    pub fn share(self, rate: Rate) -> Self {
        self.times(i128::from(rate.0), Rate::ONE)
    }
}

/// Plain decimal, no exponent, trailing zeros trimmed: `-12.5`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, part) = (magnitude / Self::PER_QUOTE as u128, magnitude % Self::PER_QUOTE as u128);
        let sign = if self.0 < 0 { "-" } else { "" };
        if let Some(places) = f.precision() {
            // Rounded half away from zero at the asked place, for people.
            let unit = 10u128.pow(24 - places.min(24) as u32);
            let rounded = (magnitude + unit / 2) / unit;
            let per = 10u128.pow(places.min(24) as u32);
            let sign = if rounded == 0 { "" } else { sign };
            let text = if places == 0 {
                format!("{sign}{}", rounded / per)
            } else {
                format!("{sign}{}.{:0places$}", rounded / per, rounded % per)
            };
            return f.pad_integral(true, "", &text);
        }
        let digits = format!("{part:024}");
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{digits}") }
    }
}

impl Rate {
    /// The whole.
    pub const ONE: i128 = 10_000_000;

    /// From basis points; `None` if finer than a thousandth of a basis point.
    pub fn from_bps(bps: Decimal) -> Option<Self> {
        let scaled = bps.checked_mul(Decimal::from(1000))?;
        if scaled.fract().is_zero() { scaled.to_i64().map(Self) } else { None }
    }

    /// In basis points, for reports.
    pub fn bps(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl LocalTime {
    /// `self - earlier`; negative if `earlier` is later.
    pub fn since(self, earlier: LocalTime) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Nanos> for LocalTime {
    type Output = LocalTime;
    fn add(self, by: Nanos) -> LocalTime {
        LocalTime(self.0.saturating_add(by.0))
    }
}

impl Sub<Nanos> for LocalTime {
    type Output = LocalTime;
    fn sub(self, by: Nanos) -> LocalTime {
        LocalTime(self.0.saturating_sub(by.0))
    }
}

impl Nanos {
    /// From milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }
    /// From microseconds.
    pub const fn from_us(us: i64) -> Self {
        Self(us * 1_000)
    }
    /// From whole seconds.
    pub const fn from_s(s: i64) -> Self {
        Self(s * 1_000_000_000)
    }
    /// In seconds, for strategies' heads.
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }
    /// In whole milliseconds, towards zero.
    pub fn ms(self) -> i64 {
        self.0 / 1_000_000
    }
}

/// Buyers and sellers. For an order: which side it rests on. For a trade: see the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Buy.
    Bid,
    /// Sell.
    Ask,
}

impl Side {
    /// Both, bid first.
    pub const BOTH: [Side; 2] = [Side::Bid, Side::Ask];

    /// The other one.
    pub fn opposite(self) -> Side {
        match self {
            Side::Bid => Side::Ask,
            Side::Ask => Side::Bid,
        }
    }

    /// `+1` for a buy, `-1` for a sell.
    pub fn sign(self) -> i64 {
        match self {
            Side::Bid => 1,
            Side::Ask => -1,
        }
    }

    /// Whether `price` is closer to the other side than `than` (a higher bid, a lower ask).
    pub fn is_better(self, price: Ticks, than: Ticks) -> bool {
        match self {
            Side::Bid => price > than,
            Side::Ask => price < than,
        }
    }

    /// `buy` or `sell`, the words of the exports.
    pub fn word(self) -> &'static str {
        match self {
            Side::Bid => "buy",
            Side::Ask => "sell",
        }
    }
}

/// The size of one tick or lot in decimal, and the exact bridge between text and counts.
///
/// Steps that are a power of ten (nearly all of them) convert without a division.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The step is `mantissa · 10^-decimals`, with `mantissa` not divisible by ten unless `decimals` is 0.
    mantissa: u64,
    decimals: u32,
}

/// Why a decimal is not a whole number of steps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOnStep {
    /// A step must be a positive decimal with at most 15 places.
    #[error("step {0} is not a positive decimal with at most 15 places")]
    BadStep(String),
    /// Between two steps.
    #[error("{value} is not a multiple of {step}")]
    Between {
        /// What was given.
        value: String,
        /// The step it should have been on.
        step: String,
    },
    /// More than 63 bits of steps.
    #[error("{value} is out of range for step {step}")]
    OutOfRange {
        /// What was given.
        value: String,
        /// The step.
        step: String,
    },
    /// The product of this tick and lot is finer than [`Money`] resolves.
    #[error("tick {tick} and lot {lot} together have more than 17 decimals: cash would not be exact")]
    TooFine {
        /// Tick size.
        tick: String,
        /// Lot size.
        lot: String,
    },
}

impl Step {
    /// One unit.
    pub const ONE: Self = Self { mantissa: 1, decimals: 0 };

    /// A step from its decimal size, for example `0.01`.
    pub fn new(size: Decimal) -> Result<Self, NotOnStep> {
        let size = size.normalize();
        let bad = || NotOnStep::BadStep(size.to_string());
        let mantissa = u64::try_from(size.mantissa()).map_err(|_| bad())?;
        if mantissa == 0 || size.scale() > 15 {
            return Err(bad());
        }
        Ok(Self { mantissa, decimals: size.scale() })
    }

    /// From text, for example `"0.00001000"`.
    pub fn parse(text: &str) -> Result<Self, NotOnStep> {
        let size = text.parse::<Decimal>().map_err(|_| NotOnStep::BadStep(text.to_owned()))?;
        Self::new(size)
    }

    /// The step's size.
    pub fn size(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.mantissa), self.decimals)
    }

    /// The step's size, not exact.
    pub fn to_f64(self) -> f64 {
        self.mantissa as f64 / POWERS_OF_TEN[self.decimals as usize] as f64
    }

    /// The step's size as an amount; exact, as a step has at most 15 places.
    pub fn money(self) -> Money {
        Money(i128::from(self.mantissa) * 10i128.pow(24 - self.decimals))
    }

    /// How many decimals a value on this step needs.
    pub fn decimals(self) -> u32 {
        self.decimals
    }

    /// `mantissa` of the step: 1 for powers of ten.
    pub fn mantissa(self) -> u64 {
        self.mantissa
    }

    /// Steps in `value`, exactly.
    pub fn count(self, value: Decimal) -> Result<i64, NotOnStep> {
        let out = |_| NotOnStep::OutOfRange { value: value.to_string(), step: self.to_string() };
        let v = value.normalize();
        if v.scale() > self.decimals {
            return Err(NotOnStep::Between { value: value.to_string(), step: self.to_string() });
        }
        let scaled = v
            .mantissa()
            .checked_mul(i128::from(POWERS_OF_TEN[(self.decimals - v.scale()) as usize]))
            .ok_or(())
            .map_err(out)?;
        if scaled % i128::from(self.mantissa) != 0 {
            return Err(NotOnStep::Between { value: value.to_string(), step: self.to_string() });
        }
        i64::try_from(scaled / i128::from(self.mantissa)).map_err(|_| out(()))
    }

    /// The most steps that are not more than `value`; 0 if they are more than 63 bits.
    pub fn count_floor(self, value: Decimal) -> i64 {
        value.checked_div(self.size()).and_then(|steps| steps.floor().to_i64()).unwrap_or(0)
    }

    /// `count` steps as a decimal in the step's own precision: `64013.50`.
    pub fn value(self, count: i64) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(count) * i128::from(self.mantissa), self.decimals)
    }

    /// One tick times one lot, in [`Money`]; every `ticks × lots` product is an exact multiple of it, and so is
    /// every fee on it at a [`Rate`].
    pub fn notional_per_tick_lot(tick: Step, lot: Step) -> Result<Money, NotOnStep> {
        let decimals = tick.decimals + lot.decimals;
        let too_fine = || NotOnStep::TooFine { tick: tick.to_string(), lot: lot.to_string() };
        if decimals > 17 {
            return Err(too_fine());
        }
        let mantissa = i128::from(tick.mantissa) * i128::from(lot.mantissa);
        mantissa.checked_mul(10i128.pow(24 - decimals)).map(Money).ok_or_else(too_fine)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.size().fmt(f)
    }
}

/// A funding rate per interval, in units of 10⁻¹²; positive when longs pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FundingRate(pub i64);

impl FundingRate {
    /// Units per whole.
    pub const PER_WHOLE: i64 = 1_000_000_000_000;

    /// From a fraction such as `0.0001`, rounded to the unit; `None` beyond ±9 million.
    pub fn from_decimal(fraction: Decimal) -> Option<Self> {
        fraction.checked_mul(Decimal::from(Self::PER_WHOLE))?.round().to_i64().map(Self)
    }
}

impl fmt::Display for FundingRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(self.0, 12).normalize().fmt(f)
    }
}

/// `10^n` for every `n` a `u64` holds.
pub const POWERS_OF_TEN: [u64; 20] = {
    let mut table = [1u64; 20];
    let mut i = 1;
    while i < 20 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// Rounds away from mid, so rounding never makes a quote more aggressive than was decided.
///
/// * `price` — ticks, fractional. A bid goes down, an ask goes up; absurd values saturate.
pub fn to_tick(price: f64, side: Side) -> Ticks {
    match side {
        Side::Bid => Ticks(price.floor() as i64),
        Side::Ask => Ticks(price.ceil() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_exactly_or_refuses() {
        let tick = Step::parse("0.01000000").unwrap();
        assert_eq!(tick.count("61737.63000000".parse().unwrap()), Ok(6_173_763));
        assert!(matches!(tick.count("61737.635".parse().unwrap()), Err(NotOnStep::Between { .. })));
        assert_eq!(tick.value(6_173_763).to_string(), "61737.63");
        let quarter = Step::parse("0.25").unwrap();
        assert_eq!(quarter.count("10.5".parse().unwrap()), Ok(42));
        assert!(quarter.count("10.3".parse().unwrap()).is_err());
        assert!(Step::parse("0").is_err());
    }

    #[test]
    fn cash_of_a_fill_and_its_fee_are_exact() {
        // 61737.63 × 0.00012 = 7.4085156; at 10 bps the fee is 0.0074085156.
        let tick = Step::parse("0.01").unwrap();
        let lot = Step::parse("0.00001").unwrap();
        let unit = Step::notional_per_tick_lot(tick, lot).unwrap();
        let cash = unit * (6_173_763 * 12);
        assert_eq!(cash.to_string(), "7.4085156");
        assert_eq!(cash.share(Rate::from_bps("10".parse().unwrap()).unwrap()).to_string(), "0.0074085156");
        assert_eq!(format!("{cash:.2}"), "7.41");
        assert_eq!(format!("{:.2}", -cash), "-7.41");
        assert_eq!(Money::from_decimal("7.4085156".parse().unwrap()), Some(cash));
    }

    #[test]
    fn a_quote_is_rounded_away_from_mid() {
        assert_eq!(to_tick(100.7, Side::Bid), Ticks(100));
        assert_eq!(to_tick(100.2, Side::Ask), Ticks(101));
        assert_eq!(to_tick(-0.5, Side::Bid), Ticks(-1));
    }
}

//! Numbers of a contract's feed that lie on no step: mark prices, and rates, which alone may be negative.

use super::WireError;
use super::amount::Field;
use crate::units::{FundingRate, Money};

/// A price that need not be on a tick.
pub(crate) fn price(field: Field<'_>, text: &str) -> Result<Money, WireError> {
    Money::from_decimal(field.decimal(text)?).ok_or_else(|| field.bad(text, "is out of range"))
}

/// A funding rate, rounded to its unit.
pub(crate) fn rate(field: Field<'_>, text: &str) -> Result<FundingRate, WireError> {
    let value = match text.strip_prefix('-') {
        Some(magnitude) => -field.decimal(magnitude)?,
        None => field.decimal(text)?,
    };
    FundingRate::from_decimal(value).ok_or_else(|| field.bad(text, "is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: Field<'_> = Field { symbol: "BTC-PERPETUAL", name: "current_funding" };

    #[test]
    fn a_rate_may_be_negative_and_a_price_may_not() {
        assert_eq!(rate(FIELD, "-8.477e-05"), Ok(FundingRate(-84_770_000)));
        assert_eq!(rate(FIELD, "0.0000125"), Ok(FundingRate(12_500_000)));
        assert_eq!(rate(FIELD, "0.0"), Ok(FundingRate(0)));
        assert_eq!(price(FIELD, "64211.25").map(|m| m.to_string()), Ok("64211.25".to_owned()));
        for wrong in ["--1", "1e30", "1e4000000000", "1e-4000000000", "", "-", "null"] {
            assert!(rate(FIELD, wrong).is_err(), "{wrong}");
        }
        assert!(price(FIELD, "-1").is_err());
        assert!(price(FIELD, "999999999999999999").is_err());
    }
}

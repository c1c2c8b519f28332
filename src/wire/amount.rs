//! A decimal as a venue writes it to a count of steps: exact and unhurried.
//!
//! [`super::scan`] does the same in a hurry and declines what looks odd; then a parser comes here, and this has the
//! last word. They share no code, so that each can be tested against the other.

use rust_decimal::Decimal;

use super::WireError;
use crate::units::{Lots, NotOnStep, Step, Ticks};

/// One number of a message: whose, and which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub symbol: &'a str,
    pub name: &'static str,
}

impl Field<'_> {
    /// A price above zero, exactly on a tick.
    pub(crate) fn price(self, text: &str, tick: Step) -> Result<Ticks, WireError> {
        self.positive(text, tick).map(Ticks)
    }

    /// A traded quantity: above zero, exactly in lots.
    pub(crate) fn traded(self, text: &str, lot: Step) -> Result<Lots, WireError> {
        self.positive(text, lot).map(Lots)
    }

    /// A quantity that rests, zero included. An order older than the present lot may rest with a finer quantity: that
    /// must not cost us the book, and nobody trades the dust. It counts as one more lot, so that no level disappears
    /// and no queue looks shorter than it is.
    pub(crate) fn resting(self, text: &str, lot: Step) -> Result<Lots, WireError> {
        let value = self.decimal(text)?;
        match lot.count(value) {
            Ok(count) => Ok(Lots(count)),
            Err(NotOnStep::Between { .. }) => Ok(Lots(lot.count_floor(value).saturating_add(1))),
            Err(error) => Err(self.bad(text, &error.to_string())),
        }
    }

    /// The size of a step.
    pub(crate) fn step(self, text: &str) -> Result<Step, WireError> {
        Step::new(self.decimal(text)?).map_err(|e| self.bad(text, &e.to_string()))
    }

    /// Any decimal that is not negative, with or without an exponent.
    pub(crate) fn decimal(self, text: &str) -> Result<Decimal, WireError> {
        let parsed = Decimal::from_str_exact(text).or_else(|e| {
            // JSON allows `1e-8`, and this way to read it is not as strict about the rest.
            if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Err(e) }
        });
        let value = parsed.map_err(|e| self.bad(text, &e.to_string()))?;
        if value.is_sign_negative() && !value.is_zero() { Err(self.bad(text, "is negative")) } else { Ok(value) }
    }

    /// Why a number will not do.
    pub(crate) fn bad(self, text: &str, why: &str) -> WireError {
        let value = text.chars().take(40).collect();
        WireError::Number { symbol: self.symbol.to_owned(), field: self.name, value, why: why.to_owned() }
    }

    fn positive(self, text: &str, step: Step) -> Result<i64, WireError> {
        match step.count(self.decimal(text)?) {
            Ok(0) => Err(self.bad(text, "is zero")),
            Ok(count) => Ok(count),
            Err(error) => Err(self.bad(text, &error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: Field<'_> = Field { symbol: "BTC-USD", name: "price" };

    #[test]
    fn a_price_is_on_a_tick_and_above_zero_or_refused_with_its_reason() {
        let cent = Step::parse("0.01").unwrap();
        assert_eq!(FIELD.price("65083.670", cent), Ok(Ticks(6_508_367)));
        assert_eq!(FIELD.price("6.5E+1", cent), Ok(Ticks(6_500)));
        for (text, why) in [
            ("0.00", "is zero"),
            ("-1", "is negative"),
            ("65083.675", "65083.675 is not a multiple of 0.01"),
            ("1e40", ""),
            ("\"1\"", ""),
            ("", ""),
        ] {
            let error = FIELD.price(text, cent).unwrap_err().to_string();
            assert!(error.starts_with("BTC-USD: price ") && error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn dust_counts_as_one_more_lot() {
        // 0.000000015 is one lot of 0.00000001 and a half.
        let satoshi = Step::parse("0.00000001").unwrap();
        assert_eq!(FIELD.resting("0.000000015", satoshi), Ok(Lots(2)));
        assert_eq!(FIELD.resting("1e-8", satoshi), Ok(Lots(1)));
        assert_eq!(FIELD.resting("0.00000000", satoshi), Ok(Lots(0)));
        assert!(FIELD.resting("-0.1", satoshi).is_err());
        assert!(FIELD.resting("92233720368547758.07", satoshi).is_err());
        assert!(FIELD.traded("0.000000015", satoshi).is_err());
    }
}

//! A reader for JSON whose exact shape is known in advance.
//!
//! Venues write the same message with the same fields in the same order, without blanks, millions of times. So the
//! fast path does not parse JSON, it compares and reads numbers on the way. It never guesses: every method answers
//! `None` at the first byte it did not expect, and a full JSON parser then decides what the message means.

use crate::units::{POWERS_OF_TEN, Step};

/// A position in a frame.
pub(crate) struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub(crate) fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }

    /// Steps over exactly this text.
    #[inline]
    pub(crate) fn expect(&mut self, text: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// Steps over this text if it is next.
    #[inline]
    pub(crate) fn skip(&mut self, text: &[u8]) -> bool {
        self.expect(text).is_some()
    }

    /// The text up to the next quotation mark, which is stepped over. Declines escapes.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&b| b == b'"' || b == b'\\')?;
        let text = &self.rest[..end];
        if self.rest[end] == b'\\' {
            return None;
        }
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    /// A plain integer of at most 19 digits. A leading zero is not JSON.
    #[inline]
    pub(crate) fn integer(&mut self) -> Option<u64> {
        let (value, digits) = leading_digits(self.rest)?;
        if digits > 1 && self.rest[0] == b'0' {
            return None;
        }
        self.rest = &self.rest[digits..];
        Some(value)
    }

    /// `true` or `false`.
    #[inline]
    pub(crate) fn boolean(&mut self) -> Option<bool> {
        if self.skip(b"true") {
            Some(true)
        } else {
            self.expect(b"false")?;
            Some(false)
        }
    }

    /// A decimal like `61737.63000000` followed by a quotation mark (stepped over), as a count of steps. Declines
    /// what is not exactly on a step.
    #[inline]
    pub(crate) fn decimal(&mut self, step: Step) -> Option<i64> {
        let (whole, digits) = leading_digits(self.rest)?;
        let decimals = step.decimals();
        let scale = POWERS_OF_TEN[decimals as usize];
        let after = &self.rest[digits..];
        let (part, used) = match after {
            [b'.', fraction @ ..] => {
                let (part, used) = eight_places(fraction, decimals).or_else(|| fraction_digits(fraction, decimals))?;
                (part, used + 1)
            }
            [b'"', ..] => (0, 1),
            _ => return None,
        };
        let units = whole.checked_mul(scale)?.checked_add(part)?;
        let count = match step.mantissa() {
            1 => units,
            mantissa if units.is_multiple_of(mantissa) => units / mantissa,
            _ => return None,
        };
        self.rest = &after[used..];
        i64::try_from(count).ok()
    }

    /// Whether nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

/// The number the text begins with and how many digits it has, 1 to 18.
#[inline]
fn leading_digits(text: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    let mut digits = 0;
    while let Some(digit) = text.get(digits).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        digits += 1;
        if digits > 18 {
            return None;
        }
    }
    (digits > 0).then_some((value, digits))
}

/// As [`fraction_digits`] for the eight places to which Binance pads: one multiplication instead of eight.
#[inline]
fn eight_places(text: &[u8], decimals: u32) -> Option<(u64, usize)> {
    let (digits, rest) = text.split_first_chunk::<8>()?;
    if rest.first() != Some(&b'"') || decimals > 8 {
        return None;
    }
    Some((first_of_eight(eight_digits(*digits)?, decimals)?, 9))
}

/// The digits after the point up to the quotation mark, as a count of `10^-decimals`, and how many bytes they and
/// the mark take. Declines digits beyond `decimals` other than zeros.
fn fraction_digits(text: &[u8], decimals: u32) -> Option<(u64, usize)> {
    let end = text.iter().take(20).position(|&b| b == b'"')?;
    if end == 0 {
        return None;
    }
    let (kept, beyond) = text[..end].split_at(end.min(decimals as usize));
    if beyond.iter().any(|&b| b != b'0') {
        return None;
    }
    let mut part = 0u64;
    for digit in kept.iter().map(|b| b.wrapping_sub(b'0')) {
        if digit > 9 {
            return None;
        }
        part = part * 10 + u64::from(digit);
    }
    Some((part * POWERS_OF_TEN[decimals as usize - kept.len()], end + 1))
}

/// Eight ASCII digits as a number, in three multiplications.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let raw = u64::from_le_bytes(text);
    let digits = raw.wrapping_sub(0x3030_3030_3030_3030);
    // A byte is a digit if it is 0..=9 after the subtraction: neither it nor it plus 0x76 reaches the top bit.
    if (digits | raw.wrapping_add(0x4646_4646_4646_4646)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// The first `decimals` of eight digits, if the others are zeros. Constants, so that no division is made.
#[inline]
fn first_of_eight(eight: u64, decimals: u32) -> Option<u64> {
    let (kept, dropped) = match decimals {
        0 => (0, eight),
        1 => (eight / 10_000_000, eight % 10_000_000),
        2 => (eight / 1_000_000, eight % 1_000_000),
        3 => (eight / 100_000, eight % 100_000),
        4 => (eight / 10_000, eight % 10_000),
        5 => (eight / 1_000, eight % 1_000),
        6 => (eight / 100, eight % 100),
        7 => (eight / 10, eight % 10),
        _ => (eight, 0),
    };
    (dropped == 0).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    fn read(text: &str, step: &str) -> Option<i64> {
        let quoted = format!("{text}\"");
        Scan::new(quoted.as_bytes()).decimal(Step::parse(step).unwrap())
    }

    #[test]
    fn a_decimal_is_a_whole_number_of_steps_or_declined() {
        assert_eq!(read("61737.63000000", "0.01"), Some(6_173_763));
        assert_eq!(read("61737.63", "0.01"), Some(6_173_763));
        assert_eq!(read("61737", "0.01"), Some(6_173_700));
        assert_eq!(read("61737.63500000", "0.01"), None);
        assert_eq!(read("61737.635", "0.01"), None);
        assert_eq!(read("0.00012000", "0.00001"), Some(12));
        assert_eq!(read("10.50000000", "0.25"), Some(42));
        assert_eq!(read("10.30000000", "0.25"), None);
        assert_eq!(read("12.", "1"), None);
        assert_eq!(read(".5", "0.1"), None);
        assert_eq!(read("-1.0", "0.1"), None);
        assert_eq!(read("1e3", "1"), None);
        assert_eq!(read("9999999999999999999", "1"), None);
    }

    proptest! {
        #[test]
        fn a_decimal_read_here_is_the_decimal_read_exactly(
            text in "[0-9]{1,12}(\\.[0-9]{1,12})?|[0-9]{1,6}\\.[0-9]{2}000000|[0-9./:]{3}\\.[0-9/:]{8}",
            step in prop::sample::select(vec!["1", "0.1", "0.01", "0.00001", "0.00000001", "0.05", "0.0000000001", "10"]),
        ) {
            let step = Step::parse(step).unwrap();
            let quoted = format!("{text}\"");
            let mut scan = Scan::new(quoted.as_bytes());
            if let Some(count) = scan.decimal(step) {
                prop_assert!(scan.is_done());
                prop_assert_eq!(step.count(text.parse::<Decimal>().unwrap()), Ok(count));
            }
        }
    }
}

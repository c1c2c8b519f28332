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
    #[inline(always)]
    pub(crate) fn decimal(&mut self, step: Step) -> Option<i64> {
        let (rest, decimals) = (self.rest, step.decimals());
        let found = padded(rest, decimals).or_else(|| short(rest, decimals)).or_else(|| any_decimal(rest, decimals));
        let (units, used) = found?;
        self.steps(units, used, step)
    }

    /// As [`Scan::decimal`], in a hurry with what venues write that do not pad: up to fifteen bytes.
    #[inline(always)]
    pub(crate) fn short_decimal(&mut self, step: Step) -> Option<i64> {
        let (units, used) = short(self.rest, step.decimals()).or_else(|| any_decimal(self.rest, step.decimals()))?;
        self.steps(units, used, step)
    }

    /// Steps over `used` bytes that said `units` of the step's last place.
    #[inline(always)]
    fn steps(&mut self, units: u64, used: usize, step: Step) -> Option<i64> {
        let count = match step.mantissa() {
            1 => units,
            mantissa if units.is_multiple_of(mantissa) => units / mantissa,
            _ => return None,
        };
        self.rest = self.rest.get(used..)?;
        i64::try_from(count).ok()
    }

    /// As [`Scan::text`], and certainly a JSON string: letters, digits and signs of ASCII only.
    #[inline]
    pub(crate) fn ascii(&mut self) -> Option<&'a [u8]> {
        self.text().filter(|text| text.iter().all(|b| (0x20..0x7f).contains(b)))
    }

    /// As [`Scan::decimal`], for a bare JSON number; what ends it is left. Declines exponents.
    #[inline]
    pub(crate) fn number(&mut self, step: Step) -> Option<i64> {
        let decimals = step.decimals();
        let (whole, digits) = leading_digits(self.rest)?;
        // A leading zero before another digit is not JSON.
        if digits > 1 && self.rest[0] == b'0' {
            return None;
        }
        let mut units = whole.checked_mul(POWERS_OF_TEN[decimals as usize])?;
        let mut end = digits;
        if let Some((b'.', fraction)) = self.rest[digits..].split_first() {
            let (part, places) = bare_fraction(fraction, decimals)?;
            units = units.checked_add(part)?;
            end += 1 + places;
        }
        if matches!(self.rest.get(end), Some(b'e' | b'E' | b'-' | b'+' | b'.')) {
            return None;
        }
        let count = match step.mantissa() {
            1 => units,
            mantissa if units.is_multiple_of(mantissa) => units / mantissa,
            _ => return None,
        };
        self.rest = &self.rest[end..];
        i64::try_from(count).ok()
    }

    /// A field's name and its colon, which are stepped over.
    #[inline]
    pub(crate) fn key(&mut self) -> Option<&'a [u8]> {
        self.expect(b"\"")?;
        let name = self.text()?;
        self.expect(b":")?;
        Some(name)
    }

    /// Steps over a value nobody reads: a plain text, a plain number, or a list of plain texts. Declines the rest of
    /// JSON, and what is not JSON.
    #[inline]
    pub(crate) fn pass(&mut self) -> Option<()> {
        if self.skip(b"\"") {
            return self.text().filter(|text| text.iter().all(|b| matches!(b, b' '..=b'~'))).map(|_| ());
        }
        if self.skip(b"[\"") {
            loop {
                self.text().filter(|text| text.iter().all(|b| matches!(b, b' '..=b'~')))?;
                if !self.skip(b",\"") {
                    return self.expect(b"]");
                }
            }
        }
        let end = self.rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'.')).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        let (whole, fraction) = match number.iter().position(|&b| b == b'.') {
            Some(point) => (&number[..point], Some(&number[point + 1..])),
            None => (number, None),
        };
        let is_whole = whole == b"0" || whole.first().is_some_and(|&b| b != b'0');
        let is_fraction = fraction.is_none_or(|f| !f.is_empty() && f.iter().all(u8::is_ascii_digit));
        if !is_whole || !is_fraction || matches!(rest.first(), Some(b'e' | b'E')) {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// Steps over everything up to and including this text.
    #[inline]
    pub(crate) fn skip_past(&mut self, text: &[u8]) -> Option<()> {
        let at = self.rest.windows(text.len()).position(|window| window == text)?;
        self.rest = &self.rest[at + text.len()..];
        Some(())
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A JSON list of what `one` reads. `scratch` is kept between frames, so that a list costs one allocation.
    #[inline(always)]
    pub(crate) fn list<T: Copy>(
        &mut self,
        scratch: &mut Vec<T>,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        scratch.clear();
        self.expect(b"[")?;
        if self.skip(b"]") {
            return Some(Vec::new());
        }
        loop {
            scratch.push(one(self)?);
            if !self.skip(b",") {
                self.expect(b"]")?;
                return Some(scratch.as_slice().to_vec());
            }
        }
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

/// The digits after the point of a bare number as a count of `10^-decimals`, and how many there are. Declines digits
/// beyond `decimals` other than zeros.
#[inline]
fn bare_fraction(text: &[u8], decimals: u32) -> Option<(u64, usize)> {
    let (mut part, mut places) = (0u64, 0);
    while let Some(digit) = text.get(places).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
        if places < decimals as usize {
            part = part * 10 + u64::from(digit);
        } else if digit != 0 {
            return None;
        }
        places += 1;
    }
    let missing = (decimals as usize).saturating_sub(places);
    (places > 0).then_some((part * POWERS_OF_TEN[missing], places))
}

/// A decimal and its quotation mark as a count of `10^-decimals`, and how many bytes they take.
#[cold]
#[inline(never)]
fn any_decimal(text: &[u8], decimals: u32) -> Option<(u64, usize)> {
    let (whole, digits) = leading_digits(text)?;
    let (part, used) = match &text[digits..] {
        [b'.', fraction @ ..] => fraction_digits(fraction, decimals)?,
        [b'"', ..] => (0, 0),
        _ => return None,
    };
    let units = whole.checked_mul(POWERS_OF_TEN[decimals as usize])?.checked_add(part)?;
    Some((units, digits + used + 1))
}

/// As [`any_decimal`], for one to eight digits before the point and the eight places to which Binance pads: eight
/// bytes at a time.
#[inline(always)]
fn padded(text: &[u8], decimals: u32) -> Option<(u64, usize)> {
    let text: &[u8; 18] = text.first_chunk()?;
    let head = u64::from_le_bytes(*text.first_chunk()?) ^ ZEROS;
    let digits = (not_digits(head).trailing_zeros() / 8) as usize;
    if digits == 0 || decimals > 8 || text[digits] != b'.' || text[digits + 9] != b'"' {
        return None;
    }
    let places = u64::from_le_bytes(*text[digits + 1..].first_chunk()?) ^ ZEROS;
    // The places beyond the step must be zeros, the others digits.
    let kept = 8 * decimals;
    if not_digits(places) != 0 || places.checked_shr(kept).unwrap_or(0) != 0 {
        return None;
    }
    let (whole, part) = (head << (64 - 8 * digits), places.checked_shl(64 - kept).unwrap_or(0));
    let units = if digits + decimals as usize <= 8 {
        // Side by side they are one number of eight digits.
        eight_digits(whole.checked_shr(kept).unwrap_or(0) | part)
    } else {
        eight_digits(whole) * POWERS_OF_TEN[decimals as usize] + eight_digits(part)
    };
    Some((units, digits + 10))
}

/// As [`any_decimal`], for at most fifteen bytes with the point: sixteen at a time.
#[inline(always)]
fn short(text: &[u8], decimals: u32) -> Option<(u64, usize)> {
    let text: &[u8; 16] = text.first_chunk()?;
    let bytes = u128::from_le_bytes(*text) ^ (u128::from(ZEROS) << 64 | u128::from(ZEROS));
    // As in `not_digits`; neither a point nor a quotation mark carries into what follows it.
    let marks = (bytes | bytes.wrapping_add(0x7676_7676_7676_7676_7676_7676_7676_7676)) & TOP_BITS;
    let whole = marks.trailing_zeros() / 8;
    let (end, places) = match text.get(whole as usize)? {
        b'"' => (whole, 0),
        b'.' => {
            let end = (marks & (marks - 1)).trailing_zeros() / 8;
            (end, end - whole - 1)
        }
        _ => return None,
    };
    if whole == 0 || text.get(end as usize) != Some(&b'"') || (places == 0 && end > whole) {
        return None;
    }
    // Without the point, the first digit in the lowest byte.
    let head = bytes & ((1 << (8 * whole)) - 1);
    let tail = if places > 0 { bytes >> (8 * (whole + 1)) & ((1 << (8 * places)) - 1) } else { 0 };
    let digits = head | tail << (8 * whole);
    let kept = whole + places.min(decimals);
    if digits >> (8 * kept) != 0 {
        return None;
    }
    let units = if kept <= 8 {
        eight_digits((digits as u64) << (64 - 8 * kept))
    } else {
        let digits = digits << (128 - 8 * kept);
        eight_digits(digits as u64) * 100_000_000 + eight_digits((digits >> 64) as u64)
    };
    Some((units.checked_mul(POWERS_OF_TEN[(decimals - places.min(decimals)) as usize])?, end as usize + 1))
}

/// The top bit of each of sixteen bytes.
const TOP_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;

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

/// Eight times the ASCII digit zero; what is left of a digit without it is its value.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The top bit of the first byte that is not a digit's value, and possibly of some after it.
#[inline]
fn not_digits(values: u64) -> u64 {
    // 9 + 0x76 is 0x7f, the greatest that leaves the top bit alone; a carry only reaches later bytes.
    (values | values.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080
}

/// Eight digits' values, the first in the lowest byte, as one number: pairs, fours, eight.
#[inline]
fn eight_digits(values: u64) -> u64 {
    let pairs = (values * 10 + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
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

    #[test]
    fn an_unpadded_decimal_is_read_sixteen_bytes_at_a_time() {
        let read = |text: &str, step: &str| {
            let text = format!("{text}\"],[\"1234567890123456");
            short(text.as_bytes(), Step::parse(step).unwrap().decimals())
        };
        assert_eq!(read("65114.20", "0.1"), Some((651_142, 9)));
        assert_eq!(read("65114.25", "0.1"), None);
        assert_eq!(read("0.875077", "0.000001"), Some((875_077, 9)));
        assert_eq!(read("12", "0.001"), Some((12_000, 3)));
        assert_eq!(read("123456.12345678", "0.00000001"), Some((12_345_612_345_678, 16)));
        assert_eq!(read("1234567.12345678", "0.00000001"), None);
        assert_eq!(read("999999999999999", "1"), Some((999_999_999_999_999, 16)));
        for wrong in ["", ".5", "5.", "1.2.3", "1e5", "-1", "1,2"] {
            assert_eq!(read(wrong, "0.1"), None, "{wrong}");
        }
    }

    #[test]
    fn a_bare_number_ends_where_json_ends_it() {
        let read = |text: &str, step: &str| {
            let mut scan = Scan::new(text.as_bytes());
            let count = scan.number(Step::parse(step).unwrap())?;
            Some((count, String::from_utf8(scan.rest().to_vec()).unwrap()))
        };
        assert_eq!(read("64210.1,", "0.1"), Some((642_101, ",".to_owned())));
        assert_eq!(read("64210.10000}", "0.1"), Some((642_101, "}".to_owned())));
        assert_eq!(read("0.00027625]", "0.00000001"), Some((27_625, "]".to_owned())));
        assert_eq!(read("7", "0.5"), Some((14, String::new())));
        for wrong in ["64210.15", "1e3", "1.5e-8", "-1", "01.5", "1.", ".5", "", "1.2.3", "99999999999999999999"] {
            assert_eq!(read(wrong, "0.1"), None, "{wrong}");
        }
    }

    #[test]
    fn what_nobody_reads_is_stepped_over_if_it_is_plain() {
        let left = |text: &str| {
            let mut scan = Scan::new(text.as_bytes());
            scan.pass().map(|()| String::from_utf8(scan.rest().to_vec()).unwrap())
        };
        for plain in [r#""0x1f""#, r#"["0xa","0xb"]"#, "0", "0.50", "12", "92276.75", r#""""#] {
            assert_eq!(left(&format!("{plain},")).as_deref(), Some(","), "{plain}");
        }
        for odd in [
            r#""a\n""#,
            "\"a\tb\"",
            "\"\u{e9}\"",
            "[]",
            "[1]",
            r#"["a",1]"#,
            "-1",
            "01",
            "1.",
            ".5",
            "1.2.3",
            "1e5",
            "null",
            "{}",
            "",
        ] {
            assert_eq!(left(odd), None, "{odd}");
        }
        let mut scan = Scan::new(br#""px":"1""#);
        assert_eq!((scan.key(), scan.rest()), (Some(&b"px"[..]), &br#""1""#[..]));
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

        #[test]
        fn a_short_decimal_is_the_decimal_and_ends_where_it_ends(
            text in "[0-9]{1,8}(\\.[0-9]{1,8})?|[0-9]{1,6}\\.[0-9]{1,2}0{0,6}|[0-9./:]{1,16}",
            after in "[^0-9]{0,3}|\\],\\[\"65114.10\",\"0.5\"",
            step in prop::sample::select(vec!["1", "0.1", "0.5", "0.00001", "0.00000001", "0.0000000001", "10"]),
        ) {
            let step = Step::parse(step).unwrap();
            let quoted = format!("{text}\"{after}");
            let (mut short, mut long) = (Scan::new(quoted.as_bytes()), Scan::new(quoted.as_bytes()));
            let (count, expected) = (short.short_decimal(step), long.decimal(step));
            prop_assert_eq!(count, expected);
            if count.is_some() {
                prop_assert_eq!(short.rest(), after.as_bytes());
            }
        }
    }
}

//! Kraken's checksum of the top of a book.

use crate::market::{Book, Instrument, Level};
use crate::units::Side;

/// Levels a side that are in it.
const LEVELS: usize = 10;
/// Digits of the greatest count.
const DIGITS: usize = 19;

/// CRC-32 (as zlib has it) over the digits of asks, then bids, best first: of each level the price, then the quantity,
/// both at full precision without point and without leading zeros. That is how our counts of ticks and lots are
/// written, because tick and lot of a Kraken instrument are the last places of its numbers.
pub fn checksum(book: &Book, _rules: &Instrument) -> u32 {
    let mut text = Text { bytes: [0; 2 * LEVELS * 2 * DIGITS], used: 0 };
    for side in [Side::Ask, Side::Bid] {
        for Level { price, qty } in book.levels(side).take(LEVELS) {
            text.write(price.0.unsigned_abs());
            text.write(qty.0.unsigned_abs());
        }
    }
    crc32fast::hash(&text.bytes[..text.used])
}

/// Digits one after the other.
struct Text {
    bytes: [u8; 2 * LEVELS * 2 * DIGITS],
    used: usize,
}

impl Text {
    #[inline]
    fn write(&mut self, mut number: u64) {
        let mut digits = [0; DIGITS];
        let mut from = DIGITS;
        while number > 0 && from > 0 {
            from -= 1;
            digits[from] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        let end = self.used + DIGITS - from;
        self.bytes[self.used..end].copy_from_slice(&digits[from..]);
        self.used = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::VenueId;
    use crate::units::{Lots, Step, Ticks};

    /// `price/qty price/qty …` at the steps given.
    fn levels(tick: &str, lot: &str, text: &str) -> Vec<Level> {
        let count = |step: &str, text: &str| Step::parse(step).unwrap().count(text.parse().unwrap()).unwrap();
        let level = |l: &str| {
            let (price, qty) = l.split_once('/').unwrap();
            Level { price: Ticks(count(tick, price)), qty: Lots(count(lot, qty)) }
        };
        text.split_whitespace().map(level).collect()
    }

    fn rules(tick: &str, lot: &str) -> Instrument {
        let step = |text| Step::parse(text).unwrap();
        Instrument::new(VenueId::Kraken, "BTC/USD", "BTC", "USD", step(tick), step(lot)).unwrap()
    }

    /// Kraken's own example.
    const ASKS: &str = "45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 \
        45290.2/0.15890660 45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 \
        45299.5/0.18772827";
    const BIDS: &str = "45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 \
        45280.3/1.54592586 45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 \
        45276.6/0.15445238";

    #[test]
    fn the_venues_example_comes_out() {
        let rules = rules("0.1", "0.00000001");
        let level = |text| levels("0.1", "0.00000001", text);
        let mut book = Book::new();
        book.apply_delta(0, &level(BIDS), &level(ASKS));
        assert_eq!(checksum(&book, &rules), 3_310_070_434);
        // An eleventh bid does not count; 45282.9 comes in between and 45276.6 falls out.
        book.apply_delta(0, &level("45270.0/1"), &[]);
        assert_eq!(checksum(&book, &rules), 3_310_070_434);
        book.apply_delta(0, &level("45282.9/0.25 45270.0/0"), &[]);
        assert_eq!(checksum(&book, &rules), 3_374_316_254);
        book.apply_delta(0, &level("45282.9/0"), &[]);
        assert_eq!(checksum(&book, &rules), 3_310_070_434);
        // One digit of one quantity.
        book.apply_delta(0, &level("45277.3/1.54602738"), &[]);
        assert_ne!(checksum(&book, &rules), 3_310_070_434);
    }

    #[test]
    fn a_thin_book_has_a_checksum_too() {
        let rules = rules("0.00001", "0.00000001");
        let level = |text| levels("0.00001", "0.00000001", text);
        let mut book = Book::new();
        // The empty text's is zero.
        assert_eq!(checksum(&book, &rules), 0);
        let asks = level("0.05005/0.00000500 0.05010/12.00000000");
        book.apply_delta(0, &level("0.05000/0.00000500"), &asks);
        assert_eq!(checksum(&book, &rules), 2_312_006_499);
    }

    #[test]
    fn the_greatest_numbers_fit() {
        let rules = rules("0.1", "0.00000001");
        let mut book = Book::new();
        let greatest = |n: i64| Level { price: Ticks(i64::MAX - n), qty: Lots(i64::MAX) };
        let level = |n: i64| Level { price: Ticks(n + 1), qty: Lots(i64::MAX) };
        let asks: Vec<_> = (0..12).rev().map(greatest).collect();
        book.apply_delta(0, &(0..12).map(level).collect::<Vec<_>>(), &asks);
        let max = i64::MAX.to_string();
        let ask = |n: i64| format!("{}{max}", i64::MAX - n);
        let bid = |n: i64| format!("{}{max}", n + 1);
        let text: String = (2..12).rev().map(ask).chain((2..12).rev().map(bid)).collect();
        assert_eq!(checksum(&book, &rules), crc32fast::hash(text.as_bytes()));
    }
}

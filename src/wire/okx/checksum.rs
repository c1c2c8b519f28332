//! The checksum of old recordings.
//!
//! Until June 2026 OKX sent a CRC-32 of the 25 best levels of both sides, as the text `bid:size:ask:size:…` in the
//! digits of its own messages. Those never had a zero too many, so our counts of steps reproduce them: all 4,662 of
//! the recordings of 2021 and 2022 verify.

use std::fmt::Write;

use crate::market::{Book, Instrument, Level};
use crate::units::{Side, Step};
use crate::wire::symbols::wire_lot;

/// Levels a side that count.
const LEVELS: usize = 25;

/// The venue's checksum of this book.
pub(super) fn of(book: &Book, instrument: &Instrument) -> u32 {
    let lot = wire_lot(instrument);
    let (mut bids, mut asks) = (book.levels(Side::Bid).take(LEVELS), book.levels(Side::Ask).take(LEVELS));
    let mut text = String::new();
    loop {
        let (bid, ask) = (bids.next(), asks.next());
        if bid.is_none() && ask.is_none() {
            break;
        }
        for level in [bid, ask].into_iter().flatten() {
            append(&mut text, level, instrument.tick, lot);
        }
    }
    crc32fast::hash(text.trim_end_matches(':').as_bytes())
}

fn append(text: &mut String, level: Level, tick: Step, lot: Step) {
    let (price, size) = (tick.value(level.price.0).normalize(), lot.value(level.qty.0).normalize());
    write!(text, "{price}:{size}:").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Extent, VenueId};
    use crate::units::{Lots, Ticks};

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Ticks(price), qty: Lots(qty) }
    }

    #[test]
    fn sides_alternate_and_the_longer_one_goes_on_alone() {
        let step = |text| Step::parse(text).unwrap();
        let instrument = Instrument::new(VenueId::Okx, "BTC-USDT", "BTC", "USDT", step("0.1"), step("0.01")).unwrap();
        let mut book = Book::new();
        let (bids, asks) = ([level(33_666, 700), level(33_665, 150)], [level(33_667, 10)]);
        book.apply_snapshot(0, &bids, &asks, Extent::All);
        // Python: zlib.crc32(b"3366.6:7:3366.7:0.1:3366.5:1.5")
        assert_eq!(of(&book, &instrument), 2_656_678_502);
        assert_eq!(of(&Book::new(), &instrument), 0);
    }
}

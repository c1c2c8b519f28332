//! One instrument's market as hftbacktest's rows.
//!
//! | in the session | rows |
//! |---|---|
//! | snapshot | a clear of both sides, then a snapshot row a level |
//! | delta | a depth row a level, in the venue's order |
//! | trade | a trade row; a print that did not trade against the book is for the strategy's half only, so it fills nobody |
//! | best bid and offer | a row a side; zero in both numbers where a side is empty. hftbacktest reads past them |
//! | gap, new rules | a clear of both sides: neither half may believe the book until the next snapshot |
//!
//! `local_ts` is when we heard, `exch_ts` the venue's time where it says one and else `local_ts` too. `ival` is the
//! update's or the trade's number, `fval` a print's flags; hftbacktest reads neither, our import does. Single orders,
//! marks, status and the life of connections have no rows; the notes say what was left out.
//!
//! Rows stand in the order that hftbacktest's `correct_event_order` (`hftbacktest/data/validation.py`, 2.4) makes:
//! sorted for the venue's half by `exch_ts`, for the strategy's half by `local_ts`, one row for both where the two
//! agree. Its `correct_local_timestamp` is not done: stamps are what was recorded, and a note says where we heard of
//! things before they happened.
//!
//! All rows are held until the end, 64 bytes each, as hftbacktest will hold them.

use std::io::{Seek, Write};

use super::{ExportError, Exported};
use crate::engine::{Input, Stamped};
use crate::journal::npz::{self, Event};
use crate::market::{Instrument, InstrumentId, Level, MarketEvent, MarketEventKind};
use crate::units::{Side, Step};

/// The fold.
pub struct Hftbacktest {
    me: InstrumentId,
    /// Of prices, and of quantities as the venue counts them.
    steps: (Step, Step),
    rows: Vec<Event>,
    /// Whether the book has had its snapshot since it was last unknown.
    is_in_step: bool,
    left_out: u64,
}

impl Hftbacktest {
    /// Of the instrument `me` of the session's, whose rules are these.
    pub fn new(rules: &Instrument, me: InstrumentId) -> Self {
        Self { me, steps: steps(rules), rows: Vec::new(), is_in_step: false, left_out: 0 }
    }

    /// Takes in one input.
    pub fn step(&mut self, input: &Stamped) {
        let Input::Market(MarketEvent { instrument, venue_time, kind }) = &input.input else { return };
        if *instrument != self.me {
            return;
        }
        let stamp = (venue_time.map_or(input.at.0, |time| time.0), input.at.0);
        match kind {
            MarketEventKind::Snapshot { seq, bids, asks, .. } => {
                self.is_in_step = true;
                self.row(stamp, npz::DEPTH_CLEAR, (f64::NAN, 0.0), *seq);
                self.levels(stamp, npz::DEPTH_SNAPSHOT, *seq, bids, asks);
            }
            // What comes before the first snapshot or after a gap is no book.
            MarketEventKind::Delta { .. } if !self.is_in_step => self.left_out += 1,
            MarketEventKind::Delta { seq, bids, asks } => self.levels(stamp, npz::DEPTH, *seq, bids, asks),
            MarketEventKind::Trade { id, taker, price, qty, flags } => {
                let numbers = self.numbers(Level { price: *price, qty: *qty });
                self.row(stamp, npz::TRADE | side_flag(*taker), numbers, *id);
                let row = self.rows.last_mut().expect("just pushed");
                if !flags.took_from_the_book() {
                    row.ev &= !npz::EXCH;
                    row.fval = f64::from(flags.0);
                }
            }
            MarketEventKind::Bbo { seq, bid, ask } => {
                for (side, level) in [(Side::Bid, bid), (Side::Ask, ask)] {
                    let numbers = level.map_or((0.0, 0.0), |level| self.numbers(level));
                    self.row(stamp, npz::DEPTH_BBO | side_flag(side), numbers, *seq);
                }
            }
            MarketEventKind::Gap { .. } => self.lose(stamp),
            MarketEventKind::Rules(rules) => {
                self.steps = steps(rules);
                self.lose(stamp);
            }
            MarketEventKind::Order(_) => self.left_out += 1,
            MarketEventKind::Status(_) | MarketEventKind::Mark(_) => {}
        }
    }

    fn lose(&mut self, stamp: (i64, i64)) {
        self.is_in_step = false;
        self.row(stamp, npz::DEPTH_CLEAR, (f64::NAN, 0.0), 0);
    }

    fn levels(&mut self, stamp: (i64, i64), kind: u64, seq: u64, bids: &[Level], asks: &[Level]) {
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            for level in levels {
                let numbers = self.numbers(*level);
                self.row(stamp, kind | side_flag(side), numbers, seq);
            }
        }
    }

    /// Price and quantity, the latter in the units the venue counts in.
    fn numbers(&self, level: Level) -> (f64, f64) {
        (npz::float(self.steps.0, level.price.0), npz::float(self.steps.1, level.qty.0))
    }

    fn row(&mut self, (exch_ts, local_ts): (i64, i64), what: u64, (px, qty): (f64, f64), number: u64) {
        let ev = what | npz::EXCH | npz::LOCAL;
        let ival = number.cast_signed();
        self.rows.push(Event { ev, exch_ts, local_ts, px, qty, order_id: 0, ival, fval: 0.0 });
    }

    /// Writes the file; how many rows, and what there is to know of them.
    pub fn save(self, out: impl Write + Seek) -> Result<Exported, ExportError> {
        let early = self.rows.iter().map(|row| row.exch_ts.saturating_sub(row.local_ts)).filter(|by| *by > 0);
        let (early, by) = early.fold((0u64, 0), |(count, most), by| (count + 1, by.max(most)));
        let mut notes = Vec::new();
        if early > 0 {
            notes.push(format!(
                "{early} rows were heard before they happened on the venue's clock, by at most {by} ns; \
                 hftbacktest.data.correct_local_timestamp shifts all of them"
            ));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} messages have no rows: changes of a book that was not in step, and news of single orders",
                self.left_out
            ));
        }
        let order = in_both_orders(&self.rows);
        let rows = order.iter().map(|(row, flags)| {
            let row = self.rows[*row];
            Event { ev: row.ev & (!(npz::EXCH | npz::LOCAL) | *flags), ..row }
        });
        npz::save(out, rows)?;
        Ok(Exported { rows: order.len() as u64, notes })
    }
}

fn steps(rules: &Instrument) -> (Step, Step) {
    let lot = Step::new(rules.lot.size() / rules.contract.unit.size());
    (rules.tick, lot.expect("a lot is a whole number of the venue's units, or a power of ten of them"))
}

fn side_flag(side: Side) -> u64 {
    match side {
        Side::Bid => npz::BUY,
        Side::Ask => npz::SELL,
    }
}

/// Which row, and for which half. Rows come in the order of `local_ts`.
fn in_both_orders(rows: &[Event]) -> Vec<(usize, u64)> {
    let mut by_venue: Vec<usize> = (0..rows.len()).collect();
    by_venue.sort_by_key(|n| rows[*n].exch_ts);
    let mut order = Vec::with_capacity(rows.len());
    let (mut exch, mut local) = (0, 0);
    while local < rows.len() {
        match by_venue.get(exch) {
            Some(n) if *n == local => {
                order.push((local, npz::EXCH | npz::LOCAL));
                (exch, local) = (exch + 1, local + 1);
            }
            // What the venue's half sees first, or at the same time, as it happened there before it was heard.
            Some(n) if rows[*n].exch_ts <= rows[local].exch_ts => {
                order.push((*n, npz::EXCH));
                exch += 1;
            }
            Some(_) | None => {
                order.push((local, npz::LOCAL));
                local += 1;
            }
        }
    }
    order.extend(by_venue[exch..].iter().map(|n| (*n, npz::EXCH)));
    // A row that is for the strategy's half only has nothing to say to the venue's.
    order.retain(|(n, flags)| rows[*n].ev & flags != 0);
    order
}

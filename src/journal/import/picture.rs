//! A book as a file shows it, and what has changed since it was last shown.
//!
//! Formats that repeat the best levels with every row would make every row a `Snapshot`, and a snapshot says nothing of
//! what happened between two of them: told as changes they are a stream like a venue's. Levels that leave the window
//! are emptied, as [`Extent::Window`] has it: what is behind the last level is unknown.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::ImportError;
use super::rows::{Priced, Row, Rows, Told};
use crate::market::Extent;

/// Both sides by price; `None` before the first.
#[derive(Default)]
pub struct Picture {
    sides: Option<[BTreeMap<Decimal, Decimal>; 2]>,
}

impl Picture {
    /// Whether something was shown since nothing was known.
    pub fn is_known(&self) -> bool {
        self.sides.is_some()
    }

    /// The file shows the whole window: a `Snapshot` the first time, then what changed; `None` if nothing did.
    pub fn show(&mut self, bids: Vec<Priced>, asks: Vec<Priced>, window: u32) -> Option<Told> {
        let new = [bids, asks].map(|side| side.into_iter().filter(|(_, qty)| !qty.is_zero()).collect());
        let Some(old) = self.sides.replace(new) else {
            let (bids, asks) = self.sides();
            return Some(Told::Snapshot { bids, asks, extent: Extent::Window(window) });
        };
        let new = self.sides.as_ref().expect("put there above");
        let [bids, asks] = [0, 1].map(|side| changes(&old[side], &new[side]));
        (!bids.is_empty() || !asks.is_empty()).then_some(Told::Delta { bids, asks })
    }

    /// The file shows the whole book as it begins. Sorted, best first, without empty levels, cut to the window.
    pub fn begin(&mut self, bids: Vec<Priced>, asks: Vec<Priced>, extent: Extent) -> Told {
        self.sides = Some([BTreeMap::new(), BTreeMap::new()]);
        self.change(bids, asks, extent);
        let (bids, asks) = self.sides();
        Told::Snapshot { bids, asks, extent }
    }

    /// The file says what changed; what thereby falls out of the window is emptied. Of an unknown book nothing follows.
    pub fn change(&mut self, mut bids: Vec<Priced>, mut asks: Vec<Priced>, extent: Extent) -> Told {
        if let (Some(sides), Extent::Window(window)) = (&mut self.sides, extent) {
            for (n, levels) in [&mut bids, &mut asks].into_iter().enumerate() {
                let side = &mut sides[n];
                set(side, levels);
                while side.len() > window as usize {
                    let out = if n == 0 { side.pop_first() } else { side.pop_last() };
                    levels.extend(out.map(|(price, _)| (price, Decimal::ZERO)));
                }
            }
        } else if let Some(sides) = &mut self.sides {
            set(&mut sides[0], &bids);
            set(&mut sides[1], &asks);
        }
        Told::Delta { bids, asks }
    }

    /// Bids and asks, best first.
    pub fn sides(&self) -> (Vec<Priced>, Vec<Priced>) {
        let level = |(price, qty): (&Decimal, &Decimal)| (*price, *qty);
        match &self.sides {
            Some([bids, asks]) => (bids.iter().rev().map(level).collect(), asks.iter().map(level).collect()),
            None => (Vec::new(), Vec::new()),
        }
    }
}

/// Where the book of a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookFrom {
    /// Snapshots that begin it and what changed since. One that comes later begins it anew: what was before is lost.
    Changes,
    /// Its best levels, shown again and again.
    Shown,
    /// There is none but the best prices: they are a book of one level a side.
    Quotes,
}

/// Rows as the reader of a format finds them, told as a venue would.
pub fn told(rows: Rows, from: BookFrom) -> Rows {
    Box::new(Telling {
        rows,
        from,
        picture: Picture::default(),
        extent: Extent::ToLast,
        was_snapshot: false,
        next: None,
    })
}

struct Telling {
    rows: Rows,
    from: BookFrom,
    picture: Picture,
    /// Of the last snapshot.
    extent: Extent,
    /// Whether the row before was part of a snapshot, so that one of the same moment goes on with it.
    was_snapshot: bool,
    next: Option<Row>,
}

impl Iterator for Telling {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.next.take() {
            return Some(Ok(row));
        }
        loop {
            let row = match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            let Row { at, venue_time, place, told } = row;
            let row = |told| Row { at, venue_time, place, told };
            let told = match (self.from, told) {
                (BookFrom::Changes, Told::Snapshot { bids, asks, extent }) => {
                    if self.was_snapshot {
                        // The same snapshot in several messages.
                        self.picture.change(bids, asks, self.extent)
                    } else {
                        self.was_snapshot = true;
                        self.extent = extent;
                        let is_lost = self.picture.is_known();
                        let begun = self.picture.begin(bids, asks, extent);
                        if is_lost {
                            self.next = Some(row(begun));
                            Told::Gap
                        } else {
                            begun
                        }
                    }
                }
                (BookFrom::Changes, Told::Delta { bids, asks }) => {
                    self.was_snapshot = false;
                    self.picture.change(bids, asks, self.extent)
                }
                (BookFrom::Shown, Told::Snapshot { bids, asks, extent: Extent::Window(window) }) => {
                    match self.picture.show(bids, asks, window) {
                        Some(told) => told,
                        None => continue,
                    }
                }
                (BookFrom::Quotes, Told::Bbo { bid, ask }) => {
                    match self.picture.show(bid.into_iter().collect(), ask.into_iter().collect(), 1) {
                        Some(told) => told,
                        None => continue,
                    }
                }
                (_, told) => told,
            };
            return Some(Ok(row(told)));
        }
    }
}

fn set(side: &mut BTreeMap<Decimal, Decimal>, levels: &[Priced]) {
    for (price, qty) in levels {
        if qty.is_zero() {
            side.remove(price);
        } else {
            side.insert(*price, *qty);
        }
    }
}

/// What turns one into the other.
fn changes(old: &BTreeMap<Decimal, Decimal>, new: &BTreeMap<Decimal, Decimal>) -> Vec<Priced> {
    let gone = old.keys().filter(|price| !new.contains_key(*price)).map(|price| (*price, Decimal::ZERO));
    let set = new.iter().filter(|(price, qty)| old.get(*price) != Some(qty)).map(|(price, qty)| (*price, *qty));
    gone.chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(pairs: &[(i64, i64)]) -> Vec<Priced> {
        pairs.iter().map(|(price, qty)| (Decimal::from(*price), Decimal::from(*qty))).collect()
    }

    #[test]
    fn what_is_shown_again_is_told_as_what_changed() {
        let mut picture = Picture::default();
        let first = picture.show(levels(&[(99, 1), (98, 2)]), levels(&[(101, 3)]), 2).unwrap();
        let Told::Snapshot { bids, asks, extent } = first else { panic!("{first:?}") };
        assert_eq!((bids, asks, extent), (levels(&[(99, 1), (98, 2)]), levels(&[(101, 3)]), Extent::Window(2)));
        assert!(picture.show(levels(&[(98, 2), (99, 1)]), levels(&[(101, 3)]), 2).is_none());
        // 100 is the new best bid, so 98 left the window; three lots at 101 became one.
        let then = picture.show(levels(&[(100, 5), (99, 1)]), levels(&[(101, 1)]), 2).unwrap();
        let Told::Delta { bids, asks } = then else { panic!("{then:?}") };
        assert_eq!((bids, asks), (levels(&[(98, 0), (100, 5)]), levels(&[(101, 1)])));
    }

    #[test]
    fn a_change_that_pushes_levels_out_of_the_window_empties_them() {
        let mut picture = Picture::default();
        let window = Extent::Window(2);
        // Given in no order, with an empty level and one too many.
        let first = picture.begin(levels(&[(97, 1), (99, 1), (95, 0), (98, 1)]), levels(&[(102, 1), (101, 1)]), window);
        let Told::Snapshot { bids, asks, .. } = first else { panic!("{first:?}") };
        assert_eq!((bids, asks), (levels(&[(99, 1), (98, 1)]), levels(&[(101, 1), (102, 1)])));
        let Told::Delta { bids, asks } = picture.change(levels(&[(100, 7)]), levels(&[(100, 1)]), window) else {
            panic!("a change")
        };
        assert_eq!((bids, asks), (levels(&[(100, 7), (98, 0)]), levels(&[(100, 1), (102, 0)])));
        // A book seen whole has no window, and nothing falls out of it.
        let Told::Delta { bids, .. } = picture.change(levels(&[(96, 1), (95, 1)]), vec![], Extent::All) else {
            panic!("a change")
        };
        assert_eq!(bids, levels(&[(96, 1), (95, 1)]));
    }
}

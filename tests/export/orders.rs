//! Recordings that tell order by order, against an independent reading of the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use papermaker::engine::Input;
use papermaker::journal::import::{Format, Play, Wish, open};
use papermaker::market::{Book, MarketEventKind, OrderStep, VenueId};
use papermaker::units::{Lots, Nanos, Side, Step, Ticks};

use super::imports::data;

const ES: &str = "tick-normalised/databento_dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst";

/// A quarter of a point.
const TICK: i64 = 250_000_000;

fn play(file: &Path, symbol: &str) -> Result<Box<dyn Play>, String> {
    let wish = Wish {
        files: vec![PathBuf::from(file)],
        format: Format::DatabentoMbo,
        venue: VenueId::Imported,
        symbol: symbol.to_owned(),
        tick: Some(Step::parse("0.25").unwrap()),
        lot: None,
        tick_every: Nanos::from_s(3_600),
    };
    open(wish).map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
}

/// One record, cut out of the bytes by hand: Databento's layout of `mbo`, version 1.
struct Raw {
    id: u64,
    price: i64,
    qty: i64,
    action: u8,
    side: u8,
    received: i64,
}

fn raw(file: &Path) -> Vec<Raw> {
    let bytes = zstd::decode_all(fs::File::open(file).unwrap()).unwrap();
    let int = |at: usize, size: usize| {
        let mut eight = [0; 8];
        eight[..size].copy_from_slice(&bytes[at..at + size]);
        i64::from_le_bytes(eight)
    };
    assert_eq!((&bytes[..3], bytes[3]), (b"DBN".as_slice(), 1));
    let mut at = 8 + int(4, 4) as usize;
    let mut records = Vec::new();
    while at < bytes.len() {
        assert_eq!((bytes[at], bytes[at + 1]), (14, 160), "56 bytes of mbo");
        records.push(Raw {
            id: int(at + 16, 8) as u64,
            price: int(at + 24, 8),
            qty: int(at + 32, 4),
            action: bytes[at + 38],
            side: bytes[at + 39],
            received: int(at + 40, 8),
        });
        at += 56;
    }
    records
}

/// The book of Databento's documentation: orders come, go and are modified; prints and fills change nothing, since what
/// they do to orders is told once more.
#[derive(Default)]
struct Naive {
    orders: BTreeMap<u64, (u8, i64, i64)>,
    levels: BTreeMap<(u8, i64), i64>,
}

impl Naive {
    fn take(&mut self, record: &Raw) {
        if !matches!(record.action, b'A' | b'C' | b'M') {
            return;
        }
        if let Some((side, price, qty)) = self.orders.remove(&record.id) {
            *self.levels.get_mut(&(side, price)).unwrap() -= qty;
        }
        if record.action != b'C' {
            self.orders.insert(record.id, (record.side, record.price, record.qty));
            *self.levels.entry((record.side, record.price)).or_default() += record.qty;
        }
    }

    fn side(&self, side: Side) -> Vec<(i64, i64)> {
        let letter = if side == Side::Bid { b'B' } else { b'A' };
        let here = self.levels.iter().filter(|((of, _), qty)| *of == letter && **qty > 0);
        let mut levels: Vec<_> = here.map(|((_, price), qty)| (price / TICK, *qty)).collect();
        levels.sort_by_key(|level| -level.0 * side.sign());
        levels
    }
}

#[test]
fn the_levels_of_an_order_by_order_recording_are_those_of_its_orders() {
    let Some(file) = data(ES) else { return };
    let records = raw(&file);
    assert_eq!(records.len(), 68_792);
    let (mut naive, mut read) = (Naive::default(), 0);
    let (mut book, mut clock, mut compared) = (Book::new(), None, 0);
    let (mut prints, mut printed) = (0, 0);
    let mut import = play(&file, "ESH4").unwrap();
    let mut check = |book: &Book, clock: i64, depth: usize| {
        // Everything that was received by then, events as a whole.
        while records.get(read).is_some_and(|record| record.received <= clock) {
            naive.take(&records[read]);
            read += 1;
        }
        for side in Side::BOTH {
            let ours: Vec<(i64, i64)> =
                book.levels(side).take(depth).map(|level| (level.price.0, level.qty.0)).collect();
            let expected: Vec<_> = naive.side(side).into_iter().take(depth).collect();
            assert_eq!(ours, expected, "{side:?} after record {read}");
        }
    };
    for item in &mut import {
        let (at, input) = item.unwrap();
        let Input::Market(event) = input else { continue };
        // Between two moments; every hundredth, and all of the book every ten thousandth.
        if clock.is_some_and(|clock| clock < at.0) && book.seq() > 0 {
            compared += 1;
            if compared % 100 == 0 {
                check(&book, clock.unwrap(), if compared % 10_000 == 0 { 10_000 } else { 20 });
            }
        }
        clock = Some(at.0);
        match event.kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => book.apply_snapshot(seq, &bids, &asks, extent),
            MarketEventKind::Delta { seq, bids, asks } => book.apply_delta(seq, &bids, &asks),
            MarketEventKind::Trade { qty, .. } => (prints, printed) = (prints + 1, printed + qty.0),
            _ => {}
        }
    }
    check(&book, i64::MAX, 10_000);
    assert_eq!(import.report().clock_steps_back, 0);
    assert!(compared > 10_000, "{compared} moments");
    let of_file = records.iter().filter(|record| record.action == b'T');
    assert_eq!((prints, printed), of_file.fold((0, 0), |(n, sum), record| (n + 1, sum + record.qty)));
}

#[test]
fn nobody_trades_before_those_ahead_of_him() {
    // Places as the news gives them. When an event is over, of everybody it filled nobody may have left somebody ahead
    // of him at his price who still rests. Auctions fill by price first, so theirs are left out.
    let Some(file) = data(ES) else { return };
    let mut orders: BTreeMap<u64, (Side, Ticks, u64)> = BTreeMap::new();
    let mut line: BTreeMap<(bool, Ticks, u64), Lots> = BTreeMap::new();
    let (mut place, mut filled, mut fills) = (0, Vec::new(), 0);
    let mut is_auction = false;
    for item in &mut play(&file, "ESH4").unwrap() {
        let Input::Market(event) = item.unwrap().1 else { continue };
        match event.kind {
            MarketEventKind::Trade { flags, .. } => is_auction = !flags.took_from_the_book(),
            MarketEventKind::Order(news) => {
                let known = orders.get(&news.id).copied();
                if let Some((side, price, at)) = known {
                    line.remove(&(side == Side::Bid, price, at));
                    assert_eq!(side, news.side);
                    assert!(news.step == OrderStep::Joined || price == news.price, "{news:?}");
                } else {
                    assert_eq!(news.step, OrderStep::Joined, "only who joined can do anything else: {news:?}");
                }
                let at = match known {
                    Some((_, _, at)) if news.step != OrderStep::Joined => at,
                    _ => {
                        place += 1;
                        place
                    }
                };
                if news.qty > Lots::ZERO {
                    orders.insert(news.id, (news.side, news.price, at));
                    line.insert((news.side == Side::Bid, news.price, at), news.qty);
                } else {
                    orders.remove(&news.id);
                }
                if news.step == OrderStep::Filled && !is_auction {
                    filled.push((news.side == Side::Bid, news.price, at));
                }
            }
            MarketEventKind::Delta { .. } => {
                for (side, price, at) in filled.drain(..) {
                    fills += 1;
                    let ahead = line.range((side, price, 0)..(side, price, at)).next();
                    assert_eq!(ahead, None, "ahead of place {at} at {price:?}, fill {fills}");
                }
            }
            _ => {}
        }
    }
    assert!(fills > 6_000, "{fills} fills");
}

#[test]
fn what_is_no_order_by_order_recording_is_refused_with_the_record() {
    let said = |file: &Path, symbol| play(file, symbol).err().expect("a refusal");
    let csv = tempfile::Builder::new().suffix(".dbn").tempfile().unwrap();
    fs::write(csv.path(), "price,qty\n1,2\n").unwrap();
    let refused = said(csv.path(), "ESH4");
    assert!(refused.starts_with("FILE:0: not a databento-mbo recording of imported ESH4: "), "{refused}");
    assert!(said(Path::new("/nowhere/at.all"), "ESH4").contains("cannot be read"));
    let Some(file) = data(ES) else { return };
    assert!(said(&file, "ESH5").ends_with("holds nothing of ESH5; it holds ESH4"));
    // Cut off, and with a byte of a record's action changed.
    let bytes = fs::read(&file).unwrap();
    fs::write(csv.path(), &bytes[..bytes.len() / 2]).unwrap();
    let refused = said(csv.path(), "ESH4");
    assert!(refused.contains("the file ends in the middle"), "{refused}");
    let mut plain = zstd::decode_all(bytes.as_slice()).unwrap();
    let first = 8 + u32::from_le_bytes(plain[4..8].try_into().unwrap()) as usize;
    plain[first + 2 * 56 + 38] = b'x';
    fs::write(csv.path(), &plain).unwrap();
    assert_eq!(
        said(csv.path(), "ESH4"),
        "FILE:3: not a databento-mbo recording of imported ESH4: 'x' is no action on an order"
    );
    plain.truncate(first + 100);
    plain[first + 1] = 99;
    plain[first] = 0;
    fs::write(csv.path(), &plain).unwrap();
    let refused = said(csv.path(), "ESH4");
    assert!(refused.starts_with("FILE:1: "), "{refused}");
}

//! Inputs as bytes, a block at a time.
//!
//! Market data is nearly all of a recording, and each message is nearly the one before: so a row stores what
//! changed, as variable-length integers, against the last row of the same instrument. Everything a block's first
//! row leans on is zero, so a block reads without its neighbours. Rare inputs (connection news, commands, rules)
//! are postcard.
//!
//! ```text
//! row      tag u8, Δat; market rows: instrument, [Δvenue time], then by kind
//! snapshot Δseq, bids, asks          delta    Δseq, bids, asks       (a side: count, then Δprice qty …)
//! trade    Δid, Δprice, qty, [flags] bbo      Δseq, [Δprice qty] bid, [Δprice qty] ask
//! order    Δid, Δprice, qty (its step is in the tag)
//! rare     length, postcard(Input)   tick     nothing
//! ```
//! Sequence numbers count up by one and are not stored. All differences wrap, so damaged bytes decode to nonsense
//! or to [`Malformed`], never to a panic; the frame's checksum is what catches them.

use super::varint::{CUT, Cursor, either_sign, put, put_signed};
use crate::engine::{Input, Stamped};
use crate::market::{Extent, InstrumentId, Level, MarketEvent, MarketEventKind, OrderNews, OrderStep, PrintFlags};
use crate::units::{LocalTime, Lots, Side, Ticks, VenueTime};

const TICK: u8 = 0;
const SNAPSHOT: u8 = 1;
const DELTA: u8 = 2;
const TRADE: u8 = 3;
const BBO: u8 = 4;
const RARE: u8 = 5;
const ORDER: u8 = 6;
/// The row has a venue time.
const TIMED: u8 = 1 << 3;
/// Snapshot: all of the book. Trade: the taker sold. Bbo: there is a bid. Order: it sells.
const FIRST: u8 = 1 << 4;
/// Snapshot: a window, its size follows. Trade: flags follow. Bbo: there is an ask.
const SECOND: u8 = 1 << 5;

/// Order: its step is in the two bits from here.
const STEP_SHIFT: u32 = 5;
/// As they are numbered there.
const STEPS: [OrderStep; 4] = [OrderStep::Joined, OrderStep::Shrank, OrderStep::Left, OrderStep::Filled];

/// What the last row of an instrument said.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    venue_time: i64,
    seq: u64,
    trade_id: u64,
    trade_price: i64,
    order_id: u64,
    order_price: i64,
    bid: i64,
    ask: i64,
}

/// The bytes are not rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: {what}")]
pub struct Malformed {
    /// Which row of the block, from zero.
    pub row: u32,
    /// What is wrong.
    pub what: &'static str,
}

/// A block of inputs being written.
#[derive(Debug, Default)]
pub struct InputBlock {
    bytes: Vec<u8>,
    count: u32,
    first_seq: u64,
    first_at: i64,
    at: i64,
    last: Vec<Last>,
}

impl InputBlock {
    /// Empty again, memory kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.last.clear();
        (self.count, self.first_seq, self.first_at, self.at) = (0, 0, 0, 0);
    }

    /// The rows so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many rows.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Sequence of the first row.
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// Sequence of the last row.
    pub fn last_seq(&self) -> u64 {
        (self.first_seq + u64::from(self.count)).saturating_sub(1)
    }

    /// Time of the first row.
    pub fn first_at(&self) -> i64 {
        self.first_at
    }

    /// Time of the last row.
    pub fn last_at(&self) -> i64 {
        self.at
    }

    /// Adds a row; its sequence must follow the last one's.
    pub fn push(&mut self, stamped: &Stamped) {
        if self.count == 0 {
            (self.first_seq, self.first_at) = (stamped.seq, stamped.at.0);
        }
        let elapsed = stamped.at.0.wrapping_sub(self.at);
        self.at = stamped.at.0;
        self.count += 1;
        match &stamped.input {
            Input::Tick => {
                self.bytes.push(TICK);
                put_signed(&mut self.bytes, elapsed);
            }
            Input::Market(event) => match &event.kind {
                MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                    let seen = match extent {
                        Extent::All => FIRST,
                        Extent::ToLast => 0,
                        Extent::Window(_) => SECOND,
                    };
                    let last = self.open_row(SNAPSHOT | seen, elapsed, event);
                    if let Extent::Window(levels) = extent {
                        put(&mut self.bytes, u64::from(*levels));
                    }
                    self.put_depth(last, *seq, bids, asks);
                }
                MarketEventKind::Delta { seq, bids, asks } => {
                    let last = self.open_row(DELTA, elapsed, event);
                    self.put_depth(last, *seq, bids, asks);
                }
                MarketEventKind::Trade { id, taker, price, qty, flags } => {
                    let sold = if *taker == Side::Ask { FIRST } else { 0 };
                    let flagged = if *flags == PrintFlags::NONE { 0 } else { SECOND };
                    let index = self.open_row(TRADE | sold | flagged, elapsed, event);
                    let last = &mut self.last[index];
                    put_signed(&mut self.bytes, id.wrapping_sub(last.trade_id) as i64);
                    put_signed(&mut self.bytes, price.0.wrapping_sub(last.trade_price));
                    put(&mut self.bytes, qty.0 as u64);
                    if flagged != 0 {
                        self.bytes.push(flags.0);
                    }
                    (last.trade_id, last.trade_price) = (*id, price.0);
                }
                MarketEventKind::Bbo { seq, bid, ask } => {
                    let has = |side: &Option<Level>, bit| if side.is_some() { bit } else { 0 };
                    let index = self.open_row(BBO | has(bid, FIRST) | has(ask, SECOND), elapsed, event);
                    let last = &mut self.last[index];
                    put_signed(&mut self.bytes, seq.wrapping_sub(last.seq) as i64);
                    last.seq = *seq;
                    for (level, price) in [(bid, &mut last.bid), (ask, &mut last.ask)] {
                        if let Some(level) = level {
                            put_signed(&mut self.bytes, level.price.0.wrapping_sub(*price));
                            put(&mut self.bytes, level.qty.0 as u64);
                            *price = level.price.0;
                        }
                    }
                }
                MarketEventKind::Order(OrderNews { id, side, price, qty, step }) => {
                    let sells = if *side == Side::Ask { FIRST } else { 0 };
                    let index = self.open_row(ORDER | sells | (*step as u8) << STEP_SHIFT, elapsed, event);
                    let last = &mut self.last[index];
                    put_signed(&mut self.bytes, id.wrapping_sub(last.order_id) as i64);
                    put_signed(&mut self.bytes, price.0.wrapping_sub(last.order_price));
                    put(&mut self.bytes, qty.0 as u64);
                    (last.order_id, last.order_price) = (*id, price.0);
                }
                MarketEventKind::Gap { .. }
                | MarketEventKind::Rules(_)
                | MarketEventKind::Status(_)
                | MarketEventKind::Mark(_) => {
                    self.put_rare(elapsed, &stamped.input);
                }
            },
            Input::Feed(_) | Input::Command { .. } | Input::Report(_) => self.put_rare(elapsed, &stamped.input),
        }
    }

    /// Tag, time, instrument, venue time; the index of the instrument's last row.
    fn open_row(&mut self, tag: u8, elapsed: i64, event: &MarketEvent) -> usize {
        let index = event.instrument.index();
        if index >= self.last.len() {
            self.last.resize(index + 1, Last::default());
        }
        self.bytes.push(if event.venue_time.is_some() { tag | TIMED } else { tag });
        put_signed(&mut self.bytes, elapsed);
        put(&mut self.bytes, index as u64);
        if let Some(VenueTime(time)) = event.venue_time {
            put_signed(&mut self.bytes, time.wrapping_sub(self.last[index].venue_time));
            self.last[index].venue_time = time;
        }
        index
    }

    fn put_depth(&mut self, index: usize, seq: u64, bids: &[Level], asks: &[Level]) {
        let last = &mut self.last[index];
        put_signed(&mut self.bytes, seq.wrapping_sub(last.seq) as i64);
        last.seq = seq;
        put(&mut self.bytes, bids.len() as u64);
        put(&mut self.bytes, asks.len() as u64);
        for (levels, reference) in [(bids, &mut last.bid), (asks, &mut last.ask)] {
            let mut price = *reference;
            for level in levels {
                put_signed(&mut self.bytes, level.price.0.wrapping_sub(price));
                put(&mut self.bytes, level.qty.0 as u64);
                price = level.price.0;
            }
            // The next message begins where this one began (near the touch), not where it ended.
            if let Some(first) = levels.first() {
                *reference = first.price.0;
            }
        }
    }

    fn put_rare(&mut self, elapsed: i64, input: &Input) {
        let body = crate::digest::canonical_bytes(input);
        self.bytes.push(RARE);
        put_signed(&mut self.bytes, elapsed);
        put(&mut self.bytes, body.len() as u64);
        self.bytes.extend_from_slice(&body);
    }
}

/// A block of inputs being read, into one reused [`Stamped`].
#[derive(Debug, Default)]
pub struct InputRows {
    position: usize,
    row: u32,
    count: u32,
    seq: u64,
    at: i64,
    last: Vec<Last>,
    spare_bids: Vec<Level>,
    spare_asks: Vec<Level>,
}

impl InputRows {
    /// At the first of `count` rows.
    pub fn begin(&mut self, first_seq: u64, count: u32) {
        (self.position, self.row, self.count, self.seq, self.at) = (0, 0, count, first_seq, 0);
        self.last.clear();
    }

    /// The next row into `into`, whose memory is reused; `false` after the last.
    pub fn next(&mut self, bytes: &[u8], into: &mut Stamped) -> Result<bool, Malformed> {
        if self.row == self.count {
            return match self.position == bytes.len() {
                true => Ok(false),
                false => Err(Malformed { row: self.row, what: "bytes are left after the last row" }),
            };
        }
        let mut at = Cursor { bytes, position: self.position };
        let row = self.row;
        self.read(&mut at, into).map_err(|what| Malformed { row, what })?;
        self.position = at.position;
        self.row += 1;
        self.seq = self.seq.wrapping_add(1);
        Ok(true)
    }

    fn read(&mut self, from: &mut Cursor<'_>, into: &mut Stamped) -> Result<(), &'static str> {
        let tag = from.byte()?;
        self.at = self.at.wrapping_add(from.signed()?);
        self.keep_memory_of(into);
        (into.seq, into.at) = (self.seq, LocalTime(self.at));
        let kind = tag & 0b111;
        if kind == TICK {
            into.input = Input::Tick;
            return Ok(());
        }
        if kind == RARE {
            let length = from.get()?;
            let body = from.take(length)?;
            into.input = postcard::from_bytes(body).map_err(|_| "a rare input that is not one")?;
            return Ok(());
        }
        let index = from.small()?;
        let instrument = InstrumentId(u16::try_from(index).map_err(|_| "an instrument beyond 65535")?);
        let index = instrument.index();
        if index >= self.last.len() {
            self.last.resize(index + 1, Last::default());
        }
        let last = &mut self.last[index];
        let venue_time = if tag & TIMED == 0 {
            None
        } else {
            last.venue_time = last.venue_time.wrapping_add(from.signed()?);
            Some(VenueTime(last.venue_time))
        };
        let kind = match kind {
            SNAPSHOT | DELTA => {
                let extent = match (tag & FIRST != 0, kind == SNAPSHOT && tag & SECOND != 0) {
                    (_, true) => {
                        Extent::Window(u32::try_from(from.get()?).map_err(|_| "a window of more than 32 bits")?)
                    }
                    (true, false) => Extent::All,
                    (false, false) => Extent::ToLast,
                };
                last.seq = last.seq.wrapping_add(from.signed()? as u64);
                let (bid_count, ask_count) = (from.get()?, from.get()?);
                let mut bids = std::mem::take(&mut self.spare_bids);
                let mut asks = std::mem::take(&mut self.spare_asks);
                last.bid = read_levels(from, bid_count, last.bid, &mut bids)?;
                last.ask = read_levels(from, ask_count, last.ask, &mut asks)?;
                if kind == SNAPSHOT {
                    MarketEventKind::Snapshot { seq: last.seq, bids, asks, extent }
                } else {
                    MarketEventKind::Delta { seq: last.seq, bids, asks }
                }
            }
            TRADE => {
                last.trade_id = last.trade_id.wrapping_add(from.signed()? as u64);
                last.trade_price = last.trade_price.wrapping_add(from.signed()?);
                MarketEventKind::Trade {
                    id: last.trade_id,
                    taker: if tag & FIRST == 0 { Side::Bid } else { Side::Ask },
                    price: Ticks(last.trade_price),
                    qty: Lots(from.get()? as i64),
                    flags: if tag & SECOND == 0 { PrintFlags::NONE } else { PrintFlags(from.byte()?) },
                }
            }
            BBO => {
                last.seq = last.seq.wrapping_add(from.signed()? as u64);
                let mut level = |present: bool, price: &mut i64| -> Result<Option<Level>, &'static str> {
                    if !present {
                        return Ok(None);
                    }
                    // Best prices mostly change in size.
                    *price = price.wrapping_add(from.signed_small()?);
                    Ok(Some(Level { price: Ticks(*price), qty: Lots(from.get()? as i64) }))
                };
                let bid = level(tag & FIRST != 0, &mut last.bid)?;
                let ask = level(tag & SECOND != 0, &mut last.ask)?;
                MarketEventKind::Bbo { seq: last.seq, bid, ask }
            }
            ORDER => {
                last.order_id = last.order_id.wrapping_add(from.signed()? as u64);
                last.order_price = last.order_price.wrapping_add(from.signed()?);
                MarketEventKind::Order(OrderNews {
                    id: last.order_id,
                    side: if tag & FIRST == 0 { Side::Bid } else { Side::Ask },
                    price: Ticks(last.order_price),
                    qty: Lots(from.get()? as i64),
                    step: STEPS[usize::from(tag >> STEP_SHIFT & 3)],
                })
            }
            7.. => return Err("a row of unknown kind"),
            TICK | RARE => unreachable!("read above"),
        };
        into.input = Input::Market(MarketEvent { instrument, venue_time, kind });
        Ok(())
    }

    /// Saves the level lists of the row about to be overwritten, so that a tape of mixed rows allocates nothing.
    fn keep_memory_of(&mut self, row: &mut Stamped) {
        if let Input::Market(MarketEvent {
            kind: MarketEventKind::Snapshot { bids, asks, .. } | MarketEventKind::Delta { bids, asks, .. },
            ..
        }) = &mut row.input
        {
            self.spare_bids = std::mem::take(bids);
            self.spare_asks = std::mem::take(asks);
        }
        self.spare_bids.clear();
        self.spare_asks.clear();
    }
}

/// One side; returns the price the next message's first level is stored against.
#[inline]
fn read_levels(from: &mut Cursor<'_>, count: u64, reference: i64, into: &mut Vec<Level>) -> Result<i64, &'static str> {
    // A level takes at least two bytes: a damaged count cannot ask for more memory than there are bytes.
    if count > from.left() as u64 / 2 {
        return Err(CUT);
    }
    into.resize(count as usize, Level { price: Ticks(0), qty: Lots(0) });
    let mut price = reference;
    // A cursor of our own stays in registers.
    let mut at = Cursor { bytes: from.bytes, position: from.position };
    for level in into.iter_mut() {
        let (step, qty) = at.pair()?;
        price = price.wrapping_add(either_sign(step));
        *level = Level { price: Ticks(price), qty: Lots(qty as i64) };
    }
    from.position = at.position;
    Ok(into.first().map_or(reference, |first| first.price.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Command;
    use crate::market::{FeedEvent, FeedEventKind, VenueId};
    use proptest::prelude::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Ticks(price), qty: Lots(qty) }
    }

    fn market(kind: MarketEventKind) -> Input {
        Input::Market(MarketEvent { instrument: InstrumentId(0), venue_time: Some(VenueTime(5)), kind })
    }

    fn round_trip(inputs: &[Stamped]) -> usize {
        let mut block = InputBlock::default();
        inputs.iter().for_each(|i| block.push(i));
        let mut rows = InputRows::default();
        rows.begin(block.first_seq(), block.count());
        let mut row = Stamped { seq: 0, at: LocalTime(0), input: Input::Tick };
        for wanted in inputs {
            assert_eq!(rows.next(block.bytes(), &mut row), Ok(true));
            assert_eq!(&row, wanted);
        }
        assert_eq!(rows.next(block.bytes(), &mut row), Ok(false));
        block.bytes().len()
    }

    #[test]
    fn a_small_change_takes_few_bytes() {
        // The delta: tag, Δat 3 (1000 ns zigzags to 2000: two bytes), instrument, Δvenue time, Δseq, two counts, then
        // one level of Δprice 0 and qty 100: 1 + 2 + 1 + 1 + 1 + 2 + 2 = 10 bytes.
        let delta = |seq, at| Stamped {
            seq,
            at: LocalTime(at),
            input: market(MarketEventKind::Delta { seq, bids: vec![level(6_000_000, 100)], asks: vec![] }),
        };
        let one = round_trip(&[delta(1, 1_000)]);
        let two = round_trip(&[delta(1, 1_000), delta(2, 2_000)]);
        assert_eq!(two - one, 10);
    }

    #[test]
    fn extremes_survive() {
        let extremes = [i64::MIN, -1, 0, 1, i64::MAX];
        let mut inputs = Vec::new();
        for (i, &x) in extremes.iter().enumerate() {
            for &y in &extremes {
                inputs.push(market(MarketEventKind::Bbo { seq: u64::MAX, bid: Some(level(x, y)), ask: None }));
                inputs.push(market(MarketEventKind::Delta {
                    seq: i as u64,
                    bids: vec![level(x, y), level(y, x)],
                    asks: vec![level(y, y)],
                }));
            }
        }
        inputs.push(Input::Command { by: "operator".into(), command: Command::Pause });
        inputs.push(Input::Tick);
        let stamped: Vec<_> = inputs
            .into_iter()
            .zip(1..)
            .map(|(input, seq)| Stamped { seq, at: LocalTime(extremes[seq as usize % 5]), input })
            .collect();
        round_trip(&stamped);
    }

    fn any_level() -> impl Strategy<Value = Level> {
        (6_000_000i64..6_010_000, 0i64..1 << 40).prop_map(|(p, q)| level(p, q))
    }

    fn any_input() -> impl Strategy<Value = Input> {
        let side = || prop::collection::vec(any_level(), 0..8);
        let extent = || prop_oneof![Just(Extent::All), Just(Extent::ToLast), (1u32..40).prop_map(Extent::Window)];
        let kind =
            prop_oneof![
                (any::<u64>(), side(), side(), extent())
                    .prop_map(|(seq, bids, asks, extent)| MarketEventKind::Snapshot { seq, bids, asks, extent }),
                (any::<u64>(), side(), side()).prop_map(|(seq, bids, asks)| MarketEventKind::Delta { seq, bids, asks }),
                (any::<u64>(), any::<bool>(), any_level(), 0u8..3).prop_map(|(id, sold, l, flags)| {
                    let taker = if sold { Side::Ask } else { Side::Bid };
                    MarketEventKind::Trade { id, taker, price: l.price, qty: l.qty, flags: PrintFlags(flags) }
                }),
                (any::<u64>(), prop::option::of(any_level()), prop::option::of(any_level()))
                    .prop_map(|(seq, bid, ask)| MarketEventKind::Bbo { seq, bid, ask }),
                (any::<u64>(), any_level(), any::<bool>(), 0usize..4).prop_map(|(id, l, sells, step)| {
                    let side = if sells { Side::Ask } else { Side::Bid };
                    MarketEventKind::Order(OrderNews { id, side, price: l.price, qty: l.qty, step: STEPS[step] })
                }),
                (any::<u64>(), any::<u64>()).prop_map(|(expected, found)| MarketEventKind::Gap { expected, found }),
            ];
        prop_oneof![
            8 => (0u16..3, prop::option::of(any::<i64>()), kind).prop_map(|(i, t, kind)| {
                Input::Market(MarketEvent { instrument: InstrumentId(i), venue_time: t.map(VenueTime), kind })
            }),
            1 => Just(Input::Tick),
            1 => ".*".prop_map(|reason| Input::Feed(FeedEvent {
                venue: VenueId::BinanceSpot,
                connection: 2,
                instrument: None,
                generation: 3,
                kind: FeedEventKind::Disconnected { reason },
            })),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_goes_in_comes_out(inputs in prop::collection::vec((any_input(), any::<i64>()), 1..40)) {
            let stamped: Vec<_> =
                inputs.into_iter().zip(7..).map(|((input, at), seq)| Stamped { seq, at: LocalTime(at), input }).collect();
            round_trip(&stamped);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut rows = InputRows::default();
            rows.begin(1, 50);
            let mut row = Stamped { seq: 0, at: LocalTime(0), input: Input::Tick };
            while let Ok(true) = rows.next(&bytes, &mut row) {}
            let mut records = crate::journal::records::Records::begin(50);
            while let Ok(Some(_)) = records.next(&bytes) {}
        }
    }
}

//! Recordings that other programs have already made sense of: rows of levels, prints and quotes instead of frames.
//!
//! A format is a reader that turns lines into [`Row`]s; the rest is the same for all: a first reading that finds the
//! steps of prices and quantities, a clock that does not step back, ticks of time between rows. Such a recording knows
//! no connections, so one is said to have opened with its first row and every `Snapshot` makes the book live.

use std::collections::VecDeque;

use rust_decimal::Decimal;

use super::survey::{self, Grid, Pace, Sizes, StepsFrom};
use super::{ImportError, Play, Report, Seat, Wish};
use crate::engine::Input;
use crate::market::{
    Extent, FeedEvent, FeedEventKind, Instrument, Level, MarketEvent, MarketEventKind, OrderNews, OrderStep,
    PrintFlags, Status,
};
use crate::units::{LocalTime, Lots, NotOnStep, Side, Step, Ticks, VenueTime};

/// A price and what rests there, as the file has them.
pub type Priced = (Decimal, Decimal);

/// One row, in the file's own numbers.
#[derive(Clone, Debug)]
pub struct Row {
    /// When the recorder heard; where a format has only the venue's time, that.
    pub at: LocalTime,
    /// When it happened at the venue.
    pub venue_time: Option<VenueTime>,
    /// File (index in the wish) and line, for refusals.
    pub place: (usize, u64),
    pub told: Told,
}

/// What a row says. As in [`MarketEventKind`]; numbers of updates are counted here.
#[derive(Clone, Debug)]
pub enum Told {
    Snapshot { bids: Vec<Priced>, asks: Vec<Priced>, extent: Extent },
    Delta { bids: Vec<Priced>, asks: Vec<Priced> },
    Trade { id: u64, taker: Side, price: Decimal, qty: Decimal, flags: PrintFlags },
    Bbo { bid: Option<Priced>, ask: Option<Priced> },
    Order { id: u64, side: Side, price: Decimal, qty: Decimal, step: OrderStep },
    Status(Status),
    Gap,
}

pub type Rows = Box<dyn Iterator<Item = Result<Row, ImportError>> + Send>;

/// A price above it is none: money is counted in 10⁻²⁴ of it, in 127 bits.
const PRICE_MAX: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);

/// More steps than that are none: sums of a thousand levels shall have room in 63 bits.
const STEPS_MAX: i64 = 1 << 53;

/// The largest number of its kind so far, and where it stands.
#[derive(Default)]
struct Most(Decimal, (usize, u64));

impl Most {
    fn see(&mut self, value: Decimal, place: (usize, u64)) {
        if value > self.0 {
            *self = Self(value, place);
        }
    }

    /// Errors if it is more steps than can be counted with.
    fn fits(&self, wish: &Wish, what: &str, step: Step, limit: Option<Decimal>) -> Result<(), ImportError> {
        let Self(value, place) = self;
        let is_counted = value.checked_div(step.size()).is_some_and(|steps| steps <= Decimal::from(STEPS_MAX));
        if is_counted && limit.is_none_or(|limit| *value <= limit) {
            return Ok(());
        }
        Err(wish.refused(*place, format!("{what} {value} is more than can be counted with in steps of {step}")))
    }
}

/// Reads all rows and says what is traded; refuses the first row that does not belong.
fn survey(wish: &Wish, rows: Rows) -> Result<(Instrument, StepsFrom), ImportError> {
    let (mut prices, mut traded, mut resting) = (Grid::default(), Grid::default(), Sizes::default());
    let mut pace = Pace::default();
    let (mut dearest, mut largest) = (Most::default(), Most::default());
    let mut any = false;
    for row in rows {
        let row = row?;
        any = true;
        pace.take(row.at).map_err(|why| wish.refused(row.place, why))?;
        let mut level = |(price, qty): &Priced| {
            dearest.see(*price, row.place);
            largest.see(*qty, row.place);
            prices.take_number(*price)?;
            resting.take_number(*qty)
        };
        let fits = match &row.told {
            Told::Snapshot { bids, asks, .. } | Told::Delta { bids, asks } => {
                bids.iter().chain(asks).try_for_each(&mut level)
            }
            Told::Bbo { bid, ask } => bid.iter().chain(ask).try_for_each(&mut level),
            Told::Order { price, qty, .. } => level(&(*price, *qty)),
            Told::Trade { price, qty, .. } => {
                dearest.see(*price, row.place);
                largest.see(*qty, row.place);
                prices.take_number(*price).and_then(|()| traded.take_number(*qty))
            }
            Told::Status(_) | Told::Gap => Ok(()),
        };
        fits.map_err(|why| wish.refused(row.place, why))?;
    }
    let whole = |why: String| wish.refused((0, 0), why);
    if !any {
        return Err(whole("holds no market data".to_owned()));
    }
    let (instrument, steps_from) = survey::instrument(wish, &prices, &traded, &resting).map_err(whole)?;
    dearest.fits(wish, "price", instrument.tick, Some(PRICE_MAX))?;
    largest.fits(wish, "quantity", lot_of(wish, &instrument)?, None)?;
    Ok((instrument, steps_from))
}

/// Step of quantities in the file's units: contracts, where the venue counts in them.
fn lot_of(wish: &Wish, instrument: &Instrument) -> Result<Step, ImportError> {
    let lot = Step::new(instrument.lot.size() / instrument.contract.unit.size());
    lot.map_err(|error| wish.refused((0, 0), error.to_string()))
}

/// Rows being played.
pub struct Normalised {
    wish: Wish,
    seat: Seat,
    instrument: Instrument,
    /// Step of quantities in the file's units: contracts, where the venue counts in them.
    lot: Step,
    steps_from: StepsFrom,
    rows: Rows,
    /// Read, but time has not come to it yet.
    upcoming: Option<Row>,
    queue: VecDeque<(LocalTime, Input)>,
    /// Of the last row; `None` before the first.
    clock: Option<LocalTime>,
    next_tick: LocalTime,
    /// Updates of the book so far.
    updates: u64,
    is_live: bool,
    report: Report,
}

impl Normalised {
    /// Reads the files once, to be played from their start. `rows` opens them.
    pub fn open(
        wish: Wish,
        seat: Seat,
        rows: impl Fn(&Wish) -> Result<Rows, ImportError>,
    ) -> Result<Self, ImportError> {
        let (instrument, steps_from) = survey(&wish, rows(&wish)?)?;
        let lot = lot_of(&wish, &instrument)?;
        let rows = rows(&wish)?;
        Ok(Self {
            wish,
            seat,
            instrument,
            lot,
            steps_from,
            rows,
            upcoming: None,
            queue: VecDeque::new(),
            clock: None,
            next_tick: LocalTime::default(),
            updates: 0,
            is_live: false,
            report: Report::default(),
        })
    }

    /// Lets time pass up to the next row, a tick at a time, then plays it.
    fn advance(&mut self, row: Row) -> Result<(), ImportError> {
        let at = self.report.clock(self.clock, row.at);
        match self.clock {
            None => {
                self.next_tick = at + self.wish.tick_every;
                self.say_feed(at, FeedEventKind::Connected);
            }
            Some(_) if self.next_tick <= at => {
                self.queue.push_back((self.next_tick, Input::Tick));
                self.next_tick = self.next_tick + self.wish.tick_every;
                self.upcoming = Some(row);
                return Ok(());
            }
            Some(_) => {}
        }
        self.clock = Some(at);
        self.report.frames += 1;
        let place = row.place;
        self.play(row, at).map_err(|why| self.wish.refused(place, why.to_string()))
    }

    fn play(&mut self, row: Row, at: LocalTime) -> Result<(), NotOnStep> {
        let (tick, lot) = (self.instrument.tick, self.lot);
        let level = |(price, qty): Priced| -> Result<Level, NotOnStep> {
            // What rests since before a venue made its lot coarser is rounded up, not lost.
            let qty = lot.count(qty).unwrap_or_else(|_| lot.count_floor(qty) + 1);
            Ok(Level { price: Ticks(tick.count(price)?), qty: Lots(qty) })
        };
        let side = |levels: Vec<Priced>| levels.into_iter().map(level).collect::<Result<Vec<_>, _>>();
        let kind = match row.told {
            Told::Snapshot { bids, asks, extent } => {
                self.updates += 1;
                self.report.snapshots += 1;
                MarketEventKind::Snapshot { seq: self.updates, bids: side(bids)?, asks: side(asks)?, extent }
            }
            Told::Delta { bids, asks } => {
                self.updates += 1;
                MarketEventKind::Delta { seq: self.updates, bids: side(bids)?, asks: side(asks)? }
            }
            Told::Trade { id, taker, price, qty, flags } => {
                let (price, qty) = (Ticks(tick.count(price)?), Lots(lot.count(qty)?));
                MarketEventKind::Trade { id, taker, price, qty, flags }
            }
            Told::Bbo { bid, ask } => {
                MarketEventKind::Bbo { seq: 0, bid: bid.map(level).transpose()?, ask: ask.map(level).transpose()? }
            }
            Told::Order { id, side, price, qty, step } => {
                let Level { price, qty } = level((price, qty))?;
                MarketEventKind::Order(OrderNews { id, side, price, qty, step })
            }
            Told::Status(status) => MarketEventKind::Status(status),
            Told::Gap => {
                self.is_live = false;
                MarketEventKind::Gap { expected: self.updates + 1, found: self.updates + 2 }
            }
        };
        let goes_live = matches!(kind, MarketEventKind::Snapshot { .. }) && !self.is_live;
        let event = MarketEvent { instrument: self.seat.me, venue_time: row.venue_time, kind };
        self.queue.push_back((at, Input::Market(event)));
        if goes_live {
            self.is_live = true;
            self.say_feed(at, FeedEventKind::Live);
        }
        Ok(())
    }

    fn say_feed(&mut self, at: LocalTime, kind: FeedEventKind) {
        let event = FeedEvent {
            venue: self.wish.venue,
            connection: self.seat.connection,
            instrument: Some(self.seat.me),
            generation: 1,
            kind,
        };
        self.queue.push_back((at, Input::Feed(event)));
    }
}

impl Play for Normalised {
    fn instrument(&self) -> &Instrument {
        &self.instrument
    }

    fn wish(&self) -> &Wish {
        &self.wish
    }

    fn steps_from(&self) -> StepsFrom {
        self.steps_from
    }

    fn report(&self) -> Report {
        self.report
    }
}

impl Iterator for Normalised {
    type Item = Result<(LocalTime, Input), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(input) = self.queue.pop_front() {
                return Some(Ok(input));
            }
            let row = match self.upcoming.take().map(Ok).or_else(|| self.rows.next())? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            if let Err(error) = self.advance(row) {
                return Some(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::import::Format;
    use crate::market::{InstrumentId, VenueId};
    use crate::units::Nanos;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn wish() -> Wish {
        Wish {
            files: vec!["a.csv".into()],
            format: Format::TardisCsv,
            venue: VenueId::Imported,
            symbol: "BTC-USD".to_owned(),
            tick: None,
            lot: None,
            tick_every: Nanos::from_ms(50),
        }
    }

    fn level(price: &str, qty: &str) -> Priced {
        (number(price), number(qty))
    }

    fn snapshot() -> Told {
        Told::Snapshot { bids: vec![level("100", "2")], asks: vec![level("101", "3")], extent: Extent::All }
    }

    fn trade(price: &str, qty: &str) -> Told {
        let (price, qty) = (number(price), number(qty));
        Told::Trade { id: 7, taker: Side::Ask, price, qty, flags: PrintFlags::NONE }
    }

    /// Rows at these milliseconds, one a line.
    fn open(wish: Wish, rows: &[(i64, Told)]) -> Result<Normalised, ImportError> {
        let row = |(n, (ms, told)): (usize, &(i64, Told))| {
            let at = LocalTime(1_600_000_000_000_000_000 + ms * 1_000_000);
            Ok(Row { at, venue_time: None, place: (0, n as u64 + 1), told: told.clone() })
        };
        let rows: Vec<Result<Row, String>> = rows.iter().enumerate().map(row).collect();
        let seat = Seat { me: InstrumentId(0), connection: 0, alone: true };
        Normalised::open(wish, seat, |_| Ok(Box::new(rows.clone().into_iter().map(|row| Ok(row.expect("made above"))))))
    }

    /// Every input as milliseconds and a word.
    fn story(rows: &[(i64, Told)]) -> Vec<String> {
        let words = |(at, input): (LocalTime, Input)| {
            let word = match &input {
                Input::Tick => "tick".to_owned(),
                Input::Feed(event) => event.kind.word().to_owned(),
                Input::Market(event) => format!("{:?}", event.kind).split(' ').next().unwrap().to_lowercase(),
                other => panic!("{other:?}"),
            };
            format!("{} {word}", at.since(LocalTime(1_600_000_000_000_000_000)).ms())
        };
        open(wish(), rows).unwrap().map(|input| words(input.unwrap())).collect()
    }

    #[test]
    fn time_passes_in_ticks_between_rows() {
        // Ticks of 50 ms from the first row on; one that falls on a row's own time comes before it.
        let told = story(&[(0, snapshot()), (49, trade("100", "1")), (150, trade("100", "1"))]);
        let expected =
            ["0 connected", "0 snapshot", "0 live", "49 trade", "50 tick", "100 tick", "150 tick", "150 trade"];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_clock_that_steps_back_is_raised_and_counted() {
        let rows = [(10, snapshot()), (4, trade("100", "1")), (7, trade("100", "1")), (12, trade("100", "1"))];
        assert_eq!(story(&rows)[2..], ["10 live", "10 trade", "10 trade", "12 trade"]);
        let mut played = open(wish(), &rows).unwrap();
        assert_eq!(played.by_ref().filter(|input| input.is_err()).count(), 0);
        let report = played.report();
        assert_eq!((report.frames, report.snapshots, report.clock_steps_back), (4, 1, 2));
        // 10 to 4 ms; the second step is from the raised 10 to 7.
        assert_eq!(report.clock_step_back_max, Nanos::from_ms(6));
    }

    #[test]
    fn a_stamp_far_out_is_refused_before_a_year_of_ticks_is_played() {
        let refusal = |ms: i64| open(wish(), &[(0, snapshot()), (ms, trade("100", "1"))]).err().unwrap().to_string();
        let year = 365 * 86_400_000;
        assert!(refusal(year).contains("a.csv:2:") && refusal(year).ends_with("365 days after the one before it"));
        assert!(refusal(-3_600_000).contains("3600 s before the one before it"));
    }

    #[test]
    fn the_book_is_live_with_its_first_snapshot_and_again_after_a_gap() {
        let delta = Told::Delta { bids: vec![level("100", "1")], asks: vec![] };
        let rows = [(0, delta.clone()), (1, snapshot()), (2, snapshot()), (3, Told::Gap), (4, delta), (5, snapshot())];
        let expected = [
            "0 connected",
            "0 delta",
            "1 snapshot",
            "1 live",
            "2 snapshot",
            "3 gap",
            "4 delta",
            "5 snapshot",
            "5 live",
        ];
        assert_eq!(story(&rows), expected);
    }

    #[test]
    fn what_rests_between_two_lots_counts_as_one_more() {
        let mut coarse = wish();
        (coarse.tick, coarse.lot) = (Step::parse("1").ok(), Step::parse("0.5").ok());
        let bids = vec![level("100", "1.5"), level("99", "0.7"), level("98", "0.1")];
        let book = Told::Snapshot { bids, asks: vec![], extent: Extent::All };
        let mut played = open(coarse.clone(), &[(0, book)]).unwrap();
        let snapshot = played.find_map(|input| match input.unwrap().1 {
            Input::Market(MarketEvent { kind: MarketEventKind::Snapshot { bids, .. }, .. }) => Some(bids),
            _ => None,
        });
        // 1.5 are three lots; 0.7 are more than one, 0.1 more than none.
        let lots: Vec<i64> = snapshot.unwrap().iter().map(|level| level.qty.0).collect();
        assert_eq!(lots, [3, 2, 1]);
        // A print is no old order: it has to be on the lot.
        let refused = open(coarse, &[(0, trade("100", "0.7"))]).err().unwrap().to_string();
        assert!(refused.ends_with("--lot 0.5 does not fit, the values are multiples of 0.7"), "{refused}");
    }

    #[test]
    fn a_price_between_the_given_steps_is_refused() {
        let mut coarse = wish();
        coarse.tick = Step::parse("0.5").ok();
        let refused = open(coarse, &[(0, snapshot()), (1, trade("100.2", "1"))]).err().unwrap().to_string();
        assert!(refused.ends_with("--tick 0.5 does not fit, the values are multiples of 0.2"), "{refused}");
        // Nothing to infer a step from, and nothing at all.
        let nothing = open(wish(), &[(0, Told::Gap)]).err().unwrap().to_string();
        assert!(nothing.ends_with("holds nothing to infer a step from; give --tick"), "{nothing}");
        assert!(open(wish(), &[]).err().unwrap().to_string().ends_with("holds no market data"));
    }

    #[test]
    fn orders_and_a_halt_are_told_as_they_are() {
        let order =
            Told::Order { id: 9, side: Side::Bid, price: number("100"), qty: number("2"), step: OrderStep::Joined };
        let told = story(&[(0, order), (0, snapshot()), (1, Told::Status(Status::Halted)), (1, trade("100", "2"))]);
        let words: Vec<&str> = told.iter().map(|line| line.split(['(', '\n']).next().unwrap()).collect();
        assert_eq!(words, ["0 connected", "0 order", "0 snapshot", "0 live", "1 status", "1 trade"]);
    }
}

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

/// Reads all rows and says what is traded; refuses the first row that does not belong.
fn survey(wish: &Wish, rows: Rows) -> Result<(Instrument, StepsFrom), ImportError> {
    let (mut prices, mut traded, mut resting) = (Grid::default(), Grid::default(), Sizes::default());
    let mut pace = Pace::default();
    let mut any = false;
    for row in rows {
        let row = row?;
        any = true;
        pace.take(row.at).map_err(|why| wish.refused(row.place, why))?;
        let mut level = |(price, qty): &Priced| {
            prices.take_number(*price)?;
            resting.take_number(*qty)
        };
        let fits = match &row.told {
            Told::Snapshot { bids, asks, .. } | Told::Delta { bids, asks } => {
                bids.iter().chain(asks).try_for_each(&mut level)
            }
            Told::Bbo { bid, ask } => bid.iter().chain(ask).try_for_each(&mut level),
            Told::Order { price, qty, .. } => level(&(*price, *qty)),
            Told::Trade { price, qty, .. } => prices.take_number(*price).and_then(|()| traded.take_number(*qty)),
            Told::Status(_) | Told::Gap => Ok(()),
        };
        fits.map_err(|why| wish.refused(row.place, why))?;
    }
    let whole = |why: String| wish.refused((0, 0), why);
    if !any {
        return Err(whole("holds no market data".to_owned()));
    }
    survey::instrument(wish, &prices, &traded, &resting).map_err(whole)
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
        let lot = Step::new(instrument.lot.size() / instrument.contract.unit.size());
        let lot = lot.map_err(|error| wish.refused((0, 0), error.to_string()))?;
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

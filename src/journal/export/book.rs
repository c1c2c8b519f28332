//! Books added up again from the recorded market events.

use std::io::Write;

use super::table::{Cell, Whose};
use super::{ExportError, Exporter};
use crate::engine::{Input, Stamped};
use crate::market::{Book, FeedEventKind, Instrument, InstrumentId, Level, MarketEventKind, VenueId};
use crate::units::Side;

/// One instrument's book, and its best bid and offer from whichever channel is ahead.
#[derive(Clone, Debug)]
struct Desk {
    venue: VenueId,
    book: Book,
    /// Why the book is not in step with the venue; the last known levels are kept to look at.
    lost: Option<String>,
    bbo_seq: u64,
    best: (Option<Level>, Option<Level>),
    /// The last row's.
    written: (Option<Level>, Option<Level>),
}

/// All instruments' books.
#[derive(Clone, Debug)]
pub struct Books(Vec<Desk>);

impl Books {
    pub fn new(instruments: &[Instrument]) -> Self {
        let desk = |rules: &Instrument| Desk {
            venue: rules.venue,
            book: Book::new(),
            lost: Some("no snapshot yet".to_owned()),
            bbo_seq: 0,
            best: (None, None),
            written: (None, None),
        };
        Self(instruments.iter().map(desk).collect())
    }

    /// Takes in whatever changes a book.
    pub fn hear(&mut self, input: &Input) {
        match input {
            Input::Market(event) => self.0[event.instrument.index()].hear(&event.kind),
            Input::Feed(event) => {
                let why = match &event.kind {
                    FeedEventKind::Disconnected { reason } => format!("disconnected, {reason}"),
                    FeedEventKind::Resync { reason } => format!("being fetched anew, {reason}"),
                    FeedEventKind::ChecksumMismatch { .. } => "checksum mismatch".to_owned(),
                    FeedEventKind::Connected
                    | FeedEventKind::Live
                    | FeedEventKind::Stale { .. }
                    | FeedEventKind::NoData { .. }
                    | FeedEventKind::ProtocolError { .. }
                    | FeedEventKind::RateLimited { .. }
                    | FeedEventKind::ShutdownAnnounced
                    | FeedEventKind::Refused { .. } => return,
                };
                match event.instrument {
                    Some(id) => self.0[id.index()].lose(why),
                    None => {
                        let concerned = self.0.iter_mut().filter(|desk| desk.venue == event.venue);
                        concerned.for_each(|desk| desk.lose(why.clone()));
                    }
                }
            }
            Input::Report(_) | Input::Tick | Input::Command { .. } => {}
        }
    }
}

impl Desk {
    fn hear(&mut self, kind: &MarketEventKind) {
        match kind {
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.book.apply_snapshot(*seq, bids, asks, *extent);
                self.lost = None;
                self.take_best_of_book();
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                if self.lost.is_none() {
                    self.book.apply_delta(*seq, bids, asks);
                    self.take_best_of_book();
                }
            }
            // A bbo without a number is the news of the moment; a numbered one counts if the book is not ahead of it.
            MarketEventKind::Bbo { seq, bid, ask } => {
                if *seq == 0 || self.lost.is_some() || *seq >= self.book.seq() {
                    self.bbo_seq = *seq;
                    self.best = (*bid, *ask);
                }
            }
            MarketEventKind::Gap { expected, found } => self.lose(format!("gap, {found} came instead of {expected}")),
            MarketEventKind::Rules(_) => {
                self.book.clear();
                self.lose("new rules".to_owned());
            }
            MarketEventKind::Trade { .. }
            | MarketEventKind::Status(_)
            | MarketEventKind::Mark(_)
            | MarketEventKind::Order(_) => {}
        }
    }

    fn take_best_of_book(&mut self) {
        if self.book.seq() > self.bbo_seq {
            self.best = (self.book.best(Side::Bid), self.book.best(Side::Ask));
        }
    }

    fn lose(&mut self, why: String) {
        self.lost = Some(why);
        self.bbo_seq = 0;
        self.best = (None, None);
    }
}

impl<W: Write + Send> Exporter<W> {
    pub(super) fn bbo(&mut self, input: &Stamped) -> Result<(), ExportError> {
        self.books.hear(&input.input);
        for ((id, desk), rules) in (0..).map(InstrumentId).zip(self.books.0.iter_mut()).zip(&self.cast.instruments) {
            let (bid, ask) = desk.best;
            if desk.written == (bid, ask) {
                continue;
            }
            desk.written = (bid, ask);
            let price =
                |level: Option<Level>| level.map_or(Cell::Nothing, |l| Cell::Decimal(rules.price_text(l.price)));
            let qty = |level: Option<Level>| level.map_or(Cell::Nothing, |l| Cell::Decimal(rules.qty_text(l.qty)));
            let row = [
                input.seq.into(),
                input.at.0.into(),
                Cell::text(rules.venue.name()),
                Cell::text(&rules.symbol),
                price(bid),
                qty(bid),
                price(ask),
                qty(ask),
            ];
            self.table.row(Whose::Instrument(id), input.at, row)?;
        }
        Ok(())
    }

    /// Every book's levels, best first; notes on books that were not in step.
    pub(super) fn book(&mut self) -> Result<Vec<String>, ExportError> {
        let mut notes = Vec::new();
        for ((id, desk), rules) in (0..).map(InstrumentId).zip(&self.books.0).zip(&self.cast.instruments) {
            if let Some(why) = &desk.lost {
                notes.push(format!("the book of {} was not in step at that moment: {why}", rules.label()));
            }
            for (side, word) in [(Side::Bid, "bid"), (Side::Ask, "ask")] {
                for (i, level) in desk.book.levels(side).take(self.wish.depth).enumerate() {
                    let row = [
                        Cell::text(rules.venue.name()),
                        Cell::text(&rules.symbol),
                        Cell::text(word),
                        (i as u64 + 1).into(),
                        Cell::Decimal(rules.price_text(level.price)),
                        Cell::Decimal(rules.qty_text(level.qty)),
                    ];
                    self.table.row(Whose::Instrument(id), self.at, row)?;
                }
            }
        }
        Ok(notes)
    }
}

//! Rows of how much of each limit was used, as whoever runs the recording again measured it.

use std::io::Write;

use super::table::{Cell, Whose};
use super::{ExportError, Exporter};
use crate::engine::LimitUse;
use crate::market::Instrument;
use crate::units::LocalTime;

/// One limit at one moment, and how far it went since its last row.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitRow {
    /// Of the last input this is the state after.
    pub seq: u64,
    /// When that was heard.
    pub at: LocalTime,
    /// `start`, `sample`, `changed` (other limits came into force with this input) or `lifted` (this one no longer is).
    pub event: &'static str,
    /// Whose, which, how much, at most.
    pub used: LimitUse,
    /// The most since its last row; `None` where nothing could be said.
    pub peak: Option<Peak>,
}

/// The most that was used of a limit, and the first input after which it was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// The input.
    pub seq: u64,
    /// When it was heard.
    pub at: LocalTime,
    /// How much.
    pub value: i128,
}

impl<W: Write + Send> Exporter<W> {
    /// Writes a row of [`Kind::Limits`](super::Kind::Limits). `rules` are the instrument's at that moment, of an
    /// instrument's limit.
    pub fn limit(&mut self, row: &LimitRow, rules: Option<&Instrument>) -> Result<(), ExportError> {
        let used = &row.used;
        let (whose, scope, venue) = match used.whose {
            crate::risk::Whose::Instrument(id) => {
                (Whose::Instrument(id), "instrument", rules.map(|rules| rules.venue.name()))
            }
            crate::risk::Whose::Venue(venue) => (Whose::Venue(venue), "venue", Some(venue.name())),
            crate::risk::Whose::Book => (Whose::Nobody, "book", None),
        };
        let amount = |value: i128| Cell::Decimal(used.in_file_units(value, rules));
        let share = |value: i128| Cell::number(LimitUse { value: Some(value), ..*used }.share());
        let known = |value: Option<i128>, cell: &dyn Fn(i128) -> Cell| value.map_or(Cell::Nothing, cell);
        let peak = row.peak.map(|peak| peak.value);
        let cells = [
            row.seq.into(),
            row.at.0.into(),
            Cell::text(row.event),
            Cell::text(scope),
            venue.map_or(Cell::Nothing, Cell::text),
            rules.map_or(Cell::Nothing, |rules| Cell::text(&rules.symbol)),
            Cell::text(used.key(rules)),
            Cell::text(used.limit.rule().code),
            known(used.value, &amount),
            amount(used.max),
            Cell::text(used.unit(rules)),
            known(used.value, &share),
            known(peak, &amount),
            known(peak, &share),
            row.peak.map_or(Cell::Nothing, |peak| peak.seq.into()),
            row.peak.map_or(Cell::Nothing, |peak| peak.at.0.into()),
        ];
        Ok(self.table.row(whose, row.at, cells)?)
    }
}

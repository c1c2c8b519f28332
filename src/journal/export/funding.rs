//! What contracts were marked at, and what holding them cost.

use std::io::Write;

use super::table::{Cell, Whose};
use super::{ExportError, Exporter};
use crate::engine::{FundingPayment, Input, Output, Stamped};
use crate::market::{Instrument, InstrumentId, Mark, MarketEvent, MarketEventKind};

/// The cells that differ between a mark and a payment: from `event` on, without the settlement asset.
struct Row {
    event: &'static str,
    mark: Cell,
    index: Cell,
    rate: Cell,
    due_ns: Cell,
    position: Cell,
    amount: Cell,
    unknown: Cell,
}

impl<W: Write + Send> Exporter<W> {
    pub(super) fn funding(&mut self, input: &Stamped, outputs: &[Output]) -> Result<(), ExportError> {
        if let Input::Market(MarketEvent { instrument, kind: MarketEventKind::Mark(mark), .. }) = &input.input {
            self.funding_row(input, *instrument, told(mark))?;
        }
        for output in outputs {
            match output {
                Output::Funding(payment) => {
                    let row = paid(payment, self.rules(payment.instrument));
                    self.funding_row(input, payment.instrument, row)?;
                }
                Output::FundingUnknown { instrument, position, payments } => {
                    let position = Cell::Decimal(self.rules(*instrument).qty_text(*position));
                    let row = Row { position, unknown: (*payments).into(), ..Row::of("unknown") };
                    self.funding_row(input, *instrument, row)?;
                }
                Output::Book { .. }
                | Output::Decided { .. }
                | Output::Sent(_)
                | Output::Refused { .. }
                | Output::Heard(_)
                | Output::Risk { .. }
                | Output::Commanded { .. }
                | Output::Equity(_)
                | Output::Drift { .. } => {}
            }
        }
        Ok(())
    }

    fn funding_row(&mut self, input: &Stamped, id: InstrumentId, row: Row) -> Result<(), ExportError> {
        let rules = self.rules(id);
        let venue_time = match &input.input {
            Input::Market(event) => event.venue_time,
            Input::Feed(_) | Input::Report(_) | Input::Tick | Input::Command { .. } => None,
        };
        let settle = if row.amount == Cell::Nothing { Cell::Nothing } else { Cell::text(rules.settle()) };
        let cells = [
            input.seq.into(),
            input.at.0.into(),
            venue_time.map_or(Cell::Nothing, |time| time.0.into()),
            Cell::text(rules.venue.name()),
            Cell::text(&rules.symbol),
            Cell::text(row.event),
            row.mark,
            row.index,
            row.rate,
            row.due_ns,
            row.position,
            row.amount,
            settle,
            row.unknown,
        ];
        Ok(self.table.row(Whose::Instrument(id), input.at, cells)?)
    }
}

impl Row {
    fn of(event: &'static str) -> Self {
        let [mark, index, rate, due_ns, position, amount, unknown] = std::array::from_fn(|_| Cell::Nothing);
        Self { event, mark, index, rate, due_ns, position, amount, unknown }
    }
}

/// What the venue said; what its message left out is empty.
fn told(mark: &Mark) -> Row {
    Row {
        mark: mark.mark.map_or(Cell::Nothing, Cell::decimal),
        index: mark.index.map_or(Cell::Nothing, Cell::decimal),
        rate: mark.funding.map_or(Cell::Nothing, |funding| Cell::decimal(funding.rate)),
        due_ns: mark.funding.and_then(|funding| funding.due).map_or(Cell::Nothing, |due| due.0.into()),
        ..Row::of("mark")
    }
}

/// What was paid; `mark` is the price the position was valued at.
fn paid(payment: &FundingPayment, rules: &Instrument) -> Row {
    Row {
        mark: Cell::decimal(payment.price),
        rate: Cell::decimal(payment.rate),
        due_ns: payment.due.map_or(Cell::Nothing, |due| due.0.into()),
        position: Cell::Decimal(rules.qty_text(payment.position)),
        amount: Cell::decimal(payment.amount),
        ..Row::of(if payment.due.is_some() { "paid" } else { "accrued" })
    }
}

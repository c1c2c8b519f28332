//! The venue elsewhere: a market of its own that answers our orders itself.
//!
//! Nothing is modelled here. What goes out is in the session's outputs, whoever drives the session carries it there, and
//! the answers come back as inputs: so they are recorded, and a replay needs the recording only. What is ours is the fee.
//!
//! Delays are the other side's: a report is heard when it comes in.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::fee::{Meter, Rates, Schedule};
use super::{Venue, Visible};
use crate::market::{Instrument, MarketEvent};
use crate::order::{OrderId, Report, ReportKind, Request};
use crate::risk::Approved;
use crate::units::{LocalTime, Lots};

/// Our end of the line, for one instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Linked {
    fees: Meter,
    heard: VecDeque<Report>,
    /// Lots ahead of resting orders when they joined, as far as the venue told.
    ahead: Vec<(OrderId, Lots)>,
}

impl Linked {
    /// Before the first order.
    pub fn new(fees: Schedule) -> Self {
        Self { fees: Meter::new(fees), heard: VecDeque::new(), ahead: Vec::new() }
    }

    /// The venue's word has come in. What a fill costs is reckoned here, whatever the report says of it.
    pub fn tell(&mut self, mut report: Report, rules: &Instrument) {
        match &mut report.kind {
            ReportKind::Filled(fill) => {
                fill.fee = self.fees.charge(rules, fill.price, fill.qty, fill.liquidity);
                if fill.remaining == Lots::ZERO {
                    self.forget(report.id);
                }
            }
            ReportKind::Accepted { queue_ahead } => self.ahead.push((report.id, *queue_ahead)),
            ReportKind::Replaced { old, queue_ahead, .. } => {
                let (old, queue_ahead) = (*old, *queue_ahead);
                self.forget(old);
                self.ahead.push((report.id, queue_ahead));
            }
            ReportKind::Rejected(_) | ReportKind::Cancelled { .. } => self.forget(report.id),
            ReportKind::CancelRejected(_) | ReportKind::Amended { .. } => {}
        }
        self.heard.push_back(report);
    }

    /// Whether a report waits to be heard.
    pub fn has_news(&self) -> bool {
        !self.heard.is_empty()
    }

    /// Lots of others ahead of an order when it joined; `None` if it does not rest. How far it has moved since only the
    /// venue knows.
    pub fn queue_ahead(&self, id: OrderId) -> Option<Lots> {
        self.ahead.iter().find(|(order, _)| *order == id).map(|&(_, ahead)| ahead)
    }

    /// What the next fill costs.
    pub fn rates(&self) -> Rates {
        self.fees.rates()
    }

    /// Every report there is.
    pub fn hear_at_once(&mut self, heard: &mut Vec<Report>) {
        heard.extend(self.heard.drain(..));
    }

    fn forget(&mut self, id: OrderId) {
        self.ahead.retain(|(order, _)| *order != id);
    }
}

impl Venue for Linked {
    /// Whoever drives the session reads it from the outputs.
    fn submit(&mut self, _request: Approved<Request>, _at: LocalTime) {}

    fn observe(&mut self, _event: &MarketEvent, _market: &Visible<'_>, _at: LocalTime) {}

    fn advance(&mut self, _to: LocalTime, _market: &Visible<'_>, heard: &mut Vec<Report>) {
        self.hear_at_once(heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{InstrumentId, VenueId};
    use crate::order::{Fill, FillWhy, Liquidity};
    use crate::units::{Money, Rate, Side, Step, Ticks};

    #[test]
    fn the_fee_of_a_fill_is_ours_to_reckon_and_what_is_over_is_forgotten() {
        let one = Step::parse("1").unwrap();
        let rules = Instrument::new(VenueId::BinanceSpot, "XY", "X", "Y", one, one).unwrap();
        let mut venue = Linked::new(Schedule::flat(Rate(10_000), Rate(20_000)));
        let report = |kind| Report { id: OrderId(7), instrument: InstrumentId(0), happened: LocalTime(0), kind };
        venue.tell(report(ReportKind::Accepted { queue_ahead: Lots(3) }), &rules);
        assert_eq!(venue.queue_ahead(OrderId(7)), Some(Lots(3)));
        let fill = Fill {
            side: Side::Bid,
            price: Ticks(100),
            qty: Lots(10),
            remaining: Lots::ZERO,
            fee: Money::ZERO,
            liquidity: Liquidity::Maker,
            why: FillWhy::QueueFront,
            queue_ahead: Lots::ZERO,
        };
        venue.tell(report(ReportKind::Filled(fill)), &rules);
        let mut heard = Vec::new();
        venue.hear_at_once(&mut heard);
        // 10 bps of 100 · 10.
        let ReportKind::Filled(fill) = &heard[1].kind else { panic!("a fill: {heard:?}") };
        assert_eq!(
            (fill.fee.to_string().as_str(), venue.queue_ahead(OrderId(7)), venue.has_news()),
            ("1", None, false)
        );
    }
}

//! The worst taste a market can have: it trades with us only to make our position larger.

use super::super::queue::QueueModel;
use super::Paper;
use super::resting::make;
use crate::market::Instrument;
use crate::order::{FillWhy, ReportKind};
use crate::units::{LocalTime, Lots, Side, Ticks};

impl Paper {
    /// Whether this market is so.
    pub(super) fn is_against_us(&self) -> bool {
        self.queue == QueueModel::WrongSide
    }

    /// What we hold at the venue: what our side knows of, and the fills it has not heard of yet.
    fn held_here(&self) -> Lots {
        let unheard = self.said.reports.iter().filter_map(|word| match &word.report.kind {
            ReportKind::Filled(fill) => Some(Lots(fill.qty.0 * fill.side.sign())),
            ReportKind::Accepted { .. }
            | ReportKind::Rejected(_)
            | ReportKind::Cancelled { .. }
            | ReportKind::CancelRejected(_)
            | ReportKind::Replaced { .. }
            | ReportKind::Amended { .. } => None,
        });
        self.held + unheard.sum()
    }

    /// The market came to `price` on our `side`: everything of ours there trades in full, unless it would make the
    /// position smaller.
    pub(super) fn met(&mut self, side: Side, price: Ticks, why: FillWhy, rules: &Instrument, happened: LocalTime) {
        if self.held_here().0 * side.sign() < 0 {
            return;
        }
        let Self { own, said, fees, .. } = self;
        for order in own.side_mut(side).iter_mut().take_while(|order| !side.is_better(price, order.price)) {
            let (all, ahead) = (order.remaining, order.ahead());
            make(order, all, why, ahead, rules, fees, said, happened);
        }
        own.drop_filled(side);
    }
}

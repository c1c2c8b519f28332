//! Our trades as marks on a chart, each with what there is to say of it.

use crate::metrics::desk::Desk;
use crate::metrics::summary::seconds;
use crate::order::{FillWhy, Liquidity, OrderId, Report, ReportKind};
use crate::units::{LocalTime, Side};

/// Most marks kept; beyond, every second one goes, and the rest say so.
pub const FILLS_MAX: usize = 8_192;

/// One trade of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct FillMark {
    /// When it happened at the venue, on our clock.
    pub happened: LocalTime,
    /// When we heard.
    pub heard: LocalTime,
    /// The order.
    pub order: OrderId,
    /// Whether we bought or sold.
    pub side: Side,
    /// Quote currency.
    pub price: f64,
    /// In the asset.
    pub qty: f64,
    /// Paid, settlement currency.
    pub fee: f64,
    /// Whether we made or took.
    pub liquidity: Liquidity,
    /// Why the model believes in it.
    pub why: FillWhy,
    /// What the model still believed ahead of us, in the asset.
    pub ahead: f64,
    /// Middle of the market as we knew it when we heard; `None` before the first.
    pub mid: Option<f64>,
    /// How long the order had rested, seconds; `None` if it never did.
    pub rested_s: Option<f64>,
}

/// Marks, evenly thinned when there are too many.
#[derive(Clone, Debug)]
pub struct Fills {
    /// Every [`Fills::every`]th, the first among them.
    pub kept: Vec<FillMark>,
    /// How many fills there were.
    pub total: u64,
    /// One in so many is kept: 1 is all.
    pub every: u64,
}

impl Default for Fills {
    fn default() -> Self {
        Self { kept: Vec::new(), total: 0, every: 1 }
    }
}

impl Fills {
    /// The venue's word, heard while the desk was as it is.
    pub(super) fn hear(&mut self, desk: &Desk, report: &Report, now: LocalTime, rested: Option<LocalTime>) {
        let ReportKind::Filled(fill) = &report.kind else { return };
        let rules = &desk.sight.rules;
        let number = |text: String| text.parse().expect("our decimals are numbers");
        self.take(|| FillMark {
            happened: report.happened,
            heard: now,
            order: report.id,
            side: fill.side,
            price: number(rules.price_text(fill.price)),
            qty: number(rules.qty_text(fill.qty)),
            fee: fill.fee.to_f64(),
            liquidity: fill.liquidity,
            why: fill.why,
            ahead: number(rules.qty_text(fill.queue_ahead)),
            mid: desk.marked().map(|twice_mid| 0.5 * twice_mid as f64 * rules.tick.to_f64()),
            rested_s: rested.map(|since| seconds(report.happened.since(since))),
        });
    }

    fn take(&mut self, mark: impl FnOnce() -> FillMark) {
        if self.total.is_multiple_of(self.every) {
            if self.kept.len() == FILLS_MAX {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every *= 2;
            }
            // FILLS_MAX is even, so the one that made them too many is itself one of those that stay.
            self.kept.push(mark());
        }
        self.total += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(order: u64) -> FillMark {
        FillMark {
            happened: LocalTime(0),
            heard: LocalTime(0),
            order: OrderId(order),
            side: Side::Bid,
            price: 1.0,
            qty: 1.0,
            fee: 0.0,
            liquidity: Liquidity::Maker,
            why: FillWhy::QueueFront,
            ahead: 0.0,
            mid: None,
            rested_s: None,
        }
    }

    #[test]
    fn marks_are_thinned_evenly_and_the_thinning_is_told() {
        let mut fills = Fills::default();
        (0..FILLS_MAX as u64).for_each(|order| fills.take(|| mark(order)));
        assert_eq!((fills.kept.len() as u64, fills.total, fills.every), (fills.total, FILLS_MAX as u64, 1));
        (FILLS_MAX as u64..50_000).for_each(|order| fills.take(|| mark(order)));
        // 50 000 in at most 8 192: every 8th.
        assert_eq!((fills.total, fills.every), (50_000, 8));
        let kept: Vec<u64> = fills.kept.iter().map(|mark| mark.order.0).collect();
        assert_eq!(kept, (0..50_000).step_by(8).collect::<Vec<u64>>());
    }
}

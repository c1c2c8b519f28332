//! How long answers took, and where in line we stood.

use std::collections::BTreeMap;

use crate::market::Instrument;
use crate::metrics::sketch::Sketch;
use crate::metrics::summary::seconds;
use crate::order::{Liquidity, OrderId, Report, ReportKind, Request};
use crate::units::{LocalTime, Lots};

/// Distributions over requests and fills of one instrument.
///
/// An answer's time runs from the input that made us ask to the input with which we heard, so it includes waiting for that
/// input: what a strategy lives with.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Seconds from sending an order to hearing that it rests, was taken in or refused.
    pub place_s: Sketch,
    /// Seconds from asking to end an order to hearing that it ended, or that it was too late.
    pub cancel_s: Sketch,
    /// Seconds from asking to replace an order to hearing of it, or that it was too late.
    pub replace_s: Sketch,
    /// Displayed at our price when we joined, in the asset.
    pub ahead_at_join: Sketch,
    /// Believed ahead of us just before a maker fill, in the asset.
    pub ahead_at_fill: Sketch,
    /// Our order's share of its level when it joined, ours counted in.
    pub share_at_join: Sketch,
    placing: BTreeMap<OrderId, Asked>,
    cancelling: BTreeMap<OrderId, LocalTime>,
    /// By the new order.
    replacing: BTreeMap<OrderId, Asked>,
    resting: BTreeMap<OrderId, LocalTime>,
}

/// An order that the venue has not spoken of.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: LocalTime,
    qty: Lots,
    may_rest: bool,
}

impl Waits {
    /// A request went out.
    pub(super) fn send(&mut self, request: &Request, now: LocalTime) {
        match *request {
            Request::Place { id, qty, kind, .. } => {
                self.placing.insert(id, Asked { at: now, qty, may_rest: kind.may_rest() });
            }
            Request::Cancel { id, .. } => {
                self.cancelling.entry(id).or_insert(now);
            }
            Request::Replace { new, qty, .. } => {
                self.replacing.insert(new, Asked { at: now, qty, may_rest: true });
            }
        }
    }

    /// The venue's word; since when the order has rested, if it does.
    pub(super) fn hear(&mut self, rules: &Instrument, report: &Report, now: LocalTime) -> Option<LocalTime> {
        let id = report.id;
        match &report.kind {
            ReportKind::Accepted { queue_ahead } => {
                if let Some(asked) = self.placing.remove(&id) {
                    self.place_s.add(seconds(now.since(asked.at)), 1);
                    self.join(rules, asked, *queue_ahead);
                }
                self.resting.insert(id, report.happened);
            }
            ReportKind::Replaced { old, queue_ahead, .. } => {
                if let Some(asked) = self.replacing.remove(&id) {
                    self.replace_s.add(seconds(now.since(asked.at)), 1);
                    self.join(rules, asked, *queue_ahead);
                }
                self.resting.remove(old);
                self.resting.insert(id, report.happened);
            }
            // A replacement that fails is told of twice: the old one could not be ended, the new one never lived.
            ReportKind::Rejected(_) => {
                if let Some(asked) = self.placing.remove(&id) {
                    self.place_s.add(seconds(now.since(asked.at)), 1);
                } else if let Some(asked) = self.replacing.remove(&id) {
                    self.replace_s.add(seconds(now.since(asked.at)), 1);
                }
            }
            ReportKind::Cancelled { .. } => {
                self.answer_cancel(id, now);
                self.resting.remove(&id);
            }
            ReportKind::CancelRejected(_) => self.answer_cancel(id, now),
            ReportKind::Filled(fill) => {
                let since = self.resting.get(&id).copied();
                if fill.liquidity == Liquidity::Maker {
                    self.ahead_at_fill.add(quantity(rules, fill.queue_ahead), 1);
                }
                if fill.remaining == Lots::ZERO {
                    self.resting.remove(&id);
                }
                return since;
            }
            ReportKind::Amended { remaining, .. } => {
                if *remaining == Lots::ZERO {
                    self.resting.remove(&id);
                }
            }
        }
        None
    }

    fn join(&mut self, rules: &Instrument, asked: Asked, ahead: Lots) {
        if asked.may_rest {
            self.ahead_at_join.add(quantity(rules, ahead), 1);
            self.share_at_join.add(asked.qty.0 as f64 / (asked.qty.0 + ahead.0).max(1) as f64, 1);
        }
    }

    fn answer_cancel(&mut self, id: OrderId, now: LocalTime) {
        if let Some(asked) = self.cancelling.remove(&id) {
            self.cancel_s.add(seconds(now.since(asked)), 1);
        }
    }
}

fn quantity(rules: &Instrument, lots: Lots) -> f64 {
    lots.0 as f64 * rules.lot.to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{InstrumentId, VenueId};
    use crate::order::{Fill, FillWhy, OrderKind, RejectReason};
    use crate::units::{Money, Side, Step, Ticks};

    fn rules() -> Instrument {
        let step = |text| Step::parse(text).expect("a step");
        Instrument::new(VenueId::BinanceSpot, "DEMO", "BTC", "USDT", step("0.01"), step("0.1")).expect("rules")
    }

    #[test]
    fn answers_are_timed_from_our_asking_to_our_hearing() {
        let (mut waits, rules) = (Waits::default(), rules());
        let (instrument, ms) = (InstrumentId(0), |ms: i64| LocalTime(ms * 1_000_000));
        let place = |id| Request::Place {
            id: OrderId(id),
            instrument,
            side: Side::Bid,
            price: Ticks(100),
            qty: Lots(10),
            kind: OrderKind::PostOnly,
        };
        let replace = |old, new| Request::Replace {
            old: OrderId(old),
            new: OrderId(new),
            instrument,
            price: Ticks(99),
            qty: Lots(10),
        };
        let say = |waits: &mut Waits, id, happened, heard, kind| {
            waits.hear(&rules, &Report { id: OrderId(id), instrument, happened: ms(happened), kind }, ms(heard))
        };
        // Order 1 joins behind 30 lots of 0.1: a quarter of its level is ours. Heard 50 ms after we sent it.
        waits.send(&place(1), ms(0));
        assert_eq!(say(&mut waits, 1, 20, 50, ReportKind::Accepted { queue_ahead: Lots(30) }), None);
        // Half of it trades at 120 ms: rested since 20 ms, 2 lots believed ahead.
        let fill = Fill {
            side: Side::Bid,
            price: Ticks(100),
            qty: Lots(5),
            remaining: Lots(5),
            fee: Money::ZERO,
            liquidity: Liquidity::Maker,
            why: FillWhy::TradedThrough,
            queue_ahead: Lots(2),
        };
        assert_eq!(say(&mut waits, 1, 120, 150, ReportKind::Filled(fill.clone())), Some(ms(20)));
        // Replaced by 2 at the back of an empty level, heard after 40 ms; 3 cannot replace it, heard after 60.
        waits.send(&replace(1, 2), ms(200));
        let replaced = ReportKind::Replaced { old: OrderId(1), remaining: Lots(5), queue_ahead: Lots(0) };
        assert_eq!(say(&mut waits, 2, 220, 240, replaced), None);
        waits.send(&replace(9, 3), ms(300));
        let late = RejectReason::UnknownOrder;
        assert_eq!(say(&mut waits, 9, 330, 360, ReportKind::CancelRejected(late)), None);
        assert_eq!(say(&mut waits, 3, 330, 360, ReportKind::Rejected(late)), None);
        // Asked twice to end 2; the first asking counts, and the fill that won the race is of an order still known.
        waits.send(&Request::Cancel { id: OrderId(2), instrument }, ms(400));
        waits.send(&Request::Cancel { id: OrderId(2), instrument }, ms(410));
        assert_eq!(
            say(&mut waits, 2, 405, 420, ReportKind::Filled(Fill { remaining: Lots(0), ..fill })),
            Some(ms(220))
        );
        assert_eq!(say(&mut waits, 2, 430, 470, ReportKind::CancelRejected(late)), None);
        let mean = |sketch: &Sketch| sketch.mean().map(|mean| (mean * 1e6).round() / 1e6);
        assert_eq!([&waits.place_s, &waits.cancel_s, &waits.replace_s].map(mean), [Some(0.05), Some(0.07), Some(0.05)]);
        // Joined behind 3.0 and 0.0; filled behind 0.2 twice; shares 10/40 and 10/10.
        assert_eq!(mean(&waits.ahead_at_join), Some(1.5));
        assert_eq!(mean(&waits.ahead_at_fill), Some(0.2));
        assert_eq!((mean(&waits.share_at_join), waits.share_at_join.max_abs()), (Some(0.625), 1.0));
        assert!(waits.placing.is_empty() && waits.cancelling.is_empty() && waits.replacing.is_empty());
        assert!(waits.resting.is_empty());
    }
}

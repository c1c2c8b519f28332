//! The past, for charts: what a page that is opened now has not seen.
//!
//! Kept by the page's server from the pictures that go by, so that the session's thread has nothing of it. Two views of
//! each instrument: the last minutes finely, and the whole session as finely as there is room; when that is full, every
//! second point goes and the distance doubles, so it is thinned and never cut. Memory does not grow with the session.

use std::collections::VecDeque;

use serde::Serialize;

use super::news::{EventStatus, FillStatus};
use super::status::{InstrumentStatus, StatusSnapshot};

/// Between two fine points.
const FINE_NS: i64 = 500_000_000;
/// Ten minutes of them.
const FINE: usize = 1_200;
/// Most coarse points; even.
const COARSE: usize = 2_400;
/// Most events kept.
const EVENTS: usize = 500;
/// Most fills kept.
const FILLS: usize = 2_000;

/// Names of the values of a `Point`, in their order.
pub const COLUMNS: [&str; 10] = [
    "at_ns",
    "seq",
    "mid",
    "reservation",
    "bid",
    "ask",
    "position",
    "equity",
    "equity_pessimistic",
    "equity_optimistic",
];

/// One moment of one instrument: when, at which input, then as [`COLUMNS`] says; for charts, so floats will do.
type Point = (i64, u64, [Option<f64>; COLUMNS.len() - 2]);

/// What `GET /api/history` answers.
#[derive(Debug, Serialize)]
pub struct Past<'a> {
    paper: bool,
    session: &'a str,
    /// Of the last picture.
    seq: u64,
    columns: [&'static str; COLUMNS.len()],
    instruments: Vec<PastOf<'a>>,
    events: Vec<&'a EventStatus>,
    fills: Vec<&'a FillStatus>,
}

#[derive(Debug, Serialize)]
struct PastOf<'a> {
    label: &'a str,
    points: Vec<&'a Point>,
}

#[derive(Debug, Default)]
struct Trace {
    fine: VecDeque<Point>,
    coarse: Vec<Point>,
    coarse_ns: i64,
}

/// The past of one session.
#[derive(Debug, Default)]
pub struct History {
    session: String,
    seq: u64,
    labels: Vec<String>,
    traces: Vec<Trace>,
    events: VecDeque<EventStatus>,
    fills: VecDeque<FillStatus>,
}

impl History {
    /// Takes in a picture, later than those before.
    pub fn see(&mut self, picture: &StatusSnapshot) {
        // Before the first input there is no time to draw it at.
        if picture.at_ns == 0 {
            return;
        }
        if self.labels.len() != picture.instruments.len() {
            self.labels = picture.instruments.iter().map(|it| it.label.clone()).collect();
            self.traces.resize_with(self.labels.len(), Trace::default);
        }
        self.session.clone_from(&picture.session);
        self.seq = picture.seq;
        let bound = |name: &str, index: usize| -> Option<f64> {
            let bound = picture.bracket.iter().find(|bound| bound.bound == name)?;
            bound.instruments.get(index)?.equity.parse().ok()
        };
        for (index, (trace, it)) in self.traces.iter_mut().zip(&picture.instruments).enumerate() {
            let bounds = [bound("pessimistic", index), bound("optimistic", index)];
            trace.add((picture.at_ns, picture.seq, values(it, bounds)));
        }
        let known = self.events.back().map_or(0, |event| event.n);
        extend(&mut self.events, picture.events.iter().filter(|event| event.n > known), EVENTS);
        let known = self.fills.back().map_or(0, |fill| fill.n);
        extend(&mut self.fills, picture.last_fills.iter().filter(|fill| fill.n > known), FILLS);
    }

    /// What came after input `since`; 0 is everything there is.
    pub fn past(&self, since: u64) -> Past<'_> {
        let traces = self.labels.iter().zip(&self.traces);
        Past {
            paper: true,
            session: &self.session,
            seq: self.seq,
            columns: COLUMNS,
            instruments: traces.map(|(label, trace)| PastOf { label, points: trace.since(since) }).collect(),
            events: self.events.iter().filter(|event| event.seq > since).collect(),
            fills: self.fills.iter().filter(|fill| fill.seq > since).collect(),
        }
    }
}

impl Trace {
    fn add(&mut self, point: Point) {
        if self.fine.back().is_none_or(|last| point.0 - last.0 >= FINE_NS) {
            if self.fine.len() == FINE {
                self.fine.pop_front();
            }
            self.fine.push_back(point);
        }
        self.coarse_ns = self.coarse_ns.max(FINE_NS);
        if self.coarse.last().is_none_or(|last| point.0 - last.0 >= self.coarse_ns) {
            if self.coarse.len() == COARSE {
                let mut index = 0;
                self.coarse.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                // Pictures may come further apart than asked for.
                let span = self.coarse.last().map_or(0, |last| last.0) - self.coarse.first().map_or(0, |first| first.0);
                self.coarse_ns = (2 * self.coarse_ns).max(span / (self.coarse.len() as i64 - 1));
            }
            self.coarse.push(point);
        }
    }

    /// Coarse points as far as there are no fine ones, then those.
    fn since(&self, seq: u64) -> Vec<&Point> {
        let fine_from = self.fine.front().map_or(i64::MAX, |point| point.0);
        let coarse = self.coarse.iter().filter(|point| point.0 < fine_from);
        coarse.chain(&self.fine).filter(|point| point.1 > seq || seq == 0).collect()
    }
}

fn values(it: &InstrumentStatus, [pessimistic, optimistic]: [Option<f64>; 2]) -> [Option<f64>; COLUMNS.len() - 2] {
    let number = |text: &str| text.parse::<f64>().ok();
    let tick = number(&it.tick);
    let ours = |side: &'static str| it.quotes.iter().filter(move |q| q.side == side).filter_map(|q| number(&q.price));
    [
        it.mid.as_deref().and_then(number),
        // A strategy that waits for its estimates has no price in mind.
        it.terms.filter(|terms| terms.reservation != 0.0).zip(tick).map(|(terms, tick)| terms.reservation * tick),
        ours("buy").reduce(f64::max),
        ours("sell").reduce(f64::min),
        number(&it.position),
        it.pnl.as_ref().and_then(|pnl| number(&pnl.equity)),
        pessimistic,
        optimistic,
    ]
}

fn extend<'a, T: Clone + 'a>(kept: &mut VecDeque<T>, new: impl Iterator<Item = &'a T>, most: usize) {
    kept.extend(new.cloned());
    while kept.len() > most {
        kept.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::testing::a_snapshot;
    use super::*;

    #[test]
    fn a_week_is_kept_whole_and_its_last_minutes_finely_in_the_same_room() {
        let (mut history, mut picture) = (History::default(), a_snapshot());
        // Seven days, a picture every ten seconds.
        let step = 10_000_000_000;
        for i in 0..7 * 8_640 {
            (picture.at_ns, picture.seq) = ((1 + i) * step, 1 + i as u64);
            history.see(&picture);
        }
        let points = history.traces[0].since(0);
        assert!(points.len() <= FINE + COARSE && points.len() > FINE, "{} points", points.len());
        assert_eq!((points[0].0, points[points.len() - 1].1), (step, picture.seq), "the first and the last are there");
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, none twice");
        let widest = points.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(0);
        assert!(widest <= 7 * 86_400_000_000_000 / (COARSE as i64 / 2), "a hole of {widest} ns");
    }

    #[test]
    fn a_page_that_was_away_gets_what_it_missed_and_nothing_twice() {
        let (mut history, mut picture) = (History::default(), a_snapshot());
        let fill = picture.last_fills[0].clone();
        for n in 1..=100 {
            // Each picture shows the last three fills, as they do.
            picture.last_fills = (n.max(3) - 2..=n).map(|n| FillStatus { n, seq: 10 * n, ..fill.clone() }).collect();
            (picture.seq, picture.at_ns) = (10 * n, n as i64 * FINE_NS);
            history.see(&picture);
        }
        let missed = history.past(950);
        assert_eq!(missed.fills.iter().map(|fill| fill.n).collect::<Vec<_>>(), [96, 97, 98, 99, 100]);
        assert_eq!(
            missed.instruments[0].points.iter().map(|point| point.1).collect::<Vec<_>>(),
            [960, 970, 980, 990, 1000]
        );
        assert_eq!(history.past(0).instruments[0].points.len(), 100);
        // In the picture the mid is 64012.505, 0.003 BTC are held, and equity is 0.625.
        let (.., values) = missed.instruments[0].points[0];
        assert_eq!((values[0], values[4], values[5]), (Some(64_012.505), Some(0.003), Some(0.625)));
    }
}

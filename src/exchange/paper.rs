//! The paper venue: our orders against a market that does not know of them.
//!
//! **What it believes.** The recorded market would have gone on as it did, so we may only have what it left for
//! us: lots that were printed and had nobody ahead of us, or lots that were displayed. Where the recording cannot
//! tell, the answer that costs us is taken.
//!
//! * A print strictly through our price fills us (`TradedThrough`); a print at our price moves the queue
//!   ([`queue`](super::queue)) and fills us with what it has left after it (`QueueFront`). All our orders together
//!   get at most what it printed, best price first, then first come. Always at our own price: there is no price
//!   improvement for a maker. Flagged prints (block, RPI, insurance, auction) did not meet the book and do nothing.
//! * The other side coming to rest at or through our price fills us even without a print (`Crossed`): at the real
//!   venue it could not rest there before it had traded with us. It gives no more than it displays.
//! * What we take, crossing or crossed, stays eaten until the level itself shrinks (`eaten`).
//! * A print the venue stamped earlier than the depth we already have is in that depth: it moves no queue again,
//!   and does not meet an order that joined after that depth.
//!   Best-bid-and-offer news crosses us but moves no queue: it often overtakes the very print that explains it.
//! * Under `fifo` a recording that tells order by order moves the queue exactly ([`line`](super::line)): prints and the
//!   news of the orders they filled, each lot once. What our own order took, the recording says somebody else had; a later
//!   order of ours at that price does not wait for him.
//! * After a gap the queue is what it was, or the level if that is smaller. New ticks or lots end every order.
//!
//! **The clock** (see [`exchange`](super)). A request sent at `t` arrives at `a = t + entry`, after every request
//! sent before it, and is carried out when our news has caught up with the venue, `a + feed`. News from the very
//! moment of an arrival is met by a new order, but comes before a cancellation or replacement: a fill at that
//! moment wins the race. A report says `happened` = that venue moment, and is heard `response` later, though never
//! before the news it came from.
//!
//! Reading order: [`Paper::new`] and its `Venue`; `arrival` is what requests do, `selves` what happens when they meet
//! our own, `resting` what news does to resting orders; `own` and `eaten` are the memory,
//! `footprint` the caveat.

mod arrival;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod differently;
mod eaten;
#[cfg(test)]
mod fifo;
mod footprint;
mod own;
mod resting;
mod selves;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tests;
mod wrong;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::fee::{Meter, Rates};
use super::habit::Habits;
use super::latency::Ways;
use super::line::Line;
use super::queue::QueueModel;
use super::{PaperSpec, Venue, Visible};
use crate::market::{InstrumentId, Level, MarketEvent, MarketEventKind, Status};
use crate::order::{OrderId, Report, ReportKind, Request};
use crate::risk::Approved;
use crate::rng::Stream;
use crate::units::{LocalTime, Lots, Nanos, VenueTime};
use eaten::Eaten;
use footprint::Footprint;
use own::Own;

/// The paper exchange for one instrument. Its whole state serialises; a copy has the same future.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paper {
    queue: QueueModel,
    habits: Habits,
    fees: Meter,
    /// On their way to the venue, in order of arrival.
    inbound: VecDeque<Travelling>,
    own: Own,
    eaten: Eaten,
    said: Said,
    footprint: Footprint,
    /// When our newest orders came, as many as the venue takes in a window of time.
    came: VecDeque<LocalTime>,
    /// Orders of others, where a recording tells them and the queue model asks for them.
    line: Line,
    /// The last print did not meet the book, and what it filled is still being told.
    is_apart: bool,
    /// Newest update id seen in best-bid-and-offer news since the last snapshot.
    bbo_seq: u64,
    /// The venue's stamp on the newest depth.
    depth_time: Option<VenueTime>,
    #[serde(skip)]
    near: Near,
    /// What its owner knows to hold, for the queue model that asks; told anew with everything that is heard.
    #[serde(skip)]
    held: Lots,
}

/// Levels of a message that may concern us, bids and asks: memory that is used again, never part of the state.
#[derive(Clone, Debug, Default)]
struct Near([Vec<Level>; 2]);

/// A request on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Travelling {
    arrives: LocalTime,
    /// The venue changed tick or lot while it travelled: its numbers mean something else now.
    in_old_steps: bool,
    request: Request,
}

/// What the venue said and we have not heard yet, in the order it happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    instrument: InstrumentId,
    ways: Ways,
    reports: VecDeque<Word>,
}

/// One report on its way to us.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Word {
    heard: LocalTime,
    report: Report,
}

impl Said {
    fn say(&mut self, happened: LocalTime, id: OrderId, kind: ReportKind) {
        let heard = self.ways.hearing(happened);
        self.reports.push_back(Word { heard, report: Report { id, instrument: self.instrument, happened, kind } });
    }

    fn feed(&self) -> Nanos {
        self.ways.spec().feed()
    }
}

impl Paper {
    /// An exchange without orders. Delays are drawn from branches of `stream`.
    pub fn new(instrument: InstrumentId, spec: PaperSpec, stream: Stream) -> Self {
        let PaperSpec { latency, queue, fees, habits } = spec;
        Self {
            queue,
            habits,
            fees: Meter::new(fees),
            inbound: VecDeque::new(),
            own: Own::default(),
            eaten: Eaten::default(),
            said: Said { instrument, ways: Ways::new(latency, &stream), reports: VecDeque::new() },
            footprint: Footprint::default(),
            came: VecDeque::new(),
            line: Line::default(),
            is_apart: false,
            bbo_seq: 0,
            depth_time: None,
            near: Near::default(),
            held: Lots::ZERO,
        }
    }

    /// When [`Venue::advance`] has something to do next, if nothing else happens: a request to carry out or a
    /// report to hear.
    pub fn next_due(&self) -> Option<LocalTime> {
        let arrival = self.inbound.front().map(|travelling| travelling.arrives + self.said.feed());
        let word = self.said.reports.front().map(|word| word.heard);
        match (arrival, word) {
            (Some(arrival), Some(word)) => Some(arrival.min(word)),
            (arrival, word) => arrival.or(word),
        }
    }

    /// Lots of others the model believes ahead of a resting order now; `None` if it does not rest. This is the
    /// venue's present, which reports tell us `response` later.
    pub fn queue_ahead(&self, id: OrderId) -> Option<Lots> {
        self.own.get(id).map(own::Resting::ahead)
    }

    /// Its owner knows to hold so much.
    pub fn holds(&mut self, position: Lots) {
        self.held = position;
    }

    /// Every report there is, heard before its time: they are in ticks and lots that are about to change.
    pub fn hear_at_once(&mut self, heard: &mut Vec<Report>) {
        heard.extend(self.said.reports.drain(..).map(|word| word.report));
    }

    /// The largest part of a level that was ever ours, basis points of what was displayed there and we together: as an
    /// order joined it (of the best level of its side, if it stood alone), or as one took from it.
    pub fn level_share_max_bps(&self) -> u32 {
        self.footprint.share_max_bps()
    }

    /// What the next fill costs, by what was traded before.
    pub fn rates(&self) -> Rates {
        self.fees.rates()
    }

    /// Newest update id known of any channel.
    fn newest(&self, market: &Visible<'_>) -> u64 {
        market.book.seq().max(self.bbo_seq)
    }
}

impl Venue for Paper {
    fn submit(&mut self, request: Approved<Request>, at: LocalTime) {
        let request = request.into_inner();
        let arrives = self.said.ways.arrival(&request, at);
        self.inbound.push_back(Travelling { arrives, in_old_steps: false, request });
    }

    fn observe(&mut self, event: &MarketEvent, market: &Visible<'_>, at: LocalTime) {
        self.said.ways.saw(event.venue_time, at);
        let happened = at - self.said.feed();
        while let Some(first) = self.inbound.front() {
            let is_first = match first.request {
                Request::Place { .. } => first.arrives <= happened,
                // A fill at the very moment of arrival wins the race.
                Request::Cancel { .. } | Request::Replace { .. } => first.arrives < happened,
            };
            if !is_first {
                break;
            }
            self.carry_out_first(market);
        }
        match &event.kind {
            MarketEventKind::Trade { taker, price, qty, flags, .. } => {
                self.is_apart = !flags.took_from_the_book();
                if flags.took_from_the_book() && !self.own.side(taker.opposite()).is_empty() {
                    self.printed(*taker, *price, *qty, event.venue_time, market, happened);
                }
            }
            MarketEventKind::Delta { seq, bids, asks } => {
                self.is_apart = false;
                self.depth_time = event.venue_time.or(self.depth_time);
                if market.trusted {
                    self.changed(*seq, bids, asks, market, happened);
                }
            }
            MarketEventKind::Bbo { seq, bid, ask } => {
                if market.trusted && (*seq == 0 || *seq >= market.book.seq()) {
                    self.bbo_seq = self.bbo_seq.max(*seq);
                    self.best_changed(*seq, *bid, *ask, market, happened);
                }
            }
            MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                self.depth_time = event.venue_time;
                self.bbo_seq = 0;
                self.seen_anew(*seq, bids, asks, *extent, market, happened);
            }
            // Our orders rest on; the snapshot to come says where.
            MarketEventKind::Gap { .. } => self.forget_line(),
            MarketEventKind::Order(news) => {
                if self.queue == QueueModel::Fifo {
                    self.told(news, market.rules, happened);
                }
            }
            MarketEventKind::Mark(_) => {}
            MarketEventKind::Rules(rules) => {
                if (rules.tick, rules.lot) != (market.rules.tick, market.rules.lot) {
                    self.inbound.iter_mut().for_each(|travelling| travelling.in_old_steps = true);
                    self.eaten.forget();
                    self.forget_line();
                    self.cancel_all(happened);
                }
            }
            MarketEventKind::Status(status) => match status {
                Status::Delisted => self.cancel_all(happened),
                Status::Trading | Status::PostOnly | Status::CancelOnly | Status::Halted | Status::Unknown => {}
            },
        }
    }

    fn advance(&mut self, to: LocalTime, market: &Visible<'_>, heard: &mut Vec<Report>) {
        let caught_up = to - self.said.feed();
        while self.inbound.front().is_some_and(|first| first.arrives <= caught_up) {
            self.carry_out_first(market);
        }
        while let Some(word) = self.said.reports.pop_front_if(|word| word.heard <= to) {
            heard.push(word.report);
        }
    }
}

impl Paper {
    fn carry_out_first(&mut self, market: &Visible<'_>) {
        let travelling = self.inbound.pop_front().expect("a request is due");
        self.carry_out(travelling, market);
    }

    fn cancel_all(&mut self, happened: LocalTime) {
        for order in self.own.take_all() {
            self.said.say(happened, order.id, ReportKind::Cancelled { remaining: order.remaining });
        }
    }
}

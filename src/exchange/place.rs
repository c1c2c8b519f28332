//! Where an instrument's orders go: the paper model on recorded or live data, or a market that answers by itself.

use serde::{Deserialize, Serialize};

use super::fee::Rates;
use super::linked::Linked;
use super::paper::Paper;
use super::{PaperSpec, Venue, Visible};
use crate::market::{Instrument, InstrumentId, MarketEvent};
use crate::order::{OrderId, Report, Request};
use crate::risk::Approved;
use crate::rng::Stream;
use crate::units::{LocalTime, Lots};

/// Who answers our orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answers {
    /// The paper exchange, inside the session: the market does not know of us.
    #[default]
    Modelled,
    /// The market itself, whose reports are inputs of the session: our orders stand in its book.
    Told,
}

/// One of the two. Its whole state serialises.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "one per instrument, and the large one is the one that is asked all day")]
pub enum Place {
    /// In the session.
    Paper(Paper),
    /// Elsewhere.
    Linked(Linked),
}

impl Place {
    /// An exchange without orders.
    pub fn new(answers: Answers, instrument: InstrumentId, spec: PaperSpec, stream: Stream) -> Self {
        match answers {
            Answers::Modelled => Place::Paper(Paper::new(instrument, spec, stream)),
            Answers::Told => Place::Linked(Linked::new(spec.fees)),
        }
    }

    /// A report from outside. The paper exchange answers for itself and takes no word of others.
    pub fn tell(&mut self, report: &Report, rules: &Instrument) {
        if let Place::Linked(linked) = self {
            linked.tell(report.clone(), rules);
        }
    }

    /// Whether [`Venue::advance`] to `now` has anything to do.
    pub fn is_due(&self, now: LocalTime) -> bool {
        match self {
            Place::Paper(paper) => paper.next_due().is_some_and(|due| due <= now),
            Place::Linked(linked) => linked.has_news(),
        }
    }

    /// Lots of others ahead of a resting order, as far as is known; `None` if it does not rest.
    pub fn queue_ahead(&self, id: OrderId) -> Option<Lots> {
        match self {
            Place::Paper(paper) => paper.queue_ahead(id),
            Place::Linked(linked) => linked.queue_ahead(id),
        }
    }

    /// Its owner knows to hold so much.
    pub fn holds(&mut self, position: Lots) {
        if let Place::Paper(paper) = self {
            paper.holds(position);
        }
    }

    /// Every report there is, heard before its time.
    pub fn hear_at_once(&mut self, heard: &mut Vec<Report>) {
        match self {
            Place::Paper(paper) => paper.hear_at_once(heard),
            Place::Linked(linked) => linked.hear_at_once(heard),
        }
    }

    /// The largest part of a level that was ever ours where the market did not know of us, basis points; 0 where it did.
    pub fn level_share_max_bps(&self) -> u32 {
        match self {
            Place::Paper(paper) => paper.level_share_max_bps(),
            Place::Linked(_) => 0,
        }
    }

    /// What the next fill costs.
    pub fn rates(&self) -> Rates {
        match self {
            Place::Paper(paper) => paper.rates(),
            Place::Linked(linked) => linked.rates(),
        }
    }
}

impl Venue for Place {
    fn submit(&mut self, request: Approved<Request>, at: LocalTime) {
        match self {
            Place::Paper(paper) => paper.submit(request, at),
            Place::Linked(linked) => linked.submit(request, at),
        }
    }

    fn observe(&mut self, event: &MarketEvent, market: &Visible<'_>, at: LocalTime) {
        match self {
            Place::Paper(paper) => paper.observe(event, market, at),
            Place::Linked(linked) => linked.observe(event, market, at),
        }
    }

    fn advance(&mut self, to: LocalTime, market: &Visible<'_>, heard: &mut Vec<Report>) {
        match self {
            Place::Paper(paper) => paper.advance(to, market, heard),
            Place::Linked(linked) => linked.advance(to, market, heard),
        }
    }
}

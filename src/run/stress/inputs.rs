//! A recording's inputs, shocked.
//!
//! What is recorded is changed or left out, and what a venue would say besides is put between: a snapshot where prices jump
//! or a book comes back, news of the connection where it is lost. Everything is an input of the kind a live session could
//! have heard, so the session is the same program; inputs are numbered anew behind the first that was put in or left out.
//!
//! Reading order: `next` of [`Shocked`] puts events in order, `begin` and `end` are what is put in, [`move_prices`] is what
//! happens to a price.

use std::collections::VecDeque;

use super::mirror::Mirror;
use crate::engine::{Input, Stamped};
use crate::market::{FeedEvent, FeedEventKind, Instrument, InstrumentId, Level, MarketEvent, MarketEventKind, VenueId};
use crate::run::rerun::{Inputs, RerunError};
use crate::units::{LocalTime, Money, Side, Ticks};

/// What is done to the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Prices of the instrument are moved, in ticks: those of bids, those of asks.
    Moved([i64; 2]),
    /// Nothing is heard of the venue, and that is told (`true`) or not.
    Unheard(bool),
}

/// When and to whom it is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What.
    pub effect: Effect,
    /// Whom.
    pub instrument: InstrumentId,
    /// Behind this input; 0 is from the first on.
    pub after: u64,
    /// Until then; `None` is to the end.
    pub until: Option<LocalTime>,
}

/// Inputs under a plan.
pub struct Shocked<'a> {
    inputs: &'a mut dyn Inputs,
    plan: Plan,
    phase: Phase,
    mirrors: Vec<Mirror>,
    /// To be handed out first.
    made: VecDeque<(LocalTime, Input)>,
    /// A recorded one that waits behind those.
    held: Option<Stamped>,
    read: Stamped,
    /// Of the last one handed out.
    seq: u64,
    at: LocalTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    During,
    After,
}

impl<'a> Shocked<'a> {
    /// Over the inputs of a session of these instruments.
    pub fn new(inputs: &'a mut dyn Inputs, instruments: &[Instrument], plan: Plan) -> Self {
        let read = Stamped { seq: 0, at: LocalTime::default(), input: Input::Tick };
        Self {
            inputs,
            plan,
            phase: if plan.effect == Effect::None { Phase::After } else { Phase::Before },
            mirrors: instruments.iter().cloned().map(Mirror::new).collect(),
            made: VecDeque::new(),
            held: None,
            read,
            seq: 0,
            at: LocalTime::default(),
        }
    }

    fn venue(&self) -> VenueId {
        self.mirrors[self.plan.instrument.index()].venue()
    }

    /// Instruments of the venue that is not heard, or the one whose prices move.
    fn concerned(&self) -> Vec<InstrumentId> {
        let venue = self.venue();
        let all = (0..self.mirrors.len()).map(|i| InstrumentId(i as u16));
        match self.plan.effect {
            Effect::None => Vec::new(),
            Effect::Moved(_) => vec![self.plan.instrument],
            Effect::Unheard(_) => all.filter(|id| self.mirrors[id.index()].venue() == venue).collect(),
        }
    }

    /// The shock begins, now.
    fn begin(&mut self) {
        self.phase = Phase::During;
        match self.plan.effect {
            Effect::None | Effect::Unheard(false) => {}
            Effect::Moved(_) => self.show_anew(self.at),
            Effect::Unheard(true) => {
                let reason = "stress: feed loss".to_owned();
                self.tell_connections(self.at, &FeedEventKind::Disconnected { reason });
            }
        }
    }

    /// The shock is over, at this time.
    fn end(&mut self, at: LocalTime) {
        let is_told = self.plan.effect == Effect::Unheard(true);
        if is_told {
            self.tell_connections(at, &FeedEventKind::Connected);
        }
        self.phase = Phase::After;
        self.show_anew(at);
        if !is_told {
            return;
        }
        for id in self.concerned() {
            for (number, connection) in self.mirrors[id.index()].connections.clone() {
                let kind = match connection.is_silent {
                    true => FeedEventKind::Stale { channel: "all".to_owned(), silent_ms: 0 },
                    false => FeedEventKind::Live,
                };
                let (venue, generation) = (self.venue(), connection.generation);
                let event = FeedEvent { venue, connection: number, instrument: Some(id), generation, kind };
                self.made.push_back((at, Input::Feed(event)));
            }
        }
    }

    /// Every connection to the venue that ever said something, or the first.
    fn tell_connections(&mut self, at: LocalTime, kind: &FeedEventKind) {
        let venue = self.venue();
        let mut all = std::collections::BTreeMap::new();
        for mirror in self.mirrors.iter().filter(|mirror| mirror.venue() == venue) {
            all.extend(mirror.connections.iter().map(|(number, connection)| (*number, connection.generation)));
        }
        if all.is_empty() {
            all.insert(0, 0);
        }
        for (connection, generation) in all {
            let event = FeedEvent { venue, connection, instrument: None, generation, kind: kind.clone() };
            self.made.push_back((at, Input::Feed(event)));
        }
    }

    /// The books as they are to be seen from now on.
    fn show_anew(&mut self, at: LocalTime) {
        for id in self.concerned() {
            let mirror = &self.mirrors[id.index()];
            for kind in mirror.anew() {
                let mut event = MarketEvent { instrument: id, venue_time: mirror.stamp(), kind };
                if let (Phase::During, Effect::Moved(by)) = (self.phase, self.plan.effect) {
                    move_prices(&mut event.kind, by, &mirror.rules);
                }
                self.made.push_back((at, Input::Market(event)));
            }
        }
    }

    /// The recording goes on, unshocked, whatever is heard of it.
    fn reflect(&mut self) {
        match &self.read.input {
            Input::Market(event) => {
                let mirror = &mut self.mirrors[event.instrument.index()];
                let before = mirror.rules.tick;
                mirror.hear(event);
                let is_moved = event.instrument == self.plan.instrument && before != mirror.rules.tick;
                if let (true, Effect::Moved(by)) = (is_moved, &mut self.plan.effect) {
                    // The same move in steps of another size.
                    let (old, new) = (before.money().0, mirror.rules.tick.money().0);
                    *by = by.map(|ticks| i64::try_from(i128::from(ticks) * old / new).unwrap_or(0));
                }
            }
            Input::Feed(event) => {
                let of_venue = |mirror: &Mirror| mirror.venue() == event.venue;
                for (i, mirror) in self.mirrors.iter_mut().enumerate() {
                    if event.instrument.map_or(of_venue(mirror), |id| id.index() == i) {
                        mirror.hear_feed(event);
                    }
                }
            }
            Input::Report(_) | Input::Tick | Input::Command { .. } => {}
        }
    }

    /// What of the recorded input is heard; `false` if nothing.
    fn shock(&self, input: &mut Input) -> bool {
        if self.phase != Phase::During {
            return true;
        }
        match (self.plan.effect, input) {
            (Effect::None, _) => true,
            (Effect::Moved(by), Input::Market(event)) => {
                if event.instrument == self.plan.instrument {
                    move_prices(&mut event.kind, by, &self.mirrors[event.instrument.index()].rules);
                }
                true
            }
            (Effect::Unheard(_), Input::Market(event)) => {
                // Rules and status are asked for on another way.
                self.mirrors[event.instrument.index()].venue() != self.venue()
                    || matches!(event.kind, MarketEventKind::Rules(_) | MarketEventKind::Status(_))
            }
            (Effect::Unheard(_), Input::Feed(event)) => event.venue != self.venue(),
            (Effect::Moved(_), Input::Feed(_)) => true,
            (Effect::Moved(_) | Effect::Unheard(_), Input::Report(_) | Input::Tick | Input::Command { .. }) => true,
        }
    }

    fn hand_out(&mut self, into: &mut Stamped, at: LocalTime, input: Input) {
        self.seq += 1;
        self.at = self.at.max(at);
        *into = Stamped { seq: self.seq, at: self.at, input };
    }
}

impl Inputs for Shocked<'_> {
    fn next(&mut self, into: &mut Stamped) -> Result<bool, RerunError> {
        loop {
            if let Some((at, input)) = self.made.pop_front() {
                self.hand_out(into, at, input);
                return Ok(true);
            }
            if let Some(mut held) = self.held.take() {
                if self.shock(&mut held.input) {
                    self.hand_out(into, held.at, held.input);
                    return Ok(true);
                }
                continue;
            }
            if !self.inputs.next(&mut self.read)? {
                return Ok(false);
            }
            if self.phase == Phase::Before && self.read.seq > self.plan.after {
                self.begin();
            }
            if let (Phase::During, Some(until)) = (self.phase, self.plan.until)
                && self.read.at >= until
            {
                self.end(until);
            }
            // What is put in shows the book of before.
            self.reflect();
            let blank = Stamped { seq: self.read.seq, at: self.read.at, input: Input::Tick };
            self.held = Some(std::mem::replace(&mut self.read, blank));
        }
    }
}

/// Prices by so many ticks: bids (and who sold to them), asks (and who bought from them). What would cost nothing or less is
/// no longer there.
pub fn move_prices(kind: &mut MarketEventKind, [bids_by, asks_by]: [i64; 2], rules: &Instrument) {
    let by = |side: Side| if side == Side::Bid { bids_by } else { asks_by };
    let moved = |price: Ticks, side: Side| Ticks(price.0.saturating_add(by(side)));
    let all = |levels: &mut Vec<Level>, side: Side| {
        levels.iter_mut().for_each(|level| level.price = moved(level.price, side));
        levels.retain(|level| level.price > Ticks::ZERO);
    };
    let best = |level: &mut Option<Level>, side: Side| {
        let there = level.map(|level| Level { price: moved(level.price, side), ..level });
        *level = there.filter(|level| level.price > Ticks::ZERO);
    };
    match kind {
        MarketEventKind::Snapshot { bids, asks, .. } | MarketEventKind::Delta { bids, asks, .. } => {
            all(bids, Side::Bid);
            all(asks, Side::Ask);
        }
        MarketEventKind::Trade { taker, price, .. } => {
            *price = moved(*price, taker.opposite()).max(Ticks(1));
        }
        MarketEventKind::Bbo { bid, ask, .. } => {
            best(bid, Side::Bid);
            best(ask, Side::Ask);
        }
        MarketEventKind::Mark(mark) => {
            // The mid moves by the mean of both.
            let by = Money(rules.tick.money().0 / 2 * i128::from(bids_by + asks_by));
            for price in [&mut mark.mark, &mut mark.index].into_iter().flatten() {
                *price += by;
            }
        }
        MarketEventKind::Order(news) => news.price = moved(news.price, news.side).max(Ticks(1)),
        MarketEventKind::Gap { .. } | MarketEventKind::Rules(_) | MarketEventKind::Status(_) => {}
    }
}

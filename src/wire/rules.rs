//! Asking for the rules again, and what changed in them.

use super::dialect::{Exchange, Listed};
use super::{About, Action, FetchFailure, Said, WireError};
use crate::market::{Instrument, MarketEventKind, Status};
use crate::units::{LocalTime, Nanos};

/// Asks a venue for its rules every so often and puts the answers together.
#[derive(Debug)]
pub(super) struct Poll {
    every: Nanos,
    next: LocalTime,
    answers: Vec<Option<Vec<u8>>>,
    /// The venue refuses a question that names what it no longer lists, and does not say which: ask for everything.
    whole: bool,
}

impl Poll {
    pub(super) fn new(every: Nanos) -> Self {
        Self { every, next: LocalTime::default(), answers: Vec::new(), whole: false }
    }

    /// A new socket; questions that were under way are gone with the old one.
    pub(super) fn open(&mut self, at: LocalTime) {
        self.answers.clear();
        self.next = at + self.every;
    }

    pub(super) fn on_time<'a>(
        &mut self,
        exchange: &dyn Exchange,
        symbols: impl Iterator<Item = &'a str>,
        at: LocalTime,
        said: &mut Vec<Said>,
    ) {
        // While the venue wants silence questions wait in the driver: more of them would only pile up.
        if self.every <= Nanos::ZERO || at < self.next || !self.answers.is_empty() {
            return;
        }
        self.next = at + self.every;
        let requests = match self.whole {
            true => exchange.listing_requests(),
            false => exchange.rules_requests(&symbols.collect::<Vec<_>>()),
        };
        self.answers = vec![None; requests.len()];
        let fetches = requests.into_iter().enumerate();
        said.extend(
            fetches.map(|(nth, request)| {
                Said::Do(Action::Fetch { about: About::Rules(nth), request, delay: Nanos::ZERO })
            }),
        );
    }

    /// An answer, or none: then there is always a next time, later if the venue asked for silence.
    pub(super) fn take(&mut self, nth: usize, reply: Result<&[u8], FetchFailure>, at: LocalTime) {
        match (reply, self.answers.get_mut(nth)) {
            (Ok(body), Some(answer)) => *answer = Some(body.to_vec()),
            (Ok(_), None) => {}
            (Err(failure), _) => {
                self.answers.clear();
                match failure {
                    FetchFailure::RateLimited { wait, .. } => self.next = self.next.max(at + wait),
                    FetchFailure::Status { status: 400 | 404, .. } => self.whole = true,
                    FetchFailure::Status { .. } | FetchFailure::Unreachable(_) => {}
                }
            }
        }
    }

    /// The venue's list once every question is answered.
    pub(super) fn read(&mut self, exchange: &dyn Exchange) -> Result<Option<Vec<Listed>>, WireError> {
        if self.answers.is_empty() || self.answers.iter().any(Option::is_none) {
            return Ok(None);
        }
        let answers: Vec<_> = std::mem::take(&mut self.answers).into_iter().flatten().collect();
        exchange.read_rules(&answers).map(Some)
    }
}

/// An instrument as a list has it now. One that is no longer listed is gone.
pub(super) fn now(known: &Instrument, listed: &[Listed]) -> Result<Instrument, WireError> {
    match listed.iter().find(|l| l.symbol == known.symbol) {
        Some(listed) => listed.rules.clone(),
        None => Ok(Instrument { status: Status::Delisted, ..known.clone() }),
    }
}

/// What changed between two answers about one instrument: its rules, only its status, or nothing. New rules count
/// the revision up.
pub fn change(known: &Instrument, now: &Instrument) -> Option<MarketEventKind> {
    let now = Instrument { revision: known.revision, ..now.clone() };
    if now == *known {
        None
    } else if (Instrument { status: now.status, ..known.clone() }) == now {
        Some(MarketEventKind::Status(now.status))
    } else {
        Some(MarketEventKind::Rules(Box::new(Instrument { revision: known.revision + 1, ..now })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::VenueId;
    use crate::units::Step;

    fn rules(tick: &str) -> Instrument {
        let step = |text| Step::parse(text).unwrap();
        Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step(tick), step("0.001")).unwrap()
    }

    #[test]
    fn a_change_of_status_is_told_apart_from_a_change_of_rules() {
        let known = rules("0.01");
        let halted = Instrument { status: Status::Halted, ..rules("0.01") };
        assert_eq!(change(&known, &known), None);
        assert_eq!(change(&known, &halted), Some(MarketEventKind::Status(Status::Halted)));
        match change(&known, &rules("0.001")) {
            Some(MarketEventKind::Rules(now)) => assert_eq!((now.tick.decimals(), now.revision), (3, 1)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_instrument_that_is_no_longer_listed_is_gone() {
        let listed = |symbol: &str| Listed { symbol: symbol.to_owned(), rules: Ok(rules("0.01")) };
        assert_eq!(now(&rules("0.01"), &[listed("ETHUSDT"), listed("BTCUSDT")]), Ok(rules("0.01")));
        assert_eq!(now(&rules("0.01"), &[listed("ETHUSDT")]).unwrap().status, Status::Delisted);
    }
}

//! What an account holds, and how it passes from one session to the next.
//!
//! Sessions of one account need not trade the same instruments, nor in the same lots. A holding is therefore kept with
//! the lot it was counted in, and those a session does not trade are kept for the one that will. What was bought on
//! the simulated exchange is not worth anything on a real one, so holdings there go by a name of their own.

use crate::digest::Digest;
use crate::engine::{Carried, Session, SessionSpec};
use crate::journal::{Account, AccountState, JournalError, Standstill};
use crate::market::{Instrument, InstrumentId};
use crate::risk::{RiskLimits, RiskState, Score, Trip, Whose};
use crate::units::{LocalTime, Lots, Money, Step};

/// An account in the hands of a session.
#[derive(Debug)]
pub struct Purse {
    account: Account,
    simulated: bool,
    /// Held in instruments this session does not trade.
    elsewhere: Vec<Holding>,
    /// On the other kind of exchange.
    score_elsewhere: Option<Score>,
    made: Made,
}

/// What limits in force are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Fingerprint of the configured limits.
    pub limits_of: Digest,
    /// What operators have set above them, as after `--set`.
    pub set: Vec<String>,
    /// The last approval of looser limits that was used.
    pub approved_at: Option<String>,
}

/// What an account brings to a session.
#[derive(Debug, Default)]
pub struct Brought {
    /// Positions, states and scores, if there are any.
    pub carried: Option<Carried>,
    /// Why nothing is to be quoted, if somebody said so and nobody took it back.
    pub standstill: Option<Standstill>,
    /// Limits that an operator had set above the configured ones, which are still the same.
    pub limits: Option<RiskLimits>,
    /// What the limits that the session will have are made from.
    pub made: Option<Made>,
}

/// A position and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holding {
    name: String,
    lot: Step,
    position: Lots,
    cost: Money,
    /// On its side since then.
    since: LocalTime,
}

/// A position that the venue's lot of today cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the account holds {position} of {name}, which is not a multiple of today's lot {lot}; \
     trade it in another store (--set store.path=…), or delete account.sled in this one to start flat"
)]
pub struct BetweenLots {
    name: String,
    position: String,
    lot: Step,
}

impl Purse {
    /// Takes the account of a session over `spec`, and what it brings.
    ///
    /// * `limits_of` — fingerprint of the configured limits
    pub fn take(
        account: Account,
        spec: &SessionSpec,
        simulated: bool,
        limits_of: Digest,
    ) -> Result<(Self, Brought), PurseError> {
        let known = account.load()?.unwrap_or_default();
        let rules: Vec<_> = spec.desks.iter().map(|d| &d.rules).collect();
        let (carried, elsewhere) = carry(holdings(&known), &rules, simulated)?;
        let same_instruments = known.instruments.iter().zip(&known.lots).take(rules.len());
        let same_instruments = rules.len() <= known.instruments.len()
            && same_instruments.zip(&rules).all(|((label, lot), r)| *label == name(r, simulated) && *lot == r.lot);
        let is_of_these = known.limits_of == Some(limits_of) && same_instruments;
        let limits = known
            .limits
            .clone()
            .filter(|limits| is_of_these && limits.instruments.len() == rules.len() && *limits != spec.risk);
        let trips = trips(&known, &rules, simulated);
        let (mut score, mut score_elsewhere) = (known.carried.score, known.score_elsewhere);
        let mut hour = known.carried.hour.clone();
        if known.simulated != simulated {
            std::mem::swap(&mut score, &mut score_elsewhere);
            hour.clear();
        }
        let carried = Carried { from: known.session, state: known.carried.state, score, hour, trips, ..carried };
        let nothing = carried.positions.iter().all(|p| *p == Lots::ZERO)
            && carried.state == RiskState::Active
            && carried.trips.is_empty()
            && score.is_none();
        let set = if limits.is_some() { known.limits_set.clone() } else { Vec::new() };
        let made = Made { limits_of, set, approved_at: known.approved_at };
        let purse = Self { account, simulated, elsewhere, score_elsewhere, made: made.clone() };
        let carried = (!nothing).then_some(carried);
        Ok((purse, Brought { carried, standstill: known.standstill, limits, made: Some(made) }))
    }

    /// Limits in force are made from this now.
    pub fn configured(&mut self, made: Made) {
        self.made = made;
    }

    /// Puts a session's positions and risk state into the account.
    ///
    /// * `why` — it is halted, if it is
    pub fn save(
        &mut self,
        session: &Session,
        id: &str,
        why: &str,
        standstill: Option<&Standstill>,
    ) -> Result<(), JournalError> {
        let mut carried = session.carried(id);
        let rules = session.instruments();
        let mut instruments: Vec<_> = rules.clone().map(|r| name(r, self.simulated)).collect();
        let mut lots: Vec<_> = rules.map(|r| r.lot).collect();
        for holding in &self.elsewhere {
            instruments.push(holding.name.clone());
            lots.push(holding.lot);
            carried.positions.push(holding.position);
            carried.costs.push(holding.cost);
            carried.held_since.push(holding.since);
        }
        self.account.save(&AccountState {
            instruments,
            lots,
            carried,
            simulated: self.simulated,
            score_elsewhere: self.score_elsewhere,
            working: session.all_orders().cloned().collect(),
            limits: Some(session.limits().clone()),
            limits_of: Some(self.made.limits_of),
            limits_set: self.made.set.clone(),
            approved_at: self.made.approved_at.clone(),
            halted: (session.risk_state() == RiskState::Halted).then(|| why.to_owned()),
            session: id.to_owned(),
            at: session.now(),
            standstill: standstill.cloned(),
        })
    }
}

/// Why an account cannot be taken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum PurseError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    BetweenLots(#[from] BetweenLots),
}

fn name(rules: &Instrument, simulated: bool) -> String {
    if simulated { format!("simulated {}", rules.label()) } else { rules.label() }
}

/// What is beyond its limit, of this session's instruments and venues. Trips of venues and of the book are of the kind of
/// exchange they happened on.
fn trips(known: &AccountState, rules: &[&Instrument], simulated: bool) -> Vec<Trip> {
    let is_same_kind = known.simulated == simulated;
    let here = |trip: &Trip| {
        let whose = match trip.whose {
            Whose::Book => is_same_kind.then_some(Whose::Book),
            Whose::Venue(venue) => (is_same_kind && rules.iter().any(|r| r.venue == venue)).then_some(trip.whose),
            Whose::Instrument(id) => {
                let label = known.instruments.get(id.index())?;
                let index = rules.iter().position(|rules| name(rules, simulated) == *label)?;
                Some(Whose::Instrument(InstrumentId(u16::try_from(index).ok()?)))
            }
        };
        let mut trip = trip.clone();
        trip.whose = whose?;
        Some(trip)
    };
    known.carried.trips.iter().filter_map(here).collect()
}

fn holdings(state: &AccountState) -> Vec<Holding> {
    let carried = &state.carried;
    let numbers = carried.positions.iter().zip(&carried.costs).zip(&carried.held_since);
    let named = state.instruments.iter().zip(&state.lots).zip(numbers);
    named
        .map(|((name, lot), ((position, cost), since))| Holding {
            name: name.clone(),
            lot: *lot,
            position: *position,
            cost: *cost,
            since: *since,
        })
        .filter(|holding| holding.position != Lots::ZERO)
        .collect()
}

/// Holdings of these instruments in their lots of today, and all the others.
fn carry(
    mut held: Vec<Holding>,
    rules: &[&Instrument],
    simulated: bool,
) -> Result<(Carried, Vec<Holding>), BetweenLots> {
    let mut carried = Carried::default();
    for rules in rules {
        let known = held.iter().position(|holding| holding.name == name(rules, simulated));
        let (position, cost, since) = match known.map(|i| held.remove(i)) {
            Some(holding) => {
                let position = holding.lot.value(holding.position.0);
                let between =
                    |_| BetweenLots { name: holding.name.clone(), position: position.to_string(), lot: rules.lot };
                (Lots(rules.lot.count(position).map_err(between)?), holding.cost, holding.since)
            }
            None => (Lots::ZERO, Money::ZERO, LocalTime::default()),
        };
        carried.positions.push(position);
        carried.costs.push(cost);
        carried.held_since.push(since);
    }
    Ok((carried, held))
}

/// What comes from which session: positions and the state of the book.
pub fn in_words(carried: &Carried, session: &Session) -> String {
    let held = session.instruments().zip(&carried.positions);
    let held =
        held.map(|(rules, held)| format!("{} {} of {}", rules.qty_text(*held), rules.quantity_asset(), rules.label()));
    format!("{}: {}, {}", carried.from, held.collect::<Vec<_>>().join(", "), carried.state.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::VenueId;

    fn rules(base: &str, lot: &str) -> Instrument {
        let step = |text| Step::parse(text).expect("a step");
        Instrument::new(VenueId::BinanceSpot, &format!("{base}USDT"), base, "USDT", step("0.01"), step(lot)).unwrap()
    }

    fn held(rules: &Instrument, position: i64, simulated: bool) -> Holding {
        Holding {
            name: name(rules, simulated),
            lot: rules.lot,
            position: Lots(position),
            cost: Money(7),
            since: LocalTime(9),
        }
    }

    #[test]
    fn a_position_means_the_same_in_other_lots() {
        // 15 lots of 0.001 are 1500 of 0.00001, and between two of 0.01.
        let before = held(&rules("BTC", "0.001"), 15, false);
        let (carried, _) = carry(vec![before.clone()], &[&rules("BTC", "0.00001")], false).unwrap();
        assert_eq!((carried.positions, carried.costs), (vec![Lots(1_500)], vec![Money(7)]));
        assert_eq!(carried.held_since, [LocalTime(9)]);
        let refused = carry(vec![before], &[&rules("BTC", "0.01")], false).unwrap_err();
        assert!(refused.to_string().contains("0.015 of binance-spot:BTCUSDT"), "{refused}");
    }

    #[test]
    fn what_a_session_does_not_trade_waits_for_one_that_does() {
        let (btc, eth) = (rules("BTC", "0.001"), rules("ETH", "0.1"));
        let all = vec![held(&btc, 15, false), held(&eth, -3, false)];
        let (carried, elsewhere) = carry(all, &[&eth], false).unwrap();
        assert_eq!((carried.positions, elsewhere), (vec![Lots(-3)], vec![held(&btc, 15, false)]));
    }

    #[test]
    fn the_demo_leaves_nothing_to_a_real_market() {
        let btc = rules("BTC", "0.001");
        let (carried, elsewhere) = carry(vec![held(&btc, 15, true)], &[&btc], false).unwrap();
        assert_eq!((carried.positions, elsewhere.len()), (vec![Lots(0)], 1));
    }
}

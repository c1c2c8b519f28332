//! Whose a limit is: what goes beyond one concerns those it is a limit of, and nobody else.

use papermaker::engine::{Carried, Command, Input, Output, SessionSpec, Stamped};
use papermaker::market::{FeedEvent, InstrumentId, VenueId};
use papermaker::order::OrderState;
use papermaker::risk::{ExposureLimits, RiskLimits, RiskState, Whose};
use papermaker::units::{LocalTime, Lots, Nanos, Side};

use super::{Told, money, tight};
use crate::engine::story::{ID, joining, run, sized, story};

const KRAKEN: InstrumentId = InstrumentId(1);

/// The same market on two venues, five lots a side wanted on both.
fn two_venues() -> SessionSpec {
    let mut spec = tight(|_| ());
    let mut second = spec.desks[0].clone();
    second.rules.venue = VenueId::Kraken;
    spec.desks.push(second);
    spec.risk = sized(&spec.risk, &[(5, 1_000), (5, 1_000)]);
    spec
}

/// Limits with a gross limit per venue.
fn gross(of: &[(VenueId, i128)]) -> RiskLimits {
    let own = |max| ExposureLimits { gross_max: Some(money(max)), net_max: None };
    RiskLimits { venues: of.iter().map(|(venue, max)| (*venue, own(*max))).collect(), ..two_venues().risk }
}

/// What one market, or an operator, does: as a line of a story.
enum Line<'a> {
    At(InstrumentId, &'a str),
    Limits(i64, RiskLimits),
    Restore(Carried),
}
use Line::{At, Limits, Restore};

fn tell(spec: &SessionSpec, lines: Vec<Line<'_>>) -> Told {
    let command = |ms, command| {
        let at = LocalTime(0) + Nanos::from_ms(ms);
        Stamped { seq: 0, at, input: Input::Command { by: "risk team".to_owned(), command } }
    };
    let one = |line| match line {
        At(id, text) => {
            let mut input = story(text).remove(0);
            match &mut input.input {
                Input::Market(event) => event.instrument = id,
                Input::Feed(FeedEvent { instrument, .. }) => *instrument = Some(id),
                Input::Report(_) | Input::Tick | Input::Command { .. } => {}
            }
            input
        }
        Limits(ms, limits) => command(ms, Command::SetLimits(Box::new(limits))),
        Restore(carried) => command(0, Command::Restore(Box::new(carried))),
    };
    let inputs: Vec<Stamped> = lines.into_iter().zip(1..).map(|(line, seq)| Stamped { seq, ..one(line) }).collect();
    let strategies = joining(5).into_iter().chain(joining(5)).collect();
    let (session, said) = run(spec, strategies, &inputs);
    Told { session, said }
}

/// Bids and offers of an instrument that stay.
fn resting(told: &Told, id: InstrumentId) -> Vec<(Side, i64)> {
    let stays = told.session.orders(id).iter().filter(|o| o.state != OrderState::Leaving);
    stays.map(|o| (o.side, o.remaining.0)).collect()
}

/// 5 lots bought at 1000 on both, at a mid of 1002 (worth 5010), with the offer resting.
fn long_on_both() -> Vec<Line<'static>> {
    [ID, KRAKEN]
        .into_iter()
        .flat_map(|id| {
            ["100 book 10@1000 / 10@1004", "150 tick", "160 sell 15@1000", "170 tick"].map(|line| At(id, line))
        })
        .collect()
}

#[test]
fn a_venue_beyond_its_limit_leaves_the_others_alone_and_comes_back_by_itself() {
    let mut lines = long_on_both();
    lines.push(Limits(200, gross(&[(VenueId::Kraken, 5_000), (VenueId::BinanceSpot, 6_000)])));
    let told = tell(&two_venues(), lines);
    let beyond = ("kraken", "reducing", "VENUE_GROSS_EXCEEDED value=5010.00 limit=5000.00 unit=quote");
    told.says(&[beyond]);
    let states = [ID, KRAKEN].map(|id| told.session.risk_state_of(id));
    assert_eq!((states, told.session.risk_state()), ([RiskState::Active, RiskState::Reducing], RiskState::Active));
    // Its price falls to 780: 3900 is below 80 % of 5000, and has to be for a second.
    let mut lines = long_on_both();
    lines.push(Limits(200, gross(&[(VenueId::Kraken, 5_000), (VenueId::BinanceSpot, 6_000)])));
    lines.extend([At(KRAKEN, "300 book 10@779 / 10@781"), At(ID, "1299 tick")]);
    tell(&two_venues(), lines).says(&[beyond]);
    let mut lines = long_on_both();
    lines.push(Limits(200, gross(&[(VenueId::Kraken, 5_000), (VenueId::BinanceSpot, 6_000)])));
    lines.extend([At(KRAKEN, "300 book 10@779 / 10@781"), At(ID, "1300 tick")]);
    tell(&two_venues(), lines).says(&[beyond, ("kraken", "active", "cleared VENUE_GROSS_EXCEEDED")]);
}

#[test]
fn two_venues_beyond_their_limits_are_two_states() {
    let mut lines = long_on_both();
    lines.push(Limits(200, gross(&[(VenueId::Kraken, 5_000), (VenueId::BinanceSpot, 4_000)])));
    // The one that is nearer its limit comes back, the other does not.
    lines.extend([At(KRAKEN, "300 book 10@779 / 10@781"), At(ID, "1300 tick"), At(ID, "1400 book 10@1000 / 10@1004")]);
    let told = tell(&two_venues(), lines);
    told.says(&[
        ("binance-spot", "reducing", "VENUE_GROSS_EXCEEDED value=5010.00 limit=4000.00 unit=quote"),
        ("kraken", "reducing", "VENUE_GROSS_EXCEEDED value=5010.00 limit=5000.00 unit=quote"),
        ("kraken", "active", "cleared VENUE_GROSS_EXCEEDED"),
    ]);
    assert_eq!(resting(&told, ID), [(Side::Ask, 5)]);
}

#[test]
fn a_limit_that_is_lifted_lets_go_of_what_was_beyond_it() {
    // All limits on exposure are gone at once: the trips end after their hold of a second.
    let mut lines = long_on_both();
    let mut tight = gross(&[(VenueId::Kraken, 5_000)]);
    tight.book.exposure.net_max = Some(money(9_000));
    (tight.book.capital, tight.book.leverage_max_centi) = (Some(money(1_000)), Some(500));
    lines.extend([Limits(200, tight), Limits(300, two_venues().risk), At(ID, "400 tick"), At(ID, "1300 tick")]);
    let told = tell(&two_venues(), lines);
    let states = told.states();
    let states: Vec<_> = states.iter().map(|(whose, state, _)| (*whose, *state)).collect();
    let began = [("kraken", "reducing"), ("book", "reducing"), ("book", "reducing")];
    // A state is said as it is once the whole input has been weighed.
    let ended = [("kraken", "active"), ("book", "active"), ("book", "active")];
    assert_eq!(states, [began, ended].concat());
    assert!(told.session.breakers().trips().is_empty());
}

#[test]
fn a_venues_trip_comes_over_as_the_venues() {
    let mut lines = long_on_both();
    lines.push(Limits(200, gross(&[(VenueId::Kraken, 5_000)])));
    let before = tell(&two_venues(), lines);
    let carried = before.session.carried("yesterday");
    assert_eq!(carried.trips.iter().map(|trip| trip.whose).collect::<Vec<_>>(), [Whose::Venue(VenueId::Kraken)]);
    let spec = SessionSpec { risk: gross(&[(VenueId::Kraken, 5_000)]), ..two_venues() };
    let told = tell(&spec, vec![Restore(carried), At(ID, "100 book 10@1000 / 10@1004"), At(ID, "150 tick")]);
    let why = "carried over from yesterday: VENUE_GROSS_EXCEEDED value=5010.00 limit=5000.00 unit=quote";
    told.says(&[("kraken", "reducing", why)]);
    assert_eq!(told.session.risk_state_of(ID), RiskState::Active);
}

#[test]
fn a_position_without_a_price_counts_at_what_it_cost() {
    // 5 lots that cost 5000 on a venue that has said nothing yet, 8000 allowed in all: 5 more at 1002 do not fit.
    let mut spec = two_venues();
    spec.risk.book.exposure.gross_max = Some(money(8_000));
    let carried = Carried {
        from: "yesterday".to_owned(),
        positions: vec![Lots(0), Lots(5)],
        costs: vec![money(0), money(5_000)],
        ..Carried::default()
    };
    let lines = vec![Restore(carried), At(ID, "100 book 10@1000 / 10@1004"), At(ID, "150 tick")];
    assert_eq!(tell(&spec, lines).refusals(), ["BOOK_GROSS_EXCEEDED value=10010 limit=8000 unit=quote"; 2]);
}

#[test]
fn what_was_bought_while_the_book_was_lost_counts() {
    // The bid of 5 fills while it is on its way out, after the connection is gone: 5010 at the last mid there was.
    let mut spec = two_venues();
    spec.risk.book.exposure.gross_max = Some(money(12_000));
    for desk in &mut spec.desks {
        desk.paper.latency = papermaker::exchange::latency::LatencySpec::constant(20_000, 0, 0);
    }
    let told = tell(
        &spec,
        vec![
            At(KRAKEN, "100 book 10@1000 / 10@1004"),
            At(KRAKEN, "150 tick"),
            At(KRAKEN, "155 gap"),
            At(KRAKEN, "160 sell 15@1000"),
            At(KRAKEN, "250 tick"),
            At(ID, "300 book 10@1000 / 10@1004"),
            At(ID, "350 tick"),
        ],
    );
    assert_eq!(told.session.equity(KRAKEN).position, Lots(5));
    let sent = told.said.iter().filter(|(seq, output)| *seq >= 6 && matches!(output, Output::Sent(_))).count();
    // 5010 held there and 5010 either way here are 10020: within 12000, and more than 10000.
    assert_eq!((sent, told.refusals()), (2, vec![]));
    spec.risk.book.exposure.gross_max = Some(money(10_000));
    let told = tell(
        &spec,
        vec![
            At(KRAKEN, "100 book 10@1000 / 10@1004"),
            At(KRAKEN, "150 tick"),
            At(KRAKEN, "155 gap"),
            At(KRAKEN, "160 sell 15@1000"),
            At(KRAKEN, "250 tick"),
            At(ID, "300 book 10@1000 / 10@1004"),
            At(ID, "350 tick"),
        ],
    );
    assert_eq!(told.refusals(), ["BOOK_GROSS_EXCEEDED value=10020 limit=10000 unit=quote"; 2]);
}

#[test]
pub fn an_instrument_that_loses_too_much_is_halted_and_no_other() {
    // 5 bought at 1000 on both; one falls to 900: 500 lost there, 400 allowed of each.
    let mut spec = two_venues();
    spec.risk.instruments.iter_mut().for_each(|own| own.loss_max = Some(money(400)));
    spec.risk.conduct.flatten_on_halt = true;
    let fell = || {
        let mut lines = long_on_both();
        lines.extend([At(KRAKEN, "200 book 10@899 / 10@901"), At(ID, "210 tick")]);
        lines
    };
    let halted = ("instrument", "halted", "INSTRUMENT_LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote");
    let told = tell(&spec, fell());
    told.says(&[halted]);
    assert_eq!((resting(&told, ID), resting(&told, KRAKEN)), (vec![(Side::Ask, 5)], vec![]));
    assert_eq!(told.session.mode(), papermaker::engine::Mode::Quoting, "only a halt of the book flattens the book");
    // It waits for an operator, who has to wait for the price: at 950 the loss is 250.
    let again = || {
        let mut lines = fell();
        lines.extend([At(ID, "220 resume"), At(KRAKEN, "300 book 10@949 / 10@951"), At(ID, "9000 tick")]);
        lines
    };
    let refused =
        ("instrument", "halted", "RESUME_REFUSED INSTRUMENT_LOSS_EXCEEDED value=500.00 limit=400.00 unit=quote");
    tell(&spec, again()).says(&[halted, refused]);
    let mut lines = again();
    lines.extend([At(ID, "9100 resume"), At(KRAKEN, "9200 book 10@949 / 10@951")]);
    let told = tell(&spec, lines);
    told.says(&[halted, refused, ("instrument", "active", "resumed")]);
    assert_eq!(resting(&told, KRAKEN), [(Side::Ask, 5)]);
}

#[test]
fn a_hedged_book_can_be_flattened_although_each_leg_alone_leans_too_far() {
    // Long 5 here and short 5 there, 1000 allowed net: whichever leg goes first leaves 5000 of the other.
    let mut lines: Vec<_> = [(ID, "160 sell 15@1000"), (KRAKEN, "160 buy 15@1004")]
        .into_iter()
        .flat_map(|(id, fill)| ["100 book 10@1000 / 10@1004", "150 tick", fill, "170 tick"].map(|line| At(id, line)))
        .collect();
    let mut limits = two_venues().risk;
    limits.book.exposure.net_max = Some(money(1_000));
    lines.extend([Limits(200, limits), At(ID, "210 flatten"), At(ID, "220 tick"), At(ID, "230 tick")]);
    let told = tell(&two_venues(), lines);
    assert_eq!([ID, KRAKEN].map(|id| told.session.equity(id).position), [Lots(0); 2], "{:#?}", told.refusals());
}

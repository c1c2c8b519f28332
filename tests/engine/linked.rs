//! Orders in a market that answers by itself: what comes in is believed, and nothing else.

use papermaker::engine::{Input, Output, Session, Stamped};
use papermaker::exchange::fee::Schedule;
use papermaker::exchange::place::Answers;
use papermaker::order::{Fill, FillWhy, Liquidity, OrderId, Report, ReportKind, Request};
use papermaker::units::{LocalTime, Lots, Money, Rate, Side, Ticks};

use super::story::{ID, joining, spec, story};

fn linked(answers: Answers) -> Session {
    let mut spec = spec(100);
    spec.desks[0].answers = answers;
    spec.desks[0].paper.fees = Schedule::flat(Rate(10_000), Rate(20_000));
    Session::new(&spec)
}

fn told(seq: u64, order: u64, kind: ReportKind) -> Stamped {
    let at = LocalTime(seq as i64 * 1_000_000);
    Stamped { seq, at, input: Input::Report(Report { id: OrderId(order), instrument: ID, happened: at, kind }) }
}

fn bought(price: i64, qty: i64, remaining: i64) -> ReportKind {
    ReportKind::Filled(Fill {
        side: Side::Bid,
        price: Ticks(price),
        qty: Lots(qty),
        remaining: Lots(remaining),
        fee: Money::ZERO,
        liquidity: Liquidity::Maker,
        why: FillWhy::QueueFront,
        queue_ahead: Lots::ZERO,
    })
}

/// Joins 1000 / 1002 with five lots; the bid is order 1. Then a print that a paper exchange would fill it by, and what the
/// market has to say of it.
fn day(answers: Answers) -> (Session, Vec<Output>) {
    let mut session = linked(answers);
    let mut strategies = joining(5);
    let mut inputs = story("0 book 10@1000 / 10@1002\n1 sell 50@999");
    inputs.push(told(3, 1, ReportKind::Accepted { queue_ahead: Lots(10) }));
    inputs.push(told(4, 1, bought(1000, 2, 3)));
    let mut out = Vec::new();
    inputs.iter().for_each(|input| session.step(input, &mut strategies, &mut out));
    (session, out)
}

#[test]
fn a_market_that_answers_by_itself_fills_what_it_says_and_no_more() {
    let (session, out) = day(Answers::Told);
    assert!(out.iter().any(|o| matches!(o, Output::Sent(Request::Place { side: Side::Bid, price: Ticks(1000), .. }))));
    // 50 lots went through our price, and the market says two of them were ours: 10 bps of 2 · 1000.
    assert_eq!(session.equity(ID).position, Lots(2));
    let fees: Vec<_> = out
        .iter()
        .filter_map(|o| match o {
            Output::Heard(Report { kind: ReportKind::Filled(fill), .. }) => Some(fill.fee.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(fees, ["2"]);
    assert_eq!(session.venue(ID).queue_ahead(OrderId(1)), Some(Lots(10)));
}

#[test]
fn the_paper_exchange_takes_no_word_of_others() {
    let (session, _) = day(Answers::Modelled);
    assert_eq!(session.equity(ID).position, Lots(5), "the print went through five lots of ours, and that is all");
}

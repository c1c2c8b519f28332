//! Contracts inside a session: funding, a loss in the coin, a flattening order on a coarse price.

use papermaker::engine::{FundingPayment, Input, Output, Session, SessionSpec};
use papermaker::market::{Contract, Instrument, Kind, PriceRule};
use papermaker::order::{OrderKind, Request};
use papermaker::portfolio::Balance;
use papermaker::risk::RiskState;
use papermaker::units::{Lots, Money, Step, Ticks, VenueTime};

use super::story::{ID, joining, rules, run, spec, story};

/// Like the story's instrument, but a contract; an inverse one is of 1000 units of quote currency.
pub fn contract(kind: Kind) -> SessionSpec {
    let mut spec = spec(100);
    let settle = if kind == Kind::Inverse { "TEST" } else { "USDT" };
    let lot = Step::parse(if kind == Kind::Inverse { "1000" } else { "1" }).expect("a lot");
    let contract = Contract { kind, unit: Step::ONE, settle: settle.to_owned(), funding_every: None };
    spec.desks[0].rules = Instrument { lot, ..rules() }.with_contract(contract);
    spec
}

fn money(text: &str) -> Money {
    Money::from_decimal(text.parse().expect("a decimal")).expect("in range")
}

fn funding(said: &[(u64, Output)]) -> Vec<FundingPayment> {
    said.iter().filter_map(|(_, o)| if let Output::Funding(paid) = o { Some(*paid) } else { None }).collect()
}

fn tells(spec: &SessionSpec, told: &str) -> (Session, Vec<(u64, Output)>) {
    run(spec, joining(5), &story(told))
}

/// Five are bought at 1000.
const LONG: &str = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 tick\n";

#[test]
fn a_long_pays_what_is_due_once_and_it_is_not_trading_profit() {
    let told = format!(
        "{LONG}200 mark 1002 rate 0.01 due 300\n299 mark 1002\n301 mark 1010\n302 mark 1010 rate 0.01 due 300
        350 mark 1010 rate -0.02 due 400\n420 mark 1020"
    );
    let (session, said) = tells(&contract(Kind::Linear), &told);
    // 5 × 1002 × 0.01 = 50.1 paid at 300; 5 × 1010 × -0.02 = -101 paid to us at 400.
    let due: Vec<_> = funding(&said).iter().map(|p| (p.due.map(|at| at.0 / 1_000_000), p.amount)).collect();
    assert_eq!(due, [(Some(300), money("50.1")), (Some(400), money("-101"))]);
    let mark = session.equity(ID);
    assert_eq!((mark.funding, mark.position), (money("-50.9"), Lots(5)));
    assert_eq!(mark.realised + mark.unrealised, mark.spread + mark.inventory);
    // Bought 5 at 1000, the mid is 1002: 10 earned and 50.9 received, with 5000 of it in the position's cost.
    assert_eq!((mark.unrealised, mark.cash), (money("10"), money("-4949.1")));
    assert_eq!(session.balance(ID), Balance { base: Lots::ZERO, quote: Money::ZERO });
}

#[test]
fn who_holds_nothing_pays_nothing() {
    let (session, said) =
        tells(&contract(Kind::Linear), "100 mark 1002 rate 0.01 due 300\n320 mark 1002 rate 0.01 due 900");
    assert_eq!((funding(&said).len(), session.equity(ID).funding), (0, Money::ZERO));
    assert!(!said.iter().any(|(_, o)| matches!(o, Output::FundingUnknown { .. })), "{said:#?}");
}

#[test]
fn payments_nobody_told_us_of_are_said_to_be_unknown() {
    let told = format!("{LONG}200 mark 1002 rate 0.01 due 300\n210 lost\n640 mark 1010 rate 0.01 due 700");
    let (session, said) = tells(&contract(Kind::Linear), &told);
    // Due at 300, and at 400, 500 and 600 while we were away.
    assert_eq!(session.equity(ID).funding, money("50.1"));
    let unknown: Vec<_> = said.iter().filter(|(_, o)| matches!(o, Output::FundingUnknown { .. })).collect();
    assert!(matches!(unknown[..], [(7, Output::FundingUnknown { position: Lots(5), payments: 3, .. })]), "{said:#?}");
}

#[test]
fn what_accrues_is_posted_at_once_and_said_with_the_next_equity_mark() {
    // 5 × 1000 × 0.01 = 50 per 100 ms, and marks every 50 ms: 25 each, eighteen of them by 1100.
    let marks: String = (4..=24).map(|i| format!("{} mark 1000 rate 0.01 accrues\n", 50 * i)).collect();
    let (session, said) = tells(&contract(Kind::Linear), &format!("{LONG}{marks}"));
    assert_eq!(session.equity(ID).funding, money("500"));
    let paid = funding(&said);
    assert_eq!((paid.len(), paid[0].amount, paid[0].due), (1, money("450"), None));
    let marked = said.iter().find_map(|(_, o)| if let Output::Equity(mark) = o { Some(mark.funding) } else { None });
    assert_eq!(marked, Some(money("450")), "the outputs add up to the equity mark after them");
}

#[test]
fn a_mark_does_not_make_a_silent_book_look_fresh() {
    let mut spec = contract(Kind::Linear);
    spec.risk.instruments[0].stale_book_ms = 100;
    let (session, _) = tells(&spec, "100 book 10@1000 / 10@1004\n150 tick\n190 mark 1002\n220 tick");
    assert_eq!(session.book_state(ID).word(), "stale");
}

#[test]
fn a_loss_in_the_coin_is_limited_in_quote_currency() {
    // 5 contracts of 1000 USD long from 1000. At a mid of 902: 5000/1000 - 5000/902 = -0.54323… of the coin, which
    // are 5000 × 902/1000 - 5000 = -490 USD there; at 892 they are -540.
    let mut spec = contract(Kind::Inverse);
    spec.risk.book.loss_max = Some(money("500"));
    let told = format!("{LONG}200 pause\n210 book 10@900 / 10@904\n220 tick\n");
    let (session, _) = tells(&spec, &told);
    let mark = session.equity(ID);
    assert_eq!((mark.position, format!("{:.6}", mark.unrealised)), (Lots(5), "-0.543237".to_owned()));
    assert_eq!(format!("{:.9}", session.equity_in_quote(ID)), "-490.000000000");
    assert_eq!(session.notional_in_quote(ID), Some(money("5000")));
    assert_eq!(session.risk_state(), RiskState::Active);
    let (session, said) = tells(&spec, &format!("{told}230 book 10@890 / 10@894"));
    assert_eq!(session.risk_state(), RiskState::Halted, "{said:#?}");
    let reason =
        said.iter().find_map(|(_, o)| if let Output::Risk { reason, .. } = o { Some(reason.as_str()) } else { None });
    assert_eq!(reason, Some("LOSS_EXCEEDED value=540.00 limit=500.00 unit=quote"));
    // The book is lost: the last mid still says what the coin is worth.
    let (session, _) = tells(&spec, &format!("{told}230 lost"));
    assert_eq!(format!("{:.9}", session.equity_in_quote(ID)), "-490.000000000");
}

#[test]
fn an_order_of_an_inverse_contract_is_as_large_as_its_quantity() {
    // 5 contracts are 5000 USD at any price.
    let mut spec = contract(Kind::Inverse);
    for (limit, refused) in [("5000", false), ("4999", true)] {
        spec.risk.instruments[0].order_notional_max = money(limit);
        let (_, said) = tells(&spec, "100 book 10@1000 / 10@1004\n150 tick");
        assert_eq!(said.iter().any(|(_, o)| matches!(o, Output::Refused { .. })), refused, "limit {limit}: {said:#?}");
    }
}

#[test]
fn a_flattening_order_lies_on_a_price_the_venue_takes() {
    // The collar of 50 bps reaches 2.5 ticks below the touch of 1000; in steps of 4 that is 1000 again, not 998.
    let mut spec = contract(Kind::Linear);
    spec.desks[0].rules.price_rule = PriceRule::Steps(vec![(Ticks(900), 4)]);
    spec.risk.instruments[0].collar_centibps = 5_000;
    let (session, said) = tells(&spec, &format!("{LONG}200 flatten\n210 tick\n220 tick"));
    let crossing = said.iter().find_map(|(_, o)| match o {
        Output::Sent(Request::Place { kind: OrderKind::Ioc, price, .. }) => Some(*price),
        _ => None,
    });
    assert_eq!((crossing, session.equity(ID).position), (Some(Ticks(1_000)), Lots(0)), "{said:#?}");
}

#[test]
fn funding_is_the_same_however_the_session_is_interrupted() {
    let told =
        format!("{LONG}200 mark 1002 rate 0.01 due 300\n250 mark 1003 rate 0.02 accrues\n290 mark 1004\n310 mark 1010");
    let inputs = story(&told);
    assert!(
        inputs.iter().any(|i| matches!(&i.input, Input::Market(e) if e.venue_time == Some(VenueTime(290_000_000))))
    );
    let (whole, _) = run(&contract(Kind::Linear), joining(5), &inputs);
    let (first, _) = run(&contract(Kind::Linear), joining(5), &inputs[..6]);
    let mut resumed: Session = postcard::from_bytes(&papermaker::digest::canonical_bytes(&first)).expect("reads back");
    let mut out = Vec::new();
    inputs[6..].iter().for_each(|input| resumed.step(input, &mut joining(5), &mut out));
    assert_eq!((resumed.digest(), resumed.state_digest()), (whole.digest(), whole.state_digest()));
}

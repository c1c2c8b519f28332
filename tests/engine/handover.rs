//! A session that goes on in another: what is owed is paid once, and the account's sums go on.

use papermaker::engine::{Command, Input, Session, SessionSpec, Stamped};
use papermaker::market::Kind;
use papermaker::units::{LocalTime, Money};

use super::contracts::contract;
use super::story::{ID, joining, run, story};

/// Ends after `cut` inputs and goes on in another session; both, once the rest has been heard.
fn handed_over(spec: &SessionSpec, inputs: &[Stamped], cut: usize) -> (Session, Session) {
    let (first, _) = run(spec, joining(5), &inputs[..cut]);
    let restore = Command::Restore(Box::new(first.carried("first")));
    let told = std::iter::once(Input::Command { by: "account".to_owned(), command: restore }).chain(first.handover());
    let at = first.now();
    let rest = told.map(|input| (at, input)).chain(inputs[cut..].iter().map(|i| (i.at, i.input.clone())));
    let inputs: Vec<Stamped> = rest.zip(1..).map(|((at, input), seq)| Stamped { seq, at, input }).collect();
    let (second, _) = run(spec, joining(5), &inputs);
    (first, second)
}

fn money(text: &str) -> Money {
    Money::from_decimal(text.parse().expect("a decimal")).expect("in range")
}

fn paid(sessions: [&Session; 2]) -> Money {
    sessions.map(|session| session.equity(ID).funding).into_iter().sum()
}

/// Five are bought at 1000.
const LONG: &str = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 tick\n";

#[test]
fn funding_is_paid_once_wherever_a_recording_ends_and_the_accounts_sum_goes_on() {
    // 5 × 1003 × 0.01 = 50.15 paid at 300; 5 × 1010 × -0.02 = -101 paid to us at 400.
    let told = format!(
        "{LONG}200 mark 1002 rate 0.01 due 300\n250 mark 1003\n301 mark 1010\n302 mark 1010 rate 0.01 due 300
        350 mark 1010 rate -0.02 due 400\n420 mark 1020"
    );
    let (spec, inputs) = (contract(Kind::Linear), story(&told));
    let (whole, _) = run(&spec, joining(5), &inputs);
    assert_eq!(whole.equity(ID).funding, money("-50.85"));
    let settled = |session: &Session| session.carried("").score.expect("a score").settled;
    let mut waits = Vec::new();
    for cut in 4..inputs.len() {
        let (first, second) = handed_over(&spec, &inputs, cut);
        if first.can_hand_over() {
            assert_eq!(paid([&first, &second]), money("-50.85"), "ended after {cut}");
            assert_eq!(settled(&second), settled(&whole), "ended after {cut}");
        } else {
            // What was paid at 300 and is still announced would be paid again: 5 × 1010 × 0.01.
            assert_eq!(paid([&first, &second]), money("-0.35"), "ended after {cut}");
            waits.push(inputs[cut - 1].at);
        }
    }
    assert_eq!(waits, [301, 302].map(|ms| LocalTime(ms * 1_000_000)), "when a recording waits with its end");
}

#[test]
fn funding_that_accrues_goes_on_to_the_moment() {
    // 5 × 1000 × 0.01 = 50 per 100 ms, from 200 to 400.
    let marks: String = (4..=8).map(|i| format!("{} mark 1000 rate 0.01 accrues\n", 50 * i)).collect();
    let (spec, inputs) = (contract(Kind::Linear), story(&format!("{LONG}{marks}")));
    for cut in 4..inputs.len() {
        let (first, second) = handed_over(&spec, &inputs, cut);
        assert!(first.can_hand_over());
        assert_eq!(paid([&first, &second]), money("100"), "ended after {cut}");
    }
}

//! What one session leaves to the next.

use papermaker::engine::Carried;
use papermaker::journal::{Account, AccountState, JournalError, Standstill};
use papermaker::market::InstrumentId;
use papermaker::order::{Order, OrderId, OrderKind, OrderState};
use papermaker::risk::RiskState;
use papermaker::units::{LocalTime, Lots, Money, Side, Step, Ticks};

use super::fixture::temporary;

fn state(position: i64, orders: u64) -> AccountState {
    let order = |id| Order {
        id: OrderId(id),
        instrument: InstrumentId(0),
        side: Side::Bid,
        price: Ticks(6_000_000),
        qty: Lots(100),
        remaining: Lots(40),
        kind: OrderKind::PostOnly,
        state: OrderState::Working,
        sent: LocalTime(5),
        joined_behind: Some(Lots(7)),
    };
    AccountState {
        instruments: vec!["binance-spot:BTCUSDT".to_owned()],
        lots: vec![Step::parse("0.00001").unwrap()],
        carried: Carried {
            from: "monday".to_owned(),
            positions: vec![Lots(position)],
            costs: vec![Money(i128::MAX / 7)],
            held_since: vec![LocalTime(3)],
            hour: vec![(7, Money(-5))],
            state: RiskState::Halted,
            score: None,
            trips: vec![],
        },
        simulated: false,
        score_elsewhere: None,
        working: (0..orders).map(order).collect(),
        limits: None,
        limits_set: vec!["risk.collar_bps=50".to_owned()],
        approved_at: Some("2026-11-21T08:00Z".to_owned()),
        limits_of: None,
        halted: Some("loss limit".to_owned()),
        session: "monday".to_owned(),
        at: LocalTime(9),
        standstill: Some(Standstill {
            flattens: orders > 0,
            by: "anna (lunch)".to_owned(),
            session: "sunday".to_owned(),
        }),
    }
}

#[test]
fn an_account_survives_from_one_bot_to_the_next() {
    let folder = temporary();
    let mut account = Account::open(folder.path()).unwrap();
    assert_eq!(account.load().unwrap(), None);
    // 2,000 working orders are far more than the 4 KiB one sled value may safely have; then few again.
    for (position, orders) in [(1, 0), (2, 2000), (-3, 4)] {
        account.save(&state(position, orders)).unwrap();
        assert_eq!(account.load().unwrap(), Some(state(position, orders)));
    }
    drop(account);
    let account = Account::open(folder.path()).unwrap();
    assert_eq!(account.load().unwrap(), Some(state(-3, 4)));
}

#[test]
fn two_bots_on_one_account_are_refused_and_the_holder_named() {
    let folder = temporary();
    let first = Account::open(folder.path()).unwrap();
    let error = Account::open(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::Held { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains("account.sled"), "{error}");
    drop(first);
    Account::open(folder.path()).unwrap();
}

#[test]
fn an_account_that_was_lost_is_not_taken_for_a_fresh_one() {
    let folder = temporary();
    let mut account = Account::open(folder.path()).unwrap();
    account.save(&state(7, 0)).unwrap();
    drop(account);
    // sled itself opens this without a word, as an empty database.
    let log = folder.path().join("account.sled/db");
    std::fs::write(&log, vec![0; std::fs::metadata(&log).unwrap().len() as usize]).unwrap();
    let error = Account::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("account.sled") && error.contains("move it away"), "{error}");
}

#[test]
fn an_account_in_which_nothing_was_saved_yet_opens_again() {
    let folder = temporary();
    drop(Account::open(folder.path()).unwrap());
    assert_eq!(Account::open(folder.path()).unwrap().load().unwrap(), None);
}

//! Nothing is quoted because somebody said so: it outlasts sessions, however they end.

use std::path::Path;

use papermaker::digest::Digest;
use papermaker::engine::{Command, Input, Mode};
use papermaker::journal::{Account, Manifest, Options, Standstill, Store};
use papermaker::run::core::Core;
use papermaker::run::purse::Purse;
use papermaker::units::{LocalTime, Lots};

use crate::engine::story::{ID, joining, spec, story};

/// One session of the account in `store`: what it brings, then a story. Says its mode and position after that, and what the
/// account holds of a standstill once it has ended, or was killed.
fn session(store: &Path, name: &str, told: &str, is_killed: bool) -> (Mode, Lots, Option<Standstill>) {
    let spec = spec(100);
    let account = Account::open(store).expect("an account");
    let (purse, brought) = Purse::take(account, &spec, false, Digest::of(b"configured")).expect("a purse");
    let manifest = Manifest::new(name, spec.clone(), LocalTime(0));
    let writer = Store::open(store).create(name, manifest, Options::IMPORT).expect("begins");
    let mut core = Core::new(&spec, joining(5), writer, Some(purse), 1_000);
    if let Some(carried) = brought.carried {
        let command = Command::Restore(Box::new(carried));
        core.take(LocalTime(0), Input::Command { by: "account".to_owned(), command }).expect("taken");
    }
    if let Some(standstill) = brought.standstill {
        core.stand_still(LocalTime(0), standstill).expect("taken");
    }
    for stamped in story(told) {
        core.take(stamped.at, stamped.input).expect("taken");
    }
    let (mode, position) = (core.session().mode(), core.session().equity(ID).position);
    if is_killed {
        drop(core)
    } else {
        drop(core.finish().expect("ends"))
    }
    let account = Account::open(store).expect("an account").load().expect("reads").expect("was saved");
    (mode, position, account.standstill)
}

fn said(flattens: bool, by: &str, session: &str) -> Option<Standstill> {
    Some(Standstill { flattens, by: by.to_owned(), session: session.to_owned() })
}

#[test]
fn a_flatten_that_was_cut_short_goes_on_and_is_a_pause_once_it_is_done() {
    let here = tempfile::tempdir().expect("a folder");
    // Five bought; then the book is lost before anything can be sold.
    let bought = "100 book 10@1000 / 10@1004\n150 tick\n160 sell 15@1000\n170 gap\n180 flatten\n190 tick";
    let left = session(here.path(), "monday", bought, true);
    assert_eq!(left, (Mode::Flattening, Lots(5), said(true, "operator", "monday")));
    // Nor is there one on Tuesday; the end of a session is no end of what was wanted.
    let left = session(here.path(), "tuesday", "100 tick\n200 stop\n300 tick", false);
    assert_eq!(left, (Mode::Stopped, Lots(5), said(true, "operator", "monday")));
    let wednesday = "100 book 10@1000 / 10@1004\n150 tick\n160 tick\n170 tick";
    let left = session(here.path(), "wednesday", wednesday, true);
    assert_eq!(left, (Mode::Paused, Lots(0), said(false, "operator", "monday")));
    let left = session(here.path(), "thursday", "100 book 10@1000 / 10@1004\n150 resume\n160 tick", false);
    assert_eq!(left, (Mode::Quoting, Lots(0), None));
}

#[test]
fn who_pauses_a_paused_bot_is_who_paused_it() {
    let here = tempfile::tempdir().expect("a folder");
    session(here.path(), "monday", "100 pause", false);
    let left = session(here.path(), "tuesday", "100 tick\n150 pause\n160 tick", false);
    assert_eq!(left, (Mode::Paused, Lots(0), said(false, "operator", "tuesday")));
}

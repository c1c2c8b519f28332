//! `kill -9` at moments nobody chose: what is on disk opens, replays, and the next run goes on from it.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use papermaker::engine::{Command, Input};
use papermaker::journal::{Account, Reader, Store};
use papermaker::rng::Stream;
use papermaker::units::Lots;

use super::BOLD;
use crate::support::bot::{Bot, Left};
use crate::support::full_size;
use crate::verbs::papermaker;

fn demo(folder: &Path, name: &str) -> Bot {
    Bot::start(folder, name, &[&BOLD[..], &["--set", "simulator.market_rate_per_s=50"]].concat())
}

#[test]
fn a_session_killed_at_any_moment_opens_replays_and_is_carried_on() {
    let here = tempfile::tempdir().expect("a folder");
    let store = here.path().join("store");
    let rounds = if full_size() { 50 } else { 6 };
    let mut moments = Stream::new(7, "tests.death");
    let mut held = vec![Lots::ZERO];
    let mut carried_on = 0;
    for round in 0..rounds {
        let name = format!("round-{round}");
        let mut bot = demo(here.path(), &name);
        bot.wait_until("begun", |picture| picture["seq"].as_u64() > Some(0));
        sleep(Duration::from_millis(moments.below(1_500)));
        bot.signal("KILL");
        assert_eq!(bot.end().code(), None, "killed");

        let left = Left { folder: here.path(), session: &name };
        if round % 2 == 1 {
            // The index is a convenience: without it nothing is lost.
            std::fs::remove_dir_all(bot.session().join("index.sled")).expect("an index");
        }
        let found = left.verb(&["sessions", "verify"], &["--json"]).exits(0).json();
        assert_eq!((&found["ok"], &found["state"]), (&true.into(), &"recovered".into()), "round {round}: {found}");
        left.replays();
        left.conduct();
        let (empty, restored) = beginning(&store, &name);
        // Killed within its first tenth of a second, before a block was written, it has nothing to show, not even that.
        if held.iter().any(|position| *position != Lots::ZERO) && !empty {
            assert_eq!(restored.expect("a position to carry"), held, "round {round}");
            carried_on += 1;
        }
        // Saved with every fill, so it may be ahead of the last block that reached the disk, never behind.
        let account = Account::open(&store).expect("the dead do not hold the account");
        held = account.load().expect("an account").map_or(held, |state| state.carried.positions);
    }
    let list = papermaker(here.path(), &["sessions", "list", "--json", "--set", "store.path=store"]).exits(0).json();
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(rounds), "{list}");
    assert!(carried_on > 0, "no round held a position when it died");
}

/// Whether a session has no input at all, and the positions it began with, if it carried any over.
fn beginning(store: &Path, session: &str) -> (bool, Option<Vec<Lots>>) {
    let mut reader = Store::open(store).reader(session).expect("a recording");
    let mut first = Reader::blank();
    let empty = !reader.next_input(&mut first).expect("readable");
    match first.input {
        Input::Command { command: Command::Restore(carried), .. } => (empty, Some(carried.positions)),
        Input::Command { .. } | Input::Market(_) | Input::Feed(_) | Input::Report(_) | Input::Tick => (empty, None),
    }
}

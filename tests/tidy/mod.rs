//! The rules of the house, checked on the source itself.
//!
//! [`house`] is the rules as data: to move a module, to let a crate in, or to grant an exception is a one-line diff
//! there, with its reason, reviewed as a change of architecture. [`rules`] reads the source, [`scrub`] lets it see
//! code without comments and text.

mod house;
mod rules;
mod scrub;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rs` below `folder`: its path from the root with forward slashes, and its text. In order.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).expect("a readable source")));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no source below {folder}");
    found
}

#[track_caller]
fn assert_clean(problems: &[String]) {
    assert!(problems.is_empty(), "the house is not tidy:\n  {}\n", problems.join("\n  "));
}

fn everywhere(rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    ["src", "tests", "benches"].iter().flat_map(|f| sources(f)).flat_map(|(file, text)| rule(&file, &text)).collect()
}

#[test]
fn a_module_uses_lower_floors_only() {
    assert_clean(&everywhere(rules::floors));
}

#[test]
fn every_module_has_a_floor_and_every_floor_its_modules() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("a library");
    let mut declared: Vec<&str> =
        lib.lines().filter_map(|l| l.trim().strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let mut placed: Vec<&str> = house::FLOORS.iter().flat_map(|floor| floor.iter().copied()).collect();
    placed.retain(|name| *name != "main");
    declared.sort_unstable();
    placed.sort_unstable();
    assert_eq!(declared, placed, "src/lib.rs and the floor table in tests/tidy/house.rs disagree");
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    assert_clean(&everywhere(rules::crates));
}

#[test]
fn no_clock_no_hash_order_no_thread_leaks_into_the_core() {
    assert_clean(&everywhere(rules::determinism));
}

#[test]
fn money_never_touches_a_float() {
    assert_clean(&everywhere(rules::money));
}

#[test]
fn nothing_unfinished_is_left() {
    assert_clean(&everywhere(rules::unfinished));
}

#[test]
fn every_thing_has_a_noun_of_its_own() {
    assert_clean(&everywhere(|file, _| rules::names(file)));
}

#[test]
fn a_file_is_one_sitting_long() {
    assert_clean(&everywhere(rules::length));
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    assert_clean(&rules::dependencies(&manifest));
}

#[test]
fn no_exception_outlives_its_reason() {
    let files: Vec<String> =
        ["src", "tests", "benches"].iter().flat_map(|f| sources(f)).map(|(file, _)| file).collect();
    let named = house::LONG_FILES.iter().chain(house::FLOATS_NEAR_MONEY);
    for (file, reason) in named {
        assert!(files.iter().any(|f| f == file), "tests/tidy/house.rs excuses {file} ({reason}), which is gone");
    }
}

/// The tidy test itself: each rule catches a fabricated offence at its line, and lets the decent neighbour pass.
mod catches {
    use super::rules;

    #[test]
    fn a_use_of_a_higher_floor_in_every_spelling() {
        let found = rules::floors("src/market/book.rs", "use crate::units::Ticks;\nuse crate::engine::Session;\n");
        assert_eq!(
            found,
            ["src/market/book.rs:2: 'market' may not use 'engine' (floor 1 uses floors below 1; it is on 5)"]
        );
        let nested = "use crate::{\n    units::{Lots, Ticks},\n    strategy::{View, Decision},\n};\n";
        let found = rules::floors("src/signal/flow.rs", nested);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/signal/flow.rs:3: 'signal' may not use 'strategy'"), "{found:?}");
        assert_eq!(rules::floors("src/units.rs", "fn f() -> crate::market::Book { todo() }").len(), 1);
    }

    #[test]
    fn a_neighbour_on_the_same_floor_but_not_oneself_nor_a_mere_mention() {
        assert_eq!(rules::floors("src/config/mod.rs", "use crate::feed::Health;").len(), 1);
        assert!(rules::floors("src/journal/mod.rs", "use crate::journal::block::Block;").is_empty());
        let mention = "//! See [`crate::engine`].\nconst X: &str = \"crate::engine\"; /* crate::run */ // crate::run\n";
        assert!(rules::floors("src/market/book.rs", mention).is_empty());
    }

    #[test]
    fn a_crate_out_of_its_place() {
        let found = rules::crates("src/engine/session.rs", "use std::fmt;\nuse tokio::sync::mpsc;\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("src/engine/session.rs:2: 'tokio' is used in dashboard, "), "{found:?}");
        assert!(rules::crates("src/feed/socket.rs", "use tokio::net::TcpStream;").is_empty());
        assert!(rules::crates("src/sim/server.rs", "use tokio::net::TcpStream;").is_empty());
        assert_eq!(rules::crates("src/sim/world.rs", "use tokio::net::TcpStream;").len(), 1);
    }

    #[test]
    fn a_clock_a_hash_map_and_a_thread_in_the_core() {
        let text = "use std::collections::HashMap;\nlet t = Instant::now();\nstd::thread::spawn(f);\nasync fn g() {}\n";
        let found = rules::determinism("src/exchange/paper.rs", text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[1].starts_with("src/exchange/paper.rs:2: `Instant::now`"), "{found:?}");
        assert!(rules::determinism("src/run/clock.rs", "let t = Instant::now();").is_empty());
    }

    #[test]
    fn a_float_in_money() {
        let found = rules::money("src/portfolio/ledger.rs", "let fee: f64 = 0.1;\nlet buf64 = 1;\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/portfolio/ledger.rs:1: "), "{found:?}");
        assert_eq!(rules::money("src/exchange/matching/level.rs", "fn f(x: f32) {}").len(), 1);
        assert!(rules::money("src/exchange/latency.rs", "fn f(x: f64) {}").is_empty());
    }

    #[test]
    fn what_is_unfinished_badly_named_or_too_long() {
        for text in ["fn f() { todo!() }", "dbg!(x);", "#[ignore]\nfn t() {}", "unimplemented!(\"x\")"] {
            assert_eq!(rules::unfinished("src/run/live.rs", text).len(), 1, "{text}");
        }
        let stub = format!("/// {}\nstruct S;", ["PLACE", "HOLDER"].concat());
        assert_eq!(rules::unfinished("src/risk/gate.rs", &stub).len(), 1);
        assert!(rules::unfinished("src/run/live.rs", "// the todo!() of yesterday is done\n").is_empty());
        assert_eq!(rules::names("src/engine/utils.rs").len(), 1);
        assert_eq!(rules::names("src/common/mod.rs").len(), 1);
        assert!(rules::names("src/engine/working.rs").is_empty());
        assert_eq!(rules::length("src/engine/session.rs", &"x\n".repeat(601)).len(), 1);
        assert!(rules::length("src/engine/session.rs", &"x\n".repeat(600)).is_empty());
    }

    #[test]
    fn a_dependency_without_a_reason() {
        let manifest = "[dependencies]\n# -- chosen by the user --\ntokio = \"1\"\n# -- the rest --\n# hashes\nblake3 = \"1\"\n\
                        csv = \"1\"\nlibm = \"0.2\" # same bits\n[profile.dev]\ndebug = true\n";
        assert_eq!(rules::dependencies(manifest), ["Cargo.toml:7: `csv` does not say why it is here"]);
    }
}

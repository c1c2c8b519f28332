//! Help, usage errors, and the verbs that need no session.

use super::papermaker;

/// CONTRACT's verbs, and ours.
const VERBS: [&str; 26] = [
    "run",
    "replay",
    "referee",
    "report",
    "realism",
    "calibrate",
    "backtest",
    "train",
    "evaluate",
    "policy",
    "sessions",
    "status",
    "stop",
    "pause",
    "resume",
    "halt",
    "flatten",
    "limits",
    "risk",
    "config",
    "doctor",
    "exchange",
    "alerts",
    "completions",
    "man",
    "help",
];

fn empty() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn help_names_every_verb_of_the_contract_and_no_other() {
    let here = empty();
    let help = papermaker(here.path(), &["--help"]).exits(0).stdout();
    assert!(help.contains("PAPER"), "{help}");
    let commands =
        help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list of commands");
    let listed: Vec<&str> = commands
        .lines()
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert_eq!(listed, VERBS);
}

#[test]
fn every_verb_explains_itself_with_an_example_on_stdout() {
    let here = empty();
    for verb in
        VERBS.into_iter().filter(|v| !["policy", "sessions", "limits", "risk", "config", "alerts", "help"].contains(v))
    {
        let help = papermaker(here.path(), &[verb, "--help"]).exits(0).stdout();
        assert!(help.contains("Example") && help.contains(&format!("papermaker {verb}")), "{verb}:\n{help}");
        assert!(help.contains("--set") && help.contains("--config"), "{verb}:\n{help}");
    }
    for verb in [
        "sessions list",
        "sessions show",
        "sessions export",
        "sessions prune",
        "sessions keep",
        "policy import",
        "policy reference",
        "alerts test",
        "limits show",
        "limits set",
        "risk stress",
        "config show",
        "config check",
    ] {
        let mut line: Vec<&str> = verb.split(' ').collect();
        line.push("--help");
        let help = papermaker(here.path(), &line).exits(0).stdout();
        assert!(help.contains(&format!("papermaker {verb}")), "{verb}:\n{help}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_two_and_names_what_was_wrong() {
    let here = empty();
    for (line, parts) in [
        (vec!["sesions"], vec!["sesions", "sessions"]),
        (vec!["run", "--for", "60"], vec!["--for", "60s"]),
        (vec!["run", "--for", "0s"], vec!["longer than nothing"]),
        (vec!["replay"], vec!["<SESSION>"]),
        (vec!["status", "--set", "dashboard.port"], vec!["--set dashboard.port", "needs a value"]),
        (vec!["status", "--set", "dashboard.prot=1"], vec!["dashboard.prot", "did you mean dashboard.port?"]),
        (vec!["status", "--profile", "nope"], vec!["nope.toml", "no such profile"]),
        (vec!["doctor", "--venue", "binance"], vec!["binance"]),
        (vec!["sessions", "export", "x", "--kind", "filsl"], vec!["filsl", "fills"]),
    ] {
        papermaker(here.path(), &line).exits(2).complains_of(&parts);
    }
}

#[test]
fn without_a_running_bot_the_operators_verbs_say_so_and_what_to_do() {
    let here = empty();
    for verb in ["status", "stop", "pause", "resume", "halt", "flatten"] {
        let ran = papermaker(here.path(), &[verb]).exits(2);
        assert!(ran.stdout().is_empty(), "{verb} printed an answer");
        ran.complains_of(&["no bot is running", "replay/store", "hint: start one with `papermaker run`"]);
    }
    papermaker(here.path(), &["status", "--set", "store.path=elsewhere"]).exits(2).complains_of(&["elsewhere"]);
}

#[test]
fn a_bot_that_was_killed_is_told_apart_from_one_that_never_ran() {
    // Nothing listens on port 9 (discard) of a test machine; the contact file is what a killed bot leaves.
    let here = empty();
    let text = r#"{"paper":true,"address":"127.0.0.1:9","token":"t","pid":4000000,"session":"monday"}"#;
    std::fs::write(here.path().join("api.json"), text).expect("written");
    papermaker(here.path(), &["status", "--set", "store.path=."]).exits(2).complains_of(&[
        "monday",
        "4000000",
        "does not answer at 127.0.0.1:9",
        "sessions verify",
    ]);
    std::fs::write(here.path().join("api.json"), "half a te").expect("written");
    papermaker(here.path(), &["status", "--set", "store.path=."])
        .exits(2)
        .complains_of(&["api.json", "remove the file"]);
}

#[test]
fn doctor_passes_an_empty_machine_and_names_a_taken_port() {
    let here = empty();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let set = format!("dashboard.port={free}");
    let report = papermaker(here.path(), &["doctor", "--json", "--set", &set]).exits(0).json();
    assert_eq!((&report["paper"], &report["ok"]), (&true.into(), &true.into()), "{report}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let ran = papermaker(here.path(), &["doctor", "--set", &format!("dashboard.port={port}")]).exits(1);
    assert!(ran.stdout().contains("PAPER preflight"), "{}", ran.stdout());
    assert!(ran.stdout().contains(&format!("FAIL  port      dashboard.port: 127.0.0.1:{port}")), "{}", ran.stdout());
}

#[test]
fn doctor_fails_when_the_store_cannot_be_made_and_when_a_venue_is_silent() {
    let here = empty();
    std::fs::write(here.path().join("file"), "").expect("written");
    // A store below a file cannot be made, not even by root.
    let line = [
        "doctor",
        "--set",
        "store.path=file/store",
        "--set",
        "dashboard.port=0",
        "--venue",
        "binance-spot",
        "--set",
        "venues.binance-spot.rest_url=http://127.0.0.1:9",
    ];
    let ran = papermaker(here.path(), &line).exits(1);
    let said = ran.stdout();
    assert!(said.contains("FAIL  store") && said.contains("file/store"), "{said}");
    assert!(said.contains("FAIL  venue     ") && said.contains("127.0.0.1:9"), "{said}");
}

#[test]
fn doctor_asks_the_venue_that_a_run_would_trade_on() {
    let here = empty();
    let urls = [
        "--set",
        "venues.binance-spot.rest_url=http://127.0.0.1:9",
        "--set",
        "venues.binance-spot.ws_url=ws://127.0.0.1:9",
        "--set",
        "dashboard.port=0",
    ];
    let said = papermaker(here.path(), &[&["doctor", "--profile", "live"][..], &urls].concat()).exits(1).stdout();
    assert!(said.contains("FAIL  venue     binance-spot"), "{said}");
    // The demo brings its venue along.
    let said = papermaker(here.path(), &[&["doctor"][..], &urls].concat()).exits(0).stdout();
    assert!(!said.contains("venue"), "{said}");
    let unsafe_url = ["--set", "venues.binance-spot.rest_url=http://data-api.binance.vision"];
    let line = [&["doctor", "--profile", "live", "--set", "dashboard.port=0"][..], &unsafe_url].concat();
    let said = papermaker(here.path(), &line).exits(1).stdout();
    assert!(said.contains("venues.binance-spot.rest_url"), "{said}");
}

#[test]
fn config_shows_who_said_what_and_check_finds_every_problem_at_once() {
    let here = empty();
    let shown = papermaker(here.path(), &["config", "show", "--set", "dashboard.port=8081"]).exits(0).stdout();
    assert!(shown.starts_with("# PAPER"), "{shown}");
    let line = shown.lines().find(|l| l.starts_with("dashboard.port")).expect("a line for the port");
    assert!(line.contains("8081") && line.contains("# --set dashboard.port"), "{line}");
    let json = papermaker(here.path(), &["config", "show", "--json"]).exits(0).json();
    assert!(json["config_digest"].as_str().is_some_and(|d| d.len() == 64), "{json}");

    papermaker(here.path(), &["config", "check"]).exits(0);
    let wrong = ["config", "check", "--json", "--set", "dashboard.prot=1", "--set", "risk.position_max_base=-1"];
    let report = papermaker(here.path(), &wrong).exits(1).json();
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(2), "{report}");
    let schema = papermaker(here.path(), &["config", "schema"]).exits(0).json();
    assert!(schema["properties"]["dashboard"]["properties"]["port"].is_object(), "{schema}");
}

#[test]
fn the_readme_speaks_of_verbs_that_exist() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("a README");
    // A command stands after `papermaker ` in code, or after `-- ` of a `cargo run`.
    let named = ["`papermaker ", "--release -- "].iter().flat_map(|before| {
        readme.split(before).skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next())
    });
    let named: Vec<&str> = named.filter(|verb| *verb != "VERB").collect();
    assert!(named.len() > 5, "{named:?}");
    for verb in named {
        assert!(VERBS.contains(&verb), "README names `papermaker {verb}`");
    }
}

//! What a bot leaves beside its recording: a log for machines, completions, manual pages.

use serde_json::Value;

use super::papermaker;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn a_log_of_json_is_json_on_every_line_on_stderr_and_in_the_file() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let json = [
        "--set",
        "log.format=json",
        "--set",
        "log.file=bot.log",
        "--set",
        "store.path=store",
        "--set",
        "dashboard.port=0",
    ];
    let ran = papermaker(here, &[&["run", "--for", "1s", "--session", "it"], &json[..]].concat()).exits(0);
    let file = std::fs::read_to_string(here.join("bot.log")).expect("a log");
    for text in [ran.stderr(), file.clone()] {
        let said = lines(&text);
        let has = |part: &str| said.iter().any(|line| line["message"].as_str().is_some_and(|m| m.contains(part)));
        assert!(has("PAPER trading binance-spot:BTCUSDT") && has("it: ended, seal "), "{text}");
        assert!(said.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{text}");
    }
    // A refusal is its last line, and others do not write into the bot's file.
    let ran = papermaker(here, &[&["run", "--for", "1s", "--session", "it"], &json[..]].concat()).exits(2);
    let last = lines(&ran.stderr()).pop().expect("a line");
    assert!(
        last["level"] == "ERROR"
            && last["message"].as_str().is_some_and(|m| m.contains("a session of this name exists")),
        "{last}"
    );
    let grown = std::fs::read_to_string(here.join("bot.log")).expect("a log");
    assert!(grown.len() > file.len());
    assert_eq!(lines(&grown).pop().expect("a line")["message"], last["message"]);
    papermaker(here, &[&["status"], &json[..]].concat()).exits(2);
    assert_eq!(std::fs::read_to_string(here.join("bot.log")).expect("a log").len(), grown.len());
}

#[test]
fn a_log_that_cannot_be_written_is_told_before_anything_starts() {
    let here = tempfile::tempdir().expect("a folder");
    let args = ["run", "--for", "1s", "--set", "log.file=nowhere/bot.log", "--set", "store.path=store"];
    papermaker(here.path(), &args).exits(2).complains_of(&["log.file", "nowhere/bot.log"]);
    assert!(!here.path().join("store").exists());
}

#[test]
fn completions_and_manual_pages_are_made_without_a_configuration() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    std::fs::create_dir(here.join("config")).expect("made");
    std::fs::write(here.join("config/default.toml"), "nonsense = 1\n").expect("written");
    for shell in ["bash", "zsh", "fish"] {
        let ran = papermaker(here, &["completions", shell]).exits(0);
        assert!(ran.stdout().contains("record-only") && ran.stdout().contains("sessions"), "{shell}");
    }
    assert!(papermaker(here, &["man"]).exits(0).stdout().contains(".TH papermaker 1"));
    papermaker(here, &["man", "--out", "pages"]).exits(0);
    assert!(std::fs::read_dir(here.join("pages")).expect("pages").count() > 25);
    papermaker(here, &["man", "--out", "pages"]).exits(2).complains_of(&["papermaker.1", "--force"]);
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_collector_that_is_asked_for_in_vain_is_told_in_one_line() {
    let here = tempfile::tempdir().expect("a folder");
    let run = |variable: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_papermaker"));
        command.current_dir(here.path()).args(["run", "--for", "1s", "--no-dashboard", "--set", "store.path=store"]);
        let ran = command.env(variable, "http://127.0.0.1:4318").output().expect("it runs");
        let said = String::from_utf8(ran.stderr).expect("text");
        said.lines().filter(|line| line.contains("built without the feature `otel`")).count()
    };
    assert_eq!((run("OTEL_EXPORTER_OTLP_ENDPOINT"), run("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"), run("OTHER")), (1, 1, 0));
}

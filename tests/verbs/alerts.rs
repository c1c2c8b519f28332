//! Who is told of trouble, and what that costs the bot: nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::papermaker;
use crate::support::bot::{Bot, Left};
use crate::support::receiver::{Mailbox, Reply};

const STORE: [&str; 2] = ["--set", "store.path=store"];

/// A bot on the demo's market whose receivers' addresses stand in its environment, in the order of the mailboxes.
fn start(here: &Path, name: &str, to: &[(&str, &str, String)], more: &[&str]) -> Bot {
    let exports: String = to.iter().map(|(name, _, url)| format!("export URL_{name}='{url}'; ")).collect();
    let mut args: Vec<String> = more.iter().map(|arg| (*arg).to_owned()).collect();
    for (name, shape, _) in to {
        args.extend(["--set".to_owned(), format!("alerts.to.{name}.shape={shape}")]);
        args.extend(["--set".to_owned(), format!("alerts.to.{name}.url_env=URL_{name}")]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Bot::wrapped(here, name, &args, &format!("{exports} exec \"$0\" \"$@\""))
}

fn verb(here: &Path, line: &[&str]) {
    papermaker(here, &[line, &STORE[..]].concat()).exits(0);
}

fn kinds(said: &[(&str, &str)]) -> Vec<(String, String)> {
    said.iter().map(|(kind, moment)| ((*kind).to_owned(), (*moment).to_owned())).collect()
}

/// Every file below a folder.
fn files(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

#[test]
fn a_halt_is_told_with_its_reason_then_its_end_then_the_end_of_all_and_the_address_is_nowhere() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let (ops, chat) = (Mailbox::open(&[]), Mailbox::open(&[]));
    let to = [("ops", "generic", ops.url("hush-4711")), ("chat", "slack", chat.url("hush-0815"))];
    let mut bot = start(here, "told", &to, &[]);
    bot.wait_until("live", |p| p["instruments"][0]["book"] == "live");
    verb(here, &["halt", "--reason", "strange fills", "--by", "ben"]);
    let letters = ops.wait_for("a halt", |letters| !letters.is_empty());
    let body = &letters[0].body;
    assert_eq!((&body["detail"], &body["session"]), (&"strange fills, by ben".into(), &"told".into()), "{body}");
    assert_eq!((letters[0].path.as_str(), &body["paper"]), ("/hush-4711", &true.into()));
    assert_eq!(
        chat.wait_for("a halt", |l| !l.is_empty())[0].body,
        serde_json::json!({ "text": "PAPER told: halted: strange fills, by ben" })
    );
    verb(here, &["resume"]);
    ops.wait_for("its end", |letters| letters.len() == 2);
    let picture = bot.wait_until("counted", |p| p["alerts"][1]["sent"] == 2);
    assert_eq!((&picture["alerts"][1]["name"], &picture["alerts"][1]["failed"]), (&"ops".into(), &0.into()));
    bot.terminate();
    assert_eq!(ops.kinds(), kinds(&[("halted", "began"), ("halted", "over"), ("ended", "began")]));

    // Whoever has the address can write there, so it stands in no recording and no log.
    let mut all = Vec::new();
    files(here, &mut all);
    assert!(all.len() > 5, "{all:?}");
    for path in all {
        let bytes = fs::read(&path).expect("readable");
        for secret in [&b"hush-4711"[..], b"hush-0815"] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret),
                "{} tells the address",
                path.display()
            );
        }
    }
    Left { folder: here, session: "told" }.replays();
}

#[test]
fn a_receiver_that_is_down_slow_broken_or_asks_for_time_is_tried_again_and_the_bot_does_not_notice() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let second = Duration::from_secs(1);
    let broken = Mailbox::open(&[Reply::Status(500), Reply::Hangup, Reply::Status(503)]);
    let busy = Mailbox::open(&[Reply::Later(2)]);
    let slow = Mailbox::open(&[Reply::Slow(20 * second)]);
    let strict = Mailbox::open(&[Reply::Status(403)]);
    // Nobody listens there: the port was free a moment ago.
    let down = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let to = [
        ("broken", "generic", broken.url("")),
        ("busy", "generic", busy.url("")),
        ("down", "generic", format!("http://{down}/")),
        ("slow", "generic", slow.url("")),
        ("strict", "generic", strict.url("")),
    ];
    let quick = ["--set", "alerts.timeout_ms=400", "--set", "alerts.tries=4"];
    let mut bot = start(here, "stuck", &to, &quick);
    let before = bot.wait_until("live", |p| p["instruments"][0]["book"] == "live");
    verb(here, &["halt", "--reason", "lunch"]);
    // Every receiver comes to its own end, and none waits for another. Alphabetical: broken, busy, down, slow, strict.
    let picture = bot.wait_until("all tried", |p| {
        let counts = p["alerts"].as_array().expect("receivers");
        counts
            .iter()
            .all(|one| one["waiting"] == 0 && one["sent"].as_u64() > Some(0) || one["failed"].as_u64() > Some(0))
    });
    let came = |index: usize| {
        let one = &picture["alerts"][index];
        (one["sent"].as_u64(), one["failed"].as_u64(), one["dropped"].as_u64())
    };
    let (taken, given_up) = ((Some(1), Some(0), Some(0)), (Some(0), Some(1), Some(0)));
    assert_eq!([came(0), came(1), came(2), came(3), came(4)], [taken, taken, given_up, taken, given_up], "{picture}");
    assert_eq!(
        (broken.letters().len(), slow.letters().len(), strict.letters().len()),
        (4, 2, 1),
        "a 403 is not asked again"
    );
    let waited = busy.letters()[1].at.duration_since(busy.letters()[0].at);
    assert!(waited >= 2 * second, "Retry-After said 2 s, it waited {waited:?}");
    // Meanwhile time went on: a tick every 50 ms at least, for the two seconds that took.
    let inputs = |p: &Value| p["seq"].as_u64().expect("a number");
    assert!(inputs(&picture) > inputs(&before) + 40, "{} to {}", inputs(&before), inputs(&picture));
    bot.terminate();
    Left { folder: here, session: "stuck" }.replays();
}

#[test]
fn a_receiver_that_hangs_holds_nobody_up_at_the_end_either() {
    let here = tempfile::tempdir().expect("a folder");
    let hole = Mailbox::open(&[Reply::Slow(Duration::from_secs(600))]);
    let to = [("hole", "generic", hole.url(""))];
    let mut bot = start(here.path(), "hole", &to, &["--set", "alerts.timeout_ms=60000"]);
    bot.wait_until("live", |p| p["instruments"][0]["book"] == "live");
    let begun = tokio::time::Instant::now();
    bot.terminate();
    // Three seconds for the last words, and the rest of ending.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(bot.log().contains("1 alerts are given up: the bot has ended"), "{}", bot.log());
}

#[test]
fn alerts_test_says_who_took_it_and_an_address_that_cannot_be_found_is_told_before_anything_starts() {
    let here = tempfile::tempdir().expect("a folder");
    let here = here.path();
    let (ops, chat) = (Mailbox::open(&[]), Mailbox::open(&[Reply::Status(401)]));
    fs::write(here.join("ops-url"), ops.url("hush-4711") + "\n").expect("written");
    fs::write(here.join("chat-url"), chat.url("hush-0815")).expect("written");
    let to_ops = ["--set", "alerts.to.ops.url_file=ops-url"];
    let ran = papermaker(here, &[&["alerts", "test", "--json"], &to_ops[..]].concat()).exits(0).json();
    assert_eq!(ran["receivers"], serde_json::json!([{ "name": "ops", "taken": true, "why": null }]));
    assert_eq!(ops.kinds(), kinds(&[("test", "began")]));

    let telegram = [
        "--set",
        "alerts.to.chat.shape=telegram",
        "--set",
        "alerts.to.chat.url_file=chat-url",
        "--set",
        "alerts.to.chat.chat=-100",
    ];
    let ran = papermaker(here, &[&["alerts", "test"], &to_ops[..], &telegram].concat()).exits(1);
    assert!(ran.stdout().contains("it answered 401"), "{}", ran.stdout());
    assert_eq!(chat.letters()[0].body["chat_id"], "-100");
    assert!(!(ran.stdout() + &ran.stderr()).contains("hush"), "{}{}", ran.stdout(), ran.stderr());

    for (set, said) in [
        ("alerts.to.ops.url_env=NOT_SET_ANYWHERE", ["alerts.to.ops.url_env", "NOT_SET_ANYWHERE"]),
        ("alerts.to.ops.url_file=nowhere", ["alerts.to.ops.url_file", "nowhere"]),
        ("alerts.to.ops.url_env=HOME", ["alerts.to.ops", "loopback"]),
        ("alerts.to.ops.shape=slack", ["alerts.to.ops.shape", "needs url_env or url_file"]),
    ] {
        papermaker(here, &["run", "--for", "1s", "--set", set, "--set", "dashboard.port=0"])
            .exits(2)
            .complains_of(&said);
    }
    assert!(!here.join("replay").exists(), "a refused start leaves nothing behind");
}

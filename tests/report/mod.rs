//! Reports: the numbers of `sessions show`, nothing forgotten, nothing from outside obeyed, the same bytes every time.

use std::fs;
use std::path::Path;

use papermaker::config::Sources;
use papermaker::journal::{Manifest, Store};
use papermaker::metrics::cross_validation::Criterion;
use papermaker::run::backtest::{Ask, Settings, Source, Unwatched, backtest};
use papermaker::run::report::{backtest_html, session_html, tell};
use papermaker::units::{LocalTime, Nanos};
use serde_json::{Value, json};

use crate::verbs::papermaker;

/// The golden recording in a store of the test's own, as `demo-btcusdt`.
fn golden() -> (tempfile::TempDir, Store) {
    let here = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/golden/demo-btcusdt");
    let to = here.path().join("store/demo-btcusdt");
    fs::create_dir_all(&to).expect("a store");
    for file in fs::read_dir(from).expect("the golden") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
    let store = Store::open(here.path().join("store"));
    (here, store)
}

/// What a page's script draws.
fn data(page: &str) -> Value {
    let mark = "id=\"data\">";
    let start = page.find(mark).expect("data") + mark.len();
    let length = page[start..].find("</script>").expect("an end of the data");
    serde_json::from_str(&page[start..start + length]).expect("the data is JSON")
}

/// The text of a cell that carries this key.
fn cells<'a>(page: &'a str, key: &str) -> Vec<&'a str> {
    let mark = format!("data-key=\"{key}\"");
    let after = page.match_indices(&mark).map(|(at, _)| &page[at..]);
    after.map(|rest| &rest[rest.find("<td").map_or(0, |td| td.min(200))..rest.find("</td>").expect("a cell")]).collect()
}

#[test]
fn a_report_has_the_numbers_of_sessions_show_and_every_fill() {
    let (here, _) = golden();
    let set = ["--set", "store.path=store"];
    let said = papermaker(here.path(), &[&["report", "demo-btcusdt", "--out", "a.html", "--json"][..], &set].concat());
    let said = said.exits(0).json();
    let shown =
        papermaker(here.path(), &[&["sessions", "show", "demo-btcusdt", "--metrics", "--json"][..], &set].concat());
    let shown = shown.exits(0).json();
    let page = fs::read_to_string(here.path().join("a.html")).expect("the page");
    let data = data(&page);
    assert_eq!(data["metrics"], shown["metrics"]);
    assert_eq!((&data["paper"], &data["session"]), (&json!(true), &shown["id"]));
    // In words too: the exact profit beside the rounded one, the digest, and PAPER.
    let pnl = shown["metrics"]["instruments"][0]["attribution"]["pnl"].as_str().expect("money is text");
    assert!(page.contains(&format!("data-key=\"pnl\" title=\"{pnl}\"")), "no profit of {pnl}");
    let trades = shown["metrics"]["instruments"][0]["trading"]["num_trades"].as_u64().expect("a count");
    assert!(trades > 0 && cells(&page, "trading.num_trades")[0].ends_with(&format!(">{trades}")), "{trades} fills");
    assert!(page.contains(shown["output_digest"].as_str().expect("a digest")) && page.contains(">PAPER<"));
    // Every fill is a mark, and the last point of the equity is the profit.
    let it = &data["instruments"][0];
    assert_eq!(it["fills"]["rows"].as_array().expect("marks").len() as u64, trades);
    assert_eq!((&said["fills"], &said["fills_drawn"], &said["paper"]), (&json!(trades), &json!(trades), &json!(true)));
    let line = &it["trace"]["lines"]["equity"];
    let number = |value: &Value| value.as_f64().expect("a number");
    let steps: f64 = line["last"].as_array().expect("points").iter().filter_map(Value::as_f64).sum();
    let (last, step) = (number(&line["base"]) + number(&line["step"]) * steps, number(&line["step"]));
    assert!((last - pnl.parse::<f64>().expect("a number")).abs() <= step, "{last}, not {pnl}");
}

#[test]
fn a_report_is_the_same_bytes_again_and_replaces_nothing_unasked() {
    let (here, _) = golden();
    let report = |out: &'static str, more: &'static [&'static str]| {
        let verb = ["report", "demo-btcusdt", "--set", "store.path=store", "--out", out];
        papermaker(here.path(), &[&verb[..], more].concat())
    };
    report("a.html", &[]).exits(0);
    report("b.html", &[]).exits(0);
    let read = |name: &str| fs::read(here.path().join(name)).expect("a page");
    assert!(read("a.html") == read("b.html"), "two reports of one recording differ");
    fs::write(here.path().join("a.html"), "mine").expect("written");
    let refused = report("a.html", &[]).exits(2);
    assert!(refused.stderr().contains("--force"), "{}", refused.stderr());
    assert_eq!(read("a.html"), b"mine");
    report("a.html", &["--force"]).exits(0);
    assert!(read("a.html") == read("b.html"));
    let nowhere = report("no/such/folder/a.html", &[]).exits(2);
    assert!(nowhere.stderr().contains("no/such/folder/a.html"), "{}", nowhere.stderr());
    let left: Vec<_> =
        fs::read_dir(here.path()).expect("it is there").map(|f| f.expect("a file").file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("unfinished")), "{left:?}");
}

#[test]
fn what_comes_from_outside_stays_text() {
    let evil = "</script></pre><img src=x onerror=alert(1)>\"'><script>alert(2)</script>&\u{2028}";
    let (_here, store) = golden();
    let reader = store.reader("demo-btcusdt").expect("the golden");
    let mut told = tell(reader.manifest(), store.reader("demo-btcusdt").expect("the golden")).expect("told");
    let mut manifest: Manifest = reader.manifest().clone();
    manifest.id = evil.to_owned();
    manifest.code_version = evil.to_owned();
    manifest.instruments = vec![evil.to_owned()];
    manifest.notes = vec![evil.to_owned()];
    let text = manifest.spec.desks[0].strategy.clone().expect("it quotes");
    manifest.spec.desks[0].strategy = Some(format!("# {}\n{text}", evil.replace('\u{2028}', "")));
    manifest.spec.desks[0].rules.symbol = evil.to_owned();
    manifest.spec.desks[0].rules.base = evil.to_owned();
    let it = &mut told.summary.instruments[0];
    (it.instrument, it.currency, it.asset) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
    it.trading.rejections.insert(evil.to_owned(), 1);
    let event = papermaker::metrics::story::Event {
        at: told.started,
        what: evil.to_owned(),
        reason: evil.to_owned(),
        by: evil.to_owned(),
    };
    told.events.kept.push(event);
    told.events.total += 1;
    let page = session_html(&manifest, &told);
    assert!(!page.contains("<img"), "an element came from outside");
    // The data and two scripts of ours: three begin, three end.
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (3, 3));
    assert!(
        page.matches("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&gt;").count() > 10,
        "it was left out, not escaped"
    );
    assert_eq!(data(&page)["session"], evil);
    // A quote cannot end an attribute: every tag of ours is still well formed.
    assert!(!page.contains("onerror=alert(1)>\""));
}

#[test]
fn a_backtests_report_tells_of_every_strategy_fold_and_trial() {
    let (here, store) = golden();
    let grid = "[strategy]\nhalf_spread_bps = [0.05, 0.5]\n\n[paper]\nresponse_latency_us = [1000, 20000]\n";
    let ask = Ask {
        store: store.path().to_owned(),
        sources: vec![Source::Session("demo-btcusdt".to_owned())],
        texts: Vec::new(),
        strategies: vec!["fixed-spread".to_owned()],
        configuration: Sources { profile: "demo".to_owned(), ..Sources::default() },
        settings: Settings::InForce,
        seed: None,
        sweep: Some(grid.to_owned()),
        walk_forward: Some(2),
        cross_validate: Some((4, 2)),
        criterion: Criterion::Sharpe,
        purge: None,
        embargo: Some(Nanos::ZERO),
        resamples: 100,
        threads: 2,
        now: LocalTime(1),
    };
    let found = backtest(&ask, &Unwatched).expect("a backtest");
    let page = backtest_html(&found);
    assert_eq!(page, backtest_html(&found));
    let told = data(&page);
    assert!(found.strategies.len() >= 4);
    for contender in &found.strategies {
        assert!(page.contains(&format!("data-strategy=\"{}\"", contender.name)), "no {}", contender.name);
        assert!(page.contains(&contender.strategy_digest));
    }
    // The curve of each ends in its profit.
    let drawn = told["curves"][0]["drawn"].as_array().expect("curves");
    assert_eq!(drawn.len(), found.strategies.len());
    for (curve, contender) in drawn.iter().zip(&found.strategies) {
        let last = curve["equity"].as_array().and_then(|e| e.last()).and_then(Value::as_f64).expect("a point");
        let pnl = contender.score.pnl.expect("one currency");
        assert!((last - pnl).abs() <= 1e-9 * pnl.abs().max(1.0), "{}: {last}, not {pnl}", contender.name);
        assert_eq!(told["curves"][0]["x"].as_array().map(Vec::len), curve["equity"].as_array().map(Vec::len));
    }
    for title in
        ["Strategies", "Sweep", "Walk forward", "Combinatorial purged cross-validation", "How much of it is choice"]
    {
        assert!(page.contains(&format!("<h2>{title}</h2>")), "no {title}");
    }
    // Two keys, two values each: a map of four cells for the profit and one for the ratio, which who never traded has not.
    assert_eq!(page.matches("class=\"heat\"").count(), 2);
    assert!(page.matches("color-mix(").count() >= 4);
    drop(here);
}

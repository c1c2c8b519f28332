use std::collections::{BTreeMap, BTreeSet};

use super::super::status::testing::a_snapshot;
use super::*;
use crate::units::LocalTime;

const DOCUMENT: &str = include_str!("../../../config/README.md");
const GRAFANA: &str = include_str!("../../../config/grafana/papermaker.json");
const VITALS: Vitals =
    Vitals { feed_stale_ms: 30_000, journal_lag_ms: 5_000, silent_ms: 5_000, clock: || LocalTime(1_000_000_000) };

/// One metric as the page declares it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    /// Labels without values, in order.
    labels: BTreeSet<String>,
    samples: usize,
}

/// Reads a page as the format is written down (Prometheus, *Exposition formats*, text 0.0.4), and takes no liberties:
/// panics where a scraper might stumble.
fn read(page: &str) -> BTreeMap<String, Family> {
    assert!(page.ends_with('\n'), "the last line must end with a line feed");
    let mut found: BTreeMap<String, Family> = BTreeMap::new();
    let (mut current, mut seen) = (String::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help has a text");
            assert!(is_name(name) && !help.contains('\\'), "{line}");
            let new = Family { help: help.to_owned(), ..Family::default() };
            assert!(found.insert(name.to_owned(), new).is_none(), "{name} is declared twice");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type has a kind");
            assert_eq!(name, current, "HELP and TYPE stand together");
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert_eq!(
                kind == "counter",
                name.ends_with("_total"),
                "a counter, and only a counter, is a total: {line}"
            );
            found.get_mut(name).expect("declared above").kind = kind.to_owned();
        } else {
            let (name, labels, value) = sample(line);
            assert_eq!(name, current, "samples stand under their family: {line}");
            assert!(seen.insert((name.clone(), labels.clone())), "told twice: {line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let family = found.get_mut(&name).expect("declared above");
            assert!(!family.kind.is_empty(), "{line}: no TYPE");
            assert!(family.kind != "counter" || value.parse::<f64>().is_ok_and(|v| v >= 0.0), "{line}");
            let names: BTreeSet<String> = labels.into_iter().map(|(key, _)| key).collect();
            assert!(family.samples == 0 || family.labels == names, "{line}: other labels than before");
            (family.labels, family.samples) = (names, family.samples + 1);
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(fine)
}

/// `name{key="text",…} value`, character by character.
fn sample(line: &str) -> (String, Vec<(String, String)>, String) {
    let end = line.find(['{', ' ']).expect("a name ends");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"").expect("a label is key=\"text\"");
            assert!(is_name(key), "{line}");
            let (mut text, mut chars) = (String::new(), after.char_indices());
            let close = loop {
                let (at, c) = chars.next().expect("a label's text ends");
                match c {
                    '"' => break at,
                    '\\' => match chars.next().expect("an escape is of something").1 {
                        'n' => text.push('\n'),
                        c @ ('\\' | '"') => text.push(c),
                        other => panic!("{line}: no such escape: {other}"),
                    },
                    c => text.push(c),
                }
            };
            labels.push((key.to_owned(), text));
            rest = &after[close + 1..];
            match rest.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one space before the value");
    assert!(!value.contains(' '), "{line}: no timestamps here");
    (name.to_owned(), labels, value.to_owned())
}

#[test]
fn the_numbers_of_the_picture_are_the_samples() {
    let mut all = a_snapshot();
    all.refusals_by_code.insert("STATE_REDUCING".to_owned(), 3);
    let text = page(&all, &VITALS);
    for line in [
        "papermaker_refused_total{code=\"STATE_REDUCING\"} 3",
        "papermaker_state{phase=\"quoting\"} 1",
        "papermaker_healthy 1",
        "papermaker_inputs_total 48213",
        "papermaker_disk_free_bytes 7516192768",
        "papermaker_alerts_sent_total{receiver=\"ops\"} 3",
        "papermaker_position{instrument=\"binance-spot:BTCUSDT\"} 0.00300",
        "papermaker_equity_quote{instrument=\"binance-spot:BTCUSDT\",currency=\"USDT\"} 0.625",
        "papermaker_bracket_equity_quote{instrument=\"binance-spot:BTCUSDT\",bound=\"optimistic\",currency=\"USDT\"} 1.5",
        "papermaker_policy_drift_tripped{instrument=\"binance-spot:BTCUSDT\"} 1",
        "papermaker_policy_drift_psi{instrument=\"binance-spot:BTCUSDT\"} 0.5",
        "papermaker_policy_drift_mmd_p{instrument=\"binance-spot:BTCUSDT\"} 0.005",
        "papermaker_policy_action{instrument=\"binance-spot:BTCUSDT\",side=\"ask\"} -0.5",
        "papermaker_policy_log_probability{instrument=\"binance-spot:BTCUSDT\"} -1.5",
        "papermaker_feed_gaps_total{venue=\"binance-spot\",connection=\"0\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    all.journal.lag_ms = 5_001;
    assert!(page(&all, &VITALS).contains("\npapermaker_healthy 0\n"));
}

#[test]
fn a_page_is_in_the_format_whatever_is_in_the_picture() {
    let mut all = a_snapshot();
    all.session = "a\"b\\c\nd".to_owned();
    all.instruments[0].terms =
        Some(Terms { reservation: f64::NAN, sigma: f64::INFINITY, a: -f64::INFINITY, k: 1e-30, gamma: 0.0 });
    let second = all.instruments[0].clone();
    all.instruments.push(super::super::status::InstrumentStatus { label: "okx:ETH \"x\"".to_owned(), ..second });
    let text = page(&all, &VITALS);
    let found = read(&text);
    assert!(found.values().filter(|family| family.samples > 0).count() > 40, "{found:#?}");
    let info = text.lines().find(|line| line.starts_with("papermaker_info{")).expect("it is there");
    assert_eq!(sample(info).1[0], ("session".to_owned(), all.session), "hostile text comes out as it went in");
    // Before anything has happened, too.
    read(&page(&StatusSnapshot::starting("new", &[]), &VITALS));
}

/// `| name | kind | labels | help |` of the document.
fn documented() -> Vec<[String; 4]> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `papermaker_") || line.starts_with("| `process_"));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|c| c.trim().replace('`', "")).collect::<Vec<_>>();
    rows.map(|row| cells(row).try_into().expect("four columns")).collect()
}

#[test]
fn the_documented_metrics_are_those_of_the_page() {
    let mut all = a_snapshot();
    all.refusals_by_code.insert("STATE_REDUCING".to_owned(), 3);
    all.instruments[0].terms = Some(Terms { reservation: 1.0, sigma: 1.0, a: 1.0, k: 1.0, gamma: 1.0 });
    let found = read(&page(&all, &VITALS));
    let row = |(name, family): (&String, &Family)| {
        let labels: Vec<&str> = family.labels.iter().map(String::as_str).collect();
        [name.clone(), family.kind.clone(), labels.join(" "), family.help.clone()]
    };
    let expected: Vec<_> = found.iter().map(row).collect();
    let wanted: String = expected.iter().map(|[n, k, l, h]| format!("| `{n}` | {k} | {l} | {h} |\n")).collect();
    assert_eq!(documented(), expected, "the table of config/README.md should be\n{wanted}");
}

#[test]
fn the_grafana_dashboard_asks_for_metrics_and_labels_that_exist() {
    let known: BTreeMap<String, [String; 4]> = documented().into_iter().map(|row| (row[0].clone(), row)).collect();
    let board: serde_json::Value = serde_json::from_str(GRAFANA).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let (mut asked, mut ids, mut ground) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for panel in panels {
        let title = panel["title"].as_str().expect("a panel has a title");
        assert!(ids.insert(panel["id"].as_u64()), "{title}: its id is taken");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        let here = (at("x"), at("y"), at("x") + at("w"), at("y") + at("h"));
        assert!(here.2 <= 24, "{title} is too wide");
        let apart = |b: &(u64, u64, u64, u64)| here.2 <= b.0 || b.2 <= here.0 || here.3 <= b.1 || b.3 <= here.1;
        assert!(ground.iter().all(apart), "{title} lies on another panel");
        ground.push(here);
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].is_string() && panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().expect("a panel asks something") {
            let expression = target["expr"].as_str().expect("an expression");
            let names =
                words(expression).filter(|word| word.starts_with("papermaker_") || word.starts_with("process_"));
            let names: Vec<String> = names.collect();
            assert!(!names.is_empty(), "{title}: {expression} asks for nothing of ours");
            for name in &names {
                let row = known.get(name).unwrap_or_else(|| panic!("{title}: {name} does not exist"));
                let is_rate = expression.contains("rate(") || expression.contains("increase(");
                assert_eq!(row[1] == "counter", is_rate, "{title}: {expression}: rates are of counters");
            }
            // What stands in braces, by() and legends is a label of the metric.
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            let used = labels_in(expression).into_iter().chain(braced(legend));
            for label in used {
                let has = |name: &String| known[name][2].split(' ').any(|known| known == label);
                let of_scrape = ["instance", "job"].contains(&label.as_str());
                assert!(of_scrape || names.iter().all(has), "{title}: {expression}: no label {label}");
            }
            asked.extend(names);
        }
    }
    assert!(asked.len() >= 25, "{} of {} metrics are shown", asked.len(), known.len());
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map(str::to_owned)
}

/// Keys of matchers, and what is summed by.
fn labels_in(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    for inside in expression.split('{').skip(1) {
        let matchers = inside.split('}').next().expect("split yields at least one part");
        let key = |m: &str| m.split(['=', '!', '~']).next().expect("likewise").trim().to_owned();
        found.extend(matchers.split(',').filter(|m| !m.trim().is_empty()).map(key));
    }
    for inside in expression.split("by (").skip(1) {
        let labels = inside.split(')').next().expect("split yields at least one part");
        found.extend(labels.split(',').map(|label| label.trim().to_owned()));
    }
    found
}

fn braced(legend: &str) -> Vec<String> {
    let inside =
        legend.split("{{").skip(1).map(|part| part.split("}}").next().expect("split yields at least one part"));
    inside.map(|label| label.trim().to_owned()).collect()
}

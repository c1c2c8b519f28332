//! The table of venues and cases in `tests/README.md`, held against the tests themselves.

use std::collections::BTreeMap;
use std::path::Path;

use papermaker::market::VenueId;

/// The protocol cases of the venue notes.
const CASES: usize = 19;

/// A column: whose it is, and the names of the tests in its files.
struct Column {
    head: String,
    tests: Vec<String>,
}

/// Every test function in a source.
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            names.extend(rest.split('(').next().map(str::to_owned));
            is_test = false;
        }
    }
    names
}

/// Cells of a line of a table.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// `name: file file`, relative to the folder of tests.
fn column(head: &str, source: &impl Fn(&str) -> Option<String>) -> Result<Column, String> {
    let (name, files) = head.split_once(':').ok_or_else(|| format!("{head:?} names no file"))?;
    let mut tests = Vec::new();
    for file in files.split_whitespace() {
        tests.extend(tests_in(&source(file).ok_or_else(|| format!("{name}: there is no file {file}"))?));
    }
    Ok(Column { head: name.to_owned(), tests })
}

/// Everything that is wrong with the table in this text.
fn problems(text: &str, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("| case:"));
    let Some(head) = lines.next() else { return vec!["there is no table".to_owned()] };
    let columns: Result<Vec<Column>, String> = cells(head).into_iter().map(|cell| column(cell, &source)).collect();
    let columns = match columns {
        Ok(columns) => columns,
        Err(wrong) => return vec![wrong],
    };
    let mut problems = Vec::new();
    let (everywhere, venues) = (&columns[0], &columns[1..]);
    for venue in VenueId::ALL {
        if venues.iter().filter(|column| column.head == venue.to_string()).count() != 1 {
            problems.push(format!("{venue} has not one column"));
        }
    }
    let mut rows = BTreeMap::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let cells = cells(line);
        let number: usize = cells[0].split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default();
        if cells.len() != columns.len() {
            problems.push(format!("case {number} has {} cells of {}", cells.len(), columns.len()));
            continue;
        }
        *rows.entry(number).or_insert(0) += 1;
        for (cell, column) in cells[1..].iter().zip(venues) {
            if cell.is_empty() {
                problems.push(format!("case {number} at {}: neither a test nor a reason", column.head));
            }
            // Between backticks are names; the rest is a reason.
            for name in cell.split('`').skip(1).step_by(2) {
                let begins = |test: &String| test == name || test.starts_with(&format!("{name}_"));
                if !column.tests.iter().chain(&everywhere.tests).any(begins) {
                    problems.push(format!("case {number} at {}: there is no test {name}", column.head));
                }
                let other = name.strip_prefix("case_").filter(|n| n.parse() != Ok(number));
                if other.is_some() {
                    problems.push(format!("case {number} at {}: {name} is another case", column.head));
                }
            }
        }
    }
    if !rows.into_iter().eq((1..=CASES).map(|n| (n, 1))) {
        problems.push(format!("not every case from 1 to {CASES} has one row"));
    }
    problems
}

#[test]
fn every_case_at_every_venue_has_a_test_or_a_reason() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |file: &str| std::fs::read_to_string(tests.join(file)).ok();
    let problems = problems(&read("README.md").expect("the readme of the tests"), read);
    assert!(problems.is_empty(), "the table in tests/README.md:\n  {}\n", problems.join("\n  "));
}

#[test]
fn a_wrong_table_is_told_cell_by_cell() {
    let source = |file: &str| match file {
        "a.rs" => Some("#[test]\nfn case_01_a_gap() {}\nfn case_02_no_test() {}".to_owned()),
        "all.rs" => Some("    #[tokio::test(flavor = \"x\")]\n    async fn pings_are_answered() {}".to_owned()),
        _ => None,
    };
    let head = VenueId::ALL.map(|venue| format!("{venue}: a.rs")).join(" | ");
    let row = |n: usize, cell: &str| format!("| {n} x | {} |\n", vec![cell; VenueId::ALL.len()].join(" | "));
    let rest = |from: usize| (from..=CASES).map(|n| row(n, "never")).collect::<String>();
    let table = |head: &str, rows: &str| problems(&format!("x\n| case: all.rs | {head} |\n|---|\n{rows}"), source);

    assert_eq!(table(&head, &(row(1, "`case_01` `pings_are_answered`") + &rest(2))), Vec::<String>::new());
    let first = |rows: String| table(&head, &rows)[0].clone();
    assert_eq!(first(row(1, "`case_0`") + &rest(2)), "case 1 at binance-spot: there is no test case_0");
    assert_eq!(
        first(row(1, "no") + &row(2, "`case_02`") + &rest(3)),
        "case 2 at binance-spot: there is no test case_02"
    );
    assert_eq!(
        first(row(1, "no") + &row(2, "`case_01`") + &rest(3)),
        "case 2 at binance-spot: case_01 is another case"
    );
    assert_eq!(first(row(1, "") + &rest(2)), "case 1 at binance-spot: neither a test nor a reason");
    assert_eq!(first(rest(2)), "not every case from 1 to 19 has one row");
    assert_eq!(first("| 1 x | no |\n".to_owned() + &rest(2)), "case 1 has 2 cells of 11");
    assert_eq!(table(&head.replace("okx", "oky"), &rest(1))[0], "okx has not one column");
    assert_eq!(table(&head.replace("a.rs", "b.rs"), &rest(1)), ["binance-spot: there is no file b.rs"]);
    assert_eq!(problems("nothing", source), ["there is no table"]);
}

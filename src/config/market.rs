//! The simulated market: `config/sim/NAME.toml`, from text to a checked specification.
//!
//! A name is looked for in the folder's `sim/` first, then among what is built in; anything with a slash or a dot in it
//! is a file. Every mistake is told with its file, line and key, all at once, as for the settings themselves.

use std::path::{Path, PathBuf};

use toml_edit::{Document, Item};

use super::layer::line_of;
use super::problem::{ConfigErrors, Problem};
use crate::sim::SimSpec;
use crate::sim::spec::Fault;

/// Reads the market called `name`; `dir` is the configuration's folder.
pub fn read(dir: Option<&Path>, name: &str) -> Result<SimSpec, ConfigErrors> {
    let is_file = name.contains(['/', '.', '\\']);
    let path = match (is_file, dir) {
        (true, _) => PathBuf::from(name),
        (false, dir) => dir.unwrap_or(Path::new("config")).join("sim").join(format!("{name}.toml")),
    };
    let place = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&place, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match SimSpec::built_in(name) {
            Some(text) => parse(&format!("built-in sim/{name}.toml"), text),
            None => {
                let names = SimSpec::BUILT_IN.map(|(name, _)| name).join(", ");
                let hint = format!("markets are {names}, or a file");
                Err(Problem::new(&place, None, "", "no such market".to_owned()).hint(&hint).names_nothing().into())
            }
        },
        Err(error) => Err(Problem::new(&place, None, "", format!("cannot be read: {error}")).into()),
    }
}

/// Reads a market; `place` is what people call the text.
pub fn parse(place: &str, text: &str) -> Result<SimSpec, ConfigErrors> {
    SimSpec::from_toml(text).map_err(|faults| {
        let document = Document::parse(text).ok();
        let problem = |Fault { key, span, what }: Fault| {
            let found = document.as_ref().and_then(|d| line_of_key(d.as_item(), &key, text));
            let line = span.map(|span| line_of(text, span.start)).or(found);
            Problem::new(place, line, &key, what)
        };
        ConfigErrors { problems: faults.into_iter().map(problem).collect() }
    })
}

/// The line of `market[0].noise[1].mean_wait_s`, or of the last part of it that is written down.
fn line_of_key(mut item: &Item, key: &str, text: &str) -> Option<usize> {
    let mut line = None;
    for part in key.split('.') {
        let (name, position) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let table = item.as_table_like()?;
        let Some((written, below)) = table.get_key_value(name) else { return line };
        let mut span = written.span();
        item = below;
        if let Some(position) = position {
            // An array of tables has a span for each; one of values has none of its own.
            item = item.get(position).unwrap_or(item);
            span = item.span().or(span);
        }
        line = span.map(|span| line_of(text, span.start)).or(line);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        parse("mine.toml", text).expect_err("it has mistakes").to_string()
    }

    #[test]
    fn what_is_built_in_is_right() {
        for (name, text) in SimSpec::BUILT_IN {
            let spec = parse(name, text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(!spec.market.is_empty());
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_file_line_and_key() {
        let demo = SimSpec::built_in("demo").expect("it is");
        let line = |what: &str| 1 + demo[..demo.find(what).expect("it is there")].matches('\n').count();
        let wrong = demo.replacen("taking_share = 0.5", "taking_share = 1.5", 1).replacen(
            "pull_back_s = 86_400",
            "pull_back_s = -1",
            1,
        );
        let expected = format!(
            "mine.toml:{}: market[0].value.pull_back_s: -1 is not allowed; allowed is 1 to 1000000000\n\
             mine.toml:{}: market[0].fundamental[0].taking_share: 1.5 is not allowed; allowed is 0 to 1",
            line("pull_back_s"),
            line("taking_share = 0.5")
        );
        assert_eq!(said(&wrong), expected);

        let unknown = said(&demo.replacen("round_share", "round_chare", 1));
        let begins = format!("mine.toml:{}: unknown field `round_chare`, expected one of", line("round_share"));
        assert!(unknown.starts_with(&begins), "{unknown}");
        let missing = said(&demo.replacen("common_loading", "#", 1).replacen("step_s = 0.05", "", 1));
        assert!(missing.contains("missing field `step_s`"), "{missing}");
        assert!(said("market = 3").starts_with("mine.toml:1: "), "{}", said("market = 3"));
        assert_eq!(said("like = \"demon\""), "mine.toml:1: like: \"demon\" is none of demo, btc, rmsc04, stress");
        assert_eq!(said(""), "mine.toml: market: there is none; a world needs at least one [[market]]");
    }

    #[test]
    fn a_market_that_is_not_there_is_named_with_those_that_are() {
        let said = read(None, "nosuch").expect_err("there is none").to_string();
        assert_eq!(
            said,
            "config/sim/nosuch.toml: no such market\n  hint: markets are demo, btc, rmsc04, stress, or a file"
        );
    }
}

//! The documented table of limits is the code's.

use papermaker::risk::RiskState;
use papermaker::risk::rule::{Effect, Ends, RULES, Rule, Scope, When};

fn row(rule: &Rule) -> String {
    let scope = match rule.scope {
        Scope::Instrument => "instrument",
        Scope::Venue => "venue",
        Scope::Book => "book",
    };
    let when = match rule.when {
        When::Request => "before an order",
        When::Input => "after every input",
        When::Both => "both",
    };
    let effect = match rule.effect {
        Effect::Refuse => "refused".to_owned(),
        Effect::State(state) => state.word().to_owned(),
        Effect::RefuseOrState(RiskState::Halted) => "refused; nothing rests".to_owned(),
        Effect::RefuseOrState(state) => format!("refused; {} if prices did it", state.word()),
    };
    let ends = match rule.ends {
        Ends::AtOnce => "at once",
        Ends::Itself => "by itself",
        Ends::Midnight => "at midnight UTC",
        Ends::Operator => "`resume`, once it no longer holds",
    };
    let Rule { key, code, basis, unit, .. } = rule;
    format!("| `{key}` | {scope} | {basis} | {when} | {effect} | {ends} | `{code}`, {unit} |")
}

#[test]
fn config_readme_has_the_table_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/README.md");
    let readme = std::fs::read_to_string(path).expect("config/README.md");
    let rows: Vec<String> = RULES.iter().map(row).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !readme.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "config/README.md lacks these rows:\n{}", rows.join("\n"));
}

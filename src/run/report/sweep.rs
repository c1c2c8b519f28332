//! What a sweep changed and what came of it: a table, and a map where it changed two things.

use super::figures::{maybe, number};
use super::page::Html;
use crate::run::backtest::Contender;

/// Nothing, unless something was swept.
pub(super) fn tables(body: &mut Html, strategies: &[Contender]) {
    let swept: Vec<&Contender> = strategies.iter().filter(|c| !c.changed.is_empty()).collect();
    if swept.is_empty() {
        return;
    }
    body.tag("<section><h2>Sweep</h2>");
    // Names are `BASE key=value …`; every base is a sweep of its own.
    let mut bases: Vec<&str> = Vec::new();
    for contender in &swept {
        if !bases.contains(&base(contender)) {
            bases.push(base(contender));
        }
    }
    for of in bases {
        let swept: Vec<&Contender> = swept.iter().filter(|c| base(c) == of).copied().collect();
        table(body, of, &swept);
        map(body, &swept, "profit", |c| c.score.pnl);
        map(body, &swept, "Sharpe ratio per period", |c| c.score.sharpe);
    }
    body.note(
        "The more was tried, the better the best looks: the deflated Sharpe ratio above takes that into account.",
    );
    body.tag("</section>\n");
}

/// The name of what was swept.
pub(super) fn base(contender: &Contender) -> &str {
    contender.name.split(' ').next().unwrap_or(&contender.name)
}

/// Keys that were changed, in the order in which they first were.
fn keys<'a>(swept: &[&'a Contender]) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for (key, _) in swept.iter().flat_map(|c| &c.changed) {
        if !found.contains(&key.as_str()) {
            found.push(key);
        }
    }
    found
}

fn value<'a>(contender: &'a Contender, key: &str) -> Option<&'a str> {
    contender.changed.iter().find(|(changed, _)| changed == key).map(|(_, value)| value.as_str())
}

/// Values of a key: in the order of numbers if they are, as given if not.
fn values<'a>(swept: &[&'a Contender], key: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for value in swept.iter().filter_map(|c| value(c, key)) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    if found.iter().all(|text| text.parse::<f64>().is_ok()) {
        found.sort_by(|a, b| number_of(a).total_cmp(&number_of(b)));
    }
    found
}

fn number_of(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

fn table(body: &mut Html, base: &str, swept: &[&Contender]) {
    let keys = keys(swept);
    body.tag("<h3>").text(base).tag("</h3><div class=\"scroll\"><table class=\"numbers\">");
    let titles = ["", "profit", "Sharpe ratio", "deflated", "drawdown", "fills"];
    let heads: Vec<&str> = keys.iter().copied().chain(titles.into_iter().skip(1)).collect();
    body.head(&heads);
    for contender in swept {
        body.tag("<tr>");
        for key in &keys {
            body.cell(value(contender, key).unwrap_or("as in the file"));
        }
        let score = &contender.score;
        body.cell(maybe(score.pnl)).cell(maybe(score.sharpe)).cell(maybe(contender.deflated_sharpe));
        body.cell(maybe(score.max_drawdown)).cell(score.fills).tag("</tr>");
    }
    body.tag("</table></div>");
}

/// Rows are one key's values, columns the other's; only of exactly two keys.
fn map(body: &mut Html, swept: &[&Contender], title: &str, of: impl Fn(&Contender) -> Option<f64>) {
    let [down, across] = keys(swept)[..] else { return };
    let (rows, columns) = (values(swept, down), values(swept, across));
    let at = |row: &str, column: &str| {
        let found = swept.iter().find(|c| value(c, down) == Some(row) && value(c, across) == Some(column));
        found.and_then(|c| of(c))
    };
    let most = swept.iter().filter_map(|c| of(c)).fold(0.0, |most: f64, value| most.max(value.abs()));
    body.tag("<h3>")
        .text(format!("{title}: {down} down, {across} across"))
        .tag("</h3><div class=\"scroll\"><table class=\"heat\"><tr><td></td>");
    for column in &columns {
        body.tag("<th scope=\"col\">").text(column).tag("</th>");
    }
    body.tag("</tr>");
    for row in rows {
        body.tag("<tr><th scope=\"row\">").text(row).tag("</th>");
        for column in &columns {
            match at(row, column) {
                None => body.tag("<td>–</td>"),
                Some(value) => {
                    // Blue earns, orange loses; the number stands in the cell, so no colour is needed to read it.
                    let strength = if most > 0.0 { 55.0 * value.abs() / most } else { 0.0 };
                    body.tag("<td style=\"background:color-mix(in srgb, var(").tag(if value < 0.0 {
                        "--sell"
                    } else {
                        "--buy"
                    });
                    body.tag(") ")
                        .text(format!("{strength:.0}"))
                        .tag("%, var(--card))\">")
                        .text(number(value))
                        .tag("</td>")
                }
            };
        }
        body.tag("</tr>");
    }
    body.tag("</table></div>");
}

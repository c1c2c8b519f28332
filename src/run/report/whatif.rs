//! The report of a what-if: every side in the same charts and tables.

use serde_json::{Value, json};

use super::figures::{brief, interval, length, moment, number};
use super::page::{Html, document, toolbar};
use crate::metrics::conduct::{States, Tripped};
use crate::metrics::story::Line;
use crate::metrics::summary::InstrumentSummary;
use crate::metrics::{Conduct, Told};
use crate::run::whatif::{Side, WhatIf};

/// Refusals and trips that are listed one by one, of each side.
const LISTED_MAX: usize = 100;

/// A what-if's report: one HTML file. Its lines over time are those that were asked for with
/// [`Ask::lines`](crate::run::whatif::Ask::lines).
pub fn whatif_html(found: &WhatIf) -> String {
    let mut body = Html::default();
    body.tag("<header><span class=\"badge\" title=\"No order ever left the program\">PAPER</span><h1>What if: ");
    body.text(&found.session).tag("</h1>");
    body.tag("<button type=\"button\" id=\"theme\" class=\"end\" aria-pressed=\"false\" hidden>Dark</button>");
    body.tag("<p class=\"soft wide\">Nothing is verified: what was recorded stands beside what would have come of it.</p></header>\n");
    body.tag("<main>\n");
    changed(&mut body, found);
    in_short(&mut body, found);
    charts(&mut body, found);
    limits(&mut body, found);
    lists(&mut body, found);
    body.tag("</main>\n");
    document(&format!("PAPER · what if · {}", found.session), &body, &data(found))
}

fn changed(body: &mut Html, found: &WhatIf) {
    body.tag("<section><h2>What is different</h2><ul>");
    for line in &found.changed {
        body.tag("<li>").text(line).tag("</li>");
    }
    body.tag("</ul>");
    if found.changed.is_empty() {
        body.note("Nothing but the queue model.");
    }
    if found.set_limits_left_out > 0 {
        body.note(format!("{} recorded changes of limits are left out.", found.set_limits_left_out));
    }
    body.tag("</section>\n");
}

fn heads(body: &mut Html, found: &WhatIf, first: &str) {
    let mut names = vec![first];
    names.extend(found.sides.iter().map(|side| side.name));
    body.tag("<div class=\"scroll\"><table class=\"numbers fit\">").head(&names);
}

fn in_short(body: &mut Html, found: &WhatIf) {
    body.tag("<section><h2>In short</h2>");
    for (index, it) in found.sides[0].metrics.instruments.iter().enumerate() {
        body.tag("<h3>").text(format!("{}, {} and {}", it.instrument, it.currency, it.asset)).tag("</h3>");
        heads(body, found, "");
        let rows: [(&str, fn(&InstrumentSummary) -> String); 10] = [
            ("profit", |it| number(it.attribution.pnl.to_f64())),
            ("deepest drawdown", |it| number(it.risk.max_drawdown.to_f64())),
            ("fees", |it| number(it.attribution.fees.to_f64())),
            ("fills", |it| it.trading.num_trades.to_string()),
            ("volume", |it| number(it.trading.trading_volume)),
            ("position at the end", |it| number(it.inventory.position)),
            ("mean position, unsigned", |it| number(it.inventory.mean_absolute_position)),
            ("most long", |it| number(it.inventory.max_long)),
            ("most short", |it| number(it.inventory.max_short)),
            ("Sharpe ratio per period", |it| brief(it.risk.sharpe.map(|sharpe| sharpe.value))),
        ];
        for (name, text) in rows {
            body.tag("<tr><th scope=\"row\">").text(name).tag("</th>");
            found.sides.iter().for_each(|side| {
                body.cell(text(&side.metrics.instruments[index]));
            });
            body.tag("</tr>");
        }
        body.tag("</table></div>");
        for difference in found.differences.iter().filter(|d| d.instrument == it.instrument) {
            let sure = match &difference.paired {
                Some(paired) => format!(
                    ", 95 % interval {} over {} paired periods, p {:.3}",
                    interval(&paired.difference),
                    paired.difference.n,
                    paired.p_value
                ),
                None => ", too short for an interval".to_owned(),
            };
            let pnl = difference.pnl.parse::<f64>().map_or_else(|_| difference.pnl.clone(), number);
            body.note(format!("{} less recorded: {pnl} {}{sure}.", difference.side, difference.currency));
        }
    }
    body.tag("</section>\n");
}

fn charts(body: &mut Html, found: &WhatIf) {
    body.add(&toolbar(false)).tag("<section><h2>Over time</h2>");
    for (index, (it, line)) in lines(found).enumerate() {
        let what = if line == Line::Equity { "Equity" } else { "Inventory" };
        body.tag("<figure><figcaption>").text(format!("{what}, {}", it.instrument));
        body.tag("</figcaption><div class=\"chart\" data-chart=\"sides\" data-of=\"").text(index);
        body.tag("\" aria-label=\"").text(format!("{what} of all sides, {}", it.instrument)).tag("\"></div></figure>");
    }
    body.note(
        "A strip per side along the upper edge, in the order and colour of the lines: pale while only what reduces a position \
         was allowed (Reducing), full while nothing was (Halted).",
    );
    body.tag("</section>\n");
}

/// A chart each: equity, then inventory, of every instrument.
fn lines(found: &WhatIf) -> impl Iterator<Item = (&InstrumentSummary, Line)> {
    found.sides[0].metrics.instruments.iter().flat_map(|it| [(it, Line::Equity), (it, Line::Position)])
}

fn limits(body: &mut Html, found: &WhatIf) {
    body.tag("<section><h2>What limits did</h2>");
    heads(body, found, "");
    let mut row = |name: &str, value: &dyn Fn(&Conduct) -> String| {
        body.tag("<tr><th scope=\"row\">").text(name).tag("</th>");
        found.sides.iter().for_each(|side| {
            body.cell(value(&side.risk));
        });
        body.tag("</tr>");
    };
    let codes = |of: fn(&Conduct) -> Vec<String>| {
        let mut codes: Vec<String> = found.sides.iter().flat_map(|side| of(&side.risk)).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    };
    for code in codes(|risk| risk.refusals.keys().map(|code| (*code).to_owned()).collect()) {
        row(&format!("refused {code}"), &|risk| risk.refusals.get(code.as_str()).copied().unwrap_or(0).to_string());
    }
    for code in codes(|risk| risk.trips.iter().map(name).collect()) {
        row(&format!("tripped {code}"), &|risk| {
            let of_it = || risk.trips.iter().filter(|trip| name(trip) == code);
            let time: f64 = of_it().map(|trip| trip.seconds).sum();
            if of_it().next().is_none() { "0".to_owned() } else { format!("{} ×, {}", of_it().count(), length(time)) }
        });
    }
    for (scope, of) in found.sides[0].risk.states.iter().enumerate() {
        let times: [(&str, fn(&States) -> f64); 3] =
            [("Active", |s| s.active_s), ("Reducing", |s| s.reducing_s), ("Halted", |s| s.halted_s)];
        for (state, time) in times {
            let whose = of.instrument.as_deref().unwrap_or("the book");
            row(&format!("{whose} {state}"), &|risk| length(time(&risk.states[scope])));
        }
    }
    body.tag("</table></div>");
    body.note("A refusal that stands is said, and counted, once, however often the strategy asks.");
    body.tag("</section>\n");
}

fn name(trip: &Tripped) -> String {
    if trip.is_soft { format!("{} soft", trip.code) } else { trip.code.to_owned() }
}

fn lists(body: &mut Html, found: &WhatIf) {
    for side in &found.sides {
        body.tag("<section><h2>").text(format!("{}: trips and refusals", side.name)).tag("</h2>");
        let rest = (side.risk.trips.len() as u64 + side.risk.trips_left_out).saturating_sub(LISTED_MAX as u64);
        list(body, "Trips", &["input", "when", "whose", "why", "lasted", "ended"], rest, trips(side));
        let total: u64 = side.risk.refusals.values().sum();
        let rest = total.saturating_sub(LISTED_MAX as u64);
        list(body, "Refusals", &["input", "when", "whose", "request", "why"], rest, refusals(side));
        body.tag("</section>\n");
    }
}

fn list<const N: usize>(body: &mut Html, title: &'static str, heads: &[&str; N], rest: u64, rows: Vec<[String; N]>) {
    body.tag("<h3>").tag(title).tag("</h3>");
    if rows.is_empty() {
        body.note("None.");
        return;
    }
    body.tag("<div class=\"scroll\"><table class=\"numbers\">").head(heads);
    for row in rows {
        body.tag("<tr>");
        row.iter().for_each(|text| {
            body.cell(text);
        });
        body.tag("</tr>");
    }
    body.tag("</table></div>");
    if rest > 0 {
        body.note(format!("{rest} more are not listed."));
    }
}

fn trips(side: &Side) -> Vec<[String; 6]> {
    let row = |trip: &Tripped| {
        [
            trip.seq.to_string(),
            moment(trip.at_ns),
            trip.of.clone().unwrap_or_else(|| "the book".to_owned()),
            trip.reason.clone(),
            length(trip.seconds),
            trip.ended.unwrap_or("not by the end").to_owned(),
        ]
    };
    side.risk.trips.iter().take(LISTED_MAX).map(row).collect()
}

fn refusals(side: &Side) -> Vec<[String; 5]> {
    let row = |refused: &crate::metrics::conduct::Refused| {
        [
            refused.seq.to_string(),
            moment(refused.at_ns),
            refused.instrument.clone(),
            refused.request.clone(),
            refused.reason.clone(),
        ]
    };
    side.risk.refused.iter().take(LISTED_MAX).map(row).collect()
}

/// What the charts are drawn from; `report.js` reads it.
fn data(found: &WhatIf) -> Value {
    let started = found.sides.iter().find_map(|side| side.told.as_ref()).map_or(0, |told| told.started.0);
    let count = found.sides[0].metrics.instruments.len();
    let charts = (0..count).flat_map(|index| [Line::Equity, Line::Position].map(|line| (index, line)));
    let charts = charts.map(|(index, line)| {
        let it = &found.sides[0].metrics.instruments[index];
        let unit = if line == Line::Equity { &it.currency } else { &it.asset };
        let drawn = found.sides.iter().filter_map(|side| {
            let told = side.told.as_ref()?;
            let (x, values) = values(told, index, line);
            let spells = side.risk.states.get(index + 1).map(|of| of.spells.as_slice()).unwrap_or_default();
            let since = |ns: i64| (ns - started) / 1_000;
            let states = spells.iter().map(|s| json!([since(s.from_ns), since(s.to_ns), s.state]));
            Some(json!({ "name": side.name, "x": x, "values": values, "states": states.collect::<Vec<_>>() }))
        });
        json!({ "unit": unit, "drawn": drawn.collect::<Vec<_>>() })
    });
    json!({
        "paper": true, "kind": "what_if", "session": found.session,
        "started_s": started as f64 / 1e9, "seconds": found.sides[0].metrics.seconds,
        "instruments": [], "events": [], "sides": charts.collect::<Vec<_>>(),
    })
}

/// Seconds after the start, and the value a line had then, where it had one.
fn values(told: &Told, index: usize, line: Line) -> (Vec<f64>, Vec<f64>) {
    let trace = &told.scenes[index].trace;
    let every = trace.every().seconds();
    let known = trace.buckets().iter().filter_map(|bucket| {
        let value = bucket.lines[line as usize]?.last?;
        Some(((bucket.index + 1) as f64 * every, value))
    });
    known.unzip()
}

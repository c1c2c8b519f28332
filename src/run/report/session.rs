//! The report of one session.

use serde_json::{Value, json};

use super::columns;
use super::figures::{distribution, interval, length, maybe, moment, number, percent, shown};
use super::page::{Html, document, toolbar};
use crate::journal::{JournalError, Manifest, Reader, SessionState};
use crate::metrics::bootstrap::Interval;
use crate::metrics::sketch::Quantiles;
use crate::metrics::story::{FillMark, Line, Scene};
use crate::metrics::summary::{Attribution, InstrumentSummary};
use crate::metrics::{Plan, Story, Told};
use crate::order::{FillWhy, Liquidity};
use crate::strategy;
use crate::units::{LocalTime, Money, Nanos};

/// Reads a recording from end to end. The numbers are those of `sessions show --metrics`.
pub fn tell(manifest: &Manifest, mut reader: Reader) -> Result<Told, JournalError> {
    let instruments = manifest.spec.desks.iter().map(|desk| desk.rules.clone());
    let mut story = Story::new(instruments, Nanos::from_s(1));
    let (mut input, mut outputs) = (Reader::blank(), Vec::new());
    while reader.next_step(&mut input, &mut outputs)? {
        story.step(&input, &outputs);
    }
    Ok(story.finish(&Plan { seed: manifest.spec.seed, ..Plan::default() }))
}

/// A session's report: one HTML file.
pub fn session_html(manifest: &Manifest, told: &Told) -> String {
    let mut body = Html::default();
    head(&mut body, manifest, told);
    body.tag("<main>\n");
    in_short(&mut body, told);
    body.add(&toolbar(true));
    for (index, (scene, it)) in told.scenes.iter().zip(&told.summary.instruments).enumerate() {
        instrument(&mut body, index, scene, it);
    }
    if !told.totals.is_empty() {
        body.tag("<section><h2>All instruments of one currency</h2>");
        for (index, (currency, _)) in told.totals.iter().enumerate() {
            body.tag("<h3>Equity and drawdown, ")
                .text(currency)
                .tag("</h3><div class=\"chart\" data-chart=\"total\" data-of=\"");
            body.text(index).tag("\"></div>");
        }
        body.tag("</section>\n");
    }
    attribution(&mut body, &told.summary.instruments);
    answers(&mut body, told);
    events(&mut body, told);
    believe(&mut body, manifest);
    configuration(&mut body, manifest);
    body.tag("</main>\n");
    document(&format!("PAPER · {}", manifest.id), &body, &data(manifest, told))
}

fn head(body: &mut Html, manifest: &Manifest, told: &Told) {
    body.tag("<header><span class=\"badge\" title=\"No order ever left the program\">PAPER</span><h1>")
        .text(&manifest.id);
    body.tag("</h1><span class=\"soft\">").text(manifest.instruments.join(" · ")).tag("</span>");
    body.tag("<button type=\"button\" id=\"theme\" class=\"end\" aria-pressed=\"false\" hidden>Dark</button>");
    body.tag("<p class=\"soft wide\">").text(moment(told.started.0)).tag(" to ").text(moment(told.ended.0)).tag(" · ");
    body.text(length(told.summary.seconds))
        .tag(" · ")
        .text(told.summary.inputs)
        .tag(" inputs · ")
        .text(strategies(manifest));
    match manifest.state {
        SessionState::Running => body.tag(" · <b>still being recorded: what was on disk when this was made</b>"),
        SessionState::Recovered => body.tag(" · <b>recovered: the process that recorded it died</b>"),
        SessionState::Ended => body,
    };
    body.tag("</p><p class=\"soft wide\">outputs <code>").text(digest(&manifest.output_digest));
    body.tag("</code></p></header>\n");
}

fn digest(digest: &Option<crate::digest::Digest>) -> String {
    digest.map_or_else(|| "–".to_owned(), |digest| digest.to_string())
}

fn strategies(manifest: &Manifest) -> String {
    let mut names: Vec<String> = Vec::new();
    for desk in &manifest.spec.desks {
        let name = match &desk.strategy {
            None => "recording only".to_owned(),
            Some(text) => {
                strategy::build(text, &desk.rules).map_or("a strategy unknown here".to_owned(), |s| s.name().to_owned())
            }
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn in_short(body: &mut Html, told: &Told) {
    let its = &told.summary.instruments;
    body.tag("<section><h2>In short</h2><div class=\"scroll\"><table class=\"numbers fit\">");
    let names = std::iter::once("").chain(its.iter().map(|it| it.instrument.as_str()));
    body.head(&names.collect::<Vec<_>>());
    let mut row = |name: &'static str, text: &dyn Fn(&InstrumentSummary) -> String| {
        body.tag("<tr><th scope=\"row\">").tag(name).tag("</th>");
        for it in its {
            body.cell(text(it));
        }
        body.tag("</tr>");
    };
    row("profit", &|it| format!("{} {}", money(it.attribution.pnl), it.currency));
    row("95 % interval of it", &|it| {
        it.risk.mean.map_or_else(
            || "–".to_owned(),
            |mean| {
                let n = mean.n as f64;
                interval(&Interval { low: mean.low * n, high: mean.high * n, ..mean })
            },
        )
    });
    row("Sharpe ratio per period", &|it| maybe(it.risk.sharpe.map(|sharpe| sharpe.value)));
    row("95 % interval of it", &|it| it.risk.sharpe.map_or_else(|| "–".to_owned(), |sharpe| interval(&sharpe)));
    row("deepest drawdown", &|it| format!("{} {}", money(it.risk.max_drawdown), it.currency));
    row("fills", &|it| it.trading.num_trades.to_string());
    row("markout after 1 s", &|it| {
        let known = it.markouts.iter().find(|m| m.after_s == 1.0).and_then(|m| m.mean_bps.map(|bps| (bps, m)));
        known.map_or_else(
            || "–".to_owned(),
            |(bps, m)| format!("{} ± {} bps (n {})", number(bps), maybe(m.error_bps), m.fills),
        )
    });
    row("quoting both sides", &|it| percent(it.quoting.two_sided_uptime));
    body.tag("</table></div>");
    let periods: Vec<String> =
        its.iter().map(|it| format!("{} of {}", length(it.risk.period_s), it.instrument)).collect();
    body.note(format!(
        "A period is {}. Intervals: 10 000 resamples of the periods in blocks, as they hang together; of the profit, the \
         interval of its mean per period times the periods; n is how many. Of a markout, one standard error. A short \
         session says little.",
        periods.join(", ")
    ));
    body.tag("</section>\n");
}

fn money(amount: Money) -> String {
    number(amount.to_f64())
}

fn chart(body: &mut Html, kind: &'static str, index: usize, title: &'static str, label: &str) {
    body.tag("<figure><figcaption>").tag(title).tag("</figcaption><div class=\"chart\" data-chart=\"").tag(kind);
    body.tag("\" data-of=\"")
        .text(index)
        .tag("\" aria-label=\"")
        .tag(title)
        .tag(", ")
        .text(label)
        .tag("\"></div></figure>");
}

fn instrument(body: &mut Html, index: usize, scene: &Scene, it: &InstrumentSummary) {
    let label = &it.instrument;
    body.tag("<section><h2>").text(label).tag("</h2>");
    chart(body, "market", index, "Market, our quotes and fills", label);
    fills_note(body, scene, it);
    body.tag("<details class=\"fills\" data-of=\"")
        .text(index)
        .tag("\"><summary>Fills in view</summary><div></div></details>");
    chart(body, "equity", index, "Equity and drawdown", label);
    chart(body, "position", index, "Inventory", label);
    chart(body, "sources", index, "Where the profit came from, over time", label);
    spells(body, scene);
    body.tag("<h3>Where the mid went after our fills</h3>");
    chart(body, "markout", index, "Mean markout, basis points, with its 95 % band", label);
    markouts(body, it);
    body.tag("<div class=\"cards\">");
    let summary = serde_json::to_value(it).expect("a summary is plain data");
    for (section, title) in [
        ("risk", "How sure it is"),
        ("trading", "Orders and trades"),
        ("quoting", "Quoting"),
        ("inventory", "Inventory"),
        ("market", "The market meanwhile"),
    ] {
        body.tag("<div><h3>").tag(title).tag("</h3><table class=\"pairs\">");
        for (key, value) in summary[section].as_object().into_iter().flatten() {
            body.tag("<tr data-key=\"")
                .text(format!("{section}.{key}"))
                .tag("\"><th scope=\"row\">")
                .text(key.replace('_', " "));
            body.tag("</th>").cell(shown(value)).tag("</tr>");
        }
        body.tag("</table></div>");
    }
    body.tag("</div>");
    body.note(format!(
        "Amounts in {}, quantities in {}. Distributions: median [5 % … 95 %]; numbers with an interval: value [95 % interval] n.",
        it.currency, it.asset
    ));
    body.tag("</section>\n");
}

fn fills_note(body: &mut Html, scene: &Scene, it: &InstrumentSummary) {
    let fills = &scene.fills;
    let drawn = match (fills.total, fills.every) {
        (0, _) => "There was no fill".to_owned(),
        (total, 1) => format!("All {total} fills are drawn"),
        (total, every) => format!("{} of {total} fills are drawn, every {every}th", fills.kept.len()),
    };
    body.note(format!(
        "{drawn}: ▲ we bought, ▼ we sold, hollow where we took; point at one to see why the model believes in it. Lines are our \
         best resting quotes as we knew them. A point of a line stands for {}; its shade reaches from the lowest to the highest \
         meanwhile. Amounts in {}.",
        length(scene.trace.every().seconds()),
        it.currency
    ));
}

fn spells(body: &mut Html, scene: &Scene) {
    let mut states: Vec<(&'static str, u64, Nanos)> = Vec::new();
    for spell in &scene.spells.kept {
        let (word, time) = (spell.state.word(), spell.to.since(spell.from));
        match states.iter_mut().find(|(state, ..)| *state == word) {
            Some((_, count, sum)) => (*count, *sum) = (*count + 1, *sum + time),
            None => states.push((word, 1, time)),
        }
    }
    let told = |(word, count, time): &(&str, u64, Nanos)| {
        format!("{} {count} ×, {} in all", word.replace('_', " "), length(time.seconds()))
    };
    let list: Vec<String> = states.iter().map(told).collect();
    let mut text = match list.is_empty() {
        true => "The book could be traded on all the time.".to_owned(),
        false => format!("Shaded: the book could not be traded on. {}.", list.join("; ")),
    };
    if scene.spells.dropped > 0 {
        let time = length(scene.spells.dropped_time.seconds());
        text += &format!(" {} shorter spells are not drawn, {time} in all.", scene.spells.dropped);
    }
    body.note(text);
}

fn markouts(body: &mut Html, it: &InstrumentSummary) {
    body.tag("<div class=\"scroll\"><table class=\"numbers\">");
    body.head(&[
        "after",
        "fills",
        "missing",
        "mean, bps",
        "95 % band",
        "of turnover, bps",
        "markout",
        "half-spread",
        "adverse selection",
    ]);
    for m in &it.markouts {
        let band = m
            .mean_bps
            .zip(m.error_bps)
            .map(|(mean, error)| format!("{} … {}", number(mean - 1.96 * error), number(mean + 1.96 * error)));
        body.tag("<tr><th scope=\"row\">").text(length(m.after_s)).tag("</th>").cell(m.fills).cell(m.missing);
        body.cell(maybe(m.mean_bps)).cell(band.unwrap_or_else(|| "–".to_owned())).cell(maybe(m.markout_bps));
        body.cell(money(m.markout)).cell(money(m.half_spread)).cell(money(m.adverse_selection)).tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(
        "What a fill would have made, closed at the mid so much later, fees left out: half-spread earned less adverse \
         selection. The band is 1.96 standard errors, as if fills were independent; they are not quite, so it is too narrow. \
         Missing: no mid could be trusted then, or the recording was over.",
    );
}

fn attribution(body: &mut Html, instruments: &[InstrumentSummary]) {
    body.tag("<section id=\"attribution\"><h2>Where the profit came from</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&[
        "",
        "currency",
        "spread",
        "+ inventory",
        "− fees",
        "− funding",
        "= profit",
        "residual",
        "unexplained",
        "",
    ]);
    let mut totals: Vec<(&str, u32, Attribution)> = Vec::new();
    for it in instruments {
        row(body, &it.instrument, &it.currency, &it.attribution);
        let index = totals.iter().position(|(currency, ..)| *currency == it.currency).unwrap_or_else(|| {
            totals.push((&it.currency, 0, Attribution::default()));
            totals.len() - 1
        });
        let (_, count, sum) = &mut totals[index];
        *count += 1;
        let a = &it.attribution;
        sum.pnl += a.pnl;
        sum.spread += a.spread;
        sum.inventory += a.inventory;
        sum.fees += a.fees;
        sum.funding += a.funding;
        sum.residual += a.residual;
        sum.unexplained = sum.unexplained.max(a.unexplained);
    }
    for (currency, _, sum) in totals.iter().filter(|(_, count, _)| *count > 1) {
        row(body, "total", currency, sum);
    }
    body.tag("</table></div>");
    body.note(
        "Spread: distance of fills from the mid of their moment. Inventory: what the position gained from moves of the mid. \
         Residual and unexplained are zero, or a bug.",
    );
    body.tag("</section>\n");
}

fn row(body: &mut Html, name: &str, currency: &str, a: &Attribution) {
    body.tag("<tr><th scope=\"row\">").text(name).tag("</th>").cell(currency);
    for (key, amount) in [
        ("spread", a.spread),
        ("inventory", a.inventory),
        ("fees", a.fees),
        ("funding", a.funding),
        ("pnl", a.pnl),
        ("residual", a.residual),
        ("unexplained", a.unexplained),
    ] {
        body.tag("<td data-key=\"")
            .tag(key)
            .tag("\" title=\"")
            .text(amount)
            .tag("\">")
            .text(money(amount))
            .tag("</td>");
    }
    body.tag("<td>")
        .add(&bars([a.spread.to_f64(), a.inventory.to_f64(), -a.fees.to_f64(), -a.funding.to_f64()]))
        .tag("</td></tr>");
}

/// Four amounts as bars about a zero line; each has a place of its own, so no colour has to tell them apart.
fn bars(amounts: [f64; 4]) -> Html {
    let most = amounts.iter().fold(0.0, |most: f64, amount| most.max(amount.abs()));
    let mut drawn = Html::default();
    drawn.tag("<svg class=\"bars\" viewBox=\"-62 0 124 44\" width=\"124\" height=\"44\" role=\"img\" aria-label=\"spread, inventory, fees, funding\">");
    for (amount, place) in amounts.into_iter().zip(0..) {
        let wide = if most > 0.0 { 60.0 * amount.abs() / most } else { 0.0 };
        let from = if amount < 0.0 { -wide } else { 0.0 };
        drawn
            .tag("<rect class=\"")
            .tag(if amount < 0.0 { "lost" } else { "won" })
            .tag("\" x=\"")
            .text(format!("{from:.1}"));
        drawn
            .tag("\" y=\"")
            .text(1 + 11 * place)
            .tag("\" height=\"9\" width=\"")
            .text(format!("{wide:.1}"))
            .tag("\"/>");
    }
    drawn.tag("<line x1=\"0\" x2=\"0\" y1=\"0\" y2=\"44\"/></svg>");
    drawn
}

fn answers(body: &mut Html, told: &Told) {
    body.tag("<section><h2>Queue and latency</h2>");
    for (scene, it) in told.scenes.iter().zip(&told.summary.instruments) {
        let (waits, asset) = (&scene.waits, &it.asset);
        body.tag("<div class=\"scroll\"><table class=\"numbers\">");
        body.head(&[&it.instrument, "n", "mean", "5 %", "25 %", "median", "75 %", "95 %"]);
        for (what, sketch, scale) in [
            ("place to ack as heard, ms".to_owned(), &waits.place_s, 1e3),
            ("cancel to ack as heard, ms".to_owned(), &waits.cancel_s, 1e3),
            ("replace to ack as heard, ms".to_owned(), &waits.replace_s, 1e3),
            (format!("ahead of us at join, {asset}"), &waits.ahead_at_join, 1.0),
            (format!("ahead of us at fill, {asset}"), &waits.ahead_at_fill, 1.0),
            ("our share of the level at join, %".to_owned(), &waits.share_at_join, 1e2),
        ] {
            body.tag("<tr><th scope=\"row\">").text(what).tag("</th>");
            for text in distribution(sketch, scale) {
                body.cell(text);
            }
            body.tag("</tr>");
        }
        let queue = it.trading.time_in_queue_s;
        body.tag("<tr><th scope=\"row\">time in queue of fills, s</th>").cell(it.trading.maker_trades);
        let of = |q: Quantiles| [q.mean, q.p05, q.p25, q.p50, q.p75, q.p95].map(number);
        for text in queue.map_or_else(|| [const { String::new() }; 6], of) {
            body.cell(text);
        }
        body.tag("</tr></table></div>");
    }
    body.note("An answer is heard with the next input, so these times are what a strategy lives with, not the network's alone.");
    body.tag("<h3>Refused</h3><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["", "by", "code", "times"]);
    let mut any = false;
    for it in &told.summary.instruments {
        let gate = it.trading.refusals.iter().map(|(code, times)| ("our risk gate", (*code).to_owned(), *times));
        let venue = it.trading.rejections.iter().map(|(words, times)| ("the venue", words.clone(), *times));
        for (by, code, times) in gate.chain(venue) {
            any = true;
            body.tag("<tr><th scope=\"row\">")
                .text(&it.instrument)
                .tag("</th>")
                .cell(by)
                .cell(code)
                .cell(times)
                .tag("</tr>");
        }
    }
    if !any {
        body.tag("<tr><td colspan=\"4\">nothing was refused</td></tr>");
    }
    body.tag("</table></div>");
    body.note(
        "A refusal of the gate that stands is counted once. Rejections include cancellations that came too late.",
    );
    body.tag("</section>\n");
}

fn events(body: &mut Html, told: &Told) {
    body.tag("<section><h2>Risk states and commands</h2><div class=\"scroll\"><table class=\"numbers left\">");
    body.head(&["when", "what", "why", "by"]);
    for event in &told.events.kept {
        body.tag("<tr><th scope=\"row\">").text(moment(event.at.0)).tag("</th>");
        body.cell(&event.what).cell(&event.reason).cell(&event.by).tag("</tr>");
    }
    if told.events.total == 0 {
        body.tag("<tr><td colspan=\"4\">none</td></tr>");
    }
    body.tag("</table></div>");
    let left_out = told.events.total - told.events.kept.len() as u64;
    if left_out > 0 {
        body.note(format!("{left_out} later ones are not shown: `papermaker sessions export --kind risk` has all."));
    }
    body.tag("</section>\n");
}

fn believe(body: &mut Html, manifest: &Manifest) {
    body.tag("<section><h2>How far to believe it</h2><ul>");
    body.tag("<li>Fills are a model's: a real order would have changed what others did. The larger our share of a level, the \
              less its fills are worth; a recording cannot answer back.</li>");
    body.tag("<li>Where in line we stood is a guess from what venues show; the queue model stands below.</li>");
    for note in &manifest.notes {
        body.tag("<li>").text(note).tag("</li>");
    }
    body.tag("</ul></section>\n");
}

fn configuration(body: &mut Html, manifest: &Manifest) {
    body.tag("<section><h2>Configuration and digests</h2><table class=\"pairs\">");
    for (name, text) in [
        ("output digest", digest(&manifest.output_digest)),
        ("state digest", digest(&manifest.state_digest)),
        ("configuration digest", digest(&manifest.config_digest)),
        ("policy digest", digest(&manifest.policy_digest)),
        ("spec digest", digest(&manifest.spec_digest)),
        ("seed", manifest.seed.to_string()),
        ("recorded by", manifest.code_version.clone()),
        ("made by", format!("papermaker {}", env!("CARGO_PKG_VERSION"))),
    ] {
        body.tag("<tr><th scope=\"row\">").tag(name).tag("</th><td><code>").text(text).tag("</code></td></tr>");
    }
    body.tag("</table><h3>Limits at the start</h3><table class=\"pairs\">");
    limits(body, manifest);
    body.tag("</table>");
    for (desk, print) in manifest.spec.desks.iter().zip(&manifest.strategies) {
        let label = desk.rules.label();
        let pretty = |value: serde_json::Result<String>| value.expect("a spec is plain data");
        if let Some(text) = &desk.strategy {
            unfold(body, &format!("Strategy of {label} ({})", digest(&print.digest)), text);
        }
        unfold(body, &format!("Paper exchange of {label}"), &pretty(serde_json::to_string_pretty(&desk.paper)));
        unfold(body, &format!("Quoting of {label}"), &pretty(serde_json::to_string_pretty(&desk.quoting)));
        unfold(body, &format!("Estimators of {label}"), &pretty(serde_json::to_string_pretty(&desk.signals)));
        unfold(body, &format!("Rules of {label}"), &pretty(serde_json::to_string_pretty(&desk.rules)));
    }
    body.note("Paper exchange, quoting, estimators and rules are as the manifest has them: times in nanoseconds.");
    body.tag("</section>\n");
}

fn limits(body: &mut Html, manifest: &Manifest) {
    let risk = &manifest.spec.risk;
    let instruments: Vec<_> = manifest.spec.desks.iter().map(|desk| desk.rules.clone()).collect();
    for crate::risk::values::Value { key, of, text, .. } in risk.values(&instruments) {
        let whose = if of.is_empty() { key } else { format!("{key} of {of}") };
        body.tag("<tr><th scope=\"row\">").text(whose).tag("</th>").cell(text).tag("</tr>");
    }
}

fn unfold(body: &mut Html, title: &str, text: &str) {
    body.tag("<details><summary>").text(title).tag("</summary><pre>").text(text).tag("</pre></details>");
}

/// What the charts are drawn from; `report.js` reads it.
fn data(manifest: &Manifest, told: &Told) -> Value {
    let names = Line::ALL.map(Line::word);
    let since = |at: LocalTime| at.since(told.started).0 / 1_000;
    let instruments =
        told.scenes.iter().zip(&told.summary.instruments).zip(&manifest.spec.desks).map(|((scene, it), desk)| {
            let spells = scene.spells.kept.iter().map(|s| json!([since(s.from), since(s.to), s.state.word()]));
            json!({
                "label": it.instrument, "currency": it.currency, "asset": it.asset, "quote": desk.rules.quote,
                "price_decimals": desk.rules.tick.decimals(),
                "trace": columns::trace(&scene.trace, names),
                "fills": {
                    "total": scene.fills.total, "every": scene.fills.every,
                    "rows": scene.fills.kept.iter().map(|mark| fill(mark, &since)).collect::<Vec<_>>(),
                },
                "spells": { "kept": spells.collect::<Vec<_>>(), "dropped": scene.spells.dropped },
            })
        });
    let totals = told.totals.iter().map(
        |(currency, trace)| json!({ "currency": currency, "trace": columns::trace(trace, ["equity", "drawdown"]) }),
    );
    let events = told.events.kept.iter().map(|e| json!([since(e.at), e.what, e.reason, e.by]));
    json!({
        "paper": true, "kind": "session", "session": manifest.id,
        "started_s": told.started.0 as f64 / 1e9, "seconds": told.summary.seconds,
        "instruments": instruments.collect::<Vec<_>>(), "totals": totals.collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "metrics": told.summary,
    })
}

/// `[heard, happened, order, side, liquidity, price, qty, fee, why, ahead, mid, rested]`: microseconds since the start;
/// 0 buy or maker, 1 sell or taker; seconds rested.
fn fill(mark: &FillMark, since: &impl Fn(LocalTime) -> i64) -> Value {
    let why = match mark.why {
        FillWhy::TradedThrough => 0,
        FillWhy::QueueFront => 1,
        FillWhy::Crossed => 2,
        FillWhy::Took => 3,
    };
    let taken = u8::from(mark.liquidity == Liquidity::Taker);
    json!([
        since(mark.heard),
        since(mark.happened),
        mark.order.0,
        mark.side as u8,
        taken,
        mark.price,
        mark.qty,
        mark.fee,
        why,
        mark.ahead,
        mark.mid,
        mark.rested_s,
    ])
}

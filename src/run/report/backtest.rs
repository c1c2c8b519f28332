//! The report of a backtest.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::figures::{brief, length, maybe, moment, number, percent};
use super::page::{Html, document, toolbar};
use super::sweep;
use crate::metrics::bootstrap::{Comparison, Interval};
use crate::metrics::score::{Score, Series, currencies};
use crate::metrics::{Summary, markout::Markout};
use crate::run::backtest::{Backtest, Contender, CrossValidation, Trials, WalkForward};

/// Most strategies whose curves are drawn: the best by profit, beyond.
const DRAWN_MAX: usize = 12;

/// A backtest's report: one HTML file.
pub fn backtest_html(backtest: &Backtest) -> String {
    let mut body = Html::default();
    head(&mut body, backtest);
    body.tag("<main>\n");
    strategies(&mut body, backtest);
    pairs(&mut body, backtest);
    let curves = curves(backtest);
    charts(&mut body, backtest, &curves);
    markouts(&mut body, backtest);
    judgement(&mut body, backtest);
    sweep::tables(&mut body, &backtest.strategies);
    if let Some(walk) = &backtest.walk_forward {
        walk_forward(&mut body, walk);
    }
    if let Some(crossed) = &backtest.cross_validation {
        cross_validation(&mut body, crossed);
    }
    recordings(&mut body, backtest);
    configuration(&mut body, backtest);
    body.tag("</main>\n");
    document("PAPER · backtest", &body, &data(backtest, curves))
}

/// A strategy's totals, one per currency.
fn scores(contender: &Contender) -> Vec<&Score> {
    if contender.by_currency.is_empty() { vec![&contender.score] } else { contender.by_currency.iter().collect() }
}

/// Its name on a chart: without the file's, where all are of one.
fn shortly(contender: &Contender, among: &Backtest) -> String {
    let base = sweep::base(contender);
    let rest = contender.name[base.len()..].trim_start();
    let is_clear = !rest.is_empty() && among.strategies.iter().all(|c| sweep::base(c) == base);
    if is_clear { rest.to_owned() } else { contender.name.clone() }
}

fn head(body: &mut Html, backtest: &Backtest) {
    let seconds: f64 = backtest.recordings.iter().map(|recorded| recorded.seconds).sum();
    let inputs: u64 = backtest.recordings.iter().map(|recorded| recorded.inputs).sum();
    let counted = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    body.tag("<header><span class=\"badge\" title=\"No order ever left the program\">PAPER</span><h1>Backtest</h1>");
    body.tag("<button type=\"button\" id=\"theme\" class=\"end\" aria-pressed=\"false\" hidden>Dark</button>");
    body.tag("<p class=\"soft wide\">")
        .text(counted(backtest.strategies.len(), "strategy", "strategies"))
        .tag(" over ");
    let [one, many] = backtest.noun();
    body.text(counted(backtest.recordings.len(), one, many)).tag(" · ").text(length(seconds)).tag(" · ");
    body.text(inputs).tag(" inputs</p></header>\n");
}

fn strategies(body: &mut Html, backtest: &Backtest) {
    body.tag("<section><h2>Strategies</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&[
        "",
        "profit",
        "95 % interval",
        "",
        "Sharpe ratio",
        "95 % interval",
        "deflated",
        "Sortino",
        "drawdown",
        "fees",
        "fills",
        "MAP",
        "profit / MAP",
        "two-sided",
    ]);
    let all = || backtest.strategies.iter().flat_map(|c| scores(c).into_iter().map(move |score| (c, score)));
    let scale = Scale::over(all().filter_map(|(_, score)| score.ci95.pnl));
    for (contender, score) in all() {
        let currency = score.currency.as_deref().unwrap_or("");
        body.tag("<tr data-strategy=\"")
            .text(&contender.name)
            .tag("\"><th scope=\"row\">")
            .text(&contender.name)
            .tag("</th>");
        body.tag("<td data-key=\"pnl\">").text(format!("{} {currency}", brief(score.pnl))).tag("</td>");
        body.cell(sure(score.ci95.pnl.as_ref())).tag("<td>").add(&scale.drawn(score.ci95.pnl.as_ref())).tag("</td>");
        body.cell(brief(score.sharpe)).cell(sure(score.ci95.sharpe.as_ref())).cell(brief(contender.deflated_sharpe));
        body.cell(brief(score.sortino)).cell(brief(score.max_drawdown)).cell(brief(score.fees)).cell(score.fills);
        body.cell(brief(score.mean_abs_position)).cell(brief(score.pnl_to_map));
        body.cell(score.quote_uptime.map_or_else(|| "–".to_owned(), percent)).tag("</tr>");
    }
    body.tag("</table></div>");
    let first = all().next().map(|(_, score)| score);
    let (period, periods) = first.map_or((0.0, 0), |score| (score.period_s, score.periods));
    body.note(format!(
        "Ratios are per period of {}, {periods} of them, not annualised. Intervals: blocks of periods resampled, and {} \
         too where there are several. Deflated: probability that the true Sharpe ratio is above what the best of all trials \
         would show by chance. MAP: mean absolute position over time.",
        length(period),
        backtest.noun()[1]
    ));
    body.tag("</section>\n");
}

fn sure(of: Option<&Interval>) -> String {
    of.map_or_else(|| "–".to_owned(), |of| format!("{} … {}", brief(Some(of.low)), brief(Some(of.high))))
}

/// Intervals drawn under each other to one scale that shows zero.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn over(intervals: impl Iterator<Item = Interval>) -> Self {
        let scale = Self { low: 0.0, high: 0.0 };
        intervals.fold(scale, |s, i| Self { low: s.low.min(i.low), high: s.high.max(i.high) })
    }

    fn drawn(&self, of: Option<&Interval>) -> Html {
        let mut drawn = Html::default();
        let wide = self.high - self.low;
        let Some(of) = of.filter(|_| wide > 0.0) else { return drawn };
        let at = |value: f64| format!("{:.1}", 4.0 + 112.0 * (value - self.low) / wide);
        drawn.tag("<svg class=\"interval\" viewBox=\"0 0 120 14\" width=\"120\" height=\"14\" aria-hidden=\"true\"><line class=\"zero\" y1=\"0\" y2=\"14\" x1=\"");
        drawn.text(at(0.0)).tag("\" x2=\"").text(at(0.0)).tag("\"/><line y1=\"7\" y2=\"7\" x1=\"").text(at(of.low));
        drawn
            .tag("\" x2=\"")
            .text(at(of.high))
            .tag("\"/><circle cy=\"7\" r=\"3.5\" cx=\"")
            .text(at(of.value))
            .tag("\"/></svg>");
        drawn
    }
}

fn pairs(body: &mut Html, backtest: &Backtest) {
    if backtest.pairs.is_empty() {
        return;
    }
    body.tag("<section><h2>Differences on the same ").text(backtest.noun()[1]);
    body.tag("</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&[
        "first",
        "less second",
        "profit",
        "95 % interval",
        "",
        "p",
        "Sharpe ratio",
        "95 % interval",
        "p",
        "drawdown",
        "fees",
        "fills",
    ]);
    let of = |c: Option<Comparison>| c.map(|c| c.difference);
    let scale = Scale::over(backtest.pairs.iter().filter_map(|pair| of(pair.difference.ci95.pnl)));
    for pair in &backtest.pairs {
        let d = &pair.difference;
        let p = |c: Option<Comparison>| brief(c.map(|c| c.p_value));
        body.tag("<tr><th scope=\"row\">").text(&pair.first).tag("</th>");
        body.tag("<td class=\"names\">").text(&pair.second).tag("</td>");
        body.cell(format!("{} {}", brief(d.pnl), d.currency.as_deref().unwrap_or("")));
        body.cell(sure(of(d.ci95.pnl).as_ref())).tag("<td>").add(&scale.drawn(of(d.ci95.pnl).as_ref())).tag("</td>");
        body.cell(p(d.ci95.pnl)).cell(brief(d.sharpe)).cell(sure(of(d.ci95.sharpe).as_ref())).cell(p(d.ci95.sharpe));
        body.cell(brief(d.max_drawdown)).cell(brief(d.fees)).cell(d.fills).tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(
        "Both are resampled together, so what moves both moves neither. p: probability of a difference so large, either way, \
         between strategies that are the same. Of many pairs, some look different by chance.",
    );
    body.tag("</section>\n");
}

/// One currency's curves, as the page's script draws them.
struct Curves {
    currency: String,
    x: Vec<f64>,
    /// By strategy.
    drawn: Vec<(String, Vec<f64>)>,
    left_out: usize,
}

fn curves(backtest: &Backtest) -> Vec<Curves> {
    let runs = |c: &'_ Contender| -> Vec<Summary> { c.runs.iter().map(|run| run.summary.clone()).collect() };
    let mut found: Vec<String> = Vec::new();
    for contender in &backtest.strategies {
        let summaries = runs(contender);
        let new = currencies(&summaries.iter().collect::<Vec<_>>());
        found.extend(new.into_iter().filter(|currency| !found.contains(currency)).collect::<Vec<_>>());
    }
    let profit = |c: &Contender, currency: &str| {
        scores(c)
            .iter()
            .find(|s| s.currency.as_deref() == Some(currency))
            .and_then(|s| s.pnl)
            .unwrap_or(f64::NEG_INFINITY)
    };
    found
        .into_iter()
        .map(|currency| {
            let mut order: Vec<&Contender> = backtest.strategies.iter().collect();
            if order.len() > DRAWN_MAX {
                order.sort_by(|a, b| profit(b, &currency).total_cmp(&profit(a, &currency)));
            }
            let left_out = order.len().saturating_sub(DRAWN_MAX);
            let mut x = Vec::new();
            let drawn = order.iter().take(DRAWN_MAX).map(|contender| {
                let summaries = runs(contender);
                let series = Series::of(&summaries.iter().collect::<Vec<_>>(), &currency);
                let (moments, equity) = curve(&series, &summaries);
                x = moments;
                (shortly(contender, backtest), equity)
            });
            let drawn = drawn.collect();
            Curves { currency, x, drawn, left_out }
        })
        .collect()
}

/// Seconds of recorded time, recordings one after the other, and the equity then.
fn curve(series: &Series, runs: &[Summary]) -> (Vec<f64>, Vec<f64>) {
    let (mut start, mut equity) = (0.0, 0.0);
    let (mut x, mut y) = (vec![0.0], vec![0.0]);
    for (returns, run) in series.recordings.iter().zip(runs) {
        for (change, number) in returns.iter().zip(1..=returns.len()) {
            // What is left after the last whole period belongs to that one.
            let within = if number == returns.len() { run.seconds } else { number as f64 * series.period_s };
            equity += change;
            x.push(start + within);
            y.push(equity);
        }
        start += run.seconds;
    }
    (x, y)
}

fn charts(body: &mut Html, backtest: &Backtest, curves: &[Curves]) {
    body.add(&toolbar(false)).tag("<section><h2>Equity and drawdown</h2>");
    for (index, of) in curves.iter().enumerate() {
        body.tag("<figure><figcaption>Equity and, below it, drawdown, ").text(&of.currency);
        body.tag("</figcaption><div class=\"chart\" data-chart=\"curves\" data-of=\"").text(index);
        body.tag("\" aria-label=\"Equity of each strategy\"></div></figure>");
        if of.left_out > 0 {
            body.note(format!(
                "The {} best by profit are drawn; {} more are in the table.",
                of.drawn.len(),
                of.left_out
            ));
        }
    }
    if backtest.recordings.len() > 1 {
        body.note(
            "Recordings follow each other; a dashed line is where the next begins, each with an account of its own.",
        );
    }
    body.tag("</section>\n");
}

fn markouts(body: &mut Html, backtest: &Backtest) {
    body.tag("<section><h2>Where the mid went after fills</h2>");
    body.tag("<div class=\"chart\" data-chart=\"markouts\" data-of=\"0\" aria-label=\"Mean markout of each strategy, basis points\"></div>");
    body.tag("<div class=\"scroll\"><table class=\"numbers\">");
    let mut titles = vec!["mean, bps ± standard error (fills)".to_owned()];
    let after = |m: &Markout| format!("after {}", length(m.after_s));
    let longest = backtest.strategies.iter().map(|c| &c.score.markouts).max_by_key(|m| m.len());
    titles.extend(longest.into_iter().flatten().map(after));
    body.head(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for contender in &backtest.strategies {
        body.tag("<tr><th scope=\"row\">").text(&contender.name).tag("</th>");
        for m in &contender.score.markouts {
            body.cell(format!("{} ± {} ({})", brief(m.mean_bps), brief(m.error_bps), m.fills));
        }
        body.tag("</tr>");
    }
    body.tag("</table></div></section>\n");
}

fn judgement(body: &mut Html, backtest: &Backtest) {
    let Trials { log, distinct, new, sharpe_variance, best_by_chance } = &backtest.trials;
    body.tag("<section><h2>How much of it is choice</h2><table class=\"pairs\">");
    let mut line = |name: &str, text: String| {
        body.tag("<tr><th scope=\"row\">").text(name).tag("</th>").cell(text).tag("</tr>");
    };
    line(&format!("trials on these {}", backtest.noun()[1]), format!("{distinct}, {new} of them new"));
    line("variance of their Sharpe ratios", maybe(*sharpe_variance));
    line("Sharpe ratio of the best by chance", maybe(*best_by_chance));
    if let Some(over) = &backtest.overfitting {
        let text = format!("{} ({} parts, {} ways to halve them)", percent(over.probability), over.parts, over.splits);
        line("probability of overfitting (PBO)", text);
    }
    line("log of trials", log.clone());
    body.tag("</table><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["", "probabilistic Sharpe ratio", "deflated Sharpe ratio"]);
    for contender in &backtest.strategies {
        body.tag("<tr><th scope=\"row\">")
            .text(&contender.name)
            .tag("</th>")
            .cell(maybe(contender.probabilistic_sharpe));
        body.cell(maybe(contender.deflated_sharpe)).tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(
        "Probabilistic: probability that the true ratio is above zero, had nothing else been tried. Deflated: above the best of \
         all trials by chance. PBO: how often the best on one half of time was no better than the median on the other.",
    );
    for note in &backtest.notes {
        body.note(note);
    }
    body.tag("</section>\n");
}

fn walk_forward(body: &mut Html, walk: &WalkForward) {
    body.tag("<section><h2>Walk forward</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&[
        "training periods",
        "test periods",
        "chosen",
        "in sample",
        "out of sample",
        "profit",
        "rank in the test",
    ]);
    for fold in &walk.folds {
        body.tag("<tr><th scope=\"row\">").text(format!("{} … {}", fold.train[0], fold.train[1])).tag("</th>");
        body.cell(format!("{} … {}", fold.test[0], fold.test[1]))
            .tag("<td class=\"names\">")
            .text(&fold.chosen)
            .tag("</td>")
            .cell(maybe(fold.in_sample));
        body.cell(maybe(fold.out_of_sample)).cell(number(fold.pnl)).cell(fold.rank).tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(format!(
        "Chosen by {} on the past, judged on what came next, {} left out between. Sharpe ratio per period {} in sample, {} out of \
         sample; profit out of sample {}.",
        walk.chosen_by,
        length(walk.gap_s),
        maybe(walk.sharpe_in_sample),
        maybe(walk.sharpe_out_of_sample),
        number(walk.pnl_out_of_sample)
    ));
    body.tag("</section>\n");
}

fn cross_validation(body: &mut Html, crossed: &CrossValidation) {
    body.tag("<section><h2>Combinatorial purged cross-validation</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["path", "Sharpe ratio out of sample", "profit"]);
    for (number_, (sharpe, pnl)) in crossed.path_sharpes.iter().zip(&crossed.path_pnls).enumerate() {
        body.tag("<tr><th scope=\"row\">")
            .text(number_ + 1)
            .tag("</th>")
            .cell(maybe(*sharpe))
            .cell(number(*pnl))
            .tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(format!(
        "Chosen by {} on every combination of {} of {} parts, judged on the other {}: {} splits, {} purged and {} embargoed. After \
         {} of the splits the chosen one was no better than the median.",
        crossed.chosen_by,
        crossed.groups - crossed.tested,
        crossed.groups,
        crossed.tested,
        crossed.splits,
        length(crossed.purge_s),
        length(crossed.embargo_s),
        percent(crossed.probability_of_overfitting)
    ));
    body.tag("</section>\n");
}

fn recordings(body: &mut Html, backtest: &Backtest) {
    let heading = if backtest.noun()[0] == "recording" { "Recordings" } else { "Simulated markets" };
    body.tag("<section><h2>").text(heading);
    body.tag("</h2><div class=\"scroll\"><table class=\"numbers left\">");
    body.head(&["", "instruments", "began", "length", "inputs", "fingerprint"]);
    for recorded in &backtest.recordings {
        body.tag("<tr><th scope=\"row\">").text(&recorded.name).tag("</th>").cell(recorded.instruments.join(" "));
        body.cell(moment(recorded.started_ns)).cell(length(recorded.seconds)).cell(recorded.inputs);
        body.tag("<td><code>").text(&recorded.fingerprint).tag("</code></td></tr>");
    }
    body.tag("</table></div><h3>Each strategy on each</h3><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&[
        "",
        "strategy",
        "profit",
        "spread",
        "inventory",
        "fees",
        "funding",
        "fills",
        "deepest drawdown",
        "as recorded",
    ]);
    for (place, recorded) in backtest.recordings.iter().enumerate() {
        for contender in &backtest.strategies {
            let Some(run) = contender.runs.get(place) else { continue };
            for it in &run.summary.instruments {
                let a = &it.attribution;
                let whose =
                    if run.summary.instruments.len() > 1 { format!(" {}", it.instrument) } else { String::new() };
                body.tag("<tr><th scope=\"row\">").text(format!("{}{whose}", recorded.name)).tag("</th>");
                body.tag("<td class=\"names\">").text(&contender.name).tag("</td>");
                body.cell(format!("{} {}", number(a.pnl.to_f64()), it.currency));
                for amount in [a.spread, a.inventory, a.fees, a.funding] {
                    body.cell(number(amount.to_f64()));
                }
                body.cell(it.trading.num_trades).cell(number(it.risk.max_drawdown.to_f64()));
                body.cell(run.is_as_recorded.map_or("–", |same| if same { "identical" } else { "differs" }))
                    .tag("</tr>");
            }
        }
    }
    body.tag("</table></div>");
    body.note("Profit is spread + inventory − fees − funding. As recorded: whether the outputs are those of the recording itself.");
    body.tag("</section>\n");
}

fn configuration(body: &mut Html, backtest: &Backtest) {
    body.tag("<section><h2>Configuration and digests</h2>");
    // A sweep shares its file: texts that are the same are shown once.
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for contender in &backtest.strategies {
        texts.entry(&contender.strategy_digest).or_default().push(&contender.name);
    }
    body.tag("<div class=\"scroll\"><table class=\"numbers left\">");
    body.head(&["", "strategy digest", "settings digest"]);
    for contender in &backtest.strategies {
        body.tag("<tr><th scope=\"row\">")
            .text(&contender.name)
            .tag("</th><td><code>")
            .text(&contender.strategy_digest);
        body.tag("</code></td><td><code>").text(&contender.settings_digest).tag("</code></td></tr>");
    }
    body.tag("</table></div>");
    for contender in
        backtest.strategies.iter().filter(|c| c.changed.is_empty() || backtest.strategies.len() <= DRAWN_MAX)
    {
        let names = &texts[contender.strategy_digest.as_str()];
        if names[0] == contender.name {
            body.tag("<details><summary>Strategy ").text(names.join(", ")).tag("</summary><pre>").text(&contender.text);
            body.tag("</pre></details>");
        }
    }
    body.note(format!("Made by papermaker {}.", env!("CARGO_PKG_VERSION")));
    body.tag("</section>\n");
}

/// What the charts are drawn from; `report.js` reads it.
fn data(backtest: &Backtest, curves: Vec<Curves>) -> Value {
    let mut start = 0.0;
    let mut begins = Vec::new();
    for recorded in &backtest.recordings {
        begins.push(json!([(start * 1e6) as i64, "recording", recorded.name, ""]));
        start += recorded.seconds;
    }
    let curves = curves.into_iter().map(|of| {
        let drawn = of.drawn.iter().map(|(name, equity)| json!({ "name": name, "equity": equity }));
        json!({ "currency": of.currency, "x": of.x, "drawn": drawn.collect::<Vec<_>>() })
    });
    let drawn = backtest.strategies.iter().take(DRAWN_MAX);
    json!({
        "paper": true, "kind": "backtest", "started_s": 0.0, "seconds": start,
        // The first begins where everything begins.
        "events": begins.split_first().map_or(&[][..], |(_, rest)| rest),
        "instruments": [], "curves": curves.collect::<Vec<_>>(),
        "markouts": drawn.map(|c| json!({ "name": shortly(c, backtest), "rows": c.score.markouts })).collect::<Vec<_>>(),
    })
}

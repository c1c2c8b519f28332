//! A backtest for people: one table per currency, the differences, and what they are worth.

use crate::cli::metrics::significant;
use crate::metrics::bootstrap::{Comparison, Interval};
use crate::metrics::score::Score;
use crate::run::backtest::{Backtest, Contender, Fold, Pair};

pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), significant)
}

/// A probability.
pub(super) fn chance(p: f64) -> String {
    format!("{p:.4}")
}

pub(super) fn sure(interval: Option<&Interval>) -> String {
    interval.map_or_else(
        || "-".to_owned(),
        |i| format!("{} ({} to {})", significant(i.value), significant(i.low), significant(i.high)),
    )
}

const COLUMNS: [&str; 12] = [
    "strategy",
    "pnl (95 %)",
    "fees",
    "fills",
    "sharpe (95 %)",
    "sortino",
    "drawdown",
    "mean |pos|",
    "pnl/map",
    "uptime",
    "1 s bps",
    "deflated",
];

fn row(name: &str, score: &Score, deflated: Option<f64>) -> Vec<String> {
    let markout = score.markouts.iter().find(|m| m.after_s == 1.0).and_then(|m| m.mean_bps);
    let pnl = match &score.ci95.pnl {
        Some(interval) => sure(Some(interval)),
        None => number(score.pnl),
    };
    let ratio = match &score.ci95.sharpe {
        Some(interval) => sure(Some(interval)),
        None => number(score.sharpe),
    };
    let rest = [score.sortino, score.max_drawdown, score.mean_abs_position, score.pnl_to_map, score.quote_uptime];
    let mut cells = vec![name.to_owned(), pnl, number(score.fees), score.fills.to_string(), ratio];
    cells.extend(rest.into_iter().chain([markout]).map(number));
    cells.push(deflated.map_or_else(|| "-".to_owned(), chance));
    cells
}

/// Columns as wide as their widest cell, the first to the left.
pub(super) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cell = |(c, text): (usize, &String)| match c {
            0 => format!("  {text:<w$}", w = widths[0]),
            _ => format!("  {text:>w$}", w = widths[c]),
        };
        row.iter().enumerate().map(cell).collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

pub(super) fn as_text(found: &Backtest, verbose: bool) -> Vec<String> {
    let (inputs, seconds) =
        found.recordings.iter().fold((0, 0.0), |(n, s), recorded| (n + recorded.inputs, s + recorded.seconds));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let mut text = vec![format!(
        "PAPER backtest of {} over {}: {} s, {inputs} inputs",
        plural(found.strategies.len(), "strategy").replace("ys", "ies"),
        plural(found.recordings.len(), "recording"),
        significant(seconds),
    )];
    for currency in in_currencies(found) {
        text.extend(table(found, &currency));
    }
    if verbose {
        for contender in &found.strategies {
            text.push(format!("{} by {}", contender.name, found.noun()[0]));
            text.extend(aligned(&by_recording(contender)));
        }
    }
    for (contender, run) in found.strategies.iter().flat_map(|c| c.runs.iter().map(move |run| (c, run))) {
        if run.is_as_recorded == Some(true) && !verbose {
            let (of, digest) = (&run.recording, &run.output_digest);
            text.push(format!("{} on {of}: output digest {digest}, the recording's own", contender.name));
        }
    }
    if !found.pairs.is_empty() {
        text.push("differences, first less second, period by period".to_owned());
        text.extend(aligned(&found.pairs.iter().map(pair_row).collect::<Vec<_>>()));
    }
    let trials = &found.trials;
    text.push(format!(
        "{} on these {} so far, {} new; the best of them by chance: Sharpe ratio {}",
        plural(trials.distinct, "trial"),
        found.noun()[1],
        trials.new,
        number(trials.best_by_chance)
    ));
    if let Some(o) = &found.overfitting {
        text.push(format!(
            "probability of overfitting {}: so often the best on one half of time was no better than the median on the other \
             ({} ways to halve {} parts)",
            chance(o.probability),
            o.splits,
            o.parts
        ));
    }
    text.extend(walked(found));
    text.extend(found.notes.iter().map(|note| format!("note: {note}")));
    text
}

fn in_currencies(found: &Backtest) -> Vec<Option<String>> {
    let first = found.strategies.first();
    match first.map(|contender| &contender.by_currency) {
        Some(several) if !several.is_empty() => several.iter().map(|score| score.currency.clone()).collect(),
        _ => vec![None],
    }
}

fn table(found: &Backtest, currency: &Option<String>) -> Vec<String> {
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    let mut of = None;
    for contender in &found.strategies {
        let score = match currency {
            Some(_) => contender.by_currency.iter().find(|score| score.currency == *currency),
            None => Some(&contender.score),
        };
        if let Some(score) = score {
            rows.push(row(&contender.name, score, contender.deflated_sharpe.filter(|_| currency.is_none())));
            of = of.or(Some(score));
        }
    }
    let mut text = Vec::new();
    if let Some(score) = of {
        text.push(format!(
            "in {}{}, ratios per period of {} s ({} periods)",
            score.currency.as_deref().unwrap_or("several currencies"),
            score.asset.as_ref().map(|asset| format!(", positions in {asset}")).unwrap_or_default(),
            significant(score.period_s),
            score.periods
        ));
    }
    text.extend(aligned(&rows));
    text
}

fn by_recording(contender: &Contender) -> Vec<Vec<String>> {
    let head = ["recording", "instrument", "pnl", "fees", "fills", "drawdown", "mean |pos|", "uptime", "output digest"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for run in &contender.runs {
        for it in &run.summary.instruments {
            let same = if run.is_as_recorded == Some(true) { " as recorded" } else { "" };
            rows.push(vec![
                run.recording.clone(),
                it.instrument.clone(),
                format!("{} {}", significant(it.attribution.pnl.to_f64()), it.currency),
                significant(it.attribution.fees.to_f64()),
                it.trading.num_trades.to_string(),
                significant(it.risk.max_drawdown.to_f64()),
                format!("{} {}", significant(it.inventory.mean_absolute_position), it.asset),
                significant(it.quoting.two_sided_uptime),
                format!("{}{same}", &run.output_digest[..12]),
            ]);
        }
    }
    rows
}

fn pair_row(pair: &Pair) -> Vec<String> {
    let compared = |name: &str, comparison: &Option<Comparison>| {
        let p = comparison.map(|c| format!(", p {}", chance(c.p_value))).unwrap_or_default();
        format!("{name} {}{p}", sure(comparison.as_ref().map(|c| &c.difference)))
    };
    vec![
        format!("{} - {}", pair.first, pair.second),
        compared("pnl", &pair.difference.ci95.pnl),
        compared("sharpe", &pair.difference.ci95.sharpe),
        format!("fills {:+}", pair.difference.fills),
    ]
}

fn walked(found: &Backtest) -> Vec<String> {
    let mut text = Vec::new();
    if let Some(walk) = &found.walk_forward {
        text.push(format!(
            "walk-forward, chosen by {}, {} s between training and test: out of sample pnl {}, Sharpe ratio {}; in sample {}",
            walk.chosen_by,
            significant(walk.gap_s),
            significant(walk.pnl_out_of_sample),
            number(walk.sharpe_out_of_sample),
            number(walk.sharpe_in_sample)
        ));
        let fold = |fold: &Fold| {
            vec![
                format!("periods {} to {}", fold.test[0], fold.test[1]),
                fold.chosen.clone(),
                format!("in sample {}", number(fold.in_sample)),
                format!("out {}", number(fold.out_of_sample)),
                format!("pnl {}", significant(fold.pnl)),
                format!("rank {} of {}", fold.rank, found.strategies.len()),
            ]
        };
        text.extend(aligned(&walk.folds.iter().map(fold).collect::<Vec<_>>()));
    }
    if let Some(cv) = &found.cross_validation {
        let ratios: Vec<String> = cv.path_sharpes.iter().map(|ratio| number(*ratio)).collect();
        text.push(format!(
            "cross-validation, {} of {} parts tested: {} splits, {} paths; Sharpe ratios out of sample {}; chosen no better than \
             the median in {} of them",
            cv.tested,
            cv.groups,
            cv.splits,
            cv.path_sharpes.len(),
            ratios.join(" "),
            chance(cv.probability_of_overfitting)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [vec!["a".to_owned(), "10".to_owned()], vec!["long".to_owned(), "-".to_owned()]];
        assert_eq!(aligned(&rows), ["  a     10", "  long   -"]);
    }
}

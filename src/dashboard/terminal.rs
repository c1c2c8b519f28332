//! The status block: the picture as text, short enough to be redrawn in place.

use std::fmt::Write;

use super::status::{InstrumentStatus, PnlStatus, StatusSnapshot};

/// Most lines of the block, so that it fits the smallest terminal in use (24 lines) with a prompt.
const LINES_MAX: usize = 20;
/// An instrument told at length takes at most this many lines.
const LINES_OF_ONE: usize = 9;
/// Head, feeds at most, limits of the whole book, journal, and the line that counts what was left out.
const FEEDS_MAX: usize = 3;

/// The picture in at most [`LINES_MAX`] lines. One or two instruments are told at length, more get a line each.
pub(super) fn block(all: &StatusSnapshot) -> String {
    let mut lines = vec![head(all)];
    let refused = usize::from(all.limits_refused.is_some());
    let room = LINES_MAX - 3 - all.feeds.len().min(FEEDS_MAX) - 1 - refused;
    if all.instruments.len() * LINES_OF_ONE <= room {
        for (it, index) in all.instruments.iter().zip(0..) {
            at_length(it, &mut lines);
            lines.extend(bracket(all, it, index));
        }
    } else {
        // One line says where the rest is.
        let shown = all.instruments.len().min(room - 2);
        lines.extend(all.instruments[..shown].iter().map(in_a_line));
        if shown < all.instruments.len() {
            lines.push(format!("  … and {} more instruments", all.instruments.len() - shown));
        }
        lines.push("  quotes, money and limits of each: `papermaker status --json`, or the page".to_owned());
    }
    for feed in all.feeds.iter().take(FEEDS_MAX) {
        let socket = if feed.connected { "connected" } else { "DISCONNECTED" };
        let age = feed.age_ms.map_or("no frame yet".to_owned(), |ms| format!("last frame {ms} ms ago"));
        lines.push(format!(
            "  feed {:<2} {} {socket}, {age}, {} frames, {} gaps, {} reconnects",
            feed.connection, feed.venue, feed.frames, feed.gaps, feed.reconnects
        ));
    }
    if all.feeds.len() > FEEDS_MAX {
        lines.push(format!("  … and {} more feeds", all.feeds.len() - FEEDS_MAX));
    }
    let limits: Vec<String> = all.limits.iter().map(|l| format!("{} {:.0} %", l.limit, l.share * 100.0)).collect();
    if !limits.is_empty() {
        lines.push(format!("  book    {}", limits.join(", ")));
    }
    if let Some(why) = &all.limits_refused {
        let first = why.lines().next().unwrap_or_default();
        lines.push(format!("  limits  REFUSED, those before stay in force: {first}"));
    }
    lines.push(format!(
        "  record  {} inputs, {} waiting, {} ms behind, {:.1} MB, digest {}",
        all.seq,
        all.journal.waiting,
        all.journal.lag_ms,
        all.journal.bytes as f64 / 1e6,
        short(&all.output_digest)
    ));
    lines.join("\n")
}

fn head(all: &StatusSnapshot) -> String {
    let reason = if all.reason.is_empty() { String::new() } else { format!(" ({})", all.reason) };
    let seconds = all.uptime_s as u64;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let state = all.state.word().to_uppercase().replace('_', " ");
    format!("PAPER {} · {state}{reason} · {clock} · {} fills · {} refused", all.session, all.fills, all.refusals)
}

fn at_length(it: &InstrumentStatus, lines: &mut Vec<String>) {
    let side = |level: &Option<super::status::LevelStatus>| {
        level.as_ref().map_or("—".to_owned(), |l| format!("{} × {}", l.price, l.qty))
    };
    let mid = it.mid.as_deref().unwrap_or("—");
    lines.push(format!("{} · book {} · {} / {} · mid {mid}", it.label, it.book, side(&it.bid), side(&it.ask)));
    lines.push(format!("  quotes  {}", quotes(it)));
    let mut strategy = if it.strategy.is_empty() { "none, recording only".to_owned() } else { it.strategy.clone() };
    if let Some(t) = it.terms {
        let _ = write!(strategy, ", σ {:.3} A {:.3} k {:.4} γ {:.6}", t.sigma, t.a, t.k, t.gamma);
    }
    if let Some(policy) = &it.policy {
        let [bid, ask] = policy.action;
        let _ = write!(strategy, ", action {bid:+.3} {ask:+.3}");
        if let Some(logp) = policy.logp {
            let _ = write!(strategy, " logp {logp:.2}");
        }
    }
    if let Some(ms) = it.decision_age_ms {
        let _ = write!(strategy, ", decided {ms} ms ago");
    }
    lines.push(format!("  strategy {strategy}"));
    if let Some(drift) = it.drift.as_ref().filter(|drift| drift.tripped) {
        lines.push(format!("  DRIFT   {}", drift.words));
    }
    if let Some(idle) = &it.idle {
        lines.push(format!("  idle    {idle}{}", it.warm_up.as_ref().map_or(String::new(), |w| bar(w.have, w.need))));
    }
    if !it.risk_reason.is_empty() {
        lines.push(format!("  risk    {}, {}", it.risk.to_uppercase(), it.risk_reason));
    }
    let worth = it.notional_quote.as_ref().map_or(String::new(), |n| format!(", worth {} {}", cents(n), it.quote));
    lines.push(format!("  holds   {} {}{worth}", it.position, it.unit));
    if let Some(pnl) = &it.pnl {
        lines.push(format!("  money   {}", money(pnl, &it.settle)));
    }
    if it.level_share_max > 0.0 {
        lines.push(format!("  size    at most {:.1} % of a level, ours counted in", it.level_share_max * 100.0));
    }
    if !it.limits.is_empty() {
        let uses = it.limits.iter().map(|l| format!("{} {:.0} %", l.limit, l.share * 100.0));
        lines.push(format!("  limits  {}", uses.collect::<Vec<_>>().join(", ")));
    }
}

/// What the equity would be under either bound of the queue model, the session's between them.
fn bracket(all: &StatusSnapshot, it: &InstrumentStatus, index: usize) -> Option<String> {
    let bound = |word: &str| {
        let bound = all.bracket.iter().find(|bound| bound.bound == word)?;
        let said = format!("{} {word} ({} fills)", cents(&bound.instruments.get(index)?.equity), bound.fills);
        Some(if bound.risk == "active" { said } else { format!("{said}, {}", bound.risk.to_uppercase()) })
    };
    let ours = it.pnl.as_ref().map_or("—".to_owned(), |pnl| cents(&pnl.equity));
    Some(format!("  bracket {} · {ours} as modelled · {} {}", bound("pessimistic")?, bound("optimistic")?, it.settle))
}

fn quotes(it: &InstrumentStatus) -> String {
    if it.quotes.is_empty() {
        return "none".to_owned();
    }
    let one = |q: &super::status::QuoteStatus| {
        let ahead = q.queue_ahead.as_ref().map_or(format!("[{}]", q.state), |a| format!("[{a} ahead]"));
        format!("{} {} @ {} {ahead}", q.side, q.qty, q.price)
    };
    let shown = it.quotes.iter().take(4).map(one).collect::<Vec<_>>().join(" · ");
    if it.quotes.len() > 4 { format!("{shown} · … {} more", it.quotes.len() - 4) } else { shown }
}

fn money(pnl: &PnlStatus, settle: &str) -> String {
    // Spot pays no funding: nothing is said of it then.
    let funding = if pnl.funding == "0" { String::new() } else { format!(" − funding {}", cents(&pnl.funding)) };
    format!(
        "equity {} {settle} = spread {} + inventory {} − fees {}{funding} (realised {}, unrealised {}, drawdown {})",
        cents(&pnl.equity),
        cents(&pnl.spread),
        cents(&pnl.inventory),
        cents(&pnl.fees),
        cents(&pnl.realised),
        cents(&pnl.unrealised),
        cents(&pnl.drawdown)
    )
}

fn in_a_line(it: &InstrumentStatus) -> String {
    let mid = it.mid.as_deref().unwrap_or("—");
    let equity = it.pnl.as_ref().map_or("—".to_owned(), |p| cents(&p.equity));
    let idle = it.idle.as_ref().map_or(String::new(), |why| format!(" · {why}"));
    let risk = match it.risk.as_str() {
        state @ ("reducing" | "halted") => format!(" · {}", state.to_uppercase()),
        _ => String::new(),
    };
    let (label, book, n) = (&it.label, &it.book, it.quotes.len());
    format!("{label} · {book} · mid {mid} · {n} quotes · holds {} · equity {equity}{risk}{idle}", it.position)
}

/// Four decimals are enough for eyes; the JSON has them all.
fn cents(decimal: &str) -> String {
    match decimal.parse::<rust_decimal::Decimal>() {
        Ok(value) => value.round_dp(4).normalize().to_string(),
        Err(_) => decimal.to_owned(),
    }
}

fn bar(have: u32, need: u32) -> String {
    let full = (u64::from(have.min(need)) * 20 / u64::from(need.max(1))) as usize;
    format!(" [{}{}]", "#".repeat(full), ".".repeat(20 - full))
}

fn short(digest: &str) -> &str {
    if digest.is_empty() { "—" } else { digest.get(..16).unwrap_or(digest) }
}

#[cfg(test)]
mod tests {
    use super::super::status::WarmUp;
    use super::super::status::testing::a_snapshot;
    use super::*;

    #[test]
    fn the_block_says_paper_first_and_names_what_an_operator_looks_for() {
        let text = block(&a_snapshot());
        assert!(text.starts_with("PAPER 2026-11-21-demo · QUOTING · 00:01:15 · 12 fills"), "{text}");
        for part in [
            "bracket -0.25 pessimistic (9 fills) · 0.625 as modelled · 1.5 optimistic (9 fills) USDT",
            "mid 64012.505",
            "buy 0.00100 @ 64011.80 [0.42000 ahead]",
            "equity 0.625 USDT",
            "31 ms ago",
            "DRIFT   policy off, GLFT quotes: ln σ has PSI 0.500 of 0.250 allowed, MMD² 0.250 of 0.125 with p 0.005",
            "30 %",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn the_block_never_passes_twenty_lines_however_much_there_is() {
        for instruments in 0..40 {
            for feeds in 0..9 {
                let mut all = a_snapshot();
                let mut one = all.instruments.remove(0);
                one.idle = Some("warming up".to_owned());
                one.warm_up = Some(WarmUp { what: "volatility".to_owned(), have: 3, need: 4 });
                all.instruments = vec![one; instruments];
                all.feeds = vec![all.feeds[0].clone(); feeds];
                let lines = block(&all).lines().count();
                assert!(lines <= LINES_MAX, "{instruments} instruments, {feeds} feeds: {lines} lines");
            }
        }
    }

    #[test]
    fn a_bar_is_as_full_as_the_estimate() {
        assert_eq!(bar(3, 4), " [###############.....]");
        assert_eq!(bar(9, 4), " [####################]");
    }
}

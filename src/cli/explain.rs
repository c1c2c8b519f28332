//! `replay SESSION --around SEQ`: one decision in words.

use std::fmt::Write;

use crate::run::explain::{Explanation, Told};

/// The explanation for people.
pub(super) fn as_text(it: &Explanation) -> String {
    let mut text = format!("PAPER {} around input {}\n", it.session, it.seq);
    for told in &it.decisions {
        decision(told, &mut text);
    }
    if it.decisions.is_empty() {
        let _ = writeln!(text, "no strategy was asked at input {}", it.seq);
    }
    let near = it.nearest.map(|seq| seq.map_or("none".to_owned(), |seq| seq.to_string()));
    let _ = writeln!(text, "a strategy was asked before at input {}, next at input {}", near[0], near[1]);
    let _ = writeln!(text, "inputs and what was said to them (brought back from checkpoint {})", it.from_checkpoint);
    for input in &it.inputs {
        let mark = if input.seq == it.seq { ">" } else { " " };
        let _ = writeln!(text, "{mark} {} {}", input.seq, input.input);
        if input.recorded == input.replayed {
            input.recorded.iter().for_each(|said| text += &format!("      {said}\n"));
        } else {
            input.recorded.iter().for_each(|said| text += &format!("      recorded {said}\n"));
            input.replayed.iter().for_each(|said| text += &format!("      replayed {said}\n"));
        }
    }
    text
}

fn decision(told: &Told, text: &mut String) {
    let (market, signals, holding, terms) = (&told.market, &told.signals, &told.holding, &told.terms);
    let news = if told.is_news { "something new" } else { "nothing new, so it was not said" };
    let mut line = |words: String| *text += &format!("{words}\n");
    line(format!("{}: {} was asked and wanted {} ({news})", told.instrument, told.strategy, told.wanted));
    line(format!(
        "  market   {} × {} / {} × {}, mid {} ticks, microprice {:.3}, imbalance {:.3} (five levels {:.3})",
        market.bid[0],
        market.bid[1],
        market.ask[0],
        market.ask[1],
        market.mid_ticks,
        market.microprice_ticks,
        market.imbalance,
        market.imbalance_5
    ));
    for level in &market.levels {
        line(format!(
            "           {:<4} {} × {}, ours {}, wanted {}",
            level.side, level.price, level.qty, level.ours, level.wanted
        ));
    }
    let estimate = |value: Option<f64>| value.map_or("not known".to_owned(), |value| format!("{value:.6}"));
    line(format!(
        "  signals  σ {} ticks/√s from {} returns (needs {}), A {} /s and k {} /tick from {} orders (needs {})",
        estimate(signals.sigma),
        signals.sigma_samples[0],
        signals.sigma_samples[1],
        estimate(signals.a),
        estimate(signals.k),
        signals.intensity_samples[0],
        signals.intensity_samples[1]
    ));
    line(format!(
        "  holding  {}, room to buy {}, to sell {}",
        holding.position, holding.room_to_buy, holding.room_to_sell
    ));
    for order in &holding.orders {
        let queue = match (&order.queue_ahead, &order.joined_behind) {
            (Some(now), Some(then)) => format!(", {now} ahead of it, {then} when it joined"),
            (Some(now), None) => format!(", {now} ahead of it"),
            (None, _) => String::new(),
        };
        line(format!("           order {}: {}, sent {:.3} ms ago{queue}", order.id, order.order, order.age_ms));
    }
    line(format!(
        "  formula  reservation {:.4} ticks, bid {:.4} below, ask {:.4} above, with σ {:.6} A {:.6} k {:.6} γ {:.9}",
        terms.reservation, terms.bid_distance, terms.ask_distance, terms.sigma, terms.a, terms.k, terms.gamma
    ));
    if told.strategy == "policy" && terms.action.is_none() {
        line("  policy   off: its drift gate has tripped, GLFT decides".to_owned());
    }
    if let Some(action) = terms.action {
        line(format!("  policy   action {action:?}, log-probability {:?}", terms.logp));
    }
    for quote in &told.quotes {
        line(format!("  quote    {} {} @ {}", quote.side, quote.qty, quote.price));
        quote.steps.iter().for_each(|step| line(format!("           {step}")));
    }
    if told.requests.is_empty() {
        line("  sent     nothing: what rests is near enough to what is wanted, or waits to be heard of".to_owned());
    }
    for request in &told.requests {
        let word = if request.refused.is_some() { "refused " } else { "sent    " };
        line(format!("  {word} {}", request.request));
        request.refused.iter().for_each(|why| line(format!("           {why}")));
        let limit = |l: &crate::run::explain::LimitTold| {
            let share = l.share.map_or(String::new(), |share| format!(" ({:.0} %)", share * 100.0));
            format!("{} {} of {}{share}", l.limit, l.value, l.max)
        };
        if !request.limits.is_empty() {
            line(format!("           limits {}", request.limits.iter().map(limit).collect::<Vec<_>>().join(", ")));
        }
        for back in &request.came_back {
            line(format!(
                "           after {:.3} ms at the venue, heard after {:.3} ms (input {}): {}",
                back.happened_ms, back.heard_ms, back.seq, back.said
            ));
        }
    }
    told.standing.iter().for_each(|standing| line(format!("  standing {standing}")));
}

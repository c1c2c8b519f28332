//! What a session says, in a trader's words.

use crate::engine::{Input, Output, Session, Stamped};
use crate::market::{Instrument, Kind, Level, MarketEventKind};
use crate::order::{ReportKind, Request};
use crate::risk::{RefusalCode, Whose};
use crate::strategy::Wanted;
use crate::units::{Lots, Side};

/// One input in one line.
pub(super) fn input(session: &Session, told: &Stamped) -> String {
    let event = match &told.input {
        Input::Market(event) => event,
        Input::Feed(event) => return format!("feed {} connection {}: {:?}", event.venue, event.connection, event.kind),
        Input::Report(report) => return format!("the market answers {:?}: {:?}", report.id, report.kind),
        Input::Tick => return "tick of time".to_owned(),
        Input::Command { by, command } => return format!("{by} commands {command:?}"),
    };
    let rules = session.rules(event.instrument);
    let at = |level: &Level| format!("{} × {}", rules.price_text(level.price), rules.qty_text(level.qty));
    let best = |level: Option<&Level>| level.map_or("nothing".to_owned(), at);
    let changes = |levels: &[Level]| {
        let shown = levels.iter().take(SHOWN).map(at).collect::<Vec<_>>().join(", ");
        let more = levels.len().saturating_sub(SHOWN);
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    let said = match &event.kind {
        MarketEventKind::Snapshot { bids, asks, .. } => format!(
            "whole book, {} bids and {} asks, best {} / {}",
            bids.len(),
            asks.len(),
            best(bids.first()),
            best(asks.first())
        ),
        MarketEventKind::Delta { bids, asks, .. } => {
            let sides = [("bids", bids), ("asks", asks)].into_iter().filter(|(_, levels)| !levels.is_empty());
            let sides = sides.map(|(side, levels)| format!("{side} now {}", changes(levels)));
            format!("book: {}", sides.collect::<Vec<_>>().join("; "))
        }
        MarketEventKind::Bbo { bid, ask, .. } => format!("best {} / {}", best(bid.as_ref()), best(ask.as_ref())),
        MarketEventKind::Trade { taker, price, qty, .. } => {
            let word = if *taker == Side::Bid { "bought" } else { "sold" };
            format!("somebody {word} {} @ {}", rules.qty_text(*qty), rules.price_text(*price))
        }
        MarketEventKind::Gap { .. } => "messages were lost: the book is unknown".to_owned(),
        other @ (MarketEventKind::Rules(_)
        | MarketEventKind::Status(_)
        | MarketEventKind::Mark(_)
        | MarketEventKind::Order(_)) => format!("{other:?}"),
    };
    format!("{}: {said}", rules.label())
}

/// Changed levels of a side that are spelled out.
const SHOWN: usize = 4;

/// One output in one line.
pub(super) fn output(session: &Session, said: &Output) -> String {
    let of = |id| session.rules(id);
    match said {
        Output::Book { instrument, state } => format!("{}: book {}", of(*instrument).label(), state.word()),
        Output::Decided { decision, top, position } => {
            let rules = of(decision.instrument);
            let wanted = match &decision.wanted {
                Wanted::Quotes(quotes) => {
                    let quote = |q: &crate::strategy::Quote| {
                        format!("{} {} @ {}", q.side.word(), rules.qty_text(q.qty), rules.price_text(q.price))
                    };
                    quotes.iter().map(quote).collect::<Vec<_>>().join(", ")
                }
                other @ (Wanted::Keep | Wanted::Nothing(_) | Wanted::Flatten) => super::wanted(other),
            };
            let (bid, ask) = (rules.price_text(top.bid.price), rules.price_text(top.ask.price));
            format!("decided {wanted} (market {bid} / {ask}, position {})", rules.qty_text(*position))
        }
        Output::Sent(asked) => format!("sent {}", request(of(asked.instrument()), asked)),
        Output::Refused { request: asked, refusal } => {
            format!("refused {}: {refusal}", request(of(asked.instrument()), asked))
        }
        Output::Heard(it) => {
            let heard = super::ms(session.now().since(it.happened));
            format!(
                "heard of order {}, {heard:.3} ms after it happened: {}",
                it.id.0,
                report(of(it.instrument), &it.kind)
            )
        }
        Output::Risk { whose, state, reason, by } => {
            let whose = match whose {
                Whose::Instrument(id) => format!(" of {}", of(*id).label()),
                Whose::Venue(venue) => format!(" of {venue}"),
                Whose::Book => String::new(),
            };
            format!("risk{whose} {}: {reason}, by {by}", state.word())
        }
        Output::Commanded { by, command } => format!("{by} commanded {command:?}"),
        Output::Equity(mark) => {
            let rules = of(mark.instrument);
            let equity = mark.realised + mark.unrealised - mark.fees - mark.funding;
            format!("equity {equity} {}, position {}", rules.settle(), rules.qty_text(mark.position))
        }
        Output::Funding(paid) => format!("funding {} {}", paid.amount, of(paid.instrument).settle()),
        Output::FundingUnknown { instrument, payments, .. } => {
            format!("{}: {payments} funding payments of unknown rate", of(*instrument).label())
        }
        Output::Drift { instrument, look } => format!("{}: {look}", of(*instrument).label()),
    }
}

/// A request in words.
pub(super) fn request(rules: &Instrument, asked: &Request) -> String {
    match asked {
        Request::Place { id, side, price, qty, kind, .. } => {
            let (qty, price) = (rules.qty_text(*qty), rules.price_text(*price));
            format!("order {}: {} {qty} @ {price}, {kind:?}", id.0, side.word())
        }
        Request::Cancel { id, .. } => format!("cancellation of order {}", id.0),
        Request::Replace { old, new, price, qty, .. } => {
            format!("order {} in place of {}: {} @ {}", new.0, old.0, rules.qty_text(*qty), rules.price_text(*price))
        }
    }
}

/// The venue's word in words.
pub(super) fn report(rules: &Instrument, said: &ReportKind) -> String {
    let qty = |lots: Lots| rules.qty_text(lots);
    match said {
        ReportKind::Accepted { queue_ahead } => format!("rests behind {}", qty(*queue_ahead)),
        ReportKind::Rejected(reason) => format!("rejected: {reason}"),
        ReportKind::Cancelled { remaining } => format!("cancelled, {} did not trade", qty(*remaining)),
        ReportKind::CancelRejected(reason) => format!("too late to cancel: {reason}"),
        ReportKind::Replaced { old, remaining, queue_ahead } => {
            format!("replaced order {} ({} did not trade), rests behind {}", old.0, qty(*remaining), qty(*queue_ahead))
        }
        ReportKind::Filled(fill) => format!(
            "{} {} @ {} as {} ({}, {} still ahead), fee {} {}, {} left",
            if fill.side == Side::Bid { "bought" } else { "sold" },
            qty(fill.qty),
            rules.price_text(fill.price),
            fill.liquidity.word(),
            fill.why.word(),
            qty(fill.queue_ahead),
            fill.fee,
            rules.settle(),
            qty(fill.remaining)
        ),
        ReportKind::Amended { price, remaining } => {
            format!("the venue made it {} @ {}", qty(*remaining), rules.price_text(*price))
        }
    }
}

/// Whether nothing more will be heard of the order after this.
pub(super) fn is_over(said: &ReportKind) -> bool {
    match said {
        ReportKind::Rejected(_) | ReportKind::Cancelled { .. } => true,
        ReportKind::Filled(fill) => fill.remaining == Lots::ZERO,
        ReportKind::Accepted { .. }
        | ReportKind::CancelRejected(_)
        | ReportKind::Replaced { .. }
        | ReportKind::Amended { .. } => false,
    }
}

/// The limit's key in `config/risk.toml`, or what stands in for one.
pub(super) fn limit_name(code: RefusalCode, rules: &Instrument) -> String {
    match code {
        RefusalCode::StateHalted => "halted".to_owned(),
        RefusalCode::StateReducing => "what reduces the position".to_owned(),
        RefusalCode::BookNotLive => "a book to trust".to_owned(),
        RefusalCode::Limit(limit) => match (limit.rule().key.strip_suffix("_base"), rules.contract.kind) {
            (Some(quantity), Kind::Inverse) => format!("{quantity}_quote"),
            _ => limit.rule().key.to_owned(),
        },
    }
}

/// A limit's number in the unit of its key.
pub(super) fn limit_text(code: RefusalCode, number: i64, rules: &Instrument) -> String {
    match code.unit() {
        "lots" => rules.qty_text(Lots(number)),
        // Hundredths of what the key is in.
        unit if unit.starts_with("0.01") => {
            let sign = if number < 0 { "-" } else { "" };
            format!("{sign}{}.{:02}", number.unsigned_abs() / 100, number.unsigned_abs() % 100)
        }
        _ => number.to_string(),
    }
}

//! The picture of a running session.

use std::sync::Arc;

use super::core::Core;
use crate::dashboard::StatusSnapshot;
use crate::dashboard::status::{FeedStatus, InstrumentStatus, JournalStatus, LimitUse, Phase, PnlStatus, QuoteStatus};
use crate::engine::{BookState, Mode, Session};
use crate::feed::Health;
use crate::market::{InstrumentId, VenueId};
use crate::order::Order;
use crate::risk::RiskState;
use crate::strategy::{Decision, Wanted};
use crate::units::{LocalTime, Lots, Money, Side};

/// One connection's counters and whose they are.
pub type FeedHealth = (VenueId, Arc<Health>);

/// What the session looks like now.
pub fn snapshot(core: &Core, feeds: &[FeedHealth], now: LocalTime) -> StatusSnapshot {
    let session = core.session();
    let manifest = core.writer().manifest();
    let mut picture = StatusSnapshot::starting(&manifest.id, &[]);
    let counts = core.counts();
    (picture.fills, picture.refusals) = (counts.fills, counts.refusals);
    picture.at_ns = now.0;
    picture.uptime_s = session.started().map_or(0.0, |t| session.now().since(t).seconds());
    picture.seq = session.seq();
    picture.output_digest = session.digest().digest().to_string();
    picture.state_digest = core.last_state_digest().map(|d| d.to_string()).unwrap_or_default();
    picture.instruments = ids(session).map(|id| instrument(core, id)).collect();
    picture.feeds = feeds.iter().map(|(venue, health)| feed(*venue, health, now)).collect();
    let unsaved = session.seq().saturating_sub(core.writer().durable_seq());
    picture.journal = JournalStatus { lag_ms: core.journal_lag().ms(), waiting: unsaved, bytes: core.writer().bytes() };
    (picture.state, picture.reason) = phase(core, &picture.instruments);
    picture
}

fn ids(session: &Session) -> impl Iterator<Item = InstrumentId> {
    (0..session.len()).map(|i| InstrumentId(i as u16))
}

fn phase(core: &Core, instruments: &[InstrumentStatus]) -> (Phase, String) {
    let session = core.session();
    let records = instruments.iter().all(|i| i.strategy.is_empty());
    let unready = ids(session).find(|id| session.book_state(*id) != BookState::Live);
    let waiting = instruments.iter().find_map(|i| i.idle.clone());
    let phase = match session.mode() {
        Mode::Stopped => Phase::Stopping,
        Mode::Paused | Mode::Flattening => Phase::Paused,
        Mode::Quoting if records => Phase::Recording,
        Mode::Quoting if instruments.iter().any(|i| i.warm_up.is_some()) || unready.is_some() => Phase::WarmingUp,
        Mode::Quoting => Phase::Quoting,
    };
    let reason = match (session.risk_state(), unready) {
        (RiskState::Halted, _) => core.risk_reason().to_owned(),
        (RiskState::Reducing, _) => core.risk_reason().to_owned(),
        (RiskState::Active, Some(id)) => {
            format!("the book of {} is {}", session.rules(id).label(), session.book_state(id).word())
        }
        (RiskState::Active, None) => waiting.unwrap_or_default(),
    };
    (phase.under(session.risk_state()), reason)
}

fn instrument(core: &Core, id: InstrumentId) -> InstrumentStatus {
    let session = core.session();
    let rules = session.rules(id);
    let mut status = InstrumentStatus::new(rules);
    status.book = session.book_state(id).word().to_owned();
    status.set_top(rules, session.top(id));
    let quote = |order: &Order| QuoteStatus::new(rules, order, session.venue(id).queue_ahead(order.id));
    status.quotes = session.orders(id).iter().map(quote).collect();
    let mark = session.equity(id);
    status.position = rules.qty_text(mark.position);
    status.limits = limits(session, id, mark.position);
    status.pnl = Some(PnlStatus::from(&mark));
    status.strategy = core.strategy_name(id.index()).to_owned();
    if let (Some(wanted), why) = session.last_decision(id) {
        status.set_decision(&Decision { instrument: id, wanted: wanted.clone(), why });
        if matches!(wanted, Wanted::Quotes(_)) && session.book_state(id) != BookState::Live {
            status.idle = Some(format!("the book is {}", status.book));
        }
        status.decision_age_ms = session.decision_age(id).map(|age| age.ms());
    }
    status
}

fn limits(session: &Session, id: InstrumentId, position: Lots) -> Vec<LimitUse> {
    let (rules, limits) = (session.rules(id), session.limits());
    let orders = session.orders(id);
    let resting = |side: Side| orders.iter().filter(|o| o.side == side).map(|o| o.remaining).sum::<Lots>();
    let worst = (position + resting(Side::Bid)).0.max((resting(Side::Ask) - position).0);
    let mut uses = vec![
        LimitUse::of_lots("position_max_base", rules, position.abs(), limits.position_max[id.index()]),
        LimitUse::of_lots("position_worst_base", rules, Lots(worst), limits.position_max[id.index()]),
        LimitUse::of_count("open_orders_max", orders.len() as u64, u64::from(limits.open_orders_max)),
    ];
    if let Some(max) = limits.loss_max {
        let equity: Money = ids(session)
            .map(|id| session.equity(id))
            .map(|mark| mark.realised + mark.unrealised - mark.fees - mark.funding)
            .sum();
        uses.push(LimitUse::of_money("loss_max_quote", (-equity).max(Money::ZERO), max));
    }
    uses
}

fn feed(venue: VenueId, health: &Health, now: LocalTime) -> FeedStatus {
    FeedStatus {
        venue: venue.name().to_owned(),
        connected: health.connected(),
        age_ms: health.data_age(now).map(|age| age.ms()),
        frames: health.frames(),
        gaps: health.gaps(),
        reconnects: health.connects().saturating_sub(1),
    }
}

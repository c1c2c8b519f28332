//! A picture for tests.

use super::super::news::{EventStatus, FillStatus, Latency, RungStatus, TripStatus};
use super::*;
use crate::market::VenueId;
use crate::risk::Limit;
use crate::signal::drift::{Discrepancy, DriftScore};
use crate::strategy::DriftLook;
use crate::units::{LocalTime, Money, Step, Ticks};

/// A picture with something in every field: one instrument, two quotes, a bought 0.003 BTC.
pub(in crate::dashboard) fn a_snapshot() -> StatusSnapshot {
    let step = |text| Step::parse(text).expect("a step");
    let rules =
        Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001")).expect("rules");
    let mut all = StatusSnapshot::starting("2026-11-21-demo", std::slice::from_ref(&rules));
    all.state = Phase::Quoting;
    all.seq = 48_213;
    all.uptime_s = 75.4;
    all.fills = 12;
    all.output_digest = "3f1c9a".to_owned();
    let it = &mut all.instruments[0];
    it.book = BookState::Live.word().to_owned();
    let level = |price, qty| Level { price: Ticks(price), qty: Lots(qty) };
    it.set_top(&rules, Some(Top { bid: level(6_401_200, 150_000), ask: level(6_401_301, 90_000) }));
    let quote = |side: &str, price: &str| QuoteStatus {
        side: side.to_owned(),
        price: price.to_owned(),
        qty: "0.00100".to_owned(),
        queue_ahead: Some("0.42000".to_owned()),
        state: "working".to_owned(),
    };
    it.quotes = vec![quote("buy", "64011.80"), quote("sell", "64013.40")];
    it.position = rules.qty_text(Lots(300));
    let (limit, whose) = (Limit::PositionLong, Whose::Instrument(InstrumentId(0)));
    let used = engine::LimitUse { limit, whose, value: Some(300), max: 1_000, is_money: false };
    it.limits = vec![LimitUse::of(&used, Some(&rules))];
    it.strategy = "avellaneda-stoikov".to_owned();
    it.decision_age_ms = Some(120);
    it.level_share_max = 0.125;
    let score = DriftScore { psi: 0.5, psi_limit: 0.25, is_tripped: true, turned: true, ..DriftScore::default() };
    let mmd = Discrepancy { squared: 0.25, limit: 0.125, p: 0.005 };
    let look = DriftLook { column: "ln σ".to_owned(), score: DriftScore { mmd: Some(mmd), ..score } };
    it.drift = Some(DriftStatus::after(None, &look, LocalTime(7)));
    it.policy = Some(PolicyStatus { action: [0.25, -0.5], logp: Some(-1.5), wants: "quotes".to_owned() });
    let money = |text: &str| Money::from_decimal(text.parse().expect("a decimal")).expect("in range");
    it.pnl = Some(PnlStatus::from(&EquityMark {
        instrument: InstrumentId(0),
        position: Lots(300),
        twice_mid: 12_802_501,
        cash: money("-192"),
        realised: money("0.5"),
        unrealised: money("0.25"),
        fees: money("0.125"),
        funding: Money::ZERO,
        spread: money("0.6"),
        inventory: money("0.15"),
        drawdown: money("0.01"),
    }));
    let rung = |price: &str, ours: &str| RungStatus {
        price: price.to_owned(),
        qty: "1.50000".to_owned(),
        ours: ours.to_owned(),
        ahead: if ours.is_empty() { String::new() } else { "0.42000".to_owned() },
    };
    let it = &mut all.instruments[0];
    it.bids = vec![rung("64012.00", ""), rung("64011.80", "0.00100")];
    it.asks = vec![rung("64013.01", ""), rung("64013.40", "0.00100")];
    all.feeds.push(FeedStatus {
        venue: "binance-spot".to_owned(),
        connection: 0,
        connected: true,
        age_ms: Some(31),
        frames: 9_001,
        gaps: 1,
        reconnects: 0,
        latency: Some(Latency { p50_ms: 1.5, p90_ms: 2.25, p99_ms: 9.0, max_ms: 12.0, n: 1_024 }),
    });
    let bound = |bound: &str, equity: &str| BoundStatus {
        bound: bound.to_owned(),
        is_session: false,
        risk: "active".to_owned(),
        fills: 9,
        instruments: vec![BoundEquity {
            label: rules.label(),
            settle: "USDT".to_owned(),
            equity: equity.to_owned(),
            position: rules.qty_text(Lots(200)),
        }],
    };
    all.journal.disk_free_bytes = Some(7 << 30);
    all.alerts = vec![ReceiverStatus { name: "ops".to_owned(), sent: 3, ..ReceiverStatus::default() }];
    all.bracket = vec![bound("pessimistic", "-0.25"), bound("optimistic", "1.5")];
    all.trips.push(TripStatus {
        of: rules.label(),
        state: "reducing".to_owned(),
        reason: "INSTRUMENT_LOSS value=12 limit=10".to_owned(),
        since_ns: 1,
        is_soft: false,
    });
    all.events.push(EventStatus {
        n: 3,
        seq: 48_200,
        at_ns: 2,
        kind: "command".to_owned(),
        of: String::new(),
        text: "pause, by anna".to_owned(),
    });
    all.last_fills.push(FillStatus {
        n: 12,
        seq: 48_210,
        at_ns: 3,
        order: 77,
        of: rules.label(),
        side: "buy".to_owned(),
        price: "64011.80".to_owned(),
        qty: "0.00100".to_owned(),
        fee: "0".to_owned(),
        liquidity: "maker".to_owned(),
        why: "queue_front".to_owned(),
        queue_ahead: "0.00000".to_owned(),
    });
    all
}

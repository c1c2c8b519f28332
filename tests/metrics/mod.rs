//! What a recording is worth: one story by hand, and storms in which nothing may be left over.

use papermaker::engine::{Input, Output, Session, SessionSpec, Stamped};
use papermaker::exchange::fee::Schedule;
use papermaker::exchange::latency::LatencySpec;
use papermaker::market::{InstrumentId, Kind};
use papermaker::metrics::summary::InstrumentSummary;
use papermaker::metrics::{Account, Plan, Summary};
use papermaker::strategy::Strategies;
use papermaker::units::{Lots, Money, Nanos, Rate};

use crate::engine::contracts::contract;
use crate::engine::invariants::{second_rules, storm, two_markets};
use crate::engine::story::{joining, sized, spec, story};

/// Runs a session and its account side by side.
fn measured(spec: &SessionSpec, mut guests: Strategies, inputs: &[Stamped]) -> (Session, Summary, u64) {
    let mut session = Session::new(spec);
    let mut account = Account::new(spec.desks.iter().map(|desk| desk.rules.clone()), Nanos::from_s(1));
    let (mut out, mut marks) = (Vec::new(), 0);
    for input in inputs {
        session.step(input, &mut guests, &mut out);
        account.step(input, &out);
        marks += out.drain(..).filter(|o| matches!(o, Output::Equity(_))).count() as u64;
    }
    let plan = Plan { resamples: 200, ..Plan::default() };
    (session, account.finish(&plan), marks)
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

/// We join 2 lots behind 10 on either side; 12 are sold, so our bid trades; the bid ticks down by 2; then a gap.
const SIX_SECONDS: &str = "0 book 10@1000 5@998 / 10@1004
    100 tick
    1000 sell 12@1000
    1100 level bid 0@1000
    2000 tick
    3000 gap
    3100 tick
    6000 tick";

fn six_seconds() -> (Session, InstrumentSummary) {
    let (session, mut summary, _) = measured(&spec(100), joining(2), &story(SIX_SECONDS));
    assert_eq!((summary.seconds, summary.inputs), (6.0, 8));
    (session, summary.instruments.remove(0))
}

#[test]
fn profit_comes_from_somewhere() {
    // Bought 2 at 1000 under a mid of 1002: 4 of spread. The last mid is (998 + 1004)/2 = 1001: 2 lost on 2 lots.
    let (session, it) = six_seconds();
    let told = |amount: Money| amount.to_string();
    let a = it.attribution;
    assert_eq!([a.pnl, a.spread, a.inventory, a.fees, a.funding].map(told), ["2", "4", "-2", "0", "0"]);
    assert_eq!((a.residual, a.unexplained), (Money::ZERO, Money::ZERO));
    assert_eq!(session.equity(InstrumentId(0)).position, Lots(2));
    // The top of 4 at 1.0 s is never reached again; 2 below it.
    assert_eq!((told(it.risk.max_drawdown), it.risk.longest_drawdown_s), ("2".to_owned(), 5.0));
    // Equity at 0 … 6 s, each as it was before the news of that moment: 0 0 2 2 2 2 2, so one period of six earned 2.
    assert_eq!(it.risk.equity, [0.0, 0.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
    near(it.risk.mean.expect("six periods").value, 2.0 / 6.0);
    // Deviations 5/3 and five times -1/3: squares 25/9 + 5/9 = 10/3, over five: √(2/3).
    near(it.risk.sharpe.expect("it varies").value, (1.0 / 3.0) / (2.0f64 / 3.0).sqrt());
    assert_eq!((it.risk.sortino, it.risk.win_rate, it.risk.cvar), (None, Some(1.0), Some(0.0)));
}

#[test]
fn a_markout_is_taken_at_the_first_news_at_or_after_its_horizon_or_not_at_all() {
    // Filled at 1.0 s. After 0.1 s the mid is 1001: (1001 - 1000)·2 = 2 = 4 - 2, on 2000 traded 10 bps. After 1 s the
    // same. After 5 s the book is lost, and the recording ends before the rest: missing.
    let (_, it) = six_seconds();
    for m in &it.markouts[..2] {
        let parts = [m.markout, m.half_spread, m.adverse_selection].map(|amount| amount.to_string());
        assert_eq!(parts, ["2", "4", "2"], "{m:?}");
        assert_eq!((m.fills, m.missing, m.error_bps), (1, 0, None));
        near(m.markout_bps.expect("a fill"), 10.0);
        near(m.mean_bps.expect("a fill"), 10.0);
    }
    assert!(it.markouts[2..].iter().all(|m| (m.fills, m.missing, m.markout_bps) == (0, 1, None)));
    let after: Vec<f64> = it.markouts.iter().map(|m| m.after_s).collect();
    assert_eq!(after, [0.1, 1.0, 5.0, 30.0, 60.0, 300.0]);
}

#[test]
fn markouts_are_told_by_how_heavy_our_side_was_and_how_long_we_waited() {
    // Our bid of 1000 rested from 0 to 1 s, then 12 lots are sold. We hear of the fill with the news at 1.1 s, when
    // 10 rest at 1000 and 10 at 1004: balanced, and a second waited (up to 1 s is the second band).
    let (_, it) = six_seconds();
    let of = |bands: &[papermaker::metrics::markout::Band]| {
        bands.iter().map(|band| band.markouts[0].fills + band.markouts[0].missing).collect::<Vec<_>>()
    };
    assert_eq!(of(&it.markouts_by_imbalance), [0, 0, 1, 0, 0]);
    assert_eq!(of(&it.markouts_by_waiting_time), [0, 1, 0, 0, 0]);
    assert_eq!(it.markouts_by_waiting_time[1].markouts, it.markouts);
}

#[test]
fn orders_and_their_time_are_counted() {
    let (_, it) = six_seconds();
    // A bid, an ask, the bid anew after its fill, and that one moved to 998; both cancelled in the gap.
    let t = &it.trading;
    assert_eq!((t.placed, t.replaces, t.cancels, t.accepted), (3, 1, 2, 4));
    assert_eq!((t.num_trades, t.maker_trades, t.filled_orders, t.trading_volume), (1, 1, 1, 2.0));
    assert_eq!((t.fill_ratio, t.trading_value.to_string()), (Some(0.25), "2000".to_owned()));
    near(t.return_over_trade.expect("a trade"), 2.0 / 2_000.0);
    // Taken in at 0 s, filled at 1 s.
    near(t.time_in_queue_s.expect("a fill").mean, 1.0);
    // We hear of the ask's rest at 0.1 s and of its end at 3.1 s: 3 of 6 s. The bid rests from 0.1 to 1.0 and from 1.1 on.
    near(it.quoting.ask_uptime, 0.5);
    near(it.quoting.bid_uptime, 2.9 / 6.0);
    near(it.quoting.two_sided_uptime, 2.9 / 6.0);
    // 4 wide for 0.9 and 0.9 s, 6 wide from 2.0 s, when we hear that it moved, to 3.1 s.
    near(it.quoting.width.expect("both rested").mean, (4.0 * 1.8 + 6.0 * 1.1) / 2.9);
    let bps = |width: f64, middle: f64| width / middle * 1e4;
    let width_bps = (bps(4.0, 1_002.0) * 1.8 + bps(6.0, 1_001.0) * 1.1) / 2.9;
    near(it.quoting.width_bps.expect("both rested").mean, width_bps);
}

#[test]
fn what_is_held_and_what_the_market_was_like_are_weighted_by_time() {
    let (_, it) = six_seconds();
    // 2 lots for 5 of 6 s.
    let map = 10.0 / 6.0;
    near(it.inventory.mean_absolute_position, map);
    near(it.inventory.distribution.expect("time passed").mean, map);
    near(it.inventory.pnl_to_map.expect("it was held"), 2.0 / map);
    assert_eq!((it.inventory.position, it.inventory.max_absolute_position), (2.0, 2.0));
    // Live for 3 s: 4 wide for 1.1 s, 6 wide for 1.9 s; half of the mean is (4.4 + 11.4)/3/2.
    let half_spread = 15.8 / 6.0;
    near(it.market.half_spread.expect("it was live"), half_spread);
    near(it.market.nd_pnl.expect("it was live"), 2.0 / half_spread);
    assert_eq!(it.market.seconds.iter().map(|(s, t)| (*s, *t)).collect::<Vec<_>>(), [("gap", 3.0), ("live", 3.0)]);
    assert_eq!(it.market.interruptions, 1);
}

#[test]
fn an_account_of_nothing_says_nothing() {
    let (_, summary, _) = measured(&spec(10), joining(1), &[]);
    let it = &summary.instruments[0];
    assert_eq!((summary.seconds, it.attribution.pnl, it.trading.fill_ratio), (0.0, Money::ZERO, None));
    assert_eq!((it.risk.sharpe, it.market.half_spread, it.inventory.distribution), (None, None, None));
    assert_eq!((it.quoting.bid_uptime, it.inventory.mean_absolute_position), (0.0, 0.0));
}

#[test]
fn a_refusal_is_counted_by_its_code() {
    // The gate is asked for 5 lots and may let 3 pass in one order.
    let mut strict = spec(100);
    strict.risk.instruments[0].order_qty_max = Lots(3);
    let (_, summary, _) = measured(&strict, joining(5), &story(SIX_SECONDS));
    let refusals = &summary.instruments[0].trading.refusals;
    assert!(refusals["ORDER_QTY_EXCEEDED"] >= 2, "{refusals:?}");
    assert_eq!(summary.instruments[0].trading.num_trades, 0);
}

/// What holds of any session: nothing is left over, and nothing counted twice.
#[track_caller]
fn adds_up(it: &InstrumentSummary, fills: u64, seconds: f64, at: &str) {
    let a = it.attribution;
    assert_eq!(a.pnl, a.spread + a.inventory - a.fees - a.funding, "{at}");
    assert_eq!((a.residual, a.unexplained), (Money::ZERO, Money::ZERO), "{at}");
    assert_eq!(it.trading.num_trades, fills, "{at}");
    for m in &it.markouts {
        assert_eq!(m.fills + m.missing, fills, "{at}: {m:?}");
        assert_eq!(m.half_spread - m.adverse_selection, m.markout, "{at}");
    }
    // Bands divide the fills; those by waiting time only the fills of orders that rested.
    for h in 0..it.markouts.len() {
        let sum = |bands: &[papermaker::metrics::markout::Band]| {
            bands.iter().map(|band| band.markouts[h].fills + band.markouts[h].missing).sum::<u64>()
        };
        assert!(sum(&it.markouts_by_imbalance) <= fills, "{at}");
        assert!(sum(&it.markouts_by_waiting_time) <= it.trading.maker_trades, "{at}");
    }
    let known: f64 = it.market.seconds.values().sum();
    assert!((known - seconds).abs() < 1e-6, "{at}: {known} s in some state of {seconds} s");
    let q = it.quoting;
    assert!(q.two_sided_uptime <= q.bid_uptime.min(q.ask_uptime) && q.bid_uptime.max(q.ask_uptime) <= 1.0, "{at}");
    assert!(it.risk.max_drawdown >= Money::ZERO && it.inventory.max_absolute_position >= 0.0, "{at}");
    assert!(it.trading.accepted <= it.trading.placed + it.trading.replaces, "{at}");
}

#[test]
fn in_any_storm_every_mark_is_explained_to_the_last_unit() {
    for seed in 0..6u64 {
        let kind = if seed % 2 == 0 { Kind::Linear } else { Kind::Inverse };
        let mut spec = contract(kind);
        spec.seed = seed;
        let paper = &mut spec.desks[0].paper;
        paper.fees = Schedule::flat(Rate(seed as i64 * 1_000 - 2_000), Rate(5_000));
        paper.latency = LatencySpec::constant(3_000, 7_000, 5_000);
        let (session, summary, marks) = measured(&spec, joining(5), &storm(seed, 3_000));
        let (it, said) = (&summary.instruments[0], session.equity(InstrumentId(0)));
        adds_up(it, it.trading.num_trades, summary.seconds, &format!("seed {seed}"));
        assert!(it.trading.num_trades > 20 && marks > 20, "seed {seed}: {marks} marks of a quiet storm prove nothing");
        let ours = [it.attribution.spread, it.attribution.inventory, it.attribution.fees];
        assert_eq!(ours, [said.spread, said.inventory, said.fees], "seed {seed}");
        // Of the fills whose markout is known after 0.1 s, the spread is no more than all of it is of all.
        let first = &it.markouts[0];
        assert!(first.fills > 0, "seed {seed}: no markout is known");
        if first.missing == 0 {
            assert_eq!(first.half_spread, it.attribution.spread, "seed {seed}");
        }
    }
}

#[test]
fn two_instruments_and_a_finer_lot_add_up_too() {
    for seed in 0..3u64 {
        let mut spec = spec(100);
        spec.desks.push(spec.desks[0].clone());
        spec.desks[1].rules = second_rules("0.1", 0);
        for desk in &mut spec.desks {
            desk.paper.latency = LatencySpec::constant(desk.paper.latency.feed_us, 6_000, 9_000);
        }
        spec.risk = sized(&spec.risk, &[(15, 1_000), (150, 1_000)]);
        let inputs = two_markets(seed, 3_000);
        assert!(inputs.iter().any(|i| matches!(&i.input, Input::Market(e) if e.instrument == InstrumentId(1))));
        let guests = vec![joining(5).remove(0), joining(40).remove(0)];
        let (session, summary, _) = measured(&spec, guests, &inputs);
        for (i, it) in summary.instruments.iter().enumerate() {
            let said = session.equity(InstrumentId(i as u16));
            adds_up(it, it.trading.num_trades, summary.seconds, &format!("seed {seed}, {}", it.instrument));
            assert_eq!((it.attribution.spread, it.attribution.inventory), (said.spread, said.inventory), "seed {seed}");
        }
        assert!(summary.instruments.iter().map(|it| it.trading.num_trades).sum::<u64>() > 20, "seed {seed}");
    }
}

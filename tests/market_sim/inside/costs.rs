//! What an execution costs, end to end: the same seed with and without us.

use papermaker::engine::{Carried, Command, Input, Output, SessionSpec, Stamped};
use papermaker::market::InstrumentId;
use papermaker::metrics::impact::Imbalances;
use papermaker::metrics::slippage::{Cost, Execution, Fill, Path, cost, decompose};
use papermaker::order::ReportKind;
use papermaker::run::simulate::{BEGINS, Inside, baseline};
use papermaker::sim::SimSpec;
use papermaker::strategy::{Decision, Quote, Strategy, View, Wanted, Why};
use papermaker::units::{LocalTime, Lots, Nanos, Side};

use super::{TICK, bitcoin, live, session};

const BTC: InstrumentId = InstrumentId(0);

/// Buys a child order every so often by joining the best bid, and what is left of the last ones with it.
struct Twap {
    child: Lots,
    every: Nanos,
    children: i64,
}

impl Strategy for Twap {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let due = (view.elapsed.0 / self.every.0 + 1).min(self.children) * self.child.0;
        let qty = Lots(due) - view.position;
        let bid = Quote { side: Side::Bid, price: view.top.bid.price, qty: qty.min(view.room_to_buy) };
        let wanted = Wanted::Quotes(std::iter::once(bid).filter(|bid| bid.qty.0 > 20).collect());
        Decision { instrument: view.instrument, wanted, why: Why::default() }
    }

    fn name(&self) -> &'static str {
        "twap"
    }
}

/// What was filled.
fn executions(told: &[(Stamped, Vec<Output>)]) -> Vec<Execution> {
    let fill = |(input, _): &(Stamped, Vec<Output>)| match &input.input {
        Input::Report(report) => match &report.kind {
            ReportKind::Filled(fill) => Some(Execution { at: report.happened, price: fill.price, qty: fill.qty }),
            _ => None,
        },
        _ => None,
    };
    told.iter().filter_map(fill).collect()
}

/// Whoever counts the same fills per unit, in ticks, finds the same.
fn agrees(cost: &Cost, side: Side, fills: &[Execution], path: &Path, begun: LocalTime) {
    assert_eq!(cost.total, cost.market_risk + cost.market_impact, "to the last digit");
    let beside = |fill: &Execution| Fill {
        price: fill.price,
        qty: fill.qty,
        baseline: path.at(fill.at).expect("a mid") as f64 / 2.0,
    };
    let beside: Vec<Fill> = fills.iter().map(beside).collect();
    let unit = decompose(side, &beside, path.at(begun).expect("a mid") as f64 / 2.0).expect("fills");
    // One tick and lot is 0.1 · 0.00001 USDT, in money 10^18 of its units.
    let per_unit = |money: papermaker::units::Money| money.0 as f64 / 1e18 / cost.executed.0 as f64;
    for (money, ticks) in
        [(cost.total, unit.total), (cost.market_risk, unit.market_risk), (cost.market_impact, unit.market_impact)]
    {
        assert!((per_unit(money) - ticks).abs() < 1e-6, "{cost:?} {unit:?}");
    }
}

#[test]
fn a_parent_order_costs_what_the_market_did_and_what_it_did_to_the_market() {
    let (sim, end) = (bitcoin(), Nanos::from_s(300));
    let limits = ["risk.position_max_base=1", "risk.order_qty_max_base=1", "risk.order_notional_max_quote=1000000"];
    let spec = session(&sim, Some("fixed-spread"), &limits);
    let rules = spec.desks[0].rules.clone();
    let mut sum = [0.0; 3];
    for seed in 1..=4 {
        let path = baseline(&sim, seed, &spec, TICK, end).expect("it can live there").remove(0);
        let twap = Twap { child: Lots(1_000), every: Nanos::from_s(20), children: 10 };
        let mut inside = Inside::new(&sim, seed, &spec, vec![Some(Box::new(twap))], TICK).expect("it can live there");
        let fills = executions(&live(&mut inside, end));
        let found = cost(&rules, Side::Bid, &fills, &path, BEGINS).expect("something was bought");
        agrees(&found, Side::Bid, &fills, &path, BEGINS);
        assert!(found.executed > Lots(8_000), "ten thousand lots were to be bought: {found:?}");
        for (sum, part) in sum.iter_mut().zip([found.total, found.market_risk, found.market_impact]) {
            *sum += part.0 as f64 / 1e18 / found.executed.0 as f64 / 4.0;
        }
    }
    eprintln!(
        "0.1 BTC joined the bid in ten pieces: slippage {:.1} = risk {:.1} + impact {:.1} ticks",
        sum[0], sum[1], sum[2]
    );
}

/// Sells a position at once by crossing the spread; its fills.
fn sell_at_once(sim: &SimSpec, seed: u64, spec: &SessionSpec, lots: i64, at: Nanos) -> Vec<Execution> {
    let mut inside = Inside::new(sim, seed, spec, vec![None], TICK).expect("it can live there");
    let costs = vec![spec.desks[0].rules.value(sim.market[0].start(), Lots(lots))];
    let carried = Carried { positions: vec![Lots(lots)], costs, ..Carried::default() };
    inside.command("account", Command::Restore(Box::new(carried)));
    let mut told = live(&mut inside, at);
    inside.command("operator", Command::Flatten);
    told.push((inside.last().clone(), inside.said().to_vec()));
    told.extend(live(&mut inside, at + Nanos::from_s(30)));
    assert_eq!(inside.session().equity(BTC).position, Lots::ZERO, "all of it is sold");
    executions(&told)
}

#[test]
fn who_takes_pays_for_the_spread_and_for_the_depth_he_takes() {
    let (sim, at) = (bitcoin(), Nanos::from_s(30));
    let limits = ["risk.position_max_base=10", "risk.order_qty_max_base=10", "risk.order_notional_max_quote=1000000"];
    let spec = session(&sim, None, &limits);
    let rules = spec.desks[0].rules.clone();
    let mut impact = [0.0; 2];
    for seed in 1..=5 {
        let path = baseline(&sim, seed, &spec, TICK, at + Nanos::from_s(31)).expect("it can live there").remove(0);
        for (impact, lots) in impact.iter_mut().zip([2_000, 200_000]) {
            let fills = sell_at_once(&sim, seed, &spec, lots, at);
            let found = cost(&rules, Side::Ask, &fills, &path, BEGINS + at).expect("something was sold");
            agrees(&found, Side::Ask, &fills, &path, BEGINS + at);
            assert_eq!(found.executed, Lots(lots));
            assert!(found.market_impact.0 > 0, "half the spread at least: {found:?}");
            *impact += found.market_impact.0 as f64 / 1e18 / lots as f64 / 5.0;
        }
    }
    eprintln!("sold at once, impact per unit: 0.02 BTC {:.1} ticks, 2 BTC {:.1} ticks", impact[0], impact[1]);
    assert!(impact[1] > 2.0 * impact[0], "{impact:?}");
}

#[test]
fn without_an_action_the_counterfactual_is_the_baseline() {
    let (sim, end) = (bitcoin(), Nanos::from_s(120));
    let spec = session(&sim, Some("avellaneda-stoikov"), &["signals.volatility_samples_min=100000"]);
    let without = baseline(&sim, 9, &spec, TICK, end).expect("it can live there").remove(0);
    let mut inside = super::inside(&sim, 9, &spec);
    let mut with = Path::default();
    for (input, _) in live(&mut inside, end) {
        if let Input::Market(event) = &input.input {
            with.hear(event);
        }
    }
    assert_eq!(with, without);
    assert!(with.at(BEGINS).is_some() && with != Path::default());
}

#[test]
fn trading_on_balance_moves_the_mid_of_the_demo_market() {
    let (sim, minutes) = (bitcoin(), 20);
    let spec = session(&sim, None, &[]);
    let mut inside = super::inside(&sim, 1, &spec);
    let mut heard = Imbalances::new(Nanos::from_s(1));
    for (input, _) in live(&mut inside, Nanos::from_s(60 * minutes)) {
        if let Input::Market(event) = &input.input {
            heard.hear(event);
        }
    }
    let found = heard.fit().expect("seconds with trades");
    let law = &found.law;
    eprintln!(
        "aggregate impact per second over {} seconds: λ {:.3} ± {:.3} ticks, γ {:.3} ± {:.3}",
        found.periods, law.factor.value, law.factor.error, law.exponent.value, law.exponent.error
    );
    assert!(found.periods > 500, "{found:?}");
    assert!(law.factor.value > 4.0 * law.factor.error.min(law.factor.value / 5.0), "{law:?}");
    assert!(law.exponent.value > 0.0 && law.exponent.value < 1.0, "concave: {law:?}");
}

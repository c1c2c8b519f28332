//! A session inside the simulated market: its orders rest in the book itself, and the market reacts.

mod chair;
mod costs;
mod drift;
mod line;
mod paper;
mod proof;

use papermaker::config::{Loaded, Sources, load};
use papermaker::engine::{Input, Output, SessionSpec, Stamped};
use papermaker::run::prepare;
use papermaker::run::simulate::{Inside, Next};
use papermaker::sim::SimSpec;
use papermaker::units::Nanos;

/// Time is an input so often.
pub const TICK: Nanos = Nanos::from_ms(50);

/// The demo as `papermaker run` has it, quick to know its estimates, with what a test changes besides.
pub fn settings(sets: &[&str]) -> Loaded {
    let quick = ["signals.volatility_samples_min=5", "signals.intensity_orders_min=5", "signals.intensity_refit_s=1"];
    let sets = quick.iter().chain(sets).map(|set| (*set).to_owned()).collect();
    load(&Sources { profile: "demo".to_owned(), sets, ..Sources::default() }).expect("settings")
}

/// The demo's first market alone.
pub fn bitcoin() -> SimSpec {
    let mut sim = SimSpec::demo();
    sim.market.truncate(1);
    sim
}

/// A session on a market's instruments; `None` records only.
pub fn session(sim: &SimSpec, strategy: Option<&str>, sets: &[&str]) -> SessionSpec {
    let rules = sim.market.iter().map(|market| market.rules().expect("rules")).collect();
    let text = strategy.map(|name| prepare::strategy_text(name, None).expect("a strategy"));
    prepare::session_spec(&settings(sets), rules, text.as_deref()).expect("a session")
}

/// With the strategies of its spec in their chairs.
pub fn inside(sim: &SimSpec, seed: u64, spec: &SessionSpec) -> Inside {
    Inside::new(sim, seed, spec, prepare::strategies(spec).expect("strategies"), TICK).expect("it can live there")
}

/// Every input with what was said to it, until then.
pub fn live(inside: &mut Inside, until: Nanos) -> Vec<(Stamped, Vec<Output>)> {
    let mut told = Vec::new();
    loop {
        match inside.step(until) {
            Next::Took => told.push((inside.last().clone(), inside.said().to_vec())),
            Next::Reached => return told,
            Next::Asked(id) => panic!("{id:?} has a strategy in its chair"),
        }
    }
}

/// Inputs of a kind.
pub fn count(told: &[(Stamped, Vec<Output>)], which: impl Fn(&Input) -> bool) -> usize {
    told.iter().filter(|(input, _)| which(&input.input)).count()
}

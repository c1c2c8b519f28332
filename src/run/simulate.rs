//! A session inside a simulated market, as drivers know it: [`Inside`], and the mids without the session.

pub use crate::env::inside::{BEGINS, CannotLive, DEPTH_EVERY, Inside, Next, listed};

use crate::engine::{Input, SessionSpec};
use crate::metrics::slippage::Path;
use crate::sim::SimSpec;
use crate::units::Nanos;

/// Where the mids of a session's instruments go without the session: the baseline of what it does, from the same seed, until
/// `until` less the feed's latency.
pub fn baseline(
    sim: &SimSpec,
    seed: u64,
    spec: &SessionSpec,
    tick_every: Nanos,
    until: Nanos,
) -> Result<Vec<Path>, CannotLive> {
    let mut silent = spec.clone();
    silent.desks.iter_mut().for_each(|desk| desk.strategy = None);
    let nobody = spec.desks.iter().map(|_| None).collect();
    let mut inside = Inside::new(sim, seed, &silent, nobody, tick_every)?;
    let mut paths = vec![Path::default(); spec.desks.len()];
    while inside.step(until) == Next::Took {
        if let Input::Market(event) = &inside.last().input {
            paths[event.instrument.index()].hear(event);
        }
    }
    Ok(paths)
}

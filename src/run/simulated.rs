//! The embedded simulated exchange: from settings to a running server.

use std::net::SocketAddr;

use tokio::sync::watch;

use crate::config::{ConfigErrors, Loaded};
use crate::sim::SimSpec;
use crate::sim::arrivals::ArrivalSpec;
use crate::sim::server::{ServerHandle, SimError, serve};

/// Why the exchange could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SimulatedError {
    /// The market's file is not right.
    #[error(transparent)]
    Market(#[from] ConfigErrors),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] SimError),
}

/// The world `[simulator]` describes.
pub fn spec(loaded: &Loaded) -> Result<SimSpec, ConfigErrors> {
    let mut spec = loaded.market()?;
    let wanted = loaded.settings.simulator.market_rate_per_s;
    if wanted > 0.0 {
        for flow in spec.market.iter_mut().flat_map(|m| &mut m.zero_intelligence) {
            // As many as were asked for, without the bursts.
            flow.markets = ArrivalSpec::poisson(wanted);
        }
    }
    Ok(spec)
}

/// Opens the exchange `[simulator]` describes.
pub async fn open(loaded: &Loaded, stop: watch::Receiver<bool>) -> Result<ServerHandle, SimulatedError> {
    let simulator = &loaded.settings.simulator;
    open_at(loaded, simulator.listen, simulator.seed, stop).await
}

/// As [`open`], elsewhere and with another seed.
pub async fn open_at(
    loaded: &Loaded,
    listen: SocketAddr,
    seed: u64,
    stop: watch::Receiver<bool>,
) -> Result<ServerHandle, SimulatedError> {
    Ok(serve(listen, spec(loaded)?, seed, loaded.settings.simulator.speed, stop).await?)
}

//! The embedded simulated exchange: from settings to a running server.

use std::net::SocketAddr;

use tokio::sync::watch;

use crate::config::settings::SimulatorSettings;
use crate::sim::server::{ServerHandle, SimError, serve};
use crate::sim::{MarketSpec, SimSpec};
use crate::units::{NotOnStep, Step, Ticks};

/// Why the exchange could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SimulatedError {
    /// The settings do not make a market.
    #[error("[simulator]: {0}")]
    Settings(#[from] NotOnStep),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] SimError),
}

/// The market `[simulator]` describes.
pub fn spec(settings: &SimulatorSettings) -> Result<SimSpec, NotOnStep> {
    let tick = settings.tick_quote.to_string();
    let step = Step::parse(&tick)?;
    let start = Ticks(step.count_floor(settings.start_price_quote));
    let mut market = MarketSpec::new(&settings.base, &settings.quote, &tick, &settings.lot_base.to_string(), start)?;
    market.flow.limits_per_s = settings.limit_rate_per_s;
    market.flow.markets_per_s = settings.market_rate_per_s;
    market.flow.cancels_per_order_s = settings.cancel_rate_per_s;
    if let Some(maker) = &mut market.maker {
        maker.volatility_bps = settings.volatility_bps;
    }
    Ok(SimSpec { markets: vec![market] })
}

/// Opens the exchange `[simulator]` describes, in real time.
pub async fn open(settings: &SimulatorSettings, stop: watch::Receiver<bool>) -> Result<ServerHandle, SimulatedError> {
    Ok(serve(settings.listen, spec(settings)?, settings.seed, 1.0, stop).await?)
}

/// As [`open`], elsewhere and with another seed.
pub async fn open_at(
    settings: &SimulatorSettings,
    listen: SocketAddr,
    seed: u64,
    stop: watch::Receiver<bool>,
) -> Result<ServerHandle, SimulatedError> {
    let settings = SimulatorSettings { listen, seed, ..settings.clone() };
    open(&settings, stop).await
}

//! `exchange`: the simulated exchange as a server of its own.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use tokio::sync::watch;

use super::{Failure, Globals, Outcome, block_on, say, span};
use crate::run::simulated::{open_at, spec};

/// Serve a simulated exchange: a seeded market with a real matching engine, in a real venue's protocol
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  papermaker exchange --listen 127.0.0.1:9001 --seed 7\n  \
                        papermaker exchange --set simulator.market=rmsc04 --set simulator.speed=24\n  \
                        papermaker run --profile live --set venues.binance-spot.ws_url=ws://127.0.0.1:9001 \\\n      \
                        --set venues.binance-spot.rest_url=http://127.0.0.1:9001")]
pub struct ExchangeArgs {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    pub listen: SocketAddr,
    /// Seed of the market: the same seed gives the same order flow
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Whose language to speak
    #[arg(long, value_enum, default_value_t = ProtocolName::BinanceSpot)]
    pub protocol: ProtocolName,
    /// Stop after this long (60s, 5m, 2h); without it, at Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse)]
    pub lasting: Option<Duration>,
}

/// The protocols it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtocolName {
    /// Binance spot's websocket and REST.
    BinanceSpot,
}

/// Serves until the time is over, or Ctrl-C.
pub fn exchange(args: &ExchangeArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    block_on(async {
        let (stop, stopped) = watch::channel(false);
        let symbols: Vec<String> =
            spec(&loaded).map_err(Failure::could_not_run)?.market.iter().map(|m| m.symbol()).collect();
        let server = open_at(&loaded, args.listen, args.seed, stopped).await.map_err(Failure::could_not_run)?;
        let at = server.addr;
        say(format_args!("PAPER simulated exchange, {} in the protocol of binance-spot", symbols.join(" and ")))?;
        say(format_args!("  websocket ws://{at}/stream?streams=…   REST http://{at}/api/v3/…   seed {}", args.seed))?;
        let end = tokio::time::sleep(args.lasting.unwrap_or(Duration::MAX));
        tokio::select! {
            () = end => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        // An error means that the server has ended already.
        let _ = stop.send(true);
        server.finished().await;
        Ok(())
    })?
}

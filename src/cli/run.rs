//! `run`: live paper trading.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, Globals, Outcome, span};

/// Trade on paper, live: connect, quote, record, serve the dashboard
///
/// The profile `demo` starts the embedded simulated exchange and connects to it over a loopback websocket and REST,
/// exactly as to a real venue. `live` listens to Binance spot BTCUSDT, public data, no keys. Orders are always
/// simulated.
#[derive(Clone, Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  papermaker run --for 60s\n  papermaker run --profile live --for 1h --session monday\n  \
                        papermaker run --strategy strategies/glft.toml --set risk.position_max_base=0.02"
)]
pub struct RunArgs {
    /// What to trade, instead of the profile's choice (repeatable)
    #[arg(long, value_name = "VENUE:SYMBOL")]
    pub instrument: Vec<String>,
    /// Strategy file, instead of the profile's choice
    #[arg(long, value_name = "FILE")]
    pub strategy: Option<PathBuf>,
    /// Stop after this long (60s, 5m, 2h); without it, at Ctrl-C or `papermaker stop`
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse)]
    pub lasting: Option<Duration>,
    /// Name of the recording, instead of one made of the date
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Listen and record, never quote
    #[arg(long)]
    pub record_only: bool,
    /// No page, no local API
    #[arg(long)]
    pub no_dashboard: bool,
    /// Print the summary at the end as JSON
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run`]'s live driver.
pub fn run(_args: &RunArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("run"))
}

//! `run`: live paper trading.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tracing::Instrument;

use super::{Failure, Globals, Outcome, say, span};
use crate::journal::JournalError;
use crate::run::live::{Ask, LiveError, Summary, live};
use crate::run::prepare::PrepareError;

/// Trade on paper, live: connect, quote, record, serve the dashboard
///
/// The profile `demo` starts the embedded simulated exchange and connects to it over a loopback websocket and REST,
/// exactly as to a real venue. `live` listens to Binance spot BTCUSDT, public data, no keys. Orders are always
/// simulated.
#[derive(Clone, Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  papermaker run --for 60s\n  papermaker run --profile live --for 1h --session monday\n  \
                        papermaker run --strategy strategies/glft.toml --set risk.position_max_base=0.02\n  \
                        papermaker run --profile live --record-only --instrument kraken:BTC/USD --instrument okx:BTC-USDT-SWAP"
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

/// Calls the live driver, [`crate::run::live`].
pub fn run(args: &RunArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    let ask = Ask {
        instruments: args.instrument.clone(),
        strategy: args.strategy.clone(),
        lasting: args.lasting,
        session: args.session.clone(),
        record_only: args.record_only,
        dashboard: !args.no_dashboard,
        profile: globals.profile.clone(),
        sources: globals.sources(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::could_not_run(e).context("the runtime did not start"))?;
    let span = tracing::info_span!("run", profile = %ask.profile, otel.status_code = tracing::field::Empty);
    let ended = runtime.block_on(live(&loaded, &ask).instrument(span.clone()));
    span.record("otel.status_code", if ended.is_ok() { "OK" } else { "ERROR" });
    drop(span);
    // Name lookups that hang must not keep a stopped bot alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let summary = ended.map_err(refusal)?;
    if args.json {
        return say(format_args!("{:#}", as_json(&summary)));
    }
    say(as_text(&summary, globals))
}

fn refusal(error: LiveError) -> Failure {
    let hint = match &error {
        LiveError::Dashboard(serve) => Some(serve.hint().to_owned()),
        LiveError::Prepare(PrepareError::NoStrategy { .. } | PrepareError::Unreadable { .. }) => {
            Some("`--strategy FILE` takes a path; strategies/README.md describes the files".to_owned())
        }
        LiveError::Journal(
            JournalError::Held { .. } | JournalError::SessionExists { .. } | JournalError::BadName(_),
        ) => None,
        LiveError::Journal(_) => Some("`papermaker doctor` checks the store and the disk".to_owned()),
        LiveError::Room(_) => Some(
            "`papermaker sessions prune` frees some, store.disk_free_keep_mib lets the oldest go by itself, \
             `--set store.path=DIR` records on another disk"
                .to_owned(),
        ),
        LiveError::Feed(_) => {
            Some("`papermaker doctor --instrument VENUE:SYMBOL` checks the way to the venue".to_owned())
        }
        _ => None,
    };
    let failure = Failure::could_not_run(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn as_json(summary: &Summary) -> serde_json::Value {
    let manifest = &summary.manifest;
    let digest = |d: &Option<crate::digest::Digest>| d.map(|d| d.to_string());
    serde_json::json!({
        "paper": true,
        "session": manifest.id,
        "folder": summary.folder,
        "state": manifest.state.word(),
        "inputs": manifest.counts.inputs,
        "outputs": manifest.counts.outputs,
        "trades": manifest.counts.trades,
        "fills": summary.picture.fills,
        "refusals": summary.picture.refusals,
        "gaps": manifest.counts.gaps,
        "output_digest": digest(&manifest.output_digest),
        "state_digest": digest(&manifest.state_digest),
        "seal": digest(&manifest.seal),
        "refusals_by_code": manifest.refusals,
        "status": *summary.picture,
    })
}

fn as_text(summary: &Summary, globals: &Globals) -> String {
    let manifest = &summary.manifest;
    let counts = &manifest.counts;
    let mut text = format!(
        "PAPER session {} ended: {} inputs, {} trades, {} gaps, {} fills\n",
        manifest.id, counts.inputs, counts.trades, counts.gaps, summary.picture.fills
    );
    for (rules, mark) in &summary.marks {
        let equity = mark.realised + mark.unrealised - mark.fees - mark.funding;
        text += &format!(
            "  {}: position {} {}, equity {equity:.4} {} = spread {:.4} + inventory {:.4} - fees {:.4}\n",
            rules.label(),
            rules.qty_text(mark.position),
            rules.base,
            rules.quote,
            mark.spread,
            mark.inventory,
            mark.fees,
        );
    }
    for shadow in &manifest.bracket {
        text += &format!("  under the other bound of the queue, {}\n", super::sessions::band(shadow));
    }
    let digest = manifest.output_digest.map(|d| d.to_string()).unwrap_or_default();
    let seal = manifest.seal.map(|d| d.to_string()).unwrap_or_default();
    text += &format!("  recorded in {}\n  output digest {digest}\n  seal          {seal}\n", summary.folder.display());
    let with: String = globals.set.iter().filter(|s| s.starts_with("store.")).map(|s| format!(" --set {s}")).collect();
    text + &format!("prove it: papermaker replay {}{with}", manifest.id)
}

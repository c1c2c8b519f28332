//! `sessions prune`, `sessions keep`: a store within bounds.

use clap::Args;
use serde_json::json;

use super::{Failure, Globals, Outcome, say};
use crate::feed::wall_clock;
use crate::journal::Store;
use crate::run::retention::{self, Bounds};
use crate::run::room::free_bytes;

/// Of `sessions prune`.
#[derive(Clone, Debug, Args)]
pub struct PruneArgs {
    /// Say what would go, and let nothing go
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions keep`.
#[derive(Clone, Debug, Args)]
pub struct KeepArgs {
    /// Name of the session
    pub session: String,
    /// No longer: it may go as any other
    #[arg(long)]
    pub undo: bool,
}

/// Calls [`crate::run::retention`].
pub fn prune(args: &PruneArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    let store = Store::open(&loaded.settings.store.path);
    let bounds = Bounds::from(&loaded.settings.store);
    let found = store.sessions().map_err(Failure::could_not_run)?;
    let plan = retention::plan(&found, &bounds, free_bytes(store.path()), wall_clock());
    let held: u64 = found.iter().map(|s| s.bytes + s.index_bytes).sum();
    let (mut freed, mut refused) = (0, Vec::new());
    for farewell in &plan {
        match if args.dry_run { Ok(()) } else { retention::carry_out(&store, farewell) } {
            Ok(()) => freed += farewell.bytes,
            Err(why) => refused.push(format!("{}: {why}", farewell.session)),
        }
    }
    if args.json {
        let one = |f: &retention::Farewell| json!({ "session": f.session, "cause": f.cause.word(), "bytes": f.bytes });
        let gone: Vec<_> = plan.iter().map(one).collect();
        say(format_args!(
            "{:#}",
            json!({ "paper": true, "dry_run": args.dry_run, "bytes": held, "freed": freed, "pruned": gone, "refused": refused })
        ))?;
    } else {
        let (would, mb) = (if args.dry_run { "would go" } else { "gone" }, |bytes: u64| bytes as f64 / 1e6);
        say(format_args!("PAPER store {}: {:.1} MB in {} sessions", store.path().display(), mb(held), found.len()))?;
        let bounds = format!(
            "{} days, {} MiB, indexes {} days, {} MiB free on the disk",
            bounds.keep_days,
            bounds.keep_bytes >> 20,
            bounds.index_days,
            bounds.free_bytes >> 20
        );
        say(format_args!("  kept within {bounds} (0: no such bound)"))?;
        for f in &plan {
            say(format_args!("  {:<32} {would}: {:<5} {:>9.1} MB", f.session, f.cause.word(), mb(f.bytes)))?;
        }
        say(format_args!("  {:.1} MB {would}", mb(freed)))?;
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::answer_is_no(anyhow::anyhow!(refused.join("\n")))) }
}

/// Marks a session, or takes the mark away.
pub fn keep(args: &KeepArgs, globals: &Globals) -> Outcome {
    let store = Store::open(globals.load()?.settings.store.path);
    store.keep(&args.session, !args.undo).map_err(Failure::could_not_run)?;
    let now = if args.undo { "may be pruned" } else { "is kept" };
    say(format_args!("PAPER {}: {now}", args.session))
}

//! `alerts`: whether those who should be told of trouble can be.

use clap::{Args, Subcommand};

use super::{Failure, Globals, Outcome, block_on, say};
use crate::feed::wall_clock;
use crate::run::alerts::receiver::Address;
use crate::run::alerts::{Alert, Trouble};

/// Those who are told when a running bot is in trouble
#[derive(Clone, Debug, Subcommand)]
pub enum AlertsVerb {
    /// Send every receiver a message, once, and say who took it
    Test(AlertsTestArgs),
}

/// Of `alerts test`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  PAPERMAKER_OPS_URL=https://… papermaker alerts test --set alerts.to.ops.shape=slack \\\n      \
                        --set alerts.to.ops.url_env=PAPERMAKER_OPS_URL\n\nExit code 1 if a receiver did not take it."
)]
pub struct AlertsTestArgs {
    /// Only this receiver (repeatable)
    #[arg(long, value_name = "NAME")]
    pub to: Vec<String>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run::alerts`].
pub fn alerts(verb: &AlertsVerb, globals: &Globals) -> Outcome {
    let AlertsVerb::Test(args) = verb;
    let loaded = globals.load()?;
    let alerts = &loaded.settings.alerts;
    if let Some(unknown) = args.to.iter().find(|name| !alerts.to.contains_key(*name)) {
        let known: Vec<&str> = alerts.to.keys().map(String::as_str).collect();
        let error = anyhow::anyhow!("no receiver is called {unknown:?}; there are {known:?}");
        return Err(Failure::could_not_run(error).hint("[alerts.to.NAME] in the configuration makes one"));
    }
    let alert = Alert::lone(Trouble::Test, "", "this message was asked for; nothing is wrong".to_owned(), wall_clock());
    let mut found = Vec::new();
    for (name, to) in alerts.to.iter().filter(|(name, _)| args.to.is_empty() || args.to.contains(name)) {
        let refused = match Address::find(name, to, alerts) {
            Ok(address) => block_on(address.try_once(&alert))?.err(),
            Err(error) => Some(error.to_string()),
        };
        found.push((name, refused));
    }
    if args.json {
        let one = |(name, refused): &(&String, Option<String>)| serde_json::json!({ "name": name, "taken": refused.is_none(), "why": refused });
        let receivers: Vec<_> = found.iter().map(one).collect();
        say(format_args!("{:#}", serde_json::json!({ "paper": true, "receivers": receivers })))?;
    } else if found.is_empty() {
        say("PAPER alerts: nobody is told; [alerts.to.NAME] in the configuration makes a receiver")?;
    } else {
        say("PAPER alerts")?;
        for (name, refused) in &found {
            say(format_args!("  {name:<16} {}", refused.as_deref().unwrap_or("took it")))?;
        }
    }
    match found.iter().filter(|(_, refused)| refused.is_some()).count() {
        0 => Ok(()),
        n => Err(Failure::answer_is_no(anyhow::anyhow!("{n} of {} did not take it", found.len()))),
    }
}

//! `config`: what is in force, and where it comes from.

use clap::{Args, Subcommand};

use super::{Failure, Globals, Outcome, say};
use crate::config::Loaded;

/// The configuration: show, check, schema
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Effective values, each with the layer it came from
    #[command(after_help = "Example:\n  papermaker config show --profile live --json")]
    Show(ReportArgs),
    /// Every problem with its file, line and key, and the nearest known key
    #[command(
        after_help = "Example:\n  papermaker config check --config /etc/papermaker\n\nExit code 1 if there is one."
    )]
    Check(ReportArgs),
    /// JSON schema of all keys
    #[command(after_help = "Example:\n  papermaker config schema > papermaker.schema.json")]
    Schema,
}

/// Of `config show` and `config check`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::config`].
pub fn config(verb: &ConfigVerb, globals: &Globals) -> Outcome {
    match verb {
        ConfigVerb::Show(args) => show(args, &globals.load()?),
        ConfigVerb::Check(args) => check(args, globals),
        ConfigVerb::Schema => say(format_args!("{:#}", Loaded::schema())),
    }
}

fn show(args: &ReportArgs, loaded: &Loaded) -> Outcome {
    if args.json {
        let value = |e: &crate::config::Entry| serde_json::json!({ "key": e.key, "value": e.value.to_string(), "origin": e.origin });
        let values: Vec<_> = loaded.entries().iter().map(value).collect();
        let digest = loaded.digest().to_string();
        return say(format_args!(
            "{:#}",
            serde_json::json!({ "paper": true, "config_digest": digest, "values": values })
        ));
    }
    say(format_args!("# PAPER configuration in force, digest {}", loaded.digest()))?;
    say(loaded.show().join("\n"))
}

fn check(args: &ReportArgs, globals: &Globals) -> Outcome {
    let found = crate::config::load(&globals.sources());
    if args.json {
        let problems = found.as_ref().err().map_or(&[][..], |errors| &errors.problems);
        say(format_args!(
            "{:#}",
            serde_json::json!({ "paper": true, "ok": problems.is_empty(), "problems": problems })
        ))?;
    }
    match found {
        Ok(_) if args.json => Ok(()),
        Ok(loaded) => say(format_args!("PAPER configuration is fine: {} values", loaded.entries().len())),
        Err(errors) => Err(Failure::answer_is_no(errors).context("the configuration has problems")),
    }
}

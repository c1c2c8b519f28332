//! `config`: what is in force, and where it comes from.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, Globals, Outcome};

/// The configuration: show, check, schema
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Effective values, each with the layer it came from
    #[command(after_help = "Example:\n  papermaker config show --profile live --json")]
    Show(ProfileArgs),
    /// Every problem with its file, line and key, and the nearest known key
    #[command(after_help = "Example:\n  papermaker config check --profile live")]
    Check(ProfileArgs),
    /// JSON schema of all keys
    #[command(after_help = "Example:\n  papermaker config schema > papermaker.schema.json")]
    Schema,
}

/// Of `config show` and `config check`.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// Configuration profile: config/NAME.toml
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub profile: String,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::config`].
pub fn config(verb: &ConfigVerb, globals: &Globals) -> Outcome {
    match verb {
        ConfigVerb::Show(args) => show(args, globals),
        ConfigVerb::Check(args) => check(args, globals),
        ConfigVerb::Schema => schema(globals),
    }
}

fn show(_args: &ProfileArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("config show"))
}

fn check(_args: &ProfileArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("config check"))
}

fn schema(_globals: &Globals) -> Outcome {
    Err(Failure::not_connected("config schema"))
}

/// What the verbs that do not run a session need to know.
pub(super) struct Places {
    /// Where the sessions are.
    pub store: PathBuf,
    /// Where the page listens.
    pub dashboard: std::net::SocketAddr,
}

/// The places named by the configuration in force.
pub(super) fn places(globals: &Globals) -> Result<Places, Failure> {
    // Until the layers of `crate::config` are connected: `--set`, then the environment, then the default.
    let value = |key: &str, default: &str| {
        let set = globals.set.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        let env = || std::env::var(format!("PAPERMAKER__{}", key.to_uppercase().replace('.', "__"))).ok();
        set.or_else(env).unwrap_or_else(|| default.to_owned())
    };
    let (bind, port) = (value("dashboard.bind", "127.0.0.1"), value("dashboard.port", "8080"));
    let bind: std::net::IpAddr = bind
        .parse()
        .map_err(|_| Failure::could_not_run(anyhow::anyhow!("dashboard.bind: {bind:?} is not an IP address")))?;
    let port: u16 =
        port.parse().map_err(|_| Failure::could_not_run(anyhow::anyhow!("dashboard.port: {port:?} is not a port")))?;
    Ok(Places { store: value("store.path", "replay/store").into(), dashboard: (bind, port).into() })
}

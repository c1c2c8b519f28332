//! `replay`: the proof.

use clap::Args;

use super::{Failure, Globals, Outcome};

/// Re-run a recorded session through the same engine and prove its outputs identical
///
/// Exit code 0 says identical, bit for bit; 1 says diverged and names the first output that differs.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker replay monday\n  papermaker replay monday --json\n  \
                        papermaker replay monday --around 48213")]
pub struct ReplayArgs {
    /// Name of the session, or its folder
    pub session: String,
    /// On divergence show both sides around this input
    #[arg(long, value_name = "SEQ")]
    pub around: Option<u64>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run`]'s replay driver.
pub fn replay(_args: &ReplayArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("replay"))
}

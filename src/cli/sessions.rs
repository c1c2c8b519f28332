//! `sessions`: the recordings.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Failure, Globals, Outcome};

/// The recordings: list, show, verify, export, import, delete
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsVerb {
    /// Every session in the store
    #[command(after_help = "Example:\n  papermaker sessions list --json")]
    List(ListArgs),
    /// One session's manifest and counts
    #[command(after_help = "Example:\n  papermaker sessions show monday --json")]
    Show(OneArgs),
    /// Check every byte of a session: frames, checksums, sequence, digests
    #[command(after_help = "Example:\n  papermaker sessions verify monday --rebuild")]
    Verify(VerifyArgs),
    /// Write a session's events as csv or jsonl
    #[command(
        after_help = "Examples:\n  papermaker sessions export monday --kind fills --format csv --out fills.csv\n  \
                            papermaker sessions export monday --kind book --at end --depth 20 --format csv --out book.csv"
    )]
    Export(ExportArgs),
    /// Turn recordings of other programs into a session
    #[command(
        after_help = "Example:\n  papermaker sessions import btc.gz --format hftbacktest-raw --venue binance-spot \
                            --symbol BTCUSDT --session btc"
    )]
    Import(ImportArgs),
    /// Remove a session and everything it holds
    #[command(after_help = "Example:\n  papermaker sessions delete monday --force")]
    Delete(DeleteArgs),
}

/// Of `sessions list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions show`.
#[derive(Clone, Debug, Args)]
pub struct OneArgs {
    /// Name of the session
    pub session: String,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Name of the session
    pub session: String,
    /// Build the index anew from the segments
    #[arg(long)]
    pub rebuild: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Name of the session
    pub session: String,
    /// What
    #[arg(long, value_enum)]
    pub kind: ExportKind,
    /// How
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    /// Where; stdout without it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Of `book`: the moment, `end` or nanoseconds since the epoch
    #[arg(long, value_name = "end|NS", default_value = "end")]
    pub at: String,
    /// Of `book`: levels a side
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub depth: usize,
    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names are the documentation; CONTRACT lists their columns")]
pub enum ExportKind {
    Trades,
    Book,
    Bbo,
    Feed,
    Orders,
    Fills,
    Decisions,
    Equity,
    Risk,
}

/// How it can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// With a header line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Of `sessions import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Files, in the order of time
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// What they are
    #[arg(long, value_enum)]
    pub format: ImportFormat,
    /// Venue they come from
    #[arg(long, value_name = "VENUE")]
    pub venue: String,
    /// Instrument, in the venue's spelling
    #[arg(long)]
    pub symbol: String,
    /// Name of the new session
    #[arg(long, value_name = "NAME")]
    pub session: String,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// What can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Gzipped lines `<recv_ts> <json>`.
    HftbacktestRaw,
    /// Both generations.
    Cryptofeed,
}

/// Of `sessions delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// Name of the session
    pub session: String,
    /// Really
    #[arg(long)]
    pub force: bool,
}

/// Calls [`crate::journal`].
pub fn sessions(verb: &SessionsVerb, globals: &Globals) -> Outcome {
    match verb {
        SessionsVerb::List(args) => list(args, globals),
        SessionsVerb::Show(args) => show(args, globals),
        SessionsVerb::Verify(args) => verify(args, globals),
        SessionsVerb::Export(args) => export(args, globals),
        SessionsVerb::Import(args) => import(args, globals),
        SessionsVerb::Delete(args) => delete(args, globals),
    }
}

fn list(_args: &ListArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("sessions list"))
}

fn show(_args: &OneArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("sessions show"))
}

fn verify(_args: &VerifyArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("sessions verify"))
}

fn export(_args: &ExportArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("sessions export"))
}

fn import(_args: &ImportArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("sessions import"))
}

fn delete(_args: &DeleteArgs, _globals: &Globals) -> Outcome {
    Err(Failure::not_connected("sessions delete"))
}

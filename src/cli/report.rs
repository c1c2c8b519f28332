//! `report`: a session as a page to read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Failure, Globals, Outcome, say};
use crate::journal::{SessionState, Store};
use crate::run::report as drive;

/// Write a session's report: one HTML file with charts, readable offline and on paper
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker report monday --out monday.html\n  \
                        papermaker report monday --out monday.html --force --json")]
pub struct ReportArgs {
    /// Name of the session, or its folder
    pub session: String,
    /// Where
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run::report`].
pub fn report(args: &ReportArgs, globals: &Globals) -> Outcome {
    // Reading a long recording for nothing would be a pity.
    make_sure_of_page(&args.out, args.force)?;
    let store = Store::open(&globals.load()?.settings.store.path);
    let (store, id) = store.of_session(&args.session).map_err(Failure::could_not_run)?;
    let mut manifest = store.manifest(&id).map_err(Failure::could_not_run)?;
    if manifest.state == SessionState::Running {
        // The manifest of a running session does not know its digest; what is on disk does.
        let found = store.verify(&id, false).map_err(Failure::could_not_run)?;
        manifest.counts = found.counts;
        manifest.output_digest = Some(found.output_digest);
    }
    let reader = store.reader(&id).map_err(Failure::could_not_run)?;
    let told = drive::tell(&manifest, reader).map_err(Failure::could_not_run)?;
    let html = drive::session_html(&manifest, &told);
    write_page(&args.out, args.force, &html)?;
    let fills = || told.scenes.iter().map(|scene| &scene.fills);
    let (total, drawn) = (fills().map(|f| f.total).sum::<u64>(), fills().map(|f| f.kept.len()).sum::<usize>());
    if args.json {
        return say(format_args!(
            "{:#}",
            json!({
                "paper": true, "id": id, "out": args.out, "bytes": html.len(), "inputs": told.summary.inputs,
                "fills": total, "fills_drawn": drawn,
            })
        ));
    }
    let thinned = if drawn as u64 == total { String::new() } else { format!(", {drawn} of them drawn") };
    let (file, kb) = (args.out.display(), html.len().div_ceil(1_000));
    say(format_args!("PAPER {id}: {} inputs and {total} fills{thinned} to {file}, {kb} kB", told.summary.inputs))
}

/// Whether a page can be written there, asked before there is one.
pub(super) fn make_sure_of_page(file: &Path, force: bool) -> Outcome {
    refuse_to_replace(file, force)?;
    let unfinished = unfinished(file);
    fs::write(&unfinished, "").and_then(|()| fs::remove_file(&unfinished)).map_err(|error| cannot_write(file, error))
}

fn unfinished(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.unfinished", file.display()))
}

fn cannot_write(file: &Path, error: io::Error) -> Failure {
    Failure::could_not_run(error).context(format!("cannot write {}", file.display())).hint("choose another file name")
}

/// Nothing is overwritten unless asked for.
fn refuse_to_replace(file: &Path, force: bool) -> Outcome {
    if force || !file.exists() {
        return Ok(());
    }
    let error = anyhow::anyhow!("{}: is there already, and nothing is overwritten", file.display());
    Err(Failure::could_not_run(error).hint("another file name, or --force to replace it"))
}

/// Writes a page, all of it or nothing: under another name until it is whole.
pub(super) fn write_page(file: &Path, force: bool, html: &str) -> Outcome {
    refuse_to_replace(file, force)?;
    let unfinished = unfinished(file);
    let failed = |error: io::Error| {
        // Best effort: the error that made it useless is the one to tell.
        let _ = fs::remove_file(&unfinished);
        cannot_write(file, error)
    };
    fs::write(&unfinished, html).map_err(failed)?;
    fs::rename(&unfinished, file).map_err(failed)
}

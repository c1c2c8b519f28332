//! Another program's recordings become a session: the same inputs a live session would have had, and nothing quoted
//! unless a strategy is named.
//!
//! The files are read through once before anything is written, so most of what can be wrong with them is found with
//! the store untouched. What breaks later takes the session it had begun with it: half a recording is worse than
//! none, because nobody can tell which half.

use super::core::Core;
use super::prepare::{self, PrepareError};
use crate::config::Loaded;
use crate::engine::Input;
use crate::journal::import::{self, ImportError, Play, Report, StepsFrom, Together, Wish};
use crate::journal::{JournalError, Manifest, Options, Store};
use crate::units::LocalTime;

/// Why there is no session of it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each wraps an error that explains itself")]
pub enum ImportFailed {
    #[error(transparent)]
    File(#[from] ImportError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0}: holds nothing to import")]
    Nothing(String),
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The session, ended.
    pub manifest: Manifest,
    /// What was read.
    pub report: Report,
    /// Where its price and quantity steps come from.
    pub steps_from: StepsFrom,
}

/// Imports these recordings as session `id`, one instrument each, or leaves the store as it was. With the text of a
/// strategy, it quotes on all of them.
pub fn import(
    loaded: &Loaded,
    store: &Store,
    id: &str,
    wishes: Vec<Wish>,
    strategy: Option<&str>,
) -> Result<Imported, ImportFailed> {
    let sources: Vec<String> = wishes.iter().map(files).collect();
    let mut from = import::together(wishes)?;
    let (first_at, first) = from.next().ok_or_else(|| ImportFailed::Nothing(sources.join(", ")))??;

    let spec = prepare::session_spec(loaded, from.instruments(), strategy)?;
    let strategies = prepare::strategies(&spec)?;
    let mut manifest = Manifest::new(id, spec.clone(), first_at);
    manifest.config_digest = Some(loaded.digest());
    for (import, files) in from.imports().iter().zip(&sources) {
        // Of one instrument nobody needs to be told which.
        let whose = if sources.len() > 1 { format!("{}: ", import.instrument().label()) } else { String::new() };
        manifest.notes.push(format!("{whose}imported from {files} ({})", import.wish().format.word()));
        manifest.notes.extend(note_on_steps(import.as_ref()).map(|note| whose + &note));
    }
    let options = Options { segment_bytes: u64::from(loaded.settings.store.segment_mib) << 20, ..Options::IMPORT };
    let writer = store.create(id, manifest, options)?;
    let core = Core::new(&spec, strategies, writer, None, loaded.settings.session.checkpoint_inputs);
    match record(core, (first_at, first), &mut from) {
        Ok(manifest) => Ok(Imported { manifest, report: from.report(), steps_from: from.steps_from() }),
        Err(error) => {
            // What made the import fail is the one to tell, not what became of the ruins.
            let _ = store.delete(id);
            Err(error)
        }
    }
}

fn files(wish: &Wish) -> String {
    wish.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn record(mut core: Core, first: (LocalTime, Input), from: &mut Together) -> Result<Manifest, ImportFailed> {
    core.take(first.0, first.1)?;
    for input in from.by_ref() {
        let (at, input) = input?;
        core.take(at, input)?;
    }
    if let Some(note) = note_on_clock(&from.report()) {
        core.note(note);
    }
    Ok(core.finish()?.1)
}

fn note_on_steps(from: &dyn Play) -> Option<String> {
    let rules = from.instrument();
    match from.steps_from() {
        StepsFrom::Inferred => Some(format!(
            "price step {} and quantity step {} are inferred: the recording does not say them",
            rules.tick, rules.lot
        )),
        StepsFrom::Recording | StepsFrom::Given => None,
    }
}

fn note_on_clock(report: &Report) -> Option<String> {
    (report.clock_steps_back > 0).then(|| {
        format!(
            "the recorder's clock stepped back {} times, by at most {} ms; those stamps are raised to the ones before",
            report.clock_steps_back,
            report.clock_step_back_max.ms()
        )
    })
}

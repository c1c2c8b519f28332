//! After a death: cut back to what is whole, and say so.

use std::fs;
use std::path::Path;

use super::disk::Disk;
use super::error::JournalError;
use super::index::Index;
use super::lock::Lock;
use super::manifest::{Counts, Manifest, SessionState};
use super::reader::Reader;
use super::seal::seal;
use super::segment::{segment_numbers, segment_path};
use super::verify::read_all;

/// What recovery found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What is kept.
    pub counts: Counts,
    /// Bytes of an unfinished block that were dropped.
    pub dropped_bytes: u64,
    /// In words, as it now stands in the manifest.
    pub note: String,
}

/// Recovers a session left Running by a process that died; `None` if there is nothing to do: it ended, was
/// recovered before, or is being written at this moment.
pub(super) fn recover(folder: &Path, lock: &Path, disk: &dyn Disk) -> Result<Option<Recovery>, JournalError> {
    // What has ended needs no lock, and none can be had where nothing may be written: an archive, another's recording.
    if Manifest::read(folder)?.state != SessionState::Running {
        return Ok(None);
    }
    let _lock = match Lock::take(lock, folder) {
        Err(JournalError::Held { .. }) => return Ok(None),
        lock => lock?,
    };
    let mut manifest = Manifest::read(folder)?;
    match manifest.state {
        SessionState::Running => {}
        SessionState::Ended | SessionState::Recovered => return Ok(None),
    }
    let mut reader = Reader::open(folder)?;
    // The index may have got further than what survived: it is made anew. If it cannot be, the next look-up tries.
    let index = Index::create(folder).ok();
    let tally = read_all(&mut reader, |entries| {
        let _ = index.as_ref().map(|index| index.add(entries));
        Ok(())
    })?;
    let dropped_bytes = cut(folder, &reader, disk)?;
    manifest.counts = tally.counts;
    manifest.output_digest = Some(tally.chain.digest());
    manifest.input_digest = Some(tally.inputs.digest());
    manifest.seal = Some(seal(&manifest.spec, tally.inputs.digest(), tally.chain.digest()));
    manifest.refusals = tally.refusals();
    manifest.ended_ns = Some(tally.last_at.max(manifest.started_ns));
    let note = match reader.ending() {
        Some(ending) => {
            manifest.state = SessionState::Ended;
            (manifest.ended_ns, manifest.state_digest) = (Some(ending.at.0), Some(ending.state_digest));
            "the process died after the end mark was written; nothing is lost".to_owned()
        }
        None => {
            manifest.state = SessionState::Recovered;
            format!(
                "recovered: the process that wrote this died; {} inputs are whole, {dropped_bytes} bytes of an \
                 unfinished block were dropped",
                tally.counts.inputs
            )
        }
    };
    manifest.notes.push(note.clone());
    manifest.write(disk, folder)?;
    Ok(Some(Recovery { counts: tally.counts, dropped_bytes, note }))
}

/// Cuts off what is not whole; how many bytes that was.
fn cut(folder: &Path, reader: &Reader, disk: &dyn Disk) -> Result<u64, JournalError> {
    let whole = reader.whole();
    let mut dropped = 0;
    for number in segment_numbers(folder)?.into_iter().filter(|&n| n >= whole.segment) {
        let path = segment_path(folder, number);
        let length = fs::metadata(&path).map_err(JournalError::io(&path, "read"))?.len();
        if number > whole.segment {
            fs::remove_file(&path).map_err(JournalError::io(&path, "remove an unfinished segment"))?;
            dropped += length;
        } else if length > whole.offset {
            disk.truncate(&path, whole.offset).map_err(JournalError::io(&path, "cut off an unfinished block"))?;
            dropped += length - whole.offset;
        }
    }
    Ok(dropped)
}

//! Is what is stored what was written? And does the index agree with it?
//!
//! Two passes: every frame's checksum, so that all damage is named and not only the first; then the recording read
//! as a session, its counts and its chain of outputs compared with checkpoints, end mark and manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::frame::FrameHeader;
use super::index::{Entries, Index, Tree};
use super::manifest::{Counts, Manifest, SessionState, note_refusal};
use super::reader::{Encoded, Reader};
use super::seal::{InputChain, seal};
use super::segment::{Found, Place, Segments, segment_numbers};
use super::writer::is_fill;
use crate::digest::{Chain, Digest};
use crate::engine::{ITSELF, Input, Output, Stamped};

/// What a session adds up to when all of it is read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub counts: Counts,
    pub chain: Chain,
    pub inputs: InputChain,
    refused: BTreeMap<&'static str, u64>,
    pub first_seq: u64,
    pub last_at: i64,
}

impl Tally {
    /// What the gate refused, by reason code.
    pub fn refusals(&self) -> BTreeMap<String, u64> {
        self.refused.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
    }

    fn add(&mut self, step: &Stamped, outputs: &Encoded) {
        if self.counts.inputs == 0 {
            self.first_seq = step.seq;
        }
        self.last_at = step.at.0;
        self.counts.add_input(&step.input);
        self.counts.outputs += outputs.len() as u64;
        outputs.iter().for_each(|output| self.chain.extend(step.seq, output));
    }
}

/// Reads a session from where `reader` stands to the end of what is whole; `each` gets the index entries block by
/// block.
pub(super) fn read_all(
    reader: &mut Reader,
    mut each: impl FnMut(Entries) -> Result<(), JournalError>,
) -> Result<Tally, JournalError> {
    let mut tally = Tally::default();
    let (mut step, mut outputs, mut entries) = (Reader::blank(), Encoded::default(), Entries::default());
    while reader.next_encoded(&mut step, &mut outputs)? {
        if let Some((place, header)) = reader.block()
            && header.first_seq == step.seq
        {
            each(std::mem::take(&mut entries))?;
            entries.add_block(place, &header);
            tally.inputs.extend(header.first_seq, reader.input_rows());
        }
        tally.add(&step, &outputs);
        for bytes in outputs.iter() {
            let output: Output = postcard::from_bytes(bytes)
                .map_err(|_| reader.damaged(format!("an output to input {} that is not one", step.seq)))?;
            tally.counts.fills += u64::from(is_fill(&output));
            note_refusal(&mut tally.refused, &output);
            if let Output::Commanded { by, command } = &output
                && by != ITSELF
                && !matches!(&step.input, Input::Command { by: b, command: c } if (b, c) == (by, command))
            {
                let what = format!("input {} is not the command of {by} that was obeyed there", step.seq);
                return Err(reader.damaged(what));
            }
            entries.add_output(step.seq, &output);
        }
        while let Some((place, checkpoint)) = reader.placed_checkpoint_here()? {
            tally.counts.checkpoints += 1;
            let found = tally.chain.digest();
            // A recording whose first segments were removed cannot know the chain up to here.
            if tally.first_seq == 1 && (checkpoint.output_digest != found || checkpoint.outputs != tally.counts.outputs)
            {
                return Err(reader.damaged(format!(
                    "the checkpoint after input {} says {} outputs with digest {}, the recording has {} with {}",
                    checkpoint.seq,
                    checkpoint.outputs,
                    checkpoint.output_digest.short(),
                    tally.counts.outputs,
                    found.short()
                )));
            }
            entries.add_checkpoint(checkpoint.seq, place);
        }
    }
    each(entries)?;
    Ok(tally)
}

/// How the index compares with the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexCheck {
    /// Entry by entry as the recording says.
    Consistent,
    /// Made anew just now.
    Rebuilt,
    /// There is none; it will be made when somebody looks something up.
    Missing,
    /// Not compared, because the bot that writes it, or another verb, has it open.
    InUse,
    /// Not compared, because the operating system does not let it be opened: nothing may be written there.
    Closed(String),
    /// It cannot be read or says something else than the recording.
    Differs(String),
}

/// What verification found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// Of the session.
    pub manifest: Manifest,
    /// Whether a process is writing it.
    pub live: bool,
    /// Segment files.
    pub segments: usize,
    /// Whether it was read as a session, to its end. If not, counts and digests were not computed and are zero.
    pub is_read: bool,
    /// Frames whose checksums were computed.
    pub frames: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Counted anew.
    pub counts: Counts,
    /// Chained anew.
    pub output_digest: Digest,
    /// Of spec, inputs and outputs: [`super::seal()`].
    pub seal: Digest,
    /// Requests that the gate refused, by reason code.
    pub refusals: BTreeMap<String, u64>,
    /// Every byte that is not what was written, named. Empty is good.
    pub damage: Vec<JournalError>,
    /// What is worth knowing and no damage: a torn end, removed segments.
    pub notes: Vec<String>,
    /// The look-up index.
    pub index: IndexCheck,
}

impl VerifyReport {
    /// Whether everything stored is what was written. The index does not count: it can be made anew.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Verifies a session, and makes its index anew if asked to.
pub(super) fn verify(folder: &Path, live: bool, rebuild: bool) -> Result<VerifyReport, JournalError> {
    let manifest = Manifest::read(folder)?;
    let mut report = VerifyReport {
        live,
        segments: segment_numbers(folder)?.len(),
        is_read: false,
        frames: 0,
        bytes: 0,
        counts: Counts::default(),
        output_digest: Digest::default(),
        seal: Digest::default(),
        refusals: BTreeMap::new(),
        damage: Vec::new(),
        notes: manifest.notes.clone(),
        index: IndexCheck::Missing,
        manifest,
    };
    check_frames(folder, &mut report);
    if report.is_clean() {
        let index = open_index(folder, live, rebuild)?;
        match read_and_compare(folder, index, rebuild, &mut report) {
            Err(error @ JournalError::Damaged { .. }) => report.damage.push(error),
            other => other?,
        }
    }
    Ok(report)
}

fn open_index(folder: &Path, live: bool, rebuild: bool) -> Result<Result<Index, IndexCheck>, JournalError> {
    if live {
        return Ok(Err(IndexCheck::InUse));
    }
    if rebuild {
        return Index::create(folder).map(Ok);
    }
    if !Index::path_of(folder).exists() {
        return Ok(Err(IndexCheck::Missing));
    }
    Ok(Index::open(folder).map_err(|error| match error {
        JournalError::Held { .. } => IndexCheck::InUse,
        JournalError::Io { .. } => IndexCheck::Closed(error.to_string()),
        error => IndexCheck::Differs(error.to_string()),
    }))
}

/// Pass one: every checksum.
fn check_frames(folder: &Path, report: &mut VerifyReport) {
    let mut walk = || -> Result<(), JournalError> {
        let mut segments = Segments::open(folder)?;
        let mut payload = Vec::new();
        loop {
            let header: FrameHeader = match segments.look()? {
                Found::Frame(header) => header,
                Found::Nothing => return Ok(()),
                Found::Torn(what) if report.manifest.state == SessionState::Running => {
                    report.notes.push(format!("torn end: {}", segments.damaged(what)));
                    return Ok(());
                }
                Found::Torn(what) => return Err(segments.damaged(what)),
            };
            report.frames += 1;
            report.bytes += header.frame_bytes();
            match segments.payload(&header, &mut payload) {
                Err(JournalError::Damaged { .. })
                    if report.manifest.state == SessionState::Running && segments.is_last()? =>
                {
                    report.notes.push(format!("torn end: {}", segments.damaged("the last frame was never finished")));
                }
                Err(error) => report.damage.push(error),
                Ok(()) => {}
            }
            segments.pass(&header);
            segments.seq = header.last_seq;
        }
    };
    if let Err(error) = walk() {
        report.damage.push(error);
    }
}

/// Pass two: the session.
fn read_and_compare(
    folder: &Path,
    index: Result<Index, IndexCheck>,
    rebuild: bool,
    report: &mut VerifyReport,
) -> Result<(), JournalError> {
    let mut reader = Reader::open(folder)?;
    let mut expected = [0usize; Tree::ALL.len()];
    let mut differs = None;
    let tally = read_all(&mut reader, |entries| {
        let Ok(index) = &index else { return Ok(()) };
        if rebuild {
            return index.add(entries);
        }
        for (tree, key, value) in entries.into_all() {
            expected[tree as usize] += 1;
            if differs.is_none() && !index.holds(tree, &key, &value).unwrap_or(false) {
                differs = Some(format!("an entry of {} is missing or wrong", tree.name()));
            }
        }
        Ok(())
    })?;
    report.is_read = true;
    (report.counts, report.output_digest) = (tally.counts, tally.chain.digest());
    report.seal = seal(&report.manifest.spec, tally.inputs.digest(), report.output_digest);
    report.refusals = tally.refusals();
    report.index = match index {
        Err(check) => check,
        Ok(index) if rebuild => {
            index.flush()?;
            IndexCheck::Rebuilt
        }
        Ok(index) => differs.or_else(|| surplus(&index, &expected)).map_or(IndexCheck::Consistent, IndexCheck::Differs),
    };
    compare_with_manifest(&reader, &tally, report);
    Ok(())
}

/// An index that holds all it should, and more.
fn surplus(index: &Index, expected: &[usize; Tree::ALL.len()]) -> Option<String> {
    let over = Tree::ALL.into_iter().find(|&tree| index.len(tree) > expected[tree as usize]);
    over.map(|tree| format!("{} has entries the recording does not", tree.name()))
}

fn compare_with_manifest(reader: &Reader, tally: &Tally, report: &mut VerifyReport) {
    if let Some(torn) = reader.torn_end() {
        report.notes.push(format!("read up to a torn end: {torn}"));
    }
    if tally.first_seq > 1 {
        report.notes.push(format!("begins at input {}: earlier segments were removed", tally.first_seq));
        return;
    }
    if report.manifest.state == SessionState::Running {
        return;
    }
    let manifest = &report.manifest;
    let mut wrong = Vec::new();
    if manifest.counts != tally.counts {
        wrong.push(format!("the manifest counts {:?}, the recording has {:?}", manifest.counts, tally.counts));
    }
    let said = [("manifest", manifest.output_digest), ("end mark", reader.ending().map(|e| e.output_digest))];
    for (who, digest) in said {
        if let Some(digest) = digest
            && digest != report.output_digest
        {
            wrong.push(format!("the {who} says output digest {digest}, the recording has {}", report.output_digest));
        }
    }
    let path: PathBuf = reader.path();
    let found = (tally.inputs.digest(), seal(&manifest.spec, tally.inputs.digest(), report.output_digest));
    let sealed = [
        ("input digest", manifest.input_digest, found.0),
        ("seal of limits at the start, inputs and outputs", manifest.seal, found.1),
    ];
    for (what, said, found) in sealed {
        match said {
            Some(said) if said == found => {}
            Some(said) => wrong.push(format!("the manifest says {what} {said}, the recording has {found}")),
            None => wrong.push(format!("the manifest says no {what}, the recording has {found}")),
        }
    }
    if manifest.refusals != tally.refusals() {
        let (said, found) = (&manifest.refusals, tally.refusals());
        wrong.push(format!("the manifest counts refusals {said:?}, the recording has {found:?}"));
    }
    report.damage.extend(wrong.into_iter().map(|what| JournalError::Manifest { path: path.clone(), what }));
}

/// Makes the index anew from the segments.
pub(super) fn rebuild_index(folder: &Path) -> Result<Index, JournalError> {
    let index = Index::create(folder)?;
    read_all(&mut Reader::open(folder)?, |entries| index.add(entries))?;
    index.flush()?;
    Ok(index)
}

/// Whether the index knows every block there is and no other.
pub(super) fn is_up_to_date(folder: &Path, index: &Index) -> Result<bool, JournalError> {
    let mut segments = Segments::open(folder)?;
    let mut last: Option<(u64, Place)> = None;
    let mut blocks = 0;
    let mut begins = None;
    while let Found::Frame(header) = segments.look()? {
        let place = *begins.get_or_insert(segments.place());
        if !super::segment::waits_for_inputs(header.kind) {
            if header.kind == super::frame::FrameKind::Inputs {
                last = Some((header.last_seq, place));
                blocks += 1;
            }
            begins = None;
        }
        segments.pass(&header);
    }
    match last {
        Some((seq, place)) => Ok(index.len(Tree::Blocks) == blocks && index.block_of(seq)? == Some(place)),
        None => Ok(index.is_empty()),
    }
}

//! The writing end of a recording.
//!
//! The caller's thread turns inputs and outputs into bytes of the open block; a writer thread compresses, writes,
//! syncs and indexes whole blocks, behind a short bounded channel. If the disk cannot keep up the caller waits: it
//! never trades unrecorded. If the disk fails, the next call says so, and every call after it.
//!
//! A block closes between two inputs, never between an input and what the session said to it, so a block on disk
//! is always a whole number of steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use super::block::InputBlock;
use super::disk::{Disk, Tape};
use super::error::JournalError;
use super::frame::{FrameHeader, FrameKind, SEGMENT_MAGIC};
use super::index::Index;
use super::lock::Lock;
use super::manifest::{Counts, Manifest, SessionState, ShadowPrint, note_refusal};
use super::records::{RecordBlock, Records};
use super::seal::{InputChain, seal};
use super::segment::{Place, segment_path};
use crate::digest::{Digest, canonical_bytes};
use crate::engine::{Output, Stamped};
use crate::order::ReportKind;
use crate::units::{LocalTime, Nanos};

/// When what was handed over counts as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every block is synced before it is acknowledged: a live session.
    EveryBlock,
    /// Synced at segment ends and at the end only: an import, which can be done again.
    AtEnd,
}

/// How a recording is cut into blocks and files.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A block closes at this many inputs,
    pub block_inputs: u32,
    /// or this many bytes before compression,
    pub block_bytes: usize,
    /// or when its first input is this old; `None` does not look at the time.
    pub block_age: Option<Nanos>,
    /// A new segment begins beyond this many bytes.
    pub segment_bytes: u64,
    /// When it is kept.
    pub durability: Durability,
}

impl Options {
    /// A session that trades: a tenth of a second is the most a power cut may take.
    pub const LIVE: Self = Self {
        block_inputs: 10_000,
        block_bytes: 512 << 10,
        block_age: Some(Nanos::from_ms(100)),
        segment_bytes: 256 << 20,
        durability: Durability::EveryBlock,
    };

    /// Old data read in at full speed.
    pub const IMPORT: Self = Self { block_age: None, durability: Durability::AtEnd, ..Self::LIVE };
}

/// A state to resume from, and the fingerprints a replay must arrive at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// After this input and everything said to it.
    pub seq: u64,
    /// When that input was heard.
    pub at: LocalTime,
    /// Outputs so far.
    pub outputs: u64,
    /// Chain of outputs so far.
    pub output_digest: Digest,
    /// Of the state.
    pub state_digest: Digest,
    /// The state, as the session saved it; may be empty.
    pub state: Vec<u8>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When.
    pub at: LocalTime,
    /// Last link of the chain of outputs.
    pub output_digest: Digest,
    /// Of the state.
    pub state_digest: Digest,
}

/// One block on its way: bytes only, no meaning.
#[derive(Debug, Default)]
struct Block {
    inputs: InputBlock,
    outputs: RecordBlock,
    raw: RecordBlock,
}

enum Job {
    Block(Box<Block>),
    Checkpoint(Checkpoint),
    /// Sync, then answer.
    Sync(SyncSender<()>),
    End(Ending),
}

#[derive(Debug, Default)]
struct Shared {
    durable: AtomicU64,
    fills: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<JournalError>>,
    ended: Mutex<Ended>,
}

/// What only the thread knows, once it has written all.
#[derive(Clone, Debug, Default)]
struct Ended {
    input_digest: Digest,
    refusals: BTreeMap<String, u64>,
}

impl Shared {
    fn fail(&self, error: JournalError) {
        let mut slot = self.failure.lock().unwrap_or_else(|e| e.into_inner());
        slot.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }
}

/// Records one session. Dropped without [`Writer::finish`] it keeps everything handed over, but the session is not
/// ended: it will be Recovered.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    manifest: Manifest,
    counts: Counts,
    options: Options,
    disk: Arc<dyn Disk>,
    open: Box<Block>,
    last_seq: u64,
    last_at: LocalTime,
    jobs: Option<SyncSender<Job>>,
    empties: Receiver<Box<Block>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    _lock: Lock,
}

impl Writer {
    pub(super) fn begin(
        folder: &Path,
        manifest: Manifest,
        options: Options,
        disk: Arc<dyn Disk>,
        lock: Lock,
    ) -> Result<Self, JournalError> {
        let shared = Arc::new(Shared::default());
        // Four blocks of slack: enough to ride out one slow sync, little enough to lose.
        let (jobs, inbox) = sync_channel(4);
        let (give_back, empties) = channel();
        let roll = Roll::begin(folder, options, Arc::clone(&disk), Arc::clone(&shared))?;
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || roll.run(&inbox, &give_back))
            .map_err(JournalError::io(folder, "start the writer thread"))?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            counts: Counts::default(),
            options,
            disk,
            open: Box::default(),
            last_seq: 0,
            last_at: LocalTime(0),
            jobs: Some(jobs),
            empties,
            thread: Some(thread),
            shared,
            _lock: lock,
        })
    }

    /// Appends an input; to be called **before** the session obeys it.
    pub fn input(&mut self, stamped: &Stamped) -> Result<(), JournalError> {
        self.check()?;
        if stamped.seq != self.last_seq + 1 {
            return Err(self.out_of_order(self.last_seq + 1, stamped.seq));
        }
        let block = &self.open.inputs;
        let full = block.count() >= self.options.block_inputs
            || block.bytes().len() + self.open.outputs.bytes().len() + self.open.raw.bytes().len()
                >= self.options.block_bytes;
        if full || self.is_old(stamped.at) {
            self.close_block()?;
        }
        self.open.inputs.push(stamped);
        (self.last_seq, self.last_at) = (stamped.seq, stamped.at);
        self.counts.add_input(&stamped.input);
        Ok(())
    }

    /// Appends what the session said to the last input, which must be `seq`.
    pub fn outputs(&mut self, seq: u64, outputs: &[Output]) -> Result<(), JournalError> {
        outputs.iter().try_for_each(|output| self.output_bytes(seq, &canonical_bytes(output)))
    }

    /// As [`Writer::outputs`] for one output in the canonical bytes it was chained with.
    pub fn output_bytes(&mut self, seq: u64, encoded: &[u8]) -> Result<(), JournalError> {
        self.check()?;
        if seq != self.last_seq || self.open.inputs.count() == 0 {
            return Err(self.out_of_order(self.last_seq, seq));
        }
        self.open.outputs.push(seq, encoded);
        self.counts.outputs += 1;
        Ok(())
    }

    /// Appends bytes as the venue sent them, before the inputs that were made of them. Optional.
    pub fn raw(&mut self, connection: u16, frame: &[u8]) -> Result<(), JournalError> {
        self.check()?;
        let mut record = Vec::with_capacity(frame.len() + 2);
        record.extend_from_slice(&connection.to_le_bytes());
        record.extend_from_slice(frame);
        self.open.raw.push(self.last_seq + 1, &record);
        Ok(())
    }

    /// Time passes without inputs: closes a block that is old enough.
    pub fn tick(&mut self, now: LocalTime) -> Result<(), JournalError> {
        self.check()?;
        if self.is_old(now) { self.close_block() } else { Ok(()) }
    }

    /// Closes the block and appends a checkpoint, which must be of the last input.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), JournalError> {
        self.check()?;
        if checkpoint.seq != self.last_seq {
            return Err(self.out_of_order(self.last_seq, checkpoint.seq));
        }
        self.counts.checkpoints += 1;
        self.close_block()?;
        self.send(Job::Checkpoint(checkpoint))
    }

    /// Returns when everything handed over would survive a power cut.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.close_block()?;
        let (done, wait) = sync_channel(1);
        self.send(Job::Sync(done))?;
        wait.recv().map_err(|_| self.failure())
    }

    /// The last input that would survive a power cut.
    pub fn durable_seq(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Bytes on disk so far, all segments.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Acquire)
    }

    /// What has been handed over so far; `fills` lags by the blocks on their way.
    pub fn counts(&self) -> Counts {
        Counts { fills: self.shared.fills.load(Ordering::Acquire), ..self.counts }
    }

    /// As begun; the ended form is returned by [`Writer::finish`].
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Adds a remark to the manifest that will be written at the end.
    pub fn note(&mut self, note: impl Into<String>) {
        self.manifest.notes.push(note.into());
    }

    /// How the shadows ended, for the manifest that will be written at the end.
    pub fn bracket(&mut self, prints: Vec<ShadowPrint>) {
        self.manifest.bracket = prints;
    }

    /// Ends the session: everything on disk, then the manifest says Ended.
    pub fn finish(mut self, ending: Ending) -> Result<Manifest, JournalError> {
        self.close_block()?;
        self.send(Job::End(ending))?;
        self.stop();
        self.check()?;
        if self.shared.durable.load(Ordering::Acquire) != self.last_seq {
            return Err(JournalError::WriterDied { path: self.folder.clone() });
        }
        let mut manifest = self.manifest.clone();
        manifest.counts = self.counts();
        manifest.state = SessionState::Ended;
        manifest.ended_ns = Some(ending.at.0);
        manifest.output_digest = Some(ending.output_digest);
        manifest.state_digest = Some(ending.state_digest);
        let ended = self.shared.ended.lock().unwrap_or_else(|e| e.into_inner()).clone();
        manifest.input_digest = Some(ended.input_digest);
        manifest.seal = Some(seal(&manifest.spec, ended.input_digest, ending.output_digest));
        manifest.refusals = ended.refusals;
        manifest.write(&*self.disk, &self.folder)?;
        Ok(manifest)
    }

    fn is_old(&self, now: LocalTime) -> bool {
        let block = &self.open.inputs;
        block.count() > 0 && self.options.block_age.is_some_and(|age| now.since(LocalTime(block.first_at())).0 >= age.0)
    }

    fn close_block(&mut self) -> Result<(), JournalError> {
        self.check()?;
        if self.open.inputs.count() == 0 {
            return Ok(());
        }
        let empty = self.empties.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.open, empty);
        self.send(Job::Block(full))
    }

    fn send(&self, job: Job) -> Result<(), JournalError> {
        let jobs = self.jobs.as_ref().expect("only finish and drop take it");
        jobs.send(job).map_err(|_| self.failure())
    }

    fn check(&self) -> Result<(), JournalError> {
        if self.shared.failed.load(Ordering::Relaxed) { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> JournalError {
        let slot = self.shared.failure.lock().unwrap_or_else(|e| e.into_inner());
        slot.clone().unwrap_or_else(|| JournalError::WriterDied { path: self.folder.clone() })
    }

    fn out_of_order(&self, expected: u64, found: u64) -> JournalError {
        JournalError::OutOfOrder { path: self.folder.clone(), expected, found }
    }

    fn stop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.shared.fail(JournalError::WriterDied { path: self.folder.clone() });
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // An error here has been told or will be seen by who opens the session next: it stays Running.
            let _ = self.close_block();
            self.stop();
        }
    }
}

/// The thread's side: the growing file.
struct Roll {
    folder: PathBuf,
    options: Options,
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    tape: Box<dyn Tape>,
    segment: u32,
    length: u64,
    written_seq: u64,
    last_at: i64,
    unsynced: bool,
    packer: zstd::bulk::Compressor<'static>,
    frames: Vec<u8>,
    packed: Vec<u8>,
    index: Option<Index>,
    inputs: InputChain,
    refusals: BTreeMap<&'static str, u64>,
}

impl Roll {
    fn begin(folder: &Path, options: Options, disk: Arc<dyn Disk>, shared: Arc<Shared>) -> Result<Self, JournalError> {
        let tape = begin_segment(&*disk, folder, 1)?;
        let packer = zstd::bulk::Compressor::new(1).map_err(JournalError::io(folder, "start the compressor"))?;
        Ok(Self {
            // A recording without an index is a recording: it is made anew when somebody looks something up.
            index: Index::create(folder).ok(),
            folder: folder.to_owned(),
            options,
            disk,
            shared,
            tape,
            segment: 1,
            length: SEGMENT_MAGIC.len() as u64,
            written_seq: 0,
            last_at: 0,
            unsynced: false,
            packer,
            frames: Vec::new(),
            packed: Vec::new(),
            inputs: InputChain::default(),
            refusals: BTreeMap::new(),
        })
    }

    fn run(mut self, inbox: &Receiver<Job>, give_back: &std::sync::mpsc::Sender<Box<Block>>) {
        if let Err(error) = self.obey(inbox, give_back) {
            // What was begun and not finished is taken back, so that a disk that is merely full leaves no torn end.
            let _ = self.disk.truncate(&segment_path(&self.folder, self.segment), self.length);
            self.shared.fail(error);
        }
    }

    fn obey(
        &mut self,
        inbox: &Receiver<Job>,
        give_back: &std::sync::mpsc::Sender<Box<Block>>,
    ) -> Result<(), JournalError> {
        while let Ok(first) = inbox.recv() {
            // Whatever has queued up meanwhile shares one sync.
            let mut waiting = Vec::new();
            for job in std::iter::once(first).chain(inbox.try_iter().take(3)) {
                match job {
                    Job::Block(mut block) => {
                        self.write_block(&block)?;
                        block.inputs.clear();
                        block.outputs.clear();
                        block.raw.clear();
                        let _ = give_back.send(block);
                    }
                    Job::Checkpoint(checkpoint) => self.write_checkpoint(&checkpoint)?,
                    Job::Sync(done) => waiting.push(done),
                    Job::End(ending) => {
                        self.write_single(FrameKind::End, &canonical_bytes(&ending))?;
                        self.sync()?;
                        let refusals = self.refusals.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect();
                        let ended = Ended { input_digest: self.inputs.digest(), refusals };
                        *self.shared.ended.lock().unwrap_or_else(|e| e.into_inner()) = ended;
                    }
                }
            }
            if self.options.durability == Durability::EveryBlock || !waiting.is_empty() {
                self.sync()?;
            }
            for done in waiting {
                let _ = done.send(());
            }
        }
        self.sync()
    }

    fn write_block(&mut self, block: &Block) -> Result<(), JournalError> {
        let inputs = &block.inputs;
        if self.length >= self.options.segment_bytes {
            self.sync()?;
            self.tape = begin_segment(&*self.disk, &self.folder, self.segment + 1)?;
            self.segment += 1;
            self.length = SEGMENT_MAGIC.len() as u64;
        }
        let place = Place { segment: self.segment, offset: self.length };
        let header = FrameHeader {
            kind: FrameKind::Inputs,
            count: inputs.count(),
            length: 0,
            unpacked: 0,
            segment: self.segment,
            first_seq: inputs.first_seq(),
            last_seq: inputs.last_seq(),
            first_at: inputs.first_at(),
            last_at: inputs.last_at(),
            payload_crc: 0,
        };
        self.frames.clear();
        for (kind, records) in [(FrameKind::Raw, &block.raw), (FrameKind::Outputs, &block.outputs)] {
            if records.count() > 0 {
                self.pack(FrameHeader { kind, count: records.count(), ..header }, records.bytes())?;
            }
        }
        self.pack(header, inputs.bytes())?;
        self.append()?;
        self.inputs.extend(header.first_seq, inputs.bytes());
        (self.written_seq, self.last_at) = (header.last_seq, header.last_at);
        self.index_block(place, &header, &block.outputs);
        Ok(())
    }

    fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        let place = Place { segment: self.segment, offset: self.length };
        self.write_single(FrameKind::Checkpoint, &canonical_bytes(checkpoint))?;
        self.with_index(|index| index.add_checkpoint(checkpoint.seq, place));
        Ok(())
    }

    fn write_single(&mut self, kind: FrameKind, body: &[u8]) -> Result<(), JournalError> {
        let header = FrameHeader {
            kind,
            count: 1,
            length: 0,
            unpacked: 0,
            segment: self.segment,
            first_seq: self.written_seq,
            last_seq: self.written_seq,
            first_at: self.last_at,
            last_at: self.last_at,
            payload_crc: 0,
        };
        self.frames.clear();
        self.pack(header, body)?;
        self.append()
    }

    /// Compresses `body` into a frame behind the frames already there.
    fn pack(&mut self, header: FrameHeader, body: &[u8]) -> Result<(), JournalError> {
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(body.len()));
        self.packer
            .compress_to_buffer(body, &mut self.packed)
            .map_err(JournalError::io(&self.folder, "compress a block"))?;
        let header = FrameHeader {
            length: self.packed.len() as u32,
            unpacked: body.len() as u32,
            payload_crc: crc32c::crc32c(&self.packed),
            ..header
        };
        self.frames.extend_from_slice(&header.to_bytes());
        self.frames.extend_from_slice(&self.packed);
        Ok(())
    }

    fn append(&mut self) -> Result<(), JournalError> {
        self.unsynced = true;
        let path = || segment_path(&self.folder, self.segment);
        self.tape.append(&self.frames).map_err(|e| JournalError::io(&path(), "append to the recording")(e))?;
        self.length += self.frames.len() as u64;
        self.shared.bytes.fetch_add(self.frames.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        if self.unsynced {
            let path = segment_path(&self.folder, self.segment);
            self.tape.sync().map_err(JournalError::io(&path, "sync the recording"))?;
            self.unsynced = false;
            self.shared.durable.store(self.written_seq, Ordering::Release);
        }
        Ok(())
    }

    fn index_block(&mut self, place: Place, header: &FrameHeader, outputs: &RecordBlock) {
        let mut fills = 0;
        let mut said = Records::begin(outputs.count());
        let mut batch = super::index::Entries::default();
        batch.add_block(place, header);
        while let Ok(Some((seq, range))) = said.next(outputs.bytes()) {
            if let Ok(output) = postcard::from_bytes::<Output>(&outputs.bytes()[range]) {
                fills += u64::from(is_fill(&output));
                note_refusal(&mut self.refusals, &output);
                batch.add_output(seq, &output);
            }
        }
        self.shared.fills.fetch_add(fills, Ordering::AcqRel);
        self.with_index(|index| index.add(batch));
    }

    /// The index follows behind; if it fails it is let go, never the recording.
    fn with_index(&mut self, act: impl FnOnce(&Index) -> Result<(), JournalError>) {
        if let Some(index) = &self.index
            && act(index).is_err()
        {
            self.index = None;
        }
    }
}

/// Whether an output is a trade of ours.
pub(super) fn is_fill(output: &Output) -> bool {
    matches!(output, Output::Heard(report) if matches!(report.kind, ReportKind::Filled(_)))
}

fn begin_segment(disk: &dyn Disk, folder: &Path, number: u32) -> Result<Box<dyn Tape>, JournalError> {
    let path = segment_path(folder, number);
    let begin = || {
        let mut tape = disk.create(&path)?;
        tape.append(SEGMENT_MAGIC)?;
        tape.sync()?;
        Ok(tape)
    };
    begin().map_err(JournalError::io(&path, "begin a segment"))
}

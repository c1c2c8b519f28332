//! The reading end: inputs alone, or whole steps, an input and what was said to it.
//!
//! A reader takes no lock and changes nothing. It may follow a session that is still being written: `false` means
//! "nothing more yet", and asking again looks again. Of a session that never ended, a torn last frame is where the
//! data stops ([`Reader::torn_end`]); of one that did, it is damage.

use std::path::Path;

use super::block::InputRows;
use super::error::JournalError;
use super::frame::{FrameHeader, FrameKind};
use super::manifest::{Manifest, SessionState};
use super::records::Records;
use super::segment::{Found, Place, Segments, waits_for_inputs};
use super::writer::{Checkpoint, Ending};
use crate::engine::{Input, Output, Stamped};
use crate::units::LocalTime;

/// Outputs of one step in their canonical bytes, as they were chained. Reused from step to step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encoded {
    /// How many outputs.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ends.iter().scan(0, |start, &end| {
            let item = &self.bytes[*start..end];
            *start = end;
            Some(item)
        })
    }

    /// Forgets everything, memory kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds one.
    pub fn push(&mut self, output: &[u8]) {
        self.bytes.extend_from_slice(output);
        self.ends.push(self.bytes.len());
    }
}

/// Bytes as the venue sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// The first input that was made of it, if any was.
    pub seq: u64,
    /// Which connection.
    pub connection: u16,
    /// What came.
    pub bytes: Vec<u8>,
}

/// Reads one session from some point on.
pub struct Reader {
    manifest: Manifest,
    segments: Segments,
    stored: Vec<u8>,
    unpacker: zstd::bulk::Decompressor<'static>,
    inputs: Vec<u8>,
    rows: InputRows,
    rows_left: u32,
    /// The block in hand and where its first frame stands.
    block: Option<(Place, FrameHeader)>,
    with_outputs: bool,
    /// After the last frame that stands for itself: everything before it is whole.
    whole: Place,
    outputs: Vec<u8>,
    records: Records,
    /// The output read ahead: it belongs to a later input. Its bytes' range in `outputs`.
    ahead: Option<(u64, std::ops::Range<usize>)>,
    has_outputs: bool,
    /// The next block must begin with this; `None` at the beginning of what there is.
    expected: Option<u64>,
    torn: Option<JournalError>,
    ending: Option<Ending>,
}

impl Reader {
    pub(super) fn open(folder: &Path) -> Result<Self, JournalError> {
        let manifest = Manifest::read(folder)?;
        let segments = Segments::open(folder)?;
        Ok(Self {
            manifest,
            whole: segments.place(),
            segments,
            with_outputs: false,
            stored: Vec::new(),
            unpacker: zstd::bulk::Decompressor::new().map_err(JournalError::io(folder, "start the decompressor"))?,
            inputs: Vec::new(),
            rows: InputRows::default(),
            rows_left: 0,
            block: None,
            outputs: Vec::new(),
            records: Records::default(),
            ahead: None,
            has_outputs: false,
            expected: None,
            torn: None,
            ending: None,
        })
    }

    /// As it was when this reader was opened.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// An empty row to read into.
    pub fn blank() -> Stamped {
        Stamped { seq: 0, at: LocalTime(0), input: Input::Tick }
    }

    /// The next input into `into`, whose memory is reused; `false` if there is none (yet). Outputs are not read.
    pub fn next_input(&mut self, into: &mut Stamped) -> Result<bool, JournalError> {
        if !self.next_row(into, false)? {
            return Ok(false);
        }
        self.collect(into.seq, |_| Ok(()))?;
        Ok(true)
    }

    /// The next input, and in canonical bytes what the session said to it.
    pub fn next_encoded(&mut self, input: &mut Stamped, outputs: &mut Encoded) -> Result<bool, JournalError> {
        outputs.clear();
        if !self.next_row(input, true)? {
            return Ok(false);
        }
        self.collect(input.seq, |bytes| {
            outputs.push(bytes);
            Ok(())
        })?;
        Ok(true)
    }

    /// The next input, and what the session said to it.
    pub fn next_step(&mut self, input: &mut Stamped, outputs: &mut Vec<Output>) -> Result<bool, JournalError> {
        outputs.clear();
        if !self.next_row(input, true)? {
            return Ok(false);
        }
        self.collect(input.seq, |bytes| {
            outputs.push(postcard::from_bytes(bytes).map_err(|_| "an output that is not one")?);
            Ok(())
        })?;
        Ok(true)
    }

    /// The checkpoint taken right after the input last read, if there is one.
    #[inline]
    pub fn checkpoint_here(&mut self) -> Result<Option<Checkpoint>, JournalError> {
        // Asked after every input, and inside a block there is none.
        if self.rows_left > 0 {
            return Ok(None);
        }
        Ok(self.placed_checkpoint_here()?.map(|(_, checkpoint)| checkpoint))
    }

    /// As [`Reader::checkpoint_here`], with where it stands.
    pub(super) fn placed_checkpoint_here(&mut self) -> Result<Option<(Place, Checkpoint)>, JournalError> {
        if self.rows_left > 0 {
            return Ok(None);
        }
        match self.segments.look()? {
            Found::Frame(header) if header.kind == FrameKind::Checkpoint => {
                let place = self.segments.place();
                let checkpoint: Checkpoint = self.single(&header)?;
                self.segments.pass(&header);
                self.whole = self.segments.place();
                Ok(Some((place, checkpoint)))
            }
            Found::Frame(_) | Found::Nothing | Found::Torn(_) => Ok(None),
        }
    }

    /// The last checkpoint at or before input `seq`; the reader then stands right after that input.
    pub fn checkpoint_before(&mut self, seq: u64) -> Result<Option<Checkpoint>, JournalError> {
        self.rewind()?;
        let mut best = None;
        while let Found::Frame(header) = self.segments.look()? {
            if header.first_seq > seq {
                break;
            }
            if header.kind == FrameKind::Checkpoint {
                best = Some((self.segments.place(), header));
            }
            self.segments.pass(&header);
        }
        self.rewind()?;
        let Some((place, header)) = best else { return Ok(None) };
        self.segments.go(place);
        self.segments.seq = header.last_seq;
        self.segments.look()?;
        let checkpoint: Checkpoint = self.single(&header)?;
        self.segments.pass(&header);
        self.whole = self.segments.place();
        self.expected = Some(header.last_seq + 1);
        Ok(Some(checkpoint))
    }

    /// All frames of the wire that were kept, in order; the reader itself is not moved.
    pub fn raw_frames(&mut self, mut each: impl FnMut(RawFrame)) -> Result<(), JournalError> {
        let here = (self.segments.place(), self.segments.seq);
        self.segments = self.segments.reopened()?;
        while let Found::Frame(header) = self.segments.look()? {
            if header.kind == FrameKind::Raw {
                let mut bytes = Vec::new();
                self.unpack(&header, &mut bytes)?;
                let mut records = Records::begin(header.count);
                while let Some((seq, range)) = records.next(&bytes).map_err(|e| self.segments.damaged(e.to_string()))? {
                    let (connection, frame) = bytes[range]
                        .split_first_chunk::<2>()
                        .ok_or_else(|| self.segments.damaged("a frame without a connection"))?;
                    each(RawFrame { seq, connection: u16::from_le_bytes(*connection), bytes: frame.to_vec() });
                }
            }
            self.segments.pass(&header);
        }
        self.segments.go(here.0);
        self.segments.seq = here.1;
        Ok(())
    }

    /// Back to the first input there is.
    pub fn rewind(&mut self) -> Result<(), JournalError> {
        self.segments = self.segments.reopened()?;
        self.jumped();
        Ok(())
    }

    /// To input `seq`: the next one read is the first that is not before it.
    pub fn seek_seq(&mut self, seq: u64) -> Result<(), JournalError> {
        self.seek(|header| header.last_seq < seq)?;
        self.skip_rows(|row| row.seq < seq)
    }

    /// To a time: the next input read is the first heard at or after it.
    pub fn seek_time(&mut self, at: LocalTime) -> Result<(), JournalError> {
        self.seek(|header| header.last_at < at.0)?;
        self.skip_rows(|row| row.at < at)
    }

    /// As [`Reader::seek_seq`], without walking there: the index says at which `place` to begin.
    pub(super) fn seek_from(&mut self, place: Place, seq: u64) -> Result<(), JournalError> {
        self.segments.go(place);
        self.segments.seq = 0;
        self.jumped();
        self.skip_rows(|row| row.seq < seq)
    }

    /// Where the data stops, if it stops in the middle of a frame: the end a crash leaves.
    pub fn torn_end(&self) -> Option<&JournalError> {
        self.torn.as_ref()
    }

    /// How the session ended, once that has been read.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Damage where the reader stands.
    pub(super) fn damaged(&self, what: String) -> JournalError {
        self.segments.damaged(what)
    }

    /// The file the reader stands in.
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.segments.path().to_owned()
    }

    /// Up to where everything read is whole.
    pub(super) fn whole(&self) -> Place {
        self.whole
    }

    /// The block in hand and where it begins.
    pub(super) fn block(&self) -> Option<(Place, FrameHeader)> {
        self.block
    }

    /// The rows of the block in hand.
    pub(super) fn input_rows(&self) -> &[u8] {
        &self.inputs
    }

    fn jumped(&mut self) {
        (self.block, self.rows_left, self.expected, self.ahead) = (None, 0, None, None);
        self.whole = self.segments.place();
    }

    /// Walks headers until the block that `is_before` does not hold for; the reader stands at its beginning.
    fn seek(&mut self, is_before: impl Fn(&FrameHeader) -> bool) -> Result<(), JournalError> {
        self.rewind()?;
        let mut begins = self.segments.place();
        let mut seq = 0;
        while let Found::Frame(header) = self.segments.look()? {
            if !waits_for_inputs(header.kind) {
                if header.kind == FrameKind::Inputs && !is_before(&header) {
                    break;
                }
                self.segments.pass(&header);
                begins = self.segments.place();
                seq = header.last_seq;
            } else {
                self.segments.pass(&header);
            }
        }
        self.segments.go(begins);
        self.segments.seq = seq;
        self.jumped();
        Ok(())
    }

    /// Drops rows (with their outputs) of the block in hand while `is_before` holds.
    fn skip_rows(&mut self, is_before: impl Fn(&Stamped) -> bool) -> Result<(), JournalError> {
        if !self.next_block(true)? {
            return Ok(());
        }
        let (_, header) = self.block.expect("a block was read");
        let mut probe = InputRows::default();
        probe.begin(header.first_seq, header.count);
        let mut row = Self::blank();
        let mut skip = 0;
        while probe.next(&self.inputs, &mut row).map_err(|e| self.segments.damaged(e.to_string()))? {
            if !is_before(&row) {
                break;
            }
            skip += 1;
        }
        let mut outputs = Encoded::default();
        for _ in 0..skip {
            self.next_encoded(&mut row, &mut outputs)?;
        }
        Ok(())
    }

    fn next_row(&mut self, into: &mut Stamped, with_outputs: bool) -> Result<bool, JournalError> {
        while self.rows_left == 0 {
            if !self.next_block(with_outputs)? {
                return Ok(false);
            }
        }
        assert!(self.with_outputs || !with_outputs, "who reads inputs alone must seek before reading steps");
        let more = self.rows.next(&self.inputs, into).map_err(|e| self.segments.damaged(e.to_string()))?;
        debug_assert!(more, "rows_left counts them");
        self.rows_left -= 1;
        if self.rows_left == 0 {
            // The last row: anything left over in the block's bytes is damage.
            let mut nothing = Self::blank();
            self.rows.next(&self.inputs, &mut nothing).map_err(|e| self.segments.damaged(e.to_string()))?;
        }
        self.segments.seq = into.seq;
        Ok(true)
    }

    /// Hands over the outputs of input `seq`.
    fn collect(
        &mut self,
        seq: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), &'static str>,
    ) -> Result<(), JournalError> {
        while self.has_outputs {
            if self.ahead.is_none() {
                self.ahead = self.records.next(&self.outputs).map_err(|e| self.segments.damaged(e.to_string()))?;
            }
            match &self.ahead {
                Some((of, range)) if *of == seq => {
                    each(&self.outputs[range.clone()]).map_err(|what| self.segments.damaged(what))?;
                    self.ahead = None;
                }
                Some((of, _)) if *of < seq || self.rows_left == 0 => {
                    return Err(self.segments.damaged(format!("outputs of input {of} stand in a block without it")));
                }
                Some(_) | None => break,
            }
        }
        Ok(())
    }

    /// Reads the next block of inputs, and its outputs if wanted. Nothing moves unless all of it is there.
    fn next_block(&mut self, with_outputs: bool) -> Result<bool, JournalError> {
        (self.has_outputs, self.with_outputs) = (false, with_outputs);
        let read = self.try_block(with_outputs);
        match &read {
            Ok(true) => self.torn = None,
            Ok(false) => self.segments.go(self.whole),
            Err(_) => {}
        }
        read
    }

    fn try_block(&mut self, with_outputs: bool) -> Result<bool, JournalError> {
        let mut begins = None;
        loop {
            let header = match self.segments.look()? {
                Found::Frame(header) => header,
                Found::Nothing => return self.at_end(),
                Found::Torn(what) => return self.at_torn(what),
            };
            let begins_at = *begins.get_or_insert(self.segments.place());
            let mut outputs = std::mem::take(&mut self.outputs);
            let mut inputs = std::mem::take(&mut self.inputs);
            let read = match header.kind {
                FrameKind::Outputs if with_outputs => self.unpack(&header, &mut outputs),
                FrameKind::Inputs => self.unpack(&header, &mut inputs),
                // Nobody asked for it, yet damage in it is damage: a replay that passes says so of every byte.
                FrameKind::Outputs | FrameKind::Raw | FrameKind::Checkpoint => {
                    self.segments.payload(&header, &mut self.stored)
                }
                FrameKind::End => self.single(&header).map(|ending| self.ending = Some(ending)),
            };
            (self.outputs, self.inputs) = (outputs, inputs);
            match read {
                // A live file may show a frame's length before its bytes, a power cut may leave it so.
                Err(JournalError::Damaged { .. }) if self.is_unfinished() && self.segments.is_last()? => {
                    return self.at_torn("the last frame was never finished");
                }
                read => read?,
            }
            match header.kind {
                FrameKind::Outputs if with_outputs => {
                    self.records = Records::begin(header.count);
                    (self.has_outputs, self.ahead) = (true, None);
                }
                FrameKind::Inputs => self.begin_rows(begins_at, header)?,
                FrameKind::Outputs | FrameKind::Raw | FrameKind::Checkpoint | FrameKind::End => {}
            }
            self.segments.pass(&header);
            if !waits_for_inputs(header.kind) {
                (self.whole, begins) = (self.segments.place(), None);
            }
            if header.kind == FrameKind::Inputs {
                return Ok(true);
            }
        }
    }

    fn begin_rows(&mut self, begins: Place, header: FrameHeader) -> Result<(), JournalError> {
        let whole =
            header.count > 0 && header.first_seq.checked_add(u64::from(header.count) - 1) == Some(header.last_seq);
        if !whole {
            return Err(self.segments.damaged(format!(
                "a block of {} inputs from {} to {}",
                header.count, header.first_seq, header.last_seq
            )));
        }
        if let Some(expected) = self.expected
            && header.first_seq != expected
        {
            return Err(self.segments.damaged(format!("input {} follows where {expected} should", header.first_seq)));
        }
        self.expected = Some(header.last_seq + 1);
        self.rows.begin(header.first_seq, header.count);
        self.rows_left = header.count;
        self.block = Some((begins, header));
        Ok(())
    }

    fn is_unfinished(&self) -> bool {
        match self.manifest.state {
            SessionState::Running => true,
            SessionState::Ended | SessionState::Recovered => false,
        }
    }

    fn at_end(&mut self) -> Result<bool, JournalError> {
        let inputs = self.manifest.counts.inputs;
        if !self.is_unfinished() && self.segments.seq < inputs {
            return Err(self
                .segments
                .damaged(format!("the recording stops here, the manifest counts {inputs} inputs")));
        }
        Ok(false)
    }

    fn at_torn(&mut self, what: &'static str) -> Result<bool, JournalError> {
        let error = self.segments.damaged(what);
        if self.is_unfinished() {
            self.torn = Some(error);
            Ok(false)
        } else {
            Err(error)
        }
    }

    fn unpack(&mut self, header: &FrameHeader, into: &mut Vec<u8>) -> Result<(), JournalError> {
        self.segments.payload(header, &mut self.stored)?;
        into.clear();
        into.reserve(header.unpacked as usize);
        let unpacked = self.unpacker.decompress_to_buffer(&self.stored, into);
        match unpacked {
            Ok(length) if length == header.unpacked as usize => Ok(()),
            Ok(_) | Err(_) => Err(self.segments.damaged("what is stored here does not unpack")),
        }
    }

    fn single<T: serde::de::DeserializeOwned>(&mut self, header: &FrameHeader) -> Result<T, JournalError> {
        let mut body = Vec::new();
        self.unpack(header, &mut body)?;
        postcard::from_bytes(&body)
            .map_err(|_| self.segments.damaged(format!("a frame of kind {:?} that is not one", header.kind)))
    }
}

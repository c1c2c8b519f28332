//! Byte strings that belong to inputs, a block at a time: outputs, or frames of the wire.
//!
//! ```text
//! record   Δseq, length, bytes
//! ```

use std::ops::Range;

use super::block::Malformed;
use super::varint::{Cursor, put};

/// A block of byte strings, each belonging to an input: outputs, or frames of the wire.
#[derive(Debug, Default)]
pub struct RecordBlock {
    bytes: Vec<u8>,
    count: u32,
    seq: u64,
}

impl RecordBlock {
    /// Empty again, memory kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        (self.count, self.seq) = (0, 0);
    }

    /// The records so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Adds one that belongs to input `seq`.
    pub fn push(&mut self, seq: u64, record: &[u8]) {
        put(&mut self.bytes, seq.wrapping_sub(self.seq));
        put(&mut self.bytes, record.len() as u64);
        self.bytes.extend_from_slice(record);
        self.seq = seq;
        self.count += 1;
    }
}

/// A block of byte strings being read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Records {
    position: usize,
    row: u32,
    count: u32,
    seq: u64,
}

impl Records {
    /// At the first of `count` records.
    pub fn begin(count: u32) -> Self {
        Self { count, ..Self::default() }
    }

    /// The input the next record belongs to, and where in `bytes` it stands; `None` after the last.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<(u64, Range<usize>)>, Malformed> {
        if self.row == self.count {
            return match self.position == bytes.len() {
                true => Ok(None),
                false => Err(Malformed { row: self.row, what: "bytes are left after the last record" }),
            };
        }
        let row = self.row;
        let mut from = Cursor { bytes, position: self.position };
        let mut read = || {
            let seq = self.seq.wrapping_add(from.get()?);
            let length = from.get()?;
            let record = from.take(length)?;
            Ok((seq, record.len()))
        };
        let (seq, length) = read().map_err(|what| Malformed { row, what })?;
        (self.position, self.seq, self.row) = (from.position, seq, row + 1);
        Ok(Some((seq, self.position - length..self.position)))
    }
}

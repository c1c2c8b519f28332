//! One frame of a segment: 64 bytes that say what follows, then the payload.
//!
//! ```text
//! 0 "PMFR"   4 length u32   8 kind u8   9 zero   10 schema u16   12 count u32   16 length unpacked u32
//! 20 segment u32   24 first seq u64   32 last seq u64   40 first time i64   48 last time i64
//! 56 crc32c of the payload   60 crc32c of bytes 0..60
//! ```
//! Little-endian. The header has a checksum of its own, so a wrong length is damage and never looks like a torn
//! end. Frames of one block stand together: wire frames, outputs, then the inputs, which **commit** them: a block
//! whose inputs are complete is complete.

/// The version we write and read; any other is refused by name. 2: connections by number, windows, contracts, funding.
/// 3: limits per instrument, venue and book, risk states of single instruments, trips carried over restarts.
pub const SCHEMA: u16 = 3;

/// The first bytes of every segment file.
pub const SEGMENT_MAGIC: &[u8; 8] = b"PAPERSEG";

/// Bytes of a header.
pub const HEADER_BYTES: usize = 64;

/// More than any honest frame unpacks to.
const UNPACKED_MAX: u32 = 1 << 28;

const FRAME_MAGIC: [u8; 4] = *b"PMFR";

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A block of inputs; commits the outputs and wire frames before it.
    Inputs,
    /// What the session said to the inputs that follow in the next frame.
    Outputs,
    /// Bytes as the venue sent them.
    Raw,
    /// A state to resume from.
    Checkpoint,
    /// The session ended in an orderly way.
    End,
}

impl FrameKind {
    const ALL: [FrameKind; 5] =
        [FrameKind::Inputs, FrameKind::Outputs, FrameKind::Raw, FrameKind::Checkpoint, FrameKind::End];

    fn code(self) -> u8 {
        match self {
            FrameKind::Inputs => 1,
            FrameKind::Outputs => 2,
            FrameKind::Raw => 3,
            FrameKind::Checkpoint => 4,
            FrameKind::End => 5,
        }
    }
}

/// What a frame's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What follows.
    pub kind: FrameKind,
    /// Items in it.
    pub count: u32,
    /// Payload bytes in the file.
    pub length: u32,
    /// Payload bytes before compression.
    pub unpacked: u32,
    /// Number of the segment it was written to.
    pub segment: u32,
    /// First input concerned.
    pub first_seq: u64,
    /// Last input concerned.
    pub last_seq: u64,
    /// When the first was heard, nanoseconds.
    pub first_at: i64,
    /// When the last was heard.
    pub last_at: i64,
    /// Of the payload.
    pub payload_crc: u32,
}

/// Why 64 bytes are not a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Not what was written.
    Damaged(&'static str),
    /// Written in another schema.
    OtherSchema(u16),
}

impl FrameHeader {
    /// As stored.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut b = [0u8; HEADER_BYTES];
        b[0..4].copy_from_slice(&FRAME_MAGIC);
        b[4..8].copy_from_slice(&self.length.to_le_bytes());
        b[8] = self.kind.code();
        b[10..12].copy_from_slice(&SCHEMA.to_le_bytes());
        b[12..16].copy_from_slice(&self.count.to_le_bytes());
        b[16..20].copy_from_slice(&self.unpacked.to_le_bytes());
        b[20..24].copy_from_slice(&self.segment.to_le_bytes());
        b[24..32].copy_from_slice(&self.first_seq.to_le_bytes());
        b[32..40].copy_from_slice(&self.last_seq.to_le_bytes());
        b[40..48].copy_from_slice(&self.first_at.to_le_bytes());
        b[48..56].copy_from_slice(&self.last_at.to_le_bytes());
        b[56..60].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32c::crc32c(&b[..60]);
        b[60..].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// From the file.
    pub fn parse(b: &[u8; HEADER_BYTES]) -> Result<Self, HeaderFault> {
        let four = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        if b[0..4] != FRAME_MAGIC {
            return Err(HeaderFault::Damaged("no frame begins here"));
        }
        if crc32c::crc32c(&b[..60]) != four(60) {
            return Err(HeaderFault::Damaged("the frame header's checksum is wrong"));
        }
        let schema = u16::from_le_bytes([b[10], b[11]]);
        if schema != SCHEMA {
            return Err(HeaderFault::OtherSchema(schema));
        }
        let kind = FrameKind::ALL.into_iter().find(|k| k.code() == b[8]);
        let kind = kind.ok_or(HeaderFault::Damaged("a frame of unknown kind"))?;
        if four(16) > UNPACKED_MAX {
            return Err(HeaderFault::Damaged("a frame larger than any we write"));
        }
        Ok(Self {
            kind,
            count: four(12),
            length: four(4),
            unpacked: four(16),
            segment: four(20),
            first_seq: eight(24),
            last_seq: eight(32),
            first_at: eight(40) as i64,
            last_at: eight(48) as i64,
            payload_crc: four(56),
        })
    }

    /// Header and payload together.
    pub fn frame_bytes(self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Inputs,
            count: 3,
            length: 77,
            unpacked: 99,
            segment: 1,
            first_seq: 5,
            last_seq: 7,
            first_at: -1,
            last_at: 1_700_000_000_000_000_000,
            payload_crc: 0xdead_beef,
        }
    }

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_is_noticed() {
        let bytes = header().to_bytes();
        assert_eq!(FrameHeader::parse(&bytes), Ok(header()));
        for bit in 0..HEADER_BYTES * 8 {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::parse(&wrong).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_schema_of_the_past_or_the_future_is_refused_by_number() {
        for schema in [SCHEMA - 1, SCHEMA + 1] {
            let mut bytes = header().to_bytes();
            bytes[10..12].copy_from_slice(&schema.to_le_bytes());
            let crc = crc32c::crc32c(&bytes[..60]);
            bytes[60..].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(FrameHeader::parse(&bytes), Err(HeaderFault::OtherSchema(schema)));
        }
    }
}

//! Curves that TensorBoard reads.
//!
//! An event file is a row of records, length and body each followed by a masked CRC-32C (`tensorflow/core/lib/io/record_writer.h`);
//! a body is a protocol buffer `Event` (`tensorflow/core/util/event.proto`): wall time (1), step (2), the file's version (3) at the
//! beginning, a summary (5) of tags (1) and simple values (2) afterwards.

/// What the first record says.
const VERSION: &str = "brain.Event:2";

/// An event file's bytes.
#[derive(Debug, Default)]
pub struct EventLog {
    bytes: Vec<u8>,
}

impl EventLog {
    /// A file that begins at `unix_s`.
    pub fn new(unix_s: f64) -> Self {
        let mut log = Self::default();
        let mut event = seconds(unix_s);
        text(&mut event, 3, VERSION.as_bytes());
        log.record(&event);
        log
    }

    /// Numbers of one step, tag by tag.
    pub fn add<'a>(&mut self, unix_s: f64, step: u64, numbers: impl IntoIterator<Item = (&'a str, f64)>) {
        let mut summary = Vec::new();
        for (tag, number) in numbers {
            let mut value = Vec::new();
            text(&mut value, 1, tag.as_bytes());
            value.push(2 << 3 | 5);
            value.extend((number as f32).to_le_bytes());
            text(&mut summary, 1, &value);
        }
        let mut event = seconds(unix_s);
        event.push(2 << 3);
        varint(&mut event, step);
        text(&mut event, 5, &summary);
        self.record(&event);
    }

    /// The file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn record(&mut self, body: &[u8]) {
        let length = (body.len() as u64).to_le_bytes();
        self.bytes.extend(length);
        self.bytes.extend(masked(&length).to_le_bytes());
        self.bytes.extend(body);
        self.bytes.extend(masked(body).to_le_bytes());
    }
}

/// Field 1 of an event: when.
fn seconds(unix_s: f64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(unix_s.to_le_bytes());
    event
}

/// A field with a length: text, bytes, another message.
fn text(into: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    into.push(field << 3 | 2);
    varint(into, bytes.len() as u64);
    into.extend(bytes);
}

fn varint(into: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        into.push(n as u8 | 0x80);
        n >>= 7;
    }
    into.push(n as u8);
}

/// A checksum that is no longer one of data that holds checksums.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_length_checksum_body_checksum() {
        let mut log = EventLog::new(1.0);
        log.add(2.0, 300, [("loss", 0.5)]);
        let bytes = log.into_bytes();
        // 9 for the time, 2 + 13 for the version.
        assert_eq!(bytes[..8], 24u64.to_le_bytes());
        assert_eq!(bytes[8..12], masked(&24u64.to_le_bytes()).to_le_bytes());
        assert_eq!(bytes[12..21], [&[9u8][..], &1f64.to_le_bytes()].concat());
        assert_eq!(&bytes[21..36], b"\x1a\x0dbrain.Event:2");
        let second = &bytes[12 + 24 + 4..];
        // time, step 300 = 0xac 0x02, summary of 13: value of 11: tag "loss", 0.5
        let body =
            [&[9u8][..], &2f64.to_le_bytes(), b"\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15", &0.5f32.to_le_bytes()];
        assert_eq!(second[12..second.len() - 4], body.concat());
        assert_eq!(second[second.len() - 4..], masked(&body.concat()).to_le_bytes());
    }
}

//! Lines of a file, whatever it is packed in.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// Numbered lines of a plain, gzipped or zstd-compressed file, told apart by their first bytes.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
    over: bool,
}

impl Lines {
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        let head = file.fill_buf()?;
        let reader: Box<dyn Read + Send> = match head {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
            _ => Box::new(file),
        };
        Ok(Self { reader: Box::new(BufReader::with_capacity(1 << 16, reader)), number: 0, over: false })
    }
}

/// A line's number from 1 and its bytes without the line end, or the number of the line that cannot be read and why.
impl Iterator for Lines {
    type Item = Result<(u64, Vec<u8>), (u64, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        self.number += 1;
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                while line.last().is_some_and(|byte| *byte == b'\n' || *byte == b'\r') {
                    line.pop();
                }
                Some(Ok((self.number, line)))
            }
            Err(error) => {
                self.over = true;
                Some(Err((self.number, format!("cannot be unpacked: {error}"))))
            }
        }
    }
}

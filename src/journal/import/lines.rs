//! Lines of a file, whatever it is packed in.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

/// Numbered lines of a plain, gzipped or zstd-compressed file, told apart by their first bytes.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
    over: bool,
}

impl Lines {
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self::of(Box::new(BufReader::with_capacity(1 << 16, unpacked(path)?))))
    }

    fn of(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, number: 0, over: false }
    }

    /// The next line into `line`, whose memory is reused, without the line end: its number from 1, or the number of the
    /// line that cannot be read and why.
    pub fn read(&mut self, line: &mut Vec<u8>) -> Option<Result<u64, (u64, String)>> {
        if self.over {
            return None;
        }
        self.number += 1;
        line.clear();
        match self.reader.read_until(b'\n', line) {
            Ok(0) => None,
            Ok(_) => {
                while line.last().is_some_and(|byte| *byte == b'\n' || *byte == b'\r') {
                    line.pop();
                }
                Some(Ok(self.number))
            }
            Err(error) => {
                self.over = true;
                Some(Err((self.number, format!("cannot be unpacked: {error}"))))
            }
        }
    }
}

/// As [`Lines::read`], with memory of its own for every line.
impl Iterator for Lines {
    type Item = Result<(u64, Vec<u8>), (u64, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        Some(self.read(&mut line)?.map(|number| (number, line)))
    }
}

fn unpacked(path: &Path) -> std::io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let head = file.fill_buf()?;
    Ok(match head {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
}

/// Files that are read twice: what is small enough is unpacked once and kept in between.
pub struct Twice(Vec<Kept>);

struct Kept {
    path: PathBuf,
    bytes: Option<Bytes>,
}

#[derive(Clone)]
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Twice {
    /// Keeps the files' bytes as long as there are no more than `most` of them together. Errors with the path of a file
    /// that cannot be opened.
    pub fn open(paths: &[PathBuf], most: usize) -> Result<Self, (PathBuf, std::io::Error)> {
        let mut left = most;
        let mut files = Vec::new();
        for path in paths {
            let failed = |error| (path.clone(), error);
            let mut bytes = Vec::new();
            let reader = unpacked(path).map_err(failed)?;
            // What breaks in the middle of a file is said when its lines are read, with the number of the line.
            let is_whole = left > 0 && reader.take(left as u64 + 1).read_to_end(&mut bytes).is_ok();
            let bytes = Some(bytes).filter(|bytes| is_whole && bytes.len() <= left);
            left -= bytes.as_ref().map_or(0, Vec::len);
            files.push(Kept { path: path.clone(), bytes: bytes.map(|bytes| Bytes(Arc::new(bytes))) });
        }
        Ok(Self(files))
    }

    /// One file's lines from its beginning.
    pub fn lines(&self, index: usize) -> std::io::Result<Lines> {
        let Kept { path, bytes } = &self.0[index];
        match bytes {
            Some(bytes) => Ok(Lines::of(Box::new(Cursor::new(bytes.clone())))),
            None => Lines::open(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_the_same_whether_it_is_kept_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["a", "b"].iter().map(|name| folder.path().join(name)).collect();
        std::fs::write(&paths[0], "one\r\n\ntwo\n").unwrap();
        std::fs::write(&paths[1], "three").unwrap();
        // 10 and 5 bytes: both fit, the first only, none.
        for (most, kept) in [(15, [true, true]), (14, [true, false]), (9, [false, true]), (0, [false, false])] {
            let files = Twice::open(&paths, most).unwrap();
            assert_eq!([files.0[0].bytes.is_some(), files.0[1].bytes.is_some()], kept, "{most}");
            for _ in 0..2 {
                let lines = |n| files.lines(n).unwrap().map(|line| line.unwrap()).collect::<Vec<_>>();
                assert_eq!(lines(0), [(1, b"one".to_vec()), (2, vec![]), (3, b"two".to_vec())]);
                assert_eq!(lines(1), [(1, b"three".to_vec())]);
            }
        }
        assert_eq!(Twice::open(&[folder.path().join("c")], 9).err().unwrap().0, folder.path().join("c"));
    }
}

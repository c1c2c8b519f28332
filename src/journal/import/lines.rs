//! Lines of a file, whatever it is packed in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Crc;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

/// Numbered lines of a plain, gzipped or zstd-compressed file, or of the only file in a zip archive, told apart by their
/// first bytes.
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
        [b'P', b'K', 3 | 5, _, ..] => unzipped(file)?,
        _ => Box::new(file),
    })
}

/// The one file in the archive, read as it is unpacked. The archive's reader lends its files only as long as it is
/// borrowed itself, so it is asked where the file lies, and how it is packed.
fn unzipped(file: BufReader<File>) -> io::Result<Box<dyn Read + Send>> {
    let mut archive = ZipArchive::new(file)?;
    let files: Vec<usize> = (0..archive.len())
        .filter_map(|n| archive.by_index_raw(n).map(|entry| entry.is_file().then_some(n)).transpose())
        .collect::<Result<_, _>>()?;
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let [only] = files[..] else {
        return Err(wrong(format!("the archive holds {} files, one is read", files.len())));
    };
    let entry = archive.by_index_raw(only)?;
    if entry.encrypted() {
        return Err(wrong("the archive is encrypted".to_owned()));
    }
    let start = entry.data_start().ok_or_else(|| wrong("the archive does not say where its file begins".to_owned()))?;
    let (method, packed, crc, size) = (entry.compression(), entry.compressed_size(), entry.crc32(), entry.size());
    drop(entry);
    let mut file = archive.into_inner();
    file.seek(SeekFrom::Start(start))?;
    let file = file.take(packed);
    let inner: Box<dyn Read + Send> = match method {
        CompressionMethod::Stored => Box::new(file),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(file)),
        other => return Err(wrong(format!("the archive is packed with {other}, deflated and stored are read"))),
    };
    Ok(Box::new(Checked { inner, found: Crc::new(), crc, size }))
}

/// A file that must end in its checksum.
struct Checked {
    inner: Box<dyn Read + Send>,
    found: Crc,
    crc: u32,
    size: u64,
}

impl Read for Checked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.found.update(&buf[..n]);
        let is_whole = self.found.sum() == self.crc && u64::from(self.found.amount()) == self.size & 0xffff_ffff;
        if n == 0 && !buf.is_empty() && !is_whole {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "what is in the archive is not what was put there"));
        }
        Ok(n)
    }
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
    use std::io::Write;

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

    const TEXT: &[u8] = b"one\ntwo\r\n\nfour";

    fn lines(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let lines = Lines::open(file.path()).map_err(|error| error.to_string())?;
        let text = |line: Result<(u64, Vec<u8>), (u64, String)>| match line {
            Ok((_, line)) => Ok(String::from_utf8(line).unwrap()),
            Err((number, why)) => Err(format!("{number}: {why}")),
        };
        lines.map(text).collect()
    }

    fn zipped(method: CompressionMethod, names: &[&str], text: &[u8]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.add_directory("folder", options).unwrap();
        for name in names {
            archive.start_file(*name, options).unwrap();
            archive.write_all(text).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn lines_are_the_same_whatever_they_are_packed_in() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(TEXT).unwrap();
        let packed = [
            TEXT.to_vec(),
            gz.finish().unwrap(),
            zstd::stream::encode_all(TEXT, 1).unwrap(),
            zipped(CompressionMethod::Deflated, &["folder/a.csv"], TEXT),
            zipped(CompressionMethod::Stored, &["a.csv"], TEXT),
        ];
        for bytes in packed {
            assert_eq!(lines(&bytes).unwrap(), ["one", "two", "", "four"]);
        }
    }

    #[test]
    fn an_archive_is_refused_when_it_is_cut_has_two_files_or_not_what_was_put_there() {
        let long: Vec<u8> =
            (0..50_000u32).flat_map(|n| format!("{n},{}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        let whole = zipped(CompressionMethod::Deflated, &["a.csv"], &long);
        assert_eq!(lines(&whole).unwrap().len(), 50_000);
        assert!(lines(&whole[..whole.len() / 2]).is_err());
        let two = lines(&zipped(CompressionMethod::Deflated, &["a.csv", "b.csv"], TEXT)).unwrap_err();
        assert_eq!(two, "the archive holds 2 files, one is read");
        let none = lines(&zipped(CompressionMethod::Deflated, &[], TEXT)).unwrap_err();
        assert_eq!(none, "the archive holds 0 files, one is read");
        // A digit changed on the disk: the stored checksum tells.
        let mut stored = zipped(CompressionMethod::Stored, &["a.csv"], &long);
        let at = stored.windows(7).position(|window| window == b"\n25000,").unwrap();
        stored[at + 7] ^= 1;
        let changed = lines(&stored).unwrap_err();
        assert!(changed.ends_with("what is in the archive is not what was put there"), "{changed}");
    }
}

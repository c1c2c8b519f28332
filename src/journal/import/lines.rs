//! Lines of a file, whatever it is packed in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

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
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        let head = file.fill_buf()?;
        let reader: Box<dyn Read + Send> = match head {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
            [b'P', b'K', 3 | 5, _, ..] => unzipped(file)?,
            _ => Box::new(file),
        };
        Ok(Self { reader: Box::new(BufReader::with_capacity(1 << 16, reader)), number: 0, over: false })
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

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

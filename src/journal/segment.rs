//! A session's segment files, read frame by frame.
//!
//! A frame that is not whole is one of two things. If nothing valid follows it, and the session never ended, it is
//! the **torn** end a crash leaves: what was never acknowledged. Anything else is **damage**, and named by file,
//! offset and the last input before it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::frame::{FrameHeader, FrameKind, HEADER_BYTES, HeaderFault, SCHEMA, SEGMENT_MAGIC};

/// `00000001.seg`
pub fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

/// Numbers of the segments of a session, ascending.
pub fn segment_numbers(folder: &Path) -> Result<Vec<u32>, JournalError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(JournalError::io(folder, "list the session"))? {
        let entry = entry.map_err(JournalError::io(folder, "list the session"))?;
        let name = entry.file_name();
        if let Some(number) = name.to_str().and_then(|n| n.strip_suffix(".seg")).and_then(|n| n.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Segment number.
    pub segment: u32,
    /// Byte in it.
    pub offset: u64,
}

/// What is at a place.
#[derive(Debug)]
pub enum Found {
    /// A frame.
    Frame(FrameHeader),
    /// Nothing yet.
    Nothing,
    /// The beginning of a frame that was never finished.
    Torn(&'static str),
}

/// A cursor over the frames of a session.
#[derive(Debug)]
pub struct Segments {
    folder: PathBuf,
    path: PathBuf,
    file: Option<File>,
    place: Place,
    /// Last input read before `place`, for error messages.
    pub seq: u64,
}

impl Segments {
    /// At the first frame there is.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let first = segment_numbers(folder)?.first().copied().unwrap_or(1);
        let place = Place { segment: first, offset: SEGMENT_MAGIC.len() as u64 };
        Ok(Self { folder: folder.to_owned(), path: segment_path(folder, first), file: None, place, seq: 0 })
    }

    /// The same session from its first frame.
    pub fn reopened(&self) -> Result<Self, JournalError> {
        Self::open(&self.folder)
    }

    /// Where the cursor is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Moves the cursor.
    pub fn go(&mut self, place: Place) {
        if place.segment != self.place.segment {
            self.path = segment_path(&self.folder, place.segment);
            self.file = None;
        }
        self.place = place;
    }

    /// The file under the cursor.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Damage at the cursor.
    pub fn damaged(&self, what: impl Into<String>) -> JournalError {
        JournalError::Damaged {
            segment: self.path.clone(),
            offset: self.place.offset,
            seq: self.seq,
            what: what.into(),
        }
    }

    /// The frame at the cursor, which stays; moves on to the next segment when this one is read out.
    pub fn look(&mut self) -> Result<Found, JournalError> {
        loop {
            if self.file.is_none() && !self.open_file()? {
                return Ok(Found::Nothing);
            }
            // The next segment's existence first, this one's length second: nothing is appended once a next exists.
            let next = segment_path(&self.folder, self.place.segment + 1);
            let over = next.exists();
            let length = self.length()?;
            if self.place.offset < length {
                return self.look_within(length, over);
            }
            if !over {
                let later = segment_numbers(&self.folder)?.into_iter().find(|&n| n > self.place.segment);
                return match later {
                    Some(_) => Err(self.damaged(format!("{} is missing", next.display()))),
                    None if self.place.offset > length => Err(self.damaged("the file is shorter than it was")),
                    None => Ok(Found::Nothing),
                };
            }
            self.go(Place { segment: self.place.segment + 1, offset: SEGMENT_MAGIC.len() as u64 });
        }
    }

    /// Reads the payload of the frame at the cursor and checks it; torn if the file ends before it does.
    pub fn payload(&mut self, header: &FrameHeader, into: &mut Vec<u8>) -> Result<(), JournalError> {
        into.resize(header.length as usize, 0);
        let file = self.file.as_ref().expect("a frame was looked at");
        file.read_exact_at(into, self.place.offset + HEADER_BYTES as u64)
            .map_err(JournalError::io(&self.path, "read"))?;
        match crc32c::crc32c(into) == header.payload_crc {
            true => Ok(()),
            false => Err(self.damaged("the checksum of what is stored here is wrong")),
        }
    }

    /// Whether nothing whole comes after the cursor: then what is there may be a torn end.
    pub fn is_last(&mut self) -> Result<bool, JournalError> {
        if segment_path(&self.folder, self.place.segment + 1).exists() {
            return Ok(false);
        }
        let length = self.length()?;
        let Some(file) = &self.file else { return Ok(true) };
        let mut rest = vec![0; (length - self.place.offset.min(length)) as usize];
        file.read_exact_at(&mut rest, self.place.offset).map_err(JournalError::io(&self.path, "read"))?;
        let whole = |at: &[u8]| at.first_chunk().is_some_and(|header| FrameHeader::parse(header).is_ok());
        Ok(!(1..rest.len()).any(|i| rest[i] == b'P' && whole(&rest[i..])))
    }

    /// Past the frame at the cursor.
    pub fn pass(&mut self, header: &FrameHeader) {
        self.place.offset += header.frame_bytes();
    }

    fn length(&self) -> Result<u64, JournalError> {
        let file = self.file.as_ref().expect("opened before");
        Ok(file.metadata().map_err(JournalError::io(&self.path, "read"))?.len())
    }

    fn open_file(&mut self) -> Result<bool, JournalError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(JournalError::io(&self.path, "open")(e)),
        };
        let mut magic = [0; SEGMENT_MAGIC.len()];
        let length = file.metadata().map_err(JournalError::io(&self.path, "read"))?.len();
        if length < magic.len() as u64 {
            return Ok(false);
        }
        file.read_exact_at(&mut magic, 0).map_err(JournalError::io(&self.path, "read"))?;
        if &magic != SEGMENT_MAGIC {
            let (segment, seq) = (self.path.clone(), self.seq);
            let what = "this is not a papermaker segment".to_owned();
            return Err(JournalError::Damaged { segment, offset: 0, seq, what });
        }
        self.file = Some(file);
        Ok(true)
    }

    fn look_within(&mut self, length: u64, over: bool) -> Result<Found, JournalError> {
        let left = length - self.place.offset;
        let torn = |what| if over { Err(self.damaged(what)) } else { Ok(Found::Torn(what)) };
        if left < HEADER_BYTES as u64 {
            return torn("the file ends within a frame's header");
        }
        let mut bytes = [0; HEADER_BYTES];
        let file = self.file.as_ref().expect("opened before");
        file.read_exact_at(&mut bytes, self.place.offset).map_err(JournalError::io(&self.path, "read"))?;
        let header = match FrameHeader::parse(&bytes) {
            Ok(header) => header,
            Err(HeaderFault::OtherSchema(found)) => {
                return Err(JournalError::OtherSchema { path: self.path.clone(), found, known: SCHEMA });
            }
            Err(HeaderFault::Damaged(what)) => {
                return match self.is_last()? {
                    true => Ok(Found::Torn(what)),
                    false => Err(self.damaged(what)),
                };
            }
        };
        if header.segment != self.place.segment {
            return Err(self.damaged(format!("this frame belongs to segment {}", header.segment)));
        }
        if header.frame_bytes() > left {
            return torn("the file ends within a frame");
        }
        Ok(Found::Frame(header))
    }
}

/// Whether a frame stands for inputs that follow, so that without them it means nothing.
pub fn waits_for_inputs(kind: FrameKind) -> bool {
    match kind {
        FrameKind::Outputs | FrameKind::Raw => true,
        FrameKind::Inputs | FrameKind::Checkpoint | FrameKind::End => false,
    }
}

//! Recordings that others made with cryptofeed: what a venue sent, word for word, over several connections.
//!
//! Also read by the unit tests of `wire`, where the two ways to read a frame are compared on all of these.

use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// One file.
#[derive(Default)]
pub struct Capture {
    /// Connection and text, in the order they came.
    pub frames: Vec<(String, String)>,
    /// Addresses asked over REST, and the answers.
    pub replies: Vec<(String, String)>,
}

impl Capture {
    /// Reads a file of the recordings' folder; `None` with a loud line if that is absent.
    pub fn open(name: &str) -> Option<Self> {
        let path = path(name)?;
        let file = std::fs::File::open(&path).expect("the recording exists");
        if name.ends_with(".zst") {
            let bytes = zstd::decode_all(file).expect("a recording is packed soundly");
            return Some(Self::version_3(&String::from_utf8(bytes).expect("a recording is text")));
        }
        let mut text = String::new();
        std::io::Read::read_to_string(&mut MultiGzDecoder::new(file), &mut text).expect("a recording is text");
        Some(Self::history(&text))
    }

    /// A JSON object per line; `t` says of which kind.
    fn version_3(text: &str) -> Self {
        let mut capture = Self::default();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            match line["t"].as_str() {
                Some("recv") => capture.frames.push((word("conn"), word("data"))),
                Some("http") => capture.replies.push((word("url"), word("data"))),
                _ => {}
            }
        }
        capture
    }

    /// `stamp: text` for what was received; other lines begin with an address.
    fn history(text: &str) -> Self {
        let frame = |line: &str| {
            let (stamp, text) = line.split_once(": ")?;
            stamp.parse::<f64>().ok().map(|_| (String::new(), text.to_owned()))
        };
        Self { frames: text.lines().filter_map(frame).collect(), replies: Vec::new() }
    }

    /// What came on one connection.
    pub fn on(&self, connection: &str) -> Vec<&str> {
        self.frames.iter().filter(|(conn, _)| conn == connection).map(|(_, text)| text.as_str()).collect()
    }

    /// The first answer of an address that contains `part`.
    pub fn reply(&self, part: &str) -> &str {
        let found = self.replies.iter().find(|(url, _)| url.contains(part));
        found.map(|(_, body)| body.as_str()).unwrap_or_else(|| panic!("no answer of an address with {part}"))
    }
}

/// Lines of the one file in a zip archive that stores it as it is.
pub fn stored_lines(name: &str) -> Option<Vec<String>> {
    let bytes = std::fs::read(path(name)?).expect("the archive exists");
    let text = String::from_utf8_lossy(&bytes);
    let (start, end) = (text.find('{').expect("a first object"), text.rfind('}').expect("a last one"));
    Some(text[start..=end].lines().map(str::to_owned).collect())
}

fn path(name: &str) -> Option<PathBuf> {
    let dir = match std::env::var_os("PAPERMAKER_DATA") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if dir.is_dir() {
        return Some(dir.join(name));
    }
    eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
    None
}

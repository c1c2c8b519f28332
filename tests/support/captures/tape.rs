//! Recordings of others as one type: what was asked, sent and received, in the order it happened.
//!
//! Three formats are read (`../shared/data/README.md`), and nothing in a text is changed. Also read by the unit tests of
//! `wire`, where the two ways to read a frame are compared on all of these; so nothing here leans on its neighbours.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// One recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Its path below the data folder: `okx/cryptofeed-v3_OKX.jsonl.zst`.
    pub file: String,
    /// Everything, in the order of the file.
    pub items: Vec<Item>,
}

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// On the recorder's clock; 0 for a header that has no time.
    pub at_ns: i64,
    /// Which socket, in the recorder's words; empty where a file holds one only.
    pub connection: String,
    /// What happened.
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// About the recording itself.
    Header(String),
    /// A REST answer. Formats that do not say to what have an empty `url`.
    Http { url: String, body: String },
    /// A socket was opened.
    Connect { url: String },
    /// The recorder said something to the venue.
    Sent(String),
    /// The venue said something.
    Received(String),
}

impl Capture {
    /// Opens `file` below the data folder, by the format that its name tells; `None`, loudly, without the folder.
    pub fn open(file: &str) -> Option<Self> {
        let path = data_dir()?.join(file);
        let items = if file.ends_with(".jsonl.zst") {
            cryptofeed_v3(&unpacked_zstd(&path))
        } else if file.contains("cryptofeed-history") {
            cryptofeed_history(&unpacked_gzip(&path))
        } else {
            hftbacktest(&unpacked_gzip(&path))
        };
        Some(Self { file: file.to_owned(), items })
    }

    /// Several files as one, one after the other (a recording across midnight).
    pub fn open_all(files: &[&str]) -> Option<Self> {
        let mut whole = Self { file: files.join(" + "), items: Vec::new() };
        for file in files {
            whole.items.extend(Self::open(file)?.items);
        }
        Some(whole)
    }

    /// What the venue said, with its time and socket.
    pub fn received(&self) -> impl Iterator<Item = (i64, &str, &str)> {
        self.items.iter().filter_map(|item| match &item.what {
            What::Received(text) => Some((item.at_ns, item.connection.as_str(), text.as_str())),
            What::Header(_) | What::Http { .. } | What::Connect { .. } | What::Sent(_) => None,
        })
    }

    /// The first answer of an address that contains `part`.
    pub fn reply(&self, part: &str) -> &str {
        let found = self.http().find(|(url, _)| url.contains(part));
        found.map(|(_, body)| body).unwrap_or_else(|| panic!("no answer of an address with {part}"))
    }

    /// What the recorder said.
    pub fn sent(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match &item.what {
            What::Sent(text) => Some(text.as_str()),
            What::Header(_) | What::Http { .. } | What::Connect { .. } | What::Received(_) => None,
        })
    }

    /// REST answers, `(url, body)`.
    pub fn http(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().filter_map(|item| match &item.what {
            What::Http { url, body } => Some((url.as_str(), body.as_str())),
            What::Header(_) | What::Connect { .. } | What::Sent(_) | What::Received(_) => None,
        })
    }

    /// Sockets opened, `(connection, url)`.
    pub fn connects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().filter_map(|item| match &item.what {
            What::Connect { url } => Some((item.connection.as_str(), url.as_str())),
            What::Header(_) | What::Http { .. } | What::Sent(_) | What::Received(_) => None,
        })
    }

    /// Only what happened on one socket.
    pub fn on(&self, connection: &str) -> Self {
        let items = self.items.iter().filter(|item| item.connection == connection).cloned().collect();
        Self { file: self.file.clone(), items }
    }
}

/// Lines of the one file in a zip archive that stores it as it is.
pub fn stored_lines(file: &str) -> Option<Vec<String>> {
    let bytes = std::fs::read(data_dir()?.join(file)).expect("the archive exists");
    let text = String::from_utf8_lossy(&bytes);
    let (start, end) = (text.find('{').expect("a first object"), text.rfind('}').expect("a last one"));
    Some(text[start..=end].lines().map(str::to_owned).collect())
}

/// The folder of public recordings, or `None` with a loud line where it is absent.
pub fn data_dir() -> Option<PathBuf> {
    let dir = match std::env::var_os("PAPERMAKER_DATA") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no recordings at {}; set PAPERMAKER_DATA", dir.display());
    None
}

fn unpacked_gzip(path: &Path) -> String {
    let mut text = String::new();
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text
}

fn unpacked_zstd(path: &Path) -> String {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let bytes = zstd::decode_all(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    String::from_utf8(bytes).expect("recordings are UTF-8")
}

/// `<stamp> <json>`: nanoseconds since 2024, microseconds before.
fn hftbacktest(text: &str) -> Vec<Item> {
    let item = |line: &str| {
        let (stamp, json) = line.split_once(' ').expect("a stamp, a blank, JSON");
        let stamp: i64 = stamp.parse().expect("an integer stamp");
        let at_ns = if stamp < 100_000_000_000_000_000 { stamp * 1000 } else { stamp };
        let json = json.to_owned();
        // The snapshot is the one object that no stream wraps.
        let what = if json.starts_with("{\"lastUpdateId\"") {
            What::Http { url: String::new(), body: json }
        } else {
            What::Received(json)
        };
        Item { at_ns, connection: String::new(), what }
    };
    text.lines().map(item).collect()
}

/// One JSON object per line, the venue's text as a string inside.
fn cryptofeed_v3(text: &str) -> Vec<Item> {
    let item = |line: &str| {
        let v: Value = serde_json::from_str(line).expect("a line of JSON");
        let word = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
        let what = match v["t"].as_str().expect("a kind") {
            "header" => What::Header(line.to_owned()),
            "http" => What::Http { url: word("url"), body: word("data") },
            "connect" => What::Connect { url: word("addr") },
            "send" => What::Sent(word("data")),
            "recv" => What::Received(word("data")),
            other => panic!("unknown kind {other}"),
        };
        let at_ns = if v["ts"].is_null() { 0 } else { seconds(&v["ts"].to_string()) };
        Item { at_ns, connection: word("conn"), what }
    };
    text.lines().filter(|line| !line.is_empty()).map(item).collect()
}

/// `url -> ts: body`, `url <-> ts`, `url <- ts: body`, `ts: body`; a line that is none of them continues a body.
fn cryptofeed_history(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for line in text.lines() {
        match history_line(line) {
            Some(item) => items.push(item),
            None if line.is_empty() => {}
            None => match items.last_mut().map(|item| &mut item.what) {
                Some(What::Http { body, .. } | What::Sent(body) | What::Received(body)) => {
                    body.push('\n');
                    body.push_str(line);
                }
                Some(What::Header(_) | What::Connect { .. }) | None => panic!("a line that continues nothing: {line}"),
            },
        }
    }
    items
}

fn history_line(line: &str) -> Option<Item> {
    let item = |at_ns, what| Some(Item { at_ns, connection: String::new(), what });
    if line.starts_with("configuration: ") {
        return item(0, What::Header(line.to_owned()));
    }
    let stamped = |rest: &str| rest.split_once(": ").map(|(ts, body)| (seconds(ts), body.to_owned()));
    if line.starts_with("wss://") || line.starts_with("https://") {
        let (url, rest) = line.split_once(' ')?;
        let (arrow, rest) = rest.split_once(' ')?;
        let url = url.to_owned();
        return match arrow {
            "<->" => item(seconds(rest), What::Connect { url }),
            "<-" => stamped(rest).and_then(|(at, body)| item(at, What::Sent(body))),
            "->" => stamped(rest).and_then(|(at, body)| item(at, What::Http { url, body })),
            _ => None,
        };
    }
    let (stamp, body) = line.split_once(": ")?;
    let is_time = stamp.contains('.') && stamp.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !is_time {
        return None;
    }
    item(seconds(stamp), What::Received(body.to_owned()))
}

/// Seconds with a fraction, as nanoseconds, digit by digit.
fn seconds(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos = format!("{fraction:0<9}");
    let whole: i64 = whole.parse().unwrap_or_else(|e| panic!("seconds {text:?}: {e}"));
    whole * 1_000_000_000 + nanos[..9].parse::<i64>().expect("digits after the point")
}

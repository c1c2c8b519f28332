//! A recorded morning on Binance spot: `<receipt time> <raw JSON>` per line, gzipped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use flate2::read::GzDecoder;
use serde_json::Value;

/// Frames in the order they were received, and the one REST snapshot that was taken meanwhile, if any.
pub struct Recording {
    pub frames: Vec<Frame>,
    /// How many frames came before the snapshot, and its body.
    pub snapshot: Option<(usize, String)>,
}

/// One frame of a combined stream: `{"stream":"…","data":{…}}`.
pub struct Frame {
    pub recv_ns: i64,
    pub text: String,
}

/// A print as the venue wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    pub id: u64,
    pub price: String,
    pub qty: String,
    pub buyer_is_maker: bool,
}

impl Frame {
    /// `btcusdt@trade` and so on.
    pub fn stream(&self) -> &str {
        let rest = self.text.strip_prefix("{\"stream\":\"").expect("a combined frame names its stream first");
        &rest[..rest.find('"').expect("a quoted name")]
    }

    /// The payload without its wrapping, as a raw stream would carry it.
    pub fn data(&self) -> &str {
        let start = self.text.find("\"data\":").expect("a combined frame has data") + 7;
        &self.text[start..self.text.len() - 1]
    }

    pub fn is_depth(&self) -> bool {
        self.stream().contains("@depth")
    }

    pub fn print(&self) -> Option<Print> {
        if !self.stream().ends_with("@trade") {
            return None;
        }
        let data: Value = serde_json::from_str(self.data()).expect("a recorded trade is JSON");
        let text = |key: &str| data[key].as_str().expect("a quoted number").to_owned();
        Some(Print {
            id: data["t"].as_u64().expect("a trade id"),
            price: text("p"),
            qty: text("q"),
            buyer_is_maker: data["m"].as_bool().expect("a side"),
        })
    }
}

impl Recording {
    /// Reads files as one recording, at most `frames_max` frames. Receipt times are in units of `unit_ns`.
    pub fn open(files: &[PathBuf], unit_ns: i64, frames_max: usize) -> Self {
        let (mut frames, mut snapshot) = (Vec::new(), None);
        for path in files {
            let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for line in BufReader::new(GzDecoder::new(file)).lines() {
                let line = line.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let (stamp, text) = line.split_once(' ').expect("a stamp, a blank, JSON");
                if text.starts_with("{\"stream\"") {
                    if frames.len() == frames_max {
                        break;
                    }
                    let recv_ns = stamp.parse::<i64>().expect("an integer stamp") * unit_ns;
                    frames.push(Frame { recv_ns, text: text.to_owned() });
                } else if text.contains("lastUpdateId") {
                    snapshot = Some((frames.len(), text.to_owned()));
                }
            }
        }
        Self { frames, snapshot }
    }

    /// BTCUSDT of 8 and 9 August 2024, 650 s with its snapshot; the first 20,000 frames unless the full size is
    /// asked for. Read once per test binary.
    pub fn august() -> Option<Arc<Self>> {
        static ONCE: OnceLock<Option<Arc<Recording>>> = OnceLock::new();
        let open = || {
            let dir = super::data_dir()?.join("binance-spot");
            let files = ["hftbacktest_spot_btcusdt_20240808.gz", "hftbacktest_spot_btcusdt_20240809.gz"];
            let frames_max = if super::full_size() { usize::MAX } else { 20_000 };
            Some(Arc::new(Self::open(&files.map(|f| dir.join(f)), 1, frames_max)))
        };
        ONCE.get_or_init(open).clone()
    }

    /// BTCUSDT of 5 April 2023, without any snapshot.
    pub fn april_without_snapshot() -> Option<Arc<Self>> {
        let file = super::data_dir()?.join("binance-spot/hftbacktest-history_spot_btcusdt_20230405.dat.gz");
        Some(Arc::new(Self::open(&[file], 1000, 5_000)))
    }

    /// Trades numbered from 1, a millisecond apart, and an empty book as the snapshot before them all.
    pub fn made_up(trades: u64) -> Arc<Self> {
        let frame = |id: u64| Frame {
            recv_ns: id as i64 * 1_000_000,
            text: format!(
                "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":{id},\
                 \"p\":\"100.00\",\"q\":\"1.00\",\"m\":true}}}}"
            ),
        };
        Arc::new(Self {
            frames: (1..=trades).map(frame).collect(),
            snapshot: Some((0, r#"{"lastUpdateId":1,"bids":[],"asks":[]}"#.to_owned())),
        })
    }

    /// The first `frames` of this one.
    pub fn beginning(&self, frames: usize) -> Arc<Self> {
        let frames = self.frames.iter().take(frames);
        let frames = frames.map(|f| Frame { recv_ns: f.recv_ns, text: f.text.clone() }).collect();
        Arc::new(Self { frames, snapshot: self.snapshot.clone() })
    }

    /// The place of the first depth frame at or after `from`.
    pub fn depth_from(&self, from: usize) -> usize {
        (from..self.frames.len()).find(|&k| self.frames[k].is_depth()).expect("a depth frame further on")
    }

    /// Every print, in order.
    pub fn prints(&self) -> Vec<Print> {
        self.frames.iter().filter_map(Frame::print).collect()
    }
}

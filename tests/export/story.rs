//! Imports told in words, and files made by hand to be imported.

use std::fs;
use std::path::{Path, PathBuf};

use papermaker::engine::Input;
use papermaker::journal::import::{Format, Wish, open};
use papermaker::market::{Level, MarketEventKind, PrintFlags, VenueId};
use papermaker::units::{Nanos, Side};

use super::imports::{Played, play};

/// Files of one import, in a folder of their own.
pub struct Files {
    folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = files.iter().map(|(name, bytes)| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        });
        let paths = paths.collect();
        Self { folder, paths }
    }

    pub fn wish(&self, format: Format, venue: VenueId, symbol: &str) -> Wish {
        asked(self.paths.clone(), format, venue, symbol)
    }

    /// Why it is refused, without the folder's name.
    pub fn refusal(&self, format: Format, venue: VenueId, symbol: &str) -> String {
        let error = match open(self.wish(format, venue, symbol)) {
            Ok(_) => panic!("it is taken"),
            Err(error) => error.to_string(),
        };
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

pub fn asked(files: Vec<PathBuf>, format: Format, venue: VenueId, symbol: &str) -> Wish {
    let (symbol, tick_every) = (symbol.to_owned(), Nanos::from_s(3_600));
    Wish { files, format, venue, symbol, tick: None, lot: None, tick_every }
}

/// Every input but time, as milliseconds since the first and words: `5 delta 99=0 100=2 / 101=3`.
pub fn story(wish: Wish) -> Vec<String> {
    words(&play(wish).unwrap())
}

pub fn words(played: &Played) -> Vec<String> {
    let start = played.inputs[0].at;
    let rules = &played.instrument;
    let levels = |levels: &[Level]| {
        let level = |l: &Level| format!("{}={}", rules.price_text(l.price), rules.qty_text(l.qty));
        levels.iter().map(level).collect::<Vec<_>>().join(" ")
    };
    let side = |side: &Side| if *side == Side::Bid { "buy" } else { "sell" };
    let mut story = Vec::new();
    for input in &played.inputs {
        let words = match &input.input {
            Input::Tick => continue,
            Input::Feed(event) => event.kind.word().to_owned(),
            Input::Market(event) => match &event.kind {
                MarketEventKind::Snapshot { bids, asks, extent, .. } => {
                    format!("snapshot {} / {} {extent:?}", levels(bids), levels(asks))
                }
                MarketEventKind::Delta { bids, asks, .. } => format!("delta {} / {}", levels(bids), levels(asks)),
                MarketEventKind::Trade { id, taker, price, qty, flags } => {
                    let flag = if *flags == PrintFlags::NONE { String::new() } else { format!(" flag {}", flags.0) };
                    let (price, qty) = (rules.price_text(*price), rules.qty_text(*qty));
                    format!("trade {id} {} {qty} at {price}{flag}", side(taker))
                }
                MarketEventKind::Bbo { bid, ask, .. } => {
                    let best = |level: &Option<Level>| level.map_or(String::new(), |level| levels(&[level]));
                    format!("bbo {} / {}", best(bid), best(ask))
                }
                MarketEventKind::Order(news) => {
                    let (price, qty) = (rules.price_text(news.price), rules.qty_text(news.qty));
                    format!("order {} {:?} {} {qty} at {price}", news.id, news.step, side(&news.side))
                }
                MarketEventKind::Status(status) => format!("{status:?}"),
                MarketEventKind::Gap { .. } => "gap".to_owned(),
                other @ (MarketEventKind::Rules(_) | MarketEventKind::Mark(_)) => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        story.push(format!("{} {words}", input.at.since(start).ms()));
    }
    story
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, bytes).unwrap();
    gz.finish().unwrap()
}

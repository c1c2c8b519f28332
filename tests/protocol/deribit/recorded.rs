//! Two recordings of Deribit's options: their books follow the same rules as those of perpetuals.

use std::collections::{BTreeMap, BTreeSet};

use papermaker::market::{Instrument, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::Step;
use papermaker::wire::Said;
use papermaker::wire::conversation::Conversation;
use papermaker::wire::deribit::{self, DERIBIT, Words};
use papermaker::wire::dialect::{Exchange, Options};
use serde_json::Value;

use crate::support::captures::Capture;
use crate::support::talk::{Talk, words};

const FILES: [&str; 2] =
    ["deribit/cryptofeed-v3_DERIBIT.jsonl.zst", "deribit/cryptofeed-history_DERIBIT.ws.30.0__4f5c3752.txt.gz"];

struct Recording {
    frames: Vec<String>,
    /// Of each book message its instrument, by its place among the frames.
    books: BTreeMap<usize, String>,
    names: Vec<String>,
}

impl Recording {
    fn open(file: &str) -> Option<Self> {
        let frames: Vec<_> = Capture::open(file)?.received().map(|(_, _, text)| text.to_owned()).collect();
        let (mut books, mut names) = (BTreeMap::new(), BTreeSet::new());
        for (n, frame) in frames.iter().enumerate() {
            let message: Value = serde_json::from_str(frame).expect("JSON");
            let Some((kind, rest)) = message["params"]["channel"].as_str().and_then(|c| c.split_once('.')) else {
                continue;
            };
            let name = rest.trim_end_matches(".raw").to_owned();
            if kind == "book" {
                books.insert(n, name.clone());
            }
            names.insert(name);
        }
        Some(Self { frames, books, names: names.into_iter().collect() })
    }

    fn id(&self, name: &str) -> InstrumentId {
        InstrumentId(self.names.binary_search_by(|n| n.as_str().cmp(name)).expect("a known name") as u16)
    }

    fn talk(&self) -> Talk<Conversation<Words>> {
        let (tick, lot) = (Step::parse("0.0001").unwrap(), Step::parse("0.1").unwrap());
        let rules = |name: &String| Instrument::new(VenueId::Deribit, name, "BTC", "USD", tick, lot).unwrap();
        let list = self.names.iter().map(|name| (self.id(name), rules(name))).collect();
        let mut talk = Talk::about(deribit::conversation(list, Options::default()));
        talk.open();
        talk
    }
}

fn gap_of(said: &[Said]) -> Option<InstrumentId> {
    said.iter().find_map(|one| match one {
        Said::Market(event) if matches!(event.kind, MarketEventKind::Gap { .. }) => Some(event.instrument),
        _ => None,
    })
}

#[test]
fn recorded_chains_are_unbroken_and_everything_in_them_is_understood() {
    for (file, books) in FILES.into_iter().zip([46, 56]) {
        let Some(recording) = Recording::open(file) else { return };
        assert_eq!(recording.books.len(), books, "{file}");
        let mut talk = recording.talk();
        for frame in &recording.frames {
            let said = talk.hear(frame);
            let all = words(&said);
            let is_fine = |word: &String| {
                ["snapshot", "delta", "mark", "live"].contains(&word.split(' ').next().unwrap_or_default())
            };
            assert!(all.iter().all(is_fine), "{all:?} of {frame}");
        }
        let counts = talk.protocol.counts();
        assert_eq!((counts.errors, counts.ignored, counts.duplicates), (0, 0, 0), "{file}");
        for name in recording.books.values() {
            assert!(talk.protocol.is_in_step(recording.id(name)), "{name}");
            assert!(!talk.book(recording.id(name)).unwrap().is_crossed(), "{name}");
        }
    }
}

#[test]
fn a_frame_that_is_missing_is_noticed_at_the_next_one_of_that_book() {
    let mut noticed = 0;
    for file in FILES {
        let Some(recording) = Recording::open(file) else { return };
        for (missing, name) in &recording.books {
            let is_change = recording.frames[*missing].contains(r#""type":"change""#);
            let next = recording.books.range(missing + 1..).find(|(_, other)| *other == name).map(|(n, _)| *n);
            let (true, Some(next)) = (is_change, next) else { continue };
            let mut talk = recording.talk();
            for (n, frame) in recording.frames.iter().enumerate().filter(|(n, _)| n != missing) {
                let gap = gap_of(&talk.hear(frame));
                assert_eq!(gap, (n == next).then(|| recording.id(name)), "frame {n} without {missing}");
                if n == next {
                    break;
                }
            }
            noticed += 1;
        }
    }
    assert!(noticed > 20, "{noticed}");
}

#[test]
fn a_recorded_list_has_the_linear_perpetuals_of_2022_and_refuses_options_by_name() {
    let Some(capture) = Capture::open(FILES[0]) else { return };
    let list = DERIBIT.read_rules(&[capture.reply("currency=USDC").as_bytes().to_vec()]).unwrap();
    let sol = list.iter().find(|one| one.symbol == "SOL_USDC-PERPETUAL").expect("it was listed");
    let sol = sol.rules.as_ref().unwrap();
    assert_eq!((sol.tick.to_string(), sol.lot.to_string()), ("0.01".to_owned(), "0.1".to_owned()));
    assert_eq!((sol.contract.settle.as_str(), sol.quote.as_str()), ("USDC", "USDC"));
    let list = DERIBIT.read_rules(&[capture.reply("currency=BTC").as_bytes().to_vec()]).unwrap();
    let (fine, refused): (Vec<_>, Vec<_>) = list.iter().partition(|one| one.rules.is_ok());
    assert!(
        refused.iter().all(|one| one.symbol.ends_with("-C") || one.symbol.ends_with("-P") || !one.symbol.is_empty())
    );
    assert!(refused.len() > fine.len());
}

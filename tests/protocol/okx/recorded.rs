//! Real connections of 2021 and 2022, whose checksums were alive.

use super::*;
use crate::support::captures::Capture;

const V5: &str = "okx/cryptofeed-v3_OKX.jsonl.zst";

/// The frames of a file as today's protocol has them: the channel of that time is now for customers of weight.
fn frames(file: &str) -> Option<Vec<String>> {
    let capture = Capture::open(file)?;
    Some(capture.received().map(|(_, _, text)| text.replace("books-l2-tbt", "books")).collect())
}

/// Books and the words said, of all frames but one.
fn play(
    list: Vec<(InstrumentId, Instrument)>,
    frames: &[String],
    left_out: Option<usize>,
) -> (Talk, Vec<(usize, String)>) {
    let mut talk = Talk::about(OKX.conversation(list, patient()));
    talk.open();
    let mut heard = Vec::new();
    for (n, text) in frames.iter().enumerate().filter(|(n, _)| Some(*n) != left_out) {
        heard.extend(words(&talk.hear(text)).into_iter().map(|word| (n, word)));
    }
    (talk, heard)
}

fn count(heard: &[(usize, String)], beginning: &str) -> usize {
    heard.iter().filter(|(_, word)| word.starts_with(beginning)).count()
}

/// By the rules of that day, but for the future, whose kind we do not trade.
fn of_2022() -> Option<Vec<(InstrumentId, Instrument)>> {
    let capture = Capture::open(V5)?;
    let mut list = vec![instrument("BTC-USD-220527", "0.1", "1")];
    for (kind, symbol) in [("instType=SPOT", "BTC-USDT"), ("instType=SWAP", "UNI-USD-SWAP")] {
        let body = capture.http().find(|(url, _)| url.ends_with(kind)).expect("the rules were asked for").1;
        let listed = OKX.read_rules(&[body.as_bytes().to_vec()]).unwrap();
        list.push(listed.into_iter().find(|l| l.symbol == symbol).unwrap().rules.unwrap());
    }
    Some((0..).map(InstrumentId).zip(list).collect())
}

#[test]
fn all_290_checksums_of_2022_verify() {
    let (Some(list), Some(frames)) = (of_2022(), frames(V5)) else { return };
    // A contract of UNI is 10 USD, and its sums are in contracts.
    assert_eq!(list[2].1.contract.unit.to_string(), "10");
    let (talk, heard) = play(list, &frames, None);
    assert_eq!((count(&heard, "snapshot"), count(&heard, "delta"), count(&heard, "checksum")), (3, 287, 0));
    assert_eq!((count(&heard, "trade"), talk.protocol.counts().errors), (74, 0));
    assert!((0..3).all(|n| talk.protocol.is_in_step(InstrumentId(n))));
}

#[test]
fn all_4372_checksums_of_2021_verify_on_three_connections_that_saw_the_same() {
    const NAMES: [&str; 10] = [
        "AUCTION-USDT",
        "BTC-USD-210924-42000-P",
        "BTC-USD-210924-66000-C",
        "DHT-USDT",
        "FUN-BTC",
        "OKT-BTC",
        "ONT-USDT",
        "PAY-BTC",
        "TRX-USDT-210924",
        "XMR-USDT-SWAP",
    ];
    let mut total = 0;
    for (file, books) in [
        ("okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz", 1_504),
        ("okx/cryptofeed-history_OKEX.ws.2.0__1a0a2096.txt.gz", 1_446),
        ("okx/cryptofeed-history_OKEX.ws.3.0__62cd3f73.txt.gz", 1_422),
    ] {
        let Some(frames) = frames(file) else { return };
        let list = NAMES.map(|symbol| instrument(symbol, "0.000000001", "0.00000001"));
        let (talk, heard) = play((0..).map(InstrumentId).zip(list).collect(), &frames, None);
        assert_eq!((count(&heard, "snapshot") + count(&heard, "delta"), count(&heard, "gap")), (books, 0), "{file}");
        assert_eq!((count(&heard, "trade"), talk.protocol.counts().errors), (36, 0), "{file}");
        total += books;
    }
    assert_eq!(total, 4_372);
}

#[test]
fn one_frame_left_out_is_noticed_by_the_next_checksum_it_matters_to() {
    let (Some(list), Some(frames)) = (of_2022(), frames(V5)) else { return };
    let is_change = |text: &str| text.contains("\"books\",\"instId\":\"UNI-USD-SWAP\"") && text.contains("\"update\"");
    let changes: Vec<_> = (0..frames.len()).filter(|&n| is_change(&frames[n])).collect();
    let mut noticed_at_once = 0;
    for &left_out in changes.iter().take(40) {
        let (_, heard) = play(list.clone(), &frames, Some(left_out));
        let first = heard.iter().find(|(_, word)| word == "checksum_mismatch").map(|(n, _)| *n);
        let next = changes.iter().copied().find(|&n| n > left_out);
        noticed_at_once += usize::from(first == next);
        // Never before it is gone, and of no other book.
        assert!(first.is_none_or(|n| n > left_out));
        assert!(count(&heard, "checksum_mismatch") <= 1);
    }
    // The sum is of the 25 best levels: what changed deeper down shows later, when the market gets there.
    assert!(noticed_at_once >= 20, "{noticed_at_once} of 40");
}

#[test]
fn one_frame_left_out_of_a_chain_is_noticed_at_the_very_next_frame() {
    let (Some(list), Some(frames)) = (of_2022(), frames(V5)) else { return };
    // The same frames, numbered as they are today and without a sum.
    let mut number = [100u64; 3];
    let numbered: Vec<_> = frames
        .iter()
        .map(|text| {
            let Some(at) = ["BTC-USD-220527", "BTC-USDT", "UNI-USD-SWAP"]
                .iter()
                .position(|symbol| text.contains(&format!("\"books\",\"instId\":\"{symbol}\"")))
                .filter(|_| text.contains("\"checksum\""))
            else {
                return text.clone();
            };
            let (head, _) = text.split_once("\"checksum\"").unwrap();
            number[at] += 7;
            let before = if text.contains("\"snapshot\"") { -1 } else { number[at] as i64 - 7 };
            format!("{head}\"checksum\":0,\"prevSeqId\":{before},\"seqId\":{}}}]}}", number[at])
        })
        .collect();
    let (_, heard) = play(list.clone(), &numbered, None);
    assert_eq!((count(&heard, "delta"), count(&heard, "gap")), (287, 0));
    let is_change = |text: &str| text.contains("\"books\",\"instId\":\"BTC-USDT\"") && text.contains("\"update\"");
    let changes: Vec<_> = (0..numbered.len()).filter(|&n| is_change(&numbered[n])).collect();
    for nth in [0, 40, 95] {
        let (_, heard) = play(list.clone(), &numbered, Some(changes[nth]));
        let gaps: Vec<_> = heard.iter().filter(|(_, word)| word.starts_with("gap")).map(|(n, _)| *n).collect();
        assert_eq!(gaps, [changes[nth + 1]]);
    }
}

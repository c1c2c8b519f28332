//! Twenty-four seconds of two real Coinbase books, their prints, tickers and heartbeats on one connection.

use papermaker::market::{Book, Instrument, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::{Side, Step};
use papermaker::wire::Said;
use papermaker::wire::coinbase::{AdvancedTrade, COINBASE};
use papermaker::wire::conversation::Conversation;
use papermaker::wire::dialect::{Exchange, Options};

use crate::support::captures::Capture;
use crate::support::talk::{self, words};

const BTC: InstrumentId = InstrumentId(0);

type Talk = talk::Talk<Conversation<AdvancedTrade>>;

fn capture() -> Option<Capture> {
    Capture::open("coinbase/cryptofeed-v3_COINBASE.jsonl.zst")
}

fn frames(capture: &Capture) -> Vec<&str> {
    capture.received().map(|(_, _, text)| text).collect()
}

fn talk() -> Talk {
    let step = |text| Step::parse(text).unwrap();
    let product = |symbol: &str| {
        Instrument::new(VenueId::Coinbase, symbol, &symbol[..3], "USD", step("0.01"), step("0.00000001")).unwrap()
    };
    let list = vec![(BTC, product("BTC-USD")), (InstrumentId(1), product("ETH-USD"))];
    let mut talk = Talk::about(Conversation::new(AdvancedTrade::new(), list, Options::default(), &COINBASE));
    talk.open();
    talk
}

fn best(book: &Book, side: Side) -> i64 {
    book.best(side).expect("a book with two sides").price.0
}

#[test]
fn the_recorded_connection_is_in_step_from_beginning_to_end() {
    let Some(capture) = capture() else { return };
    let frames = frames(&capture);
    let mut talk = talk();
    for frame in &frames {
        talk.hear(frame);
    }
    let counts = talk.protocol.counts();
    assert_eq!((counts.frames, counts.errors, counts.duplicates, counts.missed_trades), (1_030, 0, 0, 0));
    // Scanned were 775 book messages and 57 of prints; not so heartbeats, subscriptions, tickers, candles and the two
    // lists of old prints.
    assert_eq!(talk.protocol.dialect().parsed_slowly(), 198);
    // The venue's last ticker says the same best prices, give or take five dollars.
    let ticker = frames.iter().rev().find(|f| f.contains("\"ticker\"") && f.contains("\"BTC-USD\"")).unwrap();
    let cents = |key: &str| {
        let (_, rest) = ticker.split_once(&format!("\"{key}\":\"")).unwrap();
        Step::parse("0.01").unwrap().count(rest.split('"').next().unwrap().parse().unwrap()).unwrap()
    };
    let book = talk.book(BTC).unwrap();
    let (bid, ask) = (best(book, Side::Bid), best(book, Side::Ask));
    assert!(bid < ask && (bid - cents("best_bid")).abs() < 500 && (ask - cents("best_ask")).abs() < 500, "{ticker}");
}

#[test]
fn the_parser_reads_the_recording_as_the_scanner_does() {
    let Some(capture) = capture() else { return };
    let (mut fast, mut slow) = (talk(), talk());
    for frame in frames(&capture) {
        // A blank is all it takes.
        assert_eq!(fast.hear(frame), slow.hear(frame.replacen('{', "{ ", 1)), "{frame}");
    }
    assert_eq!(slow.protocol.dialect().parsed_slowly(), 1_030);
}

#[test]
fn whichever_frame_is_lost_the_next_one_tells() {
    let Some(capture) = capture() else { return };
    let frames = frames(&capture);
    for gone in [1, 14, 35, 500, 1_000] {
        let mut talk = talk();
        let mut kept = frames.iter().enumerate().filter(|(n, _)| *n != gone);
        let noticed = kept.find(|(_, frame)| words(&talk.hear(frame)).contains(&"reconnect".to_owned()));
        assert_eq!(noticed.map(|(n, _)| n), Some(gone + 1));
    }
}

#[test]
fn a_print_at_the_best_offer_was_a_buy() {
    let Some(capture) = capture() else { return };
    let mut talk = talk();
    let (mut agree, mut disagree) = (0, 0);
    for frame in frames(&capture) {
        for said in talk.hear(frame) {
            let Said::Market(event) = said else { continue };
            let MarketEventKind::Trade { taker, price, .. } = event.kind else { continue };
            // Some come before the book does.
            let Some(book) = talk.book(event.instrument) else { continue };
            agree += u32::from(best(book, taker.opposite()) == price.0);
            disagree += u32::from(best(book, taker) == price.0);
        }
    }
    // The book runs a little ahead of the batched prints, so not every one finds its level still there.
    assert!(agree > 30 && agree > 10 * disagree, "{agree} {disagree}");
}

#[test]
fn the_recorded_list_of_products_is_read() {
    let Some(capture) = capture() else { return };
    let (_, body) = capture.http().next().expect("the recorder asked for the products");
    let listed = COINBASE.read_rules(&[body.as_bytes().to_vec()]).unwrap();
    let refused: Vec<_> = listed.iter().filter_map(|l| l.rules.as_ref().err()).map(ToString::to_string).collect();
    // 400 are other names of books in dollars; every other one can be traded exactly.
    let aliases = refused.iter().filter(|why| why.contains("name that instead")).count();
    assert_eq!((listed.len(), aliases, refused.len()), (920, 400, 400), "{refused:#?}");
    let halted = listed.iter().filter_map(|l| l.rules.as_ref().ok()).filter(|rules| !rules.status.may_quote());
    // Eight are delisted, four of them by both of their names.
    assert_eq!(halted.count(), 4);
}

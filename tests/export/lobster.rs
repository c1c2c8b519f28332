//! LOBSTER's pairs of files, made by hand after the description on its site.

use papermaker::journal::import::Format::Lobster;
use papermaker::market::VenueId;
use papermaker::units::LocalTime;

use super::imports::play;
use super::story::{Files, story};

const MESSAGES: &str = "AAPL_2012-06-21_34200000_57600000_message_2.csv";
const BOOKS: &str = "AAPL_2012-06-21_34200000_57600000_orderbook_2.csv";
/// An ask and a bid level that are not there.
const NONE: &str = "9999999999,0,-9999999999,0";

/// A message, and the book after it: best and second level, asks before bids.
const A_MORNING: &[(&str, &str)] = &[
    // Somebody offers 100 at 585.94; 200 were there already.
    ("34200.004241176,1,16113575,100,5859400,-1", "5859400,300,5853300,18,5859800,200,5853000,150"),
    ("34200.025551909,1,16120456,18,5853300,1", "5859400,300,5853300,36,5859800,200,5853000,150"),
    // 40 of the offer are withdrawn, 25 of the rest bought.
    ("34200.1,2,16113575,40,5859400,-1", "5859400,260,5853300,36,5859800,200,5853000,150"),
    ("34200.2,4,16113575,25,5859400,-1", "5859400,235,5853300,36,5859800,200,5853000,150"),
    // An offer from before the file is bought: a print, and what became of a level.
    ("34200.3,4,99,200,5859400,-1", "5859400,35,5853300,36,5859800,200,5853000,150"),
    // A hidden bid at 585.50 is sold to.
    ("34200.4,5,0,7,5855000,1", "5859400,35,5853300,36,5859800,200,5853000,150"),
    // A better bid pushes the second level out of sight, and goes again; two levels come back.
    ("34200.5,1,7,10,5854000,1", "5859400,35,5854000,10,5859800,200,5853300,36"),
    ("34200.6,3,7,10,5854000,1", "5859400,35,5853300,36,5859800,200,5853000,150"),
    // The last of the offer leaves, and nothing is behind the next.
    ("34200.7,3,16113575,35,5859400,-1", "5859800,200,5853300,36,9999999999,0,5853000,150"),
    ("34201,7,-1,0,-1,-1", "5859800,200,5853300,36,9999999999,0,5853000,150"),
    ("34202,7,-1,0,1,-1", "5859800,200,5853300,36,9999999999,0,5853000,150"),
];

fn pair(rows: &[(&str, &str)]) -> (String, String) {
    let column = |which: fn(&(&str, &str)) -> String| rows.iter().map(which).collect::<String>();
    (column(|(message, _)| format!("{message}\n")), column(|(_, book)| format!("{book}\n")))
}

fn files(rows: &[(&str, &str)]) -> Files {
    let (messages, books) = pair(rows);
    Files::new(&[(MESSAGES, messages.as_bytes()), (BOOKS, books.as_bytes())])
}

#[test]
fn a_morning_is_told_order_by_order() {
    let expected = [
        "0 connected",
        "0 order 16113575 Joined sell 100 at 585.94",
        "0 snapshot 585.33=18 585.30=150 / 585.94=300 585.98=200 Window(2)",
        "0 live",
        "21 order 16120456 Joined buy 18 at 585.33",
        "21 delta 585.33=36 / ",
        "95 order 16113575 Shrank sell 60 at 585.94",
        "95 delta  / 585.94=260",
        "195 trade 4 buy 25 at 585.94",
        "195 order 16113575 Filled sell 35 at 585.94",
        "195 delta  / 585.94=235",
        "295 trade 5 buy 200 at 585.94",
        "295 delta  / 585.94=35",
        "395 trade 6 sell 7 at 585.50 flag 64",
        "495 order 7 Joined buy 10 at 585.40",
        "495 delta 585.30=0 585.40=10 / ",
        "595 order 7 Left buy 0 at 585.40",
        "595 delta 585.40=0 585.30=150 / ",
        "695 order 16113575 Left sell 0 at 585.94",
        "695 delta  / 585.94=0",
        "995 Halted",
        "1995 Trading",
    ];
    assert_eq!(story(files(A_MORNING).wish(Lobster, VenueId::Imported, "AAPL")), expected);
}

#[test]
fn orders_leave_with_their_level_when_it_leaves_the_window() {
    let rows = [
        ("34200,1,1,10,1000000,1", "1010000,5,1000000,10,1020000,5,990000,7"),
        ("34201,1,2,3,990000,1", "1010000,5,1000000,10,1020000,5,990000,10"),
        // 100.50 and 100.40 push first 99, then 100 out; what becomes of order 2 then nobody can place.
        ("34202,1,3,1,1005000,1", "1010000,5,1005000,1,1020000,5,1000000,10"),
        ("34203,3,3,1,1005000,1", "1010000,5,1000000,10,1020000,5,990000,10"),
        ("34204,2,2,1,990000,1", "1010000,5,1000000,10,1020000,5,990000,9"),
    ];
    let told = story(files(&rows).wish(Lobster, VenueId::Imported, "AAPL"));
    let expected = [
        "2000 order 3 Joined buy 1 at 100.5",
        "2000 order 2 Left buy 0 at 99.0",
        "2000 delta 99.0=0 100.5=1 / ",
        "3000 order 3 Left buy 0 at 100.5",
        "3000 delta 100.5=0 99.0=10 / ",
        "4000 delta 99.0=9 / ",
    ];
    assert_eq!(told[6..], expected);
}

#[test]
fn midnight_is_new_yorks_in_summer_and_in_winter() {
    // 09:30 there is 13:30 UTC in June and 14:30 in January; the clocks changed on 9 March 2014 and 2 November 2014.
    let noon = |date: &str, utc: i64| {
        let names = ["message", "orderbook"].map(|kind| format!("AAPL_{date}_34200000_57600000_{kind}_1.csv"));
        let book = format!("1010000,5,1000000,10\n{NONE}\n");
        let messages = b"34200.5,1,1,10,1000000,1\n34201,3,1,10,1000000,1\n";
        let files = Files::new(&[(&names[0], messages), (&names[1], book.as_bytes())]);
        let played = play(files.wish(Lobster, VenueId::Imported, "AAPL")).unwrap();
        assert_eq!(played.inputs[0].at, LocalTime(utc * 1_000_000_000 + 500_000_000), "{date}");
        assert_eq!((played.instrument.base.as_str(), played.instrument.quote.as_str()), ("AAPL", "USD"));
    };
    noon("2012-06-21", 1_340_285_400);
    noon("2013-01-03", 1_357_223_400);
    // Friday before and Monday after.
    noon("2014-03-07", 1_394_202_600);
    noon("2014-03-10", 1_394_458_200);
    noon("2014-10-31", 1_414_762_200);
    noon("2014-11-03", 1_415_025_000);
}

#[test]
fn what_does_not_fit_together_is_refused_by_file_and_line() {
    let said = |files: Files| {
        let said = files.refusal(Lobster, VenueId::Imported, "AAPL");
        said.replace("not a lobster recording of imported AAPL: ", "").replace("AAPL_2012-06-21_34200000_57600000_", "")
    };
    let changed = |n: usize, message: &str, book: &str| {
        let mut rows = A_MORNING.to_vec();
        rows[n] =
            (if message.is_empty() { rows[n].0 } else { message }, if book.is_empty() { rows[n].1 } else { book });
        said(files(&rows))
    };
    for (n, message, book, expected) in [
        (
            1,
            "34200.1,1,2,18,5853300",
            "",
            "message_2.csv:2: has 5 columns, not the 6 of a message file (time, type, order, size, price, direction)",
        ),
        (1, "", "5859400,300,5853300,36", "orderbook_2.csv:2: has 4 columns, not the 8 of 2 levels"),
        (
            1,
            "57600.1,1,2,18,5853300,1",
            "",
            "message_2.csv:2: time 57600.1 is outside the 34200 to 57600 s after midnight of the file's name",
        ),
        (1, "noon,1,2,18,5853300,1", "", "message_2.csv:2: time \"noon\" is no number"),
        (1, "34200.1,8,2,18,5853300,1", "", "message_2.csv:2: type \"8\" is none of 1 to 7"),
        (1, "34200.1,1,2,-18,5853300,1", "", "message_2.csv:2: size -18 is negative"),
        (1, "34200.1,1,2,18,5853300,0", "", "message_2.csv:2: direction \"0\" is neither 1 nor -1"),
        (1, "34200.1,1,16113575,1,5853300,1", "", "message_2.csv:2: order 16113575 joins a second time"),
        (
            2,
            "34200.1,2,16113575,400,5859400,-1",
            "",
            "message_2.csv:3: 400 are taken off order 16113575, and only 100 of it rested",
        ),
        (
            2,
            "34200.1,2,16113575,4,5859500,-1",
            "",
            "message_2.csv:3: order 16113575 rests on the other side or at 585.94, not at 585.95",
        ),
        (
            3,
            "",
            "5859400,0,5853300,36,5859800,200,5853000,150",
            "orderbook_2.csv:4: nothing rests at its level of 585.94",
        ),
    ] {
        assert_eq!(changed(n, message, book), expected);
    }
    let (messages, books) = pair(A_MORNING);
    let short = books.trim_end().rsplit_once('\n').unwrap().0;
    let expected = "message_2.csv:11: has no row in the orderbook file";
    assert_eq!(said(Files::new(&[(MESSAGES, messages.as_bytes()), (BOOKS, short.as_bytes())])), expected);
    let alone = said(Files::new(&[(MESSAGES, messages.as_bytes())]));
    assert_eq!(alone, "message_2.csv:0: its orderbook file is not given");
    let other = BOOKS.replace("_2.csv", "_5.csv");
    let levels = said(Files::new(&[(MESSAGES, messages.as_bytes()), (&other, books.as_bytes())]));
    assert_eq!(levels, "orderbook_5.csv:0: is of other levels or another time than its message file");
    let msft = MESSAGES.replace("AAPL", "MSFT");
    assert!(said(Files::new(&[(&msft, messages.as_bytes())])).contains("is of MSFT by its name"));
}

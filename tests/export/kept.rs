//! Import, session, journal, export: what goes in at one end comes out at the other.

use papermaker::engine::{Session, SessionSpec, Stamped};
use papermaker::journal::export::{At, Cast, Kind, Wish, export, table::Format};
use papermaker::journal::import;
use papermaker::journal::{Ending, Manifest, Options, Reader, Store};
use papermaker::market::VenueId;
use papermaker::units::Nanos;

use super::imports::{DIFF, SNAPSHOT, TRADE, file_of};
use crate::engine::story;

#[test]
fn an_import_that_was_recorded_as_a_session_exports_what_was_in_the_file() {
    let file = file_of(&[DIFF, SNAPSHOT, TRADE]);
    let wish = import::Wish {
        files: vec![file.path().to_owned()],
        format: import::Format::HftbacktestRaw,
        venue: VenueId::BinanceSpot,
        symbol: "BTCUSDT".to_owned(),
        tick: None,
        lot: None,
        tick_every: Nanos::from_ms(50),
    };
    let mut import = import::open(wish).unwrap();
    let mut spec: SessionSpec = story::spec(100);
    spec.desks[0].strategy = None;
    spec.desks[0].rules = import.instrument().clone();

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path());
    let (first_at, first) = import.next().unwrap().unwrap();
    let mut writer =
        store.create("imported", Manifest::new("imported", spec.clone(), first_at), Options::LIVE).unwrap();
    let (mut session, mut said) = (Session::new(&spec), Vec::new());
    let inputs = std::iter::once((first_at, first)).chain(import.by_ref().map(Result::unwrap));
    for (at, input) in inputs {
        let stamped = Stamped { seq: writer.counts().inputs + 1, at, input };
        writer.input(&stamped).unwrap();
        session.step(&stamped, &mut vec![None], &mut said);
        writer.outputs(stamped.seq, &said).unwrap();
        said.clear();
    }
    let (output_digest, state_digest) = (session.digest().digest(), session.state_digest());
    writer.finish(Ending { at: session.now(), output_digest, state_digest }).unwrap();

    let table = |kind| {
        let mut reader = store.reader("imported").unwrap();
        let mut stamped = Reader::blank();
        let records = std::iter::from_fn(|| {
            let mut outputs = Vec::new();
            let more = reader.next_step(&mut stamped, &mut outputs);
            more.map(|more| more.then(|| (stamped.clone(), outputs))).transpose()
        });
        let rules = spec.desks[0].rules.clone();
        let cast = Cast { instruments: vec![rules], strategies: vec![String::new()], limits: spec.risk.clone() };
        let mut out = Vec::new();
        export(Wish { kind, format: Format::Csv, at: At::End, depth: 20 }, cast, records, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    // Inputs: connected, snapshot, difference, live, trade; the trade came 2 ms after the first line.
    let trade = "1723161253002000000,1723161255342000000,binance-spot,BTCUSDT,7,100.01,0.25,sell";
    assert_eq!(table(Kind::Trades).iter().map(|row| row.split_once(',').unwrap().1).collect::<Vec<_>>(), [trade]);
    let book = ["bid,1,100.01,2.00", "bid,2,100.00,1.00", "ask,1,100.02,1.00", "ask,2,100.03,0.50"];
    assert_eq!(table(Kind::Book), book.map(|row| format!("binance-spot,BTCUSDT,{row}")));
}

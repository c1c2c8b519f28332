//! Death at any moment: what was acknowledged is there, what is there is whole.

use std::fs;

use papermaker::digest::{Chain, canonical_bytes};
use papermaker::journal::{IndexCheck, JournalError, MANIFEST_FILE, SessionState, Store};
use papermaker::order::OrderId;

use super::faulty_disk::{Fault, FaultyDisk};
use super::fixture::{Dice, SMALL, begin, read_steps, record, steps, temporary};

#[test]
fn a_power_cut_at_any_of_fifty_moments_loses_nothing_acknowledged_and_leaves_no_hole() {
    let told = steps(300, 9);
    let mut dice = Dice::new(11);
    let mut died_early = 0;
    for round in 0..50 {
        let folder = temporary();
        let cut = Fault::PowerCut { n: 2 + dice.below(60), survives: dice.below(1500) as usize };
        let store = Store::open_on(folder.path(), FaultyDisk::new(cut));
        let mut writer = begin(&store, "s", SMALL).unwrap();
        let end = record(&mut writer, &told, &mut Chain::default()).and_then(|()| writer.sync());
        died_early += u32::from(end.is_err());
        let acknowledged = writer.durable_seq();
        drop(writer);

        let store = Store::open(folder.path());
        let before = read_steps(&mut store.reader("s").unwrap()).unwrap();
        let recovery = store.recover("s").unwrap().expect("it never ended");
        let found = read_steps(&mut store.reader("s").unwrap()).unwrap();
        assert!(found.len() as u64 >= acknowledged, "round {round} {cut:?}: {} < {acknowledged}", found.len());
        assert_eq!(found, told[..found.len()], "round {round} {cut:?}");
        assert_eq!(before, found, "recovery drops nothing that could be read");
        assert_eq!(recovery.counts.inputs, found.len() as u64);
        let report = store.verify("s", false).unwrap();
        assert!(report.is_clean(), "round {round} {cut:?}: {:?}", report.damage);
        assert_eq!(report.index, IndexCheck::Consistent, "round {round} {cut:?}");
        assert_eq!(report.manifest.state, SessionState::Recovered);
        let mut chain = Chain::default();
        for (input, outputs) in &told[..found.len()] {
            outputs.iter().for_each(|output| chain.extend(input.seq, &canonical_bytes(output)));
        }
        assert_eq!(report.manifest.output_digest, Some(chain.digest()));
        assert_eq!(store.recover("s").unwrap(), None, "once is enough");
    }
    assert!(died_early > 25, "the cut should come before the end most of the time: {died_early} of 50");
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped_with_a_note() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(45, 3);
    let mut writer = begin(&store, "s", SMALL).unwrap();
    let path = store.folder("s").join("00000001.seg");
    record(&mut writer, &told[..25], &mut Chain::default()).unwrap();
    writer.sync().unwrap();
    let whole = fs::metadata(&path).unwrap().len() as usize;
    record(&mut writer, &told[25..], &mut Chain::default()).unwrap();
    drop(writer);
    // 20 + 5 inputs were synced; 26 to 45 are one block of 20, outputs first.
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > whole + 200);
    for length in whole..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let mut reader = store.reader("s").unwrap();
        assert_eq!(read_steps(&mut reader).unwrap().len(), 25, "cut at {length}");
        // Between two frames the file ends cleanly, as far as anybody can tell.
        let noted = reader.torn_end().is_some();
        if length % 97 == 0 {
            let report = store.verify("s", false).unwrap();
            assert!(report.is_clean(), "cut at {length}: {:?}", report.damage);
            assert_eq!(report.counts.inputs, 25);
            let manifest = fs::read(store.folder("s").join(MANIFEST_FILE)).unwrap();
            let recovery = store.recover("s").unwrap().unwrap();
            assert_eq!(recovery.dropped_bytes, (length - whole) as u64);
            assert_eq!(fs::metadata(&path).unwrap().len() as usize, whole);
            assert!(noted || length == whole || recovery.dropped_bytes > 0);
            fs::write(store.folder("s").join(MANIFEST_FILE), manifest).unwrap();
        }
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(read_steps(&mut store.reader("s").unwrap()).unwrap(), told);
}

#[test]
fn a_tail_of_zeros_is_a_torn_tail() {
    // Some file systems extend a file before its bytes arrive.
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(40, 3);
    let mut writer = begin(&store, "s", SMALL).unwrap();
    record(&mut writer, &told, &mut Chain::default()).unwrap();
    drop(writer);
    let path = store.folder("s").join("00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    let whole = bytes.len();
    bytes.resize(whole + 5000, 0);
    fs::write(&path, &bytes).unwrap();
    let recovery = store.recover("s").unwrap().unwrap();
    assert_eq!((recovery.counts.inputs, recovery.dropped_bytes), (40, 5000));
    assert!(recovery.note.contains("40 inputs are whole"), "{}", recovery.note);
}

#[test]
fn a_writer_that_dies_while_recording_keeps_what_it_was_given() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(33, 6);
    let mut writer = begin(&store, "s", SMALL).unwrap();
    record(&mut writer, &told, &mut Chain::default()).unwrap();
    drop(writer);
    let recovery = store.recover("s").unwrap().unwrap();
    assert_eq!((recovery.counts.inputs, recovery.dropped_bytes), (33, 0));
    assert_eq!(store.index("s").unwrap().fills(OrderId(7)).unwrap(), [10, 20, 30]);
}

#[test]
fn a_full_disk_halts_the_recording_with_a_clear_word_and_leaves_it_readable() {
    let folder = temporary();
    let store = Store::open_on(folder.path(), FaultyDisk::new(Fault::Full { bytes: 5000 }));
    let told = steps(2000, 8);
    let mut writer = begin(&store, "s", SMALL).unwrap();
    let error = record(&mut writer, &told, &mut Chain::default()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JournalError::Io { .. }), "{text}");
    assert!(text.contains("00000001.seg") && text.contains("free space") && text.contains("readable"), "{text}");
    // And again at every later call.
    assert_eq!(writer.sync().unwrap_err().to_string(), text);
    let acknowledged = writer.durable_seq();
    drop(writer);

    let mut reader = store.reader("s").unwrap();
    let found = read_steps(&mut reader).unwrap();
    assert!(acknowledged >= 20 && found.len() as u64 >= acknowledged);
    assert_eq!(found, told[..found.len()]);
    assert!(reader.torn_end().is_none(), "the half-written block was taken back");
}

#[test]
fn a_read_only_place_is_refused_at_once_and_nothing_is_left_behind() {
    let folder = temporary();
    let store = Store::open_on(folder.path(), FaultyDisk::new(Fault::ReadOnly));
    let error = begin(&store, "s", SMALL).unwrap_err().to_string();
    assert!(error.contains("manifest.toml") && error.contains("store.path"), "{error}");
    assert!(!store.folder("s").exists());
}

//! The ordinary day.

use papermaker::digest::{Chain, Digest};
use papermaker::engine::{Input, Stamped};
use papermaker::journal::{Encoded, Ending, JournalError, Manifest, Options, Reader, SessionState, Store};
use papermaker::units::{LocalTime, Nanos};

use super::fixture::{SMALL, START, begin, read_steps, record, recorded, spec, steps, temporary};

#[test]
fn what_was_recorded_is_read_back_input_by_input_with_its_outputs() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(700, 1);
    let manifest = recorded(&store, "day", &told, SMALL);
    assert_eq!(manifest.state, SessionState::Ended);
    assert_eq!(manifest.counts.inputs, 700);
    // Fills at 10, 20, … 700; a gap at 8, 20, … 692 (every twelfth): 58; a trade at 4, 16, … 700: 59.
    assert_eq!((manifest.counts.fills, manifest.counts.gaps, manifest.counts.trades), (70, 58, 59));
    assert_eq!(manifest.counts.checkpoints, 14);
    assert!(store.folder("day").join("00000002.seg").exists(), "segments roll over");

    assert_eq!(read_steps(&mut store.reader("day").unwrap()).unwrap(), told);
    let mut inputs = store.reader("day").unwrap();
    let mut row = Reader::blank();
    for (wanted, _) in &told {
        assert!(inputs.next_input(&mut row).unwrap());
        assert_eq!(&row, wanted);
    }
    assert!(!inputs.next_input(&mut row).unwrap());

    let report = store.verify("day", false).unwrap();
    assert!(report.is_clean(), "{:?}", report.damage);
    assert_eq!(Some(report.output_digest), manifest.output_digest);
    assert_eq!(report.counts, manifest.counts);
}

#[test]
fn a_manifest_gives_back_the_very_spec_down_to_the_last_bit() {
    let folder = temporary();
    let store = Store::open(folder.path());
    recorded(&store, "day", &steps(5, 1), SMALL);
    let manifest = store.manifest("day").unwrap();
    assert_eq!(manifest.spec, spec());
    assert_eq!(manifest.seed, u64::MAX);
    assert_eq!(manifest.instruments, ["binance-spot:BTCUSDT"]);
    let path = store.folder("day").join("manifest.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("PAPER"), "{text}");
    // A slip of the pen: γ of the recorded strategy.
    std::fs::write(&path, text.replace("gamma = 0.1", "gamma = 0.2")).unwrap();
    let error = store.manifest("day").unwrap_err();
    assert!(matches!(error, JournalError::Manifest { .. }), "{error}");
}

#[test]
fn a_checkpoint_stands_right_after_its_input() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(230, 2);
    recorded(&store, "day", &told, SMALL);
    let mut reader = store.reader("day").unwrap();
    let (mut row, mut outputs, mut seen) = (Reader::blank(), Encoded::default(), Vec::new());
    let mut chain = Chain::default();
    while reader.next_encoded(&mut row, &mut outputs).unwrap() {
        outputs.iter().for_each(|o| chain.extend(row.seq, o));
        if let Some(checkpoint) = reader.checkpoint_here().unwrap() {
            assert_eq!((checkpoint.seq, checkpoint.output_digest), (row.seq, chain.digest()));
            seen.push(checkpoint.seq);
        }
    }
    assert_eq!(seen, [50, 100, 150, 200]);
    assert_eq!(reader.ending().unwrap().output_digest, chain.digest());

    let checkpoint = reader.checkpoint_before(199).unwrap().unwrap();
    assert_eq!(checkpoint.seq, 150);
    assert!(reader.next_input(&mut row).unwrap());
    assert_eq!(row.seq, 151);
    assert!(reader.checkpoint_before(49).unwrap().is_none());
}

#[test]
fn a_reader_finds_any_input_by_number_and_by_time() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(400, 3);
    recorded(&store, "day", &told, SMALL);
    let mut reader = store.reader("day").unwrap();
    for seq in [1u64, 2, 20, 21, 77, 399, 400] {
        let wanted = &told[seq as usize - 1..];
        reader.seek_seq(seq).unwrap();
        assert_eq!(read_steps(&mut reader).unwrap(), wanted);
        assert_eq!(read_steps(&mut store.reader_at("day", seq).unwrap()).unwrap(), wanted);
        reader.seek_time(wanted[0].0.at).unwrap();
        let mut row = Reader::blank();
        assert!(reader.next_input(&mut row).unwrap());
        assert_eq!(row.at, wanted[0].0.at);
    }
    reader.seek_seq(401).unwrap();
    assert_eq!(read_steps(&mut reader).unwrap(), []);
}

#[test]
fn a_reader_follows_a_session_that_is_being_written() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(300, 4);
    let mut writer = begin(&store, "live", SMALL).unwrap();
    let mut reader = store.reader("live").unwrap();
    let mut chain = Chain::default();
    let mut followed = Vec::new();
    for part in told.chunks(70) {
        record(&mut writer, part, &mut chain).unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.durable_seq(), part.last().unwrap().0.seq);
        followed.extend(read_steps(&mut reader).unwrap());
        assert_eq!(followed.len() as u64, writer.durable_seq());
    }
    assert!(store.is_live("live"));
    assert!(store.recover("live").unwrap().is_none(), "a live session is nobody's to recover");
    let live = store.verify("live", false).unwrap();
    assert!(live.is_clean() && live.live, "{:?}", live.damage);
    let ending = Ending { at: LocalTime(START), output_digest: chain.digest(), state_digest: Digest::default() };
    writer.finish(ending).unwrap();
    assert_eq!(followed, told);
    assert_eq!(read_steps(&mut reader).unwrap(), []);
    assert_eq!(reader.ending(), Some(ending));
    assert!(!store.is_live("live"));
}

#[test]
fn a_block_closes_a_tenth_of_a_second_after_its_first_input_at_the_latest() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let mut writer = begin(&store, "live", Options::LIVE).unwrap();
    let tick = |seq, ms| Stamped { seq, at: LocalTime(START) + Nanos::from_ms(ms), input: Input::Tick };
    let mut reader = store.reader("live").unwrap();
    writer.input(&tick(1, 0)).unwrap();
    writer.input(&tick(2, 99)).unwrap();
    writer.tick(tick(0, 99).at).unwrap();
    writer.input(&tick(3, 100)).unwrap();
    // Inputs 1 and 2 went as a block when 3 came; 3 goes when a tenth of a second has passed without news.
    writer.tick(tick(0, 200).at).unwrap();
    let deadline = std::time::Duration::from_secs(20);
    let until = |seq| {
        let mut waited = std::time::Duration::ZERO;
        while writer.durable_seq() < seq {
            assert!(waited < deadline, "block not acknowledged");
            std::thread::sleep(std::time::Duration::from_millis(1));
            waited += std::time::Duration::from_millis(1);
        }
    };
    until(3);
    assert_eq!(read_steps(&mut reader).unwrap().len(), 3);
}

#[test]
fn frames_of_the_wire_are_kept_beside_the_inputs_made_of_them() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(60, 5);
    let mut writer = begin(&store, "raw", SMALL).unwrap();
    let mut chain = Chain::default();
    for step in &told {
        writer.raw(3, format!("frame {}", step.0.seq).as_bytes()).unwrap();
        record(&mut writer, std::slice::from_ref(step), &mut chain).unwrap();
    }
    let end = Ending { at: LocalTime(START), output_digest: chain.digest(), state_digest: Digest::default() };
    writer.finish(end).unwrap();
    let mut reader = store.reader("raw").unwrap();
    let mut frames = Vec::new();
    reader.raw_frames(|frame| frames.push(frame)).unwrap();
    assert_eq!(frames.len(), 60);
    assert!(frames.iter().zip(1..).all(|(f, n)| f.seq == n && f.bytes == format!("frame {n}").as_bytes()));
    assert_eq!(read_steps(&mut reader).unwrap(), told);
}

#[test]
fn a_recording_has_no_holes() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let mut writer = begin(&store, "day", SMALL).unwrap();
    let told = steps(3, 1);
    writer.input(&told[0].0).unwrap();
    assert!(matches!(writer.input(&told[2].0), Err(JournalError::OutOfOrder { expected: 2, found: 3, .. })));
    assert!(matches!(writer.outputs(2, &told[2].1), Err(JournalError::OutOfOrder { expected: 1, found: 2, .. })));
}

#[test]
fn two_writers_of_one_session_are_refused_and_the_holder_named() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let writer = begin(&store, "day", SMALL).unwrap();
    let error = begin(&store, "day", SMALL).unwrap_err();
    assert!(matches!(error, JournalError::Held { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    let text = error.to_string();
    assert!(text.contains("day") && text.contains("stop"), "{text}");
    assert!(matches!(store.delete("day"), Err(JournalError::Held { .. })));
    drop(writer);
    assert!(matches!(begin(&store, "day", SMALL), Err(JournalError::SessionExists { .. })));
    store.delete("day").unwrap();
    assert_eq!(store.sessions().unwrap().len(), 0);
    assert!(matches!(store.reader("day"), Err(JournalError::NoSuchSession { .. })));
}

#[test]
fn a_list_shows_every_session_and_names_do_not_leave_the_store() {
    let folder = temporary();
    let store = Store::open(folder.path().join("made/when/needed"));
    assert_eq!(store.sessions().unwrap().len(), 0);
    for id in ["../evil", "", ".hidden", "a/b", "ünï"] {
        let manifest = Manifest::new(id, spec(), LocalTime(START));
        assert!(matches!(store.create(id, manifest, SMALL), Err(JournalError::BadName(_))), "{id}");
    }
    recorded(&store, "b", &steps(30, 1), SMALL);
    recorded(&store, "a", &steps(30, 1), SMALL);
    std::fs::create_dir(store.folder("c")).unwrap();
    std::fs::write(store.folder("c").join("manifest.toml"), "schema = \"x\"").unwrap();
    let listed = store.sessions().unwrap();
    assert_eq!(listed.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(listed[0].manifest.is_ok() && listed[0].bytes > 100 && !listed[0].live);
    assert!(matches!(listed[2].manifest, Err(JournalError::Manifest { .. })));

    // By name, or by the path of a folder anywhere.
    let by_path = store.folder("a");
    let elsewhere = Store::open(folder.path());
    let (found, id) = elsewhere.of_session(by_path.to_str().unwrap()).unwrap();
    assert_eq!((found.path(), id.as_str()), (store.path(), "a"));
    assert_eq!(store.of_session("b").unwrap().1, "b");
    assert!(matches!(store.of_session("nothing"), Err(JournalError::NoSuchSession { .. })));
}

//! A byte that changed is named; a version from the future is refused.

use std::fs;

use papermaker::journal::{JournalError, SCHEMA, Store};

use super::fixture::{Dice, SMALL, read_steps, recorded, steps, temporary};

#[test]
fn one_flipped_bit_anywhere_in_a_segment_is_detected_and_named() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(260, 1);
    recorded(&store, "s", &told, SMALL);
    let mut dice = Dice::new(5);
    for name in ["00000001.seg", "00000002.seg"] {
        let path = store.folder("s").join(name);
        let good = fs::read(&path).unwrap();
        // Every third byte, beginning with the first.
        for at in (0..good.len()).step_by(3) {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << dice.below(8);
            fs::write(&path, &bytes).unwrap();
            let report = store.verify("s", false).unwrap();
            let Some(JournalError::Damaged { segment, offset, .. }) = report.damage.first() else {
                panic!("{name} byte {at}: {:?}", report.damage);
            };
            assert_eq!(segment, &path, "byte {at}");
            assert!(*offset <= at as u64, "byte {at} named {offset}");
            // A reader stops there too, or did not need that byte (a checkpoint's): it never gives anything else.
            if at % 60 == 0
                && let Ok(found) = read_steps(&mut store.reader("s").unwrap())
            {
                assert_eq!(found, told, "byte {at}");
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(store.verify("s", false).unwrap().is_clean());
}

#[test]
fn all_damage_is_named_not_only_the_first() {
    let folder = temporary();
    let store = Store::open(folder.path());
    recorded(&store, "s", &steps(100, 1), SMALL);
    let path = store.folder("s").join("00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    // Payloads of the first two frames: 8 bytes of magic, then headers of 64.
    let second = 8 + 64 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[8 + 64] ^= 1;
    bytes[second + 64] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let damage = store.verify("s", false).unwrap().damage;
    let offsets: Vec<_> = damage
        .iter()
        .map(|d| match d {
            JournalError::Damaged { offset, .. } => *offset as usize,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(offsets, [8, second]);
    let text = damage[0].to_string();
    assert!(text.contains("00000001.seg: damaged at byte 8, after input 0"), "{text}");
}

#[test]
fn a_recording_cut_short_or_with_a_segment_missing_is_not_clean() {
    let folder = temporary();
    let store = Store::open(folder.path());
    recorded(&store, "s", &steps(700, 1), SMALL);
    let segment = |n: u32| store.folder("s").join(format!("{n:08}.seg"));
    assert!(segment(3).exists());
    let second = fs::read(segment(2)).unwrap();
    fs::remove_file(segment(2)).unwrap();
    assert!(!store.verify("s", false).unwrap().is_clean());
    assert!(read_steps(&mut store.reader("s").unwrap()).is_err());
    fs::write(segment(2), second).unwrap();
    // The last segment entirely: cut at a frame's end, so only the manifest knows.
    let mut last = 3;
    while segment(last + 1).exists() {
        last += 1;
    }
    fs::remove_file(segment(last)).unwrap();
    let report = store.verify("s", false).unwrap();
    assert!(!report.is_clean());
    let text = report.damage[0].to_string();
    assert!(text.contains("the manifest counts 700 inputs"), "{text}");
}

#[test]
fn a_schema_from_the_future_is_refused_by_name() {
    let folder = temporary();
    let store = Store::open(folder.path());
    recorded(&store, "s", &steps(50, 1), SMALL);
    let path = store.folder("s").join("00000001.seg");
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    let header = &mut bytes[8..72];
    header[10..12].copy_from_slice(&(SCHEMA + 1).to_le_bytes());
    let crc = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = read_steps(&mut store.reader("s").unwrap()).unwrap_err();
    assert!(matches!(error, JournalError::OtherSchema { found, .. } if found == SCHEMA + 1), "{error}");
    fs::write(&path, &good).unwrap();

    let path = store.folder("s").join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("schema = 3", "schema = 99\nsomething_new = true")).unwrap();
    let error = store.reader("s").err().unwrap();
    assert!(matches!(error, JournalError::OtherSchema { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("the version that wrote it"), "{error}");
}

//! Somebody changes a recording on purpose, with all its checksums made anew: only the chains can tell.

use std::fs;
use std::path::Path;

use papermaker::digest::{canonical_bytes, of_state};
use papermaker::engine::{Command, Input, Output, Stamped};
use papermaker::journal::disk::RealDisk;
use papermaker::journal::{Manifest, Store, seal};
use papermaker::risk::{RiskLimits, RiskState};
use papermaker::units::{Lots, Money};

use super::fixture::{SMALL, Told, recorded, spec, steps, temporary};

const HEADER: usize = 64;

/// 700 inputs; at 30 somebody lowers the loss limit to 500.
fn told() -> Vec<Told> {
    let mut told = steps(700, 1);
    let (by, command) = ("anna".to_owned(), Command::SetLimits(Box::new(limits(500))));
    told[29].0.input = Input::Command { by: by.clone(), command: command.clone() };
    told[29].1.insert(0, Output::Commanded { by, command });
    told
}

fn limits(loss_max: i128) -> RiskLimits {
    let mut limits = spec().risk;
    limits.book.loss_max = Some(Money(loss_max * Money::PER_QUOTE));
    limits
}

/// Every frame of a segment goes through `edit`, unpacked, as (kind, count, bytes), and gets good checksums. How many
/// frames were changed.
fn forge(path: &Path, mut edit: impl FnMut(u8, &mut u32, &mut Vec<u8>)) -> usize {
    let old = fs::read(path).expect("a segment");
    let (mut new, mut at, mut changed) = (old[..8].to_vec(), 8, 0);
    while at < old.len() {
        let mut header: [u8; HEADER] = old[at..at + HEADER].try_into().expect("a header");
        let four = |from: usize| u32::from_le_bytes(header[from..from + 4].try_into().expect("four bytes"));
        let (length, mut count, unpacked) = (four(4) as usize, four(12), four(16) as usize);
        let stored = &old[at + HEADER..at + HEADER + length];
        let mut bytes = zstd::bulk::decompress(stored, unpacked).expect("it unpacks");
        let before = bytes.clone();
        edit(header[8], &mut count, &mut bytes);
        changed += usize::from(before != bytes);
        let packed = if before == bytes { stored.to_vec() } else { zstd::bulk::compress(&bytes, 1).expect("it packs") };
        header[4..8].copy_from_slice(&(packed.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&count.to_le_bytes());
        header[16..20].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        header[56..60].copy_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
        let crc = crc32c::crc32c(&header[..60]);
        header[60..].copy_from_slice(&crc.to_le_bytes());
        new.extend_from_slice(&header);
        new.extend_from_slice(&packed);
        at += HEADER + length;
    }
    fs::write(path, new).expect("written");
    changed
}

const INPUTS: u8 = 1;
const OUTPUTS: u8 = 2;

/// Puts `new` where `old` stands.
fn replace(bytes: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    if let Some(at) = bytes.windows(old.len()).position(|w| w == old) {
        bytes.splice(at..at + old.len(), new.iter().copied());
    }
}

#[track_caller]
fn noticed(store: &Store, session: &str, says: &str) {
    let report = store.verify(session, false).expect("it can be looked at");
    let damage: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
    assert!(damage.iter().any(|d| d.contains(says)), "{says:?} is not in {damage:#?}");
}

fn fresh() -> (tempfile::TempDir, Store, Manifest) {
    let folder = temporary();
    let store = Store::open(folder.path());
    let manifest = recorded(&store, "s", &told(), SMALL);
    assert!(store.verify("s", false).expect("it reads").is_clean());
    (folder, store, manifest)
}

#[test]
fn a_limit_changed_inside_the_recorded_command_is_noticed() {
    // 500 and 600 have as many bytes, so nothing but the number moves.
    let command =
        |by: &str, loss| Input::Command { by: by.to_owned(), command: Command::SetLimits(Box::new(limits(loss))) };
    let (old, new) = (canonical_bytes(&command("anna", 500)), canonical_bytes(&command("anna", 600)));
    assert_eq!(old.len(), new.len());
    let (_folder, store, _) = fresh();
    let path = store.folder("s").join("00000001.seg");
    let changed = forge(&path, |kind, _, bytes| {
        if kind == INPUTS {
            replace(bytes, &old, &new)
        }
    });
    assert_eq!(changed, 1);
    noticed(&store, "s", "input 30 is not the command of anna that was obeyed there");

    // Nor does it help to change who it was, or what was said of it too: the chains are longer than one input.
    let (_folder, store, _) = fresh();
    let said = |loss| {
        let command = Command::SetLimits(Box::new(limits(loss)));
        canonical_bytes(&Output::Commanded { by: "anna".to_owned(), command })
    };
    let changed = forge(&store.folder("s").join("00000001.seg"), |kind, _, bytes| match kind {
        INPUTS => replace(bytes, &old, &new),
        OUTPUTS => replace(bytes, &said(500), &said(600)),
        _ => {}
    });
    assert_eq!(changed, 2);
    noticed(&store, "s", "the checkpoint after input 50 says");
}

#[test]
fn a_changed_input_of_which_nothing_was_said_is_noticed_by_the_chain_of_inputs() {
    let (_folder, store, manifest) = fresh();
    let mut is_first = true;
    forge(&store.folder("s").join("00000001.seg"), |kind, _, bytes| {
        if kind == INPUTS && std::mem::take(&mut is_first) {
            // Input 20 ends the first block, a gap in which 21 was found; 20 is as good a number.
            let last = bytes.last_mut().expect("rows");
            *last ^= 1;
        }
    });
    let input_digest = manifest.input_digest.expect("ended").to_string();
    noticed(&store, "s", &format!("the manifest says input digest {input_digest}, the recording has "));
    noticed(&store, "s", "the manifest says seal of limits at the start, inputs and outputs");
}

#[test]
fn a_risk_output_that_is_taken_out_is_noticed_even_if_the_counts_agree() {
    let output = Output::Risk {
        whose: papermaker::risk::Whose::Book,
        state: RiskState::Reducing,
        reason: "too much".to_owned(),
        by: "gate".to_owned(),
    };
    let body = canonical_bytes(&output);
    // Of input 50, behind two others: no input further, so many bytes, the bytes.
    let record = [&[0, u8::try_from(body.len()).expect("short")][..], &body].concat();
    let (_folder, store, mut manifest) = fresh();
    let mut taken = 0;
    for number in 1.. {
        let path = store.folder("s").join(format!("{number:08}.seg"));
        if !path.exists() {
            break;
        }
        forge(&path, |kind, count, bytes| {
            if kind == OUTPUTS && taken == 0 && bytes.windows(record.len()).any(|w| w == record) {
                replace(bytes, &record, &[]);
                (*count, taken) = (*count - 1, 1);
            }
        });
    }
    assert_eq!(taken, 1);
    manifest.counts.outputs -= 1;
    manifest.write(&RealDisk, &store.folder("s")).expect("written");
    noticed(&store, "s", "the checkpoint after input 50 says");
}

#[test]
fn limits_at_the_start_changed_in_the_manifest_are_noticed_with_and_without_their_digest() {
    let (_folder, store, manifest) = fresh();
    let folder = store.folder("s");
    let mut looser = manifest.clone();
    looser.spec.risk.instruments[0].long_max = Lots(1_001);
    looser.write(&RealDisk, &folder).expect("written");
    let error = store.verify("s", false).expect_err("not even read").to_string();
    assert!(error.contains("the spec was changed"), "{error}");
    looser.spec_digest = Some(of_state(&looser.spec));
    looser.write(&RealDisk, &folder).expect("written");
    noticed(&store, "s", "the manifest says seal of limits at the start, inputs and outputs");
}

#[test]
fn a_segment_of_another_session_or_place_is_noticed() {
    let (_folder, store, _) = fresh();
    let mut others = told();
    // As long, and another hand: everything else is byte for byte the same.
    others[29].0.input = Input::Command { by: "bert".to_owned(), command: Command::Pause };
    others[29].1.remove(0);
    recorded(&store, "other", &others, SMALL);
    let segment = |session: &str, n: u32| store.folder(session).join(format!("{n:08}.seg"));
    let own = fs::read(segment("s", 1)).expect("a segment");
    fs::copy(segment("other", 1), segment("s", 1)).expect("swapped");
    assert!(!store.verify("s", false).expect("it can be looked at").is_clean());
    fs::write(segment("s", 1), own).expect("put back");
    assert!(store.verify("s", false).expect("it reads").is_clean());
    let (second, third) = (segment("s", 2), segment("s", 3));
    let kept = [fs::read(&second).expect("a segment"), fs::read(&third).expect("a segment")];
    fs::write(&second, &kept[1]).expect("swapped");
    fs::write(&third, &kept[0]).expect("swapped");
    assert!(!store.verify("s", false).expect("it can be looked at").is_clean());
}

#[test]
fn who_computes_every_digest_anew_is_told_by_the_seal_that_was_kept_elsewhere_only() {
    // A whole other session under the same name: it proves itself, and is not the one that was sealed.
    let (_folder, store, manifest) = fresh();
    store.delete("s").expect("gone");
    let mut others = told();
    let Stamped { input, .. } = &mut others[29].0;
    *input = Input::Command { by: "nobody".to_owned(), command: Command::Resume };
    others[29].1[0] = Output::Commanded { by: "nobody".to_owned(), command: Command::Resume };
    let forged = recorded(&store, "s", &others, SMALL);
    let report = store.verify("s", false).expect("it reads");
    assert!(report.is_clean(), "{:?}", report.damage);
    assert_ne!(Some(report.seal), manifest.seal);
    assert_eq!(Some(report.seal), forged.seal);
    // The seal is what it says it is, by hand.
    let both = (forged.input_digest.expect("ended"), forged.output_digest.expect("ended"));
    assert_eq!(forged.seal, Some(seal(&forged.spec, both.0, both.1)));
}

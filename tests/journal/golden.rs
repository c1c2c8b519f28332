//! Small recordings kept in the repository: the code of today says what the code of then said.

use std::fs;
use std::path::Path;

use papermaker::journal::Store;
use papermaker::run::replay::replay;

#[test]
fn every_golden_session_still_ends_in_its_digest() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/golden");
    let mut found = 0;
    for entry in fs::read_dir(&goldens).expect("replay/golden is part of the repository") {
        let folder = entry.expect("a folder that can be read").path();
        if !folder.is_dir() {
            continue;
        }
        // A copy: reading makes an index and a lock beside what it reads.
        let store = tempfile::tempdir().expect("a temporary folder");
        let name = folder.file_name().expect("a folder has a name").to_owned();
        let copy = store.path().join(&name);
        fs::create_dir(&copy).expect("a folder in the temporary one");
        for file in fs::read_dir(&folder).expect("a session's folder") {
            let file = file.expect("a file that can be read").path();
            fs::copy(&file, copy.join(file.file_name().expect("a file has a name"))).expect("copied");
        }
        let id = name.to_string_lossy().into_owned();
        let opened = Store::open(store.path());
        let report = opened.verify(&id, true).expect("it can be read");
        assert!(report.is_clean(), "{id}: {:?}", report.damage);
        let report = replay(&opened, &id).expect("it can be replayed");
        assert!(report.identical, "{id}: {:?}", report.first_divergence);
        assert!(report.checkpoints > 0, "{id} should have checkpoints to compare with");
        found += 1;
    }
    assert!(found > 0, "no golden session in {}", goldens.display());
}

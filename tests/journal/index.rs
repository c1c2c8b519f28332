//! What one looks up, and that it can always be made again.

use std::fs;

use papermaker::journal::{Index, IndexCheck, Store, Tree};
use papermaker::order::OrderId;

use super::fixture::{SMALL, recorded, steps, temporary};

#[test]
fn orders_fills_checkpoints_and_the_risk_audit_are_found_by_key() {
    let folder = temporary();
    let store = Store::open(folder.path());
    let told = steps(130, 1);
    recorded(&store, "s", &told, SMALL);
    assert_eq!(store.verify("s", false).unwrap().index, IndexCheck::Consistent);
    let index = store.index("s").unwrap();
    let tens: Vec<u64> = (1..=13).map(|n| n * 10).collect();
    assert_eq!(index.fills(OrderId(7)).unwrap(), tens);
    assert_eq!(index.order(OrderId(7)).unwrap(), [&[3][..], &tens].concat());
    assert!(index.order(OrderId(8)).unwrap().is_empty());
    assert_eq!(index.risk().unwrap(), [25, 50, 75, 100, 125]);
    assert_eq!(index.checkpoints().unwrap().iter().map(|c| c.0).collect::<Vec<_>>(), [50, 100]);
    // Blocks of 20, and one closed early at each checkpoint: 1-20-40-50-70-90-100-120-130.
    assert_eq!(index.len(Tree::Blocks), 8);
    let (first, second) = (index.block_of(20).unwrap(), index.block_of(21).unwrap());
    assert!(first < second && second == index.block_of(40).unwrap());
    assert_eq!(index.block_at(told[29].0.at).unwrap(), second);
    assert_eq!(index.block_of(0).unwrap(), None);
}

#[test]
fn an_index_that_is_missing_or_damaged_is_made_anew_and_no_session_is_lost() {
    let folder = temporary();
    let store = Store::open(folder.path());
    recorded(&store, "s", &steps(130, 1), SMALL);
    let path = Index::path_of(&store.folder("s"));
    let fills = || store.index("s").unwrap().fills(OrderId(7)).unwrap().len();

    fs::remove_dir_all(&path).unwrap();
    assert_eq!(store.verify("s", false).unwrap().index, IndexCheck::Missing);
    assert_eq!(fills(), 13);

    for entry in fs::read_dir(&path).unwrap().flatten().filter(|e| e.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        fs::write(entry.path(), vec![0xa5; bytes.len().min(5000)]).unwrap();
    }
    let report = store.verify("s", false).unwrap();
    assert!(report.is_clean() && matches!(report.index, IndexCheck::Differs(_)), "{:?}", report.index);
    assert_eq!(fills(), 13);

    assert_eq!(store.verify("s", true).unwrap().index, IndexCheck::Rebuilt);
    assert_eq!(store.verify("s", false).unwrap().index, IndexCheck::Consistent);
}

#[test]
fn an_index_of_another_recording_is_noticed() {
    let folder = temporary();
    let store = Store::open(folder.path());
    recorded(&store, "a", &steps(100, 1), SMALL);
    recorded(&store, "b", &steps(130, 2), SMALL);
    let (a, b) = (Index::path_of(&store.folder("a")), Index::path_of(&store.folder("b")));
    fs::remove_dir_all(&a).unwrap();
    fs::rename(&b, &a).unwrap();
    assert!(matches!(store.verify("a", false).unwrap().index, IndexCheck::Differs(_)));
    assert_eq!(store.index("a").unwrap().fills(OrderId(7)).unwrap().len(), 10);
}

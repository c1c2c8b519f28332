//! Frames broken at random, for the properties every decoder must have.

use proptest::prelude::*;

/// One thing done to a frame. Positions wrap around.
#[derive(Clone, Debug)]
pub(crate) enum Break {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Swap(usize, usize),
}

/// One to three of them, with a liking for bytes that mean something in JSON.
pub(crate) fn breaks() -> impl Strategy<Value = Vec<Break>> {
    let byte = || prop_oneof![prop::sample::select(br#"0123456789.,:"[]{}-+eE utfbaABUTm\"#.to_vec()), any::<u8>()];
    let at = || 0..4_000usize;
    let one = prop_oneof![
        4 => (at(), byte()).prop_map(|(n, b)| Break::Replace(n, b)),
        2 => (at(), byte()).prop_map(|(n, b)| Break::Insert(n, b)),
        2 => at().prop_map(Break::Remove),
        1 => at().prop_map(Break::Cut),
        1 => (at(), at()).prop_map(|(a, b)| Break::Swap(a, b)),
    ];
    prop::collection::vec(one, 1..4)
}

/// The frame after all that.
pub(crate) fn broken(frame: &str, breaks: &[Break]) -> Vec<u8> {
    let mut bytes = frame.as_bytes().to_vec();
    for one in breaks {
        let len = bytes.len();
        match *one {
            Break::Insert(n, byte) => bytes.insert(n % (len + 1), byte),
            _ if len == 0 => {}
            Break::Replace(n, byte) => bytes[n % len] = byte,
            Break::Remove(n) => {
                bytes.remove(n % len);
            }
            Break::Cut(n) => bytes.truncate(n % len),
            Break::Swap(a, b) => bytes.swap(a % len, b % len),
        }
    }
    bytes
}

//! Ways to break a frame, for tests that a decoder survives them.

use proptest::prelude::*;

/// How many broken frames to try: `usual`, or as many as `PAPERMAKER_FRAMES` says.
pub fn tries(usual: u32) -> u32 {
    std::env::var("PAPERMAKER_FRAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// One thing done to a frame's bytes; positions count round the frame.
#[derive(Clone, Debug)]
pub enum Break {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Swap(usize, usize),
}

/// Any of them, mostly with bytes that mean something in JSON.
pub fn breaking() -> impl Strategy<Value = Break> {
    let byte = || prop_oneof![prop::sample::select(br#"0123456789.,:"[]{}-+eE utfbaABUTm\"#.to_vec()), any::<u8>()];
    let at = || 0..400usize;
    prop_oneof![
        4 => (at(), byte()).prop_map(|(n, b)| Break::Replace(n, b)),
        2 => (at(), byte()).prop_map(|(n, b)| Break::Insert(n, b)),
        2 => at().prop_map(Break::Remove),
        1 => at().prop_map(Break::Cut),
        1 => (at(), at()).prop_map(|(a, b)| Break::Swap(a, b)),
    ]
}

/// The frame after all of that.
pub fn broken(frame: &str, breaks: &[Break]) -> Vec<u8> {
    let mut bytes = frame.as_bytes().to_vec();
    for b in breaks {
        let len = bytes.len().max(1);
        match *b {
            Break::Replace(n, byte) if !bytes.is_empty() => bytes[n % len] = byte,
            Break::Insert(n, byte) => bytes.insert(n % len, byte),
            Break::Remove(n) if !bytes.is_empty() => {
                bytes.remove(n % len);
            }
            Break::Cut(n) => bytes.truncate(n % len),
            Break::Swap(a, b) if !bytes.is_empty() => bytes.swap(a % len, b % len),
            Break::Replace(..) | Break::Remove(_) | Break::Swap(..) => {}
        }
    }
    bytes
}

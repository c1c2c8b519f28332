//! Fingerprints: of everything a session said, and of everything it is.
//!
//! [`Chain`] is the running fingerprint of outputs: each link is `blake3(previous ‖ seq ‖ bytes)`, `seq` being the
//! input it was said to (64 bits, little endian). Two sessions with equal chains have said the same things to the same
//! inputs; changing, dropping, adding or moving one output changes every link after it. [`of_state`] fingerprints a value by its canonical bytes (postcard, fixed field
//! order, floats by their bits); types that go through it hold no hash maps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Thirty-two bytes that stand for more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of plain bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The first twelve hex digits, enough for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }

    /// From 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The running fingerprint of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Chain {
    link: Digest,
    length: u64,
}

impl Chain {
    /// Extends the chain by one item, said to input `seq`.
    pub fn extend(&mut self, seq: u64, item: &[u8]) {
        // Nearly every item is short, and blake3 is quickest with all of it in one piece.
        let mut whole = [0; 512];
        let len = 40 + item.len();
        let link = match whole.get_mut(..len) {
            Some(whole) => {
                whole[..32].copy_from_slice(&self.link.0);
                whole[32..40].copy_from_slice(&seq.to_le_bytes());
                whole[40..].copy_from_slice(item);
                blake3::hash(whole)
            }
            None => blake3::Hasher::new().update(&self.link.0).update(&seq.to_le_bytes()).update(item).finalize(),
        };
        self.link = Digest(*link.as_bytes());
        self.length += 1;
    }

    /// The last link.
    pub fn digest(&self) -> Digest {
        self.link
    }

    /// How many items have been chained.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// The fingerprint of a value's whole state.
///
/// Panics if the value cannot be serialised, which no type of the core does.
pub fn of_state<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(&canonical_bytes(value))
}

/// The canonical bytes of a value: what is chained, stored and compared.
pub fn canonical_bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("core types serialise")
}

/// As [`canonical_bytes`], at the beginning of a buffer that is used again; it grows as needed.
pub fn canonical_bytes_in<'a, T: Serialize + ?Sized>(value: &T, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    loop {
        // Not `to_extend`, which asks for room at every byte.
        match postcard::to_slice(value, buffer).map(|used| used.len()) {
            Ok(len) => return &buffer[..len],
            Err(postcard::Error::SerializeBufferFull) => buffer.resize(2 * buffer.len().max(128), 0),
            Err(error) => panic!("core types serialise: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_notices_change_loss_order_and_place() {
        let chain = |items: &str| {
            let mut c = Chain::default();
            items.split(' ').for_each(|i| c.extend(i[..1].parse().expect("a seq"), &i.as_bytes()[1..]));
            c.digest()
        };
        let honest = chain("1a 1b 2c");
        assert_eq!(honest, chain("1a 1b 2c"));
        for other in ["1a 2c 1b", "1a 1b", "1a 1b 2d", "1ab 2c", "1a 2b 2c"] {
            assert_ne!(honest, chain(other), "{other}");
        }
    }

    #[test]
    fn a_link_is_the_hash_of_the_last_link_the_input_and_the_item_however_long() {
        let mut chain = Chain::default();
        for len in [0, 1, 23, 24, 25, 471, 472, 473, 1_024, 5_000] {
            let (before, item) = (chain.digest(), vec![len as u8; len]);
            chain.extend(len as u64, &item);
            let whole = [&before.0[..], &(len as u64).to_le_bytes(), &item].concat();
            assert_eq!(chain.digest(), Digest::of(&whole), "{len} bytes");
        }
    }

    #[test]
    fn bytes_in_a_buffer_used_again_are_the_canonical_ones() {
        let mut buffer = Vec::new();
        for len in [3, 0, 300, 5_000, 7] {
            let value = vec![len as u16; len];
            assert_eq!(canonical_bytes_in(&value, &mut buffer), canonical_bytes(&value), "{len}");
        }
    }

    #[test]
    fn a_digest_reads_back_from_its_text() {
        let d = Digest::of(b"papermaker");
        assert_eq!(Digest::parse(&d.to_string()), Some(d));
        assert_eq!(Digest::parse("zz"), None);
    }
}

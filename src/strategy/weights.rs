//! Reading trained weights: the safetensors format, single precision only.
//!
//! A file is the length of its header (8 bytes, little endian), a JSON header that names each tensor's type, shape
//! and place, and the tensors' bytes, back to back. What is read decides where money goes, so nothing is guessed: a
//! file with a gap, an overlap, another number type, a weight that is not finite or a tensor nobody asked for is
//! refused with the tensor's name.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Why weights are not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are no safetensors file.
    #[error("{len} bytes of weights are not a safetensors file: {why}")]
    File {
        /// How many bytes there were.
        len: usize,
        /// What was wrong first.
        why: String,
    },
    /// The file does not say, in its metadata, that it is the kind of network we run.
    #[error("these weights are not for this program: metadata `{key}` is {found}, must be {expected:?}")]
    Kind {
        /// Metadata key.
        key: &'static str,
        /// Its value, or `absent`.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A tensor that cannot be used.
    #[error("tensor {name} ({dtype} {shape:?}) {why}")]
    Tensor {
        /// Its name.
        name: String,
        /// Its number type, as the file spells it.
        dtype: String,
        /// Its shape.
        shape: Vec<u64>,
        /// Why not.
        why: String,
    },
    /// A layer that does not fit.
    #[error("layer {layer}: {why}")]
    Layer {
        /// Which, from 0.
        layer: usize,
        /// How it does not fit.
        why: String,
    },
    /// Not the state dict of an actor.
    #[error("no actor of Stable-Baselines3 (PPO or SAC, MlpPolicy, separate networks): {why}")]
    Foreign {
        /// What is not there.
        why: String,
    },
    /// Some of a reference's tables.
    #[error("{found} of the {needed} tensors reference.*: what the policy was trained on is all of them or none")]
    Reference {
        /// How many there are.
        found: usize,
        /// How many there should be.
        needed: usize,
    },
    /// A network of no layers.
    #[error("a network needs at least one layer; none was found (looked for tensor layers.0.weight)")]
    Empty,
}

/// One tensor of single-precision numbers, the last axis running fastest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<u64>,
    pub(super) values: Vec<f32>,
}

impl Tensor {
    /// The complaint `why` about this tensor.
    pub(super) fn refused(&self, name: &str, why: &str) -> WeightsError {
        refused(name, "F32", &self.shape, why)
    }
}

/// A whole file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    /// First byte and the one after the last, from the end of the header.
    data_offsets: (u64, u64),
}

impl Weights {
    /// The tensors of a safetensors file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, WeightsError> {
        let no_file = |why: String| WeightsError::File { len: bytes.len(), why };
        let (length, rest) =
            bytes.split_first_chunk().ok_or_else(|| no_file("the header's length is cut off".into()))?;
        let length = u64::from_le_bytes(*length);
        let header = usize::try_from(length).ok().filter(|length| *length <= rest.len());
        let header =
            header.ok_or_else(|| no_file(format!("the header says it is {length} bytes, {} follow", rest.len())))?;
        let (header, data) = rest.split_at(header);
        let Header { metadata, tensors } =
            serde_json::from_slice(header).map_err(|e| no_file(format!("the header is not what it should be: {e}")))?;

        let mut in_order: Vec<_> = tensors.into_iter().collect();
        in_order.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut tensors = BTreeMap::new();
        let mut left = data;
        for (name, entry) in in_order {
            let (begin, end) = entry.data_offsets;
            let read = (data.len() - left.len()) as u64;
            let complaint = |why: String| refused(&name, &entry.dtype, &entry.shape, &why);
            if entry.dtype != "F32" {
                return Err(complaint("is not single precision; export it as F32".into()));
            }
            if begin != read {
                return Err(complaint(format!("begins at byte {begin}; the one before it ends at {read}")));
            }
            let size = entry.shape.iter().try_fold(4u64, |size, axis| size.checked_mul(*axis));
            if end.checked_sub(begin) != size {
                return Err(complaint(format!("does not fill bytes {begin}..{end}")));
            }
            let held = usize::try_from(end - begin).ok().and_then(|size| left.split_at_checked(size));
            let Some((own, after)) = held else {
                return Err(complaint(format!("ends at byte {end}; the data end at {}", data.len())));
            };
            left = after;
            let values: Vec<f32> = own.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(complaint(format!("holds {} at position {at}; weights are finite", values[at])));
            }
            tensors.insert(name, Tensor { shape: entry.shape, values });
        }
        if !left.is_empty() {
            return Err(no_file(format!("{} bytes at the end belong to no tensor", left.len())));
        }
        Ok(Self { metadata, tensors })
    }

    /// As a safetensors file: one content has one file. Tensors stand in the order of their names, and the header is filled up with
    /// spaces to a multiple of eight bytes, as the format's own writers do.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".to_owned(), serde_json::json!(self.metadata));
        }
        let mut data = Vec::new();
        for (name, tensor) in &self.tensors {
            let begin = data.len();
            data.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
            let entry = serde_json::json!({
                "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, data.len()]
            });
            header.insert(name.clone(), entry);
        }
        let mut header = serde_json::Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        [&(header.len() as u64).to_le_bytes(), &header[..], &data[..]].concat()
    }
}

fn refused(name: &str, dtype: &str, shape: &[u64], why: &str) -> WeightsError {
    WeightsError::Tensor { name: name.to_owned(), dtype: dtype.to_owned(), shape: shape.to_vec(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    fn complaint(header: &str, data: &[u8]) -> String {
        Weights::read(&file(header, data)).expect_err("refused").to_string()
    }

    /// 1.5 and -2: sign, exponent and fraction by hand.
    const TWO: [u8; 8] = [0x00, 0x00, 0xc0, 0x3f, 0x00, 0x00, 0x00, 0xc0];
    const HEADER: &str = r#"{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}} "#;

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let weights = Weights::read(&file(HEADER, &TWO)).unwrap();
        assert_eq!(weights.tensors["w"], Tensor { shape: vec![1, 2], values: vec![1.5, -2.0] });
        assert_eq!(weights.metadata["a"], "b");
    }

    #[test]
    fn what_is_written_is_read_and_one_content_is_one_file() {
        let weights = Weights::read(&file(HEADER, &TWO)).unwrap();
        let written = weights.write();
        assert_eq!(Weights::read(&written).unwrap(), weights);
        assert_eq!(Weights::read(&written).unwrap().write(), written);
        assert_eq!(written.len() % 8, 0);
    }

    #[test]
    fn every_other_file_is_refused_by_name() {
        let w = |dtype: &str, shape: &str, from: u64, to: u64| {
            format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
        };
        assert_eq!(
            complaint(&w("F16", "[4]", 0, 8), &TWO),
            "tensor w (F16 [4]) is not single precision; export it as F32"
        );
        assert_eq!(complaint(&w("F32", "[3]", 0, 8), &TWO), "tensor w (F32 [3]) does not fill bytes 0..8");
        assert_eq!(
            complaint(&w("F32", "[2]", 8, 0), &TWO),
            "tensor w (F32 [2]) begins at byte 8; the one before it ends at 0"
        );
        assert_eq!(complaint(&w("F32", "[3]", 0, 12), &TWO), "tensor w (F32 [3]) ends at byte 12; the data end at 8");
        let huge = "[4611686018427387904,16]";
        assert!(
            complaint(&w("F32", huge, 0, 0), &TWO).contains("does not fill bytes 0..0"),
            "4·2⁶²·16 = 2⁶⁸ is no size"
        );
        let long = complaint(&w("F32", "[1]", 0, 4), &TWO);
        assert!(long.ends_with("4 bytes at the end belong to no tensor"), "{long}");
        let infinite = [0x00, 0x00, 0xc0, 0x3f, 0x00, 0x00, 0x80, 0x7f];
        assert_eq!(
            complaint(&w("F32", "[2]", 0, 8), &infinite),
            "tensor w (F32 [2]) holds inf at position 1; weights are finite"
        );
        assert!(complaint("[]", &[]).contains("the header is not what it should be"));
        assert!(Weights::read(&[0; 7]).unwrap_err().to_string().contains("length is cut off"));
        let overlong = Weights::read(&[0xff; 20]).unwrap_err().to_string();
        assert!(overlong.contains("says it is 18446744073709551615 bytes, 12 follow"), "{overlong}");
    }

    proptest! {
        #[test]
        fn nothing_it_is_given_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Weights::read(&bytes);
        }

        #[test]
        fn no_damage_to_a_file_makes_it_panic(at in 0usize..100, with in any::<u8>(), cut in 0usize..100) {
            let mut bytes = file(HEADER, &TWO);
            bytes.truncate(bytes.len() - cut % bytes.len());
            let at = at % bytes.len();
            bytes[at] = with;
            let _ = Weights::read(&bytes);
        }

        #[test]
        fn no_header_makes_it_panic(shape in proptest::collection::vec(any::<u64>(), 0..4), from in any::<u64>(), to in any::<u64>()) {
            let header = format!(r#"{{"w":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{from},{to}]}}}}"#);
            let _ = Weights::read(&file(&header, &TWO));
        }
    }
}

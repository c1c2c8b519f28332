//! One digest for all that a recording proves: what was allowed at the start, what was heard, what was said.
//!
//! Checksums find what happened by accident; whoever changes a byte on purpose can compute them anew. So inputs are chained
//! as outputs are, and the **seal** is `blake3(spec ‖ inputs ‖ outputs)`, of three digests of 32 bytes each. A seal that
//! stands in the same folder proves only that nothing was changed by somebody who did not compute it anew, too. Kept
//! elsewhere (it is said at the end of every session, and by `sessions show --digest`), it proves that nothing was changed
//! at all. Frames of the wire and checkpoints are not sealed: a replay needs neither.

use crate::digest::{Chain, Digest, of_state};
use crate::engine::SessionSpec;

/// The running fingerprint of inputs, block by block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InputChain(Chain);

impl InputChain {
    /// Takes in the rows of one block, before compression.
    pub fn extend(&mut self, first_seq: u64, rows: &[u8]) {
        self.0.extend(first_seq, rows);
    }

    /// The last link.
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }
}

/// Of a whole recording.
///
/// * `inputs`, `outputs` — last links of both chains
pub fn seal(spec: &SessionSpec, inputs: Digest, outputs: Digest) -> Digest {
    Digest::of(&[of_state(spec).0, inputs.0, outputs.0].concat())
}

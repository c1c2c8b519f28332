//! How big we were where we stood: the caveat of every paper fill.
//!
//! The recorded market did not know of us. An order that is a small part of its level would have changed little; one
//! that is most of it would have been seen, joined, undercut, and its fills here are fiction to that degree. So the
//! largest part we ever were is kept, and said wherever a session is described.

use serde::{Deserialize, Serialize};

use crate::units::Lots;

/// The largest part of a displayed quantity that was ever ours, ours counted in.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Footprint {
    share_max_bps: u32,
}

impl Footprint {
    /// `ours` of `all` were ours.
    pub(super) fn saw(&mut self, ours: Lots, all: Lots) {
        if all > Lots::ZERO {
            let bps = i128::from(ours.0.clamp(0, all.0)) * 10_000 / i128::from(all.0);
            self.share_max_bps = self.share_max_bps.max(bps as u32);
        }
    }

    /// Basis points.
    pub(super) fn share_max_bps(self) -> u32 {
        self.share_max_bps
    }
}

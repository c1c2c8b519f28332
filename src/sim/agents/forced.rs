//! Somebody who must trade: the seller of a flash crash.

use serde::Serialize;

use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::message::Who;
use crate::sim::pit::Pit;
use crate::sim::scenario::{Forced as ForcedSpec, Window};
use crate::units::{Lots, Nanos, Side, Ticks};

/// The trader; he draws nothing at random.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Forced {
    spec: ForcedSpec,
    window: Window,
    who: Who,
    sent: u32,
}

impl Forced {
    pub(super) fn new(spec: ForcedSpec, window: Window, who: Who, pit: &mut Pit) -> Self {
        let forced = Self { spec, window, who, sent: 0 };
        forced.wait(pit.now, pit);
        forced
    }

    /// Until the window opens.
    fn wait(&self, from: Nanos, pit: &mut Pit) {
        if let Some(at) = self.window.begins(from) {
            pit.wake(self.who, at);
        }
    }

    pub(super) fn wake(&mut self, pit: &mut Pit) {
        let ForcedSpec { sell, lots, children } = self.spec;
        // What the first k pieces are for together is k parts of the whole, rounded down: the last one brings the rest.
        let upto = |k: u32| (i128::from(lots) * i128::from(k) / i128::from(children)) as i64;
        let qty = Lots(upto(self.sent + 1) - upto(self.sent));
        if qty > Lots::ZERO {
            let side = if sell { Side::Ask } else { Side::Bid };
            let order = Incoming::new(side, OrderKind::Market, Ticks(1), qty);
            pit.send(self.who, Nanos::ZERO, order, None);
        }
        self.sent += 1;
        if self.sent < children {
            pit.wake(self.who, pit.now + Nanos((self.window.lasting.0 / i64::from(children)).max(1)));
        } else {
            self.sent = 0;
            self.wait(pit.now + Nanos(1), pit);
        }
    }
}

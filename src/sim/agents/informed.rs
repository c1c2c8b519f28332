//! Toxic flow: traders who know what the value will be.
//!
//! Whoever sells to them sells too cheap, every time.

use serde::Serialize;

use super::Member;
use crate::exchange::matching::Incoming;
use crate::order::OrderKind;
use crate::sim::laws;
use crate::sim::pit::Pit;
use crate::sim::scenario::{Informed as InformedSpec, Window};
use crate::units::{Nanos, Side, Ticks};

/// They act as one.
#[derive(Clone, Debug, Serialize)]
pub(in crate::sim) struct Informed {
    spec: InformedSpec,
    window: Window,
    pub(super) member: Member,
}

impl Informed {
    pub(super) fn new(spec: &InformedSpec, window: Window, member: Member, pit: &mut Pit) -> Self {
        let mut informed = Self { spec: spec.clone(), window, member };
        informed.sleep(pit);
        informed
    }

    /// The next look; outside of the window they wait for it to open.
    fn sleep(&mut self, pit: &mut Pit) {
        let wait = laws::wait(self.member.stream.uniform(), 1.0 / self.spec.looks_per_s).max(Nanos(1));
        let at = match self.window.on(pit.now).0 {
            true => Some(pit.now + wait),
            false => self.window.begins(pit.now).map(|open| open + wait),
        };
        if let Some(at) = at {
            pit.wake(self.member.who, at);
        }
    }

    pub(super) fn wake(&mut self, pit: &mut Pit) {
        let qty = self.spec.size.of(laws::pair(&mut self.member.stream));
        if self.window.on(pit.now).0 {
            let worth = pit.value_ahead(laws::seconds(self.spec.ahead_s));
            let top = pit.seen(self.member.latency);
            // Up to the price that leaves them their edge.
            let (most, least) = (worth - self.spec.edge_ticks, worth + self.spec.edge_ticks);
            let order = if top.ask.0 as f64 <= most {
                Some((Side::Bid, most.floor()))
            } else if top.bid.0 as f64 >= least {
                Some((Side::Ask, least.ceil()))
            } else {
                None
            };
            if let Some((side, price)) = order {
                let price = Ticks((price as i64).max(1));
                pit.send(self.member.who, self.member.latency, Incoming::new(side, OrderKind::Ioc, price, qty), None);
            }
        }
        self.sleep(pit);
    }
}

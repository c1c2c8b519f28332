//! The gate's judgement of one decision, gone through again limit by limit. Nothing here changes a session.

use super::orders::Orders;
use super::session::Session;
use crate::market::InstrumentId;
use crate::order::Request;
use crate::risk::{Exposure, Gate, Refusal, Weighed};

/// A copy of what the gate knows of an instrument, just before a decision's requests reach it.
#[derive(Clone, Debug)]
pub struct Rehearsal<'a> {
    session: &'a Session,
    instrument: InstrumentId,
    gate: Gate,
    orders: Orders,
}

impl<'a> Rehearsal<'a> {
    /// Of a session that has decided and not yet carried out.
    pub fn new(session: &'a Session, instrument: InstrumentId) -> Self {
        Self {
            session,
            instrument,
            gate: session.gate.clone(),
            orders: session.desks[instrument.index()].orders.clone(),
        }
    }

    /// The next request, in the order of sending: every limit it was held against (none, of a cancellation), and what the
    /// gate said. Panics on a replacement of an order that is not alive.
    pub fn judge(&mut self, request: &Request) -> (Vec<Weighed>, Result<(), Refusal>) {
        let desk = &self.session.desks[self.instrument.index()];
        let told = desk.exposure(self.session.now, &self.orders, request, false);
        let exposure = Exposure { others: self.session.others(self.instrument), ..told };
        let weighed = self.gate.weigh(request, &exposure);
        let judged = self.gate.approve(request.clone(), &exposure).map(drop);
        if judged.is_ok() {
            self.orders.note_sent(request, self.session.now);
        }
        (weighed, judged)
    }
}

//! The gate's judgement of one decision, gone through again limit by limit. Nothing here changes a session.

use super::guard::beside;
use super::orders::Orders;
use super::session::Session;
use crate::market::InstrumentId;
use crate::order::Request;
use crate::risk::{Approved, Exposure, Gate, Refusal, Weighed};

/// A copy of what the gate knows of an instrument, just before a decision's requests reach it.
#[derive(Clone, Debug)]
pub struct Rehearsal<'a> {
    session: &'a Session,
    gate: Gate,
    orders: Orders,
}

impl<'a> Rehearsal<'a> {
    /// Of a session that has decided and not yet carried out.
    pub fn new(session: &'a Session, instrument: InstrumentId) -> Self {
        Self { session, gate: session.gate.clone(), orders: session.desks[instrument.index()].orders.clone() }
    }

    /// The gate's word on a request, by the very path a session takes for each; its orders stay as they are. Panics on a
    /// replacement of an order that is not alive.
    pub fn approve(&mut self, request: Request) -> Result<Approved<Request>, Refusal> {
        let exposure = self.exposure(&request);
        self.gate.approve(request, &exposure)
    }

    /// The next request, in the order of sending: every limit it was held against (none, of a cancellation), and what the
    /// gate said. Panics on a replacement of an order that is not alive.
    pub fn judge(&mut self, request: &Request) -> (Vec<Weighed>, Result<(), Refusal>) {
        let weighed = self.gate.weigh(request, &self.exposure(request));
        let judged = self.approve(request.clone()).map(drop);
        if judged.is_ok() {
            self.orders.note_sent(request, self.session.now);
        }
        (weighed, judged)
    }

    fn exposure(&self, request: &Request) -> Exposure<'a> {
        let session = self.session;
        let desk = &session.desks[request.instrument().index()];
        let beside = beside(&session.desks, &session.gate, &session.stakes, session.weighed, request);
        desk.exposure(session.now, &self.orders, request, beside)
    }
}

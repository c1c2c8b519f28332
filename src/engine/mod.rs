//! One door: stamped inputs in, outputs out, every output chained.

mod desk;
mod funding;
mod guard;
mod handover;
pub mod input;
mod look;
mod orders;
pub mod output;
mod rehearsal;
pub mod session;
pub mod spec;
mod stakes;
mod uses;
pub mod working;

pub use input::{Carried, Command, ITSELF, Input, Stamped};
pub use output::{BookState, EquityMark, FundingPayment, Output};
pub use rehearsal::Rehearsal;
pub use session::{Mode, Session};
pub use spec::{DeskSpec, QuotingSpec, SessionSpec};
pub use uses::LimitUse;

//! Sockets and REST.
//!
//! A venue's [`Protocol`](crate::wire::Protocol) knows what to say and what an answer means; this module owns
//! everything that can break in between. It believes that the network loses, stalls and repeats, that a silent
//! socket looks exactly like a quiet market, and that a venue's request to slow down is an order. So every change
//! of a connection is told to the session as an input ([`Heard`]) before any news that comes after it, a receiver
//! that is slow makes the socket wait instead of losing news, and nothing outlives [`run`].
//!
//! Reading order: [`run`] is the whole conversation; [`Endpoint`] says where, [`Settings`] how patiently,
//! [`discover`] asks what is traded there, [`Health`] is what the status page shows.

mod backoff;
mod discover;
mod endpoint;
mod health;
mod knock;
mod rest;
mod run;
mod settings;
mod socket;
mod window;

pub use backoff::Backoff;
pub use discover::discover;
pub use endpoint::{Endpoint, FeedError};
pub use health::Health;
pub use knock::{Knock, knock};
pub use rest::Place;
pub use run::{Ended, run};
pub use settings::{Settings, wall_clock};

use crate::engine::Input;
use crate::units::LocalTime;

/// One input for the session and when we heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Our clock at the receipt of the frame, reply or failure that said so.
    pub at: LocalTime,
    /// `Input::Market` or `Input::Feed`.
    pub input: Input,
}

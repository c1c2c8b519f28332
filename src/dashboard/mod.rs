//! The local API: what an operator, a browser and a Prometheus server see of a running session.
//!
//! It believes that a page on this machine is not a friend by default. Reading is free to whoever can reach the
//! address; a write needs the bearer token of the running bot (in `<store>/api.json`, readable by its owner only),
//! and no write is taken from a page of another origin. A request whose `Host` is a name other than `localhost` is
//! refused altogether, so that a web page cannot reach us by pointing its own name at 127.0.0.1.
//!
//! The session is not here. It hands over [`StatusSnapshot`]s and receives commands, which it records as inputs.
//!
//! Reading order: [`status`] is what is shown, [`news`] what has happened, [`Observer`] draws both; [`serve`] is the door, `guard`
//! its lock, `stream` how a thousand pages look at once, [`archive`] the way to recordings; [`contact`] is how the verbs find it,
//! [`client`] their side of the conversation. `page/` is the page, in small modules.

pub mod archive;
pub mod client;
mod connections;
pub mod contact;
pub mod deliveries;
pub mod drift;
mod guard;
pub mod history;
pub mod limits;
mod metrics;
pub mod news;
pub mod observer;
mod page;
pub mod policy;
mod server;
pub mod status;
mod stream;
mod terminal;
pub mod vitals;

pub use client::{Client, ClientError};
pub use contact::{Contact, ContactError};
pub use news::order as in_words;
pub use observer::Observer;
pub use server::{Behind, Handle, ROUTES, ServeError, serve};
pub use status::StatusSnapshot;
pub use vitals::Vitals;

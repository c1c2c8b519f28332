//! Real sockets on loopback: what a feed does when the other side misbehaves.

mod connection;
pub mod listener;
mod patience;

//! Sessions on disk.
//!
//! Two files do what each is good at. **Segments** are append-only and hold everything, in the order it happened:
//! blocks of inputs, what the session said to them, checkpoints. They are the recording. **sled** is the index of
//! it, what one looks up, and can be made again from the segments at any time. (Why not sled alone was measured:
//! its `flush` is not an fsync, and in a simulated power cut it lost every value above a page.)
//!
//! What is believed of the disk stands in [`disk`]; from it follows the promise: an input is appended before it is
//! obeyed, a block is on the platter before it counts as acknowledged, so a power cut loses at most the last
//! unacknowledged tenth of a second and never leaves a hole. A torn end is dropped with a note; a byte that
//! changed anywhere else is an error that names segment, offset and sequence; one that somebody changed on purpose, with
//! its checksum, is told by the chains of inputs and outputs, which [`seal()`] joins into one digest.
//!
//! ```text
//! <store>/<session>/manifest.toml  00000001.seg  00000002.seg …  index.sled/  lock
//! <store>/account.sled/
//! ```
//! Reading order: [`Store`] opens sessions, [`Writer`] and [`Reader`] are the two ends of one, [`Manifest`] says
//! what it is of; `frame` and `block` are the bytes.

mod account;
mod block;
pub mod disk;
mod error;
pub mod export;
mod frame;
pub mod import;
mod index;
mod lock;
mod manifest;
mod npz;
mod reader;
mod records;
mod recovery;
mod seal;
mod segment;
mod store;
mod varint;
mod verify;
mod writer;

pub use account::{Account, AccountState, Standstill};
pub use block::{InputBlock, InputRows, Malformed};
pub use error::JournalError;
pub use frame::SCHEMA;
pub use index::{Index, Tree};
pub use manifest::{Counts, MANIFEST_FILE, Manifest, SessionState, ShadowPrint, StrategyPrint};
pub use reader::{Encoded, RawFrame, Reader};
pub use recovery::Recovery;
pub use seal::seal;
pub use segment::Place;
pub use store::{SessionSummary, Store};
pub use verify::{IndexCheck, VerifyReport};
pub use writer::{Checkpoint, Durability, Ending, Options, Writer};

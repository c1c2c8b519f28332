//! Policies that learn, on burn.
//!
//! Training is seeded, and repeatable to the last bit on one kind of machine; what it leaves behind is a file of weights, and from
//! there on [`strategy::mlp`](crate::strategy::mlp) decides, the same everywhere.
//!
//! burn owns weights and optimisers and what is saved of them ([`flat`]); the arithmetic between two steps of an optimiser is
//! our own ([`fused`] over [`kernel`]), because a network of a few dozen neurons costs less than starting the tensor operations
//! it is made of. Wide networks can go to another device, as burn's tensors ([`away`]). burn's own network of the same shape ([`net`]) is what slopes are tested against, and the way out ([`export`]).
//!
//! Two learners, one file each: [`ppo`] and [`sac`]. Both are made of a configuration, an [`Environments`](crate::env::Environments)
//! and a seed; `update` learns, `actor` is the policy so far ([`apprentice::Pupil`]), `save` and `restore` go on where they stopped.
//!
//! ```
//! use papermaker::env::model::{Copies, Model, Seat};
//! use papermaker::learn::ppo::{Config, Ppo};
//!
//! let world = Copies::new(Seat::new(Model::P2), 32, 1)?;
//! let config = Config { total_steps: 2048, rollout: 32, minibatch: 512, ..Config::default() };
//! let mut training = Ppo::new(config, world, 1)?;
//! while !training.done() {
//!     let stats = training.update();
//!     println!("{} steps, {:?} an episode", stats.steps, stats.episode_return);
//! }
//! let policy = training.actor().network()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod advantage;
pub mod apprentice;
pub mod away;
pub mod buffer;
pub mod export;
pub mod flat;
pub mod fused;
pub mod kernel;
pub mod net;
pub mod ppo;
pub mod sac;

#[cfg(test)]
mod trials;

//! The drivers: who hands a session its next input, and where what it says goes.
//!
//! All of them end in the same two calls, [`crate::engine::Session::step`] and the journal's writer; [`core`] makes
//! them. [`live`] feeds it from sockets, [`replay`] from a recording (and compares), [`import`] from other programs'
//! files; [`rerun`] runs recorded inputs under other settings, [`backtest`] many of them at once, [`whatif`] compares what
//! comes of them with the recording, [`stress`] runs them with shocks, [`usage`] says how much of each limit they use.
//! [`simulate`] has a simulated market in the same hand, whose book our orders rest in. [`bracket`] runs shadows beside a
//! session, [`explain`] tells one decision, [`referee`] judges queue models, [`realism`] listens to markets,
//! [`recordings`] shows the page any moment of them, [`mod@calibrate`] makes one like a recorded one, `train` makes policies, [`alerts`] tell somebody of trouble, [`roll`] and [`retention`] keep weeks of it within bounds. What time it is they learn from [`crate::feed::wall_clock`].

pub mod alerts;
pub mod backtest;
pub mod bracket;
pub mod calibrate;
pub mod card;
pub mod core;
pub mod crowd;
pub mod evaluate;
pub mod explain;
pub mod import;
pub mod limits;
pub mod live;
pub mod policy;
pub mod prepare;
pub mod purse;
pub mod realism;
pub mod recordings;
pub mod referee;
pub mod replay;
pub mod report;
pub mod rerun;
pub mod retention;
pub mod roll;
pub mod room;
pub mod simulate;
pub mod simulated;
pub mod stress;
#[cfg(feature = "learn")]
pub mod train;
pub mod usage;
pub mod whatif;

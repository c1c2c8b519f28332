//! Reports: one HTML file that holds everything it shows.
//!
//! A report asks nobody for anything (its own content security policy forbids it), carries its charts' code and data, and is
//! the same bytes whenever it is made of the same recording. Numbers are written into the page here; its script draws
//! charts of the same data. What comes from outside (names, notes, the text of a strategy) reaches the page through
//! `page::Html::text` only, which escapes it.
//!
//! Reading order: [`tell`] reads a recording, [`session_html`] writes its report, [`backtest_html`] that of a backtest,
//! [`whatif_html`] that of a what-if, [`realism_html`] that of a market,
//! [`calibration_html`] that of a market made like a recorded one.

mod backtest;
mod calibration;
mod columns;
mod figures;
mod page;
mod realism;
mod session;
mod sweep;
mod whatif;

pub use backtest::backtest_html;
pub use calibration::calibration_html;
pub use realism::realism_html;
pub use session::{session_html, tell};
pub use whatif::whatif_html;

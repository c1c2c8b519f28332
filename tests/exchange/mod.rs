//! The paper venue's stories and storms are beside it (`src/exchange/paper/tests.rs`, `storm.rs`): only `risk` can
//! approve a request, and a test out here is not `risk`.

mod against_hftbacktest;

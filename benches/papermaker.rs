//! Benches, one module per floor they measure. `cargo bench --no-default-features -- depth` runs one of them.

mod market_data;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, market_data::depth);
criterion_main!(benches);

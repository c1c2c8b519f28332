//! What things cost. `taskset -c 1 cargo bench --no-default-features -- NAME`; figures are quoted as ratios in README.

mod journal;
mod market_data;
mod policy;

criterion::criterion_group!(all, journal::benches, market_data::depth, policy::forward);
criterion::criterion_main!(all);

//! What things cost. `taskset -c 1 cargo bench --no-default-features -- NAME`; figures are quoted as ratios in README.

mod by_serde;
mod chains;
mod engine;
mod exchange;
mod import;
mod journal;
mod market_data;
mod policy;
mod tape;
mod venues;
mod worlds;

criterion::criterion_group!(
    all,
    market_data::depth,
    venues::frames,
    journal::benches,
    import::raw,
    exchange::paper,
    engine::order,
    engine::session,
    policy::forward,
    worlds::step
);
criterion::criterion_main!(all);

//! Criterion benches, one module per floor.

mod journal;

criterion::criterion_group!(all, journal::benches);
criterion::criterion_main!(all);

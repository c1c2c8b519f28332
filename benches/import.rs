//! Another program's recording into a session: bytes of raw lines a second, everything included (survey, play, journal).

use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput};
use papermaker::config::{Sources, load};
use papermaker::journal::Store;
use papermaker::journal::import::{Format, Wish};
use papermaker::market::VenueId;
use papermaker::run::import::import;
use papermaker::units::Nanos;

use super::tape::lines;

/// Groups `import/…`.
pub fn raw(c: &mut Criterion) {
    let home = std::env::var_os("PAPERMAKER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let loaded = load(&Sources { dir: None, ..Sources::default() }).expect("the built-in settings");
    let mut group = c.benchmark_group("import");
    group.sample_size(10);
    for (name, file, venue) in [
        ("usdm", "binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz", VenueId::BinanceUsdm),
        ("spot", "binance-spot/hftbacktest_spot_btcusdt_20240808.gz", VenueId::BinanceSpot),
    ] {
        let file = home.join(file);
        if !file.is_file() {
            eprintln!("SKIPPED import/{name}: {} is not there", file.display());
            continue;
        }
        // With its line ends.
        let bytes: u64 = lines(&file).map(|line| line.len() as u64 + 1).sum();
        group.throughput(Throughput::Bytes(bytes));
        let wish = Wish {
            files: vec![file],
            format: Format::HftbacktestRaw,
            venue,
            symbol: "BTCUSDT".to_owned(),
            tick: None,
            lot: None,
            tick_every: Nanos::from_ms(50),
        };
        group.bench_function(name, |b| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let store = Store::open(folder.path());
            b.iter_batched(
                || {
                    let _ = store.delete("round");
                    vec![wish.clone()]
                },
                |wishes| import(&loaded, &store, "round", wishes, None).expect("imported"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

//! The rules, as data.

/// The floor table of DESIGN section 3, ground floor first. A module uses modules of lower floors only.
pub const FLOORS: [&[&str]; 10] = [
    &["digest", "numeric", "rng", "units"],
    &["market", "order"],
    &["portfolio", "signal", "wire"],
    &["risk", "strategy"],
    &["exchange"],
    &["engine", "sim"],
    &["env", "journal", "metrics"],
    &["config", "dashboard", "feed", "learn"],
    &["run"],
    &["cli", "main"],
];

/// Uses within a floor that are granted: who, whom, why.
pub const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("rng", "numeric", "normal and exponential draws need the one logarithm and cosine"),
    ("rng", "digest", "its test resumes a stream from canonical bytes"),
    ("order", "market", "an order names its instrument"),
    ("main", "cli", "the binary is one call"),
];

/// Where a foreign crate may be named: a module, or one submodule of it. Crates that are not here go anywhere.
pub const CRATES: &[(&str, &[&str])] = &[
    ("tokio", &["dashboard", "feed", "run", "cli", "sim::server"]),
    ("tokio_tungstenite", &["feed", "sim::server"]),
    ("futures_util", &["dashboard", "feed", "run", "sim::server"]),
    ("reqwest", &["dashboard", "feed", "run", "cli"]),
    ("axum", &["dashboard", "sim::server"]),
    ("tracing", &["config", "dashboard", "feed", "learn", "run", "cli", "sim::server"]),
    ("tracing_subscriber", &["cli"]),
    ("tracing_appender", &["cli"]),
    ("opentelemetry", &["cli"]),
    ("opentelemetry_sdk", &["cli"]),
    ("opentelemetry_otlp", &["cli"]),
    ("opentelemetry_appender_tracing", &["cli"]),
    ("tracing_opentelemetry", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("rustls", &["feed", "main"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
    ("burn", &["learn"]),
    ("sled", &["journal"]),
    ("zstd", &["journal"]),
    ("crc32c", &["journal", "run::train"]),
    ("crc32fast", &["wire"]),
    ("libm", &["numeric"]),
    ("rand_chacha", &["rng"]),
    ("blake3", &["digest", "rng", "dashboard"]),
    ("config", &["config"]),
    ("strsim", &["config", "cli", "feed", "strategy"]),
    ("jiff", &["cli", "run", "journal"]),
];

/// The first floor that may know threads, futures and the time of day.
pub const FIRST_FREE_FLOOR: usize = 7;

/// What would leak into a session's outputs below that floor, and by what it is closed.
pub const LEAKS: &[(&str, &str)] = &[
    ("HashMap", "hash order leaks into results: BTreeMap or a list"),
    ("HashSet", "hash order leaks into results: BTreeSet or a list"),
    ("Instant::now", "time arrives in Stamped"),
    ("SystemTime::now", "time arrives in Stamped"),
    ("Timestamp::now", "time arrives in Stamped"),
    ("Zoned::now", "time arrives in Stamped"),
    ("thread::spawn", "no threads below floor 7"),
    ("thread::scope", "no threads below floor 7"),
    ("thread::Builder", "no threads below floor 7"),
    ("async", "no futures below floor 7"),
];

/// Modules below that floor that may, and why.
pub const CLOCKS_AND_THREADS: &[(&str, &str)] = &[
    ("sim::server", "a venue is outside by nature: it talks to a session through a socket only"),
    ("journal::writer", "the disk has a thread of its own; the core only ever waits for it"),
];

/// Modules in which a float is a mistake: their numbers are money, or decide who gets it.
pub const EXACT: &[&str] = &["market", "order", "portfolio", "exchange::matching", "journal"];

/// Files of those that name a float all the same, and why that is not money.
pub const FLOATS_NEAR_MONEY: &[(&str, &str)] = &[
    ("src/journal/export/rows.rs", "the terms of a decision are a strategy's thoughts, written as they were"),
    ("src/journal/export/table.rs", "a cell can hold such a term"),
    ("src/journal/export/parquet.rs", "a column can hold such a term"),
    ("src/journal/npz.rs", "hftbacktest's rows are floats; this file is the bridge, and says how near is near enough"),
    ("src/journal/export/hftbacktest.rs", "those rows being made"),
    ("src/journal/import/npz.rs", "those rows being read"),
];

/// Names that mean a noun is missing.
pub const NOT_A_NOUN: &[&str] = &["utils", "util", "types", "common", "helpers", "helper", "misc", "stuff"];

/// Macros and attributes of work in progress.
pub const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Most lines of a file.
pub const LINES_MAX: usize = 600;

/// Files that are longer and still one idea, and which.
pub const LONG_FILES: &[(&str, &str)] = &[];

//! Every key there is, and what it may hold.
//!
//! One table, so that the loader, the nearest-key hint and the JSON schema cannot disagree. A `*` in a path stands
//! for a venue's name, under `risk.instruments` for a `VENUE:SYMBOL` label, under `risk.account_rates` for a currency,
//! under `paper.fee_tiers` for a `VENUE:NAME` of one's own choice, and under `alerts.to` for a name of one's own choice.

use rust_decimal::Decimal;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::layer::Scalar;
use crate::market::VenueId;

/// A key and what it may hold.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted, with `*` for a name.
    pub path: &'static str,
    /// What it may hold.
    pub kind: Kind,
}

/// What a key may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number within bounds.
    Whole(i64, i64),
    /// A number within bounds, for formulas.
    Number(f64, f64),
    /// A decimal within bounds, kept exactly, for money, quantities and rates.
    Exact(&'static str, &'static str),
    /// `true` or `false`.
    Flag,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// Any text but none.
    Text,
    /// A list of `VENUE:SYMBOL`.
    Instruments,
    /// `wss://…`, or `ws://…` to a loopback address.
    Websocket,
    /// `https://…`, or `http://…` to a loopback address.
    Rest,
    /// An IP address.
    Ip,
    /// An IP address and port.
    Socket,
}

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind }
}

const AMOUNT: Kind = Kind::Exact("0", "1000000000000");
const FEE: Kind = Kind::Exact("-100", "1000");
const LATENCY: Kind = Kind::OneOf(&["constant", "lognormal", "feed", "measured"]);
const QUEUE_MODEL: Kind =
    Kind::OneOf(&["risk-averse", "power", "power2", "power3", "log", "log2", "optimistic", "fifo"]);
const JITTER: Kind = Kind::Number(0.0, 3.0);
const FACTOR: Kind = Kind::Number(0.0, 100.0);
const SEED: Kind = Kind::Whole(0, 9_007_199_254_740_991);

/// All of them, in the order they are shown.
pub const KEYS: &[Key] = &[
    key("session.seed", SEED),
    key("session.tick_ms", Kind::Whole(1, 1_000)),
    key("session.equity_ms", Kind::Whole(10, 3_600_000)),
    key("session.checkpoint_inputs", Kind::Whole(1_000, 100_000_000)),
    key("session.roll_s", Kind::Whole(0, 31_536_000)),
    key("session.instruments", Kind::Instruments),
    key("strategy.file", Kind::Text),
    key("quoting.decide_every_ms", Kind::Whole(0, 60_000)),
    key("quoting.refresh_tolerance_bps", Kind::Exact("0", "1000")),
    key("quoting.order_age_max_ms", Kind::Whole(0, 86_400_000)),
    key("signals.volatility_grid_ms", Kind::Whole(10, 60_000)),
    key("signals.volatility_half_life_s", Kind::Number(1.0, 86_400.0)),
    key("signals.volatility_samples_min", Kind::Whole(2, 100_000)),
    key("signals.intensity_window_s", Kind::Number(1.0, 86_400.0)),
    key("signals.intensity_orders_min", Kind::Whole(2, 1_000_000)),
    key("signals.intensity_refit_s", Kind::Number(0.1, 3_600.0)),
    key("signals.intensity_k_min", Kind::Number(1e-7, 100.0)),
    key("signals.intensity_k_max", Kind::Number(1e-7, 100.0)),
    key("paper.feed_latency_us", Kind::Whole(0, 10_000_000)),
    key("paper.entry_latency_us", Kind::Whole(0, 10_000_000)),
    key("paper.response_latency_us", Kind::Whole(0, 10_000_000)),
    key("paper.latency_model", LATENCY),
    key("paper.entry_jitter", JITTER),
    key("paper.feed_factor", FACTOR),
    key("paper.latency_file", Kind::Text),
    key("paper.cancel.entry_latency_us", Kind::Whole(0, 10_000_000)),
    key("paper.cancel.latency_model", LATENCY),
    key("paper.cancel.entry_jitter", JITTER),
    key("paper.cancel.feed_factor", FACTOR),
    key("paper.replace.entry_latency_us", Kind::Whole(0, 10_000_000)),
    key("paper.replace.latency_model", LATENCY),
    key("paper.replace.entry_jitter", JITTER),
    key("paper.replace.feed_factor", FACTOR),
    key("paper.queue_model", QUEUE_MODEL),
    key("paper.queue_power", Kind::Number(0.1, 10.0)),
    key("paper.bracket", Kind::Flag),
    key("paper.maker_fee_bps", FEE),
    key("paper.taker_fee_bps", FEE),
    key("paper.fee_tiers.*.volume_min_quote", AMOUNT),
    key("paper.fee_tiers.*.maker_fee_bps", FEE),
    key("paper.fee_tiers.*.taker_fee_bps", FEE),
    key("risk.position_max_base", AMOUNT),
    key("risk.short_max_base", AMOUNT),
    key("risk.order_qty_max_base", AMOUNT),
    key("risk.order_notional_max_quote", AMOUNT),
    key("risk.open_orders_max", Kind::Whole(0, 1_000)),
    key("risk.collar_bps", Kind::Exact("0.01", "10000")),
    key("risk.spread_min_bps", Kind::Exact("0", "10000")),
    key("risk.stale_book_ms", Kind::Whole(50, 600_000)),
    key("risk.instrument_loss_max_quote", AMOUNT),
    key("risk.inventory_age_max_s", Kind::Whole(0, 31_536_000)),
    key("risk.volatility_max_bps", Kind::Exact("0", "10000")),
    key("risk.markout_loss_max_bps", Kind::Exact("0", "10000")),
    key("risk.markout_horizon_ms", Kind::Whole(1, 600_000)),
    key("risk.markout_fills", Kind::Whole(1, 1_000)),
    key("risk.feed_latency_max_ms", Kind::Whole(0, 600_000)),
    key("risk.clock_skew_max_ms", Kind::Whole(0, 600_000)),
    key("risk.order_rate_max_per_s", Kind::Whole(1, 10_000)),
    key("risk.cancel_rate_max_per_s", Kind::Whole(0, 10_000)),
    key("risk.gross_max_quote", AMOUNT),
    key("risk.net_max_quote", AMOUNT),
    key("risk.capital_quote", AMOUNT),
    key("risk.leverage_max", Kind::Exact("0", "1000")),
    key("risk.loss_max_quote", AMOUNT),
    key("risk.daily_loss_max_quote", AMOUNT),
    key("risk.hourly_loss_max_quote", AMOUNT),
    key("risk.drawdown_max_quote", AMOUNT),
    key("risk.daily_fees_max_quote", AMOUNT),
    key("risk.funding_max_quote", AMOUNT),
    key("risk.soft_percent", Kind::Whole(0, 99)),
    key("risk.clear_percent", Kind::Whole(1, 100)),
    key("risk.hold_s", Kind::Whole(0, 86_400)),
    key("risk.flatten_on_halt", Kind::Flag),
    key("risk.instruments.*.position_max_base", AMOUNT),
    key("risk.instruments.*.short_max_base", AMOUNT),
    key("risk.instruments.*.order_qty_max_base", AMOUNT),
    key("risk.instruments.*.order_notional_max_quote", AMOUNT),
    key("risk.instruments.*.open_orders_max", Kind::Whole(0, 1_000)),
    key("risk.instruments.*.collar_bps", Kind::Exact("0.01", "10000")),
    key("risk.instruments.*.spread_min_bps", Kind::Exact("0", "10000")),
    key("risk.instruments.*.stale_book_ms", Kind::Whole(50, 600_000)),
    key("risk.instruments.*.instrument_loss_max_quote", AMOUNT),
    key("risk.instruments.*.inventory_age_max_s", Kind::Whole(0, 31_536_000)),
    key("risk.instruments.*.volatility_max_bps", Kind::Exact("0", "10000")),
    key("risk.instruments.*.markout_loss_max_bps", Kind::Exact("0", "10000")),
    key("risk.instruments.*.markout_horizon_ms", Kind::Whole(1, 600_000)),
    key("risk.instruments.*.markout_fills", Kind::Whole(1, 1_000)),
    key("risk.instruments.*.feed_latency_max_ms", Kind::Whole(0, 600_000)),
    key("risk.instruments.*.clock_skew_max_ms", Kind::Whole(0, 600_000)),
    key("risk.instruments.*.position_max_quote", AMOUNT),
    key("risk.instruments.*.short_max_quote", AMOUNT),
    key("risk.instruments.*.order_qty_max_quote", AMOUNT),
    key("risk.venues.*.gross_max_quote", AMOUNT),
    key("risk.venues.*.net_max_quote", AMOUNT),
    key("risk.approved_by", Kind::Text),
    key("risk.approved_at", Kind::Text),
    key("risk.account_rates.*", Kind::Exact("0.000001", "1000000")),
    key("venues.*.ws_url", Kind::Websocket),
    key("venues.*.rest_url", Kind::Rest),
    key("venues.*.depth_limit", Kind::Whole(1, 5_000)),
    key("venues.*.first_data_ms", Kind::Whole(100, 600_000)),
    key("venues.*.stale_depth_ms", Kind::Whole(100, 3_600_000)),
    key("venues.*.stale_bbo_ms", Kind::Whole(100, 3_600_000)),
    key("venues.*.stale_trade_ms", Kind::Whole(100, 86_400_000)),
    key("venues.*.rules_poll_ms", Kind::Whole(0, 86_400_000)),
    key("venues.*.reconnect_base_ms", Kind::Whole(10, 60_000)),
    key("venues.*.reconnect_cap_ms", Kind::Whole(10, 600_000)),
    key("venues.*.rest_weight_max_per_min", Kind::Whole(1, 100_000)),
    key("venues.*.maker_fee_bps", FEE),
    key("venues.*.taker_fee_bps", FEE),
    key("store.path", Kind::Text),
    key("store.block_ms", Kind::Whole(1, 10_000)),
    key("store.segment_mib", Kind::Whole(1, 4_096)),
    key("store.raw_frames", Kind::Flag),
    key("store.disk_free_min_mib", Kind::Whole(0, 1_000_000)),
    key("store.disk_free_warn_mib", Kind::Whole(0, 1_000_000)),
    key("store.disk_free_keep_mib", Kind::Whole(0, 1_000_000)),
    key("store.keep_days", Kind::Whole(0, 36_500)),
    key("store.keep_mib", Kind::Whole(0, 1_000_000_000)),
    key("store.index_days", Kind::Whole(0, 36_500)),
    key("dashboard.enabled", Kind::Flag),
    key("dashboard.bind", Kind::Ip),
    key("dashboard.port", Kind::Whole(0, 65_535)),
    key("health.feed_stale_ms", Kind::Whole(100, 86_400_000)),
    key("health.journal_lag_ms", Kind::Whole(100, 86_400_000)),
    key("health.silent_ms", Kind::Whole(100, 86_400_000)),
    key("log.format", Kind::OneOf(&["text", "json"])),
    key("log.file", Kind::Text),
    key("log.rotate_mib", Kind::Whole(1, 100_000)),
    key("log.keep_files", Kind::Whole(1, 10_000)),
    key("log.keep_days", Kind::Whole(0, 36_500)),
    key("alerts.cooldown_s", Kind::Whole(0, 86_400)),
    key("alerts.disconnect_s", Kind::Whole(1, 86_400)),
    key("alerts.gap_storm", Kind::Whole(0, 1_000_000)),
    key("alerts.gap_storm_s", Kind::Whole(1, 86_400)),
    key("alerts.drawdown_quote", AMOUNT),
    key("alerts.timeout_ms", Kind::Whole(100, 60_000)),
    key("alerts.tries", Kind::Whole(1, 100)),
    key("alerts.to.*.shape", Kind::OneOf(&["generic", "slack", "telegram"])),
    key("alerts.to.*.url_env", Kind::Text),
    key("alerts.to.*.url_file", Kind::Text),
    key("alerts.to.*.chat", Kind::Text),
    key("simulator.embedded", Kind::Flag),
    key("simulator.listen", Kind::Socket),
    key("simulator.seed", SEED),
    key("simulator.market", Kind::Text),
    key("simulator.speed", Kind::Number(0.001, 100_000.0)),
    key("simulator.market_rate_per_s", Kind::Number(0.0, 100_000.0)),
];

/// The key a path names, if there is one.
pub fn find(path: &[String]) -> Option<&'static Key> {
    KEYS.iter().find(|k| segments_match(k.path, path) && k.path.split('.').count() == path.len())
}

/// Whether any key lies below this section.
pub fn is_section(path: &[String]) -> bool {
    KEYS.iter().any(|k| segments_match(k.path, path) && k.path.split('.').count() > path.len())
}

/// Whether `path` agrees with the beginning of `pattern`.
fn segments_match(pattern: &str, path: &[String]) -> bool {
    let in_venues = is_of_venues(pattern);
    let of_currencies = pattern.starts_with("risk.account_rates.");
    let of_receivers = pattern.starts_with("alerts.to.");
    let mut pattern = pattern.split('.');
    path.iter().all(|segment| match pattern.next() {
        Some("*") if in_venues => segment.parse::<VenueId>().is_ok(),
        Some("*") if of_currencies => !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric()),
        Some("*") if of_receivers => is_word(segment),
        Some("*") => is_label(segment),
        Some(word) => word == segment,
        None => false,
    })
}

/// Whether a pattern's name is a venue's.
fn is_of_venues(pattern: &str) -> bool {
    pattern.starts_with("venues.") || pattern.starts_with("risk.venues.")
}

/// Whether this is a name of one's own choice.
fn is_word(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    !text.is_empty() && text.chars().all(fine)
}

/// Whether this is a `VENUE:SYMBOL` of a venue we know.
pub fn is_label(text: &str) -> bool {
    text.split_once(':').is_some_and(|(venue, symbol)| venue.parse::<VenueId>().is_ok() && !symbol.is_empty())
}

/// The known key or section most like a misspelt path, dotted. A name that differs only in its unit comes first.
pub fn nearest(path: &[String]) -> Option<String> {
    let wrong = dotted(path);
    let last = path.last()?;
    let mut candidates: Vec<String> = Vec::new();
    for key in KEYS {
        for name in names_for(key.path, path) {
            let key_path = key.path.replace('*', &name);
            // Every section above the key is a candidate too, for a misspelt section.
            for (at, _) in key_path.match_indices('.') {
                candidates.push(key_path[..at].to_owned());
            }
            candidates.push(key_path);
        }
    }
    let score = |candidate: &str| {
        let own = candidate.rsplit('.').next().expect("split yields at least one part");
        if KEYS.iter().any(|k| k.path.ends_with(own)) && stem(own) == stem(last) {
            // Right word, wrong unit or wrong section; of several the one whose section is most alike.
            return 2.0 + strsim::normalized_damerau_levenshtein(candidate, &wrong);
        }
        strsim::normalized_damerau_levenshtein(candidate, &wrong)
            .max(0.9 * strsim::normalized_damerau_levenshtein(own, last))
    };
    let best = candidates.into_iter().max_by(|a, b| score(a).total_cmp(&score(b)).then_with(|| b.cmp(a)))?;
    (score(&best) >= 0.6).then_some(best)
}

/// What may stand for the `*` of a pattern when looking for a key near `path`.
fn names_for(pattern: &str, path: &[String]) -> Vec<String> {
    if is_of_venues(pattern) {
        let named =
            path.get(if pattern.starts_with("venues.") { 1 } else { 2 }).and_then(|s| s.parse::<VenueId>().ok());
        named.map_or_else(|| VenueId::ALL.to_vec(), |v| vec![v]).into_iter().map(|v| v.name().to_owned()).collect()
    } else if pattern.starts_with("risk.account_rates.") {
        vec![path.get(2).cloned().unwrap_or_else(|| "CURRENCY".to_owned())]
    } else if pattern.starts_with("alerts.to.") {
        vec![path.get(2).cloned().unwrap_or_else(|| "NAME".to_owned())]
    } else {
        let label = path.get(2).filter(|s| is_label(s)).cloned();
        vec![label.unwrap_or_else(|| "VENUE:SYMBOL".to_owned())]
    }
}

/// A key's last word without its unit: `stale_book` of `stale_book_ms`.
fn stem(word: &str) -> &str {
    const UNITS: [&str; 20] = [
        "_per_min", "_per_s", "_ms", "_us", "_ns", "_s", "_sec", "_min", "_h", "_bps", "_pct", "_percent", "_quote",
        "_base", "_usd", "_ticks", "_lots", "_kib", "_mib", "_gib",
    ];
    UNITS.iter().find_map(|unit| word.strip_suffix(unit)).unwrap_or(word)
}

/// A path as it is written in TOML and after `--set`.
pub fn dotted(path: &[String]) -> String {
    let bare = |s: &String| s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && !s.is_empty();
    let parts: Vec<String> = path.iter().map(|s| if bare(s) { s.clone() } else { format!("{s:?}") }).collect();
    parts.join(".")
}

impl Kind {
    /// The value as this kind holds it, or `None` if it may not.
    pub fn admit(self, given: &Scalar) -> Option<Scalar> {
        match (self, given) {
            (Kind::Whole(low, high), Scalar::Whole(v)) => (low <= *v && *v <= high).then(|| given.clone()),
            (Kind::Number(low, high), Scalar::Whole(_) | Scalar::Number(_)) => {
                let v = given.number()?;
                (low <= v && v <= high).then_some(Scalar::Number(v))
            }
            (Kind::Exact(low, high), Scalar::Whole(_) | Scalar::Number(_) | Scalar::Exact(_)) => {
                let v = given.decimal()?;
                let bound = |text: &str| text.parse::<Decimal>().expect("the table's bounds are decimals");
                (bound(low) <= v && v <= bound(high)).then(|| Scalar::Exact(v.normalize()))
            }
            (Kind::Flag, Scalar::Flag(_)) => Some(given.clone()),
            (Kind::OneOf(words), Scalar::Text(t)) => words.contains(&t.as_str()).then(|| given.clone()),
            (Kind::Text, Scalar::Text(t)) => (!t.trim().is_empty()).then(|| given.clone()),
            (Kind::Instruments, Scalar::List(items)) => {
                let distinct = items.iter().enumerate().all(|(i, item)| is_label(item) && !items[..i].contains(item));
                (distinct && !items.is_empty()).then(|| given.clone())
            }
            (Kind::Websocket, Scalar::Text(t)) => is_safe_url(t, "wss", "ws").then(|| trimmed_url(t)),
            (Kind::Rest, Scalar::Text(t)) => is_safe_url(t, "https", "http").then(|| trimmed_url(t)),
            (Kind::Ip, Scalar::Text(t)) => t.parse::<IpAddr>().is_ok().then(|| given.clone()),
            (Kind::Socket, Scalar::Text(t)) => t.parse::<SocketAddr>().is_ok().then(|| given.clone()),
            _ => None,
        }
    }

    /// Whether text given outside TOML (environment, `--set`) is meant as it stands.
    pub fn is_text(self) -> bool {
        match self {
            Kind::OneOf(_) | Kind::Text | Kind::Websocket | Kind::Rest | Kind::Ip | Kind::Socket => true,
            Kind::Whole(..) | Kind::Number(..) | Kind::Exact(..) | Kind::Flag | Kind::Instruments => false,
        }
    }
}

/// What is allowed, in words.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Whole(low, high) => write!(f, "a whole number, {low} to {high}"),
            Kind::Number(low, high) => write!(f, "a number, {low} to {high}"),
            Kind::Exact(low, high) => write!(f, "a decimal, {low} to {high}"),
            Kind::Flag => f.write_str("true or false"),
            Kind::OneOf(words) => {
                let (last, first) = words.split_last().expect("a choice has words");
                write!(f, "{} or {last}", first.join(", "))
            }
            Kind::Text => f.write_str("any text"),
            Kind::Instruments => f.write_str("a list of \"VENUE:SYMBOL\", at least one, no two alike"),
            Kind::Websocket => f.write_str("wss://…, or ws://… to a loopback address"),
            Kind::Rest => f.write_str("https://…, or http://… to a loopback address"),
            Kind::Ip => f.write_str("an IP address"),
            Kind::Socket => f.write_str("an IP address and port"),
        }
    }
}

/// A URL we may speak to: encrypted, or plain to this very machine.
pub fn is_safe_url(url: &str, secure: &str, plain: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().expect("split yields at least one part");
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().expect("split yields at least one part"),
        None => authority.split(':').next().expect("split yields at least one part"),
    };
    // A user name before the host ("http://127.0.0.1@elsewhere") is never needed and hides where we connect to.
    let sound = !host.is_empty() && !authority.contains('@') && !url.contains(char::is_whitespace);
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    sound && (scheme == secure || (scheme == plain && is_loopback))
}

/// Paths are appended to endpoints, so they end without a slash.
fn trimmed_url(url: &str) -> Scalar {
    Scalar::Text(url.trim_end_matches('/').to_owned())
}

//! The checked values, by section. What each means, with unit and range, stands in `config/default.toml`.
#![expect(missing_docs, reason = "config/default.toml documents every key, once")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::signal::SignalSpec;

/// Everything.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub session: SessionSettings,
    pub strategy: StrategySettings,
    pub quoting: QuotingSettings,
    pub signals: SignalSpec,
    pub paper: PaperSettings,
    pub risk: RiskSettings,
    /// By venue name; all nine are there.
    pub venues: BTreeMap<String, VenueSettings>,
    pub store: StoreSettings,
    pub dashboard: DashboardSettings,
    pub health: HealthSettings,
    pub log: LogSettings,
    pub alerts: AlertSettings,
    pub simulator: SimulatorSettings,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    pub seed: u64,
    pub tick_ms: u32,
    pub equity_ms: u32,
    pub checkpoint_inputs: u64,
    pub roll_s: u32,
    /// `VENUE:SYMBOL`, checked, no two alike.
    pub instruments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategySettings {
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotingSettings {
    pub decide_every_ms: u32,
    pub refresh_tolerance_bps: Decimal,
    pub order_age_max_ms: u32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperSettings {
    pub feed_latency_us: u32,
    pub entry_latency_us: u32,
    pub response_latency_us: u32,
    pub latency_model: LatencyChoice,
    pub entry_jitter: f64,
    pub feed_factor: f64,
    pub latency_file: Option<PathBuf>,
    #[serde(default)]
    pub cancel: WaySettings,
    #[serde(default)]
    pub replace: WaySettings,
    pub queue_model: QueueChoice,
    pub queue_power: f64,
    pub bracket: bool,
    pub maker_fee_bps: Decimal,
    pub taker_fee_bps: Decimal,
    /// By `VENUE:NAME`.
    #[serde(default)]
    pub fee_tiers: BTreeMap<String, TierSettings>,
}

/// What of `[paper]` is different for one kind of request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaySettings {
    pub entry_latency_us: Option<u32>,
    pub latency_model: Option<LatencyChoice>,
    pub entry_jitter: Option<f64>,
    pub feed_factor: Option<f64>,
}

/// All three are there, [`super::load`] sees to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierSettings {
    pub volume_min_quote: Option<Decimal>,
    pub maker_fee_bps: Option<Decimal>,
    pub taker_fee_bps: Option<Decimal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyChoice {
    Constant,
    Lognormal,
    Feed,
    Measured,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueChoice {
    RiskAverse,
    Power,
    Power2,
    Power3,
    Log,
    Log2,
    Optimistic,
    Fifo,
}

/// Zero is no limit for every key that may be zero, but for the counts of a position, an order and open orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskSettings {
    pub position_max_base: Decimal,
    /// As `position_max_base` unless told otherwise.
    pub short_max_base: Option<Decimal>,
    pub order_qty_max_base: Decimal,
    pub order_notional_max_quote: Decimal,
    pub open_orders_max: u32,
    pub collar_bps: Decimal,
    pub spread_min_bps: Decimal,
    pub stale_book_ms: u32,
    pub instrument_loss_max_quote: Decimal,
    pub inventory_age_max_s: u32,
    pub volatility_max_bps: Decimal,
    pub markout_loss_max_bps: Decimal,
    pub markout_horizon_ms: u32,
    pub markout_fills: u32,
    pub feed_latency_max_ms: u32,
    pub clock_skew_max_ms: u32,
    pub order_rate_max_per_s: u32,
    pub cancel_rate_max_per_s: u32,
    pub gross_max_quote: Decimal,
    pub net_max_quote: Decimal,
    pub capital_quote: Decimal,
    pub leverage_max: Decimal,
    pub loss_max_quote: Decimal,
    pub daily_loss_max_quote: Decimal,
    pub hourly_loss_max_quote: Decimal,
    pub drawdown_max_quote: Decimal,
    pub daily_fees_max_quote: Decimal,
    pub funding_max_quote: Decimal,
    pub soft_percent: u32,
    pub clear_percent: u32,
    pub hold_s: u32,
    pub flatten_on_halt: bool,
    /// By `VENUE:SYMBOL`.
    #[serde(default)]
    pub instruments: BTreeMap<String, InstrumentRisk>,
    /// By venue name.
    #[serde(default)]
    pub venues: BTreeMap<String, VenueRisk>,
    /// Who has approved that limits let more through than before.
    pub approved_by: Option<String>,
    /// When; an approval is good for one change.
    pub approved_at: Option<String>,
    /// By currency: one unit of it in account currency.
    #[serde(default)]
    pub account_rates: BTreeMap<String, Decimal>,
}

/// What of `[risk]` is different for one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentRisk {
    pub position_max_base: Option<Decimal>,
    pub short_max_base: Option<Decimal>,
    pub order_qty_max_base: Option<Decimal>,
    pub position_max_quote: Option<Decimal>,
    pub short_max_quote: Option<Decimal>,
    pub order_qty_max_quote: Option<Decimal>,
    pub order_notional_max_quote: Option<Decimal>,
    pub open_orders_max: Option<u32>,
    pub collar_bps: Option<Decimal>,
    pub spread_min_bps: Option<Decimal>,
    pub stale_book_ms: Option<u32>,
    pub instrument_loss_max_quote: Option<Decimal>,
    pub inventory_age_max_s: Option<u32>,
    pub volatility_max_bps: Option<Decimal>,
    pub markout_loss_max_bps: Option<Decimal>,
    pub markout_horizon_ms: Option<u32>,
    pub markout_fills: Option<u32>,
    pub feed_latency_max_ms: Option<u32>,
    pub clock_skew_max_ms: Option<u32>,
}

/// Limits over the instruments of one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueRisk {
    pub gross_max_quote: Option<Decimal>,
    pub net_max_quote: Option<Decimal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueSettings {
    pub ws_url: String,
    pub rest_url: String,
    pub depth_limit: u32,
    pub first_data_ms: u32,
    pub stale_depth_ms: u32,
    pub stale_bbo_ms: u32,
    pub stale_trade_ms: u32,
    pub rules_poll_ms: u32,
    pub reconnect_base_ms: u32,
    pub reconnect_cap_ms: u32,
    pub rest_weight_max_per_min: u32,
    pub maker_fee_bps: Option<Decimal>,
    pub taker_fee_bps: Option<Decimal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    pub path: PathBuf,
    pub block_ms: u32,
    pub segment_mib: u32,
    pub raw_frames: bool,
    pub disk_free_min_mib: u64,
    pub disk_free_warn_mib: u64,
    pub disk_free_keep_mib: u64,
    pub keep_days: u32,
    pub keep_mib: u64,
    pub index_days: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DashboardSettings {
    pub enabled: bool,
    pub bind: IpAddr,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthSettings {
    pub feed_stale_ms: u32,
    pub journal_lag_ms: u32,
    pub silent_ms: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    pub file: Option<PathBuf>,
    pub rotate_mib: u64,
    pub keep_files: usize,
    pub keep_days: u32,
}

/// Lines for people on stderr, for verbs whose configuration cannot be read.
impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, file: None, rotate_mib: 64, keep_files: 10, keep_days: 30 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertSettings {
    pub cooldown_s: u32,
    pub disconnect_s: u32,
    pub gap_storm: u64,
    pub gap_storm_s: u32,
    pub drawdown_quote: Decimal,
    pub timeout_ms: u32,
    pub tries: u32,
    /// By a name of one's own choice.
    #[serde(default)]
    pub to: BTreeMap<String, ReceiverSettings>,
}

/// Where alerts go. The address is a secret: only where to find it stands here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSettings {
    #[serde(default)]
    pub shape: AlertShape,
    pub url_env: Option<String>,
    pub url_file: Option<PathBuf>,
    pub chat: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertShape {
    #[default]
    Generic,
    Slack,
    Telegram,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatorSettings {
    pub embedded: bool,
    pub listen: SocketAddr,
    pub seed: u64,
    pub market: String,
    pub speed: f64,
    pub market_rate_per_s: f64,
}

//! The picture for Prometheus: text format 0.0.4, everything under `papermaker_`, the process under its usual names.
//!
//! Names are a promise: dashboards and alerts of others hang on them. `config/README.md` lists them, and a test holds the
//! list, the Grafana dashboard beside it and this page together.

use std::fmt::{Display, Write};

use rustix::time::{ClockId, clock_gettime};

use super::deliveries::ReceiverStatus;
use super::drift::DriftStatus;
use super::status::{FeedStatus, Phase, PnlStatus, StatusSnapshot, Terms};
use super::vitals::Vitals;

/// One page of metrics.
pub(super) fn page(all: &StatusSnapshot, vitals: &Vitals) -> String {
    let mut page = Page(String::new());
    page.family("info", "gauge", "Always 1; the labels say what runs. PAPER: no order leaves this program.");
    page.sample("info", &[("session", &all.session), ("version", &all.version), ("paper", "true")], 1);
    page.family("state", "gauge", "1 for the phase the session is in, 0 for the others.");
    for phase in Phase::ALL {
        page.sample("state", &[("phase", phase.word())], u8::from(phase == all.state));
    }
    page.lone("healthy", "gauge", "1 while /healthz says 200.", u8::from(vitals.complaints(all).is_empty()));
    page.lone("picture_age_seconds", "gauge", "Age of everything on this page.", seconds(vitals.picture_age_ms(all)));
    page.lone("uptime_seconds", "gauge", "Since the first input.", all.uptime_s);
    page.lone("inputs_total", "counter", "Inputs taken in.", all.seq);
    page.lone("fills_total", "counter", "Fills so far.", all.fills);
    page.lone("refusals_total", "counter", "Requests the risk gate refused.", all.refusals);
    page.family("refused_total", "counter", "The same by reason code.");
    for (code, count) in &all.refusals_by_code {
        page.sample("refused_total", &[("code", code)], count);
    }
    page.lone("journal_lag_seconds", "gauge", "From the last input to the last on disk.", seconds(all.journal.lag_ms));
    page.lone("journal_waiting", "gauge", "Records waiting for the writer.", all.journal.waiting);
    page.lone("journal_bytes", "gauge", "Bytes of the session on disk.", all.journal.bytes);

    page.family("disk_free_bytes", "gauge", "Free on the disk of the store.");
    if let Some(free) = all.journal.disk_free_bytes {
        page.sample("disk_free_bytes", &[], free);
    }
    for (name, kind, help, value) in RECEIVERS {
        page.family(name, kind, help);
        for receiver in &all.alerts {
            page.sample(name, &[("receiver", &receiver.name)], value(receiver));
        }
    }

    page.family("feed_connected", "gauge", "Whether the venue's socket is open.");
    for f in &all.feeds {
        page.sample(
            "feed_connected",
            &[("venue", &f.venue), ("connection", &f.connection.to_string())],
            u8::from(f.connected),
        );
    }
    page.family("feed_age_seconds", "gauge", "Since the venue's last frame.");
    for f in &all.feeds {
        if let Some(ms) = f.age_ms {
            page.sample(
                "feed_age_seconds",
                &[("venue", &f.venue), ("connection", &f.connection.to_string())],
                seconds(ms),
            );
        }
    }
    page.family(
        "feed_latency_seconds",
        "gauge",
        "How late a venue's news is by its stamps, quantiles of the last 1024.",
    );
    for f in &all.feeds {
        for (quantile, ms) in f.latency.iter().flat_map(|l| [("0.5", l.p50_ms), ("0.9", l.p90_ms), ("0.99", l.p99_ms)])
        {
            let labels = [("venue", &*f.venue), ("connection", &f.connection.to_string()), ("quantile", quantile)];
            page.sample("feed_latency_seconds", &labels, number(ms / 1e3));
        }
    }
    for (name, help, value) in FEED_COUNTERS {
        page.family(name, "counter", help);
        for f in &all.feeds {
            page.sample(name, &[("venue", &f.venue), ("connection", &f.connection.to_string())], value(f));
        }
    }

    page.family("book_live", "gauge", "Whether the book can be traded on.");
    for it in &all.instruments {
        page.sample("book_live", &[("instrument", &it.label), ("state", &it.book)], u8::from(it.book == "live"));
    }
    page.family("mid", "gauge", "Mid price.");
    for it in &all.instruments {
        if let Some(mid) = &it.mid {
            page.sample("mid", &[("instrument", &it.label)], mid);
        }
    }
    page.lone("gross_notional_quote", "gauge", "Worth of all positions without signs.", &all.gross_notional_quote);
    page.family("position", "gauge", "Signed inventory, base units (of inverse contracts quote units).");
    for it in &all.instruments {
        page.sample("position", &[("instrument", &it.label)], &it.position);
    }
    page.family("quotes", "gauge", "Our orders that may still trade.");
    for it in &all.instruments {
        page.sample("quotes", &[("instrument", &it.label)], it.quotes.len());
    }
    page.family("risk_state", "gauge", "1 for what the limits let through of an instrument, 0 for the others.");
    for it in &all.instruments {
        for state in ["active", "reducing", "halted"] {
            page.sample("risk_state", &[("instrument", &it.label), ("state", state)], u8::from(it.risk == state));
        }
    }
    page.family("decision_age_seconds", "gauge", "Since the strategy was last asked.");
    for it in &all.instruments {
        if let Some(ms) = it.decision_age_ms {
            page.sample("decision_age_seconds", &[("instrument", &it.label)], seconds(ms));
        }
    }
    for (name, help, value) in TERMS {
        page.family(name, "gauge", help);
        for it in &all.instruments {
            if let Some(terms) = &it.terms {
                page.sample(name, &[("instrument", &it.label), ("strategy", &it.strategy)], number(value(terms)));
            }
        }
    }
    page.family("limit_share", "gauge", "Use of a risk limit, 1 is all of it.");
    for l in &all.limits {
        page.sample("limit_share", &[("instrument", "all"), ("limit", &l.limit)], l.share);
    }
    for it in &all.instruments {
        for l in &it.limits {
            page.sample("limit_share", &[("instrument", &it.label), ("limit", &l.limit)], l.share);
        }
    }
    for (name, help, value) in MONEY {
        page.family(name, "gauge", help);
        for it in &all.instruments {
            if let Some(pnl) = &it.pnl {
                page.sample(name, &[("instrument", &it.label), ("currency", &it.settle)], value(pnl));
            }
        }
    }
    for (name, kind, help, value) in DRIFT {
        page.family(name, kind, help);
        for it in &all.instruments {
            if let Some(value) = it.drift.as_ref().and_then(value) {
                page.sample(name, &[("instrument", &it.label)], value);
            }
        }
    }
    page.family(
        "policy_action",
        "gauge",
        "What the policy answers for a quote, -1 to 1: of its reach, or between its depths; more is farther from the mid.",
    );
    for it in &all.instruments {
        for (side, action) in it.policy.iter().flat_map(|policy| ["bid", "ask"].into_iter().zip(policy.action)) {
            page.sample("policy_action", &[("instrument", &it.label), ("side", side)], number(action));
        }
    }
    page.family("policy_log_probability", "gauge", "Of the action, where the policy explores.");
    for it in &all.instruments {
        if let Some(logp) = it.policy.as_ref().and_then(|policy| policy.logp) {
            page.sample("policy_log_probability", &[("instrument", &it.label)], number(logp));
        }
    }
    page.family(
        "bracket_equity_quote",
        "gauge",
        "Equity under either bound of the queue model; none without a bracket.",
    );
    for bound in &all.bracket {
        for it in &bound.instruments {
            let labels = [("instrument", &*it.label), ("bound", &*bound.bound), ("currency", &*it.settle)];
            page.sample("bracket_equity_quote", &labels, &it.equity);
        }
    }
    page.family("bracket_fills_total", "counter", "Fills under either bound of the queue model.");
    for bound in &all.bracket {
        page.sample("bracket_fills_total", &[("bound", &bound.bound)], bound.fills);
    }
    process(&mut page);
    page.0
}

/// What Prometheus's own clients say of a process, where the system tells.
fn process(page: &mut Page) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    page.plain("process_cpu_seconds_total", "counter", "Processor time used.");
    page.line("process_cpu_seconds_total", &[], cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
    page.plain("process_resident_memory_bytes", "gauge", "Memory in use.");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    if let Some(kib) = kib {
        page.line("process_resident_memory_bytes", &[], kib * 1024);
    }
    page.plain("process_open_fds", "gauge", "Open files and sockets.");
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.line("process_open_fds", &[], open.count());
    }
}

type Estimate = (&'static str, &'static str, fn(&Terms) -> f64);
const TERMS: [Estimate; 5] = [
    ("strategy_reservation_ticks", "Price at which the strategy is indifferent, ticks.", |t| t.reservation),
    ("strategy_volatility_ticks", "Volatility estimate, ticks per square root of a second.", |t| t.sigma),
    ("strategy_intensity_per_second", "Fill intensity A at the mid, 1/s.", |t| t.a),
    ("strategy_intensity_decay_per_tick", "Its decay k with distance, 1/tick.", |t| t.k),
    ("strategy_risk_aversion", "Risk aversion, 1/(tick lot).", |t| t.gamma),
];

type OfReceiver = (&'static str, &'static str, &'static str, fn(&ReceiverStatus) -> u64);
const RECEIVERS: [OfReceiver; 4] = [
    ("alerts_sent_total", "counter", "Alerts a receiver has taken.", |r| r.sent),
    ("alerts_failed_total", "counter", "Alerts given up after every try.", |r| r.failed),
    ("alerts_dropped_total", "counter", "Alerts that found no room in the queue.", |r| r.dropped),
    ("alerts_waiting", "gauge", "Alerts on their way.", |r| r.waiting),
];

type FeedCounter = (&'static str, &'static str, fn(&FeedStatus) -> u64);
const FEED_COUNTERS: [FeedCounter; 3] = [
    ("feed_frames_total", "Frames received.", |f| f.frames),
    ("feed_gaps_total", "Holes in the venue's sequence.", |f| f.gaps),
    ("feed_reconnects_total", "Sockets opened after the first.", |f| f.reconnects),
];

/// In the settlement currency, which the label `currency` names; of inverse contracts that is the base asset.
type Amount = (&'static str, &'static str, fn(&PnlStatus) -> &str);
const MONEY: [Amount; 8] = [
    ("equity_quote", "Realised + unrealised - fees - funding.", |p| &p.equity),
    ("pnl_spread_quote", "What quoting earned: distance of fills from the mid.", |p| &p.spread),
    ("pnl_inventory_quote", "What the inventory gained from moves of the mid.", |p| &p.inventory),
    ("pnl_realised_quote", "Of closed quantity, before fees.", |p| &p.realised),
    ("pnl_unrealised_quote", "Of open quantity, before fees.", |p| &p.unrealised),
    ("fees_quote", "Fees paid.", |p| &p.fees),
    ("funding_quote", "Funding paid.", |p| &p.funding),
    ("drawdown_quote", "Highest equity so far minus equity.", |p| &p.drawdown),
];

/// Of instruments that a learned policy with a drift gate quotes, once it has looked.
type Drifted = (&'static str, &'static str, &'static str, fn(&DriftStatus) -> Option<f64>);
const DRIFT: [Drifted; 6] = [
    ("policy_drift_tripped", "gauge", "Whether GLFT quotes in the policy's place.", |d| {
        Some(u8::from(d.tripped).into())
    }),
    ("policy_drift_psi", "gauge", "Stability index of the column furthest beyond its limit.", |d| Some(d.psi)),
    ("policy_drift_psi_limit", "gauge", "That limit.", |d| Some(d.psi_limit)),
    ("policy_drift_mmd_p", "gauge", "Likelihood that chance makes the discrepancy; none within the limit.", |d| {
        d.mmd_p
    }),
    ("policy_drift_looks_total", "counter", "Windows held against the training.", |d| Some(d.looks as f64)),
    ("policy_drift_trips_total", "counter", "How often the policy went off.", |d| Some(d.trips as f64)),
];

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

/// A float as the format spells it.
fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".to_owned(),
        v if v.is_infinite() => if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        v => v.to_string(),
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.plain(&format!("papermaker_{name}"), kind, help);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.line(&format!("papermaker_{name}"), labels, value);
    }

    fn lone(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A family under its full name.
    fn plain(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample under its full name.
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

/// A label's text: the format escapes backslash, quote and line feed.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests;

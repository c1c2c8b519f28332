//! The picture for Prometheus: text format 0.0.4, everything under `papermaker_`.

use std::fmt::{Display, Write};

use super::status::{DriftStatus, Phase, PnlStatus, StatusSnapshot};

/// One page of metrics.
pub(super) fn page(all: &StatusSnapshot) -> String {
    let mut page = Page(String::new());
    page.family("info", "gauge", "Always 1; the labels say what runs. PAPER: no order leaves this program.");
    page.sample("info", &[("session", &all.session), ("version", &all.version), ("paper", "true")], 1);
    page.family("state", "gauge", "1 for the phase the session is in, 0 for the others.");
    for phase in Phase::ALL {
        page.sample("state", &[("phase", phase.word())], u8::from(phase == all.state));
    }
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
    page.0
}

type FeedCounter = (&'static str, &'static str, fn(&super::status::FeedStatus) -> u64);
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

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP papermaker_{name} {help}\n# TYPE papermaker_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "papermaker_{name}{labels} {value}");
    }

    fn lone(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}

/// A label's text: the format escapes backslash, quote and line feed.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::super::status::testing::a_snapshot;
    use super::*;

    #[test]
    fn the_numbers_of_the_picture_are_the_samples() {
        let mut all = a_snapshot();
        all.refusals_by_code.insert("STATE_REDUCING".to_owned(), 3);
        let text = page(&all);
        for line in [
            "papermaker_refused_total{code=\"STATE_REDUCING\"} 3",
            "papermaker_state{phase=\"quoting\"} 1",
            "papermaker_inputs_total 48213",
            "papermaker_position{instrument=\"binance-spot:BTCUSDT\"} 0.00300",
            "papermaker_equity_quote{instrument=\"binance-spot:BTCUSDT\",currency=\"USDT\"} 0.625",
            "papermaker_bracket_equity_quote{instrument=\"binance-spot:BTCUSDT\",bound=\"optimistic\",currency=\"USDT\"} 1.5",
            "papermaker_policy_drift_tripped{instrument=\"binance-spot:BTCUSDT\"} 1",
            "papermaker_policy_drift_psi{instrument=\"binance-spot:BTCUSDT\"} 0.5",
            "papermaker_policy_drift_mmd_p{instrument=\"binance-spot:BTCUSDT\"} 0.005",
            "papermaker_feed_gaps_total{venue=\"binance-spot\",connection=\"0\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn every_sample_is_a_number_under_a_declared_family() {
        let text = page(&a_snapshot());
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let (name, value) =
                (line.split(['{', ' ']).next().expect("a name"), line.rsplit(' ').next().expect("a value"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(text.contains(&format!("# TYPE {name} ")), "{line}");
        }
    }

    #[test]
    fn a_hostile_label_cannot_break_the_format() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}

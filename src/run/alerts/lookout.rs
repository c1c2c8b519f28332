//! Notices trouble in the pictures of a session. A state machine: pictures and time in, alerts out.

use std::collections::{BTreeMap, VecDeque};

use rust_decimal::Decimal;
use serde::Serialize;

use crate::config::Settings;
use crate::dashboard::StatusSnapshot;
use crate::dashboard::status::{FeedStatus, Phase};
use crate::risk::RiskState;
use crate::units::LocalTime;

/// What can be wrong. Closed on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing is sent any more, in all or for one instrument.
    Halted,
    /// Positions may only shrink.
    Reducing,
    /// A connection is gone or silent.
    Disconnected,
    /// Many messages are lost.
    GapStorm,
    /// Equity fell far from its highest.
    Drawdown,
    /// The disk is nearly full.
    Disk,
    /// The disk is slower than the market.
    Journal,
    /// A learned policy meets what it was not trained on.
    Drift,
    /// The session does not move.
    Silent,
    /// The bot has ended as it was told.
    Ended,
    /// The bot has ended because it could not go on.
    Died,
    /// Somebody wants to see whether messages arrive.
    Test,
}

impl Trouble {
    /// As in messages.
    pub fn word(self) -> &'static str {
        match self {
            Trouble::Halted => "halted",
            Trouble::Reducing => "reducing",
            Trouble::Disconnected => "disconnected",
            Trouble::GapStorm => "gap_storm",
            Trouble::Drawdown => "drawdown",
            Trouble::Disk => "disk",
            Trouble::Journal => "journal",
            Trouble::Drift => "drift",
            Trouble::Silent => "silent",
            Trouble::Ended => "ended",
            Trouble::Died => "died",
            Trouble::Test => "test",
        }
    }
}

/// Whether a trouble begins or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It is so from now on.
    Began,
    /// It is no longer so.
    Over,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Always true.
    pub paper: bool,
    /// What.
    #[serde(rename = "kind")]
    pub trouble: Trouble,
    /// Begins or ends.
    pub moment: Moment,
    /// The recording it is in.
    pub session: String,
    /// `VENUE:SYMBOL`, `VENUE/CONNECTION`, or empty: the whole bot's.
    pub whose: String,
    /// Why, with its numbers.
    pub detail: String,
    /// Times that it came and went since this was last told.
    pub unsaid: u32,
    /// When, nanoseconds since the epoch.
    pub at_ns: i64,
}

impl Alert {
    /// One that neither repeats nor ends.
    pub fn lone(trouble: Trouble, session: &str, detail: String, at: LocalTime) -> Self {
        let (session, whose) = (session.to_owned(), String::new());
        Self { paper: true, trouble, moment: Moment::Began, session, whose, detail, unsaid: 0, at_ns: at.0 }
    }

    /// For people, one line.
    pub fn text(&self) -> String {
        let session = if self.session.is_empty() { "papermaker" } else { &self.session };
        let over = if self.moment == Moment::Over { "over: " } else { "" };
        let mut text = format!("PAPER {session}: {over}{}", self.trouble.word());
        if !self.whose.is_empty() {
            text += &format!(" {}", self.whose);
        }
        if !self.detail.is_empty() {
            text += &format!(": {}", self.detail);
        }
        if self.unsaid > 0 {
            text += &format!(" ({} times more since this was last told)", self.unsaid);
        }
        text
    }
}

/// When what is trouble; times in milliseconds.
#[derive(Debug)]
pub struct Lookout {
    cooldown_ms: i64,
    disconnect_ms: i64,
    gap_storm: u64,
    gap_storm_ms: i64,
    drawdown: Decimal,
    disk_bytes: u64,
    lag_ms: i64,
    silent_ms: i64,
    known: BTreeMap<(Trouble, String), Known>,
    lines: Vec<Line>,
}

/// What is remembered of a trouble.
#[derive(Debug, Default)]
struct Known {
    is_on: bool,
    /// Somebody was told that it began, and waits to hear of its end.
    is_told: bool,
    told_ms: Option<i64>,
    unsaid: u32,
    detail: String,
}

/// What is remembered of a connection.
#[derive(Debug, Default)]
struct Line {
    down_since_ms: Option<i64>,
    gaps: u64,
    /// When how many gaps were noticed, within the window.
    lately: VecDeque<(i64, u64)>,
}

impl Lookout {
    /// By these settings; nothing has been seen.
    pub fn new(settings: &Settings) -> Self {
        let (alerts, health, store) = (&settings.alerts, &settings.health, &settings.store);
        Self {
            cooldown_ms: i64::from(alerts.cooldown_s) * 1_000,
            disconnect_ms: i64::from(alerts.disconnect_s) * 1_000,
            gap_storm: alerts.gap_storm,
            gap_storm_ms: i64::from(alerts.gap_storm_s) * 1_000,
            drawdown: alerts.drawdown_quote,
            disk_bytes: store.disk_free_warn_mib.max(store.disk_free_min_mib) << 20,
            lag_ms: i64::from(health.journal_lag_ms),
            silent_ms: i64::from(health.silent_ms),
            known: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    /// What is to be told of this picture at `now`.
    pub fn look(&mut self, all: &StatusSnapshot, now: LocalTime) -> Vec<Alert> {
        let now_ms = now.0 / 1_000_000;
        let seen = self.troubles(all, now_ms);
        let mut told = Vec::new();
        let alert = |(trouble, whose): &(Trouble, String), moment, known: &Known| Alert {
            paper: true,
            trouble: *trouble,
            moment,
            session: all.session.clone(),
            whose: whose.clone(),
            detail: known.detail.clone(),
            unsaid: known.unsaid,
            at_ns: now.0,
        };
        for (key, detail) in &seen {
            let known = self.known.entry(key.clone()).or_default();
            let is_new = !known.is_on;
            known.is_on = true;
            if known.is_told {
                continue;
            }
            known.detail.clone_from(detail);
            if known.told_ms.is_none_or(|at| now_ms - at >= self.cooldown_ms) {
                told.push(alert(key, Moment::Began, known));
                (known.is_told, known.told_ms, known.unsaid) = (true, Some(now_ms), 0);
            } else {
                known.unsaid += u32::from(is_new);
            }
        }
        for (key, known) in &mut self.known {
            if !known.is_on || seen.iter().any(|(seen, _)| seen == key) {
                continue;
            }
            known.is_on = false;
            if std::mem::take(&mut known.is_told) {
                told.push(alert(key, Moment::Over, known));
            }
        }
        told
    }

    /// Everything that is wrong in this picture, with its numbers.
    fn troubles(&mut self, all: &StatusSnapshot, now_ms: i64) -> Vec<((Trouble, String), String)> {
        let mut found = Vec::new();
        let mut add = |trouble, whose: &str, detail: String| found.push(((trouble, whose.to_owned()), detail));
        match all.state {
            Phase::Halted => add(Trouble::Halted, "", all.reason.clone()),
            Phase::Reducing => add(Trouble::Reducing, "", all.reason.clone()),
            Phase::Starting
            | Phase::WarmingUp
            | Phase::Quoting
            | Phase::Recording
            | Phase::Paused
            | Phase::Stopping => {}
        }
        for it in &all.instruments {
            // What the whole book is in has been told above.
            if !it.risk_reason.is_empty() {
                let halted = it.risk == RiskState::Halted.word();
                add(if halted { Trouble::Halted } else { Trouble::Reducing }, &it.label, it.risk_reason.clone());
            }
            if let Some(why) = &it.drifted {
                add(Trouble::Drift, &it.label, why.clone());
            }
            let fall = it.pnl.as_ref().and_then(|pnl| pnl.drawdown.parse::<Decimal>().ok()).unwrap_or_default();
            if !self.drawdown.is_zero() && fall > self.drawdown {
                add(Trouble::Drawdown, &it.label, format!("{fall} {}, told from {} on", it.settle, self.drawdown));
            }
        }
        if let Some(free) = all.journal.disk_free_bytes.filter(|free| *free < self.disk_bytes) {
            add(Trouble::Disk, "", format!("{} MiB free, told below {}", free >> 20, self.disk_bytes >> 20));
        }
        if all.journal.lag_ms > self.lag_ms {
            add(Trouble::Journal, "", format!("{} ms behind, told from {} on", all.journal.lag_ms, self.lag_ms));
        }
        let silent_ms = now_ms - all.at_ns / 1_000_000;
        if all.at_ns != 0 && silent_ms > self.silent_ms {
            add(Trouble::Silent, "", format!("no picture for {silent_ms} ms, told from {} on", self.silent_ms));
        }
        self.lines.resize_with(all.feeds.len(), Line::default);
        for (feed, line) in all.feeds.iter().zip(&mut self.lines) {
            let whose = format!("{}/{}", feed.venue, feed.connection);
            let down_ms = line.down_ms(feed, now_ms);
            if down_ms >= self.disconnect_ms {
                let how = if feed.connected { "silent" } else { "down" };
                add(Trouble::Disconnected, &whose, format!("{how} for {} s", down_ms / 1_000));
            }
            let lately = line.gaps_lately(feed.gaps, now_ms, self.gap_storm_ms);
            if self.gap_storm > 0 && lately >= self.gap_storm {
                add(Trouble::GapStorm, &whose, format!("{lately} gaps within {} s", self.gap_storm_ms / 1_000));
            }
        }
        found
    }
}

impl Line {
    /// For how long nothing has come, as far as we have seen.
    fn down_ms(&mut self, feed: &FeedStatus, now_ms: i64) -> i64 {
        let since = if feed.connected { None } else { Some(self.down_since_ms.unwrap_or(now_ms)) };
        self.down_since_ms = since;
        let closed_ms = since.map_or(0, |since| now_ms - since);
        closed_ms.max(feed.age_ms.unwrap_or(0))
    }

    fn gaps_lately(&mut self, gaps: u64, now_ms: i64, window_ms: i64) -> u64 {
        let more = gaps.saturating_sub(self.gaps);
        self.gaps = gaps;
        match self.lately.back_mut() {
            // A second's gaps are one entry, so that a storm of a day takes no room.
            Some((at, count)) if more > 0 && now_ms - *at < 1_000 => *count += more,
            Some(_) | None if more > 0 => self.lately.push_back((now_ms, more)),
            Some(_) | None => {}
        }
        while self.lately.front().is_some_and(|(at, _)| now_ms - at > window_ms) {
            self.lately.pop_front();
        }
        self.lately.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use crate::dashboard::status::InstrumentStatus;

    /// Looks once a second at a picture of our own, with a cool-down of a minute.
    struct Watchman {
        lookout: Lookout,
        picture: StatusSnapshot,
        second: i64,
    }

    impl Watchman {
        fn new(sets: &[&str]) -> Self {
            let sets = ["alerts.cooldown_s=60"].iter().chain(sets).map(|set| (*set).to_owned()).collect();
            let loaded = load(&Sources { sets, ..Sources::default() }).expect("settings");
            let mut picture = StatusSnapshot::starting("monday", &[]);
            picture.instruments.push(InstrumentStatus { label: "okx:BTC-USDT".to_owned(), ..Default::default() });
            picture.state = Phase::Quoting;
            Self { lookout: Lookout::new(&loaded.settings), picture, second: 1_000 }
        }

        /// What is said within so many seconds.
        fn during(&mut self, seconds: i64) -> Vec<String> {
            let mut said = Vec::new();
            for _ in 0..seconds {
                self.second += 1;
                let now = LocalTime(self.second * 1_000_000_000);
                self.picture.at_ns = now.0;
                said.extend(self.lookout.look(&self.picture, now).iter().map(Alert::text));
            }
            said
        }
    }

    #[test]
    fn a_halt_is_told_once_and_so_is_its_end() {
        let mut he = Watchman::new(&[]);
        assert_eq!(he.during(5), [""; 0]);
        (he.picture.state, he.picture.reason) = (Phase::Halted, "strange fills, by ben".to_owned());
        assert_eq!(he.during(500), ["PAPER monday: halted: strange fills, by ben"]);
        he.picture.state = Phase::Quoting;
        assert_eq!(he.during(500), ["PAPER monday: over: halted: strange fills, by ben"]);
    }

    #[test]
    fn what_comes_and_goes_is_quiet_for_the_cool_down_and_then_says_how_often() {
        let mut he = Watchman::new(&[]);
        let flap = |he: &mut Watchman, state| {
            he.picture.state = state;
            he.during(10)
        };
        // Told at second 1, over at 11; on at 21 and 41 without a word; at 61 a minute has passed.
        assert_eq!(flap(&mut he, Phase::Halted), ["PAPER monday: halted"]);
        assert_eq!(flap(&mut he, Phase::Quoting), ["PAPER monday: over: halted"]);
        for _ in 0..2 {
            assert_eq!(flap(&mut he, Phase::Halted), [""; 0]);
            assert_eq!(flap(&mut he, Phase::Quoting), [""; 0]);
        }
        assert_eq!(flap(&mut he, Phase::Halted), ["PAPER monday: halted (2 times more since this was last told)"]);
    }

    #[test]
    fn what_began_in_the_cool_down_and_stays_is_told_when_that_is_over() {
        let mut he = Watchman::new(&[]);
        he.picture.state = Phase::Halted;
        he.during(1);
        he.picture.state = Phase::Quoting;
        he.during(1);
        he.picture.state = Phase::Halted;
        assert_eq!(he.during(58), [""; 0]);
        assert_eq!(he.during(1), ["PAPER monday: halted (1 times more since this was last told)"]);
    }

    fn feed(connected: bool, age_ms: i64, gaps: u64) -> FeedStatus {
        let venue = "okx".to_owned();
        FeedStatus {
            venue,
            connection: 0,
            connected,
            age_ms: Some(age_ms),
            frames: 9,
            gaps,
            reconnects: 0,
            latency: None,
        }
    }

    #[test]
    fn a_connection_that_is_back_in_time_is_not_told_and_one_that_is_not_is() {
        let mut he = Watchman::new(&["alerts.disconnect_s=30"]);
        he.picture.feeds = vec![feed(false, 0, 0)];
        assert_eq!(he.during(30), [""; 0], "29 s since the first look");
        he.picture.feeds = vec![feed(true, 0, 0)];
        assert_eq!(he.during(5), [""; 0]);
        he.picture.feeds = vec![feed(false, 0, 0)];
        assert_eq!(he.during(31), ["PAPER monday: disconnected okx/0: down for 30 s"]);
        // Open again, and nothing comes.
        he.picture.feeds = vec![feed(true, 45_000, 0)];
        assert_eq!(he.during(1), [""; 0], "it is still not well");
        he.picture.feeds = vec![feed(true, 10, 0)];
        assert_eq!(he.during(1), ["PAPER monday: over: disconnected okx/0: down for 30 s"]);
    }

    #[test]
    fn a_storm_is_so_many_gaps_within_the_window_and_not_so_many_in_a_day() {
        let mut he = Watchman::new(&["alerts.gap_storm=10", "alerts.gap_storm_s=60"]);
        // One gap every ten seconds: six or seven in a minute, all day.
        for gaps in 0..100 {
            he.picture.feeds = vec![feed(true, 0, gaps)];
            assert_eq!(he.during(10), [""; 0], "{gaps}");
        }
        // Nine more at once, on top of the six of the last minute.
        he.picture.feeds = vec![feed(true, 0, 108)];
        assert_eq!(he.during(1).len(), 1);
        // A minute later they are forgotten.
        let over = he.during(61);
        assert!(over.len() == 1 && over[0].starts_with("PAPER monday: over: gap_storm okx/0"), "{over:?}");
    }

    #[test]
    fn money_disk_journal_drift_and_silence_each_have_their_line() {
        let mut he = Watchman::new(&["alerts.drawdown_quote=100", "store.disk_free_warn_mib=1024"]);
        let it = &mut he.picture.instruments[0];
        it.settle = "USDT".to_owned();
        it.pnl = Some(crate::dashboard::status::PnlStatus {
            drawdown: "100.01".to_owned(),
            ..crate::dashboard::status::PnlStatus::default()
        });
        it.drifted = Some("PSI 0.31 of inventory, limit 0.25".to_owned());
        (it.risk, it.risk_reason) = ("reducing".to_owned(), "INVENTORY_AGE_EXCEEDED value=700".to_owned());
        he.picture.journal.disk_free_bytes = Some(1_023 << 20);
        he.picture.journal.lag_ms = 5_001;
        let said = he.during(3);
        for line in [
            "PAPER monday: reducing okx:BTC-USDT: INVENTORY_AGE_EXCEEDED value=700",
            "PAPER monday: drift okx:BTC-USDT: PSI 0.31 of inventory, limit 0.25",
            "PAPER monday: drawdown okx:BTC-USDT: 100.01 USDT, told from 100 on",
            "PAPER monday: disk: 1023 MiB free, told below 1024",
            "PAPER monday: journal: 5001 ms behind, told from 5000 on",
        ] {
            assert!(said.iter().any(|said| said == line), "{line} is not in {said:#?}");
        }
        assert_eq!(said.len(), 5);
        // The session hangs: pictures stay what they were, time does not.
        let late = LocalTime(he.picture.at_ns + 5_001_000_000);
        let alerts = he.lookout.look(&he.picture, late);
        assert_eq!((alerts.len(), alerts[0].trouble), (1, Trouble::Silent));
    }
}

//! `doctor`: every preflight check at once.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Failure, Globals, Outcome, block_on, say};
use crate::config::Settings;
use crate::dashboard::Contact;
use crate::feed::Endpoint;
use crate::market::VenueId;

/// A session of a day takes about this much; with less free the recording will end early.
const DISK_WANTED_BYTES: u64 = 2 << 30;
/// With less free nothing can be recorded at all.
const DISK_NEEDED_BYTES: u64 = 64 << 20;
/// A clock before this (2025-01-01) was never set.
const EPOCH_OF_REASON_S: i64 = 1_735_689_600;
/// The venue's date is cut to the second and took its time to come: only more than this is a difference.
const CLOCK_OFF_MAX_S: i64 = 2;
/// A venue that takes longer than this to answer a ping is not reachable in any useful sense.
const PATIENCE: Duration = Duration::from_secs(10);

/// Check everything a run needs, before running: configuration, store, disk, port, clock, venues
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker doctor\n  papermaker doctor --venue binance-spot --json\n\n\
                        Exit code 1 if a check failed.")]
pub struct DoctorArgs {
    /// Ask this venue for an answer instead of those the configuration trades on (repeatable)
    #[arg(long, value_name = "VENUE")]
    pub venue: Vec<VenueId>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, detail: detail.into(), hint: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self { name, verdict: Verdict::Warn, detail: detail.into(), hint: Some(hint) }
    }

    fn fail(name: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self { name, verdict: Verdict::Fail, detail: detail.into(), hint: Some(hint) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        write!(f, "{mark}  {:<9} {}", self.name, self.detail)?;
        self.hint.map_or(Ok(()), |hint| write!(f, "\n      {:<9} hint: {hint}", ""))
    }
}

/// Runs every check and prints them all, however the first comes out.
pub fn doctor(args: &DoctorArgs, globals: &Globals) -> Outcome {
    let mut checks = Vec::new();
    match globals.load() {
        Ok(loaded) => {
            let settings = &loaded.settings;
            let (store, n) = (&settings.store.path, loaded.entries().len());
            checks.push(Check::ok(
                "config",
                format!("profile {}, {n} values, digest {}", globals.profile, loaded.digest().short()),
            ));
            checks.extend([writable(store), disk(store), sessions(store), port(settings)]);
            checks.extend(simulator_port(settings));
            for id in venues(&args.venue, settings) {
                let venue = &settings.venues[id.name()];
                checks.extend(block_on(reachable(id, &venue.ws_url, &venue.rest_url))?);
            }
        }
        Err(failure) => {
            let detail = failure.to_string().trim_end().replace('\n', "\n      ");
            checks.push(Check::fail("config", detail, "nothing that depends on it was checked"));
        }
    }
    checks.push(clock());

    let failed = checks.iter().filter(|c| c.verdict == Verdict::Fail).count();
    if args.json {
        let report = serde_json::json!({ "paper": true, "ok": failed == 0, "checks": checks });
        say(serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        say("PAPER preflight")?;
        checks.iter().try_for_each(say)?;
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::answer_is_no(anyhow::anyhow!("one check failed"))),
        n => Err(Failure::answer_is_no(anyhow::anyhow!("{n} checks failed"))),
    }
}

/// The store, or while it is not there yet, the folder it would be made in.
fn nearest_existing(store: &Path) -> &Path {
    let above = store.ancestors().find(|path| path.exists());
    above.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a synced file can be made where the recordings go. Leaves nothing behind.
fn writable(store: &Path) -> Check {
    let probe = nearest_existing(store).join(format!(".papermaker-doctor-{}", std::process::id()));
    let tried = fs::write(&probe, b"papermaker doctor").and_then(|()| fs::File::open(&probe)?.sync_all());
    // Best effort: a probe that could not be written is not there to be removed.
    let _ = fs::remove_file(&probe);
    match tried {
        Ok(()) => Check::ok("store", format!("{} is writable", store.display())),
        Err(e) => Check::fail(
            "store",
            format!("{}: {e}", store.display()),
            "give yourself the right to write there, or `--set store.path=DIR`",
        ),
    }
}

fn disk(store: &Path) -> Check {
    let there = nearest_existing(store);
    match rustix::fs::statvfs(there) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let detail = format!("{:.1} GiB free", free as f64 / f64::from(1 << 30));
            let hint = "`papermaker sessions delete` frees some, `--set store.path=DIR` goes to another disk";
            match free {
                DISK_WANTED_BYTES.. => Check::ok("disk", detail),
                DISK_NEEDED_BYTES.. => Check::warn("disk", detail, hint),
                0.. => Check::fail("disk", detail, hint),
            }
        }
        Err(e) => Check::fail("disk", format!("{}: {e}", there.display()), "is that path on a mounted disk?"),
    }
}

/// Whether every folder of the store is a session that could be opened.
fn sessions(store: &Path) -> Check {
    let name = "sessions";
    let entries = match fs::read_dir(store) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Check::ok(name, "none yet"),
        Err(e) => return Check::fail(name, format!("{}: {e}", store.display()), "the store must be readable"),
    };
    let folders: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && path.extension().is_none_or(|e| e != "sled"))
        .collect();
    let bare: Vec<_> = folders.iter().filter(|path| !path.join("manifest.toml").is_file()).collect();
    match bare.first() {
        None => Check::ok(name, format!("{} recorded", folders.len())),
        Some(first) => Check::warn(
            name,
            format!("{} of {} have no manifest.toml, first {}", bare.len(), folders.len(), first.display()),
            "`papermaker sessions verify SESSION` says what is left of it",
        ),
    }
}

fn port(settings: &Settings) -> Check {
    let name = "port";
    let address = SocketAddr::new(settings.dashboard.bind, settings.dashboard.port);
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free for the dashboard")),
        Err(e) => match Contact::read(&settings.store.path) {
            Ok(ours) if ours.address == address => {
                Check::ok(name, format!("{address} is held by our own bot, session {}", ours.session))
            }
            Ok(_) | Err(_) => Check::fail(
                name,
                format!("dashboard.port: {address}: {e}"),
                "`--set dashboard.port=8081` takes another, `run --no-dashboard` needs none",
            ),
        },
    }
}

fn clock() -> Check {
    let now = jiff::Timestamp::now();
    if now.as_second() < EPOCH_OF_REASON_S {
        let hint = "set the clock; recordings carry its time";
        return Check::fail("clock", format!("{now} is before this program was written"), hint);
    }
    Check::ok("clock", format!("{now:.0}"))
}

/// Where the embedded exchange would listen, if it is to be embedded and somebody chose the port.
fn simulator_port(settings: &Settings) -> Option<Check> {
    let address = settings.simulator.listen;
    if !settings.simulator.embedded || address.port() == 0 {
        return None;
    }
    Some(match TcpListener::bind(address) {
        Ok(_) => Check::ok("port", format!("{address} is free for the simulated exchange")),
        Err(e) => Check::fail(
            "port",
            format!("simulator.listen: {address}: {e}"),
            "`--set simulator.listen=127.0.0.1:0` takes any free one",
        ),
    })
}

/// The venues a run would connect to, unless others were asked for.
fn venues(asked: &[VenueId], settings: &Settings) -> Vec<VenueId> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let traded = settings.session.instruments.iter().filter_map(|label| label.split(':').next()?.parse().ok());
    // The embedded exchange stands in for this one.
    let mut traded: Vec<VenueId> =
        traded.filter(|venue| !settings.simulator.embedded || *venue != VenueId::BinanceSpot).collect();
    traded.dedup();
    traded
}

/// Whether the venue answers over HTTP, and whether its clock is ours.
async fn reachable(venue: VenueId, ws_url: &str, rest_url: &str) -> Vec<Check> {
    let name = "venue";
    let hint = "look at the address, the network, and whether the venue serves your country";
    if let Err(e) = Endpoint::new(venue, ws_url, rest_url) {
        return vec![Check::fail(name, e.to_string(), "config/default.toml has the venue's own address")];
    }
    // A ping where we know one; elsewhere any answer from the address shows that somebody is there.
    let url = match venue {
        VenueId::BinanceSpot => format!("{rest_url}/api/v3/ping"),
        VenueId::BinanceUsdm => format!("{rest_url}/fapi/v1/ping"),
        VenueId::BybitSpot
        | VenueId::BybitLinear
        | VenueId::Okx
        | VenueId::Coinbase
        | VenueId::Kraken
        | VenueId::Hyperliquid
        | VenueId::Deribit
        | VenueId::BinanceCoinm => rest_url.to_owned(),
    };
    let asked = async { reqwest::Client::builder().timeout(PATIENCE).build()?.get(&url).send().await };
    match asked.await {
        Ok(answer) => {
            let detail = format!("{venue}: {url} answers {}", answer.status());
            let refused =
                answer.status().is_server_error() || matches!(answer.status().as_u16(), 403 | 418 | 429 | 451);
            let date = answer.headers().get("date").and_then(|d| d.to_str().ok());
            let clock = date.and_then(|date| against(jiff::Timestamp::now(), venue, date));
            let there = if refused { Check::fail(name, detail, hint) } else { Check::ok(name, detail) };
            std::iter::once(there).chain(clock).collect()
        }
        Err(e) => {
            let causes: Vec<String> = anyhow::Error::new(e).chain().map(ToString::to_string).collect();
            vec![Check::fail(name, format!("{venue}: {}", causes.join(": ")), hint)]
        }
    }
}

/// Our clock against a venue's `Date`, which has whole seconds; `None` if that is no date.
fn against(now: jiff::Timestamp, venue: VenueId, date: &str) -> Option<Check> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let off_s = now.as_second() - theirs.as_second();
    let detail = format!("{off_s:+} s against {venue}'s");
    let hint = "synchronise the clock (NTP); latencies and recordings carry the difference";
    Some(if off_s.abs() <= CLOCK_OFF_MAX_S { Check::ok("clock", detail) } else { Check::warn("clock", detail, hint) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_compared_with_the_date_a_venue_sends() {
        // 2026-03-02 12:00:00 UTC is 1772452800 s after the epoch.
        let now = |s| jiff::Timestamp::from_second(s).expect("a time");
        let verdict = |s| against(now(s), VenueId::BinanceSpot, "Mon, 02 Mar 2026 12:00:00 GMT").map(|c| c.verdict);
        assert_eq!(verdict(1_772_452_802), Some(Verdict::Ok));
        assert_eq!(verdict(1_772_452_803), Some(Verdict::Warn));
        assert_eq!(verdict(1_772_452_700), Some(Verdict::Warn));
        assert!(against(now(0), VenueId::BinanceSpot, "yesterday").is_none());
    }
}

//! `doctor`: every preflight check at once.

mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{Failure, Globals, Outcome, block_on, say};
use crate::config::{Loaded, Settings};
use crate::dashboard::Contact;
use crate::engine::Input;
use crate::feed::{self, Endpoint, Heard, Place};
use crate::market::{FeedEvent, FeedEventKind, Instrument, InstrumentId, VenueId};
use crate::run::prepare::{self, PrepareError};
use crate::run::room::free_bytes;
use crate::units::Nanos;

/// A session of a day takes about this much; with less free the recording will end early.
const DISK_WANTED_BYTES: u64 = 2 << 30;
/// With less free nothing can be recorded at all.
const DISK_NEEDED_BYTES: u64 = 64 << 20;
/// A clock before this (2025-01-01) was never set.
const EPOCH_OF_REASON_S: i64 = 1_735_689_600;
/// A clock farther off than this makes latencies meaningless.
const CLOCK_OFF_MAX: Nanos = Nanos::from_ms(500);
/// A venue that takes longer than this to answer a ping is not reachable in any useful sense.
const PATIENCE: Duration = Duration::from_secs(10);

/// Check everything a run needs, before running: configuration, store, disk, port, clock, venues
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  papermaker doctor\n  papermaker doctor --venue binance-spot --json\n  papermaker doctor --instrument kraken:BTC/USD\n\n\
                        Exit code 1 if a check failed."
)]
pub struct DoctorArgs {
    /// Ask this venue for an answer instead of those the configuration trades on (repeatable)
    #[arg(long, value_name = "VENUE")]
    pub venue: Vec<VenueId>,
    /// Look these instruments up and listen to their books (VENUE:SYMBOL, repeatable)
    #[arg(long, value_name = "VENUE:SYMBOL")]
    pub instrument: Vec<String>,
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
            checks.extend([writable(store), disk(settings), sessions(store), port(settings)]);
            checks.extend(upkeep::checks(settings));
            checks.extend(simulator_port(settings));
            match wanted(args, settings) {
                Ok(wanted) => {
                    for (venue, symbols) in wanted {
                        checks.extend(block_on(examine(&loaded, venue, &symbols))?);
                    }
                }
                Err(e) => checks.push(Check::fail("symbol", e.to_string(), "write VENUE:SYMBOL")),
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

fn disk(settings: &Settings) -> Check {
    let there = nearest_existing(&settings.store.path);
    match free_bytes(there) {
        Some(free) => {
            let detail = format!("{:.1} GiB free", free as f64 / f64::from(1 << 30));
            let hint =
                "`papermaker sessions prune` or `delete` frees some, `--set store.path=DIR` goes to another disk";
            let (halts, warns) = (settings.store.disk_free_min_mib << 20, settings.store.disk_free_warn_mib << 20);
            if free < DISK_NEEDED_BYTES.max(halts) {
                Check::fail("disk", format!("{detail}; no run begins below {} MiB", halts >> 20), hint)
            } else if free < DISK_WANTED_BYTES.max(warns) {
                Check::warn("disk", detail, hint)
            } else {
                Check::ok("disk", detail)
            }
        }
        None => {
            let detail = format!("{}: how much is free cannot be said", there.display());
            Check::fail("disk", detail, "is that path on a mounted disk?")
        }
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

/// The venues a run would connect to with the instruments it would trade there, unless others were asked for.
fn wanted(args: &DoctorArgs, settings: &Settings) -> Result<BTreeMap<VenueId, Vec<String>>, PrepareError> {
    let mut wanted: BTreeMap<VenueId, Vec<String>> = args.venue.iter().map(|venue| (*venue, Vec::new())).collect();
    let asked = !args.venue.is_empty() || !args.instrument.is_empty();
    let labels = if args.instrument.is_empty() { &settings.session.instruments } else { &args.instrument };
    for label in labels {
        let (venue, symbol) = prepare::parse_instrument(label)?;
        let named = !args.instrument.is_empty();
        // Otherwise the embedded exchange stands in for this one.
        let embedded = !named && settings.simulator.embedded && venue == VenueId::BinanceSpot;
        let concerned = named || !asked || wanted.contains_key(&venue);
        if concerned && !embedded {
            wanted.entry(venue).or_default().push(symbol);
        }
    }
    Ok(wanted)
}

/// Whether the venue answers, whether its clock is ours, and whether these instruments can be listened to.
async fn examine(loaded: &Loaded, venue: VenueId, symbols: &[String]) -> Vec<Check> {
    let name = "venue";
    let settings = &loaded.settings.venues[venue.name()];
    let endpoint = match Endpoint::new(venue, &settings.ws_url, &settings.rest_url) {
        Ok(endpoint) => endpoint,
        Err(e) => return vec![Check::fail(name, e.to_string(), "config/default.toml has the venue's own address")],
    };
    let hint = "look at the address, the network, and whether the venue serves your country";
    let patient = prepare::feed_settings(loaded, venue).map(|settings| feed::Settings {
        connect_timeout: PATIENCE,
        request_timeout: PATIENCE,
        ..settings
    });
    let (settings, place) = match patient.map(|settings| (Place::new(endpoint.clone(), &settings), settings)) {
        Ok((Ok(place), settings)) => (settings, Arc::new(place)),
        Ok((Err(e), _)) => return vec![Check::fail(name, e.to_string(), hint)],
        Err(e) => return vec![Check::fail(name, e.to_string(), hint)],
    };
    let knock = match feed::knock(&place, feed::wall_clock).await {
        Ok(knock) => knock,
        Err(e) => return vec![Check::fail(name, e.to_string(), hint)],
    };
    let rest_url = endpoint.rest_url();
    let mut checks = vec![Check::ok(name, format!("{venue}: {rest_url} answers in {} ms", knock.round_trip.ms()))];
    checks.extend(knock.clock_off.map(|off| against(venue, off, knock.round_trip)));
    if symbols.is_empty() {
        return checks;
    }
    let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
    match feed::discover(&endpoint, &names).await {
        Ok(instruments) => {
            checks.extend(instruments.iter().map(symbol));
            checks.push(first_data(loaded, place, settings, instruments).await);
        }
        Err(e) => checks.push(Check::fail("symbol", e.to_string(), "symbols are spelt as the venue spells them")),
    }
    checks
}

/// An instrument's rules, and whether it trades now.
fn symbol(rules: &Instrument) -> Check {
    let detail = format!("{}: {:?}, tick {}, lot {}", rules.label(), rules.status, rules.tick, rules.lot);
    match rules.status.may_quote() {
        true => Check::ok("symbol", detail),
        false => Check::warn("symbol", detail, "the venue does not take orders in it now; a run would wait"),
    }
}

/// Whether a socket opens and every book on it comes into step.
async fn first_data(
    loaded: &Loaded,
    place: Arc<Place>,
    settings: feed::Settings,
    instruments: Vec<Instrument>,
) -> Check {
    let (name, venue, many) = ("socket", place.endpoint().venue(), instruments.len());
    let hint = "`papermaker run --record-only` shows what happens on the connection";
    let own = (0..).map(InstrumentId).zip(instruments).collect();
    let protocols = match prepare::protocols(loaded, venue, own) {
        Ok(protocols) => protocols,
        Err(e) => return Check::fail(name, e.to_string(), hint),
    };
    let (out, mut heard) = mpsc::channel(1_024);
    let (stop, stopped) = watch::channel(false);
    let mut feeds = JoinSet::new();
    for (connection, protocol) in (0..).zip(protocols) {
        let settings = feed::Settings { connection, alone: false, ..settings.clone() };
        feeds.spawn(feed::run(place.clone(), settings, protocol, Arc::default(), out.clone(), stopped.clone()));
    }
    drop(out);
    let began = feed::wall_clock();
    let (mut live, mut last) = (BTreeSet::new(), String::new());
    let listening = async {
        while let Some(Heard { at, input }) = heard.recv().await {
            let Input::Feed(FeedEvent { instrument, kind, .. }) = input else { continue };
            match (instrument, kind) {
                (Some(id), FeedEventKind::Live) => {
                    live.insert(id);
                }
                (_, FeedEventKind::Connected | FeedEventKind::Live) => {}
                (_, other) => last = format!(", last heard: {other:?}"),
            }
            if live.len() == many {
                return Some(at.since(began));
            }
        }
        None
    };
    let took = tokio::time::timeout(PATIENCE, listening).await.ok().flatten();
    let _ = stop.send(true);
    drop(heard);
    while feeds.join_next().await.is_some() {}
    match took {
        Some(took) => Check::ok(name, format!("{venue}: {many} of {many} books in step after {} ms", took.ms())),
        None => Check::fail(
            name,
            format!("{venue}: {} of {many} books in step after {} s{last}", live.len(), PATIENCE.as_secs()),
            hint,
        ),
    }
}

/// Our clock against a venue's.
fn against(venue: VenueId, off: Nanos, round_trip: Nanos) -> Check {
    let detail = format!("{:+} ms against {venue}'s, within {} ms", off.ms(), round_trip.ms() / 2 + 1);
    let hint = "synchronise the clock (NTP); latencies and recordings carry the difference";
    let sure = off.0.abs() - round_trip.0 / 2;
    if sure <= CLOCK_OFF_MAX.0 { Check::ok("clock", detail) } else { Check::warn("clock", detail, hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_only_as_far_as_the_round_trip_leaves_no_doubt() {
        let verdict =
            |off_ms, trip_ms| against(VenueId::BinanceSpot, Nanos::from_ms(off_ms), Nanos::from_ms(trip_ms)).verdict;
        assert_eq!(verdict(400, 0), Verdict::Ok);
        assert_eq!(verdict(-501, 0), Verdict::Warn);
        // 600 ms away, but half of a second's round trip may be on either leg.
        assert_eq!(verdict(600, 1_000), Verdict::Ok);
        assert_eq!(verdict(-1_100, 1_000), Verdict::Warn);
    }
}

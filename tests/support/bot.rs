//! The real binary as a bot that runs: started, watched through its own `status`, ended in every way there is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use papermaker::engine::{BookState, Output, Stamped};
use papermaker::journal::{Reader, Store};
use papermaker::market::InstrumentId;
use papermaker::order::{OrderId, ReportKind, Request};
use serde_json::Value;
use tokio::time::Instant;

use super::full_size;
use super::playback::Playback;
use crate::verbs::{Ran, papermaker};

/// Longest anything here may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `papermaker run` in `folder`, recording session `name` in `folder/store`. Killed when dropped.
pub struct Bot {
    child: Child,
    folder: PathBuf,
    name: String,
}

impl Bot {
    /// Starts it with a free port for its dashboard.
    pub fn start(folder: &Path, name: &str, args: &[&str]) -> Self {
        Self::wrapped(folder, name, args, "exec \"$0\" \"$@\"")
    }

    /// As [`Bot::start`], through a shell that first runs `before`: `ulimit -f 100; exec "$0" "$@"`.
    pub fn wrapped(folder: &Path, name: &str, args: &[&str], before: &str) -> Self {
        let log = |end: &str| File::create(folder.join(format!("{name}.{end}"))).expect("a log");
        let mut command = Command::new("bash");
        command.args(["-c", before, env!("CARGO_BIN_EXE_papermaker"), "run", "--session", name]).args(args);
        command.args(["--set", "store.path=store", "--set", "dashboard.port=0"]);
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("PAPERMAKER") || key == "RUST_LOG") {
            command.env_remove(key);
        }
        command.current_dir(folder).stdin(Stdio::null()).stdout(log("out")).stderr(log("err"));
        let child = command.spawn().expect("a shell and the binary");
        Self { child, folder: folder.to_owned(), name: name.to_owned() }
    }

    /// On `playback`'s market, as on the real Binance spot.
    pub fn on(playback: &Playback, folder: &Path, name: &str, args: &[&str]) -> Self {
        let ws = format!("venues.binance-spot.ws_url={}", playback.ws_url());
        let rest = format!("venues.binance-spot.rest_url={}", playback.rest_url());
        Self::start(folder, name, &[&["--profile", "live", "--set", &ws, "--set", &rest], args].concat())
    }

    /// Its recording's folder.
    pub fn session(&self) -> PathBuf {
        self.folder.join("store").join(&self.name)
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join(format!("{}.err", self.name))).unwrap_or_default()
    }

    /// Its picture of itself, once it answers.
    pub fn status(&self) -> Option<Value> {
        let ran = papermaker(&self.folder, &["status", "--json", "--set", "store.path=store"]);
        (ran.code() == Some(0)).then(|| ran.json())
    }

    /// Waits until its picture satisfies `ready`; panics with its log if it ends or takes too long.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, ready: impl FnMut(&Value) -> bool) -> Value {
        self.wait_within(PATIENCE, what, ready)
    }

    #[track_caller]
    fn wait_within(&mut self, patience: Duration, what: &str, mut ready: impl FnMut(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let picture = self.status();
            if let Some(picture) = picture.as_ref().filter(|p| ready(p)) {
                return picture.clone();
            }
            let ended = self.child.try_wait().expect("a child of ours");
            let late = begun.elapsed() > patience;
            assert!(ended.is_none() && !late, "not {what}: {ended:?}, {picture:?}\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until everything was played and everything that reached us was taken in.
    #[track_caller]
    pub fn settle(&mut self, playback: &Playback) -> Value {
        let mut before = (None, Instant::now());
        // A whole recording at the speed of life takes eleven minutes.
        let patience = if full_size() { 20 * PATIENCE } else { PATIENCE };
        self.wait_within(patience, "settled", |picture| {
            let frames = picture["feeds"][0]["frames"].as_u64();
            if !playback.finished() || before.0 != frames {
                before = (frames, Instant::now());
            }
            before.1.elapsed() > Duration::from_millis(400)
        })
    }

    /// Sends a signal by its name: `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is a program").success(), "SIG{name} not sent");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end; panics unless it says that all went well.
    #[track_caller]
    pub fn terminate(&mut self) {
        self.signal("TERM");
        let status = self.end();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A recording that a bot left in `folder/store`.
pub struct Left<'a> {
    pub folder: &'a Path,
    pub session: &'a str,
}

impl Left<'_> {
    /// `papermaker VERB… SESSION MORE…` on it.
    pub fn verb(&self, verb: &[&str], more: &[&str]) -> Ran {
        papermaker(self.folder, &[verb, &[self.session, "--set", "store.path=store"], more].concat())
    }

    /// Panics unless a replay says identical.
    #[track_caller]
    pub fn replays(&self) -> Value {
        let report = self.verb(&["replay"], &["--json"]).exits(0).json();
        assert_eq!(report["identical"], true, "{report}");
        report
    }

    /// An export's rows, without its heading, as cells.
    #[track_caller]
    pub fn rows(&self, kind: &str, more: &[&str]) -> Vec<Vec<String>> {
        let args = [&["--kind", kind, "--format", "csv"], more].concat();
        let csv = self.verb(&["sessions", "export"], &args).exits(0).stdout();
        csv.lines().skip(1).map(|row| row.split(',').map(str::to_owned).collect()).collect()
    }

    /// Events of the feed export, in order.
    #[track_caller]
    pub fn feed_events(&self) -> Vec<String> {
        self.rows("feed", &[]).into_iter().map(|row| row[4].clone()).collect()
    }

    /// What it did, walked through output by output. Panics if anything was placed on a book it did not trust, or
    /// if an order was left resting when the trust ended.
    #[track_caller]
    pub fn conduct(&self) -> Conduct {
        let mut reader = Store::open(self.folder.join("store")).reader(self.session).expect("a recording");
        let (mut input, mut outputs): (Stamped, Vec<Output>) = (Reader::blank(), Vec::new());
        let mut conduct = Conduct::default();
        let (mut states, mut alive) = (BTreeMap::new(), BTreeMap::<OrderId, InstrumentId>::new());
        let mut leaving = Vec::<OrderId>::new();
        let state_of = |states: &BTreeMap<InstrumentId, BookState>, id: InstrumentId| {
            states.get(&id).copied().unwrap_or(BookState::Empty)
        };
        while reader.next_step(&mut input, &mut outputs).expect("readable") {
            for output in &outputs {
                match output {
                    Output::Book { instrument, state: now } => {
                        if states.insert(*instrument, *now) == Some(BookState::Live) {
                            let concerned = alive.iter().filter(|(_, on)| *on == instrument);
                            conduct.distrusted += 1;
                            conduct.pulled += concerned.filter(|(id, _)| !leaving.contains(id)).count();
                        }
                    }
                    Output::Decided { .. } => conduct.decisions += 1,
                    Output::Sent(Request::Cancel { id, .. }) => leaving.push(*id),
                    Output::Sent(request @ (Request::Place { .. } | Request::Replace { .. })) => {
                        let (seq, state) = (input.seq, state_of(&states, request.instrument()));
                        assert_eq!(state, BookState::Live, "input {seq}: {request:?} on a book that is not trusted");
                        conduct.placed += 1;
                        alive.insert(request.id(), request.instrument());
                        if let Request::Replace { old, .. } = request {
                            leaving.push(*old);
                        }
                    }
                    Output::Heard(report) => {
                        conduct.fills += usize::from(matches!(report.kind, ReportKind::Filled(_)));
                        let over = match &report.kind {
                            ReportKind::Filled(fill) => (fill.remaining.0 == 0).then_some(report.id),
                            ReportKind::Cancelled { .. } | ReportKind::Rejected(_) => Some(report.id),
                            ReportKind::Replaced { old, .. } => Some(*old),
                            ReportKind::CancelRejected(_) => {
                                leaving.retain(|id| *id != report.id);
                                None
                            }
                            ReportKind::Accepted { .. } | ReportKind::Amended { .. } => None,
                        };
                        alive.retain(|id, _| Some(*id) != over);
                    }
                    Output::Refused { .. }
                    | Output::Risk { .. }
                    | Output::Commanded { .. }
                    | Output::Equity(_)
                    | Output::Funding(_)
                    | Output::FundingUnknown { .. }
                    | Output::Drift { .. } => {}
                }
            }
            for (id, on) in alive.iter().filter(|(id, _)| !leaving.contains(id)) {
                let (seq, state) = (input.seq, state_of(&states, *on));
                assert_eq!(state, BookState::Live, "input {seq}: {id:?} of {on:?} rests");
            }
        }
        conduct.resting_at_end = alive.len();
        conduct
    }
}

/// What a session did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conduct {
    pub decisions: usize,
    /// Placements and replacements sent.
    pub placed: usize,
    pub fills: usize,
    /// Times that the trust in the book ended.
    pub distrusted: usize,
    /// Orders that were pulled then.
    pub pulled: usize,
    pub resting_at_end: usize,
}

//! What the program says of itself while it works: lines on stderr, and for a bot that runs for weeks a file beside them.
//!
//! The file is written by a thread of its own behind a queue that drops when it is full: a log must never hold up what it
//! tells of. It is rotated by size, and what was put aside is kept by number and by age.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::{Failure, telemetry};
use crate::config::settings::{LogFormat, LogSettings};
use crate::feed::wall_clock;
use crate::units::{LocalTime, Nanos};

/// Lines that may wait for the file.
const QUEUE: usize = 16_384;
/// What a verb ended with; people read it without a log's dress.
const END: &str = "papermaker::end";

/// Logs until it is dropped; then the file is complete.
#[derive(Debug)]
pub struct Log {
    format: LogFormat,
    // Before the file is closed: what could not be sent is told there too.
    #[cfg(feature = "otel")]
    _sending: Option<telemetry::Telemetry>,
    _writing: Option<WorkerGuard>,
}

impl Log {
    /// Logs as `settings` say, into their file and to a collector only if `runs`. `PAPERMAKER_LOG` (or `RUST_LOG`) filters, for example
    /// `papermaker=debug`; `info` of our own without it.
    pub fn start(settings: &LogSettings, runs: bool) -> io::Result<Self> {
        let filter = std::env::var("PAPERMAKER_LOG").or_else(|_| std::env::var("RUST_LOG"));
        let filter = EnvFilter::new(filter.as_deref().unwrap_or("warn,papermaker=info"));
        let mut layers = vec![match settings.format {
            LogFormat::Text => {
                let people = filter_fn(|about| about.is_event() && about.target() != END);
                plain(io::stderr, io::stderr().is_terminal()).with_filter(people).boxed()
            }
            LogFormat::Json => json(io::stderr),
        }];
        let mut writing = None;
        if let (Some(path), true) = (&settings.file, runs) {
            let (file, guard) = NonBlockingBuilder::default()
                .buffered_lines_limit(QUEUE)
                .lossy(true)
                .finish(Rotating::open(path, settings)?);
            writing = Some(guard);
            layers.push(match settings.format {
                LogFormat::Text => plain(file, false).with_filter(filter_fn(|about| about.is_event())).boxed(),
                LogFormat::Json => json(file),
            });
        }
        #[cfg(feature = "otel")]
        let sending = if runs { telemetry::Telemetry::open() } else { None }.transpose().map_err(io::Error::other)?;
        #[cfg(feature = "otel")]
        layers.extend(sending.iter().flat_map(telemetry::Telemetry::layers));
        tracing_subscriber::registry().with(layers).with(filter).init();
        if let (false, true, Some(variable)) = (cfg!(feature = "otel"), runs, telemetry::asked_for()) {
            tracing::warn!("{variable} is set and nothing is sent: this program was built without the feature `otel`");
        }
        Ok(Self {
            format: settings.format,
            #[cfg(feature = "otel")]
            _sending: sending,
            _writing: writing,
        })
    }

    /// The last line: why the verb could not do what it should.
    pub fn end(&self, failure: &Failure) {
        tracing::error!(target: END, "{}", failure.to_string().trim_end());
        if self.format == LogFormat::Text {
            eprint!("{failure}");
        }
    }
}

pub(super) type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

fn plain<W>(to: W, colours: bool) -> Boxed
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().with_writer(to).with_ansi(colours).with_target(false).boxed()
}

fn json<W>(to: W) -> Boxed
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(to)
        .with_filter(filter_fn(|about| about.is_event()))
        .boxed()
}

/// A file that is put aside when it is large: `NAME` becomes `NAME.1`, that `NAME.2`, and so on.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
    keep_files: usize,
    keep: Option<Nanos>,
}

impl Rotating {
    fn open(path: &Path, settings: &LogSettings) -> io::Result<Self> {
        let days = i64::from(settings.keep_days);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("log.file: {}: {e}", path.display()));
        let file = append_to(path).map_err(named)?;
        let bytes = file.metadata().map_err(named)?.len();
        let keep = (days > 0).then(|| Nanos::from_s(days * 86_400));
        let (path, bytes_max) = (path.to_owned(), settings.rotate_mib << 20);
        Ok(Self { path, file, bytes, bytes_max, keep_files: settings.keep_files, keep })
    }

    fn aside(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn rotate(&mut self, now: LocalTime) -> io::Result<()> {
        for number in (1..self.keep_files).rev() {
            // A number that is not there yet leaves a hole, and that is fine.
            let _ = fs::rename(self.aside(number), self.aside(number + 1));
        }
        fs::rename(&self.path, self.aside(1))?;
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        if let Some(keep) = self.keep {
            for number in 1..=self.keep_files {
                let path = self.aside(number);
                let written = fs::metadata(&path).and_then(|about| about.modified()).ok();
                let age = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                if age.is_some_and(|at| now.since(LocalTime(at.as_nanos() as i64)) > keep) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.bytes_max {
            self.rotate(wall_clock())?;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotating(path: &Path, keep_files: usize) -> Rotating {
        let (format, file) = (LogFormat::Text, Some(path.to_owned()));
        let settings = LogSettings { format, file, rotate_mib: 1, keep_files, keep_days: 30 };
        Rotating { bytes_max: 10, ..Rotating::open(path, &settings).expect("writable") }
    }

    #[test]
    fn lines_stay_whole_in_order_and_only_so_many_files_are_kept() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("bot.log");
        let mut log = rotating(&path, 2);
        for line in ["one 6\n", "two 6\n", "three 8\n", "longer than all of it\n", "last\n"] {
            log.write_all(line.as_bytes()).expect("written");
        }
        let read = |name: &str| fs::read_to_string(here.path().join(name)).unwrap_or_default();
        // 6 + 6 > 10, 6 + 8 > 10, 8 + 22 > 10, 22 + 5 > 10: a file a line, and the first two are gone.
        assert_eq!(
            [read("bot.log"), read("bot.log.1"), read("bot.log.2"), read("bot.log.3")],
            ["last\n", "longer than all of it\n", "three 8\n", ""]
        );
        drop(log);
        // Opened again it goes on where it was: 5 + 4 fit.
        rotating(&path, 2).write_all(b"more").expect("written");
        assert_eq!((read("bot.log").as_str(), read("bot.log.1").as_str()), ("last\nmore", "longer than all of it\n"));
    }

    #[test]
    fn what_was_put_aside_too_long_ago_goes() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("bot.log");
        let mut log = rotating(&path, 5);
        log.write_all(b"old\n").expect("written");
        let now = wall_clock();
        log.rotate(now + Nanos::from_s(29 * 86_400)).expect("rotated");
        assert!(log.aside(1).exists());
        log.rotate(now + Nanos::from_s(31 * 86_400)).expect("rotated");
        assert!(!log.aside(1).exists() && !log.aside(2).exists() && path.exists());
    }
}

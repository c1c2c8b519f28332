//! `sessions export`: a recording for other programs.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::sessions::named;
use super::{Failure, Globals, Outcome, say};
use crate::journal::export::{At, Cast, ExportError, Exported, Exporter, Folder, Format, Hftbacktest, Kind, Wish};
use crate::journal::{JournalError, Manifest, Reader, Store};
use crate::market::InstrumentId;
use crate::run::rerun::RerunError;
use crate::run::usage;
use crate::strategy;
use crate::units::Nanos;

/// Levels a side of a book, if nobody says how many.
const DEPTH: usize = 20;
/// Between two rows of a limit, if nobody says how long.
const EVERY: Duration = Duration::from_secs(1);

/// Of `sessions export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Name of the session
    pub session: String,
    /// What: trades, book, bbo, feed, orders, fills, decisions, equity, risk, funding, limits (use of every limit over
    /// time; runs the recording again); not for hftbacktest-npz
    #[arg(long, required_unless_present = "format")]
    pub kind: Option<Kind>,
    /// How: csv, jsonl, parquet, or hftbacktest-npz, which is one instrument's whole market
    #[arg(long, default_value = "csv")]
    pub format: As,
    /// Where; stdout without it. Of parquet a folder (one that exists, or a name with a slash behind it) is split into
    /// venue=V/symbol=S/date=D/SESSION.parquet
    #[arg(long, value_name = "FILE|FOLDER/")]
    pub out: Option<PathBuf>,
    /// Of hftbacktest-npz: which instrument, by its symbol or as VENUE:SYMBOL, where the session has several
    #[arg(long)]
    pub symbol: Option<String>,
    /// Of `book`: the moment, `end` or nanoseconds since the epoch
    #[arg(long, value_name = "end|NS")]
    pub at: Option<At>,
    /// Of `book`: levels a side, 20 if it is not said
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Of `limits`: a row per limit and interval of session time (1s if it is not said), with the highest use within it
    #[arg(long, value_name = "TIME", value_parser = super::span::parse)]
    pub every: Option<Duration>,
    /// Replace FILE if it exists
    #[arg(long)]
    pub force: bool,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// A table of one kind.
    Table(Format),
    /// hftbacktest's rows.
    HftbacktestNpz,
}

impl FromStr for As {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "hftbacktest-npz" => Ok(As::HftbacktestNpz),
            _ => s.parse().map(As::Table).map_err(|why: String| format!("{why}, and hftbacktest-npz")),
        }
    }
}

/// Why the use of limits cannot be told.
#[derive(Debug, thiserror::Error)]
enum Unused {
    #[error(transparent)]
    Rerun(#[from] RerunError),
    #[error(transparent)]
    Write(ExportError),
}

/// What was written, and why it is not all.
struct Written {
    exported: Exported,
    damage: Option<JournalError>,
}

impl Written {
    fn new(exported: Result<Exported, ExportError>, damage: Option<JournalError>) -> Result<Self, Failure> {
        Ok(Self { exported: exported.map_err(Failure::could_not_run)?, damage })
    }
}

/// A session that is read.
struct Source {
    store: Store,
    id: String,
    manifest: Manifest,
}

impl Source {
    fn reader(&self) -> Result<Reader, Failure> {
        self.store.reader(&self.id).map_err(Failure::could_not_run)
    }
}

/// Writes a session's tables and markets.
pub fn export(args: &ExportArgs, globals: &Globals) -> Outcome {
    let (store, id) = named(&args.session, globals)?;
    if let Some(recovery) = store.recover(&id).map_err(Failure::could_not_run)? {
        tracing::warn!("{id}: {}", recovery.note);
    }
    let manifest = store.manifest(&id).map_err(Failure::could_not_run)?;
    let source = Source { store, id, manifest };
    for (option, given, of) in [
        ("--at", args.at.is_some(), Kind::Book),
        ("--depth", args.depth.is_some(), Kind::Book),
        ("--every", args.every.is_some(), Kind::Limits),
    ] {
        if given && args.kind != Some(of) {
            let error = anyhow::anyhow!("{option} is of --kind {}, nothing else has it", of.word());
            return Err(Failure::could_not_run(error).hint(format!("leave {option} out")));
        }
    }
    match (args.format, args.kind) {
        (As::Table(format), Some(kind)) => export_table(args, &source, kind, format),
        (As::HftbacktestNpz, None) => export_market(args, &source),
        (As::Table(_), None) => {
            Err(usage("a table is of one kind", "say which with --kind, for example --kind trades"))
        }
        (As::HftbacktestNpz, Some(_)) => {
            Err(usage("hftbacktest-npz is the whole market, not a kind of table", "leave --kind out"))
        }
    }
}

fn usage(what: &'static str, hint: &'static str) -> Failure {
    Failure::could_not_run(anyhow::anyhow!(what)).hint(hint)
}

fn export_table(args: &ExportArgs, source: &Source, kind: Kind, format: Format) -> Outcome {
    let wish = Wish { kind, format, at: args.at.unwrap_or(At::End), depth: args.depth.unwrap_or(DEPTH) };
    let every = args.every.unwrap_or(EVERY);
    let cast = cast(&source.manifest)?;
    let Some(out) = &args.out else {
        if format == Format::Parquet {
            return Err(usage("parquet is not for a terminal", "name a file or a folder with --out"));
        }
        let exporter = Exporter::new(wish, cast, BufWriter::new(io::stdout())).map_err(Failure::could_not_run)?;
        return match table(exporter, wish, source, every) {
            Ok(written) => written.damage.map_or(Ok(()), |damage| Err(before(damage, written.exported.rows, source))),
            Err(failure) if failure.is_closed_pipe() => Ok(()),
            Err(failure) => Err(failure),
        };
    };
    let is_folder = out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let written = if is_folder && format == Format::Parquet {
        let folder = Folder { root: out.clone(), name: source.id.clone(), force: args.force };
        table(Exporter::split(wish, cast, folder), wish, source, every)?
    } else {
        whole(out, args.force, |file| {
            let exporter = Exporter::new(wish, cast, BufWriter::new(file)).map_err(Failure::could_not_run)?;
            table(exporter, wish, source, every)
        })?
    };
    told(source, written, kind.word(), out)
}

/// What an error of the reader means: damage ends the table with what lies before it, anything else ends the export.
fn damage(error: JournalError) -> Result<JournalError, Failure> {
    if error.is_damage() { Ok(error) } else { Err(Failure::could_not_run(error)) }
}

/// The rows are there, and they are not all: the answer is no.
fn before(damage: JournalError, rows: u64, source: &Source) -> Failure {
    Failure::answer_is_no(damage)
        .context(format!("{} is damaged: the {rows} rows before the damage were written, none after it", source.id))
}

fn table<W: Write + Send>(
    mut exporter: Exporter<W>,
    wish: Wish,
    source: &Source,
    every: Duration,
) -> Result<Written, Failure> {
    if wish.kind == Kind::Limits {
        let every = Nanos(i64::try_from(every.as_nanos()).unwrap_or(i64::MAX));
        let used = usage::limits(source.reader()?, &source.manifest, every, |row, rules| {
            exporter.limit(row, rules).map_err(Unused::Write)
        });
        let broken = match used {
            Ok(_) => None,
            Err(Unused::Rerun(RerunError::Journal(error))) => Some(damage(error)?),
            Err(error) => return Err(Failure::could_not_run(error)),
        };
        return Written::new(exporter.finish(), broken);
    }
    let (mut input, mut outputs) = (Reader::blank(), Vec::new());
    if wish.format == Format::Parquet {
        let mut reader = source.reader()?;
        loop {
            match reader.next_input(&mut input) {
                Ok(true) => exporter.foresee(&input.input),
                Ok(false) => break,
                Err(error) => {
                    damage(error)?;
                    break;
                }
            }
        }
    }
    let mut reader = source.reader()?;
    loop {
        match reader.next_step(&mut input, &mut outputs) {
            Ok(true) if exporter.wants(&input) => exporter.step(&input, &outputs).map_err(Failure::could_not_run)?,
            Ok(_) => return Written::new(exporter.finish(), None),
            Err(error) => return Written::new(exporter.finish(), Some(damage(error)?)),
        }
    }
}

fn export_market(args: &ExportArgs, source: &Source) -> Outcome {
    let Some(out) = &args.out else {
        return Err(usage("an archive is not for a terminal", "name a file with --out"));
    };
    let desks = &source.manifest.spec.desks;
    let is_meant =
        |symbol: &str, label: &str| args.symbol.as_deref().is_none_or(|name| name == symbol || name == label);
    let meant: Vec<usize> =
        (0..desks.len()).filter(|n| is_meant(&desks[*n].rules.symbol, &desks[*n].rules.label())).collect();
    let [me] = meant[..] else {
        let labels: Vec<String> = desks.iter().map(|desk| desk.rules.label()).collect();
        let named = args.symbol.as_ref().map_or("no --symbol".to_owned(), |name| format!("--symbol {name}"));
        let error = anyhow::anyhow!("{named} means {} of {}", meant.len(), labels.join(", "));
        return Err(Failure::could_not_run(error).hint("a file is of one instrument: --symbol VENUE:SYMBOL"));
    };
    let mut market = Hftbacktest::new(&desks[me].rules, InstrumentId(me as u16));
    let (mut reader, mut input) = (source.reader()?, Reader::blank());
    let broken = loop {
        match reader.next_input(&mut input) {
            Ok(true) => market.step(&input),
            Ok(false) => break None,
            Err(error) => break Some(damage(error)?),
        }
    };
    let written = whole(out, args.force, |file| Written::new(market.save(file), broken))?;
    told(source, written, "hftbacktest", out)
}

/// Writes a file under another name until it is whole, so that nobody takes half of it for all.
fn whole(file: &Path, force: bool, write: impl FnOnce(File) -> Result<Written, Failure>) -> Result<Written, Failure> {
    if file.exists() && !force {
        let error = anyhow::anyhow!("{}: is there already, and nothing is overwritten", file.display());
        return Err(Failure::could_not_run(error).hint("another --out, or --force to replace it"));
    }
    let unfinished = PathBuf::from(format!("{}.unfinished", file.display()));
    let failed = |error: io::Error| {
        Failure::could_not_run(error).context(format!("cannot write {}", file.display())).hint("choose another --out")
    };
    let out = File::create(&unfinished).map_err(failed)?;
    let written = write(out).inspect_err(|_| {
        // Best effort: the error that made it useless is the one to tell.
        let _ = fs::remove_file(&unfinished);
    })?;
    fs::rename(&unfinished, file).map_err(failed)?;
    Ok(written)
}

fn told(source: &Source, written: Written, what: &str, out: &Path) -> Outcome {
    let Written { exported, damage } = written;
    exported.notes.iter().for_each(|note| tracing::warn!("{note}"));
    say(format_args!("PAPER {}: {} rows of {what} to {}", source.id, exported.rows, out.display()))?;
    damage.map_or(Ok(()), |damage| Err(before(damage, exported.rows, source)))
}

/// Who plays in a recording, from its manifest.
fn cast(manifest: &Manifest) -> Result<Cast, Failure> {
    let name = |desk: &crate::engine::DeskSpec| match &desk.strategy {
        Some(text) => strategy::build(text, &desk.rules).map(|s| s.name().to_owned()),
        None => Ok(String::new()),
    };
    let strategies = manifest.spec.desks.iter().map(name).collect::<Result<_, _>>().map_err(Failure::could_not_run)?;
    let instruments = manifest.spec.desks.iter().map(|desk| desk.rules.clone()).collect();
    Ok(Cast { instruments, strategies, limits: manifest.spec.risk.clone() })
}

//! `sessions`: the recordings.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::export::{ExportArgs, export};
use super::prune::{KeepArgs, PruneArgs, keep, prune};
use super::{Failure, Globals, Outcome, metrics, say};
use crate::digest::{Digest, of_state};
use crate::journal::{IndexCheck, Manifest, SessionState, ShadowPrint, Store, import};
use crate::market::VenueId;
use crate::run::{import as drive, prepare};
use crate::strategy;
use crate::units::{Nanos, Step};

/// The recordings: list, show, verify, export, import, delete, prune, keep
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsVerb {
    /// Every session in the store
    #[command(after_help = "Example:\n  papermaker sessions list --json")]
    List(ListArgs),
    /// One session's manifest and counts
    #[command(
        after_help = "Examples:\n  papermaker sessions show monday --json\n  papermaker sessions show monday --metrics\n  \
            papermaker sessions show monday --digest > kept-elsewhere.txt"
    )]
    Show(OneArgs),
    /// Check every byte of a session: frames, checksums, sequence, digests
    ///
    /// That nobody computed every digest anew is proved by a seal that was kept elsewhere: give it with --seal.
    #[command(after_help = "Examples:\n  papermaker sessions verify monday --rebuild\n  \
        papermaker sessions verify monday --seal \"$(cut -c-64 kept-elsewhere.txt)\"")]
    Verify(VerifyArgs),
    /// Write a session's events as csv, jsonl or parquet, or its market in hftbacktest's format
    #[command(
        after_help = "Examples:\n  papermaker sessions export monday --kind fills --format csv --out fills.csv\n  \
                            papermaker sessions export monday --kind book --at end --depth 20 --format csv --out book.csv\n  \
                            papermaker sessions export monday --kind trades --format parquet --out trades/\n  \
                            papermaker sessions export monday --kind limits --every 10s --out limits.csv\n  \
                            papermaker sessions export monday --format hftbacktest-npz --symbol BTCUSDT --out btc.npz"
    )]
    Export(ExportArgs),
    /// Let go of the oldest recordings, within the bounds of `store.keep_days`, `store.keep_mib` and `store.index_days`
    ///
    /// A running bot does the same by itself. What is being written, kept by name or cannot be read stays.
    #[command(after_help = "Examples:\n  papermaker sessions prune --dry-run --set store.keep_days=30\n  \
        papermaker sessions prune --set store.keep_mib=20000")]
    Prune(PruneArgs),
    /// Keep a recording, whatever the store's bounds say
    #[command(after_help = "Examples:\n  papermaker sessions keep monday\n  papermaker sessions keep monday --undo")]
    Keep(KeepArgs),
    /// Turn recordings of other programs into a session
    #[command(after_help = "Examples, one a format:\n  \
            papermaker sessions import btc.gz --format hftbacktest-raw --venue binance-spot --symbol BTCUSDT --session a\n  \
            papermaker sessions import OKX.jsonl.zst --format cryptofeed --venue okx --symbol BTC-USDT --session b\n  \
            papermaker sessions import book.csv.gz trades.csv.gz --format tardis-csv --venue binance-usdm \
                --symbol BTCUSDT --session c\n  \
            papermaker sessions import BTCUSDT-bookTicker-2024-01-01.zip BTCUSDT-trades-2024-01-01.zip \
                --format binance-vision --venue binance-usdm --symbol BTCUSDT --session d\n  \
            papermaker sessions import AAPL_2012-06-21_34200000_57600000_message_10.csv \
                AAPL_2012-06-21_34200000_57600000_orderbook_10.csv --format lobster --venue imported --symbol AAPL \
                --session e\n  \
            papermaker sessions import ob-analytics.log.gz --format bitstamp --venue imported --symbol BTCUSD --session f\n\
            Several instruments in one session:\n  \
            papermaker sessions import --format hftbacktest-raw --instrument binance-spot:BTCUSDT=spot.gz \
                --instrument binance-usdm:BTCUSDT=perp.gz --session both\n\
            What each format holds and what it cannot say is in replay/README.md.")]
    Import(ImportArgs),
    /// Remove a session and everything it holds
    #[command(after_help = "Example:\n  papermaker sessions delete monday --force")]
    Delete(DeleteArgs),
}

/// Of `sessions list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions show`.
#[derive(Clone, Debug, Args)]
pub struct OneArgs {
    /// Name of the session
    pub session: String,
    /// Also what it was worth: attribution, markouts, quoting, Sharpe ratio and how sure it is. Reads all of it
    #[arg(long)]
    pub metrics: bool,
    /// Only the session's seal: one digest of the limits at its start, all inputs and all outputs. Kept elsewhere it
    /// proves later that nothing was changed
    #[arg(long, conflicts_with = "metrics")]
    pub digest: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Name of the session
    pub session: String,
    /// Build the index anew from the segments
    #[arg(long)]
    pub rebuild: bool,
    /// What `sessions show --digest` said when the session ended; anything else is damage
    #[arg(long, value_name = "HEX", value_parser = parse_seal)]
    pub seal: Option<Digest>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Files, in the order of time; plain, gz, zst, or the only one in a zip
    pub files: Vec<PathBuf>,
    /// What they are: hftbacktest-raw (lines `<recv_ts> <json>`), hftbacktest-npz (its arrays of rows), cryptofeed (both
    /// generations), tardis-csv (incremental_book_L2, trades, quotes, book_snapshot_5 and _25), binance-vision (trades,
    /// aggTrades, bookTicker, klines), lobster (message and orderbook files), databento-mbo (order by order), bitstamp
    /// (ob-analytics' logs of 2015)
    #[arg(long)]
    pub format: import::Format,
    /// Venue they come from; `imported` for a market known from files only
    #[arg(long, value_name = "VENUE", requires = "symbol")]
    pub venue: Option<VenueId>,
    /// Instrument, in the venue's spelling
    #[arg(long, requires = "venue")]
    pub symbol: Option<String>,
    /// The same in one word; with files of its own it may be repeated, and all become one session
    #[arg(long, value_name = "VENUE:SYMBOL[=FILE,…]", conflicts_with = "venue", required_unless_present = "venue")]
    pub instrument: Vec<String>,
    /// Quote on it while it is imported: a file, or a built-in's name
    #[arg(long, value_name = "FILE")]
    pub strategy: Option<String>,
    /// Name of the new session
    #[arg(long, value_name = "NAME")]
    pub session: String,
    /// The venue's price step, where the recording does not say it; inferred without it
    #[arg(long, value_name = "STEP", value_parser = Step::parse)]
    pub tick: Option<Step>,
    /// The venue's quantity step, as --tick
    #[arg(long, value_name = "STEP", value_parser = Step::parse)]
    pub lot: Option<Step>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `sessions delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// Name of the session
    pub session: String,
    /// Really: there is no way back
    #[arg(long)]
    pub force: bool,
}

/// Calls [`crate::journal`].
pub fn sessions(verb: &SessionsVerb, globals: &Globals) -> Outcome {
    match verb {
        SessionsVerb::List(args) => list(args, globals),
        SessionsVerb::Show(args) => show(args, globals),
        SessionsVerb::Verify(args) => verify(args, globals),
        SessionsVerb::Export(args) => export(args, globals),
        SessionsVerb::Import(args) => import(args, globals),
        SessionsVerb::Delete(args) => delete(args, globals),
        SessionsVerb::Prune(args) => prune(args, globals),
        SessionsVerb::Keep(args) => keep(args, globals),
    }
}

fn list(args: &ListArgs, globals: &Globals) -> Outcome {
    let store = store(globals)?;
    let found = store.sessions().map_err(Failure::could_not_run)?;
    if args.json {
        let one = |s: &crate::journal::SessionSummary| match &s.manifest {
            Ok(manifest) => {
                let mut shown = described(manifest);
                if manifest.state == SessionState::Running {
                    // Nobody has counted yet: `sessions show` does.
                    let uncounted = ["inputs", "outputs", "trades", "fills", "gaps"];
                    uncounted.iter().for_each(|key| shown[key] = Value::Null);
                }
                shown["live"] = s.live.into();
                (shown["bytes"], shown["kept"]) = (s.bytes.into(), s.kept.into());
                shown
            }
            Err(error) => json!({ "paper": true, "id": s.id, "error": error.to_string(), "bytes": s.bytes }),
        };
        let sessions: Vec<Value> = found.iter().map(one).collect();
        return say(format_args!("{:#}", json!({ "paper": true, "sessions": sessions })));
    }
    if found.is_empty() {
        return say(format_args!("PAPER no sessions in {} yet", store.path().display()));
    }
    say(format_args!("PAPER sessions in {}", store.path().display()))?;
    for s in &found {
        match &s.manifest {
            Ok(m) => {
                // Of one that has not ended nobody has counted yet.
                let counted = m.state != SessionState::Running;
                let count = |n: u64| if counted { n.to_string() } else { "–".to_owned() };
                let state = match (s.live, counted) {
                    (true, _) => "live",
                    (false, true) => m.state.word(),
                    (false, false) => "died",
                };
                say(format_args!(
                    "{:<32} {state:<9} {}  {:>10} inputs {:>6} fills {:>9.1} MB  {}",
                    s.id,
                    when(m.started_ns),
                    count(m.counts.inputs),
                    count(m.counts.fills),
                    s.bytes as f64 / 1e6,
                    m.instruments.join(" ")
                ))?;
            }
            Err(error) => say(format_args!("{:<32} unreadable: {error}", s.id))?,
        }
    }
    Ok(())
}

fn show(args: &OneArgs, globals: &Globals) -> Outcome {
    let (store, id) = named(&args.session, globals)?;
    let mut manifest = store.manifest(&id).map_err(Failure::could_not_run)?;
    if manifest.state == SessionState::Running {
        // The manifest of a running session does not count; what is on disk does.
        let found = store.verify(&id, false).map_err(Failure::could_not_run)?;
        manifest.counts = found.counts;
        manifest.output_digest = Some(found.output_digest);
        (manifest.seal, manifest.refusals) = (Some(found.seal), found.refusals);
    }
    if args.digest {
        return digest(&manifest, args.json);
    }
    let mut shown = described(&manifest);
    if args.metrics {
        let reader = store.reader(&id).map_err(Failure::could_not_run)?;
        shown["metrics"] = metrics::measure(&manifest, reader)?;
    }
    if args.json {
        return say(format_args!("{shown:#}"));
    }
    say(format_args!("PAPER session {id}"))?;
    let lines = shown.as_object().expect("a description is an object").iter();
    for (key, value) in lines.filter(|(key, _)| !["paper", "metrics"].contains(&key.as_str())) {
        if let Some(text) = in_words(value) {
            let (key, text) = match (key.strip_suffix("_ns"), value.as_i64()) {
                (Some(key), Some(ns)) => (key, when(ns)),
                _ => (key.as_str(), text),
            };
            say(format_args!("  {key:<18} {text}"))?;
        }
    }
    metrics::print(&shown["metrics"])
}

/// A value for people; nothing where there is nothing to say.
fn in_words(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(counts) => counts.iter().map(|(key, n)| format!("{key} {n}")).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn parse_seal(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "a seal is 64 hex digits".to_owned())
}

/// What to keep elsewhere.
fn digest(manifest: &Manifest, as_json: bool) -> Outcome {
    let Some(seal) = manifest.seal else {
        let error = anyhow::anyhow!("{}: was recorded before there were seals", manifest.id);
        return Err(Failure::could_not_run(error).hint("`papermaker sessions show SESSION` shows its output digest"));
    };
    let seal = seal.to_string();
    if as_json {
        let shown = json!({ "paper": true, "id": manifest.id, "state": manifest.state.word(), "seal": seal });
        return say(format_args!("{shown:#}"));
    }
    say(format_args!("{seal}  {}", manifest.id))
}

fn verify(args: &VerifyArgs, globals: &Globals) -> Outcome {
    let (store, id) = named(&args.session, globals)?;
    let recovered = store.recover(&id).map_err(Failure::answer_is_no)?;
    let found = store.verify(&id, args.rebuild).map_err(Failure::could_not_run)?;
    let index = match &found.index {
        IndexCheck::Consistent => "consistent".to_owned(),
        IndexCheck::Rebuilt => "rebuilt".to_owned(),
        IndexCheck::Missing => "missing, made when needed".to_owned(),
        IndexCheck::InUse => "in use by the bot that writes it".to_owned(),
        IndexCheck::Closed(why) => format!("not compared: {why}"),
        IndexCheck::Differs(how) => {
            format!("differs: {how}; `papermaker sessions verify {id} --rebuild` makes it anew")
        }
    };
    let mut damage: Vec<String> = found.damage.iter().map(ToString::to_string).collect();
    let is_whole = damage.is_empty();
    let other = args.seal.filter(|kept| found.is_read && *kept != found.seal);
    if let Some(kept) = other {
        damage.push(format!("{id}: its seal is {}, the one that was kept is {kept}", found.seal));
    }
    let is_clean = damage.is_empty();
    let known = |value: Value| if found.is_read { value } else { Value::Null };
    let mut notes = found.notes.clone();
    notes.extend(recovered.map(|r| r.note));
    if args.json {
        say(format_args!(
            "{:#}",
            json!({
                "paper": true, "id": id, "ok": is_clean, "state": found.manifest.state.word(), "live": found.live,
                "segments": found.segments, "frames": found.frames, "bytes": found.bytes,
                "inputs": known(found.counts.inputs.into()), "outputs": known(found.counts.outputs.into()),
                "checkpoints": known(found.counts.checkpoints.into()),
                "output_digest": known(found.output_digest.to_string().into()),
                "seal": known(found.seal.to_string().into()),
                "damage": damage, "notes": notes, "index": index,
            })
        ))?;
    } else {
        let state = if found.live { "live" } else { found.manifest.state.word() };
        let verdict = match (is_whole, other) {
            (true, None) => "clean",
            (true, Some(_)) => "NOT THE ONE THAT WAS SEALED",
            (false, _) => "DAMAGED",
        };
        say(format_args!("PAPER session {id}: {verdict}, {state}"))?;
        let (frames, segments, bytes) = (found.frames, found.segments, found.bytes);
        if found.is_read {
            let counts = &found.counts;
            say(format_args!(
                "  {} inputs, {} outputs, {} checkpoints in {frames} frames of {segments} segments, {bytes} bytes",
                counts.inputs, counts.outputs, counts.checkpoints
            ))?;
            say(format_args!("  outputs {}\n  seal    {}\n  index {index}", found.output_digest, found.seal))?;
        } else {
            say(format_args!(
                "  {frames} frames of {segments} segments were checked, {bytes} bytes; inputs not counted, digests not \
                 computed"
            ))?;
        }
        notes.iter().try_for_each(|note| say(format_args!("  note: {note}")))?;
    }
    if is_clean {
        return Ok(());
    }
    let verdict = if is_whole { "whole, and not the one that was sealed" } else { "damaged" };
    Err(Failure::answer_is_no(anyhow::anyhow!(damage.join("\n"))).context(format!("{id} is {verdict}")))
}

/// Which files are of which instrument.
pub(super) fn wishes(args: &ImportArgs, tick_every: Nanos) -> anyhow::Result<Vec<import::Wish>> {
    let wish = |venue, symbol: String, files| import::Wish {
        files,
        format: args.format,
        venue,
        symbol,
        tick: args.tick,
        lot: args.lot,
        tick_every,
    };
    let mut common = Some(args.files.clone()).filter(|files| !files.is_empty());
    let mut take_common = |name: &str| {
        common.take().ok_or_else(|| anyhow::anyhow!("no files are left for {name}: write {name}=FILE, or name files"))
    };
    let mut wishes = Vec::new();
    if let (Some(venue), Some(symbol)) = (args.venue, &args.symbol) {
        wishes.push(wish(venue, symbol.clone(), take_common(&format!("{venue}:{symbol}"))?));
    }
    for text in &args.instrument {
        let (name, own) = text.split_once('=').map_or((text.as_str(), None), |(name, own)| (name, Some(own)));
        let (venue, symbol) = prepare::parse_instrument(name)?;
        let files = match own {
            Some(own) => own.split(',').map(PathBuf::from).collect(),
            None => take_common(name)?,
        };
        wishes.push(wish(venue, symbol, files));
    }
    if let Some(file) = common.and_then(|files| files.into_iter().next()) {
        anyhow::bail!("{}: every instrument has files of its own, whose is this?", file.display());
    }
    if wishes.len() > 1 && (args.tick.is_some() || args.lot.is_some()) {
        anyhow::bail!("--tick and --lot are of one instrument, and there are {}", wishes.len());
    }
    Ok(wishes)
}

/// Calls the import driver, [`crate::run::import`].
fn import(args: &ImportArgs, globals: &Globals) -> Outcome {
    let loaded = globals.load()?;
    let store = Store::open(&loaded.settings.store.path);
    let tick_every = Nanos::from_ms(i64::from(loaded.settings.session.tick_ms));
    let wishes = wishes(args, tick_every).map_err(Failure::could_not_run)?;
    let strategy = args.strategy.as_deref().map(|name| prepare::strategy_text(name, None)).transpose();
    let strategy = strategy.map_err(Failure::could_not_run)?;
    let done = drive::import(&loaded, &store, &args.session, wishes, strategy.as_deref())
        .map_err(|e| Failure::could_not_run(e).context("nothing was imported"))?;
    let (manifest, report) = (&done.manifest, &done.report);
    if args.json {
        let mut shown = described(manifest);
        shown["frames"] = report.frames.into();
        shown["snapshots"] = report.snapshots.into();
        shown["clock_steps_back"] = report.clock_steps_back.into();
        shown["clock_step_back_max_ns"] = report.clock_step_back_max.0.into();
        shown["steps_from"] = done.steps_from.word().into();
        return say(format_args!("{shown:#}"));
    }
    let counts = &manifest.counts;
    say(format_args!(
        "PAPER session {}: {} frames and {} snapshots became {} inputs, {} trades, {} gaps",
        manifest.id, report.frames, report.snapshots, counts.inputs, counts.trades, counts.gaps
    ))?;
    manifest.notes.iter().try_for_each(|note| say(format_args!("  note: {note}")))
}

fn delete(args: &DeleteArgs, globals: &Globals) -> Outcome {
    let store = store(globals)?;
    // A name only, never a path: what is deleted is in the store.
    let manifest = store.manifest(&args.session).map_err(Failure::could_not_run)?;
    if !args.force {
        let inputs = manifest.counts.inputs;
        let error = anyhow::anyhow!("{}: {inputs} inputs would be gone for good", args.session);
        return Err(Failure::could_not_run(error).hint("--force deletes the session"));
    }
    store.delete(&args.session).map_err(Failure::could_not_run)?;
    say(format_args!("PAPER {}: deleted", args.session))
}

/// The store of the configuration in force.
fn store(globals: &Globals) -> Result<Store, Failure> {
    Ok(Store::open(globals.load()?.settings.store.path))
}

/// What a person means by SESSION: a name in the store, or the path of a session's folder.
pub(super) fn named(session: &str, globals: &Globals) -> Result<(Store, String), Failure> {
    let store = store(globals)?;
    store.of_session(session).map_err(|error| match alike(session, &store) {
        Some(alike) => Failure::could_not_run(error).hint(format!("did you mean {alike}?")),
        None => Failure::could_not_run(error),
    })
}

/// The session that was probably meant.
fn alike(session: &str, store: &Store) -> Option<String> {
    let names = store.sessions().unwrap_or_default().into_iter().map(|found| found.id);
    let scored = names.map(|name| (strsim::jaro_winkler(session, &name), name)).filter(|(score, _)| *score > 0.85);
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

/// A number in four decimals, anything else as it is.
fn places(word: &str) -> String {
    word.parse::<rust_decimal::Decimal>().map_or_else(|_| word.to_owned(), |n| format!("{n:.4}"))
}

/// Where a shadow ended, in a line.
pub(super) fn band(shadow: &ShadowPrint) -> String {
    let short = |text: &String| text.split(' ').map(places).collect::<Vec<_>>().join(" ");
    let equity: Vec<String> = shadow.equity.iter().map(short).collect();
    format!("{}: {} fills, {}", shadow.bound.word(), shadow.fills, equity.join(", "))
}

/// The keys CONTRACT promises of `sessions show --json`.
fn described(m: &Manifest) -> Value {
    let text = |d: &Option<crate::digest::Digest>| d.map(|d| d.to_string());
    let strategy = |desk: &crate::engine::DeskSpec| {
        let built = desk.strategy.as_ref().map(|text| strategy::build(text, &desk.rules));
        built.map_or(Value::Null, |b| b.map_or("unknown".into(), |s| s.name().into()))
    };
    json!({
        "paper": true,
        "id": m.id,
        "state": m.state.word(),
        "venue_instruments": m.instruments,
        "strategy": m.spec.desks.iter().map(strategy).collect::<Vec<_>>(),
        "strategy_digest": m.strategies.iter().map(|s| text(&s.digest)).collect::<Vec<_>>(),
        "policy_digest": text(&m.policy_digest),
        "config_digest": text(&m.config_digest),
        "seed": m.seed,
        "started_ns": m.started_ns,
        "ended_ns": m.ended_ns,
        "inputs": m.counts.inputs,
        "outputs": m.counts.outputs,
        "trades": m.counts.trades,
        "fills": m.counts.fills,
        "gaps": m.counts.gaps,
        "output_digest": text(&m.output_digest),
        "state_digest": text(&m.state_digest),
        "input_digest": text(&m.input_digest),
        "seal": text(&m.seal),
        "limits_digest": of_state(&m.spec.risk).to_string(),
        "refusals": m.refusals,
        "bracket": m.bracket.iter().map(band).collect::<Vec<_>>(),
        "code_version": m.code_version,
        "notes": m.notes,
    })
}

/// A moment for people: UTC to the second.
fn when(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| ns.to_string(), |t| format!("{t:.0}"))
}

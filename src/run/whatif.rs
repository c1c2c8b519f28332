//! A what-if: the inputs of a recording under other settings, beside what was recorded.
//!
//! Nothing is verified; it answers "what would have come of it". Each side is measured by [`Account`], the recorded one
//! from what was recorded, the others from what they say now. All have lived the same periods, so their profits are
//! compared in pairs: what moves all moves no difference.
//!
//! Other limits are in force from the first input on, so recorded `SetLimits` commands are left out then: they would bring
//! the old ones back. Every other command stays, as the operator gave it: a pause, a halt, a flatten, the account the
//! session continued.

use serde::Serialize;

use super::bracket;
use super::prepare::{self, PrepareError};
use super::rerun::{Changes, Inputs, RerunError, on_paper, rerun, spec_for};
use crate::config::Loaded;
use crate::digest::Digest;
use crate::engine::{Command, Input, Output, SessionSpec, Stamped};
use crate::exchange::PaperSpec;
use crate::exchange::queue::Bound;
use crate::journal::{JournalError, Manifest, Reader, Store};
use crate::metrics::bootstrap::{Comparison, compare};
use crate::metrics::returns::returns;
use crate::metrics::{Account, Conduct, Conducts, Plan, Story, Summary, Told};
use crate::units::{Money, Nanos};

/// What is to be different.
#[derive(Clone, Debug, Default)]
pub struct Ask<'a> {
    /// Text of a strategy for every instrument.
    pub strategy: Option<&'a str>,
    /// Limits from this configuration.
    pub risk: Option<&'a Loaded>,
    /// Paper exchanges in session order.
    pub paper: Option<Vec<PaperSpec>>,
    /// Both bounds of the queue model too.
    pub bracket: bool,
    /// Keep lines over time too, for a report.
    pub lines: bool,
}

/// One way it could have been.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// `recorded`, `what_if`, `pessimistic` or `optimistic`.
    pub name: &'static str,
    /// Last link of everything said; of the recorded side as its manifest has it.
    pub output_digest: Option<Digest>,
    /// What it was worth.
    pub metrics: Summary,
    /// What limits did.
    pub risk: Conduct,
    /// Lines over time, where they were asked for.
    #[serde(skip)]
    pub told: Option<Box<Told>>,
}

/// How much more (negative: less) a side made of an instrument than the recorded one.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Which side.
    pub side: &'static str,
    /// `VENUE:SYMBOL`.
    pub instrument: String,
    /// What it is in.
    pub currency: String,
    /// Profit less the recorded profit, exact, as text.
    pub pnl: String,
    /// The same over whole periods, with its interval; `None` of a session of less than one.
    pub paired: Option<Comparison>,
}

/// All sides, the recorded one first.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    /// Always true.
    pub paper: bool,
    /// The recording.
    pub session: String,
    /// What differs between the recorded spec and the other, in words.
    pub changed: Vec<String>,
    /// Recorded `SetLimits` commands that were left out.
    pub set_limits_left_out: u64,
    /// The recorded one, and the others.
    pub sides: Vec<Side>,
    /// Of every other side, per instrument.
    pub differences: Vec<Difference>,
}

/// Inputs without the commands that would bring recorded limits back. Their time passes all the same.
struct UnderOtherLimits<'a> {
    inputs: &'a mut dyn Inputs,
    left_out: u64,
}

impl Inputs for UnderOtherLimits<'_> {
    fn next(&mut self, into: &mut Stamped) -> Result<bool, RerunError> {
        let is_there = self.inputs.next(into)?;
        if is_there && matches!(&into.input, Input::Command { command: Command::SetLimits(_), .. }) {
            into.input = Input::Tick;
            self.left_out += 1;
        }
        Ok(is_there)
    }
}

/// The recording named (or in this folder) beside what is asked for.
pub fn what_if(store: &Store, named: &str, ask: &Ask<'_>) -> Result<WhatIf, RerunError> {
    let (store, id) = store.of_session(named)?;
    store.recover(&id)?;
    let manifest = store.manifest(&id)?;
    let spec = spec_of(&manifest, ask)?;
    let mut others = Vec::new();
    if spec != manifest.spec || !ask.bracket {
        others.push(("what_if", spec.clone()));
    }
    if ask.bracket {
        others.extend(Bound::BOTH.map(|bound| (bound.word(), bracket::spec_of(&spec, bound))));
    }
    // Each side has a reader of its own, so they need not wait for each other.
    let (recorded, found) = std::thread::scope(|scope| {
        let run = |(name, spec): &(&'static str, SessionSpec)| {
            let (reader, spec, other_limits) = (store.reader(&id), spec.clone(), ask.risk.is_some());
            let (name, lines) = (*name, ask.lines);
            scope.spawn(move || again(reader?, name, &spec, other_limits, lines))
        };
        let threads: Vec<_> = others.iter().map(run).collect();
        let recorded = store.reader(&id).and_then(|reader| as_recorded(reader, &manifest, ask.lines));
        let join =
            |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().expect("a side panics as its session does");
        (recorded, threads.into_iter().map(join).collect::<Result<Vec<_>, RerunError>>())
    });
    let (recorded, found) = (recorded?, found?);
    let set_limits_left_out = found.iter().map(|(_, left_out)| *left_out).max().unwrap_or(0);
    let others: Vec<Side> = found.into_iter().map(|(side, _)| side).collect();
    let differences = others.iter().flat_map(|side| differences(&recorded, side, manifest.seed)).collect();
    let sides = std::iter::once(recorded).chain(others).collect();
    let changed = changed(&manifest.spec, &spec);
    Ok(WhatIf { paper: true, session: id, changed, set_limits_left_out, sides, differences })
}

fn spec_of(manifest: &Manifest, ask: &Ask<'_>) -> Result<SessionSpec, PrepareError> {
    let changes = Changes { strategy: ask.strategy, risk: ask.risk };
    let mut spec = spec_for(manifest, &changes)?;
    for (desk, paper) in spec.desks.iter_mut().zip(ask.paper.iter().flatten()) {
        desk.paper = paper.clone();
    }
    if spec != manifest.spec {
        on_paper(&mut spec);
    }
    // What cannot run shall say so before anything has run for minutes.
    prepare::strategies(&spec)?;
    Ok(spec)
}

/// What is measured of a side.
enum Measure {
    Numbers(Box<Account>),
    /// And lines over time.
    Lines(Box<Story>),
}

struct Measured {
    worth: Measure,
    risk: Conducts,
}

impl Measured {
    fn new(spec: &SessionSpec, lines: bool) -> Self {
        let instruments = || spec.desks.iter().map(|desk| desk.rules.clone());
        let every = Nanos::from_s(1);
        let worth = match lines {
            true => Measure::Lines(Box::new(Story::new(instruments(), every))),
            false => Measure::Numbers(Box::new(Account::new(instruments(), every))),
        };
        Self { worth, risk: Conducts::new(instruments()) }
    }

    fn step(&mut self, input: &Stamped, said: &[Output]) {
        match &mut self.worth {
            Measure::Numbers(account) => account.step(input, said),
            Measure::Lines(story) => story.step(input, said),
        }
        self.risk.step(input, said);
    }

    fn side(self, name: &'static str, output_digest: Option<Digest>, seed: u64) -> Side {
        let plan = Plan { seed, ..Plan::default() };
        let (metrics, told) = match self.worth {
            Measure::Numbers(account) => (account.finish(&plan), None),
            Measure::Lines(story) => {
                let told = story.finish(&plan);
                (told.summary.clone(), Some(Box::new(told)))
            }
        };
        Side { name, output_digest, metrics, risk: self.risk.finish(), told }
    }
}

fn as_recorded(mut reader: Reader, manifest: &Manifest, lines: bool) -> Result<Side, JournalError> {
    let mut measured = Measured::new(&manifest.spec, lines);
    let (mut input, mut said) = (Reader::blank(), Vec::new());
    while reader.next_step(&mut input, &mut said)? {
        measured.step(&input, &said);
    }
    Ok(measured.side("recorded", manifest.output_digest, manifest.spec.seed))
}

/// A side, and how many commands were left out.
fn again(
    mut reader: Reader,
    name: &'static str,
    spec: &SessionSpec,
    other_limits: bool,
    lines: bool,
) -> Result<(Side, u64), RerunError> {
    let mut measured = Measured::new(spec, lines);
    let mut without = UnderOtherLimits { inputs: &mut reader, left_out: 0 };
    let mut each = |_: &_, input: &Stamped, said: &[_]| {
        measured.step(input, said);
        true
    };
    let ended = match other_limits {
        true => rerun(&mut without, spec, &mut each)?,
        false => rerun(without.inputs, spec, &mut each)?,
    };
    let left_out = without.left_out;
    Ok((measured.side(name, Some(ended.output_digest()), spec.seed), left_out))
}

fn differences(recorded: &Side, other: &Side, seed: u64) -> Vec<Difference> {
    let plan = Plan { seed, ..Plan::default() };
    let pairs = recorded.metrics.instruments.iter().zip(&other.metrics.instruments);
    let one =
        |(was, is): (&crate::metrics::summary::InstrumentSummary, &crate::metrics::summary::InstrumentSummary)| {
            let (first, second) = (returns(&is.risk.equity), returns(&was.risk.equity));
            let sum = |series: &[f64]| (!series.is_empty()).then(|| series.iter().sum());
            let pnl: Money = is.attribution.pnl - was.attribution.pnl;
            Difference {
                side: other.name,
                instrument: is.instrument.clone(),
                currency: is.currency.clone(),
                pnl: pnl.to_string(),
                paired: compare(&first, &second, &plan, sum),
            }
        };
    pairs.map(one).collect()
}

/// Where two specs differ, a line each.
fn changed(was: &SessionSpec, is: &SessionSpec) -> Vec<String> {
    let mut lines = Vec::new();
    for (was, is) in was.desks.iter().zip(&is.desks) {
        let label = is.rules.label();
        if was.strategy != is.strategy {
            lines.push(format!(
                "{label}: strategy {}, was {}",
                kind(is.strategy.as_deref()),
                kind(was.strategy.as_deref())
            ));
        }
        if was.answers != is.answers {
            lines.push(format!("{label}: fills by the paper exchange, were the simulated market's own"));
        }
        let (before, now) = (&was.paper, &is.paper);
        if before.queue != now.queue {
            lines.push(format!("{label}: queue {:?}, was {:?}", now.queue, before.queue));
        }
        if before.fees != now.fees {
            let fees = |paper: &PaperSpec| {
                let (base, tiers) = (paper.fees.base, paper.fees.tiers.len());
                let tiers = if tiers > 0 { format!(" and {tiers} tiers") } else { String::new() };
                format!("{} bps maker, {} bps taker{tiers}", base.maker.bps(), base.taker.bps())
            };
            lines.push(format!("{label}: fees {}, was {}", fees(now), fees(before)));
        }
        if before.latency != now.latency {
            let ways = |paper: &PaperSpec| {
                let l = &paper.latency;
                let ways = format!("place {:?}, cancel {:?}, replace {:?}", l.place, l.cancel, l.replace);
                format!("feed {} µs, {ways}, response {:?}", l.feed_us, l.response)
            };
            lines.push(format!("{label}: latency {}, was {}", ways(now), ways(before)));
        }
    }
    let instruments: Vec<_> = is.desks.iter().map(|desk| desk.rules.clone()).collect();
    for change in was.risk.differences(&is.risk, &instruments) {
        let of = if change.of.is_empty() { "the book" } else { change.of.as_str() };
        let word = if change.loosens { "looser" } else { "tighter" };
        lines.push(format!("{of}: {} {}, was {} ({word})", change.key, change.new, change.old));
    }
    lines
}

/// The `kind` of a strategy's text.
fn kind(text: Option<&str>) -> String {
    let Some(text) = text else { return "none".to_owned() };
    let table = text.parse::<toml_edit::DocumentMut>().ok();
    let kind = table.and_then(|table| table.get("kind").and_then(|kind| kind.as_str().map(str::to_owned)));
    let fingerprint = Digest::of(text.as_bytes()).short();
    format!("{} ({fingerprint})", kind.unwrap_or_else(|| "unnamed".to_owned()))
}

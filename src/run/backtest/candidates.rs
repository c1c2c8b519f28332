//! Who takes part: strategies as they are named, times what a sweep makes of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::recordings::{Recording, Source};
use super::sweep::{Combination, Grid};
use super::{Ask, BacktestError, RECORDED, Settings};
use crate::config::{Loaded, Sources, load};
use crate::digest::Digest;
use crate::engine::SessionSpec;
use crate::market::{Instrument, VenueId};
use crate::run::prepare;
use crate::run::rerun::{Changes, spec_for};
use crate::strategy;

/// One strategy under one configuration.
pub struct Candidate {
    /// Stable, and no two alike.
    pub name: String,
    /// What a sweep changed.
    pub changed: Vec<(String, String)>,
    /// Its text; `None` is each recording's own.
    pub text: Option<String>,
    /// The configuration it runs under, unless settings are as recorded.
    loaded: Arc<Loaded>,
    settings_digest: Digest,
}

impl Candidate {
    /// Of its text; of recordings' own strategies a digest of that word.
    pub fn strategy_digest(&self) -> String {
        Digest::of(self.text.as_deref().unwrap_or(RECORDED).as_bytes()).to_string()
    }

    /// Of all else that shapes its runs, whatever the recording.
    pub fn settings_digest(&self) -> String {
        self.settings_digest.to_string()
    }

    /// Longest of what orders wait and what estimators look back on, seconds.
    pub fn memory_s(&self) -> f64 {
        let (paper, signals) = (&self.loaded.settings.paper, &self.loaded.settings.signals);
        let latency = f64::from(paper.feed_latency_us + paper.entry_latency_us + paper.response_latency_us) / 1e6;
        // After five half-lives an average remembers a thirtieth.
        latency.max(signals.intensity_window_s).max(5.0 * signals.volatility_half_life_s)
    }

    /// What it pays on a recording's instruments, in words.
    pub fn fees(&self, recording: &Recording) -> Vec<String> {
        let rates = |rules: &Instrument| {
            let base = self.loaded.paper_spec(rules.venue).fees.base;
            format!("{} maker {} bps, taker {} bps", rules.venue, base.maker.bps(), base.taker.bps())
        };
        recording.instruments.iter().map(rates).collect()
    }

    /// The session it lives on this recording.
    pub fn spec(&self, recording: &Recording, ask: &Ask) -> Result<SessionSpec, BacktestError> {
        let named = |error| BacktestError::Strategy {
            name: format!("{} on {}", self.name, recording.name),
            error: Box::new(error),
        };
        let own = recording.manifest();
        let mut spec = match (ask.settings, own) {
            (Settings::AsRecorded, Some(manifest)) => {
                let changes = Changes { strategy: self.text.as_deref(), ..Changes::default() };
                spec_for(manifest, &changes).map_err(|e| named(e.into()))?
            }
            _ => {
                let rules = recording.instruments.clone();
                let text = self.text.as_deref();
                let mut spec = prepare::session_spec(&self.loaded, rules, text).map_err(|e| named(e.into()))?;
                if self.text.is_none() {
                    let Some(manifest) = own else {
                        let what = "only a recorded session has a strategy of its own".to_owned();
                        return Err(named(BacktestError::Asked(what)));
                    };
                    spec.desks.iter_mut().zip(&manifest.spec.desks).for_each(|(desk, own)| {
                        desk.strategy.clone_from(&own.strategy);
                    });
                    // Limits that do not fit were let pass, as for somebody who only listens.
                    spec.risk = self.loaded.risk_limits(&recording.instruments).map_err(|e| named(e.into()))?;
                }
                spec
            }
        };
        if let Some(seed) = ask.seed {
            spec.seed = seed;
        }
        prepare::strategies(&spec).map_err(|e| named(e.into()))?;
        Ok(spec)
    }
}

/// All of them, in the order of the strategies and within each of the sweep.
pub fn candidates(ask: &Ask) -> Result<Vec<Candidate>, BacktestError> {
    let base = Arc::new(load(&ask.configuration)?);
    let named = match (ask.strategies.as_slice(), ask.settings) {
        ([], Settings::InForce) => vec![base.settings.strategy.file.clone()],
        ([], Settings::AsRecorded) => vec![RECORDED.to_owned()],
        (given, _) => given.to_vec(),
    };
    let grid = ask.sweep.as_deref().map(Grid::parse).transpose();
    let grid = grid.map_err(|why| BacktestError::Asked(format!("the sweep cannot be run: {why}")))?;
    if ask.settings == Settings::AsRecorded && grid.as_ref().is_some_and(Grid::changes_configuration) {
        let what = "a sweep of the configuration changes nothing where settings are as recorded".to_owned();
        return Err(BacktestError::Asked(what));
    }
    let names = short_names(&named)?;
    let mut all = Vec::new();
    for (given, name) in named.iter().zip(names) {
        let own = ask.texts.iter().find(|(known, _)| known == given);
        let text = match (given.as_str(), own) {
            (_, Some((_, text))) => Some(text.clone()),
            (RECORDED, None) => None,
            (file, None) => Some(prepare::strategy_text(file, ask.configuration.dir.as_deref())?),
        };
        all.extend(swept(ask, &base, grid.as_ref(), &name, text)?);
    }
    let mut known = BTreeSet::new();
    if let Some(twice) = all.iter().find(|c| !known.insert((c.strategy_digest(), c.settings_digest()))) {
        let what = format!("{}: the same strategy under the same settings is there already", twice.name);
        return Err(BacktestError::Asked(what));
    }
    Ok(all)
}

fn swept(
    ask: &Ask,
    base: &Arc<Loaded>,
    grid: Option<&Grid>,
    name: &str,
    text: Option<String>,
) -> Result<Vec<Candidate>, BacktestError> {
    let combinations = match (grid, &text) {
        (None, _) => vec![Combination::default()],
        (Some(grid), Some(text)) => grid.combinations(&kind(text)),
        (Some(_), None) => {
            return Err(BacktestError::Asked(format!("a sweep needs a strategy's text, {RECORDED} names none")));
        }
    };
    let candidate = |combination: Combination| {
        let changed = combination.changed();
        let changes: String = changed.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        let name = format!("{name}{changes}");
        let wrong = |error| BacktestError::Strategy { name: name.clone(), error: Box::new(error) };
        let asked = |why: String| wrong(BacktestError::Asked(why));
        let text = text.as_deref().map(|text| combination.apply(text)).transpose().map_err(asked)?;
        if let Some(text) = &text {
            strategy::check(text).map_err(|e| asked(e.to_string()))?;
        }
        let sets = combination.sets();
        let loaded = match sets.as_slice() {
            [] => Arc::clone(base),
            sets => {
                let own = &ask.configuration;
                let sources = Sources { sets: [&own.sets, sets].concat(), ..own.clone() };
                Arc::new(load(&sources).map_err(|e| wrong(e.into()))?)
            }
        };
        let settings_digest = settings_digest(ask, &loaded);
        Ok(Candidate { name, changed, text, loaded, settings_digest })
    };
    combinations.into_iter().map(candidate).collect()
}

/// What a file is called without its folder and ending, where that is enough to tell them apart.
fn short_names(named: &[String]) -> Result<Vec<String>, BacktestError> {
    let short = |name: &String| {
        let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        stem.filter(|_| name.ends_with(".toml")).unwrap_or_else(|| name.clone())
    };
    if let Some((_, twice)) = named.iter().enumerate().find(|(i, name)| named[..*i].contains(name)) {
        return Err(BacktestError::Asked(format!("{twice} is named twice")));
    }
    let all: Vec<String> = named.iter().map(short).collect();
    let is_alone = |name: &String| all.iter().filter(|other| *other == name).count() == 1;
    Ok(all.iter().zip(named).map(|(short, full)| if is_alone(short) { short.clone() } else { full.clone() }).collect())
}

fn kind(text: &str) -> String {
    let kind = text.parse::<toml::Table>().ok().and_then(|table| Some(table.get("kind")?.as_str()?.to_owned()));
    kind.unwrap_or_default()
}

/// Of all that a run depends on: keys, and of a file of latencies what is in it, not where it lies. Shadows decide nothing,
/// and how often time ticks matters only where no recording says it.
fn settings_digest(ask: &Ask, loaded: &Loaded) -> Digest {
    let text = match ask.settings {
        Settings::AsRecorded => "as recorded\n".to_owned(),
        Settings::InForce => {
            let sections = ["paper.", "quoting.", "risk.", "signals.", "session.seed", "session.equity_ms"];
            let shapes = |key: &str| match key {
                "paper.bracket" | "paper.latency_file" => false,
                "session.tick_ms" => ask.sources.iter().any(|source| !matches!(source, Source::Session(_))),
                _ => sections.iter().any(|s| key.starts_with(s)) || key.ends_with("_fee_bps"),
            };
            let entries = loaded.entries().iter().filter(|entry| shapes(&entry.key));
            let text: String = entries.map(|entry| format!("{} = {}\n", entry.key, entry.value)).collect();
            text + &format!("{:?}\n", loaded.paper_spec(VenueId::Imported).latency.measured)
        }
    };
    let seed = ask.seed.map_or_else(String::new, |seed| format!("seed {seed}\n"));
    Digest::of((text + &seed).as_bytes())
}

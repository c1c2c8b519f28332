//! Layered settings, checked before anything starts, each remembering who said so.
//!
//! A bot that runs on a misread setting is worse than one that does not start. So every layer is checked on its own
//! against one table of keys ([`keys`]), every mistake is reported at once with its file and line, and nothing is
//! guessed: a key we do not know is an error, however harmless it looks.
//!
//! Lowest first: `config/default.toml` (built in, and the folder's own if it is edited) → the profile → `risk.toml` →
//! `PAPERMAKER__SECTION__KEY` → `--set section.key=value`. The `config` crate does the laying-over.
//!
//! Reading order: [`load`] is all of it, [`Layer`] reads one layer, [`Settings`] is what comes out, [`spec`] turns it
//! into the units of the core.

pub mod keys;
pub mod layer;
pub mod market;
pub mod problem;
pub mod recorded;
mod risk;
pub mod settings;
pub mod spec;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};
use rust_decimal::Decimal;

use crate::digest::Digest;
use crate::exchange::latency::Measured;
use crate::sim::SimSpec;
use keys::{KEYS, Key, Kind};
use layer::Scalar;

pub use layer::Layer;
pub use problem::{ConfigErrors, Problem};
pub use settings::Settings;
use settings::{AlertShape, LatencyChoice, LogSettings, TierSettings};

/// The built-in copies of the files in `config/`.
const DEFAULT: &str = include_str!("../../config/default.toml");
const DEMO: &str = include_str!("../../config/demo.toml");
const LIVE: &str = include_str!("../../config/live.toml");
/// `risk.toml` as it stands where there is none.
pub const BUILT_IN_RISK: &str = include_str!("../../config/risk.toml");

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config DIR`. `None`: `config/` here if there is one, else what is built in.
    pub dir: Option<PathBuf>,
    /// `--profile NAME`; `demo` and `live` are built in, others are `DIR/NAME.toml`. Empty: none.
    pub profile: String,
    /// The environment (`std::env::vars().collect()`); only `PAPERMAKER__…` is looked at.
    pub env: Vec<(String, String)>,
    /// Every `--set`, in order.
    pub sets: Vec<String>,
}

impl Sources {
    /// Where `risk.toml` is, if there is one.
    pub fn risk_file(&self) -> PathBuf {
        self.dir.as_deref().unwrap_or(Path::new("config")).join("risk.toml")
    }
}

/// Checked settings and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub settings: Settings,
    entries: Vec<Entry>,
    /// What is in `paper.latency_file`.
    measured: Measured,
    /// The folder that was read, if any.
    dir: Option<PathBuf>,
}

/// One key in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Dotted, as after `--set`.
    pub key: String,
    /// Its value.
    pub value: Scalar,
    /// Who said so: `config/risk.toml:7`, `env PAPERMAKER__…`, `--set …`, `built-in default.toml:12`.
    pub origin: String,
}

/// Reads, checks and lays over each other all layers; every mistake of all of them at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    load_with(sources, None)
}

/// As [`load`], with this text where `risk.toml` is: who has read the file, and decided that it has settled, must not be
/// given what it says a moment later.
pub fn load_with(sources: &Sources, risk: Option<&str>) -> Result<Loaded, ConfigErrors> {
    let mut problems = Vec::new();
    let layers = read_layers(sources, risk, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigErrors { problems });
    }
    let dir = sources.dir.clone().or_else(|| Some(PathBuf::from("config")).filter(|dir| dir.is_dir()));
    Ok(Loaded { dir, ..merge(layers, None)? })
}

/// Where the store is. Mistakes in files do not count: who wants to halt a bot must not be held up by a line of
/// `risk.toml` that has nothing to do with where the bot is found. What was just typed still has to be right.
pub fn store_path(sources: &Sources) -> Result<PathBuf, ConfigErrors> {
    Ok(in_spite_of_mistakes::<String>(sources, "store.path")?.into())
}

/// How to log: wanted before anything else, mistakes elsewhere or not.
pub fn log_settings(sources: &Sources) -> Result<LogSettings, ConfigErrors> {
    in_spite_of_mistakes(sources, "log")
}

fn in_spite_of_mistakes<'de, T: serde::Deserialize<'de>>(sources: &Sources, key: &str) -> Result<T, ConfigErrors> {
    let mut problems = Vec::new();
    let layers = read_layers(sources, None, &mut problems);
    problems.retain(|problem| problem.is_typed());
    if !problems.is_empty() {
        return Err(ConfigErrors { problems });
    }
    let builder = layers.into_iter().fold(config::Config::builder(), |builder, layer| builder.add_source(layer));
    let found = builder.build().and_then(|merged| merged.get(key));
    Ok(found.map_err(|error| Problem::new("config", None, key, error.to_string()))?)
}

/// Lays checked layers over each other, lowest first. `measured` stands where no file of measurements is named.
fn merge(layers: Vec<Layer>, measured: Option<Measured>) -> Result<Loaded, ConfigErrors> {
    let mut builder = config::Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let internal = |error: config::ConfigError| Problem::new("config", None, "", error.to_string());
    let merged = builder.build().map_err(internal)?;
    let mut entries = Vec::new();
    flatten(&merged.cache, &mut Vec::new(), &mut entries);
    entries.sort_by_key(|(rank, names, _)| (*rank, names.clone()));
    let entries: Vec<Entry> = entries.into_iter().map(|(_, _, entry)| entry).collect();
    let settings = merged.try_deserialize().map_err(internal)?;
    let mut loaded = Loaded { settings, entries, measured: measured.unwrap_or_default(), dir: None };
    let mut problems = loaded.contradictions();
    problems.extend(loaded.read_measured());
    if problems.is_empty() { Ok(loaded) } else { Err(ConfigErrors { problems }) }
}

fn read_layers(sources: &Sources, risk: Option<&str>, problems: &mut Vec<Problem>) -> Vec<Layer> {
    let mut layers = vec![Layer::from_toml("built-in default.toml", DEFAULT, problems)];
    let dir = match &sources.dir {
        Some(dir) => Some(dir.clone()),
        None => Some(PathBuf::from("config")).filter(|dir| dir.is_dir()),
    };
    if let Some(dir) = dir.as_deref().filter(|dir| !dir.is_dir()) {
        let what = "no such folder".to_owned();
        problems.push(
            Problem::new(&dir.display().to_string(), None, "", what).hint("--config takes a folder").names_nothing(),
        );
        return layers;
    }
    let dir = dir.as_deref();
    if let Some((name, text)) = read_file(dir, "default.toml", problems) {
        // A file that says what is built in need not be named as the one who said so.
        if text != DEFAULT {
            layers.push(Layer::from_toml(&name, &text, problems));
        }
    }
    if !sources.profile.is_empty() {
        layers.extend(read_profile(dir, &sources.profile, problems));
    }
    let read = match risk {
        Some(text) => Some((sources.risk_file().display().to_string(), text.to_owned())),
        None => read_file(dir, "risk.toml", problems),
    };
    let (name, text) = read.unwrap_or(("built-in risk.toml".into(), BUILT_IN_RISK.into()));
    layers.push(read_risk(&name, &text, problems));
    let mut env = Layer::default();
    for (name, value) in &sources.env {
        env.env(name, value, problems);
    }
    let mut sets = Layer::default();
    for argument in &sources.sets {
        sets.set(argument, problems);
    }
    layers.extend([env, sets]);
    layers
}

fn read_profile(dir: Option<&Path>, profile: &str, problems: &mut Vec<Problem>) -> Option<Layer> {
    let is_plain = profile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_plain || profile == "risk" || profile == "default" {
        problems.push(Problem::new("--profile", None, profile, "is not the name of a profile".to_owned()));
        return None;
    }
    let built_in = match profile {
        "demo" => Some(DEMO),
        "live" => Some(LIVE),
        _ => None,
    };
    let file = format!("{profile}.toml");
    let own = read_file(dir, &file, problems);
    let found = own.or_else(|| built_in.map(|text| (format!("built-in {file}"), text.to_owned())));
    if found.is_none() {
        let place = dir.unwrap_or(Path::new("config")).join(&file).display().to_string();
        let hint = format!("profiles are demo, live, or a file {place}");
        problems.push(Problem::new(&place, None, "", "no such profile".to_owned()).hint(&hint).names_nothing());
    }
    found.map(|(name, text)| Layer::from_toml(&name, &text, problems))
}

/// `risk.toml` belongs to another team: what it says outside `[risk]` would surprise everybody.
fn read_risk(name: &str, text: &str, problems: &mut Vec<Problem>) -> Layer {
    if let Ok(document) = text.parse::<toml_edit::DocumentMut>() {
        for (section, _) in document.iter().filter(|(section, _)| *section != "risk") {
            let what = "does not belong here: this file holds [risk] only".to_owned();
            problems.push(Problem::new(name, None, section, what).hint("move it to default.toml or a profile"));
        }
    }
    Layer::from_toml(name, text, problems)
}

/// The file's name for people and its text; `None` if it is not there.
fn read_file(dir: Option<&Path>, file: &str, problems: &mut Vec<Problem>) -> Option<(String, String)> {
    let path = dir?.join(file);
    let name = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Some((name, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            problems.push(Problem::new(&name, None, "", format!("cannot be read: {error}")));
            None
        }
    }
}

/// Every leaf with its rank in the table of keys and the names in it, by which it is sorted.
fn flatten(value: &Value, path: &mut Vec<String>, into: &mut Vec<(usize, Vec<String>, Entry)>) {
    if let ValueKind::Table(map) = &value.kind {
        for (name, below) in map {
            path.push(name.clone());
            flatten(below, path, into);
            path.pop();
        }
        return;
    }
    let key = keys::find(path).expect("layers hold known keys only");
    let rank = KEYS.iter().position(|k| k.path == key.path).expect("it was found there");
    // All of one venue or instrument together, so its name comes before its keys.
    let (rank, names) = match key.path.split_once(".*") {
        Some((section, _)) => {
            let first = KEYS.iter().position(|k| k.path.starts_with(&format!("{section}.*"))).expect("it starts so");
            (first, vec![path[path.len() - 2].clone(), format!("{rank:04}")])
        }
        None => (rank, Vec::new()),
    };
    let origin = value.origin().unwrap_or_default().to_owned();
    into.push((rank, names, Entry { key: keys::dotted(path), value: kept(value, key), origin }));
}

fn kept(value: &Value, key: &Key) -> Scalar {
    match (&value.kind, key.kind) {
        (ValueKind::I64(v), _) => Scalar::Whole(*v),
        (ValueKind::Float(v), _) => Scalar::Number(*v),
        (ValueKind::Boolean(v), _) => Scalar::Flag(*v),
        (ValueKind::String(v), Kind::Exact(..)) => Scalar::Exact(v.parse().expect("written from a decimal")),
        (ValueKind::Array(items), _) => Scalar::List(items.iter().map(ToString::to_string).collect()),
        (kind, _) => Scalar::Text(kind.to_string()),
    }
}

impl Loaded {
    /// The market `simulator.market` names, read and checked now.
    pub fn market(&self) -> Result<SimSpec, ConfigErrors> {
        market::read(self.dir.as_deref(), &self.settings.simulator.market)
    }

    /// Every key in force, in the order of `default.toml`.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Who said what is in force for a key.
    pub fn origin(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|e| e.key == key).map(|e| e.origin.as_str())
    }

    /// For people: `key = value  # who said so`, a line each.
    pub fn show(&self) -> Vec<String> {
        let said = |e: &Entry| format!("{} = {}", e.key, e.value);
        let width = self.entries.iter().map(|e| said(e).len()).filter(|len| *len < 70).max().unwrap_or(0);
        self.entries.iter().map(|e| format!("{:width$}  # {}", said(e), e.origin)).collect()
    }

    /// What is in force as TOML, the same text for the same settings whoever said them.
    pub fn canonical(&self) -> String {
        self.entries.iter().map(|e| format!("{} = {}\n", e.key, e.value)).collect()
    }

    /// The fingerprint of [`Loaded::canonical`].
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }

    /// The fingerprint of `[risk]` alone.
    pub fn risk_digest(&self) -> Digest {
        let risk = self.entries.iter().filter(|e| e.key.starts_with("risk."));
        Digest::of(risk.map(|e| format!("{} = {}\n", e.key, e.value)).collect::<String>().as_bytes())
    }

    /// What is wrong between keys, each in its own right allowed.
    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, what: String| {
            let place = self.origin(key).unwrap_or("config");
            problems.push(Problem::new(place, None, key, what));
        };
        let settings = &self.settings;
        let (k_min, k_max) = (settings.signals.intensity_k_min, settings.signals.intensity_k_max);
        if k_min > k_max {
            problem("signals.intensity_k_min", format!("{k_min} is above signals.intensity_k_max, {k_max}"));
        }
        let (kept, least) = (settings.store.disk_free_keep_mib, settings.store.disk_free_min_mib);
        if kept != 0 && kept < least {
            let what =
                format!("{kept} is below store.disk_free_min_mib, {least}: trading would halt before a recording goes");
            problem("store.disk_free_keep_mib", what);
        }
        let ways = [("", None), ("cancel.", Some(&settings.paper.cancel)), ("replace.", Some(&settings.paper.replace))];
        for (section, own) in ways {
            let model = own.map_or(Some(settings.paper.latency_model), |way| way.latency_model);
            let has_none = settings.paper.latency_file.is_none() && self.measured == Measured::default();
            if model == Some(LatencyChoice::Measured) && has_none {
                let what = "measured needs a file of measurements, paper.latency_file".to_owned();
                problem(&format!("paper.{section}latency_model"), what);
            }
        }
        let tiers = &settings.paper.fee_tiers;
        for (at, (label, tier)) in tiers.iter().enumerate() {
            let section = format!("paper.fee_tiers.{label:?}");
            let keys = ["volume_min_quote", "maker_fee_bps", "taker_fee_bps"];
            let given = [tier.volume_min_quote, tier.maker_fee_bps, tier.taker_fee_bps];
            for (name, _) in keys.iter().zip(given).filter(|(_, given)| given.is_none()) {
                let said = keys.iter().find(|key| self.origin(&format!("{section}.{key}")).is_some());
                let said = said.expect("a section that is there says something");
                problem(&format!("{section}.{said}"), format!("a tier needs {name} too"));
            }
            let venue = |label: &str| label.split(':').next().map(str::to_owned);
            let is_same = |(other, its): &(&String, &TierSettings)| {
                venue(other) == venue(label) && its.volume_min_quote == tier.volume_min_quote
            };
            if let Some((other, _)) = tiers.iter().take(at).find(is_same) {
                problem(&format!("{section}.volume_min_quote"), format!("is the same as of {other:?}"));
            }
        }
        for (name, venue) in &settings.venues {
            let (base, cap) = (venue.reconnect_base_ms, venue.reconnect_cap_ms);
            if base > cap {
                let key = format!("venues.{name}.reconnect_base_ms");
                problem(&key, format!("{base} is above venues.{name}.reconnect_cap_ms, {cap}"));
            }
        }
        for (name, places, finest) in FINEST {
            for entry in self.entries.iter().filter(|e| e.key.ends_with(name)) {
                if entry.value.decimal().is_some_and(|v: Decimal| v.normalize().scale() > *places) {
                    problem(&entry.key, format!("{} is finer than {finest}", entry.value));
                }
            }
        }
        for (name, receiver) in &settings.alerts.to {
            let section = format!("alerts.to.{name}");
            let said = ["shape", "url_env", "url_file", "chat"]
                .iter()
                .find(|key| self.origin(&format!("{section}.{key}")).is_some());
            let said = format!("{section}.{}", said.expect("a section that is there says something"));
            if receiver.url_env.is_some() == receiver.url_file.is_some() {
                problem(&said, "needs url_env or url_file, and not both: where its address is found".to_owned());
            }
            if (receiver.shape == AlertShape::Telegram) != receiver.chat.is_some() {
                problem(&said, "chat goes with shape = \"telegram\", and only with it".to_owned());
            }
        }
        let risk = &settings.risk;
        if !risk.leverage_max.is_zero() && risk.capital_quote.is_zero() {
            problem("risk.leverage_max", "needs risk.capital_quote, by which leverage is counted".to_owned());
        }
        problems
    }

    /// Reads `paper.latency_file`, so that a session need not.
    fn read_measured(&mut self) -> Option<Problem> {
        let path = self.settings.paper.latency_file.as_deref()?;
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        match read.and_then(|text| Measured::parse(&text)) {
            Ok(measured) => {
                self.measured = measured;
                None
            }
            Err(why) => {
                let key = "paper.latency_file";
                let place = self.origin(key).unwrap_or("config");
                Some(Problem::new(place, None, key, format!("{}: {why}", path.display())))
            }
        }
    }

    /// A JSON schema of the configuration files, with the descriptions of `default.toml`.
    pub fn schema() -> serde_json::Value {
        let descriptions = descriptions();
        let mut root = serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "papermaker configuration",
        });
        for key in KEYS {
            let mut at = &mut root;
            for segment in key.path.split('.') {
                at["type"] = "object".into();
                at["additionalProperties"] = match at["additionalProperties"].take() {
                    serde_json::Value::Null => false.into(),
                    other => other,
                };
                at = if segment == "*" {
                    if !at["additionalProperties"].is_object() {
                        at["additionalProperties"] = serde_json::json!({});
                    }
                    &mut at["additionalProperties"]
                } else {
                    &mut at["properties"][segment]
                };
            }
            *at = key.kind.schema();
            if let Some(text) = descriptions.get(key.path) {
                at["description"] = text.as_str().into();
            }
        }
        root
    }
}

/// Rates are held in whole thousandths of a basis point, prices' distances in whole hundredths. A limit that is cut to
/// nothing would be none at all.
const FINEST: &[(&str, u32, &str)] = &[
    ("_fee_bps", 3, "0.001 basis points"),
    (".refresh_tolerance_bps", 2, "0.01 basis points"),
    (".collar_bps", 2, "0.01 basis points"),
    (".spread_min_bps", 2, "0.01 basis points"),
    (".volatility_max_bps", 2, "0.01 basis points"),
    (".markout_loss_max_bps", 2, "0.01 basis points"),
    (".leverage_max", 2, "0.01"),
];

impl Kind {
    fn schema(self) -> serde_json::Value {
        use serde_json::json;
        let number = |text: &str| text.parse::<f64>().expect("the table's bounds are numbers");
        match self {
            Kind::Whole(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
            Kind::Number(low, high) => json!({ "type": "number", "minimum": low, "maximum": high }),
            Kind::Exact(low, high) => json!({ "type": "number", "minimum": number(low), "maximum": number(high) }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::OneOf(words) => json!({ "enum": words }),
            Kind::Text => json!({ "type": "string", "minLength": 1 }),
            Kind::Instruments => json!({
                "type": "array", "minItems": 1, "uniqueItems": true,
                "items": { "type": "string", "pattern": "^[a-z-]+:.+$" },
            }),
            Kind::Websocket => json!({ "type": "string", "pattern": "^wss?://" }),
            Kind::Rest => json!({ "type": "string", "pattern": "^https?://" }),
            Kind::Ip | Kind::Socket => json!({ "type": "string" }),
        }
    }
}

/// The comment above each key of `default.toml`, by its path in the table of keys.
fn descriptions() -> BTreeMap<String, String> {
    let (mut section, mut comment) = (String::new(), Vec::new());
    let mut found = BTreeMap::new();
    for line in DEFAULT.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            comment.clear();
        } else if let Some((name, _)) = line.split_once('=') {
            if !comment.is_empty() {
                found.insert(format!("{section}.{}", name.trim()), comment.join(" "));
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    found
}

//! One layer of configuration: what it says, key by key, and where it says so.
//!
//! A layer is read and checked on its own, before anything is laid over it, so that a mistake in the profile is found
//! even where `--set` hides it. What remains is a [`config::Source`] whose every value carries its place, and the
//! `config` crate keeps that place through the merge.

use config::{Map, Source, Value as ConfigValue, ValueKind};
use rust_decimal::Decimal;
use toml_edit::{Document, Item, TableLike, Value as TomlValue};

use super::keys::{self, Kind};
use super::problem::Problem;

/// A value as it was given, and, after [`Kind::admit`], as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Without a decimal point.
    Whole(i64),
    /// With one.
    Number(f64),
    /// A decimal that is kept exactly.
    Exact(Decimal),
    /// Text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A list of texts.
    List(Vec<String>),
    /// Something no key holds, in TOML.
    Other(String),
}

impl Scalar {
    /// As a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Scalar::Whole(v) => Some(*v as f64),
            Scalar::Number(v) => Some(*v),
            Scalar::Exact(v) => v.to_string().parse().ok(),
            Scalar::Text(_) | Scalar::Flag(_) | Scalar::List(_) | Scalar::Other(_) => None,
        }
    }

    /// As a decimal, if it is one; a float by its shortest spelling, which is what was written.
    pub fn decimal(&self) -> Option<Decimal> {
        match self {
            Scalar::Whole(v) => Some(Decimal::from(*v)),
            Scalar::Number(v) => v.to_string().parse().ok(),
            Scalar::Exact(v) => Some(*v),
            Scalar::Text(_) | Scalar::Flag(_) | Scalar::List(_) | Scalar::Other(_) => None,
        }
    }
}

/// In TOML.
impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Whole(v) => write!(f, "{v}"),
            Scalar::Number(v) => write!(f, "{v:?}"),
            Scalar::Exact(v) => write!(f, "{v}"),
            Scalar::Text(v) => write!(f, "{}", TomlValue::from(v.as_str())),
            Scalar::Flag(v) => write!(f, "{v}"),
            Scalar::List(items) => {
                let items: Vec<String> = items.iter().map(|i| TomlValue::from(i.as_str()).to_string()).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Scalar::Other(toml) => f.write_str(toml),
        }
    }
}

/// One key's value in one layer.
#[derive(Clone, Debug)]
struct Leaf {
    path: Vec<String>,
    value: Scalar,
    place: String,
}

/// One layer, checked.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    leaves: Vec<Leaf>,
}

impl Layer {
    /// Reads TOML; `file` is what people call it.
    pub fn from_toml(file: &str, text: &str, problems: &mut Vec<Problem>) -> Self {
        let mut layer = Layer::default();
        match Document::parse(text) {
            Ok(document) => {
                walk(document.as_table(), &mut Vec::new(), &File { name: file, text }, &mut layer, problems)
            }
            Err(error) => {
                let line = error.span().map(|span| line_of(text, span.start));
                problems.push(Problem::new(file, line, "", format!("not TOML: {}", error.message())));
            }
        }
        layer
    }

    /// Every key it names and where.
    pub fn paths(&self) -> impl Iterator<Item = (&[String], &str)> {
        self.leaves.iter().map(|leaf| (leaf.path.as_slice(), leaf.place.as_str()))
    }

    /// As if it did not name these keys.
    pub fn without(mut self, keys: impl Fn(&[String]) -> bool) -> Self {
        self.leaves.retain(|leaf| !keys(&leaf.path));
        self
    }

    /// Takes in one `section.key=value` of the command line.
    pub fn set(&mut self, argument: &str, problems: &mut Vec<Problem>) {
        let place = format!("--set {argument}");
        let Some((key, value)) = argument.split_once('=') else {
            let what = "needs a value".to_owned();
            problems.push(Problem::new(&place, None, argument, what).hint("--set section.key=value"));
            return;
        };
        let path = match toml_edit::Key::parse(key) {
            Ok(keys) => keys.iter().map(|k| k.get().to_owned()).collect(),
            // An unquoted VENUE:SYMBOL is no TOML key, but it is clear what is meant.
            Err(_) => key.split('.').map(str::to_owned).collect(),
        };
        self.take_text(path, value.trim(), &format!("--set {key}"), problems);
    }

    /// Takes in one variable of the environment, if it is ours: `PAPERMAKER__RISK__COLLAR_BPS`.
    pub fn env(&mut self, name: &str, value: &str, problems: &mut Vec<Problem>) {
        let Some(rest) = name.strip_prefix("PAPERMAKER__") else { return };
        let path = rest.split("__").map(env_segment).collect();
        self.take_text(path, value.trim(), &format!("env {name}"), problems);
    }

    fn take_text(&mut self, path: Vec<String>, text: &str, place: &str, problems: &mut Vec<Problem>) {
        let Some(key) = keys::find(&path) else {
            problems.push(unknown(&path, place, None));
            return;
        };
        let is_quoted = text.starts_with(['"', '\'']);
        let value = match text.parse::<TomlValue>() {
            _ if key.kind.is_text() && !is_quoted => Scalar::Text(text.to_owned()),
            Ok(value) => scalar(&value),
            // `a:B,c:D` without brackets and quotes is a list where a list is expected.
            Err(_) if matches!(key.kind, Kind::Instruments) => {
                Scalar::List(text.split(',').map(|item| item.trim().to_owned()).collect())
            }
            Err(_) => Scalar::Text(text.to_owned()),
        };
        self.take(path, key.kind, value, place.to_owned(), None, problems);
    }

    fn take(
        &mut self,
        path: Vec<String>,
        kind: Kind,
        given: Scalar,
        file: String,
        line: Option<usize>,
        problems: &mut Vec<Problem>,
    ) {
        let place = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
        match kind.admit(&given) {
            Some(value) => self.leaves.push(Leaf { path, value, place }),
            None => {
                let what = format!("{given} is not allowed here; allowed is {kind}");
                problems.push(Problem::new(&file, line, &keys::dotted(&path), what));
            }
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, ConfigValue>, config::ConfigError> {
        let mut root = Map::new();
        for leaf in &self.leaves {
            let (name, sections) = leaf.path.split_last().expect("a key has a name");
            let mut table = &mut root;
            for section in sections {
                let below = table
                    .entry(section.clone())
                    .or_insert_with(|| ConfigValue::from(Map::<String, ConfigValue>::new()));
                let ValueKind::Table(map) = &mut below.kind else { unreachable!("a section is a table") };
                table = map;
            }
            let kind = match leaf.value.clone() {
                Scalar::Whole(v) => ValueKind::I64(v),
                Scalar::Number(v) => ValueKind::Float(v),
                Scalar::Exact(v) => ValueKind::String(v.to_string()),
                Scalar::Text(v) => ValueKind::String(v),
                Scalar::Flag(v) => ValueKind::Boolean(v),
                Scalar::List(items) => ValueKind::Array(items.into_iter().map(ConfigValue::from).collect()),
                Scalar::Other(_) => unreachable!("no kind admits it"),
            };
            table.insert(name.clone(), ConfigValue::new(Some(&leaf.place), kind));
        }
        Ok(root)
    }
}

/// A TOML text and what people call it.
struct File<'a> {
    name: &'a str,
    text: &'a str,
}

fn walk(
    table: &dyn TableLike,
    path: &mut Vec<String>,
    file: &File<'_>,
    layer: &mut Layer,
    problems: &mut Vec<Problem>,
) {
    for (name, item) in table.iter() {
        path.push(name.to_owned());
        let span = table.key(name).and_then(|key| key.span()).or_else(|| item.span());
        let line = span.map(|span| line_of(file.text, span.start));
        match (item.as_table_like(), keys::find(path)) {
            (Some(below), None) if keys::is_section(path) => walk(below, path, file, layer, problems),
            (None, Some(key)) => {
                let value = item.as_value().map_or_else(|| Scalar::Other(toml_of(item)), scalar);
                layer.take(path.clone(), key.kind, value, file.name.to_owned(), line, problems);
            }
            (Some(_), Some(key)) => {
                let what = format!("a section where a value belongs; allowed is {}", key.kind);
                problems.push(Problem::new(file.name, line, &keys::dotted(path), what));
            }
            (_, None) => problems.push(unknown(path, file.name, line)),
        }
        path.pop();
    }
}

fn unknown(path: &[String], place: &str, line: Option<usize>) -> Problem {
    let key = keys::dotted(path);
    if keys::is_section(path) {
        return Problem::new(place, line, &key, "is a section, not a value".to_owned());
    }
    let problem = Problem::new(place, line, &key, "unknown key".to_owned());
    match keys::nearest(path) {
        Some(nearest) => problem.nearest(nearest),
        None => problem.hint("`papermaker config show` lists every key"),
    }
}

fn scalar(value: &TomlValue) -> Scalar {
    match value {
        TomlValue::Integer(v) => Scalar::Whole(*v.value()),
        TomlValue::Float(v) => Scalar::Number(*v.value()),
        TomlValue::String(v) => Scalar::Text(v.value().clone()),
        TomlValue::Boolean(v) => Scalar::Flag(*v.value()),
        TomlValue::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|i| i.as_str().map(str::to_owned)).collect();
            texts.map_or_else(|| Scalar::Other(value.to_string().trim().to_owned()), Scalar::List)
        }
        TomlValue::Datetime(_) | TomlValue::InlineTable(_) => Scalar::Other(value.to_string().trim().to_owned()),
    }
}

fn toml_of(item: &Item) -> String {
    let text = item.to_string();
    text.trim().lines().next().unwrap_or_default().to_owned()
}

/// The line a byte stands in, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// The environment knows neither lower case, nor dashes: `BINANCE_SPOT` is `binance-spot`, and what follows a colon
/// is a symbol and stays as it is.
fn env_segment(segment: &str) -> String {
    use crate::market::VenueId;
    let (head, symbol) = segment.split_once(':').map_or((segment, None), |(head, symbol)| (head, Some(symbol)));
    let lower = head.to_ascii_lowercase();
    let dashed = lower.replace('_', "-");
    let head = if dashed.parse::<VenueId>().is_ok() { dashed } else { lower };
    symbol.map_or(head.clone(), |symbol| format!("{head}:{symbol}"))
}

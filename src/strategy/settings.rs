//! Reading a strategy's TOML, key by key, so that every complaint names the key, the value and what is allowed.

use std::ops::RangeInclusive;

use rust_decimal::Decimal;

/// Why a strategy file is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// Not TOML.
    #[error("strategy is not TOML: {0}")]
    Toml(String),
    /// A key without a default is absent.
    #[error("{key} is missing ({meaning})")]
    Missing {
        /// Which.
        key: &'static str,
        /// What it is.
        meaning: &'static str,
    },
    /// A key nobody reads.
    #[error("unknown key {key}; did you mean {nearest}?")]
    UnknownKey {
        /// As written.
        key: String,
        /// The known key most like it.
        nearest: &'static str,
    },
    /// A value of the wrong type, outside its range, or not one of the words allowed.
    #[error("{key} = {value} is not allowed: must be {allowed}")]
    NotAllowed {
        /// Which.
        key: &'static str,
        /// As written.
        value: String,
        /// Range and unit.
        allowed: String,
    },
    /// Two keys that exclude each other, or one that needs another.
    #[error("{0}")]
    Conflict(String),
}

/// A strategy's keys, taken one by one.
pub(super) struct Settings {
    table: toml::Table,
    known: Vec<&'static str>,
}

impl Settings {
    pub(super) fn parse(text: &str) -> Result<Self, StrategyError> {
        let table = text.parse::<toml::Table>().map_err(|e| StrategyError::Toml(e.to_string()))?;
        Ok(Self { table, known: Vec::new() })
    }

    fn take(&mut self, key: &'static str) -> Option<toml::Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// A word.
    pub(super) fn word(&mut self, key: &'static str, default: &str, allowed: &[&str]) -> Result<String, StrategyError> {
        let Some(value) = self.take(key) else { return Ok(default.to_owned()) };
        match value.as_str().filter(|w| allowed.contains(w)) {
            Some(word) => Ok(word.to_owned()),
            None => Err(not_allowed(key, &value, format!("one of {}", allowed.join(", ")))),
        }
    }

    /// A text, if given.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, StrategyError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| not_allowed(key, &value, "a text".to_owned()))
    }

    /// Whatever is there.
    pub(super) fn value(&mut self, key: &'static str) -> Option<toml::Value> {
        self.take(key)
    }

    /// A switch.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, StrategyError> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| not_allowed(key, &value, "true or false".to_owned()))
    }

    /// A whole number.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        default: i64,
        range: RangeInclusive<i64>,
        unit: &str,
    ) -> Result<i64, StrategyError> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value
            .as_integer()
            .filter(|n| range.contains(n))
            .ok_or_else(|| not_allowed(key, &value, format!("{} to {} {unit}", range.start(), range.end())))
    }

    /// A number, if given.
    pub(super) fn maybe_number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
        unit: &str,
    ) -> Result<Option<f64>, StrategyError> {
        self.take(key).map(|value| number_in(key, &value, &range, unit)).transpose()
    }

    /// A number.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        range: RangeInclusive<f64>,
        unit: &str,
    ) -> Result<f64, StrategyError> {
        Ok(self.maybe_number(key, range, unit)?.unwrap_or(default))
    }

    /// A list of numbers, if given.
    pub(super) fn maybe_numbers(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
        unit: &str,
    ) -> Result<Option<Vec<f64>>, StrategyError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| not_allowed(key, &value, format!("a list of numbers, {unit}")))?;
        list.iter().map(|v| number_in(key, v, &range, unit)).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// An exact decimal, if given.
    pub(super) fn maybe_decimal(
        &mut self,
        key: &'static str,
        meaning: &'static str,
    ) -> Result<Option<Decimal>, StrategyError> {
        self.known.push(key);
        if self.table.contains_key(key) { self.decimal(key, None, meaning).map(Some) } else { Ok(None) }
    }

    /// An exact decimal, as text (`"0.001"`) or a plain number.
    pub(super) fn decimal(
        &mut self,
        key: &'static str,
        default: Option<Decimal>,
        meaning: &'static str,
    ) -> Result<Decimal, StrategyError> {
        let Some(value) = self.take(key) else { return default.ok_or_else(|| self.missing(key, meaning)) };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.parse().map_err(|_| not_allowed(key, &value, format!("a plain decimal, {meaning}")))
    }

    /// A key that must be there is not; perhaps because it is there under a name much like it.
    pub(super) fn missing(&self, key: &'static str, meaning: &'static str) -> StrategyError {
        match self.table.keys().find(|written| strsim::jaro_winkler(written, key) > 0.9) {
            Some(written) => StrategyError::UnknownKey { key: written.clone(), nearest: key },
            None => StrategyError::Missing { key, meaning },
        }
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), StrategyError> {
        let Some(key) = self.table.keys().next() else { return Ok(()) };
        let nearest = self.known.iter().max_by(|a, b| {
            strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)).then_with(|| b.cmp(a))
        });
        Err(StrategyError::UnknownKey { key: key.clone(), nearest: nearest.copied().unwrap_or("kind") })
    }
}

pub(super) fn not_allowed(key: &'static str, value: &impl ToString, allowed: String) -> StrategyError {
    StrategyError::NotAllowed { key, value: value.to_string(), allowed }
}

fn number_in(
    key: &'static str,
    value: &toml::Value,
    range: &RangeInclusive<f64>,
    unit: &str,
) -> Result<f64, StrategyError> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|n| n as f64))
        .filter(|x| range.contains(x))
        .ok_or_else(|| not_allowed(key, value, format!("{} to {} {unit}", range.start(), range.end())))
}

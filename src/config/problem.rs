//! What is wrong with a configuration: where, what, and what was probably meant.

use std::fmt;

use serde::Serialize;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, or `env NAME`, or `--set KEY`.
    pub place: String,
    /// The line in that file, from 1.
    pub line: Option<usize>,
    /// The key, dotted; empty if the whole file is meant.
    pub key: String,
    /// What is wrong, with the value and what is allowed.
    pub what: String,
    /// The known key most like it.
    pub nearest: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// It is in what was typed, though the place is a file: one that is not there.
    #[serde(skip)]
    names_nothing: bool,
}

impl Problem {
    /// A mistake without advice.
    pub fn new(place: &str, line: Option<usize>, key: &str, what: String) -> Self {
        Self {
            place: place.to_owned(),
            line,
            key: key.to_owned(),
            what,
            nearest: None,
            hint: None,
            names_nothing: false,
        }
    }

    /// Whether it is on the command line or in the environment, not in a file.
    pub fn is_typed(&self) -> bool {
        self.names_nothing || self.place.starts_with("--") || self.place.starts_with("env ")
    }

    /// With the known key most like it.
    pub fn nearest(mut self, key: String) -> Self {
        self.nearest = Some(key);
        self
    }

    /// Of a file or folder that somebody named and that is not there.
    pub fn names_nothing(mut self) -> Self {
        self.names_nothing = true;
        self
    }

    /// With advice.
    pub fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.key.is_empty() {
            write!(f, ": {}", self.what)?
        } else {
            write!(f, ": {}: {}", self.key, self.what)?
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Every mistake of a configuration at once, never none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ConfigErrors {
    /// Lowest layer first.
    pub problems: Vec<Problem>,
}

impl From<Problem> for ConfigErrors {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

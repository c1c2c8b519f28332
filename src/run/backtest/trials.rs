//! The log of trials: every strategy and setting that was ever run over a recording.
//!
//! The best of a hundred tries looks good by chance, and only who remembers the other ninety-nine can tell. So the log is
//! written by every backtest and by nobody's leave, one line of JSON per strategy, and nothing in it is ever changed.
//!
//! Two trials are the same if strategy and settings are, to the byte. Whatever was tried on any of the recordings at hand
//! counts. N is how many differ: trials that are nearly alike count in full, so the deflated Sharpe ratio errs towards doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::BacktestError;
use crate::metrics::returns::deviation;
use crate::numeric::sqrt;

/// Its name in the store.
pub const TRIALS_FILE: &str = "trials.jsonl";

/// One line: what was tried on which recordings, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// When it ended, nanoseconds since the epoch.
    pub at_ns: i64,
    /// For people.
    pub strategy: String,
    /// Of the strategy's text.
    pub strategy_digest: String,
    /// Of everything else that shapes a run.
    pub settings_digest: String,
    /// Fingerprints.
    pub recordings: Vec<String>,
    /// Their names, for people.
    pub names: Vec<String>,
    /// Profit in it, if there was one only.
    pub currency: Option<String>,
    /// Of all recordings.
    pub pnl: Option<f64>,
    /// Fills.
    pub fills: u64,
    /// Per period.
    pub sharpe: Option<f64>,
    /// Length of a period, seconds.
    pub period_s: f64,
    /// How many.
    pub periods: usize,
}

impl Trial {
    /// What makes two trials the same.
    pub fn key(&self) -> (&str, &str) {
        (&self.strategy_digest, &self.settings_digest)
    }
}

/// The log of a store.
#[derive(Clone, Debug)]
pub struct TrialLog {
    path: PathBuf,
}

impl TrialLog {
    /// That of the store in this folder.
    pub fn of_store(store: &Path) -> Self {
        Self { path: store.join(TRIALS_FILE) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every trial, oldest first; nothing if there is no log yet. A last line that was cut off in writing is passed over, any
    /// other that is no trial is refused.
    pub fn read(&self) -> Result<Vec<Trial>, BacktestError> {
        let file = match File::open(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened.map_err(|e| self.failed(e))?,
        };
        let lines = BufReader::new(file).lines().collect::<Result<Vec<_>, _>>().map_err(|e| self.failed(e))?;
        let mut trials = Vec::new();
        for (n, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            match serde_json::from_str(line) {
                Ok(trial) => trials.push(trial),
                Err(e) if e.is_eof() => {}
                Err(e) => return Err(BacktestError::Log { path: self.path.clone(), line: n + 1, why: e.to_string() }),
            }
        }
        Ok(trials)
    }

    /// Makes sure it can be written, so that nobody learns of it after an hour's run.
    pub fn ready(&self) -> Result<(), BacktestError> {
        self.open().map(drop)
    }

    /// Adds these, synced.
    pub fn append(&self, trials: &[Trial]) -> Result<(), BacktestError> {
        let mut file = self.open()?;
        let mut text = String::new();
        if !self.ends_whole()? {
            text.push('\n');
        }
        for trial in trials {
            text += &serde_json::to_string(trial).expect("a trial is plain data");
            text.push('\n');
        }
        // One write of all lines: two backtests at a time do not tear each other's apart.
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(|e| self.failed(e))
    }

    fn open(&self) -> Result<File, BacktestError> {
        let folder = self.path.parent().expect("the log is in a store");
        fs::create_dir_all(folder).map_err(|e| self.failed(e))?;
        OpenOptions::new().append(true).create(true).open(&self.path).map_err(|e| self.failed(e))
    }

    fn ends_whole(&self) -> Result<bool, BacktestError> {
        let mut file = File::open(&self.path).map_err(|e| self.failed(e))?;
        if file.metadata().map_err(|e| self.failed(e))?.len() == 0 {
            return Ok(true);
        }
        let mut last = [0];
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(|e| self.failed(e))?;
        Ok(last == [b'\n'])
    }

    fn failed(&self, source: std::io::Error) -> BacktestError {
        BacktestError::File { file: self.path.clone(), source }
    }
}

/// What is to be made of many trials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Distinct ones.
    pub distinct: usize,
    /// Of them, those that are in `now` only.
    pub new: usize,
    /// Of them, those under settings that none of `now` has: other fees, perhaps, with another spread of ratios.
    pub foreign: usize,
    /// Sample variance of their Sharpe ratios per period of `period_s`, each its latest; `None` of fewer than two.
    pub sharpe_variance: Option<f64>,
}

/// Counts the trials of a log that share a recording with these, and these.
pub fn tally(logged: &[Trial], now: &[Trial], period_s: f64) -> Tally {
    let here: BTreeSet<&String> = now.iter().flat_map(|trial| &trial.recordings).collect();
    let concerned = logged.iter().filter(|trial| trial.recordings.iter().any(|r| here.contains(r)));
    let mut distinct: BTreeMap<(&str, &str), &Trial> = concerned.map(|trial| (trial.key(), trial)).collect();
    let before = distinct.len();
    distinct.extend(now.iter().map(|trial| (trial.key(), trial)));
    // A Sharpe ratio grows with the root of its period.
    let ratio = |trial: &&Trial| trial.sharpe.map(|sharpe| sharpe * sqrt(period_s / trial.period_s));
    let ratios: Vec<f64> = distinct.values().filter_map(ratio).collect();
    let settings: BTreeSet<&String> = now.iter().map(|trial| &trial.settings_digest).collect();
    let foreign = distinct.values().filter(|trial| !settings.contains(&trial.settings_digest)).count();
    Tally {
        foreign,
        distinct: distinct.len(),
        new: distinct.len() - before,
        sharpe_variance: deviation(&ratios).map(|deviation| deviation * deviation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(strategy: &str, recording: &str, sharpe: f64, period_s: f64) -> Trial {
        Trial {
            at_ns: 1,
            strategy: strategy.to_owned(),
            strategy_digest: strategy.to_owned(),
            settings_digest: "as they were".to_owned(),
            recordings: vec![recording.to_owned()],
            names: vec![recording.to_owned()],
            currency: Some("USDT".to_owned()),
            pnl: Some(-0.1),
            fills: 3,
            sharpe: Some(sharpe),
            period_s,
            periods: 100,
        }
    }

    #[test]
    fn what_was_thrown_away_still_counts() {
        let here = tempfile::tempdir().expect("a folder");
        let log = TrialLog::of_store(&here.path().join("store"));
        assert_eq!(log.read().expect("no log is no trials"), []);
        let first = [trial("a", "monday", 1.0, 1.0), trial("b", "tuesday", 2.0, 1.0)];
        log.append(&first).expect("written");
        log.append(&[trial("a", "monday", 3.0, 1.0)]).expect("written");
        let logged = log.read().expect("read");
        assert_eq!(logged.len(), 3);
        // On monday: a (now with 3), and c, whose 1 per 4 s is 0.5 per second: mean 1.75, variance 2·1.25² = 3.125.
        let now = [trial("c", "monday", 1.0, 4.0)];
        let found = tally(&logged, &now, 1.0);
        assert_eq!((found.distinct, found.new, found.foreign), (2, 1, 0));
        assert!((found.sharpe_variance.expect("two ratios") - 3.125).abs() < 1e-12);
        // At other fees both old settings are foreign.
        let dear = Trial { settings_digest: "at other fees".to_owned(), ..trial("c", "monday", 1.0, 4.0) };
        assert_eq!(tally(&logged, &[dear], 1.0).foreign, 1);
        // The same again is nothing new.
        assert_eq!(tally(&logged, &[trial("a", "monday", 3.0, 1.0)], 1.0), Tally { distinct: 1, ..Tally::default() });
    }

    #[test]
    fn a_line_cut_off_by_a_crash_costs_itself_only() {
        let here = tempfile::tempdir().expect("a folder");
        let log = TrialLog::of_store(here.path());
        log.append(&[trial("a", "monday", 1.0, 1.0)]).expect("written");
        let text = fs::read_to_string(log.path()).expect("it is there");
        fs::write(log.path(), format!("{text}{}", &text[..40])).expect("written");
        log.append(&[trial("b", "monday", 1.0, 1.0)]).expect("written");
        let names: Vec<String> = log.read().expect("read").into_iter().map(|t| t.strategy).collect();
        assert_eq!(names, ["a", "b"]);
        fs::write(log.path(), format!("{text}{{\"at_ns\":\"noon\"}}\n")).expect("written");
        let refused = log.read().expect_err("that is no trial").to_string();
        assert!(refused.contains("trials.jsonl:2"), "{refused}");
    }
}

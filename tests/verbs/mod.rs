//! The binary as a user runs it: what it prints, where, and with which exit code.
//!
//! A test here starts the real program in an empty folder of its own, with nothing of ours in the environment, so
//! that it sees what a newcomer sees.

mod alerts;
mod api;
mod backtests;
mod calibrate;
mod evaluations;
mod exports;
mod imports;
mod limits;
mod logs;
mod numbers;
mod observer;
mod openapi;
mod policies;
mod realism;
mod recordings;
mod refusals;
mod reloads;
mod restarts;
mod simulated;
#[cfg(feature = "learn")]
mod train;
mod usage;
mod venues;
mod weeks;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `papermaker ARGS` in `folder` to its end. Standard input is closed: nothing may wait for it.
pub fn papermaker(folder: &Path, args: &[&str]) -> Ran {
    let output = command(folder, args).output().expect("the binary was built");
    Ran { line: format!("papermaker {}", args.join(" ")), output }
}

/// The same for a reader who has seen enough before the first byte, as `| head` has after some.
pub fn unread(folder: &Path, args: &[&str]) -> Ran {
    let mut child = command(folder, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it was built");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    Ran { line: format!("papermaker {} | true", args.join(" ")), output }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papermaker"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAPERMAKER") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// What came of it.
pub struct Ran {
    line: String,
    output: Output,
}

impl Ran {
    /// Exit code; a signal is none.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// What people and pipes get.
    pub fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).expect("stdout is text")
    }

    /// Errors, logs, progress.
    pub fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).expect("stderr is text")
    }

    /// The one JSON document on stdout.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|e| panic!("{}: {e}\n{}", self.line, self.stdout()))
    }

    /// Panics, showing everything, unless it exited with `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{}\n{}{}", self.line, self.stdout(), self.stderr());
        self
    }

    /// Panics unless stderr is an error that names every `part`.
    #[track_caller]
    pub fn complains_of(self, parts: &[&str]) -> Self {
        let said = self.stderr();
        assert!(said.contains("error: "), "{}\n{said}", self.line);
        for part in parts {
            assert!(said.contains(part), "{}: {part:?} is not named in\n{said}", self.line);
        }
        self
    }
}

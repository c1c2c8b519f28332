//! How a verb says no.

use std::fmt;

/// What a verb comes to.
pub type Outcome = Result<(), Failure>;

/// An error with its exit code and, where we know one, the remedy.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// Exit code 1: the verb ran, and the answer is no (diverged, check failed, limit breached).
    pub fn answer_is_no(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 1, error: error.into(), hint: None }
    }

    /// Exit code 2: usage, configuration, input or output.
    pub fn could_not_run(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 2, error: error.into(), hint: None }
    }

    /// Says in which attempt it happened; becomes the first line.
    pub fn context(self, attempt: impl fmt::Display + Send + Sync + 'static) -> Self {
        Self { error: self.error.context(attempt), ..self }
    }

    /// Says what to do about it.
    pub fn hint(self, remedy: impl Into<String>) -> Self {
        Self { hint: Some(remedy.into()), ..self }
    }

    /// Whether whoever read our output has seen enough (`| head`).
    pub fn is_closed_pipe(&self) -> bool {
        let kind = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref().map(std::io::Error::kind);
        self.error.chain().any(|cause| kind(cause) == Some(std::io::ErrorKind::BrokenPipe))
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }
}

/// `error: …`, the causes indented under it, then `hint: …`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.error.to_string();
        writeln!(f, "error: {said}")?;
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            // Many libraries repeat their cause in their own message.
            if !said.contains(&cause) {
                writeln!(f, "  {}", cause.replace('\n', "\n  "))?;
                said = cause;
            }
        }
        match &self.hint {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Whatever else fails on the way could not run.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::could_not_run(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_error_says_what_then_why_then_what_to_do() {
        let failure = Failure::could_not_run(anyhow!("permission denied").context("config/risk.toml"))
            .context("the configuration is not usable")
            .hint("chmod u+r config/risk.toml");
        assert_eq!(
            failure.to_string(),
            "error: the configuration is not usable\n  config/risk.toml\n  permission denied\n\
             hint: chmod u+r config/risk.toml\n"
        );
        assert_eq!((failure.code(), Failure::answer_is_no(anyhow!("diverged")).code()), (2, 1));
    }

    #[test]
    fn a_cause_already_told_is_not_told_twice() {
        let failure = Failure::from(anyhow!("disk full").context("cannot write a.seg: disk full"));
        assert_eq!(failure.to_string(), "error: cannot write a.seg: disk full\n");
    }
}

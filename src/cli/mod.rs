//! The verbs: parse, call a driver, print, exit code.
//!
//! Three promises hold for every verb. Text for people goes to stdout, logs and progress to stderr, and `--json`
//! makes stdout one JSON document. The exit code is 0 for fine, 1 for "the answer is no", 2 for "could not run". And
//! everything says PAPER.
//!
//! One file per family of verbs; each verb is its arguments and one function that calls its driver. [`Failure`] is
//! how a verb says no.

pub mod alerts;
pub mod backtest;
mod calibrate;
pub mod configure;
pub mod doctor;
pub mod evaluate;
pub mod exchange;
mod explain;
mod export;
pub mod failure;
pub mod limits;
mod log;
mod metrics;
pub mod operate;
pub mod policy;
mod prune;
pub mod realism;
pub mod referee;
pub mod replay;
pub mod report;
pub mod risk;
pub mod run;
pub mod sessions;
pub mod shell;
pub mod span;
mod telemetry;
pub mod train;
mod whatif;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Loaded, Sources};

pub use failure::{Failure, Outcome};
use log::Log;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "papermaker",
    version,
    about = "PAPER market making: quotes on live markets with simulated fills, records everything, replays it bit for bit",
    after_help = "Without a verb: `papermaker run`, the demo against the embedded simulated exchange.\n\
                  Exit codes: 0 fine · 1 the answer is no · 2 could not run. No order ever leaves this program."
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    globals: Globals,
}

/// Accepted by every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct Globals {
    /// Set one configuration value, above every file: `--set dashboard.port=8081` (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub set: Vec<String>,
    /// Read configuration files from this folder
    #[arg(long = "config", value_name = "DIR", global = true)]
    pub config: Option<PathBuf>,
    /// Configuration profile: demo, live, or NAME.toml in the configuration folder
    #[arg(long, value_name = "NAME", global = true, default_value = "demo")]
    pub profile: String,
}

impl Globals {
    /// Where the configuration of this call comes from.
    pub fn sources(&self) -> Sources {
        let (dir, profile, sets) = (self.config.clone(), self.profile.clone(), self.set.clone());
        Sources { dir, profile, env: std::env::vars().collect(), sets }
    }

    /// The configuration in force, or every problem of it.
    pub fn load(&self) -> Result<Loaded, Failure> {
        crate::config::load(&self.sources()).map_err(|errors| {
            Failure::could_not_run(errors)
                .context("the configuration cannot be used")
                .hint("`papermaker config show` prints what is in force, config/default.toml explains every key")
        })
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::RunArgs),
    Replay(replay::ReplayArgs),
    Referee(referee::RefereeArgs),
    Report(report::ReportArgs),
    Realism(realism::RealismArgs),
    Calibrate(calibrate::CalibrateArgs),
    Backtest(Box<backtest::BacktestArgs>),
    Train(train::TrainArgs),
    Evaluate(Box<evaluate::EvaluateArgs>),
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    #[command(subcommand)]
    Sessions(sessions::SessionsVerb),
    Status(operate::StatusArgs),
    /// End the running session: cancel everything, close the recording, exit
    Stop(operate::CommandArgs),
    /// Take the quotes out; the session keeps recording
    Pause(operate::CommandArgs),
    /// Quote again (also out of Reducing and Halted)
    Resume(operate::CommandArgs),
    /// Cancel everything and send nothing more
    Halt(operate::HaltArgs),
    /// Bring every position to zero by crossing the spread, then stay paused
    Flatten(operate::FlattenArgs),
    #[command(subcommand)]
    Limits(limits::LimitsVerb),
    #[command(subcommand)]
    Risk(risk::RiskVerb),
    #[command(subcommand)]
    Config(configure::ConfigVerb),
    Doctor(doctor::DoctorArgs),
    Exchange(exchange::ExchangeArgs),
    #[command(subcommand)]
    Alerts(alerts::AlertsVerb),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Everything `main` does after installing the TLS provider.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = match start_log(&cli) {
        Ok(log) => log,
        Err(failure) => {
            eprint!("{failure}");
            return ExitCode::from(failure.code());
        }
    };
    if let Err(e) = listen_to_limits() {
        tracing::warn!("a limit on file sizes will end this program without a word: {e}");
    }
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log.end(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Only a bot that runs has a file: who asks it something must not write into it.
fn start_log(cli: &Cli) -> Result<Log, Failure> {
    let runs = matches!(cli.verb, None | Some(Verb::Run(_)));
    // What is wrong with the configuration is told by the verb, all of it at once, and `config check` is one.
    let settings = crate::config::log_settings(&cli.globals.sources()).unwrap_or_default();
    let failed = |e| Failure::could_not_run(anyhow::Error::from(e)).hint("`--set log.file=PATH` logs elsewhere");
    Log::start(&settings, runs).map_err(failed)
}

fn dispatch(cli: Cli) -> Outcome {
    let globals = &cli.globals;
    match cli.verb.unwrap_or_else(|| Verb::Run(run::RunArgs::default())) {
        Verb::Run(args) => run::run(&args, globals),
        Verb::Replay(args) => replay::replay(&args, globals),
        Verb::Referee(args) => referee::referee(&args, globals),
        Verb::Report(args) => report::report(&args, globals),
        Verb::Realism(args) => realism::realism(&args, globals),
        Verb::Calibrate(args) => calibrate::calibrate(&args, globals),
        Verb::Backtest(args) => backtest::backtest(&args, globals),
        Verb::Train(args) => train::train(&args, globals),
        Verb::Evaluate(args) => evaluate::evaluate(&args, globals),
        Verb::Policy(verb) => policy::policy(&verb, globals),
        Verb::Sessions(verb) => sessions::sessions(&verb, globals),
        Verb::Status(args) => operate::status(&args, globals),
        Verb::Stop(args) => operate::command("stop", &args, globals),
        Verb::Pause(args) => operate::command("pause", &args, globals),
        Verb::Resume(args) => operate::command("resume", &args, globals),
        Verb::Halt(args) => operate::halt(&args, globals),
        Verb::Flatten(args) => operate::flatten(&args, globals),
        Verb::Limits(verb) => limits::limits(&verb, globals),
        Verb::Risk(verb) => risk::risk(&verb, globals),
        Verb::Config(verb) => configure::config(&verb, globals),
        Verb::Doctor(args) => doctor::doctor(&args, globals),
        Verb::Exchange(args) => exchange::exchange(&args, globals),
        Verb::Alerts(verb) => alerts::alerts(&verb, globals),
        Verb::Completions(args) => shell::completions(&args),
        Verb::Man(args) => shell::man(&args),
    }
}

/// Says something to people and pipes. A reader that has seen enough (`| head`) is no failure; a full disk is.
pub(crate) fn say(text: impl std::fmt::Display) -> Outcome {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::could_not_run(e).context("cannot write to stdout")),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `SIGXFSZ` on Linux and macOS.
const FILE_TOO_LARGE: i32 = 25;

/// A limit on file sizes (`ulimit -f`) kills unless somebody listens; then the write fails, and its error says why.
fn listen_to_limits() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    // Heard for as long as the process lives, also when nobody waits for it.
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_TOO_LARGE)).map(drop)
}

/// Runs a verb that talks: sockets or files, on a small runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|e| Failure::could_not_run(e).context("the runtime did not start"))?.block_on(work))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_verb_shows_an_example() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        let mut families = vec![cli];
        while let Some(family) = families.pop() {
            for verb in family.get_subcommands().filter(|v| v.get_name() != "help") {
                if verb.has_subcommands() {
                    families.push(verb.clone());
                    continue;
                }
                let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{} {} shows no example", family.get_name(), verb.get_name());
            }
        }
    }

    #[test]
    fn set_and_config_are_understood_before_and_after_the_verb() {
        for line in ["papermaker --set a.b=1 --config x status", "papermaker status --set a.b=1 --config x"] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert_eq!(cli.globals.set.len(), 1, "{line}");
            assert_eq!(cli.globals.config.as_deref(), Some(std::path::Path::new("x")), "{line}");
        }
    }
}

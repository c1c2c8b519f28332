//! `limits show` and `limits set`: the limits of a running bot.

use clap::{Args, Subcommand};

use super::{Failure, Globals, Outcome, block_on, operate, say};
use crate::dashboard::limits::{LimitsAnswer, LimitsWish};

/// The limits of the running bot: show them, change them
#[derive(Clone, Debug, Subcommand)]
pub enum LimitsVerb {
    /// Every limit in force
    #[command(after_help = "Example:\n  papermaker limits show --json")]
    Show(ShowArgs),
    /// Put other limits in force, recorded as an input of the session
    #[command(after_help = "Examples:\n  papermaker limits set collar_bps=50 --dry-run    what would change\n  \
        papermaker limits set collar_bps=50\n  \
        papermaker limits set loss_max_quote=800 --confirm --by anna    letting more through needs --confirm\n  \
        papermaker limits set 'instruments.\"binance-spot:BTCUSDT\".position_max_base=0.02'\n\n\
        What is set stands above config/risk.toml until that file changes. Exit code 1: refused, nothing has changed.")]
    Set(SetArgs),
}

/// Of `limits show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Of `limits set`.
#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    /// Keys of `[risk]`, without `risk.`; `papermaker limits show` names them
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub wanted: Vec<String>,
    /// Limits may let more through than before
    #[arg(long)]
    pub confirm: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Who asks, for the record
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Asks the running bot.
pub fn limits(verb: &LimitsVerb, globals: &Globals) -> Outcome {
    match verb {
        LimitsVerb::Show(args) => {
            let answer = ask(&LimitsWish::default(), globals)?;
            if args.json {
                return document(&answer);
            }
            let width = answer.limits.iter().map(|l| l.key.len() + l.of.len()).max().unwrap_or(0) + 1;
            say("PAPER limits in force")?;
            if let Some(refused) = &answer.file_refused {
                say(format_args!("  REFUSED {refused}"))?;
            }
            answer.limits.iter().try_for_each(|l| {
                let name = if l.of.is_empty() { l.key.clone() } else { format!("{} {}", l.key, l.of) };
                say(format_args!("  {name:width$}  {}", l.value))
            })
        }
        LimitsVerb::Set(args) => set(args, globals),
    }
}

fn set(args: &SetArgs, globals: &Globals) -> Outcome {
    let full = |argument: &String| match argument.starts_with("risk.") {
        true => argument.clone(),
        false => format!("risk.{argument}"),
    };
    let wish = LimitsWish {
        set: args.wanted.iter().map(full).collect(),
        confirm: args.confirm,
        dry_run: args.dry_run,
        by: args.by.clone(),
    };
    let answer = ask(&wish, globals)?;
    if args.json {
        document(&answer)?;
    } else {
        let word = match (answer.applied, args.dry_run) {
            (true, _) => format!("in force from input {} on", answer.seq.unwrap_or_default()),
            (false, true) => "would change".to_owned(),
            (false, false) => "nothing has changed".to_owned(),
        };
        say(format_args!("PAPER limits: {word}"))?;
        answer.changes.iter().try_for_each(|change| say(format_args!("  {change}")))?;
    }
    match answer.error {
        None => Ok(()),
        Some(error) => {
            let failure = Failure::answer_is_no(anyhow::anyhow!(error));
            let hint = if answer.needs_confirmation {
                "say so with --confirm"
            } else {
                "`papermaker limits show` names every key"
            };
            Err(failure.hint(hint))
        }
    }
}

fn ask(wish: &LimitsWish, globals: &Globals) -> Result<LimitsAnswer, Failure> {
    let client = operate::running(globals)?;
    block_on(client.limits(wish))?.map_err(operate::no_answer)
}

fn document(answer: &LimitsAnswer) -> Outcome {
    say(serde_json::to_string_pretty(answer).expect("an answer is plain data"))
}

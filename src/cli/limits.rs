//! `limits show` and `limits set`: the limits of a running bot.

use clap::{Args, Subcommand};

use super::{Failure, Globals, Outcome, block_on, operate, say};
use crate::dashboard::limits::{LimitValue, LimitsAnswer, LimitsWish};

/// The limits of the running bot: show them, change them
#[derive(Clone, Debug, Subcommand)]
pub enum LimitsVerb {
    /// Every limit in force: whose it is, where it stands, what is allowed, how much of that is used
    ///
    /// A limit without a `now` judges one order at a time. `papermaker sessions export SESSION --kind risk` tells the past.
    #[command(after_help = "Examples:\n  papermaker limits show\n  papermaker limits show --json")]
    Show(ShowArgs),
    /// Put other limits in force, recorded as an input of the session
    #[command(after_help = "Examples:\n  papermaker limits set collar_bps=50 --dry-run    what would change\n  \
        papermaker limits set collar_bps=50\n  \
        papermaker limits set loss_max_quote=800 --confirm --by anna --reason \"quiet day\"    letting more through needs --confirm\n  \
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
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
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
            table(&answer)?;
            match &answer.file_refused {
                Some(refused) => say(format_args!("  REFUSED, those above stay in force: {refused}")),
                None => Ok(()),
            }
        }
        LimitsVerb::Set(args) => set(args, globals),
    }
}

/// A line per limit: whose, where it stands, what is allowed, how much of that is used.
fn table(answer: &LimitsAnswer) -> Outcome {
    say(format_args!("PAPER limits in force, digest {}", answer.digest.as_deref().unwrap_or_default()))?;
    say(format_args!("  the book is {}", answer.state))?;
    answer.trips.iter().try_for_each(|trip| say(format_args!("  tripped: {trip}")))?;
    let whose = |l: &LimitValue| if l.of.is_empty() { "book".to_owned() } else { l.of.clone() };
    let key = answer.limits.iter().map(|l| l.key.len()).max().unwrap_or(0);
    let of = answer.limits.iter().map(|l| whose(l).len()).max().unwrap_or(0);
    say(format_args!("  {:key$}  {:of$}  {:>16}  {:>16}  {:>7}  unit", "limit", "whose", "now", "limit", "used"))?;
    answer.limits.iter().try_for_each(|l| {
        let limit = if l.is_set { l.value.as_str() } else { "none" };
        let used = l.share.filter(|_| l.is_set).map_or_else(String::new, |share| format!("{:.1} %", share * 100.0));
        let now = l.now.as_deref().map_or_else(String::new, short);
        let line = format!("  {:key$}  {:of$}  {now:>16}  {limit:>16}  {used:>7}  {}", l.key, whose(l), l.unit);
        say(line.trim_end())
    })
}

/// A number to six digits behind the point, more than anybody reads.
fn short(number: &str) -> String {
    match number.split_once('.') {
        Some((whole, rest)) if rest.len() > 6 => format!("{whole}.{}", &rest[..6]),
        Some(_) | None => number.to_owned(),
    }
}

fn set(args: &SetArgs, globals: &Globals) -> Outcome {
    let full = |argument: &String| match argument.starts_with("risk.") {
        true => argument.clone(),
        false => format!("risk.{argument}"),
    };
    if let Some(key) = args.wanted.iter().find(|wanted| !wanted.contains('=')) {
        let error = anyhow::anyhow!("{key:?} names no value");
        return Err(Failure::could_not_run(error).hint(format!("KEY=VALUE: `papermaker limits set {key}=…`")));
    }
    let wish = LimitsWish {
        set: args.wanted.iter().map(full).collect(),
        confirm: args.confirm,
        dry_run: args.dry_run,
        by: args.by.clone(),
        reason: args.reason.clone(),
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
        if let (true, Some(digest)) = (answer.applied, &answer.digest) {
            say(format_args!("  digest {digest}"))?;
        }
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

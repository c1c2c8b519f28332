//! `status`, `stop`, `pause`, `resume`, `halt`, `flatten`: speak to a running bot.

use clap::Args;

use super::{Failure, Globals, Outcome, block_on, say};
use crate::dashboard::{Client, ClientError};

/// What the running bot is doing
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker status --json\n  papermaker status --health\n\n\
    Exit code 2 if no bot runs on the store; with --health 1 if it is not well.")]
pub struct StatusArgs {
    /// Whether it is well, as /healthz has it: feeds heard, inputs on the disk, the session moving
    #[arg(long)]
    pub health: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Ask the running bot for something; recorded as an input of its session
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker pause       take the quotes out, keep recording\n  \
    papermaker resume --by anna\n                         quote again, and record who said so\n  \
    papermaker flatten     bring every position to zero by crossing the spread, then stay paused\n  \
    papermaker halt --reason \"strange fills\"\n                         cancel everything, send nothing more\n  \
    papermaker stop        cancel everything, close the recording, exit")]
pub struct CommandArgs {
    /// Who asks, for the record
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub by: String,
    /// Why, for the record; a halt and a pause show it, also over a restart
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Ask the running bot to halt; recorded with its reason
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  papermaker halt --reason \"strange fills\" --by anna\n\n\
    Asks nobody whether it should: the session stays halted, also over a restart, until `papermaker resume`.")]
pub struct HaltArgs {
    /// As every command.
    #[command(flatten)]
    pub rest: CommandArgs,
}

/// Bring every position to zero by crossing the spread, then stay paused
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  papermaker flatten --yes --by anna --reason \"end of day\"\n\n\
    What it pays for the spread cannot be had back: on a terminal it asks first.")]
pub struct FlattenArgs {
    /// Do not ask whether it should
    #[arg(long)]
    pub yes: bool,
    /// As every command.
    #[command(flatten)]
    pub rest: CommandArgs,
}

/// Prints the running bot's status.
pub fn status(args: &StatusArgs, globals: &Globals) -> Outcome {
    let client = running(globals)?;
    if args.health {
        return health(&client, args.json);
    }
    let picture = block_on(client.status())?.map_err(no_answer)?;
    if args.json {
        return say(serde_json::to_string_pretty(&picture).expect("a picture is plain data"));
    }
    say(picture.block())
}

fn health(client: &Client, as_json: bool) -> Outcome {
    let answer = block_on(client.health())?.map_err(no_answer)?;
    let (session, is_well) = (&client.contact().session, answer["ok"] == true);
    if as_json {
        say(format_args!("{answer:#}"))?;
    } else {
        say(format_args!("PAPER {session}: {}", if is_well { "well" } else { "NOT WELL" }))?;
        for reason in answer["reasons"].as_array().into_iter().flatten() {
            let (code, whose) =
                (reason["code"].as_str().unwrap_or_default(), reason["whose"].as_str().unwrap_or_default());
            say(format_args!("  {code} {whose} value={} limit={} unit=ms", reason["value_ms"], reason["limit_ms"]))?;
        }
    }
    if is_well { Ok(()) } else { Err(Failure::answer_is_no(anyhow::anyhow!("{session} is not well"))) }
}

/// Halts the running bot.
pub fn halt(args: &HaltArgs, globals: &Globals) -> Outcome {
    command("halt", &args.rest, globals)
}

/// Flattens the running bot, after asking whoever sits at a terminal.
pub fn flatten(args: &FlattenArgs, globals: &Globals) -> Outcome {
    use std::io::IsTerminal;
    if !args.yes && std::io::stdin().is_terminal() {
        let picture = block_on(running(globals)?.status())?.map_err(no_answer)?;
        for it in &picture.instruments {
            say(format_args!("PAPER {}: {} {}", it.label, it.position, it.unit))?;
        }
        say("close every position at the market, whatever the spread costs? [y/N]")?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(Failure::could_not_run)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(Failure::answer_is_no(anyhow::anyhow!("nothing was flattened")));
        }
    }
    command("flatten", &args.rest, globals)
}

/// Sends a command to the running bot.
pub fn command(verb: &str, args: &CommandArgs, globals: &Globals) -> Outcome {
    let client = running(globals)?;
    let seq = block_on(async {
        // What it has done before does not count; that it cannot be said is no reason not to halt it.
        let known = client.status().await.map(|picture| picture.events.last().map_or(0, |event| event.n));
        client.command(verb, &args.by, args.reason.as_deref()).await?;
        // Who stops is gone by then.
        let known = known.ok().filter(|_| verb != "stop");
        Ok(match known {
            Some(known) => client.obeyed(verb, known).await,
            None => None,
        })
    })?
    .map_err(no_answer)?;
    let session = &client.contact().session;
    if args.json {
        return say(serde_json::json!({ "paper": true, "session": session, "accepted": verb, "seq": seq }));
    }
    match seq {
        Some(seq) => say(format_args!("PAPER {session}: {verb} in force from input {seq} on")),
        None if verb == "stop" => say(format_args!("PAPER {session}: stop accepted")),
        None => say(format_args!("PAPER {session}: {verb} accepted, and not seen in force yet; `papermaker status`")),
    }
}

pub(super) fn running(globals: &Globals) -> Result<Client, Failure> {
    let store = crate::config::store_path(&globals.sources()).map_err(Failure::could_not_run)?;
    Client::of_store(&store).map_err(no_answer)
}

pub(super) fn no_answer(error: ClientError) -> Failure {
    let hint = error.hint();
    Failure::could_not_run(error).hint(hint)
}

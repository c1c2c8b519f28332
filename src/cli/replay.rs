//! `replay`: the proof.

use clap::Args;

use super::{Failure, Globals, Outcome, say};
use crate::journal::Store;
use crate::run::replay::{self as drive, ReplayError};

/// Re-run a recorded session through the same engine and prove its outputs identical
///
/// Exit code 0 says identical, bit for bit; 1 says diverged and names the first output that differs.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker replay monday\n  papermaker replay monday --json\n  \
                        papermaker replay monday --around 48213")]
pub struct ReplayArgs {
    /// Name of the session, or its folder
    pub session: String,
    /// On divergence show both sides around this input
    #[arg(long, value_name = "SEQ")]
    pub around: Option<u64>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls the replay driver, [`crate::run::replay`].
pub fn replay(args: &ReplayArgs, globals: &Globals) -> Outcome {
    let store = Store::open(&globals.load()?.settings.store.path);
    if let Some(seq) = args.around {
        return show_around(&store, args, seq);
    }
    let report = drive::replay(&store, &args.session).map_err(cannot)?;
    if args.json {
        say(serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        say(as_text(&report).trim_end())?;
    }
    match &report.first_divergence {
        None => Ok(()),
        Some(d) => Err(Failure::answer_is_no(anyhow::anyhow!(
            "{}: outputs differ from the recording at input {}\nexpected {}\nfound    {}",
            report.session,
            d.seq,
            d.expected,
            d.found
        ))
        .hint(format!("`papermaker replay {} --around {}` shows both sides", args.session, d.seq))),
    }
}

fn cannot(error: ReplayError) -> Failure {
    let damaged = matches!(&error, ReplayError::Journal(e) if e.is_damage());
    let failure = if damaged { Failure::answer_is_no(error) } else { Failure::could_not_run(error) };
    failure.hint("`papermaker sessions list` names the recordings, `papermaker sessions verify SESSION` checks one")
}

fn as_text(report: &drive::Report) -> String {
    let word = if report.identical { "identical" } else { "DIVERGED" };
    let mut text = format!(
        "PAPER replay of {}: {word}\n  {} inputs, {} outputs, {} checkpoints agreed\n  output digest {}\n  state digest  {}\n  \
         {:.3} s: {:.0} inputs/s, {:.0} level updates/s\n",
        report.session,
        report.inputs,
        report.outputs,
        report.checkpoints,
        report.output_digest,
        report.state_digest,
        report.seconds,
        report.inputs_per_s,
        report.level_updates_per_s
    );
    for note in &report.notes {
        text += &format!("  note: {note}\n");
    }
    text
}

fn show_around(store: &Store, args: &ReplayArgs, seq: u64) -> Outcome {
    let shown = drive::around(store, &args.session, seq, 3).map_err(cannot)?;
    if args.json {
        return say(serde_json::to_string_pretty(&shown).expect("both sides are plain data"));
    }
    say(format_args!("PAPER {} around input {seq}", args.session))?;
    for input in &shown {
        say(format_args!("{} {}", input.seq, input.input))?;
        if input.recorded == input.replayed {
            input.recorded.iter().try_for_each(|said| say(format_args!("    = {said}")))?;
        } else {
            input.recorded.iter().try_for_each(|said| say(format_args!("    recorded {said}")))?;
            input.replayed.iter().try_for_each(|said| say(format_args!("    replayed {said}")))?;
        }
    }
    Ok(())
}

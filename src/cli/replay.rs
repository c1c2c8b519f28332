//! `replay`: the proof.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Globals, Outcome, say, whatif};
use crate::journal::Store;
use crate::run::explain;
use crate::run::replay::{self as drive, ReplayError};

/// Re-run a recorded session through the same engine and prove its outputs identical
///
/// Exit code 0 says identical, bit for bit; 1 says diverged and names the first output that differs.
///
/// With --strategy, --risk, --fill or --bracket (or --set of a paper. or risk. key, or of a venue's fees) it is a
/// what-if instead: nothing is verified, what was recorded is shown beside what would have come of it. What is not named
/// stays as recorded. Recorded changes of limits are left out where the limits are others; every other command of the
/// operator stays. Beside money it shows what limits did on each side: refusals by reason code and the first of them, limits
/// that tripped, when and for how long, time in Active, Reducing and Halted.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker replay monday\n  papermaker replay monday --json\n  \
                        papermaker replay monday --around 48213\n  \
                        papermaker replay monday --strategy glft --risk tighter.toml\n  \
                        papermaker replay monday --risk tighter.toml --report what-if.html\n  \
                        papermaker replay monday --set paper.queue_model=power --bracket --json")]
pub struct ReplayArgs {
    /// Name of the session, or its folder
    pub session: String,
    /// Explain the decision at this input: market, estimates, formula, limits, what came back; and its neighbours, with
    /// both sides where they differ
    #[arg(long, value_name = "SEQ")]
    pub around: Option<u64>,
    /// What-if: this strategy (a file, or the name of a built-in) for every instrument
    #[arg(long, value_name = "FILE", conflicts_with = "around")]
    pub strategy: Option<String>,
    /// What-if: the limits of this risk.toml; what it does not name is the built-in default
    #[arg(long, value_name = "FILE", conflicts_with = "around")]
    pub risk: Option<PathBuf>,
    /// What-if: the `paper` keys and venues' fees of this TOML; what it does not name stays as recorded
    #[arg(long, value_name = "FILE", conflicts_with = "around")]
    pub fill: Option<PathBuf>,
    /// What-if: also under both bounds of the queue model
    #[arg(long, conflicts_with = "around")]
    pub bracket: bool,
    /// What-if: also a report, one HTML file: equity and inventory of all sides in one chart each, what limits did
    #[arg(long, value_name = "FILE.html", conflicts_with = "around")]
    pub report: Option<PathBuf>,
    /// Replace the report if it exists
    #[arg(long, requires = "report")]
    pub force: bool,
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
    if whatif::is_asked(args, globals) {
        return whatif::answer(args, globals);
    }
    if args.report.is_some() {
        let error = anyhow::anyhow!("--report is of a what-if, and nothing is to be different");
        return Err(Failure::could_not_run(error).hint(
            "name --risk, --strategy, --fill or --bracket; `papermaker report SESSION` shows the recording itself",
        ));
    }
    let report = drive::replay(&store, &args.session).map_err(cannot)?;
    if args.json {
        say(serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        say(as_text(&report).trim_end())?;
    }
    let shadow = report.bracket.iter().any(|shadow| shadow.identical == Some(false));
    match &report.first_divergence {
        None => Ok(()),
        Some(d) if shadow => Err(Failure::answer_is_no(anyhow::anyhow!(
            "{}: differs from the recording at {}\nexpected {}\nfound    {}",
            report.session,
            d.input,
            d.expected,
            d.found
        ))
        .hint("the session itself is identical; what a shadow said is not recorded, so only its end can be compared")),
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
    for shadow in &report.bracket {
        let word = match shadow.identical {
            Some(true) => "identical",
            Some(false) => "DIVERGED",
            None => "not ended when it was recorded, so not compared",
        };
        let (bound, equity) = (shadow.bound.word(), shadow.equity.join(", "));
        text += &format!("  {bound} shadow: {word}, {} fills, equity {equity}\n", shadow.fills);
    }
    for note in &report.notes {
        text += &format!("  note: {note}\n");
    }
    text
}

fn show_around(store: &Store, args: &ReplayArgs, seq: u64) -> Outcome {
    let told = explain::explain(store, &args.session, seq).map_err(cannot)?;
    if args.json {
        return say(serde_json::to_string_pretty(&told).expect("an explanation is plain data"));
    }
    say(super::explain::as_text(&told).trim_end())
}

//! `train`: policies from worlds.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Globals, Outcome};

/// Train a policy, several seeds of it, and judge each
///
/// `[world] kind = "exact"` (the default) is a world whose best possible return is known, so a policy's worth is a number without
/// an interval. `sim` is the session that trades live in a simulated market, `recorded` the same on recordings, walking forward; there a policy is judged
/// by what it earns above the quotes it moves, on seeds and hours it has not learnt from, and it quotes live by --strategy.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker train strategies/train/ppo-p2.toml\n  \
                  papermaker train strategies/train/sac-p1.toml --out /tmp/sac-p1 --seeds 2 --json\n  \
                  papermaker train strategies/train/sac-p1.toml --out /tmp/sac-p1 --resume\n  \
                  papermaker train strategies/train/ppo-demo.toml --ship my.toml && papermaker run --strategy my.toml\n\n\
                  Leaves seed-N/{policy.safetensors,curve.csv,events.out.tfevents.papermaker,checkpoint} and card.toml; of sessions \
                  also policy.toml,\nwhich quotes, and its card.\n\
                  `tensorboard --logdir DIR` draws the curves. Exit code 1: the file has a [goal] and it was missed.")]
pub struct TrainArgs {
    /// What to train
    #[arg(value_name = "CONFIG")]
    pub spec: PathBuf,
    /// Where to; without it `train/NAME of the file` in the folder this is run in
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Train seeds 1 to N, whatever the file says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: Option<u64>,
    /// Seeds trained at once; without it as many as there are cores
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Go on with what is there
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Begin anew over what is there
    #[arg(long)]
    pub force: bool,
    /// Put a policy here: a strategy file, with weights and card beside it. The best seed's, of recordings the first seed's
    #[arg(long, value_name = "FILE.toml")]
    pub ship: Option<PathBuf>,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Calls [`crate::run::train`].
#[cfg(feature = "learn")]
pub fn train(args: &TrainArgs, globals: &Globals) -> Outcome {
    use std::io::IsTerminal;

    use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

    use super::say;
    use crate::run::train::{Found, Progress, TrainSpec, World, ship, train};

    let mut spec = TrainSpec::read(&args.spec).map_err(|e| {
        Failure::could_not_run(e).hint("strategies/README.md explains the keys; strategies/train has files that work")
    })?;
    spec.seeds = args.seeds.unwrap_or(spec.seeds);
    let stem = args.spec.file_stem().unwrap_or_default();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("train").join(stem));
    let found = match (args.resume, args.force) {
        (true, _) => Found::Resume,
        (_, true) => Found::Replace,
        _ => Found::Refuse,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bars = MultiProgress::new();
    let style = ProgressStyle::with_template("seed {prefix:>2} {bar:24} {percent:>3} % {eta:>5} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let folds = match &spec.world {
        World::Recorded(world) => world.folds as u64,
        World::Exact(_) | World::Sim(_) => 1,
    };
    let rows: Vec<_> = (0..spec.seeds * folds)
        .map(|n| bars.add(ProgressBar::new(1).with_style(style.clone()).with_prefix((n % spec.seeds + 1).to_string())))
        .collect();
    let is_exact = spec.world.exact().is_some();
    let is_watched = std::io::stderr().is_terminal();
    let told = |at: &Progress<'_>| {
        let bar = &rows[(at.fold - 1) * spec.seeds as usize + at.seed as usize - 1];
        let worth = match is_exact {
            true => at.worth.map(|p| format!("{p:.3} % of the optimum")),
            false => at.worth.map(|p| format!("{p:+.4} an episode above unmoved quotes")),
        };
        let percent = worth.unwrap_or_else(|| "-".to_owned());
        let earned = at.episode_return.map_or("-".to_owned(), |r| format!("return {r:.4}"));
        bar.set_length(at.steps.1);
        bar.set_position(at.steps.0);
        bar.set_message(format!("{earned} · {percent}"));
        if !is_watched && at.steps.0 >= at.steps.1 {
            eprintln!("seed {}: {} steps, {percent}", at.seed, at.steps.0);
        }
    };
    let threads = args.threads.unwrap_or(cores);
    let card = train(&spec, &globals.sources(), &out, found, threads, &told).map_err(Failure::could_not_run)?;
    if let Some(strategy) = &args.ship {
        ship(&card, &out, strategy).map_err(Failure::could_not_run)?;
    }
    let _ = bars.clear();
    if args.json {
        let told = serde_json::to_value(&card).map_err(Failure::could_not_run)?;
        say(format_args!("{told:#}"))?;
    } else {
        say(format_args!("PAPER {} over {} seeds, {}", card.algorithm, spec.seeds, card.measure))?;
        for seed in &card.seeds {
            let (worth, steps) = (seed.worth(), seed.steps);
            let interval = seed.above.as_ref().map_or(String::new(), |at| {
                format!("  95 % {:+.4} to {:+.4} of {} episodes, itself {:+.4}", at.low, at.high, at.episodes, at.pnl)
            });
            let fold = if folds > 1 { format!("fold {} ", seed.fold) } else { String::new() };
            let took = seed.seconds;
            say(format_args!(
                "  {fold}seed {:>2}  {worth:>8.3}  {steps:>12} steps  {took:>7.1} s{interval}",
                seed.seed
            ))?;
        }
        say(format_args!("  median {:.3}, worst {:.3}", card.median, card.worst))?;
        say(format_args!("policies, curves and card: {}", out.display()))?;
        if let Some(strategy) = &args.ship {
            say(format_args!("a policy that quotes: {}", strategy.display()))?;
        }
    }
    match (card.reached, spec.goal) {
        (Some(false), Some(goal)) => {
            let (median, worst) = (card.median, card.worst);
            Err(Failure::answer_is_no(anyhow::anyhow!(
                "median {median:.3} and worst {worst:.3}; wanted were {} and {}",
                goal.median,
                goal.worst
            )))
        }
        _ => Ok(()),
    }
}

/// Says that it cannot.
#[cfg(not(feature = "learn"))]
pub fn train(args: &TrainArgs, _globals: &Globals) -> Outcome {
    let error = anyhow::anyhow!("{}: this program was built without the feature `learn`", args.spec.display());
    Err(Failure::could_not_run(error).hint("build it with default features: cargo build --release"))
}

//! `policy`: files of learned policies.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{Failure, Globals, Outcome, say, span};
use crate::config::Loaded;
use crate::digest::Digest;
use crate::engine::SessionSpec;
use crate::journal::Store;
use crate::journal::disk::{Disk, RealDisk};
use crate::run::card::PolicyCard;
use crate::run::policy::{PolicyFiles, import, met_in_market, met_in_recording, refer, unreferred};
use crate::run::rerun::{Changes, spec_for};
use crate::run::{prepare, simulate, simulated};
use crate::strategy::Policy;
use crate::strategy::mlp::Activation;
use crate::strategy::policy::weights_wanted;
use crate::units::Nanos;

/// Files of learned policies: import those of others, give them a drift gate, ask them
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyVerb {
    /// Make a strategy of an actor that Stable-Baselines3 trained
    Import(ImportArgs),
    /// Let a policy live where it was trained, and note what it meets beside its weights, for its drift gate
    Reference(ReferenceArgs),
    /// Ask a policy's network what it answers to observations from stdin
    Ask(AskArgs),
}

/// What a network has between its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Between {
    /// The hyperbolic tangent
    Tanh,
    /// max(0, x)
    Relu,
}

/// Make a strategy of an actor that Stable-Baselines3 trained
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  papermaker policy import actor.safetensors --card examples/stable_baselines3/card.toml --out mine.toml\n\n\
                  ACTOR is policy.state_dict() of PPO or SAC with MlpPolicy, saved by safetensors.torch.save_file; obs_rms.mean and \
                  obs_rms.var of VecNormalize may stand beside it. The card is a strategy without weights: what it sees, how far it \
                  moves quotes. examples/stable_baselines3 has all of it, from training to quoting."
)]
pub struct ImportArgs {
    /// The actor's state dict
    #[arg(value_name = "ACTOR")]
    pub actor: PathBuf,
    /// The strategy without its weights
    #[arg(long, value_name = "FILE")]
    pub card: PathBuf,
    /// The strategy to write; its weights go beside it, as NAME.safetensors
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What stands between the actor's layers; without it what PPO (tanh) and SAC (relu) have by themselves
    #[arg(long, value_name = "NAME")]
    pub activation: Option<Between>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Let a policy live where it was trained, and note what it meets beside its weights, for its drift gate
///
/// In the simulated market of the configuration, or in recordings. Rules are those in its `drift` table, or the usual ones.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker policy reference mine.toml --out mine-gated.toml\n  \
                  papermaker policy reference mine.toml --for 6h --seeds 3 --out mine.toml --force\n  \
                  papermaker policy reference mine.toml --session monday --session tuesday --out mine-gated.toml")]
pub struct ReferenceArgs {
    /// The strategy
    #[arg(value_name = "STRATEGY")]
    pub strategy: PathBuf,
    /// The strategy to write; its weights go beside it, as NAME.safetensors
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Recordings to live in instead of the simulated market (repeatable)
    #[arg(long = "session", value_name = "SESSION")]
    pub sessions: Vec<String>,
    /// How much simulated time, every seed
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse, default_value = "3h", conflicts_with = "sessions")]
    pub lasting: Duration,
    /// Seeds 1 to N of the simulated market
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub seeds: u64,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Ask a policy's network what it answers to observations from stdin
///
/// One observation a line, numbers between commas, in the order of the strategy's `observation` and not normalised; one answer a line
/// comes back, as it counts: normalised, squashed where it is, the two residuals within ±1.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  echo '0.5,0,1.5' | papermaker policy ask mine.toml")]
pub struct AskArgs {
    /// The strategy
    #[arg(value_name = "STRATEGY")]
    pub strategy: PathBuf,
}

/// Calls [`crate::run::policy`].
pub fn policy(verb: &PolicyVerb, globals: &Globals) -> Outcome {
    match verb {
        PolicyVerb::Import(args) => import_actor(args),
        PolicyVerb::Reference(args) => reference(args, globals),
        PolicyVerb::Ask(args) => ask(args),
    }
}

fn import_actor(args: &ImportArgs) -> Outcome {
    let actor = read(&args.actor)?;
    let card = text(&args.card)?;
    let activation = args.activation.map(|between| match between {
        Between::Tanh => Activation::Tanh,
        Between::Relu => Activation::Relu,
    });
    let made = import(&actor, activation, &card, &weights_name(&args.out)).map_err(|e| {
        Failure::could_not_run(e)
            .context(format!("{} with {}", args.actor.display(), args.card.display()))
            .hint("examples/stable_baselines3 has a card that works, and how to save an actor")
    })?;
    put(&made, &args.out, args.force)?;
    told(&made, &args.out, args.json, json!({}))
}

/// Seeds of references begin after this one: those from 1 on are what `evaluate` judges in.
const REFERRED_FROM: u64 = 2_000_000;

fn reference(args: &ReferenceArgs, globals: &Globals) -> Outcome {
    let given = files_of(&args.strategy)?;
    let failed = |e| Failure::could_not_run(e).context(args.strategy.display().to_string());
    let (bare, rules) = unreferred(&given.text, &given.weights).map_err(failed)?;
    let loaded = globals.load()?;
    let mut runs = Vec::new();
    if args.sessions.is_empty() {
        let sim = simulated::spec(&loaded).map_err(Failure::could_not_run)?;
        let spec = in_market(&loaded, &sim, &bare)?;
        let tick = Nanos::from_ms(i64::from(loaded.settings.session.tick_ms));
        let lasting = Nanos(i64::try_from(args.lasting.as_nanos()).unwrap_or(i64::MAX));
        for seed in (1..=args.seeds).map(|n| REFERRED_FROM + n) {
            runs.push(met_in_market(&sim, seed, &spec, &rules, tick, lasting).map_err(failed)?);
        }
    }
    for name in &args.sessions {
        let store = Store::open(&loaded.settings.store.path);
        let (store, id) = store.of_session(name).map_err(Failure::could_not_run)?;
        let mut reader = store.reader(&id).map_err(Failure::could_not_run)?;
        let whole = bare.whole();
        let changes = Changes { strategy: Some(&whole), risk: None };
        let spec = spec_for(reader.manifest(), &changes).map_err(Failure::could_not_run)?;
        runs.push(met_in_recording(&mut reader, &spec, &rules).map_err(failed)?);
    }
    let made = refer(&bare, &rules, &runs, &weights_name(&args.out)).map_err(|e| {
        failed(e).hint("longer markets (--for), more of them (--seeds, --session), or a smaller window_rows in [drift]")
    })?;
    put(&made, &args.out, args.force)?;
    let card = PolicyCard::beside(&args.strategy).map_err(Failure::could_not_run)?;
    if let Some(mut card) = card {
        let made_from = match &args.sessions[..] {
            [] => format!(
                "simulated market {}, {} s of seeds {} to {}",
                loaded.settings.simulator.market,
                args.lasting.as_secs(),
                REFERRED_FROM + 1,
                REFERRED_FROM + args.seeds
            ),
            names => format!("sessions {}", names.join(", ")),
        };
        card.referred(Digest::of(&made.weights).to_string(), made_from);
        card.put_beside(&args.out).map_err(Failure::could_not_run)?;
    }
    let numbers: usize = runs.iter().map(Vec::len).sum();
    told(&made, &args.out, args.json, json!({ "runs": runs.len(), "numbers": numbers }))
}

fn in_market(loaded: &Loaded, sim: &crate::sim::SimSpec, bare: &PolicyFiles) -> Result<SessionSpec, Failure> {
    let first = loaded.settings.session.instruments.iter().take(1).cloned().collect::<Vec<_>>();
    let listed = simulate::listed(sim, &first).map_err(Failure::could_not_run)?;
    prepare::session_spec(loaded, listed, Some(&bare.whole())).map_err(Failure::could_not_run)
}

fn ask(args: &AskArgs) -> Outcome {
    let whole = files_of(&args.strategy)?.whole();
    let failed = |e| Failure::could_not_run(e).context(args.strategy.display().to_string());
    let mut policy = Policy::unfitted(&whole).map_err(|e| failed(anyhow::Error::from(e)))?;
    let mut lines = String::new();
    std::io::stdin().read_to_string(&mut lines).map_err(|e| Failure::could_not_run(e).context("cannot read stdin"))?;
    for (n, line) in lines.lines().enumerate() {
        let numbers: Result<Vec<f32>, _> = line.split(',').map(|number| number.trim().parse()).collect();
        let inputs = policy.inputs();
        let Some(row) = numbers.ok().filter(|row| row.len() == inputs) else {
            let error = anyhow::anyhow!("line {}: {line:?} is not {inputs} numbers between commas", n + 1);
            return Err(Failure::could_not_run(error).hint("the strategy's [[observation]] says which, in order"));
        };
        let said: Vec<String> = policy.answer_to(&row).iter().map(f32::to_string).collect();
        say(said.join(","))?;
    }
    Ok(())
}

fn told(made: &PolicyFiles, out: &Path, as_json: bool, more: serde_json::Value) -> Outcome {
    let weights = out.with_file_name(weights_name(out));
    let digest = Digest::of(&made.weights).to_string();
    if as_json {
        let mut told = json!({ "paper": true, "strategy": out, "weights": weights, "weights_blake3": digest });
        for (key, value) in more.as_object().into_iter().flatten() {
            told[key] = value.clone();
        }
        return say(format_args!("{told:#}"));
    }
    say(format_args!("PAPER policy: {} with {} ({digest})", out.display(), weights.display()))
}

/// A strategy file and its weights beside it.
fn files_of(path: &Path) -> Result<PolicyFiles, Failure> {
    let text = text(path)?;
    let Some(file) = weights_wanted(&text) else {
        let error = anyhow::anyhow!("{} names no file of weights: it is no learned policy", path.display());
        return Err(Failure::could_not_run(error).hint("kind = \"policy\" with weights = \"NAME.safetensors\""));
    };
    let weights = read(&path.with_file_name(file))?;
    Ok(PolicyFiles { text, weights })
}

fn weights_name(out: &Path) -> String {
    out.with_extension("safetensors").file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| Failure::could_not_run(e).context(format!("cannot read {}", path.display())))
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::could_not_run(e).context(format!("cannot read {}", path.display())))
}

/// The weights first: a strategy whose weights are not there yet would be refused, one whose weights are others too.
fn put(made: &PolicyFiles, out: &Path, force: bool) -> Outcome {
    let weights = out.with_file_name(weights_name(out));
    for path in [&weights, &out.to_path_buf()] {
        if path.exists() && !force {
            let error = anyhow::anyhow!("{} is there already", path.display());
            return Err(Failure::could_not_run(error).hint("--force replaces it"));
        }
    }
    for (path, bytes) in [(&*weights, &made.weights[..]), (out, made.text.as_bytes())] {
        RealDisk
            .replace(path, bytes)
            .map_err(|e| Failure::could_not_run(e).context(format!("cannot write {}", path.display())))?;
    }
    Ok(())
}

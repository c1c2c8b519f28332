//! A policy's files: the card in TOML, the weights beside it, and what of them is read on load.

use super::super::mlp::Mlp;
use super::super::settings::{Settings, StrategyError, not_allowed};
use super::super::weights::{Tensor, Weights, WeightsError};
use super::Policy;
use crate::digest::Digest;
use crate::signal::drift::{Reference, Tables};
use crate::signal::observation::{Feature, Scale, Schema};

/// Key under which [`with_weights`] puts a file's bytes.
const BYTES: &str = "weights_hex";

/// The file a strategy's TOML asks for and does not hold yet.
pub fn weights_wanted(toml_text: &str) -> Option<String> {
    let table = toml_text.parse::<toml::Table>().ok()?;
    if table.contains_key(BYTES) {
        return None;
    }
    table.get("weights")?.as_str().map(str::to_owned)
}

/// The same TOML with a file's bytes in it, in front: nothing else of the text changes.
pub fn with_weights(toml_text: &str, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{BYTES} = \"{hex}\"\n{toml_text}")
}

/// The digest of a policy's weights, of the TOML of one.
pub fn weights_digest(toml_text: &str) -> Option<Digest> {
    let table = toml_text.parse::<toml::Table>().ok()?;
    let is_policy = table.get("kind")?.as_str() == Some(Policy::NAME);
    Digest::parse(table.get("weights_blake3")?.as_str()?).filter(|_| is_policy)
}

/// The network, and the tables of its training where the file holds them.
pub(super) fn take_network(settings: &mut Settings) -> Result<(Mlp, Option<Tables>), StrategyError> {
    let meaning = "a safetensors file beside the strategy's";
    let file = settings.text("weights")?.ok_or_else(|| settings.missing("weights", meaning))?;
    let known =
        settings.text("weights_blake3")?.ok_or_else(|| settings.missing("weights_blake3", "digest of that file"))?;
    let Some(hex) = settings.text(BYTES)? else {
        let why = format!("weights = {file:?}: its bytes are not in the strategy; read it by its path");
        return Err(StrategyError::Conflict(why));
    };
    let digit = |i: usize| hex.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(digit).collect();
    let bytes = bytes.ok_or_else(|| not_allowed(BYTES, &"…", "pairs of hex digits".to_owned()))?;
    let found = Digest::of(&bytes).to_string();
    if found != known {
        let why = format!(
            "weights = {file:?} has digest {found}, weights_blake3 says {known}: the file is not the one meant"
        );
        return Err(StrategyError::Conflict(why));
    }
    let read = || {
        let mut weights = Weights::read(&bytes)?;
        let tables = take_tables(&mut weights)?;
        Ok((Mlp::from_weights(weights)?, tables))
    };
    read().map_err(|e: WeightsError| StrategyError::Conflict(format!("weights = {file:?}: {e}")))
}

pub(super) fn take_observation(settings: &mut Settings) -> Result<(Schema, Scale), StrategyError> {
    let conflict = |why: String| StrategyError::Conflict(why);
    let features =
        settings.value("observation").ok_or_else(|| settings.missing("observation", "what the policy sees"))?;
    let features: Vec<Feature> = features.try_into().map_err(|e| conflict(format!("observation: {e}")))?;
    let schema = Schema::new(features).map_err(|e| conflict(e.to_string()))?;
    let digest = settings.text("observation_blake3")?;
    let digest =
        digest.ok_or_else(|| settings.missing("observation_blake3", "digest of the observation trained on"))?;
    let trained =
        Digest::parse(&digest).ok_or_else(|| not_allowed("observation_blake3", &digest, "64 hex digits".to_owned()))?;
    schema.require(&schema, &trained).map_err(|e| conflict(e.to_string()))?;
    let numbers = |list: Option<Vec<f64>>| list.map(|list| list.into_iter().map(|x| x as f32).collect::<Vec<f32>>());
    let mean = numbers(settings.maybe_numbers("observation_mean", -1e30..=1e30, "one per feature")?);
    let spread = numbers(settings.maybe_numbers("observation_spread", 1e-30..=1e30, "one per feature")?);
    let (Some(mean), Some(spread)) = (mean, spread) else {
        let meaning = "with observation_spread: what the numbers were while it learnt";
        return Err(StrategyError::Missing { key: "observation_mean", meaning });
    };
    let scale = Scale { mean, spread };
    scale
        .check(schema.features().len())
        .map_err(|e| conflict(format!("observation_mean and observation_spread: {e}")))?;
    Ok((schema, scale))
}

/// Their names in the file, in the order of the alphabet as all tensors are written.
const TABLES: [&str; 8] = ["chance", "discrepancy", "edges", "mean", "rhythm", "rows", "shares", "spread"];

fn table_mut<'a>(tables: &'a mut Tables, name: &str) -> &'a mut Vec<f32> {
    match name {
        "chance" => &mut tables.chance,
        "discrepancy" => &mut tables.discrepancy,
        "edges" => &mut tables.edges,
        "mean" => &mut tables.mean,
        "rhythm" => &mut tables.rhythm,
        "rows" => &mut tables.rows,
        "shares" => &mut tables.shares,
        _ => &mut tables.spread,
    }
}

fn take_tables(weights: &mut Weights) -> Result<Option<Tables>, WeightsError> {
    let mut tables = Tables::default();
    let mut found = 0;
    for name in TABLES {
        if let Some(tensor) = weights.tensors.remove(&format!("reference.{name}")) {
            *table_mut(&mut tables, name) = tensor.values;
            found += 1;
        }
    }
    match found {
        0 => Ok(None),
        found if found == TABLES.len() => Ok(Some(tables)),
        found => Err(WeightsError::Reference { found, needed: TABLES.len() }),
    }
}

/// The file of weights as it was before [`with_reference`].
pub fn without_reference(weights: &[u8]) -> Result<Vec<u8>, WeightsError> {
    let mut file = Weights::read(weights)?;
    take_tables(&mut file)?;
    Ok(file.write())
}

/// The file of weights with what its policy was trained on in it, in place of what was in it before. Its digest is another then.
pub fn with_reference(weights: &[u8], training: &Reference) -> Result<Vec<u8>, WeightsError> {
    let mut file = Weights::read(weights)?;
    take_tables(&mut file)?;
    let mut tables = training.tables().clone();
    for name in TABLES {
        let values = std::mem::take(table_mut(&mut tables, name));
        file.tensors.insert(format!("reference.{name}"), Tensor { shape: vec![values.len() as u64], values });
    }
    Ok(file.write())
}

//! From settings and rules to a session: its spec, its strategies, its conversation with a venue.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Loaded;
use crate::engine::{DeskSpec, SessionSpec};
use crate::exchange::place::Answers;
use crate::feed;
use crate::market::{Instrument, InstrumentId, VenueId};
use crate::strategy::{self, Strategies, StrategyError};
use crate::units::Nanos;
use crate::wire::dialect::Options;
use crate::wire::liveness::Patience;
use crate::wire::{Protocol, venues};

/// Why a session cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// No such strategy file, nor a built-in of that name.
    #[error("strategy.file = {name:?}: no such file, and built in are only {known}")]
    NoStrategy {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The strategy file is there and cannot be read.
    #[error("{}: {error}; a strategy is a text file, or the name of a built-in: {known}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
        /// What is built in.
        known: String,
    },
    /// The strategy file is not right.
    #[error("{path}: {error}")]
    Strategy {
        /// Which.
        path: String,
        /// What is wrong with it.
        error: StrategyError,
    },
    /// The file a policy's weights are in cannot be read.
    #[error("{}: {error}; a policy's weights lie beside its strategy file", path.display())]
    Weights {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// An instrument that is not `VENUE:SYMBOL`.
    #[error("{text:?} is not an instrument: {why}")]
    Instrument {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A venue without an adapter.
    #[error("{0} is known by name only: its protocol is not spoken here")]
    Venue(VenueId),
    /// The limits do not fit the instruments.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigErrors),
}

/// `VENUE:SYMBOL`, taken apart.
pub fn parse_instrument(text: &str) -> Result<(VenueId, String), PrepareError> {
    let wrong = |why: String| PrepareError::Instrument { text: text.to_owned(), why };
    let (venue, symbol) =
        text.split_once(':').ok_or_else(|| wrong("write VENUE:SYMBOL, for example binance-spot:BTCUSDT".to_owned()))?;
    Ok((venue.parse().map_err(wrong)?, symbol.to_owned()))
}

/// The text of a strategy: a file by its path, or a built-in by its name.
pub fn strategy_text(name: &str, folder: Option<&Path>) -> Result<String, PrepareError> {
    let paths = [Some(PathBuf::from(name)), folder.map(|f| f.join(name))];
    let mut unread = None;
    for path in paths.into_iter().flatten() {
        let mut text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => {
                unread.get_or_insert((path, error));
                continue;
            }
        };
        let shown = path.display().to_string();
        // A policy's weights become part of its text: what is recorded is all there is to replay from.
        if let Some(file) = strategy::policy::weights_wanted(&text) {
            let file = path.with_file_name(file);
            let bytes = std::fs::read(&file).map_err(|error| PrepareError::Weights { path: file, error })?;
            text = strategy::policy::with_weights(&text, &bytes);
        }
        strategy::check(&text).map_err(|error| PrepareError::Strategy { path: shown, error })?;
        return Ok(text);
    }
    let known: Vec<_> = strategy::BUILT_IN.iter().map(|(known, _)| *known).collect();
    let known = known.join(", ");
    // A folder may be called like a built-in; a file that was meant is not silently something else.
    if let Some((path, error)) = unread.take_if(|(_, error)| error.kind() != ErrorKind::IsADirectory) {
        return Err(PrepareError::Unreadable { path, error, known });
    }
    let spelled = name.replace('_', "-");
    match (strategy::BUILT_IN.iter().find(|(known, _)| *known == spelled), unread) {
        (Some((_, text)), _) => Ok((*text).to_owned()),
        (None, Some((path, error))) => Err(PrepareError::Unreadable { path, error, known }),
        (None, None) => Err(PrepareError::NoStrategy { name: name.to_owned(), known }),
    }
}

/// The spec of a session over these instruments. `strategy` is the text of one, or `None` to record only.
pub fn session_spec(
    loaded: &Loaded,
    instruments: Vec<Instrument>,
    strategy: Option<&str>,
) -> Result<SessionSpec, PrepareError> {
    let risk = match (loaded.risk_limits(&instruments), strategy) {
        // Who only records sends nothing: limits that do not fit an instrument let it send nothing.
        (Err(_), None) => loaded.risk_limits(&[])?.for_instruments(instruments.len()),
        (limits, _) => limits?,
    };
    let desk = |rules: Instrument| DeskSpec {
        paper: loaded.paper_spec(rules.venue),
        answers: Answers::Modelled,
        signals: loaded.signal_spec(),
        quoting: loaded.quoting_spec(),
        strategy: strategy.map(str::to_owned),
        rules,
    };
    Ok(SessionSpec {
        seed: loaded.settings.session.seed,
        desks: instruments.into_iter().map(desk).collect(),
        risk,
        equity_every: Nanos::from_ms(i64::from(loaded.settings.session.equity_ms)),
    })
}

/// The strategies a spec names.
pub fn strategies(spec: &SessionSpec) -> Result<Strategies, PrepareError> {
    let build = |desk: &DeskSpec| {
        let wrong = |error| PrepareError::Strategy { path: format!("strategy of {}", desk.rules.label()), error };
        desk.strategy.as_ref().map(|text| strategy::build(text, &desk.rules)).transpose().map_err(wrong)
    };
    spec.desks.iter().map(build).collect()
}

/// The connections to a venue for these of its instruments.
pub fn protocols(
    loaded: &Loaded,
    venue: VenueId,
    instruments: Vec<(InstrumentId, Instrument)>,
) -> Result<Vec<Box<dyn Protocol>>, PrepareError> {
    let exchange = venues::find(venue).ok_or(PrepareError::Venue(venue))?;
    let settings = loaded.venue(venue);
    // Silent for six times the stale limit is not quiet, it is dead.
    let patience = |stale_ms: u32| match stale_ms {
        0 => Patience::ENDLESS,
        ms => Patience {
            first_data: Nanos::from_ms(i64::from(settings.first_data_ms)),
            stale: Nanos::from_ms(i64::from(ms)),
            dead: Nanos::from_ms(6 * i64::from(ms)),
        },
    };
    let options = Options {
        depth: settings.depth_limit,
        depth_patience: patience(settings.stale_depth_ms),
        bbo_patience: patience(settings.stale_bbo_ms),
        // Trades may be rare on a healthy connection: nothing is asked for anew because they are.
        trade_patience: Patience { first_data: Nanos::ZERO, dead: Nanos::ZERO, ..patience(settings.stale_trade_ms) },
        rules_every: Nanos::from_ms(i64::from(settings.rules_poll_ms)),
        ..Options::default()
    };
    let most = exchange.manners().instruments_per_connection.max(1);
    Ok(instruments.chunks(most).flat_map(|some| exchange.connect(some.to_vec(), options)).collect())
}

/// How patient the connections to a venue are, and how it wants to be treated.
pub fn feed_settings(loaded: &Loaded, venue: VenueId) -> Result<feed::Settings, PrepareError> {
    let manners = venues::find(venue).ok_or(PrepareError::Venue(venue))?.manners();
    let settings = loaded.venue(venue);
    let duration = |time: Nanos| Duration::from_nanos(time.0.max(0).unsigned_abs());
    Ok(feed::Settings {
        backoff_base: Duration::from_millis(u64::from(settings.reconnect_base_ms)),
        backoff_cap: Duration::from_millis(u64::from(settings.reconnect_cap_ms)),
        weight_per_minute: settings.rest_weight_max_per_min,
        messages_per_second: manners.messages_per_second,
        rotate_after: duration(manners.rotate_after),
        connects_per_minute: manners.connects_per_minute,
        forbidden_wait: duration(manners.forbidden_wait),
        ..feed::Settings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_not_said_to_be_missing() {
        let here = tempfile::tempdir().unwrap();
        let latin = here.path().join("latin.toml");
        std::fs::write(&latin, b"kind = \"glft\" # \xe9t\xe9\n").unwrap();
        let said = strategy_text(latin.to_str().unwrap(), None).unwrap_err().to_string();
        assert!(said.contains("latin.toml: ") && said.contains("UTF-8"), "{said}");
        let said = strategy_text(here.path().to_str().unwrap(), None).unwrap_err().to_string();
        assert!(said.contains("directory") && !said.contains("no such file"), "{said}");
        // A folder of a built-in's name hides nothing.
        std::fs::create_dir(here.path().join("glft")).unwrap();
        assert!(strategy_text("glft", Some(here.path())).is_ok());
        let said = strategy_text("gltf", Some(here.path())).unwrap_err().to_string();
        assert!(said.contains("no such file"), "{said}");
    }

    #[test]
    fn a_policys_weights_are_read_from_beside_its_file() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("some.toml");
        std::fs::write(&path, "kind = \"policy\"\nweights = \"some.safetensors\"\n").unwrap();
        let name = path.to_str().unwrap();
        let missing = strategy_text(name, None).unwrap_err().to_string();
        assert!(missing.contains("some.safetensors") && missing.contains("lie beside its strategy file"), "{missing}");
        // Now they are there, and the next thing is missing.
        std::fs::write(here.path().join("some.safetensors"), b"no network").unwrap();
        let next = strategy_text(name, None).unwrap_err().to_string();
        assert!(next.ends_with("weights_blake3 is missing (digest of that file)"), "{next}");
    }
}

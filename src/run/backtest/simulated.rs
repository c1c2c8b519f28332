//! A simulated market instead of a recording: every strategy lives it from the same seed, and it reacts to each.
//!
//! Nothing can be read once for all strategies here, for each makes the market another. What they share is the seed: value,
//! arrivals and the crowd's intentions are the same in all of them, so differences between strategies are paired by seed.

use super::pass::{Length, SAMPLE_EVERY};
use super::{BacktestError, Run};
use crate::digest::{Digest, of_state};
use crate::engine::SessionSpec;
use crate::journal::{Ending, JournalError, Manifest, Options, Store, Writer};
use crate::market::Instrument;
use crate::metrics::{Account, Plan};
use crate::run::core::checkpoint;
use crate::run::prepare;
use crate::run::simulate::{BEGINS, Inside, Next};
use crate::sim::SimSpec;
use crate::units::Nanos;

/// Inputs between two words on the progress.
const STRIDE: u64 = 4096;

/// A market to live in.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// For people: what the market is called.
    pub name: String,
    /// What it is made of.
    pub market: SimSpec,
    /// What of it is traded.
    pub instruments: Vec<Instrument>,
    /// Of the market; the session has its own.
    pub seed: u64,
    /// Simulated time.
    pub lasting: Nanos,
    /// How often time itself is an input.
    pub tick_every: Nanos,
    /// Sessions are kept in the store, under names that begin so.
    pub keep: Option<Keep>,
}

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub struct Keep {
    /// What their names begin with.
    pub prefix: String,
    /// Inputs between two checkpoints.
    pub checkpoint_every: u64,
    /// Of the configuration, for their manifests.
    pub config_digest: Digest,
}

impl Keep {
    fn id(&self, strategy: &str, seed: u64) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        format!("{}-{strategy}-{seed}", self.prefix).chars().map(plain).collect()
    }
}

impl Simulated {
    /// For people.
    pub fn title(&self) -> String {
        format!("{} seed {}", self.name, self.seed)
    }

    /// Of everything that makes the market what it is.
    pub fn fingerprint(&self) -> Digest {
        let labels: Vec<String> = self.instruments.iter().map(|rules| rules.label()).collect();
        let market = toml::to_string(&self.market).expect("a specification is what TOML can say");
        of_state(&(market, labels, self.seed, self.lasting, self.tick_every))
    }

    /// Errors if its session is to be kept under a name that is taken.
    pub fn has_room(&self, strategy: &str, store: &Store) -> Result<(), BacktestError> {
        let Some(keep) = &self.keep else { return Ok(()) };
        let path = store.folder(&keep.id(strategy, self.seed));
        if path.exists() { Err(JournalError::SessionExists { path }.into()) } else { Ok(()) }
    }

    /// The life of one strategy in it.
    ///
    /// * `strategy` — what it is called
    /// * `progress` — told how many inputs there were, now and then
    pub fn live(
        &self,
        strategy: &str,
        spec: &SessionSpec,
        store: &Store,
        plan: &Plan,
        progress: &dyn Fn(u64),
    ) -> Result<(Length, Run), BacktestError> {
        let mut inside = Inside::new(&self.market, self.seed, spec, prepare::strategies(spec)?, self.tick_every)?;
        let mut account = Account::new(spec.desks.iter().map(|desk| desk.rules.clone()), SAMPLE_EVERY);
        let mut kept = self.keep.as_ref().map(|keep| Kept::begin(keep, self, strategy, &inside, store)).transpose()?;
        let mut told = 0;
        loop {
            match inside.step(self.lasting) {
                Next::Took => {}
                Next::Asked(id) => unreachable!("the chair of instrument {} is taken", id.0),
                Next::Reached => break,
            }
            account.step(inside.last(), inside.said());
            if let Some(kept) = &mut kept {
                kept.take(&inside)?;
            }
            if inside.last().seq - told == STRIDE {
                told += STRIDE;
                progress(STRIDE);
            }
        }
        if let Some(kept) = kept {
            kept.finish(&inside)?;
        }
        let inputs = inside.last().seq;
        progress(inputs - told);
        let run = Run {
            recording: String::new(),
            output_digest: inside.session().digest().digest().to_string(),
            is_as_recorded: None,
            summary: account.finish(plan),
        };
        Ok((Length { started: BEGINS, inputs, left_out: 0 }, run))
    }
}

/// A life being recorded.
struct Kept {
    writer: Writer,
    checkpoint_every: u64,
}

impl Kept {
    fn begin(
        keep: &Keep,
        of: &Simulated,
        strategy: &str,
        inside: &Inside,
        store: &Store,
    ) -> Result<Self, BacktestError> {
        let id = keep.id(strategy, of.seed);
        let mut manifest = Manifest::new(&id, inside.spec().clone(), BEGINS);
        manifest.config_digest = Some(keep.config_digest);
        manifest
            .notes
            .push(format!("lived in the simulated market {}, seed {}: its clock is not the wall's", of.name, of.seed));
        let writer = store.create(&id, manifest, Options::IMPORT)?;
        Ok(Self { writer, checkpoint_every: keep.checkpoint_every.max(1) })
    }

    fn take(&mut self, inside: &Inside) -> Result<(), BacktestError> {
        let seq = inside.last().seq;
        self.writer.input(inside.last())?;
        self.writer.outputs(seq, inside.said())?;
        if seq.is_multiple_of(self.checkpoint_every) {
            self.writer.checkpoint(checkpoint(inside.session(), inside.strategies()))?;
        }
        Ok(())
    }

    fn finish(self, inside: &Inside) -> Result<(), BacktestError> {
        let session = inside.session();
        let (output_digest, state_digest) = (session.digest().digest(), session.state_digest());
        self.writer.finish(Ending { at: inside.last().at, output_digest, state_digest })?;
        Ok(())
    }
}

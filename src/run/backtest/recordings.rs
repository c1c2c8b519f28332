//! What strategies are run over: recorded sessions, other programs' files without a session being made of them, or simulated
//! markets.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Mutex;

use super::BacktestError;
use super::simulated::Simulated;
use crate::digest::{Chain, Digest};
use crate::journal::import::{Together, Wish, together};
use crate::journal::{Manifest, SessionState, Store};
use crate::market::Instrument;
use crate::run::import::ImportFailed;
use crate::run::rerun::{FromFiles, Inputs};

/// As it was asked for.
#[derive(Clone, Debug)]
pub enum Source {
    /// A session: its name in the store, or its folder.
    Session(String),
    /// Files of other programs, one instrument each, played side by side.
    Files(Vec<Wish>),
    /// Not recorded at all: a market that reacts.
    Simulated(Box<Simulated>),
}

/// A recording that was found, and can be read as often as there are jobs.
pub struct Recording {
    /// For people.
    pub name: String,
    /// Of what it holds.
    pub fingerprint: Digest,
    /// Rules at the start.
    pub instruments: Vec<Instrument>,
    /// Inputs, if that is known before they are read.
    pub inputs: Option<u64>,
    from: From,
}

enum From {
    Session {
        store: Store,
        id: String,
        manifest: Box<Manifest>,
    },
    /// Surveyed once already; whoever reads first takes that.
    Files {
        wishes: Vec<Wish>,
        surveyed: Mutex<Option<Together>>,
    },
    Simulated(Box<Simulated>),
}

impl Recording {
    /// Finds it; files are read through once.
    pub fn find(store: &Store, source: &Source) -> Result<Self, BacktestError> {
        match source {
            Source::Session(named) => {
                let (store, id) = store.of_session(named)?;
                let mut manifest = Box::new(store.manifest(&id)?);
                // Nothing is touched where nothing is broken: a recording may lie where nobody can write.
                if manifest.state == SessionState::Running && store.recover(&id)?.is_some() {
                    *manifest = store.manifest(&id)?;
                }
                Ok(Self {
                    name: id.clone(),
                    fingerprint: fingerprint(&manifest),
                    instruments: manifest.spec.desks.iter().map(|desk| desk.rules.clone()).collect(),
                    inputs: Some(manifest.counts.inputs).filter(|n| *n > 0),
                    from: From::Session { store, id, manifest },
                })
            }
            Source::Files(wishes) => {
                let surveyed = together(wishes.clone()).map_err(ImportFailed::File)?;
                let files = || wishes.iter().flat_map(|wish| &wish.files);
                let name =
                    |file: &Path| file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
                let mut chain = Chain::default();
                for wish in wishes {
                    chain.extend(0, format!("{} {}:{}", wish.format.word(), wish.venue, wish.symbol).as_bytes());
                    wish.files.iter().try_for_each(|file| extend(&mut chain, file))?;
                }
                Ok(Self {
                    name: files().map(|file| name(file)).collect::<Vec<_>>().join("+"),
                    fingerprint: chain.digest(),
                    instruments: surveyed.instruments(),
                    inputs: None,
                    from: From::Files { wishes: wishes.clone(), surveyed: Mutex::new(Some(surveyed)) },
                })
            }
            Source::Simulated(market) => Ok(Self {
                name: market.title(),
                fingerprint: market.fingerprint(),
                instruments: market.instruments.clone(),
                inputs: None,
                from: From::Simulated(market.clone()),
            }),
        }
    }

    /// The market, if it is simulated and not recorded.
    pub fn simulated(&self) -> Option<&Simulated> {
        match &self.from {
            From::Simulated(market) => Some(market),
            From::Session { .. } | From::Files { .. } => None,
        }
    }

    /// What it was recorded with, if it is a session.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.from {
            From::Session { manifest, .. } => Some(manifest),
            From::Files { .. } | From::Simulated(_) => None,
        }
    }

    /// Its inputs, from the first. Panics of a simulated market: that has none but by who lives in it.
    pub fn open(&self) -> Result<Box<dyn Inputs>, BacktestError> {
        match &self.from {
            From::Session { store, id, .. } => Ok(Box::new(store.reader(id)?)),
            From::Files { wishes, surveyed } => {
                let ready = surveyed.lock().expect("nobody panics while taking it").take();
                let files = match ready {
                    Some(files) => files,
                    None => together(wishes.clone()).map_err(ImportFailed::File)?,
                };
                Ok(Box::new(FromFiles::new(files)))
            }
            From::Simulated(market) => unreachable!("{} is lived in, not read", market.title()),
        }
    }
}

/// Of what was recorded when and how much of it, not of the name: a copy elsewhere is the same recording.
fn fingerprint(manifest: &Manifest) -> Digest {
    let text = format!(
        "{:?} {} {:?} {:?} {:?}",
        manifest.instruments, manifest.started_ns, manifest.counts, manifest.output_digest, manifest.spec_digest
    );
    Digest::of(text.as_bytes())
}

fn extend(chain: &mut Chain, file: &Path) -> Result<(), BacktestError> {
    let failed = |source| BacktestError::File { file: file.to_owned(), source };
    let mut open = File::open(file).map_err(failed)?;
    let mut bytes = vec![0; 1 << 20];
    loop {
        match open.read(&mut bytes).map_err(failed)? {
            0 => return Ok(()),
            n => chain.extend(1, &bytes[..n]),
        }
    }
}

//! A recording under shocks: what if prices had jumped, the book had emptied, the feed had gone, only the wrong orders had
//! traded?
//!
//! Each side is the recorded session run again over changed inputs ([`inputs::Shocked`]), not a picture laid over it: the
//! strategy, the gate and the breakers react, and what they did is counted. The worst moment is read off the unshocked
//! session, and so is how large a shock is ([`survey`]). Nothing is verified but this: the unshocked side ends in the
//! recording's own digest.
//!
//! * **A gap** happens between two inputs: behind the moment a snapshot shows the same book so many ticks further, every later
//!   price of the instrument is moved as far. Other instruments stay: no correlation is assumed.
//! * **A wider spread** moves the bids down and the asks up by the same whole ticks, for a window of time: places in line
//!   stay what they were, and the book is never crossed.
//! * **A lost feed** is lost for the whole venue: nothing of it is heard, as a live session hears nothing; rules and status
//!   come on another way. The paper venue hears nothing either, so what still rests there is not filled meanwhile; the
//!   snapshot at the end fills what the market has passed. It shows the book as the recording had it by then.
//! * **The wrong side** is a paper venue that trades with us only where it makes a position larger.
//!
//! Reading order: [`Shock`] is what can be done, [`stress`] does it, [`watch`] says what is noted.

pub mod inputs;
pub mod mirror;
pub mod oracle;
pub mod shock;
pub mod survey;
pub mod watch;

use serde::{Serialize, Serializer};

use super::prepare;
use super::rerun::{Inputs, RerunError, on_paper};
use crate::digest::Digest;
use crate::engine::{Output, Session, SessionSpec, Stamped};
use crate::exchange::queue::QueueModel;
use crate::journal::{Reader, Store};
use crate::market::{Instrument, InstrumentId};
use crate::strategy::Strategies;
use crate::units::{LocalTime, Lots, Money, Nanos};
use inputs::{Effect, Plan, Shocked};
use survey::{Moment, Moves, Survey, When};
use watch::{Noted, Watch};

pub use shock::Shock;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which shocks, each a session of its own.
    pub shocks: Vec<Shock>,
    /// Where they strike.
    pub when: When,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// `unshocked`, or the shock as on the command line.
    pub name: String,
    /// What was done, in words.
    pub done: String,
    /// Last link of everything it said.
    #[serde(serialize_with = "in_hex")]
    pub output_digest: Digest,
    /// What became of it. Where the shock is the whole session, so is what is noted since.
    #[serde(flatten)]
    pub noted: Noted,
}

/// Where the shocks struck, in words of the outside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Struck {
    /// Behind this input.
    pub seq: u64,
    /// Nanoseconds since the epoch.
    pub at_ns: i64,
    /// Seconds into the session.
    pub elapsed_s: f64,
    /// Whose prices gap, whose spread widens, whose venue is lost.
    pub instrument: String,
    /// Signed, decimal.
    pub position: String,
    /// What it is in.
    pub unit: String,
    /// What it was worth, without its sign, account currency.
    pub worth: String,
}

/// All sides, the unshocked one first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stress {
    /// Always true.
    pub paper: bool,
    /// The recording.
    pub session: String,
    /// Of the recording, if it ended.
    #[serde(serialize_with = "in_hex_if_any")]
    pub recorded_digest: Option<Digest>,
    /// Whether the unshocked side ended in it.
    pub is_as_recorded: Option<bool>,
    /// Where.
    pub struck: Struck,
    /// How the instruments moved, unshocked.
    pub moves: Vec<Moves>,
    /// What became of them.
    pub sides: Vec<Side>,
}

fn in_hex<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

fn in_hex_if_any<S: Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
    digest.map(|digest| digest.to_string()).serialize(serializer)
}

/// What a stress is made of: inputs and strategies that can be had anew for every side.
pub struct Source<'a> {
    /// Of the session.
    pub spec: SessionSpec,
    /// Its inputs, from the first on.
    pub inputs: &'a (dyn Fn() -> Result<Box<dyn Inputs>, RerunError> + Sync),
    /// Its strategies, as they began.
    pub strategies: &'a (dyn Fn(&SessionSpec) -> Result<Strategies, RerunError> + Sync),
}

/// The recording named (or in this folder) under these shocks.
pub fn stress(store: &Store, named: &str, ask: &Ask) -> Result<Stress, RerunError> {
    let (store, id) = store.of_session(named)?;
    store.recover(&id)?;
    let manifest = store.manifest(&id)?;
    let mut spec = manifest.spec.clone();
    // A market that answered by itself knew nothing of the shocks.
    on_paper(&mut spec);
    let recorded = manifest.output_digest.filter(|_| spec == manifest.spec);
    let source = Source {
        spec,
        inputs: &|| Ok(Box::new(store.reader(&id)?)),
        strategies: &|spec| Ok(prepare::strategies(spec)?),
    };
    let mut found = source.under(ask)?;
    found.session = id;
    found.recorded_digest = manifest.output_digest;
    found.is_as_recorded = recorded.map(|digest| digest == found.sides[0].output_digest);
    Ok(found)
}

impl Source<'_> {
    /// Every side, each on a thread of its own.
    pub fn under(&self, ask: &Ask) -> Result<Stress, RerunError> {
        let (survey, session, started) = self.survey(ask.when)?;
        let started = started.unwrap_or_default();
        // Of a session that heard nothing there is nothing to shock.
        let moment = survey.moment().unwrap_or(Moment {
            seq: 0,
            at: started,
            instrument: InstrumentId(0),
            position: Lots::ZERO,
            twice_mid: 0,
            worth: Money::ZERO,
        });
        let ids = || (0..session.len()).map(|i| InstrumentId(i as u16));
        let moves: Vec<Moves> = ids().map(|id| survey.moves(&session, id)).collect();
        let rules = session.rules(moment.instrument);
        let struck = Struck {
            seq: moment.seq,
            at_ns: moment.at.0,
            elapsed_s: moment.at.since(started).seconds(),
            instrument: rules.label(),
            position: rules.qty_text(moment.position),
            unit: rules.quantity_asset().to_owned(),
            worth: moment.worth.to_string(),
        };
        let unshocked = Case {
            name: "unshocked".to_owned(),
            done: "as recorded".to_owned(),
            plan: Plan { effect: Effect::None, instrument: moment.instrument, after: moment.seq, until: None },
            queue: None,
            shock_seq: moment.seq,
        };
        let shocked = ask.shocks.iter().map(|shock| case(*shock, &moment, &moves[moment.instrument.index()], rules));
        let cases: Vec<Case> = std::iter::once(unshocked).chain(shocked).collect();
        let sides = std::thread::scope(|scope| {
            let threads: Vec<_> = cases.iter().map(|case| scope.spawn(|| self.run(case))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().expect("a side panics as its session does")
            };
            threads.into_iter().map(join).collect::<Result<Vec<Side>, RerunError>>()
        })?;
        let (recorded_digest, is_as_recorded) = (None, None);
        Ok(Stress { paper: true, session: String::new(), recorded_digest, is_as_recorded, struck, moves, sides })
    }

    fn survey(&self, when: When) -> Result<(Survey, Session, Option<LocalTime>), RerunError> {
        let mut survey = Survey::new(when, self.spec.desks.len());
        let session = self.over((self.inputs)()?.as_mut(), &self.spec, |session, _, _| survey.step(session))?;
        let started = session.started();
        Ok((survey, session, started))
    }

    fn run(&self, case: &Case) -> Result<Side, RerunError> {
        let mut spec = self.spec.clone();
        if let Some(queue) = case.queue {
            spec.desks.iter_mut().for_each(|desk| desk.paper.queue = queue);
        }
        let rules: Vec<_> = spec.desks.iter().map(|desk| desk.rules.clone()).collect();
        let mut recorded = (self.inputs)()?;
        let mut inputs = Shocked::new(recorded.as_mut(), &rules, case.plan);
        let mut watch = Watch::new(case.shock_seq);
        let session = self.over(&mut inputs, &spec, |session, input, said| watch.step(session, input, said))?;
        Ok(Side {
            name: case.name.clone(),
            done: case.done.clone(),
            output_digest: session.digest().digest(),
            noted: watch.finish(&session),
        })
    }

    fn over(
        &self,
        inputs: &mut dyn Inputs,
        spec: &SessionSpec,
        mut each: impl FnMut(&Session, &Stamped, &[Output]),
    ) -> Result<Session, RerunError> {
        let mut strategies = (self.strategies)(spec)?;
        let mut session = Session::new(spec);
        let (mut input, mut said) = (Reader::blank(), Vec::new());
        while inputs.next(&mut input)? {
            session.step(&input, &mut strategies, &mut said);
            each(&session, &input, &said);
            said.clear();
        }
        Ok(session)
    }
}

/// One session to be run.
struct Case {
    name: String,
    done: String,
    plan: Plan,
    queue: Option<QueueModel>,
    shock_seq: u64,
}

/// A shock at a moment, in ticks and times.
fn case(shock: Shock, moment: &Moment, moves: &Moves, rules: &Instrument) -> Case {
    let of = |effect, until| Plan { effect, instrument: moment.instrument, after: moment.seq, until };
    let price = |ticks: i64| format!("{ticks} ticks ({} {})", rules.price(2 * ticks), rules.quote);
    let (plan, done) = match shock {
        Shock::Gap { sigmas } => {
            // Something is left of a price, however far it falls.
            let most = moment.twice_mid / 2 * 99 / 100;
            let size = ((sigmas * moves.sigma_minute_ticks).round() as i64).min(most.max(0));
            let by = if moment.position.0 < 0 { size } else { -size };
            let word = if by > 0 { "rise" } else { "fall" };
            let effect = if by == 0 { Effect::None } else { Effect::Moved([by; 2]) };
            (of(effect, None), format!("prices {word} {}", price(size)))
        }
        Shock::Spread { times, window } => {
            let wider = ((times - 1.0) * moves.spread_ticks / 2.0).ceil().max(0.0) as i64;
            let effect = if wider == 0 { Effect::None } else { Effect::Moved([-wider, wider]) };
            let plan = match window {
                Some(window) => of(effect, Some(moment.at + window)),
                None => Plan { after: 0, ..of(effect, None) },
            };
            let when = if window.is_none() { ", in the whole session" } else { "" };
            (plan, format!("each side {} farther from the mid{when}", price(wider)))
        }
        Shock::FeedLoss { length } => (unheard(of, moment, length, true), format!("{} lost", rules.venue)),
        Shock::Silence { length } => (unheard(of, moment, length, false), format!("{} silent", rules.venue)),
        Shock::WrongSide => (
            Plan { after: 0, ..of(Effect::None, None) },
            "in the whole session only what makes a position larger trades".to_owned(),
        ),
    };
    let queue = (shock == Shock::WrongSide).then_some(QueueModel::WrongSide);
    Case { name: shock.to_string(), done, plan, queue, shock_seq: plan.after }
}

fn unheard(of: impl Fn(Effect, Option<LocalTime>) -> Plan, moment: &Moment, length: Nanos, is_told: bool) -> Plan {
    let effect = if length <= Nanos::ZERO { Effect::None } else { Effect::Unheard(is_told) };
    of(effect, Some(moment.at + length))
}

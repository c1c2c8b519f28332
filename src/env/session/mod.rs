//! The session itself as a world to learn in: the agent sits in the strategy's chair.
//!
//! Nothing is modelled here. The session is the one that trades live ([`crate::engine::Session`]): its book, features, risk gate, fills,
//! latencies and fees are what the agent meets, and a refusal in training is a refusal as live. Who looks and who acts is
//! [`Policy`], as live; only the answer in between comes from a learner. So a frozen policy in this chair and the same policy
//! as a strategy say the same session, to the digest.
//!
//! Two grounds ([`Ground`]): a simulated market that reacts ([`super::inside`]), or a recording with the paper exchange ([`Tape`]). An
//! episode begins when the first question is asked, which is when the estimators are warm, and lasts its time from there.
//!
//! Reading order: [`Terms`] is what a chair is made of, [`Chair::step`] what happens, `varied` what differs from episode to episode.

mod tape;
mod varied;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use tape::{Tape, Window};
pub use varied::{Range, Varied};

use super::Ended;
use super::inside::{BEGINS, Inside};
use super::reward::{Between, Reward, RewardSpec};
use crate::digest::Digest;
use crate::engine::{EquityMark, Session, SessionSpec};
use crate::market::{InstrumentId, Kind};
use crate::rng::Stream;
use crate::signal::observation::Schema;
use crate::sim::SimSpec;
use crate::strategy::policy::Turn;
use crate::strategy::{Decision, Policy, View};
use crate::units::{LocalTime, Nanos};

/// A chair waits so long for the first question.
const PATIENCE: Nanos = Nanos::from_s(3_600);

/// Draws of windows without a question before a recording counts as one that cannot be traded.
const ATTEMPTS: usize = 100;

/// Seeds of training are from here on; those below are for judging.
pub const FIRST_SEED: u64 = 1 << 32;

/// Where episodes take place.
#[derive(Clone, Debug)]
pub enum Ground {
    /// In a simulated market, which reacts; another seed every episode.
    Market {
        /// What it is made of.
        market: SimSpec,
        /// How often time itself is an input.
        tick_every: Nanos,
    },
    /// In windows of recordings.
    Tapes {
        /// The recordings.
        tapes: Vec<Tape>,
        /// Where episodes begin, and in which recording.
        windows: Vec<(usize, Window)>,
    },
}

/// What a chair is made of. One for all copies.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The session; its first instrument is traded, and whatever strategy it names is only a place for the agent.
    pub session: SessionSpec,
    /// Where.
    pub ground: Ground,
    /// Keys of a policy, without those of weights and observation.
    pub quotes: String,
    /// What is seen.
    pub schema: Schema,
    /// Numbers in an answer, 2 or 4.
    pub outputs: usize,
    /// How it is paid.
    pub reward: RewardSpec,
    /// Length of an episode; a window ends earlier if it is shorter.
    pub episode: Nanos,
    /// Whether what follows an episode is worth nothing; else it was only cut there.
    pub is_over: bool,
    /// What differs from episode to episode.
    pub varied: Varied,
}

/// Why nobody can sit there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChair {
    /// A key is wrong.
    #[error("{0}")]
    Wrong(String),
    /// Nothing is ever asked.
    #[error("no decision was wanted within {0} s of any episode: estimators stay cold, or the book is never in step")]
    Silent(i64),
}

/// A session that is being lived, up to where the agent is asked.
enum Life {
    Inside(Box<Inside>),
    Taped(Box<tape::Taped>),
}

impl Life {
    /// Until the agent is asked (`true`) or it is `to`.
    fn advance(&mut self, to: LocalTime) -> bool {
        match self {
            Life::Inside(inside) => inside.advance(to.since(BEGINS)).is_some(),
            Life::Taped(taped) => taped.advance(to),
        }
    }

    fn view(&self) -> View<'_> {
        self.session().view(InstrumentId(0))
    }

    fn answer(&mut self, decision: Decision) {
        match self {
            Life::Inside(inside) => drop(inside.answer(decision)),
            Life::Taped(taped) => taped.answer(decision),
        }
    }

    fn session(&self) -> &Session {
        match self {
            Life::Inside(inside) => inside.session(),
            Life::Taped(taped) => taped.session(),
        }
    }
}

/// What an episode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Episode {
    /// A seed of the market.
    Seed(u64),
    /// A window of a recording, by number.
    Window(usize),
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stepped {
    /// With its terms.
    pub reward: Reward,
    /// Whether the episode goes on.
    pub ended: Ended,
}

/// All that decides how a chair goes on. What was lived since the episode began is lived again: the session is
/// deterministic, and its actions are few.
#[derive(Serialize, Deserialize)]
struct Saved {
    draws: Stream,
    steps: u64,
    answers: Vec<f32>,
}

/// One session with the agent in the strategy's chair.
pub struct Chair {
    terms: Arc<Terms>,
    draws: Stream,
    /// Draws and steps when the episode began, and the answers since.
    began: (Stream, u64),
    answers: Vec<f32>,
    steps: u64,
    life: Life,
    hands: Policy,
    /// How far off a learner sees, as a share of how what is seen spreads, and what seeds that.
    noise: (f64, u64),
    ends: LocalTime,
    mark: (LocalTime, EquityMark),
    /// Quote currency per tick and order amount, and order amounts per lot.
    tick_worth: f64,
    order_lots: f64,
}

impl Chair {
    /// The `copy`-th of a crowd, before its first episode. Errors if the terms cannot be.
    pub fn new(terms: &Arc<Terms>, seed: u64, copy: usize) -> Result<Self, NoChair> {
        let draws = Stream::new(seed, &format!("env.session.{copy}"));
        Self::with(terms, draws)
    }

    fn with(terms: &Arc<Terms>, draws: Stream) -> Result<Self, NoChair> {
        let wrong = |e: &dyn std::fmt::Display| NoChair::Wrong(e.to_string());
        terms.reward.check().map_err(|e| wrong(&e))?;
        terms.varied.check().map_err(|e| wrong(&e))?;
        terms
            .session
            .desks
            .iter()
            .try_for_each(|desk| terms.varied.check_on(&desk.paper.latency))
            .map_err(|e| wrong(&e))?;
        if let Ground::Market { market, .. } = &terms.ground {
            terms.varied.check_in(market).map_err(|e| wrong(&e))?;
        }
        if terms.reward.terminal > 0.0 && !terms.is_over {
            let why = "reward.terminal is charged where an episode is over; here it is only cut: set over = true";
            return Err(NoChair::Wrong(why.to_owned()));
        }
        if terms.episode <= Nanos::ZERO {
            return Err(NoChair::Wrong("an episode takes time".to_owned()));
        }
        let rules = &terms.session.desks.first().ok_or_else(|| wrong(&"a session of no instruments"))?.rules;
        if rules.contract.kind == Kind::Inverse {
            return Err(NoChair::Wrong(format!("{}: inverse contracts are not trained on", rules.label())));
        }
        let hands = Policy::unled(&terms.quotes, rules, terms.schema.clone(), terms.outputs).map_err(|e| wrong(&e))?;
        let order_lots = hands.order_lots();
        let tick_worth = order_lots * rules.unit_value(2).to_f64();
        let first = match &terms.ground {
            Ground::Market { .. } => Episode::Seed(FIRST_SEED),
            Ground::Tapes { windows, .. } if windows.is_empty() => {
                return Err(NoChair::Wrong("no window of a recording is left to learn in".to_owned()));
            }
            Ground::Tapes { .. } => Episode::Window(0),
        };
        let life = live(terms, &terms.session, &varied::Drawn::default(), first)?;
        let mark = (LocalTime::default(), life.session().equity(InstrumentId(0)));
        let (began, ends) = ((draws.clone(), 0), LocalTime::default());
        let terms = Arc::clone(terms);
        let (noise, answers) = ((0.0, 0), Vec::new());
        Ok(Self { terms, draws, began, answers, steps: 0, life, hands, noise, ends, mark, tick_worth, order_lots })
    }

    /// Begins the episode drawn next, and lives on until the first question: what is seen then goes to `row`, `[inputs]`.
    pub fn begin(&mut self, row: &mut [f32]) -> Result<(), NoChair> {
        self.began = (self.draws.clone(), self.steps);
        self.answers.clear();
        for _ in 0..ATTEMPTS {
            let drawn = self.terms.varied.draw(self.steps, &mut self.draws);
            let episode = match &self.terms.ground {
                Ground::Market { .. } => Episode::Seed(self.draws.bits() | FIRST_SEED),
                Ground::Tapes { windows, .. } => Episode::Window(self.draws.below(windows.len() as u64) as usize),
            };
            if self.enter(episode, &drawn, row)? {
                return Ok(());
            }
        }
        Err(NoChair::Silent(self.terms.episode.0.max(PATIENCE.0) / 1_000_000_000))
    }

    /// Begins this episode, with what differs in it as wide as it gets and the same whoever asks. Errors if nothing is ever asked in it.
    pub fn begin_in(&mut self, episode: Episode, row: &mut [f32]) -> Result<(), NoChair> {
        let number = match episode {
            Episode::Seed(seed) => seed,
            Episode::Window(n) => n as u64,
        };
        let drawn = self.terms.varied.draw(u64::MAX, &mut Stream::new(number, "env.session.varied"));
        match self.enter(episode, &drawn, row)? {
            true => Ok(()),
            false => Err(NoChair::Silent(self.terms.episode.0.max(PATIENCE.0) / 1_000_000_000)),
        }
    }

    fn enter(&mut self, episode: Episode, drawn: &varied::Drawn, row: &mut [f32]) -> Result<bool, NoChair> {
        let terms = Arc::clone(&self.terms);
        let mut session = terms.session.clone();
        drawn.change_session(&mut session, matches!(terms.ground, Ground::Market { .. }));
        self.life = live(&terms, &session, drawn, episode)?;
        let rules = &session.desks[0].rules;
        self.hands = Policy::unled(&terms.quotes, rules, terms.schema.clone(), terms.outputs)
            .map_err(|e| NoChair::Wrong(e.to_string()))?;
        self.noise = (drawn.noise(), drawn.seed);
        let (now, last) = match (&terms.ground, episode) {
            (Ground::Tapes { windows, .. }, Episode::Window(n)) => (windows[n].1.from, windows[n].1.to),
            _ => (BEGINS, BEGINS + PATIENCE),
        };
        self.ends = last.max(now);
        let is_asked = self.live_on(row);
        let now = self.life.session().now();
        self.ends = match terms.ground {
            Ground::Market { .. } => now + terms.episode,
            Ground::Tapes { .. } => last.min(now + terms.episode),
        };
        self.mark = (now, self.life.session().equity(InstrumentId(0)));
        Ok(is_asked)
    }

    /// Until somebody has to answer (`true`), or the episode ends. What is seen goes to `row`.
    fn live_on(&mut self, row: &mut [f32]) -> bool {
        while self.life.advance(self.ends) {
            let view = self.life.view();
            let decision = match self.hands.turn(&view, row) {
                Ok(Turn::Asked) => return true,
                Ok(Turn::Stands) => self.hands.again(&view),
                Err(idle) => self.hands.wait(&view, idle),
            };
            self.life.answer(decision);
        }
        false
    }

    /// Answers, and lives on until the next question. `row` becomes what is seen next; where the episode ended that is the first
    /// sight of the next one, and `last` what was last seen of this one.
    ///
    /// * `said` — `[outputs]`, as [`Policy::act`] takes it
    ///
    /// Panics if a recording that could be traded in no longer can.
    pub fn step(&mut self, said: &[f32], row: &mut [f32], last: &mut [f32]) -> Stepped {
        let stepped = self.step_only(said, row);
        if stepped.ended != Ended::No {
            last.copy_from_slice(row);
            self.begin(row).expect("episodes begin as they did when the chair was made");
        }
        stepped
    }

    /// As [`Chair::step`], but where the episode ends nothing begins.
    pub fn step_only(&mut self, said: &[f32], row: &mut [f32]) -> Stepped {
        self.answers.extend_from_slice(said);
        self.steps += 1;
        let decision = self.hands.act(&self.life.view(), said, None);
        self.life.answer(decision);
        let is_asked = self.live_on(row);
        let goes_on = is_asked && self.life.session().now() < self.ends;
        if !is_asked && self.life.session().is_in_view(InstrumentId(0)) {
            // The end came between two questions: what the answer came to is seen all the same, or what is worth what would be judged
            // by what was there before it. Where nothing can be seen, what was seen last stands.
            let _ = self.hands.look(&self.life.view(), row);
        }
        let ended = match (goes_on, self.terms.is_over) {
            (true, _) => Ended::No,
            (false, true) => Ended::Over,
            (false, false) => Ended::Cut,
        };
        Stepped { reward: self.pay(ended == Ended::Over), ended }
    }

    /// What is seen now, normalised, as far off as this episode has it; the same however often it is asked.
    pub fn blur(&self, row: &mut [f32]) {
        let (share, seed) = self.noise;
        if share > 0.0 {
            let mut draws = Stream::new(seed, &format!("env.session.noise.{}", self.answers.len()));
            row.iter_mut().for_each(|x| *x += (share * draws.normal()) as f32);
        }
    }

    /// As one that has taken so many steps before its first episode: ranges are as wide as they are then.
    pub fn after(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// What came in since it was last paid.
    fn pay(&mut self, over: bool) -> Reward {
        let session = self.life.session();
        let (now, is) = (session.now(), session.equity(InstrumentId(0)));
        let (before, was) = std::mem::replace(&mut self.mark, (now, is));
        let spent = |mark: &EquityMark| mark.fees + mark.funding;
        let fees = spent(&is) - spent(&was);
        let mid = |mark: &EquityMark| 0.5 * mark.twice_mid as f64 * self.tick_worth;
        let held = |mark: &EquityMark| mark.position.0 as f64 / self.order_lots;
        let sigma = session.signals(InstrumentId(0)).volatility().ready().unwrap_or(0.0);
        self.terms.reward.of(&Between {
            cash: (is.cash - was.cash + fees).to_f64(),
            fees: fees.to_f64(),
            inventory: [held(&was), held(&is)],
            mid: [mid(&was), mid(&is)],
            sigma: sigma * self.tick_worth,
            seconds: now.since(before).seconds(),
            over,
        })
    }

    /// What the terms are.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The session as it is.
    pub fn session(&self) -> &Session {
        self.life.session()
    }

    /// Lives the rest of the time until `to` with `answer` in the chair, and says what its session then says of itself: outputs, to the
    /// last link.
    pub fn outlive(&mut self, to: LocalTime, row: &mut [f32], mut answer: impl FnMut(&[f32], &mut [f32])) -> Digest {
        self.ends = to;
        let mut said = vec![0.0; self.terms.outputs];
        loop {
            answer(row, &mut said);
            let decision = self.hands.act(&self.life.view(), &said, None);
            self.life.answer(decision);
            if !self.live_on(row) {
                return self.life.session().digest().digest();
            }
        }
    }

    /// Everything that decides how it goes on.
    pub fn save(&self) -> Vec<u8> {
        let (draws, steps) = self.began.clone();
        crate::digest::canonical_bytes(&Saved { draws, steps, answers: self.answers.clone() })
    }

    /// Back to a saved state: the episode is lived again up to there, and what was seen last goes to `row`. Errors if the bytes are not
    /// of such a chair.
    pub fn restore(&mut self, saved: &[u8], row: &mut [f32]) -> Result<(), String> {
        let saved: Saved = postcard::from_bytes(saved).map_err(|e| format!("not a saved session to learn in: {e}"))?;
        (self.draws, self.steps) = (saved.draws, saved.steps);
        self.begin(row).map_err(|e| e.to_string())?;
        for said in saved.answers.chunks_exact(self.terms.outputs) {
            if self.step_only(said, row).ended != Ended::No {
                return Err("a saved session ends before its answers do: its world is another".to_owned());
            }
        }
        Ok(())
    }
}

/// An episode's session before its first question.
fn live(terms: &Terms, session: &SessionSpec, drawn: &varied::Drawn, episode: Episode) -> Result<Life, NoChair> {
    match (&terms.ground, episode) {
        (Ground::Market { market, tick_every }, Episode::Seed(seed)) => {
            let market = drawn.change_market(market);
            let chairs = session.desks.iter().map(|_| None).collect();
            let inside = Inside::new(&market, seed, session, chairs, *tick_every);
            let mut inside = inside.map_err(|e| NoChair::Wrong(e.to_string()))?;
            inside.through(drawn.line());
            Ok(Life::Inside(Box::new(inside)))
        }
        (Ground::Tapes { tapes, windows }, Episode::Window(n)) => {
            let (tape, window) = windows.get(n).ok_or_else(|| NoChair::Wrong(format!("no window {n}")))?;
            Ok(Life::Taped(Box::new(tapes[*tape].open(window, session))))
        }
        (Ground::Market { .. }, Episode::Window(_)) | (Ground::Tapes { .. }, Episode::Seed(_)) => {
            Err(NoChair::Wrong("an episode of another ground".to_owned()))
        }
    }
}

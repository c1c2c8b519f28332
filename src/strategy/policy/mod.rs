//! Quotes of a learned policy: those of Guéant, Lehalle & Fernandez-Tapia, moved by a network within bounds.
//!
//! The network sees an observation ([`crate::signal::observation`]) as it did while it learnt, normalised by what was frozen then, and answers
//! with two numbers in [-1, 1]: how far to move the bid and the ask away from where GLFT would put them, in units of `reach`/k. With four outputs
//! the third says to leave what rests and the fourth to flatten. At zero it *is* GLFT, so a policy that learnt nothing does no harm. An
//! answer stands for `act_every_ms`; the quotes it moves are those of now. With `depths` there is nothing to move: an answer is how far
//! from the mid to quote, and the network has to know for itself what to do about inventory.
//!
//! **Training is the same code.** [`Policy::turn`] looks, [`Policy::act`] makes a decision of an answer; whoever gives the answer, a network here or
//! a learner in [`crate::env`](mod@crate::env), the rest is this file.
//!
//! **Where the weights are.** The TOML names a safetensors file beside it and the file's digest. Whoever reads the TOML puts the bytes into
//! it ([`with_weights`]), so a session's spec holds all of its policy and a recording replays alone, wherever the files went.
//!
//! **What it was trained on** may be in that file too ([`with_reference`]). Then what it meets is held against that
//! ([`crate::signal::drift`]), and while it is another market the policy is off and GLFT quotes.

mod file;
mod foreign;
mod watch;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::beliefs::{BeliefSettings, Beliefs};
use super::glft::closed_form;
use super::ladder::{Ladder, Memory, Target};
use super::mlp::{Layer, Mlp};
use super::settings::{Settings, StrategyError};
use super::{Decision, DriftLook, Idle, QUOTES_MAX, Quote, Strategy, View, Wanted, Why};
use crate::market::Instrument;
use crate::numeric;
use crate::rng::Stream;
use crate::signal::drift::{DriftGate, Tables};
use crate::signal::observation::{Observation, Own, Resting, Scale, Schema, Seen};
use crate::units::{LocalTime, Lots, Nanos, Side};

pub use file::{weights_digest, weights_wanted, with_reference, with_weights, without_reference};
pub use foreign::{Imported, from_stable_baselines3};
pub use watch::Columns;
use watch::Watch;

/// The strategy; settings in `strategies/README.md`.
#[derive(Clone, Debug)]
pub struct Policy {
    ladder: Ladder,
    beliefs: BeliefSettings,
    network: Mlp,
    observation: Observation,
    scale: Scale,
    meaning: Meaning,
    /// Beyond this output the network's third and fourth say hold and flatten.
    hold_above: f32,
    flatten_above: f32,
    /// Inventory, order amounts, at which everything is flattened whatever the network says.
    flatten_orders: f64,
    /// A quote that would move by no more than this stays, ticks.
    hold_ticks: i64,
    /// Standard deviations of actions round the network's, where the policy explores.
    noise: Option<[f64; 2]>,
    draws: Stream,
    /// The clock of [`Feature::TimeLeft`], if it counts down and starts again, seconds.
    horizon_s: Option<f64>,
    /// How long an answer stands before the network is asked again.
    act_every: Nanos,
    /// The last answer, and when it was given.
    standing: Option<(LocalTime, Answer)>,
    /// Whether answers go through tanh, as they did while it learnt.
    is_squashed: bool,
    work: Vec<f32>,
    row: Vec<f32>,
    said: Vec<f32>,
    closed: Option<(Beliefs, (f64, f64))>,
    /// What it meets, and whether that is what it was trained on.
    watch: Watch,
}

/// What is kept between decisions.
#[derive(Serialize, Deserialize)]
struct Saved {
    ladder: Vec<u8>,
    observation: Vec<u8>,
    draws: Stream,
    standing: Option<(LocalTime, Answer)>,
    gate: Option<DriftGate>,
}

/// What a policy asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    action: [f64; 2],
    hold: bool,
    flatten: bool,
}

/// What an answer is, in units of 1/k.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    /// How far a quote of GLFT is moved: 0 not at all, 1 by so much away from the mid.
    Residual(f64),
    /// How far from the mid to quote: -1 the first, 1 the second.
    Depths([f64; 2]),
}

impl Meaning {
    fn take(settings: &mut Settings) -> Result<Self, StrategyError> {
        let reach = settings.maybe_number("reach", 1e-6..=100.0, "in units of 1/k")?;
        let depths = settings.maybe_numbers("depths", 0.0..=1000.0, "two of them, rising, in units of 1/k")?;
        match (reach, depths.as_deref()) {
            (reach, None) => Ok(Meaning::Residual(reach.unwrap_or(2.0))),
            (None, Some([from, to])) if from < to => Ok(Meaning::Depths([*from, *to])),
            (None, Some(found)) => Err(StrategyError::Conflict(format!(
                "depths = {found:?}: two numbers in units of 1/k, the lesser first: where answers of -1 and 1 quote"
            ))),
            (Some(_), Some(_)) => Err(StrategyError::Conflict(
                "reach moves GLFT's quotes, depths are quotes themselves: a policy has one of them".to_owned(),
            )),
        }
    }
}

/// Whether a decision needs somebody's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is something new to see: [`Policy::act`] on it.
    Asked,
    /// The last answer stands: [`Policy::again`].
    Stands,
}

impl Policy {
    /// The name in `kind` and in exports.
    pub const NAME: &'static str = "policy";

    pub(super) fn take(mut settings: Settings, rules: Option<&Instrument>) -> Result<Self, StrategyError> {
        let (network, tables) = file::take_network(&mut settings)?;
        let (schema, scale) = file::take_observation(&mut settings)?;
        Self::of(settings, rules, network, (schema, scale), tables)
    }

    /// A policy itself, of the TOML of one with its weights in it; see [`super::build`].
    pub fn read(toml_text: &str, rules: &Instrument) -> Result<Self, StrategyError> {
        Self::take(Settings::parse(toml_text)?, Some(rules))
    }

    /// A policy without a network, whose answers somebody gives who learns: the same eyes, the same hands.
    ///
    /// * `toml_text` — the keys of a policy, without those of weights and observation
    /// * `outputs` — numbers in an answer, 2 or 4
    pub fn unled(toml_text: &str, rules: &Instrument, schema: Schema, outputs: usize) -> Result<Self, StrategyError> {
        let inputs = schema.features().len();
        let silent = Layer { inputs, weight: vec![0.0; inputs * outputs], bias: vec![0.0; outputs] };
        let network = Mlp::new(vec![silent]).map_err(|e| StrategyError::Conflict(e.to_string()))?;
        let scale = Scale { mean: vec![0.0; inputs], spread: vec![1.0; inputs] };
        Self::of(Settings::parse(toml_text)?, Some(rules), network, (schema, scale), None)
    }

    fn of(
        mut settings: Settings,
        rules: Option<&Instrument>,
        network: Mlp,
        (schema, scale): (Schema, Scale),
        tables: Option<Tables>,
    ) -> Result<Self, StrategyError> {
        settings.word("kind", Self::NAME, &[Self::NAME])?;
        let watch = Watch::take(&mut settings, &schema, tables)?;
        let mut ladder = Ladder::take(&mut settings)?;
        let beliefs = BeliefSettings::take(&mut settings)?;
        if network.inputs() != schema.features().len() || ![2, 4].contains(&network.outputs()) {
            let (inputs, outputs, features) = (network.inputs(), network.outputs(), schema.features().len());
            let why =
                format!("the network has {inputs} inputs for {features} features, and {outputs} outputs for 2 or 4");
            return Err(StrategyError::Conflict(why));
        }
        let meaning = Meaning::take(&mut settings)?;
        let hold_above = settings.number("hold_above", 0.0, -1e6..=1e6, "of the third output")? as f32;
        let flatten_above = settings.number("flatten_above", 0.0, -1e6..=1e6, "of the fourth output")? as f32;
        let flatten_orders =
            settings.maybe_number("flatten_orders", 1.0..=1e9, "order amounts")?.unwrap_or(f64::INFINITY);
        let hold_ticks = settings.count("hold_ticks", 0, 0..=1_000_000, "ticks")?;
        let horizon_s = settings.maybe_number("horizon_s", 0.001..=864_000.0, "seconds")?;
        let noise = settings.maybe_numbers("log_std", -20.0..=5.0, "ln of a standard deviation, two of them")?;
        let explore = settings.flag("explore", false)?;
        let seed = settings.count("explore_seed", 0, 0..=i64::MAX, "")?;
        let act_every = Nanos::from_ms(settings.count("act_every_ms", 0, 0..=3_600_000, "milliseconds")?);
        let is_squashed = settings.word("squash", "cut", &["cut", "tanh"])? == "tanh";
        settings.finish()?;
        let noise = match (noise.as_deref(), explore) {
            (Some([bid, ask]), true) => Some([numeric::exp(*bid), numeric::exp(*ask)]),
            (Some([_, _]) | None, false) => None,
            (Some(_), _) => {
                return Err(StrategyError::Conflict("log_std is two numbers, the bid's and the ask's".to_owned()));
            }
            (None, true) => {
                return Err(StrategyError::Missing { key: "log_std", meaning: "how far explore = true strays" });
            }
        };
        if let Some(rules) = rules {
            ladder.fit(rules)?;
        }
        let (work, row, said) = (network.work_len(), network.inputs(), network.outputs());
        Ok(Self {
            ladder,
            beliefs,
            work: vec![0.0; work],
            row: vec![0.0; row],
            said: vec![0.0; said],
            network,
            observation: Observation::new(schema),
            scale,
            meaning,
            hold_above,
            flatten_above,
            flatten_orders,
            hold_ticks,
            noise,
            draws: Stream::new(seed as u64, "strategy.policy"),
            horizon_s,
            act_every,
            standing: None,
            is_squashed,
            closed: None,
            watch,
        })
    }

    /// As [`Policy::read`], of no instrument: it can be asked, and not quote.
    pub fn unfitted(toml_text: &str) -> Result<Self, StrategyError> {
        Self::take(Settings::parse(toml_text)?, None)
    }

    /// What it met when it was last asked to decide: a row of [`Columns`]; nothing if the answer before stood, or it had no estimates
    /// to decide by. This is what a [`Reference`](crate::signal::drift::Reference) is made of.
    pub fn met(&self) -> Option<&[f32]> {
        self.watch.met()
    }

    /// What its network makes of an observation that is not normalised yet, as it counts: normalised, squashed if that is its way, cut.
    ///
    /// Panics if `observed` is not as long as what it sees.
    pub fn answer_to(&mut self, observed: &[f32]) -> &[f32] {
        self.row.copy_from_slice(observed);
        self.forward();
        self.said.iter_mut().take(2).for_each(|x| *x = x.clamp(-1.0, 1.0));
        &self.said
    }

    /// Numbers in what it sees.
    pub fn inputs(&self) -> usize {
        self.network.inputs()
    }

    /// Numbers in an answer.
    pub fn outputs(&self) -> usize {
        self.network.outputs()
    }

    /// Lots in one order amount: the unit of inventory.
    pub fn order_lots(&self) -> f64 {
        self.ladder.order_lots()
    }

    /// First half of a decision: looks, if it is time to, and writes what it sees into `[inputs]`, not normalised. An error is
    /// for [`Policy::wait`].
    pub fn turn(&mut self, view: &View<'_>, into: &mut [f32]) -> Result<Turn, Idle> {
        self.ladder.attend(view)?;
        if self.standing.is_some_and(|(at, _)| view.now.since(at) < self.act_every) {
            self.beliefs.now(view)?;
            return Ok(Turn::Stands);
        }
        self.look(view, into)?;
        Ok(Turn::Asked)
    }

    /// Writes what it sees into `[inputs]`, not normalised, whether or not it is time for an answer. An error, and nothing is written, while
    /// there is nothing to believe.
    pub fn look(&mut self, view: &View<'_>, into: &mut [f32]) -> Result<(), Idle> {
        let b = self.beliefs.now(view)?;
        let left = view.funding_in.map(|left| left.seconds());
        let seen = Seen {
            now: view.now,
            book: view.book,
            top: view.top,
            signals: view.signals,
            k: b.k,
            sigma: b.sigma,
            inventory: self.ladder.inventory(view),
            left_s: self.horizon_s.map(|horizon_s| horizon_s - view.elapsed.seconds() % horizon_s).or(left),
            latency: Some(view.latency),
        };
        self.observation.look(&seen, &own(view), into);
        Ok(())
    }

    /// Second half: what an answer to what was seen comes to. A number that is not finite quotes nothing.
    ///
    /// * `said` — `[outputs]`: the bid's and the ask's residual or depth, of four also hold and flatten
    /// * `logp` — how likely that was, of who explores
    pub fn act(&mut self, view: &View<'_>, said: &[f32], logp: Option<f64>) -> Decision {
        if said.iter().any(|x| !x.is_finite()) {
            return self.wait(view, Idle::NoFiniteQuote);
        }
        let says = |i: usize, above: f32| said.get(i).is_some_and(|x| *x > above);
        let action = [f64::from(said[0]), f64::from(said[1])];
        let (hold, flatten) = (says(2, self.hold_above), says(3, self.flatten_above));
        self.standing = Some((view.now, Answer { action, hold, flatten }));
        let mut decision = self.again(view);
        decision.why.logp = logp.filter(|_| !self.watch.is_tripped());
        decision
    }

    /// Second half where the last answer stands: the same numbers in the market of now.
    pub fn again(&mut self, view: &View<'_>) -> Decision {
        let Some((_, answer)) = self.standing else { return self.wait(view, Idle::NoFiniteQuote) };
        // While it is off GLFT decides, and nothing of what the network says counts.
        let is_on = !self.watch.is_tripped();
        let action = is_on.then_some(answer.action);
        let (target, why) = match self.aim(view, action) {
            Ok(found) => found,
            Err(idle) => return self.wait(view, idle),
        };
        let inventory = self.ladder.inventory(view);
        let flattens = inventory != 0.0 && (is_on && answer.flatten || inventory.abs() >= self.flatten_orders);
        let mut decision = self.ladder.decide(view, Ok((target, why)));
        decision.wanted = match decision.wanted {
            _ if flattens => Wanted::Flatten,
            Wanted::Quotes(_) if is_on && answer.hold => Wanted::Keep,
            Wanted::Quotes(quotes) if self.close_enough(view, &quotes) => Wanted::Keep,
            other => other,
        };
        decision
    }

    /// Second half where nothing can be seen.
    pub fn wait(&mut self, view: &View<'_>, idle: Idle) -> Decision {
        self.ladder.decide(view, Err(idle))
    }

    /// Where an action quotes; GLFT without one.
    fn aim(&mut self, view: &View<'_>, action: Option<[f64; 2]>) -> Result<(Target, Why), Idle> {
        let b = self.beliefs.now(view)?;
        let (half, skew) = match self.closed {
            Some((beliefs, terms)) if beliefs == b => terms,
            Some(_) | None => closed_form(b.gamma, b.sigma, b.a, b.k, 1.0),
        };
        self.closed = Some((b, (half, skew)));
        let mid = view.top.mid();
        let leant = mid - self.ladder.inventory(view) * skew;
        let (reservation, [bid, ask]) = match (self.meaning, action) {
            (_, None) => (leant, [half; 2]),
            (Meaning::Residual(reach), Some(action)) => {
                (leant, action.map(|x| half + reach / b.k * x.clamp(-1.0, 1.0)))
            }
            (Meaning::Depths([from, to]), Some(action)) => {
                (mid, action.map(|x| 0.5 * ((from + to) + (to - from) * x.clamp(-1.0, 1.0)) / b.k))
            }
        };
        let target = Target { reservation, bid_distance: Some(bid), ask_distance: Some(ask) };
        let gamma = b.gamma / self.ladder.order_lots();
        Ok((target, Why { sigma: b.sigma, a: b.a, k: b.k, gamma, action, ..Why::default() }))
    }

    /// Asks the network, and strays from its answer where the policy explores: how likely that was.
    fn ask(&mut self) -> Option<f64> {
        self.forward();
        let deviations = self.noise?;
        let mean = [f64::from(self.said[0]), f64::from(self.said[1])];
        for (i, x) in self.said.iter_mut().take(2).enumerate() {
            *x = (mean[i] + deviations[i] * self.draws.normal()) as f32;
        }
        Some(log_probability([0, 1].map(|i| f64::from(self.said[i])), mean, deviations))
    }

    /// Normalises the row and has the network answer to it.
    fn forward(&mut self) {
        self.scale.apply(&mut self.row);
        self.network.forward(&self.row, &mut self.work, &mut self.said);
        if self.is_squashed {
            self.said.iter_mut().for_each(|x| *x = numeric::tanh_f32(*x));
        }
    }

    /// Whether all that is wanted rests already, within `hold_ticks`.
    fn close_enough(&self, view: &View<'_>, wanted: &ArrayVec<Quote, QUOTES_MAX>) -> bool {
        let alive = || view.orders.iter().filter(|order| order.is_alive());
        // Best first on either side of the comparison, so that no order stands for two quotes.
        let near = |side: Side| {
            let mut resting: Vec<_> =
                alive().filter(|order| order.side == side).map(|order| (order.price, order.remaining)).collect();
            resting.sort_by_key(|(price, _)| -side.sign() * price.0);
            let wanted: Vec<_> = wanted.iter().filter(|quote| quote.side == side).collect();
            let mut pairs = resting.iter().zip(&wanted);
            resting.len() == wanted.len()
                && pairs.all(|((price, left), quote)| {
                    (*price - quote.price).abs().0 <= self.hold_ticks && *left == quote.qty
                })
        };
        self.hold_ticks > 0 && Side::BOTH.into_iter().all(near)
    }
}

impl Strategy for Policy {
    fn decide(&mut self, view: &View<'_>) -> Decision {
        self.watch.begin();
        let mut row = std::mem::take(&mut self.row);
        let turn = self.turn(view, &mut row);
        self.row = row;
        match turn {
            Ok(Turn::Asked) => {
                let logp = self.ask();
                if let (Ok(b), true) = (self.beliefs.now(view), self.said.iter().all(|x| x.is_finite())) {
                    self.watch.meet(view.now, &self.row, &b, [0, 1].map(|i| f64::from(self.said[i])));
                }
                let said = std::mem::take(&mut self.said);
                let decision = self.act(view, &said, logp);
                self.said = said;
                decision
            }
            Ok(Turn::Stands) => self.again(view),
            Err(idle) => self.wait(view, idle),
        }
    }

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn drift(&mut self) -> Option<DriftLook> {
        self.watch.look()
    }

    fn save(&self) -> Vec<u8> {
        let (ladder, observation) = (self.ladder.memory.save(), self.observation.save());
        let (draws, standing) = (self.draws.clone(), self.standing);
        crate::digest::canonical_bytes(&Saved { ladder, observation, draws, standing, gate: self.watch.save() })
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let saved: Saved = postcard::from_bytes(saved).map_err(|e| format!("not a saved policy: {e}"))?;
        self.ladder.memory = Memory::restore(&saved.ladder)?;
        self.observation.restore(&saved.observation)?;
        self.draws = saved.draws;
        self.standing = saved.standing;
        self.watch.restore(saved.gate)
    }
}

/// Our best orders that may still trade.
fn own(view: &View<'_>) -> Own {
    let best = |side: Side| {
        let mine = view.orders.iter().filter(|order| order.side == side && order.is_alive());
        mine.reduce(|best, order| if side.is_better(order.price, best.price) { order } else { best }).map(|order| {
            let ours = view.orders.iter().filter(|other| view.book_has_ours && other.joined_behind.is_some());
            let here = ours.filter(|other| other.side == side && other.price == order.price && other.is_alive());
            let shown = Lots(here.map(|other| other.remaining.0).sum());
            Resting { price: order.price, ahead: order.joined_behind, shown, since: order.sent }
        })
    };
    Own { bid: best(Side::Bid), ask: best(Side::Ask) }
}

/// Of two independent normal draws: `Σ -½·((x - μ)/s)² - ln s - ½·ln 2π`.
fn log_probability(drawn: [f64; 2], mean: [f64; 2], deviations: [f64; 2]) -> f64 {
    let one = |i: usize| {
        let off = (drawn[i] - mean[i]) / deviations[i];
        -0.5 * off * off - numeric::ln(deviations[i]) - 0.5 * numeric::ln(std::f64::consts::TAU)
    };
    one(0) + one(1)
}

//! Quotes of a learned policy: those of Guéant, Lehalle & Fernandez-Tapia, moved by a network within bounds.
//!
//! The network sees an observation ([`crate::signal::observation`]) as it did while it learnt, normalised by what was frozen then, and answers
//! with two numbers in [-1, 1]: how far to move the bid and the ask away from where GLFT would put them, in units of `reach`/k. With four outputs
//! the third says to leave what rests and the fourth to flatten. At zero it *is* GLFT, so a policy that learnt nothing does no harm.
//!
//! **Where the weights are.** The TOML names a safetensors file beside it and the file's digest. Whoever reads the TOML puts the bytes into
//! it ([`with_weights`]), so a session's spec holds all of its policy and a recording replays alone, wherever the files went.
//!
//! **What it was trained on** may be in that file too ([`with_reference`]). Then what it meets is held against that
//! ([`crate::signal::drift`]), and while it is another market the policy is off and GLFT quotes.

mod file;
mod watch;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::beliefs::{BeliefSettings, Beliefs};
use super::glft::closed_form;
use super::ladder::{Ladder, Memory, Target};
use super::mlp::Mlp;
use super::settings::{Settings, StrategyError};
use super::{Decision, DriftLook, Idle, QUOTES_MAX, Quote, Strategy, View, Wanted, Why};
use crate::market::Instrument;
use crate::numeric;
use crate::rng::Stream;
use crate::signal::drift::DriftGate;
use crate::signal::observation::{Observation, Own, Resting, Scale, Seen};
use crate::units::Side;

pub use file::{weights_digest, weights_wanted, with_reference, with_weights};
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
    /// How far an action of one moves a quote, in units of 1/k.
    reach: f64,
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
    gate: Option<DriftGate>,
}

/// What a policy asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    action: [f64; 2],
    logp: Option<f64>,
    hold: bool,
    flatten: bool,
}

impl Policy {
    /// The name in `kind` and in exports.
    pub const NAME: &'static str = "policy";

    pub(super) fn take(mut settings: Settings, rules: Option<&Instrument>) -> Result<Self, StrategyError> {
        let mut ladder = Ladder::take(&mut settings)?;
        let beliefs = BeliefSettings::take(&mut settings)?;
        let (network, tables) = file::take_network(&mut settings)?;
        let (schema, scale) = file::take_observation(&mut settings)?;
        let watch = Watch::take(&mut settings, &schema, tables)?;
        if network.inputs() != schema.features().len() || ![2, 4].contains(&network.outputs()) {
            let (inputs, outputs, features) = (network.inputs(), network.outputs(), schema.features().len());
            let why =
                format!("the network has {inputs} inputs for {features} features, and {outputs} outputs for 2 or 4");
            return Err(StrategyError::Conflict(why));
        }
        let reach = settings.number("reach", 2.0, 1e-6..=100.0, "in units of 1/k")?;
        let hold_above = settings.number("hold_above", 0.0, -1e6..=1e6, "of the third output")? as f32;
        let flatten_above = settings.number("flatten_above", 0.0, -1e6..=1e6, "of the fourth output")? as f32;
        let flatten_orders =
            settings.maybe_number("flatten_orders", 1.0..=1e9, "order amounts")?.unwrap_or(f64::INFINITY);
        let hold_ticks = settings.count("hold_ticks", 0, 0..=1_000_000, "ticks")?;
        let horizon_s = settings.maybe_number("horizon_s", 0.001..=864_000.0, "seconds")?;
        let noise = settings.maybe_numbers("log_std", -20.0..=5.0, "ln of a standard deviation, two of them")?;
        let explore = settings.flag("explore", false)?;
        let seed = settings.count("explore_seed", 0, 0..=i64::MAX, "")?;
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
            reach,
            hold_above,
            flatten_above,
            flatten_orders,
            hold_ticks,
            noise,
            draws: Stream::new(seed as u64, "strategy.policy"),
            horizon_s,
            closed: None,
            watch,
        })
    }

    /// A policy itself, of the TOML of one with its weights in it; see [`super::build`].
    pub fn read(toml_text: &str, rules: &Instrument) -> Result<Self, StrategyError> {
        let mut settings = Settings::parse(toml_text)?;
        settings.word("kind", "", &[Self::NAME])?;
        Self::take(settings, Some(rules))
    }

    /// What it met at the last decision it was asked for: a row of [`Columns`]; nothing if it had no estimates to decide by. This is
    /// what a [`Reference`](crate::signal::drift::Reference) is made of.
    pub fn met(&self) -> Option<&[f32]> {
        self.watch.met()
    }

    /// Looks, asks the network, and strays from it where the policy explores.
    fn ask(&mut self, view: &View<'_>, b: &Beliefs) -> Result<Answer, Idle> {
        let seen = Seen {
            now: view.now,
            book: view.book,
            top: view.top,
            signals: view.signals,
            k: b.k,
            sigma: b.sigma,
            inventory: self.ladder.inventory(view),
            left_s: self.horizon_s.map(|horizon_s| horizon_s - view.elapsed.seconds() % horizon_s),
            latency: None,
        };
        self.observation.look(&seen, &own(view), &mut self.row);
        self.scale.apply(&mut self.row);
        self.network.forward(&self.row, &mut self.work, &mut self.said);
        if self.said.iter().any(|x| !x.is_finite()) {
            return Err(Idle::NoFiniteQuote);
        }
        let mean = [f64::from(self.said[0]), f64::from(self.said[1])];
        let (action, logp) = match self.noise {
            Some(deviations) => {
                let strayed = [0, 1].map(|i| mean[i] + deviations[i] * self.draws.normal());
                (strayed, Some(log_probability(strayed, mean, deviations)))
            }
            None => (mean, None),
        };
        let inventory = seen.inventory;
        let says = |i: usize, above: f32| self.said.get(i).is_some_and(|x| *x > above);
        let flatten = inventory != 0.0 && (says(3, self.flatten_above) || self.is_overfull(view));
        Ok(Answer { action, logp, hold: says(2, self.hold_above), flatten })
    }

    fn answer(&mut self, view: &View<'_>) -> Result<(Target, Why, Answer), Idle> {
        self.watch.begin();
        self.ladder.attend(view)?;
        let b = self.beliefs.now(view)?;
        let mut answer = self.ask(view, &b)?;
        self.watch.meet(view.now, &self.row, &b, answer.action);
        let (half, skew) = match self.closed {
            Some((beliefs, terms)) if beliefs == b => terms,
            Some(_) | None => closed_form(b.gamma, b.sigma, b.a, b.k, 1.0),
        };
        self.closed = Some((b, (half, skew)));
        let gamma = b.gamma / self.ladder.order_lots();
        let mut why = Why { sigma: b.sigma, a: b.a, k: b.k, gamma, ..Why::default() };
        if self.watch.is_tripped() {
            // GLFT decides, and of what the network says nothing counts; a bound on inventory is no opinion of it.
            let flatten = answer.flatten && self.is_overfull(view);
            answer = Answer { action: [0.0; 2], logp: None, hold: false, flatten };
        } else {
            (why.action, why.logp) = (Some(answer.action), answer.logp);
        }
        let [bid, ask] = answer.action.map(|x| half + self.reach / b.k * x.clamp(-1.0, 1.0));
        let reservation = view.top.mid() - self.ladder.inventory(view) * skew;
        Ok((Target { reservation, bid_distance: Some(bid), ask_distance: Some(ask) }, why, answer))
    }

    fn is_overfull(&self, view: &View<'_>) -> bool {
        self.ladder.inventory(view).abs() >= self.flatten_orders
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
        let found = self.answer(view);
        let asked = found.as_ref().ok().map(|(_, _, answer)| *answer);
        let mut decision = self.ladder.decide(view, found.map(|(target, why, _)| (target, why)));
        if let Some(answer) = asked {
            decision.wanted = match decision.wanted {
                _ if answer.flatten => Wanted::Flatten,
                Wanted::Quotes(_) if answer.hold => Wanted::Keep,
                Wanted::Quotes(quotes) if self.close_enough(view, &quotes) => Wanted::Keep,
                other => other,
            };
        }
        decision
    }

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn drift(&mut self) -> Option<DriftLook> {
        self.watch.look()
    }

    fn save(&self) -> Vec<u8> {
        let (ladder, observation) = (self.ladder.memory.save(), self.observation.save());
        crate::digest::canonical_bytes(&Saved {
            ladder,
            observation,
            draws: self.draws.clone(),
            gate: self.watch.save(),
        })
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let saved: Saved = postcard::from_bytes(saved).map_err(|e| format!("not a saved policy: {e}"))?;
        self.ladder.memory = Memory::restore(&saved.ladder)?;
        self.observation.restore(&saved.observation)?;
        self.draws = saved.draws;
        self.watch.restore(saved.gate)
    }
}

/// Our best orders that may still trade.
fn own(view: &View<'_>) -> Own {
    let best = |side: Side| {
        let mine = view.orders.iter().filter(|order| order.side == side && order.is_alive());
        mine.reduce(|best, order| if side.is_better(order.price, best.price) { order } else { best })
            .map(|order| Resting { price: order.price, ahead: order.joined_behind, since: order.sent })
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

//! Many copies of a model world, stepped together.
//!
//! One list per quantity, sixteen neighbours at a time, no branch that depends on a copy: the compiler turns each little loop into
//! vector instructions. Single precision throughout. All copies take the same step of their episodes; where they are
//! [`spread`](Copies::spread), blocks of sixteen are at different steps, so that a short rollout sees all of the horizon.

use serde::{Deserialize, Serialize};

use super::Fills;
use super::draws::{LANES, Lanes};
use super::seat::{Belief, Knowledge, ModelError, Seat, Start, Timed, Worlds};
use crate::env::{Came, Ended, Environments};
use crate::numeric;
use crate::rng::Stream;

type Sixteen = [f32; LANES];

/// Where sixteen copies are.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Block {
    /// Steps taken in their episodes.
    step: u32,
    inventory: Sixteen,
    /// Of the drift: -1, 0 or 1.
    sign: Sixteen,
}

/// The worlds sixteen copies are in, and what is believed of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Own {
    /// Expected arrivals in a step at the mid, `A·dt`.
    arrivals: Sixteen,
    /// `-k`.
    decay: Sixteen,
    /// What rewards are multiplied by.
    scale: Sixteen,
    half: Sixteen,
    skew: Sixteen,
    reach: Sixteen,
    told: [Sixteen; 2],
}

/// Everything that decides what comes next.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    blocks: Vec<Block>,
    /// One per block, or a single one where there is one world.
    own: Vec<Own>,
    lanes: Lanes,
    worlds: Stream,
}

/// The numbers of a step that are the same for all.
#[derive(Clone, Copy, Debug)]
struct Rules {
    most: f32,
    running: f32,
    terminal: f32,
    impact: f32,
    drift: f32,
    /// Probability that a drift of one sign begins, that a drift ends, and that it turns into the other.
    begins: f32,
    ends: f32,
    turns: f32,
}

/// Copies of the world of a [`Seat`].
///
/// Observations are [`Seat::fields`]; an action is two numbers, the bid's and the ask's, see [`super::Quoting`]; rewards are price · lot
/// times [`super::Model::scale`] of the copy's own world. Episodes are over after [`super::Model::steps`].
#[derive(Clone, Debug)]
pub struct Copies {
    seat: Seat,
    copies: usize,
    spread: bool,
    len: usize,
    rules: Rules,
    timed: Timed,
    state: State,
}

impl Copies {
    /// `copies` of a world, drawing from the streams `env.model` and `env.model.worlds` of `seed`. Errors if the seat is none.
    pub fn new(seat: Seat, copies: usize, seed: u64) -> Result<Self, ModelError> {
        seat.check()?;
        if copies == 0 {
            return Err(ModelError::Number { key: "copies", found: 0.0, allowed: "at least 1" });
        }
        let model = seat.model;
        let chances = model.regimes.map_or([[0.0; 3]; 3], |regimes| regimes.transition(model.dt()));
        let rules = Rules {
            most: model.inventory_max as f32,
            running: (model.running * model.dt()) as f32,
            terminal: model.terminal as f32,
            impact: model.impact as f32,
            drift: model.regimes.map_or(0.0, |regimes| regimes.drift * model.dt()) as f32,
            begins: chances[1][0] as f32,
            ends: chances[0][1] as f32,
            turns: chances[0][2] as f32,
        };
        let blocks = copies.div_ceil(LANES);
        let own = if seat.worlds == Worlds::One && !matches!(seat.knowledge, Knowledge::Estimated { .. }) {
            1
        } else {
            blocks
        };
        let state = State {
            blocks: vec![Block { step: 0, inventory: [0.0; LANES], sign: [0.0; LANES] }; blocks],
            own: vec![Own::of(&seat); own],
            lanes: Lanes::new(&mut Stream::new(seed, "env.model")),
            worlds: Stream::new(seed, "env.model.worlds"),
        };
        Ok(Self { len: seat.fields().len(), timed: seat.timed(), seat, copies, spread: false, rules, state })
    }

    /// From the next reset on, blocks of sixteen are spread evenly over the horizon: their first episodes begin later.
    pub fn spread(mut self) -> Self {
        self.spread = true;
        self
    }

    /// What they are copies of.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The inventories, lots, copy by copy.
    pub fn inventories(&self) -> impl Iterator<Item = f32> {
        self.state.blocks.iter().flat_map(|block| block.inventory).take(self.copies)
    }

    /// What a copy's rewards are multiplied by in its present episode.
    pub fn scales(&self) -> impl Iterator<Item = f32> {
        let own = |b: usize| &self.state.own[if self.state.own.len() > 1 { b } else { 0 }];
        (0..self.state.blocks.len()).flat_map(move |b| own(b).scale).take(self.copies)
    }

    fn observe(&self, b: usize, into: &mut [f32]) {
        let block = &self.state.blocks[b];
        let own = &self.state.own[if self.state.own.len() > 1 { b } else { 0 }];
        match self.len {
            2 => see::<2>(&self.seat, block, own, into),
            3 => see::<3>(&self.seat, block, own, into),
            4 => see::<4>(&self.seat, block, own, into),
            5 => see::<5>(&self.seat, block, own, into),
            _ => see::<6>(&self.seat, block, own, into),
        }
    }

    fn begin(&mut self, b: usize) {
        let State { blocks, own, lanes, worlds } = &mut self.state;
        let block = &mut blocks[b];
        block.step = 0;
        block.inventory = [0.0; LANES];
        block.sign = [0.0; LANES];
        if self.seat.start == Start::Anytime {
            let (steps, u) = (self.seat.model.steps, worlds.uniform());
            block.step = (u * f64::from(steps)) as u32;
        }
        if self.seat.start != Start::Flat {
            let most = self.rules.most;
            block.inventory = lanes.uniform().map(|u| (u * (2.0 * most + 1.0)).floor().min(2.0 * most) - most);
            if self.seat.model.regimes.is_some() {
                block.sign = lanes.uniform().map(|u| (u * 3.0).floor().min(2.0) - 1.0);
            }
        }
        if own.len() > 1 || self.seat.worlds != Worlds::One {
            own[b].draw(&self.seat, worlds);
        }
    }

    fn advance(&mut self, b: usize, actions: &[f32; 2 * LANES], rewards: &mut Sixteen) {
        let drifts = self.seat.model.regimes.is_some();
        let State { blocks, own, lanes, .. } = &mut self.state;
        let own = &own[if own.len() > 1 { b } else { 0 }];
        let step = blocks[b].step as usize;
        let last = step + 1 == self.seat.model.steps as usize;
        let mut depths = [[0.0; LANES]; 2];
        match self.timed.table.get(step) {
            None => {
                own.quote([self.timed.half[step], self.timed.skew[step]], &blocks[b].inventory, actions, &mut depths)
            }
            Some(row) => own.quote_from(row, self.rules.most, &blocks[b].inventory, actions, &mut depths),
        }
        let block = &mut blocks[b];
        match (self.seat.model.fills, drifts) {
            (Fills::Literal, false) => block.fill::<false, false>(&self.rules, own, lanes, &depths, last, rewards),
            (Fills::Literal, true) => block.fill::<false, true>(&self.rules, own, lanes, &depths, last, rewards),
            (Fills::Poisson, false) => block.fill::<true, false>(&self.rules, own, lanes, &depths, last, rewards),
            (Fills::Poisson, true) => block.fill::<true, true>(&self.rules, own, lanes, &depths, last, rewards),
        }
    }
}

/// Observations of a block, `LEN` numbers each, as many as `into` holds.
#[inline]
fn see<const LEN: usize>(seat: &Seat, block: &Block, own: &Own, into: &mut [f32]) {
    for (i, into) in into.chunks_exact_mut(LEN).enumerate().take(LANES) {
        let told = [own.told[0][i], own.told[1][i]];
        seat.observe(block.step, block.inventory[i], block.sign[i], told, into);
    }
}

impl Own {
    fn of(seat: &Seat) -> Self {
        let mut own = Self {
            arrivals: [0.0; LANES],
            decay: [0.0; LANES],
            scale: [0.0; LANES],
            half: [0.0; LANES],
            skew: [0.0; LANES],
            reach: [0.0; LANES],
            told: [[0.0; LANES]; 2],
        };
        for i in 0..LANES {
            own.put(i, seat, (seat.model.a, seat.model.k), &seat.belief(seat.model.a, seat.model.k));
        }
        own
    }

    fn put(&mut self, i: usize, seat: &Seat, (a, k): (f64, f64), belief: &Belief) {
        self.arrivals[i] = (a * seat.model.dt()) as f32;
        self.decay[i] = -k as f32;
        self.scale[i] = seat.model.with(a, k).scale() as f32;
        (self.half[i], self.skew[i], self.reach[i]) = (belief.half, belief.skew, belief.reach);
        (self.told[0][i], self.told[1][i]) = (belief.told[0], belief.told[1]);
    }

    /// New worlds for sixteen episodes.
    #[cold]
    fn draw(&mut self, seat: &Seat, draws: &mut Stream) {
        for i in 0..LANES {
            let m = &seat.model;
            let (a, k) = match seat.worlds {
                Worlds::One => (m.a, m.k),
                Worlds::Between { a, k } => {
                    let mut between =
                        |[low, high]: [f64; 2]| low * numeric::exp(draws.uniform() * numeric::ln(high / low));
                    (m.a * between(a), m.k * between(k))
                }
            };
            let belief = match seat.knowledge {
                Knowledge::Hidden => seat.belief(m.a, m.k),
                Knowledge::Exact => seat.belief(a, k),
                Knowledge::Estimated { orders } => {
                    let deviation = 1.0 / numeric::sqrt(orders);
                    let mut guess = |x: f64| x * numeric::exp(deviation * draws.normal());
                    seat.belief(guess(a), guess(k))
                }
            };
            self.put(i, seat, (a, k), &belief);
        }
    }

    #[inline]
    fn quote(&self, centre: [f32; 2], inventory: &Sixteen, actions: &[f32; 2 * LANES], depths: &mut [Sixteen; 2]) {
        for i in 0..LANES {
            let (told, action) = ([0.0; 2], [actions[2 * i], actions[2 * i + 1]]);
            let belief = Belief { told, half: self.half[i], skew: self.skew[i], reach: self.reach[i] };
            [depths[0][i], depths[1][i]] = belief.depths(centre, inventory[i], action);
        }
    }

    #[inline]
    fn quote_from(
        &self,
        row: &[[f32; 2]],
        most: f32,
        inventory: &Sixteen,
        actions: &[f32; 2 * LANES],
        depths: &mut [Sixteen; 2],
    ) {
        for i in 0..LANES {
            let [bid, ask] = row[(inventory[i] + most) as usize];
            depths[0][i] = bid + self.reach[i] * actions[2 * i].clamp(-1.0, 1.0);
            depths[1][i] = ask + self.reach[i] * actions[2 * i + 1].clamp(-1.0, 1.0);
        }
    }
}

impl Block {
    /// One step: fills, what they pay, what holding costs, and the next drift.
    #[inline]
    fn fill<const POISSON: bool, const DRIFTS: bool>(
        &mut self,
        rules: &Rules,
        own: &Own,
        lanes: &mut Lanes,
        depths: &[Sixteen; 2],
        last: bool,
        rewards: &mut Sixteen,
    ) {
        let draws = [lanes.uniform(), lanes.uniform()];
        let terminal = if last { rules.terminal } else { 0.0 };
        for i in 0..LANES {
            let q = self.inventory[i];
            let chance = |depth: f32| {
                let x = own.arrivals[i] * numeric::exp_f32(own.decay[i] * depth);
                if POISSON { 1.0 - numeric::exp_f32(-x) } else { x }
            };
            let bought = f32::from(u8::from((draws[0][i] < chance(depths[0][i])) & (q < rules.most)));
            let sold = f32::from(u8::from((draws[1][i] < chance(depths[1][i])) & (q > -rules.most)));
            let after = q + (bought - sold);
            let earned = bought * depths[0][i] + sold * depths[1][i];
            let held = rules.drift * self.sign[i] - rules.impact * (bought - sold) - (rules.running + terminal) * after;
            rewards[i] = own.scale[i] * (earned + held * after);
            self.inventory[i] = after;
        }
        if DRIFTS {
            let draws = lanes.uniform();
            for (sign, u) in self.sign.iter_mut().zip(draws) {
                let holds = |is: bool| f32::from(u8::from(is));
                // From none: down below `begins`, up from 1 - `begins`. From a drift: none below `ends`, the other from 1 - `turns`.
                let begun = holds(u >= 1.0 - rules.begins) - holds(u < rules.begins);
                let kept = *sign * (1.0 - holds(u < rules.ends) - 2.0 * holds(u >= 1.0 - rules.turns));
                *sign = kept + (1.0 - *sign * *sign) * begun;
            }
        }
        self.step += 1;
    }
}

impl Environments for Copies {
    fn copies(&self) -> usize {
        self.copies
    }

    fn observation_len(&self) -> usize {
        self.len
    }

    fn action_len(&self) -> usize {
        2
    }

    fn reset(&mut self, observations: &mut [f32]) {
        assert_eq!(observations.len(), self.copies * self.len, "a row of observations per copy");
        let blocks = self.state.blocks.len();
        for (b, into) in observations.chunks_mut(LANES * self.len).enumerate() {
            self.begin(b);
            if self.spread {
                self.state.blocks[b].step = (b as u64 * u64::from(self.seat.model.steps) / blocks as u64) as u32;
            }
            self.observe(b, into);
        }
    }

    fn step(&mut self, actions: &[f32], came: Came<'_>) {
        assert_eq!(actions.len(), self.copies * 2, "two numbers per copy");
        assert_eq!(came.observations.len(), self.copies * self.len, "a row of observations per copy");
        assert_eq!(came.finals.len(), self.copies * self.len, "a row of last observations per copy");
        assert!(
            came.rewards.len() == self.copies && came.ended.len() == self.copies,
            "a reward and an ending per copy"
        );
        for b in 0..self.state.blocks.len() {
            let (from, to) = (b * LANES, self.copies.min((b + 1) * LANES));
            let mut rewards = [0.0; LANES];
            match actions[2 * from..2 * to].try_into() {
                Ok(actions) => self.advance(b, actions, &mut rewards),
                Err(_) => {
                    let mut padded = [0.0; 2 * LANES];
                    padded[..2 * (to - from)].copy_from_slice(&actions[2 * from..2 * to]);
                    self.advance(b, &padded, &mut rewards);
                }
            }
            came.rewards[from..to].copy_from_slice(&rewards[..to - from]);
            let over = self.state.blocks[b].step == self.seat.model.steps;
            came.ended[from..to].fill(if over { Ended::Over } else { Ended::No });
            if over {
                self.observe(b, &mut came.finals[from * self.len..to * self.len]);
                self.begin(b);
            }
            self.observe(b, &mut came.observations[from * self.len..to * self.len]);
        }
    }

    fn save(&self) -> Vec<u8> {
        crate::digest::canonical_bytes(&self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let state: State = postcard::from_bytes(saved)
            .map_err(|e| format!("{} bytes are no state of model worlds: {e}", saved.len()))?;
        let (blocks, own) = (self.state.blocks.len(), self.state.own.len());
        if state.blocks.len() != blocks || state.own.len() != own {
            let found = (state.blocks.len(), state.own.len());
            return Err(format!("a state of {found:?} blocks and worlds in copies of {:?}", (blocks, own)));
        }
        self.state = state;
        Ok(())
    }
}

//! Many sessions to learn in side by side, stepped on all cores.
//!
//! Each chair has random streams of its own and knows of no other, so what comes of a step does not depend on how many threads take it. What
//! is seen is normalised by running mean and spread, which are put together in the order of the chairs, and frozen after so many
//! looks: from then on the world a learner sees stands still, and the policy it leaves takes that scale along.

use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::env::session::{Chair, NoChair, Stepped, Terms};
use crate::env::{Came, Ended, Environments};
use crate::signal::observation::{Moments, Scale};

/// Chairs that are stepped together.
pub struct Crowd {
    chairs: Vec<Chair>,
    threads: usize,
    inputs: usize,
    outputs: usize,
    moments: Moments,
    scale: Scale,
    /// Looks after which the scale is frozen.
    looks: u64,
    /// `[copies][inputs]`, as seen and not normalised: of now, and of the last moment of episodes that ended.
    rows: Vec<f32>,
    lasts: Vec<f32>,
    stepped: Vec<Stepped>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    moments: Moments,
    scale: Scale,
    chairs: Vec<Vec<u8>>,
}

impl Crowd {
    /// `copies` chairs of these terms, their streams drawn from `seed`.
    ///
    /// * `looks` — observations after which their mean and spread stand
    /// * `threads` — at most; changes nothing but the time it takes
    pub fn new(terms: &Arc<Terms>, copies: usize, seed: u64, looks: u64, threads: usize) -> Result<Self, NoChair> {
        if copies == 0 {
            return Err(NoChair::Wrong("copies must be at least 1".to_owned()));
        }
        let chairs = (0..copies).map(|copy| Chair::new(terms, seed, copy)).collect::<Result<Vec<_>, _>>()?;
        let (inputs, outputs) = (terms.schema.features().len(), terms.outputs);
        let mut crowd = Self {
            chairs,
            threads: threads.max(1),
            inputs,
            outputs,
            moments: Moments::new(inputs),
            scale: Moments::new(inputs).freeze(),
            looks,
            rows: vec![0.0; copies * inputs],
            lasts: vec![0.0; copies * inputs],
            stepped: vec![Stepped::default(); copies],
        };
        crowd.begin()?;
        Ok(crowd)
    }

    /// What observations go through.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// Observations so far.
    pub fn looks(&self) -> u64 {
        self.moments.count()
    }

    fn begin(&mut self) -> Result<(), NoChair> {
        let found = self.each(|chair, row, _, _| chair.begin(row));
        found.into_iter().collect()
    }

    /// Does something with every chair, its row and last row, on all threads; results in the order of chairs.
    fn each<T: Send>(&mut self, what: impl Fn(&mut Chair, &mut [f32], &mut [f32], usize) -> T + Sync) -> Vec<T> {
        let Self { chairs, rows, lasts, inputs, threads, .. } = self;
        let inputs = *inputs;
        let share = chairs.len().div_ceil(*threads);
        let parts = chairs.chunks_mut(share).zip(rows.chunks_mut(share * inputs)).zip(lasts.chunks_mut(share * inputs));
        let work = |n: usize, ((chairs, rows), lasts): ((&mut [Chair], &mut [f32]), &mut [f32])| {
            let rows = rows.chunks_exact_mut(inputs).zip(lasts.chunks_exact_mut(inputs));
            let each = chairs.iter_mut().zip(rows).enumerate();
            each.map(|(i, (chair, (row, last)))| what(chair, row, last, n * share + i)).collect::<Vec<T>>()
        };
        thread::scope(|scope| {
            let mut parts = parts.enumerate();
            // The first part is this thread's own.
            let own = parts.next();
            let others: Vec<_> = parts
                .map(|(n, part)| {
                    scope.spawn({
                        let work = &work;
                        move || work(n, part)
                    })
                })
                .collect();
            let mut all = own.map_or_else(Vec::new, |(n, part)| work(n, part));
            for other in others {
                all.extend(other.join().expect("a session does not panic"));
            }
            all
        })
    }

    /// Normalises what is seen, having learnt from it while that goes on.
    fn show(&mut self, into: &mut [f32]) {
        if self.moments.count() < self.looks {
            self.rows.chunks_exact(self.inputs).for_each(|row| self.moments.add(row));
            self.scale = self.moments.freeze();
        }
        into.copy_from_slice(&self.rows);
        for (row, chair) in into.chunks_exact_mut(self.inputs).zip(&self.chairs) {
            self.scale.apply(row);
            chair.blur(row);
        }
    }
}

impl Environments for Crowd {
    fn copies(&self) -> usize {
        self.chairs.len()
    }

    fn observation_len(&self) -> usize {
        self.inputs
    }

    fn action_len(&self) -> usize {
        self.outputs
    }

    fn reset(&mut self, observations: &mut [f32]) {
        self.begin().expect("episodes begin as they did when the crowd was made");
        self.show(observations);
    }

    fn step(&mut self, actions: &[f32], came: Came<'_>) {
        let outputs = self.outputs;
        self.stepped = self.each(|chair, row, last, n| chair.step(&actions[n * outputs..(n + 1) * outputs], row, last));
        self.show(came.observations);
        let finals = came.finals.chunks_exact_mut(self.inputs).zip(self.lasts.chunks_exact(self.inputs));
        let each = self.stepped.iter().zip(came.rewards).zip(came.ended).zip(finals);
        for (((stepped, reward), ended), (final_row, last)) in each {
            *reward = stepped.reward.total as f32;
            *ended = stepped.ended;
            if stepped.ended != Ended::No {
                final_row.copy_from_slice(last);
                self.scale.apply(final_row);
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        let chairs = self.chairs.iter().map(Chair::save).collect();
        crate::digest::canonical_bytes(&Kept { moments: self.moments.clone(), scale: self.scale.clone(), chairs })
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        let saved: Kept = postcard::from_bytes(saved).map_err(|e| format!("not a saved crowd: {e}"))?;
        if saved.chairs.len() != self.chairs.len() {
            return Err(format!("saved of {} copies, these are {}", saved.chairs.len(), self.chairs.len()));
        }
        saved.scale.check(self.inputs)?;
        (self.moments, self.scale) = (saved.moments, saved.scale);
        let chairs = saved.chairs;
        self.each(|chair, row, _, n| chair.restore(&chairs[n], row)).into_iter().collect()
    }
}

//! Either kind of world, as a learner takes it.

use crate::env::model::Copies;
use crate::env::{Came, Environments};
use crate::run::crowd::Crowd;
use crate::signal::observation::Scale;

/// Where a learner learns.
pub(super) enum Arena {
    /// Closed-form worlds.
    Exact(Box<Copies>),
    /// Sessions.
    Sessions(Box<Crowd>),
}

impl Arena {
    /// What observations go through, where that is learnt.
    pub fn scale(&self) -> Option<&Scale> {
        match self {
            Arena::Exact(_) => None,
            Arena::Sessions(crowd) => Some(crowd.scale()),
        }
    }

    fn inner(&self) -> &dyn Environments {
        match self {
            Arena::Exact(copies) => &**copies,
            Arena::Sessions(crowd) => &**crowd,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Environments {
        match self {
            Arena::Exact(copies) => &mut **copies,
            Arena::Sessions(crowd) => &mut **crowd,
        }
    }
}

impl Environments for Arena {
    fn copies(&self) -> usize {
        self.inner().copies()
    }

    fn observation_len(&self) -> usize {
        self.inner().observation_len()
    }

    fn action_len(&self) -> usize {
        self.inner().action_len()
    }

    fn reset(&mut self, observations: &mut [f32]) {
        self.inner_mut().reset(observations);
    }

    fn step(&mut self, actions: &[f32], came: Came<'_>) {
        self.inner_mut().step(actions, came);
    }

    fn save(&self) -> Vec<u8> {
        self.inner().save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        self.inner_mut().restore(saved)
    }
}

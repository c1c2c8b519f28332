//! Named random streams.
//!
//! Every consumer of randomness owns a stream named after it (`"paper.latency"`, `"sim.flow"`); the stream's seed
//! is `blake3(seed ‖ name)`, so a new consumer never shifts the draws of the others. The generator is ChaCha8,
//! which is portable and whose position serialises into checkpoints.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::numeric;

/// One named stream of draws.
#[derive(Clone, Debug)]
pub struct Stream {
    seed: [u8; 32],
    generator: ChaCha8Rng,
}

impl Stream {
    /// The stream `name` of `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(name.as_bytes());
        Self::from_seed(*hasher.finalize().as_bytes(), 0)
    }

    /// The stream `name` of this stream's seed: of its name, not of its draws.
    pub fn branch(&self, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed);
        hasher.update(name.as_bytes());
        Self::from_seed(*hasher.finalize().as_bytes(), 0)
    }

    fn from_seed(seed: [u8; 32], position: u128) -> Self {
        let mut generator = ChaCha8Rng::from_seed(seed);
        generator.set_word_pos(position);
        Self { seed, generator }
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform on [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform on `0..n` without bias worth measuring (multiply-shift on 64 bits). Panics if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a draw needs at least one outcome");
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Exponential with the given mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * numeric::ln(1.0 - self.uniform())
    }

    /// Standard normal (Box–Muller, one of the pair; stateless on purpose).
    pub fn normal(&mut self) -> f64 {
        let radius = numeric::sqrt(-2.0 * numeric::ln(1.0 - self.uniform()));
        radius * numeric::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Poisson with the given mean, by counting exponential arrivals; for means up to a few hundred.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let mut count = 0;
        let mut elapsed = self.exponential(1.0);
        while elapsed < mean {
            count += 1;
            elapsed += self.exponential(1.0);
        }
        count
    }
}

/// Seed and position; resuming continues the very same draws.
impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.seed, self.generator.get_word_pos()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seed, position) = <([u8; 32], u128)>::deserialize(deserializer)?;
        Ok(Self::from_seed(seed, position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_repeatable_and_resumable() {
        let draws = |name| {
            let mut s = Stream::new(7, name);
            (0..5).map(|_| s.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draws("a"), draws("a"));
        assert_ne!(draws("a"), draws("b"));
        let branch = |of: &Stream, name| of.branch(name).bits();
        let (fresh, mut used) = (Stream::new(7, "a"), Stream::new(7, "a"));
        used.bits();
        assert_eq!(branch(&fresh, "x"), branch(&used, "x"));
        assert_ne!(branch(&fresh, "x"), branch(&fresh, "y"));
        let mut s = Stream::new(7, "a");
        s.bits();
        s.normal();
        let saved = crate::digest::canonical_bytes(&s);
        let mut resumed: Stream = postcard::from_bytes(&saved).unwrap();
        assert_eq!(s.bits(), resumed.bits());
    }

    #[test]
    fn draws_have_the_moments_they_claim() {
        // n = 200 000: the standard error of a unit-variance mean is 0.0022; five of them are allowed.
        let mut s = Stream::new(1, "moments");
        let n = 200_000;
        let mean = |f: &mut dyn FnMut() -> f64| (0..n).map(|_| f()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || s.uniform()) - 0.5).abs() < 0.0033);
        assert!((mean(&mut || s.exponential(2.0)) - 2.0).abs() < 0.023);
        assert!(mean(&mut || s.normal()).abs() < 0.012);
        let square = mean(&mut || {
            let z = s.normal();
            z * z
        });
        assert!((square - 1.0).abs() < 0.016);
        assert!((mean(&mut || s.poisson(3.0) as f64) - 3.0).abs() < 0.02);
        assert!((mean(&mut || s.below(10) as f64) - 4.5).abs() < 0.033);
    }
}

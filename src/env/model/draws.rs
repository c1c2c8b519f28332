//! Uniform draws, sixteen at a time.
//!
//! [`crate::rng::Stream`] draws 64 bits with ChaCha8, one number after the other; a world needs two numbers a step and spends
//! 10 ns on everything else. So here sixteen small generators run side by side, with nothing but additions, shifts and
//! exclusive ors, which a compiler does four or sixteen at once. Each is *sfc32* (Chris Doty-Humphrey, PractRand 0.95, "Small
//! Fast Counting"): 96 bits of chaos and a counter of 32, so no cycle is shorter than 2³² draws. Their seeds are draws of a named
//! stream, so they are as named and repeatable as any other; what is drawn here is for worlds to learn in, never for a session.

use serde::{Deserialize, Serialize};

use crate::rng::Stream;

/// How many draws come at once.
pub const LANES: usize = 16;

/// Sixteen generators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lanes {
    a: [u32; LANES],
    b: [u32; LANES],
    c: [u32; LANES],
    counter: [u32; LANES],
}

impl Lanes {
    /// Sixteen generators seeded by a stream, warmed up as their author does.
    pub fn new(stream: &mut Stream) -> Self {
        let mut words = || std::array::from_fn(|_| (stream.bits() >> 32) as u32);
        let mut lanes = Self { a: words(), b: words(), c: words(), counter: [1; LANES] };
        for _ in 0..12 {
            lanes.bits();
        }
        lanes
    }

    /// 32 uniform bits of each.
    #[inline]
    pub fn bits(&mut self) -> [u32; LANES] {
        let mut out = [0; LANES];
        for (i, out) in out.iter_mut().enumerate() {
            let drawn = self.a[i].wrapping_add(self.b[i]).wrapping_add(self.counter[i]);
            self.counter[i] = self.counter[i].wrapping_add(1);
            self.a[i] = self.b[i] ^ (self.b[i] >> 9);
            self.b[i] = self.c[i].wrapping_add(self.c[i] << 3);
            self.c[i] = self.c[i].rotate_left(21).wrapping_add(drawn);
            *out = drawn;
        }
        out
    }

    /// Uniform on [0, 1), 24 bits, of each.
    #[inline]
    pub fn uniform(&mut self) -> [f32; LANES] {
        self.bits().map(|bits| (bits >> 8) as i32 as f32 * (1.0 / (1u32 << 24) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_resume_and_differ_from_lane_to_lane() {
        let fresh = || Lanes::new(&mut Stream::new(3, "lanes"));
        let (mut one, mut other) = (fresh(), fresh());
        assert_eq!(one.bits(), other.bits());
        let saved = crate::digest::canonical_bytes(&one);
        let mut resumed: Lanes = postcard::from_bytes(&saved).unwrap();
        assert_eq!(one.bits(), resumed.bits());
        let mut drawn = one.bits().to_vec();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), LANES);
    }

    #[test]
    fn one_step_by_hand() {
        // a = 1, b = 2⁹, c = 1, counter 5: drawn 1 + 512 + 5 = 518; a = 512 ^ 1 = 513; b = 1 + 8 = 9; c = 2²¹ + 518.
        let mut lanes = Lanes { a: [1; LANES], b: [512; LANES], c: [1; LANES], counter: [5; LANES] };
        assert_eq!(lanes.bits(), [518; LANES]);
        assert_eq!((lanes.a[0], lanes.b[0], lanes.c[0], lanes.counter[0]), (513, 9, 2_097_152 + 518, 6));
    }

    #[test]
    fn uniform_draws_fill_the_interval_evenly_and_do_not_remember() {
        // 1.6 million draws in 16 bins: χ² with 15 degrees is below 44.3 but once in 10,000 seeds; the correlation of
        // neighbours, of lanes and of draws, is 0 ± 0.0008, four of which are allowed.
        let mut lanes = Lanes::new(&mut Stream::new(5, "lanes"));
        let (mut bins, mut along, mut across) = ([0u32; 16], 0.0, 0.0);
        let mut before = lanes.uniform();
        let rounds = 100_000;
        for _ in 0..rounds {
            let now = lanes.uniform();
            for i in 0..LANES {
                assert!((0.0..1.0).contains(&now[i]));
                bins[(now[i] * 16.0) as usize] += 1;
                along += (f64::from(now[i]) - 0.5) * (f64::from(before[i]) - 0.5) * 12.0;
                across += (f64::from(now[i]) - 0.5) * (f64::from(now[(i + 1) % LANES]) - 0.5) * 12.0;
            }
            before = now;
        }
        let n = f64::from(rounds) * LANES as f64;
        let chi: f64 = bins.iter().map(|b| f64::from(*b) * f64::from(*b) / (n / 16.0)).sum::<f64>() - n;
        assert!(chi < 44.3, "χ² {chi}");
        assert!((along / n).abs() < 0.0032 && (across / n).abs() < 0.0032, "{} {}", along / n, across / n);
    }
}

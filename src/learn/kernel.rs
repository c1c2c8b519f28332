//! Arithmetic over long rows of single-precision numbers, on the widest vectors the machine has.
//!
//! Training a network of a few dozen neurons is matrix products, tanh and one pass of the optimiser; tensor libraries
//! spend more on starting such small operations than on doing them. The products here keep six rows by four vectors of
//! the answer in registers and add up over the inner index, so each number of the right-hand matrix that is fetched
//! meets six of the left (Goto & van de Geijn, *Anatomy of high-performance matrix multiplication*, ACM Transactions on
//! Mathematical Software 34 (2008)). The rest are plain loops, compiled once per instruction set.
//!
//! A build runs everywhere: [`Vectors::best`] asks the processor once. With fused multiply-add a sum rounds
//! differently, so training is bit-identical on one kind of machine, not on all; what is trained runs in
//! [`strategy::mlp`](crate::strategy::mlp), which is. Everything unsafe of this crate is in this file: loads and stores
//! of vectors, inside slices whose lengths were asserted, and calls of functions whose instructions were asked for.

#![expect(unsafe_code, reason = "vector loads, and calls into code for instructions that were detected")]

use crate::numeric;
use crate::rng::Stream;

/// How many numbers rows are padded to: the widest vector.
pub const PAD: usize = 16;

/// `n`, or the next longer length a row may have.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(PAD)
}

/// Which instructions the loops run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// Sixteen numbers at once, fused.
    Avx512,
    /// Eight at once, fused.
    Avx2,
    /// What every machine has.
    Plain,
}

impl Vectors {
    /// The widest of this machine.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }

    /// All that this machine can run, widest first.
    pub fn all() -> Vec<Self> {
        let best = Self::best();
        let every = [Self::Avx512, Self::Avx2, Self::Plain];
        every[every.iter().position(|v| *v == best).expect("one of the three")..].to_vec()
    }
}

/// One vector: what a product needs of it. `load` and `store` touch `LEN` numbers.
trait Lanes: Copy {
    const LEN: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `a·b + c`.
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self;
}

#[derive(Clone, Copy)]
struct Plain8([f32; 8]);

impl Lanes for Plain8 {
    const LEN: usize = 8;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has eight numbers there.
        Self(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has room for eight numbers there.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| a.0[i] * b.0[i] + c.0[i]))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;

    macro_rules! lanes {
        ($name:ident, $len:literal, $vector:ty, $splat:ident, $load:ident, $store:ident, $fma:ident) => {
            #[derive(Clone, Copy)]
            pub(super) struct $name($vector);

            // SAFETY of each: only reached from a function compiled for these instructions; pointers as `Lanes` says.
            impl Lanes for $name {
                const LEN: usize = $len;
                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    Self(unsafe { $splat(x) })
                }
                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn fma(a: Self, b: Self, c: Self) -> Self {
                    Self(unsafe { $fma(a.0, b.0, c.0) })
                }
            }
        };
    }
    lanes!(Zmm, 16, __m512, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps);
    lanes!(Ymm, 8, __m256, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
}

/// The left-hand matrix of a product: element `(m, k)` is `values[m·row + k·column]`, so it can lie either way.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// How far apart rows are.
    pub row: usize,
    /// How far apart columns are.
    pub column: usize,
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Nothing.
    Zero,
    /// What stands there already.
    Kept,
    /// The same row everywhere, `[n]`.
    Row(&'a [f32]),
}

/// `into[m][n] = start + Σ_k left(m, k) · right[k][n]`.
///
/// * `right`: `[inner][columns]` · `into`: `[rows][columns]` · `columns` is a multiple of [`PAD`]
///
/// Panics if a length does not reach.
pub fn product(v: Vectors, left: Left<'_>, right: &[f32], into: &mut [f32], columns: usize, start: Start<'_>) {
    assert!(columns > 0 && columns.is_multiple_of(PAD), "{columns} columns are not padded");
    assert!(right.len().is_multiple_of(columns) && into.len().is_multiple_of(columns), "matrices of {columns} columns");
    let (rows, inner) = (into.len() / columns, right.len() / columns);
    if rows == 0 {
        return;
    }
    let reach = (rows - 1) * left.row + inner.saturating_sub(1) * left.column;
    assert!(inner == 0 || reach < left.values.len(), "the left matrix ends before {rows} x {inner}");
    if let Start::Row(row) = start {
        assert_eq!(row.len(), columns, "the row to start from");
    }
    let job = Job { left, right, into: into.as_mut_ptr(), rows, inner, columns, start };
    // SAFETY: lengths were asserted; the instructions are there, or `v` would be another.
    match v {
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { product_512(&job) },
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { product_2(&job) },
        _ => unsafe { job.columns_of::<Plain8, 2>(0, columns) },
    }
}

struct Job<'a> {
    left: Left<'a>,
    right: &'a [f32],
    into: *mut f32,
    rows: usize,
    inner: usize,
    columns: usize,
    start: Start<'a>,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn product_512(job: &Job<'_>) {
    let (four, two) = (job.columns / 64 * 64, job.columns / 32 * 32);
    // SAFETY: `product` asserted the lengths.
    unsafe {
        job.columns_of::<x86::Zmm, 4>(0, four);
        job.columns_of::<x86::Zmm, 2>(four, two);
        job.columns_of::<x86::Zmm, 1>(two, job.columns);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn product_2(job: &Job<'_>) {
    // SAFETY: `product` asserted the lengths.
    unsafe { job.columns_of::<x86::Ymm, 2>(0, job.columns) }
}

impl Job<'_> {
    /// Columns `from..to`, `N` vectors wide at a time.
    #[inline(always)]
    unsafe fn columns_of<L: Lanes, const N: usize>(&self, from: usize, to: usize) {
        for column in (from..to).step_by(N * L::LEN) {
            let mut row = 0;
            // SAFETY: rows and columns are inside the matrices.
            unsafe {
                while row + 6 <= self.rows {
                    self.tile::<L, 6, N>(row, column);
                    row += 6;
                }
                match self.rows - row {
                    0 => {}
                    1 => self.tile::<L, 1, N>(row, column),
                    2 => self.tile::<L, 2, N>(row, column),
                    3 => self.tile::<L, 3, N>(row, column),
                    4 => self.tile::<L, 4, N>(row, column),
                    _ => self.tile::<L, 5, N>(row, column),
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<L: Lanes, const M: usize, const N: usize>(&self, row: usize, column: usize) {
        // SAFETY: `M` rows from `row` and `N` vectors from `column` are inside, as `product` asserted.
        unsafe {
            let into = self.into.add(row * self.columns + column);
            let mut sums = [[L::splat(0.0); N]; M];
            match self.start {
                Start::Zero => {}
                Start::Kept => {
                    for (m, sums) in sums.iter_mut().enumerate() {
                        for (n, sum) in sums.iter_mut().enumerate() {
                            *sum = L::load(into.add(m * self.columns + n * L::LEN));
                        }
                    }
                }
                Start::Row(first) => {
                    for sums in &mut sums {
                        for (n, sum) in sums.iter_mut().enumerate() {
                            *sum = L::load(first.as_ptr().add(column + n * L::LEN));
                        }
                    }
                }
            }
            let mut left = self.left.values.as_ptr().add(row * self.left.row);
            let mut right = self.right.as_ptr().add(column);
            for k in 0..self.inner {
                let mut these = [L::splat(0.0); N];
                for (n, this) in these.iter_mut().enumerate() {
                    *this = L::load(right.add(n * L::LEN));
                }
                for (m, sums) in sums.iter_mut().enumerate() {
                    let x = L::splat(*left.add(m * self.left.row));
                    for (sum, this) in sums.iter_mut().zip(these) {
                        *sum = L::fma(x, this, *sum);
                    }
                }
                if k + 1 < self.inner {
                    left = left.add(self.left.column);
                    right = right.add(self.columns);
                }
            }
            for (m, sums) in sums.iter().enumerate() {
                for (n, sum) in sums.iter().enumerate() {
                    sum.store(into.add(m * self.columns + n * L::LEN));
                }
            }
        }
    }
}

/// A function over slices, compiled once per instruction set and called on the one asked for.
macro_rules! on_vectors {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        pub fn $name(v: Vectors, $($arg: $kind),*) {
            #[inline(always)]
            fn body($($arg: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn on_512($($arg: $kind),*) {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn on_2($($arg: $kind),*) {
                body($($arg),*)
            }
            match v {
                // SAFETY: `Vectors` names only what this machine has.
                #[cfg(target_arch = "x86_64")]
                Vectors::Avx512 => unsafe { on_512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                Vectors::Avx2 => unsafe { on_2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    };
}

on_vectors! {
    /// Tanh of every number, in place.
    pub fn tanh(values: &mut [f32]) {
        for x in values {
            *x = numeric::tanh_f32(*x);
        }
    }
}

on_vectors! {
    /// What a slope behind a tanh is before it: `slope · (1 - y²)`, where `y` is what the tanh answered.
    pub fn tanh_back(slopes: &mut [f32], answers: &[f32]) {
        for (d, y) in slopes.iter_mut().zip(answers) {
            *d *= 1.0 - y * y;
        }
    }
}

on_vectors! {
    /// The number or zero, whichever is greater, in place.
    pub fn relu(values: &mut [f32]) {
        for x in values {
            *x = if *x > 0.0 { *x } else { 0.0 };
        }
    }
}

on_vectors! {
    /// What a slope behind a [`relu`] is before it.
    pub fn relu_back(slopes: &mut [f32], answers: &[f32]) {
        for (d, y) in slopes.iter_mut().zip(answers) {
            *d = if *y > 0.0 { *d } else { 0.0 };
        }
    }
}

on_vectors! {
    /// Adds the rows of `[rows][sums.len()]` up, onto `sums`.
    pub fn add_rows(rows: &[f32], sums: &mut [f32]) {
        let columns = sums.len();
        for (block, sums) in sums.chunks_mut(64).enumerate() {
            let mut kept = [0f32; 64];
            kept[..sums.len()].copy_from_slice(sums);
            let (first, len) = (64 * block, sums.len());
            if len == 64 {
                for row in rows.chunks_exact(columns) {
                    let row: &[f32; 64] = row[first..first + 64].try_into().expect("64 of them");
                    for (sum, x) in kept.iter_mut().zip(row) {
                        *sum += x;
                    }
                }
            } else {
                for row in rows.chunks_exact(columns) {
                    for (sum, x) in kept.iter_mut().zip(&row[first..first + len]) {
                        *sum += x;
                    }
                }
            }
            sums.copy_from_slice(&kept[..len]);
        }
    }
}

on_vectors! {
    /// `answers[r][o] = bias[o] + rows[r] · weights[o]`, for few outputs: `rows` is `[r][inner]`, `weights` `[o][inner]`,
    /// `answers` `[r][outputs]`; `inner` is a multiple of [`PAD`].
    pub fn dots(rows: &[f32], inner: usize, weights: &[f32], bias: &[f32], answers: &mut [f32]) {
        let outputs = bias.len();
        for (row, answers) in rows.chunks_exact(inner).zip(answers.chunks_exact_mut(outputs)) {
            for ((answer, weights), bias) in answers.iter_mut().zip(weights.chunks_exact(inner)).zip(bias) {
                let mut sums = [0f32; PAD];
                for (xs, ws) in row.as_chunks::<PAD>().0.iter().zip(weights.as_chunks::<PAD>().0) {
                    for ((sum, x), w) in sums.iter_mut().zip(xs).zip(ws) {
                        *sum += x * w;
                    }
                }
                for half in [8, 4, 2, 1] {
                    let (low, high) = sums.split_at_mut(half);
                    low.iter_mut().zip(high).for_each(|(a, b)| *a += *b);
                }
                *answer = bias + sums[0];
            }
        }
    }
}

on_vectors! {
    /// The other way of `from`, `[rows][columns]`: into `to`, `[columns][room]`, of which the first `rows` are written.
    pub fn transpose(from: &[f32], columns: usize, to: &mut [f32], room: usize) {
        let rows = from.len() / columns;
        for first in (0..rows).step_by(PAD) {
            for column in 0..columns {
                let to = &mut to[column * room..][..rows];
                for row in first..rows.min(first + PAD) {
                    to[row] = from[row * columns + column];
                }
            }
        }
    }
}

/// The constants of one step of [`adam`].
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Decay of the mean of slopes.
    pub beta_1: f32,
    /// Decay of the mean of their squares.
    pub beta_2: f32,
    /// Learning rate over `1 - beta_1^t`.
    pub rate: f32,
    /// One over `1 - beta_2^t`.
    pub correction: f32,
    /// Keeps the divisor off zero.
    pub epsilon: f32,
}

on_vectors! {
    /// One step of Adam (Kingma & Ba, *Adam: a method for stochastic optimization*, ICLR 2015, algorithm 1).
    pub fn adam(by: AdamStep, slopes: &[f32], weights: &mut [f32], means: &mut [f32], squares: &mut [f32]) {
        for (((g, w), m), s) in slopes.iter().zip(weights).zip(means).zip(squares) {
            *m += (1.0 - by.beta_1) * (g - *m);
            *s += (1.0 - by.beta_2) * (g * g - *s);
            *w -= by.rate * *m / ((*s * by.correction).sqrt() + by.epsilon);
        }
    }
}

on_vectors! {
    /// Moves `followers` towards `leaders` by the share `tau` of what is between them.
    pub fn follow(tau: f32, leaders: &[f32], followers: &mut [f32]) {
        for (f, l) in followers.iter_mut().zip(leaders) {
            *f += tau * (l - *f);
        }
    }
}

on_vectors! {
    /// Standard normals from uniform bits, two from each 64: Box & Muller, *A note on the generation of random normal deviates*,
    /// Annals of Mathematical Statistics 29 (1958). With 24 bits a radius ends at 5.8. `bits`: half as many as `into`, rounded up.
    pub fn normals(bits: &[u64], into: &mut [f32]) {
        const STEP: f32 = 1.0 / 16_777_216.0;
        let half = bits.len();
        let (sines, cosines) = into.split_at_mut(half);
        for ((n, bits), sine) in bits.iter().enumerate().zip(sines) {
            let (low, high) = (*bits as u32 >> 8, (*bits >> 40) as u32);
            let radius = (-2.0 * numeric::ln_f32((low + 1) as i32 as f32 * STEP)).sqrt();
            let turns = high as i32 as f32 * STEP;
            *sine = radius * numeric::sin_turns_f32(turns);
            if let Some(cosine) = cosines.get_mut(n) {
                *cosine = radius * numeric::sin_turns_f32(turns - 0.75);
            }
        }
    }
}

/// Fills `into` with standard normals drawn from `stream`; `bits` is room to work in.
pub fn fill_normal(v: Vectors, stream: &mut Stream, bits: &mut Vec<u64>, into: &mut [f32]) {
    bits.clear();
    bits.extend((0..into.len().div_ceil(2)).map(|_| stream.bits()));
    normals(v, bits, into);
}

/// Actions of a squashed normal, number by number, and what their slopes need.
#[derive(Clone, Debug, Default)]
pub struct Squashed {
    /// Means before the squash, what was answered for the deviation, standard normals.
    pub means: Vec<f32>,
    /// As above.
    pub raw: Vec<f32>,
    /// As above.
    pub draws: Vec<f32>,
    /// `tanh u` with `u = mean + shift`.
    pub actions: Vec<f32>,
    /// `ln π` of this number alone.
    pub log_probs: Vec<f32>,
    /// `u - mean`: the deviation times the draw.
    pub shifts: Vec<f32>,
    /// How the log deviation changes with `raw`.
    pub bends: Vec<f32>,
}

/// Bounds of log deviations: their middle and half their distance.
const LOG_DEVIATION: (f32, f32) = (-1.5, 3.5);
const LN_ROOT_TAU: f32 = 0.918_938_5;

on_vectors! {
    /// From means, raw deviations and draws to the rest. The log deviation is bent between -5 and 2 by tanh; a density behind tanh
    /// is divided by `1 - tanh²u`, whose logarithm is `2·(ln 2 - |u| - ln(1 + e^(-2|u|)))`, also where tanh rounds to one.
    pub fn squash(all: &mut Squashed) {
        let n = all.means.len();
        let (means, raw, draws) = (&all.means[..n], &all.raw[..n], &all.draws[..n]);
        let (actions, log_probs) = (&mut all.actions[..n], &mut all.log_probs[..n]);
        let (shifts, bends) = (&mut all.shifts[..n], &mut all.bends[..n]);
        for i in 0..n {
            let bent = numeric::tanh_f32(raw[i]);
            let log_deviation = LOG_DEVIATION.0 + LOG_DEVIATION.1 * bent;
            let shift = numeric::exp_f32(log_deviation) * draws[i];
            let u = means[i] + shift;
            let far = u.abs();
            let slope = 2.0 * (std::f32::consts::LN_2 - far - numeric::ln_f32(1.0 + numeric::exp_f32(-2.0 * far)));
            actions[i] = numeric::tanh_f32(u);
            log_probs[i] = -(0.5 * draws[i] * draws[i] + log_deviation + LN_ROOT_TAU + slope);
            shifts[i] = shift;
            bends[i] = LOG_DEVIATION.1 * (1.0 - bent * bent);
        }
    }
}

/// Shortens a row to a length of `most`; a shorter one stays as it is.
pub fn shorten(row: &mut [f32], most: f64) {
    let length = sum_of_squares(row).sqrt();
    if length > most {
        let scale = (most / (length + 1e-6)) as f32;
        row.iter_mut().for_each(|x| *x *= scale);
    }
}

/// The sum of squares, in double precision over blocks of single.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    values
        .chunks(256)
        .map(|block| {
            let mut sums = [0f32; PAD];
            for part in block.chunks(PAD) {
                sums.iter_mut().zip(part).for_each(|(s, x)| *s += x * x);
            }
            sums.iter().map(|s| f64::from(*s)).sum::<f64>()
        })
        .sum()
}

#[cfg(test)]
mod tests;

//! The maximum mean discrepancy with a Gaussian kernel, and what chance makes of it.
//!
//! Gretton, Borgwardt, Rasch, Schölkopf & Smola, *A kernel two-sample test*, JMLR 13 (2012), equations 3 and 5. The kernel is
//! `exp(-|x - y|²/(2h²))`. States follow each other, so not they are permuted but blocks of neighbours (Chwialkowski,
//! Sejdinovic & Gretton, *A wild bootstrap for degenerate kernel tests*, 2014, has the reason).

use crate::numeric;
use crate::rng::Stream;

fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
}

fn kernel(x: &[f32], y: &[f32], bandwidth: f64) -> f64 {
    numeric::exp(-squared_distance(x, y) / (2.0 * bandwidth * bandwidth))
}

/// Sums of the kernel over all pairs within `x`, within `y` and across; a row is `dims` numbers.
fn sums(x: &[f32], y: &[f32], dims: usize, bandwidth: f64) -> [f64; 3] {
    let sum = |a: &[f32], b: &[f32]| -> f64 {
        a.chunks_exact(dims).map(|p| b.chunks_exact(dims).map(|q| kernel(p, q, bandwidth)).sum::<f64>()).sum()
    };
    [sum(x, x), sum(y, y), sum(x, y)]
}

/// MMD² of two samples, rows of `dims` numbers, biased: never negative, and above zero for two samples of one population.
pub fn mmd2(x: &[f32], y: &[f32], dims: usize, bandwidth: f64) -> f64 {
    let (n, m) = ((x.len() / dims) as f64, (y.len() / dims) as f64);
    let [within_x, within_y, across] = sums(x, y, dims, bandwidth);
    within_x / (n * n) + within_y / (m * m) - 2.0 * across / (n * m)
}

/// MMD² without the pairs of a row with itself: zero on average for two samples of one population.
pub fn mmd2_unbiased(x: &[f32], y: &[f32], dims: usize, bandwidth: f64) -> f64 {
    let (n, m) = ((x.len() / dims) as f64, (y.len() / dims) as f64);
    let [within_x, within_y, across] = sums(x, y, dims, bandwidth);
    (within_x - n) / (n * (n - 1.0)) + (within_y - m) / (m * (m - 1.0)) - 2.0 * across / (n * m)
}

/// The median distance between two different rows: the usual bandwidth. Rows are `dims` numbers; 0 for fewer than two.
pub fn median_distance(rows: &[f32], dims: usize) -> f64 {
    let rows: Vec<_> = rows.chunks_exact(dims).collect();
    let mut distances: Vec<f64> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        distances.extend(rows[..i].iter().map(|other| numeric::sqrt(squared_distance(row, other))));
    }
    distances.sort_unstable_by(f64::total_cmp);
    match distances.len() {
        0 => 0.0,
        n if n.is_multiple_of(2) => 0.5 * (distances[n / 2 - 1] + distances[n / 2]),
        n => distances[n / 2],
    }
}

/// Rows in whole blocks of neighbours, and how alike these are to each other: what does not change from test to test.
#[derive(Clone, Debug)]
pub struct Sample {
    rows: Vec<f32>,
    dims: usize,
    block: usize,
    bandwidth: f64,
    /// Sums of the kernel between its blocks: `[blocks][blocks]`.
    between: Vec<f64>,
}

impl Sample {
    /// Of rows of `dims` numbers; what does not fill a block of `block` rows at the end is left out.
    ///
    /// Panics if there are not two blocks.
    pub fn new(mut rows: Vec<f32>, dims: usize, block: usize, bandwidth: f64) -> Self {
        rows.truncate(rows.len() / (dims * block) * dims * block);
        let blocks: Vec<_> = rows.chunks_exact(dims * block).collect();
        assert!(blocks.len() >= 2, "two blocks a sample, not {}", blocks.len());
        let mut between = vec![0.0; blocks.len() * blocks.len()];
        for i in 0..blocks.len() {
            for j in 0..=i {
                let sum = block_sum(blocks[i], blocks[j], dims, bandwidth);
                (between[i * blocks.len() + j], between[j * blocks.len() + i]) = (sum, sum);
            }
        }
        Self { between, dims, block, bandwidth, rows }
    }

    fn blocks(&self) -> usize {
        self.rows.len() / (self.dims * self.block)
    }
}

fn block_sum(x: &[f32], y: &[f32], dims: usize, bandwidth: f64) -> f64 {
    let pairs = x.chunks_exact(dims).flat_map(|p| y.chunks_exact(dims).map(move |q| (p, q)));
    pairs.map(|(p, q)| kernel(p, q, bandwidth)).sum()
}

/// A permutation test of two samples in blocks of neighbouring rows.
#[derive(Clone, Debug)]
pub struct BlockTest {
    /// Sums of the kernel between blocks, those of the first sample first: `[blocks][blocks]`.
    between: Vec<f64>,
    blocks: usize,
    of_first: usize,
    rows_in_block: usize,
}

impl BlockTest {
    /// Of a sample and other rows, of as many numbers each.
    ///
    /// Panics if the others are not two blocks.
    pub fn new(x: &Sample, y: &[f32]) -> Self {
        let y = Sample::new(y.to_vec(), x.dims, x.block, x.bandwidth);
        let (of_first, of_second) = (x.blocks(), y.blocks());
        let blocks = of_first + of_second;
        let mut between = vec![0.0; blocks * blocks];
        for i in 0..of_first {
            between[i * blocks..][..of_first].copy_from_slice(&x.between[i * of_first..][..of_first]);
        }
        for i in 0..of_second {
            let row = (of_first + i) * blocks;
            between[row + of_first..][..of_second].copy_from_slice(&y.between[i * of_second..][..of_second]);
        }
        let len = x.dims * x.block;
        for (i, p) in x.rows.chunks_exact(len).enumerate() {
            for (j, q) in y.rows.chunks_exact(len).enumerate() {
                let j = of_first + j;
                let sum = block_sum(p, q, x.dims, x.bandwidth);
                (between[i * blocks + j], between[j * blocks + i]) = (sum, sum);
            }
        }
        Self { between, blocks, of_first, rows_in_block: x.block }
    }

    /// Biased MMD² if these blocks were the first sample.
    fn statistic(&self, is_first: &[bool]) -> f64 {
        let mut sums = [0.0; 3];
        for (i, row) in self.between.chunks_exact(self.blocks).enumerate() {
            for (j, sum) in row.iter().enumerate() {
                // Both first, both second, one of each; the last is counted twice.
                let which = if is_first[i] != is_first[j] { 2 } else { usize::from(!is_first[i]) };
                sums[which] += sum;
            }
        }
        let rows = |blocks: usize| (blocks * self.rows_in_block) as f64;
        let (n, m) = (rows(self.of_first), rows(self.blocks - self.of_first));
        sums[0] / (n * n) + sums[1] / (m * m) - sums[2] / (n * m)
    }

    /// MMD², biased, of the whole blocks of the two samples.
    pub fn observed(&self) -> f64 {
        let is_first: Vec<_> = (0..self.blocks).map(|block| block < self.of_first).collect();
        self.statistic(&is_first)
    }

    /// The share of `permutations` of the blocks, and of the samples as they are, that are as far apart as the samples.
    pub fn p_value(&self, permutations: u32, draw: &mut Stream) -> f64 {
        let mut order: Vec<bool> = (0..self.blocks).map(|block| block < self.of_first).collect();
        let observed = self.statistic(&order);
        let mut as_far = 1;
        for _ in 0..permutations {
            for i in (1..order.len()).rev() {
                order.swap(i, draw.below(i as u64 + 1) as usize);
            }
            as_far += u32::from(self.statistic(&order) >= observed);
        }
        f64::from(as_far) / f64::from(permutations + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f32; 6] = [0.1, 0.4, 0.7, 1.1, 1.5, 2.0];
    const Y: [f32; 7] = [0.3, 0.9, 1.2, 1.6, 2.2, 2.5, 3.1];

    #[test]
    fn the_goldens_of_targets_8() {
        assert!((mmd2(&X, &Y, 1, 1.0) - 0.150_095_485_2).abs() < 1e-7, "{}", mmd2(&X, &Y, 1, 1.0));
        assert!((mmd2_unbiased(&X, &Y, 1, 1.0) - 0.028_102_558_2).abs() < 1e-7);
        let pooled = [&X[..], &Y[..]].concat();
        assert!((median_distance(&pooled, 1) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn two_normals_are_as_far_apart_as_the_closed_form_says() {
        // 2h/√(h² + 2) (1 - exp(-d²/(2(h² + 2)))) for d = 0.5, h = 1.
        let mut draw = Stream::new(1, "normals");
        let mut normals = |mean: f64| -> Vec<f32> { (0..700).map(|_| (draw.normal() + mean) as f32).collect() };
        let found = mmd2_unbiased(&normals(0.0), &normals(0.5), 1, 1.0);
        assert!((found - 0.047_123_955_8).abs() < 0.016, "{found}");
    }

    /// Autoregressive rows, as states are.
    fn walk(draw: &mut Stream, rows: usize, mean: f64) -> Vec<f32> {
        let mut x = 0.0;
        let mut next = || {
            x = 0.9 * x + 0.436 * draw.normal();
            (x + mean) as f32
        };
        (0..rows).map(|_| next()).collect()
    }

    #[test]
    fn blocks_know_what_neighbours_are_worth() {
        let mut draw = Stream::new(2, "walks");
        let mut rejected = [0, 0];
        for _ in 0..20 {
            let (x, y) = (walk(&mut draw, 160, 0.0), walk(&mut draw, 160, 0.0));
            for (count, block) in rejected.iter_mut().zip([1, 20]) {
                let p = BlockTest::new(&Sample::new(x.clone(), 1, block, 1.0), &y).p_value(99, &mut draw);
                *count += u32::from(p <= 0.05);
            }
        }
        // One of twenty expected. Row by row, the same test takes noise for drift half of the time.
        assert!(rejected[0] >= 6 && rejected[1] <= 3, "{rejected:?}");
        let (x, y) = (walk(&mut draw, 256, 0.0), walk(&mut draw, 256, 3.0));
        let test = BlockTest::new(&Sample::new(x.clone(), 1, 32, 1.0), &y);
        assert!(test.p_value(999, &mut draw) <= 0.005);
        assert!((test.observed() - mmd2(&x, &y, 1, 1.0)).abs() < 1e-12, "all rows are in blocks here");
    }
}

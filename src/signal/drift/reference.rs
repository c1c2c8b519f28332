//! What a policy was trained on, in the form that what it meets is held against.
//!
//! Rows are numbers of one moment: what the policy saw, what it believed, what it answered. They follow each other in time, as they
//! will live, so chance can be learnt from the training itself: the largest index and the largest discrepancy of the training's own
//! windows are what chance reaches, however slowly a column moves. Rules of thumb, and permutations of short blocks, know nothing of that.

use super::DriftRules;
use super::kernel::{BlockTest, Sample, median_distance};
use super::stability::psi;
use crate::signal::observation::{Moments, Scale};

/// Bins of every column: ten equally likely ones, and one at either end for what the training never met. Without those a number that
/// hardly moves within a window looks the same at the edge of the training and far beyond it.
pub const BINS: usize = LIKELY + 2;
const LIKELY: usize = 10;

/// Fewest windows that chance is learnt from.
const WINDOWS_LEAST: usize = 20;

/// What counts as beyond chance, over the most that the training itself has shown.
const MARGIN: f64 = 1.1;

/// Rows kept for the kernel test, in windows.
const KEPT_WINDOWS: usize = 2;

/// A training's rows, as tables.
#[derive(Clone, Debug)]
pub struct Reference {
    tables: Tables,
    scale: Scale,
    /// All columns, and those of the market alone.
    whole: Part,
    market: Part,
}

/// Some of the columns.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub columns: Vec<usize>,
    pub sample: Sample,
}

/// A reference as it is stored, single precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    /// `[3]`, [`DriftRules::rhythm`].
    pub rhythm: Vec<f32>,
    /// `[columns]`
    pub mean: Vec<f32>,
    /// `[columns]`, above 0.
    pub spread: Vec<f32>,
    /// `[columns][BINS - 1]`, where the next bin begins, standardised.
    pub edges: Vec<f32>,
    /// `[columns][BINS]`, the share of the training in each.
    pub shares: Vec<f32>,
    /// `[columns]`, the largest stability index of any window of the training.
    pub chance: Vec<f32>,
    /// `[2]`, the largest MMD² of any window of the training: of all columns, and of those of the market.
    pub discrepancy: Vec<f32>,
    /// `[rows][columns]`, whole blocks of the training, standardised.
    pub rows: Vec<f32>,
}

/// Rows or tables that nothing can be held against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Too little was met.
    #[error(
        "{windows} windows of {window_rows} rows in the training; {WINDOWS_LEAST} are needed to know what chance does"
    )]
    Short {
        /// Windows there are.
        windows: usize,
        /// Rows of one.
        window_rows: usize,
    },
    /// Not whole rows of finite numbers.
    #[error("run {run} has {numbers} numbers in rows of {columns}, all of them finite: it is not that")]
    Ragged {
        /// Which run.
        run: usize,
        /// Numbers there are.
        numbers: usize,
        /// Numbers of a row.
        columns: usize,
    },
    /// Tables that do not belong together.
    #[error("reference.{table}: {found} numbers, {expected}")]
    Table {
        /// Which.
        table: &'static str,
        /// Numbers there are.
        found: usize,
        /// What there should be.
        expected: String,
    },
    /// Made for other rules.
    #[error(
        "the reference was made of a row every {} ms, windows of {} rows in blocks of {}; the rules say {} ms, {} and {}",
        .made[0], .made[1], .made[2], .rules[0], .rules[1], .rules[2]
    )]
    Rhythm {
        /// That it was made for.
        made: [u32; 3],
        /// In the rules.
        rules: [u32; 3],
    },
}

impl Reference {
    /// Of a training.
    ///
    /// * `runs` — `[rows][columns]` each: one session, or one copy of a world, in order of time, a row every [`DriftRules::every_ms`]
    /// * `is_market` — of every column: whether it is the market's alone, whatever we do
    ///
    /// Panics if no column is the market's, or the rules cannot be.
    pub fn new(runs: &[Vec<f32>], rules: &DriftRules, is_market: &[bool]) -> Result<Self, ReferenceError> {
        assert_eq!(rules.check(), Ok(()));
        let columns = is_market.len();
        let [_, window, block] = rules.rhythm().map(|n| n as usize);
        let mut moments = Moments::new(columns);
        for (run, rows) in runs.iter().enumerate() {
            if !rows.len().is_multiple_of(columns) || !rows.iter().all(|x| x.is_finite()) {
                return Err(ReferenceError::Ragged { run, numbers: rows.len(), columns });
            }
            rows.chunks_exact(columns).for_each(|row| moments.add(row));
        }
        let scale = moments.freeze();
        let mut runs = runs.to_vec();
        runs.iter_mut().flat_map(|rows| rows.chunks_exact_mut(columns)).for_each(|row| scale.apply(row));
        // Windows overlap by half: twice as many see the slowest columns.
        let of_run = |rows: &Vec<f32>| (2 * (rows.len() / columns) / window).saturating_sub(1);
        let windows = runs.iter().map(of_run).sum();
        if windows < WINDOWS_LEAST {
            return Err(ReferenceError::Short { windows, window_rows: window });
        }
        let mut tables = Tables {
            rhythm: rules.rhythm().map(|n| n as f32).to_vec(),
            mean: scale.mean.clone(),
            spread: scale.spread.clone(),
            rows: kept(&runs, columns * block, KEPT_WINDOWS * window / block),
            discrepancy: vec![0.0; 2],
            ..Tables::default()
        };
        let windows = || {
            runs.iter().flat_map(|rows| {
                let starts = (0..of_run(rows)).map(|n| n * window / 2 * columns);
                starts.map(|start| &rows[start..start + window * columns])
            })
        };
        for column in 0..columns {
            let of = |rows: &[f32]| rows.iter().skip(column).step_by(columns).copied().collect::<Vec<f32>>();
            let mut all: Vec<f32> = runs.iter().flat_map(|rows| of(rows)).collect();
            all.sort_unstable_by(f32::total_cmp);
            let mut edges: Vec<f32> = (0..LIKELY).map(|bin| all[bin * all.len() / LIKELY]).collect();
            edges.push(all[all.len() - 1].next_up());
            // A number that is often the same has fewer bins than ten: then the shares are what they are.
            let shares = shares_of(all.into_iter(), &edges);
            let index = |rows| psi(&shares, &shares_of(of(rows).into_iter(), &edges));
            let chance = windows().map(index).fold(0.0, f64::max);
            tables.edges.extend(edges);
            tables.shares.extend(shares.map(|share| share as f32));
            tables.chance.push(chance as f32);
        }
        let mut made = Self::from_tables(tables, rules, is_market)?;
        for (n, part) in [&made.whole, &made.market].into_iter().enumerate() {
            let discrepancy = |rows| BlockTest::new(&part.sample, &picked(rows, columns, &part.columns)).observed();
            made.tables.discrepancy[n] = windows().map(discrepancy).fold(0.0, f64::max) as f32;
        }
        Ok(made)
    }

    /// As stored. Errors with the first table that does not fit, and if it was made for other rules.
    pub fn from_tables(tables: Tables, rules: &DriftRules, is_market: &[bool]) -> Result<Self, ReferenceError> {
        let columns = is_market.len();
        let exactly = |table, found: &[f32], len: usize| match found.len() {
            found if found == len => Ok(()),
            found => Err(ReferenceError::Table { table, found, expected: format!("{len} for {columns} columns") }),
        };
        exactly("rhythm", &tables.rhythm, 3)?;
        exactly("mean", &tables.mean, columns)?;
        exactly("spread", &tables.spread, columns)?;
        exactly("edges", &tables.edges, columns * (BINS - 1))?;
        exactly("shares", &tables.shares, columns * BINS)?;
        exactly("chance", &tables.chance, columns)?;
        exactly("discrepancy", &tables.discrepancy, 2)?;
        let made: [u32; 3] = std::array::from_fn(|i| tables.rhythm[i] as u32);
        if made != rules.rhythm() {
            return Err(ReferenceError::Rhythm { made, rules: rules.rhythm() });
        }
        let block = rules.block_rows as usize;
        let (rows, whole) = (tables.rows.len(), 2 * columns * block);
        if rows < whole || !rows.is_multiple_of(columns * block) {
            let expected = format!("two or more blocks of {block} rows of {columns} columns");
            return Err(ReferenceError::Table { table: "rows", found: rows, expected });
        }
        let scale = Scale { mean: tables.mean.clone(), spread: tables.spread.clone() };
        if scale.check(columns).is_err() {
            let expected = "all of them above 0".to_owned();
            return Err(ReferenceError::Table { table: "spread", found: columns, expected });
        }
        let part = |columns: Vec<usize>| {
            let own = picked(&tables.rows, is_market.len(), &columns);
            let width = median_distance(&own, columns.len());
            let sample = Sample::new(own, columns.len(), block, if width > 0.0 { width } else { 1.0 });
            Part { columns, sample }
        };
        let whole = part((0..columns).collect());
        let market = part((0..columns).filter(|column| is_market[*column]).collect());
        Ok(Self { scale, whole, market, tables })
    }

    /// As it is stored.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Numbers of a row.
    pub fn columns(&self) -> usize {
        self.tables.mean.len()
    }

    pub(super) fn scale(&self) -> &Scale {
        &self.scale
    }

    pub(super) fn part(&self, market_only: bool) -> &Part {
        if market_only { &self.market } else { &self.whole }
    }

    /// The stability index of a column of standardised rows, and what it exceeds neither by the rule nor by chance.
    pub(super) fn psi(&self, column: usize, rows: &[f32], rules: &DriftRules) -> (f64, f64) {
        let edges = &self.tables.edges[column * (BINS - 1)..][..BINS - 1];
        let shares: [f64; BINS] = std::array::from_fn(|bin| f64::from(self.tables.shares[column * BINS + bin]));
        let met = shares_of(rows.iter().skip(column).step_by(self.columns()).copied(), edges);
        (psi(&shares, &met), rules.psi_max.max(MARGIN * f64::from(self.tables.chance[column])))
    }

    /// What MMD² exceeds only beyond chance.
    pub(super) fn mmd2_limit(&self, market_only: bool) -> f64 {
        MARGIN * f64::from(self.tables.discrepancy[usize::from(market_only)])
    }
}

/// These columns of rows.
pub(super) fn picked(rows: &[f32], columns: usize, wanted: &[usize]) -> Vec<f32> {
    rows.chunks_exact(columns).flat_map(|row| wanted.iter().map(|column| row[*column])).collect()
}

/// So many blocks of a length, evenly spread over all there are.
fn kept(runs: &[Vec<f32>], block_len: usize, wanted: usize) -> Vec<f32> {
    let blocks: Vec<&[f32]> = runs.iter().flat_map(|rows| rows.chunks_exact(block_len)).collect();
    let wanted = wanted.min(blocks.len());
    (0..wanted).flat_map(|n| blocks[n * blocks.len() / wanted].iter().copied()).collect()
}

fn shares_of(numbers: impl Iterator<Item = f32>, edges: &[f32]) -> [f64; BINS] {
    let (mut counts, mut all) = ([0u32; BINS], 0u32);
    for number in numbers {
        counts[edges.partition_point(|edge| *edge <= number)] += 1;
        all += 1;
    }
    counts.map(|count| f64::from(count) / f64::from(all.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> DriftRules {
        DriftRules { window_rows: 40, block_rows: 10, ..DriftRules::default() }
    }

    /// 0 to 99 in an order that jumps about, again and again.
    fn run(rows: usize) -> Vec<f32> {
        (0..rows).map(|n| (n * 37 % 100) as f32).collect()
    }

    #[test]
    fn bins_are_equally_likely_and_chance_is_the_trainings_own() {
        let made = Reference::new(&[run(1_000)], &rules(), &[true]).expect("a reference");
        let tables = made.tables();
        let (outside, tens) = ([tables.shares[0], tables.shares[11]], &tables.shares[1..11]);
        assert_eq!((outside, tens), ([0.0; 2], &[0.1f32; 10][..]), "tens of a hundred, and nothing beyond");
        // Mean 49.5; the first of the ten ends before 10.
        let edge = tables.edges[1] * tables.spread[0] + tables.mean[0];
        assert!((edge - 10.0).abs() < 1e-4 && tables.mean == [49.5], "{edge}");
        // Forty numbers that jump by 37 are nearly even in ten bins: chance makes little of them.
        assert!(tables.chance[0] > 0.0 && tables.chance[0] < 0.1, "{:?}", tables.chance);
        // One that climbs slowly is all in one or two bins of its training whenever one looks.
        let slow: Vec<f32> = (0..1_000).map(|n| (n / 10) as f32).collect();
        let made = Reference::new(&[slow], &rules(), &[true]).expect("a reference");
        assert!(made.tables().chance[0] > 5.0, "{:?}", made.tables().chance);
        assert_eq!(made.tables().rows.len(), 80, "two windows are kept");
        // Always 95 is one bin of ten, as it is in training; always 120 is none: ln(1/0.0001) more, and so much further.
        let rows = |x: f32| vec![(x - made.tables().mean[0]) / made.tables().spread[0]; 40];
        let [(edge, limit), (beyond, _)] = [95.0, 120.0].map(|x| made.psi(0, &rows(x), &rules()));
        assert!(edge < limit && beyond > 1.5 * limit, "{edge} {beyond} {limit}");
    }

    #[test]
    fn tables_make_the_same_reference_again_and_fit_or_are_refused() {
        let made = Reference::new(&[run(600), run(600)], &rules(), &[true]).expect("a reference");
        let again = Reference::from_tables(made.tables().clone(), &rules(), &[true]).expect("again");
        assert_eq!(again.tables(), made.tables());
        let other = DriftRules { window_rows: 80, ..rules() };
        let said = Reference::from_tables(made.tables().clone(), &other, &[true]).unwrap_err().to_string();
        assert_eq!(
            said,
            "the reference was made of a row every 1000 ms, windows of 40 rows in blocks of 10; \
             the rules say 1000 ms, 80 and 10"
        );
        let said = Reference::from_tables(made.tables().clone(), &rules(), &[true, true]).unwrap_err().to_string();
        assert_eq!(said, "reference.mean: 1 numbers, 2 for 2 columns");
        let cut = Tables { rows: made.tables().rows[..15].to_vec(), ..made.tables().clone() };
        let said = Reference::from_tables(cut, &rules(), &[true]).unwrap_err().to_string();
        assert_eq!(said, "reference.rows: 15 numbers, two or more blocks of 10 rows of 1 columns");
        let flat = Tables { spread: vec![0.0], ..made.tables().clone() };
        assert!(Reference::from_tables(flat, &rules(), &[true]).unwrap_err().to_string().contains("above 0"));
    }

    #[test]
    fn too_little_is_no_training() {
        // 400 rows are 19 windows of 40 that overlap by half.
        let said = Reference::new(&[run(419)], &rules(), &[true]).unwrap_err();
        assert_eq!(said, ReferenceError::Short { windows: 19, window_rows: 40 });
        assert!(Reference::new(&[run(420)], &rules(), &[true]).is_ok());
        let said = Reference::new(&[run(420), vec![0.0, f32::NAN]], &rules(), &[true]).unwrap_err();
        assert_eq!(said, ReferenceError::Ragged { run: 1, numbers: 2, columns: 1 });
        let still = Reference::new(&[vec![1.0; 840]], &rules(), &[true, true]).expect("numbers that never change");
        assert_eq!(still.tables().chance, [0.0, 0.0]);
    }
}

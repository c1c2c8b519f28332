//! Kernels against the same arithmetic spelled out.

use super::*;

#[test]
fn a_product_is_the_sum_it_says() {
    // Against the sum spelled out, in double precision, for shapes with and without rests, lying either way.
    let mut draws = Stream::new(2, "test.product");
    let mut some = |n: usize| (0..n).map(|_| draws.normal() as f32).collect::<Vec<f32>>();
    for (rows, inner, columns) in [(1, 1, 16), (6, 3, 64), (13, 64, 80), (7, 5, 32), (64, 17, 112), (5, 0, 16)] {
        let (left, right, start) = (some(rows * inner), some(inner * columns), some(rows * columns));
        for (v, turned) in Vectors::all().into_iter().flat_map(|v| [(v, false), (v, true)]) {
            let (row, column) = if turned { (1, rows) } else { (inner, 1) };
            let mut onto = start.clone();
            product(v, Left { values: &left, row, column }, &right, &mut onto, columns, Start::Kept);
            for (at, found) in onto.iter().enumerate() {
                let (m, n) = (at / columns, at % columns);
                let term = |k: usize| f64::from(left[m * row + k * column]) * f64::from(right[k * columns + n]);
                let expected = f64::from(start[at]) + (0..inner).map(term).sum::<f64>();
                assert!((f64::from(*found) - expected).abs() < 2e-5, "{v:?} {m} {n}: {found}, {expected}");
            }
            let mut from_row = vec![f32::NAN; rows * columns];
            let first = Start::Row(&start[..columns]);
            product(v, Left { values: &left, row, column }, &right, &mut from_row, columns, first);
            let mut from_zero = vec![f32::NAN; rows * columns];
            product(v, Left { values: &left, row, column }, &right, &mut from_zero, columns, Start::Zero);
            for (at, (a, b)) in from_row.iter().zip(&from_zero).enumerate() {
                assert!((a - b - start[at % columns]).abs() < 2e-5, "{v:?}: {a} is not {b} + {}", start[at % columns]);
            }
        }
    }
}

#[test]
#[should_panic(expected = "the left matrix ends before 6 x 4")]
fn a_product_never_reads_beyond_its_matrix() {
    let left = Left { values: &[0.0; 23], row: 4, column: 1 };
    product(Vectors::best(), left, &[0.0; 64], &mut [0.0; 96], 16, Start::Zero);
}

#[test]
fn adam_moves_as_its_authors_say() {
    // Second step, slopes 1 then 3, rate 0.1: m = 0.9·0.1 + 0.1·3 = 0.39, v = 0.999·0.001 + 0.001·9 = 0.009999;
    // m/(1 - 0.81) = 2.0526316, v/(1 - 0.998001) = 5.0020010; 0.1·2.0526316/2.2365154 = 0.0917781.
    for v in Vectors::all() {
        let (mut w, mut m, mut s) = (vec![1f32; 20], vec![0.1f32; 20], vec![0.001f32; 20]);
        let by = AdamStep { beta_1: 0.9, beta_2: 0.999, rate: 0.1 / 0.19, correction: 1.0 / 0.001_999, epsilon: 1e-8 };
        adam(v, by, &[3.0; 20], &mut w, &mut m, &mut s);
        assert!(w.iter().all(|w| (w - (1.0 - 0.091_778_1)).abs() < 1e-6), "{v:?}: {w:?}");
    }
}

#[test]
fn normals_are_normal_and_the_same_on_all_vectors() {
    // n = 200 001: five standard errors of the mean, of the square (√2 of them) and of the fourth power (√96).
    let n = 200_001;
    let drawn = |v| {
        let mut into = vec![0.0; n];
        fill_normal(v, &mut Stream::new(4, "test.normals"), &mut Vec::new(), &mut into);
        into
    };
    let best = drawn(Vectors::best());
    let moment =
        |power: i32| best.iter().map(|z| (0..power).map(|_| f64::from(*z)).product::<f64>()).sum::<f64>() / n as f64;
    assert!(moment(1).abs() < 0.0112, "{}", moment(1));
    assert!((moment(2) - 1.0).abs() < 0.0158, "{}", moment(2));
    assert!((moment(4) - 3.0).abs() < 0.11, "{}", moment(4));
    // The pair: sine and cosine of one draw are independent.
    let product: f64 = best[..n / 2].iter().zip(&best[n / 2 + 1..]).map(|(a, b)| f64::from(a * b)).sum();
    assert!((product / (n / 2) as f64).abs() < 0.0158, "{product}");
    for v in Vectors::all() {
        assert!(drawn(v).iter().zip(&best).all(|(a, b)| (a - b).abs() < 1e-6), "{v:?}");
    }
}

#[test]
fn a_squashed_density_is_that_of_its_action() {
    // mean 0.3, log deviation -1.5 (answered 0), draw 1.2: u = 0.3 + 1.2·e^-1.5 = 0.5677562, a = tanh u = 0.5137095;
    // ln π = -0.72 + 1.5 - 0.9189385 - ln(1 - 0.2638975) = 0.1674473. And a u so large that tanh is one.
    for v in Vectors::all() {
        let mut all = Squashed {
            means: vec![0.3, 30.0],
            raw: vec![0.0; 2],
            draws: vec![1.2, 0.0],
            actions: vec![0.0; 2],
            log_probs: vec![0.0; 2],
            shifts: vec![0.0; 2],
            bends: vec![0.0; 2],
        };
        squash(v, &mut all);
        assert!((all.actions[0] - 0.513_709_5).abs() < 1e-6, "{v:?}: {all:?}");
        assert!((all.log_probs[0] - 0.167_447_3).abs() < 2e-6, "{v:?}: {all:?}");
        // 1.5 - 0.9189385 - 2·(ln 2 - 30) = 59.1947671.
        assert!((all.log_probs[1] - 59.194_767).abs() < 1e-5, "{v:?}: {all:?}");
        assert_eq!(all.bends, [3.5, 3.5]);
    }
}

#[test]
fn what_is_too_long_is_shortened_and_what_is_not_stays() {
    // 3-4-5.
    let mut row = [3.0, 4.0];
    shorten(&mut row, 5.0);
    assert_eq!(row, [3.0, 4.0]);
    shorten(&mut row, 1.0);
    assert!((row[0] - 0.6).abs() < 1e-5 && (row[1] - 0.8).abs() < 1e-5, "{row:?}");
}

//! Worlds where steps get infinitely short.

use papermaker::env::model::exact::flat;
use papermaker::env::model::{Model, continuous};
use papermaker::strategy::avellaneda_stoikov::spread;
use papermaker::strategy::glft;

use super::near;

/// Eight decimals as printed.
const PRINTED: f64 = 6e-9;
/// Six decimals as printed.
const PRINTED_6: f64 = 6e-7;
/// Pieces of the integrations: enough for the decimals of the tables.
const PIECES: u32 = 400;
const PIECES_OF_OPTIMUM: u32 = 2000;

/// Inventory, value, bid, ask.
type Row = (i32, f64, Option<f64>, Option<f64>);

fn avellaneda_stoikov(model: &Model, left: f64) -> Vec<[f64; 2]> {
    let half = 0.5 * spread(model.gamma, model.sigma, model.k, left);
    let lean = model.gamma * model.sigma * model.sigma * left;
    quotes(model, |q| [half + q * lean, half - q * lean])
}

fn quotes(model: &Model, quote: impl Fn(f64) -> [f64; 2]) -> Vec<[f64; 2]> {
    (0..model.inventories()).map(|i| quote(model.inventory(i))).collect()
}

fn value(model: &Model, quotes: impl FnMut(f64, usize) -> Vec<[f64; 2]>) -> f64 {
    flat(&continuous::evaluate(model, PIECES, quotes))
}

/// The best quotes of a world without regimes, solved once for all times an integration asks for.
fn kept(model: &Model) -> impl Fn(f64) -> Vec<[f64; 2]> {
    let mut rows = continuous::quotes_by_step(&model.in_steps(8 * PIECES));
    rows.reverse();
    // Row n is for n + 1 steps to go.
    move |left| rows[(left * f64::from(8 * PIECES)).round() as usize - 1].clone()
}

#[test]
fn the_closed_form_in_each_world() {
    // h(q), bid, ask at the start: TARGETS §2.2 and s2_glft_cjp.out.
    let rows: [(Model, &[Row]); 3] = [
        (
            Model::P1,
            &[
                (0, 66.27700217, Some(0.692496), Some(0.692496)),
                (2, 66.17371756, Some(0.795649), Some(0.589212)),
                (-4, 65.86436852, Some(0.486300), Some(0.898283)),
                (10, 63.55094458, None, Some(0.054080)),
            ],
        ),
        (
            Model::P2,
            &[
                (0, 6.37283653, Some(1.196189), Some(1.196189)),
                (1, 6.17664731, Some(1.580660), Some(0.803811)),
                (2, 5.59598714, Some(1.947108), Some(0.419340)),
                (3, 4.64887889, Some(2.330357), Some(0.052892)),
                (-4, 3.31852153, Some(-0.330357), None),
            ],
        ),
        (
            Model::P3,
            &[
                (0, 30.38883425, Some(1.180954), Some(1.180954)),
                (-1, 30.20788060, Some(0.819046), Some(1.545901)),
                (2, 29.66197984, Some(1.973627), Some(0.454099)),
                (3, 28.68835288, None, Some(0.026373)),
            ],
        ),
    ];
    for (model, rows) in rows {
        let (h, quotes) = (continuous::values(&model, 1.0), continuous::quotes(&model, 1.0));
        let by_step = &continuous::quotes_by_step(&model)[0];
        for (q, value, bid, ask) in rows {
            let i = (q + model.inventory_max as i32) as usize;
            near("h", h[i], *value, PRINTED);
            for (side, expected) in [bid, ask].into_iter().enumerate().filter_map(|(side, d)| Some((side, (*d)?))) {
                near("quote", quotes[i][side], expected, PRINTED_6);
                near("quote by step", by_step[i][side], quotes[i][side], 1e-10);
            }
        }
    }
}

#[test]
fn the_ladder_of_policies() {
    // TARGETS §2.2, percent of the optimum in continuous time.
    for (model, percents) in [
        (Model::P1, [92.0413, 95.7653, 99.8619, 99.9157, 100.0]),
        (Model::P2, [87.4182, 86.3326, 87.6743, 98.6093, 100.0]),
        (Model::P3, [74.8839, 90.2101, 88.5276, 99.6408, 100.0]),
    ] {
        let best = continuous::values(&model, 1.0)[model.inventory_max as usize];
        let (half, lean) = glft::closed_form(model.gamma, model.sigma, model.a, model.k, 1.0);
        let first = continuous::quotes(&model, 1.0);
        let found = [
            value(&model, |_, _| quotes(&model, |_| [1.0 / model.k; 2])),
            value(&model, |left, _| avellaneda_stoikov(&model, left)),
            value(&model, |_, _| quotes(&model, |q| [half + q * lean, half - q * lean])),
            value(&model, |_, _| first.clone()),
            flat(&continuous::optimum(&model, PIECES_OF_OPTIMUM)),
        ];
        for (found, percent) in found.into_iter().zip(percents) {
            near("percent", 100.0 * found / best, percent, 6e-5);
        }
    }
}

#[test]
fn a_mid_that_moves_against_every_fill() {
    // TARGETS §2.3: optimum, first bid at q = 0, percent of blind CJP, A-S.
    let blind_quotes = kept(&Model::P1);
    for (impact, best, bid, blind, avellaneda) in [
        (0.05, 63.58439277, 0.717990, 99.791, 60.720516),
        (0.10, 61.07179834, 0.743493, 99.270, 57.970662),
        (0.20, 56.40606649, 0.794531, 97.464, 52.470954),
        (0.30, 52.12631902, 0.845610, 94.625, 46.971246),
    ] {
        let model = Model::P1.with_impact(impact);
        near("optimum", continuous::values(&model, 1.0)[10], best, PRINTED);
        near("integrated", flat(&continuous::optimum(&model, PIECES_OF_OPTIMUM)), best, 1e-6);
        near("first bid", continuous::quotes(&model, 1.0)[10][0], bid, PRINTED_6);
        let unaware = value(&model, |left, _| blind_quotes(left));
        near("blind", 100.0 * unaware / best, blind, 6e-4);
        near("A-S", value(&model, |left, _| avellaneda_stoikov(&model, left)), avellaneda, PRINTED_6);
    }
}

#[test]
fn a_drift_that_everybody_sees() {
    // TARGETS §2.3: optimum, percent of drift-blind CJP, first quotes at q = 0 while the mid falls.
    let blind_quotes = kept(&Model::P1);
    for (drift, best, blind, [bid, ask]) in [
        (5.0, 67.44211377, 98.272, [0.8723, 0.5123]),
        (10.0, 70.93310562, 93.436, [1.0495, 0.3345]),
        (20.0, 84.39978639, 78.527, [1.3784, 0.0057]),
    ] {
        let model = Model::drifting(drift);
        let h = continuous::optimum(&model, PIECES_OF_OPTIMUM);
        near("optimum", flat(&h), best, 1e-6);
        near("bid", 1.0 / model.k - h[0][11] + h[0][10], bid, 6e-5);
        near("ask", 1.0 / model.k - h[0][9] + h[0][10], ask, 6e-5);
        let unaware = value(&model, |left, _| blind_quotes(left));
        near("blind", 100.0 * unaware / best, blind, 6e-4);
    }
}

#[test]
fn quotes_of_one_world_in_twenty_five_others() {
    // s15_robust.out: own optimum, what P1's CJP quotes are worth there, and percent of A-S with P1's numbers.
    let rows = [
        (
            70.0,
            [
                (0.75, 66.504791, 54.101063, 80.309),
                (1.125, 43.950562, 42.104069, 93.546),
                (1.5, 32.717641, 32.651441, 96.700),
                (1.875, 26.001181, 25.274790, 93.602),
                (3.0, 15.980060, 11.638252, 69.094),
            ],
        ),
        (
            105.0,
            [
                (0.75, 100.231231, 81.968926, 80.008),
                (1.125, 66.352988, 63.761409, 93.082),
                (1.5, 49.465177, 49.449794, 96.132),
                (1.875, 39.360266, 38.295895, 92.991),
                (3.0, 24.267780, 17.687881, 68.620),
            ],
        ),
        (
            140.0,
            [
                (0.75, 134.039623, 109.894048, 79.810),
                (1.125, 88.827611, 85.456453, 92.780),
                (1.5, 66.277002, 66.277002, 95.765),
                (1.875, 52.777526, 51.341343, 92.598),
                (3.0, 32.601933, 23.757750, 68.307),
            ],
        ),
        (
            175.0,
            [
                (0.75, 167.895875, 137.841613, 79.667),
                (1.125, 111.346236, 107.166601, 92.564),
                (1.5, 83.128870, 83.116051, 95.503),
                (1.875, 66.231428, 64.396939, 92.316),
                (3.0, 40.965653, 29.836175, 68.079),
            ],
        ),
        (
            280.0,
            [
                (0.75, 269.613594, 221.731983, 79.407),
                (1.125, 179.047549, 172.330235, 92.166),
                (1.5, 133.821684, 133.660338, 95.019),
                (1.875, 106.721445, 103.587704, 91.794),
                (3.0, 66.163138, 48.092065, 67.647),
            ],
        ),
    ];
    let nominal_quotes = kept(&Model::P1);
    for (a, worlds) in rows {
        for (k, best, nominal, avellaneda) in worlds {
            let model = Model::P1.with(a, k);
            near("own optimum", continuous::values(&model, 1.0)[10], best, PRINTED_6);
            near("P1's quotes", value(&model, |left, _| nominal_quotes(left)), nominal, 2e-6);
            let percent = 100.0 * value(&model, |left, _| avellaneda_stoikov(&Model::P1, left)) / best;
            near("A-S with P1's numbers", percent, avellaneda, 6e-4);
        }
    }
}

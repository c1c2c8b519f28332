//! Worlds in steps: the optimum, and what others are worth beside it.

use papermaker::env::model::exact::{evaluate, evaluate_quotes, evaluate_rows, flat, optimum};
use papermaker::env::model::{Base, Fills, Knowledge, Model, Quoting, Seat, continuous};

use super::near;

/// Six decimals as printed.
const PRINTED: f64 = 6e-7;

#[test]
fn the_best_return_of_each_world_in_so_many_steps() {
    // quant/TARGETS.md §2.2, "Discrete-time optima": literal and Poisson.
    let table = [
        (Model::P1, 100, 67.478594, 53.516979),
        (Model::P1, 200, 66.864791, 59.096241),
        (Model::P1, 400, 66.567994, 62.446906),
        (Model::P2, 100, 6.392488, 6.271361),
        (Model::P2, 200, 6.382536, 6.321614),
        (Model::P3, 100, 31.326827, 28.117186),
        (Model::P3, 500, 30.565128, 29.902360),
    ];
    for (model, steps, literal, poisson) in table {
        let model = model.in_steps(steps);
        near("literal", optimum(&model).value(), literal, PRINTED);
        near("Poisson", optimum(&model.filled(Fills::Poisson)).value(), poisson, PRINTED);
    }
}

#[test]
fn the_first_quotes_of_the_best_policy() {
    // Bid at q = 0, bid and ask at q = 1: TARGETS §2.2 and s2_glft_cjp.out.
    for (model, fills, flat_bid, long_bid, long_ask) in [
        (Model::P1, Fills::Literal, 0.679452, 0.730075, 0.628732),
        (Model::P1, Fills::Poisson, 0.766139, 0.823657, 0.709219),
        (Model::P2, Fills::Literal, 1.184445, 1.564013, 0.795478),
        (Model::P2, Fills::Poisson, 1.206367, 1.595480, 0.811291),
        (Model::P3, Fills::Literal, 1.169723, 1.529806, 0.811135),
        (Model::P3, Fills::Poisson, 1.191592, 1.560483, 0.826857),
    ] {
        let best = optimum(&model.filled(fills));
        let (first, zero) = (&best.quotes[0][0], model.inventory_max as usize);
        near("flat bid", first[zero][0], flat_bid, PRINTED);
        near("flat ask", first[zero][1], flat_bid, PRINTED);
        near("long bid", first[zero + 1][0], long_bid, PRINTED);
        near("long ask", first[zero + 1][1], long_ask, PRINTED);
    }
}

#[test]
fn what_analytic_quotes_are_worth_beside_it() {
    // Percent of the stepped optimum: CJP, A-S, GLFT's closed form, CJP's first quotes kept, 1/k on either side (s2_glft_cjp.out).
    let percents = [
        (Model::P1, Fills::Literal, [99.9832, 96.4514, 99.9264, 99.9186, 93.3245]),
        (Model::P1, Fills::Poisson, [99.3978, 95.9754, 98.9307, 99.3337, 92.4433]),
        (Model::P2, Fills::Literal, [99.9953, 86.7795, 88.0948, 98.6641, 87.8095]),
        (Model::P2, Fills::Poisson, [99.9929, 86.6959, 87.9866, 98.6583, 87.8189]),
        (Model::P3, Fills::Literal, [99.9922, 90.6574, 89.0643, 99.6412, 75.3054]),
        (Model::P3, Fills::Poisson, [99.9940, 90.0940, 88.3349, 99.6393, 75.0738]),
    ];
    for (model, fills, [cjp, avellaneda_stoikov, glft, frozen, symmetric]) in percents {
        let model = model.filled(fills);
        let best = optimum(&model).value();
        // Through the seat, where action 0 is the analytic quote itself; in single precision, which moves the seventh digit.
        for (base, percent) in [(Base::Cjp, cjp), (Base::AvellanedaStoikov, avellaneda_stoikov), (Base::Glft, glft)] {
            let seat = Seat { quoting: Quoting::Residual { base, reach: 2.0 }, ..Seat::new(model) };
            near(&format!("{base:?} {fills:?}"), 100.0 * evaluate(&seat, |_| [0.0; 2]) / best, percent, 6e-5);
        }
        let first = continuous::quotes(&model, model.horizon);
        let most = f64::from(model.inventory_max);
        let kept = evaluate_quotes(&model, |_, q, _| first[(q + most) as usize]);
        near("kept", 100.0 * kept / best, frozen, 6e-5);
        let direct = Seat { quoting: Quoting::Direct { from: -1.0, to: 3.0 }, ..Seat::new(model) };
        near("1/k", 100.0 * evaluate(&direct, |_| [0.0; 2]) / best, symmetric, 6e-5);
    }
}

#[test]
fn a_policy_is_asked_what_a_copy_sees() {
    // One state's worth is enough: two steps, one lot. Fields: time left 1, 0; inventory -1, 0, 1; drift -1, 0, 1.
    let model = Model { inventory_max: 1, ..Model::drifting(10.0) }.in_steps(2);
    let mut asked = Vec::new();
    let seat = Seat::new(model);
    assert_eq!(seat.fields(), ["time_left", "inventory", "drift"]);
    evaluate(&seat, |observation| {
        asked.push([observation[0], observation[1], observation[2]]);
        [0.0; 2]
    });
    let mut expected = Vec::new();
    for time in [0.0, 1.0] {
        for drift in [-1.0, 0.0, 1.0] {
            expected.extend([-1.0, 0.0, 1.0].map(|q| [time, q, drift]));
        }
    }
    assert_eq!(asked, expected);
}

#[test]
fn rows_and_single_questions_are_the_same_question() {
    let seat = Seat::new(Model::P2);
    let policy = |seen: &[f32]| [0.1 * seen[1], -0.1 * seen[0]];
    let rows = evaluate_rows(&seat.at(seat.model.a, seat.model.k), |seen, actions| {
        for (seen, action) in seen.chunks_exact(2).zip(actions.chunks_exact_mut(2)) {
            action.copy_from_slice(&policy(seen));
        }
    });
    assert_eq!(rows, evaluate(&seat, policy));
}

#[test]
fn two_steps_by_hand() {
    // A = 1, k = ln 2, T = 2, two steps, Q = 1, φ = 1/8, α = 1/4; quotes at depth 1 on both sides: p = A·dt·2⁻¹ = 1/2.
    // Last step. Holding q' costs 1/8·q'² + 1/4·q'² = 3/8·q'².
    //   q = 0: earns 1/2 + 1/2; ends at ±1 with 1/4 each: -3/16. Value 13/16.
    //   q = 1: the ask fills with 1/2: earns 1/2, else 3/8: 1/2 - 3/16 = 5/16. q = -1 the same.
    // First step, with g(0) = 13/16 and g(±1) = 5/16 - 1/8 = 3/16:
    //   q = 0: 1 + 1/4·3/16·2 + 1/2·13/16 = 1 + 3/32 + 13/32 = 3/2.
    let model = Model {
        a: 1.0,
        k: std::f64::consts::LN_2,
        horizon: 2.0,
        inventory_max: 1,
        running: 0.125,
        terminal: 0.25,
        ..Model::P1
    };
    near("two steps", evaluate_quotes(&model.in_steps(2), |_, _, _| [1.0; 2]), 1.5, 1e-15);
    // An impact of 1/16 against every lone fill, valued at the inventory it leads to: at q = 0 a lone fill (1/4 each side) costs
    // 1/16, so 1/32 in both steps; at q = ±1 the fill that leads back to 0 costs nothing. The first step reaches ±1 with 1/2 and
    // stays with 1/2: 1/32 + 1/2·1/32 = 3/64.
    let moved = model.in_steps(2).with_impact(0.0625);
    near("impact", evaluate_quotes(&moved, |_, _, _| [1.0; 2]), 1.5 - 3.0 / 64.0, 1e-15);
}

#[test]
fn no_quotes_beat_the_best() {
    // 500 times one state's quotes moved by up to 0.2/k: never better, and the best quotes themselves give the value the programme says.
    for model in [Model::P2, Model::P2.filled(Fills::Poisson), Model { inventory_max: 2, ..Model::drifting(20.0) }] {
        let model = model.in_steps(20).with_impact(0.1);
        let best = optimum(&model);
        let most = f64::from(model.inventory_max);
        let place =
            |q: f64, drift: f64| ((drift.signum() * f64::from(drift != 0.0) + 1.0) as usize, (q + most) as usize);
        let of = |step: u32, q: f64, drift: f64| {
            let (j, i) = place(q, drift);
            best.quotes[step as usize][if model.regimes.is_some() { j } else { 0 }][i]
        };
        near("itself", evaluate_quotes(&model, of), best.value(), 1e-12);
        let mut draws = papermaker::rng::Stream::new(1, "worse quotes");
        for _ in 0..500 {
            let (at, lots) = (draws.below(20) as u32, draws.below(2 * model.inventory_max as u64 + 1) as f64 - most);
            let by = [0.4 * draws.uniform() - 0.2, 0.4 * draws.uniform() - 0.2];
            let worse = evaluate_quotes(&model, |step, q, drift| {
                let [bid, ask] = of(step, q, drift);
                if (step, q) == (at, lots) { [bid + by[0], ask + by[1]] } else { [bid, ask] }
            });
            assert!(worse <= best.value() + 1e-12, "{by:?} at step {at}, {lots} lots: {worse} > {}", best.value());
        }
    }
}

#[test]
fn a_seat_that_cannot_be_says_why() {
    let seat = |model| Seat::new(model).check().unwrap_err().to_string();
    assert_eq!(seat(Model { k: 0.0, ..Model::P1 }), "k = 0 in a model world; it must be above 0");
    assert_eq!(seat(Model { a: f64::NAN, ..Model::P1 }), "a = NaN in a model world; it must be above 0");
    let quoting = Quoting::Residual { base: Base::Cjp, reach: 2.0 };
    let several = Seat { quoting, knowledge: Knowledge::Exact, ..Seat::new(Model::P1) };
    assert!(several.check().unwrap_err().to_string().contains("solved for one known world"));
    let backwards = Seat { quoting: Quoting::Direct { from: 1.0, to: 0.0 }, ..Seat::new(Model::P1) };
    assert_eq!(
        backwards.check().unwrap_err().to_string(),
        "reach (or to - from) = -1 in a model world; it must be above 0"
    );
}

#[test]
fn an_impact_and_a_drift_are_worth_what_they_are_in_continuous_time_when_steps_are_short() {
    // Literal steps err by a series in dt; three step counts take its first two terms away. TARGETS §2.3.
    let extrapolated = |model: Model| {
        let at = |steps| flat(&optimum(&model.in_steps(steps)).values);
        (8.0 * at(1600) - 6.0 * at(800) + at(400)) / 3.0
    };
    near("ξ = 0.2", extrapolated(Model::P1.with_impact(0.2)), 56.40606649, 2e-3);
    near("drift 10", extrapolated(Model::drifting(10.0)), 70.93310562, 5e-3);
}

//! Copies stepped with draws, against what they are worth exactly.

use papermaker::env::model::exact::{evaluate, evaluate_rows};
use papermaker::env::model::{Base, Clock, Copies, Fills, Knowledge, Model, Quoting, Seat, Start, Worlds};
use papermaker::env::{Came, Ended, Environments};

/// What copies of a world showed and paid in one step.
struct Seen {
    observations: Vec<f32>,
    rewards: Vec<f32>,
    ended: Vec<Ended>,
    finals: Vec<f32>,
}

impl Seen {
    fn new(copies: &Copies) -> Self {
        let rows = copies.copies() * copies.observation_len();
        let (rewards, ended) = (vec![0.0; copies.copies()], vec![Ended::No; copies.copies()]);
        Self { observations: vec![0.0; rows], rewards, ended, finals: vec![0.0; rows] }
    }

    fn step(&mut self, copies: &mut Copies, actions: &[f32]) {
        let came = Came {
            observations: &mut self.observations,
            rewards: &mut self.rewards,
            ended: &mut self.ended,
            finals: &mut self.finals,
        };
        copies.step(actions, came);
    }

    fn answer(&self, copies: &Copies, policy: &impl Fn(&[f32]) -> [f32; 2]) -> Vec<f32> {
        self.observations.chunks_exact(copies.observation_len()).flat_map(policy).collect()
    }
}

/// What a policy does.
type Rule = fn(&[f32]) -> [f32; 2];

/// Mean return of an episode and its standard error, price · lot.
fn sampled(seat: Seat, copies: usize, policy: impl Fn(&[f32]) -> [f32; 2]) -> (f64, f64) {
    let mut world = Copies::new(seat, copies, 11).expect("a seat");
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    let mut returns = vec![0.0; copies];
    for step in 0..seat.model.steps {
        let actions = seen.answer(&world, &policy);
        let scales: Vec<f32> = world.scales().collect();
        seen.step(&mut world, &actions);
        for ((sum, reward), scale) in returns.iter_mut().zip(&seen.rewards).zip(scales) {
            *sum += f64::from(*reward) / f64::from(scale);
        }
        let over = if step + 1 == seat.model.steps { Ended::Over } else { Ended::No };
        assert!(seen.ended.iter().all(|ended| *ended == over));
    }
    let mean = returns.iter().sum::<f64>() / copies as f64;
    let variance = returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / (copies as f64 - 1.0);
    (mean, (variance / copies as f64).sqrt())
}

/// Copies for one comparison: `PAPERMAKER_TEST_SIZE=full` takes a thousand times as many.
fn copies() -> usize {
    let full = std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full");
    if full { 1_000_000 } else { 1_000 }
}

#[test]
fn what_is_drawn_is_what_is_worked_out() {
    let glft = Quoting::Residual { base: Base::Glft, reach: 2.0 };
    let cjp = Quoting::Residual { base: Base::Cjp, reach: 1.0 };
    let direct = Quoting::Direct { from: 0.0, to: 3.0 };
    let p1 = Seat::new(Model::P1);
    let seats = [
        ("P1", p1),
        ("P1 Poisson", Seat { model: Model::P1.filled(Fills::Poisson), ..p1 }),
        ("P2", Seat { quoting: cjp, ..Seat::new(Model::P2) }),
        ("P3", Seat { quoting: direct, ..Seat::new(Model::P3) }),
        ("impact", Seat { model: Model::P1.with_impact(0.3), quoting: glft, ..p1 }),
        ("drift", Seat { model: Model::drifting(20.0), quoting: cjp, ..p1 }),
        ("drift Poisson", Seat { model: Model::drifting(10.0).filled(Fills::Poisson), ..p1 }),
    ];
    let policies: [(&str, Rule); 3] = [
        ("as it is", |_| [0.0; 2]),
        ("wide when long", |seen| [0.5 * seen[1], -0.5 * seen[1]]),
        ("closer towards the end, beyond the bounds", |seen| [-0.2 * seen[0] - seen[seen.len() - 1], 3.0 * seen[0]]),
    ];
    for (name, seat) in seats {
        for (how, policy) in policies {
            let exact = evaluate(&seat, policy);
            let (mean, error) = sampled(seat, copies(), policy);
            // 21 comparisons at 3.5 standard errors: all hold in 99 of 100 seeds; this is one of those.
            assert!((mean - exact).abs() < 3.5 * error, "{name}, {how}: {mean} ± {error}, not {exact}");
        }
    }
}

#[test]
fn worlds_between_bounds_are_each_worth_what_they_are_alone() {
    // A point for a box: every episode in the world of A = 280, k = 0.75, which the agent is told.
    let worlds = Worlds::Between { a: [2.0, 2.0], k: [0.5, 0.5] };
    let quoting = Quoting::Residual { base: Base::Glft, reach: 2.0 };
    let seat = Seat { worlds, quoting, knowledge: Knowledge::Exact, ..Seat::new(Model::P1) };
    assert_eq!(seat.fields(), ["time_left", "inventory", "ln_a", "ln_k"]);
    let policy = |seen: &[f32]| {
        // ln 2 over ln 2, and ln ½ over ln 2.
        assert!((seen[2] - 1.0).abs() < 1e-6 && (seen[3] + 1.0).abs() < 1e-6, "{seen:?}");
        [0.1 * seen[2], 0.1 * seen[3]]
    };
    let exact = evaluate_rows(&seat.at(280.0, 0.75), |seen, actions| {
        for (seen, action) in seen.chunks_exact(4).zip(actions.chunks_exact_mut(2)) {
            action.copy_from_slice(&policy(seen));
        }
    });
    let (mean, error) = sampled(seat, copies(), policy);
    assert!((mean - exact).abs() < 3.5 * error, "{mean} ± {error}, not {exact}");
}

#[test]
fn every_episode_may_be_in_another_world_and_says_so() {
    let worlds = Worlds::Between { a: [0.5, 2.0], k: [0.5, 2.0] };
    let quoting = Quoting::Residual { base: Base::Glft, reach: 2.0 };
    let known = Seat { worlds, quoting, knowledge: Knowledge::Exact, ..Seat::new(Model::P2.in_steps(3)) };
    let guessed = Seat { knowledge: Knowledge::Estimated { orders: 100.0 }, ..known };
    let spread_of = |seat: Seat| {
        let mut world = Copies::new(seat, 1000, 1).expect("a seat");
        let mut seen = Seen::new(&world);
        world.reset(&mut seen.observations);
        let first = seen.observations.clone();
        for _ in 0..3 {
            seen.step(&mut world, &[0.0; 2000]);
        }
        assert_ne!(first, seen.observations, "another episode, other worlds");
        let k: Vec<f64> = seen.observations.chunks_exact(4).map(|row| f64::from(row[3])).collect();
        let mean = k.iter().sum::<f64>() / 1000.0;
        (mean, (k.iter().map(|k| (k - mean) * (k - mean)).sum::<f64>() / 1000.0).sqrt())
    };
    // Log-uniform over all there is: uniform on [-1, 1], standard deviation 1/√3 = 0.577; 0.1 more of errors over ln 2 = 0.693:
    // √(1/3 + 0.1²/0.48) = 0.595. Standard errors 0.018 of a mean and 0.008 of a deviation.
    let (mean, deviation) = spread_of(known);
    assert!(mean.abs() < 0.06 && (deviation - 0.577).abs() < 0.03, "{mean} {deviation}");
    let (mean, deviation) = spread_of(guessed);
    assert!(mean.abs() < 0.06 && (deviation - 0.595).abs() < 0.03, "{mean} {deviation}");
}

#[test]
fn an_episode_that_ends_shows_its_last_moment_and_begins_again() {
    let mut world = Copies::new(Seat::new(Model::P2.in_steps(2)), 20, 1).expect("a seat");
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    assert!(seen.observations.chunks_exact(2).all(|row| row == [1.0, 0.0]));
    // Through the mid on the bid only: at depth 1/k - 2/k a bid of A·dt·e = 13.6 arrivals is sure to fill.
    let actions = [-1.0, 1.0].repeat(20);
    seen.finals.fill(9.0);
    seen.step(&mut world, &actions);
    assert!(seen.observations.chunks_exact(2).all(|row| row[0] == 0.0 && row[1] > -0.3), "half of the time is left");
    assert!(seen.finals.iter().all(|x| *x == 9.0), "nothing has ended");
    let before: Vec<f32> = world.inventories().collect();
    assert!(before.contains(&1.0));
    seen.step(&mut world, &actions);
    for (row, last) in seen.observations.chunks_exact(2).zip(seen.finals.chunks_exact(2)) {
        assert_eq!(row, [1.0, 0.0]);
        assert_eq!(last[0], -1.0);
    }
    assert!(seen.finals.chunks_exact(2).any(|last| last[1] >= 0.25), "some bought");
    assert_eq!(seen.ended, [Ended::Over; 20]);
}

#[test]
fn starts_are_anywhere_where_asked_for() {
    let seat = Seat { start: Start::Anywhere, ..Seat::new(Model { inventory_max: 1, ..Model::drifting(1.0) }) };
    let mut world = Copies::new(seat, 9000, 1).expect("a seat");
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    // 9 states, 1000 of 9000 each; the standard error of a count is 30.
    for q in [-1.0, 0.0, 1.0] {
        for drift in [-1.0, 0.0, 1.0] {
            let count = seen.observations.chunks_exact(3).filter(|row| row[1] == q && row[2] == drift).count();
            assert!(count.abs_diff(1000) < 120, "{q} {drift}: {count}");
        }
    }
}

#[test]
fn days_begin_at_any_time_where_asked_for() {
    let seat = Seat { start: Start::Anytime, ..Seat::new(Model { inventory_max: 1, ..Model::P2.in_steps(4) }) };
    let mut world = Copies::new(seat, 16 * 8000, 1).expect("a seat");
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    // Sixteen copies begin together, with 4, 3, 2 or 1 steps left, 2000 of 8000 each; the standard error of a count is 39. And 3 inventories.
    for left in [1.0, 0.5, 0.0, -0.5] {
        let blocks =
            seen.observations.chunks_exact(16 * 2).filter(|rows| rows.chunks_exact(2).all(|row| row[0] == left));
        assert!(blocks.count().abs_diff(2000) < 160, "{left}");
    }
    for q in [-1.0, 0.0, 1.0] {
        let count = seen.observations.chunks_exact(2).filter(|row| row[1] == q).count();
        assert!(count.abs_diff(16 * 8000 / 3) < 700, "{q}: {count}");
    }
    // Who had one step left is over after it, and nobody else.
    let last: Vec<bool> = seen.observations.chunks_exact(2).map(|row| row[0] == -0.5).collect();
    seen.step(&mut world, &vec![0.0; 2 * 16 * 8000]);
    assert!(seen.ended.iter().zip(&last).all(|(ended, last)| (*ended == Ended::Over) == *last));
}

#[test]
fn a_logarithmic_clock_gives_the_end_as_much_room_as_the_day() {
    // Sixteen steps: 16 left says 1, and each halving a half less, 8 ½, 4 0, 2 -½, the last -1; where it is over it stays there.
    let seat = Seat { clock: Clock::Logarithmic, ..Seat::new(Model::drifting(1.0).in_steps(16)) };
    assert_eq!(seat.fields(), ["time_left", "inventory", "drift", "ln_time_left"]);
    let mut world = Copies::new(seat, 16, 1).expect("a seat");
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    for step in 0..16 {
        let known = [(0, 1.0), (8, 0.5), (12, 0.0), (14, -0.5), (15, -1.0)];
        if let Some((_, clock)) = known.iter().find(|(at, _)| *at == step) {
            assert!(
                (seen.observations[3] - clock).abs() < 1e-6,
                "{clock} at step {step}, not {}",
                seen.observations[3]
            );
        }
        seen.step(&mut world, &[0.0; 32]);
    }
    assert_eq!((seen.ended[0], seen.finals[3], seen.observations[3]), (Ended::Over, -1.0, 1.0));
    // Told A and k as well, six numbers are seen, those two last.
    let told = Seat { knowledge: Knowledge::Exact, ..seat };
    assert_eq!(told.fields()[4..], ["ln_a", "ln_k"]);
    let mut world = Copies::new(told, 5, 1).expect("a seat");
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    assert_eq!(seen.observations, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0].repeat(5));
}

#[test]
fn blocks_can_be_spread_over_the_horizon() {
    let mut world = Copies::new(Seat::new(Model::P2), 64, 1).expect("a seat").spread();
    let mut seen = Seen::new(&world);
    world.reset(&mut seen.observations);
    // Four blocks of sixteen at steps 0, 25, 50, 75 of 100: time left 1, 0.5, 0, -0.5.
    for (row, time) in seen.observations.chunks_exact(2).zip([1.0, 0.5, 0.0, -0.5].iter().flat_map(|t| [*t; 16])) {
        assert!((row[0] - time).abs() < 1e-6, "{row:?}, not {time}");
    }
    let endings: Vec<usize> = (0..100)
        .map(|_| {
            seen.step(&mut world, &[0.0; 128]);
            seen.ended.iter().filter(|ended| **ended == Ended::Over).count()
        })
        .collect();
    let steps: Vec<usize> = endings.iter().enumerate().filter(|(_, n)| **n == 16).map(|(step, _)| step).collect();
    assert_eq!(steps, [24, 49, 74, 99]);
}

#[test]
fn a_saved_world_goes_on_as_if_nothing_had_been() {
    let worlds = Worlds::Between { a: [0.5, 2.0], k: [0.5, 2.0] };
    let quoting = Quoting::Residual { base: Base::Glft, reach: 2.0 };
    let model = Model::drifting(5.0).in_steps(7);
    let seat = Seat { worlds, quoting, knowledge: Knowledge::Exact, start: Start::Anywhere, ..Seat::new(model) };
    let run = |interrupted: bool| {
        let mut world = Copies::new(seat, 37, 5).expect("a seat");
        let mut seen = Seen::new(&world);
        world.reset(&mut seen.observations);
        let mut all = Vec::new();
        for step in 0..30 {
            if interrupted && step % 4 == 1 {
                let saved = world.save();
                world = Copies::new(seat, 37, 99).expect("a seat");
                world.restore(&saved).expect("its own state");
            }
            let actions: Vec<f32> = (0..74).map(|i| ((i * 7 + step) % 5) as f32 * 0.1 - 0.2).collect();
            seen.step(&mut world, &actions);
            all.push((seen.observations.clone(), seen.rewards.clone(), seen.ended.clone(), seen.finals.clone()));
        }
        all
    };
    assert!(run(false) == run(true), "an interruption shows");
    let mut world = Copies::new(seat, 37, 5).expect("a seat");
    let other = Copies::new(seat, 64, 5).expect("a seat").save();
    assert!(world.restore(&other).unwrap_err().contains("(4, 4) blocks and worlds in copies of (3, 3)"));
    assert!(world.restore(&[1, 2, 3]).unwrap_err().starts_with("3 bytes are no state of model worlds"));
}

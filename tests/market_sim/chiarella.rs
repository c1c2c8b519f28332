//! How far a market of agents with finite orders and ticks is from the equations that its agents stand for.
//!
//! Fundamentalists, chartists and noise trade against makers who quote the same depth at every tick around the mid, so that what
//! is bought moves the mid in proportion and the extended Chiarella model (`sim::chiarella`) should hold. The price's own
//! coefficients are read off by regression, `ΔP ≈ (-κδ + βγM)Δt + noise`; then the closed-form covariance of mispricing and
//! momentum with those coefficients stands beside that of the market.

use papermaker::numeric::sqrt;
use papermaker::sim::chiarella::{Chiarella, Covariance, Momentum};
use papermaker::sim::{SimSpec, World};
use papermaker::units::{Nanos, Side};

/// Three makers of 20 lots a tick: 60 lots a tick, and the mid goes half as far as the touch, so 120 lots are one tick of it.
/// Twenty fundamentalists a second with 0.3 lots a tick are κ = 0.05/s; twenty chartists a second with 18 lots and 0.05 s/tick
/// are βγ = 0.15; five noise orders a second of 600 lots are some 5·√5 = 11 ticks/√s. The value walks 5.4 ticks/√s.
const MARKET: &str = r#"
warm_up_s = 120

[[market]]
base = "BTC"
quote = "USDT"
tick_quote = "0.10"
lot_base = "0.00001"
start_ticks = 600_000
value = { volatility_bps = 0.09, pull_back_s = 1e9, step_s = 0.05 }
rescue = { depth_ticks = 200, lots = 2_000 }

[[market.market_maker]]
name = "maker"
count = 3
mean_wait_s = 0.1
value_weight = 0.0
half_spread_ticks = 0
levels = 64
spacing_ticks = 1
size = { fixed = { lots = 20 } }
position_max_lots = 1_000_000_000
skew_ticks = 0
takes = false

[[market.fundamental]]
name = "value"
count = 20
mean_wait_s = 1
kappa_lots_per_tick = 0.3
max_lots = 100_000
taking_share = 1.0
lifetime = { exponential = { mean_s = 1 } }

[[market.momentum]]
name = "trend"
count = 20
mean_wait_s = 1
taking_share = 1.0
lifetime = { exponential = { mean_s = 0.01 } }
trend = { chiarella = { alpha_per_s = 0.2, beta_lots = 18, gamma_s_per_tick = 0.05 } }

[[market.zero_intelligence]]
name = "noise"
limits = { per_s = 0.01 }
markets = { per_s = 5.0 }
placement = { opposite = { scale_ticks = 120, exponent = 1.5, ticks_max = 2_000 } }
limit_size = { fixed = { lots = 1 } }
market_size = { fixed = { lots = 600 } }
lifetime = { exponential = { mean_s = 1 } }
"#;

/// The market's value, ticks/√s: 0.09 basis points of 600,000 ticks.
const VALUE_NOISE: f64 = 0.09 * 60.0;
const ALPHA: f64 = 0.2;

/// What a market shows: the coefficients of its price, and the covariance of its states.
fn measured(seconds: i64) -> (Chiarella, Covariance) {
    let sim = SimSpec::from_toml(MARKET).unwrap_or_else(|faults| panic!("{faults:?}"));
    let (mut world, mut events) = (World::new(1, &sim), Vec::new());
    let dt = 0.5;
    let mid = |world: &World| {
        let best = |side| world.engine(0).best(side).expect("never empty").price.0 as f64;
        0.5 * (best(Side::Bid) + best(Side::Ask))
    };
    let (mut price, mut momentum) = (mid(&world), 0.0);
    // Sums of products of δ, M and the price's move after them.
    let [mut dd, mut dm, mut mm, mut dp, mut mp, mut pp] = [0.0; 6];
    let steps = 2 * seconds;
    for step in 1..=steps {
        let delta = price - world.value(0);
        world.advance(Nanos::from_ms(500 * step), &mut events);
        events.clear();
        let moved = mid(&world) - price;
        dd += delta * delta;
        dm += delta * momentum;
        mm += momentum * momentum;
        dp += delta * moved;
        mp += momentum * moved;
        pp += moved * moved;
        price += moved;
        momentum += ALPHA * (moved - momentum * dt);
    }
    // ΔP = aδ + bM: the normal equations.
    let det = dd * mm - dm * dm;
    let (a, b) = ((dp * mm - mp * dm) / det, (mp * dd - dp * dm) / det);
    let n = steps as f64;
    let rest = (pp - a * dp - b * mp) / n;
    // In the linear regime only the product βγ counts.
    let momenta = vec![Momentum { alpha: ALPHA, beta: b / dt / 0.05, gamma: 0.05 }];
    let (kappa, noise) = (-a / dt, sqrt(rest / dt));
    let model = Chiarella { kappa, kappa3: 0.0, momenta, drift: 0.0, noise, value_noise: VALUE_NOISE };
    (model, Covariance { mispricing: dd / n, momentum: mm / n, correlation: dm / sqrt(dd * mm) })
}

#[test]
fn the_agents_market_has_nearly_the_covariance_of_its_equation() {
    let full = std::env::var("PAPERMAKER_TEST_SIZE").is_ok_and(|size| size == "full");
    let (model, found) = measured(if full { 86_400 } else { 3_600 });
    let exact = model.stationary().expect("stable");
    let law = model.momenta[0];
    eprintln!(
        "agents' market: κ {:.4} (0.05 by design), βγ {:.3} (0.15), σ_N {:.2} ticks/√s (11)",
        model.kappa,
        law.beta * law.gamma,
        model.noise
    );
    eprintln!(
        "var δ {:.1}, the equation's {:.1}; var M {:.3}, {:.3}; correlation {:.3}, {:.3}",
        found.mispricing, exact.mispricing, found.momentum, exact.momentum, found.correlation, exact.correlation
    );
    assert!(model.kappa > 0.0 && model.noise > 0.0, "{model:?}");
    let near = |found: f64, exact: f64| (0.5..2.0).contains(&(found / exact));
    assert!(near(found.mispricing, exact.mispricing) && near(found.momentum, exact.momentum), "{found:?} {exact:?}");
}

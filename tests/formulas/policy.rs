//! A learned policy in the strategy's chair: networks small enough to know what they say.

use papermaker::digest::Digest;
use papermaker::numeric::{exp, ln};
use papermaker::order::{Order, OrderId, OrderKind, OrderState};
use papermaker::signal::observation::{Feature, Schema};
use papermaker::strategy::glft::closed_form;
use papermaker::strategy::policy::{weights_digest, weights_wanted, with_weights};
use papermaker::strategy::{Strategy, View, Wanted, build, mlp};
use papermaker::units::{LocalTime, Lots, Side, Ticks};

use super::decisions::{Scene, btcusdt};
use super::near;

const BELIEFS: &str = "order_amount_base = \"0.001\"\nsigma_fixed_ticks = 200.0\na_fixed_per_s = 5.0\n\
                       k_fixed_per_tick = 0.03\nrisk_factor = 3e-5\n";

/// A safetensors file of one layer: `outputs = bias + weight·inputs`, `weight` by `[input][output]`.
pub fn file(weight: &[&[f32]], bias: &[f32]) -> Vec<u8> {
    let (inputs, outputs) = (weight.len(), bias.len());
    let (key, value) = mlp::METADATA;
    let (first, second) = (4 * outputs, 4 * (outputs + inputs * outputs));
    let header = format!(
        "{{\"__metadata__\":{{\"{key}\":\"{value}\"}},\
         \"layers.0.bias\":{{\"dtype\":\"F32\",\"shape\":[{outputs}],\"data_offsets\":[0,{first}]}},\
         \"layers.0.weight\":{{\"dtype\":\"F32\",\"shape\":[{inputs},{outputs}],\"data_offsets\":[{first},{second}]}}}}"
    );
    let numbers = bias.iter().chain(weight.iter().flat_map(|row| row.iter()));
    let data: Vec<u8> = numbers.flat_map(|x| x.to_le_bytes()).collect();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// What a policy file says, of a network that sees inventory (of 10 order amounts) and the spread.
fn card(bytes: &[u8], more: &str) -> String {
    let features = vec![Feature::Inventory { orders_max: 10.0 }, Feature::Spread];
    let seen = Schema::new(features).unwrap().digest();
    format!(
        "kind = \"policy\"\n{BELIEFS}weights = \"some.safetensors\"\nweights_blake3 = \"{}\"\n\
         observation_blake3 = \"{seen}\"\nobservation_mean = [0.1, 0.0]\nobservation_spread = [0.2, 100.0]\n{more}\n\
         [[observation]]\nfeature = \"inventory\"\norders_max = 10.0\n[[observation]]\nfeature = \"spread\"\n",
        Digest::of(bytes)
    )
}

fn make(bytes: &[u8], more: &str) -> Box<dyn Strategy> {
    build(&with_weights(&card(bytes, more), bytes), &btcusdt()).unwrap()
}

fn refused(text: &str) -> String {
    build(text, &btcusdt()).map(|s| s.name()).expect_err("refused").to_string()
}

#[test]
fn a_policy_that_learnt_nothing_is_glft() {
    let bytes = file(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.0, 0.0]);
    let mut policy = make(&bytes, "");
    let mut glft = build(&format!("kind = \"glft\"\n{BELIEFS}"), &btcusdt()).unwrap();
    for lots in [-300, -50, 0, 37, 200] {
        let scene = Scene::new(5_999_000, 6_001_001).holding(lots);
        let (ours, its) = (policy.decide(&scene.view()), glft.decide(&scene.view()));
        assert_eq!(ours.wanted, its.wanted);
        assert_eq!(ours.why.action, Some([0.0, 0.0]));
        assert_eq!((ours.why.bid_distance, ours.why.reservation), (its.why.bid_distance, its.why.reservation));
    }
}

#[test]
fn an_action_moves_its_quote_by_so_much_of_one_over_k_and_no_more() {
    // Three order amounts are 0.3 of 10; less 0.1, over 0.2: the network sees 1. Its bid says 0.25 + 0.25·1 = 0.5, its ask 0 - 3·1 = -3,
    // which counts as -1.
    let bytes = file(&[&[0.25, -3.0], &[0.0, 0.0]], &[0.25, 0.0]);
    let scene = Scene::new(5_999_000, 6_001_001).holding(300);
    let why = make(&bytes, "reach = 0.9").decide(&scene.view()).why;
    let (half, _) = closed_form(3e-5, 200.0, 5.0, 0.03, 1.0);
    near(why.bid_distance, half + 0.5 * 0.9 / 0.03, 1e-5);
    near(why.ask_distance, half - 0.9 / 0.03, 1e-5);
    let [bid, ask] = why.action.unwrap();
    near(bid, 0.5, 1e-6);
    near(ask, -3.0, 1e-6);
    assert_eq!(why.logp, None);
    // half is 35 ticks: an ask 50 ticks further in stops at the reservation price, like every strategy's.
    assert_eq!(make(&bytes, "reach = 1.5").decide(&scene.view()).why.ask_distance, 0.0);
}

#[test]
fn depths_are_quotes_themselves() {
    // The network of the test above, 300 lots long: 0.5 for the bid, and -3, which counts as -1, for the ask.
    let bytes = file(&[&[0.25, -3.0], &[0.0, 0.0]], &[0.25, 0.0]);
    let scene = Scene::new(5_999_000, 6_001_001).holding(300);
    let why = make(&bytes, "depths = [0.2, 3.0]").decide(&scene.view()).why;
    // From 0.2 to 3: 2.3 at three quarters of the way, in 1/k of 33.3 ticks; from the mid, however much is held.
    near(why.reservation, 6_000_000.5, 1e-9);
    near(why.bid_distance, 2.3 / 0.03, 1e-5);
    near(why.ask_distance, 0.2 / 0.03, 1e-5);

    let says = |more: &str| refused(&with_weights(&card(&bytes, more), &bytes));
    let both = says("reach = 1.0\ndepths = [0.0, 2.0]");
    assert!(both.contains("reach") && both.contains("depths"), "{both}");
    for wrong in ["depths = [2.0, 1.0]", "depths = [1.0]", "depths = [-1.0, 2.0]", "depths = 3.0"] {
        let said = says(wrong);
        assert!(said.contains("depths") && said.contains("1/k"), "{wrong}: {said}");
    }
}

#[test]
fn the_third_output_holds_and_the_fourth_flattens() {
    let says = |hold: f32, flatten: f32| file(&[&[0.0; 4], &[0.0; 4]], &[0.0, 0.0, hold, flatten]);
    let (flat, long) = (Scene::new(5_999_000, 6_001_001), Scene::new(5_999_000, 6_001_001).holding(500));
    assert_eq!(make(&says(0.3, -1.0), "hold_above = 0.2").decide(&long.view()).wanted, Wanted::Keep);
    assert!(matches!(make(&says(0.1, -1.0), "hold_above = 0.2").decide(&long.view()).wanted, Wanted::Quotes(_)));
    assert_eq!(make(&says(1.0, 1.0), "").decide(&long.view()).wanted, Wanted::Flatten);
    assert_eq!(make(&says(1.0, 1.0), "").decide(&flat.view()).wanted, Wanted::Keep, "nothing to flatten");
    // Five order amounts are too many, whatever the network says.
    let quiet = file(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.0, 0.0]);
    assert_eq!(make(&quiet, "flatten_orders = 5.0").decide(&long.view()).wanted, Wanted::Flatten);
    assert!(matches!(make(&quiet, "flatten_orders = 5.5").decide(&long.view()).wanted, Wanted::Quotes(_)));
}

#[test]
fn quotes_that_need_hardly_move_stay() {
    let bytes = file(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.0, 0.0]);
    let scene = Scene::new(5_999_000, 6_001_001);
    let Wanted::Quotes(quotes) = make(&bytes, "").decide(&scene.view()).wanted else { panic!("quotes") };
    let resting = |off: i64| -> Vec<Order> {
        let order = |(n, quote): (usize, &papermaker::strategy::Quote)| Order {
            id: OrderId(n as u64),
            instrument: scene.view().instrument,
            side: quote.side,
            price: Ticks(quote.price.0 + off),
            qty: quote.qty,
            remaining: quote.qty,
            kind: OrderKind::PostOnly,
            state: OrderState::Working,
            sent: LocalTime(0),
            joined_behind: Some(Lots(0)),
        };
        quotes.iter().enumerate().map(order).collect()
    };
    for (off, more, stays) in [(3, "hold_ticks = 3", true), (4, "hold_ticks = 3", false), (0, "", false)] {
        let orders = resting(off);
        let view = View { orders: &orders, ..scene.view() };
        assert_eq!(make(&bytes, more).decide(&view).wanted == Wanted::Keep, stays, "{off} ticks off, {more}");
    }
    let half = &resting(0)[..1];
    let view = View { orders: half, ..scene.view() };
    assert_ne!(make(&bytes, "hold_ticks = 3").decide(&view).wanted, Wanted::Keep, "one side is missing");
    assert_eq!(half[0].side, Side::Bid);
}

#[test]
fn a_policy_that_explores_says_how_likely_it_was_and_resumes() {
    let bytes = file(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.2, -0.2]);
    // e^-1 and e^-2.
    let more = "explore = true\nlog_std = [-1.0, -2.0]\nexplore_seed = 4";
    let scene = Scene::new(5_999_000, 6_001_001);
    let mut policy = make(&bytes, more);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let why = policy.decide(&scene.view()).why;
        let ([bid, ask], logp) = (why.action.unwrap(), why.logp.unwrap());
        let (x, y) = ((bid - 0.2) * exp(1.0), (ask + 0.2) * exp(2.0));
        near(logp, -0.5 * (x * x + y * y) + 3.0 - ln(std::f64::consts::TAU), 1e-5);
        seen.push(bid);
    }
    seen.dedup();
    assert_eq!(seen.len(), 5, "{seen:?}");
    let mut resumed = make(&bytes, more);
    resumed.restore(&policy.save()).unwrap();
    assert_eq!(policy.decide(&scene.view()), resumed.decide(&scene.view()));
    assert!(resumed.restore(&[1, 2]).unwrap_err().starts_with("not a saved policy"));
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_name() {
    let bytes = file(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.0, 0.0]);
    let good = with_weights(&card(&bytes, ""), &bytes);
    assert_eq!(weights_wanted(&card(&bytes, "")), Some("some.safetensors".to_owned()));
    assert_eq!(weights_wanted(&good), None, "they are there");
    assert_eq!(weights_digest(&good), Some(Digest::of(&bytes)));
    assert_eq!(weights_digest(&good.replace("\"policy\"", "\"glft\"")), None);
    assert!(refused(&card(&bytes, "")).contains("\"some.safetensors\": its bytes are not in the strategy"));

    let other = file(&[&[0.0, 0.0], &[0.0, 0.0]], &[0.0, 0.5]);
    let swapped = refused(&with_weights(&card(&bytes, ""), &other));
    assert!(swapped.contains(&Digest::of(&other).to_string()) && swapped.contains("not the one meant"), "{swapped}");

    let trained = Schema::new(vec![Feature::Inventory { orders_max: 10.0 }, Feature::Spread]).unwrap().digest();
    let unlike = refused(&good.replace("orders_max = 10.0", "orders_max = 20.0"));
    for part in
        ["trained on another observation", &trained.to_string(), "inventory, order amounts over 20; spread, in 1/k"]
    {
        assert!(unlike.contains(part), "{unlike}");
    }
    let narrow = file(&[&[0.0, 0.0]], &[0.0, 0.0]);
    assert!(
        refused(&with_weights(&card(&narrow, ""), &narrow))
            .contains("the network has 1 inputs for 2 features, and 2 outputs for 2 or 4")
    );
    let short = refused(&good.replace("observation_spread = [0.2, 100.0]", "observation_spread = [0.2]"));
    assert!(short.contains("2 means and 1 spreads for 2 numbers"), "{short}");
    assert!(refused(&good.replace("weights_hex = \"", "weights_hex = \"z")).contains("pairs of hex digits"));
    assert!(refused(&with_weights(&card(&bytes, "explore = true"), &bytes)).contains("log_std is missing"));
    assert!(refused(&with_weights(&card(&bytes, "hold_tick = 3"), &bytes)).contains("did you mean hold_ticks?"));
}

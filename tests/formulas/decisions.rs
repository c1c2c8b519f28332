//! What the strategies say when asked, against the formulas they claim.

use papermaker::market::{Book, Contract, Instrument, InstrumentId, Kind, Level, PriceRule, VenueId};
use papermaker::signal::{SignalSpec, Signals, Top};
use papermaker::strategy::avellaneda_stoikov::{reservation_price, spread};
use papermaker::strategy::glft::{Exact, closed_form};
use papermaker::strategy::{BUILT_IN, Estimator, Idle, Quote, Strategy, StrategyError, View, Wanted, build, check};
use papermaker::units::{LocalTime, Lots, Money, Nanos, Rate, Side, Step, Ticks};

pub fn btcusdt() -> Instrument {
    let (tick, lot) = (Step::parse("0.01").unwrap(), Step::parse("0.00001").unwrap());
    let mut rules = Instrument::new(VenueId::BinanceSpot, "BTCUSDT", "BTC", "USDT", tick, lot).unwrap();
    rules.min_notional = money("5");
    rules
}

/// Contracts of 10 USD, settled in BTC.
fn inverse() -> Instrument {
    let contract = Contract { kind: Kind::Inverse, unit: Step::ONE, settle: "BTC".to_owned(), funding_every: None };
    let (tick, lot) = (Step::parse("0.5").unwrap(), Step::parse("10").unwrap());
    let spot = Instrument::new(VenueId::Deribit, "BTC-PERPETUAL", "BTC", "USD", tick, lot).unwrap();
    spot.with_contract(contract)
}

fn money(text: &str) -> Money {
    Money::from_decimal(text.parse().unwrap()).unwrap()
}

/// A market to be asked about.
pub struct Scene {
    rules: Instrument,
    book: Book,
    pub signals: Signals,
    top: Top,
    position: i64,
    room: (i64, i64),
    now_s: f64,
}

impl Scene {
    pub fn new(bid: i64, ask: i64) -> Self {
        let level = |price| Level { price: Ticks(price), qty: Lots(100_000) };
        let spec = SignalSpec {
            volatility_grid_ms: 1000,
            volatility_half_life_s: 60.0,
            volatility_samples_min: 10,
            intensity_window_s: 600.0,
            intensity_orders_min: 50,
            intensity_refit_s: 5.0,
            intensity_k_min: 1e-4,
            intensity_k_max: 2.0,
        };
        Self {
            rules: btcusdt(),
            book: Book::new(),
            signals: Signals::new(spec),
            top: Top { bid: level(bid), ask: level(ask) },
            position: 0,
            room: (1_000_000, 1_000_000),
            now_s: 0.0,
        }
    }

    pub fn holding(mut self, lots: i64) -> Self {
        self.position = lots;
        self
    }

    pub fn view(&self) -> View<'_> {
        let elapsed = Nanos((self.now_s * 1e9) as i64);
        View {
            now: LocalTime(1_700_000_000_000_000_000) + elapsed,
            elapsed,
            instrument: InstrumentId(0),
            rules: &self.rules,
            book: &self.book,
            top: self.top,
            signals: &self.signals,
            position: Lots(self.position),
            orders: &[],
            book_has_ours: false,
            room_to_buy: Lots(self.room.0),
            room_to_sell: Lots(self.room.1),
            maker_fee: Rate(10_000),
            taker_fee: Rate(10_000),
            latency: Nanos::from_ms(2),
            funding_in: None,
        }
    }

    fn ask(&self, strategy: &mut dyn Strategy) -> Vec<Quote> {
        match strategy.decide(&self.view()).wanted {
            Wanted::Quotes(quotes) => quotes.to_vec(),
            other => panic!("expected quotes, got {other:?}"),
        }
    }

    fn prices(&self, strategy: &mut dyn Strategy) -> (i64, i64) {
        let quotes = self.ask(strategy);
        assert_eq!(quotes.len(), 2, "two-sided: {quotes:?}");
        assert_eq!((quotes[0].side, quotes[1].side), (Side::Bid, Side::Ask));
        (quotes[0].price.0, quotes[1].price.0)
    }
}

fn make(toml: &str) -> Box<dyn Strategy> {
    build(toml, &btcusdt()).unwrap()
}

/// σ = 200 ticks/√s, A = 5/s, k = 0.03/tick: something like BTCUSDT.
const KNOWN: &str = "order_amount_base = \"0.001\"\nsigma_fixed_ticks = 200.0\na_fixed_per_s = 5.0\n\
                     k_fixed_per_tick = 0.03\nrisk_factor = 3e-5\n";

#[test]
fn avellaneda_stoikov_quotes_its_formula_rounded_away_from_mid() {
    let mut strategy = make(&format!("kind = \"avellaneda-stoikov\"\n{KNOWN}horizon_s = 10.0"));
    for units in [-3.0, -0.5, 0.0, 0.37, 2.0] {
        // A wide market, so that the clamp at the other side's best stays out of the way.
        let scene = Scene::new(5_999_000, 6_001_001).holding((100.0 * units) as i64);
        let mid = 6_000_000.5;
        let r = reservation_price(mid, units, 3e-5, 200.0, 10.0);
        let half = 0.5 * spread(3e-5, 200.0, 0.03, 10.0);
        assert_eq!(scene.prices(&mut *strategy), ((r - half).floor() as i64, (r + half).ceil() as i64), "q = {units}");
        let why = strategy.decide(&scene.view()).why;
        assert_eq!((why.reservation, why.bid_distance, why.ask_distance), (r, half, half));
        // 100 lots in an order amount.
        assert_eq!((why.sigma, why.a, why.k, why.gamma), (200.0, 5.0, 0.03, 3e-5 / 100.0));
    }
    // By hand, flat: γσ²T = 3e-5·40000·10 = 12; (2/γ)·ln(1.001) = 66.63; half 39.32 → 5 999 961 and 6 000 040.
    assert_eq!(Scene::new(5_999_000, 6_001_001).prices(&mut *strategy), (5_999_961, 6_000_040));
}

#[test]
fn a_repeating_horizon_counts_down_and_starts_again() {
    let text = format!("kind = \"avellaneda-stoikov\"\n{KNOWN}horizon_s = 10.0\nexecution_timeframe = \"repeating\"");
    let mut strategy = make(&text);
    for (now_s, left_s) in [(0.0, 10.0), (2.5, 7.5), (9.0, 1.0), (10.0, 10.0), (23.0, 7.0)] {
        let mut scene = Scene::new(5_999_000, 6_001_001).holding(200);
        scene.now_s = now_s;
        let r = strategy.decide(&scene.view()).why.reservation;
        super::near(r, reservation_price(6_000_000.5, 2.0, 3e-5, 200.0, left_s), 1e-6);
    }
}

#[test]
fn without_an_end_inventory_is_pushed_back_from_its_bound() {
    let text =
        format!("kind = \"avellaneda-stoikov\"\n{KNOWN}execution_timeframe = \"infinite\"\ninventory_max_orders = 4")
            .replace("risk_factor = 3e-5", "risk_factor = 6.0\nrisk_factor_unit = \"per-volatility\"");
    let mut strategy = make(&text);
    let mut last = f64::INFINITY;
    for units in [-4, -2, 0, 2, 4, 9] {
        let scene = Scene::new(5_999_000, 6_001_001).holding(100 * units);
        let why = strategy.decide(&scene.view()).why;
        assert!(why.reservation < last || units == 9, "q = {units}: {why:?}");
        last = why.reservation;
    }
    // Flat: r̄ᵃ - s = (1/γ)·ln(1 + 1/25), r̄ᵇ - s = (1/γ)·ln(1 - 1/25), γ = 6/200 = 0.03; their mean is -0.0267.
    let why = strategy.decide(&Scene::new(5_999_000, 6_001_001).view()).why;
    let ln = |x: f64| papermaker::numeric::ln(x) / 0.03;
    super::near(why.reservation - 6_000_000.5, 0.5 * (ln(1.04) + ln(0.96)), 1e-7);
    super::near(why.ask_distance, 0.5 * (ln(1.04) - ln(0.96)) + ln(2.0), 1e-7);
}

#[test]
fn glft_quotes_its_closed_form() {
    let mut strategy = make(&format!("kind = \"glft\"\n{KNOWN}"));
    let (half, skew) = closed_form(3e-5, 200.0, 5.0, 0.03, 1.0);
    for units in [-3.0, 0.0, 2.5] {
        let scene = Scene::new(5_999_000, 6_001_001).holding((100.0 * units) as i64);
        let r = 6_000_000.5 - units * skew;
        assert_eq!(scene.prices(&mut *strategy), ((r - half).floor() as i64, (r + half).ceil() as i64), "q = {units}");
    }
}

#[test]
fn glft_exact_quotes_the_exact_solution_and_stops_at_its_bound() {
    let text = format!("kind = \"glft\"\n{KNOWN}solution = \"exact\"\ninventory_max_orders = 5");
    let mut far = make(&text);
    let mut finite = make(&format!("{text}\nhorizon_s = 2.0"));
    let stationary = Exact::stationary(3e-5, 200.0, 5.0, 0.03, 5);
    let whole = Exact::finite(3e-5, 200.0, 5.0, 0.03, 5, 2.0);
    let mid = 6_000_000.5;
    for (strategy, exact) in [(&mut far, stationary), (&mut finite, whole)] {
        for units in [-4.0, 0.0, 1.5, 3.0] {
            let scene = Scene::new(5_999_000, 6_001_001).holding((100.0 * units) as i64);
            let (bid, ask) = (exact.bid_distance(units).unwrap(), exact.ask_distance(units).unwrap());
            assert_eq!(scene.prices(&mut **strategy), ((mid - bid).floor() as i64, (mid + ask).ceil() as i64));
        }
        for beyond in [500, 700] {
            let quotes = Scene::new(5_999_000, 6_001_001).holding(beyond).ask(&mut **strategy);
            assert!(quotes.len() == 1 && quotes[0].side == Side::Ask, "only the way back: {quotes:?}");
        }
    }
}

#[test]
fn no_quote_ever_crosses_and_both_sides_are_there() {
    let mut strategies: Vec<_> = BUILT_IN
        .iter()
        .map(|(_, text)| {
            make(&format!(
                "{text}\n{}",
                if text.contains("\nrisk_factor =") {
                    "sigma_fixed_ticks = 900.0\na_fixed_per_s = 0.5\nk_fixed_per_tick = 0.9"
                } else {
                    ""
                }
            ))
        })
        .collect();
    for strategy in &mut strategies {
        for spread in [1, 2, 7, 400] {
            for position in [-5_000, -100, 0, 3, 999, 5_000] {
                let scene = Scene::new(6_000_000, 6_000_000 + spread).holding(position);
                let (bid, ask) = scene.prices(&mut **strategy);
                let name = strategy.name();
                assert!(
                    bid < 6_000_000 + spread && ask > 6_000_000 && bid < ask,
                    "{name} {spread} {position}: {bid} {ask}"
                );
            }
        }
    }
}

#[test]
fn a_side_is_missing_only_where_the_limits_leave_no_room() {
    let mut strategy = make("kind = \"fixed-spread\"\nhalf_spread_ticks = 5\norder_amount_base = \"0.001\"");
    let mut scene = Scene::new(6_000_000, 6_000_002);
    let sizes = |quotes: Vec<Quote>| quotes.iter().map(|q| (q.side, q.qty.0)).collect::<Vec<_>>();
    // 5 USDT at 60 000.00 is 0.0000833 BTC: nine lots is the smallest order.
    for (room, expected) in [
        ((1_000, 1_000), vec![(Side::Bid, 100), (Side::Ask, 100)]),
        ((40, 1_000), vec![(Side::Bid, 40), (Side::Ask, 100)]),
        ((9, 9), vec![(Side::Bid, 9), (Side::Ask, 9)]),
        ((8, 1_000), vec![(Side::Ask, 100)]),
        ((0, 0), vec![]),
    ] {
        scene.room = room;
        assert_eq!(sizes(scene.ask(&mut *strategy)), expected);
    }
}

#[test]
fn levels_stand_behind_each_other_and_share_the_room() {
    let mut strategy = make(
        "kind = \"fixed-spread\"\nhalf_spread_ticks = 5\norder_amount_base = \"0.001\"\norder_levels = 3\n\
         level_distances_ticks = [0.2, 10]\norder_amount_shape_factor = 0.5",
    );
    let mut scene = Scene::new(6_000_000, 6_000_002).holding(200);
    scene.room = (70, 1_000);
    let quotes: Vec<_> = scene.ask(&mut *strategy).iter().map(|q| (q.side, q.price.0 - 6_000_001, q.qty.0)).collect();
    // Long two order amounts: bids are 100·e^{-0.5·2} = 36.8 → 36 lots; the room of 70 leaves 34 for the second.
    // The second level lies a fifth of a tick behind the first and still gets its own price.
    let expected =
        vec![(Side::Bid, -5, 36), (Side::Bid, -6, 34), (Side::Ask, 5, 100), (Side::Ask, 6, 100), (Side::Ask, 15, 100)];
    assert_eq!(quotes, expected);
}

#[test]
fn quotes_lie_where_the_venue_takes_them() {
    // Five significant figures leave whole units at 60 000. Around the mid 60 001.00 that is 60 000 and 60 002; the
    // second levels, a fifth of a tick behind, have to go a whole unit further.
    let mut strategy = make(
        "kind = \"fixed-spread\"\nhalf_spread_ticks = 5\norder_amount_base = \"0.001\"\norder_levels = 2\n\
         level_distances_ticks = [0.2]",
    );
    let mut scene = Scene::new(6_000_000, 6_000_200);
    scene.rules.price_rule = PriceRule::SignificantFigures(5);
    let prices: Vec<_> = scene.ask(&mut *strategy).iter().map(|q| q.price.0).collect();
    assert_eq!(prices, [6_000_000, 5_999_900, 6_000_200, 6_000_300]);
}

#[test]
fn an_inverse_contract_is_quoted_in_amounts_of_quote_currency() {
    let rules = inverse();
    let text = "kind = \"fixed-spread\"\nhalf_spread_ticks = 5\norder_amount_base = \"0.001\"\n";
    let missing = build(text, &rules).err().unwrap();
    assert!(matches!(missing, StrategyError::Missing { key: "order_amount_quote", .. }), "{missing}");
    let between = build(&format!("{text}order_amount_quote = 105"), &rules).err().unwrap();
    assert_eq!(between.to_string(), "order_amount_quote = 105 is not allowed: must be a multiple of the lot 10");
    // 100 USD in contracts of 10 are 10 lots; the smallest order of 150 USD asks 15.
    for (least, lots) in [("0", 10), ("150", 15)] {
        let mut strategy = build(&format!("{text}order_amount_quote = 100"), &rules).unwrap();
        let mut scene = Scene::new(100_000, 100_002);
        scene.rules = Instrument { revision: 1, min_notional: money(least), ..rules.clone() };
        let quotes: Vec<_> = scene.ask(&mut *strategy).iter().map(|q| (q.price.0, q.qty.0)).collect();
        assert_eq!(quotes, [(99_996, lots), (100_006, lots)]);
    }
}

#[test]
fn a_spread_can_be_given_a_floor_and_made_to_pay_its_fees() {
    let base = "kind = \"fixed-spread\"\nhalf_spread_ticks = 5\norder_amount_base = \"0.001\"\n";
    let scene = Scene::new(5_990_000, 6_010_000);
    // 2 bps of 6 000 000 ticks is 1200, half of it 600.
    let floor = scene.prices(&mut *make(&format!("{base}min_spread_bps = 2.0")));
    assert_eq!(floor, (5_999_400, 6_000_600));
    // A maker fee of 10 bps is 6000 ticks a side, on top of the 5.
    let paid = scene.prices(&mut *make(&format!("{base}add_transaction_costs = true")));
    assert_eq!(paid, (5_993_995, 6_006_005));
}

#[test]
fn a_strategy_waits_for_its_estimates_and_says_so() {
    let scene = Scene::new(6_000_000, 6_000_001);
    let base = "kind = \"glft\"\norder_amount_base = \"0.001\"\n";
    let idle = |text: String| make(&text).decide(&scene.view()).wanted;
    assert_eq!(
        idle(base.to_owned()),
        Wanted::Nothing(Idle::WarmingUp { what: Estimator::Volatility, have: 0, need: 10 })
    );
    assert_eq!(
        idle(format!("{base}sigma_fallback_ticks = 100")),
        Wanted::Nothing(Idle::WarmingUp { what: Estimator::Intensity, have: 0, need: 50 })
    );
    let all = format!("{base}sigma_fallback_ticks = 100\na_fallback_per_s = 2\nk_fixed_per_tick = 0.05");
    assert!(matches!(idle(all), Wanted::Quotes(_)));
}

#[test]
fn after_a_fill_it_waits_as_long_as_told_and_a_resumed_one_too() {
    let text =
        "kind = \"fixed-spread\"\nhalf_spread_ticks = 5\norder_amount_base = \"0.001\"\nfilled_order_delay_ms = 500";
    let mut strategy = make(text);
    let quotes = |strategy: &mut dyn Strategy, position: i64, now_s: f64| {
        let mut scene = Scene::new(6_000_000, 6_000_002).holding(position);
        scene.now_s = now_s;
        matches!(strategy.decide(&scene.view()).wanted, Wanted::Quotes(_))
    };
    assert!(quotes(&mut *strategy, 0, 0.0));
    assert!(!quotes(&mut *strategy, 100, 1.0), "just filled");
    let mut resumed = make(text);
    resumed.restore(&strategy.save()).unwrap();
    for strategy in [&mut strategy, &mut resumed] {
        assert!(!quotes(&mut **strategy, 100, 1.499));
        assert!(quotes(&mut **strategy, 100, 1.5));
    }
}

#[test]
fn what_comes_with_the_program_is_valid() {
    for (name, text) in BUILT_IN {
        check(text).unwrap();
        assert_eq!(build(text, &btcusdt()).unwrap().name(), name);
    }
}

#[test]
fn a_bad_setting_is_named_with_its_value_and_its_range() {
    let base = "kind = \"glft\"\norder_amount_base = \"0.001\"\n";
    let says = |extra: &str| build(&format!("{base}{extra}"), &btcusdt()).err().unwrap().to_string();
    assert_eq!(says("order_level = 1"), "unknown key order_level; did you mean order_levels?");
    assert_eq!(says("order_levels = 11"), "order_levels = 11 is not allowed: must be 1 to 10 levels a side");
    assert_eq!(
        says("min_spread_bps = -1.0"),
        "min_spread_bps = -1.0 is not allowed: must be 0 to 10000 basis points of the mid"
    );
    assert!(says("risk_factor = nan").starts_with("risk_factor = nan is not allowed"));
    assert!(says("order_levels = 3\nlevel_distances_ticks = [4, 2]").contains("needs 2 rising"));
    assert!(says("horizon_s = 5.0").contains("solution"));
    assert!(says("solution = \"magic\"").contains("one of closed-form, exact"));
    let amount = |text: &str| build(&format!("kind = \"glft\"\n{text}"), &btcusdt()).err().unwrap();
    assert_eq!(
        amount("order_amount_base = \"0.0000001\"").to_string(),
        "order_amount_base = 0.0000001 is not allowed: must be a multiple of the lot 0.00001"
    );
    assert!(matches!(amount(""), StrategyError::Missing { key: "order_amount_base", .. }));
    assert!(matches!(check(""), Err(StrategyError::Missing { key: "kind", .. })));
    assert!(check("kind = \"martingale\"").unwrap_err().to_string().contains("avellaneda-stoikov, glft, fixed-spread"));
    assert!(matches!(check("kind = "), Err(StrategyError::Toml(_))));
}

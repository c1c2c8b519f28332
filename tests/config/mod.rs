//! Settings: layers, origins, refusals. Every test has a folder of its own, so that the repository's files do not matter.

use std::fs;

use papermaker::config::keys::{KEYS, Key};
use papermaker::config::{ConfigErrors, Loaded, Sources, load};
use papermaker::exchange::latency::{Measured, Way};
use papermaker::exchange::queue::QueueModel;
use papermaker::market::{Contract, Instrument, Kind, VenueId};
use papermaker::units::{Lots, Money, Rate, Step};

/// A folder with the given files, read with the given `--set`s.
struct Case {
    dir: tempfile::TempDir,
    sources: Sources,
}

fn case(files: &[(&str, &str)]) -> Case {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let sources = Sources { dir: Some(dir.path().to_owned()), ..Sources::default() };
    Case { dir, sources }
}

impl Case {
    fn profile(mut self, name: &str) -> Self {
        self.sources.profile = name.to_owned();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set(mut self, argument: &str) -> Self {
        self.sources.sets.push(argument.to_owned());
        self
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        load(&self.sources)
    }

    /// The one mistake, with the folder's name taken out.
    fn mistake(&self) -> String {
        let errors = self.load().expect_err("a mistake");
        assert_eq!(errors.problems.len(), 1, "{errors}");
        errors.to_string().replace(&format!("{}/", self.dir.path().display()), "")
    }
}

/// Keys without a built-in value that are not a venue's or an instrument's.
fn is_optional(path: &str) -> bool {
    matches!(path, "paper.latency_file" | "log.file" | "risk.short_max_base" | "risk.approved_by" | "risk.approved_at")
        || path.starts_with("paper.cancel.")
        || path.starts_with("paper.replace.")
        || path.starts_with("alerts.to.")
}

#[test]
fn what_is_built_in_is_complete_and_without_mistakes() {
    for profile in ["", "demo", "live"] {
        let loaded = case(&[]).profile(profile).load().unwrap();
        let missing: Vec<&str> = KEYS
            .iter()
            .map(|k| k.path)
            .filter(|path| !path.starts_with("risk.") || !path.contains('*'))
            .filter(|path| !path.ends_with("_fee_bps"))
            .filter(|path| !is_optional(path) && !path.starts_with("paper.fee_tiers"))
            .filter(|path| VenueId::ALL.iter().any(|v| loaded.origin(&path.replace('*', v.name())).is_none()))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(loaded.settings.simulator.embedded, profile == "demo");
    }
}

#[test]
fn the_repositorys_files_are_what_is_built_in() {
    let own = Sources { dir: Some("config".into()), profile: "live".into(), ..Sources::default() };
    let built_in = case(&[]).profile("live").load().unwrap();
    assert_eq!(load(&own).unwrap().canonical(), built_in.canonical());
}

#[test]
fn every_comment_states_the_range_that_is_enforced() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml")).unwrap();
    for Key { path, kind } in KEYS {
        let words = kind.to_string();
        let range = words.split_once(", ").filter(|(what, _)| what.contains("number") || what.contains("decimal"));
        let Some((_, range)) = range else { continue };
        let (section, name) = path.rsplit_once('.').unwrap();
        let range = format!("[{range}]");
        // What can be set per instrument is explained once.
        if section == "risk.instruments.*" && KEYS.iter().any(|k| k.path == format!("risk.{name}")) {
            continue;
        }
        let name = if name == "*" { "EUR" } else { name };
        if path.contains('*') || is_optional(path) {
            let says = |l: &str| l.starts_with('#') && l.contains(&format!(" {name} ")) && l.contains(&range);
            // The two fees share a line.
            assert!(text.lines().any(|l| says(l) || l.contains("_fee_bps") && l.contains(&range)), "{path} {range}");
            continue;
        }
        let section = &text[text.find(&format!("\n[{section}]")).unwrap_or_else(|| panic!("no section {section}"))..];
        let at = section.find(&format!("\n{name} = ")).unwrap_or_else(|| panic!("{path} is not in default.toml"));
        let mut comment = section[..at].lines().rev().take_while(|l| l.starts_with('#'));
        assert!(comment.any(|l| l.contains(&range)), "{path}: the comment should say {range}");
    }
}

#[test]
fn each_layer_is_laid_over_the_one_below_and_is_named() {
    let files = [
        ("default.toml", "[session]\nseed = 2\ntick_ms = 20\n"),
        ("live.toml", "[session]\nseed = 3\n[risk]\ncollar_bps = 30\nopen_orders_max = 3\nstale_book_ms = 300\n"),
        ("risk.toml", "[risk]\ncollar_bps = 40\nopen_orders_max = 4\n"),
    ];
    let case = case(&files)
        .profile("live")
        .env("PAPERMAKER__RISK__OPEN_ORDERS_MAX", "5")
        .env("PAPERMAKER__VENUES__BINANCE_SPOT__DEPTH_LIMIT", "5000")
        .env("HOME", "/somewhere")
        .set("store.block_ms=50")
        .set("store.block_ms=60");
    let loaded = case.load().unwrap();
    let dir = case.dir.path().display();
    for (key, value, origin) in [
        ("session.equity_ms", "1000", "built-in default.toml:12".to_owned()),
        ("session.tick_ms", "20", format!("{dir}/default.toml:3")),
        ("session.seed", "3", format!("{dir}/live.toml:2")),
        ("risk.stale_book_ms", "300", format!("{dir}/live.toml:6")),
        ("risk.collar_bps", "40", format!("{dir}/risk.toml:2")),
        ("risk.open_orders_max", "5", "env PAPERMAKER__RISK__OPEN_ORDERS_MAX".to_owned()),
        ("venues.binance-spot.depth_limit", "5000", "env PAPERMAKER__VENUES__BINANCE_SPOT__DEPTH_LIMIT".to_owned()),
        ("store.block_ms", "60", "--set store.block_ms".to_owned()),
    ] {
        let line = loaded.show().into_iter().find(|l| l.starts_with(&format!("{key} = "))).unwrap();
        let (said, by) = line.split_once('#').unwrap();
        assert_eq!((said.trim(), by.trim()), (format!("{key} = {value}").as_str(), origin.as_str()));
        assert_eq!(loaded.origin(key), Some(origin.as_str()));
    }
}

#[test]
fn an_unknown_key_is_named_with_line_and_nearest_key() {
    let said = case(&[("risk.toml", "[risk]\ncollar_bps = 50\npositon_max_base = 1\n")]).mistake();
    assert_eq!(said, "risk.toml:3: risk.positon_max_base: unknown key; did you mean risk.position_max_base?");
    let said = case(&[("live.toml", "[sesion]\nseed = 1\n")]).profile("live").mistake();
    assert_eq!(said, "live.toml:1: sesion: unknown key; did you mean session?");
    let said = case(&[]).set("venues.binance.ws_url=wss://x").mistake();
    assert_eq!(
        said,
        "--set venues.binance.ws_url: venues.binance.ws_url: unknown key; did you mean venues.binance-spot.ws_url?"
    );
    let said = case(&[]).env("PAPERMAKER__DASHBOARD__PROT", "80").mistake();
    assert_eq!(said, "env PAPERMAKER__DASHBOARD__PROT: dashboard.prot: unknown key; did you mean dashboard.port?");
    let said = case(&[]).set("zzz.qqq=1").mistake();
    assert_eq!(said, "--set zzz.qqq: zzz.qqq: unknown key\n  hint: `papermaker config show` lists every key");
}

#[test]
fn a_wrong_unit_points_to_the_key_with_the_right_one() {
    let said = case(&[("risk.toml", "[risk]\nstale_book_s = 2\n")]).mistake();
    assert_eq!(said, "risk.toml:2: risk.stale_book_s: unknown key; did you mean risk.stale_book_ms?");
    let said = case(&[]).set("risk.position_max_quote=100").mistake();
    assert!(said.ends_with("did you mean risk.position_max_base?"), "{said}");
    let said = case(&[]).set("paper.entry_latency_ms=10").mistake();
    assert!(said.ends_with("did you mean paper.entry_latency_us?"), "{said}");
    let said = case(&[]).set("quoting.collar_bps=10").mistake();
    assert!(said.ends_with("did you mean risk.collar_bps?"), "{said}");
}

#[test]
fn a_value_out_of_range_or_of_the_wrong_type_is_refused_with_what_is_allowed() {
    let said = case(&[("risk.toml", "[risk]\n\nposition_max_base = -0.05\n")]).mistake();
    let allowed = "allowed is a decimal, 0 to 1000000000000";
    assert_eq!(said, format!("risk.toml:3: risk.position_max_base: -0.05 is not allowed here; {allowed}"));
    for (set, said) in [
        ("session.tick_ms=0", "0 is not allowed here; allowed is a whole number, 1 to 1000"),
        ("session.tick_ms=1.5", "1.5 is not allowed here; allowed is a whole number, 1 to 1000"),
        ("session.tick_ms=fast", "\"fast\" is not allowed here; allowed is a whole number, 1 to 1000"),
        ("signals.volatility_half_life_s=nan", "NaN is not allowed here; allowed is a number, 1 to 86400"),
        (
            "paper.queue_model=lifo",
            "\"lifo\" is not allowed here; allowed is risk-averse, power, power2, power3, log, log2, optimistic or fifo",
        ),
        ("dashboard.enabled=1", "1 is not allowed here; allowed is true or false"),
        ("dashboard.port=70000", "70000 is not allowed here; allowed is a whole number, 0 to 65535"),
        ("dashboard.bind=here", "\"here\" is not allowed here; allowed is an IP address"),
        ("strategy.file=", "\"\" is not allowed here; allowed is any text"),
        ("risk=1", "is a section, not a value"),
    ] {
        let key = set.split('=').next().unwrap();
        let found = case(&[]).set(set).load().expect_err(set).to_string();
        assert!(found.starts_with(&format!("--set {key}: {key}: ")) && found.contains(said), "{set}: {found}");
    }
}

#[test]
fn instruments_are_venue_and_symbol_each_once() {
    let allowed = "allowed is a list of \"VENUE:SYMBOL\", at least one, no two alike";
    for list in ["[]", "[\"BTCUSDT\"]", "[\"binance:BTCUSDT\"]", "[\"okx:A\", \"okx:A\"]", "[1]", "nonsense"] {
        let said = case(&[]).set(&format!("session.instruments={list}")).mistake();
        assert!(said.ends_with(allowed), "{list}: {said}");
    }
    let two = case(&[]).set("session.instruments=okx:BTC-USDT, kraken:BTC/USD").load().unwrap();
    assert_eq!(two.settings.session.instruments, ["okx:BTC-USDT", "kraken:BTC/USD"]);
}

#[test]
fn plain_text_connections_are_for_this_machine_only() {
    for (url, is_allowed) in [
        ("wss://stream.binance.com:9443", true),
        ("ws://127.0.0.1:9001", true),
        ("ws://localhost:9001/", true),
        ("ws://[::1]:9001", true),
        ("ws://stream.binance.com:9443", false),
        ("ws://127.0.0.1.example.com", false),
        ("ws://127.0.0.1@example.com", false),
        ("https://127.0.0.1", false),
        ("127.0.0.1:9001", false),
    ] {
        let loaded = case(&[]).set(&format!("venues.binance-spot.ws_url={url}")).load();
        assert_eq!(loaded.is_ok(), is_allowed, "{url}");
    }
    let loaded = case(&[]).set("venues.binance-spot.rest_url=http://127.0.0.1:9001/").load().unwrap();
    assert_eq!(loaded.venue(VenueId::BinanceSpot).rest_url, "http://127.0.0.1:9001");
}

#[test]
fn all_mistakes_are_reported_at_once_also_those_a_higher_layer_hides() {
    let files =
        [("default.toml", "[store]\nblock_ms = 0\n"), ("risk.toml", "[risk]\ncolar_bps = 1\n[store]\npath = 1\n")];
    let errors = case(&files).set("store.block_ms=5").set("nonsense").load().unwrap_err();
    let keys: Vec<(&str, Option<usize>)> = errors.problems.iter().map(|p| (p.key.as_str(), p.line)).collect();
    let expected = [
        ("store.block_ms", Some(2)),
        ("store", None),
        ("risk.colar_bps", Some(2)),
        ("store.path", Some(4)),
        ("nonsense", None),
    ];
    assert_eq!(keys, expected);
}

#[test]
fn what_is_missing_or_no_toml_is_named() {
    let mut gone = case(&[]);
    gone.sources.dir = Some(gone.dir.path().join("nowhere"));
    assert_eq!(gone.mistake(), "nowhere: no such folder\n  hint: --config takes a folder");
    let said = case(&[]).profile("mine").mistake();
    assert_eq!(said, "mine.toml: no such profile\n  hint: profiles are demo, live, or a file mine.toml");
    let said = case(&[]).profile("../secrets").mistake();
    assert_eq!(said, "--profile: ../secrets: is not the name of a profile");
    let said = case(&[("risk.toml", "[risk]\ncollar_bps = = 5\n")]).mistake();
    assert!(said.starts_with("risk.toml:2: not TOML: "), "{said}");
    let unreadable = case(&[]);
    fs::create_dir(unreadable.dir.path().join("risk.toml")).unwrap();
    assert!(unreadable.mistake().starts_with("risk.toml: cannot be read: "));
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let said = case(&[]).set("signals.intensity_k_min=6").mistake();
    assert_eq!(said, "--set signals.intensity_k_min: signals.intensity_k_min: 6 is above signals.intensity_k_max, 5");
    let said = case(&[]).set("venues.okx.reconnect_base_ms=40000").mistake();
    assert!(said.ends_with("40000 is above venues.okx.reconnect_cap_ms, 30000"), "{said}");
    let said = case(&[]).set("paper.maker_fee_bps=0.0001").mistake();
    assert!(said.ends_with("0.0001 is finer than 0.001 basis points"), "{said}");
}

#[test]
fn the_digest_depends_on_what_is_in_force_and_not_on_who_said_it() {
    let plain = case(&[]).load().unwrap();
    let same = case(&[]).set("risk.collar_bps=200.0").load().unwrap();
    let other = case(&[]).set("risk.collar_bps=201").load().unwrap();
    assert_eq!(plain.digest(), same.digest());
    assert_ne!(plain.digest(), other.digest());
    // The canonical text is itself a configuration.
    let again =
        case(&[("default.toml", &other.canonical()), ("risk.toml", "[risk]\ncollar_bps = 201\n")]).load().unwrap();
    assert_eq!(again.settings, other.settings);
}

#[test]
fn limits_are_in_each_instruments_own_lots_or_refused() {
    let rules = |symbol: &str, lot: &str| {
        let (tick, lot) = (Step::parse("0.01").unwrap(), Step::parse(lot).unwrap());
        Instrument::new(VenueId::BinanceSpot, symbol, "A", "B", tick, lot).unwrap()
    };
    let (btc, doge) = (rules("BTCUSDT", "0.00001"), rules("DOGEUSDT", "1"));
    let own = "[risk.instruments.\"binance-spot:DOGEUSDT\"]\nposition_max_base = 50_000.9\norder_qty_max_base = 100\n";
    let loaded = case(&[("risk.toml", own)]).load().unwrap();
    let limits = loaded.risk_limits(&[btc.clone(), doge.clone()]).unwrap();
    // 0.05 / 0.00001 = 5000 lots; 50 000.9 / 1, rounded down.
    let sizes: Vec<_> = limits.instruments.iter().map(|own| (own.long_max, own.short_max, own.order_qty_max)).collect();
    assert_eq!(sizes, [(Lots(5_000), Lots(5_000), Lots(2_000)), (Lots(50_000), Lots(50_000), Lots(100))]);
    assert_eq!(
        (limits.instruments[0].collar_centibps, limits.book.loss_max.unwrap().to_string().as_str()),
        (20_000, "500")
    );
    let none = case(&[]).set("risk.loss_max_quote=0").load().unwrap();
    assert_eq!(none.risk_limits(std::slice::from_ref(&btc)).unwrap().book.loss_max, None);
    let said = case(&[]).load().unwrap().risk_limits(&[btc, doge]).unwrap_err().to_string();
    assert!(said.contains("risk.position_max_base: 0.05 is less than one lot of binance-spot:DOGEUSDT, 1"), "{said}");
    assert!(said.contains("hint: set risk.instruments.\"binance-spot:DOGEUSDT\".position_max_base"), "{said}");
}

#[test]
fn an_inverse_contract_needs_limits_of_its_own_in_quote_units() {
    let step = |text| Step::parse(text).unwrap();
    let contract = Contract { kind: Kind::Inverse, unit: Step::ONE, settle: "BTC".to_owned(), funding_every: None };
    let spot = Instrument::new(VenueId::Deribit, "BTC-PERPETUAL", "BTC", "USD", step("0.5"), step("10")).unwrap();
    let (inverse, spot) = (spot.clone().with_contract(contract), spot);
    let said = |set: &[&str], rules: &Instrument| {
        let all = set
            .iter()
            .fold(case(&[]), |case, key| case.set(&format!("risk.instruments.\"deribit:BTC-PERPETUAL\".{key}")));
        all.load().unwrap().risk_limits(std::slice::from_ref(rules)).map_err(|e| e.to_string())
    };
    // 5 005 USD are 500 contracts of 10, rounded down.
    let limits = said(&["position_max_quote=5005", "order_qty_max_quote=1000"], &inverse).unwrap();
    let own = &limits.instruments[0];
    assert_eq!((own.long_max, own.short_max, own.order_qty_max), (Lots(500), Lots(500), Lots(100)));
    let missing = said(&["position_max_quote=5000"], &inverse).unwrap_err();
    assert!(missing.contains("risk.order_qty_max_base: says nothing of deribit:BTC-PERPETUAL"), "{missing}");
    assert!(missing.contains("hint: set risk.instruments.\"deribit:BTC-PERPETUAL\".order_qty_max_quote"), "{missing}");
    let small = said(&["position_max_quote=5000", "order_qty_max_quote=9"], &inverse).unwrap_err();
    assert!(small.contains("order_qty_max_quote: 9 is less than one lot"), "{small}");
    // The wrong unit is a mistake either way.
    let wrong = said(&["position_max_base=1", "order_qty_max_quote=1000"], &inverse).unwrap_err();
    assert!(wrong.contains("position_max_base: quantities of deribit:BTC-PERPETUAL are in quote units"), "{wrong}");
    let wrong = said(&["position_max_quote=1", "order_qty_max_base=100", "position_max_base=100"], &spot).unwrap_err();
    assert!(wrong.contains("position_max_quote: quantities of deribit:BTC-PERPETUAL are in base units"), "{wrong}");
}

#[test]
fn a_venues_own_fees_stand_above_the_common_ones() {
    let loaded = case(&[]).set("paper.maker_fee_bps=-0.5").set("paper.queue_model=power").load().unwrap();
    assert_eq!(loaded.paper_spec(VenueId::BinanceSpot).fees.base.maker, Rate(-500));
    assert_eq!(loaded.paper_spec(VenueId::BinanceSpot).fees.base.taker, Rate(10_000));
    assert_eq!(loaded.paper_spec(VenueId::BybitLinear).fees.base.taker, Rate(5_500));
    assert_eq!(loaded.quoting_spec().refresh_tolerance_centibps, 2);
}

#[test]
fn every_queue_model_is_a_word() {
    let n = 3.0;
    let models = [
        ("risk-averse", QueueModel::RiskAverse),
        ("power", QueueModel::Power { n }),
        ("power2", QueueModel::Power2 { n }),
        ("power3", QueueModel::Power3 { n }),
        ("log", QueueModel::Log),
        ("log2", QueueModel::Log2),
        ("optimistic", QueueModel::Optimistic),
        ("fifo", QueueModel::Fifo),
    ];
    for (word, model) in models {
        let loaded = case(&[]).set("paper.queue_power=3").set(&format!("paper.queue_model={word}")).load().unwrap();
        assert_eq!(loaded.paper_spec(VenueId::Okx).queue, model);
    }
}

#[test]
fn each_kind_of_request_may_have_a_way_of_its_own() {
    let latency = |case: Case| case.load().unwrap().paper_spec(VenueId::BinanceSpot).latency;
    let (us, sigma) = (10_000, 0.2);
    let plain = latency(case(&[]));
    let lognormal = Way::Lognormal { us, sigma };
    assert_eq!((plain.place, plain.cancel, plain.replace), (lognormal, lognormal, lognormal));
    assert_eq!((plain.response, plain.feed_us), (Way::Constant { us: 5_000 }, 5_000));
    // What a section does not say is said above it.
    let own = latency(
        case(&[("mine.toml", "[paper]\nentry_latency_us = 700\n[paper.cancel]\nlatency_model = \"constant\"\n")])
            .profile("mine")
            .set("paper.replace.entry_jitter=0.5")
            .set("paper.replace.entry_latency_us=9"),
    );
    assert_eq!(own.place, Way::Lognormal { us: 700, sigma });
    assert_eq!(own.cancel, Way::Constant { us: 700 });
    assert_eq!(own.replace, Way::Lognormal { us: 9, sigma: 0.5 });
    let feed = latency(case(&[]).set("paper.latency_model=feed").set("paper.feed_factor=1.5"));
    assert_eq!(feed.place, Way::Feed { factor: 1.5, us });
    assert_eq!(feed.response, Way::Feed { factor: 1.5, us: 5_000 });
}

#[test]
fn measured_delays_are_read_once_and_travel_in_the_spec() {
    let rows = "sent,matched,acknowledged\n1,2,3\n10,20,30\n";
    let file = case(&[("delays.csv", rows), ("broken.csv", "sent,matched,acknowledged\n1,2\n")]);
    let named = |name: &str| format!("paper.latency_file={}", file.dir.path().join(name).display());
    let read = case(&[]).set(&named("delays.csv")).set("paper.cancel.latency_model=measured").load().unwrap();
    let latency = read.paper_spec(VenueId::BinanceSpot).latency;
    assert_eq!((latency.cancel, latency.place), (Way::Measured, Way::Lognormal { us: 10_000, sigma: 0.2 }));
    assert_eq!(latency.measured, Measured::parse(rows).unwrap());
    // Nobody asks for them: the spec stays small.
    let unused = case(&[]).set(&named("delays.csv")).load().unwrap();
    assert_eq!(unused.paper_spec(VenueId::BinanceSpot).latency.measured, Measured::default());
    let said = case(&[]).set(&named("broken.csv")).mistake();
    assert!(said.ends_with("broken.csv: line 2: \"1,2\" is not three whole nanoseconds"), "{said}");
    let said = case(&[]).set(&named("nowhere.csv")).mistake();
    assert!(said.contains("nowhere.csv: No such file"), "{said}");
    let said = case(&[]).set("paper.replace.latency_model=measured").mistake();
    assert!(said.contains("paper.replace.latency_model: measured needs a file"), "{said}");
}

#[test]
fn a_venues_fees_fall_with_what_is_traded_there() {
    let tiers = "[paper.fee_tiers.\"okx:b\"]\nvolume_min_quote = 2000\nmaker_fee_bps = -0.5\ntaker_fee_bps = 3\n\
                 [paper.fee_tiers.\"okx:a\"]\nvolume_min_quote = 3000\nmaker_fee_bps = -1\ntaker_fee_bps = 2.5\n";
    let loaded = case(&[("mine.toml", tiers)]).profile("mine").load().unwrap();
    let fees = loaded.paper_spec(VenueId::Okx).fees;
    let at = |quote: i128| {
        let rates = fees.rates(Money(quote * Money::PER_QUOTE));
        (rates.maker.0, rates.taker.0)
    };
    let charged = [0, 1_999, 2_000, 2_999, 3_000, 1_000_000].map(at);
    let (base, b, a) = ((8_000, 10_000), (-500, 3_000), (-1_000, 2_500));
    assert_eq!(charged, [base, base, b, b, a, a]);
    assert_eq!(loaded.paper_spec(VenueId::BybitSpot).fees.tiers, vec![]);
    let said = case(&[("mine.toml", "[paper.fee_tiers.\"okx:a\"]\nmaker_fee_bps = 1\ntaker_fee_bps = 1\n")]);
    let said = said.profile("mine").mistake();
    assert!(said.ends_with("a tier needs volume_min_quote too"), "{said}");
    let twice = tiers.replace("3000", "2000.0");
    let said = case(&[("mine.toml", &twice)]).profile("mine").mistake();
    assert!(said.ends_with("\"okx:b\".volume_min_quote: is the same as of \"okx:a\""), "{said}");
    let said = case(&[]).set("paper.fee_tiers.vip1.maker_fee_bps=1").mistake();
    assert!(said.contains("unknown key"), "{said}");
}

#[test]
fn the_schema_describes_every_key() {
    let schema = Loaded::schema();
    for key in KEYS {
        let mut at = &schema;
        for segment in key.path.split('.') {
            at = if segment == "*" { &at["additionalProperties"] } else { &at["properties"][segment] };
        }
        assert!(at["type"].is_string() || at["enum"].is_array(), "{}", key.path);
    }
    assert_eq!(schema["properties"]["risk"]["additionalProperties"], false);
    let description = schema["properties"]["risk"]["properties"]["collar_bps"]["description"].as_str().unwrap();
    assert!(description.starts_with("Farthest a quote may lie"), "{description}");
}

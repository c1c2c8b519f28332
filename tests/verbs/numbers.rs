//! The page never lies: every number of every picture is the journal's at that input.
//!
//! A demo whose market runs faster than life, an operator who presses buttons at random, and every picture of the stream kept.
//! Then `sessions export` is read, and what each picture showed is worked out again from the rows up to its `seq`: naively,
//! row by row, by nothing of the program. `PAPERMAKER_TEST_SIZE=full` is an hour of that market.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::papermaker;
use crate::support::bot::Bot;
use crate::support::full_size;

/// A generator of its own: what the operator does has nothing to do with the program's randomness (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % n
    }
}

fn rows(here: &Path, kind: &str) -> Vec<Value> {
    let line = ["sessions", "export", "told", "--kind", kind, "--format", "jsonl", "--set", "store.path=store"];
    let text = papermaker(here, &line).exits(0).stdout();
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("{text:?} is no number")),
        other => other.as_f64().unwrap_or_else(|| panic!("{other} is no number")),
    }
}

fn near(shown: &Value, truth: f64, what: &str, picture: &Value) {
    let shown = number(shown);
    assert!((shown - truth).abs() < 1e-7, "{what}: {shown} on the page, {truth} in the journal\n{picture:#}");
}

/// The journal, read up to an input: what the exports say, added up by hand.
#[derive(Default)]
struct Ledger {
    top: Option<Value>,
    mid: Option<f64>,
    fills: Vec<Value>,
    position: f64,
    cost: f64,
    cash: f64,
    fees: f64,
    /// Side, price and what is left, of orders that may still trade.
    alive: BTreeMap<u64, (String, f64, f64)>,
    refused: u64,
    loss_max: f64,
    /// The last, while nothing has moved the mid or the position since.
    mark: Option<Value>,
    decision: Option<Value>,
}

impl Ledger {
    fn filled(&mut self, row: &Value) {
        let (price, qty, fee) = (number(&row["price"]), number(&row["qty"]), number(&row["fee_quote"]));
        let signed = if row["side"] == "buy" { qty } else { -qty };
        if self.position * signed >= 0.0 {
            self.cost += signed * price;
        } else {
            // What is closed leaves at the average price it came at; what is beyond that is new.
            let average = self.cost / self.position;
            let closed = if signed.abs() > self.position.abs() { -self.position } else { signed };
            self.cost += closed * average + (signed - closed) * price;
        }
        self.position += signed;
        if self.position.abs() < 1e-12 {
            (self.position, self.cost) = (0.0, 0.0);
        }
        self.cash -= signed * price + fee;
        self.fees += fee;
        self.fills.push(row.clone());
    }

    fn order(&mut self, row: &Value) {
        let id = row["order_id"].as_u64().unwrap_or_default();
        match row["event"].as_str().expect("text") {
            "sent" => {
                let side = row["side"].as_str().expect("text").to_owned();
                self.alive.insert(id, (side, number(&row["price"]), number(&row["qty"])));
            }
            "filled" | "cancelled" | "rejected" => drop(self.alive.remove(&id)),
            "partially_filled" => {
                if let Some((.., left)) = self.alive.get_mut(&id) {
                    *left -= number(&row["qty"]);
                }
            }
            "refused" => self.refused += 1,
            "accepted" | "cancel_sent" | "cancel_rejected" => {}
            other => panic!("an order event the test does not know: {other}"),
        }
    }

    /// Every number of `picture` that the rows so far determine.
    fn judge(&self, picture: &Value, seen: &mut BTreeMap<&'static str, usize>) {
        let it = &picture["instruments"][0];
        let mut count = |what| *seen.entry(what).or_default() += 1;
        assert_eq!(picture["fills"].as_u64(), Some(self.fills.len() as u64), "fills\n{picture:#}");
        assert_eq!(picture["refusals"].as_u64(), Some(self.refused), "refusals\n{picture:#}");
        let by_code = picture["refusals_by_code"].as_object().expect("an object").values();
        assert_eq!(by_code.filter_map(Value::as_u64).sum::<u64>(), self.refused);
        near(&it["position"], self.position, "position", picture);
        for fill in picture["last_fills"].as_array().expect("a list") {
            let row = &self.fills[fill["n"].as_u64().expect("a number") as usize - 1];
            for (shown, told) in [
                ("seq", "seq"),
                ("at_ns", "recv_ns"),
                ("order", "order_id"),
                ("side", "side"),
                ("liquidity", "liquidity"),
                ("why", "why"),
            ] {
                assert_eq!(fill[shown], row[told], "{shown} of fill {}\n{row}", fill["n"]);
            }
            for (shown, told) in
                [("price", "price"), ("qty", "qty"), ("fee", "fee_quote"), ("queue_ahead", "queue_ahead")]
            {
                near(&fill[shown], number(&row[told]), shown, fill);
            }
            count("fill");
        }
        let level =
            |side: &str| self.top.as_ref().map(|top| [&top[format!("{side}_price")], &top[format!("{side}_qty")]]);
        for side in ["bid", "ask"] {
            if let (true, Some([price, qty])) = (it[side].is_object(), level(side)) {
                near(&it[side]["price"], number(price), side, picture);
                near(&it[side]["qty"], number(qty), side, picture);
                let ladder = &it[if side == "bid" { "bids" } else { "asks" }];
                let market = ladder.as_array().expect("a list").iter().find(|rung| number(&rung["qty"]) > 0.0);
                let market = market.map(|rung| [&rung["price"], &rung["qty"]]);
                assert_eq!(market, Some([&it[side]["price"], &it[side]["qty"]]), "the ladder's best {side}");
                count("top");
            }
        }
        let mut quotes: Vec<(String, f64, f64)> = it["quotes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|quote| {
                (quote["side"].as_str().expect("text").to_owned(), number(&quote["price"]), number(&quote["qty"]))
            })
            .collect();
        let mut alive: Vec<_> = self.alive.values().cloned().collect();
        let order = |a: &(String, f64, f64), b: &(String, f64, f64)| {
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
        };
        quotes.sort_by(order);
        alive.sort_by(order);
        let same =
            |(a, b): (&(String, f64, f64), &(String, f64, f64))| a.0 == b.0 && a.1 == b.1 && (a.2 - b.2).abs() < 1e-9;
        assert!(
            quotes.len() == alive.len() && quotes.iter().zip(&alive).all(same),
            "{quotes:?} on the page, {alive:?} in the journal\n{picture:#}"
        );
        for (side, rungs) in [("buy", "bids"), ("sell", "asks")] {
            let on_ladder: f64 = it[rungs]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|rung| rung["ours"] != "")
                .map(|rung| number(&rung["ours"]))
                .sum();
            let resting: f64 = alive.iter().filter(|order| order.0 == side).map(|order| order.2).sum();
            assert!(
                it[rungs] == json!([]) || (on_ladder - resting).abs() < 1e-9,
                "{side}: {on_ladder} on the ladder, {resting} rest"
            );
        }
        if !quotes.is_empty() {
            count("quotes");
        }
        let pnl = &it["pnl"];
        near(&pnl["fees"], self.fees, "fees", picture);
        let sum = |names: [&str; 4]| names.map(|name| number(&pnl[name]));
        let [realised, unrealised, fees, equity] = sum(["realised", "unrealised", "fees", "equity"]);
        let [spread, inventory, funding, drawdown] = sum(["spread", "inventory", "funding", "drawdown"]);
        assert!((realised + unrealised - fees - funding - equity).abs() < 1e-7 && drawdown > -1e-9, "{pnl}");
        assert!((spread + inventory - fees - funding - equity).abs() < 1e-7, "{pnl}");
        near(&pnl["realised"], self.cash + self.cost + self.fees, "realised", picture);
        if let (Some(mid), Some(shown)) = (self.mid, it["mid"].as_str()) {
            near(&json!(shown), mid, "mid", picture);
            near(&pnl["equity"], self.cash + self.position * mid, "equity", picture);
            count("equity");
        }
        let max = picture["limits"].as_array().expect("a list").iter().find(|limit| limit["limit"] == "loss_max_quote");
        near(&max.expect("a limit that is set")["max"], self.loss_max, "loss_max_quote", picture);
        if let Some(mark) = &self.mark {
            for (shown, told) in [
                ("equity", "equity_quote"),
                ("realised", "realised"),
                ("unrealised", "unrealised"),
                ("fees", "fees"),
                ("funding", "funding"),
                ("drawdown", "drawdown"),
                ("spread", "spread"),
                ("inventory", "inventory"),
            ] {
                near(&pnl[shown], number(&mark[told]), told, picture);
            }
            count("mark");
        }
        if let Some(row) = self.decision.as_ref().filter(|row| row["seq"] == picture["seq"] && it["terms"].is_object())
        {
            for term in ["sigma", "a", "k", "gamma"] {
                near(&it["terms"][term], number(&row[term]), term, picture);
            }
            // The export's reservation is a price, with as many digits as it has; the page's is in ticks.
            let reservation = number(&it["terms"]["reservation"]) * number(&it["tick"]);
            assert!((reservation - number(&row["reservation"])).abs() < 1e-4, "reservation {reservation}, {row}");
            count("decision");
        }
    }
}

#[tokio::test]
async fn every_number_of_every_picture_is_the_journals_whatever_the_operator_does() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let (pictures_wanted, speed) = if full_size() { (1_800, "simulator.speed=20") } else { (160, "simulator.speed=4") };
    let quick = [
        "signals.volatility_grid_ms=250",
        "signals.volatility_samples_min=4",
        "signals.intensity_orders_min=4",
        "signals.intensity_refit_s=0.5",
        speed,
    ];
    let sets: Vec<&str> = quick.iter().flat_map(|set| ["--set", set]).collect();
    let mut bot = Bot::start(here, "told", &sets);
    bot.wait_until("quoting", |picture| picture["state"] == "quoting");
    let contact: Value =
        serde_json::from_str(&std::fs::read_to_string(here.join("store/api.json")).expect("a contact")).expect("json");
    let (address, token) =
        (contact["address"].as_str().expect("text").to_owned(), contact["token"].as_str().expect("text"));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let press = async |verb: &str, body: Value| {
        let url = format!("http://{address}/api/{verb}");
        http.post(url).bearer_auth(token).body(body.to_string()).send().await.expect("an answer").status().as_u16()
    };

    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut stream = http.get(format!("http://{address}/api/stream")).send().await.expect("a stream");
    let (mut pictures, mut text, mut next, mut pressed) = (Vec::<Value>::new(), String::new(), 15, 0);
    while pictures.len() < pictures_wanted {
        text.push_str(std::str::from_utf8(&stream.chunk().await.expect("living").expect("more")).expect("text"));
        while let Some((event, rest)) = text.split_once("\n\n") {
            if let Some((_, data)) = event.split_once("data: ") {
                pictures.push(serde_json::from_str(data).expect("a picture"));
            }
            text = rest.to_owned();
        }
        if pictures.len() < next {
            continue;
        }
        next = pictures.len() + 5 + dice.below(10) as usize;
        let words = json!({ "by": "dice", "reason": format!("throw {pressed}") });
        let status = match dice.below(8) {
            0 => press("pause", words).await,
            1 => press("flatten", words).await,
            2 => press("halt", words).await,
            3 => {
                let set = format!("risk.loss_max_quote={}", 100 + dice.below(900));
                press("limits", json!({ "set": [set], "confirm": true, "by": "dice" })).await
            }
            // More often than not it quotes.
            _ => press("resume", words).await,
        };
        assert!([200, 202].contains(&status), "{status}");
        pressed += 1;
    }
    drop(stream);
    bot.terminate();

    let [bbo, fills, orders, equity, decisions, risk] =
        ["bbo", "fills", "orders", "equity", "decisions", "risk"].map(|kind| rows(here, kind));
    let mut all: Vec<(u64, u8, &Value)> = Vec::new();
    for (kind, rows) in [&bbo, &fills, &orders, &equity, &decisions, &risk].into_iter().enumerate() {
        all.extend(rows.iter().map(|row| (row["seq"].as_u64().expect("a number"), kind as u8, row)));
    }
    all.sort_by_key(|(seq, ..)| *seq);
    let mut ledger = Ledger { loss_max: 500.0, ..Ledger::default() };
    let (mut read, mut seen, mut told) = (0, BTreeMap::new(), Vec::new());
    for picture in &pictures {
        let seq = picture["seq"].as_u64().expect("a number");
        while let Some((_, kind, row)) = all.get(read).filter(|(at, ..)| *at <= seq) {
            match kind {
                0 => {
                    ledger.mark = None;
                    let whole = row["bid_price"].is_number() && row["ask_price"].is_number();
                    ledger.mid = whole.then(|| (number(&row["bid_price"]) + number(&row["ask_price"])) / 2.0);
                    ledger.top = whole.then(|| (*row).clone());
                }
                1 => {
                    ledger.mark = None;
                    ledger.filled(row);
                }
                2 => ledger.order(row),
                3 => ledger.mark = Some((*row).clone()),
                4 => ledger.decision = Some((*row).clone()),
                _ if row["limit"].as_str().is_some_and(|limit| limit.starts_with("loss_max_quote"))
                    && row["new"].is_number() =>
                {
                    ledger.loss_max = number(&row["new"]);
                }
                _ => {}
            }
            read += 1;
        }
        ledger.judge(picture, &mut seen);
        told.extend(
            picture["events"].as_array().expect("a list").iter().filter(|event| event["kind"] == "command").cloned(),
        );
    }
    // The log has every button that was pressed, with who and why, and nothing that is not in the journal.
    for event in &told {
        let by_seq = risk.iter().any(|row| {
            row["seq"] == event["seq"]
                && event["text"].as_str().is_some_and(|text| text.contains(row["by"].as_str().unwrap_or("?")))
        });
        assert!(by_seq, "{event} is not in the journal");
    }
    let by_dice = told.iter().filter(|event| event["text"].as_str().is_some_and(|text| text.contains("dice"))).count();
    assert!(by_dice > 0 && by_dice <= pressed, "{by_dice} of {pressed} buttons in the log");
    for what in ["fill", "top", "quotes", "equity", "mark", "decision"] {
        assert!(seen.get(what).is_some_and(|n| *n > 0), "nothing was compared of {what}: {seen:?}");
    }
}

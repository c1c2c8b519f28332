//! The book by other means: serde_json and two ordered maps of decimals, sharing nothing with the bot.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

/// Price to quantity, as decimals.
pub type Ladder = Vec<(Decimal, Decimal)>;

/// A book built from a snapshot and the diffs around it.
#[derive(Default)]
pub struct IndependentBook {
    /// Diffs seen before the snapshot: `(last id, message)`.
    early: Vec<(u64, Value)>,
    last_id: Option<u64>,
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

impl IndependentBook {
    /// The REST answer; diffs already seen that are newer are applied on top.
    pub fn snapshot(&mut self, body: &str) {
        let body: Value = serde_json::from_str(body).expect("a snapshot is JSON");
        self.last_id = body["lastUpdateId"].as_u64();
        self.set(&body["bids"], &body["asks"]);
        for (id, diff) in std::mem::take(&mut self.early) {
            if Some(id) > self.last_id {
                self.apply(id, &diff);
            }
        }
    }

    /// A `depthUpdate` payload.
    pub fn diff(&mut self, data: &str) {
        let diff: Value = serde_json::from_str(data).expect("a recorded diff is JSON");
        let (first, last) = (diff["U"].as_u64().expect("U"), diff["u"].as_u64().expect("u"));
        match self.last_id {
            None => self.early.push((last, diff)),
            Some(known) if last > known => {
                assert!(first <= known + 1, "the recording itself has a gap: {first} after {known}");
                self.apply(last, &diff);
            }
            Some(_) => {}
        }
    }

    fn apply(&mut self, id: u64, diff: &Value) {
        self.last_id = Some(id);
        self.set(&diff["b"], &diff["a"]);
    }

    fn set(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels.as_array().expect("levels") {
                let number = |k: usize| level[k].as_str().expect("quoted").parse::<Decimal>().expect("a decimal");
                if number(1).is_zero() {
                    side.remove(&number(0));
                } else {
                    side.insert(number(0), number(1));
                }
            }
        }
    }

    /// The id this is the state of; `None` before the snapshot.
    pub fn last_id(&self) -> Option<u64> {
        self.last_id
    }

    /// The best `depth` levels of each side, best first.
    pub fn top(&self, depth: usize) -> (Ladder, Ladder) {
        let pair = |(&price, &qty): (&Decimal, &Decimal)| (price.normalize(), qty.normalize());
        (self.bids.iter().rev().take(depth).map(pair).collect(), self.asks.iter().take(depth).map(pair).collect())
    }

    /// As the venue would answer `GET /api/v3/depth`.
    pub fn body(&self, depth: usize) -> Option<String> {
        let text = |ladder: Ladder| ladder.iter().map(|(p, q)| [p.to_string(), q.to_string()]).collect::<Vec<_>>();
        let (bids, asks) = self.top(depth);
        let body = serde_json::json!({"lastUpdateId": self.last_id?, "bids": text(bids), "asks": text(asks)});
        Some(body.to_string())
    }
}

//! What Bybit answers over REST: its instruments and its clock.
//!
//! The venue has no channel for changes of rules, so they are asked for again from time to time; sizes are tuned on
//! the 3rd and 17th of each month. An instrument is asked for by its name, because a list ends at 1,000.

use serde::Deserialize;

use super::{BybitDialect, Category, Continuity};
use crate::market::{Contract, Instrument, InstrumentId, Kind, Status, VenueId};
use crate::units::{Lots, Money, Nanos, Step, VenueTime};
use crate::wire::amount::Field;
use crate::wire::conversation::Conversation;
use crate::wire::dialect::{Exchange, Listed, Manners, Options, Request};
use crate::wire::{Protocol, WireError};

/// One of the venue's markets.
#[derive(Clone, Copy, Debug)]
pub struct Bybit {
    /// Which.
    pub category: Category,
    /// What `u` is taken to prove.
    pub continuity: Continuity,
}

/// Bybit spot.
pub static SPOT: Bybit = Bybit { category: Category::Spot, continuity: Continuity::ByOne };

/// Bybit linear perpetuals.
pub static LINEAR: Bybit = Bybit { category: Category::Linear, continuity: Continuity::ByOne };

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    ret_code: i64,
    #[serde(default)]
    ret_msg: String,
    result: Option<List>,
    /// When it was written, in milliseconds.
    #[serde(default)]
    time: u64,
}

#[derive(Default, Deserialize)]
struct List {
    #[serde(default)]
    list: Vec<Row>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Row {
    symbol: String,
    status: String,
    base_coin: String,
    quote_coin: String,
    settle_coin: String,
    contract_type: String,
    delivery_time: String,
    funding_interval: i64,
    price_filter: PriceFilter,
    lot_size_filter: LotFilter,
    pre_listing_info: Option<PreListing>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PriceFilter {
    tick_size: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LotFilter {
    /// Linear.
    qty_step: Option<String>,
    min_order_qty: Option<String>,
    max_order_qty: Option<String>,
    min_notional_value: Option<String>,
    /// Spot, where the three above are no longer enforced.
    base_precision: Option<String>,
    min_order_amt: Option<String>,
    max_limit_order_qty: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PreListing {
    cur_auction_phase: String,
}

fn reply(answer: &[u8]) -> Result<Reply, WireError> {
    let bad = |why: String| WireError::Shape { what: "instruments-info", why };
    let reply: Reply = serde_json::from_slice(answer).map_err(|e| bad(e.to_string()))?;
    match reply.ret_code {
        0 => Ok(reply),
        // Asked for by name, a symbol the venue does not know is an invalid parameter.
        10_001 if reply.ret_msg.to_lowercase().contains("symbol") => Ok(Reply { result: None, ..reply }),
        code => Err(bad(format!("{code} {}", reply.ret_msg))),
    }
}

impl Row {
    fn instrument(&self, category: Category, now_ms: u64) -> Result<Instrument, WireError> {
        let field = |name| Field { symbol: &self.symbol, name };
        let lots = &self.lot_size_filter;
        let (lot_name, lot) = match category {
            Category::Spot => ("basePrecision", &lots.base_precision),
            Category::Linear => ("qtyStep", &lots.qty_step),
        };
        let tick = field("tickSize").step(&self.price_filter.tick_size)?;
        let lot = field(lot_name).step(lot.as_deref().unwrap_or_default())?;
        let venue = category.venue();
        let mut instrument = Instrument::new(venue, &self.symbol, &self.base_coin, &self.quote_coin, tick, lot)
            .map_err(|e| field("tickSize").bad(&format!("{tick} with lot {lot}"), &e.to_string()))?;
        let number = |name, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => field(name).decimal(text).map(Some),
        };
        let (max, min_notional) = match category {
            Category::Spot => {
                let max = lots.max_limit_order_qty.as_ref().or(lots.max_order_qty.as_ref()).cloned();
                (number("maxLimitOrderQty", &max)?, number("minOrderAmt", &lots.min_order_amt)?)
            }
            Category::Linear => {
                if self.contract_type != "LinearPerpetual" {
                    return Err(field("contractType").bad(&self.contract_type, "is not a perpetual contract"));
                }
                let every = (self.funding_interval > 0).then(|| Nanos::from_s(60 * self.funding_interval));
                let settle = self.settle_coin.clone();
                instrument.contract = Contract { kind: Kind::Linear, unit: Step::ONE, settle, funding_every: every };
                if let Some(min) = number("minOrderQty", &lots.min_order_qty)? {
                    // Up to the next whole lot, so that the smallest order allowed here is allowed there.
                    instrument.min_qty = Lots((-lot.count_floor(-min)).max(1));
                }
                (number("maxOrderQty", &lots.max_order_qty)?, number("minNotionalValue", &lots.min_notional_value)?)
            }
        };
        if let Some(max) = max.map(|max| lot.count_floor(max)).filter(|&max| max > 0) {
            instrument.max_qty = Lots(max.min(instrument.max_qty.0));
        }
        if let Some(min) = min_notional {
            let out = || field("min notional").bad(&min.to_string(), "is out of range");
            instrument.min_notional = Money::from_decimal(min).ok_or_else(out)?;
        }
        instrument.status = self.status(now_ms);
        Ok(instrument)
    }

    /// A perpetual with a delivery time is one whose end is known.
    fn status(&self, now_ms: u64) -> Status {
        let ended = self.delivery_time.parse().is_ok_and(|end: u64| end > 0 && end <= now_ms);
        let continuous = self.pre_listing_info.as_ref().is_some_and(|p| p.cur_auction_phase == "ContinuousTrading");
        match self.status.as_str() {
            _ if ended => Status::Delisted,
            "Trading" => Status::Trading,
            "PreLaunch" if continuous => Status::Trading,
            "PreLaunch" | "Delivering" => Status::Halted,
            "Closed" => Status::Delisted,
            _ => Status::Unknown,
        }
    }
}

impl Bybit {
    /// A conversation about these instruments.
    pub fn conversation(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Conversation<BybitDialect> {
        let dialect = BybitDialect::new(self.category, self.continuity, options.depth);
        Conversation::new(dialect, instruments, options, self)
    }
}

impl Exchange for Bybit {
    fn id(&self) -> VenueId {
        self.category.venue()
    }

    fn manners(&self) -> Manners {
        Manners {
            messages_per_second: 10,
            // The names of all topics of a connection together may have 21,000 letters; and all is to be asked for
            // within five seconds.
            instruments_per_connection: 50,
            rotate_after: Nanos::ZERO,
            // 500 in five minutes per address are allowed; nobody needs more than these.
            connects_per_minute: 60,
            forbidden_wait: Nanos::from_s(600),
        }
    }

    fn rules_requests(&self, symbols: &[&str]) -> Vec<Request> {
        let category = self.category.word();
        let path = |symbol| format!("/v5/market/instruments-info?category={category}&symbol={symbol}");
        symbols.iter().map(|symbol| Request::Get { path: path(symbol), weight: 1 }).collect()
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        let mut listed = Vec::new();
        for answer in answers {
            let Reply { result, time, .. } = reply(answer)?;
            listed.extend(result.unwrap_or_default().list.into_iter().map(|row| {
                let rules = row.instrument(self.category, time);
                Listed { symbol: row.symbol, rules }
            }));
        }
        Ok(listed)
    }

    fn wants_silence(&self, answer: &[u8]) -> Option<(u16, Nanos)> {
        // A refusal is short; a list need not be read twice.
        let refusal: Reply = serde_json::from_slice(Some(answer).filter(|a| a.len() < 1_000)?).ok()?;
        (refusal.ret_code == 10_006).then_some((10_006, Nanos::from_s(5)))
    }

    fn listing_requests(&self) -> Vec<Request> {
        let path = format!("/v5/market/instruments-info?category={}&limit=1000", self.category.word());
        vec![Request::Get { path, weight: 1 }]
    }

    fn clock_request(&self) -> Option<Request> {
        Some(Request::Get { path: "/v5/market/time".to_owned(), weight: 1 })
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        #[derive(Deserialize)]
        struct Clock {
            result: Time,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Time {
            time_nano: String,
        }
        let clock: Clock = serde_json::from_slice(answer).ok()?;
        clock.result.time_nano.parse().ok().map(VenueTime)
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        vec![Box::new(self.conversation(instruments, options))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOT_BTC: &str = r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbolId":9,"symbol":"BTCUSDT",
        "baseCoin":"BTC","quoteCoin":"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001",
        "quotePrecision":"0.0000001","minOrderQty":"0.000011","maxOrderQty":"230","minOrderAmt":"5","maxOrderAmt":"8000000",
        "maxLimitOrderQty":"83","maxMarketOrderQty":"120"},"priceFilter":{"tickSize":"0.1"},"somethingNew":[1]}]},
        "time":1786310817470}"#;
    const LINEAR_BTC: &str = r#"{"retCode":0,"retMsg":"OK","result":{"nextPageCursor":"","list":[{"symbol":"BTCUSDT",
        "contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","deliveryTime":"0",
        "priceFilter":{"minPrice":"0.10","maxPrice":"1999999.80","tickSize":"0.10"},"lotSizeFilter":{"maxOrderQty":"1190.000",
        "minOrderQty":"0.0015","qtyStep":"0.001","minNotionalValue":"5"},"fundingInterval":480,"settleCoin":"USDT",
        "isPreListing":false,"preListingInfo":null}]},"time":1786310817197}"#;

    fn only(exchange: &Bybit, text: &str) -> Result<Instrument, WireError> {
        let mut listed = exchange.read_rules(&[text.as_bytes().to_vec()]).unwrap();
        assert_eq!(listed.len(), 1);
        listed.remove(0).rules
    }

    #[test]
    fn spot_rules_take_the_lot_from_the_base_precision_and_ignore_what_is_no_longer_enforced() {
        let btc = only(&SPOT, SPOT_BTC).unwrap();
        assert_eq!((btc.tick.to_string(), btc.lot.to_string()), ("0.1".to_owned(), "0.000001".to_owned()));
        // 83 BTC in lots of a millionth; minOrderQty and maxOrderQty are history.
        assert_eq!((btc.min_qty, btc.max_qty), (Lots(1), Lots(83_000_000)));
        assert_eq!(btc.min_notional.to_string(), "5");
        assert_eq!((btc.contract.kind, btc.contract.funding_every, btc.status), (Kind::Spot, None, Status::Trading));
        assert_eq!(btc.price_band, None);
    }

    #[test]
    fn linear_rules_are_of_a_contract_of_one_base_unit_with_funding() {
        let btc = only(&LINEAR, LINEAR_BTC).unwrap();
        assert_eq!(btc.venue, VenueId::BybitLinear);
        let contract = &btc.contract;
        assert_eq!((contract.kind, contract.unit, contract.settle.as_str()), (Kind::Linear, Step::ONE, "USDT"));
        assert_eq!(contract.funding_every, Some(Nanos::from_s(8 * 3_600)));
        // 0.0015 is one lot and a half, so two; 1,190 in lots of a thousandth.
        assert_eq!(
            (btc.min_qty, btc.max_qty, btc.min_notional.to_string()),
            (Lots(2), Lots(1_190_000), "5".to_owned())
        );
    }

    #[test]
    fn what_has_ended_expires_or_is_not_open_yet_is_not_tradable() {
        let status = |from: &str, to: &str| only(&LINEAR, &LINEAR_BTC.replace(from, to)).unwrap().status;
        // The answer was written at 1786310817197.
        assert_eq!(status(r#""deliveryTime":"0""#, r#""deliveryTime":"1786310817197""#), Status::Delisted);
        assert_eq!(status(r#""deliveryTime":"0""#, r#""deliveryTime":"1786310817198""#), Status::Trading);
        assert_eq!(status("Trading", "Delivering"), Status::Halted);
        assert_eq!(status("Trading", "Closed"), Status::Delisted);
        assert_eq!(status("Trading", "SomethingNew"), Status::Unknown);
        let auction =
            LINEAR_BTC.replace("Trading", "PreLaunch").replace("null", r#"{"curAuctionPhase":"CallAuction"}"#);
        assert_eq!(only(&LINEAR, &auction).unwrap().status, Status::Halted);
        let open = auction.replace("CallAuction", "ContinuousTrading");
        assert_eq!(only(&LINEAR, &open).unwrap().status, Status::Trading);
        let error = only(&LINEAR, &LINEAR_BTC.replace("LinearPerpetual", "LinearFutures")).unwrap_err();
        assert_eq!(error.to_string(), "BTCUSDT: contractType \"LinearFutures\": is not a perpetual contract");
    }

    #[test]
    fn rules_we_cannot_keep_are_refused_by_name_and_a_refusal_of_the_venue_is_told() {
        let error = only(&SPOT, &SPOT_BTC.replace("basePrecision", "other")).unwrap_err();
        assert!(error.to_string().starts_with("BTCUSDT: basePrecision \"\""), "{error}");
        let error = only(&SPOT, &SPOT_BTC.replace("\"0.1\"", "\"0.000000000001\"")).unwrap_err();
        assert!(error.to_string().contains("cash would not be exact"), "{error}");
        let limited = br#"{"retCode":10006,"retMsg":"Too many visits!","result":{}}"#.to_vec();
        assert_eq!(SPOT.wants_silence(&limited), Some((10_006, Nanos::from_s(5))));
        assert_eq!(SPOT.wants_silence(SPOT_BTC.as_bytes()), None);
        assert_eq!(SPOT.read_rules(&[limited]).unwrap_err().to_string(), "instruments-info: 10006 Too many visits!");
        let unknown = br#"{"retCode":10001,"retMsg":"params error: symbol invalid","result":{},"time":1}"#.to_vec();
        assert_eq!(LINEAR.read_rules(&[unknown]), Ok(Vec::new()));
        assert!(LINEAR.read_rules(&[b"<html>".to_vec()]).is_err());
    }

    #[test]
    fn the_clock_is_read_to_the_nanosecond() {
        let answer =
            br#"{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1688639403","timeNano":"1688639403423213947"}}"#;
        assert_eq!(LINEAR.read_clock(answer), Some(VenueTime(1_688_639_403_423_213_947)));
        assert_eq!(LINEAR.read_clock(b"{}"), None);
    }
}

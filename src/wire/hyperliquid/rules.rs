//! What Hyperliquid lists: `meta` (perpetuals) and `spotMeta`.
//!
//! It has no tick. A price has at most five significant figures and so many decimals that price and size together have
//! six of them (spot: eight); whole numbers are always allowed. So the tick is the last decimal, and the figures are a
//! [`PriceRule`] on it.

use rust_decimal::Decimal;
use serde::Deserialize;

use super::HOUR;
use crate::market::{Contract, Instrument, Kind, PriceRule, Status, VenueId};
use crate::units::{Money, Step};
use crate::wire::WireError;
use crate::wire::dialect::{Listed, Request};

/// Decimals of a perpetual's price and size together.
const PERPETUAL_DECIMALS: u32 = 6;
/// Decimals of a spot price and size together.
const SPOT_DECIMALS: u32 = 8;
/// Smallest worth of an order, in the quote token.
const MIN_NOTIONAL: i64 = 10;

/// A question about anything.
pub(super) fn info(body: String, weight: u32) -> Request {
    Request::Post { path: "/info".to_owned(), body, weight }
}

/// The lists in which these coins stand, each once. `PURR/USDC` and `@107` are spot pairs, `xyz:XYZ100` is a perpetual
/// of somebody else's exchange on the same chain.
pub(super) fn requests(symbols: &[&str]) -> Vec<Request> {
    let mut bodies: Vec<String> = symbols
        .iter()
        .map(|symbol| match symbol.split_once(':') {
            Some((dex, _)) => format!(r#"{{"type":"meta","dex":{}}}"#, serde_json::Value::from(dex)),
            None if symbol.starts_with('@') || symbol.contains('/') => r#"{"type":"spotMeta"}"#.to_owned(),
            None => r#"{"type":"meta"}"#.to_owned(),
        })
        .collect();
    bodies.sort();
    bodies.dedup();
    bodies.into_iter().map(|body| info(body, 20)).collect()
}

/// Reads those lists.
pub(super) fn read(answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
    let mut listed = Vec::new();
    for answer in answers {
        let Meta { universe, tokens, collateral } =
            serde_json::from_slice(answer).map_err(|e| WireError::Shape { what: "meta", why: e.to_string() })?;
        listed.extend(universe.into_iter().map(|asset| {
            let rules = match &tokens {
                Some(tokens) => asset.spot(tokens),
                None => asset.perpetual(collateral),
            };
            Listed { symbol: asset.name, rules }
        }));
    }
    Ok(listed)
}

/// Milliseconds of the block a book is of.
pub(super) fn block_time(book: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Book {
        time: u64,
    }
    serde_json::from_slice::<Book>(book).ok().map(|book| book.time)
}

/// Both lists in one; only spot has tokens.
#[derive(Deserialize)]
struct Meta {
    universe: Vec<Asset>,
    #[serde(default)]
    tokens: Option<Vec<Token>>,
    /// Of perpetuals: the token they are settled in, by its number. Zero is USDC.
    #[serde(default, rename = "collateralToken")]
    collateral: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    name: String,
    #[serde(default)]
    sz_decimals: Option<u32>,
    #[serde(default)]
    is_delisted: Option<bool>,
    /// Of a spot pair: base and quote.
    #[serde(default)]
    tokens: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    name: String,
    sz_decimals: u32,
    index: u32,
}

impl Asset {
    fn perpetual(&self, collateral: Option<u32>) -> Result<Instrument, WireError> {
        if let Some(token) = collateral.filter(|&token| token != 0) {
            return Err(self.bad("collateralToken", token.to_string(), "is not USDC"));
        }
        let decimals = self.sz_decimals.ok_or_else(|| self.bad("szDecimals", String::new(), "is missing"))?;
        let mut instrument = self.instrument(&self.name, "USDC", decimals, PERPETUAL_DECIMALS)?;
        instrument.contract =
            Contract { kind: Kind::Linear, unit: Step::ONE, settle: "USDC".to_owned(), funding_every: Some(HOUR) };
        Ok(instrument)
    }

    fn spot(&self, tokens: &[Token]) -> Result<Instrument, WireError> {
        let token = |n: usize| {
            let index = self.tokens.get(n)?;
            tokens.iter().find(|token| token.index == *index)
        };
        let (Some(base), Some(quote)) = (token(0), token(1)) else {
            return Err(self.bad("tokens", format!("{:?}", self.tokens), "are not in the list"));
        };
        self.instrument(&base.name, &quote.name, base.sz_decimals, SPOT_DECIMALS)
    }

    fn instrument(&self, base: &str, quote: &str, sz_decimals: u32, together: u32) -> Result<Instrument, WireError> {
        let steps = |e: &dyn std::fmt::Display| self.bad("szDecimals", sz_decimals.to_string(), &e.to_string());
        let step = |decimals: u32| {
            let size = Decimal::try_from_i128_with_scale(1, decimals).map_err(|e| steps(&e))?;
            Step::new(size).map_err(|e| steps(&e))
        };
        let (tick, lot) = (step(together.saturating_sub(sz_decimals))?, step(sz_decimals)?);
        let mut instrument =
            Instrument::new(VenueId::Hyperliquid, &self.name, base, quote, tick, lot).map_err(|e| steps(&e))?;
        instrument.price_rule = PriceRule::SignificantFigures(5);
        instrument.min_notional = Money(Money::PER_QUOTE * i128::from(MIN_NOTIONAL));
        if self.is_delisted == Some(true) {
            instrument.status = Status::Delisted;
        }
        Ok(instrument)
    }

    fn bad(&self, field: &'static str, value: String, why: &str) -> WireError {
        WireError::Number { symbol: self.name.clone(), field, value, why: why.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &[u8] = br#"{"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56},
        {"szDecimals":0,"name":"kPEPE","maxLeverage":10,"marginTableId":52,"isDelisted":null},
        {"szDecimals":1,"name":"MATIC","maxLeverage":20,"marginTableId":20,"isDelisted":true},
        {"szDecimals":99,"name":"ODD"}],
        "marginTables":[[50,{"description":""}]],"collateralToken":0}"#;
    const SPOT: &[u8] = br#"{"tokens":[{"name":"USDC","szDecimals":8,"weiDecimals":8,"index":0,"isCanonical":true},
        {"name":"PURR","szDecimals":0,"weiDecimals":5,"index":1},{"name":"HYPE","szDecimals":2,"weiDecimals":8,"index":150}],
        "universe":[{"name":"PURR/USDC","tokens":[1,0],"index":0,"isCanonical":true},
        {"name":"@107","tokens":[150,0],"index":107},{"name":"@9","tokens":[7,0],"index":9}]}"#;

    fn one<'a>(listed: &'a [Listed], symbol: &str) -> &'a Result<Instrument, WireError> {
        &listed.iter().find(|l| l.symbol == symbol).expect("it is listed").rules
    }

    #[test]
    fn the_tick_is_the_last_decimal_and_the_figures_are_a_rule_on_it() {
        let listed = read(&[META.to_vec(), SPOT.to_vec()]).unwrap();
        // 6 - 5 = 1, 6 - 0 = 6, 8 - 0 = 8, 8 - 2 = 6 decimals.
        for (symbol, base, quote, tick, lot) in [
            ("BTC", "BTC", "USDC", "0.1", "0.00001"),
            ("kPEPE", "kPEPE", "USDC", "0.000001", "1"),
            ("PURR/USDC", "PURR", "USDC", "0.00000001", "1"),
            ("@107", "HYPE", "USDC", "0.000001", "0.01"),
        ] {
            let rules = one(&listed, symbol).as_ref().unwrap();
            assert_eq!((rules.base.as_str(), rules.quote.as_str()), (base, quote));
            assert_eq!((rules.tick.to_string(), rules.lot.to_string()), (tick.to_owned(), lot.to_owned()));
            assert_eq!(rules.price_rule, PriceRule::SignificantFigures(5));
            assert_eq!(rules.min_notional.to_string(), "10");
            let is_spot = symbol.contains(['/', '@']);
            assert_eq!(rules.contract.kind, if is_spot { Kind::Spot } else { Kind::Linear });
            assert_eq!(rules.contract.funding_every, (!is_spot).then_some(Nanos::from_s(3_600)));
        }
    }

    #[test]
    fn what_cannot_be_traded_says_why_and_does_not_hide_the_rest() {
        let listed = read(&[META.to_vec(), SPOT.to_vec()]).unwrap();
        assert_eq!(one(&listed, "MATIC").as_ref().unwrap().status, Status::Delisted);
        assert!(one(&listed, "ODD").as_ref().unwrap_err().to_string().starts_with("ODD: szDecimals \"99\""));
        assert_eq!(one(&listed, "@9").as_ref().unwrap_err().to_string(), "@9: tokens \"[7, 0]\": are not in the list");
        let usdh = br#"{"universe":[{"name":"km:US500","szDecimals":3}],"collateralToken":360}"#;
        let error = one(&read(&[usdh.to_vec()]).unwrap(), "km:US500").clone().unwrap_err();
        assert_eq!(error.to_string(), "km:US500: collateralToken \"360\": is not USDC");
        assert!(read(&[b"null".to_vec()]).is_err());
    }

    #[test]
    fn each_list_is_asked_for_once() {
        let bodies = |symbols: &[&str]| -> Vec<String> {
            let body = |request| match request {
                Request::Post { path, body, weight } => {
                    assert_eq!((path.as_str(), weight), ("/info", 20));
                    body
                }
                other => panic!("{other:?}"),
            };
            requests(symbols).into_iter().map(body).collect()
        };
        assert_eq!(bodies(&["BTC", "ETH"]), [r#"{"type":"meta"}"#]);
        assert_eq!(bodies(&["PURR/USDC", "BTC", "@107"]), [r#"{"type":"meta"}"#, r#"{"type":"spotMeta"}"#]);
        assert_eq!(bodies(&["xyz:XYZ100"]), [r#"{"type":"meta","dex":"xyz"}"#]);
    }

    use crate::units::Nanos;
}

//! What Binance futures answer over REST: the rules of trading (`exchangeInfo`) and how often funding is
//! paid (`fundingInfo`).

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::Market;
use crate::market::{Contract, Instrument, Kind, Status};
use crate::units::{Nanos, Step};
use crate::wire::WireError;
use crate::wire::binance::decimals::shape;
use crate::wire::binance::filters::Listing;
use crate::wire::dialect::Listed;

/// Between payments of a perpetual that `fundingInfo` does not name.
pub(super) const FUNDING_EVERY: Nanos = Nanos::from_s(8 * 3600);

/// The instruments in the bodies of `exchangeInfo` and `fundingInfo`. Without the second every perpetual is paid every
/// eight hours.
pub(super) fn listed(market: Market, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
    let missing = || WireError::Shape { what: "exchangeInfo", why: "is missing".to_owned() };
    let info: ExchangeInfo = shape("exchangeInfo", serde_json::from_slice(answers.first().ok_or_else(missing)?))?;
    let intervals: Vec<Interval> = match answers.get(1) {
        Some(body) => shape("fundingInfo", serde_json::from_slice(body))?,
        None => Vec::new(),
    };
    // Each by itself: a listing of a new kind must not hide the others.
    let one = |terms: Value| {
        let symbol = terms["symbol"].as_str()?.to_owned();
        let interval = intervals.iter().find(|i| i.symbol == symbol);
        let terms: Result<Terms, WireError> = shape("exchangeInfo", serde_json::from_value(terms));
        Some(Listed { symbol, rules: terms.and_then(|terms| terms.instrument(market, interval)) })
    };
    Ok(info.symbols.into_iter().filter_map(one).collect())
}

/// A contract's status by the venue's word.
pub(super) fn status(word: &str) -> Status {
    match word {
        "TRADING" => Status::Trading,
        "PENDING_TRADING" | "PRE_DELIVERING" | "DELIVERING" | "PRE_SETTLE" | "SETTLING" => Status::Halted,
        "DELIVERED" | "CLOSE" => Status::Delisted,
        _ => Status::Unknown,
    }
}

#[derive(Deserialize)]
struct ExchangeInfo {
    symbols: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terms {
    #[serde(flatten)]
    listing: Listing,
    #[serde(default)]
    contract_type: String,
    margin_asset: String,
    /// COIN-M calls it `contractStatus`.
    #[serde(alias = "contractStatus")]
    status: String,
    /// Quote currency in one contract; USD-M counts in base units and has none.
    contract_size: Option<Decimal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interval {
    symbol: String,
    funding_interval_hours: Option<u32>,
}

impl Terms {
    fn instrument(&self, market: Market, interval: Option<&Interval>) -> Result<Instrument, WireError> {
        let (kind, size) = match market {
            Market::Usdm => (Kind::Linear, Decimal::ONE),
            Market::Coinm => (Kind::Inverse, self.contract_size.unwrap_or(Decimal::ZERO)),
        };
        let bad = |why: String| self.listing.bad("contractSize", size.to_string(), why);
        let unit = Step::new(size).map_err(|e| bad(e.to_string()))?;
        let hours = interval.and_then(|i| i.funding_interval_hours).filter(|&hours| hours > 0);
        let every = hours.map_or(FUNDING_EVERY, |hours| Nanos::from_s(i64::from(hours) * 3600));
        let contract = Contract {
            kind,
            unit,
            settle: self.margin_asset.clone(),
            // PERPETUAL, PERPETUAL_DELIVERING, TRADIFI_PERPETUAL; all others are delivered on a day.
            funding_every: self.contract_type.contains("PERPETUAL").then_some(every),
        };
        let rules = self.listing.instrument(market.venue(), size)?;
        Ok(Instrument { contract, status: status(&self.status), ..rules })
    }
}

//! What Deribit lists: `get_instruments` and its kin, over HTTP.
//!
//! Amounts of inverse contracts are in USD, of linear ones in coin; both in multiples of a contract. Prices may widen
//! their step from some price on; the tick is the finest step, and the others are a [`PriceRule`] on it.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FUNDING_EVERY;
use super::state::of_word;
use crate::market::{Contract, Instrument, Kind, PriceRule, Status, VenueId};
use crate::units::{Lots, Step, Ticks};
use crate::wire::WireError;
use crate::wire::amount::Field;
use crate::wire::dialect::{Listed, Request};

/// Every future there is, perpetual ones among them.
pub(super) fn request() -> Request {
    let path = "/api/v2/public/get_instruments?currency=any&kind=future&expired=false".to_owned();
    Request::Get { path, weight: 1 }
}

/// Reads the answers to that, or to `get_instrument`.
pub(super) fn read(answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
    let mut listed = Vec::new();
    for answer in answers {
        let bad = |e: serde_json::Error| WireError::Shape { what: "get_instruments", why: e.to_string() };
        let Answer { result } = serde_json::from_slice(answer).map_err(bad)?;
        let list: Vec<Listing<'_>> = if result.get().starts_with('[') {
            serde_json::from_str(result.get()).map_err(bad)?
        } else {
            vec![serde_json::from_str(result.get()).map_err(bad)?]
        };
        listed.extend(list.iter().map(|one| Listed { symbol: one.instrument_name.to_string(), rules: one.rules() }));
    }
    Ok(listed)
}

/// Milliseconds in the answer to `get_time`.
pub(super) fn time(answer: &[u8]) -> Option<u64> {
    let Answer { result } = serde_json::from_slice(answer).ok()?;
    result.get().parse().ok()
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    instrument_name: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    base_currency: Cow<'a, str>,
    #[serde(borrow)]
    quote_currency: Cow<'a, str>,
    #[serde(borrow, default)]
    counter_currency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    settlement_currency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    settlement_period: Option<Cow<'a, str>>,
    /// `reversed` or `linear`; before 2024 it was `future_type`.
    #[serde(borrow, default)]
    instrument_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    future_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tick_size: &'a RawValue,
    #[serde(borrow, default)]
    tick_size_steps: Vec<TickStep<'a>>,
    #[serde(borrow)]
    contract_size: &'a RawValue,
    #[serde(borrow, default)]
    min_trade_amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    state: Option<Cow<'a, str>>,
    #[serde(default)]
    is_active: Option<bool>,
}

#[derive(Deserialize)]
struct TickStep<'a> {
    #[serde(borrow)]
    above_price: &'a RawValue,
    #[serde(borrow)]
    tick_size: &'a RawValue,
}

impl Listing<'_> {
    fn rules(&self) -> Result<Instrument, WireError> {
        if self.kind != "future" {
            return Err(self.field("kind").bad(&self.kind, "is nothing we trade"));
        }
        let kind = match self.instrument_type.as_deref().or(self.future_type.as_deref()) {
            Some("reversed") => Kind::Inverse,
            Some("linear") => Kind::Linear,
            other => return Err(self.field("instrument_type").bad(other.unwrap_or(""), "is no contract we know")),
        };
        let (tick, price_rule) = self.prices()?;
        let (lot, min_qty) = self.amounts(kind)?;
        // The quote currency of an inverse contract is called its counter currency where it is also an option's.
        let quote = self.counter_currency.as_ref().unwrap_or(&self.quote_currency);
        let base = &self.base_currency;
        let mut rules = Instrument::new(VenueId::Deribit, &self.instrument_name, base, quote, tick, lot)
            .map_err(|e| self.field("tick_size").bad(self.tick_size.get(), &e.to_string()))?;
        let settle = self.settlement_currency.as_ref().unwrap_or(if kind == Kind::Inverse { base } else { quote });
        let is_perpetual = self.settlement_period.as_deref() == Some("perpetual");
        let funding_every = is_perpetual.then_some(FUNDING_EVERY);
        rules.contract = Contract { kind, unit: Step::ONE, settle: settle.to_string(), funding_every };
        (rules.price_rule, rules.min_qty) = (price_rule, min_qty);
        rules.status = match (&self.state, self.is_active) {
            (Some(word), _) => of_word(word),
            (None, Some(true)) => Status::Trading,
            (None, Some(false)) => Status::Halted,
            (None, None) => Status::Unknown,
        };
        Ok(rules)
    }

    /// The finest step, and from which price on which multiple of it.
    fn prices(&self) -> Result<(Step, PriceRule), WireError> {
        let field = self.field("tick_size");
        let first = field.step(self.tick_size.get())?;
        let mut steps = Vec::new();
        for step in &self.tick_size_steps {
            steps.push((field.decimal(step.above_price.get())?, field.step(step.tick_size.get())?));
        }
        steps.sort_by_key(|(above, _)| *above);
        let sizes = steps.iter().map(|(_, step)| *step).chain([first]);
        let tick = sizes.min_by_key(|step| step.size()).unwrap_or(first);
        if steps.is_empty() {
            return Ok((tick, PriceRule::EveryTick));
        }
        if first != tick {
            steps.insert(0, (Decimal::ZERO, first));
        }
        let on_tick = |value: Decimal| tick.count(value).map_err(|e| field.bad(&value.to_string(), &e.to_string()));
        let rule: Result<Vec<_>, _> =
            steps.iter().map(|(above, step)| Ok((Ticks(on_tick(*above)?), on_tick(step.size())?))).collect();
        Ok((tick, PriceRule::Steps(rule?)))
    }

    /// The lot and the smallest order. Linear contracts may be divided further than their size says.
    fn amounts(&self, kind: Kind) -> Result<(Step, Lots), WireError> {
        let size = self.field("contract_size").step(self.contract_size.get())?;
        let field = self.field("min_trade_amount");
        let Some(text) = self.min_trade_amount.map(RawValue::get) else { return Ok((size, Lots(1))) };
        let min = field.step(text)?;
        let lot = if kind == Kind::Linear && min.size() < size.size() { min } else { size };
        // Up to the next whole lot, so that the smallest order allowed here is allowed there.
        Ok((lot, Lots((-lot.count_floor(-min.size())).max(1))))
    }

    fn field(&self, name: &'static str) -> Field<'_> {
        Field { symbol: &self.instrument_name, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    const BTC: &str = r#"{"price_index":"btc_usd","kind":"future","instrument_name":"BTC-PERPETUAL","max_leverage":50,
        "maker_commission":0.0,"taker_commission":0.0005,"instrument_type":"reversed","is_active":true,"state":"open",
        "tick_size":0.5,"contract_size":10.0,"min_trade_amount":10.0,"settlement_currency":"BTC",
        "settlement_period":"perpetual","base_currency":"BTC","counter_currency":"USD","quote_currency":"USD",
        "tick_size_steps":[]}"#;
    const SOL: &str = r#"{"tick_size":0.01,"settlement_period":"perpetual","settlement_currency":"USDC",
        "quote_currency":"USDC","min_trade_amount":0.1,"kind":"future","is_active":true,"future_type":"linear",
        "instrument_name":"SOL_USDC-PERPETUAL","counter_currency":"USDC","contract_size":1,"base_currency":"SOL"}"#;

    fn listed(result: &str) -> Vec<Listed> {
        read(&[format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#).into_bytes()]).unwrap()
    }

    fn one(result: &str) -> Instrument {
        listed(result)[0].rules.clone().unwrap()
    }

    #[test]
    fn an_inverse_contract_counts_in_usd_and_a_linear_one_in_coin() {
        let list = listed(&format!("[{BTC},{SOL}]"));
        let btc = list[0].rules.as_ref().unwrap();
        assert_eq!((btc.contract.kind, btc.contract.settle.as_str()), (Kind::Inverse, "BTC"));
        assert_eq!((btc.tick.to_string(), btc.lot.to_string(), btc.min_qty), ("0.5".into(), "10".into(), Lots(1)));
        assert_eq!((btc.base.as_str(), btc.quote.as_str()), ("BTC", "USD"));
        assert_eq!((btc.contract.unit, btc.contract.funding_every), (Step::ONE, Some(Nanos::from_s(28_800))));
        assert_eq!((btc.status, &btc.price_rule), (Status::Trading, &PriceRule::EveryTick));
        let sol = list[1].rules.as_ref().unwrap();
        assert_eq!((sol.contract.kind, sol.contract.settle.as_str()), (Kind::Linear, "USDC"));
        // A contract is a whole coin, a tenth of it can be had.
        assert_eq!((sol.lot.to_string(), sol.min_qty, sol.quote.as_str()), ("0.1".into(), Lots(1), "USDC"));
        assert_eq!(one(BTC), *btc);
    }

    #[test]
    fn wider_steps_lie_on_the_finest() {
        // Half a unit below 1,000, one from there and 2.5 from 10,000: in ticks of 0.5 from 2,000 on 2, from 20,000 on 5.
        let steps = r#""tick_size_steps":[{"above_price":10000.0,"tick_size":2.5},{"above_price":1000,"tick_size":1}]"#;
        let rules = one(&BTC.replace(r#""tick_size_steps":[]"#, steps));
        assert_eq!(rules.tick.to_string(), "0.5");
        assert_eq!(rules.price_rule, PriceRule::Steps(vec![(Ticks(2_000), 2), (Ticks(20_000), 5)]));
        // Finer above than below: then below it is the multiple.
        let steps = r#""tick_size_steps":[{"above_price":100,"tick_size":0.25}]"#;
        let rules = one(&BTC.replace(r#""tick_size_steps":[]"#, steps));
        assert_eq!(rules.price_rule, PriceRule::Steps(vec![(Ticks(0), 2), (Ticks(400), 1)]));
        let steps = r#""tick_size_steps":[{"above_price":100,"tick_size":0.7}]"#;
        let error = listed(&BTC.replace(r#""tick_size_steps":[]"#, steps))[0].rules.clone().unwrap_err();
        assert_eq!(error.to_string(), "BTC-PERPETUAL: tick_size \"0.7\": 0.7 is not a multiple of 0.5");
    }

    #[test]
    fn what_is_no_future_is_refused_by_name_and_closed_ones_are_not_tradable() {
        let option = listed(&BTC.replace("\"future\"", "\"option\""))[0].rules.clone().unwrap_err();
        assert_eq!(option.to_string(), "BTC-PERPETUAL: kind \"option\": is nothing we trade");
        assert_eq!(one(&BTC.replace("\"open\"", "\"settlement\"")).status, Status::Halted);
        assert_eq!(one(&SOL.replace("true", "false")).status, Status::Halted);
        assert_eq!(one(&BTC.replace("perpetual\"", "month\"")).contract.funding_every, None);
        assert!(read(&[br#"{"error":{"code":13020,"message":"not_found"}}"#.to_vec()]).is_err());
    }

    #[test]
    fn the_clock_is_read_in_milliseconds() {
        assert_eq!(time(br#"{"jsonrpc":"2.0","id":1,"result":1733338800000}"#), Some(1_733_338_800_000));
        assert_eq!(time(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#), None);
    }
}

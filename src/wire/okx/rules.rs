//! An OKX instrument as the venue writes it, over REST and in its channel alike.
//!
//! Spot sizes are in base units. Those of contracts count contracts of `ctVal × ctMult`: base units where the contract
//! is linear, US dollars where it is inverse. An empty text is a field that does not apply.

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::market::{Contract, Instrument, Kind, Status, VenueId};
use crate::units::{Lots, Step};
use crate::wire::WireError;
use crate::wire::amount::Field;

/// One instrument's row.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Row {
    inst_id: String,
    inst_type: String,
    ct_val: String,
    ct_mult: String,
    ct_val_ccy: String,
    ct_type: String,
    settle_ccy: String,
    tick_sz: String,
    lot_sz: String,
    min_sz: String,
    max_lmt_sz: String,
    state: String,
}

impl Row {
    /// Its name.
    pub(super) fn symbol(&self) -> &str {
        &self.inst_id
    }

    /// Its rules, or why we cannot keep them.
    pub(super) fn instrument(&self) -> Result<Instrument, WireError> {
        let mut parts = self.inst_id.split('-');
        let (Some(base), Some(quote)) = (parts.next(), parts.next()) else {
            return Err(self.field("instId").bad(&self.inst_id, "does not name two assets"));
        };
        let contract = self.contract(base, quote)?;
        let unit = contract.unit.size();
        let tick = self.field("tickSz").step(&self.tick_sz)?;
        let wire_lot = self.field("lotSz").step(&self.lot_sz)?;
        let size = wire_lot.size().checked_mul(unit).unwrap_or_default();
        let lot = Step::new(size).map_err(|e| self.field("lotSz").bad(&self.lot_sz, &e.to_string()))?;
        let mut instrument = Instrument::new(VenueId::Okx, &self.inst_id, base, quote, tick, lot)
            .map_err(|e| self.field("tickSz").bad(&format!("{tick} with lot {lot}"), &e.to_string()))?;
        if let Some(min) = self.number("minSz", &self.min_sz)? {
            // Up to the next whole lot, so that the smallest order allowed here is allowed there.
            instrument.min_qty = Lots((-wire_lot.count_floor(-min)).max(1));
        }
        if let Some(max) = self.number("maxLmtSz", &self.max_lmt_sz)?.map(|max| wire_lot.count_floor(max)) {
            // Zero: more than 63 bits of lots, which limits nobody.
            instrument.max_qty = if max > 0 { Lots(max.min(instrument.max_qty.0)) } else { instrument.max_qty };
        }
        instrument.contract = contract;
        instrument.status = self.status();
        Ok(instrument)
    }

    fn contract(&self, base: &str, quote: &str) -> Result<Contract, WireError> {
        match self.inst_type.as_str() {
            "SPOT" => {
                let settle = quote.to_owned();
                return Ok(Contract { kind: Kind::Spot, unit: Step::ONE, settle, funding_every: None });
            }
            "SWAP" => {}
            other => return Err(self.field("instType").bad(other, "is neither spot nor swap")),
        }
        let (kind, counted) = match self.ct_type.as_str() {
            "linear" => (Kind::Linear, base),
            "inverse" => (Kind::Inverse, quote),
            other => return Err(self.field("ctType").bad(other, "is neither linear nor inverse")),
        };
        if self.ct_val_ccy != counted {
            return Err(self.field("ctValCcy").bad(&self.ct_val_ccy, &format!("is not {counted}")));
        }
        let value = self.field("ctVal").decimal(&self.ct_val)?;
        let times = self.number("ctMult", &self.ct_mult)?.unwrap_or(Decimal::ONE);
        let unit = Step::new(value.checked_mul(times).unwrap_or_default());
        let unit = unit.map_err(|e| self.field("ctVal").bad(&self.ct_val, &e.to_string()))?;
        // The interval of funding is in its own channel only.
        Ok(Contract { kind, unit, settle: self.settle_ccy.clone(), funding_every: None })
    }

    /// Only `live` trades; the other words are times before, between and after.
    fn status(&self) -> Status {
        match self.state.as_str() {
            "live" => Status::Trading,
            "suspend" | "preopen" | "settling" | "rebase" | "post_only" => Status::Halted,
            _ => Status::Unknown,
        }
    }

    fn number(&self, name: &'static str, text: &str) -> Result<Option<Decimal>, WireError> {
        if text.is_empty() { Ok(None) } else { self.field(name).decimal(text).map(Some) }
    }

    fn field(&self, name: &'static str) -> Field<'_> {
        Field { symbol: &self.inst_id, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOT: &str = r#"{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","ctVal":"","ctMult":"",
        "ctType":"","ctValCcy":"","settleCcy":"","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001",
        "maxLmtSz":"9999999999","state":"live","tradeQuoteCcyList":["USDT"]}"#;
    const LINEAR: &str = r#"{"instType":"SWAP","instId":"BTC-USDT-SWAP","baseCcy":"","quoteCcy":"","ctVal":"0.01",
        "ctMult":"1","ctType":"linear","ctValCcy":"BTC","settleCcy":"USDT","tickSz":"0.1","lotSz":"0.01","minSz":"0.01",
        "maxLmtSz":"100000000","state":"live"}"#;
    const INVERSE: &str = r#"{"instType":"SWAP","instId":"UNI-USD-SWAP","ctVal":"10","ctMult":"1","ctType":"inverse",
        "ctValCcy":"USD","settleCcy":"UNI","tickSz":"0.001","lotSz":"1","minSz":"1","maxLmtSz":"100000000","state":"live"}"#;

    fn read(text: &str) -> Result<Instrument, WireError> {
        serde_json::from_str::<Row>(text).unwrap().instrument()
    }

    #[test]
    fn spot_counts_base_units() {
        let btc = read(SPOT).unwrap();
        assert_eq!((btc.base.as_str(), btc.quote.as_str(), btc.contract.kind), ("BTC", "USDT", Kind::Spot));
        // 0.00001 in lots of 10^-8; ten billion coins in lots do not fit into the greatest order we can count.
        assert_eq!((btc.min_qty, btc.max_qty), (Lots(1_000), Lots(999_999_999_900_000_000)));
        assert_eq!(btc.min_notional.0, 0);
    }

    #[test]
    fn a_linear_swap_counts_contracts_of_base_units() {
        let btc = read(LINEAR).unwrap();
        assert_eq!((btc.base.as_str(), btc.quote.as_str(), btc.contract.kind), ("BTC", "USDT", Kind::Linear));
        // A contract is 0.01 BTC, a lot a hundredth of a contract.
        assert_eq!((btc.contract.unit.to_string(), btc.lot.to_string()), ("0.01".to_owned(), "0.0001".to_owned()));
        assert_eq!((btc.min_qty, btc.max_qty), (Lots(1), Lots(10_000_000_000)));
        assert_eq!(crate::wire::symbols::wire_lot(&btc).to_string(), "0.01");
    }

    #[test]
    fn an_inverse_swap_counts_contracts_of_dollars() {
        let uni = read(INVERSE).unwrap();
        assert_eq!(
            (uni.contract.kind, uni.contract.settle.as_str(), uni.quote.as_str()),
            (Kind::Inverse, "UNI", "USD")
        );
        // A contract, and so a lot, is 10 USD.
        assert_eq!((uni.contract.unit.to_string(), uni.lot.to_string()), ("10".to_owned(), "10".to_owned()));
        assert_eq!(crate::wire::symbols::wire_lot(&uni).to_string(), "1");
    }

    #[test]
    fn only_what_is_live_may_be_quoted() {
        for (word, status) in [
            ("live", Status::Trading),
            ("suspend", Status::Halted),
            ("preopen", Status::Halted),
            ("post_only", Status::Halted),
            ("test", Status::Unknown),
            ("something-new", Status::Unknown),
        ] {
            let found = read(&SPOT.replace("live", word)).unwrap().status;
            assert_eq!(found, status);
            assert_eq!(found.may_quote(), word == "live");
        }
    }

    #[test]
    fn what_we_cannot_keep_is_refused_by_name_and_field() {
        for (text, why) in [
            (
                LINEAR.replace("SWAP\",\"instId", "FUTURES\",\"instId"),
                "BTC-USDT-SWAP: instType \"FUTURES\": is neither",
            ),
            (LINEAR.replace("linear", ""), "BTC-USDT-SWAP: ctType \"\": is neither linear nor inverse"),
            (
                LINEAR.replace("\"ctValCcy\":\"BTC\"", "\"ctValCcy\":\"USDT\""),
                "BTC-USDT-SWAP: ctValCcy \"USDT\": is not BTC",
            ),
            (LINEAR.replace("\"0.1\"", "\"\""), "BTC-USDT-SWAP: tickSz \"\""),
            (LINEAR.replace("\"ctVal\":\"0.01\"", "\"ctVal\":\"0\""), "BTC-USDT-SWAP: ctVal \"0\""),
            (SPOT.replace("\"0.1\"", "\"0.0000000001\""), "cash would not be exact"),
            (SPOT.replace("BTC-USDT", "BTCUSDT"), "BTCUSDT: instId \"BTCUSDT\": does not name two assets"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}

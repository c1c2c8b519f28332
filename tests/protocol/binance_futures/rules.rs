//! From `exchangeInfo` and `fundingInfo` to instruments.

use papermaker::market::{Kind, Status, VenueId};
use papermaker::units::{Nanos, Rate, VenueTime};
use papermaker::wire::binance_futures::{BINANCE_COINM, BINANCE_USDM};
use papermaker::wire::dialect::{Exchange, Listed, Request};
use papermaker::wire::venues;

use super::*;

const USDM: &str = r#"{"timezone":"UTC","symbols":[
 {"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"status":"TRADING",
  "baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","pricePrecision":2,"quantityPrecision":3,"somethingNew":{},
  "filters":[{"minPrice":"556.80","maxPrice":"4529764","filterType":"PRICE_FILTER","tickSize":"0.10"},
   {"stepSize":"0.001","filterType":"LOT_SIZE","maxQty":"1000","minQty":"0.001"},
   {"stepSize":"0.001","filterType":"MARKET_LOT_SIZE","maxQty":"120","minQty":"0.001"},
   {"limit":200,"filterType":"MAX_NUM_ORDERS"},{"notional":"100","filterType":"MIN_NOTIONAL"},
   {"multiplierDown":"0.9500","multiplierUp":"1.0500","multiplierDecimal":"4","filterType":"PERCENT_PRICE"}]},
 {"symbol":"BTCUSDT_261225","pair":"BTCUSDT","contractType":"CURRENT_QUARTER","deliveryDate":1798185600000,
  "status":"PENDING_TRADING","baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT",
  "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"0.001"}]},
 {"symbol":"TSLAUSDT","contractType":"TRADIFI_PERPETUAL","status":"SOMETHING_NEW","baseAsset":"TSLA","quoteAsset":"USDT",
  "marginAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"},{"filterType":"LOT_SIZE","stepSize":"0.01"}]},
 {"symbol":"BROKEN","filters":[]}]}"#;

const COINM: &str = r#"{"symbols":[{"symbol":"BTCUSD_PERP","pair":"BTCUSD","contractType":"PERPETUAL","contractStatus":"TRADING",
  "contractSize":100,"baseAsset":"BTC","quoteAsset":"USD","marginAsset":"BTC",
  "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"1","minQty":"1","maxQty":"1000000"}]},
  {"symbol":"ODDUSD_PERP","contractStatus":"TRADING","baseAsset":"ODD","quoteAsset":"USD","marginAsset":"ODD",
  "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.1"},{"filterType":"LOT_SIZE","stepSize":"1"}]}]}"#;

const FUNDING: &str = r#"[{"symbol":"BTCUSDT","adjustedFundingRateCap":"0.02","adjustedFundingRateFloor":"-0.02","fundingIntervalHours":4}]"#;

fn listed(exchange: &dyn Exchange, answers: &[&str]) -> Vec<Listed> {
    let answers: Vec<_> = answers.iter().map(|text| text.as_bytes().to_vec()).collect();
    exchange.read_rules(&answers).unwrap()
}

#[test]
fn a_linear_contract_is_read_from_its_filters_not_its_precisions() {
    let listed = listed(&BINANCE_USDM, &[USDM, FUNDING]);
    let btc = listed[0].rules.as_ref().unwrap();
    assert_eq!((btc.tick, btc.lot, btc.min_qty, btc.max_qty), (step("0.1"), step("0.001"), Lots(1), Lots(1_000_000)));
    assert_eq!(btc.min_notional.to_string(), "100");
    assert_eq!(btc.price_band, Some((Rate(9_500_000), Rate(10_500_000))));
    let contract = &btc.contract;
    assert_eq!((contract.kind, contract.unit, contract.settle.as_str()), (Kind::Linear, Step::ONE, "USDT"));
    assert_eq!((contract.funding_every, btc.status), (Some(Nanos::from_s(4 * 3_600)), Status::Trading));
    // A contract that is delivered pays no funding and is not traded yet.
    let quarter = listed[1].rules.as_ref().unwrap();
    assert_eq!((quarter.contract.funding_every, quarter.status), (None, Status::Halted));
    // A perpetual of a new kind is one all the same: every eight hours, and not quoted in a state we do not know.
    let stock = listed[2].rules.as_ref().unwrap();
    assert_eq!((stock.contract.funding_every, stock.status), (Some(Nanos::from_s(8 * 3_600)), Status::Unknown));
    // One that cannot be read does not hide the others.
    assert_eq!(listed[3].symbol, "BROKEN");
    assert!(listed[3].rules.is_err());
}

#[test]
fn an_inverse_contract_counts_in_dollars_and_its_venue_in_contracts() {
    let listed = listed(&BINANCE_COINM, &[COINM]);
    let btc = listed[0].rules.as_ref().unwrap();
    assert_eq!((btc.venue, btc.tick, btc.lot), (VenueId::BinanceCoinm, step("0.1"), step("100")));
    // A million contracts of 100 dollars, each one lot.
    assert_eq!((btc.min_qty, btc.max_qty), (Lots(1), Lots(1_000_000)));
    let contract = &btc.contract;
    assert_eq!((contract.kind, contract.unit, contract.settle.as_str()), (Kind::Inverse, step("100"), "BTC"));
    assert_eq!(*btc, Instrument { max_qty: btc.max_qty, ..super::btc(Market::Coinm) }, "what is presumed of it is so");
    let error = listed[1].rules.as_ref().unwrap_err().to_string();
    assert_eq!(error, "ODDUSD_PERP: contractSize \"0\": step 0 is not a positive decimal with at most 15 places");
}

#[test]
fn a_status_is_known_by_its_word() {
    for (word, expected) in [
        ("TRADING", Status::Trading),
        ("PRE_SETTLE", Status::Halted),
        ("DELIVERED", Status::Delisted),
        ("CLOSE", Status::Delisted),
        ("", Status::Unknown),
    ] {
        let info = COINM.replace("\"TRADING\"", &format!("\"{word}\""));
        assert_eq!(listed(&BINANCE_COINM, &[&info])[0].rules.as_ref().unwrap().status, expected, "{word}");
    }
}

#[test]
fn the_two_houses_ask_at_their_own_doors() {
    for (venue, api) in [(VenueId::BinanceUsdm, "/fapi/v1"), (VenueId::BinanceCoinm, "/dapi/v1")] {
        let house = venues::find(venue).expect("it is known");
        let paths: Vec<_> = house.rules_requests(&["BTCUSDT"]).into_iter().chain(house.clock_request()).collect();
        let expected = ["/exchangeInfo", "/fundingInfo", "/time"];
        assert_eq!(paths, expected.map(|path| Request::Get { path: format!("{api}{path}"), weight: 1 }));
        assert_eq!(house.read_clock(b"{\"serverTime\":1790000000123}"), Some(VenueTime(1_790_000_000_123_000_000)));
        assert_eq!(house.read_clock(b"{}"), None);
        let error = house.read_rules(&[b"{\"code\":-1,\"msg\":\"no\"}".to_vec()]).unwrap_err();
        assert!(error.to_string().starts_with("exchangeInfo: missing field `symbols`"), "{error}");
    }
    let roads = |exchange: &'static dyn Exchange, rules| {
        exchange.connect(vec![(BTC, rules)], options()).iter().map(|p| p.ws_path()).collect::<Vec<_>>()
    };
    let begins = |path: &String| path.split('?').next().unwrap_or_default().to_owned();
    let usdm: Vec<_> = roads(&BINANCE_USDM, btc(Market::Usdm)).iter().map(begins).collect();
    let coinm: Vec<_> = roads(&BINANCE_COINM, btc(Market::Coinm)).iter().map(begins).collect();
    assert_eq!(
        (usdm, coinm),
        (vec!["/public/stream".to_owned(), "/market/stream".to_owned()], vec!["/stream".to_owned()])
    );
}

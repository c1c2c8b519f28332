//! The first reading: is this what it is said to be, and on which steps are its prices and quantities?

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

use super::{ImportError, Record, Recorded, Records, Wish};
use crate::market::Instrument;
use crate::units::Step;
use crate::wire::binance_spot::rest;

/// Where the steps of price and quantity come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepsFrom {
    /// The venue's own rules are in the recording.
    Recording,
    /// Both were given.
    Given,
    /// At least one is the coarsest power of ten that every value in the recording is a multiple of. Binance's steps
    /// are powers of ten, so with enough values this is the true one; with too few it may be coarser, and still every
    /// value is on it.
    Inferred,
}

/// What the first reading found.
pub struct Survey {
    pub instrument: Instrument,
    pub steps_from: StepsFrom,
    pub has_raw_trades: bool,
}

/// Reads all records, refuses the first that does not belong.
pub fn survey(wish: &Wish, records: Records) -> Result<Survey, ImportError> {
    let mut finding = Finding::default();
    for record in records {
        let record = record?;
        finding.look(wish, &record).map_err(|why| wish.refused(record.place, why))?;
    }
    finding.conclude(wish).map_err(|why| wish.refused((0, 0), why))
}

/// Whether a frame is of the stream that sums up trades.
pub fn is_aggregate(frame: &[u8]) -> bool {
    let needle = b"\"e\":\"aggTrade\"";
    frame.windows(needle.len()).take(120).any(|window| window == needle)
}

#[derive(Default)]
struct Finding {
    /// How many frames each symbol has.
    symbols: BTreeMap<String, u64>,
    frames: u64,
    has_raw_trades: bool,
    prices: Grid,
    quantities: Grid,
    rules: Option<Instrument>,
}

impl Finding {
    fn look(&mut self, wish: &Wish, record: &Record) -> Result<(), String> {
        match &record.what {
            Recorded::Connected(_) => Ok(()),
            Recorded::Frame(frame) => self.frame(wish, &parsed(frame)?),
            Recorded::Snapshot(symbol, body) => {
                let body = parsed(body)?;
                if !body["lastUpdateId"].is_u64() {
                    return Err("a depth snapshot has a lastUpdateId".to_owned());
                }
                if symbol.as_ref().is_none_or(|symbol| *symbol == wish.symbol) {
                    self.levels(&body["bids"])?;
                    self.levels(&body["asks"])?;
                }
                Ok(())
            }
            Recorded::Rules(body) => self.rules(wish, &parsed(body)?),
        }
    }

    fn frame(&mut self, wish: &Wish, frame: &Value) -> Result<(), String> {
        let data = if frame["stream"].is_string() { &frame["data"] } else { frame };
        let is_reply = frame.get("result").is_some() || frame.get("error").is_some() || frame.get("code").is_some();
        let Some(symbol) = data["s"].as_str() else {
            // Without a symbol: an answer to a subscription, or a notice to all.
            let is_notice = data["e"].is_string();
            return if is_reply || is_notice { Ok(()) } else { Err("is no frame of Binance's streams".to_owned()) };
        };
        if data.get("pu").is_some() || data.get("ps").is_some() {
            return Err("is a frame of Binance's futures, not of its spot market".to_owned());
        }
        *self.symbols.entry(symbol.to_owned()).or_default() += 1;
        self.frames += 1;
        if symbol != wish.symbol {
            return Ok(());
        }
        match data["e"].as_str() {
            Some("depthUpdate") => {
                self.levels(&data["b"])?;
                self.levels(&data["a"])
            }
            Some(kind @ ("trade" | "aggTrade")) => {
                self.has_raw_trades |= kind == "trade";
                self.price(&data["p"])?;
                self.quantity(&data["q"])
            }
            Some(_) => Ok(()),
            None => {
                self.price(&data["b"])?;
                self.price(&data["a"])?;
                self.quantity(&data["B"])?;
                self.quantity(&data["A"])
            }
        }
    }

    fn levels(&mut self, levels: &Value) -> Result<(), String> {
        let levels = levels.as_array().ok_or("has no levels where levels belong")?;
        for level in levels {
            self.price(&level[0])?;
            self.quantity(&level[1])?;
        }
        Ok(())
    }

    fn price(&mut self, value: &Value) -> Result<(), String> {
        self.prices.take(value)
    }

    fn quantity(&mut self, value: &Value) -> Result<(), String> {
        self.quantities.take(value)
    }

    /// Only our symbol's rules are read: a venue with a thousand symbols has some we could not keep exactly.
    fn rules(&mut self, wish: &Wish, body: &Value) -> Result<(), String> {
        let symbols = body["symbols"].as_array().ok_or("an exchangeInfo has symbols")?;
        if let Some(ours) = symbols.iter().find(|symbol| symbol["symbol"] == wish.symbol.as_str()) {
            let only = json!({ "symbols": [ours] }).to_string();
            self.rules = rest::instruments(only.as_bytes()).map_err(|error| error.to_string())?.pop();
        }
        Ok(())
    }

    fn conclude(self, wish: &Wish) -> Result<Survey, String> {
        if !self.symbols.contains_key(&wish.symbol) {
            let found: Vec<&str> = self.symbols.keys().map(String::as_str).take(12).collect();
            return Err(match found.is_empty() {
                true => "holds no market data".to_owned(),
                false => format!("holds no frame of {}; it holds {}", wish.symbol, found.join(", ")),
            });
        }
        let has_raw_trades = self.has_raw_trades;
        if let Some(instrument) = self.rules {
            for (option, given, own) in [("--tick", wish.tick, instrument.tick), ("--lot", wish.lot, instrument.lot)] {
                if let Some(given) = given.filter(|given| *given != own) {
                    return Err(format!("the venue's rules in the recording say {own}, {option} says {given}"));
                }
            }
            return Ok(Survey { instrument, steps_from: StepsFrom::Recording, has_raw_trades });
        }
        let tick = self.prices.step("--tick", wish.tick)?;
        let lot = self.quantities.step("--lot", wish.lot)?;
        let (base, quote) = assets(&wish.symbol);
        let instrument =
            Instrument::new(wish.venue, &wish.symbol, base, quote, tick, lot).map_err(|error| error.to_string())?;
        let is_given = wish.tick.is_some() && wish.lot.is_some();
        let steps_from = if is_given { StepsFrom::Given } else { StepsFrom::Inferred };
        Ok(Survey { instrument, steps_from, has_raw_trades })
    }
}

fn parsed(text: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("is not JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("is no JSON object".to_owned()) }
}

/// The greatest common divisor of values, in units of 10⁻¹⁵; zero before the first.
#[derive(Default)]
struct Grid(u128);

/// Steps have at most this many places.
const PLACES: u32 = 15;

impl Grid {
    fn take(&mut self, value: &Value) -> Result<(), String> {
        let text = value.as_str().ok_or_else(|| format!("{value} stands where a number in quotes belongs"))?;
        let units = units_of(text).ok_or_else(|| format!("{text:?} is no price or quantity"))?;
        if self.0 == 0 || !units.is_multiple_of(self.0) {
            self.0 = gcd(self.0, units);
        }
        Ok(())
    }

    fn step(&self, option: &str, given: Option<Step>) -> Result<Step, String> {
        let text = |units: u128| Decimal::from_i128_with_scale(units as i128, PLACES).normalize();
        if let Some(given) = given {
            let size = given.size() * Decimal::from(10u64.pow(PLACES));
            let size = size.to_u128().ok_or_else(|| format!("{option} {given} is out of range"))?;
            return match self.0.is_multiple_of(size) {
                true => Ok(given),
                false => Err(format!("{option} {given} does not fit, the values are multiples of {}", text(self.0))),
            };
        }
        if self.0 == 0 {
            return Err(format!("holds nothing to infer a step from; give {option}"));
        }
        let mut step = 1;
        while self.0.is_multiple_of(step * 10) {
            step *= 10;
        }
        Step::new(text(step)).map_err(|error| error.to_string())
    }
}

/// A plain decimal in units of 10⁻¹⁵, by hand, as a recording has millions of them.
fn units_of(text: &str) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    if whole.is_empty() || whole.len() > 18 || part.len() > PLACES as usize {
        return None;
    }
    let mut units: u128 = 0;
    for byte in whole.bytes().chain(part.bytes()) {
        units = units * 10 + u128::from(byte.is_ascii_digit().then(|| byte - b'0')?);
    }
    Some(units * 10u128.pow(PLACES - part.len() as u32))
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Base and quote of a symbol by the quote assets Binance has; all of it is the base where none fits.
fn assets(symbol: &str) -> (&str, &str) {
    const QUOTES: [&str; 22] = [
        "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "BIDR", "IDRT", "DAI", "EUR", "TRY", "BRL", "GBP", "AUD",
        "RUB", "UAH", "JPY", "MXN", "ZAR", "BTC", "ETH", "BNB",
    ];
    let split = QUOTES.iter().find_map(|quote| symbol.strip_suffix(quote).filter(|base| !base.is_empty()));
    split.map_or((symbol, ""), |base| (base, &symbol[base.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(values: &[&str]) -> Grid {
        let mut grid = Grid::default();
        values.iter().for_each(|value| grid.take(&json!(value)).unwrap());
        grid
    }

    #[test]
    fn a_step_is_the_coarsest_power_of_ten_all_values_are_on() {
        // 61737.63 and 61730.17 share 0.01; 0.25 and 1.50 share 0.25, whose power of ten is 0.01.
        assert_eq!(grid(&["61737.63000000", "61730.17000000"]).step("--tick", None).unwrap().to_string(), "0.01");
        assert_eq!(grid(&["0.25", "1.50"]).step("--tick", None).unwrap().to_string(), "0.01");
        assert_eq!(
            grid(&["2800.00000000", "11400.00000000", "0.00000000"]).step("--lot", None).unwrap().to_string(),
            "100"
        );
        assert!(grid(&["0.0"]).step("--lot", None).unwrap_err().contains("give --lot"));
    }

    #[test]
    fn a_given_step_must_fit_what_was_recorded() {
        let prices = grid(&["61737.63", "61730.17"]);
        let step = |text: &str| prices.step("--tick", Some(Step::parse(text).unwrap()));
        assert_eq!(step("0.001").unwrap().to_string(), "0.001");
        assert_eq!(step("0.1").unwrap_err(), "--tick 0.1 does not fit, the values are multiples of 0.01");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".5", "-1", "1e5", "nan", "0.0000000000000001", "1234567890123456789"] {
            assert_eq!(units_of(text), None, "{text}");
        }
        assert_eq!(units_of("1.5"), Some(1_500_000_000_000_000));
    }

    #[test]
    fn a_symbol_is_split_at_its_quote_asset() {
        assert_eq!(assets("BTCUSDT"), ("BTC", "USDT"));
        assert_eq!(assets("RENBTCETH"), ("RENBTC", "ETH"));
        assert_eq!(assets("WHATEVER"), ("WHATEVER", ""));
    }
}

//! The first reading: is this what it is said to be, and on which steps are its prices and quantities?

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

use super::glance::{Event, Glance};
use super::{ImportError, Record, Recorded, Records, Wish, presumed};
use crate::market::{Instrument, VenueId};
use crate::units::{LocalTime, Step};
use crate::wire::venues;

/// Where the steps of price and quantity come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepsFrom {
    /// The venue's own rules are in the recording.
    Recording,
    /// Both were given.
    Given,
    /// At least one (nobody says it, or prices lie between the ticks of the venue's rules) is the coarsest power of
    /// ten that the values in the recording are multiples of (of resting quantities all but one in a thousand).
    /// Binance's steps are powers of ten, so with enough values this is the true one; with too few it may be coarser,
    /// and still all prices and trades are on it.
    Inferred,
}

impl StepsFrom {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            StepsFrom::Recording => "recording",
            StepsFrom::Given => "given",
            StepsFrom::Inferred => "inferred",
        }
    }
}

/// What the first reading found.
pub struct Survey {
    pub instrument: Instrument,
    pub steps_from: StepsFrom,
    /// Whether it has single trades and also what sums them up.
    pub says_trades_twice: bool,
}

/// Reads all records, refuses the first that does not belong.
pub fn survey(wish: &Wish, mut records: Box<dyn Records>) -> Result<Survey, ImportError> {
    let (mut finding, mut glance, mut record) = (Finding::default(), Glance::of(wish.venue), Record::default());
    let mut pace = Pace::default();
    while let Some(read) = records.read(&mut record) {
        read?;
        pace.take(record.at).map_err(|why| wish.refused(record.place, why))?;
        finding.look(wish, &record, &mut glance).map_err(|why| wish.refused(record.place, why))?;
    }
    finding.conclude(wish).map_err(|why| wish.refused((0, 0), why))
}

/// Whether a frame is of the stream that sums up trades.
pub fn is_aggregate(frame: &[u8]) -> bool {
    let (before, after) = (b"\"e\":\"agg".as_slice(), b"Trade\"".as_slice());
    // The rarest letter first: every frame passes here.
    let head = &frame[..frame.len().min(140)];
    (0..head.len()).any(|n| head[n] == b'T' && head[n..].starts_with(after) && head[..n].ends_with(before))
}

#[derive(Debug, Default, PartialEq)]
struct Finding {
    /// How many frames each symbol has.
    symbols: BTreeMap<String, u64>,
    has_raw_trades: bool,
    has_aggregates: bool,
    prices: Grid,
    traded: Grid,
    resting: Sizes,
    rules: Option<Instrument>,
}

impl Finding {
    fn look(&mut self, wish: &Wish, record: &Record, glance: &mut Glance) -> Result<(), String> {
        match &record.what {
            Recorded::Connected(_) => Ok(()),
            Recorded::Frame(frame) => match glance.read(frame) {
                Some(()) => self.glanced(wish, frame, glance),
                None => self.frame(wish, &parsed(frame)?),
            },
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
        let is_of_futures = data.get("pu").is_some() || data.get("ps").is_some();
        if wish.venue == VenueId::BinanceSpot && is_of_futures {
            return Err("is a frame of Binance's futures, not of its spot market".to_owned());
        }
        if wish.venue != VenueId::BinanceSpot && data["e"] == "depthUpdate" && !is_of_futures {
            return Err("is a frame of Binance's spot market, not of its futures".to_owned());
        }
        *self.symbols.entry(symbol.to_owned()).or_default() += 1;
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
                self.has_aggregates |= kind == "aggTrade";
                self.prices.take(&data["p"])?;
                self.traded.take(&data["q"])
            }
            None | Some("bookTicker") => {
                self.prices.take(&data["b"])?;
                self.prices.take(&data["a"])?;
                self.resting.take(&data["B"])?;
                self.resting.take(&data["A"])
            }
            Some(_) => Ok(()),
        }
    }

    /// As [`Finding::frame`], of what was read in a hurry. Anything but plain news is read again by the parser.
    fn glanced(&mut self, wish: &Wish, frame: &[u8], glance: &Glance) -> Result<(), String> {
        let is_depth = glance.event == Event::Depth;
        if glance.is_of_futures != (wish.venue != VenueId::BinanceSpot) && (is_depth || glance.is_of_futures) {
            return self.frame(wish, &parsed(frame)?);
        }
        let symbol = &frame[glance.symbol.clone()];
        let is_ours = symbol == wish.symbol.as_bytes();
        match self.symbols.get_mut(&wish.symbol).filter(|_| is_ours) {
            Some(count) => *count += 1,
            None => *self.symbols.entry(String::from_utf8_lossy(symbol).into_owned()).or_default() += 1,
        }
        if !is_ours {
            return Ok(());
        }
        self.has_raw_trades |= glance.event == Event::Trade;
        self.has_aggregates |= glance.event == Event::AggTrade;
        glance.prices.iter().for_each(|units| self.prices.add_small(*units));
        match glance.event {
            Event::Trade | Event::AggTrade => glance.sizes.iter().for_each(|units| self.traded.add_small(*units)),
            Event::Depth | Event::Touch => glance.sizes.iter().for_each(|units| self.resting.add_small(*units)),
        }
        Ok(())
    }

    fn levels(&mut self, levels: &Value) -> Result<(), String> {
        let levels = levels.as_array().ok_or("has no levels where levels belong")?;
        for level in levels {
            self.prices.take(&level[0])?;
            self.resting.take(&level[1])?;
        }
        Ok(())
    }

    /// Only our symbol's rules are read: a venue with a thousand symbols has some we could not keep exactly.
    fn rules(&mut self, wish: &Wish, body: &Value) -> Result<(), String> {
        let symbols = body["symbols"].as_array().ok_or("an exchangeInfo has symbols")?;
        if let Some(ours) = symbols.iter().find(|symbol| symbol["symbol"] == wish.symbol.as_str()) {
            let only = json!({ "symbols": [ours] }).to_string();
            let exchange = venues::find(wish.venue).ok_or("is of a venue we do not know")?;
            let listed = exchange.read_rules(&[only.into_bytes()]).map_err(|error| error.to_string())?.pop();
            let rules = listed.map(|listed| listed.rules.map_err(|error| error.to_string()));
            self.rules = rules.transpose()?;
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
        let says_trades_twice = self.has_raw_trades && self.has_aggregates;
        let (instrument, steps_from) = match self.rules {
            Some(rules) => by_rules(wish, rules, &self.prices)?,
            None => instrument(wish, &self.prices, &self.traded, &self.resting)?,
        };
        Ok(Survey { instrument, steps_from, says_trades_twice })
    }
}

/// The instrument by the venue's rules, if nothing was given that contradicts them.
pub fn by_rules(wish: &Wish, rules: Instrument, prices: &Grid) -> Result<(Instrument, StepsFrom), String> {
    let own_lot = Step::new(rules.lot.size() / rules.contract.unit.size());
    let own_lot = own_lot.map_err(|error| error.to_string())?;
    for (option, given, own) in [("--tick", wish.tick, rules.tick), ("--lot", wish.lot, own_lot)] {
        if let Some(given) = given.filter(|given| *given != own) {
            return Err(format!("the venue's rules in the recording say {own}, {option} says {given}"));
        }
    }
    if prices.fits("tickSize", rules.tick).is_ok() {
        return Ok((rules, StepsFrom::Recording));
    }
    // Orders from before a venue made its tick coarser rest between today's ticks (NKNUSDT, 2021, below 0.26). A book
    // without them would be wrong, so the recording is read on the finer step they are on.
    let tick = step_of(prices.exponent(), "--tick")?;
    let rules = rules.with_tick(tick).map_err(|error| error.to_string())?;
    Ok((rules, StepsFrom::Inferred))
}

/// The instrument whose rules nobody says: by its name, and on the steps that were given or are seen in its numbers.
pub fn instrument(
    wish: &Wish,
    prices: &Grid,
    traded: &Grid,
    resting: &Sizes,
) -> Result<(Instrument, StepsFrom), String> {
    let tick = match wish.tick {
        Some(given) => prices.fits("--tick", given)?,
        None => step_of(prices.exponent(), "--tick")?,
    };
    let lot = match wish.lot {
        Some(given) => traded.fits("--lot", given)?,
        None => step_of(resting.exponent().into_iter().chain(traded.exponent()).min(), "--lot")?,
    };
    let instrument = presumed::instrument(wish, tick, lot)?;
    let is_given = wish.tick.is_some() && wish.lot.is_some();
    let steps_from = if is_given { StepsFrom::Given } else { StepsFrom::Inferred };
    Ok((instrument, steps_from))
}

/// How time passes from one stamp to the next. A session lives through every tick of it, so one stamp that is years off
/// would be years of silence, or everything after it at one moment.
#[derive(Default)]
pub struct Pace(Option<LocalTime>);

impl Pace {
    /// A market closes for days, and a bar can be of a month.
    const SILENCE_MAX_S: i64 = 35 * 86_400;
    /// Receive clocks step back by seconds; files in the wrong order by more.
    const BACK_MAX_S: i64 = 600;

    /// The next stamp. Errors if it is too far from the one before it.
    pub fn take(&mut self, at: LocalTime) -> Result<(), String> {
        let Some(before) = self.0.replace(at) else { return Ok(()) };
        let passed = i128::from(at.0) - i128::from(before.0);
        let seconds = (passed / 1_000_000_000) as i64;
        if seconds > Self::SILENCE_MAX_S {
            return Err(format!("its time is {} days after the one before it", seconds / 86_400));
        }
        if seconds < -Self::BACK_MAX_S {
            return Err(format!("its time is {} s before the one before it; files go in the order of time", -seconds));
        }
        Ok(())
    }
}

fn parsed(text: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("is not JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err("is no JSON object".to_owned()) }
}

/// The greatest common divisor of values; zero before the first.
#[derive(Debug, Default, PartialEq)]
pub struct Grid {
    /// Of some of them, in units of 10⁻¹⁵.
    fine: u128,
    /// Of the others, in units of 10⁻⁸, which are quick to divide.
    coarse: Divisor,
}

/// A number that others are divided by without a division: `n` is a multiple of an odd `d` if and only if `n` times the
/// inverse of `d` modulo 2⁶⁴ is at most `(2⁶⁴ - 1) / d` (Granlund and Montgomery, *Division by Invariant Integers using
/// Multiplication*, PLDI 1994, section 9).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Divisor {
    value: u64,
    /// How often 2 is in it; what follows is of the rest.
    twos: u32,
    inverse: u64,
    most: u64,
}

impl Divisor {
    fn new(value: u64) -> Self {
        if value == 0 {
            return Self::default();
        }
        let twos = value.trailing_zeros();
        let odd = value >> twos;
        // An odd number is its own inverse modulo 8; every step doubles the bits that are right.
        let inverse = (0..5).fold(odd, |x, _| x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x))));
        Self { value, twos, inverse, most: u64::MAX / odd }
    }

    #[inline]
    fn divides(&self, n: u64) -> bool {
        self.value != 0 && n.wrapping_mul(self.inverse) <= self.most && (n == 0 || n.trailing_zeros() >= self.twos)
    }
}

/// Steps have at most this many places.
const PLACES: u32 = 15;

impl Grid {
    fn take(&mut self, value: &Value) -> Result<(), String> {
        let text = value.as_str().ok_or_else(|| format!("{value} stands where a number in quotes belongs"))?;
        self.add(units_of(text).ok_or_else(|| format!("{text:?} is no price or quantity"))?);
        Ok(())
    }

    /// Errors on what is no price or quantity: negative, or finer than a step can be.
    pub fn take_number(&mut self, value: Decimal) -> Result<(), String> {
        let value = value.normalize();
        let places = PLACES.checked_sub(value.scale());
        let units = u128::try_from(value.mantissa()).ok().zip(places);
        let units = units.and_then(|(mantissa, places)| mantissa.checked_mul(10u128.pow(places)));
        self.add(units.ok_or_else(|| format!("{value} is no price or quantity"))?);
        Ok(())
    }

    fn add(&mut self, units: u128) {
        if self.fine == 0 || !units.is_multiple_of(self.fine) {
            self.fine = gcd(self.fine, units);
        }
    }

    /// A value in units of 10⁻⁸.
    pub fn add_small(&mut self, units: u64) {
        if !self.coarse.divides(units) {
            self.coarse = Divisor::new(gcd(self.coarse.value.into(), units.into()) as u64);
        }
    }

    /// Of all values, in units of 10⁻¹⁵.
    fn divisor(&self) -> u128 {
        gcd(self.fine, u128::from(self.coarse.value) * 10u128.pow(PLACES - 8))
    }

    fn fits(&self, option: &str, given: Step) -> Result<Step, String> {
        let size = given.size() * Decimal::from(10u64.pow(PLACES));
        let size = size.to_u128().ok_or_else(|| format!("{option} {given} is out of range"))?;
        let divisor = self.divisor();
        if divisor.is_multiple_of(size) {
            return Ok(given);
        }
        let found = Decimal::from_i128_with_scale(divisor as i128, PLACES).normalize();
        Err(format!("{option} {given} does not fit, the values are multiples of {found}"))
    }

    /// The coarsest power of ten every value is a multiple of; `None` before the first.
    fn exponent(&self) -> Option<i32> {
        let divisor = self.divisor();
        let mut exponent = -(PLACES as i32);
        let mut step = 10;
        while divisor != 0 && divisor.is_multiple_of(step) {
            (step, exponent) = (step * 10, exponent + 1);
        }
        (divisor != 0).then_some(exponent)
    }
}

/// How many resting quantities are on which power of ten. Not their common divisor: orders from before a venue made
/// its lot coarser rest for years (about one level in 50,000 of BTCUSDT), and one of them would decide.
#[derive(Debug, PartialEq)]
pub struct Sizes([u64; EXPONENTS]);

/// From 10⁻²⁸, the finest a decimal can be, to 10²⁸.
const EXPONENTS: usize = 57;

impl Default for Sizes {
    fn default() -> Self {
        Self([0; EXPONENTS])
    }
}

impl Sizes {
    fn count(&mut self, exponent: i32) {
        self.0[(exponent + EXPONENTS as i32 / 2) as usize] += 1;
    }

    /// A quantity in units of 10⁻⁸.
    pub fn add_small(&mut self, mut units: u64) {
        let mut exponent = -8;
        // Half of the way at once, for most.
        if units != 0 && units.is_multiple_of(100_000) {
            (units, exponent) = (units / 100_000, exponent + 5);
        }
        while units != 0 && units.is_multiple_of(10) {
            (units, exponent) = (units / 10, exponent + 1);
        }
        if units != 0 {
            self.count(exponent);
        }
    }

    fn take(&mut self, value: &Value) -> Result<(), String> {
        let text = value.as_str().ok_or_else(|| format!("{value} stands where a number in quotes belongs"))?;
        if units_of(text).ok_or_else(|| format!("{text:?} is no price or quantity"))? == 0 {
            return Ok(());
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let places = part.trim_end_matches('0').len();
        let zeros = whole.len() - whole.trim_end_matches('0').len();
        let exponent = if places > 0 { -(places as i32) } else { zeros as i32 };
        self.count(exponent);
        Ok(())
    }

    /// Errors on a negative quantity.
    pub fn take_number(&mut self, value: Decimal) -> Result<(), String> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(format!("{value} is no quantity"));
        }
        let value = value.normalize();
        if value.is_zero() {
            return Ok(());
        }
        let mut zeros = 0;
        let mut whole = value.mantissa();
        while value.scale() == 0 && whole % 10 == 0 {
            (whole, zeros) = (whole / 10, zeros + 1);
        }
        self.count(zeros - value.scale() as i32);
        Ok(())
    }

    /// The coarsest power of ten all but at most one in a thousand are multiples of.
    fn exponent(&self) -> Option<i32> {
        let spare = self.0.iter().sum::<u64>() / 1_000;
        let mut finer = 0;
        let at = self.0.iter().position(|count| {
            finer += *count;
            finer > spare
        });
        at.map(|at| at as i32 - EXPONENTS as i32 / 2)
    }
}

fn step_of(exponent: Option<i32>, option: &str) -> Result<Step, String> {
    let exponent = exponent.ok_or_else(|| format!("holds nothing to infer a step from; give {option}"))?;
    let units = 10i128.pow((exponent + PLACES as i32) as u32);
    Step::new(Decimal::from_i128_with_scale(units, PLACES)).map_err(|error| error.to_string())
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

#[cfg(test)]
mod agreement;

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(values: &[&str]) -> Grid {
        let mut grid = Grid::default();
        values.iter().for_each(|value| grid.take(&json!(value)).unwrap());
        grid
    }

    #[test]
    fn a_price_step_is_the_coarsest_power_of_ten_all_values_are_on() {
        let step = |values: &[&str]| step_of(grid(values).exponent(), "--tick").map(|step| step.to_string());
        // 61737.63 and 61730.17 share 0.01; 0.25 and 1.50 share 0.25, whose power of ten is 0.01.
        assert_eq!(step(&["61737.63000000", "61730.17000000"]), Ok("0.01".to_owned()));
        assert_eq!(step(&["0.25", "1.50"]), Ok("0.01".to_owned()));
        assert_eq!(step(&["2800.00000000", "11400.00000000", "0.00000000"]), Ok("100".to_owned()));
        assert!(step(&["0.0"]).unwrap_err().contains("give --tick"));
    }

    #[test]
    fn a_few_old_orders_do_not_decide_the_lot() {
        let mut sizes = Sizes::default();
        for i in 1..=1_999 {
            sizes.take(&json!(format!("{i}.00001000"))).unwrap();
        }
        sizes.take(&json!("93.75658700")).unwrap();
        assert_eq!(sizes.exponent(), Some(-5));
        sizes.take(&json!("93.75658701")).unwrap();
        sizes.take(&json!("93.75658703")).unwrap();
        // Three in 2,002 are more than one in a thousand.
        assert_eq!(sizes.exponent(), Some(-6));
        let mut hundreds = Sizes::default();
        (1..=5).for_each(|n| hundreds.add_small(n * 100 * 100_000_000));
        assert_eq!(hundreds.exponent(), Some(2));
    }

    #[test]
    fn a_divisor_divides_what_a_division_says() {
        let mut rng = crate::rng::Stream::new(1, "divisors");
        let numbers: Vec<u64> = (0..200).map(|n| rng.bits() >> (n % 64)).chain([0, 1, 2, 10, u64::MAX]).collect();
        for d in &numbers {
            let divisor = Divisor::new(*d);
            for n in numbers.iter().flat_map(|n| [*n, n.wrapping_mul(*d), n.wrapping_mul(*d).wrapping_add(1)]) {
                assert_eq!(divisor.divides(n), *d != 0 && n.is_multiple_of(*d), "{n} by {d}");
            }
        }
    }

    #[test]
    fn numbers_in_a_hurry_count_as_those_that_are_parsed() {
        let (mut slow, mut fast) = ((Grid::default(), Sizes::default()), (Grid::default(), Sizes::default()));
        for text in
            ["61737.63", "0.00001000", "0.00000001", "0", "0.000", "120", "1000000", "0.5", "184467440737.09551615"]
        {
            slow.0.take(&json!(text)).unwrap();
            slow.1.take(&json!(text)).unwrap();
            let units = (units_of(text).unwrap() / 10u128.pow(7)) as u64;
            fast.0.add_small(units);
            fast.1.add_small(units);
            assert_eq!(slow.0.divisor(), fast.0.divisor(), "{text}");
            assert_eq!(slow.1, fast.1, "{text}");
        }
    }

    #[test]
    fn a_given_step_must_fit_what_was_recorded() {
        let prices = grid(&["61737.63", "61730.17"]);
        let step = |text: &str| prices.fits("--tick", Step::parse(text).unwrap());
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
}

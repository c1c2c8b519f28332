//! The two venues: how they want to be treated, which connections an instrument needs, what to ask for their rules.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::{BinanceFutures, Market, Road, rules};
use crate::market::{Contract, Instrument, InstrumentId, Kind, VenueId};
use crate::units::{Nanos, NotOnStep, Step, VenueTime};
use crate::wire::binance::decimals::clock;
use crate::wire::board::Board;
use crate::wire::conversation::Conversation;
use crate::wire::dialect::{Exchange, Listed, Manners, Options, Request};
use crate::wire::{Protocol, WireError};

/// One of the two.
#[derive(Debug)]
pub struct House(Market);

/// USD-M.
pub static BINANCE_USDM: House = House(Market::Usdm);

/// COIN-M.
pub static BINANCE_COINM: House = House(Market::Coinm);

/// A conversation about these instruments on one road.
pub fn conversation(
    market: Market,
    road: Road,
    instruments: Vec<(InstrumentId, Instrument)>,
    options: Options,
) -> Conversation<BinanceFutures> {
    let house = match market {
        Market::Usdm => &BINANCE_USDM,
        Market::Coinm => &BINANCE_COINM,
    };
    Conversation::new(BinanceFutures::new(market, road, options.depth), instruments, options, house)
}

/// The rules of a contract nobody has told us, by its name and by custom: 100 USD a contract of COIN-M on bitcoin and
/// 10 on all else, settled in the coin; a day in the name (`BTCUSDT_210625`) is its last. `lot` is in the venue's own
/// units.
pub fn presumed(
    market: Market,
    symbol: &str,
    assets: (&str, &str),
    tick: Step,
    lot: Step,
) -> Result<Instrument, NotOnStep> {
    let (base, quote) = assets;
    let (kind, size, settle) = match market {
        Market::Usdm => (Kind::Linear, 1, quote),
        Market::Coinm if base == "BTC" => (Kind::Inverse, 100, base),
        Market::Coinm => (Kind::Inverse, 10, base),
    };
    let unit = Step::new(Decimal::from(size))?;
    let lot = Step::new(lot.size() * unit.size())?;
    let is_dated = symbol.rsplit_once('_').is_some_and(|(_, day)| day.bytes().all(|b| b.is_ascii_digit()));
    let funding_every = (!is_dated).then_some(rules::FUNDING_EVERY);
    let contract = Contract { kind, unit, settle: settle.to_owned(), funding_every };
    Ok(Instrument { contract, ..Instrument::new(market.venue(), symbol, base, quote, tick, lot)? })
}

impl Exchange for House {
    fn id(&self) -> VenueId {
        self.0.venue()
    }

    fn manners(&self) -> Manners {
        Manners {
            messages_per_second: 10,
            // 200 streams by the older word, two or four of each instrument.
            instruments_per_connection: 49,
            // The venue cuts at 24 h.
            rotate_after: Nanos::from_s(23 * 3_600),
            // 300 in five minutes, as on spot.
            connects_per_minute: 50,
            forbidden_wait: Nanos::ZERO,
        }
    }

    /// All symbols at once: this venue does not answer about one.
    fn rules_requests(&self, _symbols: &[&str]) -> Vec<Request> {
        vec![self.0.get("/exchangeInfo", 1), self.0.get("/fundingInfo", 1)]
    }

    fn read_rules(&self, answers: &[Vec<u8>]) -> Result<Vec<Listed>, WireError> {
        rules::listed(self.0, answers)
    }

    fn listing_requests(&self) -> Vec<Request> {
        vec![self.0.get("/exchangeInfo", 1)]
    }

    fn clock_request(&self) -> Option<Request> {
        Some(self.0.get("/time", 1))
    }

    fn read_clock(&self, answer: &[u8]) -> Option<VenueTime> {
        clock(answer)
    }

    fn connect(
        &'static self,
        instruments: Vec<(InstrumentId, Instrument)>,
        options: Options,
    ) -> Vec<Box<dyn Protocol>> {
        let roads: &[Road] = match self.0 {
            Market::Usdm => &[Road::Public, Road::Market],
            Market::Coinm => &[Road::Whole],
        };
        let board = Arc::new(Board::default());
        let talk = |road: &Road| conversation(self.0, *road, instruments.clone(), options).sharing(&board);
        roads.iter().map(|road| Box::new(talk(road)) as Box<dyn Protocol>).collect()
    }
}

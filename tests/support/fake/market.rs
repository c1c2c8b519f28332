//! A market of our own: seeded, small, never crossed, and known to the last lot at every moment.
//!
//! It speaks no venue's language; a [`super::House`] puts its [`Event`]s into words. Prices and quantities are exact
//! decimals in the venue's own units (contracts where the venue counts in contracts).

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::support::independent::Ladder;

/// One instrument as the venue lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub symbol: &'static str,
    pub base: &'static str,
    pub quote: &'static str,
    pub tick: Decimal,
    pub lot: Decimal,
    /// The step that its prices really move in, a multiple of the tick.
    pub stride: Decimal,
    /// Where its market begins.
    pub mid: Decimal,
    /// The venue's word for "may be traded", and what became of it.
    pub status: String,
    /// Numbers have the digits they were recorded with, not those of tick and lot.
    pub verbatim: bool,
}

impl Listing {
    /// A listing from text: `tick`, `lot` and `stride` as the venue writes them.
    pub fn new(names: [&'static str; 3], tick: &str, lot: &str, stride: &str, mid: &str, status: &str) -> Self {
        let number = |text: &str| text.parse().expect("a number of ours");
        Self {
            symbol: names[0],
            base: names[1],
            quote: names[2],
            tick: number(tick),
            lot: number(lot),
            stride: number(stride),
            mid: number(mid),
            status: status.to_owned(),
            verbatim: false,
        }
    }

    /// A price with the decimals of the tick.
    pub fn price(&self, price: Decimal) -> String {
        if self.verbatim { price.to_string() } else { at_scale(price, self.tick.scale()) }
    }

    /// A quantity with the decimals of the lot.
    pub fn qty(&self, qty: Decimal) -> String {
        if self.verbatim { qty.to_string() } else { at_scale(qty, self.lot.scale()) }
    }
}

/// With exactly so many decimals.
pub fn at_scale(mut number: Decimal, scale: u32) -> String {
    number.rescale(scale);
    number.to_string()
}

/// Both sides, price to quantity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    pub bids: BTreeMap<Decimal, Decimal>,
    pub asks: BTreeMap<Decimal, Decimal>,
}

impl Book {
    /// The best `depth` levels of each side, best first: bids, asks.
    pub fn top(&self, depth: usize) -> (Ladder, Ladder) {
        let pair = |(&price, &qty): (&Decimal, &Decimal)| (price, qty);
        (self.bids.iter().rev().take(depth).map(pair).collect(), self.asks.iter().take(depth).map(pair).collect())
    }

    /// What has to be said so that whoever knows the best `depth` levels of `before` knows those of this one: bids,
    /// asks; zero empties. With `lapsed`, levels that only left the window are said too.
    pub fn changes(&self, before: &Book, depth: usize, lapsed: bool) -> (Ladder, Ladder) {
        let ((old_bids, old_asks), (bids, asks)) = (before.top(depth), self.top(depth));
        let side = |old: &Ladder, new: &Ladder, whole: &BTreeMap<Decimal, Decimal>| {
            let mut said: Ladder = new.iter().filter(|level| !old.contains(level)).copied().collect();
            let left = old.iter().filter(|(price, _)| new.iter().all(|(p, _)| p != price));
            said.extend(left.filter(|(p, _)| lapsed || !whole.contains_key(p)).map(|(p, _)| (*p, Decimal::ZERO)));
            said
        };
        (side(&old_bids, &bids, &self.bids), side(&old_asks, &asks, &self.asks))
    }
}

/// A print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// One more than the one before of this instrument.
    pub id: u64,
    pub price: Decimal,
    pub qty: Decimal,
    pub taker_buys: bool,
    pub at_ms: i64,
}

/// One instrument's market.
#[derive(Clone, Debug)]
pub struct Coin {
    pub listing: Listing,
    pub book: Book,
    /// Number of the last change.
    pub last_id: u64,
    /// Changes so far, counted one by one.
    pub count: u64,
    pub last_trade: u64,
    pub mark: Decimal,
    /// It has left the venue; nothing more happens.
    pub gone: bool,
}

/// What kind of message an event becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Book,
    Bbo,
    Trade,
    Mark,
    /// Instrument rules and status.
    Rules,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts from 0.
    pub n: u64,
    /// Position in [`Market::coins`].
    pub coin: usize,
    pub at_ms: i64,
    pub what: What,
}

/// What.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The book changed from one state to another.
    Book(Box<Step>),
    Trade(Print),
    /// Mark price, index, funding rate of the present interval.
    Mark {
        mark: Decimal,
        index: Decimal,
        rate: Decimal,
    },
    /// The listing is another one now (status word or tick). `rebuilt`: the venue sends its books anew.
    Rules {
        rebuilt: bool,
    },
    /// Whatever a recording's frame says.
    Recorded,
}

/// A change of a book with all numbers that venues tie changes together with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub before: Book,
    pub after: Book,
    /// Last number of the change before; this one covers `first` to `last`.
    pub prev: u64,
    pub first: u64,
    pub last: u64,
    /// Counts changes one by one.
    pub count: u64,
}

/// All instruments, and what happens next.
#[derive(Clone, Debug)]
pub struct Market {
    pub coins: Vec<Coin>,
    pub now_ms: i64,
    /// Milliseconds between events.
    pub every_ms: i64,
    /// Events so far.
    pub happened: u64,
    state: u64,
    /// The book change that a print causes, to come next.
    caused: Option<(usize, Decimal, Decimal, bool)>,
}

/// Levels a side, at least and at most.
const LEVELS: (usize, usize) = (14, 40);

impl Market {
    /// The same seed makes the same market. It begins at `begin_ms` and moves every `every_ms`.
    pub fn new(listings: Vec<Listing>, seed: u64, begin_ms: i64, every_ms: i64) -> Self {
        let coin = |listing: Listing| Coin {
            mark: listing.mid,
            listing,
            book: Book::default(),
            last_id: 70_000_000,
            count: 1_000,
            last_trade: 5_000_000,
            gone: false,
        };
        let coins = listings.into_iter().map(coin).collect();
        let mut market = Self { coins, now_ms: begin_ms, every_ms, happened: 0, state: seed, caused: None };
        for at in 0..market.coins.len() {
            let (mid, stride) = (market.coins[at].listing.mid, market.coins[at].listing.stride);
            let (mut bid, mut ask) = (mid, mid + stride);
            for _ in 0..25 {
                let (b, a) = (market.qty(at), market.qty(at));
                market.coins[at].book.bids.insert(bid, b);
                market.coins[at].book.asks.insert(ask, a);
                bid -= stride * market.draw(1, 3);
                ask += stride * market.draw(1, 3);
            }
        }
        market
    }

    /// Position of an instrument.
    pub fn find(&self, symbol: &str) -> Option<usize> {
        self.coins.iter().position(|coin| coin.listing.symbol.eq_ignore_ascii_case(symbol))
    }

    /// The next thing that happens.
    pub fn next(&mut self) -> Event {
        self.now_ms += self.every_ms;
        if let Some((coin, price, qty, bid)) = self.caused.take() {
            return self.eaten(coin, price, qty, bid);
        }
        let open: Vec<usize> = (0..self.coins.len()).filter(|&at| !self.coins[at].gone).collect();
        // A market in which everything is gone still has marks of what was.
        let coin = if open.is_empty() { 0 } else { open[self.roll(open.len() as u64) as usize] };
        match self.roll(10) {
            _ if open.is_empty() => self.marked(coin),
            0..=1 => self.trade(coin),
            2 => self.marked(coin),
            _ => self.moved(coin),
        }
    }

    /// An event outside the course of the market: the listing has changed.
    pub fn relisted(&mut self, coin: usize, rebuilt: bool) -> Event {
        self.event(coin, What::Rules { rebuilt })
    }

    /// A change of nothing but numbers, for a book that is sent anew.
    pub fn event(&mut self, coin: usize, what: What) -> Event {
        let n = self.happened;
        self.happened += 1;
        Event { n, coin, at_ms: self.now_ms, what }
    }

    fn moved(&mut self, at: usize) -> Event {
        let before = self.coins[at].book.clone();
        for _ in 0..1 + self.roll(3) {
            self.edit(at);
        }
        if self.coins[at].book == before {
            // A change has to change something: another quantity at the best bid.
            let lot = self.coins[at].listing.lot;
            *self.coins[at].book.bids.last_entry().expect("a bid").get_mut() += lot;
        }
        self.step(at, before)
    }

    fn edit(&mut self, at: usize) {
        let (bid, stride) = (self.roll(2) == 0, self.coins[at].listing.stride);
        let qty = self.qty(at);
        let depth = Decimal::from(self.roll(18));
        let kind = self.roll(8);
        let book = &mut self.coins[at].book;
        let best_bid = *book.bids.last_key_value().expect("a bid").0;
        let best_ask = *book.asks.first_key_value().expect("an ask").0;
        let (side, best, sign, inside) = if bid {
            (&mut book.bids, best_bid, -stride, best_bid + stride < best_ask)
        } else {
            (&mut book.asks, best_ask, stride, best_ask - stride > best_bid)
        };
        match kind {
            0 if inside => drop(side.insert(best - sign, qty)),
            1..=2 if side.len() > LEVELS.0 => drop(side.remove(&(best + sign * depth))),
            3 if side.len() > LEVELS.0 => drop(side.remove(&best)),
            _ => drop(side.insert(best + sign * depth, qty)),
        }
        if side.len() > LEVELS.1 {
            let _ = if bid { side.pop_first() } else { side.pop_last() };
        }
    }

    fn trade(&mut self, at: usize) -> Event {
        let buys = self.roll(2) == 0;
        let parts = self.draw(1, 4);
        let now_ms = self.now_ms;
        let coin = &mut self.coins[at];
        let best = if buys { coin.book.asks.first_key_value() } else { coin.book.bids.last_key_value() };
        let (&price, &resting) = best.expect("two sides");
        let lots = (resting / coin.listing.lot / parts).trunc().max(Decimal::ONE);
        let qty = coin.listing.lot * lots;
        coin.last_trade += 1;
        let print = Print { id: coin.last_trade, price, qty, taker_buys: buys, at_ms: now_ms };
        self.caused = Some((at, price, qty, !buys));
        self.event(at, What::Trade(print))
    }

    fn eaten(&mut self, at: usize, price: Decimal, qty: Decimal, bid: bool) -> Event {
        let before = self.coins[at].book.clone();
        let book = &mut self.coins[at].book;
        let side = if bid { &mut book.bids } else { &mut book.asks };
        let rest = side.get(&price).copied().unwrap_or_default() - qty;
        if rest > Decimal::ZERO {
            side.insert(price, rest);
        } else {
            side.remove(&price);
        }
        while self.side_len(at, bid) < LEVELS.0 {
            self.edit(at);
        }
        self.step(at, before)
    }

    fn side_len(&self, at: usize, bid: bool) -> usize {
        if bid { self.coins[at].book.bids.len() } else { self.coins[at].book.asks.len() }
    }

    fn step(&mut self, at: usize, before: Book) -> Event {
        let more = self.roll(5);
        let coin = &mut self.coins[at];
        let prev = coin.last_id;
        coin.last_id = prev + 1 + more;
        coin.count += 1;
        let after = coin.book.clone();
        let step = Step { before, after, prev, first: prev + 1, last: coin.last_id, count: coin.count };
        self.event(at, What::Book(Box::new(step)))
    }

    fn marked(&mut self, at: usize) -> Event {
        let wiggle = Decimal::new(self.roll(9) as i64 - 4, 6);
        let coin = &mut self.coins[at];
        let best = coin.book.bids.last_key_value().map_or(coin.listing.mid, |(&price, _)| price);
        coin.mark = best + coin.listing.tick;
        let what = What::Mark { mark: coin.mark, index: best, rate: Decimal::new(100, 6) + wiggle };
        self.event(at, what)
    }

    fn qty(&mut self, at: usize) -> Decimal {
        let lots = self.draw(1, 5_000);
        self.coins[at].listing.lot * lots
    }

    fn draw(&mut self, low: u64, high: u64) -> Decimal {
        Decimal::from(low + self.roll(high - low + 1))
    }

    /// SplitMix64: tiny, seeded, good enough for a crowd of one.
    fn roll(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }
}

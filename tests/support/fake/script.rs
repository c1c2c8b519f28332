//! A recording instead of a market of our own: its frames word for word to whoever subscribed to what they are about.
//! Acknowledgements, pings and rules are the house's; a snapshot asked for later is the book as it stands, put together
//! by [`Rebuilt`].
//!
//! Subscribe with the depth that was recorded: a frame is told to every depth of its channel. `WrongDigit` and `Crossed`
//! leave a recorded frame as it is.

use std::collections::VecDeque;

use papermaker::market::VenueId;
use rust_decimal::Decimal;

use super::house::{House, json_of};
use super::market::{Book, Kind, Listing, Market};
use crate::support::captures::rebuilt::Rebuilt;
use crate::support::captures::{Capture, What, kraken, words};

/// What is played next.
enum Piece {
    Frame(Told),
    /// A snapshot over REST, and whose.
    Body(String, String),
}

/// A frame and what it is about.
#[derive(Clone)]
pub struct Told {
    pub kind: Kind,
    pub symbol: String,
    pub text: String,
}

/// A recording, and how far it has got.
pub struct Script {
    pieces: VecDeque<Piece>,
    pub rebuilt: Rebuilt,
}

impl Script {
    /// What was received in `capture`, with `window` levels a side where the client has to cut. Kraken's is translated.
    /// A snapshot whose address is not recorded is the one instrument's.
    pub fn new(house: &dyn House, capture: &Capture, window: usize) -> (Self, Market) {
        let (mut pieces, mut symbols) = (VecDeque::new(), Vec::<String>::new());
        for item in &capture.items {
            match &item.what {
                What::Received(text) => {
                    let text = match house.id() {
                        VenueId::Kraken => kraken::to_v2(text).unwrap_or_else(|| text.clone()),
                        _ => text.clone(),
                    };
                    // Acknowledgements and answers to pings are not of the market.
                    let Some((kind, symbol)) = house.frame_about(&json_of(&text)) else { continue };
                    if !symbols.contains(&symbol) {
                        symbols.push(symbol.clone());
                    }
                    pieces.push_back(Piece::Frame(Told { kind, symbol, text: renumbered(&text) }));
                }
                What::Http { url, body } if body.starts_with("{\"lastUpdateId\"") => {
                    let named = url.split(['?', '&']).find_map(|kv| kv.strip_prefix("symbol="));
                    let symbol = named.map(str::to_owned).or_else(|| symbols.first().cloned());
                    pieces.push_back(Piece::Body(symbol.expect("a frame before the snapshot"), body.clone()));
                }
                What::Http { .. } | What::Header(_) | What::Connect { .. } | What::Sent(_) => {}
            }
        }
        let begin_ms = capture.items.iter().map(|item| item.at_ns / 1_000_000).max().unwrap_or_default();
        let status = house.listings()[0].status.clone();
        let scales = scales(house.id(), &pieces, &symbols);
        let listings = symbols.iter().zip(scales).map(|(symbol, scale)| listing(symbol, scale, &status)).collect();
        let mut market = Market::new(listings, 0, begin_ms, 0);
        // Nothing is known before the recording says it.
        market.coins.iter_mut().for_each(|coin| coin.book = Book::default());
        (Self { pieces, rebuilt: Rebuilt::new(house.id(), window) }, market)
    }

    /// Frames that are still to come.
    pub fn left(&self) -> usize {
        self.coming().count()
    }

    /// Frames that are still to come, in order.
    pub fn coming(&self) -> impl Iterator<Item = &Told> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Frame(told) => Some(told),
            Piece::Body(..) => None,
        })
    }

    /// The next frame.
    pub fn next(&mut self) -> Option<Told> {
        loop {
            match self.pieces.pop_front()? {
                Piece::Body(symbol, body) => self.rebuilt.fetched(&symbol, &body),
                Piece::Frame(told) => {
                    // Numbers are given anew on every connection.
                    let text = told.text.replacen("\"sequence_num\":0", "\"unnumbered\":0", 1);
                    self.rebuilt.hear(&text);
                    return Some(told);
                }
            }
        }
    }

    /// Puts the books as they stand into the market.
    pub fn settle(&self, market: &mut Market) {
        for coin in &mut market.coins {
            let Some(book) = self.rebuilt.books.get(coin.listing.symbol).filter(|book| book.trusted) else { continue };
            let (bids, asks) = book.whole();
            coin.book = Book { bids: bids.into_iter().collect(), asks: asks.into_iter().collect() };
            if let Some(last) = book.last {
                (coin.last_id, coin.count) = (last, last);
            }
        }
    }
}

/// Most decimals of prices and quantities of each symbol, in its whole recording.
fn scales(id: VenueId, pieces: &VecDeque<Piece>, symbols: &[String]) -> Vec<(u32, u32)> {
    let mut most = vec![(0, 0); symbols.len()];
    let mut note = |symbol: &str, levels: &[[String; 2]]| {
        let Some(at) = symbols.iter().position(|s| s == symbol) else { return };
        let decimals = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u32);
        for [price, qty] in levels {
            most[at] = (most[at].0.max(decimals(price)), most[at].1.max(decimals(qty)));
        }
    };
    for piece in pieces {
        match piece {
            Piece::Frame(told) => {
                let Some(frame) = words::json(&told.text) else { continue };
                for (symbol, levels) in words::levels(id, &frame) {
                    note(&symbol, &levels);
                }
            }
            Piece::Body(symbol, body) => {
                let Some(body) = words::json(body) else { continue };
                note(symbol, &words::pairs(&body["bids"]));
                note(symbol, &words::pairs(&body["asks"]));
            }
        }
    }
    most
}

/// A listing of whatever the recording is about; kept for the rest of the test binary.
fn listing(symbol: &str, (price, qty): (u32, u32), status: &str) -> Listing {
    let kept = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let quotes = ["USDT", "USDC", "BUSD", "USD", "BTC", "ETH", "EUR", "BNB"];
    let plain = symbol.trim_end_matches("_PERP").trim_end_matches("-SWAP").trim_end_matches("-PERPETUAL");
    let (base, quote) = match plain.split_once(['-', '/']) {
        Some((base, quote)) => (base, quote),
        None => {
            let quote = quotes.into_iter().find(|q| plain.ends_with(q) && plain.len() > q.len()).unwrap_or("USD");
            (plain.strip_suffix(quote).unwrap_or(plain), quote)
        }
    };
    let (tick, lot) = (Decimal::new(1, price), Decimal::new(1, qty));
    Listing {
        symbol: kept(symbol),
        base: kept(base),
        quote: kept(quote),
        tick,
        lot,
        stride: tick,
        mid: Decimal::ONE_THOUSAND,
        status: status.to_owned(),
        verbatim: true,
    }
}

/// Without the number that its own connection gave it.
fn renumbered(text: &str) -> String {
    let Some(from) = text.find("\"sequence_num\":").map(|at| at + "\"sequence_num\":".len()) else {
        return text.to_owned();
    };
    let digits = text[from..].bytes().take_while(u8::is_ascii_digit).count();
    format!("{}0{}", &text[..from], &text[from + digits..])
}

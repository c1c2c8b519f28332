//! Every venue's book message by `serde_json`, as one would write it without us: typed, strings borrowed, numbers exact.

use papermaker::market::{Book, Extent, Instrument, Level, VenueId};
use papermaker::units::{Lots, Ticks};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads a frame and applies what it says.
pub fn read(venue: VenueId, frame: &str, rules: &Instrument, book: &mut Book) -> Option<()> {
    match venue {
        VenueId::Imported => return None,
        VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm => {
            let Depth { u, b, a } = parse::<Combined<'_, Depth<'_>>>(frame)?.data;
            book.apply_delta(u, &pairs(&b, rules)?, &pairs(&a, rules)?);
        }
        VenueId::BybitSpot | VenueId::BybitLinear => {
            let Depth { u, b, a } = parse::<Topic<'_>>(frame)?.data;
            book.apply_delta(u, &pairs(&b, rules)?, &pairs(&a, rules)?);
        }
        VenueId::Okx => {
            let [page] = parse::<Okx<'_>>(frame)?.data;
            let four =
                |levels: &[[&str; 4]]| levels.iter().map(|l| level(l[0], l[1], rules)).collect::<Option<Vec<_>>>();
            book.apply_delta(page.seq_id, &four(&page.bids)?, &four(&page.asks)?);
        }
        VenueId::Coinbase => {
            let message = parse::<Coinbase<'_>>(frame)?;
            for event in &message.events {
                let (mut bids, mut asks) = (Vec::new(), Vec::new());
                for update in &event.updates {
                    let side = if update.side == "bid" { &mut bids } else { &mut asks };
                    side.push(level(update.price_level, update.new_quantity, rules)?);
                }
                book.apply_delta(message.sequence_num, &bids, &asks);
            }
        }
        VenueId::Kraken => {
            let [page] = parse::<Kraken<'_>>(frame)?.data;
            let named = |levels: &[Named<'_>]| {
                levels.iter().map(|l| level(l.price.get(), l.qty.get(), rules)).collect::<Option<Vec<_>>>()
            };
            book.apply_delta(0, &named(&page.bids)?, &named(&page.asks)?);
        }
        VenueId::Hyperliquid => {
            let Picture { time, levels } = parse::<Channel<'_>>(frame)?.data;
            let side = |n: usize| levels[n].iter().map(|l| level(l.px, l.sz, rules)).collect::<Option<Vec<_>>>();
            book.apply_snapshot(time, &side(0)?, &side(1)?, Extent::ToLast);
        }
        VenueId::Deribit => {
            let data = parse::<Deribit<'_>>(frame)?.params.data;
            let side = |levels: &[(&str, &RawValue, &RawValue)]| {
                levels.iter().map(|(_, p, q)| level(p.get(), q.get(), rules)).collect::<Option<Vec<_>>>()
            };
            book.apply_delta(data.change_id, &side(&data.bids)?, &side(&data.asks)?);
        }
    }
    Some(())
}

fn parse<'a, T: Deserialize<'a>>(frame: &'a str) -> Option<T> {
    serde_json::from_str(frame).ok()
}

fn pairs(levels: &[(&str, &str)], rules: &Instrument) -> Option<Vec<Level>> {
    levels.iter().map(|(price, qty)| level(price, qty, rules)).collect()
}

/// A quantity older than the present lot may lie between two counts; then it is the next one, as with us.
fn level(price: &str, qty: &str, rules: &Instrument) -> Option<Level> {
    let price = rules.tick.count(price.parse().ok()?).ok()?;
    let qty: Decimal = qty.parse().ok()?;
    let lots = rules.lot.count(qty).unwrap_or_else(|_| rules.lot.count_floor(qty) + 1);
    Some(Level { price: Ticks(price), qty: Lots(lots) })
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Combined<'a, T> {
    stream: &'a str,
    data: T,
}

#[derive(Deserialize)]
struct Depth<'a> {
    u: u64,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Topic<'a> {
    topic: &'a str,
    r#type: &'a str,
    #[serde(borrow)]
    data: Depth<'a>,
}

#[derive(Deserialize)]
struct Okx<'a> {
    #[serde(borrow)]
    data: [OkxPage<'a>; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OkxPage<'a> {
    #[serde(borrow)]
    asks: Vec<[&'a str; 4]>,
    #[serde(borrow)]
    bids: Vec<[&'a str; 4]>,
    seq_id: u64,
}

#[derive(Deserialize)]
struct Coinbase<'a> {
    sequence_num: u64,
    #[serde(borrow)]
    events: Vec<CoinbaseEvent<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseEvent<'a> {
    #[serde(borrow)]
    updates: Vec<CoinbaseUpdate<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseUpdate<'a> {
    side: &'a str,
    price_level: &'a str,
    new_quantity: &'a str,
}

#[derive(Deserialize)]
struct Kraken<'a> {
    #[serde(borrow)]
    data: [KrakenPage<'a>; 1],
}

#[derive(Deserialize)]
struct KrakenPage<'a> {
    #[serde(borrow)]
    bids: Vec<Named<'a>>,
    #[serde(borrow)]
    asks: Vec<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

#[derive(Deserialize)]
struct Channel<'a> {
    #[serde(borrow)]
    data: Picture<'a>,
}

#[derive(Deserialize)]
struct Picture<'a> {
    time: u64,
    #[serde(borrow)]
    levels: [Vec<Priced<'a>>; 2],
}

#[derive(Deserialize)]
struct Priced<'a> {
    px: &'a str,
    sz: &'a str,
}

#[derive(Deserialize)]
struct Deribit<'a> {
    #[serde(borrow)]
    params: DeribitParams<'a>,
}

#[derive(Deserialize)]
struct DeribitParams<'a> {
    #[serde(borrow)]
    data: DeribitBook<'a>,
}

#[derive(Deserialize)]
struct DeribitBook<'a> {
    change_id: u64,
    #[serde(borrow)]
    bids: Vec<(&'a str, &'a RawValue, &'a RawValue)>,
    #[serde(borrow)]
    asks: Vec<(&'a str, &'a RawValue, &'a RawValue)>,
}

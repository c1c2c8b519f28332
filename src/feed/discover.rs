//! What a venue lists, and by which rules.

use std::time::Duration;

use serde::Deserialize;

use super::endpoint::{Endpoint, FeedError};
use super::rest::Rest;
use super::settings::Settings;
use crate::market::{Instrument, VenueId};
use crate::wire::{FetchFailure, binance_spot};

/// Cost of one `exchangeInfo` on Binance spot.
const RULES_WEIGHT: u32 = 20;

/// The instruments `symbols` of a venue with their present rules, in the order asked for.
///
/// A symbol the venue does not list is an error that names the nearest one it does: Binance acknowledges
/// subscriptions to anything and then stays silent.
pub async fn discover(endpoint: &Endpoint, symbols: &[&str]) -> Result<Vec<Instrument>, FeedError> {
    match endpoint.venue() {
        VenueId::BinanceSpot => {}
        venue @ (VenueId::BinanceUsdm
        | VenueId::BybitSpot
        | VenueId::BybitLinear
        | VenueId::Okx
        | VenueId::Coinbase
        | VenueId::Kraken
        | VenueId::Hyperliquid
        | VenueId::Deribit
        | VenueId::BinanceCoinm) => return Err(FeedError::Unsupported { venue }),
    }
    let rest = Rest::new(endpoint, &Settings::default())?;
    let path = binance_spot::rest::instruments_path(symbols);
    let body = match rest.get(&path, RULES_WEIGHT, Duration::ZERO).await {
        Ok(body) => body,
        // Binance answers 400 for the whole list if it does not know one of them, and does not say which.
        Err(FetchFailure::Status { status: 400, .. }) => return Err(unknown(endpoint, &rest, symbols).await),
        Err(failure) => return Err(failed(endpoint, &rest.url(&path), failure)),
    };
    let listed = binance_spot::rest::instruments(&body).map_err(|e| FeedError::Unreachable {
        venue: endpoint.venue(),
        url: rest.url(&path),
        why: e.to_string(),
    })?;
    let asked = symbols.iter().map(|symbol| listed.iter().find(|i| i.symbol == *symbol).cloned());
    match asked.collect() {
        Some(instruments) => Ok(instruments),
        None => Err(unknown(endpoint, &rest, symbols).await),
    }
}

/// The first of `symbols` that is not in the venue's whole list, with the nearest that is.
async fn unknown(endpoint: &Endpoint, rest: &Rest, symbols: &[&str]) -> FeedError {
    #[derive(Deserialize)]
    struct Listing {
        symbols: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        symbol: String,
    }
    let path = "/api/v3/exchangeInfo?showPermissionSets=false";
    let body = match rest.get(path, RULES_WEIGHT, Duration::ZERO).await {
        Ok(body) => body,
        Err(failure) => return failed(endpoint, &rest.url(path), failure),
    };
    let unreadable = |why: String| FeedError::Unreachable { venue: endpoint.venue(), url: rest.url(path), why };
    let listing: Listing = match serde_json::from_slice(&body) {
        Ok(listing) => listing,
        Err(e) => return unreadable(format!("not a list of symbols: {e}")),
    };
    let known: Vec<&str> = listing.symbols.iter().map(|l| l.symbol.as_str()).collect();
    match symbols.iter().find(|symbol| !known.contains(symbol)) {
        Some(symbol) => FeedError::UnknownSymbol {
            venue: endpoint.venue(),
            symbol: (*symbol).to_owned(),
            nearest: nearest(symbol, &known).map(str::to_owned),
        },
        None => unreadable(format!("it lists {} but does not give their rules", symbols.join(", "))),
    }
}

/// The most similar of `known`, if it is similar at all.
fn nearest<'a>(symbol: &str, known: &[&'a str]) -> Option<&'a str> {
    let symbol = symbol.to_uppercase();
    let likeness = |k: &&str| strsim::jaro_winkler(&symbol, k);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.7).then_some(best)
}

fn failed(endpoint: &Endpoint, url: &str, failure: FetchFailure) -> FeedError {
    let (venue, url, why) = (endpoint.venue(), url.to_owned(), failure.to_string());
    match failure {
        FetchFailure::Status { status: 403 | 451, .. } => FeedError::Refused { venue, url, why },
        FetchFailure::RateLimited { .. } | FetchFailure::Status { .. } | FetchFailure::Unreachable(_) => {
            FeedError::Unreachable { venue, url, why }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_symbol_is_close_to_the_one_meant() {
        let known = ["ETHUSDT", "BTCUSDT", "BTCUSDC"];
        assert_eq!(nearest("BTCUDST", &known), Some("BTCUSDT"));
        assert_eq!(nearest("btcusdt", &known), Some("BTCUSDT"));
        assert_eq!(nearest("ÄÖÜ", &known), None);
    }
}

//! What a venue lists, and by which rules.

use std::time::Duration;

use super::endpoint::{Endpoint, FeedError};
use super::rest::Place;
use super::settings::Settings;
use crate::market::Instrument;
use crate::wire::dialect::{Exchange, Listed, Request};
use crate::wire::{FetchFailure, WireError, venues};

/// The instruments `symbols` of a venue with their present rules, in the order asked for.
///
/// A symbol the venue does not list is an error that names the nearest one it does: Binance acknowledges
/// subscriptions to anything and then stays silent.
pub async fn discover(endpoint: &Endpoint, symbols: &[&str]) -> Result<Vec<Instrument>, FeedError> {
    let venue = endpoint.venue();
    let exchange = venues::find(venue).ok_or(FeedError::Unsupported { venue })?;
    let place = Place::new(endpoint.clone(), &Settings::default())?;
    let listed = match list(&place, exchange, exchange.rules_requests(symbols)).await {
        Ok(listed) => listed,
        Err(failure @ FeedError::Refused { .. }) => return Err(failure),
        // A venue may refuse the whole question for one symbol it does not know, and not say which.
        Err(failure) => return Err(unknown(&place, exchange, symbols).await.unwrap_or(failure)),
    };
    let mut instruments = Vec::new();
    for symbol in symbols {
        match listed.iter().find(|l| l.symbol == *symbol) {
            Some(Listed { rules: Ok(rules), .. }) => instruments.push(rules.clone()),
            Some(Listed { rules: Err(why), .. }) => {
                let (symbol, why) = ((*symbol).to_owned(), why.to_string());
                return Err(FeedError::Untradable { venue, symbol, why });
            }
            None => {
                let nearest = match unknown(&place, exchange, symbols).await {
                    Some(error @ FeedError::UnknownSymbol { .. }) => return Err(error),
                    _ => None,
                };
                return Err(FeedError::UnknownSymbol { venue, symbol: (*symbol).to_owned(), nearest });
            }
        }
    }
    Ok(instruments)
}

/// What the answers to these questions list.
async fn list(place: &Place, exchange: &dyn Exchange, requests: Vec<Request>) -> Result<Vec<Listed>, FeedError> {
    let mut answers = Vec::new();
    for request in &requests {
        match place.ask(request, Duration::ZERO).await {
            Ok(answer) => answers.push(answer),
            Err(failure) => return Err(failed(place, request, failure)),
        }
    }
    let url = requests.first().map(|request| place.url(request)).unwrap_or_default();
    let unreadable =
        |e: WireError| FeedError::Unreachable { venue: exchange.id(), url: url.clone(), why: e.to_string() };
    exchange.read_rules(&answers).map_err(unreadable)
}

/// The first of `symbols` that is not in the venue's whole list, with the nearest that is; `None` if that list cannot
/// be had or has them all.
async fn unknown(place: &Place, exchange: &dyn Exchange, symbols: &[&str]) -> Option<FeedError> {
    let listed = list(place, exchange, exchange.listing_requests()).await.ok()?;
    let known: Vec<&str> = listed.iter().map(|l| l.symbol.as_str()).collect();
    let symbol = symbols.iter().find(|symbol| !known.contains(symbol))?;
    Some(FeedError::UnknownSymbol {
        venue: exchange.id(),
        symbol: (*symbol).to_owned(),
        nearest: nearest(symbol, &known).map(str::to_owned),
    })
}

/// The most similar of `known`, if it is similar at all.
fn nearest<'a>(symbol: &str, known: &[&'a str]) -> Option<&'a str> {
    let symbol = symbol.to_uppercase();
    let likeness = |k: &&str| strsim::jaro_winkler(&symbol, k);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.7).then_some(best)
}

pub(super) fn failed(place: &Place, request: &Request, failure: FetchFailure) -> FeedError {
    let (venue, url, why) = (place.endpoint().venue(), place.url(request), failure.to_string());
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

//! Where a venue listens, and what can be wrong with that.

use std::net::IpAddr;

use reqwest::Url;

use crate::market::VenueId;

/// A venue's two addresses, checked. Plain text is for this machine only: on a public network anybody in between
/// could move our prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    venue: VenueId,
    ws_url: String,
    rest_url: String,
}

/// Why a venue cannot be listened to. Each names the setting to look at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The address itself.
    #[error("venues.{venue}.{key} = {url:?}: {why}")]
    BadUrl {
        /// Whose.
        venue: VenueId,
        /// `ws_url` or `rest_url`.
        key: &'static str,
        /// As configured.
        url: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// No usable answer.
    #[error("{venue} did not answer at {url}: {why}; check the network and venues.{venue}.{}", key(url))]
    Unreachable {
        /// Who.
        venue: VenueId,
        /// What was asked.
        url: String,
        /// What happened instead.
        why: String,
    },
    /// It answered, but not to us.
    #[error(
        "{venue} refuses to serve this address at {url}: {why}; another venues.{venue}.{} may be allowed",
        key(url)
    )]
    Refused {
        /// Who.
        venue: VenueId,
        /// What was asked.
        url: String,
        /// Status and words.
        why: String,
    },
    /// No such instrument there.
    #[error("{venue} does not list {symbol}{}", hint(nearest))]
    UnknownSymbol {
        /// Who.
        venue: VenueId,
        /// What was asked for.
        symbol: String,
        /// The listed symbol it is most like, if any is.
        nearest: Option<String>,
    },
    /// Its rules are not ones we can keep exactly.
    #[error("{venue} lists {symbol}, but its rules cannot be kept exactly: {why}")]
    Untradable {
        /// Who.
        venue: VenueId,
        /// What was asked for.
        symbol: String,
        /// What is wrong with the rules.
        why: String,
    },
    /// We do not know how to talk with it.
    #[error("{venue} is known by name only: its protocol is not spoken here")]
    Unsupported {
        /// Who.
        venue: VenueId,
    },
}

/// The setting an address came from.
fn key(url: &str) -> &'static str {
    if url.starts_with("ws") { "ws_url" } else { "rest_url" }
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|known| format!("; did you mean {known}?")).unwrap_or_default()
}

impl Endpoint {
    /// Checks both addresses.
    pub fn new(venue: VenueId, ws_url: &str, rest_url: &str) -> Result<Self, FeedError> {
        Ok(Self {
            venue,
            ws_url: checked(venue, "ws_url", ws_url, "wss", "ws")?,
            rest_url: checked(venue, "rest_url", rest_url, "https", "http")?,
        })
    }

    /// Whose.
    pub fn venue(&self) -> VenueId {
        self.venue
    }

    /// Websocket address without a path, for example `wss://data-stream.binance.vision`.
    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    /// REST address without a path.
    pub fn rest_url(&self) -> &str {
        &self.rest_url
    }

    /// Whether REST goes to this very machine (then no proxy is asked).
    pub(super) fn rest_is_local(&self) -> bool {
        self.rest_url.starts_with("http://")
            || Url::parse(&self.rest_url).is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }
}

fn checked(venue: VenueId, key: &'static str, text: &str, secure: &str, plain: &str) -> Result<String, FeedError> {
    let bad = |why: String| FeedError::BadUrl { venue, key, url: text.to_owned(), why };
    let url = Url::parse(text).map_err(|e| bad(format!("{e}; it should look like {secure}://host:port")))?;
    let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| bad("it names no host".to_owned()))?;
    if url.scheme() == plain {
        if !is_loopback(host) {
            return Err(bad(format!("plain {plain}:// is for loopback addresses only; use {secure}://")));
        }
    } else if url.scheme() != secure {
        return Err(bad(format!("{}:// is not {secure}:// (or {plain}:// on loopback)", url.scheme())));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must end before the query; the venue's own paths are appended".to_owned()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ws_url: &str) -> Result<Endpoint, FeedError> {
        Endpoint::new(VenueId::BinanceSpot, ws_url, "https://data-api.binance.vision")
    }

    #[test]
    fn plain_text_is_accepted_on_loopback_only_and_the_error_names_the_key() {
        for fine in ["wss://data-stream.binance.vision", "ws://127.0.0.1:9001", "ws://localhost:1", "ws://[::1]:9/"] {
            check(fine).unwrap();
        }
        assert_eq!(
            check("ws://stream.binance.com:9443").unwrap_err().to_string(),
            "venues.binance-spot.ws_url = \"ws://stream.binance.com:9443\": \
             plain ws:// is for loopback addresses only; use wss://"
        );
        // Not loopback, however much it looks like it.
        for wrong in ["ws://127.0.0.1.evil.example", "ws://localhost.evil.example", "ws://0.0.0.0:1", "ws://[::]:1"] {
            check(wrong).unwrap_err();
        }
    }

    #[test]
    fn an_address_that_does_not_answer_is_named_by_its_own_key() {
        for (url, key) in [("wss://ws.kraken.com/v2", "kraken.ws_url"), ("https://api.kraken.com/x", "kraken.rest_url")]
        {
            let why = "no such host".to_owned();
            let error = FeedError::Unreachable { venue: VenueId::Kraken, url: url.to_owned(), why };
            assert!(error.to_string().ends_with(&format!("check the network and venues.{key}")), "{error}");
        }
    }

    #[test]
    fn other_schemes_and_nonsense_are_refused() {
        for wrong in ["https://data-stream.binance.vision", "stream.binance.com", "", "wss://", "wss://a/?x=1"] {
            check(wrong).unwrap_err();
        }
        let rest = Endpoint::new(VenueId::BinanceSpot, "wss://a", "http://example.com").unwrap_err();
        assert!(rest.to_string().starts_with("venues.binance-spot.rest_url = \"http://example.com\""), "{rest}");
    }
}

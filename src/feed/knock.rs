//! Is anybody there, and what time is it? What `doctor` asks a venue.

use std::time::Duration;

use super::discover::failed;
use super::endpoint::FeedError;
use super::rest::Place;
use crate::units::{LocalTime, Nanos};
use crate::wire::venues;

/// A venue's answer to a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knock {
    /// Between our question and its answer.
    pub round_trip: Nanos,
    /// Our clock minus theirs at the middle of the round trip, true within half of it; `None` where it does not say.
    pub clock_off: Option<Nanos>,
}

/// Asks a venue for its time, or for its list where it keeps its time to itself.
pub async fn knock(place: &Place, clock: fn() -> LocalTime) -> Result<Knock, FeedError> {
    let venue = place.endpoint().venue();
    let exchange = venues::find(venue).ok_or(FeedError::Unsupported { venue })?;
    let timed = exchange.clock_request();
    let request = timed.clone().or_else(|| exchange.listing_requests().into_iter().next());
    let request = request.ok_or(FeedError::Unsupported { venue })?;
    let asked = clock();
    let answer = place.ask(&request, Duration::ZERO).await.map_err(|failure| failed(place, &request, failure))?;
    let round_trip = clock().since(asked);
    let theirs = timed.and_then(|_| exchange.read_clock(&answer));
    let clock_off = theirs.map(|theirs| Nanos(asked.0 + round_trip.0 / 2 - theirs.0));
    Ok(Knock { round_trip, clock_off })
}

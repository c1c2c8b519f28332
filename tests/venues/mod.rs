//! Every venue over real sockets, with the bot's own driver: what the market really was, and whatever goes wrong.

mod bot;
mod faults;
mod quiet;

use std::time::Duration;

use papermaker::market::VenueId;
use papermaker::units::Nanos;
use papermaker::wire::dialect::Options;
use papermaker::wire::liveness::Patience;
use papermaker::wire::venues;

/// Longest that anything here may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The venues whose words we know.
fn all() -> Vec<VenueId> {
    venues::ALL.iter().map(|exchange| exchange.id()).collect()
}

/// So patient that only real trouble shows.
fn calm() -> Options {
    let calm = Patience { first_data: Nanos::from_s(20), stale: Nanos::from_s(20), dead: Nanos::from_s(60) };
    Options { depth: 100, depth_patience: calm, bbo_patience: calm, ..Options::default() }
}

#[test]
fn every_venue_that_has_a_name_is_spoken() {
    assert_eq!(all().len(), VenueId::ALL.len());
    for venue in VenueId::ALL {
        assert!(venues::find(venue).is_some(), "{venue}");
    }
}

//! Every venue over real sockets, with the bot's own driver: what the market really was, and whatever goes wrong.

mod faults;
mod quiet;

use papermaker::market::VenueId;
use papermaker::wire::venues;

/// The venues whose words we know.
fn all() -> Vec<VenueId> {
    venues::ALL.iter().map(|exchange| exchange.id()).collect()
}

#[test]
fn every_venue_that_has_a_name_is_spoken() {
    assert_eq!(all().len(), VenueId::ALL.len());
    for venue in VenueId::ALL {
        assert!(venues::find(venue).is_some(), "{venue}");
    }
}

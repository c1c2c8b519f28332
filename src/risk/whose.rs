//! Whose a limit, a trip or a state is.

use serde::{Deserialize, Serialize};

use crate::market::{Instrument, InstrumentId, VenueId};

/// One instrument's, one venue's, or everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Whose {
    /// An instrument's.
    Instrument(InstrumentId),
    /// That of all instruments of a venue.
    Venue(VenueId),
    /// Everybody's.
    Book,
}

impl Whose {
    /// Whether it concerns this instrument, traded on this venue.
    pub fn concerns(self, id: InstrumentId, venue: VenueId) -> bool {
        match self {
            Whose::Instrument(whose) => whose == id,
            Whose::Venue(whose) => whose == venue,
            Whose::Book => true,
        }
    }

    /// `VENUE:SYMBOL`, a venue, or nothing for the book: as [`super::values::Value::of`] and exports say it.
    ///
    /// * `instruments` — of the session, in its order
    pub fn label(self, instruments: &[Instrument]) -> String {
        match self {
            Whose::Instrument(id) => instruments[id.index()].label(),
            Whose::Venue(venue) => venue.name().to_owned(),
            Whose::Book => String::new(),
        }
    }
}

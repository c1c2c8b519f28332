//! What venues say, what is traded, and what it adds up to.

pub mod book;
pub mod event;
pub mod instrument;
pub mod price_rule;

pub use book::{Book, Outline};
pub use event::{
    Extent, FeedEvent, FeedEventKind, Funding, Level, Mark, MarketEvent, MarketEventKind, OrderNews, OrderStep,
    PrintFlags,
};
pub use instrument::{Contract, Instrument, InstrumentId, Kind, Status, VenueId};
pub use price_rule::PriceRule;

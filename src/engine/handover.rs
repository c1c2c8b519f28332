//! What a session that goes on from here has to be told, so that it stands where this one stands.
//!
//! A recording of weeks would have to be kept whole to be proved. So a bot ends its session now and then and begins another on
//! the same connections. Those will not tell the book again: it is told as it stood here, as news like any other, and from then
//! on the new recording proves itself, whatever becomes of the old one. Positions and states come over as from any session, by
//! [`Command::Restore`](super::Command::Restore). Estimates do not: the strategy warms up, as after every start.

use super::input::Input;
use super::session::Session;
use crate::market::{Extent, FeedEvent, FeedEventKind, MarketEvent, MarketEventKind};
use crate::units::{Nanos, Side};

impl Session {
    /// Whether everything that counts can be told. It cannot for a moment where a book's best level lies beyond what is
    /// known of it, and where a funding payment has been made that the venue still announces: it would be made twice.
    pub fn can_hand_over(&self) -> bool {
        let is_whole = |desk: &super::desk::Desk| {
            desk.distrusted().is_some() || !Side::BOTH.into_iter().any(|side| desk.book.best_is_beyond_horizon(side))
        };
        self.desks.iter().all(|desk| is_whole(desk) && desk.meter().is_clear())
    }

    /// Every instrument's book, mark and silent connections, as inputs. Of a book that is not trusted nothing: its
    /// snapshot is still to come.
    pub fn handover(&self) -> Vec<Input> {
        let mut told = Vec::new();
        for desk in &self.desks {
            let news = |kind, venue_time| Input::Market(MarketEvent { instrument: desk.id, venue_time, kind });
            if let Some((mark, at)) = desk.meter().last() {
                told.push(news(MarketEventKind::Mark(mark), at));
            }
            if desk.distrusted().is_none() {
                let book = &desk.book;
                let extent = match (book.window(), Side::BOTH.map(|side| book.horizon(side))) {
                    (Some(levels), _) => Extent::Window(levels),
                    (None, [None, None]) => Extent::All,
                    (None, _) => Extent::ToLast,
                };
                // What lies beyond the horizon is not known to be all there is: the new book need not hear of it.
                let levels = |side| {
                    let horizon = book.horizon(side);
                    let is_known = |price| match (side, horizon) {
                        (_, None) => true,
                        (Side::Bid, Some(last)) => price >= last,
                        (Side::Ask, Some(last)) => price <= last,
                    };
                    book.levels(side).filter(|level| is_known(level.price)).collect()
                };
                let (bids, asks) = (levels(Side::Bid), levels(Side::Ask));
                told.push(news(MarketEventKind::Snapshot { seq: book.seq(), bids, asks, extent }, None));
                if let Some((seq, bid, ask)) = desk.leading_bbo() {
                    told.push(news(MarketEventKind::Bbo { seq, bid, ask }, None));
                }
            }
            for connection in desk.silent_connections() {
                let silent_ms = u64::try_from(self.now.since(desk.last_news).max(Nanos::ZERO).ms()).unwrap_or_default();
                told.push(Input::Feed(FeedEvent {
                    venue: desk.rules.venue,
                    connection: *connection,
                    instrument: Some(desk.id),
                    generation: 0,
                    kind: FeedEventKind::Stale { channel: "all".to_owned(), silent_ms },
                }));
            }
        }
        told
    }
}

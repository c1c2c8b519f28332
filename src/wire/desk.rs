//! What a conversation keeps of one instrument: its book, the pulse of its channels, the prints heard.

use std::collections::VecDeque;

use super::Said;
use super::conversation::Counts;
use super::depth_sync::{DepthSync, SyncCounts};
use super::dialect::{Change, Dialect, Options, Source, Trade, TradeIds};
use super::liveness::Channel;
use super::stream_sync::StreamSync;
use super::symbols::{Symbol, Symbols};
use crate::market::{FeedEventKind, Instrument, InstrumentId, MarketEvent, MarketEventKind};
use crate::units::{LocalTime, Nanos, VenueTime};

/// Trade ids remembered where they do not count: more than any venue sends again after a subscription.
const RECENT_IDS: usize = 256;

/// What is known of one instrument.
pub(super) struct Desk {
    pub id: InstrumentId,
    pub book: Sync,
    pub depth: Option<Channel>,
    pub bbo: Option<Channel>,
    pub trade: Option<Channel>,
    pub mark: Option<Channel>,
    pub prints: Prints,
    pub live: bool,
    /// The venue does not know this symbol: we stop asking.
    pub refused: bool,
}

/// How a book is kept in step, if it is on this connection.
pub(super) enum Sync {
    None,
    Rest(DepthSync),
    Stream(StreamSync),
}

/// Which prints were heard.
pub(super) struct Prints {
    ids: TradeIds,
    /// Id and time of the last one, and whether it was heard on this socket.
    pub last: Option<(u64, VenueTime, bool)>,
    recent: VecDeque<u64>,
}

/// A channel spoke, if it is on this connection.
pub(super) fn hear_on(channel: &mut Option<Channel>, at: LocalTime) {
    if let Some(channel) = channel {
        channel.hear(at);
    }
}

impl Sync {
    pub fn is_live(&self) -> bool {
        match self {
            Sync::None => true,
            Sync::Rest(sync) => sync.is_live(),
            Sync::Stream(sync) => sync.is_live(),
        }
    }

    pub fn counts(&self) -> SyncCounts {
        match self {
            Sync::None => SyncCounts::default(),
            Sync::Rest(sync) => sync.counts(),
            Sync::Stream(sync) => sync.counts(),
        }
    }

    pub fn open(&mut self, at: LocalTime) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.open(),
            Sync::Stream(sync) => sync.open(at),
        }
    }

    pub fn close(&mut self) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.close(),
            Sync::Stream(sync) => sync.close(),
        }
    }

    pub fn on_change(&mut self, change: Change, rules: &Instrument, at: LocalTime, said: &mut Vec<Said>) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.on_change(change, at, said),
            Sync::Stream(sync) => sync.on_change(change, rules, at, said),
        }
    }

    pub fn on_unreadable(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.on_unreadable(at, said),
            Sync::Stream(sync) => sync.on_unreadable(at, said),
        }
    }

    pub fn on_time(&mut self, at: LocalTime, said: &mut Vec<Said>) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.on_time(at, said),
            Sync::Stream(sync) => sync.on_time(at, said),
        }
    }

    pub fn on_new_rules(&mut self, at: LocalTime) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.on_new_rules(),
            Sync::Stream(sync) => sync.on_new_rules(at),
        }
    }

    pub fn set_trading(&mut self, trading: bool) {
        match self {
            Sync::None => {}
            Sync::Rest(sync) => sync.set_trading(trading),
            Sync::Stream(sync) => sync.set_trading(trading),
        }
    }
}

impl Desk {
    pub fn new<D: Dialect>(at: usize, symbol: &Symbol, dialect: &D, symbols: &Symbols, options: &Options) -> Self {
        let traits = dialect.traits();
        let mut book = match (traits.channels.book, traits.source) {
            (false, _) => Sync::None,
            (true, Source::Rest) => {
                let request = dialect.snapshot_request(symbols, at);
                let request = request.expect("a venue with snapshots over REST says where they are");
                Sync::Rest(DepthSync::new(symbol.id, request, options.sync))
            }
            (true, Source::Stream) => {
                Sync::Stream(StreamSync::new(symbol.id, traits.window, traits.checksum, options.sync))
            }
        };
        book.set_trading(symbol.instrument.status.may_quote());
        let channel = |is_here: bool, name, patience| is_here.then(|| Channel::new(name, patience));
        Self {
            id: symbol.id,
            book,
            depth: channel(traits.channels.book, "depth", options.depth_patience),
            bbo: channel(traits.channels.bbo, "bbo", options.bbo_patience),
            trade: channel(traits.channels.trades, "trade", options.trade_patience),
            mark: channel(traits.channels.marks && dialect.has_marks(symbol), "mark", options.mark_patience),
            prints: Prints { ids: traits.trade_ids, last: None, recent: VecDeque::new() },
            live: false,
            refused: false,
        }
    }

    /// Says `Live` when the book is in step and every channel flows, once each time.
    pub fn settle(&mut self, said: &mut Vec<Said>) {
        let flows = |channel: &Option<Channel>| channel.as_ref().is_none_or(Channel::flows);
        let channels = flows(&self.depth) && flows(&self.bbo) && flows(&self.trade) && flows(&self.mark);
        let live = !self.refused && self.book.is_live() && channels;
        if live && !self.live {
            said.push(Said::Feed { instrument: Some(self.id), kind: FeedEventKind::Live });
        }
        self.live = live;
    }

    pub fn print(&mut self, time: VenueTime, trade: Trade, counts: &mut Counts, said: &mut Vec<Said>) {
        let Trade { id, taker, price, qty, flags } = trade;
        match self.prints.judge(id, time) {
            Print::Old => {
                counts.duplicate_trades += 1;
                return;
            }
            Print::After { last, missed } => {
                counts.missed_trades += missed;
                let detail = format!("trade ids jumped from {last} to {id}: {missed} prints never came");
                said.push(Said::Feed { instrument: Some(self.id), kind: FeedEventKind::ProtocolError { detail } });
            }
            Print::New => {}
        }
        said.push(self.market(Some(time), MarketEventKind::Trade { id, taker, price, qty, flags }));
    }

    /// Whether the best bid and offer has been heard well after the depth that should have shown it.
    pub fn depth_lags(&self) -> bool {
        let last = |channel: &Option<Channel>| channel.as_ref().and_then(Channel::last);
        let (depth, bbo) = (last(&self.depth), last(&self.bbo));
        depth.zip(bbo).is_some_and(|(depth, bbo)| bbo.since(depth) > Nanos::from_s(5))
    }

    pub fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        [&mut self.depth, &mut self.bbo, &mut self.trade, &mut self.mark].into_iter().flatten()
    }

    pub fn market(&self, venue_time: Option<VenueTime>, kind: MarketEventKind) -> Said {
        Said::Market(MarketEvent { instrument: self.id, venue_time, kind })
    }
}

/// What a trade's id says about it.
enum Print {
    New,
    Old,
    After { last: u64, missed: u64 },
}

impl Prints {
    fn judge(&mut self, id: u64, time: VenueTime) -> Print {
        match self.ids {
            TradeIds::Counting => self.judge_count(id, time),
            TradeIds::Opaque => {
                if self.recent.contains(&id) {
                    return Print::Old;
                }
                if self.recent.len() == RECENT_IDS {
                    self.recent.pop_front();
                }
                self.recent.push_back(id);
                Print::New
            }
        }
    }

    /// Ids count up by one. One seen before is dropped unless its time says that the venue began to count anew.
    fn judge_count(&mut self, id: u64, time: VenueTime) -> Print {
        let before = self.last;
        if let Some((last, last_time, _)) = before
            && id <= last
            && time <= last_time
        {
            return Print::Old;
        }
        self.last = Some((id, time, true));
        match before {
            Some((last, _, true)) if id > last.saturating_add(1) => Print::After { last, missed: id - last - 1 },
            Some(_) | None => Print::New,
        }
    }
}

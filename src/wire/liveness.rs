//! Whether a channel still speaks.
//!
//! An open socket proves nothing: venues acknowledge subscriptions to which nothing ever comes, and half-open
//! connections stay silent for hours. So each channel has its own clock: a first-data timer from the subscription,
//! a stale timer from the last message, and a longer one after which the connection is given up. A limit of zero
//! switches a timer off.
//!
//! Many instruments share a connection, and a quiet one must not cost the others their books: a channel that has
//! spoken is not dead while its connection speaks, before [`QUIET_MAX`].

use crate::market::FeedEventKind;
use crate::units::{LocalTime, Nanos};

/// A channel without a word for so long is asked for on a new connection, even if others still speak on this one.
pub const QUIET_MAX: Nanos = Nanos::from_s(300);

/// Timer lengths of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Nothing at all for this long after the subscription: `NoData`, and after twice as long reconnect.
    pub first_data: Nanos,
    /// Silent for longer than this: `Stale`.
    pub stale: Nanos,
    /// Silent for longer than this, and so is the connection: reconnect.
    pub dead: Nanos,
}

impl Patience {
    /// Never impatient.
    pub const ENDLESS: Self = Self { first_data: Nanos::ZERO, stale: Nanos::ZERO, dead: Nanos::ZERO };
}

/// One channel of one instrument.
#[derive(Clone, Debug)]
pub struct Channel {
    name: &'static str,
    patience: Patience,
    since: LocalTime,
    heard: bool,
    complained: bool,
}

/// What a channel's clock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Nothing new.
    Steady,
    /// To be told once.
    Complaint(FeedEventKind),
    /// Give the connection up, for this reason.
    Dead(String),
}

impl Channel {
    /// A channel with the name it has in feed events.
    pub fn new(name: &'static str, patience: Patience) -> Self {
        Self { name, patience, since: LocalTime::default(), heard: false, complained: false }
    }

    /// It was subscribed to.
    pub fn open(&mut self, at: LocalTime) {
        self.since = at;
        self.heard = false;
        self.complained = false;
    }

    /// It spoke.
    #[inline]
    pub fn hear(&mut self, at: LocalTime) {
        self.since = at;
        self.heard = true;
        self.complained = false;
    }

    /// Whether it may be relied on: it spoke when it had to, and has not gone stale.
    pub fn flows(&self) -> bool {
        !self.complained && (self.heard || self.patience.first_data == Nanos::ZERO)
    }

    /// When it last spoke, if ever.
    pub fn last(&self) -> Option<LocalTime> {
        self.heard.then_some(self.since)
    }

    /// Whether a silence that is long enough for the connection's end may be that of a quiet market: this channel has
    /// spoken, and the connection was heard since.
    pub fn may_be_quiet(&self, connection: LocalTime, at: LocalTime) -> bool {
        let speaks = at.since(connection) < self.patience.dead;
        self.heard && speaks && at.since(self.since) <= QUIET_MAX.max(self.patience.dead)
    }

    /// Whether it has spoken too long ago, or never.
    pub fn on_time(&mut self, at: LocalTime) -> Pulse {
        let silent = at.since(self.since);
        let over = |limit: Nanos, times: i64| limit.0 > 0 && silent.0 > limit.0.saturating_mul(times);
        let (late, dead) = if self.heard {
            (over(self.patience.stale, 1), over(self.patience.dead, 1))
        } else {
            (over(self.patience.first_data, 1), over(self.patience.first_data, 2))
        };
        let ms = silent.ms().max(0) as u64;
        if dead {
            let ever = if self.heard { "" } else { " since the subscription" };
            Pulse::Dead(format!("{} silent for {ms} ms{ever}", self.name))
        } else if late && !self.complained {
            self.complained = true;
            let channel = self.name.to_owned();
            Pulse::Complaint(if self.heard {
                FeedEventKind::Stale { channel, silent_ms: ms }
            } else {
                FeedEventKind::NoData { channel, waited_ms: ms }
            })
        } else {
            Pulse::Steady
        }
    }
}

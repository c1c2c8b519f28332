//! What can go wrong, the same words for every venue.
//!
//! Where a venue's protocol makes one meaningless it does no more harm than it says here:
//!
//! | fault | no meaning at | there it is |
//! |---|---|---|
//! | `WrongChecksum` | all but Kraken and OKX's recordings | the frame, unharmed |
//! | `WrongDigit` | all but Kraken | a level that is wrong until it changes next; nothing in the protocol can tell |
//! | `Drop` of a book | Hyperliquid | an older book for a moment: every message is whole |
//! | `Duplicate`, `SwapWithNext` of a book | Hyperliquid | a message that is not newer (`time`), to be ignored |
//! | `AnnounceShutdown` | all but Binance spot and OKX | nothing: they close without a word |
//! | `Status`, `Delist`, `ChangeTick` | Binance spot, Bybit, Hyperliquid, Coinbase (tick) | seen over REST only; Bybit sends the book anew as `u = 1` |
//! | `RestStatus` | Kraken, if rules come over the socket | for whoever asks |
//! | `Mute` | Binance, Coinbase | they answer no texts but (un)subscriptions; those stay unanswered |

use std::time::Duration;

use super::market::Kind;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame never comes. It still counts where messages are numbered.
    Drop,
    /// It comes twice.
    Duplicate,
    /// The next one of its kind comes first.
    SwapWithNext,
    /// The best bid in it is one lot off; a checksum stays that of the true book.
    WrongDigit,
    /// Its checksum is another one.
    WrongChecksum,
    /// Half of its text comes.
    HalfText,
    /// It comes as a text frame that is not UTF-8.
    InvalidUtf8,
    /// It comes as a binary frame.
    Binary,
    /// It comes in so many pieces, which is legal.
    Fragmented(usize),
    /// It has fields that nobody has heard of, which is legal.
    UnknownFields,
    /// A bid far above the offers is in it, and is never taken back.
    Crossed,
    /// A well-formed message of an unknown kind comes first.
    UnknownType,
    /// A text frame of so many bytes comes first.
    Oversized(usize),
    /// A websocket ping with this payload comes first.
    Ping(Vec<u8>),
    /// Nothing comes for so long (by the wall clock), then the frame.
    Throttle(Duration),
    /// A close frame with this code instead, and `lost` events that reach nobody who was there.
    Close { code: u16, lost: usize },
    /// The connection is reset without a word instead.
    Reset { lost: usize },
    /// The connection stays open but is dead from here on: no frames, no answers.
    HalfOpen { lost: usize },
    /// The notice that the connection will be closed comes first, where there is one.
    AnnounceShutdown,
    /// From now on no text of a client is answered, on any connection.
    Mute,
    /// The next subscriptions, so many topics, are acknowledged and bring nothing.
    AckButNoData(usize),
    /// The next `times` REST requests get this.
    RestStatus { status: u16, retry_after: Option<u32>, times: usize },
    /// The next websocket upgrades get this status.
    UpgradeStatus { status: u16, times: usize },
    /// This instrument is in this state now, in the venue's word.
    Status { symbol: &'static str, word: &'static str },
    /// This instrument is gone, in the venue's word; nothing of it comes any more.
    Delist { symbol: &'static str },
    /// The tick of this instrument is a tenth of what it was.
    ChangeTick { symbol: &'static str },
}

/// A fault and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// At the first event of the kind that has this number or a later one and reaches somebody.
    pub from: u64,
    /// Of this kind.
    pub kind: Kind,
    pub fault: Fault,
}

impl Fault {
    /// At the first book message from event `from` on.
    pub fn at(self, from: u64) -> Strike {
        Strike { from, kind: Kind::Book, fault: self }
    }

    /// At the next book message, or at once where it does not strike a message.
    pub fn now(self) -> Strike {
        self.at(0)
    }

    /// Whether it strikes a message; otherwise the venue itself.
    pub fn strikes_a_message(&self) -> bool {
        match self {
            Fault::Drop
            | Fault::Duplicate
            | Fault::SwapWithNext
            | Fault::WrongDigit
            | Fault::WrongChecksum
            | Fault::HalfText
            | Fault::InvalidUtf8
            | Fault::Binary
            | Fault::Fragmented(_)
            | Fault::UnknownFields
            | Fault::Crossed
            | Fault::UnknownType
            | Fault::Oversized(_)
            | Fault::Ping(_)
            | Fault::Throttle(_)
            | Fault::Close { .. }
            | Fault::Reset { .. }
            | Fault::HalfOpen { .. }
            | Fault::AnnounceShutdown => true,
            Fault::Mute
            | Fault::AckButNoData(_)
            | Fault::RestStatus { .. }
            | Fault::UpgradeStatus { .. }
            | Fault::Status { .. }
            | Fault::Delist { .. }
            | Fault::ChangeTick { .. } => false,
        }
    }
}

impl Strike {
    /// The same at a message of another kind.
    pub fn on(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// The text with fields that nobody has heard of, at the top and one below.
pub fn with_unknown_fields(text: &str) -> String {
    let new = r#""zz_new":{"a":[1,null]},"#;
    let text = text.replacen('{', &format!("{{{new}"), 1);
    let text = text.replacen("\"data\":{", &format!("\"data\":{{{new}"), 1);
    text.replacen("\"data\":[{", &format!("\"data\":[{{{new}"), 1)
}

/// The text with the checksum that `f` makes of the one in it.
pub fn with_checksum(text: &str, f: impl Fn(u64) -> u64) -> String {
    match checksum_in(text) {
        Some((from, to, sum)) => format!("{}{}{}", &text[..from], f(sum), &text[to..]),
        None => text.to_owned(),
    }
}

/// The checksum in a text.
pub fn checksum_of(text: &str) -> Option<u64> {
    checksum_in(text).map(|(_, _, sum)| sum)
}

fn checksum_in(text: &str) -> Option<(usize, usize, u64)> {
    let from = text.find("\"checksum\":")? + "\"checksum\":".len();
    // OKX's are signed; any other digits are wrong ones.
    let from = from + usize::from(text[from..].starts_with('-'));
    let to = from + text[from..].find(|c: char| !c.is_ascii_digit())?;
    Some((from, to, text[from..to].parse().ok()?))
}

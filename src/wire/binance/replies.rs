//! What Binance answers to a request over a websocket, in either of its two shapes.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The fields at the top of a frame that make it an answer.
#[derive(Deserialize)]
pub(in crate::wire) struct Reply<'a> {
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    code: Option<i64>,
    #[serde(borrow, default)]
    msg: Option<Cow<'a, str>>,
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    result: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    msg: String,
}

impl Reply<'_> {
    /// Code and words of a refusal.
    pub(in crate::wire) fn refusal(&self) -> Option<String> {
        match (&self.error, self.code, &self.msg) {
            (Some(Refusal { code, msg }), _, _) => Some(format!("{code} {msg}")),
            (None, Some(code), Some(msg)) => Some(format!("{code} {msg}")),
            (None, _, _) => None,
        }
    }

    /// Whether it answers a request at all.
    pub(in crate::wire) fn answers(&self) -> bool {
        self.id.is_some() || self.result.is_some()
    }
}

//! What Binance answers to a request over a websocket, in either of its two shapes.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::decimals::shape;
use crate::wire::WireError;
use crate::wire::dialect::News;

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
    /// What a frame says that is of no stream and no event.
    pub(in crate::wire) fn read(frame: &[u8]) -> Result<News, WireError> {
        let reply: Reply<'_> = shape("answer", serde_json::from_slice(frame))?;
        let denied = |code, msg: &str| News::Denied { at: None, words: format!("{code} {msg}"), final_: false };
        Ok(match (&reply.error, reply.code, &reply.msg) {
            (Some(Refusal { code, msg }), _, _) => denied(*code, msg),
            (None, Some(code), Some(msg)) => denied(code, msg),
            (None, _, _) if reply.id.is_some() || reply.result.is_some() => News::Alive,
            (None, _, _) => News::Ignored,
        })
    }
}

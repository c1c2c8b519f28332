//! An alert in the words of whoever receives it.

use serde_json::{Value, json};

use super::Alert;
use crate::config::settings::AlertShape;

/// The JSON that is posted.
///
/// * `Generic` — every field, and `text` for people
/// * `Slack` — an incoming webhook's `text`, in which three characters mean something (docs.slack.dev, *Formatting message text*)
/// * `Telegram` — `sendMessage` of the Bot API: `chat_id` and `text`, as it stands
pub fn body(shape: AlertShape, chat: Option<&str>, alert: &Alert) -> Value {
    let text = alert.text();
    match shape {
        AlertShape::Generic => {
            let mut body = serde_json::to_value(alert).expect("an alert is plain data");
            body["text"] = text.into();
            body["version"] = env!("CARGO_PKG_VERSION").into();
            body
        }
        AlertShape::Slack => {
            json!({ "text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") })
        }
        AlertShape::Telegram => json!({ "chat_id": chat, "text": text, "disable_web_page_preview": true }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trouble;
    use super::*;
    use crate::units::LocalTime;

    #[test]
    fn each_receiver_gets_its_own_words_for_the_same_thing() {
        let mut alert = Alert::lone(Trouble::Halted, "monday", "a <b> & c".to_owned(), LocalTime(7));
        alert.whose = "okx:BTC-USDT".to_owned();
        let text = "PAPER monday: halted okx:BTC-USDT: a <b> & c";
        let generic = body(AlertShape::Generic, None, &alert);
        assert_eq!(generic["text"], text);
        assert_eq!(
            (&generic["kind"], &generic["moment"], &generic["paper"]),
            (&"halted".into(), &"began".into(), &true.into())
        );
        assert_eq!((&generic["session"], &generic["at_ns"]), (&"monday".into(), &7.into()));
        let slack = body(AlertShape::Slack, None, &alert);
        assert_eq!(slack, json!({ "text": "PAPER monday: halted okx:BTC-USDT: a &lt;b&gt; &amp; c" }));
        let telegram = body(AlertShape::Telegram, Some("-100"), &alert);
        assert_eq!((&telegram["chat_id"], &telegram["text"]), (&"-100".into(), &text.into()));
    }
}

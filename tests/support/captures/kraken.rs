//! Kraken's first protocol in the words of its second, digit for digit: what is recorded was said in v1, what the bot
//! hears is v2. The checksum is over the same digits in both.

use serde_json::Value;

/// A v1 frame as a v2 frame. `None` for what has no counterpart that a book or a tape is made of (acks, tickers).
pub fn to_v2(frame: &str) -> Option<String> {
    let v1: Value = serde_json::from_str(frame).ok()?;
    match &v1 {
        Value::Object(event) => match event.get("event")?.as_str()? {
            "heartbeat" => Some(r#"{"channel":"heartbeat"}"#.to_owned()),
            "systemStatus" => Some(format!(
                r#"{{"channel":"status","type":"update","data":[{{"system":{},"api_version":"v2","connection_id":{},"version":"2.0.10"}}]}}"#,
                event.get("status")?,
                event.get("connectionID")?
            )),
            _ => None,
        },
        // [id, {…}, "book-1000", "XBT/USD"], with two objects where both sides changed.
        Value::Array(parts) if parts.len() >= 4 => {
            let symbol = symbol_v2(parts.last()?.as_str()?);
            let channel = parts[parts.len() - 2].as_str()?;
            let bodies = &parts[1..parts.len() - 2];
            if channel.starts_with("book-") {
                book(bodies, &symbol)
            } else if channel == "trade" {
                trades(&bodies[0], &symbol)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// `XBT` and `XDG` are names of v1.
pub fn symbol_v2(v1: &str) -> String {
    let asset = |name: &str| match name {
        "XBT" => "BTC".to_owned(),
        "XDG" => "DOGE".to_owned(),
        other => other.to_owned(),
    };
    v1.split('/').map(asset).collect::<Vec<_>>().join("/")
}

fn book(bodies: &[Value], symbol: &str) -> Option<String> {
    let field = |key: &str| bodies.iter().find_map(|body| body.get(key));
    if let (Some(asks), Some(bids)) = (field("as"), field("bs")) {
        // v1 sends no checksum with a snapshot; v2 does, and clients have to bear its absence.
        return Some(format!(
            r#"{{"channel":"book","type":"snapshot","data":[{{"symbol":"{symbol}","bids":{},"asks":{}}}]}}"#,
            levels(bids)?,
            levels(asks)?
        ));
    }
    let empty = Value::Array(Vec::new());
    let (bids, asks) = (field("b").unwrap_or(&empty), field("a").unwrap_or(&empty));
    let time = [bids, asks].iter().flat_map(|side| side.as_array()).flatten().filter_map(|l| l[2].as_str()).max()?;
    Some(format!(
        r#"{{"channel":"book","type":"update","data":[{{"symbol":"{symbol}","bids":{},"asks":{},"checksum":{},"timestamp":"{}"}}]}}"#,
        levels(bids)?,
        levels(asks)?,
        field("c")?.as_str()?,
        rfc3339(time)
    ))
}

/// `["354.15000000","5.00000000","…"]` becomes `{"price":354.15000000,"qty":5.00000000}`: the same digits, unquoted.
fn levels(side: &Value) -> Option<String> {
    let level = |l: &Value| Some(format!(r#"{{"price":{},"qty":{}}}"#, l[0].as_str()?, l[1].as_str()?));
    let levels: Option<Vec<String>> = side.as_array()?.iter().map(level).collect();
    Some(format!("[{}]", levels?.join(",")))
}

/// `["price","qty","time","b|s","m|l",""]`. v1 has no trade ids, so the time in microseconds stands for one.
fn trades(list: &Value, symbol: &str) -> Option<String> {
    let trade = |t: &Value| {
        let side = if t[3] == "b" { "buy" } else { "sell" };
        let kind = if t[4] == "m" { "market" } else { "limit" };
        let time = t[2].as_str()?;
        Some(format!(
            r#"{{"symbol":"{symbol}","side":"{side}","price":{},"qty":{},"ord_type":"{kind}","trade_id":{},"timestamp":"{}"}}"#,
            t[0].as_str()?,
            t[1].as_str()?,
            time.replace('.', ""),
            rfc3339(time)
        ))
    };
    let trades: Option<Vec<String>> = list.as_array()?.iter().map(trade).collect();
    Some(format!(r#"{{"channel":"trade","type":"update","data":[{}]}}"#, trades?.join(",")))
}

/// Seconds with six decimals as a date.
fn rfc3339(seconds: &str) -> String {
    let micros: i64 = seconds.replace('.', "").parse().expect("seconds with six decimals");
    jiff::Timestamp::from_microsecond(micros).expect("a date of ours").to_string()
}

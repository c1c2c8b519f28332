//! The first request on a connection decides: an upgrade becomes a listener, anything else gets one answer.

use std::sync::Arc;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{Shared, line, locked};
use crate::support::fake::house::Reply;
use crate::support::fake::socket::{peek_head, write_reply};

pub async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let Some(head) = peek_head(&stream).await else { return };
    let target = head.split(' ').nth(1).unwrap_or("/").to_owned();
    let reply = if head.to_ascii_lowercase().contains("upgrade: websocket") {
        locked(&shared.stats).upgrades.push(Instant::now());
        let refused = locked(&shared.refuse_upgrade).pop_front();
        match refused {
            None => return line::serve(stream, &target, shared).await,
            Some(status) => Reply::new(status, "refused by the script"),
        }
    } else {
        sleep(shared.script.rest_delay).await;
        answer(&target, &shared).await
    };
    // The request has to be read before the end, or closing would reset the connection under the answer.
    let mut request = vec![0; head.len()];
    if stream.read_exact(&mut request).await.is_err() {
        return;
    }
    write_reply(stream, reply).await;
}

async fn answer(target: &str, shared: &Shared) -> Reply {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.replace("%22", "\"").replace("%5B", "[").replace("%5D", "]").replace("%2C", ",");
    match path {
        "/api/v3/ping" => Reply::new(200, "{}"),
        "/api/v3/time" => Reply::new(200, json!({"serverTime": 1_723_161_255_000_i64}).to_string()),
        "/api/v3/exchangeInfo" => exchange_info(&query),
        "/api/v3/depth" => {
            let reply = depth(&query, shared).await;
            locked(&shared.stats).depth_requests.push((Instant::now(), reply.status));
            reply
        }
        _ => Reply::new(404, "<html>no such path</html>"),
    }
}

async fn depth(query: &str, shared: &Shared) -> Reply {
    let value = |key: &str| query.split('&').find_map(|kv| kv.strip_prefix(key)?.strip_prefix('='));
    if value("symbol") != Some("BTCUSDT") {
        return Reply::new(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
    }
    let refused = locked(&shared.refuse_depth).pop_front();
    if let Some((status, retry_after)) = refused {
        return Reply { status, retry_after, body: r#"{"code":-1003,"msg":"Too many requests."}"#.to_owned() };
    }
    let Some((_, recorded)) = &shared.script.recording.snapshot else {
        return Reply::new(503, r#"{"code":-1008,"msg":"This recording has no snapshot."}"#);
    };
    let limit = value("limit").and_then(|v| v.parse().ok()).unwrap_or(100).min(5000);
    let mut position = shared.position.subscribe();
    let known = position.wait_for(|_| locked(&shared.book).last_id().is_some()).await.is_ok();
    assert!(known, "the server outlives its answers");
    let first = *shared.served.borrow() == 0;
    let body = if first { recorded.clone() } else { locked(&shared.book).body(limit).expect("known by now") };
    shared.served.send_modify(|n| *n += 1);
    Reply::new(200, body)
}

fn exchange_info(query: &str) -> Reply {
    let listed = [("BTCUSDT", "BTC", "USDT"), ("ETHUSDT", "ETH", "USDT"), ("BTCUSDC", "BTC", "USDC")];
    let asked: Vec<&str> =
        query.split('&').filter(|kv| kv.starts_with("symbol")).flat_map(|kv| kv.split('"')).collect();
    let asked: Vec<&str> = match query.split('&').find_map(|kv| kv.strip_prefix("symbol=")) {
        Some(one) => vec![one],
        None => asked.into_iter().filter(|s| s.chars().all(char::is_alphanumeric) && !s.is_empty()).collect(),
    };
    if asked.iter().any(|symbol| listed.iter().all(|(known, _, _)| known != symbol)) {
        return Reply::new(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
    }
    let wanted = listed.iter().filter(|(symbol, _, _)| asked.is_empty() || asked.contains(symbol));
    let symbols: Vec<_> = wanted
        .map(|(symbol, base, quote)| {
            json!({
                "symbol": symbol, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8,
                "quoteAsset": quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
                "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"], "isSpotTradingAllowed": true,
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000",
                     "tickSize": "0.01000000"},
                    {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000",
                     "stepSize": "0.00001000"},
                    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "107.15914208",
                     "stepSize": "0.00000000"},
                    {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
                     "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
                    {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": true,
                     "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 5}
                ]
            })
        })
        .collect();
    let limits = json!([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]);
    let body = json!({"timezone": "UTC", "serverTime": 1_723_161_255_000_i64, "rateLimits": limits,
        "exchangeFilters": [], "symbols": symbols});
    Reply::new(200, body.to_string())
}

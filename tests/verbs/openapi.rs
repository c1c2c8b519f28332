//! The document of the local API is true: every route is in it, everything in it is a route, and every answer looks as it says.

use std::collections::BTreeSet;

use papermaker::dashboard::ROUTES;
use serde_json::{Value, json};

use super::papermaker;
use crate::support::bot::Bot;

/// Where a value is not what its schema says. As much of JSON Schema as the document uses.
fn misfits(value: &Value, schema: &Value, document: &Value, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let path = name.strip_prefix('#').expect("a reference into the document");
        let schema = document.pointer(path).unwrap_or_else(|| panic!("{place}: {name} is nowhere"));
        return misfits(value, schema, document, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let tried = choices.iter().map(|one| misfits(value, one, document, place));
        return tried.min_by_key(Vec::len).unwrap_or_default();
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        _ => panic!("{place}: a schema without a type: {schema}"),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_allowed = types.contains(&found) || (found == "integer" && types.contains(&"number"));
    if !is_allowed {
        return vec![format!("{place}: {found} instead of {types:?}")];
    }
    let mut wrong = Vec::new();
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        wrong.push(format!("{place}: {value} is none of {words:?}"));
    }
    if let (Some(items), true) = (value.as_array(), schema["items"].is_object()) {
        for (index, item) in items.iter().enumerate() {
            wrong.extend(misfits(item, &schema["items"], document, &format!("{place}[{index}]")));
        }
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                wrong.push(format!("{place}.{name}: is missing"));
            }
        }
        for (name, field) in fields {
            let place = format!("{place}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => wrong.push(format!("{place}: is not in the document")),
                (Value::Null, Value::Null) => {}
                (Value::Null, more) => wrong.extend(misfits(field, more, document, &place)),
                (known, _) => wrong.extend(misfits(field, known, document, &place)),
            }
        }
    }
    wrong
}

#[test]
fn a_schema_that_lies_is_found_out() {
    let schema = json!({ "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": "integer" }, "b": { "type": ["string", "null"] } } });
    let document = json!({});
    let wrong = |value: Value| misfits(&value, &schema, &document, "it").len();
    assert_eq!(wrong(json!({ "a": 1, "b": null })), 0);
    assert_eq!(
        [json!({}), json!({ "a": "1" }), json!({ "a": 1, "c": 2 }), json!({ "a": 1, "b": 2 })].map(wrong),
        [1; 4]
    );
}

struct Asked {
    document: Value,
    answered: BTreeSet<(String, String)>,
}

impl Asked {
    /// An answer of a route, held against the document.
    fn heard(&mut self, method: &str, route: &str, status: u16, kind: &str, body: &str) {
        let told = &self.document["paths"][route][method]["responses"][status.to_string()];
        assert!(told.is_object(), "{method} {route} answered {status}, and the document knows nothing of that: {body}");
        let kind = kind.split(';').next().unwrap_or_default();
        let content = &told["content"][kind];
        assert!(content.is_object(), "{method} {route} answered {status} as {kind:?}: {told}");
        if kind == "application/json" {
            let value: Value = serde_json::from_str(body).expect("json");
            let wrong = misfits(&value, &content["schema"], &self.document, &format!("{method} {route}"));
            assert_eq!(wrong, Vec::<String>::new(), "{body}");
        }
        // On a loaded machine a no to these two is as good an answer as a yes.
        if status < 300 || (status == 503 && ["/healthz", "/readyz"].contains(&route)) {
            self.answered.insert((method.to_owned(), route.to_owned()));
        }
    }
}

#[tokio::test]
async fn every_route_is_in_the_document_and_answers_as_it_says() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let quick = [
        ["--set", "signals.volatility_grid_ms=250"],
        ["--set", "signals.volatility_samples_min=4"],
        ["--set", "signals.intensity_orders_min=4"],
        ["--set", "signals.intensity_refit_s=0.5"],
        // Beyond one order the gate refuses, so that refusals are there to be shown.
        ["--set", "risk.order_rate_max_per_s=1"],
    ];
    let mut bot = Bot::start(folder.path(), "now", quick.as_flattened());
    let picture = bot.wait_until("quoting with fills", |p| p["fills"].as_u64() > Some(0) && p["state"] == "quoting");
    let contact: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("store/api.json")).expect("a contact"))
            .expect("json");
    let (address, token) = (contact["address"].as_str().expect("text"), contact["token"].as_str().expect("text"));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = |path: &str| format!("http://{address}{path}");
    let document: Value = http.get(url("/api/openapi.json")).send().await.expect("it").json().await.expect("json");

    let written: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, it)| {
            it.as_object().expect("methods").keys().map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let served: BTreeSet<_> = ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(written, served);

    let mut asked = Asked { document, answered: BTreeSet::new() };
    let seq = picture["seq"].as_u64().expect("a number");
    let reads = [
        ("/", "/".to_owned()),
        ("/assets/{name}", "/assets/desk.js".to_owned()),
        ("/assets/{name}", "/assets/other.js".to_owned()),
        ("/api/status", "/api/status".to_owned()),
        ("/api/history", "/api/history".to_owned()),
        ("/api/history", format!("/api/history?since={seq}")),
        ("/api/limits", "/api/limits".to_owned()),
        ("/api/sessions", "/api/sessions".to_owned()),
        ("/api/sessions/{session}/metrics", "/api/sessions/now/metrics".to_owned()),
        ("/api/sessions/{session}/metrics", "/api/sessions/never/metrics".to_owned()),
        ("/api/sessions/{session}/report", "/api/sessions/now/report".to_owned()),
        ("/api/sessions/{session}/moment", format!("/api/sessions/now/moment?seq={}", seq / 2)),
        ("/api/sessions/{session}/moment", "/api/sessions/now/moment?seq=999999999".to_owned()),
        ("/api/sessions/{session}/moment", "/api/sessions/..%2Fnow/moment?seq=1".to_owned()),
        ("/api/sessions/{session}/moment", "/api/sessions/now/moment".to_owned()),
        ("/api/sessions/{session}/explain", format!("/api/sessions/now/explain?seq={}", seq / 2)),
        ("/api/openapi.json", "/api/openapi.json".to_owned()),
        ("/metrics", "/metrics".to_owned()),
        ("/healthz", "/healthz".to_owned()),
        ("/readyz", "/readyz".to_owned()),
    ];
    for (route, path) in &reads {
        let answer = http.get(url(path)).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        asked.heard("get", route, status, &kind, &answer.text().await.expect("text"));
    }
    // Of the stream the first event; each is a whole picture.
    let mut stream = http.get(url("/api/stream")).send().await.expect("a stream");
    let (status, kind) =
        (stream.status().as_u16(), stream.headers()["content-type"].to_str().expect("text").to_owned());
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(std::str::from_utf8(&stream.chunk().await.expect("living").expect("more")).expect("text"));
    }
    asked.heard("get", "/api/stream", status, &kind, &text);
    let event: Value = serde_json::from_str(text.split("data: ").nth(1).expect("data").trim()).expect("json");
    let schema = json!({ "$ref": "#/components/schemas/StatusSnapshot" });
    assert_eq!(misfits(&event, &schema, &asked.document, "event"), Vec::<String>::new());
    drop(stream);

    let words = json!({ "by": "test", "reason": "to see" }).to_string();
    let limits = json!({ "set": ["risk.collar_bps=150"], "dry_run": true }).to_string();
    let loose = json!({ "set": ["risk.loss_max_quote=900"] }).to_string();
    for (route, body, token) in [
        ("/api/pause", &words, "wrong"),
        ("/api/limits", &limits, token),
        ("/api/limits", &loose, token),
        ("/api/limits", &words, token),
        ("/api/pause", &words, token),
        ("/api/resume", &words, token),
        ("/api/resume", &limits, token),
        ("/api/flatten", &words, token),
        ("/api/halt", &words, token),
        ("/api/stop", &words, token),
    ] {
        let answer = http.post(url(route)).bearer_auth(token).body(body.clone()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        asked.heard("post", route, status, &kind, &answer.text().await.expect("text"));
    }
    assert_eq!(asked.answered, served, "every route must have answered well at least once");
    assert_eq!(bot.end().code(), Some(0), "{}", bot.log());
    // Who and why stand in the recording.
    let export = ["sessions", "export", "now", "--kind", "risk", "--set", "store.path=store"];
    let rows = papermaker(folder.path(), &export).exits(0).stdout();
    for verb in ["pause", "resume", "flatten", "stop"] {
        assert!(rows.lines().any(|row| row.contains(&format!(",{verb},,,,to see,test,"))), "{rows}");
    }
    assert!(rows.lines().any(|row| row.contains(",halt,") && row.contains("to see")), "{rows}");
}

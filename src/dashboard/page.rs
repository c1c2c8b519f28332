//! The page, in the program: nothing of it comes from elsewhere, and its own policy forbids that it asks for more.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::guard::refusal;

/// What the page may do: run our scripts, use our styles, talk to us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file of the page. uPlot is the one that reports carry; `src/run/report/assets/README.md` says where it comes from.
const ASSETS: [(&str, &str, &str); 15] = [
    ("desk.css", STYLE, include_str!("page/desk.css")),
    ("desk.js", SCRIPT, include_str!("page/desk.js")),
    ("dom.js", SCRIPT, include_str!("page/dom.js")),
    ("format.js", SCRIPT, include_str!("page/format.js")),
    ("market.js", SCRIPT, include_str!("page/market.js")),
    ("charts.js", SCRIPT, include_str!("page/charts.js")),
    ("panels.js", SCRIPT, include_str!("page/panels.js")),
    ("view.js", SCRIPT, include_str!("page/view.js")),
    ("listen.js", SCRIPT, include_str!("page/listen.js")),
    ("control.js", SCRIPT, include_str!("page/control.js")),
    ("limits.js", SCRIPT, include_str!("page/limits.js")),
    ("keys.js", SCRIPT, include_str!("page/keys.js")),
    ("sessions.js", SCRIPT, include_str!("page/sessions.js")),
    ("uPlot.js", SCRIPT, include_str!("../run/report/assets/uPlot.iife.min.js")),
    ("uPlot.css", STYLE, include_str!("../run/report/assets/uPlot.min.css")),
];

/// `GET /`
pub(super) async fn page() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, include_str!("page/index.html")).into_response()
}

/// `GET /assets/{name}`
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "the page has no such file"),
    }
}

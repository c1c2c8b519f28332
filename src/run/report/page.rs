//! The frame of a report, and the only two ways of writing into it.

use std::fmt::{Display, Write};

use crate::digest::Digest;

/// uPlot 1.6.32; `assets/README.md` says where it comes from.
const CHARTS: &str = include_str!("assets/uPlot.iife.min.js");
const CHARTS_STYLE: &str = include_str!("assets/uPlot.min.css");
const CHARTS_LICENCE: &str = include_str!("assets/uPlot.LICENSE");
const SCRIPT: &str = include_str!("assets/report.js");
const STYLE: &str = include_str!("assets/report.css");

/// Markup under construction. Tags are texts of this program; everything else goes through [`Html::text`].
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup, known when this was compiled.
    pub fn tag(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Anything, as text of an element or of a quoted attribute.
    pub fn text(&mut self, text: impl Display) -> &mut Self {
        for letter in text.to_string().chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // HTML has no other control characters, not even escaped.
                '\t' | '\n' | '\r' => self.0.push(letter),
                control if control.is_control() => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self
    }

    /// More markup.
    pub fn add(&mut self, other: &Html) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// A table cell of text.
    pub fn cell(&mut self, text: impl Display) -> &mut Self {
        self.tag("<td>").text(text).tag("</td>")
    }

    /// A head cell per text.
    pub fn head(&mut self, texts: &[&str]) -> &mut Self {
        self.tag("<thead><tr>");
        for text in texts {
            self.tag("<th scope=\"col\">").text(text).tag("</th>");
        }
        self.tag("</tr></thead>")
    }

    /// A line of small print.
    pub fn note(&mut self, text: impl Display) -> &mut Self {
        self.tag("<p class=\"note\">").text(text).tag("</p>")
    }
}

/// JSON that cannot end the element it stands in, whatever it holds.
fn embedded(data: &serde_json::Value) -> String {
    let mut safe = String::new();
    for letter in data.to_string().chars() {
        match letter {
            // Outside of strings JSON has none of these.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(safe, "\\u{:04x}", u32::from(letter)).expect("a string takes everything");
            }
            other => safe.push(other),
        }
    }
    safe
}

/// The whole file. `data` is what its script draws.
pub(super) fn document(title: &str, body: &Html, data: &serde_json::Value) -> String {
    let data = embedded(data);
    // Scripts run if they know this word, and it cannot be known before everything else in the file is.
    let nonce = Digest::of((data.clone() + &body.0).as_bytes()).to_string();
    let mut page = Html::default();
    page.tag("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.tag("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ");
    page.tag("img-src data:; base-uri 'none'; form-action 'none'; script-src 'nonce-").text(&nonce).tag("'\">\n");
    page.tag("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>").text(title);
    page.tag("</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n").tag(CHARTS_STYLE).tag(STYLE);
    page.tag("</style>\n</head>\n<body>\n").add(body);
    page.tag("<noscript><p class=\"note\">The tables are complete; the charts need JavaScript.</p></noscript>\n");
    page.tag("<div id=\"tip\" role=\"status\" hidden></div>\n<script type=\"application/json\" id=\"data\">");
    page.0.push_str(&data);
    page.tag("</script>\n<script nonce=\"").text(&nonce).tag("\">\n/* uPlot 1.6.32\n").tag(CHARTS_LICENCE).tag("*/\n");
    page.tag(CHARTS).tag("</script>\n<script nonce=\"").text(&nonce).tag("\">\n").tag(SCRIPT);
    page.tag("</script>\n</body>\n</html>\n");
    page.0
}

/// The bar that moves all charts over time together.
///
/// * `has_fills` — whether there are any to step through
pub(super) fn toolbar(has_fills: bool) -> Html {
    let mut bar = Html::default();
    bar.tag("<nav id=\"bar\" class=\"row\" aria-label=\"Time shown by all charts\" hidden>");
    let acts = [
        ("whole", "Whole", "Show all of it (0)"),
        ("in", "+", "Zoom in (+)"),
        ("out", "−", "Zoom out (-)"),
        ("left", "◀", "Earlier (left arrow)"),
        ("right", "▶", "Later (right arrow)"),
        ("before", "⟨ fill", "Fill before (p)"),
        ("after", "fill ⟩", "Next fill (n)"),
    ];
    for (act, name, label) in acts.into_iter().take(if has_fills { 7 } else { 5 }) {
        bar.tag("<button type=\"button\" data-act=\"").text(act).tag("\" aria-label=\"").text(label).tag("\" title=\"");
        bar.text(label).tag("\">").text(name).tag("</button>");
    }
    bar.tag("<span id=\"range\" class=\"soft\" role=\"status\"></span><span class=\"hint soft\">Drag over a chart to zoom. Keys: + − ← → 0");
    bar.tag(if has_fills { ", n and p step through fills" } else { "" }).tag("</span></nav>\n");
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const EVIL: &str = "</script><img src=x onerror=\"alert('1')\"> & <b>\u{2028}\u{1}";

    #[test]
    fn text_from_outside_stays_text() {
        let mut html = Html::default();
        html.tag("<p title=\"").text(EVIL).tag("\">").text(EVIL).tag("</p>");
        let escaped =
            "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt; &amp; &lt;b&gt;\u{2028}\u{fffd}";
        assert_eq!(html.0, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn data_cannot_leave_its_element_and_is_what_it_was() {
        let data = json!({ EVIL: [EVIL, 1.5, null] });
        let page = document(EVIL, Html::default().text(EVIL), &data);
        assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
        // The data, two scripts, and no more.
        assert_eq!(page.matches("</script").count(), 3);
        let start = page.find("id=\"data\">").expect("data") + "id=\"data\">".len();
        let length = page[start..].find("</script>").expect("its end");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&page[start..start + length]).expect("JSON"), data);
    }

    #[test]
    fn a_page_names_no_place_to_ask_for_more() {
        // uPlot's and SVG's own names are addresses that nobody opens: the licence comment and the name space.
        let page = document("t", &Html::default(), &json!({}));
        for asking in
            ["src=\"http", "href=\"http", "url(", "@import", "fetch(", "XMLHttpRequest", "WebSocket", "import("]
        {
            assert!(!page.contains(asking), "{asking}");
        }
    }
}

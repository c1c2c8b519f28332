//! The report of a market's realism.

use serde_json::json;

use super::figures::{length, maybe, number};
use super::page::{Html, document};
use crate::metrics::facts::bands::{Band, Judgement};

/// The bands as a table, and what they were measured on as charts: one HTML file.
///
/// * `title` — what was judged
pub fn realism_html(title: &str, judged: &Judgement) -> String {
    let mut body = Html::default();
    body.tag("<header><span class=\"badge\" title=\"No order ever left the program\">PAPER</span><h1>Realism of ");
    body.text(title).tag("</h1>");
    body.tag("<button type=\"button\" id=\"theme\" class=\"end\" aria-pressed=\"false\" hidden>Dark</button>");
    body.tag("<p class=\"soft wide\">").text(length(judged.seconds)).tag(" · ").text(judged.orders);
    body.tag(" market orders in ").text(judged.prints).tag(" prints</p></header>\n<main>\n");
    table(&mut body, judged);
    for band in &judged.bands {
        section(&mut body, band, judged);
    }
    body.tag("</main>\n");
    let data = json!({ "paper": true, "kind": "realism", "bands": judged.bands, "curves": judged.curves });
    document(&format!("PAPER · realism of {title}"), &body, &data)
}

pub(super) fn table(body: &mut Html, judged: &Judgement) {
    body.tag("<section><h2>").text(judged.held).tag(" of ").text(judged.bands.len()).tag(" bands hold, ");
    body.text(judged.missed).tag(" are missed, ").text(judged.unmeasured).tag(" cannot be measured here</h2>");
    body.tag("<div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["fact", "value", "± one error", "band", "", "n"]);
    for band in &judged.bands {
        body.tag("<tr data-key=\"").text(band.name).tag("\"><th scope=\"row\">").text(words(band)).tag("</th>");
        body.cell(maybe(band.value))
            .cell(maybe(band.error))
            .cell(range(band))
            .cell(verdict(band))
            .cell(band.n)
            .tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(
        "Each band is judged by the value alone. An error as wide as the band means that there is too little of this market to \
         judge it. Errors: the fact again without each twentieth of the time in turn; of the branching ratio and of placement, from the \
         likelihood.",
    );
    body.tag("</section>\n");
}

pub(super) fn section(body: &mut Html, band: &Band, judged: &Judgement) {
    body.tag("<section><h2>").text(words(band)).tag(": ").text(verdict(band)).tag("</h2><p class=\"soft\">");
    body.text(band.measure).tag(": ").text(maybe(band.value));
    if let Some(error) = band.error {
        body.tag(" ± ").text(number(error));
    }
    body.tag(", band ").text(range(band)).tag("</p>").note(&band.note);
    let of_band = judged.curves.iter().enumerate().filter(|(_, curve)| curve.of == band.name);
    for (index, curve) in of_band {
        body.tag("<figure><figcaption>")
            .text(curve.title)
            .tag("</figcaption><div class=\"chart\" data-chart=\"curve\"");
        body.tag(" data-of=\"").text(index).tag("\" aria-label=\"").text(curve.title).tag("\"></div></figure>");
    }
    body.tag("</section>\n");
}

fn words(band: &Band) -> String {
    band.name.replace('_', " ")
}

fn range(band: &Band) -> String {
    format!("{} … {}", number(band.low), number(band.high))
}

fn verdict(band: &Band) -> &'static str {
    match band.inside {
        Some(true) => "inside",
        Some(false) => "outside",
        None => "not measurable",
    }
}

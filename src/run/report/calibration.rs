//! The report of a calibration: what was read off, what was looked for, how near it came, and the market before the bands.

use serde_json::json;

use super::figures::{length, maybe, number};
use super::page::{Html, document};
use super::realism::{section, table};
use crate::run::calibrate::Calibration;
use crate::run::calibrate::write::{Provenance, facts};

/// One HTML file.
pub fn calibration_html(made: &Calibration, of: &Provenance) -> String {
    let mut body = Html::default();
    body.tag("<header><span class=\"badge\" title=\"No order ever left the program\">PAPER</span><h1>A market like ");
    body.text(&of.recording).tag("</h1>");
    body.tag("<button type=\"button\" id=\"theme\" class=\"end\" aria-pressed=\"false\" hidden>Dark</button>");
    body.tag("<p class=\"soft wide\">papermaker ").text(&of.call).tag("</p></header>\n<main>\n");
    read_off(&mut body, made);
    looked_for(&mut body, made, of);
    alike(&mut body, made);
    body.tag("<section><h2>The market, ")
        .text(length(of.simulated_s))
        .tag(" of it, before the bands of real ones</h2></section>");
    table(&mut body, &made.judged);
    for band in &made.judged.bands {
        section(&mut body, band, &made.judged);
    }
    body.tag("</main>\n");
    let data = json!({ "paper": true, "kind": "realism", "bands": made.judged.bands, "curves": made.judged.curves });
    document(&format!("PAPER · a market like {}", of.recording), &body, &data)
}

fn read_off(body: &mut Html, made: &Calibration) {
    body.tag("<section><h2>Read off the recording</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["parameter", "value", "± one error", "unit", "n", "note"]);
    for row in made.estimates.lines() {
        body.tag("<tr><th scope=\"row\">").text(&row.name).tag("</th>");
        body.cell(maybe(row.estimate.map(|of| of.value)));
        body.cell(maybe(row.estimate.map(|of| of.error).filter(|error| error.is_finite())));
        body.cell(row.unit).cell(row.estimate.map_or(0, |of| of.n)).cell(&row.note).tag("</tr>");
    }
    body.tag("</table></div>").note("Maximum likelihood; every law is the one the simulated market draws from.");
    body.tag("</section>\n");
}

fn looked_for(body: &mut Html, made: &Calibration, of: &Provenance) {
    body.tag("<section><h2>Looked for</h2><p class=\"soft\">Mean distance from the recording's facts and the bands that count, in errors: ");
    body.text(number(made.course.start.distance)).tag(" at the start, ").text(number(made.course.best.distance));
    body.tag(" at the end, after ").text(made.course.asked).tag(" simulations of ").text(length(of.simulated_s));
    body.tag(". Lowest by round:");
    for lowest in &made.course.lowest {
        body.tag(" ").text(number(*lowest));
    }
    body.tag(".</p><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["lever", "factor", "now", "reach"]);
    for one in &made.pulled {
        body.tag("<tr><th scope=\"row\">").text(&one.lever.path).tag("</th>");
        body.cell(number(one.factor)).cell(number(one.value)).cell(number(one.lever.reach)).tag("</tr>");
    }
    body.tag("</table></div>");
    made.notes.iter().for_each(|note| {
        body.note(note);
    });
    body.tag("</section>\n");
}

fn alike(body: &mut Html, made: &Calibration) {
    body.tag("<section><h2>How alike they are</h2><div class=\"scroll\"><table class=\"numbers\">");
    body.head(&["fact", "recorded", "± one error", "start", "end", "off, errors"]);
    for (name, recorded, error, start, end) in facts(made) {
        body.tag("<tr><th scope=\"row\">").text(name.replace('_', " ")).tag("</th>");
        body.cell(number(recorded)).cell(number(error)).cell(maybe(start)).cell(maybe(end));
        body.cell(maybe(end.map(|end| (end - recorded) / error))).tag("</tr>");
    }
    body.tag("</table></div>");
    body.note(
        "Rates, sizes, volatilities and distances are logarithms. Errors are no smaller than what nobody would notice.",
    );
    body.tag("</section>\n");
}

//! A recording's own settings, changed key by key.
//!
//! A what-if that names one key means that one: everything it does not name stays as it was recorded, not as it is
//! configured today. So the recorded paper exchange is said in the words of `[paper]` again and becomes the lowest layer;
//! what a file and `--set` say is laid over it, checked like any configuration.

use rust_decimal::Decimal;

use super::layer::Layer;
use super::problem::{ConfigErrors, Problem};
use super::{DEFAULT, Loaded, merge, read_risk};
use crate::exchange::PaperSpec;
use crate::exchange::latency::Way;
use crate::exchange::queue::QueueModel;
use crate::market::Instrument;
use crate::units::Rate;

/// A text that changes settings, and what people call it.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// A path.
    pub name: &'a str,
    /// TOML.
    pub text: &'a str,
}

/// The paper exchange of an instrument as it was recorded, but for what `fill` (a TOML with `[paper]` keys and venues'
/// fees) and `sets` (`paper.…=…`, `venues.….…_fee_bps=…`) say. What the venue does where venues differ stays recorded.
pub fn paper_changed(
    recorded: &PaperSpec,
    rules: &Instrument,
    fill: Option<Given<'_>>,
    sets: &[String],
) -> Result<PaperSpec, ConfigErrors> {
    let mut problems = Vec::new();
    let mut changes = Vec::new();
    if let Some(Given { name, text }) = fill {
        let layer = Layer::from_toml(name, text, &mut problems);
        for (path, place) in layer.paths().filter(|(path, _)| !shapes_fills(path)) {
            let what = "does not belong here: --fill takes [paper] and venues' maker_fee_bps and taker_fee_bps";
            problems.push(Problem::new(place, None, &super::keys::dotted(path), what.to_owned()));
        }
        changes.push(layer);
    }
    let mut set = Layer::default();
    sets.iter().for_each(|argument| set.set(argument, &mut problems));
    changes.push(set);
    if !problems.is_empty() {
        return Err(ConfigErrors { problems });
    }
    let names_tiers =
        changes.iter().flat_map(Layer::paths).any(|(path, _)| path.get(1).is_some_and(|p| p == "fee_tiers"));
    let was = in_words(recorded, rules, false).unwrap_or_default();
    if over(recorded, rules, &was, Vec::new())? != *recorded {
        let what = format!("the recorded paper exchange of {} cannot be said in [paper] keys", rules.label());
        let hint = "it was not made from a configuration; nothing of it can be changed key by key";
        return Err(Problem::new("the recording", None, "paper", what).hint(hint).into());
    }
    let was = in_words(recorded, rules, names_tiers).unwrap_or_default();
    over(recorded, rules, &was, changes)
}

/// Limits by a `risk.toml` alone: what it does not name is the built-in default. `sets` (`risk.…=…`) lie above.
pub fn risk_alone(file: Given<'_>, sets: &[String]) -> Result<Loaded, ConfigErrors> {
    let mut problems = Vec::new();
    let mut layers = vec![Layer::from_toml("built-in default.toml", DEFAULT, &mut problems)];
    layers.push(read_risk(file.name, file.text, &mut problems));
    let mut set = Layer::default();
    sets.iter().for_each(|argument| set.set(argument, &mut problems));
    layers.push(set);
    if problems.is_empty() { merge(layers, None) } else { Err(ConfigErrors { problems }) }
}

/// Whether a key of configuration changes how orders fill or what fills cost.
pub fn shapes_fills(path: &[String]) -> bool {
    match path {
        [section, key, ..] if section == "paper" => key != "bracket",
        [section, .., key] if section == "venues" => key == "maker_fee_bps" || key == "taker_fee_bps",
        _ => false,
    }
}

/// The built-in defaults, the recorded text and changes, one above the other.
fn over(recorded: &PaperSpec, rules: &Instrument, was: &str, changes: Vec<Layer>) -> Result<PaperSpec, ConfigErrors> {
    let mut problems = Vec::new();
    let defaults = Layer::from_toml("built-in default.toml", DEFAULT, &mut problems);
    // The recorded fees are the common ones of this text; a venue's own would stand above them.
    let defaults = defaults.without(|path| path[0] == "venues" && shapes_fills(path));
    let mut layers = vec![defaults, Layer::from_toml("the recording", was, &mut problems)];
    layers.extend(changes);
    if !problems.is_empty() {
        return Err(ConfigErrors { problems });
    }
    let loaded = merge(layers, Some(recorded.latency.measured.clone()))?;
    Ok(PaperSpec { habits: recorded.habits, ..loaded.paper_spec(rules.venue) })
}

/// A paper exchange as `[paper]` would say it; `None` where it has no words.
fn in_words(paper: &PaperSpec, rules: &Instrument, without_tiers: bool) -> Option<String> {
    let PaperSpec { latency, queue, fees, .. } = paper;
    let bps = |rate: Rate| Decimal::new(rate.0, 3).normalize();
    let mut text = format!("[paper]\nfeed_latency_us = {}\n", latency.feed_us);
    text += &way(latency.place);
    match latency.response {
        Way::Constant { us } | Way::Feed { us, .. } => text += &format!("response_latency_us = {us}\n"),
        Way::Measured => {}
        Way::Lognormal { .. } => return None,
    }
    let (word, power) = match *queue {
        QueueModel::RiskAverse => ("risk-averse", None),
        QueueModel::Power { n } => ("power", Some(n)),
        QueueModel::Power2 { n } => ("power2", Some(n)),
        QueueModel::Power3 { n } => ("power3", Some(n)),
        QueueModel::Log => ("log", None),
        QueueModel::Log2 => ("log2", None),
        QueueModel::Optimistic => ("optimistic", None),
        QueueModel::Fifo => ("fifo", None),
        QueueModel::WrongSide => return None,
    };
    text += &format!("queue_model = {word:?}\n");
    if let Some(n) = power {
        text += &format!("queue_power = {n:?}\n");
    }
    text += &format!("maker_fee_bps = {}\ntaker_fee_bps = {}\n", bps(fees.base.maker), bps(fees.base.taker));
    for (section, own) in [("cancel", latency.cancel), ("replace", latency.replace)] {
        if own != latency.place {
            text += &format!("[paper.{section}]\n{}", way(own));
        }
    }
    for (tier, n) in fees.tiers.iter().zip(1..).filter(|_| !without_tiers) {
        let (name, rates) = (rules.venue.name(), tier.rates);
        text += &format!("[paper.fee_tiers.\"{name}:recorded {n}\"]\nvolume_min_quote = {}\n", tier.volume_min);
        text += &format!("maker_fee_bps = {}\ntaker_fee_bps = {}\n", bps(rates.maker), bps(rates.taker));
    }
    Some(text)
}

fn way(way: Way) -> String {
    match way {
        Way::Constant { us } => format!("latency_model = \"constant\"\nentry_latency_us = {us}\n"),
        Way::Lognormal { us, sigma } => {
            format!("latency_model = \"lognormal\"\nentry_latency_us = {us}\nentry_jitter = {sigma:?}\n")
        }
        Way::Feed { factor, us } => {
            format!("latency_model = \"feed\"\nentry_latency_us = {us}\nfeed_factor = {factor:?}\n")
        }
        Way::Measured => "latency_model = \"measured\"\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use crate::exchange::latency::Measured;
    use crate::market::VenueId;
    use crate::units::Step;

    fn rules(venue: VenueId) -> Instrument {
        let step = |text| Step::parse(text).expect("a step");
        Instrument::new(venue, "BTCUSDT", "BTC", "USDT", step("0.01"), step("0.00001")).expect("rules")
    }

    fn of(venue: VenueId, sets: &[&str]) -> PaperSpec {
        let sets = sets.iter().map(|set| (*set).to_owned()).collect();
        load(&Sources { sets, ..Sources::default() }).expect("settings").paper_spec(venue)
    }

    fn changed(recorded: &PaperSpec, venue: VenueId, sets: &[&str]) -> PaperSpec {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        paper_changed(recorded, &rules(venue), None, &sets).expect("it can be said")
    }

    #[test]
    fn whatever_was_configured_is_said_again_and_nothing_named_changes_nothing() {
        for venue in [VenueId::BinanceSpot, VenueId::BinanceUsdm, VenueId::Deribit] {
            for sets in [
                &[][..],
                &["paper.queue_model=power3", "paper.queue_power=0.7", "paper.maker_fee_bps=-0.125"],
                &["paper.latency_model=feed", "paper.feed_factor=0.3", "paper.cancel.latency_model=constant"],
                &["paper.latency_model=constant", "paper.replace.latency_model=lognormal", "paper.queue_model=log2"],
                &["venues.binance-usdm.maker_fee_bps=1.5", "paper.queue_model=optimistic"],
            ] {
                let recorded = of(venue, sets);
                assert_eq!(changed(&recorded, venue, &[]), recorded, "{venue} {sets:?}");
            }
        }
        let mut measured = of(VenueId::Okx, &["paper.latency_model=feed"]);
        let rows = Measured::parse("sent,matched,acknowledged\n0,5,9\n").expect("a row");
        let latency = &mut measured.latency;
        (latency.place, latency.cancel, latency.replace, latency.response) =
            (Way::Measured, Way::Measured, Way::Measured, Way::Measured);
        latency.measured = rows;
        assert_eq!(changed(&measured, VenueId::Okx, &[]), measured);
    }

    #[test]
    fn one_key_named_is_one_key_changed() {
        let recorded = of(VenueId::BinanceUsdm, &["paper.entry_latency_us=200", "paper.entry_jitter=0.5"]);
        let queue = QueueModel::Power { n: 2.0 };
        let found = changed(&recorded, VenueId::BinanceUsdm, &["paper.queue_model=power"]);
        assert_eq!(found, PaperSpec { queue, ..recorded.clone() });
        // One key, three ways: nothing was said of cancellations and replacements alone.
        let slower = changed(&recorded, VenueId::BinanceUsdm, &["paper.entry_latency_us=900"]);
        let way = Way::Lognormal { us: 900, sigma: 0.5 };
        assert_eq!((slower.latency.place, slower.latency.cancel, slower.latency.replace), (way, way, way));
        // The common fee and the venue's own both mean this recording; the venue's stands above.
        let fee = |sets: &[&str]| changed(&recorded, VenueId::BinanceUsdm, sets).fees.base.maker;
        assert_eq!(fee(&["paper.maker_fee_bps=0"]), Rate(0));
        assert_eq!(fee(&["paper.maker_fee_bps=0", "venues.binance-usdm.maker_fee_bps=-1"]), Rate(-1_000));
        assert_eq!(fee(&[]), recorded.fees.base.maker);
    }

    #[test]
    fn tiers_named_replace_the_recorded_ones() {
        let tier = |name: &str, volume: i64| {
            let key = |key: &str, value: i64| format!("paper.fee_tiers.\"okx:{name}\".{key}={value}");
            [key("volume_min_quote", volume), key("maker_fee_bps", 1), key("taker_fee_bps", 2)]
        };
        let first = tier("vip1", 1_000);
        let recorded = of(VenueId::Okx, &first.each_ref().map(String::as_str));
        assert_eq!(changed(&recorded, VenueId::Okx, &[]), recorded);
        let second = tier("vip2", 5_000);
        let found = changed(&recorded, VenueId::Okx, &second.each_ref().map(String::as_str));
        assert_eq!(found.fees.tiers.iter().map(|tier| tier.volume_min.to_f64()).collect::<Vec<_>>(), [5_000.0]);
    }

    #[test]
    fn a_fill_file_holds_what_shapes_fills_and_nothing_else() {
        let recorded = of(VenueId::Okx, &[]);
        let file = |text| Some(Given { name: "fill.toml", text });
        let found = paper_changed(&recorded, &rules(VenueId::Okx), file("[paper]\nqueue_model = \"log\"\n"), &[]);
        assert_eq!(found.expect("fine").queue, QueueModel::Log);
        let refused = paper_changed(&recorded, &rules(VenueId::Okx), file("[risk]\nstale_book_ms = 500\n"), &[]);
        let said = refused.expect_err("not a fill").to_string();
        assert!(said.contains("fill.toml:2") && said.contains("risk.stale_book_ms"), "{said}");
    }
}

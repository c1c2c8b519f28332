//! Lengths of time as people type them: `500ms`, `60s`, `5m`, `2h`.

use std::time::Duration;

/// Reads a number with its unit. Zero is refused: no verb has a use for it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let ms_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("expected a whole number and ms, s, m or h, for example 60s, found {text:?}")),
    };
    let count: u64 = number.parse().map_err(|_| format!("{number:?} is not a whole number"))?;
    match count.checked_mul(ms_per_unit) {
        Some(0) => Err("must be longer than nothing".to_owned()),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(format!("{text} is longer than this machine will live")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_needs_its_unit() {
        assert_eq!(parse("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["60", "s", "-1s", "1.5h", "0s", "99999999999999999999s", "9999999999999999h", "1d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

//! When a policy is no longer trusted, and when again.

use serde::{Deserialize, Serialize};

/// The rules of a [`super::DriftGate`]; `quant/TARGETS.md` §8 has the two thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftRules {
    /// Least time from one row to the next, milliseconds.
    pub every_ms: u32,
    /// Rows from one look to the next.
    pub window_rows: u32,
    /// Neighbouring rows that are permuted together.
    pub block_rows: u32,
    /// The stability index that counts as another population, where training itself does not exceed it by chance.
    pub psi_max: f64,
    /// And the likelihood that chance did it, at most.
    pub p_max: f64,
    /// So many looks in a row must find another population before the policy is taken off.
    pub trip_windows: u32,
    /// So many in a row must find the one it was trained on before it is back.
    pub calm_windows: u32,
}

impl Default for DriftRules {
    /// A row a second, looked at every 256, in blocks of 32; 0.25 and 0.01; off at once, back after two.
    fn default() -> Self {
        Self {
            every_ms: 1_000,
            window_rows: 256,
            block_rows: 32,
            psi_max: 0.25,
            p_max: 0.01,
            trip_windows: 1,
            calm_windows: 2,
        }
    }
}

impl DriftRules {
    /// Errors with the first key that cannot be, its value and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let whole = |key: &str, value: u32, (least, most): (u32, u32), unit: &str| match value {
            value if (least..=most).contains(&value) => Ok(()),
            value => Err(format!("{key} = {value} is not allowed: must be {least} to {most} {unit}")),
        };
        let number = |key: &str, value: f64, (least, most): (f64, f64)| match value {
            value if (least..=most).contains(&value) => Ok(()),
            value => Err(format!("{key} = {value} is not allowed: must be {least} to {most}")),
        };
        whole("every_ms", self.every_ms, (0, 600_000), "milliseconds")?;
        whole("window_rows", self.window_rows, (40, 4_096), "rows")?;
        // Four blocks a window: fewer can hardly be permuted.
        whole("block_rows", self.block_rows, (1, self.window_rows / 4), "rows, a quarter of window_rows")?;
        number("psi_max", self.psi_max, (0.0, 100.0))?;
        // The test permutes 199 times and cannot say less than one in 200.
        number("p_max", self.p_max, (0.005, 1.0))?;
        whole("trip_windows", self.trip_windows, (1, 1_000), "windows")?;
        whole("calm_windows", self.calm_windows, (1, 1_000), "windows")
    }

    /// What a reference is made for: `[every_ms, window_rows, block_rows]`.
    pub fn rhythm(&self) -> [u32; 3] {
        [self.every_ms, self.window_rows, self.block_rows]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_checked_by_its_name() {
        assert_eq!(DriftRules::default().check(), Ok(()));
        let rules = DriftRules::default();
        for (wrong, said) in [
            (
                DriftRules { every_ms: 600_001, ..rules },
                "every_ms = 600001 is not allowed: must be 0 to 600000 milliseconds",
            ),
            (DriftRules { window_rows: 39, ..rules }, "window_rows = 39 is not allowed: must be 40 to 4096 rows"),
            (
                DriftRules { block_rows: 65, ..rules },
                "block_rows = 65 is not allowed: must be 1 to 64 rows, a quarter of window_rows",
            ),
            (DriftRules { psi_max: f64::NAN, ..rules }, "psi_max = NaN is not allowed: must be 0 to 100"),
            (DriftRules { p_max: 0.004, ..rules }, "p_max = 0.004 is not allowed: must be 0.005 to 1"),
            (DriftRules { trip_windows: 0, ..rules }, "trip_windows = 0 is not allowed: must be 1 to 1000 windows"),
            (DriftRules { calm_windows: 0, ..rules }, "calm_windows = 0 is not allowed: must be 1 to 1000 windows"),
        ] {
            assert_eq!(wrong.check(), Err(said.to_owned()));
        }
    }
}

//! What the report draws beside a band.

use serde::Serialize;

/// Points, and the law they were compared with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Name of the band it belongs to.
    pub of: &'static str,
    /// What is drawn.
    pub title: &'static str,
    /// What runs to the right.
    pub x: &'static str,
    /// What runs up.
    pub y: &'static str,
    /// Whether the axes are logarithmic: x, y.
    pub log: [bool; 2],
    /// `(x, y)`, x ascending; positive where the axis is logarithmic.
    pub points: Vec<(f64, f64)>,
    /// `y = law.0·x^law.1`, if a power law was fitted.
    pub law: Option<(f64, f64)>,
}

impl Curve {
    /// On logarithmic axes, without what cannot stand there.
    pub fn log_log(of: &'static str, title: &'static str, x: &'static str, y: &'static str) -> Self {
        Self { of, title, x, y, log: [true, true], points: Vec::new(), law: None }
    }

    /// With these points; those that cannot stand on a logarithmic axis are left out.
    pub fn through(self, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let [log_x, log_y] = self.log;
        let stands =
            |&(x, y): &(f64, f64)| (!log_x || x > 0.0) && (!log_y || y > 0.0) && x.is_finite() && y.is_finite();
        Self { points: points.into_iter().filter(stands).collect(), ..self }
    }

    /// With the law `y = factor·x^exponent`.
    pub fn law(self, factor: f64, exponent: f64) -> Self {
        Self { law: Some((factor, exponent)), ..self }
    }
}

/// Share of values above each of a hundred of them, thinned to what a screen can show.
///
/// * `values` — of any sign and order; magnitudes are compared
pub fn survival(values: &[f64]) -> Vec<(f64, f64)> {
    let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).filter(|size| *size > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    let n = sizes.len();
    let mut points: Vec<(f64, f64)> = Vec::new();
    // Ranks from the largest, six to an octave: where the tail is, every value; below, ever fewer.
    let mut rank = 1;
    while rank <= n {
        points.push((sizes[n - rank], rank as f64 / n as f64));
        rank = (rank + 1).max((rank as f64 * 1.12) as usize);
    }
    points.reverse();
    points.dedup_by(|a, b| a.0 == b.0);
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survival_curve_falls_from_one_value_to_the_largest() {
        let points = survival(&[3.0, -1.0, 2.0, 0.0, -4.0]);
        assert_eq!(points, [(1.0, 1.0), (2.0, 0.75), (3.0, 0.5), (4.0, 0.25)]);
        let many: Vec<f64> = (1..=100_000).map(f64::from).collect();
        let points = survival(&many);
        assert!(points.len() < 120 && points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
    }

    #[test]
    fn what_cannot_stand_on_a_logarithmic_axis_is_left_out() {
        let curve = Curve::log_log("a", "b", "c", "d").through([(0.0, 1.0), (1.0, -1.0), (1.0, f64::NAN), (2.0, 3.0)]);
        assert_eq!(curve.points, [(2.0, 3.0)]);
    }
}

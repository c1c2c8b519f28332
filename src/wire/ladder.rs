//! The levels of a snapshot, in the order we want them.

use crate::market::Level;
use crate::units::Side;

/// Best first, each price once, nothing empty. Venues write snapshots so; of one that does not, the last word on each
/// price counts.
pub(crate) fn best_first(side: Side, levels: &mut Vec<Level>) {
    let is_proper = |l: &[Level]| side.is_better(l[0].price, l[1].price);
    if !levels.windows(2).all(is_proper) {
        levels.reverse();
        // Stable, so of one price the last written now stands first.
        levels.sort_by_key(|l| l.price.0 * -side.sign());
        levels.dedup_by_key(|l| l.price);
    }
    levels.retain(|l| l.qty.0 > 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Lots, Ticks};

    #[test]
    fn a_disordered_side_is_put_in_order_and_the_last_word_counts() {
        let side = |side, text: &[(i64, i64)]| {
            let mut levels = text.iter().map(|&(p, q)| Level { price: Ticks(p), qty: Lots(q) }).collect();
            best_first(side, &mut levels);
            levels.iter().map(|l| (l.price.0, l.qty.0)).collect::<Vec<_>>()
        };
        assert_eq!(side(Side::Bid, &[(9, 1), (8, 2)]), [(9, 1), (8, 2)]);
        assert_eq!(side(Side::Bid, &[(8, 2), (9, 1), (8, 5)]), [(9, 1), (8, 5)]);
        assert_eq!(side(Side::Ask, &[(12, 1), (11, 3), (11, 0), (13, 4)]), [(12, 1), (13, 4)]);
        assert_eq!(side(Side::Ask, &[(11, 0)]), []);
    }
}

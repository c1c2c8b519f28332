//! Integers that take as many bytes as they need.

/// Seven bits a byte, low ones first, the high bit says that more follow.
pub fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Small in either direction is short: 0, -1, 1, -2 … as 0, 1, 2, 3 …
pub fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

/// Where in some bytes a reader is.
pub struct Cursor<'a> {
    /// All of them.
    pub bytes: &'a [u8],
    /// The next one.
    pub position: usize,
}

/// The bit of each byte that says that more follow.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Seven bits of each of eight bytes, moved together.
#[inline(always)]
fn sevens(word: u64) -> u64 {
    let x = word & !HIGH;
    let x = (x & 0x007f_007f_007f_007f) | ((x & 0x7f00_7f00_7f00_7f00) >> 1);
    let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x3fff_0000_3fff_0000) >> 2);
    (x & 0x0fff_ffff) | ((x & 0x0fff_ffff_0000_0000) >> 4)
}

/// The way back from what [`put_signed`] makes of a number.
#[inline(always)]
pub fn either_sign(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The bytes end too soon.
pub const CUT: &str = "cut short";

impl<'a> Cursor<'a> {
    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, &'static str> {
        let byte = *self.bytes.get(self.position).ok_or(CUT)?;
        self.position += 1;
        Ok(byte)
    }

    /// A number. Up to eight bytes at once and without a branch on the length, which nobody can predict.
    #[inline(always)]
    pub fn get(&mut self) -> Result<u64, &'static str> {
        if let Some(word) = self.word() {
            let ends = !word & HIGH;
            if ends != 0 {
                self.position += ends.trailing_zeros() as usize / 8 + 1;
                return Ok(sevens(word & (ends ^ (ends - 1))));
            }
        }
        self.get_slowly()
    }

    /// Two numbers. Where both end within eight bytes, which is nearly always, the place of the next number waits for
    /// one load instead of two.
    #[inline(always)]
    pub fn pair(&mut self) -> Result<(u64, u64), &'static str> {
        if let Some(word) = self.word() {
            let ends = !word & HIGH;
            let second = ends & ends.wrapping_sub(1);
            if second != 0 {
                self.position += second.trailing_zeros() as usize / 8 + 1;
                let first_bits = ends.trailing_zeros() + 1;
                let first = word & (ends ^ (ends - 1));
                let rest = (word & (second ^ (second - 1))) >> first_bits;
                return Ok((sevens(first), sevens(rest)));
            }
        }
        Ok((self.get()?, self.get()?))
    }

    /// The next eight bytes, if there are as many.
    #[inline(always)]
    fn word(&self) -> Option<u64> {
        let window = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk::<8>)?;
        Some(u64::from_le_bytes(*window))
    }

    #[cold]
    fn get_slowly(&mut self) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number longer than ten bytes")
    }

    /// A number that is nearly always below 128, so that the branch on its length is one that can be predicted.
    #[inline(always)]
    pub fn small(&mut self) -> Result<u64, &'static str> {
        match self.bytes.get(self.position) {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u64::from(byte))
            }
            Some(_) | None => self.get(),
        }
    }

    /// As [`Cursor::small`], of either sign: nearly always within ±64.
    #[inline(always)]
    pub fn signed_small(&mut self) -> Result<i64, &'static str> {
        Ok(either_sign(self.small()?))
    }

    /// A number of either sign.
    #[inline(always)]
    pub fn signed(&mut self) -> Result<i64, &'static str> {
        Ok(either_sign(self.get()?))
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let end = usize::try_from(length).ok().and_then(|l| self.position.checked_add(l)).ok_or(CUT)?;
        let taken = self.bytes.get(self.position..end).ok_or(CUT)?;
        self.position = end;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_in_pairs_are_the_numbers_read_singly(
            numbers in proptest::collection::vec((any::<u64>(), 0..64u32), 0..40),
            cut in 0..4usize,
        ) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|(n, shift)| put(&mut bytes, n >> shift));
            bytes.truncate(bytes.len().saturating_sub(cut));
            let (mut singly, mut paired) =
                (Cursor { bytes: &bytes, position: 0 }, Cursor { bytes: &bytes, position: 0 });
            loop {
                let two = singly.get().and_then(|first| Ok((first, singly.get()?)));
                prop_assert_eq!(paired.pair(), two);
                if two.is_err() {
                    break;
                }
                prop_assert_eq!(paired.position, singly.position);
            }
        }
    }
}

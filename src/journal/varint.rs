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
        const HIGH: u64 = 0x8080_8080_8080_8080;
        if let Some(window) = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*window);
            let ends = !word & HIGH;
            if ends != 0 {
                self.position += ends.trailing_zeros() as usize / 8 + 1;
                let x = word & (ends ^ (ends - 1)) & !HIGH;
                let x = (x & 0x007f_007f_007f_007f) | ((x & 0x7f00_7f00_7f00_7f00) >> 1);
                let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x3fff_0000_3fff_0000) >> 2);
                return Ok((x & 0x0fff_ffff) | ((x & 0x0fff_ffff_0000_0000) >> 4));
            }
        }
        self.get_slowly()
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
        let value = self.small()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A number of either sign.
    #[inline(always)]
    pub fn signed(&mut self) -> Result<i64, &'static str> {
        let value = self.get()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let end = usize::try_from(length).ok().and_then(|l| self.position.checked_add(l)).ok_or(CUT)?;
        let taken = self.bytes.get(self.position..end).ok_or(CUT)?;
        self.position = end;
        Ok(taken)
    }
}

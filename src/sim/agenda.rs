//! What is due, and in which order.
//!
//! Things due at different times come out by time; things due at the same nanosecond in the order they were written
//! down. Nothing else decides, so a market is the same market however it is run.
//!
//! A radix heap (Ahuja, Mehlhorn, Orlin & Tarjan, *Faster algorithms for the shortest path problem*, Journal of the
//! ACM 37, 1990): an entry lies in the bucket of the highest bit in which its time differs from the last time taken
//! out. Time never goes back, so an entry only ever moves to lower buckets. Entries of equal time always share a
//! bucket and buckets keep their order, so ties need no number of their own. `benches/README.md` has what it costs
//! beside the standard library's heap: half.

use crate::units::Nanos;

/// One more than the bits of a time: bucket 0 is "now".
const BUCKETS: usize = 65;

/// A list of things due.
#[derive(Clone, Debug)]
pub struct Agenda<T> {
    buckets: [Vec<(u64, T)>; BUCKETS],
    /// Which of the buckets from 1 on hold something; bit 0 is bucket 1.
    filled: u64,
    /// How many of bucket 0 have been taken out.
    taken: usize,
    /// The last time taken out; nothing may be written down before it.
    last: u64,
    len: usize,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { buckets: [const { Vec::new() }; BUCKETS], filled: 0, taken: 0, last: 0, len: 0 }
    }
}

/// Order-preserving: the earliest time there is becomes zero.
fn key(at: Nanos) -> u64 {
    (at.0 as u64) ^ (1 << 63)
}

fn time(key: u64) -> Nanos {
    Nanos((key ^ (1 << 63)) as i64)
}

impl<T: Copy> Agenda<T> {
    /// Writes something down. Panics if its time lies before the last one taken out.
    #[inline]
    pub fn push(&mut self, at: Nanos, what: T) {
        let key = key(at);
        assert!(key >= self.last, "{at:?} is over: it is {:?}", time(self.last));
        self.len += 1;
        self.file(key, what);
    }

    #[inline]
    fn file(&mut self, key: u64, what: T) {
        let bucket = (64 - (key ^ self.last).leading_zeros()) as usize;
        self.buckets[bucket].push((key, what));
        if bucket > 0 {
            self.filled |= 1 << (bucket - 1);
        }
    }

    /// Takes out what is due next, if it is due by `until`.
    #[inline]
    pub fn pop(&mut self, until: Nanos) -> Option<(Nanos, T)> {
        if self.taken == self.buckets[0].len() && !self.turn(key(until)) {
            return None;
        }
        let now = &mut self.buckets[0];
        let what = now[self.taken].1;
        self.taken += 1;
        if self.taken == now.len() {
            now.clear();
            self.taken = 0;
        }
        self.len -= 1;
        Some((time(self.last), what))
    }

    /// Brings what is due next into bucket 0, if it is due by `until`.
    fn turn(&mut self, until: u64) -> bool {
        if self.filled == 0 {
            return false;
        }
        let lowest = self.filled.trailing_zeros() as usize + 1;
        let first = self.buckets[lowest].iter().map(|e| e.0).min().expect("the bucket is marked as filled");
        if first > until {
            return false;
        }
        self.last = first;
        self.filled &= self.filled - 1;
        let mut entries = std::mem::take(&mut self.buckets[lowest]);
        for &(key, what) in &entries {
            self.file(key, what);
        }
        entries.clear();
        self.buckets[lowest] = entries;
        true
    }

    /// When something is due next.
    pub fn next_at(&self) -> Option<Nanos> {
        if self.taken < self.buckets[0].len() {
            return Some(time(self.last));
        }
        let lowest = if self.filled == 0 { return None } else { self.filled.trailing_zeros() as usize + 1 };
        self.buckets[lowest].iter().map(|e| e.0).min().map(time)
    }

    /// How much is written down.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is due any more.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Everything written down, in the order it will come out.
    pub fn sorted(&self) -> Vec<(Nanos, T)> {
        let waiting = self.buckets[0][self.taken..].iter().chain(self.buckets[1..].iter().flatten());
        let mut all: Vec<_> = waiting.map(|&(key, what)| (time(key), what)).collect();
        all.sort_by_key(|e| e.0);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn it_is_a_list_sorted_by_time_then_by_arrival() {
        // Against a list sorted by (time, number): bursts at one instant, far timers, and looks that are too early.
        let mut stream = Stream::new(1, "agenda");
        let (mut agenda, mut list) = (Agenda::default(), Vec::<(i64, u32)>::new());
        let (mut now, mut number) = (-1_000_000_000i64, 0u32);
        for _ in 0..20_000 {
            for _ in 0..stream.below(4) {
                let wait = [0, 1, 1 + stream.below(5_000), stream.below(1 << 40)][stream.below(4) as usize];
                agenda.push(Nanos(now + wait as i64), number);
                list.push((now + wait as i64, number));
                number += 1;
            }
            let bits = stream.below(34);
            let until = now + stream.below(1 << bits) as i64;
            let due = list.iter().min().copied();
            assert_eq!(agenda.next_at().map(|t| t.0), due.map(|d| d.0));
            match agenda.pop(Nanos(until)) {
                Some((at, what)) => {
                    assert_eq!(Some((at.0, what)), due);
                    list.retain(|e| e.1 != what);
                    now = at.0;
                }
                None => assert!(due.is_none_or(|d| d.0 > until)),
            }
            assert_eq!(agenda.len(), list.len());
        }
        list.sort_unstable();
        assert_eq!(agenda.sorted().iter().map(|e| (e.0.0, e.1)).collect::<Vec<_>>(), list);
        assert!(list.len() > 1000);
    }

    #[test]
    #[should_panic(expected = "is over")]
    fn nothing_is_due_in_the_past() {
        let mut agenda = Agenda::default();
        agenda.push(Nanos(5), ());
        agenda.pop(Nanos(9));
        agenda.push(Nanos(4), ());
    }
}

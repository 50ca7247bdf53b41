//! How fast slots that this node gains are filled: a bucket of bytes that time fills and fetched entries empty.
//!
//! How large an entry is turns out when it has come. So another one is asked for while there is more in the bucket than
//! what is under way is expected to take, going by the mean of those that came; what comes is taken out whatever its
//! size, and a bucket that is below zero fills up first. Over any time the rate is kept, up to what is under way.

use crate::time::Instant;

#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// Bytes a second; 0 for no limit.
    rate: u64,
    /// In millionths of a byte.
    balance: i64,
    /// When the balance was right.
    at: Instant,
    /// Entries that have been asked for and have not come.
    under_way: u64,
    /// Bytes of the entries that came, on average, the last ones counting most.
    mean: u64,
}

/// No rate is above this many bytes a second, so that sums of it have room.
const MAX_RATE: u64 = 1 << 40;

/// What an entry is expected to have before the first one has come.
const FIRST_MEAN: u64 = 4_096;

const MILLION: u64 = 1_000_000;

impl Budget {
    /// So many bytes a second; 0 for no limit. The bucket is empty at first.
    pub(super) fn new(rate: u64, now: Instant) -> Budget {
        Budget { rate: rate.min(MAX_RATE), balance: 0, at: now, under_way: 0, mean: FIRST_MEAN }
    }

    /// So many bytes a second from now on. What is under way stays so.
    pub(super) fn change(&mut self, rate: u64, now: Instant) {
        let (under_way, mean) = (self.under_way, self.mean);
        *self = Budget { under_way, mean, ..Budget::new(rate, now) };
    }

    /// When another entry may be asked for; `None` for now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        if self.rate == 0 {
            return None;
        }
        // A tenth of a second may be saved up.
        let full = (self.rate * (MILLION / 10)).cast_signed();
        let passed = now.0.saturating_sub(self.at.0).min(MILLION * 10);
        self.at = self.at.max(now);
        let filled = self.balance.saturating_add_unsigned(passed.saturating_mul(self.rate));
        self.balance = filled.min(full.max(self.balance));
        let expected = self.under_way.saturating_mul(self.mean).saturating_mul(MILLION).min(i64::MAX as u64);
        // With nothing under way one is asked for as soon as the last one is made up for, however large it will be.
        let missing = expected.cast_signed().saturating_sub(self.balance);
        (missing > 0).then(|| Instant(now.0 + missing.cast_unsigned() / self.rate + 1))
    }

    /// An entry has been asked for.
    pub(super) fn asked(&mut self) {
        self.under_way += 1;
    }

    /// It has come, with so many bytes, or will not come any more.
    pub(super) fn came(&mut self, bytes: u64) {
        self.under_way = self.under_way.saturating_sub(1);
        let taken = bytes.saturating_mul(MILLION).min(i64::MAX as u64);
        if self.rate > 0 {
            self.balance = self.balance.saturating_sub_unsigned(taken);
        }
        self.mean = (self.mean * 7 + bytes) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for entries of that size whenever it may, each of which takes so many microseconds to come; how many have
    /// come after ten seconds, and the most that were under way.
    fn run(rate: u64, size: u64, trip: u64) -> (u64, u64) {
        let mut budget = Budget::new(rate, Instant(0));
        let (mut now, mut came, mut most) = (0, 0, 0);
        let mut under_way = alloc::collections::VecDeque::new();
        while now < 10 * MILLION {
            while under_way.front().is_some_and(|at| *at <= now) {
                under_way.pop_front();
                budget.came(size);
                came += 1;
            }
            let wait = budget.wait(Instant(now));
            if wait.is_none() && under_way.len() < 64 {
                budget.asked();
                under_way.push_back(now + trip);
                most = most.max(under_way.len() as u64);
                continue;
            }
            let next = under_way.front().copied().into_iter().chain(wait.map(|at| at.0)).min();
            now = next.expect("something is under way, or will be");
        }
        (came, most)
    }

    #[test]
    fn the_rate_is_kept_whatever_the_size() {
        let check = |rate: u64, size: u64, trip: u64| {
            let (came, most) = run(rate, size, trip);
            // Ten seconds, and what is saved up, or was under way before the first one came.
            let (least, limit) = (rate * 10 / size * 9 / 10, rate * 10 / size * 11 / 10 + most + 1);
            assert!((least..=limit).contains(&came), "{rate} bytes a second, {size} each: {came}, {most} at a time");
        };
        check(1_000_000, 1_000, 1_000);
        check(1_000_000, 100, 5_000);
        check(1_000_000, 100_000, 1_000);
        check(1_000_000, 3_000_000, 1_000);
        check(64 << 20, 1 << 20, 5_000);
        check(10_000, 1, 1_000);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut budget = Budget::new(0, Instant(0));
        for _ in 0..1_000 {
            budget.asked();
            assert_eq!(budget.wait(Instant(0)), None);
        }
        (0..1_000).for_each(|_| budget.came(u64::MAX / 8));
        assert_eq!(budget.wait(Instant(1)), None);
    }
}

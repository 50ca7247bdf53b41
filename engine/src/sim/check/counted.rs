//! P1 and P2 for counters: what a number can have become, and whether it begins anew without a reason.
//!
//! Sums are numbers that nobody wrote: one is an invention when all the increments that have reached a node could not
//! have made it. And a counter that was there a moment ago is not made anew by an increment in calm, unless some node
//! has let it go, or it was removed: else counts are lost. That each sum follows from the one before is for the search
//! for an order to say.

use alloc::format;
use alloc::string::String;

use super::Content;
use crate::request::Key;
use crate::time::Instant;

/// The increments of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// The sum of all that have reached a node and add, and of all that take away; `None` before the first.
    reached: Option<(i128, i128)>,
    /// The lowest and the highest number that was written, 0 among them.
    written: (i128, i128),
    /// The question and the answer of the last operation that found the counter there or made it.
    there: Option<(Instant, Instant)>,
    /// When some node let it go last, or might have.
    gone: Option<Instant>,
}

impl Counted {
    /// An increment reaches a node: from now on its sum may be read.
    pub(super) fn reached(&mut self, by: i64) {
        let (up, down) = self.reached.get_or_insert_default();
        *(if by < 0 { down } else { up }) += i128::from(by);
    }

    /// A value was written that counting may go on from.
    pub(super) fn written(&mut self, content: Content) {
        if let Content::Number(number) = content {
            let (least, most) = self.written;
            self.written = (least.min(number.into()), most.max(number.into()));
        }
    }

    /// Can counting have made it?
    pub(super) fn reaches(&self, content: Content) -> bool {
        let (Some((up, down)), Content::Number(number)) = (self.reached, content) else { return false };
        (self.written.0 + down..=self.written.1 + up).contains(&number.into())
    }

    /// What is wrong with that sum?
    pub(super) fn invented(&self, key: &Key, sum: i64) -> Option<String> {
        let (up, down) = self.reached.unwrap_or_default();
        let what = || format!("{key:?} was counted to {sum}, and all that has reached a node is {up} and {down}");
        (!self.reaches(Content::Number(sum))).then(what)
    }

    /// Some node has let the key go, or what it had is gone with it.
    pub(super) fn let_go(&mut self, at: Instant) {
        self.gone = self.gone.max(Some(at));
    }

    /// An operation that was asked at one moment has found the counter there, or made it, and was answered at another.
    pub(super) fn there(&mut self, asked: Instant, at: Instant) {
        if self.there.is_none_or(|(before, _)| before < asked) {
            self.there = Some((asked, at));
        }
    }

    /// An increment that was asked at that moment found nothing there. Was there something, in a calm that lasts?
    pub(super) fn began_anew(
        &self,
        key: &Key,
        asked: Instant,
        is_calm_since: impl Fn(Instant) -> bool,
    ) -> Option<String> {
        let (since, until) = self.there?;
        let explained = self.gone.is_some_and(|gone| gone >= since);
        let before = until < asked && is_calm_since(since);
        (before && !explained).then(|| {
            let (was, now) = (since.0 / 1_000, asked.0 / 1_000);
            format!("{key:?} began anew at {now} ms; it was there at {was} ms, and nobody has let it go")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_reachable_or_an_invention() {
        let key = Key::new("c0").expect("a key");
        let mut counted = Counted::default();
        assert!(!counted.reaches(Content::Number(0)), "nobody has counted");
        counted.reached(5);
        let check = |counted: &Counted, sum: i64, reaches: bool| {
            assert_eq!(counted.reaches(Content::Number(sum)), reaches, "{sum}");
            assert_eq!(counted.invented(&key, sum).is_none(), reaches, "{sum}");
        };
        for (sum, reaches) in [(0, true), (5, true), (6, false), (-1, false)] {
            check(&counted, sum, reaches);
        }
        counted.reached(-7);
        counted.reached(i64::MAX);
        for (sum, reaches) in [(-7, true), (-8, false), (i64::MAX, true)] {
            check(&counted, sum, reaches);
        }
        counted.written(Content::Number(-100));
        counted.written(Content::Bytes(7));
        assert!(counted.reaches(Content::Number(-107)) && !counted.reaches(Content::Number(-108)));
        assert!(!counted.reaches(Content::Bytes(7)));
    }

    #[test]
    fn a_counter_begins_anew_for_a_reason() {
        let key = Key::new("c0").expect("a key");
        let at = Instant;
        let check = |there: &[(u64, u64)], gone: Option<u64>, calm: u64, wrong: bool| {
            let mut counted = Counted::default();
            there.iter().for_each(|(asked, told)| counted.there(at(*asked), at(*told)));
            gone.into_iter().for_each(|gone| counted.let_go(at(gone)));
            let seen = counted.began_anew(&key, at(10), |since| since >= at(calm));
            assert_eq!(seen.is_some(), wrong, "{there:?} {gone:?} {calm}");
        };
        check(&[], None, 0, false);
        check(&[(2, 3)], None, 0, true);
        check(&[(2, 3)], Some(1), 0, true);
        check(&[(2, 3)], Some(2), 0, false);
        check(&[(2, 3), (5, 6), (4, 7)], Some(4), 0, true);
        // The two may have been at the same time, or there was trouble.
        check(&[(2, 10)], None, 0, false);
        check(&[(2, 3)], None, 3, false);
    }
}

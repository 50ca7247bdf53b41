//! Puts a slice in order with code that all slices share.
//!
//! `slice::sort_unstable` and its kin are compiled anew for each type and key: each is 2 to 5 KB of the page's
//! simulator. Here the walk is compiled once, and of each type only how two are compared and exchanged. It takes longer
//! than the standard library's, which is nothing where lists are short or made anew with a map of the members.

/// Puts them in the order of their keys. Where two keys are equal, which comes first is not said: give each its own.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    let len = items.len();
    heap_sort(&mut ByKey { items, key }, len);
}

/// A line of things at places from 0.
trait Line {
    fn rises(&self, one: usize, other: usize) -> bool;
    fn exchange(&mut self, one: usize, other: usize);
}

struct ByKey<'a, T, F> {
    items: &'a mut [T],
    key: F,
}

impl<T, K: Ord, F: Fn(&T) -> K> Line for ByKey<'_, T, F> {
    fn rises(&self, one: usize, other: usize) -> bool {
        (self.key)(&self.items[one]) < (self.key)(&self.items[other])
    }

    fn exchange(&mut self, one: usize, other: usize) {
        self.items.swap(one, other);
    }
}

/// Williams and Floyd, 1964: no memory, and never more than n log n.
fn heap_sort(line: &mut dyn Line, len: usize) {
    for top in (0..len / 2).rev() {
        sink(line, top, len);
    }
    for end in (1..len).rev() {
        line.exchange(0, end);
        sink(line, 0, end);
    }
}

fn sink(line: &mut dyn Line, mut top: usize, end: usize) {
    loop {
        let mut child = 2 * top + 1;
        if child + 1 < end && line.rises(child, child + 1) {
            child += 1;
        }
        if child >= end || !line.rises(top, child) {
            return;
        }
        line.exchange(top, child);
        top = child;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_is_the_order_of_the_standard_library() {
        let mut rng = Rng::new(1, "order");
        for len in (0..70).chain([1_000]) {
            let mut items: Vec<(u64, usize)> = (0..len).map(|at| (rng.below(40), at)).collect();
            let mut expected = items.clone();
            expected.sort_unstable();
            sort_by_key(&mut items, |item| *item);
            assert_eq!(items, expected, "of {len}");
            sort_by_key(&mut items, |item| core::cmp::Reverse(*item));
            expected.reverse();
            assert_eq!(items, expected, "of {len}, the other way round");
        }
    }
}

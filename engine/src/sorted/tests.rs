//! Beside the trees of the standard library, change by change.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Change {
    Insert(u16, u8),
    OrInsert(u16, u8),
    Remove(u16),
    PopFirst,
    /// Keeps the keys whose remainder by 7 is below.
    Retain(u16),
    /// Keys that rise, as serial numbers do.
    Append(u8),
    Clear,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let key = || 0..2_000_u16;
    let change = prop_oneof![
        40 => (key(), any::<u8>()).prop_map(|(key, value)| Change::Insert(key, value)),
        10 => (key(), any::<u8>()).prop_map(|(key, value)| Change::OrInsert(key, value)),
        40 => key().prop_map(Change::Remove),
        10 => Just(Change::PopFirst),
        2 => (0..8_u16).prop_map(Change::Retain),
        4 => any::<u8>().prop_map(Change::Append),
        1 => Just(Change::Clear),
    ];
    prop::collection::vec(change, 0..600)
}

proptest! {
    #[test]
    fn it_is_what_a_tree_is(changes in changes()) {
        let (mut map, mut tree) = (SortedMap::new(), BTreeMap::new());
        for change in changes {
            match change {
                Change::Insert(key, value) => prop_assert_eq!(map.insert(key, value), tree.insert(key, value)),
                Change::OrInsert(key, value) => {
                    let there = *map.get_or_insert_with(key, || value);
                    prop_assert_eq!(there, *tree.entry(key).or_insert(value));
                }
                Change::Remove(key) => {
                    prop_assert_eq!(map.get(&key), tree.get(&key));
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                Change::PopFirst => prop_assert_eq!(map.pop_first(), tree.pop_first()),
                Change::Retain(below) => {
                    map.retain(|key, value| { *value ^= 1; key % 7 < below });
                    tree.retain(|key, value| { *value ^= 1; key % 7 < below });
                }
                Change::Append(count) => {
                    let last = tree.last_key_value().map_or(0, |(key, _)| *key);
                    let fresh = (1..=u16::from(count)).map(|by| (last + by, count));
                    map.extend(fresh.clone());
                    tree.extend(fresh);
                }
                Change::Clear => { map.clear(); tree.clear(); }
            }
            whole(&map);
            prop_assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
            prop_assert_eq!(map.first_key_value(), tree.first_key_value());
            prop_assert_eq!(map.last_key_value(), tree.last_key_value());
        }
        prop_assert!(map.iter().eq(tree.iter()) && map.iter().rev().eq(tree.iter().rev()));
        prop_assert!(map.keys().eq(tree.keys()) && map.values().eq(tree.values()));
        prop_assert_eq!(map.into_iter().collect::<Vec<_>>(), tree.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn ranges_differences_and_order_are_those_of_trees(
        one in prop::collection::btree_set(0..300_u16, 0..200),
        other in prop::collection::btree_set(0..300_u16, 0..200),
        from in 0..300_u16, length in 0..40_u16,
    ) {
        let sorted = |tree: &BTreeSet<u16>| tree.iter().copied().collect::<SortedSet<_>>();
        let (a, b) = (sorted(&one), sorted(&other));
        let to = from + length;
        prop_assert_eq!(a.first_within(from..=to), one.range(from..=to).next());
        prop_assert_eq!(a.first_within(from..), one.range(from..).next());
        prop_assert_eq!(a.first_within(..=to), one.range(..=to).next());
        let after = (core::ops::Bound::Excluded(from), core::ops::Bound::Unbounded);
        prop_assert_eq!(a.first_within(after), one.range(after).next());
        prop_assert!(a.difference(&b).eq(one.difference(&other)));
        prop_assert_eq!(a.cmp(&b), one.cmp(&other));
        prop_assert_eq!(a == b, one == other);
        let (mut both, mut joined) = (a.clone(), b);
        both.append(&mut joined);
        prop_assert!(joined.is_empty());
        prop_assert!(both.iter().eq(one.union(&other)));
    }
}

/// No run is empty or too long, and keys rise throughout.
fn whole(map: &SortedMap<u16, u8>) {
    assert!(map.runs.iter().all(|run| (1..=RUN).contains(&run.len())), "{map:?}");
    // Each entry beside the one after it.
    assert!(map.iter().zip(map.iter().skip(1)).all(|((key, _), (next, _))| key < next), "{map:?}");
    assert_eq!(map.runs.iter().map(Vec::len).sum::<usize>(), map.len);
}

#[test]
fn keys_that_rise_fill_every_run_and_are_equal_to_the_same_keys_in_any_order() {
    let rising: SortedMap<u32, ()> = (0..10_000).map(|key| (key, ())).collect();
    assert_eq!(rising.runs.len(), 10_000_usize.div_ceil(RUN));
    let falling: SortedMap<u32, ()> = (0..10_000).rev().map(|key| (key, ())).collect();
    assert_eq!(rising, falling);
    assert_ne!(rising.runs.len(), falling.runs.len());
}

#[test]
fn runs_that_have_become_short_are_joined() {
    let mut map: SortedMap<u32, ()> = (0..10_000).map(|key| (key, ())).collect();
    for key in (0..10_000).filter(|key| key % 16 != 0) {
        map.remove(&key);
    }
    assert!(map.runs.len() <= map.len().div_ceil(RUN / 8), "{} runs for {}", map.runs.len(), map.len());
    assert_eq!(map.keys().copied().collect::<Vec<_>>(), (0..10_000).step_by(16).collect::<Vec<_>>());
}

#[test]
fn they_are_printed_as_trees_are() {
    assert_eq!(alloc::format!("{:?}", SortedMap::from([(2, 'b'), (1, 'a')])), "{1: 'a', 2: 'b'}");
    assert_eq!(alloc::format!("{:?}", SortedSet::from([3, 1])), "{1, 3}");
    assert_eq!(SortedSet::from([3, 1]).into_iter().collect::<Vec<_>>(), vec![1, 3]);
}

//! Rows for what a single call must do; `tests/store_model.rs` compares long random sequences with a naive model.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use super::*;
use crate::id::NodeId;

const NOW: UnixMs = UnixMs(1_700_000_000_000);

fn store(entries: Option<u32>, bytes: Option<u64>) -> Store {
    Store::new(Limits { entries, bytes }, KeyHasher::new((1, 2)))
}

fn entry(value: &[u8]) -> EntryRef<'_> {
    EntryRef { value, media: b"", version: Version { stamp: 1, node: NodeId(1) }, deadline: None }
}

/// Runs a script, `set k v [ttl ms]`, `get k`, `del k`, `wait ms`, `expire`, and returns what each line gave.
fn run(store: &mut Store, script: &str) -> String {
    let (mut now, mut out, mut stamp) = (NOW, Vec::new(), 0);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut removed = Vec::new();
        let mut note = |r: Removal<'_>| removed.push(format!("-{}:{:?}", String::from_utf8_lossy(r.key), r.cause));
        let key = words.get(1).map_or(&b""[..], |word| word.as_bytes());
        let hash = store.hash(key);
        let answer = match words[0] {
            "set" => {
                stamp += 1;
                let deadline = words.get(3).map(|ttl| UnixMs(now.0 + ttl.parse::<u64>().unwrap()));
                let version = Version { stamp, node: NodeId(3) };
                let entry = EntryRef { value: words[2].as_bytes(), media: b"", version, deadline };
                match store.set(now, hash, key, entry, &mut note) {
                    Ok(None) => "new".to_string(),
                    Ok(Some(old)) => format!("replaced {}", old.stamp),
                    Err(error) => error.to_string(),
                }
            }
            "get" => match store.get(now, hash, key, &mut note) {
                Some(entry) => String::from_utf8_lossy(entry.value).into_owned(),
                None => "miss".to_string(),
            },
            "del" => store.remove(now, hash, key).map_or("miss".to_string(), |old| format!("removed {}", old.stamp)),
            "wait" => {
                now.0 += words[1].parse::<u64>().unwrap();
                continue;
            }
            "expire" => store.expire(now, u32::MAX, &mut note).to_string(),
            other => panic!("{other}"),
        };
        out.push([vec![answer], removed].concat().join(" "));
    }
    out.join(", ")
}

fn check(entries: Option<u32>, bytes: Option<u64>, script: &str, expected: &str) {
    assert_eq!(run(&mut store(entries, bytes), script), expected, "{script}");
}

#[test]
fn reads_and_writes() {
    check(
        None,
        None,
        "get a\n set a 1\n get a\n set a 2\n get a\n del a\n del a\n get a",
        "miss, new, 1, replaced 1, 2, removed 2, miss, miss",
    );
    check(
        Some(2),
        None,
        "set a 1\n set b 2\n get a\n set c 3\n get b\n get a\n get c",
        "new, new, 1, new -b:Entries, miss, 1, 3",
    );
    check(Some(1), None, "set a 1\n set a 2\n set b 3\n get a", "new, replaced 1, new -a:Entries, miss");
    check(Some(0), None, "set a 1\n get a", "the entry takes 66 bytes and the limit is 0; nothing was stored, miss");
}

#[test]
fn bytes_bound_what_is_kept() {
    check(None, Some(132), "set a 1\n set b 2\n set c 3\n get a", "new, new, new -a:Bytes, miss");
    check(None, Some(132), "set a 1\n set b 2\n set b 22\n get a\n get b", "new, new, replaced 2 -a:Bytes, miss, 22");
    check(
        None,
        Some(66),
        "set a 1\n set a 22\n get a",
        "new, the entry takes 67 bytes and the limit is 66; nothing was stored, 1",
    );
    check(None, Some(150), "set a 1 9\n set b 2\n get a", "new, new -a:Bytes, miss");
    check(None, Some(150), "set a 1 9\n wait 9\n set b 2\n get a", "new, new -a:Expired, miss");
}

#[test]
fn deadlines_are_kept_to_the_millisecond() {
    check(None, None, "set a 1 5\n wait 4\n get a\n wait 1\n get a\n get a", "new, 1, miss -a:Expired, miss");
    check(None, None, "set a 1 5\n wait 5\n del a\n expire", "new, miss, false");
    check(None, None, "set a 1 5\n wait 5\n set a 2\n get a", "new, new -a:Expired, 2");
    check(None, None, "set a 1 5\n set a 2\n wait 500\n expire\n get a", "new, replaced 1, false, 2");
    check(
        None,
        None,
        "set a 1 900\n set b 2 100\n set c 3 3000\n wait 1128\n expire\n wait 2000\n expire",
        "new, new, new, false -b:Expired -a:Expired, false -c:Expired",
    );
}

#[test]
fn a_budget_bounds_the_work() {
    let mut store = store(None, None);
    for key in 0..100_u32 {
        let (key, deadline) = (key.to_be_bytes(), Some(UnixMs(NOW.0 + 60_000)));
        let hash = store.hash(&key);
        store.set(NOW, hash, &key, EntryRef { deadline, ..entry(b"v") }, &mut |_| ()).unwrap();
    }
    let later = UnixMs(NOW.0 + 61_000);
    let mut freed = 0;
    let mut calls = 0;
    while store.expire(later, 10, &mut |_| freed += 1) {
        calls += 1;
        assert!(freed <= calls * 10);
    }
    assert_eq!((freed, store.len(), store.bytes(), store.next_expiry()), (100, 0, 0, None));
}

#[test]
fn restamping_changes_the_version_only() {
    let mut store = store(None, None);
    let (hash, version) = (store.hash(b"a"), Version { stamp: 99, node: NodeId(8) });
    assert!(!store.restamp(hash, b"a", version));
    let first = EntryRef { media: b"text/plain", deadline: Some(UnixMs(NOW.0 + 1)), ..entry(b"v") };
    store.set(NOW, hash, b"a", first, &mut |_| ()).unwrap();
    assert!(store.restamp(hash, b"a", version));
    assert_eq!(store.peek(NOW, hash, b"a"), Some(EntryRef { version, ..first }));
    assert_eq!(store.bytes(), Store::entry_bytes(1, 1, 10, true));
}

#[test]
fn ranks_count_from_the_oldest() {
    let mut store = store(None, None);
    run(&mut store, "set a 1\n set b 2\n set c 3\n get a");
    let rank = |key: &[u8], at_most| store.rank(store.hash(key), key, at_most);
    assert_eq!([rank(b"b", 9), rank(b"c", 9), rank(b"a", 9), rank(b"x", 9)], [Some(0), Some(1), Some(2), None]);
    assert_eq!([rank(b"b", 0), rank(b"a", 1), rank(b"a", 2)], [Some(0), None, Some(2)]);
}

#[test]
fn scans_show_everybody_who_stays() {
    let mut store = store(None, None);
    let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    for key in &keys {
        run(&mut store, &format!("set {key} v"));
    }
    let (mut cursor, mut seen, mut round) = (Some(0), Vec::new(), 0);
    while let Some(at) = cursor {
        cursor = store.scan(at, 30, &mut |key, _| seen.push(String::from_utf8_lossy(key).into_owned()));
        run(&mut store, &format!("set extra{round} v\n del k{round}\n set k40 new"));
        round += 1;
    }
    assert!(round < 25, "{round} rounds of 30 places");
    assert!(keys[25..].iter().all(|key| seen.contains(key)), "{seen:?}");
    assert_eq!(super::tests::store(None, None).scan(0, 0, &mut |_, _| panic!("empty")), None);
}

#[test]
fn parts_past_their_bounds_are_refused() {
    let mut store = store(None, None);
    let (long, hash) = (vec![0; MAX_KEY + 1], 0);
    let error = store.set(NOW, hash, &long, entry(b""), &mut |_| ()).unwrap_err();
    assert_eq!((error.bytes, error.limit), (64 + 65_536, 64 + 65_535));
    let media = EntryRef { media: &[b'a'; MAX_MEDIA + 1], ..entry(b"") };
    assert!(store.set(NOW, hash, b"k", media, &mut |_| ()).is_err());
    assert!(store.is_empty());
}

#[test]
fn clones_go_their_own_ways_and_clearing_leaves_nothing() {
    let mut store = store(Some(3), None);
    run(&mut store, "set a 1\n set b 2 5\n set c 3");
    let mut copy = store.clone();
    assert_eq!(run(&mut copy, "set d 4\n get b"), "new -a:Entries, 2");
    assert_eq!(run(&mut store, "get a"), "1");
    let keys: Vec<&[u8]> = copy.by_recency().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"b", b"d", b"c"]);
    store.clear();
    assert_eq!((store.len(), store.bytes(), store.next_expiry(), store.by_recency().count()), (0, 0, None, 0));
    assert_eq!(run(&mut store, "set a 1 7\n get a"), "new, 1");
}

#[test]
fn equal_hashes_are_told_apart_by_keys() {
    const KEPT: u32 = if cfg!(miri) { 20 } else { 200 };
    let mut store = store(Some(KEPT), None);
    let mut removed = 0;
    for key in 0..KEPT + 10 {
        let key = key.to_be_bytes();
        store.set(NOW, u64::MAX, &key, entry(&key), &mut |_| removed += 1).unwrap();
    }
    assert_eq!((store.len(), removed), (KEPT, 10));
    for key in 0..KEPT + 10 {
        let found = store.peek(NOW, u64::MAX, &key.to_be_bytes()).map(|entry| entry.value.to_vec());
        assert_eq!(found, (key >= 10).then(|| key.to_be_bytes().to_vec()));
    }
}

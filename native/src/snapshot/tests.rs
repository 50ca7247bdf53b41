use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::record::Record;
use vitrine_engine::request::{Condition, Key, Operation, Request, Value, WriteLevel};
use vitrine_engine::view::{Map, Member, View};

use super::*;
use crate::clock::SystemClock;
use crate::effects::Wire;
use crate::shards::{Shards, ShardsConfig, Submitted};

struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: NodeId, _: Origin, _: Message) {}

    fn reroute(&self, _: &Arc<vitrine_engine::cluster::Routes>) {}
}

/// A log that is nothing but its numbers.
#[derive(Default)]
struct Counted {
    synced: AtomicU64,
    fails: bool,
}

impl Log for Counted {
    fn next(&self) -> Lsn {
        Lsn(17)
    }

    fn sync(&self) -> io::Result<()> {
        self.synced.fetch_add(1, Ordering::Relaxed);
        if self.fails { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }
}

fn shards(stripes: usize) -> Shards {
    let map = Arc::new(Map::first(vec![Member::new(NodeId(1), "n1".to_owned())], 1, 16));
    let config =
        ShardsConfig { entries: None, bytes: 64 << 20, stripes: Some(stripes), workers: 1, seed: 1, hash_seed: (2, 3) };
    let view = Arc::new(View::first(NodeId(1), map));
    Shards::new(&config, view, Arc::new(SystemClock::start()), Arc::new(Nobody))
}

fn set(shards: &Shards, key: &str, value: Bytes) {
    let value = Value { bytes: value, media: Bytes::from_static(b"text/plain") };
    let operation = Operation::Set { value, deadline: None, condition: Condition::Always, level: WriteLevel::One };
    let key = Key::new(Bytes::copy_from_slice(key.as_bytes())).expect("a key");
    let timeout = std::time::Duration::from_secs(1);
    let submitted = shards.submit(Request { key, operation, timeout });
    assert!(matches!(submitted, Submitted::Now(reply) if reply.outcome.is_ok()));
}

const OF: Of = Of { cluster: ClusterTag(5), node: NodeId(1) };

#[test]
fn what_was_taken_is_found_whole() {
    let (folder, shards, log) = (tempfile::tempdir().expect("a folder"), shards(4), Counted::default());
    let mut there = BTreeMap::new();
    for number in 0..3_000 {
        let (key, value) = (format!("key{number}"), Bytes::from(vec![number as u8; number % 700]));
        set(&shards, &key, value.clone());
        there.insert(key, value);
    }
    set(&shards, "long", Bytes::from(vec![1; 3 << 20]));
    there.insert("long".to_owned(), Bytes::from(vec![1; 3 << 20]));
    let taken = take(&shards, &log, folder.path(), OF, &|| false).expect("taken");
    assert_eq!(log.synced.load(Ordering::Relaxed), 1);
    assert_eq!((taken.first, taken.footer.until, taken.footer.entries), (Lsn(17), Lsn(17), 3_001));
    assert_eq!(taken.bytes, std::fs::metadata(&taken.path).expect("a file").len());
    let mut read_so_far = 0;
    let mut none = |_: &Named, error| -> std::io::Result<()> { panic!("{error}") };
    let found = newest(folder.path(), &mut none, &mut |bytes| read_so_far = bytes).expect("listed").expect("one");
    assert!(read_so_far > 0 && read_so_far <= taken.bytes);
    assert_eq!((&found.path, found.footer, found.bytes), (&taken.path, taken.footer, taken.bytes));
    assert_eq!((found.header.cluster, found.header.node, found.header.first), (OF.cluster, OF.node, Lsn(17)));
    let mut seen = BTreeMap::new();
    let mut each = |records: Vec<Record>, _| {
        for record in records {
            let Record::Put { key, entry } = record else { continue };
            seen.insert(String::from_utf8_lossy(key.as_bytes()).into_owned(), entry.value.bytes);
        }
    };
    read(&taken.path, &mut each).expect("read");
    assert!(seen == there, "{} of {}", seen.len(), there.len());
}

#[test]
fn one_that_is_not_whole_is_passed_over_and_one_that_failed_leaves_nothing() {
    let (folder, shards) = (tempfile::tempdir().expect("a folder"), shards(1));
    set(&shards, "a", Bytes::from_static(b"1"));
    let taken = take(&shards, &Counted::default(), folder.path(), OF, &|| false).expect("taken");
    let bytes = std::fs::read(&taken.path).expect("read");
    std::fs::write(folder.path().join(file_name(Lsn(99))), &bytes[..bytes.len() - 1]).expect("written");
    let mut passed = Vec::new();
    let mut note = |named: &Named, error: ReadError| -> std::io::Result<()> {
        passed.push((named.path.clone(), error.to_string()));
        Ok(())
    };
    let found = newest(folder.path(), &mut note, &mut |_| {}).expect("listed").expect("one");
    assert_eq!(found.path, taken.path);
    assert_eq!(passed.len(), 1);
    assert!(passed[0].1.contains("it was cut off"), "{passed:?}");
    let failing = Counted { fails: true, ..Counted::default() };
    let before = list(folder.path()).expect("listed");
    let error = take(&shards, &failing, folder.path(), OF, &|| false).expect_err("no sync").to_string();
    assert!(error.contains("the disk is gone; the one before it is still there"), "{error}");
    assert_eq!(list(folder.path()).expect("listed"), before);
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 2);
    std::fs::write(folder.path().join(format!("{}{UNFINISHED}", file_name(Lsn(3)))), b"x").expect("written");
    assert_eq!(drop_below(folder.path(), Lsn(99)).expect("dropped"), 1);
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
}

#[test]
fn names_have_their_number() {
    let check = |name: &str, expected: Option<u64>| assert_eq!(number_in(name), expected.map(Lsn), "{name}");
    check(&file_name(Lsn(7)), Some(7));
    check("snapshot-00000000000000000007.vitrine", Some(7));
    check("snapshot-18446744073709551615.vitrine", Some(u64::MAX));
    check("snapshot-18446744073709551616.vitrine", None);
    check("snapshot-7.vitrine", None);
    check("snapshot-+0000000000000000007.vitrine", None);
    check("snapshot-00000000000000000007.vitrine.new", None);
    check("cache.json", None);
}

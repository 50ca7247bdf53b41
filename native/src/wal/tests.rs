use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use tokio::sync::oneshot;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::codec::wal::Scan;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::record::Record;
use vitrine_engine::request::{Answer, Condition, Key, Operation, Outcome, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::view::{Map, Member, View};

use super::folder::Segment;
use super::*;
use crate::clock::SystemClock;
use crate::effects::{Reply, Wire};
use crate::shards::{Shards, ShardsConfig, Submitted};
use crate::snapshot::{Schedule, ScheduleConfig};

struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: NodeId, _: Origin, _: Message) {}

    fn reroute(&self, _: &Arc<vitrine_engine::cluster::Routes>) {}
}

const OF: Of = Of { cluster: ClusterTag(5), node: NodeId(1) };
const ALL: [Fsync; 3] = [Fsync::Always, Fsync::EverySecond, Fsync::Never];

fn shards() -> Shards {
    let map = Arc::new(Map::first(vec![Member::new(NodeId(1), "n1".to_owned())], 1, 16));
    let config =
        ShardsConfig { entries: None, bytes: 64 << 20, stripes: Some(4), workers: 1, seed: 1, hash_seed: (2, 3) };
    let view = Arc::new(View::first(NodeId(1), map));
    Shards::new(&config, view, Arc::new(SystemClock::start()), Arc::new(Nobody))
}

fn opening(folder: &Path, fsync: Fsync) -> Opening {
    let boot = Some("a".to_owned());
    Opening { folder: folder.to_owned(), of: OF, name: "n1".to_owned(), fsync, moved_on: false, boot }
}

fn started(folder: &Path, fsync: Fsync) -> (Shards, Open) {
    let mut shards = shards();
    let open = open(&opening(folder, fsync), &mut shards).unwrap_or_else(|error| panic!("{error}"));
    (shards, open)
}

fn submit(shards: &Shards, key: &str, operation: Operation) -> Submitted {
    let key = Key::new(Bytes::copy_from_slice(key.as_bytes())).expect("a key");
    shards.submit(Request { key, operation, timeout: Duration::from_secs(1) })
}

fn set(value: String) -> Operation {
    let value = Value { bytes: Bytes::from(value), media: Bytes::from_static(b"text/plain") };
    Operation::Set { value, deadline: None, condition: Condition::Always, level: WriteLevel::One }
}

fn delete() -> Operation {
    Operation::Delete { condition: Condition::Always, level: WriteLevel::One }
}

fn outcome(submitted: Submitted) -> Outcome {
    match submitted {
        Submitted::Now(reply) => reply.outcome,
        Submitted::Later(reply) => waited(reply).outcome,
    }
}

fn waited(reply: oneshot::Receiver<Reply>) -> Reply {
    reply.blocking_recv().expect("an answer")
}

fn value(shards: &Shards, key: &str) -> Option<Bytes> {
    match outcome(submit(shards, key, Operation::Get { level: ReadLevel::Primary })) {
        Ok(Answer::Found(entry)) => Some(entry.value.bytes),
        Ok(Answer::Missing) => None,
        other => panic!("{other:?}"),
    }
}

/// Writes a hundred keys, and deletes one in ten.
fn fill(shards: &Shards) -> BTreeMap<String, Option<Bytes>> {
    let mut there = BTreeMap::new();
    for number in 0..100 {
        let (key, written) = (format!("key{number}"), format!("value {number}").repeat(number));
        outcome(submit(shards, &key, set(written.clone()))).expect("stored");
        there.insert(key, Some(Bytes::from(written)));
    }
    for number in (0..100).step_by(10) {
        let key = format!("key{number}");
        outcome(submit(shards, &key, delete())).expect("deleted");
        there.insert(key, None);
    }
    there
}

/// The records of a folder as they are there now, and what stands at its end.
fn on_disk(folder: &Path) -> Vec<Record> {
    let mut all = Vec::new();
    for segment in folder::list(folder).expect("listed") {
        let bytes = std::fs::read(segment.path).expect("read");
        all.extend(Scan::new(bytes.into()).expect("a segment").map(|(_, _, record)| record));
    }
    all
}

#[test]
fn what_was_written_is_there_again_and_versions_go_on_above_it() {
    for fsync in ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let (shards, open) = started(folder.path(), fsync);
        let there = fill(&shards);
        let Ok(Answer::Stored { version: before, .. }) = outcome(submit(&shards, "last", set("x".into()))) else {
            panic!("{fsync:?}: it was stored")
        };
        open.end(false);
        drop(shards);
        let (shards, open) = started(folder.path(), fsync);
        for (key, expected) in &there {
            assert_eq!(&value(&shards, key), expected, "{fsync:?}, {key}");
        }
        let Ok(Answer::Stored { version, created, .. }) = outcome(submit(&shards, "last", set("y".into()))) else {
            panic!("{fsync:?}: it was stored")
        };
        assert!(version > before && !created, "{fsync:?}");
        open.end(true);
        assert_eq!(folder::list(folder.path()).expect("listed"), [], "a member that leaves leaves nothing behind");
    }
}

#[test]
fn where_every_write_is_synced_it_is_on_disk_when_it_is_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shards, open) = started(folder.path(), Fsync::Always);
    for number in 0..20 {
        let key = format!("key{number}");
        let submitted = submit(&shards, &key, set("v".into()));
        assert!(matches!(submitted, Submitted::Later(_)), "it waits for the disk");
        outcome(submitted).expect("stored");
        let is_it = |record: &Record| matches!(record, Record::Put { key: of, .. } if of.as_bytes() == key.as_bytes());
        assert!(on_disk(folder.path()).iter().any(is_it), "{key}");
    }
    // A failure and a read wait for nothing.
    let unmet = Operation::Delete { condition: Condition::Absent, level: WriteLevel::One };
    assert!(matches!(submit(&shards, "key1", unmet), Submitted::Now(_)));
    assert!(matches!(submit(&shards, "key1", Operation::Get { level: ReadLevel::Primary }), Submitted::Now(_)));
    open.end(false);
}

#[test]
fn a_log_that_was_cut_anywhere_is_read_to_its_last_whole_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shards, open) = started(folder.path(), Fsync::Never);
    for number in 0..6 {
        outcome(submit(&shards, &format!("key{number}"), set("v".into()))).expect("stored");
    }
    open.end(false);
    let [segment] = &folder::list(folder.path()).expect("listed")[..] else { panic!("one segment") };
    let bytes = std::fs::read(&segment.path).expect("read");
    let mut counts = Vec::new();
    for cut in vitrine_engine::codec::wal::HEADER..=bytes.len() {
        std::fs::write(&segment.path, &bytes[..cut]).expect("written");
        let mut count = 0_u64;
        let recovered = recover(folder.path(), OF, &mut |_| count += 1).expect("read");
        assert_eq!((recovered.records, recovered.next), (count, Lsn(count + 1)));
        // Zeros at the end are room, and no loss.
        let seen = (recovered.bytes + recovered.torn) as usize;
        assert!(seen <= cut && bytes[seen..cut].iter().all(|byte| *byte == 0), "{cut}: {recovered:?}");
        assert_eq!(std::fs::metadata(&segment.path).expect("there").len(), recovered.bytes, "the tail is gone");
        counts.push(count);
    }
    assert!(counts.is_sorted());
    // Six entries, and the mark of the sync at the end.
    assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&7)));
}

#[test]
fn what_is_not_as_it_was_is_refused_and_nothing_is_changed() {
    let check = |damage: &dyn Fn(&Path, &[Segment]), of: Of, expected: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        for _ in 0..3 {
            let (shards, open) = started(folder.path(), Fsync::Always);
            fill(&shards);
            open.end(false);
        }
        let segments = folder::list(folder.path()).expect("listed");
        assert_eq!(segments.len(), 3);
        damage(folder.path(), &segments);
        let sizes = || {
            let all = std::fs::read_dir(folder.path()).expect("listed");
            let size = |entry: io::Result<std::fs::DirEntry>| {
                let entry = entry.expect("an entry");
                (entry.file_name(), entry.metadata().expect("its size").len())
            };
            all.map(size).collect::<BTreeMap<_, _>>()
        };
        let before = sizes();
        let error = recover(folder.path(), of, &mut |_| {}).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(sizes(), before);
    };
    let flip = |path: &Path, at: usize| {
        let mut bytes = std::fs::read(path).expect("read");
        bytes[at] ^= 4;
        std::fs::write(path, bytes).expect("written");
    };
    for index in 0..3 {
        check(&|_, all| flip(&all[index].path, 60), OF, "byte 47");
    }
    check(&|_, all| flip(&all[1].path, 20), OF, all_ways());
    check(&|_, all| std::fs::remove_file(&all[1].path).expect("removed"), OF, "begins with 441");
    check(&|_, all| std::fs::remove_file(&all[0].path).expect("removed"), OF, "no whole snapshot holds");
    let cut = |path: &Path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).expect("opened");
        file.set_len(file.metadata().expect("its size").len() - 1).expect("cut");
    };
    check(&|_, all| cut(&all[0].path), OF, "it had been synced before");
    check(&|_, _| {}, Of { node: NodeId(2), ..OF }, "node number 1 of this cluster");
    check(&|_, _| {}, Of { cluster: ClusterTag(6), ..OF }, "a node of another cluster");
}

/// What every refusal of damage names.
fn all_ways() -> &'static str {
    "vitrine check"
}

#[test]
fn a_disk_that_fails_costs_the_writes_of_that_time_and_no_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("log");
    std::fs::create_dir(&inner).expect("made");
    let mut shards = shards();
    // Every sync ends its segment, so that the next one needs the folder.
    let (folder, stripes) = (inner.clone(), shards.stripes());
    let config = LogConfig { folder, of: OF, fsync: Fsync::Always, next: Lsn(1), stripes, segment: 1 };
    let running = Log::start(config, Arc::clone(shards.effects())).expect("it starts");
    shards.keep_log(Arc::clone(running.log()));
    outcome(submit(&shards, "before", set("v".into()))).expect("stored");
    let kept = std::fs::read_dir(&inner).expect("listed").map(|entry| entry.expect("an entry").path());
    let kept: Vec<_> = kept.map(|path| (path.clone(), std::fs::read(path).expect("read"))).collect();
    std::fs::remove_dir_all(&inner).expect("removed");
    let write = |key: &str| outcome(submit(&shards, key, set("v".into())));
    // What is on disk is acknowledged, though the next segment cannot be begun; then nothing is taken.
    let mut number = 0;
    while write(&format!("during{number}")).is_ok() {
        number += 1;
        assert!(number < 100, "it never fails");
    }
    assert_eq!(write("refused"), Err(Failure::ReadOnly));
    assert_eq!(value(&shards, "refused"), None);
    assert!(value(&shards, "before").is_some(), "reads go on");
    let trouble = running.log().trouble().expect("it is said why").to_string();
    assert!(trouble.contains("beginning") && trouble.contains("wal-"), "{trouble}");
    std::fs::create_dir(&inner).expect("made");
    kept.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).expect("written"));
    for _ in 0..600 {
        if running.log().refusal().is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    write("after").expect("it takes writes again");
    assert_eq!(running.log().trouble(), None);
    assert!(running.end());
    let after = |record: &Record| matches!(record, Record::Put { key, .. } if key.as_bytes() == b"after");
    assert!(on_disk(&inner).iter().any(after));
}

#[test]
fn a_log_without_syncs_is_read_unless_the_machine_went_down() {
    let check = |fsync, is_stopped: bool, boot: Option<&str>, expected: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let (shards, open) = started(folder.path(), fsync);
        outcome(submit(&shards, "key", set("v".into()))).expect("stored");
        // The copy is what a process leaves that is killed behind this.
        crate::snapshot::Log::sync(&**open.log()).expect("written");
        let killed = copy(folder.path());
        open.end(false);
        let left = if is_stopped { &folder } else { &killed };
        for after in ALL {
            let (left, mut shards) = (copy(left.path()), self::shards());
            let opening = Opening { boot: boot.map(str::to_owned), ..opening(left.path(), after) };
            let open = super::open(&opening, &mut shards).unwrap_or_else(|error| panic!("{error}"));
            let case = format!("{fsync:?}, stopped: {is_stopped}, then {after:?} under {boot:?}");
            assert_eq!(held(&shards).into_keys().collect::<Vec<_>>(), expected, "{case}");
            outcome(submit(&shards, "later", set("w".into()))).expect("stored");
            open.end(false);
            // What is stopped is on disk, whatever becomes of the machine.
            let mut shards = self::shards();
            let opening = Opening { boot: Some("c".to_owned()), ..opening };
            let open = super::open(&opening, &mut shards).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(held(&shards).len(), expected.len() + 1, "{case}");
            open.end(false);
        }
    };
    check(Fsync::Never, false, Some("a"), &["key"]);
    check(Fsync::Never, false, Some("b"), &[]);
    check(Fsync::Never, false, None, &[]);
    check(Fsync::Never, true, Some("b"), &["key"]);
    check(Fsync::Never, true, None, &["key"]);
    check(Fsync::EverySecond, false, Some("b"), &["key"]);
    check(Fsync::Always, false, None, &["key"]);
}

#[test]
fn a_log_that_was_cut_short_and_is_another_node_s_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shards, open) = started(folder.path(), Fsync::Never);
    outcome(submit(&shards, "key", set("v".into()))).expect("stored");
    let killed = copy(folder.path());
    open.end(false);
    let before = folder::list(killed.path()).expect("listed");
    let of = Of { node: NodeId(2), ..OF };
    let opening = Opening { of, boot: Some("b".to_owned()), ..opening(killed.path(), Fsync::Never) };
    let refused = super::open(&opening, &mut self::shards());
    assert!(matches!(refused, Err(OpenError::Recover(RecoverError::Foreign { .. }))), "{refused:?}");
    assert_eq!(folder::list(killed.path()).expect("listed"), before);
}

#[test]
fn a_folder_is_one_process_s_and_its_oldest_segments_can_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shards, open) = started(folder.path(), Fsync::Never);
    let error = super::open(&opening(folder.path(), Fsync::Never), &mut self::shards()).expect_err("it is taken");
    let said = error.to_string();
    assert!(said.contains(&format!("node n1, process {}", std::process::id())), "{said}");
    fill(&shards);
    let log = Arc::clone(shards.log().expect("a log"));
    let first = snapshot_log_next(&log);
    log.end_segment().expect("synced");
    fill(&shards);
    log.end_segment().expect("synced");
    assert!(folder::list(folder.path()).expect("listed").len() >= 2);
    assert_eq!(log.drop_below(Lsn(1)).expect("dropped"), 0);
    log.drop_below(first).expect("dropped");
    let left = folder::list(folder.path()).expect("listed");
    assert!(left[0].first <= first && left.get(1).is_none_or(|next| next.first > first), "{left:?}, {first:?}");
    log.drop_below(Lsn(u64::MAX)).expect("dropped");
    assert_eq!(folder::list(folder.path()).expect("listed").len(), 1, "never the last");
    open.end(false);
}

fn snapshot_log_next(log: &Log) -> Lsn {
    crate::snapshot::Log::next(log)
}

#[test]
fn names_have_their_number() {
    let check = |name: &str, expected: Option<u64>| assert_eq!(folder::number_in(name), expected.map(Lsn), "{name}");
    check("wal-00000000000000000007.log", Some(7));
    check("wal-18446744073709551615.log", Some(u64::MAX));
    check("wal-18446744073709551616.log", None);
    check("wal-7.log", None);
    check("wal-00000000000000000007.log.new", None);
    check("snapshot-00000000000000000007.vitrine", None);
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).expect("copied");
    }
    to
}

/// What a start finds in a copy of that folder.
fn found(folder: &Path) -> Result<BTreeMap<Bytes, Bytes>, String> {
    let (folder, mut shards) = (copy(folder), shards());
    let opened = open(&opening(folder.path(), Fsync::Never), &mut shards).map_err(|error| error.to_string())?;
    let all = held(&shards);
    opened.end(false);
    Ok(all)
}

fn held(shards: &Shards) -> BTreeMap<Bytes, Bytes> {
    let mut all = BTreeMap::new();
    shards.each(|shard| {
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            cursor = shard.store().scan(from, u32::MAX, &mut |key, entry| {
                all.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(entry.value));
            });
        }
    });
    all
}

#[test]
fn a_start_begins_with_the_newest_snapshot_and_the_log_behind_it_is_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shards, open) = started(folder.path(), Fsync::Always);
    let (shards, log) = (Arc::new(shards), Arc::clone(open.log()));
    let config = ScheduleConfig { folder: folder.path().to_owned(), of: OF, every: None, read: (0, 0) };
    let schedule = Schedule::start(config, Arc::clone(&shards), Arc::clone(&log)).expect("a thread");
    let request = || schedule.schedule().request().blocking_recv().expect("it runs").expect("taken");
    fill(&shards);
    let first = request();
    fill(&shards);
    outcome(submit(&shards, "key1", delete())).expect("deleted");
    outcome(submit(&shards, "new", set("v".into()))).expect("stored");
    // As it is when the machine goes down between the name of the second snapshot and what it makes unnecessary.
    let before = copy(folder.path());
    let second = request();
    let after = copy(folder.path());
    std::fs::copy(&second.path, before.path().join(second.path.file_name().expect("a name"))).expect("copied");
    let expected = found(folder.path()).expect("read");
    assert_eq!((expected.len(), second.footer.entries), (90, 90));
    assert!(expected.contains_key(&b"new"[..]) && !expected.contains_key(&b"key1"[..]));
    assert_eq!(found(before.path()), Ok(expected.clone()));
    // What is written after it is read over it.
    outcome(submit(&shards, "newer", set("v".into()))).expect("stored");
    outcome(submit(&shards, "new", delete())).expect("deleted");
    let later = found(folder.path()).expect("read");
    assert!(later.contains_key(&b"newer"[..]) && !later.contains_key(&b"new"[..]));
    schedule.end();
    open.end(false);
    // The one before it and the segments that only that one needs are gone.
    let names = crate::snapshot::list(folder.path()).expect("listed");
    assert_eq!(names.iter().map(|named| &named.path).collect::<Vec<_>>(), [&second.path]);
    assert!(first.first < second.first && !first.path.exists());
    assert!(folder::list(folder.path()).expect("listed")[0].first > Lsn(1));
    // Never a log without the snapshot that it stands on, and never a snapshot without its log.
    let spoil = |folder: &Path, file: &Path| {
        let path = folder.join(file.file_name().expect("a name"));
        let bytes = std::fs::read(&path).expect("read");
        std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    };
    spoil(after.path(), &second.path);
    let refused = found(after.path()).expect_err("nothing holds what was before");
    assert!(refused.contains("no whole snapshot holds what was before"), "{refused}");
    spoil(before.path(), &second.path);
    assert_eq!(found(before.path()), Ok(expected), "the one before it and its log are still there");
    // Unless that log ends before the newer one began: it had been on disk as far, and what looks torn is damage.
    let last = folder::list(before.path()).expect("listed").pop().expect("a segment");
    let bytes = std::fs::read(&last.path).expect("read");
    std::fs::write(&last.path, &bytes[..2_000]).expect("written");
    let refused = found(before.path()).map(|found| found.len());
    let needed = format!("its log has to reach number {}", second.first.0);
    assert!(refused.as_ref().is_err_and(|refused| refused.contains(&needed)), "{refused:?}");
}

/// A log that goes on while a snapshot is taken.
struct Ahead(AtomicU64);

impl crate::snapshot::Log for Ahead {
    fn next(&self) -> Lsn {
        Lsn(self.0.fetch_add(4, Ordering::Relaxed))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_snapshot_needs_the_log_that_was_written_while_it_was_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shards, open) = started(folder.path(), Fsync::Never);
    for number in 0..6 {
        outcome(submit(&shards, &format!("key{number}"), set("v".into()))).expect("stored");
    }
    open.end(false);
    // The log has six records and the mark of its sync, so that its next number is 8.
    for (first, is_whole) in [(1, true), (4, true), (5, false), (8, false)] {
        let folder = copy(folder.path());
        let ahead = Ahead(AtomicU64::new(first));
        crate::snapshot::take(&shards, &ahead, folder.path(), OF, &|| false).expect("taken");
        let read = recover(folder.path(), OF, &mut |_| {}).map(|recovered| recovered.records);
        match (read, is_whole) {
            (Ok(records), true) => assert_eq!(records, 8 - first),
            (Err(error), false) => {
                let (said, needed) = (error.to_string(), format!("its log has to reach number {}", first + 4));
                assert!(said.contains(&needed), "{said}");
            }
            (read, _) => panic!("{first}: {:?}", read.map_err(|error| error.to_string())),
        }
    }
}

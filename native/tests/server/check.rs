//! `vitrine check` on real files: what they hold, what is wrong with them and where, and the repair.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::codec::snapshot::{self, Encoder, Kept};
use vitrine_engine::codec::wal;
use vitrine_engine::id::{Lsn, NodeId, Slot, Version};
use vitrine_engine::record::Record;
use vitrine_engine::request::{Entry, Key, Value};
use vitrine_engine::time::UnixMs;

const BEGUN: UnixMs = UnixMs(1_700_000_000_000);
const DEADLINE: UnixMs = UnixMs(1_700_000_060_000);
const SALT: u64 = 42;

fn version(count: u16) -> Version {
    Version::new(BEGUN, count, NodeId(1))
}

fn put(number: u16) -> Record {
    let value = Value { bytes: format!("value {number}").into(), media: Bytes::from_static(b"text/plain") };
    let entry = Entry { value, version: version(number), deadline: (number == 1).then_some(DEADLINE) };
    Record::Put { key: Key::new(format!("key{number}")).expect("a key"), entry }
}

/// A segment with one record of each kind, that begins with that number, and where each begins.
fn segment(first: u64) -> (Vec<u8>, Vec<usize>) {
    let key = || Key::new("key2").expect("a key");
    let records = [
        put(1),
        put(2),
        Record::Touch { key: key(), from: version(2), version: version(3), deadline: None },
        Record::Remove { key: key(), version: version(4) },
        Record::Forget { key: key(), version: version(4) },
        Record::Floor { slot: Slot::new(7).expect("a slot"), version: version(5) },
        Record::Synced { below: Lsn(first + 6) },
        put(6),
    ];
    let (cluster, node) = (ClusterTag(5), NodeId(1));
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    wal::put_header(&wal::Header { cluster, node, first: Lsn(first), begun: BEGUN, salt: SALT }, &mut bytes);
    for (number, record) in (first..).zip(&records) {
        starts.push(bytes.len());
        wal::put_record(SALT, Lsn(number), record, &mut bytes);
    }
    (bytes, starts)
}

/// A snapshot of two entries and a floor, which the log goes on from at that number.
fn snapshot(first: u64, until: u64) -> Vec<u8> {
    let header =
        snapshot::Header { cluster: ClusterTag(5), node: NodeId(1), first: Lsn(first), begun: BEGUN, salt: SALT };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&header, &mut bytes);
    for (key, deadline) in [("a", None), ("b", Some(DEADLINE))] {
        let (key, value) = (key.as_bytes(), &[b'x'; 300]);
        encoder.entry(&Kept { key, value, media: b"text/plain", version: version(1), deadline });
    }
    encoder.floor(Slot::new(7).expect("a slot"), version(5));
    encoder.finish(Lsn(until), UnixMs(BEGUN.0 + 20), &mut bytes);
    bytes
}

fn segment_name(first: u64) -> String {
    format!("wal-{first:020}.log")
}

/// Runs the command: its exit status and all that it prints.
fn check(arguments: &[&str], path: &Path) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_vitrine")).arg("check").args(arguments).arg(path).output().expect("it runs");
    (
        output.status.code(),
        [output.stdout, output.stderr].map(|out| String::from_utf8_lossy(&out).into_owned()).concat(),
    )
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn whole_files_say_what_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |name: &str, bytes: &[u8], expected: &[&str]| {
        let (status, text) = check(&[], &written(folder.path(), name, bytes));
        assert_eq!(status, Some(0), "{text}");
        expected.iter().for_each(|part| assert!(text.contains(part), "{name}: {part:?} in\n{text}"));
    };
    let (mut log, _) = segment(10);
    let length = log.len();
    log.resize(length + 1_000, 0);
    row(
        "a.log",
        &log,
        &[
            "segment of a log, whole",
            "format 1, cluster 0000000000000005, node 1, begun 2023-11-14T22:13:20.000Z",
            "numbers 10 to 17",
            "1,000 of them set aside for what comes: 1 floor, 1 forget, 3 puts, 1 remove, 1 synced, 1 touch",
            "keys 12 bytes, values 21 bytes, the longest 7",
            "1 with a deadline, 1 of them passed: 2023-11-14T22:14:20.000Z",
            "versions 18bcfe56800-1-1 (2023-11-14T22:13:20.000Z) to 18bcfe56800-6-1",
        ],
    );
    row(
        "a.vitrine",
        &snapshot(18, 25),
        &["snapshot, whole", "goes on from number 18, and has to reach 25", "1 floor, 2 puts", "values 600 bytes"],
    );
    let json = br#"{"format":"vitrine-cache","version":1,"entries":[{"key":"a","value":"1","version":"1-2-3"}]}"#;
    row("cache.json", json, &["cache.json, whole", "1 put\n", "versions 1-2-3"]);
    let (status, text) = check(&["--json"], folder.path());
    // The log begins at 10, and the snapshot is read from 18 on; it ends before 25.
    assert_eq!(status, Some(1), "{text}");
    let list = text.rsplit_once(']').expect("a list").0;
    let reports: serde_json::Value = serde_json::from_str(&format!("{list}]")).expect("JSON");
    assert_eq!(reports[0]["numbers"], serde_json::json!([10, 18]));
    assert_eq!(reports[0]["contents"]["kinds"]["puts"], 3);
    assert_eq!(reports[1]["state"]["what"], "its log has to reach number 25, and ends before 18");
}

#[test]
fn what_is_wrong_is_named_by_file_and_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |bytes: &[u8], status: i32, expected: &str| {
        let (seen, text) = check(&[], &written(folder.path(), "file", bytes));
        assert!(seen == Some(status) && text.contains(expected), "{seen:?}, {expected:?} in\n{text}");
    };
    let (log, starts) = segment(10);
    let changed = |bytes: &[u8], at: usize| {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        changed
    };
    row(&log[..log.len() - 1], 0, &format!("whole up to byte {}; behind it", starts[7]));
    let damage = format!("DAMAGED at byte {}: record 11: its checksum is wrong; byte {} says", starts[1], starts[6]);
    row(&changed(&log, starts[1] + 20), 1, &damage);
    row(&changed(&log, 20), 1, "DAMAGED at byte 0: the checksum of its header is wrong");
    row(&of_format(log, 2, wal::HEADER), 1, "a newer version wrote it: format 2, and this one reads format 1");
    let bytes = snapshot(1, 1);
    row(
        &of_format(bytes.clone(), 2, snapshot::HEADER),
        1,
        "a newer version wrote it: format 2, and this one reads format 1",
    );
    row(&bytes[..bytes.len() - 1], 1, "it has no end, and is no snapshot");
    row(&changed(&bytes, 80), 1, "DAMAGED at byte 47: the checksum is wrong");
    row(br#"{"format":"vitrine-cache","version":1,"entries":[{"key":"a"}]}"#, 1, "missing field `value` at line 1");
    row(b"hello", 1, "unknown, DAMAGED at byte 0");
    row(b"", 1, "unknown, DAMAGED at byte 0");
    assert_eq!(check(&[], &folder.path().join("none")).0, Some(3));
    assert_eq!(check(&["--no-such"], folder.path()).0, Some(2));
}

#[test]
fn files_of_a_folder_are_held_to_each_other() {
    let row = |files: &[(&str, &[u8])], status: i32, expected: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        files.iter().for_each(|(name, bytes)| drop(written(folder.path(), name, bytes)));
        let (seen, text) = check(&[], folder.path());
        assert!(seen == Some(status) && text.contains(expected), "{seen:?}, {expected:?} in\n{text}");
    };
    let [one, nine, seventeen, twenty] = [1, 9, 17, 20].map(|first| segment(first).0);
    let names = [1, 9, 17, 20].map(segment_name);
    row(&[(&names[0], &one), (&names[1], &nine), (&names[2], &seventeen)], 0, "numbers 17 to 24");
    row(&[(&names[0], &one), (&names[3], &twenty)], 1, "it begins with number 20, and");
    row(&[(&names[0], &one[..one.len() - 1]), (&names[1], &nine)], 1, "it had been synced, as");
    row(&[(&names[1], &nine)], 1, "no whole snapshot is here that it goes on from");
    let snapshots = [snapshot(12, 15), snapshot(12, 99)];
    row(&[(&names[1], &nine), ("snapshot-00000000000000000012.vitrine", &snapshots[0])], 0, "has to reach 15");
    row(&[(&names[1], &nine), ("snapshot-00000000000000000012.vitrine", &snapshots[1])], 1, "has to reach number 99");
    row(&[], 0, "no log, snapshot or cache.json is there");
}

#[test]
fn a_repair_cuts_at_the_damage_and_keeps_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let ((mut log, starts), (behind, _)) = (segment(1), segment(9));
    log[starts[2] + 20] ^= 1;
    let first = written(folder.path(), &segment_name(1), &log);
    let second = written(folder.path(), &segment_name(9), &behind);
    let (status, text) = check(&["--repair"], folder.path());
    assert_eq!(status, Some(0), "{text}");
    for part in ["lost: record 3 and what follows", "lost: records 9 to before 17", ".log.damaged"] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert_eq!(fs::read(&first).expect("read"), log[..starts[2]]);
    assert_eq!(fs::read(first.with_extension("log.damaged")).expect("read"), log);
    assert_eq!(fs::read(second.with_extension("log.damaged")).expect("read"), behind);
    assert!(!second.exists());
    let (status, text) = check(&[], folder.path());
    assert!(status == Some(0) && text.contains("numbers 1 to 2"), "{text}");
}

/// Files of format 1, as they were written once: every later version reads them. They are never written anew.
#[test]
fn files_of_format_1_are_read_by_every_later_version() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/formats");
    for (name, bytes) in [("log-1.log", segment(1).0), ("snapshot-1.vitrine", snapshot(1, 9))] {
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !folder.join(name).exists() {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
    let row = |name: &str, expected: &[&str]| {
        let (status, text) = check(&[], &folder.join(name));
        assert_eq!(status, Some(0), "{text}");
        expected.iter().for_each(|part| assert!(text.contains(part), "{name}: {part:?} in\n{text}"));
    };
    let versions = "versions 18bcfe56800-1-1 (2023-11-14T22:13:20.000Z)";
    row("log-1.log", &["numbers 1 to 8", "1 floor, 1 forget, 3 puts, 1 remove, 1 synced, 1 touch", versions]);
    row("snapshot-1.vitrine", &["1 floor, 2 puts", "from number 1, and has to reach 9", "values 600 bytes", versions]);
}

/// The same file, as a later version would have written it: another format, and a checksum of its own.
fn of_format(mut bytes: Vec<u8>, format: u8, header: usize) -> Vec<u8> {
    bytes[8] = format;
    let sum = crc32c(&bytes[..header - 4]).to_le_bytes();
    bytes[header - 4..header].copy_from_slice(&sum);
    bytes
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[test]
fn what_a_newer_version_wrote_is_refused_with_a_sentence_and_left_as_it_is() {
    let (log, snapshot) = (segment(1).0, snapshot(1, 9));
    let (newer_log, newer_snapshot) =
        (of_format(log.clone(), 2, wal::HEADER), of_format(snapshot.clone(), 2, snapshot::HEADER));
    let json = br#"{"format":"vitrine-cache","version":2,"entries":[]}"#;
    let snapshot_name = "snapshot-00000000000000000001.vitrine";
    let log_name = segment_name(1);
    // An older snapshot or log beside it is no way around it.
    for files in [
        vec![(&log_name[..], &newer_log[..])],
        vec![(snapshot_name, &newer_snapshot[..]), (&log_name, &log)],
        vec![("cache.json", &json[..])],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in &files {
            written(folder.path(), name, bytes);
        }
        for arguments in [&[][..], &["--repair"]] {
            let (status, text) = check(arguments, folder.path());
            assert_eq!(status, Some(1), "{text}");
            assert!(text.contains("a newer version wrote it: ") && !text.contains("DAMAGED"), "{text}");
        }
        if files[0].0 != "cache.json" {
            let data = folder.path().to_str().expect("text");
            let output = super::support::run(&["serve", "--data", data, "--port", "0", "--peer-port", "0"]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{text}");
            for part in [files[0].0, "a newer version wrote it: format 2, and this one reads format 1", "left as it is"]
            {
                assert!(text.contains(part), "{part:?} in\n{text}");
            }
            assert!(!text.contains("repair"), "{text}");
        }
        for (name, bytes) in &files {
            assert_eq!(fs::read(folder.path().join(name)).expect("still there"), *bytes, "{name}");
        }
    }
    // A byte of ours that has changed is damage, and can be repaired.
    let folder = tempfile::tempdir().expect("a folder");
    let mut rotten = log;
    rotten[8] = 3;
    let (status, text) = check(&["--repair"], &written(folder.path(), &log_name, &rotten));
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("DAMAGED at byte 0: the checksum of its header is wrong"), "{text}");
}

#[test]
fn a_folder_that_is_in_use_is_not_repaired() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = super::support::Node::start(folder.path(), &["--fsync", "always"]);
    let name = segment_name(1);
    let before = fs::metadata(folder.path().join(&name)).expect("a segment").len();
    for path in [folder.path(), &folder.path().join(&name)] {
        let (status, text) = check(&["--repair"], path);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("is in use by node n1, process") && text.contains("stop it"), "{text}");
        assert_eq!(check(&[], path).0, Some(0));
    }
    assert_eq!(fs::metadata(folder.path().join(&name)).expect("a segment").len(), before);
    drop(node);
    let (status, text) = check(&["--repair"], folder.path());
    assert!(status == Some(0) && text.contains("nothing is to be repaired"), "{text}");
}

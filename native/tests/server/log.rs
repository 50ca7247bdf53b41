//! The log as its operators meet it: what outlives a kill, what is said of a tail that is torn, of damage, of a folder
//! that somebody else has, and of a disk that is full.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vitrine::load::Stopwatch;

use crate::support::{Cluster, Node, eventually, run};

const ALWAYS: &[&str] = &["--fsync", "always"];
/// Set for the process that was put into a file system of its own.
const INSIDE: &str = "LOG_ON_SMALL_DISK";

pub fn put(node: &Node, key: &str, value: &str) -> u16 {
    node.send("PUT", &format!("/v1/entries/{key}"), "", value.as_bytes()).status
}

fn get(node: &Node, key: &str) -> Option<String> {
    let answer = node.ask("GET", &format!("/v1/entries/{key}"));
    (answer.status == 200).then(|| answer.text())
}

pub fn ready(data: &Path, arguments: &[&str]) -> Node {
    let node = Node::start(data, arguments);
    eventually("the node is ready", || node.ask("GET", "/readyz").text() == "ready\n");
    node
}

/// What a node said of how it began, and how long that took.
fn begun(node: &Node) -> serde_json::Value {
    let lines = node.said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"));
    let mut told = lines.filter(|line| line["message"] == "the log has been read");
    let told = told.next().unwrap_or_else(|| panic!("it said {}", node.said));
    assert!(told["took_ms"].is_u64() && told["folder"].is_string(), "{told}");
    told
}

/// The segments that have records, in order.
fn segments(data: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    all.sort();
    all
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let data = tempfile::tempdir().expect("a folder");
    let node = ready(data.path(), ALWAYS);
    for number in 0..50 {
        assert_eq!(put(&node, &format!("k{number}"), &format!("v{number}")), 201);
    }
    assert_eq!(node.ask("DELETE", "/v1/entries/k7").status, 204);
    assert_eq!(node.send("PUT", "/v1/entries/brief?ttl=1s", "", b"soon gone").status, 201);
    assert_eq!(node.send("PUT", "/v1/entries/long?ttl=1h", "", b"an hour").status, 201);
    assert_eq!(node.ask("POST", "/v1/entries/count/incr?by=41").status, 201);
    let version = node.ask("GET", "/v1/entries/k1").header("etag").expect("a version").to_owned();
    node.kill();
    std::thread::sleep(Duration::from_secs(1));
    let node = ready(data.path(), ALWAYS);
    for number in (0..50).filter(|number| *number != 7) {
        assert_eq!(get(&node, &format!("k{number}")), Some(format!("v{number}")));
    }
    assert_eq!(node.ask("GET", "/v1/entries/k1").header("etag"), Some(&*version));
    assert_eq!((get(&node, "k7"), get(&node, "brief")), (None, None), "deleted, and over");
    assert_eq!(get(&node, "long").as_deref(), Some("an hour"));
    assert_eq!(node.ask("POST", "/v1/entries/count/incr").text(), "42");
    assert!(node.metric("vitrine_wal_records_total") >= 1);
    assert_eq!(node.metric("vitrine_wal_read_only"), 0);
}

/// After a restart the versions of a node are up to ten seconds ahead of the time, and so is what its log has then:
/// that ends no entry early whose deadline is nearer. What is over is not there, however young the versions are.
#[test]
fn two_starts_in_quick_succession_end_no_entry_early() {
    let told = (0..10).map(|_| started_twice()).find(|left| *left > 0);
    assert!(told.is_some(), "a start takes longer than all of them live");
}

/// How many entries with seconds to live were there after two starts: each whose deadline had not come. A machine that
/// is slow may find none of them, and has shown nothing then.
fn started_twice() -> usize {
    let data = tempfile::tempdir().expect("a folder");
    // Its successor begins above the number that this one has written down.
    ready(data.path(), ALWAYS).kill();
    let node = ready(data.path(), ALWAYS);
    let clock = Stopwatch::start();
    let mut lives: Vec<(String, Duration)> = Vec::new();
    for seconds in 1..=9 {
        let (key, asked) = (format!("for-{seconds}"), clock.elapsed());
        let stored = node.send("PUT", &format!("/v1/entries/{key}?ttl={seconds}s"), "", b"v");
        assert_eq!(stored.status, 201, "{}", stored.text());
        // It lives from some moment between question and answer on.
        lives.push((key, asked + Duration::from_secs(seconds)));
    }
    assert_eq!(put(&node, "last", "v"), 201);
    node.kill();
    std::thread::sleep(Duration::from_secs(1));
    let node = ready(data.path(), ALWAYS);
    let mut left = 0;
    for (key, until) in &lives {
        let found = get(&node, key);
        if clock.elapsed() < *until {
            assert_eq!(found.as_deref(), Some("v"), "{key} has not run out");
            left += 1;
        }
    }
    assert_eq!(get(&node, "last").as_deref(), Some("v"));
    // The first had run out before this start began.
    assert_eq!(get(&node, &lives[0].0), None);
    left
}

#[test]
fn a_torn_tail_is_cut_off_and_damage_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let node = ready(data.path(), ALWAYS);
    for number in 0..20 {
        assert_eq!(put(&node, &format!("k{number}"), "v"), 201);
    }
    node.kill();
    // What was being written when the power went.
    let [segment] = &segments(data.path())[..] else { panic!("one segment") };
    let records = fs::read(segment).expect("read").iter().rposition(|byte| *byte != 0).expect("records") as u64 + 1;
    let mut file = OpenOptions::new().write(true).open(segment).expect("opened");
    file.set_len(records).expect("cut");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("moved");
    file.write_all(&[0x33; 40]).expect("written");
    let node = ready(data.path(), ALWAYS);
    let told = begun(&node);
    assert!(told["torn_bytes"].as_u64() >= Some(40) && told["records"].as_u64() >= Some(20), "{told}");
    assert_eq!((&told["entries"], &told["segments"], &told["fsync"]), (&20.into(), &1.into(), &"always".into()));
    assert_eq!((0..20).filter(|number| get(&node, &format!("k{number}")).is_some()).count(), 20);
    assert_eq!(put(&node, "after", "v"), 201);
    node.kill();
    let mut bytes = fs::read(segment).expect("read");
    bytes[200] ^= 1;
    fs::write(segment, bytes).expect("written");
    let refused = run(&["serve", "--port", "0", "--data", data.path().to_str().expect("text")]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for expected in [segment.to_str().expect("text"), "byte 1", "vitrine check --repair", "an empty folder"] {
        assert!(said.contains(expected), "{expected} is not in: {said}");
    }
    // The first way on that it names.
    let folder = data.path().to_str().expect("text");
    let repaired = run(&["check", "--repair", folder]);
    assert!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
    let node = ready(data.path(), ALWAYS);
    assert!(get(&node, "k0").is_some() && get(&node, "k19").is_none());
}

#[test]
fn a_folder_has_one_node_and_a_log_has_a_folder() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path(), &[]);
    let refused = run(&["serve", "--port", "0", "--data", data.path().to_str().expect("text")]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("is in use by node n1, process {}", node.pid())), "{said}");
    let refused = run(&["serve", "--fsync", "always"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("name it with --data DIR"), "{said}");
    let refused = run(&["serve", "--data", "x", "--fsync", "sometimes"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("always, everysec, never, off or auto"), "{said}");
}

#[test]
fn a_full_disk_costs_writes_and_nothing_else() {
    if let Some(disk) = std::env::var_os(INSIDE) {
        return full_disk(Path::new(&disk));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let myself = std::env::current_exe().expect("this program has a path");
    let mut inside = Command::new("unshare");
    inside.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    inside.arg("mount -t tmpfs -o size=8m none \"$1\" && exec \"$0\" --exact \"$2\" --nocapture").arg(myself);
    inside.arg(folder.path()).arg("log::a_full_disk_costs_writes_and_nothing_else").env(INSIDE, folder.path());
    let possible = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none \"$0\""])
        .arg(folder.path())
        .output();
    if let Some(obstacle) = match possible {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    } {
        // Past the capture of the test's output: whoever runs it should know.
        let _ = writeln!(std::io::stderr(), "skipped: no small disk can be made here ({obstacle})");
        return;
    }
    let output = inside.output().expect("unshare starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The folder is on a disk of 8 MB.
fn full_disk(folder: &Path) {
    let data = folder.join("data");
    let node = ready(&data, ALWAYS);
    let value = "x".repeat(256 << 10);
    let mut stored = Vec::new();
    let refused = loop {
        let key = format!("k{}", stored.len());
        let answer = node.send("PUT", &format!("/v1/entries/{key}"), "", value.as_bytes());
        if answer.status != 201 {
            break answer;
        }
        stored.push(key);
        assert!(stored.len() < 64, "16 MB were taken");
    };
    assert!(stored.len() > 8, "{} were taken", stored.len());
    // The one that met the end may be there or not; those behind it are refused.
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("indeterminate")), "{}", refused.text());
    let refused = node.send("PUT", "/v1/entries/other", "", b"v");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("read_only")), "{}", refused.text());
    assert_eq!(node.metric("vitrine_wal_read_only"), 1);
    for path in ["/healthz", "/readyz"] {
        let answer = node.ask("GET", path);
        assert_eq!(answer.status, 200);
        let said = answer.text();
        assert!(said.contains("read-only: the log cannot be written: ") && said.contains("os error 28"), "{said}");
    }
    let all_there = |node: &Node| stored.iter().all(|key| get(node, key).is_some_and(|found| found == value));
    assert!(all_there(&node), "reads go on");
    // Somebody makes room. No restart is needed.
    let segment = &segments(&data)[0];
    let made = Command::new("mount").args(["-o", "remount,size=64m"]).arg(folder).output().expect("mount runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    eventually("it takes writes again", || put(&node, "after", "v") == 201);
    assert_eq!(node.metric("vitrine_wal_read_only"), 0);
    assert_eq!(node.ask("GET", "/healthz").text(), "ok\n");
    node.kill();
    let node = ready(&data, ALWAYS);
    assert!(all_there(&node) && get(&node, "after").is_some() && segment.exists());
}

#[test]
fn snapshots_are_taken_by_time_and_on_request_and_a_start_begins_with_the_last() {
    let data = tempfile::tempdir().expect("a folder");
    let node = ready(data.path(), &["--fsync", "always", "--snapshot-every", "1s"]);
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|end| end == "vitrine");
    let snapshots = || -> Vec<PathBuf> {
        let all = fs::read_dir(data.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        all.filter(is_snapshot).collect()
    };
    assert_eq!(put(&node, "first", "v"), 201);
    eventually("one is taken by time", || node.metric("vitrine_snapshots_taken_total") == 1);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(node.metric("vitrine_snapshots_taken_total"), 1, "nothing has changed since");
    assert_eq!(node.metric("vitrine_snapshot_last_entries"), 1);
    drop(node);
    let node = ready(data.path(), &["--fsync", "always", "--snapshot-every", "off"]);
    for number in 0..20 {
        assert_eq!(put(&node, &format!("k{number}"), "v"), 201);
    }
    let url = format!("http://127.0.0.1:{}", node.port);
    let saved = run(&["save", "--url", &url]);
    let said = String::from_utf8_lossy(&saved.stdout).into_owned();
    assert!(said.starts_with("saved 21 entries to cache.json\nsnapshot-") && said.contains(": 21 entries, "), "{said}");
    let [snapshot] = &snapshots()[..] else { panic!("the last one alone") };
    assert!(said.contains(snapshot.file_name().and_then(|name| name.to_str()).expect("text")), "{said}");
    let named = node.ask("POST", "/save?file=other.json").json();
    assert!(named["snapshot"].is_null() && named["entries"] == 21, "whoever names a file wants that one: {named}");
    let alone = run(&["save", "--form", "snapshot", "--url", &url]);
    let said = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert!(said.starts_with("snapshot-") && said.lines().count() == 1, "{said}");
    for (query, expected) in [("form=x", "json or snapshot"), ("form=snapshot&file=x.json", "leave `file` out")] {
        let refused = node.ask("POST", &format!("/save?{query}"));
        assert!(refused.status == 400 && refused.text().contains(expected), "{}", refused.text());
    }
    assert_eq!(node.ask("DELETE", "/v1/entries/k3").status, 204);
    assert_eq!(put(&node, "later", "v"), 201);
    node.kill();
    let checked = run(&["check", data.path().to_str().expect("text")]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let node = ready(data.path(), ALWAYS);
    let told = begun(&node);
    assert!(told["snapshot_records"].as_u64() >= Some(21) && told["torn_bytes"] == 0, "{told}");
    assert_eq!((get(&node, "k3"), get(&node, "later").as_deref()), (None, Some("v")));
    assert_eq!((0..20).filter(|number| get(&node, &format!("k{number}")).is_some()).count(), 19);
    // What is saved for people is loaded by them.
    let loaded = run(&["load", "--url", &format!("http://127.0.0.1:{}", node.port)]);
    let said = String::from_utf8_lossy(&loaded.stdout).into_owned();
    assert!(said.contains("entries from cache.json"), "{said}");
    let refused = run(&["load", "../x", "--url", &format!("http://127.0.0.1:{}", node.port)]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[test]
fn a_log_that_has_outgrown_its_snapshot_is_replaced_by_another() {
    let data = tempfile::tempdir().expect("a folder");
    let node = ready(data.path(), &["--fsync", "never", "--snapshot-every", "off"]);
    let value = "v".repeat(4 << 20);
    for number in 0..15 {
        assert_eq!(put(&node, "k", &value), if number == 0 { 201 } else { 204 });
    }
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(node.metric("vitrine_snapshots_taken_total"), 0, "60 MiB are read in no time");
    (0..3).for_each(|_| assert_eq!(put(&node, "k", &value), 204));
    eventually("the log is longer than 64 MiB", || node.metric("vitrine_snapshots_taken_total") == 1);
    assert_eq!(node.metric("vitrine_snapshot_last_entries"), 1);
    // 72 MiB of it stand in one entry now.
    eventually("the log before it goes", || segments(data.path()).len() == 1);
}

/// The binary under `strace`, which says of those syncs of its log that they fail.
fn failing(when: &str) -> Command {
    let mut strace = Command::new("strace");
    // The thread of the log is the only one that syncs so.
    strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e"]);
    strace.arg(format!("inject=fdatasync:error=EIO:when={when}"));
    strace
}

/// Why no error can be injected on this machine, if so.
fn obstacle() -> Option<String> {
    let obstacle = match failing("1").arg("true").output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(obstacle) = &obstacle {
        let _ = writeln!(std::io::stderr(), "skipped: no error can be injected here (strace: {obstacle})");
    }
    obstacle
}

/// As [`crate::support::vitrine`], where the 21st to the 35th sync of the second node fail: one a second, while no more
/// is written.
fn second_fails(index: usize) -> Command {
    if index != 1 {
        return crate::support::vitrine();
    }
    let mut strace = failing("21..35");
    strace.arg(env!("CARGO_BIN_EXE_vitrine")).stdin(std::process::Stdio::null());
    strace
}

#[test]
fn a_node_whose_disk_fails_steps_aside_and_the_others_answer_for_its_slots() {
    if obstacle().is_some() {
        return;
    }
    let cluster = Cluster::start_by(second_fails, 3, ALWAYS);
    let (own, shared) = (cluster.key_of(&[1, 2]), cluster.key_of(&[0, 1]));
    let second = cluster.node(1);
    let state = |of: usize| second_state(cluster.node(of));
    assert_eq!(put(second, &own, "before"), 201);
    let mut failed = 0;
    eventually("its disk fails", || {
        failed += 1;
        put(second, &own, &format!("try {failed}")) / 100 != 2
    });
    eventually("it steps aside", || [0, 1, 2].iter().all(|of| state(*of) == "aside"));
    assert!(second.ask("GET", "/healthz").text().contains("other members answer for its slots"));
    assert_eq!(cluster.node(0).metric("vitrine_members_by_state{state=\"aside\"}"), 1);
    // Whoever is asked, writes go on, with one copy, and what is read is what was written last.
    for (key, value) in [(&own, "own"), (&shared, "shared")] {
        let stored = second.send("PUT", &format!("/v1/entries/{key}"), "", value.as_bytes());
        assert_eq!(stored.status / 100, 2, "{}", stored.text());
        assert_eq!(stored.header("x-vitrine-copies"), Some("1"));
        for node in 0..3 {
            let found = cluster.node(node).ask("GET", &format!("/v1/entries/{key}?read=one"));
            assert_eq!((found.status, found.text().as_str()), (200, value), "{key} at n{}", node + 1);
        }
    }
    eventually("it is back", || [0, 1, 2].iter().all(|of| state(*of) == "alive"));
    eventually("it knows what it missed", || second.ask("GET", "/readyz").text() == "ready\n");
    for (key, value) in [(&own, "own"), (&shared, "shared")] {
        let found = second.ask("GET", &format!("/v1/entries/{key}?read=one"));
        assert_eq!((found.status, found.text().as_str()), (200, value));
        let stored = second.send("PUT", &format!("/v1/entries/{key}"), "", b"after");
        assert_eq!((stored.status, stored.header("x-vitrine-copies")), (204, Some("2")), "{}", stored.text());
    }
}

/// How the second node is doing, as that one sees it.
fn second_state(node: &Node) -> String {
    let document = node.ask("GET", "/v1/cluster").json();
    document["members"][1]["state"].as_str().expect("a state").to_owned()
}

#[test]
fn a_sync_that_fails_is_no_acknowledgement_and_the_next_segment_has_what_it_lost() {
    if obstacle().is_some() {
        return;
    }
    let mut strace = failing("10..12");
    let data = tempfile::tempdir().expect("a folder");
    strace.arg(env!("CARGO_BIN_EXE_vitrine")).stdin(std::process::Stdio::null());
    let folder = data.path().to_str().expect("text");
    let node = Node::spawn_by(strace, &["--port", "0", "--data", folder, "--fsync", "always"]);
    let node = node.unwrap_or_else(|said| panic!("{said}"));
    eventually("the node is ready", || node.ask("GET", "/readyz").text() == "ready\n");
    let mut stored = Vec::new();
    let failed = loop {
        let key = format!("k{}", stored.len());
        let answer = node.send("PUT", &format!("/v1/entries/{key}"), "", b"v");
        if answer.status != 201 {
            break answer;
        }
        stored.push(key);
        assert!(stored.len() < 100, "it never fails");
    };
    assert_eq!((failed.status, failed.json()["code"].as_str()), (503, Some("indeterminate")), "{}", failed.text());
    assert!(node.ask("GET", "/healthz").text().contains("os error 5"), "it says why");
    assert_eq!(node.send("PUT", "/v1/entries/refused", "", b"v").json()["code"], "read_only");
    eventually("it takes writes again", || put(&node, "after", "v") == 201);
    assert_eq!(node.metric("vitrine_wal_failures_total"), 3);
    node.kill();
    let node = ready(data.path(), ALWAYS);
    assert!(stored.iter().all(|key| get(&node, key).is_some()), "what was acknowledged");
    assert_eq!((get(&node, "after").as_deref(), get(&node, "refused")), (Some("v"), None));
    // It was in memory, and so the next segment has it: whoever asked was told that this may be.
    assert_eq!(get(&node, &format!("k{}", stored.len())).as_deref(), Some("v"));
}

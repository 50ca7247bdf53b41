//! Nodes with more to do than they can, peers that do not answer, and clocks that were wrong.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::support::{Answer, Cluster, Node, answer_of, eventually};

#[test]
fn one_connection_too_many_is_told_so_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path(), &["--max-connections", "2"]);
    assert_eq!(node.send("PUT", "/v1/entries/k", "", b"v").status, 201);
    // Two are served, the others are refused before they say anything.
    let mut clients: Vec<_> = (0..6).map(|_| node.connect()).collect();
    clients.iter().for_each(|client| client.set_nonblocking(true).expect("a socket"));
    let is_told = |client: &TcpStream| client.peek(&mut [0]).is_ok_and(|bytes| bytes > 0);
    eventually("all but two are told", || clients.iter().filter(|client| is_told(client)).count() >= 4);
    for refused in clients.iter_mut().filter(|client| is_told(client)) {
        refused.set_nonblocking(false).expect("a socket");
        // What it says itself is not looked at, and does not cut the answer off.
        let _ = refused.write_all(&[b'x'; 60_000]);
        let answer = answer_of(refused);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("busy")), "{}", answer.text());
        assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("1"), Some("close")));
    }
    drop(clients);
    eventually("there is room again", || node.ask("GET", "/v1/entries/k").status == 200);
    assert!(node.metric("vitrine_connections_refused_total") >= 4);
}

#[test]
fn a_slot_without_a_majority_says_so_in_every_answer() {
    let mut cluster = Cluster::start(3, &[]);
    let (apart, whole) = (cluster.key_of(&[0, 2]), cluster.key_of(&[0, 1]));
    let entry = |key: &str| format!("/v1/entries/{key}?timeout=30s");
    let header = "x-vitrine-isolated";
    // On a machine that is short of processors the two that are up may miss each other for a moment, and say so.
    let says_nothing = |cluster: &Cluster, n: usize, key: &str| {
        let written = cluster.node(n).send("PUT", &entry(key), "", b"v");
        written.header(header).is_none()
    };
    for key in [&apart, &whole] {
        eventually("all is well", || says_nothing(&cluster, 1, key));
    }
    cluster.kill(2);
    eventually("it is noticed", || (0..2).all(|n| cluster.node(n).ask("GET", &entry(&apart)).header(header).is_some()));
    for n in 0..2 {
        let node = cluster.node(n);
        // Short and long ways to an answer, found and not found, written and read.
        let rows = [
            node.ask("GET", &entry(&apart)),
            node.ask("HEAD", &entry(&apart)),
            node.send("PUT", &entry(&apart), "", b"w"),
            node.send("PUT", &entry(&apart), "if-none-match: *\r\n", b"w"),
            node.ask("GET", &format!("/v1/entries/{apart}?read=quorum")),
            node.ask("GET", &format!("/get?key={apart}")),
            node.ask("POST", &format!("/set?key={apart}&value=w")),
        ];
        for answer in rows {
            assert_eq!(answer.header(header), Some("true"), "{}", answer.head);
        }
        assert_eq!(node.ask("GET", &format!("/get?key={apart}")).json()["isolated"], true);
        assert_eq!(node.ask("POST", &format!("/set?key={apart}&value=w")).json()["isolated"], true);
        assert_eq!(node.ask("GET", &format!("/v1/explain/{apart}")).json()["isolated"], true);
        // Its majority is in touch: nothing is said.
        eventually("its majority is in touch", || {
            says_nothing(&cluster, n, &whole)
                && node.ask("GET", &entry(&whole)).header(header).is_none()
                && node.ask("GET", &format!("/get?key={whole}")).json()["isolated"] == serde_json::Value::Null
        });
        assert!(node.metric("vitrine_slots_isolated") > 0);
    }
    cluster.restart(2);
    eventually("all is well again", || {
        (0..3).all(|n| {
            let node = cluster.node(n);
            node.ask("GET", &entry(&apart)).header(header).is_none() && node.metric("vitrine_slots_isolated") == 0
        })
    });
}

#[test]
fn a_stopped_peer_slows_no_slot_of_others() {
    let cluster = Cluster::start(3, &[]);
    let (shared, healthy) = (cluster.key_of(&[0, 2]), cluster.keys_of(&[0, 1], 20));
    let path = |key: &str| format!("/v1/entries/{key}?timeout=30s");
    let write = |key: &str| cluster.node(0).send("PUT", &path(key), "", b"v");
    assert_eq!(write(&shared).header("x-vitrine-copies"), Some("2"));
    let mut tries = 0..TRIES;
    let meanwhile = tries.find_map(|_| {
        cluster.node(2).pause();
        let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let meanwhile = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                begun.store(true, Ordering::SeqCst);
                let stored = write(&shared);
                done.store(true, Ordering::SeqCst);
                stored
            });
            eventually("it has begun", || begun.load(Ordering::SeqCst));
            let (mut meanwhile, mut both) = (0, true);
            for key in healthy.iter().cycle() {
                let stored = write(key);
                assert!([201, 204].contains(&stored.status), "{}", stored.head);
                assert_eq!(cluster.node(1).ask("GET", &path(key)).status, 200);
                if done.load(Ordering::SeqCst) {
                    break;
                }
                meanwhile += 1;
                both &= has_both(&stored);
            }
            // It waited for the stopped one until that was given up, and then there was one copy.
            let stored = waiting.join().expect("it ended");
            assert_eq!((stored.status, stored.header("x-vitrine-copies")), (204, Some("1")), "{}", stored.head);
            if both { meanwhile } else { 0 }
        });
        cluster.node(2).signal(Signal::CONT);
        eventually("it has what it missed", || {
            let answer = cluster.node(2).ask("GET", &format!("/v1/entries/{shared}?read=one"));
            answer.status == 200 && cluster.node(2).metric("vitrine_reconcile_lanes_in_doubt") == 0
        });
        (meanwhile > 0).then_some(meanwhile)
    });
    eprintln!("{meanwhile:?} writes of other slots while one waited for the stopped peer");
    assert!(meanwhile.is_some(), "they did not wait with it");
}

/// How often something is looked at that lasts until a peer is given up. On a machine with other things to do that may
/// be over before anybody had a turn: then it has shown nothing.
const TRIES: usize = 10;

/// Have both replicas taken it? Where the machine gave one of them no turn for seconds the other has given it up, and
/// that shows nothing of a third.
fn has_both(stored: &Answer) -> bool {
    stored.header("x-vitrine-copies") == Some("2")
}

/// Tells others to stop when it goes, also by a failure: else a test would wait for them for ever.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A peer that stands still again and again, each time too briefly to be given up. While it does, every request for a
/// slot that does not need it is answered: a round of them each time, from the moment in which it stands still until it
/// is let go on, which waits for the round. None is refused, and none waits for it: it could not be answered.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_limps_slows_no_slot_of_others() {
    const ROUNDS: usize = 12;
    let cluster = Cluster::start(3, &["--request-timeout", "30s"]);
    let (shared, healthy) = (cluster.key_of(&[0, 2]), cluster.keys_of(&[0, 1], 5));
    let path = |key: &str| format!("/v1/entries/{key}");
    let stop = AtomicBool::new(false);
    let (shared_written, answered) = std::thread::scope(|scope| {
        // Writes that need it go on all the while, and have to wait for it.
        let slow = scope.spawn(|| {
            let mut count = 0;
            while !stop.load(Ordering::SeqCst) {
                let stored = cluster.node(0).send("PUT", &path(&shared), "", b"v");
                assert!([201, 204].contains(&stored.status), "{}", stored.text());
                count += 1;
            }
            count
        });
        let stops = Stops(&stop);
        let (mut answered, mut rounds) = (0, 0);
        while answered < ROUNDS * healthy.len() * 4 {
            rounds += 1;
            assert!(rounds <= TRIES * ROUNDS, "the two that are healthy give each other up again and again");
            let node = cluster.node(2);
            let mut both = true;
            node.pause();
            for key in &healthy {
                for asked in 0..2 {
                    let stored = cluster.node(asked).send("PUT", &path(key), "", b"v");
                    assert!([201, 204].contains(&stored.status), "{}", stored.text());
                    assert_eq!(cluster.node(asked).ask("GET", &path(key)).status, 200);
                    both &= has_both(&stored);
                }
            }
            answered += if both { healthy.len() * 4 } else { 0 };
            // It has done nothing meanwhile: none of these needed it.
            assert!(stands_still(node.pid()));
            node.signal(Signal::CONT);
            // It is asked for again before it stands still once more.
            assert_eq!(node.ask("GET", "/healthz").status, 200);
        }
        drop(stops);
        (slow.join().expect("answered"), answered)
    });
    assert_eq!(answered, ROUNDS * healthy.len() * 4, "all of them, while it stood still");
    assert_eq!([0, 1].map(|index| cluster.node(index).metric("vitrine_busy_total")), [0, 0], "none was turned away");
    let retries = cluster.node(0).metric("vitrine_retries_total");
    eprintln!("{answered} answered while it stood still; {shared_written} writes that it shares, {retries} repeated");
}

/// Has the system stopped that process?
#[cfg(target_os = "linux")]
fn stands_still(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
}

#[test]
fn many_readers_of_a_key_elsewhere_are_few_messages() {
    let cluster = Cluster::start(3, &[]);
    let key = cluster.key_of(&[1, 2]);
    let path = format!("/v1/entries/{key}?timeout=30s");
    assert_eq!(cluster.node(1).send("PUT", &path, "", b"v").status, 201);
    let mut tries = (0..TRIES).map(|_| {
        // Its primary is stopped, so that all of them wait at once.
        cluster.node(1).pause();
        let before = cluster.node(0).metric("vitrine_forwarded_shared_total");
        std::thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    let found = cluster.node(0).ask("GET", &path);
                    assert_eq!((found.status, found.text().as_str()), (200, "v"), "{}", found.head);
                });
            }
        });
        let shared = cluster.node(0).metric("vitrine_forwarded_shared_total") - before;
        cluster.node(1).signal(Signal::CONT);
        eventually("it is primary once more", || {
            let explained = cluster.node(0).ask("GET", &format!("/v1/explain/{key}")).json();
            explained["primary"] == "n2" && cluster.node(1).metric("vitrine_reconcile_lanes_in_doubt") == 0
        });
        shared
    });
    let shared = tries.find(|shared| *shared >= 25);
    assert!(shared.is_some(), "fewer than 25 of 50 shared the answer of another");
}

#[test]
fn versions_go_on_above_what_an_earlier_run_may_have_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(".n1.version-floor");
    let floor = || {
        let text = std::fs::read_to_string(&file).expect("a floor");
        u64::from_str_radix(text.lines().nth(1).expect("a second line"), 16).expect("a number")
    };
    // As it stands in the tag: milliseconds, counter and node, in hexadecimal.
    let written = |node: &Node| {
        let tag = node.send("PUT", "/v1/entries/k", "", b"v").header("etag").expect("a version").to_owned();
        let parts: Vec<u64> =
            tag.trim_matches('"').split('-').map(|part| u64::from_str_radix(part, 16).expect("a number")).collect();
        parts[0] << 16 | parts[1]
    };
    let node = Node::start(folder.path(), &[]);
    let (first, promised) = (written(&node), floor());
    assert!(first <= promised, "{first:x} was promised not to be above {promised:x}");
    node.kill();
    let node = Node::start(folder.path(), &[]);
    let second = written(&node);
    assert!(second > promised && second <= floor(), "{second:x} after a floor of {promised:x}");
    node.kill();
    // The clock was 50 minutes ahead in an earlier run, or is behind in this one.
    let far = ((second >> 16) + 3_000_000) << 16;
    let write = |path: &Path, stamp: u64| {
        std::fs::write(path, format!("vitrine version floor 1\n{stamp:016x}\n")).expect("written");
    };
    write(&file, far);
    let node = Node::start(folder.path(), &[]);
    assert!(written(&node) > far && floor() > far);
    node.kill();
    // Nobody would believe versions that are hours ahead: it says what to do, and does not start.
    write(&file, ((second >> 16) + 36_000_000) << 16);
    let data = folder.path().to_str().expect("a text path");
    let said = Node::spawn(&["--port", "0", "--data", data]).err().expect("it does not start");
    assert!(said.contains("ahead of this machine's clock") && said.contains("remove the file"), "{said}");
}

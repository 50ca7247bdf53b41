//! Five real processes under load, while what may go wrong does and members come and go; and the record of what clients
//! were told, read by the checkers of the simulator.

mod afterwards;
mod clients;
mod ext4;
mod http;
mod place;
#[path = "../../../tests/src/ports.rs"]
mod ports;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use vitrine_engine::id::Slot;
use vitrine_engine::request::{Answer, Key};
use vitrine_engine::sim::{Mark, Marks, Record, Reply, Told, Verb, Violation};
use vitrine_engine::time::Instant;

use clients::{COUNT, Clients, ONCE};
use ext4::{Ext4, SHUTDOWNS};
use http::Connection;
use place::Place;
use process::Cluster;

const NODES: usize = 5;
/// How long a fault lasts: long enough to be noticed.
const FAULT: Duration = Duration::from_secs(4);
/// Under load, before the next kill.
const BETWEEN: Duration = Duration::from_millis(400);
/// More than clocks of processes on one machine differ.
const SKEW: Duration = Duration::from_millis(500);
/// Set for the process that was put into a network of its own.
const INSIDE: &str = "FAULTS_IN_NETWORKS";
/// Set for the process whose mounts nobody else sees, and which go with it.
const MOUNTING: &str = "FAULTS_ON_EXT4";

#[test]
fn on_the_loopback_crashes_pauses_and_restarts_break_no_promise() {
    let mut cluster = Cluster::start(Place::loopback(NODES + 1), &[]);
    let clients = begin(&cluster);
    crashes(&mut cluster);
    changes(&mut cluster);
    judge("loopback", &cluster, clients, Instant(0), 2);
}

/// Every node syncs what it acknowledges: whatever is killed, and all at once, what was acknowledged is there again.
#[test]
fn on_the_loopback_no_kill_loses_what_is_on_disk() {
    for nodes in [1, 3] {
        let mut cluster = Cluster::start(Place::loopback(nodes + 1), &["--fsync", "always"]);
        let addresses: Vec<_> = (0..nodes).map(|node| cluster.place.http(node)).collect();
        let clients = Clients::start(&addresses, cluster.clock);
        cluster.rest();
        cluster.step("all are killed at once, again and again");
        let all: Vec<usize> = (0..nodes).collect();
        for _ in 0..kills() / 2 / nodes as u32 + 1 {
            std::thread::sleep(BETWEEN);
            cluster.kill_at_once(&all);
            cluster.restart_all(&all);
        }
        cluster.rest();
        let place = format!("{nodes} on disks");
        judge(&place, &cluster, clients, Instant(0), 1);
    }
}

/// How often a node is killed, all in all: ten times, unless `FAULTS_KILLS` says more.
fn kills() -> u32 {
    std::env::var("FAULTS_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(10)
}

#[test]
fn in_networks_of_their_own_partitions_break_no_promise() {
    if std::env::var_os(INSIDE).is_some() {
        let mut cluster = Cluster::start(Place::networks(NODES + 1), &["--fsync", "off"]);
        let clients = begin(&cluster);
        partitions(&cluster);
        let healed = cluster.now();
        crashes(&mut cluster);
        changes(&mut cluster);
        return judge("networks", &cluster, clients, healed, 2);
    }
    if let Some(obstacle) = place::obstacle() {
        // Past the capture of the test's output: whoever runs it should know.
        let _ = writeln!(std::io::stderr(), "skipped: no network can be made here ({obstacle})");
        return;
    }
    let test = "in_networks_of_their_own_partitions_break_no_promise";
    again(&["--user", "--map-root-user", "--net"], test, INSIDE);
}

/// A node syncs what it acknowledges to a file system that is shut down while it writes, in each way twice: what is on
/// its disk then is all that the node finds, and nothing that was acknowledged is missing. Snapshots are taken as well.
#[test]
fn on_a_file_system_that_is_shut_down_nothing_acknowledged_is_lost() {
    const ARGUMENTS: &[&str] = &["--fsync", "always", "--snapshot-every", "1s"];
    if std::env::var_os(MOUNTING).is_some() {
        let disk = Ext4::new().expect("it could be made a moment ago");
        let mut cluster = Cluster::start_in(disk.folder(), Place::loopback(2), ARGUMENTS);
        let clients = Clients::start(&[cluster.place.http(0)], cluster.clock);
        for (how, what) in SHUTDOWNS.into_iter().cycle().take(2 * SHUTDOWNS.len()) {
            std::thread::sleep(BETWEEN);
            cluster.step(&format!("its file system is shut down, {what}"));
            cluster.kill_after(0, || {
                disk.shut_down(how);
                // Under load: it is told that nothing is written any more, and tells so.
                std::thread::sleep(BETWEEN / 4);
            });
            disk.mount_again();
            cluster.restart(0);
        }
        cluster.rest();
        return judge("on ext4", &cluster, clients, Instant(0), 1);
    }
    let tried = Command::new("unshare").args(["--mount", "true"]).output();
    let allowed = tried.is_ok_and(|output| output.status.success());
    let obstacle = if allowed { Ext4::new().err() } else { Some("unshare --mount is not allowed".to_owned()) };
    if let Some(obstacle) = obstacle {
        let _ = writeln!(std::io::stderr(), "skipped: no file system can be made here ({obstacle})");
        return;
    }
    let test = "on_a_file_system_that_is_shut_down_nothing_acknowledged_is_lost";
    again(&["--mount", "--propagation", "private"], test, MOUNTING);
}

/// Runs a test of this program again, apart from the rest of the system in that way, and told so.
fn again(apart: &[&str], test: &str, told: &str) {
    let myself = std::env::current_exe().expect("this program has a path");
    let mut inside = Command::new("unshare");
    inside.args(apart).arg(myself).args(["--exact", test, "--nocapture"]).env(told, "1");
    let output = inside.output().expect("unshare starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
}

fn begin(cluster: &Cluster) -> Clients {
    let nodes: Vec<_> = (0..NODES).map(|node| cluster.place.http(node)).collect();
    let clients = Clients::start(&nodes, cluster.clock);
    cluster.step("nothing");
    cluster.rest();
    clients
}

fn crashes(cluster: &mut Cluster) {
    cluster.step("one of five is killed, and starts again");
    cluster.kill(1);
    std::thread::sleep(FAULT);
    cluster.restart(1);
    cluster.rest();
    cluster.step("one of five stands still");
    cluster.pause(2);
    std::thread::sleep(FAULT);
    cluster.resume(2);
    cluster.rest();
    cluster.step("all restart, one after the other");
    for node in 0..NODES {
        cluster.stop(node);
        cluster.restart(node);
    }
    cluster.rest();
}

/// Members come and go. That is no trouble: every promise holds all the while.
fn changes(cluster: &mut Cluster) {
    cluster.step("a sixth joins");
    cluster.join();
    cluster.step("one is drained, and gets its slots back");
    cluster.weigh(2, 0);
    cluster.weigh(2, 1);
    cluster.step("it leaves, joins anew, and leaves");
    cluster.leave();
    cluster.join();
    cluster.leave();
    cluster.rest();
}

fn partitions(cluster: &Cluster) {
    let both = |one: &[usize], other: &[usize]| -> Vec<(usize, usize)> {
        one.iter().flat_map(|a| other.iter().flat_map(|b| [(*a, *b), (*b, *a)])).collect()
    };
    let all: [(&str, &[(usize, usize)]); 4] = [
        ("one of five is cut off", &both(&[0], &[1, 2, 3, 4])),
        ("one does not hear another", &[(3, 4)]),
        ("two are cut off from three", &both(&[0, 1], &[2, 3, 4])),
        ("two do not hear each other", &both(&[1], &[2])),
    ];
    for (what, links) in all {
        cluster.step(what);
        cluster.cut(links);
        std::thread::sleep(FAULT);
        cluster.heal();
        cluster.rest();
    }
}

/// Reads the record, and what is there in the end. From `whole` on the cluster has been in one piece. What so many
/// nodes had was never on fewer disks or in fewer memories than were lost.
fn judge(place: &str, cluster: &Cluster, clients: Clients, whole: Instant, safe: u8) {
    go_on(cluster, &clients);
    let told = clients.end();
    // Where all were down at once, who is back before the others and gives them up may forget what it has on disk
    // (`docs/replication.md`, "Nobody left to ask").
    let alone = if safe < 2 { cluster.given_up() } else { Vec::new() };
    let lost_counts = begun_anew(&told, whole, safe, &alone);
    let others = told.iter().map(|told| &told.ask.key).filter(|key| !key.as_bytes().starts_with(ONCE.as_bytes()));
    let busy: BTreeSet<Slot> = others.map(Key::slot).collect();
    let kept: Vec<Told> = told.iter().filter(|told| is_kept(told, &busy, safe)).cloned().collect();
    let mut connection = Connection::new(cluster.place.http(0));
    let lost: Vec<&Told> = kept.iter().filter(|told| !holds(&mut connection, told)).collect();
    let keys: BTreeSet<Key> = told.iter().map(|told| told.ask.key.clone()).collect();
    let (odd, twice) = afterwards::at_odds(cluster.place.http(0), &keys);
    let silent: Vec<Told> = afterwards::unanswered(&told, &cluster.away()).into_iter().cloned().collect();
    let failed = told.iter().filter(|told| failed(&told.reply)).count();
    let all = told.len();
    let lines = summary(&cluster.steps(), &told);
    let (violations, marks) = read(cluster, told);
    eprintln!(
        "{place}: {all} operations, {failed} of them failed; {} written once, {} of them lost",
        kept.len(),
        lost.len()
    );
    eprintln!("{} keys, {twice} of them held by two or more; {} requests not answered", keys.len(), silent.len());
    for line in lines {
        eprintln!("{line}");
    }
    let broken = [lost.len(), lost_counts.len(), odd.len(), silent.len(), violations.len()];
    if broken != [0; 5] {
        cluster.story().iter().for_each(|line| eprintln!("{line}"));
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    assert!(violations.is_empty() && lost.is_empty(), "{} violations, lost: {lost:?}", violations.len());
    assert!(silent.is_empty(), "P8: nodes that were there did not answer: {silent:?}");
    assert!(odd.is_empty(), "P4: replicas hold different versions: {odd:?}");
    assert!(twice > 0 || safe < 2, "some keys are held by two");
    assert!(lost_counts.is_empty(), "counters that were there began anew: {lost_counts:?}");
    assert!(SHOWN.iter().all(|mark| marks.count(*mark) > 0), "the record shows what it should");
    assert!(!kept.is_empty(), "something was written once");
}

/// The least that a record shows: all was calm again after the last trouble, and operations that overlapped then were
/// put into an order.
const SHOWN: [Mark; 2] = [Mark::Ordered, Mark::CalmAgain];
/// So often before the clients are stopped: what is under way then may add itself to what overlapped.
const OFTEN: u64 = 5;

/// Lets the clients go on until the record shows enough: on a machine with other things to do that takes a while.
fn go_on(cluster: &Cluster, clients: &Clients) {
    cluster.eventually("overlapping operations had an order", || {
        let (_, marks) = read(cluster, clients.so_far());
        marks.count(Mark::Ordered) >= OFTEN && marks.count(Mark::CalmAgain) > 0
    });
}

/// The record of that, read by the checkers.
fn read(cluster: &Cluster, told: Vec<Told>) -> (Vec<Violation>, Marks) {
    let mut record = Record::new();
    cluster.confess(&mut record);
    told.into_iter().for_each(|told| record.told(told));
    record.judge(SKEW)
}

/// For each step how many requests failed while it lasted, and for how long there were some.
fn summary(steps: &[(String, Instant)], told: &[Told]) -> Vec<String> {
    let end = |index: usize| steps.get(index + 1).map_or(Instant::NEVER, |(_, at)| *at);
    let line = |(index, (what, begun)): (usize, &(String, Instant))| {
        let during = || told.iter().filter(|told| (*begun..end(index)).contains(&told.asked));
        let refused = during().filter(|told| told.reply == Reply::Refused).count();
        let failed: Vec<&Told> = during().filter(|told| failed(&told.reply) && told.reply != Reply::Refused).collect();
        let first = failed.iter().map(|told| told.asked).min().unwrap_or_default();
        let last = failed.iter().map(|told| told.told).max().unwrap_or_default();
        let (count, all, span) = (failed.len(), during().count(), last.since(first).as_millis());
        let mut how: Vec<&str> = failed.iter().map(|told| told.reply.word()).collect();
        how.sort_unstable();
        how.dedup();
        format!(
            "while {what}: {all} asked, {refused} found nobody, {count} failed within {span} ms ({})",
            how.join(", ")
        )
    };
    steps.iter().enumerate().map(line).collect()
}

/// Was that write acknowledged by as many replicas as make it safe, and never touched again? Where that is two, no two
/// nodes were down at once; where it is one, it was on disk; and what one missed it was told: so it is still there.
/// Slots in which other keys come and go are left out: what has gone is remembered by slot, so that a deletion may take
/// others of its slot with it (`docs/replication.md`).
fn is_kept(told: &Told, busy: &BTreeSet<Slot>, safe: u8) -> bool {
    let once = told.ask.key.as_bytes().starts_with(ONCE.as_bytes()) && !busy.contains(&told.ask.key.slot());
    once && matches!(told.reply, Reply::Outcome(Ok(Answer::Stored { copies, .. })) if copies >= safe)
}

/// Increments that made a counter which was there: as many replicas had it as make it safe, and nobody removes a
/// counter. Where other keys of its slot come and go it may be lost all the same, as in [`is_kept`]; and so it may be
/// while somebody is `alone`.
fn begun_anew(told: &[Told], whole: Instant, safe: u8, alone: &[(Instant, Instant)]) -> Vec<Told> {
    let counts = |told: &&Told| told.ask.key.as_bytes().starts_with(COUNT.as_bytes());
    let fleeting = |told: &&Told| !counts(told) && !told.ask.key.as_bytes().starts_with(ONCE.as_bytes());
    let busy: BTreeSet<Slot> = told.iter().filter(fleeting).map(|told| told.ask.key.slot()).collect();
    let fit = |told: &&Told| counts(told) && told.asked >= whole && !busy.contains(&told.ask.key.slot());
    // For each counter the first answer by which it was there.
    let mut there: BTreeMap<&[u8], Instant> = BTreeMap::new();
    for told in told.iter().filter(fit) {
        if let Reply::Outcome(Ok(Answer::Added { copies, .. })) = told.reply
            && copies >= safe
        {
            let first = there.entry(told.ask.key.as_bytes()).or_insert(told.told);
            *first = told.told.min(*first);
        }
    }
    assert!(!there.is_empty(), "something was counted");
    let alone = |told: &Told| alone.iter().any(|(from, to)| *from <= told.told && *to >= told.asked);
    let made =
        |told: &&Told| matches!(told.reply, Reply::Outcome(Ok(Answer::Added { created: true, .. }))) && !alone(told);
    let late = |told: &&Told| there.get(told.ask.key.as_bytes()).is_some_and(|first| *first < told.asked);
    told.iter().filter(fit).filter(made).filter(late).cloned().collect()
}

/// Is what was written there, and nothing else?
fn holds(connection: &mut Connection, told: &Told) -> bool {
    let Verb::Set { value, .. } = &told.ask.verb else { return false };
    let path = format!("/v1/entries/{}", String::from_utf8_lossy(told.ask.key.as_bytes()));
    connection.request("GET", &path, "", b"").is_ok_and(|answer| answer.status == 200 && answer.body == value[..])
}

fn failed(reply: &Reply) -> bool {
    !matches!(reply, Reply::Outcome(Ok(_)))
}

//! Members come and go while real nodes serve: nobody notices but those who look.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ports;
use crate::support::{Answer, Cluster, Node, eventually, run};

/// Where a node can be asked.
pub fn url(node: &Node) -> String {
    format!("http://127.0.0.1:{}", node.port)
}

/// One more node, which joins by those; with its data in that folder.
pub fn join(name: &str, seeds: &[String], data: &std::path::Path, more: &[&str]) -> Result<Node, String> {
    let (seeds, data) = (seeds.join(","), data.join(name));
    std::fs::create_dir_all(&data).expect("a folder");
    let data = data.to_str().expect("a text path").to_owned();
    let own = ["--node", name, "--join", &seeds, "--port", "0", "--peer-port", "0", "--data", &data, "--workers", "1"];
    Node::spawn(&[&own, more].concat())
}

/// The members as a node sees them: names, and whether anything moves.
pub fn members(node: &Node) -> (Vec<String>, String) {
    let document = node.ask("GET", "/v1/cluster/members").json();
    let names = document["members"].as_array().expect("a list").iter();
    let names = names.map(|member| member["name"].as_str().expect("a name").to_owned()).collect();
    (names, document["phase"].as_str().expect("a phase").to_owned())
}

pub fn steady_with(node: &Node, names: &[&str]) -> bool {
    let (members, phase) = members(node);
    members == names && phase == "steady"
}

pub fn slots(node: &Node, name: &str) -> u64 {
    let document = node.ask("GET", "/v1/cluster").json();
    let member = document["members"].as_array().expect("a list").iter().find(|member| member["name"] == name);
    member.and_then(|member| member["replica_slots"].as_u64()).unwrap_or(0)
}

pub fn path(number: usize) -> String {
    format!("/v1/entries/key-{number}?timeout=30s")
}

pub fn fill(node: &Node) {
    for number in 0..KEYS {
        let stored = node.send("PUT", &path(number), "", format!("value {number}").as_bytes());
        assert_eq!((stored.status, stored.header("x-vitrine-copies")), (201, Some("2")), "{}", stored.text());
    }
}

pub fn all_there(node: &Node) {
    for number in 0..KEYS {
        let found = node.ask("GET", &path(number));
        assert_eq!((found.status, found.text()), (200, format!("value {number}")), "key-{number} at {}", node.port);
    }
}

const KEYS: usize = 150;

#[test]
fn a_node_joins_and_leaves_under_load_and_no_request_fails() {
    let cluster = Cluster::start(3, &[]);
    let data = tempfile::tempdir().expect("a folder");
    fill(cluster.node(0));
    let stop = Arc::new(AtomicBool::new(false));
    let ports: Vec<u16> = (0..3).map(|index| cluster.node(index).port).collect();
    let load = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || load(&ports, &stop))
    };
    // The first seed is nobody: the second is asked.
    let nobody = "http://127.0.0.1:9".to_owned();
    let joiner = join("n4", &[nobody, url(cluster.node(2))], data.path(), &[]).unwrap_or_else(|said| panic!("{said}"));
    eventually("everything has moved", || {
        [cluster.node(0), cluster.node(2), &joiner].iter().all(|node| steady_with(node, &["n1", "n2", "n3", "n4"]))
    });
    assert!(slots(cluster.node(0), "n4") > 0);
    assert!(joiner.metric("vitrine_store_entries ") > 0, "it holds what it keeps");
    [&joiner, cluster.node(1)].into_iter().for_each(all_there);

    assert_eq!(cluster.node(1).ask("DELETE", "/v1/cluster/members/n4").status, 202);
    eventually("it is out", || (0..3).all(|index| steady_with(cluster.node(index), &["n1", "n2", "n3"])));
    assert!(joiner.ended().success(), "it ends by itself");
    (0..3).for_each(|index| all_there(cluster.node(index)));
    stop.store(true, Ordering::Relaxed);
    let (asked, failed) = load.join().expect("the load ends");
    assert!(asked > 0 && failed.is_empty(), "{} of {asked} failed: {:?}", failed.len(), failed.first());
}

/// Reads and writes at all of them until it is stopped. How often, and what was no success.
fn load(ports: &[u16], stop: &AtomicBool) -> (usize, Vec<String>) {
    let (mut asked, mut failed) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let port = ports[asked % ports.len()];
        let (key, value) = (asked / 2 % 40, format!("{}", asked / 2));
        let answer = match asked % 2 {
            0 => ask(port, "PUT", &format!("/v1/entries/busy-{key}?timeout=30s"), value.as_bytes()),
            _ => ask(port, "GET", &format!("/v1/entries/busy-{key}?timeout=30s"), b""),
        };
        // One client alone: what it reads is what it has just written, by whatever node.
        let right = [201, 204].contains(&answer.status) || answer.status == 200 && answer.text() == value;
        if !right {
            failed.push(format!("{asked} at {port}: {} {}", answer.status, answer.text()));
        }
        asked += 1;
    }
    (asked, failed)
}

fn ask(port: u16, method: &str, path: &str, body: &[u8]) -> Answer {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the node listens");
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).expect("written");
    crate::support::answer_of(&mut stream)
}

#[test]
fn a_drained_member_keeps_no_slots_and_gets_them_back() {
    let cluster = Cluster::start(3, &[]);
    fill(cluster.node(0));
    let weigh = |weight: &str| cluster.node(0).send("PATCH", "/v1/cluster/members/n2", "", weight.as_bytes());
    let planned = cluster.node(2).ask("GET", "/v1/cluster/plan?drain=n2").json();
    assert_eq!(weigh(r#"{"weight":0}"#).status, 202);
    eventually("it is drained", || {
        steady_with(cluster.node(2), &["n1", "n2", "n3"]) && slots(cluster.node(2), "n2") == 0
    });
    for member in planned["members"].as_array().expect("a list") {
        let name = member["name"].as_str().expect("a name");
        assert_eq!(member["after"], slots(cluster.node(2), name), "the plan of {name} has come true");
    }
    (0..3).for_each(|index| all_there(cluster.node(index)));
    eventually("it has freed all", || cluster.node(1).metric("vitrine_store_entries ") == 0);
    eventually("it is asked for", || weigh(r#"{"weight":1}"#).status == 200);
    eventually("it is back", || steady_with(cluster.node(2), &["n1", "n2", "n3"]) && slots(cluster.node(2), "n2") > 0);
    (0..3).for_each(|index| all_there(cluster.node(index)));
}

#[test]
fn a_member_comes_back_by_the_map_that_it_kept() {
    let cluster = Cluster::start(2, &[]);
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("n3");
    std::fs::create_dir(&folder).expect("a folder");
    let [port, peer] = ports::claim(2)[..] else { panic!("two ports") };
    let (port, peer) = (port.to_string(), peer.to_string());
    let own = ["--node", "n3", "--port", &port, "--peer-port", &peer, "--workers", "1"];
    let again = [&own[..], &["--data", folder.to_str().expect("a text path")]].concat();
    let seed = url(cluster.node(0));
    let joiner = Node::spawn(&[&again[..], &["--join", &seed]].concat()).unwrap_or_else(|said| panic!("{said}"));
    eventually("everything has moved", || steady_with(cluster.node(1), &["n1", "n2", "n3"]));
    fill(cluster.node(0));
    let kept = data.path().join("n3/.n3.map");
    eventually("the map is on disk", || kept.exists());
    joiner.kill();
    // Nobody is named whom it could ask.
    let back = Node::spawn(&again).unwrap_or_else(|said| panic!("{said}"));
    eventually("it is one of them", || {
        steady_with(&back, &["n1", "n2", "n3"]) && back.ask("GET", "/readyz").status == 200
    });
    all_there(&back);
    back.kill();

    // Removed while it is down, it learns so when it is back, and ends.
    eventually("it is removed", || {
        cluster.node(0).ask("DELETE", "/v1/cluster/members/n3").status == 404
            && steady_with(cluster.node(1), &["n1", "n2"])
    });
    (0..2).for_each(|index| all_there(cluster.node(index)));
    let late = Node::spawn(&again).unwrap_or_else(|said| panic!("{said}"));
    assert!(late.ended().success());
    assert!(!kept.exists(), "it may join anew");
    let anew = join("n3", &[url(cluster.node(1))], data.path(), &[]).unwrap_or_else(|said| panic!("{said}"));
    eventually("it is one of them", || steady_with(&anew, &["n1", "n2", "n3"]));

    // It writes down what it learns until it ends.
    anew.kill();
    std::fs::write(&kept, b"no map").expect("written");
    let said = Node::spawn(&again).err().expect("it does not start");
    assert!(said.contains(".n3.map cannot be used: it is too short; delete it to"), "{said}");
}

#[test]
fn whoever_may_not_join_is_told_why() {
    let cluster = Cluster::start(2, &[]);
    let data = tempfile::tempdir().expect("a folder");
    let seed = [url(cluster.node(0))];
    let check = |name: &str, more: &[&str], expected: &str| {
        let said = join(name, &seed, data.path(), more).err().expect("it does not start");
        assert!(said.contains(expected), "{said}");
    };
    check("n3", &["--cluster-name", "other"], "this is the cluster `vitrine`, and not `other`");
    check("n3", &["--replicas", "3"], "the cluster has --replicas 2, and it stays so: leave the setting out");
    check("n2", &[], "another member is called `n2`, and it is alive");
    check("n3", &["--members", "n3=a:1@2"], "--members and --join exclude each other");
    check("n3", &["--weight", "0"], "the setting `weight` (from a flag) is `0`; it takes a number, 1 to 1000");
    check("n3", &["--advertise", "a b"], "the setting `advertise` (from a flag) is `a b`; it takes a DNS name");

    let node = cluster.node(1);
    let send = |method: &str, path: &str, body: &str| {
        let answer = node.send(method, path, "", body.as_bytes());
        let document = answer.json();
        (answer.status, document["code"].as_str().unwrap_or_default().to_owned(), document["detail"].to_string())
    };
    let refused = |method: &str, path: &str, body: &str, status: u16, code: &str, detail: &str| {
        let (s, c, d) = send(method, path, body);
        assert!((s, c.as_str()) == (status, code) && d.contains(detail), "{method} {path} {body}: {s} {c} {d}");
    };
    refused("DELETE", "/v1/cluster/members/n9", "", 404, "no_such_member", "no member is called `n9`");
    refused("PATCH", "/v1/cluster/members/n9", "{\"weight\":1}", 404, "no_such_member", "no member is called `n9`");
    refused("PATCH", "/v1/cluster/members/n1", "{\"weight\":1001}", 400, "bad_weight", "it takes 0 (no slots) to 1000");
    refused("PATCH", "/v1/cluster/members/n1", "{\"wait\":1}", 400, "bad_json", "unknown field `wait`");
    refused("GET", "/v1/cluster/members/n1", "", 405, "method_not_allowed", "PATCH with a weight");
    refused("PATCH", "/v1/cluster/members/n1", r#"{"zone":"a b"}"#, 400, "bad_parameter", "`zone` takes up to 64");
    for none_or_both in ["{}", r#"{"weight":1,"zone":"a"}"#] {
        refused("PATCH", "/v1/cluster/members/n1", none_or_both, 400, "bad_json", "one change at a time");
    }
    refused("PUT", "/v1/cluster/members", "", 405, "method_not_allowed", "POST to join");
    refused("POST", "/v1/cluster/members", "{}", 400, "bad_json", "missing field `cluster`");
    let application = |name: &str, peer: &str| {
        format!(r#"{{"cluster":"vitrine","name":"{name}","peer_address":"{peer}","http_address":"a:1","weight":1}}"#)
    };
    refused("POST", "/v1/cluster/members", &application("a b", "a:1"), 400, "bad_parameter", "`name` takes 1 to 64");
    refused(
        "POST",
        "/v1/cluster/members",
        &application("n3", "a"),
        400,
        "bad_parameter",
        "`peer_address` takes HOST:PORT",
    );
    refused("GET", "/v1/cluster/plan", "", 400, "bad_parameter", "one of join, leave, drain, weight, zone");
    refused("GET", "/v1/cluster/plan?drain=n9", "", 404, "no_such_member", "no member is called `n9`");
    refused("GET", "/v1/cluster/plan?weight=n1", "", 400, "bad_parameter", "it takes NAME:WEIGHT");
    refused("GET", "/v1/cluster/plan?zone=n1", "", 400, "bad_parameter", "it takes NAME:ZONE");
    refused("GET", "/v1/cluster/plan?join=n3:1:a:b", "", 400, "bad_parameter", "it takes NAME, NAME:WEIGHT or");
    assert_eq!(members(node), (vec!["n1".to_owned(), "n2".to_owned()], "steady".to_owned()), "nothing has changed");
}

#[test]
fn a_joiner_that_is_killed_on_the_way_goes_on_also_elsewhere() {
    let cluster = Cluster::start(3, &[]);
    let data = tempfile::tempdir().expect("a folder");
    fill(cluster.node(0));
    let seeds = [url(cluster.node(0))];
    // It has its place, and is being filled. Its ports are others each time.
    for _ in 0..2 {
        join("n4", &seeds, data.path(), &[]).unwrap_or_else(|said| panic!("{said}")).kill();
    }
    (0..3).for_each(|index| all_there(cluster.node(index)));
    let again = join("n4", &seeds, data.path(), &[]).unwrap_or_else(|said| panic!("{said}"));
    let all = ["n1", "n2", "n3", "n4"];
    eventually("everything has moved", || {
        steady_with(&again, &all) && (0..3).all(|index| steady_with(cluster.node(index), &all))
    });
    assert!(slots(cluster.node(1), "n4") > 0 && again.metric("vitrine_store_entries ") > 0);
    all_there(&again);
    let status = cluster.node(0).ask("GET", "/v1/cluster").json();
    let address = format!("127.0.0.1:{}", again.port);
    assert_eq!((&status["members"][3]["http_address"], &status["awaited"]), (&address.into(), &serde_json::json!([])));
}

#[test]
fn the_only_copies_are_given_up_by_force_alone() {
    let mut cluster = Cluster::start(3, &["--replicas", "1"]);
    cluster.kill(2);
    let last_copy = |answer: &Answer| answer.status == 409 && answer.json()["code"] == "last_copy";
    let remove = |query: &str| cluster.node(0).ask("DELETE", &format!("/v1/cluster/members/n3{query}"));
    eventually("it is known to be down", || {
        let members = cluster.node(0).ask("GET", "/v1/cluster").json();
        members["members"][2]["alive"] == false
    });
    let refused = remove("");
    assert!(last_copy(&refused), "{}", refused.text());
    assert_eq!(remove("?force=yes").status, 400);
    assert_eq!(members(cluster.node(0)), (["n1", "n2", "n3"].map(str::to_owned).to_vec(), "steady".to_owned()));
    assert!([200, 202].contains(&remove("?force=true").status));
    eventually("it is out", || (0..2).all(|index| steady_with(cluster.node(index), &["n1", "n2"])));
    assert_eq!(slots(cluster.node(0), "n1") + slots(cluster.node(0), "n2"), 16_384);
}

#[test]
fn one_that_is_gone_while_slots_move_is_given_up_by_force_alone() {
    // Slow enough that the move cannot be over before anybody looks.
    let slow = ["--move-rate", "8KiB"];
    let mut cluster = Cluster::start(3, &slow);
    let data = tempfile::tempdir().expect("a folder");
    let value = |number: usize| format!("{number} {}", "x".repeat(1_000));
    let put = |node: &Node, number| {
        let stored = node.send("PUT", &path(number), "", value(number).as_bytes());
        assert!([201, 204].contains(&stored.status), "key-{number}: {} {}", stored.status, stored.text());
    };
    let read = |node: &Node| {
        for number in 0..KEYS {
            let found = node.ask("GET", &path(number));
            assert_eq!((found.status, found.text()), (200, value(number)), "key-{number} at {}", node.port);
        }
    };
    (0..KEYS).for_each(|number| put(cluster.node(0), number));
    let joiner = join("n4", &[url(cluster.node(0))], data.path(), &slow).unwrap_or_else(|said| panic!("{said}"));
    let status = |node: &Node| node.ask("GET", "/v1/cluster").json();
    cluster.kill(2);
    eventually("all know that it is down, and wait for it", || {
        [cluster.node(0), cluster.node(1), &joiner].into_iter().all(|node| {
            let seen = status(node);
            let awaited = seen["awaited"].as_array().expect("a list");
            seen["members"][2]["alive"] == false && awaited.iter().any(|name| name == "n3")
        })
    });
    let all = ["n1", "n2", "n3", "n4"].map(str::to_owned).to_vec();
    assert_eq!(members(&joiner), (all.clone(), "filling".to_owned()));

    let remove = |more: &[&str]| {
        let url = url(cluster.node(1));
        run(&[&["cluster", "remove", "n3", "--url", &url], more].concat())
    };
    let refused = remove(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("`n3` does not answer while slots move") && said.contains("--force"), "{said}");
    let answer = cluster.node(0).ask("DELETE", "/v1/cluster/members/n3");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (409, Some("awaited")), "{}", answer.text());
    assert_eq!(members(cluster.node(0)), (all, "filling".to_owned()), "nothing has changed");
    (0..10).for_each(|number| put(&joiner, number));
    read(&joiner);

    let stop = Arc::new(AtomicBool::new(false));
    let ports = [cluster.node(0).port, cluster.node(1).port, joiner.port];
    let load = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || load(&ports, &stop))
    };
    let removed = remove(&["--force"]);
    let said = String::from_utf8_lossy(&removed.stdout).into_owned();
    assert!(removed.status.success(), "{said} {}", String::from_utf8_lossy(&removed.stderr));
    assert_eq!(said.trim(), "n3 is no member any more");
    let left = ["n1", "n2", "n4"];
    eventually("everything has moved", || {
        [cluster.node(0), cluster.node(1), &joiner].iter().all(|node| steady_with(node, &left))
    });
    stop.store(true, Ordering::Relaxed);
    let (asked, failed) = load.join().expect("the load ends");
    assert!(asked > 0 && failed.is_empty(), "{} of {asked} failed: {:?}", failed.len(), failed.first());
    assert!(slots(cluster.node(0), "n4") > 0);
    [cluster.node(0), cluster.node(1), &joiner].into_iter().for_each(read);
    (0..KEYS).for_each(|number| put(&joiner, number));
}

#[test]
fn a_list_says_where_the_members_of_a_kept_map_are_now() {
    let data = tempfile::tempdir().expect("a folder");
    let pair = || {
        let ports = ports::claim(4);
        let list = format!("n1=127.0.0.1:{}@{},n2=127.0.0.1:{}@{}", ports[0], ports[1], ports[2], ports[3]);
        let start = |name: &str| {
            let folder = data.path().join(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            let folder = folder.to_str().expect("a text path");
            let started = Node::spawn(&["--node", name, "--members", &list, "--data", folder, "--workers", "1"]);
            started.unwrap_or_else(|said| panic!("{said}"))
        };
        (start("n1"), start("n2"))
    };
    let (one, two) = pair();
    eventually("they hear each other", || [&one, &two].iter().all(|node| node.ask("GET", "/readyz").status == 200));
    let weigh = |node: &Node| node.send("PATCH", "/v1/cluster/members/n2", "", br#"{"weight":2}"#).status;
    eventually("the map is a later one", || weigh(&one) == 200 && steady_with(&two, &["n1", "n2"]));
    eventually("it is on disk", || ["n1/.n1.map", "n2/.n2.map"].iter().all(|file| data.path().join(file).exists()));
    one.kill();
    two.kill();
    let (one, two) = pair();
    eventually("they hear each other", || {
        let stored = one.send("PUT", "/v1/entries/k?timeout=1s", "", b"v");
        stored.header("x-vitrine-copies") == Some("2") && two.ask("GET", "/v1/entries/k").text() == "v"
    });
    let weight = two.ask("GET", "/v1/cluster").json()["members"][1]["weight"].clone();
    assert_eq!(weight, 2, "the map is the one that was kept");
}

#[test]
fn the_last_member_that_keeps_slots_stays() {
    let data = tempfile::tempdir().expect("a folder");
    let alone = Node::start(data.path(), &["--peer-port", "0"]);
    let refused = alone.ask("DELETE", "/v1/cluster/members/n1");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("refused")), "{}", refused.text());
    fill_alone(&alone);
    // A node by itself becomes a cluster of two.
    let other = join("n2", &[url(&alone)], data.path(), &[]).unwrap_or_else(|said| panic!("{said}"));
    eventually("everything has moved", || steady_with(&alone, &["n1", "n2"]) && steady_with(&other, &["n1", "n2"]));
    all_there(&other);
    eventually("both have all", || other.metric("vitrine_store_entries ") == KEYS as u64);
}

fn fill_alone(node: &Node) {
    for number in 0..KEYS {
        let stored = node.send("PUT", &path(number), "", format!("value {number}").as_bytes());
        assert_eq!(stored.status, 201, "{}", stored.text());
    }
}

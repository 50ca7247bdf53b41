//! Three real nodes: any of them serves any key, two have each, and one may be killed.

use crate::support::{Cluster, eventually};

#[test]
fn what_is_set_at_one_node_is_found_at_every_other() {
    let cluster = Cluster::start(3, &[]);
    for n in 0..30 {
        let (path, value) = (format!("/v1/entries/key-{n}"), format!("value {n}"));
        let stored = cluster.node(n % 3).send("PUT", &path, "", value.as_bytes());
        assert_eq!((stored.status, stored.header("x-vitrine-copies")), (201, Some("2")), "{}", stored.text());
        for reader in 0..3 {
            let found = cluster.node(reader).ask("GET", &path);
            assert_eq!((found.status, found.text()), (200, value.clone()));
            assert_eq!(found.header("etag"), stored.header("etag"));
        }
    }
    // Somebody was asked who had to ask somebody else.
    let forwarded: u64 = (0..3).map(|n| cluster.node(n).metric("vitrine_forwarded_total")).sum();
    assert!(forwarded > 0);
    // Each entry is in two stores, and in no third.
    let entries: u64 = (0..3).map(|n| cluster.node(n).metric("vitrine_store_entries ")).sum();
    assert_eq!(entries, 60);
    let path = "/v1/entries/key-7";
    assert_eq!(cluster.node(0).ask("DELETE", path).header("x-vitrine-copies"), Some("2"));
    assert!((0..3).all(|n| cluster.node(n).ask("GET", path).status == 404));
}

#[test]
fn what_is_counted_at_every_node_at_once_adds_up() {
    const EACH: usize = 40;
    let cluster = Cluster::start(3, &["--request-timeout", "30s"]);
    // One counter that each node leads, and clients at all nodes, two at each, that count them all.
    let keys = [[0, 1], [1, 2], [2, 0]].map(|replicas| cluster.key_of(&replicas));
    let count = |node: usize, key: &str, by: i64| {
        let answer = cluster.node(node).ask("POST", &format!("/v1/entries/{key}/incr?by={by}"));
        let sum = answer.text().parse::<i64>().expect("a sum");
        // One of them all has made it, whoever passed that on.
        let status = if sum == by { 201 } else { 200 };
        assert_eq!((answer.status, answer.header("x-vitrine-copies")), (status, Some("2")), "{}", answer.text());
        sum
    };
    let mut sums: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let one = |client: usize| {
            let (keys, count) = (&keys, &count);
            move || -> Vec<Vec<i64>> {
                let each = |key: &String| (0..EACH).map(|_| count(client % 3, key, 1)).collect();
                keys.iter().map(each).collect()
            }
        };
        let clients: Vec<_> = (0..6).map(|client| scope.spawn(one(client))).collect();
        let told: Vec<_> = clients.into_iter().map(|client| client.join().expect("a client ends")).collect();
        (0..keys.len()).map(|key| told.iter().flat_map(|sums| sums[key].iter().copied()).collect()).collect()
    });
    let total = 6 * EACH as i64;
    for (key, sums) in keys.iter().zip(&mut sums) {
        // Everybody was told another number, none was left out, and every node knows the last.
        sums.sort_unstable();
        assert_eq!(*sums, (1..=total).collect::<Vec<_>>(), "{key}");
        for node in 0..3 {
            assert_eq!(cluster.node(node).ask("GET", &format!("/v1/entries/{key}")).text(), total.to_string());
        }
    }
    let forwarded: u64 = (0..3).map(|n| cluster.node(n).metric("vitrine_forwarded_total")).sum();
    assert!(forwarded >= 2 * total as u64, "two of three were asked of others: {forwarded}");
    // A deadline that is moved through another node is moved on both replicas, and none is for ever.
    let path = format!("/v1/entries/{}", keys[0]);
    let touched = cluster.node(2).ask("POST", &format!("{path}/touch?ttl=1h"));
    assert_eq!((touched.status, touched.header("x-vitrine-copies")), (200, Some("2")), "{}", touched.text());
    assert!(touched.header("x-vitrine-node") == Some("n1") && touched.header("x-ttl-ms").is_some());
    for node in 0..2 {
        assert!(cluster.node(node).ask("GET", &format!("{path}?read=one")).header("x-ttl-ms").is_some());
    }
    assert_eq!(count(1, &keys[0], -total), 0);
    assert!(cluster.node(2).ask("GET", &path).header("x-ttl-ms").is_some());
    assert_eq!(cluster.node(1).ask("POST", &format!("{path}/touch?ttl=none")).status, 200);
    assert_eq!(cluster.node(0).ask("GET", &path).header("x-ttl-ms"), None);
    assert_eq!(cluster.node(0).ask("POST", "/v1/entries/nothing/touch?ttl=1h").status, 404);
}

#[test]
fn every_level_is_met_or_refused() {
    let mut cluster = Cluster::start(3, &["--replicas", "3", "--request-timeout", "5s"]);
    for level in ["one", "live", "quorum", "all"] {
        let stored = cluster.node(0).send("PUT", &format!("/v1/entries/k-{level}?write={level}"), "", b"v");
        let copies: u32 = stored.header("x-vitrine-copies").and_then(|c| c.parse().ok()).unwrap_or_default();
        let needed = match level {
            "one" => 1,
            "quorum" => 2,
            _ => 3,
        };
        assert!(stored.status == 201 && copies >= needed, "{level}: {} {copies}", stored.status);
        for read in ["primary", "one", "quorum"] {
            let path = format!("/v1/entries/k-{level}?read={read}");
            eventually("every replica answers", || (0..3).all(|n| cluster.node(n).ask("GET", &path).status == 200));
        }
    }
    cluster.kill(2);
    eventually("the dead one is noticed", || {
        let members = cluster.node(0).ask("GET", "/v1/cluster").json();
        members["members"].as_array().expect("a list").iter().any(|m| m["alive"] == false)
    });
    let refused = cluster.node(0).send("PUT", "/v1/entries/k?write=all&timeout=500ms", "", b"v");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("unavailable")), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"));
    let stored = cluster.node(0).send("PUT", "/v1/entries/k?write=quorum&timeout=20s", "", b"v");
    assert_eq!((stored.status, stored.header("x-vitrine-copies")), (201, Some("2")), "{}", stored.text());
}

#[test]
fn a_killed_replica_loses_nothing_and_comes_back() {
    let mut cluster = Cluster::start(3, &[]);
    // Its primary is n2, and n3 has the other copy: n2 is killed, and n1 is asked.
    let key = cluster.key_of(&[1, 2]);
    let path = format!("/v1/entries/{key}?timeout=30s");
    assert_eq!(cluster.node(0).send("PUT", &path, "", b"before").header("x-vitrine-copies"), Some("2"));
    cluster.kill(1);
    // Asked while n2 is still believed alive: n3 leads before the answer, and is who gave it.
    let found = cluster.node(0).ask("GET", &path);
    assert_eq!((found.status, found.text().as_str(), found.header("x-vitrine-node")), (200, "before", Some("n3")));
    let plain = cluster.node(0).ask("GET", &format!("/get?key={key}"));
    assert_eq!((plain.status, plain.header("x-vitrine-node")), (200, Some("n3")));
    // What it is asked itself, it answers itself.
    assert_eq!(cluster.node(2).ask("GET", &path).header("x-vitrine-node"), Some("n3"));
    assert_eq!(cluster.node(0).send("PUT", &path, "", b"meanwhile").status, 204);
    assert_eq!(cluster.node(2).ask("GET", &path).text(), "meanwhile");
    cluster.restart(1);
    eventually("the others see it again", || {
        [0, 2].iter().all(|n| {
            let members = cluster.node(*n).ask("GET", "/v1/cluster").json();
            members["members"].as_array().expect("a list").iter().all(|m| m["alive"] == true)
        })
    });
    // It was away and is empty: it never answers with what was there before, and takes writes again.
    let answer = cluster.node(0).ask("GET", &path);
    assert!(answer.status == 404 || answer.text() == "meanwhile", "{}", answer.text());
    let stored = cluster.node(1).send("PUT", &path, "", b"after");
    assert!([201, 204].contains(&stored.status), "{}", stored.text());
    assert_eq!(stored.header("x-vitrine-copies"), Some("2"));
    assert!((0..3).all(|n| cluster.node(n).ask("GET", &path).text() == "after"));
}

#[test]
fn a_stopped_primary_answers_nothing_old_when_it_goes_on() {
    let cluster = Cluster::start(3, &[]);
    let key = cluster.key_of(&[1, 2]);
    let other = cluster.keys_of(&[1, 2], 40);
    let path = |key: &str| format!("/v1/entries/{key}?timeout=30s");
    for key in other.iter().chain([&key]) {
        assert_eq!(cluster.node(0).send("PUT", &path(key), "", b"before").header("x-vitrine-copies"), Some("2"));
    }
    cluster.node(1).pause();
    eventually("the other replica leads", || {
        cluster.node(0).ask("GET", &path(&key)).header("x-vitrine-node") == Some("n3")
    });
    for (number, key) in other.iter().chain([&key]).enumerate() {
        let method = if number % 2 == 0 { "PUT" } else { "DELETE" };
        let status = cluster.node(0).send(method, &path(key), "", if number % 2 == 0 { b"after" } else { b"" }).status;
        assert_eq!(status, 204, "{method} {key}");
    }
    cluster.node(1).signal(rustix::process::Signal::CONT);
    // Itself, from its first answer on, and through another, whatever that one believes.
    for round in 0..3 {
        for (number, key) in other.iter().chain([&key]).enumerate() {
            for node in [1, 0] {
                let answer = cluster.node(node).ask("GET", &path(key));
                let expected = if number % 2 == 0 { (200, "after") } else { (404, "") };
                let body = if answer.status == 200 { answer.text() } else { String::new() };
                assert_eq!((answer.status, body.as_str()), expected, "{key} at n{}, round {round}", node + 1);
            }
        }
    }
    eventually("it has caught up", || cluster.node(1).metric("vitrine_reconcile_lanes_in_doubt") == 0);
    let held = cluster.node(1).ask("GET", &format!("/v1/entries/{key}?read=one"));
    assert_eq!((held.text().as_str(), held.header("x-vitrine-node")), ("after", Some("n2")));
    assert!(cluster.node(1).metric("vitrine_reconcile_dropped") > 0, "what was deleted meanwhile is gone there too");
}

#[test]
fn a_killed_primary_comes_back_with_what_the_others_hold() {
    let mut cluster = Cluster::start(3, &[]);
    let keys = cluster.keys_of(&[1, 2], 30);
    let path = |key: &str| format!("/v1/entries/{key}?timeout=30s");
    for key in &keys {
        assert_eq!(cluster.node(0).send("PUT", &path(key), "", key.as_bytes()).header("x-vitrine-copies"), Some("2"));
    }
    cluster.kill(1);
    cluster.restart(1);
    for key in &keys {
        // From the first answer on: who has nothing yet asks who has.
        assert_eq!(cluster.node(1).ask("GET", &path(key)).text(), **key);
    }
    assert_eq!(cluster.node(1).metric("vitrine_reconcile_lanes_in_doubt"), 0, "it is not ready before");
    cluster.kill(2);
    eventually("the other one is given up", || {
        let members = cluster.node(1).ask("GET", "/v1/cluster").json();
        members["members"].as_array().expect("a list").iter().any(|m| m["alive"] == false)
    });
    for key in &keys {
        assert_eq!(cluster.node(1).ask("GET", &path(key)).text(), **key, "it holds them itself");
    }
}

#[test]
fn large_values_travel_whole() {
    let cluster = Cluster::start(3, &["--replicas", "3", "--max-value", "8MiB"]);
    let value: Vec<u8> = (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let stored = cluster.node(0).send("PUT", "/v1/entries/large?write=all&timeout=60s", "", &value);
    assert_eq!((stored.status, stored.header("x-vitrine-copies")), (201, Some("3")), "{}", stored.text());
    for reader in 0..3 {
        assert!(cluster.node(reader).ask("GET", "/v1/entries/large?timeout=60s").body == value);
    }
}

#[test]
fn a_stranger_is_refused_with_a_reason() {
    use std::io::{Read as _, Write as _};
    let cluster = Cluster::start(2, &[]);
    let members = cluster.node(0).ask("GET", "/v1/cluster").json();
    let address = members["members"][0]["peer_address"].as_str().expect("an address").to_owned();
    let say = |text: &[u8]| {
        let mut stream = std::net::TcpStream::connect(&address).expect("a listener");
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        stream.write_all(&[&length, text].concat()).expect("written");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(answer.get(4..).unwrap_or_default()).into_owned()
    };
    let hello = |cluster: &str| {
        let rest = r#""fingerprint":0,"from":"n2","number":2,"epoch":1,"members":0,"to":"n1""#;
        format!(r#"{{"protocol":2,"cluster":"{cluster}",{rest}}}"#)
    };
    assert!(say(hello("other").as_bytes()).contains("it belongs to the cluster `other`"));
    assert!(say(hello("vitrine").as_bytes()).contains("its --replicas or --virtual-nodes differ"));
    assert!(say(b"GET / HTTP/1.1").contains("what it says is no hello"));
    assert!(say(&[b'x'; 10_000]).contains("frame"));
    assert_eq!(cluster.node(0).send("PUT", "/v1/entries/k", "", b"v").header("x-vitrine-copies"), Some("2"));
}

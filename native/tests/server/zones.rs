//! Members in zones: copies of a key are kept in different ones, however a member came to be where it is.

use std::collections::BTreeMap;

use crate::members::{all_there, fill, join, slots, steady_with, url};
use crate::support::{Cluster, Node, eventually, run};

/// Where the members stand, by a node's map.
fn zones(node: &Node) -> BTreeMap<String, String> {
    let document = node.ask("GET", "/v1/cluster/members").json();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let members = document["members"].as_array().expect("a list").iter();
    members.map(|member| (text(&member["name"]), text(&member["zone"]))).collect()
}

fn stand(node: &Node, expected: &[(&str, &str)]) -> bool {
    zones(node).iter().map(|(name, zone)| (name.as_str(), zone.as_str())).eq(expected.iter().copied())
}

/// Each key has a copy in each of both zones, and is there.
fn both_have_all(node: &Node) {
    let zones = zones(node);
    for number in 0..150 {
        let explained = node.ask("GET", &format!("/v1/explain/key-{number}?timeout=30s")).json();
        let replicas = explained["replicas"].as_array().expect("a list");
        let mut held: Vec<&str> = replicas
            .iter()
            .filter(|replica| replica["version"].is_string())
            .map(|replica| zones[replica["node"].as_str().expect("a name")].as_str())
            .collect();
        held.sort_unstable();
        assert_eq!(held, ["east", "west"], "key-{number}: {explained}");
    }
    all_there(node);
}

#[test]
fn a_list_may_say_where_its_members_stand() {
    let cluster = Cluster::start_in_zones(&["east", "east", "west", "west"], &[]);
    fill(cluster.node(0));
    for index in 0..4 {
        assert!(stand(cluster.node(index), &[("n1", "east"), ("n2", "east"), ("n3", "west"), ("n4", "west")]));
        both_have_all(cluster.node(index));
    }
}

#[test]
fn the_first_node_stands_somewhere_too_and_so_does_who_joins() {
    let data = tempfile::tempdir().expect("a folder");
    let first = Node::start(data.path(), &["--peer-port", "0", "--zone", "east", "--weight", "2", "--workers", "1"]);
    assert!(stand(&first, &[("n1", "east")]));
    let in_zone = |name: &str, zone: &str| {
        let joined = join(name, &[url(&first)], data.path(), &["--zone", zone]).unwrap_or_else(|said| panic!("{said}"));
        eventually("everything has moved", || slots(&joined, name) > 0 && slots(&first, name) > 0);
        joined
    };
    let (east, west) = (in_zone("n2", "east"), in_zone("n3", "west"));
    let all = [("n1", "east"), ("n2", "east"), ("n3", "west")];
    eventually("nothing moves", || [&first, &east, &west].iter().all(|node| steady_with(node, &["n1", "n2", "n3"])));
    fill(&west);
    for node in [&first, &east, &west] {
        assert!(stand(node, &all));
        both_have_all(node);
    }
    // Whatever zone it were in, the one machine of the west keeps a copy of everything; and of four, each side does.
    let plan = |more: &[&str]| {
        let url = url(&first);
        let output = run(&[&["cluster", "plan", "join", "n4", "--url", &url, "--json"], more].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let members = plan["members"].as_array().expect("a list").clone();
        members.iter().map(|member| member["after"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    let (nowhere, there) = (plan(&[]), plan(&["--zone", "west"]));
    assert_eq!(nowhere.iter().sum::<u64>(), 2 * 16_384);
    assert_eq!(there[2] + there[3], 16_384, "the west has one copy of each: {there:?}");
    assert_ne!(there, nowhere);
}

#[test]
fn a_member_that_comes_back_elsewhere_gets_its_zone_and_weight_and_nothing_is_lost() {
    let mut cluster = Cluster::start(4, &[]);
    fill(cluster.node(0));
    // Two are told by a command, and two by how they are started.
    for name in ["n1", "n2"] {
        let url = url(cluster.node(2));
        let output = run(&["cluster", "zone", name, "east", "--url", &url]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), format!("{name} is in the zone `east`"));
    }
    for index in 2..4 {
        cluster.kill(index);
        cluster.restart_with(index, &["--zone", "west", "--weight", "2"]);
    }
    let all = [("n1", "east"), ("n2", "east"), ("n3", "west"), ("n4", "west")];
    let weight = |node: &Node, index: usize| node.ask("GET", "/v1/cluster").json()["members"][index]["weight"].as_u64();
    eventually("they have what they ask for", || {
        (0..4).all(|index| {
            let node = cluster.node(index);
            let weights = (0..4).map(|index| weight(node, index));
            weights.eq([1, 1, 2, 2].map(Some)) && stand(node, &all) && steady_with(node, &["n1", "n2", "n3", "n4"])
        })
    });
    (0..4).for_each(|index| both_have_all(cluster.node(index)));

    // A drained member stays so, and can tell by others how much there is.
    let drain = |weight: &str| cluster.node(0).send("PATCH", "/v1/cluster/members/n4", "", weight.as_bytes()).status;
    eventually("it is drained", || {
        drain(r#"{"weight":0}"#) == 200 && steady_with(cluster.node(3), &["n1", "n2", "n3", "n4"])
    });
    assert_eq!(slots(cluster.node(3), "n4"), 0);
    let asked = cluster.node(3).ask("GET", "/v1/cluster/plan?drain=n3").json();
    assert!(asked["moved_slots"].as_u64() > Some(0) && asked["estimated_bytes"].is_null(), "{asked}");
    let plan = run(&["cluster", "plan", "drain", "n3", "--json", "--url", &url(cluster.node(3))]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("a plan");
    assert!(plan["estimated_bytes"].as_u64() > Some(0) && plan["moved_slots"] == asked["moved_slots"], "{plan}");
    cluster.kill(3);
    cluster.restart_with(3, &["--zone", "north", "--weight", "2"]);
    eventually("it has its zone", || {
        let node = cluster.node(0);
        zones(node)["n4"] == "north" && weight(node, 3) == Some(0) && steady_with(node, &["n1", "n2", "n3", "n4"])
    });
    all_there(cluster.node(3));
}

//! Others stand in for a node that is down: there are two copies again, and when it is back it has its slots to itself.
//! Where all who kept a slot are down, they begin with nothing.

use serde_json::Value;

use crate::support::{Cluster, eventually};

const ARGUMENTS: &[&str] = &["--stand-in-after", "1s", "--fsync", "always"];
const KEYS: usize = 200;

/// A member as a node sees it, and whether anything moves.
fn member(cluster: &Cluster, node: usize, name: &str) -> (Value, bool) {
    let document = cluster.node(node).ask("GET", "/v1/cluster").json();
    let members = document["members"].as_array().expect("a list");
    let member = members.iter().find(|member| member["name"] == name).expect("a member");
    (member.clone(), document["phase"] != "steady")
}

fn put(cluster: &Cluster, node: usize, number: usize, value: &str) -> String {
    let path = format!("/v1/entries/key-{number}?timeout=30s");
    let stored = cluster.node(node).send("PUT", &path, "", value.as_bytes());
    assert!([201, 204].contains(&stored.status), "{number}: {}", stored.text());
    stored.header("x-vitrine-copies").expect("how many copies there are").to_owned()
}

fn get(cluster: &Cluster, node: usize, number: usize) -> String {
    let answer = cluster.node(node).ask("GET", &format!("/v1/entries/key-{number}?timeout=30s"));
    assert_eq!(answer.status, 200, "key-{number} at n{}: {}", node + 1, answer.text());
    answer.text()
}

#[test]
fn two_copies_remain_while_a_node_is_down_and_another_may_be_lost() {
    let mut cluster = Cluster::start(4, ARGUMENTS);
    (0..KEYS).for_each(|number| assert_eq!(put(&cluster, 0, number, "before"), "2"));
    cluster.kill(1);
    eventually("others stand in for n2", || {
        let (member, moves) = member(&cluster, 0, "n2");
        member["stood_in_for"] == true && member["alive"] == false && !moves
    });
    assert_eq!(cluster.node(0).metric("vitrine_members_stood_in_for"), 1);
    // What was there has two copies again, and what is written has.
    (0..KEYS / 2).for_each(|number| assert_eq!(put(&cluster, 0, number, "after"), "2", "key-{number}"));
    let value = |number: usize| if number < KEYS / 2 { "after" } else { "before" };
    cluster.kill(2);
    eventually("n3 is believed dead", || [0, 3].iter().all(|node| member(&cluster, *node, "n3").0["state"] == "down"));
    for number in 0..KEYS {
        assert_eq!(get(&cluster, if number % 2 == 0 { 0 } else { 3 }, number), value(number), "key-{number}");
    }
    cluster.restart(1);
    cluster.restart(2);
    eventually("all have their slots to themselves", || {
        (0..4).all(|node| {
            let (member, moves) = member(&cluster, node, "n2");
            member["stood_in_for"] == false && member["alive"] == true && !moves
        })
    });
    (0..KEYS).for_each(|number| assert_eq!(get(&cluster, number % 4, number), value(number), "key-{number}"));
    // Each entry is kept twice, and no more often.
    eventually("what others stood in with is freed", || {
        (0..4).map(|node| cluster.node(node).metric("vitrine_store_entries ")).sum::<u64>() == 2 * KEYS as u64
    });
}

#[test]
fn what_nobody_who_is_up_has_is_a_miss_until_its_owners_are_back() {
    let mut cluster = Cluster::start(5, ARGUMENTS);
    (0..KEYS).for_each(|number| assert_eq!(put(&cluster, 0, number, "before"), "2"));
    cluster.kill(1);
    cluster.kill(2);
    eventually("others stand in for both", || {
        ["n2", "n3"].iter().all(|name| {
            let (member, moves) = member(&cluster, 0, name);
            member["stood_in_for"] == true && member["alive"] == false && !moves
        })
    });
    // They have the last copies of something, and are not removed by mistake.
    let refused = cluster.node(0).ask("DELETE", "/v1/cluster/members/n2");
    assert_eq!((refused.status, &refused.json()["code"]), (409, &"last_copy".into()), "{}", refused.text());
    assert!(member(&cluster, 4, "n3").0["last_copies"] == true && member(&cluster, 4, "n4").0["last_copies"] == false);
    let status = |number| cluster.node(3).ask("GET", &format!("/v1/entries/key-{number}?timeout=30s")).status;
    let (lost, kept): (Vec<usize>, Vec<usize>) = (0..KEYS).partition(|number| status(*number) == 404);
    assert!(!lost.is_empty() && lost.len() < KEYS / 4, "about a tenth was with these two: {lost:?}");
    assert!(kept.iter().all(|number| get(&cluster, 4, *number) == "before"));
    // Every other one of those is written anew.
    let (written, left): (Vec<usize>, Vec<usize>) = lost.iter().partition(|number| *number % 2 == 0);
    written.iter().for_each(|number| assert_eq!(put(&cluster, 0, *number, "after"), "2", "key-{number}"));
    cluster.restart(1);
    cluster.restart(2);
    eventually("both have their slots to themselves", || {
        ["n2", "n3"].iter().all(|name| {
            let (member, moves) = member(&cluster, 0, name);
            member["stood_in_for"] == false && member["last_copies"] == false && member["alive"] == true && !moves
        })
    });
    for node in 0..5 {
        written.iter().for_each(|number| assert_eq!(get(&cluster, node, *number), "after", "key-{number}"));
        kept.iter().chain(&left).for_each(|number| assert_eq!(get(&cluster, node, *number), "before", "key-{number}"));
    }
}

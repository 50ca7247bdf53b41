//! A node that comes back when whoever took writes meanwhile is gone cannot tell whether what it has is current.

use crate::support::{Cluster, eventually};

const ALWAYS: &[&str] = &["--fsync", "always"];

fn put(cluster: &Cluster, node: usize, key: &str, value: &str) -> u16 {
    cluster.node(node).send("PUT", &format!("/v1/entries/{key}"), "", value.as_bytes()).status
}

fn get(cluster: &Cluster, node: usize, key: &str) -> Option<String> {
    let answer = cluster.node(node).ask("GET", &format!("/v1/entries/{key}"));
    assert!([200, 404].contains(&answer.status), "{}", answer.text());
    (answer.status == 200).then(|| answer.text())
}

fn orphans(cluster: &Cluster, node: usize) -> u64 {
    cluster.node(node).metric("vitrine_slots_orphaned")
}

/// Two nodes hold a key; the first goes down, the other replaces the value and goes down as well, and the first is back
/// alone.
fn back_alone(arguments: &[&str]) -> Cluster {
    let mut cluster = Cluster::start(2, arguments);
    assert_eq!(put(&cluster, 0, "replaced", "old"), 201);
    assert_eq!(put(&cluster, 0, "kept", "v"), 201);
    assert_eq!((orphans(&cluster, 0), orphans(&cluster, 1)), (0, 0));
    cluster.kill(0);
    eventually("the other one leads", || put(&cluster, 1, "replaced", "new") == 204);
    cluster.kill(1);
    cluster.restart(0);
    eventually("it knows that it is alone", || {
        let alive = cluster.node(0).metric("vitrine_members_alive");
        alive == 1 && cluster.node(0).ask("GET", "/v1/entries/nothing").status == 404
    });
    cluster
}

#[test]
fn what_may_be_out_of_date_is_a_miss_until_somebody_vouches_for_it() {
    let mut cluster = back_alone(ALWAYS);
    assert_eq!(orphans(&cluster, 0), 16_384);
    assert_eq!(get(&cluster, 0, "replaced"), None, "the other one may have replaced it, and has");
    assert_eq!(get(&cluster, 0, "kept"), None, "nobody can tell that it has not");
    // What is written from now on is as good as any.
    assert_eq!(put(&cluster, 0, "later", "v"), 201);
    assert_eq!(get(&cluster, 0, "later").as_deref(), Some("v"));
    cluster.restart(1);
    eventually("they have heard each other out", || orphans(&cluster, 0) + orphans(&cluster, 1) == 0);
    for node in [0, 1] {
        let found = ["replaced", "kept", "later"].map(|key| get(&cluster, node, key));
        assert_eq!(found.each_ref().map(Option::as_deref), [Some("new"), Some("v"), Some("v")]);
    }
}

#[test]
fn who_would_rather_have_something_old_than_nothing_says_so() {
    let cluster = back_alone(&["--fsync", "always", "--on-doubt", "serve"]);
    assert_eq!(orphans(&cluster, 0), 0);
    assert_eq!(get(&cluster, 0, "replaced").as_deref(), Some("old"));
    assert_eq!(get(&cluster, 0, "kept").as_deref(), Some("v"));
}

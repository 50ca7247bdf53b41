//! What the checkers of the simulator do not see of real processes: requests that a node was up for and did not answer
//! (P8), and what replicas hold once nobody asks any more (P4).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use vitrine_engine::request::Key;
use vitrine_engine::sim::{Reply, Told};
use vitrine_engine::time::Instant;

use crate::http::Connection;

/// A time in which a node was down, stood still, or was about to be killed: by its place among the nodes.
pub type Away = (usize, Instant, Instant);

/// How long a node waits for others by default, and what a machine under load may add.
pub const ANSWERED: Duration = Duration::from_secs(2 + 8);

/// Requests that their node did not answer in time, though it was there all the while. Links are cut between nodes
/// alone: clients reach all of them.
pub fn unanswered<'a>(told: &'a [Told], away: &[Away]) -> Vec<&'a Told> {
    let was_there = |told: &&Told| {
        let node = usize::from(told.ask.node.0) - 1;
        !away.iter().any(|(who, from, to)| *who == node && *from <= told.told && *to >= told.asked)
    };
    let open =
        |told: &&Told| matches!(told.reply, Reply::Lost | Reply::Refused) || told.told.since(told.asked) > ANSWERED;
    told.iter().filter(open).filter(was_there).collect()
}

/// Keys of which replicas hold different versions, with what each holds; and of how many keys two hold something.
pub fn at_odds(address: SocketAddr, keys: &BTreeSet<Key>) -> (Vec<String>, usize) {
    let mut connection = Connection::new(address);
    let (mut odd, mut twice) = (Vec::new(), 0);
    for key in keys {
        // What is under way may take a moment.
        let mut tries = 0;
        let held = loop {
            let held = held(&mut connection, key);
            let distinct: BTreeSet<&String> = held.values().flatten().collect();
            tries += 1;
            if distinct.len() <= 1 || tries > TRIES {
                break held;
            }
            std::thread::sleep(AGAIN);
        };
        let distinct: BTreeSet<&String> = held.values().flatten().collect();
        twice += usize::from(held.values().flatten().count() > 1);
        if distinct.len() > 1 {
            odd.push(format!("{}: {held:?}", String::from_utf8_lossy(key.as_bytes())));
        }
    }
    (odd, twice)
}

const TRIES: u32 = 20;
const AGAIN: Duration = Duration::from_millis(500);

/// The version that each replica holds.
fn held(connection: &mut Connection, key: &Key) -> BTreeMap<String, Option<String>> {
    let path = format!("/v1/explain/{}", String::from_utf8_lossy(key.as_bytes()));
    let mut said = String::new();
    for _ in 0..TRIES {
        match connection.request("GET", &path, "", b"") {
            Ok(answer) if answer.status == 200 => {
                let document = answer.json();
                let replicas = document["replicas"].as_array().expect("a list");
                if replicas.iter().all(|replica| replica["answered"] == true) {
                    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
                    let one = |replica: &serde_json::Value| {
                        (text(&replica["node"]).expect("a name"), text(&replica["version"]))
                    };
                    return replicas.iter().map(one).collect();
                }
                said = document.to_string();
            }
            other => said = format!("{other:?}"),
        }
        std::thread::sleep(AGAIN);
    }
    panic!("nobody says what is under {path}: {said}");
}

#[test]
fn a_request_that_a_node_is_up_for_and_does_not_answer_is_found() {
    use vitrine_engine::error::Failure;
    use vitrine_engine::id::NodeId;
    use vitrine_engine::request::ReadLevel;
    use vitrine_engine::sim::{Ask, Verb};
    let at = |ms: u64| Instant(ms * 1_000);
    let check = |asked: u64, answered: u64, reply: Reply, away: &[(usize, u64, u64)], expected: bool| {
        let key = Key::new("k").expect("a key");
        let verb = Verb::Get(ReadLevel::Primary);
        let ask = Ask { id: 1, client: 1, node: NodeId(2), key, verb, timeout: ANSWERED };
        let told = [Told { ask, asked: at(asked), told: at(answered), reply }];
        let away: Vec<Away> = away.iter().map(|(who, from, to)| (*who, at(*from), at(*to))).collect();
        assert_eq!(!unanswered(&told, &away).is_empty(), expected, "{told:?} {away:?}");
    };
    let failed = || Reply::Outcome(Err(Failure::Timeout));
    check(1_000, 2_000, failed(), &[], false);
    check(1_000, 11_001, failed(), &[], true);
    check(1_000, 2_000, Reply::Lost, &[], true);
    check(1_000, 2_000, Reply::Refused, &[], true);
    // Another one was away, or it was before or after.
    check(1_000, 2_000, Reply::Lost, &[(0, 0, 9_000), (1, 0, 999), (1, 2_001, 9_000)], true);
    for (from, to) in [(0, 1_000), (1_500, 1_600), (2_000, 9_000), (0, 9_000)] {
        check(1_000, 2_000, Reply::Lost, &[(1, from, to)], false);
    }
}

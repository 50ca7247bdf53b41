//! What a script expects of its run: a line that is not as expected ends it.
//!
//! ```text
//! expect c1 hit two               what the client was told last begins with these words, as the trace has them
//! expect n1 holds k two           the node has that value under the key (or any, where none is named)
//! expect n1 lacks k               it has nothing under it, or is down
//! expect n1 up                    it runs; expect n1 down
//! expect n1 suspects n2           it does not believe the other alive; expect n1 trusts n2
//! expect promises kept            no check has found anything so far
//! expect fingerprint 1f3c9a5be0d24477
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::command::{CommandError, node, numbered, wrong};
use super::trace::replied;
use super::world::World;
use crate::id::NodeId;
use crate::node::Node;

const ACCEPTED: &str = "expect c1 hit v, expect n1 holds k, expect n1 holds k v, expect n1 lacks k, expect n1 up, \
     expect n1 down, expect n1 suspects n2, expect n1 trusts n2, expect promises kept, expect fingerprint F";

/// Is the world as these words say? Where it is not, the error says how it is.
pub(super) fn check(world: &World, words: &[&str]) -> Result<(), CommandError> {
    let nodes = world.machines().len() as u16;
    let is = match *words {
        ["promises", "kept"] => {
            world.violations().first().map_or_else(|| "kept".to_string(), |violation| violation.to_string())
        }
        ["fingerprint", _] => format!("{:016x}", world.fingerprint()),
        [name, _, ..] if numbered(name, 'c').is_some() => told(world, numbered(name, 'c').unwrap_or_default()),
        [name, verb @ ("suspects" | "trusts"), other] => {
            let (me, other) = (node(name, nodes)?, node(other, nodes)?);
            let believes = running(world, me).map(|node| node.view().is_alive(other));
            match (believes, verb) {
                (Some(true), _) => format!("trusts {other}"),
                (Some(false), _) => format!("suspects {other}"),
                (None, _) => "down".to_string(),
            }
        }
        [name, "up" | "down"] => {
            let up = running(world, node(name, nodes)?).is_some();
            (if up { "up" } else { "down" }).to_string()
        }
        [name, "holds" | "lacks", key] | [name, "holds", key, _] => {
            let held = held(world, node(name, nodes)?, key.as_bytes());
            match (held, words.len()) {
                (Some(_), 3) => format!("holds {key}"),
                (Some(value), _) => format!("holds {key} {}", value.escape_ascii()),
                (None, _) => format!("lacks {key}"),
            }
        }
        _ => return Err(wrong(&format!("nobody can expect {:?}", words.join(" ")), ACCEPTED)),
    };
    let expected = words[1..].join(" ");
    // A client's answer may say more than is asked for: how many copies, why it failed.
    let begins =
        is.strip_prefix(&expected).is_some_and(|rest| rest.is_empty() || !rest.starts_with(char::is_alphanumeric));
    match begins && (words[0].starts_with('c') || is == expected) {
        true => Ok(()),
        false => Err(CommandError(format!("expected {}, and it is: {is}", words.join(" ")))),
    }
}

/// What a client was told last, in the words of the trace.
fn told(world: &World, client: u16) -> String {
    let last = world.history().rev().find(|told| told.ask.client == client);
    last.map_or_else(|| "no answer".to_string(), |told| replied(&told.reply))
}

fn running(world: &World, node: NodeId) -> Option<&Node> {
    world.machines().iter().find(|machine| machine.id() == node)?.node()
}

fn held(world: &World, node: NodeId, key: &[u8]) -> Option<Vec<u8>> {
    let machine = world.machines().iter().find(|machine| machine.id() == node)?;
    let now = machine.unix(world.now());
    machine.node()?.shards().iter().find_map(|shard| {
        let store = shard.store();
        let entry = store.peek(now, store.hash(key), key)?;
        Some(entry.value.to_vec())
    })
}

//! P4: replicas of a key hold the same version, or nothing.

use alloc::format;
use alloc::string::String;

use super::{hash, stored};
use crate::id::NodeId;
use crate::node::Node;
use crate::request::Key;

/// What replicas that have had the time to reconcile disagree about.
///
/// `forgetful` says that some node has evicted, expired or turned away something: then a replica may have nothing.
pub(super) fn disagree(key: &Key, replicas: &[(NodeId, &Node)], forgetful: bool) -> Option<String> {
    let held = |node| stored(node, key).map(|entry| (entry.version, hash(entry.value)));
    let mut all = replicas.iter().map(|(id, node)| (*id, held(node)));
    let (mut first, mut one) = all.next()?;
    for (other, another) in all {
        if one != another && !(forgetful && (one.is_none() || another.is_none())) {
            let say =
                |held: Option<_>| held.map_or("nothing".into(), |(version, value)| format!("{version} ({value:x})"));
            return Some(format!("{key:?}: {first} holds {} and {other} holds {}", say(one), say(another)));
        }
        if one.is_none() {
            (first, one) = (other, another);
        }
    }
    None
}

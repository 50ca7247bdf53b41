//! P4: replicas of a key hold the same version, or nothing.

use alloc::format;
use alloc::string::String;

use super::{hash, stored};
use crate::id::{NodeId, Version};
use crate::node::Node;
use crate::request::Key;

/// What replicas that have had the time to reconcile disagree about.
///
/// `may_lack` says whether a replica may have nothing where another one has that version. What nobody vouches for is
/// not served, and may be lacking anywhere.
pub(super) fn disagree(
    key: &Key,
    replicas: &[(NodeId, &Node)],
    may_lack: impl Fn(NodeId, Version) -> bool,
) -> Option<String> {
    let held = |node| stored(node, key).map(|entry| (entry.version, hash(entry.value)));
    let all = || replicas.iter().map(|(id, node)| (*id, held(node)));
    let (first, one) = all().find_map(|(id, held)| Some((id, held?)))?;
    let holder = replicas.iter().find(|(id, _)| *id == first);
    let is_vouched = holder.is_some_and(|(_, node)| node.shards().iter().all(|s| s.is_vouched(key.slot(), one.0)));
    let wrong = |(other, another): &(NodeId, Option<(Version, u64)>)| match another {
        Some(another) => *another != one,
        None => is_vouched && !may_lack(*other, one.0),
    };
    let (other, another) = all().find(wrong)?;
    let say = |(version, value)| format!("{version} ({value:x})");
    let another = another.map_or("nothing".into(), say);
    Some(format!("{key:?}: {first} holds {} and {other} holds {another}", say(one)))
}

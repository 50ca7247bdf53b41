//! P4: replicas of a key hold the same version, or nothing.

use alloc::format;
use alloc::string::String;

use super::held;
use crate::id::{NodeId, Version};
use crate::node::Node;
use crate::request::Key;

/// What replicas that have had the time to reconcile disagree about.
///
/// `forgetful` says that some node has evicted, expired or turned away something: then a replica may have nothing.
pub(super) fn disagree(key: &Key, replicas: &[(NodeId, &Node)], forgetful: bool) -> Option<String> {
    let mut versions = replicas.iter().map(|(id, node)| (*id, held(node, key)));
    let (first, version) = versions.next()?;
    let same = |other: Option<Version>| other == version || forgetful && (other.is_none() || version.is_none());
    let (other, different) = versions.find(|(_, other)| !same(*other))?;
    let say = |version: Option<Version>| version.map_or("nothing".into(), |version| format!("{version}"));
    Some(format!("{key:?}: {first} holds {} and {other} holds {}", say(version), say(different)))
}

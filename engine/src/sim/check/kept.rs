//! What is remembered of everything that was ever written: much of it, looked at seldom, and shared by the clones of a
//! world, which otherwise would each have the whole past of the run.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::did::Content;
use super::hash;
use crate::id::Version;
use crate::request::Key;
use crate::sorted::SortedMap;
use crate::time::{Instant, UnixMs};

/// What is known of the values and versions of all keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Of each value the true moment after which it must not be served.
    pub(super) until: Kept<Option<UnixMs>>,
    /// How many of its writes are under way or of unknown outcome, and when the last ended.
    pub(super) ended: Kept<(u32, Instant)>,
    /// The values of versions that were read.
    read: Kept<Content>,
}

impl Known {
    /// The value that was read under that version, if any was.
    pub(super) fn value_of(&self, key: &Key, version: Version) -> Option<Content> {
        self.read.get(name_of(key, version))
    }

    /// That value was read under that version. The other one that was read under it before, if there is one.
    pub(super) fn was_read(&mut self, key: &Key, version: Version, value: Content) -> Option<Content> {
        let name = name_of(key, version);
        let before = self.read.get(name);
        if before.is_none() {
            self.read.set(name, value);
        }
        before.filter(|before| *before != value)
    }
}

/// A map by hashes. What is old lies in sorted pieces that nobody changes any more: a clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Kept<T> {
    fresh: SortedMap<u64, T>,
    /// Each less than a quarter as long as the one before it, so that there are few; the later one counts.
    pieces: Vec<Piece<T>>,
}

type Piece<T> = Arc<[(u64, T)]>;

/// What every clone has for itself.
const FRESH: usize = 256;

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { fresh: SortedMap::new(), pieces: Vec::new() }
    }
}

impl<T: Copy> Kept<T> {
    pub(super) fn get(&self, name: u64) -> Option<T> {
        let old = |piece: &Piece<T>| {
            let at = piece.binary_search_by_key(&name, |(name, _)| *name).ok()?;
            Some(piece[at].1)
        };
        self.fresh.get(&name).copied().or_else(|| self.pieces.iter().rev().find_map(old))
    }

    pub(super) fn set(&mut self, name: u64, value: T) {
        self.fresh.insert(name, value);
        if self.fresh.len() < FRESH {
            return;
        }
        let mut piece: Vec<(u64, T)> = core::mem::take(&mut self.fresh).into_iter().collect();
        while let Some(before) = self.pieces.pop_if(|before| before.len() < piece.len() * 4) {
            piece = merged(&before, &piece);
        }
        self.pieces.push(piece.into());
    }
}

/// Both in order; of what is in both, the later one.
fn merged<T: Copy>(before: &[(u64, T)], later: &[(u64, T)]) -> Vec<(u64, T)> {
    let mut all = Vec::with_capacity(before.len() + later.len());
    let mut left = before.iter().peekable();
    for entry in later {
        while let Some(old) = left.next_if(|(name, _)| *name < entry.0) {
            all.push(*old);
        }
        left.next_if(|(name, _)| *name == entry.0);
        all.push(*entry);
    }
    all.extend(left);
    all
}

/// One number for a value of a key, given by its hash, which must be a good one.
pub(super) fn name(key: &Key, value: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), value)
}

fn name_of(key: &Key, version: Version) -> u64 {
    // Versions are alike, and a hash of a short key is only as good as its seed.
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&version.stamp.to_le_bytes());
    bytes[8..].copy_from_slice(&version.node.0.to_le_bytes());
    name(key, hash(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::rng::Rng;

    #[test]
    fn no_two_versions_of_keys_have_one_name() {
        let mut names = crate::sorted::SortedSet::new();
        for key in 0..60 {
            let key = Key::new(alloc::format!("k{key}")).expect("a key");
            for version in 0..2_000_u64 {
                let version = Version { stamp: ((1_700_000 + version / 3) << 16) + version % 3, node: NodeId(1) };
                assert!(names.insert(name_of(&key, version)), "{key:?} {version}");
            }
        }
    }

    #[test]
    fn it_is_a_map_and_clones_share_what_is_old() {
        let mut rng = Rng::new(1, "kept");
        let mut kept = Kept::default();
        let mut map = SortedMap::new();
        for round in 0..20_000_u32 {
            let name = rng.below(5_000);
            kept.set(name, round);
            map.insert(name, round);
        }
        for name in 0..5_001 {
            assert_eq!(kept.get(name), map.get(&name).copied(), "{name}");
        }
        assert!(kept.pieces.len() <= 8, "{} pieces", kept.pieces.len());
        let clone = kept.clone();
        assert!(kept.pieces.iter().zip(&clone.pieces).all(|(one, other)| Arc::ptr_eq(one, other)));
    }
}

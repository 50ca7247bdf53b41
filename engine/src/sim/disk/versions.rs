//! What disks know of keys, by version.

use alloc::vec::Vec;

use crate::id::Version;
use crate::record::Record;
use crate::request::Key;

/// A version for each key; [`Version::ZERO`] for those that have none. In the order of the keys: one more tree would
/// cost the page more bytes than it saves time.
#[derive(Clone, Debug, Default)]
pub struct Versions(Vec<(Key, Version)>);

impl Versions {
    /// The version of a key.
    pub(in crate::sim) fn get(&self, key: &Key) -> Version {
        self.0.binary_search_by(|(other, _)| other.cmp(key)).map_or(Version::ZERO, |at| self.0[at].1)
    }

    pub(super) fn of(&mut self, key: &Key) -> &mut Version {
        let at = self.0.binary_search_by(|(other, _)| other.cmp(key)).unwrap_or_else(|at| {
            self.0.insert(at, (key.clone(), Version::ZERO));
            at
        });
        &mut self.0[at].1
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|(key, _)| key)
    }

    /// What a record makes of them, also where it is read over a snapshot that has later ones.
    pub(super) fn apply(&mut self, record: &Record) {
        let (key, counts, becomes) = match record {
            Record::Put { key, entry } => (key, self.get(key) < entry.version, entry.version),
            Record::Remove { key, version } | Record::Forget { key, version } => {
                (key, self.get(key) <= *version, Version::ZERO)
            }
            Record::Touch { key, from, version, .. } => (key, self.get(key) == *from, *version),
            Record::Floor { .. } | Record::Synced { .. } => return,
        };
        if counts {
            *self.of(key) = becomes;
        }
    }
}

impl FromIterator<(Key, Version)> for Versions {
    fn from_iter<T: IntoIterator<Item = (Key, Version)>>(all: T) -> Versions {
        let mut versions = Versions::default();
        all.into_iter().for_each(|(key, version)| *versions.of(&key) = version);
        versions
    }
}

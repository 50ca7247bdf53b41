//! The map on disk: what a node that starts again begins with.
//!
//! A cluster whose members have come and gone is no longer the one of the list that its nodes were first started with.
//! So a node with a folder for data keeps each edition of the map from the second on; it needs neither the list nor
//! anybody's help to come back.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use vitrine_engine::codec;
use vitrine_engine::hash::Fingerprint;
use vitrine_engine::id::Epoch;
use vitrine_engine::view::Map;

use crate::durable;

/// The file of one node.
#[derive(Clone, Debug)]
pub struct MapFile {
    path: PathBuf,
    cluster: String,
    /// Nothing is kept any more. Held while a map is written, so that none comes back after that.
    forgotten: Arc<Mutex<bool>>,
}

/// Why a map cannot be used. Nothing was changed.
#[derive(Debug)]
pub struct MapError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// No map is longer: a thousand members with the longest names and addresses.
const LONGEST: u64 = 2 << 20;
/// Before the map: a fingerprint of the cluster's name and of the rest.
const HEAD: usize = 8;

impl MapFile {
    /// The file of the node of that name in that cluster.
    pub fn new(folder: &Path, node: &str, cluster: &str) -> MapFile {
        let path = folder.join(format!(".{node}.map"));
        MapFile { path, cluster: cluster.to_owned(), forgotten: Arc::default() }
    }

    /// The map that was kept there; `None` when there is none.
    pub fn read(&self) -> Result<Option<Arc<Map>>, MapError> {
        let unusable = |why: String| MapError { path: self.path.clone(), why };
        let bytes = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error.to_string())),
            Ok(metadata) if metadata.len() > LONGEST => return Err(unusable("it is too long".to_owned())),
            Ok(_) => std::fs::read(&self.path).map_err(|error| unusable(error.to_string()))?,
        };
        let (head, map) = bytes.split_at_checked(HEAD).ok_or_else(|| unusable("it is too short".to_owned()))?;
        if head != self.head(map) {
            return Err(unusable("it is damaged, or of a cluster of another name".to_owned()));
        }
        let map = codec::map::decode(map.to_vec().into()).map_err(|error| unusable(error.to_string()))?;
        Ok(Some(map))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps that map in the place of an earlier one. What every node was started with is not kept: whoever changes
    /// the list and restarts all of them means the new list.
    pub fn keep(&self, map: &Arc<Map>) -> io::Result<()> {
        let forgotten = self.forgotten.lock();
        if *forgotten || map.epoch <= Epoch::FIRST {
            return Ok(());
        }
        let map = codec::map::encode(map);
        durable::replace(&self.path, &[&self.head(&map), map.as_slice()].concat())
    }

    /// Forgets the map for good: the node is no member any more.
    pub fn forget(&self) -> io::Result<()> {
        let mut forgotten = self.forgotten.lock();
        *forgotten = true;
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn head(&self, map: &[u8]) -> [u8; HEAD] {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(self.cluster.as_bytes());
        fingerprint.add(map);
        fingerprint.0.to_le_bytes()
    }
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the map of the cluster in {} cannot be used: {}; delete it to start from --members, or to join anew with \
             --join",
            self.path.display(),
            self.why
        )
    }
}

impl std::error::Error for MapError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members;

    #[test]
    fn a_map_comes_back_whole_or_says_what_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let seats = members::parse("n1=a:1@2,n2=b:1@2").expect("a good list");
        let (first, _) = members::map(&seats, "n1", 2, 64).expect("in the list");
        let file = MapFile::new(folder.path(), "n1", "c");
        assert_eq!(file.read().expect("nothing is there"), None);
        file.keep(&first).expect("written");
        assert_eq!(file.read().expect("nothing is there"), None, "the first edition is that of the list");
        let second = Arc::new(Map { epoch: Epoch(2), ..Map::clone(&first) });
        file.keep(&second).expect("written");
        assert_eq!(file.read().expect("it was kept"), Some(second));
        let other = MapFile::new(folder.path(), "n1", "d").read().expect_err("another cluster's").to_string();
        assert!(other.contains(".n1.map cannot be used: it is damaged, or of a cluster of another name"), "{other}");
        let bytes = std::fs::read(&file.path).expect("it is there");
        for cut in 0..bytes.len() {
            std::fs::write(&file.path, &bytes[..cut]).expect("written");
            assert!(file.read().is_err(), "cut at {cut}");
            let mut flipped = bytes.clone();
            flipped[cut] ^= 1;
            std::fs::write(&file.path, flipped).expect("written");
            assert!(file.read().is_err(), "flipped at {cut}");
        }
        file.forget().expect("deleted");
        file.forget().expect("it need not be there");
        file.keep(&Arc::new(Map { epoch: Epoch(3), ..Map::clone(&first) })).expect("not written any more");
        assert_eq!(file.read().expect("nothing is there"), None);
    }
}

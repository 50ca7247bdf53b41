//! What is known of each key, looked up several times for each request: by a table of hashes.

use alloc::vec::Vec;

use super::Ledger;
use super::kept::name;
use crate::request::Key;
use crate::sim::shared::Shared;

/// The ledgers of all keys that were asked for, in the order in which they first were.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledgers {
    list: Vec<(Key, Shared<Ledger>)>,
    /// For each key the upper half of its hash, and its place in the list plus one, in the place that the lower half
    /// says or the next that was free; 0 where nobody is. A power of two of them, at least two for each key.
    table: Vec<(u32, u32)>,
}

impl Ledgers {
    /// That of the key, if it was ever asked for.
    pub(super) fn get(&self, key: &Key) -> Option<&Ledger> {
        Some(&self.list[self.find(key).ok()?].1)
    }

    /// That of the key, if it was ever asked for, to be changed.
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Ledger> {
        let at = self.find(key).ok()?;
        Some(&mut self.list[at].1)
    }

    /// That of the key, which is new where the key was never asked for.
    pub(super) fn get_or_default(&mut self, key: &Key) -> &mut Ledger {
        let at = self.find(key).unwrap_or_else(|free| {
            self.list.push((key.clone(), Shared::default()));
            match self.list.len() * 2 > self.table.len() {
                true => self.grow(),
                false => self.table[free] = entry(key, self.list.len()).1,
            }
            self.list.len() - 1
        });
        &mut self.list[at].1
    }

    /// All, with their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Ledger)> {
        self.list.iter().map(|(key, ledger)| (key, &**ledger))
    }

    /// All, with their keys, each of which may be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Shared<Ledger>)> {
        self.list.iter_mut().map(|(key, ledger)| (&*key, ledger))
    }

    /// The key's place in the list, or a free one in the table.
    fn find(&self, key: &Key) -> Result<usize, usize> {
        let (home, (hash, _)) = entry(key, 0);
        let mask = self.table.len().wrapping_sub(1);
        let mut place = home & mask;
        while let Some((other, at)) = self.table.get(place).filter(|(_, at)| *at > 0) {
            let at = *at as usize - 1;
            if *other == hash && self.list[at].0 == *key {
                return Ok(at);
            }
            place = (place + 1) & mask;
        }
        Err(place)
    }

    fn grow(&mut self) {
        let length = (self.list.len() * 4).next_power_of_two();
        self.table.clear();
        self.table.resize(length, (0, 0));
        for (at, (key, _)) in self.list.iter().enumerate() {
            let (home, entry) = entry(key, at + 1);
            let mut place = home & (length - 1);
            while self.table[place].1 > 0 {
                place = (place + 1) & (length - 1);
            }
            self.table[place] = entry;
        }
    }
}

/// Where a key wants to be, and what stands there when it is that one of the list.
fn entry(key: &Key, number: usize) -> (usize, (u32, u32)) {
    let hash = name(key, 0);
    (hash as u32 as usize, ((hash >> 32) as u32, number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    #[test]
    fn each_key_has_its_own_ledger_and_those_never_asked_for_have_none() {
        let key = |number: u32| Key::new(alloc::format!("k{number}")).expect("a key");
        let mut ledgers = Ledgers::default();
        assert!(ledgers.get(&key(0)).is_none());
        for number in 0..3_000 {
            let ledger = ledgers.get_or_default(&key(number));
            assert_eq!(ledger.primary.replace(NodeId(number as u16)), None, "{number}");
            // And again, which finds it.
            let known = number / 2;
            assert_eq!(ledgers.get_or_default(&key(known)).primary, Some(NodeId(known as u16)), "{known}");
        }
        for number in 0..3_000 {
            let there = Some(Some(NodeId(number as u16)));
            assert_eq!(ledgers.get(&key(number)).map(|ledger| ledger.primary), there, "{number}");
            assert_eq!(ledgers.get_mut(&key(number)).map(|ledger| ledger.primary), there, "{number}");
        }
        assert!((3_000..6_000).all(|number| ledgers.get(&key(number)).is_none()));
        assert!(ledgers.iter().map(|(key, _)| key).eq((0..3_000).map(key).collect::<Vec<_>>().iter()));
    }
}

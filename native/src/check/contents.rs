//! What was counted of entries and records.

use std::collections::BTreeMap;

use serde::Serialize;
use vitrine_engine::id::Version;
use vitrine_engine::record::Record;
use vitrine_engine::time::UnixMs;

/// Counts by kind, sizes, deadlines and versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// How many of each kind: puts, removes, touches, forgets, floors, synced.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Bytes of keys that were put.
    pub key_bytes: u64,
    /// Bytes of values that were put.
    pub value_bytes: u64,
    /// The longest of them.
    pub longest_value: u64,
    /// Puts that have a deadline.
    pub with_deadline: u64,
    /// Of them, those whose deadline has passed.
    pub expired: u64,
    /// The soonest deadline, Unix ms.
    pub soonest_deadline_unix_ms: Option<u64>,
    /// The latest, Unix ms.
    pub latest_deadline_unix_ms: Option<u64>,
    /// The oldest version, as `ETag` has it.
    #[serde(serialize_with = "as_text")]
    pub oldest: Option<Version>,
    /// The newest.
    #[serde(serialize_with = "as_text")]
    pub newest: Option<Version>,
}

impl Contents {
    /// Counts a record in.
    pub fn record(&mut self, record: &Record, now: UnixMs) {
        let (kind, version) = match record {
            Record::Put { key, entry } => {
                self.entry(key.as_bytes().len(), entry.value.bytes.len(), entry.deadline, now);
                ("puts", Some(entry.version))
            }
            Record::Remove { version, .. } => ("removes", Some(*version)),
            Record::Touch { version, .. } => ("touches", Some(*version)),
            Record::Forget { version, .. } => ("forgets", Some(*version)),
            Record::Floor { version, .. } => ("floors", Some(*version)),
            Record::Synced { .. } => ("synced", None),
        };
        self.count(kind, version);
    }

    /// Counts something of that kind in.
    pub fn count(&mut self, kind: &'static str, version: Option<Version>) {
        *self.kinds.entry(kind).or_default() += 1;
        if let Some(version) = version {
            self.oldest = Some(self.oldest.map_or(version, |oldest| oldest.min(version)));
            self.newest = self.newest.max(Some(version));
        }
    }

    /// Counts the sizes and the deadline of an entry in.
    pub fn entry(&mut self, key: usize, value: usize, deadline: Option<UnixMs>, now: UnixMs) {
        self.key_bytes += key as u64;
        self.value_bytes += value as u64;
        self.longest_value = self.longest_value.max(value as u64);
        if let Some(UnixMs(deadline)) = deadline {
            self.with_deadline += 1;
            self.expired += u64::from(deadline <= now.0);
            let soonest = self.soonest_deadline_unix_ms.map_or(deadline, |soonest| soonest.min(deadline));
            self.soonest_deadline_unix_ms = Some(soonest);
            self.latest_deadline_unix_ms = self.latest_deadline_unix_ms.max(Some(deadline));
        }
    }
}

fn as_text<S: serde::Serializer>(version: &Option<Version>, to: S) -> Result<S::Ok, S::Error> {
    match version {
        Some(version) => to.collect_str(version),
        None => to.serialize_none(),
    }
}

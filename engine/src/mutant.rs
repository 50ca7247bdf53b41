//! Deliberate mistakes, one of which can be switched on where the crate is built with the feature `mutants`: a check
//! that lets one live is missing something. Without the feature there are none, and the server refuses to be built with
//! it.

use alloc::format;
use alloc::string::String;

/// True when the crate was built with them.
pub const MUTANTS: bool = cfg!(feature = "mutants");

/// A mistake that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A write at `live` is acknowledged when the primary alone has it.
    AcknowledgeEarly = 1,
    /// Versions are counted in memory only: a node that restarts gives the same ones again.
    ReuseVersions,
    /// What was removed is not remembered, so that a late message brings it back.
    ForgetFloors,
    /// The wall clock alone makes versions, whatever is known of others.
    TrustClock,
    /// Slots are dealt out to the members that are alive, round and round.
    ModuloHash,
    /// A node answers alone from what it holds before it has asked what it missed.
    ServeOutOfSync,
    /// A node that comes back serves what it has where nobody is left who knows what it missed.
    ServeOrphans,
    /// A node that was away never asks what it missed.
    SkipReconciliation,
    /// A read shares the answer of one that was sent before it began.
    JoinSentRead,
    /// What was deleted is forgotten at once, though some replica may be away.
    CollectTombstones,
    /// A forwarded increment that is repeated is carried out again.
    CountTwice,
    /// A change of the map goes on though new owners have not been filled, and old ones free what others do not have.
    DropWhileMoving,
    /// Messages about slots are taken whatever map they were sent by.
    IgnoreEpoch,
    /// What was written down is acknowledged before it is on disk.
    AcknowledgeUnsynced,
    /// What an answer says is applied before it is logged, and the answer waits for the log as it was then.
    ApplyBeforeLog,
    /// An entry that is read from the log lives on from there for as long as it had to live when it was written.
    RelativeTtl,
    /// A record of the log that is damaged is passed over, and the ones behind it are read.
    SkipBadRecords,
    /// A segment of the log is begun, or a snapshot gets its name, without its folder being synced: after a crash there
    /// may be no such file.
    NoDirectorySync,
    /// The log before a snapshot is dropped once that is written, and before it is on disk.
    DropLogEarly,
    /// What was deleted is acknowledged before that is on disk.
    DeleteUnsynced,
    /// The answer to a deletion counts one more than know of it.
    CountOneMore,
    /// Every so often a read finds nothing, whatever is there.
    Miss,
    /// Every so often an entry that is read is gone afterwards, and nobody has seen it go.
    LoseUnseen,
    /// Of two pulls at the same time the one that ends first changes nothing: its slots stay in doubt.
    StayInDoubt,
    /// Slots are compared by the keys that are held of them, whatever their versions are.
    DigestKeysOnly,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Mutant; 25] = [
        Mutant::AcknowledgeEarly,
        Mutant::ReuseVersions,
        Mutant::ForgetFloors,
        Mutant::TrustClock,
        Mutant::ModuloHash,
        Mutant::ServeOutOfSync,
        Mutant::ServeOrphans,
        Mutant::SkipReconciliation,
        Mutant::JoinSentRead,
        Mutant::CollectTombstones,
        Mutant::CountTwice,
        Mutant::DropWhileMoving,
        Mutant::IgnoreEpoch,
        Mutant::AcknowledgeUnsynced,
        Mutant::ApplyBeforeLog,
        Mutant::RelativeTtl,
        Mutant::SkipBadRecords,
        Mutant::NoDirectorySync,
        Mutant::DropLogEarly,
        Mutant::DeleteUnsynced,
        Mutant::CountOneMore,
        Mutant::Miss,
        Mutant::LoseUnseen,
        Mutant::StayInDoubt,
        Mutant::DigestKeysOnly,
    ];
}

/// Their names in this build: none where it has none of them.
pub fn names() -> impl Iterator<Item = String> {
    let all = if MUTANTS { &Mutant::ALL[..] } else { &[] };
    all.iter().map(|mutant| format!("{mutant:?}"))
}

/// Makes the mistake of that name from now on, in every node of the process, or none where it is empty.
///
/// # Errors
/// When this build has no such mistake; what was set stays.
pub fn set_named(name: &str) -> Result<(), String> {
    let at = names().position(|known| known == name);
    if at.is_none() && !name.is_empty() {
        return Err(format!("there is no mistake {name:?} in this build"));
    }
    #[cfg(feature = "mutants")]
    set(at.map(|at| Mutant::ALL[at]));
    Ok(())
}

#[cfg(feature = "mutants")]
mod switch {
    use core::sync::atomic::{AtomicU8, Ordering};

    use super::Mutant;

    static ON: AtomicU8 = AtomicU8::new(0);

    /// Makes that mistake from now on, in every node of the process, or none.
    pub fn set(mutant: Option<Mutant>) {
        ON.store(mutant.map_or(0, |mutant| mutant as u8), Ordering::SeqCst);
    }

    /// Is that mistake to be made?
    pub(crate) fn on(mutant: Mutant) -> bool {
        ON.load(Ordering::Relaxed) == mutant as u8
    }
}

#[cfg(feature = "mutants")]
pub(crate) use switch::on;
#[cfg(feature = "mutants")]
pub use switch::set;

/// Never: there are no mistakes in this build.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn on(_: Mutant) -> bool {
    false
}

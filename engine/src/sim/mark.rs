//! What must happen sometimes: a night's runs that never met a thing have proved nothing about it.

/// Something worth knowing that it happened. The order is that of [`Mark::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A node crashed.
    Crashed,
    /// A node crashed right after it had sent a write to its replicas.
    CrashedWriting,
    /// A node was paused.
    Paused,
    /// A paused node went on with messages and requests waiting for it.
    Backlog,
    /// The clients of a paused node gave up.
    GaveUp,
    /// A way between nodes was cut.
    Cut,
    /// A way was cut while the way back stood.
    CutOneWay,
    /// A way was clogged.
    Clogged,
    /// Messages that were held up went on.
    Released,
    /// A wall clock was set.
    ClockStepped,
    /// A wall clock went wrong by drift or strobe.
    ClockDrifted,
    /// Only a core was healed.
    Core,
    /// A member that was up and running was suspected.
    SuspectedAlive,
    /// A member that was down or paused was suspected.
    SuspectedAway,
    /// A suspected member was heard again.
    HeardAgain,
    /// A replica refused a write, and its primary moved on above what the replica knows.
    MovedOn,
    /// A request that was passed on was repeated.
    ForwardRetried,
    /// A node was asked as the primary that it did not believe to be.
    NotPrimary,
    /// A message was repeated because nobody answered.
    Retried,
    /// A write ended with its outcome unknown.
    Indeterminate,
    /// A request was refused because too few replicas are alive.
    Unavailable,
    /// A request ended at its deadline.
    TimedOut,
    /// A client asked again at another node.
    AskedAgain,
    /// A conditional write found its condition unmet.
    Unmet,
    /// A write on condition of a version was carried out.
    Swapped,
    /// A read at `quorum` found something.
    QuorumHit,
    /// A read at `one` found something.
    ReplicaHit,
    /// A write that came from another node evicted an entry.
    EvictedReplicating,
    /// An entry was evicted because there were too many.
    EvictedEntries,
    /// An entry was evicted because they took too many bytes.
    EvictedBytes,
    /// An entry expired.
    Expired,
    /// One node decided about a key that another had decided about before.
    PrimaryChanged,
    /// Operations on one key overlapped, and an order of them was found.
    Ordered,
    /// More operations on one key overlapped than the search for an order takes on.
    OrderGivenUp,
    /// After trouble the cluster was left alone for long enough to be held to every promise again.
    CalmAgain,
    /// A node has made up for what it missed of another.
    Reconciled,
    /// What a node had missed took more than one page.
    Paged,
    /// Digests said of a slot that nothing was missed in it.
    SlotSame,
    /// A pull gave a node a key that it had missed.
    CaughtUp,
    /// A node dropped what nobody could vouch for.
    Unvouched,
    /// Links were cut such that all nodes still reached each other, through one of them.
    PartlyCut,
    /// A message was passed on by a third node.
    Relayed,
    /// A node heard that others had given it up.
    Rejoined,
    /// A node that could not write its log stepped aside.
    SteppedAside,
    /// A node that had stepped aside came back.
    CameBack,
    /// An acknowledged write is nowhere in the end: every node that had it crashed.
    LostToCrashes,
    /// An acknowledged write is nowhere in the end: a later change deleted or replaced it.
    LostToChange,
    /// An acknowledged write is nowhere in the end: it expired.
    LostToExpiry,
    /// An acknowledged write is nowhere in the end: it was evicted.
    LostToEviction,
    /// An acknowledged write is nowhere in the end: nobody could vouch for it.
    LostToDoubt,
    /// An acknowledged write is nowhere in the end: its slot moved to a node that had no room for it.
    LostToRoom,
    /// A machine became a member.
    Joined,
    /// A member left.
    Left,
    /// A member stood in another zone.
    Rezoned,
    /// Slots had moved to their new owners.
    Moved,
    /// A node's timer fired late.
    Late,
    /// A page of what a replica missed was sent late.
    LatePage,
    /// A request was turned away because a bound was reached.
    Busy,
    /// A counter was incremented.
    Counted,
    /// The outcome of an increment stayed unknown.
    CountUnknown,
    /// A deadline was moved.
    Touched,
    /// A node crashed and lost its disk.
    Wiped,
    /// A log was synced.
    Synced,
    /// A node that started found entries in its log.
    Recovered,
    /// A crash left the end of a log torn.
    Torn,
    /// A node served a client while another one that was up went by another map.
    TwoMaps,
    /// A message about a slot was taken that was sent by the map before.
    EarlierMap,
    /// A message about a slot was taken that was sent by the map after.
    LaterMap,
    /// A message about a slot was turned away because the maps were too far apart.
    MapsApart,
    /// A member that was gone was given up while slots moved.
    RemovedMoving,
    /// A member that was down was being removed.
    RemovedAway,
    /// Others stood in for a member that was down.
    StoodIn,
    /// They did so for as many at once as there are copies: of some slots nobody was left.
    StoodInForAll,
    /// It was back, and had its slots to itself again.
    StoodDown,
    /// Something went wrong with a disk.
    DiskFailed,
    /// A disk was mended.
    DiskHealed,
    /// A node could not write its log, and took no writes from then on.
    ReadOnly,
    /// A node wrote to another segment what it could not write before, and took writes again.
    WroteAgain,
    /// A write was turned away because the log could not be written.
    RefusedReadOnly,
    /// A confirmation was not sent because the log could not be written.
    Unconfirmed,
    /// A sync of a slow disk began.
    SlowSync,
    /// A write was turned away because too much waited for the disk.
    LogFull,
    /// A change of another node was not taken in because too much waited for the disk.
    Overfull,
    /// A disk was to say that a sync is done which is not.
    DiskLied,
    /// A node that started found that its log is damaged.
    DamageNoticed,
    /// A node took a snapshot.
    Saved,
    /// A snapshot came to nothing, because the disk did not take it.
    SaveFailed,
    /// A node that started began with a snapshot.
    StartedFromSnapshot,
    /// A node crashed when its snapshot had its name, and the log before it was not dropped.
    CrashedNaming,
    /// A node that started found its newest snapshot damaged.
    SnapshotPassed,
}

impl Mark {
    /// Every mark.
    pub const ALL: [Mark; 90] = [
        Mark::Crashed,
        Mark::CrashedWriting,
        Mark::Paused,
        Mark::Backlog,
        Mark::GaveUp,
        Mark::Cut,
        Mark::CutOneWay,
        Mark::Clogged,
        Mark::Released,
        Mark::ClockStepped,
        Mark::ClockDrifted,
        Mark::Core,
        Mark::SuspectedAlive,
        Mark::SuspectedAway,
        Mark::HeardAgain,
        Mark::MovedOn,
        Mark::ForwardRetried,
        Mark::NotPrimary,
        Mark::Retried,
        Mark::Indeterminate,
        Mark::Unavailable,
        Mark::TimedOut,
        Mark::AskedAgain,
        Mark::Unmet,
        Mark::Swapped,
        Mark::QuorumHit,
        Mark::ReplicaHit,
        Mark::EvictedReplicating,
        Mark::EvictedEntries,
        Mark::EvictedBytes,
        Mark::Expired,
        Mark::PrimaryChanged,
        Mark::Ordered,
        Mark::OrderGivenUp,
        Mark::CalmAgain,
        Mark::Reconciled,
        Mark::Paged,
        Mark::SlotSame,
        Mark::CaughtUp,
        Mark::Unvouched,
        Mark::PartlyCut,
        Mark::Relayed,
        Mark::Rejoined,
        Mark::SteppedAside,
        Mark::CameBack,
        Mark::LostToCrashes,
        Mark::LostToChange,
        Mark::LostToExpiry,
        Mark::LostToEviction,
        Mark::LostToDoubt,
        Mark::LostToRoom,
        Mark::Joined,
        Mark::Left,
        Mark::Rezoned,
        Mark::Moved,
        Mark::Late,
        Mark::LatePage,
        Mark::Busy,
        Mark::Counted,
        Mark::CountUnknown,
        Mark::Touched,
        Mark::Wiped,
        Mark::Synced,
        Mark::Recovered,
        Mark::Torn,
        Mark::TwoMaps,
        Mark::EarlierMap,
        Mark::LaterMap,
        Mark::MapsApart,
        Mark::RemovedMoving,
        Mark::RemovedAway,
        Mark::StoodIn,
        Mark::StoodInForAll,
        Mark::StoodDown,
        Mark::DiskFailed,
        Mark::DiskHealed,
        Mark::ReadOnly,
        Mark::WroteAgain,
        Mark::RefusedReadOnly,
        Mark::Unconfirmed,
        Mark::SlowSync,
        Mark::LogFull,
        Mark::Overfull,
        Mark::DiskLied,
        Mark::DamageNoticed,
        Mark::Saved,
        Mark::SaveFailed,
        Mark::StartedFromSnapshot,
        Mark::CrashedNaming,
        Mark::SnapshotPassed,
    ];

    /// What it says, in words.
    pub fn name(self) -> &'static str {
        match self {
            Mark::Crashed => "a node crashed",
            Mark::CrashedWriting => "a node crashed while it wrote",
            Mark::Paused => "a node was paused",
            Mark::Backlog => "a paused node came back to a backlog",
            Mark::GaveUp => "a paused node's client gave up",
            Mark::Cut => "a link was cut",
            Mark::CutOneWay => "a link was cut one way",
            Mark::Clogged => "a link was clogged",
            Mark::Released => "a clog let messages go",
            Mark::ClockStepped => "a clock stepped",
            Mark::ClockDrifted => "a clock drifted or strobed",
            Mark::Core => "only a core was healed",
            Mark::SuspectedAlive => "a live node was suspected",
            Mark::SuspectedAway => "a node that was away was suspected",
            Mark::HeardAgain => "a suspected node was heard again",
            Mark::MovedOn => "a refused primary moved on",
            Mark::ForwardRetried => "a forward was retried",
            Mark::NotPrimary => "a node was taken for the primary",
            Mark::Retried => "a message was repeated",
            Mark::Indeterminate => "a write ended indeterminate",
            Mark::Unavailable => "too few replicas were alive",
            Mark::TimedOut => "a request timed out",
            Mark::AskedAgain => "a client asked again elsewhere",
            Mark::Unmet => "a condition was not met",
            Mark::Swapped => "a version was compared and swapped",
            Mark::QuorumHit => "a quorum read hit",
            Mark::ReplicaHit => "a read of any replica hit",
            Mark::EvictedReplicating => "a replicated write evicted",
            Mark::EvictedEntries => "an entry too many was evicted",
            Mark::EvictedBytes => "bytes too many were evicted",
            Mark::Expired => "an entry expired",
            Mark::PrimaryChanged => "a key changed its primary",
            Mark::Ordered => "overlapping operations had an order",
            Mark::OrderGivenUp => "too many operations overlapped to search",
            Mark::CalmAgain => "all was calm again after trouble",
            Mark::Reconciled => "a node reconciled with another",
            Mark::Paged => "what was missed took a second page",
            Mark::SlotSame => "digests spared a slot its listing",
            Mark::CaughtUp => "a node got what it had missed",
            Mark::Unvouched => "what nobody vouched for was dropped",
            Mark::PartlyCut => "a partition was partial",
            Mark::Relayed => "a message was passed on",
            Mark::Rejoined => "a node heard that it was given up",
            Mark::SteppedAside => "a node that could not write its log stepped aside",
            Mark::CameBack => "a node that had stepped aside came back",
            Mark::LostToCrashes => "a key died with all its holders",
            Mark::LostToChange => "a key was deleted or replaced",
            Mark::LostToExpiry => "a key had expired everywhere",
            Mark::LostToEviction => "a key was evicted everywhere",
            Mark::LostToDoubt => "a key was dropped as nobody vouched for it",
            Mark::LostToRoom => "a key moved to where no room was",
            Mark::Joined => "a machine became a member",
            Mark::Left => "a member left",
            Mark::Rezoned => "a member changed its zone",
            Mark::Moved => "slots had moved",
            Mark::Late => "a timer fired late",
            Mark::LatePage => "a page was sent late",
            Mark::Busy => "a bound was reached",
            Mark::Counted => "a counter was incremented",
            Mark::CountUnknown => "an increment's outcome stayed unknown",
            Mark::Touched => "a deadline was moved",
            Mark::Wiped => "a node lost its disk",
            Mark::Synced => "a log was synced",
            Mark::Recovered => "a node found entries in its log",
            Mark::Torn => "a crash tore the end of a log",
            Mark::TwoMaps => "two nodes worked by different maps",
            Mark::EarlierMap => "a message by the map before was taken",
            Mark::LaterMap => "a message by the map after was taken",
            Mark::MapsApart => "a message was turned away for its map",
            Mark::RemovedMoving => "a member was given up while slots moved",
            Mark::RemovedAway => "a member that was down was being removed",
            Mark::StoodIn => "others stood in for a member that was down",
            Mark::StoodInForAll => "others stood in for as many members as there are copies",
            Mark::StoodDown => "nobody needed to stand in for a member any more",
            Mark::DiskFailed => "a disk failed",
            Mark::DiskHealed => "a disk was mended",
            Mark::ReadOnly => "a node turned read-only",
            Mark::WroteAgain => "a node wrote again what had failed",
            Mark::RefusedReadOnly => "a write was refused as read-only",
            Mark::Unconfirmed => "a copy was not confirmed for a disk",
            Mark::SlowSync => "a sync was slow",
            Mark::LogFull => "too much waited for a disk",
            Mark::Overfull => "a change was turned away for a disk",
            Mark::DiskLied => "a disk lied about a sync",
            Mark::DamageNoticed => "a node noticed a damaged log",
            Mark::Saved => "a node took a snapshot",
            Mark::SaveFailed => "a snapshot came to nothing",
            Mark::StartedFromSnapshot => "a node began with a snapshot",
            Mark::CrashedNaming => "a node crashed with a snapshot just named",
            Mark::SnapshotPassed => "a node noticed a damaged snapshot",
        }
    }
}

/// How often each happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks([u64; Mark::ALL.len()]);

impl Default for Marks {
    fn default() -> Marks {
        Marks([0; Mark::ALL.len()])
    }
}

impl Marks {
    /// How often it happened.
    pub fn count(&self, mark: Mark) -> u64 {
        self.0[mark as usize]
    }

    /// It happened.
    pub fn note(&mut self, mark: Mark) {
        self.add(mark, 1);
    }

    /// It happened so often.
    pub fn add(&mut self, mark: Mark, times: u64) {
        self.0[mark as usize] += times;
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(mut self, other: &Marks) -> Marks {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_under_their_own_names() {
        let mut marks = Marks::default();
        for (index, mark) in Mark::ALL.into_iter().enumerate() {
            assert_eq!(mark as usize, index, "{}", mark.name());
            marks.add(mark, index as u64);
            assert!(Mark::ALL.iter().filter(|other| other.name() == mark.name()).count() == 1);
        }
        marks.note(Mark::Crashed);
        let sum = marks.plus(&marks);
        assert_eq!((sum.count(Mark::Crashed), sum.count(Mark::Moved)), (2, 2 * Mark::Moved as u64));
    }
}

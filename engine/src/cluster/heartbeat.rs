//! How liveness is found out, and how fast.

use core::time::Duration;

/// How liveness is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Time between two questions to everybody, and between two probes of the membership protocol.
    pub interval: Duration,
    /// A member is given up after that time at the earliest, and when no question sent within it has been answered.
    pub suspect_after: Duration,
    /// For a member that has been down for so long others stand in, where there are any, until it is back. `None` for
    /// never: then its slots have a copy less.
    pub stand_in_after: Option<Duration>,
    /// A member that has been away for so long is a member no more. `None` leaves that to a person.
    pub remove_after: Option<Duration>,
}

impl Default for Heartbeat {
    /// A peer is given up after six unanswered questions, within a second and a half.
    fn default() -> Heartbeat {
        Heartbeat {
            interval: Duration::from_millis(200),
            suspect_after: Duration::from_millis(1_200),
            stand_in_after: None,
            remove_after: None,
        }
    }
}

impl Heartbeat {
    /// A member that has itself answered no question sent within this time is reached another way: half of
    /// [`Heartbeat::suspect_after`], so that the other way is tried as long before anybody is given up.
    pub fn detour_after(&self) -> Duration {
        self.suspect_after / 2
    }
}

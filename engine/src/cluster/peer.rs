//! What this node knows of one other member, and how the two stand to each other.

use crate::id::{NodeId, Version};
use crate::message::{Contact, Reach, Standing};
use crate::time::Instant;
use crate::view::Pull;

/// One other member.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) id: NodeId,
    /// When the latest question was sent that it has answered: by any way, and itself.
    pub(super) heard: Instant,
    pub(super) heard_directly: Instant,
    /// The membership protocol has not given it up.
    pub(super) up: bool,
    /// What this node believes: that, it has answered of late, and is not aside.
    pub(super) alive: bool,
    pub(super) direct: bool,
    /// Who passes on what is sent to it, where it does not answer itself.
    pub(super) through: Option<NodeId>,
    /// It has answered at least once since this node started.
    pub(super) met: bool,
    /// Its present start has answered this one.
    pub(super) answered: bool,
    /// It has answered a question that was asked since this node started, or since it last stood still: what it said
    /// of the map is not older than that.
    pub(super) confirmed: bool,
    /// How often `alive` has changed: what it is told of that.
    pub(super) lapses: u32,
    /// Its start and its own count of lapses, as last heard.
    pub(super) known: Option<(u64, u32)>,
    /// When its present start was heard of last, and which one was known before that.
    pub(super) word: Instant,
    pub(super) before: u64,
    /// The life before its present start, where that had a higher number: its clock was set back in between.
    pub(super) outlived: u64,
    /// The start of it that the next two are of.
    pub(super) spoke: u64,
    /// It cannot write its log, as last heard.
    pub(super) failing: bool,
    /// How often it has stepped aside and come back.
    pub(super) steps: u32,
    /// How often editions have passed it by that took slots from others who shared them with it.
    pub(super) skips: u32,
    /// It is heard, and is aside: not counted on by anybody.
    pub(super) aside: bool,
    /// Whom it reaches, as last heard.
    pub(super) reach: Reach,
    /// Every write of it up to this version has reached this node.
    pub(super) settled: Version,
    pub(super) pull: Pull,
    /// `pull` is in no view yet.
    pub(super) broken: bool,
    /// The question that it was asked out of turn.
    pub(super) nudged: u64,
}

impl Peer {
    /// A member that nothing is known of: it is believed in until it is not heard, and all that it has is new.
    pub(super) fn new(id: NodeId, now: Instant, met: bool) -> Peer {
        Peer {
            id,
            heard: now,
            heard_directly: now,
            up: true,
            alive: true,
            direct: true,
            through: None,
            met,
            answered: false,
            confirmed: met,
            lapses: 0,
            known: None,
            word: now,
            before: 0,
            outlived: 0,
            spoke: 0,
            failing: false,
            steps: 0,
            skips: 0,
            aside: false,
            reach: Reach::default(),
            settled: Version::ZERO,
            pull: Pull { round: 1, ..Pull::default() },
            broken: false,
            nudged: 0,
        }
    }

    /// Is that from an earlier start of it than the one that is known, held up on the way? What an earlier one said
    /// counts no longer. Nor does it if it looks like one, since the clock of the peer was set back in between, unless
    /// it answers a question (`asked` at that time) that was sent once the known one had been heard of last.
    pub(super) fn is_outdated(&self, standing: &Standing, asked: Option<Instant>) -> bool {
        let is_other = self.known.is_some_and(|(boot, _)| boot != standing.boot);
        let is_earlier = standing.boot == self.before || standing.life < self.pull.life;
        is_other && is_earlier && asked.is_none_or(|asked| asked <= self.word)
    }

    /// One of the two was away: what it knows above `since` may have passed this node by. `lost`: it may be gone
    /// itself.
    pub(super) fn make_up(&mut self, lost: bool, since: Version) {
        let since = if self.broken { self.pull.since.min(since) } else { since };
        let Pull { round, losses, .. } = self.pull;
        self.pull = Pull { round: round + 1, losses: losses + u64::from(lost), since, ..self.pull };
        self.broken = true;
    }

    /// Does it know this start of the node, and believe in it?
    pub(super) fn judge_tells(&mut self) {
        let tells = self.answered && self.known.is_some_and(|(_, lapses)| lapses % 2 == 0);
        self.broken |= self.pull.tells != tells;
        self.pull.tells = tells;
    }

    pub(super) fn contact(&self) -> Contact {
        match (self.alive, self.direct) {
            (false, _) => Contact::None,
            (true, false) => Contact::Relayed,
            (true, true) => Contact::Direct,
        }
    }
}

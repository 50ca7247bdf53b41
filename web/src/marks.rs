//! What is worth a mark on the time line: faults, who is a member and who is missed, and broken promises.

use vitrine_engine::effect::Event;
use vitrine_engine::sim::{TraceEvent, What, World};
use vitrine_engine::time::Instant;

/// The marks of a run, in order.
#[derive(Clone, Default)]
pub struct Marks {
    marks: Vec<Mark>,
    /// The number of the last event that was looked at.
    read: u64,
    /// Changes whenever the marks do.
    edition: u32,
}

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The number of its event.
    pub seq: u64,
    /// Its moment.
    pub at: Instant,
    /// What kind it is.
    pub kind: Kind,
    /// What happened, in words.
    pub what: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Somebody or chance has broken or mended something.
    Fault = 0,
    /// Somebody is missed or heard again, or the members have changed.
    Member,
    /// A promise was broken.
    Violation,
}

/// Marks of a run at most: later ones are not kept, but for violations.
const MOST: usize = 2_000;
const MOST_VIOLATIONS: usize = MOST + 100;
/// All notice within that time that somebody is gone: one mark is enough.
const TOGETHER: u64 = 1_000_000;

impl Marks {
    /// Takes in what has happened since the last time.
    pub fn follow(&mut self, world: &World) {
        let latest = world.trace().latest();
        if latest <= self.read {
            return;
        }
        let before = self.marks.len();
        for event in world.trace().since(self.read) {
            // At the beginning everybody starts.
            let Some(kind) = kind(&event.what).filter(|_| event.at > Instant(0)) else { continue };
            let room = if kind == Kind::Violation { MOST_VIOLATIONS } else { MOST };
            if self.marks.len() < room && !self.is_known(event) {
                self.marks.push(Mark { seq: event.seq, at: event.at, kind, what: event.what.to_string() });
            }
        }
        self.read = latest;
        self.edition += u32::from(self.marks.len() != before);
    }

    /// What comes after that event is no more.
    pub fn cut(&mut self, seq: u64) {
        let before = self.marks.len();
        self.marks.retain(|mark| mark.seq <= seq);
        self.read = self.read.min(seq);
        self.edition += u32::from(self.marks.len() != before);
    }

    /// All, in order.
    pub fn all(&self) -> &[Mark] {
        &self.marks
    }

    /// A number that changes whenever they do.
    pub fn edition(&self) -> u32 {
        self.edition
    }

    /// Has somebody else just noticed the same?
    fn is_known(&self, event: &TraceEvent) -> bool {
        let Some(noticed) = noticed(&event.what) else { return false };
        let mut recent = self.marks.iter().rev().take_while(|mark| mark.at.0 + TOGETHER > event.at.0);
        recent.any(|mark| mark.what.ends_with(&noticed))
    }
}

/// What several nodes notice, one after the other, as the end of their words.
fn noticed(what: &What) -> Option<String> {
    match what {
        What::Node { event: Event::Suspected { .. } | Event::Alive { .. } | Event::Mapped { .. }, .. } => {
            what.to_string().split_once(' ').map(|(_, words)| words.into())
        }
        _ => None,
    }
}

fn kind(what: &What) -> Option<Kind> {
    match what {
        What::Violated(_) => Some(Kind::Violation),
        What::Crashed(_)
        | What::Started(_)
        | What::Paused(_)
        | What::Resumed(_)
        | What::Clogged(..)
        | What::Unclogged(..)
        | What::Cut(..)
        | What::Healed(..)
        | What::Clock(..)
        | What::Disk(..) => Some(Kind::Fault),
        What::Left(_)
        | What::Node {
            event: Event::Suspected { .. } | Event::Alive { .. } | Event::Mapped { .. } | Event::Aside { .. },
            ..
        } => Some(Kind::Member),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_engine::sim::WorldConfig;

    #[test]
    fn marks_are_faults_and_what_comes_of_them_each_once() {
        let mut world = World::new(WorldConfig::default());
        let mut marks = Marks::default();
        let mut until = |world: &mut World, seconds: u64| {
            while world.now() < Instant(seconds * 1_000_000) {
                world.run_until(Instant(seconds * 1_000_000), 200);
                marks.follow(world);
            }
        };
        until(&mut world, 2);
        world.command("n2 crash").expect("a command");
        until(&mut world, 6);
        world.command("n2 restart").expect("a command");
        until(&mut world, 9);
        let said: Vec<(Kind, &str)> = marks.all().iter().map(|mark| (mark.kind, mark.what.as_str())).collect();
        let [crash, suspicion, start, heard] = said[..] else { panic!("{said:?}") };
        assert_eq!((crash, start), ((Kind::Fault, "n2 crashed"), (Kind::Fault, "n2 started")));
        assert!(suspicion.0 == Kind::Member && suspicion.1.ends_with("suspects n2"), "{said:?}");
        assert!(heard.0 == Kind::Member && heard.1.ends_with("hears n2 again"), "{said:?}");
        let (edition, crashed) = (marks.edition(), marks.all()[0].seq);
        marks.cut(crashed);
        assert_eq!(marks.all().len(), 1);
        assert_ne!(marks.edition(), edition);
    }
}

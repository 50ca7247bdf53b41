//! Time on the page: to any moment and back, marks on the way, and two branches of one run.

use vitrine_engine::sim::TraceEvent;
use vitrine_engine::time::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::branches::{self, Branch};
use crate::picture::text;
use crate::{Playground, Wrong, wrong};

/// Keys that two branches differ in and that are listed.
const MOST_UNLIKE: usize = 40;

#[wasm_bindgen]
impl Playground {
    /// How far the run has been, or is allowed to go while a script is stepped through, in simulated microseconds:
    /// [`Playground::seek`] goes that far.
    pub fn end(&self) -> f64 {
        self.reach().unwrap_or_else(|| self.history.end()).0 as f64
    }

    /// Goes to that moment.
    ///
    /// # Errors
    /// See [`Playground::step_back`].
    pub fn seek(&mut self, at: f64) -> Result<(), Wrong> {
        self.may_go_back()?;
        self.history.seek(self.reach().map_or(Instant(at as u64), |reach| reach.min(Instant(at as u64))));
        self.arrive();
        Ok(())
    }

    /// Goes to just after the event of that number.
    ///
    /// # Errors
    /// See [`Playground::step_back`].
    pub fn seek_event(&mut self, seq: f64) -> Result<(), Wrong> {
        self.may_go_back()?;
        self.history.seek_event(seq as u64);
        if let Some(reach) = self.reach().filter(|reach| self.world().now() > *reach) {
            self.history.seek(reach);
        }
        self.arrive();
        Ok(())
    }

    /// A number that changes whenever the marks do.
    pub fn marks_edition(&self) -> u32 {
        self.history.marks().edition()
    }

    /// Of each mark on the time line 3 numbers: event, moment, and 0 for a fault, 1 for the members, 2 for a violation.
    pub fn marks(&self) -> Vec<f64> {
        let marks = self.history.marks().all().iter();
        marks.flat_map(|mark| [mark.seq as f64, mark.at.0 as f64, f64::from(mark.kind as u8)]).collect()
    }

    /// What each of them is, in words.
    pub fn mark_words(&self) -> Vec<String> {
        self.history.marks().all().iter().map(|mark| mark.what.clone()).collect()
    }

    /// Makes a second branch at this moment: what is done next is done to this one, the other goes on as it would have.
    ///
    /// # Errors
    /// See [`Playground::step_back`].
    pub fn fork(&mut self) -> Result<(), Wrong> {
        self.may_go_back()?;
        let (forked, mut history) = (self.world().now(), self.history.clone());
        // What a script has to say about the one in front says nothing of this one.
        history.hold(None);
        self.other = Some(Branch { history, forked, older: true, difference: None });
        Ok(())
    }

    /// Puts the other branch in front, at the same moment as this one.
    pub fn swap(&mut self) {
        self.leave_script();
        if let Some(other) = &mut self.other {
            core::mem::swap(&mut self.history, &mut other.history);
            (other.older, other.difference) = (!other.older, None);
            self.steps = crate::steps::Steps::default();
            self.tape.restart();
            self.again();
        }
    }

    /// Lets the other branch go.
    pub fn join_branches(&mut self) {
        self.other = None;
    }

    /// Where the run was forked, the moment at which the other branch is, how far it has been, and whether the one in
    /// front is the newer one. Empty where it was not forked.
    pub fn forked(&self) -> Vec<f64> {
        let Some(other) = &self.other else { return Vec::new() };
        let (now, end) = (other.history.world().now(), other.history.end());
        vec![other.forked.0 as f64, now.0 as f64, end.0 as f64, f64::from(u8::from(other.older))]
    }

    /// Where the two branches first differ: of each, this one first, the number of the event, or NaN, and its moment.
    pub fn first_difference(&mut self) -> Vec<f64> {
        let event = |event: Option<&TraceEvent>| event.map_or([f64::NAN; 2], |it| [it.seq as f64, it.at.0 as f64]);
        self.difference().map_or_else(Vec::new, |pair| pair.map(event).concat())
    }

    /// The same in words.
    pub fn first_difference_words(&mut self) -> Vec<String> {
        let words = |event: Option<&TraceEvent>| event.map_or_else(String::new, |event| event.what.to_string());
        self.difference().map_or_else(Vec::new, |pair| pair.map(words).to_vec())
    }

    /// What is not the same in the two branches now. First how many keys; then for each difference the node, the key or
    /// nothing when it is about the node, what is here, and what is there.
    pub fn unlike(&self) -> Vec<String> {
        let Some(other) = &self.other else { return Vec::new() };
        let (unlike, keys) = branches::unlike(self.world(), other.history.world(), MOST_UNLIKE);
        let of = |unlike: branches::Unlike| {
            let key = unlike.key.map_or_else(String::new, |key| text(&key));
            [unlike.node.0.to_string(), key, unlike.one, unlike.other]
        };
        core::iter::once(keys.to_string()).chain(unlike.into_iter().flat_map(of)).collect()
    }
}

impl Playground {
    /// The run went on, or back: the other branch comes along, a little at a time when it has far to go.
    pub(crate) fn moved(&mut self) {
        let now = self.history.world().now();
        if let Some(other) = &mut self.other {
            if other.history.world().now() > now {
                other.history.seek(now);
            } else {
                other.history.run(now, u64::from(crate::MOST_AT_ONCE) * 2);
            }
        }
        self.follow();
    }

    /// The run was taken to another moment: so is the other branch, at once.
    fn arrive(&mut self) {
        let now = self.history.world().now();
        if let Some(other) = &mut self.other {
            other.history.seek(now);
        }
        self.again();
        self.moved();
    }

    /// This one's first, then the other's.
    fn difference(&mut self) -> Option<[Option<&TraceEvent>; 2]> {
        let other = self.other.as_mut()?;
        let (front, behind) = (&self.history, &other.history);
        let pair = other.difference.get_or_insert_with(|| branches::first_difference(front, behind)).as_ref()?;
        Some([pair.one.as_ref(), pair.other.as_ref()])
    }

    pub(crate) fn may_go_back(&self) -> Result<(), Wrong> {
        if self.history.is_kept() {
            return Ok(());
        }
        let most = crate::MOST_REMEMBERED;
        Err(wrong(format!("there is no way back in a replay with room for more than {most} entries")))
    }

    /// The log is told anew.
    fn again(&mut self) {
        self.journal = crate::journal::Journal::default();
        self.follow();
    }
}

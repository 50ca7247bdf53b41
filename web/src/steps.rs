//! A script that was opened, stepped through: it is held at the end of a line until it is told to go on.

use vitrine_engine::sim::{Step, World};
use vitrine_engine::time::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Playground;
use crate::history::History;

/// Where each line of a script ends, and what came of what it expected.
#[derive(Default)]
pub struct Steps {
    lines: Vec<Line>,
    /// What was expected, by line, and how it was where it was not so.
    expected: Vec<(u32, Option<String>)>,
    /// The run goes no further than the end of so many lines; `None` is as far as time goes.
    stop: Option<usize>,
}

struct Line {
    number: u32,
    /// How many events there were, when that was, and how many acts had been done.
    end: (u64, Instant, usize),
    /// Microseconds that it lets pass.
    span: u64,
}

/// Simulated microseconds in a millisecond of a person who watches messages fly.
const SLOW: f64 = 2.0;
/// A line that lets time pass takes no longer than this, in milliseconds of the person.
const WATCHED: f64 = 2_500.0;

impl Steps {
    /// A line has been carried out.
    pub fn done(&mut self, number: u32, step: Step, history: &History) {
        let span = if let Step::Run(span) = step { span.as_micros() as u64 } else { 0 };
        let world = history.world();
        self.lines.push(Line { number, end: (world.events(), world.now(), history.seen().len()), span });
    }

    /// Something was expected of the run as it is there.
    pub fn expects(&mut self, number: u32, line: &str, world: &World) {
        self.expected.push((number, world.expect(line).err().map(|why| why.to_string())));
    }

    /// The end of so many lines.
    fn end(&self, lines: usize) -> (u64, Instant, usize) {
        lines.checked_sub(1).map_or((0, Instant(0), 0), |last| self.lines[last].end)
    }

    /// How many lines are over.
    fn over(&self, history: &History) -> usize {
        self.lines.partition_point(|line| is_past(history, line.end))
    }
}

fn is_past(history: &History, (events, at, acts): (u64, Instant, usize)) -> bool {
    let world = history.world();
    world.events() >= events && world.now() >= at && history.seen().len() >= acts
}

#[wasm_bindgen]
impl Playground {
    /// The script that was opened goes on to the end of that line of its text, and is held there.
    pub fn go(&mut self, line: u32) {
        let stop = self.steps.lines.partition_point(|known| known.number <= line);
        self.steps.stop = Some(stop);
        self.history.hold(Some(self.steps.end(stop).2));
    }

    /// Nothing is held any longer: what comes now is up to the person.
    pub fn leave_script(&mut self) {
        self.steps.stop = None;
        self.history.hold(None);
    }

    /// Of the script that is stepped through: the line that it is at, whether it is held there, whether it is over, and
    /// how many simulated microseconds should pass in a millisecond. Empty when none is.
    pub fn played(&self) -> Vec<f64> {
        let Some(stop) = self.steps.stop else { return Vec::new() };
        let over = self.steps.over(&self.history);
        let at = over.min(stop.saturating_sub(1));
        let line = if stop == 0 { None } else { self.steps.lines.get(at) };
        let pace = line.map_or(SLOW, |line| (line.span as f64 / WATCHED).max(SLOW));
        let flag = |is: bool| f64::from(u8::from(is));
        let is_over = over == self.steps.lines.len();
        vec![line.map_or(0.0, |line| f64::from(line.number)), flag(over >= stop), flag(is_over), pace]
    }

    /// What the script expected of what has been done, two texts each: the line, and how it is where it is not so.
    pub fn expected(&self) -> Vec<String> {
        let over = self.steps.over(&self.history);
        let last = over.checked_sub(1).map_or(0, |last| self.steps.lines[last].number);
        let seen = self.steps.expected.iter().filter(|(line, _)| *line <= last);
        seen.flat_map(|(line, why)| [line.to_string(), why.clone().unwrap_or_default()]).collect()
    }
}

impl Playground {
    /// How far the next events may go of those asked for: to the end of a line, each at its own pace. `None` where the
    /// script is held.
    pub(crate) fn allowed(&mut self, until: Instant, most: u64) -> Option<(Instant, u64)> {
        let Some(stop) = self.steps.stop else { return Some((until, most)) };
        self.history.catch_up();
        let over = self.steps.over(&self.history);
        if over >= stop {
            return None;
        }
        let (events, at, _) = self.steps.end(over + 1);
        let left = match events.saturating_sub(self.world().events()) {
            0 => most,
            left => most.min(left),
        };
        Some((until.min(at), left))
    }

    /// How far time goes in a script that is stepped through: to the end of the line that it is held at.
    pub(crate) fn reach(&self) -> Option<Instant> {
        self.steps.stop.map(|lines| self.steps.end(lines).1)
    }

    /// Goes on to the next event that a person can see, and no further than the script is allowed to.
    pub(crate) fn step_script(&mut self) -> bool {
        /// Heartbeats alone fill the rest.
        const MOST_QUIET: u32 = 10_000;
        if self.steps.stop.is_none() {
            return self.history.forward();
        }
        let before = self.world().trace().latest();
        for _ in 0..MOST_QUIET {
            let next = self.world().next_event().unwrap_or(self.world().now());
            let Some((until, most)) = self.allowed(next, 1) else { break };
            if self.world().trace().latest() != before {
                break;
            }
            self.history.run(until, most);
        }
        self.world().trace().latest() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    const LESSONS: [&str; 4] = [
        include_str!("../../tests/lessons/split-brain.script"),
        include_str!("../../tests/lessons/stampede.script"),
        include_str!("../../tests/lessons/ttl.script"),
        include_str!("../../tests/lessons/fsync.script"),
    ];

    fn open(text: &str) -> Playground {
        let mut playground = Playground::new(Settings::default()).expect("good settings");
        playground.open(text).expect("a script");
        playground.go(0);
        playground
    }

    fn is_held(playground: &Playground) -> bool {
        playground.played()[1] == 1.0
    }

    fn play(playground: &mut Playground, events: u32, span: f64) {
        for _ in 0..1_000_000 {
            if is_held(playground) {
                return;
            }
            playground.run(playground.now() + span, events);
        }
        panic!("it does not end");
    }

    fn expected(text: &str) -> &str {
        text.trim_end().rsplit(' ').next().expect("a fingerprint")
    }

    #[test]
    fn a_script_in_pieces_comes_to_what_it_expects() {
        for text in LESSONS {
            for (events, span) in [(1, 1e6), (3, 700.0), (250, 16_000.0), (250, 1e9)] {
                let mut playground = open(text);
                assert!(is_held(&playground) && playground.now() == 0.0);
                playground.go(u32::MAX);
                play(&mut playground, events, span);
                assert_eq!(playground.fingerprint(), expected(text), "{events} events, {span} us");
                assert!(playground.expected().chunks(2).all(|of| of[1].is_empty()), "{:?}", playground.expected());
                assert!(playground.expected().len() > 4);
            }
        }
    }

    #[test]
    fn it_stops_where_it_is_told_and_goes_on_to_the_same_end_after_going_back() {
        for text in LESSONS {
            let mut playground = open(text);
            let lines = text.lines().count() as u32;
            for line in (0..=lines).step_by(3).chain([lines]) {
                playground.go(line);
                play(&mut playground, 50, 100_000.0);
                assert!(playground.played()[0] <= f64::from(line));
                let there = (playground.steps(), playground.now(), playground.fingerprint());
                for _ in 0..line % 7 {
                    playground.step_back().expect("a way back");
                }
                if line % 2 == 0 {
                    while playground.step_forward() {}
                }
                play(&mut playground, 20, 3_000.0);
                assert_eq!((playground.steps(), playground.now(), playground.fingerprint()), there, "line {line}");
                assert!(!playground.step_forward(), "it is held");
            }
            assert_eq!(playground.fingerprint(), expected(text));
        }
    }

    #[test]
    fn what_a_person_does_ends_it() {
        let mut playground = open(LESSONS[0]);
        playground.go(8);
        play(&mut playground, 250, 1e6);
        playground.command("n1 crash").expect("a crash");
        assert_eq!(playground.played(), Vec::<f64>::new());
        let before = playground.now();
        playground.run(before + 1e6, 250);
        assert!(playground.now() > before);
    }

    #[test]
    fn what_is_not_as_expected_is_said_when_it_is_due() {
        let mut playground = open("cluster nodes=2\nc1 set k v\nsettle\nexpect c1 miss\nrun 1s\nexpect n1 up");
        assert_eq!(playground.expected(), Vec::<String>::new());
        playground.go(4);
        play(&mut playground, 250, 1e6);
        assert_eq!(playground.expected(), ["4", "expected c1 miss, and it is: stored, 2 copies"]);
        playground.go(6);
        play(&mut playground, 250, 1e6);
        assert_eq!(playground.expected()[2..], ["6", ""]);
    }
}

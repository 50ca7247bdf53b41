//! A script being played: its lines are done one after the other as the run gets there, and it stops where it is told.
//!
//! It comes to the same run as [`vitrine_engine::sim::Script::run`], in however small pieces, and after going back.

use vitrine_engine::limits;
use vitrine_engine::sim::{Line, Script};
use vitrine_engine::time::Instant;

use crate::history::{Act, History};

/// A script and how far it has come.
pub struct Player {
    /// Its lines, with their numbers in the text.
    lines: Vec<(u32, String)>,
    /// The next of them.
    next: usize,
    /// It goes no further than to before this one.
    stop: usize,
    wait: Wait,
    /// How far the run had come when the last line or wait was done: the next one is done no earlier.
    reached: (u64, Instant),
    /// What was expected, and how it is where it is not so.
    expected: Vec<(u32, Option<String>)>,
}

/// What the next line waits for.
#[derive(Clone, Copy)]
enum Wait {
    Nothing,
    Until { from: Instant, until: Instant },
    Steps(u64),
    Settled { until: Instant },
}

/// What may happen now.
pub enum Turn {
    /// Events up to that moment, and so many of them.
    Run(Instant, u64),
    /// Nothing, until it is told to go on.
    Held,
}

/// Simulated microseconds in a millisecond of a person's who watches messages fly.
const SLOW: f64 = 2.0;
/// A line that lets time pass takes no longer than this, in milliseconds of the person.
const WATCHED: f64 = 2_500.0;

impl Player {
    /// At its beginning, and held there.
    pub fn new(script: &Script) -> Player {
        Player {
            lines: script.lines().to_vec(),
            next: 0,
            stop: 0,
            wait: Wait::Nothing,
            reached: (0, Instant(0)),
            expected: Vec::new(),
        }
    }

    /// May go on to the end of that line of the text.
    pub fn go(&mut self, line: u32) {
        self.stop = self.lines.partition_point(|(number, _)| *number <= line).max(self.next);
    }

    /// Has everything been done?
    pub fn is_over(&self) -> bool {
        self.next == self.lines.len() && matches!(self.wait, Wait::Nothing)
    }

    /// Is it where it was told to stop?
    pub fn is_held(&self, history: &History) -> bool {
        self.next == self.stop && matches!(self.wait, Wait::Nothing) && self.is_there(history)
    }

    /// The number of the line that is being done, or was done last; 0 before the first.
    pub fn line(&self) -> u32 {
        self.next.checked_sub(1).map_or(0, |last| self.lines[last].0)
    }

    /// What was expected so far, by line, and how it is where it is not so.
    pub fn expected(&self) -> &[(u32, Option<String>)] {
        &self.expected
    }

    /// Simulated microseconds that should pass in a millisecond of the person who watches.
    pub fn pace(&self) -> f64 {
        match self.wait {
            Wait::Until { from, until } => (until.0.saturating_sub(from.0) as f64 / WATCHED).max(SLOW),
            Wait::Nothing | Wait::Steps(_) | Wait::Settled { .. } => SLOW,
        }
    }

    /// Does the lines whose turn it is, and says what may happen then.
    pub fn turn(&mut self, history: &mut History, until: Instant, most: u64) -> Turn {
        loop {
            let (events, now) = (history.world().events(), history.world().now());
            if !self.is_there(history) {
                // It has been further before.
                let (events_then, then) = self.reached;
                return match events_then.saturating_sub(events) {
                    0 => Turn::Run(until.min(then), most),
                    left => Turn::Run(until.min(then), most.min(left)),
                };
            }
            history.catch_up();
            match self.wait {
                Wait::Nothing if self.next == self.stop => return Turn::Held,
                Wait::Nothing => self.perform(history),
                Wait::Until { until: then, .. } => {
                    if now < then || history.world().next_event().is_some_and(|next| next <= then) {
                        return Turn::Run(until.min(then), most);
                    }
                    self.arrive(history);
                }
                Wait::Steps(target) => match target.saturating_sub(events) {
                    0 => self.arrive(history),
                    left => return Turn::Run(until, most.min(left)),
                },
                Wait::Settled { .. } if history.world().waiting() == 0 => self.arrive(history),
                Wait::Settled { until: then } => {
                    if now >= then {
                        self.fail("some client still waits after a minute".into());
                        return Turn::Held;
                    }
                    return Turn::Run(until.min(then), 1);
                }
            }
        }
    }

    fn is_there(&self, history: &History) -> bool {
        history.world().events() >= self.reached.0 && history.world().now() >= self.reached.1
    }

    fn arrive(&mut self, history: &History) {
        self.wait = Wait::Nothing;
        self.reached = (history.world().events(), history.world().now());
    }

    fn perform(&mut self, history: &mut History) {
        let (number, text) = self.lines[self.next].clone();
        self.next += 1;
        let (events, now) = (history.world().events(), history.world().now());
        let done = Line::read(&text).map_err(|why| why.to_string()).and_then(|line| {
            self.wait = match line {
                Line::Run(span) => Wait::Until { from: now, until: now + span },
                Line::Steps(count) => Wait::Steps(events + count),
                Line::Settle => Wait::Settled { until: now + limits::MAX_TIMEOUT },
                Line::Expect(line) => {
                    self.expected.push((number, history.world().expect(&line).err().map(|why| why.to_string())));
                    Wait::Nothing
                }
                Line::Command(line) => {
                    history.act(Act::Command(line))?;
                    Wait::Nothing
                }
            };
            Ok(())
        });
        self.reached = (history.world().events(), history.world().now());
        if let Err(why) = done {
            self.fail(why);
        }
    }

    /// The rest is not done.
    fn fail(&mut self, why: String) {
        self.expected.push((self.line(), Some(why)));
        self.wait = Wait::Nothing;
        self.lines.truncate(self.next);
        self.stop = self.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_engine::sim::World;

    const LESSONS: [&str; 3] = [
        include_str!("../../tests/lessons/split-brain.script"),
        include_str!("../../tests/lessons/stampede.script"),
        include_str!("../../tests/lessons/ttl.script"),
    ];

    fn open(text: &str) -> (History, Player) {
        let script = Script::parse(text).expect("a script");
        (History::new(World::new(script.config.clone())), Player::new(&script))
    }

    /// Plays on in pieces of so many events and microseconds.
    fn play(history: &mut History, player: &mut Player, events: u64, span: u64) {
        for _ in 0..10_000_000 {
            let until = Instant(history.world().now().0 + span);
            match player.turn(history, until, events) {
                Turn::Held => return,
                Turn::Run(until, most) => history.run(until, most),
            };
        }
        panic!("it does not end");
    }

    fn failures(player: &Player) -> Vec<&(u32, Option<String>)> {
        player.expected().iter().filter(|(_, why)| why.is_some()).collect()
    }

    #[test]
    fn a_script_in_pieces_comes_to_what_it_expects() {
        for text in LESSONS {
            for (events, span) in [(1, 1_000_000), (3, 700), (250, 16_000), (250, 1_000_000_000)] {
                let (mut history, mut player) = open(text);
                assert!(player.is_held(&history));
                player.go(u32::MAX);
                play(&mut history, &mut player, events, span);
                assert!(player.is_over() && player.is_held(&history));
                assert!(!player.expected().is_empty());
                assert_eq!(failures(&player), Vec::<&(u32, Option<String>)>::new(), "{events} events, {span} us");
            }
        }
    }

    #[test]
    fn it_stops_where_it_is_told_and_goes_on_to_the_same_end_after_going_back() {
        for text in LESSONS {
            let (mut history, mut player) = open(text);
            let lines = text.lines().count() as u32;
            for line in (0..=lines).step_by(5).chain([lines]) {
                player.go(line);
                play(&mut history, &mut player, 50, 100_000);
                assert!(player.line() <= line);
                let there = (history.world().events(), history.world().now());
                for _ in 0..line % 7 {
                    history.back();
                }
                play(&mut history, &mut player, 20, 3_000);
                assert_eq!((history.world().events(), history.world().now()), there, "line {line}");
            }
            assert!(player.is_over());
            assert_eq!(failures(&player), Vec::<&(u32, Option<String>)>::new());
        }
    }

    #[test]
    fn a_wrong_line_ends_it_and_says_why() {
        let (mut history, mut player) = open("cluster nodes=2\nc1 set k v\nsettle\nn9 crash\nc1 get k");
        player.go(u32::MAX);
        play(&mut history, &mut player, 250, 1_000);
        assert!(player.is_over());
        let [(4, Some(why))] = player.expected() else { panic!("{:?}", player.expected()) };
        assert!(why.contains("n9"), "{why}");
    }
}

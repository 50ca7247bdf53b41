//! A run as a text, and a text as a run: what a person shares, keeps in a file, or opens.
//!
//! The text is a script of the engine, so `vitrine sim --scenario FILE` runs it too, to the same fingerprint. Its first
//! line is a comment with the engine's version and that fingerprint.

use core::fmt::Write as _;

use vitrine_engine::limits;
use vitrine_engine::sim::{Script, Span, Step, World};
use vitrine_engine::time::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::history::{Act, Done, History};
use crate::settings::{Settings, TRACE};
use crate::steps::Steps;
use crate::{Playground, Wrong, wrong};

/// The script that a run came from, until somebody does something else.
#[derive(Default)]
pub struct Source {
    /// Every line as it stands in the text, but for the one that says what wrote it.
    lines: Vec<String>,
    /// What the script does, and after how many lines it is done.
    acts: Vec<(usize, Done)>,
}

/// Events of one script that is opened: some ten minutes of a busy cluster.
const MOST_EVENTS: u64 = if cfg!(test) { 50_000 } else { 4_000_000 };

#[wasm_bindgen]
impl Playground {
    /// The version of the engine: with another one the same script may give another run.
    pub fn engine() -> String {
        ENGINE.into()
    }

    /// The run up to now as a script.
    ///
    /// # Errors
    /// While a trace is replayed: its requests are in no script.
    pub fn script(&mut self) -> Result<String, Wrong> {
        if self.replaying > 0 {
            return Err(wrong("a replay of a trace file is not shared: its requests are in the file"));
        }
        self.finish_moment();
        let world = self.world();
        let script = self.source.text(world, self.history.seen());
        Ok(format!("{}{:016x}\n{script}", SAYS, world.fingerprint()))
    }

    /// Makes the run of a script, and goes to its beginning: what it does is done as time passes. Returns the
    /// fingerprint that it has in the end, and that moment.
    ///
    /// # Errors
    /// When a line is not understood or cannot be carried out, or the run is too long for a page; the old run stays.
    pub fn open(&mut self, text: &str) -> Result<String, Wrong> {
        let (mut history, source, steps) = open(text).map_err(wrong)?;
        let world = history.world();
        let end = format!("{:016x} {}", world.fingerprint(), world.now().0);
        (self.settings, self.replaying) = (Settings::of(world.config()), 0);
        history.rewind();
        self.begin(history);
        (self.source, self.steps) = (source, steps);
        Ok(end)
    }

    /// What the cluster was built of.
    pub fn settings(&self) -> Settings {
        self.settings
    }
}

impl Playground {
    /// Carries out what is due at this very moment, so that the moment says all about when something was done.
    pub(crate) fn finish_moment(&mut self) {
        let now = self.world().now();
        while self.world().next_event().is_some_and(|next| next <= now) && self.history.run(now, ALL) > 0 {}
    }
}

impl Source {
    /// What has been done in that world, as a script.
    fn text(&self, world: &World, done: &[Done]) -> String {
        let mut text = String::new();
        let ours = self.acts.iter().zip(done).take_while(|((_, ours), done)| ours == *done).count();
        let lines = ours.checked_sub(1).map_or(0, |last| self.acts[last].0);
        // All of it is in there, comments and waiting included, when nothing else has happened.
        let mut at = Instant(0);
        if lines > 0 {
            self.lines[..lines].iter().for_each(|line| text.push_str(&format!("{line}\n")));
            at = done[ours - 1].at;
        } else {
            let config = world.config();
            let _ = writeln!(text, "{config}\nnetwork {}", config.network);
        }
        let mut events = ours.checked_sub(1).map_or(Some(0), |last| done[last].events);
        for Done { events: after, at: then, act } in &done[ours..] {
            if *then > at || *after != events {
                let _ = writeln!(text, "run {}", Span(then.since(at)));
            }
            let _ = match act {
                Act::Command(line) => writeln!(text, "{line}"),
                Act::Workload(Some(workload)) => writeln!(text, "workload {workload}"),
                Act::Workload(None) => writeln!(text, "workload off"),
            };
            (events, at) = (*after, *then);
        }
        if Some(world.events()) != events || world.now() > at {
            let _ = writeln!(text, "run {}", Span(world.now().since(at)));
        }
        text
    }
}

/// Runs a script to its end.
fn open(text: &str) -> Result<(History, Source, Steps), String> {
    let mut script = Script::parse(text).map_err(|why| why.to_string())?;
    script.config.trace = TRACE;
    let mut history = History::new(World::new(script.config.clone()));
    let lines: Vec<&str> = text.lines().collect();
    let (mut acts, mut steps) = (Vec::new(), Steps::default());
    for (number, line) in script.lines() {
        let at = |why: String| format!("line {number}: {why}");
        let step = Step::of(line).map_err(|why| at(why.to_string()))?;
        match step {
            Step::Run(span) => pass(&mut history, span).map_err(at)?,
            Step::Settle => settle(&mut history).map_err(at)?,
            // What is not as expected is shown, and the run goes on: it may be the point of it.
            Step::Expect => steps.expects(number, line, history.world()),
            Step::Command => {
                history.act(Act::Command(line.into())).map_err(at)?;
                acts.extend(history.seen().last().map(|done| (number as usize, done.clone())));
            }
        }
        steps.done(number, step, &history);
    }
    // What wrote it is written anew; the numbers of the lines stay.
    let kept = lines.iter().map(|line| if line.starts_with(SAYS) { "#" } else { *line });
    let source = Source { lines: kept.map(String::from).collect(), acts };
    Ok((history, source, steps))
}

fn pass(history: &mut History, span: core::time::Duration) -> Result<(), String> {
    let until = history.world().now() + span;
    while history.world().now() < until || history.world().next_event().is_some_and(|next| next <= until) {
        history.run(until, MOST_EVENTS);
        not_too_long(history)?;
    }
    Ok(())
}

fn settle(history: &mut History) -> Result<(), String> {
    let until = history.world().now() + limits::MAX_TIMEOUT;
    while history.world().waiting() > 0 {
        if history.world().next_event().is_none_or(|next| next > until) {
            return Err("some client still waits after a minute".into());
        }
        history.run(until, 1);
        not_too_long(history)?;
    }
    Ok(())
}

fn not_too_long(history: &History) -> Result<(), String> {
    match history.world().events() {
        0..MOST_EVENTS => Ok(()),
        _ => Err(format!("more than {MOST_EVENTS} events are too many for a page; `vitrine sim --scenario` runs them")),
    }
}

const ENGINE: &str = env!("CARGO_PKG_VERSION");
/// How the first line begins.
const SAYS: &str = concat!("# vitrine ", env!("CARGO_PKG_VERSION"), " fingerprint ");
const ALL: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn playground() -> Playground {
        let logs = Settings { fsync: 2, save_above: 4_000, ..Settings::default() };
        let settings = Settings { seed: 11, loss_per_mille: 20, stand_in: 700, ..logs };
        Playground::new(settings).expect("good settings")
    }

    fn natively(text: &str) -> String {
        let world = Script::parse(text).expect("a script").run().expect("it runs");
        format!("{:016x}", world.fingerprint())
    }

    /// A run as a person makes it: acts in between events, back and forth.
    fn busy() -> Playground {
        let mut playground = playground();
        playground.workload("zipf", 60, 1_500, 35, 0).expect("a workload");
        playground.run(90_000.0, 200);
        for line in ["c1 set k v ttl=5s # a remark", "n2 crash", "cut n1 n3"] {
            playground.command(line).expect("a command");
            assert!(playground.step_forward());
        }
        playground.run(300_000.0, 250);
        playground.command("n2 restart").expect("a command");
        playground.command("join").expect("a command");
        playground.run(playground.now() + 777.0, 250);
        assert!(playground.step_back().is_ok_and(|moved| moved));
        playground.stop_workload().expect("no workload");
        for _ in 0..40 {
            playground.run(2_000_000.0, 250);
        }
        playground
    }

    #[test]
    fn a_run_and_its_script_have_one_fingerprint() {
        let mut playground = busy();
        let text = playground.script().expect("a script");
        let fingerprint = playground.fingerprint();
        assert_eq!(natively(&text), fingerprint, "{text}");
        assert!(text.starts_with(&format!("# vitrine {ENGINE} fingerprint {fingerprint}\ncluster nodes=3 ")), "{text}");
        assert!(text.contains("fsync=everysec save-above=4000 stand-in=700ms") && text.contains("loss=2%"), "{text}");
        let mut other = Playground::new(Settings::default()).expect("good settings");
        let opened = other.open(&text).expect("a script");
        assert_eq!(opened, format!("{fingerprint} {}", playground.now()));
        let Settings { seed, fsync, save_above, stand_in, .. } = other.settings();
        assert_eq!((other.now(), seed, fsync, save_above, stand_in), (0.0, 11, 2, 4_000, 700));
        // What says nothing of it is of before there was such a thing.
        other.open("cluster nodes=4\n").expect("a script");
        assert_eq!(other.settings().stand_in, 0);
        other.open(&text).expect("a script");
        let end = playground.now();
        while other.now() < end {
            other.run(end, 200);
        }
        assert_eq!(other.fingerprint(), fingerprint);
        assert_eq!(other.script().ok().as_ref().map(|text| natively(text)), Some(fingerprint));
    }

    #[test]
    fn what_is_done_after_a_script_was_opened_stands_behind_it() {
        let text = "cluster nodes=2 seed=3\n# first\nc1 set a 1\nc2 set b 2\nsettle\nn2 crash # now\nrun 10ms\n\
            n2 restart\nsettle\n";
        let mut playground = playground();
        let opened = playground.open(text).expect("a script");
        assert!(opened.starts_with(&natively(text)), "{opened}");
        for (until, said) in [(0.0, "c1 set a 1\n"), (2_000.0, "c2 set b 2"), (200_000.0, "n2 restart")] {
            while playground.now() < until {
                playground.run(until, 200);
            }
            let script = playground.script().expect("a script");
            assert_eq!(natively(&script), playground.fingerprint(), "{script}");
            assert!(until == 0.0 || script.contains(said), "{script}");
        }
        playground.command("c1 get a").expect("a command");
        playground.run(playground.now() + 9_999.0, 200);
        let script = playground.script().expect("a script");
        assert!(script.contains("# first") && script.contains("c1 get a"), "{script}");
        assert_eq!(natively(&script), playground.fingerprint(), "{script}");
    }

    #[test]
    fn what_is_no_script_is_refused_with_its_line() {
        let check = |text: &str, expected: &str| {
            let refused = open(text).err();
            assert!(refused.as_ref().is_some_and(|why| why.contains(expected)), "{text:?}: {refused:?}");
        };
        check("cluster nodes=99", "line 1: nodes=99");
        check("cluster nodes=2\n\nn3 crash", "line 3: there is no node \"n3\"");
        check("run far", "line 1: run takes a span of time");
        check("workload rate=1000000\nrun 1h", "line 2: more than 50000 events");
    }
}

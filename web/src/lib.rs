//! The Vitrine simulator for the browser: commands in, flat arrays of numbers and words out. It decides nothing.
//!
//! A thin wrapper of [`vitrine_engine::sim::World`]. What the page sends is checked here and answered with an error in
//! words; nothing that it sends may panic. Every array is a copy: the page may keep it when the wasm's memory moves.

mod branches;
mod causes;
mod disks;
mod fate;
mod faults;
mod history;
mod journal;
mod marks;
#[cfg(target_arch = "wasm32")]
mod memory;
mod mutants;
mod picture;
mod promises;
mod race;
mod script;
mod settings;
mod steps;
mod tape;
mod time;
mod traces;

use vitrine_engine::sim::World;
use vitrine_engine::time::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

use branches::Branch;
pub use fate::Fate;
use history::{Act, History};
use journal::Journal;
use picture::Edition;
pub use race::Race;
pub use settings::Settings;
use traces::TraceFile;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: memory::Growing = memory::Growing::new();

/// One simulated cluster, what was done to it, and the trace that was opened.
#[wasm_bindgen]
pub struct Playground {
    settings: Settings,
    levels: settings::Levels,
    history: History,
    source: script::Source,
    steps: steps::Steps,
    tape: tape::Tape,
    /// The other branch, where the run was forked.
    other: Option<Branch>,
    journal: Journal,
    edition: Edition,
    trace: TraceFile,
    /// Requests of the trace that is being replayed; 0 when none is.
    replaying: u32,
}

/// Events of one call: what they leave in the world's own trace fits into it, so that the journal misses nothing.
const MOST_AT_ONCE: u32 = 250;

/// Entries that the nodes of a replay may have room for when its history is kept: forty-eight copies of the cluster.
const MOST_REMEMBERED: u64 = 20_000;

/// Why something was not done, in words for the person; it arrives as a JavaScript `Error`.
type Wrong = wasm_bindgen::JsError;

#[wasm_bindgen]
impl Playground {
    /// A cluster of those settings.
    ///
    /// # Errors
    /// When a setting is out of its bounds.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: Settings) -> Result<Playground, Wrong> {
        let world = World::new(settings.world(false).map_err(wrong)?);
        Ok(Playground {
            settings,
            levels: settings::Levels::default(),
            history: History::new(world),
            source: script::Source::default(),
            steps: steps::Steps::default(),
            tape: tape::Tape::default(),
            other: None,
            journal: Journal::default(),
            edition: Edition::default(),
            trace: TraceFile::default(),
            replaying: 0,
        })
    }

    /// Builds another cluster in place of this one; the trace that was opened stays. Levels are those of workloads.
    ///
    /// # Errors
    /// When a setting is out of its bounds; the old cluster is then as it was.
    pub fn build(&mut self, settings: Settings, write_level: &str, read_level: &str) -> Result<(), Wrong> {
        let levels = settings::Levels::parse(write_level, read_level).map_err(wrong)?;
        let world = World::new(settings.world(false).map_err(wrong)?);
        (self.settings, self.levels, self.replaying) = (settings, levels, 0);
        self.begin(History::new(world));
        Ok(())
    }

    /// Simulated microseconds since the world began.
    pub fn now(&self) -> f64 {
        self.world().now().0 as f64
    }

    /// Events carried out.
    pub fn steps(&self) -> f64 {
        self.world().events() as f64
    }

    /// Carries out events up to that moment, at most so many and at most 250, and says how many.
    pub fn run(&mut self, until: f64, most: u32) -> u32 {
        // A cast from f64 saturates: no number that the page can send is out of range.
        let Some((until, most)) = self.allowed(Instant(until as u64), u64::from(most.min(MOST_AT_ONCE))) else {
            return 0;
        };
        let carried = self.history.run(until, most);
        self.moved();
        carried as u32
    }

    /// Goes on to the next event that a person can see. False when there was none.
    pub fn step_forward(&mut self) -> bool {
        let moved = self.step_script();
        self.moved();
        moved
    }

    /// Goes back to just after the previous event that a person can see. False at the beginning.
    ///
    /// # Errors
    /// While a trace is replayed by nodes that hold so much that no history of them is kept.
    pub fn step_back(&mut self) -> Result<bool, Wrong> {
        self.may_go_back()?;
        let moved = self.history.back();
        self.moved();
        Ok(moved)
    }

    /// Does what a line says: `c1 set k v ttl=5s`, `n1 crash`, `cut n1 n2`, `heal`.
    ///
    /// # Errors
    /// When the line is not a command, with what is accepted.
    pub fn command(&mut self, line: &str) -> Result<(), Wrong> {
        // A remark is one in a script as well.
        let line = line.split('#').next().unwrap_or("").trim();
        self.act(Act::Command(line.into()))
    }

    /// Begins a workload in place of any other: `zipf`, `uniform`, `scan`, `hotkey` or `storm`, in which
    /// all that expires does at once; `rate` in requests a second, `ttl` in milliseconds, 0 for none.
    ///
    /// # Errors
    /// When a number is out of its bounds.
    pub fn workload(&mut self, kind: &str, keys: u32, rate: u32, writes: u32, ttl: u32) -> Result<(), Wrong> {
        let workload = settings::workload(kind, keys, rate, writes, ttl, self.levels).map_err(wrong)?;
        self.act(Act::Workload(Some(workload)))
    }

    /// Ends the workload.
    ///
    /// # Errors
    /// None today; the page treats it as every other act.
    pub fn stop_workload(&mut self) -> Result<(), Wrong> {
        self.act(Act::Workload(None))
    }

    /// True while a workload runs.
    pub fn busy(&self) -> bool {
        self.world().load().is_some()
    }

    /// One number for the run so far, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", self.world().fingerprint())
    }

    /// Begins to read a trace file of that name, in place of any other.
    pub fn trace_start(&mut self, name: &str) {
        self.trace = TraceFile::start(name);
    }

    /// Takes the next bytes of the file, unpacked; says how many requests have been read.
    ///
    /// # Errors
    /// When the file is no trace, or has too many requests; the trace is then gone.
    pub fn trace_feed(&mut self, bytes: &[u8]) -> Result<u32, Wrong> {
        let fed = self.trace.feed(bytes);
        self.kept(fed)
    }

    /// The file is whole; says how many requests it has.
    ///
    /// # Errors
    /// When its end is no end of a trace, or it has no requests; the trace is then gone.
    pub fn trace_finish(&mut self) -> Result<u32, Wrong> {
        let finished = self.trace.finish();
        self.kept(finished)
    }

    /// The first requests of a workload, as a cluster with that seed is asked them, in the place of a trace file.
    ///
    /// # Errors
    /// When a number is out of its bounds.
    pub fn trace_workload(&mut self, kind: &str, keys: u32, writes: u32, ttl: u32, seed: u64) -> Result<u32, Wrong> {
        let workload = settings::workload(kind, keys, 1, writes, ttl, self.levels).map_err(wrong)?;
        self.trace = TraceFile::of(workload.asked(seed));
        self.trace_finish()
    }

    /// The key of a request of the trace that was opened, counted from 0; empty where there is none.
    pub fn trace_key(&self, request: u32) -> String {
        let key = self.trace.keys().ok().and_then(|keys| keys.get(request as usize));
        key.map_or(String::new(), |key| String::from_utf8_lossy(key.as_bytes()).into_owned())
    }

    /// Feeds the trace to a new cluster of the settings: one client reads each key, and on a miss writes it.
    ///
    /// # Errors
    /// When no trace was read.
    pub fn replay(&mut self) -> Result<(), Wrong> {
        let keys = self.trace.keys().map_err(wrong)?;
        let mut world = World::new(self.settings.world(true).map_err(wrong)?);
        self.replaying = keys.len() as u32;
        world.replay(keys.iter().cloned());
        let room = u64::from(self.settings.nodes) * u64::from(self.settings.capacity);
        let history = if room <= MOST_REMEMBERED { History::new } else { History::without };
        self.begin(history(world));
        Ok(())
    }

    /// Policies side by side on the trace that was opened, at those sizes: see [`race`].
    ///
    /// # Errors
    /// When no trace was read, or the caches would hold too much together.
    pub fn race(&self, sizes: &[u32]) -> Result<Race, Wrong> {
        Race::over(self.trace.keys().map_err(wrong)?, sizes).map_err(wrong)
    }

    /// Of the trace that is replayed: its requests, those answered, hits, misses, failures. Empty when none is.
    pub fn replayed(&self) -> Vec<f64> {
        if self.replaying == 0 {
            return Vec::new();
        }
        let replay = self.world().replayed();
        let numbers = [u64::from(self.replaying), replay.requests, replay.hits, replay.misses, replay.failures];
        numbers.map(|number| number as f64).to_vec()
    }

    /// See [`picture::flights`].
    pub fn flights(&self) -> Vec<f64> {
        picture::flights(self.world())
    }

    /// See [`picture::flight_labels`].
    pub fn flight_labels(&self) -> Vec<String> {
        picture::flight_labels(self.world())
    }

    /// See [`picture::nodes`].
    pub fn nodes(&self) -> Vec<f64> {
        picture::nodes(self.world())
    }

    /// See [`picture::map`].
    pub fn map(&self) -> Vec<f64> {
        picture::map(self.world())
    }

    /// See [`picture::rows`].
    pub fn rows(&self, head: u32, tail: u32) -> Vec<f64> {
        picture::rows(self.world(), head, tail)
    }

    /// See [`picture::row_keys`].
    pub fn row_keys(&self, head: u32, tail: u32) -> Vec<String> {
        picture::row_keys(self.world(), head, tail)
    }

    /// The ways that are cut: from and to, from and to.
    pub fn cuts(&self) -> Vec<u16> {
        self.world().links().all_cut().flat_map(|(from, to)| [from.0, to.0]).collect()
    }

    /// The number of the latest event of the log.
    pub fn latest(&self) -> f64 {
        self.journal.latest() as f64
    }

    /// The log after event number `since`, oldest first: see [`picture::log`].
    pub fn log(&self, since: f64) -> Vec<f64> {
        picture::log(&self.journal.since(since as u64))
    }

    /// The words of the same events: see [`picture::log_words`].
    pub fn log_words(&self, since: f64) -> Vec<String> {
        picture::log_words(&self.journal.since(since as u64))
    }

    /// A number that changes when [`Playground::owners`] or [`Playground::primaries`] may have.
    pub fn placement_edition(&mut self) -> u32 {
        self.edition.of(self.history.world())
    }

    /// See [`picture::owners`].
    pub fn owners(&self) -> Vec<i16> {
        picture::owners(self.world())
    }

    /// See [`picture::primaries`].
    pub fn primaries(&self) -> Vec<i16> {
        picture::primaries(self.world())
    }

    /// See [`picture::explain`].
    pub fn explain(&self, key: &str) -> Vec<f64> {
        picture::explain(self.world(), key)
    }
}

impl Playground {
    fn world(&self) -> &World {
        self.history.world()
    }

    /// Another run, from where it is: nothing is left of the one before.
    fn begin(&mut self, history: History) {
        (self.history, self.other, self.journal) = (history, None, Journal::default());
        (self.source, self.steps) = (script::Source::default(), steps::Steps::default());
        self.tape.restart();
        self.follow();
    }

    /// Takes in what has happened.
    pub(crate) fn follow(&mut self) {
        self.journal.follow(self.history.world());
        self.tape.follow(self.history.world());
    }

    fn act(&mut self, act: Act) -> Result<(), Wrong> {
        // From here on it is another run than the script's.
        if self.reach().is_some() {
            self.history.forget_acts();
        }
        self.leave_script();
        self.steps = steps::Steps::default();
        self.finish_moment();
        let done = self.history.act(act);
        if let Some(other) = &mut self.other {
            other.difference = None;
        }
        self.follow();
        done.map_err(wrong)
    }

    /// A trace that went wrong is no trace: what was read of it is dropped.
    fn kept(&mut self, outcome: Result<u32, String>) -> Result<u32, Wrong> {
        if outcome.is_err() {
            self.trace = TraceFile::default();
        }
        outcome.map_err(wrong)
    }
}

fn wrong(why: impl core::fmt::Display) -> Wrong {
    Wrong::new(&why.to_string())
}

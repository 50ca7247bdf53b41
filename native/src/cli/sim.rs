//! `vitrine sim`: simulated clusters by the seed, every promise checked, on every core.
//!
//! A seed that breaks a promise is printed with the command that repeats it, and with the smallest script that was
//! found to break the same promise.

mod watch;

use std::cell::Cell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use clap::Args;
use serde_json::json;
use vitrine_engine::sim::swarm::{self, Plan, Report};
use vitrine_engine::sim::{Mark, Script, shrink};

use self::watch::Watch;
use super::{Failed, failed, grouped};

/// Simulate whole clusters under load and faults, a seed each, and check what the cache promises
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SimArgs {
    /// Seeds to run; 200, or 1 where --seed or --scenario says what is run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
    /// The first of them
    #[arg(long, value_name = "FIRST")]
    pub seed: Option<u64>,
    /// Runs of a few seconds in which everything happens at once, instead of a minute of faults each
    #[arg(long, conflicts_with = "scenario")]
    pub brief: bool,
    /// Run this script instead of what the seeds say; with a seed, under that one instead of its own
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Runs in search of a smaller script for a seed that failed; 0 for no search
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub shrink: u32,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Print what happened in the run of one seed, event by event: all of it, or the lines that have all of these
    /// words, as in "k7 n2"
    #[arg(long, value_name = "WORDS", num_args = 0..=1, default_missing_value = "", conflicts_with = "json")]
    pub trace: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  vitrine sim                              200 seeds, on every core
  vitrine sim --seeds 1000 --seed 5000
  vitrine sim --brief --seeds 5000         short and dense: what three faults within a moment take is met more often
  vitrine sim --seed 42 --trace \"k7 n2\"    what happened to one key at one node
  vitrine sim --scenario FILE              a script of your own; the docs say what it may say";

/// Failing seeds that a smaller script is looked for: a change that breaks everything must not search for hours.
const SHRUNK: usize = 3;

/// Simulates, prints what came of it, and fails when a promise was broken.
pub fn run(args: &SimArgs) -> Result<(), Failed> {
    let script = args.scenario.as_deref().map(scenario).transpose()?;
    let own = script.as_ref().map_or(0, |script| script.config.seed);
    let first = args.seed.unwrap_or(own);
    let alone = args.seed.is_some() || script.is_some();
    let count = args.seeds.unwrap_or(if alone { 1 } else { 200 });
    if let Some(words) = &args.trace {
        return trace(args, script.as_ref(), first, count, words);
    }
    BRIEF.store(args.brief, Ordering::Relaxed);
    let last = first.checked_add(count - 1).ok_or_else(|| Failed::Usage("--seed and --seeds pass 2^64".into()))?;
    let seeds: Vec<u64> = (first..=last).collect();
    let watch = Watch::over(count);
    let each = |outcome: &Result<Report, String>| outcome.iter().for_each(|report| watch.ended(report));
    let outcome = run_until(watch.stopped(), &seeds, |seed| one(args, script.as_ref(), seed), each);
    let took = watch.end().as_secs_f64();
    let reports = outcome.into_iter().collect::<Result<Vec<_>, String>>().map_err(Failed::Usage)?;
    let stopped = (reports.len() as u64) < count;
    let broken: Vec<&Report> = reports.iter().filter(|report| !report.violations.is_empty()).collect();
    let smaller = |report: &Report| {
        let plan = (script.is_none() && args.shrink > 0 && !stopped).then(|| plan(args, report.seed))?;
        shrink(&plan, &plan.run(), args.shrink).map(|plan| plan.script())
    };
    let scripts: Vec<Option<String>> = broken.iter().take(SHRUNK).map(|report| smaller(report)).collect();
    let scripts = scripts.into_iter().chain(std::iter::repeat(None));
    let failures: Vec<(&Report, Option<String>)> = broken.into_iter().zip(scripts).collect();
    if args.json {
        println!("{}", summary(first, &reports, &failures, took));
    } else {
        failures.iter().for_each(|(report, smaller)| print_failure(args, report, smaller.as_deref()));
        print_summary(&reports, took);
        if let (Some(_), [report]) = (&script, &reports[..]) {
            println!("fingerprint {:016x} where the script ends", report.fingerprint);
        }
    }
    match failures.len() {
        0 if stopped => Err(failed(format!("stopped after {} of {count} seeds", reports.len()))),
        0 => Ok(()),
        broken => Err(failed(format!("{broken} of {} seeds broke a promise", reports.len()))),
    }
}

/// Runs many seeds, on every core; what comes of them is in the order of the seeds.
pub fn run_seeds<T: Send>(seeds: &[u64], run: impl Fn(u64) -> T + Sync, each: impl Fn(&T) + Sync) -> Vec<T> {
    run_until(&AtomicBool::new(false), seeds, run, each)
}

/// The same until it is stopped: what has begun by then ends.
fn run_until<T: Send>(
    stopped: &AtomicBool,
    seeds: &[u64],
    run: impl Fn(u64) -> T + Sync,
    each: impl Fn(&T) + Sync,
) -> Vec<T> {
    static NAMED: Once = Once::new();
    NAMED.call_once(name_seed_in_panics);
    let next = AtomicU64::new(0);
    let done = Mutex::new(Vec::with_capacity(seeds.len()));
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed) as usize;
            let Some(seed) = seeds.get(index) else { return };
            CURRENT.set(Some(*seed));
            let outcome = run(*seed);
            CURRENT.set(None);
            each(&outcome);
            done.lock().expect("nobody panics with the lock").push((index, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().expect("nobody panics with the lock");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

thread_local! {
    /// What this thread runs.
    static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The seeds are of brief runs.
static BRIEF: AtomicBool = AtomicBool::new(false);

/// An assertion of the engine that fails ends the process or the thread: what it says is followed by the seed.
fn name_seed_in_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Ok(Some(seed)) = CURRENT.try_with(Cell::get) {
            let brief = if BRIEF.load(Ordering::Relaxed) { " --brief" } else { "" };
            eprintln!("that was seed {seed}; again: vitrine sim{brief} --seed {seed}");
        }
    }));
}

/// What is done in the run of a seed.
fn plan(args: &SimArgs, seed: u64) -> Plan {
    if args.brief { Plan::brief(seed) } else { Plan::of(seed) }
}

fn one(args: &SimArgs, script: Option<&Script>, seed: u64) -> Result<Report, String> {
    let Some(script) = script else { return Ok(swarm::report(seed, &plan(args, seed).run())) };
    let mut world = script.with_seed(seed).run().map_err(|error| format!("the script: {error}"))?;
    // Where the script ends: the peace before the verdict is not its own.
    let fingerprint = world.fingerprint();
    script.judge(&mut world);
    Ok(Report { fingerprint, ..swarm::report(seed, &world) })
}

/// Runs one seed, and prints its events that have all of the words.
fn trace(args: &SimArgs, script: Option<&Script>, seed: u64, count: u64, words: &str) -> Result<(), Failed> {
    if count != 1 {
        return Err(Failed::Usage(format!("--trace takes one seed, and these are {count}: say which with --seed")));
    }
    let world = match script {
        Some(script) => {
            let mut script = script.with_seed(seed);
            script.config.trace = u32::MAX;
            script.judged().map_err(|error| Failed::Usage(format!("the script: {error}")))?
        }
        None => {
            let mut plan = plan(args, seed);
            plan.config.trace = u32::MAX;
            plan.run()
        }
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut out = std::io::stdout().lock();
    for event in world.trace().events() {
        let line = event.to_string();
        // A reader that has seen enough, such as `head`, is no failure.
        if has_all(&line, &words) && writeln!(out, "{line}").is_err() {
            return Ok(());
        }
    }
    match world.violations() {
        [] => Ok(()),
        broken => Err(failed(format!("{} promises were broken", broken.len()))),
    }
}

/// Is each of the words one of the line's, whatever stands around it?
fn has_all(line: &str, words: &[&str]) -> bool {
    let mut parts = line.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.iter().all(|word| parts.clone().any(|part| part == *word)) && parts.next().is_some()
}

fn scenario(path: &Path) -> Result<Script, Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failed::NotFound(format!("there is no file {}", path.display())),
        _ => failed(format!("cannot read {}: {error}", path.display())),
    })?;
    Script::parse(&text).map_err(|error| Failed::Usage(format!("{}, {error}", path.display())))
}

fn print_failure(args: &SimArgs, report: &Report, smaller: Option<&str>) {
    println!("seed {} broke a promise:", report.seed);
    report.violations.iter().for_each(|violation| println!("  {violation}"));
    let scenario = args.scenario.as_ref().map_or_else(String::new, |path| format!(" --scenario {}", path.display()));
    let brief = if args.brief { " --brief" } else { "" };
    println!("again:\n  vitrine sim{brief}{scenario} --seed {}", report.seed);
    if let Some(script) = smaller {
        println!("a smaller run that breaks it, for vitrine sim --scenario FILE:");
        script.lines().for_each(|line| println!("  {line}"));
    }
    println!();
}

fn print_summary(reports: &[Report], took: f64) {
    for mark in Mark::ALL {
        let (times, runs) = met(reports, mark);
        println!("{:>13} times in {:>6} runs: {}", grouped(times), grouped(runs), mark.name());
    }
    let simulated = simulated(reports);
    let (count, speed) = (grouped(reports.len() as u64), simulated / took.max(1e-9));
    println!("{count} seeds, {simulated:.0} simulated seconds in {took:.1} s: {speed:.0} a second");
}

fn summary(first: u64, reports: &[Report], failures: &[(&Report, Option<String>)], took: f64) -> serde_json::Value {
    let failure = |(report, smaller): &(&Report, Option<String>)| {
        let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        json!({ "seed": report.seed, "violations": violations, "script": smaller })
    };
    let marks = Mark::ALL.into_iter().map(|mark| {
        let (times, runs) = met(reports, mark);
        (mark.name().to_owned(), json!({ "times": times, "runs": runs }))
    });
    json!({
        "first": first,
        "fingerprints": reports.iter().map(|report| format!("{:016x}", report.fingerprint)).collect::<Vec<_>>(),
        "seeds": reports.len(),
        "failed": failures.iter().map(failure).collect::<Vec<_>>(),
        "marks": marks.collect::<serde_json::Map<_, _>>(),
        "simulated_seconds": simulated(reports),
        "seconds": took,
    })
}

/// How often it happened, and in how many runs.
fn met(reports: &[Report], mark: Mark) -> (u64, u64) {
    let times = reports.iter().map(|report| report.seen.marks.count(mark));
    times.fold((0, 0), |(sum, runs), times| (sum + times, runs + u64::from(times > 0)))
}

fn simulated(reports: &[Report]) -> f64 {
    reports.iter().map(|report| report.simulated.as_secs_f64()).sum()
}

#[cfg(test)]
mod tests {
    use vitrine_engine::time::Instant;

    use super::*;

    fn args(scenario: Option<PathBuf>) -> SimArgs {
        SimArgs { seeds: None, seed: Some(3), brief: false, scenario, shrink: 0, json: true, trace: None }
    }

    #[test]
    fn seeds_run_on_every_core_and_come_back_in_order() {
        let seeds: Vec<u64> = (0..100).collect();
        let counted = AtomicU64::new(0);
        let outcome = run_seeds(&seeds, |seed| seed * 2, |_| _ = counted.fetch_add(1, Ordering::Relaxed));
        assert_eq!(outcome, seeds.iter().map(|seed| seed * 2).collect::<Vec<_>>());
        assert_eq!(counted.into_inner(), 100);
    }

    #[test]
    fn runs_that_are_stopped_begin_no_other() {
        let (seeds, stopped) = ((0..10_000).collect::<Vec<_>>(), AtomicBool::new(false));
        let stop = |seed: &u64| _ = stopped.fetch_or(*seed == 50, Ordering::Relaxed);
        let outcome = run_until(&stopped, &seeds, |seed| seed, stop);
        assert!((50..10_000).contains(&outcome.len()), "{}", outcome.len());
    }

    #[test]
    fn a_line_is_found_by_whole_words() {
        let line = "12.5 ms  n1 stored k7 (slot 12) as primary";
        for (words, found) in [("", true), ("k7", true), ("k7 n1", true), ("k", false), ("k7 n2", false), ("12", true)]
        {
            assert_eq!(has_all(line, &words.split_whitespace().collect::<Vec<_>>()), found, "{words}");
        }
    }

    #[test]
    fn a_trace_is_of_one_seed() {
        let several = SimArgs { seeds: Some(2), trace: Some(String::new()), ..args(None) };
        assert!(run(&several).is_err_and(|failed| matches!(failed, Failed::Usage(why) if why.contains("one seed"))));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.script");
        std::fs::write(&path, "cluster nodes=2\nc1 set k v").expect("a file is written");
        assert!(run(&SimArgs { trace: Some("k".into()), ..args(Some(path)) }).is_ok());
    }

    #[test]
    fn a_brief_run_is_another_one_of_the_same_seed() {
        let long = args(None);
        let brief = SimArgs { brief: true, ..args(None) };
        let [long, brief] = [long, brief].map(|args| one(&args, None, 3).expect("a run"));
        assert_eq!((long.seed, brief.seed), (3, 3));
        let planned = [Plan::of(3), Plan::brief(3)].map(|plan| plan.end.since(Instant(0)));
        assert_eq!([long.simulated, brief.simulated], planned);
        assert!(brief.simulated < long.simulated, "{planned:?}");
    }

    #[test]
    fn a_scenario_runs_or_says_why_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let check = |text: Option<&str>, expected: Result<(), &str>| {
            let path = folder.path().join("a.script");
            let _ = std::fs::remove_file(&path);
            if let Some(text) = text {
                std::fs::write(&path, text).expect("a file is written");
            }
            let outcome = run(&args(Some(path))).map_err(|failed| format!("{failed:?}"));
            match (outcome, expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(part)) => assert!(error.contains(part), "{text:?}: {error}"),
                (outcome, _) => panic!("{text:?}: {outcome:?}"),
            }
        };
        check(Some("cluster nodes=2\nworkload rate=50\nfaults crash=5s restart=1s\nrun 10s"), Ok(()));
        check(Some("cluster nodes=2\nrun 3s\nverdict"), Ok(()));
        // A verdict is for when there has been time.
        check(Some("cluster nodes=2\nverdict"), Err("broke a promise"));
        check(Some("cluster nodes=none"), Err("Usage"));
        check(Some("n1 dance"), Err("a node cannot"));
        check(None, Err("NotFound"));
    }
}

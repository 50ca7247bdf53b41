//! `vitrine check`: what the files of a node hold, what is wrong with them, and cutting a log at its damage.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Failed, failed, grouped};
use crate::check::{self, Kind, Report, State, repair};
use crate::progress;
use crate::wal::folder::{self, Held, HoldError};

/// What can be typed.
pub fn command() -> Command {
    Command::new("check")
        .about("Say what a log, a snapshot or a cache.json holds, and what is wrong with it")
        .long_about(
            "Say what a log, a snapshot or a cache.json holds: counts by kind, sizes, deadlines, versions, numbers. \
             A folder stands for all that a start would read in it, and they are held to each other as well. What is \
             wrong is named by file and byte. A torn tail, which was never synced and which a start cuts off, is no \
             damage.\n\nExit status: 0 whole, 1 damaged or of a newer version, 2 usage, 3 no such file.",
        )
        .after_help(EXAMPLES)
        .arg(
            Arg::new("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(clap::value_parser!(PathBuf))
                .help("A segment of a log, a snapshot, a cache.json, or a folder of them"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON: a list of files"))
        .arg(Arg::new("repair").long("repair").action(ArgAction::SetTrue).help(
            "Cut the log where its damage begins, and set damaged snapshots aside; what was there is kept beside it \
             as .damaged. Only while no server runs on the folder",
        ))
}

const EXAMPLES: &str = "\
Examples:
  vitrine check /var/lib/vitrine
  vitrine check cache.json --json
  vitrine check /var/lib/vitrine --repair";

/// Checks, and repairs where that was asked for.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let mut reports = Vec::new();
    let mut done = Vec::new();
    for path in matches.get_many::<PathBuf>("FILE").into_iter().flatten() {
        let refused = |error: std::io::Error| {
            let text = format!("{}: {error}", path.display());
            if error.kind() == std::io::ErrorKind::NotFound { Failed::NotFound(text) } else { Failed::Failed(text) }
        };
        let files = check::files(path).map_err(refused)?;
        let repairs = matches.get_flag("repair");
        let held = repairs.then(|| hold(path)).transpose()?;
        let length = |file: &PathBuf| std::fs::metadata(file).map_or(0, |about| about.len());
        let bar = progress::bar(files.iter().map(length).sum());
        bar.set_message("checking");
        // A file alone is held to nothing but itself.
        let found = if path.is_dir() {
            check::inspect_all(&files, &bar)
        } else {
            files.iter().map(|file| check::inspect(file, &bar)).collect()
        };
        bar.finish_and_clear();
        let found = found.map_err(refused)?;
        if repairs {
            done.extend(repair::repair(&found).map_err(refused)?);
        }
        drop(held);
        reports.extend(found);
    }
    if matches.get_flag("json") {
        println!("{}", serde_json::to_string_pretty(&reports).map_err(failed)?);
    } else {
        reports.iter().for_each(|report| print!("{}", describe(report)));
        if reports.is_empty() {
            println!("no log, snapshot or cache.json is there");
        }
    }
    for repaired in &done {
        let (file, kept) = (repaired.file.display(), repaired.kept.display());
        eprintln!("{file}: repaired; lost: {}; as it was: {kept}", repaired.lost);
    }
    let left = reports.iter().filter(|report| report.is_damaged());
    let left = left.filter(|report| !done.iter().any(|repaired| repaired.file == report.file)).count();
    match left {
        0 if reports.iter().any(Report::is_newer) => {
            Err(failed("what a newer version wrote is not damaged, and not read: check it with that version"))
        }
        0 => {
            if matches.get_flag("repair") && done.is_empty() {
                eprintln!("nothing is to be repaired");
            }
            Ok(())
        }
        1 => Err(failed("1 file is damaged")),
        count => Err(failed(format!("{count} files are damaged"))),
    }
}

/// Nobody else may write to what is repaired.
fn hold(path: &Path) -> Result<Held, Failed> {
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = if path.is_dir() { path } else { beside };
    folder::hold(folder, "vitrine-check").map_err(|error| match error {
        HoldError::Taken { .. } => failed(format!("{error}: stop it, and repair then")),
        HoldError::Io { .. } => failed(error),
    })
}

/// What a person reads of one file.
fn describe(report: &Report) -> String {
    let mut text = String::new();
    let kind = match report.kind {
        Kind::LogSegment => "segment of a log",
        Kind::Snapshot => "snapshot",
        Kind::CacheJson => "cache.json",
        Kind::Unknown => "unknown",
    };
    let state = match &report.state {
        State::Whole => "whole".to_owned(),
        State::TornTail { at, bytes, what } => {
            format!("whole up to byte {at}; behind it {} bytes of a torn tail: {what}", grouped(*bytes))
        }
        State::Newer { what } => format!("NOT READ: {what}"),
        State::Damaged { at: Some(at), what } => format!("DAMAGED at byte {at}: {what}"),
        State::Damaged { at: None, what } => format!("DAMAGED: {what}"),
    };
    // Strings only: that does not fail.
    let _ = writeln!(text, "{}: {kind}, {state}", report.file.display());
    if let Some(head) = report.header {
        let begun = time(head.begun_unix_ms);
        let _ = writeln!(
            text,
            "  format {}, cluster {:016x}, node {}, begun {begun}",
            head.format, head.cluster, head.node
        );
    }
    if let Some([first, end]) = report.numbers {
        let _ = match report.kind {
            Kind::Snapshot => writeln!(text, "  the log goes on from number {first}, and has to reach {end}"),
            _ if end > first => writeln!(text, "  numbers {first} to {}", end - 1),
            _ => writeln!(text, "  no records; the next number is {first}"),
        };
    }
    let contents = &report.contents;
    let kinds = contents.kinds.iter().map(|(kind, count)| match (*count, kind.strip_suffix('s')) {
        (1, Some(one)) => format!("1 {}", one.strip_suffix("he").map_or(one.to_owned(), |start| format!("{start}h"))),
        _ => format!("{} {kind}", grouped(*count)),
    });
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let room = report.room.filter(|room| *room > 0);
    let room = room.map_or(String::new(), |room| format!(", {} of them set aside for what comes", grouped(room)));
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {kinds}") };
    let _ = writeln!(text, "  {} bytes{room}{kinds}", grouped(report.bytes));
    if contents.kinds.contains_key("puts") {
        let (keys, values, longest) = (contents.key_bytes, contents.value_bytes, contents.longest_value);
        let (keys, values, longest) = (grouped(keys), grouped(values), grouped(longest));
        let _ = writeln!(text, "  keys {keys} bytes, values {values} bytes, the longest {longest}");
    }
    if let (Some(soonest), Some(latest)) = (contents.soonest_deadline_unix_ms, contents.latest_deadline_unix_ms) {
        let (with, passed) = (grouped(contents.with_deadline), grouped(contents.expired));
        let _ =
            writeln!(text, "  {with} with a deadline, {passed} of them passed: {} to {}", time(soonest), time(latest));
    }
    if let (Some(oldest), Some(newest)) = (contents.oldest, contents.newest) {
        let (from, to) = (time(oldest.unix().0), time(newest.unix().0));
        let _ = writeln!(text, "  versions {oldest} ({from}) to {newest} ({to})");
    }
    text
}

/// A time as text; as its number where it is further than any calendar.
fn time(unix_ms: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)) {
        Some(time) if unix_ms < END_OF_CALENDAR => humantime::format_rfc3339_millis(time).to_string(),
        _ => format!("{unix_ms} ms"),
    }
}

/// The year 10,000.
const END_OF_CALENDAR: u64 = 253_402_300_800_000;

//! The command line: what can be typed, and what is done about it.
//!
//! Exit status: 0 done, 1 failed, 2 usage, 3 not found.

pub mod bench;
mod check;
mod client;
mod cluster;
mod demo;
mod export;
mod import;
pub mod replay;
mod serve;
pub mod sim;

use std::fmt;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args as _};

/// How a command ended that did not do what it was asked.
#[derive(Debug)]
pub enum Failed {
    /// It was tried, and failed: 1.
    Failed(String),
    /// It cannot be tried: 2.
    Usage(String),
    /// There is no such thing: 3.
    NotFound(String),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version were asked for, and go to standard output.
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _ = error.print();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("vitrine: {failed}");
            failed.status()
        }
    }
}

fn run(matches: &ArgMatches) -> Result<(), Failed> {
    match matches.subcommand() {
        Some(("serve", matches)) => serve::run(matches),
        Some(("demo", matches)) => demo::run(matches),
        Some(("get", matches)) => client::get(matches),
        Some(("set", matches)) => client::set(matches),
        Some(("del", matches)) => client::del(matches),
        Some(("incr", matches)) => client::incr(matches),
        Some(("touch", matches)) => client::touch(matches),
        Some(("save", matches)) => client::save(matches),
        Some(("load", matches)) => client::load(matches),
        Some(("export", matches)) => export::run(matches),
        Some(("import", matches)) => import::run(matches),
        Some(("health", matches)) => client::health(matches),
        Some(("cluster", matches)) => cluster::run(matches),
        Some(("check", matches)) => check::run(matches),
        Some(("replay", matches)) => {
            let args = parsed::<replay::ReplayArgs>(matches)?;
            replay::run(&args).map_err(|error| Failed::of(error.status(), error.to_string()))
        }
        Some(("bench", matches)) => {
            let args = parsed::<bench::BenchArgs>(matches)?;
            bench::run(&args).map_err(|error| Failed::of(error.status(), error.to_string()))
        }
        Some(("sim", matches)) => sim::run(&parsed::<sim::SimArgs>(matches)?),
        _ => Err(Failed::Usage("a command is missing; `vitrine --help` lists them".to_owned())),
    }
}

fn command() -> clap::Command {
    clap::Command::new("vitrine")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A distributed in-memory cache you can see through")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve::command())
        .subcommand(demo::command())
        .subcommand(client::get_command())
        .subcommand(client::set_command())
        .subcommand(client::del_command())
        .subcommand(client::incr_command())
        .subcommand(client::touch_command())
        .subcommand(client::save_command())
        .subcommand(client::load_command())
        .subcommand(export::command())
        .subcommand(import::command())
        .subcommand(client::health_command())
        .subcommand(cluster::command())
        .subcommand(check::command())
        .subcommand(replay::ReplayArgs::augment_args(
            clap::Command::new("replay")
                .about("Replay a request trace, here or against running servers, and count its hits and misses"),
        ))
        .subcommand(bench::BenchArgs::augment_args(
            clap::Command::new("bench").about("Put load on running servers and say how they bear it"),
        ))
        .subcommand(sim::SimArgs::augment_args(
            clap::Command::new("sim")
                .about("Simulate clusters under load and faults, a seed each, and check what the cache promises"),
        ))
}

fn parsed<T: clap::FromArgMatches>(matches: &ArgMatches) -> Result<T, Failed> {
    T::from_arg_matches(matches).map_err(|error| Failed::Usage(error.to_string()))
}

const EXAMPLES: &str = "\
Examples:
  vitrine demo                          three nodes here, and the playground in the browser
  vitrine serve --memory 1GiB           one node
  vitrine set greeting hello --ttl 60s
  vitrine get greeting
  vitrine replay trace.csv.gz --capacity 1000
  vitrine sim --seeds 1000              a thousand simulated clusters under load and faults

Exit status: 0 done, 1 failed, 2 usage, 3 not found.";

impl Failed {
    fn of(status: u8, message: String) -> Failed {
        match status {
            2 => Failed::Usage(message),
            3 => Failed::NotFound(message),
            _ => Failed::Failed(message),
        }
    }

    fn status(&self) -> ExitCode {
        match self {
            Failed::Failed(_) => ExitCode::from(1),
            Failed::Usage(_) => ExitCode::from(2),
            Failed::NotFound(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Failed(text) | Failed::Usage(text) | Failed::NotFound(text) => f.write_str(text),
        }
    }
}

/// Anything that went wrong while a command ran.
fn failed(error: impl fmt::Display) -> Failed {
    Failed::Failed(error.to_string())
}

/// A count with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Ends when this process is interrupted or told to end.
#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // Without a handler the signal itself ends this process.
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_what_it_does() {
        let command = command();
        command.clone().debug_assert();
        for command in command.get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let verb = about.split(' ').next().unwrap_or_default();
            assert!(about.contains(' ') && !verb.starts_with("What"), "{}: {about}", command.get_name());
            assert!(!about.ends_with('.'), "{}: {about}", command.get_name());
        }
    }

    #[test]
    fn counts_are_readable() {
        for (count, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), expected);
        }
    }
}

//! The command line: what each command takes, and the exit status that it ends with: 0 done, 1 failed, 2 usage, 3 not
//! found.

use clap::{Parser, Subcommand};

pub mod bench;
pub mod replay;

/// A distributed in-memory cache you can see through.
#[derive(Parser, Debug)]
#[command(name = "vitrine", version)]
struct Vitrine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Put load on running servers and say how they bear it
    Bench(bench::BenchArgs),
    /// Replay a request trace, here or against running servers, and count its hits and misses
    Replay(replay::ReplayArgs),
}

/// Runs the command line of this process and returns its exit status.
pub fn run() -> u8 {
    match Vitrine::parse().command {
        Command::Bench(args) => ended(bench::run(&args).map_err(|error| (error.status(), error.to_string()))),
        Command::Replay(args) => ended(replay::run(&args).map_err(|error| (error.status(), error.to_string()))),
    }
}

fn ended(outcome: Result<(), (u8, String)>) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err((status, message)) => {
            eprintln!("vitrine: {message}");
            status
        }
    }
}

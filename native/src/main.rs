//! The `vitrine` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(vitrine::cli::run())
}

//! The `vitrine` command.

/// Pages of 2 MiB where the kernel gives them, and no lock between threads: `docs/store.md` has the measurements.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    vitrine::cli::main()
}

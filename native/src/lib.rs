//! The Vitrine server as a library: a server that a test can start in-process.

// A server with deliberate mistakes in it would be a bad joke.
const _: () = assert!(!vitrine_engine::mutant::MUTANTS, "the server is not built with the engine's feature `mutants`");

pub mod boot;
pub mod ceiling;
pub mod check;
pub mod cli;
pub mod clock;
pub mod control;
pub mod durable;
pub mod effects;
pub mod http;
pub mod load;
pub mod logs;
pub mod majority;
pub mod map_file;
pub mod members;
pub mod metrics;
pub mod peer;
pub mod progress;
pub mod server;
pub mod settings;
pub mod shards;
pub mod snapshot;
pub mod snapshot_json;
pub mod span;
pub mod standing;
pub mod version_floor;
pub mod wal;
pub mod watch;

//! What asks: the one HTTP client of the commands, and what measures how a server answers.
//!
//! It may depend on tokio and hyper's client side, and on nothing of the server: it speaks to one as anybody would.

pub mod client;
pub mod generate;
pub mod latency;
pub mod stopwatch;
mod wire;

pub use client::{Client, ClientError, Origin, Response};
pub use latency::Latency;
pub use stopwatch::Stopwatch;

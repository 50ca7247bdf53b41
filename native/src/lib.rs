//! The Vitrine server as a library: a server that a test can start in-process.

pub mod cli;
pub mod load;

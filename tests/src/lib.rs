//! Helpers shared by the tests that cross the crates.

pub mod bench;
pub mod golden;
pub mod nodes;
pub mod ports;

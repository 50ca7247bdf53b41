//! The built binary as its users meet it: real processes, real sockets, real files.
#![cfg(unix)]

mod bad_input;
mod bars;
mod check;
mod demo;
mod fast_path;
mod joining;
mod load;
mod log;
mod members;
mod on_doubt;
mod one_node;
#[path = "../../../tests/src/ports.rs"]
mod ports;
mod stand_in;
mod support;
mod three_nodes;
mod transfer;
mod zones;

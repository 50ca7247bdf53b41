//! The checks in Node: `wasm-pack test --node web`.
#![cfg(target_arch = "wasm32")]

mod checks;

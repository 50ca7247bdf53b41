//! The checks in Node: `scripts/test wasm-node`.
#![cfg(target_arch = "wasm32")]

mod checks;

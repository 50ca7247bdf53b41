//! The checks in a browser: `wasm-pack test --headless --chrome web`.
#![cfg(target_arch = "wasm32")]

mod checks;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

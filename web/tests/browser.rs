//! The checks in a browser: `scripts/test wasm-browser`.
#![cfg(target_arch = "wasm32")]

mod checks;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

//! Same seed, same run, in WebAssembly as on the machine: `tests/tests/fingerprint.rs` has the native side.

#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::wasm_bindgen_test;

include!("../../tests/data/fingerprint.rs");

#[wasm_bindgen_test]
fn the_busy_minute_has_its_fingerprint() {
    assert_eq!(fingerprint(), FINGERPRINT);
}

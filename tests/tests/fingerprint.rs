//! Same seed, same run: the fingerprint that `web/tests/checks` finds in WebAssembly too, in Node and a browser.

include!("../data/fingerprint.rs");

#[test]
fn the_busy_minute_has_its_fingerprint() {
    let (fingerprint, events) = fingerprint();
    assert_eq!((fingerprint, events), FINGERPRINT, "0x{fingerprint:016x}, {events}");
}

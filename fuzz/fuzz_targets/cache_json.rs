//! Any bytes as a `cache.json`: refused, or entries within the bounds.
//!
//! The bytes are also taken as the list of entries behind a good beginning, which a fuzzer would take long to guess.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::snapshot_json::{Bounds, Restored, decode};
use vitrine_engine::limits::{MAX_KEY, MAX_MEDIA};

const BOUNDS: Bounds = Bounds { max_value: 100, max_file: 1 << 20 };

fuzz_target!(|data: &[u8]| {
    let _ = decode(data, BOUNDS, &mut check);
    let whole = [br#"{"format":"vitrine-cache","version":1,"entries":["#, data, b"]}"];
    let _ = decode(&*whole.concat(), BOUNDS, &mut check);
});

fn check(entry: Restored) -> Result<(), String> {
    assert!((1..=MAX_KEY).contains(&entry.key.as_bytes().len()));
    assert!(entry.value.bytes.len() <= BOUNDS.max_value && entry.value.media.len() <= MAX_MEDIA);
    Ok(())
}

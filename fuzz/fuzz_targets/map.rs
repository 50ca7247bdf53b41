//! Any bytes as a map by itself, as a node keeps it on disk and is told it when it joins: refused, or one without a
//! flaw, that is written again by the same bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vitrine_engine::codec::map;

fuzz_target!(|data: &[u8]| {
    let Ok(map) = map::decode(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(map::encode(&map), data, "{map:?}");
});

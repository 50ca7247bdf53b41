//! Any bytes as a frame from a peer: refused, or what they say is said again by the same bytes.
//!
//! The bytes are also taken as a kind and the body behind a good header, which a fuzzer would take long to guess.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vitrine_engine::codec::peer::{self, ClusterTag};
use vitrine_engine::error::Failure;
use vitrine_engine::message::Message;

const CLUSTER: ClusterTag = ClusterTag(0);

fuzz_target!(|data: &[u8]| {
    check(Bytes::copy_from_slice(data));
    if let [kind, body @ ..] = data {
        let mut frame = vec![peer::FORMAT, *kind];
        frame.resize(peer::HEADER, 0);
        frame.extend(body);
        check(frame.into());
    }
});

fn check(frame: Bytes) {
    let Ok(envelope) = peer::decode(frame.clone(), CLUSTER) else { return };
    let mut again = Vec::new();
    peer::encode(&envelope, CLUSTER, &mut again);
    // The name of a bound that only a newer node knows is not kept.
    let renamed = matches!(&envelope.message, Message::Answer { outcome: Err(Failure::Busy { .. }), .. });
    assert!(renamed || again == frame, "{envelope:?}");
    assert_eq!(peer::decode(again.into(), CLUSTER).as_ref(), Ok(&envelope));
}

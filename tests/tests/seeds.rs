//! What the fuzzer begins with is what it is meant to be: a format that changes takes its seeds along.

use std::collections::BTreeSet;
use std::path::Path;

use vitrine_engine::codec::bytes::DecodeError;
use vitrine_engine::codec::peer::{self, ClusterTag};

/// The target `peer` takes a kind and the body behind a good header.
#[test]
fn every_kind_of_message_has_a_seed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/peer");
    let mut kinds = BTreeSet::new();
    for seed in std::fs::read_dir(folder).expect("the seeds") {
        let path = seed.expect("a seed").path();
        let bytes = std::fs::read(&path).expect("a seed");
        let [kind, body @ ..] = &bytes[..] else { panic!("{} is empty", path.display()) };
        let mut frame = vec![peer::FORMAT, *kind];
        frame.resize(peer::HEADER, 0);
        frame.extend(body);
        let decoded = peer::decode(frame.into(), ClusterTag(0));
        assert!(decoded.is_ok(), "{}: {decoded:?}", path.display());
        kinds.insert(*kind);
    }
    // The first kind that nobody knows ends them.
    let known = |kind: &u8| {
        let mut frame = vec![peer::FORMAT, *kind];
        frame.resize(peer::HEADER, 0);
        !matches!(peer::decode(frame.into(), ClusterTag(0)), Err(DecodeError::Tag { field: "kind", .. }))
    };
    let all: BTreeSet<u8> = (1..).take_while(known).collect();
    assert!(all.len() >= 15, "{all:?}");
    assert_eq!(kinds, all, "each kind of message has a seed");
}

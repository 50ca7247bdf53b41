//! Any bytes as the first frame of a peer's connection, and as the answer to it: only a member that looks for this
//! node, or somebody with a newer map, is let in, and a refusal fits into its frame.
//!
//! The bytes are also taken as the three names of a hello that is good otherwise, which a fuzzer would take long to
//! guess.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vitrine::members;
use vitrine::peer::Identity;
use vitrine::peer::hello::{Hello, MAX_HELLO, MAX_REASON, MAX_WELCOME, Welcome};
use vitrine_engine::id::NodeId;

/// Two members of one cluster: whom the bytes come to, and who may say hello.
static MEMBERS: LazyLock<[Identity; 2]> = LazyLock::new(|| {
    let seats = members::parse("n1=a:1@2,n2=b:1@2").expect("a good list");
    ["n1", "n2"].map(|name| {
        let (map, me) = members::map(&seats, name, 2, 64).expect("in the list");
        Identity::new(me, "c", &map)
    })
});

fuzz_target!(|data: &[u8]| {
    let [_, other] = &*MEMBERS;
    check(data, None);
    let mut names = str::from_utf8(data).unwrap_or("").splitn(3, '\n');
    if let (Some(cluster), Some(from), Some(to)) = (names.next(), names.next(), names.next()) {
        let mut hello = serde_json::to_value(other.hello(to)).expect("a hello becomes JSON");
        (hello["cluster"], hello["from"]) = (cluster.into(), from.into());
        check(hello.to_string().as_bytes(), Some((cluster, from, to) == ("c", "n2", "n1")));
    }
    if let Ok(welcome) = Welcome::read(data) {
        // A map is one that has no flaw, or none.
        let _ = welcome.map();
    }
});

/// `good` says whether the frame is a member's hello, where that is known.
fn check(frame: &[u8], good: Option<bool>) {
    match MEMBERS[0].admit(frame) {
        Ok(node) => assert!(good != Some(false) && node != NodeId(1) && serde_json::from_slice::<Hello>(frame).is_ok()),
        Err(refused) => {
            assert!(good != Some(true) && refused.reason.len() <= MAX_REASON, "{refused:?}");
            let welcome = Welcome::frame(Some(&refused));
            assert!(welcome.len() <= if refused.map.is_some() { MAX_WELCOME } else { MAX_HELLO });
            let read = Welcome::read(&welcome).expect("a welcome");
            assert_eq!((read.map(), read.refused), (refused.map, Some(refused.reason)));
        }
    }
}

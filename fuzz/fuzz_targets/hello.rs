//! Any bytes as the first frame of a peer's connection, and as the answer to it: only a member that looks for this node
//! is let in, and a refusal fits into its frame.
//!
//! The bytes are also taken as the three names of a hello that is good otherwise, which a fuzzer would take long to
//! guess.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vitrine::members;
use vitrine::peer::Identity;
use vitrine::peer::hello::{Hello, MAX_HELLO, MAX_REASON, Welcome};
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
    let good = MEMBERS[1].hello("n1");
    check(data, serde_json::from_slice::<Hello>(data).is_ok_and(|hello| hello == good));
    let mut names = str::from_utf8(data).unwrap_or("").splitn(3, '\n');
    if let (Some(cluster), Some(from), Some(to)) = (names.next(), names.next(), names.next()) {
        let [_, mut other] = MEMBERS.clone();
        (other.cluster, other.name) = (cluster.to_owned(), from.to_owned());
        let frame = serde_json::to_vec(&other.hello(to)).expect("a hello becomes JSON");
        check(&frame, (cluster, from, to) == ("c", "n2", "n1"));
    }
    if let Ok(welcome) = Welcome::read(data) {
        assert_eq!(Welcome::read(&Welcome::frame(welcome.refused.as_deref())).as_ref(), Ok(&welcome));
    }
});

fn check(frame: &[u8], good: bool) {
    match MEMBERS[0].admit(frame) {
        Ok(member) => assert!(good && member == NodeId(2)),
        Err(reason) => {
            assert!(!good && reason.len() <= MAX_REASON, "{reason}");
            let welcome = Welcome::frame(Some(&reason));
            assert!(welcome.len() <= MAX_HELLO);
            assert_eq!(Welcome::read(&welcome).map(|welcome| welcome.refused), Ok(Some(reason)));
        }
    }
}

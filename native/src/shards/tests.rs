use vitrine_engine::limits;
use vitrine_engine::time::UnixMs;
use vitrine_engine::view::{Map, Member};

use super::*;
use crate::clock::HandClock;

struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: NodeId, _: Origin, _: Message) {}

    fn reroute(&self, _: &Arc<vitrine_engine::cluster::Routes>) {}
}

fn shards(stripes: usize, entries: Option<u64>, members: u16) -> Shards {
    let members = (1..=members).map(|id| Member::new(NodeId(id), format!("n{id}"))).collect();
    let map = Arc::new(Map::first(members, 2, 16));
    let config =
        ShardsConfig { entries, bytes: 64 << 20, stripes: Some(stripes), workers: 1, seed: 1, hash_seed: (2, 3) };
    let clock = HandClock::at(Time { instant: Instant(1), unix: UnixMs(1_790_000_000_000) });
    Shards::new(&config, Arc::new(View::first(NodeId(1), map)), Arc::new(clock), Arc::new(Nobody))
}

#[test]
fn stripes_share_out_the_entries_of_the_node_and_no_more() {
    let check = |stripes: usize, entries: u64, expected: usize| {
        let shards = shards(stripes, Some(entries), 1);
        let mut sum = 0;
        shards.each(|shard| sum += u64::from(shard.store().limits().entries.expect("a bound")));
        assert_eq!((shards.stripes(), sum), (expected, entries), "{stripes} for {entries}");
    };
    check(64, 10, 8);
    check(64, 64, 64);
    check(8, 1_003, 8);
    check(4, 1, 1);
}

#[test]
fn what_open_requests_hold_is_bounded_for_all_stripes_together() {
    // Nobody answers: what is passed on holds its value.
    let shards = shards(16, None, 2);
    let value = Bytes::from(vec![0; 1 << 20]);
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for number in 0..800 {
        let key = vitrine_engine::request::Key::new(format!("key-{number}")).expect("a key");
        let value = Value { bytes: value.clone(), ..Value::default() };
        let operation = Operation::Set { value, deadline: None, condition: Condition::Always, level: WriteLevel::All };
        match shards.submit(Request { key, operation, timeout: Duration::from_secs(1) }) {
            Submitted::Later(receiver) => waiting.push(receiver),
            Submitted::Now(reply) => {
                let busy = matches!(reply.outcome, Err(Failure::Busy { limit: "MAX_PENDING_BYTES" }));
                refused += usize::from(busy);
                assert!(busy || reply.outcome == Err(Failure::Timeout), "{:?}", reply.outcome);
            }
        }
    }
    let mut held = 0;
    shards.each(|shard| held += shard.pending_bytes());
    assert!(held <= limits::MAX_PENDING_BYTES && held > limits::MAX_PENDING_BYTES / 2, "{held}");
    assert!(refused > 0 && !waiting.is_empty(), "{refused} refused, {} wait", waiting.len());
}

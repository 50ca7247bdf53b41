//! More load than one can answer for alone: hot keys that others have, and messages that are repeated while nobody
//! answers. Every promise is checked meanwhile.

use vitrine_engine::shard::Counters;
use vitrine_engine::sim::{Mark, Script, World};

fn world(script: &str) -> World {
    let script = Script::parse(script).expect("a script that is understood");
    let world = script.run().expect("a script that runs");
    assert_eq!(world.violations(), [], "{script:?}");
    world
}

#[test]
fn reads_of_a_hot_key_share_their_messages_and_keep_their_order() {
    // At the lower rate nothing is under way on the key now and then, and the search for an order begins anew; the
    // higher one is more than it takes on, and only what is overwritten or deleted must not come back.
    let check = |rate: u32, ordered: bool, at_least_of_a_hundred: u64| {
        let (mut shared, mut forwarded, mut orders) = (0, 0, 0);
        for seed in 1..=5 {
            let world = world(&format!(
                "cluster nodes=3 replicas=2 seed={seed}\nnetwork delay=2ms jitter=1ms loss=0.1% duplicate=1%\n\
                 workload shape=hot keys=20 rate={rate} writes=10% deletes=2% clients=30 expiring=0%\nrun 10s\n\
                 workload off\npeace\nrun 15s\nverdict"
            ));
            let seen = world.seen();
            shared += seen.counters.shared;
            forwarded += seen.counters.forwarded;
            orders += seen.marks.count(Mark::Ordered);
        }
        eprintln!("{rate} requests a second: {shared} of {forwarded} that were passed on shared an answer");
        assert!(shared * 100 >= forwarded * at_least_of_a_hundred, "{shared} of {forwarded}");
        assert_eq!(orders > 0, ordered, "{orders} orders found");
    };
    check(800, true, 5);
    check(8_000, true, 30);
}

#[test]
fn a_cut_is_not_made_worse_by_repetitions() {
    let check = |rate: u32, most_repeated: u64| {
        let before = format!(
            "cluster nodes=3 replicas=3 seed=9 entries=100000\nworkload shape=uniform keys=5000 rate={rate} writes=50% \
             deletes=0% clients=30 read=primary write=live\nrun 2s\n"
        );
        let cut = format!("{before}cut n1 n3\ncut n3 n1\nrun 3s\n");
        let healed = format!("{cut}heal\nrun 5s\nworkload off\npeace\nrun 15s\nverdict\n");
        let counters = |script: &str| world(script).seen().counters;
        let (start, end) = (counters(&before), counters(&cut));
        let since = |count: fn(&Counters) -> u64| count(&end) - count(&start);
        let first = since(|c| c.sets) * 2 + since(|c| c.forwarded - c.shared);
        let (repeated, held) = (since(|c| c.retries), since(|c| c.held_back));
        eprintln!("{rate} requests a second: {first} messages, {repeated} repeated, {held} times held back");
        assert!((1..=most_repeated).contains(&repeated), "{repeated} of {first} repeated");
        // And when it is over, all that was held back gets through.
        world(&healed);
    };
    // What is repeated is bounded by how long the cut goes unnoticed, and not by the load.
    check(300, 600);
    check(3_000, 1_300);
}

#[test]
fn a_clock_that_is_set_back_between_two_runs_repeats_no_version() {
    for seed in 1..=10 {
        // Every node loses its memory once, and finds its clock further back each time: by half a minute, by forty
        // seconds, by more than half an hour. What it gave before is out there.
        world(&format!(
            "cluster nodes=3 replicas=2 seed={seed} entries=1000\n\
             workload shape=hot keys=10 rate=300 writes=50% deletes=5% clients=9 expiring=0%\nrun 3s\n\
             n1 crash\nn1 clock -30s\nn1 restart\nrun 5s\n\
             n2 clock +20s\nrun 3s\nn2 crash\nn2 clock -20s\nn2 restart\nrun 5s\n\
             n3 crash\nn3 clock -40m\nn3 restart\nrun 5s\nworkload off\npeace\nrun 20s\nverdict"
        ));
    }
}

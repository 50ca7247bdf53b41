// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0xe47e_8ced_4090_ac49, 129_076);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones that change; slots that move at a rate, and slots that
/// digests find to be the same; members that others stand in for; every policy; logs of each kind, disks that fail, and
/// starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 5] = [
    (83, 0x88ad_788f_a6a0_3b12, 174_028),
    (85, 0xd49b_1afe_bb46_4dcb, 97_309),
    (88, 0x85d5_9ad6_7531_1549, 15_571),
    (140, 0xb834_85a7_d0c8_55e0, 118_509),
    (184, 0x5903_97a4_f8e3_40fd, 52_843),
];

/// Runs those seeds.
fn seeds() -> [(u64, u64, u64); 5] {
    SEEDS.map(|(seed, ..)| {
        let report = vitrine_engine::sim::swarm::run(seed);
        assert_eq!(report.violations, [], "seed {seed}");
        (seed, report.fingerprint, report.events)
    })
}

/// Runs the minute.
fn fingerprint() -> (u64, u64) {
    let script = vitrine_engine::sim::Script::parse(SCRIPT).expect("a script that is understood");
    let world = script.run().expect("a script that runs");
    assert_eq!(world.violations(), []);
    (world.fingerprint(), world.events())
}

// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0xfe1a_fe9d_a1c8_bbe9, 129_677);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones that change; slots that move at a rate, and slots that
/// digests find to be the same; members that others stand in for; every policy; logs of each kind, disks that fail, and
/// starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 5] = [
    (83, 0xac47_eab2_247b_da2f, 165_190),
    (85, 0xc1a3_fd09_fbeb_7511, 78_240),
    (88, 0x5989_d360_66f6_766a, 15_610),
    (140, 0x5ef0_8597_94ad_c96f, 117_592),
    (184, 0xc573_1b4a_0583_cab1, 56_284),
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

// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0x1361_a183_78f0_e59d, 132_544);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones; slots that move at a rate; every policy; logs of each
/// kind, disks that fail, and starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 4] = [
    (85, 0xb926_dd1c_95db_39d4, 90_893),
    (88, 0xb8a1_a87f_5598_f7e6, 21_079),
    (140, 0x55bf_2076_175b_ba14, 92_244),
    (186, 0xdfaf_e37a_733f_8a85, 69_216),
];

/// Runs those seeds.
fn seeds() -> [(u64, u64, u64); 4] {
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

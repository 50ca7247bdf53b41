// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0x4c41_cba6_1825_00a1, 130_650);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones that change; slots that move at a rate, and slots that
/// digests find to be the same; members that others stand in for; every policy; logs of each kind, disks that fail, and
/// starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 5] = [
    (88, 0xc2eb_54da_ac93_a6f9, 15_594),
    (140, 0x9244_1aef_8257_c765, 118_079),
    (184, 0xdee5_09b1_709a_f2ca, 55_833),
    (189, 0xf6fe_70ef_d299_a345, 105_291),
    (369, 0x722a_547b_04f8_7838, 83_391),
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

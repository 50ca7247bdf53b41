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
    (85, 0x8fb7_fc06_ec5a_d225, 80_248),
    (88, 0x0b98_cd1e_4a17_f11d, 22_355),
    (140, 0x8d49_bc72_c7b4_4d25, 92_304),
    (186, 0x0fe0_9761_79e6_9c89, 69_216),
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

// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0xeb35_b5ba_d009_8721, 130_650);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones that change; slots that move at a rate, and slots that
/// digests find to be the same; members that others stand in for; every policy; logs of each kind, disks that fail, and
/// starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 5] = [
    (88, 0x4cb2_1408_fbd2_1c42, 15_594),
    (140, 0xfa14_8ef1_a7a6_9a15, 118_843),
    (184, 0x9963_6f8c_7076_4688, 56_218),
    (189, 0xd055_b47f_5f1c_5e4d, 73_201),
    (369, 0x05bd_7569_dc24_40dc, 83_391),
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

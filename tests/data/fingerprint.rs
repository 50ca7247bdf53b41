// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0x74f4_5bf8_6594_93ea, 129_501);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones that change; slots that move at a rate, and slots that
/// digests find to be the same; every policy; logs of each kind, disks that fail, and starts from snapshots; and nodes
/// that are unusually bad.
const SEEDS: [(u64, u64, u64); 4] = [
    (83, 0x93c9_3b34_0281_a656, 165_743),
    (85, 0x40d8_91dc_4ef7_acb0, 82_838),
    (88, 0xa723_838f_f975_3d1b, 26_937),
    (140, 0xb14b_37ad_6137_b5f8, 116_449),
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

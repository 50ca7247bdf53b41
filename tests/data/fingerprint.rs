// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0xc253_b76b_f50c_4046, 129_915);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones that change; slots that move at a rate, and slots that
/// digests find to be the same; members that others stand in for; every policy; logs of each kind, disks that fail, and
/// starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 5] = [
    (83, 0x1e8a_e4c5_f9b2_284d, 146_228),
    (85, 0xc1e8_2b9b_6ada_9b7f, 70_673),
    (88, 0x96be_3450_2ab5_5fd5, 15_571),
    (140, 0x3224_b563_ff5b_c07b, 118_475),
    (184, 0xf443_ac0e_a8c2_1fc9, 53_516),
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

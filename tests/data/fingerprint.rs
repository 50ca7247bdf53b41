// Shared by the native test and the one that runs in WebAssembly. Same seed, same run, everywhere.

/// A busy minute with everything in it.
const SCRIPT: &str = include_str!("fingerprint.script");

/// What that minute comes to, and how many things happen in it. They change when the engine decides something else, or
/// sends it in other bytes; never with the platform.
const FINGERPRINT: (u64, u64) = (0xd22e_ddb9_71c1_0068, 132_544);

/// Seeds of the swarm, what each comes to, and how many things happen in it: what the minute has not. Between them
/// members that come and go, with shares of their own, in zones; slots that move at a rate; every policy; logs of each
/// kind, disks that fail, and starts from snapshots; and nodes that are unusually bad.
const SEEDS: [(u64, u64, u64); 4] = [
    (85, 0xba1a_1fa4_52d2_8f42, 80_248),
    (88, 0x284f_d048_d656_c780, 22_355),
    (140, 0x9b5a_692d_1517_da5c, 92_304),
    (186, 0xe25b_2b3c_d550_a93e, 69_216),
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

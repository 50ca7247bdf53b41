// Shared by the native test and the one that runs in WebAssembly: a small race, and what comes of it everywhere.

/// Some keys often, many once, and a loop now and then.
fn raced() -> String {
    let (mut state, mut text) = (1_u64, String::new());
    for step in 0..3_000_u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        let key = match random % 4 {
            0 => random / 4 % 30,
            1 => random / 4 % 300,
            2 => step % 90,
            _ => 1_000 + step,
        };
        text += &format!("k{key}\n");
    }
    text
}

/// How many keys that are.
const RACED_KEYS: u32 = 1_024;
/// At which sizes.
const RACED_AT: [u32; 2] = [20, 100];
/// Hits of LRU, SIEVE, S3-FIFO, W-TinyLFU and Belady's bound at the two.
const RACED: [[u32; 2]; 5] = [[230, 1096], [528, 1380], [568, 1486], [586, 1543], [992, 1787]];

/// Sizes for the first 20,000 requests of the page's first workload (Zipf, 60 keys, a third of them writes, seed 7).
const WORKLOAD_AT: [u32; 2] = [8, 32];
/// Of the five, as above.
const WORKLOAD: [[u32; 2]; 5] = [[8240, 16098], [10087, 16736], [10461, 16595], [10828, 16899], [12664, 18307]];

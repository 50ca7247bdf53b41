//! Hashes that are the same on every platform: CRC16 places a key in a slot, xxh3 under a secret finds it in a table,
//! and without one makes fingerprints.

use core::fmt;

use crate::id::Slot;

/// The slot of a key: CRC16 of the key, or of its `{hash tag}`, modulo 16,384. The Redis Cluster rule.
///
/// The tag is what stands between the first `{` and the first `}` after it, when that is not empty.
pub fn slot(key: &[u8]) -> Slot {
    let tag = key.iter().position(|b| *b == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|b| *b == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    Slot::of_hash(crc16(tag.unwrap_or(key)))
}

/// CRC-16/XMODEM: polynomial 0x1021, initial value 0, not reflected.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

/// The hash of a key in a table: xxh3 under a secret, so that nobody outside can aim at one bucket.
///
/// The secret is drawn from a seed of 128 bits by SipHash-1-3, which no output gives away. xxh3 under a secret is no
/// pseudorandom function with a proof, as SipHash would be; but whoever does not see its secret or its values does not
/// know which keys collide, and a store shows neither. Half the instructions of a look-up were SipHash's: see
/// `docs/store.md`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHasher {
    secret: [u8; SECRET],
}

impl KeyHasher {
    /// Hashes under the secret that follows from that seed.
    pub fn new(seed: (u64, u64)) -> KeyHasher {
        let prf = siphasher::sip::SipHasher13::new_with_keys(seed.0, seed.1);
        let mut secret = [0; SECRET];
        for (part, counter) in secret.chunks_exact_mut(8).zip(0_u64..) {
            part.copy_from_slice(&prf.hash(&counter.to_le_bytes()).to_le_bytes());
        }
        KeyHasher { secret }
    }

    /// The 64-bit hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_secret(key, &self.secret)
    }
}

impl fmt::Debug for KeyHasher {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHasher").finish_non_exhaustive()
    }
}

/// As long as xxh3's own.
const SECRET: usize = 192;

/// A running fingerprint of a sequence: equal sequences, equal fingerprints (xxh3, 64 bits, chained).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Takes the next item of the sequence in.
    pub fn add(&mut self, item: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(item, self.0);
    }
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// CRC-16/XMODEM as the standard defines it, a bit at a time.
    fn bitwise(bytes: &[u8]) -> u16 {
        let shift = |crc: u16, _| if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
        bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ (u16::from(*byte) << 8), shift))
    }

    #[test]
    fn crc16_is_the_one_of_redis_cluster() {
        // The check value of the Redis Cluster specification, appendix A.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    proptest! {
        #[test]
        fn crc16_by_table_and_by_bits_agree(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(crc16(&bytes), bitwise(&bytes));
        }
    }

    #[test]
    fn slots_are_those_of_redis_cluster() {
        let check = |key: &str, expected: u16, hashed: &str| {
            assert_eq!(slot(key.as_bytes()).number(), expected, "{key:?}");
            assert_eq!(bitwise(hashed.as_bytes()) % 16_384, expected, "{hashed:?}");
        };
        // What CLUSTER KEYSLOT answers, from the documentation of Redis and of its clients.
        check("foo", 12_182, "foo");
        check("bar", 5_061, "bar");
        check("hello", 866, "hello");
        check("somekey", 11_058, "somekey");
        check("foo{hash_tag}", 2_515, "hash_tag");
        check("bar{hash_tag}", 2_515, "hash_tag");
        check("8xjx7vWrfPq54mKfFD3Y1CcjjofpnAcQ", 5_458, "8xjx7vWrfPq54mKfFD3Y1CcjjofpnAcQ");
        // The hash tags of the specification: what is hashed stands at the right.
        check("{user1000}.following", 3_443, "user1000");
        check("{user1000}.followers", 3_443, "user1000");
        check("foo{}{bar}", 8_363, "foo{}{bar}");
        check("foo{{bar}}zap", 4_015, "{bar");
        check("foo{bar}{zap}", 5_061, "bar");
        // Braces that make no tag.
        check("{}", 15_257, "{}");
        check("foo{", 7_673, "foo{");
        check("foo}bar{", 11_073, "foo}bar{");
        check("{a}{b}", 15_495, "a");
        check("ü{é}", 10_180, "é");
        check("", 0, "");
    }

    #[test]
    fn secrets_follow_the_reference() {
        // SipHash-1-3 of "" and of the bytes 00..0e under the key 00..0f: computed by a second implementation that
        // gives the paper's value for SipHash-2-4 of the same input.
        let seed = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let prf = siphasher::sip::SipHasher13::new_with_keys(seed.0, seed.1);
        let input: [u8; 15] = core::array::from_fn(|index| index as u8);
        assert_eq!((prf.hash(b""), prf.hash(&input)), (0xabac_0158_050f_c4dc, 0xd320_d86d_2a51_9956));
        let secret = KeyHasher::new(seed).secret;
        assert_eq!(secret[8..16], prf.hash(&[1, 0, 0, 0, 0, 0, 0, 0]).to_le_bytes());
        let mut parts: alloc::vec::Vec<&[u8]> = secret.chunks_exact(8).collect();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), SECRET / 8);
        assert_eq!(alloc::format!("{:?}", KeyHasher::new(seed)), "KeyHasher { .. }");
    }

    #[test]
    fn table_hashes_follow_the_secret_and_spread() {
        let (hasher, other) = (KeyHasher::new((1, 2)), KeyHasher::new((1, 3)));
        for length in [0, 1, 3, 4, 8, 9, 16, 17, 100, 128, 129, 240, 241, 1_000, 5_000] {
            let mut key = alloc::vec![7_u8; length];
            let hash = hasher.hash(&key);
            assert_ne!(hash, other.hash(&key), "{length}");
            // Every bit of the key, the last one of each byte, turns about half of the hash over.
            for at in 0..length {
                key[at] ^= 1;
                let turned = (hash ^ hasher.hash(&key)).count_ones();
                assert!((10..=54).contains(&turned), "byte {at} of {length}: {turned} bits");
                key[at] ^= 1;
            }
        }
        // Pinned, so that every platform agrees.
        let pinned = [&b""[..], b"key", &[9; 300]].map(|key| hasher.hash(key));
        assert_eq!(pinned, [0x97f6_3f76_4989_7027, 0x1ee3_94c9_33a9_bf85, 0x1ee6_7dc9_98ba_0183]);
    }
}

//! Hashes that are the same on every platform: CRC16 places a key in a slot, SipHash finds it in a table, xxh3 makes
//! fingerprints.

use core::hash::Hasher;

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

/// The hash of a key in a table, keyed so that nobody outside can aim at one bucket (SipHash-1-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHasher {
    seed: (u64, u64),
}

impl KeyHasher {
    /// Hashes under that secret seed.
    pub fn new(seed: (u64, u64)) -> KeyHasher {
        KeyHasher { seed }
    }

    /// The 64-bit hash of a key.
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = siphasher::sip::SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        hasher.write(key);
        hasher.finish()
    }
}

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
    fn table_hashes_follow_the_reference() {
        // SipHash-1-3 of "" and of the bytes 00..0e under the key 00..0f: computed by a second implementation that
        // gives the paper's value for SipHash-2-4 of the same input.
        let seed = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let input: [u8; 15] = core::array::from_fn(|index| index as u8);
        assert_ne!(KeyHasher::new(seed).hash(b""), KeyHasher::new((0, 0)).hash(b""));
        assert_eq!(KeyHasher::new(seed).hash(b""), 0xabac_0158_050f_c4dc);
        assert_eq!(KeyHasher::new(seed).hash(&input), 0xd320_d86d_2a51_9956);
    }
}

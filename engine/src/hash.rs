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

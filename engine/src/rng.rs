//! The seeded generator. What it draws is the same on every platform, and its drawing rules are our own: a library that
//! changed how it maps bits to ranges would change every fingerprint.

use core::time::Duration;

use rand_core::{Rng as _, SeedableRng};

/// A stream of pseudo-random numbers (PCG-XSH-RR 64/32, O'Neill 2014).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(rand_pcg::Pcg32);

impl Rng {
    /// The stream of that seed and purpose. Network, disk, clock and workload each have a purpose of their own, so that
    /// drawing more in one changes nothing in another.
    pub fn new(seed: u64, purpose: &str) -> Rng {
        let mixed = xxhash_rust::xxh3::xxh3_64_with_seed(purpose.as_bytes(), seed);
        Rng(rand_pcg::Pcg32::seed_from_u64(mixed))
    }

    /// 32 random bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`, without bias worth naming (multiply and shift). Zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        scale(self.u64(), bound)
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below((high.saturating_sub(low)).saturating_add(1))
    }

    /// True once in a while: `per_million` times in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(1_000_000) < u64::from(per_million)
    }

    /// One of them, or `None` when there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// A span with an exponential distribution of that mean, cut at sixteen times the mean.
    ///
    /// Integers only, so that every platform draws the same: the logarithm is taken by halving (Knuth, TAOCP 3.4.1, S).
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        let mean = crate::time::micros(mean);
        let times = minus_ln(self.u64() | 1).min(16 << 16);
        let span = mean
            .checked_mul(times)
            .map_or_else(|| ((u128::from(mean) * u128::from(times)) >> 16) as u64, |span| span >> 16);
        Duration::from_micros(span)
    }
}

/// The upper half of the product: `bound` times `drawn / 2^64`. In two products of 64 bits where these are enough: a
/// wider one takes WebAssembly several times as long.
fn scale(drawn: u64, bound: u64) -> u64 {
    let Ok(short) = u32::try_from(bound) else {
        return ((u128::from(drawn) * u128::from(bound)) >> 64) as u64;
    };
    let (high, low) = (drawn >> 32, drawn & u64::from(u32::MAX));
    (high * u64::from(short) + ((low * u64::from(short)) >> 32)) >> 32
}

/// -ln(u / 2^64) in 16.16 fixed point; `u` is not 0.
fn minus_ln(u: u64) -> u64 {
    let zeros = u64::from(u.leading_zeros());
    // u = 2^(63 - zeros) * m with m in [1, 2): log2(u / 2^64) = log2(m) - zeros - 1.
    let mut m = (u << zeros) >> 31; // m in 1.32 fixed point
    let mut log2_m: u64 = 0;
    for bit in (0..16).rev() {
        // The square of m = 1 + f, in 64 bits: where there is no wider product, one is many times as slow.
        let f = m - (1 << 32);
        m += f + ((f * f) >> 32);
        if m >= 1 << 33 {
            m >>= 1;
            log2_m |= 1 << bit;
        }
    }
    let minus_log2 = ((zeros + 1) << 16) - log2_m;
    (minus_log2 * 45_426) >> 16 // ln 2 in 16.16
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_stream_is_its_seed_and_purpose() {
        let draw = |seed, purpose| Rng::new(seed, purpose).u64();
        assert_eq!(draw(1, "network"), draw(1, "network"));
        assert_ne!(draw(1, "network"), draw(2, "network"));
        assert_ne!(draw(1, "network"), draw(1, "clock"));
    }

    #[test]
    fn draws_stay_in_range_and_reach_it() {
        let mut rng = Rng::new(7, "test");
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            seen[rng.below(10) as usize] = true;
            assert!((3..=5).contains(&rng.between(3, 5)));
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(rng.below(0), 0);
        assert!(!rng.chance(0));
        assert!(rng.chance(1_000_000));
    }

    #[test]
    fn short_bounds_are_scaled_as_wide_ones() {
        let mut rng = Rng::new(5, "test");
        let edges = [0, 1, 2, 3, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 32, u64::MAX];
        let drawn: Vec<u64> = (0..200).map(|_| rng.u64()).chain(edges).collect();
        for bound in drawn.iter().map(|drawn| drawn >> 33).chain(edges) {
            for drawn in &drawn {
                let wide = ((u128::from(*drawn) * u128::from(bound)) >> 64) as u64;
                assert_eq!(scale(*drawn, bound), wide, "{drawn} of {bound}");
            }
        }
    }

    #[test]
    fn the_logarithm_is_that_of_wide_products() {
        let wide = |u: u64| {
            let zeros = u64::from(u.leading_zeros());
            let (mut m, mut log2_m) = ((u128::from(u) << zeros) >> 31, 0_u64);
            for bit in (0..16).rev() {
                m = (m * m) >> 32;
                if m >= 1 << 33 {
                    m >>= 1;
                    log2_m |= 1 << bit;
                }
            }
            ((((zeros + 1) << 16) - log2_m) * 45_426) >> 16
        };
        let mut rng = Rng::new(3, "test");
        let drawn: Vec<u64> =
            (0..64).flat_map(|shift| [rng.u64() >> shift | 1, u64::MAX >> shift, 1 << shift]).collect();
        for u in drawn {
            assert_eq!(minus_ln(u), wide(u), "{u}");
        }
    }

    #[test]
    fn exponential_has_the_mean_and_the_shape() {
        let mut rng = Rng::new(11, "test");
        let draws = 100_000;
        let (mut sum, mut above) = (0, 0);
        for _ in 0..draws {
            let span = crate::time::micros(rng.exponential(Duration::from_micros(10_000)));
            assert!(span <= 160_000);
            sum += span;
            above += u64::from(span > 10_000);
        }
        let mean = sum / draws;
        assert!((9_800..10_200).contains(&mean), "mean {mean}");
        // e^-1 of the draws are above the mean: 36,788 of 100,000.
        assert!((36_200..37_400).contains(&above), "above the mean {above}");
    }
}

//! Who goes when a limit is reached: the policies that a store can be told to follow.
//!
//! Depends on nothing. What they do, and what they are worth, is in `docs/eviction.md`.

/// A way to choose who goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// The least recently used, exactly.
    #[default]
    Lru,
    /// SIEVE: a queue and a hand that passes over whoever was used since it last came by (Zhang, Yang, Yue, Vigfusson
    /// and Rashmi, NSDI 2024).
    Sieve,
    /// S3-FIFO: a small queue for the new, a main one for who was used twice in it, and a memory of who left the small
    /// one (Yang, Zhang, Qiu, Yue and Vigfusson, SOSP 2023).
    S3Fifo,
    /// W-TinyLFU: a window for the new, whose oldest enters the rest only when it is asked for more often than who
    /// would have to go (Einziger, Friedman and Manes, ACM Transactions on Storage 13(4), 2017).
    WTinyLfu,
}

impl Policy {
    /// Every policy, in the order in which they are offered to a person.
    pub const ALL: [Policy; 4] = [Policy::Lru, Policy::Sieve, Policy::S3Fifo, Policy::WTinyLfu];

    /// Their names, as the end of a sentence.
    pub const NAMES: &'static str = "lru, sieve, s3-fifo, w-tinylfu";

    /// The name by which a person picks it.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Lru => "lru",
            Policy::Sieve => "sieve",
            Policy::S3Fifo => "s3-fifo",
            Policy::WTinyLfu => "w-tinylfu",
        }
    }

    /// The policy of that name.
    pub fn named(name: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

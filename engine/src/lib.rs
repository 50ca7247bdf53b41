//! The brain of Vitrine: everything the cache decides, and nothing it touches.
//!
//! The crate is `no_std` with `alloc`: it cannot name a socket, a file, a clock or a thread. Time comes in by value,
//! randomness as a seed given at construction, and what must happen outside goes out as plain [`effect::Effect`]s. The
//! native server gives it sockets and disks; [`sim`] gives it an imagined network, and so does the browser.
//!
//! Modules are ranked (see `docs/architecture.md`); each uses only modules of a lower rank.
#![no_std]
#![forbid(clippy::float_arithmetic)]

extern crate alloc;

// rank 0
pub mod hash;
pub mod id;
pub mod mutant;
pub mod rng;
pub mod sorted;
pub mod time;
// rank 1
pub mod error;
pub mod limits;
// rank 2
pub mod map;
pub mod message;
pub mod record;
pub mod request;
pub mod trace;
// rank 3
pub mod codec;
pub mod ring;
pub mod store;
pub mod view;
// rank 4
pub mod effect;
pub mod race;
// rank 5
pub mod clock;
pub mod cluster;
pub mod shard;
// rank 6
pub mod node;
pub mod plan;
// rank 7
pub mod sim;

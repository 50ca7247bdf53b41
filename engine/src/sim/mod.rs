//! A whole cluster in one thread: many nodes, one seed, no I/O.
//!
//! [`World`] runs the nodes that the server ships over an imagined network, with imagined clocks, clients and faults.
//! The same configuration, seed and commands give the same run, event for event, on every platform:
//! [`World::fingerprint`] says so in one number.

mod check;
mod client;
mod clock;
mod command;
mod disk;
mod expect;
mod fault;
mod mark;
mod network;
mod replay;
mod script;
mod shared;
mod shrink;
pub mod swarm;
mod trace;
mod workload;
mod world;

pub use check::{Checked, Checks, Promise, RECONCILES, Record, Violation};
pub use client::{Ask, Reply, Told, Verb};
pub use command::{Command, CommandError, Span};
pub use disk::{Block, BlockKind, Disk, Snapshot, Stage};
pub use fault::{DiskFault, Fault, Faults};
pub use mark::{Mark, Marks};
pub use network::{Cargo, Flight, Link, Links, Network, Place};
pub use replay::Replay;
pub use script::{Script, ScriptError, Step};
pub use shrink::{Shrinking, shrink};
pub use trace::{DiskNote, Dropped, Trace, TraceEvent, What};
pub use workload::{Shape, Workload};
pub use world::{Machine, Seen, World, WorldConfig};

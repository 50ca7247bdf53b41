//! Every bound has its name here. What can grow is bounded by one of these, and says so when it is reached.

use core::time::Duration;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 65_535;
/// The longest value that any configuration may allow, in bytes.
pub const MAX_VALUE: usize = 512 << 20;
/// The longest value by default, in bytes.
pub const DEFAULT_MAX_VALUE: usize = 64 << 20;
/// The longest media type kept with a value, in bytes.
pub const MAX_MEDIA: usize = 255;
/// The longest frame between peers, in bytes: a key, a value, its media type, and what stands around them.
pub const MAX_FRAME: usize = MAX_VALUE + MAX_KEY + MAX_MEDIA + 256;
/// Members of one cluster.
pub const MAX_MEMBERS: usize = 1_024;
/// The longest packet of the membership protocol, in bytes.
pub const MAX_GOSSIP: usize = 4_096;
/// What a node says of whom it reaches, in bytes: two bits for every number that a node may have.
pub const MAX_REACH: usize = 16_384;
/// Points on the ring for a member of weight 1, by default: `docs/ring.md` has the curve that it was chosen from.
pub const DEFAULT_VIRTUAL_NODES: u16 = 512;
/// Points on the ring, of all members together: more would slow its building and place nobody better.
pub const MAX_POINTS: usize = 1 << 18;
/// A member's share of the slots, relative to the others'.
pub const MAX_WEIGHT: u32 = 1_000;
/// Bytes of a member's name, zone or address.
pub const MAX_NAME: usize = 255;
/// Changes of the map that are wished for and not granted yet.
pub const MAX_WISHES: usize = 64;
/// Copies of one slot.
pub const MAX_REPLICAS: usize = 8;
/// Requests that one shard coordinates, forwards or replicates at the same time.
pub const MAX_PENDING: usize = 16_384;
/// Bytes of values that those requests may hold, of all shards of a server together, so that slow replicas cannot fill
/// the memory.
pub const MAX_PENDING_BYTES: usize = 256 << 20;
/// Requests of one shard that wait for the same peer, so that one which is slow or silent leaves room for what others
/// answer.
pub const MAX_PENDING_FOR_PEER: usize = MAX_PENDING / 4;
/// Requests of one shard whose messages to the same peer are being repeated at the same time: the budget of retries.
pub const MAX_REPEATING: usize = 32;
/// Answers to forwarded writes that one node remembers, each of its shards its share, so that a repeated message is not
/// a second write. Each takes some 200 bytes for [`crate::message::ANSWER_MEMORY`] and the request's own time: room for
/// 200,000 a second.
pub const MAX_ANSWERED: usize = 1 << 20;
/// Coordinators' counts of which one shard knows the highest number that it has forgotten.
pub const MAX_COUNTS: usize = 4_096;
/// Floors of slots in one page of a listing, and keys: what a page may take of a frame.
pub const MAX_PAGE_FLOORS: usize = 2_048;
/// Digests of slots in one answer to whoever compares them.
pub const MAX_PAGE_DIGESTS: usize = 2_048;
/// Keys in one page of a listing.
pub const MAX_PAGE_KEYS: usize = 256;
/// Bytes of keys after which a page of a listing ends; the key that crosses the limit is the last one.
pub const MAX_PAGE_BYTES: usize = 16 << 10;
/// Places of a store that are looked at for one page, so that a lock is held for a bounded time.
pub const MAX_PAGE_PLACES: u32 = 2_048;
/// Bytes a second that a node fetches of slots that it gains, unless it is told otherwise.
pub const DEFAULT_MOVE_RATE: u64 = 64 << 20;
/// Keys that one pull settles at the same time.
pub const MAX_SETTLING: u32 = 64;
/// Bytes of records that wait for a node's disk: while there are more, writes are turned away.
pub const MAX_LOG_BYTES: usize = 64 << 20;
/// How far ahead of this node's clock a version may lie. Beyond it somebody's clock is wrong: it is not followed.
pub const MAX_CLOCK_AHEAD: Duration = Duration::from_secs(3_600);
/// How often a request may be passed on before the node that has it must say that it is not its primary.
pub const MAX_HOPS: u8 = 1;
/// The longest that a request may ask to be waited for.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a request is waited for by default.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// The furthest deadline from now: a hundred years. A TTL past it is a mistake, and an error.
pub const MAX_TTL: Duration = Duration::from_secs(100 * 365 * 86_400);
/// The longest line of a request trace, in bytes: room for a key of doubled quotes and every other field.
pub const MAX_TRACE_LINE: usize = 256 << 10;

/// The bounds whose names a full node answers with, in [`Failure::Busy`](crate::error::Failure::Busy).
pub const REACHED: [&str; 5] =
    ["MAX_PENDING", "MAX_PENDING_BYTES", "MAX_PENDING_FOR_PEER", "MAX_ANSWERED", "MAX_LOG_BYTES"];

/// The name as it stands in [`REACHED`], or "a limit of the peer" for one that does not.
pub fn reached(name: &str) -> &'static str {
    REACHED.into_iter().find(|known| *known == name).unwrap_or("a limit of the peer")
}

//! P8: every request ends.

use alloc::format;
use alloc::string::String;

use crate::sim::client::{Ask, PATIENCE};
use crate::time::Instant;

/// What is wrong with an answer at that moment: it comes within the request's own timeout and the patience of a client.
pub(super) fn late(ask: &Ask, asked: Instant, at: Instant) -> Option<String> {
    let waited = at.since(asked);
    (waited > ask.timeout + PATIENCE).then(|| format!("{:?} was answered after {} ms", ask.key, waited.as_millis()))
}

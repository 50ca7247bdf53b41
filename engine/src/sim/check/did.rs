//! What clients were told, as the search for an order takes it in.

use alloc::string::ToString;

use super::hash;
use super::kept::Known;
use super::order::{Did, Later};
use crate::error::Failure;
use crate::request::{Answer, Condition};
use crate::sim::client::{Ask, Reply, Verb};

/// What an operation did, for those who look for an order; `None` when it did nothing that they could tell.
pub(super) fn did(ask: &Ask, reply: &Reply, known: &Known) -> Option<Did> {
    let value = || if let Verb::Set { value, .. } = &ask.verb { Some(Content::of(value)) } else { None };
    let number = Content::Number;
    match reply {
        Reply::Outcome(Ok(answer)) => match answer {
            Answer::Found(entry) => Some(Did::Found(Content::of(&entry.value.bytes))),
            Answer::Missing | Answer::Unmet { present: None } => Some(Did::Missed),
            Answer::Inspected(_) => None,
            Answer::Stored { created: true, .. } => Some(Did::Created(value()?)),
            Answer::Stored { created: false, .. } => {
                let old = match ask.verb {
                    Verb::Set { condition: Condition::Is(version), .. } => known.value_of(&ask.key, version),
                    _ => None,
                };
                Some(Did::Replaced(old, value()?))
            }
            Answer::Deleted { existed: true, .. } => Some(Did::Removed),
            Answer::Deleted { existed: false, .. } => Some(Did::Cleared),
            Answer::Unmet { present: Some(_) } | Answer::Touched { .. } => Some(Did::Something),
            Answer::Added { value, created, .. } => {
                let Verb::Increment { by, .. } = ask.verb else { return None };
                match *created && *value == by {
                    true => Some(Did::Created(number(*value))),
                    false => Some(Did::Replaced(Some(number(value.wrapping_sub(by))), number(*value))),
                }
            }
        },
        Reply::Outcome(Err(Failure::NotANumber)) => Some(Did::NoNumber),
        Reply::Outcome(Err(Failure::Overflow)) => Some(Did::Something),
        // A cache forgets by itself as well: only what may still be written counts.
        reply if is_unknown(reply) => match ask.verb {
            Verb::Increment { by, .. } => Some(Did::Perhaps(Later::Add(by))),
            _ => value().map(|value| Did::Perhaps(Later::Put(value))),
        },
        Reply::Outcome(Err(_)) | Reply::Refused | Reply::Lost => None,
    }
}

/// May a write that was answered so still take effect?
pub(super) fn is_unknown(reply: &Reply) -> bool {
    matches!(reply, Reply::Outcome(Err(Failure::Indeterminate { .. } | Failure::Timeout)) | Reply::Lost)
}

/// A value as the search for an order knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    /// A number that can be added to.
    Number(i64),
    /// Anything else, by its hash.
    Bytes(u64),
}

impl Content {
    pub(super) fn of(value: &[u8]) -> Content {
        let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        let number = number.filter(|number: &i64| number.to_string().as_bytes() == value);
        number.map_or_else(|| Content::Bytes(hash(value)), Content::Number)
    }
}

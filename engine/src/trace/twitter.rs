//! Twitter's cache traces (Yang, Yue and Rashmi, OSDI 2020): seven fields a line, without a header.

use super::{Problem, TraceRequest, lines};

/// Fields of a line whose key has no comma in it.
const FIELDS: u64 = 7;

/// The request of a line: `timestamp,key,key size,value size,client,operation,TTL`.
pub(super) fn request(line: &[u8]) -> Result<TraceRequest<'_>, Problem> {
    let wrong =
        || Problem::Fields { got: 1 + line.iter().filter(|byte| **byte == b',').count() as u64, wanted: FIELDS };
    let mut rest = line;
    let mut last = || {
        let comma = rest.iter().rposition(|byte| *byte == b',')?;
        let field = &rest[comma + 1..];
        rest = &rest[..comma];
        Some(field)
    };
    let (ttl, operation, _client, value_size, key_size) = match (last(), last(), last(), last(), last()) {
        (Some(ttl), Some(op), Some(client), Some(value_size), Some(key_size)) => {
            (ttl, op, client, value_size, key_size)
        }
        _ => return Err(wrong()),
    };
    let comma = rest.iter().position(|byte| *byte == b',').ok_or_else(wrong)?;
    // The size of the key is that of the key before it was made anonymous: it says nothing of the text that is here.
    lines::number("key size", key_size)?;
    Ok(TraceRequest {
        time: Some(lines::number("timestamp", &rest[..comma])?),
        key: lines::key(&rest[comma + 1..])?,
        size: Some(lines::number("value size", value_size)?),
        ttl: lines::ttl(ttl)?,
        op: lines::operation(operation)?,
    })
}

//! The values that a replay writes: their length as asked, their bytes from their key, so that a hit can be checked.

use std::str::FromStr;

use bytes::Bytes;
use vitrine_engine::hash::Fingerprint;
use vitrine_engine::limits;
use vitrine_engine::trace::TraceRequest;

/// How large a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSize {
    /// As large as the object of the request; 1 byte where the trace has no sizes.
    FromTrace,
    /// Always so many bytes.
    Fixed(usize),
}

impl ValueSize {
    /// The bytes that the request's value has, or `None` when no value may be that large.
    pub fn of(self, request: &TraceRequest<'_>) -> Option<usize> {
        match self {
            ValueSize::Fixed(size) => Some(size),
            ValueSize::FromTrace => {
                usize::try_from(request.size.unwrap_or(1)).ok().filter(|size| *size <= limits::DEFAULT_MAX_VALUE)
            }
        }
    }
}

impl FromStr for ValueSize {
    type Err = String;

    fn from_str(text: &str) -> Result<ValueSize, String> {
        if text == "from-trace" {
            return Ok(ValueSize::FromTrace);
        }
        let size = text.parse().ok().filter(|size| *size <= limits::DEFAULT_MAX_VALUE);
        size.map(ValueSize::Fixed)
            .ok_or_else(|| format!("it is from-trace or a number of bytes from 0 to {}", limits::DEFAULT_MAX_VALUE))
    }
}

/// The value of a key: eight bytes made from the key, again and again.
pub fn value(key: &[u8], size: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(size);
    fill(key, size, &mut bytes);
    bytes.into()
}

/// The same, into room that is there.
pub fn fill(key: &[u8], size: usize, bytes: &mut Vec<u8>) {
    let word = word(key);
    bytes.clear();
    while bytes.len() + word.len() <= size {
        bytes.extend_from_slice(&word);
    }
    bytes.extend_from_slice(&word[..size - bytes.len()]);
}

/// Could a replay have written this value to that key, whatever the size was then?
pub fn is_of(key: &[u8], value: &[u8]) -> bool {
    let word = word(key);
    let (words, rest) = value.as_chunks::<8>();
    words.iter().all(|part| *part == word) && *rest == word[..rest.len()]
}

fn word(key: &[u8]) -> [u8; 8] {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add(key);
    fingerprint.0.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_by_its_key() {
        for size in [0, 1, 7, 8, 9, 64, 1_001] {
            let bytes = value(b"a", size);
            assert_eq!(bytes.len(), size);
            assert!(is_of(b"a", &bytes));
            assert_eq!(is_of(b"b", &bytes), size == 0, "{size} bytes");
            for at in [0, size / 2, size.saturating_sub(1)].into_iter().filter(|at| *at < size) {
                let mut turned = bytes.to_vec();
                turned[at] ^= 1;
                assert!(!is_of(b"a", &turned));
            }
        }
    }

    #[test]
    fn sizes() {
        assert_eq!("from-trace".parse(), Ok(ValueSize::FromTrace));
        assert_eq!("0".parse(), Ok(ValueSize::Fixed(0)));
        for bad in ["", "-1", "x", "67108865", "64KiB"] {
            assert!(bad.parse::<ValueSize>().is_err(), "{bad}");
        }
    }
}

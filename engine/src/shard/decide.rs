//! What a write makes of what is there: decided at the primary, in one step with the write.
//!
//! What replicas get is the result and never the operation, so that they cannot differ: a sum is added up once.

use alloc::string::ToString;

use super::local;
use crate::error::Failure;
use crate::id::Version;
use crate::message::Change;
use crate::request::{Answer, Condition, Entry, Operation, Outcome, Value};
use crate::store::EntryRef;
use crate::time::UnixMs;

/// A value that is to be stored, before it has a version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewValue {
    value: Value,
    deadline: Option<UnixMs>,
}

/// What a write did: what its answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Did {
    Stored,
    Deleted,
    /// The sum is this.
    Added(i64),
    Touched,
}

/// What is stored from now on, `None` for nothing; or the answer of a write that changes nothing.
///
/// `present` is the version of what is there, and `there` looks at it.
pub(super) fn decide<'a>(
    operation: Operation,
    present: Option<Version>,
    there: impl FnOnce() -> Option<EntryRef<'a>>,
) -> Result<(Option<NewValue>, Did), Outcome> {
    let meets = |condition: Condition| match condition.holds(present) {
        true => Ok(()),
        false => Err(Ok(Answer::Unmet { present })),
    };
    match operation {
        Operation::Set { value, deadline, condition, .. } => {
            meets(condition)?;
            Ok((Some(NewValue { value, deadline }), Did::Stored))
        }
        Operation::Delete { condition, .. } => {
            meets(condition)?;
            Ok((None, Did::Deleted))
        }
        Operation::Increment { by, .. } => {
            let before = there().map(|entry| local::owned(&entry));
            let number = before.as_ref().map_or(Some(0), |entry| number(&entry.value.bytes));
            let sum =
                number.ok_or(Failure::NotANumber).and_then(|number| number.checked_add(by).ok_or(Failure::Overflow));
            let sum = sum.map_err(Err)?;
            let (media, deadline) = before.map_or_else(Default::default, |entry| (entry.value.media, entry.deadline));
            let value = Value { bytes: sum.to_string().into(), media };
            Ok((Some(NewValue { value, deadline }), Did::Added(sum)))
        }
        Operation::Touch { deadline, .. } => {
            let before = there().ok_or(Ok(Answer::Missing))?;
            Ok((Some(NewValue { value: local::owned(&before).value, deadline }), Did::Touched))
        }
        Operation::Get { .. } | Operation::Inspect => unreachable!("only writes are decided"),
    }
}

/// The number that these bytes are, written as this module writes it and in no other way: `+7`, `007`, `-0` and ` 7`
/// are none. Redis takes the same ones for numbers (`string2ll` in its `util.c`).
fn number(bytes: &[u8]) -> Option<i64> {
    let text = str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST)?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// Characters of the longest number.
const LONGEST: usize = "-9223372036854775808".len();

impl NewValue {
    pub(super) fn at(self, version: Version) -> Change {
        Change::Put(Entry { value: self.value, version, deadline: self.deadline })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::request::WriteLevel;

    #[test]
    fn numbers_are_written_in_one_way() {
        let check = |text: &str, expected| assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        check("0", Some(0));
        check("-1", Some(-1));
        check("9223372036854775807", Some(i64::MAX));
        check("-9223372036854775808", Some(i64::MIN));
        for none in ["", "-", "+1", "-0", "007", "-07", " 1", "1 ", "1\n", "1.0", "1e3", "0x1", "9223372036854775808"] {
            check(none, None);
        }
        check("-9223372036854775809", None);
        check(&"9".repeat(4_096), None);
        assert_eq!(number(b"1\xff"), None);
    }

    #[test]
    fn a_sum_keeps_what_is_known_about_the_value_and_never_wraps() {
        let version = Version { stamp: 7, node: NodeId(1) };
        let level = WriteLevel::Live;
        let add = |there: Option<&[u8]>, by| {
            let entry = there.map(|value| EntryRef { value, media: b"a/b", version, deadline: Some(UnixMs(9)) });
            decide(Operation::Increment { by, level }, entry.map(|entry| entry.version), || entry)
        };
        let sum = |text: &str, media: &'static str, deadline| {
            let value = Value { bytes: text.to_string().into(), media: media.into() };
            Ok((Some(NewValue { value, deadline }), Did::Added(text.parse().expect("a number"))))
        };
        assert_eq!(add(None, 5), sum("5", "", None));
        assert_eq!(add(Some(b"7"), -9), sum("-2", "a/b", Some(UnixMs(9))));
        assert_eq!(add(Some(b"9223372036854775806"), 1), sum("9223372036854775807", "a/b", Some(UnixMs(9))));
        assert_eq!(add(Some(b"9223372036854775807"), 1), Err(Err(Failure::Overflow)));
        assert_eq!(add(Some(b"-2"), i64::MIN), Err(Err(Failure::Overflow)));
        assert_eq!(add(Some(b"0"), i64::MIN), sum("-9223372036854775808", "a/b", Some(UnixMs(9))));
        assert_eq!(add(Some(b"seven"), 1), Err(Err(Failure::NotANumber)));
        assert_eq!(add(Some(b""), 1), Err(Err(Failure::NotANumber)));
    }

    #[test]
    fn a_touch_moves_the_deadline_of_what_is_there() {
        let version = Version { stamp: 7, node: NodeId(1) };
        let entry = EntryRef { value: b"v", media: b"a/b", version, deadline: Some(UnixMs(9)) };
        let touch = |deadline| Operation::Touch { deadline, level: WriteLevel::One };
        let value = || Value { bytes: "v".into(), media: "a/b".into() };
        for deadline in [None, Some(UnixMs(20))] {
            let expected = Ok((Some(NewValue { value: value(), deadline }), Did::Touched));
            assert_eq!(decide(touch(deadline), Some(version), || Some(entry)), expected);
        }
        assert_eq!(decide(touch(None), None, || None), Err(Ok(Answer::Missing)));
    }
}

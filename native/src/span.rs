//! Spans of time as people type them: `60`, `60s`, `1500ms`.

use std::time::Duration;

/// What [`parse`] takes, for messages.
pub const TAKES: &str = "a whole number of seconds, or a whole number with a unit (ms, s, m, h, d), greater than 0";

/// Reads a span: a whole number of seconds, or one with a unit. Zero, signs, fractions and anything past the end of
/// time are `None`.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// Prints a span the way [`parse`] reads it.
pub fn print(span: Duration) -> String {
    let millis = span.as_millis();
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_parse_or_do_not() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text:?}");
        };
        check("1", Some(1_000));
        check("60s", Some(60_000));
        check("1500ms", Some(1_500));
        check("2m", Some(120_000));
        check("1h", Some(3_600_000));
        check("3d", Some(259_200_000));
        for bad in [
            "",
            "0",
            "0s",
            "-1",
            "+1",
            "1e99",
            "abc",
            "1.5s",
            "s",
            "1 s",
            "1S",
            "99999999999999999999",
            "18446744073709551615d",
        ] {
            check(bad, None);
        }
    }
}

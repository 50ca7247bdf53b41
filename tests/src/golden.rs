//! Golden files: what a test printed when somebody looked at it and found it right.

use std::path::Path;

/// Compares with a golden file, or writes it where `UPDATE_GOLDEN` is set.
///
/// # Panics
/// When they differ, naming the first line that does, or when the file cannot be read or written.
pub fn check(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, actual).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
    if expected == actual {
        return;
    }
    let (mut left, mut right) = (expected.lines(), actual.lines());
    for line in 1.. {
        let (expected, actual) = (left.next(), right.next());
        assert!(
            expected == actual && expected.is_some(),
            "{}, line {line}\n  expected: {}\n  actual:   {}\nUPDATE_GOLDEN=1 writes it anew, for you to look at",
            path.display(),
            expected.unwrap_or("(end)"),
            actual.unwrap_or("(end)"),
        );
    }
}

//! How wide a line and how long a file may be.

use crate::source::{Finding, Source};

/// A line of a source or of a text is at most this many characters.
const COLUMNS: usize = 120;
/// A source of more lines is asking to be two.
const LINES: usize = 600;
/// A source of more lines is listed, so that it is seen before it reaches the limit.
pub const LARGE_FILE: usize = 300;

const WIDTH_EXTENSIONS: &[&str] = &["rs", "ts", "tsx", "css", "html", "md", "toml", "yaml"];
const SIZE_EXTENSIONS: &[&str] = &["rs", "ts", "tsx", "css"];

pub fn long_lines(source: &Source) -> Vec<Finding> {
    let is_script = source.path.starts_with("scripts/") || source.path.starts_with(".ci/");
    if !source.has_extension(WIDTH_EXTENSIONS) && !is_script {
        return Vec::new();
    }
    let is_text = source.has_extension(&["md"]);
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        // The row of a table and an address cannot be broken.
        let unbreakable = is_text && line.starts_with('|') || line.split(' ').next_back().is_some_and(is_address);
        if columns > COLUMNS && !unbreakable {
            findings.push(source.finding(index + 1, format!("{columns} columns, and {COLUMNS} is the limit")));
        }
    }
    findings
}

pub fn long_file(source: &Source) -> Vec<Finding> {
    let lines = line_count(source);
    if lines <= LINES {
        return Vec::new();
    }
    vec![source.finding(lines, format!("{lines} lines, and {LINES} is the limit: it is asking to be two"))]
}

/// The lines of a source file; 0 for files whose length has no limit.
pub fn line_count(source: &Source) -> usize {
    if source.has_extension(SIZE_EXTENSIONS) { source.text.lines().count() } else { 0 }
}

fn is_address(word: &str) -> bool {
    word.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    #[test]
    fn lines_are_at_most_so_wide() {
        let (fits, wide) = ("é".repeat(120), "é".repeat(121));
        check(long_lines, "a.rs", &format!("{fits}\n{wide}\n"), &[2]);
        check(long_lines, "scripts/run", &wide, &[1]);
        check(long_lines, "a.tsx", &wide, &[1]);
        check(long_lines, "a.md", &format!("| {wide} |\n{wide}\n"), &[2]);
        check(long_lines, "a.md", &format!("see https://{wide}"), &[]);
        check(long_lines, "package-lock.json", &wide, &[]);
    }

    #[test]
    fn sources_are_at_most_so_long() {
        check(long_file, "a.rs", &"\n".repeat(600), &[]);
        check(long_file, "a.rs", &"\n".repeat(601), &[601]);
        check(long_file, "a.ts", &"\n".repeat(601), &[601]);
        check(long_file, "a.md", &"\n".repeat(601), &[]);
    }
}

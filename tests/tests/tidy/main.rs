//! The style that a machine can check: widths, sizes, ranks, bans. The reasons are in `docs/architecture.md` and
//! `CONTRIBUTING.md`; a finding names the file, the line and what to write instead.
//!
//! The rules read the sources as text. Every rule is itself tested on a snippet that breaks it and one that does not.

mod bans;
mod ranks;
mod source;
mod widths;

use source::{Finding, Source};
use std::path::Path;

#[test]
fn the_sources_keep_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = source::read_tree(&root);
    assert!(sources.iter().any(|source| source.path == "engine/src/lib.rs"), "the tree was not found at {root:?}");
    let order = ranks::order(&text(&sources, "docs/architecture.md"));
    let mut findings = ranks::unlisted_modules(&text(&sources, "engine/src/lib.rs"), &order);
    for source in &sources {
        findings.extend(widths::long_lines(source));
        findings.extend(widths::long_file(source));
        findings.extend(bans::banned(source));
        findings.extend(ranks::upward_uses(source, &order));
    }
    print_large(&sources);
    let report: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), report.join("\n"));
}

fn text(sources: &[Source], path: &str) -> String {
    let source = sources.iter().find(|source| source.path == path);
    source.unwrap_or_else(|| panic!("{path} is missing")).text.clone()
}

/// Files on their way to the limit, shown with `cargo test -p vitrine-tests --test tidy -- --nocapture`.
fn print_large(sources: &[Source]) {
    let mut large: Vec<_> = sources.iter().map(|source| (widths::line_count(source), &source.path)).collect();
    large.retain(|(lines, _)| *lines > widths::LARGE_FILE);
    large.sort_by(|a, b| b.cmp(a));
    for (lines, path) in large {
        println!("{lines:5} lines  {path}");
    }
}

/// The lines at which a rule finds something in a file of that path and text.
fn check(rule: impl Fn(&Source) -> Vec<Finding>, path: &str, text: &str, expected: &[usize]) {
    let findings = rule(&Source::new(path, text));
    let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, expected, "{path}:\n{text}\n{findings:?}");
}

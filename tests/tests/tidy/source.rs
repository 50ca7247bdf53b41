//! The tree as text: which files there are, which part of a Rust file is code, which part of the code is a test.

use std::fmt;
use std::fs;
use std::path::Path;

/// One file of the repository.
pub struct Source {
    /// From the root of the repository, with slashes.
    pub path: String,
    pub text: String,
    /// Of a Rust file: the text with comments, literals and tests made blank, line for line. Of another file: the text.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let code = match path.ends_with(".rs") {
            true if is_test_file(path) => blank(text),
            true => without_tests(&without_comments_and_literals(text)),
            false => text.to_string(),
        };
        Source { path: path.to_string(), text: text.to_string(), code }
    }

    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    pub fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

/// What a rule has to say about one line, counted from 1.
#[derive(Debug)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Every text file below `root` that `.gitignore` does not name, in the order of their paths.
pub fn read_tree(root: &Path) -> Vec<Source> {
    let ignore = fs::read_to_string(root.join(".gitignore")).expect("the repository has a .gitignore");
    let ignored: Vec<&str> = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut sources = Vec::new();
    read_folder(root, "", &ignored, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn read_folder(root: &Path, folder: &str, ignored: &[&str], sources: &mut Vec<Source>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the repository can be listed") {
        let entry = entry.expect("a folder of the repository can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if name == ".git" || is_ignored(&path, &name, ignored) {
            continue;
        }
        let kind = entry.file_type().expect("an entry of the repository has a type");
        if kind.is_dir() {
            read_folder(root, &path, ignored, sources);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            sources.push(Source::new(&path, &text));
        }
    }
}

/// The two forms that this repository's `.gitignore` uses: `/path/from/root` and `name`.
fn is_ignored(path: &str, name: &str, ignored: &[&str]) -> bool {
    ignored.iter().any(|rule| match rule.strip_prefix('/') {
        Some(from_root) => path == from_root.trim_end_matches('/'),
        None => name == rule.trim_end_matches('/'),
    })
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// Blanks from `#[cfg(test)]` to the end of the item it stands before. Takes text whose literals are blank already, so
/// that every brace it meets is code.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_end(item);
        out.push_str(&blank(&item[..end]));
        rest = &item[end..];
    }
    out.push_str(rest);
    out
}

/// The length of an item: to its closing brace, or to its semicolon when that comes before any brace.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Blanks comments, strings and character literals of Rust, and keeps every line where it was.
fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let in_word = previous.is_alphanumeric() || previous == '_';
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment_length(rest),
            '"' => quoted_length(rest),
            'b' if !in_word && rest.starts_with("b\"") => 1 + quoted_length(&rest[1..]),
            'r' | 'b' if !in_word => raw_string_length(rest),
            '\'' => char_length(rest),
            _ => 0,
        };
        if length > 0 {
            out.push_str(&blank(&rest[..length]));
            previous = ' ';
            rest = &rest[length..];
        } else {
            out.push(c);
            previous = c;
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Block comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`; 0 when it is none of them, a name or a raw identifier perhaps.
fn raw_string_length(text: &str) -> usize {
    let prefix = if text.starts_with("br") { 2 } else { 1 };
    if !text.starts_with("br") && !text.starts_with('r') {
        return 0;
    }
    let hashes = text[prefix..].chars().take_while(|&c| c == '#').count();
    if !text[prefix + hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = prefix + hashes + 1;
    text[body..].find(&close).map_or(text.len(), |at| body + at + close.len())
}

/// `'a'`, `'\n'`, `'\u{1F980}'`; 0 for a lifetime.
fn char_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[2..].char_indices().skip(1).find(|&(_, c)| c == '\'').map_or(0, |(at, _)| at + 3),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let source = Source::new("engine/src/x.rs", text);
        assert_eq!(source.code.lines().map(str::trim_end).collect::<Vec<_>>(), expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn only_code_outside_tests_is_left() {
        check("let a = 1; // b\nlet c;", "let a = 1;\nlet c;");
        check("/* a /* b */ c */ d", "                  d");
        check(r#"f("a\"b", b"c", 'd', '\'', '\n');"#, "f(      ,     ,    ,     ,     );");
        check("f(r#\"a\"b\"#, br\"c\");", "f(        ,      );");
        check("fn f<'a>(r: &'a str) {}", "fn f<'a>(r: &'a str) {}");
        check("a();\n#[cfg(test)]\nmod tests {\n  fn f() { b(\"}\") }\n}\nc();", "a();\n\n\n\n\nc();");
        check("#[cfg(test)]\nuse a::b;\nuse c;", "\n\nuse c;");
    }

    #[test]
    fn ignored_paths_are_those_of_the_two_forms() {
        let ignored = ["/target", "/www/dist", "test-results"];
        let is = |path: &str| is_ignored(path, path.rsplit('/').next().unwrap(), &ignored);
        assert!(is("target") && is("www/dist") && is("www/test-results"));
        assert!(!is("www/target") && !is("dist") && !is("results"));
    }
}

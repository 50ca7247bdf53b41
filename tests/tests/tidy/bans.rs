//! What may not be written, where, and what to write instead.

use crate::source::{Finding, Source};

/// A text that is banned in some files.
struct Ban {
    /// What is looked for. It is written in two halves where this file would otherwise break its own rule.
    text: &'static str,
    look_in: Part,
    files: Files,
    /// Paths that begin so are let through.
    except: &'static [&'static str],
    instead: &'static str,
}

/// The part of a file that is searched.
enum Part {
    /// Rust outside comments, literals and tests.
    Code,
    /// All of it.
    Text,
}

/// The files that are searched.
enum Files {
    /// Those whose path begins so and which are Rust.
    Rust(&'static str),
    /// TypeScript.
    Scripts,
    /// What a shell runs.
    Shell,
    All,
}

const CLOCK: &str = "take `now` as a parameter: only native/src/clock.rs reads the clock";
const SEEDED: &str = "pass a seeded generator in: a run is repeated from its seed";
const NO_STD: &str = "the engine is no_std: use core or alloc, and let the caller do I/O";
const NO_ORDER: &str = "its order differs between runs: use BTreeMap, or an index of the engine's own";
const DEFERRED: &str = "finish it, or open an issue: a note in the code is read by nobody";
const SILENCED: &str = "delete what is not used";
const SKIPPED: &str = "a test runs, or it is deleted";
const LOCAL: &str = "it exists on one machine only";
const TYPED: &str = "return a typed error, or use `expect` with the reason why it cannot fail";
const A_PROGRAM: &str = "use `have NAME` or `type -P NAME`: this finds a function of that name as well";
const ONE_SERVER: &str = "native/src/http is the one user of hyper's server";

const BANS: &[Ban] = &[
    code("Instant::now", "", &["native/src/clock.rs", "native/src/load/stopwatch.rs", "engine/examples/"], CLOCK),
    code("SystemTime", "", &["native/src/clock.rs"], CLOCK),
    code("thread_rng", "", &[], SEEDED),
    code("rand::rng", "", &[], SEEDED),
    code("rand::random", "", &[], SEEDED),
    code(".unwrap()", "", &[], TYPED),
    code("todo!", "", &[], DEFERRED),
    code("unimplemented!", "", &[], DEFERRED),
    code("dbg!", "", &[], "use tracing"),
    code(concat!("allow(dead", "_code)"), "", &[], SILENCED),
    code(concat!("allow(un", "used"), "", &[], SILENCED),
    code("std::", "engine/src/", &[], NO_STD),
    code("println!", "engine/src/", &[], NO_STD),
    code("HashMap", "engine/src/", &[], NO_ORDER),
    code("HashSet", "engine/src/", &[], NO_ORDER),
    code("HashTable", "engine/src/", &["engine/src/store"], NO_ORDER),
    code("hyper::server", "", &["native/src/http"], ONE_SERVER),
    code("hyper_util::server", "", &["native/src/http"], ONE_SERVER),
    text(concat!("TO", "DO"), Files::Rust(""), DEFERRED),
    text(concat!("FIX", "ME"), Files::Rust(""), DEFERRED),
    text(concat!("XX", "X"), Files::Rust(""), DEFERRED),
    text(concat!("#[ign", "ore"), Files::Rust(""), SKIPPED),
    text(concat!("TO", "DO"), Files::Scripts, DEFERRED),
    text(concat!("FIX", "ME"), Files::Scripts, DEFERRED),
    text(concat!("XX", "X"), Files::Scripts, DEFERRED),
    text("test.skip(", Files::Scripts, SKIPPED),
    text("it.skip(", Files::Scripts, SKIPPED),
    text("describe.skip(", Files::Scripts, SKIPPED),
    text("test.only(", Files::Scripts, SKIPPED),
    text("it.only(", Files::Scripts, SKIPPED),
    text("describe.only(", Files::Scripts, SKIPPED),
    text(concat!("comm", "and -v"), Files::Shell, A_PROGRAM),
    text(concat!("/wo", "rk/"), Files::All, LOCAL),
    text(concat!("/tmp", "/wt"), Files::All, LOCAL),
    text(concat!("/ro", "ot/"), Files::All, LOCAL),
    text(concat!("/ho", "me/"), Files::All, LOCAL),
    text(concat!("/Us", "ers/"), Files::All, LOCAL),
    Ban { except: &[".ci/run"], ..text(concat!("../sha", "red"), Files::All, LOCAL) },
];

const fn code(text: &'static str, folder: &'static str, except: &'static [&'static str], instead: &'static str) -> Ban {
    Ban { text, look_in: Part::Code, files: Files::Rust(folder), except, instead }
}

const fn text(text: &'static str, files: Files, instead: &'static str) -> Ban {
    Ban { text, look_in: Part::Text, files, except: &[], instead }
}

pub fn banned(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in BANS.iter().filter(|ban| ban.reaches(source)) {
        let searched = match ban.look_in {
            Part::Code => &source.code,
            Part::Text => &source.text,
        };
        for (index, line) in searched.lines().enumerate() {
            if ban.stands_in(line) {
                findings.push(source.finding(index + 1, format!("`{}`: {}", ban.text, ban.instead)));
            }
        }
    }
    findings
}

impl Ban {
    fn reaches(&self, source: &Source) -> bool {
        let is_searched = match self.files {
            Files::Rust(folder) => source.has_extension(&["rs"]) && source.path.starts_with(folder),
            Files::Scripts => source.has_extension(&["ts", "tsx"]),
            Files::Shell => ["scripts/", ".ci/"].iter().any(|folder| source.path.starts_with(folder)),
            Files::All => true,
        };
        is_searched && !self.except.iter().any(|path| source.path.starts_with(path))
    }

    /// Found as a word of its own: `std::` is not in `vitrine_std::`, and a name may go on only after punctuation.
    fn stands_in(&self, line: &str) -> bool {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        line.match_indices(self.text).any(|(at, found)| {
            let before = line[..at].chars().next_back();
            let after = line[at + found.len()..].chars().next();
            let begins = !found.starts_with(is_name) || !before.is_some_and(is_name);
            let ends = !found.ends_with(is_name) || !after.is_some_and(is_name);
            begins && ends
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[usize]) {
        crate::check(banned, path, text, expected);
    }

    #[test]
    fn every_ban_finds_its_own_text() {
        for ban in BANS {
            let path = match ban.files {
                Files::Rust(folder) => format!("{folder}x.rs"),
                Files::Scripts => "www/src/x.ts".to_string(),
                Files::Shell => "scripts/x".to_string(),
                Files::All => "README.md".to_string(),
            };
            let source = Source::new(&path, &format!("let a;\n{} \n", ban.text));
            let found = banned(&source).iter().any(|finding| finding.line == 2 && finding.what.contains(ban.instead));
            assert!(found, "{}", ban.text);
        }
    }

    #[test]
    fn the_clock_is_read_in_one_file() {
        check("native/src/disk.rs", "let a = 1;\nlet now = std::time::Instant::now();\n", &[2]);
        check("native/src/clock.rs", "Instant::now()", &[]);
        check("native/src/disk.rs", "// not Instant::now\n#[cfg(test)]\nmod tests { fn f() { Instant::now() } }", &[]);
        check("native/tests/server.rs", "Instant::now()", &[]);
    }

    #[test]
    fn the_engine_names_nothing_of_std() {
        check("engine/src/view.rs", "use std::vec::Vec;\nuse my_std::x;\nuse core::x;\n", &[1]);
        check("engine/src/view.rs", "use hashbrown::HashMap;\nuse hashbrown::HashTable;\n", &[1, 2]);
        check("engine/src/store/index.rs", "use hashbrown::HashTable;\n", &[]);
        check("native/src/main.rs", "use std::vec::Vec; println!()", &[]);
    }

    #[test]
    fn errors_are_typed() {
        check("native/src/main.rs", "a.unwrap()\nb.unwrap_or(0)\nc.expect(\"a reason\")", &[1]);
        check("native/src/main.rs", "let a = \".unwrap()\";", &[]);
    }

    #[test]
    fn nothing_is_put_off_or_skipped() {
        check("native/src/main.rs", concat!("// TO", "DO: later\n#[allow(dead", "_code)]\nfn f() {}"), &[2, 1]);
        check("native/tests/a.rs", concat!("#[ign", "ore]\nfn f() {}"), &[1]);
        check("www/src/a.test.ts", "test.skip('a', f)\ntest('b', f)\nlist.skip(1)", &[1]);
        check("native/src/a.rs", "rows.iter().skip(1)", &[]);
    }

    #[test]
    fn no_file_names_a_path_of_one_machine() {
        check("README.md", concat!("see /ho", "me/me/vitrine\nand docs/"), &[1]);
        check(".ci/run", concat!("../sha", "red/traces"), &[]);
        check("native/tests/a.rs", concat!("open(\"../sha", "red/traces\")"), &[1]);
    }
}

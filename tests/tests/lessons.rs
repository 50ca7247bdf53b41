//! The lessons of the page: each is a script whose expectations hold, to the fingerprint that the page must come to.

use std::path::{Path, PathBuf};

use vitrine_engine::sim::Script;

fn lessons() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons");
    let files = std::fs::read_dir(&folder).expect("the folder of lessons").map(|file| file.expect("a file").path());
    let mut lessons: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "script")).collect();
    lessons.sort();
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a readable script");
    lessons.iter().map(|path| (path.clone(), read(path))).collect()
}

/// With `UPDATE_GOLDEN` set, the fingerprints are written anew.
#[test]
fn every_lesson_comes_to_what_it_expects() {
    let lessons = lessons();
    assert_eq!(lessons.len(), 10);
    for (path, text) in lessons {
        let (before, last) = text.trim_end().rsplit_once('\n').expect("it has lines");
        assert!(last.starts_with("expect fingerprint "), "{} ends with its fingerprint", path.display());
        let script = Script::parse(before).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let world = script.run().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(world.violations(), [], "{}", path.display());
        let found = format!("expect fingerprint {:016x}", world.fingerprint());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, format!("{before}\n{found}\n")).expect("a lesson that can be written");
        } else {
            assert_eq!(last, found, "{}; UPDATE_GOLDEN=1 writes it anew, for you to look at", path.display());
        }
    }
}

#[test]
fn every_lesson_says_something_before_it_does_something() {
    for (path, text) in lessons() {
        let mut said = false;
        for (line, number) in text.lines().zip(1..) {
            match line.split_once(' ').map_or(line, |(first, _)| first) {
                "#" => said = true,
                "#>" => {}
                _ => assert!(said, "{}, line {number} has no words before it", path.display()),
            }
        }
    }
}

#[test]
fn what_is_not_as_expected_is_said() {
    let check = |line: &str, expected: &str| {
        let text = format!("cluster nodes=3 replicas=2 seed=1\nc1@n1 set user:42 ada\nsettle\nexpect {line}");
        let outcome = Script::parse(&text).and_then(|script| script.run()).map(|_| ()).map_err(|why| why.to_string());
        match (expected, outcome) {
            ("", outcome) => assert_eq!(outcome, Ok(()), "{line}"),
            (expected, Ok(())) => panic!("{line} holds, and not: {expected}"),
            (expected, Err(why)) => assert_eq!(why, format!("line 4: {expected}"), "{line}"),
        }
    };
    check("c1 stored", "");
    check("c1 stored, 2 copies", "");
    check("n3 holds user:42", "");
    check("n3 holds user:42 ada", "");
    check("n2 lacks user:42", "");
    check("n1 up", "");
    check("n1 trusts n2", "");
    check("promises kept", "");
    check("c1 store", "expected c1 store, and it is: stored, 2 copies");
    check("c1 hit ada", "expected c1 hit ada, and it is: stored, 2 copies");
    check("c2 hit ada", "expected c2 hit ada, and it is: no answer");
    check("n3 holds user:42 ad", "expected n3 holds user:42 ad, and it is: holds user:42 ada");
    check("n2 holds user:42", "expected n2 holds user:42, and it is: lacks user:42");
    check("n3 lacks user:42", "expected n3 lacks user:42, and it is: holds user:42");
    check("n1 down", "expected n1 down, and it is: up");
    check("n1 suspects n2", "expected n1 suspects n2, and it is: trusts n2");
    let outcome = Script::parse("expect n9 up").and_then(|script| script.run());
    assert!(outcome.is_err_and(|why| why.to_string().contains("there is no node \"n9\"")));
    let outcome = Script::parse("expect nothing").and_then(|script| script.run());
    assert!(outcome.is_err_and(|why| why.to_string().contains("nobody can expect \"nothing\"")));
}

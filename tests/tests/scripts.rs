//! Scripts that a person can read, beside the trace that each must give. Heartbeats are in no trace.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vitrine_engine::sim::Script;
use vitrine_tests::golden;

#[test]
fn every_script_gives_its_trace() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let files = std::fs::read_dir(&folder).expect("the folder of scripts").map(|file| file.expect("a file").path());
    let mut scripts: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "script")).collect();
    scripts.sort();
    assert!(scripts.len() >= 8, "{} scripts", scripts.len());
    for path in scripts {
        let text = std::fs::read_to_string(&path).expect("a readable script");
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let world = script.run().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(world.violations(), [], "{}", path.display());
        let mut trace = String::new();
        for event in world.trace().events() {
            writeln!(trace, "{event}").expect("writing to a string");
        }
        writeln!(trace, "fingerprint {:016x}", world.fingerprint()).expect("writing to a string");
        golden::check(&path.with_extension("trace"), &trace);
    }
}

#[test]
fn a_script_that_is_wrong_says_where_and_why() {
    let check = |text: &str, expected: &str| {
        let error = Script::parse(text).and_then(|script| script.run()).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    };
    check("cluster nodes=0", "line 1: nodes=0; accepted: a whole number from 1 to 32");
    check("# nothing\n\ncluster lives=9", "line 3: a cluster has no \"lives\"");
    check("cluster nodes=2\nn3 crash", "line 2: there is no node \"n3\"; accepted: n1 to n2");
    check(
        "run fast",
        "line 1: run takes a span of time, not \"fast\"; accepted: 0s to 86400s, such as 500us, 20ms, 5s",
    );
    check("run 25h", "line 1: run takes a span of time, not \"25h\"; accepted: 0s to 86400s");
    check("cluster skew=1", "line 1: skew takes a span of time, not \"1\"; accepted: 0s to 3600s");
    check("cluster skew=61m", "line 1: skew takes a span of time, not \"61m\"; accepted: 0s to 3600s");
    check("cluster timeout=never", "line 1: timeout takes a span of time, not \"never\"; accepted: 1ms to 60s");
    check("cluster timeout=0s", "line 1: timeout takes a span of time, not \"0s\"; accepted: 1ms to 60s");
    check("cluster timeout=61s", "line 1: timeout takes a span of time, not \"61s\"; accepted: 1ms to 60s");
    check("cluster replicas=9", "line 1: replicas=9; accepted: a whole number from 1 to 8");
    check("cluster entries=4294967296", "line 1: entries=4294967296; accepted: a whole number from 1 to 4294967295");
    check("cluster nodes", "line 1: \"nodes\" has no value; accepted: name=value");
    check("clusters nodes=2", "line 1: \"clusters\" is no client");
    check("c1 set k", "line 1: set names a key and a value");
}

//! `vitrine export` and `vitrine import` between real clusters.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Cluster, Node, eventually, run, vitrine};

/// By key: everything of an entry but its version.
type Entries = BTreeMap<String, Value>;

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("before the year 500,000,000")
}

/// Text and other bytes, with and without deadlines and media types, in more bytes than a page has.
fn entries(count: u64) -> Vec<Value> {
    let ahead = now_ms() + 3_600_000;
    let entry = |number: u64| {
        let mut entry = json!({ "key": format!("key \u{fc} {number}"), "value": "v".repeat(number as usize % 400) });
        match number % 5 {
            0 => entry["deadline_unix_ms"] = (ahead + number).into(),
            1 => entry["media"] = "text/plain".into(),
            2 => {
                entry["key"] = format!("//{number:06}").into();
                entry["key_encoding"] = "base64".into();
            }
            3 => {
                entry["value"] = "AP8=".into();
                entry["encoding"] = "base64".into();
            }
            _ => entry["value"] = "\u{1}\n\"".into(),
        }
        entry
    };
    (0..count).map(entry).collect()
}

fn write(path: &Path, entries: &[Value]) {
    let document = json!({ "format": "vitrine-cache", "version": 1, "entries": entries });
    // What is read in its order has to say first what it is.
    let text = format!("{{\"format\":\"vitrine-cache\",\"version\":1,\"entries\":{}}}", document["entries"]);
    std::fs::write(path, text).expect("written");
}

fn read(text: &[u8]) -> Entries {
    let document: Value = serde_json::from_slice(text).expect("JSON");
    let list = document["entries"].as_array().expect("a list");
    let by_key: Entries = by_key(list);
    assert_eq!(by_key.len(), list.len(), "each is there once");
    by_key
}

fn by_key(list: &[Value]) -> Entries {
    let one = |entry: &Value| {
        let mut entry = entry.clone();
        entry.as_object_mut().expect("an object").remove("version");
        (entry["key"].as_str().expect("a key").to_owned(), entry)
    };
    list.iter().map(one).collect()
}

fn url(node: &Node) -> String {
    format!("http://127.0.0.1:{}", node.port)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a text path")
}

/// The summary of one that has ended with that status.
fn summary(output: &Output, status: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    // Nothing is drawn where nobody looks.
    assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{said:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn what_one_cluster_exports_another_imports() {
    let folder = tempfile::tempdir().expect("a folder");
    let [made, out, again] = ["made.json", "out.json", "again.json"].map(|name| folder.path().join(name));
    let mut all = entries(12_000);
    write(&made, &[&all[..], &[json!({ "key": "over", "value": "x", "deadline_unix_ms": 1 })]].concat());
    let mut cluster = Cluster::start(3, &[]);
    let imported = run(&["import", text(&made), "--json", "--write", "all", "--url", &url(cluster.node(1))]);
    let said = summary(&imported, 0);
    assert_eq!((&said["stored"], &said["expired"], &said["refused"]), (&12_000.into(), &1.into(), &0.into()), "{said}");

    let exported = run(&["export", text(&out), "--json", "--url", &url(cluster.node(2))]);
    let said = summary(&exported, 0);
    assert_eq!((&said["entries"], &said["nodes"], &said["complete"]), (&12_000.into(), &3.into(), &true.into()));
    let file = std::fs::read(&out).expect("written");
    assert_eq!(said["bytes"], file.len());
    assert!(file.len() > 3 << 19, "{} bytes are not many pages", file.len());
    assert!(read(&file) == by_key(&all), "to the byte and to the millisecond");
    assert!(run(&["check", text(&out)]).status.success());
    assert!(!folder.path().join("out.json.part").exists());

    // Nothing that is as new as the file is written again, and what is newer stays.
    let changed = all[1]["key"].as_str().expect("a key").replace(' ', "%20").replace('\u{fc}', "%C3%BC");
    assert_eq!(cluster.node(0).send("PUT", &format!("/v1/entries/{changed}"), "", b"newer").status, 204);
    let said = summary(&run(&["import", text(&out), "--json", "--url", &url(cluster.node(0))]), 0);
    assert_eq!((&said["stored"], &said["kept_newer"]), (&0.into(), &12_000.into()), "{said}");

    // With a node down, the others decide about all keys.
    cluster.kill(1);
    eventually("both have noticed it", || {
        let sees = |node: usize| cluster.node(node).ask("GET", "/v1/cluster").json();
        [0, 2].map(sees).iter().all(|seen| seen["members"][1]["alive"] == false && seen["reconciling"] == false)
    });
    // It says so, and asks to be run again, where somebody's view of the others changes meanwhile.
    let mut piped = run(&["export", "-", "--url", &url(cluster.node(0))]);
    eventually("an export during which nothing changed", || {
        if piped.status.code() == Some(1) {
            piped = run(&["export", "-", "--url", &url(cluster.node(0))]);
        }
        piped.status.code() == Some(0)
    });
    all[1] = json!({ "key": all[1]["key"], "value": "newer", "media": "application/octet-stream" });
    let mut held = read(&piped.stdout);
    if let Some(entry) = held.get_mut(all[1]["key"].as_str().expect("a key")) {
        assert_eq!(entry["value"], "newer");
        entry["media"] = "application/octet-stream".into();
    }
    assert!(held == by_key(&all), "{} entries of {}", held.len(), all.len());

    // From a pipe into a cluster of another size.
    let node = Node::start(folder.path(), &["--fsync", "off"]);
    eventually("the node is ready", || node.ask("GET", "/readyz").status == 200);
    let mut importing = vitrine();
    importing.args(["import", "-", "--json", "--url", &url(&node)]);
    let mut child =
        importing.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(&file).expect("it reads");
    assert_eq!(summary(&child.wait_with_output().expect("it ends"), 0)["stored"], 12_000);
    assert!(run(&["export", text(&again), "--url", &url(&node)]).status.success());
    assert!(read(&std::fs::read(&again).expect("written")) == read(&file), "the same again");
}

#[test]
fn what_cannot_be_imported_or_exported_is_said_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path(), &["--fsync", "off", "--max-value", "100"]);
    eventually("the node is ready", || node.ask("GET", "/readyz").status == 200);
    let (file, here) = (folder.path().join("cache.json"), url(&node));
    let said = |arguments: &[&str], status: i32, expected: &str| {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    let held = || node.metric("vitrine_store_entries ");
    said(&["import", text(&file), "--url", &here], 3, "cannot be read");
    std::fs::write(
        &file,
        "{\"format\":\"vitrine-cache\",\"version\":1,\"entries\":[{\"key\":\"a\",\"value\":\"1\"},{]}",
    )
    .expect("written");
    said(&["import", text(&file), "--url", &here], 1, "nothing was");
    assert_eq!(held(), 0, "not by halves");
    write(&file, &[json!({ "key": "a", "value": "1" }), json!({ "key": "b", "value": "x".repeat(101) })]);
    said(&["import", text(&file), "--url", &here, "--write", "most"], 2, "one, live, quorum or all");
    said(&["import", text(&file), "--concurrency", "0"], 2, "concurrency");
    said(&["import", text(&file), "--url", &here], 1, "not every entry was taken: 1 too_large");
    assert_eq!((held(), node.ask("GET", "/v1/entries/a").text().as_str()), (1, "1"));
    said(&["export", text(&folder.path().join("no/such/folder.json")), "--url", &here], 1, "cannot be written");
    said(&["export"], 2, "FILE");
    for (cursor, status, code) in [("zzz", 400, "bad_parameter"), ("1-0-0", 409, "stale_cursor")] {
        let refused = node.ask("GET", &format!("/v1/export?cursor={cursor}"));
        assert_eq!((refused.status, refused.json()["code"].as_str()), (status, Some(code)));
    }
    assert_eq!(node.ask("GET", "/v1/import").status, 405);
    assert_eq!(node.ask("POST", "/v1/export").status, 405);
    assert_eq!(node.send("POST", "/v1/import", "", b"{\"format\":\"x\"}").json()["code"], "bad_snapshot");
    node.kill();
    std::fs::write(&file, "old").expect("written");
    said(&["export", text(&file), "--url", &here], 1, "cannot connect");
    assert_eq!(std::fs::read(&file).expect("there"), b"old", "the file is the old one or the new one");
}

#[test]
fn what_a_node_that_is_down_had_is_exported_from_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out.json"));
    let node = Node::start(&data, &["--fsync", "always"]);
    eventually("the node is ready", || node.ask("GET", "/readyz").status == 200);
    let put = |path: &str, value: &[u8]| assert!(node.send("PUT", path, "", value).status < 300, "{path}");
    (0..50).for_each(|number| put(&format!("/v1/entries/k{number}?ttl=1h"), b"before"));
    assert!(run(&["save", "--form", "snapshot", "--url", &url(&node)]).status.success());
    put("/v1/entries/k1", b"after");
    put("/v1/entries/%ff", b"\xfe");
    put("/v1/entries/brief?ttl=1ms", b"gone");
    assert_eq!(node.ask("DELETE", "/v1/entries/k2").status, 204);
    let export = |more: &[&str]| run(&[&["export", text(&out), "--data", text(&data)], more].concat());
    let said = |output: &Output, status: i32, expected: &str| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    said(&export(&[]), 1, "is in use by node n1");
    let deadline = node.ask("GET", "/v1/entries/k3").header("x-ttl-ms").map(str::to_owned);
    node.kill();
    assert!(deadline.is_some());
    let files = || -> BTreeMap<_, _> {
        let all = std::fs::read_dir(&data).expect("listed").map(|entry| entry.expect("an entry").path());
        all.filter(|path| !path.ends_with(".log.lock")).map(|path| (path.clone(), std::fs::read(path).ok())).collect()
    };
    let before = files();
    assert_eq!(summary(&export(&["--json"]), 0)["entries"], 50);
    assert_eq!(files(), before, "nothing was cut off or removed");
    let held = read(&std::fs::read(&out).expect("written"));
    assert_eq!((held["k1"]["value"].as_str(), held["/w=="]["value"].as_str()), (Some("after"), Some("/g==")));
    assert!(held["k1"]["deadline_unix_ms"].is_null() && held["k3"]["deadline_unix_ms"].as_u64() > Some(now_ms()));
    assert!(!held.contains_key("k2") && !held.contains_key("brief"));
    said(&export(&["--url", "http://127.0.0.1:1"]), 2, "--url");
    said(&run(&["export", "-", "--data", text(&folder.path().join("no"))]), 3, "there is no folder");
    // What is damaged is refused, as at a start.
    let log = before.keys().find(|path| path.extension().is_some_and(|end| end == "log")).expect("a segment");
    let mut bytes = std::fs::read(log).expect("read");
    bytes[60] ^= 1;
    std::fs::write(log, bytes).expect("written");
    said(&export(&[]), 1, "the log is damaged");
}

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
    assert_eq!(read(&file), by_key(&all), "to the byte and to the millisecond");
    assert!(run(&["check", text(&out)]).status.success());
    assert!(!folder.path().join("out.json.part").exists());

    // Nothing that is as new as the file is written again, and what is newer stays.
    let changed = all[1]["key"].as_str().expect("a key").replace(' ', "%20").replace('\u{fc}', "%C3%BC");
    assert_eq!(cluster.node(0).send("PUT", &format!("/v1/entries/{changed}"), "", b"newer").status, 204);
    let said = summary(&run(&["import", text(&out), "--json", "--url", &url(cluster.node(0))]), 0);
    assert_eq!((&said["stored"], &said["kept_newer"]), (&0.into(), &12_000.into()), "{said}");

    // With a node down, the others decide about all keys.
    cluster.kill(1);
    eventually("it is noticed", || {
        let members = cluster.node(0).ask("GET", "/v1/cluster").json();
        members["members"][1]["alive"] == false && members["reconciling"] == false
    });
    let piped = run(&["export", "-", "--url", &url(cluster.node(0))]);
    assert_eq!(piped.status.code(), Some(0), "{}", String::from_utf8_lossy(&piped.stderr));
    all[1] = json!({ "key": all[1]["key"], "value": "newer", "media": "application/octet-stream" });
    let mut held = read(&piped.stdout);
    if let Some(entry) = held.get_mut(all[1]["key"].as_str().expect("a key")) {
        assert_eq!(entry["value"], "newer");
        entry["media"] = "application/octet-stream".into();
    }
    assert_eq!(held, by_key(&all));

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
    assert_eq!(read(&std::fs::read(&again).expect("written")), read(&file));
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

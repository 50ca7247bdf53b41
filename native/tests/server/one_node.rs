//! One real node: both APIs, the commands, snapshots, and its end.

use std::io::Write as _;

use crate::support::{Node, answer_of, eventually, run};

fn node(arguments: &[&str]) -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path(), &[&["--workers", "1"], arguments].concat());
    (folder, node)
}

#[test]
fn the_plain_api_stores_and_finds() {
    let (_folder, node) = node(&[]);
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let json = "content-type: application/json\r\n";
    let check = |key: &str, value: &str, ttl: bool| {
        let answer = node.ask("GET", &format!("/get?key={key}"));
        let document = answer.json();
        assert_eq!((answer.status, document["status"].as_str()), (200, Some("ok")), "{document}");
        assert_eq!(
            (document["message"].as_str(), document["value"].as_str()),
            (Some("hit"), Some(value)),
            "{document}"
        );
        assert_eq!(document["ttl_ms"].is_u64(), ttl, "{document}");
    };
    assert_eq!(node.ask("POST", "/set?key=a&value=from+the%20query").status, 200);
    check("a", "from the query", false);
    assert_eq!(node.send("POST", "/set", form, b"key=b&value=a+form&ttl=60").status, 200);
    check("b", "a form", true);
    assert_eq!(node.send("POST", "/set", json, br#"{"key":"c","value":"json","ttl":60}"#).status, 200);
    check("c", "json", true);
    assert_eq!(node.send("POST", "/set?key=d", json, br#"{"value":"","ttl":"1500ms"}"#).status, 200);
    check("d", "", true);
    // Bytes that are no text come back as base64, and say so.
    assert_eq!(node.ask("POST", "/set?key=e&value=%ff%00").status, 200);
    let document = node.ask("GET", "/get?key=e").json();
    assert_eq!((document["value"].as_str(), document["encoding"].as_str()), (Some("/wA="), Some("base64")));
    assert_eq!(node.send("POST", "/set", json, br#"{"key":"f","value":"/wA=","encoding":"base64"}"#).status, 200);
    assert_eq!(node.ask("GET", "/v1/entries/f").body, b"\xff\x00");
    let root = node.ask("GET", "/").json();
    assert_eq!((root["status"].as_str(), root["node"].as_str()), (Some("ok"), Some("n1")));
}

#[test]
fn the_first_versions_get_writes_work_when_they_are_allowed() {
    let (_folder, node) = node(&["--allow-get-writes"]);
    assert_eq!(node.ask("GET", "/set?key=a&value=1").status, 200);
    assert_eq!(node.ask("GET", "/save").json()["entries"], 1);
    assert_eq!(node.ask("GET", "/load").json()["kept_newer"], 1);
    let refused = node.ask("DELETE", "/set?key=a&value=1");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, POST")));
}

#[test]
fn entries_keep_their_bytes_type_version_and_deadline() {
    let (_folder, node) = node(&[]);
    let media = "content-type: image/x-test; q=1\r\n";
    let created = node.send("PUT", "/v1/entries/a%2Fb%00%ff?ttl=60s", media, b"\x00\xff\r\n");
    assert_eq!((created.status, created.header("x-vitrine-copies")), (201, Some("1")));
    let tag = created.header("etag").expect("a tag").to_owned();
    let found = node.ask("GET", "/v1/entries/a%2Fb%00%ff");
    assert_eq!((found.status, found.body.as_slice()), (200, &b"\x00\xff\r\n"[..]));
    assert_eq!(found.header("content-type"), Some("image/x-test; q=1"));
    assert_eq!(found.header("etag"), Some(tag.as_str()));
    let ttl: u64 = found.header("x-ttl-ms").and_then(|ttl| ttl.parse().ok()).expect("a number");
    assert!((1..=60_000).contains(&ttl), "{ttl}");
    assert!(found.header("age").is_some());
    let head = node.ask("HEAD", "/v1/entries/a%2Fb%00%ff");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("4"), 0));
    assert_eq!(node.ask("DELETE", "/v1/entries/a%2Fb%00%ff").status, 204);
    assert_eq!(node.ask("DELETE", "/v1/entries/a%2Fb%00%ff").status, 404);
    assert_eq!(node.ask("GET", "/v1/entries/a%2Fb%00%ff").status, 404);
}

#[test]
fn conditions_are_decided_by_the_version() {
    let (_folder, node) = node(&[]);
    let put = |head: &str, value: &[u8]| node.send("PUT", "/v1/entries/k", head, value);
    let first = put("if-none-match: *\r\n", b"1");
    assert_eq!(first.status, 201);
    let tag = first.header("etag").expect("a tag").to_owned();
    let refused = put("if-none-match: *\r\n", b"2");
    assert_eq!((refused.status, refused.header("etag")), (412, Some(tag.as_str())));
    let second = put(&format!("if-match: {tag}\r\n"), b"2");
    assert_eq!(second.status, 204);
    assert_eq!(put(&format!("if-match: {tag}\r\n"), b"3").status, 412);
    assert_eq!(put("if-match: *\r\n", b"4").status, 204);
    let tag = node.ask("GET", "/v1/entries/k").header("etag").expect("a tag").to_owned();
    let get = |head: &str| node.send("GET", "/v1/entries/k", head, b"").status;
    assert_eq!(get(&format!("if-none-match: {tag}\r\n")), 304);
    assert_eq!(get(&format!("if-none-match: \"1-2-3\", W/{tag}\r\n")), 304);
    assert_eq!(get("if-none-match: \"1-2-3\"\r\n"), 200);
    assert_eq!(get("if-match: \"1-2-3\"\r\n"), 412);
    assert_eq!(node.send("DELETE", "/v1/entries/k", "if-match: \"1-2-3\"\r\n", b"").status, 412);
    assert_eq!(node.send("DELETE", "/v1/entries/k", &format!("if-match: {tag}\r\n"), b"").status, 204);
}

#[test]
fn levels_count_the_copies_that_are_configured_and_not_the_nodes_at_hand() {
    let (_folder, node) = node(&["--replicas", "3"]);
    let put = |level: &str| node.send("PUT", &format!("/v1/entries/k?write={level}"), "", b"v");
    assert_eq!(put("live").status, 201);
    assert_eq!(put("one").status, 204);
    for (level, needed) in [("quorum", 2), ("all", 3)] {
        let refused = put(level);
        assert_eq!(refused.status, 503, "{level}");
        let said = format!("the level needs {needed} copies and 1 replicas are alive; nothing was stored");
        assert!(refused.text().contains(&said), "{}", refused.text());
    }
}

#[test]
fn numbers_are_counted_and_deadlines_moved() {
    let (_folder, node) = node(&["--replicas", "1"]);
    let count = |query: &str, status: u16, expected: &str| {
        let answer = node.ask("POST", &format!("/v1/entries/c{query}"));
        assert_eq!((answer.status, answer.text().as_str()), (status, expected), "{query}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.header("x-vitrine-copies"), Some("1"));
        answer.header("etag").expect("a version").to_owned()
    };
    let first = count("/incr", 201, "1");
    let second = count("/incr?by=-11&write=all", 200, "-10");
    assert_ne!(first, second);
    let found = node.ask("GET", "/v1/entries/c");
    assert_eq!((found.body.as_slice(), found.header("etag")), (&b"-10"[..], Some(second.as_str())));
    assert_eq!(found.header("x-ttl-ms"), None);
    // What is there keeps its type and its deadline.
    assert_eq!(node.send("PUT", "/v1/entries/c?ttl=1h", "content-type: text/x\r\n", b"41").status, 204);
    let third = count("/incr", 200, "42");
    let found = node.ask("GET", "/v1/entries/c");
    assert_eq!((found.header("content-type"), found.header("etag")), (Some("text/x"), Some(third.as_str())));
    let ttl = |answer: &crate::support::Answer| answer.header("x-ttl-ms").map(|ttl| ttl.parse().expect("a number"));
    assert!(ttl(&found).is_some_and(|ttl: u64| ttl <= 3_600_000));
    let touched = node.ask("POST", "/v1/entries/c/touch?ttl=2h");
    assert_eq!((touched.status, touched.body.len()), (200, 0));
    let found = node.ask("GET", "/v1/entries/c");
    for answer in [&touched, &found] {
        assert!(ttl(answer).is_some_and(|ttl| (3_600_001..=7_200_000).contains(&ttl)));
    }
    assert_eq!((found.body.as_slice(), found.header("etag")), (&b"42"[..], touched.header("etag")));
    assert_eq!(found.header("content-type"), Some("text/x"));
    let touched = node.ask("POST", "/v1/entries/c/touch?ttl=none");
    assert_eq!((touched.status, ttl(&touched), ttl(&node.ask("GET", "/v1/entries/c"))), (200, None, None));
    assert_eq!(node.ask("POST", "/v1/entries/c/touch?ttl=1ms").status, 200);
    eventually("it expires", || node.ask("GET", "/v1/entries/c").status == 404);
    count("/incr?by=9223372036854775807", 201, "9223372036854775807");
    let refused = node.ask("POST", "/v1/entries/c/incr");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("overflow")), "{}", refused.text());
    // A key may hold anything, a slash too, and the paths of entries are as they were.
    assert_eq!(node.ask("POST", "/v1/entries/a%2Fincr/incr").text(), "1");
    assert_eq!(node.ask("GET", "/v1/entries/a%2Fincr").text(), "1");
    assert_eq!(node.ask("POST", "/v1/entries/a/b/incr").status, 404);
    let counted = |command: &str, outcome: &str| {
        node.metric(&format!("vitrine_http_requests_total{{command=\"{command}\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((counted("incr", "ok"), counted("incr", "refused"), counted("touch", "ok")), (5, 1, 3));
}

#[test]
fn a_ttl_ends_an_entry_and_the_store_forgets_it_by_itself() {
    let (_folder, node) = node(&[]);
    assert_eq!(node.send("PUT", "/v1/entries/short?ttl=50ms", "", b"x").status, 201);
    assert_eq!(node.send("PUT", "/v1/entries/unread?ttl=50ms", "", b"x").status, 201);
    assert_eq!(node.send("PUT", "/v1/entries/long", "", b"x").status, 201);
    eventually("the entry expires", || node.ask("GET", "/v1/entries/short").status == 404);
    eventually("the one that nobody asks for is freed", || node.metric("vitrine_store_entries") == 1);
    assert_eq!(node.ask("GET", "/v1/entries/long").status, 200);
}

#[test]
fn a_capacity_is_one_exact_lru() {
    let (_folder, node) = node(&["--capacity", "100"]);
    for n in 0..100 {
        assert_eq!(node.ask("POST", &format!("/set?key=k{n}&value=v")).status, 200);
    }
    assert_eq!(node.ask("GET", "/v1/entries/k0").status, 200);
    assert_eq!(node.ask("POST", "/set?key=more&value=v").status, 200);
    // k1 was the least recently used, and nothing else went.
    assert_eq!(node.ask("GET", "/v1/entries/k1").status, 404);
    for n in (0..100).filter(|n| *n != 1) {
        assert_eq!(node.ask("GET", &format!("/v1/entries/k{n}")).status, 200, "k{n}");
    }
}

#[test]
fn what_is_saved_is_loaded_by_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Node::start(folder.path(), &["--fsync", "off"]);
    assert_eq!(first.send("PUT", "/v1/entries/text", "content-type: text/x\r\n", b"hello").status, 201);
    assert_eq!(first.send("PUT", "/v1/entries/%ff%fe?ttl=1h", "", b"\x00\x01\xff").status, 201);
    assert_eq!(first.send("PUT", "/v1/entries/short?ttl=100ms", "", b"x").status, 201);
    assert_eq!(first.ask("POST", "/save").json()["entries"], 3);
    assert_eq!(first.ask("POST", "/save?file=other.json").status, 200);
    first.kill();

    let second = Node::start(folder.path(), &["--fsync", "off"]);
    assert_eq!(second.ask("GET", "/v1/entries/text").status, 404);
    assert_eq!(second.send("PUT", "/v1/entries/text", "", b"newer").status, 201);
    // The short one is waited out, so that it is the load that leaves it out.
    eventually("the short one is past", || {
        let saved = std::fs::read_to_string(folder.path().join("cache.json")).expect("saved");
        let document: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
        let mut deadlines = document["entries"].as_array().expect("a list").iter();
        let short = deadlines.find(|entry| entry["key"] == "short").expect("it was saved");
        let now: u64 = std::process::Command::new("date")
            .arg("+%s%3N")
            .output()
            .ok()
            .map_or(0, |output| String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number"));
        short["deadline_unix_ms"].as_u64().expect("a number") < now
    });
    let loaded = second.ask("POST", "/load").json();
    assert_eq!((&loaded["entries"], &loaded["expired"], &loaded["kept_newer"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(second.ask("GET", "/v1/entries/text").body, b"newer");
    let binary = second.ask("GET", "/v1/entries/%ff%fe");
    assert_eq!((binary.body.as_slice(), binary.header("x-ttl-ms").is_some()), (&b"\x00\x01\xff"[..], true));
    assert_eq!(second.ask("POST", "/load?file=other.json").status, 200);
    // No half-written file is left.
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|f| f.file_name()).collect();
    files.sort();
    assert_eq!(files, [".n1.version-floor", "cache.json", "other.json"]);
}

#[test]
fn a_stopping_node_finishes_what_runs_and_exits_0() {
    let (_folder, node) = node(&[]);
    let mut running = node.connect();
    let head = "PUT /v1/entries/k HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\n\r\n";
    running.write_all(head.as_bytes()).expect("written");
    running.write_all(b"ha").expect("written");
    eventually("the request is taken", || node.metric("vitrine_connections_open") == 2);
    let mut idle = node.connect();
    node.terminate();
    eventually("nobody is let in any more", || {
        std::net::TcpStream::connect(("127.0.0.1", node.port)).is_err() || {
            let mut nothing = [0; 1];
            matches!(std::io::Read::read(&mut idle, &mut nothing), Ok(0) | Err(_))
        }
    });
    running.write_all(b"lf").expect("written");
    assert_eq!(answer_of(&mut running).status, 201);
    assert_eq!(node.ended().code(), Some(0));
}

#[test]
fn the_commands_say_by_their_status_how_it_went() {
    let (_folder, node) = node(&["--replicas", "1"]);
    let url = format!("http://127.0.0.1:{}", node.port);
    let check = |arguments: &[&str], status: i32, printed: &[u8]| {
        let output = run(&[arguments, &["--url", &url]].concat());
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, printed, "{arguments:?}");
    };
    check(&["health"], 0, b"ok\n");
    check(&["get", "greeting"], 3, b"");
    check(&["set", "greeting", "hello world", "--ttl", "60s"], 0, b"");
    check(&["get", "greeting"], 0, b"hello world");
    check(&["set", "a/b c?", "odd", "--write", "one"], 0, b"");
    check(&["get", "a/b c?", "--read", "one"], 0, b"odd");
    check(&["del", "greeting"], 0, b"");
    check(&["del", "greeting"], 3, b"");
    check(&["incr", "visits"], 0, b"1\n");
    check(&["incr", "visits", "--by", "-5", "--write", "all"], 0, b"-4\n");
    check(&["get", "visits"], 0, b"-4");
    check(&["touch", "visits", "--ttl", "1h"], 0, b"");
    check(&["touch", "visits", "--ttl", "none", "--write", "one"], 0, b"");
    check(&["touch", "none", "--ttl", "1h"], 3, b"");
    check(&["touch", "visits", "--ttl", "-1"], 2, b"");
    check(&["incr", "visits", "--by", "much"], 2, b"");
    check(&["incr", "a/b c?"], 1, b"");
    check(&["set", "k", "v", "--ttl", "-1"], 2, b"");
    check(&["set", "k", "v", "--write", "most"], 2, b"");
}

#[test]
fn operators_can_look_inside() {
    let (_folder, node) = node(&[]);
    assert_eq!(
        node.send("PUT", "/v1/entries/k", "x-request-id: my-own.1\r\n", b"v").header("x-request-id"),
        Some("my-own.1")
    );
    assert_ne!(
        node.send("GET", "/v1/entries/k", "x-request-id: no spaces\r\n", b"").header("x-request-id"),
        Some("no spaces")
    );
    assert_eq!(node.ask("GET", "/healthz").text(), "ok\n");
    eventually("the node is ready", || node.ask("GET", "/readyz").status == 200);
    let explained = node.ask("GET", "/v1/explain/k").json();
    assert_eq!((&explained["slot"], &explained["primary"]), (&7629.into(), &"n1".into()), "{explained}");
    assert_eq!(explained["replicas"][0]["eviction_rank"], 0);
    let cluster = node.ask("GET", "/v1/cluster").json();
    assert_eq!((&cluster["members"][0]["primary_slots"], &cluster["here"]["entries"]), (&16_384.into(), &1.into()));
    assert!(node.metric("vitrine_http_requests_total{command=\"put\",outcome=\"ok\"}") == 1);
    assert_eq!(node.metric("vitrine_store_hits_total"), 1);
    let page = node.ask("GET", "/ui/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(node.ask("GET", "/ui").header("location"), Some("ui/"));
    assert_eq!(node.ask("GET", "/ui/none.js").status, 404);
    assert_eq!(node.ask("GET", "/ui/../Cargo.toml").status, 404);
}

//! Whatever a client sends, it gets the right status and a sentence, the node stays up, and nothing stored is lost.

use crate::support::{Node, run, vitrine};

/// What every bad request is sent beside: an entry that must still be there afterwards.
fn node(arguments: &[&str]) -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path(), &[&["--workers", "1"], arguments].concat());
    assert_eq!(node.send("PUT", "/v1/entries/kept", "", b"safe").status, 201);
    (folder, node)
}

fn still_there(node: &Node) {
    let answer = node.ask("GET", "/v1/entries/kept");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"safe"[..]));
}

#[test]
fn bad_requests_get_a_status_a_code_and_a_sentence() {
    let (_folder, node) = node(&["--max-value", "1000"]);
    let check = |method: &str, path: &str, head: &str, body: &[u8], status: u16, code: &str, says: &str| {
        let answer = node.send(method, path, head, body);
        let document = answer.json();
        assert_eq!((answer.status, document["code"].as_str()), (status, Some(code)), "{method} {path}: {document}");
        let sentence = document["detail"].as_str().or(document["message"].as_str()).expect("a sentence");
        assert!(sentence.contains(says), "{method} {path}: {sentence}");
        assert!(answer.header("x-request-id").is_some(), "{method} {path}");
    };
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let json = "content-type: application/json\r\n";
    let ttl = "it takes a whole number of seconds, or a whole number with a unit";

    check("GET", "/get", "", b"", 400, "missing_key", "`key` is missing");
    check("GET", "/get?key=", "", b"", 400, "bad_key", "the key is empty");
    check("GET", "/get?key=none", "", b"", 404, "not_found", "no entry of this key");
    check("GET", "/get?kee=a", "", b"", 400, "bad_parameter", "unknown parameter `kee`");
    check("GET", "/get?key=%zz", "", b"", 400, "bad_encoding", "broken percent-encoding: `%zz`");
    check("POST", "/set", "", b"", 400, "missing_key", "`key` is missing");
    check("POST", "/set?key=a", "", b"", 400, "missing_value", "`value` is missing");
    check("POST", "/set", form, b"key=&value=1", 400, "bad_key", "the key is empty");
    check("POST", "/set?key=a", form, b"key=b&value=1", 400, "bad_parameter", "given twice");
    check("POST", "/set", json, b"{\"key\":", 400, "bad_json", "EOF while parsing");
    check("POST", "/set", json, b"{\"key\":[1],\"value\":2}", 400, "bad_json", "`key` is neither");
    check("POST", "/set", json, "[".repeat(10_000).as_bytes(), 400, "bad_json", "expected a map");
    let deep = format!("{{\"key\":{}", "[".repeat(10_000));
    check("POST", "/set", json, deep.as_bytes(), 400, "bad_json", "recursion limit exceeded");
    check("POST", "/set", json, &[b' '; 200_000], 413, "too_large", "longer than");
    check("POST", "/set", "content-type: text/plain\r\n", b"x", 415, "unsupported_media_type", "application/json");
    let long = format!("{{\"key\":\"{}\",\"value\":\"\"}}", "k".repeat(65_536));
    check("POST", "/set", json, long.as_bytes(), 400, "bad_key", "the key has 65536 bytes");
    let long = format!("/set?key=a&value={}", "v".repeat(1_001));
    check("POST", &long, "", b"", 413, "too_large", "the limit is 1000");
    for bad in ["0", "-1", "1e99", "abc", "", "1.5", "99999999999999999999", "36501d"] {
        check("POST", &format!("/set?key=kept&value=1&ttl={bad}"), "", b"", 400, "bad_ttl", ttl);
        check("PUT", &format!("/v1/entries/kept?ttl={bad}"), "", b"x", 400, "bad_ttl", ttl);
    }
    check("GET", "/set?key=kept&value=1", "", b"", 405, "method_not_allowed", "--allow-get-writes");
    check("GET", "/save", "", b"", 405, "method_not_allowed", "--allow-get-writes");
    check("DELETE", "/get?key=kept", "", b"", 405, "method_not_allowed", "takes GET");
    check("POST", "/v1/entries/kept", "", b"x", 405, "method_not_allowed", "GET, HEAD, PUT, DELETE");
    check("GET", "/v1/entries/kept/incr", "", b"", 405, "method_not_allowed", "takes POST");
    check("PUT", "/v1/entries/kept/touch?ttl=1", "", b"x", 405, "method_not_allowed", "takes POST");
    check("POST", "/v1/entries/kept/incr", "", b"", 409, "not_a_number", "not a whole number");
    check("POST", "/v1/entries/kept/incr", "", b"by=5", 400, "bad_body", "from the query");
    check("POST", "/v1/entries/kept/incr", "if-match: *\r\n", b"", 400, "bad_condition", "takes no conditions");
    check("POST", "/v1/entries//incr", "", b"", 404, "no_such_path", "there is no such path");
    check("POST", "/v1/entries/%f/incr", "", b"", 400, "bad_encoding", "broken percent-encoding: `%f`");
    for bad in ["", "one", "1.5", "1e3", "0x10", "9223372036854775808", "-9223372036854775809", "99999999999999999999"]
    {
        check("POST", &format!("/v1/entries/none/incr?by={bad}"), "", b"", 400, "bad_parameter", "`by` is");
    }
    check("POST", "/v1/entries/none/incr?ttl=5", "", b"", 400, "bad_parameter", "takes by, write, timeout");
    check("POST", "/v1/entries/none/incr?write=some", "", b"", 400, "bad_parameter", "one, live, quorum or all");
    check("POST", "/v1/entries/none/touch?ttl=5", "", b"", 404, "not_found", "no entry of this key");
    check("POST", "/v1/entries/kept/touch", "", b"", 400, "missing_ttl", "`ttl` is missing");
    for bad in ["0", "-1", "1e99", "abc", "", "None", "36501d"] {
        check("POST", &format!("/v1/entries/kept/touch?ttl={bad}"), "", b"", 400, "bad_ttl", "or `none`, for ever");
    }
    check("DELETE", "/v1/cluster", "", b"", 405, "method_not_allowed", "takes GET");
    check("GET", "/nothing/here", "", b"", 404, "no_such_path", "there is no path `/nothing/here`");
    check("GET", "/v1/entries/a/b", "", b"", 404, "no_such_path", "%2F");
    check("GET", "/v1/entries/", "", b"", 400, "bad_key", "the key is empty");
    check("GET", "/v1/entries/%f", "", b"", 400, "bad_encoding", "broken percent-encoding: `%f`");
    check("GET", "/v1/entries/kept?read=all", "", b"", 400, "bad_parameter", "primary, one or quorum");
    check("GET", "/v1/entries/kept?timeout=61s", "", b"", 400, "bad_timeout", "1ms to 60s");
    check("GET", "/v1/entries/none", "", b"", 404, "not_found", "no entry of this key");
    check("PUT", "/v1/entries/kept?write=some", "", b"x", 400, "bad_parameter", "one, live, quorum or all");
    check("PUT", "/v1/entries/kept?tll=5", "", b"x", 400, "bad_parameter", "unknown parameter `tll`");
    check("PUT", "/v1/entries/kept", "", &[b'v'; 1_001], 413, "too_large", "longer than 1000 bytes");
    check("PUT", "/v1/entries/kept", "if-none-match: *\r\n", b"x", 412, "precondition_failed", "nothing was stored");
    check("PUT", "/v1/entries/none", "if-match: *\r\n", b"x", 412, "precondition_failed", "there is no entry");
    check("PUT", "/v1/entries/kept", "if-match: \"other\"\r\n", b"x", 412, "precondition_failed", "is there");
    check("PUT", "/v1/entries/kept", "if-match: nonsense\r\n", b"x", 400, "bad_condition", "If-Match takes");
    for bad in ["../x", "a/b", "..", ".hidden", "", "/etc/passwd"] {
        check("POST", &format!("/save?file={bad}"), "", b"", 400, "bad_file", "a bare file name");
        check("POST", &format!("/load?file={bad}"), "", b"", 400, "bad_file", "a bare file name");
    }
    check("POST", "/load?file=none.json", "", b"", 404, "no_such_file", "none.json");
    assert_eq!(node.ask("GET", "/set?key=kept&value=1").header("allow"), Some("POST"));
    still_there(&node);
}

#[test]
fn a_body_that_grows_past_the_limit_is_cut_off() {
    let (_folder, node) = node(&["--max-value", "1000"]);
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000));
    let head = "PUT /v1/entries/kept HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = node.raw([head, &chunk, &chunk, &chunk, "0\r\n\r\n"].concat().as_bytes());
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("too_large")));
    // A length that is declared and too long is refused before a byte of it arrives.
    let answer = node.raw(b"PUT /v1/entries/kept HTTP/1.1\r\nhost: t\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    still_there(&node);
}

#[test]
fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let (_folder, node) = node(&[]);
    for junk in [&b"\x16\x03\x01\x02\x00\x01"[..], b"GET\r\n\r\n", b"* * *\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let answer = node.raw(&[junk, &b"\r\n\r\n"[..]].concat());
        assert_eq!(answer.status, 400, "{junk:?}");
    }
    still_there(&node);
}

#[test]
fn slow_clients_time_out() {
    use std::io::Write as _;
    let (_folder, node) = node(&["--header-timeout", "200ms", "--body-timeout", "200ms"]);
    let mut body = node.connect();
    body.write_all(b"PUT /v1/entries/kept HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhalf").expect("written");
    let answer = crate::support::answer_of(&mut body);
    assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("slow_body")));
    let mut head = node.connect();
    head.write_all(b"GET /v1/entr").expect("written");
    // The server closes; a client that never ends its head would otherwise hold a connection for ever.
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut head, &mut rest);
    still_there(&node);
}

#[test]
fn a_broken_snapshot_loads_nothing() {
    let (folder, node) = node(&[]);
    let good = r#"{"key":"new","value":"1"}"#;
    let whole = format!(r#"{{"format":"vitrine-cache","version":1,"entries":[{good}]}}"#);
    let hostile = [
        whole[..whole.len() - 2].to_owned(),
        whole.replace("]}", ",{\"key\":\"\",\"value\":\"2\"}]}"),
        whole.replace("]}", ",{\"key\":\"x\"}]}"),
        whole.replace(":1,", ":2,"),
        format!("{whole}trailing"),
        String::new(),
        "{".repeat(100_000),
        format!("{{\"a\":{}", "[".repeat(100_000)),
        format!("{}\0", &whole[..40]),
    ];
    for content in hostile {
        std::fs::write(folder.path().join("bad.json"), &content).expect("written");
        let answer = node.ask("POST", "/load?file=bad.json");
        let document = answer.json();
        assert_eq!((answer.status, document["code"].as_str()), (400, Some("bad_snapshot")), "{document}");
        let message = document["message"].as_str().expect("a sentence");
        assert!(message.contains(" at line 1 column ") && message.ends_with("; nothing was loaded"), "{message}");
        assert_eq!(node.ask("GET", "/v1/entries/new").status, 404);
    }
    std::fs::write(folder.path().join("bad.json"), &whole).expect("written");
    assert_eq!(node.ask("POST", "/load?file=bad.json").json()["entries"], 1);
    assert_eq!(node.ask("GET", "/v1/entries/new").status, 200);
    still_there(&node);
}

#[test]
fn bad_settings_are_usage_errors_that_name_them() {
    let check = |arguments: &[&str], status: i32, says: &str| {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    };
    check(&["serve", "--port", "99999"], 2, "the setting `port` (from a flag) is `99999`");
    check(&["serve", "--memory", "lots"], 2, "it takes a size");
    check(&["serve", "--members", "n2=h:1@2"], 2, "this node is called `n1`, which is not in the member list (n2)");
    check(&["serve", "--members", "n1=h:1@2,n1=g:1@2"], 2, "the member `n1` is in the list twice");
    check(&["serve", "--members", "n1=h"], 2, "`n1=h` is not of the form NAME=HOST:PEERPORT@HTTPPORT");
    check(&["serve", "--config", "nowhere.toml"], 2, "nowhere.toml");
    check(&["serv"], 2, "serve");
    check(&["serve", "--capacty", "1"], 2, "--capacity");
    check(&["get"], 2, "<KEY>");
    check(&["incr"], 2, "<KEY>");
    check(&["touch", "k"], 2, "--ttl <SPAN>");
    check(&["get", "k", "--url", "http://127.0.0.1:1"], 1, "127.0.0.1:1");
    check(&["health", "--url", "http://127.0.0.1:1"], 1, "127.0.0.1:1");
    check(&["demo", "--port", "65535"], 2, "do not fit");
    let output = vitrine().args(["serve", "--print-config"]).env("VITRINE_PORT", "12").output().expect("it runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && printed.contains("# from the environment"), "{printed}");
}

#[test]
fn a_port_in_use_is_one_sentence() {
    let (_folder, node) = node(&[]);
    let port = node.port.to_string();
    for command in ["serve", "demo"] {
        let output = run(&[command, "--port", &port]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let sentence = said.lines().filter(|line| line.starts_with("vitrine: ")).collect::<Vec<_>>();
        assert!(sentence.len() == 1 && sentence[0].contains(&format!("port {port}")), "{said}");
    }
    still_there(&node);
}

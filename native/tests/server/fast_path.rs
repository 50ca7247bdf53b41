//! Kept-alive connections, whose simple requests never reach hyper: nobody can tell.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Answer, Cluster, Node};

fn node(arguments: &[&str]) -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start(folder.path(), &[&["--workers", "1"], arguments].concat());
    (folder, node)
}

/// A connection that stays.
struct Talk {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Talk {
    fn with(node: &Node) -> Talk {
        let stream = node.connect();
        stream.set_nodelay(true).expect("TCP takes the option");
        Talk { stream, unread: Vec::new() }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("written");
    }

    fn ask(&mut self, request: &str) -> Answer {
        self.say(request.as_bytes());
        self.answer(request.starts_with("HEAD"))
    }

    /// The next answer, to a `HEAD` or not.
    fn answer(&mut self, head_only: bool) -> Answer {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            self.read();
        };
        let head = String::from_utf8(self.unread[..end].to_vec()).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        let length = if head_only { 0 } else { length };
        while self.unread.len() < end + 4 + length {
            self.read();
        }
        answer.body = self.unread[end + 4..end + 4 + length].to_vec();
        self.unread.drain(..end + 4 + length);
        answer
    }

    fn read(&mut self) {
        let mut more = vec![0; 64 << 10];
        let count = self.stream.read(&mut more).expect("it answers");
        assert!(count > 0, "it closed after {:?}", String::from_utf8_lossy(&self.unread));
        self.unread.extend_from_slice(&more[..count]);
    }
}

/// The answer without what differs from one request to the next, its headers in order.
fn comparable(answer: &Answer) -> (String, Vec<String>, String) {
    let mut lines = answer.head.lines();
    let status = lines.next().expect("a status line").to_owned();
    let masked = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header");
        assert!(!value.is_empty() && name == name.to_ascii_lowercase(), "{line}");
        match name {
            "date" => {
                assert!(value.len() == 29 && value.ends_with(" GMT"), "{line}");
                "date".to_owned()
            }
            "x-request-id" if value.len() == 22 => "x-request-id".to_owned(),
            "etag" | "age" | "x-ttl-ms" => name.to_owned(),
            _ => line.to_owned(),
        }
    };
    let mut headers: Vec<String> = lines.map(masked).collect();
    headers.sort();
    (status, headers, answer.text())
}

/// The same request by both ways: whoever lists more than `keep-alive` is hyper's until its end.
struct Both {
    here: Talk,
    hyper: Talk,
}

impl Both {
    fn check(&mut self, request: &str, expected: u16) -> Answer {
        self.compare(request, request, expected)
    }

    fn compare(&mut self, request: &str, same: &str, expected: u16) -> Answer {
        let seen = self.here.ask(request);
        let marked = same.replacen("\r\nhost: t\r\n", "\r\nhost: t\r\nconnection: keep-alive, none\r\n", 1);
        assert_ne!(marked, same);
        let hypers = self.hyper.ask(&marked);
        assert_eq!((seen.status, comparable(&seen)), (expected, comparable(&hypers)), "{request}");
        seen
    }
}

fn put(path: &str, head: &str, body: &str) -> String {
    format!("PUT /v1/entries/{path} HTTP/1.1\r\nhost: t\r\n{head}content-length: {}\r\n\r\n{body}", body.len())
}

fn get(path: &str, head: &str) -> String {
    format!("GET /v1/entries/{path} HTTP/1.1\r\nhost: t\r\n{head}\r\n")
}

#[test]
fn an_answer_is_the_one_that_hyper_gives() {
    let (_folder, node) = node(&["--max-value", "1KiB", "--replicas", "1"]);
    let mut both = Both { here: Talk::with(&node), hyper: Talk::with(&node) };
    both.check(&get("absent", ""), 404);
    for (key, query, head, body) in [
        ("plain", "", "", "value"),
        ("typed", "", "content-type: image/png; q=\"1\"\r\n", "\u{1}\u{2}"),
        ("named", "", "X-Request-Id: mine:1.2_3-4\r\n", "value"),
        ("badly-named", "", "x-request-id: not mine\r\n", "value"),
        ("empty", "", "", ""),
        ("%41%2f%25", "", "", "escaped"),
        ("{tag}key", "", "content-type:\r\n", "tagged"),
        ("deadline", "?ttl=1h", "", "gone in an hour"),
        ("levels", "?write=all&timeout=1s", "accept: */*\r\nuser-agent: t\r\n", "everywhere"),
    ] {
        // Each way creates its own; then both replace the same.
        let of = |letter: &str| put(&format!("{letter}{key}{query}"), head, body);
        both.compare(&of("a"), &of("b"), 201);
        both.check(&of("a"), 204);
        for read in ["", "?read=one", "?read=primary&timeout=1s"] {
            assert_eq!(both.check(&get(&format!("a{key}{read}"), head), 200).text(), body);
        }
    }
    both.check(&get("aplain?read=quorum", ""), 200);
    both.check(&get("aplain?tll=1", ""), 400);
    both.check(&get("aplain?read=all", ""), 400);
    both.check(&get("%zz", ""), 400);
    both.check(&get("", ""), 400);
    both.check(&get("a/b", ""), 404);
    both.check(&get("aplain", "if-none-match: *\r\n"), 304);
    both.check(&get("aplain", "if-match: \"0-0-0\"\r\n"), 412);
    both.check(&put("aplain", "if-none-match: *\r\n", "v"), 412);
    both.check(&put("aplain?ttl=0", "", "v"), 400);
    both.check(&put("aplain", &format!("content-type: {}\r\n", "x".repeat(256)), "v"), 400);
    both.check("HEAD /v1/entries/aplain HTTP/1.1\r\nhost: t\r\n\r\n", 200);
    both.check("POST /v1/entries/aplain HTTP/1.1\r\nhost: t\r\n\r\n", 405);
    both.check("GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n", 200);
    // The last one that each of them is asked: what is too long is not read, and the connection ends.
    both.check(&put("aplain", "", &"x".repeat(1_025)), 413);
}

#[test]
fn requests_are_answered_in_order_however_they_arrive() {
    let (_folder, node) = node(&[]);
    // What is asked, and what comes of it; the last two parts of a body are not there with the head.
    let long = "x".repeat(100_000);
    let rows: Vec<(String, u16, &str)> = (0..40)
        .flat_map(|round| {
            let put = |head: &str, body: &str| put(&format!("k{round}"), head, body);
            let ask = |method: &str| format!("{method} /v1/entries/k{round} HTTP/1.1\r\nhost: t\r\n\r\n");
            [
                (ask("GET"), 404, ""),
                (put("", "first"), 201, ""),
                (ask("GET"), 200, "first"),
                (ask("HEAD"), 200, ""),
                (put("if-match: *\r\n", "second"), 204, ""),
                (ask("GET"), 200, "second"),
                (put("", "third"), 204, ""),
                (ask("DELETE"), 204, ""),
                (ask("GET"), 404, ""),
                ("GET /healthz HTTP/1.1\r\n\r\n".to_owned(), 200, "ok\n"),
            ]
        })
        .chain([
            (format!("PUT /v1/entries/long HTTP/1.1\r\ncontent-length: {}\r\n\r\n{long}", long.len()), 201, ""),
            ("GET /v1/entries/long HTTP/1.1\r\n\r\n".to_owned(), 200, long.as_str()),
            ("DELETE /v1/entries/long HTTP/1.1\r\n\r\n".to_owned(), 204, ""),
        ])
        .collect();
    let all: String = rows.iter().map(|(request, _, _)| request.as_str()).collect();
    for step in [1, 7, 61, 1_000, 30_000, all.len()] {
        let mut talk = Talk::with(&node);
        let mut writer = talk.stream.try_clone().expect("a handle");
        let bytes = all.clone();
        let writing = std::thread::spawn(move || {
            // Single bytes take long: a few hundred of them have met every place that they can.
            let (slow, rest) = bytes.as_bytes().split_at(if step == 1 { 3_000 } else { bytes.len() });
            for part in slow.chunks(step).chain(rest.chunks(50_000)) {
                writer.write_all(part).expect("written");
            }
        });
        for (number, (request, status, body)) in rows.iter().enumerate() {
            let answer = talk.answer(request.starts_with("HEAD"));
            let line = request.lines().next();
            assert_eq!(answer.status, *status, "{number}: {line:?} in steps of {step}: {}", answer.text());
            assert!(*status >= 400 || answer.text() == *body, "{number}: {line:?} in steps of {step}");
        }
        writing.join().expect("all was written");
    }
}

#[test]
fn a_body_that_nobody_wants_is_still_between_the_requests() {
    let (_folder, node) = node(&[]);
    let mut talk = Talk::with(&node);
    for _ in 0..40 {
        // Each is written at once: an answer does not wait for a body that is not wanted and has not come, and the
        // connection then ends with it.
        for (request, status) in [
            ("GET /nowhere HTTP/1.1\r\ncontent-length: 7\r\n\r\nGET / H", 404),
            ("POST /set?key=a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello", 415),
            ("GET /v1/entries/k HTTP/1.1\r\n\r\n", 404),
        ] {
            talk.stream.write_all(request.as_bytes()).expect("written");
            assert_eq!(talk.answer(false).status, status, "{request:?}");
        }
    }
}

#[test]
fn what_is_here_waits_for_what_another_node_is_asked() {
    let cluster = Cluster::start(3, &["--replicas", "1"]);
    let mut talk = Talk::with(cluster.node(0));
    let keys: Vec<String> = (0..200).map(|n| format!("key-{n}")).collect();
    // All at once: a third of them is here, and would be answered first if it were not for the order.
    let writes: String = keys.iter().map(|key| put(key, "", &format!("value of {key}"))).collect();
    talk.say(writes.as_bytes());
    let mut nodes: Vec<String> = Vec::new();
    for key in &keys {
        let answer = talk.answer(false);
        assert_eq!(answer.status, 201, "{key}: {}", answer.text());
        nodes.push(answer.header("x-vitrine-node").expect("a name").to_owned());
    }
    let reads: String = keys.iter().map(|key| get(key, "")).collect();
    for step in [reads.len(), 1_000, 50] {
        for part in reads.as_bytes().chunks(step) {
            talk.say(part);
        }
        for (key, node) in keys.iter().zip(&nodes) {
            let answer = talk.answer(false);
            assert_eq!((answer.status, answer.text()), (200, format!("value of {key}")));
            assert_eq!(answer.header("x-vitrine-node"), Some(node.as_str()), "{key}");
        }
    }
    nodes.sort();
    nodes.dedup();
    assert_eq!(nodes, ["n1", "n2", "n3"]);
}

#[test]
fn a_client_that_does_not_read_is_waited_for() {
    let (_folder, node) = node(&["--header-timeout", "300ms"]);
    let mut talk = Talk::with(&node);
    let value = "v".repeat(3 << 20);
    let put = format!("PUT /v1/entries/large HTTP/1.1\r\ncontent-length: {}\r\n\r\n{value}", value.len());
    assert_eq!(talk.ask(&put).status, 201);
    let get = "GET /v1/entries/large HTTP/1.1\r\n\r\n";
    talk.say(get.repeat(6).as_bytes());
    // Longer than a head may take: the server has answered, and it is the client who is slow.
    std::thread::sleep(std::time::Duration::from_secs(1));
    for _ in 0..6 {
        assert!(talk.answer(false).body == value.as_bytes());
    }
    // Then it says nothing more, and is closed.
    assert_eq!(talk.stream.read(&mut [0; 16]).expect("an end"), 0);
}

#[test]
fn an_idle_connection_does_not_keep_a_node_from_stopping() {
    let (_folder, node) = node(&[]);
    let mut talk = Talk::with(&node);
    assert_eq!(talk.ask("PUT /v1/entries/k HTTP/1.1\r\ncontent-length: 1\r\n\r\nv").status, 201);
    assert_eq!(talk.ask("GET /v1/entries/k HTTP/1.1\r\n\r\n").text(), "v");
    node.terminate();
    assert_eq!(talk.stream.read(&mut [0; 16]).expect("an end"), 0);
    assert_eq!(node.ended().code(), Some(0));
}

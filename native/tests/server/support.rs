//! Real nodes for tests: processes of the built binary, asked over plain sockets, waited for with a deadline.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::ports;

/// The longest that anything is waited for; a machine under load is slow, and a test that waits is not wrong.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

/// The command, ready for arguments, with nothing inherited that would change it.
pub fn vitrine() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("VITRINE_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    vitrine().args(arguments).output().expect("the binary runs")
}

/// A node in a process of its own; killed when dropped.
pub struct Node {
    child: Child,
    pub port: u16,
    /// All that it logged until it served.
    pub said: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Node {
    /// One node on a free port, with its snapshots in that folder.
    pub fn start(data: &std::path::Path, arguments: &[&str]) -> Node {
        let data = data.to_str().expect("a text path");
        Node::spawn(&[&["--port", "0", "--data", data], arguments].concat()).unwrap_or_else(|said| panic!("{said}"))
    }

    /// Starts `serve` and waits until it says where it serves; the error is what it said instead.
    pub fn spawn(arguments: &[&str]) -> Result<Node, String> {
        Node::spawn_by(vitrine(), arguments)
    }

    /// The same by a command that ends with the binary.
    pub fn spawn_by(mut command: Command, arguments: &[&str]) -> Result<Node, String> {
        command.arg("serve").args(["--log-format", "json"]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, receiver) = mpsc::channel();
        // Read to the end: a full pipe would stop the node.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said = String::new();
        while let Ok(line) = receiver.recv_timeout(PATIENCE) {
            let document: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if document["message"] == "serving" {
                let address = document["http"].as_str().expect("an address");
                let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
                return Ok(Node { child, port, said });
            }
            said += &(line + "\n");
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(said)
    }

    /// `METHOD path`, with no body.
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, "", b"")
    }

    /// A request with extra head lines (each ending in CRLF) and a body.
    pub fn send(&self, method: &str, path: &str, head: &str, body: &[u8]) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{length}{head}\r\n");
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Bytes as they are; everything that comes back until the server closes.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may close before all is written: what it said is still there to read.
        let _ = stream.write_all(request);
        answer_of(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// The value of a metric, summed over its labels.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.ask("GET", "/metrics").text();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the node at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Asks the node to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// Stops its time: it does nothing more when this returns. It goes on by a `CONT`.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let pid = WaitId::Pid(Pid::from_raw(self.pid() as i32).expect("a pid"));
        // The system says so when the last of its threads stands still.
        let stopped = || waitid(pid.clone(), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG).expect("a child");
        eventually("it stands still", || stopped().is_some());
    }

    /// Waits until it has ended.
    pub fn ended(mut self) -> ExitStatus {
        let mut status = None;
        eventually("the node ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Reads one answer from a connection that the server closes after it.
pub fn answer_of(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer is how an early refusal looks from here.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no answer: {:?}", String::from_utf8_lossy(&bytes));
    });
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

/// Looks again and again until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let steps = PATIENCE.as_millis() / STEP.as_millis();
    for _ in 0..steps {
        if is_so() {
            return;
        }
        std::thread::sleep(STEP);
    }
    panic!("never: {what}");
}

/// A cluster of nodes on ports of its own.
pub struct Cluster {
    pub nodes: Vec<Option<Node>>,
    members: String,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    command: fn(usize) -> Command,
}

impl Cluster {
    /// Starts n1, n2, …, and waits until each is ready.
    pub fn start(count: usize, arguments: &[&str]) -> Cluster {
        Cluster::start_by(|_| vitrine(), count, arguments)
    }

    /// One node for each of those zones.
    pub fn start_in_zones(zones: &[&str], arguments: &[&str]) -> Cluster {
        Cluster::start_as(|_| vitrine(), zones, arguments)
    }

    /// The same, each node by a command that ends with the binary.
    pub fn start_by(command: fn(usize) -> Command, count: usize, arguments: &[&str]) -> Cluster {
        Cluster::start_as(command, &vec![""; count], arguments)
    }

    fn start_as(command: fn(usize) -> Command, zones: &[&str], arguments: &[&str]) -> Cluster {
        let count = zones.len();
        let slash = |zone: &str| if zone.is_empty() { String::new() } else { format!("/{zone}") };
        let ports = ports::claim(count as u16 * 2);
        let (http, peer) = ports.split_at(count);
        let member = |i: usize| format!("n{}=127.0.0.1:{}@{}{}", i + 1, peer[i], http[i], slash(zones[i]));
        let members = (0..count).map(member).collect::<Vec<_>>().join(",");
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        let mut cluster = Cluster { nodes: Vec::new(), members, folder, arguments, command };
        let started = (0..count).map(|index| cluster.spawn(index, &[]).unwrap_or_else(|said| panic!("{said}")));
        cluster.nodes = started.map(Some).collect();
        (0..count).for_each(|index| cluster.wait_until_ready(index));
        cluster
    }

    pub fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().expect("it runs")
    }

    pub fn kill(&mut self, index: usize) {
        self.nodes[index].take().expect("it runs").kill();
    }

    pub fn restart(&mut self, index: usize) {
        self.restart_with(index, &[]);
    }

    /// Told that as well this time.
    pub fn restart_with(&mut self, index: usize, more: &[&str]) {
        self.nodes[index] = Some(self.spawn(index, more).unwrap_or_else(|said| panic!("{said}")));
        self.wait_until_ready(index);
    }

    /// The indexes of the replicas of a key, the primary first.
    pub fn replicas(&self, key: &str) -> Vec<usize> {
        let node = self.nodes.iter().flatten().next().expect("one runs");
        let explained = node.ask("GET", &format!("/v1/explain/{key}")).json();
        let replicas = explained["replicas"].as_array().expect("a list");
        let index = |name: &str| name[1..].parse::<usize>().expect("a number") - 1;
        replicas.iter().map(|r| index(r["node"].as_str().expect("a name"))).collect()
    }

    /// A key whose replicas are those, in that order.
    pub fn key_of(&self, replicas: &[usize]) -> String {
        let keys = (0..10_000).map(|n| format!("key-{n}"));
        keys.into_iter().find(|key| self.replicas(key) == replicas).expect("such a key")
    }

    /// So many keys of that kind.
    pub fn keys_of(&self, replicas: &[usize], count: usize) -> Vec<String> {
        let keys = (0..100_000).map(|n| format!("some-{n}"));
        keys.filter(|key| self.replicas(key) == replicas).take(count).collect()
    }

    fn spawn(&self, index: usize, more: &[&str]) -> Result<Node, String> {
        let name = format!("n{}", index + 1);
        let data: PathBuf = self.folder.path().join(&name);
        let data = data.to_str().expect("a text path");
        let fixed = ["--node", &name, "--members", &self.members, "--data", data, "--workers", "1"];
        let given: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Node::spawn_by((self.command)(index), &[&fixed, given.as_slice(), more].concat())
    }

    fn wait_until_ready(&self, index: usize) {
        eventually("the node is ready", || self.node(index).ask("GET", "/readyz").status == 200);
        let count = self.nodes.len();
        eventually("the node sees every running one", || {
            let cluster = self.node(index).ask("GET", "/v1/cluster").json();
            let alive = cluster["members"].as_array().expect("a list").iter().filter(|m| m["alive"] == true).count();
            alive >= self.nodes.iter().flatten().count().min(count)
        });
    }
}

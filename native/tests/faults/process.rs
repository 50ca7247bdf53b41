//! Nodes: processes of the built binary, whose logs say when they missed one another.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use vitrine::load::Stopwatch;
use vitrine_engine::sim::Record;
use vitrine_engine::time::Instant;

use crate::afterwards::Away;
use crate::http::Connection;
use crate::place::Place;

/// A cluster of processes under a driver that knows what it does to them.
pub struct Cluster {
    pub place: Place,
    pub clock: Stopwatch,
    /// So many are in the list that the cluster begins with.
    first: usize,
    nodes: Vec<Option<Child>>,
    /// What every node is told besides.
    arguments: &'static [&'static str],
    /// The folders of all, and what removes them in the end, where that is for the cluster to do.
    folder: PathBuf,
    _folder: Option<tempfile::TempDir>,
    troubles: Arc<Mutex<Troubles>>,
}

/// When somebody was down, cut off or suspected.
#[derive(Default)]
struct Troubles {
    /// Those that last, by who and whom.
    open: BTreeMap<(usize, String), Instant>,
    over: Vec<(Instant, Instant)>,
    /// Those that were over in which a node could not answer.
    away: Vec<Away>,
    /// Those that were over in which a node had given up another.
    given_up: Vec<(Instant, Instant)>,
    /// What was done, and when it began.
    steps: Vec<(String, Instant)>,
    /// What was done and logged, for whoever reads why something went wrong.
    story: Vec<String>,
}

/// How long anything is waited for; a machine under load is slow, and a test that waits is not wrong.
const PATIENCE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(20);
/// After the last trouble the record is held to everything once more.
const CALM: Duration = Duration::from_secs(9);
/// What keeps a node from answering.
const SILENT: [&str; 3] = ["down", "harmed", "paused"];
/// A suspicion is logged when it has lasted; the trouble began before it.
const NOTICED: u64 = 3_000_000;

impl Cluster {
    /// Starts a node in each place but the last, which is for one who joins, and waits until all see all.
    pub fn start(place: Place, arguments: &'static [&'static str]) -> Cluster {
        let folder = tempfile::tempdir().expect("a folder");
        let mut cluster = Cluster::start_in(folder.path(), place, arguments);
        cluster._folder = Some(folder);
        cluster
    }

    /// The same with the folders of the nodes in that one.
    pub fn start_in(folder: &Path, place: Place, arguments: &'static [&'static str]) -> Cluster {
        let first = place.len() - 1;
        let mut cluster = Cluster {
            place,
            clock: Stopwatch::start(),
            first,
            nodes: Vec::new(),
            arguments,
            folder: folder.to_owned(),
            _folder: None,
            troubles: Arc::default(),
        };
        cluster.nodes = (0..first).map(|node| Some(cluster.spawn(node))).chain([None]).collect();
        cluster.all_see_all();
        cluster
    }

    /// Ends a node at once, as a power cut would. It is down until [`Cluster::restart`].
    pub fn kill(&mut self, node: usize) {
        self.kill_at_once(&[node]);
    }

    /// Ends a node after something has been done to it.
    pub fn kill_after(&mut self, node: usize, harm: impl FnOnce()) {
        self.begins(node, "harmed");
        harm();
        self.kill(node);
        self.ends(node, "harmed");
    }

    /// Ends so many nodes at one moment.
    pub fn kill_at_once(&mut self, nodes: &[usize]) {
        nodes.iter().for_each(|node| self.begins(*node, "down"));
        let mut children: Vec<Child> = nodes.iter().map(|node| self.nodes[*node].take().expect("it runs")).collect();
        children.iter_mut().for_each(|child| child.kill().expect("it runs"));
        for child in &mut children {
            child.wait().expect("it ends");
        }
        nodes.iter().for_each(|node| self.forgets(*node));
    }

    /// Starts all that are down, and waits until they serve and all see all.
    pub fn restart_all(&mut self, nodes: &[usize]) {
        // All begin at once: who comes back alone, and gives the others up, need not know what it has on disk.
        let cluster = &*self;
        let children: Vec<Child> = std::thread::scope(|scope| {
            let threads: Vec<_> = nodes.iter().map(|node| scope.spawn(|| cluster.spawn(*node))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it starts")).collect()
        });
        nodes.iter().zip(children).for_each(|(node, child)| self.nodes[*node] = Some(child));
        self.all_see_all();
        nodes.iter().for_each(|node| self.ends(*node, "down"));
    }

    /// Asks a node to stop, and waits for that.
    pub fn stop(&mut self, node: usize) {
        self.begins(node, "down");
        self.signal(node, Signal::TERM);
        let status = self.nodes[node].take().expect("it runs").wait().expect("it ends");
        assert!(status.success(), "n{} stopped with {status}", node + 1);
        self.forgets(node);
    }

    /// Starts a node that is down, and waits until it serves and all see all.
    pub fn restart(&mut self, node: usize) {
        self.restart_all(&[node]);
    }

    /// Lets the node of the last place join, and waits until it has its share. No promise is suspended meanwhile.
    pub fn join(&mut self) {
        let node = self.first;
        self.nodes[node] = Some(self.spawn(node));
        self.changed("GET", "/v1/cluster", "", |members| members.as_array().is_some_and(|all| all.len() > node));
        self.all_see_all();
    }

    /// Lets the member that joined hand over what it has, and waits until it has ended by itself.
    pub fn leave(&mut self) {
        let path = format!("/v1/cluster/members/n{}", self.first + 1);
        let first = self.first;
        self.changed("DELETE", &path, "", |members| members.as_array().is_some_and(|all| all.len() == first));
        let status = self.nodes[first].take().expect("it runs").wait().expect("it ends");
        assert!(status.success(), "it left with {status}");
        self.forgets(first);
    }

    /// Gives a member so large a share of the slots, and waits until it has it.
    pub fn weigh(&self, node: usize, weight: u32) {
        let (name, body) = (format!("n{}", node + 1), format!("{{\"weight\":{weight}}}"));
        let has = |members: &serde_json::Value| {
            let mut all = members.as_array().into_iter().flatten();
            all.any(|member| member["name"] == *name && member["weight"] == weight)
        };
        self.changed("PATCH", &format!("/v1/cluster/members/{name}"), &body, has);
    }

    /// Asks the first node for that again and again, until its members are so and nothing moves.
    fn changed(&self, method: &str, path: &str, body: &str, is_so: impl Fn(&serde_json::Value) -> bool) {
        self.troubles.lock().tell(0, &format!("{method} {path} {body}"), self.now());
        let mut connection = Connection::new(self.place.http(0));
        self.eventually("the members have changed", || {
            let _ = connection.request(method, path, "", body.as_bytes());
            let document = connection.request("GET", "/v1/cluster", "", b"").map(|answer| answer.json());
            document.is_ok_and(|document| is_so(&document["members"]) && document["phase"] == "steady")
        });
        self.troubles.lock().tell(0, "done", self.now());
    }

    /// Stops a node's time, or lets it go on.
    pub fn pause(&self, node: usize) {
        self.begins(node, "paused");
        self.signal(node, Signal::STOP);
    }

    pub fn resume(&self, node: usize) {
        self.signal(node, Signal::CONT);
        self.all_see_all();
        self.ends(node, "paused");
    }

    /// Cuts what the first of each pair sends to the second.
    pub fn cut(&self, links: &[(usize, usize)]) {
        self.begins(0, "cut");
        links.iter().for_each(|(from, to)| self.place.cut(*from, *to));
    }

    pub fn heal(&self) {
        self.place.heal();
        self.all_see_all();
        self.ends(0, "cut");
    }

    /// Lets the load run until there has been no trouble for as long as the promises take to hold once more.
    pub fn rest(&self) {
        let calm = |troubles: &Troubles| {
            let last = troubles.over.iter().map(|(_, to)| *to).max().unwrap_or_default();
            troubles.open.is_empty() && self.now().since(last) > CALM
        };
        self.eventually("the cluster is calm", || calm(&self.troubles.lock()));
        std::thread::sleep(Duration::from_secs(1));
    }

    /// Notes all troubles in a record.
    pub fn confess(&self, record: &mut Record) {
        let troubles = self.troubles.lock();
        troubles.over.iter().for_each(|(from, to)| record.trouble(early(*from), *to));
        troubles.open.values().for_each(|from| record.trouble(early(*from), self.now()));
    }

    /// When nodes could not answer.
    pub fn away(&self) -> Vec<Away> {
        let troubles = self.troubles.lock();
        let open = troubles.open.iter().filter(|((_, what), _)| SILENT.contains(&what.as_str()));
        let open = open.map(|((node, _), from)| (*node, *from, Instant::NEVER));
        troubles.away.iter().copied().chain(open).collect()
    }

    /// When a node had given up another, and a moment before, since it says so late.
    pub fn given_up(&self) -> Vec<(Instant, Instant)> {
        let troubles = self.troubles.lock();
        let open = troubles.open.iter().filter(|((_, whom), _)| whom.starts_with('n'));
        let open = open.map(|(_, from)| (*from, Instant::NEVER));
        troubles.given_up.iter().copied().chain(open).map(|(from, to)| (early(from), to)).collect()
    }

    /// From now on that is done, until the next step.
    pub fn step(&self, what: &str) {
        self.troubles.lock().steps.push((what.to_owned(), self.now()));
    }

    /// What was done, and when it began.
    pub fn steps(&self) -> Vec<(String, Instant)> {
        self.troubles.lock().steps.clone()
    }

    /// What was done to the cluster, and what it logged of that.
    pub fn story(&self) -> Vec<String> {
        self.troubles.lock().story.clone()
    }

    /// The time of the record.
    pub fn now(&self) -> Instant {
        Instant(self.clock.elapsed().as_micros() as u64)
    }

    fn begins(&self, node: usize, what: &str) {
        let at = self.now();
        let mut troubles = self.troubles.lock();
        troubles.tell(node, what, at);
        troubles.open.insert((node, what.to_owned()), at);
    }

    fn ends(&self, node: usize, what: &str) {
        let at = self.now();
        let mut troubles = self.troubles.lock();
        troubles.tell(node, &format!("no longer {what}"), at);
        troubles.end(node, what, at);
    }

    /// A process that has ended suspects nobody any more.
    fn forgets(&self, node: usize) {
        let mut troubles = self.troubles.lock();
        let own = |(by, whom): &&(usize, String)| *by == node && whom.starts_with('n');
        let all: Vec<_> = troubles.open.keys().filter(own).cloned().collect();
        all.iter().for_each(|(_, whom)| troubles.end(node, whom, self.now()));
    }

    fn signal(&self, node: usize, signal: Signal) {
        let child = self.nodes[node].as_ref().expect("it runs");
        let pid = Pid::from_raw(child.id() as i32).expect("a process has a number");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    fn spawn(&self, node: usize) -> Child {
        let member = |node: usize| {
            let (peer, http) = (self.place.peer(node), self.place.http(node).port());
            format!("n{}={peer}@{http}", node + 1)
        };
        let members: Vec<String> = (0..self.first).map(member).collect();
        let (name, host) = (format!("n{}", node + 1), self.place.http(node).ip().to_string());
        let mut command = self.place.command(node, env!("CARGO_BIN_EXE_vitrine"));
        command.args(["serve", "--log-format", "json", "--workers", "1", "--node", &name, "--host", &host]);
        command.arg("--data").arg(self.folder.join(&name)).args(self.arguments);
        if node < self.first {
            command.args(["--members", &members.join(",")]);
        } else {
            let (http, peer) = (self.place.http(node).port(), self.place.peer(node).port());
            command.args(["--join", &format!("http://{}", self.place.http(1)), "--port", &http.to_string()]);
            command.args(["--peer-port", &peer.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("VITRINE_")) {
            command.env_remove(name);
        }
        let mut child = command.spawn().expect("the binary runs");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        loop {
            let line = log.next().unwrap_or_else(|| panic!("{name} ended: {said}")).expect("text");
            if line.contains(r#""message":"serving""#) {
                break;
            }
            said += &(line + "\n");
        }
        let (clock, troubles) = (self.clock, self.troubles.clone());
        std::thread::spawn(move || listen(node, log, clock, &troubles));
        child
    }

    fn all_see_all(&self) {
        let running = || (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some());
        let mut connections: Vec<Connection> =
            (0..self.nodes.len()).map(|node| Connection::new(self.place.http(node))).collect();
        for node in running() {
            self.eventually("the node is ready and sees the others", || {
                let mut ask = |path: &str| connections[node].request("GET", path, "", b"").ok();
                let ready = ask("/readyz").is_some_and(|answer| answer.status == 200);
                let members = ask("/v1/cluster").map(|answer| answer.json()["members"].take());
                let alive = members.iter().flat_map(|members| members.as_array()).flatten();
                ready && alive.filter(|member| member["alive"] == true).count() >= running().count()
            });
        }
    }

    /// Looks again and again until it is so.
    pub fn eventually(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Stopwatch::start();
        while !is_so() {
            if begun.elapsed() > PATIENCE {
                self.story().iter().for_each(|line| eprintln!("{line}"));
                for node in (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some()) {
                    let said = Connection::new(self.place.http(node)).request("GET", "/v1/cluster", "", b"");
                    eprintln!("n{}: {}", node + 1, said.map_or("no answer".into(), |said| said.json().to_string()));
                }
                panic!("never: {what}");
            }
            std::thread::sleep(STEP);
        }
    }
}

fn early(from: Instant) -> Instant {
    Instant(from.0.saturating_sub(NOTICED))
}

impl Troubles {
    fn tell(&mut self, node: usize, what: &str, at: Instant) {
        self.story.push(format!("{:>8} ms  n{}  {what}", at.0 / 1_000, node + 1));
    }

    fn end(&mut self, node: usize, what: &str, at: Instant) {
        if let Some(from) = self.open.remove(&(node, what.to_owned())) {
            self.over.push((from, at));
            if SILENT.contains(&what) {
                self.away.push((node, from, at));
            }
            if what.starts_with('n') {
                self.given_up.push((from, at));
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads a node's log to its end: a full pipe would stop the node.
fn listen(node: usize, log: Lines<BufReader<ChildStderr>>, clock: Stopwatch, troubles: &Mutex<Troubles>) {
    for line in log.map_while(Result::ok) {
        let document: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let at = Instant(clock.elapsed().as_micros() as u64);
        let member = document["member"].as_str().unwrap_or_default();
        let mut troubles = troubles.lock();
        let said = document["message"].as_str().unwrap_or_default();
        troubles.tell(node, &format!("{said} {member}"), at);
        match document["message"].as_str().unwrap_or_default() {
            "a member does not answer" => drop(troubles.open.insert((node, member.to_owned()), at)),
            "a member answers again" => {
                troubles.end(node, member, at);
                troubles.over.push((at, at));
            }
            "others had given up this node: it is back, and asks what it missed" => troubles.over.push((at, at)),
            _ => {}
        }
    }
}

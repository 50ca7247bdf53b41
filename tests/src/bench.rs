//! What the benches that measure processes share: servers on one core, the load on the other, rounds and medians.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vitrine::load::{Origin, Stopwatch};

/// The core that servers run on.
pub const SERVER_CORE: &str = "0";
/// The core that the load runs on.
pub const LOAD_CORE: &str = "1";

/// A process that ends with this value, asked first to stop by itself.
pub struct Server {
    child: Child,
    /// Where it answers.
    pub origins: Vec<Origin>,
}

impl Server {
    /// Starts a command, on one core when `core` names one and the system has `taskset`.
    pub fn start(core: Option<&str>, program: &Path, arguments: &[&str], origins: Vec<Origin>) -> Server {
        let mut command = match core.filter(|_| has_taskset()) {
            Some(core) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", core]).arg(program);
                pinned
            }
            None => Command::new(program),
        };
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        Server { child, origins }
    }

    /// Waits until every origin takes connections.
    pub fn ready(mut self) -> Server {
        let waiting = Stopwatch::start();
        for origin in &self.origins {
            while std::net::TcpStream::connect((origin.host(), origin.port())).is_err() {
                if let Ok(Some(status)) = self.child.try_wait() {
                    panic!("the server for {origin} ended with {status}");
                }
                assert!(waiting.elapsed() < Duration::from_secs(30), "{origin} takes no connections");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self
    }

    /// Processor time that the process has used, itself and what it waited for.
    pub fn cpu(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The fields after the name, which is in parentheses and may hold anything; 1 is the state, 12 and 13 are
        // ticks.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let waiting = Stopwatch::start();
        while asked.is_ok() && waiting.elapsed() < Duration::from_secs(10) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It did not stop when it was asked to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves this process to the load's core.
pub fn pin_load() {
    if has_taskset() {
        let me = std::process::id().to_string();
        let _ = Command::new("taskset").args(["-cp", LOAD_CORE, &me]).stdout(Stdio::null()).status();
    } else {
        eprintln!("there is no taskset: servers and load share all cores, and the figures say less");
    }
}

fn has_taskset() -> bool {
    let mut tried = Command::new("taskset");
    tried.args(["-c", LOAD_CORE, "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

/// The release binary beside this bench, or the one that `VITRINE_BIN` names.
pub fn vitrine() -> PathBuf {
    let beside = || std::env::current_exe().ok()?.parent()?.parent().map(|folder| folder.join("vitrine"));
    let path = std::env::var_os("VITRINE_BIN").map(PathBuf::from).or_else(beside).unwrap_or_default();
    assert!(path.is_file(), "there is no {}: cargo build --release -p vitrine", path.display());
    path
}

/// The origin of a port on this machine.
pub fn origin(port: u16) -> Origin {
    format!("http://127.0.0.1:{port}").parse().expect("a port makes an origin")
}

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// What the machine is, for whoever reads the figures elsewhere.
pub fn machine() -> String {
    let info = std::fs::File::open("/proc/cpuinfo").map(BufReader::new);
    let model = info.ok().and_then(|info| {
        let mut lines = info.lines().map_while(Result::ok);
        lines.find_map(|line| Some(line.strip_prefix("model name")?.trim_start_matches([' ', '\t', ':']).to_owned()))
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", model.unwrap_or_else(|| "unknown processor".into()))
}

//! `vitrine demo`: it says where its nodes are, one may be killed, and the end leaves nothing behind.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::ports;
use crate::support::{eventually, run, vitrine};

#[test]
fn a_demo_says_where_it_is_loses_a_node_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut demo = Demo::start(temporary.path());
    assert_eq!(demo.pids.len(), 3);
    let urls: Vec<String> = (0..3).map(|n| format!("http://127.0.0.1:{}", demo.port + n)).collect();
    assert!(demo.said.contains(&format!("{}/ui/", urls[0])), "{}", demo.said);
    assert!(run(&["set", "greeting", "hello", "--url", &urls[0]]).status.success());
    for url in &urls {
        assert_eq!(run(&["get", "greeting", "--url", url]).stdout, b"hello");
    }

    signal(demo.pids[2], Signal::KILL);
    let told = demo.read_until("bring it back:");
    assert!(told.contains("n3 ended (killed by signal 9); 2 left"), "{told}");
    eventually("the others read on", || {
        let found = run(&["get", "greeting", "--url", &urls[1]]);
        found.stdout == b"hello"
    });

    signal(demo.process.id(), Signal::INT);
    assert!(demo.process.wait().expect("it ends").success());
    let is_running = |pid: &u32| test_kill_process(pid_of(*pid)).is_ok();
    assert!(!demo.pids.iter().any(is_running), "a node is left");
    let left: Vec<_> = std::fs::read_dir(temporary.path()).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_demo_that_is_killed_takes_its_nodes_along() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut demo = Demo::start(temporary.path());
    demo.process.kill().expect("it runs");
    demo.process.wait().expect("it ends");
    for n in 0..3 {
        eventually("no node listens", || TcpStream::connect(("127.0.0.1", demo.port + n)).is_err());
    }
}

struct Demo {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    pids: Vec<u32>,
    said: String,
}

impl Demo {
    /// Three nodes from some port upward, with their folder inside that one.
    fn start(temporary: &Path) -> Demo {
        let port = ports::claim(3)[0];
        let mut command = vitrine();
        command.args(["demo", "--workers", "1", "--port", &port.to_string()]).env("TMPDIR", temporary);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut demo = Demo { process, lines, port, pids: Vec::new(), said: String::new() };
        demo.said = demo.read_until("Ctrl-C");
        assert!(demo.said.contains("Ctrl-C"), "it ended: {}", demo.said);
        let rows = demo.said.lines().filter(|line| line.contains("http://") && line.contains('│'));
        let pid = |row: &str| row.split(['│', '┆']).nth(2)?.trim().parse().ok();
        demo.pids = rows.filter_map(pid).collect();
        demo
    }

    /// What it says up to and with the line that contains that, or up to its end.
    fn read_until(&mut self, text: &str) -> String {
        let mut said = String::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            said += &(line + "\n");
            if said.contains(text) {
                break;
            }
        }
        said
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn signal(pid: u32, signal: Signal) {
    kill_process(pid_of(pid), signal).expect("it runs");
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid")
}

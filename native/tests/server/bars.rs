//! How far something is that takes a while: a bar for whoever looks at a terminal, and plain lines in a pipe.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::log::{put, ready};
use crate::support::{Node, eventually, vitrine};

/// A command whose standard error is a terminal.
struct Terminal {
    child: Child,
    drawn: Arc<Mutex<String>>,
}

impl Terminal {
    fn run(mut command: Command) -> Terminal {
        let mut master: File = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal").into();
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal of ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("text");
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let slave = File::options().read(true).write(true).open(name).expect("its other end");
        command.env("TERM", "xterm").env_remove("NO_COLOR").stdout(Stdio::null()).stderr(slave);
        let child = command.spawn().expect("the binary runs");
        // The other end is the child's alone: what is drawn ends with it.
        drop(command);
        let drawn = Arc::new(Mutex::new(String::new()));
        let all = Arc::clone(&drawn);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                *all.lock().expect("nobody panics with it") += &String::from_utf8_lossy(&bytes[..count]);
            }
        });
        Terminal { child, drawn }
    }

    /// All that was drawn so far.
    fn drawn(&self) -> String {
        self.drawn.lock().expect("nobody panics with it").clone()
    }

    /// Waits until that is drawn.
    fn shows(&self, expected: &[&str]) {
        eventually(&format!("{expected:?} on the terminal"), || {
            let drawn = self.drawn();
            expected.iter().all(|part| drawn.contains(part))
        });
    }

    fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it says on a pipe is lines of text, with nothing that is drawn over.
fn is_plain(said: &[u8]) -> bool {
    !said.iter().any(|byte| [b'\r', 0x1b].contains(byte)) && !String::from_utf8_lossy(said).contains('█')
}

fn command(arguments: &[&str]) -> Command {
    let mut command = vitrine();
    command.args(arguments);
    command
}

/// On a terminal it shows these; in a pipe it is plain. It succeeds on both.
fn check(arguments: &[&str], expected: &[&str]) {
    let mut terminal = Terminal::run(command(arguments));
    assert!(terminal.ended().success(), "{arguments:?}: {}", terminal.drawn());
    // A terminal that nobody writes to any more is read to its end.
    terminal.shows(expected);
    let piped = command(arguments).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&piped.stderr).into_owned();
    assert!(piped.status.success() && is_plain(&piped.stderr), "{arguments:?}: {said:?}");
}

#[test]
fn a_bar_is_drawn_on_a_terminal_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let node = ready(data.path(), &["--fsync", "always"]);
    for number in 0..20 {
        assert_eq!(put(&node, &format!("k{number}"), "v"), 201);
    }
    let url = format!("http://127.0.0.1:{}", node.port);
    let files = tempfile::tempdir().expect("a folder");
    let file = files.path().join("cache.json");
    let file = file.to_str().expect("text");
    check(&["export", file, "--url", &url], &["20 entries ", " % "]);
    check(&["import", file, "--url", &url], &["checking ", " % "]);
    check(&["check", file], &["checking ", " % "]);
    node.kill();
    check(&["check", data.path().to_str().expect("text")], &["checking ", " % "]);
    check(&["export", file, "--data", data.path().to_str().expect("text")], &[]);
}

/// Saving and loading take as long as the node takes: nobody knows how long, and so it is said what is waited for.
#[test]
fn what_is_waited_for_is_said_on_a_terminal_alone() {
    let answers = [
        ("save", "saving ", r#"{"file":"cache.json","entries":3}"#),
        ("load", "loading ", r#"{"message":"3 entries from cache.json"}"#),
    ];
    for (word, expected, answer) in answers {
        let held = Held::new(answer);
        let mut terminal = Terminal::run(command(&[word, "--url", &held.url]));
        terminal.shows(&[expected]);
        held.let_go();
        assert!(terminal.ended().success(), "{word}: {}", terminal.drawn());
        // The answer is not held any more.
        let piped = command(&[word, "--url", &held.url]).output().expect("the binary runs");
        assert!(piped.status.success() && piped.stderr.is_empty(), "{word}: {piped:?}");
        assert!(String::from_utf8_lossy(&piped.stdout).contains("3 entries"), "{word}: {piped:?}");
    }
}

/// A server that answers everything with that, once it may.
struct Held {
    url: String,
    free: Arc<AtomicBool>,
}

impl Held {
    fn new(answer: &'static str) -> Held {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let free = Arc::new(AtomicBool::new(false));
        let may = Arc::clone(&free);
        // It goes with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4_096]);
                eventually("it may answer", || may.load(Ordering::SeqCst));
                let length = answer.len();
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(&[head.as_bytes(), answer.as_bytes()].concat());
            }
        });
        Held { url, free }
    }

    fn let_go(&self) {
        self.free.store(true, Ordering::SeqCst);
    }
}

/// A start that takes longer than a moment says how far it is: here each read of its snapshot takes a while.
#[test]
fn a_start_that_takes_long_says_how_far_it_is() {
    let data = tempfile::tempdir().expect("a folder");
    let node = ready(data.path(), &["--fsync", "always", "--snapshot-every", "off"]);
    for number in 0..20 {
        assert_eq!(put(&node, &format!("k{number}"), "v"), 201);
    }
    let saved = node.ask("POST", "/save?form=snapshot").json();
    let snapshot = data.path().join(saved["snapshot"]["file"].as_str().expect("a file"));
    node.kill();
    let tried = slow(&snapshot).arg("true").output();
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        // Past the capture of the test's output: whoever runs it should know.
        let _ = writeln!(std::io::stderr(), "skipped: no read can be made slow here (strace: {tried:?})");
        return;
    }
    let slow_node = || {
        let mut strace = slow(&snapshot);
        strace.arg(env!("CARGO_BIN_EXE_vitrine")).stdin(Stdio::null());
        strace
    };
    let (folder, mut drawing) = (data.path().to_str().expect("text"), slow_node());
    drawing.args(["serve", "--port", "0", "--data", folder]);
    Terminal::run(drawing).shows(&["checking the snapshot ", " % ", "reading the snapshot ", "serving"]);
    let node = Node::spawn_by(slow_node(), &["--port", "0", "--data", folder]);
    let node = node.unwrap_or_else(|said| panic!("{said}"));
    assert!(is_plain(node.said.as_bytes()), "{:?}", node.said);
    let lines = node.said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"));
    let far: Vec<u64> = lines.filter_map(|line| line["percent"].as_u64()).collect();
    assert!(!far.is_empty() && far.is_sorted() && far.iter().all(|percent| *percent <= 100), "{}", node.said);
}

/// What ends with the binary, each of whose reads of that file takes so long that all of them take seconds.
fn slow(file: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=read", "-e", "inject=read:delay_enter=300000"]);
    strace.arg("-P").arg(file);
    strace
}

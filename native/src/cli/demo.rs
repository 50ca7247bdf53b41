//! `vitrine demo`: a cluster on this machine, each node a process of its own that may be killed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use clap::{Arg, ArgMatches, Command};
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command as Process};

use super::{Failed, failed, serve};
use crate::load::client::Client;
use crate::settings::TABLE;

/// Settings that the nodes of a demo take from its command line as they are.
const PASSED_ON: &[&str] =
    &["capacity", "memory", "max-value", "replicas", "virtual-nodes", "workers", "allow-get-writes", "log"];
/// How long all nodes together may take to answer.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long they may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// How often the folder is tried to be removed once more, and after how long.
const REMOVE_TRIES: u32 = 20;
const REMOVE_AGAIN: Duration = Duration::from_millis(50);

/// What can be typed.
pub fn command() -> Command {
    let command = Command::new("demo")
        .about("Run a cluster on this machine, to play with")
        .long_about(
            "Run a cluster on this machine: each node is a process of its own on 127.0.0.1, so that one can be killed. \
             Ctrl-C ends all of them.",
        )
        .after_help(EXAMPLES)
        .arg(
            Arg::new("nodes")
                .long("nodes")
                .value_name("N")
                .default_value("3")
                .value_parser(clap::value_parser!(u16).range(1..=32))
                .help("How many nodes"),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .default_value("8000")
                .value_parser(clap::value_parser!(u16).range(1..))
                .help("HTTP port of the first node; the others take the next ones"),
        )
        .arg(Arg::new("data").long("data").value_name("DIR").value_parser(clap::value_parser!(PathBuf)).help(
            "Folder of the nodes' snapshots and logs [default: one among the temporary files, removed at the end]",
        ));
    TABLE.iter().filter(|s| PASSED_ON.contains(&s.name)).fold(command, |command, s| command.arg(serve::flag(s)))
}

const EXAMPLES: &str = "\
Examples:
  vitrine demo
  vitrine demo --nodes 5 --replicas 3 --port 9000
  vitrine demo --capacity 1000 --data ./demo";

/// One node of the demo.
struct Node {
    name: String,
    http: u16,
    peer: u16,
    folder: PathBuf,
    /// What it was started with, for whoever starts it again.
    arguments: Vec<String>,
    child: Child,
}

/// Runs the cluster.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let count = matches.get_one::<u16>("nodes").copied().unwrap_or(3);
    let first = matches.get_one::<u16>("port").copied().unwrap_or(8_000);
    if first.checked_add(count - 1).is_none() {
        return Err(Failed::Usage(format!("{count} nodes from port {first} upward do not fit below port 65536")));
    }
    let (peers, members, _kept) = places(first, count)?;
    let given = matches.get_one::<PathBuf>("data");
    let data = match given {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("vitrine-demo-{}", std::process::id())),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut nodes = Vec::new();
        for (index, peer) in peers.iter().enumerate() {
            let (name, http) = (format!("n{}", index + 1), first + index as u16);
            let folder = data.join(&name);
            std::fs::create_dir_all(&folder)
                .map_err(|e| failed(format!("{} cannot be made: {e}", folder.display())))?;
            let arguments = arguments(matches, &name, &members, &folder);
            let child = spawn(&name, &arguments, &folder)?;
            nodes.push(Node { name, http, peer: *peer, folder, arguments, child });
        }
        let outcome = attend(&mut nodes).await;
        end(&mut nodes).await;
        // Nobody named this folder, so nobody looks for it; after a failure its logs say why.
        if given.is_none() && outcome.is_ok() { remove(&data).await } else { outcome }
    })
}

/// Removes the folder of all nodes. One that somebody brought back by hand is no child of this process: it is not asked
/// to end, and may write into it meanwhile.
async fn remove(data: &Path) -> Result<(), Failed> {
    let mut tries = 0;
    loop {
        match std::fs::remove_dir_all(data) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) if tries < REMOVE_TRIES => tries += 1,
            Err(error) => return Err(failed(format!("{} cannot be removed: {error}", data.display()))),
        }
        tokio::time::sleep(REMOVE_AGAIN).await;
    }
}

/// Free ports for peers, after all HTTP ports were seen to be free; the member list of it all; and what keeps the ports
/// for their nodes, those that start and those that are brought back.
fn places(first: u16, count: u16) -> Result<(Vec<u16>, String, Vec<TcpSocket>), Failed> {
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    // Held until all are chosen, so that no port is chosen twice.
    let mut held = Vec::new();
    for port in first..first + count {
        // Nobody listens there: that a socket can be bound does not say so.
        let kept = TcpListener::bind(local(port)).map(drop).and_then(|()| keep(local(port)));
        held.push(kept.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => failed(format!(
                "port {port} is in use by another program; nothing was started; choose other ports with --port"
            )),
            _ => failed(format!("port {port} cannot be used: {error}; nothing was started")),
        })?);
    }
    let mut peers = Vec::new();
    for _ in 0..count {
        let kept = keep(local(0)).map_err(failed)?;
        peers.push(kept.local_addr().map_err(failed)?.port());
        held.push(kept);
    }
    // Elsewhere a port that is bound is bound: there they are let go, and free for a moment.
    if !cfg!(target_os = "linux") {
        held.clear();
    }
    let members = (first..first + count)
        .zip(&peers)
        .enumerate()
        .map(|(index, (http, peer))| format!("n{}=127.0.0.1:{peer}@{http}", index + 1));
    let members = members.collect::<Vec<_>>().join(",");
    Ok((peers, members, held))
}

/// A socket that is bound and does not listen. Linux gives its port to nobody who asks for any, nor to a connection,
/// and lets a node listen there: both are bound so that an address may be used again.
fn keep(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn arguments(matches: &ArgMatches, name: &str, members: &str, folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let fixed = ["serve", "--node", name, "--members", members, "--data", &folder];
    let passed_on = PASSED_ON.iter().filter_map(|setting| {
        let text = matches.get_one::<String>(setting)?;
        Some(format!("--{setting}={text}"))
    });
    fixed.into_iter().map(str::to_owned).chain(passed_on).collect()
}

fn spawn(name: &str, arguments: &[String], folder: &Path) -> Result<Child, Failed> {
    let program = std::env::current_exe().map_err(failed)?;
    let log = File::options().create(true).append(true).open(folder.join("log.jsonl")).map_err(failed)?;
    let mut process = Process::new(program);
    process.args(arguments).args(["--log-format", "json", "--parent", &std::process::id().to_string()]);
    // What this demo did not say, the environment of this demo shall not say either.
    for variable in ["VITRINE_HOST", "VITRINE_PORT", "VITRINE_PEER_PORT", "VITRINE_CONFIG"] {
        process.env_remove(variable);
    }
    // Ctrl-C goes to every process of the terminal's group: each node stops by it, once.
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(log)).kill_on_drop(true);
    process.spawn().map_err(|error| failed(format!("{name} could not be started: {error}")))
}

/// Waits until all answer, says where they are, and then for Ctrl-C; a node that ends before is told about.
async fn attend(nodes: &mut [Node]) -> Result<(), Failed> {
    let mut interrupted = std::pin::pin!(super::stop_signal());
    tokio::select! {
        started = tokio::time::timeout(START_TIMEOUT, all_ready(nodes)) => started
            .unwrap_or_else(|_| Err(failed(format!("the nodes did not get ready within {START_TIMEOUT:?}"))))?,
        () = &mut interrupted => return Ok(()),
    }
    welcome(nodes);
    let mut gone = BTreeSet::new();
    loop {
        tokio::select! {
            (index, status) = next_end(nodes, &gone) => {
                gone.insert(index);
                let (node, left) = (&nodes[index], nodes.len() - gone.len());
                say(&format!("\n{} ended ({}); {left} left", node.name, ending(status)));
                say(&format!("  its log:       {}", quoted(&node.folder.join("log.jsonl").display().to_string())));
                if status.success() {
                    // It was taken out: the list that it was started with is of the past.
                    let other = nodes.iter().enumerate().find(|(index, _)| !gone.contains(index));
                    if let Some((_, other)) = other {
                        say(&format!("  join again:    {}", join_command(&node.name, node.http - 1, other.http)));
                        continue;
                    }
                }
                let arguments: Vec<String> = node.arguments.iter().map(|argument| quoted(argument)).collect();
                say(&format!("  bring it back: {} {}", program(), arguments.join(" ")));
                if left == 0 {
                    return Err(failed("no node is left"));
                }
            }
            () = &mut interrupted => return Ok(()),
        }
    }
}

/// Where everything is, and what to try first. The commands can be pasted as they are.
fn welcome(nodes: &[Node]) {
    let (first, last) = (&nodes[0], &nodes[nodes.len() - 1]);
    let (program, url) = (program(), |node: &Node| format!("http://127.0.0.1:{}", node.http));
    say(&table(nodes).to_string());
    say(&format!("The page:      {}/ui/", url(first)));
    say(&format!("Store a key:   {program} set greeting hello --url {}", url(first)));
    say(&format!("Read it:       {program} get greeting --url {}", url(last)));
    say(&format!("Where it is:   curl {}/v1/explain/greeting", url(first)));
    say(&format!("Join one more: {}", join_command(&format!("n{}", nodes.len() + 1), last.http, first.http)));
    say(&format!("Take one out:  {program} cluster remove {} --url {}", last.name, url(first)));
    say(&format!("Kill a node:   kill -9 {}", last.child.id().unwrap_or(0)));
    say("End:           Ctrl-C");
}

/// What starts a node of that name at the port after that one, as a member of the cluster in which that other one is.
fn join_command(name: &str, port: u16, seed: u16) -> String {
    let port = port.saturating_add(1);
    let join = format!("--join http://127.0.0.1:{seed} --port {port} --peer-port 0");
    format!("{} serve --node {name} {join}", program())
}

/// A line for whoever reads along. That nobody does any more is no reason to end the nodes.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// This program as a shell finds it from here: as it was called, without the path of this folder.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_else(|| PathBuf::from("vitrine"));
    let here = std::env::current_dir().unwrap_or_default();
    quoted(&called.strip_prefix(&here).unwrap_or(&called).display().to_string())
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Polls each node until it says that it is ready.
async fn all_ready(nodes: &mut [Node]) -> Result<(), Failed> {
    for node in nodes.iter_mut() {
        loop {
            if let Some(status) = node.child.try_wait().map_err(failed)? {
                let log = node.folder.join("log.jsonl");
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or("it said nothing").to_owned();
                return Err(failed(format!("{} did not start ({}): {last}", node.name, ending(status))));
            }
            if is_ready(node.http).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

async fn is_ready(port: u16) -> bool {
    let Ok(client) = Client::connect(&format!("http://127.0.0.1:{port}")).await else { return false };
    let mut client = client.with_timeout(Duration::from_secs(1));
    let answer = client.request(Method::GET, "/readyz", HeaderMap::new(), Bytes::new()).await;
    answer.is_ok_and(|answer| answer.status == StatusCode::OK)
}

/// The next node that ends by itself.
async fn next_end(nodes: &mut [Node], gone: &BTreeSet<usize>) -> (usize, ExitStatus) {
    let mut left: Vec<_> = nodes.iter_mut().enumerate().filter(|(index, _)| !gone.contains(index)).collect();
    let waits = left.iter_mut().map(|(index, node)| {
        let index = *index;
        Box::pin(async move { (index, node.child.wait().await) })
    });
    let ((index, status), ..) = futures_util::future::select_all(waits).await;
    (index, status.unwrap_or_default())
}

/// Asks every node to stop, and makes those that do not.
async fn end(nodes: &mut [Node]) {
    for node in nodes.iter_mut() {
        terminate(&mut node.child);
    }
    for node in nodes.iter_mut() {
        if tokio::time::timeout(STOP_TIMEOUT, node.child.wait()).await.is_err() {
            // It is reaped here; a failure means that it is gone already.
            let _ = node.child.kill().await;
        }
    }
}

#[cfg(unix)]
fn terminate(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended in the meantime.
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) {
    let _ = child.start_kill();
}

fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status.code().map_or_else(|| "killed".to_owned(), |code| format!("exit status {code}"))
}

fn table(nodes: &[Node]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["node", "pid", "HTTP", "peers", "folder"]);
    for node in nodes {
        table.add_row([
            node.name.clone(),
            node.child.id().map_or("-".to_owned(), |pid| pid.to_string()),
            format!("http://127.0.0.1:{}", node.http),
            format!("127.0.0.1:{}", node.peer),
            node.folder.display().to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_pasted() {
        let check = |text, expected| assert_eq!(quoted(text), expected);
        check("n1=127.0.0.1:7000@8000,n2=127.0.0.1:7001@8001", "n1=127.0.0.1:7000@8000,n2=127.0.0.1:7001@8001");
        check("--data", "--data");
        check("my data", "'my data'");
        check("it's", r"'it'\''s'");
        check("$HOME", "'$HOME'");
        check("", "''");
    }
}

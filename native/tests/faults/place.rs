//! Where nodes live: all on the loopback, or each in a network of its own, with links that can be cut.

use std::io::BufRead as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::ports;

/// Where the nodes of a cluster live.
pub enum Place {
    /// On the loopback: HTTP and peer ports.
    Loopback(Vec<(u16, u16)>),
    /// Each behind a virtual link to one bridge. The process that holds each network open.
    Networks(Vec<Child>),
}

impl Place {
    /// So many pairs of ports.
    pub fn loopback(nodes: usize) -> Place {
        let ports = ports::claim(2 * nodes as u16);
        Place::Loopback(ports.chunks(2).map(|pair| (pair[0], pair[1])).collect())
    }

    /// So many networks around a bridge. For a process that has been put into a network of its own.
    pub fn networks(nodes: usize) -> Place {
        run(&["ip", "link", "set", "lo", "up"]);
        run(&["ip", "link", "add", "hub", "type", "bridge"]);
        run(&["ip", "address", "add", "10.77.0.254/24", "dev", "hub"]);
        run(&["ip", "link", "set", "hub", "up"]);
        Place::Networks((0..nodes).map(network).collect())
    }

    pub fn len(&self) -> usize {
        match self {
            Place::Loopback(ports) => ports.len(),
            Place::Networks(holders) => holders.len(),
        }
    }

    /// Where a node serves HTTP.
    pub fn http(&self, node: usize) -> SocketAddr {
        match self {
            Place::Loopback(ports) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ports[node].0),
            Place::Networks(_) => SocketAddr::new(address(node), 8000),
        }
    }

    /// Where other nodes reach it.
    pub fn peer(&self, node: usize) -> SocketAddr {
        match self {
            Place::Loopback(ports) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ports[node].1),
            Place::Networks(_) => SocketAddr::new(address(node), 7000),
        }
    }

    /// A command that runs where that node lives.
    pub fn command(&self, node: usize, program: &str) -> Command {
        match self {
            Place::Loopback(_) => Command::new(program),
            Place::Networks(holders) => {
                let mut command = Command::new("nsenter");
                command.args(["--target", &holders[node].id().to_string(), "--net", "--", program]);
                command
            }
        }
    }

    /// From now on nothing that one sends reaches the other.
    pub fn cut(&self, from: usize, to: usize) {
        let from = address(from).to_string();
        self.inside(to, &["iptables", "--append", "INPUT", "--source", &from, "--jump", "DROP"]);
    }

    /// Everything reaches everybody again.
    pub fn heal(&self) {
        (0..self.len()).for_each(|node| self.inside(node, &["iptables", "--flush", "INPUT"]));
    }

    fn inside(&self, node: usize, words: &[&str]) {
        let status = self.command(node, words[0]).args(&words[1..]).status().expect("the command starts");
        assert!(status.success(), "{words:?}: {status}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Networks(holders) = self {
            for holder in holders {
                let _ = holder.kill();
                let _ = holder.wait();
            }
        }
    }
}

/// Why networks cannot be made here, or `None` if they can. Tried in a network that ends with the try.
pub fn obstacle() -> Option<String> {
    let make = "ip link add veth1 type veth peer name veth2 && iptables --append INPUT --source 10.77.0.1 --jump DROP";
    let tried = Command::new("unshare").args(["--user", "--map-root-user", "--net", "sh", "-c", make]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// A network with one link to the bridge, held open by a process that waits for its input to end.
fn network(node: usize) -> Child {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", "echo ready; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().expect("unshare starts");
    let mut ready = String::new();
    std::io::BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut ready).expect("it says so");
    let (pid, link) = (holder.id().to_string(), format!("n{}", node + 1));
    run(&["ip", "link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
    run(&["ip", "link", "set", &link, "master", "hub", "up"]);
    let inside = |words: &[&str]| run(&[&["nsenter", "--target", &pid, "--net", "--"], words].concat());
    inside(&["ip", "address", "add", &format!("{}/24", address(node)), "dev", "eth0"]);
    inside(&["ip", "link", "set", "eth0", "up"]);
    inside(&["ip", "link", "set", "lo", "up"]);
    holder
}

fn address(node: usize) -> IpAddr {
    Ipv4Addr::new(10, 77, 0, node as u8 + 1).into()
}

fn run(words: &[&str]) {
    let status = Command::new(words[0]).args(&words[1..]).status().expect("the command starts");
    assert!(status.success(), "{words:?}: {status}");
}

//! Nodes in the process of a test: real servers with real sockets on free ports of this machine.

use std::net::TcpListener;

use vitrine::load::Origin;
use vitrine::server::Server;
use vitrine::settings::{Layers, Settings};

/// One node, alone, with settings on top of the defaults: `("capacity", "100")`.
pub fn node(settings: &[(&str, &str)]) -> Server {
    start(&[&[("port", "0"), ("workers", "1")], settings].concat()).unwrap_or_else(|error| panic!("{error}"))
}

/// A cluster of nodes `n1`, `n2`, … with settings on top of the defaults.
pub fn cluster(count: usize, settings: &[(&str, &str)]) -> Vec<Server> {
    // A port that was found free may be taken before a node binds it: then all is begun anew.
    let mut tries = 0;
    loop {
        tries += 1;
        match cluster_on(&free_ports(2 * count), settings) {
            Ok(nodes) => return nodes,
            Err(error) => assert!(tries < 5, "{error}"),
        }
    }
}

fn cluster_on(ports: &[u16], settings: &[(&str, &str)]) -> Result<Vec<Server>, String> {
    let count = ports.len() / 2;
    let (peers, https) = ports.split_at(count);
    let names: Vec<String> = (1..=count).map(|number| format!("n{number}")).collect();
    let members: Vec<String> =
        (0..count).map(|at| format!("{}=127.0.0.1:{}@{}", names[at], peers[at], https[at])).collect();
    let members = members.join(",");
    let one = |at: usize| {
        let (http, peer) = (https[at].to_string(), peers[at].to_string());
        let own = [("node", &*names[at]), ("members", &members), ("port", &http), ("peer-port", &peer)];
        start(&[&own[..], &[("workers", "1")], settings].concat())
    };
    (0..count).map(one).collect()
}

/// Held until all are chosen, so that none is chosen twice.
fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    held.iter().map(|held| held.local_addr().expect("a bound address").port()).collect()
}

/// Where a node serves HTTP.
pub fn origin(node: &Server) -> Origin {
    node.http_address().to_string().parse().expect("an address is an origin")
}

fn start(settings: &[(&str, &str)]) -> Result<Server, String> {
    let mut layers = Layers::defaults();
    // A folder that is not there: these nodes leave nothing behind.
    layers.add_flag("data", "no-such-folder");
    layers.add_flag("fsync", "off");
    for (name, value) in settings {
        layers.add_flag(name, value);
    }
    let settings = Settings::resolve(&layers).map_err(|error| error.to_string())?;
    Server::start(&settings).map_err(|error| error.to_string())
}

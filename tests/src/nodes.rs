//! Nodes in the process of a test: real servers with real sockets on free ports of this machine.

use vitrine::load::Origin;
use vitrine::server::Server;
use vitrine::settings::{Layers, Settings};

use crate::ports;

/// One node, alone, with settings on top of the defaults: `("capacity", "100")`.
pub fn node(settings: &[(&str, &str)]) -> Server {
    start(&[&[("port", "0"), ("workers", "1")], settings].concat()).unwrap_or_else(|error| panic!("{error}"))
}

/// A cluster of nodes `n1`, `n2`, … with settings on top of the defaults.
pub fn cluster(count: usize, settings: &[(&str, &str)]) -> Vec<Server> {
    let ports = ports::claim(2 * count as u16);
    let (peers, https) = ports.split_at(count);
    let names: Vec<String> = (1..=count).map(|number| format!("n{number}")).collect();
    let members: Vec<String> =
        (0..count).map(|at| format!("{}=127.0.0.1:{}@{}", names[at], peers[at], https[at])).collect();
    let members = members.join(",");
    let one = |at: usize| {
        let (http, peer) = (https[at].to_string(), peers[at].to_string());
        let own = [("node", &*names[at]), ("members", &members), ("port", &http), ("peer-port", &peer)];
        start(&[&own[..], &[("workers", "1")], settings].concat()).unwrap_or_else(|error| panic!("{error}"))
    };
    (0..count).map(one).collect()
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

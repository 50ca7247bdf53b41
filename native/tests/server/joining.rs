//! Nodes that ask for their place: seeds that are wrong or dead beside one that is right, and many at once.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::members::{all_there, fill, join, steady_with, url};
use crate::support::{Cluster, Node, eventually};

/// A server that is no node: it answers everything with that, and counts how often.
struct Stranger {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
}

impl Stranger {
    fn at(address: &str, head: &'static str, body: &'static str) -> std::io::Result<Stranger> {
        let listener = TcpListener::bind(address)?;
        let (address, asked) = (listener.local_addr()?, Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&asked);
        // It goes with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4_096]);
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            }
        });
        Ok(Stranger { address, asked })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

#[test]
fn what_no_node_of_the_cluster_says_ends_no_join() {
    let cluster = Cluster::start(2, &[]);
    let data = tempfile::tempdir().expect("a folder");
    fill(cluster.node(0));
    let elsewhere = Node::start(data.path(), &["--node", "m1", "--cluster-name", "other", "--peer-port", "0"]);
    let answers = [
        ("404 Not Found\r\ncontent-type: text/html", "<h1>no such page</h1>"),
        ("400 Bad Request\r\ncontent-type: application/problem+json", r#"{"title":"no","detail":"no","code":"E7"}"#),
        // Its words, and not its form.
        ("409 Conflict\r\ncontent-type: application/json", r#"{"code":"refused","detail":"no"}"#),
        ("301 Moved Permanently\r\nlocation: https://example.org/", ""),
        ("200 OK\r\ncontent-type: application/json", "{}"),
        ("200 OK\r\ncontent-type: application/json", r#"{"map":"AAAA"}"#),
        ("202 Accepted\r\ncontent-type: application/json", "[]"),
    ];
    let strangers: Vec<Stranger> =
        answers.into_iter().map(|(head, body)| Stranger::at("127.0.0.1:0", head, body).expect("a free port")).collect();
    let mut seeds: Vec<String> = strangers.iter().map(Stranger::url).collect();
    seeds.extend([url(&elsewhere), url(cluster.node(1))]);
    let joiner = join("n3", &seeds, data.path(), &[]).unwrap_or_else(|said| panic!("{said}"));
    eventually("everything has moved", || {
        [cluster.node(0), &joiner].iter().all(|node| steady_with(node, &["n1", "n2", "n3"]))
    });
    all_there(&joiner);
    let asked = strangers.iter().map(|stranger| stranger.asked.load(Ordering::SeqCst));
    assert!(asked.clone().all(|times| times > 0), "each was asked: {:?}", asked.collect::<Vec<_>>());

    // Where there is nobody else, another cluster's word is final, and any refusal of the cluster's own.
    let refused = join("n4", &[url(&elsewhere)], data.path(), &[]).err().expect("it does not start");
    assert!(refused.contains("this is the cluster `other`, and not `vitrine`"), "{refused}");
    let seeds = [strangers[0].url(), url(cluster.node(0))];
    let refused = join("n4", &seeds, data.path(), &["--replicas", "3"]).err().expect("it does not start");
    assert!(
        refused.contains("the cluster has --replicas 2") && refused.contains("no node of this cache (404"),
        "{refused}"
    );
}

#[test]
fn eight_that_join_at_once_all_end_with_one_map() {
    let data = tempfile::tempdir().expect("a folder");
    let first = Node::start(data.path(), &["--peer-port", "0", "--workers", "1"]);
    let seed = [url(&first)];
    let joined: Vec<Node> = std::thread::scope(|scope| {
        let one = |number: usize| {
            let (seed, data) = (&seed, data.path());
            scope.spawn(move || join(&format!("n{number}"), seed, data, &[]).unwrap_or_else(|said| panic!("{said}")))
        };
        let all: Vec<_> = (2..10).map(one).collect();
        all.into_iter().map(|node| node.join().expect("it joins")).collect()
    });
    let all: Vec<&Node> = std::iter::once(&first).chain(&joined).collect();
    let seen = |node: &Node| {
        let document = node.ask("GET", "/v1/cluster").json();
        let members = document["members"].as_array().expect("a list").iter();
        let members = members.map(|member| (member["name"].to_string(), member["id"].to_string()));
        (document["epoch"].to_string(), document["phase"].to_string(), members.collect::<BTreeSet<_>>())
    };
    let alive = |node: &Node| {
        let document = node.ask("GET", "/v1/cluster").json();
        document["members"].as_array().expect("a list").iter().filter(|member| member["alive"] == true).count()
    };
    eventually("all see all alive, and nothing moves", || {
        all.iter().all(|node| alive(node) == all.len() && seen(node).1.contains("steady"))
    });
    let [one, others] = [&all[..1], &all[1..]];
    let map = seen(one[0]);
    assert_eq!(map.2.len(), 9, "{map:?}");
    for node in others {
        assert_eq!(seen(node), map);
    }
    assert!(all.iter().all(|node| node.ask("GET", "/readyz").status == 200));
    // Each has its share, and all serve.
    let slots = |node: &Node| {
        let document = node.ask("GET", "/v1/cluster").json();
        let members = document["members"].as_array().expect("a list").clone();
        members.iter().map(|member| member["primary_slots"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    let shares = slots(&first);
    assert!(shares.iter().all(|share| *share > 0) && shares.iter().sum::<u64>() == 16_384, "{shares:?}");
    fill(joined.last().expect("eight"));
    all.iter().for_each(|node| all_there(node));
}

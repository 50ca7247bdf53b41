//! How a node finds its map when it starts: on its disk, by asking to join, or in the list.
//!
//! The map on disk goes before the list: members have come and gone since, and only where they are the list knows
//! better. A node that is told to join asks the nodes it was given, one after the other and again and again, until the
//! map has it. One that has a map and is somewhere else now tells the others so.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use vitrine_engine::codec;
use vitrine_engine::hash::Fingerprint;
use vitrine_engine::id::{Epoch, NodeId};
use vitrine_engine::rng::Rng;
use vitrine_engine::view::{Map, Member};

use crate::http::PROBLEM;
use crate::load::{Client, Origin, Response, Stopwatch};
use crate::map_file::{MapError, MapFile};
use crate::settings::{Settings, bracketed};

/// What a node that wants to join says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The cluster that it believes it joins.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Where its peers reach it: `HOST:PORT`.
    pub peer_address: String,
    /// Where its clients reach it: `HOST:PORT`.
    pub http_address: String,
    /// The share of the slots that it asks for.
    pub weight: u32,
    /// Where it stands; may be empty.
    #[serde(default)]
    pub zone: String,
    /// Copies of each entry, where it was told how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u8>,
    /// Points on the ring, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_nodes: Option<u16>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The map that it is in, as `codec::map` writes it, in base64; `None` while it is not: it asks again.
    pub map: Option<String>,
}

/// Why a node has no map.
#[derive(Debug)]
pub enum BootError {
    /// The one that was kept cannot be used.
    Map(MapError),
    /// The cluster does not take this node in, and will not when it asks again.
    Refused {
        /// The node that says so.
        origin: Origin,
        /// Why.
        why: String,
    },
    /// No seed has given it a place in time.
    Unreachable {
        /// What the last one said.
        why: String,
    },
    /// What was asked for is not what the kept map says, and may never differ.
    Differs {
        /// The setting.
        setting: &'static str,
        /// What was asked for.
        asked: u16,
        /// What the map says.
        kept: u16,
        /// Where it is kept.
        path: PathBuf,
    },
    /// Peers cannot reach it, which a member has to allow.
    NoPeerPort,
}

/// Between two times that it asks: from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// How long one node is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// With a map of its own, a node does not ask for longer whether there is a newer one.
const NEWS: Duration = Duration::from_secs(4);
/// A name that is taken is free soon, where its bearer has only just ended.
const TAKEN: Duration = Duration::from_secs(5);
/// It says that it is still waiting once in so many rounds.
const SAID: u32 = 10;
/// So many different answers are said when they first come, each once.
const MOST_SAID: usize = 100;
/// What a node of the cluster says that will not take this one in: no other node would, nor later.
const FINAL: [&str; 3] = ["refused", "bad_parameter", "bad_json"];

/// The settings of a node whose ports are bound, with the map that it begins with and its number in it.
pub async fn enter(mut settings: Settings, http: SocketAddr, peer: Option<SocketAddr>) -> Result<Settings, BootError> {
    settings.listens_at(http.port(), peer.map(|address| address.port()));
    let name = settings.name().to_owned();
    let file = MapFile::new(&settings.data, &name, &settings.cluster_name);
    let kept = if settings.data.is_dir() { file.read().map_err(BootError::Map)? } else { None };
    let Some(kept) = kept.filter(|map| map.named(&name).is_some()) else {
        if !settings.join.is_empty() {
            let map = Joining::new(&settings, &settings.join, None, http, peer)?.ask(None).await?;
            settings.stands_in(&map);
        }
        return Ok(settings);
    };
    tracing::info!(epoch = kept.epoch.0, members = kept.members.len(), "the map of an earlier run is there");
    agrees(&settings, &kept, &file)?;
    let others: Vec<Origin> = kept.members.iter().filter(|member| member.name != name).map(at_http).collect();
    let listed = Arc::clone(&settings.map);
    if !settings.lone || others.is_empty() && settings.join.is_empty() {
        // Where it differs, the list is the newer one: all who are given it make the same of it.
        settings.stands_in(&readdressed(&kept, &listed));
        return Ok(settings);
    }
    let own = kept.named(&name).expect("it was looked for");
    let mut seeds = settings.join.clone();
    let joining = Joining::new(&settings, &[], Some(own), http, peer);
    let moved = joining.as_ref().is_ok_and(|joining| {
        let Application { peer_address, http_address, .. } = &joining.application;
        (peer_address, http_address) != (&own.peer_address, &own.http_address)
    });
    if seeds.is_empty() && !moved {
        settings.stands_in(&kept);
        return Ok(settings);
    }
    seeds.extend(others);
    let before = Some(own).filter(|_| settings.join.is_empty());
    let map = match Joining::new(&settings, &seeds, before, http, peer)?.ask(Some(NEWS)).await {
        Ok(map) if map.edition() > kept.edition() => map,
        Ok(_) => kept,
        Err(BootError::Unreachable { why }) => {
            tracing::warn!(why, "nobody answers: this node begins with the map that it kept");
            kept
        }
        Err(refused) => return Err(refused),
    };
    settings.stands_in(&map);
    Ok(settings)
}

/// Who says what a name stands for.
trait Names {
    async fn addresses(&self, seed: &Origin) -> std::io::Result<Vec<SocketAddr>>;
}

/// The system does.
struct System;

impl Names for System {
    async fn addresses(&self, seed: &Origin) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((seed.host(), seed.port())).await?.collect())
    }
}

/// A node that asks for its place.
struct Joining<'a> {
    application: Application,
    seeds: &'a [Origin],
    /// Where this node itself listens.
    port: u16,
}

impl<'a> Joining<'a> {
    /// By those seeds. Where nobody names the host of this node it is that of before, or else empty: it becomes the
    /// address by which the seed is reached.
    fn new(
        settings: &Settings,
        seeds: &'a [Origin],
        before: Option<&Member>,
        http: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> Result<Joining<'a>, BootError> {
        let peer_port = peer.ok_or(BootError::NoPeerPort)?.port();
        let known = before.and_then(|member| Some(member.http_address.rsplit_once(':')?.0.to_owned()));
        let host = settings.advertise.clone().or(known).unwrap_or_default();
        let application = Application {
            cluster: settings.cluster_name.clone(),
            name: settings.name().to_owned(),
            peer_address: format!("{host}:{peer_port}"),
            http_address: format!("{host}:{}", http.port()),
            weight: settings.weight,
            zone: settings.zone.clone(),
            replicas: settings.replicas_given.then_some(settings.map.replicas),
            virtual_nodes: settings.virtual_nodes_given.then_some(settings.map.virtual_nodes),
        };
        Ok(Joining { application, seeds, port: http.port() })
    }

    /// Asks every address of every seed, again and again, for as long as that: the map that this node is in.
    ///
    /// A refusal is final only in the words of a node of the cluster. A name may also stand for some other server, or
    /// be written wrong: what that says is reported, and the others are asked all the same.
    async fn ask(&self, patience: Option<Duration>) -> Result<Arc<Map>, BootError> {
        self.ask_by(&System, patience).await
    }

    async fn ask_by(&self, names: &impl Names, patience: Option<Duration>) -> Result<Arc<Map>, BootError> {
        let mut rng = Rng::new(u64::from(std::process::id()), "join");
        let (mut pause, mut round, mut taken) = (PAUSES[0], 0, None);
        let begun = Stopwatch::start();
        let mut said = BTreeSet::new();
        loop {
            let (mut last, mut foreign, mut undecided) = (None, None, false);
            for (origin, address) in self.addresses(names, &mut last).await {
                match self.ask_at(&origin, address).await {
                    Ok(Some(map)) if map.named(&self.application.name).is_some() => return Ok(map),
                    // The one that was asked knows, and the cluster has yet to decide.
                    Ok(_) => {
                        undecided = true;
                        break;
                    }
                    Err(Problem::Taken(why)) if taken.get_or_insert(Stopwatch::start()).elapsed() < TAKEN => {
                        last = Some((origin, why));
                    }
                    Err(Problem::Refused(why) | Problem::Taken(why)) => {
                        return Err(BootError::Refused { origin, why });
                    }
                    Err(Problem::Foreign(why)) => foreign = Some((origin, why)),
                    Err(Problem::Passing(why)) => {
                        if said.len() < MOST_SAID && said.insert((address, why.clone())) {
                            tracing::warn!(%origin, %address, why, "no answer there that counts; others are asked");
                        }
                        last = Some((origin, why));
                    }
                    Err(Problem::Itself) => {}
                }
            }
            match foreign {
                // Whoever could be asked is of another cluster.
                Some((origin, why)) if last.is_none() && !undecided => {
                    return Err(BootError::Refused { origin, why });
                }
                other => last = last.or(other),
            }
            if let Some((origin, why)) = &last
                && round % SAID == SAID - 1
            {
                tracing::warn!(%origin, why, "could not ask there to join; trying on");
            }
            if patience.is_some_and(|patience| begun.elapsed() >= patience) {
                let undecided = || "the cluster has yet to decide".to_owned();
                let why = last.map_or_else(undecided, |(origin, why)| format!("{origin}: {why}"));
                return Err(BootError::Unreachable { why });
            }
            round += 1;
            let jitter = Duration::from_micros(rng.below(vitrine_engine::time::micros(pause)));
            tokio::time::sleep(pause / 2 + jitter).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    /// Every address that the names of the seeds stand for now.
    async fn addresses(&self, names: &impl Names, last: &mut Option<(Origin, String)>) -> Vec<(Origin, SocketAddr)> {
        let mut all = Vec::new();
        for seed in self.seeds {
            match names.addresses(seed).await {
                Ok(found) => all.extend(found.into_iter().map(|address| (seed.clone(), address))),
                Err(error) => *last = Some((seed.clone(), error.to_string())),
            }
        }
        all
    }

    async fn ask_at(&self, origin: &Origin, address: SocketAddr) -> Result<Option<Arc<Map>>, Problem> {
        let passing = |error: &dyn fmt::Display| Problem::Passing(error.to_string());
        let exchange = async {
            let stream = TcpStream::connect(address).await.map_err(|error| passing(&error))?;
            let local = stream.local_addr().map_err(|error| passing(&error))?;
            // A name may stand for all who are to find each other by it.
            if local.ip() == address.ip() && address.port() == self.port {
                return Err(Problem::Itself);
            }
            let mut application = self.application.clone();
            for text in [&mut application.peer_address, &mut application.http_address] {
                if text.starts_with(':') {
                    *text = format!("{}{text}", bracketed(local.ip()));
                }
            }
            let client = Client::over(stream, origin.clone()).await.map_err(|error| passing(&error))?;
            let body = serde_json::to_vec(&application).map_err(|error| passing(&error))?;
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            let mut client = client.with_timeout(PATIENCE);
            let asked = client.request(Method::POST, "/v1/cluster/members", headers, Bytes::from(body)).await;
            asked.map_err(|error| passing(&error))
        };
        let response = tokio::time::timeout(PATIENCE, exchange).await;
        let response = response.unwrap_or_else(|_| Err(Problem::Passing("it did not answer in time".to_owned())))?;
        understood(&response)
    }
}

/// What an answer comes to, whoever gave it.
fn understood(response: &Response) -> Result<Option<Arc<Map>>, Problem> {
    let status = response.status;
    let stranger = || Problem::Passing(format!("what answers there is no node of this cache ({status})"));
    let document: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if !status.is_success() {
        let media = response.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let is_ours = media.starts_with(PROBLEM);
        let (Some(code), Some(why)) = (document["code"].as_str(), document["detail"].as_str()) else {
            return Err(stranger());
        };
        let why = why.to_owned();
        return Err(match code {
            _ if !is_ours => stranger(),
            "name_taken" => Problem::Taken(why),
            "other_cluster" => Problem::Foreign(why),
            code if FINAL.contains(&code) => Problem::Refused(why),
            _ => Problem::Passing(why),
        });
    }
    // Any JSON is an admission without a map, if one only looks for that.
    match (status, document.get("map")) {
        (StatusCode::ACCEPTED, Some(serde_json::Value::Null)) => Ok(None),
        (StatusCode::OK, Some(serde_json::Value::String(text))) => {
            let bytes = BASE64.decode(text).map_err(|_| stranger())?;
            codec::map::decode(bytes.into()).map(Some).map_err(|error| Problem::Passing(error.to_string()))
        }
        _ => Err(stranger()),
    }
}

/// Why an application came to nothing: for good, for now, or because nobody was asked.
#[derive(Debug)]
enum Problem {
    /// By a node of the cluster.
    Refused(String),
    /// By a node of another cluster. The one that is looked for may have the same name, or another seed.
    Foreign(String),
    /// A member of that name is believed alive: it may be the one whose place this node takes.
    Taken(String),
    Passing(String),
    Itself,
}

/// Where a member is asked. One without an address is asked nowhere: its URL leads to nobody.
fn at_http(member: &Member) -> Origin {
    member.http_address.parse().unwrap_or_else(|_| "127.0.0.1:9".parse().expect("an address is an origin"))
}

/// Copies and points on the ring stay as they are for as long as a cluster lives.
fn agrees(settings: &Settings, kept: &Map, file: &MapFile) -> Result<(), BootError> {
    let ours = &settings.map;
    for (setting, given, asked, kept) in [
        ("replicas", settings.replicas_given, u16::from(ours.replicas), u16::from(kept.replicas)),
        ("virtual-nodes", settings.virtual_nodes_given, ours.virtual_nodes, kept.virtual_nodes),
    ] {
        if given && asked != kept {
            return Err(BootError::Differs { setting, asked, kept, path: file.path().to_owned() });
        }
    }
    Ok(())
}

/// The same map, with members where that list has them: another edition, when that is somewhere else. Who is placed
/// where stays as it is, and all who are told the same make the same of it; so nobody needs to be asked.
fn readdressed(map: &Arc<Map>, list: &Map) -> Arc<Map> {
    let mut members = map.members.clone();
    for member in &mut members {
        if let Some(listed) = list.named(&member.name) {
            member.peer_address.clone_from(&listed.peer_address);
            member.http_address.clone_from(&listed.http_address);
        }
    }
    if members == map.members {
        return Arc::clone(map);
    }
    let mut fingerprint = Fingerprint::default();
    for member in &members {
        fingerprint.add(member.peer_address.as_bytes());
        fingerprint.add(member.http_address.as_bytes());
    }
    let (epoch, boot) = (Epoch(map.epoch.0 + 1), fingerprint.0);
    Arc::new(Map { epoch, by: NodeId(0), boot, members, ..Map::clone(map) })
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Map(error) => error.fmt(f),
            BootError::Refused { origin, why } => {
                write!(f, "the cluster of {origin} does not take this node in: {why}")
            }
            BootError::Unreachable { why } => write!(f, "nobody gives this node a place: {why}"),
            BootError::Differs { setting, asked, kept, path } => write!(
                f,
                "--{setting} is {asked}, and the cluster of this node has {kept} by the map in {}: that stays as it \
                 is; leave the setting out",
                path.display()
            ),
            BootError::NoPeerPort => f.write_str("a node that joins needs a port for its peers: see --peer-port"),
        }
    }
}

impl std::error::Error for BootError {}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::settings::Layers;

    /// One name for all of them.
    struct Same(Vec<SocketAddr>);

    impl Names for Same {
        async fn addresses(&self, _: &Origin) -> std::io::Result<Vec<SocketAddr>> {
            Ok(self.0.clone())
        }
    }

    /// Answers everything with that.
    async fn server(answer: String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn said(status: &str, media: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_asked_until_one_is_of_the_cluster() {
        let settings = Settings::resolve(&Layers::defaults()).expect("the defaults are settings");
        let map = BASE64.encode(codec::map::encode(&settings.map));
        let node = server(said("200 OK", "application/json", &format!(r#"{{"map":"{map}"}}"#))).await;
        let web = server(said("404 Not Found", "text/html", "no")).await;
        let problem = |code: &str| {
            let body = format!(r#"{{"code":"{code}","detail":"{code} it is"}}"#);
            said("409 Conflict", PROBLEM, &body)
        };
        let (other, refusing) = (server(problem("other_cluster")).await, server(problem("refused")).await);
        let unknown = server(problem("teapot")).await;
        // Nobody listens on a port that takes a privilege and has no use.
        let closed = SocketAddr::from(([127, 0, 0, 1], 2));
        let seeds = ["http://cache:8000".parse().expect("a URL")];
        let here = SocketAddr::from(([127, 0, 0, 1], 1));
        let check = async |addresses: &[SocketAddr], expected: Result<(), &str>| {
            let joining = Joining::new(&settings, &seeds, None, here, Some(here)).expect("it has a port for peers");
            let asked = joining.ask_by(&Same(addresses.to_vec()), Some(Duration::ZERO)).await;
            match (asked, expected) {
                (Ok(given), Ok(())) => assert_eq!(given, settings.map),
                (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected, "{addresses:?}"),
                (asked, _) => panic!("{addresses:?}: {asked:?}"),
            }
        };
        check(&[closed, web, other, unknown, node], Ok(())).await;
        check(&[node, refusing], Ok(())).await;
        let refused = |why: &str| format!("the cluster of http://cache:8000 does not take this node in: {why}");
        check(&[web, refusing, node], Err(&refused("refused it is"))).await;
        check(&[other], Err(&refused("other_cluster it is"))).await;
        let unreachable = |why: &str| format!("nobody gives this node a place: http://cache:8000: {why}");
        check(&[other, web], Err(&unreachable("what answers there is no node of this cache (404 Not Found)"))).await;
        check(&[web, unknown], Err(&unreachable("teapot it is"))).await;
    }
}

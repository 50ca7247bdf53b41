//! How a node finds its map when it starts: on its disk, by asking to join, or in the list.
//!
//! The map on disk goes before the list: members have come and gone since. A node that is told to join asks the nodes
//! it was given, one after the other and again and again, until the map has it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use vitrine_engine::codec;
use vitrine_engine::rng::Rng;
use vitrine_engine::view::Map;

use crate::load::{Client, ClientError, Origin};
use crate::map_file::{MapError, MapFile};
use crate::settings::Settings;

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
    /// Peers cannot reach it, which a member has to allow.
    NoPeerPort,
}

/// Between two times that it asks: from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// How long one node is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// It says that it is still waiting once in so many rounds.
const SAID: u32 = 10;

/// The settings of a node whose ports are bound, with the map that it begins with and its number in it.
pub async fn enter(mut settings: Settings, http: SocketAddr, peer: Option<SocketAddr>) -> Result<Settings, BootError> {
    settings.listens_at(http.port(), peer.map(|address| address.port()));
    let name = settings.name().to_owned();
    if settings.data.is_dir() {
        let file = MapFile::new(&settings.data, &name, &settings.cluster_name);
        if let Some(map) = file.read().map_err(BootError::Map)? {
            tracing::info!(epoch = map.epoch.0, members = map.members.len(), "the map of an earlier run is there");
            if settings.stands_in(&map) {
                return Ok(settings);
            }
        }
    }
    if settings.join.is_empty() {
        return Ok(settings);
    }
    let peer_port = peer.ok_or(BootError::NoPeerPort)?.port();
    let application = Application {
        cluster: settings.cluster_name.clone(),
        name,
        peer_address: format!("{}:{peer_port}", settings.advertise),
        http_address: format!("{}:{}", settings.advertise, http.port()),
        weight: settings.weight,
        zone: settings.zone.clone(),
    };
    let mut rng = Rng::new(u64::from(std::process::id()), "join");
    let (mut pause, mut round) = (PAUSES[0], 0);
    loop {
        for origin in &settings.join {
            match ask(origin, &application).await {
                Ok(Some(map)) if map.named(&application.name).is_some() => {
                    settings.stands_in(&map);
                    return Ok(settings);
                }
                // The one that was asked knows, and the cluster has yet to decide.
                Ok(_) => break,
                Err(Problem::Refused(why)) => return Err(BootError::Refused { origin: origin.clone(), why }),
                Err(Problem::Passing(why)) if round % SAID == 0 => {
                    tracing::warn!(%origin, why, "could not ask there to join; trying on");
                }
                Err(Problem::Passing(_)) => {}
            }
        }
        round += 1;
        let jitter = Duration::from_micros(rng.below(vitrine_engine::time::micros(pause)));
        tokio::time::sleep(pause / 2 + jitter).await;
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// Why an application came to nothing: for good, or for now.
enum Problem {
    Refused(String),
    Passing(String),
}

async fn ask(origin: &Origin, application: &Application) -> Result<Option<Arc<Map>>, Problem> {
    let passing = |error: ClientError| Problem::Passing(error.to_string());
    let exchange = async {
        let mut client = Client::open(origin.clone()).await.map_err(passing)?.with_timeout(PATIENCE);
        let body = serde_json::to_vec(application).map_err(|error| Problem::Passing(error.to_string()))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        client.request(Method::POST, "/v1/cluster/members", headers, Bytes::from(body)).await.map_err(passing)
    };
    let response = tokio::time::timeout(PATIENCE, exchange).await;
    let response = response.unwrap_or_else(|_| Err(Problem::Passing("it did not answer in time".to_owned())))?;
    if !response.status.is_success() {
        let document: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let why = document["detail"].as_str().unwrap_or("what answers there is no node of this cache").to_owned();
        return Err(if response.status.is_client_error() { Problem::Refused(why) } else { Problem::Passing(why) });
    }
    let admission: Admission =
        serde_json::from_slice(&response.body).map_err(|error| Problem::Passing(error.to_string()))?;
    let Some(text) = admission.map else { return Ok(None) };
    let bytes = BASE64.decode(text).map_err(|error| Problem::Passing(error.to_string()))?;
    codec::map::decode(bytes.into()).map(Some).map_err(|error| Problem::Refused(error.to_string()))
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Map(error) => error.fmt(f),
            BootError::Refused { origin, why } => {
                write!(f, "the cluster of {origin} does not take this node in: {why}")
            }
            BootError::NoPeerPort => f.write_str("a node that joins needs a port for its peers: see --peer-port"),
        }
    }
}

impl std::error::Error for BootError {}

//! `/v1/cluster/members` and `/v1/cluster/plan`: who is a member, how that changes, and what a change would move.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use vitrine_engine::codec;
use vitrine_engine::limits;
use vitrine_engine::map::{Refusal, Wish};
use vitrine_engine::plan::Plan;

use super::problem::Problem;
use super::query::Parameters;
use super::{Body, Front, answer, status};
use crate::boot::{Admission, Application};
use crate::members;

/// What is taken of a body: an application, or a weight.
const MAX_BODY: usize = 4_096;
/// What a plan may be asked for.
const PLAN_TAKES: &[&str] = &["join", "leave", "drain", "weight", "zone"];

/// What is changed of a member: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    weight: Option<u32>,
    zone: Option<String>,
}

/// `/v1/cluster/members`: all of them, or one more.
pub async fn all(front: &Front, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let view = front.shards.view();
            let (epoch, phase) = (view.map.epoch.0, view.map.phase.to_string());
            let members = status::members(front, &view);
            Ok(answer::json(StatusCode::OK, &json!({ "epoch": epoch, "phase": phase, "members": members })))
        }
        Method::POST => {
            let application: Application = document(front, request).await?;
            join(front, application).await
        }
        _ => Err(Problem::method("GET, HEAD, POST", "this path takes GET, and POST to join")),
    }
}

/// `/v1/cluster/members/{name}`: another weight or zone, or leave.
pub async fn one(front: &Front, name: &str, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
    let method = request.method().clone();
    if ![Method::PATCH, Method::DELETE].contains(&method) {
        let detail = "this path takes PATCH with a weight or a zone, and DELETE to remove the member";
        return Err(Problem::method("PATCH, DELETE", detail));
    }
    let name = name.to_owned();
    if front.shards.view().map.named(&name).is_none() {
        return Err(refused(Refusal::Unknown { name }));
    }
    let wish = match method == Method::DELETE {
        true => {
            let parameters = Parameters::parse(request.uri().query().unwrap_or(""), &["force"])?;
            let force = parameters.read("force", "true or false", |text| text.parse().ok())?;
            Wish::Leave { name, force: force == Some(true) }
        }
        false => {
            let Change { weight, zone } = document(front, request).await?;
            match (weight, zone) {
                (Some(weight), None) if weight > limits::MAX_WEIGHT => {
                    let detail = format!("the weight is {weight}; it takes 0 (no slots) to {}", limits::MAX_WEIGHT);
                    return Err(Problem::malformed("bad_weight", detail));
                }
                (Some(weight), None) => Wish::Weight { name, weight },
                (None, Some(zone)) if is_zone(&zone) => Wish::Zone { name, zone },
                (None, Some(_)) => {
                    return Err(Problem::malformed("bad_parameter", format!("`zone` takes {ZONE_TAKES}")));
                }
                _ => {
                    let detail = r#"the body is either {"weight":N} or {"zone":"NAME"}: one change at a time"#;
                    return Err(Problem::malformed("bad_json", detail.to_owned()));
                }
            }
        }
    };
    ask(front, wish.clone()).await?;
    let map = &front.shards.view().map;
    let granted = map.grants(&wish);
    let document = json!({ "granted": granted, "epoch": map.epoch.0, "phase": map.phase.to_string() });
    Ok(answer::json(if granted { StatusCode::OK } else { StatusCode::ACCEPTED }, &document))
}

async fn join(front: &Front, application: Application) -> Result<Response<Body>, Problem> {
    let Application { cluster, name, peer_address, http_address, weight, zone, replicas, virtual_nodes } = application;
    let conflict = |detail: String| Problem::new(StatusCode::CONFLICT, "refused", detail);
    if cluster != front.cluster_name {
        let detail = format!("this is the cluster `{}`, and not `{cluster}`", front.cluster_name);
        return Err(Problem::new(StatusCode::CONFLICT, "other_cluster", detail));
    }
    if !front.has_peers {
        let detail = "this node has no port for peers, so that nobody can join it: start it with a free --peer-port";
        return Err(conflict(detail.to_owned()));
    }
    let map = Arc::clone(&front.shards.view().map);
    for (setting, theirs, ours) in [
        ("replicas", replicas.map(u16::from), u16::from(map.replicas)),
        ("virtual-nodes", virtual_nodes, map.virtual_nodes),
    ] {
        if theirs.is_some_and(|theirs| theirs != ours) {
            return Err(conflict(format!(
                "the cluster has --{setting} {ours}, and it stays so: leave the setting out"
            )));
        }
    }
    let is_address = |text: &str| {
        let parts = text.rsplit_once(':');
        parts.is_some_and(|(host, port)| members::is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0))
    };
    let wrong = match () {
        () if !members::is_name(&name) => Some(("name", "1 to 64 letters, digits, '-', '_' or '.'")),
        () if !is_zone(&zone) => Some(("zone", ZONE_TAKES)),
        () if !is_address(&peer_address) => Some(("peer_address", "HOST:PORT")),
        () if !is_address(&http_address) => Some(("http_address", "HOST:PORT")),
        () if !(1..=limits::MAX_WEIGHT).contains(&weight) => Some(("weight", "a number, 1 to 1000")),
        () => None,
    };
    if let Some((field, takes)) = wrong {
        return Err(Problem::malformed("bad_parameter", format!("`{field}` takes {takes}")));
    }
    let view = front.shards.view();
    // One that is dead may have had an address that is given to others now.
    let at_it =
        |m: &&vitrine_engine::view::Member| m.peer_address == peer_address && m.name != name && view.is_alive(m.id);
    if let Some(other) = view.map.members.iter().find(at_it) {
        return Err(conflict(format!("the member `{}` is at {peer_address} already", other.name)));
    }
    let wish = Wish::Join { name, weight, zone, peer_address, http_address };
    ask(front, wish.clone()).await?;
    let map = &front.shards.view().map;
    let granted = map.grants(&wish);
    let admission = Admission { map: granted.then(|| BASE64.encode(codec::map::encode(map))) };
    let status = if granted { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(answer::json(status, &json!(admission)))
}

/// `/v1/cluster/plan?drain=n2`: what that would move.
pub fn plan(front: &Front, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let parameters = Parameters::parse(query.unwrap_or(""), PLAN_TAKES)?;
    let asked: Vec<&str> = PLAN_TAKES.iter().copied().filter(|name| parameters.get(name).is_some()).collect();
    let [change] = asked[..] else {
        let detail = format!("a plan is asked for with one of {}, as in ?drain=n2", PLAN_TAKES.join(", "));
        return Err(Problem::malformed("bad_parameter", detail));
    };
    let takes = match change {
        "weight" => "NAME:WEIGHT, as in n2:2",
        "zone" => "NAME:ZONE, as in n2:east",
        "join" => "NAME, NAME:WEIGHT or NAME:WEIGHT:ZONE, as in n4:1:east",
        _ => "the name of a member",
    };
    let wish = parameters.read(change, takes, |text| wish(change, text))?;
    let wish = wish.expect("the parameter is there");
    let map = &front.shards.view().map;
    if let Wish::Leave { name, .. } | Wish::Weight { name, .. } | Wish::Zone { name, .. } = &wish
        && map.named(name).is_none()
    {
        return Err(refused(Refusal::Unknown { name: name.clone() }));
    }
    let plan = Plan::of(map, &wish).map_err(refused)?;
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    front.shards.each(|shard| {
        entries += u64::from(shard.store().len());
        bytes += shard.store().bytes();
    });
    let view = front.shards.view();
    let held = vitrine_engine::id::Slot::all().filter(|slot| view.is_replica(*slot)).count() as u64;
    // What this node holds, as a measure of all: keys are spread over slots by their hash. One that keeps no slots, as
    // it is drained, cannot tell: null.
    let estimate = |total: u64, slots: u32| (total * u64::from(slots)).checked_div(held);
    let document = match plan {
        None => json!({ "moved_slots": 0, "copies": 0, "members": [], "detail": "it is so already" }),
        Some(plan) => json!({
            "moved_slots": plan.moved,
            "copies": plan.copies,
            "estimated_entries": estimate(entries, plan.moved),
            "estimated_bytes": estimate(bytes, plan.moved),
            "members": plan.members.iter().map(|share| json!({
                "name": share.name, "before": share.before, "after": share.after,
                "gains": share.gains, "loses": share.loses(),
            })).collect::<Vec<_>>(),
        }),
    };
    Ok(answer::json(StatusCode::OK, &document))
}

fn wish(change: &str, text: &str) -> Option<Wish> {
    let mut parts = text.split(':');
    let name = parts.next().filter(|name| members::is_name(name))?.to_owned();
    let rest: Vec<&str> = parts.collect();
    let weight = |text: &str| text.parse::<u32>().ok().filter(|n| *n <= limits::MAX_WEIGHT);
    match (change, &rest[..]) {
        ("join", [] | [_] | [_, _]) => {
            let weight = rest.first().map_or(Some(1), |text| weight(text))?.max(1);
            let zone = rest.get(1).copied().unwrap_or_default();
            let [peer_address, http_address] = [String::new(), String::new()];
            is_zone(zone).then(|| Wish::Join { name, weight, zone: zone.to_owned(), peer_address, http_address })
        }
        ("leave", []) => Some(Wish::Leave { name, force: false }),
        ("drain", []) => Some(Wish::Weight { name, weight: 0 }),
        ("weight", [text]) => Some(Wish::Weight { name, weight: weight(text)? }),
        ("zone", [zone]) if is_zone(zone) => Some(Wish::Zone { name, zone: (*zone).to_owned() }),
        _ => None,
    }
}

/// May that be a zone? Empty is where nobody says one.
fn is_zone(text: &str) -> bool {
    text.is_empty() || members::is_name(text)
}

const ZONE_TAKES: &str = "up to 64 letters, digits, '-', '_' or '.'";

/// Asks the control plane.
async fn ask(front: &Front, wish: Wish) -> Result<(), Problem> {
    let (sender, receiver) = oneshot::channel();
    let busy = |detail: &'static str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
    front.wishes.try_send((wish, sender)).map_err(|_| busy("too many changes are asked for at once; try again"))?;
    receiver.await.map_err(|_| busy("the node is stopping"))?.map_err(refused)
}

fn refused(refusal: Refusal) -> Problem {
    let (status, code) = match &refusal {
        Refusal::Unknown { .. } => (StatusCode::NOT_FOUND, "no_such_member"),
        Refusal::Form { .. } => (StatusCode::BAD_REQUEST, "bad_parameter"),
        Refusal::Full => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        Refusal::Moving => (StatusCode::SERVICE_UNAVAILABLE, "moving"),
        Refusal::Taken { .. } => (StatusCode::CONFLICT, "name_taken"),
        Refusal::LastCopy { .. } | Refusal::Sole { .. } => (StatusCode::CONFLICT, "last_copy"),
        Refusal::Awaited { .. } => (StatusCode::CONFLICT, "awaited"),
        Refusal::Last { .. } => (StatusCode::CONFLICT, "refused"),
    };
    let detail = match refusal {
        Refusal::LastCopy { .. } | Refusal::Sole { .. } | Refusal::Awaited { .. } => {
            format!("{refusal} (`?force=true`, or `vitrine cluster remove --force`)")
        }
        _ => refusal.to_string(),
    };
    Problem::new(status, code, detail)
}

async fn document<T: serde::de::DeserializeOwned>(front: &Front, request: Request<Incoming>) -> Result<T, Problem> {
    let taken = front.intake.take(request.into_body(), MAX_BODY).await?;
    serde_json::from_slice(&taken.bytes).map_err(|error| Problem::malformed("bad_json", format!("the body: {error}")))
}

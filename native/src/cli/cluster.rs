//! `vitrine cluster`: who is a member, what a change would move, and the changes themselves.

use std::io::IsTerminal as _;
use std::time::Duration;

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command};
use comfy_table::{CellAlignment, Table, presets};
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value as Json;

use super::client::{address, url};
use super::{Failed, failed, grouped};
use crate::load::client::{Client, ClientError, Response};

/// What can be typed.
pub fn command() -> Command {
    let name = || Arg::new("NAME").required(true).help("The member, as `cluster status` calls it");
    let no_wait = || {
        Arg::new("no-wait").long("no-wait").action(ArgAction::SetTrue).help("Do not wait until everything has moved")
    };
    let weight = || {
        let weight = clap::value_parser!(u32).range(0..=1_000);
        Arg::new("WEIGHT").required(true).value_parser(weight).help("Its share beside members of weight 1; 0: none")
    };
    let zone = || Arg::new("zone").value_name("ZONE").help("Where it stands: a rack, a data centre; \"\" for nowhere");
    Command::new("cluster")
        .about("Show the members of a cluster, and let them come and go")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("status").about("List the members, and what is moving").args([json(), url()]))
        .subcommand(
            Command::new("plan")
                .about("Say what a change would move, and change nothing")
                .arg(
                    Arg::new("CHANGE")
                        .required(true)
                        .value_parser(["join", "drain", "remove", "weight", "zone"])
                        .help("What would be changed"),
                )
                .arg(name().help("The member; for `join` the new one's name"))
                .arg(weight().required(false).help("For `weight` and `join`"))
                .arg(zone().long("zone").help("For `zone` and `join`: where it would stand"))
                .args([json(), url()]),
        )
        .subcommand(
            Command::new("drain").about("Move every slot off a member, which stays in the cluster without any").args([
                name(),
                no_wait(),
                url(),
            ]),
        )
        .subcommand(
            Command::new("remove")
                .about("Move every slot off a member, and take it out: it ends by itself")
                .long_about(
                    "Move every slot off a member, and take it out: it ends by itself. One that is down is taken out \
                     too, and others make its copies anew; where it has the only ones, or slots that move wait for it, \
                     with --force.",
                )
                .args([
                    name(),
                    no_wait(),
                    Arg::new("force")
                        .long("force")
                        .action(ArgAction::SetTrue)
                        .help("Also when a member that is down has something that nobody else has: that is given up"),
                    url(),
                ]),
        )
        .subcommand(Command::new("weight").about("Give a member another share of the slots").args([
            name(),
            weight(),
            no_wait(),
            url(),
        ]))
        .subcommand(
            Command::new("zone").about("Say where a member stands: copies are then kept in different zones").args([
                name(),
                zone().required(true),
                no_wait(),
                url(),
            ]),
        )
}

const EXAMPLES: &str = "\
Examples:
  vitrine serve --node n4 --join http://10.0.0.1:8000 --advertise 10.0.0.4 --host 0.0.0.0
                                     a new member (run it where it shall live)
  vitrine cluster status
  vitrine cluster plan drain n2      what that would move
  vitrine cluster plan join n4 --zone east
  vitrine cluster drain n2           before maintenance; `cluster weight n2 1` brings it back
  vitrine cluster zone n2 east       where it stands; a node says so itself with `serve --zone`
  vitrine cluster remove n2          for good";

/// Runs it.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        match matches.subcommand() {
            Some(("status", matches)) => status(matches).await,
            Some(("plan", matches)) => plan(matches).await,
            Some(("drain", matches)) => weigh(matches, 0).await,
            Some(("weight", matches)) => {
                weigh(matches, *matches.get_one::<u32>("WEIGHT").expect("it is required")).await
            }
            Some(("zone", matches)) => stand(matches).await,
            Some(("remove", matches)) => remove(matches).await,
            _ => Err(Failed::Usage("`vitrine cluster --help` lists what it can do".to_owned())),
        }
    })
}

async fn status(matches: &ArgMatches) -> Result<(), Failed> {
    let mut client = connect(matches).await?;
    let document = get(&mut client, "/v1/cluster").await?;
    if matches.get_flag("json") {
        println!("{document}");
        return Ok(());
    }
    let members = document["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut table = table(&["member", "state", "reached", "weight", "zone", "slots led", "slots kept", "HTTP"]);
    right(&mut table, &[3, 5, 6]);
    for member in members {
        let weight = match (member["weight"].as_u64(), member["leaving"].as_bool()) {
            (_, Some(true)) => "leaving".to_owned(),
            (Some(0), _) => "0 (drained)".to_owned(),
            (weight, _) => weight.unwrap_or_default().to_string(),
        };
        let state = match member["stood_in_for"].as_bool() {
            Some(true) if member["last_copies"] == true => {
                format!("{}, stood in for, has last copies", text(&member["state"]))
            }
            Some(true) => format!("{}, stood in for", text(&member["state"])),
            _ => text(&member["state"]),
        };
        let number = |field: &str| grouped(member[field].as_u64().unwrap_or_default());
        table.add_row([
            text(&member["name"]),
            state,
            text(&member["reached"]),
            weight,
            text(&member["zone"]),
            number("primary_slots"),
            number("replica_slots"),
            text(&member["http_address"]),
        ]);
    }
    println!("{table}");
    let (cluster, node, copies) = (text(&document["cluster"]), text(&document["node"]), &document["replicas"]);
    println!("cluster {cluster} as {node} sees it: map {}, {copies} copies of each entry", document["epoch"]);
    match document["phase"].as_str() {
        Some("steady") | None => println!("nothing is moving"),
        Some(phase) => println!("slots are moving: {phase}{}", awaited(&document)),
    }
    Ok(())
}

async fn plan(matches: &ArgMatches) -> Result<(), Failed> {
    let mut client = connect(matches).await?;
    let name = name(matches);
    let weight = matches.get_one::<u32>("WEIGHT");
    let zone = matches.get_one::<String>("zone");
    let query = match (matches.get_one::<String>("CHANGE").map(String::as_str), weight) {
        (Some("weight"), Some(weight)) => format!("weight={name}:{weight}"),
        (Some("weight"), None) => {
            return Err(Failed::Usage("`plan weight` takes the member's name and the weight it would have".to_owned()));
        }
        (Some("join"), weight) => {
            let zone = zone.map(|zone| format!(":{zone}")).unwrap_or_default();
            format!("join={name}:{}{zone}", weight.copied().unwrap_or(1))
        }
        (Some("zone"), None) => match zone {
            Some(zone) => format!("zone={name}:{zone}"),
            None => return Err(Failed::Usage("`plan zone` takes the member's name and a --zone".to_owned())),
        },
        (Some(change), Some(_)) => return Err(Failed::Usage(format!("`plan {change}` takes a name and no weight"))),
        (Some("remove"), None) => format!("leave={name}"),
        (_, None) => format!("drain={name}"),
        (None, Some(_)) => unreachable!("the change is required"),
    };
    if zone.is_some() && !query.starts_with("join=") && !query.starts_with("zone=") {
        return Err(Failed::Usage("--zone belongs to `plan join` and `plan zone`".to_owned()));
    }
    let path = format!("/v1/cluster/plan?{query}");
    let mut document = get(&mut client, &path).await?;
    if document["moved_slots"].as_u64() > Some(0) && document["estimated_bytes"].is_null() {
        document = asked_elsewhere(&mut client, &path).await.unwrap_or(document);
    }
    if matches.get_flag("json") {
        println!("{document}");
        return Ok(());
    }
    let members = document["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    if members.is_empty() {
        println!("nothing would move: it is so already");
        return Ok(());
    }
    let mut table = table(&["member", "slots now", "slots then", "gains", "gives up"]);
    right(&mut table, &[1, 2, 3, 4]);
    for member in members {
        let number = |field: &str| grouped(member[field].as_u64().unwrap_or_default());
        table.add_row([text(&member["name"]), number("before"), number("after"), number("gains"), number("loses")]);
    }
    println!("{table}");
    let count = |field: &str| document[field].as_u64().unwrap_or_default();
    let (moved, copies) = (count("moved_slots"), count("copies").max(1));
    println!(
        "{} of {} copies of slots would be filled anew ({}.{} %): {}",
        grouped(moved),
        grouped(copies),
        moved * 100 / copies,
        moved * 1_000 / copies % 10,
        match document["estimated_bytes"].as_u64() {
            Some(bytes) =>
                format!("some {} entries, {}", grouped(count("estimated_entries")), bytesize::ByteSize(bytes)),
            None => "how much is in them nobody who keeps slots has said".to_owned(),
        }
    );
    Ok(())
}

/// The same of a member that keeps slots, and can tell by them how much there is.
async fn asked_elsewhere(client: &mut Client, path: &str) -> Option<Json> {
    let cluster = get(client, "/v1/cluster").await.ok()?;
    for member in cluster["members"].as_array()? {
        if member["alive"] != true || member["replica_slots"].as_u64() == Some(0) {
            continue;
        }
        let asked = async {
            let mut other = Client::connect(member["http_address"].as_str()?).await.ok()?;
            get(&mut other, path).await.ok()
        };
        let told = tokio::time::timeout(Duration::from_secs(2), asked).await.ok().flatten();
        if let Some(told) = told.filter(|told| told["estimated_bytes"].is_u64()) {
            return Some(told);
        }
    }
    None
}

async fn weigh(matches: &ArgMatches, weight: u32) -> Result<(), Failed> {
    let mut client = connect(matches).await?;
    let name = name(matches);
    let path = format!("/v1/cluster/members/{name}");
    let granted = |document: &Json| {
        let members = document["members"].as_array();
        members.into_iter().flatten().any(|member| member["name"] == *name && member["weight"] == weight)
    };
    let body = format!("{{\"weight\":{weight}}}");
    change(&mut client, matches, Method::PATCH, &path, body, granted).await?;
    let what = if weight == 0 { "is drained: it keeps no slots".to_owned() } else { format!("has weight {weight}") };
    done(matches, &format!("{name} {what}"));
    Ok(())
}

async fn stand(matches: &ArgMatches) -> Result<(), Failed> {
    let mut client = connect(matches).await?;
    let name = name(matches);
    let zone = matches.get_one::<String>("zone").expect("it is required");
    let path = format!("/v1/cluster/members/{name}");
    let granted = |document: &Json| {
        let members = document["members"].as_array();
        members.into_iter().flatten().any(|member| member["name"] == *name && member["zone"] == *zone)
    };
    let body = serde_json::json!({ "zone": zone }).to_string();
    change(&mut client, matches, Method::PATCH, &path, body, granted).await?;
    done(matches, &format!("{name} is in the zone `{zone}`"));
    Ok(())
}

async fn remove(matches: &ArgMatches) -> Result<(), Failed> {
    let mut client = connect(matches).await?;
    let name = name(matches);
    let gone = |document: &Json| {
        let members = document["members"].as_array();
        members.is_some_and(|members| members.iter().all(|member| member["name"] != *name))
    };
    let force = if matches.get_flag("force") { "?force=true" } else { "" };
    let path = format!("/v1/cluster/members/{name}{force}");
    change(&mut client, matches, Method::DELETE, &path, String::new(), gone).await?;
    done(matches, &format!("{name} is no member any more"));
    Ok(())
}

fn done(matches: &ArgMatches, sentence: &str) {
    match matches.get_flag("no-wait") {
        true => println!("accepted; `vitrine cluster status` shows how far it is"),
        false => println!("{sentence}"),
    }
}

/// Asks for a change again and again until it is granted, and then looks until nothing moves.
async fn change(
    client: &mut Client,
    matches: &ArgMatches,
    method: Method,
    path: &str,
    body: String,
    is_granted: impl Fn(&Json) -> bool,
) -> Result<(), Failed> {
    let (mut shown, mut accepted, mut lost) = (String::new(), false, 0);
    loop {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let response = client.request(method.clone(), path, headers, Bytes::from(body.clone())).await;
        match response {
            Ok(response) if response.status == 404 && !accepted => return Err(Failed::NotFound(detail(&response))),
            Ok(response) if response.status.is_success() => accepted = true,
            Ok(response) if response.status == 404 || response.status == 503 => {}
            Ok(response) => return Err(failed(detail(&response))),
            // The one that is asked may be the one that goes: it ends when it is out.
            Err(ClientError::Connect { .. }) if accepted && method == Method::DELETE => return Ok(()),
            Err(error) if !accepted || lost > 20 => return Err(failed(error)),
            Err(_) => lost += 1,
        }
        if matches.get_flag("no-wait") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        let document = match get(client, "/v1/cluster").await {
            Ok(document) => document,
            Err(error) if lost > 20 => return Err(error),
            Err(_) => {
                lost += 1;
                continue;
            }
        };
        if is_granted(&document) && document["phase"] == "steady" {
            return Ok(());
        }
        let says = format!("map {}: {}{}", document["epoch"], text(&document["phase"]), awaited(&document));
        if says != shown && std::io::stderr().is_terminal() {
            eprintln!("{says}");
        }
        shown = says;
    }
}

/// Whom the change under way waits for, as the end of a sentence.
fn awaited(document: &Json) -> String {
    let names: Vec<&str> = document["awaited"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if names.is_empty() { String::new() } else { format!(", waiting for {}", names.join(", ")) }
}

async fn connect(matches: &ArgMatches) -> Result<Client, Failed> {
    Ok(Client::connect(&address(matches)).await.map_err(failed)?.with_timeout(Duration::from_secs(10)))
}

async fn get(client: &mut Client, path: &str) -> Result<Json, Failed> {
    let response = client.request(Method::GET, path, HeaderMap::new(), Bytes::new()).await.map_err(failed)?;
    match response.status.as_u16() {
        200 => serde_json::from_slice(&response.body).map_err(failed),
        404 => Err(Failed::NotFound(detail(&response))),
        _ => Err(failed(detail(&response))),
    }
}

/// What a refusal says.
fn detail(response: &Response) -> String {
    let document: Json = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = document["detail"].as_str().map(str::to_owned);
    text.unwrap_or_else(|| format!("the server answered {}", response.status))
}

fn name(matches: &ArgMatches) -> &String {
    matches.get_one::<String>("NAME").expect("it is required")
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head);
    table
}

fn right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON, for programs")
}

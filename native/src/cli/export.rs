//! `export FILE`: what a running cluster holds, as a file that people can read and `import` takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command};
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use vitrine_engine::cluster::Routes;
use vitrine_engine::effect::Outbox;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::view::{Map, Member, View};

use super::client::{address, block_on, refused, url};
use super::{Failed, failed, grouped};
use crate::clock::{Clock as _, SystemClock};
use crate::effects::Wire;
use crate::load::Stopwatch;
use crate::load::client::Client;
use crate::progress;
use crate::shards::{Shards, ShardsConfig};
use crate::snapshot_json;
use crate::wal::{self, folder::HoldError};

const EXAMPLES: &str = "\
Examples:
  vitrine export cache.json
  vitrine export - | gzip > cache.json.gz
  vitrine export cache.json --url http://10.0.0.5:8000 --json
  vitrine export cache.json --data /var/lib/vitrine   # of a node that is down, from its log";

/// `export FILE`.
pub fn command() -> Command {
    Command::new("export")
        .about("Write all that a cluster holds to a file")
        .long_about(
            "Write all that a running cluster holds to a file here, as JSON that people can read: one entry a line, \
             with its version and the moment when it expires. Bytes that are no text are base64. `vitrine import` \
             takes it, into any cluster. Each entry comes from the node that decides about its key, while all go on \
             serving: it is there as it was at some moment of the export, and not all as of the same moment. With \
             --data it is what one node that is down would begin with, read from its log and snapshot into memory; \
             nothing there is changed.",
        )
        .after_help(EXAMPLES)
        .arg(Arg::new("FILE").required(true).help("The file to write; `-` is standard output"))
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .conflicts_with("url")
                .help("Read this folder of a node that is down, in place of a running cluster"),
        )
        .arg(json_flag())
        .arg(url())
}

/// The flag that asks for a summary that programs can read.
pub(super) fn json_flag() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the summary as JSON")
}

/// What was written.
#[derive(Debug, Default)]
struct Exported {
    entries: u64,
    bytes: u64,
    nodes: u64,
    /// Why some may be missing.
    doubts: Vec<String>,
}

/// Exports.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let named = matches.get_one::<String>("FILE").map_or("", String::as_str);
    let begun = Stopwatch::start();
    let data = matches.get_one::<String>("data").map(PathBuf::from);
    let from = data.map_or_else(|| From::Cluster(address(matches)), From::Folder);
    let exported = if named == "-" {
        from.export(&mut BufWriter::new(io::stdout().lock()))?
    } else {
        to_file(Path::new(named), &from)?
    };
    let Exported { entries, bytes, nodes, doubts } = exported;
    if matches.get_flag("json") {
        let summary = json!({
            "file": named, "entries": entries, "bytes": bytes, "nodes": nodes, "complete": doubts.is_empty(),
            "doubts": doubts, "took_ms": u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        // Standard output may be the file.
        if named == "-" { eprintln!("{summary}") } else { println!("{summary}") }
    } else {
        let (entries, bytes) = (grouped(entries), grouped(bytes));
        let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
        eprintln!("{named}: {entries} entries, {bytes} bytes, from {nodes}");
    }
    match doubts.is_empty() {
        true => Ok(()),
        false => Err(failed(format!(
            "some entries may be missing or there twice, as the cluster changed while it was exported: {}; export it \
             again",
            doubts.join("; ")
        ))),
    }
}

/// Where it comes from.
enum From {
    /// By one of its nodes.
    Cluster(String),
    Folder(PathBuf),
}

impl From {
    fn export(&self, out: &mut impl Write) -> Result<Exported, Failed> {
        match self {
            From::Cluster(url) => block_on(export(url, out)).flatten(),
            From::Folder(folder) => from_folder(folder, out),
        }
    }
}

/// Reads what a node that is down would begin with.
fn from_folder(folder: &Path, out: &mut impl Write) -> Result<Exported, Failed> {
    if !folder.is_dir() {
        return Err(Failed::NotFound(format!("there is no folder {}", folder.display())));
    }
    let _held = wal::folder::hold(folder, "vitrine-export").map_err(|error| match error {
        HoldError::Taken { .. } => failed(format!("{error}: `vitrine export` with --url asks the node that runs")),
        HoldError::Io { .. } => failed(error),
    })?;
    let map = Map::first(vec![Member::new(NodeId(1), "here".to_owned())], 1, 1);
    let view = Arc::new(View::first(NodeId(1), Arc::new(map)));
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(failed)?;
    let seed = u128::from_le_bytes(random);
    let hash_seed = (seed as u64, (seed >> 64) as u64);
    let config = ShardsConfig { entries: None, bytes: u64::MAX / 4, stripes: Some(1), workers: 1, seed: 0, hash_seed };
    let shards = Shards::new(&config, view, Arc::new(SystemClock::start()), Arc::new(Nobody));
    let mut events = Outbox::new();
    wal::look(folder, &mut |record| shards.recover(&record, &mut events)).map_err(failed)?;
    shards.recovered();
    let mut counted = Counted { out, bytes: 0 };
    let entries = snapshot_json::write_entries(&shards, &mut counted).map_err(failed)?;
    Ok(Exported { entries, bytes: counted.bytes, nodes: 1, doubts: Vec::new() })
}

/// Whom a node speaks to that is down.
struct Nobody;

impl Wire for Nobody {
    fn send(&self, _: NodeId, _: Origin, _: Message) {}

    fn reroute(&self, _: &Arc<Routes>) {}
}

/// Counts what is written through it.
struct Counted<'a, W> {
    out: &'a mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.out.write(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Beside the file, which is the old one or the new one, whatever happens on the way.
fn to_file(path: &Path, from: &From) -> Result<Exported, Failed> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let cannot = |error: io::Error| failed(format!("{} cannot be written: {error}", beside.display()));
    let file = File::create(&beside).map_err(cannot)?;
    let mut out = BufWriter::with_capacity(1 << 16, &file);
    let exported = from.export(&mut out).and_then(|exported| {
        out.flush().and_then(|()| file.sync_all()).map_err(cannot)?;
        std::fs::rename(&beside, path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        Ok(exported)
    });
    if exported.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    exported
}

/// A member that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) name: String,
    id: u64,
    pub(super) address: String,
    pub(super) alive: bool,
}

/// The map's edition and the members, as a node sees them.
pub(super) async fn members(client: &mut Client) -> Result<(u64, Vec<Peer>), Failed> {
    let document = ask(client, "/v1/cluster/members").await?;
    let document: Value = serde_json::from_slice(&document).map_err(failed)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let member = |member: &Value| Peer {
        name: text(&member["name"]),
        id: member["id"].as_u64().unwrap_or(0),
        address: text(&member["http_address"]),
        alive: member["alive"] == true,
    };
    let members = document["members"].as_array().map(|members| members.iter().map(member).collect());
    Ok((document["epoch"].as_u64().unwrap_or(0), members.unwrap_or_default()))
}

async fn ask(client: &mut Client, path: &str) -> Result<Bytes, Failed> {
    let response = client.request(Method::GET, path, HeaderMap::new(), Bytes::new()).await.map_err(failed)?;
    if response.status != StatusCode::OK {
        return Err(refused(&response));
    }
    Ok(response.body)
}

/// Asks one node after the other for what it decides about.
async fn export(url: &str, out: &mut impl Write) -> Result<Exported, Failed> {
    let mut client = Client::connect(url).await.map_err(failed)?;
    let before = members(&mut client).await?;
    let mut exported = Exported::default();
    let mut put = |bytes: &[u8], exported: &mut Exported| {
        exported.bytes += bytes.len() as u64;
        out.write_all(bytes).map_err(|error| failed(format!("the file cannot be written: {error}")))
    };
    put(snapshot_json::head(SystemClock::start().now().unix).as_bytes(), &mut exported)?;
    let alive: Vec<&Peer> = before.1.iter().filter(|member| member.alive).collect();
    let ids = json!(alive.iter().map(|member| member.id).collect::<Vec<_>>());
    let bar = progress::bar(alive.len() as u64 * 1_000);
    // By node, how often its view of the cluster had changed when it was first asked.
    let mut views: BTreeMap<&str, u64> = BTreeMap::new();
    for (index, member) in alive.iter().enumerate() {
        let mut client = Client::connect(&member.address).await.map_err(failed)?;
        let mut cursor: Option<String> = None;
        loop {
            let path = cursor.map_or("/v1/export".to_owned(), |cursor| format!("/v1/export?cursor={cursor}"));
            let page = ask(&mut client, &path).await?;
            let mut lines = page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let head: Value = serde_json::from_slice(lines.next().unwrap_or_default()).map_err(failed)?;
            for line in lines {
                put(if exported.entries == 0 { b"\n" } else { b",\n" }, &mut exported)?;
                put(line, &mut exported)?;
                exported.entries += 1;
            }
            let generation = head["generation"].as_u64().unwrap_or(0);
            let first = *views.entry(&member.name).or_insert(generation);
            let doubt = match () {
                () if head["epoch"] != before.0 || head["phase"] != "steady" => Some("slots are moving"),
                () if head["alive"] != ids => Some("it believes in other members than the node that was asked first"),
                () if generation != first => Some("its view of who is alive has changed"),
                () if head["reconciling"] == true => Some("it is still asking others what it has missed"),
                () => None,
            };
            let doubt = doubt.map(|doubt| format!("{}: {doubt}", member.name));
            exported.doubts.extend(doubt.filter(|doubt| !exported.doubts.contains(doubt)));
            let walked = head["walked_permille"].as_u64().unwrap_or(0);
            bar.set_position(index as u64 * 1_000 + walked);
            bar.set_message(format!("{} entries", grouped(exported.entries)));
            match head["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        exported.nodes += 1;
    }
    put(snapshot_json::TAIL, &mut exported)?;
    bar.finish_and_clear();
    if members(&mut client).await? != before {
        exported.doubts.push("other members, or others of them alive, than at its beginning".to_owned());
    }
    out.flush().map_err(failed)?;
    Ok(exported)
}

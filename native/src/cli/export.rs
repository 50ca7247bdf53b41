//! `export FILE`: what a running cluster holds, as a file that people can read and `import` takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command};
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::client::{address, block_on, refused, url};
use super::{Failed, failed, grouped};
use crate::clock::{Clock as _, SystemClock};
use crate::load::Stopwatch;
use crate::load::client::Client;
use crate::snapshot_json;

const EXAMPLES: &str = "\
Examples:
  vitrine export cache.json
  vitrine export - | gzip > cache.json.gz
  vitrine export cache.json --url http://10.0.0.5:8000 --json";

/// `export FILE`.
pub fn command() -> Command {
    Command::new("export")
        .about("Write all that a running cluster holds to a file")
        .long_about(
            "Write all that a running cluster holds to a file here, as JSON that people can read: one entry a line, \
             with its version and the moment when it expires. Bytes that are no text are base64. `vitrine import` \
             takes it, into any cluster. Each entry comes from the node that decides about its key, while all go on \
             serving: it is there as it was at some moment of the export, and not all as of the same moment.",
        )
        .after_help(EXAMPLES)
        .arg(Arg::new("FILE").required(true).help("The file to write; `-` is standard output"))
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
    let exported = if named == "-" {
        block_on(export(&address(matches), &mut BufWriter::new(io::stdout().lock())))??
    } else {
        to_file(Path::new(named), &address(matches))?
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
        eprintln!("{named}: {entries} entries, {bytes} bytes, from {nodes} nodes");
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

/// Beside the file, which is the old one or the new one, whatever happens on the way.
fn to_file(path: &Path, url: &str) -> Result<Exported, Failed> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let cannot = |error: io::Error| failed(format!("{} cannot be written: {error}", beside.display()));
    let file = File::create(&beside).map_err(cannot)?;
    let mut out = BufWriter::with_capacity(1 << 16, &file);
    let exported = block_on(export(url, &mut out)).flatten().and_then(|exported| {
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
pub(super) struct Member {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) alive: bool,
}

/// The map's edition and the members, as a node sees them.
pub(super) async fn members(client: &mut Client) -> Result<(u64, Vec<Member>), Failed> {
    let document = ask(client, "/v1/cluster/members").await?;
    let document: Value = serde_json::from_slice(&document).map_err(failed)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let member = |member: &Value| Member {
        name: text(&member["name"]),
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
    let alive: Vec<&Member> = before.1.iter().filter(|member| member.alive).collect();
    let bar = progress(alive.len() as u64 * 1_000);
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

/// A bar on a terminal, and nothing in a pipe.
pub(super) fn progress(length: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length.max(1));
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {elapsed} (left: {eta})");
    bar.with_style(style.expect("the template is a constant"))
}

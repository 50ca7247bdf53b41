//! `get`, `set`, `del`, `incr`, `touch` and `health`: one request to one node.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use bytes::Bytes;
use clap::{Arg, ArgMatches, Command};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use super::{Failed, failed, grouped};
use crate::load::client::{Client, Response};
use crate::progress;

const GET_EXAMPLES: &str = "\
Examples:
  vitrine get greeting
  vitrine get logo > logo.png
  vitrine get greeting --read one";

/// `get KEY`.
pub fn get_command() -> Command {
    Command::new("get")
        .about("Print the value of a key")
        .long_about("Print the value of a key, byte for byte. Exit status 3 when there is none.")
        .after_help(GET_EXAMPLES)
        .arg(key())
        .arg(Arg::new("read").long("read").value_name("LEVEL").help("Who may answer: primary, one or quorum"))
        .arg(url())
}

const SET_EXAMPLES: &str = "\
Examples:
  vitrine set greeting hello
  vitrine set greeting hello --ttl 60s --write all
  vitrine set logo - < logo.png";

/// `set KEY VALUE`.
pub fn set_command() -> Command {
    Command::new("set")
        .about("Store a value under a key")
        .after_help(SET_EXAMPLES)
        .arg(key())
        .arg(Arg::new("VALUE").required(true).help("The value; `-` reads it from standard input"))
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .value_name("SPAN")
                .allow_hyphen_values(true)
                .help("How long it lives: 60, 60s, 1500ms, 5m, 2h, 7d"),
        )
        .arg(write())
        .arg(url())
}

/// `del KEY`.
pub fn del_command() -> Command {
    Command::new("del")
        .about("Remove a key")
        .long_about("Remove a key. Exit status 3 when it was not there.")
        .after_help("Example:\n  vitrine del greeting")
        .arg(key())
        .arg(url())
}

const INCR_EXAMPLES: &str = "\
Examples:
  vitrine incr visits
  vitrine incr stock --by -3 --write all";

/// `incr KEY`.
pub fn incr_command() -> Command {
    Command::new("incr")
        .about("Add to the number that a key holds, and print the sum")
        .long_about(
            "Add to the number that a key holds, and print the sum. A key that is not there counts as 0, and what is \
             made does not expire; what is there keeps its deadline. Exit status 1 when it holds something else than \
             a whole number of 64 bits, or the sum would be none: nothing is changed then.",
        )
        .after_help(INCR_EXAMPLES)
        .arg(key())
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("N")
                .allow_hyphen_values(true)
                .help("How much: a whole number, less than 0 to take away [default: 1]"),
        )
        .arg(write())
        .arg(url())
}

const TOUCH_EXAMPLES: &str = "\
Examples:
  vitrine touch session --ttl 30m
  vitrine touch greeting --ttl none";

/// `touch KEY`.
pub fn touch_command() -> Command {
    Command::new("touch")
        .about("Give what a key holds another deadline")
        .long_about("Give what a key holds another deadline. Exit status 3 when there is nothing.")
        .after_help(TOUCH_EXAMPLES)
        .arg(key())
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .value_name("SPAN")
                .required(true)
                .allow_hyphen_values(true)
                .help("How long it lives from now on: 60, 60s, 1500ms, 5m, 2h, 7d; `none` for ever"),
        )
        .arg(write())
        .arg(url())
}

/// `health`.
pub fn health_command() -> Command {
    Command::new("health")
        .about("Ask a node whether it is alive")
        .long_about("Ask a node whether it is alive, within 2 seconds; for health checks of containers.")
        .after_help("Example:\n  vitrine health --url http://127.0.0.1:8001")
        .arg(url())
}

const SAVE_EXAMPLES: &str = "\
Examples:
  vitrine save                       # cache.json, and a snapshot where a log is kept
  vitrine save before-upgrade.json   # that file alone
  vitrine save --form snapshot       # the snapshot alone";

/// `save [FILE]`.
pub fn save_command() -> Command {
    Command::new("save")
        .about("Let a node write down all that it holds")
        .long_about(
            "Let a node write down all that it holds, in its folder of --data: as cache.json, which people can read \
             and `vitrine load` takes; and where it keeps a log, as a snapshot that its next start begins with.",
        )
        .after_help(SAVE_EXAMPLES)
        .arg(file())
        .arg(
            Arg::new("form")
                .long("form")
                .value_name("FORM")
                .value_parser(["json", "snapshot"])
                .help("One of them alone"),
        )
        .arg(url())
}

/// `load [FILE]`.
pub fn load_command() -> Command {
    Command::new("load")
        .about("Let a node take in what was saved")
        .long_about(
            "Let a node take in what `vitrine save` has written to its folder of --data, and give it to the members \
             that keep it. What is newer there stays.",
        )
        .after_help("Examples:\n  vitrine load\n  vitrine load before-upgrade.json")
        .arg(file())
        .arg(url())
}

fn file() -> Arg {
    Arg::new("file").value_name("FILE").help("A bare name in that folder [default: cache.json]")
}

/// Prints a value.
pub fn get(matches: &ArgMatches) -> Result<(), Failed> {
    let query = query(matches, &["read"]);
    let response = run(matches, async |client, key| client.get(key, &query).await)?;
    if response.status != StatusCode::OK {
        return Err(refused(&response));
    }
    let mut out = std::io::stdout();
    out.write_all(&response.body).map_err(failed)?;
    // A prompt begins on a line of its own; a file or a pipe gets the value and nothing else.
    if out.is_terminal() && !response.body.ends_with(b"\n") {
        out.write_all(b"\n").map_err(failed)?;
    }
    out.flush().map_err(failed)
}

/// Stores a value.
pub fn set(matches: &ArgMatches) -> Result<(), Failed> {
    let value = match matches.get_one::<String>("VALUE").map(String::as_str) {
        Some("-") => {
            let mut value = Vec::new();
            std::io::stdin().read_to_end(&mut value).map_err(failed)?;
            value
        }
        text => text.unwrap_or_default().as_bytes().to_vec(),
    };
    let media =
        if std::str::from_utf8(&value).is_ok() { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
    let query = query(matches, &["ttl", "write"]);
    let value = Bytes::from(value);
    let response = run(matches, async |client, key| client.put(key, &query, headers, value).await)?;
    if response.status.is_success() { Ok(()) } else { Err(refused(&response)) }
}

/// Removes a key.
pub fn del(matches: &ArgMatches) -> Result<(), Failed> {
    let response = run(matches, async |client, key| client.delete(key, "", HeaderMap::new()).await)?;
    if response.status.is_success() { Ok(()) } else { Err(refused(&response)) }
}

/// Adds to a number, and prints the sum.
pub fn incr(matches: &ArgMatches) -> Result<(), Failed> {
    let query = query(matches, &["by", "write"]);
    let response = run(matches, async |client, key| client.change(key, "incr", &query).await)?;
    if !response.status.is_success() {
        return Err(refused(&response));
    }
    println!("{}", String::from_utf8_lossy(&response.body));
    Ok(())
}

/// Moves a deadline.
pub fn touch(matches: &ArgMatches) -> Result<(), Failed> {
    let query = query(matches, &["ttl", "write"]);
    let response = run(matches, async |client, key| client.change(key, "touch", &query).await)?;
    if response.status.is_success() { Ok(()) } else { Err(refused(&response)) }
}

/// Saves.
pub fn save(matches: &ArgMatches) -> Result<(), Failed> {
    let document = of_file(matches, "/save", &["file", "form"], "saving")?;
    let number = |number: &serde_json::Value| grouped(number.as_u64().unwrap_or(0));
    if let Some(file) = document["file"].as_str() {
        println!("saved {} entries to {file}", number(&document["entries"]));
    }
    let snapshot = &document["snapshot"];
    if let Some(file) = snapshot["file"].as_str() {
        let [entries, bytes, took] = ["entries", "bytes", "took_ms"].map(|field| number(&snapshot[field]));
        println!("{file}: {entries} entries, {bytes} bytes, in {took} ms");
    }
    Ok(())
}

/// Loads.
pub fn load(matches: &ArgMatches) -> Result<(), Failed> {
    let document = of_file(matches, "/load", &["file"], "loading")?;
    println!("{}", document["message"].as_str().unwrap_or("loaded"));
    for (field, what) in [("kept_newer", "were newer here"), ("expired", "had expired")] {
        if let Some(count) = document[field].as_u64().filter(|count| *count > 0) {
            println!("{count} {what}");
        }
    }
    Ok(())
}

/// Asks for something with a file, however long it takes.
fn of_file(matches: &ArgMatches, path: &str, names: &[&str], doing: &'static str) -> Result<serde_json::Value, Failed> {
    let path = match query(matches, names) {
        none if none.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    let bar = progress::waiting(doing);
    let response = block_on(async {
        let client = Client::connect(&address(matches)).await.map_err(failed)?;
        let mut client = client.with_timeout(FILE_PATIENCE);
        client.request(Method::POST, &path, HeaderMap::new(), Bytes::new()).await.map_err(failed)
    });
    bar.finish_and_clear();
    let response = response??;
    if !response.status.is_success() {
        return Err(refused(&response));
    }
    serde_json::from_slice(&response.body).map_err(failed)
}

/// A large cache takes its time.
const FILE_PATIENCE: Duration = Duration::from_secs(3_600);

/// Asks for health.
pub fn health(matches: &ArgMatches) -> Result<(), Failed> {
    let ask = async {
        let client = Client::connect(&address(matches)).await?;
        client
            .with_timeout(Duration::from_secs(2))
            .request(Method::GET, "/healthz", HeaderMap::new(), Bytes::new())
            .await
    };
    let response = block_on(async { tokio::time::timeout(Duration::from_secs(2), ask).await })?
        .map_err(|_| failed(format!("{} did not answer within 2 s", address(matches))))?
        .map_err(failed)?;
    if response.status != StatusCode::OK {
        return Err(failed(format!("{} answers {}", address(matches), response.status)));
    }
    println!("ok");
    Ok(())
}

fn key() -> Arg {
    Arg::new("KEY").required(true).help("The key")
}

pub(super) fn write() -> Arg {
    Arg::new("write")
        .long("write")
        .value_name("LEVEL")
        .help("Who must have it: one, live, quorum or all [default: live]")
}

/// The flag that says which node is asked.
pub(super) fn url() -> Arg {
    Arg::new("url")
        .long("url")
        .value_name("URL")
        .help(format!("Where a node is [default: {DEFAULT_URL}] [env: VITRINE_URL]"))
}

const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// That node's URL.
pub(super) fn address(matches: &ArgMatches) -> String {
    let flag = matches.get_one::<String>("url").cloned();
    flag.or_else(|| std::env::var("VITRINE_URL").ok()).unwrap_or_else(|| DEFAULT_URL.to_owned())
}

fn query(matches: &ArgMatches, names: &[&str]) -> String {
    let given = names.iter().filter_map(|name| Some((name, matches.get_one::<String>(name)?)));
    let encoded = given.map(|(name, text)| {
        let text = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        format!("{name}={text}")
    });
    encoded.collect::<Vec<_>>().join("&")
}

fn run<E: std::fmt::Display>(
    matches: &ArgMatches,
    ask: impl AsyncFnOnce(&mut Client, &[u8]) -> Result<Response, E>,
) -> Result<Response, Failed> {
    let key = matches.get_one::<String>("KEY").map_or("", String::as_str);
    block_on(async {
        let mut client = Client::connect(&address(matches)).await.map_err(failed)?;
        ask(&mut client, key.as_bytes()).await.map_err(failed)
    })?
}

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    Ok(runtime.block_on(work))
}

/// What a server said against it: its own sentence where it gave one.
pub(super) fn refused(response: &Response) -> Failed {
    let document: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let said = document["detail"].as_str().or(document["message"].as_str());
    let detail = said.map_or_else(|| format!("the server answers {}", response.status), str::to_owned);
    match response.status {
        StatusCode::NOT_FOUND => Failed::NotFound(detail),
        StatusCode::BAD_REQUEST => Failed::Usage(detail),
        _ => Failed::Failed(detail),
    }
}

//! HTTP GET and SET of one node, beside a bare hyper server that answers a constant: the server on one core, the load
//! on the other, in turns. A table on standard error, one JSON object on standard output.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use vitrine::load::generate::{Choose, Plan, Until, fill, generate};
use vitrine_tests::bench::{SERVER_CORE, Server, machine, median, origin, pin_load, vitrine};
use vitrine_tests::ports;

const VALUE: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

/// The bare server has the node's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--bare") {
        bare(arguments.get(place + 1).and_then(|port| port.parse().ok()).expect("--bare PORT"));
        return;
    }
    // Before this process is moved to one core, which is then all that it sees.
    let machine = machine();
    let port = ports::claim(10)[0];
    let (bare_port, node_port) = (port.to_string(), (port + 1).to_string());
    let me = std::env::current_exe().expect("a running program has a path");
    let bare = Server::start(Some(SERVER_CORE), &me, &["--bare", &bare_port], vec![origin(port)]).ready();
    // Without a log, as by default, and with a folder that is nobody's: the default one would be that of the tests.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().display().to_string();
    let serve = ["serve", "--port", &node_port, "--data", &data, "--fsync", "off"];
    let node = Server::start(Some(SERVER_CORE), &vitrine(), &serve, vec![origin(port + 1)]).ready();
    pin_load();

    let mut report = serde_json::Map::new();
    eprintln!("HTTP, one node on one core, the load on another ({ROUNDS} rounds of {ROUND:?}, medians; {machine})");
    eprintln!("{:<5} {:>14} {:>14} {:>7} {:>22}", "", "bare hyper", "vitrine", "ratio", "CPU a request (µs)");
    for (name, reads) in [("GET", 100), ("SET", 0)] {
        let plan = |server: &Server| Plan {
            origins: server.origins.clone(),
            connections: 16,
            threads: 1,
            warm_up: Duration::from_millis(300),
            until: Until::Elapsed(ROUND),
            rate: None,
            reads,
            keys: 10_000,
            choose: Choose::Uniform,
            value_size: VALUE,
            read_query: String::new(),
            write_query: String::new(),
            seed: 1,
        };
        fill(&plan(&node), |_| {}).expect("the node takes the keys");
        let (mut rates, mut costs) = ([vec![], vec![]], [vec![], vec![]]);
        let (mut p50, mut p99) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            for (which, server) in [&bare, &node].into_iter().enumerate() {
                let before = server.cpu();
                let outcome = generate(&plan(server), |_| {}).expect("the server is there");
                assert_eq!(outcome.failed(), 0, "{:?}", outcome.errors);
                rates[which].push(outcome.rate());
                if let (Some(before), Some(after)) = (before, server.cpu()) {
                    // The warm-up costs too, at the same rate.
                    let span = outcome.took + Duration::from_millis(300);
                    let requests = outcome.rate() * span.as_secs_f64();
                    costs[which].push((after - before).as_secs_f64() * 1e6 / requests);
                }
                if which == 1 {
                    let of = if reads > 0 { outcome.get.summary() } else { outcome.set.summary() };
                    p50.push(of.p50_us);
                    p99.push(of.p99_us);
                }
            }
        }
        let [bare_rate, node_rate] = [median(&rates[0]), median(&rates[1])];
        let cost = |which: usize| if costs[which].is_empty() { f64::NAN } else { median(&costs[which]) };
        let ratio = node_rate / bare_rate;
        eprintln!(
            "{name:<5} {bare_rate:>12.0}/s {node_rate:>12.0}/s {ratio:>7.3} {:>12.2} / {:>7.2}",
            cost(0),
            cost(1)
        );
        report.insert(
            name.to_lowercase(),
            serde_json::json!({
                "bare_per_second": bare_rate,
                "vitrine_per_second": node_rate,
                "ratio": ratio,
                "bare_cpu_us": cost(0),
                "vitrine_cpu_us": cost(1),
                "p50_us": median(&p50),
                "p99_us": median(&p99),
            }),
        );
    }
    println!("{}", serde_json::json!({ "http": report, "machine": machine }));
}

/// The same library with nothing behind it: a constant for a read, an empty answer for a write whose body it took.
fn bare(port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("TCP takes the option");
            tokio::spawn(async move {
                // A peer that goes away ends its connection and nothing else.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    static CONSTANT: [u8; VALUE] = [b'v'; VALUE];
    if request.method() == Method::PUT {
        let taken = request.into_body().collect().await;
        let status = if taken.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST };
        return Ok(status_only(status));
    }
    Ok(Response::new(Full::new(Bytes::from_static(&CONSTANT))))
}

fn status_only(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

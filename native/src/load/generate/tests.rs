//! Loads against a small server that counts what it is asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::*;

type Seen = Arc<Mutex<BTreeMap<String, u64>>>;

/// Answers every request with that status and body, and counts methods and paths.
fn serve(status: u16, body: &'static [u8]) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let counted = seen.clone();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let counted = counted.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let name = format!("{} {}", request.method(), request.uri());
                    *counted.lock().unwrap().entry(name).or_default() += 1;
                    let response = Response::builder().status(status).body(Full::new(Bytes::from_static(body)));
                    async { response }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    (told.recv().unwrap(), seen)
}

fn plan(address: SocketAddr) -> Plan {
    Plan {
        origins: vec![address.to_string().parse().unwrap()],
        connections: 8,
        threads: 2,
        warm_up: Duration::ZERO,
        until: Until::Requests(1_000),
        rate: None,
        reads: 75,
        keys: 10,
        choose: Choose::Uniform,
        value_size: 100,
        read_query: "read=one".into(),
        write_query: String::new(),
        seed: 1,
    }
}

#[test]
fn as_many_requests_as_asked_for_and_no_more() {
    let (address, seen) = serve(200, &[b'v'; 40_000]);
    let outcome = generate(&plan(address), |_| {}).unwrap();
    assert_eq!((outcome.requests(), outcome.failed(), outcome.hits), (1_000, 0, outcome.get.count()));
    assert!((600..900).contains(&outcome.get.count()), "three quarters read: {}", outcome.get.count());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.values().sum::<u64>(), 1_000);
    assert_eq!(seen.len(), 20, "ten keys, read and written: {seen:?}");
    assert!(seen.contains_key("GET /v1/entries/key:000000000009?read=one"), "{seen:?}");
    assert!(seen.contains_key("PUT /v1/entries/key:000000000000"), "{seen:?}");
}

#[test]
fn filling_writes_each_key_once() {
    let (address, seen) = serve(204, b"");
    let outcome = fill(&Plan { keys: 137, rate: Some(1.0), ..plan(address) }, |_| {}).unwrap();
    assert_eq!((outcome.set.count(), outcome.get.count()), (137, 0));
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 137 && seen.values().all(|count| *count == 1), "{seen:?}");
}

#[test]
fn a_zipf_load_prefers_a_few_keys() {
    let (address, seen) = serve(404, b"no");
    let choose = Choose::Zipf(1.0);
    let outcome = generate(&Plan { choose, keys: 1_000, reads: 100, ..plan(address) }, |_| {}).unwrap();
    assert_eq!((outcome.requests(), outcome.hits, outcome.failed()), (1_000, 0, 0), "a miss is an answer");
    // The first of a thousand keys has a share of 1 / H(1000) = 0.134.
    let first = seen.lock().unwrap()["GET /v1/entries/key:000000000000?read=one"];
    assert!((80..200).contains(&first), "{first}");
}

#[test]
fn a_schedule_is_kept() {
    let (address, _) = serve(200, b"v");
    let until = Until::Requests(100);
    let outcome = generate(&Plan { rate: Some(500.0), until, ..plan(address) }, |_| {}).unwrap();
    assert_eq!(outcome.requests(), 100);
    assert!(outcome.took >= Duration::from_millis(195), "a hundred at 500 a second ended after {:?}", outcome.took);
}

#[test]
fn what_fails_is_counted() {
    let (address, _) = serve(503, b"{}");
    let outcome = generate(&plan(address), |_| {}).unwrap();
    assert_eq!((outcome.requests(), outcome.failed()), (0, 1_000));
    assert_eq!(outcome.errors["http_503"], 1_000);
    // Nobody listens on a port that takes a privilege and has no use.
    let error = generate(&plan(SocketAddr::from(([127, 0, 0, 1], 2))), |_| {}).unwrap_err();
    assert_eq!(error.code(), "no_connection");
}

//! Any bytes on a connection to a node: it answers or hangs up, and answers the next one as if nothing had been.
#![no_main]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vitrine::server::Server;
use vitrine::settings::{Layers, Settings};

/// One node, alone and small. What it saves goes where nothing can be saved, and it keeps no log.
static NODE: LazyLock<Server> = LazyLock::new(|| {
    let mut layers = Layers::defaults();
    let settings = [("port", "0"), ("workers", "1"), ("memory", "4MiB"), ("max-value", "64KiB"), ("data", "/dev/null")];
    let others = [("fsync", "off"), ("header-timeout", "1s"), ("body-timeout", "1s")];
    for (name, value) in [&settings[..], &others].concat() {
        layers.add_flag(name, value);
    }
    let settings = Settings::resolve(&layers).expect("good settings");
    Server::start(&settings).expect("a free port")
});

const HEALTHY: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: n\r\nconnection: close\r\n\r\n";

fuzz_target!(|data: &[u8]| {
    let _ = exchange(data, true);
    let healthy = exchange(HEALTHY, false).expect("an answer");
    assert!(healthy.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&healthy));
});

/// Sends the bytes, and reads to the end what comes back. After an `end` the server waits for nothing more, and may
/// hang up on what it has not answered yet.
fn exchange(data: &[u8], end: bool) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(NODE.http_address())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(data)?;
    if end {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

//! `/ui/`: the page, out of the binary.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::problem::Problem;
use super::{Body, answer};

struct File {
    path: &'static str,
    media: &'static str,
    tag: &'static str,
    bytes: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The file of that path under `/ui/`.
pub fn file(path: &str, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(file) = FILES.iter().find(|file| file.path == path) else {
        if FILES.is_empty() && path == "index.html" {
            return Ok(unbuilt());
        }
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_path", "the page has no such file"));
    };
    let tag = HeaderValue::from_static(file.tag);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = match known {
        Some(tags) if tags.split(',').any(|t| t.trim().trim_start_matches("W/") == file.tag) => {
            answer::empty(StatusCode::NOT_MODIFIED)
        }
        _ => {
            let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
            let accepts = |coded: &str| {
                accepts.split(',').any(|coding| {
                    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
                    name.trim() == coded && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
                })
            };
            let forms = [("br", file.brotli), ("gzip", file.gzip)];
            let coded = forms.into_iter().find_map(|(name, form)| Some((name, form.filter(|_| accepts(name))?)));
            let mut response = Response::new(Full::new(Bytes::from_static(coded.map_or(file.bytes, |(_, form)| form))));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media));
            if let Some((name, _)) = coded {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Vite names what is under `assets/` by its content.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

const REFERRER_POLICY: HeaderName = header::REFERRER_POLICY;
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'";

/// What stands here when the binary was built without the page.
fn unbuilt() -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(
        b"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Vitrine</title>\
          <body style=\"font: 1rem/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem\">\
          <h1>The page is not in this binary</h1>\
          <p>It was built before the page was. <code>make run</code> builds both and starts them; by hand, build the \
          page (<code>make site</code>) and then the binary (<code>cargo build --release --package vitrine</code>).</p>\
          <p>The cache itself works: see <a href=\"/v1/cluster\">/v1/cluster</a> and \
          <a href=\"/metrics\">/metrics</a>.</p>",
    )));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

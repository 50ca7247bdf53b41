//! Errors as clients see them: one list of codes, `application/problem+json` in the entry API and `status`/`message` in
//! the plain one.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use vitrine_engine::error::Failure;
use vitrine_engine::id::Version;
use vitrine_engine::request::KeyError;

use super::Body;

/// The media type by which one of these is told from what other servers say.
pub const PROBLEM: &str = "application/problem+json";

/// A request that was not carried out, with what to tell its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// A sentence: what was wrong, and what is accepted.
    pub detail: String,
    /// The methods that the path takes, for 405.
    pub allow: Option<&'static str>,
    /// The version that is there, for 412.
    pub present: Option<Version>,
    /// The connection has unread bytes of the request: it ends after the answer.
    pub close: bool,
}

impl Problem {
    /// A problem of that status and code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), allow: None, present: None, close: false }
    }

    /// 400.
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404 for a key without an entry.
    pub fn missing() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no entry of this key, or it has expired")
    }

    /// 405, with what is allowed.
    pub fn method(allow: &'static str, detail: impl Into<String>) -> Problem {
        let mut problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        problem.allow = Some(allow);
        problem
    }

    /// 412, with what is there.
    pub fn unmet(present: Option<Version>) -> Problem {
        let detail = match present {
            Some(version) => format!("the condition does not hold: version \"{version}\" is there; nothing was stored"),
            None => "the condition does not hold: there is no entry; nothing was stored".to_owned(),
        };
        let mut problem = Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail);
        problem.present = present;
        problem
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Problem {
        let mut problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail);
        problem.close = true;
        problem
    }

    /// 500.
    pub fn internal(detail: &'static str) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The answer in the entry API (RFC 9457).
    pub fn into_response(self) -> Response<Body> {
        self.printed().map(Full::new)
    }

    /// The same, with the bytes of its body at hand.
    pub fn printed(self) -> Response<Bytes> {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        self.respond(PROBLEM, body)
    }

    /// The answer in the plain API.
    pub fn into_plain(self) -> Response<Body> {
        let body = serde_json::json!({ "status": "error", "code": self.code, "message": self.detail });
        self.respond("application/json", body).map(Full::new)
    }

    fn respond(self, media: &'static str, body: serde_json::Value) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(format!("{body}\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(version) = self.present {
            headers.insert(header::ETAG, super::answer::etag(version));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        let status = match failure {
            Failure::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::NotANumber | Failure::Overflow => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, failure.code(), failure.to_string())
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Problem {
        Problem::malformed("bad_key", error.to_string())
    }
}

//! `/v1/entries/{key}/incr` and `/touch`: what changes an entry in place, decided at its primary.

use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response};
use vitrine_engine::effect::Served;
use vitrine_engine::request::{self as ask, Answer, Key, Operation};

use super::entries::{TTL_TAKES, WriteParameters, level, lifetime, timeout};
use super::problem::Problem;
use super::query::Parameters;
use super::{Body, Front, answer};

/// What is done to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Add to the number.
    Increment,
    /// Move the deadline.
    Touch,
}

/// Carries it out. `by` becomes the node that answered, where another one was asked.
pub async fn handle(
    front: &Front,
    action: Action,
    key: Key,
    request: Request<Incoming>,
    served: &mut Served,
) -> Result<Response<Body>, Problem> {
    if *request.method() != Method::POST {
        return Err(Problem::method("POST", "this path takes POST"));
    }
    let headers = request.headers();
    if headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH) {
        return Err(Problem::malformed("bad_condition", "this path takes no conditions: PUT and DELETE do"));
    }
    // What stands in a body would be believed to count, and would not.
    if !request.body().is_end_stream() {
        let mut problem = Problem::malformed("bad_body", "this path takes its parameters from the query, and no body");
        problem.close = true;
        return Err(problem);
    }
    let query = request.uri().query().unwrap_or("");
    match action {
        Action::Increment => increment(front, key, query, served).await,
        Action::Touch => touch(front, key, query, served).await,
    }
}

async fn increment(front: &Front, key: Key, query: &str, served: &mut Served) -> Result<Response<Body>, Problem> {
    let parameters = Parameters::parse(query, &["by", "write", "timeout"])?;
    let (level, timeout) = (level(&parameters)?, timeout(&parameters, front.request_timeout)?);
    let amount = parameters.read("by", BY_TAKES, |text| text.parse().ok())?.unwrap_or(1);
    let operation = Operation::Increment { by: amount, level };
    let reply = front.ask(ask::Request { key, operation, timeout }).await;
    answer::outcome(reply.noting(served), front.shards.now().unix)
}

async fn touch(front: &Front, key: Key, query: &str, served: &mut Served) -> Result<Response<Body>, Problem> {
    let parameters = Parameters::parse(query, &["ttl", "write", "timeout"])?;
    let takes = format!("{TTL_TAKES}; or `none`, for ever");
    let ttl = parameters.read("ttl", &takes, |text| match text {
        "none" => Some(None),
        span => lifetime(span).map(Some),
    })?;
    let missing = || Problem::malformed("missing_ttl", format!("the parameter `ttl` is missing; it takes {takes}"));
    let ttl = ttl.ok_or_else(missing)?;
    let write =
        WriteParameters { ttl, level: level(&parameters)?, timeout: timeout(&parameters, front.request_timeout)? };
    let deadline = write.deadline(|| front.shards.now().unix)?;
    let operation = Operation::Touch { deadline, level: write.level };
    let outcome = front.ask(ask::Request { key, operation, timeout: write.timeout }).await.noting(served);
    let touched = matches!(outcome, Ok(Answer::Touched { .. }));
    let now = front.shards.now().unix;
    let mut response = answer::outcome(outcome, now)?;
    if let Some(deadline) = deadline.filter(|_| touched) {
        response.headers_mut().insert(answer::TTL, HeaderValue::from(deadline.0.saturating_sub(now.0)));
    }
    Ok(response)
}

const BY_TAKES: &str = "a whole number from -9223372036854775808 to 9223372036854775807";

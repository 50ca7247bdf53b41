//! Any bytes as a trace, in every format: requests whose keys are keys, or an error; and the same, however it is cut.
//!
//! The first byte says where the trace is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_engine::limits::MAX_KEY;
use vitrine_engine::trace::{Format, Parser, TraceRequest};

fuzz_target!(|data: &[u8]| {
    let [cut, trace @ ..] = data else { return };
    let _ = Format::detect("", trace);
    for format in Format::ALL {
        assert_eq!(read(format, &[trace]), read(format, &trace.chunks(usize::from(*cut) + 1).collect::<Vec<_>>()));
    }
});

fn read(format: Format, pieces: &[&[u8]]) -> (Vec<String>, Option<String>) {
    let mut requests = Vec::new();
    let mut each = |request: TraceRequest<'_>| {
        assert!((1..=MAX_KEY).contains(&request.key.len()));
        requests.push(format!("{request:?}"));
    };
    let mut parser = Parser::new(format);
    let pushed = pieces.iter().try_for_each(|piece| parser.push(piece, &mut each));
    let outcome = pushed.and_then(|()| parser.finish(&mut each));
    (requests, outcome.err().map(|error| error.to_string()))
}

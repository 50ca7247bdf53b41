//! Any text as a query, a form and a key in a path: refused, or the bytes that a lenient decoder makes of it too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::http::query::{Parameters, percent_decoded};

const KNOWN: &[&str] = &["key", "value", "ttl", "file", ""];

fuzz_target!(|text: &str| {
    if let Ok(decoded) = percent_decoded(text) {
        assert!(decoded.iter().eq(percent_encoding::percent_decode_str(text).collect::<Vec<_>>().iter()));
        let escaped = percent_encoding::percent_encode(&decoded, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(percent_decoded(&escaped).ok().as_deref(), Some(&*decoded));
    }
    let Ok(parameters) = Parameters::parse(text, KNOWN) else { return };
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let lenient = |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).collect::<Vec<_>>();
        let name = String::from_utf8_lossy(&lenient(name)).into_owned();
        assert_eq!(parameters.get(&name), Some(&*lenient(value)), "{text:?}");
    }
});

//! Where log lines go and how they look: for people on a terminal, JSON lines otherwise, always on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::LogFormat;

/// Begins logging in this process. A second call changes nothing.
pub fn begin(filter: &str, format: LogFormat) {
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Human => false,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(terminal && !json);
    let begun = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().try_init()
    } else {
        builder.with_target(false).finish().try_init()
    };
    // Somebody logs already: a test that starts several servers in its process.
    drop(begun);
}

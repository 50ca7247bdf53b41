//! Where log lines go and how they look: for people on a terminal, JSON lines otherwise, always on standard error.

use std::ffi::OsStr;
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
        .with_ansi(terminal && !json && wants_colours(std::env::var_os("NO_COLOR").as_deref()));
    let begun = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().try_init()
    } else {
        builder.with_target(false).finish().try_init()
    };
    // Somebody logs already: a test that starts several servers in its process.
    drop(begun);
}

/// `NO_COLOR` with anything in it says no: <https://no-color.org>.
fn wants_colours(no_color: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_no_colours_says_so() {
        for (value, expected) in [(None, true), (Some(""), true), (Some("1"), false), (Some("0"), false)] {
            assert_eq!(wants_colours(value.map(OsStr::new)), expected, "{value:?}");
        }
    }
}

//! How far something is that takes a while: a bar on a terminal, and nothing in a pipe.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar of that length, on standard error.
pub fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {elapsed}{left}");
    let left = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // Before anything was done nobody knows. Text takes what is written to it.
        let _ = match state.pos() {
            0 => Ok(()),
            _ => write!(text, " (left: {:#})", HumanDuration(state.eta())),
        };
    };
    drawn(ProgressBar::new(length.max(1)).with_style(style.expect("the template is a constant").with_key("left", left)))
}

/// The same where nobody knows how long it takes: it says what is done, and since when.
pub fn waiting(doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {elapsed}").expect("the template is a constant");
    let bar = drawn(ProgressBar::new_spinner().with_style(style).with_message(doing));
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(500));
    }
    bar
}

/// The bar, on standard error where that is a terminal, and hidden where not.
pub fn drawn(bar: ProgressBar) -> ProgressBar {
    let terminal = std::io::stderr().is_terminal();
    bar.set_draw_target(if terminal { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() });
    bar
}

//! A trace from its source to its requests, with the progress bar beside it.

use std::io::{IsTerminal, Read};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vitrine_engine::trace::{Format, Parser, TraceRequest};

use super::ReplayError;
use super::source::Source;

/// A trace whose format is known.
pub struct Trace {
    source: Source,
    format: Format,
    head: Vec<u8>,
    /// Ends after so many requests.
    limit: Option<u64>,
    progress: ProgressBar,
}

impl Trace {
    /// Finds out the format, unless it is given.
    pub fn begin(mut source: Source, format: Option<Format>, limit: Option<u64>) -> Result<Trace, ReplayError> {
        let mut head = Vec::with_capacity(Format::HEAD);
        let read = source.by_ref().take(Format::HEAD as u64).read_to_end(&mut head);
        read.map_err(|error| ReplayError::Read { name: source.name.clone(), error })?;
        let format = format.or_else(|| Format::detect(&source.name, &head));
        let format = format.ok_or_else(|| ReplayError::UnknownFormat { name: source.name.clone() })?;
        let progress = progress(source.length);
        Ok(Trace { source, format, head, limit, progress })
    }

    /// Name, format and compression, as a person reads them.
    pub fn title(&self) -> String {
        format!("{} ({}, {})", self.source.name, self.format, self.source.compression.name())
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Hands over each request until the trace, the limit or the taker's patience ends.
    pub fn each(mut self, mut take: impl FnMut(TraceRequest<'_>) -> ControlFlow<()>) -> Result<(), ReplayError> {
        let mut parser = Parser::new(self.format);
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut flow = if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let mut each = |request: TraceRequest<'_>, flow: &mut ControlFlow<()>| {
            if flow.is_continue() {
                left -= 1;
                *flow = take(request);
                if left == 0 {
                    *flow = ControlFlow::Break(());
                }
            }
        };
        let mut chunk = std::mem::take(&mut self.head);
        let mut length = chunk.len();
        chunk.resize(chunk.len().max(CHUNK), 0);
        while flow.is_continue() {
            let last = length == 0;
            let mut each = |request: TraceRequest<'_>| each(request, &mut flow);
            let outcome = if last { parser.finish(&mut each) } else { parser.push(&chunk[..length], &mut each) };
            // What is wrong behind the limit is nobody's concern.
            if let (Err(error), ControlFlow::Continue(())) = (outcome, flow) {
                self.progress.finish_and_clear();
                return Err(ReplayError::Trace { name: self.source.name, error });
            }
            if last {
                break;
            }
            self.progress.set_position(self.source.taken.load(Ordering::Relaxed));
            length = self.source.read(&mut chunk).map_err(|error| {
                self.progress.finish_and_clear();
                ReplayError::Read { name: self.source.name.clone(), error }
            })?;
        }
        self.progress.finish_and_clear();
        Ok(())
    }
}

const CHUNK: usize = 64 << 10;

/// A bar on a terminal, and nothing in a pipe.
fn progress(length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), "{wide_bar} {bytes}/{total_bytes} {elapsed} (left: {eta})"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {elapsed}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    bar.with_style(ProgressStyle::with_template(template).expect("the template is one of two constants"))
}

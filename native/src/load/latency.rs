//! How long answers took: a histogram with three significant digits, and how it is told.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The latencies of one kind of request.
#[derive(Clone, Debug)]
pub struct Latency {
    /// In nanoseconds.
    histogram: Histogram<u64>,
}

/// What a person wants to know of it. Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Requests.
    pub count: u64,
    /// The mean.
    pub mean_us: f64,
    /// Half of the requests took no longer.
    pub p50_us: f64,
    /// 95 of 100.
    pub p95_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1,000.
    #[serde(rename = "p99.9_us")]
    pub p999_us: f64,
    /// The slowest.
    pub max_us: f64,
}

/// Longer than anything that is waited for; what takes longer counts as this.
const HIGHEST: Duration = Duration::from_secs(3_600);

impl Default for Latency {
    fn default() -> Latency {
        let histogram = Histogram::new_with_bounds(1, HIGHEST.as_nanos() as u64, 3);
        Latency { histogram: histogram.expect("the bounds are in order and the precision is one that there is") }
    }
}

impl Latency {
    /// Counts a request that took so long.
    pub fn record(&mut self, took: Duration) {
        self.histogram.saturating_record(nanos(took));
    }

    /// Adds what another connection measured.
    pub fn add(&mut self, other: &Latency) {
        self.histogram.add(&other.histogram).expect("all histograms have the same bounds");
    }

    /// Requests counted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The numbers.
    pub fn summary(&self) -> Summary {
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let at = |quantile| micros(self.histogram.value_at_quantile(quantile));
        Summary {
            count: self.histogram.len(),
            mean_us: self.histogram.mean().round() / 1_000.0,
            p50_us: at(0.5),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(self.histogram.max()),
        }
    }
}

/// A time as a person reads it: three digits and a unit.
pub fn shown(micros: f64) -> String {
    match micros {
        m if m < 1_000.0 => format!("{m:.0} µs"),
        m if m < 10_000.0 => format!("{:.2} ms", m / 1_000.0),
        m if m < 100_000.0 => format!("{:.1} ms", m / 1_000.0),
        m if m < 1_000_000.0 => format!("{:.0} ms", m / 1_000.0),
        m => format!("{:.2} s", m / 1_000_000.0),
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let (mut latency, mut other) = (Latency::default(), Latency::default());
        for ms in 1..=500 {
            latency.record(Duration::from_millis(ms));
            other.record(Duration::from_millis(ms + 500));
        }
        latency.add(&other);
        let summary = latency.summary();
        assert_eq!((latency.count(), summary.count), (1_000, 1_000));
        for (got, expected) in [
            (summary.mean_us, 500_500.0),
            (summary.p50_us, 500_000.0),
            (summary.p95_us, 950_000.0),
            (summary.p99_us, 990_000.0),
            (summary.p999_us, 999_000.0),
            (summary.max_us, 1_000_000.0),
        ] {
            assert!((got - expected).abs() < expected / 500.0, "{got} is not {expected}");
        }
        other.record(Duration::from_secs(1 << 40));
        assert!(other.summary().max_us < 3_700.0 * 1e6);
    }

    #[test]
    fn times_are_readable() {
        let check = |micros, expected: &str| assert_eq!(shown(micros), expected);
        check(0.4, "0 µs");
        check(73.2, "73 µs");
        check(1_234.5, "1.23 ms");
        check(12_345.0, "12.3 ms");
        check(123_456.0, "123 ms");
        check(1_234_560.0, "1.23 s");
    }
}

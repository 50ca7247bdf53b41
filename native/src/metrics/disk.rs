//! What is counted of the log and of snapshots, where a log is kept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::NoLabels;
use crate::snapshot::Schedule;
use crate::wal::{Log, SYNC_BOUNDS};

/// Of one node.
#[derive(Debug)]
pub struct Disk {
    /// Its log.
    pub log: Arc<Log>,
    /// Its snapshots.
    pub snapshots: Option<Arc<Schedule>>,
}

impl Collector for Disk {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        log(&self.log, &mut encoder)?;
        self.snapshots.as_ref().map_or(Ok(()), |schedule| snapshots(schedule, &mut encoder))
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    metric.encode_counter::<NoLabels, _, u64>(&count, None)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn seconds(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn log(log: &Log, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let counts = log.counts();
    counter(encoder, "wal_records", "Records handed to the log", counts.appended())?;
    counter(encoder, "wal_written_bytes", "Bytes written to the log", load(&counts.written))?;
    let help = "Times that the log could not be written, synced or begun";
    counter(encoder, "wal_failures", help, load(&counts.failures))?;
    gauge(encoder, "wal_synced_lsn", "The first number of the log that is not on disk", load(&counts.synced))?;
    gauge(encoder, "wal_segments", "Segments of the log", load(&counts.segments))?;
    gauge(encoder, "wal_queue_bytes", "Bytes of records that wait to be written", log.queued() as u64)?;
    let help = "1 while the log cannot be written, and no writes are taken";
    gauge(encoder, "wal_read_only", help, u64::from(log.trouble().is_some()))?;
    let bound = |index: usize| SYNC_BOUNDS.get(index).map_or(f64::MAX, |micros| *micros as f64 / 1e6);
    let buckets: Vec<(f64, u64)> = counts.syncs.iter().enumerate().map(|(i, n)| (bound(i), load(n))).collect();
    let (sum, count) = (load(&counts.sync_micros) as f64 / 1e6, buckets.iter().map(|(_, count)| count).sum());
    let help = "Time that a sync of the log took";
    let mut syncs = encoder.encode_descriptor("wal_sync_duration_seconds", help, None, MetricType::Histogram)?;
    syncs.encode_histogram::<NoLabels>(sum, count, &buckets, None)
}

fn snapshots(schedule: &Schedule, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let counts = &schedule.counts;
    let is = |flag: &AtomicBool| u64::from(flag.load(Ordering::Relaxed));
    counter(encoder, "snapshots_taken", "Snapshots taken", load(&counts.taken))?;
    counter(encoder, "snapshots_failed", "Snapshots that came to nothing", load(&counts.failed))?;
    gauge(encoder, "snapshot_under_way", "1 while a snapshot is taken", is(&counts.is_under_way))?;
    if load(&counts.taken) == 0 {
        return Ok(());
    }
    let help = "When the last snapshot was taken, in Unix time";
    seconds(encoder, "snapshot_last_timestamp_seconds", help, load(&counts.last_at) as f64 / 1e3)?;
    let help = "How long the last snapshot took";
    seconds(encoder, "snapshot_last_duration_seconds", help, load(&counts.last_micros) as f64 / 1e6)?;
    gauge(encoder, "snapshot_last_bytes", "Size of the last snapshot", load(&counts.last_bytes))?;
    gauge(encoder, "snapshot_last_entries", "Entries in the last snapshot", load(&counts.last_entries))
}

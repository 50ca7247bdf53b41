//! The time that the head of a request may take: one timer a connection, kept running from request to request.
//!
//! Hyper asks for a new sleep with every head and drops it when the head is there. Tokio would write each of them into
//! its wheel and strike it out again; these share one sleep, which is moved on only when it is over too early.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use parking_lot::Mutex;

/// The timer of one connection, which waits for one thing at a time.
pub struct HeadTimer {
    sleep: Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>,
}

struct Until {
    deadline: tokio::time::Instant,
    sleep: Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>,
}

impl HeadTimer {
    /// For a connection whose heads may take that long.
    pub fn new(timeout: Duration) -> HeadTimer {
        HeadTimer { sleep: Arc::new(Mutex::new(Box::pin(tokio::time::sleep(timeout)))) }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), sleep: Arc::clone(&self.sleep) })
    }

    fn now(&self) -> Instant {
        TokioTimer::new().now()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.sleep.lock();
        if self.deadline < sleep.deadline() {
            sleep.as_mut().reset(self.deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if self.deadline <= sleep.deadline() {
                return Poll::Ready(());
            }
            // It was set for an earlier head.
            sleep.as_mut().reset(self.deadline);
        }
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_sleep_ends_at_its_own_deadline() {
        let timer = HeadTimer::new(Duration::from_secs(10));
        let begun = timer.now();
        let check = async |after: u64| {
            let deadline = begun + Duration::from_secs(after);
            let woken = timer.now().max(deadline);
            timer.sleep_until(deadline).await;
            // Tokio's wheel counts milliseconds.
            let late = timer.now().duration_since(woken);
            assert!(late <= Duration::from_millis(1), "{after} s: {late:?} late");
        };
        check(10).await;
        check(25).await;
        // Earlier than the one before it, and one that is past.
        drop(timer.sleep_until(begun + Duration::from_secs(100)));
        check(30).await;
        check(1).await;
        // Dropped half way.
        let dropped = tokio::time::timeout(Duration::from_secs(5), timer.sleep_until(begun + Duration::from_secs(40)));
        assert!(dropped.await.is_err());
        check(60).await;
    }
}

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
    shared: Arc<Shared>,
}

struct Until {
    deadline: tokio::time::Instant,
    shared: Arc<Shared>,
}

struct Shared {
    sleep: Mutex<Pin<Box<tokio::time::Sleep>>>,
    timeout: Duration,
    quiet: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl HeadTimer {
    /// For a connection whose heads may take that long. `quiet` tells for how long there has been no other sign of life
    /// on it: one that is younger moves every deadline on.
    pub fn new(timeout: Duration, quiet: impl Fn() -> Duration + Send + Sync + 'static) -> HeadTimer {
        let sleep = Mutex::new(Box::pin(tokio::time::sleep(timeout)));
        HeadTimer { shared: Arc::new(Shared { sleep, timeout, quiet: Box::new(quiet) }) }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), shared: Arc::clone(&self.shared) })
    }

    fn now(&self) -> Instant {
        TokioTimer::new().now()
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.shared);
        let mut sleep = shared.sleep.lock();
        if self.deadline < sleep.deadline() {
            sleep.as_mut().reset(self.deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if self.deadline <= sleep.deadline() {
                let left = shared.timeout.saturating_sub((shared.quiet)());
                if left.is_zero() {
                    return Poll::Ready(());
                }
                self.deadline = (TokioTimer::new().now() + left).into();
            }
            // It was set for an earlier head, or there was a request meanwhile that hyper did not see.
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
        let timer = HeadTimer::new(Duration::from_secs(10), || Duration::MAX);
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

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_moves_the_deadline_on() {
        let begun = tokio::time::Instant::now();
        let check = async |seen: u64, expected: u64| {
            let seen = begun + Duration::from_secs(seen);
            let quiet = move || tokio::time::Instant::now().saturating_duration_since(seen);
            let timer = HeadTimer::new(Duration::from_secs(10), quiet);
            timer.sleep_until(timer.now() + Duration::from_secs(10)).await;
            let late = begun.elapsed().saturating_sub(Duration::from_secs(expected));
            assert!(begun.elapsed().as_secs() >= expected && late <= Duration::from_millis(2), "{late:?} late");
        };
        check(0, 10).await;
        // From 10 to 20 s; something was answered at 17 s.
        check(17, 27).await;
        // It is answered as long as somebody asks.
        check(60, 70).await;
    }
}

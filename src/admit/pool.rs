//! Threads that evaluate, apart from those that accept and answer.
//!
//! A guest runs to its deadline without yielding, so it must never sit on a
//! thread that also parses requests or answers `/livez`.

use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};

/// Jobs that may wait for each thread. At 1 ms a request this is 64 ms of
/// waiting; more would only let requests run into their timeout.
const WAITING_PER_THREAD: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads with a bounded queue in front.
pub struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// Every thread is busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every evaluation thread is busy")]
pub struct Full;

impl Pool {
    /// Starts `threads` threads (at least one).
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn new(threads: usize) -> std::io::Result<Pool> {
        let threads = threads.max(1);
        let (jobs, queue) = bounded::<Job>(threads * WAITING_PER_THREAD);
        let start = |index: usize| {
            let queue = queue.clone();
            let run = move || {
                for job in queue {
                    // A panic ends the request that caused it (its answer
                    // channel closes), never the thread.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            };
            std::thread::Builder::new()
                .name(format!("evaluate-{index}"))
                .spawn(run)
        };
        let threads = (0..threads)
            .map(start)
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok(Pool {
            jobs: Some(jobs),
            threads,
        })
    }

    /// Hands a job to the next free thread.
    ///
    /// # Errors
    ///
    /// At once, if the queue is full: the caller sheds the request.
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Full> {
        match self.jobs.as_ref().map(|jobs| jobs.try_send(Box::new(job))) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => Err(Full),
        }
    }
}

impl Drop for Pool {
    /// Lets the threads finish what is queued, and waits for them.
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panicking_job_does_not_take_its_thread_along() {
        let pool = Pool::new(1).expect("threads");
        let (sent, received) = bounded(1);
        pool.submit(|| panic!("expected by this test"))
            .expect("room");
        pool.submit(move || sent.send(7).expect("a receiver"))
            .expect("room");
        assert_eq!(received.recv(), Ok(7));
    }

    #[test]
    fn a_full_queue_sheds_at_once() {
        let pool = Pool::new(1).expect("threads");
        let (release, wait) = bounded::<()>(0);
        pool.submit(move || assert!(wait.recv().is_err()))
            .expect("room");
        let results: Vec<_> = (0..2 * WAITING_PER_THREAD)
            .map(|_| pool.submit(|| ()))
            .collect();
        assert!(results.contains(&Err(Full)));
        drop(release);
    }
}

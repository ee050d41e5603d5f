//! What keeps one policy from holding up the others of a server.
//!
//! A guest that loops costs its deadline each time, on a thread that others
//! wait for. So one policy never has all threads at once, and one that hits
//! its deadline again and again is not asked for a while; its failurePolicy
//! answers. Only `serve` guards: verdicts of `check` must not hang on time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_contract::Verdict;

use crate::policy::{Cause, Evaluate, Failure, Policy, PolicyName};

/// Deadlines hit in a row that suspend a policy, and for how long (issue 5).
const HITS: u32 = 10;
const SUSPENSION: Duration = Duration::from_secs(10);

/// Called with the name of a policy that is suspended.
pub type OnSuspension = Arc<dyn Fn(&PolicyName) + Send + Sync>;

/// Keeps each policy from holding up the others.
#[derive(Clone)]
pub struct Guarding {
    at_once: usize,
    on_suspension: OnSuspension,
}

impl Guarding {
    /// For `threads` that evaluate: of them and of the cores, one policy never
    /// has all at once, and ten deadlines hit in a row suspend it for ten
    /// seconds.
    pub fn new(threads: usize, on_suspension: OnSuspension) -> Guarding {
        Guarding {
            at_once: at_once(threads),
            on_suspension,
        }
    }

    /// The same policy, guarded.
    #[must_use]
    pub fn guard(&self, mut policy: Policy) -> Policy {
        if let Ok(ready) = &mut policy.program {
            ready.program = Arc::new(Guard {
                policy: policy.name.clone(),
                program: Arc::clone(&ready.program),
                deadline: policy.spec.limits.deadline(),
                suspension: SUSPENSION,
                at_once: self.at_once,
                state: Mutex::default(),
                freed: Condvar::new(),
                on_suspension: Arc::clone(&self.on_suspension),
            });
        }
        policy
    }
}

/// How many evaluations of one policy may run at once, where `threads`
/// evaluate: of the cores and of the threads, one is left to others.
fn at_once(threads: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.min(threads).saturating_sub(1).max(1)
}

struct Guard {
    policy: PolicyName,
    program: Arc<dyn Evaluate>,
    /// What the operator gives one evaluation.
    deadline: Duration,
    suspension: Duration,
    at_once: usize,
    state: Mutex<State>,
    freed: Condvar,
    on_suspension: OnSuspension,
}

#[derive(Default)]
struct State {
    running: usize,
    /// Deadlines hit since something else came of an evaluation.
    hits: u32,
    suspended_until: Option<Instant>,
}

/// One of the evaluations that may run.
struct Running<'a>(&'a Guard);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.freed.notify_one();
    }
}

impl Evaluate for Guard {
    fn evaluate(&self, request: &str, deadline: Instant) -> Result<Verdict, Failure> {
        let running = self.enter(deadline)?;
        let given = deadline.saturating_duration_since(Instant::now());
        let result = self.program.evaluate(request, deadline);
        drop(running);
        self.note(&result, given);
        result
    }

    fn identity(&self) -> Option<[u8; 32]> {
        self.program.identity()
    }
}

impl Guard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for half of the time that there is at most: evaluations take
    /// microseconds, and where none ends for so long, the policy hangs.
    fn enter(&self, deadline: Instant) -> Result<Running<'_>, Failure> {
        let now = Instant::now();
        let state = self.state();
        if state.suspended_until.is_some_and(|until| now < until) {
            let message = format!(
                "it hit its deadline {HITS} times in a row and is not asked for {} s",
                self.suspension.as_secs()
            );
            return Err(Failure::guest(Cause::Suspended, message));
        }
        let patience = deadline.saturating_duration_since(now) / 2;
        let (mut state, _) = self
            .freed
            .wait_timeout_while(state, patience, |state| state.running >= self.at_once)
            .unwrap_or_else(PoisonError::into_inner);
        if state.running >= self.at_once {
            let message = format!(
                "{} of its evaluations run already, and no more may at once",
                self.at_once
            );
            return Err(Failure::host(Cause::Overload, message));
        }
        state.running += 1;
        Ok(Running(self))
    }

    fn note(&self, result: &Result<Verdict, Failure>, given: Duration) {
        let is_hit = matches!(result, Err(failure) if failure.cause == Cause::Deadline);
        let mut state = self.state();
        if !is_hit {
            state.hits = 0;
            return;
        }
        // Who calls with little time left must not have a policy suspended.
        if given < self.deadline / 2 {
            return;
        }
        state.hits = state.hits.saturating_add(1);
        let now = Instant::now();
        let is_suspended = state.suspended_until.is_some_and(|until| now < until);
        if state.hits >= HITS && !is_suspended {
            state.suspended_until = Some(now + self.suspension);
            drop(state);
            (self.on_suspension)(&self.policy);
        }
    }
}

#[cfg(test)]
mod tests;

//! What keeps one policy from holding up the others of a server.
//!
//! A guest that loops costs its deadline each time, on a thread that others
//! wait for. So one policy never has all threads at once, and one that hits
//! its deadline again and again is not asked for a while; its failurePolicy
//! answers. Only `serve` guards: verdicts of `check` must not hang on time.
//!
//! The way to another thread and back costs more than most evaluations. So a
//! program that proved quick is asked where the request was read
//! ([`Evaluate::at_once`]), on a short leash; what comes to its end is asked
//! again where it may take its time, since an evaluation has no effects.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_contract::Verdict;

use super::usual::Usual;
use crate::policy::{Asked, Cause, Evaluate, Failure, Policy, PolicyName};

/// Deadlines hit in a row that suspend a policy, and for how long (issue 5).
const HITS: u32 = 10;
const SUSPENSION: Duration = Duration::from_secs(10);

/// A program that took no longer of late is quick.
const QUICK: Duration = Duration::from_micros(150);
/// What is longer than this, many times a Pod, may take longer than usual.
const SHORT: usize = 32 * 1024;
/// Of the time that is left, what a quick program is expected to take at most.
const SHARE: u32 = 4;
/// Between two looks at whether there is a place again: about a microsecond.
const SPINS: u32 = 32;
/// Nobody is quick before some thirty evaluations have shown it, and again
/// after a deadline that was hit.
const SLOW: Duration = Duration::from_millis(100);

/// What evaluations are taken to need before one has ended, and how many
/// times what they need they may take before nobody waits for them: those of
/// a policy that hit a deadline of late. Others are late because the machine
/// is busy, and to refuse a write for that would be wrong.
const ENDING: Duration = Duration::from_millis(1);
const HANGS: u32 = 8;
const OF_LATE: Duration = Duration::from_secs(60);

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
                usual: Usual::starting_at(SLOW),
                ending: Usual::starting_at(ENDING),
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
    /// What an evaluation takes.
    usual: Usual,
    /// What one takes that ends by itself.
    ending: Usual,
    on_suspension: OnSuspension,
}

#[derive(Default)]
struct State {
    running: usize,
    /// When the last of them began.
    began: Option<Instant>,
    /// Deadlines hit since something else came of an evaluation.
    hits: u32,
    suspended_until: Option<Instant>,
    /// When a deadline was hit last.
    last_hit: Option<Instant>,
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
    /// Waits for a place for a third of the time that there is at most: what
    /// is left is enough for a hit to count.
    fn judge(&self, asked: Asked<'_>, deadline: Instant) -> Result<Verdict, Failure> {
        let patience = deadline.saturating_duration_since(Instant::now()) / 3;
        self.run(asked, deadline, patience)
    }

    fn is_prompt(&self) -> bool {
        self.usual.get() <= QUICK
    }

    fn at_once(&self, asked: Asked<'_>, deadline: Instant) -> Option<Result<Verdict, Failure>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if asked.request.len() > SHORT || self.usual.get() > QUICK.min(left / SHARE) {
            return None;
        }
        let result = self.run(asked, deadline, QUICK);
        let takes_longer =
            |failure: &Failure| matches!(failure.cause, Cause::Deadline | Cause::Overload);
        let is_answer = !result.as_ref().is_err_and(takes_longer);
        is_answer.then_some(result)
    }

    fn identity(&self) -> Option<[u8; 32]> {
        self.program.identity()
    }
}

impl Guard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(
        &self,
        asked: Asked<'_>,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Verdict, Failure> {
        let running = self.enter(patience)?;
        let started = Instant::now();
        let result = self.program.judge(asked, deadline);
        let took = started.elapsed();
        drop(running);
        self.note(&result, deadline.saturating_duration_since(started), took);
        result
    }

    fn enter(&self, patience: Duration) -> Result<Running<'_>, Failure> {
        let state = self.state();
        if state
            .suspended_until
            .is_some_and(|until| Instant::now() < until)
        {
            let message = format!(
                "it hit its deadline {HITS} times in a row and is not asked for {} s",
                self.suspension.as_secs()
            );
            return Err(Failure::guest(Cause::Suspended, message));
        }
        let mut state = self.place(state, Instant::now() + patience)?;
        state.running += 1;
        state.began = Some(Instant::now());
        Ok(Running(self))
    }

    /// Waits for a place. A thread that waits is one less for other policies,
    /// so that nobody waits for an evaluation that hangs.
    fn place<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        until: Instant,
    ) -> Result<MutexGuard<'s, State>, Failure> {
        if state.running >= self.at_once && self.usual.get() <= QUICK {
            state = self.spin(state, until);
        }
        while state.running >= self.at_once {
            let hangs = self.hangs_at(&state).unwrap_or(until);
            let left = hangs.min(until).saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = format!(
                    "{} of its evaluations run already, and no more may at once",
                    self.at_once
                );
                return Err(Failure::host(Cause::Overload, message));
            }
            let waited = self.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(state)
    }

    /// Looks again and again for about as long as an evaluation takes: a
    /// thread that sleeps and is woken costs more than most evaluations.
    fn spin<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        until: Instant,
    ) -> MutexGuard<'s, State> {
        let until = until.min(Instant::now() + self.usual.get());
        while state.running >= self.at_once && Instant::now() < until {
            drop(state);
            for _ in 0..SPINS {
                std::hint::spin_loop();
            }
            state = self.state();
        }
        state
    }

    /// When the evaluation that began last is taken to hang; None where there
    /// is no reason to think that it does.
    fn hangs_at(&self, state: &State) -> Option<Instant> {
        let is_suspect = state.last_hit?.elapsed() < OF_LATE;
        let began = state.began.filter(|_| is_suspect)?;
        Some(began + self.ending.get().max(ENDING) * HANGS)
    }

    fn note(&self, result: &Result<Verdict, Failure>, given: Duration, took: Duration) {
        let is_hit = matches!(result, Err(failure) if failure.cause == Cause::Deadline);
        self.usual.learn(if is_hit { SLOW } else { took });
        if !is_hit {
            self.ending.learn(took);
        }
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
        state.last_hit = Some(now);
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

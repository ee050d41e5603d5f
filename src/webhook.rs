//! `portcullis serve`: what answers the server's calls.
//!
//! Decodes on the server's threads, evaluates on threads of its own, logs
//! and counts each decision. Never logs a body or a value.

mod effects;
mod namespace;
mod policies;
mod recorded;
pub mod relocation;
pub mod surroundings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portcullis_contract::Operation;
use portcullis_contract::reads::Outline;
use tokio::sync::oneshot;

use crate::admit::{self, Answers, Known, Scope, Subject, pool::Pool};
use crate::policy::{Cause, Decision, Failure, FailurePolicy, Others, PolicySet};
use crate::review::{self, Malformed, Request, Review};
use crate::server::{Bytes, Call, Group, Health, Judge, Phase, Reply};
use crate::telemetry::Metrics;
use recorded::Recorded;
pub use surroundings::Surroundings;

/// A body up to this is decoded where it came in: that takes about 1 ms.
const QUICK: usize = 128 * 1024;

/// How long a thread that also accepts connections may be kept by what is
/// expected to take microseconds.
const AT_ONCE: Duration = Duration::from_millis(2);

/// Answers AdmissionReviews by the policy set in force.
pub struct Webhook {
    set: Arc<ArcSwap<PolicySet>>,
    pool: Pool,
    metrics: Arc<Metrics>,
    surroundings: Option<Arc<dyn Surroundings>>,
}

/// A review, and what came of it.
struct Seen {
    uid: String,
    /// Or why the request cannot be judged.
    judged: Result<(Request, Decision), String>,
}

impl Seen {
    /// Whether the decision may be another one once everything of the object
    /// is known: what an update is forgiven hangs on all that it changes.
    /// So does what is exempted, on the labels of a pod template.
    fn hangs_on_what_no_policy_reads(&self, set: &PolicySet) -> bool {
        self.judged.as_ref().is_ok_and(|(request, decision)| {
            let attributes = &request.attributes;
            let is_update = attributes.operation == Operation::Update;
            let may_be_exempted = || {
                let namespace = attributes.namespace.as_deref().unwrap_or_default();
                !set.exemptions().load().of(namespace).is_empty()
            };
            !decision.findings.is_empty() && (is_update || may_be_exempted())
        })
    }
}

impl Webhook {
    /// A webhook that evaluates on `threads` threads.
    ///
    /// # Errors
    ///
    /// If the operating system gives no threads.
    pub fn new(
        set: Arc<ArcSwap<PolicySet>>,
        threads: usize,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Webhook> {
        metrics.policies(set.load().counts());
        Ok(Webhook {
            set,
            pool: Pool::new(threads)?,
            metrics,
            surroundings: None,
        })
    }

    /// The same webhook in a cluster.
    #[must_use]
    pub fn within(mut self, surroundings: Arc<dyn Surroundings>) -> Webhook {
        self.surroundings = Some(surroundings);
        self
    }

    /// Decodes a body, and judges the request in it.
    async fn see(
        &self,
        set: &Arc<PolicySet>,
        call: &Call,
        scope: Scope,
    ) -> Result<Seen, Malformed> {
        let outline = outline(set, scope.phase);
        let seen = self.see_part(set, call, scope, &outline).await?;
        if outline.is_whole() || !seen.hangs_on_what_no_policy_reads(set) {
            return Ok(seen);
        }
        let whole = Arc::new(outline.with_everything());
        self.see_part(set, call, scope, &whole).await
    }

    async fn see_part(
        &self,
        set: &Arc<PolicySet>,
        call: &Call,
        scope: Scope,
        outline: &Arc<Outline>,
    ) -> Result<Seen, Malformed> {
        let review = decode(call.body.clone(), Arc::clone(outline)).await?;
        let judged = match review.request {
            Ok(request) => {
                let set = Arc::clone(set);
                Ok(self.decide(set, request, scope, call.deadline).await)
            }
            Err(problem) => Err(problem),
        };
        let uid = review.uid;
        Ok(Seen { uid, judged })
    }

    async fn decide(
        &self,
        set: Arc<PolicySet>,
        mut request: Request,
        scope: Scope,
        deadline: Instant,
    ) -> (Request, Decision) {
        let around = self.surroundings.as_deref();
        let others = around.and_then(Surroundings::others);
        let known = namespace::complete(around, &mut request, &set, deadline).await;
        let answers = match at_once(&set, &subject(&request, known, others), scope, deadline) {
            Ok(decision) => return (request, decision),
            Err(answers) => answers,
        };
        let (request, others_too) = (Arc::new(request), others.cloned());
        let (answer, answered) = oneshot::channel();
        let (judging, job) = (Arc::clone(&set), Arc::clone(&request));
        let submitted = self.pool.submit(move || {
            let subject = subject(&job, known, others_too.as_ref());
            // A caller that is gone needs no verdict.
            let _ = answer.send(admit::go_on(&judging, &subject, scope, deadline, answers));
        });
        let failure = match submitted {
            Err(full) => Failure::host(Cause::Overload, full.to_string()),
            Ok(()) => match tokio::time::timeout_at(deadline.into(), answered).await {
                Ok(Ok(decision)) => return (unshare(request), decision),
                Ok(Err(_)) => {
                    Failure::host(Cause::Trap, "judging failed inside Portcullis: see its log")
                }
                Err(_) => Failure::host(Cause::Deadline, "there was no time left to judge it"),
            },
        };
        let decision = admit::refuse(&set, &subject(&request, known, others), scope, &failure);
        (unshare(request), decision)
    }
}

/// What can be had at once needs no other thread: the way there and back is
/// half of what such a request costs.
fn at_once(
    set: &PolicySet,
    subject: &Subject<'_>,
    scope: Scope,
    deadline: Instant,
) -> Result<Decision, Answers> {
    let deadline = deadline.min(Instant::now() + AT_ONCE);
    let decide = || admit::at_once(set, subject, scope, deadline);
    // Where judging panics, it does so again where it ends one request.
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| Err(Answers::default()))
}

fn subject<'r>(
    request: &'r Request,
    known: Known,
    others: Option<&'r Arc<dyn Others>>,
) -> Subject<'r> {
    Subject {
        admission: &request.admission,
        attributes: &request.attributes,
        namespace: &request.namespace,
        known,
        others,
    }
}

/// Decodes a body: a large one apart from the threads that answer others.
async fn decode(body: Bytes, outline: Arc<Outline>) -> Result<Review, Malformed> {
    if body.len() <= QUICK {
        return review::decode_lean(&body, &outline);
    }
    let decode = move || review::decode_lean(&body, &outline);
    let decoded = tokio::task::spawn_blocking(decode).await;
    decoded.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

/// What of objects is decoded at first: patches need all of it.
fn outline(set: &PolicySet, phase: admit::Phase) -> Arc<Outline> {
    match phase {
        admit::Phase::Validate => Arc::clone(set.outline()),
        admit::Phase::Mutate => Arc::new(set.outline().with_everything()),
    }
}

/// An answer outside the protocol.
fn text(status: u16, line: &str) -> Reply {
    let body = format!("{line}\n").into_bytes();
    Reply { status, body }
}

fn unshare(request: Arc<Request>) -> Request {
    Arc::try_unwrap(request).unwrap_or_else(|shared| (*shared).clone())
}

impl Judge for Webhook {
    async fn judge(&self, call: Call) -> Reply {
        let arrived = Instant::now();
        let (phase, phase_name) = match call.phase {
            Phase::Validate => (admit::Phase::Validate, "validate"),
            Phase::Mutate => (admit::Phase::Mutate, "mutate"),
            Phase::Policies => {
                return policies::answer(self.surroundings.as_deref(), call).await;
            }
            Phase::Relocate(half) => return self.relocate(call, half).await,
        };
        if self.surroundings.as_ref().is_some_and(|s| !s.is_ready()) {
            self.metrics.rejection("not-ready");
            let body = b"the policies of the cluster are not known yet\n".to_vec();
            return Reply { status: 503, body };
        }
        let (group, group_name) = match call.group {
            Group::Fail => (FailurePolicy::Fail, "Fail"),
            Group::Ignore => (FailurePolicy::Ignore, "Ignore"),
        };
        let scope = Scope {
            phase,
            failure_policy: Some(group),
            moving: false,
        };
        let recorded = Recorded {
            phase: phase_name,
            group: group_name,
            arrived,
        };
        // One set for all of it, whatever is swapped meanwhile.
        let set = self.set.load_full();
        let seen = match self.see(&set, &call, scope).await {
            Ok(mut seen) => {
                if let Ok((request, decision)) = &mut seen.judged {
                    let around = self.surroundings.as_deref();
                    effects::act(around, request, decision, call.deadline).await;
                }
                seen
            }
            Err(malformed) => {
                self.metrics.rejection("body");
                return text(400, &malformed.to_string());
            }
        };
        let uid = &seen.uid;
        let body = match seen.judged {
            Ok((request, decision)) => {
                self.record(&recorded, &request, &decision);
                review::encode(uid, &decision)
            }
            Err(problem) => {
                self.metrics
                    .request(phase_name, group_name, "denied", arrived.elapsed());
                tracing::info!(uid, problem, "a review could not be judged and was refused");
                review::encode_refusal(uid, &problem)
            }
        };
        Reply { status: 200, body }
    }

    fn health(&self) -> Vec<Health> {
        let set = self.set.load();
        let line = |policy: &crate::policy::Policy| {
            let state = match (&policy.program, set.stale(&policy.name)) {
                (Ok(_), None) => "ready".to_owned(),
                (Ok(_), Some(failure)) => {
                    format!("ready in its last good form, the newer one failed: {failure}")
                }
                // Known to fail: its failurePolicy answers, and we serve.
                (Err(failure), _) => format!(
                    "failed, answers by failurePolicy {}: {failure}",
                    policy.spec.failure_policy
                ),
            };
            Health {
                name: format!("policy/{}", policy.name),
                state,
                ready: true,
            }
        };
        let refused = set.refused().map(|problem| Health {
            name: "policies".into(),
            state: format!("the last change was refused, what was before stays: {problem}"),
            ready: true,
        });
        let around = self.surroundings.iter().flat_map(|s| s.health());
        let policies = set.policies().iter().map(line);
        policies.chain(refused).chain(around).collect()
    }
}

#[cfg(test)]
mod tests;

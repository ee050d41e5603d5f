//! What a decision asks for besides: rights are asked about, and objects
//! brought to exist before "allowed" is answered.

use std::time::{Duration, Instant};

use super::Surroundings;
use super::surroundings::NO_CLUSTER;
use crate::policy::decision::Broken;
use crate::policy::effect::hanging::Closing;
use crate::policy::effect::{Guard, Wanted};
use crate::policy::{Cause, Decision, Failure};
use crate::review::Request;

/// What is left of the request's time for the answer.
const RESERVE: Duration = Duration::from_millis(50);

/// Acts on what stands in the decision; what cannot be done becomes a failure
/// of the policy that asked for it. On dry-run, and where anything is denied,
/// nothing is written.
pub(super) async fn act(
    around: Option<&dyn Surroundings>,
    request: &Request,
    decision: &mut Decision,
    deadline: Instant,
) {
    let acting = Acting {
        around,
        request,
        until: deadline.checked_sub(RESERVE).unwrap_or(deadline),
    };
    for guard in std::mem::take(&mut decision.guarded) {
        acting.find(guard, decision).await;
    }
    for closing in std::mem::take(&mut decision.closing) {
        acting.look(closing, decision).await;
    }
    if !request.attributes.dry_run {
        acting.ensure(decision).await;
    }
}

struct Acting<'a> {
    around: Option<&'a dyn Surroundings>,
    request: &'a Request,
    until: Instant,
}

impl Acting<'_> {
    /// Adds what is found, unless the user may do what lifts it. Where there
    /// is no cluster nobody has rights, and nothing is found.
    async fn find(&self, guard: Guard, decision: &mut Decision) {
        let Some(around) = self.around else { return };
        let permission = &guard.permission;
        let problem = match around.may(self.request, permission, self.until).await {
            Ok(true) => return,
            Ok(false) => return decision.findings.push(guard.judged),
            Err(problem) => problem,
        };
        let message = format!(
            "whether `{}` may {} {} is not known: {problem}",
            self.request.attributes.username, permission.verb, permission.resource
        );
        decision.failures.push(Broken {
            policy: guard.judged.policy,
            failure: Failure::host(Cause::Lookup, message),
            failure_policy: guard.failure_policy,
        });
    }

    /// Adds what is found where the API server would be kept from what it calls.
    /// Where there is no cluster nobody knows, and nothing is found.
    async fn look(&self, closing: Closing, decision: &mut Decision) {
        let Some(around) = self.around else { return };
        let problem = match around.closed_by(&closing, self.until).await {
            Ok(callers) if callers.is_empty() => return,
            Ok(callers) => return decision.findings.push(closing.told(&callers)),
            Err(problem) => problem,
        };
        let message = format!(
            "what the API server calls in the namespace `{}` is not known: {problem}",
            closing.namespace
        );
        decision.failures.push(Broken {
            policy: closing.judged.policy,
            failure: Failure::host(Cause::Lookup, message),
            failure_policy: closing.failure_policy,
        });
    }

    /// Brings required objects to exist, one after the other; what is refused
    /// wants none.
    async fn ensure(&self, decision: &mut Decision) {
        let required = decision.effects.iter().filter(|one| one.effect.required);
        for wanted in required.cloned().collect::<Vec<Wanted>>() {
            if decision.is_denied() {
                return;
            }
            let ensured = match self.around {
                Some(around) => around.ensure(&wanted, self.until).await,
                None => Err(NO_CLUSTER.to_owned()),
            };
            if let Err(problem) = ensured {
                decision.failures.push(missing(&wanted, &problem));
            }
        }
    }
}

fn missing(wanted: &Wanted, problem: &str) -> Broken {
    let title = wanted.title();
    let message = format!("{title} has to be there first: {problem}; to try again is safe");
    Broken {
        policy: wanted.policy.clone(),
        failure: Failure::host(Cause::Effect, message),
        failure_policy: wanted.failure_policy,
    }
}

#[cfg(test)]
mod tests;

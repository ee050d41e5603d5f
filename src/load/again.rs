//! Policies that are loaded once more though nobody changed them: what kept
//! them from loading may have been the machine ([`Failure::may_pass`]).
//!
//! The pauses grow, so that a policy that never loads costs little.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::policy::{Failure, PolicyName, PolicySet};

/// Before the second try.
const FIRST: Duration = Duration::from_secs(10);
/// Before any. A compilation takes up to 30 s of a core.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Which, and when.
#[derive(Debug, Default)]
pub(super) struct Again(BTreeMap<PolicyName, Next>);

#[derive(Debug)]
struct Next {
    pause: Duration,
    at: Instant,
}

/// Why a policy of the set does not run as it is written, if it does not.
pub(super) fn failure_of<'s>(set: &'s PolicySet, name: &PolicyName) -> Option<&'s Failure> {
    let policy = set.get(name.as_str())?;
    set.stale(name).or(policy.program.as_ref().err())
}

impl Again {
    /// Whether one is to be tried now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.0.values().any(|next| next.at <= now)
    }

    /// Learns what came of loading a set at `now`. A policy that was changed
    /// begins with the shortest pause.
    pub(super) fn learn(
        &mut self,
        set: &PolicySet,
        is_changed: impl Fn(&PolicyName) -> bool,
        now: Instant,
    ) {
        let before = std::mem::take(&mut self.0);
        let failed = set.policies().iter().map(|policy| &policy.name);
        let failed = failed.filter(|name| failure_of(set, name).is_some_and(Failure::may_pass));
        for name in failed {
            let known = before.get(name).filter(|_| !is_changed(name));
            let pause = known.map_or(FIRST, |known| (known.pause * 2).min(LONGEST));
            let at = now + pause;
            self.0.insert(name.clone(), Next { pause, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::policy::spec::Resource;
    use crate::policy::{Cause, Policy};

    fn set(cause: Cause) -> PolicySet {
        let document = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
            "metadata": {"name": "a"}, "spec": {"program": {"builtin": "image-tags"}}});
        let resource = Resource::parse(&document).expect("a policy");
        let policy = Policy {
            name: resource.name,
            spec: resource.spec,
            description: None,
            program: Err(Failure::guest(cause, "why")),
        };
        PolicySet::new(vec![policy], BTreeSet::new()).expect("one policy")
    }

    #[test]
    fn what_may_pass_is_tried_again_after_pauses_that_grow() {
        let (mut again, mut now) = (Again::default(), Instant::now());
        let slow = set(Cause::Deadline);
        for pause in [10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800] {
            again.learn(&slow, |_| false, now);
            let pause = Duration::from_secs(pause);
            assert!(!again.is_due(now + pause - Duration::from_secs(1)));
            now += pause;
            assert!(again.is_due(now), "{pause:?}");
        }
        again.learn(&slow, |_| true, now);
        assert!(again.is_due(now + FIRST), "it was changed");
    }

    #[test]
    fn what_is_wrong_with_a_policy_itself_is_not_tried_again() {
        let now = Instant::now();
        let mut again = Again::default();
        again.learn(&set(Cause::Deadline), |_| false, now);
        again.learn(&set(Cause::Settings), |_| false, now);
        assert!(!again.is_due(now + LONGEST));
    }
}

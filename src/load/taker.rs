//! Puts policies in force, wherever they were found: in files or in a cluster.
//!
//! What changed is loaded here, off every request's path; then the whole set
//! is swapped at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::{each, policy};
use crate::admit::guard::Guarding;
use crate::policy::{Failure, Policy, PolicyName, PolicySet, Spec, set};
use crate::source::Found;
use crate::wasm::Engine;

/// A policy as it is wanted, with the bytes of its program.
pub struct Candidate {
    /// The document.
    pub found: Found,
    /// The program's bytes, or why there are none.
    pub program: Result<Vec<u8>, Failure>,
    /// An earlier form, to go on with if this one does not load. None for the
    /// one that is in force here.
    pub last_good: Option<LastGood>,
}

/// An earlier form of a policy, which loaded.
pub struct LastGood {
    /// Its spec.
    pub spec: Spec,
    /// The bytes of its program.
    pub program: Vec<u8>,
}

/// A digest of each policy's document and of its program's bytes.
pub(super) type Forms = BTreeMap<PolicyName, [u8; 32]>;

/// Loads policies and swaps the set in force.
pub struct Taker {
    engine: Arc<Engine>,
    guard: Guarding,
    excluded_namespaces: BTreeSet<String>,
    set: Arc<ArcSwap<PolicySet>>,
    /// Of which documents and programs the set in force was made.
    forms: Forms,
    /// And of which earlier ones, where those do not load.
    last_good: Forms,
}

impl Taker {
    /// With no policy in force yet; each that comes is guarded. Nothing in
    /// `excluded_namespaces` is judged.
    pub fn new(
        engine: &Arc<Engine>,
        guard: Guarding,
        excluded_namespaces: BTreeSet<String>,
    ) -> Taker {
        let set = PolicySet::empty(excluded_namespaces.clone());
        Taker {
            engine: Arc::clone(engine),
            guard,
            excluded_namespaces,
            set: Arc::new(ArcSwap::from_pointee(set)),
            forms: Forms::new(),
            last_good: Forms::new(),
        }
    }

    /// The set in force, which [`Taker::take`] swaps.
    pub fn set(&self) -> &Arc<ArcSwap<PolicySet>> {
        &self.set
    }

    /// Puts these policies, and no others, in force. What is loaded in the
    /// same form already goes on; what does not load goes on in its last good
    /// form. Whether anything changed.
    ///
    /// # Errors
    ///
    /// Two policies of one name; nothing changes then.
    pub fn take(&mut self, candidates: &[Candidate]) -> Result<bool, set::Duplicate> {
        let (forms, last_good) = (forms(candidates), forms_of_last_good(candidates));
        let is_first = self.set.load().is_unset();
        if !is_first && (&forms, &last_good) == (&self.forms, &self.last_good) {
            return Ok(false);
        }
        let before = self.set.load_full();
        let loaded = self.load(candidates, &forms, &before);
        let set = PolicySet::new(loaded, self.excluded_namespaces.clone())?;
        let earlier = self.load_last_good(candidates, &set);
        let set = set.or_last_good(|name| earlier.get(name).or_else(|| before.get(name.as_str())));
        self.tell(&set, &forms);
        self.set.store(Arc::new(set));
        (self.forms, self.last_good) = (forms, last_good);
        Ok(true)
    }

    fn load(&self, candidates: &[Candidate], forms: &Forms, before: &PolicySet) -> Vec<Policy> {
        let load = |candidate: &Candidate| {
            let name = &candidate.found.resource.name;
            let is_known = self.forms.get(name) == forms.get(name);
            let known = before.get(name.as_str()).filter(|policy| {
                is_known && policy.program.is_ok() && before.stale(name).is_none()
            });
            let anew = || policy(&self.engine, &candidate.found, candidate.program.as_deref());
            known.cloned().unwrap_or_else(|| self.guard.guard(anew()))
        };
        each(candidates, |candidate| &candidate.found, load)
    }

    /// The earlier forms of those that did not load.
    fn load_last_good(
        &self,
        candidates: &[Candidate],
        set: &PolicySet,
    ) -> BTreeMap<PolicyName, Policy> {
        let is_needed = |name: &PolicyName| {
            let policy = set.get(name.as_str());
            policy.is_some_and(|policy| policy.program.is_err())
        };
        let earlier = candidates.iter().filter_map(|candidate| {
            let last_good = candidate.last_good.as_ref()?;
            let mut found = candidate.found.clone();
            found.resource.spec = last_good.spec.clone();
            is_needed(&found.resource.name).then_some((found, last_good))
        });
        let earlier: Vec<(Found, &LastGood)> = earlier.collect();
        let load = |(found, last_good): &(Found, &LastGood)| {
            self.guard
                .guard(policy(&self.engine, found, Ok(&last_good.program)))
        };
        let loaded = each(&earlier, |(found, _)| found, load);
        let good = loaded.into_iter().filter(|policy| policy.program.is_ok());
        good.map(|policy| (policy.name.clone(), policy)).collect()
    }

    /// One event a policy that is new, changed or gone.
    fn tell(&self, set: &PolicySet, forms: &Forms) {
        for policy in set.policies() {
            let name = &policy.name;
            if self.forms.get(name) == forms.get(name) {
                continue;
            }
            match (&policy.program, set.stale(name)) {
                (Ok(_), None) => tracing::info!(policy = %name, "policy ready"),
                (Ok(_), Some(failure)) => tracing::error!(
                    policy = %name, blame = %failure.blame, cause = %failure.cause,
                    message = failure.message,
                    "the changed policy failed to load; it stays in its last good form"
                ),
                (Err(failure), _) => tracing::error!(
                    policy = %name, blame = %failure.blame, cause = %failure.cause,
                    failure_policy = %policy.spec.failure_policy, message = failure.message,
                    "policy failed to load; its failurePolicy answers"
                ),
            }
        }
        for name in self.forms.keys().filter(|name| !forms.contains_key(*name)) {
            tracing::info!(policy = %name, "policy removed");
        }
    }
}

pub(super) fn forms(candidates: &[Candidate]) -> Forms {
    let form = |candidate: &Candidate| {
        let resource = &candidate.found.resource;
        let program = candidate.program.as_deref();
        let program = program.map_err(|failure| failure.message.as_str());
        (resource.name.clone(), form(&resource.spec, program))
    };
    candidates.iter().map(form).collect()
}

fn forms_of_last_good(candidates: &[Candidate]) -> Forms {
    let form = |candidate: &Candidate| {
        let last_good = candidate.last_good.as_ref()?;
        let name = candidate.found.resource.name.clone();
        Some((name, form(&last_good.spec, Ok(&last_good.program))))
    };
    candidates.iter().filter_map(form).collect()
}

fn form(spec: &Spec, program: Result<&[u8], &str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let document = format!("{spec:?}");
    hash.update(document.len().to_le_bytes());
    hash.update(document);
    hash.update(program.unwrap_or_else(str::as_bytes));
    hash.finalize().into()
}

//! Puts policies in force, wherever they were found: in files or in a cluster.
//!
//! What changed is loaded here, off every request's path; then the whole set
//! is swapped at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::again::{Again, failure_of};
use super::{each, policy};
use crate::policy::exemption::book::Exemptions;
use crate::policy::{Failure, Policy, PolicyName, PolicySet, Spec, set};
use crate::source::Found;
use crate::wasm::Engine;

/// A policy as it is wanted, with the bytes of its program.
pub struct Candidate {
    /// The document.
    pub found: Found,
    /// The program's bytes, or why there are none.
    pub program: Result<Vec<u8>, Failure>,
    /// What to go on with if it does not load.
    pub earlier: Earlier,
}

/// What a policy that does not load goes on with.
pub enum Earlier {
    /// The form that is in force here, if there is one.
    InForce,
    /// This form; if it does not load either, the one that is in force here.
    Known(Box<LastGood>),
    /// Nothing: another policy had this name before.
    Nothing,
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

/// What a server does with each policy that was loaded before it is in force:
/// guards it, and remembers what it said.
pub type Prepare = Arc<dyn Fn(Policy) -> Policy + Send + Sync>;

/// Loads policies and swaps the set in force.
pub struct Taker {
    engine: Arc<Engine>,
    prepare: Prepare,
    excluded_namespaces: BTreeSet<String>,
    /// One for all sets: exemptions come and go without them.
    exemptions: Arc<Exemptions>,
    set: Arc<ArcSwap<PolicySet>>,
    /// Of which documents and programs the set in force was made.
    forms: Forms,
    /// And of which earlier ones, where those do not load.
    earlier: Forms,
    /// Those that are tried again though nobody changed them.
    again: Again,
}

impl Taker {
    /// With no policy in force yet; `prepare` gets each that is
    /// loaded. Nothing in
    /// `excluded_namespaces` is judged.
    pub fn new(
        engine: &Arc<Engine>,
        prepare: Prepare,
        excluded_namespaces: BTreeSet<String>,
    ) -> Taker {
        let exemptions = Arc::new(Exemptions::default());
        let set = PolicySet::empty(excluded_namespaces.clone()).exempting(Arc::clone(&exemptions));
        Taker {
            engine: Arc::clone(engine),
            prepare,
            excluded_namespaces,
            exemptions,
            set: Arc::new(ArcSwap::from_pointee(set)),
            forms: Forms::new(),
            earlier: Forms::new(),
            again: Again::default(),
        }
    }

    /// The set in force, which [`Taker::take`] swaps.
    pub fn set(&self) -> &Arc<ArcSwap<PolicySet>> {
        &self.set
    }

    /// What is forgiven of what the policies of every set find.
    pub fn exemptions(&self) -> &Arc<Exemptions> {
        &self.exemptions
    }

    /// Whether a policy is to be loaded again that nobody changed, since what
    /// kept it from loading may have passed.
    pub fn is_due(&self) -> bool {
        self.again.is_due(Instant::now())
    }

    /// Puts these policies, and no others, in force. What is loaded in the
    /// same form already goes on; what does not load goes on in its last good
    /// form, and is tried again when that [is due](Taker::is_due). Whether
    /// anything changed.
    ///
    /// # Errors
    ///
    /// Two policies of one name; nothing changes then.
    pub fn take<'a>(
        &mut self,
        candidates: impl IntoIterator<Item = &'a Candidate>,
    ) -> Result<bool, set::Duplicate> {
        let candidates: Vec<&Candidate> = candidates.into_iter().collect();
        let candidates = &candidates[..];
        let before = self.set.load_full();
        let forms = forms(candidates.iter().copied());
        let is_whole = !before.is_unset() && before.refused().is_none();
        let is_known = is_whole && forms == self.forms && self.has_earlier(candidates, &before);
        if is_known && !self.is_due() {
            return Ok(false);
        }
        let set = self.set_of(candidates, &forms, &before)?;
        let is_changed = |name: &PolicyName| self.forms.get(name) != forms.get(name);
        self.again.learn(&set, is_changed, Instant::now());
        let is_news = |policy: &Policy| {
            let name = &policy.name;
            is_changed(name) || failure_of(&before, name) != failure_of(&set, name)
        };
        let news: Vec<&Policy> = set.policies().iter().filter(|one| is_news(one)).collect();
        if is_known && news.is_empty() {
            return Ok(false);
        }
        self.tell(&set, &news, &forms);
        self.set.store(Arc::new(set));
        self.forms = forms;
        self.earlier = forms_of_earlier(candidates);
        Ok(true)
    }

    /// The set of these, each in the form that is to be in force.
    fn set_of(
        &self,
        candidates: &[&Candidate],
        forms: &Forms,
        before: &PolicySet,
    ) -> Result<PolicySet, set::Duplicate> {
        let loaded = self.load(candidates, forms, before);
        let set = PolicySet::new(loaded, self.excluded_namespaces.clone())?
            .exempting(Arc::clone(&self.exemptions));
        let earlier = self.load_last_good(candidates, &set);
        let is_another = |name: &PolicyName| {
            let mut others = candidates
                .iter()
                .filter(|c| matches!(c.earlier, Earlier::Nothing));
            others.any(|candidate| candidate.found.resource.name == *name)
        };
        let here = |name: &PolicyName| before.get(name.as_str()).filter(|_| !is_another(name));
        Ok(set.or_last_good(|name| earlier.get(name).or_else(|| here(name))))
    }

    /// Whether those that do not load go on with what is in force for them.
    fn has_earlier(&self, candidates: &[&Candidate], set: &PolicySet) -> bool {
        let earlier = forms_of_earlier(candidates);
        let is_broken =
            |policy: &&Policy| policy.program.is_err() || set.stale(&policy.name).is_some();
        let mut broken = set.policies().iter().filter(is_broken);
        broken.all(|policy| earlier.get(&policy.name) == self.earlier.get(&policy.name))
    }

    fn load(&self, candidates: &[&Candidate], forms: &Forms, before: &PolicySet) -> Vec<Policy> {
        let load = |candidate: &&Candidate| {
            let name = &candidate.found.resource.name;
            let is_known = self.forms.get(name) == forms.get(name);
            let known = before.get(name.as_str()).filter(|policy| {
                is_known && policy.program.is_ok() && before.stale(name).is_none()
            });
            let anew = || policy(&self.engine, &candidate.found, candidate.program.as_deref());
            known.cloned().unwrap_or_else(|| (self.prepare)(anew()))
        };
        each(candidates, |candidate| &candidate.found, load)
    }

    /// The earlier forms of those that did not load.
    fn load_last_good(
        &self,
        candidates: &[&Candidate],
        set: &PolicySet,
    ) -> BTreeMap<PolicyName, Policy> {
        let is_needed = |name: &PolicyName| {
            let policy = set.get(name.as_str());
            policy.is_some_and(|policy| policy.program.is_err())
        };
        let earlier = candidates.iter().filter_map(|candidate| {
            let Earlier::Known(last_good) = &candidate.earlier else {
                return None;
            };
            let mut found = candidate.found.clone();
            found.resource.spec = last_good.spec.clone();
            is_needed(&found.resource.name).then_some((found, &**last_good))
        });
        let earlier: Vec<(Found, &LastGood)> = earlier.collect();
        let load = |(found, last_good): &(Found, &LastGood)| {
            (self.prepare)(policy(&self.engine, found, Ok(&last_good.program)))
        };
        let loaded = each(&earlier, |(found, _)| found, load);
        let good = loaded.into_iter().filter(|policy| policy.program.is_ok());
        good.map(|policy| (policy.name.clone(), policy)).collect()
    }

    /// One event a policy that is new, changed or gone, or that loads at last.
    fn tell(&self, set: &PolicySet, news: &[&Policy], forms: &Forms) {
        for policy in news {
            let name = &policy.name;
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

pub(super) fn forms<'a>(candidates: impl IntoIterator<Item = &'a Candidate>) -> Forms {
    let form = |candidate: &Candidate| {
        let resource = &candidate.found.resource;
        let program = candidate.program.as_deref();
        let program = program.map_err(|failure| failure.message.as_str());
        (resource.name.clone(), form(&resource.spec, program))
    };
    candidates.into_iter().map(form).collect()
}

fn forms_of_earlier(candidates: &[&Candidate]) -> Forms {
    let form = |candidate: &&Candidate| {
        let Earlier::Known(last_good) = &candidate.earlier else {
            return None;
        };
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

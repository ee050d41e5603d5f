//! Policies that change on disk while they are in force.
//!
//! Contents count, not events: Kubernetes swaps a symlink above the files,
//! which a watch of them never sees (design: reliability.md, section 4). What
//! changed is loaded here, off every request's path; then the whole set is
//! swapped at once. What cannot be read leaves the old set in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::{each, policy};
use crate::pack::{Pack, Profile};
use crate::policy::{Failure, Policy, PolicyName, PolicySet, set};
use crate::source::{self, Found};
use crate::telemetry::Metrics;
use crate::wasm::Engine;

/// How often files are read again that change while they are read.
const TRIES: usize = 5;

/// Which policies are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where built-in programs and profiles come from.
    pub pack: Pack,
    /// The profile.
    pub profile: Profile,
    /// Files and folders of documents.
    pub paths: Vec<PathBuf>,
    /// Namespaces that no policy judges.
    pub excluded_namespaces: BTreeSet<String>,
}

/// What a server does with each policy that was loaded before it is in force:
/// guards it, and remembers what it said.
pub type Prepare = Arc<dyn Fn(Policy) -> Policy + Send + Sync>;

/// Loads policies, and again what changes of them.
pub struct Watch {
    engine: Arc<Engine>,
    wanted: Wanted,
    prepare: Prepare,
    set: Arc<ArcSwap<PolicySet>>,
    /// Of which documents and programs the set in force was made.
    in_force: Forms,
    /// What was last looked at, taken or not.
    seen: Result<Forms, String>,
}

/// Why there is nothing to start with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Documents that cannot be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// Two policies of one name.
    #[error(transparent)]
    Duplicate(#[from] set::Duplicate),
}

/// A digest of each policy's document and of its program's bytes.
type Forms = BTreeMap<PolicyName, [u8; 32]>;

/// Documents and programs as they were read together.
struct Look {
    policies: Vec<(Found, Result<Vec<u8>, Failure>)>,
    forms: Forms,
}

impl Wanted {
    fn look(&self) -> Result<Look, source::Error> {
        let found = source::policies(&self.pack, self.profile, &self.paths)?;
        let mut look = Look {
            policies: Vec::new(),
            forms: Forms::new(),
        };
        for found in found {
            let program = source::program(&self.pack, &found);
            let name = found.resource.name.clone();
            look.forms.insert(name, form(&found, &program));
            look.policies.push((found, program));
        }
        Ok(look)
    }

    /// Looks until two looks in a row see the same, so that nothing is put in
    /// force that was read half before and half after a change. None if the
    /// files do not come to rest.
    fn settled(&self) -> Option<Result<Look, source::Error>> {
        let mut last = self.look();
        for _ in 0..TRIES {
            let next = self.look();
            if seen(&last) == seen(&next) {
                return Some(next);
            }
            last = next;
        }
        None
    }
}

fn form(found: &Found, program: &Result<Vec<u8>, Failure>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let document = format!("{:?}", found.resource);
    hash.update(document.len().to_le_bytes());
    hash.update(document);
    match program {
        Ok(bytes) => hash.update(bytes),
        Err(failure) => hash.update(&failure.message),
    }
    hash.finalize().into()
}

/// What a look is told from others by.
fn seen(look: &Result<Look, source::Error>) -> Result<Forms, String> {
    match look {
        Ok(look) => Ok(look.forms.clone()),
        // Faults are a line each; a log entry and a line of health are one.
        Err(error) => Err(error.to_string().replace('\n', "; ")),
    }
}

impl Watch {
    /// Loads what is wanted, for the first time; `prepare` gets each policy that
    /// was loaded, now and later.
    ///
    /// # Errors
    ///
    /// As for [`source::policies`] and [`super::load`].
    pub fn start(engine: &Arc<Engine>, wanted: Wanted, prepare: Prepare) -> Result<Watch, Error> {
        // Files that never come to rest are taken as they are, and later anew.
        let look = wanted.settled().unwrap_or_else(|| wanted.look())?;
        let mut watch = Watch {
            engine: Arc::clone(engine),
            set: Arc::new(ArcSwap::from_pointee(PolicySet::new(
                Vec::new(),
                BTreeSet::new(),
            )?)),
            wanted,
            prepare,
            in_force: Forms::new(),
            seen: Ok(Forms::new()),
        };
        watch.take(look)?;
        Ok(watch)
    }

    /// The set in force, which [`Watch::poll`] swaps.
    pub fn set(&self) -> &Arc<ArcSwap<PolicySet>> {
        &self.set
    }

    /// Looks at the files every `pause`, on a thread of its own, until the
    /// process ends. Nothing to do where no file was named.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn run(mut self, pause: Duration, metrics: Arc<Metrics>) -> std::io::Result<()> {
        if self.wanted.paths.is_empty() {
            return Ok(());
        }
        let run = move || {
            loop {
                std::thread::sleep(pause);
                self.poll(&metrics);
            }
        };
        let thread = std::thread::Builder::new().name("policies".into());
        thread.spawn(run).map(drop)
    }

    /// Looks at the files once, and loads what changed.
    pub fn poll(&mut self, metrics: &Metrics) {
        if seen(&self.wanted.look()) == self.seen {
            return;
        }
        let Some(look) = self.wanted.settled() else {
            return;
        };
        let now = seen(&look);
        if now == self.seen {
            return;
        }
        self.seen = now.clone();
        let refused = match (look, now) {
            (Ok(look), _) => self.take(look).err().map(|error| error.to_string()),
            (Err(_), now) => now.err(),
        };
        metrics.policy_reload(refused.is_none());
        if let Some(problem) = refused {
            tracing::error!(
                problem,
                "the changed policies were refused; the old ones stay"
            );
            self.set.store(Arc::new(self.set.load().refusing(problem)));
        }
        metrics.policies(self.set.load().counts());
    }

    /// Puts a look in force.
    fn take(&mut self, look: Look) -> Result<(), set::Duplicate> {
        let before = self.set.load_full();
        let programs: BTreeMap<_, _> = look
            .policies
            .iter()
            .map(|(found, program)| (&found.resource.name, program.as_deref()))
            .collect();
        let load = |found: &Found| {
            let name = &found.resource.name;
            let is_known = self.in_force.get(name) == look.forms.get(name);
            let known = before.get(name.as_str()).filter(|policy| {
                is_known && policy.program.is_ok() && before.stale(name).is_none()
            });
            known
                .cloned()
                .unwrap_or_else(|| (self.prepare)(policy(&self.engine, found, programs[name])))
        };
        let loaded = each(look.policies.iter().map(|(found, _)| found), load);
        let set = PolicySet::new(loaded, self.wanted.excluded_namespaces.clone())?.after(&before);
        self.tell(&set, &look.forms);
        self.set.store(Arc::new(set));
        self.in_force = look.forms.clone();
        self.seen = Ok(look.forms);
        Ok(())
    }

    /// One event a policy that is new, changed or gone.
    fn tell(&self, set: &PolicySet, forms: &Forms) {
        for policy in set.policies() {
            let name = &policy.name;
            if self.in_force.get(name) == forms.get(name) {
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
        for name in self
            .in_force
            .keys()
            .filter(|name| !forms.contains_key(*name))
        {
            tracing::info!(policy = %name, "policy removed");
        }
    }
}

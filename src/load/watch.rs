//! Policies that change on disk while they are in force.
//!
//! Contents count, not events: Kubernetes swaps a symlink above the files,
//! which a watch of them never sees (design: reliability.md, section 4). What
//! changed is put in force by [`super::taker`]; what cannot be read leaves the
//! old set in force.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use k8s_openapi::jiff::Timestamp;

use super::taker::{Candidate, Earlier, Forms, Prepare, Taker, forms};
use crate::pack::{Pack, Profile};
use crate::policy::exemption::{Exemption, book::Book};
use crate::policy::{PolicySet, set};
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

/// Loads policies, and again what changes of them.
pub struct Watch {
    taker: Taker,
    wanted: Wanted,
    /// What was last looked at, taken or not.
    seen: Seen,
}

/// What the files say.
struct Look {
    policies: Vec<Candidate>,
    exemptions: Vec<Exemption>,
}

/// What a look is told from others by.
type Seen = Result<(Forms, Vec<Exemption>), String>;

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

impl Wanted {
    fn look(&self) -> Result<Look, source::Error> {
        let found = source::documents(&self.pack, self.profile, &self.paths)?;
        let candidate = |found: Found| Candidate {
            program: source::program(&self.pack, &found),
            found,
            earlier: Earlier::InForce,
        };
        Ok(Look {
            policies: found.policies.into_iter().map(candidate).collect(),
            exemptions: found.exemptions,
        })
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

fn seen(look: &Result<Look, source::Error>) -> Seen {
    match look {
        Ok(look) => Ok((forms(&look.policies), look.exemptions.clone())),
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
            taker: Taker::new(engine, prepare, wanted.excluded_namespaces.clone()),
            wanted,
            seen: Ok((Forms::new(), vec![])),
        };
        watch.take(&look)?;
        watch.seen = seen(&Ok(look));
        Ok(watch)
    }

    fn take(&mut self, look: &Look) -> Result<(), set::Duplicate> {
        self.taker.take(&look.policies)?;
        let book = Book::new(look.exemptions.iter().cloned(), Timestamp::now);
        if self.taker.exemptions().store(book) {
            let exemptions = look.exemptions.len();
            tracing::info!(exemptions, "exemptions were read");
        }
        Ok(())
    }

    /// The set in force, which [`Watch::poll`] swaps.
    pub fn set(&self) -> &Arc<ArcSwap<PolicySet>> {
        self.taker.set()
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
        let is_due = self.taker.is_due() && self.seen.is_ok();
        if !is_due && seen(&self.wanted.look()) == self.seen {
            return;
        }
        let Some(look) = self.wanted.settled() else {
            return;
        };
        let now = seen(&look);
        if !is_due && now == self.seen {
            return;
        }
        self.seen = now.clone();
        let refused = match (look, now) {
            (Ok(look), _) => self.take(&look).err().map(|error| error.to_string()),
            (Err(_), now) => now.err(),
        };
        metrics.policy_reload(refused.is_none());
        if let Some(problem) = refused {
            tracing::error!(
                problem,
                "the changed policies were refused; the old ones stay"
            );
            let set = self.taker.set();
            set.store(Arc::new(set.load().refusing(problem)));
        }
        metrics.policies(self.set().load().counts());
    }
}

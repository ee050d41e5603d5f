//! The protocol of relocation as a model that `stateright` explores: two clients,
//! an API server that asks admission again after each conflict, a quota that
//! refuses late, two promoters, a collector, a pod, and crashes between any two
//! steps. What is decided is decided by the functions of `portcullis-relocation`
//! that the program runs; the model only carries their decisions out.
//!
//! One ConfigMap (`app`) with one secret key is enough: keys do not interact but
//! by sharing a staged Secret, which unit tests look at.

mod checks;
mod client;
mod reconciler;
mod shared;
mod state;

use portcullis_relocation::digest::Keyring;
use shared::Memo;
use stateright::{Model, Property};

pub use client::Op;
pub use state::{Action, State};

/// What keeps the protocol safe. Each can be taken away, to see that the checker
/// then finds what goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safeguard {
    /// A serving Secret is written only as it was read.
    Precondition,
    /// A serving Secret is deleted only as it was read.
    DeletePrecondition,
    /// The serving Secret is read before the ConfigMap.
    ServingFirst,
    /// The ConfigMap is not read from a cache.
    Quorum,
    /// While the ConfigMap exists its serving Secret is emptied, not deleted.
    Emptied,
    /// Admission writes no Secret that pods read.
    StagedOnly,
    /// Each staged Secret has a name of its own.
    FreshNames,
    /// The staged Secret is written before the answer.
    SecretFirst,
    /// A young staged Secret is not collected.
    Age,
    /// A staged Secret that a ConfigMap names is not collected.
    Named,
    /// Placeholders are only carried over or just issued.
    NoForgery,
    /// What was issued some time ago is not just issued.
    Freshness,
    /// What was issued over another version is not issued in this request.
    Version,
    /// A pod waits until its Secret is promoted.
    PodsWait,
    /// Nothing is written on a dry run.
    DryRun,
    /// Copies in annotations are rewritten.
    Copies,
}

/// A run of the model: what the clients do, and what is taken away.
pub struct World {
    /// What each client does, one after another.
    pub scripts: Vec<Vec<Op>>,
    /// How many promoters there are: one that is slow, and one that took over.
    pub promoters: usize,
    /// How many hours pass at most.
    pub hours: u8,
    /// What is taken away.
    pub without: Option<Safeguard>,
    /// The replicas are in the middle of a rotation of keys.
    rings: [Keyring; 2],
    admissions: Memo<Option<client::Admitted>>,
    promotions: Memo<reconciler::Promoter>,
    checks: Memo<checks::Checks>,
}

impl World {
    /// A world with all safeguards.
    ///
    /// # Panics
    ///
    /// Never: the keys are long enough.
    pub fn new(scripts: &[&[Op]]) -> Self {
        let ring = |current: u8, other: u8| {
            Keyring::new(&[current; 32], &[&[other; 32]]).expect("32 bytes are enough")
        };
        Self {
            scripts: scripts.iter().map(|script| script.to_vec()).collect(),
            promoters: 2,
            hours: 1,
            without: None,
            rings: [ring(1, 2), ring(2, 1)],
            admissions: Memo::default(),
            promotions: Memo::default(),
            checks: Memo::default(),
        }
    }

    pub(crate) fn has(&self, safeguard: Safeguard) -> bool {
        self.without != Some(safeguard)
    }

    /// The keys that this replica has.
    pub(crate) fn ring(&self, replica: usize) -> &Keyring {
        &self.rings[replica % 2]
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.scripts.len(), self.promoters, self.hours)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        self.client_actions(state, actions);
        self.reconciler_actions(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Ask(client) => self.ask(&mut next, client),
            Action::Commit(client) => self.commit(&mut next, client),
            Action::Fail(client) => next.clients[client].over(),
            Action::WriteLate(client) => self.write_late(&mut next, client),
            Action::Hour => {
                next.clock += 3601;
                next.hours -= 1;
            }
            Action::Promote(promoter) => self.promote(&mut next, promoter),
            Action::Die(promoter) => next.promoters[promoter] = Default::default(),
            Action::Collect => self.collect(&mut next),
            Action::Garbage => self.garbage(&mut next),
            Action::Pod => self.pod(&mut next),
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        checks::properties()
    }
}

//! All exemptions that are known, and what they make of findings.
//!
//! They are applied to what policies found, after every cache: a verdict that
//! is remembered knows nothing of them, and one that has expired ends at that
//! moment.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::Exemption;
use super::selector::Candidate;
use crate::policy::action::{Action, Actions};
use crate::policy::decision::Judged;
use crate::policy::{Attributes, PolicySet};

/// Tells the time: this room has no clock of its own.
pub type Clock = fn() -> Timestamp;

/// All exemptions that are known, by namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Book {
    by_namespace: HashMap<String, Vec<Arc<Exemption>>>,
    /// What says that it is one and cannot be read; nothing is forgiven by it.
    pub unreadable: Vec<Unreadable>,
    clock: Tells,
}

/// A document that says that it is an exemption, and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where, and what is wrong.
    pub error: crate::policy::spec::Error,
    /// `metadata.uid`, where a cluster gave one.
    pub uid: Option<String>,
    /// Where it was read; None for one of a cluster.
    pub origin: Option<super::Origin>,
}

/// Two books with the same exemptions are the same, whoever tells the time.
#[derive(Debug, Clone, Copy)]
struct Tells(Clock);

impl PartialEq for Tells {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Default for Book {
    fn default() -> Self {
        Book::new([], || Timestamp::MAX)
    }
}

impl Book {
    /// Of these; of two with one name in a namespace the last counts.
    pub fn new(exemptions: impl IntoIterator<Item = Exemption>, clock: Clock) -> Book {
        let mut by_namespace: HashMap<String, Vec<Arc<Exemption>>> = HashMap::new();
        for exemption in exemptions {
            let here = by_namespace.entry(exemption.namespace.clone()).or_default();
            here.retain(|known| known.name != exemption.name);
            here.push(Arc::new(exemption));
        }
        for here in by_namespace.values_mut() {
            here.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Book {
            by_namespace,
            unreadable: vec![],
            clock: Tells(clock),
        }
    }

    /// Those of a namespace, by name.
    pub fn of(&self, namespace: &str) -> &[Arc<Exemption>] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// All, by namespace and name.
    pub fn all(&self) -> Vec<&Arc<Exemption>> {
        let mut all: Vec<_> = self.by_namespace.values().flatten().collect();
        all.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        all
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.clock.0)()
    }

    /// The first by name that forgives a finding at a time, if the policy may
    /// be exempted from.
    pub fn forgives(
        &self,
        set: &PolicySet,
        judged: &Judged,
        (namespace, candidate): (&str, &Candidate<'_>),
        now: Timestamp,
    ) -> Option<&Arc<Exemption>> {
        let policy = judged.policy.as_str();
        self.of(namespace)
            .iter()
            .filter(|one| one.is_about(policy, &judged.finding.code) && one.is_current(now))
            .filter(|_| set.get(policy).is_some_and(|policy| policy.spec.exemptible))
            .find(|one| one.spec.selector.selects(candidate))
    }
}

/// The book in force, swapped whole.
#[derive(Debug, Default)]
pub struct Exemptions(ArcSwap<Book>);

impl Exemptions {
    /// The book in force.
    pub fn load(&self) -> Guard<Arc<Book>> {
        self.0.load()
    }

    /// Puts another book in force; whether it says anything else.
    pub fn store(&self, book: Book) -> bool {
        let is_other = **self.0.load() != book;
        self.0.store(Arc::new(book));
        is_other
    }
}

impl From<Book> for Exemptions {
    fn from(book: Book) -> Self {
        Exemptions(ArcSwap::from_pointee(book))
    }
}

/// Makes an audit line of each finding that is forgiven. What a controller made
/// is looked at like anything else, and a Namespace lies in none.
pub fn apply(
    set: &PolicySet,
    attributes: &Attributes,
    objects: [&Value; 2],
    findings: &mut [Judged],
) {
    let Some(namespace) = attributes.namespace.as_deref() else {
        return;
    };
    let book = set.exemptions().load();
    if book.of(namespace).is_empty() || attributes.is_namespace() {
        return;
    }
    let [new, old] = objects;
    let object = if new.is_null() { old } else { new };
    let written = object.pointer("/metadata/name").and_then(Value::as_str);
    let name = match attributes.name.as_str() {
        "" => written.unwrap_or_default(),
        name => name,
    };
    let (group, kind) = (attributes.group.as_str(), attributes.kind.as_str());
    let candidate = Candidate {
        group,
        kind,
        name,
        object,
    };
    let now = book.now();
    for judged in findings.iter_mut().filter(|judged| is_told(judged)) {
        let found = book.forgives(set, judged, (namespace, &candidate), now);
        if let Some(exemption) = found {
            judged.exempted = Some(Arc::clone(exemption));
            judged.actions = Actions {
                action: Action::Audit,
                audit: true,
                moves: false,
            };
        }
    }
}

/// Whether somebody is refused or warned; an audit line needs no exemption.
fn is_told(judged: &Judged) -> bool {
    judged.actions.action != Action::Audit
}

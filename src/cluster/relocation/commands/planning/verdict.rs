//! One ConfigMap: what would move, and what stands in the way.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use portcullis_relocation::admission::{self, Input, OnUse, Operation, Outcome, Step};
use portcullis_relocation::pod::{How, Maps};
use portcullis_relocation::{ConfigMap, Content, Field, names};
use serde_json::Value;

use super::looking::Seen;
use super::next;
use super::users::{Users, Workload};
use crate::admit::Known;
use crate::cluster::relocation::admission::{as_moved, is_owned, now};
use crate::cluster::relocation::keys::Keys;
use crate::cluster::relocation::known::is_left_alone;
use crate::cluster::relocation::resource::{Spec, Stage, Status};
use crate::judge::Creation;
use crate::policy::PolicySet;
use crate::policy::kinds;
use crate::review;
use crate::webhook::relocation::entries;
use crate::webhook::surroundings::Entry;

/// What is to be said of a ConfigMap.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// Its name.
    pub(super) name: String,
    /// How far it is.
    pub(super) stage: Stage,
    /// What would move, and why.
    pub(super) to_move: BTreeMap<Field, String>,
    /// What has moved.
    pub(super) moved: BTreeSet<Field>,
    /// What stands in the way, each with what to do.
    pub(super) obstacles: Vec<String>,
    /// Who uses it: the ways, and their keys.
    pub(super) users: BTreeMap<Workload, BTreeMap<How, BTreeSet<String>>>,
    /// Who has pods that read a key that would move in the ConfigMap itself.
    pub(super) readers: BTreeMap<Workload, (BTreeSet<String>, usize)>,
    /// The commands that come next, one after the other.
    pub(super) next: Vec<String>,
}

/// What is known of one before it is judged.
struct Subject<'a> {
    seen: &'a Seen,
    object: &'a Value,
    name: &'a str,
}

/// The verdict; None for one that is never moved out of.
///
/// # Errors
///
/// This machine's clock is wrong; an object that no API server gives.
pub(super) fn of(
    set: &PolicySet,
    seen: &Seen,
    users: &Users,
    object: &Value,
) -> Result<Option<Verdict>> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if is_left_alone(name) {
        return Ok(None);
    }
    let subject = Subject { seen, object, name };
    let contents = ConfigMap::new(object).contents()?;
    let is_moved = |field: &Field| matches!(contents.get(field), Some(Content::Placeholder(_)));
    let (found, mut obstacles) = subject.found(set)?;
    let to_move: BTreeMap<Field, String> = found
        .into_iter()
        .filter(|(field, _)| !is_moved(field))
        .collect();
    let (spec, status) = match seen.relocations.get(name) {
        Some((spec, status)) => (spec.clone(), status.clone()),
        None => (Spec::default(), Status::default()),
    };
    if !status.message.is_empty() {
        obstacles.push(status.message.clone());
    }
    let fields: BTreeSet<Field> = to_move.keys().cloned().collect();
    let maps = Maps::from([(name.to_owned(), as_moved(object, &fields))]);
    let mut readers = BTreeMap::new();
    if !fields.is_empty() {
        obstacles.extend(subject.obstacles(&fields)?);
        let refused = users.refused(&maps).into_iter();
        obstacles
            .extend(refused.map(|(who, why)| format!("new pods of {who} would be refused: {why}")));
        readers = users.readers(&maps);
    }
    let mut verdict = Verdict {
        name: name.to_owned(),
        stage: spec.stage,
        moved: contents
            .keys()
            .filter(|field| is_moved(field))
            .cloned()
            .collect(),
        to_move,
        obstacles,
        users: users.how(name),
        readers,
        next: vec![],
    };
    verdict.next = next::commands(seen, &verdict, &status.fields());
    Ok(Some(verdict))
}

impl Subject<'_> {
    /// What policies want moved, and why; which of them gave no verdict.
    fn found(&self, set: &PolicySet) -> Result<(BTreeMap<Field, String>, Vec<String>)> {
        let resource = kinds::resource("", "ConfigMap");
        let creation = Creation::new(review::create_as(self.object, &resource))?;
        let known = match self.seen.is_whole {
            true => Known::Whole,
            false => Known::InPart,
        };
        let decision = creation.moving(set, &self.seen.namespace, known);
        let broken = decision.failures.iter().map(|broken| {
            let (policy, why) = (&broken.policy, &broken.failure.message);
            format!("policy {policy}, which says what is secret, gave no verdict: {why}")
        });
        let field = |entry: Entry| {
            let field = match entry.binary {
                false => Field::text(entry.key),
                true => Field::binary(entry.key),
            };
            (field, entry.why)
        };
        let found = entries(&decision).into_iter().map(field).collect();
        Ok((found, broken.collect()))
    }

    /// Why these keys would not be moved, were the ConfigMap redacted now; that
    /// pods read it is not among them.
    fn obstacles(&self, secret: &BTreeSet<Field>) -> Result<Vec<String>> {
        let (object, namespace) = (self.object, self.seen.name.as_str());
        if is_owned(object) {
            let owner = &object["metadata"]["ownerReferences"][0];
            let word = |member: &str| owner[member].as_str().unwrap_or_default();
            return Ok(vec![format!(
                "it belongs to {} {}, which would write the values again: it is left alone",
                word("kind"),
                word("name")
            )]);
        }
        if ConfigMap::new(object).is_immutable() {
            let told = self.seen.relocations.get(self.name);
            let first = match told.map(|(spec, _)| spec.stage) {
                None | Some(Stage::Redact) => String::new(),
                Some(_) => format!(
                    "run `portcullis secrets redact {namespace} {}`, then ",
                    self.name
                ),
            };
            return Ok(vec![format!(
                "it is immutable: {first}delete it and apply its manifest again, which moves them"
            )]);
        }
        let (keyring, uses) = (Keys::none(), BTreeMap::new());
        let step = admission::plan(Input {
            operation: Operation::Update,
            // What is sealed is thrown away.
            user: "",
            dry_run: true,
            namespace,
            name: Some(self.name),
            object,
            old: Some(object),
            secret,
            stage: admission::Stage::Redact,
            uses: &uses,
            on_use: OnUse::Deny,
            lost: const { &BTreeSet::new() },
            restorer: false,
            exempt: false,
            terminating: !self.seen.namespace["metadata"]["deletionTimestamp"].is_null(),
            throttled: false,
            keyring: &keyring,
            staged: names::DRY_RUN,
            now: now().map_err(anyhow::Error::msg)?,
        });
        let planned = match step {
            Step::Done(planned) => planned,
            Step::Ask(pending) => pending.answered(self.seen.may_create_secrets),
        };
        Ok(match planned.outcome {
            Outcome::Deny(denial) => vec![denial.message],
            Outcome::Admit { .. } | Outcome::Move(_) => vec![],
        })
    }
}

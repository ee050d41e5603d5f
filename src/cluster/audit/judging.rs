//! The objects of one kind, judged as they come. Nothing here talks to anyone.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::kinds::Kind;
use super::owners::{self, Found, Owner};
use super::page::{self, Head};
use super::world::World;
use super::{SlippedIn, Wish};
use crate::finding::{Change, Failure, Finding, Identity, PassedOver, Place};
use crate::fix::{self, Fix};
use crate::judge::{self, Creation, Outcome, identity};
use crate::policy::decision::Judged;
use crate::policy::effect::hanging::Lacking;
use crate::policy::exemption::selector::Candidate;
use crate::policy::kinds::Resource;
use crate::policy::{Action, Others, PolicySet};
use crate::progress::Progress;
use crate::registration::never::ROOT_CA;
use crate::review;

/// Judges objects of one kind.
pub(super) struct Judging {
    /// The policies.
    pub(super) set: Arc<PolicySet>,
    /// The namespaces.
    pub(super) world: Arc<World>,
    /// What policies look up.
    pub(super) others: Arc<dyn Others>,
    /// The kind.
    pub(super) kind: Arc<Kind>,
    /// What else was asked for.
    pub(super) wish: Arc<Wish>,
    /// Told of each object.
    pub(super) progress: Option<Arc<Progress>>,
    /// What came of it.
    pub(super) part: Part,
}

/// What the objects of one kind gave.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// How many were judged.
    pub(super) objects: usize,
    /// What was found.
    pub(super) found: Found,
    /// What nobody was asked about.
    pub(super) slipped_in: Vec<SlippedIn>,
    /// What mutating policies would change.
    pub(super) changes: Vec<Change>,
    /// Where pods use ConfigMaps, if that is needed.
    pub(super) uses: Vec<fix::Use>,
    /// What is found if nothing in the cluster makes up for it, with the uid.
    pub(super) lacking: Vec<(Finding, String, Lacking)>,
    /// How many were passed over, by the reason.
    passed: BTreeMap<&'static str, usize>,
    /// Policies that broke, none for the request itself: on how many objects,
    /// and how on the first.
    broken: BTreeMap<Option<String>, (usize, String)>,
}

impl Judging {
    /// Judges a page.
    ///
    /// # Errors
    ///
    /// It is none.
    pub(super) fn page(&mut self, text: &str) -> serde_json::Result<(Head, usize)> {
        page::read(text, &mut |object| self.one(object))
    }

    fn one(&mut self, mut object: Value) {
        self.complete(&mut object);
        if let Some(progress) = &self.progress {
            progress.step();
        }
        let owner = Owner::of(&object);
        self.part.found.learn(&object, owner.as_ref());
        if let Some(code) = self.unasked(&object) {
            return self.part.pass(code);
        }
        let resource = Resource {
            plural: self.kind.plural.clone(),
            namespaced: self.kind.namespaced,
        };
        let who = identity(&object);
        let creation = match Creation::new(review::create_as(&object, &resource)) {
            Ok(creation) => creation,
            Err(error) => return self.part.fail(None, &who, &error.to_string()),
        };
        if creation.is_excluded(&self.set) {
            return self.part.pass("excluded-namespace");
        }
        let name = creation.attributes.namespace.as_deref();
        let (namespace, known) = self.world.namespace(name);
        let mut within = self.wish.within.iter();
        if !within.all(|within| creation.reaches(within, &namespace, known)) {
            return self.part.pass("not-registered");
        }
        let outcome = creation.judge(&self.set, &namespace, known, &self.others);
        if owner.is_none() {
            self.note_slipped_in(&outcome, &object, &who);
        }
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
        let uid = uid.unwrap_or_default();
        let fix = judge::fix(&outcome.findings, &object);
        if self.wish.fixes && owner.is_none() {
            self.part.uses.extend(fix::uses(&object));
        }
        let fix = (fix, self.wish.fixes);
        self.part.take(outcome, (&who, uid), owner.as_ref(), fix);
    }

    /// As an AdmissionReview would hold it: lists leave out what is the same
    /// for all of them.
    fn complete(&self, object: &mut Value) {
        let Some(members) = object.as_object_mut() else {
            return;
        };
        let mut set = |name: &str, text: String| {
            members.entry(name).or_insert_with(|| text.into());
        };
        set("apiVersion", self.kind.api_version());
        set("kind", self.kind.kind.clone());
        if !self.set.outline().has_managed_fields()
            && let Some(metadata) = object
                .pointer_mut("/metadata")
                .and_then(Value::as_object_mut)
        {
            metadata.remove("managedFields");
        }
    }

    /// What is denied and younger than the policy. What a controller made was
    /// made of something older.
    fn note_slipped_in(&mut self, outcome: &Outcome, object: &Value, who: &Identity) {
        let created = object.pointer("/metadata/creationTimestamp");
        let created = created.and_then(Value::as_str).unwrap_or_default();
        let Ok(at) = created.parse::<Timestamp>() else {
            return;
        };
        for judged in &outcome.findings {
            let since = self.wish.since.get(judged.policy.as_str());
            let is_later = since.is_some_and(|since| at > *since);
            let is_denied = judged.actions.action == Action::Deny;
            if is_later && is_denied && !self.was_exempted(judged, (object, who), at) {
                self.part.slipped_in.push(SlippedIn {
                    policy: judged.policy.to_string(),
                    code: judged.finding.code.clone(),
                    object: who.clone(),
                    created: created.to_owned(),
                });
            }
        }
    }

    /// Whether an exemption that has ended since forgave it at that time.
    fn was_exempted(
        &self,
        judged: &Judged,
        (object, who): (&Value, &Identity),
        at: Timestamp,
    ) -> bool {
        let candidate = Candidate {
            group: &self.kind.group,
            kind: &who.kind,
            name: &who.name,
            object,
        };
        let book = self.set.exemptions().load();
        let namespace = who.namespace.as_deref().unwrap_or_default();
        let by = book.forgives(&self.set, judged, (namespace, &candidate), at);
        by.is_some()
    }

    /// Why no webhook would be asked about it, or nobody about its past.
    fn unasked(&self, object: &Value) -> Option<&'static str> {
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let is_root_ca = self.kind.resource() == "configmaps" && name == Some(ROOT_CA);
        match is_root_ca {
            true => Some("root-ca"),
            false => owners::is_history(object).then_some("history"),
        }
    }
}

impl Part {
    fn pass(&mut self, code: &'static str) {
        *self.passed.entry(code).or_default() += 1;
    }

    fn fail(&mut self, policy: Option<String>, object: &Identity, cause: &str) {
        let first = || (0, format!("{object}: {cause}"));
        self.broken.entry(policy).or_insert_with(first).0 += 1;
    }

    fn take(
        &mut self,
        outcome: Outcome,
        (object, uid): (&Identity, &str),
        owner: Option<&Owner>,
        (fix, is_told): (Option<Box<Fix>>, bool),
    ) {
        self.objects += 1;
        // What a controller made is changed where its template is.
        if !outcome.patch.is_empty() && owner.is_none() {
            self.changes.push(Change {
                place: Place::default(),
                object: object.clone(),
                policies: outcome.changed_by,
                patch: outcome.patch,
            });
        }
        for (policy, cause) in outcome.failures {
            self.fail(Some(policy), object, &cause);
        }
        for lacking in outcome.lacking {
            let finding = judge::finding(&lacking.judged, object, Place::default(), None);
            self.lacking.push((finding, uid.to_owned(), lacking));
        }
        for judged in &outcome.findings {
            let finding = Finding {
                has_fix: fix.is_some() && judged.secret,
                fix: fix.clone().filter(|_| is_told && judged.secret),
                ..judge::finding(judged, object, Place::default(), None)
            };
            self.found.add(finding, uid, owner);
        }
    }

    /// What was passed over of this resource.
    pub(super) fn passed_over(&self, resource: &str) -> impl Iterator<Item = PassedOver> {
        self.passed.iter().map(|(code, objects)| PassedOver {
            resource: resource.to_owned(),
            code: (*code).to_owned(),
            objects: *objects,
        })
    }

    /// What could not be judged: one failure a policy.
    pub(super) fn failures(&self) -> impl Iterator<Item = Failure> {
        self.broken.iter().map(|(policy, (count, first))| Failure {
            policy: policy.clone(),
            cause: match count {
                1 => first.clone(),
                count => format!("{first} (and on {} more objects)", count - 1),
            },
            ..Failure::default()
        })
    }
}

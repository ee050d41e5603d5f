//! ConfigMaps: what is secret in them is moved, or was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use futures_util::future::try_join;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, PostParams};
use portcullis_contract::PatchOperation;
use portcullis_relocation::admission::{
    Input, Move, OnUse, Operation, Outcome, Plan, Step, plan, verify,
};
use portcullis_relocation::digest::Keyring;
use portcullis_relocation::moments::Moment;
use portcullis_relocation::{ConfigMap, Content, Field, Manifest, marks, names};
use serde_json::Value;

use super::uses::newly_secret;
use super::{Moving, nothing};
use crate::cluster::relocation::resource;
use crate::cluster::told::one_line;
use crate::failpoint::reached;
use crate::review::Request;
use crate::server::Half;
use crate::webhook::surroundings::{Entry, Relocated};

/// How often a random name may be taken: 64 bits never are.
const TRIES: usize = 3;

/// All that a plan borrows from.
struct Subject<'a> {
    request: &'a Request,
    namespace: &'a str,
    object: &'a Value,
    old: Option<&'a Value>,
    secret: BTreeSet<Field>,
    stage: resource::Stage,
    lost: BTreeSet<Field>,
    uses: BTreeMap<Field, Vec<String>>,
    /// Whether another value than the moved one was counted in this request.
    is_counted: bool,
}

impl Moving {
    pub(super) async fn config_map(
        &self,
        request: &Request,
        half: Half,
        found: &[Entry],
        until: Instant,
    ) -> Result<Relocated, String> {
        let mut subject = Subject::new(request, found);
        if subject.is_no_concern() || half == Half::Check && subject.is_as_it_was() {
            return Ok(nothing());
        }
        reached(match half {
            Half::Move => Moment::MoveAsked,
            Half::Check => Moment::CheckAsked,
        });
        if half == Half::Move
            && let Some(moved) = self.as_before(&mut subject, until).await?
        {
            return Ok(moved);
        }
        let known = try_join(self.told(&subject), self.keys.get());
        let (told, keyring) = known.await?;
        if let Some(told) = told {
            subject.stage = resource::spec(&told).stage;
            subject.lost = lost(&resource::status(&told), subject.old);
        }
        // Where nothing is taken any more, it does not matter who reads what.
        if let (resource::Stage::Redact, false, Some(name)) =
            (subject.stage, subject.is_terminating(), subject.name())
        {
            // Pods can have come before it.
            let stored = subject.old.unwrap_or(&Value::Null);
            let fields = newly_secret(stored, &subject.secret);
            if !fields.is_empty() {
                let readers = self.readers(subject.namespace, name, stored, &fields);
                subject.uses = readers.await?;
            }
        }
        if half == Half::Check {
            let input = self.input(&subject, &keyring, "")?;
            return Ok(match verify(&input) {
                Ok(()) => nothing(),
                Err(denial) => self.denied(denial.code.as_str(), denial.message),
            });
        }
        for _ in 0..TRIES {
            let staged = names::staged(random()?);
            let input = self.input(&subject, &keyring, &staged)?;
            let planned = self.planned(request, input, until).await?;
            self.count(&mut subject, &planned);
            match self.carry_out(subject.namespace, planned).await? {
                Some(relocated) => return Ok(relocated),
                None => continue,
            }
        }
        Err("no name for a Secret was free".to_owned())
    }

    /// The answer to who sends what was moved once more, and no other secret: that
    /// stays moved at each stage but `Audit`, unless its Secret is gone, so that
    /// nothing need be read. None where there is more to it.
    async fn as_before(
        &self,
        subject: &mut Subject<'_>,
        until: Instant,
    ) -> Result<Option<Relocated>, String> {
        let name = subject.name().filter(|_| subject.old.is_some());
        let is_known = |name| self.unsettled.are_without(subject.namespace, name);
        if !name.is_some_and(is_known) {
            return Ok(None);
        }
        let keyring = self.keys.get().await?;
        let input = self.input(subject, &keyring, names::DRY_RUN)?;
        let planned = self.planned(subject.request, input, until).await?;
        // At once: who asks may be gone before all else is known.
        self.count(subject, &planned);
        let is_as_before = planned.mismatches.is_empty()
            && match &planned.outcome {
                Outcome::Deny(_) => false,
                Outcome::Admit { .. } => true,
                Outcome::Move(moved) => moved.moved.is_empty(),
            };
        match is_as_before {
            true => self.carry_out(subject.namespace, planned).await,
            false => Ok(None),
        }
    }

    /// Counts that another value than the moved one was sent, once a request.
    fn count(&self, subject: &mut Subject<'_>, planned: &Plan) {
        if !planned.mismatches.is_empty() && !subject.is_counted {
            self.throttle.note(subject.throttle_key(), Instant::now());
            subject.is_counted = true;
        }
    }

    async fn planned(
        &self,
        request: &Request,
        input: Input<'_>,
        until: Instant,
    ) -> Result<Plan, String> {
        match plan(input) {
            Step::Done(planned) => Ok(planned),
            Step::Ask(pending) => {
                reached(Moment::MoveReviewing);
                let may = self.rights.may_create_secrets(request, until).await?;
                reached(Moment::MoveReviewed);
                Ok(pending.answered(may))
            }
        }
    }

    /// None where the name of the staged Secret was taken.
    async fn carry_out(&self, namespace: &str, planned: Plan) -> Result<Option<Relocated>, String> {
        let moved = match planned.outcome {
            Outcome::Deny(denial) => {
                return Ok(Some(self.denied(denial.code.as_str(), denial.message)));
            }
            Outcome::Admit { warnings } => {
                let patch = Vec::new();
                return Ok(Some(Relocated::Allowed { patch, warnings }));
            }
            Outcome::Move(moved) => *moved,
        };
        let Move {
            staged,
            patch,
            warnings,
            moved,
            ..
        } = moved;
        if let Some(manifest) = &staged
            && !self.create(namespace, manifest).await?
        {
            return Ok(None);
        }
        if staged.is_some() {
            self.metrics.relocation_moved(moved.len());
        }
        let patch: Vec<PatchOperation> = serde_json::from_value(patch)
            .map_err(|_| "the change is no JSON Patch: this is a fault of Portcullis".to_owned())?;
        Ok(Some(Relocated::Allowed { patch, warnings }))
    }

    /// Whether it was created; false where the name is taken.
    async fn create(&self, namespace: &str, manifest: &Manifest) -> Result<bool, String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = serde_json::to_value(manifest).and_then(serde_json::from_value::<Secret>);
        // The error of a parser may show what it read.
        let secret = secret.map_err(|_| "the Secret cannot be written".to_owned())?;
        let name = secret.metadata.name.clone().unwrap_or_default();
        reached(Moment::MoveStaging);
        match secrets.create(&PostParams::default(), &secret).await {
            Ok(_) => {
                reached(Moment::MoveStaged);
                tracing::info!(namespace, secret = name, "values of a ConfigMap are staged");
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(false),
            Err(error) => Err(format!(
                "the Secret {namespace}/{name} cannot be created: {}",
                one_line(&error)
            )),
        }
    }

    /// Its Relocation. One that nobody has put anywhere is to be redacted.
    async fn told(&self, subject: &Subject<'_>) -> Result<Option<DynamicObject>, String> {
        let Some(name) = subject.name() else {
            return Ok(None);
        };
        match self.relocation(subject.namespace, name).await {
            // Our rights in it, and the Relocation, may have gone before.
            Err(_) if subject.is_terminating() => Ok(None),
            found => found,
        }
    }

    fn input<'a>(
        &self,
        subject: &'a Subject<'_>,
        keyring: &'a Keyring,
        staged: &'a str,
    ) -> Result<Input<'a>, String> {
        let attributes = &subject.request.attributes;
        Ok(Input {
            operation: match subject.old {
                None => Operation::Create,
                Some(_) => Operation::Update,
            },
            dry_run: attributes.dry_run,
            user: &attributes.username,
            namespace: subject.namespace,
            name: subject.name(),
            object: subject.object,
            old: subject.old,
            secret: &subject.secret,
            stage: subject.stage.into(),
            uses: &subject.uses,
            on_use: OnUse::Deny,
            lost: &subject.lost,
            restorer: self.restorers.contains(&attributes.username),
            exempt: subject.is_exempt(),
            terminating: subject.is_terminating(),
            // What was counted was not too much when it came.
            throttled: !subject.is_counted
                && self
                    .throttle
                    .is_over(&subject.throttle_key(), Instant::now()),
            keyring,
            staged,
            now: now()?,
        })
    }
}

impl<'a> Subject<'a> {
    fn new(request: &'a Request, found: &[Entry]) -> Subject<'a> {
        let object = |member: &str| request.admission.get(member);
        let field = |entry: &Entry| match entry.binary {
            false => Field::text(&entry.key),
            true => Field::binary(&entry.key),
        };
        Subject {
            request,
            namespace: request.attributes.namespace.as_deref().unwrap_or_default(),
            object: object("object").unwrap_or(&Value::Null),
            old: object("oldObject").filter(|old| old.is_object()),
            secret: found.iter().map(field).collect(),
            stage: resource::Stage::default(),
            lost: BTreeSet::new(),
            uses: BTreeMap::new(),
            is_counted: false,
        }
    }

    /// None where the API server is yet to make one.
    fn name(&self) -> Option<&'a str> {
        Some(self.request.attributes.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether the namespace is being deleted.
    fn is_terminating(&self) -> bool {
        !self.request.namespace["metadata"]["deletionTimestamp"].is_null()
    }

    /// Whether nothing in it is secret, and nothing ever was; nor does its mark,
    /// which anybody can write, say otherwise.
    fn is_no_concern(&self) -> bool {
        let is_plain = |object: &Value| {
            ConfigMap::new(object).contents().is_ok_and(|contents| {
                let mut contents = contents.values();
                contents.all(|content| matches!(content, Content::Plain(_)))
            })
        };
        let mark = |object: &'a Value| &object["metadata"]["labels"][marks::MOVED];
        self.secret.is_empty()
            && is_plain(self.object)
            && self.old.is_none_or(is_plain)
            && *mark(self.object) == *self.old.map_or(&Value::Null, mark)
    }

    /// Whether it holds what is stored already, and nothing of that is secret: an
    /// apply of the same again, of which there are many.
    fn is_as_it_was(&self) -> bool {
        let is_same = |old: &Value| {
            let mut members = ["data", "binaryData"].into_iter();
            members.all(|member| old[member] == self.object[member])
        };
        self.secret.is_empty() && self.old.is_some_and(is_same)
    }

    /// Written by the system, or by a controller that will write it again:
    /// whoever reads it does so by the API (design: reliability.md, section 8).
    fn is_exempt(&self) -> bool {
        let user = &self.request.attributes.username;
        user.starts_with("system:kube-")
            || user.starts_with("system:node:")
            || user.starts_with("system:serviceaccount:kube-system:")
            || is_owned(self.object)
    }

    fn throttle_key(&self) -> super::throttle::Key {
        let attributes = &self.request.attributes;
        [&*attributes.username, self.namespace, &*attributes.name].map(str::to_owned)
    }
}

impl From<resource::Stage> for portcullis_relocation::admission::Stage {
    fn from(stage: resource::Stage) -> Self {
        match stage {
            resource::Stage::Audit => Self::Audit,
            resource::Stage::Prepare => Self::Prepare,
            resource::Stage::Redact => Self::Redact,
        }
    }
}

/// The moved keys whose values nobody could serve when the status was written.
fn lost(status: &resource::Status, old: Option<&Value>) -> BTreeSet<Field> {
    let served = status.fields();
    match old.filter(|_| status.is_dangling()) {
        Some(old) => ConfigMap::new(old)
            .moved()
            .difference(&served)
            .cloned()
            .collect(),
        None => BTreeSet::new(),
    }
}

/// Whether a controller made it.
pub(in crate::cluster::relocation) fn is_owned(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.is_some_and(|owners| !owners.is_empty())
}

fn random() -> Result<u64, String> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| "there is no randomness".to_owned())?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Seconds since 1970.
pub(in crate::cluster::relocation) fn now() -> Result<u32, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since
        .ok()
        .and_then(|since| u32::try_from(since.as_secs()).ok());
    seconds.ok_or_else(|| "this machine's clock is wrong".to_owned())
}

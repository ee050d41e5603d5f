//! What a workload names is there.
//!
//! The page of the policy is [`DanglingReferences`]. `reference` finds what a
//! pod names, `other` knows what else makes a Secret.

use std::collections::BTreeSet;

use portcullis_sdk::contract::{Lookup, MatchConstraints};
use portcullis_sdk::lookups::{self, Looked};
use portcullis_sdk::pod::Pod;
use portcullis_sdk::{Codes, Fault, Page, Place, Policy, Reads, Report, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod other;
mod reference;

use other::{Certificate, ConfigMap, ExternalSecret, SealedSecret, Secret};
use reference::{Kind, Reference, Spec};

/// ## What it does
///
/// Looks up whether each Secret and ConfigMap that a pod names is there, in
/// its namespace: those of `env`, `envFrom`, volumes, projected volumes and
/// `imagePullSecrets`. Each that is missing is reported once a workload, where
/// it is named first. A Secret counts as there if something makes it: the
/// target of an ExternalSecret, a SealedSecret, the `secretName` of a
/// Certificate of cert-manager.
///
/// ## Why is this bad?
///
/// A container whose Secret or ConfigMap is missing is never started:
/// `CreateContainerConfigError`, or a volume that is not mounted. A rollout
/// stands still, and a CronJob that makes backups fails at night.
///
/// ## What it looks up
///
/// `secrets`, `configmaps`, and what makes Secrets: `externalsecrets` of
/// `external-secrets.io`, `sealedsecrets` of `bitnami.com`, `certificates` of
/// `cert-manager.io`. Nothing of a Secret or ConfigMap is read but that it is
/// there. Each grant may be left out: what cannot be looked up is not
/// reported as missing, so that without `secrets` only ConfigMaps are judged.
///
/// ## What it does not judge
///
/// - References with `optional: true`.
/// - Keys, ServiceAccounts, claims and Services.
/// - `kube-root-ca.crt`, which every namespace gets, and names on the list
///   `trusted`.
/// - What is filled in later: a name such as `${NAME}` is none yet.
/// - Among files, a kind of which the namespace has none there, unless the
///   manifest of the namespace is among them, too: who checks one Deployment
///   has its ConfigMaps elsewhere. That is `reference-unseen`, which the
///   profiles of the pack only note.
/// - Objects may be applied in any order: what is missing while the workload
///   is judged may come next. So this is a warning, and never denied by the
///   profiles of the pack.
///
/// ## Examples
///
/// Warned of, where there is no Secret `db`:
///
/// ```yaml
/// containers:
///   - name: web
///     envFrom: [{secretRef: {name: db}}]
/// ```
///
/// Use instead, if the container runs without it:
///
/// ```yaml
/// containers:
///   - name: web
///     envFrom: [{secretRef: {name: db, optional: true}}]
/// ```
#[derive(Debug, Page)]
pub struct DanglingReferences;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow)]
    pod: Option<Pod<'a, Spec>>,
    #[serde(default)]
    namespace_is_known: bool,
}

/// The settings of `dangling-references`; all of them may be left out.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trusted {
    /// Names of Secrets and ConfigMaps that somebody else makes. One that ends
    /// with `*` stands for all that begin so: `bootstrap-*`.
    pub trusted: BTreeSet<String>,
}

impl Settings for Trusted {
    fn validate(&self) -> Vec<Fault> {
        let is_bad = |name: &&String| {
            let name = name.strip_suffix('*').unwrap_or(name);
            name.is_empty() || name.contains('*')
        };
        let bad = self.trusted.iter().filter(is_bad);
        let fault = |name: &String| {
            let problem = format!("`{name}`: write a name, or its beginning and one `*`");
            Fault::new("/trusted", problem)
        };
        bad.map(fault).collect()
    }
}

impl Trusted {
    fn has(&self, name: &str) -> bool {
        self.trusted
            .iter()
            .any(|entry| match entry.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == entry,
            })
    }
}

/// What the policy may report.
#[derive(Debug, Codes)]
pub enum Code {
    /// A Secret or ConfigMap that the pod names is not in its namespace.
    ///
    /// Its container is not started, or its volume not mounted, until it is.
    #[code(warning)]
    MissingReference,
    /// Nobody can tell whether a Secret or ConfigMap that the pod names is
    /// there: none of its kind is among the files that were given, nor is the
    /// manifest of the namespace.
    ///
    /// In a cluster this is never found.
    #[code(info)]
    ReferenceUnseen,
}

/// Made in every namespace by the controller manager.
const ROOT_CA: &str = "kube-root-ca.crt";

impl Policy for DanglingReferences {
    type Request<'a> = Request<'a>;
    type Settings = Trusted;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::workloads()
    }

    fn lookups() -> Vec<Lookup> {
        vec![
            Secret::lookup(),
            ConfigMap::lookup(),
            ExternalSecret::lookup(),
            SealedSecret::lookup(),
            Certificate::lookup(),
        ]
    }

    fn evaluate(request: &Request<'_>, settings: &Trusted, report: &mut Report<Code>) {
        let Some(Pod { path, spec }) = &request.pod else {
            return;
        };
        let mut seen = BTreeSet::new();
        for reference in spec.references(path) {
            let Reference { kind, name, .. } = &reference;
            let is_judged = reference.is_required && is_name(name) && !settings.has(name);
            if !is_judged || !seen.insert((*kind, name.clone())) || !is_missing(*kind, name) {
                continue;
            }
            if request.namespace_is_known || other::are_seen(*kind) {
                tell(&reference, report);
            } else {
                tell_unseen(&reference, report);
            }
        }
    }
}

fn tell(reference: &Reference, report: &mut Report<Code>) {
    let (word, name) = (reference.kind.word(), &reference.name);
    report.find(
        Code::MissingReference,
        place(reference),
        reference.remedy(),
        format!("there is no {word} `{name}` in the namespace"),
    );
}

fn tell_unseen(reference: &Reference, report: &mut Report<Code>) {
    let (word, name) = (reference.kind.word(), &reference.name);
    report.find(
        Code::ReferenceUnseen,
        place(reference),
        "judge it together with the other manifests of the namespace, or audit the cluster",
        format!("no {word} of the namespace is known here, so it cannot be told whether there is `{name}`"),
    );
}

fn place(reference: &Reference) -> Place {
    let place = Place::at(reference.path.clone());
    match &reference.container {
        Some(container) => place.in_container(container),
        None => place,
    }
}

/// Whether it is a name that the API server takes: anything else is filled in
/// later, or refused anyway.
fn is_name(name: &str) -> bool {
    let is_usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_usual)
}

fn is_missing(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::ConfigMap => name != ROOT_CA && lookups::here::<ConfigMap>().has(name) == Some(false),
        Kind::Secret => {
            lookups::here::<Secret>().has(name) == Some(false) && !other::makes_secret(name)
        }
    }
}

portcullis_sdk::export!(DanglingReferences);

//! What everything of an installation hangs on, so that it goes with it: a
//! ClusterRole without rules, part of the manifests.
//!
//! ```text
//! Namespace <- ClusterRole portcullis-installation <- webhook configurations, Secret, Lease,
//!                                                     state, copies of programs, reports
//! ```
//!
//! Arrows are owner references. Whether somebody deletes the manifests or the
//! namespace, the garbage collector deletes the rest; none of our pods has to
//! be alive. An object goes when its last owner is gone, so that two owners
//! side by side would not do: they have to be a chain.
//!
//! Argo CD neither prunes nor deletes what has an owner (gitops-engine, `GetManagedLiveObjs`
//! passes over objects with owner references). An anchor that it keeps
//! therefore has none.
//!
//! Pure; `api` asks the API server.

pub mod api;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::{Metadata, Resource};
use kube::api::ObjectMeta;

/// The annotation by which Argo CD knows what it keeps.
const ARGO_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";
/// The field managers of Argo CD begin so.
const ARGO_MANAGER: &str = "argocd";

/// The name of the anchor of the installation whose webhook configurations
/// have this name.
pub fn name(registration: &str) -> String {
    format!("{registration}-installation")
}

/// How things are with the anchor.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It is there: what owns all else.
    Held(OwnerReference),
    /// There is none to be had, and why: what we write stays until somebody
    /// deletes it.
    Without(String),
    /// The installation is being removed, and how that is known: nothing is
    /// made any more.
    Going(Going),
}

/// How an installation is being removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Going {
    /// The anchor of this name is gone, or on its way out.
    Anchor(String),
    /// The namespace of this name is.
    Namespace(String),
}

impl Going {
    /// One line.
    pub fn line(&self) -> String {
        match self {
            Going::Anchor(name) => format!(
                "ClusterRole {name} is gone: the installation is being removed and nothing is \
                 registered any more; to have it back apply the manifests again"
            ),
            Going::Namespace(name) => {
                format!("namespace {name} is being deleted: nothing is registered any more")
            }
        }
    }
}

impl Standing {
    /// The owner of what is written.
    pub fn owner(&self) -> Option<&OwnerReference> {
        match self {
            Standing::Held(owner) => Some(owner),
            Standing::Without(_) | Standing::Going(_) => None,
        }
    }
}

/// A reference to an object that is in no namespace.
fn reference<K: Resource + Metadata<Ty = ObjectMeta>>(object: &K) -> Option<OwnerReference> {
    let metadata = object.metadata();
    Some(OwnerReference {
        api_version: K::API_VERSION.to_owned(),
        kind: K::KIND.to_owned(),
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        ..OwnerReference::default()
    })
}

/// A reference to the anchor.
pub fn owner(anchor: &ClusterRole) -> Option<OwnerReference> {
    reference(anchor)
}

fn references(metadata: &ObjectMeta) -> &[OwnerReference] {
    metadata.owner_references.as_deref().unwrap_or_default()
}

fn is_same_object(one: &OwnerReference, other: &OwnerReference) -> bool {
    (&one.kind, &one.name) == (&other.kind, &other.name)
}

/// Whether this owner owns the object.
pub fn owns(owner: &OwnerReference, metadata: &ObjectMeta) -> bool {
    references(metadata).iter().any(|one| one.uid == owner.uid)
}

/// Whether an earlier anchor owned the object: it is of an installation that
/// was removed, and may be collected at any moment.
pub fn is_of_earlier(owner: &OwnerReference, metadata: &ObjectMeta) -> bool {
    let mut known = references(metadata).iter();
    !owns(owner, metadata) && known.any(|one| is_same_object(one, owner))
}

/// Whether any anchor of this name owns the object.
pub fn is_anchored(anchor: &str, metadata: &ObjectMeta) -> bool {
    let mut known = references(metadata).iter();
    known.any(|one| one.kind == ClusterRole::KIND && one.name == anchor)
}

/// The owners that the object is to have: this one in the place of earlier
/// ones of its name, and whatever else is there.
pub fn owners(owner: &OwnerReference, metadata: &ObjectMeta) -> Vec<OwnerReference> {
    let known = references(metadata).iter();
    let others = known.filter(|one| !is_same_object(one, owner)).cloned();
    others.chain([owner.clone()]).collect()
}

/// The owners that the anchor is to have, if they are others than it has: the
/// namespace of the installation, but not where Argo CD keeps the anchor.
pub fn parents(anchor: &ObjectMeta, home: &Namespace) -> Option<Vec<OwnerReference>> {
    let namespace = reference(home)?;
    let mut wanted = owners(&namespace, anchor);
    if is_kept_by_argo(anchor) {
        wanted.retain(|one| !is_same_object(one, &namespace));
    }
    (wanted != references(anchor)).then_some(wanted)
}

/// Whether Argo CD keeps the object.
pub fn is_kept_by_argo(metadata: &ObjectMeta) -> bool {
    let annotations = metadata.annotations.as_ref();
    let mut managers = metadata.managed_fields.iter().flatten();
    annotations.is_some_and(|known| known.contains_key(ARGO_ANNOTATION))
        || managers.any(|one| {
            let manager = one.manager.as_deref();
            manager.is_some_and(|name| name.starts_with(ARGO_MANAGER))
        })
}

#[cfg(test)]
mod tests;

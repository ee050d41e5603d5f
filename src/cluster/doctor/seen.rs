//! What was seen of an installation. `None` is what could not be looked at;
//! what is not there is an empty list, or null.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::relocation::Relocating;
use super::served::Served;
use crate::cluster::safety::World;

/// Which installation is meant.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// The name of its webhook configurations.
    pub registration: String,
    /// The Service that the API server calls.
    pub service: String,
    /// Where a replica is reached from here (`HOST:PORT`), instead of where its
    /// Service says.
    pub served_at: Option<String>,
}

/// Everything that checks look at.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Which installation.
    pub place: Place,
    /// When.
    pub now: Timestamp,
    /// What could not be looked at, and why.
    pub unseen: Vec<(String, String)>,
    /// All validating and all mutating webhook configurations.
    pub webhooks: [Option<Vec<Value>>; 2],
    /// What our pods may need; its images are those of our pods.
    pub world: Option<World>,
    /// The Service; null if there is none.
    pub service: Option<Value>,
    /// The EndpointSlices of the Service.
    pub slices: Option<Vec<Value>>,
    /// What replicas serve, of those that were asked.
    pub served: Vec<Served>,
    /// The Secret of certificates.
    pub secret: Option<Option<Secret>>,
    /// What the leader remembers.
    pub state: Option<Option<ConfigMap>>,
    /// Who leads; null if there is no Lease.
    pub lease: Option<Value>,
    /// The pods behind the Service.
    pub pods: Option<Vec<Value>>,
    /// The budgets of the namespace.
    pub budgets: Option<Vec<Value>>,
    /// The definitions of our kinds, in the order of [`crate::cluster::crd::definitions`]; null
    /// for one that is not there.
    pub definitions: Option<Vec<Value>>,
    /// All WasmPolicies; empty where the kind is not known.
    pub policies: Option<Vec<Value>>,
    /// Some nodes, where it matters who enforces NetworkPolicies.
    pub nodes: Option<Vec<Value>>,
    /// What there is of relocation, where anything is moved.
    pub relocating: Option<Relocating>,
    /// The anchor; null if there is none.
    pub anchor: Option<Value>,
    /// ClusterRoles and Roles that are bound to our account: the namespace
    /// that they hold in (None: all), and their rules.
    pub rights: Option<Vec<(Option<String>, Value)>>,
}

/// Text in an object, empty where there is none.
pub(super) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}

/// A list in an object, empty where there is none.
pub(super) fn list<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

impl Seen {
    /// Our two configurations; None if there is none of that kind, or nobody
    /// could look.
    pub(super) fn ours(&self) -> [Option<&Value>; 2] {
        let of = |all: &'_ Option<Vec<Value>>| -> Option<usize> {
            let name = self.place.registration.as_str();
            let mut known = all.as_ref()?.iter();
            known.position(|one| text(one, "/metadata/name") == name)
        };
        let [validating, mutating] = &self.webhooks;
        [validating, mutating].map(|all| of(all).and_then(|index| all.as_ref()?.get(index)))
    }

    /// The configurations of others: their kind, and they.
    pub(super) fn others(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let kinds = [
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
        ];
        let all = kinds.into_iter().zip(&self.webhooks);
        let all = all.flat_map(|(kind, all)| all.iter().flatten().map(move |one| (kind, one)));
        let name = self.place.registration.as_str();
        all.filter(move |(_, one)| text(one, "/metadata/name") != name)
    }
}

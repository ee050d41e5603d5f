//! What the operator grants of other objects.

use portcullis_contract::lookups::qualified;
use portcullis_contract::{Description, Lookup};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::spec::{Error, Spec, resources};
use crate::policy::{Cause, Failure};

/// A kind whose objects a policy may look up: of each the fields that its
/// description names, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LookupGrant {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// The plural resource, as in a Role: `secrets`.
    pub resource: String,
    /// How far it may look.
    #[serde(default)]
    pub scope: LookupScope,
}

/// How far a policy may look.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum LookupScope {
    /// Into the namespace of the request.
    #[default]
    Namespace,
    /// Into all namespaces, and at what is in none.
    Cluster,
}

impl LookupGrant {
    /// All that a policy looks up, in all of the cluster: for its author, who
    /// tries it out.
    pub fn everything(description: &Description) -> Vec<LookupGrant> {
        let grant = |lookup: &Lookup| LookupGrant {
            api_group: lookup.group().to_owned(),
            resource: lookup.resource.clone(),
            scope: LookupScope::Cluster,
        };
        description.lookups.iter().map(grant).collect()
    }

    /// What descriptions call it.
    pub fn name(&self) -> String {
        qualified(&self.api_group, &self.resource)
    }

    /// Whether this gives no more than `others` do.
    pub fn is_within(&self, others: &[LookupGrant]) -> bool {
        let covers = |other: &LookupGrant| {
            (&other.api_group, &other.resource) == (&self.api_group, &self.resource)
                && other.scope >= self.scope
        };
        others.iter().any(covers)
    }

    /// As it is written in `spec.lookups`, for one namespace at a time.
    pub fn text(lookup: &Lookup) -> String {
        match lookup.group() {
            "" => format!("{{resource: {}}}", lookup.resource),
            group => format!("{{apiGroup: {group}, resource: {}}}", lookup.resource),
        }
    }
}

/// What the types cannot say of `spec.lookups`.
///
/// # Errors
///
/// The first entry that is wrong.
pub(in crate::policy) fn validate(grants: &[LookupGrant]) -> Result<(), Error> {
    let resources = grants
        .iter()
        .map(|grant| (&*grant.api_group, &*grant.resource));
    resources::validate(resources, "lookups", "secrets")
}

/// Holds what is granted against what is looked up.
///
/// # Errors
///
/// A lookup that is needed and not granted, by what to write; a grant that does
/// nothing, for a misspelt one would leave out what was meant.
pub(super) fn check(description: &Description, spec: &Spec) -> Result<(), Failure> {
    let lookups = &description.lookups;
    let is_granted = |lookup: &&Lookup| {
        let name = lookup.name();
        spec.lookups.iter().any(|grant| grant.name() == name)
    };
    let needed = lookups.iter().filter(|lookup| !lookup.optional);
    let missing: Vec<&Lookup> = needed.filter(|lookup| !is_granted(lookup)).collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|lookup| lookup.name()).collect();
        let texts: Vec<String> = missing.into_iter().map(LookupGrant::text).collect();
        let message = format!(
            "it looks up `{}`: if you trust it with them, write `spec.lookups: [{}]`",
            names.join("`, `"),
            texts.join(", ")
        );
        return Err(Failure::host(Cause::Grant, message));
    }
    let is_known = |grant: &&LookupGrant| lookups.iter().any(|one| one.name() == grant.name());
    let Some(unknown) = spec.lookups.iter().find(|grant| !is_known(grant)) else {
        return Ok(());
    };
    let known: Vec<String> = lookups
        .iter()
        .map(|lookup| format!("`{}`", lookup.name()))
        .collect();
    let known = match known.is_empty() {
        true => "nothing".to_owned(),
        false => known.join(", "),
    };
    let message = format!(
        "`spec.lookups` grants `{}`, which the policy does not look up: it looks up {known}",
        unknown.name()
    );
    Err(Failure::host(Cause::Settings, message))
}
